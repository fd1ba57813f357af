/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-leaves: edges on the ring of route-chord: a leaf has all records as soon as it is linked, then what changes,
 * then renewals; its own goes round; it passes on nothing and is believed about nobody else; and what all that costs.
 * Nodes 0 to 2 are cores, linked with each other by datagrams; 3 to 5 are edges. One thread.
 */
#include "chord-world.h"
#include "chord.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEC ELA_SEC
#define CORES 3u
#define LEAF 3u
#define DIRECT ELA_PEER_DIRECT
#define DATAGRAM (ELA_PEER_DIRECT | ELA_PEER_DATAGRAM)
/* A parent has told its children of renewals by then. */
#define LATE_NS (CHORD_HOLD_NS + CHORD_TICK_NS + 10 * ELA_MSEC)
#define FAR 0x70000000u /* IDs of edges that are no node of this world */

static struct chord_world *world;
static uint64_t sequences[CHORD_WORLD_MAX];
static struct {
	uint32_t n[CHORD_WORLD_MAX][CHORD_WORLD_MAX][5]; /* messages from, to, of a kind */
	uint64_t bytes[CHORD_WORLD_MAX][CHORD_WORLD_MAX];
	uint32_t n_others; /* RECORDs of others that an edge sent */
} sent;

static void on_send(struct chord_world *w, uint32_t from, uint32_t to, const uint8_t *bytes, uint32_t len)
{
	struct ela_record_info info;

	sent.n[from][to][bytes[1]]++;
	sent.bytes[from][to] += len;
	if (from >= CORES && bytes[1] == CHORD_RECORD &&
		record_read(bytes + CHORD_RECORD_FRONT, len - CHORD_RECORD_FRONT, &info) == 0)
		sent.n_others += info.id != w->nodes[from].id;
}

static void make_world(uint32_t n)
{
	world = chord_world_new(3, n);
	world->delay_ns = ELA_MSEC;
	world->on_send = on_send;
	memset(&sent, 0, sizeof sent);
	memset(sequences, 0, sizeof sequences);
}

static void setup(void)
{
	make_world(6);
}

static void teardown(void)
{
	chord_world_free(world);
}

static const struct chord *chord_of(uint32_t node)
{
	return world->nodes[node].self;
}

static uint64_t counter(uint32_t node, const char *name)
{
	return chord_node_counter(&world->nodes[node], name);
}

static uint32_t id_of(uint32_t node)
{
	return world->nodes[node].id;
}

static uint32_t n_records(uint32_t node)
{
	return chord_of(node)->table.all->len;
}

static const struct chord_told *told(uint32_t node, uint32_t id)
{
	return g_hash_table_lookup(world->nodes[node].told, GUINT_TO_POINTER(id));
}

static uint64_t sequence_at(uint32_t node, uint32_t id)
{
	return told(node, id) ? told(node, id)->info.sequence : 0;
}

/* The next record of a node, put in where it is. */
static struct ela_record_info say(uint32_t i, uint32_t role, uint32_t parent, uint32_t flags)
{
	struct ela_record_info info = {
		.id = id_of(i), .role = role, .parent = parent, .flags = flags, .incarnation = 1, .sequence = ++sequences[i]};

	chord_key(i, info.key_hash);
	ck_assert_int_eq(chord_node_put(&world->nodes[i], &info), 0);
	return info;
}

static void be_edge(uint32_t i, uint32_t parent)
{
	(void)say(i, ELA_RECORD_ROLE_EDGE, id_of(parent), 0);
}

static void be_core(uint32_t i)
{
	(void)say(i, ELA_RECORD_ROLE_CORE, 0, 0);
	ck_assert_int_eq(world->ops->join(world->nodes[i].self), 0);
}

/* Number k of the edges elsewhere: its record, as it came to core `at`. */
static void put_far(uint32_t at, uint32_t k, uint32_t parent, uint64_t sequence)
{
	struct ela_record_info info = {
		.id = FAR + k * 4000037u, .role = ELA_RECORD_ROLE_EDGE, .parent = id_of(parent), .sequence = sequence};

	chord_key(100 + k, info.key_hash);
	ck_assert_int_eq(chord_node_put(&world->nodes[at], &info), 0);
}

static void make_cores(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		be_core(i);
		for (uint32_t j = 0; j < i; j++)
			chord_world_link(world, i, j, true);
	}
	chord_world_run(world, 2 * SEC);
}

