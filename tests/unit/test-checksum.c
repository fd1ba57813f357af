/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum: RFC 1071's example and known packets, then a byte-wise sum over random lengths and alignments.
 */
#include "checksum.h"
#include "naive.h"
#include <check.h>
#include <stdlib.h>

/* RFC 1071, section 3. */
START_TEST(rfc1071_example)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	static const uint8_t want[] = {0xdd, 0xf2};
	uint16_t sum = ela_csum_fold(ela_csum_add(bytes, sizeof(bytes), 0));
	ck_assert_mem_eq(&sum, want, 2);
	/* Any cut at an even place gives the same. */
	for (uint32_t cut = 0; cut <= sizeof(bytes); cut += 2) {
		uint64_t part = ela_csum_add(bytes, cut, 0);
		ck_assert_uint_eq(ela_csum_fold(ela_csum_add(bytes + cut, sizeof(bytes) - cut, part)), sum);
	}
}
END_TEST

START_TEST(known_ip_header)
{
	uint8_t ip[20] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xff, 0xff, 0xc0, 0xa8, 0x00, 0x01,
		0xc0, 0xa8, 0x00, 0xc7};
	ela_csum_ip4(ip, sizeof(ip));
	ck_assert_uint_eq(ip[10], 0xb8);
	ck_assert_uint_eq(ip[11], 0x61);
	ck_assert_uint_eq(ela_csum_fold(ela_csum_add(ip, sizeof(ip), 0)), 0xffff);
}
END_TEST

START_TEST(extremes)
{
	static uint8_t ones[65535];
	ck_assert_uint_eq(ela_csum_fold(ela_csum_add(ones, sizeof(ones), 0)), 0);
	ck_assert_uint_eq(ela_csum_fold(ela_csum_add(ones, 0, 0)), 0);
	for (uint32_t i = 0; i < sizeof(ones); i++)
		ones[i] = 0xff;
	ck_assert_uint_eq(ela_csum_fold(ela_csum_add(ones, sizeof(ones) - 1, 0)), 0xffff);
	/* A sum that is all ones takes more without losing the carry. */
	ck_assert_uint_eq(ela_csum_fold(ela_csum_add(ones, 2, UINT64_MAX)), 0xffff);
	static const uint8_t one[2] = {0, 1};
	uint16_t got = ela_csum_fold(ela_csum_add(one, 2, UINT64_MAX));
	ck_assert_mem_eq(&got, one, 2);
	ck_assert_uint_eq(ela_csum_fold(UINT64_MAX), 0xffff);
	ck_assert_uint_eq(ela_csum_fold(UINT64_C(0x1ffff0000)), 1);
}
END_TEST

START_TEST(random_buffers)
{
	static uint8_t bytes[65535 + 64];
	struct naive_rng rng = naive_seed("checksum");
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)naive_next(&rng);
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t at = naive_below(&rng, 64);
		uint32_t len = round < 2000 ? round : naive_below(&rng, naive_one_in(&rng, 20) ? 65536 : 2000);
		uint32_t before = 2 * naive_below(&rng, 40);
		/* The start is what another buffer left: an even number of bytes, with carries. */
		uint64_t sum = before ? ela_csum_add(bytes, before, UINT64_MAX - naive_below(&rng, 3) * 0xffff) : 0;
		uint32_t naive = naive_sum(bytes, before, 0);
		uint16_t got = ela_csum_fold(ela_csum_add(bytes + at, len, sum));
		uint8_t want[2];
		naive_put16(want, naive_sum(bytes + at, len, naive));
		if (memcmp(&got, want, 2) != 0)
			naive_fail("round %u: at %u, %u bytes, before %u", round, at, len, before);
	}
}
END_TEST

START_TEST(pseudo_and_finish)
{
	struct naive_rng rng = naive_seed("checksum-pseudo");
	for (uint32_t round = 0; round < 5000; round++) {
		static uint8_t payload[1500], made[1600], got[1600];
		struct naive_packet p = naive_random_packet(&rng);
		for (uint32_t i = 0; i < sizeof(payload); i++)
			payload[i] = (uint8_t)naive_next(&rng);
		p.payload = payload;
		p.payload_len = naive_below(&rng, 1400);
		uint32_t len = naive_build(made, &p);
		memcpy(got, made, len);
		uint32_t l4 = naive_l4(got), offset = p.proto == 6 ? 16 : 6;
		uint16_t pseudo = ela_csum_pseudo(got, p.proto, len - l4);
		memcpy(got + l4 + offset, &pseudo, 2);
		ela_csum_finish(got, len, l4, offset, p.proto == 17);
		if (p.version == 4)
			ela_csum_ip4(got, l4);
		if (memcmp(made, got, len) != 0)
			naive_fail("round %u: version %u proto %u, %u bytes", round, p.version, p.proto, len);
	}
}
END_TEST

/* A datagram whose sum comes out as zero says 0xffff, as zero would mean "no checksum"; over TCP it stays zero. */
START_TEST(zero_becomes_ones)
{
	for (int udp = 0; udp < 2; udp++) {
		uint8_t packet[8] = {0x12, 0x34, 0, 0, 0, 0, 0, 0};
		static const uint8_t rest[2] = {0xed, 0xcb};
		memcpy(packet + 6, rest, 2);
		ela_csum_finish(packet, sizeof(packet), 0, 6, udp);
		ck_assert_uint_eq(packet[6], udp ? 0xff : 0);
		ck_assert_uint_eq(packet[7], udp ? 0xff : 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("checksum");
	TCase *tc = tcase_create("checksum");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rfc1071_example);
	tcase_add_test(tc, known_ip_header);
	tcase_add_test(tc, extremes);
	tcase_add_test(tc, random_buffers);
	tcase_add_test(tc, pseudo_and_finish);
	tcase_add_test(tc, zero_becomes_ones);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
