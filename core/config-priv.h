/* SPDX-License-Identifier: Apache-2.0 */
/* config-priv: what the files of config share while they read one ela.ini. Control thread. */
#ifndef ELA_CORE_CONFIG_PRIV_H
#define ELA_CORE_CONFIG_PRIV_H

#include "config.h"
#include "ini.h"
#include "report.h"
#include <stdbool.h>

/* The values of one option: the file's, else the default's; none = unset. */
struct config_option {
	char **texts; /* owns what values point to; NULL when unset */
	struct ela_value *values;
	uint32_t n_values;
};

struct config_plugin {
	const struct ela_loaded *loaded;
	struct config_option *options; /* descriptor->n_options */
};

/* struct ela_config.priv */
struct config_priv {
	struct ela_ini *ini;
	GPtrArray *plugins; /* struct config_plugin *, one for each loaded component */
};

/* One load in progress. */
struct config_load {
	struct ela_config *config;
	struct config_priv *priv;
	const struct ela_ini *ini;
	struct ela_report *report;
	struct ela_report *warnings; /* what is taken all the same */
	struct ela_loader *loader;
	uint32_t flags;
	uint32_t broken_kinds; /* bit ELA_KIND_*: an error in [components] leaves it unknown what is loaded */
	bool has_public_key;
	uint8_t public_key[ELA_KEY_LEN]; /* our own */
};

/* config-network.c: once the routing is known, and before all that depends on whether it has a ring. */
void ela_config_read_network(struct config_load *load);
/* config-node.c */
void ela_config_read_node(struct config_load *load);
/* config-components.c: loads the plugins; their options; sections that belong to nobody. */
void ela_config_read_components(struct config_load *load);
void ela_config_check_sections(struct config_load *load);
/* config-options.c */
void ela_config_read_options(struct config_load *load, const struct ela_loaded *loaded);
void ela_config_plugin_free(gpointer plugin);
const struct config_plugin *ela_config_plugin(const struct config_priv *priv, const char *section);
/* config-peer.c */
void ela_config_read_peers(struct config_load *load);
/* The NAME of a section "peer NAME", NULL for other sections. */
const char *ela_config_peer_name(const char *section);

/* config-check.c: shared errors. */

/* False, and an error unless the file's headers are damaged, when there is no such section. */
bool ela_config_need_section(struct config_load *load, const char *section, const char *expected);
/*
 * An error for each key of section that is neither in names nor in ring_names (NULL-terminated; the second may be
 * NULL). What is in ring_names counts with a routing that has a ring, and is an error of its own with another.
 */
void ela_config_check_keys(
	struct config_load *load, const char *section, const char *const *names, const char *const *ring_names);
/* The value; NULL when absent or unreadable. A required key that is absent is an error. g_free. */
char *ela_config_value(
	struct config_load *load, const char *section, const char *key, bool is_required, const char *expected);
/* Its list. g_strfreev. */
char **ela_config_list(
	struct config_load *load, const char *section, const char *key, bool is_required, const char *expected);
/* "bad value \"x\"; expected ..." */
void ela_config_bad_value(
	struct config_load *load, const char *section, const char *key, const char *value, const char *expected);
/* "value \"x\" what", for values of the right form */
void ela_config_bad_sense(
	struct config_load *load, const char *section, const char *key, const char *value, const char *what);
/* "; comments stand on lines of their own" for a bad value that seems to end in one, else "". */
const char *ela_config_comment_hint(const char *value);
/* What makes an endpoint one that is never dialled; NULL for a good one or a name. */
const char *ela_config_endpoint_fault(const struct ela_config *config, const struct ela_addr *addr);
extern const char ela_config_endpoint_inside[]; /* the fault of one inside the virtual network */
/* False and an error when an element of list is there twice. */
bool ela_config_check_once(struct config_load *load, const char *section, const char *key, char **list);

#endif
