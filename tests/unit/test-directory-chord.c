/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-directory-chord: route-chord against the real directory: signed records, a membership, a directory and an own
 * record for each node of a chord-world, whose double of the ring services stands aside. One thread.
 */
#include "chord-world.h"
#include "chord.h"
#include "directory.h"
#include "own-record.h"
#include "state.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define NODES 5u
#define EDGE 4u /* this one is none of the cores: a leaf of node 0, its parent, and of node 1 */
#define CORES 4u

/* Node i of chord-world has key i + 1 of world, slot i and address 10.77.0.(i + 1). */
struct member {
	struct ela_node *node; /* holds the directory and nothing else */
	struct ela_membership *m;
	struct ela_own_record *own;
	struct ela_timer *turn;
	uint32_t n_wanted, wanted_peer, n_changed, n_gone, n_ring, n_twice;
	uint8_t wanted[ELA_HASH_LEN];
	GBytes *brings; /* what want_credential() is answered with; NULL: nothing comes */
};

static struct world *w;
static struct chord_world *chords;
static struct member members[NODES];
static GBytes *credentials[NODES];
static struct ela_routing_ops wrapped;

static struct member *member_of(const struct ela_host *host)
{
	return &members[((const struct chord_node *)host->priv)->number];
}

/* ---- host: the directory's services ---- */

static int record_check(const struct ela_host *host, const void *record, uint32_t len, struct ela_record_info *ret)
{
	return ela_directory_services.record_check(member_of(host)->node, record, len, ret);
}

static int record_compare(const struct ela_host *host, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	return ela_directory_services.record_compare(member_of(host)->node, a, a_len, b, b_len);
}

static int record_set(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	return ela_directory_services.record_set(member_of(host)->node, id, record, len, via);
}

static int record_del(const struct ela_host *host, uint32_t id)
{
	return ela_directory_services.record_del(member_of(host)->node, id);
}

static int ring_set(const struct ela_host *host, const uint32_t *ids, uint32_t n)
{
	return ela_directory_services.ring_set(member_of(host)->node, ids, n);
}

/* As core/control.c does. */
static void on_message(void *self, uint32_t peer, const void *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < NODES; i++)
		if (chords->nodes[i].self == self) {
			ela_directory_brought_by(members[i].node->directory, peer);
			((const struct ela_routing_ops *)ela_plugin.ops)->on_message(self, peer, bytes, len);
			ela_directory_brought_by(members[i].node->directory, 0);
		}
}

/* ---- listener ---- */

static void on_changed(void *data, uint32_t id)
{
	struct member *member = data;

	member->n_changed++;
	ck_assert_ptr_nonnull(ela_directory_find(member->node->directory, id));
}

static void on_gone(void *data, uint32_t id)
{
	struct member *member = data;

	member->n_gone++;
	ck_assert_ptr_null(ela_directory_find(member->node->directory, id));
}

static void on_ring(void *data)
{
	((struct member *)data)->n_ring++;
}

static void bring(void *data)
{
	struct member *member = data;

	world_offered(member->m, world_offer_credential, member->brings, 0, NULL);
	ela_directory_recheck(member->node->directory);
}

static void on_want(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer)
{
	struct member *member = data;

	member->n_wanted++;
	member->wanted_peer = peer;
	memcpy(member->wanted, hash, ELA_HASH_LEN);
	if (member->brings)
		ck_assert_int_eq(chords->loop->ops->post(chords->loop, bring, member), 0);
}

static void on_own(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	struct member *member = data;

	if (ela_own_record_shown(member->own, lease, bytes, len, ela_loop_now(chords->loop)))
		chords->loop->ops->timer_set(member->turn, ela_loop_now(chords->loop));
}

static struct ela_directory_listener listeners[NODES];

/* ---- own records ---- */

static void on_publish(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	uint32_t i = (uint32_t)((const struct member *)data - members);
	struct chord_node *node = &chords->nodes[i];
	int err = chords->ops->update(node->self, lease->id, bytes, len);

	if (err == -ENOENT)
		err = chords->ops->insert(node->self, lease->id, bytes, len);
	ck_assert_int_eq(err, 0);
}

static void on_twice(void *data, uint64_t until_ns)
{
	((struct member *)data)->n_twice++;
	ck_assert_uint_gt(until_ns, ela_loop_now(chords->loop));
}

static void on_random(void *data, void *buf, size_t len)
{
	(void)data;
	chords->loop->ops->random(chords->loop, buf, len);
}

static struct ela_own_record_ops own_ops[NODES];

