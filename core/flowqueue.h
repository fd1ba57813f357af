/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flowqueue: the unsealed packets, and the relayed frames, that wait for a stream connection: one queue per inner flow
 * served in turn (deficit round robin), each under CoDel (RFC 8289) dropping from the head, or marking CE where the
 * packet is ECT. Owned by one thread.
 */
#ifndef ELA_CORE_FLOWQUEUE_H
#define ELA_CORE_FLOWQUEUE_H

#include <ela/types.h>
#include <stdbool.h>

#define ELA_FLOWQUEUE_BYTES (1024u * 1024u) /* limits of one link */
#define ELA_FLOWQUEUE_PACKETS 64u

/* A packet that was taken, or a train of relayed frames. One allocation: room in front, then the bytes. */
struct ela_flow_buf {
	struct ela_flow_buf *next;
	uint64_t queued_ns;
	uint32_t flow; /* hash of the inner flow */
	struct ela_packet pkt;
	uint8_t frame_flags, ecn;
	bool own;         /* sealed frames: sealed by this node, not passed on for another */
	uint32_t frames;  /* 1, or how many sealed ones stand at pkt.data */
	uint32_t segment; /* of sealed ones: the length of each but the last; 0 = an unsealed packet */
	uint8_t bytes[];
};

struct ela_flowqueue;

struct ela_flowqueue *ela_flowqueue_new(void);    /* NULL when out of memory */
void ela_flowqueue_free(struct ela_flowqueue *q); /* with what is in it; takes NULL */

/* A copy of pkt with room bytes in front; NULL when out of memory. flow is computed here. */
struct ela_flow_buf *ela_flow_buf_new(const struct ela_packet *pkt, uint32_t room);
/*
 * A copy of relayed frames back to back, all of segment bytes but the last and of one end-to-end session, which is
 * their flow: only whole trains are dropped or, where their header is ECT, marked CE. NULL when out of memory.
 */
struct ela_flow_buf *ela_flow_buf_sealed(const uint8_t *frames, uint32_t len, uint32_t segment);
void ela_flow_buf_free(struct ela_flow_buf *buf);

/* TAKES buf. Returns how many packets and frames were dropped to keep within the limits: from the head of the fattest
 * flow. */
uint32_t ela_flowqueue_push(struct ela_flowqueue *q, struct ela_flow_buf *buf, uint64_t now_ns);
/* The next packet, the caller's now; NULL when empty. *ret_dropped counts what CoDel dropped on the way. */
struct ela_flow_buf *ela_flowqueue_pop(struct ela_flowqueue *q, uint64_t now_ns, uint32_t *ret_dropped);
/* Puts back what pop gave, at the very front. */
void ela_flowqueue_unpop(struct ela_flowqueue *q, struct ela_flow_buf *buf);
uint32_t ela_flowqueue_length(const struct ela_flowqueue *q);
/* The same with every frame of a train counted. */
uint32_t ela_flowqueue_frames(const struct ela_flowqueue *q);

#endif
