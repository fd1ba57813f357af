/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: everything one ELA node is, hung off one struct ela_node; as many in one process as a test wants. Control
 * thread.
 *
 * Life: new (instances of all plugins; nothing opened) -> start (device, sockets, lanes) -> stop -> free. elad drops
 * its privileges between start_devices and start_lanes.
 */
#ifndef ELA_CORE_NODE_H
#define ELA_CORE_NODE_H

#include "config.h"
#include "log.h"
#include "loop.h"

struct ela_node;

#define ELA_NODE_ERROR (g_quark_from_static_string("ela-node"))
enum ela_node_error {
	ELA_NODE_FAILED,     /* exit 1 */
	ELA_NODE_PERMISSION, /* exit 4 */
	ELA_NODE_CONFIG,     /* exit 78; the message is in the house form of config errors */
};

/* How a node runs. */
#define ELA_NODE_THREADS 0x1u /* one thread a lane; without, the caller runs ela_node_turn() (simulator) */

/*
 * Makes a node of a config (which must outlive it), creating an instance of every plugin and checking what only
 * instances can tell (suites, overheads, mtu). Nothing outside the process is touched: elad --check stops here. NULL
 * and *error.
 */
struct ela_node *ela_node_new(
	const struct ela_config *config, struct ela_loop *loop, struct ela_log *log, uint32_t flags, GError **error);
/* Opens device and sockets: what needs privileges. Everything opened is closed again on failure. */
bool ela_node_start_devices(struct ela_node *node, GError **error);
/* Starts routing, lanes and handshakes. */
bool ela_node_start(struct ela_node *node, GError **error);
/* Stops lanes, closes device and sockets; may be called in any state. */
void ela_node_stop(struct ela_node *node);
void ela_node_free(struct ela_node *node); /* takes NULL */

/*
 * Applies a fresh config (SIGHUP): peers, log level, RELOAD options. False and *error "needs a restart: a.b, c.d" when
 * anything else differs; then nothing was applied. On success the node uses fresh from now on and the caller may free
 * the old one.
 */
bool ela_node_reload(struct ela_node *node, const struct ela_config *fresh, GError **error);

/* Calls fn for every counter, in the order of docs/counters.md. */
void ela_node_counters(struct ela_node *node, void (*fn)(void *data, const char *name, uint64_t value), void *data);

/* Sum of one counter by name; UINT64_MAX for an unknown name. */
uint64_t ela_node_counter(struct ela_node *node, const char *name);

/* One line for the log's "ready": device, addresses, ports, lanes. */
char *ela_node_describe(struct ela_node *node);

/* Without ELA_NODE_THREADS: runs every lane's turn once; true when any did something. */
bool ela_node_turn(struct ela_node *node);

#endif
