/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun with packets: what the kernel's own sockets send is read, what is written reaches sockets; then two devices
 * in two namespaces, each burst of one handed to the other, with TCP and UDP through them and offloads off one by one.
 *
 *   sockets -- ela0 10.88.0.1 -- [test: read_burst, write_burst] -- 10.88.0.2 ela0 -- sockets
 *              namespace A                                                    namespace B
 */
#include "test-netns.h"
#include "tun-node.h"
#include "tun-packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define TRANSFER (2u * 1024 * 1024)
#define GSO_MAX_SEGS 44

static const char *const lan[] = {"mode=lan", NULL};
static const char *const ptp[] = {"mode=ptp", NULL};
static const char *const *const modes[] = {lan, ptp};
#define N_MODES 2

static const char *const addresses_a[] = {"10.88.0.1/24", "fd00:88::1/64", NULL};
static const char *const addresses_b[] = {"10.88.0.2/24", "fd00:88::2/64", NULL};

static void setup(void)
{
	test_netns_enter();
}

static void open_node(struct tun_node *node, const char *const *options, const char *const *addresses, uint32_t queues)
{
	struct tun_wish wish = {
		.options = options, .addresses = addresses, .n_queues = queues, .mtu = 1380, .gso_max_segs = GSO_MAX_SEGS};

	ck_assert_msg(tun_node_open(node, &wish) == 0, "%s", test_host_log(node->th));
}

/* Two ends and the test between them. */
struct pair {
	struct tun_node a, b;
	uint64_t superpackets[2]; /* read from a, from b */
};

static void pair_free(struct pair *pair)
{
	tun_node_free(&pair->a);
	tun_node_free(&pair->b);
}

static uint32_t segments_of(const struct ela_packet *pkt)
{
	uint32_t l4 = pkt->csum_start, tcp = pkt->gso_type == ELA_GSO_TCP4 || pkt->gso_type == ELA_GSO_TCP6;
	uint32_t head = l4 + (tcp ? (pkt->data[l4 + 12] >> 4) * 4u : 8);

	return (pkt->len - head + pkt->gso_size - 1) / pkt->gso_size;
}

/* Hands over what there is, in the form it came in. Number of packets. */
static uint32_t carry(struct tun_node *from, struct tun_node *to, uint32_t queue, uint64_t *superpackets)
{
	uint32_t n = tun_node_read(from, queue);
	int err = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ela_packet *pkt = &from->pkts[i];

		pkt->len_total = pkt->len;
		memset(pkt->reserved, 0, sizeof pkt->reserved);
		if (pkt->gso_type == ELA_GSO_NONE)
			continue;
		(*superpackets)++;
		ck_assert_uint_le(segments_of(pkt), GSO_MAX_SEGS);
	}
	ck_assert_msg((uint32_t)to->ops->write_burst(to->self, queue, from->pkts, n, &err) == n, "write: %d", err);
	return n;
}

static void pump(struct pair *pair)
{
	for (uint32_t q = 0; q < pair->a.info.n_queues; q++) {
		while (carry(&pair->a, &pair->b, q, &pair->superpackets[0]))
			;
		while (carry(&pair->b, &pair->a, q, &pair->superpackets[1]))
			;
	}
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

/* Takes what has come and checks it; the position after it. */
static uint64_t take(int fd, uint64_t at)
{
	static uint8_t buf[65536];
	uint32_t wrong = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof buf, 0)) > 0) {
		for (ssize_t i = 0; i < n; i++, at++)
			wrong += buf[i] != pattern(at);
		ck_assert_msg(!wrong, "%u bytes before %llu are wrong", wrong, (unsigned long long)at);
	}
	ck_assert_msg(n < 0 && errno == EAGAIN, "recv: %s", strerror(errno));
	return at;
}

static uint64_t give(int fd, uint64_t at)
{
	static uint8_t buf[65536];
	size_t len = TRANSFER - at < sizeof buf ? TRANSFER - at : sizeof buf;
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(at + i);
	n = len ? send(fd, buf, len, 0) : 0;
	return at + (n > 0 ? (uint64_t)n : 0);
}

