/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers: floods and cookies, replays, garbage, cut and forged frames. A running session never notices. */
#include "own.h"
#include "sim.h"

#include "crypto.h"
#include "handshake.h"
#include "keys.h"
#include "noise.h"
#include "peer.h"

#define RTT(ms) (&(struct ela_mem_link){.delay_ns = (ms)*ELA_MSEC / 2})

static const struct sim_spec suites[] = {{0}, {.suite = "chacha20-poly1305"}, {.cipher = "blowfish"}};

/* What strangers sent and what they were told. */
struct ears {
	uint64_t bytes_in, bytes_out, n_out;
	uint32_t largest_out;
	bool cookies_only; /* anything else that goes out fails the test */
	uint32_t deaf_to;  /* so many answers to handshakes are lost */
	bool divert;       /* frames of node 1 do not arrive by themselves */
};

static bool is_stranger(const struct ela_addr *addr)
{
	return addr->ip[0] != 10 || addr->ip[1] != 0 || addr->ip[2] != 0;
}

static bool listen_in(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct ears *e = s->data;
	struct ela_addr one = sim_addr(s, 1);

	if (is_stranger(&seen->to)) {
		e->n_out++;
		e->bytes_out += len;
		e->largest_out = MAX(e->largest_out, len);
		sim_check(s, !e->cookies_only || (frame[1] == ELA_TYPE_HANDSHAKE && frame[8] == ELA_HANDSHAKE_COOKIE),
			"a stranger got more than a cookie");
	}
	if (e->deaf_to && frame[1] == ELA_TYPE_HANDSHAKE && frame[8] == ELA_HANDSHAKE_ANSWER) {
		e->deaf_to--;
		return false;
	}
	return !e->divert || memcmp(&seen->from, &one, sizeof one) != 0;
}

static struct ela_addr stranger(struct sim *s)
{
	struct ela_addr addr = {.family = ELA_ADDR_IP4, .port = (uint16_t)(1 + sim_random(s, 65535))};
	const uint32_t n = (uint32_t)sim_random(s, 1u << 24);

	memcpy(addr.ip, (uint8_t[]){20 + (n & 63), (uint8_t)(n >> 8), (uint8_t)(n >> 16), 7}, 4);
	return addr;
}

static void inject(
	struct sim *s, struct ears *e, const struct ela_addr *from, uint32_t to, const void *bytes, uint32_t len)
{
	e->bytes_in += len;
	sim_inject(s, from, to, bytes, len);
}

/* Bytes of no meaning behind a mac1 that is good: the key of mac1 is no secret. */
static uint32_t garbage_init(struct sim *s, uint32_t to, uint8_t *out)
{
	struct ela_node *node = s->nodes[to].node;
	uint32_t len = ELA_HANDSHAKE_HEAD + 48 + (uint32_t)sim_random(s, 200);

	for (uint32_t i = 0; i < len; i++)
		out[i] = (uint8_t)sim_random(s, 256);
	ela_handshake_head(out, ELA_HANDSHAKE_INIT, ela_own_id(node), (uint32_t)sim_random(s, 0) | 1, 1, 0);
	return ela_handshake_mac(out, len, node->mac1_key, NULL);
}

