/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-invite: tokens from the folders of a founded network: what is in them, who may make which, slots of further
 * machines, addresses that are worth to be in one. One thread.
 */
#include "file.h"
#include "folders.h"
#include "inet.h"
#include "invite.h"
#include "membership.h"
#include "net-folders.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPIRES (NET_NOW + 1000u)

static struct net_folders *net;  /* never changed */
static struct ela_rsa *aki;      /* another user's key */
static struct net_folders *here; /* a copy, of each test */
static const struct ela_rights rights = {.may_core = true, .max_nodes = ELA_INVITE_NODES};

static void setup(void)
{
	here = net_folders_copy(net);
}

static void teardown(void)
{
	net_folders_clear(here);
}

static struct ela_inviter *inviter_at(uint64_t now_s)
{
	struct ela_inviter *inviter = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_msg(
		ela_inviter_new(here->config, here->state, now_s, &inviter, &error) == 0, "%s", error ? error->message : "");
	return inviter;
}

static void no_inviter(uint64_t now_s, int err, const char *words)
{
	struct ela_inviter *inviter = NULL;
	g_autoptr(GError) error = NULL;
	int found = ela_inviter_new(here->config, here->state, now_s, &inviter, &error);

	ck_assert_msg(found == err && strstr(error->message, words), "found %d %s", found, error ? error->message : "");
	ck_assert_ptr_null(inviter);
}

static void edit_ini(const char *old, const char *fresh)
{
	g_autoptr(GBytes) bytes = net_read(here->config, ELA_INI_FILE);
	g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	g_auto(GStrv) parts = g_strsplit(text, old, 2);
	g_autofree char *edited = NULL;

	ck_assert_uint_eq(g_strv_length(parts), 2);
	edited = g_strjoinv(fresh, parts);
	net_write(here->config, ELA_INI_FILE, edited);
}

/* The network's list with aki in it, and his key as the one of this machine. */
static void be_aki(struct ela_rights his)
{
	struct ela_rsa *owner = net_rsa(here->config, ELA_USER_KEY_FILE);
	g_autofree char *file = net_path(here->config, ELA_USER_KEY_FILE);
	g_autoptr(GBytes) genesis = net_read(here->state, "genesis"), bytes = NULL;
	int fd = open(here->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ela_membership *m = NULL;
	struct ela_userlist *list;
	struct ela_user *user;
	uint8_t id[ELA_HASH_LEN];

	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(genesis, NULL), g_bytes_get_size(genesis), id), 0);
	ck_assert_int_eq(ela_membership_new(id, &ela_file_system, fd, &m, NULL), 0);
	list = ela_userlist_copy(ela_membership_list(m));
	list->version++;
	user = ela_userlist_add_user(list);
	(void)g_strlcpy(user->name, "aki", sizeof user->name);
	user->key = *ela_rsa_public(aki);
	user->rights = his;
	ck_assert_int_eq(ela_userlist_sign(list, ela_membership_genesis(m), owner, &bytes, NULL), 0);
	ck_assert_int_eq(ela_membership_offer_list(m, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL), 0);
	ela_userlist_free(list);
	ela_membership_free(m);
	ela_rsa_free(owner);
	ck_assert_int_eq(close(fd) | unlink(file), 0);
	ck_assert_int_eq(ela_rsa_write(aki, here->config, ELA_USER_KEY_FILE, NULL), 0);
}

static struct ela_place place(const char *text)
{
	struct ela_place ret = {.tcp_port = 7450, .udp_port = 7451};

	ck_assert_int_eq(ela_inet_addr(text, &ret.addr), 0);
	return ret;
}

static void parse(const char *text, struct ela_token *ret)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(ela_token_parse(text, NET_NOW, ret, &error) == 0, "%s", error ? error->message : "");
}

static void expect_signed_by_owner(const struct ela_token *token)
{
	struct ela_rsa *owner = net_rsa(net->config, ELA_USER_KEY_FILE);
	struct ela_grant grant;

	ck_assert_int_eq(
		ela_grant_parse(token->network_id, ela_rsa_public(owner), g_bytes_get_data(token->grant_bytes, NULL),
			g_bytes_get_size(token->grant_bytes), &grant, NULL),
		0);
	ela_rsa_free(owner);
}

