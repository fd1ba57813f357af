/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-intruder: what somebody can do who hears, repeats and relays other nodes' handshakes, or makes answers of his
 * own: connections that carry two peers' handshakes, floods of answers, old messages, message 1 brought by another.
 * Nodes 1 and 3 know 2, which knows both (lone.h).
 */
#include "lone.h"
#include "test-host.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N 4u

struct message {
	uint32_t len;
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
};

static struct {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *nodes[N + 1];
	struct message said[N + 1]; /* the last one of each node */
	uint32_t n_said[N + 1], n_written[N + 1];
	struct lone_conn *dialled;
} bench;

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct message *m = &bench.said[l->number];

	(void)path;
	ck_assert_uint_le(len, sizeof m->bytes);
	m->len = len;
	memcpy(m->bytes, bytes, len);
	bench.n_said[l->number]++;
}

static int on_conn_write(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	(void)buf;
	(void)ret_err;
	bench.n_written[conn->l->number]++;
	return (int)len;
}

static void on_connect(struct lone *l, struct lone_conn *conn, const struct ela_addr *remote)
{
	(void)l;
	(void)remote;
	bench.dialled = conn;
}

static void setup(void)
{
	const struct ela_plugin *cipher = test_plugin_load(CIPHER_AEAD);
	const struct lone_spec specs[] = {
		{.cipher = cipher, .number = 1, .knows = (const uint8_t[]){2, 0}, .dials = true},
		{.cipher = cipher, .number = 2, .knows = (const uint8_t[]){1, 3, 0}},
		{.cipher = cipher, .number = 3, .knows = (const uint8_t[]){2, 0}, .dials = true},
		{.cipher = cipher, .number = 4, .knows = (const uint8_t[]){2, 0}, .dials = true, .stream = true},
	};

	memset(&bench, 0, sizeof bench);
	bench.world = lone_world_new(specs, N);
	bench.loop = ela_loop_virtual_new(11);
	for (uint32_t i = 0; i < N; i++) {
		struct lone *l = bench.nodes[i + 1] = lone_new(bench.world, i, bench.loop);

		if (i != 1)
			ela_initiator_cancel(lone_peer(l, 2));
		l->on_send = on_send;
		l->on_conn_write = on_conn_write;
		l->on_connect = on_connect;
	}
}

static void teardown(void)
{
	for (uint32_t i = 1; i <= N; i++)
		lone_free(bench.nodes[i]);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
}

/* Message 1 of a node to node 2. */
static struct message start(uint32_t of)
{
	uint32_t before = bench.n_said[of];

	ela_initiate(lone_peer(bench.nodes[of], 2));
	ck_assert_uint_eq(bench.n_said[of], before + 1);
	return bench.said[of];
}

/* Brings m to a node from node from's address; whether the node said something. */
static bool bring(const struct message *m, uint32_t to, uint32_t from)
{
	const struct ela_path path = lone_path(from);
	uint32_t before = bench.n_said[to];

	lone_receive(bench.nodes[to], &path, m->bytes, m->len, m->len, m->len, 0);
	return bench.n_said[to] != before;
}

static struct ela_path path_over(const struct ela_link *link)
{
	return (struct ela_path){.remote = link->remote, .transport = LONE_STREAM, .link = link->id};
}

static bool bring_over(const struct message *m, const struct ela_link *link)
{
	const struct ela_path path = path_over(link);

	return ela_handshake_input(bench.nodes[2]->node, &path, m->bytes, m->len);
}

static uint64_t count(uint32_t of, const char *name)
{
	return lone_counter(bench.nodes[of], name);
}

/* ---- one connection, one peer ---- */

START_TEST(two_over_one)
{
	struct message of_1 = start(1), of_3 = start(3), again;
	struct ela_link *link = lone_accept(bench.nodes[2], 1, NULL);

	ck_assert(bring_over(&of_1, link));
	ck_assert_ptr_eq(link->peer, lone_peer(bench.nodes[2], 1));
	ck_assert(!bring_over(&of_3, link));
	ck_assert_uint_eq(ela_peer_offered_ns(lone_peer(bench.nodes[2], 3)), 0);
	ck_assert_uint_eq(count(2, "drop-handshake"), 1);
	again = start(1); /* its own go on */
	ck_assert(bring_over(&again, link));
	ck_assert_ptr_eq(link->peer, lone_peer(bench.nodes[2], 1));
	/* The other one is as welcome elsewhere as before. */
	of_3 = start(3);
	ck_assert(bring(&of_3, 2, 3));
}
END_TEST

