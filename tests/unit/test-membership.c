/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-membership: which list counts, who is authorised, whose node and record it is; full disks and restarts. Tokens
 * and enrolments: test-enrolment.c. One thread.
 */
#include "frame.h"
#include "naive.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct world *w;
static struct ela_membership *m;
static char *dir;
static int state_fd = -1;

static void setup(void)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-membership-XXXXXX", NULL);

	w = world_new();
	m = world_member(w);
	dir = g_strdup(mkdtemp(template));
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(state_fd, 0);
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	ela_membership_free(m);
	world_free(w);
	ck_assert_int_eq(close(state_fd), 0);
	ck_assert_int_eq(system(command), 0);
	g_free(dir);
}

static const uint8_t *hash_of(const struct ela_rsa *key)
{
	return ela_rsa_public(key)->hash;
}

/* Signs it, frees it, offers it. */
static void offer(struct ela_userlist *list, const struct ela_rsa *owner, int err, const char *words)
{
	g_autoptr(GBytes) bytes = world_sign(w, list, owner);

	ela_userlist_free(list);
	world_offered(m, ela_membership_offer_list, bytes, err, words);
}

static bool in(const struct ela_rsa *key)
{
	return ela_membership_authorised(m, hash_of(key), NULL);
}

/* ---- genesis and list ---- */

START_TEST(test_order)
{
	g_autoptr(GBytes) list = world_sign(w, w->list, w->owner);
	struct ela_membership *empty = NULL;
	uint8_t other[ELA_NETWORK_LEN] = {1};

	ck_assert_int_eq(ela_membership_new(other, &ela_file_system, -1, &empty, NULL), 0);
	world_offered(empty, ela_membership_offer_list, list, -EAGAIN, "before the genesis");
	world_offered(empty, ela_membership_offer_genesis, w->genesis_bytes, -EBADMSG, "another network");
	world_offered(empty, ela_membership_offer_enrolment, list, -EAGAIN, "before the user list");
	ck_assert_ptr_null(ela_membership_genesis(empty));
	ck_assert(!ela_membership_authorised(empty, hash_of(w->sada), NULL));
	ela_membership_free(empty);
	world_offered(m, ela_membership_offer_genesis, w->genesis_bytes, -EALREADY, "is known");
}
END_TEST

START_TEST(test_versions)
{
	uint64_t generation = ela_membership_generation(m);
	struct ela_userlist *second = world_version(w, 2);
	g_autoptr(GBytes) bytes = NULL;

	ck_assert(in(w->sada) && !in(w->aki));
	world_user(second, "aki", w->aki);
	bytes = world_sign(w, second, w->owner);
	ela_userlist_free(second);
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	ck_assert(in(w->aki));
	ck_assert_uint_ne(ela_membership_generation(m), generation);
	generation = ela_membership_generation(m);
	world_offered(m, ela_membership_offer_list, bytes, -EALREADY, "the one held");
	offer(world_version(w, 1), w->owner, -ESTALE, "older");
	ck_assert_uint_eq(ela_membership_generation(m), generation);
	ck_assert(in(w->aki)); /* a replayed list takes nothing back */
	offer(world_version(w, 4), w->owner, 0, NULL);
	ck_assert(!in(w->aki));
	offer(world_version(w, 3), w->owner, -ESTALE, "older");
}
END_TEST

START_TEST(test_revoked_stays)
{
	struct ela_userlist *list = world_version(w, 2);

	(void)ela_revoked_add(&list->revoked, hash_of(w->sada), 1200);
	offer(list, w->owner, 0, NULL);
	ck_assert(!in(w->sada)); /* though he is in the list */
	ck_assert(ela_membership_is_revoked(m, hash_of(w->sada)));
	offer(world_version(w, 3), w->owner, 0, NULL); /* which has forgotten it */
	ck_assert(!in(w->sada));
}
END_TEST

