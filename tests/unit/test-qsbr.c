/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-qsbr: core/qsbr.c: what is freed when, step by step, and then with four readers in threads that must never see
 * an object after its end (ThreadSanitizer watches the same accesses).
 */
#include "naive.h"
#include "qsbr.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- step by step ---- */

static uint32_t freed[64], n_freed;

static void note(void *data)
{
	freed[n_freed++] = (uint32_t)(uintptr_t)data;
}

static void *number(uint32_t i)
{
	return (void *)(uintptr_t)i;
}

static struct ela_qsbr *fresh(uint32_t lanes)
{
	static struct ela_qsbr q;

	ela_qsbr_init(&q, lanes);
	n_freed = 0;
	return &q;
}

START_TEST(all_asleep)
{
	struct ela_qsbr *q = fresh(4);

	ck_assert(!ela_qsbr_poll(q));
	ela_qsbr_retire(q, note, number(1));
	ck_assert_uint_eq(n_freed, 0); /* not inside the call */
	ck_assert(!ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 1);
}
END_TEST

START_TEST(waits_for_a_turn)
{
	struct ela_qsbr *q = fresh(2);

	ela_qsbr_online(q, 0);
	ela_qsbr_online(q, 1);
	ela_qsbr_retire(q, note, number(1));
	ck_assert(ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 0);
	ela_qsbr_online(q, 0); /* a new turn */
	ck_assert(ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 0);
	ela_qsbr_offline(q, 1); /* asleep */
	ck_assert(!ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 1);
}
END_TEST

START_TEST(turns_before_do_not_count)
{
	struct ela_qsbr *q = fresh(1);

	for (uint32_t i = 0; i < 10; i++)
		ela_qsbr_online(q, 0);
	ela_qsbr_retire(q, note, number(1));
	ck_assert(ela_qsbr_poll(q));
	ela_qsbr_online(q, 0);
	ela_qsbr_retire(q, note, number(2)); /* this turn may have seen it */
	ck_assert(ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 1);
	ela_qsbr_online(q, 0);
	ck_assert(!ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 2);
}
END_TEST

START_TEST(oldest_first)
{
	struct ela_qsbr *q = fresh(3);

	ela_qsbr_online(q, 2);
	for (uint32_t i = 0; i < 20; i++)
		ela_qsbr_retire(q, note, number(i));
	ela_qsbr_online(q, 2);
	for (uint32_t i = 20; i < 40; i++)
		ela_qsbr_retire(q, note, number(i));
	ck_assert(ela_qsbr_poll(q));
	ck_assert_uint_eq(n_freed, 20);
	ela_qsbr_drain(q);
	ck_assert_uint_eq(n_freed, 40);
	for (uint32_t i = 0; i < 40; i++)
		ck_assert_uint_eq(freed[i], i);
	ck_assert(!ela_qsbr_poll(q));
	ela_qsbr_drain(q);
	ck_assert_uint_eq(n_freed, 40);
}
END_TEST

static struct ela_qsbr *retiring_q;

static void retire_another(void *data)
{
	note(data);
	ela_qsbr_retire(retiring_q, note, number(77));
}

START_TEST(retire_while_freeing)
{
	struct ela_qsbr *q = retiring_q = fresh(1);

	ela_qsbr_retire(q, retire_another, number(1));
	ela_qsbr_drain(q);
	(void)ela_qsbr_poll(q); /* the second one may be gone already */
	ck_assert_uint_eq(n_freed, 2);
	ck_assert_uint_eq(freed[1], 77);
}
END_TEST

/* ---- threads ---- */

#define READERS 4u
#define CELLS 8u
#define ALIVE 0x600dc0deu

/* Kept after its end, so that a late read is seen without a sanitizer too. */
struct object {
	uint32_t magic;
	uint32_t payload[15];
	struct object *next;
};

static struct ela_qsbr shared;
static _Atomic(struct object *) cells[CELLS];
static _Atomic bool stop;
static struct object *graveyard;
static uint64_t buried;

static struct object *object_new(uint32_t value)
{
	struct object *o = malloc(sizeof *o);