static void renew_cores(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (world->nodes[i].self)
			(void)say(i, ELA_RECORD_ROLE_CORE, 0, 0);
}

/* Both hold the same records and have told the same of them. */
static void check_same(uint32_t a, uint32_t b)
{
	uint64_t of_a[CHORD_BUCKETS], of_b[CHORD_BUCKETS];
	uint8_t salt[CHORD_SALT_LEN] = "any";
	GHashTableIter iter;
	gpointer id, value;

	chord_table_digest(chord_of(a), salt, false, of_a);
	chord_table_digest(chord_of(b), salt, false, of_b);
	ck_assert_uint_eq(n_records(a), n_records(b));
	ck_assert_mem_eq(of_a, of_b, sizeof of_a);
	ck_assert_uint_eq(g_hash_table_size(world->nodes[a].told), g_hash_table_size(world->nodes[b].told));
	g_hash_table_iter_init(&iter, world->nodes[a].told);
	while (g_hash_table_iter_next(&iter, &id, &value))
		ck_assert(
			told(b, GPOINTER_TO_UINT(id)) && told(b, GPOINTER_TO_UINT(id))->via == ((struct chord_told *)value)->via);
}

static void check_ring(uint32_t at, uint32_t n)
{
	ck_assert_uint_eq(world->nodes[at].n_ring, n);
	for (uint32_t i = 0; i < n; i++) {
		bool found = false;

		for (uint32_t k = 0; k < n; k++)
			found |= world->nodes[at].ring[k] == id_of(i);
		ck_assert(found);
	}
}

/* ---- what a leaf is told ---- */

/* By a connection, and by datagrams of which a tenth is lost; linked before its own record, or after. */
START_TEST(full_table)
{
	make_cores(CORES);
	for (uint32_t k = 0; k < 500; k++)
		put_far(k % CORES, k, k % 2, 1);
	chord_world_run(world, 20 * SEC);
	if (_i & 1)
		be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, _i & 2 ? DATAGRAM : DIRECT);
	if (!(_i & 1))
		be_edge(LEAF, 0);
	world->loss = 0.1;
	chord_world_run(world, _i & 2 ? 40 * SEC : 4 * SEC);
	ck_assert_uint_eq(n_records(LEAF), CORES + 500 + 1);
	check_same(LEAF, 0);
	check_ring(LEAF, CORES);
	check_ring(0, CORES);
	ck_assert_uint_eq(counter(0, "drop-rate") + counter(LEAF, "drop-rate") + counter(LEAF, "drop-other"), 0);
}
END_TEST

/* News comes at once, renewals from the parent alone; and they keep the table fresh. */
START_TEST(changes_then_renewals)
{
	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_link_by(world, LEAF, 1, DIRECT);
	chord_world_run(world, 10 * SEC);
	for (uint64_t s = 1; s < 30; s++) {
		uint32_t of_spare = sent.n[1][LEAF][CHORD_RECORD], core = (uint32_t)(s % CORES);
		bool is_news = s % 5 == 1;

		put_far(core, 7, (uint32_t)(s - 1) / 5 % 2, s);
		chord_world_run(world, is_news ? 10 * ELA_MSEC : LATE_NS);
		ck_assert_uint_eq(sequence_at(LEAF, FAR + 7 * 4000037u), s);
		ck_assert_uint_eq(sent.n[1][LEAF][CHORD_RECORD], of_spare + is_news);
		renew_cores(s % 5 ? 0 : CORES);
	}
	for (uint32_t i = 0; i < 20; i++) {
		renew_cores(CORES);
		be_edge(LEAF, 0);
		put_far(2, 7, 1, 30 + i);
		chord_world_run(world, 40 * SEC);
		check_ring(LEAF, CORES);
		ck_assert_uint_eq(sequence_at(LEAF, FAR + 7 * 4000037u), 30 + i);
	}
	chord_world_run(world, 81 * SEC);
	ck_assert_uint_eq(g_hash_table_size(world->nodes[LEAF].told), 0);
	ck_assert_uint_eq(world->nodes[LEAF].n_ring, 0);
}
END_TEST

/*
 * Renewals go to children only, several at once and some seconds later, a child's own excepted; what is news goes at
 * once, after what it may be made of. Who compares meanwhile is told that he lacks nothing.
 */
