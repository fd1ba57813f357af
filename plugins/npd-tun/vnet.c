/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vnet: virtio_net_hdr and Ethernet header to and from struct ela_packet (see vnet.h). Pure functions, any thread. The
 * header's integers are in host order, which is what a TUN device speaks unless told otherwise.
 */
#include "vnet.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <string.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* Linux 6.2 */
#endif

#define IP4_HDR_MIN 20u
#define IP6_HDR_LEN 40u
#define TCP_HDR_MIN 20u
#define UDP_HDR_LEN 8u
#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_IP6 0x86ddu

static_assert(sizeof(struct virtio_net_hdr) == ELA_VNET_LEN, "the vnet header has no padding");

/* By ELA_GSO_*. */
static const struct {
	uint8_t version;
	uint8_t virtio;
	uint8_t csum_offset;
} gso_kinds[] = {
	[ELA_GSO_TCP4] = {4, VIRTIO_NET_HDR_GSO_TCPV4, 16},
	[ELA_GSO_TCP6] = {6, VIRTIO_NET_HDR_GSO_TCPV6, 16},
	[ELA_GSO_UDP4] = {4, VIRTIO_NET_HDR_GSO_UDP_L4, 6},
	[ELA_GSO_UDP6] = {6, VIRTIO_NET_HDR_GSO_UDP_L4, 6},
};
#define N_GSO_KINDS (sizeof gso_kinds / sizeof *gso_kinds)

/* 4 or 6 when len is enough for the header, else 0. */
static uint32_t ip_version(const uint8_t *data, uint32_t len)
{
	if (len >= IP4_HDR_MIN && data[0] >> 4 == 4)
		return 4;
	if (len >= IP6_HDR_LEN && data[0] >> 4 == 6)
		return 6;
	return 0;
}

