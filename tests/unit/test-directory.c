/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-directory: what is known of the others, as a routing plugin tells it: records are judged, kept by ID, dropped
 * when they are silent; credentials are asked for within bounds; the ring beside a naive one. One thread.
 */
#include "directory.h"
#include "frame.h"
#include "handshake.h"
#include "naive.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define ADDRESS(i) (0x0a4d0000u + 1 + (i)) /* of 10.77.0.0/16 */

/* What the listener was told last, and how often. */
static struct {
	uint32_t changed, gone, ring, wanted, own;
	uint32_t changed_id, gone_id, wanted_peer;
	uint8_t wanted_hash[ELA_HASH_LEN];
	uint64_t own_incarnation;
} told;

static struct world *w;
static struct ela_membership *m;
static struct ela_loop *loop;
static struct ela_directory *d;
static GBytes *credentials[5]; /* of node i, slot i */

static void on_changed(void *data, uint32_t id)
{
	(void)data;
	told.changed++;
	told.changed_id = id;
	ck_assert_ptr_nonnull(ela_directory_find(d, id));
}

static void on_gone(void *data, uint32_t id)
{
	(void)data;
	told.gone++;
	told.gone_id = id;
	ck_assert_ptr_null(ela_directory_find(d, id));
}

static void on_ring(void *data)
{
	(void)data;
	told.ring++;
}

static void on_want(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer)
{
	(void)data;
	told.wanted++;
	told.wanted_peer = peer;
	memcpy(told.wanted_hash, hash, ELA_HASH_LEN);
}

static void on_own(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	(void)data, (void)bytes;
	told.own++;
	told.own_incarnation = lease->incarnation;
	ck_assert_uint_gt(len, 100);
}

static const struct ela_directory_listener listener = {
	.changed = on_changed, .gone = on_gone, .ring_changed = on_ring, .want_credential = on_want, .own_record = on_own};

static void setup(void)
{
	w = world_new();
	g_bytes_unref(w->genesis_bytes);
	w->genesis.prefix.bits = 16;
	ck_assert_int_eq(ela_genesis_sign(&w->genesis, w->owner, &w->genesis_bytes, NULL), 0);
	w->list->users[0].rights.max_nodes = 5;
	m = world_member(w);
	for (uint8_t i = 1; i < 5; i++)
		credentials[i] = world_credential(w, w->sada, i, i, 1);
	for (uint8_t i = 1; i < 4; i++)
		world_offered(m, world_offer_credential, credentials[i], 0, NULL);
	loop = ela_loop_virtual_new(1);
	memset(&told, 0, sizeof told);
	d = ela_directory_new(loop, m, NULL, &listener);
}

static void teardown(void)
{
	ela_directory_free(d);
	ela_loop_free(loop);
	ela_membership_free(m);
	for (uint8_t i = 1; i < 5; i++)
		g_bytes_unref(credentials[i]);
	world_free(w);
}

static void pass(uint64_t ns)
{
	ela_loop_virtual_run(loop, ela_loop_now(loop) + ns);
}

/* ---- records ---- */

/* Of the node, a core at its own address; change it, then record_of(). */
static struct ela_lease lease_of(uint8_t node)
{
	return world_lease(w, credentials[node], ADDRESS(node));
}

static int check(GBytes *record, struct ela_record_info *ret)
{
	return ela_directory_record_check(d, g_bytes_get_data(record, NULL), (uint32_t)g_bytes_get_size(record), ret);
}

static int set(GBytes *record, uint32_t id, uint32_t via)
{
	return ela_directory_record_set(d, id, g_bytes_get_data(record, NULL), (uint32_t)g_bytes_get_size(record), via);
}

static int set_lease(const struct ela_lease *lease, uint8_t node)
{
	g_autoptr(GBytes) record = world_record(w, lease, node);

	return set(record, lease->id, lease->role == ELA_LEASE_EDGE ? lease->parent : lease->id);
}

