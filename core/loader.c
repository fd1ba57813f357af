/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader: finds plugins by kind and name in its folders, opens them by GModule and keeps them. Control thread, before
 * privileges are dropped. A plugin that was opened stays in the process, even one that is refused for its descriptor.
 */
#include "loader-priv.h"
#include <errno.h>
#include <gmodule.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LEN 32u

/* A plugin in hand. Never moves: others keep pointers to loaded. */
struct entry {
	struct ela_loaded loaded;
	bool by_name; /* found in the folders, or linked in: what load() answers for its name from now on */
};

struct ela_loader {
	char **dirs;
	GPtrArray *entries; /* struct entry * */
	bool is_sealed;
};

static const char *const prefixes[] = {
	[ELA_KIND_NPD] = "npd",
	[ELA_KIND_CIPHER] = "cipher",
	[ELA_KIND_TRANSPORT] = "transport",
	[ELA_KIND_ROUTING] = "route",
};

const char *ela_loader_prefix(uint32_t kind)
{
	return kind < G_N_ELEMENTS(prefixes) ? prefixes[kind] : NULL;
}

static void entry_free(gpointer data)
{
	struct entry *entry = data;

	g_free(entry->loaded.file);
	g_free(entry->loaded.section);
	g_free(entry);
}

struct ela_loader *ela_loader_new(const char *const *dirs)
{
	struct ela_loader *loader = g_new0(struct ela_loader, 1);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (; *dirs != NULL; dirs++)
		g_strv_builder_add(builder, *dirs);
	loader->dirs = g_strv_builder_end(builder);
	loader->entries = g_ptr_array_new_with_free_func(entry_free);
	return loader;
}

void ela_loader_free(struct ela_loader *loader)
{
	if (loader == NULL)
		return;
	g_ptr_array_unref(loader->entries);
	g_strfreev(loader->dirs);
	g_free(loader);
}

const struct ela_option *ela_loaded_option(const struct ela_loaded *loaded, uint32_t i)
{
	const struct ela_plugin *d = loaded->descriptor;

	if (i >= d->n_options)
		return NULL;
	return (const void *)((const uint8_t *)d->options + (size_t)i * d->option_size);
}

const struct ela_suite *ela_loaded_suite(const struct ela_loaded *loaded, uint32_t i)
{
	const struct ela_cipher_ops *ops = &loaded->cipher;

	if (i >= ops->n_suites)
		return NULL;
	return (const void *)((const uint8_t *)ops->suites + (size_t)i * ops->suite_size);
}

static char *section_name(uint32_t kind, const char *name)
{
	return g_strdup_printf("%s-%s", ela_loader_prefix(kind), name);
}

static struct entry *find_by_name(struct ela_loader *loader, const char *section)
{
	for (guint i = 0; i < loader->entries->len; i++) {
		struct entry *entry = g_ptr_array_index(loader->entries, i);

		if (entry->by_name && strcmp(entry->loaded.section, section) == 0)
			return entry;
	}
	return NULL;
}

static struct entry *find_by_file(struct ela_loader *loader, const char *real)
{
	for (guint i = 0; i < loader->entries->len; i++) {
		struct entry *entry = g_ptr_array_index(loader->entries, i);

		if (strcmp(entry->loaded.file, real) == 0)
			return entry;
	}
	return NULL;
}

/* Checks a descriptor and makes the entry; file "" = linked in. */
static struct entry *take(
	struct ela_loader *loader, const char *file, const struct ela_plugin *descriptor, GError **error)
{
	g_autofree char *base = *file != '\0' ? g_path_get_basename(file) : NULL;
	const char *shown = base != NULL ? file : "(linked in)";
	struct entry *entry;

	if (!ela_loader_check(shown, base, descriptor, error))
		return NULL;
	entry = g_new0(struct entry, 1);
	entry->loaded.descriptor = descriptor;
	entry->loaded.file = g_strdup(file);
	entry->loaded.section = section_name(descriptor->kind, descriptor->name);
	if (!ela_loader_take_ops(&entry->loaded, shown, error)) {
		entry_free(entry);
		return NULL;
	}
	g_ptr_array_add(loader->entries, entry);
	return entry;
}

