/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-mem: the fabric under virtual time: what its links do to datagrams and streams, devices, and that one seed gives
 * one run. One thread, except the last test: four lanes of two endpoints in threads (for ThreadSanitizer).
 */
#include "../conformance/host.h"
#include "mem.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES 3

struct node {
	struct check_host *h;
	void *self;
	char address[32];
};

struct world {
	struct ela_mem_fabric *fabric;
	struct node nodes[MAX_NODES];
	uint32_t n;
	uint8_t buf[65536];
};

static const struct ela_transport_ops *ops(void)
{
	return ela_transport_mem.ops;
}

static void node_start(struct world *w, const char *mode, bool is_virtual, uint32_t n_lanes)
{
	struct node *node = &w->nodes[w->n++];

	node->h = check_host_new(&ela_transport_mem, n_lanes, NULL);
	ck_assert_ptr_nonnull(node->h);
	node->h->is_virtual = is_virtual;
	(void)snprintf(node->address, sizeof node->address, "10.0.0.%u", w->n);
	ck_assert_int_eq(check_host_set(node->h, "fabric", "test"), 0);
	ck_assert_int_eq(check_host_set(node->h, "listen", node->address), 0);
	ck_assert_int_eq(check_host_set(node->h, "mode", mode), 0);
	ck_assert_int_eq(ops()->create(&node->h->host, &node->self), 0);
	ck_assert_int_eq(ops()->start(node->self, n_lanes), 0);
}

static struct world *world_new(uint32_t n, uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);

	ck_assert_ptr_nonnull(w);
	w->fabric = ela_mem_fabric_new("test", seed, ELA_MEM_VIRTUAL);
	ck_assert_ptr_nonnull(w->fabric);
	while (w->n < n)
		node_start(w, "both", true, 1);
	return w;
}

static void world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		ops()->stop(w->nodes[i].self);
		ops()->destroy(w->nodes[i].self);
		ck_assert_str_eq(w->nodes[i].h->misuse, "");
		ck_assert_uint_eq(check_host_count_timers(w->nodes[i].h), 0);
		check_host_free(w->nodes[i].h);
	}
	ela_mem_fabric_free(w->fabric);
	free(w);
}

/* Every node's clock goes on together, in steps of 1 ms. */
static void pass(struct world *w, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++)
		for (uint32_t k = 0; k < w->n; k++)
			(void)check_host_run(w->nodes[k].h, CHECK_MSEC, NULL, NULL);
}

static int send_train(struct world *w, uint32_t from, uint32_t to, const void *bytes, uint32_t len, uint32_t segment)
{
	struct ela_path path = {0};
	struct ela_send send = {.data = bytes, .len = len, .segment = segment, .path = &path};
	int err = 0;

	ck_assert_int_eq(ela_mem_addr(w->nodes[to].address, 7450, &path.remote), 0);
	return ops()->send_burst(w->nodes[from].self, 0, &send, 1, &err) == 1 ? 0 : err;
}

/* The next train of a node, in w->buf: its length, 0 when dry. */
static uint32_t receive(struct world *w, uint32_t at, struct ela_train *ret)
{
	struct ela_train train = {.data = w->buf, .room = sizeof w->buf};
	int err = 0;

	if (ops()->read_burst(w->nodes[at].self, 0, &train, 1, &err) != 1) {
		ck_assert_int_eq(err, -EAGAIN);
		return 0;
	}
	if (ret)
		*ret = train;
	return train.len;
}

START_TEST(test_perfect_link)
{
	struct world *w = world_new(2, 1);
	struct ela_train train;
	struct ela_addr from;
	uint8_t bytes[2500];

	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, sizeof bytes, 1000), 0);
	ck_assert_uint_eq(receive(w, 1, &train), sizeof bytes);
	ck_assert_mem_eq(train.data, bytes, sizeof bytes);
	ck_assert_uint_eq(train.segment, 1000);
	ck_assert_int_eq(ela_mem_addr("10.0.0.1", 7450, &from), 0);
	ck_assert_mem_eq(&train.remote, &from, sizeof from);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	ck_assert_uint_eq(receive(w, 0, NULL), 0);
	world_free(w);
}
END_TEST

