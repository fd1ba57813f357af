/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: both ends start, new keys in time, silence, restarts, clocks that jump. */
#include "sim.h"

#include "peer.h"

#define RTT(ms) (&(struct ela_mem_link){.delay_ns = (ms)*ELA_MSEC / 2})

static uint64_t any_rtt(struct sim *s)
{
	static const uint64_t rtts[] = {0, 1, 10, 50, 200, 400};

	return rtts[sim_random(s, G_N_ELEMENTS(rtts))];
}

/* Both send with the keys that the other one has, and with the same. */
static bool agree(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, 0, 1), *b = sim_peer(s, 1, 0);

	return a->current && b->current && a->tx_shadow && b->tx_shadow && a->tx_shadow->session == a->current &&
		   b->tx_shadow->session == b->current && a->current->with.local_index == b->current->with.remote_index &&
		   b->current->with.local_index == a->current->with.remote_index &&
		   a->current->with.initiator != b->current->with.initiator;
}

/* ---- both start at once ---- */

static void both_start(struct sim *s, bool traffic)
{
	uint64_t rtt_ms = 1 + sim_random(s, 400), offset_ms = sim_random(s, 601);
	uint64_t up_ns;

	sim_link(s, RTT(rtt_ms));
	sim_up(s, 0);
	if (traffic)
		sim_flow(s, 0, 1, 20 * ELA_MSEC, 10 * ELA_SEC);
	sim_run(s, offset_ms * ELA_MSEC);
	sim_up(s, 1);
	up_ns = sim_now(s);
	if (traffic)
		sim_flow(s, 1, 0, 20 * ELA_MSEC, 10 * ELA_SEC);
	sim_check(
		s, sim_run_until(s, agree, 3 * ELA_SEC), "rtt %u ms, offset %u ms", (unsigned)rtt_ms, (unsigned)offset_ms);
	if (!traffic)
		return;
	sim_run(s, up_ns + 3 * ELA_SEC - sim_now(s));
	sim_check(s, s->pairs[0][1].got && s->pairs[1][0].got, "nothing flows");
	sim_run(s, 9 * ELA_SEC);
	/* Once it flows, nothing is lost. */
	sim_equal(s, sim_lost(s, 0, 1, up_ns + 3 * ELA_SEC, SIM_ALL), 0);
	sim_equal(s, sim_lost(s, 1, 0, up_ns + 3 * ELA_SEC, SIM_ALL), 0);
}

/* A satellite, a full queue: the round trip is longer than the time between tries, pings and probes. */
START_TEST(slow_links)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	uint64_t rtt_ms = 500 + sim_random(s, 1500), from_ns;
	bool rekeys = SIM_KIND(8) == 0;
	uint64_t interval_ns = (rekeys ? 100 : 20) * ELA_MSEC, for_ns = (rekeys ? 300 : 12) * ELA_SEC;

	sim_link(s, RTT(rtt_ms));
	sim_up(s, 0);
	sim_up(s, 1);
	sim_flow(s, 0, 1, interval_ns, for_ns);
	if (SIM_KIND(2) == 0)
		sim_flow(s, 1, 0, interval_ns, for_ns);
	sim_check(s, sim_run_until(s, agree, 5 * rtt_ms / 2 * ELA_MSEC), "rtt %u ms: no session", (unsigned)rtt_ms);
	from_ns = sim_now(s) + rtt_ms * ELA_MSEC;
	sim_run(s, for_ns + 5 * ELA_SEC);
	sim_check(s, agree(s), "rtt %u ms: they fell out again", (unsigned)rtt_ms);
	sim_equal(s, sim_lost(s, 0, 1, from_ns, SIM_ALL), 0);
	sim_equal(s, sim_lost(s, 1, 0, from_ns, SIM_ALL), 0);
	for (uint32_t i = 0; i < 2; i++) {
		sim_zero(s, i, "links-lost");
		sim_check(s, !rekeys || sim_counter(s, i, "rekeys") >= 2, "no new keys");
	}
	sim_free(s);
}
END_TEST