START_TEST(over_a_dialled_one)
{
	struct lone *two = bench.nodes[2];
	struct ela_addr addr = lone_addr(1);
	struct message of_3 = start(3);
	struct ela_link *link = ela_link_dial(two->node, lone_peer(two, 1), &two->node->transports[LONE_STREAM], &addr);

	ck_assert_ptr_nonnull(link);
	lone_peer(two, 1)->dialling[0] = link;
	lone_opened(bench.dialled, 0);
	ck_assert(!bring_over(&of_3, link));
	ck_assert_ptr_eq(link->peer, lone_peer(two, 1));
	ck_assert_uint_eq(ela_peer_offered_ns(lone_peer(two, 3)), 0);
	ela_peer_reset(lone_peer(two, 3));
	ela_peer_reset(lone_peer(two, 1)); /* closes it */
	ck_assert_ptr_null(lone_peer(two, 1)->dialling[0]);
	lone_pass(bench.loop, ELA_SEC);
	ck_assert_uint_eq(two->n_conns, 0);
}
END_TEST

/* A connection that was only claimed goes with its peer, too. */
START_TEST(claimed_goes_with_its_peer)
{
	struct lone *two = bench.nodes[2];
	struct message of_1 = start(1);
	struct ela_link *link = lone_accept(two, 1, NULL);

	ck_assert(bring_over(&of_1, link));
	ck_assert_uint_eq(two->n_conns, 1);
	ela_peer_reset(lone_peer(two, 1));
	lone_pass(bench.loop, ELA_SEC);
	ck_assert_uint_eq(two->n_conns, 0);
}
END_TEST

/* A session of l with node k that runs over a connection. */
static struct ela_link *talk_over(struct lone *l, uint32_t k)
{
	struct ela_peer *peer = lone_peer(l, k);
	struct ela_session *s = lone_session(l, k, 5, 6, 1, 9);
	struct ela_link *link = lone_accept(l, k, NULL);
	struct ela_path path = path_over(link);

	ck_assert(ela_link_claim(l->node, link->id, peer));
	peer->link = link;
	ela_link_attach(link);
	ela_peer_publish(peer, s, &path);
	ck_assert_ptr_eq(peer->tx_shadow->link, link);
	(void)ela_node_turn(l->node); /* its lane takes it */
	return link;
}

/* New keys are due: datagrams, which the configuration likes better, are asked first, then the connection in use. */
START_TEST(better_way_first)
{
	struct lone *four = bench.nodes[4];
	struct ela_peer *peer = lone_peer(four, 2);
	uint32_t said, written;

	(void)talk_over(four, 2);
	said = bench.n_said[4];
	written = bench.n_written[4];
	ela_initiate(peer);
	(void)ela_node_turn(four->node);
	ck_assert_uint_eq(bench.n_said[4], said + 1);
	ck_assert_uint_eq(bench.said[4].bytes[8], ELA_HANDSHAKE_INIT);
	ck_assert_uint_eq(bench.n_written[4], written);
	lone_pass(bench.loop, 600 * ELA_MSEC);
	(void)ela_node_turn(four->node);
	ck_assert_uint_eq(bench.n_said[4], said + 1);
	ck_assert_uint_eq(bench.n_written[4], written + 1);
}
END_TEST

/* Whoever ends a connection: nothing is sent over it any more. */
START_TEST(closed_is_not_sent_over)
{
	struct lone *two = bench.nodes[2];
	struct ela_peer *peer = lone_peer(two, 1);
	struct ela_link *link = talk_over(two, 1);

	ela_link_close(link);
	ck_assert_ptr_null(peer->tx_shadow);
	(void)ela_node_turn(two->node);
	lone_pass(bench.loop, ELA_SEC);
}
END_TEST

