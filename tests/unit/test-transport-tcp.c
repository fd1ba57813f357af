/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-tcp on the loopback device of a namespace of its own, one thread. The other side is a second instance or a
 * plain socket. Tests in the list "both" run twice, with _i = 0 for IPv4 and 1 for IPv6.
 */
#include "test-host.h"
#include "test-netns.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 7450
#define MAX_EVENTS 100

static const struct ela_plugin *plugin; /* set once, before the tests */
static const struct ela_transport_ops *ops;

struct event {
	void *conn;
	struct ela_addr remote, local;
	uint32_t event;
	int err;
};

/* An instance of the plugin with its host, and what it told core. */
struct node {
	struct test_host *th;
	void *self;
	struct event events[MAX_EVENTS];
	uint32_t n_events;
	bool close_at_once; /* every connection, from within the event */
	bool stop_at_once;  /* the plugin, from within the event */
};

static void on_conn(struct test_host *th, uint32_t event, void *conn, const struct ela_addr *remote,
	const struct ela_addr *local, int err)
{
	struct node *node = th->data;
	struct event *e = &node->events[node->n_events];

	ck_assert_uint_lt(node->n_events++, MAX_EVENTS);
	*e = (struct event){.conn = conn, .remote = *remote, .event = event, .err = err};
	if (local)
		e->local = *local;
	if (node->close_at_once)
		ops->conn_close(node->self, conn);
	if (node->stop_at_once)
		ops->stop(node->self);
}

static void node_open(struct node *node, const char *const *options)
{
	*node = (struct node){.th = test_host_new(plugin, 2, options)};
	node->th->on_conn = on_conn;
	node->th->data = node;
	ck_assert_int_eq(ops->create(&node->th->host, &node->self), 0);
}

static void node_start(struct node *node, const char *const *options)
{
	int err;

	node_open(node, options);
	err = ops->start(node->self, 2);
	ck_assert_msg(err == 0, "start: %s: %s", strerror(-err), test_host_log(node->th));
}

static void node_close(struct node *node)
{
	ops->stop(node->self);
	ops->destroy(node->self);
	test_host_free(node->th);
}

/* Turns the control thread until the node has n events. */
static void wait_events(struct node *node, uint32_t n)
{
	for (int i = 0; i < 200 && node->n_events < n; i++)
		(void)test_host_run(node->th, 20);
	ck_assert_uint_eq(node->n_events, n);
}

/* Nothing more comes. */
static void assert_quiet(struct node *node)
{
	uint32_t n = node->n_events;

	for (int i = 0; i < 5; i++)
		(void)test_host_run(node->th, 10);
	ck_assert_uint_eq(node->n_events, n);
}

static struct ela_addr addr_of(const char *ip, uint16_t port)
{
	struct ela_addr addr = {.port = port, .family = strchr(ip, ':') ? ELA_ADDR_IP6 : ELA_ADDR_IP4};

	ck_assert_int_eq(inet_pton(addr.family == ELA_ADDR_IP6 ? AF_INET6 : AF_INET, ip, addr.ip), 1);
	return addr;
}

static struct ela_addr loopback(int i, uint16_t port)
{
	return addr_of(i ? "::1" : "127.0.0.1", port);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir); /* was only read */
	return n;
}

static const char *const options_a[] = {"port=7451", NULL};

/* A connection of two instances: *ret_a opened it, *ret_b accepted it. */
static void join(struct node *a, struct node *b, int i, void **ret_a, void **ret_b)
{
	struct ela_addr remote = loopback(i, PORT);

	ck_assert_int_eq(ops->connect(a->self, &remote, ret_a), 0);
	ck_assert_uint_eq(a->n_events, 0);
	wait_events(a, 1);
	wait_events(b, 1);
	ck_assert_uint_eq(a->events[0].event, ELA_CONN_OPEN);
	ck_assert_uint_eq(b->events[0].event, ELA_CONN_ACCEPTED);
	ck_assert_ptr_eq(a->events[0].conn, *ret_a);
	*ret_b = b->events[0].conn;
}

