/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object: the envelope of everything that is signed (docs/protocol.md, "Signed objects"):
 *
 *   kind (1) | SHA-256 of the signer's key (32) | length of the body (4) | body | signature
 *
 * The signature is over "ELA-<KIND>-v1" with its final zero byte | network id | body. Bodies are GVariants,
 * little-endian, of the type that the kind has. The order of checks is fixed: size, kind and lengths; whose key; the
 * signature over the bytes; that the body is in normal form; what it says. Pure functions over bytes; control thread.
 *
 * Errors of everything that reads objects: 0, or a negative errno and error (domain ELA_OBJECT_ERROR, code = errno)
 * with a reason for a person. -EBADMSG: no such object, cut, forged or impossible, whoever sends it again. -EIO: the
 * library failed. ret_ parameters are untouched then.
 */
#ifndef ELA_CORE_OBJECT_H
#define ELA_CORE_OBJECT_H

#include "rsa.h"

enum ela_object_kind {
	ELA_OBJECT_GENESIS = 1,
	ELA_OBJECT_HANDOVER = 2,
	ELA_OBJECT_LIST = 3,
	ELA_OBJECT_GRANT = 4,
	ELA_OBJECT_CLAIM = 5,
	ELA_OBJECT_ENROLMENT = 6,
	ELA_OBJECT_CREDENTIAL = 7,
	ELA_OBJECT_RECORD = 8,
	ELA_OBJECT_LEASE = 9,
};
#define ELA_OBJECT_KINDS 9u

#define ELA_OBJECT_HEAD 37u
#define ELA_OBJECT_MAX 4096u
#define ELA_OBJECT_LIST_MAX 524288u
#define ELA_NETWORK_LEN 32u

#define ELA_OBJECT_ERROR (ela_object_error_quark())
GQuark ela_object_error_quark(void);

/* Sets error and returns -err. */
int ela_object_refuse(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* An envelope taken apart; borrowed from its bytes. */
struct ela_object {
	enum ela_object_kind kind;
	const uint8_t *signer; /* 32: SHA-256 of an RSA key's DER, or of an Ed25519 key's 32 bytes */
	const uint8_t *body;
	const uint8_t *signature;
	uint32_t body_len, signature_len;
};

/* Who signs, or whose signature it should be: one of the two. Borrowed. */
struct ela_signer {
	const struct ela_rsa *rsa;
	const uint8_t *ed25519; /* 32 */
};
struct ela_verifier {
	const struct ela_rsa_public *rsa;
	const uint8_t *ed25519; /* 32 */
};

/* "user list", "record": for messages. */
const char *ela_object_name(enum ela_object_kind kind);
/* As docs/protocol.md has them: "LIST", and the GVariant type of the body. */
const char *ela_object_label(enum ela_object_kind kind);
const char *ela_object_type(enum ela_object_kind kind);
/* The largest that this kind may be; for whoever fetches it. */
uint32_t ela_object_max(enum ela_object_kind kind);
/* SHA-256 of the whole object: its name. 0, -EIO. */
int ela_object_hash(const void *bytes, size_t len, uint8_t ret[ELA_HASH_LEN]);
int ela_object_key_hash(const uint8_t ed25519[32], uint8_t ret[ELA_HASH_LEN]);

/* Size, kind and lengths; nothing is believed yet. */
int ela_object_split(enum ela_object_kind kind, const void *bytes, size_t len, struct ela_object *ret, GError **error);
/* That the verifier's key signed it for this network. */
int ela_object_verify(const struct ela_object *object, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_verifier *verifier, GError **error);
/* The body as what its kind says: ret g_variant_unref. What holds the key that it is checked with (a genesis, a
 * handover, a claim, a list of a later epoch) is read before it is verified, and only that key is used before. */
int ela_object_read(const struct ela_object *object, GVariant **ret, GError **error);

/* Makes an object; body is consumed if floating. The signer's key must be of the kind's sort. */
int ela_object_sign(enum ela_object_kind kind, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_signer *signer, GVariant *body, GBytes **ret, GError **error);

#endif
