/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-enrolment: tokens as text; who is let in by them: bounds, witnesses, two uses of one token in every order,
 * inviters who are revoked, machines, folding, full disks. One thread.
 */
#include "frame.h"
#include "inet.h"
#include "naive.h"
#include "token.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct world *w;
static struct ela_membership *m;
static GBytes *core; /* credential of sada's node 1 */

static void setup(void)
{
	w = world_new();
	m = world_member(w);
	core = world_credential(w, w->sada, 1, 0, 1);
}

static void teardown(void)
{
	g_bytes_unref(core);
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

/* user by a token of the grant, witnessed by sada's core at that time. */
static GBytes *enrol(
	struct ela_grant grant, uint8_t token, const struct ela_rsa *by, const struct ela_rsa *user, uint64_t time_s)
{
	g_autoptr(GBytes) grant_bytes = world_grant_sign(w, &grant, by);
	g_autoptr(GBytes) claim = world_claim(w, token, grant_bytes, user, 0);

	return world_enrol(w, claim, 1, core, time_s);
}

static void offer(GBytes *bytes, int err, const char *words)
{
	world_offered(m, ela_membership_offer_enrolment, bytes, err, words);
}

static void offer_list(struct ela_userlist *list, const struct ela_rsa *owner)
{
	g_autoptr(GBytes) bytes = world_sign(w, list, owner);

	ela_userlist_free(list);
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
}

START_TEST(test_guest)
{
	g_autoptr(GBytes) bytes = enrol(world_grant(9), 9, w->owner, w->aki, 1100);
	g_autoptr(GBytes) credential = world_credential(w, w->aki, 4, 1, 1), outside = world_credential(w, w->aki, 5, 2, 1);
	struct ela_rights rights;
	char name[ELA_NAME_ROOM];

	world_offered(m, world_offer_credential, credential, -EAGAIN, "not known here");
	offer(bytes, 0, NULL);
	offer(bytes, -EALREADY, "is known");
	ck_assert(ela_membership_authorised(m, hash_of(w->aki), &rights) && rights.max_nodes == 2 && !rights.may_invite);
	ck_assert(ela_membership_user_name(m, hash_of(w->aki), name));
	ck_assert_str_eq(name, "aki");
	world_offered(m, world_offer_credential, credential, 0, NULL);
	world_offered(m, world_offer_credential, outside, -EACCES, "may have 2 nodes");
	ck_assert(ela_membership_enrolment(m, 0) && !ela_membership_enrolment(m, 1));
}
END_TEST

/* What a grant may give, by whom. */
static const struct {
	bool by_owner, may_invite, may_core, reserves, outside;
	uint32_t nodes;
	uint64_t time_s;
	int err;
	const char *words;
} bounds[] = {
	{true, true, true, true, false, 1024, 1100, 0, NULL},
	{true, false, true, true, true, 1, 1100, -EACCES, "outside of the network"},
	{false, false, true, false, false, 4, 1100, 0, NULL},
	{false, true, true, false, false, 4, 1100, -EACCES, "more than its signer"},
	{false, false, true, true, false, 4, 1100, -EACCES, "more than its signer"},
	{false, false, true, false, false, 5, 1100, -EACCES, "more than its signer"},
	{true, false, true, false, false, 1, WORLD_EXPIRES, 0, NULL},
	{true, false, true, false, false, 1, WORLD_EXPIRES + 1, -EACCES, "had expired"},
};

START_TEST(test_bounds)
{
	struct ela_grant grant = world_grant(9);
	g_autoptr(GBytes) bytes = NULL;

	grant.rights = (struct ela_rights){bounds[_i].may_core, bounds[_i].may_invite, bounds[_i].nodes};
	if (bounds[_i].reserves)
		grant.reserved = (struct ela_reserved){1, {bounds[_i].outside ? 5 : WORLD_ADDRESS}};
	bytes = enrol(grant, 9, bounds[_i].by_owner ? w->owner : w->sada, w->aki, bounds[_i].time_s);
	offer(bytes, bounds[_i].err, bounds[_i].words);
	ck_assert(in(w->aki) == (bounds[_i].err == 0));
	if (bounds[_i].reserves && bounds[_i].err == 0)
		ck_assert_mem_eq(ela_membership_reserved_for(m, WORLD_ADDRESS), hash_of(w->aki), ELA_HASH_LEN);
}
END_TEST

/* Who may not invite, who may not be core, who is not known. */
START_TEST(test_signers)
{
	struct ela_userlist *list = world_version(w, 2);
	g_autoptr(GBytes) by_stranger = enrol(world_grant(9), 9, w->next, w->aki, 1300);
	g_autoptr(GBytes) by_user = enrol(world_grant(9), 9, w->sada, w->aki, 1300);

	offer(by_stranger, -EAGAIN, "not known here");
	list->users[0].rights.may_invite = false;
	offer_list(list, w->owner);
	offer(by_user, -EACCES, "may not invite");
	list = world_version(w, 3);
	list->users[0].rights.may_core = false;
	offer_list(list, w->owner);
	offer(by_user, -EACCES, "more than its signer");
}
END_TEST

START_TEST(test_witness)
{
	struct ela_grant grant = world_grant(9);
	g_autoptr(GBytes) grant_bytes = world_grant_sign(w, &grant, w->owner);
	g_autoptr(GBytes) claim = world_claim(w, 9, grant_bytes, w->aki, 0);
	g_autoptr(GBytes) of_aki = world_credential(w, w->aki, 4, 0, 1);
	g_autoptr(GBytes) by_himself = world_enrol(w, claim, 4, of_aki, 1100),
					  by_other = world_enrol(w, claim, 2, core, 1100), good = world_enrol(w, claim, 1, core, 1100);
	struct ela_userlist *list = world_version(w, 2);

	offer(by_himself, -EAGAIN, "not known here");
	offer(by_other, -EBADMSG, "signed by another key");
	list->users[0].rights.may_core = false;
	offer_list(list, w->owner);
	offer(good, -EACCES, "witness may not be a core");
	list = world_version(w, 3);
	(void)ela_revoked_add(&list->revoked, hash_of(w->sada), 1300);
	offer_list(list, w->owner);
	offer(good, -EACCES, "witness is not authorised"); /* whatever time it says */
}
END_TEST

/* Two uses of a token, on both sides of a partition: all orders of up to three come to the same winner as the rule. */
START_TEST(test_token_twice)
{
	static const uint64_t times[][3] = {{1100, 1200, 1300}, {1100, 1110, 1120}, {1100, 1160, 1161}, {1100, 1161, 1221},
		{1300, 1100, 1160}, {1100, 1150, 1200}};
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	const struct ela_rsa *users[] = {w->aki, w->next, w->recovery};

	for (size_t t = 0; t < G_N_ELEMENTS(times); t++) {
		GBytes *bytes[3];
		uint8_t hash[3][ELA_HASH_LEN];
		int winner = -1;

		for (int i = 0; i < 3; i++) {
			bytes[i] = enrol(world_grant(9), 9, w->owner, users[i], times[t][i]);
			ck_assert_int_eq(ela_object_hash(g_bytes_get_data(bytes[i], NULL), g_bytes_get_size(bytes[i]), hash[i]), 0);
		}
		for (int i = 0; i < 3; i++) { /* naive: no other is more than 60 s earlier, then the smaller hash */
			uint64_t first = MIN(MIN(times[t][0], times[t][1]), times[t][2]);

			if (times[t][i] <= first + 60 && (winner < 0 || memcmp(hash[i], hash[winner], ELA_HASH_LEN) < 0))
				winner = i;
		}
		for (size_t o = 0; o < G_N_ELEMENTS(orders); o++) {
			ela_membership_free(m);
			m = world_member(w);
			for (int i = 0; i < 3; i++)
				offer(bytes[orders[o][i]], 0, NULL);
			for (int i = 0; i < 3; i++)
				ck_assert_msg(in(users[i]) == (i == winner), "times %zu, order %zu, user %d", t, o, i);
		}
		for (int i = 0; i < 3; i++)
			g_bytes_unref(bytes[i]);
	}
}
END_TEST

/* The second use comes when the first has a session: it is out at once, if it lost. */
START_TEST(test_loser)
{
	g_autoptr(GBytes) late = enrol(world_grant(9), 9, w->owner, w->aki, 1200),
					  early = enrol(world_grant(9), 9, w->owner, w->next, 1100);
	g_autoptr(GBytes) credential = world_credential(w, w->aki, 4, 0, 1);
	const struct ela_credential *known = NULL;
	uint64_t generation;

	offer(late, 0, NULL);
	ck_assert_int_eq(ela_membership_offer_credential(m, g_bytes_get_data(credential, NULL),
						 g_bytes_get_size(credential), 1500, false, &known, NULL),
		0);
	generation = ela_membership_generation(m);
	offer(early, 0, NULL);
	ck_assert_uint_ne(ela_membership_generation(m), generation);
	ck_assert_int_eq(ela_membership_check(m, known, NULL), -EACCES);
	ck_assert(!in(w->aki) && in(w->next));
}
END_TEST

/* Revoking an inviter: who was let in later is out, earlier guests stay; likewise an owner who was replaced. */
START_TEST(test_revoked_inviter)
{
	static const uint64_t times[] = {1100, 1200, 1201};
	g_autoptr(GBytes) before = enrol(world_grant(9), 9, w->sada, w->aki, times[_i]);
	struct ela_userlist *list = world_version(w, 2); /* issued at 1200 */

	offer(before, 0, NULL);
	ck_assert(in(w->aki));
	(void)ela_revoked_add(&list->revoked, hash_of(w->sada), 1200);
	offer_list(list, w->owner);
	ck_assert(in(w->aki) == (times[_i] <= 1200));
}
END_TEST

START_TEST(test_revoked_before)
{
	struct ela_userlist *list = world_version(w, 2);
	g_autoptr(GBytes) of_aki = NULL, grant_bytes = NULL, claim = NULL, later = NULL, earlier = NULL;
	struct ela_grant grant = world_grant(9);

	/* aki's core witnesses what sada, revoked, granted */
	world_user(list, "aki", w->aki);
	(void)ela_revoked_add(&list->revoked, hash_of(w->sada), 1200);
	offer_list(list, w->owner);
	of_aki = world_credential(w, w->aki, 4, 0, 1);
	(void)g_strlcpy(grant.user, "kei", sizeof grant.user);
	grant_bytes = world_grant_sign(w, &grant, w->sada);
	claim = world_claim(w, 9, grant_bytes, w->next, 0);
	later = world_enrol(w, claim, 4, of_aki, 1201);
	earlier = world_enrol(w, claim, 4, of_aki, 1199);
	offer(later, -EACCES, "revoked before it was used");
	offer(earlier, 0, NULL);
	ck_assert(in(w->next));
}
END_TEST

/* 0 the token, 1 the guest. */
START_TEST(test_revoked_guest)
{
	g_autoptr(GBytes) bytes = enrol(world_grant(9), 9, w->owner, w->aki, 1100);
	struct ela_userlist *list = world_version(w, 2);
	uint8_t hash[ELA_HASH_LEN];

	world_node_hash(9, hash);
	offer(bytes, 0, NULL);
	(void)ela_revoked_add(&list->revoked, _i == 0 ? hash : hash_of(w->aki), 1200);
	offer_list(list, w->owner);
	ck_assert(!in(w->aki));
	ela_membership_free(m);
	m = world_member(w);
	list = world_version(w, 2);
	(void)ela_revoked_add(&list->revoked, _i == 0 ? hash : hash_of(w->aki), 1200);
	offer_list(list, w->owner);
	offer(bytes, -EACCES, "that was revoked");
}
END_TEST

START_TEST(test_owner_replaced)
{
	g_autoptr(GBytes) early = enrol(world_grant(9), 9, w->owner, w->aki, 1200), handed = NULL;
	g_autoptr(GBytes) late = NULL;
	struct ela_userlist *list = world_version(w, 2);
	struct ela_handover handover = {.epoch = 1, .issued_s = 1200, .owner = *ela_rsa_public(w->next)};
	struct ela_grant grant = world_grant(8);

	(void)g_strlcpy(grant.user, "kei", sizeof grant.user);
	late = enrol(grant, 8, w->owner, w->recovery, 1201);
	offer(early, 0, NULL);
	offer(late, 0, NULL);
	ck_assert(in(w->recovery));
	memcpy(handover.next_recovery_hash, hash_of(w->next), ELA_HASH_LEN);
	ck_assert_int_eq(ela_handover_sign(&handover, w->genesis.network_id, w->recovery, &handed, NULL), 0);
	ck_assert_int_eq(ela_userlist_hand_over(list, &handover, handed), 0);
	list->version = 1;
	offer_list(list, w->next);
	ck_assert(in(w->aki) && !in(w->recovery)); /* the old owner's word of after the handover */
}
END_TEST

/* A further machine: the token signs for one node, in the user's slots. */
START_TEST(test_machine)
{
	struct ela_grant grant = world_grant(9);
	g_autoptr(GBytes) grant_bytes = NULL, claim = NULL, bytes = NULL, credential = NULL, other = NULL, outside = NULL;
	const struct ela_credential *known = NULL;
	struct ela_userlist *list = world_version(w, 2);
	uint8_t hash[ELA_HASH_LEN];

	grant.is_machine = true;
	grant.rights = (struct ela_rights){0};
	grant_bytes = world_grant_sign(w, &grant, w->sada);
	claim = world_claim(w, 9, grant_bytes, NULL, 6);
	bytes = world_enrol(w, claim, 1, core, 1100);
	credential = world_machine(w, w->sada, 9, 6, 2);
	other = world_machine(w, w->sada, 9, 7, 2);
	outside = world_machine(w, w->sada, 9, 6, 4);
	world_offered(m, world_offer_credential, credential, -EAGAIN, "not known here");
	offer(bytes, 0, NULL);
	world_offered(m, world_offer_credential, other, -EACCES, "of somebody else");
	world_offered(m, world_offer_credential, outside, -EACCES, "may have 4 nodes");
	ck_assert_int_eq(ela_membership_offer_credential(m, g_bytes_get_data(credential, NULL),
						 g_bytes_get_size(credential), 1500, false, &known, NULL),
		0);
	/* folded, the list speaks for the token */
	ck_assert_int_eq(ela_membership_fold(m, list), 0);
	ck_assert(list->n_users == 1 && list->users[0].n_tokens == 1);
	offer_list(list, w->owner);
	ck_assert_ptr_null(ela_membership_enrolment(m, 0));
	ck_assert_int_eq(ela_membership_check(m, known, NULL), 0);
	world_offered(m, world_offer_credential, other, -EACCES, "of somebody else");
	offer(bytes, -EALREADY, "has this enrolment already");
	/* and takes it away */
	list = ela_userlist_copy(ela_membership_list(m));
	list->version = 3;
	world_node_hash(9, hash);
	(void)ela_revoked_add(&list->revoked, hash, 1300);
	offer_list(list, w->owner);
	ck_assert_int_eq(ela_membership_check(m, known, NULL), -EACCES);
}
END_TEST

/* A machine's grant by anybody else. */
START_TEST(test_machine_of_another)
{
	struct ela_grant grant = world_grant(9);
	g_autoptr(GBytes) grant_bytes = NULL, claim = NULL, bytes = NULL;

	grant.is_machine = true;
	grant.rights = (struct ela_rights){0};
	grant_bytes = world_grant_sign(w, &grant, w->owner); /* who is no user here */
	claim = world_claim(w, 9, grant_bytes, NULL, 6);
	bytes = world_enrol(w, claim, 1, core, 1100);
	offer(bytes, -EACCES, "did not sign");
}
END_TEST

START_TEST(test_fold)
{
	g_autoptr(GBytes) bytes = enrol(world_grant(9), 9, w->owner, w->aki, 1100),
					  lost = enrol(world_grant(9), 9, w->owner, w->next, 1200),
					  again = enrol(world_grant(9), 9, w->owner, w->recovery, 1050);
	struct ela_userlist *list = world_version(w, 2);

	offer(bytes, 0, NULL);
	offer(lost, 0, NULL);
	ck_assert_int_eq(ela_membership_fold(m, list), 0);
	ck_assert_uint_eq(list->n_users, 2); /* and not who lost */
	ck_assert_str_eq(list->users[1].name, "aki");
	offer_list(list, w->owner);
	ck_assert(in(w->aki) && !in(w->next));
	ck_assert_ptr_null(ela_membership_enrolment(m, 0));
	offer(bytes, -EALREADY, "has this enrolment already");
	offer(again, -EACCES, "used by somebody else"); /* though earlier: the owner has spoken */
}
END_TEST

/* ---- admitting ---- */

static int admit(GBytes *claim, uint64_t wall_s, GBytes **ret, const char *words)
{
	g_autoptr(GError) error = NULL;
	uint8_t private_key[32];
	int err;

	world_private(1, private_key);
	err = ela_membership_admit(
		m, g_bytes_get_data(claim, NULL), g_bytes_get_size(claim), core, private_key, wall_s, ret, &error);
	ck_assert_msg(
		err == 0 ? !error : error && strstr(error->message, words), "found %d %s", err, error ? error->message : "");
	return err;
}

START_TEST(test_admit)
{
	struct ela_grant grant = world_grant(9), same_name = world_grant(8), taken = world_grant(7);
	g_autoptr(GBytes) grant_bytes = world_grant_sign(w, &grant, w->sada),
					  same_name_bytes = world_grant_sign(w, &same_name, w->sada), taken_bytes = NULL;
	g_autoptr(GBytes) claim = world_claim(w, 9, grant_bytes, w->aki, 0),
					  other = world_claim(w, 9, grant_bytes, w->next, 0),
					  twin = world_claim(w, 8, same_name_bytes, w->next, 0), sada = NULL;
	g_autoptr(GBytes) first = NULL, again = NULL;
	GBytes *none = NULL;
	struct ela_enrolment enrolment;

	(void)g_strlcpy(taken.user, "sada", sizeof taken.user);
	taken_bytes = world_grant_sign(w, &taken, w->sada);
	sada = world_claim(w, 7, taken_bytes, w->next, 0);
	ck_assert_int_eq(admit(claim, WORLD_EXPIRES + 1, &none, "this token has expired"), -EKEYEXPIRED);
	ck_assert_int_eq(admit(claim, 2001, &none, "the user list has expired"), -EKEYEXPIRED);
	ck_assert_int_eq(admit(sada, 1100, &none, "is called sada"), -EEXIST);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(admit(claim, 1, &first, ""), 0); /* a clock that is wrong: not before the list was issued */
	ck_assert_int_eq(ela_enrolment_parse(w->genesis.network_id, g_bytes_get_data(first, NULL), g_bytes_get_size(first),
						 &enrolment, NULL),
		0);
	ck_assert_uint_eq(enrolment.time_s, 1000);
	ela_enrolment_clear(&enrolment);
	ck_assert_int_eq(admit(claim, 1300, &again, ""), 0); /* asked again: the same answer */
	ck_assert(g_bytes_equal(first, again));
	ck_assert_int_eq(admit(other, 1300, &none, "used by somebody else"), -EACCES);
	ck_assert_int_eq(admit(twin, 1300, &none, "is called aki"), -EEXIST);
	ck_assert(in(w->aki) && !in(w->next));
}
END_TEST

/* 256 and no more; 8 uses of one token. */
START_TEST(test_many)
{
	uint32_t uses = 0;

	for (uint32_t i = 0; i < ELA_TOKEN_USES_MAX; i++) {
		g_autoptr(GBytes) bytes = enrol(world_grant(9), 9, w->owner, w->aki, 1100 + i);

		offer(bytes, 0, NULL);
		uses++;
	}
	for (uint32_t i = uses; i < ELA_ENROLMENTS_MAX; i++) {
		uint8_t token = (uint8_t)(20 + i % 200), time = (uint8_t)(i / 200);
		struct ela_grant grant = world_grant(token);
		g_autoptr(GBytes) bytes = enrol(grant, token, w->owner, w->next, 1100 + time);

		offer(bytes, 0, NULL);
	}
	for (uint32_t token = 9; token < 11; token++) {
		g_autoptr(GBytes) bytes = enrol(world_grant((uint8_t)token), (uint8_t)token, w->owner, w->recovery, 1100);

		offer(bytes, -ENOSPC, token == 9 ? "used too often" : "256 enrolments wait");
	}
}
END_TEST

/* ---- the disk ---- */

static bool is_full;

static ssize_t full_write(int fd, const void *bytes, size_t len)
{
	if (is_full) {
		errno = ENOSPC;
		return -1;
	}
	return write(fd, bytes, len);
}

/* What it gives waits for the disk, what it takes does not; it is there after a restart, its inviter revoked or not. */
START_TEST(test_disk)
{
	static const struct ela_file_ops full = {full_write, fsync, renameat};
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-enrolment-XXXXXX", NULL);
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", mkdtemp(template));
	g_autoptr(GBytes) list = world_sign(w, w->list, w->owner), late = enrol(world_grant(9), 9, w->sada, w->aki, 1190),
					  early = enrol(world_grant(9), 9, w->sada, w->next, 1100);
	struct ela_userlist *revoking = world_version(w, 2);
	int dirfd = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	is_full = false;
	ela_membership_free(m);
	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &full, dirfd, &m, NULL), 0);
	world_offered(m, ela_membership_offer_genesis, w->genesis_bytes, 0, NULL);
	world_offered(m, ela_membership_offer_list, list, 0, NULL);
	offer(late, 0, NULL);
	is_full = true;
	offer(early, -ENOSPC, "cannot be written, so it waits");
	ck_assert(!in(w->aki) && !in(w->next));
	ck_assert_int_eq(ela_membership_flush(m), -ENOSPC);
	is_full = false;
	ck_assert_int_eq(ela_membership_flush(m), 0);
	ck_assert(!in(w->aki) && in(w->next));
	/* sada goes, whose entry the owner drops; his earlier guest is still one after a restart */
	revoking->n_users = 0;
	(void)ela_revoked_add(&revoking->revoked, hash_of(w->sada), 1200);
	offer_list(revoking, w->owner);
	ck_assert(in(w->next) && !in(w->sada));
	ela_membership_free(m);
	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &full, dirfd, &m, NULL), 0);
	ck_assert(in(w->next) && !in(w->aki) && !in(w->sada));
	ck_assert_int_eq(close(dirfd), 0);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- tokens as text ---- */

