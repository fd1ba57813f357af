/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-sim-chord: rings of 2 to 8 cores with edges, under delay, loss, doubling and reordering. Step after step
 * something happens: a crash, a restart, a partition, a link cut, a leave, an edge that moves, two keys under one ID. A
 * minute later all linked cores must hold the same records and have told their cores the same ring and the same ways,
 * those of a naive model that knows who published what and who could hear of it.
 */
#include "chord-world.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 40u
#define STEPS 6u
#define SETTLE_NS (60 * ELA_SEC) /* twelve rounds of digests */
#define FRESH_S 120u

/* A record that was published, and when. */
struct known {
	struct ela_record_info info;
	uint64_t at_ns;
};

/* What a core ought to know: the newest of each key. */
struct belief {
	struct known of_key[MAX_KEYS]; /* info.id 0 = nothing */
};

/* A key of the model: core i < n, or an edge or a stranger. */
struct member {
	struct ela_record_info last; /* as it published last */
	uint64_t incarnation;
};

struct model {
	struct chord_world *world;
	uint32_t n, n_keys;
	struct member members[MAX_KEYS];
	struct belief beliefs[CHORD_WORLD_MAX];
	bool joined[CHORD_WORLD_MAX];
	uint32_t at[MAX_KEYS]; /* core where an edge publishes */
};

static uint32_t roll(struct model *m, uint32_t sides)
{
	return (uint32_t)(chord_world_random(m->world) % sides);
}

static bool is_newer(const struct ela_record_info *a, const struct ela_record_info *b)
{
	return a->incarnation != b->incarnation ? a->incarnation > b->incarnation : a->sequence > b->sequence;
}

static void believe(struct belief *belief, uint32_t key, const struct known *known)
{
	struct known *held = &belief->of_key[key];

	if (!held->info.id || is_newer(&known->info, &held->info))
		*held = *known;
}

static bool is_up(const struct model *m, uint32_t i)
{
	return m->world->nodes[i].self != NULL;
}

/* All that are linked, over others too, come to know the same. */
static void merge_beliefs(struct model *m)
{
	for (uint32_t round = 0; round < m->n; round++)
		for (uint32_t i = 0; i < m->n; i++)
			for (uint32_t j = 0; j < m->n; j++)
				for (uint32_t k = 0; k < m->n_keys && m->world->linked[i][j]; k++)
					if (m->joined[i] && m->joined[j] && m->beliefs[i].of_key[k].info.id)
						believe(&m->beliefs[j], k, &m->beliefs[i].of_key[k]);
}

static int publish(struct model *m, uint32_t key, uint32_t core)
{
	struct known known = {.at_ns = ela_loop_now(m->world->loop)};
	int err;

	m->members[key].last.sequence++;
	m->members[key].last.incarnation = m->members[key].incarnation;
	known.info = m->members[key].last;
	err = chord_node_put(&m->world->nodes[core], &known.info);
	if (!err)
		believe(&m->beliefs[core], key, &known);
	return err;
}

/* Who holds an id among what is believed; -1 = nobody. */
static int holder(const struct model *m, const struct belief *belief, uint32_t id)
{
	for (uint32_t k = 0; k < m->n_keys; k++) /* the smaller key hash holds it */
		if (belief->of_key[k].info.id == id)
			return (int)k;
	return -1;
}

static uint32_t naive_via(const struct model *m, const struct known *known)
{
	if (known->info.flags & ELA_RECORD_LEAVE || ela_loop_now(m->world->loop) - known->at_ns >= FRESH_S * ELA_SEC)
		return 0;
	return known->info.role == ELA_RECORD_ROLE_CORE ? known->info.id : known->info.parent;
}

/* An age close to the edge may be judged either way: messages take time. */
static bool is_near_edge(const struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		for (uint32_t k = 0; k < m->n_keys; k++) {
			uint64_t age_ns = ela_loop_now(m->world->loop) - m->beliefs[i].of_key[k].at_ns;

			if (age_ns > (FRESH_S - 2) * ELA_SEC && age_ns < (FRESH_S + 20) * ELA_SEC)
				return true;
		}
	return false;
}

