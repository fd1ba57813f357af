/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link, the control thread's side: dialling, accepting, the handshake, handing over to a lane, ending. Limits for
 * strangers: 64 connections that have not authenticated, 4 of one address, 5 s each; the oldest goes first.
 */
#include "link.h"

#include "classification.h"
#include "handshake-xx.h"
#include "inet.h"
#include "lane.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

#define GREETING_NS (5 * ELA_SEC)
#define DIAL_NS (10 * ELA_SEC)
#define STRANGERS 64u
#define STRANGERS_OF_ADDRESS 4u
#define GREETINGS 8u            /* records of one greeting; with a cookie on the way it takes three */
#define INBOX_MAX (64u * 1024u) /* all of it is to fit into an empty out buffer */
_Static_assert(INBOX_MAX <= ELA_LINK_OUT, "control's frames would never leave");

struct ela_link *ela_link_find(struct ela_node *node, uint64_t id)
{
	for (guint i = 0; i < node->links->len; i++) {
		struct ela_link *link = g_ptr_array_index(node->links, i);

		if (link->id == id && link->state != ELA_LINK_DEAD)
			return link;
	}
	return NULL;
}

/* ---- ending ---- */

/* After the grace period: no lane holds it. */
static void close_and_free(void *data)
{
	struct ela_link *link = data;

	link->transport->ops->conn_close(link->transport->self, link->conn);
	for (const struct ela_flow_buf *buf = link->inbox_packets; buf; buf = buf->next)
		ELA_COUNT(link->node, DROP_QUEUE, buf->frames);
	ELA_COUNT(link->node, DROP_QUEUE, link->queue ? ela_flowqueue_frames(link->queue) : 0);
	(void)pthread_mutex_destroy(&link->inbox_lock); /* nobody holds it after the grace period */
	ela_link_drop_lane_state(link);
	g_free(link);
}

/* Runs on the lane, behind which the grace period begins. */
static void let_go(void *lane, void *data)
{
	struct ela_link *link = data;
	struct ela_node *node = link->node;

	ela_link_detach_on_lane(lane, link);
	atomic_store(&link->detached, true);
	ela_node_attention(node);
}

void ela_link_close(struct ela_link *link)
{
	struct ela_node *node = link->node;
	bool attached = link->state == ELA_LINK_ATTACHED;

	if (link->state == ELA_LINK_DEAD)
		return;
	ela_xx_end(link);
	ELA_COUNT(node, STREAMS_CLOSED, 1);
	link->state = ELA_LINK_DEAD;
	node->loop->ops->watch_free(link->watch);
	link->watch = NULL;
	node->loop->ops->timer_free(link->timer);
	link->timer = NULL;
	if (link->peer && link->peer->tx_shadow && link->peer->tx_shadow->link == link)
		ela_peer_publish(link->peer, NULL, NULL);
	if (link->peer && link->peer->link == link)
		link->peer->link = NULL;
	for (uint32_t i = 0; link->peer && i < ELA_ATTEMPTS; i++)
		if (link->peer->dialling[i] == link)
			link->peer->dialling[i] = NULL;
	if (attached) {
		/* Before the command, which may come late: a turn that begins after this asks for no peer any more. */
		atomic_store(&link->failed, true);
		ela_lane_command(link->lane, let_go, link); /* ela_links_reap() goes on from there */
		return;
	}
	(void)g_ptr_array_remove_fast(node->links, link); /* it is there */
	/* Never inside the transport's or the watch's own call, but before the next thousand strangers. */
	ela_qsbr_retire(&node->qsbr, close_and_free, link);
	node->loop->ops->timer_set(node->soon, ela_loop_now(node->loop));
}

void ela_links_close_of(struct ela_peer *peer)
{
	for (guint i = peer->node->links->len; i-- > 0;) {
		struct ela_link *link = g_ptr_array_index(peer->node->links, i);

		if (link->peer == peer)
			ela_link_close(link); /* takes this one out, or none */
	}
}

bool ela_link_claim(struct ela_node *node, uint64_t id, struct ela_peer *peer)
{
	struct ela_link *link = ela_link_find(node, id);

	if (!link || (link->peer && link->peer != peer))
		return false;
	link->peer = peer;
	return true;
}

void ela_links_reap(struct ela_node *node)
{
	for (guint i = node->links->len; i-- > 0;) {
		struct ela_link *link = g_ptr_array_index(node->links, i);

		if (link->state != ELA_LINK_DEAD || !atomic_load(&link->detached))
			continue;
		(void)g_ptr_array_remove_index_fast(node->links, i); /* it is this one */
		ela_qsbr_retire(&node->qsbr, close_and_free, link);
	}
}

