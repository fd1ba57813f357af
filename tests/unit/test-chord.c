/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-chord: route-chord from near: its messages against docs/protocol.md, published answers of its hash, whose word
 * counts about an age, records that core cannot check yet or no more, and that nothing a member sends makes it grow.
 */
#include "chord-world.h"
#include "chord.h"
#include "hex.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEC ELA_SEC

static struct chord_world *world;
static int verdict_of_odd; /* of records whose sequence is odd */

static void setup(void)
{
	world = chord_world_new(1, 4);
	world->delay_ns = ELA_MSEC;
	verdict_of_odd = 0;
}

static void teardown(void)
{
	chord_world_free(world);
}

static struct ela_record_info info_of(uint32_t key, uint32_t id, uint32_t role, uint64_t sequence)
{
	struct ela_record_info info = {.id = id, .role = role, .incarnation = 1, .sequence = sequence};

	chord_key(key, info.key_hash);
	return info;
}

static uint32_t record_message(const struct ela_record_info *info, uint32_t age_ms, uint8_t ret[CHORD_MESSAGE_MAX])
{
	uint8_t record[RECORD_MIN];
	struct chord_message message = {
		.kind = CHORD_RECORD, .age_ms = age_ms, .record = record, .record_len = sizeof record};

	record_make(info, sizeof record, record);
	return chord_wire_write(&message, ret);
}

/* Who has no record yet is believed over datagrams alone, so they are linked by these. */
static void say(uint32_t from, uint32_t to, const struct ela_record_info *info, uint32_t age_ms)
{
	uint8_t bytes[CHORD_MESSAGE_MAX];
	uint32_t len = record_message(info, age_ms, bytes);

	chord_world_link(world, from, to, true);
	chord_world_inject(world, from, to, bytes, len);
}

static bool is_told(uint32_t node, uint32_t id)
{
	return g_hash_table_contains(world->nodes[node].told, GUINT_TO_POINTER(id));
}

static uint64_t counter(uint32_t node, const char *name)
{
	return chord_node_counter(&world->nodes[node], name);
}

static const struct chord *chord_of(uint32_t node)
{
	return world->nodes[node].self;
}

static void enter(uint32_t i)
{
	struct ela_record_info own = info_of(i, world->nodes[i].id, ELA_RECORD_ROLE_CORE, 1);

	ck_assert_int_eq(chord_node_put(&world->nodes[i], &own), 0);
	ck_assert_int_eq(world->ops->join(world->nodes[i].self), 0);
}

/* ---- messages ---- */

