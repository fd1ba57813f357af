/* SPDX-License-Identifier: Apache-2.0 */
/* wire: see wire.h. Pure functions, any thread. */
#include "wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

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

bool chord_renewal_next(const uint8_t **at, uint32_t *len, struct chord_renewal *ret)
{
	const uint8_t *p = *at;
	uint32_t n = *len > CHORD_RENEWAL_HEAD ? get16(p) : 0;

	if (n == 0 || n > CHORD_PIECES_MAX || n > *len - CHORD_RENEWAL_HEAD || p[2] || p[3])
		return false;
	*ret = (struct chord_renewal){
		.age_ms = get32(p + 4), .base = get64(p + 8), .pieces = p + CHORD_RENEWAL_HEAD, .pieces_len = n};
	*at += CHORD_RENEWAL_HEAD + n;
	*len -= CHORD_RENEWAL_HEAD + n;
	return true;
}

uint32_t chord_renewal_write(const struct chord_renewal *renewal, uint8_t *ret)
{
	put16(ret, renewal->pieces_len);
	put16(ret + 2, 0);
	put32(ret + 4, renewal->age_ms);
	put64(ret + 8, renewal->base);
	memcpy(ret + CHORD_RENEWAL_HEAD, renewal->pieces, renewal->pieces_len);
	return CHORD_RENEWAL_HEAD + renewal->pieces_len;
}

static int read_renewals(const uint8_t *at, uint32_t len, struct chord_message *ret)
{
	struct chord_renewal renewal;

	if (len > CHORD_MESSAGE_MAX)
		return -EBADMSG;
	at += CHORD_HEADER_LEN;
	len -= CHORD_HEADER_LEN;
	ret->renewals = at;
	ret->renewals_len = len;
	while (chord_renewal_next(&at, &len, &renewal))
		;
	return ret->renewals_len == 0 || len != 0 ? -EBADMSG : 0;
}

static int read_want(const uint8_t *at, uint32_t len, struct chord_message *ret)
{
	if (len != CHORD_WANT_LEN)
		return -EBADMSG;
	ret->buckets = get64(at + CHORD_HEADER_LEN);
	return 0;
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
	else if (at[1] == CHORD_RENEWAL)
		err = read_renewals(at, len, &message);
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
	case CHORD_RENEWAL:
		memcpy(ret + CHORD_HEADER_LEN, message->renewals, message->renewals_len);
		return CHORD_HEADER_LEN + message->renewals_len;
	default:
		put64(ret + CHORD_HEADER_LEN, message->buckets);
		return CHORD_WANT_LEN;
	}
}

/* ---- pieces ---- */

/* Behind the last byte of the piece that begins at `from`: fewer equal bytes than a piece's head do not end it. */
static uint32_t piece_end(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t len)
{
	uint32_t end = from + 1;

	for (uint32_t i = end; i < len && i < end + CHORD_PIECE_HEAD; i++)
		if (a[i] != b[i])
			end = i + 1;
	return end;
}

uint32_t chord_pieces_make(const uint8_t *a, const uint8_t *b, uint32_t len, uint8_t ret[CHORD_PIECES_MAX])
{
	uint8_t pieces[CHORD_PIECES_MAX];
	uint32_t used = 0;

	for (uint32_t i = 0; i < len; i++) {
		uint32_t n;

		if (a[i] == b[i])
			continue;
		n = piece_end(a, b, i, len) - i;
		if (used + CHORD_PIECE_HEAD + n > sizeof pieces)
			return 0;
		put16(pieces + used, i);
		put16(pieces + used + 2, n);
		memcpy(pieces + used + CHORD_PIECE_HEAD, b + i, n);
		used += CHORD_PIECE_HEAD + n;
		i += n - 1;
	}
	if (used)
		memcpy(ret, pieces, used);
	return used;
}

int chord_pieces_apply(const uint8_t *pieces, uint32_t pieces_len, uint8_t *record, uint32_t len)
{
	while (pieces_len) {
		uint32_t offset, n;

		if (pieces_len <= CHORD_PIECE_HEAD)
			return -EBADMSG;
		offset = get16(pieces);
		n = get16(pieces + 2);
		if (!n || n > pieces_len - CHORD_PIECE_HEAD || offset + n > len)
			return -EBADMSG;
		memcpy(record + offset, pieces + CHORD_PIECE_HEAD, n);
		pieces += CHORD_PIECE_HEAD + n;
		pieces_len -= CHORD_PIECE_HEAD + n;
	}
	return 0;
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

uint64_t chord_content(const void *bytes, uint32_t len)
{
	static const uint8_t salt[CHORD_SALT_LEN] = "ELA ring record";

	return chord_hash(salt, bytes, len);
}
