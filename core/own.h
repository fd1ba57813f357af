/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own: what this node is in the overlay: node ID and addresses. Known from ela.ini in a network of static peers, only
 * after joining in one with a ring, and replaced as a whole when the node is given another address. Lanes read what was
 * published at the start of their turn; control thread otherwise.
 */
#ifndef ELA_CORE_OWN_H
#define ELA_CORE_OWN_H

#include "state.h"

/* Immutable once published. */
struct ela_own {
	uint32_t id;                /* 0 = no address yet: only a neighbour's frames to "you" are for this node */
	struct ela_prefix ip4, ip6; /* with the overlay's prefix length; family ELA_ADDR_NONE = none */
	uint8_t broadcast4[4];      /* of ip4's prefix; 0.0.0.0 without one */
};

/* Never NULL. Borrowed until the next ela_own_take(). */
static inline const struct ela_own *ela_own(const struct ela_node *node)
{
	return atomic_load_explicit(&node->own, memory_order_relaxed);
}

static inline uint32_t ela_own_id(const struct ela_node *node)
{
	return ela_own(node)->id;
}

/*
 * These are the node's addresses from now on: the device's too, if it is open. NULL or family NONE = none; without IPv4
 * there is no ID and no IPv6. ip4 is a host's address: neither its prefix's network nor its broadcast address. 0, or as
 * npd's set_addresses(), -EINVAL an address that no node may have, -ENOMEM; then nothing has changed. What was agreed
 * with peers under another ID stays as it is: the caller tells them.
 */
int ela_own_take(struct ela_node *node, const struct ela_prefix *ip4, const struct ela_prefix *ip6);

/* Addresses as an npd wants them, "10.88.0.1/24" with IPv4 first; g_strfreev. */
char **ela_own_texts(const struct ela_own *own);

/* For ela_node_free(). */
void ela_own_free(struct ela_node *node);

#endif
