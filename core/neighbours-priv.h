/* SPDX-License-Identifier: Apache-2.0 */
/* neighbours-priv: what the files of neighbours share. Control thread. */
#ifndef ELA_CORE_NEIGHBOURS_PRIV_H
#define ELA_CORE_NEIGHBOURS_PRIV_H

#include "neighbours.h"

/* How an edge stands with a core that it has no working session with. */
enum reach {
	REACH_IDLE = 0, /* not tried since it was known or had a session */
	REACH_TRYING,
	REACH_RESTING, /* in vain; not yet again */
};

/* A node that has a record, or had one until a moment ago. */
struct neighbour {
	uint32_t id;
	uint32_t via_id;        /* struct ela_known.via */
	struct ela_lease lease; /* what its record says */
	struct ela_peer *peer;  /* NULL: it could not be made, or was dropped by somebody else */
	bool is_told;           /* peer knows what told says */
	struct ela_lease told;
	uint64_t gone_ns;   /* since when there is no record; 0: there is one */
	uint64_t leaves_ns; /* when it said that it leaves, in the incarnation that its record has; 0: it did not */
	enum reach reach;
	uint64_t reach_ns; /* trying: since when; resting: until when */
	uint64_t rest_ns;  /* how long it rested last, 0 = it had a session since */
	/* Its entry in the node's forward table, as far as it is ours. */
	enum ela_forward_kind kind;
	struct ela_peer *hop;
};

struct ela_neighbours {
	struct ela_node *node;
	const struct ela_membership *membership;
	const struct ela_directory *directory;
	struct ela_members *members;
	struct ela_neighbours_ops ops;
	struct ela_peer_listener news;
	enum ela_lease_role role;
	uint32_t own_id;     /* as all of this was made for */
	GHashTable *by_id;   /* node ID -> struct neighbour *, owned */
	GHashTable *by_peer; /* struct ela_peer * -> struct neighbour * */
	GPtrArray *cores;    /* those of by_id that are cores, by rising ID */
	GHashTable *dirty;   /* node IDs whose records are to be looked at */
	bool has_room;       /* a peer went: those that have none may get one now */
	uint64_t lacks_ns;   /* when those that have none are looked at again in any case; 0: all have one */
	struct neighbour *parent, *spare;
	uint32_t third_id; /* of an edge: the core beyond both that it keeps in touch with; 0 = none */
	uint64_t third_ns; /* when another one is chosen; 0 = that is not decided yet */
	struct ela_timer *timer;
	uint64_t due_ns; /* when it fires, 0 = it is not armed */
};

static inline bool is_core(const struct neighbour *nb)
{
	return nb->lease.role == ELA_LEASE_CORE;
}

/* It has a record, and nothing says that it will not. */
static inline bool stays(const struct neighbour *nb)
{
	return nb->gone_ns == 0 && nb->leaves_ns == 0;
}

/* Its frames go to it, and not through somebody. */
static inline bool is_direct(const struct neighbour *nb)
{
	return nb->peer && nb->peer->tx_shadow && !nb->peer->tx_shadow->via;
}

/* There is a direct session with it, and it answers. */
static inline bool is_linked(const struct neighbour *nb)
{
	const struct ela_link *link = is_direct(nb) ? nb->peer->tx_shadow->link : NULL;

	return is_direct(nb) && nb->peer->silent_ns == 0 && !(link && atomic_load(&link->failed));
}

/* The timer fires then at the latest. */
void ela_neighbours_at(struct ela_neighbours *n, uint64_t at_ns);

/* ---- neighbours-edge.c ---- */

/* Who is parent and who spare, of those with whom there are sessions now. Calls nobody. */
void ela_neighbours_pick(struct ela_neighbours *n);
/* Calls the cores that should be one of both, and gives up what took too long. */
void ela_neighbours_seek(struct ela_neighbours *n);

/* ---- neighbours-ways.c ---- */

/* Through whom each peer is reached, whose session is kept, and what is relayed. */
void ela_neighbours_lead(struct ela_neighbours *n);
/* Calls it directly, unless that is under way. */
void ela_neighbours_call(struct neighbour *nb);

#endif
