/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic: perfect and bad networks, meshes, broadcasts; and that one seed is one run. */
#include "sim.h"

static const struct sim_spec kinds[] = {
	{0},
	{.suite = "chacha20-poly1305", .caps = "csum"},
	{.cipher = "blowfish"},
	{.lanes = 3, .caps = "csum"},
};

static struct sim *start(uint64_t seed, uint32_t n, const struct sim_spec *spec)
{
	struct sim *s = sim_new(seed, n, spec);

	for (uint32_t i = 0; i < n; i++)
		s->nodes[i].spec.dials &=
			(UINT64_C(1) << i) - 1; /* the later one calls: nobody's message 1 crosses another's */
	sim_up_all(s);
	sim_run(s, ELA_SEC);
	return s;
}

/* All that can be said of the counters of a node that sent and got n packets and nothing else. */
static void check_exact(struct sim *s, uint32_t i, uint64_t n)
{
	uint32_t other = 1 - i;

	sim_equal(s, sim_drops(s, i), 0);
	sim_equal(s, sim_counter(s, i, "device-packets-in"), n);
	sim_equal(s, sim_counter(s, i, "device-packets-out"), n);
	sim_equal(s, sim_counter(s, i, "device-bytes-in"), sim_counter(s, other, "device-bytes-out"));
	sim_equal(s, sim_counter(s, i, "frames-out"), sim_counter(s, other, "frames-in"));
	sim_equal(s, sim_counter(s, i, "bytes-out"), sim_counter(s, other, "bytes-in"));
	sim_equal(s, sim_counter(s, i, "handshakes-done"), 1);
	sim_zero(s, i, "rekeys");
	sim_zero(s, i, "waited");
	sim_zero(s, i, "cookies-out");
	sim_zero(s, i, "path-challenges");
	sim_zero(s, i, "links-lost");
	sim_zero(s, i, "icmp-too-big");
	sim_zero(s, i, "icmp-unreachable");
}

START_TEST(perfect)
{
	struct sim *s = start(sim_seed(_i), 2, &kinds[SIM_KIND(G_N_ELEMENTS(kinds))]);

	for (uint32_t k = 0; k < 1000; k++) {
		sim_send(s, 0, 1, SIM_MIN + (uint32_t)sim_random(s, SIM_MTU - SIM_MIN + 1));
		sim_send(s, 1, 0, SIM_MIN + (uint32_t)sim_random(s, SIM_MTU - SIM_MIN + 1));
		if (sim_random(s, 8) == 0)
			sim_run(s, sim_random(s, 3 * ELA_MSEC));
	}
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 1, 0);
	check_exact(s, 0, 1000);
	check_exact(s, 1, 1000);
	sim_free(s);
}
END_TEST

/* One direction only: nobody may take silence of the inner protocol for a dead path. */
START_TEST(one_way)
{
	struct sim *s = start(sim_seed(_i), 2, NULL);

	sim_link(s, &(struct ela_mem_link){.delay_ns = sim_random(s, 200) * ELA_MSEC});
	sim_flow(s, 0, 1, ELA_MSEC, 10 * ELA_SEC);
	sim_run(s, 11 * ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_zero(s, 0, "links-lost");
	sim_equal(s, sim_counter(s, 0, "handshakes-done"), 1);
	sim_equal(s, sim_drops(s, 0) + sim_drops(s, 1), 0);
	sim_free(s);
}
END_TEST

static bool both_keyed(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, 0, 1), *b = sim_peer(s, 1, 0);

	return a->current && b->current;
}

