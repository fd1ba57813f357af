/* SPDX-License-Identifier: Apache-2.0 */
/* prefix: an address with its prefix length, as text and as bytes. Pure functions, any thread. */
#ifndef ELA_NPD_TUN_PREFIX_H
#define ELA_NPD_TUN_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

#define ELA_PREFIX_TEXT 52u /* bytes of the longest text: INET6_ADDRSTRLEN + "/128" */

struct ela_prefix {
	uint8_t ip[16]; /* network order; IPv4 in the first 4, the rest 0; host bits kept */
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t len;    /* bits */
};

/* "10.88.0.1/24", "fd00::1/64"; without a length a single address. -EINVAL. */
int ela_prefix_parse(const char *text, struct ela_prefix *ret);
void ela_prefix_text(const struct ela_prefix *prefix, char ret[ELA_PREFIX_TEXT]);
/* Clears the host bits. */
struct ela_prefix ela_prefix_network(const struct ela_prefix *prefix);
/* The directed broadcast address; false where there is none: IPv6, /31 and /32 (RFC 3021). */
bool ela_prefix_broadcast(const struct ela_prefix *prefix, uint8_t ret[4]);
/* One holds the other, or they are equal. */
bool ela_prefix_overlaps(const struct ela_prefix *a, const struct ela_prefix *b);
bool ela_prefix_equal_network(const struct ela_prefix *a, const struct ela_prefix *b);
uint32_t ela_prefix_ip_bytes(const struct ela_prefix *prefix); /* 4 or 16 */

#endif
