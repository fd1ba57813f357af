/* SPDX-License-Identifier: Apache-2.0 */
/* host: see host.h. The control thread, except where struct ela_host says [any]. */
#include "host.h"
#include "records.h"
#include "value.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MAX_POLL 128u

struct ela_timer {
	struct ela_timer *next;
	struct check_host *h;
	void (*fn)(void *data);
	void *data;
	uint64_t at_ns;
};

struct ela_watch {
	struct ela_watch *next;
	struct check_host *h;
	int fd;
	uint32_t events;
	void (*fn)(void *data, uint32_t events);
	void *data;
};

static struct check_host *of(const struct ela_host *host)
{
	return host->priv;
}

static void __attribute__((format(printf, 2, 3))) misused(struct check_host *h, const char *format, ...)
{
	va_list args;

	(void)pthread_mutex_lock(&h->lock);
	if (!*h->misuse) {
		va_start(args, format);
		(void)vsnprintf(h->misuse, sizeof h->misuse, format, args); /* a cut line is still a line */
		va_end(args);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

static void control_only(struct check_host *h, const char *what)
{
	if (!pthread_equal(pthread_self(), h->control))
		misused(h, "%s called off the control thread", what);
}

static void host_log(const struct ela_host *host, uint32_t level, const char *text)
{
	struct check_host *h = of(host);

	if (strchr(text, '\n'))
		misused(h, "log line with a newline");
	if (level > ELA_LOG_TRACE)
		misused(h, "log level %u", level);
	if (level > ELA_LOG_WARN)
		return;
	(void)pthread_mutex_lock(&h->lock);
	(void)snprintf(h->last_error, sizeof h->last_error, "%s", text); /* may be cut */
	(void)pthread_mutex_unlock(&h->lock);
}

static uint64_t host_now(const struct ela_host *host)
{
	struct check_host *h = of(host);
	struct timespec now;

	if (h->is_virtual)
		return h->virtual_ns;
	(void)clock_gettime(CLOCK_BOOTTIME, &now); /* Linux has this clock */
	return (uint64_t)now.tv_sec * CHECK_SEC + (uint64_t)now.tv_nsec;
}

static void host_random(const struct ela_host *host, void *buf, uint32_t len)
{
	uint8_t *at = buf;

	(void)host;
	while (len) {
		ssize_t n = getrandom(at, len > 256 ? 256 : len, 0);

		if (n < 0)
			abort(); /* as host.h says of a machine without a random source */
		at += n;
		len -= (uint32_t)n;
	}
}

static struct ela_timer *timer_new(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	struct check_host *h = of(host);
	struct ela_timer *timer = h->is_poor ? NULL : calloc(1, sizeof *timer);

	control_only(h, "timer_new");
	if (!timer)
		return NULL;
	*timer = (struct ela_timer){.next = h->timers, .h = h, .fn = fn, .data = data};
	h->timers = timer;
	return timer;
}

static void timer_set(struct ela_timer *timer, uint64_t at_ns)
{
	control_only(timer->h, "timer_set");
	timer->at_ns = at_ns;
}

static void timer_free(struct ela_timer *timer)
{
	struct ela_timer **link;

	if (!timer)
		return;
	control_only(timer->h, "timer_free");
	for (link = &timer->h->timers; *link != timer; link = &(*link)->next)
		continue;
	*link = timer->next;
	free(timer);
}

static struct ela_watch *watch_new(
	const struct ela_host *host, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data)
{
	struct check_host *h = of(host);
	struct ela_watch *watch = h->is_poor ? NULL : calloc(1, sizeof *watch);

	control_only(h, "watch_new");
	if (!watch)
		return NULL;
	*watch = (struct ela_watch){.next = h->watches, .h = h, .fd = fd, .events = events, .fn = fn, .data = data};
	h->watches = watch;
	return watch;
}

static void watch_set(struct ela_watch *watch, uint32_t events)
{
	control_only(watch->h, "watch_set");
	watch->events = events;
}

static void watch_free(struct ela_watch *watch)
{
	struct ela_watch **link;

	if (!watch)
		return;
	control_only(watch->h, "watch_free");
	for (link = &watch->h->watches; *link != watch; link = &(*link)->next)
		continue;
	*link = watch->next;
	free(watch);
}

static uint64_t *counters(const struct ela_host *host, uint32_t lane)
{
	struct check_host *h = of(host);

	control_only(h, "counters");
	if (lane != ELA_LANE_CONTROL && lane >= host->n_lanes)
		misused(h, "counters of lane %u of %u", lane, host->n_lanes);
	if (lane >= ELA_MAX_LANES)
		lane = ELA_MAX_LANES;
	return h->counters + (size_t)lane * ELA_PLUGIN_MAX_COUNTERS;
}

static int host_post(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	struct check_host *h = of(host);
	struct check_post *post = h->is_poor ? NULL : calloc(1, sizeof *post);
	uint64_t one = 1;

	if (!post)
		return -ENOMEM;
	post->fn = fn;
	post->data = data;
	(void)pthread_mutex_lock(&h->lock);
	*h->posts_end = post;
	h->posts_end = &post->next;
	(void)pthread_mutex_unlock(&h->lock);
	(void)!write(h->post_fd, &one, sizeof one); /* EAGAIN: it is raised already */
	return 0;
}

static void conn_event(const struct ela_host *host, uint32_t event, void *conn, const struct ela_addr *remote,
	const struct ela_addr *local, int err)
{
	struct check_host *h = of(host);
	struct check_conn_event *entry = &h->events[h->n_events];

	control_only(h, "conn_event");
	if (h->plugin->kind != ELA_KIND_TRANSPORT || event < ELA_CONN_OPEN || event > ELA_CONN_CLOSED)
		misused(h, "conn_event %u", event);
	if (h->n_events == CHECK_MAX_EVENTS) {
		misused(h, "more than %u connection events", CHECK_MAX_EVENTS);
		return;
	}
	*entry = (struct check_conn_event){.event = event, .conn = conn, .remote = *remote, .err = err};
	entry->has_local = local != NULL;
	if (local)
		entry->local = *local;
	h->n_events++;
}

static struct check_route *find_route(struct check_host *h, const char *prefix)
{
	for (uint32_t i = 0; i < h->n_routes; i++)
		if (strcmp(h->routes[i].prefix, prefix) == 0)
			return &h->routes[i];
	return NULL;
}

uint32_t check_host_route(struct check_host *h, const char *prefix)
{
	const struct check_route *route = find_route(h, prefix);

	return route ? route->peer : UINT32_MAX;
}

static bool has_peer(const struct check_host *h, uint32_t peer)
{
	for (uint32_t i = 0; i < h->n_peers; i++)
		if (h->peers[i].peer == peer)
			return true;
	return false;
}

static int route_set(const struct ela_host *host, const char *prefix, uint32_t peer)
{
	struct check_host *h = of(host);
	struct check_route *route = find_route(h, prefix);

	control_only(h, "route_set");
	if (!has_peer(h, peer))
		return -ENOENT;
	if (!strchr(prefix, '/') || strlen(prefix) >= sizeof route->prefix)
		return -EINVAL;
	if (!route && h->n_routes == CHECK_MAX_ROUTES)
		return -ENOMEM;
	if (!route)
		route = &h->routes[h->n_routes++];
	(void)snprintf(route->prefix, sizeof route->prefix, "%s", prefix); /* its length was checked */
	route->peer = peer;
	return 0;
}

static int route_del(const struct ela_host *host, const char *prefix)
{
	struct check_host *h = of(host);
	struct check_route *route = find_route(h, prefix);

	control_only(h, "route_del");
	if (!route)
		return -ENOENT;
	*route = h->routes[--h->n_routes];
	return 0;
}

static int peer_next(const struct ela_host *host, uint32_t cursor, struct ela_peer_info *ret)
{
	struct check_host *h = of(host);

	control_only(h, "peer_next");
	for (uint32_t i = 0; i < h->n_peers; i++) {
		if (h->peers[i].peer > cursor) {
			*ret = h->peers[i];
			return 0;
		}
	}
	return -ENOENT;
}

static int message_send(const struct ela_host *host, uint32_t peer, const void *bytes, uint32_t len)
{
	struct check_host *h = of(host);

	control_only(h, "message_send");
	if (!has_peer(h, peer))
		return -ENOENT;
	if (!bytes || len > 1200)
		return -EMSGSIZE;
	return -ENOTCONN; /* nobody is there to talk to: messages may be lost */
}

static uint32_t own_id(const struct ela_host *host)
{
	struct check_host *h = of(host);

	control_only(h, "own_id");
	return h->own_id;
}

static int record_check(const struct ela_host *host, const void *record, uint32_t len, struct ela_record_info *ret)
{
	struct check_host *h = of(host);

	control_only(h, "record_check");
	return h->has_no_ring ? -EOPNOTSUPP : record_read(record, len, ret);
}

static int record_compare(const struct ela_host *host, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	struct check_host *h = of(host);
	struct ela_record_info of_a, of_b;

	control_only(h, "record_compare");
	if (h->has_no_ring)
		return -EOPNOTSUPP;
	if (record_read(a, a_len, &of_a) || record_read(b, b_len, &of_b) || of_a.id != of_b.id ||
		memcmp(of_a.key_hash, of_b.key_hash, sizeof of_a.key_hash) == 0) {
		misused(h, "record_compare of what are no two good records of different keys under one id");
		return 1;
	}
	return record_order(&of_a, &of_b);
}

static struct check_record *find_record(struct check_host *h, uint32_t id)
{
	for (uint32_t i = 0; i < h->n_records; i++)
		if (h->records[i].id == id)
			return &h->records[i];
	return NULL;
}

const struct check_record *check_host_record(const struct check_host *h, uint32_t id)
{
	for (uint32_t i = 0; i < h->n_records; i++)
		if (h->records[i].id == id)
			return &h->records[i];
	return NULL;
}

static int record_set(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	struct check_host *h = of(host);
	struct check_record *entry = find_record(h, id);
	struct ela_record_info info;

	control_only(h, "record_set");
	if (h->has_no_ring)
		return -EOPNOTSUPP;
	if (!id || id == UINT32_MAX || !via || via == UINT32_MAX)
		return -EINVAL;
	if (record_read(record, len, &info) || info.id != id)
		return -EBADMSG;
	if (info.flags & ELA_RECORD_LEAVE)
		misused(h, "record_set of a leaving record, id %08x", id);
	if (!entry && h->n_records == CHECK_MAX_RECORDS)
		return -ENOMEM;
	if (!entry)
		entry = &h->records[h->n_records++];
	*entry = (struct check_record){.id = id, .via = via, .sequence = info.sequence};
	return 0;
}

static int record_del(const struct ela_host *host, uint32_t id)
{
	struct check_host *h = of(host);
	struct check_record *entry = find_record(h, id);

	control_only(h, "record_del");
	if (h->has_no_ring)
		return -EOPNOTSUPP;
	if (!entry)
		return -ENOENT;
	*entry = h->records[--h->n_records];
	return 0;
}

static int ring_set(const struct ela_host *host, const uint32_t *ids, uint32_t n)
{
	struct check_host *h = of(host);

	control_only(h, "ring_set");
	h->n_ring_sets++;
	if (h->has_no_ring)
		return -EOPNOTSUPP;
	for (uint32_t i = 0; i < n; i++)
		if (!ids[i] || ids[i] == UINT32_MAX || (i && ids[i] <= ids[i - 1]) || n > CHECK_MAX_RECORDS)
			return -EINVAL;
	if (n)
		memcpy(h->ring, ids, n * sizeof *ids);
	h->n_ring = n;
	return 0;
}

static int host_option(const struct ela_host *host, const char *key, uint32_t index, struct ela_value *ret)
{
	struct check_host *h = of(host);
	const struct ela_option *option = check_option_find(h->plugin, key);
	const char *text, *end;
	char *copy;

	control_only(h, "option");
	if (!option) {
		misused(h, "option \"%s\" asked for, not in its table", key);
		return -EINVAL;
	}
	text = option->def;
	for (uint32_t i = 0; i < h->n_settings; i++)
		if (strcmp(h->settings[i].key, key) == 0)
			text = h->settings[i].text;
	for (; text && index; index--)
		text = option->flags & ELA_OPTION_LIST && strchr(text, ',') ? strchr(text, ',') + 1 : NULL;
	if (!text)
		return -ENOENT;
	text += strspn(text, " ");
	end = option->flags & ELA_OPTION_LIST ? strchrnul(text, ',') : text + strlen(text);
	copy = h->values[h->next_value++ % 16];
	(void)snprintf(copy, CHECK_TEXT_MAX, "%.*s", (int)(end - text), text); /* as long as a setting at most */
	return ela_value_parse(option, copy, ret);
}

static const struct ela_host services = {
	.size = sizeof(struct ela_host),
	.log = host_log,
	.option = host_option,
	.now_ns = host_now,
	.random = host_random,
	.timer_new = timer_new,
	.timer_set = timer_set,
	.timer_free = timer_free,
	.watch_new = watch_new,
	.watch_set = watch_set,
	.watch_free = watch_free,
	.counters = counters,
	.post = host_post,
	.conn_event = conn_event,
	.route_set = route_set,
	.route_del = route_del,
	.peer_next = peer_next,
	.message_send = message_send,
	.own_id = own_id,
	.record_check = record_check,
	.record_compare = record_compare,
	.record_set = record_set,
	.record_del = record_del,
	.ring_set = ring_set,
};

struct check_host *check_host_new(
	const struct ela_plugin *plugin, uint32_t n_lanes, const struct check_settings *settings)
{
	struct check_host *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->counters = calloc(ELA_MAX_LANES + 1, ELA_PLUGIN_MAX_COUNTERS * sizeof *h->counters);
	h->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!h->counters || h->post_fd < 0 || pthread_mutex_init(&h->lock, NULL) != 0) {
		free(h->counters);
		free(h);
		return NULL;
	}
	h->host = services;
	h->host.n_lanes = n_lanes;
	h->host.priv = h;
	h->plugin = plugin;
	h->control = pthread_self();
	h->posts_end = &h->posts;
	h->virtual_ns = CHECK_SEC;
	h->own_id = CHECK_OWN_ID;
	for (uint32_t i = 0; settings && i < settings->n; i++)
		(void)check_host_set(h, settings->key[i], settings->text[i]); /* main() has tried each */
	return h;
}

void check_host_free(struct check_host *h)
{
	if (!h)
		return;
	while (h->posts) {
		struct check_post *post = h->posts;

		h->posts = post->next;
		free(post);
	}
	while (h->timers)
		timer_free(h->timers);
	while (h->watches)
		watch_free(h->watches);
	(void)close(h->post_fd); /* an eventfd has nothing to fail at */
	(void)pthread_mutex_destroy(&h->lock);
	free(h->counters);
	free(h);
}

uint32_t check_host_count_timers(const struct check_host *h)
{
	uint32_t n = 0;

	for (const struct ela_timer *timer = h->timers; timer; timer = timer->next)
		n++;
	return n;
}

uint32_t check_host_count_watches(const struct check_host *h)
{
	uint32_t n = 0;

	for (const struct ela_watch *watch = h->watches; watch; watch = watch->next)
		n++;
	return n;
}

static bool run_posts(struct check_host *h)
{
	struct check_post *post;

	(void)pthread_mutex_lock(&h->lock);
	post = h->posts;
	h->posts = NULL;
	h->posts_end = &h->posts;
	(void)pthread_mutex_unlock(&h->lock);
	if (!post)
		return false;
	while (post) {
		struct check_post *next = post->next;

		post->fn(post->data);
		free(post);
		post = next;
	}
	return true;
}

/* The timer that is due first, NULL when none is armed. */
static struct ela_timer *first_timer(const struct check_host *h)
{
	struct ela_timer *first = NULL;

	for (struct ela_timer *timer = h->timers; timer; timer = timer->next)
		if (timer->at_ns && (!first || timer->at_ns < first->at_ns))
			first = timer;
	return first;
}

static bool run_timers(struct check_host *h)
{
	struct ela_timer *timer = first_timer(h);

	if (!timer || timer->at_ns > host_now(&h->host))
		return false;
	timer->at_ns = 0;
	timer->fn(timer->data);
	return true;
}

/* Waits for a watch or a post; calls the first watch that is ready: its function may free others. */
static void run_watches(struct check_host *h, int wait_ms)
{
	struct pollfd fds[MAX_POLL] = {{.fd = h->post_fd, .events = POLLIN}};
	struct ela_watch *watches[MAX_POLL];
	uint32_t n = 1;
	uint64_t count;

	for (struct ela_watch *watch = h->watches; watch && n < MAX_POLL; watch = watch->next) {
		watches[n] = watch;
		fds[n++] = (struct pollfd){.fd = watch->fd,
			.events = (short)((watch->events & ELA_EVENT_READ ? POLLIN : 0) |
							  (watch->events & ELA_EVENT_WRITE ? POLLOUT : 0))};
	}
	if (poll(fds, n, wait_ms) <= 0)
		return;
	if (fds[0].revents)
		(void)!read(h->post_fd, &count, sizeof count); /* lowered; run_posts() looks at the list itself */
	for (uint32_t i = 1; i < n; i++) {
		uint32_t events = (fds[i].revents & POLLIN ? ELA_EVENT_READ : 0) |
						  (fds[i].revents & POLLOUT ? ELA_EVENT_WRITE : 0) |
						  (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL) ? ELA_EVENT_ERROR : 0);

		if (events) {
			watches[i]->fn(watches[i]->data, events);
			return;
		}
	}
}

bool check_host_run(struct check_host *h, uint64_t for_ns, bool (*done)(void *data), void *data)
{
	uint64_t until_ns = host_now(&h->host) + for_ns;

	for (;;) {
		const struct ela_timer *timer;
		uint64_t now_ns, wait_ns;

		while (run_posts(h) || run_timers(h))
			continue;
		if (done && done(data))
			return true;
		now_ns = host_now(&h->host);
		if (now_ns >= until_ns)
			return false;
		timer = first_timer(h);
		wait_ns = timer && timer->at_ns < until_ns ? timer->at_ns : until_ns;
		if (h->is_virtual) {
			h->virtual_ns = wait_ns;
			continue;
		}
		wait_ns = wait_ns > now_ns ? wait_ns - now_ns : 0;
		/* Lanes are not this loop's: who waits for one is asked every 10 ms at least. */
		run_watches(h, wait_ns > 10 * CHECK_MSEC ? 10 : (int)((wait_ns + CHECK_MSEC - 1) / CHECK_MSEC));
	}
}
