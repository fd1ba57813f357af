/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core or edge, in whole rings under virtual time: found out while a node joins and again while it is in. "Closed" is a
 * node that no PROBE reaches by datagram, as behind a router that forwards nothing; what it has begun itself goes on.
 */
#include "network-priv.h"
#include "own.h"
#include "sim-ring.h"

#define FORM_NS (30 * ELA_SEC)
#define CHANGE_NS (30 * ELA_SEC) /* "within 30 s" */

static uint64_t closed;  /* bit i: node i is */
static uint64_t unheard; /* bit i: so it is for probes of that node */
static uint32_t unheard_by = SIM_MAX_NODES;

static bool passes(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	(void)len;
	for (uint32_t i = 0; frame[1] == ELA_TYPE_PROBE && i < s->n; i++) {
		struct ela_addr to = sim_addr(s, i);

		if (memcmp(seen->to.ip, to.ip, sizeof to.ip) != 0)
			continue;
		for (uint32_t k = 0; unheard_by == i && k < s->n; k++) {
			struct ela_addr from = sim_addr(s, k);

			if (unheard >> k & 1 && memcmp(seen->from.ip, from.ip, sizeof from.ip) == 0)
				return false;
		}
		return (closed >> i & 1) == 0;
	}
	return true;
}

static struct ela_network_view view_of(const struct sim *s, uint32_t i)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[i].network, &view);
	return view;
}

static bool is_core(const struct sim *s, uint32_t i)
{
	return view_of(s, i).is_in && view_of(s, i).role == ELA_LEASE_CORE;
}

/* What sim_ring_settled() compares with. */
static void expect_edges(struct sim *s, uint64_t edges)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->nodes[i].spec.role = edges >> i & 1 ? "edge" : "core";
}

/* n nodes that find out themselves what they are, the first n_up of them up; those that are closed are edges. */
static struct sim *form_some(int i, uint32_t n, uint32_t n_up, uint64_t edges)
{
	struct sim *s = sim_ring_new(sim_seed(i), n, 0);

	closed = edges;
	unheard = 0;
	unheard_by = SIM_MAX_NODES;
	s->on_frame = passes;
	for (uint32_t k = 0; k < n; k++)
		s->nodes[k].spec.role = "auto";
	sim_up(s, 0);
	sim_run(s, ELA_SEC);
	for (uint32_t k = 1; k < n_up; k++)
		sim_up(s, k);
	expect_edges(s, edges);
	if (!sim_run_until(s, sim_ring_settled, FORM_NS)) {
		sim_ring_explain(s);
		sim_fail(s, __FILE__, __LINE__, "it does not form");
	}
	return s;
}

static struct sim *form(int i, uint32_t n, uint64_t edges)
{
	return form_some(i, n, n, edges);
}

static void settle(struct sim *s, uint64_t edges, uint64_t ns)
{
	expect_edges(s, edges);
	if (sim_run_until(s, sim_ring_settled, ns))
		return;
	sim_ring_explain(s);
	sim_fail(s, __FILE__, __LINE__, "it does not settle");
}

/* Of what was sent at that time both ways, no more than that was lost. */
static void lost_at_most(struct sim *s, uint32_t a, uint32_t b, uint64_t from_ns, uint64_t most)
{
	uint64_t to_ns = sim_now(s) - ELA_SEC;

	sim_check(s, sim_lost(s, a, b, from_ns, to_ns) <= most && sim_lost(s, b, a, from_ns, to_ns) <= most,
		"lost %u and %u", (unsigned)sim_lost(s, a, b, from_ns, to_ns), (unsigned)sim_lost(s, b, a, from_ns, to_ns));
}

