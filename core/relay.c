/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: checks what neighbours relayed, passes it on or hands it in, and writes hop fields of what goes. Lane thread.
 *
 * A burst of one neighbour is checked in one call before anything else is believed of it. Then frame by frame: for this
 * node, or by the rules of forward.h to one next hop. Frames that lie back to back and go the same way leave as one
 * train from where they were received.
 */
#include "relay.h"

#include "ecn.h"
#include "link.h"
#include "own.h"
#include "relay-limit.h"
#include "via.h"

#include <errno.h>

#define CE_BITS ((uint8_t)(ELA_ECN_CE << ELA_FLAG_ECN_SHIFT))
#define SENDER_AT (ELA_HOP_HEAD + 8u) /* sender's node ID of a relayed HANDSHAKE */

/* Relayed frames of one neighbour as they came. */
struct incoming {
	struct ela_session *link;
	const struct ela_forward *forward;
	enum ela_forward_kind role; /* the neighbour's */
	uint8_t ecn;                /* of the outer header */
	uint32_t n;
	uint8_t *frames[ELA_BURST];
	uint32_t lens[ELA_BURST];
	int verdicts[ELA_BURST];
};

/* What goes on together. */
struct batch {
	struct ela_tx *hop;
	uint8_t *data;
	uint32_t len, segment, n;
	bool closed; /* the last one was shorter */
};

/* ---- out ---- */

static bool seal_hops(struct ela_lane *lane, struct ela_session *s, uint8_t *data, uint32_t len, uint32_t segment)
{
	uint8_t *frames[ELA_HOP_BURST];
	uint32_t lens[ELA_HOP_BURST], at = 0;
	bool due = false, ok = true;

	while (ok && at < len) {
		uint32_t n = 0;

		for (; at < len && n < ELA_HOP_BURST; at += segment) {
			frames[n] = data + at;
			lens[n++] = MIN(segment, len - at);
		}
		ok = ela_hop_seal(s, lane->number, frames, lens, n, &due);
	}
	if (due || !ok)
		ela_peer_event(s->peer, ELA_PEER_REKEY);
	atomic_store_explicit(&s->lanes[lane->number].tx_ns, lane->now_ns, memory_order_relaxed);
	return ok;
}

bool ela_relay_seal(struct ela_lane *lane, struct ela_session *s, uint8_t *data, uint32_t len, uint32_t segment)
{
	if (seal_hops(lane, s, data, len, segment))
		return true;
	ELA_COUNT(lane, DROP_EXHAUSTED, (len + segment - 1) / segment);
	return false;
}

void ela_relay_count(struct ela_lane *lane, uint32_t n, uint32_t len, bool own)
{
	ela_stat_add(&lane->stats, own ? ELA_STAT_FRAMES_OUT : ELA_STAT_RELAYED, n);
	ela_stat_add(&lane->stats, own ? ELA_STAT_BYTES_OUT : ELA_STAT_RELAYED_BYTES, len);
}

/* The train did not go: relayed ones do not wait, their sender hears of it as of any loss. */
static void count_unsent(struct ela_lane *lane, const struct ela_tx *hop, int err, uint32_t n)
{
	if (err == -EADDRNOTAVAIL && hop->path.local.family != ELA_ADDR_NONE)
		ela_peer_event(hop->session->peer, ELA_PEER_LOCAL_GONE);
	ela_stat_add(&lane->stats,
		err == -EAGAIN     ? ELA_STAT_DROP_BUSY
		: err == -EMSGSIZE ? ELA_STAT_DROP_TOO_BIG
						   : ELA_STAT_DROP_SEND,
		n);
}

static void send_batch(struct ela_lane *lane, struct batch *b)
{
	struct ela_tx *hop = b->hop;
	uint8_t ecn = b->n ? (uint8_t)(b->data[3] >> ELA_FLAG_ECN_SHIFT) : 0;
	const struct ela_send send = {
		.data = b->data, .len = b->len, .segment = b->segment, .path = b->n ? &hop->path : NULL, .ecn = ecn};
	int err = 0;

	if (b->n == 0)
		return;
	if (hop->link) {
		ela_link_relay(lane, hop->link, b->data, b->len, b->segment, false);
	} else if (ela_relay_seal(lane, hop->session, b->data, b->len, b->segment)) {
		if (ela_lane_send(lane, hop->transport, &send, 1, &err) == 1) {
			ELA_COUNT(lane, SENDS, 1);
			ela_relay_count(lane, b->n, b->len, false);
		} else {
			count_unsent(lane, hop, err, b->n);
		}
	}
	*b = (struct batch){0};
}

/* One more frame of the batch, or the first of the next. */
static void add(struct ela_lane *lane, struct batch *b, struct ela_tx *hop, uint8_t *frame, uint32_t len)
{
	bool fits = b->n && !b->closed && b->hop == hop && frame == b->data + b->len && len <= b->segment &&
				b->n < hop->max_segments && b->len + len <= hop->max_train &&
				(frame[3] & CE_BITS) == (b->data[3] & CE_BITS);

	if (!fits) {
		send_batch(lane, b);
		*b = (struct batch){.hop = hop, .data = frame, .segment = len};
	}
	b->len += len;
	b->n++;
	b->closed = len < b->segment;
}

/* ---- on ---- */

/* May a handshake of that sender pass? */
static bool handshake_ok(struct ela_lane *lane, const struct incoming *in, const uint8_t *frame)
{
	uint32_t sender = ela_get32(frame + SENDER_AT);

	if (in->role == ELA_FORWARD_CHILD && sender != in->link->peer->id) {
		ELA_COUNT(lane, DROP_FORWARD_SENDER, 1);
		return false;
	}
	if (!ela_relay_limits_take(lane->node->relay_limits, in->role, sender, lane->now_ns)) {
		ELA_COUNT(lane, DROP_FORWARD_RATE, 1);
		return false;
	}
	return true;
}

