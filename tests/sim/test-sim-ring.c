/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that nodes join, under virtual time: they form, by themselves; every pair can talk; parents and spares are
 * those of the naive ring; parents die and leave; nothing is lost that the network could have carried.
 */
#include "sim-ring.h"

#include "directory.h"

#define FORM_NS (20 * ELA_SEC)
#define SETTLE_NS (200 * ELA_SEC) /* who crashed is known for two minutes */

static void settle(struct sim *s, uint64_t ns)
{
	if (sim_run_until(s, sim_ring_settled, ns))
		return;
	sim_ring_explain(s);
	sim_fail(s, __FILE__, __LINE__, "it does not settle");
}

static void send_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++)
			if (i != k && s->nodes[i].node && s->nodes[k].node)
				sim_send(s, i, k, 200);
}

/*
 * Each pair, both ways: all there. The first packets may find sessions with nodes that crashed since, and show that
 * they are over.
 */
static void talk_all(struct sim *s)
{
	uint64_t from_ns;

	send_all(s);
	sim_run(s, 5 * ELA_SEC);
	from_ns = sim_now(s);
	send_all(s);
	sim_run(s, 5 * ELA_SEC);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++)
			if (i != k && s->nodes[i].node && s->nodes[k].node)
				sim_equal(s, sim_lost(s, i, k, from_ns, sim_now(s)), 0);
}

/* Of random roles, but the first is a core: whoever founds a network is alone. */
static uint64_t random_edges(struct sim *s, uint32_t n)
{
	return sim_random(s, UINT64_C(1) << n) & ~UINT64_C(1);
}

START_TEST(pair)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 2, _i % 2 ? 2 : 0);

	sim_up(s, 0);
	sim_run(s, ELA_SEC);
	sim_up(s, 1);
	settle(s, FORM_NS);
	talk_all(s);
	sim_free(s);
}
END_TEST

START_TEST(forms)
{
	uint32_t n = 3 + (uint32_t)(sim_seed(_i) % 10);
	struct sim *s = sim_ring_new(sim_seed(_i), n, 0);
	uint64_t edges = random_edges(s, n);

	for (uint32_t i = 0; i < n; i++)
		s->nodes[i].spec.role = edges >> i & 1 ? "edge" : "core";
	sim_up(s, 0);
	for (uint32_t i = 1; i < n; i++) {
		sim_run(s, sim_random(s, ELA_SEC));
		sim_up(s, i);
	}
	settle(s, FORM_NS);
	talk_all(s);
	sim_free(s);
}
END_TEST

/*
 * Most have no session with most others before. What one says to all, each other gets; the world sees that none gets it
 * twice.
 */
START_TEST(broadcast)
{
	uint32_t n = 3 + (uint32_t)(sim_seed(_i) % 12);
	struct sim *s = sim_ring_new(sim_seed(_i), n, 0);
	uint64_t edges = random_edges(s, n);

	for (uint32_t i = 0; i < n; i++)
		s->nodes[i].spec.role = edges >> i & 1 ? "edge" : "core";
	sim_up_all(s);
	settle(s, FORM_NS);
	for (uint32_t k = 0; k < 3; k++) {
		for (uint32_t i = 0; i < n; i++)
			sim_send(s, i, SIM_MAX_NODES, 300);
		sim_run(s, 2 * ELA_SEC);
	}
	for (uint32_t i = 0; i < n; i++) {
		sim_equal(s, s->pairs[i][SIM_MAX_NODES].got, 3 * (n - 1));
		sim_zero(s, i, "drop-nosession");
		sim_zero(s, i, "drop-copies");
	}
	sim_free(s);
}
END_TEST

/* Nodes crash, leave and come back, at any moment; when all is quiet the network is whole again. */
static void churn(struct sim *s, uint32_t events)
{
	for (uint32_t e = 0; e < events; e++) {
		uint32_t i = (uint32_t)sim_random(s, s->n);

		if (!s->nodes[i].node)
			sim_up(s, i);
		else if (sim_random(s, 2))
			sim_down(s, i);
		else
			sim_leave(s, i);
		sim_run(s, sim_random(s, 20 * ELA_SEC));
	}
	for (uint32_t i = 0; i < s->n; i++)
		if (!s->nodes[i].node)
			sim_up(s, i);
}

