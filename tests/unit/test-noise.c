/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-noise: core/noise.c against the published vectors that the file of ELA_VECTORS holds (cacophony's format), and
 * what a handshake must refuse. One thread.
 */
#include "crypto.h"
#include "noise.h"

#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VECTORS 8
#define MAX_MESSAGES 8
#define MAX_BYTES 256

struct bytes {
	size_t len;
	uint8_t b[MAX_BYTES];
};

struct vector {
	char name[64];
	struct bytes init_prologue, init_static, init_ephemeral, init_remote_static;
	struct bytes resp_prologue, resp_static, resp_ephemeral, hash;
	size_t n_messages;
	struct bytes payload[MAX_MESSAGES], ciphertext[MAX_MESSAGES];
};

static struct vector vectors[MAX_VECTORS];
static size_t n_vectors;

static void parse_hex(struct bytes *ret, const char *text)
{
	size_t len = strlen(text);

	ck_assert_msg(len % 2 == 0 && len / 2 <= MAX_BYTES, "bad hex: %s", text);
	ret->len = len / 2;
	for (size_t i = 0; i < ret->len; i++)
		ck_assert_msg(sscanf(text + 2 * i, "%2hhx", &ret->b[i]) == 1, "bad hex: %s", text);
}

/* One "key": "value" of the file; a protocol_name opens the next vector, a payload its next message. */
static void take_pair(const char *key, const char *value)
{
	struct vector *v;

	if (!strcmp(key, "protocol_name")) {
		ck_assert_uint_lt(n_vectors, MAX_VECTORS);
		n_vectors++;
	}
	ck_assert_uint_gt(n_vectors, 0);
	v = &vectors[n_vectors - 1];
	if (!strcmp(key, "protocol_name")) {
		ck_assert_uint_lt(strlen(value), sizeof v->name);
		strcpy(v->name, value);
	} else if (!strcmp(key, "payload")) {
		ck_assert_uint_lt(v->n_messages, MAX_MESSAGES);
		parse_hex(&v->payload[v->n_messages++], value);
	} else if (!strcmp(key, "ciphertext")) {
		ck_assert_uint_gt(v->n_messages, 0);
		parse_hex(&v->ciphertext[v->n_messages - 1], value);
	} else {
		const struct {
			const char *key;
			struct bytes *to;
		} fields[] = {
			{"init_prologue", &v->init_prologue},
			{"init_static", &v->init_static},
			{"init_ephemeral", &v->init_ephemeral},
			{"init_remote_static", &v->init_remote_static},
			{"resp_prologue", &v->resp_prologue},
			{"resp_static", &v->resp_static},
			{"resp_ephemeral", &v->resp_ephemeral},
			{"handshake_hash", &v->hash},
		};
		size_t i = 0;

		while (i < sizeof fields / sizeof fields[0] && strcmp(fields[i].key, key))
			i++;
		ck_assert_msg(i < sizeof fields / sizeof fields[0], "unknown key %s", key);
		parse_hex(fields[i].to, value);
	}
}

/* The file holds objects, arrays and strings without escapes only: a string before a colon is a key. */
static void parse_vectors(char *text)
{
	const char *key = NULL;

	while ((text = strchr(text, '"'))) {
		char *start = ++text, *end = strchr(start, '"');

		ck_assert_msg(end != NULL, "unfinished string");
		*end = '\0';
		text = end + 1;
		while (isspace((unsigned char)*text))
			text++;
		if (*text == ':') {
			key = start;
		} else {
			ck_assert_msg(key != NULL, "value without key: %s", start);
			take_pair(key, start);
			key = NULL;
		}
	}
}

static void load_vectors(void)
{
	static char text[1 << 16];
	const char *path = getenv("ELA_VECTORS");
	FILE *file;
	size_t len;

	ck_assert_msg(path != NULL, "set ELA_VECTORS to the file of Noise vectors (25519, ChaChaPoly, SHA256)");
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "ELA_VECTORS=%s: %s", path, strerror(errno));
	len = fread(text, 1, sizeof text - 1, file);
	ck_assert_int_eq(ferror(file), 0);
	ck_assert_msg(feof(file), "ELA_VECTORS=%s: too long", path);
	(void)fclose(file);
	text[len] = '\0';
	n_vectors = 0;
	memset(vectors, 0, sizeof vectors);
	parse_vectors(text);
}

