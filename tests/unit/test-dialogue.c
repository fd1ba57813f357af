/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-dialogue: core/dialogue*.c between nodes (wire.h): requests over a network that loses, repeats and reorders;
 * carried out once; lives; what a peer that floods, lies or is silent can make a node keep. ELA_TEST_SEED repeats a
 * run. One thread.
 */
#include "dialogue-priv.h"
#include "peer.h"
#include "test-host.h"
#include "wire.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKS 400u

/* What became of a request. */
struct end {
	uint32_t n;
	int err;
	enum ela_status status;
	uint64_t at_ns;
	uint32_t len; /* of the reply's record */
	uint8_t first;
};

static struct wire *w;
static struct end ends[ASKS];
static uint32_t carried_out[ASKS]; /* by the first byte or two of the record */
static uint64_t tickets[ASKS];
static uint32_t n_tickets;

static void setup(void)
{
	const char *text = g_getenv("ELA_TEST_SEED");
	uint32_t seed = text ? (uint32_t)strtoul(text, NULL, 0) : g_random_int();

	printf("ELA_TEST_SEED=%u\n", seed);
	w = wire_new(test_plugin_load(CIPHER_AEAD), seed);
	memset(ends, 0, sizeof ends);
	memset(carried_out, 0, sizeof carried_out);
	n_tickets = 0;
}

static void teardown(void)
{
	wire_free(w);
}

static uint64_t count(uint32_t of, const char *name)
{
	return lone_counter(w->nodes[of], name);
}

/* ---- one who asks and one who answers ---- */

static void ended(void *data, int err, const struct ela_message *reply)
{
	struct end *end = data;
	const uint8_t *bytes;

	end->n++;
	end->err = err;
	end->at_ns = ela_loop_now(w->loop);
	if (!reply)
		return;
	end->status = ela_message_status(reply);
	bytes = ela_message_bytes(reply, ELA_FIELD_RECORD, 0, &end->len);
	end->first = bytes ? bytes[0] : 0;
}

static struct ela_message *put_request(uint32_t number, uint32_t len)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_RECORD_PUT, ELA_MESSAGE_REQUEST);
	uint8_t record[ELA_MESSAGE_OBJECT_MAX] = {(uint8_t)number, (uint8_t)(number >> 8)};

	for (uint32_t left = len; left > 0; left -= MIN(left, sizeof record))
		ela_message_put_bytes(m, ELA_FIELD_RECORD, record, MAX(MIN(left, sizeof record), 2));
	return m;
}

/* RecordPut number: it is to be carried out once. */
static uint64_t put(uint32_t from, uint32_t to, uint32_t number, uint32_t len)
{
	return ela_dialogue_ask(wire_peer(w, from, to), put_request(number, len), 0, ended, &ends[number]);
}

static struct ela_message *put_reply(const struct ela_message *request)
{
	struct ela_message *reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);

	for (uint32_t k = 0; k < ela_message_count(request, ELA_FIELD_RECORD); k++) {
		uint32_t len;
		const uint8_t *bytes = ela_message_bytes(request, ELA_FIELD_RECORD, k, &len);

		ela_message_put_bytes(reply, ELA_FIELD_RECORD, bytes, len);
	}
	return reply;
}

static uint32_t number_of(const struct ela_message *request)
{
	uint32_t len;
	const uint8_t *bytes = ela_message_bytes(request, ELA_FIELD_RECORD, 0, &len);

	return bytes[0] | (uint32_t)bytes[1] << 8;
}

/* Says the same records back. */
static void echo(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	carried_out[number_of(request)]++;
	ela_dialogue_answer(data, ticket, put_reply(request));
	(void)peer;
}

static void defer(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	(void)data, (void)peer;
	carried_out[number_of(request)]++;
	tickets[n_tickets++] = ticket;
}

static void serve(uint32_t node, ela_request_fn fn)
{
	ela_dialogue_handle(w->nodes[node]->node, ELA_PURPOSE_RECORD_PUT, fn, w->nodes[node]->node);
}

static struct ela_talk *talk(uint32_t of, uint32_t with)
{
	return wire_peer(w, of, with)->talk;
}

