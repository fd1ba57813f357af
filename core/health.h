/* SPDX-License-Identifier: Apache-2.0 */
/* health: what is not as it should be with a node, each with what to do about it. Control thread. */
#ifndef ELA_CORE_HEALTH_H
#define ELA_CORE_HEALTH_H

#include "node.h"

typedef void (*ela_health_fn)(void *data, const char *text, const char *remedy);

/* Calls fn for each; what passes by itself within 30 s is not said. */
void ela_node_health(struct ela_node *node, ela_health_fn fn, void *data);

#endif