void ela_links_free(struct ela_node *node)
{
	while (node->links->len) {
		struct ela_link *link = g_ptr_array_index(node->links, 0);

		ela_link_close(link); /* no lane runs any more: what is left is ours */
		if (node->links->len && g_ptr_array_index(node->links, 0) == link) {
			(void)g_ptr_array_remove_index_fast(node->links, 0); /* it is this one */
			ela_qsbr_retire(&node->qsbr, close_and_free, link);
		}
	}
}

static void refuse(struct ela_link *link)
{
	ELA_COUNT(link->node, DROP_STREAM, 1);
	ela_link_close(link);
}

/* ---- greeting: the handshake, or one probe ---- */

/* A probe is all that its connection is for: the first record of somebody who called. */
static bool may_greet(const struct ela_link *link, const uint8_t *frame)
{
	return frame[1] == ELA_TYPE_HANDSHAKE || frame[1] == ELA_TYPE_MESSAGE ||
		   (frame[1] == ELA_TYPE_PROBE && link->greetings == 1 && !link->dialled);
}

/* Records of the greeting, read byte-exactly: what follows the handshake belongs to the lane. False: closed. */
static bool read_greeting(struct ela_link *link, bool *ret_did)
{
	const struct ela_transport_ops *ops = link->transport->ops;
	uint32_t need = ELA_RECORD_HEAD;
	struct ela_record record;
	int got, err = 0, n;

	got = ela_record_next(link->greeting, link->greeting_len, ELA_STREAM_MAX_STRANGER, &record, &need);
	if (got < 0 || (got == 0 && need > sizeof link->greeting)) {
		refuse(link);
		return false;
	}
	if (got == 0) {
		n = ops->conn_read(
			link->transport->self, link->conn, link->greeting + link->greeting_len, need - link->greeting_len, &err);
		if (n > 0) {
			link->greeting_len += (uint32_t)n;
			*ret_did = true;
			return true;
		}
		if (err != -EAGAIN) {
			ela_xx_say(link, "it closes the connection");
			refuse(link);
		}
		return false;
	}
	link->greeting_len = 0;
	*ret_did = true;
	if (++link->greetings > GREETINGS || ela_frame_is_relayed(record.data, record.len) ||
		record.kind != ELA_RECORD_FRAME || !ela_header_ok(record.data, record.len) || !ela_header_ttl_ok(record.data) ||
		!may_greet(link, record.data)) {
		refuse(link);
		return false;
	}
	return true;
}

/* Nothing is answered, and the connection ends. */
static void take_probe(struct ela_link *link, const struct ela_path *path, const uint8_t *frame, uint32_t len)
{
	struct ela_node *node = link->node;
	uint64_t id = link->id;
	bool wanted = ela_classify_probe(node, path, frame, len); /* whoever is told may have closed it */

	link = ela_link_find(node, id);
	if (link && wanted)
		ela_link_close(link);
	else if (link)
		refuse(link);
}

/* True while there may be more. */
static bool greet(struct ela_link *link)
{
	const struct ela_path path = {
		.remote = link->remote, .local = link->local, .transport = link->transport->number, .link = link->id};
	struct ela_node *node = link->node;
	uint64_t id = link->id;
	bool did = false, go_on = false, complete;
	const uint8_t *frame;
	uint32_t len;

	if (!read_greeting(link, &did))
		return false;
	complete = did && link->greeting_len == 0;
	if (!complete)
		return did;
	len = ela_get32(link->greeting) & 0xffffffu;
	frame = link->greeting + ELA_RECORD_HEAD;
	if (frame[1] == ELA_TYPE_PROBE) {
		take_probe(link, &path, frame, len);
		return false;
	}
	if (frame[1] == ELA_TYPE_HANDSHAKE)
		go_on = ela_handshake_input(node, &path, frame, len);
	else
		ela_control_input(node, &path, frame, len); /* the first sealed frame confirms, and a lane takes over */
	link = ela_link_find(node, id);
	if (!link || link->state != ELA_LINK_GREETING)
		return false;
	if (!go_on)
		refuse(link); /* without a byte in answer */
	return go_on;
}

bool ela_link_poll_greeting(struct ela_link *link)
{
	bool did = false;

	while (link->state == ELA_LINK_GREETING && greet(link))
		did = true;
	return did;
}

static void greeting_ready(void *data, uint32_t events)
{
	struct ela_link *link = data;

	(void)events; /* errors show when reading */
	(void)ela_link_poll_greeting(link);
}

static void greeting_late(void *data)
{
	struct ela_link *link = data;

	ela_xx_say(link, link->state == ELA_LINK_DIALLING ? "no connection in time" : "it does not answer");
	refuse(link);
}

