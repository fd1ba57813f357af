/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership-enrol: users and machines that were let in since the owner's newest list. Every node must come to the same
 * answer from the same enrolments, in whatever order they came. So what depends on a moment is decided from what is
 * signed (the witness's time), and of a token's uses all are kept, also those that lost. Control thread.
 */
#include "membership-priv.h"

#include <errno.h>
#include <string.h>

void ela_held_enrolment_free(void *data)
{
	struct ela_held_enrolment *held = data;

	ela_enrolment_clear(&held->enrolment);
	g_bytes_unref(held->bytes);
	g_free(held);
}

static const struct ela_held_enrolment *at(const struct ela_membership *m, guint i)
{
	return m->enrolments->pdata[i];
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

/* ---- who counts ---- */

/* Whom the list says that the token was used for; NULL: it does not know the token. */
static const uint8_t *folded_holder(const struct ela_userlist *list, const uint8_t *token_key)
{
	for (uint32_t i = 0; list && i < list->n_users; i++)
		for (uint32_t k = 0; k < list->users[i].n_tokens; k++)
			if (same(list->users[i].tokens[k].key, token_key))
				return list->users[i].tokens[k].holder;
	return NULL;
}

/*
 * Of all uses of a token: the smallest hash among those not more than 60 s after the earliest. For two that is "the
 * earlier one if they are apart, else the smaller hash", and for more it does not depend on the order.
 */
static const struct ela_held_enrolment *winner(const struct ela_membership *m, const uint8_t *token_hash)
{
	const struct ela_held_enrolment *best = NULL;
	uint64_t first_s = UINT64_MAX;

	for (guint i = 0; i < m->enrolments->len; i++)
		if (same(at(m, i)->token_hash, token_hash))
			first_s = MIN(first_s, at(m, i)->enrolment.time_s);
	for (guint i = 0; i < m->enrolments->len; i++) {
		const struct ela_held_enrolment *held = at(m, i);

		if (same(held->token_hash, token_hash) && held->enrolment.time_s - first_s <= ELA_APART_S &&
			(!best || memcmp(held->enrolment.hash, best->enrolment.hash, ELA_HASH_LEN) < 0))
			best = held;
	}
	return best;
}

/* Until when an owner of that key was the owner; 0: no owner had it. */
static uint64_t owner_until(const struct ela_membership *m, const uint8_t *key_hash)
{
	const struct ela_userlist *list = m->list.list;

	for (uint64_t epoch = list ? list->epoch + 1 : 0; epoch-- > 0;) {
		if (same(ela_userlist_owner(list, &m->genesis, epoch)->hash, key_hash))
			return epoch == list->epoch ? UINT64_MAX : list->handovers[epoch].issued_s;
	}
	return 0;
}

/* Could the signer of a grant still let somebody in at that time? */
static bool could_invite(const struct ela_membership *m, const uint8_t *signer, uint64_t time_s)
{
	const struct ela_revoked *revoked = ela_revoked_find(&m->revoked, signer);
	uint64_t until_s = owner_until(m, signer);

	if (until_s != 0)
		return time_s <= until_s;
	return !revoked || time_s <= revoked->since_s;
}

static bool counts(const struct ela_membership *m, const struct ela_held_enrolment *held)
{
	const struct ela_claim *claim = &held->enrolment.claim;
	const uint8_t *folded = folded_holder(m->list.list, claim->grant.token_key);

	if (!held->is_written || ela_membership_is_revoked(m, held->token_hash) ||
		ela_membership_is_revoked(m, ela_claim_holder(claim)))
		return false;
	if (folded && !same(folded, ela_claim_holder(claim)))
		return false;
	return could_invite(m, claim->grant.signer, held->enrolment.time_s) && winner(m, held->token_hash) == held;
}

const struct ela_grant *ela_membership_guest(const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN])
{
	for (guint i = 0; i < m->enrolments->len; i++) {
		const struct ela_claim *claim = &at(m, i)->enrolment.claim;

		if (!claim->grant.is_machine && same(claim->user.hash, user_hash) && counts(m, at(m, i)))
			return &claim->grant;
	}
	return NULL;
}

const struct ela_claim *ela_membership_machine(const struct ela_membership *m, const uint8_t token_hash[ELA_HASH_LEN])
{
	for (guint i = 0; i < m->enrolments->len; i++)
		if (at(m, i)->enrolment.claim.grant.is_machine && same(at(m, i)->token_hash, token_hash) && counts(m, at(m, i)))
			return &at(m, i)->enrolment.claim;
	return NULL;
}

const struct ela_rsa_public *ela_membership_user_key(
	const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN])
{
	const struct ela_user *user = m->list.list ? ela_userlist_user(m->list.list, user_hash) : NULL;

	if (user)
		return &user->key;
	for (guint i = 0; i < m->enrolments->len; i++) {
		const struct ela_claim *claim = &at(m, i)->enrolment.claim;

		if (!claim->grant.is_machine && same(claim->user.hash, user_hash))
			return &claim->user;
	}
	return NULL;
}

