/* SPDX-License-Identifier: Apache-2.0 */
/* What a packet is: a table of good and bad packets, each a small change to a good one; then cut and noisy ones. */
#include "naive.h"
#include "segment.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct change {
	const char *name;
	uint8_t version, proto; /* of the packet it starts from */
	int at;                 /* byte to change, -1 = none */
	uint8_t value;
	int more; /* bytes of len more (or less) than the packet has */
	uint8_t flags, gso_type;
	uint16_t gso_size, csum_start, csum_offset;
	int want;           /* 0 or -EBADMSG */
	uint8_t want_proto; /* with its l4 */
	uint8_t want_hdr_len;
	bool plain, elidable;
};

#define BAD .want = -EBADMSG
#define CSUM .flags = ELA_PACKET_NEEDS_CSUM

/* Packets are 200 bytes of payload behind headers without options (IPv4 20, IPv6 40, TCP 20, UDP 8). */
static const struct change changes[] = {
	{"tcp4", 4, 6, -1, .want_proto = 6, .want_hdr_len = 40, .plain = true},
	{"tcp4 partial", 4, 6, -1, CSUM, .csum_start = 20, .csum_offset = 16, .want_proto = 6, .want_hdr_len = 40,
		.plain = true, .elidable = true},
	{"udp4 partial", 4, 17, -1, CSUM, .csum_start = 20, .csum_offset = 6, .want_proto = 17, .want_hdr_len = 28,
		.plain = true, .elidable = true},
	{"tcp6 partial", 6, 6, -1, CSUM, .csum_start = 40, .csum_offset = 16, .want_proto = 6, .want_hdr_len = 60,
		.plain = true, .elidable = true},
	{"udp6 partial", 6, 17, -1, CSUM, .csum_start = 40, .csum_offset = 6, .want_proto = 17, .want_hdr_len = 48,
		.plain = true, .elidable = true},
	{"version 5", 4, 6, 0, 0x55, BAD},
	{"version 0", 4, 6, 0, 0x05, BAD},
	{"header of 16", 4, 6, 0, 0x44, BAD},
	{"IP length too small", 4, 6, 3, 200, BAD},
	{"one byte behind the packet", 4, 6, -1, .more = 1, BAD},
	{"one byte missing", 4, 6, -1, .more = -1, BAD},
	{"one byte behind the packet, IPv6", 6, 6, -1, .more = 1, BAD},
	{"one byte missing, IPv6", 6, 6, -1, .more = -1, BAD},
	{"nothing but a start", 4, 6, -1, .more = -221, BAD},
	{"empty", 4, 6, -1, .more = -240, BAD},
	{"IPv6 cut in its header", 6, 6, -1, .more = -221, BAD},
	{"ICMP", 4, 6, 9, 1, .want_proto = 1},
	{"ICMP partial", 4, 6, 9, 1, CSUM, .csum_start = 20, .csum_offset = 2, .want_proto = 1},
	{"more fragments", 4, 6, 6, 0x20, .want_proto = 0},
	{"fragment offset", 4, 6, 7, 1, .want_proto = 0},
	{"DF is no fragment", 4, 6, 6, 0x40, .want_proto = 6, .want_hdr_len = 40, .plain = true},
	{"header length zero", 4, 6, 32, 0, .want_proto = 6, .want_hdr_len = 0},
	{"header length 16", 4, 6, 32, 0x40, .want_proto = 6, .want_hdr_len = 0},
	{"TCP options", 4, 6, 32, 0xf0, .want_proto = 6, .want_hdr_len = 80, .plain = true},
	{"datagram shorter than the packet", 4, 17, 25, 207, .want_proto = 17, .want_hdr_len = 28},
	{"hop by hop", 6, 6, 6, 0, .want_proto = 0},
	{"routing", 6, 6, 6, 43, .want_proto = 0},
	{"fragment, IPv6", 6, 6, 6, 44, .want_proto = 0},
	{"destination options", 6, 6, 6, 60, .want_proto = 0},
	{"authentication header", 6, 6, 6, 51, .want_proto = 0},
	{"ICMPv6", 6, 6, 6, 58, .want_proto = 58},
	{"checksum in the IP header", 4, 6, -1, CSUM, .csum_start = 0, .csum_offset = 10, BAD},
	{"checksum start in the IP header", 4, 6, -1, CSUM, .csum_start = 19, .csum_offset = 17, BAD},
	{"checksum start in the IPv6 header", 6, 6, -1, CSUM, .csum_start = 39, .csum_offset = 17, BAD},
	{"checksum behind the end", 4, 6, -1, CSUM, .csum_start = 239, .csum_offset = 0, BAD},
	{"checksum at the end", 4, 6, -1, CSUM, .csum_start = 238, .csum_offset = 0, .want_proto = 6, .want_hdr_len = 40,
		.plain = true},
	{"checksum offset wraps", 4, 6, -1, CSUM, .csum_start = 20, .csum_offset = 65535, BAD},
	{"checksum start and offset wrap", 4, 6, -1, CSUM, .csum_start = 65535, .csum_offset = 65535, BAD},
	{"another start", 4, 6, -1, CSUM, .csum_start = 24, .csum_offset = 16, .want_proto = 6, .want_hdr_len = 40,
		.plain = true},
	{"UDP's offset on TCP", 4, 6, -1, CSUM, .csum_start = 20, .csum_offset = 6, .want_proto = 6, .want_hdr_len = 40,
		.plain = true},
	{"without the flag start and offset mean nothing", 4, 6, -1, .csum_start = 9999, .csum_offset = 9999,
		.want_proto = 6, .want_hdr_len = 40, .plain = true},
	{"super tcp4", 4, 6, -1, .gso_type = ELA_GSO_TCP4, .gso_size = 100, CSUM, .csum_start = 20, .csum_offset = 16,
		.want_proto = 6, .want_hdr_len = 40, .plain = true, .elidable = true},
	{"super tcp6", 6, 6, -1, .gso_type = ELA_GSO_TCP6, .gso_size = 100, CSUM, .csum_start = 40, .csum_offset = 16,
		.want_proto = 6, .want_hdr_len = 60, .plain = true, .elidable = true},
	{"super udp4", 4, 17, -1, .gso_type = ELA_GSO_UDP4, .gso_size = 100, CSUM, .csum_start = 20, .csum_offset = 6,
		.want_proto = 17, .want_hdr_len = 28, .plain = true, .elidable = true},
	{"super udp6", 6, 17, -1, .gso_type = ELA_GSO_UDP6, .gso_size = 100, CSUM, .csum_start = 40, .csum_offset = 6,
		.want_proto = 17, .want_hdr_len = 48, .plain = true, .elidable = true},
	{"super of a peer", 4, 6, -1, .gso_type = ELA_GSO_TCP4, .gso_size = 100, .want_proto = 6, .want_hdr_len = 40,
		.plain = true},
	{"super datagram: its own length says nothing", 4, 17, 25, 0, .gso_type = ELA_GSO_UDP4, .gso_size = 100,
		.want_proto = 17, .want_hdr_len = 28, .plain = true},
	{"gso size 0", 4, 6, -1, .gso_type = ELA_GSO_TCP4, BAD},
	{"gso size 1", 4, 6, -1, .gso_type = ELA_GSO_TCP4, .gso_size = 1, .want_proto = 6, .want_hdr_len = 40,
		.plain = true},
	{"gso type 5", 4, 6, -1, .gso_type = 5, .gso_size = 100, BAD},
	{"gso type 255", 4, 6, -1, .gso_type = 255, .gso_size = 100, BAD},
	{"IPv6's type on IPv4", 4, 6, -1, .gso_type = ELA_GSO_TCP6, .gso_size = 100, BAD},
	{"IPv4's type on IPv6", 6, 17, -1, .gso_type = ELA_GSO_UDP4, .gso_size = 100, BAD},
	{"UDP's type on TCP", 4, 6, -1, .gso_type = ELA_GSO_UDP4, .gso_size = 100, BAD},
	{"TCP's type on UDP", 6, 17, -1, .gso_type = ELA_GSO_TCP6, .gso_size = 100, BAD},
	{"super fragment", 4, 6, 6, 0x20, .gso_type = ELA_GSO_TCP4, .gso_size = 100, BAD},
	{"super behind extension headers", 6, 6, 6, 0, .gso_type = ELA_GSO_TCP6, .gso_size = 100, BAD},
	{"super with a bad TCP header", 4, 6, 32, 0x10, .gso_type = ELA_GSO_TCP4, .gso_size = 100, BAD},
	{"super, checksum elsewhere", 4, 6, -1, .gso_type = ELA_GSO_TCP4, .gso_size = 100, CSUM, .csum_start = 24,
		.csum_offset = 16, BAD},
};

