/* SPDX-License-Identifier: Apache-2.0 */
/*
 * way: what came of trying to reach a peer by each endpoint and transport, for people who ask why. Control thread. It
 * decides nothing: which way comes next is the initiator's.
 */
#include "peer.h"

static struct ela_way *find(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr)
{
	for (uint32_t i = 0; i < ELA_WAYS; i++) {
		struct ela_way *way = &peer->ways[i];

		if (way->tries && way->transport == transport && memcmp(&way->addr, addr, sizeof *addr) == 0)
			return way;
	}
	return NULL;
}

/* A free one, else the one that was tried longest ago. */
static struct ela_way *make(struct ela_peer *peer)
{
	struct ela_way *oldest = &peer->ways[0];

	for (uint32_t i = 0; i < ELA_WAYS; i++) {
		if (!peer->ways[i].tries)
			return &peer->ways[i];
		if (peer->ways[i].tried_ns < oldest->tried_ns)
			oldest = &peer->ways[i];
	}
	return oldest;
}

void ela_way_tried(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr)
{
	struct ela_way *way = find(peer, transport, addr);

	if (!way) {
		way = make(peer);
		*way = (struct ela_way){.addr = *addr, .transport = transport};
	}
	way->tries++;
	way->tried_ns = ela_loop_now(peer->node->loop);
	way->err = 0;
}

void ela_way_answered(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr)
{
	struct ela_way *way = find(peer, transport, addr);

	if (!way)
		return;
	way->answered_ns = ela_loop_now(peer->node->loop);
	way->err = 0;
}

void ela_way_failed(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr, int err)
{
	struct ela_way *way = find(peer, transport, addr);

	if (way)
		way->err = err;
}
