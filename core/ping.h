/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping: one question over a peer's session in use, for somebody who wants to know how long the answer takes. Control
 * thread.
 */
#ifndef ELA_CORE_PING_H
#define ELA_CORE_PING_H

#include "peer.h"

/* Numbers of these pings have it, those of the liveness check have not. */
#define ELA_PING_ASKED 0x80000000u

struct ela_ping;

/*
 * Sends it; fn(data, err, rtt_ns) is called once: 0, -ETIMEDOUT after timeout_ns, -ECANCELED when the node stops. NULL
 * and *ret_err when it could not be sent: -ENOTCONN without a session; fn is not called then.
 */
struct ela_ping *ela_ping_start(struct ela_peer *peer, uint64_t timeout_ns,
	void (*fn)(void *data, int err, uint64_t rtt_ns), void *data, int *ret_err);
/* Forgets it: fn will not be called. Not after fn was. */
void ela_ping_cancel(struct ela_ping *ping);
/* A pong of that number came from the peer. */
bool ela_ping_answered(struct ela_peer *peer, uint32_t id);
/* Ends all of a node. */
void ela_pings_end(struct ela_node *node);

#endif
