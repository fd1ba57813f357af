/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: the tests of connections: both ends told, bytes whole and in order through partial writes, the end seen,
 * lanes. The accepting end is an instance of its own.
 */
#include "transport.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_NS (5 * CHECK_SEC)

/* Two ends of one connection. */
struct pair {
	struct check_end_point a, b;
	void *from_a, *at_b;
};

static bool has_event(void *data)
{
	const struct check_host *h = data;

	return h->n_events > 0;
}

/* Waits for a connection's event on one host while the other's loop goes on as well. */
static struct check_conn_event next_event(struct check_run *run, struct check_host *h, struct check_host *also)
{
	struct check_conn_event event;

	for (uint32_t i = 0; !has_event(h); i++) {
		(void)check_host_run(h, 10 * CHECK_MSEC, has_event, h);
		if (also)
			(void)check_host_run(also, CHECK_MSEC, NULL, NULL);
		if (i > WAIT_NS / (10 * CHECK_MSEC))
			check_fail(run, "one", "no event of a connection after 5 s");
	}
	event = h->events[0];
	h->n_events--;
	memmove(&h->events[0], &h->events[1], h->n_events * sizeof h->events[0]);
	return event;
}

static void connect_pair(struct check_run *run, struct pair *pair)
{
	struct check_conn_event event;
	void *conn = NULL;

	check_err(run, "connect()", run->plugin->transport.connect(pair->a.instance.self, &pair->b.addr, &conn), 0);
	check_true(run, conn != NULL, "connect() = 0 without a connection", "one");
	check_equal(run, "events from inside connect()", pair->a.instance.h->n_events, 0);
	event = next_event(run, pair->a.instance.h, pair->b.instance.h);
	check_equal(run, "event of connect()", event.event, ELA_CONN_OPEN);
	check_err(run, "err of OPEN", event.err, 0);
	check_true(run, event.conn == conn, "OPEN for another connection", "the one that connect() returned");
	check_true(run, memcmp(&event.remote, &pair->b.addr, sizeof event.remote) == 0, "OPEN with another remote address",
		"the one that was called");
	event = next_event(run, pair->b.instance.h, pair->a.instance.h);
	check_equal(run, "event at the listener", event.event, ELA_CONN_ACCEPTED);
	check_true(
		run, event.remote.family == ELA_ADDR_IP4 && event.remote.ip[0] == 127, "another caller's address", "127.0.0.1");
	pair->from_a = conn;
	pair->at_b = event.conn;
}

static struct pair pair_new(struct check_run *run, uint32_t n_lanes)
{
	struct pair pair;

	memset(&pair, 0, sizeof pair);
	pair.a = check_start(run, n_lanes, ELA_TRANSPORT_STREAM);
	pair.b = check_start(run, n_lanes, ELA_TRANSPORT_STREAM);
	connect_pair(run, &pair);
	return pair;
}

static void pair_free(struct check_run *run, struct pair *pair)
{
	if (pair->from_a)
		run->plugin->transport.conn_close(pair->a.instance.self, pair->from_a);
	if (pair->at_b)
		run->plugin->transport.conn_close(pair->b.instance.self, pair->at_b);
	check_stop(run, &pair->a);
	check_stop(run, &pair->b);
}

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 2654435761u >> 16);
}

/* One way of a connection. */
struct flow {
	struct check_run *run;
	void *from_self, *from, *to_self, *to;
	uint64_t sent, got, total;
	uint32_t partial;
};

/* Waits for one event of a connection's descriptor, which has to be told truly; without one it is asked again. */
static void wait_conn(struct flow *flow, void *self, void *conn, short events)
{
	struct pollfd fd = {.fd = flow->run->plugin->transport.conn_fd(self, conn), .events = events};

	if (fd.fd < 0)
		check_wait(-1, 1);
	else if (poll(&fd, 1, 5000) == 0)
		check_fail(
			flow->run, "a descriptor that is ready", "none %s for 5 s", events == POLLIN ? "readable" : "writable");
}

/* Writes one piece as a gather list; the bytes are spoilt after, for they were borrowed. False: no room. */
static bool write_some(struct flow *flow)
{
	uint32_t len = (uint32_t)(flow->total - flow->sent < 10000 ? flow->total - flow->sent : 10000);
	uint8_t bytes[10000];
	struct iovec iov[3] = {
		{bytes, len / 7}, {bytes + len / 7, len / 2}, {bytes + len / 7 + len / 2, len - len / 7 - len / 2}};
	int err = 1, n;

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = byte_at(flow->sent + i);
	n = flow->run->plugin->transport.conn_write(flow->from_self, flow->from, iov, 3, &err);
	memset(bytes, 0xee, len);
	if (n < 0 || (uint32_t)n > len)
		check_fail(flow->run, "0..what was asked", "conn_write() = %d of %u", n, len);
	if ((uint32_t)n < len) {
		check_err(flow->run, "*ret_err of a partial conn_write()", err, -EAGAIN);
		flow->partial++;
	}
	flow->sent += (uint64_t)n;
	return (uint32_t)n == len;
}

