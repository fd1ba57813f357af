/* SPDX-License-Identifier: Apache-2.0 */
/* The replay window: a table of edges, then 20 million counters round the head against a set. */
#include "naive.h"
#include "replay.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define W ELA_REPLAY_WINDOW
#define TOP ELA_SEQUENCE_MAX
#define FRESH true
#define STALE false

struct step {
	uint64_t seq;
	bool want;
};

/* Each row starts with an empty window and commits its counters in order. */
static const struct row {
	uint32_t n;
	struct step steps[7];
} rows[] = {
	/* 1: the very first */ {1, {{0, FRESH}}},
	/* 2: twice */ {2, {{0, FRESH}, {0, STALE}}},
	/* 3: in order */ {4, {{0, FRESH}, {1, FRESH}, {2, FRESH}, {1, STALE}}},
	/* 4: backwards */ {4, {{3, FRESH}, {2, FRESH}, {1, FRESH}, {0, FRESH}}},
	/* 5: a hole filled once */ {4, {{0, FRESH}, {2, FRESH}, {1, FRESH}, {1, STALE}}},
	/* 6: last of a word, first of the next */ {4, {{63, FRESH}, {64, FRESH}, {63, STALE}, {64, STALE}}},
	/* 7: over a word's edge, backwards */ {3, {{64, FRESH}, {63, FRESH}, {64, STALE}}},
	/* 8: a first one far ahead */ {2, {{1000000, FRESH}, {1000000, STALE}}},
	/* 9: the oldest in the window */ {2, {{W, FRESH}, {1, FRESH}}},
	/* 10: one older */ {2, {{W, FRESH}, {0, STALE}}},
	/* 11: the oldest, committed before */ {3, {{1, FRESH}, {W, FRESH}, {1, STALE}}},
	/* 12: window full by one step: 0 is still in */ {2, {{W - 1, FRESH}, {0, FRESH}}},
	/* 13: 0 known when it is the oldest */ {3, {{0, FRESH}, {W - 1, FRESH}, {0, STALE}}},
	/* 14: 0 falls out, 1 stays in */ {4, {{0, FRESH}, {W - 1, FRESH}, {W, FRESH}, {1, FRESH}}},
	/* 15: same place in the ring, one turn on */ {3, {{5, FRESH}, {5 + 129 * 64, FRESH}, {5, STALE}}},
	/* 16: a turn on, the neighbour is free */ {3, {{5, FRESH}, {5 + 129 * 64, FRESH}, {6 + 128 * 64, FRESH}}},
	/* 17: a turn on, nothing is left of the old word */
	{5, {{64, FRESH}, {65, FRESH}, {66, FRESH}, {64 + 129 * 64, FRESH}, {65 + 129 * 64, FRESH}}},
	/* 18: jump of exactly a window */ {3, {{10, FRESH}, {10 + W, FRESH}, {11, FRESH}}},
	/* 19: the same, the old one is out */ {3, {{10, FRESH}, {10 + W, FRESH}, {10, STALE}}},
	/* 20: jump of a window less one keeps it */ {3, {{10, FRESH}, {9 + W, FRESH}, {10, STALE}}},
	/* 21: and what was never seen there is fresh */ {3, {{11, FRESH}, {9 + W, FRESH}, {10, FRESH}}},
	/* 22: jump over three windows: all in the new one is fresh */
	{5, {{100, FRESH}, {100 + 3 * W, FRESH}, {99 + 3 * W, FRESH}, {101 + 2 * W, FRESH}, {100 + 2 * W, STALE}}},
	/* 23: jump of many windows onto the same ring place */
	{3, {{7, FRESH}, {7 + 64 * 129 * 1000, FRESH}, {7 + 64 * 129 * 1000, STALE}}},
	/* 24: after it the place before is clear */
	{4, {{7, FRESH}, {6, FRESH}, {7 + 64 * 129 * 1000, FRESH}, {6 + 64 * 129 * 1000, FRESH}}},
	/* 25: the largest */ {2, {{TOP, FRESH}, {TOP, STALE}}},
	/* 26: one above the largest */ {1, {{TOP + 1, STALE}}},
	/* 27: all ones */ {2, {{UINT64_MAX, STALE}, {0, FRESH}}},
	/* 28: sums that would wrap */ {3, {{UINT64_MAX - W + 1, STALE}, {UINT64_MAX - W, STALE}, {0, FRESH}}},
	/* 29: the oldest below the largest */ {3, {{TOP, FRESH}, {TOP - W + 1, FRESH}, {TOP - W + 1, STALE}}},
	/* 30: one older than that */ {2, {{TOP, FRESH}, {TOP - W, STALE}}},
	/* 31: above the largest after it: the window stays */ {3, {{TOP, FRESH}, {TOP + 1, STALE}, {TOP - 1, FRESH}}},
	/* 32: from the least to the largest */ {3, {{0, FRESH}, {TOP, FRESH}, {0, STALE}}},
	/* 33: a refused one leaves no mark: same ring place is fresh */
	{4, {{W + 200, FRESH}, {100, STALE}, {100 + 129 * 64, FRESH}, {W + 200, STALE}}},
	/* 34: up to the largest step by step */ {4, {{TOP - 2, FRESH}, {TOP - 1, FRESH}, {TOP, FRESH}, {TOP - 1, STALE}}},
	/* 35: 2^32 is no edge */
	{4, {{UINT64_C(1) << 32, FRESH}, {(UINT64_C(1) << 32) - 1, FRESH}, {0, STALE}, {UINT64_C(1) << 32, STALE}}},
	/* 36: lane bits above the sequence are refused */ {2, {{UINT64_C(1) << 56 | 5, STALE}, {5, FRESH}}},
	/* 37: a far jump clears the word where the window ends, too */
	{3, {{70, FRESH}, {129 * 64 * 10 + 3, FRESH}, {129 * 64 * 9 + 70, FRESH}}},
};

