/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdings: what this machine holds of its network's signed objects: as its elad says, or, where none runs, as the
 * state folder has them; and the way back for a user list.
 */
#ifndef ELA_CLI_HOLDINGS_H
#define ELA_CLI_HOLDINGS_H

#include "membership.h"
#include "place.h"

struct ela_holdings {
	const struct ela_network_place *place;
	struct ela_membership *membership;
	int dirfd; /* the state folder; -1: elad runs and has said it */
	uid_t uid; /* whose the folder is: root reads and writes there as him */
	gid_t gid;
};

/* place is borrowed. False: *ret_refusal says why. */
bool ela_holdings_get(const struct ela_network_place *place, struct ela_holdings *ret, GString **ret_refusal);
/* To elad, or into the folder. NULL: it has it, and so has a neighbour of it, unless none takes it within 2 s. */
GString *ela_holdings_give(struct ela_holdings *holdings, GBytes *list);
void ela_holdings_clear(struct ela_holdings *holdings);

#endif