static uint32_t example(const char *name, uint8_t ret[CHORD_MESSAGE_MAX])
{
	g_autofree char *fence = g_strconcat("```hex ring=", name, NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	size_t len = 0;
	char **line;

	ck_assert(g_file_get_contents(DOCUMENT, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (line = lines; *line && strcmp(*line, fence) != 0; line++)
		continue;
	ck_assert_msg(*line, "the document has no %s", fence);
	for (line++; *line && strcmp(*line, "```") != 0; line++) {
		g_autofree char *code = g_strndup(*line, strcspn(*line, "#"));

		len += hex(code, ret + len, CHORD_MESSAGE_MAX - len);
	}
	return (uint32_t)len;
}

static void check_example(const char *name, const struct chord_message *message)
{
	uint8_t wanted[CHORD_MESSAGE_MAX], found[CHORD_MESSAGE_MAX];
	uint32_t len = example(name, wanted);
	struct chord_message read;

	ck_assert_uint_eq(chord_wire_write(message, found), len);
	ck_assert_msg(memcmp(wanted, found, len) == 0, "%s is not as in the document", name);
	ck_assert_int_eq(chord_wire_read(wanted, len, &read), 0);
	ck_assert_int_eq(read.kind, message->kind);
}

START_TEST(document)
{
	static const uint8_t salt[] = {
		0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef};
	struct ela_record_info info = {
		.id = 0xb49bdad9, .role = ELA_RECORD_ROLE_EDGE, .parent = 0xd305da42, .incarnation = 3, .sequence = 7};
	struct chord_message message = {.kind = CHORD_RECORD, .age_ms = 1234, .record_len = RECORD_MIN, .salt = salt};
	uint8_t record[RECORD_MIN], next[RECORD_MIN], pieces[CHORD_PIECES_MAX];
	struct chord_renewal renewal = {.age_ms = 1234, .pieces = pieces};
	uint8_t renewals[2 * (CHORD_RENEWAL_HEAD + CHORD_PIECES_MAX)];

	for (uint32_t i = 0; i < 32; i++)
		info.key_hash[i] = (uint8_t)(0x20 + i);
	record_make(&info, sizeof record, record);
	message.record = record;
	check_example("record", &message);
	message.kind = CHORD_DIGEST;
	ck_assert_int_eq(world->ops->insert(world->nodes[0].self, info.id, record, sizeof record), 0);
	chord_table_digest(chord_of(0), salt, false, message.hashes);
	check_example("digest", &message);
	message.kind = CHORD_WANT;
	message.buckets = UINT64_C(1) << chord_bucket(info.id);
	check_example("want", &message);
	message.kind = CHORD_RENEWAL;
	renewal.base = chord_content(record, sizeof record);
	info.sequence++;
	record_make(&info, sizeof next, next);
	renewal.pieces_len = chord_pieces_make(record, next, sizeof record, pieces);
	message.renewals = renewals;
	message.renewals_len = chord_renewal_write(&renewal, renewals);
	renewal.age_ms += 1000;
	renewal.base++;
	message.renewals_len += chord_renewal_write(&renewal, renewals + message.renewals_len);
	check_example("renewal", &message);
}
END_TEST

/* From the reference implementation's table. */
START_TEST(hash_answers)
{
	static const struct {
		uint32_t len;
		uint64_t hash;
	} rows[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)}, {2, UINT64_C(0x0d6c8009d9a94f5a)},
		{3, UINT64_C(0x85676696d7fb7e2d)}, {15, UINT64_C(0xa129ca6149be45e5)}};
	uint8_t salt[16], bytes[16];

	for (uint32_t i = 0; i < 16; i++)
		salt[i] = bytes[i] = (uint8_t)i;
	for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_uint_eq(chord_hash(salt, bytes, rows[i].len), rows[i].hash);
}
END_TEST

/* Several in a message: each as long as it says, none without a byte, nothing behind the last one. */
START_TEST(refused_renewals)
{
	static const struct {
		uint32_t first, second, cut; /* bytes of pieces; fewer at the end */
		uint8_t reserved;
		int want;
	} rows[] = {
		{1, 0, 0, 0, 0},
		{CHORD_PIECES_MAX, 0, 0, 0, 0},
		{CHORD_PIECES_MAX + 1, 0, 0, 0, -EBADMSG},
		{1, 1, 0, 0, 0},
		{CHORD_PIECES_MAX, CHORD_PIECES_MAX, 0, 0, 0},
		{5, 5, 1, 0, -EBADMSG},
		{5, 5, 5, 0, -EBADMSG},
		{5, 5, 20, 0, -EBADMSG},
		{5, 0, 5, 0, -EBADMSG}, /* nothing differs */
		{5, 0, 6, 0, -EBADMSG},
		{5, 0, 21, 0, -EBADMSG}, /* none at all */
		{5, 0, 0, 1, -EBADMSG},
	};

	for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t pieces[CHORD_PIECES_MAX + 1] = {0}, bytes[CHORD_MESSAGE_MAX] = {1, CHORD_RENEWAL}, *exact;
		struct chord_renewal renewal = {.age_ms = 7, .base = 8, .pieces = pieces, .pieces_len = rows[i].first}, read;
		struct chord_message message;
		const uint8_t *at;
		uint32_t len = CHORD_HEADER_LEN, left, n = 0;

		len += chord_renewal_write(&renewal, bytes + len);
		renewal.pieces_len = rows[i].second;
		if (renewal.pieces_len)
			len += chord_renewal_write(&renewal, bytes + len);
		bytes[CHORD_HEADER_LEN + 2] = rows[i].reserved;
		len -= rows[i].cut;
		exact = g_memdup2(bytes, len); /* what reads beyond it is noticed */
		ck_assert_int_eq(chord_wire_read(exact, len, &message), rows[i].want);
		for (at = message.renewals, left = message.renewals_len;
			 rows[i].want == 0 && chord_renewal_next(&at, &left, &read); n++)
			ck_assert(read.age_ms == 7 && read.base == 8 && read.pieces_len == (n ? rows[i].second : rows[i].first));
		ck_assert_uint_eq(n, rows[i].want ? 0 : rows[i].second ? 2 : 1);
		g_free(exact);
	}
}
END_TEST

