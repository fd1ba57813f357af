/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link, the lane's side: packets are sealed when the connection takes them, not before, so what waits can still be
 * dropped or marked. Lane thread of the link, but for ela_link_send(). What arrives is in link-read.c.
 */
#include "checksum.h"
#include "lane.h"
#include "link.h"
#include "relay.h"

#include <errno.h>
#include <stdlib.h>

#define WRITE_AT (16u * 1024u) /* so much is sealed before the connection is asked to take it */
#define INBOX_PACKETS 64u

/* ---- writing ---- */

static uint32_t out_room(const struct ela_link *link)
{
	return ELA_LINK_OUT - link->out_len;
}

/* Seals one packet or superpacket as a record at the end of the out buffer. False when the key is used up. */
static bool seal_record(
	struct ela_lane *lane, struct ela_link *link, struct ela_tx *tx, struct ela_packet *pkt, uint8_t flags, uint8_t ecn)
{
	struct ela_session *s = tx->session;
	bool super = pkt->gso_type != ELA_GSO_NONE, due = false;
	uint8_t *record = link->out + link->out_len, *frame = record + ELA_RECORD_HEAD;
	struct ela_cipher_op op = {.src = pkt->data, .dst = frame + ELA_FRAME_HEAD, .len = pkt->len};
	uint64_t counter;

	if (super) {
		uint8_t *head = pkt->data - ELA_SUPER_HEAD;

		ela_put16(head, pkt->gso_size);
		head[2] = pkt->gso_type;
		head[3] = 0;
		op.src = head;
		op.len += ELA_SUPER_HEAD;
	}
	if (!ela_session_reserve(s, lane->number, op.len, &counter, &due)) {
		ELA_COUNT(lane, DROP_EXHAUSTED, 1);
		ela_peer_event(s->peer, ELA_PEER_REKEY);
		return false;
	}
	if (due)
		ela_peer_event(s->peer, ELA_PEER_REKEY);
	ela_header_put(frame, ELA_TYPE_EPACKET, (uint8_t)(flags | ecn << ELA_FLAG_ECN_SHIFT), s->with.remote_id);
	ela_frame_put(frame, s->with.remote_index, counter);
	ela_frame_nonce(frame, s->send_iv, op.nonce);
	if (s->cipher->seal(s->lanes[lane->number].seal_key, &op, 1) != 1) {
		ELA_COUNT(lane, DROP_SEND, 1);
		return false;
	}
	ela_record_put(record, super ? ELA_RECORD_SUPER : ELA_RECORD_FRAME, ELA_FRAME_HEAD + op.ret_len);
	link->out_len += ELA_RECORD_HEAD + ELA_FRAME_HEAD + op.ret_len;
	atomic_store_explicit(&s->lanes[lane->number].tx_ns, lane->now_ns, memory_order_relaxed);
	ELA_COUNT(lane, FRAMES_OUT, 1);
	ELA_COUNT(lane, BYTES_OUT, ELA_FRAME_HEAD + op.ret_len);
	return true;
}

void ela_link_fail(struct ela_lane *lane, struct ela_link *link)
{
	if (link->failed)
		return;
	link->failed = true;
	ela_lane_unwatch(lane, &link->source);
	if (link->peer)
		ela_peer_event(link->peer, ELA_PEER_LINK_DOWN);
}

/* Writes what stands in out; true when all of it went. */
static bool write_out(struct ela_lane *lane, struct ela_link *link)
{
	while (!link->failed && link->out_at < link->out_len) {
		struct iovec iov = {link->out + link->out_at, link->out_len - link->out_at};
		int err = 0;
		int n = link->transport->ops->conn_write(link->transport->self, link->conn, &iov, 1, &err);

		if (n > 0)
			link->out_at += (uint32_t)n;
		if (link->out_at == link->out_len)
			break;
		if (err == -EAGAIN) {
			link->blocked = true;
			(void)ela_lane_watch(lane, &link->source, true); /* failing, the next read or write notices */
			return false;
		}
		if (n <= 0) {
			ela_link_fail(lane, link);
			return false;
		}
	}
	link->out_at = link->out_len = 0;
	return !link->failed;
}

/* Frames that control wants sent go first. */
static void take_inbox(struct ela_lane *lane, struct ela_link *link)
{
	struct ela_flow_buf *packets, *ordered = NULL;

	if (!atomic_load_explicit(&link->inbox_waits, memory_order_relaxed))
		return;                                  /* who puts something in wakes this lane afterwards */
	(void)pthread_mutex_lock(&link->inbox_lock); /* a default mutex cannot fail */
	if (link->inbox_len && link->inbox_len <= out_room(link)) {
		memcpy(link->out + link->out_len, link->inbox, link->inbox_len);
		link->out_len += link->inbox_len;
		link->inbox_len = 0;
	}
	packets = link->inbox_packets;
	link->inbox_packets = NULL;
	link->inbox_n = 0;
	atomic_store_explicit(&link->inbox_waits, link->inbox_len != 0, memory_order_relaxed);
	(void)pthread_mutex_unlock(&link->inbox_lock);
	while (packets) { /* newest first: turn them round */
		struct ela_flow_buf *next = packets->next;

		packets->next = ordered;
		ordered = packets;
		packets = next;
	}
	while (ordered) {
		struct ela_flow_buf *next = ordered->next;

		ordered->next = NULL;
		ELA_COUNT(lane, DROP_QUEUE, ela_flowqueue_push(link->queue, ordered, lane->now_ns));
		ordered = next;
	}
}

