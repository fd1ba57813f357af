/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document: the blocks of docs/protocol.md that test-protocol.c compares with core: frames, values, and whether core
 * makes the same. A block that is not there fails the test. One thread.
 */
#ifndef ELA_TESTS_DOCUMENT_H
#define ELA_TESTS_DOCUMENT_H

#include "bytes.h"
#include "hex.h"

#include <check.h>
#include <glib.h>

#define ROOM 2048u

static char **document(void)
{
	g_autofree char *text = NULL;

	ck_assert_msg(g_file_get_contents(DOCUMENT, &text, NULL, NULL), "cannot read %s", DOCUMENT);
	return g_strsplit(text, "\n", -1);
}

/* The first line of the block, its fence's text after ``` being fence. */
static char **block(char **lines, const char *fence)
{
	g_autofree char *wanted = g_strconcat("```", fence, NULL);

	while (*lines && strcmp(*lines, wanted) != 0)
		lines++;
	ck_assert_msg(*lines, "the document has no block %s", wanted);
	return lines + 1;
}

static size_t frame(const char *name, uint8_t out[ROOM])
{
	g_autofree char *fence = g_strconcat("hex frame=", name, NULL);
	g_auto(GStrv) lines = document();
	size_t len = 0;

	for (char **line = block(lines, fence); *line && strcmp(*line, "```") != 0; line++) {
		g_autofree char *code = g_strndup(*line, strcspn(*line, "#"));

		len += hex(code, out + len, ROOM - len);
	}
	ck_assert_msg(len, "frame %s of the document is empty", name);
	return len;
}

/* A value of any of the blocks of values. */
static size_t value(const char *name, uint8_t *out, size_t room)
{
	g_auto(GStrv) lines = document();

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) parts = g_strsplit(*line, "=", 2);

		if (parts[0] && parts[1] && strcmp(g_strstrip(parts[0]), name) == 0)
			return hex(g_strstrip(parts[1]), out, room);
	}
	ck_abort_msg("the document has no value %s", name);
	return 0;
}

static const uint8_t *key(const char *name, uint8_t out[32])
{
	ck_assert_uint_eq(value(name, out, 32), 32);
	return out;
}

static uint32_t word(const char *name)
{
	uint8_t bytes[4];

	ck_assert_uint_eq(value(name, bytes, sizeof bytes), 4);
	return ela_get32(bytes);
}

static void same(const char *name, const uint8_t *document, size_t document_len, const uint8_t *core, size_t core_len)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (document_len == core_len && memcmp(document, core, core_len) == 0)
		return;
	for (size_t i = 0; i < core_len; i++)
		g_string_append_printf(text, "%02x", core[i]);
	ck_abort_msg("%s: the document has %zu other bytes, core makes %zu: %s", name, document_len, core_len, text->str);
}

static void same_value(const char *name, const uint8_t *core, size_t len)
{
	uint8_t bytes[ROOM];
	size_t n = value(name, bytes, sizeof bytes);

	same(name, bytes, n, core, len);
}

static void same_frame(const char *name, const uint8_t *core, size_t len)
{
	uint8_t bytes[ROOM];
	size_t n = frame(name, bytes);

	same(name, bytes, n, core, len);
}

#endif
