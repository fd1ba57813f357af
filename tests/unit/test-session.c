/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-session: core/session.c with the cipher plugins as .so files: both directions, recorded frames (worked out in
 * Python, vectors/make-core.py), what a changed bit does, limits and their ends, control frames and their replays.
 */
#include "cipher-fixture.h"
#include "core-answers.h"
#include "session.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_A 0xa1a2a3a4u
#define INDEX_B 0x01020304u
#define ID_A 0x0e0f1011u
#define ID_B 0x0a0b0c0du
#define ROOM 2048u

static const struct provider {
	const char *file, *suite;
} providers[] = {
	{CIPHER_AEAD, "aes-256-gcm"},
	{CIPHER_AEAD, "chacha20-poly1305"},
	{CIPHER_BLOWFISH, "blowfish-cbc"},
#ifdef CIPHER_IPSECMB
	{CIPHER_IPSECMB, "aes-256-gcm"},
#endif
};
#define N_PROVIDERS ((int)(sizeof providers / sizeof providers[0]))

/* A session's two ends; a is the initiator. */
struct ends {
	struct cipher plugin;
	struct ela_cipher cipher;
	struct ela_node_suite suite;
	struct ela_agreement with_a, with_b;
	struct ela_noise_keys keys_a, keys_b;
	struct ela_session *a, *b;
};

static void ends_open(struct ends *e, const struct provider *p, uint32_t lanes_a, uint32_t lanes_b)
{
	memset(e, 0, sizeof *e);
	cipher_open(&e->plugin, p->file, p->suite);
	e->cipher = (struct ela_cipher){e->plugin.ops, e->plugin.self, p->file};
	e->suite = (struct ela_node_suite){e->plugin.suite, e->plugin.number, &e->cipher};
	e->with_a = (struct ela_agreement){.suite = &e->suite,
		.local_index = INDEX_A,
		.remote_index = INDEX_B,
		.remote_id = ID_B,
		.local_lanes = lanes_a,
		.remote_lanes = lanes_b,
		.initiator = true};
	e->with_b = (struct ela_agreement){.suite = &e->suite,
		.local_index = INDEX_B,
		.remote_index = INDEX_A,
		.remote_id = ID_A,
		.local_lanes = lanes_b,
		.remote_lanes = lanes_a};
	ck_assert_uint_eq(core_answer("ck", e->keys_a.ck, 32), 32);
	ck_assert_uint_eq(core_answer("control-send", e->keys_a.send, 32), 32);
	memset(e->keys_a.recv, 0x77, 32);
	e->keys_b = e->keys_a;
	memcpy(e->keys_b.send, e->keys_a.recv, 32);
	memcpy(e->keys_b.recv, e->keys_a.send, 32);
	e->a = ela_session_new(NULL, &e->with_a, &e->keys_a, 1000);
	e->b = ela_session_new(NULL, &e->with_b, &e->keys_b, 1000);
	ck_assert_ptr_nonnull(e->a);
	ck_assert_ptr_nonnull(e->b);
}

static void ends_close(struct ends *e)
{
	ela_session_free(e->a);
	ela_session_free(e->b);
	cipher_close(&e->plugin);
}

/* A frame of a lane as core seals it; its length. */
static uint32_t seal(
	struct ela_session *s, uint32_t lane, uint8_t flags, const uint8_t *plain, uint32_t len, uint8_t *out)
{
	struct ela_cipher_op op = {.src = plain, .dst = out + ELA_FRAME_HEAD, .len = len};
	uint64_t counter;
	bool due = false;

	ck_assert(ela_session_reserve(s, lane, len, &counter, &due));
	ela_header_put(out, ELA_TYPE_EPACKET, flags, s->with.remote_id);
	ela_frame_put(out, s->with.remote_index, counter);
	ela_frame_nonce(out, s->send_iv, op.nonce);
	ck_assert_uint_eq(s->cipher->seal(s->lanes[lane].seal_key, &op, 1), 1);
	ck_assert_uint_le(ELA_FRAME_HEAD + op.ret_len, len + s->overhead);
	return ELA_FRAME_HEAD + op.ret_len;
}

/* The length of what it opens to, or the cipher's verdict. frame stays as it is. */
static int open_frame(struct ela_session *s, const uint8_t *frame, uint32_t len, uint8_t *out)
{
	struct ela_cipher_op op = {.src = frame + ELA_FRAME_HEAD, .dst = out, .len = len - ELA_FRAME_HEAD};

	ela_frame_nonce(frame, s->recv_iv, op.nonce);
	(void)s->cipher->open(s->open_key, &op, 1); /* the verdict says the same */
	return op.verdict ? op.verdict : (int)op.ret_len;
}

