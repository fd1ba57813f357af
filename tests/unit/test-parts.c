/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-parts: core/parts.c: messages cut, mixed, repeated and put together against the bytes they were; heads that
 * cannot be; what is kept never grows. ELA_TEST_SEED repeats a run. One thread.
 */
#include "frame.h"
#include "loop.h"
#include "parts.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GRand *rng;
static struct ela_parts parts;
static uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA + 1];

static void setup(void)
{
	const char *seed = g_getenv("ELA_TEST_SEED");
	uint32_t n = seed ? (uint32_t)strtoul(seed, NULL, 0) : g_random_int();

	printf("ELA_TEST_SEED=%u\n", n);
	rng = g_rand_new_with_seed(n);
	parts = (struct ela_parts){0};
}

static void teardown(void)
{
	ela_parts_clear(&parts);
	g_rand_free(rng);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(((uint64_t)g_rand_int(rng) * n) >> 32);
}

static const uint8_t *whole;
static uint32_t whole_len;

/* Any plaintext, in a buffer of just its size. */
static int take_raw(uint32_t session, uint64_t now_ns, const uint8_t *bytes, uint32_t len)
{
	static uint8_t *exact;

	g_free(exact);
	exact = g_memdup2(bytes, len);
	return ela_parts_take(&parts, session, now_ns, exact, len, &whole, &whole_len);
}

static int take_head(uint32_t session, uint64_t now_ns, uint32_t id, uint8_t part, uint8_t of, uint32_t data_len)
{
	ela_put32(plain, id);
	plain[4] = part;
	plain[5] = of;
	return take_raw(session, now_ns, plain, ELA_PART_HEAD + data_len);
}

static uint32_t n_halves(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ELA_PARTS_HALF; i++)
		n += parts.half[i].bytes != NULL;
	return n;
}

/* Up to four messages at once, their parts in any order, some twice, in two sessions. */
START_TEST(together_again)
{
	for (uint32_t round = 0; round < 300; round++) {
		static uint8_t messages[ELA_PARTS_HALF][ELA_MESSAGE_MAX];
		uint32_t lens[ELA_PARTS_HALF], order[2 * ELA_PARTS * ELA_PARTS_HALF], n = 0, n_whole = 0;
		bool done[ELA_PARTS_HALF] = {0};

		for (uint32_t m = 0; m < ELA_PARTS_HALF; m++) {
			lens[m] = below(4) ? 1 + below(ELA_MESSAGE_MAX) : ELA_PART_DATA * (1 + below(13));
			for (uint32_t i = 0; i < lens[m]; i++)
				messages[m][i] = (uint8_t)g_rand_int(rng);
			for (uint32_t part = 0; part < ela_parts_count(lens[m]); part++)
				order[n++] = m << 8 | part;
		}
		for (uint32_t i = n; i-- > 1;) {
			uint32_t k = below(i + 1), word = order[i];

			order[i] = order[k];
			order[k] = word;
		}
		for (uint32_t i = 0; i < n; i++) {
			uint32_t m = order[i] >> 8, len;
			int got;

			/* the same id in two sessions is two messages */
			len = ela_parts_write(messages[m], lens[m], m / 2, order[i] & 0xff, plain);
			got = take_raw(7 + m % 2, round, plain, len);
			if (got == 1) {
				ck_assert(!done[m]);
				ck_assert_uint_eq(whole_len, lens[m]);
				ck_assert_mem_eq(whole, messages[m], lens[m]);
				done[m] = true;
				n_whole++;
			} else {
				ck_assert_int_eq(got, 0);
				if (below(4) == 0)
					ck_assert_int_eq(take_raw(7 + m % 2, round, plain, len), 0); /* once more */
			}
		}
		ck_assert_uint_eq(n_whole, ELA_PARTS_HALF);
		ck_assert_uint_eq(n_halves(), 0);
		ck_assert_uint_eq(parts.n_lost, 0);
	}
}
END_TEST

START_TEST(heads_that_cannot_be)
{
	static const struct {
		uint8_t part, of;
		uint32_t data_len;
		int wanted;
	} cases[] = {
		{0, 1, 1, 1},
		{0, 1, 1200, 1},
		{0, 1, 0, -EINVAL},
		{0, 1, 1201, -EINVAL},
		{1, 1, 1, -EINVAL},
		{255, 1, 1, -EINVAL},
		{0, 0, 1, -EINVAL},
		{0, 2, 1200, 0},
		{0, 2, 1199, -EINVAL},
		{0, 2, 1201, -EINVAL},
		{1, 2, 1, 0},
		{1, 2, 1200, 0},
		{1, 2, 0, -EINVAL},
		{2, 2, 1, -EINVAL},
		{13, 14, 784, 0},
		{13, 14, 785, -EINVAL}, /* 16,385 bytes */
		{0, 15, 1200, -EINVAL},
		{14, 15, 1, -EINVAL},
		{0, 255, 1200, -EINVAL},
	};

	for (uint32_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int got = take_head(1, 0, i, cases[i].part, cases[i].of, cases[i].data_len);

		ck_assert_msg(got == cases[i].wanted, "part %u of %u, %u bytes: found %d, wanted %d", cases[i].part,
			cases[i].of, cases[i].data_len, got, cases[i].wanted);
		ela_parts_clear(&parts);
	}
	/* another number of parts than before */
	ck_assert_int_eq(take_head(1, 0, 9, 0, 3, 1200), 0);
	ck_assert_int_eq(take_head(1, 0, 9, 1, 2, 5), -EINVAL);
	ck_assert_int_eq(take_head(1, 0, 9, 2, 3, 5), 0);
	ck_assert_int_eq(take_head(1, 0, 9, 1, 3, 1200), 1);
	ck_assert_uint_eq(whole_len, 2405);
}
END_TEST

