/* SPDX-License-Identifier: Apache-2.0 */
/* transport-udp: what the kernel refuses or drops, and what core is told. Every refusal is the kernel's own. */
#include "test-udp-node.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A local address that is not ours (any more) is told as that, for trains and single datagrams, and costs no offload.
 */
START_TEST(test_local_gone)
{
	static uint8_t bytes[3000];
	struct ela_path good = path_b(_i), gone = path_b(_i);
	const char *const options[] = {"port=7451", NULL};
	struct node a, b;

	gone.local = addr_of(_i ? "2001:db8::7" : "192.0.2.7", 7451);
	node_start(&a, 1, options);
	node_start(&b, 1, options_b[_i]);
	for (uint32_t segment = 0; segment <= 1000; segment += 1000) {
		struct ela_send sends[3] = {{.data = bytes, .len = sizeof bytes, .segment = segment, .path = &good},
			{.data = bytes, .len = sizeof bytes, .segment = segment, .path = &gone},
			{.data = bytes, .len = sizeof bytes, .segment = segment, .path = &good}};
		int err = 0;

		ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends, 3, &err), 1);
		ck_assert_int_eq(err, -EADDRNOTAVAIL);
		ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends + 1, 2, &err), 0);
		sends[1].path = &good;
		send_all(&a, sends + 1, 2);
		ck_assert_uint_eq(read_bytes(&b, 3 * sizeof bytes), 3);
	}
	ck_assert_uint_eq(counter(&a, "tx-local-gone"), 4);
	ck_assert_uint_eq(counter(&a, "gso-lost"), 0);
	ck_assert_uint_gt(max_segments(&a), 1);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 6);
	node_close(&a);
	node_close(&b);
}
END_TEST

/*
 * The kernel refuses UDP_SEGMENT with EINVAL on a socket that sends no checksums: a real refusal at run time. Nothing
 * of the train is lost, the socket goes on without the offload and info() says so.
 */
START_TEST(test_gso_lost)
{
	static uint8_t bytes[20 * 1000 + 10];
	struct ela_path path = path_b(_i);
	struct ela_send sends[2] = {{.data = bytes, .len = 500, .path = &path},
		{.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &path}};
	struct node a, b;
	int one = 1;

	fill_random(bytes, sizeof bytes, 4);
	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	if (_i == 0)
		ck_assert_int_eq(setsockopt(udp_ops()->lane_fd(a.self, 0, 0), SOL_SOCKET, SO_NO_CHECK, &one, sizeof one), 0);
	else
		ck_assert_int_eq(
			setsockopt(udp_ops()->lane_fd(a.self, 0, 0), IPPROTO_UDP, UDP_NO_CHECK6_TX, &one, sizeof one), 0);
	if (_i == 1)
		ck_assert_int_eq(
			setsockopt(udp_ops()->lane_fd(b.self, 0, 0), IPPROTO_UDP, UDP_NO_CHECK6_RX, &one, sizeof one), 0);
	ck_assert_uint_gt(max_segments(&a), 1);
	send_all(&a, sends, 2);
	ck_assert_uint_eq(read_bytes(&b, 500 + sizeof bytes), 1 + 21);
	for (uint32_t k = 0; k < 21; k++)
		ck_assert_mem_eq(b.trains[k + 1].data, bytes + (size_t)k * 1000, b.trains[k + 1].len);
	ck_assert_uint_eq(counter(&a, "gso-lost"), 1);
	ck_assert_uint_eq(max_segments(&a), 1);
	send_all(&a, sends, 2);
	ck_assert_uint_eq(counter(&a, "gso-lost"), 1);
	ck_assert_uint_eq(read_bytes(&b, 500 + sizeof bytes), 1 + 21);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* The MTU of the interface is the limit, fragments are never made; what is too big costs neither offload nor others. */
START_TEST(test_too_big)
{
	static uint8_t bytes[5000];
	uint32_t fits = 1500 - (_i ? 48 : 28);
	struct ela_path path = path_b(_i);
	struct ela_send sends[4] = {{.data = bytes, .len = fits, .path = &path},
		{.data = bytes, .len = fits + 1, .path = &path}, {.data = bytes, .len = 5000, .segment = fits, .path = &path},
		{.data = bytes, .len = 5000, .segment = fits + 1, .path = &path}};
	struct node a, b;
	int err = 0;

	test_netns_enter();
	test_netns_mtu("lo", 1500);
	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends, 4, &err), 1);
	ck_assert_int_eq(err, -EMSGSIZE);
	err = 0;
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends + 2, 2, &err), 1);
	ck_assert_int_eq(err, -EMSGSIZE);
	ck_assert_uint_eq(read_bytes(&b, fits + 5000), 2);
	ck_assert_uint_eq(counter(&a, "tx-too-big"), 2);
	ck_assert_uint_eq(counter(&a, "gso-lost"), 0);
	sends[0].len = 65508;
	sends[0].data = malloc(65508);
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends, 1, &err), 0);
	ck_assert_int_eq(err, -EMSGSIZE);
	free((void *)(uintptr_t)sends[0].data);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* An unreachable one in the middle ends only itself. */
