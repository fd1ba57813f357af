/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-blowfish: the suite blowfish-cbc, the thesis's cipher, kept for history. Instances and keys are made on the
 * control thread; a key is used by one thread at a time.
 *
 * Sealed = IV (8) | Blowfish-CBC with PKCS padding | MAC (16). The MAC is HMAC-SHA256 cut to 16 bytes over nonce, IV
 * and ciphertext with a key of its own, and is compared in constant time before anything is deciphered. The suite's key
 * is the cipher's 16 bytes and then the MAC's 32. Blocks of 64 bits repeat after some 2^32 of them (Sweet32,
 * CVE-2016-2183): a key is due for replacement after 32 MiB and refused after 64 MiB, and the suite is marked weak.
 *
 * Blowfish lives in OpenSSL's legacy provider. It is loaded into a library context of our own, so that no other code of
 * the process can find its algorithms. IVs come from the host's random source, 64 at a time: unpredictable as CBC
 * needs, without a system call a packet, and without per-thread generators that would outlive the library context.
 */
#include "../common/cipher-burst.h"
#include "known.h"

#include <ela/cipher.h>
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_LEN 8u
#define IV_LEN BLOCK_LEN
#define MAC_LEN 16u
#define HASH_LEN 32u
#define CIPHER_KEY_LEN 16u
#define MAC_KEY_LEN 32u
#define OVERHEAD (IV_LEN + BLOCK_LEN + MAC_LEN)
#define IVS_AT_ONCE 64u
#define MIB (UINT64_C(1) << 20)

static const struct ela_suite suites[] = {
	{
		.name = "blowfish-cbc",
		.key_len = CIPHER_KEY_LEN + MAC_KEY_LEN,
		.overhead = OVERHEAD,
		.flags = ELA_SUITE_WEAK,
		.is_random = 1,
		.rekey_bytes = 32 * MIB,
		.max_bytes = 64 * MIB,
		.known = blowfish_known,
		.n_known = sizeof blowfish_known / sizeof blowfish_known[0],
	},
};

struct instance {
	const struct ela_host *host;
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *base, *legacy;
	EVP_CIPHER *cipher;
	EVP_MAC *hmac;
};

struct key {
	const struct ela_host *host;
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
	uint32_t direction;
	uint32_t ivs_left;
	uint8_t ivs[IVS_AT_ONCE][IV_LEN];
};

static void destroy(void *self)
{
	struct instance *bf = self;

	if (!bf)
		return;
	EVP_MAC_free(bf->hmac);
	EVP_CIPHER_free(bf->cipher);
	if (bf->legacy)
		(void)OSSL_PROVIDER_unload(bf->legacy); /* nothing to do about a failure */
	if (bf->base)
		(void)OSSL_PROVIDER_unload(bf->base);
	OSSL_LIB_CTX_free(bf->lib);
	free(bf);
}

/* Why there is no Blowfish, and what helps. */
static void log_missing(const struct ela_host *host)
{
	const char *modules = getenv("OPENSSL_MODULES");

	ela_log(host, ELA_LOG_ERROR,
		"OpenSSL's legacy provider, legacy.so, is missing%s%s: install libssl3 (Debian 12; openssl-provider-legacy in "
		"later ones), or use another cipher",
		modules ? " in OPENSSL_MODULES=" : "", modules ? modules : "");
}

static int load(struct instance *bf)
{
	bf->lib = OSSL_LIB_CTX_new();
	if (!bf->lib)
		return -ENOMEM;
	bf->base = OSSL_PROVIDER_load(bf->lib, "default");
	bf->legacy = OSSL_PROVIDER_load(bf->lib, "legacy");
	if (!bf->base || !bf->legacy)
		return -ENOTSUP;
	bf->cipher = EVP_CIPHER_fetch(bf->lib, "BF-CBC", NULL);
	bf->hmac = EVP_MAC_fetch(bf->lib, "HMAC", NULL);
	return bf->cipher && bf->hmac ? 0 : -ENOTSUP;
}

static int create(const struct ela_host *host, void **ret_self)
{
	struct instance *bf = calloc(1, sizeof *bf);
	int err;

	if (!bf)
		return -ENOMEM;
	bf->host = host;
	err = load(bf);
	if (err < 0) {
		ERR_clear_error();
		if (err == -ENOTSUP)
			log_missing(host);
		destroy(bf);
		return err;
	}
	*ret_self = bf;
	return 0;
}

static void key_free(void *key)
{
	struct key *k = key;

	if (!k)
		return;
	EVP_MAC_CTX_free(k->mac);
	EVP_CIPHER_CTX_free(k->cipher); /* both wipe what they derived from the key */
	OPENSSL_cleanse(k, sizeof *k);
	free(k);
}

static bool key_start(const struct instance *bf, struct key *k, const uint8_t *key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	k->cipher = EVP_CIPHER_CTX_new();
	k->mac = EVP_MAC_CTX_new(bf->hmac);
	/* BF-CBC takes a 128-bit key and PKCS padding unless told otherwise; the length is checked all the same */
	return k->cipher && k->mac &&
		   EVP_CipherInit_ex2(k->cipher, bf->cipher, key, NULL, k->direction == ELA_CIPHER_SEAL, NULL) == 1 &&
		   EVP_CIPHER_CTX_get_key_length(k->cipher) == (int)CIPHER_KEY_LEN &&
		   EVP_MAC_init(k->mac, key + CIPHER_KEY_LEN, MAC_KEY_LEN, params) == 1;
}

