/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-pull: core/pull.c between nodes (wire.h): objects of all sizes over good and bad networks, sources that have
 * nothing, lie about the size, send other bytes, or never answer. ELA_TEST_SEED repeats a run. One thread.
 */
#include "dialogue-priv.h"
#include "peer.h"
#include "pull.h"
#include "test-host.h"
#include "wire.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST 524288u

/* What a node has to hand out: an object under a hash, which need not be the right one. */
struct store {
	uint8_t hash[ELA_HASH_LEN];
	uint8_t *bytes;
	uint32_t len, n_asked;
	bool has;
};

static struct wire *w;
static struct store stores[WIRE_NODES + 1];
static struct {
	uint32_t n, len;
	int err;
	uint8_t *bytes;
} got;
static uint32_t most_outstanding;

static bool hand_out(void *data, const struct ela_peer *peer, enum ela_pull_kind kind, const uint8_t hash[ELA_HASH_LEN],
	const uint8_t **ret_bytes, uint32_t *ret_len)
{
	struct store *store = data;

	(void)peer, (void)kind;
	store->n_asked++;
	if (!store->has || memcmp(hash, store->hash, ELA_HASH_LEN) != 0)
		return false;
	*ret_bytes = store->bytes;
	*ret_len = store->len;
	return true;
}

static bool watch(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	const struct ela_talk *talk = wire_peer(wire, 1, to == 1 ? from : to)->talk;

	(void)len;
	if (talk && talk->n_asks > most_outstanding)
		most_outstanding = talk->n_asks;
	return true;
}

static void setup(void)
{
	const char *text = g_getenv("ELA_TEST_SEED");
	uint32_t seed = text ? (uint32_t)strtoul(text, NULL, 0) : g_random_int();

	printf("ELA_TEST_SEED=%u\n", seed);
	w = wire_new(test_plugin_load(CIPHER_AEAD), seed);
	w->passes = watch;
	memset(stores, 0, sizeof stores);
	memset(&got, 0, sizeof got);
	most_outstanding = 0;
	for (uint32_t i = 1; i <= WIRE_NODES; i++)
		ela_pull_serve(w->nodes[i]->node, hand_out, &stores[i]);
}

static void teardown(void)
{
	wire_free(w);
	for (uint32_t i = 1; i <= WIRE_NODES; i++)
		g_free(stores[i].bytes);
	g_free(got.bytes);
}

static void fill(uint32_t node, uint32_t len)
{
	struct store *store = &stores[node];

	g_free(store->bytes);
	store->bytes = g_malloc(len + 1);
	store->len = len;
	store->has = true;
	for (uint32_t i = 0; i < len; i++)
		store->bytes[i] = (uint8_t)g_rand_int(w->rng);
	ck_assert_int_eq(ela_sha256(&(const struct ela_bytes){store->bytes, len}, 1, store->hash), 0);
}

static void done(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	(void)data;
	got.n++;
	got.err = err;
	got.len = len;
	g_free(got.bytes);
	got.bytes = bytes ? g_memdup2(bytes, len) : NULL;
	ck_assert((bytes != NULL) == (err == 0));
}

static uint32_t number(uint32_t k)
{
	return wire_peer(w, 1, k)->number;
}

/* Node 1 pulls what node of has, from two and then three. */
static uint64_t pull(enum ela_pull_kind kind, uint32_t of)
{
	const uint32_t peers[] = {number(2), number(3)};

	return ela_pull(w->nodes[1]->node, kind, stores[of].hash, peers, 2, done, NULL);
}

static void is_that_of(uint32_t node)
{
	ck_assert_uint_eq(got.n, 1);
	ck_assert_int_eq(got.err, 0);
	ck_assert_uint_eq(got.len, stores[node].len);
	ck_assert_mem_eq(got.bytes, stores[node].bytes, got.len);
}

static void nothing_is_left(void)
{
	ck_assert_uint_eq(g_queue_get_length(&w->nodes[1]->node->dialogue->asks), 0);
}

START_TEST(all_sizes)
{
	static const uint32_t sizes[] = {1, 2, 8191, 8192, 8193, 16384, 100000, LARGEST - 1, LARGEST};

	fill(2, sizes[_i]);
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 2), 0);
	wire_run(w, 3 * ELA_SEC);
	is_that_of(2);
	ck_assert_uint_eq(stores[2].n_asked, (sizes[_i] + 8191) / 8192);
	ck_assert_uint_eq(stores[3].n_asked, 0);
	ck_assert_uint_le(most_outstanding, 4);
	ck_assert(sizes[_i] < 100000 || most_outstanding == 4);
	nothing_is_left();
}
END_TEST

