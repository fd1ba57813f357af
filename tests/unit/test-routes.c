/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-routes: what core/host.c gives a routing plugin: prefixes as text good and bad, routes set, moved, taken away
 * and published, peers one by one, messages; and whose lane a counter block is. One node (lone.h), its own host table.
 */
#include "directory.h"
#include "fib.h"
#include "host.h"
#include "inet.h"
#include "lone.h"
#include "own.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	const struct ela_host *host; /* the routing plugin's */
} bench;

static void setup(void)
{
	struct lone_spec spec = {
		.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .lanes = 3, .knows = (const uint8_t[]){2, 3, 4, 0}};

	bench.world = lone_world_new(&spec, 1);
	bench.loop = ela_loop_virtual_new(1);
	bench.l = lone_new(bench.world, 0, bench.loop);
	bench.host = &bench.l->node->routing->host;
}

static void teardown(void)
{
	lone_free(bench.l);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
}

static uint32_t number(uint32_t k)
{
	return lone_peer(bench.l, k)->number;
}

/* The peer that lanes would send to, once control had its turn. */
static struct ela_peer *way(const char *text)
{
	const struct ela_fib *fib;
	struct ela_addr addr;

	lone_look(bench.l);
	fib = atomic_load(&bench.l->node->routes);
	ck_assert_int_eq(ela_inet_addr(text, &addr), 0);
	return addr.family == ELA_ADDR_IP4 ? ela_fib_lookup4(fib, addr.ip) : ela_fib_lookup6(fib, addr.ip);
}

/* ---- prefixes ---- */

static const struct prefix_row {
	const char *text;
	int want;
	const char *same; /* another spelling of it */
} prefixes[] = {
	{"10.88.0.2/32", 0, "10.88.0.2/32"},
	{"10.88.0.0/24", 0, "10.88.0.77/24"}, /* host bits are cleared */
	{"0.0.0.0/0", 0, "255.1.2.3/0"},
	{"fd88::/64", 0, "fd88:0:0:0::99/64"},
	{"fd88::2/128", 0, "FD88:0000::0002/128"},
	{"::/0", 0, "ffff::/0"},
	{"10.88.0.2/33", -EINVAL, NULL},
	{"fd88::/129", -EINVAL, NULL},
	{"10.88.0.2", -EINVAL, NULL},
	{"10.88.0.2/", -EINVAL, NULL},
	{"/24", -EINVAL, NULL},
	{"", -EINVAL, NULL},
	{"/", -EINVAL, NULL},
	{"10.88.0.2/24/24", -EINVAL, NULL},
	{"10.88.0.2/ 24", -EINVAL, NULL},
	{"10.88.0.2/24 ", -EINVAL, NULL},
	{" 10.88.0.2/24", -EINVAL, NULL},
	{"10.88.0.2/+24", -EINVAL, NULL},
	{"10.88.0.2/-1", -EINVAL, NULL},
	{"10.88.0.2/0x18", -EINVAL, NULL},
	{"10.88.0/24", -EINVAL, NULL},
	{"10.88.0.256/24", -EINVAL, NULL},
	{"10.88.0.2/18446744073709551640", -EINVAL, NULL}, /* 2^64 + 24 */
	{"fd88:::/64", -EINVAL, NULL},
	{"fd88::%eth0/64", -EINVAL, NULL},
	{"n2/24", -EINVAL, NULL},
};

START_TEST(prefix_texts)
{
	const struct prefix_row *row = &prefixes[_i];

	ck_assert_msg(bench.host->route_set(bench.host, row->text, number(2)) == row->want, "set \"%s\"", row->text);
	ck_assert_uint_eq(g_hash_table_size(bench.l->node->routes_by_prefix), row->want == 0);
	if (row->want != 0) {
		ck_assert_msg(bench.host->route_del(bench.host, row->text) == row->want, "del \"%s\"", row->text);
		return;
	}
	ck_assert_int_eq(bench.host->route_set(bench.host, row->same, number(3)), 0);
	ck_assert_uint_eq(g_hash_table_size(bench.l->node->routes_by_prefix), 1); /* one prefix, one way */
	ck_assert_int_eq(bench.host->route_del(bench.host, row->same), 0);
	ck_assert_int_eq(bench.host->route_del(bench.host, row->text), -ENOENT);
}
END_TEST