/* ---- keys ---- */

START_TEST(both_ways)
{
	uint8_t plain[1500], frame[ROOM], out[ROOM];
	struct ends e;

	ends_open(&e, &providers[_i], 4, 3);
	test_fill(&test_state, plain, sizeof plain);
	for (uint32_t n = 0; n < 200; n++) {
		uint32_t len = n < 80 ? n : (uint32_t)(test_random(&test_state) % sizeof plain), frame_len;

		frame_len = seal(e.a, n % 4, 0, plain, len, frame);
		ck_assert_int_eq(open_frame(e.b, frame, frame_len, out), (int)len);
		ck_assert_mem_eq(out, plain, len);
		ck_assert_int_eq(open_frame(e.a, frame, frame_len, out), -EBADMSG); /* not back to its sender */
		frame_len = seal(e.b, n % 3, ELA_FLAG_CSUM, plain, len, frame);
		ck_assert_int_eq(open_frame(e.a, frame, frame_len, out), (int)len);
		ck_assert_mem_eq(out, plain, len);
		ck_assert_int_eq(open_frame(e.b, frame, frame_len, out), -EBADMSG);
	}
	ends_close(&e);
}
END_TEST

/* The labels of the key derivation, the nonce and the layout, against frames made elsewhere. */
static void recorded(struct ends *e, int direction, uint8_t flags)
{
	struct ela_session *from = direction == 1 ? e->a : e->b, *to = direction == 1 ? e->b : e->a;
	uint8_t plain[128], want[256], got[ROOM], out[ROOM];
	uint32_t len = (uint32_t)core_answer("plain", plain, sizeof plain), want_len;
	char name[64];

	(void)snprintf(name, sizeof name, "frame-%s-%d", e->plugin.suite->name, direction);
	want_len = (uint32_t)core_answer(name, want, sizeof want);
	ck_assert_int_eq(open_frame(to, want, want_len, out), (int)len);
	ck_assert_mem_eq(out, plain, len);
	from->lanes[2].sequence = 7;
	from->with.remote_id = ID_B; /* both recorded ones are addressed alike */
	from->with.remote_index = INDEX_B;
	ck_assert_uint_eq(seal(from, 2, flags, plain, len, got), want_len);
	ck_assert_mem_eq(got, want, e->plugin.suite->is_random ? ELA_FRAME_HEAD : want_len);
}

START_TEST(recorded_frames)
{
	struct ends e;

	ends_open(&e, &providers[_i], 3, 3);
	recorded(&e, 1, 0xc1);
	recorded(&e, 2, 0x00);
	ends_close(&e);
}
END_TEST

/* Two sessions that differ in anything that goes into the keys do not open each other's frames. */
START_TEST(other_keys)
{
	uint8_t plain[64] = {1}, frame[ROOM], out[ROOM];
	struct ela_session *other;
	struct ends e;
	uint32_t len;

	ends_open(&e, &providers[_i], 1, 1);
	len = seal(e.a, 0, 0, plain, sizeof plain, frame);
	for (uint32_t bit = 0; bit < 256; bit++) {
		e.keys_b.ck[bit / 8] ^= (uint8_t)(1u << bit % 8);
		other = ela_session_new(NULL, &e.with_b, &e.keys_b, 0);
		e.keys_b.ck[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_ptr_nonnull(other);
		ck_assert_int_eq(open_frame(other, frame, len, out), -EBADMSG);
		ela_session_free(other);
	}
	ends_close(&e);
}
END_TEST

/* TTL, HOP and ECN change on the way, addresses are compared by the receiver; everything else is refused. */
START_TEST(every_bit)
{
	uint8_t plain[40], frame[ROOM], out[ROOM];
	struct ends e;

	ends_open(&e, &providers[_i], 1, 1);
	test_fill(&test_state, plain, sizeof plain);
	for (uint32_t n = 0; n < 2; n++) { /* the second one is empty: a keepalive */
		uint32_t len = seal(e.a, 0, ELA_FLAG_CSUM, plain, n ? 0 : (uint32_t)sizeof plain, frame);

		for (uint32_t bit = 0; bit < 8 * len; bit++) {
			uint32_t byte = bit / 8;
			bool free_bit = byte == 2 || (byte == 3 && (0xc2 >> bit % 8 & 1)) || (byte >= 4 && byte < 12);
			int got;

			frame[byte] ^= (uint8_t)(1u << bit % 8);
			got = open_frame(e.b, frame, len, out);
			ck_assert_msg((got >= 0) == free_bit, "byte %u bit %u of %u: %d", byte, bit % 8, len, got);
			frame[byte] ^= (uint8_t)(1u << bit % 8);
		}
	}
	ends_close(&e);
}
END_TEST

/* A cipher whose key number fail_at cannot be made. */
static uint32_t made, freed, fail_at;

static int failing_key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	(void)self, (void)suite, (void)direction, (void)key;
	if (made == fail_at)
		return -EIO;
	made++;
	*ret_key = &made;
	return 0;
}

