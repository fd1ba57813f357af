/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership-node: which node is whose, and which record the network stands behind. A credential that was taken is
 * asked about again at each use, because what made it good may be gone. Control thread.
 */
#include "frame.h"
#include "handshake.h"
#include "inet.h"
#include "membership-priv.h"

#include <errno.h>
#include <string.h>

void ela_held_credential_free(void *data)
{
	struct ela_held_credential *held = data;

	g_bytes_unref(held->bytes);
	g_free(held);
}

static struct ela_held_credential *at(const struct ela_membership *m, guint i)
{
	return m->credentials->pdata[i];
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

/* ---- who signs ---- */

static const struct ela_used_token *listed_token(
	const struct ela_userlist *list, const uint8_t *hash, const uint8_t **ret_user)
{
	for (uint32_t i = 0; list && i < list->n_users; i++)
		for (uint32_t k = 0; k < list->users[i].n_tokens; k++)
			if (same(list->users[i].tokens[k].key_hash, hash)) {
				*ret_user = list->users[i].key.hash;
				return &list->users[i].tokens[k];
			}
	return NULL;
}

int ela_membership_signer(const struct ela_membership *m, const uint8_t signer_hash[ELA_HASH_LEN],
	struct ela_verifier *ret, const uint8_t **ret_user, const uint8_t **ret_holder, GError **error)
{
	const struct ela_rsa_public *key = ela_membership_user_key(m, signer_hash);
	const struct ela_claim *claim = key ? NULL : ela_membership_machine(m, signer_hash);
	const struct ela_used_token *token = key || claim ? NULL : listed_token(m->list.list, signer_hash, ret_user);

	if (key) {
		*ret = (struct ela_verifier){.rsa = key};
		*ret_user = key->hash;
		*ret_holder = NULL;
	} else if (claim) {
		*ret = (struct ela_verifier){.ed25519 = claim->grant.token_key};
		*ret_user = claim->grant.signer;
		*ret_holder = claim->node_hash;
	} else if (token) {
		*ret = (struct ela_verifier){.ed25519 = token->key};
		*ret_holder = token->holder;
	} else {
		return ela_object_refuse(error, EAGAIN, "credential of a user who is not known here");
	}
	return 0;
}

bool ela_membership_has_slot(const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN], uint32_t slot)
{
	for (guint i = 0; i < m->credentials->len; i++)
		if (at(m, i)->credential.slot == slot && same(at(m, i)->credential.user, user_hash))
			return true;
	return false;
}

const struct ela_credential *ela_membership_held(const struct ela_membership *m, uint32_t i, GBytes **ret_bytes)
{
	if (i >= m->credentials->len)
		return NULL;
	if (ret_bytes)
		*ret_bytes = at(m, i)->bytes;
	return &at(m, i)->credential;
}

/* ---- is it still good? ---- */

/* Another credential of the slot that is better: a higher serial, or, of one serial, the smaller hash. */
static const struct ela_held_credential *better(const struct ela_membership *m, const struct ela_credential *c)
{
	for (guint i = 0; i < m->credentials->len; i++) {
		const struct ela_credential *other = &at(m, i)->credential;

		if (other->slot != c->slot || !same(other->user, c->user) || same(other->hash, c->hash))
			continue;
		if (other->serial > c->serial || (other->serial == c->serial && memcmp(other->hash, c->hash, ELA_HASH_LEN) < 0))
			return at(m, i);
	}
	return NULL;
}

