/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: a node that moves, attackers who would move it, networks that part and heal, paths that narrow and widen. */
#include "sim.h"

#include "peer.h"

#define RTT(ms) (&(struct ela_mem_link){.delay_ns = (ms)*ELA_MSEC / 2})
#define ELSEWHERE "10.0.7.7"
#define ATTACKER "10.6.6.6"

static bool up(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, 0, 1), *b = sim_peer(s, 1, 0);

	return a->tx_shadow && b->tx_shadow;
}

static struct sim *start(uint64_t seed, const struct sim_spec *spec)
{
	struct sim *s = sim_new(seed, 2, spec);

	s->nodes[0].spec.dials = 0; /* node 1 calls */
	sim_up_all(s);
	sim_check(s, sim_run_until(s, up, ELA_SEC), "no session");
	return s;
}

static void flow_both(struct sim *s, uint64_t interval_ns, uint64_t for_ns)
{
	sim_flow(s, 0, 1, interval_ns, for_ns);
	sim_flow(s, 1, 0, interval_ns, for_ns);
}

/* Nothing that was sent after so long is missing. */
static void all_since(struct sim *s, uint64_t from_ns)
{
	sim_equal(s, sim_lost(s, 0, 1, from_ns, SIM_ALL), 0);
	sim_equal(s, sim_lost(s, 1, 0, from_ns, SIM_ALL), 0);
}

/* ---- roaming ---- */

START_TEST(roaming)
{
	struct sim *s = start(sim_seed(_i), NULL);
	uint64_t rtt_ms = sim_random(s, 201), at_ns;
	struct ela_addr there;

	sim_link(s, RTT(rtt_ms));
	flow_both(s, 5 * ELA_MSEC, 20 * ELA_SEC);
	sim_run(s, ELA_SEC + sim_random(s, 3 * ELA_SEC));
	ck_assert_int_eq(ela_mem_move(s->fabric, s->nodes[1].underlay, ELSEWHERE, 7450), 0);
	at_ns = sim_now(s);
	sim_run(s, 25 * ELA_SEC);
	all_since(s, at_ns + (2 * rtt_ms + 100) * ELA_MSEC);
	ck_assert_int_eq(ela_mem_addr(ELSEWHERE, 7450, &there), 0);
	sim_check(
		s, memcmp(&sim_peer(s, 0, 1)->tx_shadow->path.remote, &there, sizeof there) == 0, "the path did not move");
	sim_equal(s, sim_counter(s, 0, "path-changes"), 1);
	sim_between(s, 0, "path-challenges", 1, 3);
	sim_zero(s, 1, "path-challenges");
	sim_equal(s, sim_counter(s, 0, "handshakes-done"), 1); /* no session ended */
	sim_free(s);
}
END_TEST

/* A challenge is asked again sooner than its answer can come. */
START_TEST(roaming_far_away)
{
	struct sim *s = sim_new(sim_seed(_i), 2, NULL);
	uint64_t rtt_ms = 400 + sim_random(s, 1600), at_ns;

	sim_link(s, RTT(rtt_ms));
	sim_up(s, 0);
	sim_up(s, 1);
	flow_both(s, 20 * ELA_MSEC, 30 * ELA_SEC);
	sim_run(s, 8 * ELA_SEC + sim_random(s, 3 * ELA_SEC));
	ck_assert_int_eq(ela_mem_move(s->fabric, s->nodes[1].underlay, ELSEWHERE, 7450), 0);
	at_ns = sim_now(s);
	sim_run(s, 35 * ELA_SEC);
	all_since(s, at_ns + (2 * rtt_ms + 100) * ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "path-changes"), 1);
	sim_zero(s, 0, "links-lost");
	sim_free(s);
}
END_TEST

/* The one that moves has nothing to say but that it is there. */
START_TEST(roaming_in_silence)
{
	struct sim_spec spec = {.keepalive_s = 1};
	struct sim *s = start(sim_seed(_i), &spec);
	uint64_t at_ns;

	sim_link(s, RTT(sim_random(s, 201)));
	sim_flow(s, 0, 1, 5 * ELA_MSEC, 20 * ELA_SEC);
	sim_run(s, 3 * ELA_SEC);
	ck_assert_int_eq(ela_mem_move(s->fabric, s->nodes[1].underlay, ELSEWHERE, 7450), 0);
	at_ns = sim_now(s);
	sim_run(s, 25 * ELA_SEC);
	sim_equal(s, sim_lost(s, 0, 1, at_ns + 4 * ELA_SEC, SIM_ALL), 0);
	sim_free(s);
}
END_TEST

