/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull: both ends of ObjectPull. The first piece tells the size, which the kind bounds; then up to four pieces are
 * asked for at a time, each from the same source, because pieces of two objects do not make one. A source that fails in
 * any way is left for the next, and what it sent is thrown away. Control thread.
 */
#include "pull.h"

#include "peer.h"

#include <errno.h>

#define PIECE ELA_MESSAGE_PIECE_MAX
#define OUTSTANDING 4u
#define PIECES 64u /* of the largest object */

struct pull;

/* A piece that was asked for. */
struct piece {
	struct pull *pull;
	uint64_t ticket; /* 0: none */
	uint32_t number;
};

struct pull {
	struct ela_node *node;
	uint64_t ticket;
	enum ela_pull_kind kind;
	uint8_t hash[ELA_HASH_LEN];
	uint32_t sources[ELA_PULL_SOURCES], n_sources, source; /* source: the one being asked */
	struct piece pieces[OUTSTANDING];
	uint64_t asked;         /* bits of pieces */
	uint8_t *bytes;         /* NULL: the size is not known */
	uint32_t total, n_have; /* bytes; pieces */
	ela_pull_fn fn;
	void *data;
};

struct ela_puller {
	struct ela_node *node;
	GPtrArray *pulls;
	uint64_t ticket;
	ela_serve_fn fn;
	void *data;
};

static const uint32_t object_max[ELA_N_PULL_KINDS] = {
	[ELA_PULL_GENESIS] = ELA_MESSAGE_OBJECT_MAX,
	[ELA_PULL_LIST] = PIECES * PIECE,
	[ELA_PULL_ENROLMENTS] = 256 * ELA_HASH_LEN,
	[ELA_PULL_ENROLMENT] = ELA_MESSAGE_OBJECT_MAX,
	[ELA_PULL_CREDENTIAL] = ELA_MESSAGE_OBJECT_MAX,
	[ELA_PULL_GRANT] = ELA_MESSAGE_OBJECT_MAX,
	[ELA_PULL_RECORD] = ELA_MESSAGE_OBJECT_MAX,
};

uint32_t ela_pull_max(enum ela_pull_kind kind)
{
	return object_max[kind];
}

/* ---- pulling ---- */

static void take_piece(void *data, int err, const struct ela_message *reply);

static uint32_t n_pieces(const struct pull *p)
{
	return (p->total + PIECE - 1) / PIECE;
}

static bool ask_piece(struct pull *p, struct piece *piece, uint32_t number)
{
	struct ela_peer *peer = ela_peer_by_number(p->node, p->sources[p->source]);
	struct ela_message *m;

	if (!peer)
		return false;
	m = ela_message_new(ELA_PURPOSE_OBJECT_PULL, ELA_MESSAGE_REQUEST);
	ela_message_put_number(m, ELA_FIELD_KIND, p->kind);
	ela_message_put_bytes(m, ELA_FIELD_HASH, p->hash, sizeof p->hash);
	ela_message_put_number(m, ELA_FIELD_OFFSET, (int64_t)number * PIECE);
	*piece = (struct piece){.pull = p, .number = number};
	piece->ticket = ela_dialogue_ask(peer, m, 0, take_piece, piece);
	p->asked |= UINT64_C(1) << number;
	return piece->ticket != 0;
}

/* As many as may be outstanding; before the size is known, the first one. */
static bool ask_more(struct pull *p)
{
	uint32_t n = p->bytes ? n_pieces(p) : 1, next = 0;

	for (uint32_t i = 0; i < OUTSTANDING; i++) {
		if (p->pieces[i].ticket)
			continue;
		while (next < n && p->asked & UINT64_C(1) << next)
			next++;
		if (next < n && !ask_piece(p, &p->pieces[i], next))
			return false;
	}
	return true;
}

/* Nothing of this source is wanted any more. */
static void leave_source(struct pull *p)
{
	for (uint32_t i = 0; i < OUTSTANDING; i++) {
		ela_dialogue_cancel(p->node, p->pieces[i].ticket);
		p->pieces[i] = (struct piece){0};
	}
	g_clear_pointer(&p->bytes, g_free);
	p->asked = 0;
	p->total = p->n_have = 0;
}

static void free_pull(void *data)
{
	struct pull *p = data;

	leave_source(p);
	g_free(p);
}

/* The first source from p->source on that can be asked. */
static bool ask_source(struct pull *p)
{
	for (; p->source < p->n_sources; p->source++) {
		if (ask_more(p))
			return true;
		leave_source(p);
	}
	return false;
}

/* Off the list, then told, then gone: fn may pull and cancel. */
static void end(struct pull *p, int err)
{
	GPtrArray *pulls = p->node->puller->pulls;
	guint at = 0;

	(void)g_ptr_array_find(pulls, p, &at); /* it is there until here */
	(void)g_ptr_array_steal_index_fast(pulls, at);
	p->fn(p->data, err, err ? NULL : p->bytes, err ? 0 : p->total);
	free_pull(p);
}

static void try_next(struct pull *p, int err)
{
	leave_source(p);
	p->source++;
	if (!ask_source(p))
		end(p, err);
}

/* The size is known: room for it, within what the kind may have. 0, -EBADMSG, -EMSGSIZE. */
static int take_total(struct pull *p, int64_t total)
{
	if (p->bytes)
		return total == p->total ? 0 : -EBADMSG;
	if (total > object_max[p->kind])
		return -EMSGSIZE;
	p->total = (uint32_t)total;
	p->bytes = g_malloc(p->total);
	return 0;
}

