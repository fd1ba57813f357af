/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node says over the control socket, on one node from very near (lone.h): pings and their answers, ways that
 * were tried, what was carried and lost, health, and every verb with a caller that may and one that may not.
 */
#include "json.h"
#include "lone.h"
#include "object.h"
#include "ping.h"
#include "request.h"
#include "test-host.h"
#include "verbs.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	struct ela_verbs *verbs;
	int reloads, leaves, code;
	int offer_err;     /* what the owner says of a list */
	GByteArray *list;  /* the last one that he was given */
	int dial_err;      /* what he says of a dial */
	char endpoint[64]; /* the last one that he was given */
	uint64_t until_s;
	const char *health; /* what the owner says */
	/* what was sent last */
	uint8_t frame[2048];
	uint32_t frame_len;
};

static struct bench bench;

static int reload(void *data, GPtrArray *errors)
{
	struct bench *b = data;

	b->reloads++;
	if (b->code) {
		g_ptr_array_add(errors, g_strdup("f.ini:1: first"));
		g_ptr_array_add(errors, g_strdup("f.ini:2: second"));
	}
	return b->code;
}

static void leave(void *data)
{
	((struct bench *)data)->leaves++;
}

static int offer_list(void *data, const void *bytes, size_t len, GError **error)
{
	struct bench *b = data;

	g_byte_array_set_size(b->list, 0);
	g_byte_array_append(b->list, bytes, (guint)len);
	return b->offer_err == 0 || b->offer_err == -ENOSYS ? b->offer_err
														: ela_object_refuse(error, -b->offer_err, "bad list");
}

static int dial(void *data, const char *endpoint, uint64_t until_s, GError **error)
{
	struct bench *b = data;

	(void)g_strlcpy(b->endpoint, endpoint, sizeof b->endpoint); /* it fits */
	b->until_s = until_s;
	return b->dial_err == 0 || b->dial_err == -ENOSYS ? b->dial_err
													  : ela_object_refuse(error, -b->dial_err, "bad dial");
}

static void tell_health(void *data, ela_health_fn fn, void *fn_data)
{
	const char *text = ((struct bench *)data)->health;

	if (text)
		fn(fn_data, text, "none");
}

static void keep_frame(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	(void)l, (void)path;
	ck_assert_uint_le(len, sizeof bench.frame);
	memcpy(bench.frame, bytes, len);
	bench.frame_len = len;
}

static void begin(bool dials)
{
	const struct lone_spec spec = {
		.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 3, 0}, .dials = dials};
	const struct ela_verbs_owner owner = {reload, leave, offer_list, dial, tell_health, &bench};

	bench =
		(struct bench){.world = lone_world_new(&spec, 1), .loop = ela_loop_virtual_new(1), .list = g_byte_array_new()};
	bench.l = lone_new(bench.world, 0, bench.loop);
	bench.l->on_send = keep_frame;
	bench.verbs = ela_verbs_new(bench.l->node, bench.l->node->log, &owner);
	lone_look(bench.l);
}

static void end(void)
{
	lone_free(bench.l);
	ela_verbs_free(bench.verbs);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
	g_clear_pointer(&bench.list, g_byte_array_unref);
}

/* ---- callers ---- */

struct caller {
	struct ela_call call; /* first */
	GString *reply;       /* NULL while it waits */
};

static void take_reply(struct ela_call *call, GString *text)
{
	struct caller *caller = (struct caller *)call;

	ck_assert_ptr_null(caller->reply);
	caller->reply = text;
	call->cancel = NULL;
}

static void ask(struct caller *caller, bool may_change, const char *line)
{
	*caller = (struct caller){.call = {.may_change = may_change, .reply = take_reply}};
	ela_verbs_run(bench.verbs, &caller->call, line, strlen(line));
}

static struct ela_json *parse(struct caller *caller)
{
	g_autoptr(GError) error = NULL;
	struct ela_json *json;

	ck_assert_ptr_nonnull(caller->reply);
	json = ela_json_read(caller->reply->str, caller->reply->len, &error);
	ck_assert_msg(json != NULL, "%s: %s", error ? error->message : "", caller->reply->str);
	ck_assert_double_eq(ela_json_get_number(json, "schema", 0), 1);
	(void)g_string_free(caller->reply, TRUE);
	caller->reply = NULL;
	return json;
}

