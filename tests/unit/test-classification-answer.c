/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-classification-answer: core/classification-answer.c, the side that probes (reach.h): what it sends to whom and
 * how often, whose nonces it believes, and that nobody makes it call a third. ELA_TEST_SEED repeats a run. One thread.
 */
#include "reach.h"

#include "dialogue-priv.h"
#include "inet.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct reach *r;

/* The last reply. */
static struct {
	uint32_t n;
	int err;
	enum ela_status status;
	int64_t role, failed;
	char reason[300];
} said;

static void setup(void)
{
	const char *text = g_getenv("ELA_TEST_SEED");
	uint32_t seed = text ? (uint32_t)strtoul(text, NULL, 0) : g_random_int();

	printf("ELA_TEST_SEED=%u\n", seed);
	r = reach_new(test_plugin_load(CIPHER_AEAD), seed);
	memset(&said, 0, sizeof said);
}

static void teardown(void)
{
	reach_free(r);
}

static struct ela_node *core(void)
{
	return r->wire->nodes[2]->node;
}

/* ---- by hand ---- */

static void reply(void *data, int err, const struct ela_message *m)
{
	const char *reason = m ? ela_message_text(m, ELA_FIELD_REASON, 0) : NULL;

	(void)data;
	said.n++;
	said.err = err;
	said.role = said.failed = -1;
	said.status = m ? ela_message_status(m) : ELA_STATUS_FAILED;
	(void)g_strlcpy(said.reason, reason ? reason : "", sizeof said.reason); /* fits */
	if (m) {
		(void)ela_message_number(m, ELA_FIELD_ROLE, &said.role); /* -1: it is not there */
		(void)ela_message_number(m, ELA_FIELD_FAILED, &said.failed);
	}
}

static struct ela_message *ports(uint32_t tcp_port, uint32_t udp_port)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_USING_PORT, ELA_MESSAGE_REQUEST);

	ela_message_put_number(m, ELA_FIELD_TCP_PORT, tcp_port);
	ela_message_put_number(m, ELA_FIELD_UDP_PORT, udp_port);
	return m;
}

/* Node of asks the core, and it has answered. TAKES m. */
static void ask(uint32_t of, struct ela_message *m)
{
	uint32_t n = said.n;

	ck_assert_uint_ne(ela_dialogue_ask(wire_peer(r->wire, of, 2), m, 0, reply, NULL), 0);
	for (uint32_t i = 0; i < 1000 && said.n == n; i++)
		reach_run(r, ELA_MSEC);
	ck_assert_uint_eq(said.n, n + 1);
	ck_assert_int_eq(said.err, 0);
}

/* What a datagram or connection of the core for node k held. */
static const uint8_t *nonce_of(const struct reach_call *call)
{
	return call->bytes + (call->is_tcp ? ELA_RECORD_HEAD : 0) + ELA_HEADER_LEN + 1;
}

static const uint8_t *nonce_for(uint32_t k, bool is_tcp)
{
	for (guint i = r->calls->len; i-- > 0;) {
		const struct reach_call *call = g_ptr_array_index(r->calls, i);

		if (call->by == 2 && call->is_tcp == is_tcp && call->remote.ip[3] == k)
			return nonce_of(call);
	}
	ck_abort_msg("nothing was sent to node %u", k);
	return NULL;
}

static struct ela_message *nonces(const uint8_t *tcp, const uint8_t *udp)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_CLASSIFICATION, ELA_MESSAGE_REQUEST);

	if (tcp)
		ela_message_put_bytes(m, ELA_FIELD_TCP_NONCE, tcp, ELA_PROBE_NONCE_LEN);
	if (udp)
		ela_message_put_bytes(m, ELA_FIELD_UDP_NONCE, udp, ELA_PROBE_NONCE_LEN);
	return m;
}

static void verdict_is(enum ela_probe_failed failed)
{
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ck_assert_int_eq(said.role, failed == ELA_PROBE_NONE ? ELA_ROLE_CORE : ELA_ROLE_EDGE);
	ck_assert_int_eq(said.failed, failed);
}

/* ---- what is sent ---- */