/*
 * What stands sealed in front of a full connection can be neither dropped nor marked any more: hand over what there is
 * before more is sealed.
 */
static void write_enough(struct ela_lane *lane, struct ela_link *link)
{
	if (link->out_len - link->out_at >= WRITE_AT)
		(void)write_out(lane, link); /* when it is full, what follows is queued */
}

/* Frames for others, or of ours through this neighbour: hop fields at the last moment, one record. */
static void relay_record(struct ela_lane *lane, struct ela_link *link, struct ela_tx *tx, struct ela_flow_buf *buf)
{
	uint32_t head = buf->frames > 1 ? ELA_TRAIN_HEAD : 0, len = buf->pkt.len;
	uint8_t *record = link->out + link->out_len;

	if (!ela_relay_seal(lane, tx->session, buf->pkt.data, len, buf->segment))
		return;
	ela_record_put(record, head ? ELA_RECORD_TRAIN : ELA_RECORD_FRAME, head + len);
	if (head)
		ela_put32(record + ELA_RECORD_HEAD, buf->segment << 16);
	memcpy(record + ELA_RECORD_HEAD + head, buf->pkt.data, len);
	link->out_len += ELA_RECORD_HEAD + head + len;
	ela_relay_count(lane, buf->frames, len, buf->own);
}

/* Largest record a packet or a train can become. */
static uint32_t record_len(const struct ela_tx *tx, uint32_t len)
{
	return ELA_RECORD_HEAD + ELA_SUPER_HEAD + len + tx->session->overhead;
}

/* Seals queued packets while the connection takes them. */
static void drain_queue(struct ela_lane *lane, struct ela_link *link)
{
	for (;;) {
		struct ela_tx *tx = link->peer ? atomic_load_explicit(&link->peer->tx, memory_order_acquire) : NULL;
		uint32_t dropped;
		struct ela_flow_buf *buf;

		if (link->blocked || link->failed || !tx || tx->link != link ||
			atomic_load_explicit(&lane->node->suspended, memory_order_relaxed))
			return;
		buf = ela_flowqueue_pop(link->queue, lane->now_ns, &dropped);
		ELA_COUNT(lane, DROP_QUEUE, dropped);
		if (!buf)
			break;
		if (record_len(tx, buf->pkt.len) > out_room(link)) {
			ela_flowqueue_unpop(link->queue, buf);
			if (!write_out(lane, link))
				return;
			continue;
		}
		if (buf->segment)
			relay_record(lane, link, tx, buf);
		else
			(void)seal_record(lane, link, tx, &buf->pkt, buf->frame_flags, buf->ecn); /* counted there */
		ela_flow_buf_free(buf);
		write_enough(lane, link);
	}
	(void)write_out(lane, link); /* what is left waits for EPOLLOUT */
}

static void flush(struct ela_lane *lane, struct ela_link *link)
{
	take_inbox(lane, link);
	link->dirty = false;
	if (link->blocked || link->failed)
		return;
	if (link->out_at < link->out_len && !write_out(lane, link))
		return;
	drain_queue(lane, link);
}

void ela_link_flush_all(struct ela_lane *lane)
{
	for (guint i = 0; i < lane->links->len; i++) {
		struct ela_link *link = g_ptr_array_index(lane->links, i);

		if (link->dirty)
			flush(lane, link);
	}
}

/* ---- packets from lanes ---- */