/* What the network may do to datagrams, in all strengths. */
START_TEST(bad_network)
{
	struct sim *s = sim_new(sim_seed(_i), 2, &kinds[SIM_KIND(G_N_ELEMENTS(kinds))]);
	struct ela_mem_link link = {
		.delay_ns = sim_random(s, 50) * ELA_MSEC,
		.jitter_ns = sim_random(s, 2) ? sim_random(s, 100) * ELA_MSEC : 0,
		.loss_ppm = 50000 + (uint32_t)sim_random(s, 450001),
		.dup_ppm = (uint32_t)sim_random(s, 200000),
		.reorder_ppm = (uint32_t)sim_random(s, 300000),
		.reorder_ns = sim_random(s, 200) * ELA_MSEC,
		.split = sim_random(s, 2),
	};
	struct sim_pair *there = &s->pairs[0][1], *back = &s->pairs[1][0];

	sim_link(s, &link);
	sim_up(s, 0);
	sim_run(s, sim_random(s, 600) * ELA_MSEC);
	sim_up(s, 1);
	sim_flow(s, 0, 1, 5 * ELA_MSEC, 40 * ELA_SEC);
	sim_flow(s, 1, 0, 5 * ELA_MSEC, 40 * ELA_SEC);
	/* At half of all lost each way, a try (four datagrams) comes through one time in sixteen or so. */
	sim_check(s, sim_run_until(s, both_keyed, 30 * ELA_SEC), "no session");
	sim_run(s, 50 * ELA_SEC);
	/* The rest of the promise is checked with every packet. More than the network lost, nobody may lose. */
	sim_check(s, there->got > there->sent / 10 && back->got > back->sent / 10, "hardly anything came");
	sim_zero(s, 0, "drop-tag");
	sim_zero(s, 1, "drop-tag");
	sim_zero(s, 0, "drop-source");
	sim_zero(s, 1, "drop-source");
	sim_zero(s, 0, "drop-header");
	sim_zero(s, 1, "drop-header");
	sim_free(s);
}
END_TEST

/* Mild loss costs what was lost and little more: no session flaps. */
START_TEST(mild_loss)
{
	struct sim *s = start(sim_seed(_i), 2, NULL);
	struct ela_mem_link link = {.delay_ns = 20 * ELA_MSEC, .loss_ppm = 50000, .split = true};
	struct sim_pair *there = &s->pairs[0][1];

	sim_link(s, &link);
	sim_flow(s, 0, 1, 2 * ELA_MSEC, 30 * ELA_SEC);
	sim_flow(s, 1, 0, 2 * ELA_MSEC, 30 * ELA_SEC);
	sim_run(s, 31 * ELA_SEC);
	sim_check(s, there->got * 100 >= there->sent * 92, "more is lost than the network loses");
	sim_between(s, 0, "handshakes-done", 1, 1);
	sim_free(s);
}
END_TEST

static void mesh(uint64_t seed, uint32_t n, const struct sim_spec *spec)
{
	struct sim *s = start(seed, n, spec);

	for (uint32_t round = 0; round < 30; round++) {
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < n; k++)
				if (i != k)
					sim_send(s, i, k, SIM_MIN + (uint32_t)sim_random(s, 1000));
		sim_run(s, 10 * ELA_MSEC);
	}
	sim_run(s, 2 * ELA_SEC);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n; k++)
			if (i != k)
				sim_all_there(s, i, k);
	for (uint32_t i = 0; i < n; i++) {
		sim_zero(s, i, "drop-nosession");
		sim_zero(s, i, "drop-source");
		sim_zero(s, i, "drop-tag");
		sim_zero(s, i, "drop-replay");
	}
	sim_free(s);
}

START_TEST(three)
{
	mesh(sim_seed(_i), 3, &kinds[SIM_KIND(G_N_ELEMENTS(kinds))]);
}
END_TEST

START_TEST(ten)
{
	mesh(sim_seed(_i), 10, NULL);
}
END_TEST

static bool no_train_to_1(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	const struct ela_addr to = sim_addr(s, 1);

	(void)frame;
	(void)len;
	if (memcmp(&seen->to, &to, sizeof to) == 0 && seen->len > seen->segment)
		s->data = s;
	return true;
}

/* Where one peer's transport takes no trains, another peer's limit is not its. */
START_TEST(limits_of_each)
{
	struct sim *s = start(sim_seed(_i), 3, NULL);

	sim_peer(s, 0, 1)->tx_shadow->max_segments = 1;
	s->on_frame = no_train_to_1;
	for (uint32_t k = 0; k < 6; k++) {
		for (uint32_t i = 0; i < 1 + sim_random(s, 8); i++)
			sim_send(s, 0, 1, 300);
		sim_send(s, 0, 2, 300);
	}
	sim_run(s, ELA_SEC);
	sim_all_there(s, 0, 1);
	sim_all_there(s, 0, 2);
	sim_check(s, !s->data, "a train where none may be");
	sim_free(s);
}
END_TEST