/* ---- tokens ---- */

START_TEST(user_token)
{
	struct ela_inviter *inviter = inviter_at(NET_NOW);
	struct ela_place first = place("198.51.100.7"), second = place("2001:db8::7");
	g_autoptr(GBytes) genesis = net_read(net->state, "genesis");
	struct ela_rights guest = {.may_invite = true, .max_nodes = 7};
	g_autofree char *text = NULL, *other = NULL;
	struct ela_token token = {0}, next = {0};
	uint8_t id[ELA_HASH_LEN];

	ck_assert_int_eq(ela_inviter_add_place(inviter, &first, NULL), 0);
	ck_assert_int_eq(ela_inviter_add_place(inviter, &second, NULL), 0);
	ck_assert_int_eq(ela_invite_user(inviter, "aki", &guest, EXPIRES, &text, NULL), 0);
	ck_assert_int_eq(ela_invite_user(inviter, "aki", &rights, EXPIRES, &other, NULL), 0);
	ela_inviter_free(inviter);
	parse(text, &token);
	ck_assert_int_eq(ela_object_hash(g_bytes_get_data(genesis, NULL), g_bytes_get_size(genesis), id), 0);
	ck_assert_mem_eq(token.network_id, id, sizeof id);
	ck_assert_str_eq(token.network_name, "lab");
	ck_assert_mem_eq(token.prefix.addr.ip, "\x0a\x4d\0\0", 4);
	ck_assert_uint_eq(token.prefix.bits, 24);
	ck_assert(token.slot == 0 && *token.node_name == '\0' && token.n_cores == 2);
	ck_assert_mem_eq(&token.cores[0].place, &first, sizeof first);
	ck_assert_mem_eq(&token.cores[1].place, &second, sizeof second);
	ck_assert_str_eq(token.grant.user, "aki");
	ck_assert(!token.grant.is_machine && !token.grant.rights.may_core && token.grant.rights.may_invite);
	ck_assert_uint_eq(token.grant.rights.max_nodes, 7);
	ck_assert(token.grant.issued_s == NET_NOW && token.grant.expires_s == EXPIRES && token.grant.reserved.n == 0);
	expect_signed_by_owner(&token);
	parse(other, &next); /* each has keys of its own */
	ck_assert_mem_ne(token.private_key, next.private_key, 32);
	ck_assert(next.grant.rights.may_core && !next.grant.rights.may_invite);
	ela_token_clear(&token);
	ela_token_clear(&next);
}
END_TEST

/* The key by which newcomers call this node is the one of its credential. */
START_TEST(own_key)
{
	struct ela_inviter *inviter = inviter_at(NET_NOW);
	struct ela_place first = place("198.51.100.7");
	g_autoptr(GBytes) bytes = net_read(net->state, ELA_CREDENTIAL_FILE);
	struct ela_credential credential;
	g_autofree char *text = NULL;
	struct ela_token token = {0};

	ck_assert_int_eq(ela_inviter_add_place(inviter, &first, NULL), 0);
	ck_assert_int_eq(ela_invite_user(inviter, "aki", &rights, EXPIRES, &text, NULL), 0);
	parse(text, &token);
	ck_assert_int_eq(ela_credential_parse(token.network_id, NULL, g_bytes_get_data(bytes, NULL),
						 g_bytes_get_size(bytes), &credential, NULL),
		0);
	ck_assert_mem_eq(token.cores[0].x25519, credential.x25519, 32);
	ela_token_clear(&token);
	ela_inviter_free(inviter);
}
END_TEST

static void no_user(const char *name, struct ela_rights asked, int err, const char *words)
{
	struct ela_inviter *inviter = inviter_at(NET_NOW);
	g_autoptr(GError) error = NULL;
	char *text = NULL;
	int found = ela_invite_user(inviter, name, &asked, EXPIRES, &text, &error);

	ck_assert_msg(found == err && strstr(error->message, words), "found %d %s", found, error ? error->message : "");
	ck_assert_ptr_null(text);
	ela_inviter_free(inviter);
}

