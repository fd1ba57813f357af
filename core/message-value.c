/* SPDX-License-Identifier: Apache-2.0 */
/* message-value: one value of a message's field as text and back: exactly one spelling each. Pure functions; any
 * thread. */
#include "inet.h"
#include "message-priv.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what may be said ---- */

/* It ends in logs and on terminals: no control characters; and what XML cannot say is not said. */
static bool text_ok(const char *text, size_t len)
{
	if (!g_utf8_validate(text, (gssize)len, NULL) || memchr(text, '\0', len))
		return false;
	for (const char *p = text; p < text + len; p += g_utf8_skip[(uint8_t)*p]) {
		gunichar c = g_utf8_get_char(p);

		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff)
			return false;
	}
	return true;
}

static bool addr_ok(const struct ela_addr *addr)
{
	char text[ELA_INET_TEXT];
	struct ela_addr again;

	if (addr->family != ELA_ADDR_IP4 && addr->family != ELA_ADDR_IP6)
		return false;
	ela_inet_addr_text(addr, text);
	return ela_inet_addr(text, &again) == 0 && memcmp(addr, &again, sizeof again) == 0;
}

bool ela_field_allowed(const struct ela_field_spec *spec, const struct ela_field_value *value)
{
	struct ela_message_endpoint endpoint;
	struct ela_addr addr;

	switch (spec->kind) {
	case ELA_KIND_NUMBER:
	case ELA_KIND_ID:
		return value->number >= spec->min && value->number <= spec->max;
	case ELA_KIND_CHOICE:
		for (int64_t i = 0; spec->choices[i]; i++)
			if (i == value->number)
				return true;
		return false;
	case ELA_KIND_TEXT:
		return value->len >= spec->min && value->len <= spec->max && text_ok((const char *)value->bytes, value->len);
	case ELA_KIND_BYTES:
	case ELA_KIND_BLOB:
		return value->len >= spec->min && value->len <= spec->max;
	case ELA_KIND_ADDRESS:
		memcpy(&addr, value->bytes, sizeof addr);
		return addr_ok(&addr);
	case ELA_KIND_ENDPOINT:
		memcpy(&endpoint, value->bytes, sizeof endpoint);
		return addr_ok(&endpoint.addr);
	}
	return false;
}

/* ---- from text ---- */

static int decode_hex(const char *text, uint8_t *out, size_t len)
{
	if (strlen(text) != 2 * len || strspn(text, "0123456789abcdef") != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 | g_ascii_xdigit_value(text[2 * i + 1]));
	return 0;
}

static int decode_choice(const struct ela_field_spec *spec, const char *text, int64_t *ret)
{
	for (int64_t i = 0; spec->choices[i]; i++)
		if (strcmp(spec->choices[i], text) == 0) {
			*ret = i;
			return 0;
		}
	if (!spec->lenient)
		return -EINVAL;
	*ret = 1;
	return 0;
}

static int decode_id(const char *text, int64_t *ret)
{
	uint8_t id[4];
	int err = decode_hex(text, id, sizeof id);

	if (err == 0)
		*ret = (int64_t)id[0] << 24 | id[1] << 16 | id[2] << 8 | id[3];
	return err;
}

/* Canonical: what encodes to the same text. GLib's decoder alone skips what it does not know. */
static int decode_blob(const char *text, struct ela_field_value *value)
{
	g_autofree char *again = NULL;
	gsize len;

	value->bytes = g_base64_decode(text, &len);
	value->bytes = g_realloc(value->bytes, len + 1);
	value->bytes[len] = '\0';
	value->len = (uint32_t)len;
	again = g_base64_encode(value->bytes, len);
	return strcmp(again, text) == 0 ? 0 : -EINVAL;
}

static int decode_addr(const char *text, struct ela_addr *ret)
{
	char again[ELA_INET_TEXT];
	struct ela_addr addr;

	if (ela_inet_addr(text, &addr) != 0)
		return -EINVAL;
	ela_inet_addr_text(&addr, again);
	if (strcmp(again, text) != 0)
		return -EINVAL;
	*ret = addr;
	return 0;
}

static int decode_port(const char *text, uint16_t *ret)
{
	int64_t n;

	if (ela_value_int(text, &n) != 0 || n < 0 || n > UINT16_MAX || text[0] == '-')
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

static int decode_endpoint(const char *text, struct ela_message_endpoint *ret)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 4);

	if (g_strv_length(words) != 3 || decode_addr(words[0], &ret->addr) != 0)
		return -EINVAL;
	return decode_port(words[1], &ret->tcp_port) == 0 && decode_port(words[2], &ret->udp_port) == 0 ? 0 : -EINVAL;
}

