/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-owner: the owner's next list: who may sign it, what each change does to those who hold it, what no list may say,
 * and the recovery key. Each list that is signed is offered to a membership that had the one before. One thread.
 */
#include "handshake.h"
#include "owner.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1500u

static struct world *w;
static struct ela_membership *m;
static struct ela_owner *owner;

static void setup(void)
{
	w = world_new();
	m = world_member(w);
	ck_assert_int_eq(ela_owner_new(m, w->owner, NOW, &owner, NULL), 0);
}

static void teardown(void)
{
	ela_owner_free(owner);
	ela_membership_free(m);
	world_free(w);
}

static const uint8_t *hash_of(const struct ela_rsa *key)
{
	return ela_rsa_public(key)->hash;
}

static bool in(const struct ela_rsa *key)
{
	return ela_membership_authorised(m, hash_of(key), NULL);
}

static struct ela_rights rights_of(const struct ela_rsa *key)
{
	struct ela_rights rights = {0};

	ck_assert(ela_membership_authorised(m, hash_of(key), &rights));
	return rights;
}

static void expect(int found, int wanted, GError **error, const char *words)
{
	ck_assert_msg(found == wanted && (wanted == 0 || strstr((*error)->message, words)), "found %d %s, wanted %d %s",
		found, *error ? (*error)->message : "", wanted, words);
	g_clear_error(error);
}

/* A good change if err is 0. */
static void throw_out(const char *name, int err, const char *words)
{
	GError *error = NULL;

	expect(ela_owner_revoke(owner, name, &error), err, &error, words);
}

static void reserve(const char *name, uint32_t address, int err, const char *words)
{
	GError *error = NULL;

	expect(ela_owner_reserve(owner, name, address, &error), err, &error, words);
}

static void set(const char *name, const char *key, const char *value, int err, const char *words)
{
	GError *error = NULL;

	expect(ela_owner_set(owner, name, key, value, &error), err, &error, words);
}

/* Signed and taken by m; owner is the next one, of key, from then on. */
static void publish(const struct ela_rsa *key)
{
	g_autoptr(GBytes) bytes = NULL;
	GError *error = NULL;

	expect(ela_owner_sign(owner, &bytes, &error), 0, &error, NULL);
	ela_owner_free(owner);
	owner = NULL;
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	expect(ela_owner_new(m, key, NOW, &owner, &error), 0, &error, NULL);
}

/* aki is a user by a token of the owner, and his node 3 has its credential here. */
static void enrol_aki(void)
{
	struct ela_grant grant = world_grant(9);
	g_autoptr(GBytes) core = world_credential(w, w->sada, 1, 0, 1), bytes = world_grant_sign(w, &grant, w->owner);
	g_autoptr(GBytes) claim = world_claim(w, 9, bytes, w->aki, 0), enrolment = world_enrol(w, claim, 1, core, 1100);
	g_autoptr(GBytes) node = world_credential(w, w->aki, 3, 0, 1);

	world_offered(m, ela_membership_offer_enrolment, enrolment, 0, NULL);
	world_offered(m, world_offer_credential, node, 0, NULL);
	ela_owner_free(owner);
	ck_assert_int_eq(ela_owner_new(m, w->owner, NOW, &owner, NULL), 0);
}

START_TEST(renews)
{
	ck_assert_uint_eq(ela_owner_list(owner)->version, 2);
	ck_assert_uint_eq(ela_owner_list(owner)->valid_until_s, NOW + ELA_OWNER_VALID_S);
	publish(w->owner);
	ck_assert_uint_eq(ela_membership_list(m)->version, 2);
	ck_assert_uint_eq(ela_membership_list(m)->issued_s, NOW);
	ck_assert_uint_eq(ela_membership_list(m)->valid_until_s, NOW + ELA_OWNER_VALID_S);
	ck_assert(in(w->sada));
	/* a clock that is behind does not make the network's time fall, nor the end of the list */
	ela_owner_free(owner);
	ck_assert_int_eq(ela_owner_new(m, w->owner, 1, &owner, NULL), 0);
	ck_assert_uint_eq(ela_owner_list(owner)->issued_s, NOW);
	ck_assert_uint_eq(ela_owner_list(owner)->valid_until_s, NOW + ELA_OWNER_VALID_S);
}
END_TEST

