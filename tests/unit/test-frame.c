/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-frame: core/frame.h: the ELA header good and bad, the nonce byte by byte, stream records at every cut and limit.
 * Buffers are exactly as long as what is said to be there, so that a sanitizer sees a byte too far.
 */
#include "frame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(numbers)
{
	static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xf8};
	uint8_t out[8];

	ck_assert_uint_eq(ela_get16(bytes), 0x0102);
	ck_assert_uint_eq(ela_get16(bytes + 6), 0x07f8);
	ck_assert_uint_eq(ela_get32(bytes + 4), 0x050607f8);
	ck_assert_uint_eq(ela_get64(bytes), UINT64_C(0x01020304050607f8));
	ela_put16(out, 0x0102);
	ck_assert_mem_eq(out, bytes, 2);
	ela_put32(out, 0x01020304);
	ck_assert_mem_eq(out, bytes, 4);
	ela_put64(out, UINT64_C(0x01020304050607f8));
	ck_assert_mem_eq(out, bytes, 8);
}
END_TEST

START_TEST(header_bytes)
{
	static const uint8_t want[] = {1, 1, 3, 0x81, 0x0a, 0x0b, 0x0c, 0x0d};
	uint8_t out[ELA_HEADER_LEN];

	ela_header_put(out, ELA_TYPE_EPACKET, 0x81, 0x0a0b0c0d);
	ck_assert_mem_eq(out, want, sizeof want);
	ck_assert(ela_header_ok(out, sizeof out));
	ck_assert_uint_eq(ela_header_destination(out), 0x0a0b0c0d);
}
END_TEST

START_TEST(frame_bytes)
{
	static const uint8_t want[] = {
		1, 1, 3, 0, 0xff, 0xff, 0xff, 0xfe, 0x01, 0x02, 0x03, 0x04, 0x0f, 0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5, 0x06};
	uint8_t out[ELA_FRAME_HEAD];

	ck_assert_uint_eq(sizeof want, ELA_FRAME_HEAD);
	ela_header_put(out, ELA_TYPE_EPACKET, 0, 0xfffffffe);
	ela_frame_put(out, 0x01020304, UINT64_C(15) << ELA_LANE_SHIFT | UINT64_C(0xa0b1c2d3e4f506));
	ck_assert_mem_eq(out, want, sizeof want);
	ck_assert_uint_eq(ela_frame_index(out), 0x01020304);
	ck_assert_uint_eq(ela_frame_counter(out), UINT64_C(0x0fa0b1c2d3e4f506));
	ck_assert_uint_eq(ela_frame_counter(out) >> ELA_LANE_SHIFT, 15);
	ck_assert_uint_eq(ela_frame_counter(out) & ELA_SEQUENCE_MASK, UINT64_C(0xa0b1c2d3e4f506));
}
END_TEST

/* True for a header of len bytes in a buffer of just as many. */
static bool ok(const uint8_t *header, uint32_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	bool ret;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, header, len);
	ret = ela_header_ok(exact, len);
	free(exact);
	return ret;
}

START_TEST(header_bad)
{
	uint8_t h[ELA_HEADER_LEN];

	ela_header_put(h, ELA_TYPE_EPACKET, 0, 1);
	for (uint32_t len = 0; len < ELA_HEADER_LEN; len++)
		ck_assert_msg(!ok(h, len), "%u bytes taken for a header", len);
	ck_assert(ok(h, ELA_HEADER_LEN));
	for (uint32_t v = 0; v < 256; v++) {
		h[0] = (uint8_t)v;
		ck_assert_msg(ok(h, sizeof h) == (v == 1), "version %u", v);
	}
	h[0] = 1;
	for (uint32_t v = 0; v < 256; v++) { /* the type is looked at later: unknown ones have a counter of their own */
		h[1] = (uint8_t)v;
		ck_assert_msg(ok(h, sizeof h), "type %u", v);
	}
	for (uint32_t v = 0; v < 256; v++) {
		h[2] = (uint8_t)v;
		for (h[3] = 0; h[3] <= ELA_FLAG_HOP; h[3] += ELA_FLAG_HOP)
			ck_assert_msg(ela_header_ttl_ok(h) == (h[3] ? v >= 1 && v <= 3 : v == 3), "TTL %u flags %u", v, h[3]);
	}
	for (uint32_t type = 1; type < 5; type++)
		for (uint32_t v = 0; v < 256; v++) {
			h[1] = (uint8_t)type;
			h[3] = (uint8_t)v;
			ck_assert_msg(
				ok(h, sizeof h) == ((v & 0x3c) == 0 && (type == 1 || (v & 0xc1) == 0)), "type %u flags %#x", type, v);
		}
}
END_TEST

