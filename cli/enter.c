/* SPDX-License-Identifier: Apache-2.0 */
/* enter: init, and what the verbs of enter.h share. */
#include "enter.h"
#include "found.h"
#include "inet.h"
#include "json.h"
#include "keys.h"
#include "start.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- shared ---- */

uint64_t ela_enter_now(void)
{
	return (uint64_t)time(NULL);
}

GString *ela_enter_refusal(int err, GError *error, enum ela_code code)
{
	GString *refusal;

	if (err == -EACCES || err == -EPERM || err == -EROFS)
		code = ELA_CODE_PERMISSION;
	else if (err == -ENOENT)
		code = ELA_CODE_NOT_FOUND;
	else if (err != -EINVAL)
		code = ELA_CODE_FAILED;
	refusal = ela_refusal(code, NULL, "%s", error->message);
	g_error_free(error);
	return refusal;
}

const char *ela_enter_cipher(const struct ela_enter *enter)
{
	g_autofree char *ipsecmb = g_build_filename(enter->plugin_dir, "cipher-ipsecmb.so", NULL);

	return g_file_test(ipsecmb, G_FILE_TEST_EXISTS) ? "ipsecmb, aead" : "aead";
}

bool ela_site_begin(const char *dir, const char *name, struct ela_site *ret, GString **ret_refusal)
{
	GError *error = NULL;
	int err;

	ret->config = dir ? g_canonicalize_filename(dir, NULL) : g_build_filename(ELA_PLACE_ETC, name, NULL);
	ret->state = dir ? g_strdup(ret->config) : g_build_filename(ELA_PLACE_STATE, name, NULL);
	err = ela_folders_begin(ret->config, ret->state, &ret->folders, &error);
	if (err == 0)
		return true;
	*ret_refusal = ela_enter_refusal(err, error, ELA_CODE_FAILED);
	return false;
}

void ela_site_clear(struct ela_site *site)
{
	ela_folders_free(site->folders);
	g_free(site->config);
	g_free(site->state);
	*site = (struct ela_site){0};
}

/* ---- tokens ---- */

void ela_printed_put(GString *reply, const struct ela_printed *tokens, guint n, uint64_t expires_s)
{
	ela_json_open(reply, "tokens", '[');
	for (guint i = 0; i < n; i++) {
		ela_json_open(reply, NULL, '{');
		ela_json_put(reply, "user", tokens[i].user);
		ela_json_put(reply, "node", tokens[i].node);
		ela_json_put_count(reply, "expires_s", expires_s);
		ela_json_put(reply, "token", tokens[i].token);
		ela_json_close(reply, '}');
	}
	ela_json_close(reply, ']');
}

void ela_printed_lines(const struct ela_printed *tokens, guint n)
{
	for (guint i = 0; i < n; i++)
		(void)puts(tokens[i].token); /* stdout is checked at the end */
}

void ela_printed_clear(struct ela_printed *tokens, guint n)
{
	for (guint i = 0; i < n; i++) {
		if (tokens[i].token)
			ela_wipe(tokens[i].token, strlen(tokens[i].token));
		g_free(tokens[i].token);
	}
}

void ela_enter_put_network(GString *reply, const struct ela_outfit *outfit)
{
	char prefix[ELA_INET_TEXT], id[2 * ELA_NETWORK_LEN + 1];

	for (size_t i = 0; i < ELA_NETWORK_LEN; i++)
		(void)g_snprintf(id + 2 * i, 3, "%02x", outfit->network_id[i]); /* always 2 */
	ela_inet_prefix_text(&outfit->prefix, prefix);
	ela_json_open(reply, "network", '{');
	ela_json_put(reply, "name", *outfit->network_name != '\0' ? outfit->network_name : NULL);
	ela_json_put(reply, "id", id);
	ela_json_put(reply, "prefix", prefix);
	ela_json_close(reply, '}');
}

/* ---- init ---- */

/* A new network on its way. */
struct init {
	const struct ela_enter *enter;
	struct ela_site site;
	struct ela_found found;
	uint64_t expires_s;
	struct ela_printed token; /* for the next machine */
	struct ela_started started;
};

/* Whoever is at the keyboard, also behind sudo. */
static const char *login_name(void)
{
	const char *sudo = g_getenv("SUDO_USER");

	return sudo && ela_key_is_name(sudo) ? sudo : g_get_user_name();
}