static void counting_key_free(void *key)
{
	freed += key != NULL;
}

START_TEST(half_made)
{
	struct ela_cipher_ops ops;
	struct ends e;

	ends_open(&e, &providers[0], 1, 1);
	ops = *e.plugin.ops;
	ops.key_new = failing_key_new;
	ops.key_free = counting_key_free;
	e.cipher.ops = &ops;
	e.with_a.local_lanes = 3;
	for (fail_at = 0; fail_at < 9; fail_at++) { /* three and one of data, four and one of the hop */
		made = freed = 0;
		ck_assert_ptr_null(ela_session_new(NULL, &e.with_a, &e.keys_a, 0));
		ck_assert_uint_eq(made, fail_at);
		ck_assert_uint_eq(freed, made);
	}
	e.cipher.ops = e.plugin.ops;
	ela_session_free(NULL);
	ends_close(&e);
}
END_TEST

/* ---- limits ---- */

/* Sealing goes on to the very limit, never beyond, and the number never comes again. */
static void run_out(struct ela_session *s, uint32_t lane, uint64_t from, uint32_t len)
{
	struct ela_session_lane *l = &s->lanes[lane];
	uint64_t counter = 0, given = 0;
	bool due = false;

	l->sequence = from;
	while (ela_session_reserve(s, lane, len, &counter, &due)) {
		ck_assert_uint_eq(counter >> ELA_LANE_SHIFT, lane);
		ck_assert_uint_eq(counter & ELA_SEQUENCE_MASK, from + given);
		ck_assert_uint_le(++given, 1000);
	}
	ck_assert(due);
	counter = 0x5a5a;
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert(!ela_session_reserve(s, lane, len, &counter, &due));
		ck_assert_uint_eq(counter, 0x5a5a);
	}
	ck_assert_uint_eq(l->sequence, from + given);
}

START_TEST(packet_limits)
{
	static const uint32_t lanes[] = {1, 2, 3, 16};

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t n = lanes[i];
		uint64_t soft = (UINT64_C(1) << 30) / n, hard = (UINT64_C(1) << 32) / n, counter;
		struct ends e;
		bool due = false;

		ends_open(&e, &providers[0], n, 1);
		e.a->lanes[n - 1].sequence = soft - 1;
		ck_assert(ela_session_reserve(e.a, n - 1, 100, &counter, &due));
		ck_assert(!due);
		ck_assert(ela_session_reserve(e.a, n - 1, 100, &counter, &due));
		ck_assert(due);
		run_out(e.a, n - 1, hard - 10, 100);
		ck_assert_uint_eq(e.a->lanes[n - 1].sequence, hard);
		if (n > 1) { /* each lane has its share */
			due = false;
			ck_assert(ela_session_reserve(e.a, 0, 100, &counter, &due));
			ck_assert(!due);
			ck_assert_uint_eq(counter, 0);
		}
		ends_close(&e);
	}
}
END_TEST

/* blowfish-cbc: 32 and 64 MiB over all lanes. */
START_TEST(byte_limits)
{
	static const uint32_t lanes[] = {1, 4, 16};
	const uint32_t mib = 1024 * 1024;

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t n = lanes[i];
		uint64_t counter;
		struct ends e;
		bool due = false;

		ends_open(&e, &providers[2], n, 1);
		e.a->lanes[0].bytes = 32 * mib / n - 1400;
		ck_assert(ela_session_reserve(e.a, 0, 1400, &counter, &due));
		ck_assert(!due);
		ck_assert(ela_session_reserve(e.a, 0, 1, &counter, &due));
		ck_assert(due);
		e.a->lanes[0].bytes = 64 * mib / n - 14000;
		run_out(e.a, 0, 20, 1400);
		ck_assert_uint_eq(e.a->lanes[0].sequence, 30);
		ck_assert_uint_eq(e.a->lanes[0].bytes, 64 * mib / n);
		e.a->lanes[0].bytes = 64 * mib / n - 10;
		ck_assert(!ela_session_reserve(e.a, 0, 65535, &counter, &due));
		ck_assert(ela_session_reserve(e.a, 0, 10, &counter, &due)); /* what fits still goes */
		ends_close(&e);
	}
}
END_TEST