/* A message 1 as node `as` would send it to node `to`. */
static uint32_t real_init(struct sim *s, uint32_t as, uint32_t to, uint8_t *out)
{
	struct ela_node *node = s->nodes[to].node;
	struct ela_hello hello = {.lanes = 1, .features = ELA_FEATURE_CSUM, .suites = "aes-256-gcm"};
	uint8_t prologue[48], payload[ELA_HANDSHAKE_MAX_PAYLOAD], ephemeral[32];
	struct ela_noise noise;
	size_t len;

	for (uint32_t i = 0; i < sizeof ephemeral; i++)
		ephemeral[i] = (uint8_t)sim_random(s, 256);
	ck_assert_int_eq(
		ela_noise_init(&noise, ELA_NOISE_IK, true, prologue, ela_prologue(node->network_id, ELA_NOISE_IK, prologue),
			s->nodes[as].key, node->public_key, ephemeral),
		0);
	ela_handshake_head(out, ELA_HANDSHAKE_INIT, ela_own_id(node), 77, sim_peer(s, to, as)->id, 0);
	ck_assert_int_eq(
		ela_noise_write(&noise, payload, ela_hello_put(&hello, payload), out + ELA_HANDSHAKE_HEAD, 1000, &len), 0);
	ela_noise_wipe(&noise);
	return ela_handshake_mac(out, ELA_HANDSHAKE_HEAD + (uint32_t)len, node->mac1_key, NULL);
}

static bool up(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, 0, 1), *b = sim_peer(s, 1, 0);

	return a->current && b->current;
}

/* Node 1 calls node 0, and both talk for a while. */
static struct sim *start(uint64_t seed, const struct sim_spec *spec, struct ears *e)
{
	struct sim *s = sim_new(seed, 2, spec);

	s->nodes[0].spec.dials = 0;
	s->data = e;
	s->on_frame = listen_in;
	sim_capture(s, true);
	sim_link(s, RTT(sim_random(s, 31)));
	sim_up_all(s);
	sim_check(s, sim_run_until(s, up, ELA_SEC), "no session");
	sim_flow(s, 0, 1, 5 * ELA_MSEC, ELA_SEC);
	sim_flow(s, 1, 0, 5 * ELA_MSEC, ELA_SEC);
	sim_run(s, 10 * ELA_SEC); /* all is said: whatever moves from now on was moved by the test */
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	return s;
}

/* What must be as it was, whatever came. */
struct state {
	const struct ela_session *current, *next, *previous;
	const struct ela_tx *tx;
	uint64_t frames_in, packets, done, challenges;
	struct ela_replay control_window, window;
};

static struct state state_of(struct sim *s, uint32_t i)
{
	struct ela_peer *p = sim_peer(s, i, 1 - i);

	return (struct state){p->current, p->offers[0].session, p->previous, p->tx_shadow, sim_counter(s, i, "frames-in"),
		sim_counter(s, i, "device-packets-out"), sim_counter(s, i, "handshakes-done"),
		sim_counter(s, i, "path-challenges"), p->current->control_window, p->current->windows[0]};
}

static void unchanged(struct sim *s, uint32_t i, const struct state *old)
{
	struct state now = state_of(s, i);

	sim_check(s,
		now.current == old->current && now.next == old->next && now.previous == old->previous && now.tx == old->tx,
		"a session or its path changed");
	sim_equal(s, now.frames_in, old->frames_in);
	sim_equal(s, now.packets, old->packets);
	sim_equal(s, now.done, old->done);
	sim_equal(s, now.challenges, old->challenges);
	sim_check(s, memcmp(&now.window, &old->window, sizeof now.window) == 0, "the window moved");
	sim_check(s, memcmp(&now.control_window, &old->control_window, sizeof now.window) == 0, "the control window moved");
}

