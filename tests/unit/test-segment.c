/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting: every segment of random superpackets against the naive segmenter; and the path's limits. */
#include "naive.h"
#include "segment.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIG (65536 + 512)

static uint8_t pool[65536];

/* What the naive segmenter made, to be met one by one. */
struct expected {
	uint32_t n;
	uint32_t len[ELA_SEGMENT_MAX_COUNT + 1];
	uint32_t at[ELA_SEGMENT_MAX_COUNT + 1];
	uint8_t bytes[4 * 65536];
};

static struct expected expected;

static void expect(void *user, const uint8_t *data, uint32_t len)
{
	struct expected *e = user;
	ck_assert_uint_lt(e->n, ELA_SEGMENT_MAX_COUNT + 1);
	e->at[e->n] = e->n ? e->at[e->n - 1] + e->len[e->n - 1] : 0;
	e->len[e->n] = len;
	ck_assert_uint_le(e->at[e->n] + len, sizeof(e->bytes));
	memcpy(e->bytes + e->at[e->n], data, len);
	e->n++;
}

static uint8_t gso_type(const struct naive_packet *p)
{
	if (p->proto == 6)
		return p->version == 4 ? ELA_GSO_TCP4 : ELA_GSO_TCP6;
	return p->version == 4 ? ELA_GSO_UDP4 : ELA_GSO_UDP6;
}

static struct naive_packet random_super(struct naive_rng *rng, uint32_t *ret_gso_size)
{
	struct naive_packet p = naive_random_packet(rng);
	static const uint8_t flags[] = {NAIVE_ACK, NAIVE_ACK | NAIVE_PSH, NAIVE_ACK | NAIVE_FIN, NAIVE_ACK | NAIVE_CWR,
		NAIVE_ACK | NAIVE_ECE, NAIVE_ACK | NAIVE_PSH | NAIVE_FIN | NAIVE_CWR | NAIVE_ECE | NAIVE_URG, 0xff};
	p.flags = flags[naive_below(rng, sizeof(flags))];
	if (naive_one_in(rng, 20))
		p.seq = UINT32_MAX - naive_below(rng, 40000);
	if (naive_one_in(rng, 20))
		p.id = (uint16_t)(UINT16_MAX - naive_below(rng, 20));
	if (p.version == 4 && naive_one_in(rng, 5))
		p.ip_options_len = (uint8_t)(4 * naive_below(rng, 11));
	uint32_t size = naive_one_in(rng, 3) ? 1 + naive_below(rng, 60) : 1 + naive_below(rng, 1500);
	uint32_t most = 65535 - 120, segments = 1 + naive_below(rng, naive_one_in(rng, 10) ? 64 : 8);
	p.payload_len = naive_one_in(rng, 4) ? size * segments : naive_below(rng, size * segments + 1);
	p.payload_len = p.payload_len > most ? most : p.payload_len;
	p.payload = pool + naive_below(rng, sizeof(pool) - p.payload_len);
	*ret_gso_size = size;
	return p;
}

static struct ela_packet super_of(uint8_t *data, uint32_t len, const struct naive_packet *p, uint32_t gso_size)
{
	return (struct ela_packet){.data = data,
		.len = len,
		.gso_size = (uint16_t)gso_size,
		.gso_type = gso_type(p),
		.flags = ELA_PACKET_NEEDS_CSUM,
		.csum_start = (uint16_t)naive_l4(data),
		.csum_offset = p->proto == 6 ? 16 : 6};
}

/* The field of an elided checksum is zero; everything else must be as built from scratch. */
static void compare(uint32_t round, uint32_t k, const uint8_t *got, uint32_t len, bool elided)
{
	static uint8_t want[BIG];
	if (len != expected.len[k])
		naive_fail("round %u, segment %u: %u bytes, wanted %u", round, k, len, expected.len[k]);
	memcpy(want, expected.bytes + expected.at[k], len);
	if (elided)
		naive_put16(want + naive_l4(want) + (got[got[0] / 16 == 4 ? 9 : 6] == 6 ? 16 : 6), 0);
	for (uint32_t i = 0; i < len; i++)
		if (got[i] != want[i])
			naive_fail(
				"round %u, segment %u (elided %d): byte %u is %02x, wanted %02x", round, k, elided, i, got[i], want[i]);
}

