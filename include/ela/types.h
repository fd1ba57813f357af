/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes that core and plugins share: addresses, paths, packets.
 *
 * Part of the plugin ABI (see plugin.h for its history). Fixed-width integers only; nothing here depends on build
 * options. Sizes and offsets are frozen by tests/abi.
 */
#ifndef ELA_TYPES_H
#define ELA_TYPES_H

#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Address families of struct ela_addr. */
#define ELA_ADDR_NONE 0u    /* unset: "any", "unknown" */
#define ELA_ADDR_IP4 4u     /* ip[0..3], the rest zero */
#define ELA_ADDR_IP6 6u     /* ip[0..15]; never an IPv4-mapped address, those are ELA_ADDR_IP4 */
#define ELA_ADDR_OTHER 255u /* 16 bytes that only the transport understands */

/* An underlay (Internet) address. 24 bytes. ip in network order; port in host order; compare with memcmp. */
struct ela_addr {
	uint8_t ip[16];
	uint32_t scope;  /* interface index of a link-local IPv6 address, else 0 */
	uint16_t port;   /* host order; 0 = none */
	uint16_t family; /* ELA_ADDR_* */
};

/*
 * A way to a neighbour: transport, socket or connection, local and remote address. 64 bytes. Filled by core; a
 * transport reads remote and local only. local is what the datagram socket reported for the peer's last datagram
 * (pktinfo) and is used again on send; family ELA_ADDR_NONE = let the kernel choose.
 */
struct ela_path {
	struct ela_addr remote;
	struct ela_addr local;
	uint32_t transport; /* core's number of the transport instance */
	uint32_t reserved;  /* 0 */
	uint64_t link;      /* core's mark of a stream connection, 0 for datagrams */
};

/* What a superpacket is made of (struct ela_packet.gso_type). The values are ours, not virtio's. */
#define ELA_GSO_NONE 0u
#define ELA_GSO_TCP4 1u
#define ELA_GSO_TCP6 2u
#define ELA_GSO_UDP4 3u /* UDP segmentation (USO): every segment is a datagram of its own */
#define ELA_GSO_UDP6 4u

/* struct ela_packet.flags */
#define ELA_PACKET_NEEDS_CSUM                                                                                          \
	0x01u /* the transport checksum holds the pseudo-header sum only: csum_start, csum_offset */

/*
 * A packet between device and core: one IPv4 or IPv6 packet, or a superpacket (up to 65,535 bytes that stand for
 * several equal segments of one flow). 64 bytes. The bytes belong to core and are borrowed for the call. Reading: the
 * device sets data, len, gso_*, flags and csum_*; the rest is 0 (see npd.h). Writing: data/len hold the first bytes,
 * more[0..n_more) the rest (gather); len_total the sum.
 */
struct ela_packet {
	uint8_t *data;            /* first byte of the IP header */
	uint32_t len;             /* bytes at data */
	uint16_t gso_size;        /* payload bytes of each segment but the last; 0 = one packet */
	uint8_t gso_type;         /* ELA_GSO_* */
	uint8_t flags;            /* ELA_PACKET_* */
	uint16_t csum_start;      /* from data, with NEEDS_CSUM: first summed byte (the transport header) */
	uint16_t csum_offset;     /* from csum_start: where the checksum stands */
	uint16_t hdr_len;         /* writing: IP + transport header length, 0 = unknown; reading: never trusted, 0 */
	uint16_t reserved16;      /* 0 */
	uint32_t len_total;       /* writing: len + all of more */
	uint32_t n_more;          /* writing: entries of more */
	const struct iovec *more; /* writing: the rest of the packet, NULL when n_more is 0 */
	uint64_t reserved[3];     /* 0, both ways */
};

#ifdef __cplusplus
}
#endif
#endif
