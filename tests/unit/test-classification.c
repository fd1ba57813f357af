/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-classification: core/classification.c, the side that asks (reach.h): what strangers can reach and cannot, cores
 * that are silent, busy, or vanish, and probes that nobody asked for. ELA_TEST_SEED repeats a run. One thread.
 */
#include "reach.h"

#include "dialogue-priv.h"
#include "lane.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct reach *r;

static void setup(void)
{
	const char *text = g_getenv("ELA_TEST_SEED");
	uint32_t seed = text ? (uint32_t)strtoul(text, NULL, 0) : g_random_int();

	printf("ELA_TEST_SEED=%u\n", seed);
	r = reach_new(test_plugin_load(CIPHER_AEAD), seed);
}

static void teardown(void)
{
	reach_free(r);
}

static struct ela_node *newcomer(void)
{
	return r->wire->nodes[REACH_NEWCOMER]->node;
}

static void is(enum ela_role role, enum ela_probe_failed failed, uint32_t n_answered)
{
	ck_assert_uint_eq(r->n_done, 1);
	ck_assert_int_eq(r->result.role, role);
	ck_assert_int_eq(r->result.failed, failed);
	ck_assert_uint_eq(r->result.n_answered, n_answered);
	ck_assert_uint_eq(newcomer()->classification->n_asked, 0);
}

/* ---- how it ends ---- */

START_TEST(core)
{
	uint64_t start_ns = ela_loop_now(r->wire->loop);

	ck_assert_int_eq(reach_classify(r, 3), 0);
	ck_assert_int_eq(reach_classify(r, 3), -EBUSY);
	ck_assert_uint_eq(r->n_done, 0);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_CORE, ELA_PROBE_NONE, 2);
	ck_assert(r->result.n_asked == 2 && r->result.n_core == 2);
	ck_assert_uint_eq(r->result.n_seen, 1); /* both saw it there */
	ck_assert_mem_eq(r->result.seen[0].ip, lone_addr(REACH_NEWCOMER).ip, 4);
	ck_assert_uint_lt(r->done_ns - start_ns, 500 * ELA_MSEC); /* not when the time is up */
	ck_assert_mem_eq(r->result.observed.addr.ip, lone_addr(REACH_NEWCOMER).ip, 4);
	ck_assert(r->result.observed.tcp_port == REACH_TCP && r->result.observed.udp_port == REACH_UDP);
	for (uint32_t k = 2; k <= 3; k++) {
		ck_assert_uint_eq(reach_calls(r, k, ELA_PROBE_TCP), 1);
		ck_assert_uint_eq(reach_calls(r, k, ELA_PROBE_UDP), 1);
		ck_assert_uint_eq(reach_count(r, k, "probes-out"), 2);
		ck_assert_uint_eq(r->wire->nodes[k]->n_conns, 0);
	}
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "probes-in"), 4);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-stream"), 0);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "stranger-bytes-in"), 4 * ELA_PROBE_LEN);
	ck_assert_uint_eq(r->wire->nodes[REACH_NEWCOMER]->n_conns, 0);
}
END_TEST

/* What does not come to one core makes an edge, and is named. */
START_TEST(edge)
{
	static const struct {
		uint32_t blocks[2];
		enum ela_probe_failed failed;
	} cases[] = {{{0, ELA_PROBE_TCP}, ELA_PROBE_TCP}, {{ELA_PROBE_UDP, 0}, ELA_PROBE_UDP},
		{{ELA_PROBE_UDP, ELA_PROBE_TCP}, ELA_PROBE_BOTH}, {{ELA_PROBE_BOTH, ELA_PROBE_BOTH}, ELA_PROBE_BOTH}};

	for (uint32_t k = 2; k <= 3; k++)
		r->blocks[k] = cases[_i].blocks[k - 2];
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_EDGE, cases[_i].failed, 2);
	ck_assert_uint_eq(r->result.n_core, cases[_i].blocks[0] && cases[_i].blocks[1] ? 0 : 1);
}
END_TEST

/* The cores' fresh sockets have other addresses than their sessions: who sent what need not be known. */
START_TEST(several_addresses)
{
	r->other_address = true;
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_CORE, ELA_PROBE_NONE, 2);
}
END_TEST

static bool without_3(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire, (void)len;
	return from != 3 && to != 3;
}

START_TEST(silent_core)
{
	uint64_t start_ns = ela_loop_now(r->wire->loop);

	r->wire->passes = without_3;
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, 4 * ELA_SEC);
	is(ELA_ROLE_EDGE, ELA_PROBE_BOTH, 1);
	ck_assert_uint_le(r->done_ns - start_ns, 3 * ELA_SEC);
}
END_TEST

