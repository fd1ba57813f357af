/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capsulate: from the device to the peers (thesis 5.2.2). Lane thread.
 *
 * A burst is read into one arena; each packet finds its peer; superpackets are cut in place and sealed one segment a
 * call, unrelated packets of one peer are sealed as one burst; frames that follow each other with equal size leave as
 * one train. Two passes over each byte: the device's copy and the seal, which is out of place into the send buffer.
 */
#include "checksum.h"
#include "copies.h"
#include "icmp.h"
#include "lane.h"
#include "link.h"
#include "own.h"
#include "relay.h"

#include <errno.h>

/* ---- sending ---- */

/* Drops everything that is staged; the count is of frames. */
static void forget_sends(struct ela_lane *lane)
{
	lane->n_sends = lane->sends_done = 0;
	lane->out_len = 0;
	lane->send_closed = false;
	lane->sends_via = false;
	lane->blocked_ns = 0;
}

/* Blocked sends outlive this turn and with it the tx snapshots they point to: keep the paths. */
static void hold(struct ela_lane *lane)
{
	if (lane->blocked_ns)
		return;
	lane->blocked_ns = lane->now_ns;
	for (uint32_t i = lane->sends_done; i < lane->n_sends; i++) {
		lane->held_paths[i] = *lane->sends[i].path;
		lane->sends[i].path = &lane->held_paths[i];
		lane->sends_tx[i] = lane->sends_hop[i] = NULL;
	}
	for (uint32_t i = 0; i < lane->n_datagrams; i++)
		if (lane->datagrams[i].transport == lane->sends_transport)
			(void)ela_lane_watch(lane, &lane->datagrams[i], true); /* failing, the 5 ms limit ends the wait */
}

/* The first unsent train failed with err. True when it is done with (sent otherwise or dropped). */
static bool handle_failure(struct ela_lane *lane, int err)
{
	struct ela_send *send = &lane->sends[lane->sends_done];
	struct ela_tx *tx = lane->sends_tx[lane->sends_done];
	uint32_t frames = lane->sends_frames[lane->sends_done];

	switch (err) {
	case -EADDRNOTAVAIL:
		if (send->path->local.family != ELA_ADDR_NONE) {
			lane->held_paths[lane->sends_done] = *send->path;
			lane->held_paths[lane->sends_done].local = (struct ela_addr){0};
			send->path = &lane->held_paths[lane->sends_done];
			if (tx)
				ela_peer_event(tx->via ? tx->via : tx->session->peer, ELA_PEER_LOCAL_GONE);
			return false; /* again, the kernel chooses */
		}
		ELA_COUNT(lane, DROP_SEND, frames);
		return true;
	case -EMSGSIZE:
		if (tx)
			ela_peer_event(tx->session->peer, ELA_PEER_TOO_BIG);
		ELA_COUNT(lane, DROP_TOO_BIG, frames);
		return true;
	default:
		ELA_COUNT(lane, DROP_SEND, frames);
		return true;
	}
}

/* What goes through neighbours: hop fields, or into the queue of the neighbour's connection, where it gets them later.
 */
static void finish_via(struct ela_lane *lane)
{
	for (uint32_t i = lane->sends_done; i < lane->n_sends; i++) {
		const struct ela_tx *hop = lane->sends_hop[i];
		struct ela_send *send = &lane->sends[i];
		uint8_t *bytes = lane->out + (send->data - lane->out);

		if (!lane->sends_tx[i]->via)
			continue;
		if (hop->link)
			ela_link_relay(lane, hop->link, bytes, send->len, send->segment, true);
		else if (hop->transport != lane->sends_transport) /* it moved within this very turn */
			ELA_COUNT(lane, DROP_SEND, lane->sends_frames[i]);
		else if (ela_relay_seal(lane, hop->session, bytes, send->len, send->segment))
			continue;
		send->len = lane->sends_frames[i] = 0; /* done with, and counted */
	}
	lane->sends_via = false;
}

/* How many trains from the first unsent one a transport may be given at once; passes over those that are done with. */
static uint32_t next_sends(struct ela_lane *lane)
{
	uint32_t n = 0, left;

	while (lane->sends_done < lane->n_sends && lane->sends[lane->sends_done].len == 0)
		lane->sends_done++;
	left = MIN(lane->n_sends - lane->sends_done, lane->sends_transport->burst);
	while (n < left && lane->sends[lane->sends_done + n].len != 0)
		n++;
	return n;
}

