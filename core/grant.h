/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant, claim, enrolment: how a user gets in while the owner is away (docs/adr/0014).
 *
 *   grant      owner, or a user who may invite: "who has this token's key is user NAME, with these rights, until then"
 *   claim      the token's key signs: the grant, and whom it is used for - a new user's key, or one node of the granter
 *   enrolment  an admitting core signs: the claim, its own credential, the time. Travels and is kept like the list.
 *
 * Plain values; control thread; errors as in object.h.
 */
#ifndef ELA_CORE_GRANT_H
#define ELA_CORE_GRANT_H

#include "credential.h"
#include "userlist.h"

struct ela_grant {
	uint8_t token_key[32]; /* Ed25519 */
	char user[ELA_NAME_ROOM];
	bool is_machine; /* for a further machine of the user who signs: no new user, no rights of its own */
	struct ela_rights rights;
	struct ela_reserved reserved;
	uint64_t issued_s, expires_s;
	uint8_t signer[ELA_HASH_LEN]; /* hash of the signer's key; set by sign and parse */
};

int ela_grant_sign(struct ela_grant *grant, const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_rsa *signer,
	GBytes **ret, GError **error);
/* signer NULL: believed as it stands, for a newcomer who knows nobody yet, or to learn whose key to check it with. */
int ela_grant_parse(const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_rsa_public *signer, const void *bytes,
	size_t len, struct ela_grant *ret, GError **error);

/* signer of the grant NULL: it is not checked; everything else is. */
struct ela_claim {
	struct ela_grant grant;
	GBytes *grant_bytes;             /* owned */
	struct ela_rsa_public user;      /* len 0 when grant.is_machine */
	uint8_t node_hash[ELA_HASH_LEN]; /* of the node's Ed25519 key when grant.is_machine, else zero */
};

/* user for a new user, node_key (Ed25519, 32) for a machine; the other is NULL. */
int ela_claim_sign(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t token_private[32], GBytes *grant,
	const struct ela_rsa_public *user, const uint8_t node_key[32], GBytes **ret, GError **error);
/* Everything but the grant's own signature is checked. Free with ela_claim_clear(). */
int ela_claim_parse(
	const uint8_t network_id[ELA_NETWORK_LEN], const void *bytes, size_t len, struct ela_claim *ret, GError **error);
void ela_claim_clear(struct ela_claim *claim);
/* Hash of whom the token was used for: the user's key, or the node's. */
const uint8_t *ela_claim_holder(const struct ela_claim *claim);

struct ela_enrolment {
	struct ela_claim claim;
	struct ela_credential witness; /* not checked here */
	GBytes *witness_bytes;         /* owned */
	uint64_t time_s;
	uint8_t hash[ELA_HASH_LEN]; /* of the object */
};

int ela_enrolment_sign(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t node_private[32], GBytes *claim,
	GBytes *credential, uint64_t time_s, GBytes **ret, GError **error);
/* Checks the witness's and the token's signatures; not the grant's, nor the credential's. ela_enrolment_clear(). */
int ela_enrolment_parse(const uint8_t network_id[ELA_NETWORK_LEN], const void *bytes, size_t len,
	struct ela_enrolment *ret, GError **error);
void ela_enrolment_clear(struct ela_enrolment *enrolment);

#endif
