/* SPDX-License-Identifier: Apache-2.0 */
/* membership-priv: what the files of membership share. Nobody else includes it. Control thread. */
#ifndef ELA_CORE_MEMBERSHIP_PRIV_H
#define ELA_CORE_MEMBERSHIP_PRIV_H

#include "membership.h"

enum ela_membership_file {
	ELA_STATE_GENESIS,
	ELA_STATE_REVOKED,
	ELA_STATE_LIST,
	ELA_STATE_FORKS,
	ELA_STATE_ENROLMENTS,
	ELA_STATE_CREDENTIALS,
	ELA_STATE_FILES, /* how many */
};

/* A list with its object. */
struct ela_held_list {
	struct ela_userlist *list; /* NULL: none */
	GBytes *bytes;
};

struct ela_held_enrolment {
	struct ela_enrolment enrolment;
	uint8_t token_hash[ELA_HASH_LEN];
	bool is_written; /* on the disk: until then it gives nothing */
	GBytes *bytes;
};

struct ela_held_credential {
	struct ela_credential credential;
	GBytes *bytes;
};

struct ela_membership {
	uint8_t network_id[ELA_NETWORK_LEN];
	const struct ela_file_ops *ops;
	int dirfd;
	bool is_loading; /* from our own disk: what was decided once is not decided again, nothing is written */

	struct ela_genesis genesis;
	GBytes *genesis_bytes; /* NULL: no genesis yet */
	struct ela_held_list list;
	struct ela_held_list waiting; /* newer and not written: takes away, gives nothing */
	struct ela_held_list forks[ELA_FORKS_MAX];
	uint32_t n_forks;
	bool has_two_owners; /* two handovers to one epoch were seen */

	struct ela_revoked_set revoked; /* all that lists of revoked_epoch had: only grows within it */
	uint64_t revoked_epoch;
	GPtrArray *enrolments;  /* struct ela_held_enrolment, as they came: a witness stands before whom he let in */
	GPtrArray *credentials; /* struct ela_held_credential, one for each (user, slot) */

	uint64_t trusted_s;
	uint64_t generation;
	uint64_t nodes;     /* credentials that were taken, ever */
	uint32_t unwritten; /* bit i: file i differs from what the disk has */
};

/* membership-store.c. Writes one file; a failure is remembered for the flush. 0, -errno. */
int ela_membership_write(struct ela_membership *m, enum ela_membership_file file);
int ela_membership_load(struct ela_membership *m, GError **error);

/* membership-list.c */
void ela_held_list_clear(struct ela_held_list *held);
/* Tries to put the waiting list on the disk and to make it the list. 0, -errno. */
int ela_membership_promote(struct ela_membership *m);

/* membership-enrol.c */
void ela_held_enrolment_free(void *held);
/* By an enrolment that counts: the user's grant, or NULL. */
const struct ela_grant *ela_membership_guest(const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN]);
/* By an enrolment that counts: the claim of the machine whose token has this hash, or NULL. */
const struct ela_claim *ela_membership_machine(const struct ela_membership *m, const uint8_t token_hash[ELA_HASH_LEN]);
/* The key of a user in the list or of a guest, whatever became of him; NULL: unknown. */
const struct ela_rsa_public *ela_membership_user_key(
	const struct ela_membership *m, const uint8_t user_hash[ELA_HASH_LEN]);
/* Drops the enrolments that the list has taken up. */
void ela_membership_drop_folded(struct ela_membership *m);

/* membership-node.c */
void ela_held_credential_free(void *held);
/*
 * With which key to check a credential, and whose machine it is then. *ret_holder: of a token, the hash of the one node
 * that it signs for; else NULL. Borrowed. -EAGAIN: nobody's that is known here.
 */
int ela_membership_signer(const struct ela_membership *m, const uint8_t signer_hash[ELA_HASH_LEN],
	struct ela_verifier *ret, const uint8_t **ret_user, const uint8_t **ret_holder, GError **error);

/* What the owner signed at issued_s is a lower bound of the time. */
static inline void ela_membership_trust(struct ela_membership *m, uint64_t issued_s)
{
	if (issued_s > m->trusted_s)
		m->trusted_s = issued_s;
}

static inline const void *ela_data(GBytes *bytes)
{
	return g_bytes_get_data(bytes, NULL);
}

#endif