static void check_records(struct model *m, uint32_t i)
{
	const struct belief *belief = &m->beliefs[i];
	struct chord_node *node = &m->world->nodes[i];
	uint32_t n_told = 0;

	for (uint32_t k = 0; k < m->n_keys; k++) {
		const struct known *known = &belief->of_key[k];
		const struct chord_told *told;
		struct ela_record_info found;
		uint8_t bytes[ELA_RECORD_MAX];
		uint32_t len, via;

		if (!known->info.id || holder(m, belief, known->info.id) != (int)k)
			continue;
		len = chord_node_find(node, known->info.id, bytes);
		ck_assert_msg(len && record_read(bytes, len, &found) == 0, "node %u has nothing under %08x of key %u", i,
			known->info.id, k);
		ck_assert_msg(memcmp(&found, &known->info, sizeof found) == 0,
			"node %u key %u: found (%lu,%lu), wanted (%lu,%lu)", i, k, (unsigned long)found.incarnation,
			(unsigned long)found.sequence, (unsigned long)known->info.incarnation, (unsigned long)known->info.sequence);
		via = naive_via(m, known);
		told = g_hash_table_lookup(node->told, GUINT_TO_POINTER(known->info.id));
		ck_assert_msg((told ? told->via : 0) == via, "node %u: %08x goes by %08x, wanted %08x", i, known->info.id,
			told ? told->via : 0, via);
		ck_assert(!told || told->info.sequence == known->info.sequence);
		n_told += told != NULL;
	}
	ck_assert_uint_eq(n_told, g_hash_table_size(node->told));
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void check_ring(struct model *m, uint32_t i)
{
	const struct chord_node *node = &m->world->nodes[i];
	uint32_t wanted[MAX_KEYS], n = 0;

	for (uint32_t k = 0; k < m->n_keys; k++) {
		const struct known *known = &m->beliefs[i].of_key[k];
		bool linked = false;

		for (uint32_t j = 0; j < m->n; j++)
			linked |= m->world->linked[i][j] && m->world->nodes[j].id == known->info.id;
		if (known->info.id && known->info.role == ELA_RECORD_ROLE_CORE && naive_via(m, known) &&
			holder(m, &m->beliefs[i], known->info.id) == (int)k && (known->info.id == node->id ? m->joined[i] : linked))
			wanted[n++] = known->info.id;
	}
	qsort(wanted, n, sizeof *wanted, by_value);
	ck_assert_msg(node->n_ring == n && memcmp(wanted, node->ring, n * sizeof *wanted) == 0,
		"node %u: %u cores on its ring, wanted %u", i, node->n_ring, n);
}

static void check_all(struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (is_up(m, i)) {
			check_records(m, i);
			check_ring(m, i);
		}
}

/* ---- what happens ---- */

static void enter(struct model *m, uint32_t i)
{
	m->members[i].incarnation++;
	m->members[i].last.sequence = 0;
	m->members[i].last.flags = 0;
	ck_assert_int_eq(publish(m, i, i), 0);
	ck_assert_int_eq(m->world->ops->join(m->world->nodes[i].self), 0);
	m->joined[i] = true;
}

static void link_all(struct model *m, uint32_t i)
{
	for (uint32_t j = 0; j < m->n; j++)
		chord_world_link(m->world, i, j, true);
}

static void crash_or_return(struct model *m)
{
	uint32_t i = roll(m, m->n);

	if (is_up(m, i)) {
		chord_world_crash(m->world, i);
		m->beliefs[i] = (struct belief){0};
		m->joined[i] = false;
		return;
	}
	chord_world_start(m->world, i);
	if (roll(m, 2)) { /* joins before it has links, or after */
		enter(m, i);
		link_all(m, i);
	} else {
		link_all(m, i);
		enter(m, i);
	}
}

static void partition(struct model *m)
{
	uint32_t side = roll(m, 1u << m->n);

	for (uint32_t i = 0; i < m->n; i++)
		for (uint32_t j = 0; j < i; j++)
			if ((side >> i & 1) != (side >> j & 1))
				chord_world_link(m->world, i, j, false);
}

static void leave(struct model *m)
{
	uint32_t i = roll(m, m->n);

	if (!is_up(m, i) || !m->joined[i])
		return;
	m->members[i].last.flags = ELA_RECORD_LEAVE;
	ck_assert_int_eq(publish(m, i, i), 0);
	merge_beliefs(m);
	ck_assert_int_eq(m->world->ops->leave(m->world->nodes[i].self), 0);
	chord_world_run(m->world, 2 * ELA_SEC);
	m->joined[i] = false;
	chord_world_crash(m->world, i);
	m->beliefs[i] = (struct belief){0};
}

/* An edge appears, moves to another parent, leaves or comes back. */
static void edge(struct model *m)
{
	uint32_t k = m->n + roll(m, 12), i = roll(m, m->n);
	struct member *member = &m->members[k];

	if (!is_up(m, i) || !m->joined[i])
		return;
	member->last.parent = m->world->nodes[i].id;
	member->last.flags = roll(m, 4) ? 0 : ELA_RECORD_LEAVE;
	if (roll(m, 3) == 0) {
		member->incarnation++;
		member->last.sequence = 0;
	}
	m->at[k] = i;
	(void)publish(m, k, i); /* another key may hold its id there */
}

/* A key takes another id, perhaps one that another key has. */
static void take_id(struct model *m)
{
	uint32_t k = m->n + roll(m, 12), other = m->n + roll(m, 12);

	m->members[k].last.id =
		roll(m, 2) ? m->members[other].last.id : 0x80000000u | (uint32_t)chord_world_random(m->world) >> 2;
	edge(m);
}

static void heal(struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		link_all(m, i);
}

static void happen(struct model *m)
{
	switch (roll(m, 8)) {
	case 0:
	case 1:
		crash_or_return(m);
		break;
	case 2:
		partition(m);
		break;
	case 3:
		heal(m);
		break;
	case 4:
		chord_world_link(m->world, roll(m, m->n), roll(m, m->n), roll(m, 3) == 0);
		break;
	case 5:
		leave(m);
		break;
	case 6:
		take_id(m);
		break;
	default:
		break;
	}
	for (uint32_t i = roll(m, 4); i; i--)
		edge(m);
}

/* Every living node publishes again, as they do every 40 seconds. */
static void renew(struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (is_up(m, i) && m->joined[i])
			ck_assert_int_eq(publish(m, i, i), 0);
	for (uint32_t k = m->n; k < m->n_keys; k++)
		if (m->members[k].incarnation && roll(m, 3) && is_up(m, m->at[k]) && m->joined[m->at[k]] &&
			m->beliefs[m->at[k]].of_key[k].info.id)
			(void)publish(m, k, m->at[k]); /* another key may hold its id there */
}

static void begin(struct model *m, uint64_t seed)
{
	struct chord_world *world;

	*m = (struct model){.n = 2 + (uint32_t)(seed % 7)};
	world = m->world = chord_world_new(seed, m->n);
	m->n_keys = m->n + 12;
	world->loss = roll(m, 4) * 0.1;
	world->dup = roll(m, 3) * 0.1;
	world->delay_ns = (5 + roll(m, 400)) * ELA_MSEC;
	for (uint32_t k = 0; k < m->n_keys; k++) {
		struct ela_record_info *info = &m->members[k].last;

		chord_key(k, info->key_hash);
		info->id = k < m->n ? world->nodes[k].id : 0x80000000u | (uint32_t)chord_world_random(world) >> 2;
		info->role = k < m->n ? ELA_RECORD_ROLE_CORE : ELA_RECORD_ROLE_EDGE;
	}
	for (uint32_t i = 0; i < m->n; i++) {
		enter(m, i);
		for (uint32_t j = 0; j < i; j++)
			chord_world_link(world, i, j, true);
	}
}

START_TEST(seeds)
{
	static struct model m;
	uint64_t seed = 1 + (uint64_t)_i;

	printf("seed %lu\n", (unsigned long)seed);
	begin(&m, seed);
	for (uint32_t step = 0; step < STEPS; step++) {
		if (step)
			happen(&m);
		renew(&m);
		merge_beliefs(&m);
		chord_world_run(m.world, SETTLE_NS);
		while (is_near_edge(&m))
			chord_world_run(m.world, 5 * ELA_SEC);
		check_all(&m);
	}
	chord_world_free(m.world);
}
END_TEST

/* The most that a full table is made for: 64 cores with three edges each, a tenth of the messages lost. */
START_TEST(full_table)
{
	struct chord_world *world = chord_world_new(7, 64);
	uint64_t sent = 0;

	world->loss = 0.1;
	for (uint32_t i = 0; i < world->n; i++) {
		struct ela_record_info info = {.role = ELA_RECORD_ROLE_CORE, .incarnation = 1, .sequence = 1};

		for (uint32_t k = 0; k < 4; k++) { /* itself, then its edges */
			chord_key(4 * i + k, info.key_hash);
			info.id = k ? 0x80000000u | (uint32_t)chord_world_random(world) >> 2 : world->nodes[i].id;
			ck_assert_int_eq(chord_node_put(&world->nodes[i], &info), 0);
			info.role = ELA_RECORD_ROLE_EDGE;
			info.parent = world->nodes[i].id;
		}
		ck_assert_int_eq(world->ops->join(world->nodes[i].self), 0);
		for (uint32_t j = 0; j < i; j++)
			chord_world_link(world, i, j, true);
	}
	chord_world_run(world, SETTLE_NS);
	for (uint32_t i = 0; i < world->n; i++) {
		ck_assert_uint_eq(world->nodes[i].n_ring, 64);
		ck_assert_uint_eq(g_hash_table_size(world->nodes[i].told), 256);
		ck_assert_uint_eq(chord_node_counter(&world->nodes[i], "drop-rate"), 0);
		sent -= world->nodes[i].sent;
	}
	chord_world_run(world, SETTLE_NS / 2);
	for (uint32_t i = 0; i < world->n; i++)
		sent += world->nodes[i].sent;
	printf("64 cores at rest: %lu messages in %u s\n", (unsigned long)sent, (unsigned)(SETTLE_NS / 2 / ELA_SEC));
	ck_assert_uint_le(sent, 64 * 8); /* a digest each five seconds */
	chord_world_free(world);
}
END_TEST

int main(void)
{
	const char *seeds_text = getenv("ELA_SIM_SEEDS"), *first_text = getenv("ELA_SIM_SEED");
	int n = seeds_text ? atoi(seeds_text) : 200, first = first_text ? atoi(first_text) - 1 : 0;
	Suite *suite = suite_create("sim-chord");
	TCase *tc = tcase_create("seeds");
	SRunner *runner;
	int failed;

	if (first_text && !seeds_text)
		n = 1;
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, seeds, first, first + n);
	tcase_add_test(tc, full_table);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
