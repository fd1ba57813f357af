/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-dialogue: core/parts.c, core/dialogue.c, core/dialogue-answer.c, core/pull.c: what members say in parts, what is
 * asked of them and answered to them meanwhile. Input: steps, each kind (1) and
 *   0 part:   who (1), id (1), part (1), parts (1), length (2), bytes
 *   1 whole:  who, id (1), length (2), bytes: a message, cut here
 *   2 said:   who, id (1), form (1), sequence (1), life (1), length (2), bytes: a good message of one of six forms
 *   3 time:   milliseconds (2)
 *   4 ask:    who
 *   5 answer: which (1) of the requests that wait
 *   6 pull:   kind (1), from whom (1)
 *   7 forget: who
 *   8 cancel: ticket (1), of a request and of a pull
 * After each: nothing is kept beyond its bounds.
 */
#include "dialogue-priv.h"
#include "near.h"
#include "peer.h"
#include "pull.h"

#include <string.h>

#define TIME_MAX_MS 60000u /* of one input: more costs more than it finds */
#define TICKETS 32u
#define OBJECT_LEN 20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
	struct near near;
	struct ela_node *node;
	uint64_t tickets[TICKETS];
	struct ela_message_head heads[TICKETS];
	uint32_t n_tickets, passed_ms;
};

static struct ela_peer *who(struct state *s, uint8_t word)
{
	return lone_peer(s->near.l, word & 1 ? 3 : 2);
}

static void ended(void *data, int err, const struct ela_message *reply)
{
	(void)data;
	if ((err == 0) != (reply != NULL))
		input_fail("neither a reply nor an error");
}

static void pulled(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	(void)data;
	if (err == 0 && (!bytes || len == 0))
		input_fail("neither an object nor an error");
}

static void defer(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	struct state *s = data;
	uint32_t k = s->n_tickets++ % TICKETS;

	(void)peer;
	s->tickets[k] = ticket;
	s->heads[k] = *ela_message_head(request);
}

static bool object(void *data, const struct ela_peer *peer, enum ela_pull_kind kind, const uint8_t hash[ELA_HASH_LEN],
	const uint8_t **ret_bytes, uint32_t *ret_len)
{
	static const uint8_t bytes[OBJECT_LEN];

	(void)data, (void)peer, (void)hash;
	*ret_bytes = bytes;
	*ret_len = OBJECT_LEN;
	return kind == ELA_PULL_LIST;
}

/* ---- steps ---- */

static void step_part(struct state *s, struct input *in)
{
	uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA + 100];
	struct ela_peer *peer = who(s, input_u8(in));
	uint8_t id = input_u8(in), part = input_u8(in), parts = input_u8(in);
	uint32_t len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % (ELA_PART_DATA + 100), &len);

	ela_put32(plain, id);
	plain[4] = part;
	plain[5] = parts ? parts : 1; /* 0 is control's own */
	memcpy(plain + ELA_PART_HEAD, bytes, len);
	ela_dialogue_input(peer, id & 1, plain, ELA_PART_HEAD + len);
}

static void deliver(struct ela_peer *peer, uint8_t id, const uint8_t *bytes, uint32_t len)
{
	uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA];

	for (uint32_t part = 0; part < ela_parts_count(len); part++)
		ela_dialogue_input(peer, id & 1, plain, ela_parts_write(bytes, len, id, part, plain));
}

static void step_whole(struct state *s, struct input *in)
{
	struct ela_peer *peer = who(s, input_u8(in));
	uint8_t id = input_u8(in);
	uint32_t len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % (ELA_MESSAGE_MAX + 1), &len);

	deliver(peer, id, bytes, len);
}

static struct ela_message *form(uint8_t word, uint8_t life, const uint8_t *bytes, uint32_t len)
{
	static const enum ela_purpose purposes[] = {
		ELA_PURPOSE_RECORD_PUT, ELA_PURPOSE_OBJECT_PULL, ELA_PURPOSE_PING, ELA_PURPOSE_RECORD_GET};
	static const uint8_t zeros[ELA_HASH_LEN];
	struct ela_message *m = ela_message_new(purposes[word % 4], word & 4 ? ELA_MESSAGE_REPLY : ELA_MESSAGE_REQUEST);
	bool is_reply = word & 4, is_pull = word % 4 == 1;

	/* What does not belong to it makes it a message that is not sent: the fuzzer's loss. */
	ela_message_put_number(m, is_reply ? ELA_FIELD_STATUS : ELA_FIELD_INCARNATION, is_reply ? life % 3 : life % 8);
	if (word % 4 == 2)
		ela_message_put_number(m, ELA_FIELD_TOKEN, word);
	if (is_pull)
		ela_message_put_number(m, ELA_FIELD_OFFSET, (int64_t)(word >> 4) * ELA_MESSAGE_PIECE_MAX);
	if (is_pull && is_reply)
		ela_message_put_number(m, ELA_FIELD_TOTAL, word & 8 ? OBJECT_LEN : MAX(len, 1));
	if (is_pull && !is_reply) {
		ela_message_put_number(m, ELA_FIELD_KIND, life % ELA_N_PULL_KINDS);
		ela_message_put_bytes(m, ELA_FIELD_HASH, zeros, sizeof zeros);
	}
	if (word % 4 == 3 && !is_reply)
		ela_message_put_number(m, ELA_FIELD_ID, life);
	if (is_pull && is_reply)
		ela_message_put_bytes(m, ELA_FIELD_PIECE, bytes, len);
	else if (word % 4 == 0)
		for (uint32_t i = 0; i < 1u + word / 64; i++)
			ela_message_put_bytes(m, ELA_FIELD_RECORD, bytes, len);
	return m;
}