START_TEST(not_the_owner)
{
	struct ela_membership *empty = NULL;
	struct ela_owner *none = NULL;
	GError *error = NULL;

	expect(ela_owner_new(m, w->sada, NOW, &none, &error), -EACCES, &error, "not the key of the network's owner");
	expect(ela_owner_recover(m, w->sada, w->aki, hash_of(w->aki), NOW, &none, &error), -EACCES, &error,
		"not the network's recovery key");
	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &ela_file_system, -1, &empty, NULL), 0);
	expect(ela_owner_new(empty, w->owner, NOW, &none, &error), -ENOENT, &error, "has no user list yet");
	ela_membership_free(empty);
	ck_assert_ptr_null(none);
}
END_TEST

/* All of him goes, and stays away under later lists: user, the node that is known here, the token. */
START_TEST(revokes)
{
	uint8_t node[ELA_HASH_LEN], token[ELA_HASH_LEN];

	world_node_hash(3, node);
	world_node_hash(9, token);
	enrol_aki();
	publish(w->owner); /* his token is the list's matter from here on */
	ck_assert(in(w->aki) && !ela_membership_enrolment(m, 0));
	throw_out("aka", -ENOENT, "there is no user \"aka\"; did you mean \"aki\"");
	throw_out("aki", 0, NULL);
	throw_out("aki", -EALREADY, "revoked already");
	publish(w->owner);
	ck_assert(!in(w->aki) && in(w->sada));
	ck_assert(ela_membership_is_revoked(m, node));
	ck_assert(ela_membership_is_revoked(m, token));
	ck_assert_ptr_nonnull(ela_userlist_user(ela_membership_list(m), hash_of(w->aki))); /* for his guests' grants */
	set("aki", "may-invite", "yes", -EINVAL, "is revoked");
	reserve("aki", WORLD_ADDRESS, -EINVAL, "is revoked");
	publish(w->owner);
	ck_assert(!in(w->aki));
	ck_assert_ptr_nonnull(ela_revoked_find(&ela_membership_list(m)->revoked, hash_of(w->aki)));
	ck_assert_ptr_null(ela_revoked_find(&ela_membership_list(m)->revoked, hash_of(w->sada)));
}
END_TEST

/* The owner who is a user as well cannot lock himself out; what another list of the epoch revoked stays. */
START_TEST(revokes_not_the_owner)
{
	struct ela_userlist *list = world_version(w, 2), *fork = world_version(w, 2);
	g_autoptr(GBytes) bytes = NULL, fork_bytes = NULL;

	(void)world_user(list, "me", w->owner);
	bytes = world_sign(w, list, w->owner);
	(void)ela_revoked_add(&fork->revoked, hash_of(w->sada), 1200);
	fork_bytes = world_sign(w, fork, w->owner);
	ela_userlist_free(list);
	ela_userlist_free(fork);
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	world_offered(m, ela_membership_offer_list, fork_bytes, -ENOTUNIQ, "two user lists");
	ck_assert(g_bytes_equal(ela_membership_fork(m, 0), fork_bytes));
	ck_assert_ptr_null(ela_membership_fork(m, 1));
	ela_owner_free(owner);
	ck_assert_int_eq(ela_owner_new(m, w->owner, NOW, &owner, NULL), 0);
	throw_out("me", -EINVAL, "is the network's owner");
	publish(w->owner);
	ck_assert(!ela_membership_is_forked(m));
	ck_assert_ptr_nonnull(ela_revoked_find(&ela_membership_list(m)->revoked, hash_of(w->sada)));
}
END_TEST

START_TEST(reserves)
{
	enrol_aki();
	reserve("nobody", WORLD_ADDRESS, -ENOENT, "there is no user \"nobody\"");
	reserve("sada", 0x0a4d0100, -EINVAL, "10.77.1.0 is no address of a node");
	reserve("sada", 0x0a4d00ff, -EINVAL, "10.77.0.255 is no address of a node");
	reserve("sada", WORLD_ADDRESS, 0, NULL);
	reserve("sada", WORLD_ADDRESS - 1, 0, NULL);
	reserve("sada", WORLD_ADDRESS, -EALREADY, "kept for user sada already");
	reserve("aki", WORLD_ADDRESS, -EINVAL, "kept for user sada already");
	publish(w->owner);
	ck_assert_mem_eq(ela_membership_reserved_for(m, WORLD_ADDRESS), hash_of(w->sada), ELA_HASH_LEN);
	ck_assert_mem_eq(ela_membership_reserved_for(m, WORLD_ADDRESS - 1), hash_of(w->sada), ELA_HASH_LEN);
	ck_assert_ptr_null(ela_membership_reserved_for(m, WORLD_ADDRESS + 1));
	for (uint32_t i = 0; i < ELA_RESERVED_MAX; i++)
		reserve("aki", WORLD_ADDRESS + 10 + i, 0, NULL);
	reserve("aki", WORLD_ADDRESS + 50, -ENOSPC, "can be no more");
}
END_TEST