START_TEST(start_together)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);

	both_start(s, SIM_KIND(2) == 0);
	sim_check(s, agree(s), "they fell out again");
	sim_between(s, 0, "handshakes-done", 1, 2);
	sim_free(s);
}
END_TEST

/* ---- rekey ---- */

struct inits {
	GArray *at_ns;         /* when message 1s were sent */
	const uint8_t *silent; /* the IP of who may send none, NULL = nobody */
};

static bool note_init(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct inits *inits = s->data;

	(void)len;
	if (frame[1] != ELA_TYPE_HANDSHAKE || frame[8] != ELA_HANDSHAKE_INIT)
		return true;
	if (inits->silent && memcmp(seen->from.ip, inits->silent, 16) == 0)
		return false;
	g_array_append_val(inits->at_ns, seen->now_ns);
	return true;
}

/* Ten minutes of traffic; both ends forget keys and make new ones, and no packet notices. */
static void rekeys(struct sim *s, struct inits *inits, uint64_t low_s, uint64_t high_s)
{
	inits->at_ns = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	s->data = inits;
	s->on_frame = note_init;
	sim_flow(s, 0, 1, 40 * ELA_MSEC, 600 * ELA_SEC);
	sim_flow(s, 1, 0, 40 * ELA_MSEC, 600 * ELA_SEC);
	sim_run(s, 605 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_check(s, inits->at_ns->len >= 600 / high_s, "only %u rekeys", inits->at_ns->len);
	for (guint k = 1; k < inits->at_ns->len; k++) {
		uint64_t gap_ns = g_array_index(inits->at_ns, uint64_t, k) - g_array_index(inits->at_ns, uint64_t, k - 1);

		sim_check(s, gap_ns >= low_s * ELA_SEC && gap_ns <= high_s * ELA_SEC + ELA_SEC, "rekey after %.3f s",
			(double)gap_ns / 1e9);
	}
	for (uint32_t i = 0; i < 2; i++) {
		sim_equal(s, sim_drops(s, i), 0);
		sim_zero(s, i, "waited");
		sim_zero(s, i, "links-lost");
		sim_equal(s, sim_counter(s, i, "rekeys"), inits->at_ns->len);
	}
	(void)g_array_free(inits->at_ns, TRUE); /* returns NULL then */
}

static struct sim *start_pair(uint64_t seed, const struct sim_spec *spec)
{
	struct sim *s = sim_new(seed, 2, spec);

	s->nodes[0].spec.dials = 0;
	sim_up_all(s);
	sim_check(s, sim_run_until(s, agree, 3 * ELA_SEC), "no session");
	return s;
}

START_TEST(rekey)
{
	struct sim_spec spec = {.lanes = 1 + SIM_KIND(3)};
	struct sim *s = start_pair(sim_seed(_i), &spec);
	struct inits inits = {0};

	sim_link(s, RTT(SIM_KIND(2) ? 200 : any_rtt(s)));
	rekeys(s, &inits, 110, 130);
	sim_free(s);
}
END_TEST

/* The initiator's message 1s are lost: the responder asks, 30 s later, long before the keys end. */
START_TEST(rekey_backup)
{
	struct sim *s = start_pair(sim_seed(_i), NULL);
	struct ela_addr initiator = sim_addr(s, sim_peer(s, 0, 1)->current->with.initiator ? 0 : 1);
	struct inits inits = {.silent = initiator.ip};

	sim_link(s, RTT(any_rtt(s)));
	s->data = &inits;
	inits.at_ns = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	s->on_frame = note_init;
	sim_flow(s, 0, 1, 20 * ELA_MSEC, 200 * ELA_SEC);
	sim_flow(s, 1, 0, 20 * ELA_MSEC, 200 * ELA_SEC);
	sim_run(s, 205 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_check(s, inits.at_ns->len >= 1, "the responder did not ask");
	sim_check(s, g_array_index(inits.at_ns, uint64_t, 0) >= 150 * ELA_SEC, "it asked too early");
	sim_check(s, g_array_index(inits.at_ns, uint64_t, 0) <= 155 * ELA_SEC, "it asked too late");
	(void)g_array_free(inits.at_ns, TRUE); /* returns NULL then */
	sim_free(s);
}
END_TEST

/* Blowfish's 32 MiB are due long before the time is, 64 MiB are the end. */
START_TEST(rekey_by_bytes)
{
	struct sim_spec spec = {.cipher = "blowfish", .caps = "all"};
	struct sim *s = start_pair(sim_seed(_i), &spec);

	sim_link(s, RTT(any_rtt(s)));
	for (uint32_t k = 0; k < 1600; k++) {
		sim_send_tcp(s, 0, 1, 50000, 1300);
		sim_run(s, 5 * ELA_MSEC);
	}
	sim_run(s, ELA_SEC);
	sim_equal(s, s->pairs[0][1].stream_got, 1600 * 50000);
	sim_between(s, 0, "rekeys", 2, 3);
	sim_zero(s, 0, "drop-exhausted");
	sim_equal(s, sim_drops(s, 0) + sim_drops(s, 1), 0);
	sim_free(s);
}
END_TEST

/* ---- silence ---- */

START_TEST(silence)
{
	struct sim *s = start_pair(sim_seed(_i), NULL);
	uint64_t rtt_ms = any_rtt(s);
	const struct ela_peer *b;

	sim_link(s, RTT(rtt_ms));
	sim_send(s, 0, 1, 100);
	sim_run(s, (181 + sim_random(s, 600)) * ELA_SEC);
	b = sim_peer(s, 1, 0);
	sim_check(s, !b->current && !b->tx_shadow, "the session outlives its keys");
	sim_check(s, !sim_peer(s, 0, 1)->current, "the session outlives its keys");
	sim_equal(s, sim_counter(s, 1, "handshakes-started"), 1);
	sim_send(s, 1, 0, 100); /* node 1 has an endpoint */
	sim_send(s, 1, 0, 1400);
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, 1, 0);
	sim_check(s, s->pairs[1][0].late_ns <= ELA_SEC, "it waited too long");
	sim_check(s, s->pairs[1][0].late_ns <= (rtt_ms + rtt_ms / 2 + 100) * ELA_MSEC, "longer than the handshake took");
	sim_equal(s, sim_counter(s, 1, "waited"), 2);
	sim_zero(s, 1, "drop-nosession");
	sim_free(s);
}
END_TEST

/* Who has nothing to say says nothing, as long as the keys live and after. */
START_TEST(quiet)
{
	struct sim *s = start_pair(sim_seed(_i), NULL);
	uint64_t n_frames;

	sim_link(s, RTT(any_rtt(s)));
	sim_flow(s, 0, 1, 10 * ELA_MSEC, 5 * ELA_SEC);
	sim_flow(s, 1, 0, 10 * ELA_MSEC, 5 * ELA_SEC);
	sim_run(s, 15 * ELA_SEC);
	n_frames = s->n_frames;
	sim_run(s, 1000 * ELA_SEC);
	sim_equal(s, s->n_frames, n_frames);
	sim_free(s);
}
END_TEST

/* Nobody answers: a packet waits for a second, then its sender hears of it. */
START_TEST(nobody_there)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);

	sim_up(s, 1);
	sim_run(s, sim_random(s, 60) * ELA_SEC);
	for (uint32_t k = 0; k < 100; k++)
		sim_send(s, 1, 0, 100);
	sim_run(s, 900 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 1, "drop-nosession"), 100 - 64);
	sim_run(s, 300 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 1, "drop-nosession"), 100);
	sim_check(s, s->nodes[1].unreachable >= 1, "its host heard nothing");
	sim_free(s);
}
END_TEST

