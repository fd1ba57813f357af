/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun's pure parts: the virtio_net_hdr and Ethernet header in both directions, with hostile values, and prefixes.
 * A table for what must come out, then seeded random headers against the invariants that core relies on.
 */
#include "../../plugins/npd-tun/prefix.h"
#include "../../plugins/npd-tun/vnet.h"

#include <check.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4 */

struct frame {
	uint8_t front[ELA_VNET_FRONT_MAX];
	uint8_t packet[2048];
};

/* What a device in the given mode would hand over: the packet's version at the start, ethertype to match. */
static void frame_make(struct frame *f, uint32_t version, uint32_t link_len, const struct virtio_net_hdr *vh)
{
	memset(f, 0, sizeof *f);
	memcpy(f->front, vh, sizeof *vh);
	f->packet[0] = version == 4 ? 0x45 : 0x60;
	if (link_len) {
		f->front[ELA_VNET_LEN + 12] = version == 4 ? 0x08 : 0x86;
		f->front[ELA_VNET_LEN + 13] = version == 4 ? 0x00 : 0xdd;
	}
}

struct decode_case {
	const char *name;
	struct virtio_net_hdr vh; /* csum_start as in mode ptp; the test adds the Ethernet header in mode lan */
	uint32_t version, len;
	int ret;
	uint8_t gso_type;
};

#define NEEDS VIRTIO_NET_HDR_F_NEEDS_CSUM
#define ECN VIRTIO_NET_HDR_GSO_ECN
#define VH(flags, gso, hdr, size, start, offset)                                                                       \
	{                                                                                                                  \
		flags, gso, hdr, size, start, offset                                                                           \
	}

static const struct decode_case decode_cases[] = {
	{"plain", VH(0, 0, 0, 0, 0, 0), 4, 20, 0, ELA_GSO_NONE},
	{"plain 6", VH(0, 0, 0, 0, 0, 0), 6, 40, 0, ELA_GSO_NONE},
	{"data valid is ignored", VH(VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, 0, 9, 9), 4, 60, 0, ELA_GSO_NONE},
	{"partial tcp", VH(NEEDS, 0, 54, 0, 20, 16), 4, 60, 0, ELA_GSO_NONE},
	{"partial at the very end", VH(NEEDS, 0, 0, 0, 20, 18), 4, 40, 0, ELA_GSO_NONE},
	{"partial a byte too far", VH(NEEDS, 0, 0, 0, 20, 19), 4, 40, -EBADMSG, 0},
	{"offset 65535", VH(NEEDS, 0, 0, 0, 20, 65535), 4, 60, -EBADMSG, 0},
	{"start beyond the end", VH(NEEDS, 0, 0, 0, 1000, 6), 4, 60, -EBADMSG, 0},
	{"start in the IPv4 header", VH(NEEDS, 0, 0, 0, 19, 6), 4, 60, -EBADMSG, 0},
	{"start in the IPv6 header", VH(NEEDS, 0, 0, 0, 39, 6), 6, 60, -EBADMSG, 0},
	{"hdr_len is never trusted", VH(NEEDS, 0, 65535, 0, 20, 16), 4, 60, 0, ELA_GSO_NONE},
	{"tso4", VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 9, 100, 20, 16), 4, 1000, 0, ELA_GSO_TCP4},
	{"tso4 with ecn", VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4 | ECN, 9, 100, 20, 16), 4, 1000, 0, ELA_GSO_TCP4},
	{"tso6", VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV6, 9, 100, 40, 16), 6, 1000, 0, ELA_GSO_TCP6},
	{"uso4", VH(NEEDS, UDP_L4, 9, 100, 20, 6), 4, 1000, 0, ELA_GSO_UDP4},
	{"uso6", VH(NEEDS, UDP_L4, 9, 100, 40, 6), 6, 1000, 0, ELA_GSO_UDP6},
	{"tso without a size", VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 9, 0, 20, 16), 4, 1000, -EBADMSG, 0},
	{"size without tso", VH(NEEDS, 0, 9, 100, 20, 16), 4, 1000, 0, ELA_GSO_NONE},
	{"tso4 on IPv6", VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 9, 100, 40, 16), 6, 1000, -EBADMSG, 0},
	{"tso6 on IPv4", VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV6, 9, 100, 20, 16), 4, 1000, -EBADMSG, 0},
	{"ufo", VH(NEEDS, VIRTIO_NET_HDR_GSO_UDP, 9, 100, 20, 6), 4, 1000, -EBADMSG, 0},
	{"unknown gso", VH(NEEDS, 0x42, 9, 100, 20, 6), 4, 1000, -EBADMSG, 0},
	{"ecn alone", VH(0, ECN, 0, 0, 0, 0), 4, 60, 0, ELA_GSO_NONE},
	{"empty", VH(0, 0, 0, 0, 0, 0), 4, 0, -EPROTONOSUPPORT, 0},
	{"short IPv4", VH(0, 0, 0, 0, 0, 0), 4, 19, -EPROTONOSUPPORT, 0},
	{"short IPv6", VH(0, 0, 0, 0, 0, 0), 6, 39, -EPROTONOSUPPORT, 0},
};

