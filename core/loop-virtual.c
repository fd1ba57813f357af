/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop, virtual time: a clock that jumps from event to event and a seeded random source, for the simulator and tests.
 * One thread. Timers of equal time fire in the order in which they were armed, so a seed is a whole run. Descriptors
 * have no readiness here: watch_new() fails, in-memory plugins do without.
 */
#include "loop.h"

#include <glib.h>

struct virtual_loop {
	struct ela_loop loop;
	uint64_t now_ns;
	int64_t wall_offset_ns;
	uint64_t random;
	uint64_t order;    /* of arming */
	GSequence *timers; /* armed struct ela_timer by (at, order) */
	GQueue posts;      /* struct post */
};

struct ela_timer {
	struct virtual_loop *owner;
	void (*fn)(void *data);
	void *data;
	uint64_t at_ns, order;
	GSequenceIter *where; /* NULL while not armed */
};

struct post {
	void (*fn)(void *data);
	void *data;
};

static uint64_t now_ns(struct ela_loop *loop)
{
	return ((struct virtual_loop *)loop)->now_ns;
}

static uint64_t wall_ns(struct ela_loop *loop)
{
	struct virtual_loop *v = (struct virtual_loop *)loop;

	return (uint64_t)((int64_t)v->now_ns + v->wall_offset_ns);
}

/* SplitMix64: good enough to spread a seed; never used outside simulations. */
static uint64_t next_random(struct virtual_loop *v)
{
	uint64_t z = (v->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void random_bytes(struct ela_loop *loop, void *buf, size_t len)
{
	uint8_t *out = buf;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(next_random((struct virtual_loop *)loop) >> 32);
}

static struct ela_timer *timer_new(struct ela_loop *loop, void (*fn)(void *data), void *data)
{
	struct ela_timer *t = g_new0(struct ela_timer, 1);

	t->owner = (struct virtual_loop *)loop;
	t->fn = fn;
	t->data = data;
	return t;
}

static int compare(gconstpointer a, gconstpointer b, gpointer unused)
{
	const struct ela_timer *x = a, *y = b;

	(void)unused;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void timer_set(struct ela_timer *t, uint64_t at_ns)
{
	if (t->where)
		g_sequence_remove(t->where);
	t->where = NULL;
	if (at_ns == 0)
		return;
	t->at_ns = at_ns;
	t->order = t->owner->order++;
	t->where = g_sequence_insert_sorted(t->owner->timers, t, compare, NULL);
}

static void timer_free(struct ela_timer *t)
{
	if (!t)
		return;
	timer_set(t, 0);
	g_free(t);
}

static struct ela_watch *watch_new(
	struct ela_loop *loop, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data)
{
	(void)loop, (void)fd, (void)events, (void)fn, (void)data;
	return NULL;
}

static void watch_set(struct ela_watch *watch, uint32_t events)
{
	(void)watch, (void)events;
}

static void watch_free(struct ela_watch *watch)
{
	(void)watch;
}

static int post(struct ela_loop *loop, void (*fn)(void *data), void *data)
{
	struct post *p = g_new(struct post, 1);

	*p = (struct post){fn, data};
	g_queue_push_tail(&((struct virtual_loop *)loop)->posts, p);
	return 0;
}

static void loop_free(struct ela_loop *loop)
{
	struct virtual_loop *v = (struct virtual_loop *)loop;

	g_sequence_free(v->timers);
	g_queue_clear_full(&v->posts, g_free);
	g_free(v);
}

static const struct ela_loop_ops ops = {
	.now_ns = now_ns,
	.wall_ns = wall_ns,
	.random = random_bytes,
	.timer_new = timer_new,
	.timer_set = timer_set,
	.timer_free = timer_free,
	.watch_new = watch_new,
	.watch_set = watch_set,
	.watch_free = watch_free,
	.post = post,
	.free = loop_free,
};

struct ela_loop *ela_loop_virtual_new(uint64_t seed)
{
	struct virtual_loop *v = g_new0(struct virtual_loop, 1);

	v->loop.ops = &ops;
	v->now_ns = ELA_SEC;                                           /* 0 would disarm timers */
	v->wall_offset_ns = (int64_t)(UINT64_C(1767225600) * ELA_SEC); /* 2026-01-01 */
	v->random = seed;
	v->timers = g_sequence_new(NULL);
	g_queue_init(&v->posts);
	return &v->loop;
}

uint64_t ela_loop_virtual_next(const struct ela_loop *loop)
{
	const struct virtual_loop *v = (const struct virtual_loop *)loop;
	GSequenceIter *first = g_sequence_get_begin_iter(v->timers);

	if (v->posts.length)
		return v->now_ns;
	if (g_sequence_iter_is_end(first))
		return UINT64_MAX;
	return ((struct ela_timer *)g_sequence_get(first))->at_ns;
}

bool ela_loop_virtual_step(struct ela_loop *loop)
{
	struct virtual_loop *v = (struct virtual_loop *)loop;
	struct post *p = g_queue_pop_head(&v->posts);
	GSequenceIter *first;
	struct ela_timer *t;

	if (p) {
		p->fn(p->data);
		g_free(p);
		return true;
	}
	first = g_sequence_get_begin_iter(v->timers);
	if (g_sequence_iter_is_end(first))
		return false;
	t = g_sequence_get(first);
	if (t->at_ns > v->now_ns)
		return false;
	timer_set(t, 0); /* before the call: fn may arm it again or free it */
	t->fn(t->data);
	return true;
}

void ela_loop_virtual_run(struct ela_loop *loop, uint64_t until_ns)
{
	struct virtual_loop *v = (struct virtual_loop *)loop;

	for (;;) {
		uint64_t next;

		while (ela_loop_virtual_step(loop))
			;
		next = ela_loop_virtual_next(loop);
		if (next > until_ns)
			break;
		v->now_ns = next;
	}
	if (until_ns > v->now_ns)
		v->now_ns = until_ns;
}

void ela_loop_virtual_wall_jump(struct ela_loop *loop, int64_t by_ns)
{
	((struct virtual_loop *)loop)->wall_offset_ns += by_ns;
}
