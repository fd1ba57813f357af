/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: which overlay address a newcomer gets (docs/protocol.md, "Who gets which address"). Decides only; the record
 * that follows is what leases it. Control thread.
 */
#ifndef ELA_CORE_ADDRESS_H
#define ELA_CORE_ADDRESS_H

#include "directory.h"

/* What is taken into account. Borrowed. */
struct ela_addresses {
	struct ela_loop *loop; /* for random numbers */
	const struct ela_membership *m;
	const struct ela_directory *directory;
	const struct ela_lease_table *leases;
};

/* Could the node have it? It is a host's of the network, nobody else's, and its ID is one that nodes have. */
bool ela_address_is_free(const struct ela_addresses *from, const struct ela_credential *node, uint32_t address);
/*
 * The wished one (0: no wish) if it is free, else the one that he has leased, else by a hash of his key, so that he
 * finds the same again, else by chance. 0; -EAGAIN without a genesis; -ENOSPC when all are taken.
 */
int ela_address_choose(
	const struct ela_addresses *from, const struct ela_credential *node, uint32_t wish, uint32_t *ret);

#endif
