/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-probe: core/probe.h: a PROBE frame there and back; every bit of it, every length and every other network make it
 * none. Its bytes are compared with docs/protocol.md in test-protocol.c.
 */
#include "probe.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static uint8_t key[ELA_PROBE_KEY_LEN];
static const struct ela_probe sample = {
	.kind = ELA_PROBE_BY_UDP, .nonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void setup(void)
{
	const uint8_t network[32] = {7};

	ck_assert_int_eq(ela_probe_key(network, key), 0);
}

/* Of a buffer of just its length, so that a sanitizer sees a byte too far. */
static int parse(const uint8_t *mac_key, const uint8_t *frame, uint32_t len, struct ela_probe *ret)
{
	uint8_t *exact = malloc(len ? len : 1);
	int err;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, frame, len);
	err = ela_probe_parse(mac_key, exact, len, ret);
	free(exact);
	return err;
}

START_TEST(there_and_back)
{
	for (int kind = ELA_PROBE_BY_TCP; kind <= ELA_PROBE_BY_UDP; kind++) {
		struct ela_probe probe = sample, found = {0};
		uint8_t frame[ELA_PROBE_LEN];

		probe.kind = (enum ela_probe_kind)kind;
		ck_assert_int_eq(ela_probe_make(key, &probe, frame), 0);
		ck_assert(ela_header_ok(frame, sizeof frame) && ela_header_ttl_ok(frame));
		ck_assert_uint_eq(frame[1], ELA_TYPE_PROBE);
		ck_assert_uint_eq(ela_header_destination(frame), 0);
		ck_assert_int_eq(parse(key, frame, sizeof frame, &found), 0);
		ck_assert_mem_eq(&found, &probe, sizeof probe);
	}
}
END_TEST

START_TEST(every_bit)
{
	uint8_t frame[ELA_PROBE_LEN];
	const struct ela_probe before = {.nonce = {99}};
	struct ela_probe found = before;

	ck_assert_int_eq(ela_probe_make(key, &sample, frame), 0);
	for (uint32_t bit = 0; bit < 8 * sizeof frame; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(parse(key, frame, sizeof frame, &found) == -EBADMSG, "bit %u", bit);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_mem_eq(&found, &before, sizeof found);
	ck_assert_int_eq(parse(key, frame, sizeof frame, &found), 0);
}
END_TEST

START_TEST(every_length)
{
	uint8_t frame[2 * ELA_PROBE_LEN] = {0};
	struct ela_probe found;

	ck_assert_int_eq(ela_probe_make(key, &sample, frame), 0);
	for (uint32_t len = 0; len <= sizeof frame; len++)
		ck_assert_int_eq(parse(key, frame, len, &found), len == ELA_PROBE_LEN ? 0 : -EBADMSG);
}
END_TEST

/* A good mac does not make up for what it is over. */
START_TEST(other_kinds)
{
	struct ela_probe probe = sample, found;
	uint8_t frame[ELA_PROBE_LEN];

	for (uint32_t kind = 0; kind < 256; kind++) {
		bool good = kind == ELA_PROBE_BY_TCP || kind == ELA_PROBE_BY_UDP;

		probe.kind = (enum ela_probe_kind)kind;
		ck_assert_int_eq(ela_probe_make(key, &probe, frame), 0);
		ck_assert_int_eq(parse(key, frame, sizeof frame, &found), good ? 0 : -EBADMSG);
	}
}
END_TEST

START_TEST(other_network)
{
	const uint8_t network[32] = {8};
	uint8_t frame[ELA_PROBE_LEN], other[ELA_PROBE_KEY_LEN];
	struct ela_probe found;

	ck_assert_int_eq(ela_probe_key(network, other), 0);
	ck_assert_mem_ne(other, key, sizeof other);
	ck_assert_int_eq(ela_probe_make(other, &sample, frame), 0);
	ck_assert_int_eq(parse(key, frame, sizeof frame, &found), -EBADMSG);
	ck_assert_int_eq(parse(other, frame, sizeof frame, &found), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe");
	TCase *tc = tcase_create("probe");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, every_bit);
	tcase_add_test(tc, every_length);
	tcase_add_test(tc, other_kinds);
	tcase_add_test(tc, other_network);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
