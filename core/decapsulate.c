/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decapsulate: from the peers to the device (thesis 5.2.2; ela_recv of 5.2.4). Lane thread.
 *
 * A train is walked once: consecutive frames of equal receiver index form a run = one lock, one replay check, one open
 * call in place; what opened is checked against its sender's addresses and handed to the coalescer; one device write
 * per superpacket. Everything here comes from the network and is hostile until its tag was good, and after that still
 * may lie.
 */
#include "ecn.h"
#include "lane.h"
#include "own.h"
#include "relay.h"
#include "via.h"

#include <errno.h>

struct run {
	struct ela_session *session;
	const struct ela_path *path;
	uint8_t ecn; /* of the outer header */
	uint32_t n;
	uint64_t counters[ELA_BURST];
	struct ela_cipher_op ops[ELA_BURST];
};

/* ---- to the device ---- */

static void write_single(void *data, const struct ela_packet *pkt)
{
	struct ela_lane *lane = data;
	int err;

	if (lane->node->npd->loaded->npd.write_burst(lane->node->npd->self, lane->number, pkt, 1, &err) == 1) {
		ELA_COUNT(lane, DEVICE_PACKETS_OUT, 1);
		ELA_COUNT(lane, DEVICE_BYTES_OUT, pkt->len_total);
	} else {
		ELA_COUNT(lane, DROP_DEVICE, 1);
	}
}

static void count_written(struct ela_lane *lane, const struct ela_packet *pkts, uint32_t n)
{
	uint64_t bytes = 0, joined = 0;

	for (uint32_t i = 0; i < n; i++) {
		bytes += pkts[i].len_total;
		joined += pkts[i].gso_type != ELA_GSO_NONE;
	}
	ELA_COUNT(lane, DEVICE_PACKETS_OUT, n);
	ELA_COUNT(lane, DEVICE_BYTES_OUT, bytes);
	ELA_COUNT(lane, SUPERPACKETS_JOINED, joined);
}

void ela_decapsulate_flush(struct ela_lane *lane)
{
	const struct ela_npd_ops *npd = &lane->node->npd->loaded->npd;
	void *self = lane->node->npd->self;
	const struct ela_packet *pkts;
	uint32_t n = ela_coalesce_flush(lane->coalesce, &pkts);
	uint32_t done = 0;

	while (done < n) {
		int err = 0;
		int k = npd->write_burst(self, lane->number, pkts + done, n - done, &err);

		count_written(lane, pkts + done, k > 0 ? (uint32_t)k : 0);
		done += k > 0 ? (uint32_t)k : 0;
		if (done == n)
			break;
		if (err == -EAGAIN) {
			ELA_COUNT(lane, DROP_DEVICE, n - done);
			break;
		}
		if (err == -EOPNOTSUPP) {
			ela_coalesce_caps(lane->coalesce, npd->caps(self));
			ela_coalesce_singly(&pkts[done], lane->scratch, 65536, write_single, lane);
		} else {
			ELA_COUNT(lane, DROP_DEVICE, 1);
		}
		done++;
	}
	ela_coalesce_reset(lane->coalesce);
	if (n)
		lane->device.ready = true; /* what the write made the kernel send is there already: no wake-up needed */
}

/* ---- what was inside ---- */

static bool source_ok(struct ela_lane *lane, const uint8_t *ip, const struct ela_peer *peer)
{
	struct ela_fib *sources = atomic_load_explicit(&lane->node->sources, memory_order_acquire);

	return (ip[0] >> 4 == 4 ? ela_fib_lookup4(sources, ip + 12) : ela_fib_lookup6(sources, ip + 8)) == peer;
}