START_TEST(test_unreachable)
{
	static uint8_t bytes[2000];
	struct ela_path good = path_b(_i), bad = path_to(_i ? "2001:db8::1" : "192.0.2.1", PORT);
	struct ela_send sends[3] = {{.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &good},
		{.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &bad},
		{.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &good}};
	const char *const options[] = {"port=7451", NULL};
	struct node a, b;
	int err = 0;

	node_start(&a, 1, options);
	node_start(&b, 1, options_b[_i]);
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends, 3, &err), 1);
	ck_assert_int_eq(err, -ENETUNREACH);
	send_all(&a, sends + 2, 1);
	ck_assert_uint_eq(read_bytes(&b, 2 * sizeof bytes), 2);
	ck_assert_uint_eq(counter(&a, "tx-unreachable"), 1);
	/* With a source address the kernel's answer may mean that; core asks again without. */
	bad.local = addr_of(_i ? "::1" : "127.0.0.1", 7451);
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends + 1, 1, &err), 0);
	ck_assert_int_eq(err, -EADDRNOTAVAIL);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* Sockets are picked by what they listen on. */
START_TEST(test_no_socket)
{
	uint8_t bytes[10] = {0};
	struct ela_path other = path_to(_i ? "127.0.0.1" : "::1", PORT), local = path_b(_i);
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .path = &other};
	struct node a;
	int err = 0;

	node_start(&a, 1, options_a[_i]);
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, &send, 1, &err), 0);
	ck_assert_int_eq(err, -ENETUNREACH);
	local.local = addr_of(_i ? "fd00::9" : "127.0.0.9", 7451);
	send.path = &local;
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, &send, 1, &err), 0);
	ck_assert_int_eq(err, -EADDRNOTAVAIL);
	local.local = (struct ela_addr){.family = ELA_ADDR_NONE};
	send_all(&a, &send, 1);
	ck_assert_int_eq(udp_ops()->lane_fd(a.self, 0, 1), -ENOENT);
	ck_assert_int_eq(udp_ops()->lane_fd(a.self, 1, 0), -ENOENT);
	node_close(&a);
}
END_TEST

/* Sends the train until there is no room; returns how many went. */
static uint32_t send_until_full(struct node *node, const struct ela_send *send)
{
	int err = 0;

	for (uint32_t n = 0; n < 10000; n++)
		if (udp_ops()->send_burst(node->self, 0, send, 1, &err) == 0) {
			ck_assert_int_eq(err, -EAGAIN);
			return n;
		}
	ck_abort_msg("the send buffer has no end");
}

/*
 * No room: datagrams to a neighbour that never answers ARP stay in the kernel and hold the send buffer. _i = 1: without
 * the offload, where a train is many messages and still goes whole or not at all. When the queue is gone there is room.
 */
START_TEST(test_again)
{
	static uint8_t bytes[20000];
	const char *const options[] = {"port=7451", "sndbuf=64k", _i ? "gso=off" : "gso=auto", NULL};
	struct ela_path path = path_to("10.99.0.2", PORT);
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &path};
	struct pollfd fd = {.events = POLLOUT};
	struct node a;
	uint32_t n;
	int tap;

	test_netns_enter();
	tap = test_netns_tap("tap0", "10.99.0.1", "255.255.255.0");
	node_start(&a, 1, options);
	n = send_until_full(&a, &send);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(counter(&a, "tx-datagrams"), 20 * (uint64_t)n);
	ck_assert_uint_eq(counter(&a, "tx-cut"), 0);
	ck_assert_uint_eq(counter(&a, "tx-again"), 1);
	fd.fd = udp_ops()->lane_fd(a.self, 0, 0);
	ck_assert_int_eq(poll(&fd, 1, 0), 0);
	(void)close(tap); /* takes the device and its queue along */
	ck_assert_int_eq(poll(&fd, 1, 2000), 1);
	node_close(&a);
}
END_TEST

