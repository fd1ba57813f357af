/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-loop: core/loop-virtual.c: order, clocks, one seed one run; core/loop-glib.c: timers, watches and posts, also
 * from other threads. Real time is only ever awaited, never measured from above but by a generous limit.
 */
#include "loop.h"
#include "naive.h"

#include <check.h>
#include <ela/host.h>
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- virtual time ---- */

struct event {
	struct ela_loop *loop;
	struct ela_timer *timer;
	uint32_t number;
};

static uint32_t fired[4096], n_fired;
static uint64_t fired_at[4096];

static void fire(void *data)
{
	struct event *e = data;

	ck_assert_uint_lt(n_fired, 4096);
	fired_at[n_fired] = ela_loop_now(e->loop);
	fired[n_fired++] = e->number;
}

static void event_init(struct event *e, struct ela_loop *loop, uint32_t number)
{
	*e = (struct event){.loop = loop, .number = number, .timer = loop->ops->timer_new(loop, fire, e)};
	ck_assert_ptr_nonnull(e->timer);
}

static void expect_order(const uint32_t *want, uint32_t n)
{
	ck_assert_uint_eq(n_fired, n);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_msg(fired[i] == want[i], "event %u is number %u, not %u", i, fired[i], want[i]);
	n_fired = 0;
}

START_TEST(virtual_order)
{
	struct ela_loop *loop = ela_loop_virtual_new(1);
	uint64_t start = ela_loop_now(loop);
	struct event e[6], first = {loop, NULL, 100}, second = {loop, NULL, 101};

	ck_assert_uint_gt(start, 0);
	ck_assert_uint_eq(ela_loop_virtual_next(loop), UINT64_MAX);
	ck_assert(!ela_loop_virtual_step(loop));
	for (uint32_t i = 0; i < 6; i++)
		event_init(&e[i], loop, i);
	loop->ops->timer_set(e[0].timer, start + 30);
	loop->ops->timer_set(e[1].timer, start + 10);
	loop->ops->timer_set(e[2].timer, start + 20);
	loop->ops->timer_set(e[3].timer, start + 10); /* the same time as 1, armed later */
	loop->ops->timer_set(e[4].timer, start + 5);
	loop->ops->timer_set(e[5].timer, 1);          /* in the past */
	loop->ops->timer_set(e[4].timer, 0);          /* disarmed */
	loop->ops->timer_set(e[1].timer, start + 10); /* armed again: behind 3 now */
	ck_assert_int_eq(loop->ops->post(loop, fire, &first), 0);
	ck_assert_int_eq(loop->ops->post(loop, fire, &second), 0);
	ck_assert_uint_eq(ela_loop_virtual_next(loop), start);
	ck_assert_uint_eq(n_fired, 0);
	ela_loop_virtual_run(loop, start + 20);
	expect_order((const uint32_t[]){100, 101, 5, 3, 1, 2}, 6);
	ck_assert_uint_eq(fired_at[2], start); /* the clock never goes back */
	ck_assert_uint_eq(fired_at[3], start + 10);
	ck_assert_uint_eq(fired_at[5], start + 20);
	ck_assert_uint_eq(ela_loop_now(loop), start + 20);
	ck_assert_uint_eq(ela_loop_virtual_next(loop), start + 30);
	ela_loop_virtual_run(loop, start + 29);
	ck_assert_uint_eq(n_fired, 0);
	ck_assert_uint_eq(ela_loop_now(loop), start + 29);
	ela_loop_virtual_run(loop, start + 1000);
	expect_order((const uint32_t[]){0}, 1);
	ck_assert_uint_eq(fired_at[0], start + 30);
	ck_assert_uint_eq(ela_loop_now(loop), start + 1000);
	ela_loop_virtual_run(loop, start); /* nothing: time does not go back */
	ck_assert_uint_eq(ela_loop_now(loop), start + 1000);
	for (uint32_t i = 0; i < 6; i++)
		loop->ops->timer_free(e[i].timer);
	loop->ops->timer_free(NULL);
	ela_loop_free(loop);
	ela_loop_free(NULL);
}
END_TEST