static void read_exactly(void *self, void *conn, uint8_t *buf, uint32_t len)
{
	for (uint32_t got = 0; got < len;) {
		struct pollfd fd = {.fd = ops->conn_fd(self, conn), .events = POLLIN};
		int err = 0, n = ops->conn_read(self, conn, buf + got, len - got, &err);

		ck_assert_int_ge(n, 0);
		got += (uint32_t)n;
		if (n > 0)
			continue;
		ck_assert_int_eq(err, -EAGAIN);
		ck_assert_int_eq(poll(&fd, 1, 2000), 1);
	}
}

/* The counter of one owner alone. */
static uint64_t counter_of(struct node *node, uint32_t lane, const char *name)
{
	for (uint32_t k = 0; k < plugin->n_counters; k++)
		if (strcmp(plugin->counters[k], name) == 0)
			return node->th->host.counters(&node->th->host, lane)[k];
	ck_abort_msg("no counter %s", name);
}

START_TEST(test_info)
{
	struct ela_transport_info info;
	struct node a;

	node_start(&a, NULL);
	ops->info(a.self, &info);
	ck_assert_uint_eq(info.caps, ELA_TRANSPORT_STREAM | ELA_TRANSPORT_IP);
	ck_assert_uint_eq(info.overhead4, 40);
	ck_assert_uint_eq(info.overhead6, 60);
	ck_assert_uint_eq(info.max_datagram, 0);
	ck_assert_uint_eq(info.port, PORT);
	node_close(&a);
}
END_TEST