static uint64_t late_ns;

static bool nothing_late(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)from, (void)to, (void)len;
	return ela_loop_now(wire->loop) < late_ns;
}

/* The cores probed, and are gone before they can say what they think. */
START_TEST(no_verdict)
{
	uint64_t start_ns = ela_loop_now(r->wire->loop);

	late_ns = start_ns + 1500 * ELA_MSEC;
	r->blocks[2] = ELA_PROBE_TCP;
	r->wire->passes = nothing_late;
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, 4 * ELA_SEC);
	is(ELA_ROLE_EDGE, ELA_PROBE_BOTH, 0);
	ck_assert_uint_le(r->done_ns - start_ns, 3 * ELA_SEC + 10 * ELA_MSEC);
	ck_assert_int_eq(r->result.observed.addr.family, ELA_ADDR_NONE);
}
END_TEST

/* Another core does not serve: it says so, and that is no verdict. */
START_TEST(refusing_core)
{
	ela_classify_serve(r->wire->nodes[3]->node, false);
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_EDGE, ELA_PROBE_BOTH, 1);
	ck_assert_uint_eq(reach_calls(r, 3, ELA_PROBE_BOTH), 0);
}
END_TEST

static struct {
	uint32_t n;
	int err;
} again;

static void ask_again(void *data, const struct ela_classified *result)
{
	struct ela_peer *cores[] = {wire_peer(r->wire, REACH_NEWCOMER, 2)};

	(void)data;
	r->result = *result;
	r->n_done++;
	if (again.n++ == 0)
		again.err = ela_classify(newcomer(), cores, 1, REACH_TCP, REACH_UDP, ask_again, NULL);
}

/* The end of one may be the start of the next. */
START_TEST(from_its_end)
{
	struct ela_peer *cores[] = {wire_peer(r->wire, REACH_NEWCOMER, 2)};

	again.n = 0;
	ck_assert_int_eq(ela_classify(newcomer(), cores, 1, REACH_TCP, REACH_UDP, ask_again, NULL), 0);
	reach_run(r, 5 * ELA_SEC);
	ck_assert_int_eq(again.err, 0);
	ck_assert_uint_eq(r->n_done, 2);
	ck_assert_int_eq(r->result.role, ELA_ROLE_CORE);
	ck_assert_uint_eq(reach_calls(r, 2, ELA_PROBE_BOTH), 4);
}
END_TEST

START_TEST(cancelled)
{
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, (uint64_t)_i * 6 * ELA_MSEC);
	if (r->n_done) /* the last moment is after the end */
		return;
	ela_classify_cancel(newcomer());
	ela_classify_cancel(newcomer());
	reach_run(r, 5 * ELA_SEC);
	ck_assert_uint_eq(r->n_done, 0);
	ck_assert_uint_eq(g_queue_get_length(&newcomer()->dialogue->asks), 0);
	ck_assert_int_eq(reach_classify(r, 3), 0);
}
END_TEST

/* All peers go in the middle, at every moment of it: it ends, and nothing is asked of what is gone. */
START_TEST(cores_vanish)
{
	r->blocks[3] = _i % 2 ? ELA_PROBE_UDP : 0; /* half of them still wait for it */
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, (uint64_t)(_i / 2) * 3 * ELA_MSEC);
	if (r->n_done) /* the last moments are after the end */
		return;
	lone_renew(r->wire->nodes[REACH_NEWCOMER]);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_EDGE, ELA_PROBE_BOTH, 0);
}
END_TEST

/* The node itself goes: nobody is told. */
START_TEST(node_ends)
{
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, (uint64_t)_i * 4 * ELA_MSEC);
	lone_free(r->wire->nodes[REACH_NEWCOMER]);
	r->wire->nodes[REACH_NEWCOMER] = NULL;
	reach_run(r, 3 * ELA_SEC);
	ck_assert_uint_eq(r->n_done, 0);
}
END_TEST

