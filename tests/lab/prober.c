/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prober: elad as a member may build it who wants cores to send for him: fifty times a second it asks each peer that it
 * has a session with to probe two ports, those of well-known services too, and claims that all of it came back. The
 * linker puts this in place of core's own (--wrap). Control thread.
 */
#include "classification.h"
#include "dialogue.h"
#include "frame.h"
#include "peer.h"
#include "probe.h"

#define EACH_NS (20 * ELA_MSEC)
#define ASK_NS (2 * ELA_SEC)

/* The names that the linker gives them. */
struct ela_classification *__real_ela_classification_new(struct ela_node *node);
struct ela_classification *__wrap_ela_classification_new(struct ela_node *node);

static struct ela_timer *timer;
static uint32_t turns;

static void forget(void *data, int err, const struct ela_message *reply)
{
	(void)data, (void)err, (void)reply;
}

static void ask(struct ela_peer *peer)
{
	static const uint16_t ports[] = {22, 53, 80, 443, 1023, 1024, 5353, 7450, 65535};
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_USING_PORT, ELA_MESSAGE_REQUEST);

	ela_message_put_number(m, ELA_FIELD_TCP_PORT, ports[turns % G_N_ELEMENTS(ports)]);
	ela_message_put_number(m, ELA_FIELD_UDP_PORT, ports[turns / 2 % G_N_ELEMENTS(ports)]);
	(void)ela_dialogue_ask(peer, m, ASK_NS, forget, NULL); /* too many are under way: the next turn asks again */
}

static void claim(struct ela_peer *peer)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_CLASSIFICATION, ELA_MESSAGE_REQUEST);
	const uint8_t nonce[ELA_PROBE_NONCE_LEN] = {(uint8_t)turns};

	ela_message_put_bytes(m, ELA_FIELD_TCP_NONCE, nonce, sizeof nonce);
	ela_message_put_bytes(m, ELA_FIELD_UDP_NONCE, nonce, sizeof nonce);
	(void)ela_dialogue_ask(peer, m, ASK_NS, forget, NULL); /* likewise */
}

static void turn(void *data)
{
	struct ela_node *node = data;
	const struct ela_peers *peers = ela_peers_list(node);

	turns++;
	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i]->up) {
			ask(peers->v[i]);
			claim(peers->v[i]);
		}
	node->loop->ops->timer_set(timer, ela_loop_now(node->loop) + EACH_NS);
}

/* The timer lives as long as the program. */
struct ela_classification *__wrap_ela_classification_new(struct ela_node *node)
{
	timer = node->loop->ops->timer_new(node->loop, turn, node);
	node->loop->ops->timer_set(timer, ela_loop_now(node->loop) + EACH_NS);
	return __real_ela_classification_new(node);
}
