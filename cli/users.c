/* SPDX-License-Identifier: Apache-2.0 */
/* users: users and recover (see users.h). */
#include "users.h"
#include "bytes.h"
#include "enter.h"
#include "holdings.h"
#include "inet.h"
#include "json.h"
#include "keys.h"
#include "owner.h"
#include "report.h"
#include "show.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A change on its way. */
struct change {
	const struct ela_network_place *place;
	char **words;
	const char *done; /* what was done, for programs */
	char *text;       /* the same for people; g_free */
	bool is_old;      /* it was so already */
	struct ela_holdings holdings;
	struct ela_rsa *key;     /* the owner's */
	struct ela_owner *owner; /* the list that is next */
	int lock;                /* of the folder of the key: two at once would make two lists of one version; -1 */
};

static GString *refuse(int err, GError *error)
{
	GString *refusal;

	if (err == -EACCES || err == -EPERM)
		refusal = ela_refusal(ELA_CODE_PERMISSION, "do it where the owner's key is; if it is lost: ela recover FILE",
			"%s", error->message);
	else if (err == -ENOENT)
		refusal = ela_refusal(ELA_CODE_NOT_FOUND, "ela users shows all", "%s", error->message);
	else
		refusal = ela_refusal(err == -EINVAL ? ELA_CODE_USAGE : ELA_CODE_FAILED, NULL, "%s", error->message);
	g_error_free(error);
	return refusal;
}

/* ---- the list as it is ---- */

static uint32_t count_nodes(const struct ela_membership *m, const uint8_t user[ELA_HASH_LEN])
{
	const struct ela_credential *credential;
	uint32_t n = 0;

	for (uint32_t i = 0; (credential = ela_membership_held(m, i, NULL)) != NULL; i++)
		n += memcmp(credential->user, user, ELA_HASH_LEN) == 0 && ela_membership_check(m, credential, NULL) == 0;
	return n;
}

static void put_reserved(GString *reply, const struct ela_user *user)
{
	ela_json_open(reply, "reserved", '[');
	for (uint32_t i = 0; i < user->reserved.n; i++) {
		struct ela_addr addr = {.family = ELA_ADDR_IP4};
		char text[ELA_INET_TEXT];

		ela_put32(addr.ip, user->reserved.addresses[i]);
		ela_inet_addr_text(&addr, text);
		ela_json_put(reply, NULL, text);
	}
	ela_json_close(reply, ']');
}

static void put_user(GString *reply, const struct ela_membership *m, const struct ela_user *user)
{
	const struct ela_userlist *list = ela_membership_newest(m);
	const uint8_t *owner = ela_userlist_owner(list, ela_membership_genesis(m), list->epoch)->hash;

	ela_json_open(reply, NULL, '{');
	ela_json_put(reply, "name", user->name);
	ela_json_put_bool(reply, "owner", memcmp(owner, user->key.hash, ELA_HASH_LEN) == 0);
	ela_json_put_bool(reply, "listed", ela_userlist_user(list, user->key.hash) != NULL);
	ela_json_put_bool(reply, "revoked", ela_membership_is_revoked(m, user->key.hash));
	ela_json_put_bool(reply, "may_be_core", user->rights.may_core);
	ela_json_put_bool(reply, "may_invite", user->rights.may_invite);
	ela_json_put_int(reply, "max_nodes", user->rights.max_nodes);
	ela_json_put_int(reply, "nodes", count_nodes(m, user->key.hash));
	put_reserved(reply, user);
	ela_json_close(reply, '}');
}

static void put_list(GString *reply, const struct ela_userlist *list)
{
	ela_json_open(reply, "list", '{');
	ela_json_put_count(reply, "epoch", list->epoch);
	ela_json_put_count(reply, "version", list->version);
	ela_json_put_count(reply, "issued_s", list->issued_s);
	ela_json_put_count(reply, "valid_until", list->valid_until_s);
	ela_json_close(reply, '}');
}