static void cut_and_compare(uint32_t round, const struct naive_packet *p, uint32_t gso_size, uint32_t max, bool elide)
{
	static uint8_t made[BIG];
	uint8_t *data = made + 128;
	uint32_t len = naive_build(data, p), hdr_len = len - p->payload_len;
	/* What stands in the checksum field must not matter. */
	naive_put16(data + naive_l4(data) + (p->proto == 6 ? 16 : 6), 0xdead);
	struct ela_packet pkt = super_of(data, len, p, gso_size);
	struct ela_packet_class cls;
	if (ela_packet_classify(&pkt, &cls) < 0 || cls.hdr_len != hdr_len || cls.l4 != naive_l4(data))
		naive_fail("round %u: badly classified", round);
	struct ela_segment seg;
	int err = ela_segment_begin(&seg, &pkt, &cls, max, elide);
	uint32_t largest = hdr_len + (p->payload_len < gso_size ? p->payload_len : gso_size);
	if (largest > max && (p->proto == 17 || hdr_len >= max)) {
		if (err != -EMSGSIZE)
			naive_fail("round %u: %d instead of -EMSGSIZE", round, err);
		return;
	}
	uint32_t size = largest > max ? max - hdr_len : gso_size;
	expected.n = 0;
	uint32_t n = naive_cut(data, len, size, expect, &expected);
	if (err != 0 || seg.count != n)
		naive_fail("round %u: begin %d, %u segments, wanted %u", round, err, seg.count, n);
	bool elided = elide && p->ip_options_len == 0;
	uint8_t *got;
	for (uint32_t k = 0; k < n; k++) {
		if (!ela_segment_next(&seg, &got, &len))
			naive_fail("round %u: ends at %u of %u", round, k, n);
		compare(round, k, got, len, elided);
	}
	if (ela_segment_next(&seg, &got, &len) || seg.elide != elided)
		naive_fail("round %u: no end, or elides wrongly", round);
}

START_TEST(against_naive)
{
	struct naive_rng rng = naive_seed("segment");
	for (uint32_t i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t)naive_next(&rng);
	uint32_t total = (uint32_t)naive_scaled(100000);
	for (uint32_t round = 0; round < total; round++) {
		uint32_t gso_size;
		struct naive_packet p = random_super(&rng, &gso_size);
		uint32_t max = naive_one_in(&rng, 3) ? 60 + naive_below(&rng, 1500) : 65535;
		/* A tiny path would mean more segments than the table holds. */
		if (p.payload_len > 2000 && max < 600)
			max = 600;
		cut_and_compare(round, &p, gso_size, max, naive_one_in(&rng, 2));
	}
}
END_TEST

START_TEST(largest)
{
	struct naive_rng rng = naive_seed("segment-largest");
	struct naive_packet p = naive_random_packet(&rng);
	p.version = 4;
	p.proto = 6;
	p.tcp_options_len = 12;
	p.payload = pool;
	p.payload_len = 65535 - 52;
	cut_and_compare(0, &p, 1368, 65535, true);
	cut_and_compare(1, &p, 1368, 1280, false);
	p.tcp_options_len = 40;
	p.ip_options_len = 40;
	p.payload_len = 65535 - 120;
	cut_and_compare(2, &p, 1368, 65535, false);
	p.payload_len = 0;
	cut_and_compare(3, &p, 1, 65535, false);
}
END_TEST

/* A datagram whose sum is zero says 0xffff: zero would mean that it has none. */
START_TEST(no_zero_over_udp)
{
	static uint8_t made[200], words[4];
	struct naive_packet p = {.version = 6, .proto = 17, .ttl = 9, .source_port = 7, .payload = words, .payload_len = 2};
	naive_build(made, &p);
	memcpy(words, made + 46, 2);
	memcpy(words + 2, made + 46, 2);
	p.payload_len = 4;
	struct ela_packet pkt = super_of(made, naive_build(made, &p), &p, 2);
	struct ela_packet_class cls;
	struct ela_segment seg;
	uint8_t *data;
	uint32_t len, n = 0;
	ck_assert_int_eq(ela_packet_classify(&pkt, &cls), 0);
	ck_assert_int_eq(ela_segment_begin(&seg, &pkt, &cls, 65535, false), 0);
	for (; ela_segment_next(&seg, &data, &len); n++)
		ck_assert_uint_eq(naive_get16(data + 46), 0xffff);
	ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(refusals)
{
	static uint8_t made[BIG];
	struct naive_rng rng = naive_seed("segment-refusals");
	struct naive_packet p = naive_random_packet(&rng);
	p.payload = pool;
	p.payload_len = 1000;
	struct ela_packet pkt = super_of(made, naive_build(made, &p), &p, 100);
	struct ela_packet_class cls;
	struct ela_segment seg;
	ck_assert_int_eq(ela_packet_classify(&pkt, &cls), 0);
	ck_assert_int_eq(ela_segment_begin(&seg, &pkt, &cls, 65535, true), 0);
	pkt.gso_type = ELA_GSO_NONE;
	ck_assert_int_eq(ela_segment_begin(&seg, &pkt, &cls, 65535, true), -EBADMSG);
	pkt.gso_type = gso_type(&p);
	cls.hdr_len = 0;
	ck_assert_int_eq(ela_segment_begin(&seg, &pkt, &cls, 65535, true), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("segment");
	TCase *tc = tcase_create("segment");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, against_naive);
	tcase_add_test(tc, largest);
	tcase_add_test(tc, no_zero_over_udp);
	tcase_add_test(tc, refusals);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