/* An edge whose network opens is a core, and an edge again when it closes; its flows and its address do not notice. */
START_TEST(opens_and_closes)
{
	struct sim *s = form(_i, 5, 0x18);
	uint64_t from_ns, handshakes;
	uint32_t id = ela_own_id(s->nodes[3].node);

	sim_run(s, 5 * ELA_SEC);
	sim_send(s, 3, 4, 200);
	sim_send(s, 4, 3, 200);
	sim_run(s, 5 * ELA_SEC);
	from_ns = sim_now(s);
	handshakes = sim_counter(s, 4, "handshakes-done");
	sim_flow(s, 3, 4, 50 * ELA_MSEC, 200 * ELA_SEC);
	sim_flow(s, 4, 3, 50 * ELA_MSEC, 200 * ELA_SEC);
	sim_run(s, 50 * ELA_SEC); /* and an edge stays one meanwhile */
	sim_check(s, !is_core(s, 3), "it became core");
	closed = 0x10;
	settle(s, 0x10, CHANGE_NS);
	sim_run(s, 10 * ELA_SEC);
	lost_at_most(s, 3, 4, from_ns, 2);
	closed = 0x18;
	from_ns = sim_now(s);
	settle(s, 0x18, CHANGE_NS);
	sim_run(s, 10 * ELA_SEC);
	lost_at_most(s, 3, 4, from_ns, 2);
	sim_equal(s, ela_own_id(s->nodes[3].node), id);
	sim_check(s, sim_counter(s, 4, "handshakes-done") - handshakes < 12, "sessions began anew");
	sim_free(s);
}
END_TEST

/* The parent of node 5 closes, opens and closes again: each time its children have left before it stops relaying. */
START_TEST(hands_over)
{
	struct sim *s = form(_i, 6, 0x20);
	uint32_t parent = 0;
	uint64_t from_ns;

	while (sim_ring_id(s, parent) != view_of(s, 5).parent->id)
		parent++;
	sim_link(s, &(struct ela_mem_link){.delay_ns = 20 * ELA_MSEC});
	for (uint32_t i = 0; i < 5; i++) {
		sim_send(s, i, 5, 200);
		sim_send(s, 5, i, 200);
	}
	sim_run(s, 5 * ELA_SEC);
	from_ns = sim_now(s);
	for (uint32_t i = 0; i < 5; i++) {
		sim_flow(s, i, 5, 20 * ELA_MSEC, 200 * ELA_SEC);
		sim_flow(s, 5, i, 20 * ELA_MSEC, 200 * ELA_SEC);
	}
	for (uint32_t round = 0; round < 3; round++) {
		closed = round % 2 == 0 ? 0x20 | 1u << parent : 0x20;
		settle(s, closed, CHANGE_NS);
		sim_run(s, 10 * ELA_SEC);
	}
	for (uint32_t i = 0; i < 5; i++)
		if (i != parent) /* whose own frames take another way meanwhile */
			lost_at_most(s, i, 5, from_ns, 0);
	lost_at_most(s, parent, 5, from_ns, 3);
	sim_free(s);
}
END_TEST

static bool three_is_core(struct sim *s)
{
	return is_core(s, 3);
}

static bool three_is_edge(struct sim *s)
{
	return !is_core(s, 3);
}

/* What changes at the machine itself is looked at at once. */
START_TEST(news)
{
	struct sim *s = form(_i, 4, 8);

	sim_run(s, 25 * ELA_SEC); /* a scout was just asked, or is soon: either way not at once */
	closed = 0;
	ela_network_changed(s->nodes[3].network);
	sim_check(s, sim_run_until(s, three_is_core, 2 * ELA_SEC), "it takes too long");
	sim_run(s, 10 * ELA_SEC);
	closed = 8;
	ela_network_changed(s->nodes[3].network);
	sim_check(s, sim_run_until(s, three_is_edge, 8 * ELA_SEC), "it takes too long");
	sim_free(s);
}
END_TEST

/* One core that does not reach another takes nothing from it; nor is an edge a core because one reaches it. */
START_TEST(one_of_several)
{
	struct sim *s = form(_i, 5, 0x10);

	unheard_by = 3;
	unheard = 2;
	sim_run(s, 150 * ELA_SEC);
	sim_check(s, is_core(s, 3), "it gave up");
	closed = 0;
	unheard_by = 4;
	unheard = 0xd; /* of all but 1; it talks directly with its parent and its spare alone */
	unheard &= ~(UINT64_C(1) << (sim_seed(_i) % 4));
	sim_run(s, 150 * ELA_SEC);
	sim_check(s, !is_core(s, 4), "it became core");
	settle(s, 0x10, ELA_SEC);
	sim_free(s);
}
END_TEST

