/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring-bench: up to 12 nodes of a ring under virtual time, each with members, a directory and neighbours of its own
 * (lone.h, world.h); records are what the test says to all of them. Datagrams between them arrive at once, unless a
 * pair is cut; connections are there at once when the test asks for streams. One thread; one bench a process.
 *
 * Node k has the key of number k of world.h and the underlay address of node k of lone.h. Its address is one of
 * 10.77.0.0/24, chosen so that its ID stands where the test wants it: a network's id is never the same twice, so the
 * address alone would not say that.
 */
#ifndef ELA_TESTS_RING_BENCH_H
#define ELA_TESTS_RING_BENCH_H

#include "lone.h"
#include "neighbours.h"
#include "world.h"

#define RING_NODES 12u

struct ring_node {
	struct lone *lone;
	struct ela_members *members;
	struct ela_directory *directory;
	struct ela_neighbours *neighbours;
	GBytes *credential;
	struct ela_lease lease; /* as it was published last, or is to be */
	bool is_published;
	bool has_news;       /* its record is to say another parent */
	uint32_t n_changed;  /* how often its neighbours said that parent or spare is another */
	uint32_t parent_now; /* number of the parent when they said so last; 0 = none */
};

struct ring_bench {
	struct world *world;
	struct lone_world *specs;
	struct ela_loop *loop;
	struct ela_membership *membership; /* all nodes' */
	uint32_t n;
	struct ring_node nodes[RING_NODES + 1];
	bool cut[RING_NODES + 1][RING_NODES + 1]; /* from, to */
	GQueue *on_the_way;
	GPtrArray *pipes;             /* connections, or what is left of them */
	bool streams[RING_NODES + 1]; /* node k sends and receives no datagrams */
	uint32_t n_packets;           /* on the way so far */
};

/* n nodes, in this order by rising ID; without records, and everybody is joining. */
struct ring_bench *ring_new(uint32_t n, const uint32_t *order);
void ring_free(struct ring_bench *b);

/* From now on node k, an edge, has a third core as well, as all nodes do elsewhere; before the first ring_pass(). */
void ring_third(struct ring_bench *b, uint32_t k);

uint32_t ring_id(const struct ring_bench *b, uint32_t k);
/* ID of 10.77.0.last. */
uint32_t ring_id_of(const struct ring_bench *b, uint8_t last);
/* Node k's record, as nodes[k].lease and these say, newer than the last, to all directories. parent: 0 = none. */
void ring_publish(struct ring_bench *b, uint32_t k, enum ela_lease_role role, uint32_t parent);
/* Takes the record away again, everywhere. */
void ring_withdraw(struct ring_bench *b, uint32_t k);
/* Node k is that, and says so. */
void ring_role(struct ring_bench *b, uint32_t k, enum ela_lease_role role, uint32_t parent);
/* Cuts the pair, or joins it again. */
void ring_cut(struct ring_bench *b, uint32_t a, uint32_t other, bool cut);
/* Connections of the pair that are there now carry nothing any more (stuck), or end. */
void ring_spoil(struct ring_bench *b, uint32_t a, uint32_t other, bool stuck);
/* Time passes, and what is sent arrives; records are renewed, and edges' say who their parents are. */
void ring_pass(struct ring_bench *b, uint64_t ns);

/* Node k as of knows it; NULL: it does not. */
struct ela_peer *ring_peer(struct ring_bench *b, uint32_t of, uint32_t k);
/* Number of a node's peer; 0 for NULL. */
uint32_t ring_number(struct ring_bench *b, const struct ela_peer *peer);
uint32_t ring_parent(struct ring_bench *b, uint32_t k);
uint32_t ring_spare(struct ring_bench *b, uint32_t k);

#endif
