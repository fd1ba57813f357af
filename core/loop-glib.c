/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop, real time: a GMainContext behind struct ela_loop. Made and run by the control thread; now, wall, random and
 * post are for any thread.
 */
#include "loop.h"

#include <ela/host.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct glib_loop {
	struct ela_loop loop;
	GMainContext *context;
	struct clock *clock;
	GPtrArray *timers;    /* struct ela_timer, not owned */
	uint64_t round;       /* of the clock's dispatches */
	GSource *wake;        /* ready when posts wait */
	pthread_mutex_t lock; /* protects posts; not a GMutex, whose futex ThreadSanitizer does not see */
	GQueue posts;
};

struct ela_timer {
	struct glib_loop *owner;
	void (*fn)(void *data);
	void *data;
	uint64_t at_ns; /* 0 = not armed */
	uint64_t round; /* when it was armed */
};

/*
 * All timers are one source, which tells GLib in prepare how long to wait. A source for each would wake the loop each
 * time that one is armed (g_source_set_ready_time() writes to an eventfd), by far the most of what a quiet node does.
 */
struct clock {
	GSource source; /* first: GLib allocates it */
	struct glib_loop *owner;
};

struct ela_watch {
	GSource source;
	gpointer tag;
	void (*fn)(void *data, uint32_t events);
	void *data;
};

struct post {
	void (*fn)(void *data);
	void *data;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		abort(); /* the kernel has these clocks since 2.6.39 */
	return (uint64_t)ts.tv_sec * ELA_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(struct ela_loop *loop)
{
	(void)loop;
	return clock_ns(CLOCK_BOOTTIME);
}

static uint64_t wall_ns(struct ela_loop *loop)
{
	(void)loop;
	return clock_ns(CLOCK_REALTIME);
}

static void random_bytes(struct ela_loop *loop, void *buf, size_t len)
{
	uint8_t *out = buf;

	(void)loop;
	while (len) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno != EINTR)
			abort(); /* without random bytes nothing here is safe */
		if (n > 0) {
			out += n;
			len -= (size_t)n;
		}
	}
}

/* The first that is due by then, of those armed in another round; NULL: none. */
static struct ela_timer *first_due(const struct glib_loop *g, uint64_t by_ns, uint64_t but_round)
{
	struct ela_timer *first = NULL;

	for (guint i = 0; i < g->timers->len; i++) {
		struct ela_timer *t = g_ptr_array_index(g->timers, i);

		if (t->at_ns && t->at_ns <= by_ns && t->round != but_round && (!first || t->at_ns < first->at_ns))
			first = t;
	}
	return first;
}

/* GLib's clock stands still in suspend, ours does not: a timer's distance is worked out anew each time. */
static gboolean clock_prepare(GSource *source, gint *ret_wait_ms)
{
	const struct ela_timer *first = first_due(((struct clock *)source)->owner, UINT64_MAX, 0);
	uint64_t now = clock_ns(CLOCK_BOOTTIME);

	*ret_wait_ms = -1;
	if (first)
		*ret_wait_ms = first->at_ns <= now ? 0 : (gint)MIN((first->at_ns - now + 999999) / 1000000, G_MAXINT);
	return *ret_wait_ms == 0;
}

static gboolean clock_check(GSource *source)
{
	return first_due(((struct clock *)source)->owner, clock_ns(CLOCK_BOOTTIME), 0) != NULL;
}

/* What is armed meanwhile waits for the next dispatch, or a timer that is always due would keep all else waiting. */
static gboolean clock_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct glib_loop *g = ((struct clock *)source)->owner;
	uint64_t now = clock_ns(CLOCK_BOOTTIME);
	struct ela_timer *t;

	(void)callback, (void)data;
	g->round++;
	while ((t = first_due(g, now, g->round)) != NULL) {
		t->at_ns = 0;
		t->fn(t->data); /* which may free any timer */
	}
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs clock_funcs = {.prepare = clock_prepare, .check = clock_check, .dispatch = clock_dispatch};

static struct ela_timer *timer_new(struct ela_loop *loop, void (*fn)(void *data), void *data)
{
	struct ela_timer *t = g_new0(struct ela_timer, 1);

	t->owner = (struct glib_loop *)loop;
	t->fn = fn;
	t->data = data;
	g_ptr_array_add(t->owner->timers, t);
	return t;
}

static void timer_set(struct ela_timer *t, uint64_t at_ns)
{
	t->at_ns = at_ns;
	t->round = t->owner->round;
}