/* With a keepalive the way stays open, for the end that cannot call too. */
START_TEST(keepalive)
{
	struct sim_spec spec = {.keepalive_s = 25};
	struct sim *s = start_pair(sim_seed(_i), &spec);

	sim_link(s, RTT(any_rtt(s)));
	sim_run(s, (200 + sim_random(s, 600)) * ELA_SEC);
	sim_check(s, agree(s), "the session ended");
	sim_send(s, 0, 1, 100);
	sim_run(s, ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_zero(s, 0, "waited");
	sim_free(s);
}
END_TEST

/* It costs a question and its answer each time, of one end. */
START_TEST(keepalive_is_cheap)
{
	struct sim_spec spec = {.keepalive_s = 30};
	struct sim *s = start_pair(sim_seed(_i), &spec);
	uint64_t frames, asked;

	sim_link(s, RTT(any_rtt(s) % 200)); /* or it asks again before the answer can be there */
	sim_run(s, 10 * ELA_SEC);
	frames = sim_counter(s, 0, "frames-out") + sim_counter(s, 1, "frames-out");
	asked = sim_counter(s, 0, "keepalives-out") + sim_counter(s, 1, "keepalives-out");
	sim_run(s, 95 * ELA_SEC); /* before keys are replaced */
	frames = sim_counter(s, 0, "frames-out") + sim_counter(s, 1, "frames-out") - frames;
	asked = sim_counter(s, 0, "keepalives-out") + sim_counter(s, 1, "keepalives-out") - asked;
	sim_check(s, asked >= 3 && asked <= 6, "it was not asked as often as it should be");
	sim_equal(s, frames, 2 * asked);
	sim_free(s);
}
END_TEST

/* Who is told things all the time and says nothing is asked all the same. */
START_TEST(keepalive_hears)
{
	struct sim_spec spec = {.keepalive_s = 30};
	struct sim *s = sim_new(sim_seed(_i), 2, &spec);
	uint64_t asked;

	s->nodes[0].spec.dials = 0;
	s->nodes[1].spec.keepalive_s = 0; /* or it would ask */
	sim_up_all(s);
	sim_check(s, sim_run_until(s, agree, 3 * ELA_SEC), "no session");
	sim_run(s, 10 * ELA_SEC);
	asked = sim_counter(s, 0, "keepalives-out");
	for (uint32_t i = 0; i < 80; i++) {
		(void)ela_control_routing(sim_peer(s, 0, 1), "x", 1); /* wants no answer */
		sim_run(s, ELA_SEC);
	}
	sim_check(s, sim_counter(s, 0, "keepalives-out") >= asked + 2, "nobody asked whether it is there");
	sim_free(s);
}
END_TEST

/* A keepalive that comes less often than keys must be replaced keeps the way open all the same. */
START_TEST(rare_keepalive)
{
	static const uint32_t seconds[] = {100, 150, 200, 600, 3600};
	struct sim_spec spec = {.keepalive_s = seconds[SIM_KIND(G_N_ELEMENTS(seconds))]};
	struct sim *s = start_pair(sim_seed(_i), &spec);

	sim_link(s, RTT(any_rtt(s)));
	for (uint32_t i = 0; i < 10; i++) {
		sim_run(s, (100 + sim_random(s, 600)) * ELA_SEC);
		sim_check(s, agree(s), "the session ended");
	}
	for (uint32_t i = 0; i < 2; i++) /* the first session was never lost */
		sim_equal(s, sim_counter(s, i, "rekeys") + 1, sim_counter(s, i, "handshakes-done"));
	sim_send(s, 0, 1, 100);
	sim_run(s, ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_zero(s, 0, "waited");
	sim_free(s);
}
END_TEST

/* Nothing but the keepalive wants the peer, and it was away for long. */
START_TEST(keepalive_after_absence)
{
	struct sim_spec spec = {.keepalive_s = 60};
	struct sim *s = sim_new(sim_seed(_i), 2, &spec);

	s->nodes[1].spec.dials = 0;
	sim_up_all(s);
	sim_check(s, sim_run_until(s, agree, 2 * ELA_SEC), "no session");
	sim_down(s, 1);
	sim_run(s, (400 + sim_random(s, 600)) * ELA_SEC);
	sim_check(s, !sim_peer(s, 0, 1)->current, "with whom?");
	sim_up(s, 1);
	sim_check(s, sim_run_until(s, agree, 35 * ELA_SEC), "nobody calls");
	sim_free(s);
}
END_TEST

/* One peer does not answer: what waits for it leaves room for those who will. */
START_TEST(absent_beside_another)
{
	struct sim *s = sim_new(sim_seed(_i), 4, NULL);

	sim_link(s, RTT(400));
	for (uint32_t i = 0; i < 3; i++)
		sim_up(s, i);
	for (uint32_t k = 0; k < 200; k++)
		sim_send(s, 0, 3, 100);
	for (uint32_t k = 0; k < 60; k++)
		sim_send(s, 0, 1 + k % 2, 100);
	sim_run(s, 900 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "drop-nosession"), 200 - 64);
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 0, 2);
	sim_free(s);
}
END_TEST