/* ---- routes ---- */

START_TEST(routes)
{
	const struct ela_host *h = bench.host;

	ck_assert_ptr_null(way("10.88.0.2"));
	ck_assert_int_eq(h->route_set(h, "10.88.0.0/24", number(2)), 0);
	ck_assert_int_eq(h->route_set(h, "10.88.0.128/25", number(3)), 0);
	ck_assert_int_eq(h->route_set(h, "fd88::/64", number(4)), 0);
	ck_assert_ptr_eq(way("10.88.0.2"), lone_peer(bench.l, 2));
	ck_assert_ptr_eq(way("10.88.0.200"), lone_peer(bench.l, 3));
	ck_assert_ptr_eq(way("fd88::77"), lone_peer(bench.l, 4));
	ck_assert_ptr_null(way("10.88.1.2"));
	ck_assert_int_eq(h->route_set(h, "10.88.0.128/25", number(4)), 0); /* it moves */
	ck_assert_ptr_eq(way("10.88.0.200"), lone_peer(bench.l, 4));
	ck_assert_int_eq(h->route_del(h, "10.88.0.128/25"), 0);
	ck_assert_ptr_eq(way("10.88.0.200"), lone_peer(bench.l, 2));
	ck_assert_int_eq(h->route_del(h, "10.88.0.128/25"), -ENOENT);
	ck_assert_int_eq(h->route_set(h, "10.88.0.5/32", 99), -ENOENT);
	ck_assert_int_eq(h->route_set(h, "10.88.0.5/32", 0), -ENOENT);
	ck_assert_ptr_eq(way("10.88.0.5"), lone_peer(bench.l, 2));
}
END_TEST

START_TEST(forgotten_with_its_peer)
{
	const struct ela_host *h = bench.host;

	ck_assert_int_eq(h->route_set(h, "10.88.0.2/32", number(2)), 0);
	ck_assert_int_eq(h->route_set(h, "10.99.2.0/24", number(2)), 0);
	ck_assert_int_eq(h->route_set(h, "10.88.0.3/32", number(3)), 0);
	ck_assert_ptr_nonnull(way("10.99.2.9"));
	ela_node_forget_routes(bench.l->node, lone_peer(bench.l, 2));
	ck_assert_ptr_null(way("10.88.0.2"));
	ck_assert_ptr_null(way("10.99.2.9"));
	ck_assert_ptr_eq(way("10.88.0.3"), lone_peer(bench.l, 3));
	lone_renew(bench.l); /* every peer goes and comes */
	ck_assert_uint_eq(g_hash_table_size(bench.l->node->routes_by_prefix), 0);
	ck_assert_ptr_null(way("10.88.0.3"));
}
END_TEST

/* ---- peers, messages, counters ---- */

START_TEST(peers)
{
	struct ela_peer_info info = {.peer = 7777};
	uint32_t seen = 0;

	for (uint32_t cursor = 0; bench.host->peer_next(bench.host, cursor, &info) == 0; cursor = info.peer) {
		char name[16];

		(void)snprintf(name, sizeof name, "n%u", 2 + seen);
		ck_assert_uint_gt(info.peer, cursor);
		ck_assert_str_eq(info.name, name);
		ck_assert_uint_eq(info.peer, number(2 + seen));
		ck_assert_uint_eq(info.id, lone_peer(bench.l, 2 + seen)->id);
		ck_assert_uint_eq(info.n_prefixes, 3);
		(void)snprintf(name, sizeof name, "10.88.0.%u/32", 2 + seen);
		ck_assert_str_eq(info.prefixes[0], name);
		seen++;
	}
	ck_assert_uint_eq(seen, 3);
	info.peer = 7777;
	ck_assert_int_eq(bench.host->peer_next(bench.host, 5000, &info), -ENOENT);
	ck_assert_uint_eq(info.peer, 7777); /* untouched */
}
END_TEST

