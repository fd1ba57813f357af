/* SPDX-License-Identifier: Apache-2.0 */
/* test-host: the host services of one plugin under test (see test-host.h). The thread of test_host_run(), and any. */
#include "test-host.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MAX_WATCHES 64

struct ela_timer {
	struct ela_timer *next;
	void (*fn)(void *data);
	void *data;
	uint64_t at_ns; /* 0 = not armed */
	bool dead;      /* freed; swept when no callback runs */
};

struct ela_watch {
	struct ela_watch *next;
	void (*fn)(void *data, uint32_t events);
	void *data;
	int fd;
	uint32_t events;
	bool dead;
};

struct posted {
	struct posted *next;
	void (*fn)(void *data);
	void *data;
};

/* Strings handed out by option(): live as long as the host. */
struct string {
	struct string *next;
	char text[];
};

struct test_host_priv {
	const struct ela_plugin *plugin;
	const char *const *options;
	struct string *strings;
	uint64_t *counters; /* n_lanes + 1 blocks of n_counters; the last is control's */
	struct ela_timer *timers;
	struct ela_watch *watches;
	pthread_mutex_t lock; /* posts and the log */
	struct posted *posts, **posts_end;
	char *log;
	size_t log_len;
};

#define die(...)                                                                                                       \
	do {                                                                                                               \
		fprintf(stderr, "test-host: " __VA_ARGS__);                                                                    \
		fprintf(stderr, "\n");                                                                                         \
		exit(99);                                                                                                      \
	} while (0)

static void *must_alloc(size_t len)
{
	void *p = calloc(1, len);

	if (!p)
		die("out of memory");
	return p;
}

static struct test_host *self(const struct ela_host *host)
{
	return host->priv;
}

static void host_log(const struct ela_host *host, uint32_t level, const char *text)
{
	struct test_host_priv *p = self(host)->priv;
	size_t len = strlen(text);

	(void)pthread_mutex_lock(&p->lock);
	p->log = realloc(p->log, p->log_len + len + 4);
	if (!p->log)
		die("out of memory");
	p->log_len += (size_t)sprintf(p->log + p->log_len, "%c %s\n", "EWIDT"[level > 4 ? 4 : level], text);
	(void)pthread_mutex_unlock(&p->lock);
}

const char *test_host_log(struct test_host *th)
{
	return th->priv->log ? th->priv->log : "";
}

void test_host_log_clear(struct test_host *th)
{
	free(th->priv->log);
	th->priv->log = NULL;
	th->priv->log_len = 0;
}

static const char *keep(struct test_host_priv *p, const char *text, size_t len)
{
	struct string *s = must_alloc(sizeof *s + len + 1);

	memcpy(s->text, text, len);
	s->next = p->strings;
	p->strings = s;
	return s->text;
}

static const struct ela_option *find_option(const struct ela_plugin *plugin, const char *key, size_t len)
{
	for (uint32_t i = 0; i < plugin->n_options; i++)
		if (strlen(plugin->options[i].key) == len && !memcmp(plugin->options[i].key, key, len))
			return &plugin->options[i];
	return NULL;
}

static const char *value_text(const struct test_host_priv *p, const struct ela_option *opt)
{
	size_t len = strlen(opt->key);

	for (const char *const *o = p->options; o && *o; o++)
		if (!strncmp(*o, opt->key, len) && (*o)[len] == '=')
			return *o + len + 1;
	return opt->def;
}

/* A number with one of the option type's units; -1 when the unit is wrong. */
static int64_t scale(uint32_t type, const char *unit)
{
	static const struct {
		uint32_t type;
		const char *unit;
		int64_t factor;
	} units[] = {
		{ELA_OPTION_INT, "", 1},
		{ELA_OPTION_SIZE, "", 1},
		{ELA_OPTION_SIZE, "k", 1024},
		{ELA_OPTION_SIZE, "M", 1024 * 1024},
		{ELA_OPTION_RATE, "kbit", 1000},
		{ELA_OPTION_RATE, "mbit", 1000000},
		{ELA_OPTION_RATE, "gbit", 1000000000},
		{ELA_OPTION_DURATION, "ms", 1000000},
		{ELA_OPTION_DURATION, "s", 1000000000},
		{ELA_OPTION_DURATION, "m", 60000000000},
		{ELA_OPTION_DURATION, "h", 3600000000000},
		{ELA_OPTION_DURATION, "d", 86400000000000},
	};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].type == type && !strcmp(units[i].unit, unit))
			return units[i].factor;
	return -1;
}

