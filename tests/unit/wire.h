/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: lone nodes (lone.h) that have sessions with each other, and a network between them that loses, repeats and
 * reorders what they send. Virtual time, one thread.
 */
#ifndef ELA_TESTS_WIRE_H
#define ELA_TESTS_WIRE_H

#include "lone.h"

#define WIRE_NODES 3u /* numbers 1 to 3; each knows the others */

struct wire {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *nodes[WIRE_NODES + 1]; /* by number; NULL at 0 */
	GRand *rng;
	GPtrArray *flying; /* struct wire_frame */
	/* Of each datagram, in percent; 0 at first. */
	uint32_t loss, twice, late;
	/* The test's: false, and the datagram is lost. NULL: none is. */
	bool (*passes)(struct wire *w, uint32_t from, uint32_t to, uint32_t len);
	uint32_t n_sent; /* datagrams, lost ones too */
};

struct wire *wire_new(const struct ela_plugin *cipher, uint32_t seed);
void wire_free(struct wire *w);
/* Time passes, and what is sent arrives. */
void wire_run(struct wire *w, uint64_t ns);
/* What node of knows of node k. */
struct ela_peer *wire_peer(struct wire *w, uint32_t of, uint32_t k);
uint32_t wire_below(struct wire *w, uint32_t n);

#endif