static int compare(GBytes *a, GBytes *b)
{
	return ela_directory_record_compare(d, g_bytes_get_data(a, NULL), (uint32_t)g_bytes_get_size(a),
		g_bytes_get_data(b, NULL), (uint32_t)g_bytes_get_size(b));
}

/* A list that revokes the node's key. */
static void revoke_node(uint8_t node, uint64_t version)
{
	struct ela_userlist *list = world_version(w, version);
	g_autoptr(GBytes) bytes = NULL;
	uint8_t hash[ELA_HASH_LEN];

	world_node_hash(node, hash);
	(void)ela_revoked_add(&list->revoked, hash, 1200);
	bytes = world_sign(w, list, w->owner);
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	ela_userlist_free(list);
}

START_TEST(test_check)
{
	struct ela_lease lease = lease_of(1);
	g_autoptr(GBytes) record = NULL, forged = NULL, long_one = NULL;
	struct ela_record_info info = {.id = 5};
	uint8_t hash[ELA_HASH_LEN], bytes[ELA_RECORD_MAX + 1] = {0};

	lease.role = ELA_LEASE_EDGE;
	lease.parent = 77;
	lease.is_leave = true;
	record = world_record(w, &lease, 1);
	forged = world_record(w, &lease, 2); /* of another's credential */
	long_one = g_bytes_new(bytes, sizeof bytes);
	world_node_hash(1, hash);
	ck_assert_int_eq(check(forged, &info), -EAGAIN); /* might be a newer credential of his */
	ck_assert_int_eq(check(long_one, &info), -EBADMSG);
	memcpy(bytes, g_bytes_get_data(record, NULL), g_bytes_get_size(record));
	bytes[50] ^= 1;
	ck_assert_int_eq(ela_directory_record_check(d, bytes, (uint32_t)g_bytes_get_size(record), &info), -EBADMSG);
	ck_assert_uint_eq(info.id, 5); /* untouched */
	ck_assert_int_eq(check(record, &info), 0);
	ck_assert(info.id == lease.id && info.role == ELA_RECORD_ROLE_EDGE && info.parent == 77 &&
			  info.flags == ELA_RECORD_LEAVE && info.incarnation == 7 && info.sequence == 12);
	ck_assert_mem_eq(info.key_hash, hash, ELA_HASH_LEN);
	ck_assert_uint_eq(told.wanted, 0); /* nothing is asked for that is here */
	revoke_node(1, 2);
	ck_assert_int_eq(check(record, &info), -EACCES);
}
END_TEST

START_TEST(test_set)
{
	struct ela_lease lease = lease_of(1), leave = lease_of(1);
	g_autoptr(GBytes) record = world_record(w, &lease, 1), left = NULL;
	const struct ela_known *known;
	uint8_t bytes[ELA_RECORD_MAX + 1] = {0};

	leave.is_leave = true;
	left = world_record(w, &leave, 1);
	ck_assert_int_eq(set(record, 0, lease.id), -EINVAL);
	ck_assert_int_eq(set(record, UINT32_MAX, lease.id), -EINVAL);
	ck_assert_int_eq(set(record, lease.id, 0), -EINVAL);
	ck_assert_int_eq(set(record, lease.id, UINT32_MAX), -EINVAL);
	ck_assert_int_eq(set(record, lease.id + 1, lease.id), -EBADMSG);
	ck_assert_int_eq(ela_directory_record_set(d, lease.id, bytes, sizeof bytes, 1), -EMSGSIZE);
	ck_assert_int_eq(ela_directory_record_set(d, lease.id, bytes, 100, 1), -EBADMSG);
	ck_assert_int_eq(set(left, lease.id, lease.id), -EBADMSG); /* there is no way to who left */
	ck_assert_int_eq(ela_directory_record_del(d, lease.id), -ENOENT);
	ck_assert(ela_directory_count(d) == 0 && told.changed == 0);

	pass(5 * ELA_SEC);
	ela_directory_brought_by(d, 9);
	ck_assert_int_eq(set(record, lease.id, 1234), 0);
	ela_directory_brought_by(d, 0);
	known = ela_directory_find(d, lease.id);
	ck_assert(told.changed == 1 && told.changed_id == lease.id && known->via == 1234 && known->peer == 9);
	ck_assert(known->heard_ns == ela_loop_now(loop) && known->lease.address == ADDRESS(1) && known->since_s == 0);
	ck_assert_mem_eq(known->bytes, g_bytes_get_data(record, NULL), known->len);
	ck_assert_uint_eq(known->len, g_bytes_get_size(record));
	ck_assert_int_eq(ela_directory_record_del(d, lease.id), 0);
	ck_assert(told.gone == 1 && told.gone_id == lease.id && ela_directory_count(d) == 0);
}
END_TEST