/* An opened packet. frame: its header, for flags and ECN. */
static void deliver(struct ela_lane *lane, const struct run *run, struct ela_packet *pkt, const uint8_t *frame)
{
	uint8_t ecn = (uint8_t)(frame[3] >> ELA_FLAG_ECN_SHIFT);
	bool partial = (frame[3] & ELA_FLAG_CSUM) != 0;
	struct ela_packet_class cls;

	if (ela_packet_classify(pkt, &cls) != 0 || (partial && !cls.plain) || ela_packet_is_long_udp(pkt, &cls)) {
		ELA_COUNT(lane, DROP_INNER, 1);
		return;
	}
	if (!source_ok(lane, pkt->data, run->session->peer)) {
		ELA_COUNT(lane, DROP_SOURCE, 1);
		return;
	}
	/* The header repeats the packet's bits, and a path may only raise them to CE. */
	if (__builtin_expect(ecn != cls.ecn && ecn != ELA_ECN_CE, 0)) {
		ELA_COUNT(lane, DROP_ECN, 1);
		return;
	}
	/* RFC 6040: what the path marked reaches the inner packet. */
	if (__builtin_expect(ecn == ELA_ECN_CE || run->ecn == ELA_ECN_CE, 0) && !ela_ecn_mark(pkt->data)) {
		ELA_COUNT(lane, DROP_ECN, 1);
		return;
	}
	for (int tries = 0; tries < 2; tries++) {
		if (pkt->gso_type != ELA_GSO_NONE ? ela_coalesce_add_super(lane->coalesce, pkt)
										  : ela_coalesce_add(lane->coalesce, pkt->data, pkt->len, partial))
			return;
		ela_decapsulate_flush(lane); /* full */
	}
}

/* ---- opening ---- */

/*
 * Newest frame of the run from another place than we send to: control will challenge it. What was relayed moves
 * nothing: a session may be reached over several ways at once. Called with the lock held.
 */
static bool note_path(struct run *run, bool newest)
{
	struct ela_session *s = run->session;
	struct ela_tx *tx = atomic_load_explicit(&s->peer->tx, memory_order_acquire);

	if (!newest || !tx || tx->session != s || run->path->link || tx->pinned || ela_path_is_via(run->path) ||
		(memcmp(&tx->path.remote, &run->path->remote, sizeof tx->path.remote) == 0 &&
			tx->path.transport == run->path->transport))
		return false;
	s->candidate = *run->path;
	return true;
}

/* Replay pre-check, open, commit; leaves the verdict of each op. True when something opened. */
static bool open_locked(struct ela_lane *lane, struct run *run, bool *ret_moved)
{
	struct ela_session *s = run->session;
	uint32_t kept = 0, opened = 0;
	bool newest = false;

	for (uint32_t i = 0; i < run->n; i++) {
		struct ela_replay *w = &s->windows[run->counters[i] >> ELA_LANE_SHIFT];

		if (!ela_replay_check(w, run->counters[i] & ELA_SEQUENCE_MASK)) {
			ELA_COUNT(lane, DROP_REPLAY, 1);
			continue;
		}
		if (kept != i) {
			run->ops[kept] = run->ops[i];
			run->counters[kept] = run->counters[i];
		}
		kept++;
	}
	run->n = kept;
	if (kept == 0)
		return false;
	(void)s->cipher->open(s->open_key, run->ops, kept); /* each op's verdict is looked at */
	for (uint32_t i = 0; i < kept; i++) {
		struct ela_replay *w = &s->windows[run->counters[i] >> ELA_LANE_SHIFT];
		uint64_t sequence = run->counters[i] & ELA_SEQUENCE_MASK;

		if (run->ops[i].verdict != 0)
			continue;
		newest |= sequence >= w->head;
		if (!ela_replay_commit(w, sequence)) {
			run->ops[i].verdict = -EALREADY; /* twice within this run */
			continue;
		}
		opened++;
		s->rx_bytes += run->ops[i].ret_len;
	}
	s->rx_frames += opened;
	*ret_moved = opened && note_path(run, newest);
	return opened != 0;
}

/* True when the op opened; counts otherwise. */
static bool verdict_ok(struct ela_lane *lane, const struct ela_cipher_op *op)
{
	if (__builtin_expect(op->verdict == 0, 1))
		return true;
	ela_stat_add(&lane->stats, op->verdict == -EALREADY ? ELA_STAT_DROP_REPLAY : ELA_STAT_DROP_TAG, 1);
	return false;
}

/* Opens the run; true when something did and the packets may be taken. */
static bool open_run(struct ela_lane *lane, struct run *run)
{
	bool moved = false, opened;

	if (run->n == 0)
		return false;
	(void)pthread_mutex_lock(&run->session->lock); /* a default mutex cannot fail */
	opened = open_locked(lane, run, &moved);
	(void)pthread_mutex_unlock(&run->session->lock);
	if (opened)
		ela_lane_heard(lane, run->session, run->path, moved ? ELA_PEER_CANDIDATE : 0);
	return opened;
}