/* The whole life: open, accepted, the handshake on control, then a lane each; both sides see the same two addresses. */
START_TEST(test_life)
{
	struct ela_addr wanted = loopback(_i, PORT);
	struct iovec iov[2] = {{(void *)(uintptr_t) "hello ", 6}, {(void *)(uintptr_t) "world", 5}};
	struct node a, b;
	void *conn_a, *conn_b;
	uint8_t buf[11];
	int err = 0;

	node_start(&a, options_a);
	node_start(&b, NULL);
	join(&a, &b, _i, &conn_a, &conn_b);
	ck_assert_mem_eq(&a.events[0].remote, &wanted, sizeof wanted);
	ck_assert_mem_eq(&b.events[0].local, &wanted, sizeof wanted);
	ck_assert_mem_eq(&a.events[0].local, &b.events[0].remote, sizeof wanted);
	ck_assert_int_eq(a.events[0].err, 0);
	for (uint32_t lane = 0; lane < 3; lane++) {
		ck_assert_int_eq(ops->conn_read(b.self, conn_b, buf, sizeof buf, &err), 0);
		ck_assert_int_eq(err, -EAGAIN);
		ck_assert_int_eq(ops->conn_write(a.self, conn_a, iov, 2, &err), 11);
		read_exactly(b.self, conn_b, buf, sizeof buf);
		ck_assert_mem_eq(buf, "hello world", 11);
		ck_assert_int_eq(ops->conn_attach(a.self, conn_a, lane), lane < 2 ? 0 : -EINVAL);
		ck_assert_int_eq(ops->conn_attach(b.self, conn_b, lane), lane < 2 ? 0 : -EINVAL);
	}
	ck_assert_uint_eq(test_host_counter(a.th, "connects"), 1);
	ck_assert_uint_eq(test_host_counter(a.th, "tx-bytes"), 33);
	ck_assert_uint_eq(test_host_counter(b.th, "accepts"), 1);
	ck_assert_uint_eq(test_host_counter(b.th, "rx-bytes"), 33);
	ck_assert_uint_eq(counter_of(&a, ELA_LANE_CONTROL, "tx-bytes"), 11);
	ck_assert_uint_eq(counter_of(&a, 0, "tx-bytes"), 11);
	ck_assert_uint_eq(counter_of(&a, 1, "tx-bytes"), 11);
	ops->conn_close(a.self, conn_a);
	while (ops->conn_read(b.self, conn_b, buf, sizeof buf, &err) == 0 && err == -EAGAIN)
		;
	ck_assert_int_eq(err, -EPIPE);
	ops->conn_close(b.self, conn_b);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* What is written is a piece of the bytes, told exactly; the reader takes them in small, late bites. */
START_TEST(test_partial)
{
	enum { TOTAL = 8 * 1024 * 1024 };
	uint8_t *out = malloc(TOTAL), *in = malloc(TOTAL);
	unsigned seed = (unsigned)time(NULL);
	uint32_t written = 0, got = 0, partial = 0;
	struct node a, b;
	void *conn_a, *conn_b;

	ck_assert(out && in);
	for (uint32_t k = 0; k < TOTAL; k++)
		out[k] = (uint8_t)rand_r(&seed);
	node_start(&a, options_a);
	node_start(&b, NULL);
	join(&a, &b, _i, &conn_a, &conn_b);
	while (got < TOTAL) {
		struct pollfd fd = {.fd = ops->conn_fd(b.self, conn_b), .events = POLLIN};
		uint32_t half = (TOTAL - written) / 2;
		struct iovec iov[3] = {{out + written, half}, {out, 0}, {out + written + half, TOTAL - written - half}};
		int err = 0, n = ops->conn_write(a.self, conn_a, iov, 3, &err);

		ck_assert_int_ge(n, 0);
		written += (uint32_t)n;
		ck_assert_int_eq(err, written < TOTAL ? -EAGAIN : 0);
		partial += n > 0 && written < TOTAL;
		ck_assert_msg(poll(&fd, 1, 2000) == 1, "%u written, %u read", written, got);
		n = ops->conn_read(b.self, conn_b, in + got, 1 + (uint32_t)rand_r(&seed) % 20000, &err);
		ck_assert_int_gt(n, 0);
		got += (uint32_t)n;
	}
	ck_assert_mem_eq(in, out, TOTAL);
	ck_assert_uint_gt(partial, 10);
	ck_assert_uint_eq(test_host_counter(a.th, "tx-bytes"), TOTAL);
	ck_assert_uint_eq(test_host_counter(b.th, "rx-bytes"), TOTAL);
	ops->conn_close(a.self, conn_a);
	ops->conn_close(b.self, conn_b);
	node_close(&a);
	node_close(&b);
	free(out);
	free(in);
}
END_TEST

/* More pieces than one call of the kernel takes: some are left for later, none are lost. */
START_TEST(test_many_pieces)
{
	enum { N = 1500 };
	static struct iovec iov[N];
	static uint8_t out[N], in[N];
	struct node a, b;
	void *conn_a, *conn_b;
	int err = 0, n;

	for (int k = 0; k < N; k++) {
		out[k] = (uint8_t)k;
		iov[k] = (struct iovec){&out[k], 1};
	}
	node_start(&a, options_a);
	node_start(&b, NULL);
	join(&a, &b, _i, &conn_a, &conn_b);
	n = ops->conn_write(a.self, conn_a, iov, N, &err);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, N);
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_int_eq(ops->conn_write(a.self, conn_a, iov + n, (uint32_t)(N - n), &err), N - n);
	read_exactly(b.self, conn_b, in, N);
	ck_assert_mem_eq(in, out, N);
	ops->conn_close(a.self, conn_a);
	ops->conn_close(b.self, conn_b);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* A connection that failed is told, later, with its reason; core closes it, within the event or after. */
static void check_failure(const struct ela_addr *remote, int err, bool at_once)
{
	struct node a;
	void *conn = NULL;
	int n_fds;

	node_start(&a, NULL);
	a.close_at_once = at_once;
	n_fds = count_fds();
	ck_assert_int_eq(ops->connect(a.self, remote, &conn), 0);
	ck_assert_ptr_nonnull(conn);
	ck_assert_uint_eq(a.n_events, 0);
	wait_events(&a, 1);
	ck_assert_uint_eq(a.events[0].event, ELA_CONN_CLOSED);
	ck_assert_int_eq(a.events[0].err, err);
	ck_assert_ptr_eq(a.events[0].conn, conn);
	ck_assert_mem_eq(&a.events[0].remote, remote, sizeof *remote);
	assert_quiet(&a);
	if (!at_once)
		ops->conn_close(a.self, conn);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_uint_eq(test_host_counter(a.th, "connect-failed"), 1);
	node_close(&a);
}

START_TEST(test_refused)
{
	struct ela_addr closed = loopback(_i, 9);

	check_failure(&closed, -ECONNREFUSED, true);
	check_failure(&closed, -ECONNREFUSED, false);
}
END_TEST

START_TEST(test_unreachable)
{
	struct ela_addr nowhere = addr_of(_i ? "2001:db8::1" : "192.0.2.1", PORT);

	check_failure(&nowhere, -ENETUNREACH, true);
}
END_TEST

/* With one port to choose from, the kernel lets a socket call itself; that is nobody. */
START_TEST(test_self_connect)
{
	static const char range[] = "40000 40000";
	struct ela_addr remote = loopback(_i, 40000);
	int fd;

	test_netns_enter();
	fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, range, sizeof range - 1), sizeof range - 1);
	(void)close(fd); /* written */
	check_failure(&remote, -ECONNREFUSED, true);
}
END_TEST

