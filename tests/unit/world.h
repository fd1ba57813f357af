/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: a network for tests of signed objects: fixed RSA keys of vectors/keys, a genesis, and short ways to sign each
 * object. Node and token keys are 32 bytes of one number. Everything signed is the caller's (g_bytes_unref). One
 * thread.
 */
#ifndef ELA_TEST_WORLD_H
#define ELA_TEST_WORLD_H

#include "membership.h"

struct world {
	struct ela_rsa *owner, *recovery, *sada, *aki, *next; /* next: the owner of epoch 1 and its recovery key in one */
	struct ela_genesis genesis;
	GBytes *genesis_bytes;
	struct ela_userlist *list; /* version 1: sada, who may invite; 1000..2000 s */
};

#define WORLD_ADDRESS 0x0a4d0005u /* 10.77.0.5 of 10.77.0.0/24 */
#define WORLD_EXPIRES 5000u       /* of grants */

struct ela_rsa *world_key(const char *name);
struct world *world_new(void);
void world_free(struct world *w);

struct ela_user *world_user(struct ela_userlist *list, const char *name, const struct ela_rsa *key);
/* Signs the list as it stands, in one line. */
GBytes *world_sign(const struct world *w, const struct ela_userlist *list, const struct ela_rsa *owner);
/* w->list moved on to that version, changed by the caller, is signed by world_sign(). */
struct ela_userlist *world_version(const struct world *w, uint64_t version);

/* A grant with the token number, for aki; change it before world_grant_sign(). */
struct ela_grant world_grant(uint8_t token);
GBytes *world_grant_sign(const struct world *w, struct ela_grant *grant, const struct ela_rsa *by);
/* user or node (a number): as ela_claim_sign(). */
GBytes *world_claim(const struct world *w, uint8_t token, GBytes *grant, const struct ela_rsa *user, uint8_t node);
GBytes *world_credential(
	const struct world *w, const struct ela_rsa *user, uint8_t node, uint32_t slot, uint64_t serial);
/* By the token, for a node of the user. */
GBytes *world_machine(const struct world *w, const struct ela_rsa *user, uint8_t token, uint8_t node, uint32_t slot);
/* Witnessed by the node, whose credential is given. */
GBytes *world_enrol(const struct world *w, GBytes *claim, uint8_t node, GBytes *credential, uint64_t time_s);
/* A record of the node at an address of the network; change it before ela_lease_sign(). */
struct ela_lease world_lease(const struct world *w, GBytes *credential, uint32_t address);
GBytes *world_record(const struct world *w, const struct ela_lease *lease, uint8_t node);
/* The record with the home's countersignature behind it. */
GBytes *world_mark(
	const struct world *w, GBytes *record, const struct ela_lease *lease, uint8_t node, uint8_t home, uint64_t time_s);

void world_private(uint8_t number, uint8_t ret[32]);
void world_public(uint8_t number, uint8_t ret[32]); /* Ed25519 */
void world_node_hash(uint8_t number, uint8_t ret[ELA_HASH_LEN]);

/* A membership with genesis and list; memory only. */
struct ela_membership *world_member(const struct world *w);

/* The offer gives err, and a reason with these words when it is not 0. */
typedef int (*world_offer)(struct ela_membership *m, const void *bytes, size_t len, GError **error);
void world_offered(struct ela_membership *m, world_offer offer, GBytes *bytes, int err, const char *words);
int world_offer_credential(struct ela_membership *m, const void *bytes, size_t len, GError **error); /* at 1500 s */

#endif
