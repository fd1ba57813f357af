/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake: HANDSHAKE messages on the wire: layout, mac1, mac2 and cookies, payloads, node IDs. Pure but for the
 * cookie secret, which the caller keeps. Control thread.
 *
 *   header (8) | kind (1) | zero (3) | sender index (4) | sender's node ID (4) | receiver index (4)
 *   init, answer, XX messages 1 to 3:  Noise message | mac1 (16) | mac2 (16)
 *   cookie:        salt (16) | sealed cookie (16 + 16)
 */
#ifndef ELA_CORE_HANDSHAKE_H
#define ELA_CORE_HANDSHAKE_H

#include "crypto.h"
#include "frame.h"
#include "session.h"
#include <ela/types.h>

/* INIT and ANSWER are Noise IK's; the last three are XX's, over streams alone. */
enum ela_handshake_kind {
	ELA_HANDSHAKE_INIT = 1,
	ELA_HANDSHAKE_ANSWER = 2,
	ELA_HANDSHAKE_COOKIE = 3,
	ELA_HANDSHAKE_XX_1 = 4,
	ELA_HANDSHAKE_XX_2 = 5,
	ELA_HANDSHAKE_XX_3 = 6
};

#define ELA_HANDSHAKE_HEAD 24u
#define ELA_MAC_LEN 16u
#define ELA_HANDSHAKE_MACS (2u * ELA_MAC_LEN)
#define ELA_HANDSHAKE_COOKIE_LEN (ELA_HANDSHAKE_HEAD + 16u + ELA_MAC_LEN + ELA_TAG_LEN)
#define ELA_HANDSHAKE_MAX 1200u
#define ELA_HANDSHAKE_MAX_PAYLOAD 1048u /* what 1,200 bytes leave of the longest message, an IK init */

/* A parsed message; pointers into the datagram. */
struct ela_handshake {
	enum ela_handshake_kind kind;
	uint32_t sender_index, sender_id, receiver_index;
	const uint8_t *noise; /* or salt | sealed cookie */
	uint32_t noise_len;
	const uint8_t *mac1, *mac2; /* NULL for a cookie */
};

/* 0, or -EBADMSG: shape, lengths, zero bytes. len includes the ELA header. */
int ela_handshake_parse(const uint8_t *data, uint32_t len, struct ela_handshake *ret);
/* Writes the 24 bytes of head. */
void ela_handshake_head(uint8_t *out, enum ela_handshake_kind kind, uint32_t destination, uint32_t sender_index,
	uint32_t sender_id, uint32_t receiver_index);

/* mac1 key of messages to the owner of public_key: HKDF(network id | X25519 key). */
int ela_handshake_mac1_key(const uint8_t network_id[32], const uint8_t public_key[32], uint8_t out[32]);
/* mac1 key of XX's messages, whose sender may not know whose key it is yet: HKDF(network id). */
int ela_handshake_network_key(const uint8_t network_id[32], uint8_t out[32]);
/*
 * Appends mac1 and mac2 behind len bytes; cookie NULL = mac2 zero. Returns the new length, 0 when the library failed.
 * The MACs cover everything before them but TTL and flags, which relays change.
 */
uint32_t ela_handshake_mac(uint8_t *message, uint32_t len, const uint8_t mac1_key[32], const uint8_t *cookie);
bool ela_handshake_mac1_ok(const uint8_t *data, uint32_t len, const uint8_t mac1_key[32]);
bool ela_handshake_mac2_ok(const uint8_t *data, uint32_t len, const uint8_t cookie[16]);

/* The cookie of an address (and port) under a secret. */
int ela_cookie_make(const uint8_t secret[32], const struct ela_addr *addr, uint8_t out[16]);
/*
 * Builds a cookie message in answer to an init: ELA_HANDSHAKE_COOKIE_LEN bytes at out. cookie_key: HKDF of our public
 * key (ela_cookie_key), salt 16 random bytes. -EIO.
 */
int ela_cookie_seal(uint8_t *out, const struct ela_handshake *init, uint32_t own_id, const uint8_t cookie_key[32],
	const uint8_t salt[16], const uint8_t cookie[16]);
/* Opens one; mac1 is that of the message it answers. -EBADMSG. */
int ela_cookie_open(
	const struct ela_handshake *hs, const uint8_t cookie_key[32], const uint8_t mac1[16], uint8_t ret_cookie[16]);
int ela_cookie_key(const uint8_t network_id[32], const uint8_t public_key[32], uint8_t out[32]);

/* What travels inside messages 1 and 2. */
struct ela_hello {
	uint32_t lanes;    /* that the sender sends from, 1..16 */
	uint32_t features; /* ELA_FEATURE_* */
	char suites[256];  /* names, comma-separated, in order; in message 2 the one chosen */
	bool has_cookie;   /* message 1: the responder's newest cookie: proof that this was not said long ago */
	uint8_t cookie[16];
	const uint8_t *credential; /* message 1: the sender's (credential.h), NULL = none; borrowed, parsed: of data */
	uint32_t credential_len;
};

/*
 * TLV: tag (1) | length (2) | value. Returns the length written, at most ELA_HANDSHAKE_MAX_PAYLOAD; 0: the credential
 * does not fit.
 */
uint32_t ela_hello_put(const struct ela_hello *hello, uint8_t *out);
/* 0 or -EBADMSG: a cut, repeated or missing field, lanes out of range, suites with other bytes than [a-z0-9,-]. */
int ela_hello_parse(const uint8_t *data, uint32_t len, struct ela_hello *ret);

/* "ELA1" | pattern | network id. Returns its length. */
uint32_t ela_prologue(const uint8_t network_id[32], enum ela_noise_pattern pattern, uint8_t out[48]);

/* Node ID of an overlay IPv4 address (4 bytes, network order): wire.md, "Node ID". -EIO. */
int ela_node_id(const uint8_t network_id[32], const uint8_t ip4[4], uint32_t *ret_id);

#endif