START_TEST(test_delay_and_rate)
{
	struct world *w = world_new(2, 1);
	struct ela_mem_link link = {.delay_ns = 20 * CHECK_MSEC};
	uint8_t bytes[1250] = {1};

	ela_mem_link_default(w->fabric, &link);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 100, 0), 0);
	pass(w, 19);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	pass(w, 2);
	ck_assert_uint_eq(receive(w, 1, NULL), 100);
	/* 1 Mbit/s: 10 ms for each; the twelfth would wait more than 100 ms in the queue */
	link = (struct ela_mem_link){.rate_bps = 1000000};
	ck_assert_int_eq(ela_mem_link_set(w->fabric, "10.0.0.1", "10.0.0.2", &link), 0);
	for (uint32_t i = 0; i < 20; i++)
		ck_assert_int_eq(send_train(w, 0, 1, bytes, sizeof bytes, 0), 0);
	pass(w, 55);
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_uint_eq(receive(w, 1, NULL), sizeof bytes);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	pass(w, 1000);
	for (uint32_t i = 5; i < 11; i++)
		ck_assert_uint_eq(receive(w, 1, NULL), sizeof bytes);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	world_free(w);
}
END_TEST

/* Sends n numbered datagrams and writes the order they arrive in. */
static uint32_t run_numbers(struct world *w, uint32_t n, uint32_t *order)
{
	uint32_t got = 0;

	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(send_train(w, 0, 1, &i, sizeof i, 0), 0);
		pass(w, 1);
		while (receive(w, 1, NULL))
			memcpy(&order[got++], w->buf, sizeof *order);
	}
	pass(w, 100);
	while (receive(w, 1, NULL))
		memcpy(&order[got++], w->buf, sizeof *order);
	return got;
}

START_TEST(test_impairments_are_seeded)
{
	struct ela_mem_link link = {.delay_ns = 5 * CHECK_MSEC,
		.jitter_ns = CHECK_MSEC,
		.reorder_ns = 10 * CHECK_MSEC,
		.loss_ppm = 100000,
		.dup_ppm = 100000,
		.reorder_ppm = 100000};
	static uint32_t order[3][4000];
	uint32_t n[3], backwards = 0;
	struct ela_mem_stats stats;

	for (uint32_t run = 0; run < 3; run++) {
		struct world *w = world_new(2, run < 2 ? 42 : 43);

		ela_mem_link_default(w->fabric, &link);
		n[run] = run_numbers(w, 1000, order[run]);
		ela_mem_stats(w->fabric, &stats);
		ck_assert_uint_eq(stats.delivered, n[run]);
		ck_assert_uint_eq(stats.sent + stats.duplicated - stats.lost, n[run]);
		ck_assert_uint_ge(stats.lost, 60);
		ck_assert_uint_le(stats.lost, 170);
		ck_assert_uint_ge(stats.duplicated, 50);
		world_free(w);
	}
	ck_assert_uint_eq(n[0], n[1]);
	ck_assert_mem_eq(order[0], order[1], n[0] * sizeof order[0][0]);
	ck_assert(n[0] != n[2] || memcmp(order[0], order[2], n[0] * sizeof order[0][0]) != 0);
	for (uint32_t i = 1; i < n[0]; i++)
		backwards += order[0][i] < order[0][i - 1];
	ck_assert_uint_ge(backwards, 50);
}
END_TEST

START_TEST(test_train_loses_datagrams_whole)
{
	struct world *w = world_new(2, 7);
	struct ela_mem_link link = {.loss_ppm = 500000};
	static uint8_t bytes[64 * 100];
	struct ela_train train;
	uint32_t len;

	for (uint32_t i = 0; i < 64; i++)
		memset(bytes + i * 100, (int)i, 100);
	ela_mem_link_default(w->fabric, &link);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, sizeof bytes, 100), 0);
	len = receive(w, 1, &train);
	ck_assert_uint_eq(len % 100, 0);
	ck_assert_uint_gt(len, 1000);
	ck_assert_uint_lt(len, 5400);
	for (uint32_t i = 0; i < len; i++)
		ck_assert_uint_eq(w->buf[i], w->buf[i / 100 * 100]);
	link = (struct ela_mem_link){.split = true};
	ela_mem_link_default(w->fabric, &link);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 250, 100), 0);
	ck_assert_uint_eq(receive(w, 1, NULL), 100);
	ck_assert_uint_eq(receive(w, 1, NULL), 100);
	ck_assert_uint_eq(receive(w, 1, NULL), 50);
	world_free(w);
}
END_TEST

static bool watch_tap(void *data, const struct ela_mem_seen *seen)
{
	uint32_t *count = data;

	(*count)++;
	return seen->bytes[0] != 9;
}

