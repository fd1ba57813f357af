/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flowqueue: flows by hash in a small table, deficit round robin over the ones that have packets, CoDel for each. At
 * most 64 packets wait, so plain arrays and short lists are all it needs. The owner's thread.
 */
#include "flowqueue.h"

#include "ecn.h"
#include "frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 32u
#define QUANTUM 16384 /* bytes of one turn; a superpacket takes several */
#define TARGET_NS (UINT64_C(5) * 1000000)
#define INTERVAL_NS (UINT64_C(100) * 1000000)

struct flow {
	struct ela_flow_buf *head, *tail;
	struct flow *next; /* in the round, NULL when not in it or last */
	uint32_t bytes, packets;
	int32_t deficit;
	bool in_round;
	/* CoDel, RFC 8289 */
	bool dropping;
	uint32_t count;
	uint64_t first_above_ns, drop_next_ns;
};

struct ela_flowqueue {
	struct flow flows[FLOWS];
	struct flow *round, *round_tail;
	struct ela_flow_buf *front;      /* put back by unpop */
	uint32_t bytes, packets, frames; /* but for the one in front */
};

struct ela_flowqueue *ela_flowqueue_new(void)
{
	return calloc(1, sizeof(struct ela_flowqueue));
}

static struct ela_flow_buf *take_head(struct ela_flowqueue *q, struct flow *f)
{
	struct ela_flow_buf *buf = f->head;

	if (!buf)
		return NULL;
	f->head = buf->next;
	if (!f->head)
		f->tail = NULL;
	buf->next = NULL;
	f->bytes -= buf->pkt.len;
	f->packets--;
	q->bytes -= buf->pkt.len;
	q->packets--;
	q->frames -= buf->frames;
	return buf;
}

void ela_flow_buf_free(struct ela_flow_buf *buf)
{
	free(buf);
}

void ela_flowqueue_free(struct ela_flowqueue *q)
{
	if (!q)
		return;
	for (uint32_t i = 0; i < FLOWS; i++)
		while (q->flows[i].head)
			ela_flow_buf_free(take_head(q, &q->flows[i]));
	ela_flow_buf_free(q->front);
	free(q);
}

