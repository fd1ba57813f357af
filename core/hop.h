/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hop: the hop fields of relayed frames, and what protects them between two neighbours: keys from the handshake of
 * their session, a sequence for each sending lane and for control, one replay window for each lane of the neighbour.
 * Made and freed with its session.
 *
 * The tag is that of sealing ela_hop_block() with the link's suite, or with the message AEAD where the suite adds
 * randomness of its own. Who checks makes it anew and compares in constant time: the ciphertext never travels.
 */
#ifndef ELA_CORE_HOP_H
#define ELA_CORE_HOP_H

#include "frame.h"
#include "noise.h"
#include "replay.h"
#include <ela/cipher.h>
#include <pthread.h>

struct ela_session;

#define ELA_HOP_BURST 64u /* frames that are sealed or checked at once */
#define ELA_HOP_BLOCK (ELA_HEADER_LEN + 4u + 4u + ELA_HOP_COVERED + ELA_TAG_LEN)

struct ela_hop_lane {
	_Alignas(64) void *key;
	uint64_t sequence; /* next one; plain: only its thread touches it */
};

struct ela_hop {
	/* Immutable. */
	uint32_t (*seal)(void *key, struct ela_cipher_op *ops, uint32_t n);
	void (*key_free)(void *key);
	uint8_t send_iv[12], recv_iv[12];
	uint64_t soft_packets, hard_packets; /* of one lane */

	/* Receive side, under lock. */
	pthread_mutex_t lock;
	void *check_key;
	struct ela_replay *windows; /* of the neighbour's lanes, the last one its control thread's */
	uint32_t n_windows;

	uint32_t n_lanes;
	struct ela_hop_lane lanes[]; /* ours, the last one control's */
};

/* [control] For s, whose agreement stands. keys is wiped by the caller. NULL when a library failed. */
struct ela_hop *ela_hop_new(const struct ela_session *s, const struct ela_noise_keys *keys);
void ela_hop_free(struct ela_hop *hop); /* wipes; takes NULL */

/*
 * [lane, or control with ELA_LANE_CONTROL] Writes the hop fields of n <= ELA_HOP_BURST relayed frames whose headers
 * stand, all of them at least ELA_HOP_MIN long. False when the key is used up or the cipher failed: then none may be
 * sent. *ret_due is set when a new key is due.
 */
bool ela_hop_seal(
	struct ela_session *s, uint32_t lane, uint8_t *const frames[], const uint32_t lens[], uint32_t n, bool *ret_due);
/*
 * [lane] Checks n <= ELA_HOP_BURST relayed frames of that length that carry s's index, and enters their counters.
 * verdicts: 0, -EALREADY (replay), -EBADMSG (tag, or a lane that was not announced), -EIO.
 */
void ela_hop_check(struct ela_session *s, uint8_t *const frames[], const uint32_t lens[], uint32_t n, int verdicts[]);

/* ---- hop fields (frame.h has their place and lengths); p is the first byte of the header ---- */

static inline uint32_t ela_hop_index(const uint8_t *p)
{
	return ela_get32(p + 8);
}

static inline uint64_t ela_hop_counter(const uint8_t *p)
{
	return ela_get64(p + 12);
}

static inline uint8_t *ela_hop_tag(uint8_t *p)
{
	return p + 20;
}

static inline void ela_hop_put(uint8_t *p, uint32_t index, uint64_t counter)
{
	ela_put32(p + 8, index);
	ela_put64(p + 12, counter);
}

/*
 * What the hop tag is made of: header with TTL | hop index | frame length (4) | the 12 bytes behind the hop fields |
 * the last 16. They name session, counter and end-to-end tag, so they name the payload, which only the end checks.
 */
static inline void ela_hop_block(const uint8_t *p, uint32_t len, uint8_t block[ELA_HOP_BLOCK])
{
	memcpy(block, p, ELA_HEADER_LEN + 4u);
	ela_put32(block + 12, len);
	memcpy(block + 16, p + ELA_HOP_HEAD, ELA_HOP_COVERED);
	memcpy(block + 28, p + len - ELA_TAG_LEN, ELA_TAG_LEN);
}

static inline void ela_hop_nonce(const uint8_t iv[12], uint64_t counter, uint8_t nonce[12])
{
	memcpy(nonce, iv, 4);
	ela_put64(nonce + 4, ela_get64(iv + 4) ^ counter);
}

/* A direct frame with ELA_HOP_LEN bytes of room in front becomes a relayed one that begins at p; hop fields not yet. */
static inline void ela_hop_wrap(uint8_t *p)
{
	memmove(p, p + ELA_HOP_LEN, ELA_HEADER_LEN);
	p[3] |= ELA_FLAG_HOP;
}

/* The other way: where the direct frame begins. */
static inline uint8_t *ela_hop_strip(uint8_t *p)
{
	memmove(p + ELA_HOP_LEN, p, ELA_HEADER_LEN);
	p += ELA_HOP_LEN;
	p[2] = ELA_TTL; /* that of a direct frame */
	p[3] &= (uint8_t)~ELA_FLAG_HOP;
	return p;
}

#endif
