/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-hop: core/hop.c and the relayed frames of core/frame.h: layout byte by byte, what the tag covers and what the
 * end checks instead, replays against a naive set, lanes, limits, keys of each suite. Ciphers are the plugins' .so
 * files.
 */
#include "cipher-fixture.h"
#include "crypto.h"
#include "session.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN 40u
#define ROOM 2048u
#define HEAD (ELA_HOP_HEAD + 12u) /* of a relayed EPACKET */

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

/* Two sessions: a to b, neighbours; a to far, whom b relays to. a is the initiator of both. */
struct ends {
	struct cipher plugin;
	struct ela_cipher cipher;
	struct ela_node_suite suite;
	struct ela_session *a, *b, *a_far, *far;
};

static struct ela_session *end(struct ends *e, bool initiator, uint8_t seed, uint32_t lanes)
{
	const struct ela_agreement with = {.suite = &e->suite,
		.local_index = initiator ? 0xa1a2a3a4u + seed : 0xb1b2b3b4u + seed,
		.remote_index = initiator ? 0xb1b2b3b4u + seed : 0xa1a2a3a4u + seed,
		.remote_id = initiator ? 0x0b0b0b00u + seed : 0x0a0a0a00u,
		.local_lanes = lanes,
		.remote_lanes = lanes,
		.initiator = initiator};
	struct ela_noise_keys keys;
	struct ela_session *s;

	memset(keys.ck, seed, sizeof keys.ck);
	memset(keys.send, initiator ? 1 : 2, sizeof keys.send);
	memset(keys.recv, initiator ? 2 : 1, sizeof keys.recv);
	s = ela_session_new(NULL, &with, &keys, 1000);
	ck_assert_ptr_nonnull(s);
	return s;
}

static void ends_open(struct ends *e, const struct provider *p, uint32_t lanes)
{
	memset(e, 0, sizeof *e);
	cipher_open(&e->plugin, p->file, p->suite);
	e->cipher = (struct ela_cipher){e->plugin.ops, e->plugin.self, p->file};
	e->suite = (struct ela_node_suite){e->plugin.suite, e->plugin.number, &e->cipher};
	e->a = end(e, true, 1, lanes);
	e->b = end(e, false, 1, lanes);
	e->a_far = end(e, true, 2, lanes);
	e->far = end(e, false, 2, lanes);
}

static void ends_close(struct ends *e)
{
	ela_session_free(e->a);
	ela_session_free(e->b);
	ela_session_free(e->a_far);
	ela_session_free(e->far);
	cipher_close(&e->plugin);
}

/* A frame of len plaintext bytes from a to far, relayed by b; its length. */
static uint32_t relayed(struct ends *e, uint32_t lane, uint32_t len, uint8_t *out)
{
	uint8_t plain[ROOM], *inner = out + ELA_HOP_LEN, *frames[] = {out};
	struct ela_cipher_op op = {.src = plain, .dst = inner + ELA_FRAME_HEAD, .len = len};
	uint64_t counter;
	bool due = false;
	uint32_t total;

	memset(plain, 0x5a, sizeof plain);
	ck_assert(ela_session_reserve(e->a_far, lane, len, &counter, &due));
	ela_header_put(inner, ELA_TYPE_EPACKET, 2u << ELA_FLAG_ECN_SHIFT, e->a_far->with.remote_id);
	ela_frame_put(inner, e->a_far->with.remote_index, counter);
	ela_frame_nonce(inner, e->a_far->send_iv, op.nonce);
	ck_assert_uint_eq(e->a_far->cipher->seal(e->a_far->lanes[lane].seal_key, &op, 1), 1);
	total = ELA_HOP_LEN + ELA_FRAME_HEAD + op.ret_len;
	ela_hop_wrap(out);
	ck_assert(ela_hop_seal(e->a, lane, frames, &total, 1, &due));
	ck_assert(!due);
	return total;
}