static const struct vector *find_vector(enum ela_noise_pattern pattern)
{
	const char *name =
		pattern == ELA_NOISE_IK ? "Noise_IK_25519_ChaChaPoly_SHA256" : "Noise_XX_25519_ChaChaPoly_SHA256";

	load_vectors();
	for (size_t i = 0; i < n_vectors; i++)
		if (!strcmp(vectors[i].name, name))
			return &vectors[i];
	ck_abort_msg("ELA_VECTORS holds no %s", name);
	return NULL;
}

static size_t n_handshake(enum ela_noise_pattern pattern)
{
	return pattern == ELA_NOISE_IK ? 2 : 3;
}

/* noise[0] becomes the initiator, noise[1] the responder. */
static void start(const struct vector *v, enum ela_noise_pattern pattern, struct ela_noise noise[2])
{
	ck_assert_int_eq(
		ela_noise_init(&noise[0], pattern, true, v->init_prologue.b, v->init_prologue.len, v->init_static.b,
			pattern == ELA_NOISE_IK ? v->init_remote_static.b : NULL, v->init_ephemeral.b),
		0);
	ck_assert_int_eq(ela_noise_init(&noise[1], pattern, false, v->resp_prologue.b, v->resp_prologue.len,
						 v->resp_static.b, NULL, v->resp_ephemeral.b),
		0);
}

/* Writes and reads message m of the vector, comparing each byte. */
static void pass_message(const struct vector *v, size_t m, struct ela_noise noise[2])
{
	uint8_t msg[MAX_BYTES + 112], back[sizeof msg];
	size_t len = 0, back_len = 0;

	ck_assert_int_eq(ela_noise_write(&noise[m % 2], v->payload[m].b, v->payload[m].len, msg, sizeof msg, &len), 0);
	ck_assert_uint_eq(len, v->ciphertext[m].len);
	ck_assert_mem_eq(msg, v->ciphertext[m].b, len);
	ck_assert_int_eq(ela_noise_read(&noise[!(m % 2)], msg, len, back, sizeof back, &back_len), 0);
	ck_assert_uint_eq(back_len, v->payload[m].len);
	ck_assert_mem_eq(back, v->payload[m].b, back_len);
}

