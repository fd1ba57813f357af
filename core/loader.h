/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader: finds, checks and opens plugins (GModule). Control thread, before privileges are dropped. Plugins stay loaded
 * until the process ends.
 */
#ifndef ELA_CORE_LOADER_H
#define ELA_CORE_LOADER_H

#include <ela/ela.h>
#include <glib.h>
#include <stdbool.h>

/* A loaded plugin. Immutable. */
struct ela_loaded {
	char *file;    /* "" for one that is linked in */
	char *section; /* its section of ela.ini: "npd-tun" */
	const struct ela_plugin *descriptor;
	/* The table of the plugin's kind: min(size) copied, absent optional operations filled. The others are zeroed. */
	struct ela_npd_ops npd;
	struct ela_cipher_ops cipher;
	struct ela_transport_ops transport;
	struct ela_routing_ops routing;
	bool has_ring; /* routing: it gave join, so it finds its peers itself; others are given [peer] sections */
};

/* Entry i of the plugin's option table or of a cipher's suites, by its headers' entry size. NULL past the last. */
const struct ela_option *ela_loaded_option(const struct ela_loaded *loaded, uint32_t i);
const struct ela_suite *ela_loaded_suite(const struct ela_loaded *loaded, uint32_t i);

struct ela_loader;

#define ELA_LOADER_ERROR (g_quark_from_static_string("ela-loader"))
enum ela_loader_error {
	ELA_LOADER_NOT_FOUND,  /* no such file in any folder */
	ELA_LOADER_REFUSED,    /* there, but not acceptable: message says found and wanted */
	ELA_LOADER_NOT_PLUGIN, /* not a shared object, or without the symbol */
	ELA_LOADER_SEALED,     /* there, but not loaded, and too late for it */
};

/* Folders are searched in order. dirs NULL-terminated, copied. */
struct ela_loader *ela_loader_new(const char *const *dirs);
void ela_loader_free(struct ela_loader *loader); /* the plugins themselves stay */

/* "npd" etc. for ELA_KIND_*: the prefix of file names ("route" for routing). NULL for an unknown kind. */
const char *ela_loader_prefix(uint32_t kind);

/* From now on no file is opened any more: code from the disk has no business in a process that dropped its privileges.
 */
void ela_loader_seal(struct ela_loader *loader);

/* Adds a plugin that is linked in (tests, simulator), before any folder. Same checks. */
const struct ela_loaded *ela_loader_add(struct ela_loader *loader, const struct ela_plugin *descriptor, GError **error);

/* PREFIX-NAME.so by kind and name; loaded once, the same pointer later. */
const struct ela_loaded *ela_loader_load(struct ela_loader *loader, uint32_t kind, const char *name, GError **error);
/* Any file, kind from its descriptor (ela-plugin-check, --list-plugins). */
const struct ela_loaded *ela_loader_load_file(struct ela_loader *loader, const char *file, GError **error);

/* Every PREFIX-NAME.so in the folders (paths by kind and name, first folder wins); NULL-terminated, g_strfreev. */
char **ela_loader_list(struct ela_loader *loader);
/* Names of a kind that can be found, for "did you mean". g_strfreev. */
char **ela_loader_names(struct ela_loader *loader, uint32_t kind);

#endif