static int64_t choice_index(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (int64_t i = 0; choices; i++) {
		const char *end = strchrnul(choices, '|');

		if ((size_t)(end - choices) == len && !memcmp(choices, text, len))
			return i;
		choices = *end ? end + 1 : NULL;
	}
	return -1;
}

static void parse_value(const struct ela_option *opt, const char *text, struct ela_value *ret)
{
	int64_t factor;
	char *end;

	*ret = (struct ela_value){.str = text};
	switch (opt->type) {
	case ELA_OPTION_STRING:
		if ((int64_t)strlen(text) < opt->min || (int64_t)strlen(text) > opt->max)
			die("option %s: '%s' has a bad length", opt->key, text);
		break;
	case ELA_OPTION_CHOICE:
		ret->num = choice_index(opt->choices, text);
		if (ret->num < 0)
			die("option %s: '%s' is none of %s", opt->key, text, opt->choices);
		break;
	case ELA_OPTION_IP:
		break;
	default:
		ret->num = strtoll(text, &end, 10);
		factor = scale(opt->type, end);
		if (end == text || factor < 0 || ret->num * factor < opt->min || ret->num * factor > opt->max)
			die("option %s: bad value '%s'", opt->key, text);
		ret->num *= factor;
	}
}

static int host_option(const struct ela_host *host, const char *key, uint32_t index, struct ela_value *ret)
{
	struct test_host_priv *p = self(host)->priv;
	const struct ela_option *opt = find_option(p->plugin, key, strlen(key));
	const char *text, *end;

	if (!opt)
		return -EINVAL;
	text = value_text(p, opt);
	if (!text || (index && !(opt->flags & ELA_OPTION_LIST)))
		return -ENOENT;
	if (opt->flags & ELA_OPTION_LIST) {
		for (; index; index--) {
			text = strchr(text, ',');
			if (!text)
				return -ENOENT;
			text++;
		}
		text += strspn(text, " ");
		end = strchrnul(text, ',');
	} else {
		end = text + strlen(text);
	}
	parse_value(opt, keep(p, text, (size_t)(end - text)), ret);
	return 0;
}

