/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classification: the side that asks. All cores are asked for probes at once; when all of them came, or after 2 s, each
 * core is told all nonces: which came from whom need not be known, for a fresh socket may have another address than the
 * session. Control thread.
 */
#include "classification-priv.h"

#include "crypto.h"
#include "dialogue.h"
#include "inet.h"
#include "log.h"
#include "peer.h"

#include <errno.h>

#define COLLECT_NS (2 * ELA_SEC) /* after that no probe is waited for */
#define ALL_NS (3 * ELA_SEC)

static void on_timer(void *data);

struct ela_classification *ela_classification_new(struct ela_node *node)
{
	struct ela_classification *c = g_new0(struct ela_classification, 1);

	c->node = node;
	c->timer = node->loop->ops->timer_new(node->loop, on_timer, c);
	return c;
}

void ela_classification_free(struct ela_classification *c)
{
	if (!c)
		return;
	ela_classify_cancel(c->node);
	c->node->loop->ops->timer_free(c->timer);
	c->node->classification = NULL;
	g_free(c);
}

/* ---- the end ---- */

/* What was collected is gone, and the next may begin. */
static void clear(struct ela_classification *c)
{
	for (uint32_t i = 0; i < c->n_asked; i++)
		ela_dialogue_cancel(c->node, c->asked[i].ticket);
	c->n_asked = 0;
	memset(c->n_foreign, 0, sizeof c->n_foreign);
	c->observed = (struct ela_message_endpoint){0};
	c->n_seen = 0;
	c->node->loop->ops->timer_set(c->timer, 0);
}

void ela_classify_cancel(struct ela_node *node)
{
	clear(node->classification);
}

static const char *failed_text(enum ela_probe_failed failed)
{
	static const char *const texts[] = {"none", "tcp", "udp", "both"};

	return texts[failed];
}

/* All is said: tells, last of all. */
static void finish(struct ela_classification *c)
{
	struct ela_classified result = {
		.role = ELA_ROLE_CORE, .failed = ELA_PROBE_NONE, .n_asked = c->n_asked, .observed = c->observed};
	ela_classified_fn fn = c->fn;

	for (uint32_t i = 0; i < c->n_asked; i++) {
		const struct ela_asked *asked = &c->asked[i];

		if (!asked->answered || asked->role != ELA_ROLE_CORE)
			result.role = ELA_ROLE_EDGE;
		result.failed |= asked->answered ? asked->failed : ELA_PROBE_BOTH;
		result.n_answered += asked->answered;
		result.n_core += asked->answered && asked->role == ELA_ROLE_CORE;
	}
	result.n_seen = c->n_seen;
	memcpy(result.seen, c->seen, sizeof result.seen);
	clear(c);
	ela_logf(c->node->log, ELA_LOG_INFO, "classification", "done role=%s failed=%s asked=%u answered=%u",
		result.role == ELA_ROLE_CORE ? "core" : "edge", failed_text(result.failed), result.n_asked, result.n_answered);
	fn(c->data, &result);
}

static bool any_is(const struct ela_classification *c, enum ela_asked_state state)
{
	for (uint32_t i = 0; i < c->n_asked; i++)
		if (c->asked[i].state == state)
			return true;
	return false;
}

static void finish_if_done(struct ela_classification *c)
{
	for (uint32_t i = 0; i < c->n_asked; i++)
		if (c->asked[i].state != ELA_ASKED_DONE)
			return;
	finish(c);
}

static void say_failed(const struct ela_asked *asked, int err, const struct ela_message *reply)
{
	const struct ela_peer *peer = ela_peer_by_number(asked->node, asked->peer);
	const char *reason = reply ? ela_message_text(reply, ELA_FIELD_REASON, 0) : g_strerror(-err);

	ela_logf_limited(asked->node->log, ela_loop_now(asked->node->loop), ELA_LOG_INFO, "classification",
		"no-verdict peer=%s reason=\"%s\"", peer ? peer->name : "gone",
		reason ? reason : ela_status_name(ela_message_status(reply)));
}

/* ---- verdicts ---- */

static void note_seen(struct ela_classification *c, const struct ela_message *reply)
{
	struct ela_message_endpoint seen;

	if (!ela_message_endpoint(reply, ELA_FIELD_OBSERVED, 0, &seen))
		return;
	if (c->observed.addr.family == ELA_ADDR_NONE)
		c->observed = seen;
	for (uint32_t i = 0; i < c->n_seen; i++)
		if (c->seen[i].family == seen.addr.family && memcmp(c->seen[i].ip, seen.addr.ip, sizeof seen.addr.ip) == 0)
			return;
	c->seen[c->n_seen++] = seen.addr;
}

