/* SPDX-License-Identifier: Apache-2.0 */
/* body: fields of signed objects (see body.h). Pure functions. Control thread. */
#include "body.h"
#include "keys.h"

#include <string.h>

bool ela_body_bytes(GVariant *tuple, size_t i, void *ret, size_t len)
{
	g_autoptr(GVariant) field = g_variant_get_child_value(tuple, i);
	gsize n;
	const void *bytes = g_variant_get_fixed_array(field, &n, 1);

	if (n != len)
		return false;
	if (len > 0)
		memcpy(ret, bytes, len);
	return true;
}

bool ela_body_name(GVariant *tuple, size_t i, char ret[ELA_NAME_ROOM])
{
	g_autoptr(GVariant) field = g_variant_get_child_value(tuple, i);
	gsize len;
	const char *text = g_variant_get_string(field, &len);

	if (!ela_key_is_name(text))
		return false;
	memcpy(ret, text, len + 1);
	return true;
}

bool ela_body_rsa(GVariant *tuple, size_t i, struct ela_rsa_public *ret)
{
	g_autoptr(GVariant) field = g_variant_get_child_value(tuple, i);
	gsize len;
	const void *der = g_variant_get_fixed_array(field, &len, 1);

	return ela_rsa_public_parse(der, len, ret) == 0;
}

bool ela_body_reserved(GVariant *tuple, size_t i, struct ela_reserved *ret)
{
	g_autoptr(GVariant) field = g_variant_get_child_value(tuple, i);
	struct ela_reserved reserved = {0};
	gsize n;
	const uint32_t *addresses = g_variant_get_fixed_array(field, &n, sizeof *addresses);

	if (n > ELA_RESERVED_MAX)
		return false;
	for (gsize k = 0; k < n; k++) {
		if (k > 0 && addresses[k] <= addresses[k - 1])
			return false;
		reserved.addresses[k] = addresses[k];
	}
	reserved.n = (uint32_t)n;
	*ret = reserved;
	return true;
}

uint64_t ela_body_number(GVariant *tuple, size_t i)
{
	g_autoptr(GVariant) field = g_variant_get_child_value(tuple, i);

	switch (g_variant_classify(field)) {
	case G_VARIANT_CLASS_BOOLEAN:
		return g_variant_get_boolean(field) ? 1 : 0;
	case G_VARIANT_CLASS_BYTE:
		return g_variant_get_byte(field);
	case G_VARIANT_CLASS_UINT16:
		return g_variant_get_uint16(field);
	case G_VARIANT_CLASS_UINT32:
		return g_variant_get_uint32(field);
	default:
		return g_variant_get_uint64(field);
	}
}

GBytes *ela_body_blob(GVariant *tuple, size_t i)
{
	g_autoptr(GVariant) field = g_variant_get_child_value(tuple, i);

	return g_variant_get_data_as_bytes(field);
}

GVariant *ela_body_put(const void *bytes, size_t len)
{
	return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, len, 1);
}

GVariant *ela_body_put_blob(GBytes *bytes)
{
	gsize len = 0;
	const void *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;

	return ela_body_put(data, len);
}

GVariant *ela_body_put_reserved(const struct ela_reserved *reserved)
{
	return g_variant_new_fixed_array(
		G_VARIANT_TYPE_UINT32, reserved->addresses, reserved->n, sizeof reserved->addresses[0]);
}
