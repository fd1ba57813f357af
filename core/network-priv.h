/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network-priv: what the files of network share: network.c, admission.c, joining.c, list-sync.c, parting.c. Control
 * thread.
 */
#ifndef ELA_CORE_NETWORK_PRIV_H
#define ELA_CORE_NETWORK_PRIV_H

#include "address.h"
#include "contacts.h"
#include "dialogue.h"
#include "directory.h"
#include "members.h"
#include "neighbours.h"
#include "network.h"
#include "own-record.h"
#include "peer.h"

#define ELA_NETWORK_OUT_REMEDY "ask the network's owner; a new token is for a new folder: ela join TOKEN --dir DIR"

struct ela_admission;
struct ela_dials;
struct ela_joining;
struct ela_list_sync;
struct ela_parting;
struct ela_roles;

struct ela_network {
	struct ela_node *node;
	const struct ela_file_ops *files;
	int dirfd; /* the state folder, -1: nothing is kept */

	/* Who this node is. */
	uint8_t sign_private[32]; /* Ed25519 */
	GBytes *credential;
	struct ela_credential self; /* what it says */
	GBytes *claim;              /* by which it asks to be let in; NULL: it needs none */

	/* What it knows. */
	struct ela_membership *membership;
	struct ela_lease_table *leases;
	struct ela_directory_listener listener;
	struct ela_directory *directory;
	struct ela_members *members;
	struct ela_contacts contacts;
	GPtrArray *waiting; /* GBytes: records that came in a reply and lack a credential */

	struct ela_list_sync *sync;
	struct ela_admission *admission;
	struct ela_joining *joining;
	struct ela_parting *parting;
	struct ela_roles *roles;
	struct ela_dials *dials;
	struct ela_neighbours_ops neighbours_ops;
	struct ela_neighbours *neighbours;

	/* Its place in the network. */
	struct ela_own_record_ops record_ops;
	struct ela_own_record *record;
	uint64_t uncounted_ns;                     /* since when its countersignature counts for nothing; 0: it counts */
	struct ela_timer *renew;                   /* when the own record is due, or something could not be written */
	struct ela_place places[ELA_LEASE_PLACES]; /* of this machine, if it was told */
	uint32_t n_places;
	struct ela_lease lease; /* what the own record says; ID 0: not in */
	bool is_started;
	bool is_unconfirmed; /* a core by necessity: nobody has found out whether it should be one */
	bool is_out;         /* its user, or the node itself, was revoked: it calls others only now and then */
	bool is_alone;       /* no other core is known, or an edge has no parent, for a while */
	uint64_t lost_ns;    /* since when that is so; 0 = it is not */
	bool has_clock;      /* the core that let it in said what time it is: */
	int64_t clock_s;     /* that, less the seconds of the loop */
	char reason[160];    /* why it has this role */
	char missing[160];   /* why it is not in, or not with others; "": nothing */

	/* Chores: what must not be done in the middle of things. */
	struct ela_timer *chores;
	GQueue wanted;       /* struct wanted: credentials to fetch */
	GPtrArray *fetching; /* struct wanted, owned: those under way */
	GPtrArray *unjudged; /* GBytes: credentials of users who are not known yet */
	GArray *changed;     /* uint32_t: IDs whose records changed */
	uint64_t generation; /* of the membership, when all that stands on it was looked at */
};

static inline uint64_t ela_network_wall_s(const struct ela_network *network)
{
	struct ela_loop *loop = network->node->loop;

	return loop->ops->wall_ns(loop) / ELA_SEC;
}

#define ELA_CLOCKS_APART_S 300 /* clocks that differ less are good enough for all that tokens and lists say */

/* ---- network.c ---- */

/* How far this machine's clock is ahead of that of the core which let it in; 0: not known, or not far either way. */
int64_t ela_network_clock_ahead_s(const struct ela_network *network);

/* Chores are done in the loop's next turn. */
void ela_network_chore(struct ela_network *network);
/* Its role and why, to the log. */
void ela_network_say_in(const struct ela_network *network);
/* Whether this node may be in the network still: if not, it leaves, and says why. */
void ela_network_check_oneself(struct ela_network *network);
/* Another key holds our ID, by the rule that all follow: this node takes another address. */
void ela_network_lose_address(struct ela_network *network);

