/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory: what a node knows of the others of a network with a ring. The routing plugin keeps and spreads records;
 * the directory judges them (core/membership.h) and holds what the plugin says of the outcome: the record that counts
 * for each ID with the way there, and the cores of the ring. It is what stands behind struct ela_ring_services, and
 * tells a listener, who makes peers and routes of it. docs/adr/0022. Control thread.
 *
 * What is in it is fresh: a record that was not renewed for 120 s is dropped, whatever the plugin does.
 */
#ifndef ELA_CORE_DIRECTORY_H
#define ELA_CORE_DIRECTORY_H

#include "cores.h"
#include "lease-table.h"

#define ELA_DIRECTORY_MAX 4096u       /* records, and cores of the ring */
#define ELA_FRESH_NS (120u * ELA_SEC) /* nothing is routed to who is silent that long */
#define ELA_WANTED_MAX 64u            /* credentials that are waited for */
#define ELA_WANTED_OF_PEER 16u        /* for records that one peer brought */
#define ELA_WANTED_NS (30u * ELA_SEC) /* then they may be asked for again */

struct ela_directory;
struct ela_ring_services; /* state.h */

/* What counts for an ID. Borrowed until the directory is told the next time, or time passes. */
struct ela_known {
	uint32_t id;
	uint32_t via;       /* node ID of the next one on the way: id itself, or an edge's parent */
	uint32_t peer;      /* number of the peer that brought the record, 0 = nobody: it is our own, or was kept aside */
	uint64_t heard_ns;  /* when its last record came, by the loop's clock */
	uint64_t before_ns; /* when the last one of the same key's incarnation before came; 0: none did */
	uint64_t since_s;   /* struct ela_standing */
	struct ela_lease lease;
	uint32_t len;
	uint8_t bytes[ELA_RECORD_MAX];
};

/* All are called, none may be NULL. Each may look things up; whoever wants to change something posts it (struct
 * ela_loop_ops). */
struct ela_directory_listener {
	/* The ID is new, or more of its record than the sequence differs, or the way there does. */
	void (*changed)(void *data, uint32_t id);
	void (*gone)(void *data, uint32_t id);
	void (*ring_changed)(void *data);
	/* A record cannot be judged without this credential. peer: who brought it, 0 = unknown. Once in ELA_WANTED_NS. */
	void (*want_credential)(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer);
	/* A good record with our own key. It may be one of ours that came round: ela_own_record_shown() can tell. */
	void (*own_record)(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len);
	void *data;
};

/* All borrowed. leases: where what counts is noted, NULL: nowhere. */
struct ela_directory *ela_directory_new(struct ela_loop *loop, const struct ela_membership *m,
	struct ela_lease_table *leases, const struct ela_directory_listener *listener);
void ela_directory_free(struct ela_directory *d); /* takes NULL; tells nobody */
/* The hash of this node's Ed25519 key: its own records are shown to the listener. */
void ela_directory_set_own(struct ela_directory *d, const uint8_t node_hash[ELA_HASH_LEN]);
/* While the plugin reads a message of a peer, what it asks about came from there. 0: from nobody. */
void ela_directory_brought_by(struct ela_directory *d, uint32_t peer);

/* The plugin that is told of what stands no more; NULL: none. */
void ela_directory_attach(struct ela_directory *d, const struct ela_routing_ops *routing, void *self);
/*
 * Drops what the network does not stand behind any more, here, at the plugin (remove()) and among the leases. To be
 * called after every offer to the membership; does nothing while its generation stays.
 */
void ela_directory_recheck(struct ela_directory *d);
/*
 * Countersignatures of homes that were not known when the record came count once they are. To be called after every
 * offer likewise; does nothing while no node was offered. Calls changed(), and own_record() for the own one.
 */
void ela_directory_recheck_homes(struct ela_directory *d);

/* ---- for the plugin: as the services of struct ela_host ---- */

int ela_directory_record_check(struct ela_directory *d, const void *bytes, uint32_t len, struct ela_record_info *ret);
/* Never 0, also when one of them is not good any more: the other holds the ID then. */
int ela_directory_record_compare(struct ela_directory *d, const void *a, uint32_t a_len, const void *b, uint32_t b_len);
int ela_directory_record_set(struct ela_directory *d, uint32_t id, const void *bytes, uint32_t len, uint32_t via);
int ela_directory_record_del(struct ela_directory *d, uint32_t id);
int ela_directory_ring_set(struct ela_directory *d, const uint32_t *ids, uint32_t n);

/* All of these, of node->directory. */
extern const struct ela_ring_services ela_directory_services;

/* ---- for core ---- */

/* NULL: nothing is known of it. */
const struct ela_known *ela_directory_find(const struct ela_directory *d, uint32_t id);
/* The one with the next greater ID, from 0; NULL behind the last. */
const struct ela_known *ela_directory_next(const struct ela_directory *d, uint32_t id);
uint32_t ela_directory_count(const struct ela_directory *d);
/* The ring as far as it is known here. */
const struct ela_cores *ela_directory_cores(const struct ela_directory *d);

#endif