static uint32_t n_sent, last_len;

static void count_sent(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	(void)l, (void)path;
	n_sent += bytes[1] == ELA_TYPE_MESSAGE;
	last_len = len;
}

START_TEST(messages)
{
	static const uint8_t bytes[1201];
	const struct ela_host *h = bench.host;

	ck_assert_int_eq(h->message_send(h, 99, bytes, 10), -ENOENT);
	ck_assert_int_eq(h->message_send(h, number(2), bytes, 10), -ENOTCONN);
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	bench.l->on_send = count_sent;
	n_sent = 0;
	ck_assert_int_eq(h->message_send(h, number(2), bytes, 1200), 0);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_uint_eq(last_len, 36 + 6 + 1200);
	ck_assert_int_eq(h->message_send(h, number(2), bytes, 0), 0);
	ck_assert_int_eq(h->message_send(h, number(2), bytes, 1201), -EMSGSIZE);
	ck_assert_int_eq(h->message_send(h, number(3), bytes, 10), -ENOTCONN);
	ck_assert_uint_eq(n_sent, 2);
}
END_TEST

static uint32_t got_len;
static uint8_t got[1300];

static void on_message(struct lone *l, const void *bytes, uint32_t len)
{
	(void)l;
	memcpy(got, bytes, len);
	got_len = len;
}

START_TEST(messages_come)
{
	const struct ela_path path = lone_path(2);
	struct ela_session *far_end;
	uint8_t frame[128];
	uint32_t len;

	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	far_end = lone_far_end(bench.l, 2, 7, 9, 1, 1);
	bench.l->on_message = on_message;
	len = ela_session_seal_control(far_end, "\0\0\0\0\7\0hello", 11, frame);
	lone_receive(bench.l, &path, frame, len, len, len, 0);
	ck_assert_uint_eq(got_len, 5);
	ck_assert_mem_eq(got, "hello", 5);
	got_len = 0;
	lone_receive(bench.l, &path, frame, len, len, len, 0); /* once */
	ck_assert_uint_eq(got_len, 0);
	ela_session_free(far_end);
}
END_TEST

/* Each lane its own cache line, control its own. */
/* ---- a ring ---- */

/* A record whose credential is missing: of whom the directory asks it. */
static uint32_t wanted_peer, n_wanted;

static void on_want(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer)
{
	(void)data;
	ck_assert_uint_eq(hash[0], 0xcc);
	wanted_peer = peer;
	n_wanted++;
}

static const struct ela_directory_listener wanting = {.want_credential = on_want};

static void on_record(struct lone *l, const void *bytes, uint32_t len)
{
	struct ela_record_info info;

	(void)l;
	ck_assert_int_eq(bench.host->record_check(bench.host, bytes, len, &info), -EAGAIN);
	got_len = len;
}

static GBytes *unknown_record(uint8_t number)
{
	struct ela_lease lease = {.id = 77, .address = 1, .role = ELA_LEASE_CORE, .credential = {0xcc, number}};
	GBytes *bytes = NULL;
	uint8_t key[32] = {number};

	ck_assert_int_eq(ela_lease_sign(&lease, bench.l->node->network_id, key, &bytes, NULL), 0);
	return bytes;
}

static void receive_record(struct ela_session *far_end, GBytes *record)
{
	const struct ela_path path = lone_path(3);
	uint8_t message[6 + ELA_RECORD_MAX] = {0, 0, 0, 0, 7, 0}, frame[ELA_RECORD_MAX + 128];
	uint32_t len = (uint32_t)g_bytes_get_size(record);

	memcpy(message + 6, g_bytes_get_data(record, NULL), len);
	got_len = 0;
	len = ela_session_seal_control(far_end, message, 6 + len, frame);
	lone_receive(bench.l, &path, frame, len, len, len, 0);
	ck_assert_uint_eq(got_len, g_bytes_get_size(record));
}

