/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-xx: core/handshake-xx.c, both ends, at one node (lone.h) whose other end is this file: by the Noise engine and
 * core/handshake.c, over one connection, with a gate of its own. Who may come, who may not, what is left behind:
 * nothing.
 */
#include "gate.h"
#include "handshake-xx.h"
#include "lane.h"
#include "link.h"
#include "lone.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAR 9u /* this file's node number: where it is, and whose key it has */
#define FAR_INDEX 0x99u

struct bench {
	struct ela_gate gate; /* first */
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	struct lone_conn *conn; /* that the node dialled */
	uint8_t in[8192], out[8192];
	uint32_t in_len, in_at, out_len;
	bool is_closed; /* by this end */
	/* the gate */
	bool refuses;
	uint32_t n_admitted;
	uint8_t admitted[ELA_KEY_LEN];
	/* a call's end */
	uint32_t n_ended;
	struct ela_peer *reached;
	char reason[128];
	/* this end */
	struct ela_noise noise;
	uint32_t their_index, their_id;
};

static struct bench *b;

static struct ela_peer *admit(struct ela_gate *gate, const struct ela_caller *caller, char **ret_reason)
{
	struct bench *bench = (struct bench *)(void *)gate;
	const struct ela_peer_spec spec = {.name = "far"};
	struct ela_peer *peer = ela_peer_by_key(bench->l->node, caller->key);

	ck_assert(caller->is_xx && !caller->credential);
	bench->n_admitted++;
	memcpy(bench->admitted, caller->key, ELA_KEY_LEN);
	if (bench->refuses) {
		*ret_reason = g_strdup("the test says so");
		return NULL;
	}
	if (!peer)
		ck_assert_int_eq(ela_peer_add(bench->l->node, caller->key, &spec, &peer), 0);
	return peer;
}

static int on_read(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err)
{
	len = MIN(len, b->in_len - b->in_at);
	(void)conn;
	memcpy(buf, b->in + b->in_at, len);
	b->in_at += len;
	if (len == 0)
		*ret_err = b->is_closed ? -EPIPE : -EAGAIN;
	return (int)len;
}

static int on_written(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	(void)conn, (void)ret_err;
	ck_assert_uint_le(b->out_len + len, sizeof b->out);
	memcpy(b->out + b->out_len, buf, len);
	b->out_len += len;
	return (int)len;
}

static void on_connect(struct lone *l, struct lone_conn *conn, const struct ela_addr *remote)
{
	(void)l, (void)remote;
	b->conn = conn;
}

static void on_ended(void *data, uint64_t call, struct ela_peer *peer, const char *reason)
{
	ck_assert_ptr_eq(data, b);
	ck_assert_uint_ne(call, 0);
	b->n_ended++;
	b->reached = peer;
	(void)g_strlcpy(b->reason, reason ? reason : "", sizeof b->reason); /* cut */
}

static void setup(void)
{
	struct lone_spec spec = {.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 0}};

	b = calloc(1, sizeof *b);
	ck_assert_ptr_nonnull(b);
	b->world = lone_world_new(&spec, 1);
	b->loop = ela_loop_virtual_new(1);
	b->l = lone_new(b->world, 0, b->loop);
	b->l->on_conn_read = on_read;
	b->l->on_conn_write = on_written;
	b->l->on_connect = on_connect;
	b->gate = (struct ela_gate){admit, g_bytes_new_static("credential", 10)};
	b->l->node->gate = &b->gate;
	lone_look(b->l);
}

static void teardown(void)
{
	b->l->node->gate = NULL;
	lone_free(b->l);
	ela_loop_free(b->loop);
	lone_world_free(b->world);
	g_bytes_unref(b->gate.credential);
	free(b);
}

/* ---- this end ---- */

static uint32_t indices_in_use(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ELA_INDEX_SLOTS; i++)
		n += b->l->node->index_used[i];
	return n;
}

static void begin(bool initiator, uint32_t key_of)
{
	uint8_t own[ELA_KEY_LEN], public_key[ELA_KEY_LEN], prologue[48];
	uint32_t len = ela_prologue(b->l->node->network_id, ELA_NOISE_XX, prologue);

	lone_key(key_of, own, public_key);
	ck_assert_int_eq(ela_noise_init(&b->noise, ELA_NOISE_XX, initiator, prologue, len, own, NULL, NULL), 0);
}