/* ---- attackers ---- */

struct attack {
	bool divert;          /* frames of node 1 do not arrive by themselves */
	uint64_t n_to;        /* frames that were sent to the attacker */
	uint64_t n_asked;     /* diverted frames that may ask for an answer */
	struct ela_addr from; /* the attacker */
	GPtrArray *diverted;  /* struct sim_frame */
};

static bool watch_attack(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct attack *a = s->data;
	struct ela_addr victim = sim_addr(s, 1);
	struct sim_frame *f;

	if (memcmp(&seen->to, &a->from, sizeof a->from) == 0) {
		a->n_to++;
		sim_equal(s, frame[1], ELA_TYPE_MESSAGE); /* challenges, and no packet of anybody */
	}
	if (!a->divert || memcmp(&seen->from, &victim, sizeof victim) != 0)
		return true;
	f = g_malloc0(sizeof *f + len);
	f->len = len;
	memcpy(f->bytes, frame, len);
	g_ptr_array_add(a->diverted, f);
	a->n_asked += frame[1] == ELA_TYPE_MESSAGE;
	return false;
}

static void forward(struct sim *s, struct attack *a)
{
	for (guint k = 0; k < a->diverted->len; k++) {
		const struct sim_frame *f = g_ptr_array_index(a->diverted, k);

		sim_inject(s, &a->from, 0, f->bytes, f->len);
	}
	g_ptr_array_set_size(a->diverted, 0);
}