static void fire_and_rearm(void *data)
{
	struct event *e = data;

	fire(e);
	if (n_fired < 5)
		e->loop->ops->timer_set(e->timer, ela_loop_now(e->loop) + 100);
	else
		e->loop->ops->timer_free(e->timer); /* inside its own call */
}

static void post_again(void *data)
{
	struct event *e = data;

	fire(e);
	if (e->number-- > 1)
		(void)e->loop->ops->post(e->loop, post_again, e); /* cannot fail here */
}

START_TEST(virtual_inside_calls)
{
	struct ela_loop *loop = ela_loop_virtual_new(1);
	uint64_t start = ela_loop_now(loop);
	struct event e = {.loop = loop, .number = 3};

	e.timer = loop->ops->timer_new(loop, fire_and_rearm, &e);
	loop->ops->timer_set(e.timer, start + 100);
	ela_loop_virtual_run(loop, start + 10000);
	expect_order((const uint32_t[]){3, 3, 3, 3, 3}, 5);
	ck_assert_uint_eq(fired_at[4], start + 500);
	(void)loop->ops->post(loop, post_again, &e); /* cannot fail here */
	ela_loop_virtual_run(loop, start + 10000);
	expect_order((const uint32_t[]){3, 2, 1}, 3);
	loop->ops->timer_free(loop->ops->timer_new(loop, fire, &e)); /* never armed */
	(void)loop->ops->post(loop, post_again, &e);                 /* freed with the loop, never called */
	ela_loop_free(loop);
	ck_assert_uint_eq(n_fired, 0);
}
END_TEST

START_TEST(virtual_clocks)
{
	struct ela_loop *loop = ela_loop_virtual_new(1);
	uint64_t now = ela_loop_now(loop), wall = loop->ops->wall_ns(loop);

	ck_assert_uint_gt(wall, UINT64_C(1600000000) * ELA_SEC);
	ela_loop_virtual_run(loop, now + 7 * ELA_SEC);
	ck_assert_uint_eq(loop->ops->wall_ns(loop), wall + 7 * ELA_SEC);
	ela_loop_virtual_wall_jump(loop, -(int64_t)(3 * ELA_SEC));
	ck_assert_uint_eq(loop->ops->wall_ns(loop), wall + 4 * ELA_SEC);
	ck_assert_uint_eq(ela_loop_now(loop), now + 7 * ELA_SEC);
	ck_assert_ptr_null(loop->ops->watch_new(loop, 0, ELA_EVENT_READ, NULL, NULL));
	loop->ops->watch_free(NULL);
	ela_loop_free(loop);
}
END_TEST

static int compare_fired(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : (x[1] < y[1] ? -1 : x[1] > y[1]);
}

/* Many timers at few different times, against a sort by (time, order of arming). */
START_TEST(virtual_against_a_sort)
{
	static uint64_t want[2000][3];
	static struct event e[2000];
	struct naive_rng rng = naive_seed("loop");
	struct ela_loop *loop = ela_loop_virtual_new(1);
	uint64_t start = ela_loop_now(loop);

	for (uint32_t i = 0; i < 2000; i++)
		event_init(&e[i], loop, i);
	for (uint64_t order = 0; order < 6000; order++) {
		uint32_t i = order < 2000 ? (uint32_t)order : naive_below(&rng, 2000);

		want[i][0] = start + naive_below(&rng, 100);
		want[i][1] = order;
		want[i][2] = i;
		loop->ops->timer_set(e[i].timer, want[i][0]);
	}
	qsort(want, 2000, sizeof want[0], compare_fired);
	ela_loop_virtual_run(loop, start + 100);
	ck_assert_uint_eq(n_fired, 2000);
	for (uint32_t i = 0; i < 2000; i++)
		if (fired[i] != want[i][2] || fired_at[i] != want[i][0])
			naive_fail("event %u is timer %u", i, fired[i]);
	for (uint32_t i = 0; i < 2000; i++)
		loop->ops->timer_free(e[i].timer);
	ela_loop_free(loop);
}
END_TEST

