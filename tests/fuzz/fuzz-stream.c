/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-stream: core/link-read.c and ela_record_next of core/frame.h: a stream connection's bytes in pieces as small
 * and odd as may be, and its writing side when the socket takes what it likes. What is written must be whole records.
 * Input: mode (1: bit 0 = still greeting, control reads), then steps: code (1) and
 *   0-207 so many bytes arrive
 *   208   length (2), bytes arrive
 *   209   the other side closes
 *   210   room (2) of the socket
 *   211   how (1), length (2): we send a packet
 *   212   length (2): control sends
 *   213   milliseconds (2) pass
 *   214   kind (1), length (2), cut (2), bytes: a record with a good head around a frame, in two pieces
 *   215   control ends the connection
 */
#include "lane.h"
#include "near.h"
#include "own.h"

#include <errno.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#define PACKET_MAX 20000u
#define TIME_MAX_MS 40000u /* of one input: more costs more than it finds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
	struct near near;
	struct ela_link *link;
	uint64_t id;
	const uint8_t *chunk; /* what the socket has */
	uint32_t chunk_left;
	bool closed;
	uint32_t room;
	uint32_t passed_ms;
	uint64_t sequence;
	/* of the records written: bytes of the head so far, and of the body to come */
	uint8_t head[ELA_RECORD_HEAD];
	uint32_t head_len, body_left;
};

static struct state s;

/* ---- the socket ---- */

static int on_read(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err)
{
	uint32_t n = s.chunk_left < len ? s.chunk_left : len;
	uint8_t *end = (uint8_t *)buf + n;

	(void)conn;
	if (n == 0) {
		*ret_err = s.closed ? -EPIPE : -EAGAIN;
		return 0;
	}
	if (s.link->partial && end > s.link->partial && end <= s.link->partial + ELA_RECORD_HEAD + ELA_STREAM_MAX) {
		/* What was not received is not to be read. */
		ASAN_UNPOISON_MEMORY_REGION(s.link->partial, ELA_RECORD_HEAD + ELA_STREAM_MAX);
		ASAN_POISON_MEMORY_REGION(end, (size_t)(s.link->partial + ELA_RECORD_HEAD + ELA_STREAM_MAX - end));
	}
	memcpy(buf, s.chunk, n);
	s.chunk += n;
	s.chunk_left -= n;
	return (int)n;
}

static void take_head(void)
{
	uint32_t len = ela_get32(s.head) & 0xffffff;

	if (s.head[0] < ELA_RECORD_FRAME || s.head[0] > ELA_RECORD_SUPER || len < ELA_HEADER_LEN || len > ELA_STREAM_MAX)
		input_fail("a record was written that no one takes");
	s.body_left = len;
	s.head_len = 0;
}

static int on_conn_write(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	const uint8_t *bytes = buf;
	uint32_t n = len < s.room ? len : s.room;

	(void)conn;
	s.room -= s.room == UINT16_MAX ? 0 : n;
	for (uint32_t i = 0; i < n;) {
		uint32_t step = s.body_left < n - i ? s.body_left : n - i;

		i += step;
		s.body_left -= step;
		if (i < n && s.body_left == 0) {
			s.head[s.head_len++] = bytes[i++];
			if (s.head_len == ELA_RECORD_HEAD)
				take_head();
		}
	}
	if (n < len)
		*ret_err = s.closed ? -EPIPE : -EAGAIN;
	return (int)n;
}

/* ---- steps ---- */

/* The connection has its turn until the bytes are read. Its lane's buffer is as large as what arrives. */
static void turn(const uint8_t *bytes, uint32_t len)
{
	struct ela_lane *lane = s.link->lane;

	s.chunk = bytes;
	s.chunk_left = len;
	if (s.link->state == ELA_LINK_GREETING) {
		(void)ela_link_poll_greeting(s.link); /* the link may be gone */
		lone_look(s.near.l);
		return;
	}
	for (uint32_t i = 0; i < len + 2 && !s.link->failed; i++) {
		uint8_t *own = lane->stream_in, *exact = malloc(s.chunk_left ? s.chunk_left : 1);

		if (!exact)
			input_fail("out of memory");
		lane->stream_in = exact;
		if (s.link->partial && s.link->partial_len == 0)
			ASAN_UNPOISON_MEMORY_REGION(s.link->partial, ELA_RECORD_HEAD + ELA_STREAM_MAX);
		ela_lane_begin(lane);
		s.link->source.ready = true;
		(void)ela_link_turn(lane, s.link); /* whether it did something */
		lane->stream_in = own;
		free(exact);
		if (s.chunk_left == 0)
			break;
	}
	lone_look(s.near.l);
}