/* What the relay says of a frame in a buffer of just its size. */
static int check(struct ela_session *s, const uint8_t *frame, uint32_t len)
{
	uint8_t *exact = malloc(len), *frames[] = {exact};
	int verdict = 1;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, frame, len);
	ela_hop_check(s, frames, &len, 1, &verdict);
	ck_assert_mem_eq(exact, frame, len);
	free(exact);
	return verdict;
}

/* What its end makes of it: the length of the plaintext or the cipher's verdict. */
static int finish(struct ends *e, const uint8_t *frame, uint32_t len)
{
	uint8_t copy[ROOM], *inner;
	struct ela_cipher_op op;

	memcpy(copy, frame, len);
	inner = ela_hop_strip(copy);
	op = (struct ela_cipher_op){
		.src = inner + ELA_FRAME_HEAD, .dst = inner + ELA_FRAME_HEAD, .len = len - ELA_HOP_LEN - ELA_FRAME_HEAD};
	ela_frame_nonce(inner, e->far->recv_iv, op.nonce);
	(void)e->far->cipher->open(e->far->open_key, &op, 1); /* the verdict says the same */
	return op.verdict ? op.verdict : (int)op.ret_len;
}

static void forget(struct ela_session *s)
{
	for (uint32_t i = 0; i < s->hop->n_windows; i++)
		ela_replay_reset(&s->hop->windows[i]);
}

/* ---- layout ---- */

START_TEST(bytes)
{
	uint8_t frame[80], want[80], block[ELA_HOP_BLOCK], nonce[12];
	static const uint8_t iv[12] = {0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xa9, 0xba, 0xcb};
	/* iv xor 0 (4) | 0f a0 b1 c2 d3 e4 f5 06 */
	static const uint8_t want_nonce[12] = {0x10, 0x21, 0x32, 0x43, 0x5b, 0xc5, 0xc7, 0x45, 0x4b, 0x4d, 0x4f, 0xcd};

	ck_assert_uint_eq(ELA_HOP_HEAD, 36);
	ck_assert_uint_eq(ELA_HOP_MIN, 64);
	ck_assert_uint_eq(ELA_HOP_BLOCK, 44);
	for (uint32_t i = 0; i < sizeof frame; i++)
		frame[i] = want[i] = (uint8_t)(0x80 + i);
	ela_hop_put(frame, 0x01020304, UINT64_C(0x0fa0b1c2d3e4f506));
	memcpy(want + 8, (const uint8_t[]){1, 2, 3, 4, 0x0f, 0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5, 0x06}, 12);
	ck_assert_mem_eq(frame, want, sizeof want);
	ck_assert_uint_eq(ela_hop_index(frame), 0x01020304);
	ck_assert_uint_eq(ela_hop_counter(frame), UINT64_C(0x0fa0b1c2d3e4f506));
	ck_assert_ptr_eq(ela_hop_tag(frame), frame + 20);
	ela_hop_block(frame, sizeof frame, block);
	ck_assert_mem_eq(block, frame, 12);
	ck_assert_mem_eq(block + 12, "\0\0\0\x50", 4);
	ck_assert_mem_eq(block + 16, frame + 36, 12);
	ck_assert_mem_eq(block + 28, frame + 64, 16);
	ela_hop_nonce(iv, ela_hop_counter(frame), nonce);
	ck_assert_mem_eq(nonce, want_nonce, sizeof nonce);
}
END_TEST

/* A direct frame comes out of a relayed one as it went in, but for the header's hop flag and what relays change. */
START_TEST(wrapped)
{
	uint8_t frame[100], direct[100 - ELA_HOP_LEN], *inner;

	for (uint32_t flags = 0; flags < 256; flags++) {
		uint8_t f = (uint8_t)(flags & ~(ELA_FLAG_HOP | ELA_FLAG_ZERO));

		test_fill(&test_state, frame, sizeof frame);
		ela_header_put(frame + ELA_HOP_LEN, ELA_TYPE_EPACKET, f, 0x01020304);
		memcpy(direct, frame + ELA_HOP_LEN, sizeof direct);
		ck_assert(!ela_frame_is_relayed(direct, sizeof direct));
		ela_hop_wrap(frame);
		ck_assert(ela_frame_is_relayed(frame, sizeof frame) && ela_header_ok(frame, sizeof frame));
		ck_assert(!ela_frame_is_relayed(frame, ELA_HEADER_LEN - 1));
		ck_assert_uint_eq(frame[3], f | ELA_FLAG_HOP);
		ck_assert_uint_eq(ela_header_destination(frame), 0x01020304);
		ck_assert_mem_eq(frame + ELA_HOP_HEAD, direct + ELA_HEADER_LEN, sizeof direct - ELA_HEADER_LEN);
		inner = ela_hop_strip(frame);
		ck_assert_ptr_eq(inner, frame + ELA_HOP_LEN);
		ck_assert_mem_eq(inner, direct, sizeof direct);
	}
}
END_TEST

