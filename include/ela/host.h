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
	uint32_t flags; /* since 0.2: ELA_PEER_*; 0 before */
	uint64_t reserved[3];
};

/* struct ela_peer_info.flags */
#define ELA_PEER_DATAGRAM 0x1u /* a session with it is there, and its path is of datagrams */
#define ELA_PEER_DIRECT 0x2u   /* since 0.3: one is there, and no neighbour relays it; DATAGRAM never comes alone */

/* struct ela_record_info.role */
#define ELA_RECORD_ROLE_JOINING 0u /* has an address and is not on the ring yet */
#define ELA_RECORD_ROLE_CORE 1u
#define ELA_RECORD_ROLE_EDGE 2u

/* struct ela_record_info.flags */
#define ELA_RECORD_LEAVE 0x1u /* its node took leave: nothing is routed to it any more */

/* What a good record says (docs/protocol.md, "Signed objects"). Since 0.2. 80 bytes. */
struct ela_record_info {
	uint32_t id;          /* node ID it is kept under */
	uint32_t role;        /* ELA_RECORD_ROLE_* */
	uint32_t parent;      /* of an edge: node ID of the core that frames for it go to; else 0 */
	uint32_t flags;       /* ELA_RECORD_* */
	uint64_t incarnation; /* of two records of one key the newer has the greater (incarnation, sequence) */
	uint64_t sequence;
	uint8_t key_hash[32]; /* of the key that signed it: whose lease the id is */
	uint64_t reserved[2];
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

	/*
	 * since 0.2, for routing plugins with a ring. In a network of static peers there are no records: all but own_id()
	 * answer -EOPNOTSUPP there.
	 */

	/* [control] This node's own ID; 0 while it has none. */
	uint32_t (*own_id)(const struct ela_host *host);

	/*
	 * [control] Is this a record that the network stands behind now? 0 and *ret; -EBADMSG (no record, cut, forged);
	 * -EACCES (its user, node or key is not authorised or was revoked); -EAGAIN (core does not know its credential yet
	 * and asks for it: offer the record again later). A record that was good can be -EACCES later.
	 */
	int (*record_check)(const struct ela_host *host, const void *record, uint32_t len, struct ela_record_info *ret);

	/*
	 * [control] Two good records of different keys under one id: which key holds it? Negative: a's, positive: b's.
	 * Never 0, and the same at every node that has both.
	 */
	int (*record_compare)(const struct ela_host *host, const void *a, uint32_t a_len, const void *b, uint32_t b_len);

	/*
	 * [control] This is the newest record of id, and frames for id go to node via next: via = id when it is reached
	 * directly. Core makes routes, forwarding and the list of members of it; the node's own record is told like any
	 * other. Borrowed. -EINVAL id or via 0 or 0xffffffff, -EMSGSIZE, -EBADMSG a record that does not check or takes
	 * leave, -ENOSPC more than 4,096 IDs.
	 */
	int (*record_set)(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via);
	/* [control] Nothing is routed to id any more (left, expired, revoked). -ENOENT when nothing was. */
	int (*record_del)(const struct ela_host *host, uint32_t id);

	/*
	 * [control] The cores of the ring that this node knows of, itself included when it is one: n IDs in rising order,
	 * none twice. From it core takes parents and spares (thesis 4.2.1): the owner of an ID is the first of them at or
	 * after it, clockwise. n may be 0. Borrowed. -EINVAL when they are not in order, or one is 0 or 0xffffffff; -ENOSPC
	 * for more than 4,096.
	 */
	int (*ring_set)(const struct ela_host *host, const uint32_t *ids, uint32_t n);
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
