/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents that are lost, or leave, while edges talk: how long nothing comes, over which sessions it goes on, and that
 * the new parents are those of the naive ring without the old one (sim-ring.h). Virtual time.
 */
#include "sim-ring.h"

#include "directory.h"
#include "peer.h"

#define CORES 4u
#define EDGES 3u
#define NODES (CORES + EDGES)
#define FORM_NS (30 * ELA_SEC)
#define EVERY_NS (5 * ELA_MSEC)

/* Bounds: of a parent that is lost, and of one that says so. */
#define LOST_NS ELA_SEC
#define LEFT_NS (50 * ELA_MSEC)
/* Of a node that is down for 100 ms: half a second to come in, and the handshake after it. */
#define BACK_NS ELA_SEC
/* Packets that meet two cores in the moment in which only one of them knows where an edge is now. */
#define PASSING 2u

/* All edges but one talk to each other. A ring where edges come to cores over connections as often as by datagrams
 * alone. */
static struct sim *begin(uint64_t seed, uint32_t mute)
{
	struct sim *s = sim_ring_new(seed, NODES, (1u << NODES) - (1u << CORES));
	const struct ela_mem_link link = {.delay_ns = 5 * ELA_MSEC, .jitter_ns = 2 * ELA_MSEC};

	for (uint32_t i = 0; i < NODES; i++)
		s->nodes[i].spec.mode = seed % 2 ? "both" : "datagram";
	sim_link(s, &link);
	sim_up_all(s);
	if (!sim_run_until(s, sim_ring_settled, FORM_NS)) {
		sim_ring_explain(s);
		sim_fail(s, __FILE__, __LINE__, "it does not settle");
	}
	sim_run(s, 5 * ELA_SEC);
	for (uint32_t i = CORES; i < NODES; i++)
		for (uint32_t k = CORES; k < NODES; k++)
			if (i != k && i != mute)
				sim_flow(s, i, k, EVERY_NS, 60 * ELA_SEC);
	sim_run(s, 3 * ELA_SEC);
	return s;
}

static uint32_t number_of(const struct sim *s, const struct ela_peer *peer)
{
	for (uint32_t i = 0; peer && i < s->n; i++)
		if (sim_ring_id(s, i) == peer->id)
			return i;
	return SIM_MAX_NODES;
}

static uint32_t parent_of(struct sim *s, uint32_t edge, bool spare)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[edge].network, &view);
	return number_of(s, spare ? view.spare : view.parent);
}

/* The longest time without a packet from one to the other since from_ns. */
static uint64_t gap(struct sim *s, uint32_t from, uint32_t to, uint64_t from_ns)
{
	const GArray *packets = s->pairs[from][to].packets;
	uint64_t last_ns = from_ns, longest_ns = 0;

	for (guint k = 0; k < packets->len; k++) { /* jitter that reorders is less than the bounds by far */
		const struct sim_packet *p = &g_array_index(packets, struct sim_packet, k);

		if (p->got_ns <= last_ns)
			continue;
		longest_ns = MAX(longest_ns, p->got_ns - last_ns);
		last_ns = p->got_ns;
	}
	return MAX(longest_ns, sim_now(s) - last_ns);
}

static uint64_t longest_gap(struct sim *s, uint64_t from_ns)
{
	uint64_t longest_ns = 0;

	for (uint32_t i = CORES; i < NODES; i++)
		for (uint32_t k = CORES; k < NODES; k++)
			if (i != k)
				longest_ns = MAX(longest_ns, gap(s, i, k, from_ns));
	return longest_ns;
}

/* Sessions by which an edge goes on: with its spare, and with the other edges. */
struct held {
	uint32_t spare;
	const struct ela_session *with[NODES];
};

static void hold(struct sim *s, struct held held[NODES])
{
	for (uint32_t i = CORES; i < NODES; i++) {
		held[i].spare = parent_of(s, i, true);
		for (uint32_t k = 0; k < NODES; k++) {
			struct ela_peer *peer = k == i ? NULL : sim_peer(s, i, k);

			held[i].with[k] = peer ? peer->current : NULL;
		}
	}
}

/* But for those with cores that are lost. */
static void check_held(struct sim *s, struct held held[NODES], uint32_t lost)
{
	for (uint32_t i = CORES; i < NODES; i++)
		for (uint32_t k = 0; k < NODES; k++)
			if (k != i && k != lost && s->nodes[k].node && (k >= CORES || k == held[i].spare))
				sim_check(s, held[i].with[k] && sim_peer(s, i, k)->current == held[i].with[k],
					"edge %u has another session with %u", i, k);
}

static void crash(struct sim *s, uint32_t i)
{
	sim_down(s, i);
}

static void cut(struct sim *s, uint32_t i)
{
	ck_assert_int_eq(ela_mem_isolate(s->fabric, s->nodes[i].underlay, true), 0);
}

static void heal(struct sim *s, uint32_t i)
{
	ck_assert_int_eq(ela_mem_isolate(s->fabric, s->nodes[i].underlay, false), 0);
}