/* 0, or why this source is no good. */
static int store(struct pull *p, uint32_t number, const struct ela_message *reply)
{
	int64_t total = 0, offset = 0;
	uint32_t len = 0, at = number * PIECE;
	const uint8_t *bytes = ela_message_bytes(reply, ELA_FIELD_PIECE, 0, &len);
	int err;

	if (ela_message_status(reply) != ELA_STATUS_OK)
		return -ENOENT;
	(void)ela_message_number(reply, ELA_FIELD_TOTAL, &total);   /* required: they are there */
	(void)ela_message_number(reply, ELA_FIELD_OFFSET, &offset); /* with status ok */
	err = take_total(p, total);
	if (err != 0)
		return err;
	if (offset != at || at >= p->total || len != MIN(PIECE, p->total - at))
		return -EBADMSG;
	memcpy(p->bytes + at, bytes, len);
	p->n_have++;
	return 0;
}

static bool is_right(const struct pull *p)
{
	const struct ela_bytes part = {p->bytes, p->total};
	uint8_t hash[ELA_HASH_LEN];

	return ela_sha256(&part, 1, hash) == 0 && memcmp(hash, p->hash, sizeof hash) == 0;
}

static void take_piece(void *data, int err, const struct ela_message *reply)
{
	struct piece *piece = data;
	struct pull *p = piece->pull;

	piece->ticket = 0;
	if (err == 0)
		err = store(p, piece->number, reply);
	if (err == 0 && p->n_have == n_pieces(p)) {
		if (is_right(p)) {
			end(p, 0);
			return;
		}
		err = -EBADMSG;
	}
	if (err == 0 && !ask_more(p))
		err = -ENOTCONN;
	if (err != 0)
		try_next(p, err);
}

uint64_t ela_pull(struct ela_node *node, enum ela_pull_kind kind, const uint8_t hash[ELA_HASH_LEN],
	const uint32_t *peers, uint32_t n_peers, ela_pull_fn fn, void *data)
{
	struct ela_puller *puller = node->puller;
	struct pull *p;

	if (!puller || puller->pulls->len >= ELA_PULLS)
		return 0;
	p = g_new0(struct pull, 1);
	*p = (struct pull){.node = node, .ticket = ++puller->ticket, .kind = kind, .fn = fn, .data = data};
	memcpy(p->hash, hash, sizeof p->hash);
	p->n_sources = MIN(n_peers, ELA_PULL_SOURCES);
	for (uint32_t i = 0; i < p->n_sources; i++)
		p->sources[i] = peers[i];
	if (!ask_source(p)) {
		free_pull(p);
		return 0;
	}
	g_ptr_array_add(puller->pulls, p);
	return p->ticket;
}

void ela_pull_cancel(struct ela_node *node, uint64_t ticket)
{
	GPtrArray *pulls = node->puller ? node->puller->pulls : NULL;

	for (guint i = 0; pulls && i < pulls->len; i++)
		if (((const struct pull *)g_ptr_array_index(pulls, i))->ticket == ticket) {
			(void)g_ptr_array_remove_index_fast(pulls, i); /* which frees it */
			return;
		}
}

/* ---- handing out ---- */

static void put_piece(struct ela_message *reply, const uint8_t *bytes, uint32_t len, uint32_t at)
{
	ela_message_put_number(reply, ELA_FIELD_TOTAL, len);
	ela_message_put_number(reply, ELA_FIELD_OFFSET, at);
	ela_message_put_bytes(reply, ELA_FIELD_PIECE, bytes + at, MIN(PIECE, len - at));
}

static void hand_out(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	const struct ela_puller *puller = data;
	const struct ela_message_head *head = ela_message_head(request);
	int64_t kind = 0, offset = 0;
	uint32_t hash_len = 0, len = 0;
	const uint8_t *hash = ela_message_bytes(request, ELA_FIELD_HASH, 0, &hash_len), *bytes = NULL;
	struct ela_message *reply;

	(void)ela_message_number(request, ELA_FIELD_KIND, &kind);     /* required: they are there */
	(void)ela_message_number(request, ELA_FIELD_OFFSET, &offset); /* as the hash is */
	if (!puller->fn || !puller->fn(puller->data, peer, (enum ela_pull_kind)kind, hash, &bytes, &len)) {
		reply = ela_message_reply(head, ELA_STATUS_NOT_FOUND, NULL);
	} else if (offset >= len) {
		reply = ela_message_reply(head, ELA_STATUS_MALFORMED, "the object ends before the offset");
	} else {
		reply = ela_message_reply(head, ELA_STATUS_OK, NULL);
		put_piece(reply, bytes, len, (uint32_t)offset);
	}
	ela_dialogue_answer(puller->node, ticket, reply);
}

void ela_pull_serve(struct ela_node *node, ela_serve_fn fn, void *data)
{
	node->puller->fn = fn;
	node->puller->data = data;
}

struct ela_puller *ela_puller_new(struct ela_node *node)
{
	struct ela_puller *puller = g_new0(struct ela_puller, 1);

	puller->node = node;
	puller->pulls = g_ptr_array_new_with_free_func(free_pull);
	ela_dialogue_handle(node, ELA_PURPOSE_OBJECT_PULL, hand_out, puller);
	return puller;
}

void ela_puller_free(struct ela_puller *puller)
{
	if (!puller)
		return;
	g_ptr_array_unref(puller->pulls);
	puller->node->puller = NULL;
	g_free(puller);
}
