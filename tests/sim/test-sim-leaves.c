/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-sim-leaves: a ring of 2 to 5 cores and up to 6 edges that are its leaves, under delay, loss, doubling and
 * reordering, over connections and datagrams. Step after step something happens: a parent goes, an edge moves, leaves,
 * dies, comes back, becomes a core or an edge again, records of edges elsewhere change. 80 s later each core and
 * each edge must hold the records and have told its core the ways and the ring of a naive model, which knows who said
 * what last. One thread.
 */
#include "chord-world.h"
#include "chord.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES 11u
#define FAR_KEYS 12u
#define MAX_KEYS (MAX_NODES + FAR_KEYS)
#define STEPS 6u
#define SETTLE_NS (80 * ELA_SEC) /* two turns of digests of an edge, and a part of another; renewals stay fresh */
#define FRESH_S 120u
#define DATAGRAM (ELA_PEER_DIRECT | ELA_PEER_DATAGRAM)

struct model {
	struct chord_world *world;
	uint32_t n, n_keys;
	struct ela_record_info last[MAX_KEYS]; /* as it was published last; id 0 = never */
	uint64_t at_ns[MAX_KEYS];
	uint64_t incarnation[MAX_KEYS];
	bool is_core[MAX_NODES]; /* of nodes */
	uint32_t parent[MAX_NODES];
};

static uint32_t n_told_by_edges; /* records of others */

static uint32_t roll(struct model *m, uint32_t sides)
{
	return (uint32_t)(chord_world_random(m->world) % sides);
}

static bool is_up(const struct model *m, uint32_t i)
{
	return m->world->nodes[i].self != NULL;
}

static uint32_t random_core(struct model *m, uint32_t but)
{
	for (uint32_t tries = 0; tries < 100; tries++) {
		uint32_t i = roll(m, m->n);

		if (i != but && is_up(m, i) && m->is_core[i])
			return i;
	}
	return UINT32_MAX;
}

static uint32_t n_cores(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n; i++)
		n += is_up(m, i) && m->is_core[i];
	return n;
}

static void on_send(struct chord_world *world, uint32_t from, uint32_t to, const uint8_t *bytes, uint32_t len)
{
	const struct model *m = world->data;
	struct ela_record_info info;

	(void)to;
	if (!m->is_core[from] && (bytes[1] == CHORD_RENEWAL ||
								 (bytes[1] == CHORD_RECORD &&
									 record_read(bytes + CHORD_RECORD_FRONT, len - CHORD_RECORD_FRONT, &info) == 0 &&
									 info.id != world->nodes[from].id)))
		n_told_by_edges++;
}

/* ---- what nodes say ---- */

static void publish(struct model *m, uint32_t key, uint32_t at)
{
	struct ela_record_info *last = &m->last[key];

	last->sequence++;
	last->incarnation = m->incarnation[key];
	m->at_ns[key] = ela_loop_now(m->world->loop);
	ck_assert_int_eq(chord_node_put(&m->world->nodes[at], last), 0);
}

static void say_role(struct model *m, uint32_t i, uint32_t flags)
{
	struct ela_record_info *last = &m->last[i];

	last->role = m->is_core[i] ? ELA_RECORD_ROLE_CORE : ELA_RECORD_ROLE_EDGE;
	last->parent = m->is_core[i] ? 0 : m->world->nodes[m->parent[i]].id;
	last->flags = flags;
	publish(m, i, i);
}

static void cut_all(struct model *m, uint32_t i)
{
	for (uint32_t j = 0; j < m->n; j++)
		chord_world_link(m->world, i, j, false);
}

/* The links of its role, and its record, in either order. An edge has a parent, perhaps a spare, perhaps an edge. */
static void settle_in(struct model *m, uint32_t i)
{
	bool first = roll(m, 2);
	uint32_t spare, friend = roll(m, m->n);

	if (m->is_core[i]) {
		if (first)
			say_role(m, i, 0);
		for (uint32_t j = 0; j < m->n; j++)
			if (is_up(m, j) && m->is_core[j])
				chord_world_link(m->world, i, j, true);
		if (!first)
			say_role(m, i, 0);
		return;
	}
	m->parent[i] = random_core(m, i);
	spare = random_core(m, m->parent[i]);
	if (first)
		say_role(m, i, 0);
	chord_world_link_by(m->world, i, m->parent[i], roll(m, 2) ? DATAGRAM : ELA_PEER_DIRECT);
	if (spare != UINT32_MAX && roll(m, 4))
		chord_world_link_by(m->world, i, spare, roll(m, 2) ? DATAGRAM : ELA_PEER_DIRECT);
	if (is_up(m, friend) && !m->is_core[friend])
		chord_world_link_by(m->world, i, friend, roll(m, 2) ? DATAGRAM : ELA_PEER_DIRECT);
	if (!first)
		say_role(m, i, 0);
}

