/* SPDX-License-Identifier: Apache-2.0 */
/*
 * genesis: what a network is and can never change: its owner's key, the hash of its recovery key, its IPv4 prefix. The
 * SHA-256 of the whole object is the network id, so the id vouches for it. It is signed for the network id zero.
 *
 * A handover makes another key the owner's from its epoch on (epoch 0 is the genesis's). The recovery key signs it, and
 * it names the hash of the next one. Every list carries the handovers up to its epoch, so a newcomer follows them from
 * the genesis. Plain values; control thread; errors as in object.h.
 */
#ifndef ELA_CORE_GENESIS_H
#define ELA_CORE_GENESIS_H

#include "body.h"
#include "config.h"

struct ela_genesis {
	struct ela_rsa_public owner;
	uint8_t recovery_hash[ELA_HASH_LEN]; /* SHA-256 of the recovery key's DER */
	struct ela_prefix prefix;            /* IPv4, host bits zero, 8..30 bits */
	uint8_t network_id[ELA_NETWORK_LEN]; /* set by parse and sign */
};

/* A prefix that a network may have. */
bool ela_genesis_prefix_ok(const struct ela_prefix *prefix);
/* genesis->owner and network_id are set from what is made. -EINVAL: a prefix that no network may have. */
int ela_genesis_sign(struct ela_genesis *genesis, const struct ela_rsa *owner, GBytes **ret, GError **error);
/* -EBADMSG also when it is not the genesis of network_id. */
int ela_genesis_parse(
	const uint8_t network_id[ELA_NETWORK_LEN], const void *bytes, size_t len, struct ela_genesis *ret, GError **error);
/* A host address of the network: inside, neither its own address nor the broadcast one. */
bool ela_genesis_has_address(const struct ela_genesis *genesis, uint32_t address);

struct ela_handover {
	uint64_t epoch; /* from 1 */
	uint64_t issued_s;
	struct ela_rsa_public recovery; /* signs it */
	struct ela_rsa_public owner;    /* of this epoch */
	uint8_t next_recovery_hash[ELA_HASH_LEN];
};

/* handover->recovery is set from the key. */
int ela_handover_sign(struct ela_handover *handover, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_rsa *recovery, GBytes **ret, GError **error);
/* -EBADMSG also when another key than that of recovery_hash signed it. */
int ela_handover_parse(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t recovery_hash[ELA_HASH_LEN],
	const void *bytes, size_t len, struct ela_handover *ret, GError **error);

#endif
