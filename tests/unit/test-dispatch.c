/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-dispatch: core/decapsulate.c in one node (lone.h) with a real cipher: every reason to drop a frame has its
 * counter and only that one, no changed bit and no repeated frame gets through, trains keep their order, what the
 * device refuses is counted.
 */
#include "lane.h"
#include "lone.h"
#include "naive.h"
#include "own.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN 0x01020304u /* receiver index of the node's session */
#define FAR 0xa1a2a3a4u
#define MAX_WRITTEN 256

struct bench {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	struct ela_session *far_end; /* of peer 2, three lanes */
	struct ela_path path;
	uint64_t sequence;
	uint32_t counts[ELA_N_STATS]; /* when last looked */
	/* what the device was given */
	uint32_t n_written;
	uint32_t lens[MAX_WRITTEN];
	uint8_t written[MAX_WRITTEN][1600];
	uint8_t gso_type;
	/* what it says: refuse[k] to the k-th packet */
	int refuse[8];
	uint32_t n_asked;
};

static struct bench *bench;

static int on_write(struct lone *l, const struct ela_packet *pkt)
{
	static uint8_t buf[65536];
	struct bench *b = l->data;
	int err = b->n_asked < 8 ? b->refuse[b->n_asked] : 0;
	uint32_t len;

	b->n_asked++;
	if (err)
		return err;
	len = lone_gather(pkt, buf);
	ck_assert_uint_lt(b->n_written, MAX_WRITTEN);
	b->lens[b->n_written] = len;
	memcpy(b->written[b->n_written++], buf, len < 1600 ? len : 1600);
	b->gso_type = pkt->gso_type;
	return 0;
}

static void setup(void)
{
	struct lone_spec spec = {.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 3, 0}};

	bench = calloc(1, sizeof *bench);
	ck_assert_ptr_nonnull(bench);
	bench->world = lone_world_new(&spec, 1);
	bench->loop = ela_loop_virtual_new(1);
	bench->l = lone_new(bench->world, 0, bench->loop);
	bench->l->data = bench;
	bench->l->on_write = on_write;
	bench->path = lone_path(2);
	(void)lone_session(bench->l, 2, OWN, FAR, 3, 50);
	bench->far_end = lone_far_end(bench->l, 2, OWN, FAR, 3, 50);
	lone_look(bench->l);
}

static void teardown(void)
{
	ela_session_free(bench->far_end);
	lone_free(bench->l);
	ela_loop_free(bench->loop);
	lone_world_free(bench->world);
	free(bench);
}

/* ---- packets and frames ---- */

/* UDP from 10.88.0.source with len payload bytes; its length. */
static uint32_t udp(uint8_t *out, uint8_t source, uint8_t tos, uint32_t len)
{
	static uint8_t payload[1400];
	struct naive_packet p = {.version = 4,
		.proto = 17,
		.tos = tos,
		.ttl = 64,
		.source = {10, 88, 0, source},
		.destination = {10, 88, 0, 1},
		.source_port = 1000,
		.destination_port = 2000,
		.payload = payload,
		.payload_len = len};

	return naive_build(out, &p);
}

static uint32_t tcp(uint8_t *out, uint32_t seq, uint32_t len)
{
	static uint8_t payload[1400];
	struct naive_packet p = {.version = 4,
		.proto = 6,
		.ttl = 64,
		.source = {10, 88, 0, 2},
		.destination = {10, 88, 0, 1},
		.source_port = 1000,
		.destination_port = 2000,
		.seq = seq,
		.ack = 7,
		.flags = NAIVE_ACK,
		.window = 500,
		.fragment = 0x4000,
		.payload = payload,
		.payload_len = len};

	return naive_build(out, &p);
}

/* A good frame of a UDP packet of len payload bytes; its length. */
static uint32_t good(uint8_t *out, uint32_t len)
{
	uint8_t packet[1500];

	return lone_seal(bench->far_end, 0, bench->sequence++, 0, packet, udp(packet, 2, 0, len), out);
}

/* A good frame of nothing: a keepalive. */
static uint32_t empty(uint8_t *out)
{
	return lone_seal(bench->far_end, 0, bench->sequence++, 0, (const uint8_t *)"", 0, out);
}