static void still_talking(struct sim *s)
{
	sim_flow(s, 0, 1, 5 * ELA_MSEC, 500 * ELA_MSEC);
	sim_flow(s, 1, 0, 5 * ELA_MSEC, 500 * ELA_MSEC);
	sim_run(s, ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_equal(s, sim_counter(s, 0, "handshakes-done"), 1);
}

/* ---- cookies ---- */

/* A flood of message 1s: each costs a cookie at most, and who answers his cookie gets in. */
START_TEST(flood)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	struct ears e = {.cookies_only = true};
	uint32_t at_once = 40 + (uint32_t)sim_random(s, 200), len;
	uint8_t bytes[ELA_HANDSHAKE_MAX];
	bool spoofed = sim_random(s, 2);
	uint64_t up_ns = 0;

	s->nodes[0].spec.dials = 0;
	s->data = &e;
	s->on_frame = listen_in;
	sim_link(s, RTT(sim_random(s, 101)));
	sim_up(s, 0);
	for (uint32_t k = 0; k < 400; k++) {
		if (k == 20) {
			sim_up(s, 1);
			up_ns = sim_now(s);
		}
		for (uint32_t i = 0; i < at_once; i++) {
			struct ela_addr from = stranger(s);

			if (spoofed && i % 4 == 0 && k < 20)
				from = sim_addr(s, 1); /* before it is there itself: its cookies would confuse the count */
			len = garbage_init(s, 0, bytes);
			inject(s, &e, &from, 0, bytes, len);
		}
		sim_run(s, 5 * ELA_MSEC);
		if (k > 20 && up(s))
			break;
	}
	sim_check(s, up(s), "the honest one did not get in");
	sim_check(s, sim_now(s) - up_ns <= 2 * ELA_SEC, "it took too long");
	sim_between(s, 1, "cookies-in", 1, 3);
	sim_check(s, e.bytes_out <= e.bytes_in, "more out than in");
	sim_check(s, e.largest_out <= ELA_HANDSHAKE_COOKIE_LEN && e.n_out > 0, "cookies of %u", e.largest_out);
	sim_equal(s, sim_counter(s, 0, "handshakes-done"), 1);
	sim_check(s, sim_counter(s, 0, "stranger-bytes-out") <= sim_counter(s, 0, "stranger-bytes-in"), "more out than in");
	still_talking(s);
	sim_free(s);
}
END_TEST

/* A trickle in the name of the honest one, too slow to count as load. */
START_TEST(spoofed_trickle)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	struct ears e = {0};
	uint8_t bytes[ELA_HANDSHAKE_MAX];

	s->nodes[0].spec.dials = 0;
	s->data = &e;
	s->on_frame = listen_in;
	sim_up(s, 0);
	for (uint32_t k = 0; k < 400; k++) {
		struct ela_addr from = sim_addr(s, 1);
		uint32_t len = garbage_init(s, 0, bytes);

		if (k == 200)
			sim_up(s, 1);
		from.port = (uint16_t)(1 + sim_random(s, 7000));
		inject(s, &e, &from, 0, bytes, len);
		sim_run(s, 5 * ELA_MSEC);
	}
	sim_check(s, up(s), "200 forged messages a second keep the honest one out");
	sim_free(s);
}
END_TEST

/* More than 30 half-open handshakes: the next one needs a cookie. */
START_TEST(half_open)
{
	struct sim *s = sim_new(sim_seed(_i), 40, NULL);
	struct ears e = {0};
	uint8_t bytes[ELA_HANDSHAKE_MAX];

	for (uint32_t i = 0; i < 2; i++)
		s->nodes[i].spec.dials = i;
	s->data = &e;
	s->on_frame = listen_in;
	sim_up(s, 0);
	for (uint32_t i = 2; i < 38; i++) {
		struct ela_addr from = sim_addr(s, i);
		uint32_t len = real_init(s, i, 0, bytes);

		inject(s, &e, &from, 0, bytes, len);
		sim_run(s, ELA_MSEC);
	}
	sim_between(s, 0, "cookies-out", 6, 6); /* from the 31st on */
	sim_up(s, 1);
	sim_check(s, sim_run_until(s, up, ELA_SEC), "no session");
	sim_equal(s, sim_counter(s, 0, "cookies-out"), 7);
	sim_equal(s, sim_counter(s, 1, "cookies-in"), 1);
	sim_equal(s, sim_counter(s, 0, "handshakes-done"), 1);
	/* Calm returns. */
	sim_run(s, 20 * ELA_SEC);
	for (uint32_t i = 2; i < 38; i++)
		sim_check(s, !ela_peer_offered_ns(sim_peer(s, 0, i)) && !sim_peer(s, 0, i)->current, "a half-open one stays");
	sim_down(s, 1);
	sim_up(s, 1);
	sim_run(s, ELA_SEC);
	sim_zero(s, 1, "cookies-in");
	sim_free(s);
}
END_TEST

