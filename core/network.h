/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: a node's part in a network with a ring, from its files to its good-bye: it owns what the node knows of
 * users, leases and records, its own record, and who may come in; it looks for the others, joins them or is alone
 * (wire.md, "Joining"; thesis 4.2.2). Only where [components] routing has a ring. Control thread.
 *
 *   looking -> (a core answers) -> joining -> in
 *   looking -> (nobody for 10 s, and it was in before, or founded the network) -> in, alone, still looking
 */
#ifndef ELA_CORE_NETWORK_H
#define ELA_CORE_NETWORK_H

#include "file.h"
#include "lease.h"
#include "node.h"

#define ELA_NETWORK_ALONE_NS (10 * ELA_SEC) /* nobody answers that long */
#define ELA_PARTING_NS (5 * ELA_SEC)        /* a core that leaves waits no longer for its children */

struct ela_network;
struct ela_peer;

/*
 * Reads the node's signing key, which lies beside ela.ini, and the state folder; before ela_node_start(), and before
 * the drop for the key's sake. files and dirfd as ela_membership_new(); dirfd stays the caller's. NULL and *error
 * (ELA_NODE_ERROR): a file is missing, or not what it should be.
 */
struct ela_network *ela_network_new(struct ela_node *node, const struct ela_file_ops *files, int dirfd, GError **error);
/*
 * Where this machine can be called, in place of what its interfaces say: in virtual time it is not the node's. Before
 * start; at most ELA_LEASE_PLACES.
 */
void ela_network_set_places(struct ela_network *network, const struct ela_place *places, uint32_t n);
/* After ela_node_start(): it begins to look for the others. */
void ela_network_start(struct ela_network *network);
/*
 * A core tells its children to change their parent, and relays on; done is called from the loop when none needs it any
 * more, after ELA_PARTING_NS at the latest, and not any more after ela_network_free(). False: there is nobody to tell,
 * or it is under way; done is not called (again).
 */
bool ela_network_part(struct ela_network *network, void (*done)(void *data), void *data);
/* The machine's addresses or routes are others: whether strangers can call it may have changed. */
void ela_network_changed(struct ela_network *network);
/* Says good-bye to the ring: before ela_node_stop(). */
void ela_network_leave(struct ela_network *network);
/* Writes what is not written. After ela_node_stop(), before ela_node_free(). Takes NULL. */
void ela_network_free(struct ela_network *network);

/* For people. Strings and peers are borrowed until the loop's next turn. */
struct ela_network_view {
	bool is_in;    /* it has an address */
	bool is_alone; /* it is a ring of one by necessity */
	enum ela_lease_role role;
	const char *reason;                     /* why this role, or what is missing to be in; never NULL */
	char user[ELA_NAME_ROOM];               /* "": not known yet */
	uint64_t epoch, version, valid_until_s; /* of the list; version 0: none */
	uint32_t n_neighbours, n_holders;       /* direct ones, and how many of them said that they have it */
	struct ela_peer *parent, *spare;        /* NULL: none */
	uint32_t n_cores, n_nodes;              /* of the ring; records that are known */
	uint32_t place;                         /* of its ID among those of the cores, from 1; 0: it is no core */
	uint32_t n_places;                      /* where it can be called */
	struct ela_place places[ELA_LEASE_PLACES];
};
void ela_network_view(const struct ela_network *network, struct ela_network_view *ret);
/* What the network says of a peer. */
struct ela_network_peer {
	char user[ELA_NAME_ROOM]; /* "": not known */
	bool has_record;          /* the rest is from its record */
	enum ela_lease_role role;
	uint32_t parent; /* of an edge, else 0 */
};
void ela_network_peer(const struct ela_network *network, const struct ela_peer *peer, struct ela_network_peer *ret);

/* ---- network-tell.c ---- */

/*
 * A list from this node's own user, by the control socket: what it takes away applies at once, all of it when it is on
 * the disk; the neighbours hear of it. 0, or as ela_membership_offer_list(); -ENOTUNIQ: it contradicts the one held,
 * and was not taken: two were made at the same time.
 */
int ela_network_offer_list(struct ela_network *network, const void *bytes, size_t len, GError **error);
/* As ela_dials_add() (dials.h). */
int ela_network_dial(struct ela_network *network, const char *endpoint, uint64_t until_s, GError **error);
/* "objects" and "leases" of docs/json.md, as members of a JSON object. */
void ela_network_tell_objects(const struct ela_network *network, GString *text);
void ela_network_tell_leases(const struct ela_network *network, GString *text);
/* Calls fn for what a person should see to. */
void ela_network_health(
	const struct ela_network *network, void (*fn)(void *data, const char *text, const char *remedy), void *data);

#endif
