/* SPDX-License-Identifier: Apache-2.0 */
/* token: invitations as one line of text and back (see token.h). Pure functions. Control thread. */
#include "token.h"
#include "frame.h"
#include "keys.h"

#include <errno.h>
#include <string.h>

#define FAMILY_PREFIX "ela"
#define PREFIX "ela1_"
#define CHECK_LEN 4u
#define FIXED_LEN (ELA_NETWORK_LEN + 32u + 4u + 1u + 1u + 2u + 1u + 1u)

/* ---- base64 of RFC 4648 section 5, without padding ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *encode(const uint8_t *bytes, size_t len)
{
	char *text = g_malloc(sizeof PREFIX + (len + 2) / 3 * 4), *out = text + strlen(PREFIX);
	uint32_t word = 0, bits = 0;

	memcpy(text, PREFIX, strlen(PREFIX));
	for (size_t i = 0; i < len; i++) {
		word = word << 8 | bytes[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = alphabet[word >> (bits - 6) & 63];
	}
	if (bits > 0)
		*out++ = alphabet[word << (6 - bits) & 63];
	*out = '\0';
	return text;
}

/* False for a strange character, an impossible length or stray bits at the end, which would be a second spelling. */
static bool decode(const char *text, size_t len, uint8_t *out, size_t *ret_len)
{
	uint32_t word = 0, bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		const char *at = memchr(alphabet, text[i], sizeof alphabet - 1);

		if (!at)
			return false;
		word = word << 6 | (uint32_t)(at - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (uint8_t)(word >> bits);
		}
	}
	if (bits >= 6 || (word & ((1u << bits) - 1)) != 0)
		return false;
	*ret_len = n;
	return true;
}

/* ---- writing ---- */

static void put_name(GByteArray *out, const char *name)
{
	uint8_t len = (uint8_t)strlen(name); /* below ELA_NAME_ROOM */

	g_byte_array_append(out, &len, 1);
	g_byte_array_append(out, (const uint8_t *)name, len);
}

static void put_node(GByteArray *out, const struct ela_token *token)
{
	uint8_t bits = (uint8_t)token->prefix.bits, slot[2];

	ela_put16(slot, (uint16_t)token->slot);
	g_byte_array_append(out, token->prefix.addr.ip, 4);
	g_byte_array_append(out, &bits, 1);
	put_name(out, token->network_name);
	g_byte_array_append(out, slot, sizeof slot);
	put_name(out, token->node_name);
}

static void put_core(GByteArray *out, const struct ela_token_core *core)
{
	const struct ela_addr *addr = &core->place.addr;
	uint8_t family = addr->family == ELA_ADDR_IP4 ? 4 : 6, ports[4];

	ela_put16(ports, core->place.tcp_port);
	ela_put16(ports + 2, core->place.udp_port);
	g_byte_array_append(out, core->x25519, sizeof core->x25519);
	g_byte_array_append(out, &family, 1);
	g_byte_array_append(out, addr->ip, family == 4 ? 4 : 16);
	g_byte_array_append(out, ports, sizeof ports);
}

static void put_cores(GByteArray *out, const struct ela_token_core *cores, uint32_t n)
{
	uint8_t n_cores = (uint8_t)n;

	g_byte_array_append(out, &n_cores, 1);
	for (uint32_t i = 0; i < n_cores; i++)
		put_core(out, &cores[i]);
}

GBytes *ela_token_pack_cores(const struct ela_token_core *cores, uint32_t n)
{
	GByteArray *out = g_byte_array_new();

	put_cores(out, cores, n);
	return g_byte_array_free_to_bytes(out);
}

