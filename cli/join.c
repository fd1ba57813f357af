/* SPDX-License-Identifier: Apache-2.0 */
/* join: the verb: a token, typed or from stdin, becomes the files of a node. */
#include "join.h"
#include "enter.h"
#include "inet.h"
#include "json.h"
#include "start.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A node on its way into a network. */
struct joining {
	const struct ela_enter *enter;
	struct ela_site site;
	struct ela_token token;
	struct ela_outfit outfit;
	struct ela_started started;
};

/* The first line of stdin; wiped by the caller. */
static GString *read_stdin(char text[ELA_TOKEN_MAX + 3])
{
	size_t len = fread(text, 1, ELA_TOKEN_MAX + 2, stdin);

	text[len] = '\0';
	if (ferror(stdin))
		return ela_refusal(ELA_CODE_FAILED, NULL, "stdin cannot be read");
	text[strcspn(text, "\n")] = '\0';
	return NULL;
}

static GString *read_token(struct joining *joining, const char *word)
{
	char text[ELA_TOKEN_MAX + 3];
	GString *refusal = NULL;
	GError *error = NULL;
	int err;

	if (strcmp(word, "-") == 0)
		refusal = read_stdin(text);
	if (refusal)
		return refusal;
	err = ela_token_parse(strcmp(word, "-") == 0 ? text : word, ela_enter_now(), &joining->token, &error);
	ela_wipe(text, sizeof text);
	if (err == 0)
		return NULL;
	refusal = ela_refusal(ELA_CODE_FAILED, NULL, "%s", error->message);
	g_error_free(error);
	return refusal;
}

static GString *read_arguments(struct joining *joining)
{
	const struct ela_enter *enter = joining->enter;
	struct ela_outfit *outfit = &joining->outfit;
	GError *error = NULL;

	outfit->bootstraps = (const char *const *)enter->endpoints;
	outfit->cipher = ela_enter_cipher(enter);
	if (enter->address && ela_inet_addr(enter->address, &outfit->wish) != 0)
		return ela_refusal(ELA_CODE_USAGE, NULL, "--address %s: expected an IPv4 address", enter->address);
	if (enter->name)
		(void)g_strlcpy(outfit->node.name, enter->name, ELA_NAME_ROOM); /* a longer one is refused by its length */
	else if (*joining->token.node_name != '\0')
		(void)g_strlcpy(outfit->node.name, joining->token.node_name, ELA_NAME_ROOM); /* it fits */
	else
		ela_outfit_name(g_get_host_name(), outfit->node.name);
	if (enter->name && strlen(enter->name) >= ELA_NAME_ROOM)
		return ela_refusal(ELA_CODE_USAGE, NULL, "--name is longer than 63 characters");
	if (ela_join_check(outfit, &joining->token, &error) != 0)
		return ela_enter_refusal(-EINVAL, error, ELA_CODE_USAGE);
	return NULL;
}

static GString *make_node(struct joining *joining)
{
	const struct ela_token *token = &joining->token;
	g_autofree char *nameless = g_strdup_printf("%02x%02x%02x%02x", token->network_id[0], token->network_id[1],
		token->network_id[2], token->network_id[3]); /* as status shows the id */
	GString *refusal = NULL;
	GError *error = NULL;
	int err;

	if (!ela_site_begin(joining->enter->dir, *token->network_name != '\0' ? token->network_name : nameless,
			&joining->site, &refusal))
		return refusal;
	joining->outfit.config_dir = ela_folders_config(joining->site.folders);
	joining->outfit.state_dir = ela_folders_state(joining->site.folders);
	err = ela_join(&joining->outfit, token, &error);
	if (err == 0)
		err = ela_folders_finish(joining->site.folders, &error);
	return err == 0 ? NULL : ela_enter_refusal(err, error, ELA_CODE_FAILED);
}

static void print_json(const struct joining *joining)
{
	const struct ela_outfit *outfit = &joining->outfit;
	g_autoptr(GString) reply = ela_reply_begin();

	ela_enter_put_network(reply, outfit);
	ela_json_put(reply, "dir", joining->site.config);
	ela_json_put(reply, "state_dir", joining->site.state);
	ela_json_put(reply, "user", joining->token.grant.user);
	ela_json_put(reply, "node", outfit->node.name);
	ela_started_put(reply, &joining->started);
	ela_json_close(reply, '}');
	(void)puts(reply->str); /* stdout is checked at the end */
}

