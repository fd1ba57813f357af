/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-handshake: core/handshake.c: shapes and lengths, MACs and what they cover, cookies, payloads, node IDs. Recorded
 * answers are worked out in Python (vectors/make-core.py). Hostile input stands in buffers of exactly its size.
 */
#include "core-answers.h"
#include "handshake.h"
#include "naive.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD ELA_HANDSHAKE_HEAD
#define SMALLEST (HEAD + 48u + ELA_HANDSHAKE_MACS)

/* The shortest Noise message of each kind; 0: it has none. */
static const uint8_t shortest[256] = {[1] = 48, [2] = 48, [4] = 32, [5] = 96, [6] = 64};

static int parse(const uint8_t *message, uint32_t len, struct ela_handshake *ret)
{
	uint8_t *exact = malloc(len ? len : 1);
	int err;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, message, len);
	err = ela_handshake_parse(exact, len, ret);
	if (err == 0) { /* the pointers again, into what the caller has */
		ret->noise = message + (ret->noise - exact);
		ret->mac1 = ret->mac1 ? message + (ret->mac1 - exact) : NULL;
		ret->mac2 = ret->mac2 ? message + (ret->mac2 - exact) : NULL;
	}
	free(exact);
	return err;
}

/* ---- shape ---- */

START_TEST(every_length)
{
	static uint8_t message[ELA_HANDSHAKE_MAX + 200];

	for (uint32_t kind = 0; kind < 256; kind++) {
		bool noise = shortest[kind] != 0;

		ela_handshake_head(message, (enum ela_handshake_kind)kind, 1, kind == ELA_HANDSHAKE_COOKIE ? 0 : 2, 3,
			kind == ELA_HANDSHAKE_INIT || kind == ELA_HANDSHAKE_XX_1 ? 0 : 4);
		for (uint32_t len = 0; len <= sizeof message; len += kind < 8 ? 1 : 37) {
			bool want = noise ? len >= HEAD + shortest[kind] + ELA_HANDSHAKE_MACS && len <= 1200
							  : kind == ELA_HANDSHAKE_COOKIE && len == 72;
			struct ela_handshake hs;
			int err = parse(message, len, &hs);

			ck_assert_msg(err == (want ? 0 : -EBADMSG), "kind %u, %u bytes: %d", kind, len, err);
			if (!want)
				continue;
			ck_assert_ptr_eq(hs.noise, message + HEAD);
			ck_assert_uint_eq(hs.noise_len, len - HEAD - (noise ? ELA_HANDSHAKE_MACS : 0));
			ck_assert_ptr_eq(hs.mac1, noise ? message + len - 32 : NULL);
			ck_assert_ptr_eq(hs.mac2, noise ? message + len - 16 : NULL);
		}
	}
}
END_TEST

START_TEST(head_bytes)
{
	static const uint8_t want[HEAD] = {1, 3, 3, 0, 0x11, 0x12, 0x13, 0x14, 2, 0, 0, 0, 0x21, 0x22, 0x23, 0x24, 0x31,
		0x32, 0x33, 0x34, 0x41, 0x42, 0x43, 0x44};
	uint8_t message[SMALLEST];
	struct ela_handshake hs = {0};

	memset(message, 0xee, sizeof message); /* the zero bytes must be written */
	ela_handshake_head(message, ELA_HANDSHAKE_ANSWER, 0x11121314, 0x21222324, 0x31323334, 0x41424344);
	ck_assert_mem_eq(message, want, HEAD);
	ck_assert_int_eq(parse(message, sizeof message, &hs), 0);
	ck_assert_int_eq(hs.kind, ELA_HANDSHAKE_ANSWER);
	ck_assert_uint_eq(hs.sender_index, 0x21222324);
	ck_assert_uint_eq(hs.sender_id, 0x31323334);
	ck_assert_uint_eq(hs.receiver_index, 0x41424344);
}
END_TEST

START_TEST(zero_bytes)
{
	uint8_t message[SMALLEST] = {0};

	for (uint32_t at = 9; at < 12; at++)
		for (uint32_t v = 0; v < 256; v++) {
			struct ela_handshake hs = {.sender_index = 0x5555};

			ela_handshake_head(message, ELA_HANDSHAKE_INIT, 1, 2, 3, 0);
			message[at] = (uint8_t)v;
			ck_assert_msg(parse(message, sizeof message, &hs) == (v ? -EBADMSG : 0), "byte %u is %u", at, v);
			ck_assert_uint_eq(hs.sender_index, v ? 0x5555 : 2); /* untouched on failure */
		}
}
END_TEST