/* A fork: both orders come to the same rights. */
START_TEST(test_fork)
{
	struct ela_userlist *a = world_version(w, 2), *b = world_version(w, 2);
	g_autoptr(GBytes) bytes_a = NULL, bytes_b = NULL;
	struct ela_rights rights;

	world_user(a, "aki", w->aki);
	b->users[0].rights = (struct ela_rights){.may_core = false, .may_invite = true, .max_nodes = 2};
	(void)ela_revoked_add(&b->revoked, hash_of(w->next), 1200);
	bytes_a = world_sign(w, a, w->owner);
	bytes_b = world_sign(w, b, w->owner);
	world_offered(m, ela_membership_offer_list, _i == 0 ? bytes_a : bytes_b, 0, NULL);
	ck_assert(!ela_membership_is_forked(m));
	world_offered(m, ela_membership_offer_list, _i == 0 ? bytes_b : bytes_a, -ENOTUNIQ, "both signed by the owner");
	world_offered(m, ela_membership_offer_list, _i == 0 ? bytes_b : bytes_a, -EALREADY, "is known");
	ck_assert(ela_membership_is_forked(m));
	ck_assert(!in(w->aki));
	ck_assert(ela_membership_authorised(m, hash_of(w->sada), &rights));
	ck_assert(!rights.may_core && rights.may_invite && rights.max_nodes == 2);
	ck_assert(ela_membership_is_revoked(m, hash_of(w->next)));
	offer(world_version(w, 3), w->owner, 0, NULL); /* the owner settles it */
	ck_assert(!ela_membership_is_forked(m));
	ck_assert(ela_membership_authorised(m, hash_of(w->sada), &rights) && rights.max_nodes == 4);
	ela_userlist_free(a);
	ela_userlist_free(b);
}
END_TEST

/* A list of epoch 1, owned by the key, handed over by the recovery key. */
static struct ela_userlist *handed_over(const struct ela_rsa *owner, const struct ela_rsa *recovery)
{
	struct ela_userlist *list = world_version(w, 9);
	struct ela_handover handover = {.epoch = 1, .issued_s = 1200, .owner = *ela_rsa_public(owner)};
	g_autoptr(GBytes) bytes = NULL;

	memcpy(handover.next_recovery_hash, hash_of(owner), ELA_HASH_LEN);
	ck_assert_int_eq(ela_handover_sign(&handover, w->genesis.network_id, recovery, &bytes, NULL), 0);
	ck_assert_int_eq(ela_userlist_hand_over(list, &handover, bytes), 0);
	list->version = 1;
	return list;
}

START_TEST(test_recovery)
{
	struct ela_userlist *list = world_version(w, 5), *first = handed_over(w->next, w->recovery), *second;

	(void)ela_revoked_add(&list->revoked, hash_of(w->aki), 1200);
	offer(list, w->owner, 0, NULL);
	second = ela_userlist_copy(first);
	second->version = 2;
	world_user(second, "aki", w->aki);
	offer(first, w->next, 0, NULL);                            /* version 1 of epoch 1 is above version 5 of epoch 0 */
	ck_assert(!ela_membership_is_revoked(m, hash_of(w->aki))); /* what a stolen key revoked is gone */
	offer(second, w->next, 0, NULL);
	ck_assert(in(w->aki));
	offer(world_version(w, 6), w->owner, -ESTALE, "older"); /* the old owner's key */
	/* the recovery key used twice: the first one stays */
	offer(handed_over(w->sada, w->recovery), w->sada, -ENOTUNIQ, "used twice");
	ck_assert(ela_membership_is_forked(m));
	ck_assert_mem_eq(ela_userlist_owner(ela_membership_list(m), &w->genesis, 1)->hash, hash_of(w->next), ELA_HASH_LEN);
}
END_TEST