/* Where the frame goes on; NULL: counted. */
static struct ela_tx *next_hop(struct ela_lane *lane, const struct incoming *in, const uint8_t *frame)
{
	const struct ela_forward_entry *to = ela_forward_find(in->forward, ela_header_destination(frame));
	struct ela_tx *tx;

	if (!to) {
		ELA_COUNT(lane, DROP_FORWARD_UNKNOWN, 1);
		return NULL;
	}
	if (!ela_forward_allowed(in->role, to->kind) || to->peer == in->link->peer) {
		ELA_COUNT(lane, DROP_FORWARD_RULE, 1);
		return NULL;
	}
	if (frame[2] == 1) {
		ELA_COUNT(lane, DROP_TTL, 1);
		return NULL;
	}
	if (frame[1] == ELA_TYPE_HANDSHAKE && !handshake_ok(lane, in, frame))
		return NULL;
	tx = atomic_load_explicit(&to->peer->tx, memory_order_acquire);
	if (!tx || tx->via || lane->now_ns >= tx->session->dead_ns ||
		atomic_load_explicit(&lane->node->suspended, memory_order_relaxed)) {
		ELA_COUNT(lane, DROP_FORWARD_DOWN, 1);
		ela_lane_want(lane, to->peer);
		return NULL;
	}
	return tx;
}

static void pass_on(struct ela_lane *lane, const struct incoming *in, struct batch *b, uint8_t *frame, uint32_t len)
{
	struct ela_tx *tx = next_hop(lane, in, frame);

	if (!tx)
		return;
	frame[2]--;
	/* Congestion that this hop saw; the end applies RFC 6040. Other types carry no packet that could hear of it. */
	if (in->ecn == ELA_ECN_CE && frame[1] == ELA_TYPE_EPACKET)
		frame[3] |= CE_BITS;
	add(lane, b, tx, frame, len);
}

/* ---- in ---- */

/* What can be said before any key is asked. False: counted. */
static bool shape_ok(struct ela_lane *lane, const uint8_t *frame, uint32_t len)
{
	if (!ela_header_ok(frame, len)) {
		ELA_COUNT(lane, DROP_HEADER, 1);
		return false;
	}
	if (!ela_header_ttl_ok(frame)) {
		ELA_COUNT(lane, DROP_TTL, 1);
		return false;
	}
	if (frame[1] != ELA_TYPE_EPACKET && frame[1] != ELA_TYPE_MESSAGE && frame[1] != ELA_TYPE_HANDSHAKE) {
		ELA_COUNT(lane, DROP_TYPE, 1);
		return false;
	}
	if (len < ELA_HOP_MIN) {
		ELA_COUNT(lane, DROP_SHORT, 1);
		return false;
	}
	return true;
}

/* Gathers frames of one hop index from the start of the train; how many bytes were looked at. */
static uint32_t gather(struct ela_lane *lane, struct incoming *in, uint8_t *data, uint32_t len, uint32_t segment)
{
	uint32_t index = 0, at = 0;

	for (; at < len && in->n < ELA_BURST; at += segment) {
		uint8_t *frame = data + at;
		uint32_t size = MIN(segment, len - at);

		if (!ela_frame_is_relayed(frame, size))
			break;
		if (!shape_ok(lane, frame, size))
			continue;
		if (in->n && ela_hop_index(frame) != index)
			break;
		index = ela_hop_index(frame);
		in->frames[in->n] = frame;
		in->lens[in->n++] = size;
	}
	return MIN(at, len);
}

/* True when the neighbour sent at least one of them. */
static bool check(struct ela_lane *lane, struct incoming *in, const struct ela_path *path)
{
	bool good = false;

	in->link = ela_index_find(lane->node, ela_hop_index(in->frames[0]));
	if (!in->link || lane->now_ns >= in->link->dead_ns) {
		ELA_COUNT(lane, DROP_HOP_INDEX, in->n);
		return false;
	}
	ela_hop_check(in->link, in->frames, in->lens, in->n, in->verdicts);
	for (uint32_t i = 0; i < in->n; i++) {
		good |= in->verdicts[i] == 0;
		if (in->verdicts[i] != 0)
			ela_stat_add(
				&lane->stats, in->verdicts[i] == -EALREADY ? ELA_STAT_DROP_HOP_REPLAY : ELA_STAT_DROP_HOP_TAG, 1);
	}
	if (good)
		ela_lane_heard(lane, in->link, path, 0);
	return good;
}

uint32_t ela_relay_take(struct ela_lane *lane, uint8_t *data, uint32_t len, uint32_t segment,
	const struct ela_path *path, uint8_t ecn, struct ela_relay_run *ret)
{
	struct incoming in = {.ecn = ecn};
	struct batch batch = {0};
	uint32_t taken = gather(lane, &in, data, len, segment);

	ret->n = 0;
	if (in.n == 0 || !check(lane, &in, path))
		return taken;
	ret->path = ela_via_path(in.link->peer->number, 0);
	in.forward = atomic_load_explicit(&lane->node->forward, memory_order_acquire);
	in.role = ela_forward_role(in.forward, in.link->peer);
	for (uint32_t i = 0; i < in.n; i++) {
		if (in.verdicts[i] != 0)
			continue;
		if (ela_header_destination(in.frames[i]) != lane->own->id) {
			pass_on(lane, &in, &batch, in.frames[i], in.lens[i]);
			continue;
		}
		ret->frames[ret->n] = ela_hop_strip(in.frames[i]);
		ret->lens[ret->n++] = in.lens[i] - ELA_HOP_LEN;
	}
	send_batch(lane, &batch);
	return taken;
}
