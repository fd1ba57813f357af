/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership: what a node holds of its network's signed objects and what it decides from them: who is in, with which
 * rights, whose node is whose. State and decisions only: bytes come in as offers, from whomever, and the wall clock as
 * an argument; nothing here sends or waits. Control thread.
 *
 * Every offer: 0 or a negative errno with error (ELA_OBJECT_ERROR, a reason for a person):
 *   -EALREADY   held already; nothing to do, nothing to log
 *   -ESTALE     older than what is held
 *   -EBADMSG    no such object, cut, forged or impossible
 *   -EACCES     good, but whom it speaks for is not authorised, or was revoked
 *   -EAGAIN     a key is needed that is not here: fetch list, enrolments or credential and offer it again
 *   -ENOTUNIQ   two objects of the owner contradict each other: the fork alarm
 *   -EKEYEXPIRED, -ENOSPC, -errno of the disk
 *
 * On disk: files of the state folder, each replaced as a whole. What an offer takes away applies at once, also when the
 * disk is full; what it gives applies when it is written (ela_membership_flush()).
 */
#ifndef ELA_CORE_MEMBERSHIP_H
#define ELA_CORE_MEMBERSHIP_H

#include "file.h"
#include "grant.h"
#include "lease.h"

#define ELA_ENROLMENTS_MAX 256u
#define ELA_TOKEN_USES_MAX 8u /* of one token, the losers included */
#define ELA_CREDENTIALS_MAX 4096u
#define ELA_FORKS_MAX 4u
#define ELA_APART_S 60u /* two times nearer than this tell nothing */

struct ela_membership;

/*
 * Reads what the state folder has; nothing there: a node that knows its network's id alone. dirfd stays the caller's
 * and must stay open; -1: nothing is kept. A file that does not check fails with its name. ops: ela_file_system.
 */
int ela_membership_new(const uint8_t network_id[ELA_NETWORK_LEN], const struct ela_file_ops *ops, int dirfd,
	struct ela_membership **ret, GError **error);
void ela_membership_free(struct ela_membership *m); /* takes NULL */
/* Writes what could not be written. 0, or -errno of the disk: try again later. */
int ela_membership_flush(struct ela_membership *m);
/* False: something could not be written yet. */
bool ela_membership_is_written(const struct ela_membership *m);

/*
 * What is offered until it is set back was held, and so judged, by this machine's elad: it is taken without being
 * judged again, where judging depends on the moment. Of one that keeps nothing (dirfd -1).
 */
void ela_membership_set_judged(struct ela_membership *m, bool is_judged);

/* Changes whenever somebody may have lost or got a right: time to look at every session, lease and record again. */
uint64_t ela_membership_generation(const struct ela_membership *m);
/* Changes whenever a node is known that was not: what it signed counts from now on. */
uint64_t ela_membership_nodes(const struct ela_membership *m);
/* max(wall clock, the greatest issue time that the owner signed). */
uint64_t ela_membership_now(const struct ela_membership *m, uint64_t wall_s);
/* The list's end is over: nobody new gets in. */
bool ela_membership_is_expired(const struct ela_membership *m, uint64_t wall_s);
/* The owner's objects contradict each other; rights are the intersection until a newer list comes. */
bool ela_membership_is_forked(const struct ela_membership *m);

/* ---- genesis and list ---- */

int ela_membership_offer_genesis(struct ela_membership *m, const void *bytes, size_t len, GError **error);
/* Needs the genesis (-EAGAIN). */
int ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error);

/* Borrowed until the next offer; NULL before the first. bytes: of the newest list, also one that is not written yet. */
const struct ela_genesis *ela_membership_genesis(const struct ela_membership *m);
GBytes *ela_membership_genesis_bytes(const struct ela_membership *m);
const struct ela_userlist *ela_membership_list(const struct ela_membership *m);
const struct ela_userlist *ela_membership_newest(const struct ela_membership *m);
GBytes *ela_membership_newest_bytes(const struct ela_membership *m);
/* Number i of the lists that contradict it; NULL behind the last. */
GBytes *ela_membership_fork(const struct ela_membership *m, uint32_t i);

/* ---- users ---- */

/* The one answer to "is this user in?". ret_rights may be NULL. */
bool ela_membership_authorised(
	const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN], struct ela_rights *ret_rights);
