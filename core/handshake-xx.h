/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake-xx: handshakes by Noise XX, in which neither end knows the other's key beforehand: over a stream connection
 * of their own, from the first record on, and only in networks with a ring (wire.md, "Sessions"). Who calls learns whom
 * he called; who is called gets a guest, whose credential comes with his first message. A handshake belongs to its
 * connection and ends with it. Control thread.
 */
#ifndef ELA_CORE_HANDSHAKE_XX_H
#define ELA_CORE_HANDSHAKE_XX_H

#include "handshake.h"
#include "state.h"

struct ela_link;
struct ela_xx;

extern const char ela_xx_self[]; /* the reason when a node called itself */

/*
 * The end of a call, once, never from inside ela_xx_call(): peer has a session now, or had one already; it is a peer
 * that was made for this if nobody knew its key. NULL: nobody was reached, and reason says to a person why. It may come
 * from inside a link's closing: it starts and ends no other connection.
 */
typedef void (*ela_xx_fn)(void *data, uint64_t call, struct ela_peer *peer, const char *reason);

/* Calls addr, with its port, over transport, which is one of streams. The call's number; 0: it could not be started. */
uint64_t ela_xx_call(
	struct ela_node *node, struct ela_transport *transport, const struct ela_addr *addr, ela_xx_fn fn, void *data);
/* fn is not called any more. One that is over is fine. */
void ela_xx_cancel(struct ela_node *node, uint64_t call);

/* ---- for responder.c ---- */

/* A message of XX whose mac1 is good. False: its connection is to be closed. */
bool ela_xx_input(struct ela_node *node, const struct ela_path *path, const uint8_t *data, uint32_t len,
	const struct ela_handshake *hs);

/* ---- for link.c ---- */

/* The dialled connection is open: message 1. */
void ela_xx_open(struct ela_link *link);
/* Why the connection is about to end, for who called over it; the first reason stays. Of other connections: nothing. */
void ela_xx_say(struct ela_link *link, const char *reason);
/* The connection ends, or another handshake has it: so does its XX, if there is one. */
void ela_xx_end(struct ela_link *link);

#endif