START_TEST(a_part_comes_once)
{
	memset(plain, 1, sizeof plain);
	ck_assert_int_eq(take_head(1, 0, 9, 0, 2, 1200), 0);
	memset(plain, 2, sizeof plain);
	ck_assert_int_eq(take_head(1, 0, 9, 0, 2, 1200), 0);
	ck_assert_int_eq(take_head(1, 0, 9, 1, 2, 1), 1);
	ck_assert_uint_eq(whole_len, 1201);
	ck_assert_uint_eq(whole[0], 1);
}
END_TEST

START_TEST(kept_for_five_seconds)
{
	ck_assert_int_eq(take_head(1, 100, 9, 0, 2, 1200), 0);
	ck_assert_uint_eq(ela_parts_expire(&parts, 100 + 5 * ELA_SEC - 1), 100 + 5 * ELA_SEC);
	ck_assert_uint_eq(n_halves(), 1);
	ck_assert_uint_eq(ela_parts_expire(&parts, 100 + 5 * ELA_SEC), 0);
	ck_assert_uint_eq(n_halves(), 0);
	ck_assert_uint_eq(parts.n_lost, 1);
	/* by what comes next, too */
	ck_assert_int_eq(take_head(1, 100, 9, 0, 2, 1200), 0);
	ck_assert_int_eq(take_head(1, 100 + 5 * ELA_SEC, 9, 1, 2, 1), 0);
	ck_assert_uint_eq(parts.n_lost, 2);
	ck_assert_int_eq(take_head(1, 101 + 5 * ELA_SEC, 9, 0, 2, 1200), 1);
}
END_TEST

START_TEST(the_oldest_gives_way)
{
	for (uint32_t id = 0; id < 5; id++)
		ck_assert_int_eq(take_head(1, id, id, 0, 2, 1200), 0);
	ck_assert_uint_eq(n_halves(), 4);
	ck_assert_uint_eq(parts.n_lost, 1);
	for (uint32_t id = 1; id < 5; id++)
		ck_assert_int_eq(take_head(1, 9, id, 1, 2, 1), 1);
	ck_assert_int_eq(take_head(1, 9, 0, 1, 2, 1), 0); /* the first one's other half is gone */
}
END_TEST

/* Whatever comes: never more than four messages' room, and every part is accounted for. */
START_TEST(floods)
{
	uint64_t now_ns = 0, kept = 0, given = 0, have = 0;

	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t of = below(17), part = below(of + 2), data_len = part + 1 < of && below(8) ? 1200 : below(1202);
		uint32_t before = 0, after = 0;
		int got;

		for (uint32_t k = 0; k < ELA_PARTS_HALF; k++)
			before += (uint32_t)__builtin_popcount(parts.half[k].have);
		got = take_head(below(2), now_ns, below(6), (uint8_t)part, (uint8_t)of, data_len);
		for (uint32_t k = 0; k < ELA_PARTS_HALF; k++) {
			after += (uint32_t)__builtin_popcount(parts.half[k].have);
			ck_assert_uint_le(parts.half[k].parts, ELA_PARTS);
			ck_assert(parts.half[k].bytes || parts.half[k].have == 0);
		}
		if (got == 1) {
			ck_assert_uint_ge(whole_len, 1);
			ck_assert_uint_le(whole_len, ELA_MESSAGE_MAX);
			given += of == 1 ? 0 : of;
		}
		kept += (got >= 0 && of > 1) ? 1 : 0;
		have = after;
		(void)before;
		now_ns += below(10) * ELA_MSEC;
	}
	ck_assert_uint_gt(given, 0);
	ck_assert_uint_gt(parts.n_lost, 0);
	ck_assert_uint_le(given + parts.n_lost + have, kept); /* less those that came twice */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parts");
	TCase *tcase = tcase_create("parts");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, together_again);
	tcase_add_test(tcase, heads_that_cannot_be);
	tcase_add_test(tcase, a_part_comes_once);
	tcase_add_test(tcase, kept_for_five_seconds);
	tcase_add_test(tcase, the_oldest_gives_way);
	tcase_add_test(tcase, floods);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
