/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-exchange: core/responder.c and core/initiator.c message by message: two nodes (lone.h) whose messages the test
 * carries, drops, repeats and changes. After each message: who has which session, what was said, which counter grew.
 */
#include "lone.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 64u

struct message {
	uint32_t to; /* node, from 1 */
	uint32_t len;
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
};

static struct {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *nodes[4]; /* by number; 1 and 2 know each other, 3 knows 2 */
	struct message sent[MESSAGES];
	uint32_t n_sent;
} bench;

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct message *m = &bench.sent[bench.n_sent % MESSAGES];

	(void)l;
	ck_assert_uint_le(len, sizeof m->bytes);
	m->to = path->remote.ip[3];
	m->len = len;
	memcpy(m->bytes, bytes, len);
	bench.n_sent++;
}

#define NETWORK "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void begin_in(bool one_dials, bool two_dials, const char *one_network, const char *two_network)
{
	const struct ela_plugin *cipher = test_plugin_load(CIPHER_AEAD);
	const struct lone_spec specs[] = {
		{.cipher = cipher,
			.number = 1,
			.lanes = 2,
			.knows = (const uint8_t[]){2, 0},
			.dials = one_dials,
			.network = one_network},
		{.cipher = cipher,
			.number = 2,
			.lanes = 2,
			.knows = (const uint8_t[]){1, 0},
			.dials = two_dials,
			.network = two_network},
		{.cipher = cipher, .number = 3, .lanes = 2, .knows = (const uint8_t[]){2, 0}, .dials = true},
	};

	bench.world = lone_world_new(specs, 3);
	bench.loop = ela_loop_virtual_new(7);
	for (uint32_t i = 0; i < 3; i++) {
		bench.nodes[i + 1] = lone_new(bench.world, i, bench.loop);
		ela_initiator_cancel(lone_peer(bench.nodes[i + 1], i == 1 ? 1 : 2));
		bench.nodes[i + 1]->on_send = on_send;
	}
}

static void begin(bool one_dials, bool two_dials)
{
	begin_in(one_dials, two_dials, NULL, NULL);
}

static void setup(void)
{
	begin(true, true);
}

static void setup_one(void)
{
	begin(true, false);
}

static void setup_given(void)
{
	begin_in(true, true, NETWORK, NETWORK);
}

static void setup_apart(void)
{
	begin_in(true, true, NETWORK, NULL);
}

static void setup_silent(void)
{
	begin(false, false);
}

static void teardown(void)
{
	for (uint32_t i = 1; i <= 3; i++)
		lone_free(bench.nodes[i]);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
}

/* ---- steps ---- */

static struct ela_peer *peer(uint32_t of)
{
	return lone_peer(bench.nodes[of], of == 2 ? 1 : 2);
}

/* The session that it answered with last and that waits for a frame, NULL without. */
static struct ela_session *offered(uint32_t of)
{
	const struct ela_offer *newest = &peer(of)->offers[0];

	for (uint32_t i = 1; i < ELA_ATTEMPTS; i++)
		if (peer(of)->offers[i].born_ns > newest->born_ns)
			newest = &peer(of)->offers[i];
	return newest->session;
}

static uint64_t count(uint32_t of, const char *name)
{
	return lone_counter(bench.nodes[of], name);
}

static struct message copy(uint32_t i)
{
	ck_assert_uint_lt(i, bench.n_sent);
	ck_assert_uint_le(bench.n_sent - i, MESSAGES);
	return bench.sent[i % MESSAGES];
}

/* Node `of` starts; its message 1. */
static struct message start(uint32_t of)
{
	uint32_t before = bench.n_sent;

	ela_initiate(peer(of));
	ck_assert_uint_eq(bench.n_sent, before + 1);
	ck_assert_uint_eq(copy(before).bytes[8], ELA_HANDSHAKE_INIT);
	return copy(before);
}

static void carry_from(const struct message *m, uint8_t from, uint16_t port)
{
	struct ela_path path = lone_path(from);

	path.remote.port = port;
	lone_receive(bench.nodes[m->to], &path, m->bytes, m->len, m->len, m->len, 0);
}