START_TEST(users_refused)
{
	no_user("sada", rights, -EEXIST, "there is a user sada already");
	no_user("a b", rights, -EINVAL, "\"a b\" is no name");
	no_user("", rights, -EINVAL, "is no name");
	no_user("aki", (struct ela_rights){.max_nodes = 0}, -EINVAL, "1 to 1024 nodes");
	no_user("aki", (struct ela_rights){.max_nodes = 1025}, -EINVAL, "1 to 1024 nodes");
}
END_TEST

/* Who is not the owner gives no more than he has, and never the right to invite. */
START_TEST(by_a_user)
{
	struct ela_inviter *inviter;
	g_autofree char *text = NULL;
	struct ela_token token = {0};

	be_aki((struct ela_rights){.may_core = true, .may_invite = true, .max_nodes = 4});
	no_user("kin", (struct ela_rights){.may_core = true, .max_nodes = 5}, -EACCES,
		"may have 4 nodes, and can give no more");
	no_user("kin", (struct ela_rights){.may_invite = true, .max_nodes = 1}, -EACCES, "only the owner");
	inviter = inviter_at(NET_NOW);
	ck_assert_int_eq(ela_invite_user(inviter, "kin", &rights, EXPIRES, &text, NULL), 0);
	ela_inviter_free(inviter);
	parse(text, &token);
	ck_assert_mem_eq(token.grant.signer, ela_rsa_public(aki)->hash, ELA_HASH_LEN);
	ela_token_clear(&token);
}
END_TEST

START_TEST(by_a_guest)
{
	be_aki((struct ela_rights){.may_invite = true, .max_nodes = 4});
	no_user("kin", rights, -EACCES, "--edge-only");
	teardown();
	setup();
	be_aki((struct ela_rights){.may_core = true, .max_nodes = 4});
	no_user("kin", rights, -EACCES, "may not invite; the owner can");
}
END_TEST

/* ---- machines ---- */

static uint32_t machine_slot(uint64_t now_s, uint64_t expires_s, const char *node_name)
{
	struct ela_inviter *inviter = inviter_at(now_s);
	g_autofree char *text = NULL;
	struct ela_token token = {0};
	uint32_t slot;

	ck_assert_int_eq(ela_invite_machine(inviter, node_name, expires_s, &text, NULL), 0);
	ela_inviter_free(inviter);
	ck_assert_int_eq(ela_token_parse(text, now_s, &token, NULL), 0);
	ck_assert(token.grant.is_machine && token.grant.rights.max_nodes == 0 && token.grant.expires_s == expires_s);
	ck_assert_str_eq(token.grant.user, "sada");
	ck_assert_str_eq(token.node_name, node_name ? node_name : "");
	expect_signed_by_owner(&token);
	slot = token.slot;
	ela_token_clear(&token);
	return slot;
}

/* No slot is given twice while a token for it is out, and none that a node has. */
START_TEST(slots)
{
	struct ela_inviter *inviter;
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	ck_assert_uint_eq(machine_slot(NET_NOW, EXPIRES, "b"), 1);
	ck_assert_uint_eq(machine_slot(NET_NOW, EXPIRES + 500, NULL), 2);
	ck_assert_uint_eq(machine_slot(EXPIRES, EXPIRES + 1, "c"), 3);
	ck_assert_uint_eq(machine_slot(EXPIRES + 2, EXPIRES + 900, "d"), 1); /* those of 1 and 3 are over */
	for (uint32_t slot = 3; slot < ELA_FOUND_NODES; slot++)
		ck_assert_uint_eq(machine_slot(EXPIRES + 2, EXPIRES + 900, "e"), slot);
	inviter = inviter_at(EXPIRES + 2);
	ck_assert_int_eq(ela_invite_machine(inviter, "f", EXPIRES + 900, &text, &error), -ENOSPC);
	ck_assert_msg(strstr(error->message, "sada may have 16 nodes") != NULL, "found %s", error->message);
	ck_assert_ptr_null(text);
	ela_inviter_free(inviter);
	g_clear_error(&error);
	inviter = inviter_at(NET_NOW);
	ck_assert_int_eq(ela_invite_machine(inviter, "a b", EXPIRES, &text, &error), -EINVAL);
	ela_inviter_free(inviter);
}
END_TEST

