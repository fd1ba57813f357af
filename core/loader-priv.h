/* SPDX-License-Identifier: Apache-2.0 */
/* loader-priv: what the loader's own files share. Control thread. */
#ifndef ELA_CORE_LOADER_PRIV_H
#define ELA_CORE_LOADER_PRIV_H

#include "loader.h"
#include <stdbool.h>

/* Names of plugins, options, counters and suites: 1..max_len of a-z 0-9 -. Takes NULL. */
bool ela_loader_is_name(const char *name, size_t max_len);

/* "FILE: WHAT: found FOUND, wanted WANTED" as ELA_LOADER_REFUSED; false. */
bool ela_loader_refuse(GError **error, const char *file, const char *what, const char *wanted, const char *found_format,
	...) G_GNUC_PRINTF(5, 6);

/*
 * Opens a plugin's file for reading, having checked it and every folder above it. Returns the descriptor and the file's
 * real path (g_free), or -1 with error. What is checked is the open file: load it through /proc/self/fd.
 */
int ela_loader_open_file(const char *path, char **ret_real_path, GError **error);

/* Checks every field of a descriptor. file is for messages; base NULL or the file's name without its folder. */
bool ela_loader_check(const char *file, const char *base, const struct ela_plugin *descriptor, GError **error);
/* The options', and a cipher's suites, called by the above. */
bool ela_loader_check_options(const char *file, const struct ela_plugin *descriptor, GError **error);
bool ela_loader_check_suites(const char *file, const struct ela_cipher_ops *ops, GError **error);

/* Copies the table of the descriptor's kind into loaded and checks that what is required is there, then fills the rest.
 */
bool ela_loader_take_ops(struct ela_loaded *loaded, const char *file, GError **error);

#endif
