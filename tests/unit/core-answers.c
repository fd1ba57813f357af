/* SPDX-License-Identifier: Apache-2.0 */
/* core-answers: reads vectors/core-answers.txt anew for each value. The test's own thread. */
#include "core-answers.h"

#include "hex.h"

#define LINE 4096

size_t core_answer(const char *name, uint8_t *out, size_t room)
{
	FILE *file = fopen(CORE_ANSWERS, "re");
	size_t name_len = strlen(name), n = SIZE_MAX;
	char line[LINE];

	ck_assert_msg(file != NULL, "cannot open %s", CORE_ANSWERS);
	while (n == SIZE_MAX && fgets(line, sizeof line, file)) {
		if (strncmp(line, name, name_len) != 0 || line[name_len] != ' ')
			continue;
		line[strcspn(line, "\n")] = '\0';
		n = strcmp(line + name_len + 1, "-") == 0 ? 0 : hex(line + name_len + 1, out, room);
	}
	(void)fclose(file); /* was only read */
	ck_assert_msg(n != SIZE_MAX, "%s has no %s", CORE_ANSWERS, name);
	return n;
}
