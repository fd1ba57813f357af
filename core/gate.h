/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate: who may start a session with this node when no [peer] section names him. The responder asks it; in a network
 * with a ring core/members.c is it, with static peers there is none. Control thread.
 */
#ifndef ELA_CORE_GATE_H
#define ELA_CORE_GATE_H

#include "state.h"

/* Who says an opened message 1: he has the private key of key, all else is what he says. Borrowed for the call. */
struct ela_caller {
	const uint8_t *key;        /* X25519, 32 bytes */
	const uint8_t *credential; /* NULL = none was in it */
	uint32_t credential_len;
	uint32_t id; /* the node ID that he answers to, 0 = he has none yet */
	bool is_xx;  /* he called by XX: his credential comes with his first message */
	const struct ela_path *path;
};

struct ela_gate {
	/*
	 * His peer: as it was, or made now. NULL: he may not, and *ret_reason says why to a person (g_free; NULL: it was
	 * said already).
	 */
	struct ela_peer *(*admit)(struct ela_gate *gate, const struct ela_caller *caller, char **ret_reason);
	GBytes *credential; /* this node's, which its messages 1 carry */
};

#endif