/* How many messages it makes its receiver say at once. */
static uint32_t carry(const struct message *m)
{
	uint32_t before = bench.n_sent;

	carry_from(m, m->to == 2 ? 1 : 2, 7450);
	return bench.n_sent - before;
}

/* The one message that carrying m makes. */
static struct message answer_to(const struct message *m)
{
	ck_assert_uint_eq(carry(m), 1);
	return copy(bench.n_sent - 1);
}

/* mac1 made again, as anyone can who knows the receiver's public key. */
static void make_mac1(struct message *m)
{
	ck_assert_uint_eq(
		ela_handshake_mac(m->bytes, m->len - ELA_HANDSHAKE_MACS, bench.nodes[m->to]->node->mac1_key, NULL), m->len);
}

static void nobody_has_anything(void)
{
	for (uint32_t i = 1; i <= 3; i++) {
		ck_assert_ptr_null(peer(i)->current);
		ck_assert_ptr_null(offered(i));
	}
}

/* Both send with the two ends of one session. */
static void both_have_it(void)
{
	const struct ela_session *a = peer(1)->current, *b = peer(2)->current;

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(a->with.local_index, b->with.remote_index);
	ck_assert_uint_eq(b->with.local_index, a->with.remote_index);
	ck_assert_mem_eq(a->control_send, b->control_recv, sizeof a->control_send);
	ck_assert_mem_eq(a->control_recv, b->control_send, sizeof a->control_recv);
	ck_assert_mem_ne(a->control_send, a->control_recv, sizeof a->control_send);
	ck_assert_uint_eq(a->with.local_lanes, b->with.remote_lanes);
	ck_assert(a->with.initiator != b->with.initiator);
}

static void shake(uint32_t initiator)
{
	struct message init = start(initiator), answer = answer_to(&init), sealed = answer_to(&answer);

	ck_assert_uint_eq(carry(&sealed), 0);
	both_have_it();
}

/* ---- as it should be ---- */

START_TEST(three_messages)
{
	struct message init = start(1), answer, sealed;

	nobody_has_anything();
	answer = answer_to(&init);
	ck_assert_uint_eq(answer.bytes[8], ELA_HANDSHAKE_ANSWER);
	ck_assert_uint_le(answer.len, init.len); /* never more than what asked for it */
	ck_assert_ptr_null(peer(2)->current);    /* it may be a replay: not used before a sealed frame came */
	ck_assert_ptr_null(peer(2)->tx_shadow);
	ck_assert_ptr_nonnull(offered(2));
	sealed = answer_to(&answer);
	ck_assert_uint_eq(sealed.bytes[1], ELA_TYPE_MESSAGE);
	ck_assert_uint_eq(sealed.len, ELA_FRAME_MIN);
	ck_assert_ptr_nonnull(peer(1)->current);
	ck_assert_uint_eq(carry(&sealed), 0);
	both_have_it();
	ck_assert_ptr_null(offered(2));
	for (uint32_t i = 1; i <= 2; i++) {
		ck_assert_uint_eq(count(i, "handshakes-done"), 1);
		ck_assert_uint_eq(count(i, "rekeys"), 0);
	}
}
END_TEST

/* The keys are right, the networks are two. */
START_TEST(other_network)
{
	struct message both[] = {start(1), start(2)};

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t to = both[i].to;

		ck_assert_uint_eq(carry(&both[i]), 0);
		ck_assert_uint_eq(count(to, "drop-destination"), 1);
		memset(both[i].bytes + 4, 0, 4); /* for whoever is there */
		ck_assert_uint_eq(carry(&both[i]), 0);
		ck_assert_uint_eq(count(to, "drop-mac1"), 1);
	}
	nobody_has_anything();
}
END_TEST