/* Of a question that is answered at once. ela_json_free(). */
static struct ela_json *reply_to(bool may_change, const char *line)
{
	struct caller caller;

	ask(&caller, may_change, line);
	return parse(&caller);
}

static void expect_code(struct ela_json *reply, int code, const char *words)
{
	const struct ela_json *error = ela_json_get(reply, "error");
	const char *text = ela_json_get_string(error, "text");

	ck_assert_double_eq(ela_json_get_number(error, "code", 0), code);
	ck_assert_msg(!words || (text && strstr(text, words)), "found %s", text);
	ela_json_free(reply);
}

/* Member "a.b" of item i of peers in the status. g_free; "null" for null. */
static char *of_peer(guint i, const char *key)
{
	struct ela_json *reply = reply_to(false, "{\"verb\":\"status\"}");
	const struct ela_json *member = ela_json_get(ela_json_item(ela_json_get(reply, "peers"), i), key);
	char *text;

	ck_assert_ptr_nonnull(member);
	text = member->type == ELA_JSON_STRING   ? g_strdup(member->string)
		   : member->type == ELA_JSON_NUMBER ? g_strdup_printf("%.4f", member->number)
											 : g_strdup("null");
	ela_json_free(reply);
	return text;
}

static void expect_peer(guint i, const char *key, const char *wanted)
{
	g_autofree char *found = of_peer(i, key);

	ck_assert_str_eq(found, wanted);
}

/* ---- pings ---- */

static struct {
	int calls, err;
	uint64_t rtt_ns;
} pinged;

static void note_ping(void *data, int err, uint64_t rtt_ns)
{
	ck_assert_ptr_eq(data, &pinged);
	pinged.calls++;
	pinged.err = err;
	pinged.rtt_ns = rtt_ns;
}

/* The far end's answer to the message that was sent last, as it is on the wire; op: of the answer. */
static void answer(struct ela_session *far_end, uint32_t peer, uint8_t op)
{
	uint8_t message[2048], frame[2048];
	uint32_t len;

	ck_assert_int_eq(ela_session_open_control(far_end, bench.frame, bench.frame_len, message, &len), 0);
	ck_assert_uint_eq(len, 6);
	ck_assert_uint_eq(message[4], 1); /* a ping */
	message[4] = op;
	len = ela_session_seal_control(far_end, message, 6, frame);
	lone_receive(bench.l, &(struct ela_path){.remote = lone_addr(peer)}, frame, len, len, len, 0);
}

START_TEST(pings)
{
	struct ela_session *far_end;
	struct ela_ping *ping;
	int err = 0;

	begin(false);
	ck_assert_ptr_null(ela_ping_start(lone_peer(bench.l, 2), ELA_SEC, note_ping, &pinged, &err));
	ck_assert_int_eq(err, -ENOTCONN);
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	far_end = lone_far_end(bench.l, 2, 7, 9, 1, 1);
	ping = ela_ping_start(lone_peer(bench.l, 2), ELA_SEC, note_ping, &pinged, &err);
	ck_assert_ptr_nonnull(ping);
	lone_pass(bench.loop, 30 * ELA_MSEC);
	ck_assert_int_eq(pinged.calls, 0);
	answer(far_end, 2, 2);
	ck_assert_int_eq(pinged.calls, 1);
	ck_assert_int_eq(pinged.err, 0);
	ck_assert_uint_eq(pinged.rtt_ns, 30 * ELA_MSEC);
	ck_assert_uint_eq(bench.l->node->pings->len, 0);
	/* late, and a timer that is no longer there */
	ck_assert_ptr_nonnull(ela_ping_start(lone_peer(bench.l, 2), 100 * ELA_MSEC, note_ping, &pinged, &err));
	lone_pass(bench.loop, 99 * ELA_MSEC);
	ck_assert_int_eq(pinged.calls, 1);
	lone_pass(bench.loop, 2 * ELA_MSEC);
	ck_assert_int_eq(pinged.calls, 2);
	ck_assert_int_eq(pinged.err, -ETIMEDOUT);
	/* forgotten */
	ping = ela_ping_start(lone_peer(bench.l, 2), ELA_SEC, note_ping, &pinged, &err);
	ela_ping_cancel(ping);
	lone_pass(bench.loop, 2 * ELA_SEC);
	ck_assert_int_eq(pinged.calls, 2);
	/* the node stops */
	ck_assert_ptr_nonnull(ela_ping_start(lone_peer(bench.l, 2), ELA_SEC, note_ping, &pinged, &err));
	ela_node_stop(bench.l->node);
	ck_assert_int_eq(pinged.calls, 3);
	ck_assert_int_eq(pinged.err, -ECANCELED);
	ela_session_free(far_end);
	end();
}
END_TEST

