/* SPDX-License-Identifier: Apache-2.0 */
/* probe: see probe.h. Pure; any thread. */
#include "probe.h"

#include "crypto.h"

#include <errno.h>

int ela_probe_key(const uint8_t network_id[32], uint8_t ret_key[ELA_PROBE_KEY_LEN])
{
	static const char label[] = "ela-probe";
	const struct ela_bytes info = {label, sizeof label - 1};

	return ela_hkdf_sha256(NULL, 0, network_id, 32, &info, 1, ret_key, ELA_PROBE_KEY_LEN);
}

/* Over the first mac_at bytes, which it follows. */
static int make_mac(const uint8_t *key, const uint8_t *frame, uint32_t mac_at, uint8_t ret_mac[ELA_PROBE_MAC_LEN])
{
	const struct ela_bytes part = {frame, mac_at};
	uint8_t hash[ELA_HASH_LEN];
	int err = ela_hmac_sha256(key, ELA_PROBE_KEY_LEN, &part, 1, hash);

	if (err == 0)
		memcpy(ret_mac, hash, ELA_PROBE_MAC_LEN);
	return err;
}

int ela_probe_make(
	const uint8_t key[ELA_PROBE_KEY_LEN], const struct ela_probe *probe, uint8_t ret_frame[ELA_PROBE_LEN])
{
	uint8_t frame[ELA_PROBE_LEN];
	int err;

	ela_header_put(frame, ELA_TYPE_PROBE, 0, 0);
	frame[ELA_HEADER_LEN] = (uint8_t)probe->kind;
	memcpy(frame + ELA_HEADER_LEN + 1, probe->nonce, ELA_PROBE_NONCE_LEN);
	err = make_mac(key, frame, ELA_PROBE_MAC_AT, frame + ELA_PROBE_MAC_AT);
	if (err == 0)
		memcpy(ret_frame, frame, sizeof frame);
	return err;
}

int ela_probe_parse(const uint8_t key[ELA_PROBE_KEY_LEN], const uint8_t *frame, uint32_t len, struct ela_probe *ret)
{
	uint8_t head[ELA_HEADER_LEN], mac[ELA_PROBE_MAC_LEN], kind;

	ela_header_put(head, ELA_TYPE_PROBE, 0, 0);
	if (len != ELA_PROBE_LEN || memcmp(frame, head, sizeof head) != 0)
		return -EBADMSG;
	kind = frame[ELA_HEADER_LEN];
	if (kind != ELA_PROBE_BY_TCP && kind != ELA_PROBE_BY_UDP)
		return -EBADMSG;
	if (make_mac(key, frame, ELA_PROBE_MAC_AT, mac) != 0 || !ela_equal(mac, frame + ELA_PROBE_MAC_AT, sizeof mac))
		return -EBADMSG;
	ret->kind = (enum ela_probe_kind)kind;
	memcpy(ret->nonce, frame + ELA_HEADER_LEN + 1, sizeof ret->nonce);
	return 0;
}

int ela_greeting_make(
	const uint8_t key[ELA_PROBE_KEY_LEN], const struct ela_greeting *greeting, uint8_t ret_frame[ELA_GREETING_LEN])
{
	uint8_t frame[ELA_GREETING_LEN];
	int err;

	ela_header_put(frame, ELA_TYPE_PROBE, 0, 0);
	frame[ELA_HEADER_LEN] = (uint8_t)greeting->kind;
	memcpy(frame + ELA_HEADER_LEN + 1, greeting->nonce, ELA_PROBE_NONCE_LEN);
	ela_put32(frame + ELA_GREETING_ID_AT, greeting->id);
	ela_put16(frame + ELA_GREETING_PORT_AT, greeting->tcp_port);
	err = make_mac(key, frame, ELA_GREETING_MAC_AT, frame + ELA_GREETING_MAC_AT);
	if (err == 0)
		memcpy(ret_frame, frame, sizeof frame);
	return err;
}

bool ela_greeting_is(const uint8_t *frame, uint32_t len)
{
	return len > ELA_HEADER_LEN && frame[1] == ELA_TYPE_PROBE &&
		   (frame[ELA_HEADER_LEN] == ELA_PROBE_HELLO || frame[ELA_HEADER_LEN] == ELA_PROBE_HERE);
}

int ela_greeting_parse(
	const uint8_t key[ELA_PROBE_KEY_LEN], const uint8_t *frame, uint32_t len, struct ela_greeting *ret)
{
	uint8_t head[ELA_HEADER_LEN], mac[ELA_PROBE_MAC_LEN];

	ela_header_put(head, ELA_TYPE_PROBE, 0, 0);
	if (len != ELA_GREETING_LEN || memcmp(frame, head, sizeof head) != 0 || !ela_greeting_is(frame, len) ||
		ela_get16(frame + ELA_GREETING_PORT_AT) == 0)
		return -EBADMSG;
	if (make_mac(key, frame, ELA_GREETING_MAC_AT, mac) != 0 || !ela_equal(mac, frame + ELA_GREETING_MAC_AT, sizeof mac))
		return -EBADMSG;
	ret->kind = (enum ela_probe_kind)frame[ELA_HEADER_LEN];
	memcpy(ret->nonce, frame + ELA_HEADER_LEN + 1, sizeof ret->nonce);
	ret->id = ela_get32(frame + ELA_GREETING_ID_AT);
	ret->tcp_port = ela_get16(frame + ELA_GREETING_PORT_AT);
	return 0;
}
