/* SPDX-License-Identifier: Apache-2.0 */
/* listing: describes a plugin by its descriptor, which the loader has checked. Pure functions; any thread. */
#include "listing.h"

#include "value.h"

static void append_range(GString *text, const struct ela_option *option)
{
	g_autofree char *min = ela_value_text(option, option->min);
	g_autofree char *max = ela_value_text(option, option->max);

	if (option->type == ELA_OPTION_CHOICE)
		g_string_append(text, option->choices);
	else if (option->type == ELA_OPTION_IP)
		g_string_append_c(text, '-');
	else
		g_string_append_printf(text, "%s..%s", min, max);
}

static const char *type_name(uint32_t type)
{
	static const char *const names[] = {
		[ELA_OPTION_INT] = "int",
		[ELA_OPTION_STRING] = "string",
		[ELA_OPTION_CHOICE] = "choice",
		[ELA_OPTION_DURATION] = "duration",
		[ELA_OPTION_RATE] = "rate",
		[ELA_OPTION_SIZE] = "size",
		[ELA_OPTION_IP] = "ip",
	};

	return type < G_N_ELEMENTS(names) && names[type] ? names[type] : "-";
}

/* What a number counts, unless the value itself says so. */
static const char *unit_name(const struct ela_option *option)
{
	if (option->unit)
		return option->unit;
	return option->type == ELA_OPTION_STRING ? "bytes" : "-";
}

static void append_option(GString *text, const struct ela_option *option)
{
	g_string_append_printf(text, "\t%s\t%s%s\t%s\t", option->key, type_name(option->type),
		option->flags & ELA_OPTION_LIST ? " list" : "", option->def ? option->def : "-");
	append_range(text, option);
	g_string_append_printf(text, "\t%s\t%s%s\n", unit_name(option), option->help,
		option->flags & ELA_OPTION_RELOAD ? " (applies on reload)" : "");
}

static void append_suites(GString *text, const struct ela_loaded *plugin)
{
	const struct ela_suite *suite;

	if (plugin->descriptor->kind != ELA_KIND_CIPHER) {
		g_string_append_c(text, '-');
		return;
	}
	for (uint32_t i = 0; (suite = ela_loaded_suite(plugin, i)); i++)
		g_string_append_printf(text, "%s%s", i ? "," : "", suite->name);
}

char *ela_listing(const struct ela_loaded *plugin)
{
	const struct ela_plugin *descriptor = plugin->descriptor;
	const struct ela_option *option;
	GString *text = g_string_new(NULL);

	g_string_append_printf(text, "%s\t%s\t%s\t%u.%u\t",
		descriptor->kind == ELA_KIND_ROUTING ? "routing" : ela_loader_prefix(descriptor->kind), descriptor->name,
		descriptor->version, descriptor->abi_major, descriptor->abi_minor);
	append_suites(text, plugin);
	g_string_append_printf(text, "\t%s\n", plugin->file);
	for (uint32_t i = 0; (option = ela_loaded_option(plugin, i)); i++)
		append_option(text, option);
	return g_string_free(text, FALSE);
}
