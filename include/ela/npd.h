/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind npd: a network pseudo device (thesis 4.3.1, 5.2.1): where the node's own IP packets come from and go to.
 *
 * Life: create -> open -> (read_burst, write_burst per queue on lanes; set_mtu and set_addresses on control) -> close
 * -> destroy. Queue i is used by lane i only. Packets are IPv4 or IPv6, without a link-layer header: what the device
 * needs of one, it makes and cuts itself.
 */
#ifndef ELA_NPD_H
#define ELA_NPD_H

#include <ela/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Capabilities. On read: what the device may hand over. On write: what core may hand to it. */
#define ELA_NPD_CSUM 0x1u /* packets may have ELA_PACKET_NEEDS_CSUM, both ways */
#define ELA_NPD_TSO4 0x2u /* superpackets ELA_GSO_TCP4 */
#define ELA_NPD_TSO6 0x4u
#define ELA_NPD_USO 0x8u /* superpackets ELA_GSO_UDP4 and _UDP6 */

/* What to set up. 56 bytes. Strings borrowed for the call. */
struct ela_npd_config {
	/*
	 * n_addresses strings "10.88.0.1/24", IPv4 first. At least one; since 0.2 core opens a plugin that has
	 * set_addresses() also with none, and calls that once the node has been given one.
	 */
	const char *const *addresses;
	uint32_t n_addresses;
	uint32_t n_queues;         /* wanted: one per lane */
	uint32_t mtu;              /* bytes of the largest IP packet, 576..65535 */
	uint32_t gso_max_segs;     /* a superpacket should have no more segments than this; 0 = no wish */
	const char *const *routes; /* n_routes further prefixes that belong to the device */
	uint32_t n_routes;
	uint32_t reserved32;
	uint64_t reserved[2];
};

/* What came of it. 64 bytes. */
struct ela_npd_info {
	char name[32];     /* of the device, for people ("ela0") */
	uint32_t n_queues; /* 1..config.n_queues; less is allowed: core then runs that many lanes */
	uint32_t caps;     /* ELA_NPD_*; may lose bits later: write_burst then answers -EOPNOTSUPP once */
	uint32_t mtu;      /* config.mtu */
	uint32_t reserved32;
	uint64_t reserved[2];
};

struct ela_npd_ops {
	/* since 0.1 */

	/* [control] Makes an instance; reads its options through host. *ret_self untouched on failure. Required. */
	int (*create)(const struct ela_host *host, void **ret_self);
	/* [control] Frees it; takes NULL and an instance that was never opened. Required. */
	void (*destroy)(void *self);
	/*
	 * [control] Makes the device, up and addressed. Required. Errors are logged by the plugin with the remedy: -EBUSY
	 * (name in use), -EPERM/-EACCES, -ENODEV (no such facility), -EINVAL.
	 */
	int (*open)(void *self, const struct ela_npd_config *config, struct ela_npd_info *ret_info);
	/* [control] Removes the device. No lane uses it any more. May be called twice. Required. */
	void (*close)(void *self);
	/* [control] Descriptor that polls readable when the queue has packets; -1 = none, the lane asks every turn.
	 * Required. */
	int (*queue_fd)(void *self, uint32_t queue);
	/*
	 * [lane] Reads up to n packets, as many as there are. Required. arena[0..arena_len) is core's: packet k's IP header
	 * goes anywhere in it at an address that is a multiple of 16 with at least headroom bytes free in front, packets in
	 * rising order, none overlapping (headrooms included), and at least 64 bytes free behind the last. Stops before the
	 * room could be too small for the largest packet the device can hand over. Sets data, len, gso_size, gso_type,
	 * flags, csum_start and csum_offset of each packet read. All other fields, reserved ones included, are 0: core
	 * hands them over so, and the plugin leaves them so. Returns the number read; 0 with *ret_err = -EAGAIN when dry,
	 * -EINTR when all that came was dropped and there may be more, another error when the device is dead. What is not
	 * IP is dropped by the plugin, and counted.
	 */
	int (*read_burst)(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
		struct ela_packet *pkts, uint32_t n, int *ret_err);
	/*
	 * [lane] Writes n packets in order. Required. Returns how many were handled; if fewer than n, *ret_err is the first
	 * unhandled one's reason: -EAGAIN (device full: core drops the rest and counts), -EOPNOTSUPP (this offload is off
	 * from now on; nothing of this packet was written: core resends it in a simpler form), other: drop that one, go on.
	 */
	int (*write_burst)(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err);
	/* [control] Changes the MTU at run time. Optional: absent = -EOPNOTSUPP. */
	int (*set_mtu)(void *self, uint32_t mtu);
	/* [any] Capabilities now. Required. */
	uint32_t (*caps)(void *self);

	/* since 0.2 */

	/*
	 * [control] The device's addresses from now on, in place of those it had: n strings as in ela_npd_config, borrowed;
	 * n may be 0. What both have stays untouched, and so do flows over it. On failure the device is as it was. -ENODEV
	 * when it is not open, -EINVAL (no address, one twice), -EADDRINUSE (the prefix overlaps another interface's;
	 * logged with its name). Optional: absent = -EOPNOTSUPP, and the node can only have the addresses it was opened
	 * with.
	 */
	int (*set_addresses)(void *self, const char *const *addresses, uint32_t n);
};

#ifdef __cplusplus
}
#endif
#endif