/* Node CORES loses its parent; what everybody sees of that. Returns the parent. */
static uint32_t lose(struct sim *s, void (*how)(struct sim *s, uint32_t i), uint64_t bound_ns)
{
	uint32_t parent = parent_of(s, CORES, false);
	uint64_t at_ns = sim_now(s), gap_ns;
	struct held held[NODES];

	sim_check(s, parent < CORES && s->nodes[parent].node, "it has no parent that is up");
	hold(s, held);
	how(s, parent);
	sim_run(s, 4 * ELA_SEC);
	gap_ns = longest_gap(s, at_ns);
	if (g_getenv("ELA_SIM_GAPS"))
		(void)fprintf(stderr, "# gap_ms=%.1f\n", (double)gap_ns / 1e6);
	sim_check(s, gap_ns <= bound_ns, "nothing came for %.3f s", (double)gap_ns / 1e9);
	check_held(s, held, parent);
	return parent;
}

START_TEST(crashed)
{
	struct sim *s = begin(sim_seed(_i), NODES);

	(void)lose(s, crash, LOST_NS);
	sim_free(s);
}
END_TEST

START_TEST(cut_off)
{
	struct sim *s = begin(sim_seed(_i), NODES);
	uint32_t parent = lose(s, cut, LOST_NS);
	uint64_t at_ns = sim_now(s);

	/* It comes back, and knows nothing of that it was away: nobody loses anything for it. */
	heal(s, parent);
	sim_run(s, 20 * ELA_SEC);
	sim_check(s, longest_gap(s, at_ns) <= LEFT_NS + 50 * ELA_MSEC, "its return is a gap");
	sim_free(s);
}
END_TEST

static void part(struct sim *s, uint32_t i)
{
	uint64_t took_ns = sim_part(s, i);

	sim_check(s, took_ns < 3 * ELA_SEC, "it waited %.3f s", (double)took_ns / 1e9);
}

/* Packets between edges that did not come, of those sent since from_ns and not just now. */
static uint64_t lost_since(struct sim *s, uint64_t from_ns)
{
	uint64_t lost = 0;

	for (uint32_t i = CORES; i < NODES; i++)
		for (uint32_t k = CORES; k < NODES; k++)
			if (i != k)
				lost += sim_lost(s, i, k, from_ns, sim_now(s) - ELA_SEC / 2);
	return lost;
}

/* One after the other: an edge says nothing new of itself twice in a second, so the second has to wait for that. */
START_TEST(parted)
{
	struct sim *s = begin(sim_seed(_i), NODES);
	uint64_t at_ns = sim_now(s);

	part(s, parent_of(s, CORES, false));
	(void)lose(s, part, LEFT_NS);
	sim_check(s, lost_since(s, at_ns) <= PASSING, "%" G_GUINT64_FORMAT " packets were lost", lost_since(s, at_ns));
	sim_free(s);
}
END_TEST

/* Who does not answer is not waited for. */
START_TEST(parted_from_silent)
{
	struct sim *s = begin(sim_seed(_i), NODES);
	uint32_t parent = parent_of(s, CORES, false);

	cut(s, CORES);
	part(s, parent);
	sim_free(s);
}
END_TEST

/* The edge answers and reaches no other core: it is waited for, and not for ever. */
START_TEST(parted_from_lonely)
{
	struct sim *s = begin(sim_seed(_i), NODES);
	uint32_t parent = parent_of(s, CORES, false);
	uint64_t took_ns;

	for (uint32_t k = 0; k < CORES; k++)
		if (k != parent)
			ck_assert_int_eq(ela_mem_partition(s->fabric, s->nodes[k].underlay, s->nodes[CORES].underlay, true), 0);
	sim_run(s, 8 * ELA_SEC); /* it is known */
	took_ns = sim_part(s, parent);
	sim_check(s, took_ns >= ELA_PARTING_NS && took_ns <= ELA_PARTING_NS + 50 * ELA_MSEC, "it waited %.3f s",
		(double)took_ns / 1e9);
	sim_free(s);
}
END_TEST

/* An edge ends without a word and is back at once: whoever talks to it sees by its record that their session is over.
 */
START_TEST(restarted)
{
	struct sim *s = begin(sim_seed(_i), CORES);
	uint64_t at_ns, gap_ns;

	if (_i >= 2)
		sim_run(s, 45 * ELA_SEC); /* its record was renewed since they talk */
	at_ns = sim_now(s);
	sim_down(s, CORES);
	sim_run(s, 100 * ELA_MSEC);
	sim_up(s, CORES);
	sim_run(s, 8 * ELA_SEC);
	gap_ns = MAX(gap(s, CORES + 1, CORES, at_ns), gap(s, CORES + 2, CORES, at_ns));
	if (g_getenv("ELA_SIM_GAPS"))
		(void)fprintf(stderr, "# gap_ms=%.1f\n", (double)gap_ns / 1e6);
	sim_check(s, gap_ns <= BACK_NS, "nothing came for %.3f s", (double)gap_ns / 1e9);
	sim_free(s);
}
END_TEST

/* An edge that ends is forgotten by all at once. */
START_TEST(edge_leaves)
{
	struct sim *s = begin(sim_seed(_i), NODES);

	(void)sim_part(s, CORES);
	sim_run(s, ELA_SEC);
	for (uint32_t i = 0; i < NODES; i++)
		sim_check(s, !s->nodes[i].node || !ela_directory_find(s->nodes[i].node->directory, sim_ring_id(s, CORES)),
			"node %u knows it still", i);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, crashed, 6);
	sim_add(suite, cut_off, 4);
	sim_add(suite, parted, 8);
	sim_add(suite, parted_from_silent, 2);
	sim_add(suite, parted_from_lonely, 2);
	sim_add(suite, restarted, 4);
	sim_add(suite, edge_leaves, 2);
}

int main(void)
{
	return sim_main("sim-failover", fill);
}