/* Bytes as node from's message to node to. */
static void say_raw(uint32_t from, uint32_t to, const void *bytes, uint32_t len)
{
	static uint32_t id;
	uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA];

	id++;
	for (uint32_t part = 0; part < ela_parts_count(len); part++)
		ck_assert_int_eq(
			ela_control_part(wire_peer(w, from, to), plain, ela_parts_write(bytes, len, id, part, plain)), 0);
}

static void say_request(uint32_t from, uint32_t to, uint32_t number, uint32_t sequence, int64_t incarnation)
{
	struct ela_message *m = put_request(number, 2);
	GBytes *bytes;

	ela_message_set_sequence(m, sequence);
	ela_message_put_number(m, ELA_FIELD_INCARNATION, incarnation);
	bytes = ela_message_encode(m, NULL);
	say_raw(from, to, g_bytes_get_data(bytes, NULL), (uint32_t)g_bytes_get_size(bytes));
	g_bytes_unref(bytes);
	ela_message_free(m);
}

/* ---- a good network ---- */

START_TEST(asked_and_answered)
{
	serve(2, echo);
	ck_assert_uint_ne(put(1, 2, 5, 2), 0);
	ck_assert_uint_ne(put(1, 2, 6, 12000), 0);
	wire_run(w, 20 * ELA_MSEC);
	for (uint32_t i = 5; i <= 6; i++) {
		ck_assert_uint_eq(ends[i].n, 1);
		ck_assert_int_eq(ends[i].err, 0);
		ck_assert_int_eq(ends[i].status, ELA_STATUS_OK);
		ck_assert_uint_eq(ends[i].first, i);
		ck_assert_uint_eq(carried_out[i], 1);
	}
	ck_assert_uint_eq(count(1, "messages-out"), 2);
	ck_assert_uint_eq(count(1, "messages-in"), 2);
	ck_assert_uint_eq(count(2, "messages-in"), 2);
	ck_assert_uint_eq(count(1, "requests-repeated"), 0);
	ck_assert_uint_eq(talk(1, 2)->n_asks, 0);
	wire_run(w, 20 * ELA_SEC);
	ck_assert_uint_eq(ends[5].n + ends[6].n, 2);
}
END_TEST

START_TEST(ping_and_the_unknown)
{
	struct ela_message *ping = ela_message_new(ELA_PURPOSE_PING, ELA_MESSAGE_REQUEST);
	struct ela_message *why = ela_message_new(ELA_PURPOSE_WHY, ELA_MESSAGE_REQUEST);
	struct ela_message *half = ela_message_new(ELA_PURPOSE_WHY, ELA_MESSAGE_REQUEST);

	ela_message_put_number(ping, ELA_FIELD_TOKEN, 99);
	ela_message_put_number(why, ELA_FIELD_ID, 1);
	ck_assert_uint_ne(ela_dialogue_ask(wire_peer(w, 1, 2), ping, 0, ended, &ends[0]), 0);
	ck_assert_uint_ne(ela_dialogue_ask(wire_peer(w, 1, 2), why, 0, ended, &ends[1]), 0);
	ck_assert_uint_eq(ela_dialogue_ask(wire_peer(w, 1, 2), half, 0, ended, &ends[2]), 0); /* lacks its ID */
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(ends[0].n, 1);
	ck_assert_int_eq(ends[0].status, ELA_STATUS_OK);
	ck_assert_uint_eq(ends[1].n, 1);
	ck_assert_int_eq(ends[1].status, ELA_STATUS_UNKNOWN_PURPOSE); /* nobody handles it */
	ck_assert_uint_eq(ends[2].n, 0);
}
END_TEST

static bool nothing_passes_to_2(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire, (void)from, (void)len;
	return to != 2;
}

#define LATER                                                                                                          \
	"<?xml version=\"1.0\"?><message><purpose>Later</purpose><type>Request</type><sequence>%u</sequence>"              \
	"<option/></message>"
#define REPLY                                                                                                          \
	"<?xml version=\"1.0\"?><message><purpose>%s</purpose><type>Reply</type><sequence>%u</sequence>"                   \
	"<option>%s</option></message>"

