/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-relay: core/relay.c in one node (lone.h) that relays between two children, two cores and a neighbour that is
 * neither: every rule and refusal with its counter and only that one, no changed bit and no repeated frame passed on,
 * random trains against a naive model of what must leave.
 */
#include "cipher-fixture.h"
#include "lane.h"
#include "lone.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST 2u /* the neighbours: child, child, core, core, neither */
#define N 5u
#define OWN(k) (0x01020300u + (k))
#define FAR(k) (0xa1a2a300u + (k))
#define BEHIND 0x5eed0001u /* an edge behind core 5 */
#define LEN 100u
#define MAX_SENT 512u

static const enum ela_forward_kind roles[N] = {
	ELA_FORWARD_CHILD, ELA_FORWARD_CHILD, ELA_FORWARD_CORE, ELA_FORWARD_CORE, ELA_FORWARD_NONE};

struct sent {
	uint32_t to, len;
	uint8_t bytes[1500];
};

static struct bench {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	struct ela_session *far[N]; /* the neighbours' ends */
	struct sent sent[MAX_SENT];
	uint32_t n_sent;
	uint64_t counts[ELA_N_STATS];
	uint64_t random;
} * b;

static uint64_t rnd(uint64_t below)
{
	return test_random(&b->random) % below;
}

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct sent *s = &b->sent[b->n_sent++];

	(void)l;
	ck_assert(b->n_sent <= MAX_SENT && len <= sizeof s->bytes);
	s->to = path->remote.ip[3];
	s->len = len;
	memcpy(s->bytes, bytes, len);
}

static uint32_t id_of(uint32_t k)
{
	return lone_peer(b->l, k)->id;
}

static void note_counts(void)
{
	for (uint32_t i = 0; i < ELA_N_STATS; i++)
		b->counts[i] = lone_counter(b->l, ela_stat_name(i));
	b->n_sent = 0;
}

/* The drops since note_counts() are n of this one and no other. */
static void drops(const char *name, uint64_t n, const char *what)
{
	for (uint32_t i = 0; i < ELA_N_STATS; i++) {
		uint64_t got = lone_counter(b->l, ela_stat_name(i)) - b->counts[i];

		if (strncmp(ela_stat_name(i), "drop-", 5) == 0)
			ck_assert_msg(got == (name && strcmp(name, ela_stat_name(i)) == 0 ? n : 0), "%s: %s is %u", what,
				ela_stat_name(i), (unsigned)got);
	}
}

static void setup_with(const struct ela_plugin *cipher)
{
	struct lone_spec spec = {.cipher = cipher, .number = 1, .knows = (const uint8_t[]){2, 3, 4, 5, 6, 0}};

	b = calloc(1, sizeof *b);
	ck_assert_ptr_nonnull(b);
	b->random = 1;
	b->world = lone_world_new(&spec, 1);
	b->loop = ela_loop_virtual_new(1);
	b->l = lone_new(b->world, 0, b->loop);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t k = FIRST + i;

		(void)lone_session(b->l, k, OWN(k), FAR(k), 3, (uint8_t)(50 + 2 * i));
		b->far[i] = lone_far_end(b->l, k, OWN(k), FAR(k), 3, (uint8_t)(50 + 2 * i));
		if (roles[i] != ELA_FORWARD_NONE)
			ck_assert_int_eq(ela_forward_set(b->l->node, id_of(k), lone_peer(b->l, k), roles[i]), 0);
	}
	ck_assert_int_eq(ela_forward_set(b->l->node, BEHIND, lone_peer(b->l, 5), ELA_FORWARD_CORE), 0);
	lone_look(b->l);
	b->l->on_send = on_send;
	note_counts();
}

static void setup(void)
{
	setup_with(test_plugin_load(CIPHER_AEAD));
}

static void teardown(void)
{
	for (uint32_t i = 0; i < N; i++)
		ela_session_free(b->far[i]);
	lone_free(b->l);
	ela_loop_free(b->loop);
	lone_world_free(b->world);
	free(b);
}

