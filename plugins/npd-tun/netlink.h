/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink: everything the plugin asks of the kernel about interfaces, addresses and routes, by rtnetlink (libmnl).
 * Control thread. Functions return 0 or a negative errno, mostly the kernel's own, and log nothing.
 */
#ifndef ELA_NPD_TUN_NETLINK_H
#define ELA_NPD_TUN_NETLINK_H

#include "prefix.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct ela_nl;

/* What is known of an interface. */
struct ela_nl_link {
	uint32_t index;
	uint32_t flags; /* IFF_* */
	uint32_t mtu;
	uint8_t mac[6]; /* zero without one */
	char name[IFNAMSIZ];
	bool gone; /* seen by the monitor: it was deleted */
};

int ela_nl_new(struct ela_nl **ret);
void ela_nl_free(struct ela_nl *nl); /* takes NULL */

/* By index, or with index 0 by name. -ENODEV. */
int ela_nl_link_get(struct ela_nl *nl, uint32_t index, const char *name, struct ela_nl_link *ret);
/* Sets flags to those of bits within mask. */
int ela_nl_link_flags(struct ela_nl *nl, uint32_t index, uint32_t bits, uint32_t mask);
/* Sets one 32-bit attribute: IFLA_MTU, IFLA_TXQLEN, IFLA_GSO_MAX_SEGS. */
int ela_nl_link_u32(struct ela_nl *nl, uint32_t index, uint16_t attribute, uint32_t value);
/* No IPv6 link-local address, and with it no router solicitations. Before the interface goes up. */
int ela_nl_link_quiet6(struct ela_nl *nl, uint32_t index);
/*
 * When the first address of an IPv4 prefix goes, the next one of the same prefix takes its place; the kernel's default
 * is to remove that one too.
 */
int ela_nl_link_promote4(struct ela_nl *nl, uint32_t index);
/* Adds the address with its prefix route, netmask, and broadcast address where there is one. */
int ela_nl_addr_add(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix);
int ela_nl_addr_del(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix);
/* Adds a route to the prefix's network over the interface; metric 0 = the kernel's default. */
int ela_nl_route_add(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix, uint32_t metric);

/*
 * Looks for an address of an interface that is up, and is not interface number but, whose prefix overlaps. 1 with the
 * interface and its prefix, 0 when there is none, or an error.
 */
int ela_nl_overlap(struct ela_nl *nl, const struct ela_prefix *prefix, uint32_t but, char ret_name[IFNAMSIZ],
	struct ela_prefix *ret_prefix);

/* A second socket that hears of changes to interfaces. Readable when there is something; never blocks. */
int ela_nl_monitor_new(struct ela_nl **ret);
int ela_nl_monitor_fd(const struct ela_nl *nl);
/*
 * Reads what there is. 1: the last news of interface index is in *ret; 0: no news of it; -ENOBUFS: news were lost, ask
 * with ela_nl_link_get().
 */
int ela_nl_monitor_read(struct ela_nl *nl, uint32_t index, struct ela_nl_link *ret);

#endif