START_TEST(a_purpose_of_tomorrow)
{
	g_autofree char *text = NULL;

	w->passes = nothing_passes_to_2;
	ck_assert_uint_ne(put(1, 2, 0, 2), 0);
	w->passes = NULL;
	text = g_strdup_printf(LATER, w->nodes[1]->node->dialogue->sequence); /* as if that had been the request */
	say_raw(1, 2, text, (uint32_t)strlen(text));
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(ends[0].n, 1);
	ck_assert_int_eq(ends[0].status, ELA_STATUS_UNKNOWN_PURPOSE);
	ck_assert_uint_eq(count(2, "drop-xml"), 1);
}
END_TEST

/* A reply that is none to what was asked. */
START_TEST(replies_that_are_none)
{
	static const struct {
		const char *purpose, *option;
		int32_t more; /* to the sequence */
		uint32_t n;
		int err;
	} cases[] = {
		{"RecordPut", "<status>busy</status>", 1, 0, 0},
		{"Ping", "<status>busy</status>", 0, 0, 0},
		{"RecordPut", "<status>busy</status>", 0, 1, 0},
		{"Error", "<status>malformed</status>", 0, 1, 0},
		{"RecordPut", "", 0, 1, -EBADMSG},
		{"RecordPut", "<status>ok</status><record>#</record>", 0, 1, -EBADMSG},
		{"Tomorrow", "<status>ok</status>", 0, 0, 0},
	};

	for (uint32_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = NULL;

		w->passes = nothing_passes_to_2;
		ck_assert_uint_ne(put(1, 2, i, 2), 0);
		text = g_strdup_printf(REPLY, cases[i].purpose,
			(uint32_t)((int32_t)w->nodes[1]->node->dialogue->sequence + cases[i].more), cases[i].option);
		say_raw(3, 1, text, (uint32_t)strlen(text)); /* another peer may not answer */
		wire_run(w, 20 * ELA_MSEC);
		ck_assert_uint_eq(ends[i].n, 0);
		say_raw(2, 1, text, (uint32_t)strlen(text));
		wire_run(w, 20 * ELA_MSEC);
		ck_assert_msg(ends[i].n == cases[i].n, "case %u: %u ends", i, ends[i].n);
		ck_assert_int_eq(ends[i].err, cases[i].err);
		say_raw(2, 1, text, (uint32_t)strlen(text)); /* once more: to nothing */
		wire_run(w, 20 * ELA_MSEC);
		ck_assert_uint_eq(ends[i].n, cases[i].n);
	}
	ck_assert_uint_gt(count(1, "drop-message"), 0);
}
END_TEST

/* ---- a bad network ---- */

START_TEST(carried_out_once_whatever_is_lost)
{
	uint32_t answered = 0, unanswered_but_done = 0;

	serve(2, echo);
	serve(1, echo);
	w->loss = (uint32_t)_i;
	w->twice = 20;
	w->late = 30;
	for (uint32_t i = 0; i < 60; i++) {
		ck_assert_uint_ne(
			put(1 + i % 2, 2 - i % 2, i, 2 + (wire_below(w, 3) ? wire_below(w, 600) : wire_below(w, 9000))), 0);
		wire_run(w, wire_below(w, 600) * ELA_MSEC);
	}
	wire_run(w, 12 * ELA_SEC);
	for (uint32_t i = 0; i < 60; i++) {
		ck_assert_msg(ends[i].n == 1, "request %u ended %u times", i, ends[i].n);
		ck_assert_msg(carried_out[i] <= 1, "request %u was carried out %u times", i, carried_out[i]);
		ck_assert(ends[i].err == 0 || ends[i].err == -ETIMEDOUT);
		ck_assert(ends[i].err != 0 || carried_out[i] == 1);
		answered += ends[i].err == 0;
		unanswered_but_done += ends[i].err != 0 && carried_out[i];
	}
	printf("loss %d %%: %u of 60 answered, %u carried out without a reply\n", _i, answered, unanswered_but_done);
	/* messages of up to eight parts both ways, eight tries */
	ck_assert_uint_ge(answered, _i == 0 ? 60 : _i <= 20 ? 58 : 40);
	if (_i == 0)
		ck_assert_uint_eq(count(1, "requests-lost") + count(2, "requests-lost"), 0);
}
END_TEST

