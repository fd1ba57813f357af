/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind routing: which peer a packet leaves by (thesis 4.3.3, 5.2.5: insert, lookup, update, join, leave).
 *
 * A routing plugin never runs on a lane and shares no memory with one: it calls host->route_set() and route_del() on
 * the control thread, and core builds and swaps the snapshot that lanes read. Everything here is [control]. Records are
 * opaque bytes, at most 1,024, kept under a node ID. A plugin with a ring (since 0.2) asks host->record_check() what
 * one says, and tells core by host->record_set(), record_del() and ring_set() instead of routes. Its insert() and
 * update() may also answer what record_check() did, and -EEXIST when a newer record of the same key is there or another
 * key holds the ID; insert() takes a newer record of the key that holds it.
 */
#ifndef ELA_ROUTING_H
#define ELA_ROUTING_H

#include <ela/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELA_RECORD_MAX 1024u

/* Events of on_link(). */
#define ELA_LINK_UP 1u   /* a session with the peer is there */
#define ELA_LINK_DOWN 2u /* the last session with it ended */

/* Completion of lookup(): err 0 with the record (borrowed), or -ENOENT, -ETIMEDOUT. May run inside the call. */
typedef void (*ela_lookup_done)(void *data, int err, const void *record, uint32_t len);

struct ela_routing_ops {
	/* since 0.1 */

	/* Makes an instance. Required. */
	int (*create)(const struct ela_host *host, void **ret_self);
	/* Takes NULL. Required. */
	void (*destroy)(void *self);
	/* Sets the routes it knows; called once, and after stop() again. Required. */
	int (*start)(void *self);
	/* Removes what start() set. Required. */
	void (*stop)(void *self);
	/* The configured peers changed (reload): bring the routes in line with host->peer_next(). Required. */
	void (*peers_changed)(void *self);
	/*
	 * Enters or leaves the ring. Optional: absent = 0, for plugins without one. Only a plugin without join is given
	 * peers by the configuration; one with a ring finds them itself.
	 */
	int (*join)(void *self);
	int (*leave)(void *self);
	/* Puts a record under id. 0, -EEXIST when id has one, -EINVAL for id 0 or 0xffffffff, -EMSGSIZE, -ENOMEM. Required.
	 */
	int (*insert)(void *self, uint32_t id, const void *record, uint32_t len);
	/* Replaces it. 0, -ENOENT, -EMSGSIZE, -ENOMEM. Required. */
	int (*update)(void *self, uint32_t id, const void *record, uint32_t len);
	/* Removes it. 0, -ENOENT. Required. */
	int (*remove)(void *self, uint32_t id);
	/* Finds it; done is called exactly once. Required. */
	void (*lookup)(void *self, uint32_t id, ela_lookup_done done, void *data);
	/* A message from a peer's routing plugin. Hostile until checked. Borrowed. Optional: absent = ignored. */
	void (*on_message)(void *self, uint32_t peer, const void *bytes, uint32_t len);
	/* A peer came or went (ELA_LINK_*), between start() and stop(). Optional. */
	void (*on_link)(void *self, uint32_t peer, uint32_t event);
};

#ifdef __cplusplus
}
#endif
#endif