static GString *read_arguments(struct init *init, const char *network)
{
	const struct ela_enter *enter = init->enter;
	struct ela_found *found = &init->found;
	const char *prefix = enter->prefix ? enter->prefix : ELA_FOUND_PREFIX;
	GString *refusal = NULL;

	if (ela_inet_prefix(prefix, &found->outfit.prefix) != 0)
		return ela_refusal(
			ELA_CODE_USAGE, NULL, "--prefix %s: expected an IPv4 prefix such as " ELA_FOUND_PREFIX, prefix);
	found->network = network;
	found->user = enter->user ? enter->user : login_name();
	found->now_s = ela_enter_now();
	found->outfit.cipher = ela_enter_cipher(enter);
	if (enter->name)
		(void)g_strlcpy(
			found->outfit.node.name, enter->name, ELA_NAME_ROOM); /* a longer one is refused by its length */
	else
		ela_outfit_name(g_get_host_name(), found->outfit.node.name);
	if (enter->name && (strlen(enter->name) >= ELA_NAME_ROOM || !ela_key_is_name(enter->name)))
		return ela_refusal(ELA_CODE_USAGE, NULL,
			"--name %s: expected a name for a node: 1 to 63 of A-Z a-z 0-9 - _ . and no dot in front", enter->name);
	if (!ela_key_is_name(network)) /* before it names a folder */
		return ela_refusal(ELA_CODE_USAGE, NULL,
			"\"%s\" is no name for a network: 1 to 63 of A-Z a-z 0-9 - _ . and no dot in front", network);
	if (!ela_key_is_name(found->user))
		return ela_refusal(ELA_CODE_USAGE, "--user NAME",
			"\"%s\" is no name for a user: 1 to 63 of A-Z a-z 0-9 - _ . and no dot in front", found->user);
	(void)ela_enter_expires(enter, found->now_s, &init->expires_s, &refusal); /* refusal tells */
	return refusal;
}

/* The token is made from what was just written, so a network whose owner could invite nobody is not kept. */
static GString *make_token(struct init *init)
{
	struct ela_inviter *inviter = NULL;
	GString *refusal = NULL;
	GError *error = NULL;
	int err = ela_inviter_new(ela_folders_config(init->site.folders), ela_folders_state(init->site.folders),
		init->found.now_s, &inviter, &error);

	if (err != 0)
		return ela_enter_refusal(err, error, ELA_CODE_FAILED);
	if (ela_enter_places(init->enter, inviter, false, &refusal)) {
		err = ela_invite_machine(inviter, NULL, init->expires_s, &init->token.token, &error);
		if (err != 0)
			refusal = ela_enter_refusal(err, error, ELA_CODE_FAILED);
	}
	ela_inviter_free(inviter);
	return refusal;
}

static GString *make_network(struct init *init)
{
	struct ela_outfit *outfit = &init->found.outfit;
	GString *refusal = NULL;
	GError *error = NULL;
	int err;

	if (!ela_site_begin(init->enter->dir, init->found.network, &init->site, &refusal))
		return refusal;
	outfit->config_dir = ela_folders_config(init->site.folders);
	outfit->state_dir = ela_folders_state(init->site.folders);
	err = ela_found(&init->found, &error);
	if (err != 0)
		return ela_enter_refusal(err, error, ELA_CODE_USAGE);
	refusal = make_token(init);
	if (refusal)
		return refusal;
	err = ela_folders_finish(init->site.folders, &error);
	return err == 0 ? NULL : ela_enter_refusal(err, error, ELA_CODE_FAILED);
}

static void print_json(const struct init *init)
{
	g_autofree char *recovery = g_build_filename(init->site.config, ELA_RECOVERY_KEY_FILE, NULL);
	g_autoptr(GString) reply = ela_reply_begin();

	ela_enter_put_network(reply, &init->found.outfit);
	ela_json_put(reply, "dir", init->site.config);
	ela_json_put(reply, "state_dir", init->site.state);
	ela_json_put(reply, "recovery_key", recovery);
	ela_json_put(reply, "user", init->found.user);
	ela_json_put(reply, "node", init->found.outfit.node.name);
	ela_started_put(reply, &init->started);
	ela_printed_put(reply, &init->token, 1, init->expires_s);
	ela_json_close(reply, '}');
	(void)puts(reply->str); /* stdout is checked at the end */
	ela_wipe(reply->str, reply->len);
}

/* The token alone is on stdout: what people are told is beside it. All of it is good whether elad starts or not. */
static void tell(const struct init *init)
{
	char prefix[ELA_INET_TEXT];
	g_autofree char *recovery = g_build_filename(init->site.config, ELA_RECOVERY_KEY_FILE, NULL);

	ela_inet_prefix_text(&init->found.outfit.prefix, prefix);
	(void)fprintf(stderr,
		"ela: network %s, %s, is in %s; you are its owner and its user %s, this machine is its node %s\n"
		"ela: the recovery key is %s: keep it elsewhere and remove it here; with it, and only with it, a new owner can "
		"be "
		"named\n"
		"ela: for your next machine: ela join, with this token; for somebody else: ela invite NAME\n",
		init->found.network, prefix, init->site.config, init->found.user, init->found.outfit.node.name,
		recovery); /* nowhere else to say it */
	ela_printed_lines(&init->token, 1);
	(void)fflush(stdout); /* before what comes of the start; checked at the end */
}

int ela_run_init(const struct ela_enter *enter, const char *network)
{
	struct init init = {.enter = enter};
	GString *refusal = ela_start_check(enter);
	int code = ELA_CODE_OK;

	if (!refusal)
		refusal = read_arguments(&init, network);
	init.token.user = init.found.user;
	if (!refusal)
		refusal = make_network(&init);
	if (!refusal && !enter->json)
		tell(&init);
	if (!refusal)
		refusal = ela_start(enter, &init.site, &init.started);
	if (refusal)
		code = ela_run_fail(refusal, enter->json);
	else if (enter->json)
		print_json(&init);
	else
		ela_started_tell(&init.started);
	ela_started_clear(&init.started);
	ela_printed_clear(&init.token, 1);
	ela_site_clear(&init.site);
	return code;
}
