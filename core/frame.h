/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame: the wire format of frames in one place (docs/protocol.md): ELA header, direct and relayed frames, stream
 * records. Pure inline functions over bytes; any thread. What neighbours do with hop fields is in hop.h.
 *
 *   ELA header (8, clear; thesis 5.1.1)  version | type | TTL | flags | destination node ID (4)
 *   direct frame                         header | receiver index (4) | counter (8) | ciphertext | tag
 *   relayed frame (flag HOP)             header | hop index (4) | hop counter (8) | hop tag (16) | what a direct frame
 *                                        has behind its header
 *   counter                              sender lane (8 bits) | sequence (56 bits)
 *   nonce (12)                           session IV xor (version, type, flags & AUTHENTIC, 0 | counter)
 *   stream record                        kind (8 bits) | length (24 bits) | bytes
 */
#ifndef ELA_CORE_FRAME_H
#define ELA_CORE_FRAME_H

#include "bytes.h"
#include <stdbool.h>

#define ELA_WIRE_VERSION 1u

enum ela_frame_type {
	ELA_TYPE_EPACKET = 1, /* thesis TYPE_EPACKET: an encrypted packet */
	ELA_TYPE_MESSAGE = 2, /* thesis TYPE_MESSAGE: a sealed message between two control threads */
	ELA_TYPE_HANDSHAKE = 3,
	ELA_TYPE_PROBE = 4,
};

#define ELA_TTL 3u /* thesis 5.1.1: starts at 3, one less a hop */

#define ELA_FLAG_CSUM 0x01u      /* the inner transport checksum is partial */
#define ELA_FLAG_HOP 0x02u       /* hop fields follow: a relayed frame */
#define ELA_FLAG_ZERO 0x3cu      /* must be zero */
#define ELA_FLAG_AUTHENTIC 0x3du /* part of the nonce: all but HOP and ECN, which relays change */
#define ELA_FLAG_ECN_SHIFT 6u

#define ELA_HEADER_LEN 8u
#define ELA_FRAME_HEAD 20u /* header, receiver index, counter */
#define ELA_TAG_LEN 16u
#define ELA_FRAME_MIN (ELA_FRAME_HEAD + ELA_TAG_LEN)

/* What a relayed frame has between its header and the rest; a relay rewrites these 36 bytes in place. */
#define ELA_HOP_LEN 28u
#define ELA_HOP_HEAD (ELA_HEADER_LEN + ELA_HOP_LEN)
#define ELA_HOP_COVERED 12u /* bytes behind the hop fields that the hop tag covers */
#define ELA_HOP_MIN (ELA_HOP_HEAD + ELA_HOP_COVERED + ELA_TAG_LEN)

#define ELA_LANE_SHIFT 56u
#define ELA_SEQUENCE_MASK ((UINT64_C(1) << ELA_LANE_SHIFT) - 1u)

/* A super record's plaintext starts with: gso_size (2) | gso_type (1) | 0 (1). */
#define ELA_SUPER_HEAD 4u

enum ela_record_kind { ELA_RECORD_FRAME = 1, ELA_RECORD_TRAIN = 2, ELA_RECORD_SUPER = 3 };
#define ELA_RECORD_HEAD 4u
#define ELA_STREAM_MAX_STRANGER 2048u /* before authentication */
#define ELA_STREAM_MAX 69632u         /* after */
#define ELA_TRAIN_HEAD 4u             /* u16 segment size, u16 0 */

#define ELA_DATAGRAM_MAX_CONTROL 2048u /* handshake and message frames are never longer */

static inline void ela_header_put(uint8_t *p, uint8_t type, uint8_t flags, uint32_t destination)
{
	p[0] = ELA_WIRE_VERSION;
	p[1] = type;
	p[2] = ELA_TTL;
	p[3] = flags;
	ela_put32(p + 4, destination);
}

/* True when the first 8 bytes may be a header at all, but for its TTL. */
static inline bool ela_header_ok(const uint8_t *p, uint32_t len)
{
	return len >= ELA_HEADER_LEN && p[0] == ELA_WIRE_VERSION && (p[3] & ELA_FLAG_ZERO) == 0 &&
		   (p[1] == ELA_TYPE_EPACKET || (p[3] & (uint8_t)~ELA_FLAG_HOP) == 0);
}

/* What a node sends has TTL 3; in a relayed frame each relay took one away. */
static inline bool ela_header_ttl_ok(const uint8_t *p)
{
	return p[2] == ELA_TTL || ((p[3] & ELA_FLAG_HOP) != 0 && p[2] >= 1 && p[2] < ELA_TTL);
}

static inline uint32_t ela_header_destination(const uint8_t *p)
{
	return ela_get32(p + 4);
}

static inline uint32_t ela_frame_index(const uint8_t *p)
{
	return ela_get32(p + 8);
}

static inline uint64_t ela_frame_counter(const uint8_t *p)
{
	return ela_get64(p + 12);
}

static inline void ela_frame_put(uint8_t *p, uint32_t index, uint64_t counter)
{
	ela_put32(p + 8, index);
	ela_put64(p + 12, counter);
}

/* Nonce of a frame whose first 20 bytes stand at p. */
static inline void ela_frame_nonce(const uint8_t *p, const uint8_t iv[12], uint8_t nonce[12])
{
	ela_put32(nonce, ela_get32(iv) ^ ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (p[3] & ELA_FLAG_AUTHENTIC) << 8));
	ela_put64(nonce + 4, ela_get64(iv + 4) ^ ela_get64(p + 12));
}

/* A relayed frame, good or bad; hop.h has what stands in it. */
static inline bool ela_frame_is_relayed(const uint8_t *p, uint32_t len)
{
	return len >= ELA_HEADER_LEN && (p[3] & ELA_FLAG_HOP) != 0;
}

/* Stream records. */
struct ela_record {
	const uint8_t *data;
	uint32_t len;
	uint8_t kind;
};

static inline void ela_record_put(uint8_t *p, uint8_t kind, uint32_t len)
{
	ela_put32(p, (uint32_t)kind << 24 | len);
}

/*
 * The record at the start of len received bytes. 1 and *ret when it is complete, 0 when more bytes are needed
 * (*ret_need in all), -1 when the stream is to be closed: unknown kind, too long, too short for its kind.
 */
static inline int ela_record_next(
	const uint8_t *p, uint32_t len, uint32_t max, struct ela_record *ret, uint32_t *ret_need)
{
	uint32_t word, size;
	uint8_t kind;

	if (len < ELA_RECORD_HEAD) {
		*ret_need = ELA_RECORD_HEAD;
		return 0;
	}
	word = ela_get32(p);
	kind = (uint8_t)(word >> 24);
	size = word & 0xffffffu;
	if (kind < ELA_RECORD_FRAME || kind > ELA_RECORD_SUPER || size > max || size < ELA_HEADER_LEN)
		return -1;
	if (kind == ELA_RECORD_TRAIN && size < ELA_TRAIN_HEAD + ELA_FRAME_MIN)
		return -1;
	if (len < ELA_RECORD_HEAD + size) {
		*ret_need = ELA_RECORD_HEAD + size;
		return 0;
	}
	ret->data = p + ELA_RECORD_HEAD;
	ret->len = size;
	ret->kind = kind;
	return 1;
}

#endif