START_TEST(refused_messages)
{
	static const struct {
		uint8_t head[4];
		uint32_t len;
		int want;
	} rows[] = {
		{{1, 1, 0, 0}, 9, 0},
		{{1, 1, 0, 0}, 8, -EBADMSG}, /* no record */
		{{1, 1, 0, 0}, 8 + ELA_RECORD_MAX, 0},
		{{1, 1, 0, 0}, 9 + ELA_RECORD_MAX, -EBADMSG},
		{{1, 2, 0, 0}, CHORD_DIGEST_LEN, 0},
		{{1, 2, 0, 0}, CHORD_DIGEST_LEN - 1, -EBADMSG},
		{{1, 2, 0, 0}, CHORD_DIGEST_LEN + 1, -EBADMSG},
		{{1, 3, 0, 0}, CHORD_WANT_LEN, 0},
		{{1, 3, 0, 0}, CHORD_WANT_LEN - 1, -EBADMSG},
		{{1, 3, 0, 0}, CHORD_WANT_LEN + 1, -EBADMSG},
		{{2, 3, 0, 0}, CHORD_WANT_LEN, -EBADMSG}, /* another version */
		{{0, 3, 0, 0}, CHORD_WANT_LEN, -EBADMSG},
		{{1, 0, 0, 0}, CHORD_WANT_LEN, -EBADMSG},
		{{1, 5, 0, 0}, CHORD_WANT_LEN, -EBADMSG},
		{{1, 3, 1, 0}, CHORD_WANT_LEN, -EBADMSG},
		{{1, 3, 0, 1}, CHORD_WANT_LEN, -EBADMSG},
		{{1, 3, 0, 0}, 3, -EBADMSG},
		{{1, 3, 0, 0}, 0, -EBADMSG},
	};

	for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t *bytes = malloc(rows[i].len ? rows[i].len : 1);
		struct chord_message message = {.kind = 77};

		ck_assert_ptr_nonnull(bytes);
		memset(bytes, 5, rows[i].len);
		memcpy(bytes, rows[i].head, MIN(rows[i].len, 4));
		ck_assert_msg(chord_wire_read(bytes, rows[i].len, &message) == rows[i].want, "row %u", i);
		ck_assert(rows[i].want == 0 || message.kind == 77); /* untouched */
		free(bytes);
	}
}
END_TEST

/* ---- before join, after leave ---- */

START_TEST(silent_before_join)
{
	struct ela_record_info edge = info_of(9, 0x99, ELA_RECORD_ROLE_EDGE, 1);

	enter(0);
	chord_world_link(world, 0, 1, true);
	edge.parent = world->nodes[0].id;
	ck_assert_int_eq(chord_node_put(&world->nodes[1], &edge), 0);
	chord_world_run(world, 20 * SEC);
	ck_assert_uint_eq(chord_of(1)->table.all->len, 2); /* what it asked for, it got */
	ck_assert_uint_eq(chord_of(0)->table.all->len, 1);
	ck_assert_uint_gt(counter(0, "wants-in"), 0);
	ck_assert_uint_eq(counter(0, "records-in"), 0);
	enter(1);
	chord_world_run(world, 1 * SEC);
	ck_assert_uint_eq(chord_of(0)->table.all->len, 3);
}
END_TEST