START_TEST(nonce_bytes)
{
	static const uint8_t iv[12] = {0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xa9, 0xba, 0xcb};
	/* version 1, type 2, flags c3 of which 01 counts, 0, counter 0f a0 b1 c2 d3 e4 f5 06 */
	static const uint8_t want[12] = {0x11, 0x23, 0x33, 0x43, 0x5b, 0xc5, 0xc7, 0x45, 0x4b, 0x4d, 0x4f, 0xcd};
	uint8_t frame[ELA_FRAME_HEAD], nonce[12];

	ela_header_put(frame, ELA_TYPE_MESSAGE, 0xc3, 0x99999999);
	ela_frame_put(frame, 0x77777777, UINT64_C(0x0fa0b1c2d3e4f506));
	ela_frame_nonce(frame, iv, nonce);
	ck_assert_mem_eq(nonce, want, sizeof want);
}
END_TEST

/* What a relay may change is no part of the nonce; everything else that the receiver acts on is. */
START_TEST(nonce_covers)
{
	static const uint8_t iv[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	uint8_t frame[ELA_FRAME_HEAD], before[12], after[12];

	ela_header_put(frame, ELA_TYPE_EPACKET, ELA_FLAG_CSUM, 0x01020304);
	ela_frame_put(frame, 0x05060708, 42);
	ela_frame_nonce(frame, iv, before);
	for (uint32_t bit = 0; bit < 8 * ELA_FRAME_HEAD; bit++) {
		uint32_t byte = bit / 8;
		bool ttl = byte == 2, hop_or_ecn = byte == 3 && (0xc2 >> bit % 8 & 1), address = byte >= 4 && byte < 12;

		frame[byte] ^= (uint8_t)(1u << bit % 8);
		ela_frame_nonce(frame, iv, after);
		frame[byte] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(
			(memcmp(before, after, 12) == 0) == (ttl || hop_or_ecn || address), "byte %u bit %u", byte, bit % 8);
	}
}
END_TEST

/* Outcome of ela_record_next() over len bytes in a buffer of just as many. */
static int next(const uint8_t *bytes, uint32_t len, uint32_t max, struct ela_record *ret, const uint8_t **ret_start,
	uint32_t *ret_need)
{
	uint8_t *exact = malloc(len ? len : 1);
	int got;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, len);
	got = ela_record_next(exact, len, max, ret, ret_need);
	if (got == 1) {
		ck_assert_ptr_eq(ret->data, exact + ELA_RECORD_HEAD);
		*ret_start = bytes + ELA_RECORD_HEAD;
	}
	free(exact);
	return got;
}

START_TEST(record_bytes)
{
	static const uint8_t want[] = {2, 0x01, 0x02, 0x03};
	uint8_t out[ELA_RECORD_HEAD];

	ela_record_put(out, ELA_RECORD_TRAIN, 0x010203);
	ck_assert_mem_eq(out, want, sizeof want);
}
END_TEST