START_TEST(again_is_a_rekey)
{
	struct ela_session *first;

	shake(1);
	first = peer(1)->current;
	lone_pass(bench.loop, ELA_SEC);
	bench.n_sent = 0;
	shake(1);
	ck_assert_ptr_ne(peer(1)->current, first);
	ck_assert_ptr_eq(peer(1)->previous, first); /* frames under the old keys may be on their way */
	ck_assert_uint_eq(count(1, "rekeys"), 1);
	ck_assert_uint_eq(count(2, "rekeys"), 1);
	lone_pass(bench.loop, 21 * ELA_SEC);
	ck_assert_ptr_null(peer(1)->previous);
	ck_assert_ptr_null(peer(2)->previous);
}
END_TEST

/* The responder goes on with the old keys until a frame under the new ones came. */
START_TEST(old_keys_until_proof)
{
	struct ela_session *old;
	struct message init, answer;

	shake(1);
	old = peer(2)->current;
	lone_pass(bench.loop, ELA_SEC);
	init = start(1);
	answer = answer_to(&init);
	ck_assert_uint_eq(answer.bytes[8], ELA_HANDSHAKE_ANSWER);
	ck_assert_ptr_eq(peer(2)->current, old);
	ck_assert_ptr_eq(peer(2)->tx_shadow->session, old);
	lone_pass(bench.loop, 6 * ELA_SEC); /* the answer is lost */
	ck_assert_ptr_null(offered(2));
	ck_assert_ptr_eq(peer(2)->current, old);
}
END_TEST

/* ---- changed and repeated ---- */

/* Behind a good mac1, too, no bit of the Noise message or of the sender's ID may differ; nothing is said, nothing
 * changes. */
START_TEST(every_bit_of_message_1)
{
	struct message init = start(1);
	uint32_t tries = 0;

	for (uint32_t bit = 8 * 16; bit < 8 * (init.len - ELA_HANDSHAKE_MACS); bit++) {
		struct message m = init;

		if (bit / 8 >= 20 && bit / 8 < 24)
			continue; /* receiver index: means nothing in message 1 */
		m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit == 8 * (ELA_HANDSHAKE_HEAD + 32) - 1)
			continue; /* the top bit of an X25519 point is ignored (RFC 7748), but hashed: see below */
		make_mac1(&m);
		lone_pass(bench.loop, 60 * ELA_MSEC); /* within the rate */
		bench.n_sent = 0;
		ck_assert_msg(carry(&m) == 0, "bit %u is answered", bit);
		ck_assert_msg(!offered(2) && !peer(2)->current, "bit %u", bit);
		tries++;
	}
	ck_assert_uint_eq(count(2, "drop-handshake") + count(2, "drop-unknown-key") + count(2, "drop-repeated"), tries);
	ck_assert_uint_eq(count(2, "drop-mac1"), 0);
	init.bytes[ELA_HANDSHAKE_HEAD + 31] ^= 0x80;
	make_mac1(&init);
	lone_pass(bench.loop, ELA_SEC);
	bench.n_sent = 0;
	ck_assert_uint_eq(carry(&init), 0);
	ck_assert_ptr_null(offered(2));
}
END_TEST

START_TEST(every_bit_without_mac1)
{
	struct message init = start(1);

	for (uint32_t bit = 0; bit < 8 * (init.len - ELA_MAC_LEN); bit++) {
		struct message m = init;

		if (bit / 8 == 2 || bit / 8 == 3)
			continue; /* relays change TTL and flags */
		m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(carry(&m) == 0, "bit %u is answered", bit);
		ck_assert_msg(!offered(2), "bit %u", bit);
	}
	ck_assert_uint_ge(count(2, "drop-mac1"), 8 * (init.len - ELA_MAC_LEN - 16));
	ck_assert_uint_eq(carry(&init), 1);
}
END_TEST

