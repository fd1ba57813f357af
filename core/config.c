/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: reads ela.ini into one validated, immutable struct, or into all of its errors; what differs between two of
 * them. Control thread.
 */
#include "config.h"
#include "config-priv.h"
#include "crypto.h"
#include "inet.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config_priv *priv_new(struct ela_ini *ini)
{
	struct config_priv *priv = g_new0(struct config_priv, 1);

	priv->ini = ini;
	priv->plugins = g_ptr_array_new_with_free_func(ela_config_plugin_free);
	return priv;
}

void ela_config_free(struct ela_config *config)
{
	struct config_priv *priv;

	if (config == NULL)
		return;
	ela_wipe(config->private_key, sizeof config->private_key);
	for (uint32_t i = 0; i < config->n_peers; i++)
		ela_config_peer_clear(&config->peers[i]);
	g_free(config->peers);
	g_free(config->ciphers);
	g_free(config->transports);
	for (uint32_t i = 0; i < config->n_bootstraps; i++)
		g_free(config->bootstraps[i].host);
	g_free(config->bootstraps);
	g_free(config->network_name);
	g_strfreev(config->addresses);
	g_strfreev(config->warnings);
	g_free(config->private_key_file);
	g_free(config->user);
	g_free(config->name);
	g_free(config->dir);
	g_free(config->file);
	priv = config->priv;
	g_ptr_array_unref(priv->plugins);
	ela_ini_free(priv->ini);
	g_free(priv);
	g_free(config);
}

static char **take_warnings(struct ela_report *report)
{
	GPtrArray *texts = g_ptr_array_new();

	ela_report_finish(report, texts);
	g_ptr_array_add(texts, NULL);
	return (char **)g_ptr_array_free(texts, FALSE);
}

struct ela_config *ela_config_parse(
	const char *file, const char *text, size_t len, struct ela_loader *loader, uint32_t flags, GPtrArray *errors)
{
	struct ela_report *report = ela_report_new(file);
	struct ela_ini *ini = ela_ini_parse(file, text, len, report);
	struct ela_config *config = g_new0(struct ela_config, 1);
	struct config_load load = {.config = config, .ini = ini, .report = report, .loader = loader, .flags = flags};
	uint32_t n_errors;

	load.warnings = ela_report_new(file);
	config->file = g_strdup(file);
	config->dir = g_path_get_dirname(file);
	config->priv = load.priv = priv_new(ini);
	if (len > 0 && !ini->is_cut) { /* else everything would be missing as well */
		ela_config_read_components(&load);
		ela_config_read_network(&load);
		ela_config_read_node(&load);
		ela_config_read_peers(&load);
		ela_config_check_sections(&load);
	}
	n_errors = ela_report_count(report);
	ela_report_finish(report, errors);
	config->warnings = take_warnings(load.warnings);
	if (n_errors == 0)
		return config;
	ela_config_free(config);
	return NULL;
}