START_TEST(nobody_to_ask)
{
	struct ela_peer *cores[] = {wire_peer(r->wire, REACH_NEWCOMER, 2), wire_peer(r->wire, REACH_NEWCOMER, 3),
		wire_peer(r->wire, REACH_NEWCOMER, 2), wire_peer(r->wire, REACH_NEWCOMER, 3)};

	ck_assert_int_eq(ela_classify(newcomer(), cores, 0, REACH_TCP, REACH_UDP, ask_again, NULL), -EINVAL);
	ck_assert_int_eq(ela_classify(newcomer(), cores, 4, REACH_TCP, REACH_UDP, ask_again, NULL), -EINVAL);
	ck_assert_int_eq(ela_classify(newcomer(), cores, 3, REACH_TCP, REACH_UDP, ask_again, NULL), -EINVAL);
	ck_assert_int_eq(ela_classify(newcomer(), cores, 2, 1023, REACH_UDP, ask_again, NULL), -EINVAL);
	ck_assert_int_eq(ela_classify(newcomer(), cores, 2, REACH_TCP, 1023, ask_again, NULL), -EINVAL);
	reach_run(r, 3 * ELA_SEC);
	ck_assert_uint_eq(r->n_done, 0);
}
END_TEST

static void ignore(void *data, int err, const struct ela_message *reply)
{
	(void)data, (void)err, (void)reply;
}

/* No request leaves any more: told all the same, but not from inside the call. */
START_TEST(nothing_is_sent)
{
	struct ela_peer *peer = wire_peer(r->wire, REACH_NEWCOMER, 2);
	struct ela_message *m;

	do {
		m = ela_message_new(ELA_PURPOSE_PING, ELA_MESSAGE_REQUEST);
		ela_message_put_number(m, ELA_FIELD_TOKEN, 1);
	} while (ela_dialogue_ask(peer, m, 60 * ELA_SEC, ignore, NULL) != 0);
	ck_assert_int_eq(reach_classify(r, 2), 0);
	ck_assert_uint_eq(r->n_done, 0);
	reach_run(r, ELA_MSEC);
	is(ELA_ROLE_EDGE, ELA_PROBE_BOTH, 0);
}
END_TEST

/* ---- probes that nobody asked for ---- */

START_TEST(unasked)
{
	uint8_t frame[ELA_PROBE_LEN];

	reach_forge(r, ELA_PROBE_BY_UDP, 1, frame);
	reach_datagram(r, 2, frame, sizeof frame);
	reach_forge(r, ELA_PROBE_BY_TCP, 1, frame);
	reach_stream(r, 2, frame, sizeof frame);
	reach_run(r, ELA_SEC);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-probe-unasked"), 2);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-stream"), 1);
	ck_assert_uint_eq(r->wire->nodes[REACH_NEWCOMER]->n_conns, 0);
	/* and none that comes when all is said */
	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_CORE, ELA_PROBE_NONE, 2);
	reach_stream(r, 2, frame, sizeof frame);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-probe-unasked"), 3);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "probes-in"), 4);
}
END_TEST

/* Forged, of another kind than the way it comes, or cut: none takes a place. */
START_TEST(bad_probes)
{
	uint8_t frame[ELA_PROBE_LEN];

	ck_assert_int_eq(reach_classify(r, 3), 0);
	for (uint32_t i = 0; i < 10; i++) {
		reach_forge(r, ELA_PROBE_BY_UDP, i, frame);
		reach_stream(r, 2, frame, sizeof frame);
		frame[ELA_PROBE_LEN - 1] ^= 1;
		reach_datagram(r, 2, frame, sizeof frame);
		frame[ELA_PROBE_LEN - 1] ^= 1;
		reach_datagram(r, 2, frame, sizeof frame - 1);
		reach_forge(r, ELA_PROBE_BY_TCP, i, frame);
		reach_datagram(r, 2, frame, sizeof frame);
	}
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-probe"), 40);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "probes-in"), 0);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_CORE, ELA_PROBE_NONE, 2);
}
END_TEST

/* A probe that comes again takes no second place. */
START_TEST(repeated)
{
	uint8_t frame[ELA_PROBE_LEN];

	ck_assert_int_eq(reach_classify(r, 3), 0);
	reach_forge(r, ELA_PROBE_BY_UDP, 7, frame);
	for (uint32_t i = 0; i < 10; i++)
		reach_datagram(r, i % 2 ? 2 : 77, frame, sizeof frame);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "probes-in"), 1);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-probe-unasked"), 9);
}
END_TEST

/* Somebody who knows the network floods from elsewhere: the cores' own places stay free. */
START_TEST(flood)
{
	uint8_t frame[ELA_PROBE_LEN];

	ck_assert_int_eq(reach_classify(r, 3), 0);
	for (uint32_t i = 0; i < 100; i++) {
		reach_forge(r, ELA_PROBE_BY_UDP, i, frame);
		reach_datagram(r, 77, frame, sizeof frame);
		reach_forge(r, ELA_PROBE_BY_TCP, i, frame);
		reach_stream(r, 77, frame, sizeof frame);
	}
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "probes-in"), 2 * ELA_CLASSIFY_FOREIGN);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-probe-unasked"), 200 - 2 * ELA_CLASSIFY_FOREIGN);
	reach_run(r, 3 * ELA_SEC);
	is(ELA_ROLE_CORE, ELA_PROBE_NONE, 2);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "stranger-bytes-out"), 0);
}
END_TEST