START_TEST(test_time)
{
	g_autoptr(GBytes) known = world_credential(w, w->sada, 1, 0, 1), new = world_credential(w, w->sada, 2, 1, 1);
	g_autoptr(GError) error = NULL;

	ck_assert_uint_eq(ela_membership_now(m, 0), 1000); /* the list's issue time */
	ck_assert_uint_eq(ela_membership_now(m, 1500), 1500);
	ck_assert(!ela_membership_is_expired(m, 2000) && ela_membership_is_expired(m, 2001));
	world_offered(m, world_offer_credential, known, 0, NULL);
	ck_assert_int_eq(ela_membership_offer_credential(
						 m, g_bytes_get_data(new, NULL), g_bytes_get_size(new), 2001, false, NULL, &error),
		-EKEYEXPIRED);
	ck_assert_ptr_nonnull(strstr(error->message, "the user list has expired"));
	ck_assert_int_eq(ela_membership_offer_credential(
						 m, g_bytes_get_data(known, NULL), g_bytes_get_size(known), 2001, false, NULL, NULL),
		-EALREADY); /* members go on */
	ck_assert_int_eq(
		ela_membership_offer_credential(m, g_bytes_get_data(new, NULL), g_bytes_get_size(new), 2001, true, NULL, NULL),
		0);                                        /* as does who has a lease */
	offer(world_version(w, 2), w->owner, 0, NULL); /* valid until 2000, issued at 1200 */
	ck_assert_uint_eq(ela_membership_now(m, 0), 1200);
}
END_TEST

/* The set beside an array that is searched from end to end. */
START_TEST(test_revoked_set)
{
	struct naive_rng rng = naive_seed("revoked");
	struct ela_revoked_set set = {0};
	struct ela_revoked all[200];
	uint32_t n = 0;

	for (uint32_t i = 0; i < 2000; i++) {
		struct ela_revoked entry = {.hash = {(uint8_t)naive_below(&rng, 14)}, .since_s = naive_below(&rng, 50)};
		uint32_t at = 0;
		bool changes;

		entry.hash[31] = (uint8_t)naive_below(&rng, 14);
		while (at < n && memcmp(all[at].hash, entry.hash, ELA_HASH_LEN) != 0)
			at++;
		ck_assert((ela_revoked_find(&set, entry.hash) != NULL) == (at < n));
		changes = at == n || entry.since_s < all[at].since_s;
		ck_assert(ela_revoked_add(&set, entry.hash, entry.since_s) == changes);
		if (changes)
			all[at] = entry;
		n += at == n;
		ck_assert_uint_eq(ela_revoked_find(&set, entry.hash)->since_s, all[at].since_s);
	}
	ck_assert_uint_eq(set.n, n);
	ck_assert(ela_revoked_is_sorted(&set));
	ela_revoked_clear(&set);
}
END_TEST

/* ---- nodes ---- */

static int check_of(GBytes *bytes, const char **words)
{
	static char text[256];
	uint8_t hash[ELA_HASH_LEN];
	const struct ela_credential *credential;
	g_autoptr(GError) error = NULL;
	int err;

	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), hash), 0);
	credential = ela_membership_credential(m, hash);
	if (!credential)
		return -ENOENT;
	err = ela_membership_check(m, credential, &error);
	(void)g_strlcpy(text, error ? error->message : "", sizeof text);
	*words = text;
	return err;
}

START_TEST(test_credentials)
{
	g_autoptr(GBytes) first = world_credential(w, w->sada, 1, 0, 1), second = world_credential(w, w->sada, 2, 0, 2),
					  outside = world_credential(w, w->sada, 3, 4, 1), last = world_credential(w, w->sada, 3, 3, 1),
					  stranger = world_credential(w, w->aki, 4, 0, 1), cut = g_bytes_new_from_bytes(first, 0, 400);
	const struct ela_signer aki = {.rsa = w->aki};
	struct ela_userlist *list = world_version(w, 2);
	struct ela_credential lie = {.name = "node", .x25519 = {9}};
	g_autoptr(GBytes) stolen = NULL;
	const char *words;

	world_offered(m, world_offer_credential, stranger, -EAGAIN, "not known here");
	world_offered(m, world_offer_credential, cut, -EBADMSG, "cut");
	world_offered(m, world_offer_credential, outside, -EACCES, "may have 4 nodes");
	world_offered(m, world_offer_credential, last, 0, NULL);
	world_offered(m, world_offer_credential, first, 0, NULL);
	world_offered(m, world_offer_credential, first, -EALREADY, "known");
	ck_assert_int_eq(check_of(first, &words), 0);
	world_offered(m, world_offer_credential, second, 0, NULL); /* a lost machine is replaced */
	ck_assert_int_eq(check_of(first, &words), -ENOENT);
	world_offered(m, world_offer_credential, first, -ESTALE, "was replaced");
	/* aki's signature, sada's name */
	memcpy(lie.user, hash_of(w->sada), ELA_HASH_LEN);
	ck_assert_int_eq(ela_credential_sign(&lie, w->genesis.network_id, &aki, &stolen, NULL), 0);
	world_user(list, "aki", w->aki);
	offer(list, w->owner, 0, NULL);
	world_offered(m, world_offer_credential, stolen, -EACCES, "of somebody else");
	world_offered(m, world_offer_credential, stranger, 0, NULL);
}
END_TEST