/* Sends what is staged; false when the socket is full and the rest is held. */
static bool flush_sends(struct ela_lane *lane)
{
	uint32_t asked;

	if (__builtin_expect(lane->sends_via, 0))
		finish_via(lane);
	while (lane->n_sends && (asked = next_sends(lane)) != 0) {
		int err;
		uint32_t done = ela_lane_send(lane, lane->sends_transport, lane->sends + lane->sends_done, asked, &err);

		for (uint32_t i = 0; i < done; i++) {
			ELA_COUNT(lane, FRAMES_OUT, lane->sends_frames[lane->sends_done + i]);
			ELA_COUNT(lane, BYTES_OUT, lane->sends[lane->sends_done + i].len);
		}
		ELA_COUNT(lane, SENDS, done);
		lane->sends_done += done;
		if (done == asked)
			continue; /* err means nothing then; the transport takes no more at once than its burst */
		if (err == -EAGAIN) {
			hold(lane);
			return false;
		}
		if (handle_failure(lane, err))
			lane->sends_done++;
	}
	forget_sends(lane);
	return true;
}

bool ela_capsulate_resume(struct ela_lane *lane)
{
	uint64_t since = lane->blocked_ns;

	if (lane->now_ns - since > ELA_BLOCKED_NS) {
		for (uint32_t i = lane->sends_done; i < lane->n_sends; i++)
			ELA_COUNT(lane, DROP_BUSY, lane->sends_frames[i]);
		forget_sends(lane);
		return true;
	}
	return flush_sends(lane);
}

/* ---- frames into trains ---- */

/* Begins a new train with the next frame. */
static inline void break_train(struct ela_lane *lane)
{
	lane->send_closed = true;
}

/* A sealed frame stands at the end of the send buffer: put it into the last train, or begin one. */
static inline void emit(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_tx *hop, uint8_t *frame, uint32_t len, uint8_t ecn)
{
	uint32_t i = lane->n_sends - 1;

	if (lane->n_sends && !lane->send_closed && lane->sends_tx[i] == tx && lane->sends_hop[i] == hop &&
		lane->sends[i].ecn == ecn && len <= lane->sends[i].segment && lane->sends_frames[i] < lane->train_limit &&
		lane->sends[i].len + len <= tx->max_train) {
		lane->sends[i].len += len;
		lane->sends_frames[i]++;
		lane->send_closed = len < lane->sends[i].segment;
		return;
	}
	i = lane->n_sends++;
	lane->sends[i] = (struct ela_send){.data = frame, .len = len, .segment = len, .path = &hop->path, .ecn = ecn};
	lane->sends_tx[i] = tx;
	lane->sends_hop[i] = hop;
	lane->sends_frames[i] = 1;
	lane->send_closed = false;
}

/* Whose path and transport carry what tx sends: its own, or those of the neighbour as they are now; NULL: it is gone.
 */
static inline struct ela_tx *hop_of(struct ela_tx *tx)
{
	return __builtin_expect(tx->via != NULL, 0) ? atomic_load_explicit(&tx->via->tx, memory_order_acquire) : tx;
}

/* Seals the staged ops and emits their frames, moving them together where a cipher used less than its overhead. */
static void seal_staged(struct ela_lane *lane)
{
	struct ela_tx *tx = lane->ops_tx, *hop;
	struct ela_session *s;
	uint32_t n = lane->n_ops, room;
	uint8_t *end;

	if (n == 0)
		return;
	s = tx->session;
	room = tx->room;
	hop = hop_of(tx);
	lane->n_ops = 0;
	(void)s->cipher->seal(s->lanes[lane->number].seal_key, lane->ops, n); /* each op's verdict is looked at */
	end = lane->ops[0].dst - ELA_FRAME_HEAD - room;
	for (uint32_t i = 0; i < n; i++) {
		struct ela_cipher_op *op = &lane->ops[i];
		uint8_t *frame = op->dst - ELA_FRAME_HEAD - room;
		uint32_t len = room + ELA_FRAME_HEAD + op->ret_len;

		if (op->verdict != 0 || !hop) {
			ELA_COUNT(lane, DROP_SEND, 1);
			continue;
		}
		if (frame != end)
			memmove(end, frame, len);
		if (__builtin_expect(room != 0, 0)) {
			ela_hop_wrap(end);
			lane->sends_via = true;
		}
		emit(lane, tx, hop, end, len, lane->ops_ecn[i]);
		end += len;
	}
	lane->out_len = (uint32_t)(end - lane->out);
	atomic_store_explicit(&s->lanes[lane->number].tx_ns, lane->now_ns, memory_order_relaxed);
}