START_TEST(cores_churn)
{
	uint32_t n = 3 + (uint32_t)(sim_seed(_i) % 6);
	struct sim *s = sim_ring_new(sim_seed(_i), n, 0);

	sim_up_all(s);
	settle(s, FORM_NS);
	churn(s, 10);
	settle(s, SETTLE_NS);
	talk_all(s);
	sim_free(s);
}
END_TEST

START_TEST(churned)
{
	uint32_t n = 3 + (uint32_t)(sim_seed(_i) % 10);
	struct sim *s = sim_ring_new(sim_seed(_i), n, 0);
	uint64_t edges = random_edges(s, n);

	for (uint32_t i = 0; i < n; i++)
		s->nodes[i].spec.role = edges >> i & 1 ? "edge" : "core";
	sim_up_all(s);
	settle(s, FORM_NS);
	churn(s, 10);
	settle(s, SETTLE_NS);
	talk_all(s);
	sim_free(s);
}
END_TEST

START_TEST(cores)
{
	uint32_t n = 3 + (uint32_t)(sim_seed(_i) % 6);
	struct sim *s = sim_ring_new(sim_seed(_i), n, 0);

	sim_up_all(s);
	settle(s, FORM_NS);
	talk_all(s);
	sim_free(s);
}
END_TEST

static uint64_t joined_since(struct sim *s, uint32_t i)
{
	return sim_counter(s, i, "handshakes-done");
}

/*
 * Nobody knows a key of anybody: by address alone they find each other, and the first one of the list is nobody's, the
 * second another machine's that says nothing.
 */
START_TEST(bootstraps)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 4, _i % 2 ? 8 : 0);

	for (uint32_t i = 1; i < 4; i++) {
		s->nodes[i].spec.bootstrap = i == 3 ? "10.0.0.99:7451, 10.0.0.2:7451" : "10.0.0.99:7451, 10.0.0.1:7451";
		sim_ring_forget_cores(s, i);
	}
	sim_up(s, 0);
	sim_run(s, ELA_SEC);
	for (uint32_t i = 1; i < 4; i++)
		sim_up(s, i);
	settle(s, 2 * FORM_NS);
	talk_all(s);
	sim_check(s, joined_since(s, 3) > 0, "node 3 is not in");
	sim_free(s);
}
END_TEST

static void cut(struct sim *s, bool is_cut)
{
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t k = 2; k < s->n; k++)
			ck_assert_int_eq(ela_mem_partition(s->fabric, s->nodes[i].underlay, s->nodes[k].underlay, is_cut), 0);
}

static bool is_halved(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (ela_directory_count(s->nodes[i].node->directory) != s->n / 2)
			return false;
	return true;
}

/* Two halves of two, until nobody remembers the others as members, and nobody is alone. */
static void part_and_meet(struct sim *s)
{
	settle(s, 2 * FORM_NS);
	cut(s, true);
	sim_run(s, SETTLE_NS);
	sim_check(s, is_halved(s), "the halves remember each other");
	cut(s, false);
	settle(s, SETTLE_NS / 2);
	talk_all(s);
	sim_free(s);
}

/* A bootstrap leads them together. */
START_TEST(reunited)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 4, 0);

	for (uint32_t i = 0; i < 4; i++) {
		s->nodes[i].spec.bootstrap = i < 2 ? "10.0.0.2:7451" : "10.0.0.1:7451, 10.0.0.4:7451";
		sim_up(s, i);
		sim_run(s, ELA_SEC);
	}
	part_and_meet(s);
}
END_TEST

/* Where they met before does, too. */
START_TEST(remembered)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 4, 0);

	sim_up_all(s);
	part_and_meet(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, pair, 2);
	sim_add(suite, forms, 10);
	sim_add(suite, cores, 3);
	sim_add(suite, broadcast, 10);
	sim_add(suite, cores_churn, 10);
	sim_add(suite, churned, 10);
	sim_add(suite, bootstraps, 4);
	sim_add(suite, reunited, 4);
	sim_add(suite, remembered, 4);
}

int main(void)
{
	return sim_main("sim-ring", fill);
}
