/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay-limit: how many handshakes a relay passes on: 20 a second (burst 64) of each child, 5 a second (burst 16) of
 * each sender that a core relays for. Any lane; one lock, taken for handshakes only.
 */
#ifndef ELA_CORE_RELAY_LIMIT_H
#define ELA_CORE_RELAY_LIMIT_H

#include "forward.h"

struct ela_relay_limits;

/* salt makes it unpredictable who shares a place with whom. Ends the process when out of memory. */
struct ela_relay_limits *ela_relay_limits_new(uint64_t salt);
void ela_relay_limits_free(struct ela_relay_limits *limits); /* takes NULL */
/* One more handshake of sender, that came from a child or a core. False: too many. */
bool ela_relay_limits_take(
	struct ela_relay_limits *limits, enum ela_forward_kind from, uint32_t sender, uint64_t now_ns);

#endif