/* A heap block of exactly the bytes said, so that a sanitizer sees a read behind them. */
static uint8_t *exact(const uint8_t *data, uint32_t len, uint32_t have)
{
	uint8_t *copy = calloc(1, len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, len < have ? len : have);
	return copy;
}

START_TEST(table)
{
	const struct change *c = &changes[_i];
	static uint8_t payload[200], made[400];
	struct naive_packet p = {.version = c->version,
		.proto = c->proto,
		.flags = NAIVE_ACK,
		.payload = payload,
		.payload_len = sizeof(payload),
		.ttl = 64};
	uint32_t have = naive_build(made, &p), len = have + (uint32_t)c->more;
	if (c->at >= 0)
		made[c->at] = c->value;
	struct ela_packet pkt = {.data = exact(made, len, have),
		.len = len,
		.flags = c->flags,
		.gso_type = c->gso_type,
		.gso_size = c->gso_size,
		.csum_start = c->csum_start,
		.csum_offset = c->csum_offset};
	struct ela_packet_class cls = {.version = 99};
	int err = ela_packet_classify(&pkt, &cls);
	ck_assert_msg(err == c->want, "%s: %d", c->name, err);
	if (err < 0) {
		ck_assert_msg(cls.version == 99, "%s: touched", c->name);
	} else {
		uint32_t l4 = c->version == 6 ? 40 : (made[0] & 15u) * 4u;
		ck_assert_msg(cls.version == c->version && cls.proto == c->want_proto, "%s: proto %u", c->name, cls.proto);
		ck_assert_msg(cls.l4 == (c->want_proto ? l4 : 0), "%s: l4 %u", c->name, cls.l4);
		ck_assert_msg(cls.hdr_len == c->want_hdr_len, "%s: hdr_len %u", c->name, cls.hdr_len);
		ck_assert_msg(cls.plain == c->plain, "%s: plain %d", c->name, cls.plain);
		ck_assert_msg(cls.elidable == c->elidable, "%s: elidable %d", c->name, cls.elidable);
	}
	free(pkt.data);
}
END_TEST

