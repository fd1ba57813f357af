/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialogue: requests and replies of a node with its peers, in parts over sealed MESSAGE frames. A request is repeated
 * until it is answered or its time is up, and carried out once by whoever is asked, however often it comes. What a peer
 * can make this node keep is bounded. Control thread.
 *
 * Callbacks may ask, answer, cancel and change handlers, whatever called them.
 */
#ifndef ELA_CORE_DIALOGUE_H
#define ELA_CORE_DIALOGUE_H

#include "message.h"
#include "state.h"

/* Hung off the node: made by ela_node_new(), freed by ela_node_free() before peers are. */
struct ela_dialogue *ela_dialogue_new(struct ela_node *node);
void ela_dialogue_free(struct ela_dialogue *dialogue); /* takes NULL; who still waits is told -ECANCELED */

/*
 * Which life of the node counts its requests: a number that no earlier life had. Random until it is set; may be set
 * before the first request only.
 */
void ela_dialogue_set_incarnation(struct ela_node *node, int64_t incarnation);

/* ---- asking ---- */

/*
 * The end of a request: err 0 and the reply, whatever its status (borrowed); or NULL and -ETIMEDOUT, -ENOTCONN (the
 * peer was removed), -EBADMSG (the reply is no reply to it), -ECANCELED (the node ends).
 */
typedef void (*ela_reply_fn)(void *data, int err, const struct ela_message *reply);

/*
 * Asks a peer; TAKES request, and sets its sequence and incarnation. timeout_ns 0 = 10 s. A ticket for
 * ela_dialogue_cancel(), or 0: nothing was sent and fn is not called (the request is not whole, or too many wait).
 */
uint64_t ela_dialogue_ask(
	struct ela_peer *peer, struct ela_message *request, uint64_t timeout_ns, ela_reply_fn fn, void *data);
/* fn of that request is not called any more. Any ticket, 0 too. */
void ela_dialogue_cancel(struct ela_node *node, uint64_t ticket);

/* ---- answering ---- */

/*
 * A peer asks (request is borrowed). The handler, or somebody later, calls ela_dialogue_answer() with the ticket; after
 * 30 s without it the request is forgotten.
 */
typedef void (*ela_request_fn)(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket);

/* One handler a purpose; NULL takes it away. Without, the answer is unknown-purpose. */
void ela_dialogue_handle(struct ela_node *node, enum ela_purpose purpose, ela_request_fn fn, void *data);
/* TAKES reply, made by ela_message_reply(). A ticket whose peer or time is over: nothing happens. */
void ela_dialogue_answer(struct ela_node *node, uint64_t ticket, struct ela_message *reply);

/* ---- for control.c and peer.c ---- */

/* A plaintext with parts >= 1 came from the peer, in the session of that index. */
void ela_dialogue_input(struct ela_peer *peer, uint32_t session, const uint8_t *plain, uint32_t len);
/* The peer is being removed. */
void ela_dialogue_forget(struct ela_peer *peer);

#endif
