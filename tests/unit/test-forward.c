/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-forward: core/forward.c in a lone node: the rules as a table of roles, set and del against a naive list, what is
 * refused, what a removed peer leaves behind; core/relay-limit.c against its own arithmetic.
 */
#include "forward.h"
#include "lone.h"
#include "own.h"
#include "relay-limit.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static struct lone_world *world;
static struct ela_loop *loop;
static struct lone *l;

static void setup(void)
{
	struct lone_spec spec = {
		.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 3, 4, 5, 0}};

	world = lone_world_new(&spec, 1);
	loop = ela_loop_virtual_new(1);
	l = lone_new(world, 0, loop);
	lone_look(l);
}

static void teardown(void)
{
	lone_free(l);
	ela_loop_free(loop);
	lone_world_free(world);
}

static const struct ela_forward *now(void)
{
	lone_look(l);
	return atomic_load(&l->node->forward);
}

/* None, child, core in both places: what may pass. */
START_TEST(rules)
{
	static const bool want[3][3] = {
		[ELA_FORWARD_NONE] = {false, false, false},
		[ELA_FORWARD_CHILD] = {[ELA_FORWARD_CHILD] = true, [ELA_FORWARD_CORE] = true},
		[ELA_FORWARD_CORE] = {[ELA_FORWARD_CHILD] = true, [ELA_FORWARD_CORE] = false},
	};

	for (uint32_t from = 0; from < 3; from++)
		for (uint32_t to = 0; to < 3; to++)
			ck_assert_msg(ela_forward_allowed(from, to) == want[from][to], "%u to %u", from, to);
}
END_TEST

START_TEST(refused)
{
	struct ela_peer *p = lone_peer(l, 2);

	ck_assert_int_eq(ela_forward_set(l->node, 0, p, ELA_FORWARD_CORE), -EINVAL);
	ck_assert_int_eq(ela_forward_set(l->node, UINT32_MAX, p, ELA_FORWARD_CORE), -EINVAL);
	ck_assert_int_eq(ela_forward_set(l->node, ela_own_id(l->node), p, ELA_FORWARD_CORE), -EINVAL);
	ck_assert_int_eq(ela_forward_set(l->node, p->id + 1, p, ELA_FORWARD_CHILD), -EINVAL);
	ck_assert_int_eq(ela_forward_set(l->node, p->id, p, ELA_FORWARD_NONE), -EINVAL);
	ck_assert_int_eq(ela_forward_del(l->node, p->id), -ENOENT);
	ck_assert_ptr_null(now());
	ck_assert_ptr_null(ela_forward_find(NULL, 7));
	ck_assert_int_eq(ela_forward_role(NULL, p), ELA_FORWARD_NONE);
	ck_assert_int_eq(ela_forward_set(l->node, p->id, p, ELA_FORWARD_CHILD), 0);
	ck_assert_ptr_null(ela_forward_find(now(), 0));
	ck_assert_int_eq(ela_forward_role(now(), p), ELA_FORWARD_CHILD);
	/* A node that is reached through a core is no core, and no neighbour either. */
	ck_assert_int_eq(ela_forward_set(l->node, lone_peer(l, 3)->id, lone_peer(l, 4), ELA_FORWARD_CORE), 0);
	ck_assert_int_eq(ela_forward_role(now(), lone_peer(l, 3)), ELA_FORWARD_NONE);
	ck_assert_int_eq(ela_forward_role(now(), lone_peer(l, 4)), ELA_FORWARD_NONE);
}
END_TEST

/* A thousand random changes, looked at now and then: what a plain array says. */
START_TEST(like_an_array)
{
	enum { IDS = 300 };
	struct ela_forward_entry naive[IDS] = {{0}};

	srand((unsigned)_i);
	for (uint32_t n = 0; n < 2000; n++) {
		uint32_t k = (uint32_t)rand() % IDS, id = k % 3 ? k * 0x01000193u + 1 : k + 1;
		struct ela_peer *peer = lone_peer(l, 2 + (uint32_t)rand() % 4);

		if (rand() % 3) {
			ck_assert_int_eq(ela_forward_set(l->node, id, peer, ELA_FORWARD_CORE), 0);
			naive[k] = (struct ela_forward_entry){id, ELA_FORWARD_CORE, peer};
		} else {
			ck_assert_int_eq(ela_forward_del(l->node, id), naive[k].id ? 0 : -ENOENT);
			naive[k].id = 0;
		}
		if (n % 50)
			continue;
		for (k = 0; k < IDS; k++) {
			const struct ela_forward_entry *e = ela_forward_find(now(), k % 3 ? k * 0x01000193u + 1 : k + 1);

			ck_assert((e != NULL) == (naive[k].id != 0));
			ck_assert(!e || (e->peer == naive[k].peer && e->id == naive[k].id && e->kind == naive[k].kind));
		}
	}
}
END_TEST

/* At once, without a turn of the loop: what leads to a peer goes before the peer. */
START_TEST(forgotten)
{
	struct ela_peer *p = lone_peer(l, 2), *q = lone_peer(l, 3);

	ck_assert_int_eq(ela_forward_set(l->node, p->id, p, ELA_FORWARD_CHILD), 0);
	ck_assert_int_eq(ela_forward_set(l->node, 77, p, ELA_FORWARD_CORE), 0);
	ck_assert_int_eq(ela_forward_set(l->node, 78, q, ELA_FORWARD_CORE), 0);
	(void)now();
	ela_forward_forget(l->node, p);
	ck_assert_ptr_null(ela_forward_find(atomic_load(&l->node->forward), 77));
	ck_assert_ptr_null(ela_forward_find(atomic_load(&l->node->forward), p->id));
	ck_assert_ptr_nonnull(ela_forward_find(atomic_load(&l->node->forward), 78));
}
END_TEST

/* ---- limits ---- */

static uint32_t passed(struct ela_relay_limits *limits, enum ela_forward_kind from, uint32_t sender, uint64_t at_ns)
{
	uint32_t n = 0;

	while (n < 1000 && ela_relay_limits_take(limits, from, sender, at_ns))
		n++;
	return n;
}

START_TEST(rates)
{
	struct ela_relay_limits *limits = ela_relay_limits_new(1);
	const uint64_t start_ns = 5 * ELA_SEC;

	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CHILD, 7, start_ns), 64);
	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CHILD, 7, start_ns + ELA_SEC), 20);
	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CHILD, 7, start_ns + ELA_SEC / 2), 0); /* a lane that is behind */
	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CHILD, 8, start_ns + ELA_SEC), 64);
	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CORE, 7, start_ns + ELA_SEC), 16);
	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CORE, 7, start_ns + 2 * ELA_SEC), 5);
	ck_assert_uint_eq(passed(limits, ELA_FORWARD_CHILD, 7, start_ns + 100 * ELA_SEC), 64);
	/* Many senders forget only those who were idle longest of their place. */
	for (uint32_t sender = 1000; sender < 9000; sender++)
		ck_assert(ela_relay_limits_take(limits, ELA_FORWARD_CORE, sender, start_ns + 200 * ELA_SEC));
	ela_relay_limits_free(limits);
	ela_relay_limits_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forward");
	TCase *tc = tcase_create("forward");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rules);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, like_an_array, 1, 4);
	tcase_add_test(tc, forgotten);
	tcase_add_test(tc, rates);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