/* ---- what is refused ---- */

/* A user may give no more than he has; who was revoked later had it then. */
static int check_bounds(const struct ela_membership *m, const struct ela_grant *grant, GError **error)
{
	const struct ela_user *user = ela_userlist_user(m->list.list, grant->signer);
	const struct ela_grant *guest = user ? NULL : ela_membership_guest(m, grant->signer);
	const struct ela_rights *own = user ? &user->rights : guest ? &guest->rights : NULL;

	if (grant->is_machine && own)
		return 0;
	if (!own || !own->may_invite)
		return ela_object_refuse(error, EACCES, "grant of a user who may not invite");
	if (grant->rights.may_invite || grant->reserved.n > 0 || (grant->rights.may_core && !own->may_core) ||
		grant->rights.max_nodes > own->max_nodes)
		return ela_object_refuse(error, EACCES, "grant of more than its signer has to give");
	return 0;
}

static int check_owner_grant(const struct ela_membership *m, const struct ela_grant *grant, GError **error)
{
	if (grant->is_machine)
		return ela_object_refuse(error, EACCES, "a machine's grant that its user did not sign");
	for (uint32_t i = 0; i < grant->reserved.n; i++)
		if (!ela_genesis_has_address(&m->genesis, grant->reserved.addresses[i]))
			return ela_object_refuse(error, EACCES, "grant of an address outside of the network");
	return 0;
}

/* The owner's key of any epoch, by its hash. */
static const struct ela_rsa_public *owner_key(const struct ela_membership *m, const uint8_t *key_hash)
{
	for (uint64_t epoch = 0; epoch <= m->list.list->epoch; epoch++) {
		const struct ela_rsa_public *key = ela_userlist_owner(m->list.list, &m->genesis, epoch);

		if (same(key->hash, key_hash))
			return key;
	}
	return NULL;
}

/* A user who owns the network too grants his machines as the user. */
static int check_grant(const struct ela_membership *m, const struct ela_claim *claim, uint64_t time_s, GError **error)
{
	const struct ela_grant *grant = &claim->grant;
	const struct ela_rsa_public *owner = owner_key(m, grant->signer);
	const struct ela_rsa_public *key = owner ? owner : ela_membership_user_key(m, grant->signer);
	bool as_user = !owner || (grant->is_machine && ela_membership_user_key(m, grant->signer));
	struct ela_grant verified;
	int err;

	if (!key)
		return ela_object_refuse(error, EAGAIN, "grant of a user who is not known here");
	err = ela_grant_parse(
		m->network_id, key, ela_data(claim->grant_bytes), g_bytes_get_size(claim->grant_bytes), &verified, error);
	if (err != 0)
		return err;
	if (!could_invite(m, grant->signer, time_s))
		return ela_object_refuse(error, EACCES, "grant of somebody who was revoked before it was used");
	return as_user ? check_bounds(m, grant, error) : check_owner_grant(m, grant, error);
}