static void check_decode(const struct decode_case *c, uint32_t link_len)
{
	struct ela_packet pkt, untouched;
	struct virtio_net_hdr vh = c->vh;
	bool partial = vh.flags & NEEDS;
	struct frame f;
	int ret;

	if (partial)
		vh.csum_start = (uint16_t)(vh.csum_start + link_len);
	frame_make(&f, c->version, link_len, &vh);
	memset(&pkt, 0xa5, sizeof pkt);
	untouched = pkt;
	ret = ela_vnet_decode(f.front, link_len, f.packet, c->len, &pkt);
	ck_assert_msg(ret == c->ret, "%s, link %u: %d, wanted %d", c->name, link_len, ret, c->ret);
	if (ret < 0) {
		ck_assert_msg(!memcmp(&pkt, &untouched, sizeof pkt), "%s: touched on failure", c->name);
		return;
	}
	ck_assert_ptr_eq(pkt.data, f.packet);
	ck_assert_uint_eq(pkt.len, c->len);
	ck_assert_msg(pkt.gso_type == c->gso_type, "%s: gso type %u", c->name, pkt.gso_type);
	ck_assert_uint_eq(pkt.gso_size, c->gso_type ? c->vh.gso_size : 0);
	ck_assert_uint_eq(pkt.flags, partial ? ELA_PACKET_NEEDS_CSUM : 0);
	ck_assert_msg(pkt.csum_start == (partial ? c->vh.csum_start : 0), "%s: csum_start %u", c->name, pkt.csum_start);
	ck_assert_uint_eq(pkt.csum_offset, partial ? c->vh.csum_offset : 0);
	ck_assert_uint_eq(pkt.hdr_len, 0);
	ck_assert_uint_eq(pkt.reserved16, 0);
	ck_assert_uint_eq(pkt.len_total, 0);
	ck_assert_uint_eq(pkt.n_more, 0);
	ck_assert_ptr_null(pkt.more);
	ck_assert_msg(!memcmp(pkt.reserved, untouched.reserved, sizeof pkt.reserved), "%s: core's field touched", c->name);
}

START_TEST(decode_table)
{
	const struct decode_case *c = &decode_cases[_i];

	check_decode(c, 0);
	check_decode(c, ELA_ETHER_LEN);
}
END_TEST

/* The checksum must not start within the Ethernet header, whatever the subtraction wraps to. */
START_TEST(decode_ether_bounds)
{
	struct virtio_net_hdr vh = {.flags = NEEDS, .csum_offset = 0};
	struct ela_packet pkt;
	struct frame f;

	for (uint16_t start = 0; start < ELA_ETHER_LEN + 20; start++) {
		vh.csum_start = start;
		frame_make(&f, 4, ELA_ETHER_LEN, &vh);
		ck_assert_int_eq(ela_vnet_decode(f.front, ELA_ETHER_LEN, f.packet, 100, &pkt), -EBADMSG);
	}
	vh.csum_start = ELA_ETHER_LEN + 20;
	frame_make(&f, 4, ELA_ETHER_LEN, &vh);
	ck_assert_int_eq(ela_vnet_decode(f.front, ELA_ETHER_LEN, f.packet, 100, &pkt), 0);
	ck_assert_uint_eq(pkt.csum_start, 20);
}
END_TEST