/* ---- restart ---- */

START_TEST(restart)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	uint64_t up_ns;

	/* Both can call, only the one that stays, only the one that restarts. */
	s->nodes[0].spec.dials = SIM_KIND(3) == 2 ? 0 : SIM_ALL;
	s->nodes[1].spec.dials = SIM_KIND(3) == 1 ? 0 : SIM_ALL;
	sim_link(s, RTT(any_rtt(s) % 400));
	sim_up_all(s);
	sim_flow(s, 0, 1, 10 * ELA_MSEC, 150 * ELA_SEC);
	sim_flow(s, 1, 0, 10 * ELA_MSEC, 150 * ELA_SEC);
	sim_run(s, (2 + sim_random(s, 10)) * ELA_SEC);
	sim_check(s, s->pairs[0][1].got && s->pairs[1][0].got, "nothing flows");
	sim_down(s, 1);
	sim_run(s, sim_random(s, 4) ? sim_random(s, 3000) * ELA_MSEC : sim_random(s, 100) * ELA_SEC);
	sim_up(s, 1);
	up_ns = sim_now(s);
	s->pairs[0][1].first_ns = s->pairs[1][0].first_ns = 0;
	sim_run(s, 3 * ELA_SEC);
	sim_check(s, s->pairs[0][1].first_ns && s->pairs[1][0].first_ns, "nothing flows after 3 s");
	sim_run(s, 10 * ELA_SEC);
	sim_equal(s, sim_lost(s, 0, 1, up_ns + 3 * ELA_SEC, sim_now(s) - ELA_SEC), 0);
	sim_equal(s, sim_lost(s, 1, 0, up_ns + 3 * ELA_SEC, sim_now(s) - ELA_SEC), 0);
	sim_check(s, agree(s), "they do not agree");
	sim_free(s);
}
END_TEST