	if (!o)
		naive_fail("out of memory");
	o->magic = ALIVE;
	for (uint32_t i = 0; i < 15; i++)
		o->payload[i] = value + i;
	return o;
}

/* Plain writes: a reader that still looks is a data race. */
static void bury(void *data)
{
	struct object *o = data;

	o->magic = 0;
	for (uint32_t i = 0; i < 15; i++)
		o->payload[i] = 0xdeadbeef;
	o->next = graveyard;
	graveyard = o;
	if (++buried % 4096 == 0) /* not to fill the memory; before that, what is buried shows */
		while (graveyard) {
			o = graveyard->next;
			free(graveyard);
			graveyard = o;
		}
}

static void look_at(const struct object *o)
{
	uint32_t first = o->payload[0];

	for (uint32_t i = 0; i < 15; i++)
		if (o->magic != ALIVE || o->payload[i] != first + i)
			naive_fail("an object was freed while a lane held it");
}

static void *reader(void *data)
{
	uint32_t lane = (uint32_t)(uintptr_t)data;
	struct naive_rng rng = {.state = lane};
	uint64_t turns = 0;

	for (; !atomic_load(&stop); turns++) {
		const struct object *held[CELLS];

		ela_qsbr_online(&shared, lane);
		for (uint32_t i = 0; i < CELLS; i++)
			held[i] = atomic_load_explicit(&cells[i], memory_order_acquire);
		for (uint32_t k = 0, n = naive_below(&rng, 20); k < n; k++)
			look_at(held[naive_below(&rng, CELLS)]);
		if (naive_one_in(&rng, 64))
			(void)sched_yield(); /* in the middle of a turn */
		for (uint32_t i = 0; i < CELLS; i++)
			look_at(held[i]);
		if (naive_one_in(&rng, 8)) {
			ela_qsbr_offline(&shared, lane);
			if (naive_one_in(&rng, 4))
				(void)sched_yield();
		}
	}
	ela_qsbr_offline(&shared, lane);
	return (void *)(uintptr_t)turns;
}

START_TEST(readers_in_threads)
{
	struct naive_rng rng = naive_seed("qsbr");
	pthread_t threads[READERS];
	uint64_t n = naive_scaled(2000000), turns = 0;

	ela_qsbr_init(&shared, READERS);
	for (uint32_t i = 0; i < CELLS; i++)
		atomic_store(&cells[i], object_new(i));
	for (uint32_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, number(i)), 0);
	for (uint64_t i = 0; i < n; i++) {
		struct object *old = atomic_exchange(&cells[naive_below(&rng, CELLS)], object_new((uint32_t)i));

		ela_qsbr_retire(&shared, bury, old);
		if (naive_one_in(&rng, 3))
			(void)ela_qsbr_poll(&shared); /* what waits, waits */
		if (i % 256 == 0)
			(void)sched_yield();
	}
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < READERS; i++) {
		void *ret;

		ck_assert_int_eq(pthread_join(threads[i], &ret), 0);
		turns += (uintptr_t)ret;
	}
	ck_assert(!ela_qsbr_poll(&shared));
	ck_assert_uint_eq(buried, n);
	printf("qsbr: %llu objects, %llu turns\n", (unsigned long long)n, (unsigned long long)turns);
	for (uint32_t i = 0; i < CELLS; i++)
		bury(atomic_load(&cells[i]));
	while (graveyard) {
		struct object *o = graveyard->next;

		free(graveyard);
		graveyard = o;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qsbr");
	TCase *steps = tcase_create("steps"), *threads = tcase_create("threads");
	SRunner *runner;
	int failed;

	tcase_set_timeout(steps, 120);
	tcase_add_test(steps, all_asleep);
	tcase_add_test(steps, waits_for_a_turn);
	tcase_add_test(steps, turns_before_do_not_count);
	tcase_add_test(steps, oldest_first);
	tcase_add_test(steps, retire_while_freeing);
	suite_add_tcase(suite, steps);
	tcase_set_timeout(threads, 120);
	tcase_add_test(threads, readers_in_threads);
	suite_add_tcase(suite, threads);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
