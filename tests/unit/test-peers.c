/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-peers: peers that no configuration names (lone.h): made, changed and dropped while the node runs; their
 * sessions, routes and sources; what is refused; that a reload leaves them alone. Node 1 knows nobody by its ini; node
 * 2 knows 1, and node 3 nobody either.
 */
#include "peer.h"

#include "crypto.h"
#include "fib.h"
#include "inet.h"
#include "lone.h"
#include "node.h"
#include "own.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N 3u

struct message {
	uint32_t len;
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
};

static struct {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *nodes[N + 1];
	struct message said[N + 1];
	struct ela_path to[N + 1];
	uint32_t n_said[N + 1], n_written[N + 1];
} bench;

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct message *m = &bench.said[l->number];

	ck_assert_uint_le(len, sizeof m->bytes);
	m->len = len;
	memcpy(m->bytes, bytes, len);
	bench.to[l->number] = *path;
	bench.n_said[l->number]++;
}

static int on_write(struct lone *l, const struct ela_packet *pkt)
{
	(void)pkt;
	bench.n_written[l->number]++;
	return 0;
}

static void setup(void)
{
	const struct ela_plugin *cipher = test_plugin_load(CIPHER_AEAD);
	const struct lone_spec specs[N] = {
		{.cipher = cipher, .number = 1, .knows = (const uint8_t[]){0}},
		{.cipher = cipher, .number = 2, .knows = (const uint8_t[]){1, 0}},
		{.cipher = cipher, .number = 3, .knows = (const uint8_t[]){0}},
	};

	memset(&bench, 0, sizeof bench);
	bench.world = lone_world_new(specs, N);
	bench.loop = ela_loop_virtual_new(21);
	for (uint32_t i = 0; i < N; i++) {
		bench.nodes[i + 1] = lone_new(bench.world, i, bench.loop);
		bench.nodes[i + 1]->on_send = on_send;
		bench.nodes[i + 1]->on_write = on_write;
	}
}

static void teardown(void)
{
	for (uint32_t i = 1; i <= N; i++)
		lone_free(bench.nodes[i]);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
}

static struct ela_addr addr(const char *text)
{
	struct ela_addr a = {0};

	if (text)
		ck_assert_int_eq(ela_inet_addr(text, &a), 0);
	return a;
}

/* Node k as node of knows it: its address text (NULL: none), called at node at's endpoint (0: not at all). */
static struct ela_peer_spec spec_of(uint32_t k, const char *ip4, const char *ip6, uint32_t at)
{
	static struct ela_addr endpoint;
	static char name[16];

	(void)g_snprintf(name, sizeof name, "n%u", k);

	endpoint = lone_addr(at ? at : 1);
	return (struct ela_peer_spec){
		.name = name, .ip4 = addr(ip4), .ip6 = addr(ip6), .endpoints = &endpoint, .n_endpoints = at != 0};
}

static int add(uint32_t of, uint32_t k, const char *ip4, const char *ip6, uint32_t at, struct ela_peer **ret)
{
	const struct ela_peer_spec spec = spec_of(k, ip4, ip6, at);
	uint8_t private_key[ELA_KEY_LEN], key[ELA_KEY_LEN];

	lone_key(k, private_key, key);
	return ela_peer_add(bench.nodes[of]->node, key, &spec, ret);
}

static int change(uint32_t k, struct ela_peer *peer, const char *ip4, const char *ip6, uint32_t at)
{
	const struct ela_peer_spec spec = spec_of(k, ip4, ip6, at);

	return ela_peer_change(peer, &spec);
}

static void bring(uint32_t from, uint32_t to)
{
	const struct ela_path path = lone_path(from);
	const struct message m = bench.said[from];

	lone_receive(bench.nodes[to], &path, m.bytes, m.len, m.len, m.len, 0);
}

/* Node 1 calls the peer, node 2 answers. */
static void connect_to_2(struct ela_peer *peer)
{
	ela_initiate(peer);
	bring(1, 2);
	bring(2, 1);
	bring(1, 2);
	ck_assert_ptr_nonnull(peer->current);
	ck_assert_ptr_nonnull(lone_peer(bench.nodes[2], 1)->current);
}

static struct ela_peer *way(uint32_t of, const char *text)
{
	const struct ela_fib *fib;
	struct ela_addr a = addr(text);

	lone_look(bench.nodes[of]);
	fib = atomic_load(&bench.nodes[of]->node->routes);
	return a.family == ELA_ADDR_IP4 ? ela_fib_lookup4(fib, a.ip) : ela_fib_lookup6(fib, a.ip);
}

