/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-tcp: connections. Setting up is control's; reading, writing and closing are the owner's, which is control
 * until conn_attach() and a lane after.
 */
#include "tcp.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void link_pending(struct tcp_conn *conn)
{
	struct tcp *tcp = conn->tcp;

	conn->next = tcp->pending;
	conn->prev = &tcp->pending;
	if (conn->next)
		conn->next->prev = &conn->next;
	tcp->pending = conn;
}

static void unlink_pending(struct tcp_conn *conn)
{
	if (!conn->prev)
		return;
	*conn->prev = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	conn->prev = NULL;
}

static void unwatch(struct tcp_conn *conn)
{
	conn->tcp->host->watch_free(conn->watch);
	conn->watch = NULL;
}

struct tcp_conn *tcp_conn_new(struct tcp *tcp, int fd, const struct ela_addr *remote)
{
	struct tcp_conn *conn = calloc(1, sizeof *conn);

	if (!conn)
		return NULL;
	conn->tcp = tcp;
	conn->fd = fd;
	conn->counters = tcp->counters;
	conn->remote = *remote;
	return conn;
}

/* How the set-up ended, with the local address when well: 0, -errno, or -EINPROGRESS. */
static int setup_result(const struct tcp_conn *conn, struct ela_addr *ret_local)
{
	union ela_ip_sockaddr sockaddr;
	socklen_t len = sizeof(int);
	int err = 0;

	if (conn->err)
		return conn->err;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	if (err)
		return -err;
	len = sizeof sockaddr;
	if (getpeername(conn->fd, &sockaddr.any, &len) < 0)
		return errno == ENOTCONN ? -EINPROGRESS : -errno;
	len = sizeof sockaddr;
	if (getsockname(conn->fd, &sockaddr.any, &len) < 0)
		return -errno;
	if (!ela_ip_from_sockaddr(&sockaddr, ret_local))
		return -EAFNOSUPPORT;
	/* TCP lets a socket connect to itself when the kernel picks the port that is being called. */
	if (memcmp(ret_local, &conn->remote, sizeof *ret_local) == 0)
		return -ECONNREFUSED;
	return 0;
}

static void on_setup(void *data, uint32_t events)
{
	struct tcp_conn *conn = data;
	struct tcp *tcp = conn->tcp;
	struct ela_addr local = {.family = ELA_ADDR_NONE};
	int err = setup_result(conn, &local);

	if (err == -EINPROGRESS && !(events & ELA_EVENT_ERROR))
		return;
	if (err == -EINPROGRESS)
		err = -ECONNABORTED; /* neither connected nor on the way, and the reason was lost */
	unwatch(conn);
	if (err) {
		ela_count(&tcp->counters[TCP_CONNECT_FAILED], 1);
		tcp->host->conn_event(tcp->host, ELA_CONN_CLOSED, conn, &conn->remote, NULL, err); /* closes it */
		return;
	}
	unlink_pending(conn);
	tcp->host->conn_event(tcp->host, ELA_CONN_OPEN, conn, &conn->remote, &local, 0); /* it is core's now */
}

/*
 * What the network says, even at once, is told by the event; only what is wrong here is this call's result. A socket on
 * which connect() failed reports an error to the watch, so the event follows without further ado.
 */
int tcp_connect(void *self, const struct ela_addr *remote, void **ret_conn)
{
	struct tcp *tcp = self;
	union ela_ip_sockaddr sockaddr;
	socklen_t len = ela_ip_to_sockaddr(remote, &sockaddr);
	struct tcp_conn *conn;
	int fd, err = -ENOMEM;

	if (len == 0 || remote->port == 0)
		return -EINVAL;
	fd = socket(sockaddr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	conn = tcp_conn_new(tcp, fd, remote);
	if (!conn)
		goto close_fd;
	err = tcp_configure(tcp, fd);
	if (err)
		goto free_conn;
	if (connect(fd, &sockaddr.any, len) < 0 && errno != EINPROGRESS)
		conn->err = -errno;
	err = -ENOMEM;
	conn->watch = tcp->host->watch_new(tcp->host, fd, ELA_EVENT_WRITE, on_setup, conn);
	if (!conn->watch)
		goto free_conn;
	link_pending(conn);
	ela_count(&tcp->counters[TCP_CONNECTS], 1);
	*ret_conn = conn;
	return 0;

free_conn:
	free(conn);
close_fd:
	(void)close(fd); /* the first error counts */
	return err;
}

int tcp_conn_fd(void *self, void *conn)
{
	(void)self;
	return ((const struct tcp_conn *)conn)->fd;
}

int tcp_conn_attach(void *self, void *data, uint32_t lane)
{
	struct tcp *tcp = self;
	struct tcp_conn *conn = data;

	if (lane >= tcp->n_lanes || conn->prev)
		return -EINVAL;
	conn->counters = tcp->host->counters(tcp->host, lane);
	return 0;
}

/* What core hears of a failed read or write; all but "not now" is the connection's end. */
static int end_of(struct tcp_conn *conn, int err)
{
	if (err == EAGAIN || err == EWOULDBLOCK)
		return -EAGAIN;
	ela_count(&conn->counters[TCP_BROKEN], 1);
	return -EPIPE;
}

int tcp_conn_read(void *self, void *data, void *buf, uint32_t len, int *ret_err)
{
	struct tcp_conn *conn = data;
	ssize_t got;

	(void)self;
	if (len > INT_MAX)
		len = INT_MAX;
	do {
		got = recv(conn->fd, buf, len, MSG_DONTWAIT);
		ela_count(&conn->counters[TCP_RX_CALLS], 1);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		ela_count(&conn->counters[TCP_RX_BYTES], (uint64_t)got);
		return (int)got;
	}
	*ret_err = got == 0 ? -EPIPE : end_of(conn, errno);
	return 0;
}

static uint64_t total_of(const struct iovec *iov, uint32_t n)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += iov[i].iov_len;
	return total;
}

int tcp_conn_write(void *self, void *data, const struct iovec *iov, uint32_t n, int *ret_err)
{
	struct tcp_conn *conn = data;
	/* sendmsg() only reads the vector. What is beyond IOV_MAX is "no room now": the socket stays writable. */
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n < IOV_MAX ? n : IOV_MAX};
	uint64_t total = total_of(iov, n);
	ssize_t got;

	(void)self;
	if (total == 0)
		return 0;
	do {
		got = sendmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		ela_count(&conn->counters[TCP_TX_CALLS], 1);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		*ret_err = end_of(conn, errno);
		return 0;
	}
	ela_count(&conn->counters[TCP_TX_BYTES], (uint64_t)got);
	if ((uint64_t)got < total) {
		ela_count(&conn->counters[TCP_TX_PARTIAL], 1);
		*ret_err = -EAGAIN;
	}
	return (int)got;
}

void tcp_conn_close(void *self, void *data)
{
	struct tcp_conn *conn = data;

	(void)self;
	if (conn->prev) { /* not core's yet, so this is control */
		unwatch(conn);
		unlink_pending(conn);
	}
	if (conn->fd >= 0)
		(void)close(conn->fd); /* nothing is left to be done about a failure */
	free(conn);
}

void tcp_conn_stop_all(struct tcp *tcp)
{
	for (struct tcp_conn *conn = tcp->pending; conn; conn = conn->next) {
		unwatch(conn);
		if (conn->fd >= 0)
			(void)close(conn->fd); /* nothing is left to be done about a failure */
		conn->fd = -1;
	}
}

void tcp_conn_free_all(struct tcp *tcp)
{
	while (tcp->pending)
		tcp_conn_close(tcp, tcp->pending);
}
