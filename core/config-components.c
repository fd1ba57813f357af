/* SPDX-License-Identifier: Apache-2.0 */
/* config-components: the section [components]: which plugins are loaded, and which sections belong to them. Control
 * thread. */
#include "config-priv.h"
#include <string.h>

#define SECTION "components"
/* More of a kind than anybody lists on purpose; what is sent in a handshake stays small. */
#define MAX_OF_A_KIND 8u

struct component {
	const char *key;
	uint32_t kind;
	bool is_list;
	const char *expected;
};

static const struct component components[] = {
	{"npd", ELA_KIND_NPD, false, "one device plugin such as tun"},
	{"cipher", ELA_KIND_CIPHER, true, "cipher plugins in order of preference such as aead"},
	{"transport", ELA_KIND_TRANSPORT, true, "transport plugins in order of preference such as udp, tcp"},
	{"routing", ELA_KIND_ROUTING, false, "one routing plugin such as static"},
};
static const char *const keys[] = {"npd", "cipher", "transport", "routing", NULL};

/* "npd-tun.so" and "npd-tun" are what people take from a folder's listing. */
static char *bare_name(const char *text, uint32_t kind)
{
	const char *prefix = ela_loader_prefix(kind);
	size_t len = strlen(prefix);
	char *name = g_strdup(g_str_has_prefix(text, prefix) && text[len] == '-' ? text + len + 1 : text);

	if (g_str_has_suffix(name, ".so"))
		name[strlen(name) - 3] = '\0';
	return name;
}

static void report_not_loaded(
	struct config_load *load, const struct component *c, const char *name, const GError *error)
{
	g_auto(GStrv) names = ela_loader_names(load->loader, c->kind);
	g_autofree char *all = g_strjoinv(", ", names);
	g_autofree char *bare = bare_name(name, c->kind);
	/* what is there and refused was spelt well */
	bool is_known = g_strv_contains((const char *const *)names, name);
	g_autofree char *suggestion = is_known ? g_strdup("") : ela_report_suggest(bare, (const char *const *)names);
	g_autofree char *quoted = ela_report_quote(name);
	uint32_t line = ela_ini_line(load->ini, SECTION, c->key);

	load->broken_kinds |= 1u << c->kind;
	if (g_error_matches(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_FOUND))
		ela_report_add(load->report, line, SECTION, c->key, "plugin %s is not installed: %s; expected %s%s%s", quoted,
			error->message, *all != '\0' ? all : "one that is", suggestion, ela_config_comment_hint(name));
	else if (g_error_matches(error, ELA_LOADER_ERROR, ELA_LOADER_SEALED))
		ela_report_add(load->report, line, SECTION, c->key, "plugin %s is not loaded; needs a restart: " SECTION ".%s",
			quoted, c->key);
	else
		ela_report_add(load->report, line, SECTION, c->key, "plugin %s is refused: %s%s%s", quoted, error->message,
			suggestion, ela_config_comment_hint(name));
}

/* The plugins that the key names, NULL-terminated; NULL on any error. */
static const struct ela_loaded **load_component(struct config_load *load, const struct component *c)
{
	g_auto(GStrv) names = ela_config_list(load, SECTION, c->key, true, c->expected);
	guint n = names != NULL ? g_strv_length(names) : 0, max = c->is_list ? MAX_OF_A_KIND : 1, done = 0;
	g_autofree const struct ela_loaded **all = g_new0(const struct ela_loaded *, max + 1);

	if (n > max)
		ela_config_bad_sense(load, SECTION, c->key, names[max],
			c->is_list ? "is one too many; expected at most 8" : "is one too many; expected a single plugin");
	if (n == 0 || n > max || !ela_config_check_once(load, SECTION, c->key, names)) {
		load->broken_kinds |= 1u << c->kind;
		return NULL;
	}
	for (guint i = 0; i < n; i++) {
		g_autoptr(GError) error = NULL;

		all[i] = ela_loader_load(load->loader, c->kind, names[i], &error);
		if (all[i] == NULL) {
			report_not_loaded(load, c, names[i], error);
			continue;
		}
		done++;
		ela_config_read_options(load, all[i]);
	}
	return done == n ? g_steal_pointer(&all) : NULL;
}

