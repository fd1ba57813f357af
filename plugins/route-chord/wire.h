/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: what route-chord's instances say to each other (docs/protocol.md, "Ring messages"), and the keyed hash that
 * digests are made of. Pure functions, any thread.
 */
#ifndef ELA_ROUTE_CHORD_WIRE_H
#define ELA_ROUTE_CHORD_WIRE_H

#include <ela/ela.h>
#include <stdbool.h>

#define CHORD_VERSION 1u
#define CHORD_MESSAGE_MAX 1200u
#define CHORD_BUCKETS 64u /* of the ID space, equal parts */
#define CHORD_SALT_LEN 16u

#define CHORD_HEADER_LEN 4u
#define CHORD_RECORD_FRONT (CHORD_HEADER_LEN + 4u)
#define CHORD_DIGEST_LEN (CHORD_HEADER_LEN + CHORD_SALT_LEN + 8u * CHORD_BUCKETS)
#define CHORD_WANT_LEN (CHORD_HEADER_LEN + 8u)
#define CHORD_RENEWAL_HEAD 16u
#define CHORD_PIECE_HEAD 4u
#define CHORD_PIECES_MAX                                                                                               \
	160u /* a sequence and a signature, which change with each renewal, and room for a little more */

enum chord_kind { CHORD_RECORD = 1, CHORD_DIGEST = 2, CHORD_WANT = 3, CHORD_RENEWAL = 4 };

/* A message. What a pointer points to is borrowed from the message it was read from. */
struct chord_message {
	enum chord_kind kind;
	uint32_t age_ms;       /* RECORD: since its node published it */
	const uint8_t *record; /* RECORD */
	uint32_t record_len;   /* 1..ELA_RECORD_MAX */
	const uint8_t *salt;   /* DIGEST */
	uint64_t hashes[CHORD_BUCKETS];
	uint64_t buckets;        /* WANT: bit b = bucket b; 0 = none differs */
	const uint8_t *renewals; /* RENEWAL: one at least, as chord_renewal_next() reads them */
	uint32_t renewals_len;
};

/* What a record has become: of several, each stands for itself. What a pointer points to is borrowed likewise. */
struct chord_renewal {
	uint32_t age_ms;       /* since its node published it */
	uint64_t base;         /* content of the record that it is made of, chord_content() */
	const uint8_t *pieces; /* what differs there: offset (2), length (2), bytes; and so on */
	uint32_t pieces_len;   /* 1..CHORD_PIECES_MAX */
};

/* 0 or -EBADMSG: another version, an unknown kind, a length that does not fit, a reserved byte. */
int chord_wire_read(const void *bytes, uint32_t len, struct chord_message *ret);
/* Writes the message; its length. ret has room for CHORD_MESSAGE_MAX. */
uint32_t chord_wire_write(const struct chord_message *message, uint8_t *ret);

/* The next one of len bytes at *at, which it goes past. False: none is left; or, of bytes that nobody has read, bad. */
bool chord_renewal_next(const uint8_t **at, uint32_t *len, struct chord_renewal *ret);
/* Writes one; its length, CHORD_RENEWAL_HEAD and its pieces. */
uint32_t chord_renewal_write(const struct chord_renewal *renewal, uint8_t *ret);

/* What of b differs from a, both len bytes; its length, 0 when it does not fit or nothing differs. */
uint32_t chord_pieces_make(const uint8_t *a, const uint8_t *b, uint32_t len, uint8_t ret[CHORD_PIECES_MAX]);
/* Makes b of a in place. 0, or -EBADMSG: pieces that are cut, empty or outside; the record may be changed then. */
int chord_pieces_apply(const uint8_t *pieces, uint32_t pieces_len, uint8_t *record, uint32_t len);

static inline uint32_t chord_bucket(uint32_t id)
{
	return id >> 26;
}

/* SipHash-2-4 (Aumasson, Bernstein 2012): nobody without the salt can make two inputs of one hash. */
uint64_t chord_hash(const uint8_t salt[CHORD_SALT_LEN], const void *bytes, uint32_t len);
/*
 * Of a record's bytes, under a salt that all know. Not secret: whoever finds two records of one content has signed
 * both, and wins nothing by it.
 */
uint64_t chord_content(const void *bytes, uint32_t len);

#endif
