/* SPDX-License-Identifier: Apache-2.0 */
/* network-places: where this node is: its addresses in the overlay, its ports, the addresses of its machine. Control
 * thread. */
#include "network-priv.h"

#include "inet.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

void ela_network_addresses(
	const struct ela_network *network, uint32_t address, struct ela_addr *ip4, struct ela_addr *ip6)
{
	*ip4 = (struct ela_addr){.family = ELA_ADDR_IP4};
	ela_put32(ip4->ip, address);
	ela_inet_overlay6(network->node->network_id, ip4, ip6);
}

void ela_network_ports(const struct ela_network *network, uint16_t *ret_tcp, uint16_t *ret_udp)
{
	*ret_tcp = *ret_udp = 0;
	for (uint32_t i = 0; i < network->node->n_transports; i++) {
		const struct ela_transport_info *info = &network->node->transports[i].info;
		uint16_t *ret = info->caps & ELA_TRANSPORT_STREAM ? ret_tcp : ret_udp;

		if (*ret == 0)
			*ret = info->port;
	}
}

static bool read_interface(const struct ifaddrs *at, struct ela_addr *ret)
{
	*ret = (struct ela_addr){0};
	if (!at->ifa_addr || (at->ifa_flags & IFF_UP) == 0)
		return false;
	if (at->ifa_addr->sa_family == AF_INET) {
		ret->family = ELA_ADDR_IP4;
		memcpy(ret->ip, &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr, 4);
	} else if (at->ifa_addr->sa_family == AF_INET6) {
		ret->family = ELA_ADDR_IP6;
		memcpy(ret->ip, &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr, 16);
	}
	return ret->family != ELA_ADDR_NONE;
}

uint32_t ela_network_places(const struct ela_network *network, struct ela_place ret[ELA_LEASE_PLACES])
{
	struct ela_place place = {0};
	struct ifaddrs *all = NULL;
	uint32_t n = 0;

	memcpy(ret, network->places, sizeof network->places);
	if (network->n_places)
		return network->n_places;
	ela_network_ports(network, &place.tcp_port, &place.udp_port);
	(void)getifaddrs(&all); /* none are known then */
	for (int want_private = 0; want_private < 2; want_private++)
		for (const struct ifaddrs *at = all; at && n < ELA_LEASE_PLACES; at = at->ifa_next)
			if (read_interface(at, &place.addr) && ela_inet_is_private(&place.addr) == want_private &&
				ela_place_ok(&place) && ela_addr_allowed(network->node, &place.addr))
				ret[n++] = place;
	if (all)
		freeifaddrs(all);
	return n;
}

bool ela_network_is_inside(const struct ela_network *network, const struct ela_addr *addr)
{
	const struct ela_known *known;

	if (network->lease.id == 0 || network->is_alone)
		return false;
	for (uint32_t id = 0; (known = ela_directory_next(network->directory, id)) != NULL; id = known->id)
		for (uint32_t i = 0; known->lease.role == ELA_LEASE_CORE && i < known->lease.n_places; i++) {
			const struct ela_place *place = &known->lease.places[i];

			if (place->tcp_port == addr->port && place->addr.family == addr->family &&
				memcmp(place->addr.ip, addr->ip, sizeof addr->ip) == 0)
				return true;
		}
	return false;
}

bool ela_network_outside(const struct ela_network *network, uint32_t *at, struct ela_addr *ret)
{
	const struct ela_contacts *contacts = &network->contacts;

	for (uint32_t i = 0; i < contacts->n; i++) {
		const struct ela_place *place = &contacts->v[(*at)++ % contacts->n].place;

		*ret = place->addr;
		ret->port = place->tcp_port;
		if (place->tcp_port && !ela_network_is_inside(network, ret))
			return true;
	}
	return false;
}

uint32_t ela_network_seen_places(
	const struct ela_network *network, const struct ela_addr *seen, uint32_t n, struct ela_place ret[ELA_LEASE_PLACES])
{
	struct ela_place place = {0};
	uint32_t found = 0;

	ela_network_ports(network, &place.tcp_port, &place.udp_port);
	for (int want_private = 0; want_private < 2; want_private++)
		for (uint32_t i = 0; i < n && found < ELA_LEASE_PLACES; i++) {
			place.addr = seen[i];
			place.addr.port = 0;
			if (ela_inet_is_private(&place.addr) == want_private && ela_place_ok(&place))
				ret[found++] = place;
		}
	return found;
}
