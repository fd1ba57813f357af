/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: nothing is lost, superpackets stay whole, connections die and come back, a stalled one holds up nobody. */
#include "sim.h"

#include "link.h"
#include "peer.h"

#define RTT(ms) (&(struct ela_mem_link){.delay_ns = (ms)*ELA_MSEC / 2})
#define MEGABYTE (1u << 20)

static bool up(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++)
			if (i != k && !sim_peer(s, i, k)->tx_shadow)
				return false;
	return true;
}

/* The later ones call. */
static struct sim *start(uint64_t seed, uint32_t n, const struct sim_spec *spec)
{
	struct sim *s = sim_new(seed, n, spec);

	for (uint32_t i = 0; i < n; i++)
		s->nodes[i].spec.dials = (UINT64_C(1) << i) - 1;
	sim_up_all(s);
	sim_check(s, sim_run_until(s, up, 3 * ELA_SEC), "no session");
	sim_run(s, ELA_SEC);
	return s;
}

static uint32_t any_buffer(struct sim *s)
{
	static const uint32_t sizes[] = {512, 1000, 4096, 65536, MEGABYTE};

	return sizes[sim_random(s, G_N_ELEMENTS(sizes))];
}

static struct sim *start_any_buffer(uint64_t seed, struct sim_spec spec)
{
	struct sim *s = sim_new(seed, 2, &spec);

	s->nodes[0].spec.dials = 0;
	s->nodes[0].spec.buffer = any_buffer(s);
	s->nodes[1].spec.buffer = any_buffer(s);
	sim_up_all(s);
	sim_check(s, sim_run_until(s, up, 3 * ELA_SEC), "no session");
	sim_run(s, ELA_SEC);
	return s;
}

static uint32_t attached(struct sim *s, uint32_t i)
{
	GPtrArray *links = s->nodes[i].node->links;
	uint32_t n = 0;

	for (guint k = 0; k < links->len; k++)
		n += ((struct ela_link *)g_ptr_array_index(links, k))->state == ELA_LINK_ATTACHED;
	return n;
}

START_TEST(perfect)
{
	static const char *const caps[] = {"none", "csum", "all"};
	const struct sim_spec spec = {.mode = "stream", .caps = caps[SIM_KIND(3)], .lanes = 1 + SIM_KIND(2)};
	struct sim *s = start_any_buffer(sim_seed(_i), spec);

	for (uint32_t k = 0; k < 1000; k++) {
		sim_send(s, 0, 1, SIM_MIN + (uint32_t)sim_random(s, SIM_MTU - SIM_MIN + 1));
		sim_send(s, 1, 0, SIM_MIN + (uint32_t)sim_random(s, SIM_MTU - SIM_MIN + 1));
		if (sim_random(s, 4) == 0)
			sim_run(s, sim_random(s, 3 * ELA_MSEC));
	}
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	for (uint32_t i = 0; i < 2; i++) {
		sim_equal(s, sim_drops(s, i), 0);
		sim_equal(s, sim_counter(s, i, "device-packets-in"), 1000);
		sim_equal(s, sim_counter(s, i, "frames-out"), sim_counter(s, 1 - i, "frames-in"));
		sim_equal(s, sim_counter(s, i, "bytes-out"), sim_counter(s, 1 - i, "bytes-in"));
		if (SIM_KIND(3) != 2) /* else headers went where datagrams were joined */
			sim_equal(s, sim_counter(s, i, "device-bytes-in"), sim_counter(s, 1 - i, "device-bytes-out"));
		sim_equal(s, sim_counter(s, i, "handshakes-done"), 1);
		sim_equal(s, sim_counter(s, i, "streams-opened"), 1);
		sim_zero(s, i, "streams-closed");
		sim_zero(s, i, "sends");
		sim_equal(s, attached(s, i), 1);
	}
	sim_free(s);
}
END_TEST