static void begin_life(struct model *m, uint32_t i)
{
	if (!is_up(m, i))
		chord_world_start(m->world, i);
	m->incarnation[i]++;
	m->last[i].sequence = 0;
	settle_in(m, i);
	if (m->is_core[i])
		ck_assert_int_eq(m->world->ops->join(m->world->nodes[i].self), 0);
}

/* ---- what happens ---- */

/* Edges whose parent is gone take another, perhaps their spare. */
static void find_parents(struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (is_up(m, i) && !m->is_core[i] &&
			!(is_up(m, m->parent[i]) && m->is_core[m->parent[i]] && m->world->linked[i][m->parent[i]])) {
			if (roll(m, 2))
				cut_all(m, i);
			settle_in(m, i);
		}
}

static void crash_or_return(struct model *m, uint32_t i)
{
	if (!is_up(m, i))
		begin_life(m, i);
	else if (!m->is_core[i] || n_cores(m) > 1)
		chord_world_crash(m->world, i);
}

static void leave(struct model *m, uint32_t i)
{
	if (!is_up(m, i) || (m->is_core[i] && n_cores(m) == 1))
		return;
	say_role(m, i, ELA_RECORD_LEAVE);
	ck_assert_int_eq(m->world->ops->leave(m->world->nodes[i].self), 0);
	chord_world_run(m->world, 2 * ELA_SEC);
	chord_world_crash(m->world, i);
}

static void move(struct model *m, uint32_t i)
{
	if (!is_up(m, i) || m->is_core[i])
		return;
	if (roll(m, 2))
		cut_all(m, i);
	settle_in(m, i);
}

/* The links of the other role go, those of the new one come; some stay. */
static void change_role(struct model *m, uint32_t i)
{
	if (!is_up(m, i) || (m->is_core[i] && n_cores(m) == 1))
		return;
	m->is_core[i] = !m->is_core[i];
	if (m->is_core[i] || roll(m, 2))
		cut_all(m, i);
	settle_in(m, i);
	if (m->is_core[i])
		ck_assert_int_eq(m->world->ops->join(m->world->nodes[i].self), 0);
	else
		ck_assert_int_eq(m->world->ops->leave(m->world->nodes[i].self), 0);
}

static void far_edges(struct model *m)
{
	for (uint32_t n = roll(m, 6); n; n--) {
		uint32_t k = m->n + roll(m, FAR_KEYS), at = random_core(m, UINT32_MAX);

		m->last[k].parent = m->world->nodes[roll(m, 2) ? at : roll(m, m->n)].id;
		m->last[k].flags = roll(m, 4) ? 0 : ELA_RECORD_LEAVE;
		publish(m, k, at);
	}
}

static void happen(struct model *m)
{
	uint32_t i = roll(m, m->n);

	switch (roll(m, 6)) {
	case 0:
	case 1:
		crash_or_return(m, i);
		break;
	case 2:
		leave(m, i);
		break;
	case 3:
		move(m, i);
		break;
	case 4:
		change_role(m, i);
		break;
	default:
		break;
	}
	find_parents(m);
}

static void renew(struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (is_up(m, i))
			say_role(m, i, 0);
}

/* ---- what must be ---- */

static uint32_t naive_via(const struct model *m, uint32_t key)
{
	const struct ela_record_info *last = &m->last[key];

	if (!last->sequence || last->flags & ELA_RECORD_LEAVE ||
		ela_loop_now(m->world->loop) - m->at_ns[key] >= FRESH_S * ELA_SEC)
		return 0;
	return last->role == ELA_RECORD_ROLE_CORE ? last->id : last->parent;
}

static bool is_near_edge(const struct model *m)
{
	for (uint32_t k = 0; k < m->n_keys; k++) {
		uint64_t age_ns = ela_loop_now(m->world->loop) - m->at_ns[k];

		if (m->last[k].sequence && age_ns > (FRESH_S - 2) * ELA_SEC && age_ns < (FRESH_S + 20) * ELA_SEC)
			return true;
	}
	return false;
}

