/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-neighbours-core: what a core has sessions with and relays, beside what should be so; a ring of five cores and
 * four edges in which everybody reaches everybody, also while parents fail; cores that become edges and back
 * (ring-bench.h).
 *
 *      cores  1 2 3 4 5, edges  6 7 8 9; clockwise:  6  2  4  7  8  1  5  9  3
 */
#include "naive.h"
#include "own.h"
#include "ring-bench.h"

#include <check.h>
#include <stdlib.h>

#define CORES 5u
#define N 9u
#define SETTLED_NS (10 * ELA_SEC)

static struct ring_bench *b;

static void setup(void)
{
	b = ring_new(N, (const uint32_t[]){6, 2, 4, 7, 8, 1, 5, 9, 3});
	for (uint32_t k = 1; k <= CORES; k++)
		ring_role(b, k, ELA_LEASE_CORE, 0);
	for (uint32_t k = CORES + 1; k <= N; k++)
		ring_role(b, k, ELA_LEASE_EDGE, ring_id(b, 1));
	ring_pass(b, SETTLED_NS);
}

static void teardown(void)
{
	ring_free(b);
}

static bool is_core(uint32_t k)
{
	return b->nodes[k].is_published && b->nodes[k].lease.role == ELA_LEASE_CORE;
}

static bool is_child_of(uint32_t k, uint32_t core)
{
	return ring_parent(b, k) == core || ring_spare(b, k) == core;
}

static const struct ela_forward_entry *entry(uint32_t of, uint32_t k)
{
	return ela_forward_find(atomic_load(&b->nodes[of].lone->node->forward), ring_id(b, k));
}

static uint32_t n_entries(uint32_t of)
{
	const struct ela_forward *f = atomic_load(&b->nodes[of].lone->node->forward);
	uint32_t n = 0;

	for (uint32_t i = 0; f && i <= f->mask; i++)
		n += f->slots[i].id != 0;
	return n;
}

/* Everything that core of relays, beside who has which role, parent and spare. */
static void check_relayed(uint32_t of)
{
	uint32_t n = 0;

	for (uint32_t k = 1; k <= N; k++) {
		bool child = !is_core(k) && is_child_of(k, of);
		uint32_t hop = is_core(k) || child ? k : ring_parent(b, k);

		if (k == of || !b->nodes[k].is_published)
			continue;
		n++;
		ck_assert_msg(entry(of, k) != NULL, "core %u has no way to %u", of, k);
		ck_assert_msg(ring_number(b, entry(of, k)->peer) == hop, "core %u reaches %u through %u, wanted %u", of, k,
			ring_number(b, entry(of, k)->peer), hop);
		ck_assert_msg(entry(of, k)->kind == (child ? ELA_FORWARD_CHILD : ELA_FORWARD_CORE), "core %u to %u: kind %d",
			of, k, entry(of, k)->kind);
	}
	ck_assert_uint_eq(n_entries(of), n);
}

static void check_all(void)
{
	for (uint32_t k = 1; k <= N; k++) {
		if (!b->nodes[k].is_published)
			continue;
		if (!is_core(k)) {
			ck_assert_uint_ne(ring_parent(b, k), 0);
			ck_assert_uint_eq(n_entries(k), 0);
			continue;
		}
		check_relayed(k);
		for (uint32_t other = 1; other <= N; other++)
			if (other != k && is_core(other)) {
				const struct ela_peer *peer = ring_peer(b, k, other);

				ck_assert(peer->up && peer->tx_shadow && !peer->tx_shadow->via);
				ck_assert_uint_eq(peer->config->keepalive_ns, ELA_LINK_ALIVE_NS);
			}
	}
}

/* Does what control says to k arrive there? */
static bool reaches(uint32_t from, uint32_t k)
{
	const struct ela_peer *there = ring_peer(b, k, from);
	uint64_t before;

	ring_pass(b, ELA_MSEC);
	before = there->control_rx_ns;
	ring_pass(b, ELA_MSEC);
	if (ela_control_ping(ring_peer(b, from, k), 0x80000001u) != 0)
		return false;
	ring_pass(b, ELA_MSEC);
	return there->control_rx_ns > before;
}

/* All pairs have sessions, whichever way. */
static void connect_all(void)
{
	for (uint32_t from = 1; from <= N; from++)
		for (uint32_t k = 1; k <= N; k++)
			if (k != from && !ring_peer(b, from, k)->up) {
				ela_initiate(ring_peer(b, from, k));
				ring_pass(b, 20 * ELA_MSEC);
				ck_assert_msg(
					ring_peer(b, from, k)->up && ring_peer(b, k, from)->up, "%u has no session with %u", from, k);
			}
}

static void check_reaches_all(void)
{
	for (uint32_t from = 1; from <= N; from++)
		for (uint32_t k = 1; k <= N; k++)
			ck_assert_msg(k == from || reaches(from, k), "%u does not reach %u", from, k);
}

START_TEST(everybody)
{
	check_all();
	connect_all();
	check_reaches_all();
	check_all();
	ring_pass(b, 60 * ELA_SEC);
	check_all();
}
END_TEST

