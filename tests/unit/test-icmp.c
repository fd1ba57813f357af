/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP answers: one of each to the last byte, a table of packets that get none, and noise within its bounds. */
#include "icmp.h"
#include "naive.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct ela_addr own4 = {.ip = {10, 88, 0, 1}, .family = ELA_ADDR_IP4};
static const struct ela_addr own6 = {.ip = {0xfd, 0x88, [15] = 1}, .family = ELA_ADDR_IP6};

static uint8_t payload[3000];

/* 10.88.0.9 to 10.88.0.2, or fd88::9 to fd88::2. */
static uint32_t make(uint8_t *out, uint8_t version, uint8_t proto, uint32_t payload_len)
{
	struct naive_packet p = {.version = version,
		.proto = proto,
		.ttl = 64,
		.flags = NAIVE_ACK,
		.source_port = 1000,
		.destination_port = 2000,
		.payload = payload,
		.payload_len = payload_len};
	uint32_t last = version == 4 ? 3 : 15;
	memcpy(p.source, version == 4 ? own4.ip : own6.ip, 16);
	memcpy(p.destination, p.source, 16);
	p.source[last] = 9;
	p.destination[last] = 2;
	return naive_build(out, &p);
}

/* The whole answer, built by hand. */
static void check_answer(const uint8_t *out, uint32_t out_len, const uint8_t *pkt, uint32_t len, const uint8_t *from,
	uint8_t type, uint8_t code, uint32_t word)
{
	static uint8_t want[1280];
	bool is_ip4 = pkt[0] / 16 == 4;
	uint32_t ip = is_ip4 ? 20 : 40, most = (is_ip4 ? 576 : 1280) - ip - 8, quote = len < most ? len : most;
	ck_assert_uint_eq(out_len, ip + 8 + quote);
	memset(want, 0, ip + 8);
	if (is_ip4) {
		static const uint8_t head[20] = {0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, 64, 1};
		memcpy(want, head, 20);
		naive_put16(want + 2, 28 + quote);
		memcpy(want + 12, from, 4);
		memcpy(want + 16, pkt + 12, 4);
		naive_put16(want + 10, 0xffff - naive_sum(want, 20, 0));
	} else {
		static const uint8_t head[8] = {0x60, 0, 0, 0, 0, 0, 58, 64};
		memcpy(want, head, 8);
		naive_put16(want + 4, 8 + quote);
		memcpy(want + 8, from, 16);
		memcpy(want + 24, pkt + 8, 16);
	}
	want[ip] = type;
	want[ip + 1] = code;
	naive_put32(want + ip + 4, word);
	memcpy(want + ip + 8, pkt, quote);
	uint32_t pseudo = is_ip4 ? 0 : naive_pseudo(want, 58, 8 + quote);
	naive_put16(want + ip + 2, 0xffff - naive_sum(want + ip, 8 + quote, pseudo));
	ck_assert_mem_eq(out, want, out_len);
}

START_TEST(answers)
{
	static const uint32_t sizes[] = {0, 1, 100, 519, 520, 521, 1203, 1204, 1205, 2900};
	static uint8_t pkt[3200], out[1400];
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t len = make(pkt, 4, 17, sizes[i]);
		check_answer(out, ela_icmp_too_big(out, sizeof(out), pkt, len, &own4, 1280), pkt, len, own4.ip, 3, 4, 1280);
		check_answer(out, ela_icmp_unreachable(out, sizeof(out), pkt, len, &own4), pkt, len, own4.ip, 3, 1, 0);
		len = make(pkt, 6, 6, sizes[i]);
		check_answer(out, ela_icmp_too_big(out, sizeof(out), pkt, len, &own6, 1350), pkt, len, own6.ip, 2, 0, 1350);
		check_answer(out, ela_icmp_unreachable(out, sizeof(out), pkt, len, &own6), pkt, len, own6.ip, 1, 3, 0);
	}
	/* The field for the MTU has 16 bits in IPv4, 32 in IPv6. */
	uint32_t len = make(pkt, 4, 17, 100);
	check_answer(out, ela_icmp_too_big(out, sizeof(out), pkt, len, &own4, 70000), pkt, len, own4.ip, 3, 4, 65535);
	len = make(pkt, 6, 17, 100);
	check_answer(out, ela_icmp_too_big(out, sizeof(out), pkt, len, &own6, 70000), pkt, len, own6.ip, 2, 0, 70000);
}
END_TEST