START_TEST(over_a_bad_network)
{
	w->loss = 5;
	w->twice = 10;
	w->late = 30;
	fill(2, 200000);
	stores[3] = stores[2];
	stores[3].bytes = g_memdup2(stores[2].bytes, stores[2].len);
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 2), 0);
	wire_run(w, 60 * ELA_SEC);
	is_that_of(2);
}
END_TEST

/* The kinds' own limits: what is larger is not even fetched. */
START_TEST(no_more_than_its_kind_may_have)
{
	for (enum ela_pull_kind kind = 0; kind < ELA_N_PULL_KINDS; kind++) {
		uint32_t max = kind == ELA_PULL_LIST ? LARGEST : kind == ELA_PULL_ENROLMENTS ? 8192 : 4096;

		ck_assert_uint_eq(ela_pull_max(kind), max);
		for (uint32_t over = 0; over < 2; over++) {
			got.n = 0;
			fill(2, max + over);
			ck_assert_uint_ne(pull(kind, 2), 0);
			wire_run(w, 3 * ELA_SEC);
			ck_assert_uint_eq(got.n, 1);
			/* a list that is too large cannot even be offered; the other source has nothing */
			ck_assert_int_eq(got.err, over ? -ENOENT : 0);
			wire_run(w, ELA_SEC); /* its rate */
		}
		ck_assert_uint_eq(stores[2].n_asked, kind == ELA_PULL_LIST ? 65 : 2);
		stores[2].n_asked = 0;
	}
}
END_TEST

START_TEST(the_next_source)
{
	fill(3, 50000);
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 3), 0); /* two has nothing */
	wire_run(w, 3 * ELA_SEC);
	is_that_of(3);
	ck_assert_uint_eq(stores[2].n_asked, 1);

	/* two has other bytes under that hash */
	fill(2, 50000);
	memcpy(stores[2].hash, stores[3].hash, ELA_HASH_LEN);
	got.n = 0;
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 3), 0);
	wire_run(w, 3 * ELA_SEC);
	is_that_of(3);

	/* two is too large, then too small */
	for (uint32_t i = 0; i < 2; i++) {
		fill(2, i ? 1 : 60000);
		memcpy(stores[2].hash, stores[3].hash, ELA_HASH_LEN);
		got.n = 0;
		ck_assert_uint_ne(pull(ELA_PULL_LIST, 3), 0);
		wire_run(w, 3 * ELA_SEC);
		is_that_of(3);
	}
	nothing_is_left();
}
END_TEST

/* A source that says something else each time. */
static int64_t lie_total, lie_offset;
static uint32_t lie_len, lie_after, n_lies;

static void lie(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	static const uint8_t zeros[ELA_MESSAGE_PIECE_MAX];
	struct ela_message *reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);
	bool lies = n_lies++ >= lie_after;
	int64_t offset = 0;

	(void)peer;
	(void)ela_message_number(request, ELA_FIELD_OFFSET, &offset); /* it is there */
	ela_message_put_number(reply, ELA_FIELD_TOTAL, lies ? lie_total : 50000);
	ela_message_put_number(reply, ELA_FIELD_OFFSET, lies ? lie_offset : offset);
	ela_message_put_bytes(reply, ELA_FIELD_PIECE, zeros, lies ? lie_len : (uint32_t)MIN(8192, 50000 - offset));
	ela_dialogue_answer(data, ticket, reply);
}

START_TEST(sources_that_lie)
{
	static const struct {
		int64_t total, offset;
		uint32_t len, after;
	} cases[] = {
		{50000, 8192, 8192, 0},         /* another piece */
		{50000, 0, 8191, 0},            /* a shorter one */
		{50000, 0, 1, 0}, {1, 0, 2, 0}, /* more than there is */
		{40000, 0, 8192, 1},            /* another size, later */
		{50001, 8192, 8192, 2}, {524288, 8192, 8192, 3}, {1, 0, 1, 1}, {50000, 49152, 8192, 6}, /* beyond the end */
	};

	fill(3, 50000);
	ela_dialogue_handle(w->nodes[2]->node, ELA_PURPOSE_OBJECT_PULL, lie, w->nodes[2]->node);
	for (uint32_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		lie_total = cases[i].total;
		lie_offset = cases[i].offset;
		lie_len = cases[i].len;
		lie_after = cases[i].after;
		n_lies = 0;
		got.n = 0;
		ck_assert_uint_ne(pull(ELA_PULL_LIST, 3), 0);
		wire_run(w, 3 * ELA_SEC);
		is_that_of(3);
		nothing_is_left();
	}
}
END_TEST

