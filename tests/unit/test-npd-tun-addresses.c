/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun's set_addresses() against the kernel: what the interface has after each list, that what stays is not touched,
 * that a list that fails leaves everything as it was, and that lanes know the new broadcast addresses. Each test runs
 * in a network namespace of its own and looks by ways other than the plugin's.
 */
#include "test-netns.h"
#include "tun-node.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const none[] = {NULL};

static void setup(void)
{
	test_netns_enter();
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "10.88.0.1 fd88::1": the interface's addresses, sorted as text; a static buffer. */
static const char *found(const char *name)
{
	static char text[1024];
	char *list[32], ip[INET6_ADDRSTRLEN];
	struct ifaddrs *all;
	uint32_t n = 0;

	ck_assert_int_eq(getifaddrs(&all), 0);
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		const struct sockaddr *sa = at->ifa_addr;

		if (!sa || strcmp(at->ifa_name, name) != 0 || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
			continue;
		if (sa->sa_family == AF_INET)
			(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, ip, sizeof ip);
		else
			(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, ip, sizeof ip);
		list[n++] = strdup(ip);
	}
	freeifaddrs(all);
	qsort(list, n, sizeof *list, compare);
	*text = '\0';
	for (uint32_t i = 0; i < n; i++) {
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", list[i]);
		free(list[i]);
	}
	return text;
}

static int set(struct tun_node *node, const char *const *list)
{
	uint32_t n = 0;

	while (list[n])
		n++;
	return node->ops->set_addresses(node->self, list, n);
}

#define SET(node, ...) set(node, (const char *const[]){__VA_ARGS__, NULL})

/* One line of level error says both. */
static void check_log(struct tun_node *node, const char *what, const char *remedy)
{
	const char *log = test_host_log(node->th), *at = strstr(log, what);

	ck_assert_msg(at && strstr(at, remedy), "wanted \"%s\" and \"%s\" in: %s", what, remedy, log);
}

/* From nothing, in each mode, over every kind of step and back to nothing. */
START_TEST(comes_and_goes)
{
	static const char *const ptp[] = {"mode=ptp", NULL};
	struct tun_node node;

	ck_assert_msg(
		tun_node_open(&node, &(struct tun_wish){.addresses = none, .options = _i ? ptp : NULL}) == 0, "no address");
	ck_assert_str_eq(found("ela0"), "");
	ck_assert_int_eq(SET(&node, "10.88.0.1/24", "fd88::1/64"), 0);
	ck_assert_str_eq(found("ela0"), "10.88.0.1 fd88::1");
	ck_assert_int_eq(SET(&node, "10.88.0.1/24", "10.89.0.1/16", "fd88::1/64"), 0);
	ck_assert_str_eq(found("ela0"), "10.88.0.1 10.89.0.1 fd88::1");
	ck_assert_int_eq(SET(&node, "10.89.0.7/16"), 0);
	ck_assert_str_eq(found("ela0"), "10.89.0.7");
	ck_assert_int_eq(set(&node, none), 0);
	ck_assert_str_eq(found("ela0"), "");
	node.ops->close(node.self);
	ck_assert_int_eq(SET(&node, "10.88.0.1/24"), -ENODEV);
	tun_node_free(&node);
}
END_TEST

/* Two addresses of one prefix: the kernel calls one secondary and would remove it with the first. */
START_TEST(same_prefix)
{
	struct tun_node node;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	ck_assert_int_eq(SET(&node, "10.88.0.2/24"), 0);
	ck_assert_str_eq(found("ela0"), "10.88.0.2");
	ck_assert_int_eq(SET(&node, "10.88.0.2/24", "10.88.0.3/24"), 0);
	ck_assert_int_eq(SET(&node, "10.88.0.3/24"), 0);
	ck_assert_str_eq(found("ela0"), "10.88.0.3");
	/* the same address with another length is another prefix */
	ck_assert_int_eq(SET(&node, "10.88.0.3/16"), 0);
	ck_assert_str_eq(found("ela0"), "10.88.0.3");
	tun_node_free(&node);
}
END_TEST

static int monitor(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&nl, sizeof nl), 0);
	return fd;
}

/* How often the kernel said something about 10.88.0.1. */
static uint32_t count_news(int fd)
{
	static const uint8_t ip[] = {10, 88, 0, 1};
	uint8_t buf[8192];
	uint32_t n = 0;
	ssize_t len;

	while ((len = recv(fd, buf, sizeof buf, 0)) > 0)
		n += memmem(buf, (size_t)len, ip, sizeof ip) != NULL;
	return n;
}