static uint32_t replies_to_lose;

static bool lose_replies(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire, (void)to;
	if (from != 2 || len < 100 || replies_to_lose == 0)
		return true;
	replies_to_lose--;
	return false;
}

START_TEST(a_kept_reply_is_said_again)
{
	serve(2, echo);
	replies_to_lose = 3;
	w->passes = lose_replies;
	ck_assert_uint_ne(put(1, 2, 7, 2), 0);
	wire_run(w, 9 * ELA_SEC);
	ck_assert_uint_eq(replies_to_lose, 0);
	ck_assert_uint_eq(ends[7].n, 1);
	ck_assert_int_eq(ends[7].err, 0);
	ck_assert_uint_eq(carried_out[7], 1);
	ck_assert_uint_eq(count(1, "requests-repeated"), 3);
}
END_TEST

static uint64_t sent_ns[16];
static uint32_t n_sent_large;

static bool note_and_lose(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	/* the path's MTU is being probed too, with other lengths */
	if (from == 1 && to == 2 && len > 500 && len < 700 && n_sent_large < G_N_ELEMENTS(sent_ns))
		sent_ns[n_sent_large++] = ela_loop_now(wire->loop);
	return from != 1;
}

START_TEST(repeated_until_the_time_is_up)
{
	static const uint64_t wanted_ms[] = {0, 250, 750, 1750, 3750, 5750, 7750, 9750};
	uint64_t begun_ns = ela_loop_now(w->loop);

	n_sent_large = 0;
	w->passes = note_and_lose;
	ck_assert_uint_ne(put(1, 2, 1, 200), 0);
	wire_run(w, 10 * ELA_SEC - 1);
	ck_assert_uint_eq(ends[1].n, 0);
	wire_run(w, 20 * ELA_SEC);
	ck_assert_uint_eq(ends[1].n, 1);
	ck_assert_int_eq(ends[1].err, -ETIMEDOUT);
	ck_assert_uint_eq(ends[1].at_ns, begun_ns + 10 * ELA_SEC);
	ck_assert_uint_eq(n_sent_large, G_N_ELEMENTS(wanted_ms));
	for (uint32_t i = 0; i < n_sent_large; i++)
		ck_assert_uint_eq((sent_ns[i] - begun_ns) / ELA_MSEC, wanted_ms[i]);
	ck_assert_uint_eq(count(1, "requests-lost"), 1);
	ck_assert_uint_eq(count(1, "requests-repeated"), 7);
	ck_assert_uint_eq(talk(1, 2)->n_asks, 0);
}
END_TEST

/* What one try lost another brings. */
static uint32_t lost_of_try;

static bool lose_half_of_each_try(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire, (void)to;
	return from != 1 || len < 1200 || lost_of_try++ % 2 == 0;
}

START_TEST(tries_add_up)
{
	serve(2, echo);
	lost_of_try = 0;
	w->passes = lose_half_of_each_try;
	ck_assert_uint_ne(put(1, 2, 1, 4500), 0); /* five full parts and the rest: the second try loses the others */
	wire_run(w, 2 * ELA_SEC);
	ck_assert_uint_eq(carried_out[1], 1);
	ck_assert_uint_eq(count(1, "requests-repeated"), 1);
	ck_assert_int_eq(ends[1].err, 0);
}
END_TEST

/* ---- answers that take their time ---- */

