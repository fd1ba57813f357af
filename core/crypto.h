/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto: the few primitives core itself needs, as thin wrappers over OpenSSL 3 whose every result is checked. Control
 * thread unless said otherwise. Functions return 0 or -EIO (the library failed), or what they say.
 */
#ifndef ELA_CORE_CRYPTO_H
#define ELA_CORE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELA_HASH_LEN 32u
#define ELA_ED25519_LEN 64u /* of a signature; its keys have 32 bytes */

struct ela_bytes {
	const void *data;
	size_t len;
};

/* SHA-256 over the concatenation of parts[0..n). */
int ela_sha256(const struct ela_bytes *parts, size_t n, uint8_t out[ELA_HASH_LEN]);
/* HMAC-SHA256 (RFC 2104). */
int ela_hmac_sha256(
	const void *key, size_t key_len, const struct ela_bytes *parts, size_t n, uint8_t out[ELA_HASH_LEN]);
/* HKDF-SHA256 (RFC 5869), extract and expand; info is the concatenation of parts. -EINVAL above out_len 255 * 32. */
int ela_hkdf_sha256(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, const struct ela_bytes *info,
	size_t n_info, uint8_t *out, size_t out_len);
/*
 * ChaCha20-Poly1305 (RFC 8439). Sealed = ciphertext || tag (16): seal writes len + 16 bytes, open takes len of them and
 * writes len - 16. In place allowed. A failed call's out is wiped. -EMSGSIZE above INT_MAX bytes; open: -EBADMSG.
 */
int ela_chachapoly_seal(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
	const void *plain, size_t len, uint8_t *out);
int ela_chachapoly_open(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
	const uint8_t *sealed, size_t len, uint8_t *out);
/*
 * The same with a context that is kept, for many short texts under one key: no allocation a call. Any thread, one at a
 * time. new: NULL when the library failed; free takes NULL.
 */
struct ela_chachapoly;
struct ela_chachapoly *ela_chachapoly_new(const uint8_t key[32]);
void ela_chachapoly_free(struct ela_chachapoly *c);
int ela_chachapoly_next(struct ela_chachapoly *c, const uint8_t nonce[12], const void *plain, size_t len, uint8_t *out);
/*
 * X25519 (RFC 7748). x25519: -EBADMSG for a low-order point, whose result would be all zero. point_ok tells such a
 * point from its encoding alone, so that a parser refuses it without a scalar multiplication; not secret, not constant
 * time.
 */
bool ela_x25519_point_ok(const uint8_t public_key[32]);
int ela_x25519_public(const uint8_t private_key[32], uint8_t out[32]);
int ela_x25519(const uint8_t private_key[32], const uint8_t public_key[32], uint8_t out[32]);
/* Ed25519 (RFC 8032), for signed objects. verify: -EBADMSG for a signature that is not the key's. */
int ela_ed25519_public(const uint8_t private_key[32], uint8_t out[32]);
int ela_ed25519_sign(const uint8_t private_key[32], const void *data, size_t len, uint8_t out[ELA_ED25519_LEN]);
int ela_ed25519_verify(
	const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[ELA_ED25519_LEN]);
/* Constant time. */
bool ela_equal(const void *a, const void *b, size_t len);
void ela_wipe(void *data, size_t len);

#endif