/* A node that started anew spoke last in its former life when the last record of that came. */
START_TEST(test_before)
{
	struct ela_lease lease = lease_of(1);
	uint64_t before_ns;

	ck_assert_int_eq(set_lease(&lease, 1), 0);
	pass(ELA_SEC);
	lease.sequence++;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	before_ns = ela_loop_now(loop);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->before_ns, 0);
	pass(ELA_SEC);
	lease.incarnation++;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->before_ns, before_ns);
	pass(ELA_SEC);
	lease.sequence++;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->before_ns, before_ns);
}
END_TEST

/* A renewal is no news; each other difference is. */
START_TEST(test_news)
{
	struct ela_lease lease = lease_of(1);
	g_autoptr(GBytes) again = world_credential(w, w->sada, 1, 1, 2), record = NULL, marked = NULL;
	uint32_t n = 1;

	ck_assert_int_eq(set_lease(&lease, 1), 0);
	lease.sequence++;
	pass(ELA_SEC);
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, n);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->lease.sequence, 13);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->heard_ns, ela_loop_now(loop));
	lease.incarnation++;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	lease.places[0].udp_port++;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	lease.places[0].addr.ip[3]++;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	lease.places[1] = lease.places[0];
	lease.n_places = 2;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	record = world_record(w, &lease, 1);
	marked = world_mark(w, record, &lease, 1, 2, 1111);
	ck_assert_int_eq(set(marked, lease.id, lease.id), 0);
	ck_assert_uint_eq(told.changed, ++n);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 1111);
	lease.role = ELA_LEASE_EDGE;
	lease.parent = 7;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	lease.parent = 8;
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	world_offered(m, world_offer_credential, again, 0, NULL);
	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(again, NULL), g_bytes_get_size(again), lease.credential), 0);
	ck_assert_int_eq(set_lease(&lease, 1), 0);
	ck_assert_uint_eq(told.changed, ++n);
	ck_assert(told.gone == 0 && ela_directory_count(d) == 1);
}
END_TEST

/* By rising ID, whatever the order they came in, also while it is walked over. */
START_TEST(test_walk)
{
	struct naive_rng rng = naive_seed("directory-walk");
	uint32_t ids[60], n = 0, before = 0;
	const struct ela_known *known;

	for (uint32_t i = 0; i < 60; i++) {
		struct ela_lease lease = world_lease(w, credentials[1], ADDRESS(naive_below(&rng, 60000)));

		if (!ela_directory_find(d, lease.id))
			ids[n++] = lease.id;
		ck_assert_int_eq(set_lease(&lease, 1), 0);
	}
	ck_assert_uint_eq(ela_directory_count(d), n);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(ela_directory_find(d, ids[i])->id, ids[i]);
	for (uint32_t id = 0; (known = ela_directory_next(d, id)) != NULL; n--) {
		id = known->id;
		ck_assert_uint_gt(id, before);
		before = id;
		ck_assert_int_eq(ela_directory_record_del(d, id), 0);
	}
	ck_assert(n == 0 && ela_directory_count(d) == 0 && ela_directory_next(d, UINT32_MAX) == NULL);
}
END_TEST

