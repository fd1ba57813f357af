/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: the one line by which somebody is invited:
 *
 *   "ela1_" URL-safe base64 of: network id (32) | token's private key (32) | IPv4 prefix of the network (4) | its bits
 *   (1) | name of the network | slot of the node (2) | name of the node | n (1) | n cores | grant | check (4)
 *   name: length (1), 0: none | that many bytes
 *   core: X25519 key (32) | 4 or 6 (1) | IPv4 (4) or IPv6 (16) address | TCP port (2) | UDP port (2)
 *
 * The check is the start of the SHA-256 of all in front of it: it tells a slip of the hand from a forgery, nothing
 * more. What is in front of the cores is what the newcomer's ela.ini and credential say; the genesis and the list,
 * which he gets when he joins, have the last word. A token is a secret: wipe the struct and the text. Plain values;
 * control thread; errors as in object.h.
 */
#ifndef ELA_CORE_TOKEN_H
#define ELA_CORE_TOKEN_H

#include "grant.h"
#include "lease.h"

#define ELA_TOKEN_CORES 3u
#define ELA_TOKEN_MAX 4096u /* characters: what a terminal takes as one line */

struct ela_token_core {
	uint8_t x25519[32];
	struct ela_place place;
};

struct ela_token {
	uint8_t network_id[ELA_NETWORK_LEN];
	uint8_t private_key[32];          /* Ed25519 */
	struct ela_prefix prefix;         /* 8..28 bits, as ela.ini takes it */
	char network_name[ELA_NAME_ROOM]; /* "": it has none */
	uint32_t slot;                    /* of a further machine; 0 of a new user's node */
	char node_name[ELA_NAME_ROOM];    /* what whoever invites would call the node; "": anything */
	struct ela_token_core cores[ELA_TOKEN_CORES];
	uint32_t n_cores;       /* 0: the one who invited calls the newcomer */
	GBytes *grant_bytes;    /* the object; owned */
	struct ela_grant grant; /* what it says, its signature not checked; set by parse */
};

/* The line, without its end; ela_wipe() and g_free. 0, -EINVAL. */
int ela_token_format(const struct ela_token *token, char **ret, GError **error);
/*
 * Blanks around it are skipped. -EINVAL: no token, or mistyped; -EPROTONOSUPPORT: of a version that we do not know;
 * -EBADMSG: no slip, somebody made it like this. now_s: -EKEYEXPIRED after the grant's end. ela_token_clear().
 */
int ela_token_parse(const char *text, uint64_t now_s, struct ela_token *ret, GError **error);
/* At most 255 cores as they stand in a token (n | n cores), for the node's state folder too; ret: g_bytes_unref. */
GBytes *ela_token_pack_cores(const struct ela_token_core *cores, uint32_t n);
/* Into ret[room]. -EBADMSG: not what pack made, or more than there is room for; ret is untouched then. */
int ela_token_parse_cores(
	const void *bytes, size_t len, struct ela_token_core *ret, uint32_t room, uint32_t *ret_n, GError **error);
void ela_token_clear(struct ela_token *token); /* wipes and frees */

#endif