/* Real frames of node 1, newest first come from the attacker only: the path stays where the challenge is answered. */
START_TEST(path_thief)
{
	struct sim *s = start(sim_seed(_i), NULL);
	struct attack a = {.diverted = g_ptr_array_new_with_free_func(g_free)};
	struct ela_addr home = sim_addr(s, 1);
	uint64_t n_before;

	ck_assert_int_eq(ela_mem_addr(ATTACKER, 7450, &a.from), 0);
	s->data = &a;
	s->on_frame = watch_attack;
	sim_link(s, RTT(sim_random(s, 101)));
	flow_both(s, 5 * ELA_MSEC, 10 * ELA_SEC);
	sim_run(s, ELA_SEC);
	for (uint32_t round = 0; round < 20; round++) {
		a.divert = true;
		sim_run(s, 20 * ELA_MSEC);
		a.divert = false;
		forward(s, &a);
		sim_run(s, sim_random(s, 200) * ELA_MSEC);
	}
	sim_run(s, 15 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_check(s, memcmp(&sim_peer(s, 0, 1)->tx_shadow->path.remote, &home, sizeof home) == 0, "the path was stolen");
	sim_zero(s, 0, "path-changes");
	sim_between(s, 0, "path-challenges", 1, 20);
	sim_check(s, a.n_to >= sim_counter(s, 0, "path-challenges"), "a challenge went elsewhere");
	sim_check(s, a.n_to <= sim_counter(s, 0, "path-challenges") + a.n_asked, "more than answers went there");
	/* What was seen before does not even ask. */
	sim_capture(s, true);
	flow_both(s, 5 * ELA_MSEC, ELA_SEC);
	sim_run(s, 2 * ELA_SEC);
	sim_capture(s, false);
	sim_run(s, ELA_SEC); /* the last of them arrives */
	n_before = a.n_to;
	for (guint k = 0; k < s->captured->len; k++)
		if (memcmp(&sim_captured(s, k)->from, &home, sizeof home) == 0)
			sim_inject(s, &a.from, 0, sim_captured(s, k)->bytes, sim_captured(s, k)->len);
	sim_run(s, ELA_SEC);
	sim_equal(s, a.n_to, n_before);
	sim_check(s, sim_counter(s, 0, "drop-replay") > 100, "the replay was not counted");
	g_ptr_array_unref(a.diverted);
	sim_free(s);
}
END_TEST

/* ---- partitions ---- */

static void cut(struct sim *s, bool down, bool one_way)
{
	const struct ela_mem_link gone = {.down = true};

	if (one_way)
		ck_assert_int_eq(
			ela_mem_link_set(s->fabric, s->nodes[0].underlay, s->nodes[1].underlay, down ? &gone : NULL), 0);
	else
		ck_assert_int_eq(ela_mem_partition(s->fabric, s->nodes[0].underlay, s->nodes[1].underlay, down), 0);
}

START_TEST(partition)
{
	struct sim *s = start(sim_seed(_i), NULL);
	uint64_t rtt_ms = sim_random(s, 201), away_s = sim_random(s, 2) ? 10 : 300, at_ns;
	bool one_way = sim_random(s, 3) == 0;

	sim_link(s, RTT(rtt_ms));
	flow_both(s, 20 * ELA_MSEC, (away_s + 20) * ELA_SEC);
	sim_run(s, 2 * ELA_SEC + sim_random(s, ELA_SEC));
	cut(s, true, one_way);
	sim_run(s, away_s * ELA_SEC + sim_random(s, 5 * ELA_SEC));
	sim_between(s, 1, "links-lost", 1, 200); /* in both cases it hears nothing */
	cut(s, false, one_way);
	at_ns = sim_now(s);
	sim_run(s, 30 * ELA_SEC);
	all_since(s, at_ns + (away_s < 180 ? 1 : 3) * ELA_SEC);
	sim_check(s, sim_peer(s, 0, 1)->pmtu.confirmed == 0 || sim_peer(s, 0, 1)->tx_shadow->max_packet == SIM_MTU,
		"the silence made the path narrow");
	sim_free(s);
}
END_TEST

/* Nobody had anything to say meanwhile. */
START_TEST(partition_idle)
{
	struct sim *s = start(sim_seed(_i), NULL);
	uint64_t at_ns;

	sim_link(s, RTT(sim_random(s, 201)));
	sim_send(s, 0, 1, 100);
	sim_run(s, ELA_SEC);
	cut(s, true, false);
	sim_run(s, (sim_random(s, 2) ? 10 : 300) * ELA_SEC);
	cut(s, false, false);
	at_ns = sim_now(s);
	flow_both(s, 50 * ELA_MSEC, 10 * ELA_SEC);
	sim_run(s, 15 * ELA_SEC);
	all_since(s, at_ns + 3 * ELA_SEC);
	sim_free(s);
}
END_TEST

/* One of five goes; the others do not notice. */
START_TEST(one_leaves)
{
	struct sim *s = sim_new(sim_seed(_i), 5, NULL);
	uint64_t at_ns;

	sim_up_all(s);
	sim_run(s, 3 * ELA_SEC);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++)
			if (i != k)
				sim_flow(s, i, k, 50 * ELA_MSEC, 30 * ELA_SEC);
	sim_run(s, 2 * ELA_SEC);
	ck_assert_int_eq(ela_mem_isolate(s->fabric, s->nodes[4].underlay, true), 0);
	sim_run(s, 10 * ELA_SEC);
	ck_assert_int_eq(ela_mem_isolate(s->fabric, s->nodes[4].underlay, false), 0);
	at_ns = sim_now(s);
	sim_run(s, 20 * ELA_SEC);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++)
			if (i != k)
				sim_equal(s, sim_lost(s, i, k, i == 4 || k == 4 ? at_ns + 3 * ELA_SEC : 0, SIM_ALL), 0);
	sim_free(s);
}
END_TEST

/* ---- path MTU ---- */

struct narrow {
	struct sim *s;
	struct ela_timer *timer;
	uint64_t until_ns;
};

static void send_bulk(void *data)
{
	struct narrow *n = data;
	struct sim *s = n->s;

	sim_send_tcp(s, 0, 1, 1381 + (uint32_t)sim_random(s, 50000), 1380);
	sim_send_tcp(s, 1, 0, 100, 1380); /* an acknowledgement, as it were */
	s->loop->ops->timer_set(n->timer, sim_now(s) < n->until_ns ? sim_now(s) + 20 * ELA_MSEC : 0);
}