/* How many of the others got each of a node's broadcasts. */
static uint64_t reached(struct sim *s, uint32_t from)
{
	const GArray *packets = s->pairs[from][SIM_MAX_NODES].packets;
	uint64_t n = 0;

	for (guint k = 0; k < packets->len; k++)
		n += (uint64_t)__builtin_popcountll(g_array_index(packets, struct sim_packet, k).got_by);
	return n;
}

START_TEST(broadcast)
{
	struct sim *s = start(sim_seed(_i), 10, &kinds[SIM_KIND(G_N_ELEMENTS(kinds))]);
	uint64_t limit;

	for (uint32_t i = 0; i < s->n; i++)
		sim_send(s, i, SIM_MAX_NODES, SIM_MIN + (uint32_t)sim_random(s, 1300));
	sim_run(s, ELA_SEC);
	for (uint32_t i = 0; i < s->n; i++) {
		sim_equal(s, reached(s, i), s->n - 1);
		sim_equal(s, sim_counter(s, i, "copies"), s->n - 1);
		sim_zero(s, i, "drop-copies");
	}
	/* 500 in a second would be 4,500 copies: 200 a second and a burst go, each of the rest is counted. */
	for (uint32_t k = 0; k < 500; k++) {
		sim_send(s, 0, SIM_MAX_NODES, 200);
		sim_run(s, 2 * ELA_MSEC);
	}
	limit = 200 + 256 * MAX(s->nodes[0].spec.lanes, 1) + 10;
	sim_between(s, 0, "copies", 200, s->n - 1 + limit);
	sim_equal(s, sim_counter(s, 0, "copies") + sim_counter(s, 0, "drop-copies"), 501 * (s->n - 1));
	sim_equal(s, reached(s, 0), sim_counter(s, 0, "copies"));
	sim_free(s);
}
END_TEST

/* Who is not there takes nothing of the rate. Of so many packets few wait for them, and those not for long. */
START_TEST(broadcast_past_absent)
{
	struct sim *s = sim_new(sim_seed(_i), 4, NULL);

	sim_up(s, 0);
	sim_up(s, 1);
	sim_run(s, 2 * ELA_SEC);
	for (uint32_t k = 0; k < 256; k++)
		sim_send(s, 0, SIM_MAX_NODES, 200);
	sim_run(s, 500 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "copies"), 256);
	sim_zero(s, 0, "drop-copies");
	sim_equal(s, reached(s, 0), 256);
	sim_equal(s, sim_counter(s, 0, "waited"), 2 * 16);
	sim_equal(s, sim_counter(s, 0, "drop-nosession"), 2 * (256 - 16));
	sim_run(s, ELA_SEC);
	sim_equal(s, sim_counter(s, 0, "drop-nosession"), 2 * 256);
	sim_free(s);
}
END_TEST

/* Who comes while the packet still waits gets it, once; the rest of the network has it at once. */
START_TEST(broadcast_waits)
{
	struct sim *s = sim_new(sim_seed(_i), 4, &kinds[SIM_KIND(G_N_ELEMENTS(kinds))]);

	sim_up(s, 0);
	sim_up(s, 1);
	sim_run(s, 2 * ELA_SEC);
	sim_send(s, 0, SIM_MAX_NODES, 200);
	sim_send(s, 0, SIM_MAX_NODES, 1400);
	sim_run(s, 100 * ELA_MSEC);
	sim_equal(s, reached(s, 0), 2);
	sim_up(s, 2);
	sim_run(s, 2 * ELA_SEC);
	sim_equal(s, reached(s, 0), 4);
	sim_equal(s, sim_counter(s, 0, "waited"), 4);
	sim_equal(s, sim_counter(s, 0, "copies"), 4);
	sim_equal(s, sim_counter(s, 0, "drop-nosession"), 2); /* node 3 */
	sim_up(s, 3);
	sim_run(s, 2 * ELA_SEC);
	sim_equal(s, reached(s, 0), 4);
	sim_free(s);
}
END_TEST