/* The answer is lost: the session it offered keeps its place for whoever shows where he is. */
START_TEST(next_taken)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	struct ears e = {.deaf_to = 3};

	s->nodes[0].spec.dials = 0;
	s->data = &e;
	s->on_frame = listen_in;
	sim_link(s, RTT(sim_random(s, 201)));
	sim_up_all(s);
	sim_check(s, sim_run_until(s, up, 6 * ELA_SEC), "no session");
	sim_equal(s, sim_counter(s, 0, "cookies-out"), 1);
	sim_equal(s, sim_counter(s, 1, "cookies-in"), 1);
	sim_flow(s, 0, 1, 5 * ELA_MSEC, ELA_SEC);
	sim_flow(s, 1, 0, 5 * ELA_MSEC, ELA_SEC);
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_free(s);
}
END_TEST

/* Cookies that nobody asked for, with the index of a handshake that waits. */
START_TEST(forged_cookies)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	struct ears e = {.deaf_to = 1000};
	struct ela_addr from = sim_addr(s, 0);
	uint8_t bytes[ELA_HANDSHAKE_COOKIE_LEN];
	uint32_t started;

	s->nodes[0].spec.dials = 0;
	s->data = &e;
	s->on_frame = listen_in;
	sim_up(s, 1); /* it calls a node that is not there yet */
	sim_run(s, 100 * ELA_MSEC);
	started = (uint32_t)sim_counter(s, 1, "handshakes-started");
	for (uint32_t k = 0; k < 200; k++) {
		for (uint32_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)sim_random(s, 256);
		ela_handshake_head(bytes, ELA_HANDSHAKE_COOKIE, ela_own_id(s->nodes[1].node), 0, sim_peer(s, 1, 0)->id,
			sim_peer(s, 1, 0)->attempts[0].index);
		inject(s, &e, &from, 1, bytes, sizeof bytes);
		sim_run(s, ELA_MSEC);
	}
	sim_equal(s, sim_counter(s, 1, "drop-cookie"), 200);
	sim_zero(s, 1, "cookies-in");
	sim_equal(s, sim_counter(s, 1, "handshakes-started"), started);
	e.deaf_to = 0;
	sim_up(s, 0);
	sim_check(s, sim_run_until(s, up, 3 * ELA_SEC), "no session");
	sim_free(s);
}
END_TEST

/* ---- replays ---- */

START_TEST(replayed_init)
{
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	const struct sim_frame *init = sim_find_frame(s, 0, ELA_TYPE_HANDSHAKE, ELA_HANDSHAKE_INIT);
	struct state before = state_of(s, 0);

	sim_capture(s, false);
	for (uint32_t k = 0; k < 1000; k++) {
		struct ela_addr from = stranger(s);

		if (k % 3 == 0) {
			from = sim_addr(s, 1);
			from.port = (uint16_t)(1 + k);
		}
		inject(s, &e, &from, 0, init->bytes, init->len);
		sim_run(s, ELA_MSEC);
	}
	unchanged(s, 0, &before);
	sim_equal(s, e.n_out, 0);
	sim_equal(s, sim_drops(s, 0), 1000);
	sim_check(s, sim_counter(s, 0, "drop-repeated") >= 666, "who let them in?");
	still_talking(s);
	sim_run(s, 10 * ELA_SEC);
	/* All at once they count as load: cookies, smaller than what came, and no more. */
	e = (struct ears){.cookies_only = true};
	before = state_of(s, 0);
	for (uint32_t k = 0; k < 1000; k++) {
		struct ela_addr from = stranger(s);

		inject(s, &e, &from, 0, init->bytes, init->len);
	}
	sim_run(s, ELA_SEC);
	unchanged(s, 0, &before);
	sim_check(s, e.bytes_out <= e.bytes_in, "more out than in");
	sim_free(s);
}
END_TEST