static void check_records(struct model *m, uint32_t i)
{
	struct chord_node *node = &m->world->nodes[i];
	uint32_t n_told = 0;

	for (uint32_t k = 0; k < m->n_keys; k++) {
		const struct chord_told *told = g_hash_table_lookup(node->told, GUINT_TO_POINTER(m->last[k].id));
		uint8_t bytes[ELA_RECORD_MAX];
		struct ela_record_info found;
		uint32_t len = chord_node_find(node, m->last[k].id, bytes), via = naive_via(m, k);

		if (!m->last[k].sequence)
			continue;
		ck_assert_msg(len && record_read(bytes, len, &found) == 0, "node %u has nothing of key %u", i, k);
		ck_assert_msg(memcmp(&found, &m->last[k], sizeof found) == 0,
			"node %u key %u: found (%lu,%lu), wanted (%lu,%lu)", i, k, (unsigned long)found.incarnation,
			(unsigned long)found.sequence, (unsigned long)m->last[k].incarnation, (unsigned long)m->last[k].sequence);
		ck_assert_msg((told ? told->via : 0) == via, "node %u: key %u goes by %08x, wanted %08x", i, k,
			told ? told->via : 0, via);
		n_told += told != NULL;
	}
	ck_assert_uint_eq(n_told, g_hash_table_size(node->told));
}

/* An edge knows all cores, a core those that it is linked with. */
static void check_ring(struct model *m, uint32_t i)
{
	const struct chord_node *node = &m->world->nodes[i];
	uint32_t wanted = 0;

	for (uint32_t k = 0; k < m->n; k++) {
		bool found = false;

		if (!naive_via(m, k) || m->last[k].role != ELA_RECORD_ROLE_CORE ||
			(m->is_core[i] && k != i && !m->world->linked[i][k]))
			continue;
		wanted++;
		for (uint32_t r = 0; r < node->n_ring; r++)
			found |= node->ring[r] == m->last[k].id;
		ck_assert_msg(found, "node %u: core %u is not on its ring", i, k);
	}
	ck_assert_uint_eq(node->n_ring, wanted);
}

static void begin(struct model *m, uint64_t seed)
{
	struct chord_world *world;
	uint32_t cores = 2 + (uint32_t)(seed % 4);

	*m = (struct model){.n = cores + 1 + (uint32_t)(seed / 4 % 6)};
	world = m->world = chord_world_new(seed, m->n);
	m->n_keys = m->n + FAR_KEYS;
	world->loss = roll(m, 4) * 0.1;
	world->dup = roll(m, 3) * 0.1;
	world->delay_ns = (5 + roll(m, 400)) * ELA_MSEC;
	world->on_send = on_send;
	world->data = m;
	for (uint32_t k = 0; k < m->n_keys; k++) {
		struct ela_record_info *info = &m->last[k];

		chord_key(k, info->key_hash);
		info->id = k < m->n ? world->nodes[k].id : 0x80000000u | (uint32_t)chord_world_random(world) >> 2;
		info->role = ELA_RECORD_ROLE_EDGE;
	}
	for (uint32_t i = 0; i < m->n; i++) {
		m->is_core[i] = i < cores;
		begin_life(m, i);
	}
}

START_TEST(seeds)
{
	static struct model m;
	uint64_t seed = 1 + (uint64_t)_i;

	printf("seed %lu\n", (unsigned long)seed);
	n_told_by_edges = 0;
	begin(&m, seed);
	for (uint32_t step = 0; step < STEPS; step++) {
		if (step)
			happen(&m);
		renew(&m);
		far_edges(&m);
		chord_world_run(m.world, SETTLE_NS);
		while (is_near_edge(&m))
			chord_world_run(m.world, 5 * ELA_SEC);
		for (uint32_t i = 0; i < m.n; i++)
			if (is_up(&m, i)) {
				check_records(&m, i);
				check_ring(&m, i);
			}
	}
	ck_assert_uint_eq(n_told_by_edges, 0);
	chord_world_free(m.world);
}
END_TEST

int main(void)
{
	const char *seeds_text = getenv("ELA_SIM_SEEDS"), *first_text = getenv("ELA_SIM_SEED");
	int n = seeds_text ? atoi(seeds_text) : 200, first = first_text ? atoi(first_text) - 1 : 0;
	Suite *suite = suite_create("sim-leaves");
	TCase *tc = tcase_create("seeds");
	SRunner *runner;
	int failed;

	if (first_text && !seeds_text)
		n = 1;
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, seeds, first, first + n);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
