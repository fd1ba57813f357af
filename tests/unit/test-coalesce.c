/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coalescing: cases whose outcome is known, then ten million random segments of disturbed flows: what comes out, cut
 * again by the naive segmenter, must be what went in.
 */
#include "segment.h"
#include "train.h"
#include <check.h>
#include <ela/npd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL (ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6 | ELA_NPD_USO)
#define FLOWS 12u
#define ROOM 128u /* the coalescer's */

static uint8_t pool[65536 + 16384];

struct source {
	struct naive_packet p; /* the next one, but for its payload */
	uint32_t mss;
	bool partial;
	bool held; /* the packet before p.seq was overtaken: it is sent now */
};

/* The most the judge's packets may be. */
static bool is_good(uint8_t *data, uint32_t len, uint8_t gso_type, uint32_t gso_size)
{
	struct ela_packet pkt = {.data = data, .len = len, .gso_type = gso_type, .gso_size = (uint16_t)gso_size};
	struct ela_packet_class cls;
	return ela_packet_classify(&pkt, &cls) == 0;
}

static struct source random_source(struct naive_rng *rng, const struct source *like)
{
	struct source s = {
		.p = naive_random_packet(rng), .mss = 1 + naive_below(rng, 200), .partial = !naive_one_in(rng, 4)};
	if (naive_one_in(rng, 12))
		s.p.destination_port = naive_one_in(rng, 2) ? 4789 : naive_one_in(rng, 2) ? 8472 : 6081;
	if (!like || naive_one_in(rng, 2))
		return s;
	/* A twin: all the same but for one thing. */
	s.p = like->p;
	switch (naive_below(rng, 6)) {
	case 0:
		s.p.source_port ^= (uint16_t)(1u << naive_below(rng, 16));
		break;
	case 1:
		s.p.destination_port ^= (uint16_t)(1u << naive_below(rng, 16));
		break;
	case 2:
		s.p.source[naive_below(rng, s.p.version == 4 ? 4 : 16)] ^= 1;
		break;
	case 3:
		s.p.destination[naive_below(rng, s.p.version == 4 ? 4 : 16)] ^= 1;
		break;
	case 4:
		s.p.proto ^= 6 ^ 17;
		break;
	default:
		break; /* truly the same flow, twice */
	}
	return s;
}

/* Changes of one packet (p) and of the flow from now on (s->p). */
static void disturb_tcp(struct naive_rng *rng, struct source *s, struct naive_packet *p)
{
	static const uint8_t alone[] = {NAIVE_SYN, NAIVE_FIN, NAIVE_RST, NAIVE_URG, NAIVE_CWR};
	switch (naive_below(rng, 13)) {
	case 0:
	case 1:
		p->flags |= NAIVE_PSH;
		break;
	case 2:
		p->flags |= alone[naive_below(rng, sizeof(alone))];
		break;
	case 3:
		s->p.flags = p->flags ^= NAIVE_ECE;
		break;
	case 4:
		p->flags = (uint8_t)naive_next(rng);
		break;
	case 5: /* lost before us, or sent again */
		s->p.seq = p->seq += naive_one_in(rng, 2) ? s->mss : (uint32_t) - (int32_t)s->mss;
		break;
	case 6: /* overtakes */
		s->held = true;
		break;
	case 7:
		s->p.ack = p->ack += naive_below(rng, 3000);
		break;
	case 8:
		s->p.window = p->window += (uint16_t)naive_below(rng, 3);
		break;
	case 9:
		s->p.tcp_options[naive_below(rng, 40)]++;
		memcpy(p->tcp_options, s->p.tcp_options, 40);
		break;
	case 10:
		s->p.tcp_options_len = p->tcp_options_len = (uint8_t)(4 * naive_below(rng, 11));
		break;
	case 11:
		s->p.urgent = p->urgent ^= (uint16_t)naive_below(rng, 2);
		break;
	default:
		s->p.reserved = p->reserved ^= 1;
		break;
	}
}

static void disturb_ip(struct naive_rng *rng, struct source *s, struct naive_packet *p)
{
	switch (naive_below(rng, 9)) {
	case 0:
		s->p.ttl = ++p->ttl;
		break;
	case 1:
		s->p.tos = p->tos ^= (uint8_t)(1u << naive_below(rng, 8));
		break;
	case 2:
		s->p.flow = p->flow ^= 1u << naive_below(rng, 20);
		break;
	case 3:
		s->p.fragment = p->fragment ^= 0x4000;
		break;
	case 4:
		p->fragment ^= 0x8000; /* reserved, yet it is a difference */
		break;
	case 5:
		s->p.id = p->id += (uint16_t)(1 + naive_below(rng, 3));
		break;
	case 6:
		if (p->version == 4)
			p->ip_options_len = (uint8_t)(4 * (1 + naive_below(rng, 10)));
		break;
	case 7:
		if (p->version == 4)
			p->fragment |= naive_one_in(rng, 2) ? 0x2000 : (uint16_t)(1 + naive_below(rng, 8191));
		break;
	default:
		s->partial = !s->partial;
		break;
	}
}

