/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vnet: what stands in front of an IP packet at the device: struct virtio_net_hdr, then in mode lan 14 bytes of
 * Ethernet, to and from struct ela_packet. Pure functions, any thread; everything read is checked, for the device is
 * not trusted any more than a peer is.
 */
#ifndef ELA_NPD_TUN_VNET_H
#define ELA_NPD_TUN_VNET_H

#include <ela/types.h>

#define ELA_VNET_LEN 10u  /* struct virtio_net_hdr without num_buffers */
#define ELA_ETHER_LEN 14u /* no VLAN tag: those frames are not ours */
#define ELA_VNET_FRONT_MAX (ELA_VNET_LEN + ELA_ETHER_LEN)
#define ELA_VNET_MAX_BROADCASTS 8u

/* What decides a written frame's destination. */
struct ela_ether {
	uint8_t own[6]; /* the device's address */
	uint16_t n_broadcasts;
	uint8_t broadcasts[ELA_VNET_MAX_BROADCASTS][4]; /* of the device's IPv4 prefixes, network order */
};

/*
 * Device to core. front holds the vnet header and link_len (0 or ELA_ETHER_LEN) bytes; data/len the rest, the IP
 * packet. Fills every field of *ret but reserved. -EPROTONOSUPPORT: not IP; -EBADMSG: the vnet header contradicts the
 * packet.
 */
int ela_vnet_decode(const uint8_t *front, uint32_t link_len, uint8_t *data, uint32_t len, struct ela_packet *ret);

/*
 * Core to device: writes the vnet header of pkt, total bytes long in all, whose headers lie within pkt->len. -EINVAL:
 * the fields contradict each other or the packet.
 */
int ela_vnet_encode(const struct ela_packet *pkt, uint32_t total, uint32_t link_len, uint8_t front[ELA_VNET_LEN]);

/* Writes the Ethernet header for an IP packet that ela_vnet_encode() took. */
void ela_ether_encode(const struct ela_ether *ether, const uint8_t *ip, uint8_t frame[ELA_ETHER_LEN]);

#endif
