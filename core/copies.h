/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies: broadcast and multicast, one sealed copy for each peer (docs/adr/0030). Lane thread.
 *
 * In a network with a ring every member is a peer, but most have no session until a packet wants one: a packet for all
 * starts those that are missing, and waits for them as one for a single peer does.
 */
#ifndef ELA_CORE_COPIES_H
#define ELA_CORE_COPIES_H

#include "segment.h"
#include "state.h"

#define ELA_COPIES_RATE 200.0  /* a second and node, over all lanes */
#define ELA_COPIES_BURST 256.0 /* of a lane: a packet reaches that many peers at once */
#define ELA_CALLS_RATE 10.0    /* sessions that broadcast starts, a second and node */
#define ELA_CALLS_BURST 32.0   /* of a node */

struct ela_copies;

/* What a lane holds for this; NULL when out of memory. [control] */
struct ela_copies *ela_copies_new(void);
void ela_copies_free(struct ela_copies *copies); /* takes NULL */

/* Is it for all, or for a group? Limited broadcast, the overlay's own, multicast. ip: a whole header. */
bool ela_copies_is_for_all(const struct ela_own *own, const uint8_t *ip);
/* Sends pkt to all peers that have sessions; for the others a small one waits up to ELA_WAIT_NS. Counts all of it. */
void ela_copies_send(struct ela_lane *lane, struct ela_packet *pkt, const struct ela_packet_class *cls);
/* Something waits: ela_copies_turn() is to be called each turn, at least every 50 ms. */
bool ela_copies_wait(const struct ela_copies *copies);
/* Sends what waited to whom there is a session now, and drops what waited too long. What it staged is not flushed. */
void ela_copies_turn(struct ela_lane *lane);

#endif
