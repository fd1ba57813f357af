/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher: the tests of suites: known answers, bursts, in place and out of place, keys of their own, two instances that
 * understand each other, threads. Forgeries are in forge.c. Every buffer ends at its block's end, so that a write past
 * it is seen by a sanitizer, and has guard bytes, so that it is seen without.
 */
#include "cipher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 32u

void cipher_fill(uint8_t *bytes, uint32_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 1;

	for (uint32_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(x >> 24);
	}
}

void *cipher_key(struct check_run *run, void *self, uint32_t suite, uint32_t direction, uint32_t seed)
{
	uint8_t key[ELA_CIPHER_MAX_KEY];
	void *ret = NULL;

	cipher_fill(key, sizeof key, seed);
	check_err(run, "key_new()", run->plugin->cipher.key_new(self, suite, direction, key, &ret), 0);
	check_true(run, ret != NULL, "key_new() = 0 without a key", "one");
	return ret;
}

struct cipher_buffer cipher_buffer_new(struct check_run *run, uint32_t len, uint32_t overhead, uint32_t seed)
{
	struct cipher_buffer buffer = {.plain = malloc(len + 1),
		.sealed = malloc(len + overhead + GUARD),
		.opened = malloc(len + overhead + GUARD),
		.len = len,
		.room = len + overhead};

	if (!buffer.plain || !buffer.sealed || !buffer.opened)
		check_fail(run, "memory", "none");
	cipher_fill(buffer.plain, len, seed);
	memset(buffer.sealed, 0x5e, buffer.room + GUARD);
	memset(buffer.opened, 0x5e, buffer.room + GUARD);
	return buffer;
}

void cipher_buffer_free(struct check_run *run, struct cipher_buffer *buffer)
{
	for (uint32_t i = 0; i < GUARD; i++) {
		check_equal(run, "byte behind the room for sealing", buffer->sealed[buffer->room + i], 0x5e);
		check_equal(run, "byte behind the room for opening", buffer->opened[buffer->room + i], 0x5e);
	}
	free(buffer->plain);
	free(buffer->sealed);
	free(buffer->opened);
}

void cipher_seal(struct check_run *run, void *key, const struct ela_suite *suite, struct cipher_buffer *b,
	uint32_t nonce, bool in_place)
{
	struct ela_cipher_op op = {.src = in_place ? b->sealed : b->plain, .dst = b->sealed, .len = b->len, .verdict = 1};

	memcpy(op.nonce, &nonce, sizeof nonce);
	if (in_place)
		memcpy(b->sealed, b->plain, b->len);
	check_equal(run, "seal() of 1", run->plugin->cipher.seal(key, &op, 1), 1);
	check_err(run, "verdict of seal()", op.verdict, 0);
	if (op.ret_len < b->len + 1 || op.ret_len > b->len + suite->overhead)
		check_fail(
			run, "more than the plaintext, at most overhead more", "ret_len %u for %u bytes", op.ret_len, b->len);
	b->sealed_len = op.ret_len;
}

int cipher_open(struct check_run *run, void *key, struct cipher_buffer *b, uint32_t nonce, bool in_place)
{
	struct ela_cipher_op op = {.src = b->sealed, .dst = b->opened, .len = b->sealed_len, .verdict = 1};
	uint32_t n;

	memcpy(op.nonce, &nonce, sizeof nonce);
	if (in_place) {
		memcpy(b->opened, b->sealed, b->sealed_len);
		op.src = b->opened;
	}
	n = run->plugin->cipher.open(key, &op, 1);
	check_equal(run, "open() of 1", n, op.verdict == 0);
	b->opened_len = op.ret_len;
	return op.verdict;
}

void cipher_check_opened(struct check_run *run, const struct cipher_buffer *b)
{
	check_equal(run, "ret_len of open()", b->opened_len, b->len);
	check_true(run, memcmp(b->opened, b->plain, b->len) == 0, "other bytes after seal() and open()", "the plaintext");
}

static void check_known(struct check_run *run, void *self, uint32_t number, const struct ela_suite *suite,
	const struct ela_known_answer *known)
{
	struct cipher_buffer b = cipher_buffer_new(run, known->plain_len, ELA_CIPHER_MAX_OVERHEAD, 1);
	struct ela_cipher_op op = {.src = known->plain, .dst = b.sealed, .len = known->plain_len, .verdict = 1};
	void *key = NULL;

	check_err(run, "key_new()", run->plugin->cipher.key_new(self, number, ELA_CIPHER_SEAL, known->key, &key), 0);
	memcpy(op.nonce, known->nonce, sizeof op.nonce);
	check_equal(run, "seal() of a known answer", run->plugin->cipher.seal(key, &op, 1), 1);
	if (!suite->is_random) {
		check_equal(run, "ret_len of a known answer", op.ret_len, known->sealed_len);
		check_true(
			run, memcmp(b.sealed, known->sealed, known->sealed_len) == 0, "another ciphertext", "the known answer's");
	}
	run->plugin->cipher.key_free(key);
	check_err(run, "key_new()", run->plugin->cipher.key_new(self, number, ELA_CIPHER_OPEN, known->key, &key), 0);
	op = (struct ela_cipher_op){.src = known->sealed, .dst = b.opened, .len = known->sealed_len, .verdict = 1};
	memcpy(op.nonce, known->nonce, sizeof op.nonce);
	check_equal(run, "open() of a known answer", run->plugin->cipher.open(key, &op, 1), 1);
	check_equal(run, "ret_len of an opened known answer", op.ret_len, known->plain_len);
	check_true(run, memcmp(b.opened, known->plain, known->plain_len) == 0, "another plaintext", "the known answer's");
	run->plugin->cipher.key_free(key);
	cipher_buffer_free(run, &b);
}

