/* SPDX-License-Identifier: Apache-2.0 */
/* suggest: nearest name by Damerau-Levenshtein distance. Pure functions; any thread. */
#include "suggest.h"
#include <string.h>

#define NAME_MAX_LEN 64u
#define MAX_EDITS 2u

guint ela_suggest_distance(const char *a, const char *b)
{
	/* Three rows of the table are enough: a swap looks back two. */
	guint rows[3][NAME_MAX_LEN + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return G_MAXUINT;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (guint)j;
	for (size_t i = 1; i <= la; i++) {
		guint *row = rows[i % 3];
		const guint *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = (guint)i;
		for (size_t j = 1; j <= lb; j++) {
			guint best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, above[j] + 1);
			best = MIN(best, row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, above2[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[la % 3][lb];
}

const char *ela_suggest(const char *wrong, const char *const *names)
{
	const char *nearest = NULL;
	guint least = MAX_EDITS + 1;

	for (; *names != NULL; names++) {
		guint edits = g_ascii_strcasecmp(wrong, *names) == 0 ? 0 : ela_suggest_distance(wrong, *names);

		if (edits < least) {
			least = edits;
			nearest = *names;
		}
	}
	/* "ab" is two edits from everything short: such advice is noise */
	if (nearest != NULL && least > 0 && 2u * least > strlen(wrong))
		return NULL;
	return nearest;
}
