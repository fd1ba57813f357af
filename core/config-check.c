/* SPDX-License-Identifier: Apache-2.0 */
/* config-check: the checks that all sections of ela.ini share, worded once. Control thread. */
#include "config-priv.h"
#include "inet.h"
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

/* What a section takes: the second list only where the routing has a ring. g_strfreev. */
static char **usable_names(const struct config_load *load, const char *const *names, const char *const *ring_names)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (; *names != NULL; names++)
		g_strv_builder_add(builder, *names);
	for (; load->config->has_ring && ring_names != NULL && *ring_names != NULL; ring_names++)
		g_strv_builder_add(builder, *ring_names);
	return g_strv_builder_end(builder);
}

static void report_key(
	struct config_load *load, const char *section, const struct ela_ini_key *key, const char *const *names)
{
	g_autofree char *all = g_strjoinv(", ", (char **)(uintptr_t)names);
	g_autofree char *suggestion = ela_report_suggest(key->name, names);

	ela_report_add(load->report, key->line, section, key->name, "unknown key; expected %s%s",
		*all != '\0' ? all : "none", suggestion);
}

void ela_config_check_keys(
	struct config_load *load, const char *section, const char *const *names, const char *const *ring_names)
{
	const struct ela_ini_section *s = ela_ini_section(load->ini, section);
	const struct ela_loaded *routing = load->config->routing; /* NULL: reported, and nobody knows what it would have */
	g_auto(GStrv) usable = usable_names(load, names, ring_names);

	for (guint i = 0; s != NULL && i < s->keys->len; i++) {
		const struct ela_ini_key *key = g_ptr_array_index(s->keys, i);

		if (g_strv_contains((const char *const *)usable, key->name))
			continue;
		if (ring_names == NULL || !g_strv_contains(ring_names, key->name))
			report_key(load, section, key, (const char *const *)usable);
		else if (routing != NULL)
			ela_report_add(load->report, key->line, section, key->name,
				"is for a routing with a ring, and %s has none; expected this key removed, or a routing such as chord",
				routing->section);
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

const char ela_config_endpoint_inside[] = "is inside the virtual network itself; expected an address outside it";

const char *ela_config_endpoint_fault(const struct ela_config *config, const struct ela_addr *addr)
{
	if (addr->family == ELA_ADDR_NONE)
		return NULL;
	if (ela_inet_is_loopback(addr))
		return "is a loopback address; expected one of the Internet or of the local network";
	if (ela_inet_is_unspecified(addr))
		return "is the unspecified address; expected one of the Internet or of the local network";
	if (ela_inet_is_multicast(addr))
		return "is a multicast or reserved address; expected one of the Internet or of the local network";
	if (ela_inet_is_link_local(addr))
		return "is a link-local address; expected one of the Internet or of the local network";
	if (ela_inet_prefix_contains(&config->address4, addr) || ela_inet_prefix_contains(&config->address6, addr) ||
		ela_inet_prefix_contains(&config->network_prefix, addr))
		return ela_config_endpoint_inside;
	return NULL;
}