START_TEST(table)
{
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ela_replay window;
		ela_replay_reset(&window);
		for (uint32_t k = 0; k < rows[i].n; k++) {
			const struct step *step = &rows[i].steps[k];
			ck_assert_msg(ela_replay_check(&window, step->seq) == step->want, "row %u, step %u: check", i + 1, k + 1);
			ck_assert_msg(ela_replay_commit(&window, step->seq) == step->want, "row %u, step %u: commit", i + 1, k + 1);
		}
	}
	printf("replay: %zu rows\n", sizeof(rows) / sizeof(rows[0]));
}
END_TEST

START_TEST(reset_forgets)
{
	struct ela_replay window;
	ela_replay_reset(&window);
	for (uint64_t seq = 0; seq < 3 * W; seq++)
		ck_assert(ela_replay_commit(&window, seq));
	ela_replay_reset(&window);
	ck_assert(ela_replay_commit(&window, 0));
	ck_assert(ela_replay_commit(&window, 3 * W - 1));
	for (uint64_t seq = 2 * W; seq < 3 * W - 1; seq++)
		ck_assert(ela_replay_commit(&window, seq));
}
END_TEST

/*
 * The set: every committed counter, at its remainder by a number far larger than any span still acceptable, with its
 * own value beside it, so that nothing else is ever taken for it.
 */
#define SET_SIZE (1u << 18)
#define HISTORY 16384u

struct model {
	uint64_t set[SET_SIZE]; /* counter + 1 */
	uint64_t head;          /* highest + 1 */
	uint64_t history[HISTORY];
	uint32_t n_history;
};

static bool model_fresh(const struct model *m, uint64_t seq)
{
	if (seq >= UINT64_C(1) << 56)
		return false;
	if (m->head > W && seq < m->head - W)
		return false;
	return m->set[seq % SET_SIZE] != seq + 1;
}