static void take(struct ela_field_value *value, const void *bytes, size_t len)
{
	value->bytes = g_malloc0(len + 1);
	memcpy(value->bytes, bytes, len);
	value->len = (uint32_t)len;
}

/* Leaves bytes to be freed, whatever it returns. */
static int decode(const struct ela_field_spec *spec, const char *text, struct ela_field_value *value)
{
	struct ela_message_endpoint endpoint = {0};
	struct ela_addr addr = {0};
	int err = 0;

	switch (spec->kind) {
	case ELA_KIND_NUMBER:
		return text[0] == '-' || ela_value_int(text, &value->number) != 0 ? -EINVAL : 0;
	case ELA_KIND_ID:
		return decode_id(text, &value->number);
	case ELA_KIND_CHOICE:
		return decode_choice(spec, text, &value->number);
	case ELA_KIND_TEXT:
		take(value, text, strlen(text));
		break;
	case ELA_KIND_BYTES:
		value->len = (uint32_t)spec->max;
		value->bytes = g_malloc0(value->len + 1);
		err = decode_hex(text, value->bytes, value->len);
		break;
	case ELA_KIND_BLOB:
		err = decode_blob(text, value);
		break;
	case ELA_KIND_ADDRESS:
		err = decode_addr(text, &addr);
		take(value, &addr, sizeof addr);
		break;
	case ELA_KIND_ENDPOINT:
		err = decode_endpoint(text, &endpoint);
		take(value, &endpoint, sizeof endpoint);
		break;
	}
	return err;
}

int ela_field_decode(const struct ela_field_spec *spec, const char *text, struct ela_field_value *ret)
{
	struct ela_field_value value = {0};
	int err = decode(spec, text, &value);

	if (err == 0 && !ela_field_allowed(spec, &value))
		err = -EINVAL;
	if (err != 0)
		g_free(value.bytes);
	else
		*ret = value;
	return err;
}

/* ---- to text ---- */

static void encode_hex(const uint8_t *bytes, uint32_t len, GString *out)
{
	for (uint32_t i = 0; i < len; i++)
		g_string_append_printf(out, "%02x", bytes[i]);
}

static void encode_text(const char *text, GString *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			g_string_append(out, "&amp;");
		else if (*text == '<')
			g_string_append(out, "&lt;");
		else if (*text == '>')
			g_string_append(out, "&gt;");
		else
			g_string_append_c(out, *text);
	}
}

static void encode_blob(const struct ela_field_value *value, GString *out)
{
	g_autofree char *text = g_base64_encode(value->bytes, value->len);

	g_string_append(out, text);
}

static void encode_endpoint(const struct ela_field_value *value, GString *out)
{
	struct ela_message_endpoint endpoint;
	char text[ELA_INET_TEXT];

	memcpy(&endpoint, value->bytes, sizeof endpoint);
	ela_inet_addr_text(&endpoint.addr, text);
	g_string_append_printf(out, "%s %u %u", text, endpoint.tcp_port, endpoint.udp_port);
}

static void encode_addr(const struct ela_field_value *value, GString *out)
{
	struct ela_addr addr;
	char text[ELA_INET_TEXT];

	memcpy(&addr, value->bytes, sizeof addr);
	ela_inet_addr_text(&addr, text);
	g_string_append(out, text);
}

void ela_field_encode(const struct ela_field_spec *spec, const struct ela_field_value *value, GString *out)
{
	switch (spec->kind) {
	case ELA_KIND_NUMBER:
		g_string_append_printf(out, "%" G_GINT64_FORMAT, value->number);
		break;
	case ELA_KIND_ID:
		g_string_append_printf(out, "%08x", (uint32_t)value->number);
		break;
	case ELA_KIND_CHOICE:
		g_string_append(out, spec->choices[value->number]);
		break;
	case ELA_KIND_TEXT:
		encode_text((const char *)value->bytes, out);
		break;
	case ELA_KIND_BYTES:
		encode_hex(value->bytes, value->len, out);
		break;
	case ELA_KIND_BLOB:
		encode_blob(value, out);
		break;
	case ELA_KIND_ADDRESS:
		encode_addr(value, out);
		break;
	case ELA_KIND_ENDPOINT:
		encode_endpoint(value, out);
		break;
	}
}