START_TEST(no_byte_limit)
{
	struct ends e;
	uint64_t counter;
	bool due = false;

	ends_open(&e, &providers[0], 1, 1);
	e.a->lanes[0].bytes = UINT64_C(1) << 60;
	ck_assert(ela_session_reserve(e.a, 0, 65535, &counter, &due));
	ck_assert(!due);
	ck_assert_uint_eq(e.a->born_ns, 1000);
	ck_assert_uint_eq(e.a->dead_ns, 1000 + UINT64_C(180000000000));
	ends_close(&e);
}
END_TEST

START_TEST(last_tx)
{
	struct ends e;

	ends_open(&e, &providers[0], 3, 1);
	ck_assert_uint_eq(ela_session_last_tx(e.a), 0);
	atomic_store(&e.a->lanes[1].tx_ns, 50);
	atomic_store(&e.a->lanes[2].tx_ns, 20);
	ck_assert_uint_eq(ela_session_last_tx(e.a), 50);
	ends_close(&e);
}
END_TEST

/* ---- control frames ---- */

START_TEST(control_recorded)
{
	uint8_t message[64], want[128], got[128];
	struct ends e;

	ends_open(&e, &providers[0], 1, 1);
	for (uint32_t i = 0; i < 2; i++) {
		const char *names[2][2] = {{"message-0", "control-0"}, {"message-1", "control-1"}};
		uint32_t len = (uint32_t)core_answer(names[i][0], message, sizeof message);
		uint32_t want_len = (uint32_t)core_answer(names[i][1], want, sizeof want);

		ck_assert_uint_eq(ela_session_seal_control(e.a, message, len, got), want_len);
		ck_assert_mem_eq(got, want, want_len);
	}
	ends_close(&e);
}
END_TEST

/* What frame opens to: its length, or the error; in a buffer of just its size. */
static int take(struct ela_session *s, const uint8_t *frame, uint32_t len, uint8_t *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	uint32_t got = 0x5a5a;
	int err;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, frame, len);
	err = ela_session_open_control(s, exact, len, out, &got);
	ck_assert(err == 0 || got == 0x5a5a);
	free(exact);
	return err ? err : (int)got;
}

START_TEST(control_both_ways)
{
	uint8_t message[1300], frame[ROOM], out[ROOM];
	struct ends e;

	ends_open(&e, &providers[0], 1, 1);
	test_fill(&test_state, message, sizeof message);
	for (uint32_t len = 0; len <= sizeof message; len += len < 40 ? 1 : 63) {
		uint32_t frame_len = ela_session_seal_control(e.a, message, len, frame);

		ck_assert_uint_eq(frame_len, len + 36);
		ck_assert_int_eq(take(e.a, frame, frame_len, out), -EBADMSG); /* not back to its sender */
		ck_assert_int_eq(take(e.b, frame, frame_len, out), (int)len);
		ck_assert_mem_eq(out, message, len);
		frame_len = ela_session_seal_control(e.b, message, len, frame);
		ck_assert_int_eq(take(e.a, frame, frame_len, out), (int)len);
		ck_assert_mem_eq(out, message, len);
	}
	ends_close(&e);
}
END_TEST

START_TEST(control_replay)
{
	static uint8_t frames[64][ELA_FRAME_MIN];
	uint8_t out[ROOM];
	struct ends e;

	ends_open(&e, &providers[0], 1, 1);
	for (uint32_t i = 0; i < 64; i++)
		ck_assert_uint_eq(ela_session_seal_control(e.a, NULL, 0, frames[i]), ELA_FRAME_MIN);
	for (uint32_t i = 0; i < 64; i++) { /* in any order, each once */
		uint32_t k = i * 27 % 64;

		ck_assert_int_eq(take(e.b, frames[k], ELA_FRAME_MIN, out), 0);
		ck_assert_int_eq(take(e.b, frames[k], ELA_FRAME_MIN, out), -EALREADY);
	}
	for (uint32_t i = 0; i < 64; i++)
		ck_assert_int_eq(take(e.b, frames[i], ELA_FRAME_MIN, out), -EALREADY);
	e.a->control_sequence = 64 + ELA_REPLAY_WINDOW;
	ck_assert_uint_eq(ela_session_seal_control(e.a, NULL, 0, frames[1]), ELA_FRAME_MIN);
	e.a->control_sequence = 64;
	ck_assert_uint_eq(ela_session_seal_control(e.a, NULL, 0, frames[0]), ELA_FRAME_MIN);
	ck_assert_int_eq(take(e.b, frames[1], ELA_FRAME_MIN, out), 0);
	ck_assert_int_eq(take(e.b, frames[0], ELA_FRAME_MIN, out), -EALREADY); /* never seen, but older than the window */
	ends_close(&e);
}
END_TEST