/* What a lane takes that is no datagram of its own socket. */
static void over(struct lone *l, const struct ela_path *path, uint8_t *frame)
{
	struct ela_lane *lane = l->node->lanes[0];

	ela_lane_begin(lane);
	ela_decapsulate_train(lane, frame, ELA_PROBE_LEN, ELA_PROBE_LEN, path, 0);
	lone_look(l);
}

/* Over a session's connection, through a neighbour, as a later record or over one that we dialled it shows nothing. */
START_TEST(wrong_ways)
{
	struct lone *l = r->wire->nodes[REACH_NEWCOMER];
	struct ela_path path = lone_path(2);
	uint8_t frame[ELA_PROBE_LEN];
	struct reach_call *call;
	struct ela_link *link;

	ck_assert_int_eq(reach_classify(r, 2), 0);
	reach_forge(r, ELA_PROBE_BY_TCP, 1, frame);
	path.link = 99;
	over(l, &path, frame);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-type"), 1);
	reach_forge(r, ELA_PROBE_BY_UDP, 1, frame);
	path = ela_via_path(wire_peer(r->wire, REACH_NEWCOMER, 2)->number, 7);
	over(l, &path, frame);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-type"), 2);
	for (int dialled = 0; dialled < 2; dialled++) {
		call = g_new0(struct reach_call, 1);
		g_ptr_array_add(r->calls, call);
		reach_forge(r, ELA_PROBE_BY_TCP, 1, frame);
		ela_record_put(call->bytes, ELA_RECORD_FRAME, sizeof frame);
		memcpy(call->bytes + ELA_RECORD_HEAD, frame, sizeof frame);
		call->len = ELA_RECORD_HEAD + sizeof frame;
		link = lone_accept(l, 2, call);
		call->to = link->conn;
		link->dialled = dialled;
		link->greetings = dialled ? 0 : 1;
		(void)ela_link_poll_greeting(link);
		ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "drop-stream"), 1 + (uint64_t)dialled);
	}
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "probes-in"), 0);
	ck_assert_uint_eq(reach_count(r, REACH_NEWCOMER, "stranger-bytes-in"), 0);
}
END_TEST

/* Control has no turn while probes pour in: sealed messages still find room in its ring. */
START_TEST(room_for_messages)
{
	struct lone *l = r->wire->nodes[REACH_NEWCOMER];
	struct ela_lane *lane = l->node->lanes[0];
	const struct ela_path path = lone_path(77);
	uint8_t frame[ELA_PROBE_LEN];

	reach_forge(r, ELA_PROBE_BY_UDP, 1, frame);
	for (uint32_t i = 0; i < 2 * ELA_RING_SLOTS; i++)
		ela_lane_to_control(lane, &path, frame, sizeof frame);
	ck_assert_uint_eq(ela_ring_fill(lane->up), ELA_RING_SLOTS - ELA_RING_KEPT);
	ck_assert_uint_eq(
		reach_count(r, REACH_NEWCOMER, "drop-control-full"), 2 * ELA_RING_SLOTS - (ELA_RING_SLOTS - ELA_RING_KEPT));
	frame[1] = ELA_TYPE_MESSAGE;
	ela_lane_to_control(lane, &path, frame, sizeof frame);
	ck_assert_uint_eq(ela_ring_fill(lane->up), ELA_RING_SLOTS - ELA_RING_KEPT + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classification");
	TCase *tc = tcase_create("asking");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, core);
	tcase_add_loop_test(tc, edge, 0, 4);
	tcase_add_test(tc, several_addresses);
	tcase_add_test(tc, silent_core);
	tcase_add_test(tc, no_verdict);
	tcase_add_test(tc, refusing_core);
	tcase_add_test(tc, from_its_end);
	tcase_add_loop_test(tc, cancelled, 0, 5);
	tcase_add_loop_test(tc, cores_vanish, 0, 18);
	tcase_add_loop_test(tc, node_ends, 0, 5);
	tcase_add_test(tc, nobody_to_ask);
	tcase_add_test(tc, nothing_is_sent);
	tcase_add_test(tc, unasked);
	tcase_add_test(tc, bad_probes);
	tcase_add_test(tc, repeated);
	tcase_add_test(tc, flood);
	tcase_add_test(tc, wrong_ways);
	tcase_add_test(tc, room_for_messages);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
