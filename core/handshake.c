/* SPDX-License-Identifier: Apache-2.0 */
/* handshake: encoding, MACs, cookies and payloads of HANDSHAKE messages. Pure functions, control thread. */
#include "handshake.h"

#include <errno.h>
#include <glib.h>

#define KIND_AT 8u
#define SENDER_AT 12u
#define SENDER_ID_AT 16u
#define RECEIVER_AT 20u
#define SALT_LEN 16u

/*
 * Smallest Noise messages: IK 1 is e, s, payload tag; IK 2 is e, payload tag; XX 1 is e, its payload in clear; XX 2 is
 * e, s and tag, payload tag; XX 3 is s and tag, payload tag. 0: no Noise message.
 */
static uint32_t noise_min(enum ela_handshake_kind kind)
{
	switch (kind) {
	case ELA_HANDSHAKE_INIT:
	case ELA_HANDSHAKE_ANSWER:
		return 48;
	case ELA_HANDSHAKE_XX_1:
		return 32;
	case ELA_HANDSHAKE_XX_2:
		return 96;
	case ELA_HANDSHAKE_XX_3:
		return 64;
	default:
		return 0;
	}
}

int ela_handshake_parse(const uint8_t *data, uint32_t len, struct ela_handshake *ret)
{
	struct ela_handshake hs;

	if (len < ELA_HANDSHAKE_HEAD || len > ELA_HANDSHAKE_MAX)
		return -EBADMSG;
	if (data[KIND_AT + 1] | data[KIND_AT + 2] | data[KIND_AT + 3])
		return -EBADMSG;
	hs = (struct ela_handshake){
		.kind = (enum ela_handshake_kind)data[KIND_AT],
		.sender_index = ela_get32(data + SENDER_AT),
		.sender_id = ela_get32(data + SENDER_ID_AT),
		.receiver_index = ela_get32(data + RECEIVER_AT),
		.noise = data + ELA_HANDSHAKE_HEAD,
		.noise_len = len - ELA_HANDSHAKE_HEAD,
	};
	if (noise_min(hs.kind)) {
		if (hs.noise_len < noise_min(hs.kind) + ELA_HANDSHAKE_MACS)
			return -EBADMSG;
		hs.noise_len -= ELA_HANDSHAKE_MACS;
		hs.mac1 = data + len - ELA_HANDSHAKE_MACS;
		hs.mac2 = data + len - ELA_MAC_LEN;
	} else if (hs.kind != ELA_HANDSHAKE_COOKIE || len != ELA_HANDSHAKE_COOKIE_LEN) {
		return -EBADMSG;
	}
	/* A cookie has no session to come and an init none to answer. */
	if ((hs.sender_index == 0) != (hs.kind == ELA_HANDSHAKE_COOKIE) ||
		((hs.kind == ELA_HANDSHAKE_INIT || hs.kind == ELA_HANDSHAKE_XX_1) && hs.receiver_index != 0))
		return -EBADMSG;
	*ret = hs;
	return 0;
}

void ela_handshake_head(uint8_t *out, enum ela_handshake_kind kind, uint32_t destination, uint32_t sender_index,
	uint32_t sender_id, uint32_t receiver_index)
{
	ela_header_put(out, ELA_TYPE_HANDSHAKE, 0, destination);
	memset(out + KIND_AT, 0, 4);
	out[KIND_AT] = (uint8_t)kind;
	ela_put32(out + SENDER_AT, sender_index);
	ela_put32(out + SENDER_ID_AT, sender_id);
	ela_put32(out + RECEIVER_AT, receiver_index);
}

static int labelled_key(const char *label, const uint8_t network_id[32], const uint8_t public_key[32], uint8_t out[32])
{
	const struct ela_bytes info[] = {{label, strlen(label)}};
	uint8_t ikm[64];

	memcpy(ikm, network_id, 32);
	memcpy(ikm + 32, public_key, 32);
	return ela_hkdf_sha256(NULL, 0, ikm, sizeof ikm, info, 1, out, 32);
}

int ela_handshake_mac1_key(const uint8_t network_id[32], const uint8_t public_key[32], uint8_t out[32])
{
	return labelled_key("ela-mac1", network_id, public_key, out);
}

int ela_handshake_network_key(const uint8_t network_id[32], uint8_t out[32])
{
	const struct ela_bytes info[] = {{"ela-mac1", 8}};

	return ela_hkdf_sha256(NULL, 0, network_id, 32, info, 1, out, 32);
}