START_TEST(kept_is_untouched)
{
	struct tun_node node;
	int fd;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	fd = monitor();
	ck_assert_int_eq(SET(&node, "10.88.0.1/24", "10.99.0.1/24"), 0);
	ck_assert_int_eq(SET(&node, "10.98.0.1/24", "10.88.0.1/24"), 0);
	ck_assert_int_eq(SET(&node, "10.88.0.1/24"), 0);
	ck_assert_uint_eq(count_news(fd), 0);
	ck_assert_int_eq(SET(&node, "10.98.0.1/24"), 0);
	ck_assert_uint_eq(count_news(fd), 1);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

START_TEST(refused_leaves_all)
{
	static const char *const before = "10.88.0.1 10.89.0.1";
	struct tun_node node;
	const char *many[18] = {0};
	char texts[17][24];
	int tap;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.mtu = 1279}), 0);
	ck_assert_int_eq(SET(&node, "10.88.0.1/24", "10.89.0.1/24"), 0);
	tap = test_netns_tap("under0", "10.50.1.9", "255.255.255.0");
	ck_assert_int_eq(SET(&node, "10.60.0.1/24", "10.50.1.1/24"), -EADDRINUSE);
	check_log(&node, "under0", "take under0 down");
	ck_assert_int_eq(SET(&node, "10.60.0.1/24", "nonsense"), -EINVAL);
	check_log(&node, "\"nonsense\"", "expected like");
	ck_assert_int_eq(SET(&node, "10.60.0.1/24", "10.60.0.1/24"), -EINVAL);
	check_log(&node, "twice", "10.60.0.1/24");
	ck_assert_int_eq(SET(&node, "10.60.0.1/24", "fd88::1/64"), -EINVAL);
	check_log(&node, "mtu 1279", "at least 1280");
	for (uint32_t i = 0; i < 17; i++) {
		(void)snprintf(texts[i], sizeof texts[i], "10.60.%u.1/24", i);
		many[i] = texts[i];
	}
	ck_assert_int_eq(set(&node, many), -EINVAL);
	check_log(&node, "17 addresses", "at most 16");
	ck_assert_str_eq(found("ela0"), before);
	ck_assert_int_eq(SET(&node, "10.88.0.1/24"), 0); /* its own are in nobody's way */
	(void)close(tap);
	tun_node_free(&node);
}
END_TEST

/* The kernel refuses the second step: the first one is undone. */
START_TEST(failure_undoes)
{
	struct tun_node node;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	ck_assert_int_lt(SET(&node, "10.60.0.1/24", "ff02::5/64"), 0); /* which is no interface's own */
	check_log(&node, "cannot take the address ff02::5/64", "");
	ck_assert_str_eq(found("ela0"), "10.88.0.1");
	tun_node_free(&node);
}
END_TEST

/* Where IPv6 is switched off the IPv6 address is left out, and said. */
START_TEST(without_ip6)
{
	struct tun_node node;
	FILE *off;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	off = fopen("/proc/sys/net/ipv6/conf/ela0/disable_ipv6", "we");
	ck_assert(off && fputs("1\n", off) >= 0 && fclose(off) == 0);
	ck_assert_int_eq(SET(&node, "10.60.0.1/24", "fd88::1/64"), 0);
	check_log(&node, "fd88::1/64 is left out: IPv6 is switched off", "disable_ipv6=0");
	ck_assert_str_eq(found("ela0"), "10.60.0.1");
	tun_node_free(&node);
}
END_TEST

static int open_tap_listener(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(0x0800));
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(0x0800), .sll_ifindex = (int)if_nametoindex("ela0")};

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&ll, sizeof ll), 0);
	return fd;
}

/* How the kernel sees a packet to that address that a lane writes: PACKET_HOST or PACKET_BROADCAST. */
static int kind_of(struct tun_node *node, int fd, const char *to)
{
	uint8_t packet[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 88, 0, 9};
	struct ela_packet pkt = {.data = packet, .len = sizeof packet, .len_total = sizeof packet};
	struct sockaddr_ll from;
	socklen_t len = sizeof from;
	uint8_t buf[64];

	ck_assert_int_eq(inet_pton(AF_INET, to, packet + 16), 1);
	ck_assert_int_eq(tun_node_write(node, 0, &pkt), 0);
	for (int tries = 0; tries < 200; tries++) {
		if (recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len) > 0)
			return from.sll_pkttype;
		(void)usleep(1000);
	}
	ck_abort_msg("the packet did not come");
}

START_TEST(broadcasts_follow)
{
	struct tun_node node;
	int fd;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	fd = open_tap_listener();
	ck_assert_int_eq(kind_of(&node, fd, "10.88.0.255"), PACKET_BROADCAST);
	ck_assert_int_eq(kind_of(&node, fd, "10.99.255.255"), PACKET_HOST);
	ck_assert_int_eq(SET(&node, "10.99.0.1/16", "fd88::1/64"), 0);
	ck_assert_int_eq(kind_of(&node, fd, "10.99.255.255"), PACKET_BROADCAST);
	ck_assert_int_eq(kind_of(&node, fd, "10.88.0.255"), PACKET_HOST);
	ck_assert_int_eq(kind_of(&node, fd, "0.0.0.0"), PACKET_HOST);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

static _Atomic bool lane_ends;

static void *lane(void *data)
{
	struct tun_node *node = data;
	uint8_t packet[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 88, 0, 9, 10, 88, 0, 255};
	struct ela_packet pkt = {.data = packet, .len = sizeof packet, .len_total = sizeof packet};
	int err;

	while (!lane_ends)
		(void)node->ops->write_burst(node->self, 0, &pkt, 1, &err); /* whether it fits does not matter here */
	return NULL;
}

/* For the thread sanitizer: a lane writes while control changes the list. */
START_TEST(under_traffic)
{
	struct tun_node node;
	pthread_t thread;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, lane, &node), 0);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(SET(&node, "10.88.0.1/24", "10.99.0.1/16"), 0);
		ck_assert_int_eq(SET(&node, "10.88.0.1/24"), 0);
	}
	lane_ends = true;
	(void)pthread_join(thread, NULL); /* made above */
	tun_node_free(&node);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("npd-tun-addresses");
	TCase *tc = tcase_create("kernel");
	SRunner *runner;
	int failed;

	tun_node_need_root();
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, comes_and_goes, 0, 2);
	tcase_add_test(tc, same_prefix);
	tcase_add_test(tc, kept_is_untouched);
	tcase_add_test(tc, refused_leaves_all);
	tcase_add_test(tc, failure_undoes);
	tcase_add_test(tc, without_ip6);
	tcase_add_test(tc, broadcasts_follow);
	tcase_add_test(tc, under_traffic);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