static int list_users(const struct ela_network_place *place, bool json, bool colour)
{
	struct ela_holdings holdings = {0};
	g_autoptr(GString) reply = NULL;
	struct ela_userlist *all;
	struct ela_json *tree;
	GString *refusal = NULL;

	if (!ela_holdings_get(place, &holdings, &refusal))
		return ela_run_fail(refusal, json);
	if (!ela_membership_newest(holdings.membership)) {
		ela_holdings_clear(&holdings);
		return ela_run_fail(
			ela_refusal(ELA_CODE_NOT_FOUND, "wait until it is in: ela status", "this node has no user list yet"), json);
	}
	all = ela_userlist_copy(ela_membership_newest(holdings.membership));
	(void)ela_membership_fold(holdings.membership, all); /* the next list has no room for the others */
	reply = ela_reply_begin();
	put_list(reply, ela_membership_newest(holdings.membership));
	ela_json_open(reply, "users", '[');
	for (uint32_t i = 0; i < all->n_users; i++)
		put_user(reply, holdings.membership, &all->users[i]);
	ela_json_close(reply, ']');
	ela_json_close(reply, '}');
	tree = ela_json_read(reply->str, reply->len, NULL);
	if (json)
		(void)puts(reply->str); /* stdout is checked at the end */
	else
		ela_show_users(tree, colour);
	ela_json_free(tree);
	ela_userlist_free(all);
	ela_holdings_clear(&holdings);
	return ELA_CODE_OK;
}

/* ---- the owner's key ---- */

static char *owner_file(const struct ela_network_place *place, uint64_t epoch)
{
	g_autofree char *name =
		epoch == 0 ? g_strdup(ELA_USER_KEY_FILE) : g_strdup_printf("owner-%" G_GUINT64_FORMAT ".pem", epoch);

	return g_build_filename(place->config_dir, name, NULL);
}

static GString *read_key(const char *file, struct ela_rsa **ret)
{
	GError *error = NULL;
	int err = ela_rsa_read(file, ret, &error);

	if (err == 0)
		return NULL;
	g_prefix_error(&error, "%s: ", file);
	return refuse(err, error);
}

static GString *read_owner(struct change *change)
{
	const struct ela_userlist *list = ela_membership_newest(change->holdings.membership);
	g_autofree char *file = owner_file(change->place, list ? list->epoch : 0);

	if (!g_file_test(file, G_FILE_TEST_EXISTS))
		return ela_refusal(ELA_CODE_PERMISSION, "do it where the owner's key is; if it is lost: ela recover FILE",
			"%s is not here: only the network's owner changes who is in it", file);
	return read_key(file, &change->key);
}