START_TEST(virtual_seeds)
{
	uint8_t first[256], second[256];

	for (uint64_t seed = 0; seed < 20; seed++) {
		struct ela_loop *a = ela_loop_virtual_new(seed), *b = ela_loop_virtual_new(seed),
						*c = ela_loop_virtual_new(seed + 1);
		uint32_t ones = 0;

		a->ops->random(a, first, sizeof first);
		b->ops->random(b, second, 100);
		b->ops->random(b, second + 100, sizeof second - 100);
		ck_assert_mem_eq(first, second, sizeof first);
		c->ops->random(c, second, sizeof second);
		ck_assert_mem_ne(first, second, sizeof first);
		a->ops->random(a, second, sizeof second);
		ck_assert_mem_ne(first, second, sizeof first); /* it goes on */
		for (uint32_t i = 0; i < 8 * sizeof first; i++)
			ones += first[i / 8] >> i % 8 & 1;
		ck_assert_uint_gt(ones, 900);
		ck_assert_uint_lt(ones, 1150);
		ela_loop_free(a);
		ela_loop_free(b);
		ela_loop_free(c);
	}
}
END_TEST

/* ---- real time ---- */

#define PATIENCE_NS (20 * ELA_SEC)

/* Runs the context until what is set or patience ends. */
static void run_until(struct ela_loop *loop, const volatile uint32_t *n, uint32_t want)
{
	uint64_t end = ela_loop_now(loop) + PATIENCE_NS;

	while (*n < want && ela_loop_now(loop) < end)
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(200);
	ck_assert_uint_ge(*n, want);
}

/* What would come soon has its chance. */
static void run_for(struct ela_loop *loop, uint64_t ns)
{
	uint64_t end = ela_loop_now(loop) + ns;

	while (ela_loop_now(loop) < end)
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(200);
}

START_TEST(glib_timers)
{
	struct ela_loop *loop = ela_loop_glib_new();
	uint64_t start = ela_loop_now(loop);
	struct event e[5];

	for (uint32_t i = 0; i < 5; i++)
		event_init(&e[i], loop, i);
	loop->ops->timer_set(e[0].timer, start + 1500 * ELA_MSEC);
	loop->ops->timer_set(e[1].timer, start + 300 * ELA_MSEC);
	loop->ops->timer_set(e[2].timer, start + 100 * ELA_MSEC);
	loop->ops->timer_set(e[2].timer, 0);
	loop->ops->timer_set(e[3].timer, start + 3600 * ELA_SEC);
	loop->ops->timer_set(e[4].timer, 1); /* in the past: at the next turn */
	ck_assert_uint_eq(n_fired, 0);
	run_until(loop, &n_fired, 3);
	run_for(loop, 30 * ELA_MSEC); /* GLib keeps no order among timers that are late together: the gaps are wide */
	expect_order((const uint32_t[]){4, 1, 0}, 3);
	ck_assert_uint_ge(fired_at[1], start + 300 * ELA_MSEC); /* never early */
	ck_assert_uint_ge(fired_at[2], start + 1500 * ELA_MSEC);
	loop->ops->timer_set(e[0].timer, ela_loop_now(loop)); /* again */
	run_until(loop, &n_fired, 1);
	run_for(loop, 20 * ELA_MSEC);
	expect_order((const uint32_t[]){0}, 1); /* once */
	for (uint32_t i = 0; i < 5; i++)
		loop->ops->timer_free(e[i].timer);
	loop->ops->timer_free(NULL);
	ela_loop_free(loop);
}
END_TEST

/* How long the context would sleep now, in ms; -1: until something wakes it. */
static gint sleep_ms(void)
{
	GMainContext *context = g_main_context_default();
	GPollFD fds[16] = {0};
	gint priority, timeout, n;

	ck_assert(g_main_context_acquire(context));
	(void)g_main_context_prepare(context, &priority);
	n = g_main_context_query(context, priority, &timeout, fds, G_N_ELEMENTS(fds));
	ck_assert_int_le(n, (gint)G_N_ELEMENTS(fds));
	(void)g_main_context_check(context, priority, fds, n); /* nothing is dispatched */
	g_main_context_release(context);
	return timeout;
}