START_TEST(test_silent)
{
	struct ela_lease first = lease_of(1), second = lease_of(2);

	ck_assert_int_eq(set_lease(&first, 1), 0);
	pass(40 * ELA_SEC);
	ck_assert_int_eq(set_lease(&second, 2), 0);
	pass(79 * ELA_SEC);
	ck_assert_uint_eq(ela_directory_count(d), 2);
	pass(ELA_SEC);
	ck_assert(told.gone == 1 && told.gone_id == first.id);
	ck_assert_int_eq(ela_directory_record_del(d, first.id), -ENOENT); /* the plugin comes too late */
	second.sequence++;
	ck_assert_int_eq(set_lease(&second, 2), 0);
	pass(119 * ELA_SEC);
	ck_assert_uint_eq(ela_directory_count(d), 1);
	pass(2 * ELA_SEC);
	ck_assert(told.gone == 2 && ela_directory_count(d) == 0);
	ck_assert_uint_eq(ela_loop_virtual_next(loop), UINT64_MAX); /* and nothing wakes for nothing */
}
END_TEST

START_TEST(test_full)
{
	struct ela_lease first = world_lease(w, credentials[1], ADDRESS(0)), lease;

	for (uint32_t i = 0; i < ELA_DIRECTORY_MAX; i++) {
		lease = world_lease(w, credentials[1], ADDRESS(i));
		ck_assert_int_eq(set_lease(&lease, 1), 0);
	}
	lease = world_lease(w, credentials[1], ADDRESS(ELA_DIRECTORY_MAX));
	ck_assert_int_eq(set_lease(&lease, 1), -ENOSPC);
	first.incarnation++;
	ck_assert_int_eq(set_lease(&first, 1), 0); /* who is in it stays */
	ck_assert_uint_eq(ela_directory_count(d), ELA_DIRECTORY_MAX);
	ck_assert_int_eq(ela_directory_record_del(d, first.id), 0);
	ck_assert_int_eq(set_lease(&lease, 1), 0);
}
END_TEST

/* Who holds an ID: membership's rule among good records; a bad one holds nothing. */
START_TEST(test_compare)
{
	struct ela_lease a = lease_of(1), b = a;
	g_autoptr(GBytes) of_a = world_record(w, &a, 1), of_b = NULL, marked = NULL;
	uint8_t hash_a[ELA_HASH_LEN], hash_b[ELA_HASH_LEN];

	ck_assert_int_eq(
		ela_object_hash(g_bytes_get_data(credentials[2], NULL), g_bytes_get_size(credentials[2]), b.credential), 0);
	of_b = world_record(w, &b, 2);
	world_node_hash(1, hash_a);
	world_node_hash(2, hash_b);
	ck_assert_int_eq(compare(of_a, of_b) < 0, memcmp(hash_a, hash_b, ELA_HASH_LEN) < 0);
	ck_assert_int_eq(compare(of_b, of_a) < 0, memcmp(hash_b, hash_a, ELA_HASH_LEN) < 0);
	marked = memcmp(hash_a, hash_b, ELA_HASH_LEN) < 0 ? world_mark(w, of_b, &b, 2, 3, 1000)
													  : world_mark(w, of_a, &a, 1, 3, 1000);
	if (memcmp(hash_a, hash_b, ELA_HASH_LEN) < 0)
		ck_assert(compare(of_a, marked) > 0 && compare(marked, of_a) < 0);
	else
		ck_assert(compare(marked, of_b) < 0 && compare(of_b, marked) > 0);
	revoke_node(1, 2);
	ck_assert(compare(of_a, of_b) > 0 && compare(of_b, of_a) < 0);
	revoke_node(2, 3);
	ck_assert_int_ne(compare(of_a, of_b), 0);
	ck_assert_int_eq(compare(of_a, of_b) < 0, compare(of_b, of_a) > 0);
	ck_assert_int_ne(compare(of_a, of_a), 0);
}
END_TEST