/* The file's content with one byte more than is allowed, so that the parser sees what is too large. */
static char *read_content(int fd, size_t *ret_len)
{
	g_autofree char *text = g_malloc(ELA_INI_MAX_FILE + 1);
	size_t len = 0;

	while (len < ELA_INI_MAX_FILE + 1) {
		ssize_t n = read(fd, text + len, ELA_INI_MAX_FILE + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return g_steal_pointer(&text);
}

/* A reload runs as another user than the start, so root is no remedy there: check_readable() of daemon.c names one. */
static char *open_fault(int err, uint32_t flags)
{
	const char *remedy = "";

	if (err == ENOENT)
		remedy = "; name it with --config FILE, or start from examples/ela.ini";
	else if (err == EACCES && (flags & ELA_CONFIG_NO_KEY) == 0)
		remedy = "; run as root";
	return g_strdup_printf("cannot be opened: %s; expected a readable file%s", g_strerror(err), remedy);
}

/* It names what is loaded into the process: who can write it is who runs it. */
static char *file_fault(const char *file, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return g_strdup_printf("cannot be examined: %s", g_strerror(errno));
	if (S_ISDIR(st.st_mode))
		return g_strdup("is a folder; expected a file");
	if (!S_ISREG(st.st_mode))
		return g_strdup("is not a regular file; expected one");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return g_strdup_printf(
			"owned by uid %u; expected root or the user running: chown root %s", (unsigned)st.st_uid, file);
	if ((st.st_mode & 022) != 0)
		return g_strdup_printf("mode is %04o, writable by group or others; expected one such as 0644: chmod go-w %s",
			(unsigned)(st.st_mode & 07777), file);
	return NULL;
}

struct ela_config *ela_config_load(const char *file, struct ela_loader *loader, uint32_t flags, GPtrArray *errors)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* not blocking: may be a FIFO */
	g_autofree char *fault = NULL;
	g_autofree char *text = NULL;
	size_t len = 0;

	if (fd < 0) {
		fault = open_fault(errno, flags);
	} else {
		fault = file_fault(file, fd);
		if (fault == NULL) {
			text = read_content(fd, &len);
			if (text == NULL)
				fault = g_strdup_printf("cannot be read: %s", g_strerror(errno));
		}
		(void)close(fd); /* read only */
	}
	if (fault != NULL) {
		g_ptr_array_add(errors, ela_report_format(file, 1, NULL, NULL, fault));
		return NULL;
	}
	return ela_config_parse(file, text, len, loader, flags, errors);
}

bool ela_config_is_set(const struct ela_config *config, const char *section, const char *key)
{
	const struct config_priv *priv = config->priv;

	return ela_ini_key(ela_ini_section(priv->ini, section), key) != NULL;
}

char *ela_config_error(const struct ela_config *config, const char *section, const char *key, const char *format, ...)
{
	const struct config_priv *priv = config->priv;
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return ela_report_format(config->file, ela_ini_line(priv->ini, section, key), section, key, text);
}

static void note(GPtrArray *needs_restart, bool differs, const char *section, const char *key)
{
	if (differs)
		g_ptr_array_add(needs_restart, g_strdup_printf("%s.%s", section, key));
}

static bool same_plugins(const struct ela_loaded *const *a, const struct ela_loaded *const *b)
{
	for (; *a != NULL && *b != NULL; a++, b++) {
		if (strcmp((*a)->section, (*b)->section) != 0)
			return false;
	}
	return *a == *b;
}

static bool same_values(const struct ela_option *option, const struct config_option *a, const struct config_option *b)
{
	bool has_text = option->type == ELA_OPTION_STRING || option->type == ELA_OPTION_IP;

	if (a->n_values != b->n_values)
		return false;
	for (uint32_t i = 0; i < a->n_values; i++) {
		if (a->values[i].num != b->values[i].num || (has_text && strcmp(a->values[i].str, b->values[i].str) != 0))
			return false;
	}
	return true;
}

static void diff_options(const struct config_priv *old, const struct config_priv *fresh, GPtrArray *needs_restart)
{
	for (guint i = 0; i < old->plugins->len; i++) {
		const struct config_plugin *a = g_ptr_array_index(old->plugins, i);
		const struct config_plugin *b = ela_config_plugin(fresh, a->loaded->section);

		/* a plugin that is gone shows in [components] */
		for (uint32_t k = 0; b != NULL && k < a->loaded->descriptor->n_options; k++) {
			const struct ela_option *option = ela_loaded_option(a->loaded, k);

			if ((option->flags & ELA_OPTION_RELOAD) == 0)
				note(needs_restart, !same_values(option, &a->options[k], &b->options[k]), a->loaded->section,
					option->key);
		}
	}
}

static bool same_bootstraps(const struct ela_config *a, const struct ela_config *b)
{
	if (a->n_bootstraps != b->n_bootstraps)
		return false;
	for (uint32_t i = 0; i < a->n_bootstraps; i++) {
		if (strcmp(a->bootstraps[i].host, b->bootstraps[i].host) != 0 || a->bootstraps[i].port != b->bootstraps[i].port)
			return false;
	}
	return true;
}

static void diff_network(const struct ela_config *old, const struct ela_config *fresh, GPtrArray *needs_restart)
{
	note(needs_restart, memcmp(old->network_id, fresh->network_id, ELA_NETWORK_ID_LEN) != 0, "network", "id");
	note(needs_restart, g_strcmp0(old->network_name, fresh->network_name) != 0, "network", "name");
	note(needs_restart, !ela_inet_prefix_equal(&old->network_prefix, &fresh->network_prefix), "network", "prefix");
	note(needs_restart, !same_bootstraps(old, fresh), "network", "bootstrap");
}

void ela_config_diff(const struct ela_config *old, const struct ela_config *fresh, GPtrArray *needs_restart)
{
	const struct ela_loaded *old_npd[] = {old->npd, NULL}, *new_npd[] = {fresh->npd, NULL};
	const struct ela_loaded *old_routing[] = {old->routing, NULL}, *new_routing[] = {fresh->routing, NULL};

	diff_network(old, fresh, needs_restart);
	note(needs_restart, strcmp(old->name, fresh->name) != 0, "node", "name");
	note(needs_restart,
		!g_strv_equal((const char *const *)old->addresses, (const char *const *)fresh->addresses) ||
			memcmp(&old->wish4, &fresh->wish4, sizeof old->wish4) != 0,
		"node", "address");
	note(needs_restart, old->role != fresh->role, "node", "role");
	note(needs_restart, strcmp(old->private_key_file, fresh->private_key_file) != 0, "node", "private-key-file");
	note(needs_restart, old->lanes != fresh->lanes, "node", "lanes");
	note(needs_restart, g_strcmp0(old->user, fresh->user) != 0, "node", "user");
	note(needs_restart, !same_plugins(old_npd, new_npd), "components", "npd");
	note(needs_restart, !same_plugins(old->ciphers, fresh->ciphers), "components", "cipher");
	note(needs_restart, !same_plugins(old->transports, fresh->transports), "components", "transport");
	note(needs_restart, !same_plugins(old_routing, new_routing), "components", "routing");
	diff_options(old->priv, fresh->priv, needs_restart);
}
