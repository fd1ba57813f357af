/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-ring: core/ring.h: both rings empty, full and over the end of their counters, and with a producer and a consumer
 * in threads (ThreadSanitizer watches). Also core/stats.c's names.
 */
#include "naive.h"
#include "ring.h"
#include "stats.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static struct ela_ring ring;
static struct ela_commands commands;

static void ring_at(uint32_t start)
{
	atomic_store(&ring.head, start);
	atomic_store(&ring.tail, start);
	atomic_store(&commands.head, start);
	atomic_store(&commands.tail, start);
}

/* Counters are 32 bits and pass their end within a run of hours. */
static const uint32_t starts[] = {0, 100, 255, UINT32_MAX - 100, UINT32_MAX};
#define N_STARTS ((int)(sizeof starts / sizeof starts[0]))

START_TEST(datagrams)
{
	ring_at(starts[_i]);
	for (uint32_t round = 0; round < 5; round++) {
		ck_assert_ptr_null(ela_ring_peek(&ring));
		ck_assert_uint_eq(ela_ring_fill(&ring), 0);
		for (uint32_t i = 0; i < 256; i++) {
			struct ela_ring_slot *slot = ela_ring_claim(&ring);

			ck_assert_ptr_nonnull(slot);
			ck_assert_ptr_eq(ela_ring_claim(&ring), slot); /* nothing is taken before the push */
			ck_assert_uint_eq(ela_ring_fill(&ring), i);
			slot->len = round * 1000 + i;
			ela_ring_push(&ring);
		}
		ck_assert_ptr_null(ela_ring_claim(&ring));
		ck_assert_uint_eq(ela_ring_fill(&ring), 256);
		for (uint32_t i = 0; i < 256; i++) {
			const struct ela_ring_slot *slot = ela_ring_peek(&ring);

			ck_assert_ptr_nonnull(slot);
			ck_assert_ptr_eq(ela_ring_peek(&ring), slot);
			ck_assert_uint_eq(slot->len, round * 1000 + i);
			ela_ring_pop(&ring);
			ck_assert_ptr_nonnull(ela_ring_claim(&ring)); /* room at once */
		}
	}
}
END_TEST

static void nothing(void *lane, void *data)
{
	(void)lane, (void)data;
}

START_TEST(orders)
{
	struct ela_command got = {0};

	ring_at(starts[_i]);
	for (uint32_t round = 0; round < 5; round++) {
		ck_assert(!ela_commands_pop(&commands, &got));
		for (uintptr_t i = 0; i < 256; i++)
			ck_assert(ela_commands_push(&commands, (struct ela_command){nothing, (void *)(i + 1)}));
		ck_assert(!ela_commands_push(&commands, (struct ela_command){nothing, NULL}));
		for (uintptr_t i = 0; i < 256; i++) {
			ck_assert(ela_commands_pop(&commands, &got));
			ck_assert(got.run == nothing);
			ck_assert_uint_eq((uintptr_t)got.data, i + 1);
		}
	}
}
END_TEST

/* ---- threads ---- */

static uint64_t total;

static void fill(struct ela_ring_slot *slot, uint64_t i)
{
	slot->len = 1 + (uint32_t)(i % ELA_DATAGRAM_MAX_CONTROL);
	slot->path.link = i;
	memset(slot->data, (int)(i & 0xff), slot->len < 64 ? slot->len : 64);
	slot->data[slot->len - 1] = (uint8_t)i;
}

static void check(const struct ela_ring_slot *slot, uint64_t i)
{
	bool good = slot->len == 1 + i % ELA_DATAGRAM_MAX_CONTROL && slot->path.link == i &&
				slot->data[slot->len - 1] == (uint8_t)i;

	for (uint32_t k = 0; good && k < slot->len && k < 64; k++)
		good = slot->data[k] == (uint8_t)i;
	if (!good)
		naive_fail("datagram %llu is another one", (unsigned long long)i);
}

