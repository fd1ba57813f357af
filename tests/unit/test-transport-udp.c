/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-udp: trains go out and come in. The kernel delivers what leaves as one UDP_SEGMENT message to a UDP_GRO
 * socket as one train, so that lengths and counters are exact.
 */
#include "test-udp-node.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

START_TEST(test_info)
{
	const char *const off[] = {"gso=off", NULL};
	struct ela_transport_info info;
	struct node a, b;

	node_start(&a, 1, NULL);
	udp_ops()->info(a.self, &info);
	ck_assert_uint_eq(info.caps, ELA_TRANSPORT_DATAGRAM | ELA_TRANSPORT_IP);
	ck_assert_uint_eq(info.overhead4, 28);
	ck_assert_uint_eq(info.overhead6, 48);
	ck_assert_uint_eq(info.max_datagram, 65507);
	ck_assert_uint_eq(info.max_train, 65507);
	ck_assert_uint_eq(info.port, 7450);
	ck_assert_uint_eq(info.burst, 64);
	ck_assert(info.max_segments == 63 || info.max_segments == 127);
	node_open(&b, 1, off);
	ck_assert_uint_eq(max_segments(&b), 1);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* One send is one receive, the last datagram shorter. */
START_TEST(test_train)
{
	static uint8_t bytes[10 * 1000 + 300];
	struct ela_path path = path_b(_i);
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &path};
	struct node a, b;

	fill_random(bytes, sizeof bytes, 1);
	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	send_all(&a, &send, 1);
	ck_assert_uint_eq(read_bytes(&b, sizeof bytes), 1);
	ck_assert_uint_eq(b.trains[0].segment, 1000);
	ck_assert_mem_eq(b.trains[0].data, bytes, sizeof bytes);
	assert_addr_eq(&b.trains[0].remote, _i ? "::1" : "127.0.0.1", 7451);
	assert_addr_eq(&b.trains[0].local, _i ? "::1" : "127.0.0.1", PORT);
	ck_assert_uint_eq(counter(&a, "tx-calls"), 1);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 1);
	ck_assert_uint_eq(counter(&a, "tx-datagrams"), 11);
	ck_assert_uint_eq(counter(&a, "tx-bytes"), sizeof bytes);
	ck_assert_uint_eq(counter(&b, "rx-trains"), 1);
	ck_assert_uint_eq(counter(&b, "rx-datagrams"), 11);
	ck_assert_uint_eq(counter(&b, "rx-bytes"), sizeof bytes);
	assert_dry(&b);
	node_close(&a);
	node_close(&b);
}
END_TEST

/*
 * The largest trains: 44 datagrams of 1,480 bytes, and 65,507 bytes, which the kernel cuts itself because with all
 * headers it is more than a device takes.
 */
START_TEST(test_train_largest)
{
	static uint8_t bytes[65507];
	struct ela_path path = path_b(_i);
	struct ela_send sends[2] = {{.data = bytes, .len = 44 * 1480, .segment = 1480, .path = &path},
		{.data = bytes, .len = sizeof bytes, .segment = 1480, .path = &path}};
	struct node a, b;
	uint32_t offset = 0;

	fill_random(bytes, sizeof bytes, 2);
	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	send_all(&a, sends, 1);
	ck_assert_uint_eq(read_bytes(&b, 44 * 1480), 1);
	ck_assert_mem_eq(b.trains[0].data, bytes, 44 * 1480);
	send_all(&a, sends + 1, 1);
	for (uint32_t k = 0, n = read_bytes(&b, sizeof bytes); k < n; offset += b.trains[k++].len)
		ck_assert_mem_eq(b.trains[k].data, bytes + offset, b.trains[k].len);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 2);
	ck_assert_uint_eq(counter(&b, "rx-datagrams"), 44 + 45);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* A list of datagrams: what left and what came, each with its length in front. */
struct record {
	uint8_t *bytes;
	size_t len, room;
};

static void record_datagrams(struct record *record, const uint8_t *data, uint32_t len, uint32_t segment)
{
	for (uint32_t offset = 0; offset < len; offset += segment) {
		uint32_t n = len - offset < segment ? len - offset : segment;

		if (record->len + sizeof n + n > record->room) { /* by doubling: sanitizers copy at each realloc() */
			record->room = 2 * record->room + sizeof n + n;
			record->bytes = realloc(record->bytes, record->room);
			ck_assert_ptr_nonnull(record->bytes);
		}
		memcpy(record->bytes + record->len, &n, sizeof n);
		memcpy(record->bytes + record->len + sizeof n, data + offset, n);
		record->len += sizeof n + n;
	}
}