void ela_config_read_components(struct config_load *load)
{
	struct ela_config *config = load->config;

	if (!ela_config_need_section(load, SECTION, "npd, cipher, transport and routing")) {
		load->broken_kinds = UINT32_MAX;
		return;
	}
	ela_config_check_keys(load, SECTION, keys, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(components); i++) {
		g_autofree const struct ela_loaded **all = load_component(load, &components[i]);

		if (all == NULL)
			continue;
		switch (components[i].kind) {
		case ELA_KIND_NPD:
			config->npd = all[0];
			break;
		case ELA_KIND_CIPHER:
			config->ciphers = g_steal_pointer(&all);
			break;
		case ELA_KIND_TRANSPORT:
			config->transports = g_steal_pointer(&all);
			break;
		default:
			config->routing = all[0];
			break;
		}
	}
}

/* The component whose plugins have sections that begin like this one; NULL when none has. */
static const struct component *component_of(const char *section)
{
	for (guint i = 0; i < G_N_ELEMENTS(components); i++) {
		const char *prefix = ela_loader_prefix(components[i].kind);

		if (g_str_has_prefix(section, prefix) && section[strlen(prefix)] == '-')
			return &components[i];
	}
	return NULL;
}

static void report_unknown(struct config_load *load, const struct ela_ini_section *section)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *all = NULL;
	g_autofree char *suggestion = NULL;

	g_ptr_array_add(names, (gpointer)(uintptr_t) "network");
	g_ptr_array_add(names, (gpointer)(uintptr_t) "node");
	g_ptr_array_add(names, (gpointer)(uintptr_t) "components");
	for (guint i = 0; i < load->priv->plugins->len; i++) {
		const struct config_plugin *plugin = g_ptr_array_index(load->priv->plugins, i);

		g_ptr_array_add(names, plugin->loaded->section);
	}
	g_ptr_array_add(names, (gpointer)(uintptr_t) "peer NAME");
	g_ptr_array_add(names, NULL);
	all = g_strjoinv(", ", (char **)names->pdata);
	suggestion = ela_report_suggest(section->name, (const char *const *)names->pdata);
	ela_report_add(
		load->report, section->line, section->name, NULL, "unknown section; expected one of %s%s", all, suggestion);
}

/* A plugin's section without the plugin: installed but not asked for, or no such plugin. */
static void check_plugin_section(
	struct config_load *load, const struct ela_ini_section *section, const struct component *c)
{
	const char *name = section->name + strlen(ela_loader_prefix(c->kind)) + 1;
	g_auto(GStrv) installed = NULL;

	if ((load->broken_kinds & (1u << c->kind)) != 0)
		return; /* it may belong to what could not be loaded: that is reported */
	installed = ela_loader_names(load->loader, c->kind);
	if (!g_strv_contains((const char *const *)installed, name)) {
		report_unknown(load, section);
		return;
	}
	ela_report_add(load->report, section->line, section->name, NULL,
		"plugin is not loaded; expected %s in the key %s of [components], or this section removed", name, c->key);
}

void ela_config_check_sections(struct config_load *load)
{
	for (guint i = 0; i < load->ini->sections->len; i++) {
		const struct ela_ini_section *section = g_ptr_array_index(load->ini->sections, i);
		const struct component *c = component_of(section->name);

		if (strcmp(section->name, "network") == 0 || strcmp(section->name, "node") == 0 ||
			strcmp(section->name, SECTION) == 0 || ela_config_peer_name(section->name) != NULL ||
			ela_config_plugin(load->priv, section->name) != NULL)
			continue;
		if (c != NULL)
			check_plugin_section(load, section, c);
		else
			report_unknown(load, section);
	}
}
