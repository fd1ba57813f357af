/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-life: the life of a peer as control sees it, on one node from very near (lone.h): silence, offers that come to
 * nothing, what does not fit into a handshake.
 */
#include "lone.h"
#include "test-host.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
};

static struct bench bench;

static void begin(bool dials)
{
	const struct lone_spec spec = {
		.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 0}, .dials = dials};

	bench.world = lone_world_new(&spec, 1);
	bench.loop = ela_loop_virtual_new(1);
	bench.l = lone_new(bench.world, 0, bench.loop);
	lone_look(bench.l);
}

static void end(void)
{
	lone_free(bench.l);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
}

/* A lane may have sealed after the tick read its clock: that must not look like long ago, or silence is never seen. */
START_TEST(lane_ahead_of_tick)
{
	struct ela_session *s;

	begin(false);
	s = lone_session(bench.l, 2, 7, 9, 1, 1);
	atomic_store(&s->lanes[0].tx_ns, ela_loop_now(bench.loop) + 60 * ELA_SEC);
	lone_pass(bench.loop, 3 * ELA_SEC);
	ck_assert_uint_ge(lone_counter(bench.l, "pings-out"), 3);
	ck_assert_uint_eq(lone_counter(bench.l, "links-lost"), 1);
	end();
}
END_TEST

static struct ela_session *offered(struct ela_peer *peer)
{
	const struct ela_agreement with = {.suite = &bench.l->node->suites[0],
		.local_index = ela_index_reserve(bench.l->node),
		.remote_index = 9,
		.remote_id = peer->id,
		.local_lanes = 1,
		.remote_lanes = 1};
	const struct ela_noise_keys keys = {.ck = {1}, .send = {2}, .recv = {3}};

	return ela_session_new(peer, &with, &keys, ela_loop_now(bench.loop));
}

/*
 * Of several that were offered, a late frame confirms an old one: those before it are over, those after it are what the
 * other end has begun since.
 */
START_TEST(confirmed_late)
{
	const struct ela_path path = lone_path(2);
	struct ela_session *first, *second, *third;
	struct ela_peer *peer;

	begin(true);
	peer = lone_peer(bench.l, 2);
	ela_initiator_cancel(peer);
	ela_peer_offer(peer, first = offered(peer), &path, true);
	lone_pass(bench.loop, ELA_SEC);
	ela_peer_offer(peer, second = offered(peer), &path, true);
	lone_pass(bench.loop, ELA_SEC);
	ela_peer_offer(peer, third = offered(peer), &path, true);
	ela_peer_confirm(peer, second, &path);
	ck_assert_ptr_eq(peer->current, second);
	ela_peer_confirm(peer, third, &path);
	ck_assert_ptr_eq(peer->current, third);
	ck_assert_ptr_eq(peer->previous, second);
	ck_assert_uint_eq(ela_peer_offered_ns(peer), 0);
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		ck_assert_ptr_ne(peer->offers[i].session, first);
	end();
}
END_TEST

/* Their handshake ended ours; then they vanished before its first frame: ours begins anew. */
START_TEST(offer_to_nobody)
{
	const struct ela_path path = lone_path(2);
	struct ela_peer *peer;
	uint64_t before;

	begin(true);
	peer = lone_peer(bench.l, 2);
	ela_initiator_cancel(peer);
	ela_peer_offer(peer, offered(peer), &path, true);
	before = lone_counter(bench.l, "handshakes-started");
	lone_pass(bench.loop, 4 * ELA_SEC);
	ck_assert_uint_eq(lone_counter(bench.l, "handshakes-started"), before);
	lone_pass(bench.loop, 4 * ELA_SEC);
	ck_assert_uint_gt(lone_counter(bench.l, "handshakes-started"), before);
	end();
}
END_TEST

/* ---- a plugin of more suites than a handshake can name ---- */

#define MANY 9u
static char names[MANY][33];
static struct ela_suite suites[MANY];
static struct ela_cipher_ops many_ops;
static struct ela_plugin many;
static int (*aead_key_new)(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key);

static int first_key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	(void)suite;
	return aead_key_new(self, 0, direction, key, ret_key);
}

START_TEST(too_many_suites)
{
	struct lone_spec spec = {.cipher = &many, .number = 1, .knows = (const uint8_t[]){0}};

	many = *test_plugin_load(CIPHER_AEAD);
	many_ops = *(const struct ela_cipher_ops *)many.ops;
	aead_key_new = many_ops.key_new;
	for (uint32_t i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof names[i], "suite-with-a-name-of-32-bytes-%02u", i % 100); /* fits */
		suites[i] = many_ops.suites[0];
		suites[i].name = names[i];
	}
	many_ops.suites = suites;
	many_ops.n_suites = (uint32_t)_i;
	many_ops.key_new = first_key_new;
	many.ops = &many_ops;
	bench.world = lone_world_new(&spec, 1);
	bench.loop = ela_loop_virtual_new(1);
	bench.l = lone_new(bench.world, 0, bench.loop); /* ends the process when the node is refused */
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life");
	TCase *tcase = tcase_create("life");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, lane_ahead_of_tick);
	tcase_add_test(tcase, confirmed_late);
	tcase_add_test(tcase, offer_to_nobody);
	tcase_add_loop_test(tcase, too_many_suites, 7, 8);
	tcase_add_loop_test_raise_signal(tcase, too_many_suites, SIGABRT, 8, 10);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
