/* SPDX-License-Identifier: Apache-2.0 */
/* test-fib: core/fib.c against a walk over all prefixes, with addresses near their edges. */
#include "fib.h"
#include "naive.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 400u
#define LOOKUPS 200000u

/* Peers are only compared. */
static char peers[MAX_ENTRIES];

static struct ela_peer *peer(uint32_t i)
{
	return (struct ela_peer *)(void *)&peers[i];
}

static bool bit_of(const uint8_t *ip, uint32_t bit)
{
	return ip[bit / 8] >> (7 - bit % 8) & 1;
}

static bool covers(const struct ela_fib_entry *e, uint8_t family, const uint8_t *ip)
{
	if (e->family != family)
		return false;
	for (uint32_t bit = 0; bit < e->bits; bit++)
		if (bit_of(e->ip, bit) != bit_of(ip, bit))
			return false;
	return true;
}

static struct ela_peer *model(const struct ela_fib_entry *entries, uint32_t n, uint8_t family, const uint8_t *ip)
{
	const struct ela_fib_entry *best = NULL;

	for (uint32_t i = 0; i < n; i++)
		if (covers(&entries[i], family, ip) && (!best || entries[i].bits >= best->bits))
			best = &entries[i];
	return best ? best->peer : NULL;
}

static void random_ip(struct naive_rng *rng, uint8_t ip[16])
{
	for (uint32_t i = 0; i < 16; i++)
		ip[i] = (uint8_t)naive_below(rng, 256);
}

/* Few different prefixes of all lengths, so that they nest and repeat; host bits are left as they come. */
static void random_entries(struct naive_rng *rng, struct ela_fib_entry *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct ela_fib_entry *e = &entries[i];
		bool v4 = naive_one_in(rng, 2);

		if (i && naive_below(rng, 4)) {
			*e = entries[naive_below(rng, i)]; /* inside or around one that is there */
			v4 = e->family == ELA_ADDR_IP4;
			if (naive_one_in(rng, 2)) {
				uint32_t bit = naive_below(rng, v4 ? 32 : 128);

				e->ip[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
			}
		} else {
			random_ip(rng, e->ip);
			if (v4)
				memset(e->ip + 4, 0, 12);
		}
		e->family = v4 ? ELA_ADDR_IP4 : ELA_ADDR_IP6;
		if (!naive_one_in(rng, 8) || i == 0)
			e->bits = (uint8_t)naive_below(rng, v4 ? 33 : 129);
		e->peer = peer(i);
	}
}