static void receive(const uint8_t *bytes, uint32_t len)
{
	lone_receive(bench->l, &bench->path, bytes, len, len, len, 0);
}

/* ---- counters ---- */

static void note_counts(void)
{
	for (uint32_t i = 0; i < ELA_N_STATS; i++)
		bench->counts[i] = (uint32_t)lone_counter(bench->l, ela_stat_name(i));
	bench->n_written = 0;
}

/* Since note_counts(): the named drop counter grew by n, no other did, and so many packets were written. */
static void expect(const char *drop, uint32_t n, uint32_t written, const char *what)
{
	for (uint32_t i = 0; i < ELA_N_STATS; i++) {
		const char *name = ela_stat_name(i);
		uint32_t more = (uint32_t)lone_counter(bench->l, name) - bench->counts[i],
				 want = drop && strcmp(name, drop) == 0 ? n : 0;

		ck_assert_msg(
			strncmp(name, "drop-", 5) != 0 || more == want, "%s: %s grew by %u, wanted %u", what, name, more, want);
	}
	ck_assert_msg(bench->n_written == written, "%s: %u packets written, wanted %u", what, bench->n_written, written);
	note_counts();
}

/* ---- reasons ---- */

START_TEST(good_ones)
{
	uint8_t frame[1600];

	note_counts();
	for (uint32_t len = 0; len < 1000; len += 111) {
		receive(frame, good(frame, len));
		expect(NULL, 0, 1, "a good frame");
		ck_assert_uint_eq(bench->lens[0], 28 + len);
	}
	ela_put32(frame, 0);
	(void)good(frame, 10);
	ela_put32(frame + 4, 0); /* "you, my neighbour" */
	receive(frame, 36 + 38);
	expect(NULL, 0, 1, "destination 0");
	for (uint32_t lane = 0; lane < 3; lane++) { /* each lane counts for itself */
		receive(frame, lone_seal(bench->far_end, lane, 5000, 0, frame + 200, udp(frame + 200, 2, 0, 10), frame));
		expect(NULL, 0, 1, "a lane");
	}
	receive(frame, empty(frame));
	expect(NULL, 0, 0, "an empty one");
	ck_assert_uint_eq(lone_counter(bench->l, "frames-in"), 15);
}
END_TEST

/* Byte at of a good frame set to value: dropped for the reason. */
static void with_byte(uint32_t at, uint32_t value, const char *drop)
{
	uint8_t frame[1600];
	uint32_t len = good(frame, 50);
	char what[64];

	frame[at] = (uint8_t)value;
	(void)snprintf(what, sizeof what, "byte %u = %u", at, value);
	receive(frame, len);
	expect(drop, drop != NULL, drop ? 0 : 1, what);
}

START_TEST(clear_bytes)
{
	note_counts();
	for (uint32_t v = 0; v < 256; v++) {
		bool zero = (v & ELA_FLAG_ZERO) == 0, hop = (v & ELA_FLAG_HOP) != 0;

		if (v != 1)
			with_byte(0, v, "drop-header");
		if (v == 0 || v > 3)
			with_byte(1, v, v == ELA_TYPE_PROBE ? "drop-probe-unasked" : "drop-type");
		with_byte(2, v, v != 3 ? "drop-ttl" : NULL);
		if ((v & ELA_FLAG_CSUM) == 0 && v >> 6 != 3)
			with_byte(3, v, !zero ? "drop-header" : hop ? "drop-hop-tag" : v >> 6 ? "drop-ecn" : NULL);
	}
	with_byte(3, ELA_FLAG_CSUM, "drop-tag");
	for (uint32_t at = 4; at < 8; at++)
		for (uint32_t bit = 0; bit < 8; bit++) {
			uint8_t frame[64];

			(void)good(frame, 0);
			with_byte(at, frame[at] ^ 1u << bit, "drop-destination");
			with_byte(at + 4, frame[at + 4] ^ 1u << bit, "drop-index");
		}
	for (uint32_t lane = 3; lane < 256; lane++)
		with_byte(12, lane, "drop-index"); /* it has three */
}
END_TEST