/* ---- clocks ---- */

struct jump {
	GHashTable *old; /* receiver indices before the jump */
	bool jumped;
	struct ela_addr who; /* of one node only; family NONE: of both */
};

static bool note_index(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct jump *j = s->data;
	gpointer index = GUINT_TO_POINTER(ela_frame_index(frame));

	(void)len;
	if (frame[1] == ELA_TYPE_HANDSHAKE || (j->who.family && memcmp(&j->who, &seen->from, sizeof j->who) != 0))
		return true;
	if (!j->jumped)
		(void)g_hash_table_add(j->old, index); /* most are there */
	else
		sim_check(s, !g_hash_table_contains(j->old, index), "a key from before the jump was used");
	return true;
}

/* One node's clocks move apart: as the loop is everybody's, by what the node remembers of them. */
static void jump_one(struct sim *s, uint32_t i, int64_t by_ns)
{
	(void)atomic_fetch_sub(&s->nodes[i].node->clock_gap_ns, by_ns);
}

START_TEST(clock_jump)
{
	struct sim_spec spec = {.mode = SIM_KIND(4) == 3 ? "stream" : NULL, .keepalive_s = 1, .buffer = 1 << 20};
	struct sim *s = start_pair(sim_seed(_i), &spec);
	struct jump j = {.old = g_hash_table_new(NULL, NULL)};
	int64_t by_ns = (int64_t)((5001 + sim_random(s, sim_random(s, 2) ? 100000 : 1u << 31)) * ELA_MSEC);
	bool one = sim_random(s, 2), busy = sim_random(s, 2);
	uint64_t at_ns;

	if (sim_random(s, 2))
		by_ns = -by_ns;
	s->data = &j;
	s->on_frame = note_index;
	if (one)
		j.who = sim_addr(s, 0);
	if (one && spec.mode)
		s->on_frame = NULL; /* the ports of connections differ: here only that all comes back */
	sim_link(s, RTT(any_rtt(s)));
	if (busy) {
		sim_flow(s, 0, 1, 3 * ELA_MSEC, 20 * ELA_SEC);
		sim_flow(s, 1, 0, 3 * ELA_MSEC, 20 * ELA_SEC);
	}
	sim_run(s, 2 * ELA_SEC + sim_random(s, ELA_SEC));
	at_ns = sim_now(s);
	j.jumped = true;
	if (one)
		jump_one(s, 0, by_ns);
	else
		ela_loop_virtual_wall_jump(s->loop, by_ns);
	sim_run(s, 5 * ELA_SEC);
	sim_check(s, agree(s), "no session after the jump");
	sim_check(s, sim_peer(s, 0, 1)->current->born_ns >= at_ns, "it kept the keys");
	sim_run(s, 20 * ELA_SEC);
	sim_equal(s, sim_lost(s, 0, 1, at_ns + 5 * ELA_SEC, SIM_ALL), 0);
	sim_equal(s, sim_lost(s, 1, 0, at_ns + 5 * ELA_SEC, SIM_ALL), 0);
	g_hash_table_destroy(j.old);
	sim_free(s);
}
END_TEST

