/* SPDX-License-Identifier: Apache-2.0 */
/* suggest: the nearest valid name to one that is not, for "did you mean". Pure functions. Any thread. */
#ifndef ELA_CORE_SUGGEST_H
#define ELA_CORE_SUGGEST_H

#include <glib.h>

/*
 * How many single-character insertions, deletions, replacements and swaps of neighbours lead from a to b (no part
 * edited twice: "optimal string alignment"). Names longer than 64 bytes are G_MAXUINT away from everything.
 */
guint ela_suggest_distance(const char *a, const char *b);

/*
 * The name of names (NULL-terminated) nearest to wrong: at most 2 edits away, and at most half of wrong's length. The
 * first of equals; case does not count. NULL when nothing is near.
 */
const char *ela_suggest(const char *wrong, const char *const *names);

#endif
