/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chord-world: instances of route-chord on hosts of their own under one virtual clock: messages are delayed, lost,
 * doubled and reordered, links are cut and healed, nodes crash and come back. Records are those of
 * tests/conformance/records.h. What the host would refuse ends the process: no sound plugin does it. One thread.
 */
#ifndef ELA_TESTS_CHORD_WORLD_H
#define ELA_TESTS_CHORD_WORLD_H

#include "../conformance/records.h"
#include "loop.h"

#include <ela/ela.h>
#include <glib.h>
#include <stdbool.h>

#define CHORD_WORLD_MAX 64u
#define CHORD_WORLD_RING 4096u /* as struct ela_host has it */

struct chord_world;

/* What was told by record_set(). */
struct chord_told {
	uint32_t via;
	struct ela_record_info info;
};

struct chord_node {
	struct ela_host host; /* priv is the node */
	struct chord_world *world;
	uint32_t number; /* 0.. */
	uint32_t id;
	void *self; /* NULL while it is down */
	uint32_t generation;
	GHashTable *told; /* id -> struct chord_told, owned */
	uint32_t ring[CHORD_WORLD_RING], n_ring;
	uint32_t n_sets; /* record_set(), record_del() and ring_set() calls */
	uint64_t counters[64];
	uint32_t sent;
	bool has_no_ring;
};

struct chord_world {
	struct ela_loop *loop;
	const struct ela_routing_ops *ops;
	uint64_t random;
	uint32_t n;
	struct chord_node nodes[CHORD_WORLD_MAX];
	bool linked[CHORD_WORLD_MAX][CHORD_WORLD_MAX];   /* a session */
	uint8_t flags[CHORD_WORLD_MAX][CHORD_WORLD_MAX]; /* ELA_PEER_*, of that */
	/* Of every message. */
	double loss, dup;
	uint64_t delay_ns; /* 1 ns .. this, evenly: reorders by itself */
	/* The tests'; NULL = none. What record_check() is to say first: 0 = what the record says. */
	int (*verdict)(struct chord_world *world, const struct chord_node *at, const struct ela_record_info *info);
	void (*on_send)(struct chord_world *world, uint32_t from, uint32_t to, const uint8_t *bytes, uint32_t len);
	bool deaf; /* nothing is delivered */
	void *data;
};

/* n nodes, all up, none linked. IDs are spread over the ring by the seed. */
struct chord_world *chord_world_new(uint64_t seed, uint32_t n);
void chord_world_free(struct chord_world *world);
uint64_t chord_world_random(struct chord_world *world);
void chord_world_run(struct chord_world *world, uint64_t for_ns);

/* Link by datagrams or cut two nodes: both ends are told. */
void chord_world_link(struct chord_world *world, uint32_t a, uint32_t b, bool linked);
/* Link two nodes by a session with these flags (ELA_PEER_*). A stream loses and reorders nothing. */
void chord_world_link_by(struct chord_world *world, uint32_t a, uint32_t b, uint32_t flags);
/* The instance goes without a word; its links are down. */
void chord_world_crash(struct chord_world *world, uint32_t i);
/* A new instance, started, not linked. */
void chord_world_start(struct chord_world *world, uint32_t i);
/* A message as if from node `from`, now. */
void chord_world_inject(struct chord_world *world, uint32_t from, uint32_t to, const void *bytes, uint32_t len);

/* The descriptor of the plugin under test. */
extern const struct ela_plugin ela_plugin;
uint64_t chord_node_counter(const struct chord_node *node, const char *name);
/* The record that lookup() finds; its length, 0 = none. */
uint32_t chord_node_find(struct chord_node *node, uint32_t id, uint8_t *ret);
/* A record of the key number of so many bytes, put in by insert() or update(), whichever takes it: what it said. */
int chord_node_put(struct chord_node *node, const struct ela_record_info *info);
/* Key hash number k: smaller k holds an ID against a greater one. */
void chord_key(uint32_t k, uint8_t ret[32]);

#endif
