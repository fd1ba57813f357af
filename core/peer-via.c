/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer-via: peers that are reached through a neighbour: which one control wants, what that means for what is published,
 * and control's own frames on that way. Control thread.
 *
 * Only a neighbour that is reached directly relays, so nothing here is deeper than one step.
 */
#include "lane.h"
#include "peer.h"
#include "via.h"

#include <errno.h>

#define SEEK_NS (500 * ELA_MSEC)

/* ---- what is published ---- */

struct ela_path ela_peer_wished(const struct ela_peer *peer, const struct ela_path *heard)
{
	return peer->via ? ela_via_path(peer->via->number, peer->id) : *heard;
}

bool ela_via_fill(struct ela_peer *peer, struct ela_tx *tx)
{
	struct ela_peer *neighbour = ela_peer_by_number(peer->node, ela_via_neighbour(&tx->path));
	const struct ela_tx *hop = neighbour ? neighbour->tx_shadow : NULL;

	if (!hop || hop->via || neighbour == peer)
		return false;
	peer->last_via = neighbour->number;
	tx->via = neighbour;
	tx->transport = hop->transport;
	tx->room = ELA_HOP_LEN;
	tx->overhead += ELA_HOP_LEN;
	tx->max_segments = hop->max_segments;
	tx->max_train = hop->max_train;
	tx->max_frame = ela_pmtu_frame(peer, tx);
	tx->max_packet = tx->max_frame > tx->overhead ? tx->max_frame - tx->overhead : 0;
	return true;
}

/* Does it use that neighbour, or wait for it? */
static bool is_behind(const struct ela_peer *peer, const struct ela_peer *neighbour)
{
	if (peer == neighbour)
		return false;
	if (peer->tx_shadow)
		return peer->tx_shadow->via == neighbour;
	return peer->via ? peer->via == neighbour : peer->last_via == neighbour->number;
}

void ela_via_follow(struct ela_peer *neighbour)
{
	struct ela_peers *peers = ela_peers_list(neighbour->node);

	for (uint32_t i = 0; i < peers->n; i++) {
		struct ela_peer *peer = peers->v[i];
		const struct ela_path path = ela_via_path(neighbour->number, peer->id);

		if (!is_behind(peer, neighbour))
			continue;
		/* This ends: who publishes nothing new has no followers. */
		if (peer->current)
			ela_peer_publish(peer, peer->current, &path);
		else if (ela_initiator_busy(peer) && neighbour->tx_shadow)
			peer->retry_ns = ela_loop_now(peer->node->loop); /* it could not be called before */
	}
}

void ela_via_forget(struct ela_node *node, const struct ela_peer *neighbour)
{
	struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i]->via == neighbour)
			peers->v[i]->via = NULL;
}

/* ---- choosing ---- */

/* The way to a peer was through a neighbour. A connection that is still there is as good as ever. */
static void go_direct(struct ela_peer *peer)
{
	const struct ela_link *link = peer->link;

	peer->seek_ns = 0;
	if (!peer->current)
		return;
	if (link && link->state == ELA_LINK_ATTACHED && !link->failed) {
		const struct ela_path path = {
			.remote = link->remote, .local = link->local, .transport = link->transport->number, .link = link->id};

		ela_pmtu_reset(peer);
		ela_peer_publish(peer, peer->current, &path);
		return;
	}
	if (peer->tx_shadow)
		ela_peer_publish(peer, peer->current, &peer->tx_shadow->path); /* no longer pinned */
	ela_via_tick(peer, ela_loop_now(peer->node->loop));
}

int ela_peer_via(struct ela_peer *peer, struct ela_peer *neighbour)
{
	struct ela_path path;

	if (neighbour == peer)
		return -EINVAL;
	if (neighbour == peer->via)
		return 0;
	peer->via = neighbour;
	peer->challenge_ns = 0; /* an answer that is on its way moves nothing any more */
	if (!neighbour) {
		go_direct(peer);
		return 0;
	}
	path = ela_via_path(neighbour->number, peer->id);
	ela_pmtu_reset(peer);
	if (peer->current)
		ela_peer_publish(peer, peer->current, &path);
	if (ela_initiator_busy(peer)) /* not at the places where it is no more */
		ela_initiate(peer);
	return 0;
}

void ela_via_tick(struct ela_peer *peer, uint64_t now_ns)
{
	if (peer->via || !peer->tx_shadow || !peer->tx_shadow->via || (peer->seek_ns && now_ns - peer->seek_ns < SEEK_NS))
		return;
	peer->seek_ns = now_ns;
	ela_initiate_direct(peer);
}

/* ---- control's frames ---- */

int ela_via_send(struct ela_node *node, const struct ela_path *path, const uint8_t *frame, uint32_t len)
{
	struct ela_peer *neighbour = ela_peer_by_number(node, ela_via_neighbour(path));
	const struct ela_tx *hop = neighbour ? neighbour->tx_shadow : NULL;
	uint8_t out[ELA_DATAGRAM_MAX_CONTROL], *frames[] = {out};
	bool due = false;

	if (!hop && neighbour) { /* who is wanted behind it wants it */
		atomic_store_explicit(&neighbour->want_ns, ela_loop_now(node->loop), memory_order_relaxed);
		ela_peer_event(neighbour, ELA_PEER_WANT);
	}
	if (!hop || hop->via)
		return -ENOTCONN;
	if (len > sizeof out - ELA_HOP_LEN)
		return -EMSGSIZE;
	if (ela_node_clocks_jumped(node) || ela_loop_now(node->loop) >= hop->session->dead_ns)
		return -EIO;
	memcpy(out + ELA_HOP_LEN, frame, len);
	ela_hop_wrap(out);
	len += ELA_HOP_LEN;
	if (!ela_hop_seal(hop->session, ELA_LANE_CONTROL, frames, &len, 1, &due))
		return -EIO;
	if (due)
		ela_peer_event(hop->session->peer, ELA_PEER_REKEY);
	return ela_node_send(node, &hop->path, out, len);
}