/* One frame each way to the asker's address and ports, with nonces that are equal nowhere. */
START_TEST(two_probes)
{
	const uint8_t *of[4];
	const struct reach_call *call;

	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ask(3, ports(1024, 65535));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	reach_run(r, 4 * ELA_SEC);
	ck_assert_uint_eq(reach_calls(r, 2, ELA_PROBE_UDP), 2);
	ck_assert_uint_eq(reach_calls(r, 2, ELA_PROBE_TCP), 2);
	for (guint i = 0; i < r->calls->len; i++) {
		call = g_ptr_array_index(r->calls, i);
		ck_assert_mem_eq(call->remote.ip, lone_addr(i < 2 ? 1 : 3).ip, sizeof call->remote.ip);
		ck_assert_uint_eq(call->remote.port, i < 2 ? (call->is_tcp ? 10000 : 20000) : call->is_tcp ? 1024 : 65535);
		ck_assert_uint_le(call->len, ELA_RECORD_HEAD + ELA_PROBE_LEN);
		of[i] = nonce_of(call);
	}
	for (guint i = 0; i < 2; i++)
		for (guint k = 0; k < i; k++)
			ck_assert_mem_ne(of[i], of[k], ELA_PROBE_NONCE_LEN);
	ck_assert_mem_ne(of[0], of[2], ELA_PROBE_NONCE_LEN);
	ck_assert_uint_eq(r->wire->nodes[2]->n_conns, 0); /* what was not accepted in time, too */
}
END_TEST

static uint32_t n_lost;

static bool loses_answers(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire;
	return from != 2 || to != 1 || len < 200 || n_lost++ >= 3;
}

/* A request that comes again, for its answer was lost, sends nothing again. */
START_TEST(asked_again)
{
	n_lost = 0;
	r->wire->passes = loses_answers;
	ck_assert_uint_ne(ela_dialogue_ask(wire_peer(r->wire, 1, 2), ports(10000, 20000), 0, reply, NULL), 0);
	reach_run(r, 8 * ELA_SEC);
	ck_assert_uint_gt(reach_count(r, 1, "requests-repeated"), 0);
	ck_assert_uint_eq(said.n, 1);
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ck_assert_uint_eq(reach_calls(r, 2, ELA_PROBE_UDP), 1);
	ck_assert_uint_eq(reach_calls(r, 2, ELA_PROBE_TCP), 1);
}
END_TEST

/* Its connection is not waited for longer than 2 s. */
START_TEST(hanging)
{
	r->never_opens = true;
	ask(1, ports(10000, 20000));
	reach_run(r, 1900 * ELA_MSEC);
	ck_assert_uint_eq(r->wire->nodes[2]->n_conns, 1);
	reach_run(r, 200 * ELA_MSEC);
	ck_assert_uint_eq(r->wire->nodes[2]->n_conns, 0);
	ck_assert_uint_eq(reach_count(r, 2, "probes-out"), 1);
}
END_TEST

/* A transport without probe(), or none of a kind: nothing is sent at all, and it does not count as asked. */
START_TEST(cannot)
{
	struct ela_transport *transport = &core()->transports[_i == 0 ? LONE_DATAGRAM : LONE_STREAM];
	uint32_t caps = transport->info.caps;

	r->cannot[2] = _i == 2;
	transport->info.caps = _i == 2 ? caps : 0;
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_FAILED);
	ck_assert_uint_eq(r->calls->len, 0);
	r->cannot[2] = false;
	transport->info.caps = caps;
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
}
END_TEST

START_TEST(not_served)
{
	ela_classify_serve(core(), false);
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_UNKNOWN_PURPOSE);
	ask(1, nonces(NULL, NULL));
	ck_assert_int_eq(said.status, ELA_STATUS_UNKNOWN_PURPOSE);
	ck_assert_uint_eq(r->calls->len, 0);
}
END_TEST

/* ---- whose nonces ---- */

static uint8_t made_up[ELA_PROBE_NONCE_LEN];

START_TEST(verdicts)
{
	const uint8_t *tcp, *udp;

	ask(1, ports(10000, 20000));
	tcp = nonce_for(1, true);
	udp = nonce_for(1, false);
	switch (_i) {
	case 0:
		ask(1, nonces(tcp, udp));
		verdict_is(ELA_PROBE_NONE);
		break;
	case 1:
		ask(1, nonces(tcp, NULL));
		verdict_is(ELA_PROBE_UDP);
		break;
	case 2:
		ask(1, nonces(NULL, udp));
		verdict_is(ELA_PROBE_TCP);
		break;
	case 3:
		ask(1, nonces(udp, tcp)); /* each in the place of the other */
		verdict_is(ELA_PROBE_BOTH);
		break;
	case 4:
		ask(1, nonces(made_up, made_up));
		verdict_is(ELA_PROBE_BOTH);
		break;
	default:
		memcpy(made_up, tcp, sizeof made_up);
		made_up[ELA_PROBE_NONCE_LEN - 1] ^= 1;
		ask(1, nonces(made_up, udp));
		verdict_is(ELA_PROBE_TCP);
	}
	/* it had its say */
	ask(1, nonces(tcp, udp));
	ck_assert_int_eq(said.status, ELA_STATUS_NOT_FOUND);
}
END_TEST