/* ---- mac1 and mac2 ---- */

struct known {
	uint8_t network[32], public_key[32], mac1_key[32], cookie[16], init[256], init_mac2[256];
	uint32_t len;
};

static struct known known(void)
{
	struct known k;

	ck_assert_uint_eq(core_answer("network", k.network, 32), 32);
	ck_assert_uint_eq(core_answer("public", k.public_key, 32), 32);
	ck_assert_uint_eq(core_answer("mac1-key", k.mac1_key, 32), 32);
	ck_assert_uint_eq(core_answer("cookie", k.cookie, 16), 16);
	k.len = (uint32_t)core_answer("init", k.init, sizeof k.init);
	ck_assert_uint_eq(core_answer("init-mac2", k.init_mac2, sizeof k.init_mac2), k.len);
	return k;
}

START_TEST(mac_answers)
{
	struct known k = known();
	uint8_t key[32], message[256];

	ck_assert_int_eq(ela_handshake_mac1_key(k.network, k.public_key, key), 0);
	ck_assert_mem_eq(key, k.mac1_key, 32);
	memcpy(message, k.init, k.len - ELA_HANDSHAKE_MACS);
	ck_assert_uint_eq(ela_handshake_mac(message, k.len - ELA_HANDSHAKE_MACS, k.mac1_key, NULL), k.len);
	ck_assert_mem_eq(message, k.init, k.len);
	ck_assert_uint_eq(ela_handshake_mac(message, k.len - ELA_HANDSHAKE_MACS, k.mac1_key, k.cookie), k.len);
	ck_assert_mem_eq(message, k.init_mac2, k.len);
}
END_TEST

/* Relays change TTL and flags; no other bit may differ. */
START_TEST(mac_covers)
{
	struct known k = known();
	uint32_t covered1 = k.len - ELA_MAC_LEN, covered2 = k.len;

	ck_assert(ela_handshake_mac1_ok(k.init_mac2, k.len, k.mac1_key));
	ck_assert(ela_handshake_mac2_ok(k.init_mac2, k.len, k.cookie));
	for (uint32_t bit = 0; bit < 8 * k.len; bit++) {
		uint32_t byte = bit / 8;
		bool relay = byte == 2 || byte == 3;
		uint8_t message[256];

		memcpy(message, k.init_mac2, k.len);
		message[byte] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(
			ela_handshake_mac1_ok(message, k.len, k.mac1_key) == (relay || byte >= covered1), "mac1, byte %u", byte);
		ck_assert_msg(
			ela_handshake_mac2_ok(message, k.len, k.cookie) == (relay || byte >= covered2), "mac2, byte %u", byte);
	}
	for (uint32_t bit = 0; bit < 256; bit++) {
		k.mac1_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert(!ela_handshake_mac1_ok(k.init_mac2, k.len, k.mac1_key));
		k.mac1_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert(!ela_handshake_mac2_ok(k.init, k.len, k.cookie)); /* no cookie = zeros */
}
END_TEST

/* A message cut or lengthened is another message. */
START_TEST(mac_lengths)
{
	struct known k = known();

	for (uint32_t len = SMALLEST; len < k.len; len++) {
		uint8_t *exact = malloc(len);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, k.init_mac2, len);
		ck_assert(!ela_handshake_mac1_ok(exact, len, k.mac1_key));
		ck_assert(!ela_handshake_mac2_ok(exact, len, k.cookie));
		free(exact);
	}
}
END_TEST

/* ---- cookies ---- */

START_TEST(cookie_of_an_address)
{
	static const uint8_t secret[32] = {1, 2, 3}, other_secret[32] = {1, 2, 4};
	struct ela_addr addr = {.ip = {192, 0, 2, 7}, .port = 7450, .family = ELA_ADDR_IP4}, changed;
	uint8_t cookie[16], again[16];

	ck_assert_int_eq(ela_cookie_make(secret, &addr, cookie), 0);
	ck_assert_int_eq(ela_cookie_make(secret, &addr, again), 0);
	ck_assert_mem_eq(cookie, again, 16);
	ck_assert_int_eq(ela_cookie_make(other_secret, &addr, again), 0);
	ck_assert_mem_ne(cookie, again, 16);
	for (uint32_t bit = 0; bit < 128; bit++) {
		changed = addr;
		changed.ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(ela_cookie_make(secret, &changed, again), 0);
		ck_assert_mem_ne(cookie, again, 16);
	}
	for (uint32_t bit = 0; bit < 16; bit++) {
		changed = addr;
		changed.port ^= (uint16_t)(1u << bit);
		ck_assert_int_eq(ela_cookie_make(secret, &changed, again), 0);
		ck_assert_mem_ne(cookie, again, 16);
	}
	changed = addr;
	changed.family = ELA_ADDR_IP6;
	ck_assert_int_eq(ela_cookie_make(secret, &changed, again), 0);
	ck_assert_mem_ne(cookie, again, 16);
}
END_TEST

