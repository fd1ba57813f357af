/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-vnet: npd-tun's headers, plugins/npd-tun/vnet.c, both ways. Input: one byte of choices (bit 0: mode lan; bit 1:
 * start with the writing side), the vnet header, the Ethernet header in mode lan, the packet. What is taken must
 * satisfy what core relies on, and what was read must be accepted for writing unless it is a superpacket with odd
 * headers.
 */
#include "../../plugins/npd-tun/vnet.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(const struct ela_packet *pkt, uint32_t len)
{
	if (pkt->len != len || (pkt->gso_type != ELA_GSO_NONE) != (pkt->gso_size != 0) || pkt->gso_type > ELA_GSO_UDP6)
		abort();
	if (pkt->flags & ELA_PACKET_NEEDS_CSUM &&
		(pkt->csum_start < 20 || (uint32_t)pkt->csum_start + pkt->csum_offset + 2 > len))
		abort();
}

static void write_back(const struct ela_packet *pkt, uint32_t total, uint32_t link_len)
{
	static const struct ela_ether ether = {
		.own = {2, 0, 0, 0, 0, 1}, .n_broadcasts = 1, .broadcasts = {{10, 88, 0, 255}}};
	uint8_t front[ELA_VNET_FRONT_MAX];
	uint16_t hdr_len;

	if (ela_vnet_encode(pkt, total, link_len, front) < 0) {
		if (pkt->gso_type == ELA_GSO_NONE && pkt->hdr_len == 0 && total <= UINT16_MAX - ELA_ETHER_LEN &&
			total == pkt->len)
			abort();
		return;
	}
	memcpy(&hdr_len, front + 2, sizeof hdr_len);
	if (hdr_len > pkt->len + link_len) /* the kernel would read what is not there */
		abort();
	if (link_len)
		ela_ether_encode(&ether, pkt->data, front + ELA_VNET_LEN);
}

/* Fields from the input as they are, and only the packet's first bytes at hand, the rest gathered. */
static void write_raw(const uint8_t *front, uint8_t *packet, uint32_t len, uint32_t link_len)
{
	struct ela_packet pkt = {.data = packet, .len = len, .gso_type = front[1], .flags = front[0] & 1};

	memcpy(&pkt.hdr_len, front + 2, 2);
	memcpy(&pkt.gso_size, front + 4, 2);
	memcpy(&pkt.csum_start, front + 6, 2);
	memcpy(&pkt.csum_offset, front + 8, 2);
	if (ela_vnet_encode(&pkt, len + 1000, link_len, (uint8_t[ELA_VNET_LEN]){0}) == 0)
		write_back(&pkt, len + 1000, link_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ela_packet pkt = {0};
	uint32_t link_len, front_len, len;
	uint8_t *packet;

	if (!size)
		return 0;
	link_len = data[0] & 1 ? ELA_ETHER_LEN : 0;
	front_len = ELA_VNET_LEN + link_len;
	if (size < 1 + front_len)
		return 0;
	len = (uint32_t)(size - 1 - front_len);
	packet = malloc(len ? len : 1); /* exactly as long, so that a byte too far is seen */
	if (!packet)
		return 0;
	memcpy(packet, data + 1 + front_len, len);
	if (data[0] & 2) {
		write_raw(data + 1, packet, len, link_len);
	} else if (ela_vnet_decode(data + 1, link_len, packet, len, &pkt) == 0) {
		check_read(&pkt, len);
		write_back(&pkt, len, link_len);
	}
	free(packet);
	return 0;
}
