/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-aead: the suites aes-256-gcm and chacha20-poly1305 by OpenSSL 3's EVP. Instances and keys are made on the
 * control thread; a key is used by one thread at a time.
 *
 * The algorithms are fetched once per instance and a context is made once per key, so that a packet costs a new IV, the
 * data and the tag. The tag goes through parameters prepared with the key: EVP_CIPHER_CTX_ctrl() builds them at each
 * call. When OpenSSL refuses something it keeps an error record (and
 * allocates for it); only forged packets get there.
 */
#include "../common/aes-256-gcm.h"
#include "../common/cipher-burst.h"
#include "chacha20-poly1305.h"

#include <ela/cipher.h>
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TAG_LEN 16u
#define N_SUITES 2u

static const struct ela_suite suites[N_SUITES] = {
	AES_256_GCM_SUITE,
	{
		.name = "chacha20-poly1305",
		.key_len = 32,
		.overhead = TAG_LEN,
		.known = chacha20_poly1305_known,
		.n_known = sizeof chacha20_poly1305_known / sizeof chacha20_poly1305_known[0],
	},
};

/* OpenSSL's names, in the order of suites. */
static const char *const algorithms[N_SUITES] = {"AES-256-GCM", "ChaCha20-Poly1305"};

struct instance {
	EVP_CIPHER *ciphers[N_SUITES];
};

struct key {
	EVP_CIPHER_CTX *ctx;
	uint32_t direction;
	uint8_t tag[TAG_LEN];
	OSSL_PARAM tag_params[2]; /* refer to tag */
};

static void destroy(void *self)
{
	struct instance *aead = self;

	if (!aead)
		return;
	for (uint32_t i = 0; i < N_SUITES; i++)
		EVP_CIPHER_free(aead->ciphers[i]);
	free(aead);
}

static int create(const struct ela_host *host, void **ret_self)
{
	struct instance *aead = calloc(1, sizeof *aead);

	if (!aead)
		return -ENOMEM;
	for (uint32_t i = 0; i < N_SUITES; i++) {
		aead->ciphers[i] = EVP_CIPHER_fetch(NULL, algorithms[i], NULL);
		if (!aead->ciphers[i]) {
			ERR_clear_error();
			ela_log(host, ELA_LOG_ERROR,
				"OpenSSL has no %s: its default provider is off; turn it on in openssl.cnf, or use another cipher",
				algorithms[i]);
			destroy(aead);
			return -ENOTSUP;
		}
	}
	*ret_self = aead;
	return 0;
}

static void key_free(void *key)
{
	struct key *k = key;

	if (!k)
		return;
	EVP_CIPHER_CTX_free(k->ctx); /* wipes the key schedule */
	OPENSSL_cleanse(k, sizeof *k);
	free(k);
}

static int key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	const struct instance *aead = self;
	struct key *k;

	if (suite >= N_SUITES || direction > ELA_CIPHER_OPEN)
		return -EINVAL;
	k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	k->direction = direction;
	k->tag_params[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, k->tag, TAG_LEN);
	k->tag_params[1] = OSSL_PARAM_construct_end();
	k->ctx = EVP_CIPHER_CTX_new();
	if (!k->ctx ||
		EVP_CipherInit_ex2(k->ctx, aead->ciphers[suite], key, NULL, direction == ELA_CIPHER_SEAL, NULL) != 1) {
		ERR_clear_error();
		key_free(k);
		return -EIO;
	}
	*ret_key = k;
	return 0;
}

static int seal(struct key *k, struct ela_cipher_op *op)
{
	int len = 0, rest = 0;

	if (k->direction != ELA_CIPHER_SEAL || op->len > INT_MAX - TAG_LEN)
		return -EINVAL;
	if (EVP_EncryptInit_ex2(k->ctx, NULL, NULL, op->nonce, NULL) != 1)
		return -EIO;
	if (op->len > 0 && EVP_EncryptUpdate(k->ctx, op->dst, &len, op->src, (int)op->len) != 1)
		return -EIO;
	if (EVP_EncryptFinal_ex(k->ctx, op->dst + op->len, &rest) != 1 || (uint32_t)len != op->len || rest != 0)
		return -EIO;
	if (EVP_CIPHER_CTX_get_params(k->ctx, k->tag_params) != 1)
		return -EIO;
	memcpy(op->dst + op->len, k->tag, TAG_LEN);
	op->ret_len = op->len + TAG_LEN;
	return 0;
}

/* OpenSSL deciphers first and compares the tag, in constant time, at the end; the burst wipes what a forged one left.
 */
static int open(struct key *k, struct ela_cipher_op *op)
{
	uint32_t text_len = op->len - TAG_LEN;
	int len = 0, rest = 0;

	if (k->direction != ELA_CIPHER_OPEN || op->len > INT_MAX)
		return -EINVAL;
	if (op->len < TAG_LEN)
		return -EBADMSG;
	memcpy(k->tag, op->src + text_len, TAG_LEN);
	if (EVP_DecryptInit_ex2(k->ctx, NULL, NULL, op->nonce, k->tag_params) != 1)
		return -EIO;
	if (text_len > 0 && EVP_DecryptUpdate(k->ctx, op->dst, &len, op->src, (int)text_len) != 1)
		return -EIO;
	if (EVP_DecryptFinal_ex(k->ctx, op->dst + text_len, &rest) != 1)
		return -EBADMSG;
	if ((uint32_t)len != text_len || rest != 0)
		return -EIO;
	op->ret_len = text_len;
	return 0;
}

/* What OpenSSL noted of a failure is read by nobody. */
static int seal_one(void *key, struct ela_cipher_op *op)
{
	int err = seal(key, op);

	if (err != 0)
		ERR_clear_error();
	return err;
}

static int open_one(void *key, struct ela_cipher_op *op)
{
	int err = open(key, op);

	if (err != 0)
		ERR_clear_error();
	return err;
}

static uint32_t seal_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	return cipher_burst(key, ops, n, TAG_LEN, seal_one);
}

static uint32_t open_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	return cipher_burst(key, ops, n, 0, open_one);
}

static const struct ela_cipher_ops ops = {
	.suites = suites,
	.n_suites = N_SUITES,
	.suite_size = sizeof(struct ela_suite),
	.create = create,
	.destroy = destroy,
	.key_new = key_new,
	.key_free = key_free,
	.seal = seal_burst,
	.open = open_burst,
};

ELA_PLUGIN(.kind = ELA_KIND_CIPHER, .name = "aead", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "aes-256-gcm and chacha20-poly1305 by OpenSSL", .ops = &ops, .ops_size = sizeof ops);
