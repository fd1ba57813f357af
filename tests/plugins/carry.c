/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carry: moves datagrams from endpoint to endpoint through the links' impairments, and keeps what is under way in order
 * of time. Sending runs on any lane's thread; what has a delay is delivered on the receiver's control thread by its
 * timer, into the queue of the lane; what has none goes into that queue at once.
 */
#include "fabric.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANE_QUEUE_BYTES (8u << 20) /* as a well-set SO_RCVBUF */
#define LANE_QUEUE_TRAINS 16384u

static bool is_before(const struct mem_event *a, const struct mem_event *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void swap_events(struct mem_event *a, struct mem_event *b)
{
	struct mem_event c = *a;

	*a = *b;
	*b = c;
}

/* Runs on control, by host->post(): events that other threads added need the timer. */
static void on_posted(void *data)
{
	struct mem_endpoint *endpoint = data;
	bool is_up;

	mem_lock(endpoint->fabric);
	endpoint->posted = false;
	is_up = endpoint->is_up;
	mem_unlock(endpoint->fabric);
	if (is_up) /* only control itself changes it */
		mem_endpoint_run(endpoint);
}

int mem_event_add(struct mem_endpoint *endpoint, uint64_t due_ns, enum mem_event_type type, void *what)
{
	uint32_t i = endpoint->n_events;

	if (i == endpoint->room_events) {
		uint32_t room = i ? i * 2 : 16;
		struct mem_event *events = realloc(endpoint->events, room * sizeof *events);

		if (!events)
			return -ENOMEM;
		endpoint->events = events;
		endpoint->room_events = room;
	}
	endpoint->events[i] = (struct mem_event){due_ns, endpoint->fabric->order++, type, what};
	endpoint->n_events++;
	for (; i && is_before(&endpoint->events[i], &endpoint->events[(i - 1) / 2]); i = (i - 1) / 2)
		swap_events(&endpoint->events[i], &endpoint->events[(i - 1) / 2]);
	/* Without a post (out of memory) the event waits for the next one. */
	if (!endpoint->posted && (!endpoint->armed_ns || due_ns < endpoint->armed_ns))
		endpoint->posted = endpoint->host->post(endpoint->host, on_posted, endpoint) == 0;
	return 0;
}

static void pop_event(struct mem_endpoint *endpoint)
{
	struct mem_event *events = endpoint->events;
	uint32_t n = --endpoint->n_events, i = 0;

	events[0] = events[n];
	for (;;) {
		uint32_t least = i, left = 2 * i + 1, right = left + 1;

		if (left < n && is_before(&events[left], &events[least]))
			least = left;
		if (right < n && is_before(&events[right], &events[least]))
			least = right;
		if (least == i)
			return;
		swap_events(&events[i], &events[least]);
		i = least;
	}
}

void mem_event_forget(struct mem_endpoint *endpoint, const void *what)
{
	for (uint32_t i = 0; i < endpoint->n_events; i++)
		if (endpoint->events[i].what == what)
			endpoint->events[i].type = MEM_NOTHING; /* its place in the order stays */
}

void mem_endpoint_drop_events(struct mem_endpoint *endpoint)
{
	for (uint32_t i = 0; i < endpoint->n_events; i++)
		if (endpoint->events[i].type == MEM_DATAGRAM)
			mem_buf_free(endpoint->fabric, endpoint->events[i].what);
	endpoint->n_events = 0;
}

bool mem_deliver(struct mem_endpoint *to, struct mem_buf *buf)
{
	struct ela_mem_fabric *fabric = to->fabric;
	uint32_t lane = mem_addr_hash(&buf->from) % to->n_lanes; /* one sender, one lane */
	struct mem_queue *queue = &to->lanes[lane];
	uint32_t n = buf->segment ? (buf->len + buf->segment - 1) / buf->segment : 1;

	if (queue->bytes + buf->len > LANE_QUEUE_BYTES || queue->n == LANE_QUEUE_TRAINS) {
		fabric->stats.overflowed += n;
		mem_buf_free(fabric, buf);
		return false;
	}
	fabric->stats.delivered += n;
	mem_queue_push(queue, buf);
	if (queue->n == 1)
		mem_signal_raise(to->fds[lane]);
	mem_wake(fabric, to->host, lane);
	return true;
}

/* A datagram whose delay is over. The endpoint may have moved meanwhile: then nobody is where it went. */
static void land(struct mem_endpoint *endpoint, struct mem_buf *buf)
{
	if (mem_addr_equal(&buf->to, &endpoint->addr)) {
		(void)mem_deliver(endpoint, buf); /* counted there */
		return;
	}
	endpoint->fabric->stats.unreachable++;
	mem_buf_free(endpoint->fabric, buf);
}

void mem_endpoint_run(struct mem_endpoint *endpoint)
{
	struct ela_mem_fabric *fabric = endpoint->fabric;
	uint64_t now_ns = endpoint->host->now_ns(endpoint->host);

	mem_lock(fabric);
	while (endpoint->is_up && endpoint->n_events && endpoint->events[0].due_ns <= now_ns) {
		struct mem_event event = endpoint->events[0];
		struct ela_addr remote, local;
		uint32_t what = 0;
		int err = 0;

		pop_event(endpoint);
		if (event.type == MEM_DATAGRAM) {
			land(endpoint, event.what);
		} else if (event.type != MEM_NOTHING && mem_stream_event(endpoint, &event, &what, &remote, &local, &err)) {
			mem_unlock(fabric); /* core reads and writes from inside it */
			endpoint->host->conn_event(endpoint->host, what, event.what, &remote, &local, err);
			mem_lock(fabric);
		}
	}
	endpoint->armed_ns = endpoint->is_up && endpoint->n_events ? endpoint->events[0].due_ns : 0;
	if (endpoint->is_up)
		endpoint->host->timer_set(endpoint->timer, endpoint->armed_ns);
	mem_unlock(fabric);
}

/* Copies the train without the datagrams that the link loses. Returns how many are left. */
static uint32_t copy_survivors(
	struct ela_mem_fabric *fabric, const struct ela_mem_link *link, struct mem_buf *buf, const struct ela_send *send)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < send->len; at += buf->segment) {
		uint32_t len = send->len - at < buf->segment ? send->len - at : buf->segment;

		if (mem_chance(fabric, link->loss_ppm)) {
			fabric->stats.lost++;
			continue;
		}
		memcpy(buf->bytes + buf->len, send->data + at, len);
		buf->len += len;
		n++;
	}
	return n;
}

