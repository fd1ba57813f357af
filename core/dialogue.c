/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialogue: what a node keeps for each peer it talks with, the requests it waits for, and what comes in. Control
 * thread.
 *
 * A callback may do anything, so each is called last, when what it belongs to has been taken off every list.
 */
#include "dialogue-priv.h"

#include "peer.h"

#include <errno.h>

#define TRY_NS (250 * ELA_MSEC) /* the first repetition; each wait is twice the one before */
#define TRY_MAX_NS (2 * ELA_SEC)
#define TIMEOUT_NS (10 * ELA_SEC)
#define ASKS_MAX 64u /* of ours that wait for one peer */
#define RATE 100.0   /* messages of a peer a second */
#define BURST 200.0

/* A request of ours. */
struct ask {
	uint64_t ticket;
	struct ela_talk *talk;
	GBytes *bytes;
	uint32_t id, sequence; /* of the message's parts; of the request */
	enum ela_purpose purpose;
	uint64_t next_ns, wait_ns, end_ns;
	ela_reply_fn fn;
	void *data;
};

/* ---- what is kept ---- */

static void tick(void *data);

struct ela_dialogue *ela_dialogue_new(struct ela_node *node)
{
	struct ela_dialogue *d = g_new0(struct ela_dialogue, 1);

	ela_message_setup();
	d->node = node;
	d->timer = node->loop->ops->timer_new(node->loop, tick, d);
	d->talks = g_ptr_array_new();
	g_queue_init(&d->asks);
	node->loop->ops->random(node->loop, &d->incarnation, sizeof d->incarnation);
	d->incarnation &= INT64_MAX;
	return d;
}

void ela_dialogue_set_incarnation(struct ela_node *node, int64_t incarnation)
{
	if (node->dialogue->sequence == 0)
		node->dialogue->incarnation = incarnation;
}

static struct ela_talk *talk_with(struct ela_peer *peer)
{
	struct ela_talk *talk = peer->talk;

	if (talk)
		return talk;
	talk = peer->talk = g_new0(struct ela_talk, 1);
	talk->peer = peer;
	talk->messages.tokens = BURST;
	talk->messages.last_ns = ela_loop_now(peer->node->loop);
	talk->forgotten = -1;
	g_queue_init(&talk->said);
	/* Not those of an earlier life of ours, whose halves the peer may still keep. */
	peer->node->loop->ops->random(peer->node->loop, &talk->next_id, sizeof talk->next_id);
	g_ptr_array_add(peer->node->dialogue->talks, talk);
	return talk;
}

/* ---- sending ---- */

void ela_dialogue_send(struct ela_talk *talk, uint32_t id, GBytes *bytes)
{
	uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA];
	gsize len;
	const uint8_t *message = g_bytes_get_data(bytes, &len);

	for (uint32_t part = 0; part < ela_parts_count((uint32_t)len); part++) {
		uint32_t n = ela_parts_write(message, (uint32_t)len, id, part, plain);

		if (ela_control_part(talk->peer, plain, n) != 0)
			return; /* a repetition brings the rest */
	}
	ELA_COUNT(talk->peer->node, MESSAGES_OUT, 1);
}

static void free_ask(struct ask *ask)
{
	g_bytes_unref(ask->bytes);
	g_free(ask);
}

/* Takes the request off the list and tells who asked. */
static void finish(struct ela_dialogue *d, struct ask *ask, int err, const struct ela_message *reply)
{
	ela_reply_fn fn = ask->fn;
	void *data = ask->data;

	(void)g_queue_remove(&d->asks, ask); /* it was there */
	ask->talk->n_asks--;
	free_ask(ask);
	fn(data, err, reply);
}

static GBytes *number_and_encode(struct ela_dialogue *d, struct ela_message *request, GError **error)
{
	if (d->sequence == UINT32_MAX) { /* another life, to those who count */
		d->incarnation = (d->incarnation + 1) & INT64_MAX;
		d->sequence = 0;
	}
	ela_message_set_sequence(request, ++d->sequence);
	ela_message_put_number(request, ELA_FIELD_INCARNATION, d->incarnation);
	return ela_message_encode(request, error);
}

static void try_ask(struct ask *ask, uint64_t now_ns)
{
	ask->next_ns = now_ns + ask->wait_ns;
	ask->wait_ns = MIN(2 * ask->wait_ns, TRY_MAX_NS);
	ask->talk->peer->asked_ns = now_ns; /* who does not answer may be gone */
	ela_dialogue_send(ask->talk, ask->id, ask->bytes);
}

