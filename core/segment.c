/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment: one template of the headers per superpacket, stamped in front of each payload; per segment only lengths, id,
 * sequence number, flags and checksums are written. The fields follow what Linux's own segmentation does (RFC 793 and
 * RFC 3168 for flags; ids count up whatever DF says). Lane thread.
 */
#include "segment.h"
#include "checksum.h"
#include <errno.h>

static bool is_ip4(const struct ela_segment *seg)
{
	return seg->gso_type == ELA_GSO_TCP4 || seg->gso_type == ELA_GSO_UDP4;
}

static bool is_udp(const struct ela_segment *seg)
{
	return seg->gso_type == ELA_GSO_UDP4 || seg->gso_type == ELA_GSO_UDP6;
}

/* Takes what changes out of the template, and remembers it. */
static void prepare_template(struct ela_segment *seg)
{
	uint8_t *l4 = seg->hdr + seg->l4;
	if (is_ip4(seg)) {
		seg->ip_id = ela_get16(seg->hdr + 4);
		memset(seg->hdr + 2, 0, 4);
		memset(seg->hdr + 10, 0, 2);
		seg->ip_sum = ela_csum_add(seg->hdr, seg->l4, 0);
	}
	if (is_udp(seg)) {
		memset(l4 + ELA_UDP_CSUM_OFFSET, 0, 2);
		seg->l4_sum = ela_csum_addresses(seg->hdr, ELA_PROTO_UDP);
		return;
	}
	memset(l4 + ELA_TCP_CSUM_OFFSET, 0, 2);
	seg->l4_sum = ela_csum_addresses(seg->hdr, ELA_PROTO_TCP);
	seg->seq = ela_get32(l4 + 4);
	seg->flags_first = l4[13] & ELA_TCP_CWR;
	seg->flags_last = l4[13] & (ELA_TCP_FIN | ELA_TCP_PSH);
	l4[13] &= (uint8_t) ~(ELA_TCP_CWR | ELA_TCP_FIN | ELA_TCP_PSH);
}

int ela_segment_begin(struct ela_segment *seg, const struct ela_packet *pkt, const struct ela_packet_class *cls,
	uint32_t max_packet, bool elide)
{
	if (pkt->gso_type == ELA_GSO_NONE || cls->hdr_len == 0 || cls->hdr_len > ELA_SEGMENT_MAX_HDR)
		return -EBADMSG;
	uint32_t left = pkt->len - cls->hdr_len;
	uint32_t size = pkt->gso_size < left ? pkt->gso_size : left;
	if (max_packet < cls->hdr_len + size) {
		if (cls->proto == ELA_PROTO_UDP || max_packet <= cls->hdr_len)
			return -EMSGSIZE;
		size = max_packet - cls->hdr_len;
	}
	seg->payload = pkt->data + cls->hdr_len;
	seg->left = left;
	seg->size = size;
	seg->hdr_len = cls->hdr_len;
	seg->l4 = cls->l4;
	seg->index = 0;
	seg->count = left > size ? (left + size - 1) / size : 1;
	seg->gso_type = pkt->gso_type;
	seg->elide = elide && cls->plain;
	memcpy(seg->hdr, pkt->data, cls->hdr_len);
	prepare_template(seg);
	return 0;
}

static void stamp_ip(struct ela_segment *seg, uint8_t *ip, uint32_t len)
{
	if (!is_ip4(seg)) {
		ela_put16(ip + 4, len - ELA_IP6_LEN);
		return;
	}
	ela_put16(ip + 2, len);
	ela_put16(ip + 4, seg->ip_id++);
	uint16_t csum = (uint16_t)~ela_csum_fold(seg->ip_sum + ela_raw32(ip + 2));
	memcpy(ip + 10, &csum, sizeof(csum));
}

/* The checksum field is zero in the template, and stays so when it is elided. */
static void stamp_csum(const struct ela_segment *seg, uint8_t *l4, uint32_t l4_len)
{
	uint16_t csum = (uint16_t)~ela_csum_fold(ela_csum_add(l4, l4_len, seg->l4_sum + htonl(l4_len)));
	if (is_udp(seg) && csum == 0)
		csum = UINT16_MAX;
	memcpy(l4 + (is_udp(seg) ? ELA_UDP_CSUM_OFFSET : ELA_TCP_CSUM_OFFSET), &csum, sizeof(csum));
}

bool ela_segment_next(struct ela_segment *seg, uint8_t **ret_data, uint32_t *ret_len)
{
	if (seg->index == seg->count)
		return false;
	uint32_t size = seg->left < seg->size ? seg->left : seg->size;
	uint32_t len = seg->hdr_len + size;
	uint8_t *ip = seg->payload - seg->hdr_len, *l4 = ip + seg->l4;
	memcpy(ip, seg->hdr, seg->hdr_len);
	stamp_ip(seg, ip, len);
	if (is_udp(seg)) {
		ela_put16(l4 + 4, len - seg->l4);
	} else {
		ela_put32(l4 + 4, seg->seq);
		seg->seq += size;
		if (seg->index == 0)
			l4[13] |= seg->flags_first;
		if (seg->index + 1 == seg->count)
			l4[13] |= seg->flags_last;
	}
	if (!seg->elide)
		stamp_csum(seg, l4, len - seg->l4);
	seg->payload += size;
	seg->left -= size;
	seg->index++;
	*ret_data = ip;
	*ret_len = len;
	return true;
}
