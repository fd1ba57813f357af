/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim-tap: watches the underlay: takes datagram trains and streams apart into frames, refuses a (destination, index,
 * counter) that comes twice and inner packets in the clear, keeps frames for tests that replay them. One thread, inside
 * the fabric's lock.
 */
#include "sim-wire.h"

struct frame_id {
	uint32_t destination, index;
	uint64_t counter;
};

struct direction {
	struct ela_addr from, to;
};

static guint id_hash(gconstpointer key)
{
	const struct frame_id *id = key;

	return (guint)((id->counter * UINT64_C(0x9e3779b97f4a7c15)) >> 32) ^ id->index;
}

static gboolean id_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct frame_id)) == 0;
}

static guint direction_hash(gconstpointer key)
{
	const struct direction *d = key;

	return (guint)d->from.port * 65537u + d->to.port + d->from.ip[3] * 31u + d->to.ip[3];
}

static gboolean direction_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct direction)) == 0;
}

/* A key never seals two frames with one number: the pair of index and counter is unique in all eternity. */
static void check_unique(struct sim *s, uint32_t destination, uint32_t index, uint64_t counter)
{
	struct frame_id *id = g_new0(struct frame_id, 1);

	id->destination = destination;
	id->index = index;
	id->counter = counter;
	if (!g_hash_table_add(s->frames, id))
		sim_fail(s, __FILE__, __LINE__, "index %08x counter %016" G_GINT64_MODIFIER "x sealed twice", index, counter);
}

/* A relayed frame has two numbers: of each hop, and its own, which shows at every hop but is made in front of the
 * first. */
static void check_relayed(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	const uint8_t *inner = frame + ELA_HOP_LEN; /* but for the header */

	sim_check(s, len >= ELA_HOP_MIN && frame[2] <= ELA_TTL, "a bad relayed frame was sent");
	check_unique(s, ~ela_get32(seen->to.ip), ela_hop_index(frame), ela_hop_counter(frame));
	if (frame[2] == ELA_TTL && frame[1] != ELA_TYPE_HANDSHAKE)
		check_unique(s, ela_header_destination(frame), ela_frame_index(inner), ela_frame_counter(inner));
}

static void keep(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct sim_frame *f = g_malloc(sizeof *f + len);

	f->from = seen->from;
	f->to = seen->to;
	f->at_ns = seen->now_ns;
	f->stream = seen->stream;
	f->len = len;
	memcpy(f->bytes, frame, len);
	g_ptr_array_add(s->captured, f);
}

static bool take_frame(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	uint8_t type;

	sim_check(s, ela_header_ok(frame, len), "a frame with a broken header was sent");
	type = frame[1];
	s->n_frames++;
	if (ela_frame_is_relayed(frame, len)) {
		check_relayed(s, seen, frame, len);
	} else if (type == ELA_TYPE_EPACKET || type == ELA_TYPE_MESSAGE) {
		sim_check(s, len >= ELA_FRAME_MIN, "a frame that is too short was sent");
		check_unique(s, ela_header_destination(frame), ela_frame_index(frame), ela_frame_counter(frame));
	} else {
		sim_check(s, type == ELA_TYPE_HANDSHAKE || type == ELA_TYPE_PROBE, "type %u was sent", type);
	}
	if (s->capture)
		keep(s, seen, frame, len);
	return !s->on_frame || s->on_frame(s, seen, frame, len);
}

static bool take_datagrams(struct sim *s, const struct ela_mem_seen *seen)
{
	bool pass = true;

	for (uint32_t at = 0; at < seen->len; at += seen->segment) {
		uint32_t len = MIN(seen->segment, seen->len - at);

		pass &= take_frame(s, seen, seen->bytes + at, len);
	}
	return pass;
}

