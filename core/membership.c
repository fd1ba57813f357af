/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership: the state of membership.h, its genesis, and the question that all others ask: is this user authorised,
 * and to what? Control thread.
 */
#include "membership-priv.h"

#include <errno.h>
#include <string.h>

int ela_membership_new(const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_file_ops *ops, int dirfd,
	struct ela_membership **ret, GError **error)
{
	struct ela_membership *m = g_new0(struct ela_membership, 1);
	int err;

	memcpy(m->network_id, network_id, ELA_NETWORK_LEN);
	m->ops = ops;
	m->dirfd = dirfd;
	m->enrolments = g_ptr_array_new_with_free_func(ela_held_enrolment_free);
	m->credentials = g_ptr_array_new_with_free_func(ela_held_credential_free);
	err = dirfd >= 0 ? ela_membership_load(m, error) : 0;
	if (err == 0)
		*ret = m;
	else
		ela_membership_free(m);
	return err;
}

void ela_membership_free(struct ela_membership *m)
{
	if (!m)
		return;
	g_clear_pointer(&m->genesis_bytes, g_bytes_unref);
	ela_held_list_clear(&m->list);
	ela_held_list_clear(&m->waiting);
	for (uint32_t i = 0; i < m->n_forks; i++)
		ela_held_list_clear(&m->forks[i]);
	ela_revoked_clear(&m->revoked);
	g_ptr_array_unref(m->enrolments);
	g_ptr_array_unref(m->credentials);
	g_free(m);
}

uint64_t ela_membership_generation(const struct ela_membership *m)
{
	return m->generation;
}

uint64_t ela_membership_nodes(const struct ela_membership *m)
{
	return m->nodes;
}

uint64_t ela_membership_now(const struct ela_membership *m, uint64_t wall_s)
{
	return MAX(wall_s, m->trusted_s);
}

bool ela_membership_is_expired(const struct ela_membership *m, uint64_t wall_s)
{
	const struct ela_userlist *newest = ela_membership_newest(m);

	return newest && ela_membership_now(m, wall_s) > newest->valid_until_s;
}

bool ela_membership_is_forked(const struct ela_membership *m)
{
	return m->n_forks > 0 || m->has_two_owners;
}

/* ---- genesis ---- */

int ela_membership_offer_genesis(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	struct ela_genesis genesis;
	int err;

	if (m->genesis_bytes)
		return ela_object_refuse(error, EALREADY, "the genesis is known");
	err = ela_genesis_parse(m->network_id, bytes, len, &genesis, error);
	if (err != 0)
		return err;
	m->genesis = genesis;
	m->genesis_bytes = g_bytes_new(bytes, len);
	m->generation++;
	(void)ela_membership_write(m, ELA_STATE_GENESIS); /* gives nothing; without it the flush tries again */
	return 0;
}

const struct ela_genesis *ela_membership_genesis(const struct ela_membership *m)
{
	return m->genesis_bytes ? &m->genesis : NULL;
}

GBytes *ela_membership_genesis_bytes(const struct ela_membership *m)
{
	return m->genesis_bytes;
}

/* ---- users ---- */

bool ela_membership_is_revoked(const struct ela_membership *m, const uint8_t hash[ELA_HASH_LEN])
{
	return ela_revoked_find(&m->revoked, hash) != NULL;
}

static void narrow(struct ela_rights *rights, const struct ela_rights *by)
{
	rights->may_core = rights->may_core && by->may_core;
	rights->may_invite = rights->may_invite && by->may_invite;
	rights->max_nodes = MIN(rights->max_nodes, by->max_nodes);
}

/* What another list leaves of the rights. is_listed: who is not in it is out; a guest is in none. */
static bool narrow_by(
	const struct ela_userlist *list, const uint8_t *user_hash, bool is_listed, struct ela_rights *rights)
{
	const struct ela_user *user = list ? ela_userlist_user(list, user_hash) : NULL;

	if (user)
		narrow(rights, &user->rights);
	return user || !list || !is_listed;
}

bool ela_membership_authorised(
	const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN], struct ela_rights *ret_rights)
{
	const struct ela_user *user = m->list.list ? ela_userlist_user(m->list.list, user_hash) : NULL;
	const struct ela_grant *guest = user || !m->list.list ? NULL : ela_membership_guest(m, user_hash);
	struct ela_rights rights;

	if ((!user && !guest) || ela_membership_is_revoked(m, user_hash))
		return false;
	rights = user ? user->rights : guest->rights;
	if (!narrow_by(m->waiting.list, user_hash, user != NULL, &rights))
		return false;
	for (uint32_t i = 0; i < m->n_forks; i++)
		if (!narrow_by(m->forks[i].list, user_hash, user != NULL, &rights))
			return false;
	if (ret_rights)
		*ret_rights = rights;
	return true;
}

bool ela_membership_user_name(
	const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN], char ret[ELA_NAME_ROOM])
{
	const struct ela_user *user = m->list.list ? ela_userlist_user(m->list.list, user_hash) : NULL;
	const struct ela_grant *guest = user ? NULL : ela_membership_guest(m, user_hash);

	if (!user && !guest)
		return false;
	memcpy(ret, user ? user->name : guest->user, ELA_NAME_ROOM);
	return true;
}

static bool is_reserved(const struct ela_reserved *reserved, uint32_t address)
{
	for (uint32_t i = 0; i < reserved->n; i++)
		if (reserved->addresses[i] == address)
			return true;
	return false;
}

const uint8_t *ela_membership_reserved_for(const struct ela_membership *m, uint32_t address)
{
	const struct ela_userlist *list = m->list.list;

	for (uint32_t i = 0; list && i < list->n_users; i++)
		if (is_reserved(&list->users[i].reserved, address))
			return list->users[i].key.hash;
	for (guint i = 0; i < m->enrolments->len; i++) {
		const struct ela_held_enrolment *held = m->enrolments->pdata[i];
		const uint8_t *user_hash = held->enrolment.claim.user.hash;

		if (is_reserved(&held->enrolment.claim.grant.reserved, address) && ela_membership_guest(m, user_hash))
			return user_hash;
	}
	return NULL;
}
