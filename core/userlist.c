/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userlist: makes and reads lists of users (see userlist.h). What is written is checked by the same rules as what is
 * read, so that an owner's tool cannot sign what no node would take. Control thread.
 */
#include "userlist.h"
#include "keys.h"

#include <errno.h>
#include <string.h>

#define USERS_MAX (ELA_OBJECT_LIST_MAX / ELA_RSA_MIN_SIGNATURE) /* no entry is shorter than its key */

enum { EPOCH, VERSION, ISSUED, VALID_UNTIL, SUITES, MTU, USERS, REVOKED, HANDOVERS };
enum { NAME, KEY, MAY_CORE, MAY_INVITE, MAX_NODES, RESERVED, TOKENS };

/* ---- a list in memory ---- */

struct ela_userlist *ela_userlist_new(void)
{
	return g_new0(struct ela_userlist, 1);
}

void ela_userlist_free(struct ela_userlist *list)
{
	if (!list)
		return;
	for (uint32_t i = 0; i < ELA_LIST_EPOCHS_MAX; i++)
		g_clear_pointer(&list->handover_bytes[i], g_bytes_unref);
	g_free(list->users);
	ela_revoked_clear(&list->revoked);
	g_free(list);
}

struct ela_userlist *ela_userlist_copy(const struct ela_userlist *list)
{
	struct ela_userlist *copy = g_memdup2(list, sizeof *list);

	copy->users = g_memdup2(list->users, list->n_users * sizeof *list->users);
	copy->revoked.entries = g_memdup2(list->revoked.entries, list->revoked.n * sizeof *list->revoked.entries);
	for (uint64_t i = 0; i < list->epoch; i++)
		g_bytes_ref(copy->handover_bytes[i]);
	return copy;
}

struct ela_user *ela_userlist_add_user(struct ela_userlist *list)
{
	list->users = g_renew(struct ela_user, list->users, list->n_users + 1);
	memset(&list->users[list->n_users], 0, sizeof *list->users);
	return &list->users[list->n_users++];
}

int ela_userlist_hand_over(struct ela_userlist *list, const struct ela_handover *handover, GBytes *bytes)
{
	if (list->epoch == ELA_LIST_EPOCHS_MAX)
		return -ENOSPC;
	if (handover->epoch != list->epoch + 1)
		return -EINVAL;
	list->handovers[list->epoch] = *handover;
	list->handover_bytes[list->epoch] = g_bytes_ref(bytes);
	list->epoch++;
	list->version = 0;
	return 0;
}

const struct ela_rsa_public *ela_userlist_owner(
	const struct ela_userlist *list, const struct ela_genesis *genesis, uint64_t epoch)
{
	return epoch == 0 ? &genesis->owner : &list->handovers[epoch - 1].owner;
}

const struct ela_user *ela_userlist_user(const struct ela_userlist *list, const uint8_t key_hash[ELA_HASH_LEN])
{
	for (uint32_t i = 0; i < list->n_users; i++)
		if (memcmp(list->users[i].key.hash, key_hash, ELA_HASH_LEN) == 0)
			return &list->users[i];
	return NULL;
}

int ela_userlist_compare(const struct ela_userlist *a, const struct ela_userlist *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	return a->version < b->version ? -1 : a->version > b->version;
}

/* ---- what a list may say ---- */

static bool suite_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= ELA_SUITE_ROOM)
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!g_ascii_islower(*p) && !g_ascii_isdigit(*p) && *p != '-')
			return false;
	return true;
}

static const char *fault_of_head(const struct ela_userlist *list)
{
	if (list->version == 0)
		return "has version 0";
	if (list->valid_until_s <= list->issued_s)
		return "ends before it was issued";
	if (list->mtu != 0 && (list->mtu < ELA_LIST_MTU_MIN || list->mtu > ELA_LIST_MTU_MAX))
		return "has an MTU that no device takes";
	if (list->n_suites == 0)
		return "allows no cipher suite";
	for (uint32_t i = 0; i < list->n_suites; i++)
		if (!suite_is_name(list->suites[i]))
			return "has a malformed name of a cipher suite";
	return ela_revoked_is_sorted(&list->revoked) ? NULL : "has revoked keys out of order";
}