/* A message 1 with mac2 for one address and port is refused for another. */
START_TEST(cookie_is_bound)
{
	static const uint8_t secret[32] = {9};
	struct known k = known();
	struct ela_addr addr = {.ip = {192, 0, 2, 7}, .port = 7450, .family = ELA_ADDR_IP4};
	uint8_t cookie[16], message[256];

	ck_assert_int_eq(ela_cookie_make(secret, &addr, cookie), 0);
	memcpy(message, k.init, k.len);
	ck_assert_uint_eq(ela_handshake_mac(message, k.len - ELA_HANDSHAKE_MACS, k.mac1_key, cookie), k.len);
	ck_assert(ela_handshake_mac2_ok(message, k.len, cookie));
	addr.port++;
	ck_assert_int_eq(ela_cookie_make(secret, &addr, cookie), 0);
	ck_assert(!ela_handshake_mac2_ok(message, k.len, cookie));
	addr.port--;
	addr.ip[3]++;
	ck_assert_int_eq(ela_cookie_make(secret, &addr, cookie), 0);
	ck_assert(!ela_handshake_mac2_ok(message, k.len, cookie));
}
END_TEST

START_TEST(cookie_message)
{
	struct known k = known();
	struct ela_handshake init, hs;
	uint8_t key[32], want[ELA_HANDSHAKE_COOKIE_LEN], got[ELA_HANDSHAKE_COOKIE_LEN], salt[16], cookie[16];

	ck_assert_int_eq(ela_cookie_key(k.network, k.public_key, key), 0);
	ck_assert_uint_eq(core_answer("cookie-key", want, sizeof want), 32);
	ck_assert_mem_eq(key, want, 32);
	ck_assert_uint_eq(core_answer("salt", salt, 16), 16);
	ck_assert_uint_eq(core_answer("cookie-message", want, sizeof want), sizeof want);
	ck_assert_int_eq(ela_handshake_parse(k.init, k.len, &init), 0);
	ck_assert_int_eq(ela_cookie_seal(got, &init, 0x11121314, key, salt, k.cookie), 0);
	ck_assert_mem_eq(got, want, sizeof want);
	ck_assert_uint_le(sizeof got, SMALLEST); /* never longer than what asked for it */
	ck_assert_int_eq(parse(got, sizeof got, &hs), 0);
	ck_assert_uint_eq(hs.receiver_index, init.sender_index);
	ck_assert_uint_eq(ela_header_destination(got), init.sender_id);
	ck_assert_int_eq(ela_cookie_open(&hs, key, init.mac1, cookie), 0);
	ck_assert_mem_eq(cookie, k.cookie, 16);
}
END_TEST

static void refused(
	const uint8_t *message, const uint8_t key[32], const uint8_t mac1[16], const char *what, uint32_t bit)
{
	uint8_t cookie[16], before[16];
	struct ela_handshake hs;

	memset(cookie, 0x5a, sizeof cookie);
	memset(before, 0x5a, sizeof before);
	ck_assert_int_eq(ela_handshake_parse(message, ELA_HANDSHAKE_COOKIE_LEN, &hs), 0);
	ck_assert_msg(ela_cookie_open(&hs, key, mac1, cookie) == -EBADMSG, "%s, bit %u", what, bit);
	ck_assert_mem_eq(cookie, before, 16); /* untouched on failure */
}