/* A superpacket goes as one record and comes as one, through buffers that take it in pieces. */
START_TEST(superpackets)
{
	const struct sim_spec spec = {.mode = "stream", .caps = "all", .suite = SIM_KIND(2) ? "chacha20-poly1305" : NULL};
	struct sim *s = start_any_buffer(sim_seed(_i), spec);
	uint64_t before = sim_counter(s, 0, "frames-out"), sent = 0;

	for (uint32_t k = 0; k < 100; k++) {
		uint32_t len = 1401 + (uint32_t)sim_random(s, 63000);

		sim_send_tcp(s, 0, 1, len, 1 + (uint32_t)sim_random(s, 1400) % 1380 + len / 2048);
		sim_send_udp(s, 0, 1, 2 + (uint32_t)sim_random(s, 40), 100 + (uint32_t)sim_random(s, 1300));
		sent += 2;
		sim_run(s, sim_random(s, 20 * ELA_MSEC));
	}
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_equal(s, s->pairs[0][1].stream_got, s->pairs[0][1].bytes->len);
	sim_equal(s, s->nodes[1].written_super, sent);
	sim_between(s, 0, "frames-out", before + sent, before + sent + 30); /* and pings */
	sim_equal(s, sim_drops(s, 0) + sim_drops(s, 1), 0);
	sim_free(s);
}
END_TEST

/* More datagrams in one piece than the other end's kernel must take: they come one by one, all of them. */
START_TEST(long_udp)
{
	const struct sim_spec spec = {.mode = "stream", .caps = "all", .buffer = MEGABYTE};
	struct sim *s = start(sim_seed(_i), 2, &spec);

	for (uint32_t k = 0; k < 20; k++) {
		sim_send_udp(s, 1, 0, 60 + (uint32_t)sim_random(s, 60), 100 + (uint32_t)sim_random(s, 300));
		sim_run(s, 20 * ELA_MSEC);
	}
	sim_run(s, ELA_SEC);
	sim_all_there(s, 1, 0);
	sim_equal(s, sim_drops(s, 0) + sim_drops(s, 1), 0);
	sim_free(s);
}
END_TEST

/* What the network loses only comes later. */
START_TEST(losses_are_delays)
{
	const struct sim_spec spec = {.mode = "stream", .buffer = MEGABYTE};
	struct sim *s = start(sim_seed(_i), 2, &spec);
	struct ela_mem_link link = {
		.delay_ns = sim_random(s, 50) * ELA_MSEC,
		.jitter_ns = sim_random(s, 50) * ELA_MSEC,
		.loss_ppm = 50000 + (uint32_t)sim_random(s, 450001),
	};

	sim_link(s, &link);
	sim_flow(s, 0, 1, 10 * ELA_MSEC, 10 * ELA_SEC);
	sim_flow(s, 1, 0, 10 * ELA_MSEC, 10 * ELA_SEC);
	sim_run(s, 15 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_equal(s, sim_drops(s, 0) + sim_drops(s, 1), 0);
	sim_equal(s, sim_counter(s, 0, "streams-opened"), 1);
	sim_free(s);
}
END_TEST

/* They break again and again: at most what was under way is lost, and nothing comes twice. */
START_TEST(killed)
{
	const struct sim_spec spec = {.mode = "stream", .lanes = 1 + SIM_KIND(2)};
	struct sim *s = start(sim_seed(_i), 2, &spec);
	uint64_t rtt_ms = sim_random(s, 101), at_ns = 0;

	sim_link(s, RTT(rtt_ms));
	sim_flow(s, 0, 1, 5 * ELA_MSEC, 40 * ELA_SEC);
	sim_flow(s, 1, 0, 5 * ELA_MSEC, 40 * ELA_SEC);
	for (uint32_t k = 0; k < 10; k++) {
		sim_run(s, 2 * ELA_SEC + sim_random(s, ELA_SEC));
		if (at_ns) /* back in time for everything but the first two round trips and a half */
			for (uint32_t i = 0; i < 2; i++)
				sim_equal(
					s, sim_lost(s, i, 1 - i, at_ns + (3 * rtt_ms + 100) * ELA_MSEC, sim_now(s) - 100 * ELA_MSEC), 0);
		ck_assert_uint_ge(ela_mem_kill_streams(s->fabric, s->nodes[0].underlay, s->nodes[1].underlay), 1);
		at_ns = sim_now(s);
	}
	sim_run(s, 30 * ELA_SEC);
	for (uint32_t i = 0; i < 2; i++) {
		sim_equal(s, sim_lost(s, i, 1 - i, at_ns + ELA_SEC, SIM_ALL), 0);
		sim_equal(s, attached(s, i), 1);
		sim_equal(s, s->nodes[i].node->links->len, 1);
		sim_zero(s, i, "drop-tag");
		sim_zero(s, i, "drop-replay");
	}
	sim_free(s);
}
END_TEST

static bool agree(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, 0, 1), *b = sim_peer(s, 1, 0);

	return a->tx_shadow && b->tx_shadow && a->tx_shadow->link && b->tx_shadow->link &&
		   a->current->with.local_index == b->current->with.remote_index &&
		   b->current->with.local_index == a->current->with.remote_index;
}

