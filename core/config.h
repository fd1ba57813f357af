/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: ela.ini -> one validated, immutable struct. Control thread. All errors of a file are found in one pass, each
 * with file, line, section, key, what is wrong, what was expected and the nearest valid name; nothing is returned on
 * any error.
 */
#ifndef ELA_CORE_CONFIG_H
#define ELA_CORE_CONFIG_H

#include "loader.h"
#include <ela/types.h>
#include <glib.h>
#include <stdbool.h>

#define ELA_KEY_LEN 32u
#define ELA_DEFAULT_PORT 7450u
#define ELA_MAX_PEERS 1024u
#define ELA_MAX_BOOTSTRAPS 16u
#define ELA_NETWORK_ID_LEN 32u
#define ELA_NETWORK_MIN_BITS 8u /* of the IPv4 prefix of a network that nodes join */
#define ELA_NETWORK_MAX_BITS 28u

/* An IP prefix, normalised (host bits zero). */
struct ela_prefix {
	struct ela_addr addr; /* port 0 */
	uint32_t bits;        /* 0..32 or 0..128 */
};

/* "host:port" of a [peer] or of [network]; host is an address literal or a name to be resolved later. */
struct ela_endpoint {
	char *host;
	uint16_t port;
	struct ela_addr addr; /* family NONE while host is a name */
};

struct ela_config_peer {
	char *name;
	uint8_t public_key[ELA_KEY_LEN];
	uint8_t address4[4];         /* its own: the first single IPv4 address; makes its node ID */
	struct ela_prefix *prefixes; /* n_prefixes, at least one */
	uint32_t n_prefixes;
	char **prefix_texts;            /* the same, normalised text, NULL-terminated */
	struct ela_endpoint *endpoints; /* n_endpoints, may be 0: waits to be called */
	uint32_t n_endpoints;
	char **transports;     /* NULL-terminated, in order of preference; default: [components] transport */
	uint64_t keepalive_ns; /* 0 = none */
	uint32_t line;
};

/* What a node may be in a network with a ring. */
enum ela_config_role { ELA_CONFIG_AUTO, ELA_CONFIG_CORE, ELA_CONFIG_EDGE };

struct ela_config {
	char *file;    /* as given */
	char *dir;     /* its folder; relative file names are relative to it */
	bool has_ring; /* the routing finds its peers itself: this is a node of a network that nodes join */
	/* [network] */
	uint8_t network_id[ELA_NETWORK_ID_LEN]; /* as given; without a ring by default SHA-256("ela-static-v1") */
	char *network_name;                     /* for people; NULL when unset. It and what follows: only with a ring */
	struct ela_prefix network_prefix;       /* IPv4, host bits zero; family NONE without a ring */
	struct ela_endpoint *bootstraps;        /* n_bootstraps, may be 0 */
	uint32_t n_bootstraps;
	/* [node] */
	char *name;
	char **addresses; /* "10.88.0.1/24", NULL-terminated, IPv4 first, then at most one IPv6; none with a ring */
	struct ela_prefix address4;       /* host address kept in addr, bits = prefix length; family NONE with a ring */
	struct ela_prefix address6;       /* family NONE when unset */
	struct ela_addr wish4;            /* with a ring: the IPv4 address it would like; family NONE: any */
	enum ela_config_role role;        /* with a ring */
	char *private_key_file;           /* absolute or relative to the process, ready to open */
	uint8_t private_key[ELA_KEY_LEN]; /* wiped by ela_config_free() */
	uint32_t lanes;                   /* 0 = choose */
	char *user;                       /* NULL = ela where it exists */
	uint32_t log_level;               /* ELA_LOG_* */
	/* [components] */
	const struct ela_loaded *npd;
	const struct ela_loaded *routing;
	const struct ela_loaded **ciphers;    /* NULL-terminated, in order */
	const struct ela_loaded **transports; /* NULL-terminated, in order */
	/* [peer NAME], in file order */
	struct ela_config_peer *peers;
	uint32_t n_peers;
	char **warnings; /* of a file that is good all the same: in the form of errors, by line, NULL-terminated */
	void *priv;      /* option values and line index: config.c's */
};

/* How to load. */
#define ELA_CONFIG_NO_KEY 0x1u /* do not read the private key (reload after the privilege drop) */

/*
 * Reads and validates file, loading the plugins it names through loader. NULL on error, with one message per error
 * appended to errors (char *, g_free, "FILE:LINE: [section] key: ...", sorted by line).
 */
struct ela_config *ela_config_load(const char *file, struct ela_loader *loader, uint32_t flags, GPtrArray *errors);
/* The same for a content in memory; only plugins and, without ELA_CONFIG_NO_KEY, the key are read from the disk. */
struct ela_config *ela_config_parse(
	const char *file, const char *text, size_t len, struct ela_loader *loader, uint32_t flags, GPtrArray *errors);
void ela_config_free(struct ela_config *config);
/* Frees what it points to. */
void ela_config_peer_clear(struct ela_config_peer *peer);

/* An option's value for a plugin: its section's, else the table's default. 0, -ENOENT, -EINVAL (no such key). */
int ela_config_option(const struct ela_config *config, const struct ela_loaded *plugin, const char *key, uint32_t index,
	struct ela_value *ret);
/* True when the file itself sets the key. */
bool ela_config_is_set(const struct ela_config *config, const char *section, const char *key);

/*
 * An error in the house form about a key that later checks found wrong (an mtu no path can carry):
 * "FILE:LINE: [section] key: text". g_free.
 */
char *ela_config_error(const struct ela_config *config, const char *section, const char *key, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/*
 * What a reload changes: appends "section.key" (char *, g_free) to needs_restart for every difference that cannot apply
 * at run time. [peer] sections, node.log-level and options marked RELOAD may differ.
 */
void ela_config_diff(const struct ela_config *old, const struct ela_config *fresh, GPtrArray *needs_restart);

#endif
