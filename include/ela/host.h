/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host gives a plugin: struct ela_host, handed to create() and valid until destroy() returns.
 *
 * These services are the plugin's whole world. Under the simulator the same table runs on a virtual clock and a seeded
 * random source, so a plugin that uses nothing else behaves the same there. The table only grows at its end; size tells
 * a plugin built against newer headers how much of it is there.
 */
#ifndef ELA_HOST_H
#define ELA_HOST_H

#include <ela/plugin.h>
#include <ela/types.h>
#include <stdarg.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ela_host;
struct ela_timer; /* opaque */
struct ela_watch; /* opaque */

/* Levels of host->log(). Anything that a remote can trigger: at most one line a second. */
#define ELA_LOG_ERROR 0u
#define ELA_LOG_WARN 1u
#define ELA_LOG_INFO 2u
#define ELA_LOG_DEBUG 3u
#define ELA_LOG_TRACE 4u

/* Events of host->watch_new(). */
#define ELA_EVENT_READ 1u
#define ELA_EVENT_WRITE 2u
#define ELA_EVENT_ERROR 4u /* reported always */

/* Lanes are numbered from 0; the control thread's own counter block has this number. */
#define ELA_LANE_CONTROL 255u
#define ELA_MAX_LANES 16u

/* Events of host->conn_event(). */
#define ELA_CONN_OPEN 1u     /* connect() succeeded */
#define ELA_CONN_ACCEPTED 2u /* a stranger connected */
#define ELA_CONN_CLOSED 3u   /* connect() failed, or the plugin found the connection dead before it was attached */

/* A [peer NAME] section, for routing plugins. 56 bytes. Strings are valid until the next reload. */
struct ela_peer_info {
	uint32_t peer; /* core's number of the peer, the "via" of route_set() */
	uint32_t id;   /* node ID */
	const char *name;
	const char *const *prefixes; /* n_prefixes strings "10.88.0.2/32", "fd00::2/128", checked and normalised */
	uint32_t n_prefixes;
	uint32_t reserved32;
	uint64_t reserved[3];
};

struct ela_host {
	uint32_t size; /* sizeof(struct ela_host) of the host */
	uint32_t
		n_lanes; /* the most lanes this node will run, 1..ELA_MAX_LANES; a device with fewer queues makes it fewer */

	/* [any] Writes one line; text without newline, never secrets or packet contents. Borrows text. */
	void (*log)(const struct ela_host *host, uint32_t level, const char *text);

	/*
	 * [control] Value number index of the plugin's option key. 0; -ENOENT when unset or past the last value; -EINVAL
	 * for a key that its option table does not have. *ret untouched on failure.
	 */
	int (*option)(const struct ela_host *host, const char *key, uint32_t index, struct ela_value *ret);

	/* [any] Monotonic clock, nanoseconds, from an arbitrary start; counts time asleep (CLOCK_BOOTTIME). */
	uint64_t (*now_ns)(const struct ela_host *host);

	/* [any] len random bytes fit for keys. Never fails: without a random source the process ends. */
	void (*random)(const struct ela_host *host, void *buf, uint32_t len);

	/* [control] A timer that calls fn(data) on the control thread. NULL when out of memory. timer_free takes NULL. */
	struct ela_timer *(*timer_new)(const struct ela_host *host, void (*fn)(void *data), void *data);
	/* [control] Arms the timer for at_ns (now_ns clock), once; 0 disarms. */
	void (*timer_set)(struct ela_timer *timer, uint64_t at_ns);
	void (*timer_free)(struct ela_timer *timer);

	/* [control] Watches fd for events (ELA_EVENT_*), level-triggered. The fd stays the plugin's. watch_free takes NULL.
	 */
	struct ela_watch *(*watch_new)(
		const struct ela_host *host, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data);
	void (*watch_set)(struct ela_watch *watch, uint32_t events);
	void (*watch_free)(struct ela_watch *watch);

	/*
	 * [control] The counter block of a lane (or ELA_LANE_CONTROL): one uint64_t for each name of the descriptor. Only
	 * that lane's thread may add to it, with ela_count(). Valid until destroy().
	 */
	uint64_t *(*counters)(const struct ela_host *host, uint32_t lane);

	/* [any] Calls fn(data) on the control thread soon. -ENOMEM when it cannot. */
	int (*post)(const struct ela_host *host, void (*fn)(void *data), void *data);

	/*
	 * [control] Transports only. Tells core about a stream connection. OPEN and ACCEPTED hand the connection to core,
	 * which alone closes it (conn_close) from then on; after CLOSED core calls conn_close once and never uses it again.
	 * Core may give up a connection that it asked for before its event, too: an event is then ignored, conn_close
	 * comes. err: 0 or a negative errno. Borrows the addresses; local may be NULL.
	 */
	void (*conn_event)(const struct ela_host *host, uint32_t event, void *conn, const struct ela_addr *remote,
		const struct ela_addr *local, int err);

	/*
	 * [control] Routing only. Sends packets for prefix ("10.88.0.2/32", "fd00::/64") to the peer. A prefix has one via:
	 * setting it again moves it. Takes effect on all lanes before packets read after the next turn. -EINVAL for a
	 * prefix that does not parse, -ENOENT for an unknown peer.
	 */
	int (*route_set)(const struct ela_host *host, const char *prefix, uint32_t peer);
	/* [control] Routing only. Removes the prefix; -ENOENT when it has no route. */
	int (*route_del)(const struct ela_host *host, const char *prefix);

	/* [control] Routing only. The peer after number cursor (0 = first): 0, or -ENOENT after the last. */
	int (*peer_next)(const struct ela_host *host, uint32_t cursor, struct ela_peer_info *ret);

	/*
	 * [control] Routing only. Sends one sealed message of at most 1,200 bytes to a peer's routing plugin (its
	 * on_message). Datagram semantics: may be lost. -ENOENT unknown peer, -EMSGSIZE, -ENOTCONN no session now.
	 */
	int (*message_send)(const struct ela_host *host, uint32_t peer, const void *bytes, uint32_t len);

	void *priv; /* the host's own; a plugin does not touch it */
};

/* Adds to a counter. Only the owning lane writes, control reads: relaxed order is enough. */
static inline void ela_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* printf into host->log(); one line of at most 511 bytes. */
static inline __attribute__((format(printf, 3, 4))) void ela_log(
	const struct ela_host *host, uint32_t level, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args); /* a cut line is still a line */
	va_end(args);
	host->log(host, level, text);
}

#ifdef __cplusplus
}
#endif
#endif
