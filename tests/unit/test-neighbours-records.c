/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-neighbours-records: peers of records that come, move, are another's and go, beside what the records say
 * (ring-bench.h). Node 1 is the edge that has them.
 */
#include "crypto.h"
#include "naive.h"
#include "own.h"
#include "ring-bench.h"

#include <check.h>
#include <stdlib.h>

static struct ring_bench *b;

static void begin(void)
{
	b = ring_new(2, (const uint32_t[]){1, 2});
}

static void end(void)
{
	ring_free(b);
	b = NULL;
}

#define IDENTITIES 60u

/* A node that is a record alone; of the address it said last there may be another's record now. */
struct identity {
	GBytes *credential;
	uint8_t key[32];
	struct ela_lease lease;
};
static struct identity *identities;
static uint32_t n_identities;

static uint8_t number_of(uint32_t i)
{
	return (uint8_t)(20 + i);
}

static void make_identities(uint32_t n)
{
	identities = g_new0(struct identity, n);
	n_identities = n;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t private_key[32];

		world_private(number_of(i), private_key);
		ck_assert_int_eq(ela_x25519_public(private_key, identities[i].key), 0);
		identities[i].credential = world_credential(b->world, b->world->sada, number_of(i), number_of(i), 1);
		world_offered(b->membership, world_offer_credential, identities[i].credential, 0, NULL);
	}
}

static void free_identities(void)
{
	for (uint32_t i = 0; i < n_identities; i++)
		g_bytes_unref(identities[i].credential);
	g_free(identities);
}

/* Identity i says that it is at 10.77.0.address. */
static void say(uint32_t i, uint8_t address, enum ela_lease_role role, uint64_t sequence)
{
	struct ela_lease *lease = &identities[i].lease;
	g_autoptr(GBytes) record = NULL;

	*lease = world_lease(b->world, identities[i].credential, 0x0a4d0000u + address);
	lease->role = role;
	lease->parent = role == ELA_LEASE_EDGE ? 1 : 0;
	lease->sequence = sequence;
	lease->places[0].addr.ip[3] = 250;
	lease->places[0].tcp_port = (uint16_t)(7000 + sequence % 4);
	record = world_record(b->world, lease, number_of(i));
	ck_assert_int_eq(ela_directory_record_set(b->nodes[1].directory, lease->id, g_bytes_get_data(record, NULL),
						 (uint32_t)g_bytes_get_size(record), lease->id),
		0);
}

/* Of all records of the key, the one that it said last; NULL: there is none. */
static const struct ela_known *naive_record(uint32_t i)
{
	const struct ela_known *known, *best = NULL;

	for (uint32_t id = 0; (known = ela_directory_next(b->nodes[1].directory, id)) != NULL; id = known->id)
		if (memcmp(known->lease.credential, identities[i].lease.credential, ELA_HASH_LEN) == 0 &&
			(!best || known->lease.sequence > best->lease.sequence))
			best = known;
	return best;
}

static void check_peers(void)
{
	struct ela_node *node = b->nodes[1].lone->node;
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_identities; i++) {
		const struct ela_known *known = naive_record(i);
		const struct ela_peer *peer = ela_peer_by_key(node, identities[i].key);
		uint16_t tcp = known ? known->lease.places[0].tcp_port : 0;

		n += known != NULL;
		if ((known != NULL) != (peer != NULL))
			naive_fail("identity %u has %s record and %s peer", i, known ? "a" : "no", peer ? "a" : "no");
		if (!peer)
			continue;
		if (peer->id != known->id || peer->n_addrs != 2 || peer->addrs[0].port != 7450 || peer->addrs[1].port != tcp)
			naive_fail("peer of identity %u is not as its record says", i);
	}
	if (ela_peers_list(node)->n != n)
		naive_fail("found %u peers, wanted %u", ela_peers_list(node)->n, n);
}

static uint32_t n_indices(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ELA_INDEX_SLOTS; i++)
		n += b->nodes[1].lone->node->index_used[i];
	return n;
}

/* Where it said its newest word it says an earlier one, within a turn: what it said elsewhere is the newest now. */
START_TEST(earlier)
{
	begin();
	ela_neighbours_set_role(b->nodes[1].neighbours, ELA_LEASE_EDGE);
	make_identities(1);
	say(0, 101, ELA_LEASE_EDGE, 75);
	say(0, 100, ELA_LEASE_EDGE, 102);
	ring_pass(b, ELA_MSEC);
	check_peers();
	ck_assert_int_eq(ela_directory_record_del(b->nodes[1].directory, ring_id_of(b, 100)), 0);
	say(0, 100, ELA_LEASE_EDGE, 50);
	ring_pass(b, ELA_MSEC);
	check_peers();
	ck_assert_uint_eq(ela_peer_by_key(b->nodes[1].lone->node, identities[0].key)->id, ring_id_of(b, 101));
	free_identities();
	end();
}
END_TEST

