/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun, one device: what the kernel's own sockets send is read, what is written reaches sockets; hostile packets,
 * refused superpackets, and what others do to the interface meanwhile. Each test has a network namespace of its own.
 */
#include "test-netns.h"
#include "tun-node.h"
#include "tun-packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const lan[] = {"mode=lan", NULL};
static const char *const ptp[] = {"mode=ptp", NULL};
static const char *const *const modes[] = {lan, ptp};
#define N_MODES 2

static const char *const addresses_a[] = {"10.88.0.1/24", "fd00:88::1/64", NULL};

static void setup(void)
{
	test_netns_enter();
}

static void open_node(struct tun_node *node, const char *const *options, const char *const *addresses, uint32_t queues)
{
	struct tun_wish wish = {
		.options = options, .addresses = addresses, .n_queues = queues, .mtu = 1380, .gso_max_segs = 44};

	ck_assert_msg(tun_node_open(node, &wish) == 0, "%s", test_host_log(node->th));
}

static void check_read_udp(struct tun_node *node, const char *src, const char *dst, const char *payload)
{
	size_t len = strlen(payload);
	union tun_address from, to;
	bool ip4 = tun_address(src, TUN_PORT, &from) == sizeof from.in4;
	const uint8_t *ip;
	uint32_t head = ip4 ? 20 : 40;

	(void)tun_address(dst, TUN_PORT, &to); /* of the same family */
	ck_assert_msg(tun_node_wait(node, 0) == 1, "nothing of the packet to %s", dst);
	ip = node->pkts[0].data;
	ck_assert_uint_eq(node->pkts[0].len, head + 8 + len);
	ck_assert_uint_eq(node->pkts[0].gso_type, ELA_GSO_NONE);
	ck_assert_msg(
		!memcmp(ip + (ip4 ? 12 : 8), ip4 ? (void *)&from.in4.sin_addr : (void *)&from.in6.sin6_addr, ip4 ? 4 : 16),
		"source of the packet to %s", dst);
	ck_assert_msg(
		!memcmp(ip + (ip4 ? 16 : 24), ip4 ? (void *)&to.in4.sin_addr : (void *)&to.in6.sin6_addr, ip4 ? 4 : 16),
		"destination of the packet to %s", dst);
	ck_assert_mem_eq(ip + head + 8, payload, len);
	tun_check_csum(&node->pkts[0], IPPROTO_UDP);
}

/* Also what needs the routes of the device: nothing else in the namespace leads anywhere. */
START_TEST(reads_udp)
{
	static const struct {
		const char *from, *src, *dst;
	} cases[] = {
		{"10.88.0.1", "10.88.0.1", "10.88.0.2"},
		{"0.0.0.0", "10.88.0.1", "10.88.0.2"},
		{"0.0.0.0", "10.88.0.1", "10.88.0.255"},
		{"0.0.0.0", "10.88.0.1", "255.255.255.255"},
		{"0.0.0.0", "10.88.0.1", "224.0.0.251"},
		{"0.0.0.0", "10.88.0.1", "239.1.2.3"},
		{"fd00:88::1", "fd00:88::1", "fd00:88::2"}, /* without a neighbour to be discovered */
		{"::", "fd00:88::1", "fd00:88::ffff"},
		{"::", "fd00:88::1", "ff0e::77"},
	};
	struct tun_node node;

	open_node(&node, modes[_i], addresses_a, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = tun_socket(cases[i].from, SOCK_DGRAM);

		tun_send(fd, cases[i].dst, "ping", 4);
		check_read_udp(&node, cases[i].src, cases[i].dst, "ping");
		(void)close(fd);
	}
	ck_assert_uint_eq(test_host_counter(node.th, "rx-packets"), sizeof cases / sizeof *cases);
	ck_assert_uint_eq(test_host_counter(node.th, "rx-not-ip"), 0);
	tun_node_free(&node);
}
END_TEST