/* ---- checking again ---- */

static struct {
	uint32_t n, id;
} removed;

/* As a plugin with a ring does: it takes back what it told. */
static int fake_remove(void *self, uint32_t id)
{
	ck_assert_ptr_eq(self, &removed);
	ck_assert_uint_eq(told.gone, removed.n + 1);
	ck_assert_int_eq(ela_directory_record_del(d, id), -ENOENT);
	removed.n++;
	removed.id = id;
	return 0;
}

static const struct ela_routing_ops fake = {.remove = fake_remove};

START_TEST(test_recheck)
{
	struct ela_lease first = lease_of(1), second = lease_of(2), third = lease_of(3);

	removed.n = 0;
	ela_directory_attach(d, &fake, &removed);
	ck_assert(set_lease(&first, 1) == 0 && set_lease(&second, 2) == 0 && set_lease(&third, 3) == 0);
	ela_directory_recheck(d);
	ck_assert(told.gone == 0 && removed.n == 0);
	revoke_node(2, 2);
	ck_assert_uint_eq(ela_directory_count(d), 3); /* until somebody looks */
	ela_directory_recheck(d);
	ck_assert(told.gone == 1 && told.gone_id == second.id && removed.n == 1 && removed.id == second.id);
	ck_assert(ela_directory_count(d) == 2 && !ela_directory_find(d, second.id));
	ela_directory_recheck(d);
	ck_assert(told.gone == 1 && told.changed == 3);
	ela_directory_attach(d, NULL, NULL);
	revoke_node(1, 3);
	ela_directory_recheck(d);
	ck_assert(told.gone == 2 && removed.n == 1 && ela_directory_count(d) == 1);
}
END_TEST

/* What a home that is not known countersigned counts once it is known. */
START_TEST(test_home_late)
{
	struct ela_lease of_1 = lease_of(1), of_2 = lease_of(2);
	g_autoptr(GBytes) record = world_record(w, &of_1, 1), marked = world_mark(w, record, &of_1, 1, 4, 1000);
	uint8_t own[ELA_HASH_LEN];

	world_node_hash(1, own);
	ela_directory_set_own(d, own);
	ck_assert(set(marked, of_1.id, of_1.id) == 0 && set_lease(&of_2, 2) == 0);
	ela_directory_recheck_homes(d);
	ck_assert(ela_directory_find(d, of_1.id)->since_s == 0 && told.changed == 2 && told.own == 0);
	world_offered(m, world_offer_credential, credentials[4], 0, NULL);
	ck_assert_uint_eq(ela_directory_find(d, of_1.id)->since_s, 0); /* until somebody looks */
	ela_directory_recheck_homes(d);
	ck_assert_uint_eq(ela_directory_find(d, of_1.id)->since_s, 1000);
	ck_assert(told.changed == 3 && told.changed_id == of_1.id && told.own == 1);
	ck_assert_uint_eq(ela_directory_find(d, of_2.id)->since_s, 0);
	ela_directory_recheck_homes(d);
	ck_assert(told.changed == 3 && told.own == 1);
}
END_TEST