int ela_token_format(const struct ela_token *token, char **ret, GError **error)
{
	uint8_t check[ELA_HASH_LEN];
	GByteArray *out;
	int err;

	if (token->n_cores > ELA_TOKEN_CORES || g_bytes_get_size(token->grant_bytes) > ELA_TOKEN_MAX / 2)
		return ela_object_refuse(error, EINVAL, "too much for one token");
	out = g_byte_array_sized_new(ELA_TOKEN_MAX); /* never moved: nothing secret is left behind */
	g_byte_array_append(out, token->network_id, ELA_NETWORK_LEN);
	g_byte_array_append(out, token->private_key, 32);
	put_node(out, token);
	put_cores(out, token->cores, token->n_cores);
	g_byte_array_append(out, g_bytes_get_data(token->grant_bytes, NULL), (guint)g_bytes_get_size(token->grant_bytes));
	err = ela_object_hash(out->data, out->len, check);
	g_byte_array_append(out, check, CHECK_LEN);
	if (err == 0)
		*ret = encode(out->data, out->len);
	ela_wipe(out->data, out->len);
	g_byte_array_unref(out);
	return err == 0 ? 0 : ela_object_refuse(error, EIO, "libcrypto makes no hash");
}

/* ---- reading ---- */

/* What is left of the bytes of a token. */
struct reader {
	const uint8_t *at;
	size_t left;
};

static bool take(struct reader *r, void *ret, size_t len)
{
	if (r->left < len)
		return false;
	memcpy(ret, r->at, len);
	r->at += len;
	r->left -= len;
	return true;
}

static bool take_name(struct reader *r, char ret[ELA_NAME_ROOM])
{
	uint8_t len;

	if (!take(r, &len, 1) || len >= ELA_NAME_ROOM || !take(r, ret, len))
		return false;
	ret[len] = '\0';
	return strlen(ret) == len && (len == 0 || ela_key_is_name(ret));
}

static bool take_node(struct reader *r, struct ela_token *ret)
{
	uint8_t bits, slot[2];

	ret->prefix.addr.family = ELA_ADDR_IP4;
	if (!take(r, ret->prefix.addr.ip, 4) || !take(r, &bits, 1) || !take_name(r, ret->network_name) ||
		!take(r, slot, sizeof slot) || !take_name(r, ret->node_name))
		return false;
	ret->prefix.bits = bits;
	ret->slot = ela_get16(slot);
	return bits <= ELA_NETWORK_MAX_BITS && ela_genesis_prefix_ok(&ret->prefix) && ret->slot < ELA_USER_NODES_MAX;
}

static bool take_core(struct reader *r, struct ela_token_core *ret)
{
	struct ela_addr *addr = &ret->place.addr;
	uint8_t family, ports[4];

	if (!take(r, ret->x25519, sizeof ret->x25519) || !take(r, &family, 1) || (family != 4 && family != 6))
		return false;
	addr->family = family == 4 ? ELA_ADDR_IP4 : ELA_ADDR_IP6;
	if (!take(r, addr->ip, family == 4 ? 4 : 16) || !take(r, ports, sizeof ports))
		return false;
	ret->place.tcp_port = ela_get16(ports);
	ret->place.udp_port = ela_get16(ports + 2);
	return ela_x25519_point_ok(ret->x25519) && ela_place_ok(&ret->place);
}

static bool take_cores(struct reader *r, struct ela_token_core *ret, uint32_t room, uint32_t *ret_n)
{
	uint8_t n;

	if (!take(r, &n, 1) || n > room)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!take_core(r, &ret[i]))
			return false;
	*ret_n = n;
	return true;
}

int ela_token_parse_cores(
	const void *bytes, size_t len, struct ela_token_core *ret, uint32_t room, uint32_t *ret_n, GError **error)
{
	g_autofree struct ela_token_core *cores = g_new0(struct ela_token_core, room);
	struct reader r = {bytes, len};
	uint32_t n;

	if (!take_cores(&r, cores, room, &n) || r.left != 0)
		return ela_object_refuse(error, EBADMSG, "not the cores of a token");
	memcpy(ret, cores, n * sizeof *cores);
	*ret_n = n;
	return 0;
}