static void look(void)
{
	for (int i = 0; i < 4; i++) {
		for (guint k = 0; k < b->l->node->links->len; k++)
			(void)ela_link_poll_greeting(g_ptr_array_index(b->l->node->links, k));
		lone_look(b->l);
	}
}

static uint32_t message(uint8_t *out, enum ela_handshake_kind kind, const char *suites, uint32_t receiver)
{
	struct ela_hello hello = {.lanes = 1};
	uint8_t payload[ELA_HANDSHAKE_MAX_PAYLOAD];
	size_t len;

	if (suites)
		(void)g_strlcpy(hello.suites, suites, sizeof hello.suites);
	ela_handshake_head(out, kind, 0, FAR_INDEX, 0, receiver);
	ck_assert_int_eq(ela_noise_write(&b->noise, payload, suites ? ela_hello_put(&hello, payload) : 0,
						 out + ELA_HANDSHAKE_HEAD, 1000, &len),
		0);
	return ela_handshake_mac(out, ELA_HANDSHAKE_HEAD + (uint32_t)len, b->l->node->xx_key, NULL);
}

static void push(const uint8_t *frame, uint32_t len)
{
	ck_assert_uint_le(b->in_len + ELA_RECORD_HEAD + len, sizeof b->in);
	ela_record_put(b->in + b->in_len, ELA_RECORD_FRAME, len);
	memcpy(b->in + b->in_len + ELA_RECORD_HEAD, frame, len);
	b->in_len += ELA_RECORD_HEAD + len;
	look();
}

static void push_message(enum ela_handshake_kind kind, const char *suites, uint32_t receiver)
{
	uint8_t out[ELA_HANDSHAKE_MAX];

	push(out, message(out, kind, suites, receiver));
}

/* The node's first record is that message, which opens. */
static void take(enum ela_handshake_kind kind, bool has_hello)
{
	uint32_t len = ela_get32(b->out) & 0xffffffu;
	uint8_t payload[ELA_HANDSHAKE_MAX];
	struct ela_handshake hs;
	struct ela_hello hello;
	size_t payload_len;

	ck_assert_uint_gt(b->out_len, ELA_RECORD_HEAD);
	ck_assert_int_eq(ela_handshake_parse(b->out + ELA_RECORD_HEAD, len, &hs), 0);
	ck_assert_int_eq(hs.kind, kind);
	ck_assert(ela_handshake_mac1_ok(b->out + ELA_RECORD_HEAD, len, b->l->node->xx_key));
	ck_assert_int_eq(ela_noise_read(&b->noise, hs.noise, hs.noise_len, payload, sizeof payload, &payload_len), 0);
	ck_assert(!has_hello || ela_hello_parse(payload, (uint32_t)payload_len, &hello) == 0);
	b->their_index = hs.sender_index;
	b->their_id = hs.sender_id;
	b->out_len -= ELA_RECORD_HEAD + len;
	memmove(b->out, b->out + ELA_RECORD_HEAD + len, b->out_len);
}

/* Nothing is left of whoever came or was called: no connection, no index, no peer but the one of ela.ini. */
static void nothing_left(void)
{
	look();
	ck_assert_uint_eq(b->l->node->links->len, 0);
	ck_assert_uint_eq(indices_in_use(), 0);
	ck_assert_uint_eq(ela_peers_list(b->l->node)->n, 1);
}

/* ---- who is called ---- */

static void call_node(void)
{
	ck_assert_ptr_nonnull(lone_accept(b->l, FAR, NULL));
	begin(true, FAR);
	push_message(ELA_HANDSHAKE_XX_1, "aes-256-gcm", 0);
}