/* All that can end a record: its user goes, or may be no core, or has fewer nodes; its credential is replaced. */
START_TEST(test_recheck_reasons)
{
	struct ela_userlist *list = world_version(w, 2);
	struct ela_lease core = lease_of(1), edge = lease_of(2);
	g_autoptr(GBytes) again = world_credential(w, w->sada, 4, 1, 9), bytes = NULL;
	bool core_stays = false, edge_stays = true;

	edge.role = ELA_LEASE_EDGE;
	edge.parent = core.id;
	ck_assert(set_lease(&core, 1) == 0 && set_lease(&edge, 2) == 0);
	if (_i == 0)
		(void)ela_revoked_add(&list->revoked, ela_rsa_public(w->sada)->hash, 1200);
	else if (_i == 1)
		list->users[0].key = *ela_rsa_public(w->aki); /* she is not in it any more */
	else if (_i == 2)
		list->users[0].rights.may_core = false;
	else if (_i == 3)
		list->users[0].rights.max_nodes = 2;
	edge_stays = _i >= 2 && _i != 3;
	core_stays = _i == 3;
	if (_i < 4) {
		bytes = world_sign(w, list, w->owner);
		world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	} else {
		world_offered(m, world_offer_credential, again, 0, NULL); /* node 4 in the slot of node 1 */
	}
	ela_userlist_free(list);
	ela_directory_recheck(d);
	ck_assert_int_eq(ela_directory_find(d, core.id) != NULL, core_stays);
	ck_assert_int_eq(ela_directory_find(d, edge.id) != NULL, edge_stays);
}
END_TEST

START_TEST(test_own)
{
	struct ela_lease mine = lease_of(1), other = lease_of(2);
	g_autoptr(GBytes) of_mine = world_record(w, &mine, 1), of_other = world_record(w, &other, 2);
	struct ela_record_info info;
	uint8_t hash[ELA_HASH_LEN];

	ck_assert_int_eq(check(of_mine, &info), 0);
	ck_assert_uint_eq(told.own, 0); /* it is nobody's yet */
	world_node_hash(1, hash);
	ela_directory_set_own(d, hash);
	ck_assert_int_eq(check(of_other, &info), 0);
	ck_assert_uint_eq(told.own, 0);
	ck_assert_int_eq(check(of_mine, &info), 0);
	ck_assert(told.own == 1 && told.own_incarnation == 7);
}
END_TEST

/* ---- credentials ---- */

static int check_stranger(uint32_t number, uint32_t peer)
{
	struct ela_lease lease = lease_of(4);
	g_autoptr(GBytes) record = NULL;
	struct ela_record_info info;
	int err;

	memset(lease.credential, 0, ELA_HASH_LEN);
	ela_put32(lease.credential, number);
	record = world_record(w, &lease, 4);
	ela_directory_brought_by(d, peer);
	err = check(record, &info);
	ela_directory_brought_by(d, 0);
	return err;
}

START_TEST(test_unknown_credential)
{
	struct ela_lease lease = lease_of(4);
	g_autoptr(GBytes) record = world_record(w, &lease, 4);
	struct ela_record_info info;

	ela_directory_brought_by(d, 3);
	ck_assert_int_eq(check(record, &info), -EAGAIN);
	ela_directory_brought_by(d, 5);
	ck_assert_int_eq(check(record, &info), -EAGAIN);
	ela_directory_brought_by(d, 0);
	ck_assert(told.wanted == 1 && told.wanted_peer == 3);
	ck_assert_mem_eq(told.wanted_hash, lease.credential, ELA_HASH_LEN);
	pass(29 * ELA_SEC);
	ck_assert_int_eq(check(record, &info), -EAGAIN);
	ck_assert_uint_eq(told.wanted, 1);
	pass(ELA_SEC);
	ck_assert_int_eq(check(record, &info), -EAGAIN);
	ck_assert(told.wanted == 2 && told.wanted_peer == 0);
	ck_assert_int_eq(set(record, lease.id, lease.id), -EBADMSG);
	world_offered(m, world_offer_credential, credentials[4], 0, NULL);
	ck_assert_int_eq(check(record, &info), 0);
	ck_assert_int_eq(set(record, lease.id, lease.id), 0);
	ck_assert_uint_eq(told.wanted, 2);
}
END_TEST

