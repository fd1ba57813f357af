/* SPDX-License-Identifier: Apache-2.0 */
/* revoked: a set of hashes of keys that are good no more, each with the time since when. Plain memory; control thread.
 */
#ifndef ELA_CORE_REVOKED_H
#define ELA_CORE_REVOKED_H

#include "crypto.h"

struct ela_revoked {
	uint8_t hash[ELA_HASH_LEN]; /* SHA-256 of a user's DER, or of the 32 bytes of a node's or token's key */
	uint64_t since_s;           /* issue time of the first list that had it */
};

struct ela_revoked_set {
	struct ela_revoked *entries; /* by rising hash; g_free */
	uint32_t n;
};

/* NULL: not in it. */
const struct ela_revoked *ela_revoked_find(const struct ela_revoked_set *set, const uint8_t hash[ELA_HASH_LEN]);
/* Of two times the earlier stays. False: it was there already, and as early. */
bool ela_revoked_add(struct ela_revoked_set *set, const uint8_t hash[ELA_HASH_LEN], uint64_t since_s);
/* Adds all of from. */
bool ela_revoked_merge(struct ela_revoked_set *set, const struct ela_revoked_set *from);
/* Whether the order is kept, as find needs it. */
bool ela_revoked_is_sorted(const struct ela_revoked_set *set);
void ela_revoked_clear(struct ela_revoked_set *set);

#endif