/* ---- network-news.c ---- */

void ela_network_news_begin(struct ela_network *network);
void ela_network_news_turn(struct ela_network *network); /* a chore */
void ela_network_news_end(struct ela_network *network);
/* Members whose record is not here yet are guests: they are asked for it. Now and then. */
void ela_network_ask_guests(struct ela_network *network);
/* Somebody may have got or lost a right: everything that stands on rights is looked at again. */
void ela_network_recheck(struct ela_network *network);
/*
 * A record that came in a reply of that peer goes to the routing plugin; if its credential is missing, once that came.
 */
void ela_network_take_record(struct ela_network *network, const struct ela_peer *from, const void *bytes, uint32_t len);
/* A credential that somebody sent. 0 also when it was known; errors as ela_membership_offer_credential(). */
int ela_network_take_credential(
	struct ela_network *network, const void *bytes, uint32_t len, const struct ela_credential **ret, GError **error);
/*
 * The node is in from now on, or goes on as something else: address (host byte order), role, an edge's parent, and
 * where it can be called. 0, or a negative errno with error: nothing has changed.
 */
int ela_network_enter(struct ela_network *network, const struct ela_lease *lease, GError **error);
/* A signed object as a field of a message; NULL: it is left out. */
void ela_network_put_object(struct ela_message *m, enum ela_field field, GBytes *bytes);
/* Its own record as it is now; borrowed; NULL: it has none yet. */
const struct ela_known *ela_network_own_record(const struct ela_network *network);
/* The overlay addresses that go with an IPv4 address, for a peer. */
void ela_network_addresses(
	const struct ela_network *network, uint32_t address, struct ela_addr *ip4, struct ela_addr *ip6);
/* Addresses of this machine at which others may call it, those of the Internet first; how many. */
uint32_t ela_network_places(const struct ela_network *network, struct ela_place ret[ELA_LEASE_PLACES]);
/* Where others saw this node, with the ports where it listens, those of the Internet first; how many. */
uint32_t ela_network_seen_places(
	const struct ela_network *network, const struct ela_addr *seen, uint32_t n, struct ela_place ret[ELA_LEASE_PLACES]);
/* Where this node listens: the port of its stream and of its datagram transport, 0: it has none. */
void ela_network_ports(const struct ela_network *network, uint16_t *ret_tcp, uint16_t *ret_udp);

/* Is a core that this node knows of in its ring at that address and TCP port? Then nobody is looked for there. */
bool ela_network_is_inside(const struct ela_network *network, const struct ela_addr *addr);
/*
 * The next contact, from number *at on, that is no core of this node's ring: *ret, with its port for TCP; it may be one
 * of another part of the network, or be gone. False: there is none.
 */
bool ela_network_outside(const struct ela_network *network, uint32_t *at, struct ela_addr *ret);

/* ---- network-alone.c ---- */

/* Whoever was in before, or founded the network, needs nobody's leave to be its only core. True: it is that now. */
bool ela_network_be_alone(struct ela_network *network);

/* ---- network-lan.c: nodes of this network on the same LAN ---- */

struct ela_network_lan;

/* found is called for each node that answers there. */
struct ela_network_lan *ela_network_lan_new(
	struct ela_network *network, void (*found)(void *data, const struct ela_addr *addr), void *data);
void ela_network_lan_free(struct ela_network_lan *lan); /* takes NULL */
/* It is asked who is there, soon and again and again; from the beginning if it is already. */
void ela_network_lan_look(struct ela_network_lan *lan);
void ela_network_lan_rest(struct ela_network_lan *lan);
/* It is asked once who is there of another ring. */
void ela_network_lan_once(struct ela_network_lan *lan);

/* ---- admission.c: who asks this node to be let in ---- */

struct ela_admission *ela_admission_new(struct ela_network *network);
void ela_admission_free(struct ela_admission *admission); /* takes NULL */
void ela_admission_serve(struct ela_network *network);

/* ---- joining.c: this node asks others ---- */