static void step_said(struct state *s, struct input *in)
{
	struct ela_peer *peer = who(s, input_u8(in));
	uint8_t id = input_u8(in), word = input_u8(in), sequence = input_u8(in), life = input_u8(in);
	uint32_t len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % (ELA_MESSAGE_PIECE_MAX + 1), &len);
	static uint8_t zeros[ELA_MESSAGE_PIECE_MAX];
	struct ela_message *m = form(word, life, len ? bytes : zeros, len ? len : word & 8 ? ELA_MESSAGE_PIECE_MAX : 1);
	GBytes *message;

	ela_message_set_sequence(m, sequence);
	message = ela_message_encode(m, NULL);
	if (message)
		deliver(peer, id, g_bytes_get_data(message, NULL), (uint32_t)g_bytes_get_size(message));
	g_bytes_unref(message);
	ela_message_free(m);
}

static void step_ask(struct state *s, uint8_t word)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_RECORD_PUT, ELA_MESSAGE_REQUEST);

	for (uint32_t i = 0; i <= word / 64u; i++)
		ela_message_put_bytes(m, ELA_FIELD_RECORD, (const uint8_t[2000]){word}, 1000u + i);
	(void)ela_dialogue_ask(who(s, word), m, 0, ended, s); /* 0: enough of them wait */
}

static void step_answer(struct state *s, uint8_t word)
{
	uint32_t k = word % TICKETS;
	struct ela_message *reply;

	if (!s->tickets[k])
		return;
	reply = ela_message_reply(&s->heads[k], ELA_STATUS_OK, NULL);
	if (word & 0x80)
		ela_message_put_bytes(reply, ELA_FIELD_RECORD, (const uint8_t[4000]){word}, 4000);
	if (word == 0x7f)
		ela_message_put_number(reply, ELA_FIELD_TOTAL, 1); /* which it must not */
	ela_dialogue_answer(s->node, s->tickets[k], reply);
}

static void step_pull(struct state *s, struct input *in)
{
	static const uint8_t hash[ELA_HASH_LEN];
	uint8_t kind = input_u8(in) % ELA_N_PULL_KINDS, from = input_u8(in);
	const uint32_t peers[] = {who(s, from)->number, who(s, from + 1)->number};

	(void)ela_pull(s->node, kind, hash, peers, 1 + (from >> 1) % 2, pulled, s); /* 0: enough are under way */
}

static void step_time(struct state *s, uint32_t ms)
{
	s->passed_ms += ms;
	if (s->passed_ms <= TIME_MAX_MS)
		lone_pass(s->near.loop, ms * ELA_MSEC);
}

static void step(struct state *s, struct input *in)
{
	uint8_t ticket;

	switch (input_u8(in) % 9) {
	case 0:
		step_part(s, in);
		break;
	case 1:
		step_whole(s, in);
		break;
	case 2:
		step_said(s, in);
		break;
	case 3:
		step_time(s, input_u16(in));
		break;
	case 4:
		step_ask(s, input_u8(in));
		break;
	case 5:
		step_answer(s, input_u8(in));
		break;
	case 6:
		step_pull(s, in);
		break;
	case 7:
		ela_dialogue_forget(who(s, input_u8(in)));
		break;
	default:
		ticket = input_u8(in);
		ela_dialogue_cancel(s->node, ticket);
		ela_pull_cancel(s->node, ticket);
		break;
	}
}

/* ---- bounds ---- */

static void check(struct state *s)
{
	for (uint8_t k = 0; k < 2; k++) {
		const struct ela_talk *talk = who(s, k)->talk;
		size_t kept = 0;

		if (!talk)
			continue;
		for (uint32_t i = 0; i < ELA_PARTS_HALF; i++)
			kept += talk->parts.half[i].parts;
		if (kept > (size_t)ELA_PARTS_HALF * ELA_PARTS || talk->said.length > 32 || talk->said_bytes > 65536)
			input_fail("more is kept than may be");
		if (talk->n_asks > 64)
			input_fail("more is asked than may be");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state s;
	struct input in = {data, size};

	memset(&s, 0, sizeof s);
	near_start(&s.near);
	s.node = s.near.l->node;
	/* Its sequences and tickets begin anew, whatever was before. */
	ela_puller_free(s.node->puller);
	ela_dialogue_free(s.node->dialogue);
	s.node->dialogue = ela_dialogue_new(s.node);
	s.node->puller = ela_puller_new(s.node);
	ela_dialogue_handle(s.node, ELA_PURPOSE_RECORD_PUT, defer, &s);
	ela_pull_serve(s.node, object, &s);
	while (in.left) {
		step(&s, &in);
		check(&s);
	}
	near_end(&s.near);
	return 0;
}
