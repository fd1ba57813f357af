/* SPDX-License-Identifier: Apache-2.0 */
/* hex: published vectors as they are printed. Any thread. */
#ifndef ELA_TEST_HEX_H
#define ELA_TEST_HEX_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of text, spaces skipped, to out; their number. Fails the test when they do not fit or are not hex. */
static inline size_t hex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;

	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		ck_assert_uint_lt(n, room);
		ck_assert_msg(sscanf(text, "%2hhx", &out[n]) == 1 && text[1], "bad hex at: %s", text);
		n++;
		text += 2;
	}
	return n;
}

#endif