/* Addresses, protocol and, where they are plainly there, ports. */
static uint32_t flow_hash(const uint8_t *ip, uint32_t len)
{
	bool v4 = ip[0] >> 4 == 4;
	uint32_t ports_at = v4 ? (ip[0] & 15u) * 4u : 40u;
	uint64_t h = v4 ? ip[9] : ip[6];
	uint32_t at = v4 ? 12 : 8, end = v4 ? 20 : 40;

	for (; at < end; at += 4) {
		uint32_t word;

		memcpy(&word, ip + at, 4);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	}
	if (len >= ports_at + 4) {
		uint32_t ports;

		memcpy(&ports, ip + ports_at, 4);
		h = (h ^ ports) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return (uint32_t)(h >> 32);
}

struct ela_flow_buf *ela_flow_buf_new(const struct ela_packet *pkt, uint32_t room)
{
	struct ela_flow_buf *buf = malloc(sizeof *buf + room + pkt->len);

	if (!buf)
		return NULL;
	memset(buf, 0, sizeof *buf);
	buf->frames = 1;
	buf->pkt = *pkt;
	buf->pkt.data = buf->bytes + room;
	memcpy(buf->pkt.data, pkt->data, pkt->len);
	buf->flow = flow_hash(pkt->data, pkt->len);
	return buf;
}

struct ela_flow_buf *ela_flow_buf_sealed(const uint8_t *frames, uint32_t len, uint32_t segment)
{
	struct ela_flow_buf *buf = malloc(sizeof *buf + len);

	if (!buf)
		return NULL;
	memset(buf, 0, sizeof *buf);
	buf->frames = (len + segment - 1) / segment;
	buf->segment = segment;
	buf->pkt = (struct ela_packet){.data = buf->bytes, .len = len, .len_total = len};
	memcpy(buf->bytes, frames, len);
	/* The receiver index: random already, and below 8,192 the slot of its session. */
	buf->flow = ela_get32(frames + ELA_HOP_HEAD);
	return buf;
}

static struct flow *fattest(struct ela_flowqueue *q)
{
	struct flow *fat = &q->flows[0];

	for (uint32_t i = 1; i < FLOWS; i++)
		if (q->flows[i].bytes > fat->bytes)
			fat = &q->flows[i];
	return fat;
}

static void join_round(struct ela_flowqueue *q, struct flow *f)
{
	f->next = NULL;
	f->in_round = true;
	if (q->round_tail)
		q->round_tail->next = f;
	else
		q->round = f;
	q->round_tail = f;
}

static void leave_round(struct ela_flowqueue *q)
{
	struct flow *f = q->round;

	q->round = f->next;
	if (!q->round)
		q->round_tail = NULL;
	f->next = NULL;
	f->in_round = false;
}

uint32_t ela_flowqueue_push(struct ela_flowqueue *q, struct ela_flow_buf *buf, uint64_t now_ns)
{
	struct flow *f = &q->flows[buf->flow % FLOWS];
	uint32_t dropped = 0;

	buf->queued_ns = now_ns;
	if (f->tail)
		f->tail->next = buf;
	else
		f->head = buf;
	f->tail = buf;
	f->bytes += buf->pkt.len;
	f->packets++;
	q->bytes += buf->pkt.len;
	q->packets++;
	q->frames += buf->frames;
	if (!f->in_round) {
		f->deficit = QUANTUM;
		join_round(q, f);
	}
	while (q->bytes > ELA_FLOWQUEUE_BYTES || q->packets > ELA_FLOWQUEUE_PACKETS) {
		struct ela_flow_buf *oldest = take_head(q, fattest(q));

		dropped += oldest->frames;
		ela_flow_buf_free(oldest);
	}
	return dropped;
}

static uint64_t control_law(uint64_t from_ns, uint32_t count)
{
	return from_ns + (uint64_t)((double)INTERVAL_NS / sqrt((double)count));
}

/* RFC 8289, 5.3: has the queue been above the target for a whole interval? */
static bool should_drop(struct flow *f, const struct ela_flow_buf *buf, uint64_t now_ns)
{
	if (!buf || now_ns - buf->queued_ns < TARGET_NS || f->packets == 0) {
		f->first_above_ns = 0;
		return false;
	}
	if (f->first_above_ns == 0) {
		f->first_above_ns = now_ns + INTERVAL_NS;
		return false;
	}
	return now_ns >= f->first_above_ns;
}

/* Congestion experienced: in the packet, or in the headers of frames whose packets nobody here can read. */
static bool mark(struct ela_flow_buf *buf)
{
	uint8_t *frame = buf->pkt.data;

	if (buf->segment == 0)
		return ela_ecn_mark(frame);
	if (frame[3] >> ELA_FLAG_ECN_SHIFT == 0)
		return false;
	for (uint32_t at = 0; at < buf->pkt.len; at += buf->segment)
		frame[at + 3] |= (uint8_t)(ELA_ECN_CE << ELA_FLAG_ECN_SHIFT);
	return true;
}

/* Drops or marks buf; what is to be sent instead (buf itself when marked). */
static struct ela_flow_buf *punish(
	struct ela_flowqueue *q, struct flow *f, struct ela_flow_buf *buf, uint32_t *ret_dropped)
{
	if (mark(buf)) {
		buf->ecn = ELA_ECN_CE;
		return buf;
	}
	*ret_dropped += buf->frames;
	ela_flow_buf_free(buf);
	return take_head(q, f);
}

/* RFC 8289, 5.5 */
static struct ela_flow_buf *codel_pop(struct ela_flowqueue *q, struct flow *f, uint64_t now_ns, uint32_t *ret_dropped)
{
	struct ela_flow_buf *buf = take_head(q, f);
	bool drop = should_drop(f, buf, now_ns);

	if (f->dropping) {
		if (!drop) {
			f->dropping = false;
		} else if (now_ns >= f->drop_next_ns) {
			f->count++;
			f->drop_next_ns = control_law(f->drop_next_ns, f->count);
			buf = punish(q, f, buf, ret_dropped);
		}
	} else if (drop) {
		/* Soon after the last time: start near the rate that worked then. */
		bool recent = f->count > 2 && now_ns - f->drop_next_ns < 16 * INTERVAL_NS;

		f->dropping = true;
		f->count = recent ? f->count - 2 : 1;
		f->drop_next_ns = control_law(now_ns, f->count);
		buf = punish(q, f, buf, ret_dropped);
	}
	return buf;
}

struct ela_flow_buf *ela_flowqueue_pop(struct ela_flowqueue *q, uint64_t now_ns, uint32_t *ret_dropped)
{
	struct ela_flow_buf *buf = q->front;

	*ret_dropped = 0;
	q->front = NULL;
	while (!buf && q->round) {
		struct flow *f = q->round;

		if (!f->head) {
			leave_round(q);
		} else if (f->deficit <= 0) {
			f->deficit += QUANTUM;
			leave_round(q);
			join_round(q, f);
		} else {
			buf = codel_pop(q, f, now_ns, ret_dropped);
			if (buf)
				f->deficit -= (int32_t)buf->pkt.len;
		}
	}
	return buf;
}

void ela_flowqueue_unpop(struct ela_flowqueue *q, struct ela_flow_buf *buf)
{
	q->front = buf;
}

uint32_t ela_flowqueue_length(const struct ela_flowqueue *q)
{
	return q->packets + (q->front ? 1 : 0);
}

uint32_t ela_flowqueue_frames(const struct ela_flowqueue *q)
{
	return q->frames + (q->front ? q->front->frames : 0);
}
