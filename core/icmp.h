/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp: answers to the sender of an inner packet that cannot go on: it is too big, or its destination is unknown. Pure
 * functions, any thread; the caller limits their rate.
 *
 * pkt[0..len) is the packet (ela_packet_classify passed), a superpacket too; own the node's overlay address of the same
 * version. The answer comes from own, or, when the packet itself is from own, from the packet's destination: Linux
 * drops what a device brings from one of the host's own addresses. It is written to out, which does not overlap pkt,
 * with its checksums. The length is returned, or 0 when no answer is due (RFC 1122, 3.2.2; RFC 4443, 2.4): never to an
 * ICMP error, to a fragment but the first, from or to a group or the broadcast address, to an address that is no
 * host's; nor when room is too small (576 bytes suffice for IPv4, 1,280 for IPv6).
 */
#ifndef ELA_CORE_ICMP_H
#define ELA_CORE_ICMP_H

#include <ela/types.h>

/* ICMP fragmentation needed (3/4) with the next hop's MTU, whatever DF says: core does not fragment; or ICMPv6 2/0. */
uint32_t ela_icmp_too_big(
	uint8_t *out, uint32_t room, const uint8_t *pkt, uint32_t len, const struct ela_addr *own, uint32_t mtu);

/* ICMP host unreachable (3/1) or ICMPv6 address unreachable (1/3). */
uint32_t ela_icmp_unreachable(
	uint8_t *out, uint32_t room, const uint8_t *pkt, uint32_t len, const struct ela_addr *own);

#endif