static void *produce(void *unused)
{
	for (uint64_t i = 0; i < total;) {
		struct ela_ring_slot *slot = ela_ring_claim(&ring);

		if (!slot) {
			(void)sched_yield();
			continue;
		}
		fill(slot, i++);
		ela_ring_push(&ring);
	}
	return unused;
}

static void *order(void *unused)
{
	for (uint64_t i = 0; i < total;) {
		if (ela_commands_push(&commands, (struct ela_command){nothing, (void *)(uintptr_t)(i + 1)}))
			i++;
		else
			(void)sched_yield();
	}
	return unused;
}

START_TEST(datagrams_in_threads)
{
	pthread_t thread;

	total = naive_scaled(2000000);
	ring_at(UINT32_MAX - 1000);
	ck_assert_int_eq(pthread_create(&thread, NULL, produce, NULL), 0);
	for (uint64_t i = 0; i < total;) {
		const struct ela_ring_slot *slot = ela_ring_peek(&ring);

		if (!slot) {
			(void)sched_yield();
			continue;
		}
		ck_assert_uint_ge(ela_ring_fill(&ring), 1);
		check(slot, i++);
		ela_ring_pop(&ring);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_ptr_null(ela_ring_peek(&ring));
}
END_TEST

START_TEST(orders_in_threads)
{
	struct ela_command got;
	pthread_t thread;

	total = naive_scaled(2000000);
	ring_at(UINT32_MAX - 1000);
	ck_assert_int_eq(pthread_create(&thread, NULL, order, NULL), 0);
	for (uint64_t i = 0; i < total;) {
		if (!ela_commands_pop(&commands, &got)) {
			(void)sched_yield();
			continue;
		}
		if ((uintptr_t)got.data != ++i || got.run != nothing)
			naive_fail("command %llu is another one", (unsigned long long)i);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert(!ela_commands_pop(&commands, &got));
}
END_TEST

/* ---- counters ---- */

/* Names are lower case with hyphens, each once: they are keys of docs/counters.md and of scripts. */
START_TEST(stat_names)
{
	for (uint32_t i = 0; i < ELA_N_STATS; i++) {
		const char *name = ela_stat_name(i);

		ck_assert_ptr_nonnull(name);
		ck_assert_uint_gt(strlen(name), 2);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
		for (uint32_t k = 0; k < i; k++)
			ck_assert_str_ne(name, ela_stat_name(k));
	}
	ck_assert_str_eq(ela_stat_name(ELA_STAT_DROP_REPLAY), "drop-replay");
	ck_assert_str_eq(ela_stat_name(ELA_STAT_DROP_TAG), "drop-tag");
	ck_assert_ptr_null(ela_stat_name(ELA_N_STATS));
	ck_assert_ptr_null(ela_stat_name(UINT32_MAX));
}
END_TEST

START_TEST(stat_adds)
{
	struct ela_stats stats = {0};

	ela_stat_add(&stats, ELA_STAT_DROP_TAG, 3);
	ela_stat_add(&stats, ELA_STAT_DROP_TAG, UINT64_C(1) << 40);
	ela_stat_add(&stats, ELA_STAT_DROP_TAG, 0);
	for (uint32_t i = 0; i < ELA_N_STATS; i++)
		ck_assert_uint_eq(stats.v[i], i == ELA_STAT_DROP_TAG ? (UINT64_C(1) << 40) + 3 : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *steps = tcase_create("steps"), *threads = tcase_create("threads"), *stats = tcase_create("stats");
	SRunner *runner;
	int failed;

	tcase_set_timeout(steps, 120);
	tcase_add_loop_test(steps, datagrams, 0, N_STARTS);
	tcase_add_loop_test(steps, orders, 0, N_STARTS);
	suite_add_tcase(suite, steps);
	tcase_set_timeout(threads, 120);
	tcase_add_test(threads, datagrams_in_threads);
	tcase_add_test(threads, orders_in_threads);
	suite_add_tcase(suite, threads);
	tcase_set_timeout(stats, 120);
	tcase_add_test(stats, stat_names);
	tcase_add_test(stats, stat_adds);
	suite_add_tcase(suite, stats);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
