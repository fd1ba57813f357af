/* SPDX-License-Identifier: Apache-2.0 */
/* test-judged: which signatures the directory computes, and which it has computed. One thread. */
#include "directory.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define ADDRESS(i) (0x0a4d0000u + 1 + (i)) /* of 10.77.0.0/16 */

static struct world *w;
static struct ela_membership *m;
static struct ela_loop *loop;
static struct ela_directory *d;
static GBytes *credentials[4]; /* of node i, slot i */

static uint32_t n_verified;

int __real_ela_ed25519_verify(const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[64]);
int __wrap_ela_ed25519_verify(const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[64]);

/* The linker puts it between core and its own. */
int __wrap_ela_ed25519_verify(const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[64])
{
	n_verified++;
	return __real_ela_ed25519_verify(public_key, data, len, signature);
}

static void on_id(void *data, uint32_t id)
{
	(void)data, (void)id;
}

static void on_ring(void *data)
{
	(void)data;
}

static void on_want(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer)
{
	(void)data, (void)hash, (void)peer;
}

static void on_own(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	(void)data, (void)lease, (void)bytes, (void)len;
}

static const struct ela_directory_listener listener = {
	.changed = on_id, .gone = on_id, .ring_changed = on_ring, .want_credential = on_want, .own_record = on_own};

static void setup(void)
{
	w = world_new();
	g_bytes_unref(w->genesis_bytes);
	w->genesis.prefix.bits = 16;
	ck_assert_int_eq(ela_genesis_sign(&w->genesis, w->owner, &w->genesis_bytes, NULL), 0);
	w->list->users[0].rights.max_nodes = 4;
	m = world_member(w);
	for (uint8_t i = 1; i < 4; i++) {
		credentials[i] = world_credential(w, w->sada, i, i, 1);
		world_offered(m, world_offer_credential, credentials[i], 0, NULL);
	}
	loop = ela_loop_virtual_new(1);
	d = ela_directory_new(loop, m, NULL, &listener);
}

static void teardown(void)
{
	ela_directory_free(d);
	ela_loop_free(loop);
	ela_membership_free(m);
	for (uint8_t i = 1; i < 4; i++)
		g_bytes_unref(credentials[i]);
	world_free(w);
}

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

/*
 * A record with its home's word is computed once, however often it is asked about; what the network stands behind is
 * looked at each time. One without may get more weight when its home becomes known.
 */
START_TEST(once)
{
	struct ela_lease lease = lease_of(1);
	g_autoptr(GBytes) plain = world_record(w, &lease, 1), marked = world_mark(w, plain, &lease, 1, 2, 1111);
	struct ela_record_info info;
	uint8_t bent[ELA_RECORD_MAX];
	gsize len = g_bytes_get_size(marked);

	n_verified = 0;
	ck_assert_int_eq(check(marked, &info), 0);
	ck_assert_uint_eq(n_verified, 2);
	for (uint32_t k = 0; k < 3; k++) {
		ck_assert_int_eq(check(marked, &info), 0);
		ck_assert(info.id == lease.id && info.incarnation == lease.incarnation && info.sequence == lease.sequence);
		ck_assert_int_eq(set(marked, lease.id, lease.id), 0);
		ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 1111);
	}
	ck_assert_uint_eq(n_verified, 2);
	for (uint32_t k = 0; k < 2; k++)
		ck_assert_int_eq(check(plain, &info), 0);
	ck_assert_uint_eq(n_verified, 4);
	for (gsize at = 0; at < len; at++) { /* what the home says counts for nothing then, or all of it */
		memcpy(bent, g_bytes_get_data(marked, NULL), len);
		bent[at] ^= 1;
		if (ela_directory_record_set(d, lease.id, bent, (uint32_t)len, lease.id) == 0)
			ck_assert(at >= g_bytes_get_size(plain) && ela_directory_find(d, lease.id)->since_s == 0);
	}
	revoke_node(2, 2); /* the home */
	ck_assert_int_eq(set(marked, lease.id, lease.id), 0);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 0);
	ck_assert_int_eq(set(marked, lease.id, lease.id), 0);
	revoke_node(1, 3);
	ck_assert_int_eq(check(marked, &info), -EACCES);
}
END_TEST

