/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-join: from a founder's folders to a token, from the token to another node's folders, and what that node has made
 * is taken by the founder's membership: the claim is admitted, the credential is good. One thread.
 */
#include "fake-plugins.h"
#include "file.h"
#include "inet.h"
#include "invite.h"
#include "join.h"
#include "keys.h"
#include "membership.h"
#include "net-folders.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPIRES (NET_NOW + 1000u)

static struct net_folders *net;   /* never changed */
static struct net_folders *here;  /* a copy, of each test: the founder's */
static struct ela_folders *there; /* of the node that joins */
static char *joined;              /* where they will be */
static struct ela_token token;

static void setup(void)
{
	g_autoptr(GError) error = NULL;

	here = net_folders_copy(net);
	joined = net_path(here->dir, "joined");
	ck_assert_int_eq(ela_folders_begin(joined, NULL, &there, &error), 0);
}

static void teardown(void)
{
	ela_folders_free(there);
	there = NULL;
	net_folders_clear(here);
	g_free(joined);
	ela_token_clear(&token);
}

/* The token of the founder: for aki, or for a further machine of sada's. */
static void invite(bool is_machine, bool may_core)
{
	struct ela_rights rights = {.may_core = may_core, .max_nodes = 2};
	static const struct ela_place places[] = {
		{{.family = ELA_ADDR_IP4, .ip = {198, 51, 100, 7}}, 7000, 7001},
		{{.family = ELA_ADDR_IP6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 7}}, 0, 7002},
	};
	struct ela_inviter *inviter = NULL;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	int err;

	ck_assert_int_eq(ela_inviter_new(here->config, here->state, NET_NOW, &inviter, NULL), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		ck_assert_int_eq(ela_inviter_add_place(inviter, &places[i], NULL), 0);
	err = is_machine ? ela_invite_machine(inviter, "laptop", EXPIRES, &text, &error)
					 : ela_invite_user(inviter, "aki", &rights, EXPIRES, &text, &error);
	ck_assert_msg(err == 0, "%s", error ? error->message : "");
	ela_inviter_free(inviter);
	ck_assert_int_eq(ela_token_parse(text, NET_NOW, &token, NULL), 0);
}

static struct ela_outfit wanted(const char *name, const char *wish)
{
	struct ela_outfit join = {.cipher = "aead, blowfish"};

	join.config_dir = ela_folders_config(there);
	join.state_dir = ela_folders_state(there);
	(void)g_strlcpy(join.node.name, name, ELA_NAME_ROOM);
	if (wish)
		ck_assert_int_eq(ela_inet_addr(wish, &join.wish), 0);
	return join;
}

static void make(struct ela_outfit *join)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(ela_join(join, &token, &error) == 0, "%s", error ? error->message : "");
	ck_assert_int_eq(ela_folders_finish(there, NULL), 0);
}

static struct ela_config *load_ini(void)
{
	static const char *const no_dirs[] = {NULL};
	static struct ela_loader *loader;
	g_autofree char *file = net_path(joined, ELA_INI_FILE);
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	struct ela_config *config;

	if (!loader)
		loader = fake_loader_new(no_dirs);
	config = ela_config_load(file, loader, 0, errors);
	ck_assert_msg(config != NULL, "%s", errors->len ? (const char *)errors->pdata[0] : "");
	return config;
}