START_TEST(options_are_not_plain)
{
	static uint8_t payload[100], made[400];
	struct naive_packet p = {
		.version = 4, .proto = 6, .flags = NAIVE_ACK, .payload = payload, .payload_len = 100, .ip_options_len = 8};
	struct ela_packet pkt = {.data = made,
		.len = naive_build(made, &p),
		.flags = ELA_PACKET_NEEDS_CSUM,
		.csum_start = 28,
		.csum_offset = 16};
	struct ela_packet_class cls;
	ck_assert_int_eq(ela_packet_classify(&pkt, &cls), 0);
	ck_assert_uint_eq(cls.l4, 28);
	ck_assert_uint_eq(cls.hdr_len, 48);
	ck_assert(!cls.plain && !cls.elidable);
}
END_TEST

START_TEST(ecn_of_both_versions)
{
	static uint8_t payload[10], made[400];
	for (uint32_t i = 0; i < 512; i++) {
		struct naive_packet p = {.version = i & 256 ? 6 : 4,
			.proto = 6,
			.flags = NAIVE_ACK,
			.tos = (uint8_t)i,
			.flow = 0xfffff,
			.payload = payload,
			.payload_len = 10};
		struct ela_packet pkt = {.data = made, .len = naive_build(made, &p)};
		struct ela_packet_class cls;
		ck_assert_int_eq(ela_packet_classify(&pkt, &cls), 0);
		ck_assert_uint_eq(cls.ecn, i & 3);
	}
}
END_TEST

