/* SPDX-License-Identifier: Apache-2.0 */
/* grant: makes and reads grants, claims and enrolments (see grant.h). Pure functions. Control thread. */
#include "grant.h"
#include "keys.h"

#include <errno.h>
#include <string.h>

enum { TOKEN, USER, MACHINE, MAY_CORE, MAY_INVITE, MAX_NODES, RESERVED, ISSUED, EXPIRES };

/* ---- grant ---- */

static const char *fault_of(const struct ela_grant *grant)
{
	const struct ela_rights *rights = &grant->rights;

	if (!ela_key_is_name(grant->user))
		return "with a malformed name of the user";
	if (grant->expires_s <= grant->issued_s)
		return "that ends before it was issued";
	if (grant->is_machine)
		return rights->may_core || rights->may_invite || rights->max_nodes != 0 || grant->reserved.n != 0
				   ? "for a machine with rights of its own"
				   : NULL;
	return rights->max_nodes == 0 || rights->max_nodes > ELA_USER_NODES_MAX ? "of no node or more than 1024" : NULL;
}

int ela_grant_sign(struct ela_grant *grant, const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_rsa *signer,
	GBytes **ret, GError **error)
{
	const struct ela_signer by = {.rsa = signer};
	const char *fault = fault_of(grant);
	GVariant *body;

	if (fault)
		return ela_object_refuse(error, EINVAL, "grant %s", fault);
	memcpy(grant->signer, ela_rsa_public(signer)->hash, ELA_HASH_LEN);
	body = g_variant_new("(@aysbbbu@autt)", ela_body_put(grant->token_key, 32), grant->user, grant->is_machine,
		grant->rights.may_core, grant->rights.may_invite, grant->rights.max_nodes,
		ela_body_put_reserved(&grant->reserved), (guint64)grant->issued_s, (guint64)grant->expires_s);
	return ela_object_sign(ELA_OBJECT_GRANT, network_id, &by, body, ret, error);
}

static int read_grant(const struct ela_object *object, struct ela_grant *ret, GError **error)
{
	g_autoptr(GVariant) body = NULL;
	const char *fault = "with a malformed field";
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	ret->is_machine = ela_body_number(body, MACHINE) != 0;
	ret->rights.may_core = ela_body_number(body, MAY_CORE) != 0;
	ret->rights.may_invite = ela_body_number(body, MAY_INVITE) != 0;
	ret->rights.max_nodes = (uint32_t)ela_body_number(body, MAX_NODES);
	ret->issued_s = ela_body_number(body, ISSUED);
	ret->expires_s = ela_body_number(body, EXPIRES);
	if (ela_body_bytes(body, TOKEN, ret->token_key, 32) && ela_body_name(body, USER, ret->user) &&
		ela_body_reserved(body, RESERVED, &ret->reserved))
		fault = fault_of(ret);
	if (fault)
		return ela_object_refuse(error, EBADMSG, "grant %s", fault);
	memcpy(ret->signer, object->signer, ELA_HASH_LEN);
	return 0;
}

int ela_grant_parse(const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_rsa_public *signer, const void *bytes,
	size_t len, struct ela_grant *ret, GError **error)
{
	const struct ela_verifier by = {.rsa = signer};
	struct ela_object object;
	struct ela_grant grant;
	int err = ela_object_split(ELA_OBJECT_GRANT, bytes, len, &object, error);

	if (err == 0 && signer)
		err = ela_object_verify(&object, network_id, &by, error);
	if (err == 0)
		err = read_grant(&object, &grant, error);
	if (err == 0)
		*ret = grant;
	return err;
}

/* ---- claim ---- */