/* A user who is not the owner, for himself; a broken file of slots gives none. */
START_TEST(machine_of_a_user)
{
	struct ela_inviter *inviter;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct ela_token token = {0};
	char *none = NULL;

	be_aki((struct ela_rights){.max_nodes = 1});
	inviter = inviter_at(NET_NOW);
	ck_assert_int_eq(ela_invite_machine(inviter, "b", EXPIRES, &text, NULL), 0);
	parse(text, &token);
	ck_assert_str_eq(token.grant.user, "aki");
	ck_assert_uint_eq(token.slot, 0);
	ela_token_clear(&token);
	net_write(here->state, ELA_SLOTS_FILE, "cut");
	ck_assert_int_eq(ela_invite_machine(inviter, "b", EXPIRES, &none, &error), -EBADMSG);
	ck_assert_msg(strstr(error->message, "slots in the state folder cannot be read") != NULL, "%s", error->message);
	ela_inviter_free(inviter);
}
END_TEST

/* ---- folders that are not right ---- */

START_TEST(folders_refused)
{
	g_autofree char *key = net_path(here->config, ELA_USER_KEY_FILE), *ini = net_path(here->config, ELA_INI_FILE);
	g_autofree char *list = net_path(here->state, "list"), *credential = net_path(here->state, ELA_CREDENTIAL_FILE);

	no_inviter(NET_NOW + ELA_FOUND_VALID_S + 1, -EACCES, "the user list has expired");
	ck_assert_int_eq(unlink(credential), 0);
	no_inviter(NET_NOW, -ENOENT, "credential in the state folder cannot be read");
	ck_assert_int_eq(unlink(list), 0);
	no_inviter(NET_NOW, -ENOENT, "has not joined the network yet");
	edit_ini("id = ", "id = 0");
	no_inviter(NET_NOW, -EINVAL, "[network] is not that of a network that nodes join");
	edit_ini("id = 0", "id = ");
	edit_ini("[node]\n", "[node]\njunk\n");
	no_inviter(NET_NOW, -EINVAL, "\"junk\" is no \"key = value\"");
	edit_ini("junk\n", "");
	ck_assert_int_eq(unlink(key), 0);
	no_inviter(NET_NOW, -EACCES, "this machine cannot speak for its user");
	ck_assert_int_eq(unlink(ini), 0);
	no_inviter(NET_NOW, -ENOENT, "ela.ini: No such file");
}
END_TEST

/* The folder's genesis must be that of ela.ini's network. */
START_TEST(other_network)
{
	edit_ini("id = ", "id = 0000000000000000000000000000000000000000000000000000000000000000\n# ");
	no_inviter(NET_NOW, -EBADMSG, "genesis in the state folder");
}
END_TEST

START_TEST(not_authorised)
{
	g_autofree char *key = net_path(here->config, ELA_USER_KEY_FILE);

	ck_assert_int_eq(unlink(key), 0);
	ck_assert_int_eq(ela_rsa_write(aki, here->config, ELA_USER_KEY_FILE, NULL), 0);
	no_inviter(NET_NOW, -EACCES, "the user of this node is not authorised");
}
END_TEST

/* ---- addresses ---- */

START_TEST(ranks)
{
	static const struct {
		const char *text;
		uint32_t rank;
	} rows[] = {{"198.51.100.7", 2}, {"2001:db8::7", 2}, {"192.168.1.7", 1}, {"10.1.2.3", 1}, {"172.31.0.1", 1},
		{"172.32.0.1", 2}, {"100.64.0.1", 1}, {"fd00::7", 1}, {"127.0.0.1", 0}, {"::1", 0}, {"169.254.1.1", 0},
		{"fe80::1", 0}, {"224.0.0.1", 0}, {"0.0.0.0", 0}, {"10.77.0.9", 0}};
	struct ela_inviter *inviter = inviter_at(NET_NOW);
	struct ela_addr addr, wish = {.family = ELA_ADDR_IP4, .ip = {10, 77, 0, 9}};
	g_autofree char *text = NULL;
	struct ela_token token = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		ck_assert_int_eq(ela_inet_addr(rows[i].text, &addr), 0);
		ck_assert_msg(ela_inviter_rank(inviter, &addr) == rows[i].rank, "%s", rows[i].text);
	}
	ck_assert_int_eq(ela_invite_user(inviter, "aki", &rights, EXPIRES, &text, NULL), 0);
	parse(text, &token);
	ela_inet_overlay6(token.network_id, &wish, &addr); /* this network's own */
	ck_assert_uint_eq(ela_inviter_rank(inviter, &addr), 0);
	ela_token_clear(&token);
	ela_inviter_free(inviter);
}
END_TEST

