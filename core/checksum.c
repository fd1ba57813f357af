/* SPDX-License-Identifier: Apache-2.0 */
/* checksum: sums of whole buffers. Pure functions, any thread. */
#include "checksum.h"

/* Two 64-bit lanes: baseline SSE2 or NEON, and plain words where the machine has neither. */
typedef uint64_t pair __attribute__((vector_size(16)));

uint64_t ela_csum_add(const void *data, uint32_t len, uint64_t sum)
{
	const uint8_t *at = data;
	const pair low = {UINT32_MAX, UINT32_MAX};
	pair a = {0}, b = {0};
	/* Halves of 32 bits in sums of 64: no carry can be lost below 16 GiB, so none is watched. */
	for (; len >= 32; len -= 32, at += 32) {
		pair words[2];
		memcpy(words, at, sizeof(words));
		a += words[0] & low;
		b += words[0] >> 32;
		a += words[1] & low;
		b += words[1] >> 32;
	}
	a += b;
	uint64_t more = a[0] + a[1];
	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word = ela_raw64(at);
		more += (word >> 32) + (uint32_t)word;
	}
	if (len > 0) {
		uint64_t word = 0;
		memcpy(&word, at, len);
		more += (word >> 32) + (uint32_t)word;
	}
	sum += more;
	return sum + (sum < more);
}

void ela_csum_ip4(uint8_t *ip, uint32_t ihl)
{
	memset(ip + 10, 0, 2);
	uint16_t csum = (uint16_t)~ela_csum_fold(ela_csum_add(ip, ihl, 0));
	memcpy(ip + 10, &csum, sizeof(csum));
}

void ela_csum_finish(uint8_t *packet, uint32_t len, uint32_t csum_start, uint32_t csum_offset, bool udp)
{
	uint8_t *l4 = packet + csum_start;
	uint16_t csum = (uint16_t)~ela_csum_fold(ela_csum_add(l4, len - csum_start, 0));
	/* Over UDP a zero means "none": its other form stands for it (RFC 768). */
	if (udp && csum == 0)
		csum = UINT16_MAX;
	memcpy(l4 + csum_offset, &csum, sizeof(csum));
}