/*
 * A train that can never be told to wait: larger than half of the send buffer. It is cut when there is no more room,
 * the rest counted, and core is told; it does not wait for a writability that is there already.
 */
START_TEST(test_cut)
{
	static uint8_t bytes[65000];
	const char *const options[] = {"port=7451", "sndbuf=64k", "gso=off", NULL};
	struct ela_path path = path_to("10.99.0.2", PORT);
	struct ela_send sends[2] = {{.data = bytes, .len = sizeof bytes, .segment = 100, .path = &path},
		{.data = bytes, .len = 100, .path = &path}};
	struct node a;
	int tap, err = 0;

	test_netns_enter();
	tap = test_netns_tap("tap0", "10.99.0.1", "255.255.255.0");
	node_start(&a, 1, options);
	ck_assert_int_eq(udp_ops()->send_burst(a.self, 0, sends, 2, &err), 1);
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_uint_gt(counter(&a, "tx-cut"), 0);
	ck_assert_uint_eq(counter(&a, "tx-cut") + counter(&a, "tx-datagrams"), 650);
	(void)close(tap); /* the namespace goes with the process anyway */
	node_close(&a);
}
END_TEST

/* An answer of "port unreachable" is nothing to a socket that talks to many. */
START_TEST(test_refused)
{
	static uint8_t bytes[1000];
	struct ela_path closed = path_to(_i ? "::1" : "127.0.0.1", 9), good = path_b(_i);
	struct ela_send sends[3] = {{.data = bytes, .len = sizeof bytes, .path = &closed},
		{.data = bytes, .len = sizeof bytes, .path = &closed}, {.data = bytes, .len = sizeof bytes, .path = &good}};
	struct node a, b;

	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	for (int k = 0; k < 10; k++)
		send_all(&a, sends, 3);
	ck_assert_uint_eq(read_bytes(&b, 10 * sizeof bytes), 10);
	assert_dry(&a);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* What does not fit into the buffer is not cut short but dropped and counted; empty ones too. */
START_TEST(test_oversize)
{
	static uint8_t bytes[2000];
	struct ela_path path = path_b(_i);
	struct ela_send sends[2] = {
		{.data = bytes, .len = 1001, .path = &path}, {.data = bytes, .len = 1000, .path = &path}};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct node a, b;
	int fd = socket(_i ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	for (uint32_t k = 0; k < BURST; k++)
		b.trains[k].room = 1000;
	ck_assert_int_eq(
		sendto(fd, "", 0, 0, _i ? (struct sockaddr *)&in6 : (struct sockaddr *)&in4, _i ? sizeof in6 : sizeof in4), 0);
	send_all(&a, sends, 2);
	ck_assert_uint_eq(read_bytes(&b, 1000), 3);
	ck_assert_uint_eq(b.trains[0].len, 0);
	ck_assert_uint_eq(b.trains[1].len, 0);
	ck_assert_uint_eq(b.trains[2].len, 1000);
	ck_assert_uint_eq(counter(&b, "rx-oversize"), 1);
	ck_assert_uint_eq(counter(&b, "rx-empty"), 1);
	ck_assert_uint_eq(counter(&b, "rx-trains"), 1);
	(void)close(fd); /* a test's own */
	node_close(&a);
	node_close(&b);
}
END_TEST

/* What the kernel drops for want of room is counted exactly, also the second time. */
START_TEST(test_overflow)
{
	enum { N = 1000 };
	static uint8_t bytes[1000];
	const char *const options[] = {options_b[_i][0], "rcvbuf=64k", NULL};
	struct ela_path path = path_b(_i);
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .path = &path};
	struct node a, b;
	int err, r;

	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options);
	for (uint32_t round = 1; round <= 2; round++) {
		uint64_t before = counter(&b, "rx-overflow");

		for (int k = 0; k < N; k++)
			send_all(&a, &send, 1);
		wait_readable(&b, 2000);
		do
			r = udp_ops()->read_burst(b.self, 0, b.trains, BURST, &err);
		while (r > 0);
		send_all(&a, &send, 1);
		ck_assert_uint_eq(read_bytes(&b, sizeof bytes), 1); /* brings the news of those before it */
		ck_assert_uint_gt(counter(&b, "rx-overflow"), before);
		ck_assert_uint_eq(counter(&b, "rx-overflow") + counter(&b, "rx-datagrams"), round * (N + 1));
	}
	node_close(&a);
	node_close(&b);
}
END_TEST

