/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-members: who gets a session in a network with a ring (lone.h, world.h): credentials good and bad in message 1,
 * guests and what they may, their ends, acceptance, and who is put out when the list says so. Node 1 is of user sada
 * and admits; node 2 calls it.
 */
#include "members.h"

#include "crypto.h"
#include "handshake.h"
#include "inet.h"
#include "lone.h"
#include "node.h"
#include "own.h"
#include "test-host.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WALL_S 1500 /* within the lists of world.h */

struct message {
	uint32_t len;
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
};

static struct {
	struct world *world;
	struct lone_world *specs;
	struct ela_loop *loop;
	struct lone *nodes[3];
	struct ela_membership *membership[3];
	struct ela_members *members[3];
	struct ela_peer *one; /* node 1 as node 2 knows it */
	struct message said[3];
	uint32_t n_said[3], n_routed;
	uint32_t n_up, n_down; /* as node 1's routing heard */
	GString *log;          /* node 1's, since it was cleared */
} bench;

/* ---- nodes ---- */

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct message *m = &bench.said[l->number];

	(void)path;
	ck_assert_uint_le(len, sizeof m->bytes);
	m->len = len;
	memcpy(m->bytes, bytes, len);
	bench.n_said[l->number]++;
}

static void on_message(struct lone *l, const void *bytes, uint32_t len)
{
	(void)l, (void)bytes, (void)len;
	bench.n_routed++;
}

static void on_link(struct lone *l, uint32_t peer, uint32_t event)
{
	(void)peer;
	if (l->number != 1)
		return;
	bench.n_up += event == ELA_LINK_UP;
	bench.n_down += event == ELA_LINK_DOWN;
}

static void on_log(struct lone *l, const char *line)
{
	if (l->number == 1)
		g_string_append_printf(bench.log, "%s\n", line);
}

/* The node with that key in the network of world.h. */
static void give_key(struct lone *l, uint8_t key)
{
	struct ela_node *node = l->node;
	const struct ela_own own = *ela_own(node);

	memcpy(node->network_id, bench.world->genesis.network_id, sizeof node->network_id);
	world_private(key, node->private_key);
	ck_assert_int_eq(ela_x25519_public(node->private_key, node->public_key), 0);
	ck_assert_int_eq(ela_handshake_mac1_key(node->network_id, node->public_key, node->mac1_key), 0);
	ck_assert_int_eq(ela_cookie_key(node->network_id, node->public_key, node->cookie_key), 0);
	ck_assert_int_eq(ela_own_take(node, &own.ip4, &own.ip6), 0);
}

/* The node carries that credential from now on. */
static void give_credential(uint32_t k, GBytes *credential)
{
	ela_members_free(bench.members[k]);
	bench.members[k] = ela_members_new(bench.nodes[k]->node, bench.membership[k], credential);
	g_bytes_unref(credential);
}

static void setup(void)
{
	const struct ela_plugin *cipher = test_plugin_load(CIPHER_AEAD);
	const struct lone_spec specs[] = {{.cipher = cipher, .number = 1, .knows = (const uint8_t[]){0}},
		{.cipher = cipher, .number = 2, .knows = (const uint8_t[]){0}}};
	const struct ela_addr endpoint = lone_addr(1);
	struct ela_peer_spec one = {.name = "one", .endpoints = &endpoint, .n_endpoints = 1};

	memset(&bench, 0, sizeof bench);
	bench.world = world_new();
	bench.log = g_string_new(NULL);
	(void)world_user(bench.world->list, "aki", bench.world->aki);
	bench.specs = lone_world_new(specs, 2);
	bench.loop = ela_loop_virtual_new(3);
	ela_loop_virtual_wall_jump(bench.loop, (int64_t)(WALL_S * ELA_SEC) - (int64_t)bench.loop->ops->wall_ns(bench.loop));
	for (uint32_t k = 1; k <= 2; k++) {
		struct lone *l = bench.nodes[k] = lone_new(bench.specs, k - 1, bench.loop);

		l->on_send = on_send;
		l->on_message = on_message;
		l->on_log = on_log;
		l->on_link = on_link;
		ela_log_set_level(l->node->log, ELA_LOG_INFO);
		give_key(l, (uint8_t)k);
		bench.membership[k] = world_member(bench.world);
	}
	give_credential(1, world_credential(bench.world, bench.world->sada, 1, 0, 1));
	give_credential(2, world_credential(bench.world, bench.world->aki, 2, 0, 1));
	one.ip4 = ela_own(bench.nodes[1]->node)->ip4.addr;
	ck_assert_int_eq(ela_peer_add(bench.nodes[2]->node, bench.nodes[1]->node->public_key, &one, &bench.one), 0);
}

