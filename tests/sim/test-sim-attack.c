/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attackers on the underlay: who sees everything, sends anything from any address, knows the public keys, and has kept
 * what was said before; but cannot keep others from speaking. And members who misuse what they may. What they do costs
 * the honest ones no session, moves no traffic, and nobody is answered more than was sent in his name.
 */
#include "sim.h"

#include "crypto.h"
#include "peer.h"

#define RTT(ms) (&(struct ela_mem_link){.delay_ns = (ms)*ELA_MSEC / 2})
#define ATTACKER "10.6.6.6"
#define ENOUGH 1000u

/* ---- what attackers do ---- */

static bool is_of(struct sim *s, uint32_t i, const struct ela_addr *addr)
{
	struct ela_addr its = sim_addr(s, i);

	return memcmp(its.ip, addr->ip, sizeof its.ip) == 0;
}

struct attack {
	struct sim *s;
	struct ela_addr from; /* the attacker */
	struct ela_timer *timer;
	uint64_t interval_ns;
	struct ela_timer *soon; /* sends what is queued: the tap itself may not */
	GPtrArray *queue;       /* struct sim_frame with from and to */
	GPtrArray *old;         /* struct sim_frame: message 1s of long ago */
	guint next_old;
	uint32_t n_each; /* how many at once */
	bool has_cookie;
	uint8_t cookie[16];
	uint64_t n_inits, n_cookies; /* of node 1; forged */
	uint64_t bytes_to, bytes_from;
};

static void send_queued(void *data)
{
	struct attack *a = data;

	for (guint k = 0; k < a->queue->len; k++) {
		const struct sim_frame *f = g_ptr_array_index(a->queue, k);

		sim_inject(a->s, &f->from, is_of(a->s, 1, &f->to), f->bytes, f->len);
	}
	g_ptr_array_set_size(a->queue, 0);
}

/* From within the tap: on the wire at once, as seen from the clock. */
static void send_soon(struct attack *a, const struct ela_addr *from, uint32_t to, const uint8_t *bytes, uint32_t len)
{
	struct sim_frame *f = g_malloc0(sizeof *f + len);

	f->from = *from;
	f->to = sim_addr(a->s, to);
	f->len = len;
	memcpy(f->bytes, bytes, len);
	g_ptr_array_add(a->queue, f);
	a->s->loop->ops->timer_set(a->soon, sim_now(a->s) + 1);
}

static struct attack *attack_new(struct sim *s)
{
	struct attack *a = g_new0(struct attack, 1);

	a->s = s;
	a->n_each = 1;
	a->old = g_ptr_array_new_with_free_func(g_free);
	a->queue = g_ptr_array_new_with_free_func(g_free);
	a->soon = s->loop->ops->timer_new(s->loop, send_queued, a);
	ck_assert_int_eq(ela_mem_addr(ATTACKER, 7450, &a->from), 0);
	s->data = a;
	return a;
}

static void attack_free(struct attack *a)
{
	a->s->on_frame = NULL;
	a->s->loop->ops->timer_free(a->timer);
	a->s->loop->ops->timer_free(a->soon);
	g_ptr_array_unref(a->old);
	g_ptr_array_unref(a->queue);
	g_free(a);
}

static bool is_handshake(const uint8_t *frame, uint8_t kind)
{
	return frame[1] == ELA_TYPE_HANDSHAKE && frame[8] == kind;
}

static bool both_up(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, 0, 1), *b = sim_peer(s, 1, 0);

	return a->tx_shadow && b->tx_shadow && a->current->with.local_index == b->current->with.remote_index;
}

/* Node 1 calls node 0. */
static struct sim *start(uint64_t seed)
{
	struct sim *s = sim_new(seed, 2, NULL);

	s->nodes[0].spec.dials = 0;
	return s;
}

/* ---- what was said before ---- */