/* Connects from B, where the process is, to a listener in A, and moves TRANSFER bytes each way. */
static void transfer_tcp(struct pair *pair, int listener, const char *to)
{
	union tun_address address;
	socklen_t len = tun_address(to, TUN_PORT, &address);
	int fd = socket(address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), peer = -1;
	uint64_t sent[2] = {0}, got[2] = {0};

	ck_assert_int_ge(fd, 0);
	ck_assert(connect(fd, &address.sa, len) < 0 && errno == EINPROGRESS);
	for (int i = 0; i < 1000 && peer < 0; i++) {
		pump(pair);
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (peer < 0)
			(void)usleep(1000);
	}
	ck_assert_msg(peer >= 0, "no connection to %s", to);
	while (got[0] < TRANSFER || got[1] < TRANSFER) {
		uint64_t before = got[0] + got[1] + sent[0] + sent[1];

		sent[0] = give(fd, sent[0]);
		sent[1] = give(peer, sent[1]);
		pump(pair);
		got[0] = take(peer, got[0]);
		got[1] = take(fd, got[1]);
		if (got[0] + got[1] + sent[0] + sent[1] == before)
			(void)usleep(200); /* a timer of TCP's */
	}
	(void)close(fd);
	(void)close(peer);
}

struct offloads {
	const char *off;
	uint32_t caps;
	bool tso;
};

static const struct offloads offload_cases[] = {
	{"interface=ela0", ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6 | ELA_NPD_USO, true},
	{"uso=off", ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6, true},
	{"tso=off", ELA_NPD_CSUM | ELA_NPD_USO, false},
	{"csum=off", 0, false},
};
#define N_OFFLOADS 4

/* Kernels before 6.2 have no USO: then its absence is right, and nothing else may be missing. */
static void check_caps(const struct tun_node *node, uint32_t wanted)
{
	ck_assert_uint_eq(node->ops->caps(node->self), node->info.caps);
	ck_assert_uint_eq(node->info.caps & ~ELA_NPD_USO, wanted & ~ELA_NPD_USO);
	ck_assert_uint_eq(node->info.caps & ~wanted, 0);
}

START_TEST(carries_tcp)
{
	const struct offloads *c = &offload_cases[_i / N_MODES];
	const char *const options[] = {modes[_i % N_MODES][0], c->off, NULL};
	const char *const to[] = {"10.88.0.1", "fd00:88::1"};
	int listeners[2];
	struct pair pair;

	memset(&pair, 0, sizeof pair);
	open_node(&pair.a, options, addresses_a, 1);
	for (int i = 0; i < 2; i++) {
		listeners[i] = tun_socket(to[i], SOCK_STREAM);
		ck_assert_int_eq(listen(listeners[i], 1), 0);
	}
	test_netns_enter();
	open_node(&pair.b, options, addresses_b, 1);
	check_caps(&pair.a, c->caps);
	for (int i = 0; i < 2; i++) {
		memset(pair.superpackets, 0, sizeof pair.superpackets);
		transfer_tcp(&pair, listeners[i], to[i]);
		for (int side = 0; side < 2; side++)
			ck_assert_msg(
				(pair.superpackets[side] > TRANSFER / 65536 / 2) == c->tso && (c->tso || !pair.superpackets[side]),
				"%s to %s: %llu superpackets", c->off, to[i], (unsigned long long)pair.superpackets[side]);
		(void)close(listeners[i]);
	}
	ck_assert_uint_eq(test_host_counter(pair.a.th, "tx-superpackets"), test_host_counter(pair.b.th, "rx-superpackets"));
	ck_assert_uint_eq(test_host_counter(pair.a.th, "tx-bytes"), test_host_counter(pair.b.th, "rx-bytes"));
	ck_assert_uint_eq(test_host_counter(pair.a.th, "writes"), test_host_counter(pair.a.th, "tx-packets"));
	ck_assert_uint_ge(test_host_counter(pair.a.th, "reads"), test_host_counter(pair.a.th, "rx-packets"));
	ck_assert_uint_eq(test_host_counter(pair.a.th, "tx-gso-refused"), 0);
	pair_free(&pair);
}
END_TEST