static void teardown(void)
{
	for (uint32_t k = 1; k <= 2; k++) {
		ela_members_free(bench.members[k]);
		lone_free(bench.nodes[k]);
		ela_membership_free(bench.membership[k]);
	}
	ela_loop_free(bench.loop);
	lone_world_free(bench.specs);
	world_free(bench.world);
	(void)g_string_free(bench.log, TRUE);
}

/* Brings what node from said last to the other one; whether that said something. */
static bool bring(uint32_t from)
{
	const struct ela_path path = lone_path(from);
	const struct message m = bench.said[from];
	uint32_t before = bench.n_said[3 - from];

	lone_receive(bench.nodes[3 - from], &path, m.bytes, m.len, m.len, m.len, 0);
	return bench.n_said[3 - from] != before;
}

/* Message 1 of node 2 by a datagram: the first of its ways. */
static void begin(void)
{
	bench.one->endpoint = 0;
	ela_initiate(bench.one);
}

/* Node 2 calls node 1. */
static bool call(void)
{
	lone_pass(bench.loop, ELA_SEC);
	begin();
	return bring(2);
}

/* Node 2 at node 1. */
static struct ela_peer *caller(void)
{
	return ela_peer_by_key(bench.nodes[1]->node, bench.nodes[2]->node->public_key);
}

static struct ela_peer *connected(void)
{
	ck_assert(call());
	ck_assert(bring(1));
	(void)bring(2);
	ck_assert_ptr_nonnull(caller());
	ck_assert_ptr_nonnull(caller()->current);
	return caller();
}

static void assert_refused(const char *words)
{
	uint64_t before = lone_counter(bench.nodes[1], "drop-unknown-key");

	(void)g_string_truncate(bench.log, 0);
	ck_assert(!call());
	ck_assert_ptr_null(caller());
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), 0);
	ck_assert_uint_eq(lone_counter(bench.nodes[1], "drop-unknown-key"), before + 1);
	ck_assert_msg(
		strstr(bench.log->str, "session: refused remote=192.0.2.2:7450 reason=\"") && strstr(bench.log->str, words),
		"found '%s', wanted '%s'", bench.log->str, words);
}

static int accept_as(struct ela_peer *peer, const char *ip4, GError **error)
{
	struct ela_peer_spec spec = {.name = "not this"};

	ck_assert_int_eq(ela_inet_addr(ip4, &spec.ip4), 0);
	return ela_members_accept(bench.members[1], peer, &spec, error);
}

static void accept_2(void)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(accept_as(caller(), "10.88.0.2", &error) == 0, "%s", error ? error->message : "");
}

/* ---- guests ---- */

