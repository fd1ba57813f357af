/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane: the turn, the thread around it, readiness. Lane thread, but for what is marked [control].
 *
 * Readiness is edge-triggered: a source stays ready until it said EAGAIN. A lane sleeps only when a whole turn found
 * nothing to do.
 */
#include "lane.h"

#include "copies.h"
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_EVENTS 32

/* ---- readiness ---- */

int ela_lane_watch(struct ela_lane *lane, struct ela_source *source, bool want_write)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (want_write ? (uint32_t)EPOLLOUT : 0), .data.ptr = source};

	if (source->fd < 0)
		lane->polls |= source->kind != ELA_SOURCE_WAKE;
	if (source->fd < 0 || lane->epoll_fd < 0)
		return 0;
	if (epoll_ctl(lane->epoll_fd, EPOLL_CTL_MOD, source->fd, &ev) == 0)
		return 0;
	if (errno == ENOENT && epoll_ctl(lane->epoll_fd, EPOLL_CTL_ADD, source->fd, &ev) == 0)
		return 0;
	return -errno;
}

void ela_lane_unwatch(struct ela_lane *lane, struct ela_source *source)
{
	if (source->fd >= 0 && lane->epoll_fd >= 0)
		(void)epoll_ctl(lane->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL); /* it may have closed already */
}

static void drain_wake(struct ela_lane *lane)
{
	uint64_t count;

	(void)!read(lane->wake_fd, &count, sizeof count); /* empty is as good */
}

