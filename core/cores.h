/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cores: the cores of a ring as their IDs in rising order, and who is whose parent (thesis 4.2.2): the owner of an ID
 * is the first core at or after it, clockwise. Plain memory; control thread.
 */
#ifndef ELA_CORE_CORES_H
#define ELA_CORE_CORES_H

#include <stdbool.h>
#include <stdint.h>

struct ela_cores {
	uint32_t *ids; /* strictly rising, neither 0 nor 0xffffffff; g_free */
	uint32_t n;
};

/* Takes a copy. 0; -EALREADY when they are the same; -EINVAL when they are not in order; cores are untouched then. */
int ela_cores_set(struct ela_cores *cores, const uint32_t *ids, uint32_t n);
void ela_cores_clear(struct ela_cores *cores);

/* Where the owner of id stands among the IDs; 0 also when there is none. */
uint32_t ela_cores_position(const struct ela_cores *cores, uint32_t id);
bool ela_cores_has(const struct ela_cores *cores, uint32_t id);
/* The k-th core after the owner of id, the owner for k = 0; 0 when there are not so many. */
uint32_t ela_cores_successor(const struct ela_cores *cores, uint32_t id, uint32_t k);
/*
 * Whom the node should have as parent and as spare: the owner of its ID and the core after that, itself left out. 0
 * where there is none.
 */
void ela_cores_parents(const struct ela_cores *cores, uint32_t id, uint32_t *ret_parent, uint32_t *ret_spare);

#endif