static void on_turn(void *data)
{
	struct member *member = data;
	uint64_t next_ns = ela_own_record_turn(member->own, ela_loop_now(chords->loop));

	chords->loop->ops->timer_set(member->turn, next_ns == UINT64_MAX ? 0 : next_ns);
}

static struct ela_lease lease_of(uint32_t i)
{
	struct ela_lease lease = world_lease(w, credentials[i], 0x0a4d0001 + i);

	if (i == EDGE) {
		lease.role = ELA_LEASE_EDGE;
		lease.parent = chords->nodes[0].id;
	}
	return lease;
}

static void say(uint32_t i, const struct ela_lease *lease)
{
	ck_assert_int_eq(ela_own_record_say(members[i].own, lease, NULL), 0);
	on_turn(&members[i]);
}

/* ---- life ---- */

static void start_member(uint32_t i, uint8_t key)
{
	struct member *member = &members[i];
	struct ela_loop *loop = chords->loop;
	uint8_t private_key[32], hash[ELA_HASH_LEN];

	*member = (struct member){.node = g_new0(struct ela_node, 1), .m = world_member(w)};
	member->turn = loop->ops->timer_new(loop, on_turn, member);
	listeners[i] = (struct ela_directory_listener){on_changed, on_gone, on_ring, on_want, on_own, member};
	own_ops[i] = (struct ela_own_record_ops){on_publish, on_twice, on_random, member};
	member->node->directory = ela_directory_new(loop, member->m, NULL, &listeners[i]);
	world_private(key, private_key);
	world_node_hash(key, hash);
	ela_directory_set_own(member->node->directory, hash);
	ela_directory_attach(member->node->directory, chords->ops, chords->nodes[i].self);
	ck_assert_int_eq(
		ela_own_record_new(w->genesis.network_id, private_key, &ela_file_system, -1, &own_ops[i], &member->own, NULL),
		0);
	chords->nodes[i].host.record_check = record_check;
	chords->nodes[i].host.record_compare = record_compare;
	chords->nodes[i].host.record_set = record_set;
	chords->nodes[i].host.record_del = record_del;
	chords->nodes[i].host.ring_set = ring_set;
}

static void setup(void)
{
	w = world_new();
	w->list->users[0].rights.max_nodes = NODES;
	chords = chord_world_new(5, NODES);
	wrapped = *chords->ops;
	wrapped.on_message = on_message;
	chords->ops = &wrapped;
	for (uint32_t i = 0; i < NODES; i++) {
		credentials[i] = world_credential(w, w->sada, (uint8_t)(i + 1), i, 1);
		chords->nodes[i].id = world_lease(w, credentials[i], 0x0a4d0001 + i).id;
		start_member(i, (uint8_t)(i + 1));
	}
}

static void teardown(void)
{
	for (uint32_t i = 0; i < NODES; i++)
		chords->loop->ops->timer_free(members[i].turn);
	for (uint32_t i = 0; i < NODES; i++)
		if (chords->nodes[i].self)
			chord_world_crash(chords, i); /* which takes back all that it told, or fails */
	for (uint32_t i = 0; i < NODES; i++) {
		ck_assert_uint_eq(ela_directory_count(members[i].node->directory), 0);
		ck_assert_uint_eq(ela_directory_cores(members[i].node->directory)->n, 0);
		ela_directory_free(members[i].node->directory);
		ela_own_record_free(members[i].own);
		ela_membership_free(members[i].m);
		g_free(members[i].node);
		g_bytes_unref(credentials[i]);
	}
	chord_world_free(chords);
	world_free(w);
}

/* Everybody knows all credentials but that of node `unknown` at node 0; NODES: none. Linked, on the ring, published. */
static void begin(uint32_t unknown)
{
	for (uint32_t i = 0; i < NODES; i++)
		for (uint32_t k = 0; k < NODES; k++)
			if (i != 0 || k != unknown)
				world_offered(members[i].m, world_offer_credential, credentials[k], 0, NULL);
	for (uint32_t i = 0; i < NODES; i++)
		for (uint32_t k = 0; k < i; k++)
			if (i != EDGE)
				chord_world_link(chords, i, k, true);
			else if (k < 2)
				chord_world_link_by(chords, i, k, ELA_PEER_DIRECT);
	for (uint32_t i = 0; i < NODES; i++) {
		struct ela_lease lease = lease_of(i);

		if (i != EDGE)
			ck_assert_int_eq(chords->ops->join(chords->nodes[i].self), 0);
		say(i, &lease);
	}
	chord_world_run(chords, 10 * ELA_SEC);
}