static const char *fault_of_user(const struct ela_genesis *genesis, const struct ela_user *user, GHashTable *addresses)
{
	if (!ela_key_is_name(user->name))
		return "has a user with a malformed name";
	if (user->rights.max_nodes == 0 || user->rights.max_nodes > ELA_USER_NODES_MAX)
		return "has a user with no node or more than 1024";
	for (uint32_t i = 0; i < user->reserved.n; i++) {
		uint32_t address = user->reserved.addresses[i];

		if (!ela_genesis_has_address(genesis, address))
			return "reserves an address outside of the network";
		if (!g_hash_table_add(addresses, GUINT_TO_POINTER(address)))
			return "reserves an address for two users";
	}
	return NULL;
}

static guint hash_of_hash(gconstpointer key)
{
	guint first;

	memcpy(&first, key, sizeof first); /* a SHA-256: any part of it is as good */
	return first;
}

static gboolean same_hash(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

/* Why nobody may take this list; NULL: it is good. */
static const char *fault_of(const struct ela_genesis *genesis, const struct ela_userlist *list)
{
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) keys = g_hash_table_new(hash_of_hash, same_hash);
	g_autoptr(GHashTable) addresses = g_hash_table_new(NULL, NULL);
	const char *fault = fault_of_head(list);

	for (uint32_t i = 0; !fault && i < list->n_users; i++) {
		struct ela_user *user = &list->users[i];

		fault = fault_of_user(genesis, user, addresses);
		if (!fault && !g_hash_table_add(names, user->name))
			fault = "has two users of one name";
		if (!fault && !g_hash_table_add(keys, user->key.hash))
			fault = "has one key twice";
	}
	return fault;
}

/* ---- writing ---- */

static GVariant *put_user(const struct ela_user *user)
{
	GVariantBuilder tokens;

	g_variant_builder_init(&tokens, G_VARIANT_TYPE("a(ayay)"));
	for (uint32_t i = 0; i < user->n_tokens; i++)
		g_variant_builder_add(&tokens, "(@ay@ay)", ela_body_put(user->tokens[i].key, 32),
			ela_body_put(user->tokens[i].holder, ELA_HASH_LEN));
	return g_variant_new("(s@aybbu@au@a(ayay))", user->name, ela_body_put(user->key.der, user->key.len),
		user->rights.may_core, user->rights.may_invite, user->rights.max_nodes, ela_body_put_reserved(&user->reserved),
		g_variant_builder_end(&tokens));
}

static GVariant *put_list(const struct ela_userlist *list)
{
	GVariantBuilder suites, users, revoked, handovers;

	g_variant_builder_init(&suites, G_VARIANT_TYPE("as"));
	g_variant_builder_init(&users, G_VARIANT_TYPE("a(saybbuaua(ayay))"));
	g_variant_builder_init(&revoked, G_VARIANT_TYPE("a(ayt)"));
	g_variant_builder_init(&handovers, G_VARIANT_TYPE("aay"));
	for (uint32_t i = 0; i < list->n_suites; i++)
		g_variant_builder_add(&suites, "s", list->suites[i]);
	for (uint32_t i = 0; i < list->n_users; i++)
		g_variant_builder_add_value(&users, put_user(&list->users[i]));
	for (uint32_t i = 0; i < list->revoked.n; i++)
		g_variant_builder_add(&revoked, "(@ayt)", ela_body_put(list->revoked.entries[i].hash, ELA_HASH_LEN),
			(guint64)list->revoked.entries[i].since_s);
	for (uint64_t i = 0; i < list->epoch; i++)
		g_variant_builder_add_value(&handovers, ela_body_put_blob(list->handover_bytes[i]));
	return g_variant_new("(tttt@asq@a(saybbuaua(ayay))@a(ayt)@aay)", (guint64)list->epoch, (guint64)list->version,
		(guint64)list->issued_s, (guint64)list->valid_until_s, g_variant_builder_end(&suites), (guint16)list->mtu,
		g_variant_builder_end(&users), g_variant_builder_end(&revoked), g_variant_builder_end(&handovers));
}