START_TEST(lengths)
{
	uint8_t frame[1600];
	uint32_t len = good(frame, 50);

	note_counts();
	for (uint32_t cut = 1; cut < len; cut++) {
		receive(frame, cut);
		expect(cut < 8 ? "drop-header" : cut < 36 ? "drop-short" : "drop-tag", 1, 0, "a cut one");
	}
	receive(frame, len);
	expect(NULL, 0, 1, "the whole one");
}
END_TEST

/* An index that falls into the same slot is not the same. */
START_TEST(index_slot)
{
	uint8_t frame[1600];
	uint32_t len = good(frame, 50);

	note_counts();
	for (uint32_t i = 1; i < 100; i++) {
		ela_put32(frame + 8, OWN + i * ELA_INDEX_SLOTS);
		receive(frame, len);
		expect("drop-index", 1, 0, "the same slot");
	}
}
END_TEST

START_TEST(dead_session)
{
	uint8_t frame[1600];
	struct ela_session *s = lone_peer(bench->l, 2)->current;
	uint32_t len = good(frame, 50);

	note_counts();
	s->dead_ns = ela_loop_now(bench->loop);
	receive(frame, len);
	expect("drop-index", 1, 0, "after its time");
	s->dead_ns++;
	receive(frame, len);
	expect(NULL, 0, 1, "before");
}
END_TEST

/* What is inside: plain[0..len) sealed with flags and sent with ecn outside. */
static void inside(const uint8_t *plain, uint32_t len, uint8_t flags, uint8_t ecn, const char *drop, const char *what)
{
	uint8_t frame[1700];
	uint32_t frame_len = lone_seal(bench->far_end, 0, bench->sequence++, flags, plain, len, frame);

	lone_receive(bench->l, &bench->path, frame, frame_len, frame_len, frame_len, ecn);
	expect(drop, drop != NULL, drop ? 0 : 1, what);
}

START_TEST(inner_packets)
{
	uint8_t packet[1600];
	uint32_t len = udp(packet, 2, 0, 40);

	note_counts();
	inside(packet, len, 0, 0, NULL, "a packet");
	for (uint32_t cut = 1; cut < len; cut++)
		inside(packet, cut, 0, 0, "drop-inner", "a cut packet");
	inside(packet, len + 1, 0, 0, "drop-inner", "a byte behind");
	packet[0] = 0x55;
	inside(packet, len, 0, 0, "drop-inner", "IP version 5");
	inside(packet, udp(packet, 3, 0, 40), 0, 0, "drop-source", "the address of another peer");
	inside(packet, udp(packet, 1, 0, 40), 0, 0, "drop-source", "our own address");
	inside(packet, udp(packet, 77, 0, 40), 0, 0, "drop-source", "nobody's address");
	len = udp(packet, 2, 0, 40);
	inside(packet, len, ELA_FLAG_CSUM, 0, NULL, "a partial checksum");
	packet[6] = 0x20; /* a fragment has none to finish */
	inside(packet, len, ELA_FLAG_CSUM, 0, "drop-inner", "a fragment with CSUM");
	len = udp(packet, 2, 0, 40);
	packet[9] = 1;
	inside(packet, len, ELA_FLAG_CSUM, 0, "drop-inner", "ICMP with CSUM");
}
END_TEST

/* RFC 6040: congestion on the way reaches the packet, or the packet does not arrive. */
START_TEST(congestion)
{
	uint8_t packet[1600];

	note_counts();
	for (uint8_t inner = 0; inner < 4; inner++)
		for (uint8_t outer = 0; outer < 4; outer++)
			for (uint8_t relay = 0; relay < 4; relay++) {
				bool ce = outer == 3 || relay == 3, bad = (ce && inner == 0) || (relay != inner && relay != 3);
				uint8_t flags = (uint8_t)(relay << ELA_FLAG_ECN_SHIFT);

				inside(packet, udp(packet, 2, inner, 40), flags, outer, bad ? "drop-ecn" : NULL, "ECN");
				if (bad)
					continue;
				ck_assert_uint_eq(bench->written[0][1] & 3, ce ? 3 : inner);
				ck_assert(naive_ip_sum_good(bench->written[0]));
			}
}
END_TEST