START_TEST(every_bit_of_message_2)
{
	struct message init = start(1), answer = answer_to(&init);

	for (uint32_t bit = 8 * 12; bit < 8 * (answer.len - ELA_HANDSHAKE_MACS); bit++) {
		struct message m = answer;
		uint32_t byte = bit / 8;

		if (byte >= 12 && byte < 16)
			continue; /* sender index: the sealed frame that follows would go astray, no more */
		m.bytes[byte] ^= (uint8_t)(1u << bit % 8);
		make_mac1(&m);
		ck_assert_msg(carry(&m) == 0, "bit %u", bit);
		ck_assert_msg(!peer(1)->current, "bit %u", bit);
		lone_pass(bench.loop, 3 * ELA_MSEC); /* within the rate */
	}
	bench.n_sent = 0;
	ck_assert_uint_eq(carry(&answer), 1); /* none of them harmed the handshake */
	ck_assert_ptr_nonnull(peer(1)->current);
}
END_TEST

START_TEST(repeated)
{
	struct message init = start(1), answer, sealed;

	answer = answer_to(&init);
	ck_assert_uint_eq(carry(&init), 0); /* the same again, and from elsewhere */
	carry_from(&init, 77, 1234);
	ck_assert_uint_eq(count(2, "drop-repeated"), 2);
	sealed = answer_to(&answer);
	ck_assert_uint_eq(carry(&answer), 0);
	ck_assert_uint_eq(count(1, "drop-answer"), 1);
	ck_assert_uint_eq(carry(&sealed), 0);
	ck_assert_uint_eq(carry(&sealed), 0);
	ck_assert_uint_eq(count(2, "drop-replay"), 1);
	both_have_it();
	ck_assert_uint_eq(count(2, "handshakes-done"), 1);
	for (uint32_t s = 0; s < 170; s += 10) { /* for three minutes */
		lone_pass(bench.loop, 10 * ELA_SEC);
		bench.n_sent = 0;
		carry_from(&init, 77, 1234);
		ck_assert_uint_eq(bench.n_sent, 0);
	}
}
END_TEST

/* ---- strangers ---- */

START_TEST(stranger)
{
	struct message init = start(3);

	bench.n_sent = 0;
	carry_from(&init, 3, 7450);
	ck_assert_uint_eq(bench.n_sent, 0);
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 1);
	ck_assert_uint_eq(count(2, "stranger-bytes-out"), 0);
	nobody_has_anything();
}
END_TEST

/* Five at once, then twenty a second; by address, whatever the port; others are not touched. Beyond, a cookie is due.
 */
START_TEST(rate)
{
	struct message inits[30];

	for (uint32_t i = 0; i < 30; i++)
		inits[i] = start(3);
	for (uint32_t i = 0; i < 10; i++)
		carry_from(&inits[i], 3, (uint16_t)(1000 + i));
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 5);
	ck_assert_uint_eq(count(2, "cookies-out"), 5);
	carry_from(&inits[10], 4, 7450);
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 6);
	for (uint32_t i = 11; i < 21; i++) {
		lone_pass(bench.loop, 51 * ELA_MSEC);
		carry_from(&inits[i], 3, 7450);
	}
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 16);
	ck_assert_uint_eq(count(2, "cookies-out"), 5);
}
END_TEST

/* Who brings the cookie back has a share of his own, and no more than that. */
START_TEST(rate_with_cookie)
{
	struct message strange = start(3), init, cookie;

	for (uint32_t i = 0; i < 20; i++) { /* somebody else writes node 1's address */
		carry_from(&strange, 1, 7450);
		strange = start(3);
	}
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 5);
	init = start(1);
	cookie = answer_to(&init);
	ck_assert_uint_eq(cookie.bytes[8], ELA_HANDSHAKE_COOKIE);
	init = answer_to(&cookie);
	init = answer_to(&init);
	ck_assert_uint_eq(init.bytes[8], ELA_HANDSHAKE_ANSWER);
	for (uint32_t i = 0; i < 10; i++) {
		init = start(1);    /* with the cookie */
		(void)carry(&init); /* answered within the share */
	}
	ck_assert_uint_eq(count(2, "drop-rate"), 6);
}
END_TEST

/* ---- cookies ---- */

