/* SPDX-License-Identifier: Apache-2.0 */
/* options: texts of options and their values by the plugin's table. Control thread. */
#include "host.h"
#include "value.h"

#include <errno.h>
#include <string.h>

const struct ela_option *check_option_find(const struct ela_plugin *plugin, const char *key)
{
	for (uint32_t i = 0; i < plugin->n_options; i++) {
		const struct ela_option *option =
			(const struct ela_option *)((const char *)plugin->options + (size_t)i * plugin->option_size);

		if (strcmp(option->key, key) == 0)
			return option;
	}
	return NULL;
}

int check_host_set(struct check_host *h, const char *key, const char *text)
{
	const struct ela_option *option = check_option_find(h->plugin, key);
	struct check_setting *setting = NULL;
	struct ela_value value;

	if (!option)
		return -ENOENT;
	if (strlen(text) >= sizeof setting->text || strlen(key) >= sizeof setting->key)
		return -EINVAL;
	if (!(option->flags & ELA_OPTION_LIST) && ela_value_parse(option, text, &value))
		return -EINVAL;
	for (uint32_t i = 0; i < h->n_settings; i++)
		if (strcmp(h->settings[i].key, key) == 0)
			setting = &h->settings[i];
	if (!setting && h->n_settings == CHECK_MAX_SETTINGS)
		return -ENOSPC;
	if (!setting)
		setting = &h->settings[h->n_settings++];
	(void)snprintf(setting->key, sizeof setting->key, "%s", key); /* both lengths were checked */
	(void)snprintf(setting->text, sizeof setting->text, "%s", text);
	return 0;
}