/* A clock that is set right by a little is no snapshot. */
START_TEST(clock_nudge)
{
	struct sim *s = start_pair(sim_seed(_i), NULL);

	sim_flow(s, 0, 1, 3 * ELA_MSEC, 3 * ELA_SEC);
	sim_run(s, ELA_SEC);
	ela_loop_virtual_wall_jump(s->loop, (int64_t)(sim_random(s, 9800) * ELA_MSEC) - INT64_C(4900000000));
	sim_run(s, 4 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_equal(s, sim_counter(s, 0, "handshakes-done"), 1);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, start_together, 200);
	sim_add(suite, slow_links, 40);
	sim_add(suite, rekey, 12);
	sim_add(suite, rekey_backup, 6);
	sim_add(suite, rekey_by_bytes, 2);
	sim_add(suite, silence, 20);
	sim_add(suite, quiet, 10);
	sim_add(suite, nobody_there, 5);
	sim_add(suite, keepalive, 10);
	sim_add(suite, keepalive_is_cheap, 10);
	sim_add(suite, keepalive_hears, 5);
	sim_add(suite, rare_keepalive, 10);
	sim_add(suite, keepalive_after_absence, 5);
	sim_add(suite, absent_beside_another, 5);
	sim_add(suite, restart, 40);
	sim_add(suite, clock_jump, 40);
	sim_add(suite, clock_nudge, 5);
}

int main(void)
{
	return sim_main("sim-session", fill);
}