static uint64_t host_now_ns(const struct ela_host *host)
{
	struct timespec ts;

	(void)host;
	if (clock_gettime(CLOCK_BOOTTIME, &ts) < 0)
		die("no clock");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void host_random(const struct ela_host *host, void *buf, uint32_t len)
{
	(void)host;
	for (uint32_t done = 0; done < len;) {
		ssize_t n = getrandom((uint8_t *)buf + done, len - done, 0);

		if (n < 0)
			die("no random bytes");
		done += (uint32_t)n;
	}
}

static struct ela_timer *host_timer_new(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	struct test_host_priv *p = self(host)->priv;
	struct ela_timer *timer = must_alloc(sizeof *timer);

	*timer = (struct ela_timer){.next = p->timers, .fn = fn, .data = data};
	p->timers = timer;
	return timer;
}

static void host_timer_set(struct ela_timer *timer, uint64_t at_ns)
{
	timer->at_ns = at_ns;
}

static void host_timer_free(struct ela_timer *timer)
{
	if (timer)
		timer->dead = true;
}

static struct ela_watch *host_watch_new(
	const struct ela_host *host, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data)
{
	struct test_host_priv *p = self(host)->priv;
	struct ela_watch *watch = must_alloc(sizeof *watch);

	*watch = (struct ela_watch){.next = p->watches, .fn = fn, .data = data, .fd = fd, .events = events};
	p->watches = watch;
	return watch;
}

static void host_watch_set(struct ela_watch *watch, uint32_t events)
{
	watch->events = events;
}

static void host_watch_free(struct ela_watch *watch)
{
	if (watch)
		watch->dead = true;
}

static uint64_t *host_counters(const struct ela_host *host, uint32_t lane)
{
	struct test_host_priv *p = self(host)->priv;

	if (lane != ELA_LANE_CONTROL && lane >= host->n_lanes)
		die("counters of lane %" PRIu32, lane);
	return p->counters + (lane == ELA_LANE_CONTROL ? host->n_lanes : lane) * p->plugin->n_counters;
}

uint64_t test_host_counter(struct test_host *th, const char *name)
{
	const struct ela_plugin *plugin = th->priv->plugin;

	for (uint32_t i = 0; i < plugin->n_counters; i++) {
		uint64_t sum = 0;

		if (strcmp(plugin->counters[i], name) != 0)
			continue;
		for (uint32_t lane = 0; lane <= th->host.n_lanes; lane++)
			sum += __atomic_load_n(&th->priv->counters[lane * plugin->n_counters + i], __ATOMIC_RELAXED);
		return sum;
	}
	die("no counter %s", name);
}

static int host_post(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	struct test_host_priv *p = self(host)->priv;
	struct posted *post = must_alloc(sizeof *post);

	*post = (struct posted){.fn = fn, .data = data};
	(void)pthread_mutex_lock(&p->lock);
	*p->posts_end = post;
	p->posts_end = &post->next;
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}

static void host_conn_event(const struct ela_host *host, uint32_t event, void *conn, const struct ela_addr *remote,
	const struct ela_addr *local, int err)
{
	struct test_host *th = self(host);

	th->n_conn_events++;
	if (th->on_conn)
		th->on_conn(th, event, conn, remote, local, err);
}

static int host_route_set(const struct ela_host *host, const char *prefix, uint32_t peer)
{
	(void)host, (void)prefix, (void)peer;
	return -ENOENT;
}

static int host_route_del(const struct ela_host *host, const char *prefix)
{
	(void)host, (void)prefix;
	return -ENOENT;
}

static int host_peer_next(const struct ela_host *host, uint32_t cursor, struct ela_peer_info *ret)
{
	(void)host, (void)cursor, (void)ret;
	return -ENOENT;
}

static int host_message_send(const struct ela_host *host, uint32_t peer, const void *bytes, uint32_t len)
{
	(void)host, (void)peer, (void)bytes, (void)len;
	return -ENOENT;
}

static const struct ela_host template = {
	.size = sizeof(struct ela_host),
	.log = host_log,
	.option = host_option,
	.now_ns = host_now_ns,
	.random = host_random,
	.timer_new = host_timer_new,
	.timer_set = host_timer_set,
	.timer_free = host_timer_free,
	.watch_new = host_watch_new,
	.watch_set = host_watch_set,
	.watch_free = host_watch_free,
	.counters = host_counters,
	.post = host_post,
	.conn_event = host_conn_event,
	.route_set = host_route_set,
	.route_del = host_route_del,
	.peer_next = host_peer_next,
	.message_send = host_message_send,
};

struct test_host *test_host_new(const struct ela_plugin *plugin, uint32_t n_lanes, const char *const *options)
{
	struct test_host *th = must_alloc(sizeof *th);
	struct test_host_priv *p = must_alloc(sizeof *p);

	th->host = template;
	th->host.n_lanes = n_lanes;
	th->host.priv = th;
	th->priv = p;
	p->plugin = plugin;
	p->options = options;
	p->counters = must_alloc((n_lanes + 1) * (plugin->n_counters + 1) * sizeof *p->counters);
	p->posts_end = &p->posts;
	if (pthread_mutex_init(&p->lock, NULL) != 0)
		die("no mutex");
	for (const char *const *o = options; o && *o; o++)
		if (!find_option(plugin, *o, strcspn(*o, "=")))
			die("the plugin has no option for '%s'", *o);
	return th;
}

/* What was freed inside a callback goes here, when nothing can hold it any more. */
static void sweep(struct test_host_priv *p, bool all)
{
	for (struct ela_timer **t = &p->timers; *t;) {
		struct ela_timer *timer = *t;

		if (timer->dead || all) {
			*t = timer->next;
			free(timer);
		} else {
			t = &timer->next;
		}
	}
	for (struct ela_watch **w = &p->watches; *w;) {
		struct ela_watch *watch = *w;

		if (watch->dead || all) {
			*w = watch->next;
			free(watch);
		} else {
			w = &watch->next;
		}
	}
}

void test_host_free(struct test_host *th)
{
	struct test_host_priv *p;

	if (!th)
		return;
	p = th->priv;
	sweep(p, true);
	while (p->posts) {
		struct posted *post = p->posts;

		p->posts = post->next;
		free(post);
	}
	while (p->strings) {
		struct string *s = p->strings;

		p->strings = s->next;
		free(s);
	}
	(void)pthread_mutex_destroy(&p->lock); /* nobody holds it */
	free(p->log);
	free(p->counters);
	free(p);
	free(th);
}

static int run_posts(struct test_host_priv *p)
{
	struct posted *post;
	int n = 0;

	(void)pthread_mutex_lock(&p->lock);
	post = p->posts;
	p->posts = NULL;
	p->posts_end = &p->posts;
	(void)pthread_mutex_unlock(&p->lock);
	while (post) {
		struct posted *next = post->next;

		post->fn(post->data);
		free(post);
		post = next;
		n++;
	}
	return n;
}

static int run_timers(struct test_host *th)
{
	uint64_t now = host_now_ns(&th->host);
	int n = 0;

	for (struct ela_timer *t = th->priv->timers; t; t = t->next) {
		if (t->dead || !t->at_ns || t->at_ns > now)
			continue;
		t->at_ns = 0;
		t->fn(t->data);
		n++;
	}
	return n;
}

static int timers_wait_ms(struct test_host *th, int timeout_ms)
{
	uint64_t now = host_now_ns(&th->host);

	for (struct ela_timer *t = th->priv->timers; t; t = t->next) {
		uint64_t left_ms;

		if (t->dead || !t->at_ns)
			continue;
		left_ms = t->at_ns > now ? (t->at_ns - now + 999999) / 1000000 : 0;
		if (timeout_ms < 0 || left_ms < (uint64_t)timeout_ms)
			timeout_ms = (int)left_ms;
	}
	return timeout_ms;
}

static int run_watches(struct test_host *th, int timeout_ms)
{
	struct ela_watch *watches[MAX_WATCHES];
	struct pollfd fds[MAX_WATCHES];
	nfds_t n = 0;
	int called = 0;

	for (struct ela_watch *w = th->priv->watches; w; w = w->next) {
		if (w->dead)
			continue;
		if (n == MAX_WATCHES)
			die("more than %d watches", MAX_WATCHES);
		watches[n] = w;
		fds[n].fd = w->fd;
		fds[n].events =
			(short)((w->events & ELA_EVENT_READ ? POLLIN : 0) | (w->events & ELA_EVENT_WRITE ? POLLOUT : 0));
		fds[n++].revents = 0;
	}
	if (poll(fds, n, timeout_ms) <= 0)
		return 0;
	for (nfds_t i = 0; i < n; i++) {
		short re = fds[i].revents;
		uint32_t events = (re & POLLIN ? ELA_EVENT_READ : 0) | (re & POLLOUT ? ELA_EVENT_WRITE : 0) |
						  (re & (POLLERR | POLLHUP | POLLNVAL) ? ELA_EVENT_ERROR : 0);

		if (!events || watches[i]->dead)
			continue;
		watches[i]->fn(watches[i]->data, events);
		called++;
	}
	return called;
}

int test_host_run(struct test_host *th, int timeout_ms)
{
	int n = run_posts(th->priv);

	n += run_timers(th);
	sweep(th->priv, false);
	n += run_watches(th, n ? 0 : timers_wait_ms(th, timeout_ms));
	n += run_timers(th);
	n += run_posts(th->priv);
	sweep(th->priv, false);
	return n > 0;
}

const struct ela_plugin *test_plugin_load(const char *file)
{
	void *so = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	const struct ela_plugin *plugin;

	if (!so)
		die("%s", dlerror());
	plugin = dlsym(so, ELA_PLUGIN_SYMBOL);
	if (!plugin || plugin->magic != ELA_PLUGIN_MAGIC)
		die("%s: no plugin", file);
	return plugin;
}
