/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential: binds a node's keys to its user. The user's RSA key signs it, or the token of a machine enrolment. Of two
 * in one slot of a user the higher serial counts. Plain values; control thread; errors as in object.h.
 */
#ifndef ELA_CORE_CREDENTIAL_H
#define ELA_CORE_CREDENTIAL_H

#include "body.h"

#define ELA_CREDENTIAL_CORE 0x01u /* the node may be a core node, if its user may */

struct ela_credential {
	uint8_t user[ELA_HASH_LEN]; /* hash of the user's key */
	uint32_t slot;
	uint64_t serial;
	char name[ELA_NAME_ROOM];
	uint8_t x25519[32];
	uint8_t ed25519[32];
	uint32_t roles;                  /* ELA_CREDENTIAL_* */
	uint8_t signer[ELA_HASH_LEN];    /* hash of the key that signed it; set by parse */
	uint8_t node_hash[ELA_HASH_LEN]; /* hash of ed25519; set by parse */
	uint8_t hash[ELA_HASH_LEN];      /* of the object; set by parse */
};

int ela_credential_sign(const struct ela_credential *credential, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_signer *signer, GBytes **ret, GError **error);
/* Hash of the key whose verifier parse needs. */
int ela_credential_signer(const void *bytes, size_t len, uint8_t ret[ELA_HASH_LEN], GError **error);
/* verifier NULL: not verified, for a witness's whose signer is looked up after. */
int ela_credential_parse(const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_verifier *verifier,
	const void *bytes, size_t len, struct ela_credential *ret, GError **error);

#endif