/* ---- tags ---- */

START_TEST(good)
{
	uint8_t frame[ROOM];
	struct ends e;

	ends_open(&e, &providers[_i], 3);
	for (uint32_t n = 0; n < 120; n++) {
		uint32_t len = relayed(&e, n % 3, n < 60 ? n : 1400, frame);

		ck_assert_int_eq(check(e.a, frame, len), -EBADMSG); /* not back to its sender */
		ck_assert_int_eq(check(e.far, frame, len), -EBADMSG);
		ck_assert_int_eq(check(e.b, frame, len), 0);
		ck_assert_int_eq(finish(&e, frame, len), n < 60 ? (int)n : 1400);
		ck_assert_int_eq(check(e.b, frame, len), -EALREADY);
	}
	ends_close(&e);
}
END_TEST

/*
 * Each flipped bit: the relay refuses what the tag covers, without entering the counter; the rest is the payload, which
 * the end refuses.
 */
START_TEST(every_bit)
{
	uint8_t frame[ROOM];
	struct ends e;
	uint32_t len;

	ends_open(&e, &providers[_i], 1);
	len = relayed(&e, 0, PLAIN, frame);
	for (uint32_t bit = 0; bit < 8 * len; bit++) {
		uint32_t byte = bit / 8;
		bool index = byte >= 8 && byte < 12, covered = byte < HEAD || byte >= len - ELA_TAG_LEN;
		int got;

		if (index)
			continue; /* finds no session, or another one's keys */
		frame[byte] ^= (uint8_t)(1u << bit % 8);
		got = check(e.b, frame, len);
		ck_assert_msg((got != 0) == covered, "byte %u bit %u of %u: %d", byte, bit % 8, len, got);
		if (!covered)
			ck_assert_int_eq(finish(&e, frame, len), -EBADMSG);
		forget(e.b);
		frame[byte] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(check(e.b, frame, len), 0);
		forget(e.b);
	}
	ends_close(&e);
}
END_TEST