static char *make_token(const struct ela_grant *grant, uint8_t token_key, uint32_t n_cores)
{
	struct ela_grant copy = *grant;
	struct ela_token token = {.n_cores = n_cores,
		.grant_bytes = world_grant_sign(w, &copy, w->owner),
		.prefix = w->genesis.prefix,
		.network_name = "lab",
		.slot = copy.is_machine ? 3 : 0,
		.node_name = "aki-laptop"};
	char *text = NULL;

	memcpy(token.network_id, w->genesis.network_id, ELA_NETWORK_LEN);
	world_private(token_key, token.private_key);
	for (uint32_t i = 0; i < MIN(n_cores, ELA_TOKEN_CORES); i++) {
		token.cores[i].x25519[0] = (uint8_t)(9 + i);
		token.cores[i].place = (struct ela_place){{.family = i == 1 ? ELA_ADDR_IP6 : ELA_ADDR_IP4, .ip = {32, 1, 1}},
			(uint16_t)(7450 + i), i == 2 ? 0 : 7450};
	}
	ck_assert_int_eq(ela_token_format(&token, &text, NULL), n_cores > ELA_TOKEN_CORES ? -EINVAL : 0);
	ela_token_clear(&token);
	return text;
}

static int parse(const char *text, uint64_t now_s, const char *words)
{
	struct ela_token token = {0};
	g_autoptr(GError) error = NULL;
	int err = ela_token_parse(text, now_s, &token, &error);

	ck_assert_msg(
		err == 0 ? !error : error && strstr(error->message, words), "found %d %s", err, error ? error->message : "");
	ela_token_clear(&token);
	return err;
}