static void take_event(struct ela_lane *lane, const struct epoll_event *ev)
{
	struct ela_source *source = ev->data.ptr;

	if (source->kind == ELA_SOURCE_WAKE) {
		drain_wake(lane);
		return;
	}
	if (ev->events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
		source->ready = true;
	if ((ev->events & EPOLLOUT) && source->kind == ELA_SOURCE_DATAGRAM)
		(void)ela_lane_watch(lane, source, false); /* the turn resumes what was held; on failure it wakes once more */
	if ((ev->events & EPOLLOUT) && source->kind == ELA_SOURCE_LINK)
		source->link->blocked = false;
}

static void poll_events(struct ela_lane *lane, int timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(lane->epoll_fd, events, MAX_EVENTS, timeout_ms);

	for (int i = 0; i < n; i++)
		take_event(lane, &events[i]);
}

/* How long there is nothing to do but wait for an event. */
static int sleep_ms(const struct ela_lane *lane)
{
	if (lane->blocked_ns || lane->polls)
		return 1;
	return lane->n_waiters || ela_copies_wait(lane->copies) ? 50 : -1;
}

/* ---- the turn ---- */

static bool run_commands(struct ela_lane *lane)
{
	struct ela_command command;
	bool did = false;

	while (ela_commands_pop(&lane->commands, &command)) {
		command.run(lane, command.data);
		did = true;
	}
	return did;
}

static bool turn_links(struct ela_lane *lane)
{
	bool did = false;

	for (guint i = 0; i < lane->links->len; i++)
		did |= ela_link_turn(lane, g_ptr_array_index(lane->links, i));
	return did;
}

/* A source without a descriptor is asked every turn. */
static bool is_ready(const struct ela_source *source)
{
	return source->ready || source->fd < 0;
}

void ela_lane_begin(struct ela_lane *lane)
{
	lane->now_ns = ela_loop_now(lane->node->loop);
	lane->own = atomic_load_explicit(&lane->node->own, memory_order_acquire);
}

bool ela_lane_turn(struct ela_lane *lane)
{
	bool did;

	ela_qsbr_online(&lane->node->qsbr, lane->number);
	ela_lane_begin(lane);
	(void)ela_node_clocks_jumped(lane->node); /* this turn sees the suspension */
	did = run_commands(lane);
	if (lane->blocked_ns)
		did |= ela_capsulate_resume(lane);
	if (lane->n_waiters || ela_copies_wait(lane->copies))
		ela_capsulate_waiters(lane);
	if (lane->has_device && !lane->blocked_ns && is_ready(&lane->device))
		did |= ela_capsulate_turn(lane);
	for (uint32_t i = 0; i < lane->n_datagrams; i++)
		if (is_ready(&lane->datagrams[i]))
			did |= ela_decapsulate_turn(lane, &lane->datagrams[i]);
	did |= turn_links(lane);
	if (lane->epoll_fd < 0)
		ela_qsbr_offline(&lane->node->qsbr, lane->number); /* the caller's thread may do anything in between */
	return did;
}

static void *lane_thread(void *data)
{
	struct ela_lane *lane = data;

	while (!atomic_load_explicit(&lane->stop, memory_order_acquire)) {
		if (ela_lane_turn(lane)) {
			poll_events(lane, 0);
			continue;
		}
		ela_qsbr_offline(&lane->node->qsbr, lane->number);
		poll_events(lane, sleep_ms(lane));
	}
	ela_qsbr_offline(&lane->node->qsbr, lane->number);
	return NULL;
}

void ela_lane_to_control(struct ela_lane *lane, const struct ela_path *path, const uint8_t *data, uint32_t len)
{
	struct ela_ring_slot *slot;

	if (len > ELA_DATAGRAM_MAX_CONTROL) {
		ELA_COUNT(lane, DROP_OVERSIZE, 1);
		return;
	}
	/* Anybody may send the others; MESSAGE frames got here for a session that there is: some room is theirs alone. */
	if (data[1] != ELA_TYPE_MESSAGE && ela_ring_fill(lane->up) >= ELA_RING_SLOTS - ELA_RING_KEPT)
		slot = NULL;
	else
		slot = ela_ring_claim(lane->up);
	if (!slot) {
		ELA_COUNT(lane, DROP_CONTROL_FULL, 1);
		ela_node_attention(lane->node);
		return;
	}
	slot->path = *path;
	slot->len = len;
	memcpy(slot->data, data, len);
	ela_ring_push(lane->up);
	ela_node_attention(lane->node);
}

uint32_t ela_lane_send(
	struct ela_lane *lane, struct ela_transport *t, const struct ela_send *sends, uint32_t n, int *ret_err)
{
	int done;

	*ret_err = 0;
	if (lane->number == 0)
		(void)pthread_mutex_lock(&t->send_lock); /* control sends here too; a default mutex cannot fail */
	done = t->ops->send_burst(t->self, lane->number, sends, n, ret_err);
	if (lane->number == 0)
		(void)pthread_mutex_unlock(&t->send_lock);
	return done > 0 ? (uint32_t)done : 0;
}

/* Control looks at what is written here when it sees the mark, without the lock. */
static bool mark_opened(struct ela_session *s, const struct ela_path *path)
{
	bool first;

	(void)pthread_mutex_lock(&s->lock); /* a default mutex cannot fail */
	first = !atomic_load_explicit(&s->opened, memory_order_relaxed);
	if (first)
		s->first = *path;
	atomic_store_explicit(&s->opened, 1, memory_order_release);
	(void)pthread_mutex_unlock(&s->lock);
	return first;
}

void ela_lane_heard(struct ela_lane *lane, struct ela_session *s, const struct ela_path *path, uint32_t events)
{
	atomic_store_explicit(&s->rx_ns, lane->now_ns, memory_order_relaxed);
	if (__builtin_expect(!atomic_load_explicit(&s->opened, memory_order_relaxed), 0) && mark_opened(s, path))
		events |= ELA_PEER_OPENED;
	if (events)
		ela_peer_event(s->peer, events);
}

void ela_lane_want(struct ela_lane *lane, struct ela_peer *peer)
{
	atomic_store_explicit(&peer->want_ns, lane->now_ns, memory_order_relaxed);
	ela_peer_event(peer, ELA_PEER_WANT);
}

/* ---- control's side ---- */

void ela_lane_wake(struct ela_lane *lane)
{
	const uint64_t one = 1;

	if (lane->wake_fd >= 0)
		(void)!write(lane->wake_fd, &one, sizeof one); /* full means it is awake */
}

void ela_lane_push_pending(struct ela_lane *lane)
{
	GQueue *pending = &lane->node->pending_commands[lane->number];
	struct ela_command *c;

	while ((c = g_queue_peek_head(pending)) != NULL && ela_commands_push(&lane->commands, *c))
		g_free(g_queue_pop_head(pending));
}

void ela_lane_command(struct ela_lane *lane, void (*fn)(void *lane, void *data), void *data)
{
	struct ela_command *c = g_new(struct ela_command, 1);

	*c = (struct ela_command){fn, data};
	g_queue_push_tail(&lane->node->pending_commands[lane->number], c);
	ela_lane_push_pending(lane);
	ela_lane_wake(lane);
}

static bool make_buffers(struct ela_lane *lane)
{
	lane->arena = aligned_alloc(64, ELA_ARENA_LEN);
	lane->out = aligned_alloc(64, ELA_OUT_LEN);
	lane->scratch = aligned_alloc(64, 128u * 1024u);
	lane->train_bytes = aligned_alloc(64, (size_t)ELA_TRAINS * ELA_TRAIN_ROOM);
	lane->stream_in = aligned_alloc(64, 256u * 1024u);
	lane->waiter_bytes = aligned_alloc(64, ELA_WAITERS * ELA_WAITER_LEN);
	lane->held_paths = calloc(ELA_MAX_SENDS, sizeof *lane->held_paths);
	lane->up = aligned_alloc(64, sizeof *lane->up);
	lane->coalesce = ela_coalesce_new(2 * ELA_BURST);
	lane->copies = ela_copies_new();
	if (!lane->arena || !lane->out || !lane->scratch || !lane->train_bytes || !lane->stream_in || !lane->waiter_bytes ||
		!lane->held_paths || !lane->up || !lane->coalesce || !lane->copies)
		return false;
	memset(lane->up, 0, offsetof(struct ela_ring, slots)); /* a slot is written before it is read, and most never are */
	for (uint32_t i = 0; i < ELA_TRAINS; i++) {
		lane->trains[i].data = lane->train_bytes + i * ELA_TRAIN_ROOM;
		lane->trains[i].room = 65536;
	}
	return true;
}

struct ela_lane *ela_lane_new(struct ela_node *node, uint32_t number)
{
	struct ela_lane *lane = aligned_alloc(64, (sizeof *lane + 63) & ~(size_t)63);

	if (!lane)
		return NULL;
	memset(lane, 0, sizeof *lane);
	lane->node = node;
	lane->number = number;
	lane->epoll_fd = lane->wake_fd = -1;
	lane->want_trains = ELA_TRAINS;
	lane->links = g_ptr_array_new();
	if (!make_buffers(lane)) {
		ela_lane_free(lane);
		return NULL;
	}
	return lane;
}

void ela_lane_free(struct ela_lane *lane)
{
	if (!lane)
		return;
	if (lane->epoll_fd >= 0)
		(void)close(lane->epoll_fd);
	if (lane->wake_fd >= 0)
		(void)close(lane->wake_fd);
	g_ptr_array_free(lane->links, TRUE);
	ela_copies_free(lane->copies);
	ela_coalesce_free(lane->coalesce);
	free(lane->up);
	free(lane->held_paths);
	free(lane->waiter_bytes);
	free(lane->stream_in);
	free(lane->train_bytes);
	free(lane->scratch);
	free(lane->out);
	free(lane->arena);
	free(lane);
}

/* The lane's datagram sockets of one transport. */
static int add_sockets(struct ela_lane *lane, struct ela_transport *tr)
{
	for (uint32_t k = 0;; k++) {
		int err, fd = tr->ops->lane_fd(tr->self, lane->number, k);
		struct ela_source *s = &lane->datagrams[lane->n_datagrams];

		if (fd == -ENOENT)
			return 0;
		if (lane->n_datagrams == G_N_ELEMENTS(lane->datagrams))
			return -EMFILE; /* one that is not watched would be read by chance */
		/* One read takes from all sockets of the lane, so one source stands for each descriptor's readiness. */
		*s = (struct ela_source){.kind = ELA_SOURCE_DATAGRAM, .fd = fd, .ready = true, .transport = tr};
		lane->n_datagrams++;
		err = ela_lane_watch(lane, s, false);
		if (err != 0)
			return err;
		if (fd < 0)
			return 0;
	}
}

static int add_datagrams(struct ela_lane *lane)
{
	struct ela_node *node = lane->node;
	int err = 0;

	for (uint32_t i = 0; i < node->n_transports && err == 0; i++)
		if (node->transports[i].info.caps & ELA_TRANSPORT_DATAGRAM)
			err = add_sockets(lane, &node->transports[i]);
	return err;
}

int ela_lane_prepare(struct ela_lane *lane)
{
	struct ela_node *node = lane->node;
	int err;

	if (node->flags & ELA_NODE_THREADS) {
		lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (lane->epoll_fd < 0 || lane->wake_fd < 0)
			return -errno;
	}
	lane->wake = (struct ela_source){.kind = ELA_SOURCE_WAKE, .fd = lane->wake_fd};
	err = ela_lane_watch(lane, &lane->wake, false);
	lane->has_device = lane->number < node->npd_info.n_queues;
	if (lane->has_device) {
		lane->device = (struct ela_source){.kind = ELA_SOURCE_DEVICE,
			.fd = node->npd->loaded->npd.queue_fd(node->npd->self, lane->number),
			.ready = true};
		if (err == 0)
			err = ela_lane_watch(lane, &lane->device, false);
	}
	ela_coalesce_caps(lane->coalesce, node->npd_info.caps);
	return err == 0 ? add_datagrams(lane) : err;
}

void ela_lane_start(struct ela_lane *lane)
{
	char name[16];

	(void)g_snprintf(name, sizeof name, "lane%u", lane->number);
	lane->thread = g_thread_new(name, lane_thread, lane);
}

void ela_lane_stop(struct ela_lane *lane)
{
	if (!lane->thread)
		return;
	atomic_store_explicit(&lane->stop, true, memory_order_release);
	ela_lane_wake(lane);
	(void)g_thread_join(lane->thread); /* returns NULL always */
	lane->thread = NULL;
}
