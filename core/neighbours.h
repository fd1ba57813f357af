/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbours: what a node of a ring does with the records that its directory knows (wire.md, "Ring"; thesis 4.2.2).
 * Every record is a peer. Which of them the node keeps a session with, and through whom it reaches the others, follows
 * from its role:
 *
 *   edge   Its parent is the first core clockwise from its own ID that it can reach, its spare the next one after that;
 *          it keeps both sessions. All others are reached through the parent, but for those with whom a session goes
 *          directly, and works. A parent that is lost gives way to the spare at once; no handshake is needed for that.
 *          It is in touch with a third core too, another one each minute, chosen by chance: what parent and spare hold
 *          back, a user list that revokes both of them for example, it hears there.
 *   core   It keeps a session with every other core, and relays for its children: whoever has a session with it
 *          directly. Other edges are reached through the core that their records name.
 *   joining  Peers are made, and nobody is called.
 *
 * A core is who says so in a record that counts. Nothing is done while somebody calls with news: peers are made and
 * dropped by a timer that is due at once. Only a parent that is lost is replaced before the call ends. Control thread.
 */
#ifndef ELA_CORE_NEIGHBOURS_H
#define ELA_CORE_NEIGHBOURS_H

#include "directory.h"
#include "members.h"

#define ELA_REACH_NS (3u * ELA_SEC)        /* a core with which there is no session by then cannot be reached... */
#define ELA_REST_LEAST_NS (5u * ELA_SEC)   /* ... and is called again after that, then twice that, ... */
#define ELA_REST_MOST_NS (60u * ELA_SEC)   /* ... and so on up to here */
#define ELA_LINK_ALIVE_NS (10u * ELA_SEC)  /* keepalives of a session that is kept */
#define ELA_PARENT_ALIVE_NS (5u * ELA_SEC) /* of an edge's with its parent */
#define ELA_THIRD_NS (60u * ELA_SEC)       /* that often another core is the third */
#define ELA_GRACE_NS (5u * ELA_SEC)        /* a parent or spare without a record relays on so long */
#define ELA_FORMER_NS (200 * ELA_MSEC)     /* who started anew learns so long whom it may hear, and may call itself */
#define ELA_FORMER_USED_NS (5u * ELA_SEC)  /* a session that sent something so long ago is used */
#define ELA_LACKING_NS (2u * ELA_SEC)      /* a record that could not be made a peer is looked at again */
#define ELA_LEAVES_NS (60u * ELA_SEC)      /* who said that it leaves is believed so long */

struct ela_neighbours;

struct ela_neighbours_ops {
	/*
	 * Parent or spare is another one, or none. Called in the middle of things, also of ela_neighbours_gone() and of
	 * what happens to sessions: it may ask who they are now and say what the own record says; all else it posts.
	 */
	void (*changed)(void *data);
	void *data;
};

/*
 * All borrowed, and outlive it. Takes over node->news until free. The records that the directory has already count; the
 * role is joining. node runs.
 */
struct ela_neighbours *ela_neighbours_new(struct ela_node *node, const struct ela_membership *membership,
	const struct ela_directory *directory, struct ela_members *members, const struct ela_neighbours_ops *ops);
/* Before members, and before the node. Its peers, their ways and what is relayed stay as they are. Takes NULL. */
void ela_neighbours_free(struct ela_neighbours *n);

/* What this node is from now on. Sessions that are useful in both roles go on. */
void ela_neighbours_set_role(struct ela_neighbours *n, enum ela_lease_role role);
/* node->own has another ID. Sessions that were agreed under the old one end, but for the first: there was none then. */
void ela_neighbours_own_changed(struct ela_neighbours *n);

/* As the directory's listener hears it. Who is on the ring is not asked: records say who is a core. */
void ela_neighbours_changed(struct ela_neighbours *n, uint32_t id);
void ela_neighbours_gone(struct ela_neighbours *n, uint32_t id);

/*
 * A parent or spare says that it is about to leave: it is replaced as soon as another core answers, and not called any
 * more until it has a record of a later incarnation, or for ELA_LEAVES_NS. 0; -EPERM: it is neither.
 */
int ela_neighbours_leaves(struct ela_neighbours *n, const struct ela_peer *peer);

/* NULL: there is none, or this node is no edge. Borrowed until changed(). */
struct ela_peer *ela_neighbours_parent(const struct ela_neighbours *n);
struct ela_peer *ela_neighbours_spare(const struct ela_neighbours *n);

#endif