/* A revoked core could date its signature back, so its word for what nobody held before counts no more. */
static int check_witness(const struct ela_membership *m, const struct ela_enrolment *enrolment, GError **error)
{
	const uint8_t *user_hash, *holder;
	struct ela_credential witness;
	struct ela_verifier verifier;
	struct ela_rights rights;
	int err;

	err = ela_membership_signer(m, enrolment->witness.signer, &verifier, &user_hash, &holder, error);
	if (err == 0)
		err = ela_credential_parse(m->network_id, &verifier, ela_data(enrolment->witness_bytes),
			g_bytes_get_size(enrolment->witness_bytes), &witness, error);
	if (err != 0)
		return err;
	if (!same(witness.user, user_hash) || (holder && !same(holder, witness.node_hash)))
		return ela_object_refuse(error, EACCES, "enrolment whose witness is not who it says");
	if (!ela_membership_authorised(m, witness.user, &rights) || ela_membership_is_revoked(m, witness.node_hash))
		return ela_object_refuse(error, EACCES, "enrolment whose witness is not authorised");
	if (!rights.may_core || (witness.roles & ELA_CREDENTIAL_CORE) == 0)
		return ela_object_refuse(error, EACCES, "enrolment whose witness may not be a core");
	return 0;
}

/* What the list has taken up already, and room. */
static int check_place(const struct ela_membership *m, const struct ela_held_enrolment *held, GError **error)
{
	const struct ela_claim *claim = &held->enrolment.claim;
	const uint8_t *folded = folded_holder(m->list.list, claim->grant.token_key);
	uint32_t uses = 0;

	if (folded && !same(folded, ela_claim_holder(claim)))
		return ela_object_refuse(error, EACCES, "this token was used by somebody else");
	if (folded || (!claim->grant.is_machine && ela_userlist_user(m->list.list, claim->user.hash)))
		return ela_object_refuse(error, EALREADY, "the user list has this enrolment already");
	for (guint i = 0; i < m->enrolments->len; i++) {
		if (same(at(m, i)->enrolment.hash, held->enrolment.hash))
			return ela_object_refuse(error, EALREADY, "this enrolment is known");
		uses += same(at(m, i)->token_hash, held->token_hash);
	}
	if (uses >= ELA_TOKEN_USES_MAX)
		return ela_object_refuse(error, ENOSPC, "this token was used too often");
	if (m->enrolments->len >= ELA_ENROLMENTS_MAX)
		return ela_object_refuse(
			error, ENOSPC, "%u enrolments wait for the owner's next user list", ELA_ENROLMENTS_MAX);
	return 0;
}

static int check(const struct ela_membership *m, const struct ela_held_enrolment *held, GError **error)
{
	const struct ela_enrolment *enrolment = &held->enrolment;
	int err = check_place(m, held, error);

	if (err != 0 || m->is_loading)
		return err;
	if (ela_membership_is_revoked(m, held->token_hash) ||
		ela_membership_is_revoked(m, ela_claim_holder(&enrolment->claim)))
		return ela_object_refuse(error, EACCES, "enrolment of a token or key that was revoked");
	if (enrolment->time_s > enrolment->claim.grant.expires_s)
		return ela_object_refuse(error, EACCES, "enrolment by a token that had expired");
	err = check_grant(m, &enrolment->claim, enrolment->time_s, error);
	return err == 0 ? check_witness(m, enrolment, error) : err;
}

/* ---- offers ---- */