static struct ela_directory *directory(uint32_t i)
{
	return members[i].node->directory;
}

static bool knows(uint32_t i, uint32_t k)
{
	const struct ela_known *known = ela_directory_find(directory(i), chords->nodes[k].id);

	if (known)
		ck_assert_uint_eq(known->via, chords->nodes[k == EDGE ? 0 : k].id);
	return known != NULL;
}

/* The next ID clockwise among those of the cores but `out`. */
static uint32_t naive_next_core(uint32_t id, uint32_t besides, uint32_t out)
{
	uint32_t best = 0, nearest = UINT32_MAX;

	for (uint32_t i = 0; i < CORES; i++) {
		uint32_t core = chords->nodes[i].id;

		if (i != out && core != besides && core - id <= nearest) {
			nearest = core - id;
			best = core;
		}
	}
	return best;
}

static void check_ring(uint32_t i, uint32_t out)
{
	const struct ela_cores *cores = ela_directory_cores(directory(i));
	uint32_t parent, spare, edge = chords->nodes[EDGE].id;

	ck_assert_uint_eq(cores->n, out < CORES ? CORES - 1 : CORES);
	for (uint32_t k = 0; k < CORES; k++)
		ck_assert_int_eq(ela_cores_has(cores, chords->nodes[k].id), k != out);
	ela_cores_parents(cores, edge, &parent, &spare);
	ck_assert_uint_eq(parent, naive_next_core(edge, 0, out));
	ck_assert_uint_eq(spare, naive_next_core(parent + 1, 0, out));
}

/* ---- tests ---- */

START_TEST(test_all_know_all)
{
	begin(NODES);
	for (uint32_t i = 0; i < NODES; i++) {
		ck_assert_uint_eq(ela_directory_count(directory(i)), NODES);
		for (uint32_t k = 0; k < NODES; k++)
			ck_assert(knows(i, k));
		check_ring(i, NODES);
		ck_assert_uint_eq(members[i].n_wanted, 0);
		ck_assert_uint_eq(members[i].n_changed, NODES);
	}
	chord_world_run(chords, 300 * ELA_SEC); /* renewals hold it, and are no news */
	for (uint32_t i = 0; i < NODES; i++) {
		ck_assert_uint_eq(ela_directory_count(directory(i)), NODES);
		check_ring(i, NODES);
		ck_assert(members[i].n_changed == NODES && members[i].n_gone == 0 && members[i].n_twice == 0);
		ck_assert_uint_eq(ela_own_record_incarnation(members[i].own), 1);
	}
}
END_TEST

/* One that stops without a word is forgotten two minutes later, one that leaves at once. */
START_TEST(test_goes)
{
	begin(NODES);
	chords->loop->ops->timer_set(members[3].turn, 0);
	if (_i == 0)
		ela_own_record_leave(members[3].own, ela_loop_now(chords->loop));
	else
		chord_world_crash(chords, 3);
	chord_world_run(chords, 2 * ELA_SEC);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(knows(i, 3), _i != 0);
		check_ring(i, 3);
	}
	chord_world_run(chords, 125 * ELA_SEC);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(!knows(i, 3) && knows(i, (i + 1) % 3) && members[i].n_gone == 1);
}
END_TEST

static GBytes *marked(const struct ela_lease *lease)
{
	g_autoptr(GBytes) record = world_record(w, lease, EDGE + 1);

	return world_mark(w, record, lease, EDGE + 1, 1, 1000);
}

/* What tests/unit/test-leaves.c counts with: how long a record is, and how little of it a renewal changes. */
START_TEST(test_size)
{
	uint8_t pieces[CHORD_PIECES_MAX];
	struct ela_lease lease = lease_of(EDGE);
	g_autoptr(GBytes) first = NULL, second = NULL;
	uint32_t len, pieces_len;

	lease.n_places = 2;
	lease.places[1] = lease.places[0];
	lease.places[1].addr = (struct ela_addr){.family = ELA_ADDR_IP6, .ip = {0x20, 1, 0xd, 0xb8}};
	lease.sequence = 0xff;
	first = marked(&lease);
	lease.sequence++;
	second = marked(&lease);
	len = (uint32_t)g_bytes_get_size(first);
	ck_assert_uint_le(len, 352);
	ck_assert_uint_eq(g_bytes_get_size(second), len);
	pieces_len = chord_pieces_make(g_bytes_get_data(first, NULL), g_bytes_get_data(second, NULL), len, pieces);
	ck_assert(pieces_len > 64 && pieces_len <= 64 + 2 * CHORD_PIECE_HEAD + 8);
}
END_TEST