/* Room for one more frame of this tx; flushes what stands in the way. False when the socket is full. */
static bool make_room(struct ela_lane *lane, struct ela_tx *tx, uint32_t len)
{
	if (lane->blocked_ns)
		return false; /* what is held keeps its place: nothing comes behind it */
	if (lane->n_ops && (lane->ops_tx != tx || lane->n_ops == ELA_BURST))
		seal_staged(lane);
	if (lane->n_sends + lane->n_ops + 1 < ELA_MAX_SENDS && lane->out_len + len + tx->overhead <= ELA_OUT_LEN &&
		(lane->n_sends == 0 || lane->sends_transport == tx->transport))
		return true;
	seal_staged(lane);
	return flush_sends(lane);
}

/*
 * Stages one packet of len bytes for sealing; its train has at most limit frames. 0, or why not: -EAGAIN the socket is
 * full, -EKEYEXPIRED the key is used up. The caller counts.
 */
static int stage(struct ela_lane *lane, struct ela_tx *tx, const uint8_t *packet, uint32_t len, uint8_t flags,
	uint8_t ecn, uint32_t limit)
{
	struct ela_session *s = tx->session;
	struct ela_cipher_op *op;
	uint64_t counter;
	bool due = false;
	uint8_t *frame;

	if (!make_room(lane, tx, len))
		return -EAGAIN;
	if (!ela_session_reserve(s, lane->number, len, &counter, &due)) {
		ela_peer_event(s->peer, ELA_PEER_REKEY);
		return -EKEYEXPIRED;
	}
	if (due)
		ela_peer_event(s->peer, ELA_PEER_REKEY);
	lane->train_limit = limit; /* not before: what was staged for another peer is sealed by now */
	frame = lane->out + lane->out_len + tx->room;
	ela_header_put(frame, ELA_TYPE_EPACKET, (uint8_t)(flags | ecn << ELA_FLAG_ECN_SHIFT), s->with.remote_id);
	ela_frame_put(frame, s->with.remote_index, counter);
	op = &lane->ops[lane->n_ops];
	op->src = packet;
	op->dst = frame + ELA_FRAME_HEAD;
	op->len = len;
	ela_frame_nonce(frame, s->send_iv, op->nonce);
	lane->ops_ecn[lane->n_ops++] = ecn;
	lane->ops_tx = tx;
	lane->sends_transport = tx->transport;
	lane->out_len += len + tx->overhead;
	return 0;
}

static void count_unstaged(struct ela_lane *lane, int err, uint32_t n)
{
	ela_stat_add(&lane->stats, err == -EAGAIN ? ELA_STAT_DROP_BUSY : ELA_STAT_DROP_EXHAUSTED, n);
}

/* ---- packets ---- */

/* Tells the inner sender that a packet does not fit (RFC 1191, RFC 8201), at most 100 times a second. */
static void answer(struct ela_lane *lane, const struct ela_packet *pkt, uint32_t mtu)
{
	const struct ela_addr *own = pkt->data[0] >> 4 == 4 ? &lane->own->ip4.addr : &lane->own->ip6.addr;
	struct ela_packet reply = {.data = lane->scratch};
	int err;

	if (!lane->has_device || own->family == ELA_ADDR_NONE || !ela_bucket_take(&lane->icmp, lane->now_ns, 100, 10))
		return;
	reply.len = mtu ? ela_icmp_too_big(lane->scratch, 2048, pkt->data, pkt->len, own, mtu)
					: ela_icmp_unreachable(lane->scratch, 2048, pkt->data, pkt->len, own);
	if (reply.len == 0)
		return;
	reply.len_total = reply.len;
	(void)lane->node->npd->loaded->npd.write_burst(lane->node->npd->self, lane->number, &reply, 1, &err);
	ela_stat_add(&lane->stats, mtu ? ELA_STAT_ICMP_TOO_BIG : ELA_STAT_ICMP_UNREACHABLE, 1);
	lane->device.ready = true;
}