/* ---- answers that nobody gave ---- */

static struct message forge_answer(const struct message *init, uint32_t salt)
{
	struct ela_node *node = bench.nodes[1]->node;
	struct message m = {0};

	ela_handshake_head(m.bytes, ELA_HANDSHAKE_ANSWER, 0, 77, ela_get32(init->bytes + 4), ela_get32(init->bytes + 12));
	ela_put32(m.bytes + 4, ela_get32(init->bytes + 16));
	for (uint32_t i = 0; i < 80; i++)
		m.bytes[ELA_HANDSHAKE_HEAD + i] = (uint8_t)(salt >> (i % 4 * 8) ^ i);
	m.len = ela_handshake_mac(m.bytes, ELA_HANDSHAKE_HEAD + 80, node->mac1_key, NULL);
	return m;
}

START_TEST(forged_answers)
{
	struct message init = start(1), answer;
	uint64_t tried;

	ck_assert(bring(&init, 2, 1));
	answer = bench.said[2];
	for (uint32_t i = 0; i < 5000; i++) {
		struct message m = forge_answer(&init, i);

		(void)bring(&m, 1, i % 2 ? 2 : 9);
		if (i % 5 == 0)
			lone_pass(bench.loop, ELA_MSEC / 5);
	}
	tried = count(1, "drop-handshake");
	ck_assert_uint_eq(tried + count(1, "drop-rate"), 5000);
	ck_assert_msg(tried >= 500 && tried <= 500 + 50 + 0.2 * 550 + 5, "%u multiplications", (unsigned)tried);
	lone_pass(bench.loop, 20 * ELA_MSEC);
	ck_assert(bring(&answer, 1, 2)); /* the true one still counts */
	ck_assert_ptr_nonnull(lone_peer(bench.nodes[1], 2)->current);
}
END_TEST