/* The leave is said again: who missed it would route there for two minutes. */
START_TEST(leave_is_repeated)
{
	struct ela_record_info own = info_of(0, world->nodes[0].id, ELA_RECORD_ROLE_CORE, 2);

	enter(0);
	enter(1);
	chord_world_link(world, 0, 1, true);
	chord_world_run(world, 1 * SEC);
	ck_assert(is_told(1, own.id));
	ck_assert_uint_eq(world->nodes[1].n_ring, 2);
	own.flags = ELA_RECORD_LEAVE;
	world->deaf = true; /* the first two are lost */
	ck_assert_int_eq(chord_node_put(&world->nodes[0], &own), 0);
	ck_assert_int_eq(world->ops->leave(world->nodes[0].self), 0);
	chord_world_run(world, 100 * ELA_MSEC);
	world->deaf = false;
	ck_assert_uint_eq(world->nodes[0].n_ring, 1); /* without itself */
	ck_assert(is_told(1, own.id));
	chord_world_run(world, 1 * SEC);
	ck_assert(!is_told(1, own.id));
	ck_assert_uint_eq(world->nodes[1].n_ring, 1);
	world->nodes[0].sent = 0;
	chord_world_run(world, 60 * SEC);
	ck_assert_uint_eq(world->nodes[0].sent, 0); /* it stopped */
}
END_TEST

/* A chain: what is news at one end is at the other at once; "still there" may wait for a digest. */
START_TEST(news_goes_on)
{
	struct ela_record_info edge = info_of(9, 0x99, ELA_RECORD_ROLE_EDGE, 1);

	for (uint32_t i = 0; i < 3; i++)
		enter(i);
	chord_world_link(world, 0, 1, true);
	chord_world_link(world, 1, 2, true);
	chord_world_run(world, 5 * SEC);
	for (uint32_t i = 0; i < 10; i++) {
		const struct chord_told *told;
		uint32_t sent;

		edge.parent = world->nodes[i % 2].id;
		edge.sequence = 2 * i + 1;
		ck_assert_int_eq(chord_node_put(&world->nodes[0], &edge), 0);
		chord_world_run(world, 10 * ELA_MSEC);
		told = g_hash_table_lookup(world->nodes[2].told, GUINT_TO_POINTER(0x99));
		ck_assert(told && told->info.sequence == edge.sequence);
		sent = world->nodes[1].sent;
		edge.sequence++;
		ck_assert_int_eq(chord_node_put(&world->nodes[0], &edge), 0);
		chord_world_run(world, 10 * ELA_MSEC);
		ck_assert_uint_eq(world->nodes[1].sent, sent);
	}
}
END_TEST

/* ---- whose word counts ---- */

START_TEST(newest_wins)
{
	struct ela_record_info info = info_of(9, 0x99, ELA_RECORD_ROLE_CORE, 5), moved;

	say(1, 0, &info, 0);
	ck_assert(is_told(0, 0x99));
	info.sequence = 4;
	info.flags = ELA_RECORD_LEAVE;
	say(1, 0, &info, 0); /* an old leave */
	ck_assert(is_told(0, 0x99));
	info.incarnation = 2;
	info.sequence = 1;
	info.flags = 0;
	say(1, 0, &info, 0);
	info.incarnation = 1;
	info.sequence = 6;
	info.flags = ELA_RECORD_LEAVE;
	say(1, 0, &info, 0); /* a leave of the life before */
	ck_assert(is_told(0, 0x99));
	moved = info_of(9, 0x77, ELA_RECORD_ROLE_CORE, 1);
	moved.incarnation = 3;
	say(1, 0, &moved, 0); /* a key has one id */
	ck_assert(is_told(0, 0x77) && !is_told(0, 0x99));
	ck_assert_uint_eq(chord_of(0)->table.all->len, 1);
	ck_assert_uint_eq(counter(0, "drop-known"), 2);
}
END_TEST

