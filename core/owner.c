/* SPDX-License-Identifier: Apache-2.0 */
/* owner: changes to a copy of the newest list (see owner.h). Control thread. */
#include "owner.h"
#include "frame.h"
#include "handshake.h"
#include "inet.h"
#include "report.h"
#include "value.h"

#include <errno.h>
#include <string.h>

struct ela_owner {
	const struct ela_membership *m;
	const struct ela_rsa *key;
	struct ela_userlist *list;
};

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

/* ---- begin and end ---- */

/* The list that is next: all of the newest, who was enrolled, the time. */
static struct ela_owner *begin(const struct ela_membership *m, const struct ela_rsa *key, uint64_t wall_s)
{
	struct ela_owner *owner = g_new0(struct ela_owner, 1);

	owner->m = m;
	owner->key = key;
	owner->list = ela_userlist_copy(ela_membership_newest(m));
	(void)ela_membership_fold(m, owner->list); /* who has no room stays enrolled, which is as good */
	owner->list->version++;
	owner->list->issued_s = ela_membership_now(m, wall_s);
	owner->list->valid_until_s = MAX(owner->list->valid_until_s, owner->list->issued_s + ELA_OWNER_VALID_S);
	return owner;
}

static int need_list(const struct ela_membership *m, GError **error)
{
	return ela_membership_newest(m)
			   ? 0
			   : ela_object_refuse(error, ENOENT, "this node has no user list yet: it has not joined the network");
}

int ela_owner_new(const struct ela_membership *membership, const struct ela_rsa *key, uint64_t wall_s,
	struct ela_owner **ret, GError **error)
{
	const struct ela_userlist *list = ela_membership_newest(membership);
	int err = need_list(membership, error);

	if (err != 0)
		return err;
	if (!same(
			ela_userlist_owner(list, ela_membership_genesis(membership), list->epoch)->hash, ela_rsa_public(key)->hash))
		return ela_object_refuse(error, EACCES, "this is not the key of the network's owner");
	*ret = begin(membership, key, wall_s);
	return 0;
}

/* Whose hash the last handover names, or the genesis. */
static const uint8_t *recovery_hash(const struct ela_membership *m, const struct ela_userlist *list)
{
	return list->epoch == 0 ? ela_membership_genesis(m)->recovery_hash
							: list->handovers[list->epoch - 1].next_recovery_hash;
}

int ela_owner_may_recover(const struct ela_membership *membership, const struct ela_rsa *recovery, GError **error)
{
	const struct ela_userlist *list = ela_membership_newest(membership);
	int err = need_list(membership, error);

	if (err == 0 && !same(recovery_hash(membership, list), ela_rsa_public(recovery)->hash))
		err = ela_object_refuse(error, EACCES, "this is not the network's recovery key, or it was used before");
	else if (err == 0 && list->epoch == ELA_LIST_EPOCHS_MAX)
		err = ela_object_refuse(
			error, ENOSPC, "the network has had %u owners, and can have no more", ELA_LIST_EPOCHS_MAX);
	return err;
}

int ela_owner_recover(const struct ela_membership *membership, const struct ela_rsa *recovery,
	const struct ela_rsa *owner, const uint8_t next_recovery[ELA_HASH_LEN], uint64_t wall_s, struct ela_owner **ret,
	GError **error)
{
	const struct ela_userlist *list = ela_membership_newest(membership);
	struct ela_handover handover = {.owner = *ela_rsa_public(owner)};
	g_autoptr(GBytes) bytes = NULL;
	struct ela_owner *next;
	int err = ela_owner_may_recover(membership, recovery, error);

	if (err != 0)
		return err;
	handover.epoch = list->epoch + 1;
	handover.issued_s = ela_membership_now(membership, wall_s);
	memcpy(handover.next_recovery_hash, next_recovery, ELA_HASH_LEN);
	err = ela_handover_sign(&handover, ela_membership_genesis(membership)->network_id, recovery, &bytes, error);
	if (err != 0)
		return err;
	next = begin(membership, owner, wall_s);
	err = ela_userlist_hand_over(next->list, &handover, bytes);
	if (err != 0) {
		ela_owner_free(next);
		return ela_object_refuse(error, -err, "the list takes no handover: %s", g_strerror(-err));
	}
	next->list->version = 1; /* of its epoch */
	*ret = next;
	return 0;
}

