/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach: nodes on a wire (wire.h) and what strangers can do there: probes by datagram and connections are carried
 * between them, unless the test says that something in front of a node lets them not pass. Virtual time, one thread.
 *
 * Each listens at REACH_TCP and REACH_UDP of 192.0.2.k. Node 1 is the newcomer; 2 and 3 are cores that serve.
 */
#ifndef ELA_TESTS_REACH_H
#define ELA_TESTS_REACH_H

#include "classification-priv.h"
#include "peer.h"
#include "wire.h"

#define REACH_TCP 10000u
#define REACH_UDP 20000u
#define REACH_NEWCOMER 1u

/* A connection, or a datagram, of a node to a place. */
struct reach_call {
	struct lone_conn *from, *to; /* ends that are open; NULL */
	uint32_t by;                 /* number of the node that called */
	struct ela_addr remote;
	bool is_tcp, answered;
	uint8_t bytes[256]; /* what it said */
	uint32_t len, at;
};

struct reach {
	struct wire *wire;
	GPtrArray *calls;                /* struct reach_call, all that there were */
	guint n_landed;                  /* of those that were looked at */
	uint32_t blocks[WIRE_NODES + 1]; /* of a caller's number: ELA_PROBE_TCP, ELA_PROBE_UDP do not arrive */
	bool other_address;              /* fresh sockets of the cores have another address than their sessions */
	bool never_opens;                /* connections hang */
	bool cannot[WIRE_NODES + 1];     /* that node's datagram transport has no probe() */
	/* how the newcomer's classification ended */
	uint32_t n_done;
	uint64_t done_ns;
	struct ela_classified result;
};

struct reach *reach_new(const struct ela_plugin *cipher, uint32_t seed);
void reach_free(struct reach *r);
/* Time passes, and what is sent arrives. */
void reach_run(struct reach *r, uint64_t ns);
/* The newcomer asks nodes 2 to last; what ela_classify() said. */
int reach_classify(struct reach *r, uint32_t last);
/* Calls that node k made by the ways (bits of enum ela_probe_failed). */
uint32_t reach_calls(const struct reach *r, uint32_t k, uint32_t ways);
/* Somebody sends a frame to the newcomer: a datagram from node k's host, or alone over a connection of its own. */
void reach_datagram(struct reach *r, uint32_t k, const uint8_t *frame, uint32_t len);
void reach_stream(struct reach *r, uint32_t k, const uint8_t *frame, uint32_t len);
/* A well-formed probe whose nonce is made of number. */
void reach_forge(const struct reach *r, enum ela_probe_kind kind, uint32_t number, uint8_t ret_frame[ELA_PROBE_LEN]);
uint64_t reach_count(struct reach *r, uint32_t k, const char *name);

#endif