static void take_verdict(void *data, int err, const struct ela_message *reply)
{
	struct ela_asked *asked = data;
	struct ela_classification *c = asked->node->classification;
	int64_t role = ELA_ROLE_EDGE, failed = ELA_PROBE_BOTH;

	asked->ticket = 0;
	asked->state = ELA_ASKED_DONE;
	if (err == 0 && ela_message_status(reply) == ELA_STATUS_OK) {
		(void)ela_message_number(reply, ELA_FIELD_ROLE, &role); /* required: they are there */
		(void)ela_message_number(reply, ELA_FIELD_FAILED, &failed);
		note_seen(c, reply);
		asked->answered = true;
		asked->role = (enum ela_role)role;
		asked->failed = (enum ela_probe_failed)failed;
	} else {
		say_failed(asked, err, reply);
	}
	finish_if_done(c);
}

static void put_nonces(const struct ela_classification *c, struct ela_message *m, uint32_t way, enum ela_field field)
{
	for (uint32_t i = 0; i < c->n_asked; i++)
		if (c->asked[i].has[way])
			ela_message_put_bytes(m, field, c->asked[i].nonces[way], ELA_PROBE_NONCE_LEN);
	for (uint32_t i = 0; i < c->n_foreign[way]; i++)
		ela_message_put_bytes(m, field, c->foreign[way][i], ELA_PROBE_NONCE_LEN);
}

static void ask_verdict(struct ela_classification *c, struct ela_asked *asked)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_CLASSIFICATION, ELA_MESSAGE_REQUEST);
	struct ela_peer *peer = ela_peer_by_number(c->node, asked->peer);
	uint64_t now_ns = ela_loop_now(c->node->loop), left_ns = c->end_ns > now_ns ? c->end_ns - now_ns : 1;

	put_nonces(c, m, ELA_PROBE_BY_TCP - 1, ELA_FIELD_TCP_NONCE);
	put_nonces(c, m, ELA_PROBE_BY_UDP - 1, ELA_FIELD_UDP_NONCE);
	if (peer)
		asked->ticket = ela_dialogue_ask(peer, m, left_ns, take_verdict, asked);
	else
		ela_message_free(m);
	asked->state = asked->ticket ? ELA_ASKED_VERDICT : ELA_ASKED_DONE;
}

/* Nothing more is collected: who has not even said that he probes has lost his say. */
static void ask_verdicts(struct ela_classification *c)
{
	c->node->loop->ops->timer_set(c->timer, 0);
	for (uint32_t i = 0; i < c->n_asked; i++) {
		struct ela_asked *asked = &c->asked[i];

		if (asked->state == ELA_ASKED_PORTS) {
			ela_dialogue_cancel(c->node, asked->ticket);
			asked->ticket = 0;
			asked->state = ELA_ASKED_DONE;
			say_failed(asked, -ETIMEDOUT, NULL);
		} else if (asked->state == ELA_ASKED_PROBED) {
			ask_verdict(c, asked);
		}
	}
	finish_if_done(c);
}

/* Is there anything left to wait for? */
static void go_on(struct ela_classification *c)
{
	if (any_is(c, ELA_ASKED_PORTS))
		return;
	for (uint32_t i = 0; i < c->n_asked; i++)
		for (uint32_t way = 0; way < ELA_CLASSIFY_WAYS; way++)
			if (c->asked[i].state == ELA_ASKED_PROBED && !c->asked[i].has[way])
				return;
	ask_verdicts(c);
}

static void on_timer(void *data)
{
	ask_verdicts(data);
}

/* ---- ports ---- */

static void take_ports(void *data, int err, const struct ela_message *reply)
{
	struct ela_asked *asked = data;
	bool ok = err == 0 && ela_message_status(reply) == ELA_STATUS_OK;

	asked->ticket = 0;
	asked->state = ok ? ELA_ASKED_PROBED : ELA_ASKED_DONE;
	if (!ok)
		say_failed(asked, err, reply);
	go_on(asked->node->classification);
}