/* Two of one serial: the smaller hash, whichever came first. */
START_TEST(test_same_serial)
{
	g_autoptr(GBytes) a = world_credential(w, w->sada, 1, 0, 1), b = world_credential(w, w->sada, 2, 0, 1);
	uint8_t hash_a[ELA_HASH_LEN], hash_b[ELA_HASH_LEN];
	bool a_wins;

	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(a, NULL), g_bytes_get_size(a), hash_a), 0);
	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(b, NULL), g_bytes_get_size(b), hash_b), 0);
	a_wins = memcmp(hash_a, hash_b, ELA_HASH_LEN) < 0;
	world_offered(m, world_offer_credential, _i == 0 ? a : b, 0, NULL);
	if (a_wins == (_i == 0))
		world_offered(m, world_offer_credential, _i == 0 ? b : a, -ESTALE, "was replaced");
	else
		world_offered(m, world_offer_credential, _i == 0 ? b : a, 0, NULL);
	ck_assert((ela_membership_credential(m, hash_a) != NULL) == a_wins);
	ck_assert((ela_membership_credential(m, hash_b) != NULL) == !a_wins);
}
END_TEST

/* 0 the user, 1 the node's Ed25519 key, 2 its X25519 key. */
START_TEST(test_revoked_nodes)
{
	g_autoptr(GBytes) bytes = world_credential(w, w->sada, 1, 0, 1), record = NULL;
	struct ela_lease lease = world_lease(w, bytes, WORLD_ADDRESS);
	struct ela_userlist *list = world_version(w, 2);
	struct ela_standing standing;
	uint8_t key[32], hash[ELA_HASH_LEN];
	const char *words = "";

	record = world_record(w, &lease, 1);
	world_offered(m, world_offer_credential, bytes, 0, NULL);
	ck_assert_int_eq(
		ela_membership_check_record(m, g_bytes_get_data(record, NULL), g_bytes_get_size(record), NULL, &standing, NULL),
		0);
	world_private(1, key);
	ck_assert_int_eq(ela_x25519_public(key, key), 0);
	ck_assert_int_eq(ela_object_key_hash(key, hash), 0);
	if (_i == 1)
		world_node_hash(1, hash);
	(void)ela_revoked_add(&list->revoked, _i == 0 ? hash_of(w->sada) : hash, 1200);
	offer(list, w->owner, 0, NULL);
	ck_assert_int_eq(check_of(bytes, &words), -EACCES);
	ck_assert_msg(strstr(words, "revoked") != NULL, "found %s", words);
	world_offered(m, world_offer_credential, bytes, -EACCES, "revoked");
	ck_assert_int_eq(
		ela_membership_check_record(m, g_bytes_get_data(record, NULL), g_bytes_get_size(record), NULL, &standing, NULL),
		-EACCES);
}
END_TEST

static int check_record(GBytes *bytes, struct ela_standing *ret, const char *words)
{
	g_autoptr(GError) error = NULL;
	int err = ela_membership_check_record(m, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, ret, &error);

	ck_assert_msg(
		err == 0 ? !error : error && strstr(error->message, words), "found %d %s", err, error ? error->message : "");
	return err;
}

