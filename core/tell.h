/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tell: a node, its peers and its counters as members of a JSON object (docs/json.md), appended to text. Control
 * thread; changes nothing.
 */
#ifndef ELA_CORE_TELL_H
#define ELA_CORE_TELL_H

#include "network.h"
#include "peer.h"

void ela_tell_node(struct ela_node *node, GString *text);      /* "network" and "self" */
void ela_tell_peers(struct ela_node *node, GString *text);     /* "peers" */
void ela_tell_counters(struct ela_node *node, GString *text);  /* "counters" */
void ela_tell_why(const struct ela_peer *peer, GString *text); /* "why" */
/* ela_health_fn: one item of "health"; data is a GString *. */
void ela_tell_health(void *data, const char *text, const char *remedy);

/*
 * Calls fn for each node that relays to the peer, nearest first, as far as it is known, and why it is that one: a
 * clause for people. Not for a peer with a session that goes directly.
 */
void ela_tell_relays(const struct ela_peer *peer, const struct ela_network_peer *view,
	void (*fn)(void *data, const struct ela_peer *relay, const char *why), void *data);

/* "up", "silent", "calling", "waiting". */
const char *ela_tell_state(const struct ela_peer *peer);

#endif
