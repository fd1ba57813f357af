/* SPDX-License-Identifier: Apache-2.0 */
/* joining-priv: what looking for others (joining.c) and talking to one of them (joining-talk.c) share. Control thread.
 */
#ifndef ELA_CORE_JOINING_PRIV_H
#define ELA_CORE_JOINING_PRIV_H

#include "bootstraps.h"
#include "network-priv.h"

#define ASK_NS (5 * ELA_SEC) /* a core that is there answers within that */
#define ENDPOINTS_MAX 8u
#define CALLS_MAX 3u   /* cores that are called at once */
#define REACHED_MAX 4u /* beside them, by bootstraps */

enum step {
	STEP_IDLE,     /* it is in, and not alone */
	STEP_RESTING,  /* until at_ns */
	STEP_CALLING,  /* handshakes with up to CALLS_MAX cores */
	STEP_SHOWING,  /* NodeAuthentication */
	STEP_LEARNING, /* list and enrolments */
	STEP_HEARING,  /* the same, from who refused: maybe it says why */
	STEP_ROLE,     /* classification, for ROLE_NS: whoever is reached knows it by then, and others are edges */
	STEP_ENTERING, /* NodeJoin */
};

struct ela_joining {
	struct ela_network *network;
	struct ela_timer *timer;
	enum step step;
	uint64_t at_ns;                          /* end of this step */
	uint64_t since_ns;                       /* of looking */
	uint64_t rest_ns;                        /* the last pause */
	uint32_t next;                           /* contact that is called next */
	uint32_t calls[CALLS_MAX + REACHED_MAX]; /* numbers of peers */
	uint32_t n_calls;
	uint64_t ticket; /* of the request under way */
	struct ela_bootstraps_ops bootstraps_ops;
	struct ela_bootstraps *bootstraps; /* called when contacts do not answer, or there are none */
	struct ela_network_lan *lan;       /* likewise */
	struct ela_timer *seek;            /* who is in a ring looks whether there is another one */
	bool is_meeting;                   /* the conversation is with a core of that: this node stays what it is */

	uint32_t greeted; /* number of the core that let us in, while our session with it knows no IDs; 0 = none */

	/* The conversation. */
	uint32_t core; /* number of the peer that is asked; 0 = none */
	uint32_t address;
	struct ela_message_endpoint observed;
	GBytes *credential; /* the core's */
	GBytes *record;     /* likewise */
	uint32_t core_id;   /* its node ID; 0 = it did not say */
	char refusal[160];  /* what it said; cut: it is for people */
};

static inline struct ela_loop *ela_joining_loop(const struct ela_joining *joining)
{
	return joining->network->node->loop;
}

/* ---- joining.c ---- */

void ela_joining_step(struct ela_joining *joining, enum step step, uint64_t for_ns);
struct ela_peer *ela_joining_core(const struct ela_joining *joining); /* NULL: there is none, or it went */
bool ela_joining_is_member(const struct ela_joining *joining, const struct ela_peer *peer);
/* The conversation is over. */
void ela_joining_end(struct ela_joining *joining);
/* Nobody is looked for any more, but other rings now and then. */
void ela_joining_done(struct ela_joining *joining);
/* It did not work with this core: why is for people, and another one is called after a pause. */
void ela_joining_fail(struct ela_joining *joining, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- joining-talk.c ---- */

/* Begins the conversation with a peer that has a session. */
void ela_joining_show(struct ela_joining *joining, struct ela_peer *peer);
/* The node enters though its role is not known yet. */
void ela_joining_enter(struct ela_joining *joining);
/* Where a contact can be called. */
uint32_t ela_joining_endpoints(
	const struct ela_contacts *contacts, const uint8_t key[32], struct ela_addr ret[ENDPOINTS_MAX]);

#endif
