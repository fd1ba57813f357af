/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route-ring: route-static that says it has a ring and enters none: elad with it is a node of a network that nodes
 * join, without others. Its descriptor is a copy of route-static's, which is linked in under another name.
 */
#include <ela/ela.h>

extern const struct ela_plugin sound_plugin;

/* Written by the constructor, before anyone can look. */
extern ELA_EXPORT struct ela_plugin ela_plugin;
ELA_EXPORT struct ela_plugin ela_plugin;

static struct ela_routing_ops ops;

static int do_nothing(void *self)
{
	(void)self;
	return 0;
}

static __attribute__((constructor)) void make(void)
{
	ela_plugin = sound_plugin;
	ela_plugin.name = "ring";
	ops = *(const struct ela_routing_ops *)sound_plugin.ops;
	ops.join = do_nothing;
	ops.leave = do_nothing;
	ela_plugin.ops = &ops;
	ela_plugin.ops_size = sizeof ops;
}