/* What a third heard, or the other one, does not count for this one. */
START_TEST(of_another)
{
	ask(1, ports(10000, 20000));
	ask(3, ports(10000, 20000));
	ask(1, nonces(nonce_for(3, true), nonce_for(3, false)));
	verdict_is(ELA_PROBE_BOTH);
	ask(3, nonces(nonce_for(3, true), nonce_for(3, false)));
	verdict_is(ELA_PROBE_NONE);
}
END_TEST

START_TEST(among_others)
{
	struct ela_message *m;

	ask(1, ports(10000, 20000));
	m = nonces(made_up, made_up);
	for (uint32_t i = 0; i < ELA_MESSAGE_NONCES - 1; i++) {
		ela_message_put_bytes(m, ELA_FIELD_TCP_NONCE, i == 3 ? nonce_for(1, true) : made_up, ELA_PROBE_NONCE_LEN);
		ela_message_put_bytes(m, ELA_FIELD_UDP_NONCE, i == 6 ? nonce_for(1, false) : made_up, ELA_PROBE_NONCE_LEN);
	}
	ask(1, m);
	verdict_is(ELA_PROBE_NONE);
}
END_TEST

START_TEST(too_late)
{
	ask(1, nonces(made_up, made_up));
	ck_assert_int_eq(said.status, ELA_STATUS_NOT_FOUND);
	ask(1, ports(10000, 20000));
	reach_run(r, 5 * ELA_SEC);
	ask(1, nonces(nonce_for(1, true), nonce_for(1, false)));
	ck_assert_int_eq(said.status, ELA_STATUS_NOT_FOUND);
}
END_TEST

/* ---- how often ---- */

START_TEST(guest_once_a_minute)
{
	wire_peer(r->wire, 2, 1)->guest = true;
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	for (uint32_t i = 0; i < 5; i++) {
		ask(1, ports(10001 + i, 20000));
		ck_assert_int_eq(said.status, ELA_STATUS_BUSY);
		reach_run(r, 11 * ELA_SEC);
	}
	ck_assert_uint_eq(r->calls->len, 2);
	reach_run(r, 6 * ELA_SEC);
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ck_assert_uint_eq(r->calls->len, 4);
}
END_TEST

/* A member looks again and again. What it is told is of its last question. */
START_TEST(member_six_times)
{
	for (uint32_t i = 0; i < 6; i++) {
		ask(1, ports(10000, 20000));
		ck_assert_int_eq(said.status, ELA_STATUS_OK);
		ask(1, nonces(nonce_for(1, true), nonce_for(1, false)));
		verdict_is(ELA_PROBE_NONE);
		reach_run(r, 5 * ELA_SEC);
	}
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_BUSY);
	reach_run(r, 31 * ELA_SEC);
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ck_assert_uint_eq(r->calls->len, 14);
}
END_TEST

/* Whatever became of its questions before, the last one is answered. */
START_TEST(asked_anew)
{
	for (uint32_t i = 0; i < 3; i++) {
		ask(1, ports(10000, 20000));
		ck_assert_int_eq(said.status, ELA_STATUS_OK);
		if (i < 2)
			reach_run(r, 31 * ELA_SEC);
	}
	ask(1, nonces(nonce_for(1, true), nonce_for(1, false)));
	verdict_is(ELA_PROBE_NONE);
}
END_TEST

/* n others, guests or members, have just asked, from that address and those behind it. */
static void others_asked(uint32_t n, bool guests, struct ela_addr at, uint32_t step)
{
	for (uint32_t i = 0; i < n; i++) {
		struct ela_tested *t = &core()->classification->tested[i];

		t->born_ns = ela_loop_now(r->wire->loop);
		ela_put32(t->key, i + 1);
		t->at.addr = at;
		t->guest = guests;
		at.ip[at.family == ELA_ADDR_IP4 ? 3 : 15] = (uint8_t)(at.ip[at.family == ELA_ADDR_IP4 ? 3 : 15] + step);
	}
}