static void disturb(struct naive_rng *rng, struct source *s, struct naive_packet *p)
{
	switch (naive_below(rng, 8)) {
	case 0:
		p->payload_len = naive_below(rng, s->mss);
		break;
	case 1:
		p->payload_len += 1 + naive_below(rng, 3);
		break;
	case 2:
		p->payload_len = 0;
		break;
	case 3:
		p->no_csum = true;
		break;
	case 4:
		disturb_ip(rng, s, p);
		break;
	default:
		disturb_tcp(rng, s, p);
		break;
	}
}

/* Damage behind the checksums' back; false when the packet can no longer go as partial. */
static void damage(struct naive_rng *rng, const struct naive_packet *p, uint8_t *data, uint32_t len, bool *partial)
{
	uint32_t l4 = naive_l4(data);
	switch (naive_below(rng, 4)) {
	case 0:
		if (p->version == 4)
			naive_put16(data + 10, naive_get16(data + 10) ^ (1u << naive_below(rng, 16)));
		break;
	case 1:
		*partial = false;
		if (p->payload_len > 0)
			data[len - 1 - naive_below(rng, p->payload_len)] ^= (uint8_t)(1u << naive_below(rng, 8));
		break;
	case 2:
		*partial = false;
		if (p->proto == 17 && p->payload_len > 0)
			naive_put16(data + l4 + 4, naive_get16(data + l4 + 4) - 1);
		break;
	default: /* ICMP of either version: of no flow */
		*partial = false;
		data[p->version == 4 ? 9 : 6] = p->version == 4 ? 1 : 58;
		break;
	}
}

static void add_super(struct naive_rng *rng, struct source *s, struct train *train, struct ela_coalesce *co)
{
	static uint8_t made[65536];
	struct naive_packet p = s->p;
	p.payload = pool + naive_below(rng, 30000);
	p.payload_len = naive_below(rng, s->mss * 20);
	p.flags |= naive_one_in(rng, 4) ? (uint8_t)naive_next(rng) : 0;
	p.ip_options_len = p.version == 4 && naive_one_in(rng, 10) ? 8 : 0;
	uint8_t type =
		p.proto == 6 ? (p.version == 4 ? ELA_GSO_TCP4 : ELA_GSO_TCP6) : (p.version == 4 ? ELA_GSO_UDP4 : ELA_GSO_UDP6);
	uint32_t len = naive_build(made, &p), l4 = naive_l4(made);
	naive_put16(made + l4 + (p.proto == 6 ? 16 : 6), (uint32_t)naive_next(rng) % 65536);
	if (p.proto == 17 && naive_one_in(rng, 2))
		naive_put16(made + l4 + 4, 0);
	struct ela_packet super = {.data = made, .len = len, .gso_type = type, .gso_size = (uint16_t)s->mss};
	if (!is_good(made, len, type, s->mss))
		naive_fail("a bad superpacket was made");
	train_add_super(train, co, &super);
	s->p.seq += p.payload_len;
	s->p.id = (uint16_t)(s->p.id + p.payload_len / s->mss + 1);
}

static void add_packet(
	struct naive_rng *rng, struct source *s, uint32_t noise, struct train *train, struct ela_coalesce *co)
{
	static uint8_t made[65536];
	struct naive_packet p = s->p;
	p.payload_len = s->mss;
	p.payload = pool + naive_below(rng, 65536);
	bool was_held = s->held;
	if (was_held) {
		p.seq -= 2 * s->mss;
		s->held = false;
	} else if (naive_below(rng, 1000) < noise) {
		disturb(rng, s, &p);
	}
	if (s->held)
		p.seq += s->mss;
	uint32_t len = naive_build(made, &p), l4 = naive_l4(made);
	bool partial = s->partial && p.ip_options_len == 0 && p.fragment % 0x4000 == 0;
	if (naive_below(rng, 1000) < noise / 4)
		damage(rng, &p, made, len, &partial);
	/* On the wire a partial checksum is anything. */
	if (partial)
		naive_put16(made + l4 + (p.proto == 6 ? 16 : 6), naive_one_in(rng, 2) ? 0 : (uint32_t)naive_next(rng) % 65536);
	if (!is_good(made, len, 0, 0))
		naive_fail("a bad packet was made");
	train_add(train, co, made, len, partial);
	s->p.id++;
	if (s->held)
		s->p.seq += 2 * s->mss;
	else if (!was_held)
		s->p.seq = p.seq + p.payload_len;
}