static bool silent_2(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire, (void)to, (void)len;
	return from != 2;
}

START_TEST(nobody_has_it)
{
	fill(1, 100); /* node 1 itself, which is not asked */
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 1), 0);
	wire_run(w, 3 * ELA_SEC);
	ck_assert_uint_eq(got.n, 1);
	ck_assert_int_eq(got.err, -ENOENT);

	got.n = 0;
	fill(3, 9000);
	w->passes = silent_2;
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 3), 0);
	wire_run(w, 9 * ELA_SEC);
	ck_assert_uint_eq(got.n, 0);
	wire_run(w, 3 * ELA_SEC); /* ten seconds for the first */
	is_that_of(3);
}
END_TEST

START_TEST(so_many_and_no_more)
{
	const uint32_t stranger = 999;
	uint64_t tickets[ELA_PULLS];

	fill(2, 100000);
	ck_assert_uint_eq(ela_pull(w->nodes[1]->node, ELA_PULL_LIST, stores[2].hash, &stranger, 1, done, NULL), 0);
	ck_assert_uint_eq(ela_pull(w->nodes[1]->node, ELA_PULL_LIST, stores[2].hash, NULL, 0, done, NULL), 0);
	for (uint32_t i = 0; i < ELA_PULLS; i++)
		ck_assert_uint_ne(tickets[i] = pull(ELA_PULL_LIST, 2), 0);
	ck_assert_uint_eq(pull(ELA_PULL_LIST, 2), 0);
	wire_run(w, 20 * ELA_MSEC); /* all in the middle of it */
	for (uint32_t i = 1; i < ELA_PULLS; i++)
		ela_pull_cancel(w->nodes[1]->node, tickets[i]);
	ela_pull_cancel(w->nodes[1]->node, tickets[1]);
	ela_pull_cancel(w->nodes[1]->node, 0);
	wire_run(w, 5 * ELA_SEC);
	is_that_of(2);
	nothing_is_left();
}
END_TEST

/* In the middle of it the source is removed; then the node goes. */
START_TEST(ends_in_the_middle)
{
	fill(2, 400000);
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 2), 0);
	wire_run(w, 25 * ELA_MSEC);
	ck_assert_uint_eq(got.n, 0);
	ela_dialogue_forget(wire_peer(w, 1, 2));
	wire_run(w, ELA_SEC);
	ck_assert_uint_eq(got.n, 1);
	ck_assert_int_eq(got.err, -ENOENT); /* what three said */

	got.n = 0;
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 2), 0);
	wire_run(w, 25 * ELA_MSEC);
	lone_free(w->nodes[1]);
	w->nodes[1] = NULL;
	ck_assert_uint_eq(got.n, 0);
}
END_TEST

/* What it is told begins the next. */
static void again(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	uint32_t *left = data;
	const uint32_t peer = number(2);

	done(NULL, err, bytes, len);
	if ((*left)-- > 0)
		ck_assert_uint_ne(ela_pull(w->nodes[1]->node, ELA_PULL_LIST, stores[2].hash, &peer, 1, again, data), 0);
}

START_TEST(one_after_the_other)
{
	uint32_t left = 3;
	const uint32_t peer = number(2);

	fill(2, 10000);
	ck_assert_uint_ne(ela_pull(w->nodes[1]->node, ELA_PULL_LIST, stores[2].hash, &peer, 1, again, &left), 0);
	wire_run(w, 3 * ELA_SEC);
	ck_assert_uint_eq(got.n, 4);
	ck_assert_int_eq(got.err, 0);
}
END_TEST

START_TEST(nothing_is_handed_out)
{
	ela_pull_serve(w->nodes[2]->node, NULL, NULL);
	fill(2, 10);
	ck_assert_uint_ne(pull(ELA_PULL_LIST, 2), 0);
	wire_run(w, 3 * ELA_SEC);
	ck_assert_int_eq(got.err, -ENOENT);
	ck_assert_uint_eq(got.n, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pull");
	TCase *tcase = tcase_create("pull");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, all_sizes, 0, 9);
	tcase_add_test(tcase, over_a_bad_network);
	tcase_add_test(tcase, no_more_than_its_kind_may_have);
	tcase_add_test(tcase, the_next_source);
	tcase_add_test(tcase, sources_that_lie);
	tcase_add_test(tcase, nobody_has_it);
	tcase_add_test(tcase, so_many_and_no_more);
	tcase_add_test(tcase, ends_in_the_middle);
	tcase_add_test(tcase, one_after_the_other);
	tcase_add_test(tcase, nothing_is_handed_out);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