static void finish_run(struct ela_lane *lane, struct run *run)
{
	uint64_t frames = 0, bytes = 0;

	(void)open_run(lane, run); /* without one opened, the verdicts below say why */
	for (uint32_t i = 0; i < run->n; i++) {
		const struct ela_cipher_op *op = &run->ops[i];
		struct ela_packet pkt = {.data = op->dst, .len = op->ret_len, .len_total = op->ret_len};

		if (!verdict_ok(lane, op))
			continue;
		if (op->ret_len == 0 && (op->dst - ELA_FRAME_HEAD)[3] >> ELA_FLAG_ECN_SHIFT != 0) {
			ELA_COUNT(lane, DROP_ECN, 1); /* there is no packet that these bits could be of */
			continue;
		}
		frames++;
		bytes += ELA_FRAME_HEAD + op->len;
		if (op->ret_len) /* an empty one only says: here I am */
			deliver(lane, run, &pkt, op->dst - ELA_FRAME_HEAD);
	}
	ELA_COUNT(lane, FRAMES_IN, frames);
	ELA_COUNT(lane, BYTES_IN, bytes);
	run->n = 0;
}

/* Checks what is clear and finds the session; NULL: counted or passed to control. */
static struct ela_session *check_frame(struct ela_lane *lane, uint8_t *frame, uint32_t len, const struct ela_path *path)
{
	struct ela_session *s;
	uint32_t destination;

	if (!ela_header_ok(frame, len)) {
		ELA_COUNT(lane, DROP_HEADER, 1);
		return NULL;
	}
	if (!ela_header_ttl_ok(frame)) {
		ELA_COUNT(lane, DROP_TTL, 1);
		return NULL;
	}
	destination = ela_header_destination(frame);
	if ((frame[3] & ELA_FLAG_HOP) != 0 || (destination != lane->own->id && destination != 0)) {
		ELA_COUNT(lane, DROP_DESTINATION, 1);
		return NULL;
	}
	if (frame[1] == ELA_TYPE_HANDSHAKE) {
		ela_lane_to_control(lane, path, frame, len);
		return NULL;
	}
	if (frame[1] != ELA_TYPE_EPACKET && frame[1] != ELA_TYPE_MESSAGE) {
		/* Over a session's connection or through a neighbour a probe shows nothing. */
		if (frame[1] == ELA_TYPE_PROBE && !path->link && !ela_path_is_via(path))
			ela_lane_to_control(lane, path, frame, len);
		else
			ELA_COUNT(lane, DROP_TYPE, 1);
		return NULL;
	}
	if (len < ELA_FRAME_MIN) {
		ELA_COUNT(lane, DROP_SHORT, 1);
		return NULL;
	}
	s = ela_index_find(lane->node, ela_frame_index(frame));
	if (s && frame[1] == ELA_TYPE_MESSAGE) { /* without a session it would only cost control's time */
		ela_lane_to_control(lane, path, frame, len);
		return NULL;
	}
	if (!s || ela_frame_counter(frame) >> ELA_LANE_SHIFT >= s->with.remote_lanes || lane->now_ns >= s->dead_ns) {
		ELA_COUNT(lane, DROP_INDEX, 1);
		return NULL;
	}
	return s;
}

static void add_to_run(struct run *run, uint8_t *frame, uint32_t len)
{
	struct ela_cipher_op *op = &run->ops[run->n];

	run->counters[run->n++] = ela_frame_counter(frame);
	op->src = op->dst = frame + ELA_FRAME_HEAD;
	op->len = len - ELA_FRAME_HEAD;
	ela_frame_nonce(frame, run->session->recv_iv, op->nonce);
}

static inline void take_frame(struct ela_lane *lane, struct run *run, uint8_t *frame, uint32_t len)
{
	struct ela_session *s = check_frame(lane, frame, len, run->path);

	if (!s)
		return; /* ends only itself */
	if (s != run->session || run->n == ELA_BURST) {
		finish_run(lane, run);
		run->session = s;
	}
	add_to_run(run, frame, len);
}