static uint32_t random_caps(struct naive_rng *rng)
{
	return naive_one_in(rng, 3) ? (uint32_t)naive_next(rng) & ALL : ALL;
}

static bool takes_super(uint32_t caps, const struct naive_packet *p)
{
	uint32_t kind = p->proto == 17 ? ELA_NPD_USO : p->version == 4 ? ELA_NPD_TSO4 : ELA_NPD_TSO6;
	return (caps & ELA_NPD_CSUM) && (caps & kind);
}

/* One train; its length. */
static uint32_t run(struct naive_rng *rng, struct train *train, struct ela_coalesce *co, struct train_counts *counts)
{
	static const uint32_t noises[] = {0, 0, 10, 50, 300}, runs[] = {1, 3, 10, 64};
	struct source sources[FLOWS];
	uint32_t n_sources = 1 + naive_below(rng, naive_one_in(rng, 4) ? FLOWS : 4), caps = random_caps(rng);
	uint32_t noise = noises[naive_below(rng, 5)], run_len = runs[naive_below(rng, 4)], n = 1 + naive_below(rng, ROOM);
	bool bulk = naive_one_in(rng, 60);
	if (bulk) {
		n = ROOM;
		n_sources = 1 + naive_below(rng, 2);
	}
	for (uint32_t i = 0; i < n_sources; i++) {
		sources[i] = random_source(rng, i ? &sources[naive_below(rng, i)] : NULL);
		if (bulk)
			sources[i].mss = 900 + naive_below(rng, 580);
	}
	ela_coalesce_caps(co, caps);
	uint32_t at = 0;
	for (uint32_t i = 0; i < n; i++) {
		at = naive_one_in(rng, run_len) ? naive_below(rng, n_sources) : at;
		if (noise && !bulk && naive_one_in(rng, 100) && takes_super(caps, &sources[at].p))
			add_super(rng, &sources[at], train, co);
		else
			add_packet(rng, &sources[at], noise, train, co);
	}
	train_check(train, co, caps, counts);
	return n;
}

static struct ela_coalesce *new_coalescer(uint32_t room, uint32_t caps)
{
	struct ela_coalesce *co = ela_coalesce_new(room);
	ck_assert_ptr_nonnull(co);
	ela_coalesce_caps(co, caps);
	return co;
}

static void fill_pool(struct naive_rng *rng)
{
	for (uint32_t i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t)naive_next(rng);
}

START_TEST(ten_million_segments)
{
	struct naive_rng rng = naive_seed("coalesce");
	fill_pool(&rng);
	struct train *train = train_new();
	struct ela_coalesce *co = new_coalescer(ROOM, ALL);
	struct train_counts counts = {0};
	const uint64_t total = naive_scaled(10000000);
	for (uint64_t n = 0; n < total;)
		n += run(&rng, train, co, &counts);
	double ratio = (double)counts.packets / (double)counts.emitted;
	printf("coalesce: %llu segments came out as %llu packets (%.2f to one); %llu superpackets of %.1f segments, "
		   "largest %llu;"
		   " %llu trains with the fewest possible, %llu superpackets cut singly\n",
		(unsigned long long)counts.packets, (unsigned long long)counts.emitted, ratio,
		(unsigned long long)counts.supers, (double)counts.joined / (double)counts.supers,
		(unsigned long long)counts.largest, (unsigned long long)counts.exact, (unsigned long long)counts.singly);
	ck_assert_uint_ge(counts.packets, total);
	ck_assert(ratio > 2.0);
	ck_assert_uint_eq(counts.largest, 64);
	ck_assert_uint_gt(counts.exact, total / ROOM / 2);
	ck_assert_uint_gt(counts.singly, total / 1000);
	ela_coalesce_free(co);
	train_free(train);
}
END_TEST

/* A plain flow of n segments: joined into as many superpackets as the limits make. */
static void plain_flow(uint8_t version, uint8_t proto, uint32_t mss, uint32_t n, uint32_t want)
{
	struct naive_rng rng = naive_seed("coalesce-plain");
	struct source s = random_source(&rng, NULL);
	s.p = (struct naive_packet){.version = version,
		.proto = proto,
		.ttl = 64,
		.flags = NAIVE_ACK,
		.source_port = 1,
		.destination_port = 2,
		.fragment = 0x4000};
	s.mss = mss;
	s.partial = true;
	struct train *train = train_new();
	struct ela_coalesce *co = new_coalescer(ROOM, ALL);
	struct train_counts counts = {0};
	for (uint32_t i = 0; i < n; i++)
		add_packet(&rng, &s, 0, train, co);
	train_check(train, co, ALL, &counts);
	ck_assert_msg(counts.emitted == want, "IPv%u, protocol %u, %u of %u bytes: %llu packets, wanted %u", version, proto,
		n, mss, (unsigned long long)counts.emitted, want);
	ela_coalesce_free(co);
	train_free(train);
}