/* ---- forgery and repetition ---- */

/* One bit of a frame at a time, each of a frame of its own: nothing is written, whichever it is. */
static void flip_each(uint32_t payload)
{
	uint8_t frame[1600];
	uint32_t len = payload ? good(frame, payload) : empty(frame), opened = 0;

	note_counts();
	for (uint32_t bit = 0; bit < 8 * len; bit++) {
		uint32_t byte = bit / 8, drops = 0;
		bool is_ecn = byte == 3 && bit % 8 >= 6; /* compared with the packet once that is open */

		len = payload ? good(frame, payload) : empty(frame);
		frame[byte] ^= (uint8_t)(1u << bit % 8);
		receive(frame, len);
		for (uint32_t i = 0; i < ELA_N_STATS; i++)
			if (strncmp(ela_stat_name(i), "drop-", 5) == 0)
				drops += (uint32_t)lone_counter(bench->l, ela_stat_name(i)) - bench->counts[i];
		ck_assert_msg(drops == 1, "byte %u bit %u: %u drops", byte, bit % 8, drops);
		ck_assert_msg(bench->n_written == 0, "byte %u bit %u", byte, bit % 8);
		opened += is_ecn;
		frame[byte] ^= (uint8_t)(1u << bit % 8); /* as it was it is good, and good once */
		note_counts();
		receive(frame, len);
		expect(is_ecn ? "drop-replay" : NULL, 1, !is_ecn && payload, "the same frame unharmed");
	}
	ck_assert_uint_eq(opened, 2);
}

START_TEST(every_bit)
{
	flip_each(20);
	flip_each(0);
}
END_TEST

/* A capture played back from a thousand ports. */
START_TEST(replayed_capture)
{
	static uint8_t frames[100][128];
	uint32_t lens[100];

	for (uint32_t i = 0; i < 100; i++) {
		lens[i] = good(frames[i], i % 50);
		receive(frames[i], lens[i]);
	}
	note_counts();
	for (uint32_t port = 1; port <= 1000; port++) {
		bench->path.remote.port = (uint16_t)port;
		for (uint32_t i = 0; i < 100; i++)
			receive(frames[i], lens[i]);
	}
	expect("drop-replay", 100000, 0, "the capture");
	ck_assert_uint_eq(lone_counter(bench->l, "path-challenges"), 0);
}
END_TEST

START_TEST(forged_moves_nothing)
{
	uint8_t frame[1600];
	uint32_t len;

	note_counts();
	bench->sequence = 100000;
	len = good(frame, 10);
	frame[len - 1] ^= 1;
	bench->path.remote.port = 999;
	receive(frame, len); /* far ahead, from elsewhere */
	expect("drop-tag", 1, 0, "forged");
	bench->sequence = 0;
	bench->path = lone_path(2);
	receive(frame, good(frame, 10));
	expect(NULL, 0, 1, "an old number after a forged new one");
	ck_assert_uint_eq(lone_counter(bench->l, "path-challenges"), 0);
}
END_TEST

/* A good frame from another address: the address is challenged, not believed. */
START_TEST(another_address)
{
	uint8_t frame[1600];
	struct ela_peer *peer = lone_peer(bench->l, 2);

	receive(frame, good(frame, 10));
	bench->path.remote.port = 999;
	receive(frame, good(frame, 10));
	ck_assert_uint_eq(lone_counter(bench->l, "path-challenges"), 1);
	ck_assert_uint_eq(peer->tx_shadow->path.remote.port, 7450);
	ck_assert_uint_eq(lone_counter(bench->l, "path-changes"), 0);
	bench->path.remote.port = 998;
	bench->sequence = 0;
	receive(frame, empty(frame)); /* an old one */
	ck_assert_uint_eq(lone_counter(bench->l, "path-challenges"), 1);
}
END_TEST

/* ---- trains ---- */

/* Frames of two sessions and broken ones in one train: the good ones arrive, in their order, numbered by their ports.
 */
