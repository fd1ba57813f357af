/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-found: folders are there whole or not at all; what a founded network has in them is read back by those who will
 * use it: config, membership, credentials. One thread.
 */
#include "fake-plugins.h"
#include "file.h"
#include "inet.h"
#include "keys.h"
#include "membership.h"
#include "net-folders.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct net_folders *net; /* never changed */

static void expect_mode(const char *folder, const char *name, mode_t mode)
{
	g_autofree char *file = net_path(folder, name);
	struct stat st;

	ck_assert_msg(stat(file, &st) == 0, "%s is not there", file);
	ck_assert_msg((st.st_mode & 07777) == mode, "%s has mode %04o", file, (unsigned)(st.st_mode & 07777));
}

static void expect_names(const char *folder, const char *names)
{
	g_autofree char *found = net_names(folder);

	ck_assert_str_eq(found, names);
}

/* ---- folders ---- */

static struct ela_folders *begin(const char *config, const char *state)
{
	struct ela_folders *folders = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_msg(ela_folders_begin(config, state, &folders, &error) == 0, "%s", error ? error->message : "");
	return folders;
}

static void refused(const char *config, const char *state, const char *words)
{
	struct ela_folders *folders = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(ela_folders_begin(config, state, &folders, &error), -EEXIST);
	ck_assert_msg(strstr(error->message, words) != NULL, "found %s", error->message);
	ck_assert_ptr_null(folders);
}

START_TEST(whole_or_not_at_all)
{
	struct net_folders *copy = net_folders_copy(net);
	g_autofree char *a = net_path(copy->dir, "a"), *b = net_path(copy->dir, "b"), *slash = g_strconcat(a, "/", NULL);
	struct ela_folders *folders = begin(slash, b);

	net_write(ela_folders_config(folders), ELA_INI_FILE, "x");
	net_write(ela_folders_state(folders), "list", "y");
	ck_assert(!g_file_test(a, G_FILE_TEST_EXISTS) && !g_file_test(b, G_FILE_TEST_EXISTS));
	ela_folders_free(folders); /* given up */
	expect_names(copy->dir, "etc var");
	folders = begin(slash, b);
	net_write(ela_folders_config(folders), ELA_INI_FILE, "x");
	net_write(ela_folders_state(folders), "list", "y");
	ck_assert_int_eq(ela_folders_finish(folders, NULL), 0);
	ela_folders_free(folders);
	expect_names(copy->dir, "a b etc var");
	expect_names(a, ELA_INI_FILE);
	expect_names(b, "list");
	expect_mode(copy->dir, "a", 0755);
	expect_mode(copy->dir, "b", 0750);
	refused(a, NULL, "has a network already, which is never overwritten; choose another folder");
	net_folders_clear(copy);
}
END_TEST

START_TEST(taken_folders)
{
	struct net_folders *copy = net_folders_copy(net);
	g_autofree char *empty = net_path(copy->dir, "empty"), *full = net_path(copy->dir, "full");
	g_autofree char *file = net_path(copy->dir, "file");
	struct ela_folders *folders;

	ck_assert_int_eq(mkdir(empty, 0700) | mkdir(full, 0700), 0);
	net_write(full, "note", "mine");
	net_write(copy->dir, "file", "mine");
	refused(full, NULL, "is there already and is no empty folder");
	refused(file, NULL, "is there already and is no empty folder");
	refused(empty, full, "is there already and is no empty folder");
	expect_names(copy->dir, "empty etc file full var");
	folders = begin(empty, empty); /* one for both */
	ck_assert_str_eq(ela_folders_config(folders), ela_folders_state(folders));
	net_write(ela_folders_config(folders), ELA_INI_FILE, "x");
	ck_assert_int_eq(ela_folders_finish(folders, NULL), 0);
	ela_folders_free(folders);
	expect_names(empty, ELA_INI_FILE);
	net_folders_clear(copy);
}
END_TEST

/* Somebody takes the place meanwhile: nothing of his is touched, nothing of ours stays. */
START_TEST(overtaken)
{
	struct net_folders *copy = net_folders_copy(net);
	g_autofree char *a = net_path(copy->dir, "a"), *b = net_path(copy->dir, "b");
	struct ela_folders *folders = begin(a, b);
	g_autoptr(GError) error = NULL;

	net_write(ela_folders_state(folders), "list", "y");
	ck_assert_int_eq(mkdir(a, 0700), 0);
	net_write(a, "note", "his");
	ck_assert_int_lt(ela_folders_finish(folders, &error), 0);
	ck_assert_ptr_nonnull(error);
	ela_folders_free(folders);
	expect_names(copy->dir, "a etc var");
	expect_names(a, "note");
	net_folders_clear(copy);
}
END_TEST

START_TEST(nowhere_to_write)
{
	g_autofree char *file = net_path(net->config, ELA_INI_FILE), *below = net_path(file, "x");
	struct ela_folders *folders = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(ela_folders_begin(below, NULL, &folders, &error), -ENOTDIR);
	ck_assert_msg(strstr(error->message, "cannot be made") != NULL, "found %s", error->message);
}
END_TEST