/* Writes the packet in pieces: headers at data, the payload gathered from two. */
static int write_in_pieces(struct tun_node *node, uint8_t *packet, uint32_t len, bool partial)
{
	uint32_t head = tun_ip_len(packet) + 8, rest = len - head;
	struct iovec more[2] = {{packet + head, rest / 2}, {packet + head + rest / 2, rest - rest / 2}};
	struct ela_packet pkt = {.data = packet, .len = head, .len_total = len, .n_more = 2, .more = more};

	if (partial) {
		pkt.flags = ELA_PACKET_NEEDS_CSUM;
		pkt.csum_start = (uint16_t)tun_ip_len(packet);
		pkt.csum_offset = 6;
	}
	return tun_node_write(node, 0, &pkt);
}

START_TEST(writes_udp)
{
	static const struct {
		const char *src, *dst, *bind;
	} cases[] = {
		{"10.88.0.2", "10.88.0.1", "10.88.0.1"},
		{"10.88.0.2", "10.88.0.255", "0.0.0.0"},
		{"10.88.0.2", "255.255.255.255", "0.0.0.0"},
		{"fd00:88::2", "fd00:88::1", "fd00:88::1"},
	};
	struct tun_node node;
	uint8_t buf[2048];

	open_node(&node, modes[_i], addresses_a, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = tun_socket(cases[i].bind, SOCK_DGRAM);
		uint32_t len = tun_make_udp(buf, cases[i].src, cases[i].dst, 701), l4 = tun_ip_len(buf);

		ck_assert_int_eq(write_in_pieces(&node, buf, len, true), 0);
		tun_expect(fd, 701, cases[i].dst);
		/* The same with its checksum finished, then with a wrong one. */
		tun_put16(buf + l4 + 6, ~tun_sum16(buf + l4, len - l4, 0));
		ck_assert_int_eq(write_in_pieces(&node, buf, len, false), 0);
		tun_expect(fd, 701, cases[i].dst);
		buf[l4 + 6] ^= 0x55;
		ck_assert_int_eq(write_in_pieces(&node, buf, len, false), 0);
		ck_assert_int_lt(recv(fd, buf, sizeof buf, 0), 0);
		(void)close(fd);
	}
	tun_node_free(&node);
}
END_TEST

START_TEST(group_is_received)
{
	struct ip_mreq mreq = {.imr_multiaddr.s_addr = htonl(0xe00000fb)};
	struct tun_node node;
	uint8_t buf[256];
	uint32_t len;
	int fd;

	open_node(&node, modes[_i], addresses_a, 1);
	fd = tun_socket("0.0.0.0", SOCK_DGRAM);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof mreq), 0); /* by the route */
	len = tun_make_udp(buf, "10.88.0.2", "224.0.0.251", 100);
	ck_assert_int_eq(write_in_pieces(&node, buf, len, true), 0);
	tun_expect(fd, 100, "224.0.0.251");
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

/* What a packet socket says of frames: to this host, to all, to a group. */
START_TEST(frame_types)
{
	static const struct {
		const char *dst;
		uint8_t type;
	} cases[] = {
		{"10.88.0.1", PACKET_HOST},
		{"10.88.0.255", PACKET_BROADCAST},
		{"255.255.255.255", PACKET_BROADCAST},
		{"224.0.0.251", PACKET_MULTICAST},
		{"fd00:88::1", PACKET_HOST},
		{"ff0e::77", PACKET_MULTICAST},
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	struct tun_node node;
	uint8_t buf[256];

	open_node(&node, lan, addresses_a, 1);
	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ip6 = strchr(cases[i].dst, ':');
		uint32_t len = tun_make_udp(buf, ip6 ? "fd00:88::2" : "10.88.0.2", cases[i].dst, 10);
		struct sockaddr_ll from = {0};
		socklen_t from_len = sizeof from;

		ck_assert_int_eq(write_in_pieces(&node, buf, len, true), 0);
		ck_assert_int_eq((int)recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &from_len), (int)len);
		ck_assert_msg(from.sll_pkttype == cases[i].type, "to %s: type %u", cases[i].dst, from.sll_pkttype);
		while (recv(fd, buf, sizeof buf, 0) > 0)
			; /* what the kernel answers itself */
	}
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