/* A member that answers the pings of another. */
START_TEST(ping_of_another)
{
	struct ela_session *far_3;
	uint8_t message[6] = {0x80, 0, 0, 0, 2, 0}, frame[256];
	uint32_t len;
	int err = 0;

	begin(false);
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	(void)lone_session(bench.l, 3, 8, 10, 1, 2);
	far_3 = lone_far_end(bench.l, 3, 8, 10, 1, 2);
	ck_assert_ptr_nonnull(ela_ping_start(lone_peer(bench.l, 2), ELA_SEC, note_ping, &pinged, &err));
	len = ela_session_seal_control(far_3, message, 6, frame);
	lone_receive(bench.l, &(struct ela_path){.remote = lone_addr(3)}, frame, len, len, len, 0);
	ck_assert_int_eq(pinged.calls, 0);
	lone_pass(bench.loop, 2 * ELA_SEC);
	ck_assert_int_eq(pinged.err, -ETIMEDOUT);
	ela_session_free(far_3);
	end();
}
END_TEST

START_TEST(ping_verb)
{
	struct ela_session *far_end;
	struct caller caller;
	struct ela_json *reply;

	begin(false);
	expect_code(reply_to(false, "{\"verb\":\"ping\",\"node\":\"n2\"}"), ELA_CODE_TIMEOUT, "no session");
	expect_code(reply_to(false, "{\"verb\":\"ping\",\"node\":\"n1\"}"), ELA_CODE_NOT_FOUND, "itself");
	expect_code(reply_to(false, "{\"verb\":\"ping\",\"node\":\"nn3\"}"), ELA_CODE_NOT_FOUND, "did you mean \"n3\"");
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	far_end = lone_far_end(bench.l, 2, 7, 9, 1, 1);
	ask(&caller, false, "{\"verb\":\"ping\",\"node\":\"10.88.0.2\"}");
	ck_assert_ptr_null(caller.reply);
	lone_pass(bench.loop, 5 * ELA_MSEC);
	answer(far_end, 2, 2);
	reply = parse(&caller);
	ck_assert_double_eq(ela_json_get_number(ela_json_get(reply, "ping"), "rtt_ms", 0), 5);
	ck_assert_str_eq(ela_json_get_string(ela_json_get(reply, "ping"), "name"), "n2");
	ela_json_free(reply);
	ask(&caller, false, "{\"verb\":\"ping\",\"node\":\"fd88::2\"}");
	lone_pass(bench.loop, 3 * ELA_SEC);
	expect_code(parse(&caller), ELA_CODE_TIMEOUT, "no answer within 2 s");
	/* who asked has gone */
	ask(&caller, false, "{\"verb\":\"ping\",\"node\":\"n2\"}");
	caller.call.cancel(caller.call.cancel_data);
	ck_assert_uint_eq(bench.l->node->pings->len, 0);
	lone_pass(bench.loop, 3 * ELA_SEC);
	ck_assert_ptr_null(caller.reply);
	ela_session_free(far_end);
	end();
}
END_TEST

/* ---- who may, and what happens ---- */

