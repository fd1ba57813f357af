/* SPDX-License-Identifier: Apache-2.0 */
/* invite: makes tokens (see invite.h). Control thread. */
#include "invite.h"
#include "contacts.h"
#include "file.h"
#include "folders.h"
#include "frame.h"
#include "inet.h"
#include "ini.h"
#include "keys.h"
#include "membership.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SLOT_LEN 10u /* of a line of the file of slots: slot (2), end of its token (8) */

struct ela_inviter {
	struct ela_token token; /* what all tokens have in common */
	struct ela_membership *membership;
	struct ela_rsa *user;
	struct ela_rights rights; /* of the user */
	bool is_owner;
	uint8_t x25519[32]; /* this node's, from its credential */
	uint16_t tcp_port, udp_port;
	uint64_t now_s;
	int state_fd;
};

/* ---- what is in the folders ---- */

/* A port as [transport-NAME] has it; 0 when [components] does not list that transport. */
static uint16_t read_port(const struct ela_ini *ini, const char *transport, struct ela_report *report)
{
	g_autofree char *section = g_strdup_printf("transport-%s", transport);
	g_auto(GStrv) all = ela_ini_list(ini, "components", "transport", report);
	g_autofree char *text = NULL;
	int64_t port = ELA_DEFAULT_PORT;

	if (!all || !g_strv_contains((const char *const *)all, transport))
		return 0;
	if (ela_ini_key(ela_ini_section(ini, section), "port"))
		text = ela_ini_value(ini, section, "port", report);
	return text && (ela_value_int(text, &port) != 0 || port < 1 || port > 65535) ? 0 : (uint16_t)port;
}

/* Only what a token needs of it: whether all of it is good is for elad to tell, which loads its plugins. */
static int read_ini(struct ela_inviter *inviter, const char *file, GBytes *bytes, GError **error)
{
	struct ela_report *report = ela_report_new(file);
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);
	struct ela_ini *ini = ela_ini_parse(file, text, len, report);
	g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *id = ela_ini_value(ini, "network", "id", report);
	g_autofree char *name = ela_ini_value(ini, "network", "name", report);
	int err = 0;

	inviter->tcp_port = read_port(ini, "tcp", report);
	inviter->udp_port = read_port(ini, "udp", report);
	ela_ini_free(ini);
	ela_report_finish(report, faults);
	if (faults->len > 0)
		return ela_file_fail(error, EINVAL, "%s", (const char *)g_ptr_array_index(faults, 0));
	if (!id || ela_value_hex(id, inviter->token.network_id, ELA_NETWORK_LEN) != 0 || (name && !ela_key_is_name(name)))
		err =
			ela_file_fail(error, EINVAL, "%s: [network] is not that of a network that nodes join; see ela check", file);
	else if (name)
		(void)g_strlcpy(inviter->token.network_name, name, ELA_NAME_ROOM); /* it fits */
	return err;
}

static int read_config(struct ela_inviter *inviter, const char *dir, GError **error)
{
	g_autofree char *file = g_build_filename(dir, ELA_INI_FILE, NULL);
	g_autofree char *key_file = g_build_filename(dir, ELA_USER_KEY_FILE, NULL);
	g_autoptr(GBytes) bytes = NULL;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return ela_file_fail(error, errno, "%s: %s", dir, g_strerror(errno));
	err = ela_file_get(fd, ELA_INI_FILE, ELA_INI_MAX_FILE, &bytes);
	(void)close(fd); /* read only */
	if (err != 0)
		return ela_file_fail(error, -err, "%s: %s", file, g_strerror(-err));
	err = read_ini(inviter, file, bytes, error);
	if (err != 0)
		return err;
	if (!g_file_test(key_file, G_FILE_TEST_EXISTS)) {
		(void)ela_file_fail(
			error, EACCES, "%s is not here: this machine cannot speak for its user; do it where his key is", key_file);
		return -EACCES;
	}
	err = ela_rsa_read(key_file, &inviter->user, error);
	if (err != 0)
		g_prefix_error(error, "%s: ", key_file);
	return err;
}