/* A superpacket of UDP with n segments of 10 bytes. */
static struct ela_packet uso_packet(uint8_t *buf, uint32_t segments)
{
	uint32_t len = tun_make_udp(buf, "10.88.0.2", "10.88.0.1", segments * 10);

	return (struct ela_packet){
		.data = buf,
		.len = len,
		.len_total = len,
		.gso_size = 10,
		.gso_type = ELA_GSO_UDP4,
		.flags = ELA_PACKET_NEEDS_CSUM,
		.csum_start = 20,
		.csum_offset = 6,
		.hdr_len = 28,
	};
}

/* The kernel refuses a UDP superpacket of more than 128 segments with EINVAL; that is how it says no to any. */
START_TEST(refusals)
{
	struct tun_node node;
	uint8_t bad_buf[4096], good_buf[4096];
	struct ela_packet bad, good;
	int fd;

	open_node(&node, modes[_i], addresses_a, 1);
	if (!(node.info.caps & ELA_NPD_USO)) {
		tun_node_free(&node);
		return;
	}
	fd = tun_socket("10.88.0.1", SOCK_DGRAM);
	bad = uso_packet(bad_buf, 200);
	good = uso_packet(good_buf, 2);
	for (int round = 0; round < 4; round++) { /* never three in a row */
		ck_assert_int_eq(tun_node_write(&node, 0, &bad), -EOPNOTSUPP);
		ck_assert_int_eq(tun_node_write(&node, 0, &bad), -EOPNOTSUPP);
		ck_assert_int_eq(tun_node_write(&node, 0, &good), 0);
		tun_expect(fd, 10, "good");
		tun_expect(fd, 10, "good");
	}
	ck_assert_uint_eq(node.ops->caps(node.self), node.info.caps);
	ck_assert_uint_eq(test_host_counter(node.th, "tx-gso-refused"), 8);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tun_node_write(&node, 0, &bad), -EOPNOTSUPP);
	ck_assert_uint_eq(node.ops->caps(node.self), node.info.caps & ~ELA_NPD_USO);
	ck_assert_uint_eq(test_host_counter(node.th, "tx-offload-lost"), 1);
	/* From now on not even tried. */
	ck_assert_int_eq(tun_node_write(&node, 0, &good), -EOPNOTSUPP);
	ck_assert_int_lt(recv(fd, good_buf, sizeof good_buf, 0), 0);
	ck_assert_uint_eq(test_host_counter(node.th, "tx-gso-refused"), 11);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