/* Until the first timer is due, and without one for ever: a node that is idle costs nothing. */
START_TEST(glib_sleeps)
{
	struct ela_loop *loop = ela_loop_glib_new();
	struct event e[2];

	for (uint32_t i = 0; i < 2; i++)
		event_init(&e[i], loop, i);
	ck_assert_int_eq(sleep_ms(), -1);
	loop->ops->timer_set(e[0].timer, ela_loop_now(loop) + 3600 * ELA_SEC);
	loop->ops->timer_set(e[1].timer, ela_loop_now(loop) + 60 * ELA_SEC);
	ck_assert_int_gt(sleep_ms(), 30000);
	ck_assert_int_le(sleep_ms(), 60000);
	loop->ops->timer_set(e[1].timer, 0);
	ck_assert_int_gt(sleep_ms(), 60000);
	loop->ops->timer_set(e[0].timer, 0);
	ck_assert_int_eq(sleep_ms(), -1);
	for (uint32_t i = 0; i < 2; i++)
		loop->ops->timer_free(e[i].timer);
	ela_loop_free(loop);
}
END_TEST

static void rearm_soon(void *data)
{
	struct event *e = data;

	fire(e);
	if (n_fired < 5)
		e->loop->ops->timer_set(e->timer, ela_loop_now(e->loop) + ELA_MSEC);
	else
		e->loop->ops->timer_free(e->timer);
}

START_TEST(glib_timer_inside_its_call)
{
	struct ela_loop *loop = ela_loop_glib_new();
	struct event e = {.loop = loop};

	e.timer = loop->ops->timer_new(loop, rearm_soon, &e);
	loop->ops->timer_set(e.timer, ela_loop_now(loop));
	run_until(loop, &n_fired, 5);
	run_for(loop, 10 * ELA_MSEC);
	ck_assert_uint_eq(n_fired, 5);
	ela_loop_free(loop);
}
END_TEST

static volatile uint32_t n_events;
static uint32_t last_events;

static void ready(void *data, uint32_t events)
{
	(void)data;
	n_events++;
	last_events = events;
}

START_TEST(glib_watches)
{
	struct ela_loop *loop = ela_loop_glib_new();
	struct ela_watch *in, *out;
	int fds[2];
	char byte = 0;

	ck_assert_int_eq(pipe(fds), 0);
	in = loop->ops->watch_new(loop, fds[0], ELA_EVENT_READ, ready, NULL);
	ck_assert_ptr_nonnull(in);
	run_for(loop, 20 * ELA_MSEC);
	ck_assert_uint_eq(n_events, 0);
	ck_assert_int_eq(write(fds[1], &byte, 1), 1);
	run_until(loop, &n_events, 3); /* level-triggered: until it is read */
	ck_assert_uint_eq(last_events, ELA_EVENT_READ);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	(void)g_main_context_iteration(NULL, FALSE); /* a poll that was under way */
	n_events = 0;
	run_for(loop, 20 * ELA_MSEC);
	ck_assert_uint_eq(n_events, 0);
	out = loop->ops->watch_new(loop, fds[1], 0, ready, NULL);
	run_for(loop, 20 * ELA_MSEC);
	ck_assert_uint_eq(n_events, 0); /* writable, but nobody asked */
	loop->ops->watch_set(out, ELA_EVENT_WRITE);
	run_until(loop, &n_events, 1);
	ck_assert_uint_eq(last_events, ELA_EVENT_WRITE);
	loop->ops->watch_free(out);
	n_events = 0;
	run_for(loop, 20 * ELA_MSEC);
	ck_assert_uint_eq(n_events, 0);
	loop->ops->watch_set(in, 0);
	(void)close(fds[1]); /* that is the event */
	run_until(loop, &n_events, 1);
	ck_assert_uint_eq(last_events, ELA_EVENT_ERROR); /* reported always */
	loop->ops->watch_free(in);
	loop->ops->watch_free(NULL);
	(void)close(fds[0]); /* was only read */
	ela_loop_free(loop);
}
END_TEST

#define THREADS 3u
#define POSTS 20000u

static struct {
	struct ela_loop *loop;
	uint64_t n;
} posting;

static uint32_t next_of[THREADS];
static volatile uint32_t n_posted;
static pthread_t main_thread;