START_TEST(who_brought_a_record)
{
	struct ela_node *node = bench.l->node;
	g_autoptr(GBytes) first = unknown_record(1), second = unknown_record(2);
	struct ela_membership *m = NULL;
	struct ela_session *far_end;
	struct ela_record_info info;

	ck_assert_int_eq(ela_membership_new(node->network_id, &ela_file_system, -1, &m, NULL), 0);
	node->directory = ela_directory_new(bench.loop, m, NULL, &wanting);
	node->ring = &ela_directory_services;
	bench.l->on_message = on_record;
	(void)lone_session(bench.l, 3, 7, 9, 1, 1);
	far_end = lone_far_end(bench.l, 3, 7, 9, 1, 1);
	n_wanted = 0;
	receive_record(far_end, first);
	ck_assert(n_wanted == 1 && wanted_peer == number(3));
	ck_assert_int_eq(
		bench.host->record_check(bench.host, g_bytes_get_data(second, NULL), (uint32_t)g_bytes_get_size(second), &info),
		-EAGAIN);
	ck_assert(n_wanted == 2 && wanted_peer == 0); /* nobody is talking now */
	ela_session_free(far_end);
	node->ring = NULL;
	ela_directory_free(node->directory);
	node->directory = NULL;
	ela_membership_free(m);
}
END_TEST

static struct {
	struct ela_node *node;
	uint32_t calls, id, via, len, n;
} asked;

static int ring_check(struct ela_node *node, const void *record, uint32_t len, struct ela_record_info *ret)
{
	(void)record;
	asked.node = node;
	asked.len = len;
	ret->id = 77;
	return 0;
}

static int ring_compare(struct ela_node *node, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	asked.node = node;
	return memcmp(a, b, MIN(a_len, b_len));
}

static int ring_record_set(struct ela_node *node, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	(void)record;
	asked.node = node;
	asked.calls++;
	asked.id = id;
	asked.via = via;
	asked.len = len;
	return 0;
}

static int ring_record_del(struct ela_node *node, uint32_t id)
{
	asked.node = node;
	asked.id = id;
	return -ENOENT;
}

static int ring_ring_set(struct ela_node *node, const uint32_t *ids, uint32_t n)
{
	asked.node = node;
	asked.calls++;
	asked.id = n ? ids[n - 1] : 0;
	asked.n = n;
	return 0;
}

static const struct ela_ring_services services = {
	ring_check, ring_compare, ring_record_set, ring_record_del, ring_ring_set};

/* Static peers: there are no records. */
START_TEST(no_ring)
{
	const struct ela_host *host = bench.host;
	struct ela_record_info info = {.id = 5};

	ck_assert_uint_eq(host->size, sizeof *host);
	ck_assert_uint_eq(host->own_id(host), ela_own_id(bench.l->node));
	ck_assert_int_eq(host->record_check(host, "r", 1, &info), -EOPNOTSUPP);
	ck_assert_uint_eq(info.id, 5);
	ck_assert_int_eq(host->record_compare(host, "a", 1, "b", 1), -EOPNOTSUPP);
	ck_assert_int_eq(host->record_set(host, 1, "r", 1, 1), -EOPNOTSUPP);
	ck_assert_int_eq(host->record_del(host, 1), -EOPNOTSUPP);
	ck_assert_int_eq(host->ring_set(host, NULL, 0), -EOPNOTSUPP);
}
END_TEST

