/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classify: the one place that believes nothing of a packet: versions, lengths and offsets are checked here, for what
 * the device hands over and for what a peer sends (authenticated, yet not trusted). Pure function, lane thread.
 */
#include "headers.h"
#include "segment.h"
#include <errno.h>

static int classify_ip4(const uint8_t *ip, uint32_t len, struct ela_packet_class *cls)
{
	uint32_t ihl = (ip[0] & 15u) * 4u;
	if (len < ELA_IP4_LEN || ihl < ELA_IP4_LEN || ihl > len || ela_get16(ip + 2) != len)
		return -EBADMSG;
	cls->version = 4;
	cls->ecn = ip[1] & 3;
	if (ela_get16(ip + 6) & ELA_IP4_FRAGMENT)
		return 0;
	cls->proto = ip[9];
	cls->l4 = (uint16_t)ihl;
	cls->plain = ihl == ELA_IP4_LEN;
	return 0;
}

/* Next headers that are no transport: hop-by-hop, routing, fragment, ESP, AH, options, mobility, HIP, shim6, tests. */
static bool is_extension(uint8_t next)
{
	switch (next) {
	case 0:
	case 43:
	case 44:
	case 50:
	case 51:
	case 60:
	case 135:
	case 139:
	case 140:
	case 253:
	case 254:
		return true;
	default:
		return false;
	}
}

static int classify_ip6(const uint8_t *ip, uint32_t len, struct ela_packet_class *cls)
{
	if (len < ELA_IP6_LEN || ela_get16(ip + 4) != len - ELA_IP6_LEN)
		return -EBADMSG;
	cls->version = 6;
	cls->ecn = ip[1] >> 4 & 3;
	if (is_extension(ip[6]))
		return 0;
	cls->proto = ip[6];
	cls->l4 = ELA_IP6_LEN;
	cls->plain = true;
	return 0;
}

/* Length of the transport header, 0 when it is none of ours or cut short. */
static uint32_t transport_len(const uint8_t *l4, uint32_t left, uint8_t proto)
{
	if (proto == ELA_PROTO_UDP)
		return left >= ELA_UDP_LEN ? ELA_UDP_LEN : 0;
	if (proto != ELA_PROTO_TCP || left < ELA_TCP_LEN)
		return 0;
	uint32_t len = (l4[12] >> 4) * 4u;
	return len >= ELA_TCP_LEN && len <= left ? len : 0;
}

static int check_super(const struct ela_packet *pkt, const struct ela_packet_class *cls, bool csum_fits)
{
	static const struct {
		uint8_t version, proto;
	} kinds[] = {
		[ELA_GSO_TCP4] = {4, ELA_PROTO_TCP},
		[ELA_GSO_TCP6] = {6, ELA_PROTO_TCP},
		[ELA_GSO_UDP4] = {4, ELA_PROTO_UDP},
		[ELA_GSO_UDP6] = {6, ELA_PROTO_UDP},
	};
	if (pkt->gso_type >= sizeof(kinds) / sizeof(kinds[0]) || cls->hdr_len == 0 || pkt->gso_size == 0)
		return -EBADMSG;
	if (kinds[pkt->gso_type].version != cls->version || kinds[pkt->gso_type].proto != cls->proto)
		return -EBADMSG;
	if ((pkt->flags & ELA_PACKET_NEEDS_CSUM) && !csum_fits)
		return -EBADMSG;
	if (pkt->len - cls->hdr_len > pkt->gso_size * ELA_SEGMENT_MAX_COUNT)
		return -EBADMSG;
	return 0;
}

int ela_packet_classify(const struct ela_packet *pkt, struct ela_packet_class *ret)
{
	struct ela_packet_class cls = {0};
	if (pkt->len < ELA_IP4_LEN || pkt->len > UINT16_MAX)
		return -EBADMSG;
	uint8_t version = pkt->data[0] >> 4;
	int err = -EBADMSG;
	if (version == 4)
		err = classify_ip4(pkt->data, pkt->len, &cls);
	else if (version == 6)
		err = classify_ip6(pkt->data, pkt->len, &cls);
	if (err < 0)
		return err;
	const uint8_t *l4 = pkt->data + cls.l4;
	uint32_t l4_len = cls.proto ? transport_len(l4, pkt->len - cls.l4, cls.proto) : 0;
	cls.hdr_len = l4_len ? (uint16_t)(cls.l4 + l4_len) : 0;
	/* A datagram shorter than its packet is legal, but its checksum is not the one we would make. */
	bool udp = cls.proto == ELA_PROTO_UDP, super = pkt->gso_type != ELA_GSO_NONE;
	if (l4_len == 0 || (udp && !super && ela_get16(l4 + 4) != pkt->len - cls.l4))
		cls.plain = false;
	bool csum_fits = false;
	if (pkt->flags & ELA_PACKET_NEEDS_CSUM) {
		uint32_t ip_len = version == 4 ? (pkt->data[0] & 15u) * 4u : ELA_IP6_LEN;
		if (pkt->csum_start < ip_len || (uint32_t)pkt->csum_start + pkt->csum_offset + 2u > pkt->len)
			return -EBADMSG;
		csum_fits = pkt->csum_start == cls.l4 && pkt->csum_offset == (udp ? ELA_UDP_CSUM_OFFSET : ELA_TCP_CSUM_OFFSET);
	}
	cls.elidable = cls.plain && csum_fits;
	if (super && check_super(pkt, &cls, csum_fits) < 0)
		return -EBADMSG;
	*ret = cls;
	return 0;
}