/* A flood on one socket of a lane does not keep the other one waiting. */
START_TEST(test_fair)
{
	uint8_t bytes[100] = {0};
	const char *const options[] = {"port=7451", NULL};
	struct ela_path busy = path_b(_i), quiet = path_b(!_i);
	struct ela_send sends[2] = {
		{.data = bytes, .len = sizeof bytes, .path = &busy}, {.data = bytes, .len = sizeof bytes, .path = &quiet}};
	struct node a, b;
	int err, calls = 0;

	node_start(&a, 1, options);
	node_start(&b, 1, NULL);
	for (int k = 0; k < 500; k++)
		send_all(&a, sends, 1);
	ck_assert_int_eq(udp_ops()->read_burst(b.self, 0, b.trains, 1, &err), 1);
	send_all(&a, sends + 1, 1);
	do {
		ck_assert_int_eq(udp_ops()->read_burst(b.self, 0, b.trains, 1, &err), 1);
		ck_assert_int_lt(++calls, 20);
	} while (b.trains[0].remote.family == sends[0].path->remote.family);
	for (int k = 0; k < 499 - (calls - 1); k++)
		ck_assert_int_eq(udp_ops()->read_burst(b.self, 0, b.trains, 1, &err), 1);
	assert_dry(&b);
	node_close(&a);
	node_close(&b);
}
END_TEST

/*
 * A probe leaves from the address that the node listens on, at a port of its own each time, and no socket is left. What
 * cannot be sent is said; a family that is not listened on is unreachable.
 */
START_TEST(test_probe)
{
	struct ela_addr to = path_b(_i).remote, other = path_b(!_i).remote,
					gone = addr_of(_i ? "2001:db8::7" : "192.0.2.7", 9);
	static uint8_t bytes[70000];
	struct node a, b;
	uint16_t ports[2];

	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	fill_random(bytes, 41, 5);
	for (int k = 0; k < 2; k++) {
		struct ela_addr *from = &b.trains[0].remote;

		ck_assert_int_eq(udp_ops()->probe(a.self, &to, bytes, 41), 0);
		ck_assert_uint_eq(read_bytes(&b, 41), 1);
		ck_assert_mem_eq(b.trains[0].data, bytes, 41);
		ports[k] = from->port;
		assert_addr_eq(from, _i ? "::1" : "127.0.0.1", from->port);
	}
	ck_assert(ports[0] != 7451 && ports[1] != 7451 && ports[0] != ports[1]);
	ck_assert_int_eq(udp_ops()->probe(a.self, &other, bytes, 41), -ENETUNREACH);
	ck_assert_int_eq(udp_ops()->probe(a.self, &to, bytes, sizeof bytes), -EMSGSIZE);
	ck_assert_int_lt(udp_ops()->probe(a.self, &gone, bytes, 41), 0);
	ck_assert_uint_eq(counter(&a, "tx-datagrams"), 2);
	udp_ops()->stop(a.self);
	ck_assert_int_eq(udp_ops()->probe(a.self, &to, bytes, 41), -ENETUNREACH);
	node_close(&a);
	assert_dry(&b);
	node_close(&b);
}
END_TEST

Suite *suite_errors(void)
{
	const TTest *const both[] = {test_local_gone, test_gso_lost, test_too_big, test_unreachable, test_no_socket,
		test_again, test_refused, test_oversize, test_overflow, test_fair, test_probe};
	const TTest *const once[] = {test_cut};

	return suite_of("transport-udp: errors", both, sizeof both / sizeof *both, once, sizeof once / sizeof *once);
}
