/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue-priv: what asking (dialogue.c) and answering (dialogue-answer.c) share. Control thread. */
#ifndef ELA_CORE_DIALOGUE_PRIV_H
#define ELA_CORE_DIALOGUE_PRIV_H

#include "dialogue.h"
#include "parts.h"

#define ELA_DIALOGUE_PENDING 16u /* requests of a peer that wait for our answer */
#define ELA_DIALOGUE_LIVES 4u    /* earlier incarnations of a peer that are remembered */

/* A request of a peer that was handed to its handler. */
struct ela_pending {
	uint64_t ticket; /* 0: none */
	uint64_t born_ns;
	struct ela_message_head head;
	uint32_t request_id; /* of its parts */
};

/* All that is kept of and for one peer. */
struct ela_talk {
	struct ela_peer *peer;
	struct ela_parts parts;
	struct ela_bucket messages; /* what it may send */
	uint32_t next_id;           /* of our messages */
	uint32_t input_id;          /* of the one that is being taken */
	uint32_t n_asks;            /* ours that wait for its reply */
	bool ending;                /* nothing more is asked */

	/* its requests */
	struct ela_pending pending[ELA_DIALOGUE_PENDING];
	GQueue said; /* struct said (dialogue-answer.c), oldest first */
	size_t said_bytes;
	int64_t forgotten; /* sequences up to this one were answered and are not kept; -1 = none */
	bool has_life;
	int64_t life; /* its incarnation */
	int64_t past[ELA_DIALOGUE_LIVES];
	uint32_t n_past;
};

struct ela_handler {
	ela_request_fn fn;
	void *data;
};

struct ela_dialogue {
	struct ela_node *node;
	struct ela_timer *timer;
	int64_t incarnation;
	uint32_t sequence;
	uint64_t ticket;
	GPtrArray *talks; /* struct ela_talk */
	GQueue asks;      /* struct ask (dialogue.c) */
	bool ending;
	struct ela_handler handlers[ELA_N_PURPOSES];
};

/* dialogue.c */

/* May the peer send a message more? If not, it is counted. */
bool ela_dialogue_may(struct ela_talk *talk);
/* Sends a message in parts, as the same message as before if id is that of before. */
void ela_dialogue_send(struct ela_talk *talk, uint32_t id, GBytes *bytes);
/* Something is due at other times than before. */
void ela_dialogue_rearm(struct ela_dialogue *dialogue);

/* dialogue-answer.c */

/*
 * A part of a message of several came. True: it is of a request whose reply is kept; that is said again, and the part
 * is not wanted: under loss the whole request may not come together again for a long time.
 */
bool ela_dialogue_again(struct ela_talk *talk, uint32_t request_id);
/* A request of the peer; borrowed. */
void ela_dialogue_request(struct ela_talk *talk, const struct ela_message *request);
/* To a request that could not be read. */
void ela_dialogue_refuse(
	struct ela_talk *talk, const struct ela_message_head *request, enum ela_status status, const char *reason);
/* Forgets what waits for too long; when that is due again, 0 = nothing waits. */
uint64_t ela_dialogue_expire(struct ela_talk *talk, uint64_t now_ns);
/* Forgets everything about the peer's requests. */
void ela_dialogue_clear(struct ela_talk *talk);

#endif
