/* SPDX-License-Identifier: Apache-2.0 */
/* host: the services that plugins get (include/ela/host.h), for one plugin instance of one node. Control thread. */
#ifndef ELA_CORE_HOST_H
#define ELA_CORE_HOST_H

#include "state.h"

/* Creates an instance of a plugin with its host; NULL and *error when the plugin's create() failed. */
struct ela_instance *ela_instance_new(
	struct ela_node *node, const struct ela_loaded *loaded, uint32_t number, GError **error);
/* Destroys it. Takes NULL. */
void ela_instance_free(struct ela_instance *instance);

/* Builds and publishes the routes that routing plugins set since the last time. */
void ela_node_publish_routes(struct ela_node *node);
/*
 * These prefixes, as ela_inet_prefix_text() writes them, lead to peer from now on, and no others; NULL-terminated.
 * Published in one step: no lane finds the peer without a route in between.
 */
void ela_node_replace_routes(struct ela_node *node, struct ela_peer *peer, char *const *prefixes);
/* A peer goes: no route may lead to it. */
void ela_node_forget_routes(struct ela_node *node, const struct ela_peer *peer);

#endif
