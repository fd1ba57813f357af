/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind transport: how frames cross the underlay (thesis 4.3.4, 5.2.4: ela_udpsend, ela_tcpsend, ela_recv).
 *
 * A transport is of datagrams (ELA_TRANSPORT_DATAGRAM: send_burst, read_burst) or of streams (ELA_TRANSPORT_STREAM:
 * connect, conn_*), or both. Framing, queues and congestion control of streams are core's; the transport moves bytes.
 *
 * Life: create -> start -> (bursts on lanes; connections) -> stop -> destroy.
 * A stream connection: connect() or an accepted one -> host->conn_event(OPEN | ACCEPTED) -> core reads and writes it on
 * control for the handshake -> conn_attach(conn, lane) -> only that lane reads and writes -> conn_close.
 */
#ifndef ELA_TRANSPORT_H
#define ELA_TRANSPORT_H

#include <ela/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* struct ela_transport_info.caps */
#define ELA_TRANSPORT_DATAGRAM 0x1u
#define ELA_TRANSPORT_STREAM 0x2u
#define ELA_TRANSPORT_IP 0x4u /* addresses are ELA_ADDR_IP4 and _IP6 */

/* What a transport needs and can do. 64 bytes. */
struct ela_transport_info {
	uint32_t caps;
	uint32_t overhead4;    /* bytes the underlay adds to a datagram over IPv4: 28 for UDP */
	uint32_t overhead6;    /* over IPv6: 48 */
	uint32_t max_datagram; /* largest payload of one datagram: 65507 for UDP over IPv4; 0 for streams */
	uint32_t max_segments; /* most datagrams in one train of send_burst, 1 = no trains; may fall at run time */
	uint32_t max_train;    /* most bytes in one train */
	uint32_t burst;        /* most trains core passes to one call, 1..64; fixed once started */
	uint16_t port;         /* where it listens, 0 = nowhere: for status and the ready line */
	uint16_t reserved16;
	uint64_t reserved[4];
};

/* A received train: datagrams of one sender, equal in size but the last, which may be shorter. 96 bytes. */
struct ela_train {
	uint8_t *data;          /* core's buffer */
	uint32_t room;          /* its size, at least 65,536 */
	uint32_t len;           /* set: bytes received, 0 = ignore this entry */
	uint32_t segment;       /* set: size of each datagram but the last; len when there is one */
	uint32_t flags;         /* set: 0 */
	struct ela_addr remote; /* set: the sender */
	struct ela_addr local;  /* set: the address it was sent to; family NONE when unknown */
	uint8_t ecn;            /* set: the outer header's ECN bits, 0..3 */
	uint8_t reserved8[7];
	uint64_t reserved[2];
};

/* A train to send: len bytes at data, cut by the transport into datagrams of segment bytes (the last may be shorter).
 * 64 bytes. */
struct ela_send {
	const uint8_t *data; /* borrowed */
	uint32_t len;
	uint32_t segment; /* 0 or len: one datagram */
	const struct ela_path *path;
	uint8_t ecn; /* outer header's ECN bits, 0..3 */
	uint8_t reserved8[7];
	uint64_t reserved[4];
};

struct ela_transport_ops {
	/* since 0.1 */

	/* [control] Makes an instance; reads its options. Required. */
	int (*create)(const struct ela_host *host, void **ret_self);
	/* [control] Takes NULL. Required. */
	void (*destroy)(void *self);
	/*
	 * [control] Binds and listens for n_lanes lanes. Required. The plugin logs a failure with its remedy: -EADDRINUSE,
	 * -EACCES, -EADDRNOTAVAIL. Nothing stays open on failure.
	 */
	int (*start)(void *self, uint32_t n_lanes);
	/* [control] Closes everything it still owns. No lane uses it any more. May be called twice. Required. */
	void (*stop)(void *self);
	/* [any] Needs and abilities, now. Required. */
	void (*info)(void *self, struct ela_transport_info *ret);

	/* Datagrams. Required with ELA_TRANSPORT_DATAGRAM. */

	/*
	 * [control] Descriptor number k (from 0) of the lane for readiness, both directions; -ENOENT past the last, -1 =
	 * none, ask every turn.
	 */
	int (*lane_fd)(void *self, uint32_t lane, uint32_t k);
	/*
	 * [lane] Receives up to n trains. Returns how many; 0 with *ret_err = -EAGAIN when dry. Core passes fewer buffers
	 * after a long train, more after short ones. Datagrams longer than the buffer are dropped and counted.
	 */
	int (*read_burst)(void *self, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err);
	/*
	 * [lane, and control on lane 0 under core's lock] Sends n trains in order. Returns how many were handled; if fewer,
	 * *ret_err says why the first unhandled one was not: -EAGAIN (no room now: retry when writable), -EMSGSIZE (too big
	 * for the path), -EADDRNOTAVAIL (path->local is no longer ours: core tries without), -ENETUNREACH, -EHOSTUNREACH,
	 * -EPERM (skip this one), other: drop this one and go on. A train is sent whole or not at all; a transport that
	 * loses an offload at run time sends the datagrams singly.
	 */
	int (*send_burst)(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err);

	/* Streams. Required with ELA_TRANSPORT_STREAM. conn is the plugin's own pointer. */

	/*
	 * [control] Starts a connection; the result comes by host->conn_event() later, never from inside the call.
	 * *ret_conn untouched on failure.
	 */
	int (*connect)(void *self, const struct ela_addr *remote, void **ret_conn);
	/* [control] The connection's descriptor; -1 = none. */
	int (*conn_fd)(void *self, void *conn);
	/* [control] From now on the lane owns the connection. */
	int (*conn_attach)(void *self, void *conn, uint32_t lane);
	/*
	 * [owner: control, then the lane] Reads up to len bytes. Returns bytes > 0; or 0 with *ret_err = -EAGAIN, -EPIPE
	 * (the other side closed or the connection died).
	 */
	int (*conn_read)(void *self, void *conn, void *buf, uint32_t len, int *ret_err);
	/*
	 * [owner] Writes as much of iov[0..n) as fits now and keeps nothing. Returns bytes taken; fewer than asked with
	 * *ret_err = -EAGAIN (retry on writable) or -EPIPE.
	 */
	int (*conn_write)(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err);
	/* [owner, or control when the lane let go] Closes and frees it. */
	void (*conn_close)(void *self, void *conn);

	/* since 0.3 */

	/*
	 * [control] Sends one datagram, once, from a socket that has never talked to anybody: another port than the one it
	 * listens on, of the family of remote, closed at once. What a firewall lets back in to a known sender does not help
	 * it. 0, or as send_burst(); -EAGAIN: no room, nothing was sent. Optional, of datagrams; absent: -EOPNOTSUPP.
	 */
	int (*probe)(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len);
};

#ifdef __cplusplus
}
#endif
#endif
