/* SPDX-License-Identifier: Apache-2.0 */
/* address: chooses a newcomer's overlay address (see address.h). Keeps nothing. Control thread. */
#include "address.h"
#include "bytes.h"
#include "handshake.h"

#include <errno.h>
#include <string.h>

#define HASH_TRIES 16u

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

bool ela_address_is_free(const struct ela_addresses *from, const struct ela_credential *node, uint32_t address)
{
	const struct ela_genesis *genesis = ela_membership_genesis(from->m);
	const uint8_t *user = ela_membership_reserved_for(from->m, address);
	const struct ela_held_lease *lease = ela_lease_table_at(from->leases, address);
	const struct ela_known *known;
	uint8_t ip4[4];
	uint32_t id;

	if (!genesis || !ela_genesis_has_address(genesis, address) || (user && !same(user, node->user)) ||
		(lease && !same(lease->node_hash, node->node_hash)))
		return false;
	ela_put32(ip4, address);
	if (ela_node_id(genesis->network_id, ip4, &id) != 0 || id == 0 || id == UINT32_MAX)
		return false;
	known = ela_directory_find(from->directory, id); /* the table may have been full */
	return !known || same(known->lease.node_hash, node->node_hash);
}

/* Number i of the addresses that follow from the node's key. */
static uint32_t by_key(const struct ela_genesis *genesis, const struct ela_credential *node, uint32_t i, uint32_t hosts)
{
	uint8_t number[4], hash[ELA_HASH_LEN];
	const struct ela_bytes parts[] = {{genesis->network_id, ELA_NETWORK_LEN}, {node->ed25519, 32}, {number, 4}};

	ela_put32(number, i);
	if (ela_sha256(parts, G_N_ELEMENTS(parts), hash) != 0)
		return 0; /* which is nobody's */
	return ela_get32(genesis->prefix.addr.ip) | (ela_get32(hash) & hosts);
}

/*
 * The first free one upwards from a random place: at most as many are passed as there are leases, records and reserved
 * addresses.
 */
static int by_chance(
	const struct ela_addresses *from, const struct ela_credential *node, uint32_t base, uint32_t hosts, uint32_t *ret)
{
	uint32_t start;

	from->loop->ops->random(from->loop, &start, sizeof start);
	for (uint32_t i = 0; i <= hosts; i++) {
		uint32_t address = base | ((start + i) & hosts);

		if (ela_address_is_free(from, node, address)) {
			*ret = address;
			return 0;
		}
	}
	return -ENOSPC;
}

int ela_address_choose(
	const struct ela_addresses *from, const struct ela_credential *node, uint32_t wish, uint32_t *ret)
{
	const struct ela_genesis *genesis = ela_membership_genesis(from->m);
	const struct ela_held_lease *leased = ela_lease_table_of(from->leases, node->node_hash);
	uint32_t wanted[2 + HASH_TRIES] = {wish, leased ? leased->address : 0}, hosts;

	if (!genesis)
		return -EAGAIN;
	hosts = UINT32_MAX >> genesis->prefix.bits;
	for (uint32_t i = 0; i < HASH_TRIES; i++)
		wanted[2 + i] = by_key(genesis, node, i, hosts);
	for (uint32_t i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (ela_address_is_free(from, node, wanted[i])) {
			*ret = wanted[i];
			return 0;
		}
	return by_chance(from, node, ela_get32(genesis->prefix.addr.ip), hosts, ret);
}
