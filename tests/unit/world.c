/* SPDX-License-Identifier: Apache-2.0 */
/* world: a network for tests of signed objects (see world.h). One thread. */
#include "world.h"
#include "frame.h"
#include "handshake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ela_rsa_read() takes files of mode 0600 alone, which no checkout keeps. */
struct ela_rsa *world_key(const char *name)
{
	g_autofree char *from = g_strdup_printf("%s/%s.pem", KEYS, name), *text = NULL, *to = NULL;
	struct ela_rsa *key = NULL;
	g_autoptr(GError) error = NULL;
	gsize len;
	int fd = g_file_open_tmp("ela-key-XXXXXX", &to, NULL);

	ck_assert(fd >= 0 && g_file_get_contents(from, &text, &len, NULL));
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_msg(ela_rsa_read(to, &key, &error) == 0, "%s: %s", from, error ? error->message : "");
	ck_assert_int_eq(unlink(to), 0);
	return key;
}

void world_private(uint8_t number, uint8_t ret[32])
{
	memset(ret, number, 32);
}

void world_public(uint8_t number, uint8_t ret[32])
{
	uint8_t private_key[32];

	world_private(number, private_key);
	ck_assert_int_eq(ela_ed25519_public(private_key, ret), 0);
}

void world_node_hash(uint8_t number, uint8_t ret[ELA_HASH_LEN])
{
	uint8_t key[32];

	world_public(number, key);
	ck_assert_int_eq(ela_object_key_hash(key, ret), 0);
}

/* error by its address: which argument is worked out first is not said. */
static void ok(int err, GError **error)
{
	ck_assert_msg(err == 0, "%d: %s", err, *error ? (*error)->message : "no reason");
}

struct ela_user *world_user(struct ela_userlist *list, const char *name, const struct ela_rsa *key)
{
	struct ela_user *user = ela_userlist_add_user(list);

	(void)g_strlcpy(user->name, name, sizeof user->name);
	user->key = *ela_rsa_public(key);
	user->rights = (struct ela_rights){.may_core = true, .max_nodes = 4};
	return user;
}

struct world *world_new(void)
{
	struct world *w = g_new0(struct world, 1);
	GError *error = NULL;

	w->owner = world_key("owner");
	w->recovery = world_key("recovery");
	w->sada = world_key("sada");
	w->aki = world_key("aki");
	w->next = world_key("next");
	w->genesis.prefix = (struct ela_prefix){.addr = {.family = ELA_ADDR_IP4, .ip = {10, 77}}, .bits = 24};
	memcpy(w->genesis.recovery_hash, ela_rsa_public(w->recovery)->hash, ELA_HASH_LEN);
	ok(ela_genesis_sign(&w->genesis, w->owner, &w->genesis_bytes, &error), &error);
	w->list = ela_userlist_new();
	w->list->version = 1;
	w->list->issued_s = 1000;
	w->list->valid_until_s = 2000;
	w->list->n_suites = 1;
	(void)g_strlcpy(w->list->suites[0], "aes-256-gcm", ELA_SUITE_ROOM);
	world_user(w->list, "sada", w->sada)->rights.may_invite = true;
	return w;
}

void world_free(struct world *w)
{
	ela_rsa_free(w->owner);
	ela_rsa_free(w->recovery);
	ela_rsa_free(w->sada);
	ela_rsa_free(w->aki);
	ela_rsa_free(w->next);
	g_bytes_unref(w->genesis_bytes);
	ela_userlist_free(w->list);
	g_free(w);
}

GBytes *world_sign(const struct world *w, const struct ela_userlist *list, const struct ela_rsa *owner)
{
	GBytes *bytes = NULL;
	GError *error = NULL;

	ok(ela_userlist_sign(list, &w->genesis, owner, &bytes, &error), &error);
	return bytes;
}

struct ela_userlist *world_version(const struct world *w, uint64_t version)
{
	struct ela_userlist *list = ela_userlist_copy(w->list);

	list->version = version;
	list->issued_s = 1000 + version * 100;
	return list;
}

struct ela_grant world_grant(uint8_t token)
{
	struct ela_grant grant = {
		.user = "aki", .rights = {.may_core = true, .max_nodes = 2}, .issued_s = 900, .expires_s = WORLD_EXPIRES};

	world_public(token, grant.token_key);
	return grant;
}

GBytes *world_grant_sign(const struct world *w, struct ela_grant *grant, const struct ela_rsa *by)
{
	GBytes *bytes = NULL;
	GError *error = NULL;

	ok(ela_grant_sign(grant, w->genesis.network_id, by, &bytes, &error), &error);
	return bytes;
}

GBytes *world_claim(const struct world *w, uint8_t token, GBytes *grant, const struct ela_rsa *user, uint8_t node)
{
	uint8_t private_key[32], node_key[32];
	GBytes *bytes = NULL;
	GError *error = NULL;

	world_private(token, private_key);
	world_public(node, node_key);
	ok(ela_claim_sign(w->genesis.network_id, private_key, grant, user ? ela_rsa_public(user) : NULL,
		   user ? NULL : node_key, &bytes, &error),
		&error);
	return bytes;
}

