/* SPDX-License-Identifier: Apache-2.0 */
/* inet: IP addresses, prefixes and endpoints as text and back. Pure functions (no resolver); any thread. */
#ifndef ELA_CORE_INET_H
#define ELA_CORE_INET_H

#include "config.h"
#include <stdbool.h>

#define ELA_INET_TEXT 64u /* holds any address, prefix or endpoint made of an address */

/* An address literal, port 0. An IPv4-mapped IPv6 address is refused: it has two spellings. 0, -EINVAL. */
int ela_inet_addr(const char *text, struct ela_addr *ret);
/* Without its port. */
void ela_inet_addr_text(const struct ela_addr *addr, char out[ELA_INET_TEXT]);

/* "10.88.0.1/24", or an address alone = all its bits. Host bits are kept. 0, -EINVAL. */
int ela_inet_prefix(const char *text, struct ela_prefix *ret);
void ela_inet_prefix_text(const struct ela_prefix *prefix, char out[ELA_INET_TEXT]);
/* Clears the host bits. */
void ela_inet_prefix_mask(struct ela_prefix *prefix);
/* Sets them: the broadcast address of an IPv4 network. */
void ela_inet_prefix_fill(struct ela_prefix *prefix);
bool ela_inet_prefix_contains(const struct ela_prefix *prefix, const struct ela_addr *addr);
bool ela_inet_prefix_equal(const struct ela_prefix *a, const struct ela_prefix *b);

bool ela_inet_is_unspecified(const struct ela_addr *addr);
bool ela_inet_is_loopback(const struct ela_addr *addr);
/* Of a private network or a carrier's (RFC 1918, 6598, 4193): nobody calls it from the Internet. */
bool ela_inet_is_private(const struct ela_addr *addr);
bool ela_inet_is_link_local(const struct ela_addr *addr);
/* Multicast, and IPv4's limited broadcast and class E. */
bool ela_inet_is_multicast(const struct ela_addr *addr);

#define ELA_OVERLAY6_BITS 48u /* of what is a network's own: all subnets, though it uses one */
/*
 * The IPv6 address that an IPv4 address of the overlay has beside it: fd | 5 bytes of the network id | 0 (2) makes the
 * /64 of every node, the IPv4 address is its end. Port 0.
 */
void ela_inet_overlay6(const uint8_t network_id[32], const struct ela_addr *ip4, struct ela_addr *ret);

/* The same IPv4 address, or the same 64 leading bits of an IPv6 one: what one host can have many of counts once. */
bool ela_inet_same_network(const struct ela_addr *a, const struct ela_addr *b);

/*
 * "host:port", "[v6]:port", "name:port", the port optional. ret->host is g_malloc'ed; addr is set for a literal. 0,
 * -EINVAL.
 */
int ela_inet_endpoint(const char *text, uint16_t default_port, struct ela_endpoint *ret);

#endif