/* A stream of each kind and of the smallest and some longer sizes, fed up to each byte. */
START_TEST(record_every_cut)
{
	static const struct {
		uint8_t kind;
		uint32_t len;
	} rows[] = {{1, 8}, {2, 40}, {3, 8}, {1, 9}, {2, 41}, {1, 2048}, {3, 777}, {2, 1460}, {1, 36}};
	static uint8_t stream[8192];
	uint32_t len = 0, starts[sizeof rows / sizeof rows[0] + 1];

	for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		starts[i] = len;
		ela_record_put(stream + len, rows[i].kind, rows[i].len);
		memset(stream + len + ELA_RECORD_HEAD, (int)(0xa0 + i), rows[i].len);
		len += ELA_RECORD_HEAD + rows[i].len;
	}
	starts[sizeof rows / sizeof rows[0]] = len;
	for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t full = starts[i + 1] - starts[i];

		for (uint32_t cut = 0; cut <= len - starts[i]; cut++) {
			struct ela_record record = {0};
			const uint8_t *start = NULL;
			uint32_t need = 0;
			int got = next(stream + starts[i], cut, ELA_STREAM_MAX_STRANGER, &record, &start, &need);

			ck_assert_msg(got == (cut >= full), "record %u, %u of %u bytes: %d", i, cut, full, got);
			if (got) {
				ck_assert_uint_eq(record.kind, rows[i].kind);
				ck_assert_uint_eq(record.len, rows[i].len);
				ck_assert_ptr_eq(start + record.len, stream + starts[i + 1]);
			} else {
				ck_assert_uint_eq(need, cut < ELA_RECORD_HEAD ? ELA_RECORD_HEAD : full);
			}
		}
	}
}
END_TEST

/* With nothing but its head there, and with all of it. */
static void expect(uint8_t kind, uint32_t size, uint32_t max, int want)
{
	static uint8_t bytes[ELA_RECORD_HEAD + ELA_STREAM_MAX + 16];
	uint32_t whole = ELA_RECORD_HEAD + size < sizeof bytes ? ELA_RECORD_HEAD + size : (uint32_t)sizeof bytes;
	struct ela_record record;
	const uint8_t *start;
	uint32_t need = 0;

	ela_record_put(bytes, kind, size);
	ck_assert_msg(next(bytes, ELA_RECORD_HEAD, max, &record, &start, &need) == (want == 1 ? 0 : want),
		"head of kind %u, %u bytes of %u", kind, size, max);
	ck_assert_msg(next(bytes, whole, max, &record, &start, &need) == want, "kind %u, %u bytes of %u", kind, size, max);
}

START_TEST(record_limits)
{
	static const uint32_t limits[] = {ELA_STREAM_MAX_STRANGER, ELA_STREAM_MAX};

	ck_assert_uint_eq(ELA_STREAM_MAX_STRANGER, 2048);
	ck_assert_uint_eq(ELA_STREAM_MAX, 69632);
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t kind = 0; kind < 256; kind++) {
			bool known = kind >= 1 && kind <= 3;

			expect((uint8_t)kind, limits[i], limits[i], known ? 1 : -1);
			expect((uint8_t)kind, limits[i] - 1, limits[i], known ? 1 : -1);
			expect((uint8_t)kind, limits[i] + 1, limits[i], -1);
			expect((uint8_t)kind, 0xffffff, limits[i], -1);
			for (uint32_t size = 0; size < 48; size++)
				expect((uint8_t)kind, size, limits[i], known && size >= (kind == 2 ? 40 : 8) ? 1 : -1);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *header = tcase_create("header"), *record = tcase_create("record");
	SRunner *runner;
	int failed;

	tcase_set_timeout(header, 120);
	tcase_add_test(header, numbers);
	tcase_add_test(header, header_bytes);
	tcase_add_test(header, frame_bytes);
	tcase_add_test(header, header_bad);
	tcase_add_test(header, nonce_bytes);
	tcase_add_test(header, nonce_covers);
	suite_add_tcase(suite, header);
	tcase_set_timeout(record, 120);
	tcase_add_test(record, record_bytes);
	tcase_add_test(record, record_every_cut);
	tcase_add_test(record, record_limits);
	suite_add_tcase(suite, record);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