START_TEST(test_wanted_bounds)
{
	uint8_t cut[100] = {ELA_OBJECT_RECORD};
	struct ela_record_info info;

	for (uint32_t i = 0; i < 40; i++)
		ck_assert_int_eq(check_stranger(1000 + i, 1), -EAGAIN);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_OF_PEER); /* of one peer */
	for (uint32_t peer = 2; peer < 8; peer++)
		for (uint32_t i = 0; i < 12; i++)
			ck_assert_int_eq(check_stranger(2000 + peer * 100 + i, peer), -EAGAIN);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_MAX); /* of all */
	ck_assert_int_eq(check_stranger(1, 100), -EAGAIN);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_MAX);
	pass(ELA_WANTED_NS);
	ck_assert_int_eq(check_stranger(1, 100), -EAGAIN);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_MAX + 1);
	ck_assert_int_eq(ela_directory_record_check(d, cut, sizeof cut, &info), -EBADMSG);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_MAX + 1);
}
END_TEST

/* What came makes room at once. */
START_TEST(test_wanted_came)
{
	struct ela_lease lease = lease_of(4);
	g_autoptr(GBytes) record = world_record(w, &lease, 4);
	struct ela_record_info info;

	ela_directory_brought_by(d, 1);
	ck_assert_int_eq(check(record, &info), -EAGAIN);
	for (uint32_t i = 0; i < ELA_WANTED_OF_PEER; i++)
		ck_assert_int_eq(check_stranger(1000 + i, 1), -EAGAIN);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_OF_PEER);
	world_offered(m, world_offer_credential, credentials[4], 0, NULL);
	ck_assert_int_eq(check_stranger(2000, 1), -EAGAIN);
	ck_assert_uint_eq(told.wanted, ELA_WANTED_OF_PEER + 1);
}
END_TEST

/* ---- the ring ---- */

/* The thesis's rule told once more: go up from id, from the end on to 0, until a core stands there. */
static uint32_t naive_owner(const uint32_t *ids, uint32_t n, uint32_t id, uint32_t besides)
{
	uint32_t best = 0, nearest = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++)
		if (ids[i] != besides && ids[i] - id <= nearest) {
			nearest = ids[i] - id;
			best = ids[i];
		}
	return best;
}

/* Small IDs, and great ones, so that they meet. */
static uint32_t random_id(struct naive_rng *rng)
{
	uint32_t id = naive_one_in(rng, 2) ? 1 + naive_below(rng, 64) : (uint32_t)naive_next(rng);

	return id == 0 ? 1 : id == UINT32_MAX ? UINT32_MAX - 1 : id;
}