START_TEST(changing)
{
	struct ela_json *reply;

	begin(false);
	expect_code(reply_to(false, "{\"verb\":\"reload\"}"), ELA_CODE_PERMISSION, NULL);
	expect_code(reply_to(false, "{\"verb\":\"log\",\"level\":\"trace\"}"), ELA_CODE_PERMISSION, NULL);
	expect_code(reply_to(false, "{\"verb\":\"leave\"}"), ELA_CODE_PERMISSION, NULL);
	ck_assert_int_eq(bench.reloads + bench.leaves, 0);
	ck_assert_uint_eq(ela_log_level(bench.l->node->log), ELA_LOG_ERROR);
	reply = reply_to(true, "{\"verb\":\"log\",\"level\":\"trace\"}");
	ck_assert_str_eq(ela_json_get_string(reply, "done"), "trace");
	ela_json_free(reply);
	ck_assert_uint_eq(ela_log_level(bench.l->node->log), ELA_LOG_TRACE);
	expect_code(reply_to(true, "{\"verb\":\"log\",\"level\":\"trade\"}"), ELA_CODE_USAGE, "did you mean \"trace\"");
	ela_json_free(reply_to(true, "{\"verb\":\"reload\"}"));
	ck_assert_int_eq(bench.reloads, 1);
	bench.code = ELA_CODE_CONFIG;
	reply = reply_to(true, "{\"verb\":\"reload\"}");
	ck_assert_uint_eq(ela_json_length(ela_json_get(reply, "errors")), 2);
	expect_code(reply, ELA_CODE_CONFIG, "f.ini:1: first");
	ck_assert_int_eq(bench.leaves, 0);
	reply = reply_to(true, "{\"verb\":\"leave\"}");
	ck_assert_str_eq(ela_json_get_string(reply, "done"), "leaving");
	ela_json_free(reply);
	ck_assert_int_eq(bench.leaves, 1);
	end();
}
END_TEST

/* A list goes to the owner byte for byte, from who may change something alone. */
START_TEST(offers)
{
	g_autofree char *all = g_malloc(ELA_OBJECT_LIST_MAX), *base64 = NULL, *line = NULL;
	struct ela_json *reply;

	begin(false);
	memset(all, 0xa5, ELA_OBJECT_LIST_MAX);
	base64 = g_base64_encode((const guchar *)all, ELA_OBJECT_LIST_MAX);
	line = g_strdup_printf("{\"verb\":\"offer\",\"kind\":\"list\",\"object\":\"%s\"}", base64);
	ck_assert_uint_lt(strlen(line), ELA_REQUEST_MAX_CHANGE);
	expect_code(reply_to(false, line), ELA_CODE_PERMISSION, NULL);
	ck_assert_uint_eq(bench.list->len, 0);
	reply = reply_to(true, line);
	ck_assert_str_eq(ela_json_get_string(reply, "done"), "taken");
	ela_json_free(reply);
	ck_assert_uint_eq(bench.list->len, ELA_OBJECT_LIST_MAX);
	ck_assert_mem_eq(bench.list->data, all, ELA_OBJECT_LIST_MAX);
	g_byte_array_set_size(bench.list, 0);
	expect_code(reply_to(true, "{\"verb\":\"offer\",\"kind\":\"lists\",\"object\":\"AAAA\"}"), ELA_CODE_USAGE,
		"\"lists\" is not taken; expected list");
	expect_code(
		reply_to(true, "{\"verb\":\"offer\",\"kind\":\"list\",\"object\":\"AA AA\"}"), ELA_CODE_USAGE, "is not base64");
	expect_code(
		reply_to(true, "{\"verb\":\"offer\",\"kind\":\"list\",\"object\":\"AAA\"}"), ELA_CODE_USAGE, "is not base64");
	ck_assert_uint_eq(bench.list->len, 0);
	bench.offer_err = -EBADMSG;
	expect_code(
		reply_to(true, "{\"verb\":\"offer\",\"kind\":\"list\",\"object\":\"AAAA\"}"), ELA_CODE_FAILED, "bad list");
	bench.offer_err = -ENOSYS;
	expect_code(reply_to(true, "{\"verb\":\"offer\",\"kind\":\"list\",\"object\":\"AAAA\"}"), ELA_CODE_FAILED,
		"network of static peers");
	expect_code(reply_to(false, "{\"verb\":\"objects\"}"), ELA_CODE_FAILED, "network of static peers");
	expect_code(reply_to(false, "{\"verb\":\"leases\"}"), ELA_CODE_FAILED, "network of static peers");
	end();
}
END_TEST