int ela_cookie_key(const uint8_t network_id[32], const uint8_t public_key[32], uint8_t out[32])
{
	return labelled_key("ela-cookie", network_id, public_key, out);
}

/* HMAC over the message with TTL and flags as zero, cut to 16 bytes. */
static int mac(const void *key, size_t key_len, const uint8_t *message, uint32_t len, uint8_t out[ELA_MAC_LEN])
{
	static const uint8_t zero[2];
	const struct ela_bytes parts[] = {{message, 2}, {zero, 2}, {message + 4, len - 4}};
	uint8_t full[ELA_HASH_LEN];
	int err = ela_hmac_sha256(key, key_len, parts, G_N_ELEMENTS(parts), full);

	memcpy(out, full, ELA_MAC_LEN);
	return err;
}

uint32_t ela_handshake_mac(uint8_t *message, uint32_t len, const uint8_t mac1_key[32], const uint8_t *cookie)
{
	if (mac(mac1_key, 32, message, len, message + len) != 0)
		return 0;
	len += ELA_MAC_LEN;
	if (!cookie)
		memset(message + len, 0, ELA_MAC_LEN);
	else if (mac(cookie, 16, message, len, message + len) != 0)
		return 0;
	return len + ELA_MAC_LEN;
}

bool ela_handshake_mac1_ok(const uint8_t *data, uint32_t len, const uint8_t mac1_key[32])
{
	uint32_t covered = len - ELA_HANDSHAKE_MACS;
	uint8_t want[ELA_MAC_LEN];

	return mac(mac1_key, 32, data, covered, want) == 0 && ela_equal(want, data + covered, sizeof want);
}

bool ela_handshake_mac2_ok(const uint8_t *data, uint32_t len, const uint8_t cookie[16])
{
	uint32_t covered = len - ELA_MAC_LEN;
	uint8_t want[ELA_MAC_LEN];

	return mac(cookie, 16, data, covered, want) == 0 && ela_equal(want, data + covered, sizeof want);
}

int ela_cookie_make(const uint8_t secret[32], const struct ela_addr *addr, uint8_t out[16])
{
	const struct ela_bytes parts[] = {{addr, sizeof *addr}};
	uint8_t full[ELA_HASH_LEN];
	int err = ela_hmac_sha256(secret, 32, parts, 1, full);

	memcpy(out, full, 16);
	return err;
}

/* A key of its own for each cookie message (the salt), so the nonce can be zero. */
static int cookie_message_key(const uint8_t cookie_key[32], const uint8_t *salt, uint8_t out[32])
{
	const struct ela_bytes info[] = {{"ela-cookie-message", 18}};

	return ela_hkdf_sha256(salt, SALT_LEN, cookie_key, 32, info, 1, out, 32);
}

int ela_cookie_seal(uint8_t *out, const struct ela_handshake *init, uint32_t own_id, const uint8_t cookie_key[32],
	const uint8_t salt[16], const uint8_t cookie[16])
{
	static const uint8_t nonce[12];
	uint8_t key[32];

	ela_handshake_head(out, ELA_HANDSHAKE_COOKIE, init->sender_id, 0, own_id, init->sender_index);
	memcpy(out + ELA_HANDSHAKE_HEAD, salt, SALT_LEN);
	if (cookie_message_key(cookie_key, salt, key) != 0)
		return -EIO;
	return ela_chachapoly_seal(key, nonce, init->mac1, ELA_MAC_LEN, cookie, 16, out + ELA_HANDSHAKE_HEAD + SALT_LEN);
}

int ela_cookie_open(
	const struct ela_handshake *hs, const uint8_t cookie_key[32], const uint8_t mac1[16], uint8_t ret_cookie[16])
{
	static const uint8_t nonce[12];
	uint8_t key[32], cookie[16];

	if (cookie_message_key(cookie_key, hs->noise, key) != 0 ||
		ela_chachapoly_open(key, nonce, mac1, ELA_MAC_LEN, hs->noise + SALT_LEN, 16 + ELA_TAG_LEN, cookie) != 0)
		return -EBADMSG;
	memcpy(ret_cookie, cookie, 16);
	return 0;
}

enum { TAG_SUITES = 1, TAG_LANES = 2, TAG_FEATURES = 3, TAG_COOKIE = 4, TAG_CREDENTIAL = 5 };

static uint8_t *put_tlv(uint8_t *p, uint8_t tag, const void *value, uint32_t len)
{
	p[0] = tag;
	ela_put16(p + 1, (uint16_t)len);
	memcpy(p + 3, value, len);
	return p + 3 + len;
}