void ela_owner_free(struct ela_owner *owner)
{
	if (!owner)
		return;
	ela_userlist_free(owner->list);
	g_free(owner);
}

const struct ela_userlist *ela_owner_list(const struct ela_owner *owner)
{
	return owner->list;
}

int ela_owner_sign(const struct ela_owner *owner, GBytes **ret, GError **error)
{
	return ela_userlist_sign(owner->list, ela_membership_genesis(owner->m), owner->key, ret, error);
}

/* ---- which user ---- */

static bool is_revoked(const struct ela_owner *owner, const uint8_t *hash)
{
	return ela_revoked_find(&owner->list->revoked, hash) != NULL;
}

/* NULL with error: -ENOENT. */
static struct ela_user *find(struct ela_owner *owner, const char *name, GError **error)
{
	struct ela_userlist *list = owner->list;
	g_autofree const char **names = g_new0(const char *, list->n_users + 1);
	g_autofree char *quoted = NULL, *nearest = NULL;

	for (uint32_t i = 0; i < list->n_users; i++) {
		if (strcmp(list->users[i].name, name) == 0)
			return &list->users[i];
		names[i] = list->users[i].name;
	}
	quoted = ela_report_quote(name);
	nearest = ela_report_suggest(name, names);
	(void)ela_object_refuse(error, ENOENT, "there is no user %s%s", quoted, nearest);
	return NULL;
}

/* One whose rights mean anything. 0, -ENOENT, -EINVAL. */
static int find_good(struct ela_owner *owner, const char *name, struct ela_user **ret, GError **error)
{
	struct ela_user *user = find(owner, name, error);

	if (!user)
		return -ENOENT;
	if (is_revoked(owner, user->key.hash))
		return ela_object_refuse(
			error, EINVAL, "user %s is revoked, and cannot be let in again under his old key", name);
	*ret = user;
	return 0;
}

/* ---- changes ---- */

static void revoke_key(struct ela_owner *owner, const uint8_t hash[ELA_HASH_LEN])
{
	(void)ela_revoked_add(&owner->list->revoked, hash, owner->list->issued_s); /* earlier is as good */
}

/* Enrolments that found no room in the list. */
static void revoke_enrolled(struct ela_owner *owner, const uint8_t user_hash[ELA_HASH_LEN])
{
	const uint8_t *network_id = ela_membership_genesis(owner->m)->network_id;
	struct ela_enrolment enrolment;
	uint8_t hash[ELA_HASH_LEN];
	GBytes *bytes;

	for (uint32_t i = 0; (bytes = ela_membership_enrolment(owner->m, i)) != NULL; i++) {
		const struct ela_claim *claim = &enrolment.claim;

		if (ela_enrolment_parse(network_id, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &enrolment, NULL) !=
			0)
			continue; /* it was parsed when it was taken */
		if (same(claim->grant.is_machine ? claim->grant.signer : claim->user.hash, user_hash) &&
			ela_object_key_hash(claim->grant.token_key, hash) == 0)
			revoke_key(owner, hash);
		ela_enrolment_clear(&enrolment);
	}
}

int ela_owner_revoke(struct ela_owner *owner, const char *name, GError **error)
{
	const struct ela_user *user = find(owner, name, error);
	const struct ela_credential *credential;

	if (!user)
		return -ENOENT;
	if (same(user->key.hash, ela_rsa_public(owner->key)->hash))
		return ela_object_refuse(error, EINVAL, "user %s is the network's owner: ela recover makes another one", name);
	if (is_revoked(owner, user->key.hash))
		return ela_object_refuse(error, EALREADY, "user %s is revoked already", name);
	revoke_key(owner, user->key.hash);
	for (uint32_t i = 0; i < user->n_tokens; i++)
		revoke_key(owner, user->tokens[i].key_hash);
	for (uint32_t i = 0; (credential = ela_membership_held(owner->m, i, NULL)) != NULL; i++)
		if (same(credential->user, user->key.hash))
			revoke_key(owner, credential->node_hash);
	revoke_enrolled(owner, user->key.hash);
	return 0;
}