const struct ela_loaded *ela_loader_add(struct ela_loader *loader, const struct ela_plugin *descriptor, GError **error)
{
	struct entry *entry = take(loader, "", descriptor, error);

	if (entry == NULL)
		return NULL;
	if (find_by_name(loader, entry->loaded.section) != NULL) {
		(void)ela_loader_refuse(error, entry->loaded.section, "plugin", "each name once", "a second one");
		(void)g_ptr_array_remove(loader->entries, entry); /* it is there: just added */
		return NULL;
	}
	entry->by_name = true;
	return &entry->loaded;
}

/*
 * Opens the checked file through its descriptor. That stays open until the process ends: the dynamic linker knows a
 * library by the name it was opened by, so /proc/self/fd/N must never name a second one.
 */
static const struct ela_plugin *open_module(int fd, const char *real, GError **error)
{
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
	GModule *module = g_module_open(name, G_MODULE_BIND_LOCAL); /* not LAZY: a missing function shows now */
	gpointer symbol = NULL;

	if (module == NULL) {
		const char *why = g_module_error();
		const char *colon = g_str_has_prefix(why, name) ? why + strlen(name) : why;

		g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_PLUGIN,
			"%s: shared object: found %s, wanted one that the dynamic linker accepts", real,
			colon + strspn(colon, ": "));
		(void)close(fd); /* nothing was loaded under the name */
		return NULL;
	}
	g_module_make_resident(module);
	if (!g_module_symbol(module, ELA_PLUGIN_SYMBOL, &symbol) || symbol == NULL) {
		g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_PLUGIN,
			"%s: symbols: found no " ELA_PLUGIN_SYMBOL ", wanted one, made by ELA_PLUGIN()", real);
		return NULL;
	}
	return symbol;
}

void ela_loader_seal(struct ela_loader *loader)
{
	loader->is_sealed = true;
}

static struct entry *load_path(struct ela_loader *loader, const char *path, GError **error)
{
	g_autofree char *real = NULL;
	const struct ela_plugin *descriptor;
	struct entry *entry;
	int fd = ela_loader_open_file(path, &real, error);

	if (fd < 0)
		return NULL;
	if (loader->is_sealed) {
		g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_SEALED, "%s: not loaded, and only a start loads plugins", real);
		(void)close(fd); /* read only */
		return NULL;
	}
	entry = find_by_file(loader, real);
	if (entry != NULL) {
		(void)close(fd); /* read only, and not what the plugin was opened by */
		return entry;
	}
	descriptor = open_module(fd, real, error);
	return descriptor != NULL ? take(loader, real, descriptor, error) : NULL;
}

const struct ela_loaded *ela_loader_load_file(struct ela_loader *loader, const char *file, GError **error)
{
	struct entry *entry = load_path(loader, file, error);

	return entry != NULL ? &entry->loaded : NULL;
}

static void set_not_found(struct ela_loader *loader, const char *section, GError **error)
{
	g_autofree char *dirs = g_strjoinv(", ", loader->dirs);

	g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_FOUND, "%s.so is not in %s", section,
		*dirs != '\0' ? dirs : "any folder (none is searched)");
}

const struct ela_loaded *ela_loader_load(struct ela_loader *loader, uint32_t kind, const char *name, GError **error)
{
	g_autofree char *section = NULL;
	struct entry *entry;

	if (ela_loader_prefix(kind) == NULL || !ela_loader_is_name(name, NAME_MAX_LEN)) {
		(void)ela_loader_refuse(error, "plugin", "name", "1..32 of a-z 0-9 -", "\"%s\"", name); /* always false */
		return NULL;
	}
	section = section_name(kind, name);
	entry = find_by_name(loader, section);
	for (guint i = 0; entry == NULL && loader->dirs[i] != NULL; i++) {
		g_autofree char *path = g_strdup_printf("%s/%s.so", loader->dirs[i], section);
		g_autoptr(GError) own = NULL;

		entry = load_path(loader, path, &own);
		if (entry == NULL && !g_error_matches(own, ELA_LOADER_ERROR, ELA_LOADER_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&own));
			return NULL; /* a refused plugin is not passed over for a later folder's */
		}
	}
	if (entry == NULL) {
		set_not_found(loader, section, error);
		return NULL;
	}
	entry->by_name = true;
	return &entry->loaded;
}