/* A frame that neighbour k relays to an ID: len bytes in all, whose inside is random. */
static void make(uint32_t k, uint8_t type, uint8_t flags, uint8_t ttl, uint32_t to, uint32_t len, uint8_t *out)
{
	uint8_t *frames[] = {out};
	bool due = false;

	for (uint32_t i = 0; i < len; i++)
		out[i] = (uint8_t)rnd(256);
	ela_header_put(out, type, (uint8_t)(flags | ELA_FLAG_HOP), to);
	out[2] = ttl;
	if (type == ELA_TYPE_HANDSHAKE)
		ela_put32(out + ELA_HOP_HEAD + 8, id_of(k));
	ck_assert(ela_hop_seal(b->far[k - FIRST], (uint32_t)rnd(3), frames, &len, 1, &due));
}

static void receive(uint32_t k, const uint8_t *bytes, uint32_t len, uint32_t segment, uint8_t ecn)
{
	const struct ela_path path = lone_path(k);

	lone_receive(b->l, &path, bytes, len, len, segment, ecn);
}

/* The sent frame is the received one for neighbour k: TTL one less, hop fields good and its own, all else the same. */
static void passed_on(const struct sent *s, uint32_t k, const uint8_t *frame, uint32_t len, uint8_t flags)
{
	uint8_t copy[1500], *frames[] = {copy};
	int verdict = 1;

	ck_assert_uint_eq(s->to, k);
	ck_assert_uint_eq(s->len, len);
	ck_assert_mem_eq(s->bytes, frame, 2);
	ck_assert_uint_eq(s->bytes[2], frame[2] - 1u);
	ck_assert_uint_eq(s->bytes[3], flags);
	ck_assert_mem_eq(s->bytes + 4, frame + 4, 4);
	ck_assert_mem_eq(s->bytes + ELA_HOP_HEAD, frame + ELA_HOP_HEAD, len - ELA_HOP_HEAD);
	ck_assert_uint_eq(ela_hop_index(s->bytes), FAR(k));
	memcpy(copy, s->bytes, len);
	ela_hop_check(b->far[k - FIRST], frames, &len, 1, &verdict);
	ck_assert_int_eq(verdict, 0);
}

/* ---- rules ---- */

/* Every neighbour to every neighbour and to the edge behind a core. */
START_TEST(roles_table)
{
	for (uint32_t from = FIRST; from < FIRST + N; from++)
		for (uint32_t to = FIRST; to <= FIRST + N; to++) {
			bool behind = to == FIRST + N, known = behind || roles[to - FIRST] != ELA_FORWARD_NONE;
			enum ela_forward_kind a = roles[from - FIRST],
								  z = behind ? ELA_FORWARD_CORE : roles[to % (FIRST + N) - FIRST];
			uint32_t next = behind ? 5 : to;
			bool pass = next != from && ((a == ELA_FORWARD_CHILD && z != ELA_FORWARD_NONE) ||
											(a == ELA_FORWARD_CORE && z == ELA_FORWARD_CHILD));
			uint8_t frame[LEN];
			char what[64];

			(void)snprintf(what, sizeof what, "%u to %u", from, to);
			make(from, ELA_TYPE_EPACKET, ELA_FLAG_CSUM, 3, behind ? BEHIND : id_of(to), LEN, frame);
			note_counts();
			receive(from, frame, LEN, LEN, 0);
			drops(pass ? NULL : known ? "drop-forward-rule" : "drop-forward-unknown", 1, what);
			ck_assert_msg(b->n_sent == pass, "%s: %u left", what, b->n_sent);
			if (pass)
				passed_on(&b->sent[0], next, frame, LEN, ELA_FLAG_CSUM | ELA_FLAG_HOP);
			ck_assert_uint_eq(lone_counter(b->l, "relayed") - b->counts[ELA_STAT_RELAYED], pass);
			ck_assert_uint_eq(lone_counter(b->l, "relayed-bytes") - b->counts[ELA_STAT_RELAYED_BYTES], pass ? LEN : 0);
		}
}
END_TEST