START_TEST(answered_later)
{
	serve(2, defer);
	ck_assert_uint_ne(put(1, 2, 4, 2), 0);
	wire_run(w, 3 * ELA_SEC); /* several tries */
	ck_assert_uint_eq(n_tickets, 1);
	ck_assert_uint_eq(carried_out[4], 1);
	{
		const struct ela_message_head head = talk(2, 1)->pending[0].head;

		ela_dialogue_answer(w->nodes[2]->node, tickets[0], ela_message_reply(&head, ELA_STATUS_CONFLICT, "late"));
		ela_dialogue_answer(w->nodes[2]->node, tickets[0], ela_message_reply(&head, ELA_STATUS_OK, NULL)); /* over */
		ela_dialogue_answer(w->nodes[2]->node, 0, ela_message_reply(&head, ELA_STATUS_OK, NULL));
	}
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(ends[4].n, 1);
	ck_assert_int_eq(ends[4].status, ELA_STATUS_CONFLICT);
}
END_TEST

START_TEST(sixteen_wait_and_no_more)
{
	serve(2, defer);
	for (uint32_t i = 0; i < 20; i++)
		say_request(1, 2, i, i + 1, 5);
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(n_tickets, ELA_DIALOGUE_PENDING);
	ck_assert_uint_eq(count(2, "drop-request"), 20 - ELA_DIALOGUE_PENDING);
	wire_run(w, 30 * ELA_SEC); /* nobody answered: forgotten */
	for (uint32_t i = 0; i < ELA_DIALOGUE_PENDING; i++)
		ck_assert_uint_eq(talk(2, 1)->pending[i].ticket, 0);
	say_request(1, 2, 30, 31, 5);
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(n_tickets, ELA_DIALOGUE_PENDING + 1);
}
END_TEST

/* A handler's reply that cannot be encoded does not leave the asker without one. */
static void misspeak(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	struct ela_message *reply = put_reply(request);

	(void)peer;
	ela_message_put_number(reply, ELA_FIELD_TOKEN, 1);
	ela_dialogue_answer(data, ticket, reply);
}

START_TEST(a_reply_that_cannot_be_said)
{
	serve(2, misspeak);
	ck_assert_uint_ne(put(1, 2, 4, 2), 0);
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(ends[4].n, 1);
	ck_assert_int_eq(ends[4].status, ELA_STATUS_FAILED);
}
END_TEST

/* ---- lives ---- */

START_TEST(another_life_counts_anew)
{
	struct ela_node *node = w->nodes[1]->node;

	serve(2, echo);
	ela_dialogue_set_incarnation(node, 5);
	ck_assert_uint_ne(put(1, 2, 1, 2), 0);
	wire_run(w, ELA_SEC);
	ela_dialogue_set_incarnation(node, 6); /* too late: it has asked */
	ck_assert_int_eq(node->dialogue->incarnation, 5);
	/* It restarts, with the same session for simplicity; its sequences begin again. */
	ela_dialogue_free(node->dialogue);
	node->dialogue = ela_dialogue_new(node);
	ela_dialogue_set_incarnation(node, 6);
	ck_assert_uint_ne(put(1, 2, 2, 2), 0);
	wire_run(w, ELA_SEC);
	ck_assert_uint_eq(carried_out[2], 1);
	ck_assert_uint_eq(ends[2].first, 2); /* not the reply of then */
	/* What the old life said comes late: neither carried out nor a reason to forget the new one. */
	say_request(1, 2, 1, 1, 5);
	say_request(1, 2, 3, 2, 5);
	wire_run(w, ELA_SEC);
	ck_assert_uint_eq(carried_out[1], 1);
	ck_assert_uint_eq(carried_out[3], 0);
	ck_assert_uint_eq(count(2, "drop-request"), 2);
	say_request(1, 2, 2, 1, 6);
	wire_run(w, ELA_SEC);
	ck_assert_uint_eq(carried_out[2], 1);
}
END_TEST

START_TEST(a_new_life_every_time)
{
	serve(2, echo);
	for (uint32_t i = 0; i < 100; i++) {
		say_request(1, 2, i, 1, (int64_t)i);
		wire_run(w, 20 * ELA_MSEC);
		ck_assert_uint_eq(carried_out[i], 1);
		ck_assert_uint_le(talk(2, 1)->said.length, 1);
	}
	for (uint32_t i = 95; i < 99; i++) { /* the last four before this one */
		say_request(1, 2, i, 1, (int64_t)i);
		wire_run(w, 20 * ELA_MSEC);
		ck_assert_uint_eq(carried_out[i], 1);
	}
}
END_TEST