static void tell(const struct joining *joining)
{
	const struct ela_token *token = &joining->token;
	char prefix[ELA_INET_TEXT];

	ela_inet_prefix_text(&token->prefix, prefix);
	(void)fprintf(stderr, "ela: network %s, %s, is in %s; this machine is node %s of user %s\n",
		*token->network_name != '\0' ? token->network_name : "without a name", prefix, joining->site.config,
		joining->outfit.node.name, token->grant.user); /* nowhere else to say it */
	if (token->n_cores == 0 && !*joining->enter->endpoints)
		(void)fprintf(stderr,
			"ela: warning: the token names nobody to ask; with --endpoint HOST:PORT this node could ask, "
			"without it waits to be called\n"); /* as above */
}

int ela_run_join(const struct ela_enter *enter, const char *word)
{
	struct joining joining = {.enter = enter};
	GString *refusal = ela_start_check(enter);
	int code = ELA_CODE_OK;

	if (!refusal)
		refusal = read_token(&joining, word);
	if (!refusal)
		refusal = read_arguments(&joining);
	if (!refusal)
		refusal = make_node(&joining);
	if (!refusal && !enter->json)
		tell(&joining);
	if (!refusal)
		refusal = ela_start(enter, &joining.site, &joining.started);
	if (refusal)
		code = ela_run_fail(refusal, enter->json);
	else if (enter->json)
		print_json(&joining);
	else
		ela_started_tell(&joining.started);
	ela_started_clear(&joining.started);
	ela_token_clear(&joining.token);
	ela_site_clear(&joining.site);
	return code;
}

/* ---- back into a network that was left ---- */

/* Is it running? Then that is said, and nothing is to be done. False: *ret_refusal, or NULL: it is to be started. */
static bool runs_already(const struct ela_enter *enter, const struct ela_network_place *place, GString **ret_refusal)
{
	struct ela_answer answer = {0};
	bool runs;

	ela_talk(place, "status", NULL, NULL, false, &answer);
	runs = answer.code == ELA_CODE_OK;
	if (!runs && answer.code != ELA_CODE_NOT_RUNNING)
		*ret_refusal = g_string_new_len(answer.text->str, (gssize)answer.text->len);
	if (runs && enter->json)
		(void)puts("{\"schema\":1,\"started\":null}"); /* stdout is checked at the end */
	else if (runs)
		(void)fprintf(stderr, "ela: elad runs already: ela status shows where it is\n"); /* nowhere else to say it */
	ela_answer_clear(&answer);
	return runs;
}

static GString *check_back(const struct ela_enter *enter, const struct ela_network_place *place)
{
	g_autofree char *credential = g_build_filename(place->state_dir, ELA_CREDENTIAL_FILE, NULL);

	if (enter->no_start || enter->name || enter->address || *enter->endpoints)
		return ela_refusal(ELA_CODE_USAGE, "ela join TOKEN",
			"without a token join only starts elad again: --no-start, --name, --address and --endpoint need one");
	if (!g_file_test(credential, G_FILE_TEST_EXISTS))
		return ela_refusal(ELA_CODE_NOT_FOUND, "ela join TOKEN, or elad --config for a network of static peers",
			"%s: is not there, so this is no node of a network that nodes join", credential);
	return ela_start_check(enter);
}

int ela_run_back(const struct ela_enter *enter, const struct ela_network_place *place)
{
	struct ela_site site = {.config = g_canonicalize_filename(place->config_dir, NULL),
		.state = g_canonicalize_filename(place->state_dir, NULL)};
	struct ela_started started = {0};
	struct ela_enter there = *enter;
	GString *refusal = check_back(enter, place);
	int code = ELA_CODE_OK;

	if (strcmp(site.config, site.state) == 0)
		there.dir = site.config; /* also where nobody named it: the only network that there is */
	if (!refusal && !runs_already(enter, place, &refusal) && !refusal) {
		refusal = ela_start(&there, &site, &started);
		if (!refusal && enter->json) {
			g_autoptr(GString) reply = ela_reply_begin();

			ela_started_put(reply, &started);
			ela_json_close(reply, '}');
			(void)puts(reply->str); /* as above */
		} else if (!refusal) {
			ela_started_tell(&started);
		}
	}
	if (refusal)
		code = ela_run_fail(refusal, enter->json);
	ela_started_clear(&started);
	ela_site_clear(&site);
	return code;
}
