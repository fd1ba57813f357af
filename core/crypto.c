/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto: hashes, HKDF, ChaCha20-Poly1305, X25519 and Ed25519 over OpenSSL 3 (see crypto.h). Keeps nothing between
 * calls, so any thread may use it; each call fetches its algorithm anew, which handshakes and messages can
 * afford and data frames cannot: those are sealed by cipher plugins.
 *
 * Whatever fails leaves OpenSSL's per-thread error queue empty: nobody reads it, and a stale entry would mislead.
 */
#include "crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define TAG_LEN 16u
#define POINT_LEN 32u

static int result(bool ok, int error)
{
	if (ok)
		return 0;
	ERR_clear_error();
	return error;
}

int ela_sha256(const struct ela_bytes *parts, size_t n, uint8_t out[ELA_HASH_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = parts[i].len == 0 || EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return result(ok, -EIO);
}

/* A context keyed for HMAC-SHA256; NULL when the library failed. */
static EVP_MAC_CTX *hmac_new(const void *key, size_t key_len)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac); /* the context holds its own reference */
	/* A NULL key would mean "as before": an empty one needs an address too. */
	if (ctx && EVP_MAC_init(ctx, key_len ? key : "", key_len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static bool hmac_add(EVP_MAC_CTX *ctx, const void *data, size_t len)
{
	return len == 0 || EVP_MAC_update(ctx, data, len) == 1;
}

static bool hmac_add_all(EVP_MAC_CTX *ctx, const struct ela_bytes *parts, size_t n)
{
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++)
		ok = hmac_add(ctx, parts[i].data, parts[i].len);
	return ok;
}

static bool hmac_end(EVP_MAC_CTX *ctx, uint8_t out[ELA_HASH_LEN])
{
	size_t len = 0;

	return EVP_MAC_final(ctx, out, &len, ELA_HASH_LEN) == 1 && len == ELA_HASH_LEN;
}

int ela_hmac_sha256(const void *key, size_t key_len, const struct ela_bytes *parts, size_t n, uint8_t out[ELA_HASH_LEN])
{
	EVP_MAC_CTX *ctx = hmac_new(key, key_len);
	bool ok = ctx && hmac_add_all(ctx, parts, n) && hmac_end(ctx, out);

	EVP_MAC_CTX_free(ctx);
	return result(ok, -EIO);
}

/* RFC 5869 section 2.3: T(i) = HMAC(prk, T(i - 1) | info | i). */
static bool hkdf_expand(EVP_MAC_CTX *ctx, const struct ela_bytes *info, size_t n_info, uint8_t *out, size_t out_len)
{
	uint8_t block[ELA_HASH_LEN];
	bool ok = true;

	for (size_t done = 0, i = 1; ok && done < out_len; i++) {
		size_t take = out_len - done < sizeof block ? out_len - done : sizeof block;
		uint8_t number = (uint8_t)i;

		if (i > 1) /* NULL key: the same key again */
			ok = EVP_MAC_init(ctx, NULL, 0, NULL) == 1 && hmac_add(ctx, block, sizeof block);
		ok = ok && hmac_add_all(ctx, info, n_info) && hmac_add(ctx, &number, 1) && hmac_end(ctx, block);
		if (ok)
			memcpy(out + done, block, take);
		done += take;
	}
	ela_wipe(block, sizeof block);
	return ok;
}

int ela_hkdf_sha256(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, const struct ela_bytes *info,
	size_t n_info, uint8_t *out, size_t out_len)
{
	const struct ela_bytes secret = {ikm, ikm_len};
	uint8_t prk[ELA_HASH_LEN];
	EVP_MAC_CTX *ctx;
	bool ok;

	if (out_len > 255 * ELA_HASH_LEN)
		return -EINVAL;
	/* Without a salt RFC 5869 takes 32 zero bytes: the same HMAC key as the empty one. */
	if (ela_hmac_sha256(salt, salt_len, &secret, 1, prk) < 0)
		return -EIO;
	ctx = hmac_new(prk, sizeof prk);
	ok = ctx && hkdf_expand(ctx, info, n_info, out, out_len);
	EVP_MAC_CTX_free(ctx);
	ela_wipe(prk, sizeof prk);
	if (!ok)
		ela_wipe(out, out_len);
	return result(ok, -EIO);
}

/* A context with key, nonce and associated data in; NULL when the library failed. */
static EVP_CIPHER_CTX *begin_chachapoly(
	int encrypt, const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;

	if (ctx && EVP_CipherInit_ex2(ctx, EVP_chacha20_poly1305(), key, nonce, encrypt, NULL) == 1 &&
		(aad_len == 0 || EVP_CipherUpdate(ctx, NULL, &len, aad, (int)aad_len) == 1))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

/* The text and the end of it, which checks the tag when opening. */
static bool chachapoly_run(EVP_CIPHER_CTX *ctx, const void *in, size_t len, uint8_t *out)
{
	uint8_t none[TAG_LEN];
	int got = 0, rest = 0;

	if (len > 0 && EVP_CipherUpdate(ctx, out, &got, in, (int)len) != 1)
		return false;
	return EVP_CipherFinal_ex(ctx, none, &rest) == 1 && (size_t)got == len && rest == 0;
}

int ela_chachapoly_seal(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
	const void *plain, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	bool ok;

	if (aad_len > INT_MAX || len > INT_MAX - TAG_LEN)
		return -EMSGSIZE;
	ctx = begin_chachapoly(1, key, nonce, aad, aad_len);
	ok = ctx && chachapoly_run(ctx, plain, len, out) &&
		 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		ela_wipe(out, len + TAG_LEN);
	return result(ok, -EIO);
}

int ela_chachapoly_open(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
	const uint8_t *sealed, size_t len, uint8_t *out)
{
	uint8_t tag[TAG_LEN];
	EVP_CIPHER_CTX *ctx;
	bool ready, ok;

	if (aad_len > INT_MAX || len > INT_MAX)
		return -EMSGSIZE;
	if (len < TAG_LEN)
		return -EBADMSG;
	len -= TAG_LEN;
	memcpy(tag, sealed + len, TAG_LEN);
	ctx = begin_chachapoly(0, key, nonce, aad, aad_len);
	ready = ctx && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1;
	ok = ready && chachapoly_run(ctx, sealed, len, out);
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		ela_wipe(out, len);
	return result(ok, ready ? -EBADMSG : -EIO);
}

/* The context is all there is: struct ela_chachapoly is another name for it. */
struct ela_chachapoly *ela_chachapoly_new(const uint8_t key[32])
{
	static const uint8_t zero[12];

	return (struct ela_chachapoly *)begin_chachapoly(1, key, zero, NULL, 0);
}

void ela_chachapoly_free(struct ela_chachapoly *c)
{
	EVP_CIPHER_CTX_free((EVP_CIPHER_CTX *)c);
}

int ela_chachapoly_next(struct ela_chachapoly *c, const uint8_t nonce[12], const void *plain, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = (EVP_CIPHER_CTX *)c;
	bool ok;

	if (len > INT_MAX - TAG_LEN)
		return -EMSGSIZE;
	ok = EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 && chachapoly_run(ctx, plain, len, out) &&
		 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) == 1;
	if (!ok)
		ela_wipe(out, len + TAG_LEN);
	return result(ok, -EIO);
}

/*
 * The points of order 1, 2, 4 and 8 on the curve and its twist: 0, 1, two of order 8, p - 1 and the two that a
 * non-canonical encoding adds, p and p + 1 (p = 2^255 - 19). Bit 255 is ignored, as RFC 7748 section 5 does.
 */
static const uint8_t low_order[][POINT_LEN] = {
	{0x00},
	{0x01},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d,
		0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c,
		0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

bool ela_x25519_point_ok(const uint8_t public_key[32])
{
	uint8_t point[POINT_LEN];

	memcpy(point, public_key, sizeof point);
	point[POINT_LEN - 1] &= 0x7f;
	for (size_t i = 0; i < sizeof low_order / sizeof low_order[0]; i++)
		if (memcmp(point, low_order[i], sizeof point) == 0)
			return false;
	return true;
}

static int public_half(int type, const uint8_t private_key[32], uint8_t out[32])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, private_key, POINT_LEN);
	size_t len = POINT_LEN;
	bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == POINT_LEN;

	EVP_PKEY_free(key);
	return result(ok, -EIO);
}

