/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialogue-answer: requests of peers: each is handed to its purpose's handler once in a life of the peer, and its reply
 * kept for the repetitions that may come. Control thread.
 *
 * Sequences of a life only rise, so what is not kept any more need not be listed: everything up to the highest
 * sequence that was forgotten has had its chance.
 */
#include "dialogue-priv.h"

#include "message-priv.h"

#include <errno.h>

#define PENDING_NS (30 * ELA_SEC)
#define SAID 32u /* replies that are kept */
#define SAID_BYTES 65536u
#define AGAIN_NS (200 * ELA_MSEC) /* less than the time between two tries: once for all parts of one */

/* A reply that may be asked for again. */
struct said {
	uint32_t sequence, id, request_id; /* of the request; of the parts of the reply and of the request */
	uint64_t said_ns;
	GBytes *bytes;
};

static void free_said(void *data)
{
	struct said *said = data;

	g_bytes_unref(said->bytes);
	g_free(said);
}

/* ---- lives of the peer ---- */

static void forget_life(struct ela_talk *talk)
{
	g_queue_clear_full(&talk->said, free_said);
	talk->said_bytes = 0;
	talk->forgotten = -1;
	memset(talk->pending, 0, sizeof talk->pending); /* answers to them go nowhere */
}

/* False: the request is of a life that is over, and comes late. */
static bool is_of_this_life(struct ela_talk *talk, int64_t life)
{
	if (talk->has_life && talk->life == life)
		return true;
	for (uint32_t i = 0; i < MIN(talk->n_past, ELA_DIALOGUE_LIVES); i++)
		if (talk->past[i] == life)
			return false;
	if (talk->has_life)
		talk->past[talk->n_past++ % ELA_DIALOGUE_LIVES] = talk->life;
	forget_life(talk);
	talk->has_life = true;
	talk->life = life;
	return true;
}

/* ---- replies ---- */

static void keep(struct ela_talk *talk, const struct ela_pending *request, uint32_t id, GBytes *bytes)
{
	struct said *said = g_new0(struct said, 1);

	*said = (struct said){.sequence = request->head.sequence,
		.id = id,
		.request_id = request->request_id,
		.said_ns = ela_loop_now(talk->peer->node->loop),
		.bytes = g_bytes_ref(bytes)};
	g_queue_push_tail(&talk->said, said);
	talk->said_bytes += g_bytes_get_size(bytes);
	while (talk->said.length > SAID || talk->said_bytes > SAID_BYTES) {
		said = g_queue_pop_head(&talk->said);
		talk->said_bytes -= g_bytes_get_size(said->bytes);
		talk->forgotten = MAX(talk->forgotten, said->sequence);
		free_said(said);
	}
}

static struct said *find_said(const struct ela_talk *talk, uint32_t sequence)
{
	for (const GList *l = talk->said.head; l; l = l->next)
		if (((const struct said *)l->data)->sequence == sequence)
			return l->data;
	return NULL;
}

static void say_again(struct ela_talk *talk, struct said *said)
{
	said->said_ns = ela_loop_now(talk->peer->node->loop);
	ela_dialogue_send(talk, said->id, said->bytes);
}

bool ela_dialogue_again(struct ela_talk *talk, uint32_t request_id)
{
	for (GList *l = talk->said.head; l; l = l->next) {
		struct said *said = l->data;

		if (said->request_id != request_id)
			continue;
		if (ela_loop_now(talk->peer->node->loop) - said->said_ns >= AGAIN_NS && ela_dialogue_may(talk))
			say_again(talk, said);
		return true;
	}
	return false;
}

/* TAKES reply. */
static void say(struct ela_talk *talk, const struct ela_pending *request, struct ela_message *reply, bool kept)
{
	const struct ela_message_head *head = &request->head;
	struct ela_node *node = talk->peer->node;
	g_autoptr(GError) error = NULL;
	uint32_t id = talk->next_id++;
	GBytes *bytes;

	bytes = ela_message_encode(reply, &error);
	ela_message_free(reply);
	if (!bytes) { /* the handler's mistake; the asker need not wait for its time-out */
		ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_WARN, "message",
			"not-sent peer=%s reply-to=%s reason=\"%s\"", talk->peer->name, ela_purpose_name(head->purpose),
			error->message);
		reply = ela_message_reply(head, ELA_STATUS_FAILED, "the answer cannot be said");
		bytes = ela_message_encode(reply, NULL);
		ela_message_free(reply);
	}
	if (kept)
		keep(talk, request, id, bytes);
	ela_dialogue_send(talk, id, bytes);
	g_bytes_unref(bytes);
}

void ela_dialogue_refuse(
	struct ela_talk *talk, const struct ela_message_head *request, enum ela_status status, const char *reason)
{
	const struct ela_pending only = {.head = *request};