static void ask_ports(struct ela_asked *asked, struct ela_peer *peer, uint16_t tcp_port, uint16_t udp_port)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_USING_PORT, ELA_MESSAGE_REQUEST);
	const struct ela_tx *tx = peer->tx_shadow;

	*asked = (struct ela_asked){.node = peer->node, .peer = peer->number};
	if (tx && !ela_path_is_via(&tx->path))
		asked->at = tx->path.remote;
	ela_message_put_number(m, ELA_FIELD_TCP_PORT, tcp_port);
	ela_message_put_number(m, ELA_FIELD_UDP_PORT, udp_port);
	asked->ticket = ela_dialogue_ask(peer, m, ALL_NS, take_ports, asked);
	asked->state = asked->ticket ? ELA_ASKED_PORTS : ELA_ASKED_DONE;
}

static bool are_distinct(struct ela_peer *const *cores, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < i; k++)
			if (cores[i] == cores[k])
				return false;
	return true;
}

int ela_classify(struct ela_node *node, struct ela_peer *const *cores, uint32_t n_cores, uint16_t tcp_port,
	uint16_t udp_port, ela_classified_fn fn, void *data)
{
	struct ela_classification *c = node->classification;
	uint64_t now_ns = ela_loop_now(node->loop);

	if (n_cores == 0 || n_cores > ELA_CLASSIFY_CORES || !are_distinct(cores, n_cores) || tcp_port < 1024 ||
		udp_port < 1024)
		return -EINVAL;
	if (c->n_asked)
		return -EBUSY;
	if (ela_probe_key(node->network_id, c->key) != 0)
		return -EIO;
	c->fn = fn;
	c->data = data;
	c->end_ns = now_ns + ALL_NS;
	c->n_asked = n_cores;
	for (uint32_t i = 0; i < n_cores; i++)
		ask_ports(&c->asked[i], cores[i], tcp_port, udp_port);
	/* Nobody could be asked: that is told too, but not from inside this call. */
	node->loop->ops->timer_set(c->timer, any_is(c, ELA_ASKED_PORTS) ? now_ns + COLLECT_NS : now_ns);
	return 0;
}

/* ---- probes ---- */

static bool is_known(const struct ela_classification *c, uint32_t way, const uint8_t *nonce)
{
	for (uint32_t i = 0; i < c->n_asked; i++)
		if (c->asked[i].has[way] && memcmp(c->asked[i].nonces[way], nonce, ELA_PROBE_NONCE_LEN) == 0)
			return true;
	for (uint32_t i = 0; i < c->n_foreign[way]; i++)
		if (memcmp(c->foreign[way][i], nonce, ELA_PROBE_NONCE_LEN) == 0)
			return true;
	return false;
}

/* One for each core at its own address, some for cores that have several: who floods takes the latter alone. */
static uint8_t *place_for(struct ela_classification *c, uint32_t way, const struct ela_addr *from)
{
	for (uint32_t i = 0; i < c->n_asked; i++) {
		struct ela_asked *asked = &c->asked[i];

		if (asked->state == ELA_ASKED_DONE || asked->has[way] || !ela_inet_same_network(&asked->at, from))
			continue;
		asked->has[way] = true;
		return asked->nonces[way];
	}
	return c->n_foreign[way] < ELA_CLASSIFY_FOREIGN ? c->foreign[way][c->n_foreign[way]++] : NULL;
}

static bool collects(const struct ela_classification *c)
{
	return any_is(c, ELA_ASKED_PORTS) || any_is(c, ELA_ASKED_PROBED);
}

bool ela_classify_probe(struct ela_node *node, const struct ela_path *path, const uint8_t *frame, uint32_t len)
{
	struct ela_classification *c = node->classification;
	enum ela_probe_kind kind = path->link ? ELA_PROBE_BY_TCP : ELA_PROBE_BY_UDP;
	struct ela_probe probe;
	uint8_t *place;

	ELA_COUNT(node, STRANGER_BYTES_IN, len);
	if (!collects(c)) { /* before anything is computed */
		ELA_COUNT(node, DROP_PROBE_UNASKED, 1);
		return false;
	}
	if (!ela_addr_allowed(node, &path->remote) || ela_probe_parse(c->key, frame, len, &probe) != 0 ||
		probe.kind != kind) {
		ELA_COUNT(node, DROP_PROBE, 1);
		return false;
	}
	place = is_known(c, kind - 1, probe.nonce) ? NULL : place_for(c, kind - 1, &path->remote);
	if (!place) {
		ELA_COUNT(node, DROP_PROBE_UNASKED, 1);
		return false;
	}
	memcpy(place, probe.nonce, sizeof probe.nonce);
	ELA_COUNT(node, PROBES_IN, 1);
	go_on(c);
	return true;
}