START_TEST(dials)
{
	static const char line[] = "{\"verb\":\"dial\",\"endpoint\":\"192.0.2.1:7450\",\"until\":\"4000000000\"}";
	struct ela_json *reply;

	begin(false);
	expect_code(reply_to(false, line), ELA_CODE_PERMISSION, NULL);
	ck_assert_str_eq(bench.endpoint, "");
	reply = reply_to(true, line);
	ck_assert_str_eq(ela_json_get_string(reply, "done"), "called");
	ela_json_free(reply);
	ck_assert_str_eq(bench.endpoint, "192.0.2.1:7450");
	ck_assert_uint_eq(bench.until_s, 4000000000u);
	expect_code(
		reply_to(true, "{\"verb\":\"dial\",\"endpoint\":\"x\",\"until\":\"soon\"}"), ELA_CODE_USAGE, "is no time");
	ck_assert_str_eq(bench.endpoint, "192.0.2.1:7450");
	bench.dial_err = -EINVAL;
	expect_code(reply_to(true, line), ELA_CODE_USAGE, "\"192.0.2.1:7450\" cannot be called: bad dial");
	bench.dial_err = -EPERM;
	expect_code(reply_to(true, line), ELA_CODE_FAILED, "bad dial");
	bench.dial_err = -ENOSYS;
	expect_code(reply_to(true, line), ELA_CODE_FAILED, "network of static peers");
	end();
}
END_TEST

/* ---- looking ---- */

START_TEST(states)
{
	begin(true);
	expect_peer(0, "state", "calling");
	expect_peer(0, "transport", "null");
	expect_peer(0, "loss", "null");
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	expect_peer(0, "state", "up");
	expect_peer(0, "transport", "datagram");
	expect_peer(0, "remote", "192.0.2.2:7450");
	expect_peer(0, "address", "10.88.0.2");
	expect_peer(0, "address6", "fd88::2");
	expect_peer(0, "mtu", "1420.0000");
	expect_peer(0, "age_s", "0.0000");
	lone_pass(bench.loop, 3 * ELA_SEC);
	expect_peer(0, "age_s", "3.0000");
	lone_peer(bench.l, 2)->misses = 3;
	expect_peer(0, "state", "silent");
	end();
	begin(false);
	expect_peer(1, "state", "waiting");
	end();
}
END_TEST

/* Of 100 frames each fifth does not come: a fifth is lost, and what came is counted once. */
START_TEST(traffic)
{
	uint8_t packet[40] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 88, 0, 2, 10, 88, 0, 1};
	uint8_t frame[256];
	struct ela_session *far_end;
	const struct ela_path path = lone_path(2);

	begin(false);
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	far_end = lone_far_end(bench.l, 2, 7, 9, 1, 1);
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t len = lone_seal(far_end, 0, i, 0, packet, sizeof packet, frame);

		if (i % 5 == 0)
			continue;
		lone_receive(bench.l, &path, frame, len, len, len, 0);
		lone_receive(bench.l, &path, frame, len, len, len, 0); /* again: a replay counts for nothing */
		if (i == 10)
			expect_peer(0, "loss", "null"); /* too few */
	}
	expect_peer(0, "rx_bytes", "3200.0000");
	expect_peer(0, "loss", "0.2000");
	expect_peer(1, "rx_bytes", "0.0000");
	/* over a new session the sum goes on, the loss begins anew */
	(void)lone_session(bench.l, 2, 17, 19, 1, 3);
	expect_peer(0, "rx_bytes", "3200.0000");
	expect_peer(0, "loss", "null");
	ela_peer_reset(lone_peer(bench.l, 2));
	expect_peer(0, "rx_bytes", "3200.0000");
	ela_session_free(far_end);
	end();
}
END_TEST

static const struct ela_json *first_way(const struct ela_json *reply)
{
	const struct ela_json *ways = ela_json_get(ela_json_get(reply, "why"), "ways");

	ck_assert_uint_eq(ela_json_length(ways), 1);
	return ela_json_item(ways, 0);
}