/* Each of the 128 bits of the tag, and every other bit that is not free; empty ones too. None moves the window. */
START_TEST(control_every_bit)
{
	uint8_t message[30] = {7}, frame[ROOM], out[ROOM];
	struct ends e;

	ends_open(&e, &providers[0], 1, 1);
	for (uint32_t n = 0; n < 2; n++) {
		uint32_t len = ela_session_seal_control(e.a, message, n ? 0 : (uint32_t)sizeof message, frame), tags = 0;
		struct ela_replay before = e.b->control_window;

		for (uint32_t bit = 0; bit < 8 * len; bit++) {
			uint32_t byte = bit / 8;

			if (byte == 2 || (byte == 3 && (0xc2 >> bit % 8 & 1)) || (byte >= 4 && byte < 12))
				continue; /* see every_bit */
			frame[byte] ^= (uint8_t)(1u << bit % 8);
			ck_assert_msg(take(e.b, frame, len, out) < 0, "byte %u bit %u of %u", byte, bit % 8, len);
			frame[byte] ^= (uint8_t)(1u << bit % 8);
			tags += byte >= len - ELA_TAG_LEN;
		}
		ck_assert_uint_eq(tags, 128);
		ck_assert_mem_eq(&e.b->control_window, &before, sizeof before);
		ck_assert_int_eq(take(e.b, frame, len, out), n ? 0 : (int)sizeof message);
	}
	ends_close(&e);
}
END_TEST

START_TEST(control_shape)
{
	uint8_t message[30] = {7}, frame[ROOM], out[ROOM];
	struct ends e;
	uint32_t len;

	ends_open(&e, &providers[0], 1, 1);
	len = ela_session_seal_control(e.a, message, sizeof message, frame);
	for (uint32_t cut = 0; cut < len; cut++)
		ck_assert_int_eq(take(e.b, frame, cut, out), cut < ELA_FRAME_MIN ? -EINVAL : -EBADMSG);
	for (uint32_t lane = 0; lane < 255; lane++) { /* only lane 255 is the control thread's */
		frame[12] = (uint8_t)lane;
		ck_assert_int_eq(take(e.b, frame, len, out), -EINVAL);
	}
	frame[12] = 255;
	ck_assert_int_eq(take(e.b, frame, len, out), (int)sizeof message);
	ends_close(&e);
}
END_TEST

START_TEST(control_used_up)
{
	uint8_t frame[ROOM];
	struct ends e;

	ends_open(&e, &providers[0], 1, 1);
	e.a->control_sequence = (UINT64_C(1) << 32) - 1;
	ck_assert_uint_eq(ela_session_seal_control(e.a, NULL, 0, frame), ELA_FRAME_MIN);
	for (uint32_t i = 0; i < 10; i++)
		ck_assert_uint_eq(ela_session_seal_control(e.a, NULL, 0, frame), 0);
	ck_assert_uint_eq(e.a->control_sequence, UINT64_C(1) << 32);
	ends_close(&e);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *keys = tcase_create("keys"), *limits = tcase_create("limits"), *control = tcase_create("control");
	SRunner *runner;
	int failed;

	test_seed();
	tcase_set_timeout(keys, 120);
	tcase_add_loop_test(keys, both_ways, 0, N_PROVIDERS);
	tcase_add_loop_test(keys, recorded_frames, 0, N_PROVIDERS);
	tcase_add_loop_test(keys, other_keys, 0, N_PROVIDERS);
	tcase_add_loop_test(keys, every_bit, 0, N_PROVIDERS);
	tcase_add_test(keys, half_made);
	suite_add_tcase(suite, keys);
	tcase_set_timeout(limits, 120);
	tcase_add_test(limits, packet_limits);
	tcase_add_test(limits, byte_limits);
	tcase_add_test(limits, no_byte_limit);
	tcase_add_test(limits, last_tx);
	suite_add_tcase(suite, limits);
	tcase_set_timeout(control, 120);
	tcase_add_test(control, control_recorded);
	tcase_add_test(control, control_both_ways);
	tcase_add_test(control, control_replay);
	tcase_add_test(control, control_every_bit);
	tcase_add_test(control, control_shape);
	tcase_add_test(control, control_used_up);
	suite_add_tcase(suite, control);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
