/* SPDX-License-Identifier: Apache-2.0 */
/* json-write: JSON from values. Pure functions; any thread. A comma is due unless a bracket was opened just before. */
#include "json.h"

#include <math.h>

static void put_quoted(GString *text, const char *string)
{
	g_autofree char *valid = g_utf8_make_valid(string, -1);

	g_string_append_c(text, '"');
	for (const char *p = valid; *p; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_c(text, '\\');
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			g_string_append_printf(text, "\\u%04x", (unsigned int)*p);
		else
			g_string_append_c(text, *p);
	}
	g_string_append_c(text, '"');
}

static void begin(GString *text, const char *key)
{
	char last = text->len ? text->str[text->len - 1] : '{';

	if (last != '{' && last != '[')
		g_string_append_c(text, ',');
	if (key) {
		put_quoted(text, key);
		g_string_append_c(text, ':');
	}
}

void ela_json_open(GString *text, const char *key, char bracket)
{
	begin(text, key);
	g_string_append_c(text, bracket);
}

void ela_json_close(GString *text, char bracket)
{
	g_string_append_c(text, bracket);
}

void ela_json_put(GString *text, const char *key, const char *string)
{
	if (!string) {
		ela_json_put_null(text, key);
		return;
	}
	begin(text, key);
	put_quoted(text, string);
}

void ela_json_put_int(GString *text, const char *key, int64_t number)
{
	begin(text, key);
	g_string_append_printf(text, "%" G_GINT64_FORMAT, number);
}

void ela_json_put_count(GString *text, const char *key, uint64_t number)
{
	begin(text, key);
	g_string_append_printf(text, "%" G_GUINT64_FORMAT, number);
}

void ela_json_put_number(GString *text, const char *key, double number, int digits)
{
	char format[16], buf[G_ASCII_DTOSTR_BUF_SIZE + 320]; /* the largest double has 309 digits before the point */

	if (!isfinite(number)) {
		ela_json_put_null(text, key);
		return;
	}
	begin(text, key);
	(void)g_snprintf(format, sizeof format, "%%.%df", digits); /* a small number fits */
	g_string_append(text, g_ascii_formatd(buf, sizeof buf, format, number));
}

void ela_json_put_bool(GString *text, const char *key, bool value)
{
	begin(text, key);
	g_string_append(text, value ? "true" : "false");
}

void ela_json_put_null(GString *text, const char *key)
{
	begin(text, key);
	g_string_append(text, "null");
}