static bool take_head(struct reader *r, struct ela_token *ret)
{
	return take(r, ret->network_id, ELA_NETWORK_LEN) && take(r, ret->private_key, 32) && take_node(r, ret) &&
		   take_cores(r, ret->cores, ELA_TOKEN_CORES, &ret->n_cores);
}

static int read_token(const uint8_t *bytes, size_t len, uint64_t now_s, struct ela_token *ret, GError **error)
{
	struct reader r = {bytes, len};
	uint8_t public_key[32];
	int err;

	if (!take_head(&r, ret))
		return ela_object_refuse(error, EBADMSG, "this token is malformed; ask for a new one");
	ret->grant_bytes = g_bytes_new(r.at, r.left);
	err = ela_grant_parse(ret->network_id, NULL, r.at, r.left, &ret->grant, error);
	if (err != 0) {
		g_prefix_error(error, "this token is malformed; ask for a new one: ");
		return err;
	}
	if (!ret->grant.is_machine && ret->slot != 0)
		return ela_object_refuse(error, EBADMSG, "this token is malformed; ask for a new one");
	if (ela_ed25519_public(ret->private_key, public_key) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no key");
	if (memcmp(public_key, ret->grant.token_key, sizeof public_key) != 0)
		return ela_object_refuse(error, EBADMSG, "this token is forged: its key is not the one that its grant names");
	if (now_s > ret->grant.expires_s)
		return ela_object_refuse(error, EKEYEXPIRED, "this token has expired; ask for a new one, or set the clock");
	return 0;
}

/* The text without blanks around it, behind its prefix. NULL and *error: it is none. */
static const char *find_text(const char *text, size_t *ret_len, int *ret_err, GError **error)
{
	size_t len;

	while (g_ascii_isspace(*text))
		text++;
	len = strlen(text);
	while (len > 0 && g_ascii_isspace(text[len - 1]))
		len--;
	if (len > ELA_TOKEN_MAX || len < strlen(PREFIX) || memcmp(text, FAMILY_PREFIX, strlen(FAMILY_PREFIX)) != 0) {
		*ret_err = ela_object_refuse(error, EINVAL, "this is no token; expected one line that starts with " PREFIX);
		return NULL;
	}
	if (memcmp(text, PREFIX, strlen(PREFIX)) != 0) {
		*ret_err = ela_object_refuse(error, EPROTONOSUPPORT,
			"this token is mistyped or of another version; expected one that starts with " PREFIX);
		return NULL;
	}
	*ret_len = len - strlen(PREFIX);
	return text + strlen(PREFIX);
}

int ela_token_parse(const char *text, uint64_t now_s, struct ela_token *ret, GError **error)
{
	uint8_t bytes[ELA_TOKEN_MAX], check[ELA_HASH_LEN];
	struct ela_token token = {0};
	size_t text_len = 0, len = 0;
	int err = 0;
	const char *code = find_text(text, &text_len, &err, error);

	if (!code)
		return err;
	if (!decode(code, text_len, bytes, &len) || len < FIXED_LEN + CHECK_LEN ||
		ela_object_hash(bytes, len - CHECK_LEN, check) != 0 || memcmp(check, bytes + len - CHECK_LEN, CHECK_LEN) != 0)
		err = ela_object_refuse(
			error, EINVAL, "this token is mistyped or cut; copy the whole line, or pipe it: ela join -");
	else
		err = read_token(bytes, len - CHECK_LEN, now_s, &token, error);
	ela_wipe(bytes, sizeof bytes);
	if (err == 0)
		*ret = token;
	else
		ela_token_clear(&token);
	ela_wipe(&token, sizeof token); /* ret has the only copy */
	return err;
}

void ela_token_clear(struct ela_token *token)
{
	g_clear_pointer(&token->grant_bytes, g_bytes_unref);
	ela_wipe(token, sizeof *token);
}
