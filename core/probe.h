/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: the PROBE frame, by which one node shows another that strangers can reach it (wire.md, "Joining"; thesis 4.2.1
 * classification). Pure functions; any thread.
 *
 *   header (8): type PROBE, flags 0, destination 0 | kind (1) | nonce (16) | mac (16): HMAC, by the network id, of all
 *   before it
 *
 * The mac keeps out who does not know the network; it proves nothing more. What counts is the nonce.
 *
 * Two further kinds are how nodes on one LAN find each other (discovery.h): a hello to all that are there, and the
 * answer of one, which is as long and repeats the nonce:
 *
 *   header (8) | kind (1) | nonce (16) | sender's node ID, 0: it is in no ring (4) | its TCP port (2) | mac (16)
 */
#ifndef ELA_CORE_PROBE_H
#define ELA_CORE_PROBE_H

#include "frame.h"

#define ELA_PROBE_NONCE_LEN 16u
#define ELA_PROBE_MAC_LEN 16u
#define ELA_PROBE_MAC_AT (ELA_HEADER_LEN + 1u + ELA_PROBE_NONCE_LEN)
#define ELA_PROBE_LEN (ELA_PROBE_MAC_AT + ELA_PROBE_MAC_LEN)
#define ELA_PROBE_KEY_LEN 32u

/* Which way it is sent; a frame of one kind that comes the other way shows nothing. */
enum ela_probe_kind { ELA_PROBE_BY_TCP = 1, ELA_PROBE_BY_UDP = 2, ELA_PROBE_HELLO = 3, ELA_PROBE_HERE = 4 };

struct ela_probe {
	enum ela_probe_kind kind;
	uint8_t nonce[ELA_PROBE_NONCE_LEN];
};

/* The key of a network's macs. 0, -EIO. */
int ela_probe_key(const uint8_t network_id[32], uint8_t ret_key[ELA_PROBE_KEY_LEN]);
/* 0, -EIO. */
int ela_probe_make(
	const uint8_t key[ELA_PROBE_KEY_LEN], const struct ela_probe *probe, uint8_t ret_frame[ELA_PROBE_LEN]);
/* 0; -EBADMSG it is no PROBE frame (length, header, kind), or its mac is another network's. */
int ela_probe_parse(const uint8_t key[ELA_PROBE_KEY_LEN], const uint8_t *frame, uint32_t len, struct ela_probe *ret);

#define ELA_GREETING_ID_AT (ELA_HEADER_LEN + 1u + ELA_PROBE_NONCE_LEN)
#define ELA_GREETING_PORT_AT (ELA_GREETING_ID_AT + 4u)
#define ELA_GREETING_MAC_AT (ELA_GREETING_PORT_AT + 2u)
#define ELA_GREETING_LEN (ELA_GREETING_MAC_AT + ELA_PROBE_MAC_LEN)

/* A hello, or the answer to one. */
struct ela_greeting {
	enum ela_probe_kind kind; /* ELA_PROBE_HELLO, ELA_PROBE_HERE */
	uint8_t nonce[ELA_PROBE_NONCE_LEN];
	uint32_t id;       /* of who says it, in its ring; 0: it is in none, or alone in one */
	uint16_t tcp_port; /* where it can be called, at the address that this comes from; not 0 */
};

/* 0, -EIO. */
int ela_greeting_make(
	const uint8_t key[ELA_PROBE_KEY_LEN], const struct ela_greeting *greeting, uint8_t ret_frame[ELA_GREETING_LEN]);
/* Is it a frame of these kinds, and no probe? Nothing else of it is checked. */
bool ela_greeting_is(const uint8_t *frame, uint32_t len);
/* 0; -EBADMSG: it is none (length, header, kind, port), or its mac is another network's. */
int ela_greeting_parse(
	const uint8_t key[ELA_PROBE_KEY_LEN], const uint8_t *frame, uint32_t len, struct ela_greeting *ret);

#endif