/* Sessions are offered to node 1 already: whoever else comes in its name shows that he receives there. */
START_TEST(taken_slots)
{
	struct message first, answer, second, cookie, third, sealed;
	struct ela_session *held;

	for (uint32_t i = 0; i < ELA_ATTEMPTS - 1; i++) {
		first = start(1);
		answer = answer_to(&first);
		ck_assert_uint_eq(answer.bytes[8], ELA_HANDSHAKE_ANSWER);
		lone_pass(bench.loop, 10 * ELA_MSEC);
	}
	held = offered(2);
	second = start(1);
	cookie = answer_to(&second);
	ck_assert_uint_eq(cookie.bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert_uint_le(cookie.len, second.len);
	ck_assert_ptr_eq(offered(2), held); /* it stays */
	third = answer_to(&cookie);         /* message 1 again, with mac2 */
	ck_assert_uint_eq(third.bytes[8], ELA_HANDSHAKE_INIT);
	ck_assert_uint_eq(count(1, "cookies-in"), 1);
	carry_from(&third, 9, 7450); /* from another address the cookie says nothing */
	ck_assert_uint_eq(copy(bench.n_sent - 1).bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert_ptr_eq(offered(2), held);
	carry_from(&third, 1, 7451); /* from another port neither */
	ck_assert_uint_eq(copy(bench.n_sent - 1).bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert_ptr_eq(offered(2), held);
	answer = answer_to(&third); /* who only heard it took nothing from it */
	ck_assert_uint_eq(answer.bytes[8], ELA_HANDSHAKE_ANSWER);
	sealed = answer_to(&answer);
	ck_assert_uint_eq(carry(&sealed), 0);
	both_have_it();
}
END_TEST

static void load_node_2(void)
{
	struct ela_ring *ring = bench.nodes[2]->node->lanes[1]->up;

	while (ela_ring_fill(ring) < 40) {
		struct ela_ring_slot *slot = ela_ring_claim(ring);

		slot->path = lone_path(9);
		slot->len = 8;
		memset(slot->data, 0, 8);
		ela_ring_push(ring);
	}
}

/* With much to do a cookie comes before any multiplication, to strangers too; ten seconds later no more. */
START_TEST(under_load)
{
	struct message init = start(1), strange = start(3), cookie, answer;

	load_node_2();
	cookie = answer_to(&init);
	ck_assert_uint_eq(cookie.bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert_ptr_null(offered(2));
	bench.n_sent = 0;
	carry_from(&strange, 3, 7450);
	ck_assert_uint_eq(copy(0).bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 0);
	init = answer_to(&cookie);
	answer = answer_to(&init);
	ck_assert_uint_eq(answer.bytes[8], ELA_HANDSHAKE_ANSWER);
	ck_assert_uint_eq(count(2, "cookies-out"), 2);
	lone_pass(bench.loop, 11 * ELA_SEC);
	bench.n_sent = 0;
	strange = start(3);
	carry_from(&strange, 3, 7450);
	ck_assert_uint_eq(count(2, "drop-unknown-key"), 1);
}
END_TEST

/* A cookie that the transport does not take is one drop, and no cookie. */
START_TEST(cookie_unsent)
{
	static const int errs[] = {-EAGAIN, -ENOBUFS};
	struct message init = start(1);

	load_node_2();
	for (uint32_t i = 0; i < 2; i++) {
		bench.nodes[2]->send_err = errs[i];
		carry_from(&init, 1, 7450);
		ck_assert_uint_eq(count(2, "drop-send"), i + 1);
		ck_assert_uint_eq(count(2, "cookies-out"), 0);
		ck_assert_uint_eq(count(2, "stranger-bytes-out"), 0);
	}
	bench.nodes[2]->send_err = 0;
	ck_assert_uint_eq(answer_to(&init).bytes[8], ELA_HANDSHAKE_COOKIE);
	ck_assert_uint_eq(count(2, "drop-send"), 2);
	ck_assert_uint_eq(count(2, "cookies-out"), 1);
}
END_TEST

START_TEST(cookies_nobody_asked_for)
{
	struct message init = start(1), cookie;

	load_node_2();
	cookie = answer_to(&init);
	for (uint32_t bit = 8 * 20; bit < 8 * cookie.len; bit++) {
		struct message m = cookie;

		m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(carry(&m) == 0, "bit %u", bit);
	}
	ck_assert_uint_eq(count(1, "drop-answer"), 8 * 4); /* its receiver index: to no message of ours */
	ck_assert_uint_eq(count(1, "drop-cookie"), 8 * (cookie.len - 24));
	ck_assert_uint_eq(count(1, "cookies-in"), 0);
	lone_pass(bench.loop, 11 * ELA_SEC); /* nobody waits for it any more */
	bench.n_sent = 0;
	ck_assert_uint_eq(carry(&cookie), 0);
	ck_assert_uint_eq(count(1, "drop-answer"), 8 * 4 + 1);
}
END_TEST

/* ---- both at once ---- */

/* The smaller key stays initiator: the other one's message 1 is ignored, its own answered. */
START_TEST(race)
{
	uint32_t small = memcmp(bench.nodes[1]->node->public_key, bench.nodes[2]->node->public_key, 32) < 0 ? 1 : 2;
	uint32_t large = 3 - small;
	struct message of_small = start(small), of_large = start(large), answer, sealed;

	ck_assert_uint_eq(carry(&of_large), 0);
	ck_assert_uint_eq(count(small, "drop-race"), 1);
	ck_assert_ptr_null(offered(small));
	answer = answer_to(&of_small);
	ck_assert_uint_eq(answer.bytes[8], ELA_HANDSHAKE_ANSWER);
	sealed = answer_to(&answer);
	ck_assert_uint_eq(carry(&sealed), 0);
	both_have_it();
	ck_assert(peer(small)->current->with.initiator);
}
END_TEST

/* Its own message was lost: half a second later it answers. */
START_TEST(race_with_a_loss)
{
	uint32_t small = memcmp(bench.nodes[1]->node->public_key, bench.nodes[2]->node->public_key, 32) < 0 ? 1 : 2;
	struct message of_small = start(small), of_large;

	(void)of_small; /* lost */
	lone_pass(bench.loop, 499 * ELA_MSEC);
	peer(small)->retry_ns = 0; /* the next try of its own is not what this is about */
	of_large = start(3 - small);
	ck_assert_uint_eq(carry(&of_large), 0);
	lone_pass(bench.loop, 2 * ELA_MSEC);
	of_large = start(3 - small);
	ck_assert_uint_eq(carry(&of_large), 1);
	ck_assert_ptr_nonnull(offered(small));
}
END_TEST

/* ---- time ---- */

/* The last four message 1s may be answered, for ten seconds. */
START_TEST(late_answers)
{
	struct message inits[5], answers[5];

	for (uint32_t i = 0; i < 5; i++)
		inits[i] = start(1);
	answers[0] = answer_to(&inits[0]);
	ck_assert_uint_eq(carry(&answers[0]), 0);
	ck_assert_uint_eq(count(1, "drop-answer"), 1);
	peer(1)->retry_ns = 0;              /* further tries would push these out */
	lone_pass(bench.loop, 6 * ELA_SEC); /* the slot is free again */
	answers[1] = answer_to(&inits[1]);
	ck_assert_uint_eq(answers[1].bytes[8], ELA_HANDSHAKE_ANSWER);
	lone_pass(bench.loop, 5 * ELA_SEC);
	ck_assert_uint_eq(carry(&answers[1]), 0);
	ck_assert_uint_eq(count(1, "drop-answer"), 2);
	ck_assert_ptr_null(peer(1)->current);
}
END_TEST

START_TEST(answer_to_the_oldest)
{
	struct message inits[4], answer, sealed;

	for (uint32_t i = 0; i < 4; i++)
		inits[i] = start(1);
	answer = answer_to(&inits[0]);
	sealed = answer_to(&answer);
	ck_assert_uint_eq(carry(&sealed), 0);
	both_have_it();
}
END_TEST

/* Nobody answers: at 0.5 s, then ever later, 30 s at most; never again and again. */
START_TEST(patience)
{
	uint64_t last, gap = 0;

	lone_pass(bench.loop, 60 * ELA_SEC); /* no packet wants to go there */
	(void)start(1);
	last = ela_loop_now(bench.loop);
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t before = bench.n_sent;
		uint64_t now;

		while (bench.n_sent == before)
			lone_pass(bench.loop, 10 * ELA_MSEC);
		now = ela_loop_now(bench.loop);
		ck_assert_uint_ge(now - last + 60 * ELA_MSEC, gap); /* ticks are 50 ms apart */
		gap = now - last;
		last = now;
		ck_assert_uint_le(gap, 31 * ELA_SEC);
		ck_assert(i > 0 || (gap >= 490 * ELA_MSEC && gap <= 600 * ELA_MSEC));
	}
	ck_assert_uint_ge(gap, 29 * ELA_SEC);
}
END_TEST

/* Without an endpoint a node waits to be called. */
START_TEST(waits_to_be_called)
{
	ela_initiate(peer(1));
	lone_pass(bench.loop, 100 * ELA_SEC);
	ck_assert_uint_eq(bench.n_sent, 0);
	ck_assert(!ela_initiator_busy(peer(1)));
}
END_TEST

/* Indices of what came to nothing are free again. */
START_TEST(no_index_is_lost)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < 300; i++) {
		struct message init = start(1);

		if (i % 3 == 0)
			(void)carry(&init); /* answered or not */
		lone_pass(bench.loop, 700 * ELA_MSEC);
		bench.n_sent = 0;
	}
	for (uint32_t n = 1; n <= 2; n++)
		for (uint32_t i = 0; i < ELA_INDEX_SLOTS; i++)
			used += bench.nodes[n]->node->index_used[i];
	ck_assert_uint_le(used, 2 * (ELA_ATTEMPTS + 3));
	lone_pass(bench.loop, 6 * ELA_SEC);
	ela_initiator_cancel(peer(1));
	ela_initiator_cancel(peer(2));
	for (uint32_t i = 0; i < ELA_INDEX_SLOTS; i++)
		ck_assert(!bench.nodes[1]->node->index_used[i] && !bench.nodes[2]->node->index_used[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exchange");
	TCase *tc = tcase_create("exchange"), *one = tcase_create("one"), *silent = tcase_create("silent");
	TCase *given = tcase_create("given"), *apart = tcase_create("apart");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, three_messages);
	tcase_add_test(tc, again_is_a_rekey);
	tcase_add_test(tc, old_keys_until_proof);
	tcase_add_test(tc, every_bit_without_mac1);
	tcase_add_test(tc, every_bit_of_message_2);
	tcase_add_test(tc, repeated);
	tcase_add_test(tc, stranger);
	tcase_add_test(tc, rate);
	tcase_add_test(tc, rate_with_cookie);
	tcase_add_test(tc, taken_slots);
	tcase_add_test(tc, under_load);
	tcase_add_test(tc, cookie_unsent);
	tcase_add_test(tc, cookies_nobody_asked_for);
	tcase_add_test(tc, race);
	tcase_add_test(tc, race_with_a_loss);
	tcase_add_test(tc, patience);
	tcase_add_test(tc, no_index_is_lost);
	tcase_add_test(tc, every_bit_of_message_1);
	suite_add_tcase(suite, tc);
	tcase_set_timeout(one, 120);
	tcase_add_checked_fixture(one, setup_one, teardown);
	tcase_add_test(one, late_answers);
	tcase_add_test(one, answer_to_the_oldest);
	suite_add_tcase(suite, one);
	tcase_add_checked_fixture(given, setup_given, teardown);
	tcase_add_test(given, three_messages);
	suite_add_tcase(suite, given);
	tcase_add_checked_fixture(apart, setup_apart, teardown);
	tcase_add_test(apart, other_network);
	suite_add_tcase(suite, apart);
	tcase_set_timeout(silent, 120);
	tcase_add_checked_fixture(silent, setup_silent, teardown);
	tcase_add_test(silent, waits_to_be_called);
	suite_add_tcase(suite, silent);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