START_TEST(test_cuts_mtu_tap_inject_move)
{
	struct world *w = world_new(3, 1);
	struct ela_mem_link link = {.mtu = 1400, .black_hole = 1300};
	struct ela_addr from, to;
	uint8_t bytes[1500] = {0};
	uint32_t seen = 0;
	struct ela_train train;

	ck_assert_int_eq(ela_mem_partition(w->fabric, "10.0.0.1", "10.0.0.2", true), 0);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 10, 0), 0);
	ck_assert_int_eq(send_train(w, 0, 2, bytes, 10, 0), 0);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	ck_assert_uint_eq(receive(w, 2, NULL), 10);
	ck_assert_int_eq(ela_mem_partition(w->fabric, "10.0.0.1", "10.0.0.2", false), 0);
	ck_assert_int_eq(ela_mem_isolate(w->fabric, "10.0.0.1", true), 0);
	ck_assert_int_eq(send_train(w, 1, 0, bytes, 10, 0), 0);
	ck_assert_uint_eq(receive(w, 0, NULL), 0);
	ck_assert_int_eq(ela_mem_isolate(w->fabric, "10.0.0.1", false), 0);
	ela_mem_link_default(w->fabric, &link);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 1401, 0), -EMSGSIZE);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 1400, 0), 0); /* vanishes */
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 1300, 0), 0);
	ck_assert_uint_eq(receive(w, 1, NULL), 1300);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	ela_mem_tap(w->fabric, watch_tap, &seen);
	bytes[0] = 9;
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 10, 0), 0);
	ck_assert_uint_eq(receive(w, 1, NULL), 0);
	ck_assert_uint_eq(seen, 1);
	ela_mem_tap(w->fabric, NULL, NULL);
	ck_assert_int_eq(ela_mem_addr("192.0.2.9", 99, &from), 0);
	ck_assert_int_eq(ela_mem_addr("10.0.0.2", 7450, &to), 0);
	ck_assert_int_eq(ela_mem_inject(w->fabric, &from, &to, bytes, 5, 0), 0);
	ck_assert_uint_eq(receive(w, 1, &train), 5);
	ck_assert_mem_eq(&train.remote, &from, sizeof from);
	ck_assert_int_eq(ela_mem_move(w->fabric, "10.0.0.1", "10.9.9.9", 7450), 0);
	ck_assert_int_eq(send_train(w, 0, 1, bytes, 10, 0), 0);
	ck_assert_uint_eq(receive(w, 1, &train), 10);
	ck_assert_int_eq(ela_mem_addr("10.9.9.9", 7450, &from), 0);
	ck_assert_mem_eq(&train.remote, &from, sizeof from);
	ck_assert_int_eq(send_train(w, 1, 0, bytes, 10, 0), 0); /* to the old address */
	ck_assert_uint_eq(receive(w, 0, NULL), 0);
	world_free(w);
}
END_TEST

/* Connects node 0 to node 1; both halves. */
static void connect_pair(struct world *w, void **ret_a, void **ret_b)
{
	struct ela_addr to;
	void *conn = NULL;

	ck_assert_int_eq(ela_mem_addr("10.0.0.2", 7450, &to), 0);
	ck_assert_int_eq(ops()->connect(w->nodes[0].self, &to, &conn), 0);
	ck_assert_uint_eq(w->nodes[0].h->n_events, 0); /* never from inside the call */
	pass(w, 100);
	ck_assert_uint_eq(w->nodes[0].h->n_events, 1);
	ck_assert_uint_eq(w->nodes[0].h->events[0].event, ELA_CONN_OPEN);
	ck_assert_ptr_eq(w->nodes[0].h->events[0].conn, conn);
	ck_assert_uint_eq(w->nodes[1].h->n_events, 1);
	ck_assert_uint_eq(w->nodes[1].h->events[0].event, ELA_CONN_ACCEPTED);
	*ret_a = conn;
	*ret_b = w->nodes[1].h->events[0].conn;
	w->nodes[0].h->n_events = w->nodes[1].h->n_events = 0;
}

static int put_bytes(struct world *w, uint32_t node, void *conn, const void *bytes, uint32_t len, int *ret_err)
{
	char copy[4096];
	struct iovec iov[2] = {{copy, len / 3}, {copy + len / 3, len - len / 3}};

	memcpy(copy, bytes, len);
	return ops()->conn_write(w->nodes[node].self, conn, iov, 2, ret_err);
}