uint64_t ela_dialogue_ask(
	struct ela_peer *peer, struct ela_message *request, uint64_t timeout_ns, ela_reply_fn fn, void *data)
{
	struct ela_dialogue *d = peer->node->dialogue;
	struct ela_talk *talk = d->ending ? NULL : talk_with(peer);
	uint64_t now_ns = ela_loop_now(peer->node->loop);
	g_autoptr(GError) error = NULL;
	bool may = talk && !talk->ending && talk->n_asks < ASKS_MAX;
	GBytes *bytes = may ? number_and_encode(d, request, &error) : NULL;
	enum ela_purpose purpose = ela_message_head(request)->purpose;
	struct ask *ask;

	ela_message_free(request);
	if (!bytes) {
		ela_logf_limited(peer->node->log, now_ns, ELA_LOG_WARN, "message", "not-sent peer=%s purpose=%s reason=\"%s\"",
			peer->name, ela_purpose_name(purpose), error ? error->message : "too many wait, or its time is over");
		return 0;
	}
	ask = g_new0(struct ask, 1);
	*ask = (struct ask){.ticket = ++d->ticket,
		.talk = talk,
		.bytes = bytes,
		.id = talk->next_id++,
		.sequence = d->sequence,
		.purpose = purpose,
		.wait_ns = TRY_NS,
		.end_ns = now_ns + (timeout_ns ? timeout_ns : TIMEOUT_NS),
		.fn = fn,
		.data = data};
	talk->n_asks++;
	g_queue_push_tail(&d->asks, ask);
	try_ask(ask, now_ns);
	ela_node_tick_soon(peer->node);
	ela_dialogue_rearm(d);
	return ask->ticket;
}

void ela_dialogue_cancel(struct ela_node *node, uint64_t ticket)
{
	struct ela_dialogue *d = node->dialogue;

	for (GList *l = d->asks.head; l; l = l->next) {
		struct ask *ask = l->data;

		if (ask->ticket != ticket)
			continue;
		g_queue_delete_link(&d->asks, l);
		ask->talk->n_asks--;
		free_ask(ask);
		return;
	}
}

/* ---- receiving ---- */

static void take_reply(
	struct ela_talk *talk, const struct ela_message_head *head, int err, const struct ela_message *reply)
{
	struct ela_dialogue *d = talk->peer->node->dialogue;

	for (GList *l = d->asks.head; l; l = l->next) {
		struct ask *ask = l->data;

		if (ask->talk != talk || ask->sequence != head->sequence)
			continue;
		if (ask->purpose != head->purpose && head->purpose != ELA_PURPOSE_ERROR)
			break;
		finish(d, ask, err, reply);
		return;
	}
	ELA_COUNT(talk->peer->node, DROP_MESSAGE, 1); /* late, repeated, or made up */
}

/* It was no message that we know: what could be read of it is answered. */
static void take_bad(struct ela_talk *talk, const struct ela_message_head *head, const GError *error)
{
	struct ela_node *node = talk->peer->node;

	ELA_COUNT(node, DROP_XML, 1);
	ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_DEBUG, "message", "refused peer=%s reason=\"%s\"",
		talk->peer->name, error->message);
	if (error->code == ELA_MESSAGE_BROKEN)
		return;
	if (head->type == ELA_MESSAGE_REQUEST)
		ela_dialogue_refuse(talk, head,
			error->code == ELA_MESSAGE_PURPOSE ? ELA_STATUS_UNKNOWN_PURPOSE : ELA_STATUS_MALFORMED, error->message);
	else if (error->code == ELA_MESSAGE_OPTION)
		take_reply(talk, head, -EBADMSG, NULL);
}

bool ela_dialogue_may(struct ela_talk *talk)
{
	struct ela_node *node = talk->peer->node;

	if (ela_bucket_take(&talk->messages, ela_loop_now(node->loop), RATE, BURST))
		return true;
	ELA_COUNT(node, DROP_MESSAGE_RATE, 1);
	return false;
}

static void take_message(struct ela_talk *talk, const uint8_t *bytes, uint32_t len)
{
	struct ela_node *node = talk->peer->node;
	struct ela_message_head head = {0};
	g_autoptr(GError) error = NULL;
	struct ela_message *m;

	if (!ela_dialogue_may(talk))
		return;
	m = ela_message_parse(bytes, len, &head, &error);
	if (!m) {
		take_bad(talk, &head, error);
		return;
	}
	ELA_COUNT(node, MESSAGES_IN, 1);
	if (head.type == ELA_MESSAGE_REQUEST)
		ela_dialogue_request(talk, m);
	else
		take_reply(talk, &head, 0, m);
	ela_message_free(m);
}