START_TEST(bad_packets)
{
	static uint8_t buf[70000], good_buf[256];
	struct iovec more[2] = {{buf, 40000}, {buf, 30000}};
	struct ela_packet good = {.data = good_buf, .flags = ELA_PACKET_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6};
	struct ela_packet burst[3];
	struct ela_packet bad[] = {
		{.data = buf, .len = 0},
		{.data = buf, .len = 60}, /* version 0 */
		{.data = good_buf, .len = 19},
		{.data = good_buf, .len = 128, .flags = ELA_PACKET_NEEDS_CSUM, .csum_start = 127, .csum_offset = 6},
		{.data = good_buf, .len = 128, .len_total = 70128, .n_more = 2, .more = more},
		{.data = good_buf, .len = 128, .len_total = 128, .n_more = UINT32_MAX, .more = more},
		{.data = good_buf, .len = 128, .gso_type = ELA_GSO_UDP4, .flags = ELA_PACKET_NEEDS_CSUM, .csum_start = 20},
		{.data = good_buf, .len = 128, .gso_type = 200, .gso_size = 10},
	};
	struct tun_node node;
	int fd, err = 0;

	open_node(&node, modes[_i], addresses_a, 1);
	fd = tun_socket("10.88.0.1", SOCK_DGRAM);
	good.len = tun_make_udp(good_buf, "10.88.0.2", "10.88.0.1", 100);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(tun_node_write(&node, 0, &bad[i]) == -EINVAL, "case %zu", i);
	ck_assert_uint_eq(test_host_counter(node.th, "tx-bad-packet"), sizeof bad / sizeof *bad);
	ck_assert_uint_eq(test_host_counter(node.th, "tx-packets"), 0);
	/* The count tells which one it was, what stood before it is written. */
	burst[0] = burst[2] = good;
	burst[1] = bad[1];
	ck_assert_int_eq(node.ops->write_burst(node.self, 0, burst, 3, &err), 1);
	ck_assert_int_eq(err, -EINVAL);
	tun_expect(fd, 100, "before the bad one");
	ck_assert_int_lt(recv(fd, buf, sizeof buf, 0), 0);
	ck_assert_int_eq(node.ops->write_burst(node.self, 0, burst, 0, &err), 0);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

static void set_ifreq(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(ifr->ifr_name, "ela0");
	ck_assert_int_eq(ioctl(fd, request, ifr), 0);
	(void)close(fd);
}

START_TEST(set_down)
{
	struct ela_packet pkt = {.flags = ELA_PACKET_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6};
	struct ifreq ifr = {0};
	struct tun_node node;
	uint8_t buf[256];

	open_node(&node, modes[_i], addresses_a, 1);
	pkt.data = buf;
	pkt.len = tun_make_udp(buf, "10.88.0.2", "10.88.0.1", 100);
	set_ifreq(SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags = (short)(ifr.ifr_flags & ~IFF_UP);
	set_ifreq(SIOCSIFFLAGS, &ifr);
	ck_assert_int_eq(tun_node_write(&node, 0, &pkt), -EIO);
	ck_assert_uint_eq(test_host_counter(node.th, "tx-down"), 1);
	ck_assert_uint_eq(tun_node_read(&node, 0), 0);
	ifr.ifr_flags |= IFF_UP;
	set_ifreq(SIOCSIFFLAGS, &ifr);
	ck_assert_int_eq(tun_node_write(&node, 0, &pkt), 0);
	tun_node_free(&node);
}
END_TEST

/* As udev does it a moment after the interface appears. */
START_TEST(ethernet_address_changes)
{
	struct ela_packet pkt = {.flags = ELA_PACKET_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6};
	struct ifreq ifr = {.ifr_hwaddr = {.sa_family = 1, .sa_data = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55}}};
	struct tun_node node;
	uint8_t buf[256];
	int fd;

	open_node(&node, lan, addresses_a, 1);
	fd = tun_socket("10.88.0.1", SOCK_DGRAM);
	pkt.data = buf;
	pkt.len = tun_make_udp(buf, "10.88.0.2", "10.88.0.1", 100);
	ck_assert_int_eq(tun_node_write(&node, 0, &pkt), 0);
	tun_expect(fd, 100, "before the change");
	set_ifreq(SIOCSIFHWADDR, &ifr);
	while (test_host_run(node.th, 100))
		;
	ck_assert_int_eq(tun_node_write(&node, 0, &pkt), 0);
	tun_expect(fd, 100, "after the change");
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

/* 70 packets wait; bursts and rooms of every size get each of them once and in order. */
START_TEST(small_rooms)
{
	static const struct {
		uint32_t n, arena_len;
	} cases[] = {{1, 256 * 1024}, {3, 70000}, {64, 66000}, {64, 256 * 1024}};
	struct tun_node node;
	uint32_t seen = 0;
	int fd, err = 0, n;

	open_node(&node, modes[_i], addresses_a, 1);
	fd = tun_socket("10.88.0.1", SOCK_DGRAM);
	for (uint32_t i = 0; i < 70; i++)
		tun_send(fd, "10.88.0.2", &i, sizeof i);
	/* Too small for the largest packet: nothing is read, and nothing lost. */
	ck_assert_int_eq(node.ops->read_burst(node.self, 0, node.arena, 65535 + 127, 128, node.pkts, 64, &err), 0);
	ck_assert_int_eq(err, -ENOBUFS);
	for (size_t c = 0; seen < 70; c = (c + 1) % 4) {
		n = node.ops->read_burst(node.self, 0, node.arena + 3, cases[c].arena_len, 100, node.pkts, cases[c].n, &err);
		ck_assert_int_gt(n, 0);
		ck_assert_int_le(n, (int)cases[c].n);
		for (int k = 0; k < n; k++, seen++)
			ck_assert_mem_eq(node.pkts[k].data + 28, &seen, sizeof seen);
		ck_assert(node.pkts[n - 1].data + node.pkts[n - 1].len + 64 <= node.arena + 3 + cases[c].arena_len);
	}
	ck_assert_uint_eq(tun_node_read(&node, 0), 0);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

/* With superpackets off the room is counted in MTUs, and a longer packet than that is never handed over cut. */
START_TEST(room_without_offloads)
{
	const char *const options[] = {modes[_i][0], "csum=off", NULL};
	struct ifreq ifr = {.ifr_mtu = 4000};
	static char payload[3000];
	struct tun_node node;
	int fd, err = 0;

	open_node(&node, options, addresses_a, 1);
	fd = tun_socket("10.88.0.1", SOCK_DGRAM);
	tun_send(fd, "10.88.0.2", payload, 1380 - 28);
	ck_assert_int_eq(node.ops->read_burst(node.self, 0, node.arena, 1380 + 64 + 15, 0, node.pkts, 1, &err), 1);
	ck_assert_uint_eq(node.pkts[0].len, 1380);
	set_ifreq(SIOCSIFMTU, &ifr); /* by somebody else, and not yet heard of */
	tun_send(fd, "10.88.0.2", payload, 3000);
	ck_assert_uint_eq(tun_node_read(&node, 0), 0);
	ck_assert_uint_eq(test_host_counter(node.th, "rx-truncated"), 1);
	while (test_host_run(node.th, 100))
		;
	tun_send(fd, "10.88.0.2", payload, 3000);
	ck_assert_uint_eq(tun_node_read(&node, 0), 1);
	ck_assert_uint_eq(node.pkts[0].len, 3028);
	ck_assert_uint_eq(test_host_counter(node.th, "rx-truncated"), 1);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

/* ARP by hand, as a program with a packet socket might send it. */
START_TEST(not_ip)
{
	struct tun_node node;
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06};
	struct sockaddr to = {0};
	int fd = socket(AF_PACKET, SOCK_PACKET | SOCK_CLOEXEC, htons(0x0806)), err = 0;

	open_node(&node, lan, addresses_a, 1);
	ck_assert_int_ge(fd, 0);
	strcpy(to.sa_data, "ela0");
	ck_assert_msg(sendto(fd, frame, sizeof frame, 0, &to, sizeof to) == sizeof frame, "%s", strerror(errno));
	ck_assert_uint_eq(tun_node_wait(&node, 0), 0);
	ck_assert_uint_eq(test_host_counter(node.th, "rx-not-ip"), 1);
	ck_assert_uint_eq(test_host_counter(node.th, "rx-packets"), 0);
	/* So many that a read ends before it has dropped them all: then core must ask again, no new event will come. */
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq((int)sendto(fd, frame, sizeof frame, 0, &to, sizeof to), (int)sizeof frame);
	ck_assert_int_eq(node.ops->read_burst(node.self, 0, node.arena, node.arena_len, 0, node.pkts, 1, &err), 0);
	ck_assert_int_eq(err, -EINTR);
	ck_assert_int_eq(node.ops->read_burst(node.self, 0, node.arena, node.arena_len, 0, node.pkts, 1, &err), 0);
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_uint_eq(test_host_counter(node.th, "rx-not-ip"), 101);
	(void)close(fd);
	tun_node_free(&node);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("npd-tun-packets");
	TCase *tc = tcase_create("packets");
	SRunner *runner;
	int failed;

	tun_node_need_root();
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, reads_udp, 0, N_MODES);
	tcase_add_loop_test(tc, writes_udp, 0, N_MODES);
	tcase_add_loop_test(tc, group_is_received, 0, N_MODES);
	tcase_add_test(tc, frame_types);
	tcase_add_loop_test(tc, refusals, 0, N_MODES);
	tcase_add_loop_test(tc, bad_packets, 0, N_MODES);
	tcase_add_loop_test(tc, set_down, 0, N_MODES);
	tcase_add_test(tc, ethernet_address_changes);
	tcase_add_loop_test(tc, small_rooms, 0, N_MODES);
	tcase_add_loop_test(tc, room_without_offloads, 0, N_MODES);
	tcase_add_test(tc, not_ip);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
