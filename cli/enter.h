/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enter: the verbs by which networks are founded and nodes come into them. They work on files: of a network that is
 * there by its place, of one that is to be there by a name. Each returns an exit code.
 */
#ifndef ELA_CLI_ENTER_H
#define ELA_CLI_ENTER_H

#include "invite.h"
#include "outfit.h"
#include "place.h"

/* What the command line says beside the verb's words; a text is as it was typed, NULL: not said. */
struct ela_enter {
	const char *dir;
	const char *prefix, *user;  /* init */
	const char *max_nodes;      /* invite */
	const char *expires, *dial; /* invite, add-node */
	const char *address;        /* join */
	const char *name, *timeout; /* init, join */
	char **endpoints;           /* NULL-terminated, may be empty */
	const char *plugin_dir;     /* where the installed plugins are */
	const char *elad;           /* the one to start; NULL: the installed one */
	char **plugin_dirs;         /* for it; NULL-terminated, may be empty */
	bool edge_only, may_invite, no_start, json;
};

int ela_run_init(const struct ela_enter *enter, const char *network);
/* One token for each of the users, NULL-terminated. */
int ela_run_invite(const struct ela_enter *enter, const struct ela_network_place *place, char **users);
int ela_run_add_node(const struct ela_enter *enter, const struct ela_network_place *place, const char *node);

/* "-": the token is the first line of stdin. */
int ela_run_join(const struct ela_enter *enter, const char *token);

/* join without a token: elad of a network that this node is in already is started again. */
int ela_run_back(const struct ela_enter *enter, const struct ela_network_place *place);

/* ---- shared by these files ---- */

/* The folders of a network that is to be, and where they will be. */
struct ela_site {
	char *config, *state;
	struct ela_folders *folders;
};
/* False: *ret_refusal says why. name is that of the network: its folders without --dir. */
bool ela_site_begin(const char *dir, const char *name, struct ela_site *ret, GString **ret_refusal);
void ela_site_clear(struct ela_site *site); /* what was not finished is gone */

/* A refusal by err and its reason; -EINVAL is what is said with code. TAKES error. */
GString *ela_enter_refusal(int err, GError *error, enum ela_code code);
/* What [components] cipher is on this machine. */
const char *ela_enter_cipher(const struct ela_enter *enter);

/* "network":{"name","id","prefix"} */
void ela_enter_put_network(GString *reply, const struct ela_outfit *outfit);

/*
 * Enters the endpoints that were typed, else this machine's addresses, into the tokens, and other cores as far as there
 * is room. is_edge: this node lets nobody in, so its own addresses are left out. False: *ret_refusal.
 */
bool ela_enter_places(const struct ela_enter *enter, struct ela_inviter *inviter, bool is_edge, GString **ret_refusal);
/* When a token that is made now expires. */
bool ela_enter_expires(const struct ela_enter *enter, uint64_t now_s, uint64_t *ret, GString **ret_refusal);
uint64_t ela_enter_now(void); /* seconds since 1970 */

/* Tokens as they are printed: a line each, or in JSON. Their texts are wiped with them. */
struct ela_printed {
	const char *user, *node; /* one is NULL; borrowed */
	char *token;
};
void ela_printed_put(GString *reply, const struct ela_printed *tokens, guint n, uint64_t expires_s);
void ela_printed_lines(const struct ela_printed *tokens, guint n);
void ela_printed_clear(struct ela_printed *tokens, guint n);

#endif