/* A packet of ours to peer 2. */
static void send_packet(uint8_t how, uint32_t len)
{
	struct ela_node *node = s.near.l->node;
	struct ela_lane *lane = node->lanes[how & 1];
	struct ela_tx *tx = atomic_load(&lone_peer(s.near.l, 2)->tx);
	uint8_t *ip = lane->arena + 64;
	struct ela_packet pkt = {.data = ip, .len = 60 + len % PACKET_MAX};
	struct ela_packet_class cls;

	if (!tx || !tx->link)
		return;
	memset(ip, 0, pkt.len);
	memcpy(ip, "\x45\0\0\0\0\0\x40\0\x40\x11\0\0\x0a\x58\0\1\x0a\x58\0\2", 20);
	ip[1] = how >> 1 & 3;
	ip[9] = how & 8 ? 6 : 17;
	ip[21] = how >> 4; /* sixteen flows */
	ela_put16(ip + 2, (uint16_t)pkt.len);
	ela_put16(ip + 24, (uint16_t)(pkt.len - 20));
	ip[32] = how & 8 ? 0x50 : 0;
	if (how & 0x10) {
		pkt.flags = ELA_PACKET_NEEDS_CSUM;
		pkt.csum_start = 20;
		pkt.csum_offset = how & 8 ? 16 : 6;
	}
	if (how & 8 && pkt.len > 100) {
		pkt.gso_type = ELA_GSO_TCP4;
		pkt.gso_size = 20;
	}
	if (ela_packet_classify(&pkt, &cls) == 0)
		ela_link_send(lane, tx, &pkt, &cls);
	ela_link_flush_all(node->lanes[0]);
}

static void step_record(struct input *in)
{
	static uint8_t record[ELA_RECORD_HEAD + ELA_TRAIN_HEAD + 70000];
	uint8_t kind = input_u8(in), *frame = record + ELA_RECORD_HEAD;
	uint32_t claimed = input_u16(in), cut = input_u16(in), len;
	const uint8_t *bytes = input_bytes(in, claimed % 3000, &len);

	if ((kind & 3) == ELA_RECORD_TRAIN) {
		ela_put16(frame, (uint16_t)(kind & 0x40 ? kind : len + ELA_FRAME_MIN));
		ela_put16(frame + 2, kind >> 7);
		frame += ELA_TRAIN_HEAD;
	}
	ela_header_put(frame, kind & 0x10 ? ELA_TYPE_MESSAGE : ELA_TYPE_EPACKET, 0, ela_own_id(s.near.l->node));
	ela_frame_put(frame, NEAR_OWN, (uint64_t)(kind & 0x10 ? ELA_LANE_CONTROL : 0) << ELA_LANE_SHIFT | ++s.sequence);
	memcpy(frame + ELA_FRAME_HEAD, bytes, len);
	memset(frame + ELA_FRAME_HEAD + len, 0, ELA_TAG_LEN);
	len += ELA_FRAME_MIN + (uint32_t)(frame - record) - ELA_RECORD_HEAD;
	ela_record_put(record, kind & 3, claimed > 3000 && (kind & 0x20) ? claimed * 2 : len);
	len += ELA_RECORD_HEAD;
	if (cut > len)
		cut = len;
	turn(record, cut);
	if (ela_link_find(s.near.l->node, s.id) && !s.link->failed)
		turn(record + cut, len - cut);
}

static void pass(uint32_t ms)
{
	s.passed_ms += ms;
	if (s.passed_ms <= TIME_MAX_MS)
		lone_pass(s.near.loop, ms * ELA_MSEC);
}

/* False: it is over. */
static bool step(struct input *in)
{
	uint8_t code = input_u8(in);
	uint32_t len, want = code < 208 ? code : code == 208 ? input_u16(in) : 0;
	const uint8_t *bytes = input_bytes(in, want, &len);

	switch (code) {
	case 209:
		s.closed = true;
		turn(bytes, 0);
		break;
	case 210:
		s.room = input_u16(in);
		turn(bytes, 0);
		break;
	case 211:
		code = input_u8(in);
		send_packet(code, input_u16(in));
		break;
	case 212: {
		uint8_t frame[ELA_DATAGRAM_MAX_CONTROL + 1];

		memset(frame, 1, sizeof frame);
		(void)ela_link_post(
			s.link, frame, ELA_FRAME_MIN + input_u16(in) % (sizeof frame - ELA_FRAME_MIN)); /* may be full */
		break;
	}
	case 213:
		pass(input_u16(in));
		break;
	case 214:
		step_record(in);
		break;
	case 215:
		ela_link_close(s.link);
		break;
	default:
		turn(bytes, len);
		break;
	}
	return ela_link_find(s.near.l->node, s.id) != NULL && !s.link->failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct lone *l;
	uint8_t mode;

	memset(&s, 0, sizeof s);
	near_start(&s.near);
	l = s.near.l;
	l->on_conn_read = on_read;
	l->on_conn_write = on_conn_write;
	s.room = UINT16_MAX;
	mode = input_u8(&in);
	s.link = lone_accept(l, 2, NULL);
	s.id = s.link->id;
	if (!(mode & 1)) {
		const struct ela_path path = {.remote = s.link->remote, .transport = LONE_STREAM, .link = s.id};
		struct ela_peer *peer = lone_peer(l, 2);

		peer->link = s.link;
		s.link->peer = peer;
		ela_link_attach(s.link);
		ela_peer_publish(peer, s.near.two, &path);
		(void)ela_node_turn(l->node); /* its lane takes it */
	}
	while (in.left && step(&in))
		;
	l->on_conn_read = NULL;
	l->on_conn_write = NULL;
	near_end(&s.near);
	return 0;
}
