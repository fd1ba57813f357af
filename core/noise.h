/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noise: the Noise protocol framework, revision 34, patterns IK and XX with 25519, ChaChaPoly, SHA256, on OpenSSL's
 * primitives. Control thread. Knows nothing of the wire: messages in, messages out. A failed read changes no state
 * (the object works on a copy and commits at the end).
 */
#ifndef ELA_CORE_NOISE_H
#define ELA_CORE_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELA_NOISE_KEY 32u
#define ELA_NOISE_TAG 16u
#define ELA_NOISE_HASH 32u
#define ELA_NOISE_MAX_MESSAGE 2048u

enum ela_noise_pattern { ELA_NOISE_IK, ELA_NOISE_XX };

struct ela_noise {
	enum ela_noise_pattern pattern;
	bool initiator;
	bool has_key, has_s, done;
	uint8_t message; /* number of the next message, 0.. */
	uint64_t nonce;
	uint8_t ck[ELA_NOISE_HASH], h[ELA_NOISE_HASH], k[ELA_NOISE_KEY];
	uint8_t s_private[ELA_NOISE_KEY], s_public[ELA_NOISE_KEY];
	uint8_t e_private[ELA_NOISE_KEY], e_public[ELA_NOISE_KEY];
	uint8_t rs[ELA_NOISE_KEY], re[ELA_NOISE_KEY];
};

/* Result of a finished handshake: Noise's Split() and what data keys are derived from. Wipe after use. */
struct ela_noise_keys {
	uint8_t send[ELA_NOISE_KEY], recv[ELA_NOISE_KEY]; /* ours to send with, theirs to us */
	uint8_t ck[ELA_NOISE_HASH];                       /* chaining key: HKDF input of data and hop keys */
	uint8_t hash[ELA_NOISE_HASH];                     /* handshake hash h: channel binding */
};

/*
 * Starts a handshake. prologue is hashed in. remote_static: the responder's key for an IK initiator, else NULL.
 * ephemeral_private: 32 fresh bytes of the node's random source, used once (the simulator's is seeded; known-answer
 * tests fix them); NULL takes them from OpenSSL. All borrowed. 0; -EINVAL for an IK initiator without remote_static;
 * -EBADMSG when that is a low-order point; -EIO. After a failure every other call returns -EINVAL.
 */
int ela_noise_init(struct ela_noise *n, enum ela_noise_pattern pattern, bool initiator, const void *prologue,
	size_t prologue_len, const uint8_t static_private[ELA_NOISE_KEY], const uint8_t *remote_static,
	const uint8_t *ephemeral_private);

/*
 * Writes the next message with payload; *ret_len bytes at out (room at least payload_len + 112), which do not overlap
 * it. -EINVAL out of turn; -EMSGSIZE no room, or above ELA_NOISE_MAX_MESSAGE; -EIO. A failure changes no state.
 */
int ela_noise_write(
	struct ela_noise *n, const void *payload, size_t payload_len, uint8_t *out, size_t out_room, size_t *ret_len);
/*
 * Reads the next message; its payload to out (room at least len), which does not overlap it. -EBADMSG forged, cut, too
 * long, or a low-order point; -EINVAL out of turn; -EMSGSIZE no room; -EIO. A failure changes no state.
 * After an IK message 1 or an XX message 2 or 3, rs is the other's static key, proved by this message only where the
 * pattern proves it: an IK message 1 can be a replay.
 */
int ela_noise_read(struct ela_noise *n, const uint8_t *msg, size_t len, uint8_t *out, size_t out_room, size_t *ret_len);
bool ela_noise_is_done(const struct ela_noise *n);
/* After the last message, else -EINVAL; -EIO. */
int ela_noise_split(const struct ela_noise *n, struct ela_noise_keys *ret);
void ela_noise_wipe(struct ela_noise *n);

#endif
