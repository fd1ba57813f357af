/* SPDX-License-Identifier: Apache-2.0 */
/* config-options: a plugin's section of ela.ini, read by the plugin's own table of options. Control thread. */
#include "config-priv.h"
#include "value.h"
#include <errno.h>
#include <string.h>

#define MAX_VALUES 64u

void ela_config_plugin_free(gpointer data)
{
	struct config_plugin *plugin = data;

	for (uint32_t i = 0; i < plugin->loaded->descriptor->n_options; i++) {
		g_strfreev(plugin->options[i].texts);
		g_free(plugin->options[i].values);
	}
	g_free(plugin->options);
	g_free(plugin);
}

const struct config_plugin *ela_config_plugin(const struct config_priv *priv, const char *section)
{
	for (guint i = 0; i < priv->plugins->len; i++) {
		const struct config_plugin *plugin = g_ptr_array_index(priv->plugins, i);

		if (strcmp(plugin->loaded->section, section) == 0)
			return plugin;
	}
	return NULL;
}

static char **option_names(const struct ela_loaded *loaded)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (uint32_t i = 0; i < loaded->descriptor->n_options; i++)
		g_strv_builder_add(builder, ela_loaded_option(loaded, i)->key);
	return g_strv_builder_end(builder);
}

static void report_bad(struct config_load *load, const char *section, const struct ela_option *option, const char *text)
{
	g_autofree char *form = ela_value_expected(option);
	g_autofree char *suggestion = NULL;
	g_autofree char *expected = NULL;

	if (option->type == ELA_OPTION_CHOICE) {
		g_auto(GStrv) choices = g_strsplit(option->choices, "|", -1);

		suggestion = ela_report_suggest(text, (const char *const *)choices);
	}
	expected = g_strconcat(form, suggestion, NULL);
	ela_config_bad_value(load, section, option->key, text, expected);
}

/* The texts of the option's values: the file's, else the default's. NULL when there are none or on error. */
static char **option_texts(struct config_load *load, const char *section, const struct ela_option *option)
{
	bool is_list = (option->flags & ELA_OPTION_LIST) != 0;
	bool is_set = ela_ini_key(ela_ini_section(load->ini, section), option->key) != NULL;
	g_auto(GStrv) texts = NULL;
	char *value;

	if (is_set && is_list)
		return ela_ini_list(load->ini, section, option->key, load->report);
	value = is_set ? ela_ini_value(load->ini, section, option->key, load->report) : g_strdup(option->def);
	if (value == NULL)
		return NULL;
	if (is_list) { /* a default: the loader checked it */
		texts = g_strsplit(value, ",", -1);
		g_free(value);
		for (guint i = 0; texts[i] != NULL; i++)
			(void)g_strstrip(texts[i]); /* in place */
	} else {
		texts = g_new0(char *, 2);
		texts[0] = value;
	}
	return g_steal_pointer(&texts);
}

static void read_option(
	struct config_load *load, const char *section, const struct ela_option *option, struct config_option *ret)
{
	uint32_t n;

	ret->texts = option_texts(load, section, option);
	if (ret->texts == NULL)
		return;
	n = g_strv_length(ret->texts);
	if (n > MAX_VALUES) {
		ela_config_bad_sense(
			load, section, option->key, ret->texts[MAX_VALUES], "is one too many; expected at most 64 elements");
		return;
	}
	ret->values = g_new0(struct ela_value, n);
	for (uint32_t i = 0; i < n; i++) {
		if (ela_value_parse(option, ret->texts[i], &ret->values[i]) != 0) {
			report_bad(load, section, option, ret->texts[i]);
			return;
		}
	}
	ret->n_values = n;
}

void ela_config_read_options(struct config_load *load, const struct ela_loaded *loaded)
{
	g_auto(GStrv) names = option_names(loaded);
	struct config_plugin *plugin = g_new0(struct config_plugin, 1);
	uint32_t n = loaded->descriptor->n_options;

	plugin->loaded = loaded;
	plugin->options = g_new0(struct config_option, n);
	g_ptr_array_add(load->priv->plugins, plugin);
	ela_config_check_keys(load, loaded->section, (const char *const *)names, NULL);
	for (uint32_t i = 0; i < n; i++)
		read_option(load, loaded->section, ela_loaded_option(loaded, i), &plugin->options[i]);
}

int ela_config_option(const struct ela_config *config, const struct ela_loaded *plugin, const char *key, uint32_t index,
	struct ela_value *ret)
{
	const struct config_plugin *own = ela_config_plugin(config->priv, plugin->section);

	for (uint32_t i = 0; own != NULL && i < own->loaded->descriptor->n_options; i++) {
		const struct config_option *option = &own->options[i];

		if (strcmp(ela_loaded_option(own->loaded, i)->key, key) != 0)
			continue;
		if (index >= option->n_values)
			return -ENOENT;
		*ret = option->values[index];
		return 0;
	}
	return -EINVAL;
}