static bool ether_fits(const uint8_t *frame, uint32_t version)
{
	uint32_t type = (uint32_t)frame[12] << 8 | frame[13];

	return type == (version == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
}

/* ELA_GSO_* of a kind the IP version allows, NONE when there is none: UFO, which nobody asked for, and nonsense. */
static uint8_t gso_from_virtio(uint8_t virtio, uint32_t version)
{
	for (uint32_t i = 0; i < N_GSO_KINDS; i++)
		if (gso_kinds[i].version == version && gso_kinds[i].virtio == virtio)
			return (uint8_t)i;
	return ELA_GSO_NONE;
}

static bool csum_fits(uint32_t start, uint32_t offset, uint32_t version, uint32_t len)
{
	return start >= (version == 4 ? IP4_HDR_MIN : IP6_HDR_LEN) && start + offset + 2 <= len;
}

int ela_vnet_decode(const uint8_t *front, uint32_t link_len, uint8_t *data, uint32_t len, struct ela_packet *ret)
{
	uint32_t version = ip_version(data, len);
	uint8_t gso_type = ELA_GSO_NONE, virtio_gso;
	struct virtio_net_hdr vh;
	bool partial;

	if (!version || (link_len && !ether_fits(front + ELA_VNET_LEN, version)))
		return -EPROTONOSUPPORT;
	memcpy(&vh, front, sizeof vh);
	/* The ECN bit says that CWR is set in the first segment, which whoever cuts sees in the TCP header. */
	virtio_gso = vh.gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	if (virtio_gso != VIRTIO_NET_HDR_GSO_NONE) {
		gso_type = gso_from_virtio(virtio_gso, version);
		if (gso_type == ELA_GSO_NONE || !vh.gso_size)
			return -EBADMSG;
	}
	partial = vh.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (len > UINT16_MAX ||
		(partial && (vh.csum_start < link_len || !csum_fits(vh.csum_start - link_len, vh.csum_offset, version, len))))
		return -EBADMSG;
	ret->data = data;
	ret->len = len;
	ret->gso_size = gso_type == ELA_GSO_NONE ? 0 : vh.gso_size;
	ret->gso_type = gso_type;
	ret->flags = partial ? ELA_PACKET_NEEDS_CSUM : 0;
	ret->csum_start = partial ? (uint16_t)(vh.csum_start - link_len) : 0;
	ret->csum_offset = partial ? vh.csum_offset : 0;
	ret->hdr_len = 0; /* the kernel's covers whatever it had linear: never used */
	ret->reserved16 = 0;
	ret->len_total = 0;
	ret->n_more = 0;
	ret->more = NULL;
	return 0;
}

/*
 * IP + transport header of a superpacket whose checksum fields were checked; 0 when they do not lie within pkt->len.
 * The kernel makes that much linear: with 0 it would try to find 64 KiB in one piece.
 */
static uint32_t gso_hdr_len(const struct ela_packet *pkt)
{
	bool tcp = pkt->gso_type == ELA_GSO_TCP4 || pkt->gso_type == ELA_GSO_TCP6;
	uint32_t hdr_len = pkt->csum_start + UDP_HDR_LEN;

	if (tcp) {
		if (pkt->csum_start + TCP_HDR_MIN > pkt->len)
			return 0;
		hdr_len = pkt->csum_start + (pkt->data[pkt->csum_start + 12] >> 4) * 4u;
		if (hdr_len < pkt->csum_start + TCP_HDR_MIN)
			return 0;
	}
	return hdr_len <= pkt->len ? hdr_len : 0;
}

static int encode_gso(const struct ela_packet *pkt, uint32_t version, uint32_t total, struct virtio_net_hdr *vh)
{
	uint32_t hdr_len;

	/* Without a partial checksum the kernel would send segments whose checksums are wrong. */
	if (pkt->gso_type >= N_GSO_KINDS || gso_kinds[pkt->gso_type].version != version || !pkt->gso_size ||
		!(pkt->flags & ELA_PACKET_NEEDS_CSUM) || pkt->csum_offset != gso_kinds[pkt->gso_type].csum_offset)
		return -EINVAL;
	hdr_len = gso_hdr_len(pkt);
	if (!hdr_len || hdr_len >= total)
		return -EINVAL;
	vh->gso_type = gso_kinds[pkt->gso_type].virtio;
	vh->gso_size = pkt->gso_size;
	vh->hdr_len = (uint16_t)hdr_len;
	/* CWR: the kernel must know, for a NIC that cannot repeat headers with it when the packet is forwarded. */
	if (pkt->csum_offset == gso_kinds[ELA_GSO_TCP4].csum_offset && pkt->data[pkt->csum_start + 13] & 0x80)
		vh->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	return 0;
}

int ela_vnet_encode(const struct ela_packet *pkt, uint32_t total, uint32_t link_len, uint8_t front[ELA_VNET_LEN])
{
	uint32_t version = ip_version(pkt->data, pkt->len);
	struct virtio_net_hdr vh = {0};

	if (!version || total > UINT16_MAX || total < pkt->len || pkt->hdr_len > pkt->len)
		return -EINVAL;
	vh.hdr_len = pkt->hdr_len;
	if (pkt->flags & ELA_PACKET_NEEDS_CSUM) {
		if (!csum_fits(pkt->csum_start, pkt->csum_offset, version, total) || pkt->csum_start + link_len > UINT16_MAX)
			return -EINVAL;
		vh.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vh.csum_start = (uint16_t)(pkt->csum_start + link_len);
		vh.csum_offset = pkt->csum_offset;
	}
	if (pkt->gso_type != ELA_GSO_NONE) {
		int err = encode_gso(pkt, version, total, &vh);

		if (err)
			return err;
	}
	/* The kernel counts from the first byte of the frame; pkt->len bounds hdr_len, so this fits 16 bits but at the end.
	 */
	if (vh.hdr_len) {
		if (vh.hdr_len + link_len > UINT16_MAX)
			return -EINVAL;
		vh.hdr_len = (uint16_t)(vh.hdr_len + link_len);
	}
	memcpy(front, &vh, sizeof vh);
	return 0;
}

static bool is_broadcast(const struct ela_ether *ether, const uint8_t *dst)
{
	static const uint8_t limited[4] = {255, 255, 255, 255};

	if (!memcmp(dst, limited, 4))
		return true;
	for (uint32_t i = 0; i < ether->n_broadcasts; i++)
		if (!memcmp(dst, ether->broadcasts[i], 4))
			return true;
	return false;
}

static void destination4(const struct ela_ether *ether, const uint8_t *dst, uint8_t *mac)
{
	if (dst[0] >> 4 == 0xe) { /* RFC 1112 6.4: the low 23 bits of the group */
		const uint8_t group[6] = {0x01, 0x00, 0x5e, dst[1] & 0x7f, dst[2], dst[3]};

		memcpy(mac, group, 6);
	} else if (is_broadcast(ether, dst)) {
		memset(mac, 0xff, 6);
	} else {
		memcpy(mac, ether->own, 6);
	}
}

static void destination6(const struct ela_ether *ether, const uint8_t *dst, uint8_t *mac)
{
	if (dst[0] == 0xff) { /* RFC 2464 7: the low 32 bits of the group */
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, dst + 12, 4);
	} else {
		memcpy(mac, ether->own, 6);
	}
}

void ela_ether_encode(const struct ela_ether *ether, const uint8_t *ip, uint8_t frame[ELA_ETHER_LEN])
{
	/* The others' side of the device: locally administered, "ELA"; nothing ever answers to it. */
	static const uint8_t source[6] = {0x02, 0x00, 0x00, 0x45, 0x4c, 0x41};
	uint32_t type = ip[0] >> 4 == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6;

	if (type == ETHERTYPE_IP4)
		destination4(ether, ip + 16, frame);
	else
		destination6(ether, ip + 24, frame);
	memcpy(frame + 6, source, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
}