static void make_nonce(uint64_t counter, uint8_t out[12])
{
	memset(out, 0, 12);
	for (unsigned i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(counter >> (8 * i));
}

/* Transport message m: sealed as its sender, opened as its receiver, each single byte of it flipped first. */
static void pass_transport(const struct vector *v, size_t m, uint64_t counter, const struct ela_noise_keys keys[2])
{
	const struct bytes *want = &v->ciphertext[m], *plain = &v->payload[m];
	uint8_t nonce[12], sealed[MAX_BYTES + 16], back[sizeof sealed];

	make_nonce(counter, nonce);
	ck_assert_int_eq(ela_chachapoly_seal(keys[m % 2].send, nonce, NULL, 0, plain->b, plain->len, sealed), 0);
	ck_assert_uint_eq(plain->len + 16, want->len);
	ck_assert_mem_eq(sealed, want->b, want->len);
	for (size_t i = 0; i < want->len; i++) {
		sealed[i] ^= 0x01;
		ck_assert_int_eq(ela_chachapoly_open(keys[!(m % 2)].recv, nonce, NULL, 0, sealed, want->len, back), -EBADMSG);
		sealed[i] ^= 0x01;
	}
	ck_assert_int_eq(ela_chachapoly_open(keys[!(m % 2)].recv, nonce, NULL, 0, sealed, want->len, back), 0);
	ck_assert_mem_eq(back, plain->b, plain->len);
}

static void check_vector(enum ela_noise_pattern pattern)
{
	const struct vector *v = find_vector(pattern);
	struct ela_noise_keys keys[2];
	struct ela_noise noise[2];
	uint64_t counter[2] = {0, 0};
	size_t m = 0;

	start(v, pattern, noise);
	for (; m < n_handshake(pattern); m++) {
		ck_assert(!ela_noise_is_done(&noise[0]) && !ela_noise_is_done(&noise[1]));
		ck_assert_int_eq(ela_noise_split(&noise[0], &keys[0]), -EINVAL);
		pass_message(v, m, noise);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert(ela_noise_is_done(&noise[i]));
		ck_assert_int_eq(ela_noise_split(&noise[i], &keys[i]), 0);
		ck_assert_mem_eq(keys[i].hash, v->hash.b, ELA_NOISE_HASH);
	}
	ck_assert_mem_eq(keys[0].ck, keys[1].ck, ELA_NOISE_HASH);
	ck_assert_mem_eq(noise[0].rs, noise[1].s_public, ELA_NOISE_KEY);
	ck_assert_mem_eq(noise[1].rs, noise[0].s_public, ELA_NOISE_KEY);
	for (; m < v->n_messages; m++)
		pass_transport(v, m, counter[m % 2]++, keys);
	ck_assert_uint_gt(counter[0], 0);
	ck_assert_uint_gt(counter[1], 0);
}

START_TEST(vector_ik)
{
	check_vector(ELA_NOISE_IK);
}
END_TEST

START_TEST(vector_xx)
{
	check_vector(ELA_NOISE_XX);
}
END_TEST

/* The reader refuses the message and is afterwards as it was, to the last byte. */
static void refuse(struct ela_noise *reader, const uint8_t *msg, size_t len)
{
	struct ela_noise before = *reader;
	uint8_t out[MAX_BYTES];
	size_t ret = 12345;

	ck_assert_int_eq(ela_noise_read(reader, msg, len, out, sizeof out, &ret), -EBADMSG);
	ck_assert_mem_eq(reader, &before, sizeof before);
	ck_assert_uint_eq(ret, 12345);
}

/*
 * XX message 1 is clear text: a changed one is read as well as any, but then the responder's answer, bound to what he
 * read, is refused by the initiator.
 */
static void refuse_later(const struct vector *v, const struct ela_noise noise[2], const uint8_t *msg, size_t len)
{
	struct ela_noise initiator = noise[0], responder = noise[1];
	uint8_t out[MAX_BYTES], answer[MAX_BYTES];
	size_t ret, answer_len = 0;

	ck_assert_int_eq(ela_noise_read(&responder, msg, len, out, sizeof out, &ret), 0);
	ck_assert_int_eq(
		ela_noise_write(&responder, v->payload[1].b, v->payload[1].len, answer, sizeof answer, &answer_len), 0);
	refuse(&initiator, answer, answer_len);
}

/* Message m with each byte flipped, cut to each length, or with a byte too many. noise: the writer has written it. */
static void mangle(const struct vector *v, enum ela_noise_pattern pattern, size_t m, struct ela_noise noise[2])
{
	bool clear = pattern == ELA_NOISE_XX && m == 0;
	struct ela_noise *reader = &noise[!(m % 2)];
	uint8_t msg[MAX_BYTES + 1] = {0};
	size_t len = v->ciphertext[m].len;

	memcpy(msg, v->ciphertext[m].b, len);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			msg[i] ^= (uint8_t)(1 << bit);
			if (clear)
				refuse_later(v, noise, msg, len);
			else
				refuse(reader, msg, len);
			msg[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t cut = 0; cut <= len + 1; cut++) {
		if (cut == len)
			continue;
		if (clear && cut >= ELA_NOISE_KEY)
			refuse_later(v, noise, msg, cut);
		else
			refuse(reader, msg, cut);
	}
}

static void check_mangled(enum ela_noise_pattern pattern)
{
	const struct vector *v = find_vector(pattern);
	struct ela_noise noise[2];
	uint8_t msg[MAX_BYTES], back[MAX_BYTES];
	size_t len, back_len;

	start(v, pattern, noise);
	for (size_t m = 0; m < n_handshake(pattern); m++) {
		ck_assert_int_eq(ela_noise_write(&noise[m % 2], v->payload[m].b, v->payload[m].len, msg, sizeof msg, &len), 0);
		mangle(v, pattern, m, noise);
		/* the good one is still welcome, and only once */
		ck_assert_int_eq(ela_noise_read(&noise[!(m % 2)], msg, len, back, sizeof back, &back_len), 0);
		ck_assert_mem_eq(back, v->payload[m].b, back_len);
		ck_assert_int_eq(ela_noise_read(&noise[!(m % 2)], msg, len, back, sizeof back, &back_len), -EINVAL);
	}
	ck_assert(ela_noise_is_done(&noise[0]) && ela_noise_is_done(&noise[1]));
}

START_TEST(mangled_ik)
{
	check_mangled(ELA_NOISE_IK);
}
END_TEST

START_TEST(mangled_xx)
{
	check_mangled(ELA_NOISE_XX);
}
END_TEST

/* A whole handshake with fresh ephemerals; the last step's result. */
static int handshake(enum ela_noise_pattern pattern, const char *prologue_a, const char *prologue_b,
	const uint8_t *remote_static, struct ela_noise noise[2])
{
	static const uint8_t private_a[ELA_NOISE_KEY] = {8}, private_b[ELA_NOISE_KEY] = {16};
	uint8_t msg[256], back[256], public_b[ELA_NOISE_KEY];
	size_t len, back_len;
	int err = 0;

	ck_assert_int_eq(ela_x25519_public(private_b, public_b), 0);
	if (!remote_static && pattern == ELA_NOISE_IK)
		remote_static = public_b;
	ck_assert_int_eq(
		ela_noise_init(&noise[0], pattern, true, prologue_a, strlen(prologue_a), private_a, remote_static, NULL), 0);
	ck_assert_int_eq(
		ela_noise_init(&noise[1], pattern, false, prologue_b, strlen(prologue_b), private_b, NULL, NULL), 0);
	for (size_t m = 0; err == 0 && m < n_handshake(pattern); m++) {
		err = ela_noise_write(&noise[m % 2], NULL, 0, msg, sizeof msg, &len);
		ck_assert_int_eq(err, 0);
		err = ela_noise_read(&noise[!(m % 2)], msg, len, back, sizeof back, &back_len);
	}
	return err;
}

START_TEST(fresh_keys)
{
	struct ela_noise_keys keys[4];
	struct ela_noise noise[2];

	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(handshake(_i, "p", "p", NULL, noise), 0);
		ck_assert_int_eq(ela_noise_split(&noise[0], &keys[2 * round]), 0);
		ck_assert_int_eq(ela_noise_split(&noise[1], &keys[2 * round + 1]), 0);
		ck_assert_mem_eq(keys[2 * round].send, keys[2 * round + 1].recv, ELA_NOISE_KEY);
		ck_assert_mem_eq(keys[2 * round].recv, keys[2 * round + 1].send, ELA_NOISE_KEY);
		ck_assert_mem_ne(keys[2 * round].send, keys[2 * round].recv, ELA_NOISE_KEY);
		ck_assert_mem_eq(keys[2 * round].hash, keys[2 * round + 1].hash, ELA_NOISE_HASH);
	}
	ck_assert_mem_ne(keys[0].send, keys[2].send, ELA_NOISE_KEY);
	ck_assert_mem_ne(keys[0].hash, keys[2].hash, ELA_NOISE_HASH);
}
END_TEST