void ela_dialogue_input(struct ela_peer *peer, uint32_t session, const uint8_t *plain, uint32_t len)
{
	struct ela_dialogue *d = peer->node->dialogue;
	struct ela_talk *talk = talk_with(peer);
	uint64_t lost = talk->parts.n_lost;
	const uint8_t *bytes = NULL;
	uint32_t bytes_len = 0;
	int err;

	talk->input_id = ela_get32(plain);
	if (plain[5] > 1 && ela_dialogue_again(talk, talk->input_id))
		return;
	err = ela_parts_take(&talk->parts, session, ela_loop_now(peer->node->loop), plain, len, &bytes, &bytes_len);

	ELA_COUNT(peer->node, DROP_PARTS, talk->parts.n_lost - lost + (err < 0));
	if (err == 0)
		ela_dialogue_rearm(d);
	if (err == 1)
		take_message(talk, bytes, bytes_len);
}

/* ---- what is due ---- */

void ela_dialogue_rearm(struct ela_dialogue *d)
{
	uint64_t now_ns = ela_loop_now(d->node->loop), due_ns = UINT64_MAX;

	for (GList *l = d->asks.head; l; l = l->next) {
		const struct ask *ask = l->data;

		due_ns = MIN(due_ns, MIN(ask->next_ns, ask->end_ns));
	}
	for (guint i = 0; i < d->talks->len; i++) {
		struct ela_talk *talk = g_ptr_array_index(d->talks, i);
		uint64_t lost = talk->parts.n_lost;
		uint64_t parts_ns = ela_parts_expire(&talk->parts, now_ns), pending_ns = ela_dialogue_expire(talk, now_ns);

		ELA_COUNT(d->node, DROP_PARTS, talk->parts.n_lost - lost);
		due_ns = MIN(due_ns, parts_ns ? parts_ns : UINT64_MAX);
		due_ns = MIN(due_ns, pending_ns ? pending_ns : UINT64_MAX);
	}
	d->node->loop->ops->timer_set(d->timer, due_ns == UINT64_MAX ? 0 : due_ns);
}

static struct ask *find_due(struct ela_dialogue *d, uint64_t now_ns)
{
	for (GList *l = d->asks.head; l; l = l->next) {
		struct ask *ask = l->data;

		if (now_ns >= ask->end_ns || now_ns >= ask->next_ns)
			return ask;
	}
	return NULL;
}

static void tick(void *data)
{
	struct ela_dialogue *d = data;
	uint64_t now_ns = ela_loop_now(d->node->loop);
	struct ask *ask;

	while ((ask = find_due(d, now_ns)) != NULL) {
		if (now_ns >= ask->end_ns) {
			ELA_COUNT(d->node, REQUESTS_LOST, 1);
			finish(d, ask, -ETIMEDOUT, NULL);
		} else {
			ELA_COUNT(d->node, REQUESTS_REPEATED, 1);
			try_ask(ask, now_ns);
		}
	}
	ela_dialogue_rearm(d);
}

/* ---- ends ---- */

static struct ask *find_of(struct ela_dialogue *d, const struct ela_talk *talk)
{
	for (GList *l = d->asks.head; l; l = l->next)
		if (((struct ask *)l->data)->talk == talk)
			return l->data;
	return NULL;
}

static void end_talk(struct ela_talk *talk, int err)
{
	struct ela_dialogue *d = talk->peer->node->dialogue;
	struct ask *ask;

	talk->ending = true; /* who is told cannot ask for more of the same */
	while ((ask = find_of(d, talk)) != NULL)
		finish(d, ask, err, NULL);
	talk->peer->talk = NULL;
	(void)g_ptr_array_remove(d->talks, talk); /* it was there */
	ela_dialogue_clear(talk);
	ela_parts_clear(&talk->parts);
	g_free(talk);
}

void ela_dialogue_forget(struct ela_peer *peer)
{
	if (peer->talk)
		end_talk(peer->talk, -ENOTCONN);
}

void ela_dialogue_free(struct ela_dialogue *d)
{
	if (!d)
		return;
	d->ending = true;
	while (d->talks->len)
		end_talk(g_ptr_array_index(d->talks, 0), -ECANCELED);
	d->node->loop->ops->timer_free(d->timer);
	g_ptr_array_unref(d->talks);
	d->node->dialogue = NULL;
	g_free(d);
}