	say(talk, &only, ela_message_reply(request, status, reason), false);
}

void ela_dialogue_answer(struct ela_node *node, uint64_t ticket, struct ela_message *reply)
{
	const struct ela_dialogue *d = node->dialogue;

	for (guint i = 0; ticket && i < d->talks->len; i++) {
		struct ela_talk *talk = g_ptr_array_index(d->talks, i);

		for (uint32_t k = 0; k < ELA_DIALOGUE_PENDING; k++) {
			const struct ela_pending request = talk->pending[k];

			if (request.ticket != ticket)
				continue;
			talk->pending[k] = (struct ela_pending){0};
			say(talk, &request, reply, !ela_purpose_is_pure(request.head.purpose));
			return;
		}
	}
	ela_message_free(reply);
}

/* ---- requests ---- */

static bool is_pending(const struct ela_talk *talk, uint32_t sequence)
{
	for (uint32_t i = 0; i < ELA_DIALOGUE_PENDING; i++)
		if (talk->pending[i].ticket && talk->pending[i].head.sequence == sequence)
			return true;
	return false;
}

static struct ela_pending *free_place(struct ela_talk *talk)
{
	for (uint32_t i = 0; i < ELA_DIALOGUE_PENDING; i++)
		if (!talk->pending[i].ticket)
			return &talk->pending[i];
	return NULL;
}

/* Ping needs nobody but the one who hears it. */
static void answer_ping(struct ela_talk *talk, const struct ela_message *request)
{
	const struct ela_pending only = {.head = *ela_message_head(request)};
	struct ela_message *reply = ela_message_reply(&only.head, ELA_STATUS_OK, NULL);
	int64_t token = 0;

	(void)ela_message_number(request, ELA_FIELD_TOKEN, &token); /* required: it is there */
	ela_message_put_number(reply, ELA_FIELD_TOKEN, token);
	say(talk, &only, reply, false);
}

/* For the first time: its handler, and that comes last. */
static void hand_over(struct ela_talk *talk, const struct ela_message *request)
{
	struct ela_node *node = talk->peer->node;
	const struct ela_message_head *head = ela_message_head(request);
	const struct ela_handler handler = node->dialogue->handlers[head->purpose];
	struct ela_pending *pending = free_place(talk);

	if (!handler.fn && head->purpose == ELA_PURPOSE_PING) {
		answer_ping(talk, request);
		return;
	}
	if (!handler.fn) {
		ela_dialogue_refuse(talk, head, ELA_STATUS_UNKNOWN_PURPOSE, NULL);
		return;
	}
	if (!pending) {
		ELA_COUNT(node, DROP_REQUEST, 1);
		return;
	}
	*pending = (struct ela_pending){.ticket = ++node->dialogue->ticket,
		.born_ns = ela_loop_now(node->loop),
		.head = *head,
		.request_id = talk->input_id};
	ela_dialogue_rearm(node->dialogue);
	handler.fn(handler.data, talk->peer, request, pending->ticket);
}

void ela_dialogue_request(struct ela_talk *talk, const struct ela_message *request)
{
	const struct ela_message_head *head = ela_message_head(request);
	struct said *said;
	int64_t life = 0;

	(void)ela_message_number(request, ELA_FIELD_INCARNATION, &life); /* required: it is there */
	if (!is_of_this_life(talk, life)) {
		ELA_COUNT(talk->peer->node, DROP_REQUEST, 1);
		return;
	}
	said = find_said(talk, head->sequence);
	if (said)
		say_again(talk, said);
	else if (is_pending(talk, head->sequence))
		return; /* being answered */
	else if (!ela_purpose_is_pure(head->purpose) && head->sequence <= talk->forgotten)
		ELA_COUNT(talk->peer->node, DROP_REQUEST, 1);
	else
		hand_over(talk, request);
}

void ela_dialogue_handle(struct ela_node *node, enum ela_purpose purpose, ela_request_fn fn, void *data)
{
	node->dialogue->handlers[purpose] = (struct ela_handler){.fn = fn, .data = data};
}

uint64_t ela_dialogue_expire(struct ela_talk *talk, uint64_t now_ns)
{
	uint64_t due_ns = 0;

	for (uint32_t i = 0; i < ELA_DIALOGUE_PENDING; i++) {
		struct ela_pending *pending = &talk->pending[i];

		if (!pending->ticket)
			continue;
		if (now_ns - pending->born_ns >= PENDING_NS)
			*pending = (struct ela_pending){0};
		else if (due_ns == 0 || pending->born_ns + PENDING_NS < due_ns)
			due_ns = pending->born_ns + PENDING_NS;
	}
	return due_ns;
}

void ela_dialogue_clear(struct ela_talk *talk)
{
	forget_life(talk);
}