/* Two keys, one id: the loser is kept, and holds the id once the winner has gone elsewhere. */
START_TEST(conflict)
{
	struct ela_record_info loser = info_of(9, 0x99, ELA_RECORD_ROLE_CORE, 1),
						   winner = info_of(8, 0x99, ELA_RECORD_ROLE_CORE, 2);
	uint8_t bytes[ELA_RECORD_MAX];
	struct ela_record_info found;

	for (uint32_t order = 0; order < 2; order++) {
		say(2, order, order ? &winner : &loser, 0);
		say(2, order, order ? &loser : &winner, 0);
		ck_assert_int_eq(record_read(bytes, chord_node_find(&world->nodes[order], 0x99, bytes), &found), 0);
		ck_assert_mem_eq(found.key_hash, winner.key_hash, 32);
		ck_assert_int_eq(chord_node_put(&world->nodes[order], &loser), -EEXIST);
	}
	winner.id = 0x55;
	winner.sequence++;
	say(1, 0, &winner, 0);
	ck_assert_int_eq(record_read(bytes, chord_node_find(&world->nodes[0], 0x99, bytes), &found), 0);
	ck_assert_mem_eq(found.key_hash, loser.key_hash, 32);
	ck_assert(is_told(0, 0x99) && is_told(0, 0x55));
	ck_assert_int_eq(world->ops->remove(world->nodes[1].self, 0x99), 0); /* both of them */
	ck_assert(!is_told(1, 0x99));
	ck_assert_uint_eq(chord_of(1)->table.all->len, 0);
}
END_TEST

/* Two cores have an edge's renewal from itself, and tell each other: that is no reason to compare. */
START_TEST(renewed_by_two)
{
	enter(0);
	enter(1);
	chord_world_link(world, 0, 1, true);
	chord_world_run(world, 10 * SEC);
	for (uint64_t sequence = 1; sequence <= 20; sequence++) {
		struct ela_record_info edge = info_of(2, world->nodes[2].id, ELA_RECORD_ROLE_EDGE, sequence);

		edge.parent = world->nodes[0].id;
		ck_assert_int_eq(chord_node_put(&world->nodes[1], &edge), 0);
		ck_assert_int_eq(chord_node_put(&world->nodes[0], &edge), 0);
		chord_world_run(world, SEC);
	}
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_uint_ge(counter(i, "drop-known"), 19);
		ck_assert_uint_eq(counter(i, "drop-base"), 0);
	}
}
END_TEST

/* A key that signs two records with the same numbers: everybody keeps the same one. */
START_TEST(two_of_one_number)
{
	struct ela_record_info a = info_of(9, 0x99, ELA_RECORD_ROLE_EDGE, 5), b = a, found[2];
	uint8_t bytes[ELA_RECORD_MAX];

	a.parent = 1;
	b.parent = 2;
	for (uint32_t order = 0; order < 2; order++) {
		say(2, order, order ? &a : &b, 0);
		say(2, order, order ? &b : &a, 0);
		ck_assert_int_eq(record_read(bytes, chord_node_find(&world->nodes[order], 0x99, bytes), &found[order]), 0);
	}
	ck_assert_uint_eq(found[0].parent, found[1].parent);
}
END_TEST

START_TEST(ages)
{
	struct ela_record_info info = info_of(9, world->nodes[2].id, ELA_RECORD_ROLE_CORE, 5);

	say(1, 0, &info, 110000);
	ck_assert(is_told(0, info.id));
	say(1, 0, &info, 0); /* not its word to give */
	chord_world_run(world, 12 * SEC);
	ck_assert(!is_told(0, info.id));
	say(1, 0, &info, 0);
	ck_assert(!is_told(0, info.id));
	say(2, 0, &info, 1000); /* its own node's */
	ck_assert(is_told(0, info.id));
	say(2, 0, &info, 119000); /* nobody makes it older */
	chord_world_run(world, 100 * SEC);
	ck_assert(is_told(0, info.id));
	chord_world_run(world, 21 * SEC);
	ck_assert(!is_told(0, info.id));
	ck_assert_uint_eq(chord_of(0)->table.all->len, 1);
	chord_world_run(world, (uint64_t)30 * 24 * 3600 * SEC);
	ck_assert_uint_eq(chord_of(0)->table.all->len, 0);
	info.sequence++;
	say(1, 0, &info, CHORD_LEASE_MS + 1);
	ck_assert_uint_eq(chord_of(0)->table.all->len, 0);
	ck_assert_uint_eq(counter(0, "drop-malformed"), 1);
}
END_TEST