/* Every frame of the run again, to whom it went, from where it came and from elsewhere, in this order and backwards. */
static void replay_all(struct sim *s, struct ears *e, uint32_t to, bool elsewhere, bool backwards)
{
	struct ela_addr addr = sim_addr(s, to);

	for (guint k = 0; k < s->captured->len; k++) {
		const struct sim_frame *f = sim_captured(s, backwards ? s->captured->len - 1 - k : k);
		struct ela_addr from = elsewhere ? stranger(s) : f->from;

		if (memcmp(&f->to, &addr, sizeof addr) != 0)
			continue;
		inject(s, e, &from, to, f->bytes, f->len);
		if (k % 16 == 0)
			sim_run(s, ELA_MSEC);
	}
	sim_run(s, 100 * ELA_MSEC);
}

START_TEST(replayed_run)
{
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	struct state before[2] = {state_of(s, 0), state_of(s, 1)};

	sim_capture(s, false);
	sim_check(s, s->captured->len > 200, "a short run");
	for (uint32_t round = 0; round < 4; round++)
		for (uint32_t i = 0; i < 2; i++)
			replay_all(s, &e, i, round & 1, round & 2);
	unchanged(s, 0, &before[0]);
	unchanged(s, 1, &before[1]);
	sim_equal(s, e.n_out, 0);
	sim_check(s, sim_counter(s, 0, "drop-replay") >= 4 * 90, "the windows did not see them");
	still_talking(s);
	sim_free(s);
}
END_TEST

/* The same against a node that has forgotten all: it may answer an old message 1, but nobody can go on from there. */
START_TEST(replayed_to_newborn)
{
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	struct ela_peer *peer;

	sim_capture(s, false);
	sim_down(s, 0);
	sim_down(s, 1);
	sim_up(s, 0);
	e = (struct ears){0};
	for (uint32_t round = 0; round < 4; round++)
		replay_all(s, &e, 0, round & 1, round & 2);
	peer = sim_peer(s, 0, 1);
	sim_check(s, !peer->current && !peer->tx_shadow, "a replay made a session");
	sim_zero(s, 0, "handshakes-done");
	sim_zero(s, 0, "frames-in");
	sim_zero(s, 0, "device-packets-out");
	sim_check(s, e.bytes_out <= e.bytes_in, "more out than in");
	sim_run(s, 6 * ELA_SEC);
	sim_check(s, !ela_peer_offered_ns(peer), "its offer outlives it");
	sim_up(s, 1);
	sim_check(s, sim_run_until(s, up, ELA_SEC), "no session");
	sim_free(s);
}
END_TEST

/* ---- garbage ---- */

START_TEST(garbage)
{
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	struct state before = state_of(s, 0);
	struct ela_peer *peer = sim_peer(s, 0, 1);
	uint8_t bytes[2048];

	for (uint32_t k = 0; k < 5000; k++) {
		struct ela_addr from = sim_random(s, 2) ? stranger(s) : sim_addr(s, 1);
		uint32_t len = 1 + (uint32_t)sim_random(s, sim_random(s, 2) ? 100 : sizeof bytes);
		uint64_t shape = sim_random(s, 4);

		for (uint32_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)sim_random(s, 256);
		if (shape && len >= ELA_FRAME_HEAD) /* deeper and deeper */
			ela_header_put(bytes, (uint8_t)(1 + sim_random(s, 5)), 0, ela_own_id(s->nodes[0].node));
		if (shape > 1 && len >= ELA_FRAME_HEAD)
			ela_put32(bytes + 8, peer->current->with.local_index);
		if (shape > 2 && len >= ELA_FRAME_HEAD)
			ela_put64(bytes + 12, (bytes[1] == ELA_TYPE_MESSAGE ? UINT64_C(255) << 56 : 0) | sim_random(s, 5000));
		inject(s, &e, &from, 0, bytes, len);
		if (k % 16 == 0)
			sim_run(s, ELA_MSEC);
	}
	sim_run(s, 100 * ELA_MSEC);
	unchanged(s, 0, &before);
	sim_equal(s, e.n_out, 0);
	sim_equal(s, sim_drops(s, 0), 5000);
	still_talking(s);
	sim_free(s);
}
END_TEST