static void timer_free(struct ela_timer *t)
{
	if (t)
		(void)g_ptr_array_remove_fast(t->owner->timers, t); /* it is there */
	g_free(t);
}

static void source_free(GSource *source)
{
	g_source_destroy(source);
	g_source_unref(source);
}

static GIOCondition condition(uint32_t events)
{
	return (GIOCondition)(((events & ELA_EVENT_READ) ? G_IO_IN : 0) | ((events & ELA_EVENT_WRITE) ? G_IO_OUT : 0) |
						  G_IO_ERR | G_IO_HUP);
}

static gboolean watch_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct ela_watch *w = (struct ela_watch *)source;
	GIOCondition got = g_source_query_unix_fd(source, w->tag);
	uint32_t events = 0;

	(void)callback, (void)data;
	if (got & G_IO_IN)
		events |= ELA_EVENT_READ;
	if (got & G_IO_OUT)
		events |= ELA_EVENT_WRITE;
	if (got & (G_IO_ERR | G_IO_HUP))
		events |= ELA_EVENT_ERROR;
	if (events)
		w->fn(w->data, events);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = {.dispatch = watch_dispatch};

static struct ela_watch *watch_new(
	struct ela_loop *loop, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data)
{
	struct ela_watch *w = (struct ela_watch *)g_source_new(&watch_funcs, sizeof *w);

	w->fn = fn;
	w->data = data;
	w->tag = g_source_add_unix_fd(&w->source, fd, condition(events));
	(void)g_source_attach(&w->source, ((struct glib_loop *)loop)->context); /* the id is not needed */
	return w;
}

static void watch_set(struct ela_watch *w, uint32_t events)
{
	g_source_modify_unix_fd(&w->source, w->tag, condition(events));
}

static void watch_free(struct ela_watch *w)
{
	if (w)
		source_free(&w->source);
}

static int post(struct ela_loop *loop, void (*fn)(void *data), void *data)
{
	struct glib_loop *g = (struct glib_loop *)loop;
	struct post *p = g_new(struct post, 1);

	*p = (struct post){fn, data};
	(void)pthread_mutex_lock(&g->lock); /* a default mutex cannot fail */
	g_queue_push_tail(&g->posts, p);
	(void)pthread_mutex_unlock(&g->lock);
	g_source_set_ready_time(g->wake, 0); /* wakes the context from any thread */
	return 0;
}

static gboolean wake_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct glib_loop *g = data;
	GQueue taken = G_QUEUE_INIT;
	struct post *p;

	(void)callback;
	g_source_set_ready_time(source, -1); /* before the queue is read: a later post sets it again */
	(void)pthread_mutex_lock(&g->lock);  /* a default mutex cannot fail */
	taken = g->posts;
	g_queue_init(&g->posts);
	(void)pthread_mutex_unlock(&g->lock);
	while ((p = g_queue_pop_head(&taken)) != NULL) {
		p->fn(p->data);
		g_free(p);
	}
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs wake_funcs = {.dispatch = wake_dispatch};

static void loop_free(struct ela_loop *loop)
{
	struct glib_loop *g = (struct glib_loop *)loop;

	source_free(g->wake);
	source_free(&g->clock->source);
	g_ptr_array_unref(g->timers);
	g_queue_clear_full(&g->posts, g_free);
	(void)pthread_mutex_destroy(&g->lock); /* nobody posts any more */
	g_main_context_unref(g->context);
	g_free(g);
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

struct ela_loop *ela_loop_glib_new(void)
{
	struct glib_loop *g = g_new0(struct glib_loop, 1);

	g->loop.ops = &ops;
	g->context = g_main_context_ref_thread_default();
	(void)pthread_mutex_init(&g->lock, NULL); /* cannot fail with default attributes on Linux */
	g_queue_init(&g->posts);
	g->timers = g_ptr_array_new();
	g->round = 1; /* 0 is none */
	g->clock = (struct clock *)g_source_new(&clock_funcs, sizeof *g->clock);
	g->clock->owner = g;
	(void)g_source_attach(&g->clock->source, g->context); /* the id is not needed: we keep the pointer */
	g->wake = g_source_new(&wake_funcs, sizeof(GSource));
	g_source_set_callback(g->wake, NULL, g, NULL); /* only carries the pointer to dispatch */
	g_source_set_ready_time(g->wake, -1);
	(void)g_source_attach(g->wake, g->context); /* the id is not needed */
	return &g->loop;
}

void ela_loop_free(struct ela_loop *loop)
{
	if (loop)
		loop->ops->free(loop);
}