/* The index is covered as well: a session with the same keys under another index refuses it. */
START_TEST(index_covered)
{
	uint8_t frame[ROOM];
	struct ends e;
	uint32_t len;

	ends_open(&e, &providers[_i], 1);
	len = relayed(&e, 0, PLAIN, frame);
	for (uint32_t bit = 64; bit < 96; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(check(e.b, frame, len), -EBADMSG);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(check(e.b, frame, len), 0);
	ends_close(&e);
}
END_TEST

/* Cut or lengthened, its last 16 bytes kept: the length is covered. */
START_TEST(length_covered)
{
	uint8_t frame[ROOM], other[ROOM];
	struct ends e;
	uint32_t len;

	ends_open(&e, &providers[_i], 1);
	len = relayed(&e, 0, PLAIN, frame);
	for (uint32_t cut = ELA_HOP_MIN; cut < len + 40; cut++) {
		memset(other, 0, sizeof other);
		memcpy(other, frame, len - ELA_TAG_LEN);
		memcpy(other + cut - ELA_TAG_LEN, frame + len - ELA_TAG_LEN, ELA_TAG_LEN);
		memcpy(other, frame, HEAD);
		ck_assert_int_eq(check(e.b, other, cut), cut == len ? 0 : -EBADMSG);
		forget(e.b);
	}
	ends_close(&e);
}
END_TEST

/* A burst of good, forged, repeated and strange ones in any order: each has its own verdict. */
START_TEST(bursts)
{
	static uint8_t frames[ELA_HOP_BURST][128];
	uint8_t *ptrs[ELA_HOP_BURST];
	uint32_t lens[ELA_HOP_BURST], n = ELA_HOP_BURST;
	int want[ELA_HOP_BURST], got[ELA_HOP_BURST];
	struct ends e;

	ends_open(&e, &providers[_i], 4);
	for (uint32_t round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < n; i++) {
			uint32_t kind = (uint32_t)(test_random(&test_state) % 5);

			ptrs[i] = frames[i];
			if (kind == 0 && i) { /* one of this burst once more, good or not */
				uint32_t of = (uint32_t)(test_random(&test_state) % i);

				memcpy(frames[i], frames[of], sizeof frames[i]);
				lens[i] = lens[of];
				want[i] = want[of] ? want[of] : -EALREADY;
				continue;
			}
			lens[i] = relayed(&e, (uint32_t)(test_random(&test_state) % 4), 1 + i % 40, frames[i]);
			want[i] = 0;
			if (kind == 1) {
				frames[i][20 + test_random(&test_state) % 16] ^= 1;
				want[i] = -EBADMSG;
			} else if (kind == 2) { /* lanes that were not announced */
				frames[i][12] = (uint8_t)(4 + test_random(&test_state) % 251);
				want[i] = -EBADMSG;
			}
		}
		ela_hop_check(e.b, ptrs, lens, n, got);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_msg(got[i] == want[i], "round %u, frame %u: %d, wanted %d", round, i, got[i], want[i]);
		ela_hop_check(e.b, ptrs, lens, n, got);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_int_eq(got[i], want[i] ? want[i] : -EALREADY);
	}
	ends_close(&e);
}
END_TEST

/* Late and repeated frames in a random order against a naive memory of what came: window of 8,192 a lane. */
START_TEST(replays)
{
	enum { N = 9000 };
	uint8_t *frames = calloc(N, 128), *seen = calloc(N, 1);
	uint32_t lens[N], head = 0;
	struct ends e;

	ck_assert(frames && seen);
	ends_open(&e, &providers[0], 1);
	for (uint32_t i = 0; i < N; i++)
		lens[i] = relayed(&e, 0, 1, frames + i * 128);
	for (uint32_t n = 0; n < 30000; n++) {
		uint32_t ahead = (uint32_t)(test_random(&test_state) % 16 ? 8 : 4000);
		uint32_t k = (uint32_t)(test_random(&test_state) % (head + ahead)) % N;
		bool fresh = !seen[k] && k + ELA_REPLAY_WINDOW >= head;

		ck_assert_int_eq(check(e.b, frames + k * 128, lens[k]), fresh ? 0 : -EALREADY);
		if (fresh) {
			seen[k] = 1;
			head = k + 1 > head ? k + 1 : head;
		}
	}
	ends_close(&e);
	free(frames);
	free(seen);
}
END_TEST

/* Control has a sequence, a key and a window of its own, and no lane's number. */
START_TEST(control_lane)
{
	uint8_t frame[ROOM], *frames[] = {frame};
	struct ends e;
	bool due = false;

	ends_open(&e, &providers[_i], 2);
	for (uint32_t n = 0; n < 3; n++) {
		uint32_t len = relayed(&e, 1, 1, frame);

		ck_assert_uint_eq(ela_hop_counter(frame), UINT64_C(1) << 56 | n);
		ck_assert_int_eq(check(e.b, frame, len), 0);
		ck_assert(ela_hop_seal(e.a, ELA_LANE_CONTROL, frames, &len, 1, &due));
		ck_assert_uint_eq(ela_hop_counter(frame), UINT64_C(255) << 56 | n);
		ck_assert_int_eq(check(e.b, frame, len), 0);
		ck_assert_int_eq(check(e.b, frame, len), -EALREADY);
	}
	ends_close(&e);
}
END_TEST