START_TEST(guest)
{
	struct ela_peer *peer = connected();

	ck_assert_str_eq(peer->name, "node-2");
	ck_assert(peer->guest);
	ck_assert_uint_eq(peer->id, 0);
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), 1);
	ck_assert_str_eq(ela_members_credential(bench.members[1], peer)->name, "node-2");
	/* routing does not hear of it */
	ck_assert_int_eq(ela_control_routing(bench.one, "hello", 5), 0);
	(void)bring(2);
	ck_assert_uint_eq(bench.n_routed, 0);
	ck_assert_uint_eq(bench.n_up, 0);
	ck_assert_uint_eq(lone_counter(bench.nodes[1], "drop-message"), 1);
	accept_2();
	ck_assert(!peer->guest);
	ck_assert_uint_ne(peer->id, 0);
	ck_assert_uint_eq(bench.n_up, 1);
	ck_assert_str_eq(peer->name, "node-2");
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), 0);
	ck_assert_int_eq(ela_control_routing(bench.one, "hello", 5), 0);
	(void)bring(2);
	ck_assert_uint_eq(bench.n_routed, 1);
	lone_pass(bench.loop, 60 * ELA_SEC);
	ck_assert_ptr_eq(caller(), peer);
}
END_TEST

START_TEST(guest_goes)
{
	(void)connected();
	lone_pass(bench.loop, 9 * ELA_SEC);
	ck_assert_ptr_nonnull(caller());
	lone_pass(bench.loop, 2 * ELA_SEC);
	ck_assert_ptr_null(caller());
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), 0);
	ck_assert_uint_eq(bench.n_up + bench.n_down, 0);
	ck_assert_ptr_nonnull(strstr(bench.log->str, "member: dropped peer=node-2 reason=\"it did not join in time\""));
	ela_peer_reset(bench.one);
	(void)connected(); /* and comes again */
}
END_TEST

START_TEST(guest_says_much)
{
	static const uint8_t words[1000];
	uint32_t n = 0;

	(void)connected();
	for (; caller() && n < 2000; n++) { /* refused each time, and counted all the same */
		ck_assert_int_eq(ela_control_routing(bench.one, words, sizeof words), 0);
		(void)bring(2);
		if (n % 200 == 0)
			lone_pass(bench.loop, ELA_SEC);
	}
	ck_assert_uint_gt(n, 1000);
	ck_assert_uint_lt(n, 1300);
	ck_assert_ptr_nonnull(strstr(bench.log->str, "reason=\"too much before it joined\""));
}
END_TEST

START_TEST(guests_are_few)
{
	for (uint8_t k = 0; k <= ELA_GUESTS_MAX; k++) {
		give_key(bench.nodes[2], (uint8_t)(10 + k));
		give_credential(2, world_credential(bench.world, bench.world->next, (uint8_t)(10 + k), k, 1));
		ela_peer_reset(bench.one);
		lone_pass(bench.loop, 100 * ELA_MSEC);
		begin();
		ck_assert_int_eq(bring(2), k < ELA_GUESTS_MAX);
		(void)bring(1);
		(void)bring(2);
	}
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), ELA_GUESTS_MAX);
	ck_assert_ptr_nonnull(strstr(bench.log->str, "reason=\"too many are joining at once\""));
	lone_pass(bench.loop, 12 * ELA_SEC);
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), 0);
	ela_peer_reset(bench.one);
	ck_assert(call());
}
END_TEST

/* Its user's enrolment is not here yet: it may bring it, but not be accepted before. */
START_TEST(unknown_user)
{
	g_autoptr(GError) error = NULL;
	struct ela_peer *peer;

	give_credential(2, world_credential(bench.world, bench.world->next, 2, 0, 1));
	peer = connected();
	ck_assert(peer->guest);
	ck_assert_ptr_null(ela_members_credential(bench.members[1], peer));
	ck_assert_int_eq(accept_as(peer, "10.88.0.2", &error), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(error->message, "node-2"));
	ck_assert(peer->guest);
}
END_TEST

/* Without an address there is no telling two of them apart: over a connection of its own alone. */
/* Message 1 of node 2 as one that has no address would say it: an honest one calls by connections alone. */
static void begin_without_address(void)
{
	struct message *m = &bench.said[2];

	lone_pass(bench.loop, ELA_SEC);
	begin();
	ela_put32(m->bytes + 16, 0);
	ck_assert_uint_eq(
		ela_handshake_mac(m->bytes, m->len - ELA_HANDSHAKE_MACS, bench.nodes[1]->node->mac1_key, NULL), m->len);
}