static GString *begin(struct change *change)
{
	GString *refusal = NULL;

	change->lock = open(change->place->config_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (change->lock < 0 || flock(change->lock, LOCK_EX) != 0)
		return ela_refusal(errno == EACCES ? ELA_CODE_PERMISSION : ELA_CODE_FAILED, "as root", "%s: %s",
			change->place->config_dir, g_strerror(errno));
	(void)ela_holdings_get(change->place, &change->holdings, &refusal); /* refusal tells */
	return refusal;
}

/* Signs what is next, and sees to it that this node has it. */
static GString *publish(struct change *change)
{
	g_autoptr(GBytes) bytes = NULL;
	GError *error = NULL;
	int err = ela_owner_sign(change->owner, &bytes, &error);

	return err == 0 ? ela_holdings_give(&change->holdings, bytes) : refuse(err, error);
}

static void end(struct change *change)
{
	ela_owner_free(change->owner);
	ela_rsa_free(change->key);
	ela_holdings_clear(&change->holdings);
	g_free(change->text);
	if (change->lock >= 0)
		(void)close(change->lock); /* which unlocks it */
}

static void print(const struct change *change, const char *owner_key, const char *recovery_key, bool json)
{
	const struct ela_userlist *list =
		change->is_old ? ela_membership_newest(change->holdings.membership) : ela_owner_list(change->owner);
	g_autoptr(GString) reply = ela_reply_begin();
	g_autofree char *until = ela_show_day((double)list->valid_until_s);

	ela_json_put(reply, "done", change->done);
	ela_json_put_bool(reply, "changed", !change->is_old);
	put_list(reply, list);
	if (owner_key) {
		ela_json_put(reply, "owner_key", owner_key);
		ela_json_put(reply, "recovery_key", recovery_key);
	}
	ela_json_close(reply, '}');
	if (json)
		(void)puts(reply->str); /* stdout is checked at the end */
	else
		(void)printf("%s; list %" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT ", good until %s%s\n", change->text,
			list->epoch, list->version, until,
			change->is_old                ? ""
			: change->holdings.dirfd >= 0 ? ", for when this node's elad runs"
										  : ""); /* as above */
}

/* ---- the changes ---- */

static int apply_revoke(struct change *change, GError **error)
{
	change->done = "revoked";
	change->text = g_strdup_printf("user %s is out with all of his nodes and tokens", change->words[1]);
	return ela_owner_revoke(change->owner, change->words[1], error);
}

static int apply_reserve(struct change *change, GError **error)
{
	const char *name = change->words[1], *node = change->words[2], *ip = change->words[3];
	g_autofree char *quoted = ela_report_quote(ip), *quoted_node = ela_report_quote(node);
	struct ela_addr addr;

	if (ela_inet_addr(ip, &addr) != 0 || addr.family != ELA_ADDR_IP4)
		return ela_object_refuse(error, EINVAL, "%s: expected an IPv4 address", quoted);
	if (!ela_key_is_name(node))
		return ela_object_refuse(error, EINVAL, "%s is no name of a node", quoted_node);
	change->done = "reserved";
	change->text = g_strdup_printf(
		"%s is kept for user %s; node %s gets it with \"address = %s\" in [node] of its ela.ini", ip, name, node, ip);
	return ela_owner_reserve(change->owner, name, ela_get32(addr.ip), error);
}

static int apply_set(struct change *change, GError **error)
{
	change->done = "set";
	change->text = g_strdup_printf("user %s: %s is %s", change->words[1], change->words[2], change->words[3]);
	return ela_owner_set(change->owner, change->words[1], change->words[2], change->words[3], error);
}

static int apply_renew(struct change *change, GError **error)
{
	(void)error;
	change->done = "renewed";
	change->text = g_strdup("the user list is renewed");
	return 0;
}

static const struct {
	const char *name;
	const char *takes; /* for people */
	guint n;           /* how many words that is */
	int (*apply)(struct change *change, GError **error);
} actions[] = {
	{"list", "", 0, NULL},
	{"revoke", " NAME", 1, apply_revoke},
	{"reserve", " NAME NODE IP", 3, apply_reserve},
	{"set", " NAME KEY VALUE", 3, apply_set},
	{"renew", "", 0, apply_renew},
};

static GString *make_change(struct change *change, int (*apply)(struct change *change, GError **error))
{
	GString *refusal = begin(change);
	GError *error = NULL;
	int err;

	if (!refusal)
		refusal = read_owner(change);
	if (refusal)
		return refusal;
	err = ela_owner_new(change->holdings.membership, change->key, ela_enter_now(), &change->owner, &error);
	if (err != 0)
		return refuse(err, error);
	err = apply(change, &error);
	if (err == -EALREADY) {
		change->is_old = true;
		g_error_free(error);
		return NULL;
	}
	return err == 0 ? publish(change) : refuse(err, error);
}

static int run_action(const struct ela_network_place *place, size_t action, char **words, bool json)
{
	struct change change = {.place = place, .words = words, .holdings = {.dirfd = -1}, .lock = -1};
	GString *refusal = make_change(&change, actions[action].apply);
	int code = ELA_CODE_OK;

	if (refusal)
		code = ela_run_fail(refusal, json);
	else
		print(&change, NULL, NULL, json);
	end(&change);
	return code;
}

static GString *refuse_action(const char *name)
{
	const char *names[G_N_ELEMENTS(actions) + 1] = {0};
	g_autofree char *quoted = ela_report_quote(name), *nearest = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
		names[i] = actions[i].name;
	nearest = ela_report_suggest(name, names);
	return ela_refusal(ELA_CODE_USAGE, "ela --help",
		"users does not %s%s; expected list, revoke, reserve, set or renew", quoted, nearest);
}

int ela_run_users(const struct ela_network_place *place, char **words, bool json, bool colour)
{
	size_t i = 0;

	while (words[0] && i < G_N_ELEMENTS(actions) && strcmp(actions[i].name, words[0]) != 0)
		i++;
	if (i == G_N_ELEMENTS(actions))
		return ela_run_fail(refuse_action(words[0]), json);
	if (words[0] && g_strv_length(words) != actions[i].n + 1)
		return ela_run_fail(
			ela_refusal(ELA_CODE_USAGE, "ela --help", "expected users %s%s", actions[i].name, actions[i].takes), json);
	return actions[i].apply ? run_action(place, i, words, json) : list_users(place, json, colour);
}

/* ---- recover ---- */

/* A key of the next epoch: one that is there is of a recovery that did not come to its end. */
static GString *make_key(const char *dir, const char *name, struct ela_rsa **ret)
{
	g_autofree char *file = g_build_filename(dir, name, NULL);
	GError *error = NULL;
	int err;

	if (g_file_test(file, G_FILE_TEST_EXISTS))
		return read_key(file, ret);
	err = ela_outfit_rsa(dir, name, ret, &error);
	if (err == 0)
		return NULL;
	return ela_enter_refusal(err, error, ELA_CODE_FAILED);
}

/* The new keys are on the disk before anybody hears of them, and stay there whatever comes: they may be the network's.
 */
static GString *hand_over(struct change *change, const char *file, char **ret_owner, char **ret_recovery)
{
	struct ela_rsa *recovery = NULL, *next = NULL;
	const char *dir = change->place->config_dir;
	const struct ela_userlist *list;
	g_autofree char *owner_name = NULL, *recovery_name = NULL;
	GError *error = NULL;
	GString *refusal = begin(change);
	int err;

	if (!refusal)
		refusal = read_key(file, &recovery);
	if (refusal)
		return refusal;
	list = ela_membership_newest(change->holdings.membership);
	err = ela_owner_may_recover(change->holdings.membership, recovery, &error);
	if (err != 0) {
		ela_rsa_free(recovery);
		refusal = ela_refusal(err == -EACCES ? ELA_CODE_PERMISSION : ELA_CODE_FAILED,
			err == -EACCES ? "the newest one: ela init made the first, each ela recover the next" : NULL, "%s: %s",
			file, error->message);
		g_error_free(error);
		return refusal;
	}
	owner_name = g_strdup_printf("owner-%" G_GUINT64_FORMAT ".pem", list->epoch + 1);
	recovery_name = g_strdup_printf("recovery-%" G_GUINT64_FORMAT ".pem", list->epoch + 1);
	refusal = make_key(dir, owner_name, &change->key);
	if (!refusal)
		refusal = make_key(dir, recovery_name, &next);
	if (!refusal) {
		err = ela_owner_recover(change->holdings.membership, recovery, change->key, ela_rsa_public(next)->hash,
			ela_enter_now(), &change->owner, &error);
		refusal = err == 0 ? publish(change) : refuse(err, error);
	}
	*ret_owner = g_build_filename(dir, owner_name, NULL);
	*ret_recovery = g_build_filename(dir, recovery_name, NULL);
	ela_rsa_free(recovery);
	ela_rsa_free(next);
	return refusal;
}

int ela_run_recover(const struct ela_network_place *place, const char *file, bool json)
{
	struct change change = {.place = place, .done = "recovered", .holdings = {.dirfd = -1}, .lock = -1};
	g_autofree char *owner = NULL, *recovery = NULL;
	GString *refusal = hand_over(&change, file, &owner, &recovery);
	int code = ELA_CODE_OK;

	if (refusal) {
		code = ela_run_fail(refusal, json);
	} else {
		change.text = g_strdup_printf(
			"the network has a new owner: whoever has %s; the next recovery key is %s: keep it elsewhere and remove it "
			"here, %s is of no use any more; was the old owner's key stolen: ela users revoke NAME",
			owner, recovery, file);
		print(&change, owner, recovery, json);
	}
	end(&change);
	return code;
}