int ela_claim_sign(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t token_private[32], GBytes *grant,
	const struct ela_rsa_public *user, const uint8_t node_key[32], GBytes **ret, GError **error)
{
	const struct ela_signer token = {.ed25519 = token_private};
	uint8_t node_hash[ELA_HASH_LEN];
	GVariant *body;

	if ((user == NULL) == (node_key == NULL))
		return ela_object_refuse(error, EINVAL, "a claim is for a user or for a node");
	if (node_key && ela_object_key_hash(node_key, node_hash) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	body = g_variant_new("(@ay@ay@ay)", ela_body_put_blob(grant),
		user ? ela_body_put(user->der, user->len) : ela_body_put(NULL, 0),
		node_key ? ela_body_put(node_hash, ELA_HASH_LEN) : ela_body_put(NULL, 0));
	return ela_object_sign(ELA_OBJECT_CLAIM, network_id, &token, body, ret, error);
}

/* Whom the grant says it is for, and nobody beside. */
static bool read_holder(GVariant *body, struct ela_claim *ret)
{
	if (ret->grant.is_machine)
		return ela_body_bytes(body, 1, NULL, 0) && ela_body_bytes(body, 2, ret->node_hash, ELA_HASH_LEN);
	return ela_body_rsa(body, 1, &ret->user) && ela_body_bytes(body, 2, NULL, 0);
}

static int read_claim(const uint8_t *network_id, const struct ela_object *object, struct ela_claim *ret, GError **error)
{
	const struct ela_verifier token = {.ed25519 = ret->grant.token_key};
	g_autoptr(GVariant) body = NULL;
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	ret->grant_bytes = ela_body_blob(body, 0);
	err = ela_grant_parse(network_id, NULL, g_bytes_get_data(ret->grant_bytes, NULL),
		g_bytes_get_size(ret->grant_bytes), &ret->grant, error);
	if (err == 0)
		err = ela_object_verify(object, network_id, &token, error);
	if (err == 0 && !read_holder(body, ret))
		err = ela_object_refuse(error, EBADMSG, "claim for somebody whom its grant does not mean");
	return err;
}

int ela_claim_parse(
	const uint8_t network_id[ELA_NETWORK_LEN], const void *bytes, size_t len, struct ela_claim *ret, GError **error)
{
	struct ela_claim claim = {0};
	struct ela_object object;
	int err = ela_object_split(ELA_OBJECT_CLAIM, bytes, len, &object, error);

	if (err == 0)
		err = read_claim(network_id, &object, &claim, error);
	if (err == 0)
		*ret = claim;
	else
		ela_claim_clear(&claim);
	return err;
}

void ela_claim_clear(struct ela_claim *claim)
{
	g_clear_pointer(&claim->grant_bytes, g_bytes_unref);
}

const uint8_t *ela_claim_holder(const struct ela_claim *claim)
{
	return claim->grant.is_machine ? claim->node_hash : claim->user.hash;
}

/* ---- enrolment ---- */

int ela_enrolment_sign(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t node_private[32], GBytes *claim,
	GBytes *credential, uint64_t time_s, GBytes **ret, GError **error)
{
	const struct ela_signer node = {.ed25519 = node_private};
	GVariant *body =
		g_variant_new("(@ay@ayt)", ela_body_put_blob(claim), ela_body_put_blob(credential), (guint64)time_s);

	return ela_object_sign(ELA_OBJECT_ENROLMENT, network_id, &node, body, ret, error);
}

static int read_enrolment(
	const uint8_t *network_id, const struct ela_object *object, struct ela_enrolment *ret, GError **error)
{
	const struct ela_verifier witness = {.ed25519 = ret->witness.ed25519};
	g_autoptr(GVariant) body = NULL;
	g_autoptr(GBytes) claim = NULL;
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	claim = ela_body_blob(body, 0);
	ret->witness_bytes = ela_body_blob(body, 1);
	ret->time_s = ela_body_number(body, 2);
	err = ela_credential_parse(network_id, NULL, g_bytes_get_data(ret->witness_bytes, NULL),
		g_bytes_get_size(ret->witness_bytes), &ret->witness, error);
	if (err == 0)
		err = ela_object_verify(object, network_id, &witness, error);
	if (err == 0)
		err = ela_claim_parse(network_id, g_bytes_get_data(claim, NULL), g_bytes_get_size(claim), &ret->claim, error);
	return err;
}

int ela_enrolment_parse(
	const uint8_t network_id[ELA_NETWORK_LEN], const void *bytes, size_t len, struct ela_enrolment *ret, GError **error)
{
	struct ela_enrolment enrolment = {0};
	struct ela_object object;
	int err = ela_object_split(ELA_OBJECT_ENROLMENT, bytes, len, &object, error);

	if (err == 0)
		err = read_enrolment(network_id, &object, &enrolment, error);
	if (err == 0 && ela_object_hash(bytes, len, enrolment.hash) != 0)
		err = ela_object_refuse(error, EIO, "libcrypto makes no hash");
	if (err == 0)
		*ret = enrolment;
	else
		ela_enrolment_clear(&enrolment);
	return err;
}

void ela_enrolment_clear(struct ela_enrolment *enrolment)
{
	ela_claim_clear(&enrolment->claim);
	g_clear_pointer(&enrolment->witness_bytes, g_bytes_unref);
}