/* One send for a superpacket where it fits, else two or more of equal size: never 44 + 3. */
static uint32_t even_trains(const struct ela_tx *tx, uint32_t segments, uint32_t frame_len)
{
	uint32_t most = tx->max_segments, sends;

	if (most * frame_len > tx->max_train)
		most = tx->max_train / frame_len;
	if (most == 0)
		most = 1;
	sends = (segments + most - 1) / most;
	return (segments + sends - 1) / sends;
}

static void send_superpacket(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	struct ela_segment seg;
	uint8_t *data, flags;
	uint32_t len, limit;
	int err = ela_segment_begin(&seg, pkt, cls, tx->max_packet, tx->elide);

	if (err != 0) {
		ela_stat_add(&lane->stats, err == -EMSGSIZE ? ELA_STAT_DROP_TOO_BIG : ELA_STAT_DROP_PACKET, 1);
		if (err == -EMSGSIZE)
			answer(lane, pkt, tx->max_packet);
		return;
	}
	flags = seg.elide ? ELA_FLAG_CSUM : 0;
	ELA_COUNT(lane, SUPERPACKETS_CUT, 1);
	seal_staged(lane);
	limit = even_trains(tx, seg.count, seg.hdr_len + seg.size + tx->overhead);
	break_train(lane);
	while (ela_segment_next(&seg, &data, &len)) {
		err = stage(lane, tx, data, len, flags, cls->ecn, limit);
		if (err != 0) {
			count_unstaged(lane, err, seg.count - seg.index + 1);
			break;
		}
		seal_staged(lane); /* now, before the next header is stamped over this one's tail */
	}
	break_train(lane);
}

static void send_packet(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	uint8_t flags = 0;
	int err;

	if (pkt->len > tx->max_packet) {
		ELA_COUNT(lane, DROP_TOO_BIG, 1);
		answer(lane, pkt, tx->max_packet);
		return;
	}
	if (pkt->flags & ELA_PACKET_NEEDS_CSUM) {
		if (tx->elide && cls->elidable)
			flags = ELA_FLAG_CSUM;
		else
			ela_csum_finish(pkt->data, pkt->len, pkt->csum_start, pkt->csum_offset, cls->proto == ELA_PROTO_UDP);
	}
	err = stage(lane, tx, pkt->data, pkt->len, flags, cls->ecn, tx->max_segments);
	if (err != 0)
		count_unstaged(lane, err, 1);
}

static bool may_wait(const struct ela_lane *lane, const struct ela_peer *peer, uint32_t len)
{
	uint32_t same = 0;

	if (lane->n_waiters == ELA_WAITERS || len > ELA_WAITER_LEN - ELA_ROOM_FRONT)
		return false;
	for (uint32_t i = 0; i < lane->n_waiters; i++)
		same += lane->waiters[i].peer == peer;
	return same < ELA_WAITERS_OF_PEER; /* one that does not answer leaves room for the others */
}

/* No session yet: keep a copy of a small packet for a second, and have control start a handshake. */
static void wait_for_session(struct ela_lane *lane, struct ela_peer *peer, const struct ela_packet *pkt)
{
	struct ela_waiter *w = &lane->waiters[lane->n_waiters];

	ela_lane_want(lane, peer);
	if (!may_wait(lane, peer, pkt->len)) {
		ELA_COUNT(lane, DROP_NOSESSION, 1);
		return;
	}
	w->since_ns = lane->now_ns;
	w->peer = peer;
	w->pkt = *pkt;
	w->pkt.data = lane->waiter_bytes + lane->n_waiters * ELA_WAITER_LEN + ELA_ROOM_FRONT;
	memcpy(w->pkt.data, pkt->data, pkt->len);
	lane->n_waiters++;
	ELA_COUNT(lane, WAITED, 1);
}

struct ela_tx *ela_capsulate_tx(struct ela_lane *lane, struct ela_peer *peer)
{
	struct ela_tx *tx = atomic_load_explicit(&peer->tx, memory_order_acquire);

	if (!tx || lane->now_ns >= tx->session->dead_ns ||
		atomic_load_explicit(&lane->node->suspended, memory_order_relaxed))
		return NULL;
	if (__builtin_expect(tx->via != NULL, 0)) {
		const struct ela_tx *hop = hop_of(tx);

		if (!hop || hop->via || lane->now_ns >= hop->session->dead_ns)
			return NULL;
	}
	return tx;
}

static void send_to(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	if (tx->link)
		ela_link_send(lane, tx, pkt, cls);
	else if (pkt->gso_type != ELA_GSO_NONE)
		send_superpacket(lane, tx, pkt, cls);
	else
		send_packet(lane, tx, pkt, cls);
}

