/* SPDX-License-Identifier: Apache-2.0 */
/* join: makes the files of a node that was invited (see join.h). Control thread. */
#include "join.h"
#include "file.h"
#include "inet.h"
#include "keys.h"

#include <errno.h>
#include <string.h>

/* ---- what is asked for ---- */

/* What elad would never call, as its ela.ini has it too. */
static bool is_callable(const struct ela_token *token, const struct ela_addr *addr)
{
	const struct ela_addr none = {.family = ELA_ADDR_IP4};
	const struct ela_place place = {.addr = *addr, .tcp_port = 1};
	struct ela_prefix overlay6 = {.bits = ELA_OVERLAY6_BITS};

	ela_inet_overlay6(token->network_id, &none, &overlay6.addr);
	return ela_place_ok(&place) && !ela_inet_prefix_contains(&token->prefix, addr) &&
		   !ela_inet_prefix_contains(&overlay6, addr);
}

static int check_bootstraps(const char *const *texts, const struct ela_token *token, GError **error)
{
	for (uint32_t i = 0; texts && texts[i]; i++) {
		struct ela_endpoint endpoint = {0};
		int err = ela_inet_endpoint(texts[i], ELA_DEFAULT_PORT, &endpoint);

		g_free(endpoint.host);
		if (err != 0)
			return ela_file_fail(error, EINVAL,
				"%s is no endpoint; expected HOST:PORT such as 192.0.2.1:7450 or core.example.org:7450", texts[i]);
		endpoint.addr.port = 0;
		if (endpoint.addr.family != ELA_ADDR_NONE && !is_callable(token, &endpoint.addr))
			return ela_file_fail(
				error, EINVAL, "%s cannot be called; expected an address outside the virtual network", texts[i]);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(texts[i], texts[k]) == 0)
				return ela_file_fail(error, EINVAL, "%s is given twice", texts[i]);
		if (i == ELA_MAX_BOOTSTRAPS)
			return ela_file_fail(error, EINVAL, "%s is one too many; expected at most 16 endpoints", texts[i]);
	}
	return 0;
}

static int check_wish(const struct ela_addr *wish, const struct ela_prefix *network, GError **error)
{
	struct ela_prefix last = *network;
	char text[ELA_INET_TEXT], network_text[ELA_INET_TEXT];

	if (wish->family == ELA_ADDR_NONE)
		return 0;
	ela_inet_prefix_fill(&last);
	if (ela_inet_prefix_contains(network, wish) && memcmp(wish, &network->addr, sizeof *wish) != 0 &&
		memcmp(wish, &last.addr, sizeof *wish) != 0)
		return 0;
	ela_inet_addr_text(wish, text);
	ela_inet_prefix_text(network, network_text);
	return ela_file_fail(
		error, EINVAL, "%s is not the address of a host in the network; expected one of %s", text, network_text);
}

int ela_join_check(const struct ela_outfit *outfit, const struct ela_token *token, GError **error)
{
	int err = 0;

	if (!ela_key_is_name(outfit->node.name))
		err = ela_file_fail(error, EINVAL,
			"\"%s\" is no name for a node; expected 1..63 of A-Z a-z 0-9 - _ . and no dot in front", outfit->node.name);
	if (err == 0)
		err = check_wish(&outfit->wish, &token->prefix, error);
	return err == 0 ? check_bootstraps(outfit->bootstraps, token, error) : err;
}

/* ---- the claim and the credential ---- */

static int put_claim(
	const struct ela_outfit *outfit, const struct ela_token *token, const struct ela_rsa_public *user, GError **error)
{
	g_autoptr(GBytes) claim = NULL;
	int err = ela_claim_sign(token->network_id, token->private_key, token->grant_bytes, user,
		user ? NULL : outfit->node.ed25519, &claim, error);

	return err == 0 ? ela_outfit_put(outfit->state_dir, ELA_CLAIM_FILE, claim, error) : err;
}