START_TEST(held_for_children)
{
	uint32_t records, wants, renewals, dropped, n_told = 0;

	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_link_by(world, LEAF, 1, DIRECT);
	for (uint32_t k = 0; k < 100; k++)
		put_far(2, k, 2, 1);
	chord_world_run(world, 40 * SEC);
	records = sent.n[0][LEAF][CHORD_RECORD] + sent.n[1][LEAF][CHORD_RECORD];
	renewals = sent.n[0][LEAF][CHORD_RENEWAL];
	dropped = (uint32_t)(counter(LEAF, "drop-known") + counter(LEAF, "drop-base"));
	wants = sent.n[0][LEAF][CHORD_WANT] + sent.n[1][LEAF][CHORD_WANT];
	be_edge(LEAF, 0);
	for (uint32_t k = 0; k < 3; k++) {
		put_far(2, k, 2, 2);
		chord_world_run(world, SEC);
	}
	ck_assert_uint_eq(sent.n[0][LEAF][CHORD_RENEWAL], renewals);
	((struct chord *)world->nodes[LEAF].self)->digest_at_ns = 0; /* it compares with one, then with the other */
	chord_world_run(world, CHORD_TICK_NS);
	((struct chord *)world->nodes[LEAF].self)->digest_at_ns = 0;
	chord_world_run(world, LATE_NS - 4 * SEC + CHORD_TICK_NS);
	ck_assert(sent.n[0][LEAF][CHORD_RENEWAL] == renewals + 1 && sent.n[1][LEAF][CHORD_RENEWAL] == 0);
	ck_assert(sequence_at(LEAF, FAR) == 2 && sequence_at(LEAF, FAR + 2 * 4000037u) == 2);
	ck_assert_uint_ge(sent.n[2][0][CHORD_RENEWAL], 3); /* cores hear of each at once */
	ck_assert_uint_ge(sent.n[0][LEAF][CHORD_WANT] + sent.n[1][LEAF][CHORD_WANT], wants + 2);
	ck_assert_uint_eq(sent.n[0][LEAF][CHORD_RECORD] + sent.n[1][LEAF][CHORD_RECORD], records);
	ck_assert_uint_eq(counter(LEAF, "drop-known") + counter(LEAF, "drop-base"), dropped);
	put_far(2, 0, 2, 3);
	chord_world_run(world, 10 * ELA_MSEC);
	put_far(2, 0, 1, 4); /* news */
	chord_world_run(world, 10 * ELA_MSEC);
	ck_assert_uint_eq(sequence_at(LEAF, FAR), 4);
	ck_assert_uint_eq(sent.n[0][LEAF][CHORD_RENEWAL], renewals + 2);
	for (uint32_t k = 1; k < 100; k++) /* as many as are held: the rest when its time comes */
		put_far(2, k, 2, 3);
	chord_world_run(world, 10 * ELA_MSEC);
	for (uint32_t k = 1; k < 100; k++)
		n_told += sequence_at(LEAF, FAR + k * 4000037u) == 3;
	ck_assert_uint_eq(n_told, CHORD_HELD_MAX);
	chord_world_run(world, LATE_NS);
	check_same(LEAF, 0);
}
END_TEST

/* A renewal tells what differs; who missed one asks for the record when the next one comes, or compares before. */
START_TEST(renewals_lost)
{
	uint32_t digests;

	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DATAGRAM);
	put_far(2, 4, 2, 4);
	chord_world_run(world, 10 * SEC);
	put_far(2, 4, 2, 5);
	chord_world_run(world, LATE_NS);
	ck_assert_uint_eq(sent.n[0][LEAF][CHORD_RENEWAL], 1);
	ck_assert_uint_eq(sequence_at(LEAF, FAR + 4 * 4000037u), 5);
	while (chord_of(LEAF)->digest_at_ns - ela_loop_now(world->loop) > 24 * SEC ||
		   chord_of(LEAF)->digest_at_ns - ela_loop_now(world->loop) < 18 * SEC)
		chord_world_run(world, SEC);
	chord_world_run(world, 3 * SEC);
	digests = sent.n[LEAF][0][CHORD_DIGEST];
	world->loss = 1;
	put_far(0, 4, 2, 6);
	chord_world_run(world, LATE_NS);
	world->loss = 0;
	put_far(0, 4, 2, 7);
	chord_world_run(world, LATE_NS);
	ck_assert_uint_eq(counter(LEAF, "drop-base"), 1);
	ck_assert_uint_eq(sequence_at(LEAF, FAR + 4 * 4000037u), 5);
	chord_world_run(world, 4100 * ELA_MSEC); /* what is recent may be missing: it compares twice */
	ck_assert_uint_eq(sequence_at(LEAF, FAR + 4 * 4000037u), 7);
	ck_assert(sent.n[LEAF][0][CHORD_DIGEST] - digests >= 1 && sent.n[LEAF][0][CHORD_DIGEST] - digests <= 2);
}
END_TEST