START_TEST(ttl)
{
	for (uint32_t v = 0; v < 256; v++) {
		uint8_t frame[LEN];
		bool pass = v == 2 || v == 3;

		make(2, ELA_TYPE_MESSAGE, 0, (uint8_t)v, id_of(3), LEN, frame);
		note_counts();
		receive(2, frame, LEN, LEN, 0);
		drops(pass ? NULL : "drop-ttl", 1, "a TTL");
		ck_assert_uint_eq(b->n_sent, pass);
	}
}
END_TEST

START_TEST(shapes)
{
	uint8_t frame[LEN];

	for (uint32_t v = 0; v < 256; v++) { /* types */
		make(2, (uint8_t)v, 0, 3, id_of(3), LEN, frame);
		note_counts();
		receive(2, frame, LEN, LEN, 0);
		drops(v >= 1 && v <= 3 ? NULL : "drop-type", 1, "a type");
	}
	for (uint32_t len = ELA_HEADER_LEN; len < ELA_HOP_MIN + 4; len++) {
		bool whole = len >= ELA_HOP_MIN;

		make(2, ELA_TYPE_EPACKET, 0, 3, id_of(3), ELA_HOP_MIN + 4, frame);
		if (whole)
			make(2, ELA_TYPE_EPACKET, 0, 3, id_of(3), len, frame);
		note_counts();
		receive(2, frame, len, len, 0);
		drops(whole ? NULL : "drop-short", 1, "a short one");
		ck_assert_uint_eq(b->n_sent, whole);
	}
	make(2, ELA_TYPE_EPACKET, 0, 3, 0, LEN, frame); /* "you, my neighbour" is never relayed */
	note_counts();
	receive(2, frame, LEN, LEN, 0);
	drops("drop-forward-unknown", 1, "destination 0");
	ela_put32(frame + 8, OWN(2) + ELA_INDEX_SLOTS);
	note_counts();
	receive(2, frame, LEN, LEN, 0);
	drops("drop-hop-index", 1, "a strange index");
}
END_TEST

/* A direct frame for another node stays where it is, whoever it is for. */
START_TEST(direct_for_others)
{
	uint8_t frame[LEN];

	for (uint32_t to = FIRST; to < FIRST + N; to++) {
		make(2, ELA_TYPE_EPACKET, 0, 3, id_of(to), LEN, frame);
		frame[3] = 0;
		note_counts();
		receive(2, frame, LEN, LEN, 0);
		drops("drop-destination", 1, "a direct one");
		ck_assert_uint_eq(b->n_sent, 0);
	}
}
END_TEST

/* Every bit of the frame but those of the payload, which only the end can judge; then once as it was, and no more. */
START_TEST(every_bit)
{
	uint8_t frame[LEN], other[LEN];

	make(2, ELA_TYPE_EPACKET, 0, 3, id_of(3), LEN, frame);
	for (uint32_t bit = 0; bit < 8 * LEN; bit++) {
		uint32_t byte = bit / 8;

		if (byte >= ELA_HOP_HEAD + 12 && byte < LEN - ELA_TAG_LEN)
			continue;
		memcpy(other, frame, LEN);
		other[byte] ^= (uint8_t)(1u << bit % 8);
		b->n_sent = 0;
		receive(2, other, LEN, LEN, 0);
		ck_assert_msg(b->n_sent == 0, "byte %u bit %u passed", byte, bit % 8);
	}
	note_counts();
	receive(2, frame, LEN, LEN, 0);
	drops(NULL, 0, "as it was");
	ck_assert_uint_eq(b->n_sent, 1);
	for (uint32_t n = 0; n < 3; n++) {
		note_counts();
		receive(2, frame, LEN, LEN, 0);
		drops("drop-hop-replay", 1, "again");
		ck_assert_uint_eq(b->n_sent, 0);
	}
	receive(4, frame, LEN, LEN, 0); /* from elsewhere it is the same */
	ck_assert_uint_eq(b->n_sent, 0);
}
END_TEST

