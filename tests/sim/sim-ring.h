/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim-ring: nodes of a network that nodes join, in a world of sim.h: spec.role makes one. All have the folders that
 * `ela init` (node 0) and `ela join` (the others, machines of the same user, or guests) make; they wish
 * 10.88.0.(k + 1), so what sim.h says of addresses holds for them. All worlds have the same network. One thread.
 */
#ifndef ELA_TESTS_SIM_RING_H
#define ELA_TESTS_SIM_RING_H

#include "network.h"
#include "rsa.h"
#include "sim.h"

#define SIM_RING_MAX 16u /* nodes of one user */

/* ---- for tests ---- */

/* n nodes, bit k of edges: node k is an edge, else a core. All are down. */
struct sim *sim_ring_new(uint64_t seed, uint32_t n, uint64_t edges);
#define SIM_RING_GUESTS 0x1eu /* nodes that can be guests */

/*
 * Bit k: node k of the worlds to come is the first of a user "uK" of its own, whom the founder invited. Of
 * SIM_RING_GUESTS.
 */
void sim_ring_guests(uint64_t nodes);
/* Node i, which is down, becomes a further machine of the user of node `from`, who is in. */
void sim_ring_machine_of(struct sim *s, uint32_t from, uint32_t i);
/* Node i, which is down, will call that core, and nobody else. */
void sim_ring_knows(struct sim *s, uint32_t i, uint32_t core);
/* Whether state folders, of all nodes, have no room for anything. */
void sim_ring_disk_full(bool is_full);
/* A key of the folder of node 0. ela_rsa_free(). */
struct ela_rsa *sim_ring_rsa(struct sim *s, const char *file);
/* All that are up are in, know each other's records, and have the parents that the ring gives them. */
bool sim_ring_settled(struct sim *s);
/* sim_ring_guests() and sim_ring_new(); node 0 is up first, then all, until it is settled, and 5 s more. */
struct sim *sim_ring_formed(uint64_t seed, uint32_t n, uint64_t edges, uint64_t guests);
/* Says who lacks what, before a test gives up. */
void sim_ring_explain(struct sim *s);
/* Node i is down, and knows no core any more: it is left with its bootstraps. */
void sim_ring_forget_cores(struct sim *s, uint32_t i);
uint32_t sim_ring_id(const struct sim *s, uint32_t i);

/* ---- for sim.c ---- */

void sim_ring_folder(struct sim_node *n);
uint32_t sim_ring_host(const struct sim_node *n);
void sim_ring_ini(const struct sim_node *n, GString *ini);
void sim_ring_open(struct sim_node *n);
void sim_ring_call(struct sim_node *n);
void sim_ring_close(struct sim_node *n);
void sim_ring_remove(struct sim_node *n);

#endif