/* Somewhere in, just beside or far from an entry. */
static void random_target(struct naive_rng *rng, const struct ela_fib_entry *entries, uint32_t n, uint8_t ip[16])
{
	const struct ela_fib_entry *e = &entries[naive_below(rng, n ? n : 1)];
	uint32_t total = e->family == ELA_ADDR_IP4 ? 32 : 128;

	random_ip(rng, ip);
	if (n == 0 || naive_one_in(rng, 8))
		return;
	for (uint32_t bit = 0; bit < e->bits; bit++) {
		ip[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
		ip[bit / 8] |= (uint8_t)(bit_of(e->ip, bit) ? 0x80u >> bit % 8 : 0);
	}
	if (naive_one_in(rng, 3)) {
		uint32_t bit = naive_below(rng, total);

		ip[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
	}
}

START_TEST(against_a_walk)
{
	static struct ela_fib_entry entries[MAX_ENTRIES];
	struct naive_rng rng = naive_seed("fib");
	uint32_t found = 0, missed = 0;

	for (uint32_t done = 0; done < LOOKUPS;) {
		uint32_t n = naive_one_in(&rng, 20) ? 0 : 1 + naive_below(&rng, naive_one_in(&rng, 2) ? 12 : MAX_ENTRIES);
		struct ela_fib *fib;

		memset(entries, 0, sizeof entries);
		random_entries(&rng, entries, n);
		fib = ela_fib_new(entries, n);
		for (uint32_t i = 0; i < 1000; i++, done++) {
			uint8_t ip[16];
			bool v4 = naive_one_in(&rng, 2);
			struct ela_peer *want, *got;

			random_target(&rng, entries, n, ip);
			want = model(entries, n, v4 ? ELA_ADDR_IP4 : ELA_ADDR_IP6, ip);
			got = v4 ? ela_fib_lookup4(fib, ip) : ela_fib_lookup6(fib, ip);
			if (got != want)
				naive_fail(
					"%u prefixes, IPv%d %02x%02x%02x%02x...: another peer", n, v4 ? 4 : 6, ip[0], ip[1], ip[2], ip[3]);
			found += want != NULL;
			missed += want == NULL;
		}
		free(fib);
	}
	ck_assert_uint_ge(found, LOOKUPS / 10);
	ck_assert_uint_ge(missed, LOOKUPS / 10);
}
END_TEST

START_TEST(edges)
{
	struct ela_fib_entry entries[] = {
		{.ip = {10, 88, 0, 77}, .bits = 24, .family = ELA_ADDR_IP4, .peer = peer(0)}, /* host bits are cleared */
		{.ip = {10, 88, 0, 2}, .bits = 32, .family = ELA_ADDR_IP4, .peer = peer(1)},
		{.ip = {0}, .bits = 0, .family = ELA_ADDR_IP6, .peer = peer(2)},
		{.ip = {0xfd, [15] = 9}, .bits = 128, .family = ELA_ADDR_IP6, .peer = peer(3)},
		{.ip = {10, 88, 0, 2}, .bits = 32, .family = ELA_ADDR_IP4, .peer = peer(4)}, /* the last of equal ones wins */
	};
	struct ela_fib *fib = ela_fib_new(entries, 5), *none = ela_fib_new(NULL, 0);
	const uint8_t a[4] = {10, 88, 0, 2}, b[4] = {10, 88, 0, 255}, c[4] = {10, 88, 1, 2}, zero[16] = {0};
	const uint8_t six[16] = {0xfd, [15] = 9}, other[16] = {0xfd, [15] = 8}, like4[16] = {10, 88, 0, 2};

	ck_assert_ptr_eq(ela_fib_lookup4(fib, a), peer(4));
	ck_assert_ptr_eq(ela_fib_lookup4(fib, b), peer(0));
	ck_assert_ptr_null(ela_fib_lookup4(fib, c));
	ck_assert_ptr_null(ela_fib_lookup4(fib, zero)); /* ::/0 is not 0.0.0.0/0 */
	ck_assert_ptr_eq(ela_fib_lookup6(fib, six), peer(3));
	ck_assert_ptr_eq(ela_fib_lookup6(fib, other), peer(2));
	ck_assert_ptr_eq(ela_fib_lookup6(fib, like4), peer(2));
	ck_assert_ptr_null(ela_fib_lookup4(none, a));
	ck_assert_ptr_null(ela_fib_lookup6(none, six));
	free(fib);
	free(none);
}
END_TEST

START_TEST(masks)
{
	for (uint32_t bits = 0; bits <= 128; bits++) {
		uint8_t ip[17];

		memset(ip, 0xff, sizeof ip);
		ela_ip_mask(ip, 16, bits);
		for (uint32_t bit = 0; bit < 128; bit++)
			ck_assert_msg(bit_of(ip, bit) == (bit < bits), "/%u, bit %u", bits, bit);
		ck_assert_uint_eq(ip[16], 0xff);
	}
	for (uint32_t bits = 0; bits <= 32; bits++) {
		uint8_t ip[5];

		memset(ip, 0xff, sizeof ip);
		ela_ip_mask(ip, 4, bits);
		for (uint32_t bit = 0; bit < 32; bit++)
			ck_assert_msg(bit_of(ip, bit) == (bit < bits), "/%u, bit %u", bits, bit);
		ck_assert_uint_eq(ip[4], 0xff);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fib");
	TCase *tc = tcase_create("fib");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, against_a_walk);
	tcase_add_test(tc, edges);
	tcase_add_test(tc, masks);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