START_TEST(test_bad_address)
{
	struct ela_addr none = {.family = ELA_ADDR_NONE, .port = 1}, other = {.family = ELA_ADDR_OTHER, .port = 1};
	struct ela_addr no_port = loopback(0, 0);
	void *conn = &none;
	struct node a;
	int n_fds;

	node_start(&a, NULL);
	n_fds = count_fds();
	ck_assert_int_eq(ops->connect(a.self, &none, &conn), -EINVAL);
	ck_assert_int_eq(ops->connect(a.self, &other, &conn), -EINVAL);
	ck_assert_int_eq(ops->connect(a.self, &no_port, &conn), -EINVAL);
	ck_assert_ptr_eq(conn, &none);
	ck_assert_int_eq(count_fds(), n_fds);
	node_close(&a);
}
END_TEST

/*
 * A connect() that gets no answer, to a neighbour that is not there: closed by core, or by stop() and closed by core
 * then, or left to destroy().
 */
START_TEST(test_close_pending)
{
	struct ela_addr remote = addr_of("10.99.0.2", PORT);
	struct node a;
	void *conn[3];
	int n_fds, tap;

	test_netns_enter();
	tap = test_netns_tap("tap0", "10.99.0.1", "255.255.255.0");
	node_start(&a, NULL);
	n_fds = count_fds();
	for (int k = 0; k < 3; k++)
		ck_assert_int_eq(ops->connect(a.self, &remote, &conn[k]), 0);
	ck_assert_int_eq(count_fds(), n_fds + 3);
	assert_quiet(&a);
	ck_assert_int_eq(ops->conn_attach(a.self, conn[1], 0), -EINVAL);
	ops->conn_close(a.self, conn[1]);
	ck_assert_int_eq(count_fds(), n_fds + 2);
	assert_quiet(&a);
	ops->stop(a.self);
	ck_assert_int_eq(count_fds(), n_fds - 2);
	assert_quiet(&a);
	for (int k = 0; k < 4; k++) /* takes the numbers that were free, which are nobody else's to close now */
		ck_assert_int_ge(dup(tap), 0);
	ops->conn_close(a.self, conn[0]);
	ck_assert_int_eq(count_fds(), n_fds - 2 + 4);
	ck_assert_uint_eq(a.n_events, 0);
	node_close(&a);
	(void)close(tap); /* the namespace goes with the process anyway */
}
END_TEST

/* The other side of a connection as a plain socket. */
static int client(int i)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(i ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	if (i)
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&in6, sizeof in6), 0);
	else
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&in4, sizeof in4), 0);
	return fd;
}

/* A reset is the connection's end for reading and for writing, and no signal. */
START_TEST(test_reset)
{
	struct iovec iov = {(void *)(uintptr_t) "x", 1};
	const struct linger linger = {.l_onoff = 1};
	struct node b;
	uint8_t byte;
	int err = 0;

	node_start(&b, NULL);
	for (int writing = 0; writing < 2; writing++) {
		int fd = client(_i);
		void *conn;

		wait_events(&b, (uint32_t)writing + 1);
		conn = b.events[writing].conn;
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
		(void)close(fd); /* this is the reset */
		for (int again = 0; again < 2; again++) {
			err = 0;
			if (writing)
				ck_assert_int_eq(ops->conn_write(b.self, conn, &iov, 1, &err), 0);
			else
				ck_assert_int_eq(ops->conn_read(b.self, conn, &byte, 1, &err), 0);
			ck_assert_int_eq(err, -EPIPE);
		}
		ops->conn_close(b.self, conn);
	}
	ck_assert_uint_ge(test_host_counter(b.th, "broken"), 3);
	node_close(&b);
}
END_TEST