START_TEST(replies_are_kept_within_bounds)
{
	serve(2, echo);
	for (uint32_t i = 0; i < 40; i++) {
		say_request(1, 2, i, i + 1, 5);
		wire_run(w, 20 * ELA_MSEC);
	}
	ck_assert_uint_eq(talk(2, 1)->said.length, 32);
	say_request(1, 2, 8, 9, 5); /* kept */
	say_request(1, 2, 7, 8, 5); /* not kept any more: it must not be carried out again */
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(carried_out[8], 1);
	ck_assert_uint_eq(carried_out[7], 1);
	ck_assert_uint_eq(count(2, "drop-request"), 1);
	for (uint32_t i = 50; i < 60; i++) { /* 14 KB each */
		struct ela_message *m = put_request(i, 10000);

		ela_message_free(m);
		ck_assert_uint_ne(put(1, 2, i, 10000), 0);
		wire_run(w, 20 * ELA_MSEC);
		ck_assert_uint_le(talk(2, 1)->said_bytes, 65536);
		ck_assert_uint_eq(carried_out[i], 1);
	}
	ck_assert_uint_le(talk(2, 1)->said.length, 5);
}
END_TEST

/* ---- floods ---- */

START_TEST(a_rate_for_each_peer)
{
	serve(2, echo);
	for (uint32_t i = 0; i < 300; i++)
		say_request(1, 2, i, i + 1, 5);
	wire_run(w, 10 * ELA_MSEC);
	ck_assert_uint_eq(count(2, "messages-in"), 200);
	ck_assert_uint_eq(count(2, "drop-message-rate"), 100);
	ck_assert_uint_ne(put(3, 2, 399, 2), 0); /* another peer's is its own */
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(carried_out[399], 1);
	wire_run(w, ELA_SEC);
	say_request(1, 2, 350, 400, 5);
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(carried_out[350], 1);
}
END_TEST

START_TEST(parts_of_anything)
{
	uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA + 100];

	serve(2, echo);
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t of = 1 + wire_below(w, 16), part = wire_below(w, of + 1);
		uint32_t len = part + 1 < of && wire_below(w, 4) ? ELA_PART_DATA : wire_below(w, ELA_PART_DATA + 50);

		ela_put32(plain, wire_below(w, 20));
		plain[4] = (uint8_t)part;
		plain[5] = (uint8_t)of;
		for (uint32_t k = 0; k < len; k++)
			plain[ELA_PART_HEAD + k] = (uint8_t)wire_below(w, 256);
		(void)ela_control_part(wire_peer(w, 1, 2), plain, ELA_PART_HEAD + len);
		wire_run(w, 10 * ELA_MSEC);
	}
	ck_assert_uint_gt(count(2, "drop-parts"), 1000);
	ck_assert_uint_gt(count(2, "drop-xml"), 0);
	ck_assert_uint_eq(count(2, "messages-in"), 0);
	wire_run(w, 6 * ELA_SEC);
	for (uint32_t i = 0; i < ELA_PARTS_HALF; i++) /* by the timer, though nothing came */
		ck_assert_ptr_null(talk(2, 1)->parts.half[i].bytes);
	ck_assert_uint_ne(put(1, 2, 1, 12000), 0);
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_int_eq(ends[1].err, 0);
	ck_assert_uint_eq(ends[1].n, 1);
}
END_TEST

/* Whoever never answers: so many wait, and they end. */
START_TEST(a_peer_that_never_answers)
{
	uint32_t n = 0;

	w->passes = nothing_passes_to_2;
	for (uint32_t i = 0; i < 100; i++)
		n += put(1, 2, i, 1000) != 0;
	ck_assert_uint_eq(n, 64);
	ck_assert_uint_eq(g_queue_get_length(&w->nodes[1]->node->dialogue->asks), 64);
	wire_run(w, 11 * ELA_SEC);
	ck_assert_uint_eq(g_queue_get_length(&w->nodes[1]->node->dialogue->asks), 0);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(ends[i].n, i < 64);
		ck_assert_int_eq(ends[i].err, i < 64 ? -ETIMEDOUT : 0);
	}
	ck_assert_uint_eq(count(1, "requests-lost"), 64);
	ck_assert_uint_ne(put(1, 2, 200, 2), 0);
}
END_TEST