static int check_address(const struct ela_owner *owner, const struct ela_user *user, uint32_t address, GError **error)
{
	const struct ela_genesis *genesis = ela_membership_genesis(owner->m);
	struct ela_addr addr = {.family = ELA_ADDR_IP4};
	char text[ELA_INET_TEXT];
	uint32_t id = 0;

	ela_put32(addr.ip, address);
	ela_inet_addr_text(&addr, text);
	if (!ela_genesis_has_address(genesis, address))
		return ela_object_refuse(error, EINVAL, "%s is no address of a node in the network", text);
	if (ela_node_id(genesis->network_id, addr.ip, &id) != 0 || id == 0 || id == UINT32_MAX)
		return ela_object_refuse(error, EINVAL, "%s is an address that no node can have", text);
	for (uint32_t i = 0; i < owner->list->n_users; i++)
		for (uint32_t k = 0; k < owner->list->users[i].reserved.n; k++)
			if (owner->list->users[i].reserved.addresses[k] == address)
				return ela_object_refuse(error, &owner->list->users[i] == user ? EALREADY : EINVAL,
					"%s is kept for user %s already", text, owner->list->users[i].name);
	if (user->reserved.n == ELA_RESERVED_MAX)
		return ela_object_refuse(
			error, ENOSPC, "%u addresses are kept for user %s, and can be no more", ELA_RESERVED_MAX, user->name);
	return 0;
}

int ela_owner_reserve(struct ela_owner *owner, const char *name, uint32_t address, GError **error)
{
	struct ela_user *user = NULL;
	int err = find_good(owner, name, &user, error);
	uint32_t at;

	if (err == 0)
		err = check_address(owner, user, address, error);
	if (err != 0)
		return err;
	for (at = user->reserved.n; at > 0 && user->reserved.addresses[at - 1] > address; at--)
		user->reserved.addresses[at] = user->reserved.addresses[at - 1];
	user->reserved.addresses[at] = address;
	user->reserved.n++;
	return 0;
}

static int set_flag(bool *flag, const char *key, const char *value, GError **error)
{
	g_autofree char *quoted = ela_report_quote(value);

	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return ela_object_refuse(error, EINVAL, "%s %s: expected yes or no", key, quoted);
	*flag = strcmp(value, "yes") == 0;
	return 0;
}

static int set_number(uint32_t *number, const char *key, const char *value, GError **error)
{
	g_autofree char *quoted = ela_report_quote(value);
	int64_t n = 0;

	if (ela_value_int(value, &n) != 0 || n < 1 || n > ELA_USER_NODES_MAX)
		return ela_object_refuse(
			error, EINVAL, "%s %s: expected a whole number 1..%u", key, quoted, ELA_USER_NODES_MAX);
	*number = (uint32_t)n;
	return 0;
}

int ela_owner_set(struct ela_owner *owner, const char *name, const char *key, const char *value, GError **error)
{
	static const char *const keys[] = {"may-be-core", "may-invite", "max-nodes", NULL};
	g_autofree char *quoted = NULL, *nearest = NULL;
	struct ela_rights rights;
	struct ela_user *user = NULL;
	int err = find_good(owner, name, &user, error);

	if (err != 0)
		return err;
	rights = user->rights;
	if (strcmp(key, keys[0]) == 0) {
		err = set_flag(&rights.may_core, key, value, error);
	} else if (strcmp(key, keys[1]) == 0) {
		err = set_flag(&rights.may_invite, key, value, error);
	} else if (strcmp(key, keys[2]) == 0) {
		err = set_number(&rights.max_nodes, key, value, error);
	} else {
		quoted = ela_report_quote(key);
		nearest = ela_report_suggest(key, keys);
		err = ela_object_refuse(
			error, EINVAL, "there is no right %s%s; expected may-be-core, may-invite or max-nodes", quoted, nearest);
	}
	if (err == 0)
		user->rights = rights;
	return err;
}
