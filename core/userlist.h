/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userlist: the owner's list of who is authorised, and how the network is run. (epoch, version) orders lists; epoch e
 * carries e handovers (genesis.h), the last of which names the key that signs it. Control thread; errors as in
 * object.h.
 */
#ifndef ELA_CORE_USERLIST_H
#define ELA_CORE_USERLIST_H

#include "genesis.h"
#include "revoked.h"

#define ELA_LIST_SUITES_MAX 16u
#define ELA_LIST_EPOCHS_MAX 16u
#define ELA_LIST_MTU_MIN 576u
#define ELA_LIST_MTU_MAX 9000u
#define ELA_USER_TOKENS_MAX 16u
#define ELA_USER_NODES_MAX 1024u
#define ELA_SUITE_ROOM 32u

struct ela_rights {
	bool may_core;
	bool may_invite;
	uint32_t max_nodes; /* 1..1024: slots are below it */
};

/* A token that was used, folded into the list: it is never good for anybody else. */
struct ela_used_token {
	uint8_t key[32];                /* Ed25519 */
	uint8_t key_hash[ELA_HASH_LEN]; /* set by parse */
	uint8_t holder[ELA_HASH_LEN];   /* of the user's key, or of the one node that it signs for */
};

struct ela_user {
	char name[ELA_NAME_ROOM];
	struct ela_rsa_public key;
	struct ela_rights rights;
	struct ela_reserved reserved;
	struct ela_used_token tokens[ELA_USER_TOKENS_MAX];
	uint32_t n_tokens;
};

struct ela_userlist {
	uint64_t epoch, version; /* version from 1 */
	uint64_t issued_s, valid_until_s;
	char suites[ELA_LIST_SUITES_MAX][ELA_SUITE_ROOM]; /* allowed, in order of preference */
	uint32_t n_suites;
	uint32_t mtu; /* of the device; 0: as elad finds best */
	struct ela_user *users;
	uint32_t n_users;
	struct ela_revoked_set revoked; /* the entry of a revoked user stays, where his guests' grants need his key */
	struct ela_handover handovers[ELA_LIST_EPOCHS_MAX]; /* epoch of them, by rising epoch */
	GBytes *handover_bytes[ELA_LIST_EPOCHS_MAX];        /* the objects; owned */
	uint8_t hash[ELA_HASH_LEN];                         /* of the object; set by parse */
};

struct ela_userlist *ela_userlist_new(void);
void ela_userlist_free(struct ela_userlist *list); /* takes NULL */
/* A copy to sign the next version from. */
struct ela_userlist *ela_userlist_copy(const struct ela_userlist *list);

/* Adds an empty user; borrowed until the next. */
struct ela_user *ela_userlist_add_user(struct ela_userlist *list);
/* The next epoch: version 0, the recovery key's handover at the end. -ENOSPC after 16. */
int ela_userlist_hand_over(struct ela_userlist *list, const struct ela_handover *handover, GBytes *bytes);

/* -EINVAL with a reason for a list that parse would refuse. The key must be the epoch's owner's. */
int ela_userlist_sign(const struct ela_userlist *list, const struct ela_genesis *genesis, const struct ela_rsa *owner,
	GBytes **ret, GError **error);
int ela_userlist_parse(
	const struct ela_genesis *genesis, const void *bytes, size_t len, struct ela_userlist **ret, GError **error);

/* Who signs lists of that epoch (<= list->epoch). */
const struct ela_rsa_public *ela_userlist_owner(
	const struct ela_userlist *list, const struct ela_genesis *genesis, uint64_t epoch);
/* NULL: not in it. */
const struct ela_user *ela_userlist_user(const struct ela_userlist *list, const uint8_t key_hash[ELA_HASH_LEN]);
/* Negative, 0, positive as a is older than, as old as, newer than b by (epoch, version). */
int ela_userlist_compare(const struct ela_userlist *a, const struct ela_userlist *b);

#endif