static void inject_renewal(const struct chord_renewal *renewal)
{
	uint8_t bytes[CHORD_MESSAGE_MAX] = {CHORD_VERSION, CHORD_RENEWAL};
	uint32_t len = CHORD_HEADER_LEN + chord_renewal_write(renewal, bytes + CHORD_HEADER_LEN);

	chord_world_inject(world, 0, LEAF, bytes, len);
}

/* What a parent makes up of a record that its leaf has is no record. */
START_TEST(made_up)
{
	uint8_t pieces[] = {0, 33, 0, 1, 77, 0, 66, 0, 1, 5};
	const struct chord_entry *base;
	struct chord_renewal renewal = {.pieces = pieces, .pieces_len = sizeof pieces};

	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	put_far(2, 4, 2, 1);
	chord_world_run(world, SEC);
	base = chord_table_find(&chord_of(LEAF)->table, FAR + 4 * 4000037u);
	ck_assert_ptr_nonnull(base);
	renewal.base = base->content;
	inject_renewal(&renewal);
	ck_assert_uint_eq(counter(LEAF, "drop-forged"), 1);
	renewal.pieces_len = 9; /* the last piece has no byte */
	inject_renewal(&renewal);
	ck_assert_uint_eq(counter(LEAF, "drop-malformed"), 1);
	renewal.base++;
	inject_renewal(&renewal);
	ck_assert_uint_eq(counter(LEAF, "drop-base"), 1);
	chord_world_run(world, 117 * SEC);
	ck_assert_ptr_nonnull(told(LEAF, FAR + 4 * 4000037u));
	chord_world_run(world, 3 * SEC);
	ck_assert_ptr_null(told(LEAF, FAR + 4 * 4000037u)); /* as old as ever */
}
END_TEST

/* Two rings meet: more than goes out at once comes a little later, and nothing is missing. */
START_TEST(many_at_once)
{
	make_cores(2);
	for (uint32_t i = 0; i < 2; i++) {
		be_edge(LEAF + i, i);
		chord_world_link_by(world, LEAF + i, i, DIRECT);
	}
	chord_world_link(world, 0, 1, false);
	for (uint32_t k = 0; k < 600; k++)
		put_far(0, k, 0, 1);
	chord_world_run(world, 10 * SEC);
	ck_assert_uint_eq(n_records(LEAF), n_records(LEAF + 1) + 600);
	chord_world_link(world, 0, 1, true);
	chord_world_run(world, 8 * SEC);
	check_same(LEAF + 1, 0);
	check_same(LEAF, 1);
	for (uint32_t k = 600; k < 1200; k++)
		put_far(1, k, 0, 1);
	chord_world_run(world, 7 * SEC);
	check_same(LEAF + 1, 1);
}
END_TEST

/* What the parent does not tell, though it is there, the spare does: nobody who lives gets old. */
static int parent_withholds(struct chord_world *w, const struct chord_node *at, const struct ela_record_info *info)
{
	(void)w;
	return at->number == 0 && info->id == FAR + 7 * 4000037u ? -EACCES : 0;
}

START_TEST(withheld)
{
	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_link_by(world, LEAF, 1, DIRECT);
	world->verdict = parent_withholds;
	for (uint64_t s = 1; s < 40; s++) {
		renew_cores(CORES);
		be_edge(LEAF, 0);
		put_far(2, 7, 2, s);
		for (uint32_t k = 0; k < 40; k++) {
			chord_world_run(world, SEC);
			ck_assert_ptr_nonnull(told(LEAF, FAR + 7 * 4000037u));
			check_ring(LEAF, CORES);
		}
	}
	ck_assert_ptr_null(told(0, FAR + 7 * 4000037u));

	ck_assert_uint_gt(sent.n[LEAF][1][CHORD_DIGEST], 20);
}
END_TEST

/* ---- what a leaf tells ---- */