static GBytes *sign_credential(const struct world *w, const struct ela_rsa *user, const struct ela_signer *by,
	uint8_t node, uint32_t slot, uint64_t serial)
{
	struct ela_credential c = {.slot = slot, .serial = serial, .roles = ELA_CREDENTIAL_CORE};
	uint8_t private_key[32];
	GBytes *bytes = NULL;
	GError *error = NULL;

	world_private(node, private_key);
	world_public(node, c.ed25519);
	ck_assert_int_eq(ela_x25519_public(private_key, c.x25519), 0);
	memcpy(c.user, ela_rsa_public(user)->hash, ELA_HASH_LEN);
	(void)g_snprintf(c.name, sizeof c.name, "node-%u", node);
	ok(ela_credential_sign(&c, w->genesis.network_id, by, &bytes, &error), &error);
	return bytes;
}

GBytes *world_credential(
	const struct world *w, const struct ela_rsa *user, uint8_t node, uint32_t slot, uint64_t serial)
{
	const struct ela_signer by = {.rsa = user};

	return sign_credential(w, user, &by, node, slot, serial);
}

GBytes *world_machine(const struct world *w, const struct ela_rsa *user, uint8_t token, uint8_t node, uint32_t slot)
{
	uint8_t private_key[32];
	const struct ela_signer by = {.ed25519 = private_key};

	world_private(token, private_key);
	return sign_credential(w, user, &by, node, slot, 1);
}

GBytes *world_enrol(const struct world *w, GBytes *claim, uint8_t node, GBytes *credential, uint64_t time_s)
{
	uint8_t private_key[32];
	GBytes *bytes = NULL;
	GError *error = NULL;

	world_private(node, private_key);
	ok(ela_enrolment_sign(w->genesis.network_id, private_key, claim, credential, time_s, &bytes, &error), &error);
	return bytes;
}

struct ela_lease world_lease(const struct world *w, GBytes *credential, uint32_t address)
{
	struct ela_lease lease = {
		.address = address, .role = ELA_LEASE_CORE, .incarnation = 7, .sequence = 12, .n_places = 1};
	uint8_t ip4[4];

	ela_put32(ip4, address);
	ck_assert_int_eq(ela_node_id(w->genesis.network_id, ip4, &lease.id), 0);
	ck_assert_int_eq(
		ela_object_hash(g_bytes_get_data(credential, NULL), g_bytes_get_size(credential), lease.credential), 0);
	lease.places[0] =
		(struct ela_place){.addr = {.family = ELA_ADDR_IP4, .ip = {192, 0, 2, 1}}, .tcp_port = 7450, .udp_port = 7450};
	return lease;
}

GBytes *world_record(const struct world *w, const struct ela_lease *lease, uint8_t node)
{
	uint8_t private_key[32];
	GBytes *bytes = NULL;
	GError *error = NULL;

	world_private(node, private_key);
	ok(ela_lease_sign(lease, w->genesis.network_id, private_key, &bytes, &error), &error);
	return bytes;
}

GBytes *world_mark(
	const struct world *w, GBytes *record, const struct ela_lease *lease, uint8_t node, uint8_t home, uint64_t time_s)
{
	struct ela_mark mark = {.id = lease->id, .time_s = time_s};
	g_autoptr(GBytes) bytes = NULL;
	GByteArray *both = g_byte_array_new();
	uint8_t private_key[32];
	GError *error = NULL;

	world_node_hash(node, mark.node_hash);
	world_private(home, private_key);
	ok(ela_mark_sign(&mark, w->genesis.network_id, private_key, &bytes, &error), &error);
	g_byte_array_append(both, g_bytes_get_data(record, NULL), (guint)g_bytes_get_size(record));
	g_byte_array_append(both, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
	return g_byte_array_free_to_bytes(both);
}

struct ela_membership *world_member(const struct world *w)
{
	g_autoptr(GBytes) list = world_sign(w, w->list, w->owner);
	struct ela_membership *m = NULL;

	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &ela_file_system, -1, &m, NULL), 0);
	world_offered(m, ela_membership_offer_genesis, w->genesis_bytes, 0, NULL);
	world_offered(m, ela_membership_offer_list, list, 0, NULL);
	return m;
}

void world_offered(struct ela_membership *m, world_offer offer, GBytes *bytes, int err, const char *words)
{
	g_autoptr(GError) error = NULL;
	int got = offer(m, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &error);

	ck_assert_msg(got == err, "found %d (%s), wanted %d", got, error ? error->message : "no reason", err);
	ck_assert_msg(
		err == 0 ? !error : error && strstr(error->message, words), "found %s", error ? error->message : "no reason");
}

int world_offer_credential(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	return ela_membership_offer_credential(m, bytes, len, 1500, false, NULL, error);
}
