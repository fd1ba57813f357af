/* SPDX-License-Identifier: Apache-2.0 */
/*
 * naive: packets built, read and cut from scratch, byte by byte and without a thought for speed: what the data path's
 * tests compare the real code with. It shares no code with core. Also their seeded random numbers.
 */
#ifndef ELA_TESTS_NAIVE_H
#define ELA_TESTS_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

#define NAIVE_FIN 0x01
#define NAIVE_SYN 0x02
#define NAIVE_RST 0x04
#define NAIVE_PSH 0x08
#define NAIVE_ACK 0x10
#define NAIVE_URG 0x20
#define NAIVE_ECE 0x40
#define NAIVE_CWR 0x80

struct naive_rng {
	uint64_t state;
};

/* Seeds from ELA_TEST_SEED or the clock, remembers the seed, prints it on failure and with naive_report_seed(). */
struct naive_rng naive_seed(const char *name);
uint64_t naive_next(struct naive_rng *rng);
uint32_t naive_below(struct naive_rng *rng, uint32_t n);
bool naive_one_in(struct naive_rng *rng, uint32_t n);
/* How many repetitions of n to run: fewer under sanitizers, and what ELA_TEST_SCALE (a divisor) says. */
uint64_t naive_scaled(uint64_t n);
/* Prints the message and the seed, and aborts (a failure to Check and to a fuzzer alike). */
_Noreturn void naive_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A packet as a record. Numbers in host order. */
struct naive_packet {
	uint8_t version;   /* 4, 6 */
	uint8_t proto;     /* 6, 17 */
	uint8_t tos;       /* or traffic class */
	uint8_t ttl;       /* or hop limit */
	uint32_t flow;     /* IPv6 flow label */
	uint16_t id;       /* IPv4 */
	uint16_t fragment; /* IPv4: flags and offset */
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	uint8_t reserved; /* TCP: the four bits beside the data offset */
	uint8_t flags;
	uint16_t window, urgent;
	uint8_t ip_options_len, tcp_options_len; /* multiples of 4 */
	uint8_t ip_options[40], tcp_options[40];
	bool no_csum; /* UDP: zero */
	const uint8_t *payload;
	uint32_t payload_len;
};

uint32_t naive_get16(const uint8_t *at);
uint32_t naive_get32(const uint8_t *at);
void naive_put16(uint8_t *at, uint32_t v);
void naive_put32(uint8_t *at, uint32_t v);
/* Sum of big-endian words, folded, added to start (folded too). */
uint32_t naive_sum(const uint8_t *bytes, uint32_t len, uint32_t start);
/* Folded sum of the pseudo-header of a whole packet. */
uint32_t naive_pseudo(const uint8_t *ip, uint8_t proto, uint32_t l4_len);
/* Offset of the transport header. */
uint32_t naive_l4(const uint8_t *ip);
/* Whether the IPv4 header's and the transport's checksums are right. */
bool naive_ip_sum_good(const uint8_t *ip);
bool naive_l4_sum_good(const uint8_t *ip, uint32_t len);
/* Makes the transport checksum of a whole TCP or UDP packet anew. */
void naive_fix_l4(uint8_t *ip, uint32_t len);

/* A random header: addresses, ports, options and all; no payload, no fragment. */
struct naive_packet naive_random_packet(struct naive_rng *rng);
/* Writes the packet with right checksums; its length. */
uint32_t naive_build(uint8_t *out, const struct naive_packet *p);
/* Reads an unfragmented TCP or UDP packet with whole headers, no extension headers; false when it is none. */
bool naive_parse(const uint8_t *data, uint32_t len, struct naive_packet *ret);

typedef void naive_take(void *user, const uint8_t *data, uint32_t len);
/* Cuts a superpacket in one piece into packets of gso_size payload bytes, each built from scratch; their number. */
uint32_t naive_cut(const uint8_t *data, uint32_t len, uint32_t gso_size, naive_take *take, void *user);

#endif