/* Bursts of random trains, with one burst in flight at a time; every datagram comes, whole and in order. */
static void run_random(unsigned seed, struct node *a, struct node *b, int i)
{
	static uint8_t bytes[BURST * 9000];
	struct ela_path path = path_b(i);
	struct ela_send sends[BURST];
	struct record out = {0}, in = {0};
	uint32_t n = 1 + (uint32_t)rand_r(&seed) % BURST, got = 0;
	uint64_t total = 0;

	fill_random(bytes, sizeof bytes, seed);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t len = 1 + (uint32_t)rand_r(&seed) % 9000, segment = 72 + (uint32_t)rand_r(&seed) % 1400;

		sends[k] = (struct ela_send){.data = bytes + k * 9000, .len = len, .segment = segment, .path = &path};
		record_datagrams(&out, sends[k].data, len, segment);
		total += len;
	}
	send_all(a, sends, n);
	for (uint64_t bytes_in = 0; bytes_in < total;) {
		int err, r = udp_ops()->read_burst(b->self, 0, b->trains, 1 + (uint32_t)rand_r(&seed) % BURST, &err);

		if (r == 0)
			wait_readable(b, 2000);
		for (int k = 0; k < r; k++) {
			record_datagrams(&in, b->trains[k].data, b->trains[k].len, b->trains[k].segment);
			bytes_in += b->trains[k].len;
		}
		ck_assert_msg(got++ < 100000, "seed %u: datagrams are missing", seed);
	}
	ck_assert_msg(in.len == out.len && memcmp(in.bytes, out.bytes, in.len) == 0, "seed %u: other datagrams came", seed);
	free(in.bytes);
	free(out.bytes);
}

START_TEST(test_random_mix)
{
	const char *const forms[] = {"gso=auto", "gso=off"};
	unsigned seed = (unsigned)time(NULL);

	for (int form = 0; form < 2; form++) {
		const char *const opts_a[] = {options_a[_i][0], options_a[_i][1], forms[form], NULL};
		const char *const opts_b[] = {options_b[_i][0], options_b[_i][1], form ? "gro=off" : "gro=auto", NULL};
		struct node a, b;

		node_start(&a, 1, opts_a);
		node_start(&b, 1, opts_b);
		for (int k = 0; k < 100; k++)
			run_random(seed++, &a, &b, _i);
		ck_assert_uint_eq(counter(&a, "tx-datagrams"), counter(&b, "rx-datagrams"));
		node_close(&a);
		node_close(&b);
	}
}
END_TEST

START_TEST(test_many_senders)
{
	enum { N = 20 };
	struct ela_path path = path_b(_i);
	struct node senders[N], b;
	uint64_t seen = 0;

	node_start(&b, 1, options_b[_i]);
	for (uint32_t k = 0; k < N; k++) {
		char port[32];
		const char *const options[] = {options_a[_i][0], port, NULL};
		uint8_t byte[8] = {(uint8_t)k};
		struct ela_send send = {.data = byte, .len = sizeof byte, .path = &path};

		(void)snprintf(port, sizeof port, "port=%u", 8000 + k); /* fits */
		node_start(&senders[k], 1, options);
		send_all(&senders[k], &send, 1);
	}
	ck_assert_uint_eq(read_bytes(&b, N * 8), N);
	for (uint32_t k = 0; k < N; k++) {
		assert_addr_eq(&b.trains[k].remote, _i ? "::1" : "127.0.0.1", (uint16_t)(8000 + b.trains[k].data[0]));
		seen |= UINT64_C(1) << b.trains[k].data[0];
		node_close(&senders[k]);
	}
	ck_assert_uint_eq(seen, (UINT64_C(1) << N) - 1);
	node_close(&b);
}
END_TEST

/* Each switch for itself: the datagrams are the same, their bundling is not. */
START_TEST(test_switches)
{
	static uint8_t bytes[10 * 1000 + 300];
	const char *const opts_a[] = {options_a[_i][0], options_a[_i][1], "gso=off", NULL};
	const char *const opts_b[] = {options_b[_i][0], options_b[_i][1], "gro=off", NULL};
	struct ela_path path = path_b(_i);
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .segment = 1000, .path = &path};
	struct node a, b;

	node_start(&a, 1, opts_a);
	node_start(&b, 1, options_b[_i]);
	ck_assert_uint_eq(max_segments(&a), 1);
	send_all(&a, &send, 1);
	ck_assert_uint_eq(counter(&a, "tx-calls"), 1);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 11);
	ck_assert_uint_eq(read_bytes(&b, sizeof bytes), 11);
	ck_assert_uint_eq(b.trains[10].len, 300);
	ck_assert_uint_eq(b.trains[10].segment, 300);
	node_close(&a);
	node_close(&b);
	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, opts_b);
	send_all(&a, &send, 1);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 1);
	ck_assert_uint_eq(read_bytes(&b, sizeof bytes), 11);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* A train of more segments than the kernel takes, or of more bytes, is cut into as few messages as possible. */
