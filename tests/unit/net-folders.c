/* SPDX-License-Identifier: Apache-2.0 */
/* net-folders: a network on the disk, and copies of it (see net-folders.h). One thread. */
#include "net-folders.h"
#include "inet.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds, const char *what, const GError *error)
{
	if (!holds)
		g_error("%s: %s", what, error ? error->message : "failed");
}

static void run(const char *command)
{
	must(system(command) == 0, command, NULL);
}

struct ela_found net_found(const struct ela_folders *folders)
{
	struct ela_found found = {.network = "lab", .user = "sada", .now_s = NET_NOW};

	found.outfit.config_dir = ela_folders_config(folders);
	found.outfit.state_dir = ela_folders_state(folders);
	found.outfit.cipher = "aead";
	must(ela_inet_prefix(ELA_FOUND_PREFIX, &found.outfit.prefix) == 0, "prefix", NULL);
	(void)g_strlcpy(found.outfit.node.name, "a", ELA_NAME_ROOM); /* it fits */
	return found;
}

struct net_folders *net_folders_new(void)
{
	struct net_folders *net = g_new0(struct net_folders, 1);
	struct ela_folders *folders = NULL;
	struct ela_found found;
	g_autoptr(GError) error = NULL;

	net->dir = g_dir_make_tmp("ela-net-XXXXXX", &error);
	must(net->dir != NULL, "folder", error);
	net->config = g_build_filename(net->dir, "etc", "lab", NULL);
	net->state = g_build_filename(net->dir, "var", "lab", NULL);
	must(ela_folders_begin(net->config, net->state, &folders, &error) == 0, "begin", error);
	found = net_found(folders);
	must(ela_found(&found, &error) == 0, "found", error);
	must(ela_folders_finish(folders, &error) == 0, "finish", error);
	ela_folders_free(folders);
	return net;
}

void net_folders_clear(struct net_folders *copy)
{
	g_free(copy->dir);
	g_free(copy->config);
	g_free(copy->state);
	g_free(copy);
}

void net_folders_remove(struct net_folders *net)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", net->dir);

	run(command);
	net_folders_clear(net);
}

struct net_folders *net_folders_copy(const struct net_folders *net)
{
	struct net_folders *copy = g_new0(struct net_folders, 1);
	g_autofree char *template = g_build_filename(net->dir, "copy-XXXXXX", NULL), *command = NULL;

	must(g_mkdtemp(template) != NULL, template, NULL);
	copy->dir = g_strdup(template);
	copy->config = g_build_filename(copy->dir, "etc", "lab", NULL);
	copy->state = g_build_filename(copy->dir, "var", "lab", NULL);
	command = g_strdup_printf("cp -a '%s/etc' '%s/var' '%s'", net->dir, net->dir, copy->dir);
	run(command);
	return copy;
}

char *net_path(const char *folder, const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *net_names(const char *folder)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	must(dir != NULL, folder, error);
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, by_name);
	g_ptr_array_add(names, NULL);
	return g_strjoinv(" ", (char **)names->pdata);
}

GBytes *net_read(const char *folder, const char *name)
{
	g_autofree char *file = net_path(folder, name);
	g_autoptr(GError) error = NULL;
	char *text = NULL;
	gsize len = 0;

	must(g_file_get_contents(file, &text, &len, &error), file, error);
	return g_bytes_new_take(text, len);
}

void net_write(const char *folder, const char *name, const char *text)
{
	g_autofree char *file = net_path(folder, name);
	g_autoptr(GError) error = NULL;

	must(g_file_set_contents(file, text, -1, &error), file, error);
}

struct ela_rsa *net_rsa(const char *folder, const char *name)
{
	g_autofree char *file = net_path(folder, name);
	g_autoptr(GError) error = NULL;
	struct ela_rsa *key = NULL;

	must(ela_rsa_read(file, &key, &error) == 0, file, error);
	return key;
}