static int check_keys(const struct ela_membership *m, const struct ela_credential *c, GError **error)
{
	uint8_t x25519_hash[ELA_HASH_LEN];

	if (ela_object_key_hash(c->x25519, x25519_hash) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	if (ela_membership_is_revoked(m, c->node_hash) || ela_membership_is_revoked(m, x25519_hash))
		return ela_object_refuse(error, EACCES, "node %s was revoked", c->name);
	if (ela_membership_is_revoked(m, c->signer) && !same(c->signer, c->user))
		return ela_object_refuse(error, EACCES, "the token of node %s was revoked", c->name);
	return 0;
}

int ela_membership_check(const struct ela_membership *m, const struct ela_credential *credential, GError **error)
{
	const uint8_t *user_hash = credential->user, *holder = NULL;
	struct ela_verifier verifier;
	struct ela_rights rights;
	int err = check_keys(m, credential, error);

	if (err != 0)
		return err;
	if (ela_membership_is_revoked(m, credential->user))
		return ela_object_refuse(error, EACCES, "the user of node %s was revoked", credential->name);
	err = ela_membership_signer(m, credential->signer, &verifier, &user_hash, &holder, error);
	if (err != 0)
		return err;
	if (!same(user_hash, credential->user) || (holder && !same(holder, credential->node_hash)))
		return ela_object_refuse(error, EACCES, "node %s has a credential of somebody else", credential->name);
	if (!ela_membership_authorised(m, credential->user, &rights))
		return ela_object_refuse(error, EACCES, "the user of node %s is not authorised", credential->name);
	if (credential->slot >= rights.max_nodes)
		return ela_object_refuse(error, EACCES, "node %s has slot %u of a user who may have %u nodes", credential->name,
			credential->slot, rights.max_nodes);
	if (better(m, credential))
		return ela_object_refuse(
			error, ESTALE, "node %s was replaced by another in slot %u", credential->name, credential->slot);
	return 0;
}

/* ---- offers ---- */

/* Room for one more: those whose user is out make it. */
static bool make_room(struct ela_membership *m)
{
	for (guint i = m->credentials->len; m->credentials->len >= ELA_CREDENTIALS_MAX && i-- > 0;)
		if (!ela_membership_authorised(m, at(m, i)->credential.user, NULL))
			g_ptr_array_remove_index_fast(m->credentials, i);
	return m->credentials->len < ELA_CREDENTIALS_MAX;
}

/* Takes held over; the one that it replaces goes. */
static int keep(struct ela_membership *m, struct ela_held_credential *held, GError **error)
{
	for (guint i = m->credentials->len; i-- > 0;)
		if (at(m, i)->credential.slot == held->credential.slot &&
			same(at(m, i)->credential.user, held->credential.user)) {
			g_ptr_array_remove_index_fast(m->credentials, i);
			m->generation++;
		}
	if (!make_room(m)) {
		ela_held_credential_free(held);
		return ela_object_refuse(error, ENOSPC, "%u nodes are known, which is all that fit", ELA_CREDENTIALS_MAX);
	}
	g_ptr_array_add(m->credentials, held);
	m->nodes++;
	(void)ela_membership_write(m, ELA_STATE_CREDENTIALS); /* what it takes away applies; anybody can offer it again */
	return 0;
}

/* After the list's end only nodes that are known already. */
static int check_newcomer(
	const struct ela_membership *m, const struct ela_credential *c, uint64_t wall_s, bool is_leased, GError **error)
{
	if (is_leased || m->is_loading || !ela_membership_is_expired(m, wall_s))
		return 0;
	return ela_object_refuse(
		error, EKEYEXPIRED, "node %s is new, and the user list has expired: the owner must renew it first", c->name);
}

static int verify(
	const struct ela_membership *m, const void *bytes, size_t len, struct ela_credential *ret, GError **error)
{
	uint8_t signer[ELA_HASH_LEN];
	const uint8_t *user_hash, *holder;
	struct ela_verifier verifier;
	int err = ela_credential_signer(bytes, len, signer, error);

	if (err == 0 && ela_membership_is_revoked(m, signer)) /* before any arithmetic */
		return ela_object_refuse(error, EACCES, "credential by a user or token that was revoked");
	if (err == 0)
		err = ela_membership_signer(m, signer, &verifier, &user_hash, &holder, error);
	return err == 0 ? ela_credential_parse(m->network_id, &verifier, bytes, len, ret, error) : err;
}

int ela_membership_offer_credential(struct ela_membership *m, const void *bytes, size_t len, uint64_t wall_s,
	bool is_leased, const struct ela_credential **ret, GError **error)
{
	struct ela_held_credential *held;
	const struct ela_credential *known;
	struct ela_credential credential;
	uint8_t hash[ELA_HASH_LEN];
	int err;

	if (len > ELA_OBJECT_MAX || ela_object_hash(bytes, len, hash) != 0)
		return ela_object_refuse(error, EBADMSG, "credential of %zu bytes; at most %u are taken", len, ELA_OBJECT_MAX);
	known = ela_membership_credential(m, hash); /* its signature was checked when it came */
	err = known ? 0 : verify(m, bytes, len, &credential, error);
	if (err == 0)
		err = ela_membership_check(m, known ? known : &credential, error);
	if (err == 0)
		err = known ? ela_object_refuse(error, EALREADY, "this credential is known")
					: check_newcomer(m, &credential, wall_s, is_leased, error);
	if (err == -EALREADY && ret)
		*ret = known;
	if (err != 0)
		return err;
	held = g_new0(struct ela_held_credential, 1);
	held->credential = credential;
	held->bytes = g_bytes_new(bytes, len);
	err = keep(m, held, error);
	if (err == 0 && ret)
		*ret = &held->credential;
	return err;
}

static const struct ela_held_credential *find(const struct ela_membership *m, const uint8_t *hash)
{
	for (guint i = 0; i < m->credentials->len; i++)
		if (same(at(m, i)->credential.hash, hash))
			return at(m, i);
	return NULL;
}

const struct ela_credential *ela_membership_credential(const struct ela_membership *m, const uint8_t hash[ELA_HASH_LEN])
{
	const struct ela_held_credential *held = find(m, hash);

	return held ? &held->credential : NULL;
}

GBytes *ela_membership_credential_bytes(const struct ela_membership *m, const uint8_t hash[ELA_HASH_LEN])
{
	const struct ela_held_credential *held = find(m, hash);

	return held ? held->bytes : NULL;
}

/* ---- records ---- */

/* Any credential with this Ed25519 key. Its owner may have several: who else puts it into his own cannot sign with it.
 */
static const struct ela_credential *find_node(const struct ela_membership *m, const uint8_t *node_hash)
{
	for (guint i = 0; i < m->credentials->len; i++)
		if (same(at(m, i)->credential.node_hash, node_hash))
			return &at(m, i)->credential;
	return NULL;
}

const struct ela_credential *ela_membership_node(const struct ela_membership *m, const uint8_t node_hash[ELA_HASH_LEN])
{
	for (guint i = 0; i < m->credentials->len; i++)
		if (same(at(m, i)->credential.node_hash, node_hash) &&
			ela_membership_check(m, &at(m, i)->credential, NULL) == 0)
			return &at(m, i)->credential;
	return NULL;
}

static bool is_in_overlay(const struct ela_membership *m, const struct ela_lease *lease)
{
	for (uint32_t i = 0; i < lease->n_places; i++)
		if (ela_inet_prefix_contains(&m->genesis.prefix, &lease->places[i].addr))
			return true;
	return false;
}

static int check_lease(const struct ela_membership *m, const struct ela_lease *lease,
	const struct ela_credential *credential, GError **error)
{
	struct ela_rights rights;
	uint8_t ip4[4];
	uint32_t id;
	int err;

	ela_put32(ip4, lease->address);
	if (!ela_genesis_has_address(&m->genesis, lease->address))
		return ela_object_refuse(error, EBADMSG, "record of an address outside of the network");
	if (ela_node_id(m->network_id, ip4, &id) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no ID");
	if (id != lease->id)
		return ela_object_refuse(error, EBADMSG, "record whose ID is not that of its address");
	if (is_in_overlay(m, lease))
		return ela_object_refuse(error, EBADMSG, "record with an endpoint inside of the network itself");
	err = ela_membership_check(m, credential, error);
	if (err != 0)
		return err == -ESTALE ? -EACCES : err;
	if (lease->role == ELA_LEASE_CORE && (!ela_membership_authorised(m, credential->user, &rights) ||
											 !rights.may_core || (credential->roles & ELA_CREDENTIAL_CORE) == 0))
		return ela_object_refuse(error, EACCES, "record of a core whose user may have none");
	return 0;
}

int ela_membership_check_lease(const struct ela_membership *m, const struct ela_lease *lease, GError **error)
{
	const struct ela_credential *credential = ela_membership_credential(m, lease->credential);

	if (!credential || !same(credential->node_hash, lease->node_hash))
		return ela_object_refuse(error, EAGAIN, "record with a credential that is not known here");
	return check_lease(m, lease, credential, error);
}

/* Since when, by the home's word; 0 where the home is not known here or is not trusted any more. */
static int read_mark(const struct ela_membership *m, const struct ela_object *object, const struct ela_lease *lease,
	uint64_t *ret_since_s, GError **error)
{
	const struct ela_credential *home = object->kind != 0 ? find_node(m, object->signer) : NULL;
	struct ela_mark mark;
	int err;

	*ret_since_s = 0;
	if (!home || ela_membership_check(m, home, NULL) != 0)
		return 0;
	err = ela_mark_parse(m->network_id, home->ed25519, object, lease, &mark, error);
	if (err == 0)
		*ret_since_s = mark.time_s;
	return err;
}

int ela_membership_check_record(const struct ela_membership *m, const void *bytes, size_t len,
	const struct ela_standing *like, struct ela_standing *ret, GError **error)
{
	const struct ela_credential *node;
	struct ela_lease_bytes parts;
	struct ela_standing standing;
	int err = ela_lease_split(bytes, len, &parts, error);

	if (err != 0)
		return err;
	if (ela_membership_is_revoked(m, parts.record.signer))
		return ela_object_refuse(error, EACCES, "record of a node that was revoked");
	node = m->genesis_bytes ? find_node(m, parts.record.signer) : NULL;
	if (!node)
		return ela_object_refuse(error, EAGAIN, "record of a node that is not known here");
	err = ela_lease_parse(m->network_id, node->ed25519, &parts, &standing.lease, error);
	if (err != 0)
		return err;
	err = ela_membership_check_lease(m, &standing.lease, error);
	standing.credential = ela_membership_credential(m, standing.lease.credential);
	if (err == 0 && like && like->lease.id == standing.lease.id &&
		same(like->lease.node_hash, standing.lease.node_hash))
		standing.since_s = like->since_s;
	else if (err == 0)
		err = read_mark(m, &parts.mark, &standing.lease, &standing.since_s, error);
	if (err == 0)
		*ret = standing;
	return err;
}

int ela_membership_compare(const struct ela_membership *m, const struct ela_standing *a, const struct ela_standing *b)
{
	const uint8_t *reserved = ela_membership_reserved_for(m, a->lease.address);
	bool for_a = reserved && same(reserved, a->credential->user),
		 for_b = reserved && same(reserved, b->credential->user);
	uint64_t a_s = a->since_s ? a->since_s : UINT64_MAX, b_s = b->since_s ? b->since_s : UINT64_MAX;

	if (for_a != for_b)
		return for_a ? -1 : 1;
	if (a_s < b_s && b_s - a_s > ELA_APART_S)
		return -1;
	if (b_s < a_s && a_s - b_s > ELA_APART_S)
		return 1;
	return memcmp(a->lease.node_hash, b->lease.node_hash, ELA_HASH_LEN) < 0 ? -1 : 1;
}