/* Guests and members are counted apart: neither keeps the others out. */
START_TEST(of_an_address)
{
	bool guests = _i == 0;
	uint32_t most = guests ? 4 : 24;

	wire_peer(r->wire, 2, 1)->guest = wire_peer(r->wire, 2, 3)->guest = guests;
	others_asked(most - 1, guests, lone_addr(1), 0);
	ask(1, ports(10000, 20000)); /* the last */
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	reach_run(r, 61 * ELA_SEC);
	others_asked(most, !guests, lone_addr(1), 0);
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	reach_run(r, 61 * ELA_SEC);
	others_asked(most, guests, lone_addr(1), 0);
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_BUSY);
	ask(3, ports(10000, 20000)); /* from elsewhere */
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ck_assert_uint_eq(r->calls->len, 6);
}
END_TEST

START_TEST(in_all)
{
	struct ela_addr at = lone_addr(20);

	others_asked(ELA_CLASSIFY_KEPT, false, at, 1);
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_BUSY);
	core()->classification->tested[17].born_ns -= 60 * ELA_SEC;
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ask(3, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_BUSY);
}
END_TEST

/* Any number of strangers may be guests; half of the places is none of theirs. */
START_TEST(guests_in_all)
{
	others_asked(ELA_CLASSIFY_KEPT / 2, false, lone_addr(20), 1);
	for (uint32_t i = 1; i < ELA_CLASSIFY_KEPT / 2; i++)
		core()->classification->tested[i].guest = true;
	wire_peer(r->wire, 2, 1)->guest = wire_peer(r->wire, 2, 3)->guest = true;
	ask(1, ports(10000, 20000)); /* the last of them */
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ask(3, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_BUSY);
	wire_peer(r->wire, 2, 3)->guest = false;
	ask(3, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
}
END_TEST

/* ---- where to ---- */

/* The request as it comes out of its session, whatever the way: the answer goes wherever that leads. */
static void heard(struct ela_peer *peer, struct ela_message *m)
{
	static uint32_t sequence = 1000;
	g_autoptr(GBytes) bytes = NULL;
	uint8_t plain[ELA_PART_HEAD + ELA_PART_DATA];
	uint32_t len;

	ela_message_set_sequence(m, ++sequence);
	ela_message_put_number(m, ELA_FIELD_INCARNATION, 77);
	bytes = ela_message_encode(m, NULL);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_lt(g_bytes_get_size(bytes), ELA_PART_DATA);
	len = ela_parts_write(g_bytes_get_data(bytes, NULL), (uint32_t)g_bytes_get_size(bytes), sequence, 0, plain);
	ela_message_free(m);
	ela_dialogue_input(peer, 1, plain, len);
}

static uint32_t n_tested(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ELA_CLASSIFY_KEPT; i++)
		n += core()->classification->tested[i].born_ns != 0;
	return n;
}

static struct ela_addr ip(const char *text)
{
	struct ela_addr addr;

	ck_assert_int_eq(ela_inet_addr(text, &addr), 0);
	addr.port = 7450;
	return addr;
}

/* A session may lead to places that nobody is probed at. */
START_TEST(forbidden)
{
	static const char *const places[] = {"127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1",
		"0.0.0.0", "255.255.255.255", "10.88.0.9", "fd88::9"};
	struct ela_peer *peer = wire_peer(r->wire, 2, 1);
	struct ela_path path = {.remote = ip(places[_i]), .transport = LONE_DATAGRAM};

	ela_peer_publish(peer, peer->current, &path);
	heard(peer, ports(10000, 20000));
	reach_run(r, ELA_SEC);
	ck_assert_uint_eq(r->calls->len, 0);
	ck_assert_uint_eq(n_tested(), 0);
	path.remote = lone_addr(1);
	ela_peer_publish(peer, peer->current, &path);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 2);
}
END_TEST

/* A private address is where the member is, so it is its own; this machine's own one is not. */
START_TEST(own_machine)
{
	struct ela_peer *peer = wire_peer(r->wire, 2, 1);
	struct ela_path path = {.remote = ip("192.168.1.7"), .local = ip("192.168.1.7"), .transport = LONE_DATAGRAM};

	ela_peer_publish(peer, peer->current, &path);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 0);
	path.local = ip("192.168.1.8");
	ela_peer_publish(peer, peer->current, &path);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 2);
	ck_assert_mem_eq(((struct reach_call *)g_ptr_array_index(r->calls, 0))->remote.ip, path.remote.ip, 16);
}
END_TEST

START_TEST(relayed)
{
	struct ela_peer *peer = wire_peer(r->wire, 2, 1);

	ck_assert_int_eq(ela_peer_via(peer, wire_peer(r->wire, 2, 3)), 0);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 0);
	ck_assert_uint_eq(n_tested(), 0);
}
END_TEST