static bool any_is_core(const struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (is_core(s, i))
			return true;
	return false;
}

/* All close at once: one stays, for without any core there is no network. */
START_TEST(last_core)
{
	struct sim *s = form(_i, 3, 0);

	sim_run(s, sim_random(s, 20 * ELA_SEC));
	closed = 7;
	for (uint32_t i = 0; i < s->n && SIM_KIND(2) == 0; i++) /* all look at the same moment */
		ela_network_changed(s->nodes[i].network);
	for (uint32_t i = 0; i < 120; i++) {
		sim_run(s, ELA_SEC);
		sim_check(s, any_is_core(s), "no core is left");
	}
	settle(s, is_core(s, 0) ? 6 : is_core(s, 1) ? 5 : 3, ELA_SEC);
	sim_free(s);
}
END_TEST

static void on_health(void *data, const char *text, const char *remedy)
{
	if (strstr(text, "by ela.ini") != NULL && strstr(remedy, "port") != NULL)
		*(uint32_t *)data += 1;
}

static uint32_t complaints(struct sim *s, uint32_t i)
{
	uint32_t n = 0;

	ela_network_health(s->nodes[i].network, on_health, &n);
	return n;
}

/* A core by ela.ini stays one, and says what is wrong as long as it is. */
START_TEST(told_to_be_core)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 3, 0);

	closed = unheard = 0;
	s->on_frame = passes;
	sim_up_all(s);
	settle(s, 0, FORM_NS);
	sim_run(s, 60 * ELA_SEC);
	sim_equal(s, complaints(s, 2), 0);
	closed = 4;
	sim_run(s, CHANGE_NS);
	sim_equal(s, complaints(s, 2), 1);
	sim_check(s, is_core(s, 2), "it gave up");
	closed = 0;
	sim_run(s, CHANGE_NS);
	sim_equal(s, complaints(s, 2), 0);
	sim_free(s);
}
END_TEST

static bool two_is_in(struct sim *s)
{
	return view_of(s, 2).is_in;
}

static bool two_is_core(struct sim *s)
{
	return is_core(s, 2);
}

/* Who is not reached does not wait for what will not come; who is far away is in first, and then becomes core. */
START_TEST(joins_at_once)
{
	struct sim *s = form_some(_i, 3, 2, 0);
	bool is_far = SIM_KIND(2) != 0;

	closed = is_far ? 0 : 4;
	if (is_far)
		sim_link(s, &(struct ela_mem_link){.delay_ns = 300 * ELA_MSEC});
	s->nodes[2].spec.role = "auto";
	sim_up(s, 2);
	sim_check(s, sim_run_until(s, two_is_in, is_far ? 6 * ELA_SEC : 1500 * ELA_MSEC), "it takes too long");
	sim_check(s, !is_core(s, 2), "it is a core");
	sim_check(s, strstr(view_of(s, 2).reason, "being found out") != NULL, "%s", view_of(s, 2).reason);
	if (is_far) {
		sim_check(s, sim_run_until(s, two_is_core, 4 * ELA_SEC), "it is no core");
	} else {
		sim_run(s, 3 * ELA_SEC);
		sim_check(s, strstr(view_of(s, 2).reason, "by UDP") != NULL, "%s", view_of(s, 2).reason);
	}
	settle(s, is_far ? 0 : 4, FORM_NS);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, opens_and_closes, 3);
	sim_add(suite, hands_over, 2);
	sim_add(suite, news, 2);
	sim_add(suite, one_of_several, 2);
	sim_add(suite, last_core, 4);
	sim_add(suite, told_to_be_core, 1);
	sim_add(suite, joins_at_once, 2);
}

int main(void)
{
	return sim_main("sim-roles", fill);
}