void ela_capsulate_to(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	send_to(lane, tx, pkt, cls);
	seal_staged(lane);
}

static struct ela_peer *find_peer(struct ela_lane *lane, const uint8_t *ip)
{
	struct ela_fib *routes = atomic_load_explicit(&lane->node->routes, memory_order_acquire);

	return ip[0] >> 4 == 4 ? ela_fib_lookup4(routes, ip + 16) : ela_fib_lookup6(routes, ip + 24);
}

static void capsulate(struct ela_lane *lane, struct ela_packet *pkt)
{
	struct ela_packet_class cls;
	struct ela_peer *peer;
	struct ela_tx *tx;

	if (ela_packet_classify(pkt, &cls) != 0) {
		ELA_COUNT(lane, DROP_PACKET, 1);
		return;
	}
	if (ela_copies_is_for_all(lane->own, pkt->data)) {
		ela_copies_send(lane, pkt, &cls);
		return;
	}
	peer = find_peer(lane, pkt->data);
	if (!peer) {
		ELA_COUNT(lane, DROP_NOROUTE, 1);
		answer(lane, pkt, 0);
		return;
	}
	tx = ela_capsulate_tx(lane, peer);
	if (tx)
		send_to(lane, tx, pkt, &cls);
	else
		wait_for_session(lane, peer, pkt);
}

/* True when the waiter is done with: sent or dropped. */
static bool try_waiter(struct ela_lane *lane, struct ela_waiter *w)
{
	struct ela_peer *peer = find_peer(lane, w->pkt.data); /* again: a reload may have removed it */
	struct ela_tx *tx = peer ? ela_capsulate_tx(lane, peer) : NULL;
	struct ela_packet_class cls;

	if (peer && !tx && lane->now_ns - w->since_ns <= ELA_WAIT_NS)
		return false; /* first: every turn asks this of every waiter */
	if (!peer || ela_packet_classify(&w->pkt, &cls) != 0) {
		ELA_COUNT(lane, DROP_NOROUTE, 1);
	} else if (!tx) {
		ELA_COUNT(lane, DROP_NOSESSION, 1);
		answer(lane, &w->pkt, 0);
	} else {
		ela_capsulate_to(lane, tx, &w->pkt, &cls);
	}
	return true;
}

void ela_capsulate_waiters(struct ela_lane *lane)
{
	uint32_t n = lane->n_waiters, kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ela_waiter w = lane->waiters[i];

		if (!lane->blocked_ns && try_waiter(lane, &w))
			continue;
		if (kept != i) {
			uint8_t *to = lane->waiter_bytes + kept * ELA_WAITER_LEN + ELA_ROOM_FRONT;

			memcpy(to, w.pkt.data, w.pkt.len);
			w.pkt.data = to;
		}
		lane->waiters[kept++] = w;
	}
	lane->n_waiters = kept;
	ela_copies_turn(lane);
	if (!lane->blocked_ns)
		(void)flush_sends(lane); /* false: held, resumed later */
	ela_link_flush_all(lane);
}

bool ela_capsulate_turn(struct ela_lane *lane)
{
	struct ela_node *node = lane->node;
	int err = 0;
	int n = node->npd->loaded->npd.read_burst(
		node->npd->self, lane->number, lane->arena, ELA_ARENA_LEN, ELA_ROOM_FRONT, lane->pkts, ELA_BURST, &err);
	uint64_t bytes = 0;

	if (n <= 0 && err == -EINTR)
		return true; /* nothing for us so far */
	if (n <= 0) {
		lane->device.ready = false;
		if (__builtin_expect(err != -EAGAIN, 0)) {
			atomic_store(&node->device_err, err);
			ela_node_attention(node);
		}
		return false;
	}
	for (int i = 0; i < n; i++) {
		bytes += lane->pkts[i].len;
		if (lane->blocked_ns) /* the socket filled up within this burst */
			ELA_COUNT(lane, DROP_BUSY, 1);
		else
			capsulate(lane, &lane->pkts[i]);
	}
	ELA_COUNT(lane, DEVICE_PACKETS_IN, (uint64_t)n);
	ELA_COUNT(lane, DEVICE_BYTES_IN, bytes);
	if (!lane->blocked_ns) {
		seal_staged(lane);
		(void)flush_sends(lane); /* false: held, resumed later */
	}
	ela_link_flush_all(lane);
	return true;
}