static int odd_verdict(struct chord_world *w, const struct chord_node *at, const struct ela_record_info *info)
{
	(void)w;
	(void)at;
	return info->sequence & 1 ? verdict_of_odd : 0;
}

START_TEST(checked_later)
{
	struct ela_record_info info = info_of(9, 0x99, ELA_RECORD_ROLE_CORE, 5);

	world->verdict = odd_verdict;
	verdict_of_odd = -EAGAIN;
	say(1, 0, &info, 100000);
	say(1, 0, &info, 100000);
	ck_assert_uint_eq(chord_of(0)->asides->len, 1);
	chord_world_run(world, 5 * SEC);
	ck_assert(!is_told(0, 0x99));
	verdict_of_odd = 0;
	chord_world_run(world, 2 * SEC);
	ck_assert(is_told(0, 0x99));
	ck_assert_uint_eq(chord_of(0)->asides->len, 0);
	chord_world_run(world, 14 * SEC); /* its wait was part of its age */
	ck_assert(!is_told(0, 0x99));
	/* what nobody vouches for is forgotten, and bounded before */
	verdict_of_odd = -EAGAIN;
	for (uint32_t i = 0; i < 100; i++) {
		info = info_of(100 + i, 0x1000 + i, ELA_RECORD_ROLE_CORE, 1);
		say(1 + i % 3, 0, &info, 0);
	}
	ck_assert_uint_eq(chord_of(0)->asides->len, 3 * CHORD_MAX_ASIDE_OF_PEER);
	chord_world_run(world, 40 * SEC);
	ck_assert_uint_eq(chord_of(0)->asides->len, 0);
	ck_assert_uint_eq(counter(0, "drop-aside"), 100);
}
END_TEST

START_TEST(revoked)
{
	struct ela_record_info info = info_of(9, 0x99, ELA_RECORD_ROLE_CORE, 5),
						   other = info_of(10, 0x88, ELA_RECORD_ROLE_CORE, 6);

	world->verdict = odd_verdict;
	say(1, 0, &info, 0);
	say(1, 0, &other, 0);
	verdict_of_odd = -EACCES;
	info.sequence += 2;
	say(1, 0, &info, 0);
	ck_assert_uint_eq(counter(0, "drop-denied"), 1);
	ck_assert_uint_eq(chord_of(0)->asides->len, 0);
	chord_world_run(world, 62 * SEC);
	ck_assert(!is_told(0, 0x99) && is_told(0, 0x88));
	ck_assert_uint_eq(chord_of(0)->table.all->len, 1);
	ck_assert_uint_eq(counter(0, "revoked"), 1);
}
END_TEST

/* ---- hostile members ---- */

START_TEST(flood)
{
	struct ela_record_info info;
	uint32_t n = 0;

	for (uint32_t i = 0; i < 5000; i++) { /* at once: the rest is not looked at */
		info = info_of(100 + i, 0x1000 + i, ELA_RECORD_ROLE_CORE, 1);
		say(1, 0, &info, 0);
	}
	ck_assert_uint_eq(chord_of(0)->table.all->len, 1024);
	ck_assert_uint_eq(counter(0, "drop-rate"), 5000 - 1024);
	for (; n < 8000; n++) { /* patiently: the table has a bound */
		info = info_of(10000 + n, 0x100000 + n, ELA_RECORD_ROLE_CORE, 1);
		say(1 + n % 3, 0, &info, 0);
		if (n % 400 == 0)
			chord_world_run(world, 1 * SEC);
	}
	ck_assert_uint_eq(chord_of(0)->table.all->len, CHORD_MAX_RECORDS);
	ck_assert_uint_gt(counter(0, "drop-full"), 0);
	/* those that are silent make room, for fresh ones only */
	chord_world_run(world, 125 * SEC);
	ck_assert_uint_eq(g_hash_table_size(world->nodes[0].told), 0);
	info = info_of(7, 0x77, ELA_RECORD_ROLE_CORE, 1);
	say(2, 0, &info, 121000);
	ck_assert_ptr_null(chord_table_find(&chord_of(0)->table, 0x77));
	say(2, 0, &info, 0);
	ck_assert(is_told(0, 0x77));
	ck_assert_uint_eq(chord_of(0)->table.all->len, CHORD_MAX_RECORDS);
}
END_TEST