START_TEST(limits)
{
	plain_flow(4, 6, 100, 1, 1);
	plain_flow(4, 6, 100, 64, 1);
	plain_flow(4, 6, 100, 65, 2);
	plain_flow(4, 6, 100, 128, 2);
	/* 65,535 bytes: 65,495 of payload behind 40 of headers, 65,475 behind 60, 65,507 behind 28, 65,487 behind 48. */
	plain_flow(4, 6, 65495 / 46, 47, 2);
	plain_flow(4, 6, 65495 / 47, 47, 1);
	plain_flow(4, 6, 5 * 13099 / 5, 5, 1);
	plain_flow(4, 6, 13100, 5, 2);
	plain_flow(6, 6, 13095, 5, 1);
	plain_flow(6, 6, 13096, 5, 2);
	plain_flow(4, 17, 13101, 5, 1);
	plain_flow(4, 17, 13102, 5, 2);
	plain_flow(6, 17, 13097, 5, 1);
	plain_flow(6, 17, 13098, 5, 2);
}
END_TEST

/* A pure ACK, a PSH and a FIN inside a flow: everything in its order. */
START_TEST(order_within_a_flow)
{
	static const struct {
		uint8_t flags;
		uint32_t payload;
	} steps[] = {{NAIVE_ACK, 100}, {NAIVE_ACK, 100}, {NAIVE_ACK, 0}, {NAIVE_ACK, 100}, {NAIVE_ACK | NAIVE_PSH, 100},
		{NAIVE_ACK, 100}, {NAIVE_ACK, 100}, {NAIVE_ACK, 40}, {NAIVE_ACK, 100}, {NAIVE_ACK | NAIVE_FIN, 100}};
	static const uint32_t want[] = {240, 40, 240, 280, 140, 140};
	static uint8_t made[10][200];
	struct ela_coalesce *co = new_coalescer(16, ALL);
	uint32_t seq = UINT32_MAX - 250; /* wraps on the way */
	for (uint32_t i = 0; i < 10; i++) {
		struct naive_packet p = {.version = 4,
			.proto = 6,
			.ttl = 1,
			.flags = steps[i].flags,
			.seq = seq,
			.id = (uint16_t)i,
			.payload = pool,
			.payload_len = steps[i].payload};
		seq += p.payload_len;
		uint32_t len = naive_build(made[i], &p);
		ck_assert(ela_coalesce_add(co, made[i], len, false));
	}
	const struct ela_packet *pkts;
	ck_assert_uint_eq(ela_coalesce_flush(co, &pkts), 6);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_uint_eq(pkts[i].len_total, want[i]);
	ck_assert_uint_eq(pkts[0].data[20 + 13], NAIVE_ACK);
	ck_assert_uint_eq(pkts[2].data[20 + 13], NAIVE_ACK | NAIVE_PSH);
	ck_assert_uint_eq(pkts[3].n_more, 2);
	ck_assert_uint_eq(pkts[1].flags, 0);
	ela_coalesce_reset(co);
	ck_assert_uint_eq(ela_coalesce_flush(co, &pkts), 0);
	ela_coalesce_free(co);
}
END_TEST

START_TEST(full_and_unknown)
{
	static uint8_t made[3][100], junk[3] = {0x45, 0, 0};
	struct naive_packet p = {.version = 4, .proto = 17, .payload = pool, .payload_len = 10};
	struct ela_coalesce *co = new_coalescer(2, ALL);
	const struct ela_packet *pkts;
	uint32_t len = naive_build(made[0], &p);
	struct ela_packet super = {
		.data = made[2], .len = naive_build(made[2], &p), .gso_type = ELA_GSO_UDP4, .gso_size = 5};
	ck_assert(ela_coalesce_add(co, made[0], len, true));
	/* Not even a header: it passes as it is, and nothing is read behind it. */
	ck_assert(ela_coalesce_add(co, junk, sizeof(junk), true));
	ck_assert(!ela_coalesce_add(co, made[1], len, true));
	ck_assert(!ela_coalesce_add_super(co, &super));
	ck_assert_uint_eq(ela_coalesce_flush(co, &pkts), 2);
	ck_assert_uint_eq(pkts[1].len, 3);
	ck_assert_uint_eq(pkts[1].flags, 0);
	ela_coalesce_reset(co);
	ck_assert(ela_coalesce_add_super(co, &super));
	ck_assert_uint_eq(ela_coalesce_flush(co, &pkts), 1);
	ck_assert_uint_eq(pkts[0].gso_size, 5);
	ela_coalesce_free(co);
	ela_coalesce_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("coalesce");
	TCase *tc = tcase_create("coalesce");
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, order_within_a_flow);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, full_and_unknown);
	tcase_add_test(tc, ten_million_segments);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
