/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward: where a relayed frame goes on: node ID -> neighbour, and whether that neighbour is a child of ours or a
 * core. Control sets it; lanes read an immutable snapshot, published through the node's qsbr like the routes.
 *
 * The rules: a child's frame goes to a core or to another child, a core's only to a child. So a frame passes two cores
 * at most, and no loop of cores exists whatever their tables say.
 */
#ifndef ELA_CORE_FORWARD_H
#define ELA_CORE_FORWARD_H

#include <ela/types.h>
#include <stdbool.h>

struct ela_node;
struct ela_peer;

enum ela_forward_kind {
	ELA_FORWARD_NONE = 0, /* a neighbour for whom nothing is relayed */
	ELA_FORWARD_CHILD = 1,
	ELA_FORWARD_CORE = 2,
};

struct ela_forward_entry {
	uint32_t id; /* 0 = free slot */
	enum ela_forward_kind kind;
	struct ela_peer *peer; /* the next hop */
};

struct ela_forward {
	uint32_t mask; /* slots - 1 */
	struct ela_forward_entry slots[];
};

/*
 * [control] Frames for node id go to peer from the next moment on (the control loop's next round). kind says what peer
 * is; a child stands for itself only. Replaces what was there. -EINVAL: an ID that is never relayed to (0, 0xffffffff,
 * our own), or a child under another ID.
 */
int ela_forward_set(struct ela_node *node, uint32_t id, struct ela_peer *peer, enum ela_forward_kind kind);
/* [control] -ENOENT when there is nothing. */
int ela_forward_del(struct ela_node *node, uint32_t id);
/* [control] Drops all that leads to peer, at once: it is about to be freed. */
void ela_forward_forget(struct ela_node *node, struct ela_peer *peer);
/* [control] Publishes what was set, if anything was. */
void ela_forward_publish(struct ela_node *node);
/* [control] No lane runs any more. */
void ela_forward_free(struct ela_node *node);

/* [lane] The entry of id; NULL when there is none. f may be NULL: nothing was ever set. */
const struct ela_forward_entry *ela_forward_find(const struct ela_forward *f, uint32_t id);
/* [lane] What a neighbour is: the kind of the entry by which frames for it go to it directly. */
enum ela_forward_kind ela_forward_role(const struct ela_forward *f, const struct ela_peer *peer);

/* May a frame that came from the one be passed on to the other? */
static inline bool ela_forward_allowed(enum ela_forward_kind from, enum ela_forward_kind to)
{
	return (from == ELA_FORWARD_CHILD && to != ELA_FORWARD_NONE) ||
		   (from == ELA_FORWARD_CORE && to == ELA_FORWARD_CHILD);
}

#endif