static gint by_value(gconstpointer a, gconstpointer b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t random_ring(struct naive_rng *rng, uint32_t *ids, uint32_t max)
{
	uint32_t n = 0, wanted = naive_below(rng, max + 1);

	for (uint32_t i = 0; i < wanted; i++)
		ids[i] = random_id(rng);
	qsort(ids, wanted, sizeof *ids, by_value);
	for (uint32_t i = 0; i < wanted; i++)
		if (n == 0 || ids[i] != ids[n - 1])
			ids[n++] = ids[i];
	return n;
}

static void check_id(const struct ela_cores *cores, const uint32_t *ids, uint32_t n, uint32_t id)
{
	uint32_t owner = naive_owner(ids, n, id, 0), parent, spare, at = owner;

	ck_assert_uint_eq(ela_cores_successor(cores, id, 0), owner);
	for (uint32_t k = 1; k < n; k++) {
		at = naive_owner(ids, n, at + 1, 0);
		ck_assert_uint_eq(ela_cores_successor(cores, id, k), at);
	}
	ck_assert_uint_eq(ela_cores_successor(cores, id, n), 0);
	if (n > 0)
		ck_assert_uint_eq(ids[ela_cores_position(cores, id)], owner);
	ck_assert_int_eq(ela_cores_has(cores, id), n > 0 && owner == id);
	ela_cores_parents(cores, id, &parent, &spare);
	ck_assert_uint_eq(parent, naive_owner(ids, n, id, id));
	ck_assert_uint_ne(parent, id);
	if (parent == 0 || n - (owner == id ? 1 : 0) < 2)
		ck_assert_uint_eq(spare, 0);
	else
		ck_assert_uint_eq(spare, naive_owner(ids, n, parent + 1, id));
	ck_assert(spare != id && (spare == 0 || spare != parent));
}

START_TEST(test_ring)
{
	struct naive_rng rng = naive_seed("directory-ring");
	const struct ela_cores *cores = ela_directory_cores(d);
	uint32_t ids[40], n;

	for (uint64_t round = naive_scaled(3000); round > 0; round--) {
		n = random_ring(&rng, ids, 1 + naive_below(&rng, 40));
		ck_assert_int_eq(ela_directory_ring_set(d, ids, n), 0);
		ck_assert_uint_eq(cores->n, n);
		for (uint32_t i = 0; i < 20; i++)
			check_id(cores, ids, n, random_id(&rng));
		if (n > 0)
			check_id(cores, ids, n, ids[naive_below(&rng, n)]);
	}
}
END_TEST

START_TEST(test_ring_refused)
{
	static const uint32_t good[] = {3, 9, UINT32_MAX - 1}, falls[] = {3, 9, 8}, twice[] = {3, 3}, zero[] = {0, 3},
						  all[] = {3, UINT32_MAX};
	uint32_t *many = g_new(uint32_t, ELA_DIRECTORY_MAX + 1);

	for (uint32_t i = 0; i <= ELA_DIRECTORY_MAX; i++)
		many[i] = i + 1;
	ck_assert_int_eq(ela_directory_ring_set(d, NULL, 0), 0);
	ck_assert_uint_eq(told.ring, 0); /* nothing changed */
	ck_assert_int_eq(ela_directory_ring_set(d, good, 3), 0);
	ck_assert_int_eq(ela_directory_ring_set(d, good, 3), 0);
	ck_assert_uint_eq(told.ring, 1);
	ck_assert_int_eq(ela_directory_ring_set(d, falls, 3), -EINVAL);
	ck_assert_int_eq(ela_directory_ring_set(d, twice, 2), -EINVAL);
	ck_assert_int_eq(ela_directory_ring_set(d, zero, 2), -EINVAL);
	ck_assert_int_eq(ela_directory_ring_set(d, all, 2), -EINVAL);
	ck_assert_int_eq(ela_directory_ring_set(d, many, ELA_DIRECTORY_MAX + 1), -ENOSPC);
	ck_assert(told.ring == 1 && ela_directory_cores(d)->n == 3 && ela_directory_cores(d)->ids[1] == 9);
	ck_assert_int_eq(ela_directory_ring_set(d, many, ELA_DIRECTORY_MAX), 0);
	ck_assert_int_eq(ela_directory_ring_set(d, good, 2), 0);
	ck_assert_int_eq(ela_directory_ring_set(d, NULL, 0), 0);
	ck_assert(told.ring == 4 && ela_directory_cores(d)->n == 0);
	g_free(many);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("directory");
	TCase *tc = tcase_create("directory");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_check);
	tcase_add_test(tc, test_set);
	tcase_add_test(tc, test_before);
	tcase_add_test(tc, test_news);
	tcase_add_test(tc, test_walk);
	tcase_add_test(tc, test_silent);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_compare);
	tcase_add_test(tc, test_recheck);
	tcase_add_test(tc, test_home_late);
	tcase_add_loop_test(tc, test_recheck_reasons, 0, 5);
	tcase_add_test(tc, test_own);
	tcase_add_test(tc, test_unknown_credential);
	tcase_add_test(tc, test_wanted_bounds);
	tcase_add_test(tc, test_wanted_came);
	tcase_add_test(tc, test_ring);
	tcase_add_test(tc, test_ring_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