/* Linux drops what a device brings from the host's own address: the destination answers then. */
START_TEST(own_packets)
{
	static uint8_t pkt[400], out[1400];
	uint32_t len = make(pkt, 4, 17, 100);
	memcpy(pkt + 12, own4.ip, 4);
	check_answer(out, ela_icmp_too_big(out, sizeof(out), pkt, len, &own4, 1280), pkt, len, pkt + 16, 3, 4, 1280);
	len = make(pkt, 6, 17, 100);
	memcpy(pkt + 8, own6.ip, 16);
	check_answer(out, ela_icmp_unreachable(out, sizeof(out), pkt, len, &own6), pkt, len, pkt + 24, 1, 3, 0);
}
END_TEST

static const struct row {
	const char *name;
	uint8_t version;
	uint8_t n; /* bytes to write */
	struct {
		uint8_t at, value;
	} bytes[6];
	bool due;
} rows[] = {
	{"IPv4", 4, 0, {{0, 0}}, true},
	{"IPv6", 6, 0, {{0, 0}}, true},
	{"first fragment", 4, 1, {{6, 0x20}}, true},
	{"second fragment", 4, 1, {{7, 1}}, false},
	{"far fragment", 4, 1, {{6, 0x10}}, false},
	{"from 0.0.0.0", 4, 4, {{12, 0}, {13, 0}, {14, 0}, {15, 0}}, false},
	{"from this network", 4, 1, {{12, 0}}, false},
	{"from loopback", 4, 1, {{12, 127}}, false},
	{"from a group", 4, 1, {{12, 224}}, false},
	{"from a reserved address", 4, 1, {{12, 240}}, false},
	{"from the broadcast address", 4, 4, {{12, 255}, {13, 255}, {14, 255}, {15, 255}}, false},
	{"from 223.88.0.9", 4, 1, {{12, 223}}, true},
	{"to a group", 4, 1, {{16, 239}}, false},
	{"to the broadcast address", 4, 4, {{16, 255}, {17, 255}, {18, 255}, {19, 255}}, false},
	{"to 0.0.0.0", 4, 4, {{16, 0}, {17, 0}, {18, 0}, {19, 0}}, false},
	{"echo", 4, 2, {{9, 1}, {20, 8}}, true},
	{"echo reply", 4, 2, {{9, 1}, {20, 0}}, true},
	{"timestamp", 4, 2, {{9, 1}, {20, 13}}, true},
	{"unreachable", 4, 2, {{9, 1}, {20, 3}}, false},
	{"source quench", 4, 2, {{9, 1}, {20, 4}}, false},
	{"redirect", 4, 2, {{9, 1}, {20, 5}}, false},
	{"time exceeded", 4, 2, {{9, 1}, {20, 11}}, false},
	{"parameter problem", 4, 2, {{9, 1}, {20, 12}}, false},
	{"unknown ICMP", 4, 2, {{9, 1}, {20, 99}}, false},
	{"ICMP error behind options", 4, 3, {{0, 0x46}, {9, 1}, {24, 3}}, false},
	{"echo behind options", 4, 3, {{0, 0x46}, {9, 1}, {24, 8}}, true},
	{"header length 16", 4, 1, {{0, 0x44}}, false},
	{"version 5", 4, 1, {{0, 0x55}}, false},
	{"from ::", 6, 4, {{8, 0}, {9, 0}, {23, 0}, {22, 0}}, false},
	{"from ::1", 6, 4, {{8, 0}, {9, 0}, {23, 1}, {22, 0}}, false},
	{"from ::2", 6, 4, {{8, 0}, {9, 0}, {23, 2}, {22, 0}}, true},
	{"from an IPv6 group", 6, 1, {{8, 0xff}}, false},
	{"to an IPv6 group", 6, 1, {{24, 0xff}}, false},
	{"to ::", 6, 3, {{24, 0}, {25, 0}, {39, 0}}, false},
	{"echo, IPv6", 6, 2, {{6, 58}, {40, 128}}, true},
	{"neighbour solicitation", 6, 2, {{6, 58}, {40, 135}}, true},
	{"unreachable, IPv6", 6, 2, {{6, 58}, {40, 1}}, false},
	{"too big, IPv6", 6, 2, {{6, 58}, {40, 2}}, false},
	{"unknown error, IPv6", 6, 2, {{6, 58}, {40, 127}}, false},
	{"redirect, IPv6", 6, 2, {{6, 58}, {40, 137}}, false},
	{"first fragment, IPv6", 6, 4, {{6, 44}, {40, 17}, {42, 0}, {43, 1}}, true},
	{"second fragment, IPv6", 6, 4, {{6, 44}, {40, 17}, {42, 0}, {43, 8}}, false},
	{"error in a first fragment", 6, 5, {{6, 44}, {40, 58}, {42, 0}, {43, 1}, {48, 1}}, false},
	{"error behind hop by hop", 6, 4, {{6, 0}, {40, 58}, {41, 0}, {48, 3}}, false},
	{"echo behind 16 bytes of options", 6, 4, {{6, 60}, {40, 58}, {41, 1}, {56, 128}}, true},
	{"error behind 16 bytes of options", 6, 4, {{6, 60}, {40, 58}, {41, 1}, {56, 4}}, false},
	{"error behind two headers", 6, 6, {{6, 0}, {40, 43}, {41, 0}, {48, 58}, {49, 0}, {56, 1}}, false},
	{"headers to beyond the end", 6, 3, {{6, 0}, {40, 0}, {41, 255}}, false},
	{"ICMPv6 beyond the end", 6, 3, {{6, 0}, {40, 58}, {41, 255}}, false},
	{"hidden by ESP", 6, 1, {{6, 50}}, true},
};

