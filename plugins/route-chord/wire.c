/* SPDX-License-Identifier: Apache-2.0 */
/* wire: see wire.h. Pure functions, any thread. */
#include "wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return be32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return be64toh(value);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof value);
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof value);
}

static int read_record(const uint8_t *at, uint32_t len, struct chord_message *ret)
{
	if (len <= CHORD_RECORD_FRONT || len > CHORD_RECORD_FRONT + ELA_RECORD_MAX)
		return -EBADMSG;
	ret->age_ms = get32(at + CHORD_HEADER_LEN);
	ret->record = at + CHORD_RECORD_FRONT;
	ret->record_len = len - CHORD_RECORD_FRONT;
	return 0;
}

static int read_digest(const uint8_t *at, uint32_t len, struct chord_message *ret)
{
	if (len != CHORD_DIGEST_LEN)
		return -EBADMSG;
	ret->salt = at + CHORD_HEADER_LEN;
	for (uint32_t i = 0; i < CHORD_BUCKETS; i++)
		ret->hashes[i] = get64(at + CHORD_HEADER_LEN + CHORD_SALT_LEN + (size_t)8 * i);
	return 0;
}

static int read_want(const uint8_t *at, uint32_t len, struct chord_message *ret)
{
	if (len != CHORD_WANT_LEN)
		return -EBADMSG;
	ret->buckets = get64(at + CHORD_HEADER_LEN);
	return ret->buckets ? 0 : -EBADMSG;
}

int chord_wire_read(const void *bytes, uint32_t len, struct chord_message *ret)
{
	const uint8_t *at = bytes;
	struct chord_message message = {0};
	int err = -EBADMSG;

	if (len < CHORD_HEADER_LEN || at[0] != CHORD_VERSION || at[2] || at[3])
		return -EBADMSG;
	message.kind = at[1];
	if (at[1] == CHORD_RECORD)
		err = read_record(at, len, &message);
	else if (at[1] == CHORD_DIGEST)
		err = read_digest(at, len, &message);
	else if (at[1] == CHORD_WANT)
		err = read_want(at, len, &message);
	if (!err)
		*ret = message;
	return err;
}

uint32_t chord_wire_write(const struct chord_message *message, uint8_t *ret)
{
	memset(ret, 0, CHORD_HEADER_LEN);
	ret[0] = CHORD_VERSION;
	ret[1] = (uint8_t)message->kind;
	switch (message->kind) {
	case CHORD_RECORD:
		put32(ret + CHORD_HEADER_LEN, message->age_ms);
		memcpy(ret + CHORD_RECORD_FRONT, message->record, message->record_len);
		return CHORD_RECORD_FRONT + message->record_len;
	case CHORD_DIGEST:
		memcpy(ret + CHORD_HEADER_LEN, message->salt, CHORD_SALT_LEN);
		for (uint32_t i = 0; i < CHORD_BUCKETS; i++)
			put64(ret + CHORD_HEADER_LEN + CHORD_SALT_LEN + (size_t)8 * i, message->hashes[i]);
		return CHORD_DIGEST_LEN;
	default:
		put64(ret + CHORD_HEADER_LEN, message->buckets);
		return CHORD_WANT_LEN;
	}
}

/* ---- SipHash-2-4 ---- */

static uint64_t get64_le(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return le64toh(value);
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t chord_hash(const uint8_t salt[CHORD_SALT_LEN], const void *bytes, uint32_t len)
{
	const uint64_t k0 = get64_le(salt), k1 = get64_le(salt + 8);
	uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
	const uint8_t *at = bytes;
	uint8_t last[8] = {0};
	uint32_t i;

	for (i = 0; i + 8 <= len; i += 8)
		sip_word(v, get64_le(at + i));
	memcpy(last, at + i, len - i);
	last[7] = (uint8_t)len;
	sip_word(v, get64_le(last));
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