static void begin_greeting(struct ela_link *link)
{
	struct ela_node *node = link->node;
	int fd = link->transport->ops->conn_fd(link->transport->self, link->conn);

	link->state = ELA_LINK_GREETING;
	ELA_COUNT(node, STREAMS_OPENED, 1);
	node->loop->ops->timer_set(link->timer, ela_loop_now(node->loop) + GREETING_NS);
	if (fd >= 0)
		link->watch = node->loop->ops->watch_new(node->loop, fd, ELA_EVENT_READ, greeting_ready, link);
}

/* ---- coming ---- */

static struct ela_link *new_link(struct ela_node *node, struct ela_transport *t, const struct ela_addr *remote)
{
	struct ela_link *link = g_new0(struct ela_link, 1);

	link->node = node;
	link->transport = t;
	link->id = ++node->next_link;
	link->remote = *remote;
	link->since_ns = ela_loop_now(node->loop);
	link->source.fd = -1;
	(void)pthread_mutex_init(&link->inbox_lock, NULL); /* cannot fail with default attributes on Linux */
	link->timer = node->loop->ops->timer_new(node->loop, greeting_late, link);
	g_ptr_array_add(node->links, link);
	return link;
}

/* Starts its connection. 0, or -errno: it is no more, and there was nothing to close at the transport. */
static int start_dialling(struct ela_link *link, uint64_t timeout_ns)
{
	struct ela_transport *t = link->transport;
	int err;

	link->dialled = true;
	link->state = ELA_LINK_DIALLING;
	link->node->loop->ops->timer_set(link->timer, link->since_ns + timeout_ns);
	err = t->ops->connect(t->self, &link->remote, &link->conn);
	if (err == 0)
		return 0;
	link->node->loop->ops->timer_free(link->timer);
	(void)g_ptr_array_remove_fast(link->node->links, link); /* it is there */
	(void)pthread_mutex_destroy(&link->inbox_lock);         /* nobody holds it */
	g_free(link);
	return err;
}

struct ela_link *ela_link_dial(
	struct ela_node *node, struct ela_peer *peer, struct ela_transport *t, const struct ela_addr *addr)
{
	struct ela_link *link = new_link(node, t, addr);
	int err;

	link->peer = peer;
	err = start_dialling(link, DIAL_NS);
	if (err == 0)
		return link;
	ela_way_failed(peer, t->number, addr, err);
	return NULL;
}

int ela_link_call(
	struct ela_node *node, struct ela_transport *t, const struct ela_addr *addr, struct ela_xx *xx, uint64_t *ret_id)
{
	struct ela_link *link = new_link(node, t, addr);
	uint64_t id = link->id;
	int err = start_dialling(link, DIAL_NS);

	if (err != 0)
		return err;
	link->xx = xx;
	*ret_id = id;
	return 0;
}

int ela_link_probe(struct ela_node *node, struct ela_transport *t, const struct ela_addr *addr, const uint8_t *frame,
	uint32_t len, uint64_t timeout_ns)
{
	struct ela_link *link = new_link(node, t, addr);

	link->probes = true;
	ela_record_put(link->greeting, ELA_RECORD_FRAME, len);
	memcpy(link->greeting + ELA_RECORD_HEAD, frame, len);
	link->greeting_len = ELA_RECORD_HEAD + len;
	return start_dialling(link, timeout_ns);
}

/* The probe's connection is there: one record, and it ends. A fresh connection takes it at once, or is dead. */
static void say_probe(struct ela_link *link)
{
	const struct iovec iov = {link->greeting, link->greeting_len};
	int err = 0;

	if (link->transport->ops->conn_write(link->transport->self, link->conn, &iov, 1, &err) == (int)iov.iov_len)
		ELA_COUNT(link->node, PROBES_OUT, 1);
	ela_link_close(link);
}

/* Room for one more stranger from there: the oldest of its address, or of all, goes. */
static void limit_strangers(struct ela_node *node, const struct ela_addr *remote)
{
	struct ela_link *oldest = NULL, *oldest_same = NULL;
	uint32_t all = 0, same = 0;

	for (guint i = 0; i < node->links->len; i++) {
		struct ela_link *link = g_ptr_array_index(node->links, i);

		if (link->dialled || link->state != ELA_LINK_GREETING)
			continue;
		all++;
		if (!oldest || link->id < oldest->id)
			oldest = link;
		if (!ela_inet_same_network(&link->remote, remote))
			continue;
		same++;
		if (!oldest_same || link->id < oldest_same->id)
			oldest_same = link;
	}
	if (same >= STRANGERS_OF_ADDRESS)
		refuse(oldest_same);
	else if (all >= STRANGERS)
		refuse(oldest);
}

