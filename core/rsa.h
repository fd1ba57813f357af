/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rsa: the keys of owners and users (thesis 5.2.7): 3072 to 4096 bits, e = 65537, signatures RSA-PSS with SHA-256 and a
 * salt of 32 bytes. Nothing else is taken, and what is not is refused before any arithmetic. Control thread.
 */
#ifndef ELA_CORE_RSA_H
#define ELA_CORE_RSA_H

#include "crypto.h"
#include <glib.h>

#define ELA_RSA_MIN_BITS 3072u
#define ELA_RSA_MAX_BITS 4096u
#define ELA_RSA_DEFAULT_BITS 3072u
#define ELA_RSA_MIN_SIGNATURE (ELA_RSA_MIN_BITS / 8u)
#define ELA_RSA_MAX_SIGNATURE (ELA_RSA_MAX_BITS / 8u)
#define ELA_RSA_MAX_DER 550u

/* A public key as it travels: DER of SubjectPublicKeyInfo, in its one canonical form. A plain value. */
struct ela_rsa_public {
	uint32_t len;
	uint8_t der[ELA_RSA_MAX_DER];
	uint8_t hash[ELA_HASH_LEN]; /* SHA-256 of der: what names the key everywhere */
};

/* A key with its private part. */
struct ela_rsa;

/* bits: 3072..4096, a multiple of 8. 0, -EINVAL, -EIO. */
int ela_rsa_generate(uint32_t bits, struct ela_rsa **ret);
void ela_rsa_free(struct ela_rsa *key); /* takes NULL; wipes it */
const struct ela_rsa_public *ela_rsa_public(const struct ela_rsa *key);

/*
 * PEM (PKCS#8), not encrypted. Reads FILE under the rules of ela_file_get_secret(); writes DIR/FILE under those of
 * ela_key_write(). 0, or a negative errno with error, whose message does not name the file when reading.
 */
int ela_rsa_read(const char *file, struct ela_rsa **ret, GError **error);
int ela_rsa_write(const struct ela_rsa *key, const char *dir, const char *file, GError **error);

/* 0, -EBADMSG: not a key of ours in canonical DER. Only looks at the bytes. */
int ela_rsa_public_parse(const void *der, size_t len, struct ela_rsa_public *ret);

/* How long the key's signatures are: 384..512. */
size_t ela_rsa_signature_len(const struct ela_rsa_public *key);
/* out: ela_rsa_signature_len() bytes. 0, -EIO. */
int ela_rsa_sign(const struct ela_rsa *key, const void *data, size_t len, uint8_t *out);
/* 0; -EBADMSG; -EIO. A signature of another length costs nothing. */
int ela_rsa_verify(
	const struct ela_rsa_public *key, const void *data, size_t len, const uint8_t *signature, size_t signature_len);

#endif