START_TEST(sets)
{
	enrol_aki();
	set("sada", "may-be-core", "no", 0, NULL);
	set("sada", "max-nodes", "7", 0, NULL);
	set("aki", "may-invite", "yes", 0, NULL);
	publish(w->owner);
	ck_assert(!rights_of(w->sada).may_core && rights_of(w->sada).may_invite && rights_of(w->sada).max_nodes == 7);
	ck_assert(rights_of(w->aki).may_core && rights_of(w->aki).may_invite);
	set("sada", "may-be-core", "true", -EINVAL, "may-be-core \"true\": expected yes or no");
	set("sada", "max-nodes", "0", -EINVAL, "expected a whole number 1..1024");
	set("sada", "max-nodes", "1025", -EINVAL, "expected a whole number 1..1024");
	set("sada", "max-node", "3", -EINVAL, "did you mean \"max-nodes\"");
	set("aki", "may-invite", "no", 0, NULL);
	publish(w->owner);
	ck_assert(!rights_of(w->aki).may_invite && rights_of(w->sada).max_nodes == 7);
}
END_TEST

/*
 * What one node holds, taken over by another program: an enrolment whose witness was revoked since, which nobody else
 * would take, and so the owner can still name that user.
 */
START_TEST(copies)
{
	struct ela_userlist *list = world_version(w, 2);
	struct ela_membership *copy = NULL;
	g_autoptr(GBytes) list_bytes = NULL, enrolment = NULL;

	enrol_aki();
	enrolment = g_bytes_ref(ela_membership_enrolment(m, 0));
	(void)ela_revoked_add(&list->revoked, hash_of(w->sada), 1200);
	list_bytes = world_sign(w, list, w->owner);
	ela_userlist_free(list);
	world_offered(m, ela_membership_offer_list, list_bytes, 0, NULL);
	ck_assert(in(w->aki) && !in(w->sada));
	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &ela_file_system, -1, &copy, NULL), 0);
	world_offered(copy, ela_membership_offer_genesis, w->genesis_bytes, 0, NULL);
	world_offered(copy, ela_membership_offer_list, list_bytes, 0, NULL);
	world_offered(copy, ela_membership_offer_enrolment, enrolment, -EACCES, "witness is not authorised");
	ela_membership_set_judged(copy, true);
	world_offered(copy, ela_membership_offer_enrolment, enrolment, 0, NULL);
	ela_membership_set_judged(copy, false);
	ck_assert(ela_membership_authorised(copy, hash_of(w->aki), NULL));
	ela_owner_free(owner);
	ck_assert_int_eq(ela_owner_new(copy, w->owner, NOW, &owner, NULL), 0);
	throw_out("aki", 0, NULL);
	ela_owner_free(owner);
	owner = NULL;
	ela_membership_free(copy);
}
END_TEST

/* Two guests of one name, let in by cores that did not know of each other: the list takes one, both stay in. */
START_TEST(same_names)
{
	struct ela_grant grant = world_grant(8);
	g_autoptr(GBytes) core = world_credential(w, w->sada, 1, 0, 1), bytes = world_grant_sign(w, &grant, w->owner);
	g_autoptr(GBytes) claim = world_claim(w, 8, bytes, w->next, 0), enrolment = world_enrol(w, claim, 1, core, 1200);

	enrol_aki();
	world_offered(m, ela_membership_offer_enrolment, enrolment, 0, NULL);
	ela_owner_free(owner);
	ck_assert_int_eq(ela_owner_new(m, w->owner, NOW, &owner, NULL), 0);
	publish(w->owner);
	ck_assert(in(w->aki) && in(w->next));
	ck_assert_uint_eq(ela_membership_list(m)->n_users, 2);
	ck_assert(g_bytes_equal(ela_membership_enrolment(m, 0), enrolment));
	publish(w->owner); /* nor does it stand in the way later */
}
END_TEST

