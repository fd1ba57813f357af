/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: the next user list: a copy of the newest one with everybody who was enrolled since, changed as its owner wants
 * it and signed with his key. It is good for a year from when it is signed. Nothing is written and nobody is told: that
 * is for whoever has the bytes. Control thread of elad, or a program of its own.
 *
 * 0 or a negative errno with error (ELA_OBJECT_ERROR, a reason for a person): -EACCES: the key is not the owner's;
 * -ENOENT: there is no such user, or no list yet; -EINVAL: what no list may say; -EALREADY: the list says so already;
 * -ENOSPC: the list has no room. After an error nothing has changed.
 */
#ifndef ELA_CORE_OWNER_H
#define ELA_CORE_OWNER_H

#include "membership.h"

#define ELA_OWNER_VALID_S (365u * 86400u)

struct ela_owner;

/* membership and key are borrowed and outlive it; wall_s: since 1970. */
int ela_owner_new(const struct ela_membership *membership, const struct ela_rsa *key, uint64_t wall_s,
	struct ela_owner **ret, GError **error);
/* Whether that is the recovery key: -EACCES, -ENOENT, -ENOSPC if not. */
int ela_owner_may_recover(const struct ela_membership *membership, const struct ela_rsa *recovery, GError **error);
/*
 * The same with the recovery key: a list of the next epoch, which the key owner signs from now on, and after which the
 * key next_recovery is the recovery key. What was revoked stays so.
 */
int ela_owner_recover(const struct ela_membership *membership, const struct ela_rsa *recovery,
	const struct ela_rsa *owner, const uint8_t next_recovery[ELA_HASH_LEN], uint64_t wall_s, struct ela_owner **ret,
	GError **error);
void ela_owner_free(struct ela_owner *owner); /* takes NULL */

/* He is out with all of his nodes and tokens, for as long as there are lists of this owner. Not the owner himself. */
int ela_owner_revoke(struct ela_owner *owner, const char *name, GError **error);
/* The address (host byte order) is for his nodes alone. */
int ela_owner_reserve(struct ela_owner *owner, const char *name, uint32_t address, GError **error);
/* may-be-core, may-invite: yes, no; max-nodes: 1..1024. */
int ela_owner_set(struct ela_owner *owner, const char *name, const char *key, const char *value, GError **error);

/* What will be signed; borrowed until free. */
const struct ela_userlist *ela_owner_list(const struct ela_owner *owner);
int ela_owner_sign(const struct ela_owner *owner, GBytes **ret, GError **error);

#endif
