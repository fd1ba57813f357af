/* SPDX-License-Identifier: Apache-2.0 */
/* config-check: the checks that all sections of ela.ini share, worded once. Control thread. */
#include "config-priv.h"
#include <string.h>

bool ela_config_need_section(struct config_load *load, const char *section, const char *expected)
{
	if (ela_ini_section(load->ini, section) != NULL)
		return true;
	if (!load->ini->has_broken_header && load->ini->last_line > 0)
		ela_report_add(
			load->report, load->ini->last_line, section, NULL, "section is missing; expected it with %s", expected);
	return false;
}

void ela_config_check_keys(struct config_load *load, const char *section, const char *const *names)
{
	const struct ela_ini_section *s = ela_ini_section(load->ini, section);
	g_autofree char *all = g_strjoinv(", ", (char **)(uintptr_t)names);

	for (guint i = 0; s != NULL && i < s->keys->len; i++) {
		const struct ela_ini_key *key = g_ptr_array_index(s->keys, i);
		g_autofree char *suggestion = NULL;

		if (g_strv_contains(names, key->name))
			continue;
		suggestion = ela_report_suggest(key->name, names);
		ela_report_add(load->report, key->line, section, key->name, "unknown key; expected %s%s",
			*all != '\0' ? all : "none", suggestion);
	}
}

static void check_missing(
	struct config_load *load, const char *section, const char *key, bool is_required, const char *expected)
{
	const struct ela_ini_section *s = ela_ini_section(load->ini, section);

	if (is_required && s != NULL && ela_ini_key(s, key) == NULL)
		ela_report_add(load->report, s->line, section, key, "key is missing; expected %s", expected);
}

char *ela_config_value(
	struct config_load *load, const char *section, const char *key, bool is_required, const char *expected)
{
	check_missing(load, section, key, is_required, expected);
	return ela_ini_value(load->ini, section, key, load->report);
}

char **ela_config_list(
	struct config_load *load, const char *section, const char *key, bool is_required, const char *expected)
{
	check_missing(load, section, key, is_required, expected);
	return ela_ini_list(load->ini, section, key, load->report);
}

const char *ela_config_comment_hint(const char *value)
{
	for (const char *p = value; *p != '\0'; p++) {
		if ((p[0] == ' ' || p[0] == '\t') && (p[1] == '#' || p[1] == ';'))
			return "; comments stand on lines of their own";
	}
	return "";
}

void ela_config_bad_value(
	struct config_load *load, const char *section, const char *key, const char *value, const char *expected)
{
	g_autofree char *quoted = ela_report_quote(value);

	ela_report_add(load->report, ela_ini_line(load->ini, section, key), section, key, "bad value %s; expected %s%s",
		quoted, expected, ela_config_comment_hint(value));
}

void ela_config_bad_sense(
	struct config_load *load, const char *section, const char *key, const char *value, const char *what)
{
	g_autofree char *quoted = ela_report_quote(value);

	ela_report_add(load->report, ela_ini_line(load->ini, section, key), section, key, "%s %s%s", quoted, what,
		ela_config_comment_hint(value));
}

bool ela_config_check_once(struct config_load *load, const char *section, const char *key, char **list)
{
	for (guint i = 0; list[i] != NULL; i++) {
		for (guint k = 0; k < i; k++) {
			if (strcmp(list[i], list[k]) == 0) {
				ela_config_bad_sense(load, section, key, list[i], "is given twice; expected each element once");
				return false;
			}
		}
	}
	return true;
}