struct ela_joining *ela_joining_new(struct ela_network *network);
void ela_joining_free(struct ela_joining *joining); /* takes NULL */
void ela_joining_start(struct ela_joining *joining);
/*
 * Peers may have got their addresses: the session with the core that let us in was agreed when neither knew the other's
 * ID, so nobody could relay it; it is agreed anew.
 */
void ela_joining_known(struct ela_joining *joining);
/* A conversation is under way. */
bool ela_joining_talks(const struct ela_joining *joining);

/* What a classification found. */
struct ela_found_role {
	enum ela_lease_role role;
	char reason[160];
	struct ela_place places[ELA_LEASE_PLACES]; /* where it was seen */
	uint32_t n_places;
};
/* True: it was waited for, and the node enters with it. */
bool ela_joining_role(struct ela_joining *joining, const struct ela_found_role *found);

/* ---- roles.c: core or edge ---- */

struct ela_roles *ela_roles_new(struct ela_network *network);
void ela_roles_free(struct ela_roles *roles); /* takes NULL */
/* From now on it is looked at again and again, whenever the node is in. */
void ela_roles_start(struct ela_roles *roles);
/*
 * These cores, at most ELA_CLASSIFY_CORES, are asked for a node that joins. It goes to ela_joining_role(); if that does
 * not wait any more, the node becomes it as soon as it is in. 0; -ENOTSUP: it does not listen by TCP and UDP; or as
 * ela_classify().
 */
int ela_roles_first(struct ela_roles *roles, struct ela_peer *const *cores, uint32_t n);
/* What is under way is forgotten. */
void ela_roles_cancel(struct ela_roles *roles);
/* The machine has other addresses or routes: it is looked at once. */
void ela_roles_changed(struct ela_roles *roles);
/* A core by ela.ini that others cannot call: what is wrong; "": nothing. */
const char *ela_roles_unreachable(const struct ela_roles *roles);
/* Whether its credential and its user's rights allow it. */
bool ela_roles_may_be_core(const struct ela_network *network);

/* ---- parting.c: cores that leave, and their children ---- */

struct ela_parting *ela_parting_new(struct ela_network *network);
void ela_parting_free(struct ela_parting *parting); /* takes NULL */
void ela_parting_serve(struct ela_parting *parting);

/* ---- list-sync.c: what all members hold alike: list and enrolments ---- */

/* What one end has of both. */
struct ela_list_head {
	uint64_t epoch, version;
	uint8_t list[ELA_HASH_LEN], enrolments[ELA_HASH_LEN];
	bool has_list, has_enrolments;
};

struct ela_list_sync *ela_list_sync_new(struct ela_network *network);
void ela_list_sync_free(struct ela_list_sync *sync); /* takes NULL */
void ela_list_sync_serve(struct ela_list_sync *sync);
/* Something is new: neighbours are told soon. */
void ela_list_sync_soon(struct ela_list_sync *sync);
/* How many direct neighbours said that they have the list that is the newest here, and how many there are. */
uint32_t ela_list_sync_holders(const struct ela_list_sync *sync, uint32_t *ret_neighbours);
/* That peer may have what is missing here: heads are compared soon. */
void ela_list_sync_ask(struct ela_list_sync *sync, uint32_t peer);
void ela_list_sync_put_head(const struct ela_network *network, struct ela_message *m);
bool ela_list_sync_read_head(const struct ela_message *m, struct ela_list_head *ret);

/* The end of a pull from a peer: 0 all that it has is here, or what failed, as ela_pull_fn. */
typedef void (*ela_synced_fn)(void *data, int err);
/*
 * Fetches from the peer what it has of both and this node has not. fn may be NULL; it is called after this returned,
 * and not any more after ela_list_sync_forget().
 */
void ela_list_sync_fetch(struct ela_list_sync *sync, const struct ela_peer *peer, const struct ela_list_head *head,
	ela_synced_fn fn, void *data);
/*
 * The same of a peer whose head is not known: it is asked for first. False: it cannot be asked, also when this node has
 * no list itself; fn is not called then.
 */
bool ela_list_sync_catch_up(struct ela_list_sync *sync, const struct ela_peer *peer, ela_synced_fn fn, void *data);
void ela_list_sync_forget(struct ela_list_sync *sync, const void *data);

#endif