/* One send of ten datagrams: a superpacket where the device takes it, else what the kernel made of it. */
START_TEST(carries_uso)
{
	const struct offloads *c = &offload_cases[_i / N_MODES % N_OFFLOADS];
	bool ip6 = _i >= N_MODES * N_OFFLOADS;
	const char *const options[] = {modes[_i % N_MODES][0], c->off, NULL};
	char payload[9 * 100 + 50];
	int size = 100, from, to;
	struct pair pair;

	memset(&pair, 0, sizeof pair);
	memset(payload, 'x', sizeof payload);
	open_node(&pair.a, options, addresses_a, 1);
	from = tun_socket(ip6 ? "fd00:88::1" : "10.88.0.1", SOCK_DGRAM);
	test_netns_enter();
	open_node(&pair.b, options, addresses_b, 1);
	to = tun_socket(ip6 ? "fd00:88::2" : "10.88.0.2", SOCK_DGRAM);
	check_caps(&pair.a, c->caps);
	ck_assert_int_eq(setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), 0);
	tun_send(from, ip6 ? "fd00:88::2" : "10.88.0.2", payload, sizeof payload);
	pump(&pair);
	for (int i = 0; i < 9; i++)
		tun_expect(to, 100, c->off);
	tun_expect(to, 50, c->off);
	ck_assert_uint_eq(pair.superpackets[0], pair.a.info.caps & ELA_NPD_USO ? 1 : 0);
	ck_assert_uint_eq(test_host_counter(pair.b.th, "tx-packets"), pair.a.info.caps & ELA_NPD_USO ? 1 : 10);
	pair_free(&pair);
	(void)close(from);
	(void)close(to);
}
END_TEST

/* Flows spread over the queues, and each queue's writes arrive. */
START_TEST(two_queues)
{
	struct pair pair;
	uint64_t read[2] = {0};
	union tun_address address;
	int sockets[64], to;

	memset(&pair, 0, sizeof pair);
	open_node(&pair.a, modes[_i], addresses_a, 2);
	for (int i = 0; i < 64; i++) {
		sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(sockets[i], 0);
	}
	test_netns_enter();
	open_node(&pair.b, modes[_i], addresses_b, 2);
	ck_assert_uint_eq(pair.b.info.n_queues, 2);
	ck_assert_int_ne(pair.b.ops->queue_fd(pair.b.self, 0), pair.b.ops->queue_fd(pair.b.self, 1));
	to = tun_socket("10.88.0.2", SOCK_DGRAM);
	for (int i = 0; i < 64; i++) {
		socklen_t len = tun_address("10.88.0.2", TUN_PORT, &address);

		ck_assert_int_eq((int)sendto(sockets[i], "xxxx", 4, 0, &address.sa, len), 4);
		(void)close(sockets[i]);
	}
	for (uint32_t q = 0; q < 2; q++)
		for (uint32_t n; (n = carry(&pair.a, &pair.b, q, &pair.superpackets[0]));)
			read[q] += n;
	ck_assert_uint_eq(read[0] + read[1], 64);
	ck_assert_msg(read[0] && read[1], "all on one queue");
	for (int i = 0; i < 64; i++)
		tun_expect(to, 4, "two queues");
	(void)close(to);
	pair_free(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("npd-tun-traffic");
	TCase *tc = tcase_create("traffic");
	SRunner *runner;
	int failed;

	tun_node_need_root();
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, carries_tcp, 0, N_MODES * N_OFFLOADS);
	tcase_add_loop_test(tc, carries_uso, 0, N_MODES * N_OFFLOADS * 2);
	tcase_add_loop_test(tc, two_queues, 0, N_MODES);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
