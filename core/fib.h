/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fib: longest-prefix look-up of overlay addresses. Built by control, immutable once published; lanes read it between a
 * qsbr point and the next. Two of them exist: routes (what routing plugins set) and sources (which inner source belongs
 * to whom, from [peer] address: security never depends on a routing plugin).
 */
#ifndef ELA_CORE_FIB_H
#define ELA_CORE_FIB_H

#include "config.h"
#include <stdint.h>

struct ela_peer;

struct ela_fib_entry {
	uint8_t ip[16]; /* masked */
	uint8_t bits;   /* 0..32, or 0..128 */
	uint8_t family; /* ELA_ADDR_*, 0 = free slot */
	struct ela_peer *peer;
};

struct ela_fib {
	uint32_t mask; /* slots - 1 */
	uint8_t n_bits4, n_bits6;
	uint8_t bits4[33], bits6[129]; /* prefix lengths in use, longest first */
	struct ela_fib_entry slots[];
};

/* [control] Copies n entries; equal prefixes: the last wins. free() when no lane holds it. */
struct ela_fib *ela_fib_new(const struct ela_fib_entry *entries, uint32_t n);

/* [lane] The peer for an address in network order; NULL when none. */
struct ela_peer *ela_fib_lookup4(const struct ela_fib *fib, const uint8_t ip[4]);
struct ela_peer *ela_fib_lookup6(const struct ela_fib *fib, const uint8_t ip[16]);

/* Zeroes the host bits of ip. */
void ela_ip_mask(uint8_t *ip, uint32_t n_bytes, uint32_t bits);

#endif