START_TEST(both_dial)
{
	const struct sim_spec spec = {.mode = "stream"};
	struct sim *s = sim_new(sim_seed(_i), 2, &spec);
	uint64_t rtt_ms = 1 + sim_random(s, 400), offset_ms = sim_random(s, 601), up_ns;

	s->nodes[0].spec.dials = s->nodes[1].spec.dials = SIM_ALL;
	sim_link(s, RTT(rtt_ms));
	sim_up(s, 0);
	sim_run(s, offset_ms * ELA_MSEC);
	sim_up(s, 1);
	up_ns = sim_now(s);
	sim_flow(s, 0, 1, 20 * ELA_MSEC, 20 * ELA_SEC);
	sim_flow(s, 1, 0, 20 * ELA_MSEC, 20 * ELA_SEC);
	sim_check(
		s, sim_run_until(s, agree, 3 * ELA_SEC), "rtt %u ms, offset %u ms", (unsigned)rtt_ms, (unsigned)offset_ms);
	sim_run(s, 30 * ELA_SEC);
	sim_check(s, agree(s), "they fell out again");
	for (uint32_t i = 0; i < 2; i++) {
		sim_equal(s, sim_lost(s, i, 1 - i, up_ns + 4 * ELA_SEC, SIM_ALL), 0);
		sim_equal(s, attached(s, i), 1);
		sim_equal(s, s->nodes[i].node->links->len, 1);
	}
	sim_free(s);
}
END_TEST

/*
 * A connection of 10 Mbit/s under a flood: what is sealed can be passed by nothing, so little of it waits, and a packet
 * of another flow comes soon.
 */
START_TEST(short_queue)
{
	const struct sim_spec spec = {.mode = "stream", .buffer = 32768};
	struct sim *s = start(sim_seed(_i), 2, &spec);
	const struct ela_mem_link slow = {.rate_bps = 10000000, .queue_ns = ELA_SEC};
	uint64_t sent_ns = 0, longest_ns = 0;
	uint32_t n = 1;

	sim_link(s, &slow);
	for (uint32_t k = 0; k < 500; k++) {
		for (uint32_t i = 0; i < 8; i++)
			sim_send(s, 1, 0, 1400);
		if (k % 50 == 49) {
			sim_send_tcp(s, 1, 0, 100, 1300);
			sent_ns = sim_now(s);
		}
		sim_run(s, 2 * ELA_MSEC);
		if (sent_ns && s->pairs[1][0].stream_got == 100 * n) {
			longest_ns = MAX(longest_ns, sim_now(s) - sent_ns);
			sent_ns = 0;
			n++;
		}
	}
	sim_check(s, n == 11 || (n == 10 && sent_ns), "%u came", n - 1);
	/* 32 KiB in each end of the connection take 52 ms, 16 KiB that are sealed 13. */
	sim_check(s, longest_ns < 95 * ELA_MSEC, "a packet took %u ms", (unsigned)(longest_ns / ELA_MSEC));
	sim_free(s);
}
END_TEST