START_TEST(test_records)
{
	g_autoptr(GBytes) mine = world_credential(w, w->sada, 1, 0, 1), home = world_credential(w, w->sada, 2, 1, 1),
					  unknown = world_credential(w, w->sada, 5, 2, 1), record = NULL, marked = NULL, forged = NULL;
	struct ela_lease lease = world_lease(w, mine, WORLD_ADDRESS), wrong;
	struct ela_standing standing;

	record = world_record(w, &lease, 1);
	ck_assert_int_eq(check_record(record, &standing, "not known here"), -EAGAIN);
	world_offered(m, world_offer_credential, mine, 0, NULL);
	ck_assert_int_eq(check_record(record, &standing, ""), 0);
	ck_assert(standing.lease.id == lease.id && standing.lease.incarnation == 7 && standing.lease.sequence == 12 &&
			  standing.since_s == 0 && standing.lease.n_places == 1 && standing.credential->slot == 0);
	/* the home's word counts once the home is known */
	marked = world_mark(w, record, &lease, 1, 2, 1300);
	ck_assert_int_eq(check_record(marked, &standing, ""), 0);
	ck_assert_uint_eq(standing.since_s, 0);
	world_offered(m, world_offer_credential, home, 0, NULL);
	ck_assert_int_eq(check_record(marked, &standing, ""), 0);
	ck_assert_uint_eq(standing.since_s, 1300);
	forged = world_mark(w, record, &lease, 3, 2, 1300); /* about another node */
	ck_assert_int_eq(check_record(forged, &standing, "another lease"), -EBADMSG);
	/* what a record may not say */
	wrong = lease;
	wrong.id ^= 1;
	g_clear_pointer(&record, g_bytes_unref);
	record = world_record(w, &wrong, 1);
	ck_assert_int_eq(check_record(record, &standing, "not that of its address"), -EBADMSG);
	wrong = world_lease(w, mine, 0x0a4e0005);
	g_clear_pointer(&record, g_bytes_unref);
	record = world_record(w, &wrong, 1);
	ck_assert_int_eq(check_record(record, &standing, "outside of the network"), -EBADMSG);
	wrong = lease;
	wrong.places[0].addr = (struct ela_addr){.family = ELA_ADDR_IP4, .ip = {10, 77, 0, 9}};
	g_clear_pointer(&record, g_bytes_unref);
	record = world_record(w, &wrong, 1);
	ck_assert_int_eq(check_record(record, &standing, "inside of the network itself"), -EBADMSG);
	wrong = world_lease(w, unknown, WORLD_ADDRESS);
	g_clear_pointer(&record, g_bytes_unref);
	record = world_record(w, &wrong, 1);
	ck_assert_int_eq(check_record(record, &standing, "credential that is not known"), -EAGAIN);
	/* another's key in the place of one's own */
	wrong = world_lease(w, home, WORLD_ADDRESS);
	g_clear_pointer(&record, g_bytes_unref);
	record = world_record(w, &wrong, 1);
	ck_assert_int_eq(check_record(record, &standing, "credential that is not known"), -EAGAIN);
}
END_TEST

START_TEST(test_core_rights)
{
	g_autoptr(GBytes) mine = world_credential(w, w->sada, 1, 0, 1), record = NULL;
	struct ela_lease lease = world_lease(w, mine, WORLD_ADDRESS);
	struct ela_userlist *list = world_version(w, 2);
	struct ela_standing standing;

	world_offered(m, world_offer_credential, mine, 0, NULL);
	list->users[0].rights.may_core = false;
	offer(list, w->owner, 0, NULL);
	record = world_record(w, &lease, 1);
	ck_assert_int_eq(check_record(record, &standing, "whose user may have none"), -EACCES);
	lease.role = ELA_LEASE_EDGE;
	lease.parent = 77;
	g_clear_pointer(&record, g_bytes_unref);
	record = world_record(w, &lease, 1);
	ck_assert_int_eq(check_record(record, &standing, ""), 0);
}
END_TEST

