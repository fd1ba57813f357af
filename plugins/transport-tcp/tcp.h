/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-tcp: frames over TCP connections, IPv4 and IPv6. It opens, accepts, reads, writes and closes; records,
 * queues and their drops are core's.
 *
 * A connection is the plugin's while it is being set up, in the list of struct tcp and watched, on control. With OPEN
 * or ACCEPTED it leaves list and watch and belongs to core, whose owning thread alone touches it until conn_close().
 * One that failed stays in the list until core closes it or the plugin is destroyed.
 */
#ifndef ELA_TCP_H
#define ELA_TCP_H

#include "../common/ip.h"

#define TCP_SECTION "transport-tcp"
#define TCP_BACKLOG 128

/* The counters, in the order of the descriptor's names. */
enum {
	TCP_CONNECTS,
	TCP_CONNECT_FAILED,
	TCP_ACCEPTS,
	TCP_ACCEPT_ERRORS,
	TCP_ACCEPT_PAUSES,
	TCP_RX_CALLS,
	TCP_RX_BYTES,
	TCP_TX_CALLS,
	TCP_TX_BYTES,
	TCP_TX_PARTIAL,
	TCP_BROKEN,
	TCP_N_COUNTERS
};

struct tcp_listener {
	struct tcp *tcp;
	struct ela_watch *watch;
	int fd;
};

struct tcp {
	const struct ela_host *host;
	struct ela_ip_listen listen;
	char *congestion; /* NULL = the system's */
	uint32_t user_timeout_ms, notsent_lowat;
	uint64_t *counters; /* control's */
	struct tcp_listener listeners[ELA_IP_MAX_LISTEN];
	uint32_t n_listeners, n_lanes;
	struct ela_timer *resume; /* ends a pause in accepting */
	struct tcp_conn *pending; /* first of those that are not core's */
};

struct tcp_conn {
	struct tcp *tcp;
	struct tcp_conn *next, **prev; /* in tcp->pending; prev NULL = in no list */
	struct ela_watch *watch;
	uint64_t *counters; /* of the thread that owns it */
	struct ela_addr remote;
	int fd;  /* -1 after stop() */
	int err; /* what connect() said at once, 0 or -errno; told with the event */
};

/* [control] Sets all that is asked on a socket; accepted ones have it from their listener. 0 or -errno, logged. */
int tcp_configure(const struct tcp *tcp, int fd);

/* [control] 0 or -errno, logged. Nothing stays open on failure. */
int tcp_listen_all(struct tcp *tcp);
void tcp_listen_stop(struct tcp *tcp);

/* [control] A connection for core that owns fd. NULL when out of memory. */
struct tcp_conn *tcp_conn_new(struct tcp *tcp, int fd, const struct ela_addr *remote);
/* [control] Closes the descriptors of all that are not core's; tcp_conn_free_all() ends them. */
void tcp_conn_stop_all(struct tcp *tcp);
void tcp_conn_free_all(struct tcp *tcp);

int tcp_connect(void *self, const struct ela_addr *remote, void **ret_conn);
int tcp_conn_fd(void *self, void *conn);
int tcp_conn_attach(void *self, void *conn, uint32_t lane);
int tcp_conn_read(void *self, void *conn, void *buf, uint32_t len, int *ret_err);
int tcp_conn_write(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err);
void tcp_conn_close(void *self, void *conn);

#endif
