/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken: a sound plugin of the tree with one thing wrong, to see the suite find it. The sound one's source is linked
 * in with its descriptor under another name; a constructor copies it and replaces operations, for a copy of a constant
 * is no constant to the compiler. Everything of one file is one mistake, chosen by a macro.
 */
#ifndef ELA_CHECK_BROKEN_H
#define ELA_CHECK_BROKEN_H

#include <ela/ela.h>

#ifndef SOUND
#define SOUND sound_plugin
#endif

extern const struct ela_plugin SOUND;

/* Written by the constructor, before anyone can look. */
extern ELA_EXPORT struct ela_plugin ela_plugin;

#define BROKEN_PLUGIN(kind_name, plugin_name, break_ops)                                                               \
	ELA_EXPORT struct ela_plugin ela_plugin;                                                                           \
	static struct ela_##kind_name##_ops sound, ops;                                                                    \
	static __attribute__((constructor)) void copy_and_break(void)                                                      \
	{                                                                                                                  \
		ela_plugin = SOUND;                                                                                            \
		ela_plugin.name = plugin_name;                                                                                 \
		sound = *(const struct ela_##kind_name##_ops *)SOUND.ops;                                                      \
		ops = sound;                                                                                                   \
		break_ops(&ops);                                                                                               \
		ela_plugin.ops = &ops;                                                                                         \
		ela_plugin.ops_size = sizeof ops;                                                                              \
	}                                                                                                                  \
	struct ela_plugin_needs_semicolon

#endif
