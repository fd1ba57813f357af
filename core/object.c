/* SPDX-License-Identifier: Apache-2.0 */
/* object: makes, takes apart and checks the envelope of signed objects (see object.h). Pure functions. Control thread.
 */
#include "object.h"
#include "frame.h"

#include <ela/routing.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SIGNER_AT 1u
#define LENGTH_AT 33u

/* Which sorts of key sign a kind. */
#define BY_RSA 1u
#define BY_ED25519 2u

static const struct kind {
	const char *label; /* in what is signed */
	const char *name;
	const char *type; /* of the body, never with a variant inside */
	uint32_t max;
	uint32_t by;
} kinds[ELA_OBJECT_KINDS + 1] = {
	[ELA_OBJECT_GENESIS] = {"GENESIS", "genesis", "(ayayuy)", ELA_OBJECT_MAX, BY_RSA},
	[ELA_OBJECT_HANDOVER] = {"HANDOVER", "handover", "(tayayayt)", ELA_OBJECT_MAX, BY_RSA},
	[ELA_OBJECT_LIST] = {"LIST", "user list", "(ttttasqa(saybbuaua(ayay))a(ayt)aay)", ELA_OBJECT_LIST_MAX, BY_RSA},
	[ELA_OBJECT_GRANT] = {"GRANT", "grant", "(aysbbbuautt)", ELA_OBJECT_MAX, BY_RSA},
	[ELA_OBJECT_CLAIM] = {"CLAIM", "claim", "(ayayay)", ELA_OBJECT_MAX, BY_ED25519},
	[ELA_OBJECT_ENROLMENT] = {"ENROLMENT", "enrolment", "(ayayt)", ELA_OBJECT_MAX, BY_ED25519},
	[ELA_OBJECT_CREDENTIAL] = {"CREDENTIAL", "credential", "(ayutsayayy)", ELA_OBJECT_MAX, BY_RSA | BY_ED25519},
	[ELA_OBJECT_RECORD] = {"RECORD", "record", "(uuayyuttba(ayqq))", ELA_RECORD_MAX, BY_ED25519},
	[ELA_OBJECT_LEASE] = {"LEASE", "countersignature", "(uayt)", ELA_RECORD_MAX, BY_ED25519},
};

GQuark ela_object_error_quark(void)
{
	return g_quark_from_static_string("ela-object-error");
}

int ela_object_refuse(GError **error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error != NULL)
		*error = g_error_new_valist(ELA_OBJECT_ERROR, err, format, args);
	va_end(args);
	return -err;
}

const char *ela_object_name(enum ela_object_kind kind)
{
	return kinds[kind].name;
}

const char *ela_object_label(enum ela_object_kind kind)
{
	return kinds[kind].label;
}

const char *ela_object_type(enum ela_object_kind kind)
{
	return kinds[kind].type;
}

uint32_t ela_object_max(enum ela_object_kind kind)
{
	return kinds[kind].max;
}

int ela_object_hash(const void *bytes, size_t len, uint8_t ret[ELA_HASH_LEN])
{
	const struct ela_bytes all = {bytes, len};

	return ela_sha256(&all, 1, ret);
}

int ela_object_key_hash(const uint8_t ed25519[32], uint8_t ret[ELA_HASH_LEN])
{
	return ela_object_hash(ed25519, 32, ret);
}

static bool signature_fits(uint32_t by, size_t len)
{
	return ((by & BY_ED25519) != 0 && len == ELA_ED25519_LEN) ||
		   ((by & BY_RSA) != 0 && len >= ELA_RSA_MIN_SIGNATURE && len <= ELA_RSA_MAX_SIGNATURE);
}

int ela_object_split(enum ela_object_kind kind, const void *bytes, size_t len, struct ela_object *ret, GError **error)
{
	const struct kind *k = &kinds[kind];
	const uint8_t *p = bytes;
	uint32_t body_len;

	if (len > k->max)
		return ela_object_refuse(error, EBADMSG, "%s of %zu bytes; at most %u are taken", k->name, len, k->max);
	if (len < ELA_OBJECT_HEAD)
		return ela_object_refuse(error, EBADMSG, "%s is cut: %zu bytes", k->name, len);
	if (p[0] != kind)
		return ela_object_refuse(error, EBADMSG, "not a %s: its kind is %u", k->name, p[0]);
	body_len = ela_get32(p + LENGTH_AT);
	if (body_len > len - ELA_OBJECT_HEAD || !signature_fits(k->by, len - ELA_OBJECT_HEAD - body_len))
		return ela_object_refuse(
			error, EBADMSG, "%s is cut or too long: a body of %u in %zu bytes", k->name, body_len, len);
	*ret = (struct ela_object){.kind = kind,
		.signer = p + SIGNER_AT,
		.body = p + ELA_OBJECT_HEAD,
		.signature = p + ELA_OBJECT_HEAD + body_len,
		.body_len = body_len,
		.signature_len = (uint32_t)len - ELA_OBJECT_HEAD - body_len};
	return 0;
}