/* A key that was revoked in this epoch: a user's, a node's, a token's. */
bool ela_membership_is_revoked(const struct ela_membership *m, const uint8_t hash[ELA_HASH_LEN]);
/* Copies the name. False: unknown. */
bool ela_membership_user_name(
	const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN], char ret[ELA_NAME_ROOM]);
/* The user for whom the address is kept; NULL: nobody. Borrowed. */
const uint8_t *ela_membership_reserved_for(const struct ela_membership *m, uint32_t address);

/* ---- enrolments ---- */

int ela_membership_offer_enrolment(struct ela_membership *m, const void *bytes, size_t len, GError **error);
/*
 * Witnesses a claim with this node's Ed25519 key and credential, at now: *ret is the enrolment, which is held from then
 * on; the one of a repeated claim as it was. -EALREADY: the list has him, no enrolment is needed. -EEXIST: another user
 * has this name.
 */
int ela_membership_admit(struct ela_membership *m, const void *claim, size_t len, GBytes *credential,
	const uint8_t node_private[32], uint64_t wall_s, GBytes **ret, GError **error);
/* Number i, for whoever asks; NULL behind the last. Those that lost are among them: all nodes must hear of both. */
GBytes *ela_membership_enrolment(const struct ela_membership *m, uint32_t i);
/*
 * Enters everybody enrolled, and every key that was revoked in the list's epoch, into a list that is to be signed.
 * -ENOSPC: some have no room there, or have a name that another user has; they stay enrolled.
 */
int ela_membership_fold(const struct ela_membership *m, struct ela_userlist *list);

/* ---- nodes ---- */

/*
 * is_leased: the node's key is in the lease table, so it is no newcomer. *ret (may be NULL) is borrowed until the next
 * offer, and set also with -EALREADY. That the other side has the X25519 key is for the handshake to prove.
 */
int ela_membership_offer_credential(struct ela_membership *m, const void *bytes, size_t len, uint64_t wall_s,
	bool is_leased, const struct ela_credential **ret, GError **error);
/* Is a credential that was taken still good? 0, -EACCES, -ESTALE (another has its slot), -EAGAIN. */
int ela_membership_check(const struct ela_membership *m, const struct ela_credential *credential, GError **error);
/* By the hash of the object; NULL: unknown. Borrowed until the next offer. */
const struct ela_credential *ela_membership_credential(
	const struct ela_membership *m, const uint8_t hash[ELA_HASH_LEN]);
GBytes *ela_membership_credential_bytes(const struct ela_membership *m, const uint8_t hash[ELA_HASH_LEN]);

/* Number i of those that were taken, with its object (may be NULL); NULL behind the last. Borrowed likewise. */
const struct ela_credential *ela_membership_held(const struct ela_membership *m, uint32_t i, GBytes **ret_bytes);

/* One with this Ed25519 key that is good now; NULL: there is none. Borrowed until the next offer. */
const struct ela_credential *ela_membership_node(const struct ela_membership *m, const uint8_t node_hash[ELA_HASH_LEN]);
/* A node is known that has that slot of the user. */
bool ela_membership_has_slot(const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN], uint32_t slot);

/* What a record that the network stands behind says. */
struct ela_standing {
	struct ela_lease lease;
	const struct ela_credential *credential; /* borrowed until the next offer */
	uint64_t since_s;                        /* countersigned by a home that is known here; 0: not */
};
/*
 * A record with what may follow it (lease.h). -EAGAIN: fetch lease.credential. Records themselves are not kept here.
 * like: what was found in this generation of another record with the same countersignature, which is not computed
 * again then; NULL: none. Its credential is not looked at.
 */
int ela_membership_check_record(const struct ela_membership *m, const void *bytes, size_t len,
	const struct ela_standing *like, struct ela_standing *ret, GError **error);
/* Is a record that was good still? Its signature is not checked again, so this is cheap. Errors as check_record(). */
int ela_membership_check_lease(const struct ela_membership *m, const struct ela_lease *lease, GError **error);
/*
 * Two records of different keys under one ID: negative when a holds it, positive when b does; the same at every node
 * that knows both homes. Whom the address is kept for, else who was countersigned earlier by more than 60 s, else the
 * smaller key hash.
 */
int ela_membership_compare(const struct ela_membership *m, const struct ela_standing *a, const struct ela_standing *b);

#endif