START_TEST(cookie_message_forged)
{
	struct known k = known();
	uint8_t key[32], message[ELA_HANDSHAKE_COOKIE_LEN], mac1[16];

	memcpy(mac1, k.init + k.len - ELA_HANDSHAKE_MACS, 16);
	ck_assert_uint_eq(core_answer("cookie-key", key, 32), 32);
	ck_assert_uint_eq(core_answer("cookie-message", message, sizeof message), sizeof message);
	for (uint32_t bit = 8 * HEAD; bit < 8 * sizeof message; bit++) {
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refused(message, key, mac1, "message", bit);
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (uint32_t bit = 0; bit < 128; bit++) {
		mac1[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refused(message, key, mac1, "mac1", bit);
		mac1[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	key[31] ^= 1;
	refused(message, key, mac1, "key", 0);
}
END_TEST

/* ---- payloads ---- */

static int hello_parse(const uint8_t *data, uint32_t len, struct ela_hello *ret)
{
	uint8_t *exact = malloc(len ? len : 1);
	int err;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, data, len);
	err = ela_hello_parse(exact, len, ret);
	free(exact);
	return err;
}

START_TEST(hello_bytes)
{
	const struct ela_hello hello = {
		.lanes = 4, .features = ELA_FEATURE_CSUM, .suites = "aes-256-gcm,chacha20-poly1305"};
	uint8_t want[128], out[ELA_HANDSHAKE_MAX_PAYLOAD];
	uint32_t len = ela_hello_put(&hello, out);
	struct ela_hello back;

	ck_assert_uint_eq(core_answer("hello", want, sizeof want), len);
	ck_assert_mem_eq(out, want, len);
	ck_assert_int_eq(hello_parse(out, len, &back), 0);
	ck_assert_uint_eq(back.lanes, 4);
	ck_assert_uint_eq(back.features, ELA_FEATURE_CSUM);
	ck_assert_str_eq(back.suites, hello.suites);
}
END_TEST

START_TEST(hello_round_trips)
{
	for (uint32_t n = 1; n < 256; n++) {
		struct ela_hello hello = {.lanes = 1 + n % 16, .features = n * 0x01010101}, back;
		uint8_t out[ELA_HANDSHAKE_MAX_PAYLOAD];
		uint32_t len;

		memset(hello.suites, 'a' + (int)(n % 26), n);
		len = ela_hello_put(&hello, out);
		ck_assert_uint_le(len, ELA_HANDSHAKE_MAX_PAYLOAD);
		ck_assert_int_eq(hello_parse(out, len, &back), 0);
		ck_assert_uint_eq(back.lanes, hello.lanes);
		ck_assert_uint_eq(back.features, hello.features);
		ck_assert_str_eq(back.suites, hello.suites);
	}
}
END_TEST

/* Fields as lists of bytes: tag, length (2), value. */
#define SUITES 1, 0, 3, 'a', '-', '9'
#define LANES 2, 0, 1, 1
#define FEATURES 3, 0, 4, 0, 0, 0, 0
#define COOKIE 4, 0, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

static const struct hello_row {
	const char *what;
	int want;
	uint32_t len;
	uint8_t bytes[64];
} hello_rows[] = {
#define ROW(what, want, ...)                                                                                           \
	{                                                                                                                  \
		what, want, sizeof((const uint8_t[]){__VA_ARGS__}),                                                            \
		{                                                                                                              \
			__VA_ARGS__                                                                                                \
		}                                                                                                              \
	}
	ROW("as it should be", 0, SUITES, LANES, FEATURES),
	ROW("another order", 0, FEATURES, SUITES, LANES),
	ROW("no suites", -EBADMSG, LANES, FEATURES),
	ROW("no lanes", -EBADMSG, SUITES, FEATURES),
	ROW("no features", -EBADMSG, SUITES, LANES),
	ROW("suites twice", -EBADMSG, SUITES, SUITES, LANES, FEATURES),
	ROW("lanes twice", -EBADMSG, SUITES, LANES, LANES, FEATURES),
	ROW("features twice, at the end", -EBADMSG, FEATURES, SUITES, LANES, FEATURES),
	ROW("an unknown tag in front", 0, 5, 0, 2, 0xff, 0xff, SUITES, LANES, FEATURES),
	ROW("an unknown tag behind", 0, SUITES, LANES, FEATURES, 0xff, 0, 0),
	ROW("an unknown tag between, as long as a field", 0, SUITES, 31, 0, 4, 2, 0, 1, 1, LANES, FEATURES),
	ROW("an unknown tag instead of lanes", -EBADMSG, SUITES, 5, 0, 1, 1, FEATURES),
	ROW("a byte behind", -EBADMSG, SUITES, LANES, FEATURES, 4),
	ROW("a length cut behind", -EBADMSG, SUITES, LANES, FEATURES, 4, 0),
	ROW("a value cut behind", -EBADMSG, SUITES, LANES, FEATURES, 4, 0, 1),
	ROW("a length of 65535", -EBADMSG, SUITES, LANES, FEATURES, 4, 0xff, 0xff, 1),
	ROW("no lane", -EBADMSG, SUITES, 2, 0, 1, 0, FEATURES),
	ROW("16 lanes", 0, SUITES, 2, 0, 1, 16, FEATURES),
	ROW("17 lanes", -EBADMSG, SUITES, 2, 0, 1, 17, FEATURES),
	ROW("255 lanes", -EBADMSG, SUITES, 2, 0, 1, 255, FEATURES),
	ROW("lanes without a value", -EBADMSG, SUITES, FEATURES, 2, 0, 0),
	ROW("lanes in two bytes", -EBADMSG, SUITES, 2, 0, 2, 1, 1, FEATURES),
	ROW("features in three bytes", -EBADMSG, SUITES, LANES, 3, 0, 3, 0, 0, 0),
	ROW("features in five bytes", -EBADMSG, SUITES, LANES, 3, 0, 5, 0, 0, 0, 0, 0),
	ROW("suites without a value", -EBADMSG, LANES, FEATURES, 1, 0, 0),
	ROW("suites of one byte", 0, LANES, FEATURES, 1, 0, 1, 'x'),
	ROW("with a cookie", 0, SUITES, COOKIE, LANES, FEATURES),
	ROW("a cookie twice", -EBADMSG, COOKIE, SUITES, COOKIE, LANES, FEATURES),
	ROW("a cookie of 15 bytes", -EBADMSG, SUITES, LANES, FEATURES, 4, 0, 15, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1),
	ROW("a cookie without a value", -EBADMSG, SUITES, LANES, FEATURES, 4, 0, 0),
#undef ROW
};

START_TEST(hello_table)
{
	for (uint32_t i = 0; i < sizeof hello_rows / sizeof hello_rows[0]; i++) {
		const struct hello_row *row = &hello_rows[i];
		struct ela_hello h = {.lanes = 99};

		ck_assert_msg(hello_parse(row->bytes, row->len, &h) == row->want, "%s", row->what);
		ck_assert_msg((h.lanes == 99) == (row->want != 0), "%s: *ret", row->what);
	}
}
END_TEST

START_TEST(hello_cut)
{
	for (uint32_t len = 0; len < hello_rows[0].len; len++) {
		struct ela_hello h;

		ck_assert_msg(hello_parse(hello_rows[0].bytes, len, &h) == -EBADMSG, "%u bytes", len);
	}
}
END_TEST

START_TEST(hello_suite_bytes)
{
	for (uint32_t v = 0; v < 256; v++) {
		const uint8_t bytes[] = {1, 0, 3, 'a', (uint8_t)v, 'b', LANES, FEATURES};
		bool good = (v >= 'a' && v <= 'z') || (v >= '0' && v <= '9') || v == '-' || v == ',';
		struct ela_hello h;

		ck_assert_msg(hello_parse(bytes, sizeof bytes, &h) == (good ? 0 : -EBADMSG), "byte %#x", v);
	}
	for (uint32_t n = 250; n < 260; n++) {
		uint8_t bytes[300] = {LANES, FEATURES, 1, (uint8_t)(n >> 8), (uint8_t)n};
		struct ela_hello h;

		memset(bytes + 14, 'a', n);
		ck_assert_msg(hello_parse(bytes, 14 + n, &h) == (n < 256 ? 0 : -EBADMSG), "%u bytes of names", n);
		ck_assert(n >= 256 || strlen(h.suites) == n);
	}
}
END_TEST

START_TEST(prologues)
{
	uint8_t network[32], want[64], out[48];

	ck_assert_uint_eq(core_answer("network", network, 32), 32);
	ck_assert_uint_eq(ela_prologue(network, ELA_NOISE_IK, out), core_answer("prologue-ik", want, sizeof want));
	ck_assert_mem_eq(out, want, 38);
	ck_assert_uint_eq(ela_prologue(network, ELA_NOISE_XX, out), core_answer("prologue-xx", want, sizeof want));
	ck_assert_mem_eq(out, want, 38);
}
END_TEST

/* ---- node IDs ---- */

static uint32_t id_of(const uint8_t network[32], uint32_t address)
{
	uint8_t ip[4];
	uint32_t id = 0;

	ela_put32(ip, address);
	ck_assert_int_eq(ela_node_id(network, ip, &id), 0);
	return id;
}

START_TEST(id_answers)
{
	static const struct {
		const char *text;
		uint32_t address;
	} rows[] = {{"10.88.0.1", 0x0a580001}, {"10.88.0.2", 0x0a580002}, {"0.0.0.0", 0}, {"255.255.255.255", UINT32_MAX}};
	uint8_t network[32], other[32];

	ck_assert_uint_eq(core_answer("network", network, 32), 32);
	ck_assert_uint_eq(core_answer("other-network", other, 32), 32);
	for (uint32_t i = 0; i < 4; i++) {
		char name[64];
		uint8_t want[4];

		(void)snprintf(name, sizeof name, "id-%s", rows[i].text);
		ck_assert_uint_eq(core_answer(name, want, 4), 4);
		ck_assert_msg(id_of(network, rows[i].address) == ela_get32(want), "%s", name);
		(void)snprintf(name, sizeof name, "other-id-%s", rows[i].text);
		ck_assert_uint_eq(core_answer(name, want, 4), 4);
		ck_assert_msg(id_of(other, rows[i].address) == ela_get32(want), "%s", name);
		ck_assert_uint_ne(id_of(network, rows[i].address), id_of(other, rows[i].address));
	}
}
END_TEST

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The rounds backwards lead from each ID to its address again: no two addresses share one. */
static uint32_t address_of(const uint8_t network[32], uint32_t id)
{
	uint32_t left = id >> 16, right = id & 0xffff;

	for (int round = 3; round >= 0; round--) {
		const uint8_t number = (uint8_t)round, half[2] = {(uint8_t)(left >> 8), (uint8_t)left};
		const struct ela_bytes parts[] = {{"ela-id", 6}, {&number, 1}, {half, 2}};
		uint8_t f[32];
		uint32_t before = left;

		ck_assert_int_eq(ela_hmac_sha256(network, 32, parts, 3, f), 0);
		left = right ^ ela_get16(f);
		right = before;
	}
	return left << 16 | right;
}

START_TEST(id_bijective)
{
	static uint32_t ids[65536];
	struct naive_rng rng = naive_seed("handshake");
	uint8_t network[32];

	ck_assert_uint_eq(core_answer("network", network, 32), 32);
	for (uint32_t i = 0; i < 65536; i++)
		ids[i] = id_of(network, 0x0a580000 | i);
	qsort(ids, 65536, sizeof ids[0], compare);
	for (uint32_t i = 1; i < 65536; i++)
		ck_assert_uint_ne(ids[i - 1], ids[i]);
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t address = (uint32_t)naive_next(&rng);

		if (address_of(network, id_of(network, address)) != address)
			naive_fail("address %#x is not what its ID leads to", address);
	}
	ck_assert_uint_eq(address_of(network, id_of(network, 0)), 0);
	ck_assert_uint_eq(address_of(network, id_of(network, UINT32_MAX)), UINT32_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake");
	TCase *shape = tcase_create("shape"), *macs = tcase_create("macs"), *payload = tcase_create("payload"),
		  *ids = tcase_create("ids");
	SRunner *runner;
	int failed;

	tcase_set_timeout(shape, 120);
	tcase_add_test(shape, every_length);
	tcase_add_test(shape, head_bytes);
	tcase_add_test(shape, zero_bytes);
	suite_add_tcase(suite, shape);
	tcase_set_timeout(macs, 120);
	tcase_add_test(macs, mac_answers);
	tcase_add_test(macs, mac_covers);
	tcase_add_test(macs, mac_lengths);
	tcase_add_test(macs, cookie_of_an_address);
	tcase_add_test(macs, cookie_is_bound);
	tcase_add_test(macs, cookie_message);
	tcase_add_test(macs, cookie_message_forged);
	suite_add_tcase(suite, macs);
	tcase_set_timeout(payload, 120);
	tcase_add_test(payload, hello_bytes);
	tcase_add_test(payload, hello_round_trips);
	tcase_add_test(payload, hello_table);
	tcase_add_test(payload, hello_cut);
	tcase_add_test(payload, hello_suite_bytes);
	tcase_add_test(payload, prologues);
	suite_add_tcase(suite, payload);
	tcase_set_timeout(ids, 120);
	tcase_add_test(ids, id_answers);
	tcase_add_test(ids, id_bijective);
	suite_add_tcase(suite, ids);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