static void test_known_answers(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);

	for (uint32_t i = 0; i < run->plugin->cipher.n_suites; i++) {
		const struct ela_suite *suite = ela_loaded_suite(run->plugin, i);

		check_true(run, suite->n_known > 0, "a suite without known answers", "one at least");
		for (uint32_t k = 0; k < suite->n_known; k++)
			check_known(run, instance.self, i, suite, &suite->known[k]);
	}
	check_end(run, &instance);
}

void cipher_each(struct check_run *run, void (*fn)(struct check_run *run, struct cipher_pair *pair))
{
	struct check_instance instance = check_make(run, 1);

	for (uint32_t i = 0; i < run->plugin->cipher.n_suites; i++) {
		struct cipher_pair pair = {.self = instance.self, .number = i, .suite = ela_loaded_suite(run->plugin, i)};

		pair.seal = cipher_key(run, instance.self, i, ELA_CIPHER_SEAL, 7);
		pair.open = cipher_key(run, instance.self, i, ELA_CIPHER_OPEN, 7);
		fn(run, &pair);
		run->plugin->cipher.key_free(pair.seal);
		run->plugin->cipher.key_free(pair.open);
	}
	run->plugin->cipher.key_free(NULL);
	check_end(run, &instance);
}

static void lengths(struct check_run *run, struct cipher_pair *pair)
{
	static const uint32_t lens[] = {0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 1399, 1400, 9000, 65535};

	for (uint32_t i = 0; i < sizeof lens / sizeof *lens * 4; i++) {
		struct cipher_buffer b = cipher_buffer_new(run, lens[i / 4], pair->suite->overhead, i);

		cipher_seal(run, pair->seal, pair->suite, &b, i, i & 1);
		check_err(run, "verdict of open()", cipher_open(run, pair->open, &b, i, i & 2), 0);
		cipher_check_opened(run, &b);
		cipher_buffer_free(run, &b);
	}
}

static void test_lengths(struct check_run *run)
{
	cipher_each(run, lengths);
}

/* n ops of one call: their order, each length its own, one forged in the middle. */
static void burst(struct check_run *run, struct cipher_pair *pair, uint32_t n)
{
	struct cipher_buffer *b = calloc(n + 1, sizeof *b);
	struct ela_cipher_op *ops = calloc(n + 1, sizeof *ops);
	uint32_t forged = n > 1 ? n / 2 : UINT32_MAX;

	if (!b || !ops)
		check_fail(run, "memory", "none");
	for (uint32_t i = 0; i < n; i++) {
		b[i] = cipher_buffer_new(run, (i * 67) % 1500, pair->suite->overhead, i);
		ops[i] = (struct ela_cipher_op){.src = b[i].plain, .dst = b[i].sealed, .len = b[i].len, .verdict = 1};
		memcpy(ops[i].nonce, &i, sizeof i);
	}
	check_equal(run, "seal() of a burst", run->plugin->cipher.seal(pair->seal, ops, n), n);
	for (uint32_t i = 0; i < n; i++) {
		b[i].sealed[0] ^= i == forged;
		ops[i] = (struct ela_cipher_op){.src = b[i].sealed, .dst = b[i].opened, .len = ops[i].ret_len, .verdict = 1};
		memcpy(ops[i].nonce, &i, sizeof i);
	}
	check_equal(run, "open() of a burst with one forged", run->plugin->cipher.open(pair->open, ops, n), n - (n > 1));
	for (uint32_t i = 0; i < n; i++) {
		check_err(run, "verdict in a burst", ops[i].verdict, i == forged ? -EBADMSG : 0);
		b[i].opened_len = ops[i].ret_len;
		if (i != forged)
			cipher_check_opened(run, &b[i]);
		cipher_buffer_free(run, &b[i]);
	}
	free(b);
	free(ops);
}

static void bursts(struct check_run *run, struct cipher_pair *pair)
{
	burst(run, pair, 0);
	burst(run, pair, 1);
	burst(run, pair, 64);
	burst(run, pair, 128);
}

static void test_bursts(struct check_run *run)
{
	cipher_each(run, bursts);
}