/* Sends the train on its way once; as: who the receiver sees. */
static void dispatch(struct mem_endpoint *from, const struct ela_addr *as, struct mem_endpoint *to,
	const struct ela_mem_link *link, uint64_t *free_ns, const struct ela_send *send, uint32_t segment)
{
	struct ela_mem_fabric *fabric = from->fabric;
	struct mem_buf *buf = mem_buf_new(fabric, send->len);
	uint64_t now_ns = from->host->now_ns(from->host), at_ns;
	uint32_t n;

	if (!buf) {
		fabric->stats.overflowed++;
		return;
	}
	buf->segment = segment;
	buf->from = *as;
	buf->to = to->addr;
	buf->ecn = send->ecn;
	n = copy_survivors(fabric, link, buf, send);
	at_ns = n ? mem_link_arrival(fabric, link, free_ns, now_ns, buf->len, true) : 0;
	if (at_ns && mem_chance(fabric, link->reorder_ppm)) {
		at_ns += link->reorder_ns;
		fabric->stats.reordered += n;
	}
	if (at_ns == now_ns && n) {
		(void)mem_deliver(to, buf); /* counted there */
		return;
	}
	if (!at_ns || mem_event_add(to, at_ns, MEM_DATAGRAM, buf)) {
		fabric->stats.overflowed += n;
		mem_buf_free(fabric, buf);
	}
}

static void carry_train(
	struct mem_endpoint *from, const struct ela_addr *as, const struct ela_addr *remote, const struct ela_send *send)
{
	struct ela_mem_fabric *fabric = from->fabric;
	struct mem_endpoint *to = g_hash_table_lookup(fabric->endpoints, remote);
	uint32_t segment = send->segment ? send->segment : send->len;
	uint32_t n = (send->len + segment - 1) / segment;
	const struct ela_mem_link *link;
	uint64_t *free_ns;

	fabric->stats.sent += n;
	if (!mem_link_find(fabric, &from->addr, remote, &link, &free_ns) || !to || !(to->caps & ELA_TRANSPORT_DATAGRAM)) {
		fabric->stats.unreachable += n;
		return;
	}
	if (link->black_hole && segment > link->black_hole) {
		fabric->stats.lost += n;
		return;
	}
	dispatch(from, as, to, link, free_ns, send, segment);
	if (mem_chance(fabric, link->dup_ppm)) {
		fabric->stats.duplicated += n;
		dispatch(from, as, to, link, free_ns, send, segment);
	}
}

void mem_carry(struct mem_endpoint *from, const struct ela_addr *as, const struct ela_send *send)
{
	struct ela_mem_fabric *fabric = from->fabric;
	struct ela_addr remote = send->path->remote;
	uint32_t segment = send->segment ? send->segment : send->len;
	struct ela_mem_seen seen = {.from = *as, .bytes = send->data, .len = send->len, .segment = segment, .now_ns = 0};
	const struct ela_mem_link *link;
	struct ela_send one = *send;
	uint64_t *free_ns;

	remote.scope = 0;
	seen.to = remote;
	seen.now_ns = from->host->now_ns(from->host);
	if (fabric->tap && !fabric->tap(fabric->tap_data, &seen)) {
		uint32_t n = (send->len + segment - 1) / segment;

		fabric->stats.sent += n;
		fabric->stats.lost += n;
		return;
	}
	(void)mem_link_find(fabric, &from->addr, &remote, &link, &free_ns); /* only to see whether trains are split */
	if (!link->split) {
		carry_train(from, as, &remote, send);
		return;
	}
	for (uint32_t at = 0; at < send->len; at += segment) {
		one.data = send->data + at;
		one.len = send->len - at < segment ? send->len - at : segment;
		one.segment = 0;
		carry_train(from, as, &remote, &one);
	}
}

int ela_mem_inject(struct ela_mem_fabric *fabric, const struct ela_addr *from, const struct ela_addr *to,
	const void *bytes, uint32_t len, uint32_t segment)
{
	struct mem_endpoint *endpoint;
	struct mem_buf *buf;
	int err = 0;

	if (!len || len > MEM_MAX_PACKET)
		return -EINVAL;
	mem_lock(fabric);
	endpoint = g_hash_table_lookup(fabric->endpoints, to);
	buf = endpoint ? mem_buf_new(fabric, len) : NULL;
	if (!endpoint) {
		err = -ENOENT;
	} else if (!buf) {
		err = -ENOMEM;
	} else {
		memcpy(buf->bytes, bytes, len);
		buf->len = len;
		buf->segment = segment ? segment : len;
		buf->from = *from;
		buf->to = *to;
		err = mem_deliver(endpoint, buf) ? 0 : -ENOBUFS;
	}
	mem_unlock(fabric);
	return err;
}