/* ---- a network ---- */

START_TEST(files)
{
	static const char *const secrets[] = {"node.key", "node-sign.key", "user.pem", "recovery.pem"};
	static const char *const state[] = {"credential", "credentials", "genesis", "list"};

	expect_names(net->config, "ela.ini node-sign.key node.key recovery.pem user.pem");
	for (size_t i = 0; i < G_N_ELEMENTS(secrets); i++)
		expect_mode(net->config, secrets[i], 0600);
	expect_mode(net->config, ELA_INI_FILE, 0644);
	for (size_t i = 0; i < G_N_ELEMENTS(state); i++)
		expect_mode(net->state, state[i], 0600);
}
END_TEST

START_TEST(ini)
{
	static const char *const no_dirs[] = {NULL};
	g_autofree char *file = net_path(net->config, ELA_INI_FILE), *key = net_path(net->config, ELA_NODE_KEY_FILE);
	g_autoptr(GBytes) genesis = net_read(net->state, "genesis");
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	struct ela_loader *loader = fake_loader_new(no_dirs);
	struct ela_config *config = ela_config_load(file, loader, 0, errors);
	uint8_t id[ELA_HASH_LEN];
	char prefix[ELA_INET_TEXT];

	ck_assert_msg(config != NULL, "%s", errors->len ? (const char *)errors->pdata[0] : "");
	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(genesis, NULL), g_bytes_get_size(genesis), id), 0);
	ck_assert(config->has_ring);
	ck_assert_mem_eq(config->network_id, id, sizeof id);
	ck_assert_str_eq(config->network_name, "lab");
	ela_inet_prefix_text(&config->network_prefix, prefix);
	ck_assert_str_eq(prefix, ELA_FOUND_PREFIX);
	ck_assert_uint_eq(config->n_bootstraps, 0);
	ck_assert_str_eq(config->name, "a");
	ck_assert_uint_eq(config->wish4.family, ELA_ADDR_NONE);
	ck_assert_int_eq(config->role, ELA_CONFIG_AUTO);
	ck_assert_str_eq(config->private_key_file, key);
	ck_assert_ptr_eq(config->ciphers[0]->descriptor, &fake_cipher_aead);
	ck_assert_ptr_null(config->ciphers[1]);
	ela_config_free(config);
	ela_loader_free(loader);
}
END_TEST

static void public_of(const char *name, int (*half)(const uint8_t *, uint8_t *), uint8_t ret[32])
{
	g_autofree char *file = net_path(net->config, name);
	uint8_t private_key[32];

	ck_assert_int_eq(ela_key_read(file, private_key, NULL), 0);
	ck_assert_int_eq(half(private_key, ret), 0);
}

/* The credential of the state folder is the user's word for the keys beside ela.ini. */
START_TEST(credential)
{
	g_autoptr(GBytes) genesis_bytes = net_read(net->state, "genesis"), bytes = net_read(net->state, "credential");
	struct ela_rsa *user = net_rsa(net->config, ELA_USER_KEY_FILE), *recovery = net_rsa(net->config, "recovery.pem");
	const struct ela_verifier by = {.rsa = ela_rsa_public(user)};
	struct ela_genesis genesis;
	struct ela_credential c;
	uint8_t id[ELA_HASH_LEN], key[32];
	gsize len;
	const void *data = g_bytes_get_data(genesis_bytes, &len);

	ck_assert_int_eq(ela_object_hash(data, len, id), 0);
	ck_assert_int_eq(ela_genesis_parse(id, data, len, &genesis, NULL), 0);
	ck_assert_mem_eq(genesis.owner.hash, ela_rsa_public(user)->hash, ELA_HASH_LEN);
	ck_assert_mem_eq(genesis.recovery_hash, ela_rsa_public(recovery)->hash, ELA_HASH_LEN);
	ck_assert_mem_ne(genesis.recovery_hash, genesis.owner.hash, ELA_HASH_LEN);
	data = g_bytes_get_data(bytes, &len);
	ck_assert_int_eq(ela_credential_parse(id, &by, data, len, &c, NULL), 0);
	public_of(ELA_NODE_KEY_FILE, ela_x25519_public, key);
	ck_assert_mem_eq(c.x25519, key, 32);
	public_of(ELA_SIGN_KEY_FILE, ela_ed25519_public, key);
	ck_assert_mem_eq(c.ed25519, key, 32);
	ck_assert_mem_eq(c.user, ela_rsa_public(user)->hash, ELA_HASH_LEN);
	ck_assert_str_eq(c.name, "a");
	ck_assert(c.slot == 0 && c.serial == 1 && c.roles == ELA_CREDENTIAL_CORE);
	ela_rsa_free(user);
	ela_rsa_free(recovery);
}
END_TEST