/* A new user: his own key signs for his first node. */
static int join_as_user(struct ela_outfit *outfit, const struct ela_token *token, GError **error)
{
	g_autoptr(GBytes) credential = NULL;
	struct ela_rsa *user = NULL;
	struct ela_signer by = {0};
	int err = ela_outfit_rsa(outfit->config_dir, ELA_USER_KEY_FILE, &user, error);

	if (err != 0)
		return err;
	by.rsa = user;
	memcpy(outfit->node.user, ela_rsa_public(user)->hash, ELA_HASH_LEN);
	outfit->node.roles = token->grant.rights.may_core ? ELA_CREDENTIAL_CORE : 0;
	err = put_claim(outfit, token, ela_rsa_public(user), error);
	if (err == 0)
		err = ela_outfit_credential(outfit, &by, &credential, error);
	ela_rsa_free(user);
	return err;
}

/* A further machine: the token signs for it, and the user's key stays where it is. */
static int join_as_machine(struct ela_outfit *outfit, const struct ela_token *token, GError **error)
{
	const struct ela_signer by = {.ed25519 = token->private_key};
	g_autoptr(GBytes) credential = NULL;
	int err;

	memcpy(outfit->node.user, token->grant.signer, ELA_HASH_LEN);
	outfit->node.slot = token->slot;
	outfit->node.roles = ELA_CREDENTIAL_CORE; /* if its user may: the list says */
	err = put_claim(outfit, token, NULL, error);
	return err == 0 ? ela_outfit_credential(outfit, &by, &credential, error) : err;
}

/* ---- where to ask ---- */

/* What ela.ini has as bootstrap: what was typed, then the token's, as many as it takes. g_strfreev. */
static char **list_bootstraps(const struct ela_outfit *outfit, const struct ela_token *token)
{
	GPtrArray *all = g_ptr_array_new();

	for (const char *const *own = outfit->bootstraps; own && *own; own++)
		g_ptr_array_add(all, g_strdup(*own));
	for (uint32_t i = 0; i < token->n_cores; i++) {
		const struct ela_place *place = &token->cores[i].place;
		char host[ELA_INET_TEXT];
		g_autofree char *text = NULL;

		if (!is_callable(token, &place->addr))
			continue;
		ela_inet_addr_text(&place->addr, host);
		text = g_strdup_printf(place->addr.family == ELA_ADDR_IP4 ? "%s:%u" : "[%s]:%u", host,
			place->tcp_port != 0 ? place->tcp_port : place->udp_port);
		if (all->len < ELA_MAX_BOOTSTRAPS && !g_ptr_array_find_with_equal_func(all, text, g_str_equal, NULL))
			g_ptr_array_add(all, g_steal_pointer(&text));
	}
	g_ptr_array_add(all, NULL);
	return (char **)g_ptr_array_free(all, FALSE);
}

static int put_cores(const struct ela_outfit *outfit, const struct ela_token *token, GError **error)
{
	g_autoptr(GBytes) bytes = ela_token_pack_cores(token->cores, token->n_cores);

	return ela_outfit_put(outfit->state_dir, ELA_CORES_FILE, bytes, error);
}

int ela_join(struct ela_outfit *outfit, const struct ela_token *token, GError **error)
{
	g_auto(GStrv) bootstraps = list_bootstraps(outfit, token);
	int err = ela_join_check(outfit, token, error);

	memcpy(outfit->network_id, token->network_id, ELA_NETWORK_LEN);
	(void)g_strlcpy(outfit->network_name, token->network_name, ELA_NAME_ROOM); /* it fits */
	outfit->prefix = token->prefix;
	outfit->bootstraps = (const char *const *)bootstraps;
	outfit->node.serial = 1;
	if (err == 0)
		err = ela_outfit_keys(outfit, error);
	if (err == 0)
		err = token->grant.is_machine ? join_as_machine(outfit, token, error) : join_as_user(outfit, token, error);
	if (err == 0)
		err = put_cores(outfit, token, error);
	if (err == 0)
		err = ela_outfit_ini(outfit, error);
	outfit->bootstraps = NULL; /* they end here */
	return err;
}