START_TEST(test_stream_carries_all_in_order)
{
	struct world *w = world_new(2, 5);
	struct ela_mem_link link = {.delay_ns = 3 * CHECK_MSEC, .jitter_ns = 5 * CHECK_MSEC, .loss_ppm = 20000};
	uint32_t sent = 0, got = 0, partial = 0, total = 400000;
	void *a, *b;
	int err;

	ela_mem_link_default(w->fabric, &link);
	connect_pair(w, &a, &b);
	for (uint32_t turn = 0; got < total; turn++) {
		uint8_t bytes[3000];
		uint32_t len = total - sent < sizeof bytes ? total - sent : sizeof bytes;
		int n;

		ck_assert_uint_lt(turn, 100000);
		for (uint32_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)((sent + i) * 2654435761u >> 24);
		err = 0;
		n = put_bytes(w, 0, a, bytes, len, &err);
		sent += (uint32_t)n;
		partial += (uint32_t)n < len;
		ck_assert_int_eq(err, (uint32_t)n < len ? -EAGAIN : 0);
		if (turn % 3 == 0)
			pass(w, 1);
		n = ops()->conn_read(w->nodes[1].self, b, w->buf, turn % 50 == 0 ? 60000 : 10, &err);
		for (int i = 0; i < n; i++)
			ck_assert_uint_eq(w->buf[i], (uint8_t)((got + (uint32_t)i) * 2654435761u >> 24));
		got += (uint32_t)n;
	}
	ck_assert_uint_ge(partial, 10);
	ops()->conn_close(w->nodes[0].self, a);
	pass(w, 300);
	ck_assert_int_eq(ops()->conn_read(w->nodes[1].self, b, w->buf, 10, &err), 0);
	ck_assert_int_eq(err, -EPIPE);
	ops()->conn_close(w->nodes[1].self, b);
	world_free(w);
}
END_TEST

START_TEST(test_stream_stalls_dies_refuses)
{
	struct world *w = world_new(2, 5);
	struct ela_addr nobody;
	void *a, *b, *c = NULL;
	int err = 0;

	connect_pair(w, &a, &b);
	ck_assert_int_eq(ela_mem_partition(w->fabric, "10.0.0.1", "10.0.0.2", true), 0);
	ck_assert_int_eq(put_bytes(w, 0, a, "hello", 5, &err), 5);
	pass(w, 5000);
	ck_assert_int_eq(ops()->conn_read(w->nodes[1].self, b, w->buf, 10, &err), 0);
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_int_eq(ela_mem_partition(w->fabric, "10.0.0.1", "10.0.0.2", false), 0);
	pass(w, 300);
	ck_assert_int_eq(ops()->conn_read(w->nodes[1].self, b, w->buf, 10, &err), 5);
	ck_assert_mem_eq(w->buf, "hello", 5);
	ck_assert_uint_eq(ela_mem_kill_streams(w->fabric, "10.0.0.2", "10.0.0.1"), 1);
	ck_assert_int_eq(ops()->conn_read(w->nodes[0].self, a, w->buf, 10, &err), 0);
	ck_assert_int_eq(err, -EPIPE);
	ops()->conn_close(w->nodes[0].self, a);
	ops()->conn_close(w->nodes[1].self, b);
	ck_assert_int_eq(ela_mem_addr("10.0.0.77", 7450, &nobody), 0);
	ck_assert_int_eq(ops()->connect(w->nodes[0].self, &nobody, &c), 0);
	pass(w, 10);
	ck_assert_uint_eq(w->nodes[0].h->n_events, 1);
	ck_assert_uint_eq(w->nodes[0].h->events[0].event, ELA_CONN_CLOSED);
	ck_assert_int_eq(w->nodes[0].h->events[0].err, -ECONNREFUSED);
	ops()->conn_close(w->nodes[0].self, c);
	ck_assert_int_eq(ops()->connect(w->nodes[0].self, &nobody, &c), 0); /* left to stop() and destroy() */
	world_free(w);
}
END_TEST