START_TEST(test_token_round)
{
	struct ela_grant grant = world_grant(9);

	for (uint32_t n = 0; n <= ELA_TOKEN_CORES; n++) {
		g_autofree char *text = make_token(&grant, 9, n), *padded = g_strdup_printf(" \t%s \r\n", text);
		struct ela_token token;

		ck_assert_uint_le(strlen(text), 1024);
		ck_assert_ptr_null(strpbrk(text, " \n+/="));
		ck_assert_int_eq(ela_token_parse(padded, 1000, &token, NULL), 0);
		ck_assert_uint_eq(token.n_cores, n);
		ck_assert_mem_eq(token.network_id, w->genesis.network_id, ELA_NETWORK_LEN);
		ck_assert_str_eq(token.grant.user, "aki");
		ck_assert(ela_inet_prefix_equal(&token.prefix, &w->genesis.prefix));
		ck_assert_str_eq(token.network_name, "lab");
		ck_assert_str_eq(token.node_name, "aki-laptop");
		ck_assert_uint_eq(token.slot, 0);
		for (uint32_t i = 0; i < n; i++)
			ck_assert(token.cores[i].x25519[0] == 9 + i && token.cores[i].place.tcp_port == 7450 + i &&
					  token.cores[i].place.udp_port == (i == 2 ? 0 : 7450) &&
					  token.cores[i].place.addr.family == (i == 1 ? ELA_ADDR_IP6 : ELA_ADDR_IP4));
		ela_token_clear(&token);
	}
	ck_assert_ptr_null(make_token(&grant, 9, 4));
}
END_TEST