static bool has_reason(const struct ela_json *reply, const char *words)
{
	const struct ela_json *reasons = ela_json_get(ela_json_get(reply, "why"), "reasons");

	for (guint i = 0; i < ela_json_length(reasons); i++)
		if (strstr(ela_json_item(reasons, i)->string, words))
			return true;
	return false;
}

START_TEST(why)
{
	const struct ela_addr addr = lone_addr(2);
	struct ela_json *reply;
	struct ela_peer *peer;

	begin(true);
	peer = lone_peer(bench.l, 2);
	lone_pass(bench.loop, 5 * ELA_SEC);
	reply = reply_to(false, "{\"verb\":\"why\",\"node\":\"n2\"}");
	ck_assert_str_eq(ela_json_get_string(first_way(reply), "result"), "no answer");
	ck_assert_str_eq(ela_json_get_string(first_way(reply), "remote"), "192.0.2.2:7450");
	ck_assert_double_ge(ela_json_get_number(first_way(reply), "tries", 0), 3);
	ck_assert(has_reason(reply, "no way to it has answered"));
	ela_json_free(reply);
	bench.l->send_err = -ENETUNREACH;
	lone_pass(bench.loop, 60 * ELA_SEC);
	reply = reply_to(false, "{\"verb\":\"why\",\"node\":\"n2\"}");
	ck_assert_str_eq(ela_json_get_string(first_way(reply), "result"), "failed");
	ck_assert_str_eq(ela_json_get_string(first_way(reply), "error"), "Network is unreachable");
	ela_json_free(reply);
	bench.l->send_err = 0;
	ela_way_answered(peer, 0, &addr);
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	reply = reply_to(false, "{\"verb\":\"why\",\"node\":\"n2\"}");
	ck_assert_str_eq(ela_json_get_string(first_way(reply), "result"), "in use");
	ck_assert_str_eq(ela_json_get_string(ela_json_get(reply, "why"), "mtu_how"), "assumed");
	ck_assert_str_eq(ela_json_get_string(ela_json_get(reply, "why"), "called_by"), "us");
	ck_assert(has_reason(reply, "the first that answered"));
	ela_json_free(reply);
	peer->pmtu.confirmed = 1456;
	ela_peer_publish(peer, peer->current, &peer->tx_shadow->path);
	reply = reply_to(false, "{\"verb\":\"why\",\"node\":\"n2\"}");
	ck_assert_str_eq(ela_json_get_string(ela_json_get(reply, "why"), "mtu_how"), "probed");
	ela_json_free(reply);
	peer->pmtu.confirmed = 1300;
	ela_peer_publish(peer, peer->current, &peer->tx_shadow->path);
	reply = reply_to(false, "{\"verb\":\"why\",\"node\":\"n2\"}");
	ck_assert_str_eq(ela_json_get_string(ela_json_get(reply, "why"), "mtu_how"), "searched");
	ck_assert(has_reason(reply, "mtu 1264: "));
	ela_json_free(reply);
	end();
	begin(false);
	reply = reply_to(false, "{\"verb\":\"why\",\"node\":\"n3\"}");
	ck_assert(has_reason(reply, "it must call us, and never has"));
	ck_assert_uint_eq(ela_json_length(ela_json_get(ela_json_get(reply, "why"), "ways")), 0);
	ela_json_free(reply);
	end();
}
END_TEST

/* More places than are remembered: the one that was tried longest ago goes. */
START_TEST(many_ways)
{
	struct ela_peer *peer;
	struct ela_addr addr = lone_addr(2);

	begin(false);
	peer = lone_peer(bench.l, 2);
	for (uint16_t port = 1; port <= ELA_WAYS + 3; port++) {
		addr.port = port;
		ela_way_tried(peer, 0, &addr);
		lone_pass(bench.loop, ELA_MSEC);
	}
	for (uint32_t i = 0; i < ELA_WAYS; i++)
		ck_assert_uint_gt(peer->ways[i].addr.port, 3);
	addr.port = 1;
	ela_way_failed(peer, 0, &addr, -ECONNREFUSED); /* forgotten: nothing to note */
	addr.port = 10;
	ela_way_failed(peer, 1, &addr, -ECONNREFUSED); /* another transport is another way */
	for (uint32_t i = 0; i < ELA_WAYS; i++)
		ck_assert_int_eq(peer->ways[i].err, 0);
	end();
}
END_TEST

