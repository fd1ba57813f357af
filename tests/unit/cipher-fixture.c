/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-fixture: a cipher plugin opened for one suite, its keys, seeded random bytes and the checks that every suite
 * must pass (see cipher-fixture.h). The test's own thread.
 */
#include "cipher-fixture.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GUARD 64u

uint64_t test_state;

void test_seed(void)
{
	const char *text = getenv("ELA_TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : ((uint64_t)time(NULL) << 16 ^ (uint64_t)getpid()) | 1;

	test_state = seed ? seed : 1; /* all zero bits would stay zero */
	fprintf(stderr, "# ELA_TEST_SEED=%#llx\n", (unsigned long long)seed);
}

uint64_t test_random(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * UINT64_C(0x2545f4914f6cdd1d);
}

void test_fill(uint64_t *s, void *out, size_t len)
{
	uint8_t *bytes = out;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t r = test_random(s);

		memcpy(bytes + i, &r, len - i < 8 ? len - i : 8);
	}
}

void cipher_open(struct cipher *f, const char *file, const char *suite)
{
	memset(f, 0, sizeof *f);
	f->plugin = test_plugin_load(file);
	ck_assert_uint_eq(f->plugin->kind, ELA_KIND_CIPHER);
	f->ops = f->plugin->ops;
	while (f->number < f->ops->n_suites && strcmp(f->ops->suites[f->number].name, suite))
		f->number++;
	ck_assert_msg(f->number < f->ops->n_suites, "%s has no suite %s", file, suite);
	f->suite = &f->ops->suites[f->number];
	f->th = test_host_new(f->plugin, 1, NULL);
	ck_assert_msg(f->ops->create(&f->th->host, &f->self) == 0, "%s: create: %s", f->plugin->name, test_host_log(f->th));
}

void cipher_close(struct cipher *f)
{
	f->ops->destroy(f->self);
	ck_assert_str_eq(test_host_log(f->th), "");
	test_host_free(f->th);
}

void *cipher_key(const struct cipher *f, uint32_t direction, const uint8_t *key)
{
	void *ret = NULL;

	ck_assert_int_eq(f->ops->key_new(f->self, f->number, direction, key, &ret), 0);
	ck_assert_ptr_nonnull(ret);
	return ret;
}

void cipher_pair_new(const struct cipher *f, struct cipher_pair *pair)
{
	test_fill(&test_state, pair->bytes, sizeof pair->bytes);
	pair->seal = cipher_key(f, ELA_CIPHER_SEAL, pair->bytes);
	pair->open = cipher_key(f, ELA_CIPHER_OPEN, pair->bytes);
}

void cipher_pair_free(const struct cipher *f, struct cipher_pair *pair)
{
	f->ops->key_free(pair->seal);
	f->ops->key_free(pair->open);
}

int cipher_run(cipher_work work, void *key, const uint8_t *nonce, const uint8_t *src, uint8_t *dst, uint32_t len,
	uint32_t *ret_len)
{
	struct ela_cipher_op op = {.src = src, .dst = dst, .len = len, .ret_len = 99, .verdict = 99};
	uint32_t good;

	memcpy(op.nonce, nonce, NONCE_LEN);
	good = work(key, &op, 1);
	ck_assert_uint_eq(good, op.verdict == 0);
	ck_assert_int_le(op.verdict, 0);
	*ret_len = op.ret_len;
	return op.verdict;
}

void assert_all(const uint8_t *bytes, size_t len, uint8_t value, const char *what)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != value) /* Check writes a file for each assertion that holds */
			ck_abort_msg("%s: byte %zu of %zu is %#x", what, i, len, bytes[i]);
}

void cipher_refuse(const struct cipher *f, void *key, const uint8_t *nonce, const uint8_t *sealed, uint32_t len)
{
	uint8_t *dst = malloc(len + GUARD);
	uint32_t got;

	ck_assert_ptr_nonnull(dst);
	for (int in_place = 0; in_place < 2; in_place++) {
		memset(dst, 0x55, len + GUARD);
		if (in_place)
			memcpy(dst, sealed, len);
		ck_assert_int_eq(cipher_run(f->ops->open, key, nonce, in_place ? dst : sealed, dst, len, &got), -EBADMSG);
		ck_assert_uint_eq(got, 0);
		assert_all(dst, len, 0, "not wiped");
		assert_all(dst + len, GUARD, 0x55, "written behind the end");
	}
	free(dst);
}

/* Room for one message of any length, sealed, with a guard behind; by malloc, so that sanitizers see its ends. */
struct buffers {
	uint8_t *plain, *sealed, *text;
};

static void new_buffers(struct buffers *b, uint32_t len, uint32_t overhead)
{
	b->plain = malloc(len + 1);
	b->sealed = malloc(len + overhead + GUARD);
	b->text = malloc(len + overhead + GUARD);
	ck_assert(b->plain && b->sealed && b->text);
	test_fill(&test_state, b->plain, len);
	memset(b->sealed, 0x55, len + overhead + GUARD);
	memset(b->text, 0x55, len + overhead + GUARD);
}

static void free_buffers(struct buffers *b)
{
	free(b->plain);
	free(b->sealed);
	free(b->text);
}

void cipher_round_trip(const struct cipher *f, const struct cipher_pair *pair, uint32_t len, bool in_place)
{
	uint32_t overhead = f->suite->overhead, sealed_len, text_len;
	uint8_t nonce[NONCE_LEN];
	struct buffers b;

	new_buffers(&b, len, overhead);
	test_fill(&test_state, nonce, sizeof nonce);
	if (in_place)
		memcpy(b.sealed, b.plain, len);
	ck_assert_int_eq(
		cipher_run(f->ops->seal, pair->seal, nonce, in_place ? b.sealed : b.plain, b.sealed, len, &sealed_len), 0);
	ck_assert_uint_gt(sealed_len, len);
	ck_assert_uint_le(sealed_len, len + overhead);
	assert_all(b.sealed + len + overhead, GUARD, 0x55, "sealed behind the end");
	if (len >= 16)
		ck_assert_mem_ne(b.sealed, b.plain, 16);
	if (in_place)
		memcpy(b.text, b.sealed, sealed_len);
	ck_assert_int_eq(
		cipher_run(f->ops->open, pair->open, nonce, in_place ? b.text : b.sealed, b.text, sealed_len, &text_len), 0);
	ck_assert_uint_eq(text_len, len);
	ck_assert_mem_eq(b.text, b.plain, len);
	assert_all(b.text + sealed_len, len + overhead + GUARD - sealed_len, 0x55, "opened behind the end");
	free_buffers(&b);
}