START_TEST(test_device)
{
	struct ela_mem_fabric *fabric = ela_mem_fabric_new("test", 1, ELA_MEM_VIRTUAL);
	struct ela_mem_device *device = ela_mem_device(fabric, "a");
	const struct ela_npd_ops *npd = ela_npd_mem.ops;
	struct check_host *h = check_host_new(&ela_npd_mem, 1, NULL);
	const char *addresses[] = {"10.88.0.1/24"};
	struct ela_npd_config config = {.addresses = addresses, .n_addresses = 1, .n_queues = 1, .mtu = 1420};
	struct ela_mem_device_stats stats;
	struct ela_packet pkts[4] = {0}, packet = {0};
	struct ela_npd_info info;
	static uint8_t arena[8192];
	uint8_t bytes[60] = {0x45};
	struct iovec more = {bytes + 30, 30};
	int err = 0;
	void *self;

	ck_assert_int_eq(check_host_set(h, "fabric", "test"), 0);
	ck_assert_int_eq(check_host_set(h, "device", "a"), 0);
	ck_assert_int_eq(npd->create(&h->host, &self), 0);
	ck_assert_int_eq(npd->open(self, &config, &info), 0);
	ck_assert_int_eq(npd->queue_fd(self, 0), -1);
	packet = (struct ela_packet){.data = bytes, .len = 30, .len_total = 60, .more = &more, .n_more = 1};
	ck_assert_int_eq(ela_mem_device_put(device, 0, &packet), 0);
	ck_assert_int_eq(ela_mem_device_replay(device, 0, &packet, 5), 0);
	ck_assert_int_eq(npd->read_burst(self, 0, arena, sizeof arena, 128, pkts, 4, &err), 4);
	ck_assert_uint_eq(pkts[0].len, 60);
	ck_assert_int_eq(npd->read_burst(self, 0, arena, sizeof arena, 128, pkts, 4, &err), 2);
	ck_assert_int_eq(npd->read_burst(self, 0, arena, sizeof arena, 128, pkts, 4, &err), 0);
	ck_assert_int_eq(err, -EAGAIN);
	ela_mem_device_fail(device, 1, -EIO);
	ck_assert_int_eq(npd->write_burst(self, 0, (struct ela_packet[]){packet, packet}, 2, &err), 1);
	ck_assert_int_eq(err, -EIO);
	ela_mem_device_caps(device, ELA_NPD_CSUM);
	packet.gso_type = ELA_GSO_TCP4;
	packet.gso_size = 20;
	ck_assert_int_eq(npd->write_burst(self, 0, &packet, 1, &err), 0);
	ck_assert_int_eq(err, -EOPNOTSUPP);
	ck_assert_int_eq(ela_mem_device_take(device, arena, sizeof arena, &packet), 60);
	ck_assert_int_eq(ela_mem_device_take(device, arena, sizeof arena, &packet), -EAGAIN);
	ela_mem_device_stats(device, &stats);
	ck_assert_uint_eq(stats.read_packets, 6);
	ck_assert_uint_eq(stats.written_bytes, 60);
	ck_assert_uint_eq(stats.refused, 1);
	npd->close(self);
	npd->destroy(self);
	check_host_free(h);
	ela_mem_fabric_free(fabric);
}
END_TEST

/* What one sender thread does: trains to node 1, from node 0, on a lane of its own. */
struct sender {
	struct world *w;
	uint32_t lane;
};

static void *send_many(void *data)
{
	const struct sender *sender = data;
	struct ela_path path = {0};
	uint8_t bytes[100] = {0};
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .path = &path};
	int err = 0;

	if (ela_mem_addr("10.0.0.2", 7450, &path.remote))
		return data;
	for (uint32_t i = 0; i < 2000; i++)
		if (ops()->send_burst(sender->w->nodes[0].self, sender->lane, &send, 1, &err) != 1)
			return data;
	return NULL;
}

START_TEST(test_real_lanes)
{
	struct world *w = calloc(1, sizeof *w);
	struct ela_mem_link link = {.delay_ns = CHECK_MSEC};
	pthread_t threads[2];
	struct sender senders[2];
	uint32_t got = 0;
	void *failed;

	ck_assert_ptr_nonnull(w);
	w->fabric = ela_mem_fabric_new("test", 1, 0);
	ela_mem_link_default(w->fabric, &link);
	node_start(w, "both", false, 2);
	node_start(w, "both", false, 1);
	for (uint32_t i = 0; i < 2; i++) {
		senders[i] = (struct sender){w, i};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
	}
	for (uint32_t turn = 0; got < 4000; turn++) {
		struct pollfd fd = {.fd = ops()->lane_fd(w->nodes[1].self, 0, 0), .events = POLLIN};

		ck_assert_uint_lt(turn, 20000);
		(void)check_host_run(w->nodes[1].h, CHECK_MSEC, NULL, NULL);
		if (poll(&fd, 1, 0) == 1)
			while (receive(w, 1, NULL))
				got++;
		else
			ck_assert_uint_eq(receive(w, 1, NULL), 0); /* the descriptor tells the truth */
	}
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tests = tcase_create("fabric");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, test_perfect_link);
	tcase_add_test(tests, test_delay_and_rate);
	tcase_add_test(tests, test_impairments_are_seeded);
	tcase_add_test(tests, test_train_loses_datagrams_whole);
	tcase_add_test(tests, test_cuts_mtu_tap_inject_move);
	tcase_add_test(tests, test_stream_carries_all_in_order);
	tcase_add_test(tests, test_stream_stalls_dies_refuses);
	tcase_add_test(tests, test_device);
	tcase_add_test(tests, test_real_lanes);
	tcase_set_timeout(tests, 60);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
