/* SPDX-License-Identifier: Apache-2.0 */
/* fib: one open-addressing table over all prefixes, asked once per prefix length in use, longest first. */
#include "fib.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash(const uint8_t ip[16], uint32_t n_bytes, uint32_t bits)
{
	uint64_t a = 0, b = 0;

	memcpy(&a, ip, n_bytes < 8 ? n_bytes : 8);
	if (n_bytes > 8)
		memcpy(&b, ip + 8, 8);
	a = (a ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
	b = (b + n_bytes) * UINT64_C(0xc2b2ae3d27d4eb4f);
	return (uint32_t)((a ^ b ^ (a >> 29)) >> 32);
}

void ela_ip_mask(uint8_t *ip, uint32_t n_bytes, uint32_t bits)
{
	for (uint32_t i = 0; i < n_bytes; i++) {
		uint32_t keep = bits >= (i + 1) * 8 ? 8 : bits > i * 8 ? bits - i * 8 : 0;

		ip[i] = (uint8_t)(ip[i] & (0xff00u >> keep));
	}
}

/* The slot that holds the prefix, or the free one where it belongs; the table is never full. */
static uint32_t find(const struct ela_fib *fib, const uint8_t *ip, uint8_t family, uint32_t bits)
{
	uint32_t n_bytes = family == ELA_ADDR_IP4 ? 4 : 16;

	for (uint32_t i = hash(ip, n_bytes, bits);; i++) {
		const struct ela_fib_entry *e = &fib->slots[i & fib->mask];

		if (e->family == 0 || (e->family == family && e->bits == bits && memcmp(e->ip, ip, n_bytes) == 0))
			return i & fib->mask;
	}
}

static void collect_bits(struct ela_fib *fib, const struct ela_fib_entry *entries, uint32_t n)
{
	uint8_t seen4[33] = {0}, seen6[129] = {0};

	for (uint32_t i = 0; i < n; i++)
		(entries[i].family == ELA_ADDR_IP4 ? seen4 : seen6)[entries[i].bits] = 1;
	for (int bits = 32; bits >= 0; bits--)
		if (seen4[bits])
			fib->bits4[fib->n_bits4++] = (uint8_t)bits;
	for (int bits = 128; bits >= 0; bits--)
		if (seen6[bits])
			fib->bits6[fib->n_bits6++] = (uint8_t)bits;
}

struct ela_fib *ela_fib_new(const struct ela_fib_entry *entries, uint32_t n)
{
	uint32_t slots = 16;
	struct ela_fib *fib;

	while (slots < n * 2 + 2)
		slots *= 2;
	fib = calloc(1, sizeof *fib + slots * sizeof fib->slots[0]);
	if (!fib)
		abort(); /* a few KiB on the control thread: nothing sensible is left to do */
	fib->mask = slots - 1;
	collect_bits(fib, entries, n);
	for (uint32_t i = 0; i < n; i++) {
		struct ela_fib_entry e = entries[i];

		ela_ip_mask(e.ip, e.family == ELA_ADDR_IP4 ? 4 : 16, e.bits);
		fib->slots[find(fib, e.ip, e.family, e.bits)] = e;
	}
	return fib;
}

struct ela_peer *ela_fib_lookup4(const struct ela_fib *fib, const uint8_t ip[4])
{
	for (uint32_t i = 0; i < fib->n_bits4; i++) {
		uint8_t key[16] = {ip[0], ip[1], ip[2], ip[3]};
		const struct ela_fib_entry *e;

		if (fib->bits4[i] != 32)
			ela_ip_mask(key, 4, fib->bits4[i]);
		e = &fib->slots[find(fib, key, ELA_ADDR_IP4, fib->bits4[i])];
		if (e->family)
			return e->peer;
	}
	return NULL;
}

struct ela_peer *ela_fib_lookup6(const struct ela_fib *fib, const uint8_t ip[16])
{
	for (uint32_t i = 0; i < fib->n_bits6; i++) {
		uint8_t key[16];
		const struct ela_fib_entry *e;

		memcpy(key, ip, 16);
		if (fib->bits6[i] != 128)
			ela_ip_mask(key, 16, fib->bits6[i]);
		e = &fib->slots[find(fib, key, ELA_ADDR_IP6, fib->bits6[i])];
		if (e->family)
			return e->peer;
	}
	return NULL;
}