START_TEST(decode_ethertypes)
{
	static const struct {
		uint8_t type[2], version;
		int ret;
	} cases[] = {
		{{0x08, 0x00}, 4, 0}, {{0x86, 0xdd}, 6, 0}, {{0x08, 0x00}, 6, -EPROTONOSUPPORT},
		{{0x86, 0xdd}, 4, -EPROTONOSUPPORT}, {{0x08, 0x06}, 4, -EPROTONOSUPPORT}, /* ARP */
		{{0x81, 0x00}, 4, -EPROTONOSUPPORT},                                      /* VLAN */
		{{0x00, 0x26}, 4, -EPROTONOSUPPORT},                                      /* 802.3 */
	};
	struct virtio_net_hdr vh = {0};
	struct ela_packet pkt;
	struct frame f;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		frame_make(&f, cases[i].version, ELA_ETHER_LEN, &vh);
		memcpy(f.front + ELA_VNET_LEN + 12, cases[i].type, 2);
		ck_assert_int_eq(ela_vnet_decode(f.front, ELA_ETHER_LEN, f.packet, 100, &pkt), cases[i].ret);
	}
}
END_TEST

static void packet_make(uint8_t *buf, uint32_t version, uint8_t data_offset)
{
	memset(buf, 0, 256);
	buf[0] = version == 4 ? 0x45 : 0x60;
	buf[(version == 4 ? 20 : 40) + 12] = (uint8_t)(data_offset << 4);
}

struct encode_case {
	const char *name;
	uint32_t version, len, total;
	struct ela_packet pkt; /* data and len are set by the test */
	uint8_t data_offset;
	int ret;
	struct virtio_net_hdr vh; /* as in mode ptp */
};

#define PKT(type, size, flag, start, offset, hdr)                                                                      \
	{                                                                                                                  \
		.gso_type = type, .gso_size = size, .flags = flag, .csum_start = start, .csum_offset = offset, .hdr_len = hdr  \
	}
#define PARTIAL ELA_PACKET_NEEDS_CSUM