static void start_bulk(struct sim *s, struct narrow *n, uint64_t for_ns)
{
	n->s = s;
	n->until_ns = sim_now(s) + for_ns;
	n->timer = s->loop->ops->timer_new(s->loop, send_bulk, n);
	send_bulk(n);
}

/* Bytes of the flow from 0 to 1 that are missing from a place on. */
static uint32_t missing(struct sim *s, uint32_t from)
{
	const GByteArray *bytes = s->pairs[0][1].bytes;
	uint32_t n = 0;

	for (guint k = from; k < bytes->len; k++)
		n += bytes->data[k] == 0;
	return n;
}

static uint32_t frame_now(struct sim *s)
{
	return sim_peer(s, 0, 1)->tx_shadow->max_frame;
}

static bool is_narrow(struct sim *s)
{
	return frame_now(s) <= *(uint32_t *)s->data;
}

static bool is_wide(struct sim *s)
{
	return sim_peer(s, 0, 1)->tx_shadow->max_packet == SIM_MTU;
}

START_TEST(narrow_path)
{
	struct sim_spec spec = {.caps = "all"};
	struct sim *s = start(sim_seed(_i), &spec);
	uint32_t limit = sim_random(s, 2) ? 1300 : 1400;
	bool told = sim_random(s, 3) == 0; /* our own interface says so; else they vanish */
	uint64_t rtt_ms = sim_random(s, 101);
	struct ela_mem_link link = *RTT(rtt_ms);
	struct narrow n;
	guint sent;

	sim_link(s, &link);
	start_bulk(s, &n, 140 * ELA_SEC);
	sim_run(s, 5 * ELA_SEC + sim_random(s, 3 * ELA_SEC));
	sim_equal(s, missing(s, 0), s->pairs[0][1].bytes->len - (uint32_t)s->pairs[0][1].stream_got);
	sim_check(s, is_wide(s), "it does not start wide");
	if (told)
		link.mtu = limit;
	else
		link.black_hole = limit;
	sim_link(s, &link);
	s->data = &limit;
	sim_check(s, sim_run_until(s, is_narrow, 3500 * ELA_MSEC), "not narrow in time: %u", frame_now(s));
	sent = s->pairs[0][1].bytes->len;
	/* A packet that fits no more is answered, in both forms; TCP is cut smaller and goes on. */
	sim_run(s, 15 * ELA_SEC);
	sim_check(s, frame_now(s) <= limit && frame_now(s) + 16 >= limit, "found %u", frame_now(s));
	sim_equal(s, sim_counter(s, 0, "icmp-too-big"), s->nodes[0].too_big);
	s->nodes[0].too_big = 0;
	sim_send(s, 0, 1, 1410);
	sim_send_udp(s, 0, 1, 10, 1410);
	sim_run(s, ELA_SEC);
	sim_equal(s, s->nodes[0].too_big, 2);
	sim_equal(s, s->nodes[0].icmp_mtu, sim_peer(s, 0, 1)->tx_shadow->max_packet);
	sim_check(s, sim_lost(s, 0, 1, 0, SIM_ALL) == 11, "a packet that is too big went");
	sim_send(s, 0, 1, s->nodes[0].icmp_mtu);
	sim_run(s, ELA_SEC);
	sim_equal(s, sim_lost(s, 0, 1, 0, SIM_ALL), 11);
	sim_link(s, RTT(rtt_ms));
	sim_check(s, sim_run_until(s, is_wide, 66 * ELA_SEC), "it stays narrow: %u", frame_now(s));
	sim_send(s, 0, 1, SIM_MTU);
	sim_run(s, n.until_ns + 2 * ELA_SEC - sim_now(s)); /* past a rekey, to the end of the bulk */
	sim_equal(s, sim_lost(s, 0, 1, 0, SIM_ALL), 11);
	sim_equal(s, missing(s, sent), 0);
	s->loop->ops->timer_free(n.timer);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, roaming, 20);
	sim_add(suite, roaming_far_away, 10);
	sim_add(suite, roaming_in_silence, 10);
	sim_add(suite, path_thief, 10);
	sim_add(suite, partition, 20);
	sim_add(suite, partition_idle, 20);
	sim_add(suite, one_leaves, 5);
	sim_add(suite, narrow_path, 6);
}

int main(void)
{
	return sim_main("sim-path", fill);
}