/* What the user may do, by what this node holds of the network. */
static int read_rights(struct ela_inviter *inviter, GError **error)
{
	const struct ela_genesis *genesis = ela_membership_genesis(inviter->membership);
	const struct ela_userlist *list = ela_membership_list(inviter->membership);
	const struct ela_rsa_public *key = ela_rsa_public(inviter->user);

	if (!genesis || !list)
		return ela_file_fail(error, ENOENT, "this node has not joined the network yet; start elad first");
	inviter->token.prefix = genesis->prefix;
	inviter->is_owner = memcmp(ela_userlist_owner(list, genesis, list->epoch)->hash, key->hash, ELA_HASH_LEN) == 0;
	if (ela_membership_is_expired(inviter->membership, inviter->now_s))
		return ela_file_fail(
			error, EACCES, "the user list has expired, and nobody new gets in before the owner has signed another");
	if (!ela_membership_authorised(inviter->membership, key->hash, &inviter->rights) && !inviter->is_owner)
		return ela_file_fail(error, EACCES, "the user of this node is not authorised");
	return 0;
}

/* The key that newcomers call this node by. */
static int read_credential(struct ela_inviter *inviter, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ela_credential credential;
	gsize len = 0;
	const void *data;
	int err = ela_file_get(inviter->state_fd, ELA_CREDENTIAL_FILE, ELA_OBJECT_MAX, &bytes);

	if (err != 0)
		return ela_file_fail(
			error, -err, ELA_CREDENTIAL_FILE " in the state folder cannot be read: %s", g_strerror(-err));
	data = g_bytes_get_data(bytes, &len);
	err = ela_credential_parse(inviter->token.network_id, NULL, data, len, &credential, error);
	if (err == 0)
		memcpy(inviter->x25519, credential.x25519, sizeof inviter->x25519);
	return err;
}

static int read_state(struct ela_inviter *inviter, const char *dir, GError **error)
{
	int err;

	inviter->state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inviter->state_fd < 0)
		return ela_file_fail(error, errno, "%s: %s", dir, g_strerror(errno));
	err =
		ela_membership_new(inviter->token.network_id, &ela_file_system, inviter->state_fd, &inviter->membership, error);
	if (err == 0)
		err = read_rights(inviter, error);
	return err == 0 ? read_credential(inviter, error) : err;
}

int ela_inviter_new(
	const char *config_dir, const char *state_dir, uint64_t now_s, struct ela_inviter **ret, GError **error)
{
	struct ela_inviter *inviter = g_new0(struct ela_inviter, 1);
	int err;

	inviter->now_s = now_s;
	inviter->state_fd = -1;
	err = read_config(inviter, config_dir, error);
	if (err == 0)
		err = read_state(inviter, state_dir, error);
	if (err == 0)
		*ret = inviter;
	else
		ela_inviter_free(inviter);
	return err;
}

void ela_inviter_free(struct ela_inviter *inviter)
{
	if (!inviter)
		return;
	ela_membership_free(inviter->membership);
	ela_rsa_free(inviter->user);
	ela_token_clear(&inviter->token);
	if (inviter->state_fd >= 0)
		(void)close(inviter->state_fd); /* read only */
	g_free(inviter);
}

/* ---- where this node is ---- */

void ela_inviter_ports(const struct ela_inviter *inviter, uint16_t *ret_tcp, uint16_t *ret_udp)
{
	*ret_tcp = inviter->tcp_port;
	*ret_udp = inviter->udp_port;
}

uint32_t ela_inviter_places(const struct ela_inviter *inviter)
{
	return inviter->token.n_cores;
}

static bool is_overlay(const struct ela_inviter *inviter, const struct ela_addr *addr)
{
	const struct ela_addr none = {.family = ELA_ADDR_IP4};
	struct ela_prefix overlay6 = {.bits = ELA_OVERLAY6_BITS};

	ela_inet_overlay6(inviter->token.network_id, &none, &overlay6.addr);
	return ela_inet_prefix_contains(&inviter->token.prefix, addr) || ela_inet_prefix_contains(&overlay6, addr);
}

uint32_t ela_inviter_rank(const struct ela_inviter *inviter, const struct ela_addr *addr)
{
	const struct ela_place place = {.addr = *addr, .tcp_port = 1};

	if (!ela_place_ok(&place) || is_overlay(inviter, addr))
		return 0;
	return ela_inet_is_private(addr) ? 1 : 2;
}