int ela_x25519_public(const uint8_t private_key[32], uint8_t out[32])
{
	return public_half(EVP_PKEY_X25519, private_key, out);
}

int ela_ed25519_public(const uint8_t private_key[32], uint8_t out[32])
{
	return public_half(EVP_PKEY_ED25519, private_key, out);
}

int ela_ed25519_sign(const uint8_t private_key[32], const void *data, size_t len, uint8_t out[ELA_ED25519_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, POINT_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t out_len = ELA_ED25519_LEN;
	bool ok = key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
			  EVP_DigestSign(ctx, out, &out_len, data, len) == 1 && out_len == ELA_ED25519_LEN;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return result(ok, -EIO);
}

int ela_ed25519_verify(
	const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[ELA_ED25519_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, POINT_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ready = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1;
	bool ok = ready && EVP_DigestVerify(ctx, signature, ELA_ED25519_LEN, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return result(ok, ready ? -EBADMSG : -EIO);
}

int ela_x25519(const uint8_t private_key[32], const uint8_t public_key[32], uint8_t out[32])
{
	EVP_PKEY *own, *peer;
	EVP_PKEY_CTX *ctx;
	size_t len = POINT_LEN;
	bool ok;

	if (!ela_x25519_point_ok(public_key))
		return -EBADMSG;
	own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, POINT_LEN);
	peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, POINT_LEN);
	ctx = own ? EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL) : NULL;
	/* derive fails by itself on an all-zero result, should the list above ever miss a point */
	ok = peer && ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
		 EVP_PKEY_derive(ctx, out, &len) == 1 && len == POINT_LEN;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(own);
	if (!ok)
		ela_wipe(out, POINT_LEN);
	return result(ok, -EIO);
}

bool ela_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void ela_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}
