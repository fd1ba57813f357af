/* SPDX-License-Identifier: Apache-2.0 */
/* ping: pings that somebody asked for and that wait for their answer. Control thread. */
#include "ping.h"

#include <errno.h>

struct ela_ping {
	struct ela_node *node;
	uint32_t peer; /* its number: the peer may go while this waits */
	uint32_t id;
	uint64_t sent_ns;
	struct ela_timer *timer;
	void (*fn)(void *data, int err, uint64_t rtt_ns);
	void *data;
};

void ela_ping_cancel(struct ela_ping *ping)
{
	(void)g_ptr_array_remove_fast(ping->node->pings, ping); /* it is there */
	ping->node->loop->ops->timer_free(ping->timer);
	g_free(ping);
}

/* Forgotten first: fn may start the next one. */
static void finish(struct ela_ping *ping, int err, uint64_t rtt_ns)
{
	void (*fn)(void *data, int err, uint64_t rtt_ns) = ping->fn;
	void *data = ping->data;

	ela_ping_cancel(ping);
	fn(data, err, rtt_ns);
}

static void late(void *data)
{
	finish(data, -ETIMEDOUT, 0);
}

struct ela_ping *ela_ping_start(struct ela_peer *peer, uint64_t timeout_ns,
	void (*fn)(void *data, int err, uint64_t rtt_ns), void *data, int *ret_err)
{
	struct ela_node *node = peer->node;
	uint64_t now = ela_loop_now(node->loop);
	uint32_t id = ELA_PING_ASKED | node->next_ping++;
	int err = ela_control_ping(peer, id);
	struct ela_ping *ping;

	if (err) {
		*ret_err = err;
		return NULL;
	}
	ping = g_new0(struct ela_ping, 1);
	*ping = (struct ela_ping){.node = node, .peer = peer->number, .id = id, .sent_ns = now, .fn = fn, .data = data};
	ping->timer = node->loop->ops->timer_new(node->loop, late, ping);
	node->loop->ops->timer_set(ping->timer, now + timeout_ns);
	g_ptr_array_add(node->pings, ping);
	return ping;
}

bool ela_ping_answered(struct ela_peer *peer, uint32_t id)
{
	struct ela_node *node = peer->node;

	for (guint i = 0; i < node->pings->len; i++) {
		struct ela_ping *ping = g_ptr_array_index(node->pings, i);
		uint64_t rtt_ns = ela_loop_now(node->loop) - ping->sent_ns;

		if (ping->id != id || ping->peer != peer->number)
			continue;
		ela_peer_round_trip(peer, rtt_ns);
		finish(ping, 0, rtt_ns);
		return true;
	}
	return false;
}

void ela_pings_end(struct ela_node *node)
{
	while (node->pings->len)
		finish(g_ptr_array_index(node->pings, 0), -ECANCELED, 0);
}