START_TEST(mixed_train)
{
	static uint8_t train[200 * 128];
	struct naive_rng rng = naive_seed("dispatch");
	struct ela_session *far_3;
	uint32_t sequence_3 = 0;

	(void)lone_session(bench->l, 3, OWN + 1, FAR + 1, 1, 60);
	far_3 = lone_far_end(bench->l, 3, OWN + 1, FAR + 1, 1, 60);
	lone_look(bench->l);
	for (uint32_t round = 0; round < 30; round++) {
		uint32_t n = 1 + naive_below(&rng, 150), want[150], n_want = 0;

		note_counts();
		for (uint32_t i = 0; i < n; i++) {
			uint8_t *frame = train + i * 128, packet[128] = {0};
			bool third = naive_one_in(&rng, 3);
			struct naive_packet p = {.version = 4,
				.proto = 17,
				.ttl = 64,
				.source = {10, 88, 0, third ? 3 : 2},
				.destination = {10, 88, 0, 1},
				.source_port = (uint16_t)i,
				.payload = packet,
				.payload_len = 64};
			uint8_t inner[128];
			uint32_t len = naive_build(inner, &p);

			ck_assert_uint_eq(lone_seal(third ? far_3 : bench->far_end, 0, third ? sequence_3++ : bench->sequence++, 0,
								  inner, len, frame),
				128);
			if (naive_one_in(&rng, 5))
				frame[naive_one_in(&rng, 2) ? naive_below(&rng, 2) : 127] ^= 0x80; /* header, or tag */
			else
				want[n_want++] = i;
		}
		lone_receive(bench->l, &bench->path, train, n * 128, n * 128, 128, 0);
		ck_assert_uint_eq(bench->n_written, n_want);
		for (uint32_t i = 0; i < n_want; i++)
			if (naive_get16(bench->written[i] + 20) != want[i])
				naive_fail("round %u: packet %u at place %u", round, naive_get16(bench->written[i] + 20), i);
	}
	ela_session_free(far_3);
}
END_TEST

START_TEST(twice_in_a_run)
{
	uint8_t train[4 * 128];
	uint32_t len = good(train, 64);

	ck_assert_uint_eq(len, 128);
	memcpy(train + 128, train, 128);
	(void)good(train + 256, 64);
	memcpy(train + 384, train, 128);
	note_counts();
	lone_receive(bench->l, &bench->path, train, sizeof train, sizeof train, 128, 0);
	expect("drop-replay", 2, 2, "a frame three times");
}
END_TEST

START_TEST(last_is_shorter)
{
	uint8_t train[512];

	(void)good(train, 64);
	(void)good(train + 128, 64);
	note_counts();
	lone_receive(bench->l, &bench->path, train, 256 + good(train + 256, 3), 256 + 67, 128, 0);
	expect(NULL, 0, 3, "a shorter last one");
	ck_assert_uint_eq(bench->lens[2], 31);
	(void)good(train, 64);
	lone_receive(bench->l, &bench->path, train, 128 + 5, 128 + 5, 128, 0);
	expect("drop-header", 1, 1, "a stump");
	lone_receive(bench->l, &bench->path, train, 128, 128, 0, 0);
	expect(NULL, 0, 0, "segment 0");
}
END_TEST

/* ---- to the device ---- */

/* A run of TCP segments of one flow, and one UDP packet. */
static void tcp_run(uint32_t n)
{
	static uint8_t train[64 * 600];
	uint8_t packet[600];

	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(lone_seal(bench->far_end, 0, bench->sequence++, 0, packet, tcp(packet, 1000 + i * 500, 500),
							  train + i * 576),
			576);
	lone_receive(bench->l, &bench->path, train, n * 576, n * 576, 576, 0);
}

START_TEST(joined)
{
	note_counts();
	tcp_run(10);
	expect(NULL, 0, 1, "ten segments");
	ck_assert_uint_eq(bench->lens[0], 40 + 5000);
	ck_assert_uint_eq(bench->gso_type, ELA_GSO_TCP4);
	ck_assert_uint_eq(lone_counter(bench->l, "superpackets-joined"), 1);
}
END_TEST

