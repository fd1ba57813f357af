/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootstraps: places where a node of this network may be, whose key nobody knows: what ela.ini has as bootstrap, what
 * is found on a LAN (discovery.h) or among old contacts, and newcomers who wait to be called (dials.h). They are called
 * by XX; what becomes of whoever is there is the owner's matter. Control thread.
 */
#ifndef ELA_CORE_BOOTSTRAPS_H
#define ELA_CORE_BOOTSTRAPS_H

#include <ela/types.h>
#include <stdbool.h>

struct ela_bootstraps;
struct ela_endpoint;
struct ela_node;
struct ela_peer;

struct ela_bootstraps_ops {
	/* Somebody is there, and has a session. It may be a peer that was made for this, and nobody else knows. */
	void (*reached)(void *data, struct ela_peer *peer);
	/* Is somebody there who is in this node's ring? Nobody calls him for that. */
	bool (*is_inside)(void *data, const struct ela_addr *addr);
	uint32_t level; /* at which it is said that an endpoint does not answer: ELA_LOG_* */
	void *data;
};

/* endpoints are read here and not any more; ops is borrowed. */
struct ela_bootstraps *ela_bootstraps_new(
	struct ela_node *node, const struct ela_endpoint *endpoints, uint32_t n, const struct ela_bootstraps_ops *ops);
void ela_bootstraps_free(struct ela_bootstraps *bootstraps); /* takes NULL; nobody is told */
/* There are endpoints. */
bool ela_bootstraps_any(const struct ela_bootstraps *bootstraps);
/* Calls the next ones, a few at a time; those under way go on. True: some are. */
bool ela_bootstraps_call(struct ela_bootstraps *bootstraps);
/* Somebody may be there: he is called at once, if there is room for one more, and nobody calls him already. where: how
 * that is known, for people, static. */
void ela_bootstraps_found(struct ela_bootstraps *bootstraps, const struct ela_addr *addr, const char *where);
/* Calls end, and nobody is told. */
void ela_bootstraps_stop(struct ela_bootstraps *bootstraps);

#endif