/* The credential is asked for once, of whoever brought the record, and then it is as if it had been there. */
START_TEST(test_unknown_credential)
{
	uint8_t hash[ELA_HASH_LEN];

	if (_i == 0)
		members[0].brings = credentials[3];
	begin(3);
	ck_assert_uint_eq(members[0].n_wanted, 1);
	ck_assert(members[0].wanted_peer >= 2 && members[0].wanted_peer <= 4);
	ck_assert_int_eq(
		ela_object_hash(g_bytes_get_data(credentials[3], NULL), g_bytes_get_size(credentials[3]), hash), 0);
	ck_assert_mem_eq(members[0].wanted, hash, ELA_HASH_LEN);
	ck_assert_int_eq(knows(0, 3), _i == 0);
	ck_assert(knows(1, 3) && knows(0, 2));
	check_ring(0, _i == 0 ? NODES : 3);
}
END_TEST

static void revoke_key(uint32_t at, uint32_t k)
{
	struct ela_userlist *list = world_version(w, 2);
	g_autoptr(GBytes) bytes = NULL;
	uint8_t hash[ELA_HASH_LEN];

	world_node_hash((uint8_t)(k + 1), hash);
	(void)ela_revoked_add(&list->revoked, hash, 1200);
	bytes = world_sign(w, list, w->owner);
	world_offered(members[at].m, ela_membership_offer_list, bytes, 0, NULL);
	ela_userlist_free(list);
}

/* At the node that gets the list it ends at once, also at the plugin, and nothing brings it back. */
START_TEST(test_revoked)
{
	uint8_t record[ELA_RECORD_MAX];

	begin(NODES);
	ck_assert_uint_gt(chord_node_find(&chords->nodes[0], chords->nodes[2].id, record), 0);
	revoke_key(0, 2);
	ela_directory_recheck(directory(0));
	ck_assert(!knows(0, 2) && members[0].n_gone == 1);
	ck_assert_uint_eq(chord_node_find(&chords->nodes[0], chords->nodes[2].id, record), 0);
	check_ring(0, 2);
	chord_world_run(chords, 60 * ELA_SEC); /* the others do not know yet, and send it again and again */
	ck_assert(!knows(0, 2) && knows(1, 2));
	check_ring(0, 2);
	for (uint32_t i = 1; i < CORES; i += 2) {
		revoke_key(i, 2);
		ela_directory_recheck(directory(i));
		ck_assert(!knows(i, 2));
	}
	chord_world_run(chords, 60 * ELA_SEC);
	check_ring(1, 2);
	ck_assert(knows(0, 1) && knows(1, 0) && members[0].n_gone == 1);
}
END_TEST

/* A copy of node 2 starts as node 3: the same key and address, from its first incarnation. */
START_TEST(test_key_runs_twice)
{
	struct ela_lease lease;

	chords->loop->ops->timer_free(members[3].turn);
	ela_directory_free(members[3].node->directory);
	ela_own_record_free(members[3].own);
	ela_membership_free(members[3].m);
	g_free(members[3].node);
	start_member(3, 3);
	chords->nodes[3].id = chords->nodes[2].id;
	for (uint32_t i = 0; i < NODES; i++)
		for (uint32_t k = 0; k < NODES; k++)
			world_offered(members[i].m, world_offer_credential, credentials[k], 0, NULL);
	for (uint32_t i = 0; i < CORES; i++) {
		chord_world_link(chords, i, 0, true); /* the two meet through node 0 alone */
		ck_assert_int_eq(chords->ops->join(chords->nodes[i].self), 0);
	}
	lease = lease_of(2);
	say(2, &lease);
	chord_world_run(chords, 10 * ELA_SEC);
	ck_assert_uint_eq(members[2].n_twice, 0);
	lease.places[0].udp_port = 9999;
	say(3, &lease);
	chord_world_run(chords, 30 * ELA_SEC);
	ck_assert_uint_ge(members[2].n_twice + members[3].n_twice, 1);
	ck_assert_uint_le(ela_own_record_incarnation(members[2].own), 20); /* they do not race */
	ck_assert(members[0].n_twice == 0 && members[1].n_twice == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("directory-chord");
	TCase *tc = tcase_create("directory-chord");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_all_know_all);
	tcase_add_test(tc, test_size);
	tcase_add_loop_test(tc, test_goes, 0, 2);
	tcase_add_loop_test(tc, test_unknown_credential, 0, 2);
	tcase_add_test(tc, test_revoked);
	tcase_add_test(tc, test_key_runs_twice);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