/* A crowd comes in, in more than one turn of the loop; core sends each away from within the event. */
START_TEST(test_crowd)
{
	enum { N = 50 };
	struct node b;
	int fds[N], n_fds;

	node_start(&b, NULL);
	b.close_at_once = true;
	for (int k = 0; k < N; k++)
		fds[k] = client(_i);
	n_fds = count_fds();
	ck_assert(test_host_run(b.th, 1000));
	ck_assert_uint_lt(b.n_events, N);
	wait_events(&b, N);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_uint_eq(test_host_counter(b.th, "accepts"), N);
	for (int k = 0; k < N; k++)
		(void)close(fds[k]); /* a test's own */
	node_close(&b);
}
END_TEST

/* stop() from within the event: what else waits is not touched any more. */
START_TEST(test_stop_in_event)
{
	struct node b;
	int fds[3];

	node_start(&b, NULL);
	b.stop_at_once = true;
	for (int k = 0; k < 3; k++)
		fds[k] = client(_i);
	wait_events(&b, 1);
	assert_quiet(&b);
	ops->conn_close(b.self, b.events[0].conn);
	for (int k = 0; k < 3; k++)
		(void)close(fds[k]); /* a test's own */
	node_close(&b);
}
END_TEST

/* No descriptor left: accepting rests instead of turning, says so, and goes on when there is one again. */
START_TEST(test_no_descriptors)
{
	struct rlimit limit, old;
	struct node b;
	int fd, turns = 0;
	uint64_t until;

	node_start(&b, NULL);
	fd = client(_i);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)dup(fd); /* the lowest free one */
	(void)close((int)limit.rlim_cur); /* a test's own */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	until = b.th->host.now_ns(&b.th->host) + 700000000u;
	while (b.th->host.now_ns(&b.th->host) < until)
		turns += test_host_run(b.th, 50);
	ck_assert_uint_eq(b.n_events, 0);
	ck_assert_uint_ge(test_host_counter(b.th, "accept-pauses"), 2);
	ck_assert_uint_le(test_host_counter(b.th, "accept-pauses"), 4);
	ck_assert_int_le(turns, 10);
	ck_assert_ptr_nonnull(strstr(test_host_log(b.th), "W tcp: cannot accept connections: Too many open files"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	wait_events(&b, 1);
	ck_assert_uint_eq(b.events[0].event, ELA_CONN_ACCEPTED);
	ops->conn_close(b.self, b.events[0].conn);
	(void)close(fd); /* a test's own */
	node_close(&b);
}
END_TEST

/* _i = 0: the other one listens on all addresses; 1: on one of the same. */
START_TEST(test_port_in_use)
{
	const char *const options[] = {_i ? "listen=127.0.0.1, ::1" : "listen=0.0.0.0, ::", NULL};
	struct node first, second;
	int n_fds;

	node_start(&first, NULL);
	node_open(&second, options);
	n_fds = count_fds();
	ck_assert_int_eq(ops->start(second.self, 2), -EADDRINUSE);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_msg(strstr(test_host_log(second.th), _i ? "127.0.0.1:7450" : "0.0.0.0:7450") &&
					  strstr(test_host_log(second.th), "already in use") &&
					  strstr(test_host_log(second.th), "ss -lntp") &&
					  strstr(test_host_log(second.th), "another port in [transport-tcp]"),
		"log: %s", test_host_log(second.th));
	ops->stop(first.self);
	ops->stop(first.self);
	ck_assert_int_eq(ops->start(second.self, 2), 0);
	node_close(&first);
	node_close(&second);
}
END_TEST

/* The second address fails: the first listener is closed again. */
START_TEST(test_no_such_address)
{
	const char *const options[] = {"listen=127.0.0.1, 192.0.2.7", NULL};
	struct node a;
	int n_fds;

	node_open(&a, options);
	n_fds = count_fds();
	ck_assert_int_eq(ops->start(a.self, 2), -EADDRNOTAVAIL);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "192.0.2.7:7450: this machine has no such address"));
	node_close(&a);
}
END_TEST