START_TEST(own_record_goes_round)
{
	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_link_by(world, LEAF, 1, DATAGRAM);
	chord_world_run(world, SEC);
	for (uint32_t n = 0; n < 5; n++) {
		uint32_t of_spare = sent.n[1][2][CHORD_RECORD];

		for (uint32_t i = 0; i < CORES; i++) {
			ck_assert_uint_eq(sequence_at(i, id_of(LEAF)), sequences[LEAF]);
			ck_assert_uint_eq(told(i, id_of(LEAF))->via, id_of(0));
		}
		be_edge(LEAF, 0);
		chord_world_run(world, 10 * ELA_MSEC);
		ck_assert_uint_eq(sent.n[1][2][CHORD_RECORD], of_spare); /* the parent's to spread */
	}
	chord_world_link(world, LEAF, 0, false); /* whom the parent does not hear, the spare speaks for */
	chord_world_link(world, 0, 1, false);
	chord_world_run(world, 10 * ELA_MSEC);
	be_edge(LEAF, 0);
	chord_world_run(world, 10 * ELA_MSEC);
	ck_assert_uint_eq(sequence_at(2, id_of(LEAF)), sequences[LEAF]);
}
END_TEST

/* Its leave is said again, as a core's; then it is silent. */
START_TEST(leaves_the_ring)
{
	make_cores(CORES);
	be_edge(LEAF, 0);
	be_edge(LEAF + 1, 1);
	chord_world_link_by(world, LEAF, 0, DATAGRAM);
	chord_world_link_by(world, LEAF + 1, 1, DIRECT);
	chord_world_run(world, SEC);
	ck_assert_ptr_nonnull(told(LEAF + 1, id_of(LEAF)));
	world->deaf = true; /* the first two are lost */
	(void)say(LEAF, ELA_RECORD_ROLE_EDGE, id_of(0), ELA_RECORD_LEAVE);
	ck_assert_int_eq(world->ops->leave(world->nodes[LEAF].self), 0);
	chord_world_run(world, 100 * ELA_MSEC);
	world->deaf = false;
	ck_assert_ptr_nonnull(told(0, id_of(LEAF)));
	chord_world_run(world, SEC);
	for (uint32_t i = 0; i < CORES; i++)
		ck_assert_ptr_null(told(i, id_of(LEAF)));
	ck_assert_ptr_null(told(LEAF + 1, id_of(LEAF)));
	world->nodes[LEAF].sent = 0;
	chord_world_run(world, 60 * SEC);
	ck_assert_uint_eq(world->nodes[LEAF].sent, 0);
	/* a core's leave reaches its leaves, lost twice as well */
	chord_world_link(world, LEAF + 1, 1, false);
	chord_world_link_by(world, LEAF + 1, 1, DATAGRAM);
	renew_cores(CORES);
	be_edge(LEAF + 1, 1);
	chord_world_run(world, 30 * SEC);
	check_ring(LEAF + 1, CORES);
	world->deaf = true;
	(void)say(1, ELA_RECORD_ROLE_CORE, 0, ELA_RECORD_LEAVE);
	ck_assert_int_eq(world->ops->leave(world->nodes[1].self), 0);
	chord_world_run(world, 100 * ELA_MSEC);
	world->deaf = false;
	chord_world_run(world, SEC);
	ck_assert_ptr_null(told(LEAF + 1, id_of(1)));
	ck_assert_uint_eq(world->nodes[LEAF + 1].n_ring, CORES - 1);
}
END_TEST

/* Two edges with a session of their own tell each other nothing, and a leaf answers nobody. */
START_TEST(passes_on_nothing)
{
	static const uint8_t want[CHORD_WANT_LEN] = {1, 3, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255};

	make_cores(CORES);
	for (uint32_t i = LEAF; i < 6; i++) {
		be_edge(i, i % CORES);
		chord_world_link_by(world, i, i % CORES, DIRECT);
	}
	chord_world_run(world, 5 * SEC);
	chord_world_link(world, LEAF, LEAF + 1, true);
	chord_world_link_by(world, LEAF, LEAF + 2, DIRECT);
	for (uint32_t k = 0; k < 300; k++) {
		put_far(k % CORES, k % 50, k % CORES, k);
		if (k % 40 == 0)
			for (uint32_t i = LEAF; i < 6; i++)
				be_edge(i, i % CORES);
		chord_world_inject(world, LEAF + 1, LEAF, want, sizeof want);
		chord_world_inject(world, 0, LEAF, want, sizeof want);
		chord_world_run(world, SEC);
	}
	ck_assert_uint_eq(sent.n_others, 0);
	for (uint32_t i = 1; i < 5; i++)
		ck_assert_uint_eq(sent.n[LEAF][LEAF + 1][i] + sent.n[LEAF + 1][LEAF][i] + sent.n[LEAF][LEAF + 2][i], 0);
	ck_assert_uint_gt(sent.n[LEAF][0][CHORD_RECORD], 7);
	ck_assert_uint_gt(counter(LEAF, "drop-idle"), 200);
	check_same(LEAF, 0);
}
END_TEST