START_TEST(test_over_limits)
{
	static uint8_t bytes[2 * 65507];
	struct ela_path path = path_b(_i);
	struct ela_send send = {.data = bytes, .segment = 100, .path = &path};
	struct node a, b;

	fill_random(bytes, sizeof bytes, 3);
	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	send.len = 100 * (max_segments(&a) + 1);
	send_all(&a, &send, 1);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 2);
	ck_assert_uint_eq(read_bytes(&b, send.len), 2);
	ck_assert_mem_eq(b.trains[0].data, bytes, b.trains[0].len);
	ck_assert_mem_eq(b.trains[1].data, bytes + b.trains[0].len, 100);
	send = (struct ela_send){.data = bytes, .segment = 9000, .len = sizeof bytes, .path = &path};
	send_all(&a, &send, 1);
	ck_assert_uint_eq(counter(&a, "tx-messages"), 2 + 3);
	ck_assert_uint_eq(read_bytes(&b, sizeof bytes), 3);
	ck_assert_uint_eq(counter(&a, "gso-lost"), 0);
	node_close(&a);
	node_close(&b);
}
END_TEST

/* Sends one datagram from node a to node b along the path and returns what b saw. */
static const struct ela_train *send_one(struct node *a, struct node *b, const struct ela_path *path)
{
	static const uint8_t bytes[100];
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .path = path};

	send_all(a, &send, 1);
	wait_readable(b, 2000);
	ck_assert_uint_eq(read_bytes(b, sizeof bytes), 1);
	return b->trains;
}

/*
 * The address a datagram was sent to is reported, and an answer from it carries it as its source; without it the kernel
 * chooses another one.
 */
static void check_local(const char *from, const char *to, const char *chosen, uint32_t scope)
{
	struct ela_path path = path_to(to, PORT), back;
	const char *const options[] = {"port=7451", NULL};
	const struct ela_train *train;
	struct node a, b;

	path.local = addr_of(from, 7451);
	path.local.scope = path.remote.scope = scope;
	node_start(&a, 1, options);
	node_start(&b, 1, NULL);
	train = send_one(&a, &b, &path);
	ck_assert_mem_eq(&train->local, &path.remote, sizeof path.remote);
	ck_assert_mem_eq(&train->remote, &path.local, sizeof path.local);
	back = (struct ela_path){.remote = train->remote, .local = train->local};
	train = send_one(&b, &a, &back);
	ck_assert_mem_eq(&train->remote, &path.remote, sizeof path.remote);
	ck_assert_mem_eq(&train->local, &path.local, sizeof path.local);
	back.local = (struct ela_addr){.family = ELA_ADDR_NONE};
	train = send_one(&b, &a, &back);
	path.local = addr_of(chosen, PORT);
	path.local.scope = scope;
	ck_assert_mem_eq(&train->remote, &path.local, sizeof path.local);
	node_close(&a);
	node_close(&b);
}

START_TEST(test_local)
{
	test_netns_enter();
	if (_i == 0) {
		check_local("127.0.0.9", "127.0.0.5", "127.0.0.1", 0);
		return;
	}
	test_netns_add6("lo", "fd00::5", 128);
	test_netns_add6("lo", "fd00::9", 128);
	check_local("fd00::9", "fd00::5", "fd00::9", 0);
	test_netns_add6("lo", "fe80::5", 64);
	test_netns_add6("lo", "fe80::9", 64);
	check_local("fe80::9", "fe80::5", "fe80::9", if_nametoindex("lo"));
}
END_TEST

/* What was sent to a broadcast address was sent to our own one there: nobody can answer from the other. */
START_TEST(test_local_of_broadcast)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(0x7fffffff)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct node b;

	node_start(&b, 1, NULL);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one), 0);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	wait_readable(&b, 2000);
	ck_assert_uint_eq(read_bytes(&b, 1), 1);
	assert_addr_eq(&b.trains[0].local, "127.0.0.1", PORT);
	(void)close(fd); /* a test's own */
	node_close(&b);
}
END_TEST

START_TEST(test_ecn)
{
	struct ela_path path = path_b(_i);
	uint8_t byte[2000] = {0};
	struct node a, b;

	node_start(&a, 1, options_a[_i]);
	node_start(&b, 1, options_b[_i]);
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		struct ela_send send = {.data = byte, .len = sizeof byte, .segment = 1000, .path = &path, .ecn = ecn};

		send_all(&a, &send, 1);
		ck_assert_uint_eq(read_bytes(&b, sizeof byte), 1);
		ck_assert_uint_eq(b.trains[0].ecn, ecn);
	}
	node_close(&a);
	node_close(&b);
}
END_TEST

Suite *suite_trains(void)
{
	const TTest *const both[] = {test_train, test_train_largest, test_random_mix, test_many_senders, test_switches,
		test_over_limits, test_local, test_ecn};
	const TTest *const once[] = {test_info, test_local_of_broadcast};

	return suite_of("transport-udp: trains", both, sizeof both / sizeof *both, once, sizeof once / sizeof *once);
}

int main(void)
{
	SRunner *runner;
	int failed;

	udp_load(TEST_PLUGIN);
	test_netns_enter();
	runner = srunner_create(suite_trains());
	srunner_add_suite(runner, suite_errors());
	srunner_add_suite(runner, suite_start());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