/* ---- health ---- */

static void note_health(void *data, const char *text, const char *remedy)
{
	ck_assert(*remedy);
	g_string_append_printf(data, "%s\n", text);
}

static void expect_health(const char *wanted)
{
	g_autoptr(GString) found = g_string_new(NULL);

	ela_node_health(bench.l->node, note_health, found);
	if (*wanted)
		ck_assert_msg(strstr(found->str, wanted) != NULL, "found: %s", found->str);
	else
		ck_assert_str_eq(found->str, "");
}

START_TEST(health)
{
	struct ela_json *reply;

	begin(true);
	expect_health("");
	lone_pass(bench.loop, 29 * ELA_SEC);
	expect_health("");
	lone_pass(bench.loop, 2 * ELA_SEC);
	expect_health("n2: no session for 31s\n");
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	(void)lone_session(bench.l, 3, 8, 10, 1, 2);
	expect_health("");
	lone_peer(bench.l, 2)->misses = 3;
	expect_health("n2 does not answer\n");
	lone_peer(bench.l, 2)->misses = 0;
	ela_loop_virtual_wall_jump(bench.loop, 10 * (int64_t)ELA_SEC);
	ck_assert(ela_node_clocks_jumped(bench.l->node));
	lone_look(bench.l);
	expect_health("the clocks jumped apart 0s ago (1 times in all)");
	lone_pass(bench.loop, 3601 * ELA_SEC);
	expect_health("n2: no session for 1h\n");
	(void)lone_session(bench.l, 2, 17, 19, 1, 1);
	(void)lone_session(bench.l, 3, 18, 20, 1, 2);
	expect_health("");
	ELA_COUNT(bench.l->node, FRAMES_OUT, 10000);
	ELA_COUNT(bench.l->node, DROP_QUEUE, 5);
	expect_health("");
	ELA_COUNT(bench.l->node, DROP_QUEUE, 50);
	expect_health("drop-queue: 55 packets");
	ELA_COUNT(bench.l->node, DROP_COPIES, 70);
	expect_health("drop-copies: 70 packets");
	bench.health = "the owner's";
	reply = reply_to(false, "{\"verb\":\"status\"}");
	ck_assert_uint_eq(ela_json_length(ela_json_get(reply, "health")), 3);
	ela_json_free(reply);
	end();
	begin(false);
	lone_pass(bench.loop, 31 * ELA_SEC);
	expect_health("n3 has no endpoint here and has never called\n");
	(void)lone_session(bench.l, 3, 8, 10, 1, 2);
	ela_peer_reset(lone_peer(bench.l, 3));
	lone_pass(bench.loop, 31 * ELA_SEC);
	expect_health("n2 has no endpoint");
	end();
}
END_TEST

START_TEST(weak_cipher)
{
	const struct lone_spec spec = {
		.cipher = test_plugin_load(CIPHER_BLOWFISH), .number = 1, .knows = (const uint8_t[]){2, 0}};

	bench = (struct bench){.world = lone_world_new(&spec, 1), .loop = ela_loop_virtual_new(1)};
	bench.l = lone_new(bench.world, 0, bench.loop);
	expect_health("");
	(void)lone_session(bench.l, 2, 7, 9, 1, 1);
	expect_health("n2: the session uses blowfish-cbc, which is weak\n");
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tell");
	TCase *tcase = tcase_create("tell");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, pings);
	tcase_add_test(tcase, ping_of_another);
	tcase_add_test(tcase, ping_verb);
	tcase_add_test(tcase, changing);
	tcase_add_test(tcase, offers);
	tcase_add_test(tcase, dials);
	tcase_add_test(tcase, states);
	tcase_add_test(tcase, traffic);
	tcase_add_test(tcase, why);
	tcase_add_test(tcase, many_ways);
	tcase_add_test(tcase, health);
	tcase_add_test(tcase, weak_cipher);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
