/* SPDX-License-Identifier: Apache-2.0 */
/* icmp: who is answered, and the answer (RFC 792, 1191, 1122, 1812, 4443). Pure functions, any thread. */
#include "icmp.h"
#include "checksum.h"
#include "headers.h"

#define ICMP_LEN 8u
#define QUOTE_LEN 8u     /* of the transport at the least: ports, or an echo's id */
#define ANSWER4_MAX 576u /* RFC 1812, 4.3.2.3 */
#define ANSWER6_MAX 1280u

#define HOP_LIMIT 64u
#define TOS_CONTROL 0xc0u /* RFC 1812, 4.3.2.5 */

#define UNREACHABLE4 3u
#define CODE4_HOST 1u
#define CODE4_TOO_BIG 4u
#define UNREACHABLE6 1u
#define CODE6_ADDRESS 3u
#define TOO_BIG6 2u

/* One host's address: not this network, loopback, group, reserved or broadcast. */
static bool is_host4(const uint8_t *ip)
{
	return ip[0] != 0 && ip[0] != 127 && ip[0] < 224;
}

static bool is_host6(const uint8_t *ip)
{
	static const uint8_t zeros[15];
	return ip[0] != 0xff && (memcmp(ip, zeros, sizeof(zeros)) != 0 || ip[15] > 1);
}

/* Errors and redirects; what is neither these nor known as a question or its answer is taken for one, too. */
static bool is_query4(uint8_t type)
{
	return type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 42 || type == 43;
}

static bool is_query6(uint8_t type)
{
	return type >= 128 && type != 137;
}

/* Length of the header of an answerable packet, else 0. */
static uint32_t due4(const uint8_t *ip, uint32_t len)
{
	if (len < ELA_IP4_LEN)
		return 0;
	uint32_t ihl = (ip[0] & 15u) * 4u;
	if (ihl < ELA_IP4_LEN || len < ihl + QUOTE_LEN || !is_host4(ip + 12) || !is_host4(ip + 16))
		return 0;
	if (ela_get16(ip + 6) & 0x1fffu)
		return 0;
	return ip[9] != ELA_PROTO_ICMP || is_query4(ip[ihl]) ? ihl : 0;
}

/*
 * Walks the extension headers that a sender may put before its transport; those that hide it end the walk. False when
 * the packet is a later fragment, an ICMPv6 error, or cut short.
 */
static bool due6(const uint8_t *ip, uint32_t len)
{
	if (len < ELA_IP6_LEN || !is_host6(ip + 8) || !is_host6(ip + 24))
		return false;
	uint8_t next = ip[6];
	uint32_t at = ELA_IP6_LEN;
	while (next == 0 || next == 43 || next == 44 || next == 60) {
		if (len < at + 8)
			return false;
		if (next == 44 && (ela_get16(ip + at + 2) & 0xfff8u))
			return false;
		uint32_t size = next == 44 ? 8u : ip[at + 1] * 8u + 8u;
		next = ip[at];
		at += size;
	}
	return next != ELA_PROTO_ICMP6 || (at < len && is_query6(ip[at]));
}

static uint32_t answer4(uint8_t *out, uint32_t room, const uint8_t *pkt, uint32_t len, const struct ela_addr *own,
	uint8_t code, uint32_t mtu)
{
	uint32_t ihl = due4(pkt, len), head = ELA_IP4_LEN + ICMP_LEN;
	if (room > ANSWER4_MAX)
		room = ANSWER4_MAX;
	if (ihl == 0 || own->family != ELA_ADDR_IP4 || room < head + ihl + QUOTE_LEN)
		return 0;
	uint32_t quote = len < room - head ? len : room - head;
	const uint8_t *from = memcmp(own->ip, pkt + 12, 4) == 0 ? pkt + 16 : own->ip;
	uint8_t *icmp = out + ELA_IP4_LEN;
	memset(out, 0, head);
	out[0] = 0x45;
	out[1] = TOS_CONTROL;
	ela_put16(out + 2, head + quote);
	ela_put16(out + 6, ELA_IP4_DF);
	out[8] = HOP_LIMIT;
	out[9] = ELA_PROTO_ICMP;
	memcpy(out + 12, from, 4);
	memcpy(out + 16, pkt + 12, 4);
	ela_csum_ip4(out, ELA_IP4_LEN);
	icmp[0] = UNREACHABLE4;
	icmp[1] = code;
	ela_put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_LEN, pkt, quote);
	ela_csum_finish(out, head + quote, ELA_IP4_LEN, 2, false);
	return head + quote;
}

static uint32_t answer6(uint8_t *out, uint32_t room, const uint8_t *pkt, uint32_t len, const struct ela_addr *own,
	uint8_t type, uint8_t code, uint32_t mtu)
{
	uint32_t head = ELA_IP6_LEN + ICMP_LEN;
	if (room > ANSWER6_MAX)
		room = ANSWER6_MAX;
	if (!due6(pkt, len) || own->family != ELA_ADDR_IP6 || room < head + ELA_IP6_LEN + QUOTE_LEN)
		return 0;
	uint32_t quote = len < room - head ? len : room - head;
	const uint8_t *from = memcmp(own->ip, pkt + 8, 16) == 0 ? pkt + 24 : own->ip;
	uint8_t *icmp = out + ELA_IP6_LEN;
	memset(out, 0, head);
	out[0] = 0x60;
	ela_put16(out + 4, ICMP_LEN + quote);
	out[6] = ELA_PROTO_ICMP6;
	out[7] = HOP_LIMIT;
	memcpy(out + 8, from, 16);
	memcpy(out + 24, pkt + 8, 16);
	icmp[0] = type;
	icmp[1] = code;
	ela_put32(icmp + 4, mtu);
	memcpy(icmp + ICMP_LEN, pkt, quote);
	uint16_t pseudo = ela_csum_pseudo(out, ELA_PROTO_ICMP6, ICMP_LEN + quote);
	memcpy(icmp + 2, &pseudo, sizeof(pseudo));
	ela_csum_finish(out, head + quote, ELA_IP6_LEN, 2, false);
	return head + quote;
}

static uint8_t version_of(const uint8_t *pkt, uint32_t len)
{
	return len > 0 ? pkt[0] >> 4 : 0;
}

uint32_t ela_icmp_too_big(
	uint8_t *out, uint32_t room, const uint8_t *pkt, uint32_t len, const struct ela_addr *own, uint32_t mtu)
{
	switch (version_of(pkt, len)) {
	case 4:
		return answer4(out, room, pkt, len, own, CODE4_TOO_BIG, mtu < UINT16_MAX ? mtu : UINT16_MAX);
	case 6:
		return answer6(out, room, pkt, len, own, TOO_BIG6, 0, mtu);
	default:
		return 0;
	}
}

uint32_t ela_icmp_unreachable(uint8_t *out, uint32_t room, const uint8_t *pkt, uint32_t len, const struct ela_addr *own)
{
	switch (version_of(pkt, len)) {
	case 4:
		return answer4(out, room, pkt, len, own, CODE4_HOST, 0);
	case 6:
		return answer6(out, room, pkt, len, own, UNREACHABLE6, CODE6_ADDRESS, 0);
	default:
		return 0;
	}
}