/* A peer that is removed while a packet waits for it. */
START_TEST(broadcast_for_removed)
{
	struct sim *s = sim_new(sim_seed(_i), 3, NULL);
	char *error;

	sim_up(s, 0);
	sim_up(s, 1);
	sim_run(s, 2 * ELA_SEC);
	sim_send(s, 0, SIM_MAX_NODES, 200);
	sim_run(s, 100 * ELA_MSEC);
	sim_zero(s, 0, "drop-nosession");
	s->nodes[0].spec.knows &= ~UINT64_C(4);
	error = sim_reload(s, 0);
	sim_check(s, !error, "%s", error);
	sim_run(s, 100 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 0, "drop-nosession"), 1);
	sim_free(s);
}
END_TEST

static uint64_t n_called(struct sim *s, uint32_t i)
{
	uint64_t n = 0;

	for (uint32_t k = 0; k < s->n; k++)
		n += k != i && atomic_load(&sim_peer(s, i, k)->want_ns) != 0;
	return n;
}

/* Sessions with all are not started at once: 32, then 10 a second. The next packet goes on with the others. */
START_TEST(broadcast_calls)
{
	struct sim *s = sim_new(sim_seed(_i), SIM_MAX_NODES, NULL);

	s->nodes[0].spec.dials = 0; /* nothing else calls */
	sim_up(s, 0);
	sim_run(s, 5 * ELA_SEC); /* the limits fill up */
	sim_equal(s, n_called(s, 0), 0);
	sim_send(s, 0, SIM_MAX_NODES, 200);
	sim_run(s, 10 * ELA_MSEC);
	sim_equal(s, n_called(s, 0), 32);
	sim_run(s, 500 * ELA_MSEC);
	sim_check(s, n_called(s, 0) >= 36 && n_called(s, 0) <= 38, "called");
	for (uint32_t k = 0; k < 5; k++) {
		sim_send(s, 0, SIM_MAX_NODES, 200);
		sim_run(s, ELA_SEC);
	}
	sim_equal(s, n_called(s, 0), SIM_MAX_NODES - 1);
	sim_equal(s, sim_counter(s, 0, "waited"), 6 * (SIM_MAX_NODES - 1));
	sim_run(s, ELA_SEC);
	sim_equal(s, sim_counter(s, 0, "drop-nosession"), 6 * (SIM_MAX_NODES - 1));
	sim_free(s);
}
END_TEST

static void put_raw(struct sim *s, const uint8_t *bytes, uint32_t len)
{
	uint8_t copy[128];
	struct ela_packet pkt = {.data = copy, .len = len};

	memcpy(copy, bytes, len);
	ck_assert_int_eq(ela_mem_device_put(s->nodes[0].device, 0, &pkt), 0);
	s->nodes[0].turn = true;
	sim_run(s, 10 * ELA_MSEC);
}