/* On a full disk it is kept all the same: it may take a token from another, and gives nothing (counts()). */
static int keep(struct ela_membership *m, struct ela_held_enrolment *held, GError **error)
{
	int err;

	g_ptr_array_add(m->enrolments, held);
	m->generation++;
	if (owner_until(m, held->enrolment.claim.grant.signer) == UINT64_MAX)
		ela_membership_trust(m, held->enrolment.claim.grant.issued_s);
	err = ela_membership_write(m, ELA_STATE_ENROLMENTS);
	return err == 0
			   ? 0
			   : ela_object_refuse(error, -err, "an enrolment cannot be written, so it waits: %s", g_strerror(-err));
}

int ela_membership_offer_enrolment(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	struct ela_held_enrolment *held;
	int err;

	if (!m->list.list)
		return ela_object_refuse(error, EAGAIN, "an enrolment before the user list");
	held = g_new0(struct ela_held_enrolment, 1);
	held->bytes = g_bytes_new(bytes, len);
	err = ela_enrolment_parse(m->network_id, bytes, len, &held->enrolment, error);
	if (err == 0 && ela_object_key_hash(held->enrolment.claim.grant.token_key, held->token_hash) != 0)
		err = ela_object_refuse(error, EIO, "libcrypto makes no hash");
	if (err == 0)
		err = check(m, held, error);
	if (err == 0)
		return keep(m, held, error);
	ela_held_enrolment_free(held);
	return err;
}

/* What only the admitting core can know to be wrong. *ret_held: the same claim was admitted before. */
static int check_claim(const struct ela_membership *m, const struct ela_claim *claim, uint64_t wall_s,
	const struct ela_held_enrolment **ret_held, GError **error)
{
	uint64_t now_s = ela_membership_now(m, wall_s);

	for (guint i = 0; i < m->enrolments->len; i++) {
		const struct ela_claim *other = &at(m, i)->enrolment.claim;

		if (same(other->grant.token_key, claim->grant.token_key)) {
			if (!same(ela_claim_holder(other), ela_claim_holder(claim)))
				return ela_object_refuse(error, EACCES, "this token was used by somebody else");
			*ret_held = at(m, i);
			return 0;
		}
		if (!claim->grant.is_machine && !other->grant.is_machine && counts(m, at(m, i)) &&
			strcmp(other->grant.user, claim->grant.user) == 0)
			return ela_object_refuse(error, EEXIST, "another user is called %s", claim->grant.user);
	}
	for (uint32_t i = 0; !claim->grant.is_machine && i < m->list.list->n_users; i++)
		if (strcmp(m->list.list->users[i].name, claim->grant.user) == 0 &&
			!same(m->list.list->users[i].key.hash, claim->user.hash))
			return ela_object_refuse(error, EEXIST, "another user is called %s", claim->grant.user);
	if (now_s > claim->grant.expires_s)
		return ela_object_refuse(error, EKEYEXPIRED, "this token has expired");
	if (ela_membership_is_expired(m, wall_s))
		return ela_object_refuse(error, EKEYEXPIRED, "the user list has expired: the owner must renew it first");
	return 0;
}

int ela_membership_admit(struct ela_membership *m, const void *claim, size_t len, GBytes *credential,
	const uint8_t node_private[32], uint64_t wall_s, GBytes **ret, GError **error)
{
	const struct ela_held_enrolment *held = NULL;
	g_autoptr(GBytes) claim_bytes = g_bytes_new(claim, len), made = NULL;
	struct ela_claim parsed;
	int err;

	if (!m->list.list)
		return ela_object_refuse(error, EAGAIN, "this node has no user list yet");
	err = ela_claim_parse(m->network_id, claim, len, &parsed, error);
	if (err != 0)
		return err;
	err = check_claim(m, &parsed, wall_s, &held, error);
	ela_claim_clear(&parsed);
	if (err == 0 && !held)
		err = ela_enrolment_sign(
			m->network_id, node_private, claim_bytes, credential, ela_membership_now(m, wall_s), &made, error);
	if (err == 0 && !held)
		err = ela_membership_offer_enrolment(m, ela_data(made), g_bytes_get_size(made), error);
	if (err == 0)
		*ret = g_bytes_ref(held ? held->bytes : made);
	return err;
}