/* The next old message 1, with mac2 if the attacker has a cookie: anybody who knows the public key can make one. */
static void send_old(struct attack *a, bool soon)
{
	struct sim *s = a->s;
	uint8_t message[ELA_HANDSHAKE_MAX];
	const struct sim_frame *f;

	if (a->next_old == a->old->len)
		return;
	f = g_ptr_array_index(a->old, a->next_old++);
	memcpy(message, f->bytes, f->len);
	if (a->has_cookie)
		ck_assert_uint_eq(
			ela_handshake_mac(message, f->len - ELA_HANDSHAKE_MACS, s->nodes[0].node->mac1_key, a->cookie), f->len);
	if (soon)
		send_soon(a, &a->from, 0, message, f->len);
	else
		sim_inject(s, &a->from, 0, message, f->len);
}

static void inject_old(struct attack *a)
{
	for (uint32_t i = 0; i < a->n_each; i++)
		send_old(a, false);
}

static void inject_old_later(void *data)
{
	inject_old(data);
}

/* A cookie for the attacker: good for all that he has kept. */
static void take_cookie(struct attack *a, const uint8_t *frame, uint32_t len)
{
	struct ela_handshake hs;

	ck_assert_int_eq(ela_handshake_parse(frame, len, &hs), 0);
	for (guint k = 0; k < a->next_old && !a->has_cookie; k++) {
		const struct sim_frame *f = g_ptr_array_index(a->old, k);

		a->has_cookie = ela_cookie_open(&hs, a->s->nodes[0].node->cookie_key, f->bytes + f->len - ELA_HANDSHAKE_MACS,
							a->cookie) == 0;
	}
	send_old(a, true);
}

/* Whenever node 1 calls, an old call of it comes to node 0 too: just before, or before it is answered. */
static bool call_too(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct attack *a = s->data;

	if (memcmp(&seen->to, &a->from, sizeof a->from) == 0 && is_handshake(frame, ELA_HANDSHAKE_COOKIE))
		take_cookie(a, frame, len);
	if (!is_of(s, 1, &seen->from) || !is_handshake(frame, ELA_HANDSHAKE_INIT))
		return true;
	a->n_inits++;
	s->loop->ops->timer_set(a->timer, seen->now_ns + a->interval_ns);
	return true;
}

static bool keep_call(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct attack *a = s->data;
	struct sim_frame *f;

	if (!is_of(s, 1, &seen->from) || !is_handshake(frame, ELA_HANDSHAKE_INIT))
		return true;
	f = g_malloc0(sizeof *f + len);
	f->len = len;
	memcpy(f->bytes, frame, len);
	g_ptr_array_add(a->old, f);
	return false;
}

/* An hour ago node 1 called in vain for a while, and the attacker listened. */
static void collect(struct sim *s, struct attack *a)
{
	s->on_frame = keep_call;
	sim_up(s, 1);
	sim_flow(s, 1, 0, 200 * ELA_MSEC, 60 * ELA_SEC);
	sim_run(s, 70 * ELA_SEC);
	sim_down(s, 1);
	s->on_frame = NULL;
	sim_check(s, a->old->len >= 20, "only %u calls", a->old->len);
	sim_run(s, 3600 * ELA_SEC);
}

START_TEST(old_calls)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);
	uint64_t rtt_ms = 20 + sim_random(s, 200), from_ns;

	collect(s, a);
	if (sim_random(s, 2)) /* node 0 calls as well */
		s->nodes[0].spec.dials = SIM_ALL;
	sim_up(s, 0);
	sim_link(s, RTT(rtt_ms));
	a->timer = s->loop->ops->timer_new(s->loop, inject_old_later, a);
	/* before it arrives, or between message 2 and what confirms it */
	a->interval_ns = (sim_random(s, 2) ? sim_random(s, rtt_ms / 2) : rtt_ms / 2 + sim_random(s, rtt_ms)) * ELA_MSEC;
	a->n_each = 1 + (uint32_t)sim_random(s, 3);
	s->on_frame = call_too;
	sim_up(s, 1);
	sim_check(s, sim_run_until(s, both_up, ELA_SEC + 3 * rtt_ms * ELA_MSEC), "old calls keep an honest one out");
	sim_check(s, a->next_old >= 1, "the attacker slept");
	from_ns = sim_now(s);
	sim_flow(s, 0, 1, 20 * ELA_MSEC, 10 * ELA_SEC);
	sim_flow(s, 1, 0, 20 * ELA_MSEC, 10 * ELA_SEC);
	inject_old(a);
	sim_run(s, 12 * ELA_SEC);
	sim_equal(s, sim_lost(s, 0, 1, from_ns, SIM_ALL), 0);
	sim_equal(s, sim_lost(s, 1, 0, from_ns, SIM_ALL), 0);
	attack_free(a);
	sim_free(s);
}
END_TEST

