/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outfit: the files of one node, which those who found and those who join a network write alike: keys, credential,
 * ela.ini. Folders and files: folders.h. Control thread; 0 or a negative errno with error.
 */
#ifndef ELA_CORE_OUTFIT_H
#define ELA_CORE_OUTFIT_H

#include "config.h"
#include "credential.h"
#include "folders.h"

struct ela_outfit {
	const char *config_dir, *state_dir;
	const char *cipher;               /* as [components] has it, such as "ipsecmb, aead" */
	char network_name[ELA_NAME_ROOM]; /* "": none */
	struct ela_prefix prefix;
	struct ela_addr wish;          /* family NONE: any address */
	const char *const *bootstraps; /* host:port, NULL-terminated, or NULL */
	uint8_t network_id[ELA_NETWORK_LEN];
	struct ela_credential node; /* name, user, slot, serial and roles; its keys are set by ela_outfit_keys() */
};

/* A name for a node from what the machine is called: "host" when that gives none. */
void ela_outfit_name(const char *host, char ret[ELA_NAME_ROOM]);
/* Makes and writes the node's keys, and enters their public halves into outfit->node. */
int ela_outfit_keys(struct ela_outfit *outfit, GError **error);
/* Signs and writes the credential; ret: g_bytes_unref. */
int ela_outfit_credential(const struct ela_outfit *outfit, const struct ela_signer *by, GBytes **ret, GError **error);
/* Last: it names what is there by then. */
int ela_outfit_ini(const struct ela_outfit *outfit, GError **error);

/* Writes DIR/FILE, which is not there yet. */
int ela_outfit_put(const char *dir, const char *file, GBytes *bytes, GError **error);
/* A new user's RSA key, written to DIR/FILE; ret: ela_rsa_free(). */
int ela_outfit_rsa(const char *dir, const char *file, struct ela_rsa **ret, GError **error);

#endif