/*
 * A member makes a session from its own place, and lets the first sealed frame, which says where it is, look as if it
 * came from a victim: nothing goes there but sealed frames, until the victim answers a challenge.
 */
START_TEST(third_party)
{
	struct ela_peer *peer = wire_peer(r->wire, 2, 1);
	struct ela_path own = lone_path(1), victim = lone_path(66);
	struct ela_agreement with = peer->current->with;
	struct ela_noise_keys keys = {0};
	struct ela_session *s;

	for (uint32_t round = 0; round < 2; round++) {
		with.local_index = ela_index_reserve(core());
		s = ela_session_new(peer, &with, &keys, ela_loop_now(r->wire->loop));
		ck_assert_ptr_nonnull(s);
		ela_peer_offer(peer, s, &own, true);
		ela_peer_confirm(peer, s, round == 0 ? &victim : &own);
		ck_assert_ptr_eq(peer->current, s);
		ck_assert_uint_eq(peer->tx_shadow->path.remote.ip[3], round == 0 ? 66 : 1);
		heard(peer, ports(10000, 20000));
		ck_assert_uint_eq(r->calls->len, round == 0 ? 0 : 2);
	}
	ck_assert_mem_eq(((struct reach_call *)g_ptr_array_index(r->calls, 0))->remote.ip, own.remote.ip, 16);
}
END_TEST

/* The same, and then the place answers: it is where the peer is. */
START_TEST(shown_by_challenge)
{
	struct ela_peer *peer = wire_peer(r->wire, 2, 1);
	const struct ela_path moved = {
		.remote = {.ip = {192, 0, 2, 1}, .port = 999, .family = ELA_ADDR_IP4}, .transport = LONE_DATAGRAM};
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
	uint8_t message[22] = {[4] = 4}; /* the answer to a challenge */
	uint32_t len;

	peer->shown = false;
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 0);
	ela_control_try(peer, &moved);
	memcpy(message + 6, peer->challenge, sizeof peer->challenge);
	len = ela_session_seal_control(wire_peer(r->wire, 1, 2)->current, message, sizeof message, bytes);
	ck_assert_uint_ne(len, 0);
	lone_receive(r->wire->nodes[2], &moved, bytes, len, len, len, 0);
	ck_assert_uint_eq(peer->tx_shadow->path.remote.port, 999);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 2);
}
END_TEST

/* IPv6: 64 bits are one place, however many addresses it has. */
START_TEST(of_a_network)
{
	struct ela_peer *peer = wire_peer(r->wire, 2, 1);
	struct ela_path path = {.remote = ip("2001:db8:0:1::7"), .transport = LONE_DATAGRAM};

	ela_peer_publish(peer, peer->current, &path);
	peer->guest = true;
	others_asked(4, true, ip("2001:db8:0:1:ffff::1"), 1);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 0);
	path.remote = ip("2001:db8:0:2::7");
	ela_peer_publish(peer, peer->current, &path);
	heard(peer, ports(10000, 20000));
	ck_assert_uint_eq(r->calls->len, 2);
}
END_TEST

/* A guest may ask too: that is how it becomes a member. */
START_TEST(guest)
{
	wire_peer(r->wire, 2, 1)->guest = true;
	ask(1, ports(10000, 20000));
	ck_assert_int_eq(said.status, ELA_STATUS_OK);
	ask(1, nonces(nonce_for(1, true), nonce_for(1, false)));
	verdict_is(ELA_PROBE_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classification-answer");
	TCase *tc = tcase_create("answering");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, two_probes);
	tcase_add_test(tc, asked_again);
	tcase_add_test(tc, hanging);
	tcase_add_loop_test(tc, cannot, 0, 3);
	tcase_add_test(tc, not_served);
	tcase_add_loop_test(tc, verdicts, 0, 6);
	tcase_add_test(tc, of_another);
	tcase_add_test(tc, among_others);
	tcase_add_test(tc, too_late);
	tcase_add_test(tc, guest_once_a_minute);
	tcase_add_test(tc, member_six_times);
	tcase_add_test(tc, asked_anew);
	tcase_add_loop_test(tc, of_an_address, 0, 2);
	tcase_add_test(tc, in_all);
	tcase_add_test(tc, guests_in_all);
	tcase_add_loop_test(tc, forbidden, 0, 10);
	tcase_add_test(tc, own_machine);
	tcase_add_test(tc, relayed);
	tcase_add_test(tc, third_party);
	tcase_add_test(tc, shown_by_challenge);
	tcase_add_test(tc, of_a_network);
	tcase_add_test(tc, guest);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