int ela_inviter_add_place(struct ela_inviter *inviter, const struct ela_place *place, GError **error)
{
	struct ela_token *token = &inviter->token;
	char text[ELA_INET_TEXT];

	ela_inet_addr_text(&place->addr, text);
	if (!ela_place_ok(place) || is_overlay(inviter, &place->addr))
		return ela_file_fail(error, EINVAL,
			"%s cannot be called from elsewhere; expected an address of the Internet or of "
			"the local network, and a port",
			text);
	for (uint32_t i = 0; i < token->n_cores; i++)
		if (memcmp(&token->cores[i].place, place, sizeof *place) == 0)
			return ela_file_fail(error, EALREADY, "%s is given twice", text);
	if (token->n_cores == ELA_TOKEN_CORES)
		return ela_file_fail(error, ENOSPC, "%s is one too many; a token holds at most 3 addresses", text);
	token->cores[token->n_cores].place = *place;
	memcpy(token->cores[token->n_cores++].x25519, inviter->x25519, 32);
	return 0;
}

static bool has_core(const struct ela_token_core *cores, uint32_t n, const uint8_t key[32])
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(cores[i].x25519, key, 32) == 0)
			return true;
	return false;
}

void ela_inviter_add_known(struct ela_inviter *inviter, uint32_t least)
{
	struct ela_token *token = &inviter->token;
	struct ela_token_core known[ELA_TOKEN_CORES];
	struct ela_contacts contacts;
	uint32_t n = 0, own = token->n_cores;

	if (ela_contacts_read(&contacts, inviter->state_fd, NULL) != 0)
		return;
	for (uint32_t i = 0; i < contacts.n && n < ELA_TOKEN_CORES; i++)
		if (memcmp(contacts.v[i].x25519, inviter->x25519, 32) != 0 && !has_core(known, n, contacts.v[i].x25519) &&
			ela_inviter_rank(inviter, &contacts.v[i].place.addr) != 0)
			known[n++] = contacts.v[i];
	while (own > least && own + n > ELA_TOKEN_CORES)
		own--;
	n = MIN(n, ELA_TOKEN_CORES - own);
	memcpy(&token->cores[own], known, n * sizeof *known);
	token->n_cores = own + n;
}

/* ---- tokens ---- */

static int check_name(const char *name, GError **error)
{
	return ela_key_is_name(name)
			   ? 0
			   : ela_file_fail(
					 error, EINVAL, "\"%s\" is no name; expected 1..63 of A-Z a-z 0-9 - _ . and no dot in front", name);
}

/* Fresh keys, a grant of what is asked for, the line. */
static int make_token(struct ela_inviter *inviter, struct ela_grant *grant, char **ret, GError **error)
{
	struct ela_token token = inviter->token; /* its secret and its grant are wiped and freed here */
	int err = ela_key_random(token.private_key);

	if (err != 0)
		return ela_file_fail(error, -err, "no random bytes: %s", g_strerror(-err));
	token.grant_bytes = NULL;
	grant->issued_s = inviter->now_s;
	if (ela_ed25519_public(token.private_key, grant->token_key) != 0)
		err = ela_file_fail(error, EIO, "libcrypto cannot make a key");
	if (err == 0)
		err = ela_grant_sign(grant, token.network_id, inviter->user, &token.grant_bytes, error);
	if (err == 0)
		err = ela_token_format(&token, ret, error);
	ela_token_clear(&token);
	return err;
}

/* A user gives no more than he has, and the right to invite is the owner's: other nodes would refuse such a guest. */
static int check_rights(const struct ela_inviter *inviter, const struct ela_rights *rights, GError **error)
{
	const struct ela_rights *own = &inviter->rights;
	int err = 0;

	if (rights->max_nodes == 0 || rights->max_nodes > ELA_USER_NODES_MAX)
		return ela_file_fail(error, EINVAL, "a user may have 1 to 1024 nodes");
	if (inviter->is_owner)
		return 0;
	if (!own->may_invite)
		err = ela_file_fail(error, EACCES, "the user of this node may not invite; the owner can");
	else if (rights->may_invite)
		err = ela_file_fail(error, EACCES, "only the owner can let somebody invite others");
	else if (rights->may_core && !own->may_core)
		err = ela_file_fail(
			error, EACCES, "the user of this node has edge nodes alone, and can invite none but such: --edge-only");
	else if (rights->max_nodes > own->max_nodes)
		err = ela_file_fail(
			error, EACCES, "the user of this node may have %u nodes, and can give no more", own->max_nodes);
	return err;
}

static bool has_user(const struct ela_inviter *inviter, const char *name)
{
	const struct ela_userlist *list = ela_membership_list(inviter->membership);

	for (uint32_t i = 0; i < list->n_users; i++)
		if (strcmp(list->users[i].name, name) == 0)
			return true;
	return false;
}

