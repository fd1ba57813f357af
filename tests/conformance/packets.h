/* SPDX-License-Identifier: Apache-2.0 */
/* packets: IPv4 packets made and read byte by byte, without core's code. Pure functions. */
#ifndef ELA_CHECK_PACKETS_H
#define ELA_CHECK_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_DEVICE 0x0a580001u /* 10.88.0.1, the device's own address */
#define PACKET_PEER 0x0a580002u   /* 10.88.0.2 */

/* Internet checksum of len bytes with a start value; 0xffff minus the sum, so a good packet gives 0. */
uint16_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t start);
uint32_t packet_pseudo(const uint8_t *ip, uint32_t l4_len);
/* An echo request of total bytes (>= 28) from peer to device; payload depends on ident and seq. */
void packet_echo(uint8_t *packet, uint32_t total, uint16_t ident, uint16_t seq);
/* A UDP datagram of total bytes (>= 28) from peer, port 4000, to the device; partial: only the pseudo-header's sum. */
void packet_udp(uint8_t *packet, uint32_t total, uint16_t to_port, bool partial);
/* True for the right answer to packet_echo(): every byte and checksum. */
bool packet_is_reply(const uint8_t *packet, uint32_t len, uint16_t *ret_ident, uint16_t *ret_seq);

#endif