uint32_t ela_hello_put(const struct ela_hello *hello, uint8_t *out)
{
	uint8_t lanes = (uint8_t)hello->lanes, features[4];
	uint8_t *p = out;

	ela_put32(features, hello->features);
	p = put_tlv(p, TAG_SUITES, hello->suites, (uint32_t)strnlen(hello->suites, sizeof hello->suites - 1));
	p = put_tlv(p, TAG_LANES, &lanes, 1);
	p = put_tlv(p, TAG_FEATURES, features, 4);
	if (hello->has_cookie)
		p = put_tlv(p, TAG_COOKIE, hello->cookie, sizeof hello->cookie);
	if (hello->credential) {
		if ((uint32_t)(p - out) + 3 + hello->credential_len > ELA_HANDSHAKE_MAX_PAYLOAD)
			return 0;
		p = put_tlv(p, TAG_CREDENTIAL, hello->credential, hello->credential_len);
	}
	return (uint32_t)(p - out);
}

static bool suites_ok(const uint8_t *value, uint32_t len)
{
	if (len == 0 || len > sizeof(((struct ela_hello *)0)->suites) - 1)
		return false;
	for (uint32_t i = 0; i < len; i++)
		if (!g_ascii_islower(value[i]) && !g_ascii_isdigit(value[i]) && value[i] != '-' && value[i] != ',')
			return false;
	return true;
}

/* Reads one known field; unknown tags are for later versions and skipped. */
static bool hello_field(struct ela_hello *h, uint8_t tag, const uint8_t *value, uint32_t len)
{
	switch (tag) {
	case TAG_SUITES:
		if (!suites_ok(value, len))
			return false;
		memcpy(h->suites, value, len);
		h->suites[len] = '\0';
		return true;
	case TAG_LANES:
		h->lanes = len == 1 ? value[0] : 0;
		return h->lanes >= 1 && h->lanes <= ELA_MAX_LANES;
	case TAG_FEATURES:
		if (len != 4)
			return false;
		h->features = ela_get32(value);
		return true;
	case TAG_COOKIE:
		h->has_cookie = len == sizeof h->cookie;
		if (h->has_cookie)
			memcpy(h->cookie, value, len);
		return h->has_cookie;
	case TAG_CREDENTIAL:
		h->credential = value;
		h->credential_len = len;
		return len != 0;
	default:
		return true;
	}
}

int ela_hello_parse(const uint8_t *data, uint32_t len, struct ela_hello *ret)
{
	const uint32_t required = 1u << TAG_SUITES | 1u << TAG_LANES | 1u << TAG_FEATURES;
	struct ela_hello h = {0};
	uint32_t seen = 0;

	while (len > 0) {
		uint32_t size, bit;

		if (len < 3 || (size = ela_get16(data + 1)) > len - 3)
			return -EBADMSG;
		bit = data[0] < 32 ? 1u << data[0] : 0;
		if ((seen & bit) != 0 || !hello_field(&h, data[0], data + 3, size))
			return -EBADMSG;
		seen |= bit;
		data += 3 + size;
		len -= 3 + size;
	}
	if ((seen & required) != required)
		return -EBADMSG;
	*ret = h;
	return 0;
}

uint32_t ela_prologue(const uint8_t network_id[32], enum ela_noise_pattern pattern, uint8_t out[48])
{
	memcpy(out, "ELA1", 4);
	memcpy(out + 4, pattern == ELA_NOISE_IK ? "IK" : "XX", 2);
	memcpy(out + 6, network_id, 32);
	return 38;
}

int ela_node_id(const uint8_t network_id[32], const uint8_t ip4[4], uint32_t *ret_id)
{
	uint16_t left = ela_get16(ip4), right = ela_get16(ip4 + 2);

	for (uint8_t round = 0; round < 4; round++) {
		const uint8_t half[2] = {(uint8_t)(right >> 8), (uint8_t)right};
		const struct ela_bytes parts[] = {{"ela-id", 6}, {&round, 1}, {half, 2}};
		uint8_t f[ELA_HASH_LEN];
		uint16_t swap = right;

		if (ela_hmac_sha256(network_id, 32, parts, G_N_ELEMENTS(parts), f) != 0)
			return -EIO;
		right = (uint16_t)(left ^ ela_get16(f));
		left = swap;
	}
	*ret_id = (uint32_t)left << 16 | right;
	return 0;
}