static const struct encode_case encode_cases[] = {
	{"plain", 4, 60, 60, PKT(0, 0, 0, 0, 0, 0), 5, 0, VH(0, 0, 0, 0, 0, 0)},
	{"plain with hdr_len", 4, 60, 60, PKT(0, 0, 0, 0, 0, 40), 5, 0, VH(0, 0, 40, 0, 0, 0)},
	{"stale csum fields", 4, 60, 60, PKT(0, 0, 0, 999, 999, 0), 5, 0, VH(0, 0, 0, 0, 0, 0)},
	{"partial", 4, 60, 60, PKT(0, 0, PARTIAL, 20, 6, 28), 5, 0, VH(NEEDS, 0, 28, 0, 20, 6)},
	{"partial in the rest", 4, 20, 60, PKT(0, 0, PARTIAL, 20, 6, 0), 5, 0, VH(NEEDS, 0, 0, 0, 20, 6)},
	{"partial too far", 4, 60, 60, PKT(0, 0, PARTIAL, 20, 39, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"partial in the IP header", 4, 60, 60, PKT(0, 0, PARTIAL, 10, 2, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"partial in the IPv6 header", 6, 60, 60, PKT(0, 0, PARTIAL, 20, 6, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"tso4", 4, 100, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 40), 5, 0,
		VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 40, 1380, 20, 16)},
	{"tso4, header length found", 4, 100, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 0), 8, 0,
		VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 52, 1380, 20, 16)},
	{"tso4, wrong header length corrected", 4, 100, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 21), 5, 0,
		VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 40, 1380, 20, 16)},
	{"tso6", 6, 100, 4000, PKT(ELA_GSO_TCP6, 1360, PARTIAL, 40, 16, 60), 5, 0,
		VH(NEEDS, VIRTIO_NET_HDR_GSO_TCPV6, 60, 1360, 40, 16)},
	{"uso4", 4, 100, 4000, PKT(ELA_GSO_UDP4, 1000, PARTIAL, 20, 6, 0), 0, 0, VH(NEEDS, UDP_L4, 28, 1000, 20, 6)},
	{"uso6", 6, 100, 4000, PKT(ELA_GSO_UDP6, 1000, PARTIAL, 40, 6, 0), 0, 0, VH(NEEDS, UDP_L4, 48, 1000, 40, 6)},
	{"tso size 0", 4, 100, 4000, PKT(ELA_GSO_TCP4, 0, PARTIAL, 20, 16, 40), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"tso not partial", 4, 100, 4000, PKT(ELA_GSO_TCP4, 1380, 0, 20, 16, 40), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"tso4 on IPv6", 6, 100, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 40, 16, 60), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"tso with the offset of UDP", 4, 100, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 6, 40), 5, -EINVAL,
		VH(0, 0, 0, 0, 0, 0)},
	{"unknown kind", 4, 100, 4000, PKT(5, 1380, PARTIAL, 20, 16, 40), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"tcp header beyond data", 4, 39, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 0), 5, -EINVAL,
		VH(0, 0, 0, 0, 0, 0)},
	{"tcp options beyond data", 4, 40, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 0), 8, -EINVAL,
		VH(0, 0, 0, 0, 0, 0)},
	{"tcp data offset 4", 4, 100, 4000, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 0), 4, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"superpacket without payload", 4, 40, 40, PKT(ELA_GSO_TCP4, 1380, PARTIAL, 20, 16, 0), 5, -EINVAL,
		VH(0, 0, 0, 0, 0, 0)},
	{"too long", 4, 100, 65536, PKT(0, 0, 0, 0, 0, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"short", 4, 19, 19, PKT(0, 0, 0, 0, 0, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"total less than data", 4, 60, 59, PKT(0, 0, 0, 0, 0, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"hdr_len beyond data", 4, 60, 60, PKT(0, 0, 0, 0, 0, 61), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
	{"version 5", 5, 60, 60, PKT(0, 0, 0, 0, 0, 0), 5, -EINVAL, VH(0, 0, 0, 0, 0, 0)},
};

static void check_encode(const struct encode_case *c, uint32_t link_len)
{
	uint8_t buf[256], front[ELA_VNET_LEN], untouched[ELA_VNET_LEN];
	struct virtio_net_hdr wanted = c->vh, found;
	struct ela_packet pkt = c->pkt;
	int ret;

	packet_make(buf, c->version, c->data_offset);
	if (c->version == 5)
		buf[0] = 0x55;
	pkt.data = buf;
	pkt.len = c->len;
	memset(front, 0xa5, sizeof front);
	memcpy(untouched, front, sizeof front);
	ret = ela_vnet_encode(&pkt, c->total, link_len, front);
	ck_assert_msg(ret == c->ret, "%s, link %u: %d, wanted %d", c->name, link_len, ret, c->ret);
	if (ret < 0) {
		ck_assert_msg(!memcmp(front, untouched, sizeof front), "%s: touched on failure", c->name);
		return;
	}
	if (wanted.hdr_len)
		wanted.hdr_len = (uint16_t)(wanted.hdr_len + link_len);
	if (wanted.flags & NEEDS)
		wanted.csum_start = (uint16_t)(wanted.csum_start + link_len);
	memcpy(&found, front, sizeof found);
	ck_assert_msg(!memcmp(&found, &wanted, sizeof found),
		"%s, link %u: flags %u gso %u hdr %u size %u start %u offset %u", c->name, link_len, found.flags,
		found.gso_type, found.hdr_len, found.gso_size, found.csum_start, found.csum_offset);
}

START_TEST(encode_table)
{
	const struct encode_case *c = &encode_cases[_i];

	check_encode(c, 0);
	check_encode(c, ELA_ETHER_LEN);
}
END_TEST

START_TEST(encode_cwr)
{
	struct ela_packet pkt = PKT(ELA_GSO_TCP4, 100, PARTIAL, 20, 16, 0);
	uint8_t buf[256], front[ELA_VNET_LEN];

	packet_make(buf, 4, 5);
	buf[33] = 0x90; /* CWR, ACK */
	pkt.data = buf;
	pkt.len = 256;
	ck_assert_int_eq(ela_vnet_encode(&pkt, 256, 0, front), 0);
	ck_assert_uint_eq(front[1], VIRTIO_NET_HDR_GSO_TCPV4 | ECN);
}
END_TEST

START_TEST(ether_destinations)
{
	static const struct ela_ether ether = {
		.own = {2, 1, 2, 3, 4, 5}, .n_broadcasts = 2, .broadcasts = {{10, 88, 0, 255}, {10, 89, 255, 255}}};
	static const struct {
		uint8_t version, dst[16], mac[6];
	} cases[] = {
		{4, {10, 88, 0, 2}, {2, 1, 2, 3, 4, 5}},
		{4, {10, 88, 0, 255}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{4, {10, 89, 255, 255}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{4, {10, 90, 0, 255}, {2, 1, 2, 3, 4, 5}},
		{4, {255, 255, 255, 255}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{4, {224, 0, 0, 251}, {0x01, 0x00, 0x5e, 0, 0, 251}},
		{4, {239, 255, 255, 250}, {0x01, 0x00, 0x5e, 0x7f, 255, 250}},
		{4, {240, 0, 0, 1}, {2, 1, 2, 3, 4, 5}},
		{6, {0xfd, [15] = 2}, {2, 1, 2, 3, 4, 5}},
		{6, {0xff, 2, [13] = 1, 2, 3}, {0x33, 0x33, 0, 1, 2, 3}},
	};
	uint8_t frame[ELA_ETHER_LEN], ip[40];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ip4 = cases[i].version == 4;

		memset(ip, 0, sizeof ip);
		ip[0] = ip4 ? 0x45 : 0x60;
		memcpy(ip + (ip4 ? 16 : 24), cases[i].dst, ip4 ? 4 : 16);
		ela_ether_encode(&ether, ip, frame);
		ck_assert_msg(!memcmp(frame, cases[i].mac, 6), "case %zu: %02x:%02x:..:%02x", i, frame[0], frame[1], frame[5]);
		ck_assert_uint_eq(frame[6] & 1, 0);
		ck_assert_msg(memcmp(frame + 6, ether.own, 6) != 0, "the source must not be the device itself");
		ck_assert_uint_eq(frame[12], ip4 ? 0x08 : 0x86);
		ck_assert_uint_eq(frame[13], ip4 ? 0x00 : 0xdd);
	}
}
END_TEST

static uint64_t seed, rng_state;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 33) % below;
}

/* What core may rely on, for any header at all: nothing points out of the packet, and what was read can be written. */
START_TEST(decode_random)
{
	const uint32_t rounds = 500000;
	uint32_t taken = 0, supers = 0;

	for (uint32_t round = 0; round < rounds; round++) {
		uint32_t link_len = rng(2) ? ELA_ETHER_LEN : 0, len = rng(4) ? 20 + rng(200) : rng(2048);
		struct virtio_net_hdr vh = {(uint8_t)rng(4), (uint8_t)rng(8), (uint16_t)rng(100), (uint16_t)rng(1500),
			(uint16_t)(link_len + 20 * rng(4)), (uint16_t)(rng(8) ? 6 + 10 * rng(2) : rng(65536))};
		struct ela_packet pkt;
		struct frame f;

		frame_make(&f, rng(2) ? 4 : 6, link_len, &vh);
		if (ela_vnet_decode(f.front, link_len, f.packet, len, &pkt) < 0)
			continue;
		taken++;
		ck_assert_msg(len >= (f.packet[0] >> 4 == 4 ? 20u : 40u), "seed %llu", (unsigned long long)seed);
		ck_assert_msg((pkt.gso_type != ELA_GSO_NONE) == (pkt.gso_size != 0), "seed %llu", (unsigned long long)seed);
		if (!(pkt.flags & ELA_PACKET_NEEDS_CSUM))
			continue;
		ck_assert_msg((uint32_t)pkt.csum_start + pkt.csum_offset + 2 <= len && pkt.csum_start >= 20, "seed %llu",
			(unsigned long long)seed);
		if (pkt.gso_type == ELA_GSO_NONE) {
			uint8_t front[ELA_VNET_LEN];

			ck_assert_msg(!ela_vnet_encode(&pkt, len, link_len, front), "seed %llu", (unsigned long long)seed);
			ck_assert_msg(!memcmp(front + 6, f.front + 6, 4), "seed %llu", (unsigned long long)seed);
		}
		supers += pkt.gso_type != ELA_GSO_NONE;
	}
	ck_assert_uint_gt(taken, rounds / 10); /* neither verdict is rare */
	ck_assert_uint_lt(taken, rounds / 10 * 9);
	ck_assert_uint_gt(supers, rounds / 200);
}
END_TEST

START_TEST(prefix_parse)
{
	static const char *const bad[] = {"", "/", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/ 1", "10.0.0/8",
		"fd00::1/129", "fd00:::1", "10.0.0.1/8x", "10.0.0.1/8/8", "a", "1.2.3.4.5/8",
		"00000000000000000000000000000000000000000000000000000000::1"};
	struct ela_prefix p, net;
	char text[ELA_PREFIX_TEXT];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(ela_prefix_parse(bad[i], &p) == -EINVAL, "taken: \"%s\"", bad[i]);
	ck_assert_int_eq(ela_prefix_parse("10.88.3.1/22", &p), 0);
	ck_assert_int_eq(p.family, AF_INET);
	ck_assert_int_eq(p.len, 22);
	net = ela_prefix_network(&p);
	ela_prefix_text(&net, text);
	ck_assert_str_eq(text, "10.88.0.0/22");
	ck_assert_int_eq(ela_prefix_parse("10.88.3.1", &p), 0);
	ck_assert_int_eq(p.len, 32);
	ck_assert_int_eq(ela_prefix_parse("fd00:1::77/33", &p), 0);
	net = ela_prefix_network(&p);
	ela_prefix_text(&net, text);
	ck_assert_str_eq(text, "fd00:1::/33");
	ck_assert_int_eq(ela_prefix_parse("fd00::7", &p), 0);
	ck_assert_int_eq(p.len, 128);
}
END_TEST

START_TEST(prefix_broadcast)
{
	static const struct {
		const char *text;
		bool has;
		uint8_t ip[4];
	} cases[] = {
		{"10.88.0.1/24", true, {10, 88, 0, 255}},
		{"10.88.3.1/22", true, {10, 88, 3, 255}},
		{"10.88.0.1/30", true, {10, 88, 0, 3}},
		{"10.0.0.1/8", true, {10, 255, 255, 255}},
		{"10.88.0.1/31", false, {0}},
		{"10.88.0.1/32", false, {0}},
		{"fd00::1/64", false, {0}},
	};
	struct ela_prefix p;
	uint8_t ip[4];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(ela_prefix_parse(cases[i].text, &p), 0);
		ck_assert_int_eq(ela_prefix_broadcast(&p, ip), cases[i].has);
		if (cases[i].has)
			ck_assert_msg(!memcmp(ip, cases[i].ip, 4), "%s", cases[i].text);
	}
}
END_TEST

START_TEST(prefix_overlaps)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{"10.88.0.1/24", "10.88.0.200/24", true},
		{"10.88.0.1/24", "10.88.1.1/24", false},
		{"10.88.0.1/24", "10.0.0.1/8", true},
		{"10.88.0.1/24", "10.88.0.7/32", true},
		{"10.88.0.1/24", "10.88.1.0/32", false},
		{"0.0.0.0/0", "192.168.1.1/24", true},
		{"fd00::1/64", "fd00::2/128", true},
		{"fd00::1/64", "fd00:0:0:1::/64", false},
		{"0.0.0.0/0", "::/0", false},
	};
	struct ela_prefix a, b;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(ela_prefix_parse(cases[i].a, &a), 0);
		ck_assert_int_eq(ela_prefix_parse(cases[i].b, &b), 0);
		ck_assert_msg(ela_prefix_overlaps(&a, &b) == cases[i].overlap, "%s %s", cases[i].a, cases[i].b);
		ck_assert_msg(ela_prefix_overlaps(&b, &a) == cases[i].overlap, "%s %s", cases[i].b, cases[i].a);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("npd-tun-vnet");
	TCase *tc = tcase_create("vnet");
	SRunner *runner;
	int failed;

	seed = getenv("ELA_SEED") ? strtoull(getenv("ELA_SEED"), NULL, 10) : (uint64_t)time(NULL);
	rng_state = seed;
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, decode_table, 0, (int)(sizeof decode_cases / sizeof *decode_cases));
	tcase_add_test(tc, decode_ether_bounds);
	tcase_add_test(tc, decode_ethertypes);
	tcase_add_loop_test(tc, encode_table, 0, (int)(sizeof encode_cases / sizeof *encode_cases));
	tcase_add_test(tc, encode_cwr);
	tcase_add_test(tc, ether_destinations);
	tcase_add_test(tc, decode_random);
	tcase_add_test(tc, prefix_parse);
	tcase_add_test(tc, prefix_broadcast);
	tcase_add_test(tc, prefix_overlaps);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