static void model_commit(struct model *m, uint64_t seq)
{
	m->set[seq % SET_SIZE] = seq + 1;
	if (seq >= m->head)
		m->head = seq + 1;
}

static void model_restart(struct model *m, struct naive_rng *rng)
{
	memset(m->set, 0, sizeof(m->set));
	m->n_history = 0;
	switch (naive_below(rng, 4)) {
	case 0:
		m->head = 0;
		break;
	case 1:
		m->head = (UINT64_C(1) << 56) - naive_below(rng, 60000);
		break;
	default:
		m->head = naive_next(rng) >> 8;
		break;
	}
}

static uint64_t pick(struct model *m, struct naive_rng *rng)
{
	uint32_t known = m->n_history < HISTORY ? m->n_history : HISTORY;
	uint64_t seq;
	if (known > 0 && naive_one_in(rng, 3))
		return m->history[naive_below(rng, known)];
	uint32_t kind = naive_below(rng, 1000);
	if (kind < 5) /* over whole windows */
		seq = m->head + W * (uint64_t)(1 + naive_below(rng, 40)) + naive_below(rng, 130);
	else if (kind < 15) /* anything, most of it out of range */
		seq = naive_next(rng) >> naive_below(rng, 64);
	else if (kind < 65) /* the far end of the window */
		seq = m->head - W + naive_below(rng, 160) - 80;
	else if (kind < 85)
		seq = m->head + naive_below(rng, 40001) - 20000;
	else if (kind < 400)
		seq = m->head - naive_below(rng, 20001);
	else
		seq = m->head + naive_below(rng, 33) - 8;
	m->history[m->n_history++ % HISTORY] = seq;
	return seq;
}

START_TEST(against_a_set)
{
	static struct model models[4];
	static struct ela_replay windows[4];
	struct naive_rng rng = naive_seed("replay");
	const uint64_t total = naive_scaled(20000000);
	uint64_t accepted = 0, ends = 0;
	for (uint64_t i = 0; i < total; i++) {
		uint32_t lane = naive_below(&rng, 4);
		struct model *m = &models[lane];
		struct ela_replay *window = &windows[lane];
		if (i < 4 || naive_one_in(&rng, 5000)) {
			lane = i < 4 ? (uint32_t)i : lane;
			m = &models[lane];
			window = &windows[lane];
			model_restart(m, &rng);
			ela_replay_reset(window);
			if (m->head > 0 && !ela_replay_commit(window, m->head - 1))
				naive_fail("start at %llu refused", (unsigned long long)m->head - 1);
			if (m->head > 0)
				model_commit(m, m->head - 1);
		}
		uint64_t seq = pick(m, &rng);
		bool want = model_fresh(m, seq);
		if (ela_replay_check(window, seq) != want)
			naive_fail(
				"counter %llu, head %llu: check says %d", (unsigned long long)seq, (unsigned long long)m->head, !want);
		accepted += want;
		ends += seq < 2 * W || seq > TOP - 2 * W;
		/* A forgery is checked, never committed. */
		if (naive_one_in(&rng, 16))
			continue;
		if (ela_replay_commit(window, seq) != want)
			naive_fail(
				"counter %llu, head %llu: commit says %d", (unsigned long long)seq, (unsigned long long)m->head, !want);
		if (want)
			model_commit(m, seq);
	}
	printf("replay: %llu counters, %.1f %% accepted, %.1f %% refused, %.1f %% near an end of 2^56\n",
		(unsigned long long)total, 100.0 * (double)accepted / (double)total,
		100.0 * (double)(total - accepted) / (double)total, 100.0 * (double)ends / (double)total);
	ck_assert_uint_ge(accepted * 5, total);
	ck_assert_uint_ge((total - accepted) * 5, total);
	ck_assert_uint_ge(ends * 10, total);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tc = tcase_create("replay");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, table);
	tcase_add_test(tc, reset_forgets);
	tcase_add_test(tc, against_a_set);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