/* One of two connections takes nothing: the other one's packets are as quick as before, and memory has a limit. */
START_TEST(stalled)
{
	const struct sim_spec spec = {
		.mode = "stream", .caps = "all", .buffer = any_buffer(&(struct sim){.random = sim_seed(_i)})};
	struct sim *s = start(sim_seed(_i), 3, &spec);
	uint64_t rtt_ms = sim_random(s, 101), dropped;

	sim_link(s, &(struct ela_mem_link){.delay_ns = spec.buffer < 65536 ? 0 : rtt_ms * ELA_MSEC / 2});
	s->pairs[0][2].late_ns = s->pairs[2][0].late_ns = 0;
	ck_assert_int_eq(ela_mem_partition(s->fabric, s->nodes[0].underlay, s->nodes[1].underlay, true), 0);
	sim_flow(s, 0, 2, 10 * ELA_MSEC, 20 * ELA_SEC);
	sim_flow(s, 2, 0, 10 * ELA_MSEC, 20 * ELA_SEC);
	for (uint32_t k = 0; k < 200; k++) {
		sim_send_tcp(s, 0, 1, 60000, 1300);
		sim_run(s, 50 * ELA_MSEC);
	}
	sim_run(s, 15 * ELA_SEC);
	sim_all_there(s, 0, 2);
	sim_all_there(s, 2, 0);
	sim_check(s, s->pairs[0][2].late_ns <= (rtt_ms + 5) * ELA_MSEC, "the stalled one held up another");
	sim_check(s, s->pairs[2][0].late_ns <= (rtt_ms + 5) * ELA_MSEC, "the stalled one held up another");
	dropped = sim_counter(s, 0, "drop-queue");
	sim_check(s, dropped > 100, "where is all that?");
	/* It goes on where it stood, or anew, and then nothing is dropped any more. */
	ck_assert_int_eq(ela_mem_partition(s->fabric, s->nodes[0].underlay, s->nodes[1].underlay, false), 0);
	sim_run(s, 10 * ELA_SEC);
	sim_flow(s, 0, 1, 20 * ELA_MSEC, 5 * ELA_SEC);
	sim_flow(s, 1, 0, 20 * ELA_MSEC, 5 * ELA_SEC);
	sim_run(s, 10 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_free(s);
}
END_TEST

START_TEST(restart)
{
	const struct sim_spec spec = {.mode = "stream"};
	struct sim *s = sim_new(sim_seed(_i), 2, &spec);
	uint64_t up_ns;

	s->nodes[0].spec.dials = SIM_KIND(3) == 2 ? 0 : SIM_ALL;
	s->nodes[1].spec.dials = SIM_KIND(3) == 1 ? 0 : SIM_ALL;
	sim_link(s, RTT(sim_random(s, 201)));
	sim_up_all(s);
	sim_flow(s, 0, 1, 10 * ELA_MSEC, 100 * ELA_SEC);
	sim_flow(s, 1, 0, 10 * ELA_MSEC, 100 * ELA_SEC);
	sim_run(s, (3 + sim_random(s, 5)) * ELA_SEC);
	sim_check(s, s->pairs[0][1].got && s->pairs[1][0].got, "nothing flows");
	sim_down(s, 1);
	sim_run(s, sim_random(s, 4) ? sim_random(s, 3000) * ELA_MSEC : sim_random(s, 60) * ELA_SEC);
	sim_up(s, 1);
	up_ns = sim_now(s);
	s->pairs[0][1].first_ns = s->pairs[1][0].first_ns = 0;
	sim_run(s, 3 * ELA_SEC);
	sim_check(s, s->pairs[0][1].first_ns && s->pairs[1][0].first_ns, "nothing flows after 3 s");
	sim_run(s, 10 * ELA_SEC);
	sim_equal(s, sim_lost(s, 0, 1, up_ns + 3 * ELA_SEC, sim_now(s) - ELA_SEC), 0);
	sim_equal(s, sim_lost(s, 1, 0, up_ns + 3 * ELA_SEC, sim_now(s) - ELA_SEC), 0);
	sim_free(s);
}
END_TEST

/* Ten minutes with new keys every two, over the same connection. */
START_TEST(rekey)
{
	const struct sim_spec spec = {.mode = "stream"};
	struct sim *s = start(sim_seed(_i), 2, &spec);

	sim_link(s, RTT(sim_random(s, 201)));
	sim_flow(s, 0, 1, 50 * ELA_MSEC, 600 * ELA_SEC);
	sim_flow(s, 1, 0, 50 * ELA_MSEC, 600 * ELA_SEC);
	sim_run(s, 605 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	sim_between(s, 0, "rekeys", 4, 5);
	sim_equal(s, sim_drops(s, 0) + sim_drops(s, 1), 0);
	sim_equal(s, sim_counter(s, 0, "streams-opened"), 1);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, perfect, 20);
	sim_add(suite, superpackets, 12);
	sim_add(suite, long_udp, 5);
	sim_add(suite, losses_are_delays, 10);
	sim_add(suite, killed, 10);
	sim_add(suite, both_dial, 60);
	sim_add(suite, short_queue, 3);
	sim_add(suite, stalled, 10);
	sim_add(suite, restart, 20);
	sim_add(suite, rekey, 5);
}

int main(void)
{
	return sim_main("sim-stream", fill);
}