START_TEST(strangers)
{
	static const uint8_t private_c[ELA_NOISE_KEY] = {24};
	struct ela_noise noise[2];
	uint8_t public_c[ELA_NOISE_KEY];

	ck_assert_int_eq(ela_x25519_public(private_c, public_c), 0);
	ck_assert_int_eq(handshake(ELA_NOISE_IK, "p", "q", NULL, noise), -EBADMSG);
	ck_assert_int_eq(handshake(ELA_NOISE_XX, "p", "q", NULL, noise), -EBADMSG);
	ck_assert_int_eq(handshake(ELA_NOISE_IK, "p", "p", public_c, noise), -EBADMSG);
}
END_TEST

START_TEST(turns_and_room)
{
	static const uint8_t private_key[ELA_NOISE_KEY] = {1}, payload[ELA_NOISE_MAX_MESSAGE];
	uint8_t msg[ELA_NOISE_MAX_MESSAGE + 1] = {9}, back[ELA_NOISE_MAX_MESSAGE];
	struct ela_noise a, b, before;
	size_t len = 12345, back_len = 12345;

	ck_assert_int_eq(ela_noise_init(&a, ELA_NOISE_IK, true, "", 0, private_key, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ela_noise_write(&a, NULL, 0, msg, sizeof msg, &len), -EINVAL);
	ck_assert_int_eq(ela_noise_read(&a, msg, 96, back, sizeof back, &len), -EINVAL);
	ck_assert_int_eq(ela_noise_init(&a, ELA_NOISE_XX, true, "", 0, private_key, NULL, NULL), 0);
	ck_assert_int_eq(ela_noise_init(&b, ELA_NOISE_XX, false, "", 0, private_key, NULL, NULL), 0);
	before = a;
	ck_assert_int_eq(ela_noise_read(&a, msg, 32, back, sizeof back, &len), -EINVAL);
	ck_assert_int_eq(ela_noise_write(&b, NULL, 0, msg, sizeof msg, &len), -EINVAL);
	ck_assert_int_eq(ela_noise_write(&a, payload, 10, msg, 41, &len), -EMSGSIZE);
	ck_assert_int_eq(ela_noise_write(&a, payload, ELA_NOISE_MAX_MESSAGE - 31, msg, sizeof msg, &len), -EMSGSIZE);
	ck_assert_int_eq(ela_noise_write(&a, payload, SIZE_MAX - 8, msg, sizeof msg, &len), -EMSGSIZE);
	ck_assert_uint_eq(len, 12345);
	ck_assert_mem_eq(&a, &before, sizeof a);
	ck_assert_int_eq(ela_noise_write(&a, payload, ELA_NOISE_MAX_MESSAGE - 32, msg, ELA_NOISE_MAX_MESSAGE, &len), 0);
	ck_assert_uint_eq(len, ELA_NOISE_MAX_MESSAGE);
	ck_assert_int_eq(ela_noise_read(&b, msg, len + 1, back, sizeof back, &back_len), -EBADMSG);
	ck_assert_int_eq(ela_noise_read(&b, msg, len, back, len - 33, &back_len), -EMSGSIZE);
	ck_assert_uint_eq(back_len, 12345);
	ck_assert_int_eq(ela_noise_read(&b, msg, len, back, len - 32, &back_len), 0);
	ck_assert_uint_eq(back_len, len - 32);
	ela_noise_wipe(&a);
	memset(&before, 0, sizeof before);
	ck_assert_mem_eq(&a, &before, sizeof a);
}
END_TEST

START_TEST(low_order_points)
{
	static const uint8_t private_key[ELA_NOISE_KEY] = {1};
	const uint8_t zero[ELA_NOISE_KEY] = {0};
	uint8_t msg[256] = {0}, back[256], public_key[ELA_NOISE_KEY];
	struct ela_noise a, b, before;
	size_t len;

	ck_assert_int_eq(ela_x25519_public(private_key, public_key), 0);
	ck_assert_int_eq(ela_noise_init(&a, ELA_NOISE_IK, true, "", 0, private_key, zero, NULL), -EBADMSG);
	/* the ephemeral key: in the clear in XX, before any DH; before the first DH in IK */
	ck_assert_int_eq(ela_noise_init(&b, ELA_NOISE_XX, false, "", 0, private_key, NULL, NULL), 0);
	before = b;
	ck_assert_int_eq(ela_noise_read(&b, msg, 32, back, sizeof back, &len), -EBADMSG);
	ck_assert_mem_eq(&b, &before, sizeof b);
	ck_assert_int_eq(ela_noise_init(&b, ELA_NOISE_IK, false, "", 0, private_key, NULL, NULL), 0);
	ck_assert_int_eq(ela_noise_read(&b, msg, 96, back, sizeof back, &len), -EBADMSG);
	/* the static key, sealed by somebody who holds the keys for it */
	ck_assert_int_eq(ela_noise_init(&a, ELA_NOISE_IK, true, "", 0, private_key, public_key, NULL), 0);
	memcpy(a.s_public, zero, sizeof zero);
	ck_assert_int_eq(ela_noise_write(&a, NULL, 0, msg, sizeof msg, &len), 0);
	ck_assert_int_eq(ela_noise_read(&b, msg, len, back, sizeof back, &len), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("noise");
	TCase *vectors_case = tcase_create("vectors"), *rules = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_add_test(vectors_case, vector_ik);
	tcase_add_test(vectors_case, vector_xx);
	tcase_add_test(vectors_case, mangled_ik);
	tcase_add_test(vectors_case, mangled_xx);
	tcase_set_timeout(vectors_case, 60);
	suite_add_tcase(suite, vectors_case);
	tcase_add_loop_test(rules, fresh_keys, ELA_NOISE_IK, ELA_NOISE_XX + 1);
	tcase_add_test(rules, strangers);
	tcase_add_test(rules, turns_and_room);
	tcase_add_test(rules, low_order_points);
	suite_add_tcase(suite, rules);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