START_TEST(no_address)
{
	uint64_t before = lone_counter(bench.nodes[1], "drop-unknown-key");
	struct ela_link *link;
	struct ela_path path;
	uint32_t said;

	begin_without_address();
	ck_assert(!bring(2));
	ck_assert_ptr_null(caller());
	ck_assert_uint_eq(lone_counter(bench.nodes[1], "drop-unknown-key"), before + 1);
	ck_assert_ptr_nonnull(strstr(bench.log->str, "it has no address yet, and came by a datagram"));
	link = lone_accept(bench.nodes[1], 2, NULL);
	path = (struct ela_path){.remote = link->remote, .transport = LONE_STREAM, .link = link->id};
	begin_without_address();
	ck_assert(ela_handshake_input(bench.nodes[1]->node, &path, bench.said[2].bytes, bench.said[2].len));
	ck_assert_ptr_nonnull(caller());
	ck_assert(caller()->guest);
	ck_assert_ptr_eq(link->peer, caller());
	said = bench.n_said[2];
	ck_assert_int_eq(ela_own_take(bench.nodes[2]->node, NULL, NULL), 0);
	lone_pass(bench.loop, ELA_SEC);
	begin();
	ck_assert_uint_eq(bench.n_said[2], said);
}
END_TEST

/* ---- refused ---- */

START_TEST(no_credential)
{
	ela_members_free(bench.members[2]);
	bench.members[2] = NULL;
	assert_refused("its handshake has no credential of this network");
}
END_TEST

START_TEST(bad_credentials)
{
	struct world *w = bench.world;
	g_autoptr(GBytes) good = world_credential(w, w->aki, 2, 0, 1);
	gsize len;
	const uint8_t *bytes = g_bytes_get_data(good, &len);
	uint8_t *forged = g_memdup2(bytes, len);

	give_credential(2, world_credential(w, w->aki, 7, 0, 1));
	assert_refused("its credential is of another key");
	forged[len - 1] ^= 1;
	give_credential(2, g_bytes_new_take(forged, len));
	assert_refused("");
	give_credential(2, g_bytes_new(bytes, len - 1));
	assert_refused("");
	give_credential(2, g_bytes_new("x", 1));
	assert_refused("");
	memset(w->genesis.network_id, 9, 4); /* of another network */
	give_credential(2, world_credential(w, w->aki, 2, 0, 1));
	assert_refused("");
}
END_TEST

/* ---- members ---- */

static void offer_list(uint64_t version, const struct ela_rsa *revoked)
{
	struct ela_userlist *list = world_version(bench.world, version);
	g_autoptr(GBytes) bytes = NULL;

	if (revoked)
		(void)ela_revoked_add(&list->revoked, ela_rsa_public(revoked)->hash, 1100);
	bytes = world_sign(bench.world, list, bench.world->owner);
	world_offered(bench.membership[1], ela_membership_offer_list, bytes, 0, NULL);
	ela_userlist_free(list);
}

START_TEST(revoked)
{
	struct ela_peer *peer = connected();

	accept_2();
	offer_list(2, NULL);
	ela_members_recheck(bench.members[1]);
	ck_assert_ptr_eq(caller(), peer); /* nobody lost anything */
	offer_list(3, bench.world->aki);
	ck_assert_ptr_eq(caller(), peer);
	ela_members_recheck(bench.members[1]);
	ck_assert_ptr_null(caller());
	ck_assert_ptr_nonnull(
		strstr(bench.log->str, "member: dropped peer=node-2 reason=\"its user may not be in this network"));
	ela_peer_reset(bench.one);
	peer = connected(); /* as anybody: else nobody could tell it */
	ck_assert(peer->guest);
	ck_assert_int_eq(accept_as(peer, "10.88.0.2", NULL), -EACCES);
	ck_assert(peer->guest);
}
END_TEST