/* ---- hostile ones ---- */

static void inject(uint32_t from, uint32_t to, const struct ela_record_info *info, uint32_t age_ms)
{
	uint8_t record[RECORD_MIN], bytes[CHORD_MESSAGE_MAX];
	struct chord_message message = {
		.kind = CHORD_RECORD, .age_ms = age_ms, .record = record, .record_len = sizeof record};

	record_make(info, sizeof record, record);
	chord_world_inject(world, from, to, bytes, chord_wire_write(&message, bytes));
}

static struct ela_record_info far_record(uint32_t k, uint32_t role, uint32_t parent)
{
	struct ela_record_info info = {.id = FAR + k * 4000037u, .role = role, .parent = parent, .sequence = 1};

	chord_key(100 + k, info.key_hash);
	return info;
}

/* An edge, one over a connection who says nothing of himself, and one that a neighbour relays: each about others. */
START_TEST(believed_about_itself)
{
	static const uint32_t flags[] = {DATAGRAM, DIRECT, 0};
	struct ela_record_info info;

	make_cores(CORES);
	for (uint32_t i = 0; i < 3; i++)
		chord_world_link_by(world, LEAF + i, 0, flags[i]);
	be_edge(LEAF, 0);
	chord_world_run(world, SEC);
	ck_assert_uint_eq(n_records(0), CORES + 1);
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < 10; k++) {
			info = far_record(10 * i + k, k % 2 ? ELA_RECORD_ROLE_EDGE : ELA_RECORD_ROLE_CORE, id_of(LEAF + i));
			inject(LEAF + i, 0, &info, 0);
		}
	ck_assert_uint_eq(n_records(0), CORES + 1);
	ck_assert_uint_eq(counter(0, "drop-other"), 30);
	/* nor can who is named as parent keep one on the air, neither core nor edge */
	info = far_record(51, ELA_RECORD_ROLE_EDGE, id_of(1));
	inject(2, 0, &info, 115000);
	inject(1, 0, &info, 0);
	ck_assert_uint_eq(chord_age_ms(chord_of(0), chord_table_find(&chord_of(0)->table, info.id)), 115000);
	info = far_record(50, ELA_RECORD_ROLE_EDGE, id_of(LEAF));
	inject(1, 0, &info, 115000);
	ck_assert_ptr_nonnull(told(0, info.id));
	inject(LEAF, 0, &info, 0);
	ck_assert_uint_eq(counter(0, "drop-other"), 31);
	chord_world_run(world, 7 * SEC);
	ck_assert_ptr_null(told(0, info.id));
	/* a core's word counts, also at a leaf */
	info = far_record(60, ELA_RECORD_ROLE_CORE, 0);
	inject(0, LEAF, &info, 0);
	ck_assert_ptr_nonnull(told(LEAF, info.id));
	/* its own records are limited, its questions as a core's */
	for (uint32_t k = 0; k < 100; k++) {
		info = (struct ela_record_info){
			.id = id_of(LEAF), .role = ELA_RECORD_ROLE_EDGE, .parent = id_of(0), .incarnation = 2, .sequence = k};
		chord_key(LEAF, info.key_hash);
		inject(LEAF, 0, &info, 0);
	}
	ck_assert_uint_ge(counter(0, "drop-rate"), 100 - 16);
	ck_assert_uint_lt(sequence_at(0, id_of(LEAF)), 16);
}
END_TEST

