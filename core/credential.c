/* SPDX-License-Identifier: Apache-2.0 */
/* credential: makes and reads credentials (see credential.h). Pure functions. Control thread. */
#include "credential.h"
#include "keys.h"

#include <errno.h>
#include <string.h>

enum { USER, SLOT, SERIAL, NAME, X25519, ED25519, ROLES };

static const char *fault_of(const struct ela_credential *credential)
{
	if (!ela_key_is_name(credential->name))
		return "with a malformed name of the node";
	if (!ela_x25519_point_ok(credential->x25519))
		return "with an X25519 key of low order";
	if ((credential->roles & ~ELA_CREDENTIAL_CORE) != 0)
		return "with roles that this version does not know";
	return NULL;
}

int ela_credential_sign(const struct ela_credential *credential, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_signer *signer, GBytes **ret, GError **error)
{
	const char *fault = fault_of(credential);
	GVariant *body;

	if (fault)
		return ela_object_refuse(error, EINVAL, "credential %s", fault);
	body = g_variant_new("(@ayuts@ay@ayy)", ela_body_put(credential->user, ELA_HASH_LEN), credential->slot,
		(guint64)credential->serial, credential->name, ela_body_put(credential->x25519, 32),
		ela_body_put(credential->ed25519, 32), (guchar)credential->roles);
	return ela_object_sign(ELA_OBJECT_CREDENTIAL, network_id, signer, body, ret, error);
}

int ela_credential_signer(const void *bytes, size_t len, uint8_t ret[ELA_HASH_LEN], GError **error)
{
	struct ela_object object;
	int err = ela_object_split(ELA_OBJECT_CREDENTIAL, bytes, len, &object, error);

	if (err == 0)
		memcpy(ret, object.signer, ELA_HASH_LEN);
	return err;
}

static int read_body(const struct ela_object *object, struct ela_credential *ret, GError **error)
{
	g_autoptr(GVariant) body = NULL;
	const char *fault = "with a malformed field";
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	ret->slot = (uint32_t)ela_body_number(body, SLOT);
	ret->serial = ela_body_number(body, SERIAL);
	ret->roles = (uint32_t)ela_body_number(body, ROLES);
	if (ela_body_bytes(body, USER, ret->user, ELA_HASH_LEN) && ela_body_name(body, NAME, ret->name) &&
		ela_body_bytes(body, X25519, ret->x25519, 32) && ela_body_bytes(body, ED25519, ret->ed25519, 32))
		fault = fault_of(ret);
	if (fault)
		return ela_object_refuse(error, EBADMSG, "credential %s", fault);
	memcpy(ret->signer, object->signer, ELA_HASH_LEN);
	return ela_object_key_hash(ret->ed25519, ret->node_hash);
}

int ela_credential_parse(const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_verifier *verifier,
	const void *bytes, size_t len, struct ela_credential *ret, GError **error)
{
	struct ela_credential credential;
	struct ela_object object;
	int err = ela_object_split(ELA_OBJECT_CREDENTIAL, bytes, len, &object, error);

	if (err == 0 && verifier)
		err = ela_object_verify(&object, network_id, verifier, error);
	if (err == 0)
		err = read_body(&object, &credential, error);
	if (err == 0)
		err = ela_object_hash(bytes, len, credential.hash);
	if (err == 0)
		*ret = credential;
	else if (err == -EIO && error && !*error)
		err = ela_object_refuse(error, EIO, "libcrypto makes no hash");
	return err;
}