/* Who holds an address: antisymmetric, and by the rules in their order. */
START_TEST(test_compare)
{
	static const struct {
		uint64_t a_s, b_s;
		int wanted; /* 0: the smaller key hash */
	} cases[] = {{0, 0, 0}, {1000, 0, -1}, {0, 1000, 1}, {1000, 1060, 0}, {1000, 1061, -1}, {1061, 1000, 1},
		{1060, 1000, 0}, {1, UINT64_MAX, -1}};
	g_autoptr(GBytes) a_bytes = world_credential(w, w->sada, 1, 0, 1), b_bytes = world_credential(w, w->aki, 2, 0, 1);
	const struct ela_credential *a_credential, *b_credential;
	struct ela_userlist *list = world_version(w, 2);
	struct ela_standing a = {0}, b = {0};

	world_user(list, "aki", w->aki);
	if (_i == 1)
		list->users[1].reserved = (struct ela_reserved){1, {WORLD_ADDRESS}};
	offer(list, w->owner, 0, NULL);
	ck_assert_int_eq(ela_membership_offer_credential(m, g_bytes_get_data(a_bytes, NULL), g_bytes_get_size(a_bytes),
						 1500, false, &a_credential, NULL),
		0);
	ck_assert_int_eq(ela_membership_offer_credential(m, g_bytes_get_data(b_bytes, NULL), g_bytes_get_size(b_bytes),
						 1500, false, &b_credential, NULL),
		0);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int smaller = memcmp(a_credential->node_hash, b_credential->node_hash, ELA_HASH_LEN) < 0 ? -1 : 1;
		int wanted = _i == 1 ? 1 : cases[i].wanted ? cases[i].wanted : smaller;

		a = (struct ela_standing){
			.lease = {.address = WORLD_ADDRESS}, .credential = a_credential, .since_s = cases[i].a_s};
		b = (struct ela_standing){
			.lease = {.address = WORLD_ADDRESS}, .credential = b_credential, .since_s = cases[i].b_s};
		memcpy(a.lease.node_hash, a_credential->node_hash, ELA_HASH_LEN);
		memcpy(b.lease.node_hash, b_credential->node_hash, ELA_HASH_LEN);
		ck_assert_msg(ela_membership_compare(m, &a, &b) == wanted, "case %zu", i);
		ck_assert_msg(ela_membership_compare(m, &b, &a) == -wanted, "case %zu, turned round", i);
	}
	ck_assert_ptr_eq(ela_membership_reserved_for(m, WORLD_ADDRESS + 1), NULL);
}
END_TEST

/* ---- the disk ---- */

static int fail_in; /* the write that fails, from 1; 0 none */

static ssize_t full_write(int fd, const void *bytes, size_t len)
{
	if (fail_in > 0 && --fail_in == 0) {
		fail_in = 1; /* and stays full */
		errno = ENOSPC;
		return -1;
	}
	return write(fd, bytes, len);
}

static const struct ela_file_ops full = {full_write, fsync, renameat};

static void reopen(void)
{
	g_autoptr(GError) error = NULL;

	ela_membership_free(m);
	m = NULL;
	ck_assert_msg(
		ela_membership_new(w->genesis.network_id, &full, state_fd, &m, &error) == 0, "%s", error ? error->message : "");
}

/* The state of the other tests, on the disk. */
static void begin_on_disk(void)
{
	g_autoptr(GBytes) list = world_sign(w, w->list, w->owner);

	fail_in = 0;
	reopen();
	world_offered(m, ela_membership_offer_genesis, w->genesis_bytes, 0, NULL);
	world_offered(m, ela_membership_offer_list, list, 0, NULL);
}

START_TEST(test_restart)
{
	g_autoptr(GBytes) first = world_credential(w, w->sada, 1, 0, 1), second = world_credential(w, w->sada, 2, 0, 2);
	struct ela_userlist *list = world_version(w, 2);
	const char *words;

	begin_on_disk();
	world_offered(m, world_offer_credential, first, 0, NULL);
	world_offered(m, world_offer_credential, second, 0, NULL);
	(void)ela_revoked_add(&list->revoked, hash_of(w->aki), 1200);
	offer(list, w->owner, 0, NULL);
	offer(world_version(w, 3), w->owner, 0, NULL);
	reopen();
	ck_assert(in(w->sada));
	ck_assert_uint_eq(ela_membership_list(m)->version, 3);
	ck_assert(ela_membership_is_revoked(m, hash_of(w->aki))); /* of version 2, which is gone */
	ck_assert_int_eq(check_of(second, &words), 0);
	world_offered(m, world_offer_credential, first, -ESTALE, "was replaced");
	ck_assert_uint_eq(ela_membership_now(m, 0), 1300);
}
END_TEST

START_TEST(test_restart_forked)
{
	struct ela_userlist *fork = world_version(w, 1);

	begin_on_disk();
	fork->users[0].rights.max_nodes = 1;
	offer(fork, w->owner, -ENOTUNIQ, "both signed");
	reopen();
	ck_assert(ela_membership_is_forked(m));
}
END_TEST