int ela_invite_user(struct ela_inviter *inviter, const char *name, const struct ela_rights *rights, uint64_t expires_s,
	char **ret, GError **error)
{
	struct ela_grant grant = {.rights = *rights, .expires_s = expires_s};
	int err = check_name(name, error);

	if (err == 0)
		err = check_rights(inviter, rights, error);
	if (err != 0)
		return err;
	if (has_user(inviter, name))
		return ela_file_fail(error, EEXIST,
			"there is a user %s already; another name, or for a further machine of one's own: ela add-node", name);
	(void)g_strlcpy(grant.user, name, sizeof grant.user); /* it fits */
	return make_token(inviter, &grant, ret, error);
}

/* ---- slots of further machines ---- */

/* Slots that tokens have and whose time is not over, as they stand in the file. */
static int read_slots(const struct ela_inviter *inviter, GByteArray *ret, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	int err = ela_file_get(inviter->state_fd, ELA_SLOTS_FILE, (size_t)SLOT_LEN * ELA_USER_NODES_MAX, &bytes);
	gsize len = 0;
	const uint8_t *at = err == 0 ? g_bytes_get_data(bytes, &len) : NULL;

	if ((err != 0 && err != -ENOENT) || len % SLOT_LEN != 0)
		return ela_file_fail(error, err != 0 ? -err : EBADMSG, ELA_SLOTS_FILE " in the state folder cannot be read: %s",
			err != 0 ? g_strerror(-err) : "it is cut");
	for (gsize i = 0; i < len; i += SLOT_LEN)
		if (ela_get64(at + i + 2) >= inviter->now_s)
			g_byte_array_append(ret, at + i, SLOT_LEN);
	return 0;
}

/* The lowest slot that no node of the user has and no token; max_nodes when there is none. */
static uint32_t free_slot(const struct ela_inviter *inviter, const GByteArray *given)
{
	uint32_t slot;

	for (slot = 0; slot < inviter->rights.max_nodes; slot++) {
		bool taken = ela_membership_has_slot(inviter->membership, ela_rsa_public(inviter->user)->hash, slot);

		for (guint i = 0; i < given->len; i += SLOT_LEN)
			taken |= ela_get16(given->data + i) == slot;
		if (!taken)
			break;
	}
	return slot;
}

static int note_slot(
	const struct ela_inviter *inviter, GByteArray *given, uint32_t slot, uint64_t expires_s, GError **error)
{
	uint8_t line[SLOT_LEN];
	int err;

	ela_put16(line, (uint16_t)slot);
	ela_put64(line + 2, expires_s);
	g_byte_array_append(given, line, sizeof line);
	err = ela_file_put(&ela_file_system, inviter->state_fd, ELA_SLOTS_FILE, ELA_FILE_REPLACE, given->data, given->len);
	if (err != 0)
		return ela_file_fail(
			error, -err, ELA_SLOTS_FILE " in the state folder cannot be written: %s", g_strerror(-err));
	return 0;
}

int ela_invite_machine(
	struct ela_inviter *inviter, const char *node_name, uint64_t expires_s, char **ret, GError **error)
{
	struct ela_grant grant = {.is_machine = true, .expires_s = expires_s};
	const uint8_t *user_hash = ela_rsa_public(inviter->user)->hash;
	GByteArray *given;
	uint32_t slot;
	int err = node_name ? check_name(node_name, error) : 0;

	if (err != 0)
		return err;
	if (!ela_membership_user_name(inviter->membership, user_hash, grant.user))
		return ela_file_fail(error, EACCES, "the owner's key is no user's in this network: it can have no nodes");
	(void)flock(inviter->state_fd, LOCK_EX); /* until it is closed: of two at once one would give a slot twice */
	given = g_byte_array_new();
	err = read_slots(inviter, given, error);
	slot = err == 0 ? free_slot(inviter, given) : 0;
	if (err == 0 && slot == inviter->rights.max_nodes)
		err = ela_file_fail(error, ENOSPC,
			"%s may have %u nodes, and each has its place; wait until a token expires, or ask the owner for more",
			grant.user, inviter->rights.max_nodes);
	if (err == 0)
		err = note_slot(inviter, given, slot, expires_s, error); /* first: a token that is out must be noted */
	g_byte_array_unref(given);
	if (err != 0)
		return err;
	inviter->token.slot = slot;
	(void)g_strlcpy(inviter->token.node_name, node_name ? node_name : "", ELA_NAME_ROOM); /* it fits */
	err = make_token(inviter, &grant, ret, error);
	inviter->token.slot = 0;
	inviter->token.node_name[0] = '\0';
	return err;
}