START_TEST(ring_services)
{
	static const uint32_t rising[] = {1, 2, 0xfffffffe}, bad[][2] = {{2, 1}, {1, 1}, {0, 1}, {1, UINT32_MAX}};
	const struct ela_host *host = bench.host;
	struct ela_record_info info;

	bench.l->node->ring = &services;
	ck_assert_int_eq(host->record_check(host, "r", 1, &info), 0);
	ck_assert_uint_eq(info.id, 77);
	ck_assert_ptr_eq(asked.node, bench.l->node);
	ck_assert_int_eq(host->record_check(host, "r", ELA_RECORD_MAX + 1, &info), -EBADMSG);
	ck_assert_uint_eq(asked.len, 1);
	ck_assert_int_lt(host->record_compare(host, "a", 1, "b", 1), 0);
	ck_assert_int_eq(host->record_set(host, 5, "r", 1, 6), 0);
	ck_assert_uint_eq(asked.id, 5);
	ck_assert_uint_eq(asked.via, 6);
	ck_assert_int_eq(host->record_set(host, 0, "r", 1, 6), -EINVAL);
	ck_assert_int_eq(host->record_set(host, UINT32_MAX, "r", 1, 6), -EINVAL);
	ck_assert_int_eq(host->record_set(host, 5, "r", 1, 0), -EINVAL);
	ck_assert_int_eq(host->record_set(host, 5, "r", 1, UINT32_MAX), -EINVAL);
	ck_assert_int_eq(host->record_set(host, 5, "r", ELA_RECORD_MAX + 1, 6), -EMSGSIZE);
	ck_assert_int_eq(host->record_del(host, 9), -ENOENT);
	ck_assert_uint_eq(asked.id, 9);
	asked.calls = 0;
	ck_assert_int_eq(host->ring_set(host, rising, 3), 0);
	ck_assert_uint_eq(asked.id, 0xfffffffe);
	ck_assert_int_eq(host->ring_set(host, NULL, 0), 0);
	ck_assert_uint_eq(asked.n, 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(host->ring_set(host, bad[i], 2), -EINVAL);
	ck_assert_uint_eq(asked.calls, 2);
	bench.l->node->ring = NULL;
}
END_TEST

static uint32_t flags_of(uint32_t k)
{
	struct ela_peer_info info;

	ck_assert_int_eq(bench.host->peer_next(bench.host, number(k) - 1, &info), 0);
	return info.flags;
}

/* A peer is flagged while it has a session, by what its path is of; one that a neighbour relays is neither. */
START_TEST(peer_flags)
{
	struct ela_link link = {0};

	ck_assert_uint_eq(flags_of(2), 0);
	(void)lone_session(bench.l, 2, 5, 6, 1, 1);
	ck_assert_uint_eq(flags_of(2), ELA_PEER_DATAGRAM | ELA_PEER_DIRECT);
	ck_assert_uint_eq(flags_of(3), 0);
	lone_peer(bench.l, 2)->tx_shadow->link = &link;
	ck_assert_uint_eq(flags_of(2), ELA_PEER_DIRECT);
	lone_peer(bench.l, 2)->tx_shadow->link = NULL;
	(void)lone_session(bench.l, 3, 7, 8, 1, 2);
	ck_assert_int_eq(ela_peer_via(lone_peer(bench.l, 3), lone_peer(bench.l, 2)), 0);
	ck_assert_ptr_eq(lone_peer(bench.l, 3)->tx_shadow->via, lone_peer(bench.l, 2));
	ck_assert_uint_eq(flags_of(3), 0);
	ck_assert_uint_eq(flags_of(2), ELA_PEER_DATAGRAM | ELA_PEER_DIRECT);
}
END_TEST

START_TEST(counter_blocks)
{
	const struct ela_host *h = bench.host;
	uintptr_t control = (uintptr_t)h->counters(h, ELA_LANE_CONTROL);

	ck_assert_uint_eq(h->n_lanes, 3);
	for (uint32_t i = 0; i < ELA_MAX_LANES; i++) {
		uintptr_t block = (uintptr_t)h->counters(h, i);

		ck_assert_uint_eq(block % 64, 0);
		ck_assert_uint_ne(block, control);
		for (uint32_t k = 0; k < i; k++)
			ck_assert_uint_ne(block / 64, (uintptr_t)h->counters(h, k) / 64);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("routes");
	TCase *tc = tcase_create("host");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, prefix_texts, 0, (int)(sizeof prefixes / sizeof prefixes[0]));
	tcase_add_test(tc, routes);
	tcase_add_test(tc, forgotten_with_its_peer);
	tcase_add_test(tc, peers);
	tcase_add_test(tc, messages);
	tcase_add_test(tc, messages_come);
	tcase_add_test(tc, who_brought_a_record);
	tcase_add_test(tc, no_ring);
	tcase_add_test(tc, ring_services);
	tcase_add_test(tc, peer_flags);
	tcase_add_test(tc, counter_blocks);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
