/* SPDX-License-Identifier: Apache-2.0 */
/* found: makes a network (see found.h). What it wrote is offered to a membership, as everything that elad will hold of
 * it, so that nothing is founded that a node would not take. Control thread. */
#include "found.h"
#include "file.h"
#include "keys.h"
#include "membership.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The suites that its nodes may use, best first. Blowfish is for who asks for it. */
static const char *const suites[] = {"aes-256-gcm", "chacha20-poly1305"};

static int check_names(const struct ela_found *found, GError **error)
{
	const char *const names[] = {found->network, found->user, found->outfit.node.name};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!ela_key_is_name(names[i]))
			return ela_file_fail(
				error, EINVAL, "\"%s\" is no name; expected 1..63 of A-Z a-z 0-9 - _ . and no dot in front", names[i]);
	if (!ela_genesis_prefix_ok(&found->outfit.prefix) || found->outfit.prefix.bits > ELA_NETWORK_MAX_BITS)
		return ela_file_fail(
			error, EINVAL, "not a prefix for a network; expected an IPv4 unicast one of 8 to 28 bits, host bits zero");
	return 0;
}

static int sign_genesis(
	struct ela_found *found, const struct ela_rsa *owner, struct ela_genesis *ret, GBytes **ret_bytes, GError **error)
{
	struct ela_genesis genesis = {.prefix = found->outfit.prefix};
	struct ela_rsa *recovery = NULL;
	int err = ela_outfit_rsa(found->outfit.config_dir, ELA_RECOVERY_KEY_FILE, &recovery, error);

	if (err != 0)
		return err;
	memcpy(genesis.recovery_hash, ela_rsa_public(recovery)->hash, ELA_HASH_LEN);
	ela_rsa_free(recovery);
	err = ela_genesis_sign(&genesis, owner, ret_bytes, error);
	if (err == 0)
		*ret = genesis;
	return err;
}

static int sign_list(const struct ela_found *found, const struct ela_genesis *genesis, const struct ela_rsa *owner,
	GBytes **ret, GError **error)
{
	struct ela_userlist *list = ela_userlist_new();
	struct ela_user *user = ela_userlist_add_user(list);
	int err;

	list->version = 1;
	list->issued_s = found->now_s;
	list->valid_until_s = found->now_s + ELA_FOUND_VALID_S;
	for (size_t i = 0; i < G_N_ELEMENTS(suites); i++)
		(void)g_strlcpy(list->suites[list->n_suites++], suites[i], ELA_SUITE_ROOM); /* they fit */
	(void)g_strlcpy(user->name, found->user, sizeof user->name);                    /* check_names() */
	user->key = *ela_rsa_public(owner);
	user->rights = (struct ela_rights){.may_core = true, .may_invite = true, .max_nodes = ELA_FOUND_NODES};
	err = ela_userlist_sign(list, genesis, owner, ret, error);
	ela_userlist_free(list);
	return err;
}

static int offer(
	struct ela_membership *m, GBytes *genesis, GBytes *list, GBytes *credential, uint64_t now_s, GError **error)
{
	gsize len;
	const void *bytes = g_bytes_get_data(genesis, &len);
	int err = ela_membership_offer_genesis(m, bytes, len, error);

	if (err == 0) {
		bytes = g_bytes_get_data(list, &len);
		err = ela_membership_offer_list(m, bytes, len, error);
	}
	if (err == 0) {
		bytes = g_bytes_get_data(credential, &len);
		err = ela_membership_offer_credential(m, bytes, len, now_s, false, NULL, error);
	}
	if (err == 0) {
		err = ela_membership_flush(m);
		if (err != 0)
			(void)ela_file_fail(error, -err, "the state folder cannot be written: %s", g_strerror(-err));
	}
	return err;
}

/* All that a node holds of a network goes into the state folder by the one who will read it. */
static int write_state(const struct ela_found *found, GBytes *genesis, GBytes *list, GBytes *credential, GError **error)
{
	const struct ela_outfit *outfit = &found->outfit;
	int dirfd = open(outfit->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct ela_membership *m = NULL;

	if (dirfd < 0)
		return ela_file_fail(error, errno, "%s: cannot be opened: %s", outfit->state_dir, g_strerror(errno));
	err = ela_membership_new(outfit->network_id, &ela_file_system, dirfd, &m, error);
	if (err == 0)
		err = offer(m, genesis, list, credential, found->now_s, error);
	ela_membership_free(m);
	(void)close(dirfd); /* read only */
	return err;
}

static int found_by(struct ela_found *found, const struct ela_rsa *owner, GError **error)
{
	struct ela_outfit *outfit = &found->outfit;
	const struct ela_signer by = {.rsa = owner};
	g_autoptr(GBytes) genesis_bytes = NULL, list = NULL, credential = NULL;
	struct ela_genesis genesis;
	int err = sign_genesis(found, owner, &genesis, &genesis_bytes, error);

	if (err == 0)
		err = sign_list(found, &genesis, owner, &list, error);
	if (err == 0)
		err = ela_outfit_keys(outfit, error);
	if (err != 0)
		return err;
	memcpy(outfit->network_id, genesis.network_id, ELA_NETWORK_LEN);
	memcpy(outfit->node.user, ela_rsa_public(owner)->hash, ELA_HASH_LEN);
	(void)g_strlcpy(outfit->network_name, found->network, ELA_NAME_ROOM); /* check_names() */
	outfit->node.slot = 0;
	outfit->node.serial = 1;
	outfit->node.roles = ELA_CREDENTIAL_CORE;
	err = ela_outfit_credential(outfit, &by, &credential, error);
	if (err == 0)
		err = write_state(found, genesis_bytes, list, credential, error);
	return err == 0 ? ela_outfit_ini(outfit, error) : err;
}

int ela_found(struct ela_found *found, GError **error)
{
	struct ela_rsa *owner = NULL;
	int err = check_names(found, error);

	if (err == 0)
		err = ela_outfit_rsa(found->outfit.config_dir, ELA_USER_KEY_FILE, &owner, error);
	if (err == 0)
		err = found_by(found, owner, error);
	ela_rsa_free(owner);
	return err;
}