/* What a list takes away applies on a full disk; what it gives when it is written. Each write fails in turn. */
START_TEST(test_full_disk)
{
	struct ela_userlist *list = world_version(w, 2);
	struct ela_rights rights;

	begin_on_disk();
	world_user(list, "aki", w->aki);
	list->users[0].rights.max_nodes = 2;
	list->users[0].rights.may_core = true;
	(void)ela_revoked_add(&list->revoked, hash_of(w->next), 1200);
	fail_in = 1 + _i;
	offer(list, w->owner, -ENOSPC, "what it takes away applies");
	ck_assert(!in(w->aki));
	ck_assert(ela_membership_authorised(m, hash_of(w->sada), &rights) && rights.max_nodes == 2);
	ck_assert(ela_membership_is_revoked(m, hash_of(w->next)));
	ck_assert_uint_eq(ela_membership_newest(m)->version, 2); /* this is what others hear of */
	ck_assert_int_eq(ela_membership_flush(m), -ENOSPC);
	ck_assert(!in(w->aki));
	fail_in = 0;
	ck_assert_int_eq(ela_membership_flush(m), 0);
	ck_assert(in(w->aki));
	reopen();
	ck_assert(in(w->aki) && ela_membership_is_revoked(m, hash_of(w->next)));
}
END_TEST

/* The crash: what was revoked is on the disk before the list, and never the other way round. */
START_TEST(test_full_disk_and_crash)
{
	struct ela_userlist *list = world_version(w, 2);

	begin_on_disk();
	(void)ela_revoked_add(&list->revoked, hash_of(w->sada), 1200);
	fail_in = 2;
	offer(list, w->owner, -ENOSPC, "");
	fail_in = 0;
	reopen();
	ck_assert_uint_eq(ela_membership_list(m)->version, 1);
	ck_assert(!in(w->sada));
}
END_TEST

/* Files that somebody cut or changed: told by their names, nothing is believed. */
START_TEST(test_broken_files)
{
	static const char *const names[] = {"genesis", "list", "revoked", "forks", "enrolments", "credentials"};
	g_autoptr(GBytes) credential = world_credential(w, w->sada, 1, 0, 1);
	g_autofree char *path = g_build_filename(dir, names[_i], NULL), *text = NULL;
	g_autoptr(GError) error = NULL;
	struct ela_userlist *list = world_version(w, 2);
	struct ela_membership *other = NULL;
	gsize len;

	begin_on_disk();
	world_offered(m, world_offer_credential, credential, 0, NULL);
	(void)ela_revoked_add(&list->revoked, hash_of(w->aki), 1200);
	offer(list, w->owner, 0, NULL);
	ck_assert(g_file_get_contents(path, &text, &len, NULL));
	text = g_realloc(text, len + 5);
	memset(text + len, 0, 5);
	ck_assert(g_file_set_contents(path, text, (gssize)len + 3, NULL));
	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &full, state_fd, &other, &error), -EBADMSG);
	ck_assert_ptr_null(other);
	ck_assert_msg(g_str_has_prefix(error->message, names[_i]), "found %s", error->message);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("membership");
	TCase *tc = tcase_create("membership");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_versions);
	tcase_add_test(tc, test_revoked_stays);
	tcase_add_test(tc, test_revoked_set);
	tcase_add_loop_test(tc, test_fork, 0, 2);
	tcase_add_test(tc, test_recovery);
	tcase_add_test(tc, test_time);
	tcase_add_test(tc, test_credentials);
	tcase_add_loop_test(tc, test_same_serial, 0, 2);
	tcase_add_loop_test(tc, test_revoked_nodes, 0, 3);
	tcase_add_test(tc, test_records);
	tcase_add_test(tc, test_core_rights);
	tcase_add_loop_test(tc, test_compare, 0, 2);
	tcase_add_test(tc, test_restart);
	tcase_add_test(tc, test_restart_forked);
	tcase_add_loop_test(tc, test_full_disk, 0, 2);
	tcase_add_test(tc, test_full_disk_and_crash);
	tcase_add_loop_test(tc, test_broken_files, 0, 6);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