/* A further machine's has a slot; names may be missing. */
START_TEST(test_token_machine)
{
	struct ela_grant grant = world_grant(9);
	g_autofree char *text = NULL, *nameless = NULL;
	struct ela_token token;

	grant.is_machine = true;
	grant.rights = (struct ela_rights){0};
	text = make_token(&grant, 9, 1);
	ck_assert_int_eq(ela_token_parse(text, 1000, &token, NULL), 0);
	ck_assert_uint_eq(token.slot, 3);
	token.network_name[0] = token.node_name[0] = '\0';
	token.slot = 1023;
	ck_assert_int_eq(ela_token_format(&token, &nameless, NULL), 0);
	ela_token_clear(&token);
	ck_assert_int_eq(ela_token_parse(nameless, 1000, &token, NULL), 0);
	ck_assert(*token.network_name == '\0' && *token.node_name == '\0' && token.slot == 1023);
	ela_token_clear(&token);
}
END_TEST

/* One wrong character, one too few, two changed places: a slip, and said to be one. */
START_TEST(test_token_typos)
{
	struct ela_grant grant = world_grant(9);
	g_autofree char *text = make_token(&grant, 9, 2);
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		g_autofree char *wrong = g_strdup(text), *cut = g_strndup(text, i);

		wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
		ck_assert_int_eq(
			parse(wrong, 1000, i < 3 ? "no token" : "mistyped"), i == 3 || i == 4 ? -EPROTONOSUPPORT : -EINVAL);
		ck_assert_int_eq(parse(cut, 1000, "token"), -EINVAL);
		wrong[i] = i % 2 ? '+' : '=';
		ck_assert_int_ne(parse(wrong, 1000, "token"), 0);
		if (i > 0 && text[i] != text[i - 1]) {
			wrong[i] = text[i - 1];
			wrong[i - 1] = text[i];
			ck_assert_int_ne(parse(wrong, 1000, "token"), 0);
		}
	}
	ck_assert_int_eq(parse("ela2_AAAA", 1000, "another version"), -EPROTONOSUPPORT);
	ck_assert_int_eq(parse("ela1_", 1000, "mistyped or cut"), -EINVAL);
	ck_assert_int_eq(parse("", 1000, "no token"), -EINVAL);
	ck_assert_int_eq(parse("https://example.net/", 1000, "no token"), -EINVAL);
	{
		g_autofree char *twice = g_strconcat(text, text, NULL), *filler = g_strnfill(ELA_TOKEN_MAX, 'A'),
						*huge = g_strconcat("ela1_", filler, NULL);

		ck_assert_int_eq(parse(twice, 1000, "mistyped"), -EINVAL);
		ck_assert_int_eq(parse(huge, 1000, "no token"), -EINVAL);
	}
}
END_TEST