/* Half of the lane's share: a new key is due; all of it: no more, and no number comes twice. */
START_TEST(limits)
{
	uint8_t frame[ROOM], *frames[] = {frame, frame};
	uint32_t lens[2];
	struct ends e;
	bool due = false;

	ends_open(&e, &providers[_i], 3);
	lens[0] = lens[1] = relayed(&e, 0, 1, frame);
	ck_assert_uint_eq(e.a->hop->soft_packets, (UINT64_C(1) << 30) / 4);
	ck_assert_uint_eq(e.a->hop->hard_packets, (UINT64_C(1) << 32) / 4);
	e.a->hop->lanes[2].sequence = e.a->hop->soft_packets - 1;
	ck_assert(ela_hop_seal(e.a, 2, frames, lens, 1, &due) && !due);
	ck_assert(ela_hop_seal(e.a, 2, frames, lens, 1, &due) && due);
	e.a->hop->lanes[2].sequence = e.a->hop->hard_packets - 3;
	ck_assert(ela_hop_seal(e.a, 2, frames, lens, 2, &due));
	ck_assert(!ela_hop_seal(e.a, 2, frames, lens, 2, &due));
	ck_assert(ela_hop_seal(e.a, 2, frames, lens, 1, &due));
	ck_assert(!ela_hop_seal(e.a, 2, frames, lens, 1, &due));
	ck_assert_uint_eq(e.a->hop->lanes[2].sequence, e.a->hop->hard_packets);
	due = false;
	ck_assert(ela_hop_seal(e.a, 1, frames, lens, 1, &due) && !due);
	ends_close(&e);
}
END_TEST

/* ---- keys ---- */

/* The tag worked out from the definition with the primitives alone, where the message AEAD makes it. */
START_TEST(by_definition)
{
	uint8_t ck[32], okm[44], frame[ROOM], block[44], nonce[12], sealed[60];
	struct ela_bytes info[3] = {{"ela-hop", 7}, {providers[_i].suite, strlen(providers[_i].suite)}, {"\x01", 1}};
	struct ends e;
	uint32_t len;

	if (_i != 1 && _i != 2)
		return; /* not ChaCha20-Poly1305 */
	ends_open(&e, &providers[_i], 1);
	len = relayed(&e, 0, PLAIN, frame);
	memset(ck, 1, sizeof ck);
	ck_assert_int_eq(ela_hkdf_sha256(NULL, 0, ck, 32, info, 3, okm, sizeof okm), 0);
	memcpy(block, frame, 12);
	ela_put32(block + 12, len);
	memcpy(block + 16, frame + 36, 12);
	memcpy(block + 28, frame + len - 16, 16);
	memcpy(nonce, okm + 32, 12);
	for (uint32_t i = 0; i < 8; i++)
		nonce[4 + i] ^= frame[12 + i];
	ck_assert_int_eq(ela_chachapoly_seal(okm, nonce, NULL, 0, block, 44, sealed), 0);
	ck_assert_mem_eq(frame + 20, sealed + 44, 16);
	ends_close(&e);
}
END_TEST

/* Data keys seal nothing of a hop: the two derivations share no key. */
START_TEST(keys_apart)
{
	struct ends e;

	ends_open(&e, &providers[_i], 1);
	ck_assert_mem_ne(e.a->hop->send_iv, e.a->send_iv, 12);
	ck_assert_mem_ne(e.a->hop->send_iv, e.a->hop->recv_iv, 12);
	ck_assert_mem_eq(e.a->hop->send_iv, e.b->hop->recv_iv, 12);
	ck_assert_mem_eq(e.a->hop->recv_iv, e.b->hop->send_iv, 12);
	ela_hop_free(NULL);
	ends_close(&e);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hop");
	TCase *tc = tcase_create("hop");
	SRunner *runner;
	int failed;

	test_seed();
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, bytes);
	tcase_add_test(tc, wrapped);
	tcase_add_loop_test(tc, good, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, every_bit, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, index_covered, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, length_covered, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, bursts, 0, N_PROVIDERS);
	tcase_add_test(tc, replays);
	tcase_add_loop_test(tc, control_lane, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, limits, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, by_definition, 0, N_PROVIDERS);
	tcase_add_loop_test(tc, keys_apart, 0, N_PROVIDERS);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