int ela_userlist_sign(const struct ela_userlist *list, const struct ela_genesis *genesis, const struct ela_rsa *owner,
	GBytes **ret, GError **error)
{
	const struct ela_signer signer = {.rsa = owner};
	const struct ela_rsa_public *wanted = ela_userlist_owner(list, genesis, list->epoch);
	const char *fault = fault_of(genesis, list);

	if (fault)
		return ela_object_refuse(error, EINVAL, "the user list %s", fault);
	if (memcmp(ela_rsa_public(owner)->hash, wanted->hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EINVAL, "this is not the key of the owner in epoch %u", (unsigned)list->epoch);
	return ela_object_sign(ELA_OBJECT_LIST, genesis->network_id, &signer, put_list(list), ret, error);
}

/* ---- reading ---- */

static bool read_tokens(GVariant *tuple, struct ela_user *user)
{
	g_autoptr(GVariant) tokens = g_variant_get_child_value(tuple, TOKENS);
	gsize n = g_variant_n_children(tokens);

	if (n > ELA_USER_TOKENS_MAX)
		return false;
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) token = g_variant_get_child_value(tokens, i);

		if (!ela_body_bytes(token, 0, user->tokens[i].key, 32) ||
			!ela_body_bytes(token, 1, user->tokens[i].holder, ELA_HASH_LEN) ||
			ela_object_key_hash(user->tokens[i].key, user->tokens[i].key_hash) != 0)
			return false;
	}
	user->n_tokens = (uint32_t)n;
	return true;
}

static bool read_user(GVariant *tuple, struct ela_user *user)
{
	user->rights.may_core = ela_body_number(tuple, MAY_CORE) != 0;
	user->rights.may_invite = ela_body_number(tuple, MAY_INVITE) != 0;
	user->rights.max_nodes = (uint32_t)ela_body_number(tuple, MAX_NODES);
	return ela_body_name(tuple, NAME, user->name) && ela_body_rsa(tuple, KEY, &user->key) &&
		   ela_body_reserved(tuple, RESERVED, &user->reserved) && read_tokens(tuple, user);
}

static bool read_suites(GVariant *body, struct ela_userlist *list)
{
	g_autoptr(GVariant) suites = g_variant_get_child_value(body, SUITES);
	gsize n = g_variant_n_children(suites);

	if (n > ELA_LIST_SUITES_MAX)
		return false;
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) suite = g_variant_get_child_value(suites, i);

		if (g_strlcpy(list->suites[i], g_variant_get_string(suite, NULL), ELA_SUITE_ROOM) >= ELA_SUITE_ROOM)
			return false;
	}
	list->n_suites = (uint32_t)n;
	return true;
}

static bool read_users(GVariant *body, struct ela_userlist *list)
{
	g_autoptr(GVariant) users = g_variant_get_child_value(body, USERS);
	gsize n = g_variant_n_children(users);

	if (n > USERS_MAX)
		return false;
	list->users = g_new0(struct ela_user, n);
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) user = g_variant_get_child_value(users, i);

		if (!read_user(user, &list->users[i]))
			return false;
		list->n_users++;
	}
	return true;
}