/*
 * Of a record that is renewed the node's signature is computed, its home's is not; bent, or another lease's, it counts
 * for nothing. Nodes do not take each other's place.
 */
START_TEST(renewed)
{
	struct ela_lease lease = lease_of(1), other = lease_of(2), moved = world_lease(w, credentials[1], ADDRESS(9));
	g_autoptr(GBytes) plain = world_record(w, &lease, 1), marked = world_mark(w, plain, &lease, 1, 2, 1111);
	g_autoptr(GBytes) of_other = world_record(w, &other, 2), other_marked = world_mark(w, of_other, &other, 2, 1, 1112);
	g_autoptr(GBytes) again_plain = NULL, again = NULL, elsewhere_plain = NULL, elsewhere = NULL;
	g_autoptr(GByteArray) borrowed = g_byte_array_new();
	struct ela_record_info info;
	uint8_t bent[ELA_RECORD_MAX];
	gsize len, plain_len;
	const uint8_t *bytes;

	lease.sequence++;
	again_plain = world_record(w, &lease, 1);
	again = world_mark(w, again_plain, &lease, 1, 2, 1111);
	bytes = g_bytes_get_data(again, &len);
	plain_len = g_bytes_get_size(again_plain);
	ck_assert_int_eq(check(marked, &info), 0);
	ck_assert_int_eq(check(other_marked, &info), 0);
	n_verified = 0;
	for (gsize at = plain_len; at < len; at++) {
		memcpy(bent, bytes, len);
		bent[at] ^= 1;
		if (ela_directory_record_set(d, lease.id, bent, (uint32_t)len, lease.id) == 0)
			ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 0); /* of a home that nobody knows */
	}
	ck_assert_uint_gt(n_verified, len - plain_len);
	n_verified = 0;
	ck_assert_int_eq(set(again, lease.id, lease.id), 0);
	ck_assert_uint_eq(n_verified, 1);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 1111);
	ck_assert_int_eq(check(again, &info), 0);
	ck_assert_uint_eq(info.sequence, lease.sequence);
	ck_assert_int_eq(check(other_marked, &info), 0);
	ck_assert_uint_eq(n_verified, 1);
	/* The same key with another address brings the word about the first one. */
	elsewhere_plain = world_record(w, &moved, 1);
	elsewhere = world_mark(w, elsewhere_plain, &moved, 1, 2, 1111);
	g_byte_array_append(borrowed, g_bytes_get_data(elsewhere_plain, NULL), (guint)g_bytes_get_size(elsewhere_plain));
	g_byte_array_append(borrowed, bytes + plain_len, (guint)(len - plain_len));
	ck_assert_int_eq(ela_directory_record_check(d, borrowed->data, borrowed->len, &info), -EBADMSG);
	revoke_node(2, 2); /* the home: its word is worth nothing more, said before or again */
	lease.sequence++;
	g_clear_pointer(&again_plain, g_bytes_unref);
	g_clear_pointer(&again, g_bytes_unref);
	again_plain = world_record(w, &lease, 1);
	again = world_mark(w, again_plain, &lease, 1, 2, 1111);
	ck_assert_int_eq(set(again, lease.id, lease.id), 0);
	ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 0);
}
END_TEST

/* Each record of a key takes the place of the one before. */
START_TEST(many)
{
	struct ela_lease lease = lease_of(1);
	struct ela_record_info info;

	n_verified = 0;
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t k = 0; k < 100; k++) {
			g_autoptr(GBytes) plain = NULL, marked = NULL;

			lease.sequence = k;
			plain = world_record(w, &lease, 1);
			marked = world_mark(w, plain, &lease, 1, 2, 1000 + k);
			ck_assert_int_eq(check(marked, &info), 0);
			ck_assert_uint_eq(info.sequence, k);
			ck_assert_int_eq(set(marked, lease.id, lease.id), 0);
			ck_assert_uint_eq(ela_directory_find(d, lease.id)->since_s, 1000 + k);
			ck_assert_uint_eq(n_verified, 2 * (100 * round + k + 1)); /* the one before helps in nothing */
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("judged");
	TCase *tc = tcase_create("judged");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, once);
	tcase_add_test(tc, renewed);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