START_TEST(membership)
{
	g_autoptr(GBytes) genesis = net_read(net->state, "genesis"), bytes = net_read(net->state, "credential");
	struct ela_rsa *user = net_rsa(net->config, ELA_USER_KEY_FILE);
	int fd = open(net->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ela_membership *m = NULL;
	const struct ela_userlist *list;
	struct ela_rights rights;
	uint8_t id[ELA_HASH_LEN], hash[ELA_HASH_LEN];

	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(genesis, NULL), g_bytes_get_size(genesis), id), 0);
	ck_assert_int_eq(ela_membership_new(id, &ela_file_system, fd, &m, NULL), 0);
	list = ela_membership_list(m);
	ck_assert(list && list->epoch == 0 && list->version == 1 && list->n_users == 1 && list->mtu == 0);
	ck_assert_uint_eq(list->issued_s, NET_NOW);
	ck_assert_uint_eq(list->valid_until_s, NET_NOW + ELA_FOUND_VALID_S);
	ck_assert_uint_eq(list->n_suites, 2);
	ck_assert_str_eq(list->suites[0], "aes-256-gcm");
	ck_assert_str_eq(list->users[0].name, "sada");
	ck_assert(ela_membership_authorised(m, ela_rsa_public(user)->hash, &rights));
	ck_assert(rights.may_core && rights.may_invite && rights.max_nodes == ELA_FOUND_NODES);
	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), hash), 0);
	ck_assert_ptr_nonnull(ela_membership_credential(m, hash));
	ck_assert(ela_membership_has_slot(m, ela_rsa_public(user)->hash, 0));
	ck_assert(!ela_membership_has_slot(m, ela_rsa_public(user)->hash, 1));
	ck_assert(!ela_membership_has_slot(m, hash, 0));
	ela_membership_free(m);
	ela_rsa_free(user);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(refusals)
{
	static const struct {
		const char *network, *user, *node, *prefix, *words;
	} rows[] = {
		{"a b", "sada", "a", "10.77.0.0/24", "\"a b\" is no name"},
		{"lab", "", "a", "10.77.0.0/24", "\"\" is no name"},
		{"lab", "sada", ".a", "10.77.0.0/24", "\".a\" is no name"},
		{"lab", "sada", "a", "10.77.0.0/29", "not a prefix for a network"},
		{"lab", "sada", "a", "10.77.0.1/24", "not a prefix for a network"},
		{"lab", "sada", "a", "127.0.0.0/8", "not a prefix for a network"},
		{"lab", "sada", "a", "10.0.0.0/7", "not a prefix for a network"},
		{"lab", "sada", "a", "fd00::/24", "not a prefix for a network"},
	};
	g_autofree char *other = net_path(net->dir, "other");
	struct ela_folders *folders = begin(other, NULL);
	struct ela_found found = net_found(folders);
	g_autoptr(GError) error = NULL;

	found.network = rows[_i].network;
	found.user = rows[_i].user;
	(void)g_strlcpy(found.outfit.node.name, rows[_i].node, ELA_NAME_ROOM);
	ck_assert_int_eq(ela_inet_prefix(rows[_i].prefix, &found.outfit.prefix), 0);
	ck_assert_int_eq(ela_found(&found, &error), -EINVAL);
	ck_assert_msg(strstr(error->message, rows[_i].words) != NULL, "found %s", error->message);
	ck_assert(!g_file_test(other, G_FILE_TEST_EXISTS));
	ela_folders_free(folders);
}
END_TEST

START_TEST(node_names)
{
	static const struct {
		const char *host, *name;
	} rows[] = {{"laptop", "laptop"}, {"laptop.example.org", "laptop"}, {"", "host"}, {".x", "host"},
		{"\xc3\xa4", "host"}, {"a_b-1", "a_b-1"}, {"a b", "ab"}};
	char name[ELA_NAME_ROOM];
	g_autofree char *longer = g_strnfill(100, 'x');

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		ela_outfit_name(rows[i].host, name);
		ck_assert_str_eq(name, rows[i].name);
		ck_assert(ela_key_is_name(name));
	}
	ela_outfit_name(longer, name);
	ck_assert(strlen(name) == 63 && ela_key_is_name(name));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("found");
	TCase *folders = tcase_create("folders"), *network = tcase_create("network");
	SRunner *runner;
	int failed;

	net = net_folders_new();
	tcase_set_timeout(folders, 200);
	tcase_set_timeout(network, 200);
	tcase_add_test(folders, whole_or_not_at_all);
	tcase_add_test(folders, taken_folders);
	tcase_add_test(folders, overtaken);
	tcase_add_test(folders, nowhere_to_write);
	tcase_add_test(network, files);
	tcase_add_test(network, ini);
	tcase_add_test(network, credential);
	tcase_add_test(network, membership);
	tcase_add_loop_test(network, refusals, 0, 8);
	tcase_add_test(network, node_names);
	suite_add_tcase(suite, folders);
	suite_add_tcase(suite, network);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	net_folders_remove(net);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