START_TEST(answers)
{
	uint8_t own[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	struct ela_peer *peer;

	call_node();
	take(ELA_HANDSHAKE_XX_2, true);
	ck_assert_mem_eq(b->noise.rs, b->l->node->public_key, ELA_KEY_LEN);
	ck_assert_uint_eq(b->n_admitted, 0);
	push_message(ELA_HANDSHAKE_XX_3, NULL, b->their_index);
	lone_key(FAR, own, public_key);
	ck_assert_uint_eq(b->n_admitted, 1);
	ck_assert_mem_eq(b->admitted, public_key, ELA_KEY_LEN);
	peer = ela_peer_by_key(b->l->node, public_key);
	ck_assert_ptr_nonnull(peer);
	ck_assert(ela_peer_offered_ns(peer) != 0 && !peer->up); /* until a sealed frame came */
	ck_assert_uint_eq(indices_in_use(), 1);
	ck_assert_uint_eq(b->out_len, 0);
	ela_peer_drop(peer);
	nothing_left();
}
END_TEST

static void never_calls(void)
{
	ck_assert_uint_eq(b->out_len, 0);
	ck_assert_uint_eq(b->n_admitted, 0);
	nothing_left();
}

/* Without a byte in answer, and nobody asks the gate. */
START_TEST(refused_at_once)
{
	uint8_t out[ELA_HANDSHAKE_MAX];
	uint32_t len;

	begin(true, FAR);
	len = message(out, ELA_HANDSHAKE_XX_1, _i == 1 ? "rot13" : "aes-256-gcm", 0);
	if (_i == 0)
		b->l->node->gate = NULL; /* a network of static peers */
	if (_i == 2)
		out[len - ELA_HANDSHAKE_MACS] ^= 1; /* of another network */
	if (_i == 3)
		out[8] = ELA_HANDSHAKE_XX_3; /* what nobody waits for; its mac1 is as good as a stranger can make it */
	if (_i == 3)
		len = ela_handshake_mac(out, len - ELA_HANDSHAKE_MACS, b->l->node->xx_key, NULL);
	ck_assert_ptr_nonnull(lone_accept(b->l, FAR, NULL));
	push(out, len);
	never_calls();
}
END_TEST

START_TEST(not_by_datagram)
{
	const struct ela_path path = lone_path(FAR);
	uint8_t out[ELA_HANDSHAKE_MAX];
	uint32_t len;

	begin(true, FAR);
	len = message(out, ELA_HANDSHAKE_XX_1, "aes-256-gcm", 0);
	ck_assert(!ela_handshake_input(b->l->node, &path, out, len));
	never_calls();
}
END_TEST

/* Message 2 was answered; what comes then is not message 3, or not a good one, or the gate says no. */
START_TEST(refused_later)
{
	uint8_t out[ELA_HANDSHAKE_MAX];
	uint32_t len;

	call_node();
	take(ELA_HANDSHAKE_XX_2, true);
	b->refuses = _i == 0;
	len = message(out, ELA_HANDSHAKE_XX_3, NULL, _i == 1 ? b->their_index ^ 1 : b->their_index);
	if (_i == 2)
		out[ELA_HANDSHAKE_HEAD + 3] ^= 1;
	if (_i == 3) { /* message 1 once more */
		begin(true, FAR);
		len = message(out, ELA_HANDSHAKE_XX_1, "aes-256-gcm", 0);
	} else {
		len = ela_handshake_mac(out, len - ELA_HANDSHAKE_MACS, b->l->node->xx_key, NULL);
	}
	push(out, len);
	ck_assert_uint_eq(b->n_admitted, _i == 0);
	ck_assert_uint_eq(b->out_len, 0);
	nothing_left();
}
END_TEST

/* Who says no more than message 1 is gone after 5 s. */
START_TEST(silent_caller)
{
	call_node();
	ck_assert_uint_eq(indices_in_use(), 1);
	lone_pass(b->loop, 6 * ELA_SEC);
	nothing_left();
}
END_TEST

START_TEST(calls_are_limited)
{
	uint64_t dropped;

	for (int i = 0; i < 12; i++) {
		call_node();
		if (b->l->node->links->len) /* answered: it goes, so that the next one's records are the next one's */
			ela_link_close(g_ptr_array_index(b->l->node->links, 0));
	}
	dropped = lone_counter(b->l, "drop-rate");
	ck_assert_uint_eq(dropped, 12 - 5);
	nothing_left();
}
END_TEST

/* ---- who calls ---- */

static uint64_t call_far(void)
{
	const struct ela_addr addr = lone_addr(FAR);
	uint64_t call = ela_xx_call(b->l->node, &b->l->node->transports[LONE_STREAM], &addr, on_ended, b);

	ck_assert_uint_ne(call, 0);
	ck_assert_ptr_nonnull(b->conn);
	ck_assert_uint_eq(b->n_ended, 0);
	return call;
}

static void open_far(uint32_t key_of)
{
	(void)call_far();
	lone_opened(b->conn, 0);
	begin(false, key_of);
	take(ELA_HANDSHAKE_XX_1, true);
	ck_assert_uint_eq(b->out_len, 0);
}

START_TEST(reaches)
{
	uint8_t own[ELA_KEY_LEN], public_key[ELA_KEY_LEN];

	open_far(FAR);
	push_message(ELA_HANDSHAKE_XX_2, "aes-256-gcm", b->their_index);
	take(ELA_HANDSHAKE_XX_3, false);
	ck_assert_mem_eq(b->noise.rs, b->l->node->public_key, ELA_KEY_LEN);
	ck_assert_uint_gt(b->out_len, 0); /* the first sealed frame, for the other end waits for it */
	ck_assert_int_eq(b->out[ELA_RECORD_HEAD + 1], ELA_TYPE_MESSAGE);
	ck_assert_uint_eq(b->n_ended, 1);
	ck_assert_ptr_nonnull(b->reached);
	lone_key(FAR, own, public_key);
	ck_assert_mem_eq(b->reached->key, public_key, ELA_KEY_LEN);
	ck_assert(b->reached->up && b->reached->n_addrs == 1);

	/* Its key is known now, and there is a session: no second one. */
	b->n_ended = b->in_len = b->in_at = b->out_len = 0;
	open_far(FAR);
	push_message(ELA_HANDSHAKE_XX_2, "aes-256-gcm", b->their_index);
	ck_assert_uint_eq(b->out_len, 0);
	ck_assert_uint_eq(b->n_ended, 1);
	ck_assert_ptr_nonnull(b->reached);
	ck_assert_uint_eq(indices_in_use(), 1);
}
END_TEST

static void ended_with(const char *reason)
{
	ck_assert_uint_eq(b->n_ended, 1);
	ck_assert_ptr_null(b->reached);
	ck_assert_str_eq(b->reason, reason);
	nothing_left();
}

START_TEST(nobody_there)
{
	(void)call_far();
	if (_i == 0)
		lone_opened(b->conn, -ECONNREFUSED);
	else
		lone_pass(b->loop, 11 * ELA_SEC);
	ended_with(_i == 0 ? "Connection refused" : "no connection in time");
}
END_TEST

START_TEST(no_node_there)
{
	static const char *const reasons[] = {"it closes the connection", "it does not answer",
		"what is there is no node of this network", "what is there is no node of this network",
		"what is there is no node of this network"};

	open_far(FAR);
	b->is_closed = _i == 0;
	if (_i == 1)
		lone_pass(b->loop, 6 * ELA_SEC);
	if (_i == 2)
		memcpy(b->in, "HTTP/1.0 400 Bad Request\r\n", b->in_len = 26);
	if (_i == 3)
		push_message(ELA_HANDSHAKE_XX_2, "aes-256-gcm", b->their_index ^ 1);
	if (_i == 4)
		push_message(ELA_HANDSHAKE_XX_2, "rot13", b->their_index);
	look();
	ended_with(reasons[_i]);
}
END_TEST

START_TEST(keys_of_others)
{
	open_far(_i == 0 ? 1 : 2);
	push_message(ELA_HANDSHAKE_XX_2, "aes-256-gcm", b->their_index);
	ck_assert_uint_eq(b->out_len, 0); /* it does not say who it is */
	ended_with(_i == 0 ? ela_xx_self : "it is a peer of ela.ini");
}
END_TEST

START_TEST(cancelled)
{
	uint64_t call = call_far();

	if (_i == 1)
		lone_opened(b->conn, 0);
	ela_xx_cancel(b->l->node, call);
	ela_xx_cancel(b->l->node, call); /* which is over */
	ck_assert_uint_eq(b->n_ended, 0);
	nothing_left();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xx");
	TCase *tc = tcase_create("xx");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers);
	tcase_add_loop_test(tc, refused_at_once, 0, 4);
	tcase_add_test(tc, not_by_datagram);
	tcase_add_loop_test(tc, refused_later, 0, 4);
	tcase_add_test(tc, silent_caller);
	tcase_add_test(tc, calls_are_limited);
	tcase_add_test(tc, reaches);
	tcase_add_loop_test(tc, nobody_there, 0, 2);
	tcase_add_loop_test(tc, no_node_there, 0, 5);
	tcase_add_loop_test(tc, keys_of_others, 0, 2);
	tcase_add_loop_test(tc, cancelled, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
