/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hop: what protects relayed frames between two neighbours: keys from the handshake of their session, a sequence for
 * each sending lane and for control, one replay window for each lane of the neighbour. Made and freed with its session.
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

#endif