/* What a peer asks for is paced, however often it asks. */
START_TEST(greedy)
{
	static const uint8_t want[CHORD_WANT_LEN] = {1, 3, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255};
	struct ela_record_info info;

	enter(0);
	chord_world_link(world, 0, 1, true);
	for (uint32_t i = 0; i < 1000; i++) {
		info = info_of(100 + i, 0x1000 + i * 4000037u, ELA_RECORD_ROLE_CORE, 1);
		say(2, 0, &info, 0);
	}
	chord_world_link(world, 0, 2, false);
	chord_world_run(world, 10 * SEC);
	world->nodes[0].sent = 0;
	for (uint32_t i = 0; i < 10000; i++) {
		chord_world_inject(world, 1, 0, want, sizeof want);
		chord_world_inject(world, 2, 0, want, sizeof want); /* not linked: nothing */
		chord_world_run(world, ELA_MSEC);
	}
	ck_assert_uint_le(world->nodes[0].sent, 128 + 200 * 10 + 20);
	ck_assert_uint_ge(world->nodes[0].sent, 1000);
}
END_TEST

/* Noise, and good messages with a few bytes changed, doubled, cut and lengthened. */
START_TEST(noise)
{
	uint8_t bytes[CHORD_MESSAGE_MAX];

	enter(0);
	for (uint32_t i = 1; i < 4; i++) {
		enter(i);
		chord_world_link(world, 0, i, true);
	}
	for (uint32_t i = 0; i < 30000; i++) {
		uint32_t len = (uint32_t)chord_world_random(world) % sizeof bytes, from = 1 + i % 3;

		for (uint32_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)chord_world_random(world);
		if (len > 4 && i % 2) {
			bytes[0] = 1;
			bytes[1] = (uint8_t)(1 + i / 2 % 3);
			bytes[2] = bytes[3] = 0;
		}
		if (i % 4 == 3) {
			struct ela_record_info info = info_of(i % 50, 1 + i % 70, i % 3, i % 100);

			info.flags = i % 5 == 0;
			info.parent = (uint32_t)chord_world_random(world);
			len = record_message(&info, (uint32_t)chord_world_random(world) % 200000, bytes);
			if (i % 8 == 7)
				bytes[chord_world_random(world) % len] ^= (uint8_t)(1 + chord_world_random(world) % 255);
		}
		chord_world_inject(world, from, 0, bytes, len);
		if (i % 20 == 0)
			chord_world_run(world, 50 * ELA_MSEC);
	}
	ck_assert_uint_le(chord_of(0)->table.all->len, 60);
	ck_assert_uint_gt(counter(0, "drop-malformed"), 10000);
	ck_assert_uint_gt(counter(0, "drop-forged"), 0);
	chord_world_inject(world, 77, 0, bytes, 4);
	ck_assert_uint_eq(counter(0, "drop-stranger"), 1);
}
END_TEST

START_TEST(static_network)
{
	struct chord_node *node = &world->nodes[3];

	chord_world_crash(world, 3);
	node->has_no_ring = true;
	node->n_sets = 0;
	node->told = g_hash_table_new(g_direct_hash, g_direct_equal);
	ck_assert_int_eq(world->ops->create(&node->host, &node->self), 0);
	ck_assert_int_eq(world->ops->start(node->self), -EOPNOTSUPP);
	ck_assert_int_eq(world->ops->join(node->self), -EINVAL);
	world->ops->on_link(node->self, 1, ELA_LINK_UP);
	world->ops->peers_changed(node->self);
	chord_world_run(world, 10 * SEC);
	ck_assert_uint_eq(node->n_sets, 0);
}
END_TEST

/* ---- pieces ---- */