/* TAKES buf: into the link's queue, or towards the lane that has it. */
static void queue_buf(struct ela_lane *lane, struct ela_link *link, struct ela_flow_buf *buf)
{
	bool first, taken;

	if (link->lane == lane) {
		ELA_COUNT(lane, DROP_QUEUE, ela_flowqueue_push(link->queue, buf, lane->now_ns));
		return;
	}
	(void)pthread_mutex_lock(&link->inbox_lock); /* a default mutex cannot fail */
	first = link->inbox_n == 0;
	taken = link->inbox_n < INBOX_PACKETS;
	if (taken) {
		buf->next = link->inbox_packets;
		link->inbox_packets = buf;
		link->inbox_n++;
		atomic_store_explicit(&link->inbox_waits, true, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&link->inbox_lock);
	if (first)
		ela_lane_wake(link->lane); /* which takes all that come before it looks */
	if (!taken) {
		ELA_COUNT(lane, DROP_QUEUE, buf->frames);
		ela_flow_buf_free(buf);
	}
}

/* More datagrams than the other end's kernel may take in one piece: one by one. */
static void send_singly(
	struct ela_lane *lane, struct ela_tx *tx, const struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	struct ela_segment seg;
	struct ela_packet single = {0};

	if (ela_segment_begin(&seg, pkt, cls, UINT16_MAX, false) != 0) {
		ELA_COUNT(lane, DROP_PACKET, 1);
		return;
	}
	while (ela_segment_next(&seg, &single.data, &single.len)) {
		single.len_total = single.len;
		ela_link_send(lane, tx, &single, cls); /* sealed or copied: the next header is stamped over its tail */
	}
}

/* Not now: keep a copy, unsealed. */
static void queue_packet(
	struct ela_lane *lane, struct ela_link *link, const struct ela_packet *pkt, uint8_t flags, uint8_t ecn)
{
	struct ela_flow_buf *buf = ela_flow_buf_new(pkt, ELA_ROOM_FRONT);

	if (!buf) {
		ELA_COUNT(lane, DROP_QUEUE, 1);
		return;
	}
	buf->frame_flags = flags;
	buf->ecn = ecn;
	queue_buf(lane, link, buf);
}

void ela_link_relay(
	struct ela_lane *lane, struct ela_link *link, const uint8_t *frames, uint32_t len, uint32_t segment, bool own)
{
	struct ela_flow_buf *buf = ela_flow_buf_sealed(frames, len, segment);

	if (!buf) {
		ELA_COUNT(lane, DROP_QUEUE, (len + segment - 1) / segment);
		return;
	}
	buf->own = own;
	if (link->lane == lane)
		link->dirty = true;
	queue_buf(lane, link, buf);
}

void ela_link_send(struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	struct ela_link *link = tx->link;
	uint8_t flags = 0;

	if (ela_packet_is_long_udp(pkt, cls)) {
		send_singly(lane, tx, pkt, cls);
		return;
	}

	if (pkt->gso_type == ELA_GSO_NONE && (pkt->flags & ELA_PACKET_NEEDS_CSUM)) {
		if (tx->elide && cls->elidable)
			flags = ELA_FLAG_CSUM;
		else
			ela_csum_finish(pkt->data, pkt->len, pkt->csum_start, pkt->csum_offset, cls->proto == ELA_PROTO_UDP);
	} else if (pkt->gso_type != ELA_GSO_NONE) {
		flags = ELA_FLAG_CSUM; /* a superpacket's checksum is always made by the receiver */
	}
	if (link->lane == lane && !link->blocked && !link->failed && ela_flowqueue_length(link->queue) == 0) {
		/* Nothing waits: seal straight from the device's bytes. */
		if (record_len(tx, pkt->len) <= out_room(link) || write_out(lane, link)) {
			link->dirty = true;
			(void)seal_record(lane, link, tx, pkt, flags, cls->ecn); /* counted there */
			write_enough(lane, link);
			return;
		}
	}
	if (link->lane == lane)
		link->dirty = true;
	queue_packet(lane, link, pkt, flags, cls->ecn);
}

/* ---- turns ---- */

bool ela_link_turn(struct ela_lane *lane, struct ela_link *link)
{
	bool did = false;

	if (link->failed)
		return false;
	if (link->source.ready || link->source.fd < 0)
		did = ela_link_read(lane, link);
	if (link->source.fd < 0)
		link->blocked = false; /* nothing says when it is writable: try */
	flush(lane, link);
	return did;
}

/* ---- coming and going ---- */

void ela_link_attach_on_lane(void *data, void *arg)
{
	struct ela_lane *lane = data;
	struct ela_link *link = arg;

	link->source = (struct ela_source){.kind = ELA_SOURCE_LINK,
		.fd = link->transport->ops->conn_fd(link->transport->self, link->conn),
		.ready = true,
		.link = link};
	g_ptr_array_add(lane->links, link);
	if (ela_lane_watch(lane, &link->source, false) != 0)
		ela_link_fail(lane, link);
}

void ela_link_detach_on_lane(void *data, void *arg)
{
	struct ela_lane *lane = data;
	struct ela_link *link = arg;

	ela_lane_unwatch(lane, &link->source);
	link->failed = true;
	(void)g_ptr_array_remove(lane->links, link); /* it may never have been attached */
}

void ela_link_drop_lane_state(struct ela_link *link)
{
	struct ela_flow_buf *buf = link->inbox_packets;

	while (buf) {
		struct ela_flow_buf *next = buf->next;

		ela_flow_buf_free(buf);
		buf = next;
	}
	ela_flowqueue_free(link->queue);
	free(link->out);
	free(link->partial);
	g_free(link->inbox);
}