/* A token more than an entry has room for: its machine stays enrolled, and the owner can still sign. */
START_TEST(full_entry)
{
	struct ela_userlist *list = world_version(w, 2);
	struct ela_grant grant = world_grant(40);
	g_autoptr(GBytes) core = world_credential(w, w->sada, 1, 0, 1), grant_bytes = NULL, claim = NULL, bytes = NULL,
					  list_bytes = NULL;
	uint8_t token[ELA_HASH_LEN];

	for (uint8_t i = 0; i < ELA_USER_TOKENS_MAX; i++) {
		world_public((uint8_t)(60 + i), list->users[0].tokens[i].key);
		world_node_hash((uint8_t)(90 + i), list->users[0].tokens[i].holder);
	}
	list->users[0].n_tokens = ELA_USER_TOKENS_MAX;
	list_bytes = world_sign(w, list, w->owner);
	ela_userlist_free(list);
	world_offered(m, ela_membership_offer_list, list_bytes, 0, NULL);
	grant.is_machine = true;
	grant.rights = (struct ela_rights){0};
	(void)g_strlcpy(grant.user, "sada", sizeof grant.user);
	grant_bytes = world_grant_sign(w, &grant, w->sada);
	claim = world_claim(w, 40, grant_bytes, NULL, 6);
	bytes = world_enrol(w, claim, 1, core, 1300);
	world_offered(m, ela_membership_offer_enrolment, bytes, 0, NULL);
	ela_owner_free(owner);
	ck_assert_int_eq(ela_owner_new(m, w->owner, NOW, &owner, NULL), 0);
	publish(w->owner);
	ck_assert(g_bytes_equal(ela_membership_enrolment(m, 0), bytes));
	throw_out("sada", 0, NULL);
	publish(w->owner);
	world_node_hash(40, token);
	ck_assert(ela_membership_is_revoked(m, token));
}
END_TEST

/* The next owner goes on where the last one stopped; the old one's key and the used recovery key are nothing. */
START_TEST(recovers)
{
	struct ela_owner *none = NULL;
	GError *error = NULL;

	enrol_aki();
	throw_out("aki", 0, NULL);
	reserve("sada", WORLD_ADDRESS, 0, NULL);
	publish(w->owner);
	ela_owner_free(owner);
	owner = NULL;
	expect(ela_owner_recover(m, w->recovery, w->next, hash_of(w->aki), NOW + 10, &owner, &error), 0, &error, NULL);
	ck_assert_uint_eq(ela_owner_list(owner)->epoch, 1);
	ck_assert_uint_eq(ela_owner_list(owner)->version, 1);
	publish(w->next);
	ck_assert_uint_eq(ela_membership_list(m)->epoch, 1);
	ck_assert(in(w->sada) && !in(w->aki));
	ck_assert_mem_eq(ela_membership_reserved_for(m, WORLD_ADDRESS), hash_of(w->sada), ELA_HASH_LEN);
	expect(ela_owner_new(m, w->owner, NOW, &none, &error), -EACCES, &error, "not the key");
	expect(ela_owner_recover(m, w->recovery, w->next, hash_of(w->aki), NOW, &none, &error), -EACCES, &error,
		"or it was used before");
	throw_out("sada", 0, NULL);
	publish(w->next);
	ck_assert(!in(w->sada));
	ela_owner_free(owner);
	owner = NULL;
	expect(ela_owner_recover(m, w->aki, w->owner, hash_of(w->sada), NOW + 20, &owner, &error), 0, &error, NULL);
	publish(w->owner);
	ck_assert_uint_eq(ela_membership_list(m)->epoch, 2);
	ck_assert(!in(w->sada) && !in(w->aki));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("owner");
	TCase *tc = tcase_create("owner");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, renews);
	tcase_add_test(tc, not_the_owner);
	tcase_add_test(tc, revokes);
	tcase_add_test(tc, revokes_not_the_owner);
	tcase_add_test(tc, reserves);
	tcase_add_test(tc, sets);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, same_names);
	tcase_add_test(tc, full_entry);
	tcase_add_test(tc, recovers);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
