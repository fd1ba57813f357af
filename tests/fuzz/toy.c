/* SPDX-License-Identifier: Apache-2.0 */
/* toy: see toy.h. One thread a key. */
#include "toy.h"

#include "selftest.h"

#include <ela/cipher.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 32u
#define TAG_LEN 16u

static int create(const struct ela_host *host, void **ret_self)
{
	(void)host, (void)ret_self;
	return 0;
}

static void destroy(void *self)
{
	(void)self;
}

static int key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	uint8_t *own = malloc(KEY_LEN);

	(void)self, (void)suite, (void)direction;
	if (!own)
		return -ENOMEM;
	memcpy(own, key, KEY_LEN);
	*ret_key = own;
	return 0;
}

static void key_free(void *key)
{
	free(key);
}

/* FNV-1a, stirred. */
static uint64_t mix(uint64_t h, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 29;
	return h * UINT64_C(0x9e3779b97f4a7c15);
}

static void tag(
	const uint8_t *key, const struct ela_cipher_op *op, const uint8_t *bytes, uint32_t len, uint8_t out[TAG_LEN])
{
	uint64_t a = mix(mix(mix(1, key, KEY_LEN), op->nonce, sizeof op->nonce), bytes, len), b = mix(a, key, KEY_LEN);

	memcpy(out, &a, 8);
	memcpy(out + 8, &b, 8);
}

static uint32_t seal(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		memmove(ops[i].dst, ops[i].src, ops[i].len);
		tag(key, &ops[i], ops[i].dst, ops[i].len, ops[i].dst + ops[i].len);
		ops[i].ret_len = ops[i].len + TAG_LEN;
		ops[i].verdict = 0;
	}
	return n;
}

static uint32_t open_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ela_cipher_op *op = &ops[i];
		uint8_t want[TAG_LEN];

		op->verdict = -EBADMSG;
		if (op->len >= TAG_LEN) {
			tag(key, op, op->src, op->len - TAG_LEN, want);
			op->verdict = memcmp(want, op->src + op->len - TAG_LEN, TAG_LEN) == 0 ? 0 : -EBADMSG;
		}
		if (op->verdict != 0) {
			memset(op->dst, 0, op->len);
			continue;
		}
		op->ret_len = op->len - TAG_LEN;
		memmove(op->dst, op->src, op->ret_len);
		good++;
	}
	return good;
}

static const uint8_t zeros[KEY_LEN];
static const struct ela_known_answer known = {zeros, zeros, zeros, zeros, 0, TAG_LEN, {0, 0}};
static const struct ela_suite suite = {
	.name = "toy", .key_len = KEY_LEN, .overhead = TAG_LEN, .known = &known, .n_known = 1};
static const struct ela_cipher_ops ops = {.suites = &suite,
	.n_suites = 1,
	.suite_size = sizeof suite,
	.create = create,
	.destroy = destroy,
	.key_new = key_new,
	.key_free = key_free,
	.seal = seal,
	.open = open_burst};

const struct ela_plugin toy_cipher = {.magic = ELA_PLUGIN_MAGIC,
	.abi_major = ELA_ABI_MAJOR,
	.abi_minor = ELA_ABI_MINOR,
	.kind = ELA_KIND_CIPHER,
	.ops_size = sizeof ops,
	.name = "toy",
	.version = "1",
	.licence = "Apache-2.0",
	.summary = "a tag without secrecy, for fuzzing",
	.ops = &ops,
	.option_size = sizeof(struct ela_option)};

int __wrap_ela_cipher_selftest(
	const struct ela_loaded *plugin, void *instance, uint32_t number, char *ret_why, size_t why_len);

int __wrap_ela_cipher_selftest(
	const struct ela_loaded *plugin, void *instance, uint32_t number, char *ret_why, size_t why_len)
{
	(void)plugin, (void)instance, (void)number, (void)ret_why, (void)why_len;
	return 0;
}