/* A packet that says it is from the address, sealed by node 2 for node 1: does it reach node 1's device? */
static bool reaches(struct ela_session *far_end, uint64_t sequence, const char *from)
{
	const struct ela_addr source = addr(from);
	const struct ela_path path = lone_path(2);
	uint8_t packet[28] = {0x45, [3] = 28, [8] = 64, [9] = 17, [16] = 10, 88, 0, 1, [25] = 8}, frame[128];
	uint32_t sum = 0, len, before = bench.n_written[1];

	memcpy(packet + 12, source.ip, 4);
	for (uint32_t i = 0; i < 20; i += 2)
		sum += ela_get16(packet + i);
	ela_put16(packet + 10, (uint16_t) ~(sum % 0xffff));
	len = lone_seal(far_end, 0, sequence, 0, packet, sizeof packet, frame);
	lone_receive(bench.nodes[1], &path, frame, len, len, len, 0);
	return bench.n_written[1] == before + 1;
}

/* ---- made ---- */

START_TEST(made_and_called)
{
	struct ela_peer *peer = NULL;
	struct ela_addr two = lone_addr(2);

	ck_assert_int_eq(add(1, 2, "10.88.0.2", "fd88::2", 2, &peer), 0);
	ck_assert_ptr_eq(lone_peer(bench.nodes[1], 2), peer);
	ck_assert_str_eq(peer->name, "n2");
	lone_pass(bench.loop, ELA_SEC);
	ck_assert_uint_eq(bench.n_said[1], 0); /* nobody is called by that alone */
	connect_to_2(peer);
	ck_assert_mem_eq(&bench.to[1].remote, &two, sizeof two);
	ck_assert_ptr_eq(way(1, "10.88.0.2"), peer);
	ck_assert_ptr_eq(way(1, "fd88::2"), peer);
	ck_assert_ptr_null(way(1, "10.88.0.3"));
}
END_TEST

/* The other way round: known by its key alone, it calls, and gets an address while its session lives. */
START_TEST(address_later)
{
	struct ela_peer *peer = NULL;
	struct ela_session *far_end, *s;
	uint32_t id;

	ck_assert_int_eq(add(1, 2, NULL, NULL, 0, &peer), 0);
	ck_assert_uint_eq(peer->id, 0);
	s = lone_session(bench.nodes[1], 2, 77, 9, 1, 7);
	far_end = lone_far_end(bench.nodes[1], 2, 77, 9, 1, 7);
	ck_assert(!reaches(far_end, 1, "10.88.0.2")); /* no packet is its */
	ck_assert_uint_eq(lone_counter(bench.nodes[1], "drop-source"), 1);
	ck_assert_ptr_null(way(1, "10.88.0.2"));
	ck_assert_int_eq(change(2, peer, "10.88.0.2", NULL, 0), 0);
	ck_assert_int_eq(ela_node_id(bench.nodes[1]->node->network_id, addr("10.88.0.2").ip, &id), 0);
	ck_assert_uint_eq(peer->id, id);
	ck_assert_ptr_eq(peer->current, s);
	ck_assert(reaches(far_end, 2, "10.88.0.2"));
	ck_assert(!reaches(far_end, 3, "10.88.0.3"));
	ck_assert_ptr_eq(way(1, "10.88.0.2"), peer);
	/* its endpoint alone is new: it goes on as well */
	ck_assert_int_eq(change(2, peer, "10.88.0.2", NULL, 2), 0);
	ck_assert_ptr_eq(peer->current, s);
	ck_assert_uint_eq(peer->n_addrs, 1);
	/* another address: what was agreed names the old ID */
	ck_assert_int_eq(change(2, peer, "10.88.0.9", NULL, 2), 0);
	ck_assert_ptr_null(peer->current);
	ck_assert_ptr_null(way(1, "10.88.0.2"));
	ck_assert_ptr_eq(way(1, "10.88.0.9"), peer);
	ck_assert(!reaches(far_end, 4, "10.88.0.2"));
	ela_session_free(far_end);
}
END_TEST

/*
 * Packets go on while something is new of their peer: sources and routes are published once each, and each publication
 * retires what was there before.
 */
START_TEST(way_stays)
{
	struct ela_node *node = bench.nodes[1]->node;
	struct ela_peer *peer = NULL;
	uint64_t before;

	ck_assert_int_eq(add(1, 2, "10.88.0.2", NULL, 2, &peer), 0);
	before = atomic_load(&node->qsbr.epoch);
	ck_assert_int_eq(change(2, peer, "10.88.0.2", NULL, 0), 0);
	ck_assert_uint_eq(atomic_load(&node->qsbr.epoch) - before, 2);
	ck_assert_ptr_eq(way(1, "10.88.0.2"), peer);
}
END_TEST