static bool read_revoked(GVariant *body, struct ela_userlist *list)
{
	g_autoptr(GVariant) revoked = g_variant_get_child_value(body, REVOKED);
	gsize n = g_variant_n_children(revoked);

	list->revoked.entries = g_new0(struct ela_revoked, n);
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(revoked, i);

		if (!ela_body_bytes(entry, 0, list->revoked.entries[i].hash, ELA_HASH_LEN))
			return false;
		list->revoked.entries[i].since_s = ela_body_number(entry, 1);
		list->revoked.n++;
	}
	return true;
}

/* Follows the recovery keys from the genesis on; each signature is checked. */
static int read_handovers(const struct ela_genesis *genesis, GVariant *body, struct ela_userlist *list, GError **error)
{
	g_autoptr(GVariant) handovers = g_variant_get_child_value(body, HANDOVERS);
	const uint8_t *recovery_hash = genesis->recovery_hash;

	if (list->epoch > ELA_LIST_EPOCHS_MAX || g_variant_n_children(handovers) != list->epoch)
		return ela_object_refuse(error, EBADMSG, "user list without the handovers to its epoch");
	for (uint64_t i = 0; i < list->epoch; i++) {
		GBytes *bytes = list->handover_bytes[i] = ela_body_blob(handovers, i);
		int err = ela_handover_parse(genesis->network_id, recovery_hash, g_bytes_get_data(bytes, NULL),
			g_bytes_get_size(bytes), &list->handovers[i], error);

		if (err != 0)
			return err;
		if (list->handovers[i].epoch != i + 1)
			return ela_object_refuse(error, EBADMSG, "user list with handovers out of order");
		recovery_hash = list->handovers[i].next_recovery_hash;
	}
	return 0;
}

static int read_body(const struct ela_genesis *genesis, GVariant *body, struct ela_userlist *list, GError **error)
{
	const char *fault;

	list->version = ela_body_number(body, VERSION);
	list->issued_s = ela_body_number(body, ISSUED);
	list->valid_until_s = ela_body_number(body, VALID_UNTIL);
	list->mtu = (uint32_t)ela_body_number(body, MTU);
	if (!read_suites(body, list) || !read_users(body, list) || !read_revoked(body, list))
		return ela_object_refuse(error, EBADMSG, "user list with a malformed entry");
	fault = fault_of(genesis, list);
	return fault ? ela_object_refuse(error, EBADMSG, "user list %s", fault) : 0;
}

/* An owner of a later epoch is named by handovers inside; those are signed by themselves. */
static int read_list(
	const struct ela_genesis *genesis, const struct ela_object *object, struct ela_userlist *list, GError **error)
{
	struct ela_verifier owner = {.rsa = &genesis->owner};
	bool is_first = memcmp(object->signer, genesis->owner.hash, ELA_HASH_LEN) == 0;
	g_autoptr(GVariant) body = NULL;
	int err = is_first ? ela_object_verify(object, genesis->network_id, &owner, error) : 0;

	if (err == 0)
		err = ela_object_read(object, &body, error);
	if (err != 0)
		return err;
	list->epoch = ela_body_number(body, EPOCH);
	err = read_handovers(genesis, body, list, error);
	if (err == 0 && (!is_first || list->epoch > 0)) {
		owner.rsa = ela_userlist_owner(list, genesis, list->epoch);
		err = ela_object_verify(object, genesis->network_id, &owner, error);
	}
	return err == 0 ? read_body(genesis, body, list, error) : err;
}

int ela_userlist_parse(
	const struct ela_genesis *genesis, const void *bytes, size_t len, struct ela_userlist **ret, GError **error)
{
	struct ela_userlist *list = ela_userlist_new();
	struct ela_object object;
	int err = ela_object_split(ELA_OBJECT_LIST, bytes, len, &object, error);

	if (err == 0)
		err = read_list(genesis, &object, list, error);
	if (err == 0 && ela_object_hash(bytes, len, list->hash) != 0)
		err = ela_object_refuse(error, EIO, "libcrypto makes no hash");
	if (err == 0)
		*ret = list;
	else
		ela_userlist_free(list);
	return err;
}