/* Naive: byte for byte. The result is b, and never longer than a piece of one byte for each that differs. */
START_TEST(differences)
{
	uint8_t a[ELA_RECORD_MAX], b[ELA_RECORD_MAX], made[CHORD_PIECES_MAX];

	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t len = 1 + (uint32_t)chord_world_random(world) % (round % 2 ? 300 : ELA_RECORD_MAX), differ = 0, n;

		for (uint32_t i = 0; i < len; i++)
			b[i] = a[i] = (uint8_t)chord_world_random(world);
		for (uint32_t k = (uint32_t)chord_world_random(world) % 60; k; k--)
			b[chord_world_random(world) % len] = (uint8_t)chord_world_random(world);
		for (uint32_t i = 0; i < len; i++)
			differ += a[i] != b[i];
		memset(made, 0xee, sizeof made);
		n = chord_pieces_make(a, b, len, made);
		ck_assert_uint_le(n, CHORD_PIECES_MAX);
		ck_assert(n <= (CHORD_PIECE_HEAD + 1) * differ);
		ck_assert(n || !differ || (CHORD_PIECE_HEAD + 1) * differ > CHORD_PIECES_MAX);
		if (!n) {
			ck_assert_uint_eq(made[0], 0xee); /* untouched */
			continue;
		}
		ck_assert_int_eq(chord_pieces_apply(made, n, a, len), 0);
		ck_assert_mem_eq(a, b, len);
	}
}
END_TEST

static const struct {
	uint8_t bytes[12];
	uint32_t len;
	int want;
} bad_pieces[] = {
	{{0, 0, 0, 1, 9}, 5, 0},
	{{0, 99, 0, 1, 9}, 5, 0},
	{{0, 98, 0, 2, 9, 9}, 6, 0},
	{{0, 98, 0, 2, 9, 9, 0, 0, 0, 1, 9}, 11, 0},
	{{0, 100, 0, 1, 9}, 5, -EBADMSG}, /* behind the end */
	{{0, 99, 0, 2, 9, 9}, 6, -EBADMSG},
	{{255, 255, 0, 1, 9}, 5, -EBADMSG},
	{{0, 0, 0, 0}, 4, -EBADMSG}, /* of nothing */
	{{0, 0, 0, 0, 9}, 5, -EBADMSG},
	{{0, 0, 0, 2, 9}, 5, -EBADMSG}, /* cut */
	{{0, 0, 255, 255, 9}, 5, -EBADMSG},
	{{0, 0, 0}, 3, -EBADMSG},
	{{0, 0, 0, 1, 9, 0}, 6, -EBADMSG},
};

START_TEST(refused_pieces)
{
	uint8_t *record = malloc(100), *pieces = malloc(bad_pieces[_i].len); /* so that a byte too far is seen */

	ck_assert(record && pieces);
	memset(record, 1, 100);
	memcpy(pieces, bad_pieces[_i].bytes, bad_pieces[_i].len);
	ck_assert_int_eq(chord_pieces_apply(pieces, bad_pieces[_i].len, record, 100), bad_pieces[_i].want);
	free(record);
	free(pieces);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chord");
	TCase *tc = tcase_create("near");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, document);
	tcase_add_test(tc, hash_answers);
	tcase_add_test(tc, refused_renewals);
	tcase_add_test(tc, differences);
	tcase_add_loop_test(tc, refused_pieces, 0, (int)G_N_ELEMENTS(bad_pieces));
	tcase_add_test(tc, refused_messages);
	tcase_add_test(tc, silent_before_join);
	tcase_add_test(tc, leave_is_repeated);
	tcase_add_test(tc, news_goes_on);
	tcase_add_test(tc, newest_wins);
	tcase_add_test(tc, conflict);
	tcase_add_test(tc, two_of_one_number);
	tcase_add_test(tc, renewed_by_two);
	tcase_add_test(tc, ages);
	tcase_add_test(tc, checked_later);
	tcase_add_test(tc, revoked);
	tcase_add_test(tc, flood);
	tcase_add_test(tc, greedy);
	tcase_add_test(tc, noise);
	tcase_add_test(tc, static_network);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