START_TEST(test_token_forged)
{
	struct ela_grant grant = world_grant(9);
	g_autofree char *other = make_token(&grant, 8, 1), *good = make_token(&grant, 9, 0);

	ck_assert_int_eq(parse(other, 1000, "forged"), -EBADMSG);
	ck_assert_int_eq(parse(good, WORLD_EXPIRES, ""), 0);
	ck_assert_int_eq(parse(good, WORLD_EXPIRES + 1, "has expired"), -EKEYEXPIRED);
}
END_TEST

/* Formats the token as it stands, which nobody may believe. */
static void expect_malformed(const struct ela_token *token)
{
	g_autofree char *text = NULL;

	ck_assert_int_eq(ela_token_format(token, &text, NULL), 0);
	ck_assert_int_eq(parse(text, 1000, "malformed"), -EBADMSG);
}

/* What goes into the newcomer's ela.ini is looked at as if a stranger had written it. */
START_TEST(test_token_heads)
{
	struct ela_grant grant = world_grant(9);
	const struct ela_token good = {.grant_bytes = world_grant_sign(w, &grant, w->owner), .prefix = w->genesis.prefix};
	static const char *const names[] = {".", "a b", "a\nb", "a/b", "\xc3\xa4"};
	struct ela_token token = good;

	world_private(9, token.private_key);
	token.slot = 1; /* of a new user */
	expect_malformed(&token);
	token.slot = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		(void)g_strlcpy(token.network_name, names[i], ELA_NAME_ROOM);
		expect_malformed(&token);
		token.network_name[0] = '\0';
		(void)g_strlcpy(token.node_name, names[i], ELA_NAME_ROOM);
		expect_malformed(&token);
		token.node_name[0] = '\0';
	}
	token.prefix.bits = 29;
	expect_malformed(&token);
	token.prefix.bits = 7;
	expect_malformed(&token);
	token.prefix = good.prefix;
	token.prefix.addr.ip[3] = 1;
	expect_malformed(&token);
	token.prefix.addr.ip[3] = 0;
	token.prefix.addr.ip[0] = 127;
	expect_malformed(&token);
	ela_token_clear(&token);
}
END_TEST