/* What the signature is over. g_byte_array_unref. */
static GByteArray *signed_bytes(enum ela_object_kind kind, const uint8_t *network_id, const void *body, size_t len)
{
	GByteArray *all = g_byte_array_sized_new((guint)(len + 64));
	char label[32];
	int n = snprintf(label, sizeof label, "ELA-%s-v1", kinds[kind].label);

	g_byte_array_append(all, (const uint8_t *)label, (guint)n + 1); /* with the zero */
	g_byte_array_append(all, network_id, ELA_NETWORK_LEN);
	return g_byte_array_append(all, body, (guint)len);
}

static int check_signature(const struct ela_object *o, const uint8_t *network_id, const struct ela_verifier *v)
{
	GByteArray *all = signed_bytes(o->kind, network_id, o->body, o->body_len);
	int err;

	if (v->rsa)
		err = ela_rsa_verify(v->rsa, all->data, all->len, o->signature, o->signature_len);
	else
		err = ela_ed25519_verify(v->ed25519, all->data, all->len, o->signature);
	g_byte_array_unref(all);
	return err;
}

int ela_object_verify(const struct ela_object *object, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_verifier *verifier, GError **error)
{
	const char *name = kinds[object->kind].name;
	uint8_t hash[ELA_HASH_LEN];
	int err;

	if (!verifier->rsa && ela_object_key_hash(verifier->ed25519, hash) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	if (memcmp(object->signer, verifier->rsa ? verifier->rsa->hash : hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EBADMSG, "%s is signed by another key", name);
	if ((verifier->rsa == NULL) != (object->signature_len == ELA_ED25519_LEN))
		return ela_object_refuse(error, EBADMSG, "%s has a signature of another sort of key", name);
	err = check_signature(object, network_id, verifier);
	if (err == -EBADMSG)
		return ela_object_refuse(error, EBADMSG, "%s is forged or of another network: its signature is wrong", name);
	return err == 0 ? 0 : ela_object_refuse(error, EIO, "libcrypto cannot check the signature of a %s", name);
}

/* Bodies are little-endian wherever they are made. */
static GVariant *swapped(GVariant *body)
{
#if G_BYTE_ORDER == G_BIG_ENDIAN
	return g_variant_byteswap(body);
#else
	return g_variant_ref(body);
#endif
}

int ela_object_read(const struct ela_object *object, GVariant **ret, GError **error)
{
	const struct kind *k = &kinds[object->kind];
	g_autoptr(GBytes) bytes = g_bytes_new(object->body, object->body_len);
	g_autoptr(GVariant) body = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(k->type), bytes, FALSE));

	if (!g_variant_is_normal_form(body))
		return ela_object_refuse(error, EBADMSG, "%s has a malformed body", k->name);
	*ret = swapped(body);
	return 0;
}

/* Puts the signature at the end and the key's hash into the head. */
static int put_signature(GByteArray *out, const struct ela_signer *signer, const uint8_t *data, size_t len)
{
	uint8_t signature[ELA_RSA_MAX_SIGNATURE], public_key[32], *hash = out->data + SIGNER_AT;
	size_t signature_len = ELA_ED25519_LEN;
	int err;

	if (signer->rsa) {
		memcpy(hash, ela_rsa_public(signer->rsa)->hash, ELA_HASH_LEN);
		signature_len = ela_rsa_signature_len(ela_rsa_public(signer->rsa));
		err = ela_rsa_sign(signer->rsa, data, len, signature);
	} else {
		err = ela_ed25519_public(signer->ed25519, public_key);
		if (err == 0)
			err = ela_object_key_hash(public_key, hash);
		if (err == 0)
			err = ela_ed25519_sign(signer->ed25519, data, len, signature);
	}
	if (err == 0)
		g_byte_array_append(out, signature, (guint)signature_len);
	return err;
}

int ela_object_sign(enum ela_object_kind kind, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_signer *signer, GVariant *body, GBytes **ret, GError **error)
{
	const struct kind *k = &kinds[kind];
	g_autoptr(GVariant) sunk = g_variant_ref_sink(body);
	g_autoptr(GVariant) little = swapped(sunk);
	uint8_t head[ELA_OBJECT_HEAD] = {(uint8_t)kind};
	size_t len = g_variant_get_size(little);
	GByteArray *out, *all;
	int err;

	if (!g_variant_is_of_type(little, G_VARIANT_TYPE(k->type)) || (k->by & (signer->rsa ? BY_RSA : BY_ED25519)) == 0)
		return ela_object_refuse(error, EINVAL, "not the body or the key of a %s", k->name);
	if (len > k->max)
		return ela_object_refuse(error, EMSGSIZE, "%s is too large: at most %u bytes", k->name, k->max);
	out = g_byte_array_sized_new((guint)(len + ELA_OBJECT_HEAD + ELA_RSA_MAX_SIGNATURE));
	all = signed_bytes(kind, network_id, g_variant_get_data(little), len);
	ela_put32(head + LENGTH_AT, (uint32_t)len);
	g_byte_array_append(out, head, sizeof head);
	g_byte_array_append(out, g_variant_get_data(little), (guint)len);
	err = put_signature(out, signer, all->data, all->len);
	g_byte_array_unref(all);
	if (err == 0 && out->len > k->max)
		err = -EMSGSIZE;
	if (err != 0) {
		g_byte_array_unref(out);
		return ela_object_refuse(error, -err, "a %s cannot be signed: %s", k->name, g_strerror(-err));
	}
	*ret = g_byte_array_free_to_bytes(out);
	return 0;
}
