/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease: records, by which a node holds its ID and address and says where it is, and the home's countersignature of a
 * first one. (Stream records, frame.h, are something else.) Plain values; control thread; errors as in object.h.
 *
 *   record | countersignature, or the record alone: at most ELA_RECORD_MAX bytes
 *
 * The countersignature is over ID, key and time, not over one record: records are renewed every 40 s, the lease that it
 * dates stays the same (docs/adr/0014).
 */
#ifndef ELA_CORE_LEASE_H
#define ELA_CORE_LEASE_H

#include "body.h"
#include <ela/routing.h>
#include <ela/types.h>

#define ELA_LEASE_PLACES 4u
#define ELA_LEASE_ROLES 3u

enum ela_lease_role { ELA_LEASE_JOINING = 0, ELA_LEASE_CORE = 1, ELA_LEASE_EDGE = 2 };

/* Where a node can be called. */
struct ela_place {
	struct ela_addr addr; /* port 0 */
	uint16_t tcp_port;    /* 0: none; not both */
	uint16_t udp_port;
};
/* An address that one node may tell another: not unspecified, loopback, link-local, multicast or IPv4-mapped. */
bool ela_place_ok(const struct ela_place *place);

struct ela_lease {
	uint32_t id;
	uint32_t address; /* host byte order */
	uint8_t credential[ELA_HASH_LEN];
	enum ela_lease_role role;
	uint32_t parent; /* of an edge, else 0 */
	uint64_t incarnation, sequence;
	bool is_leave;
	struct ela_place places[ELA_LEASE_PLACES]; /* confirmed global ones first */
	uint32_t n_places;
	uint8_t node_hash[ELA_HASH_LEN]; /* of the key that signed it; set by parse */
};

/* All but incarnation and sequence. */
bool ela_lease_same(const struct ela_lease *a, const struct ela_lease *b);

/* The record alone. */
int ela_lease_sign(const struct ela_lease *lease, const uint8_t network_id[ELA_NETWORK_LEN],
	const uint8_t node_private[32], GBytes **ret, GError **error);

/* A record and what may follow it, taken apart; borrowed. lease.signer is the node, mark.signer the home. */
struct ela_lease_bytes {
	struct ela_object record;
	struct ela_object mark; /* kind 0: there is none */
};
int ela_lease_split(const void *bytes, size_t len, struct ela_lease_bytes *ret, GError **error);
/* Which credential a record names, before anything of it can be believed: whose to ask for. */
int ela_lease_credential(const struct ela_lease_bytes *bytes, uint8_t ret[ELA_HASH_LEN], GError **error);
/* node_key: the Ed25519 key whose hash is record.signer. */
int ela_lease_parse(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t node_key[32],
	const struct ela_lease_bytes *bytes, struct ela_lease *ret, GError **error);

/* The home's countersignature: node_hash has leased id since time_s (from 1). */
struct ela_mark {
	uint32_t id;
	uint8_t node_hash[ELA_HASH_LEN];
	uint64_t time_s;
};
int ela_mark_sign(const struct ela_mark *mark, const uint8_t network_id[ELA_NETWORK_LEN],
	const uint8_t home_private[32], GBytes **ret, GError **error);
/* -EBADMSG also when it is not about this lease. */
int ela_mark_parse(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t home_key[32],
	const struct ela_object *object, const struct ela_lease *lease, struct ela_mark *ret, GError **error);

#endif
