/* SPDX-License-Identifier: Apache-2.0 */
/* transport-udp: sockets, lanes, options and what keeps it from starting. */
#include "test-udp-node.h"

#include <dirent.h>
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int client(int i, uint16_t number)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(number), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(number), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(i ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	if (i)
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&in6, sizeof in6), 0);
	else
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&in4, sizeof in4), 0);
	in6.sin6_port = in4.sin_port = htons(PORT);
	if (i)
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&in6, sizeof in6), 0);
	else
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&in4, sizeof in4), 0);
	return fd;
}

/* With several lanes every sender is on one lane, and no lane is idle. */
START_TEST(test_lanes)
{
	enum { CLIENTS = 60, EACH = 20, LANES = 3 };
	int lane_of[CLIENTS], fds[CLIENTS], per_lane[LANES] = {0}, err;
	struct node b;

	node_start(&b, LANES, options_b[_i]);
	for (int c = 0; c < CLIENTS; c++) {
		lane_of[c] = -1;
		fds[c] = client(_i, (uint16_t)(20000 + c));
	}
	for (int k = 0; k < EACH; k++)
		for (int c = 0; c < CLIENTS; c++)
			ck_assert_int_eq(send(fds[c], "x", 1, 0), 1);
	for (uint32_t lane = 0; lane < LANES; lane++)
		for (int r; (r = udp_ops()->read_burst(b.self, lane, b.trains, BURST, &err)) > 0;)
			for (int k = 0; k < r; k++) {
				int c = b.trains[k].remote.port - 20000;

				ck_assert_msg(
					lane_of[c] < 0 || lane_of[c] == (int)lane, "sender %d on lanes %d and %u", c, lane_of[c], lane);
				lane_of[c] = (int)lane;
				per_lane[lane]++;
			}
	ck_assert_int_eq(per_lane[0] + per_lane[1] + per_lane[2], CLIENTS * EACH);
	for (int lane = 0; lane < LANES; lane++)
		ck_assert_int_gt(per_lane[lane], 0);
	for (int c = 0; c < CLIENTS; c++)
		(void)close(fds[c]); /* a test's own */
	node_close(&b);
}
END_TEST

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

/* A port in use is an error, also when its user shares it as another elad with several lanes does. */
START_TEST(test_port_in_use)
{
	const char *const listen[2] = {"listen=0.0.0.0, ::", "listen=127.0.0.1, ::1"};
	const char *const options[] = {listen[_i], NULL};
	struct node first, second;

	for (uint32_t lanes = 1; lanes <= 2; lanes++) {
		int n_fds;

		node_start(&first, lanes, NULL);
		node_open(&second, 2, options);
		n_fds = count_fds();
		ck_assert_int_eq(udp_ops()->start(second.self, lanes), -EADDRINUSE);
		ck_assert_int_eq(count_fds(), n_fds);
		ck_assert_msg(strstr(test_host_log(second.th), _i ? "127.0.0.1:7450" : "0.0.0.0:7450") &&
						  strstr(test_host_log(second.th), "already in use") &&
						  strstr(test_host_log(second.th), "another port in [transport-udp]"),
			"log: %s", test_host_log(second.th));
		udp_ops()->stop(first.self);
		udp_ops()->stop(first.self);
		ck_assert_int_eq(udp_ops()->start(second.self, lanes), 0);
		node_close(&first);
		node_close(&second);
	}
}
END_TEST

/* The second address fails: what was opened for the first is closed again. */
START_TEST(test_no_such_address)
{
	const char *const options[] = {"listen=127.0.0.1, 192.0.2.7", NULL};
	struct node a;
	int n_fds;

	node_open(&a, 2, options);
	n_fds = count_fds();
	ck_assert_int_eq(udp_ops()->start(a.self, 2), -EADDRNOTAVAIL);
	ck_assert_int_eq(count_fds(), n_fds);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "192.0.2.7:7450: this machine has no such address"));
	node_close(&a);
}
END_TEST

START_TEST(test_listen_list)
{
	const char *const covered[] = {"listen=127.0.0.1, ::1, 0.0.0.0, ::1", NULL};
	const char *const mapped[] = {"listen=::ffff:127.0.0.1", NULL};
	const char *const many[] = {
		"listen=127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,127.0.0.7,127.0.0.8,"
		"127.0.0.9",
		NULL};
	struct node a;
	struct test_host *th;
	void *self = NULL;

	node_start(&a, 1, covered);
	ck_assert_int_ge(udp_ops()->lane_fd(a.self, 0, 1), 0);
	ck_assert_int_eq(udp_ops()->lane_fd(a.self, 0, 2), -ENOENT);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "127.0.0.1:7450 is covered by 0.0.0.0:7450"));
	node_close(&a);
	for (int k = 0; k < 2; k++) {
		th = test_host_new(udp_plugin(), 1, k ? many : mapped);
		ck_assert_int_eq(udp_ops()->create(&th->host, &self), -EINVAL);
		ck_assert_ptr_null(self);
		ck_assert_ptr_nonnull(strstr(test_host_log(th), "[transport-udp] listen:"));
		test_host_free(th);
	}
}
END_TEST

/* The kernel without IPv6: the default does with IPv4, a :: that was asked for is an error. */
START_TEST(test_no_ipv6)
{
	const char *const asked[] = {"listen=0.0.0.0, ::", NULL};
	struct node a;

	test_netns_hide_ipv6();
	node_start(&a, 2, NULL);
	ck_assert_int_ge(udp_ops()->lane_fd(a.self, 1, 0), 0);
	ck_assert_int_eq(udp_ops()->lane_fd(a.self, 0, 1), -ENOENT);
	ck_assert_ptr_nonnull(strstr(test_host_log(a.th), "this machine has no IPv6"));
	node_close(&a);
	node_open(&a, 1, asked);
	ck_assert_int_eq(udp_ops()->start(a.self, 1), -EAFNOSUPPORT);
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

START_TEST(test_socket_options)
{
	const char *const options[] = {"sndbuf=512k", "rcvbuf=3M", NULL};
	const char *const off[] = {"port=7451", "gro=off", NULL};
	struct node a, b;
	int fd;

	node_start(&a, 1, options);
	node_start(&b, 1, off);
	fd = udp_ops()->lane_fd(a.self, 0, (uint32_t)_i);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_DOMAIN), _i ? AF_INET6 : AF_INET);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_SNDBUF), 2 * 512 * 1024);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_RCVBUF), 2 * 3 * 1024 * 1024);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_RXQ_OVFL), 1);
	ck_assert_int_eq(get(fd, SOL_SOCKET, SO_REUSEPORT), 0);
	ck_assert_int_eq(get(fd, IPPROTO_UDP, UDP_GRO), 1);
	ck_assert_int_eq(get(udp_ops()->lane_fd(b.self, 0, (uint32_t)_i), IPPROTO_UDP, UDP_GRO), 0);
	ck_assert_int_eq(get(udp_ops()->lane_fd(b.self, 0, (uint32_t)_i), SOL_SOCKET, SO_RCVBUF), 2 * 8 * 1024 * 1024);
	if (_i) {
		ck_assert_int_eq(get(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		ck_assert_int_eq(get(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_PROBE);
	} else {
		ck_assert_int_eq(get(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
	}
	node_close(&a);
	node_close(&b);
}
END_TEST

Suite *suite_start(void)
{
	const TTest *const both[] = {test_lanes, test_port_in_use, test_socket_options};
	const TTest *const once[] = {test_no_such_address, test_listen_list, test_no_ipv6};

	return suite_of("transport-udp: start", both, sizeof both / sizeof *both, once, sizeof once / sizeof *once);
}