/* A guest has the address of a record, and takes another one: nothing is said of that, and no peer goes. */
START_TEST(address_taken)
{
	struct ela_peer_spec spec = {.name = "guest"};
	const uint8_t key[ELA_KEY_LEN] = {9};
	struct ela_peer *guest;
	struct ela_node *node;

	begin();
	node = b->nodes[1].lone->node;
	make_identities(1);
	spec.ip4 = (struct ela_addr){.family = ELA_ADDR_IP4, .ip = {10, 77, 0, 100}};
	ck_assert_int_eq(ela_peer_add(node, key, &spec, &guest), 0);
	say(0, 100, ELA_LEASE_EDGE, 1);
	ring_pass(b, 3 * ELA_LACKING_NS);
	ck_assert_ptr_null(ela_peer_by_key(node, identities[0].key));
	spec.ip4.ip[3] = 101;
	ck_assert_int_eq(ela_peer_change(guest, &spec), 0);
	ring_pass(b, ELA_LACKING_NS);
	ck_assert_ptr_nonnull(ela_peer_by_key(node, identities[0].key));
	ela_peer_drop(guest);
	check_peers();
	free_identities();
	end();
}
END_TEST

/* Thousands come, move, take each other's addresses and go; nothing is left of them. */
START_TEST(come_and_go)
{
	struct naive_rng rng = naive_seed("neighbours-records");
	struct ela_node *node;

	begin();
	node = b->nodes[1].lone->node;
	ela_neighbours_set_role(b->nodes[1].neighbours, ELA_LEASE_EDGE);
	make_identities(IDENTITIES);
	for (uint64_t round = naive_scaled(4000); round > 0; round--) {
		uint32_t i = naive_below(&rng, IDENTITIES);

		if (identities[i].lease.id && naive_one_in(&rng, 2))
			(void)ela_directory_record_del(b->nodes[1].directory, identities[i].lease.id); /* or another's by now */
		if (naive_one_in(&rng, 2)) {
			uint8_t address = (uint8_t)(100 + naive_below(&rng, 90));

			/* it was there before, and left: its record there is no renewal */
			(void)ela_directory_record_del(b->nodes[1].directory, ring_id_of(b, address)); /* or nobody was */
			say(i, address, naive_one_in(&rng, 2) ? ELA_LEASE_CORE : ELA_LEASE_EDGE, 1 + naive_below(&rng, 1000000000));
		}
		if (naive_one_in(&rng, 4))
			ring_pass(b, naive_below(&rng, 2) ? ELA_MSEC : 400 * ELA_MSEC);
		if (naive_one_in(&rng, 16)) {
			ring_pass(b, ELA_MSEC);
			check_peers();
		}
	}
	for (uint32_t id = 0; ela_directory_next(b->nodes[1].directory, id);)
		(void)ela_directory_record_del(
			b->nodes[1].directory, ela_directory_next(b->nodes[1].directory, id)->id); /* it is there */
	ring_pass(b, 20 * ELA_SEC);
	check_peers();
	ck_assert_uint_eq(n_indices(), 0);
	ck_assert_uint_eq(node->links->len, 0);
	ck_assert_uint_eq(g_hash_table_size(node->routes_by_prefix), 0);
	free_identities();
	end();
}
END_TEST

/* There is no room for all: the others become peers when somebody goes. */
START_TEST(full)
{
	struct ela_node *node;
	struct ela_peer *dummies[ELA_MAX_PEERS];

	begin();
	node = b->nodes[1].lone->node;
	make_identities(6);
	for (uint32_t i = 0; i < ELA_MAX_PEERS - 3; i++) {
		const struct ela_peer_spec spec = {.name = "one of many"};
		uint8_t key[ELA_KEY_LEN] = {9, (uint8_t)i, (uint8_t)(i >> 8)};

		ck_assert_int_eq(ela_peer_add(node, key, &spec, &dummies[i]), 0);
	}
	for (uint32_t i = 0; i < 6; i++)
		say(i, (uint8_t)(100 + i), ELA_LEASE_EDGE, 5);
	ring_pass(b, ELA_MSEC);
	ck_assert_uint_eq(ela_peers_list(node)->n, ELA_MAX_PEERS);
	ela_peer_drop(dummies[0]);
	ela_peer_drop(dummies[1]);
	ring_pass(b, ELA_MSEC);
	ck_assert_uint_eq(ela_peers_list(node)->n, ELA_MAX_PEERS);
	for (uint32_t i = 2; i < ELA_MAX_PEERS - 3; i++)
		ela_peer_drop(dummies[i]);
	ring_pass(b, ELA_MSEC);
	check_peers();
	ck_assert_uint_eq(ela_peers_list(node)->n, 6);
	free_identities();
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbours-records");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 120);
	tcase_add_test(all, earlier);
	tcase_add_test(all, address_taken);
	tcase_add_test(all, come_and_go);
	tcase_add_test(all, full);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