/* What each kernel says on each LAN starts no sessions; what programs say does. */
START_TEST(housekeeping)
{
	static const uint8_t igmp[] = {0x46, 0xc0, 0, 40, 0, 0, 0x40, 0, 1, 2, 0, 0, 10, 88, 0, 1, 224, 0, 0, 22, 0x94, 4,
		0, 0, 0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 239, 77, 0, 1};
	static const uint8_t udp6[] = {
		0x60, 0, 0, 0, 0, 8, 17, 1, 0xfd, [23] = 1, 0xff, 2, [39] = 0xfb, 20, 233, 20, 233, 0, 8, 0, 0};
	uint8_t mld[76] = {0x60, 0, 0, 0, 0, 36, 0, 1, 0xfd, [23] = 1, 0xff, 2, [39] = 0x16, 58, 0, 5, 2, 0, 0, 1, 0, 143};
	uint8_t solicitation[64] = {0x60, 0, 0, 0, 0, 24, 58, 255, 0xfd, [23] = 1, 0xff, 2, [39] = 1, 135};
	struct sim *s = sim_new(sim_seed(_i), 3, NULL);

	s->nodes[0].spec.dials = 0;
	sim_up(s, 0);
	sim_run(s, 2 * ELA_SEC);
	put_raw(s, igmp, sizeof igmp);
	for (uint8_t type = 130; type <= 132; type++) {
		mld[48] = type;
		put_raw(s, mld, sizeof mld);
	}
	mld[48] = 143;
	put_raw(s, mld, sizeof mld);
	for (uint8_t type = 133; type <= 137; type++) {
		solicitation[40] = type;
		put_raw(s, solicitation, sizeof solicitation);
	}
	sim_equal(s, sim_counter(s, 0, "device-packets-in"), 10);
	sim_equal(s, sim_drops(s, 0), 0);
	sim_zero(s, 0, "waited");
	sim_equal(s, n_called(s, 0), 0);
	solicitation[40] = 128; /* an echo request to all nodes */
	put_raw(s, solicitation, sizeof solicitation);
	sim_equal(s, sim_counter(s, 0, "waited"), 2);
	put_raw(s, udp6, sizeof udp6);
	sim_equal(s, sim_counter(s, 0, "waited"), 4);
	sim_equal(s, n_called(s, 0), 2);
	sim_free(s);
}
END_TEST

/* A source that is not the sender's, and an address that nobody has. */
START_TEST(inner_lies)
{
	struct sim *s = start(sim_seed(_i), 3, NULL);

	for (uint32_t k = 0; k < 20; k++)
		sim_send_as(s, 0, 1, 2);
	sim_run(s, ELA_SEC);
	sim_equal(s, sim_counter(s, 1, "drop-source"), 20);
	sim_equal(s, sim_drops(s, 1), 20);
	sim_zero(s, 1, "device-packets-out");
	sim_send(s, 0, SIM_MAX_NODES - 1, 100); /* inside the prefix, and nobody */
	sim_run(s, ELA_SEC);
	sim_equal(s, sim_counter(s, 0, "drop-noroute"), 1);
	sim_equal(s, s->nodes[0].unreachable, 1);
	sim_free(s);
}
END_TEST

static uint64_t fingerprint(uint64_t seed)
{
	struct sim *s = start(seed, 3, &kinds[0]);
	struct ela_mem_link link = {.delay_ns = 3 * ELA_MSEC, .jitter_ns = 9 * ELA_MSEC, .loss_ppm = 100000};
	uint64_t sum = 0;

	sim_link(s, &link);
	sim_capture(s, true);
	sim_flow(s, 0, 1, ELA_MSEC, 3 * ELA_SEC);
	sim_flow(s, 2, 0, ELA_MSEC, 3 * ELA_SEC);
	sim_run(s, 4 * ELA_SEC);
	for (guint k = 0; k < s->captured->len; k++) {
		const struct sim_frame *f = sim_captured(s, k);

		for (uint32_t i = 0; i < f->len; i++)
			sum = (sum ^ f->bytes[i]) * UINT64_C(0x100000001b3) + f->at_ns;
	}
	sim_free(s);
	return sum;
}

START_TEST(one_seed_one_run)
{
	uint64_t seed = sim_seed(_i), a = fingerprint(seed);

	ck_assert_uint_eq(a, fingerprint(seed));
	ck_assert_uint_ne(a, fingerprint(seed + 1));
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, perfect, 20);
	sim_add(suite, one_way, 10);
	sim_add(suite, bad_network, 20);
	sim_add(suite, mild_loss, 10);
	sim_add(suite, three, 20);
	sim_add(suite, ten, 10);
	sim_add(suite, broadcast, 8);
	sim_add(suite, broadcast_past_absent, 1);
	sim_add(suite, broadcast_waits, 8);
	sim_add(suite, broadcast_for_removed, 1);
	sim_add(suite, broadcast_calls, 1);
	sim_add(suite, housekeeping, 1);
	sim_add(suite, limits_of_each, 10);
	sim_add(suite, inner_lies, 5);
	sim_add(suite, one_seed_one_run, 3);
}

int main(void)
{
	return sim_main("sim-traffic", fill);
}
