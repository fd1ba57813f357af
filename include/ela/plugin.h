/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin ABI: what a shared object must export so that elad loads it.
 *
 * A plugin is one file PREFIX-NAME.so (prefix npd, cipher, transport or route) that exports one symbol, ela_plugin,
 * made by ELA_PLUGIN(). The loader reads the descriptor, checks every field, requires an equal major and a minor not
 * above its own, and copies min(ops_size, its own size) of the operations into a zeroed table: tables only ever grow at
 * the end. Absent optional operations are filled by the loader, so the packet path never tests for NULL. Plugins stay
 * loaded until the process ends.
 *
 * A plugin includes <ela/...> and system headers only, touches nothing of the host but what struct ela_host gives it,
 * and never exits, forks, installs signal handlers or writes to stdout or stderr.
 *
 * Words used by every function's comment
 *   [control]  called on the control thread; may block briefly, may allocate.
 *   [lane]     called on one lane's thread, for that lane's objects only; must not block, allocate, log or take a lock
 *              that a [control] function holds for long.
 *   [any]      any thread, several at once.
 *   Borrowed   the pointer is valid during the call only. TAKES marks the exceptions.
 *   Errors     functions that return int return 0 or a count, or a negative errno.
 *
 * ABI history
 *   0.1  first published: kinds npd, cipher, transport, routing; host services.
 *   0.2  npd: set_addresses. host: own_id, record_check, record_compare, record_set, record_del, ring_set, for a
 * routing with a ring; struct ela_record_info; ela_peer_info.flags (was reserved32).
 *   0.3  transport: probe. host: ELA_PEER_DIRECT.
 */
#ifndef ELA_PLUGIN_H
#define ELA_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELA_ABI_MAJOR 0
#define ELA_ABI_MINOR 3

#define ELA_PLUGIN_MAGIC 0x70414c45u /* "ELAp", little endian */
#define ELA_PLUGIN_SYMBOL "ela_plugin"

/* Kinds of plugin and the prefix of their file names. */
#define ELA_KIND_NPD 1u       /* npd-NAME.so: network pseudo device, struct ela_npd_ops */
#define ELA_KIND_CIPHER 2u    /* cipher-NAME.so: suites, struct ela_cipher_ops */
#define ELA_KIND_TRANSPORT 3u /* transport-NAME.so: underlay, struct ela_transport_ops */
#define ELA_KIND_ROUTING 4u   /* route-NAME.so: struct ela_routing_ops */

/* Types of an option's value in ela.ini and how struct ela_value holds it. */
#define ELA_OPTION_INT 1u      /* num; min..max */
#define ELA_OPTION_STRING 2u   /* str; min..max bound its length in bytes */
#define ELA_OPTION_CHOICE 3u   /* str; one of choices; num = its index there */
#define ELA_OPTION_DURATION 4u /* num in nanoseconds; written 250ms, 25s, 3m, 2h, 7d; min..max in nanoseconds */
#define ELA_OPTION_RATE 5u     /* num in bit/s; written 500kbit, 10mbit, 1gbit */
#define ELA_OPTION_SIZE 6u     /* num in bytes; written 64k, 8M */
#define ELA_OPTION_IP 7u       /* str, a checked IPv4 or IPv6 address literal */

/* struct ela_option.flags */
#define ELA_OPTION_LIST 0x1u   /* several values, separated by commas */
#define ELA_OPTION_RELOAD 0x2u /* applies on SIGHUP; the plugin reads it again at each use */

/* One key of the plugin's section of ela.ini. The section's name is the plugin's file name without ".so". 72 bytes. */
struct ela_option {
	const char *key;     /* [a-z0-9-], 1..32 bytes */
	const char *def;     /* default as it would be written, NULL = unset */
	const char *choices; /* "auto|off" for CHOICE, else NULL */
	const char *unit;    /* for --list-plugins: "bytes", "packets", NULL = none */
	const char *help;    /* one line, no full stop */
	int64_t min, max;    /* inclusive */
	uint32_t type;       /* ELA_OPTION_* */
	uint32_t flags;      /* ELA_OPTION_LIST, ELA_OPTION_RELOAD */
	uint64_t reserved;   /* 0 */
};

/* One value of an option, as host->option() returns it. str is valid until the plugin is destroyed or reloaded. */
struct ela_value {
	int64_t num;
	const char *str;
};

/* The descriptor. 96 bytes. Everything it points to is constant and lives as long as the plugin. */
struct ela_plugin {
	uint32_t magic;                   /* ELA_PLUGIN_MAGIC */
	uint16_t abi_major;               /* ELA_ABI_MAJOR of the headers it was built with */
	uint16_t abi_minor;               /* ELA_ABI_MINOR of those */
	uint32_t kind;                    /* ELA_KIND_* */
	uint32_t ops_size;                /* sizeof of the kind's table in those headers */
	const char *name;                 /* [a-z0-9-], 1..32 bytes; equals NAME of the file's name */
	const char *version;              /* the plugin's own, free text up to 32 bytes */
	const char *licence;              /* SPDX expression */
	const char *summary;              /* one line */
	const void *ops;                  /* struct ela_npd_ops, ela_cipher_ops, ela_transport_ops or ela_routing_ops */
	const struct ela_option *options; /* n_options entries of option_size bytes each, NULL when none */
	uint32_t n_options;
	uint32_t option_size;        /* sizeof(struct ela_option) of those headers */
	const char *const *counters; /* n_counters names [a-z0-9-], 1..48 bytes; shown as PREFIX-NAME.COUNTER */
	uint32_t n_counters;         /* at most ELA_PLUGIN_MAX_COUNTERS */
	uint32_t reserved32;         /* 0 */
	uint64_t reserved;           /* 0 */
};

#define ELA_PLUGIN_MAX_COUNTERS 64

#define ELA_EXPORT __attribute__((visibility("default")))

/* ELA_PLUGIN(.kind = ..., .name = ..., .ops = &my_ops, .ops_size = sizeof my_ops, ...); at file scope, once. */
#define ELA_PLUGIN(...)                                                                                                \
	extern ELA_EXPORT const struct ela_plugin ela_plugin;                                                              \
	ELA_EXPORT const struct ela_plugin ela_plugin = {.magic = ELA_PLUGIN_MAGIC,                                        \
		.abi_major = ELA_ABI_MAJOR,                                                                                    \
		.abi_minor = ELA_ABI_MINOR,                                                                                    \
		.option_size = sizeof(struct ela_option),                                                                      \
		__VA_ARGS__}

#ifdef __cplusplus
}
#endif
#endif
