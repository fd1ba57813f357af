/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own-record: this node's own record, renewed every 40 s (docs/protocol.md, "What a record says"). A state machine:
 * time comes as an argument, records leave by a function. Control thread.
 *
 * The incarnation is one more than that of the last start. Who is shown a record of his own key that is newer than what
 * he said has lost his state, or somebody else runs with his key: he goes on above it. Three times within 60 s can only
 * be the latter; then it is said, and nothing is published for 1 to 10 minutes.
 *
 * On disk: the file "record" of the state folder, incarnation (8) | ID (4) | the home's countersignature for that ID,
 * which may be missing.
 */
#ifndef ELA_CORE_OWN_RECORD_H
#define ELA_CORE_OWN_RECORD_H

#include "file.h"
#include "lease.h"
#include "loop.h"

#define ELA_RENEW_NS (40u * ELA_SEC)
#define ELA_RENEW_LEAST_NS ELA_SEC          /* between two records, whatever changes */
#define ELA_TWICE 3u                        /* times that another's record is shown... */
#define ELA_TWICE_NS (60u * ELA_SEC)        /* ... within which the key runs twice */
#define ELA_SILENT_LEAST_NS (60u * ELA_SEC) /* and then nothing is said for so long at least */
#define ELA_SILENT_MOST_NS (600u * ELA_SEC)

struct ela_own_record;

/* None may be NULL. bytes are borrowed. */
struct ela_own_record_ops {
	void (*publish)(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len);
	/* The key of this node runs elsewhere, too; nothing is published until then. */
	void (*runs_twice)(void *data, uint64_t until_ns);
	void (*random)(void *data, void *buf, size_t len);
	void *data;
};

/*
 * dirfd stays the caller's and must stay open; -1: nothing is kept. A file that cannot be read fails
 * (ELA_OBJECT_ERROR). Nothing is written before the first flush or record. file_ops: ela_file_system.
 */
int ela_own_record_new(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t node_private[32],
	const struct ela_file_ops *file_ops, int dirfd, const struct ela_own_record_ops *ops, struct ela_own_record **ret,
	GError **error);
void ela_own_record_free(struct ela_own_record *o); /* takes NULL */
/* Writes what could not be written. 0, or -errno of the disk. */
int ela_own_record_flush(struct ela_own_record *o);

/*
 * What the next records say; incarnation, sequence, leave and node_hash are not read. Published by the next turn if it
 * is news. -EINVAL: not a record, nothing is changed.
 */
int ela_own_record_say(struct ela_own_record *o, const struct ela_lease *lease, GError **error);
/*
 * Our record came back with a countersignature by home_key, which goes behind all records from now on. -EBADMSG when
 * it is about somebody or something else.
 */
int ela_own_record_countersigned(
	struct ela_own_record *o, const uint8_t home_key[32], const void *bytes, uint32_t len, GError **error);
/*
 * The countersignature counts for nothing any more, for its home is out: the next records go without it, and the home
 * of now gives another one.
 */
void ela_own_record_uncountersigned(struct ela_own_record *o);
/* Publishes what is due. When to call next; UINT64_MAX: there is nothing to say. */
uint64_t ela_own_record_turn(struct ela_own_record *o, uint64_t now_ns);
/* Says good-bye, unless nothing was said yet or the node is silent. Nothing more follows until say(). */
void ela_own_record_leave(struct ela_own_record *o, uint64_t now_ns);
/* A good record with our key came. True: it is not ours; ask turn() when to call next. */
bool ela_own_record_shown(
	struct ela_own_record *o, const struct ela_lease *lease, const void *bytes, uint32_t len, uint64_t now_ns);
/* Until when the node is silent; 0: it is not. */
uint64_t ela_own_record_silent_until(const struct ela_own_record *o, uint64_t now_ns);
uint64_t ela_own_record_incarnation(const struct ela_own_record *o);

#endif