START_TEST(device_refuses)
{
	uint8_t train[4 * 128];

	note_counts();
	bench->refuse[0] = -EOPNOTSUPP;
	bench->l->caps = 0;
	tcp_run(10);
	expect(NULL, 0, 10, "an offload that was off");
	for (uint32_t i = 0; i < 10; i++)
		ck_assert(naive_l4_sum_good(bench->written[i], bench->lens[i]));
	tcp_run(10);
	expect(NULL, 0, 10, "and stays off");
	for (uint32_t i = 0; i < 4; i++)
		(void)good(train + i * 128, 64);
	bench->n_asked = 0;
	memset(bench->refuse, 0, sizeof bench->refuse);
	bench->refuse[1] = -EIO;
	lone_receive(bench->l, &bench->path, train, sizeof train, sizeof train, 128, 0);
	expect("drop-device", 1, 3, "one refused");
	for (uint32_t i = 0; i < 4; i++)
		(void)good(train + i * 128, 64);
	bench->n_asked = 0;
	bench->refuse[1] = -EAGAIN;
	lone_receive(bench->l, &bench->path, train, sizeof train, sizeof train, 128, 0);
	expect("drop-device", 3, 1, "full");
}
END_TEST

START_TEST(refused_singly)
{
	note_counts();
	bench->l->caps = 0;
	bench->refuse[0] = -EOPNOTSUPP;
	bench->refuse[3] = -ENOSPC;
	tcp_run(5);
	expect("drop-device", 1, 4, "one of the pieces");
}
END_TEST

/* ---- super records ---- */

/* gso_size, gso_type, zero byte and packet in one record. */
static void super(
	uint32_t gso_size, uint8_t gso_type, uint8_t zero, uint32_t payload, const char *drop, const char *what)
{
	static uint8_t plain[8192], frame[8192];
	bool is_udp = gso_type == ELA_GSO_UDP4 && gso_size < 100;
	uint32_t len = 4 + (is_udp ? udp(plain + 4, 2, 0, payload) : payload ? tcp(plain + 4, 1, payload) : 0);

	ela_put16(plain, (uint16_t)gso_size);
	plain[2] = gso_type;
	plain[3] = zero;
	len = lone_seal(bench->far_end, 0, bench->sequence++, ELA_FLAG_CSUM, plain, len, frame);
	ela_lane_begin(bench->l->node->lanes[0]);
	ela_decapsulate_super(bench->l->node->lanes[0], frame, len, &bench->path);
	ela_decapsulate_flush(bench->l->node->lanes[0]);
	expect(drop, drop != NULL, drop ? 0 : 1, what);
}

START_TEST(supers)
{
	uint8_t frame[128] = {0};

	note_counts();
	super(500, ELA_GSO_TCP4, 0, 1400, NULL, "a superpacket");
	ck_assert_uint_eq(bench->gso_type, ELA_GSO_TCP4);
	ck_assert_uint_eq(bench->lens[0], 1440);
	super(0, ELA_GSO_NONE, 0, 1400, NULL, "a single packet");
	super(500, ELA_GSO_TCP4, 1, 1400, "drop-inner", "a byte that is not zero");
	super(500, 5, 0, 1400, "drop-inner", "an unknown kind");
	super(500, 255, 0, 1400, "drop-inner", "an unknown kind");
	super(0, ELA_GSO_TCP4, 0, 1400, "drop-inner", "segments of nothing");
	super(500, ELA_GSO_TCP6, 0, 1400, "drop-inner", "the other IP version");
	super(500, ELA_GSO_UDP4, 0, 1400, "drop-inner", "another protocol");
	super(500, ELA_GSO_TCP4, 0, 0, "drop-inner", "no packet");
	super(10, ELA_GSO_UDP4, 0, 640, NULL, "as many datagrams as every kernel takes");
	super(10, ELA_GSO_UDP4, 0, 641, "drop-inner", "one more");
	bench->sequence--; /* used again */
	super(500, ELA_GSO_TCP4, 0, 1400, "drop-replay", "a repeated one");
	frame[2] = 3;
	ela_decapsulate_super(bench->l->node->lanes[0], frame, sizeof frame, &bench->path);
	expect("drop-header", 1, 0, "no frame");
	ck_assert_uint_eq(lone_seal(bench->far_end, 0, bench->sequence++, 0, frame, 60, frame), 96);
	frame[95] ^= 1;
	ela_decapsulate_super(bench->l->node->lanes[0], frame, 96, &bench->path);
	expect("drop-tag", 1, 0, "forged");
}
END_TEST

