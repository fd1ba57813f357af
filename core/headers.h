/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headers: fields of IP, TCP and UDP headers, read and written in place at any alignment. Inline, any thread.
 *
 * "raw" loads keep memory order: for comparing and for checksums, where the order of bytes does not matter.
 */
#ifndef ELA_CORE_HEADERS_H
#define ELA_CORE_HEADERS_H

#include "bytes.h"

#define ELA_IP4_LEN 20u /* without options */
#define ELA_IP6_LEN 40u
#define ELA_TCP_LEN 20u /* without options */
#define ELA_UDP_LEN 8u

#define ELA_PROTO_ICMP 1u
#define ELA_PROTO_TCP 6u
#define ELA_PROTO_UDP 17u
#define ELA_PROTO_ICMP6 58u

#define ELA_TCP_CSUM_OFFSET 16u
#define ELA_UDP_CSUM_OFFSET 6u

#define ELA_IP4_DF 0x4000u
#define ELA_IP4_FRAGMENT 0x3fffu /* MF and offset: any bit means a fragment */

#define ELA_TCP_FIN 0x01u
#define ELA_TCP_PSH 0x08u
#define ELA_TCP_ACK 0x10u
#define ELA_TCP_ECE 0x40u
#define ELA_TCP_CWR 0x80u

static inline uint16_t ela_raw16(const void *at)
{
	uint16_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint32_t ela_raw32(const void *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint64_t ela_raw64(const void *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

#endif