/* A stream loses nothing, whatever the test says. */
static void take_record(struct sim *s, const struct ela_mem_seen *seen, const struct ela_record *record)
{
	uint32_t segment, len = record->len - ELA_TRAIN_HEAD;

	if (record->kind != ELA_RECORD_TRAIN) {
		(void)take_frame(s, seen, record->data, record->len);
		return;
	}
	segment = ela_get16(record->data);
	sim_check(s, segment >= ELA_HOP_MIN && segment < len && ela_get16(record->data + 2) == 0, "a bad train was sent");
	for (uint32_t at = 0; at < len; at += segment) {
		const uint8_t *frame = record->data + ELA_TRAIN_HEAD + at;

		sim_check(s, ela_frame_is_relayed(frame, len - at), "a train of direct frames was sent");
		(void)take_frame(s, seen, frame, MIN(segment, len - at));
	}
}

static void take_stream(struct sim *s, const struct ela_mem_seen *seen)
{
	struct direction key = {seen->from, seen->to};
	GByteArray *rest = g_hash_table_lookup(s->streams, &key);
	struct ela_record record;
	uint32_t need, at = 0;
	int got;

	if (!rest) {
		rest = g_byte_array_new();
		g_hash_table_insert(s->streams, g_memdup2(&key, sizeof key), rest);
	}
	g_byte_array_append(rest, seen->bytes, seen->len);
	while ((got = ela_record_next(rest->data + at, rest->len - at, ELA_STREAM_MAX, &record, &need)) == 1) {
		take_record(s, seen, &record);
		at += ELA_RECORD_HEAD + record.len;
	}
	sim_check(s, got == 0, "a broken record was sent");
	if (at)
		(void)g_byte_array_remove_range(rest, 0, at); /* returns the array */
}

static bool on_tap(void *data, const struct ela_mem_seen *seen)
{
	struct sim *s = data;

	if (memmem(seen->bytes, seen->len, SIM_MARKER, SIM_MARKER_LEN))
		sim_fail(s, __FILE__, __LINE__, "an inner packet shows on the underlay");
	if (!seen->stream)
		return take_datagrams(s, seen);
	take_stream(s, seen);
	return true;
}

static void free_bytes(void *bytes)
{
	(void)g_byte_array_free(bytes, TRUE); /* returns NULL then */
}

void sim_tap_init(struct sim *s)
{
	s->frames = g_hash_table_new_full(id_hash, id_equal, g_free, NULL);
	s->streams = g_hash_table_new_full(direction_hash, direction_equal, g_free, free_bytes);
	s->captured = g_ptr_array_new_with_free_func(g_free);
	ela_mem_tap(s->fabric, on_tap, s);
}

void sim_tap_free(struct sim *s)
{
	ela_mem_tap(s->fabric, NULL, NULL);
	g_hash_table_destroy(s->frames);
	g_hash_table_destroy(s->streams);
	g_ptr_array_unref(s->captured);
}

void sim_capture(struct sim *s, bool on)
{
	if (on)
		g_ptr_array_set_size(s->captured, 0);
	s->capture = on;
}

struct sim_frame *sim_captured(struct sim *s, guint k)
{
	return g_ptr_array_index(s->captured, k);
}

struct sim_frame *sim_find_frame(struct sim *s, uint32_t to, uint8_t type, uint8_t kind)
{
	struct ela_addr addr = sim_addr(s, to);

	for (guint k = s->captured->len; k-- > 0;) {
		struct sim_frame *f = sim_captured(s, k);

		if (memcmp(f->to.ip, addr.ip, sizeof addr.ip) == 0 && f->bytes[1] == type && (!kind || f->bytes[8] == kind))
			return f;
	}
	return NULL;
}

void sim_inject(struct sim *s, const struct ela_addr *from, uint32_t to, const void *bytes, uint32_t len)
{
	struct ela_addr addr = sim_addr(s, to);
	int err = ela_mem_inject(s->fabric, from, &addr, bytes, len, 0);

	sim_check(s, err == 0, "inject: %s", g_strerror(-err));
}