/* An old call does not keep the one who was called from calling himself. */
START_TEST(old_call_is_no_call)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);
	uint64_t rtt_ms = 20 + sim_random(s, 200);

	collect(s, a);
	s->nodes[0].spec.dials = SIM_ALL; /* this time node 0 calls, and node 1 cannot */
	s->nodes[1].spec.dials = 0;
	sim_link(s, RTT(rtt_ms));
	sim_up(s, 1);
	sim_up(s, 0); /* its first message 1 is on the way */
	inject_old(a);
	sim_check(s, sim_run_until(s, both_up, (rtt_ms * 3 / 2 + 50) * ELA_MSEC), "it stopped calling");
	attack_free(a);
	sim_free(s);
}
END_TEST

/* ---- cookies ---- */

/* For every message 1 of node 1 the attacker has cookies at once. */
static bool forge_cookies(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct attack *a = s->data;
	const struct ela_peer *peer = sim_peer(s, 1, 0);
	uint8_t message[ELA_HANDSHAKE_COOKIE_LEN], salt[16] = {1}, cookie[16] = {2};
	struct ela_addr callee = sim_addr(s, 0);
	struct ela_handshake hs;

	if (!is_of(s, 1, &seen->from) || !is_handshake(frame, ELA_HANDSHAKE_INIT))
		return true;
	if (++a->n_inits > ENOUGH) /* else time would stand still */
		return true;
	ck_assert_int_eq(ela_handshake_parse(frame, len, &hs), 0);
	for (uint32_t i = 0; i < a->n_each; i++) {
		salt[1] = (uint8_t)a->n_cookies++;
		ck_assert_int_eq(ela_cookie_seal(message, &hs, peer->id, peer->cookie_key, salt, cookie), 0);
		send_soon(a, &callee, 1, message, sizeof message);
	}
	return true;
}

START_TEST(cookies_without_end)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);

	a->n_each = 1 + (uint32_t)sim_random(s, 5);
	s->on_frame = forge_cookies;
	sim_up(s, 1); /* node 0 is down: nobody answers */
	sim_run(s, 10 * ELA_SEC);
	sim_check(s, a->n_inits >= 3, "it hardly calls");
	sim_check(s, a->n_inits <= 24, "%u message 1s in ten seconds", (unsigned)a->n_inits);
	attack_free(a);
	sim_free(s);
}
END_TEST

/* Nor do they push out the message 1 that is being answered. */
START_TEST(cookies_for_a_call)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);

	a->n_each = 8;
	s->on_frame = forge_cookies;
	sim_link(s, RTT(20 + sim_random(s, 200)));
	sim_up_all(s);
	sim_check(s, sim_run_until(s, both_up, ELA_SEC), "cookies keep an honest node out");
	attack_free(a);
	sim_free(s);
}
END_TEST

/* ---- answers from elsewhere ---- */

static bool divert_answer(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct attack *a = s->data;

	if (memcmp(&seen->to, &a->from, sizeof a->from) == 0)
		a->bytes_to += frame[1] == ELA_TYPE_EPACKET ? len : 0;
	if (!is_of(s, 0, &seen->from) || !is_handshake(frame, ELA_HANDSHAKE_ANSWER))
		return true;
	send_soon(a, &a->from, 1, frame, len);
	return false;
}

/* Message 2 comes from the attacker's address: no packet goes there. */
START_TEST(answer_from_elsewhere)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);
	struct ela_addr home;

	sim_link(s, RTT(1 + sim_random(s, 200)));
	s->on_frame = divert_answer;
	sim_up(s, 0);
	sim_up(s, 1);
	home = sim_addr(s, 0);
	sim_flow(s, 1, 0, 5 * ELA_MSEC, 5 * ELA_SEC);
	sim_run(s, 8 * ELA_SEC);
	sim_equal(s, a->bytes_to, 0);
	sim_check(s, both_up(s), "no session");
	sim_check(
		s, memcmp(&sim_peer(s, 1, 0)->tx_shadow->path.remote, &home, sizeof home) == 0, "it went to the attacker");
	sim_all_there(s, 1, 0);
	attack_free(a);
	sim_free(s);
}
END_TEST