/* Keys do not know each other; a suite that adds randomness says so. */
static void keys(struct check_run *run, struct cipher_pair *pair)
{
	struct cipher_buffer b = cipher_buffer_new(run, 100, pair->suite->overhead, 1);
	struct cipher_buffer again = cipher_buffer_new(run, 100, pair->suite->overhead, 1);
	void *other = cipher_key(run, pair->self, pair->number, ELA_CIPHER_OPEN, 8);

	cipher_seal(run, pair->seal, pair->suite, &b, 1, false);
	check_err(run, "verdict of open() with another key", cipher_open(run, other, &b, 1, false), -EBADMSG);
	check_err(run, "verdict of open() with another nonce", cipher_open(run, pair->open, &b, 2, false), -EBADMSG);
	run->plugin->cipher.key_free(other);
	check_err(run, "verdict of open()", cipher_open(run, pair->open, &b, 1, false), 0);
	cipher_seal(run, pair->seal, pair->suite, &again, 1, false);
	check_equal(run, "sealing the same twice gives other bytes",
		memcmp(b.sealed, again.sealed, MIN(b.sealed_len, again.sealed_len)) != 0, pair->suite->is_random != 0);
	cipher_buffer_free(run, &b);
	cipher_buffer_free(run, &again);
}

static void test_keys(struct check_run *run)
{
	cipher_each(run, keys);
}

static void test_bad_suite(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);
	uint8_t key[ELA_CIPHER_MAX_KEY] = {0};
	void *untouched = key, *ret = untouched;

	check_true(run,
		run->plugin->cipher.key_new(instance.self, run->plugin->cipher.n_suites, ELA_CIPHER_SEAL, key, &ret) < 0,
		"key_new() = 0 for a suite past the last", "an error");
	check_true(run, ret == untouched, "*ret_key changed by a key_new() that failed", "it untouched");
	check_end(run, &instance);
}

static void test_two_instances_agree(struct check_run *run)
{
	struct check_instance a = check_make(run, 1), b = check_make(run, 1);

	for (uint32_t i = 0; i < run->plugin->cipher.n_suites; i++) {
		const struct ela_suite *suite = ela_loaded_suite(run->plugin, i);
		void *seal = cipher_key(run, a.self, i, ELA_CIPHER_SEAL, 9),
			 *open = cipher_key(run, b.self, i, ELA_CIPHER_OPEN, 9);

		for (uint32_t n = 0; n < 50; n++) {
			struct cipher_buffer buffer = cipher_buffer_new(run, n * 29, suite->overhead, n);

			cipher_seal(run, seal, suite, &buffer, n, false);
			check_err(run, "verdict of the other instance's open()", cipher_open(run, open, &buffer, n, false), 0);
			cipher_check_opened(run, &buffer);
			cipher_buffer_free(run, &buffer);
		}
		run->plugin->cipher.key_free(seal);
		run->plugin->cipher.key_free(open);
	}
	check_end(run, &a);
	check_end(run, &b);
}

/* A lane with keys of its own, made on control as core does. */
struct worker {
	struct check_run *run;
	const struct ela_suite *suite;
	void *seal, *open;
	uint32_t seed;
};

static void *work(void *data)
{
	struct worker *w = data;

	for (uint32_t i = 0; i < 300; i++) {
		struct cipher_buffer b = cipher_buffer_new(w->run, (i * 13 + w->seed) % 1400, w->suite->overhead, i ^ w->seed);

		cipher_seal(w->run, w->seal, w->suite, &b, i, i & 1);
		check_err(w->run, "verdict of open() on a lane", cipher_open(w->run, w->open, &b, i, i & 2), 0);
		cipher_check_opened(w->run, &b);
		cipher_buffer_free(w->run, &b);
	}
	return NULL;
}

static void threads(struct check_run *run, struct cipher_pair *pair)
{
	struct worker workers[4];
	pthread_t ids[4];

	for (uint32_t i = 0; i < 4; i++) {
		workers[i] = (struct worker){.run = run, .suite = pair->suite, .seed = i};
		workers[i].seal = cipher_key(run, pair->self, pair->number, ELA_CIPHER_SEAL, i + 20);
		workers[i].open = cipher_key(run, pair->self, pair->number, ELA_CIPHER_OPEN, i + 20);
	}
	for (uint32_t i = 0; i < 4; i++)
		if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
			check_fail(run, "threads", "none");
	for (uint32_t i = 0; i < 4; i++) {
		(void)pthread_join(ids[i], NULL); /* made above */
		run->plugin->cipher.key_free(workers[i].seal);
		run->plugin->cipher.key_free(workers[i].open);
	}
}

static void test_threads(struct check_run *run)
{
	cipher_each(run, threads);
}

const struct check_test check_cipher_tests[] = {
	{"known-answers", test_known_answers},
	{"lengths", test_lengths},
	{"bursts", test_bursts},
	{"keys", test_keys},
	{"bad-suite", test_bad_suite},
	{"two-instances-agree", test_two_instances_agree},
	{"threads", test_threads},
	{"forged-tags", cipher_test_forged_tags},
	{"forged-bits", cipher_test_forged_bits},
	{"cut", cipher_test_cut},
	{"wiped", cipher_test_wiped},
	{NULL, NULL},
};