/*
 * Relayed frames at the start of a train: those for this node are runs of their own. How many bytes that was. Not
 * inlined: direct frames should not pay for its stack.
 */
__attribute__((noinline)) static uint32_t take_relayed(
	struct ela_lane *lane, struct run *run, uint8_t *data, uint32_t len, uint32_t segment)
{
	const struct ela_path *path = run->path;
	struct ela_relay_run relayed;
	uint32_t taken = ela_relay_take(lane, data, len, segment, path, run->ecn, &relayed);

	finish_run(lane, run); /* in the order of arrival */
	run->path = &relayed.path;
	run->session = NULL;
	for (uint32_t i = 0; i < relayed.n; i++)
		take_frame(lane, run, relayed.frames[i], relayed.lens[i]);
	finish_run(lane, run);
	run->path = path;
	run->session = NULL;
	return taken;
}

void ela_decapsulate_train(
	struct ela_lane *lane, uint8_t *data, uint32_t len, uint32_t segment, const struct ela_path *path, uint8_t ecn)
{
	uint32_t at = 0;
	struct run run;

	run.session = NULL;
	run.path = path;
	run.ecn = ecn;
	run.n = 0;
	while (at < len) {
		uint32_t size = len - at < segment ? len - at : segment;

		if (__builtin_expect(ela_frame_is_relayed(data + at, size), 0)) {
			at += take_relayed(lane, &run, data + at, len - at, segment);
			continue;
		}
		take_frame(lane, &run, data + at, size);
		at += size;
	}
	finish_run(lane, &run);
}

void ela_decapsulate_super(struct ela_lane *lane, uint8_t *data, uint32_t len, const struct ela_path *path)
{
	struct ela_session *s = check_frame(lane, data, len, path);
	struct ela_packet pkt = {0};
	const uint8_t *plain;
	struct run run;

	if (!s)
		return;
	run.session = s;
	run.path = path;
	run.ecn = 0;
	run.n = 0;
	add_to_run(&run, data, len);
	(void)open_run(lane, &run); /* the verdict below says why not */
	if (run.n == 0 || !verdict_ok(lane, &run.ops[0]))
		return;
	ELA_COUNT(lane, FRAMES_IN, 1);
	ELA_COUNT(lane, BYTES_IN, len);
	plain = run.ops[0].dst;
	if (run.ops[0].ret_len <= ELA_SUPER_HEAD || plain[3] != 0 || plain[2] > ELA_GSO_UDP6) {
		ELA_COUNT(lane, DROP_INNER, 1);
		return;
	}
	pkt.gso_size = ela_get16(plain);
	pkt.gso_type = plain[2];
	pkt.data = run.ops[0].dst + ELA_SUPER_HEAD;
	pkt.len = pkt.len_total = run.ops[0].ret_len - ELA_SUPER_HEAD;
	deliver(lane, &run, &pkt, data);
}

static void take_train(struct ela_lane *lane, const struct ela_source *source, struct ela_train *train)
{
	struct ela_path path = {.remote = train->remote, .local = train->local, .transport = source->transport->number};

	if (train->segment == 0)
		return;
	ela_decapsulate_train(lane, train->data, train->len, train->segment, &path, train->ecn);
	ela_decapsulate_flush(lane); /* a chain never spans two trains */
}

bool ela_decapsulate_turn(struct ela_lane *lane, struct ela_source *source)
{
	struct ela_transport *t = source->transport;
	uint32_t longest = 0;
	int err = 0;
	int n = t->ops->read_burst(t->self, lane->number, lane->trains, MIN(lane->want_trains, t->burst), &err);

	if (n <= 0) {
		source->ready = false;
		return false;
	}
	for (int i = 0; i < n; i++) {
		if (lane->trains[i].len > longest)
			longest = lane->trains[i].len;
		if (lane->trains[i].len)
			take_train(lane, source, &lane->trains[i]);
	}
	ELA_COUNT(lane, TRAINS_IN, (uint64_t)n);
	/* After a long train the next is likely long too: two buffers stay in the cache, thirty-two do not. */
	lane->want_trains = longest > 16384 ? 2 : ELA_TRAINS;
	return true;
}