/* A frame of node 1 that did not arrive: kind 0 a packet, 1 an empty MESSAGE, 2 a message 1 that was answered. */
static const struct sim_frame *fresh_frame(struct sim *s, struct ears *e, uint32_t kind)
{
	const struct sim_frame *f;

	if (kind == 2)
		return sim_find_frame(s, 0, ELA_TYPE_HANDSHAKE, ELA_HANDSHAKE_INIT);
	e->divert = true;
	if (kind == 0)
		sim_send(s, 1, 0, SIM_MIN);
	else
		ela_control_keepalive(sim_peer(s, 1, 0), sim_peer(s, 1, 0)->current, &sim_peer(s, 1, 0)->tx_shadow->path);
	sim_run(s, ELA_MSEC);
	f = sim_find_frame(s, 0, kind ? ELA_TYPE_MESSAGE : ELA_TYPE_EPACKET, 0);
	sim_check(s, f != NULL, "no such frame");
	sim_capture(s, false);
	return f;
}

/* The frame itself is good, once. */
static void now_whole(struct sim *s, struct ears *e, const struct sim_frame *f, uint32_t kind)
{
	struct ela_addr from = sim_addr(s, 1);
	uint64_t before = sim_counter(s, 0, "frames-in"), packets = s->pairs[1][0].got;

	inject(s, e, &from, 0, f->bytes, f->len);
	sim_run(s, ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "frames-in"), before + (kind != 2));
	sim_equal(s, s->pairs[1][0].got, packets + (kind == 0));
	e->divert = false;
}

START_TEST(truncated)
{
	uint32_t kind = SIM_KIND(9) / 3;
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	const struct sim_frame *f = fresh_frame(s, &e, kind);
	struct ela_addr from = sim_addr(s, 1);
	struct state before = state_of(s, 0);

	for (uint32_t len = 1; len < f->len; len++) {
		inject(s, &e, &from, 0, f->bytes, len);
		if (len % 16 == 0)
			sim_run(s, ELA_MSEC);
	}
	sim_run(s, ELA_MSEC);
	unchanged(s, 0, &before);
	sim_equal(s, sim_drops(s, 0), f->len - 1);
	now_whole(s, &e, f, kind);
	still_talking(s);
	sim_free(s);
}
END_TEST

/* TTL and ECN are what relays may change: nothing of the frame depends on them. */
static bool is_free_bit(uint32_t bit)
{
	return bit / 8 == 2 || (bit / 8 == 3 && bit % 8 >= 6);
}

static void flip(struct sim *s, struct ears *e, const struct sim_frame *f, uint32_t bit)
{
	struct ela_addr from = sim_addr(s, 1);
	uint8_t bytes[2048];

	memcpy(bytes, f->bytes, f->len);
	bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	inject(s, e, &from, 0, bytes, f->len);
}

START_TEST(flipped)
{
	uint32_t kind = SIM_KIND(9) / 3, n = 0;
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	const struct sim_frame *f = fresh_frame(s, &e, kind);
	struct state before = state_of(s, 0);
	uint64_t frames;

	for (uint32_t bit = 0; bit < f->len * 8; bit++) {
		if (is_free_bit(bit))
			continue;
		flip(s, &e, f, bit);
		if (++n % 16 == 0)
			sim_run(s, ELA_MSEC);
	}
	sim_run(s, ELA_MSEC);
	unchanged(s, 0, &before);
	sim_equal(s, sim_drops(s, 0), n);
	now_whole(s, &e, f, kind);
	frames = sim_counter(s, 0, "frames-in");
	for (uint32_t bit = 0; bit < f->len * 8; bit++)
		if (is_free_bit(bit))
			flip(s, &e, f, bit);
	sim_run(s, 10 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "frames-in"), frames); /* it was there before */
	sim_equal(s, e.n_out, 0);
	still_talking(s);
	sim_free(s);
}
END_TEST