struct order {
	uint32_t thread, number;
};

static void take_order(void *data)
{
	struct order *o = data;

	if (!pthread_equal(pthread_self(), main_thread) || o->number != next_of[o->thread]++)
		naive_fail("post %u of thread %u came out of order or elsewhere", o->number, o->thread);
	n_posted++;
	free(o);
}

static void *poster(void *data)
{
	for (uint32_t i = 0; i < posting.n; i++) {
		struct order *o = malloc(sizeof *o);

		if (!o)
			naive_fail("out of memory");
		*o = (struct order){(uint32_t)(uintptr_t)data, i};
		if (posting.loop->ops->post(posting.loop, take_order, o) != 0)
			naive_fail("post failed");
	}
	return NULL;
}

/* Posts of one thread come in order, all on the control thread, and they end its sleep. */
START_TEST(glib_posts_from_threads)
{
	struct ela_loop *loop = ela_loop_glib_new();
	pthread_t threads[THREADS];

	(void)naive_seed("loop");
	main_thread = pthread_self();
	posting.loop = loop;
	posting.n = naive_scaled(POSTS);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, poster, (void *)i), 0);
	while (n_posted < THREADS * posting.n)
		(void)g_main_context_iteration(NULL, TRUE); /* asleep unless a post wakes it */
	for (uint32_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(loop->ops->post(loop, take_order, NULL), 0); /* goes with the loop, is never called */
	ck_assert_uint_eq(n_posted, THREADS * posting.n);
	ela_loop_free(loop);
}
END_TEST

static struct ela_loop *nested_loop;

static void post_inside(void *data)
{
	fire(data);
	if (n_fired < 3)
		(void)nested_loop->ops->post(nested_loop, post_inside, data); /* cannot fail here */
}

START_TEST(glib_post_inside_a_post)
{
	struct event e = {.number = 5};

	nested_loop = e.loop = ela_loop_glib_new();
	ck_assert_int_eq(nested_loop->ops->post(nested_loop, post_inside, &e), 0);
	ck_assert_uint_eq(n_fired, 0); /* soon, not now */
	run_until(nested_loop, &n_fired, 3);
	ela_loop_free(nested_loop);
}
END_TEST

START_TEST(glib_clocks_and_random)
{
	struct ela_loop *loop = ela_loop_glib_new();
	uint64_t now = ela_loop_now(loop);
	uint8_t a[4096] = {0}, b[4096] = {0};
	struct timespec ts;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &ts), 0);
	ck_assert_uint_lt(loop->ops->wall_ns(loop) / ELA_SEC - (uint64_t)ts.tv_sec, 20);
	g_usleep(2000);
	ck_assert_uint_ge(ela_loop_now(loop), now + 2 * ELA_MSEC);
	loop->ops->random(loop, a, sizeof a);
	loop->ops->random(loop, b, sizeof b);
	ck_assert_mem_ne(a, b, sizeof a);
	for (uint32_t i = 0; i < sizeof a; i += 64)
		ck_assert_mem_ne(a + i, (const uint8_t[64]){0}, 64); /* filled to the end */
	ela_loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *virtual_time = tcase_create("virtual"), *real = tcase_create("glib");
	SRunner *runner;
	int failed;

	tcase_set_timeout(virtual_time, 120);
	tcase_add_test(virtual_time, virtual_order);
	tcase_add_test(virtual_time, virtual_inside_calls);
	tcase_add_test(virtual_time, virtual_clocks);
	tcase_add_test(virtual_time, virtual_against_a_sort);
	tcase_add_test(virtual_time, virtual_seeds);
	suite_add_tcase(suite, virtual_time);
	tcase_set_timeout(real, 120);
	tcase_add_test(real, glib_timers);
	tcase_add_test(real, glib_sleeps);
	tcase_add_test(real, glib_timer_inside_its_call);
	tcase_add_test(real, glib_watches);
	tcase_add_test(real, glib_posts_from_threads);
	tcase_add_test(real, glib_post_inside_a_post);
	tcase_add_test(real, glib_clocks_and_random);
	suite_add_tcase(suite, real);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
