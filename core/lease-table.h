/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease-table: which address is leased to which node's key, for 30 days from its last record. It outlives the records,
 * which are fresh or gone, and restarts: so an address waits for its node. An address has one lease, and so has a key:
 * its last one. Control thread.
 *
 * On disk: the file "leases" of the state folder, for each lease address (4) | countersigned since (8, 0: not) | last
 * record (8), both seconds since 1970 | hash of the node's key (32). Replaced as a whole, at most once in 60 s; that a
 * record was renewed is written with an hour's precision, for 30 days need no better and disks wear.
 */
#ifndef ELA_CORE_LEASE_TABLE_H
#define ELA_CORE_LEASE_TABLE_H

#include "loop.h"
#include "membership.h"

#define ELA_LEASES_MAX 4096u
#define ELA_LEASE_S (30u * 24u * 3600u)
#define ELA_LEASE_WRITE_NS (60u * ELA_SEC)
#define ELA_LEASE_EXACT_S 3600u
/* A full table gives up the lease that is silent longest for a new one, but none that is younger than this. */
#define ELA_LEASE_STALE_S 120u
#define ELA_LEASE_PROMISE_S 60u /* between the choice of an address and the record that leases it */

struct ela_lease_table;

/* Borrowed until the next call that is not const. */
struct ela_held_lease {
	uint32_t address; /* host byte order */
	uint8_t node_hash[ELA_HASH_LEN];
	uint64_t since_s;   /* struct ela_standing */
	int64_t heard_ns;   /* by the loop's clock; may lie before its start */
	int64_t written_ns; /* of heard_ns, what the disk has */
};

/*
 * Reads what the state folder has. All borrowed; dirfd must stay open, -1: nothing is kept. A file that does not check
 * fails with its name (ELA_OBJECT_ERROR).
 */
int ela_lease_table_new(struct ela_loop *loop, const struct ela_membership *m, const struct ela_file_ops *ops,
	int dirfd, struct ela_lease_table **ret, GError **error);
/* Takes NULL. Writes nothing. */
void ela_lease_table_free(struct ela_lease_table *t);
/* Writes now what is not written, to the second. 0, -errno of the disk. */
int ela_lease_table_flush(struct ela_lease_table *t);
/* What the last write came to: 0, -errno. It is tried again 60 s later. */
int ela_lease_table_error(const struct ela_lease_table *t);

/*
 * A good record counts: its lease begins or goes on. False: another key's lease of the address is the better one
 * (ela_membership_compare()), or there is no room.
 */
bool ela_lease_table_note(struct ela_lease_table *t, const struct ela_standing *standing);
/*
 * The address was chosen for the node: nobody else gets it for 60 s, in which its first record should come. Its lease
 * of another address ends. False: somebody else's, or there is no room.
 */
bool ela_lease_table_promise(struct ela_lease_table *t, const uint8_t node_hash[ELA_HASH_LEN], uint32_t address);
/* Ends the leases of nodes that are in no more. After membership's generation changed. */
void ela_lease_table_recheck(struct ela_lease_table *t);

/* NULL: the address is free; the key has none. */
const struct ela_held_lease *ela_lease_table_at(const struct ela_lease_table *t, uint32_t address);
const struct ela_held_lease *ela_lease_table_of(const struct ela_lease_table *t, const uint8_t node_hash[ELA_HASH_LEN]);
/* struct ela_held_lease * by rising address; g_ptr_array_unref. */
GPtrArray *ela_lease_table_all(const struct ela_lease_table *t);
uint32_t ela_lease_table_count(const struct ela_lease_table *t); /* also those that are over and not cleared away */

#endif