/* An edge loses its parent: what it sends arrives through the spare at once; the rest follows its record. */
START_TEST(parent_lost)
{
	uint32_t parent, spare, third;
	const struct ela_session *s;

	connect_all();
	parent = ring_parent(b, 6);
	spare = ring_spare(b, 6);
	ring_cut(b, 6, parent, true);
	ela_peer_reset(ring_peer(b, 6, parent));
	b->nodes[6].has_news = false; /* its record still says the old parent */
	for (uint32_t k = 1; k <= N; k++)
		ck_assert_msg(k == 6 || k == parent || reaches(6, k), "not %u", k);
	ck_assert_uint_eq(ring_parent(b, 6), spare);
	ring_publish(b, 6, ELA_LEASE_EDGE, ring_id(b, spare));
	ring_pass(b, SETTLED_NS);
	check_all();
	/* the old parent finds that its session leads nowhere */
	for (uint32_t i = 0; i < 8; i++) {
		(void)ela_control_ping(ring_peer(b, parent, 6), 0x80000001u); /* may be lost */
		ring_pass(b, 500 * ELA_MSEC);
	}
	ck_assert(reaches(parent, 6));
	check_relayed(parent);
	third = ring_spare(b, 6);
	ck_assert(third && third != parent);
	s = ring_peer(b, third, 6)->current;
	for (uint32_t k = 1; k <= N; k++)
		ck_assert(k == 6 || k == parent || (reaches(6, k) && reaches(k, 6)));
	/* and back */
	ring_cut(b, 6, parent, false);
	ring_pass(b, 30 * ELA_SEC);
	ck_assert_uint_eq(ring_parent(b, 6), parent);
	ck_assert_ptr_eq(ring_peer(b, third, 6)->current, s);
	connect_all();
	check_reaches_all();
}
END_TEST

/* A core falls silent for its children and cores, and its record ends. */
START_TEST(core_lost)
{
	uint32_t lost = ring_parent(b, 7);

	connect_all();
	for (uint32_t k = 1; k <= N; k++)
		ring_cut(b, k, lost, true);
	ring_pass(b, 15 * ELA_SEC);
	for (uint32_t k = CORES + 1; k <= N; k++)
		ck_assert(!is_child_of(k, lost));
	ring_withdraw(b, lost);
	ring_pass(b, SETTLED_NS);
	for (uint32_t k = 1; k <= N; k++)
		if (k != lost) {
			ck_assert_ptr_null(ring_peer(b, k, lost));
			ck_assert_ptr_null(entry(k, lost));
			for (uint32_t other = 1; other <= N; other++)
				ck_assert(other == k || other == lost || reaches(k, other));
		}
}
END_TEST

/* An edge that is gone is relayed to no more. */
START_TEST(edge_gone)
{
	ring_withdraw(b, 8);
	ring_pass(b, ELA_SEC);
	for (uint32_t k = 1; k <= CORES; k++) {
		ck_assert_ptr_null(entry(k, 8));
		ck_assert_ptr_null(ring_peer(b, k, 8));
		check_relayed(k);
	}
}
END_TEST

/* ---- another role ---- */

START_TEST(edge_becomes_core)
{
	uint32_t parent = ring_parent(b, 6), spare = ring_spare(b, 6);
	const struct ela_session *to_parent = ring_peer(b, 6, parent)->current, *to_spare = ring_peer(b, 6, spare)->current;

	connect_all();
	ring_role(b, 6, ELA_LEASE_CORE, 0);
	ring_pass(b, SETTLED_NS);
	ck_assert_ptr_null(ela_neighbours_parent(b->nodes[6].neighbours));
	ck_assert_ptr_eq(ring_peer(b, 6, parent)->current, to_parent);
	ck_assert_ptr_eq(ring_peer(b, 6, spare)->current, to_spare);
	ring_pass(b, 200 * ELA_SEC); /* sessions that nobody keeps are over */
	check_all();
	connect_all();
	check_reaches_all();
}
END_TEST

START_TEST(core_becomes_edge)
{
	const struct ela_session *sessions[N + 1];

	connect_all();
	for (uint32_t k = 1; k <= N; k++)
		sessions[k] = k == 2 ? NULL : ring_peer(b, 2, k)->current;
	ring_role(b, 2, ELA_LEASE_EDGE, ring_id(b, 1));
	ring_pass(b, ELA_MSEC);
	ck_assert_uint_ne(ring_parent(b, 2), 0); /* at once: the sessions were there */
	ck_assert_uint_ne(ring_spare(b, 2), 0);
	for (uint32_t k = 1; k <= N; k++)
		ck_assert(k == 2 || ring_peer(b, 2, k)->current == sessions[k]);
	ring_pass(b, SETTLED_NS);
	for (uint32_t k = 1; k <= N; k++)
		ck_assert(k == 2 || ring_peer(b, 2, k)->current == sessions[k]);
	check_reaches_all();
	ring_pass(b, 200 * ELA_SEC);
	check_all();
	connect_all();
	check_reaches_all();
	ring_role(b, 2, ELA_LEASE_CORE, 0);
	ring_pass(b, 200 * ELA_SEC);
	check_all();
	connect_all();
	check_reaches_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbours-core");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 120);
	tcase_add_test(all, everybody);
	tcase_add_test(all, parent_lost);
	tcase_add_test(all, core_lost);
	tcase_add_test(all, edge_gone);
	tcase_add_test(all, edge_becomes_core);
	tcase_add_test(all, core_becomes_edge);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