/* The kind whose prefix base begins with, and its NAME; 0 when base is no plugin's file name. */
static uint32_t split_base(const char *base, char **ret_name)
{
	for (uint32_t kind = 1; kind < G_N_ELEMENTS(prefixes); kind++) {
		size_t len = strlen(prefixes[kind]);
		g_autofree char *name = NULL;

		if (!g_str_has_prefix(base, prefixes[kind]) || base[len] != '-' || !g_str_has_suffix(base, ".so"))
			continue;
		name = g_strndup(base + len + 1, strlen(base) - len - 1 - 3);
		if (!ela_loader_is_name(name, NAME_MAX_LEN))
			return 0;
		*ret_name = g_steal_pointer(&name);
		return kind;
	}
	return 0;
}

/* What list() sorts. */
struct found {
	uint32_t kind;
	char *name;
	char *path;
};

static void found_clear(gpointer data)
{
	struct found *found = data;

	g_free(found->name);
	g_free(found->path);
}

static gint by_kind_and_name(gconstpointer a, gconstpointer b)
{
	const struct found *fa = a, *fb = b;

	if (fa->kind != fb->kind)
		return fa->kind < fb->kind ? -1 : 1;
	return strcmp(fa->name, fb->name);
}

static bool is_found(const GArray *all, uint32_t kind, const char *name)
{
	for (guint i = 0; i < all->len; i++) {
		const struct found *found = &g_array_index(all, struct found, i);

		if (found->kind == kind && strcmp(found->name, name) == 0)
			return true;
	}
	return false;
}

/* Adds dir's plugins but for those that an earlier folder has. A folder that cannot be read has none. */
static void scan(GArray *all, const char *dir)
{
	g_autoptr(GDir) open_dir = g_dir_open(dir, 0, NULL);
	const char *base;

	while (open_dir != NULL && (base = g_dir_read_name(open_dir)) != NULL) {
		struct found found = {0};

		found.kind = split_base(base, &found.name);
		if (found.kind == 0)
			continue;
		if (is_found(all, found.kind, found.name)) {
			found_clear(&found);
			continue;
		}
		found.path = g_strdup_printf("%s/%s", dir, base);
		g_array_append_val(all, found);
	}
}

static GArray *scan_all(struct ela_loader *loader)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(struct found));

	g_array_set_clear_func(all, found_clear);
	for (guint i = 0; loader->dirs[i] != NULL; i++)
		scan(all, loader->dirs[i]);
	g_array_sort(all, by_kind_and_name);
	return all;
}

char **ela_loader_list(struct ela_loader *loader)
{
	g_autoptr(GArray) all = scan_all(loader);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (guint i = 0; i < all->len; i++)
		g_strv_builder_add(builder, g_array_index(all, struct found, i).path);
	return g_strv_builder_end(builder);
}

char **ela_loader_names(struct ela_loader *loader, uint32_t kind)
{
	g_autoptr(GArray) all = scan_all(loader);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (guint i = 0; i < loader->entries->len; i++) {
		const struct entry *entry = g_ptr_array_index(loader->entries, i);
		const struct ela_plugin *d = entry->loaded.descriptor;

		if (*entry->loaded.file == '\0' && d->kind == kind)
			g_strv_builder_add(builder, d->name);
	}
	for (guint i = 0; i < all->len; i++) {
		const struct found *found = &g_array_index(all, struct found, i);

		if (found->kind == kind)
			g_strv_builder_add(builder, found->name);
	}
	return g_strv_builder_end(builder);
}