/* Any payload with a right check: never a slip, and never believed. */
START_TEST(test_token_payloads)
{
	struct ela_grant grant = world_grant(9);
	struct ela_token token = {
		.grant_bytes = world_grant_sign(w, &grant, w->owner), .prefix = w->genesis.prefix, .n_cores = 1};
	struct ela_token_core *first = &token.cores[0];
	const struct ela_token_core good = {{9}, {{.family = ELA_ADDR_IP4, .ip = {192, 0, 2, 1}}, 1, 1}};
	g_autofree char *point = NULL, *loop = NULL, *empty = NULL;

	world_private(9, token.private_key);
	*first = good;
	first->x25519[0] = 1;
	ck_assert_int_eq(ela_token_format(&token, &point, NULL), 0);
	ck_assert_int_eq(parse(point, 1000, "malformed"), -EBADMSG);
	*first = good;
	first->place.addr.ip[0] = 127;
	first->place.addr.ip[1] = 0;
	ck_assert_int_eq(ela_token_format(&token, &loop, NULL), 0);
	ck_assert_int_eq(parse(loop, 1000, "malformed"), -EBADMSG);
	*first = good;
	g_bytes_unref(token.grant_bytes);
	token.grant_bytes = g_bytes_new("x", 1);
	ck_assert_int_eq(ela_token_format(&token, &empty, NULL), 0);
	ck_assert_int_eq(parse(empty, 1000, "malformed"), -EBADMSG);
	ela_token_clear(&token);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("enrolment");
	TCase *tc = tcase_create("enrolment");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_guest);
	tcase_add_loop_test(tc, test_bounds, 0, (int)G_N_ELEMENTS(bounds));
	tcase_add_test(tc, test_signers);
	tcase_add_test(tc, test_witness);
	tcase_add_test(tc, test_token_twice);
	tcase_add_test(tc, test_loser);
	tcase_add_loop_test(tc, test_revoked_inviter, 0, 3);
	tcase_add_test(tc, test_revoked_before);
	tcase_add_loop_test(tc, test_revoked_guest, 0, 2);
	tcase_add_test(tc, test_owner_replaced);
	tcase_add_test(tc, test_machine);
	tcase_add_test(tc, test_machine_of_another);
	tcase_add_test(tc, test_fold);
	tcase_add_test(tc, test_admit);
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_disk);
	tcase_add_test(tc, test_token_round);
	tcase_add_test(tc, test_token_typos);
	tcase_add_test(tc, test_token_forged);
	tcase_add_test(tc, test_token_payloads);
	tcase_add_test(tc, test_token_machine);
	tcase_add_test(tc, test_token_heads);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