/* ---- handshakes ---- */

START_TEST(handshake_sender)
{
	uint8_t frame[200], *frames[] = {frame};
	uint32_t len = sizeof frame;
	bool due = false;

	for (uint32_t from = 2; from < 6; from++)
		for (uint32_t named = 2; named < 7; named++) {
			bool child = roles[from - FIRST] == ELA_FORWARD_CHILD, pass = !child || named == from;

			make(from, ELA_TYPE_HANDSHAKE, 0, 3, id_of(from == 3 ? 2 : 3), len, frame);
			ela_put32(frame + ELA_HOP_HEAD + 8, id_of(named));
			ck_assert(ela_hop_seal(b->far[from - FIRST], 0, frames, &len, 1, &due));
			note_counts();
			receive(from, frame, len, len, 0);
			drops(pass ? NULL : "drop-forward-sender", 1, "a sender");
			ck_assert_uint_eq(b->n_sent, pass);
		}
}
END_TEST

START_TEST(handshake_rate)
{
	uint8_t frame[200];

	for (uint32_t k = 2; k < 5; k += 2) { /* a child, a core */
		uint32_t burst = k == 2 ? 64 : 16, rate = k == 2 ? 20 : 5;

		for (uint32_t second = 0; second < 3; second++) {
			note_counts();
			for (uint32_t n = 0; n < 100; n++) {
				make(k, ELA_TYPE_HANDSHAKE, 0, 3, id_of(3), sizeof frame, frame);
				receive(k, frame, sizeof frame, sizeof frame, 0);
			}
			ck_assert_uint_eq(b->n_sent, second ? rate : burst);
			drops("drop-forward-rate", 100 - b->n_sent, "a flood");
			note_counts(); /* packets do not mind */
			make(k, ELA_TYPE_EPACKET, 0, 3, id_of(3), sizeof frame, frame);
			receive(k, frame, sizeof frame, sizeof frame, 0);
			ck_assert_uint_eq(b->n_sent, 1);
			lone_pass(b->loop, ELA_SEC);
		}
	}
}
END_TEST

/* ---- the rest of the way ---- */

START_TEST(congestion)
{
	for (uint8_t type = 1; type <= 3; type++)
		for (uint8_t outer = 0; outer < 4; outer++)
			for (uint8_t inner = 0; inner < 4; inner++) {
				uint8_t frame[LEN], want = outer == 3 && type == ELA_TYPE_EPACKET ? 3 : inner;

				make(2, type, (uint8_t)(inner << ELA_FLAG_ECN_SHIFT), 3, id_of(3), LEN, frame);
				note_counts();
				receive(2, frame, LEN, LEN, outer);
				if (type != ELA_TYPE_EPACKET && inner) {
					drops("drop-header", 1, "bits that only packets have");
					continue;
				}
				ck_assert_uint_eq(b->n_sent, 1);
				passed_on(&b->sent[0], 3, frame, LEN, (uint8_t)(want << ELA_FLAG_ECN_SHIFT | ELA_FLAG_HOP));
			}
}
END_TEST

START_TEST(no_way)
{
	static const struct {
		int err;
		const char *drop;
	} rows[] = {{-EAGAIN, "drop-busy"}, {-EMSGSIZE, "drop-too-big"}, {-ENETUNREACH, "drop-send"}};
	uint8_t frame[LEN];

	for (uint32_t i = 0; i < 3; i++) {
		make(2, ELA_TYPE_EPACKET, 0, 3, id_of(3), LEN, frame);
		note_counts();
		b->l->send_err = rows[i].err;
		receive(2, frame, LEN, LEN, 0);
		b->l->send_err = 0;
		drops(rows[i].drop, 1, "not sent");
	}
	ela_peer_publish(lone_peer(b->l, 3), NULL, NULL);
	make(2, ELA_TYPE_EPACKET, 0, 3, id_of(3), LEN, frame);
	note_counts();
	receive(2, frame, LEN, LEN, 0);
	drops("drop-forward-down", 1, "no session");
}
END_TEST