static bool read_some(struct flow *flow, uint32_t most)
{
	uint8_t bytes[16384];
	int err = 1, n = flow->run->plugin->transport.conn_read(flow->to_self, flow->to, bytes, most, &err);

	if (n < 0 || (uint32_t)n > most)
		check_fail(flow->run, "0..what was asked", "conn_read() = %d of %u", n, most);
	if (n == 0)
		check_err(flow->run, "*ret_err of conn_read() = 0", err, -EAGAIN);
	for (int i = 0; i < n; i++)
		if (bytes[i] != byte_at(flow->got + (uint64_t)i))
			check_fail(flow->run, "the bytes that were written, in order", "another byte at %llu",
				(unsigned long long)(flow->got + (uint64_t)i));
	flow->got += (uint64_t)n;
	return n > 0;
}

/* Fills the connection until nothing more fits, then empties it: partial writes, readiness, every byte. */
static void run_flow(struct check_run *run, void *from_self, void *from, void *to_self, void *to)
{
	struct flow flow = {
		.run = run, .from_self = from_self, .from = from, .to_self = to_self, .to = to, .total = 64 << 20};

	while (write_some(&flow))
		continue; /* nobody reads */
	if (!flow.partial || flow.sent >= flow.total)
		check_fail(run, "-EAGAIN when it is full", "no partial write in 64 MiB that nobody reads");
	flow.total = flow.sent + 300000;
	while (flow.got < flow.total) {
		if (flow.sent < flow.total && !write_some(&flow)) {
			while (read_some(&flow, 16384))
				continue;
			wait_conn(&flow, from_self, from, POLLOUT);
		} else if (!read_some(&flow, flow.got % 3 ? 1000 : 7)) {
			if (flow.sent == flow.total)
				wait_conn(&flow, to_self, to, POLLIN);
		}
	}
	check_true(run, !read_some(&flow, 100), "more bytes than were written", "none");
}

static void test_both_ways(struct check_run *run)
{
	struct pair pair = pair_new(run, 1);

	run_flow(run, pair.a.instance.self, pair.from_a, pair.b.instance.self, pair.at_b);
	run_flow(run, pair.b.instance.self, pair.at_b, pair.a.instance.self, pair.from_a);
	pair_free(run, &pair);
}

/* Reads until the end shows. */
static void read_end(struct check_run *run, void *self, void *conn, uint32_t wanted)
{
	uint8_t bytes[64];
	uint32_t got = 0;

	for (uint32_t tries = 0;; tries++) {
		int err = 1, n = run->plugin->transport.conn_read(self, conn, bytes, sizeof bytes, &err);

		got += (uint32_t)n;
		if (n == 0 && err == -EPIPE)
			break;
		if (n == 0)
			check_err(run, "*ret_err of conn_read() = 0", err, -EAGAIN);
		if (tries > 3000)
			check_fail(run, "-EPIPE", "no end after the other side closed");
		if (n == 0)
			check_wait(-1, 1);
	}
	check_equal(run, "bytes before the end", got, wanted);
}

static void test_close(struct check_run *run)
{
	struct pair pair = pair_new(run, 1);
	char hello[] = "hello";
	struct iovec iov = {hello, 5};
	uint32_t tries = 0;
	int err = 1;

	check_equal(
		run, "conn_write()", run->plugin->transport.conn_write(pair.a.instance.self, pair.from_a, &iov, 1, &err), 5);
	run->plugin->transport.conn_close(pair.a.instance.self, pair.from_a);
	pair.from_a = NULL;
	read_end(run, pair.b.instance.self, pair.at_b, 5);
	/* The first write may still be taken, as by TCP; then the end shows there as well. */
	do {
		err = 1;
		(void)run->plugin->transport.conn_write(pair.b.instance.self, pair.at_b, &iov, 1, &err);
		check_wait(-1, 1);
	} while (err != -EPIPE && ++tries < 3000);
	check_err(run, "*ret_err of conn_write() to a closed connection", err, -EPIPE);
	pair_free(run, &pair);
}