/* Signed by the user, but of a slot that he has not. */
START_TEST(not_entitled)
{
	struct ela_peer *peer;

	give_credential(2, world_credential(bench.world, bench.world->aki, 2, 4, 1)); /* slots 0 to 3 are the user's */
	peer = connected();
	ck_assert(peer->guest);
	ck_assert_int_eq(accept_as(peer, "10.88.0.2", NULL), -EAGAIN);
}
END_TEST

/* Whoever has a member's key and another credential, which is not good, is not taken for the member. */
START_TEST(member_by_bad_credential)
{
	struct ela_peer *peer = connected();
	uint64_t before;

	accept_2();
	give_credential(2, world_credential(bench.world, bench.world->aki, 2, 4, 1));
	ela_peer_reset(bench.one);
	before = lone_counter(bench.nodes[1], "drop-unknown-key");
	ck_assert(!call());
	ck_assert_uint_eq(lone_counter(bench.nodes[1], "drop-unknown-key"), before + 1);
	ck_assert_ptr_eq(caller(), peer);
	ck_assert(!peer->guest);
	ck_assert_ptr_nonnull(ela_members_credential(bench.members[1], peer));
}
END_TEST

START_TEST(revoked_as_guest)
{
	(void)connected();
	offer_list(2, bench.world->aki);
	ela_members_recheck(bench.members[1]);
	ck_assert_ptr_null(caller());
	ck_assert_uint_eq(ela_members_guests(bench.members[1]), 0);
}
END_TEST

/* Whose address is another's already stays a guest. */
START_TEST(address_taken)
{
	g_autoptr(GError) error = NULL;
	struct ela_peer *peer = connected();

	ck_assert_int_eq(accept_as(peer, "10.88.0.1", &error), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error->message, "node-2 cannot have that address"));
	ck_assert(peer->guest);
	ck_assert_uint_eq(peer->id, 0);
}
END_TEST

/* Told of by somebody else, not met yet. */
START_TEST(told_of)
{
	struct ela_members *members = bench.members[1];
	struct ela_peer_spec spec = {.ip4 = {.ip = {10, 88, 0, 2}, .family = ELA_ADDR_IP4}};
	GBytes *bytes = bench.nodes[2]->node->gate->credential;
	const struct ela_credential *held = NULL;
	struct ela_credential credential;
	struct ela_peer *peer = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(ela_membership_offer_credential(bench.membership[1], g_bytes_get_data(bytes, NULL),
						 g_bytes_get_size(bytes), WALL_S, false, &held, NULL),
		0);
	credential = *held;
	ck_assert_int_eq(ela_members_add(members, &credential, &spec, &peer, NULL), 0);
	ck_assert(!peer->guest);
	ck_assert_str_eq(peer->name, "node-2");
	ck_assert_int_eq(ela_members_add(members, &credential, &spec, &peer, &error), -EEXIST);
	ck_assert_ptr_eq(connected(), peer); /* it calls: it is known */
	ck_assert(!peer->guest);
	ela_members_drop(members, peer);
	ck_assert_ptr_null(caller());
	offer_list(2, bench.world->aki);
	g_clear_error(&error);
	ck_assert_int_eq(ela_members_add(members, &credential, &spec, &peer, &error), -EACCES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("members");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, guest);
	tcase_add_test(all, guest_goes);
	tcase_add_test(all, guest_says_much);
	tcase_add_test(all, guests_are_few);
	tcase_add_test(all, unknown_user);
	tcase_add_test(all, no_address);
	tcase_add_test(all, no_credential);
	tcase_add_test(all, bad_credentials);
	tcase_add_test(all, revoked);
	tcase_add_test(all, not_entitled);
	tcase_add_test(all, member_by_bad_credential);
	tcase_add_test(all, revoked_as_guest);
	tcase_add_test(all, address_taken);
	tcase_add_test(all, told_of);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