/* The neighbour's session is past its end: nobody speaks for it any more. */
START_TEST(old_link)
{
	uint8_t frame[LEN];

	make(2, ELA_TYPE_EPACKET, 0, 3, id_of(3), LEN, frame);
	b->l->on_send = NULL;
	for (uint32_t i = 0; i < N; i++)
		ela_initiator_cancel(lone_peer(b->l, FIRST + i));
	ela_index_find(b->l->node, OWN(2))->dead_ns = ela_loop_now(b->loop);
	note_counts();
	receive(2, frame, LEN, LEN, 0);
	drops("drop-hop-index", 1, "an old one");
}
END_TEST

/* As many sends as runs of frames that lie side by side, go to one place with one ECN, up to the transport's limit. */
static uint64_t runs(const uint8_t *train, uint32_t segment, const uint32_t *order, const uint32_t *next, uint32_t n)
{
	uint64_t sends = 0;
	uint32_t in_run = 0;

	for (uint32_t i = 0; i < n; i++) {
		bool goes_on = i && order[i] == order[i - 1] + 1 && next[i] == next[i - 1] && in_run < b->l->max_segments &&
					   train[order[i] * segment + 3] == train[order[i - 1] * segment + 3];

		in_run = goes_on ? in_run + 1 : 1;
		sends += !goes_on;
	}
	return sends;
}

/* Trains of good, forged and forbidden frames to several ends: what leaves is what a loop over the frames says, in
 * order. */
START_TEST(trains)
{
	static uint8_t train[60 * 1400];

	b->random = (uint64_t)_i * 977 + 5;
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t n = 1 + (uint32_t)rnd(30), segment = ELA_HOP_MIN + (uint32_t)rnd(round % 2 ? 30 : 1300), want = 0;
		uint32_t last = ELA_HOP_MIN + (uint32_t)rnd(segment - ELA_HOP_MIN + 1), order[30], next[30];
		uint8_t from = (uint8_t)(2 + rnd(3)), ecn;

		for (uint32_t i = 0; i < n; i++) {
			uint32_t to = 2 + (uint32_t)rnd(5), len = i == n - 1 ? last : segment;
			uint8_t *frame = train + i * segment;
			bool forged = rnd(8) == 0, back = to == from;

			ecn = (uint8_t)(rnd(6) ? 0 : rnd(4));
			make(from, ELA_TYPE_EPACKET, (uint8_t)(ecn << ELA_FLAG_ECN_SHIFT), (uint8_t)(1 + rnd(3)), id_of(to), len,
				frame);
			if (forged)
				frame[20 + rnd(16)] ^= 1;
			if (!forged && !back && frame[2] > 1 && ela_forward_allowed(roles[from - FIRST], roles[to - FIRST])) {
				order[want] = i;
				next[want++] = to;
			}
		}
		note_counts();
		receive(from, train, (n - 1) * segment + last, segment, 0);
		ck_assert_uint_eq(b->n_sent, want);
		ck_assert_uint_eq(
			lone_counter(b->l, "sends") - b->counts[ELA_STAT_SENDS], runs(train, segment, order, next, want));
		for (uint32_t i = 0; i < want; i++)
			passed_on(&b->sent[i], next[i], train + order[i] * segment, order[i] == n - 1 ? last : segment,
				train[order[i] * segment + 3]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relay");
	TCase *tc = tcase_create("relay");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, roles_table);
	tcase_add_test(tc, ttl);
	tcase_add_test(tc, shapes);
	tcase_add_test(tc, direct_for_others);
	tcase_add_test(tc, every_bit);
	tcase_add_test(tc, handshake_sender);
	tcase_add_test(tc, handshake_rate);
	tcase_add_test(tc, congestion);
	tcase_add_test(tc, no_way);
	tcase_add_test(tc, old_link);
	tcase_add_loop_test(tc, trains, 0, 6);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