/* A connection that we closed lingers in TIME_WAIT; that keeps no new listener out. */
START_TEST(test_restart)
{
	struct node b;
	uint8_t byte;
	int fd;

	node_start(&b, NULL);
	fd = client(_i);
	wait_events(&b, 1);
	ops->conn_close(b.self, b.events[0].conn);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
	(void)close(fd); /* makes the other side TIME_WAIT */
	ops->stop(b.self);
	ck_assert_int_eq(ops->start(b.self, 2), 0);
	fd = client(_i);
	wait_events(&b, 2);
	ops->conn_close(b.self, b.events[1].conn);
	(void)close(fd); /* a test's own */
	node_close(&b);
}
END_TEST

/* The kernel without IPv6: the default does with IPv4, a :: that was asked for is an error. */
START_TEST(test_no_ipv6)
{
	const char *const asked[] = {"listen=0.0.0.0, ::", NULL};
	struct node a;
	int n_fds;

	test_netns_hide_ipv6();
	n_fds = count_fds();
	node_start(&a, NULL);
	ck_assert_int_eq(count_fds(), n_fds + 1);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "this machine has no IPv6"));
	node_close(&a);
	node_open(&a, asked);
	ck_assert_int_eq(ops->start(a.self, 2), -EAFNOSUPPORT);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "kernel has no IPv6; take the address out of listen"));
	node_close(&a);
}
END_TEST

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void check_options(int fd, const char *congestion, int user_timeout_ms, int notsent_lowat)
{
	char name[16] = "";
	socklen_t len = sizeof name;

	ck_assert_int_eq(get(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), notsent_lowat);
	ck_assert_int_eq(get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), user_timeout_ms);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	if (congestion)
		ck_assert_str_eq(name, congestion);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* On the connection that was opened and on the one that was accepted, each by its own node's options. */
START_TEST(test_socket_options)
{
	const char *const options[] = {"congestion=reno", "user-timeout=7s", "notsent-lowat=64k", NULL};
	struct node a, b;
	void *conn_a, *conn_b;

	node_start(&a, options_a);
	node_start(&b, options);
	join(&a, &b, _i, &conn_a, &conn_b);
	check_options(ops->conn_fd(a.self, conn_a), NULL, 30000, 128 * 1024);
	check_options(ops->conn_fd(b.self, conn_b), "reno", 7000, 64 * 1024);
	ops->conn_close(a.self, conn_a);
	ops->conn_close(b.self, conn_b);
	node_close(&a);
	node_close(&b);
	node_start(&a, NULL);
	node_open(&b, (const char *const[]){"port=7451", "congestion=reno", NULL});
	ck_assert_int_eq(ops->start(b.self, 2), 0);
	join(&b, &a, _i, &conn_b, &conn_a);
	check_options(ops->conn_fd(b.self, conn_b), "reno", 30000, 128 * 1024);
	ops->conn_close(a.self, conn_a);
	ops->conn_close(b.self, conn_b);
	node_close(&a);
	node_close(&b);
}
END_TEST

START_TEST(test_bad_congestion)
{
	const char *const options[] = {"congestion=warp9", NULL};
	struct node a;
	int n_fds;

	node_open(&a, options);
	n_fds = count_fds();
	ck_assert_int_lt(ops->start(a.self, 2), 0);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "[transport-tcp] congestion: \"warp9\" is not in this kernel"));
	node_close(&a);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const both[] = {test_life, test_partial, test_many_pieces, test_refused, test_unreachable,
		test_self_connect, test_reset, test_crowd, test_stop_in_event, test_no_descriptors, test_port_in_use,
		test_restart, test_socket_options};
	const TTest *const once[] = {
		test_info, test_bad_address, test_close_pending, test_no_such_address, test_no_ipv6, test_bad_congestion};
	Suite *suite = suite_create("transport-tcp");
	TCase *tcase = tcase_create("loopback");

	tcase_set_timeout(tcase, 60);
	for (size_t k = 0; k < sizeof both / sizeof *both; k++)
		tcase_add_loop_test(tcase, both[k], 0, 2);
	for (size_t k = 0; k < sizeof once / sizeof *once; k++)
		tcase_add_test(tcase, once[k]);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner;
	int failed;

	plugin = test_plugin_load(TEST_PLUGIN);
	ops = plugin->ops;
	test_netns_enter();
	runner = srunner_create(suite());
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