/* However often it asks, what it gets is paced; one that is not linked gets nothing. */
START_TEST(greedy)
{
	static const uint8_t want[CHORD_WANT_LEN] = {1, 3, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255};

	make_cores(1);
	for (uint32_t k = 0; k < 1000; k++)
		put_far(0, k, 0, 1);
	be_edge(LEAF, 0);
	be_edge(LEAF + 1, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_link_by(world, LEAF + 1, 0, 0); /* relayed */
	chord_world_run(world, 10 * SEC);
	ck_assert_uint_eq(n_records(LEAF), 1002);
	memset(&sent, 0, sizeof sent);
	for (uint32_t i = 0; i < 10000; i++) {
		chord_world_inject(world, LEAF, 0, want, sizeof want);
		chord_world_inject(world, LEAF + 1, 0, want, sizeof want);
		chord_world_run(world, ELA_MSEC);
	}
	ck_assert_uint_le(sent.n[0][LEAF][CHORD_RECORD], 128 + 200 * 10 + 20);
	ck_assert_uint_ge(sent.n[0][LEAF][CHORD_RECORD], 1000);
	ck_assert_uint_eq(sent.bytes[0][LEAF + 1], 0);
}
END_TEST

/* A table that stays another - one of them does not accept what the other holds - is not sent again and again. */
static int leaf_refuses(struct chord_world *w, const struct chord_node *at, const struct ela_record_info *info)
{
	(void)w;
	return at->number == LEAF && info->id >= FAR ? -EACCES : 0;
}

START_TEST(differs_for_long)
{
	make_cores(1);
	world->verdict = leaf_refuses;
	for (uint32_t k = 0; k < 10; k++)
		put_far(0, k, 0, 1);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_run(world, 60 * SEC);
	memset(&sent, 0, sizeof sent);
	chord_world_run(world, 320 * SEC);
	ck_assert_uint_le(sent.n[LEAF][0][CHORD_DIGEST], 2 * 320 / 16 + 2);
	ck_assert_uint_ge(sent.n[LEAF][0][CHORD_DIGEST], 320 / 24);
}
END_TEST

/* ---- parents and roles ---- */

/* The parent falls silent, things change meanwhile, the spare becomes parent: nothing is missing within one compare. */
START_TEST(parent_changes)
{
	struct chord *leaf = world->nodes[LEAF].self;

	make_cores(CORES);
	be_edge(LEAF, 0);
	chord_world_link_by(world, LEAF, 0, DIRECT);
	chord_world_link_by(world, LEAF, 1, DIRECT);
	chord_world_run(world, 10 * SEC);
	for (uint64_t s = 1; s < 20; s++) {
		uint32_t parent = (uint32_t)(s % 2);

		chord_world_link(world, LEAF, 1 - parent, false);
		for (uint32_t k = 0; k < 30; k++)
			put_far(2, k, 2, s); /* renewals: the spare does not tell of them */
		renew_cores(CORES);
		leaf->digest_at_ns = ela_loop_now(world->loop) + 20 * SEC; /* it does not happen to compare */
		chord_world_run(world, CHORD_RECENT_MS * ELA_MSEC + SEC);
		ck_assert_uint_eq(sequence_at(LEAF, FAR), s == 1 ? 1 : s - 1);
		be_edge(LEAF, parent);
		chord_world_run(world, 20 * ELA_MSEC);
		check_same(LEAF, parent);
		ck_assert_uint_eq(told(2, id_of(LEAF))->via, id_of(parent));
		chord_world_link_by(world, LEAF, 1 - parent, DIRECT); /* as spare */
		chord_world_run(world, 5 * SEC);
		check_same(LEAF, parent);
	}
}
END_TEST

/* A core becomes an edge and a core again; the links that it has are those of its role. */
START_TEST(role_changes)
{
	make_cores(CORES);
	chord_world_link_by(world, LEAF, 0, DATAGRAM);
	chord_world_link_by(world, LEAF, 1, DIRECT);
	be_core(LEAF);
	chord_world_run(world, 10 * SEC);
	for (uint32_t round = 0; round < 3; round++) {
		const struct chord *c = chord_of(LEAF);
		uint32_t digests;

		ck_assert_uint_eq(world->nodes[0].n_ring, CORES + 1);
		ck_assert_uint_eq(world->nodes[LEAF].n_ring, 2); /* itself and node 0 */
		ck_assert_uint_eq(g_hash_table_size(c->linked), 1);
		ck_assert_uint_eq(g_hash_table_size(chord_of(1)->linked), 2);
		be_edge(LEAF, 1);
		ck_assert_int_eq(world->ops->leave(world->nodes[LEAF].self), 0);
		ck_assert_uint_eq(g_hash_table_size(c->linked), 2);
		chord_world_run(world, SEC);
		ck_assert_uint_eq(g_hash_table_size(chord_of(1)->linked), 3);
		check_ring(LEAF, CORES);
		check_ring(0, CORES);
		put_far(2, round, 2, 1);
		chord_world_run(world, 10 * ELA_MSEC);
		put_far(2, round, 2, 2);
		chord_world_run(world, LATE_NS);
		check_same(LEAF, 1);
		digests = sent.n[0][LEAF][CHORD_DIGEST] + sent.n[1][LEAF][CHORD_DIGEST];
		for (uint32_t i = 0; i < 3; i++) {
			renew_cores(CORES);
			be_edge(LEAF, 1);
			chord_world_run(world, 40 * SEC);
		}
		ck_assert_uint_eq(sent.n[0][LEAF][CHORD_DIGEST] + sent.n[1][LEAF][CHORD_DIGEST], digests); /* a leaf compares */
		renew_cores(CORES);
		be_core(LEAF);
		chord_world_run(world, 15 * SEC);
	}
}
END_TEST

/* ---- what it costs ---- */

/* Of a record with two places and its countersignature: tests/unit/test-directory-chord.c. */
#define RECORD_BYTES 340u
#define FRAME_BYTES 70u  /* around a message: control head 6, frame 36, UDP and IPv4 28 */
#define BOUND_PER_S 300u /* a leaf's, both directions, among 30 nodes */

static void renew_long(uint32_t i, uint32_t parent)
{
	struct ela_record_info info = {.id = id_of(i), .incarnation = 1, .sequence = ++sequences[i]};
	uint8_t record[RECORD_BYTES];
	int err;

	info.role = i < 5 ? ELA_RECORD_ROLE_CORE : ELA_RECORD_ROLE_EDGE;
	info.parent = i < 5 ? 0 : id_of(parent);
	chord_key(i, info.key_hash);
	record_make(&info, sizeof record, record);
	err = world->ops->update(world->nodes[i].self, info.id, record, sizeof record);
	if (err == -ENOENT)
		err = world->ops->insert(world->nodes[i].self, info.id, record, sizeof record);
	ck_assert_int_eq(err, 0);
}

/* 5 cores and 25 edges with a parent and a spare each, all renewing every 40 s, a part of the datagrams lost. */
START_TEST(traffic)
{
	uint64_t worst = 0, core = 0;

	teardown();
	make_world(30);
	world->loss = 0.02;
	for (uint32_t i = 0; i < 30; i++) {
		for (uint32_t j = 0; j < i && i < 5; j++)
			chord_world_link(world, i, j, true);
		if (i >= 5)
			chord_world_link_by(world, i, i % 5, i % 2 ? DIRECT : DATAGRAM);
		if (i >= 5)
			chord_world_link_by(world, i, (i + 1) % 5, i % 3 ? DIRECT : DATAGRAM);
		renew_long(i, i % 5);
		if (i < 5)
			ck_assert_int_eq(world->ops->join(world->nodes[i].self), 0);
	}
	chord_world_run(world, 40 * SEC);
	memset(&sent, 0, sizeof sent);
	for (uint32_t s = 0; s < 400; s++) {
		for (uint32_t i = 0; i < 30; i++)
			if (s % 40 == i)
				renew_long(i, i % 5);
		chord_world_run(world, SEC);
		for (uint32_t i = 0; i < 30; i++)
			ck_assert_uint_eq(g_hash_table_size(world->nodes[i].told), 30);
	}
	for (uint32_t i = 0; i < 30; i++) {
		uint64_t bytes = 0;

		for (uint32_t j = 0; j < 30; j++) {
			bytes += sent.bytes[i][j] + sent.bytes[j][i];
			for (uint32_t k = 1; k < 5; k++)
				bytes += (uint64_t)FRAME_BYTES * (sent.n[i][j][k] + sent.n[j][i][k]);
		}
		if (i < 5)
			core = MAX(core, bytes / 400);
		else
			worst = MAX(worst, bytes / 400);
	}
	printf("30 nodes: a leaf %lu bytes a second, a core %lu\n", (unsigned long)worst, (unsigned long)core);
	ck_assert_uint_le(worst, BOUND_PER_S);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("leaves");
	TCase *tc = tcase_create("leaves");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, full_table, 0, 4);
	tcase_add_test(tc, changes_then_renewals);
	tcase_add_test(tc, held_for_children);
	tcase_add_test(tc, renewals_lost);
	tcase_add_test(tc, made_up);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, withheld);
	tcase_add_test(tc, own_record_goes_round);
	tcase_add_test(tc, leaves_the_ring);
	tcase_add_test(tc, passes_on_nothing);
	tcase_add_test(tc, believed_about_itself);
	tcase_add_test(tc, greedy);
	tcase_add_test(tc, differs_for_long);
	tcase_add_test(tc, parent_changes);
	tcase_add_test(tc, role_changes);
	tcase_add_test(tc, traffic);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