/* Cookies from elsewhere, or more than two of one message 1: not looked at. */
START_TEST(cookies_from_elsewhere)
{
	struct message init = start(1), cookie, old[8];

	for (uint32_t i = 0; i < 8; i++)
		old[i] = start(1);
	for (uint32_t i = 4; i < 8; i++) /* no room is left but for who shows that he is there */
		(void)bring(&old[i], 2, 1);
	init = bench.said[1];
	cookie = bench.said[2];
	ck_assert_uint_eq(cookie.bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert(!bring(&cookie, 1, 9));
	ck_assert_uint_eq(count(1, "drop-cookie"), 1);
	ck_assert_uint_eq(count(1, "cookies-in"), 0);
	ck_assert(bring(&cookie, 1, 2));
	lone_pass(bench.loop, 300 * ELA_MSEC);
	(void)bring(&cookie, 1, 2);
	(void)bring(&cookie, 1, 2);
	ck_assert_uint_eq(count(1, "cookies-in"), 2);
	ck_assert_uint_eq(count(1, "drop-cookie"), 2);
	(void)init;
}
END_TEST

/* ---- old and relayed messages ---- */

/* Three places are for whoever comes; the fourth is for who holds a cookie of now. */
START_TEST(old_ones_leave_room)
{
	struct message old[6], init;
	struct ela_peer *peer = lone_peer(bench.nodes[2], 1);

	for (uint32_t i = 0; i < 6; i++)
		old[i] = start(1);
	for (uint32_t i = 0; i < 6; i++) {
		(void)bring(&old[i], 2, 9);
		ck_assert_uint_eq(bench.said[2].bytes[8], i < 3 ? ELA_HANDSHAKE_ANSWER : ELA_HANDSHAKE_COOKIE);
		lone_pass(bench.loop, 60 * ELA_MSEC);
	}
	init = start(1);
	(void)bring(&init, 2, 1);
	(void)bring(&bench.said[2], 1, 2); /* a cookie: message 1 again, with it */
	init = bench.said[1];
	ck_assert(bring(&init, 2, 1));
	ck_assert_uint_eq(bench.said[2].bytes[8], ELA_HANDSHAKE_ANSWER);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(!bring(&old[i], 2, 9)); /* answered once, never again */
	(void)bring(&bench.said[2], 1, 2);
	(void)bring(&bench.said[1], 2, 1);
	ck_assert_ptr_nonnull(peer->current);
}
END_TEST

/* One member's handshakes, however many, do not make us forget another's. */
START_TEST(memory_of_each)
{
	struct message of_1 = start(1);

	ck_assert(bring(&of_1, 2, 1));
	for (uint32_t i = 0; i < 1100; i++) {
		struct message m = start(3);
		uint32_t from = 10 + i % 200;

		ck_assert_msg(bring(&m, 2, from) && bench.said[2].bytes[8] == ELA_HANDSHAKE_ANSWER, "handshake %u", i);
		(void)bring(&bench.said[2], 3, 2);
		(void)bring(&bench.said[3], 2, from); /* its first sealed frame */
		lone_pass(bench.loop, 60 * ELA_MSEC);
	}
	lone_pass(bench.loop, 6 * ELA_SEC);
	ck_assert(!bring(&of_1, 2, 1));
	ck_assert_uint_eq(count(2, "drop-repeated"), 1);
}
END_TEST

/* Message 1 was brought by somebody else, over a connection of his: packets go where the peer is heard. */
START_TEST(brought_by_another)
{
	struct message init = start(1);
	struct ela_link *link = lone_accept(bench.nodes[2], 9, NULL);
	struct ela_addr want = lone_addr(1);
	struct ela_session *s;
	struct ela_peer *peer = lone_peer(bench.nodes[2], 1);
	uint8_t frame[ELA_FRAME_MIN];
	struct ela_path path = lone_path(1);

	ck_assert(bring_over(&init, link));
	s = peer->offers[0].session;
	ck_assert_ptr_nonnull(s);
	/* What node 1 says over its own way, made from the session's other end: here by turning the keys round. */
	memcpy(s->control_send, s->control_recv, sizeof s->control_send);
	ck_assert_uint_eq(ela_session_seal_control(s, NULL, 0, frame), sizeof frame);
	ela_put32(frame + 4, 0);
	ela_put32(frame + 8, s->with.local_index);
	lone_receive(bench.nodes[2], &path, frame, sizeof frame, sizeof frame, sizeof frame, 0);
	ck_assert_ptr_eq(peer->current, s);
	ck_assert_mem_eq(&peer->tx_shadow->path.remote, &want, sizeof want);
	ck_assert_uint_eq(peer->tx_shadow->path.link, 0);
	ck_assert_ptr_null(peer->link);
}
END_TEST

/* The connection that brought message 1 ended before the first sealed frame was looked at: no session, nothing held. */
START_TEST(ended_before_confirmed)
{
	struct lone *two = bench.nodes[2];
	struct ela_peer *peer = lone_peer(two, 1);
	struct message init = start(1);
	struct ela_link *link = lone_accept(two, 1, NULL);
	const struct ela_path path = path_over(link);
	struct ela_session *s;

	ck_assert(bring_over(&init, link));
	s = peer->offers[0].session;
	ck_assert_ptr_nonnull(s);
	ela_link_close(link);
	ela_peer_confirm(peer, s, &path);
	ck_assert_ptr_null(peer->current);
	ck_assert_ptr_null(peer->tx_shadow);
	ck_assert(!peer->up);
	lone_pass(bench.loop, ELA_SEC);
	ck_assert_uint_eq(two->n_conns, 0);
	init = start(1); /* and the next one is taken */
	ck_assert(bring(&init, 2, 1));
	ck_assert(bring(&bench.said[2], 1, 2));
	(void)bring(&bench.said[1], 2, 1);
	ck_assert_ptr_nonnull(peer->current);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("intruder");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, two_over_one);
	tcase_add_test(all, over_a_dialled_one);
	tcase_add_test(all, claimed_goes_with_its_peer);
	tcase_add_test(all, closed_is_not_sent_over);
	tcase_add_test(all, better_way_first);
	tcase_add_test(all, forged_answers);
	tcase_add_test(all, cookies_from_elsewhere);
	tcase_add_test(all, old_ones_leave_room);
	tcase_add_test(all, memory_of_each);
	tcase_add_test(all, brought_by_another);
	tcase_add_test(all, ended_before_confirmed);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