/* The bound on segments: 2,048 pass, one byte more does not. */
START_TEST(too_many_segments)
{
	static uint8_t payload[ELA_SEGMENT_MAX_COUNT * 2 + 1], made[8192];
	for (uint32_t over = 0; over < 2; over++) {
		struct naive_packet p = {
			.version = 6, .proto = 17, .payload = payload, .payload_len = ELA_SEGMENT_MAX_COUNT * 2 + over};
		struct ela_packet pkt = {.data = made, .len = naive_build(made, &p), .gso_type = ELA_GSO_UDP6, .gso_size = 2};
		struct ela_packet_class cls;
		ck_assert_int_eq(ela_packet_classify(&pkt, &cls), over ? -EBADMSG : 0);
	}
}
END_TEST

/* Whatever the bytes: what is accepted can be cut and summed within its bounds (a sanitizer watches). */
START_TEST(noise)
{
	struct naive_rng rng = naive_seed("classify");
	uint32_t accepted = 0, total = (uint32_t)naive_scaled(1000000);
	static uint8_t payload[64], made[400];
	for (uint32_t round = 0; round < total; round++) {
		struct naive_packet p = naive_random_packet(&rng);
		p.payload = payload;
		p.payload_len = naive_below(&rng, sizeof(payload));
		uint32_t have = naive_build(made, &p), len = naive_one_in(&rng, 4) ? naive_below(&rng, have + 1) : have;
		if (naive_one_in(&rng, 2))
			naive_put16(made + (p.version == 4 ? 2 : 4), p.version == 4 ? len : len - 40);
		for (uint32_t n = naive_below(&rng, 3); n > 0; n--)
			made[naive_below(&rng, have)] = (uint8_t)naive_next(&rng);
		struct ela_packet pkt = {.data = exact(made, len, have),
			.len = len,
			.flags = naive_one_in(&rng, 2) ? ELA_PACKET_NEEDS_CSUM : 0,
			.gso_type = (uint8_t)naive_below(&rng, 6),
			.gso_size = (uint16_t)naive_below(&rng, 50),
			.csum_start = (uint16_t)(naive_one_in(&rng, 2) ? naive_l4(made) : naive_below(&rng, 130)),
			.csum_offset = (uint16_t)(naive_one_in(&rng, 2) ? (p.proto == 6 ? 16 : 6) : naive_below(&rng, 40))};
		struct ela_packet_class cls;
		int err = ela_packet_classify(&pkt, &cls);
		if (err != 0 && err != -EBADMSG)
			naive_fail("round %u: %d", round, err);
		struct ela_segment seg;
		uint8_t *data;
		if (err == 0 && ela_segment_begin(&seg, &pkt, &cls, 65535, naive_one_in(&rng, 2)) == 0)
			while (ela_segment_next(&seg, &data, &len))
				if (data < pkt.data || data + len > pkt.data + pkt.len)
					naive_fail("round %u: a segment leaves the packet", round);
		accepted += err == 0;
		free(pkt.data);
	}
	ck_assert_uint_gt(accepted, total / 50);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classify");
	TCase *tc = tcase_create("classify");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, table, 0, (int)(sizeof(changes) / sizeof(changes[0])));
	tcase_add_test(tc, options_are_not_plain);
	tcase_add_test(tc, ecn_of_both_versions);
	tcase_add_test(tc, too_many_segments);
	tcase_add_test(tc, noise);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