START_TEST(table)
{
	const struct row *row = &rows[_i];
	static uint8_t out[1400];
	const struct ela_addr *own = row->version == 4 ? &own4 : &own6;
	static uint8_t made[4096];
	/* Behind the packet stand questions, which must not be believed. */
	memset(made, 128, sizeof(made));
	uint32_t len = make(made, row->version, 17, 100);
	for (uint32_t i = 0; i < row->n; i++)
		made[row->bytes[i].at] = row->bytes[i].value;
	ck_assert_msg((ela_icmp_too_big(out, sizeof(out), made, len, own, 1280) > 0) == row->due, "%s: too big", row->name);
	ck_assert_msg(
		(ela_icmp_unreachable(out, sizeof(out), made, len, own) > 0) == row->due, "%s: unreachable", row->name);
}
END_TEST

START_TEST(room_and_family)
{
	static uint8_t pkt[3200], out[1400];
	uint32_t len = make(pkt, 4, 17, 1000);
	ck_assert_uint_eq(ela_icmp_too_big(out, sizeof(out), pkt, len, &own6, 1280), 0);
	ck_assert_uint_eq(ela_icmp_too_big(out, 55, pkt, len, &own4, 1280), 0);
	ck_assert_uint_eq(ela_icmp_too_big(out, 56, pkt, len, &own4, 1280), 56);
	len = make(pkt, 6, 17, 1000);
	ck_assert_uint_eq(ela_icmp_unreachable(out, sizeof(out), pkt, len, &own4), 0);
	ck_assert_uint_eq(ela_icmp_unreachable(out, 95, pkt, len, &own6), 0);
	ck_assert_uint_eq(ela_icmp_unreachable(out, 96, pkt, len, &own6), 96);
}
END_TEST

/* Packets cut short and disturbed, in blocks of just their size, answers into blocks of just the room. */
START_TEST(noise)
{
	struct naive_rng rng = naive_seed("icmp");
	static uint8_t made[300];
	uint32_t answered = 0, total = (uint32_t)naive_scaled(500000);
	for (uint32_t round = 0; round < total; round++) {
		bool is_ip4 = naive_one_in(&rng, 2);
		uint32_t len = make(made, is_ip4 ? 4 : 6, 17, naive_below(&rng, 60));
		for (uint32_t n = naive_below(&rng, 4); n > 0; n--)
			made[naive_below(&rng, 60)] = (uint8_t)(naive_one_in(&rng, 2) ? naive_next(&rng) : naive_below(&rng, 64));
		len = naive_one_in(&rng, 3) ? naive_below(&rng, len + 1) : len;
		uint32_t room = naive_below(&rng, 200);
		uint8_t *pkt = malloc(len ? len : 1), *out = malloc(room ? room : 1);
		ck_assert(pkt && out);
		memcpy(pkt, made, len);
		const struct ela_addr *own = is_ip4 ? &own4 : &own6;
		uint32_t n = naive_one_in(&rng, 2) ? ela_icmp_too_big(out, room, pkt, len, own, 1400)
										   : ela_icmp_unreachable(out, room, pkt, len, own);
		if (n > room || (n > 0 && !naive_ip_sum_good(out)))
			naive_fail("round %u: %u bytes of %u", round, n, room);
		answered += n > 0;
		free(pkt);
		free(out);
	}
	ck_assert_uint_gt(answered, total / 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("icmp");
	TCase *tc = tcase_create("icmp");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, answers);
	tcase_add_test(tc, own_packets);
	tcase_add_loop_test(tc, table, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, room_and_family);
	tcase_add_test(tc, noise);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