/* ---- to control ---- */

START_TEST(control_frames)
{
	static uint8_t frame[4096];
	uint32_t len;

	note_counts();
	len = ela_session_seal_control(bench->far_end, NULL, 0, frame);
	receive(frame, len);
	expect(NULL, 0, 0, "a keepalive");
	receive(frame, len);
	expect("drop-replay", 1, 0, "the same again");
	frame[len - 1] ^= 1;
	frame[19] ^= 1;
	receive(frame, len);
	expect("drop-tag", 1, 0, "forged");
	len = ela_session_seal_control(bench->far_end, "\0\0\0\0\x63\0", 6, frame);
	receive(frame, len);
	expect("drop-message", 1, 0, "an unknown operation");
	len = ela_session_seal_control(bench->far_end, "\0\0\0\0", 4, frame);
	receive(frame, len);
	expect("drop-message", 1, 0, "half a head");
	receive(frame, 30);
	expect("drop-short", 1, 0, "a cut one");
	frame[18] ^= 1; /* no repetition */
	receive(frame, 2048);
	expect("drop-tag", 1, 0, "as long as may be");
	receive(frame, 2049);
	expect("drop-oversize", 1, 0, "a byte more");
	ela_header_put(frame, ELA_TYPE_HANDSHAKE, 0, ela_own_id(bench->l->node));
	receive(frame, 200);
	expect("drop-handshake", 1, 0, "no handshake");
}
END_TEST

START_TEST(control_is_busy)
{
	static uint8_t train[300 * 40];
	uint32_t n = 300;

	for (uint32_t i = 0; i < n; i++) {
		ela_header_put(train + i * 40, ELA_TYPE_MESSAGE, 0, ela_own_id(bench->l->node));
		ela_frame_put(train + i * 40, OWN, UINT64_C(255) << ELA_LANE_SHIFT | i);
	}
	note_counts();
	lone_receive(bench->l, &bench->path, train, n * 40, n * 40, 40, 0);
	ck_assert_uint_eq(lone_counter(bench->l, "drop-control-full") - bench->counts[ELA_STAT_DROP_CONTROL_FULL], 44);
	ck_assert_uint_eq(lone_counter(bench->l, "drop-tag") - bench->counts[ELA_STAT_DROP_TAG], 256);
	for (uint32_t i = 0; i < n; i++)
		ela_frame_put(train + i * 40, OWN + 1, 0);
	note_counts();
	lone_receive(bench->l, &bench->path, train, n * 40, n * 40, 40, 0);
	expect("drop-index", n, 0, "without a session they stay down");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dispatch");
	TCase *reasons = tcase_create("reasons"), *forged = tcase_create("forged"), *trains = tcase_create("trains"),
		  *control = tcase_create("control");
	TCase *all[] = {reasons, forged, trains, control};
	SRunner *runner;
	int failed;

	for (uint32_t i = 0; i < 4; i++) {
		tcase_add_checked_fixture(all[i], setup, teardown);
		tcase_set_timeout(all[i], 120);
		suite_add_tcase(suite, all[i]);
	}
	tcase_add_test(reasons, good_ones);
	tcase_add_test(reasons, clear_bytes);
	tcase_add_test(reasons, lengths);
	tcase_add_test(reasons, index_slot);
	tcase_add_test(reasons, dead_session);
	tcase_add_test(reasons, inner_packets);
	tcase_add_test(reasons, congestion);
	tcase_add_test(forged, every_bit);
	tcase_add_test(forged, replayed_capture);
	tcase_add_test(forged, forged_moves_nothing);
	tcase_add_test(forged, another_address);
	tcase_add_test(trains, mixed_train);
	tcase_add_test(trains, twice_in_a_run);
	tcase_add_test(trains, last_is_shorter);
	tcase_add_test(trains, joined);
	tcase_add_test(trains, device_refuses);
	tcase_add_test(trains, refused_singly);
	tcase_add_test(trains, supers);
	tcase_add_test(control, control_frames);
	tcase_add_test(control, control_is_busy);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
