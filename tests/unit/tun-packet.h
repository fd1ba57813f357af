/* SPDX-License-Identifier: Apache-2.0 */
/* tun-packet: sockets and packets for the tests of npd-tun. A failure ends the test by Check. Any thread. */
#ifndef ELA_TUN_PACKET_H
#define ELA_TUN_PACKET_H

#include <ela/types.h>
#include <netinet/in.h>
#include <stddef.h>

#define TUN_PORT 5000 /* of everything, on both sides */

union tun_address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

socklen_t tun_address(const char *ip, uint16_t port, union tun_address *ret);
/* Non-blocking, on TUN_PORT, allowed to broadcast. */
int tun_socket(const char *ip, int type);
void tun_send(int fd, const char *ip, const void *bytes, size_t n);
/* A datagram of len bytes 'x' is there; a device's write runs the receiving stack, so there is nothing to wait for. */
void tun_expect(int fd, size_t len, const char *what);

/* Ones' complement sum of big endian words: the tests' own, plain and slow. */
uint32_t tun_sum16(const uint8_t *p, uint32_t len, uint32_t sum);
uint32_t tun_pseudo_sum(const uint8_t *ip, uint8_t proto, uint32_t l4_len);
void tun_put16(uint8_t *p, uint32_t v);
uint32_t tun_ip_len(const uint8_t *packet);

/*
 * An IP and UDP packet from src to dst, TUN_PORT both, with payload bytes 'x'; the UDP checksum holds the pseudo-header
 * sum only. Returns its length.
 */
uint32_t tun_make_udp(uint8_t *buf, const char *src, const char *dst, uint32_t payload);
/* The packet's transport checksum is right, or the partial one a right beginning. */
void tun_check_csum(const struct ela_packet *pkt, uint8_t proto);

#endif