static struct ela_link *find_conn(struct ela_node *node, const void *conn)
{
	for (guint i = 0; i < node->links->len; i++) {
		struct ela_link *link = g_ptr_array_index(node->links, i);

		if (link->conn == conn)
			return link;
	}
	return NULL;
}

static void accepted(struct ela_node *node, struct ela_transport *t, void *conn, const struct ela_addr *remote,
	const struct ela_addr *local)
{
	struct ela_link *link;

	if (!node->running || !ela_addr_allowed(node, remote)) {
		ELA_COUNT(node, DROP_STREAM, 1);
		t->ops->conn_close(t->self, conn);
		return;
	}
	limit_strangers(node, remote);
	link = new_link(node, t, remote);
	link->conn = conn;
	if (local)
		link->local = *local;
	begin_greeting(link);
}

void ela_link_event(struct ela_node *node, struct ela_transport *t, uint32_t event, void *conn,
	const struct ela_addr *remote, const struct ela_addr *local, int err)
{
	struct ela_link *link;
	char text[64];

	if (event == ELA_CONN_ACCEPTED) {
		accepted(node, t, conn, remote, local);
		return;
	}
	link = find_conn(node, conn);
	if (!link || link->state == ELA_LINK_DEAD)
		return;
	if (event == ELA_CONN_OPEN && link->state == ELA_LINK_DIALLING) {
		if (link->probes) {
			say_probe(link);
			return;
		}
		if (local)
			link->local = *local;
		begin_greeting(link);
		if (link->xx)
			ela_xx_open(link);
		else
			ela_initiate_on_link(link->peer, link);
		return;
	}
	if (event == ELA_CONN_CLOSED) {
		ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_DEBUG, "link", "refused remote=%s reason=\"%s\"",
			ela_addr_text(&link->remote, text), g_strerror(-err));
		ela_xx_say(link, g_strerror(-err));
		if (link->dialled && link->peer && link->state != ELA_LINK_ATTACHED)
			ela_way_failed(link->peer, t->number, &link->remote, err);
		ela_link_close(link);
	}
}

/* ---- sending for control ---- */

static int post_inbox(struct ela_link *link, const uint8_t *record, uint32_t len)
{
	int err = 0;

	(void)pthread_mutex_lock(&link->inbox_lock); /* a default mutex cannot fail */
	if (link->inbox_len + len > INBOX_MAX) {
		err = -EAGAIN;
	} else {
		if (link->inbox_len + len > link->inbox_room) {
			link->inbox_room = MAX(link->inbox_room * 2, link->inbox_len + len);
			link->inbox = g_realloc(link->inbox, link->inbox_room);
		}
		memcpy(link->inbox + link->inbox_len, record, len);
		link->inbox_len += len;
		atomic_store_explicit(&link->inbox_waits, true, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&link->inbox_lock);
	ela_lane_wake(link->lane);
	return err;
}

int ela_link_post(struct ela_link *link, const uint8_t *frame, uint32_t len)
{
	uint8_t record[ELA_RECORD_HEAD + ELA_DATAGRAM_MAX_CONTROL];
	const struct iovec iov = {record, ELA_RECORD_HEAD + len};
	int err = 0, n;

	if (len > ELA_DATAGRAM_MAX_CONTROL)
		return -EMSGSIZE;
	ela_record_put(record, ELA_RECORD_FRAME, len);
	memcpy(record + ELA_RECORD_HEAD, frame, len);
	if (link->state == ELA_LINK_ATTACHED)
		return post_inbox(link, record, ELA_RECORD_HEAD + len);
	if (link->state != ELA_LINK_GREETING)
		return -EPIPE;
	n = link->transport->ops->conn_write(link->transport->self, link->conn, &iov, 1, &err);
	if (n == (int)iov.iov_len)
		return 0;
	refuse(link); /* a fresh connection takes a few hundred bytes at once, or it is dead; half a record helps nobody */
	return -EPIPE;
}

/* ---- to a lane ---- */

void ela_link_attach(struct ela_link *link)
{
	struct ela_node *node = link->node;
	struct ela_lane *lane = node->lanes[link->peer->number % node->n_lanes];

	ela_xx_end(link);
	node->loop->ops->watch_free(link->watch);
	link->watch = NULL;
	node->loop->ops->timer_set(link->timer, 0);
	link->lane = lane;
	link->queue = ela_flowqueue_new();
	link->out = malloc(ELA_LINK_OUT);
	if (!link->queue || !link->out ||
		link->transport->ops->conn_attach(link->transport->self, link->conn, lane->number) != 0) {
		refuse(link);
		return;
	}
	link->state = ELA_LINK_ATTACHED;
	ela_lane_command(lane, ela_link_attach_on_lane, link);
}