/* ---- ends ---- */

static void ask_again(void *data, int err, const struct ela_message *reply)
{
	uint64_t *ticket = data;

	(void)err, (void)reply;
	*ticket = put(1, 2, 300, 2);
}

START_TEST(cancelled_forgotten_freed)
{
	uint64_t ticket, again = 77;

	w->passes = nothing_passes_to_2;
	ticket = put(1, 2, 0, 2);
	ela_dialogue_cancel(w->nodes[1]->node, ticket);
	ela_dialogue_cancel(w->nodes[1]->node, ticket);
	ela_dialogue_cancel(w->nodes[1]->node, 0);
	wire_run(w, 11 * ELA_SEC);
	ck_assert_uint_eq(ends[0].n, 0);
	ck_assert_uint_eq(talk(1, 2)->n_asks, 0);

	ck_assert_uint_ne(put(1, 2, 1, 2), 0);
	ck_assert_uint_ne(ela_dialogue_ask(wire_peer(w, 1, 2), put_request(2, 2), 0, ask_again, &again), 0);
	ela_dialogue_forget(wire_peer(w, 1, 2));
	ck_assert_int_eq(ends[1].err, -ENOTCONN);
	ck_assert_uint_eq(again, 0); /* it was told no */
	ck_assert_ptr_null(talk(1, 2));

	ck_assert_uint_ne(put(1, 3, 3, 2), 0);
	again = 77;
	ck_assert_uint_ne(ela_dialogue_ask(wire_peer(w, 1, 3), put_request(2, 2), 0, ask_again, &again), 0);
	lone_free(w->nodes[1]);
	w->nodes[1] = NULL;
	ck_assert_int_eq(ends[3].err, -ECANCELED);
	ck_assert_uint_eq(again, 0);
}
END_TEST

/* The peer goes while its request is being answered. */
static void forget_me(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	ela_dialogue_forget(peer);
	ela_dialogue_answer(data, ticket, put_reply(request));
}

START_TEST(gone_in_its_handler)
{
	serve(2, forget_me);
	ck_assert_uint_ne(put(1, 2, 1, 2), 0);
	wire_run(w, 20 * ELA_MSEC);
	ck_assert_uint_eq(ends[1].n, 0);
	ck_assert_ptr_null(talk(2, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dialogue");
	TCase *tcase = tcase_create("dialogue");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, asked_and_answered);
	tcase_add_test(tcase, ping_and_the_unknown);
	tcase_add_test(tcase, a_purpose_of_tomorrow);
	tcase_add_test(tcase, replies_that_are_none);
	tcase_add_loop_test(tcase, carried_out_once_whatever_is_lost, 0, 1);
	tcase_add_loop_test(tcase, carried_out_once_whatever_is_lost, 5, 6);
	tcase_add_loop_test(tcase, carried_out_once_whatever_is_lost, 20, 21);
	tcase_add_loop_test(tcase, carried_out_once_whatever_is_lost, 40, 41);
	tcase_add_test(tcase, a_kept_reply_is_said_again);
	tcase_add_test(tcase, repeated_until_the_time_is_up);
	tcase_add_test(tcase, tries_add_up);
	tcase_add_test(tcase, answered_later);
	tcase_add_test(tcase, sixteen_wait_and_no_more);
	tcase_add_test(tcase, a_reply_that_cannot_be_said);
	tcase_add_test(tcase, another_life_counts_anew);
	tcase_add_test(tcase, a_new_life_every_time);
	tcase_add_test(tcase, replies_are_kept_within_bounds);
	tcase_add_test(tcase, a_rate_for_each_peer);
	tcase_add_test(tcase, parts_of_anything);
	tcase_add_test(tcase, a_peer_that_never_answers);
	tcase_add_test(tcase, cancelled_forgotten_freed);
	tcase_add_test(tcase, gone_in_its_handler);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