static void no_place(struct ela_inviter *inviter, struct ela_place p, int err, const char *words)
{
	g_autoptr(GError) error = NULL;
	int found = ela_inviter_add_place(inviter, &p, &error);

	ck_assert_msg(found == err && strstr(error->message, words), "found %d %s", found, error ? error->message : "");
}

START_TEST(places)
{
	static const char *const good[] = {"198.51.100.7", "192.168.1.7", "2001:db8::7"};
	struct ela_inviter *inviter = inviter_at(NET_NOW);

	no_place(inviter, place("127.0.0.1"), -EINVAL, "127.0.0.1 cannot be called from elsewhere");
	no_place(inviter, place("10.77.0.1"), -EINVAL, "10.77.0.1 cannot be called from elsewhere");
	no_place(inviter, (struct ela_place){.addr = place("198.51.100.7").addr}, -EINVAL, "cannot be called");
	for (uint32_t i = 0; i < 3; i++) {
		struct ela_place p = place(good[i]);

		ck_assert_uint_eq(ela_inviter_places(inviter), i);
		ck_assert_int_eq(ela_inviter_add_place(inviter, &p, NULL), 0);
		no_place(inviter, p, -EALREADY, "given twice");
	}
	no_place(inviter, place("198.51.100.8"), -ENOSPC, "at most 3 addresses");
	ck_assert_uint_eq(ela_inviter_places(inviter), 3);
	ela_inviter_free(inviter);
}
END_TEST

static void expect_ports(uint16_t wanted_tcp, uint16_t wanted_udp)
{
	struct ela_inviter *inviter = inviter_at(NET_NOW);
	uint16_t tcp, udp;

	ela_inviter_ports(inviter, &tcp, &udp);
	ck_assert_uint_eq(tcp, wanted_tcp);
	ck_assert_uint_eq(udp, wanted_udp);
	ela_inviter_free(inviter);
}

/* What the state folder has of other cores fills up what is left, one address each; nothing odd is passed on. */
START_TEST(known_cores)
{
	static const struct {
		uint8_t key;
		const char *address;
	} known[] = {
		{1, "192.0.2.1"}, {1, "10.99.0.1"}, {2, "10.77.0.9"}, {3, "10.99.0.3"}, {4, "2001:db8::4"}, {5, "192.0.2.5"}};
	struct ela_inviter *inviter;
	struct ela_token_core cores[G_N_ELEMENTS(known)] = {0};
	struct ela_token token = {0};
	g_autoptr(GBytes) bytes = NULL;
	g_autofree char *file = net_path(here->state, ELA_CORES_FILE), *text = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		memset(cores[i].x25519, known[i].key, sizeof cores[i].x25519);
		cores[i].place = (struct ela_place){.tcp_port = 7450, .udp_port = 7450};
		ck_assert_int_eq(ela_inet_addr(known[i].address, &cores[i].place.addr), 0);
	}
	bytes = ela_token_pack_cores(cores, G_N_ELEMENTS(known));
	ck_assert(g_file_set_contents(file, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), NULL));
	inviter = inviter_at(NET_NOW);
	ela_inviter_add_known(inviter, 0);
	ck_assert_uint_eq(ela_inviter_places(inviter), 3);
	ck_assert_int_eq(ela_invite_machine(inviter, "b", EXPIRES, &text, NULL), 0);
	ck_assert_int_eq(ela_token_parse(text, NET_NOW, &token, NULL), 0);
	ck_assert_uint_eq(token.n_cores, 3);
	ck_assert_mem_eq(&token.cores[0], &cores[0], sizeof cores[0]);
	ck_assert_mem_eq(&token.cores[1], &cores[3], sizeof cores[0]);
	ck_assert_mem_eq(&token.cores[2], &cores[4], sizeof cores[0]);
	ela_token_clear(&token);
	ela_inviter_free(inviter);
	net_write(here->state, ELA_CORES_FILE, "cut");
	inviter = inviter_at(NET_NOW);
	ela_inviter_add_known(inviter, 0);
	ck_assert_uint_eq(ela_inviter_places(inviter), 0);
	ela_inviter_free(inviter);
}
END_TEST