/* What the founder's node says of the claim and the credential that the other has made. */
static void expect_let_in(const char *user, uint32_t slot, uint32_t roles)
{
	g_autoptr(GBytes) claim = net_read(joined, ELA_CLAIM_FILE), bytes = net_read(joined, ELA_CREDENTIAL_FILE);
	g_autoptr(GBytes) own = net_read(here->state, ELA_CREDENTIAL_FILE), enrolment = NULL;
	g_autofree char *key_file = net_path(here->config, ELA_SIGN_KEY_FILE),
					*own_key = net_path(joined, ELA_SIGN_KEY_FILE);
	g_autoptr(GError) error = NULL;
	const struct ela_credential *credential = NULL;
	int fd = open(here->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ela_membership *m = NULL;
	uint8_t private_key[32], public_key[32];
	char name[ELA_NAME_ROOM];

	ck_assert_int_eq(ela_key_read(key_file, private_key, NULL), 0);
	ck_assert_int_eq(ela_membership_new(token.network_id, &ela_file_system, fd, &m, NULL), 0);
	ck_assert_msg(ela_membership_admit(m, g_bytes_get_data(claim, NULL), g_bytes_get_size(claim), own, private_key,
					  NET_NOW + 5, &enrolment, &error) == 0,
		"%s", error ? error->message : "");
	ck_assert_msg(ela_membership_offer_credential(m, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
					  NET_NOW + 5, false, &credential, &error) == 0,
		"%s", error ? error->message : "");
	ck_assert(ela_membership_user_name(m, credential->user, name));
	ck_assert_str_eq(name, user);
	ck_assert(credential->slot == slot && credential->serial == 1 && credential->roles == roles);
	ck_assert_int_eq(ela_key_read(own_key, private_key, NULL), 0);
	ck_assert_int_eq(ela_ed25519_public(private_key, public_key), 0);
	ck_assert_mem_eq(credential->ed25519, public_key, 32);
	ela_membership_free(m);
	ck_assert_int_eq(close(fd), 0);
}

START_TEST(new_user)
{
	struct ela_outfit join;
	struct ela_config *config;
	g_autofree char *names = NULL;

	invite(false, true);
	join = wanted("desk", "10.77.0.9");
	make(&join);
	names = net_names(joined);
	ck_assert_str_eq(names, "claim cores credential ela.ini node-sign.key node.key user.pem");
	config = load_ini();
	ck_assert_mem_eq(config->network_id, token.network_id, ELA_NETWORK_LEN);
	ck_assert_str_eq(config->network_name, "lab");
	ck_assert(ela_inet_prefix_equal(&config->network_prefix, &token.prefix));
	ck_assert_str_eq(config->name, "desk");
	ck_assert_mem_eq(config->wish4.ip, "\x0a\x4d\0\x09", 4);
	ck_assert_uint_eq(config->n_bootstraps, 2);
	ck_assert_str_eq(config->bootstraps[0].host, "198.51.100.7");
	ck_assert_uint_eq(config->bootstraps[0].port, 7000);
	ck_assert_str_eq(config->bootstraps[1].host, "2001:db8::7");
	ck_assert_uint_eq(config->bootstraps[1].port, 7002); /* it has no other */
	ck_assert_ptr_eq(config->ciphers[1]->descriptor, &fake_cipher_blowfish);
	ela_config_free(config);
	expect_let_in("aki", 0, ELA_CREDENTIAL_CORE);
}
END_TEST

START_TEST(edge_only)
{
	struct ela_outfit join;

	invite(false, false);
	join = wanted("desk", NULL);
	make(&join);
	expect_let_in("aki", 0, 0);
}
END_TEST

/* No key of the user comes along. */
START_TEST(machine)
{
	struct ela_outfit join;
	struct ela_config *config;
	g_autofree char *names = NULL;

	invite(true, false);
	ck_assert_str_eq(token.node_name, "laptop");
	ck_assert_uint_eq(token.slot, 1);
	join = wanted(token.node_name, NULL);
	make(&join);
	names = net_names(joined);
	ck_assert_str_eq(names, "claim cores credential ela.ini node-sign.key node.key");
	config = load_ini();
	ck_assert_str_eq(config->name, "laptop");
	ck_assert_uint_eq(config->wish4.family, ELA_ADDR_NONE);
	ela_config_free(config);
	expect_let_in("sada", 1, ELA_CREDENTIAL_CORE);
}
END_TEST

/* With the keys by which they are called: ela.ini has none. */
START_TEST(cores)
{
	struct ela_outfit join;
	struct ela_token_core read[ELA_TOKEN_CORES];
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GError) error = NULL;
	const uint8_t *data;
	uint32_t n = 7;
	gsize len;

	invite(false, true);
	join = wanted("desk", NULL);
	make(&join);
	bytes = net_read(joined, ELA_CORES_FILE);
	data = g_bytes_get_data(bytes, &len);
	ck_assert_int_eq(ela_token_parse_cores(data, len, read, ELA_TOKEN_CORES, &n, NULL), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_mem_eq(read, token.cores, 2 * sizeof read[0]);
	n = 7;
	for (gsize cut = 0; cut < len; cut++)
		ck_assert_int_eq(ela_token_parse_cores(data, cut, read, ELA_TOKEN_CORES, &n, NULL), -EBADMSG);
	ck_assert_int_eq(ela_token_parse_cores("\4", 1, read, ELA_TOKEN_CORES, &n, &error), -EBADMSG);
	ck_assert_uint_eq(n, 7);
	ck_assert_int_eq(ela_token_parse_cores("\0x", 2, read, ELA_TOKEN_CORES, &n, NULL), -EBADMSG);
	ck_assert_int_eq(ela_token_parse_cores("\0", 1, read, ELA_TOKEN_CORES, &n, NULL), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* What was typed comes first and is not repeated; ela.ini takes 16. */
START_TEST(bootstraps)
{
	static const char *const two[] = {"core.example", "198.51.100.7:7000", NULL};
	const char *many[18] = {NULL};
	char texts[16][8];
	struct ela_outfit join;
	struct ela_config *config;

	invite(false, true);
	join = wanted("desk", NULL);
	join.bootstraps = two;
	make(&join);
	config = load_ini();
	ck_assert_uint_eq(config->n_bootstraps, 3);
	ck_assert_str_eq(config->bootstraps[0].host, "core.example");
	ck_assert_str_eq(config->bootstraps[2].host, "2001:db8::7");
	ela_config_free(config);
	teardown();
	setup();
	invite(false, true);
	for (int i = 0; i < 16; i++) {
		(void)g_snprintf(texts[i], sizeof texts[i], "core%d", i);
		many[i] = texts[i];
	}
	join = wanted("desk", NULL);
	join.bootstraps = many;
	many[16] = "one-more";
	ck_assert_int_eq(ela_join(&join, &token, NULL), -EINVAL);
	many[16] = NULL;
	join = wanted("desk", NULL);
	join.bootstraps = many;
	make(&join);
	config = load_ini();
	ck_assert_uint_eq(config->n_bootstraps, 16);
	ck_assert_str_eq(config->bootstraps[15].host, "core15");
	ela_config_free(config);
}
END_TEST

/* A token may say what it likes: ela.ini gets only what elad takes. */
START_TEST(odd_cores)
{
	struct ela_outfit join;
	struct ela_config *config;

	invite(false, true);
	memcpy(token.cores[0].place.addr.ip, "\x0a\x4d\0\1", 4); /* 10.77.0.1 */
	join = wanted("desk", NULL);
	make(&join);
	config = load_ini();
	ck_assert_uint_eq(config->n_bootstraps, 1);
	ck_assert_str_eq(config->bootstraps[0].host, "2001:db8::7");
	ela_config_free(config);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *name, *wish, *words, *bootstraps[3];
	} rows[] = {{"a", NULL, "b: is no endpoint; expected HOST:PORT", {"b:"}},
		{"a", NULL, "127.0.0.1 cannot be called", {"b", "127.0.0.1"}},
		{"a", NULL, "10.77.0.1:7450 cannot be called", {"10.77.0.1:7450"}}, {"a", NULL, "b is given twice", {"b", "b"}},
		{"a b", NULL, "\"a b\" is no name for a node"}, {"", NULL, "is no name"},
		{"a", "10.77.1.1", "10.77.1.1 is not the address of a host in the network; expected one of 10.77.0.0/24"},
		{"a", "10.77.0.0", "is not the address"}, {"a", "10.77.0.255", "is not the address"},
		{"a", "fd00::1", "is not the address"}};

	invite(false, true);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ela_outfit join = wanted(rows[i].name, rows[i].wish);
		g_autoptr(GError) error = NULL;
		g_autofree char *names = NULL;

		join.bootstraps = rows[i].bootstraps;
		ck_assert_int_eq(ela_join(&join, &token, &error), -EINVAL);
		ck_assert_msg(strstr(error->message, rows[i].words) != NULL, "found %s", error->message);
		names = net_names(ela_folders_config(there));
		ck_assert_str_eq(names, "");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("join");
	TCase *tc = tcase_create("join");
	SRunner *runner;
	int failed;

	net = net_folders_new();
	tcase_set_timeout(tc, 200);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, new_user);
	tcase_add_test(tc, edge_only);
	tcase_add_test(tc, machine);
	tcase_add_test(tc, cores);
	tcase_add_test(tc, bootstraps);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, odd_cores);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	net_folders_remove(net);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