GBytes *ela_membership_enrolment(const struct ela_membership *m, uint32_t i)
{
	return i < m->enrolments->len ? at(m, i)->bytes : NULL;
}

/* ---- folding ---- */

void ela_membership_drop_folded(struct ela_membership *m)
{
	for (guint i = m->enrolments->len; i-- > 0;) {
		const struct ela_claim *claim = &at(m, i)->enrolment.claim;

		if (folded_holder(m->list.list, claim->grant.token_key) ||
			(!claim->grant.is_machine && ela_userlist_user(m->list.list, claim->user.hash)))
			g_ptr_array_remove_index(m->enrolments, i);
	}
}

static struct ela_user *find_user(struct ela_userlist *list, const uint8_t *hash)
{
	for (uint32_t i = 0; i < list->n_users; i++)
		if (same(list->users[i].key.hash, hash))
			return &list->users[i];
	return NULL;
}

static bool has_name(const struct ela_userlist *list, const char *name)
{
	for (uint32_t i = 0; i < list->n_users; i++)
		if (strcmp(list->users[i].name, name) == 0)
			return true;
	return false;
}

static bool is_reserved(const struct ela_userlist *list, uint32_t address)
{
	for (uint32_t i = 0; i < list->n_users; i++)
		for (uint32_t k = 0; k < list->users[i].reserved.n; k++)
			if (list->users[i].reserved.addresses[k] == address)
				return true;
	return false;
}

/* A new user, with those of his addresses that nobody has by now. */
static struct ela_user *add_guest(struct ela_userlist *list, const struct ela_claim *claim)
{
	struct ela_reserved reserved = {0};
	struct ela_user *user;

	for (uint32_t i = 0; i < claim->grant.reserved.n; i++)
		if (!is_reserved(list, claim->grant.reserved.addresses[i]))
			reserved.addresses[reserved.n++] = claim->grant.reserved.addresses[i];
	user = ela_userlist_add_user(list);
	memcpy(user->name, claim->grant.user, sizeof user->name);
	user->key = claim->user;
	user->rights = claim->grant.rights;
	user->reserved = reserved;
	return user;
}

/* The user whom a claim makes, or whose machine it is. NULL: he is not in the list, and cannot be. */
static struct ela_user *user_of(struct ela_userlist *list, const struct ela_claim *claim)
{
	struct ela_user *user = find_user(list, claim->grant.is_machine ? claim->grant.signer : claim->user.hash);

	if (user || claim->grant.is_machine || has_name(list, claim->grant.user))
		return user;
	return add_guest(list, claim);
}

/* False: there is no room for it. */
static bool fold_one(struct ela_userlist *list, const struct ela_held_enrolment *held)
{
	const struct ela_claim *claim = &held->enrolment.claim;
	struct ela_used_token *token;
	struct ela_user *user;

	if (folded_holder(list, claim->grant.token_key)) /* a list that is not written yet has it */
		return true;
	user = user_of(list, claim);
	if (!user || user->n_tokens == ELA_USER_TOKENS_MAX)
		return false;
	token = &user->tokens[user->n_tokens++];
	memcpy(token->key, claim->grant.token_key, 32);
	memcpy(token->key_hash, held->token_hash, ELA_HASH_LEN);
	memcpy(token->holder, ela_claim_holder(claim), ELA_HASH_LEN);
	return true;
}

int ela_membership_fold(const struct ela_membership *m, struct ela_userlist *list)
{
	int err = 0;

	if (list->epoch == m->revoked_epoch)
		(void)ela_revoked_merge(&list->revoked, &m->revoked); /* which may be there already */
	for (guint i = 0; i < m->enrolments->len; i++)
		if (counts(m, at(m, i)) && !fold_one(list, at(m, i)))
			err = -ENOSPC;
	return err;
}
