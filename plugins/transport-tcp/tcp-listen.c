/* SPDX-License-Identifier: Apache-2.0 */
/* transport-tcp: listens and accepts. Control thread. How many strangers may stay is core's business. */
#include "tcp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Most connections taken in one turn of the loop, so that a flood leaves the others their turn. */
#define ACCEPTS_PER_TURN 16
/* How long accepting rests when the process or the system has no descriptor or memory left. */
#define PAUSE_NS UINT64_C(250000000)

static void watch_all(struct tcp *tcp, uint32_t events)
{
	for (uint32_t i = 0; i < tcp->n_listeners; i++)
		tcp->host->watch_set(tcp->listeners[i].watch, events);
}

static void on_resume(void *data)
{
	watch_all(data, ELA_EVENT_READ);
}

/* A listener that cannot accept stays readable: without a pause the loop would turn at full speed. */
static void pause_accepting(struct tcp *tcp, int err)
{
	ela_count(&tcp->counters[TCP_ACCEPT_PAUSES], 1);
	ela_log(tcp->host, ELA_LOG_WARN, "tcp: cannot accept connections: %s; trying again in %u ms", strerror(err),
		(unsigned)(PAUSE_NS / 1000000));
	watch_all(tcp, 0);
	tcp->host->timer_set(tcp->resume, tcp->host->now_ns(tcp->host) + PAUSE_NS);
}

static void hand_over(struct tcp *tcp, int fd, const union ela_ip_sockaddr *from)
{
	union ela_ip_sockaddr to;
	socklen_t len = sizeof to;
	struct ela_addr remote, local;
	struct tcp_conn *conn;

	/* A connection that is gone already has no address any more. */
	if (!ela_ip_from_sockaddr(from, &remote) || getsockname(fd, &to.any, &len) < 0 ||
		!ela_ip_from_sockaddr(&to, &local)) {
		ela_count(&tcp->counters[TCP_ACCEPT_ERRORS], 1);
		(void)close(fd); /* nothing was written */
		return;
	}
	conn = tcp_conn_new(tcp, fd, &remote);
	if (!conn) {
		(void)close(fd); /* nothing was written */
		pause_accepting(tcp, ENOMEM);
		return;
	}
	ela_count(&tcp->counters[TCP_ACCEPTS], 1);
	tcp->host->conn_event(tcp->host, ELA_CONN_ACCEPTED, conn, &remote, &local, 0); /* may close it, or stop us */
}

/* False when nothing more is to be accepted in this turn. */
static bool accept_one(struct tcp_listener *listener)
{
	struct tcp *tcp = listener->tcp;
	union ela_ip_sockaddr from;
	socklen_t len = sizeof from;
	int fd;

	if (listener->fd < 0) /* stopped from within the event of the one before */
		return false;
	fd = accept4(listener->fd, &from.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		hand_over(tcp, fd, &from);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETDOWN:
	case ENETUNREACH:
	case ENONET:
	case EHOSTDOWN:
	case EHOSTUNREACH: /* of the connection, not of the listener: accept(2), "error handling" */
		ela_count(&tcp->counters[TCP_ACCEPT_ERRORS], 1);
		return true;
	default: /* no descriptor or memory left, or what we do not know */
		pause_accepting(tcp, errno);
		return false;
	}
}

static void on_listener(void *data, uint32_t events)
{
	(void)events; /* accept4() says what is the matter */
	for (int i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(data))
			return;
}

static int bind_and_listen(int fd, const struct ela_addr *addr)
{
	union ela_ip_sockaddr sockaddr;
	socklen_t len = ela_ip_to_sockaddr(addr, &sockaddr);
	int err;

	/* Connections of a former run that linger in TIME_WAIT must not keep us out; another listener still does. */
	err = ela_ip_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && addr->family == ELA_ADDR_IP6)
		err = ela_ip_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (err)
		return err;
	return bind(fd, &sockaddr.any, len) < 0 || listen(fd, TCP_BACKLOG) < 0 ? -errno : 0;
}

/* Closes the descriptor on failure. */
static int listen_failed(const struct tcp *tcp, const struct ela_addr *addr, int fd, int err)
{
	if (fd >= 0)
		(void)close(fd); /* the first error counts */
	if (ela_ip_listen_optional(&tcp->listen, addr, err)) {
		ela_log(tcp->host, ELA_LOG_INFO, "tcp: this machine has no IPv6, listening on IPv4 only");
		return 0;
	}
	ela_ip_listen_explain(tcp->host, TCP_SECTION, 't', addr, err);
	return err;
}

static int listen_one(struct tcp *tcp, const struct ela_addr *addr)
{
	struct tcp_listener *listener = &tcp->listeners[tcp->n_listeners];
	char text[ELA_IP_TEXT];
	int fd, err;

	fd = socket(
		addr->family == ELA_ADDR_IP6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return listen_failed(tcp, addr, -1, -errno);
	err = bind_and_listen(fd, addr);
	if (err)
		return listen_failed(tcp, addr, fd, err);
	err = tcp_configure(tcp, fd); /* after listen(): a port in use is told first */
	if (err) {
		(void)close(fd); /* the first error counts */
		return err;
	}
	listener->tcp = tcp;
	listener->fd = fd;
	listener->watch = tcp->host->watch_new(tcp->host, fd, ELA_EVENT_READ, on_listener, listener);
	if (!listener->watch)
		return listen_failed(tcp, addr, fd, -ENOMEM);
	tcp->n_listeners++;
	ela_log(tcp->host, ELA_LOG_INFO, "tcp: listening on %s congestion=%s", ela_ip_text(addr, text),
		tcp->congestion ? tcp->congestion : "system");
	return 0;
}

int tcp_listen_all(struct tcp *tcp)
{
	tcp->resume = tcp->host->timer_new(tcp->host, on_resume, tcp);
	if (!tcp->resume)
		return -ENOMEM;
	for (uint32_t i = 0; i < tcp->listen.n; i++) {
		int err = listen_one(tcp, &tcp->listen.addrs[i]);

		if (err) {
			tcp_listen_stop(tcp);
			return err;
		}
	}
	return 0;
}

void tcp_listen_stop(struct tcp *tcp)
{
	for (uint32_t i = 0; i < tcp->n_listeners; i++) {
		struct tcp_listener *listener = &tcp->listeners[i];

		tcp->host->watch_free(listener->watch);
		(void)close(listener->fd); /* nothing is left to be done about a failure */
		listener->fd = -1;
	}
	tcp->n_listeners = 0;
	tcp->host->timer_free(tcp->resume);
	tcp->resume = NULL;
}