/* What the header says in clear, and each reason by its name. */
START_TEST(headers)
{
	static const struct {
		uint32_t at;
		uint8_t mask, set; /* byte = (byte & ~mask) | set */
		const char *counter;
	} rows[] = {
		{0, 0xff, 0, "drop-header"},
		{0, 0xff, 2, "drop-header"},
		{1, 0xff, 0, "drop-type"},
		{1, 0xff, ELA_TYPE_PROBE, "drop-probe-unasked"},
		{1, 0xff, 99, "drop-type"},
		{2, 0xff, 0, "drop-ttl"},
		{3, 0x02, 0x02, "drop-hop-tag"}, /* HOP */
		{3, 0x04, 0x04, "drop-header"},
		{3, 0x08, 0x08, "drop-header"},
		{3, 0x10, 0x10, "drop-header"},
		{3, 0x20, 0x20, "drop-header"},
		{3, 0x01, 0x01, "drop-tag"}, /* CSUM is authentic */
		{12, 0xff, 1, "drop-index"}, /* a lane it does not have */
		{12, 0xff, 16, "drop-index"},
		{12, 0xff, 255, "drop-index"},
		{13, 0xff, 0xff, "drop-tag"}, /* counters far ahead move no window */
		{16, 0xff, 0x7f, "drop-tag"},
		{18, 0xff, 0xff, "drop-tag"},
	};
	struct ears e = {0};
	struct sim *s = start(sim_seed(_i), &suites[SIM_KIND(3)], &e);
	const struct sim_frame *f = fresh_frame(s, &e, 0);
	struct ela_addr from = sim_addr(s, 1);
	struct state before = state_of(s, 0);
	uint8_t bytes[2048];

	for (uint32_t k = 0; k < G_N_ELEMENTS(rows); k++) {
		uint64_t count = sim_counter(s, 0, rows[k].counter);

		memcpy(bytes, f->bytes, f->len);
		bytes[rows[k].at] = (uint8_t)((bytes[rows[k].at] & ~rows[k].mask) | rows[k].set);
		inject(s, &e, &from, 0, bytes, f->len);
		sim_run(s, ELA_MSEC);
		sim_check(s, sim_counter(s, 0, rows[k].counter) == count + 1, "row %u: not %s", k, rows[k].counter);
	}
	memcpy(bytes, f->bytes, f->len);
	ela_put32(bytes + 4, ela_own_id(s->nodes[1].node));
	inject(s, &e, &from, 0, bytes, f->len);
	ela_put32(bytes + 4, UINT32_MAX);
	inject(s, &e, &from, 0, bytes, f->len);
	sim_run(s, ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "drop-destination"), 2);
	unchanged(s, 0, &before);
	sim_equal(s, sim_drops(s, 0), G_N_ELEMENTS(rows) + 2);
	now_whole(s, &e, f, 0);
	still_talking(s);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, flood, 8);
	sim_add(suite, spoofed_trickle, 4);
	sim_add(suite, half_open, 4);
	sim_add(suite, next_taken, 20);
	sim_add(suite, forged_cookies, 5);
	sim_add(suite, replayed_init, 6);
	sim_add(suite, replayed_run, 9);
	sim_add(suite, replayed_to_newborn, 6);
	sim_add(suite, garbage, 9);
	sim_add(suite, truncated, 9);
	sim_add(suite, flipped, 9);
	sim_add(suite, headers, 6);
}

int main(void)
{
	return sim_main("sim-stranger", fill);
}