/* ---- members ---- */

static bool count_answers(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct attack *a = s->data;

	(void)frame;
	if (is_of(s, 0, &seen->from) && !is_of(s, 1, &seen->to))
		a->bytes_to += len;
	return true;
}

/* A frame of node 1, though it does not know: an empty data frame, or a message. */
static uint32_t seal_as_1(struct sim *s, const void *message, uint32_t len, bool data, uint8_t *out)
{
	struct ela_session *session = sim_peer(s, 1, 0)->current;
	struct ela_cipher_op op = {.dst = out + ELA_FRAME_HEAD, .src = out, .len = 0};
	uint64_t counter;
	bool due;

	if (!data)
		return ela_session_seal_control(session, message, len, out);
	ck_assert(ela_session_reserve(session, 0, 0, &counter, &due));
	ela_header_put(out, ELA_TYPE_EPACKET, 0, session->with.remote_id);
	ela_frame_put(out, session->with.remote_index, counter);
	ela_frame_nonce(out, session->send_iv, op.nonce);
	ck_assert_uint_eq(session->cipher->seal(session->lanes[0].seal_key, &op, 1), 1);
	return ELA_FRAME_HEAD + op.ret_len;
}

/* A member sends good frames in the name of half the Internet: the ones named get less than that. */
START_TEST(reflected_challenges)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);
	bool data = sim_random(s, 2);

	sim_up_all(s);
	sim_check(s, sim_run_until(s, both_up, ELA_SEC), "no session");
	s->on_frame = count_answers;
	for (uint32_t i = 0; i < 3000; i++) {
		struct ela_addr victim = a->from;
		uint8_t frame[64];
		uint32_t len = seal_as_1(s, NULL, 0, data, frame);

		victim.ip[3] = (uint8_t)(1 + i % 200);
		victim.port = (uint16_t)(1000 + i);
		a->bytes_from += len;
		sim_inject(s, &victim, 0, frame, len);
		sim_run(s, ELA_MSEC);
	}
	sim_run(s, ELA_SEC);
	sim_check(s, a->bytes_to <= a->bytes_from / 10, "%u bytes for %u", (unsigned)a->bytes_to, (unsigned)a->bytes_from);
	attack_free(a);
	sim_free(s);
}
END_TEST

/* Whatever a member asks: the answer is no longer than the question. */
START_TEST(short_answers)
{
	struct sim *s = start(sim_seed(_i));
	struct attack *a = attack_new(s);

	sim_up_all(s);
	sim_check(s, sim_run_until(s, both_up, ELA_SEC), "no session");
	s->on_frame = count_answers;
	for (uint32_t i = 0; i < 2000; i++) {
		uint8_t frame[128], message[64] = {0};
		uint32_t len = (uint32_t)sim_random(s, sizeof message);

		message[4] = (uint8_t)sim_random(s, 10);
		message[5] = sim_random(s, 8) == 0;
		len = seal_as_1(s, message, len, false, frame);
		a->bytes_to = 0;
		sim_inject(s, &a->from, 0, frame, len);
		sim_run(s, 0);
		if (i > 100) /* the challenges of a new place have gone out */
			sim_check(s, a->bytes_to <= len, "operation %u: %u bytes for %u", message[4], (unsigned)a->bytes_to, len);
	}
	attack_free(a);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, old_calls, 40);
	sim_add(suite, old_call_is_no_call, 5);
	sim_add(suite, cookies_without_end, 5);
	sim_add(suite, cookies_for_a_call, 5);
	sim_add(suite, answer_from_elsewhere, 10);
	sim_add(suite, reflected_challenges, 4);
	sim_add(suite, short_answers, 2);
}

int main(void)
{
	return sim_main("sim-attack", fill);
}