/* The last bytes of the addresses of a token with own places 1 .. n_own, of which least stay. */
static void expect_cores(uint32_t n_own, uint32_t least, const uint8_t *wanted, uint32_t n_wanted)
{
	struct ela_inviter *inviter = inviter_at(NET_NOW);
	struct ela_token token = {0};
	g_autofree char *text = NULL;

	for (uint32_t i = 1; i <= n_own; i++) {
		struct ela_place p = place("198.51.100.0");

		p.addr.ip[3] = (uint8_t)i;
		ck_assert_int_eq(ela_inviter_add_place(inviter, &p, NULL), 0);
	}
	ela_inviter_add_known(inviter, least);
	ck_assert_int_eq(ela_invite_user(inviter, "eve", &rights, EXPIRES, &text, NULL), 0);
	ck_assert_int_eq(ela_token_parse(text, NET_NOW, &token, NULL), 0);
	ck_assert_uint_eq(token.n_cores, n_wanted);
	for (uint32_t i = 0; i < n_wanted; i++)
		ck_assert_uint_eq(token.cores[i].place.addr.ip[3], wanted[i]);
	ela_token_clear(&token);
	ela_inviter_free(inviter);
}

/* Own addresses come first, and give way to cores that were met, all but least. */
START_TEST(own_give_way)
{
	struct ela_token_core cores[2] = {0};
	g_autofree char *file = net_path(here->state, ELA_CORES_FILE);
	g_autoptr(GBytes) one = NULL, two = NULL;

	for (uint8_t i = 0; i < 2; i++) {
		memset(cores[i].x25519, 1 + i, sizeof cores[i].x25519);
		cores[i].place = place("192.0.2.100");
		cores[i].place.addr.ip[3] += i;
	}
	one = ela_token_pack_cores(cores, 1);
	two = ela_token_pack_cores(cores, 2);
	expect_cores(2, 1, (const uint8_t[]){1, 2}, 2);
	ck_assert(g_file_set_contents(file, g_bytes_get_data(one, NULL), (gssize)g_bytes_get_size(one), NULL));
	expect_cores(3, 1, (const uint8_t[]){1, 2, 100}, 3);
	expect_cores(3, 3, (const uint8_t[]){1, 2, 3}, 3);
	expect_cores(0, 0, (const uint8_t[]){100}, 1);
	ck_assert(g_file_set_contents(file, g_bytes_get_data(two, NULL), (gssize)g_bytes_get_size(two), NULL));
	expect_cores(3, 1, (const uint8_t[]){1, 100, 101}, 3);
	expect_cores(2, 2, (const uint8_t[]){1, 2, 100}, 3);
}
END_TEST

START_TEST(ports)
{
	expect_ports(7450, 7450);
	edit_ini("routing = chord\n", "routing = chord\n[transport-tcp]\nport = 443\n[transport-udp]\nsndbuf = 1M\n");
	expect_ports(443, 7450);
	edit_ini("transport = udp, tcp", "transport = tcp");
	expect_ports(443, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("invite");
	TCase *tc = tcase_create("invite");
	SRunner *runner;
	int failed;

	net = net_folders_new();
	if (ela_rsa_generate(ELA_RSA_DEFAULT_BITS, &aki) != 0)
		return EXIT_FAILURE;
	tcase_set_timeout(tc, 200);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, user_token);
	tcase_add_test(tc, own_key);
	tcase_add_test(tc, users_refused);
	tcase_add_test(tc, by_a_user);
	tcase_add_test(tc, by_a_guest);
	tcase_add_test(tc, slots);
	tcase_add_test(tc, machine_of_a_user);
	tcase_add_test(tc, folders_refused);
	tcase_add_test(tc, other_network);
	tcase_add_test(tc, not_authorised);
	tcase_add_test(tc, ranks);
	tcase_add_test(tc, places);
	tcase_add_test(tc, known_cores);
	tcase_add_test(tc, own_give_way);
	tcase_add_test(tc, ports);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	ela_rsa_free(aki);
	net_folders_remove(net);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
