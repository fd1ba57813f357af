/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checksum: the Internet checksum (RFC 1071) over IP, TCP and UDP headers and data. Pure functions, any thread.
 *
 * Sums are kept in memory order (RFC 1071, 2 (B)): nothing is swapped, whatever the machine.
 */
#ifndef ELA_CORE_CHECKSUM_H
#define ELA_CORE_CHECKSUM_H

#include "headers.h"
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Ones' complement sum of len bytes added to sum, not folded to 16 bits, not inverted; in memory byte order. An odd len
 * counts as if a zero byte followed: only the last piece of a sum may be odd.
 */
uint64_t ela_csum_add(const void *data, uint32_t len, uint64_t sum);
/* Writes the IPv4 header checksum. */
void ela_csum_ip4(uint8_t *ip, uint32_t ihl);
/*
 * Finishes a partial checksum: sums from csum_start to the end and stores at csum_start + csum_offset; 0 becomes 0xffff
 * when udp is true. The caller has checked csum_start + csum_offset + 2 <= len.
 */
void ela_csum_finish(uint8_t *packet, uint32_t len, uint32_t csum_start, uint32_t csum_offset, bool udp);

/* Folds to 16 bits, not inverted. Store the result (or ~result) with memcpy: it is in memory order. */
static inline uint16_t ela_csum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	return (uint16_t)sum;
}

/* The pseudo-header without its length: addresses of the IPv4 or IPv6 packet, and protocol; not folded. */
static inline uint64_t ela_csum_addresses(const uint8_t *ip, uint8_t proto)
{
	uint64_t sum = htons(proto);
	if (ip[0] >> 4 == 4)
		return sum + ela_raw32(ip + 12) + ela_raw32(ip + 16);
	for (uint32_t i = 8; i < 40; i += 4)
		sum += ela_raw32(ip + i);
	return sum;
}

/* Pseudo-header sum (folded, not inverted) of an IPv4 or IPv6 packet for a transport payload of l4_len bytes. */
static inline uint16_t ela_csum_pseudo(const uint8_t *ip, uint8_t proto, uint32_t l4_len)
{
	return ela_csum_fold(ela_csum_addresses(ip, proto) + htonl(l4_len));
}

#endif
