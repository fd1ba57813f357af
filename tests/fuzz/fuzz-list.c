/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-list: core/userlist.c, core/revoked.c. Input: hash of the recovery key (32), bytes of a user list. Signatures
 * are all right (signing.h), and the network's owner is whoever signed. A list that is taken keeps every bound, and its
 * copy, made again, is the same list.
 */
#include "input.h"
#include "signing.h"
#include "userlist.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_user(const struct ela_userlist *list, const struct ela_user *user)
{
	if (user->n_tokens > ELA_USER_TOKENS_MAX || user->reserved.n > ELA_RESERVED_MAX || user->rights.max_nodes == 0 ||
		user->rights.max_nodes > ELA_USER_NODES_MAX || *user->name == '\0' || strlen(user->name) >= sizeof user->name)
		input_fail("a user beyond the bounds");
	if (ela_userlist_user(list, user->key.hash) != user)
		input_fail("a user who is not found");
}

/* Signed by an owner whose key is ours: with one more user and one more revoked key. */
static void sign_again(const struct ela_genesis *genesis, struct ela_userlist *list)
{
	struct ela_genesis own = *genesis;
	struct ela_revoked_set more = {0};
	struct ela_userlist *ret = NULL;
	struct ela_user *user;
	GBytes *bytes = NULL;

	own.owner = *ela_rsa_public(signing_key());
	if (list->epoch > 0)
		list->handovers[list->epoch - 1].owner = own.owner;
	if (!ela_userlist_user(list, own.owner.hash)) {
		user = ela_userlist_add_user(list);
		(void)g_snprintf(user->name, sizeof user->name, "fuzz-%u", list->n_users);
		user->key = own.owner;
		user->rights.max_nodes = 1;
	}
	(void)ela_revoked_add(&more, own.owner.hash, 5); /* it is new */
	(void)ela_revoked_add(&more, own.owner.hash, 4); /* it is earlier */
	(void)ela_revoked_merge(&list->revoked, &more);
	if (ela_userlist_sign(list, &own, signing_key(), &bytes, NULL) == 0 && list->epoch == 0 &&
		(ela_userlist_parse(&own, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &ret, NULL) != 0 ||
			ret->n_users != list->n_users || ret->revoked.n != list->revoked.n))
		input_fail("a list that is not the same again");
	g_clear_pointer(&bytes, g_bytes_unref);
	ela_userlist_free(ret);
	ela_revoked_clear(&more);
}

/* The next epoch's list, as far as there is one. */
static void hand_over(struct ela_userlist *list)
{
	struct ela_handover handover = {.epoch = list->epoch + 1};
	GBytes *bytes = g_bytes_new_static("", 0);

	if ((ela_userlist_hand_over(list, &handover, bytes) == 0) != (handover.epoch <= ELA_LIST_EPOCHS_MAX) ||
		ela_userlist_hand_over(list, &handover, bytes) == 0)
		input_fail("a handover that is none");
	g_bytes_unref(bytes);
}

static void check(const struct ela_genesis *genesis, const struct ela_userlist *list)
{
	struct ela_userlist *copy = ela_userlist_copy(list);

	for (uint32_t i = 0; i < list->n_users; i++)
		check_user(list, &list->users[i]);
	for (uint32_t i = 0; i < list->revoked.n; i++)
		if (ela_revoked_find(&list->revoked, list->revoked.entries[i].hash) != &list->revoked.entries[i] ||
			ela_revoked_add(&copy->revoked, list->revoked.entries[i].hash, UINT64_MAX))
			input_fail("a revoked key that is not found");
	if (list->version == 0 || list->n_suites == 0 || list->epoch > ELA_LIST_EPOCHS_MAX ||
		ela_userlist_compare(list, copy) != 0 || !ela_userlist_owner(list, genesis, list->epoch))
		input_fail("a list beyond the bounds");
	sign_again(genesis, copy);
	hand_over(copy);
	if (ela_userlist_compare(list, copy) >= 0 && list->epoch < ELA_LIST_EPOCHS_MAX)
		input_fail("a later epoch that is not later");
	ela_userlist_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ela_genesis genesis = {.prefix = {.addr = {.family = ELA_ADDR_IP4, .ip = {10, 77}}, .bits = 24}};
	struct ela_userlist *list = NULL;
	GError *error = NULL;
	int err;

	if (size < ELA_HASH_LEN)
		return -1;
	memcpy(genesis.recovery_hash, data, ELA_HASH_LEN);
	data += ELA_HASH_LEN;
	size -= ELA_HASH_LEN;
	genesis.owner.len = ELA_RSA_MIN_SIGNATURE + 38; /* of a modulus of 3,072 bits */
	if (size > ELA_HASH_LEN)
		memcpy(genesis.owner.hash, data + 1, ELA_HASH_LEN);
	err = ela_userlist_parse(&genesis, data, size, &list, &error);
	if ((err == 0) != (list != NULL) || (err == 0) != (error == NULL))
		input_fail("a refusal without its reason");
	if (list)
		check(&genesis, list);
	ela_userlist_free(list);
	g_clear_error(&error);
	return 0;
}