static int key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	const struct instance *bf = self;
	struct key *k;

	if (suite != 0 || direction > ELA_CIPHER_OPEN)
		return -EINVAL;
	k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	k->host = bf->host;
	k->direction = direction;
	if (!key_start(bf, k, key)) {
		ERR_clear_error();
		key_free(k);
		return -EIO;
	}
	*ret_key = k;
	return 0;
}

static void take_iv(struct key *k, uint8_t out[IV_LEN])
{
	if (k->ivs_left == 0) {
		k->host->random(k->host, k->ivs, sizeof k->ivs);
		k->ivs_left = IVS_AT_ONCE;
	}
	memcpy(out, k->ivs[--k->ivs_left], IV_LEN);
}

/* HMAC of nonce and body (IV and ciphertext); the NULL key keeps the one of key_start. */
static bool make_mac(struct key *k, const uint8_t nonce[12], const uint8_t *body, size_t len, uint8_t out[HASH_LEN])
{
	size_t out_len = 0;

	return EVP_MAC_init(k->mac, NULL, 0, NULL) == 1 && EVP_MAC_update(k->mac, nonce, 12) == 1 &&
		   EVP_MAC_update(k->mac, body, len) == 1 && EVP_MAC_final(k->mac, out, &out_len, HASH_LEN) == 1 &&
		   out_len == HASH_LEN;
}

static int seal(struct key *k, struct ela_cipher_op *op)
{
	uint8_t *text = op->dst + IV_LEN, mac[HASH_LEN];
	const uint8_t *src = op->src;
	int len = 0, rest = 0;

	if (k->direction != ELA_CIPHER_SEAL || op->len > INT_MAX - OVERHEAD)
		return -EINVAL;
	if (src == op->dst) { /* make room for the IV; ciphering itself works in place */
		memmove(text, src, op->len);
		src = text;
	}
	take_iv(k, op->dst);
	if (EVP_EncryptInit_ex2(k->cipher, NULL, NULL, op->dst, NULL) != 1)
		return -EIO;
	if (op->len > 0 && EVP_EncryptUpdate(k->cipher, text, &len, src, (int)op->len) != 1)
		return -EIO;
	if (EVP_EncryptFinal_ex(k->cipher, text + len, &rest) != 1)
		return -EIO;
	len += rest;
	if (!make_mac(k, op->nonce, op->dst, IV_LEN + (size_t)len, mac))
		return -EIO;
	memcpy(text + len, mac, MAC_LEN);
	op->ret_len = IV_LEN + (uint32_t)len + MAC_LEN;
	return 0;
}

static int decipher(struct key *k, struct ela_cipher_op *op, uint32_t text_len)
{
	bool in_place = op->src == op->dst;
	const uint8_t *text = op->src + IV_LEN;
	uint8_t *out = in_place ? op->dst + IV_LEN : op->dst;
	int len = 0, rest = 0;

	if (EVP_DecryptInit_ex2(k->cipher, NULL, NULL, op->src, NULL) != 1 ||
		EVP_DecryptUpdate(k->cipher, out, &len, text, (int)text_len) != 1)
		return -EIO;
	if (EVP_DecryptFinal_ex(k->cipher, out + len, &rest) != 1)
		return -EBADMSG; /* padding; only a holder of the MAC key gets here, so it is no oracle */
	op->ret_len = (uint32_t)(len + rest);
	if (in_place)
		memmove(op->dst, out, op->ret_len);
	return 0;
}

static int open(struct key *k, struct ela_cipher_op *op)
{
	uint8_t mac[HASH_LEN];
	uint32_t body_len;

	if (k->direction != ELA_CIPHER_OPEN || op->len > INT_MAX)
		return -EINVAL;
	if (op->len < OVERHEAD || (op->len - IV_LEN - MAC_LEN) % BLOCK_LEN != 0)
		return -EBADMSG;
	body_len = op->len - MAC_LEN;
	if (!make_mac(k, op->nonce, op->src, body_len, mac))
		return -EIO;
	if (CRYPTO_memcmp(mac, op->src + body_len, MAC_LEN) != 0)
		return -EBADMSG;
	return decipher(k, op, body_len - IV_LEN);
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
	return cipher_burst(key, ops, n, OVERHEAD, seal_one);
}

static uint32_t open_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	return cipher_burst(key, ops, n, 0, open_one);
}

static const struct ela_cipher_ops ops = {
	.suites = suites,
	.n_suites = sizeof suites / sizeof suites[0],
	.suite_size = sizeof(struct ela_suite),
	.create = create,
	.destroy = destroy,
	.key_new = key_new,
	.key_free = key_free,
	.seal = seal_burst,
	.open = open_burst,
};

ELA_PLUGIN(.kind = ELA_KIND_CIPHER, .name = "blowfish", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "blowfish-cbc by OpenSSL, the thesis's cipher; weak", .ops = &ops, .ops_size = sizeof ops);
