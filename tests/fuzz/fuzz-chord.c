/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-chord: what peers send to route-chord, plugins/route-chord/wire.c and plugins/route-chord/receive.c. Input:
 * steps of a byte each with its arguments: a raw message; a RECORD, DIGEST, WANT or RENEWAL of good shape; time that
 * passes; a link that comes or goes; what core says of records with an odd sequence; a record that core puts in or
 * takes out. Node 0 of a world of three takes it all; the other two answer. Bounds hold after each step, and
 * chord-world ends the process at what core would refuse.
 */
#include "../unit/chord-world.h"
#include "chord.h"
#include "input.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int verdict_of_odd(struct chord_world *world, const struct chord_node *at, const struct ela_record_info *info)
{
	(void)at;
	return info->sequence & 1 ? *(const int *)world->data : 0;
}

static void raw(struct chord_world *world, struct input *in, uint32_t from)
{
	uint32_t len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % (CHORD_MESSAGE_MAX + 1), &len);

	chord_world_inject(world, from, 0, bytes, len);
}

static struct ela_record_info info_from(struct input *in)
{
	uint8_t key = input_u8(in) % 16;
	struct ela_record_info info = {.id = input_u8(in) % 16, .role = input_u8(in) % 4, .parent = input_u8(in) % 4};

	info.id = info.id == 15 ? UINT32_MAX : info.id * 0x10000001u;
	info.flags = input_u8(in) & 1;
	info.incarnation = input_u8(in) % 3;
	info.sequence = input_u8(in);
	chord_key(key, info.key_hash);
	return info;
}

static void shaped(struct chord_world *world, struct input *in, uint32_t from)
{
	const struct chord *c = world->nodes[0].self;
	struct chord_message message = {.kind = 1 + input_u8(in) % 4};
	uint8_t record[RECORD_MIN], salt[CHORD_SALT_LEN] = {0}, bytes[CHORD_MESSAGE_MAX];
	uint8_t renewals[4 * (CHORD_RENEWAL_HEAD + CHORD_PIECES_MAX)];
	struct ela_record_info info = info_from(in);

	record_make(&info, sizeof record, record);
	record[20] ^= input_u8(in) == 77; /* forged */
	message.age_ms = input_u16(in) * (message.kind == CHORD_RECORD ? UINT32_C(60000) : 1);
	message.record = record;
	message.record_len = sizeof record;
	message.salt = salt;
	message.hashes[input_u8(in) % CHORD_BUCKETS] = input_u32(in);
	message.buckets = UINT64_C(1) << input_u8(in) % 64;
	if (message.kind == CHORD_RENEWAL) {
		message.renewals = renewals;
		for (uint32_t n = 1 + input_u8(in) % 4; n > 0; n--) {
			struct chord_renewal renewal = {.age_ms = input_u16(in)};
			uint32_t at = input_u8(in);

			if (at < c->table.all->len)
				renewal.base = ((const struct chord_entry *)g_ptr_array_index(c->table.all, at))->content;
			renewal.pieces = input_bytes(in, 1 + input_u8(in) % CHORD_PIECES_MAX, &renewal.pieces_len);
			if (renewal.pieces_len)
				message.renewals_len += chord_renewal_write(&renewal, renewals + message.renewals_len);
		}
	}
	chord_world_inject(world, from, 0, bytes, chord_wire_write(&message, bytes));
}

/* Many RECORDs that core has no opinion of, or that are new. */
static void many(struct chord_world *world, struct input *in, uint32_t from)
{
	uint32_t n = input_u16(in) % 100, first = input_u16(in);
	uint8_t record[RECORD_MIN], bytes[CHORD_MESSAGE_MAX];

	for (uint32_t i = 0; i < n; i++) {
		struct ela_record_info info = {.id = 1 + first + i, .role = ELA_RECORD_ROLE_CORE, .sequence = first};
		struct chord_message message = {.kind = CHORD_RECORD, .record = record, .record_len = sizeof record};

		chord_key(first + i, info.key_hash);
		record_make(&info, sizeof record, record);
		chord_world_inject(world, from, 0, bytes, chord_wire_write(&message, bytes));
	}
}

static void link_or_cut(struct chord_world *world, uint32_t with, uint8_t how)
{
	if ((how & 3) == 3)
		chord_world_link_by(world, 0, with, ELA_PEER_DIRECT);
	else
		chord_world_link(world, 0, with, how & 1);
}

/* A record of another, or the own one: of a core on the ring, or of an edge. What these say is the unit test's. */
static void put_or_remove(struct chord_world *world, struct ela_record_info *info, uint8_t how)
{
	struct chord_node *node = &world->nodes[0];

	if (how & 2)
		info->id = node->id;
	if (how & 1)
		(void)world->ops->remove(node->self, info->id);
	else if (info->id)
		(void)chord_node_put(node, info);
	if (how & 2)
		(void)(how & 4 ? world->ops->leave(node->self) : world->ops->join(node->self));
}

static void step(struct chord_world *world, struct input *in, int *verdict)
{
	static const int verdicts[] = {0, -EAGAIN, -EACCES, -EBADMSG};
	uint8_t choice = input_u8(in);
	uint32_t from = 1 + choice / 8 % 3; /* 3: a peer that is not there */
	struct ela_record_info info;

	switch (choice % 8) {
	case 0:
		raw(world, in, from);
		break;
	case 1:
	case 2:
		shaped(world, in, from);
		break;
	case 3:
		chord_world_run(world, (uint64_t)(input_u16(in) % 400) * 100 * ELA_MSEC);
		break;
	case 4:
		link_or_cut(world, 1 + from % 2, input_u8(in));
		break;
	case 5:
		*verdict = verdicts[input_u8(in) % 4];
		break;
	case 6:
		info = info_from(in);
		put_or_remove(world, &info, input_u8(in));
		break;
	default:
		many(world, in, from);
		break;
	}
}

static void check(struct chord_world *world)
{
	const struct chord *c = world->nodes[0].self;

	if (c->table.all->len > CHORD_MAX_RECORDS || c->asides->len > CHORD_MAX_ASIDE)
		input_fail("a bound is broken");
	if (g_hash_table_size(c->table.by_key) != c->table.all->len ||
		g_hash_table_size(c->table.by_id) + c->table.n_shadowed != c->table.all->len)
		input_fail("the table's views differ");
	if (g_hash_table_size(world->nodes[0].told) > g_hash_table_size(c->table.by_id))
		input_fail("core was told of what is not there");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct chord_world *world = chord_world_new(1, 3);
	int verdict = 0;

	world->verdict = verdict_of_odd;
	world->data = &verdict;
	(void)world->ops->join(world->nodes[0].self); /* it was started */
	(void)world->ops->join(world->nodes[1].self);
	for (uint32_t steps = 0; in.left && steps < 60; steps++) {
		step(world, &in, &verdict);
		check(world);
	}
	chord_world_free(world);
	return 0;
}