static void test_refused(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_STREAM);
	struct ela_addr nobody = check_loopback(check_free_port(run)), none = {0};
	struct check_conn_event event;
	void *untouched = &a, *conn = untouched;
	int err = run->plugin->transport.connect(a.instance.self, &nobody, &conn);

	if (!err) {
		event = next_event(run, a.instance.h, NULL);
		check_equal(run, "event of a refused connect()", event.event, ELA_CONN_CLOSED);
		check_true(run, event.err < 0, "CLOSED without an error", "a negative errno");
		check_true(run, event.conn == conn, "CLOSED for another connection", "the one that connect() returned");
		run->plugin->transport.conn_close(a.instance.self, conn);
	}
	conn = untouched;
	check_true(run, run->plugin->transport.connect(a.instance.self, &none, &conn) < 0, "connect() to no address = 0",
		"an error");
	check_true(run, conn == untouched, "*ret_conn changed by a connect() that failed", "it untouched");
	check_stop(run, &a);
}

/* Given up before it was open, and before its listener was told. */
static void test_hang_up(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_STREAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_STREAM);
	void *conn = NULL;

	for (uint32_t i = 0; i < 20; i++) {
		check_err(run, "connect()", run->plugin->transport.connect(a.instance.self, &b.addr, &conn), 0);
		run->plugin->transport.conn_close(a.instance.self, conn);
	}
	(void)check_host_run(a.instance.h, 50 * CHECK_MSEC, NULL, NULL);
	(void)check_host_run(b.instance.h, 50 * CHECK_MSEC, NULL, NULL);
	check_equal(run, "events of connections that were closed", a.instance.h->n_events, 0);
	while (b.instance.h->n_events) {
		struct check_conn_event event = next_event(run, b.instance.h, NULL);

		read_end(run, b.instance.self, event.conn, 0);
		run->plugin->transport.conn_close(b.instance.self, event.conn);
	}
	check_stop(run, &a);
	check_stop(run, &b);
}

static void test_many(struct check_run *run)
{
	struct pair pairs[10];
	uint32_t fds;

	memset(pairs, 0, sizeof pairs);
	pairs[0] = pair_new(run, 1);
	fds = check_count_fds();
	for (uint32_t i = 1; i < 10; i++) {
		pairs[i] = pairs[0];
		connect_pair(run, &pairs[i]);
		check_true(run, pairs[i].from_a != pairs[i - 1].from_a && pairs[i].at_b != pairs[i - 1].at_b,
			"one connection twice", "two");
	}
	for (uint32_t i = 1; i < 10; i++) {
		run->plugin->transport.conn_close(pairs[i].b.instance.self, pairs[i].at_b);
		read_end(run, pairs[i].a.instance.self, pairs[i].from_a, 0);
		run->plugin->transport.conn_close(pairs[i].a.instance.self, pairs[i].from_a);
	}
	check_true(run, check_count_fds() <= fds, "more descriptors after conn_close() than before", "as many");
	run_flow(run, pairs[0].a.instance.self, pairs[0].from_a, pairs[0].b.instance.self, pairs[0].at_b);
	pair_free(run, &pairs[0]);
}

/* A lane with a connection of its own. */
struct stream_lane {
	struct check_run *run;
	struct pair *pair;
};

static void *stream_lane(void *data)
{
	struct stream_lane *lane = data;
	struct pair *pair = lane->pair;

	run_flow(lane->run, pair->a.instance.self, pair->from_a, pair->b.instance.self, pair->at_b);
	lane->run->plugin->transport.conn_close(pair->a.instance.self, pair->from_a);
	lane->run->plugin->transport.conn_close(pair->b.instance.self, pair->at_b);
	return NULL;
}

static void test_stream_lanes(struct check_run *run)
{
	struct pair pairs[2];
	struct stream_lane lanes[2];
	pthread_t threads[2];

	pairs[0] = pair_new(run, 2);
	pairs[1] = pairs[0];
	connect_pair(run, &pairs[1]);
	for (uint32_t i = 0; i < 2; i++) {
		check_err(
			run, "conn_attach()", run->plugin->transport.conn_attach(pairs[i].a.instance.self, pairs[i].from_a, i), 0);
		check_err(
			run, "conn_attach()", run->plugin->transport.conn_attach(pairs[i].b.instance.self, pairs[i].at_b, i), 0);
		lanes[i] = (struct stream_lane){run, &pairs[i]};
		if (pthread_create(&threads[i], NULL, stream_lane, &lanes[i]) != 0)
			check_fail(run, "threads", "none");
	}
	for (uint32_t i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL); /* made above */
	pairs[0].from_a = pairs[0].at_b = NULL;   /* closed by their lanes */
	pair_free(run, &pairs[0]);
}

const struct check_test check_stream_tests[] = {
	{"stream-both-ways", test_both_ways},
	{"stream-close", test_close},
	{"stream-refused", test_refused},
	{"stream-hang-up", test_hang_up},
	{"stream-many", test_many},
	{"stream-lanes", test_stream_lanes},
	{NULL, NULL},
};