START_TEST(dropped)
{
	struct ela_peer *peer = NULL, *third = NULL;

	ck_assert_int_eq(add(1, 2, "10.88.0.2", NULL, 2, &peer), 0);
	ck_assert_int_eq(add(1, 3, "10.88.0.3", NULL, 3, &third), 0);
	connect_to_2(peer);
	ela_peer_drop(peer);
	ck_assert_ptr_null(lone_peer(bench.nodes[1], 2));
	ck_assert_ptr_eq(lone_peer(bench.nodes[1], 3), third);
	ck_assert_ptr_null(way(1, "10.88.0.2"));
	ck_assert_ptr_eq(way(1, "10.88.0.3"), third);
	bench.n_said[1] = 0;
	bring(2, 1);
	lone_pass(bench.loop, 30 * ELA_SEC);
	ck_assert_uint_eq(bench.n_said[1], 0);
	ck_assert_int_eq(add(1, 2, "10.88.0.2", NULL, 2, &peer), 0); /* and may come again */
	lone_pass(bench.loop, 30 * ELA_SEC);
	connect_to_2(peer);
}
END_TEST

/* ---- refused ---- */

START_TEST(refused)
{
	struct ela_peer *peer = NULL, *other = NULL;

	ck_assert_int_eq(add(1, 1, "10.88.0.5", NULL, 0, &other), -EINVAL); /* our own key */
	ck_assert_int_eq(add(1, 3, "fd88::3", NULL, 0, &other), -EINVAL);   /* no IPv4 address */
	ck_assert_int_eq(add(1, 3, NULL, "fd88::3", 0, &other), -EINVAL);   /* IPv6 alone */
	ck_assert_int_eq(add(1, 3, "10.88.0.3", "10.88.0.4", 0, &other), -EINVAL);
	ck_assert_int_eq(add(1, 3, "10.88.0.1", NULL, 0, &other), -EEXIST); /* our own address */
	ck_assert_int_eq(add(1, 2, "10.88.0.2", NULL, 0, &peer), 0);
	ck_assert_int_eq(add(1, 2, "10.88.0.7", NULL, 0, &other), -EEXIST); /* the key */
	ck_assert_int_eq(add(1, 3, "10.88.0.2", NULL, 0, &other), -EEXIST); /* the address */
	ck_assert_ptr_null(other);
	ck_assert_int_eq(add(1, 3, "10.88.0.3", NULL, 0, &other), 0);
	ck_assert_int_eq(change(3, other, "10.88.0.2", NULL, 0), -EEXIST);
	ck_assert_int_eq(change(3, other, NULL, "fd88::3", 0), -EINVAL);
	ck_assert_ptr_eq(way(1, "10.88.0.3"), other); /* nothing has changed */
	ck_assert_ptr_eq(way(1, "10.88.0.2"), peer);
	ck_assert_int_eq(change(1, lone_peer(bench.nodes[2], 1), "10.88.0.9", NULL, 0), -EINVAL); /* of ela.ini */
}
END_TEST

START_TEST(enough)
{
	struct ela_node *node = bench.nodes[1]->node;
	struct ela_peer *peer = NULL;
	int err = 0;

	for (uint32_t i = 0; i <= ELA_MAX_PEERS; i++) {
		uint8_t key[ELA_KEY_LEN] = {9, (uint8_t)i, (uint8_t)(i >> 8)};
		const struct ela_peer_spec spec = {.name = "one of many"};

		err = ela_peer_add(node, key, &spec, &peer);
		if (i < ELA_MAX_PEERS)
			ck_assert_msg(err == 0, "peer %u: %d", i, err);
	}
	ck_assert_int_eq(err, -ENOSPC);
	ela_peer_drop(peer);
	ck_assert_int_eq(add(1, 2, "10.88.0.2", NULL, 2, &peer), 0);
	connect_to_2(peer);
}
END_TEST

/* ---- beside a configuration ---- */

START_TEST(reloaded)
{
	struct lone *two = bench.nodes[2];
	struct ela_peer *made = NULL, *named = lone_peer(two, 1);
	GError *error = NULL;

	ck_assert_int_eq(add(2, 3, "10.88.0.3", NULL, 3, &made), 0);
	ck_assert_msg(ela_node_reload(two->node, two->node->config, &error), "%s", error ? error->message : "");
	ck_assert_ptr_eq(lone_peer(two, 1), named);
	ck_assert_ptr_eq(lone_peer(two, 3), made);
	ck_assert_ptr_eq(way(2, "10.88.0.3"), made);
	ck_assert_uint_eq(made->n_addrs, 1);
	ela_peer_drop(made);
	ck_assert_ptr_null(way(2, "10.88.0.3"));
	ck_assert_ptr_eq(lone_peer(two, 1), named);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("peers");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, made_and_called);
	tcase_add_test(all, address_later);
	tcase_add_test(all, way_stays);
	tcase_add_test(all, dropped);
	tcase_add_test(all, refused);
	tcase_add_test(all, enough);
	tcase_add_test(all, reloaded);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
