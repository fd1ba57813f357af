/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-config-network: ela.ini of a network with a ring, and what of it a network of configured peers takes. Files are
 * texts in memory; each broken one gives its errors, each with its line. One thread.
 */
#include "config.h"
#include "fake-plugins.h"
#include "inet.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "/x/net.ini"
#define ID "c6fa880ee40adfbf73933224a00880b14171e5d208be4b481c6f173e04a073a6"
#define OTHER_ID "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

/* The files that the broken ones are made from: line numbers below are theirs. */
static const char ring[] = "[network]\n"                             /* 1 */
						   "id = " OTHER_ID "\n"                     /* 2 */
						   "name = lab\n"                            /* 3 */
						   "prefix = 10.77.0.0/24\n"                 /* 4 */
						   "bootstrap = 192.0.2.1:7450, b.example\n" /* 5 */
						   "[node]\n"                                /* 6 */
						   "name = a\n"                              /* 7 */
						   "address = 10.77.0.5\n"                   /* 8 */
						   "role = edge\n"                           /* 9 */
						   "private-key-file = own.key\n"            /* 10 */
						   "[components]\n"                          /* 11 */
						   "npd = tun\n"                             /* 12 */
						   "cipher = aead\n"                         /* 13 */
						   "transport = udp, tcp\n"                  /* 14 */
						   "routing = chord\n";                      /* 15 */
static const char fixed[] = "[network]\n"                            /* 1 */
							"id = " ID "\n"                          /* 2 */
							"[node]\n"                               /* 3 */
							"name = a\n"                             /* 4 */
							"address = 10.88.0.1/24\n"               /* 5 */
							"private-key-file = a.key\n"             /* 6 */
							"[components]\n"                         /* 7 */
							"npd = tun\n"                            /* 8 */
							"cipher = aead\n"                        /* 9 */
							"transport = udp\n"                      /* 10 */
							"routing = static\n";                    /* 11 */

static struct ela_loader *loader;

static void setup(void)
{
	static const char *const no_dirs[] = {NULL};

	loader = fake_loader_new(no_dirs);
}

static void teardown(void)
{
	ela_loader_free(loader);
}

/* file with line number line replaced by text. */
static char *edited(const char *file, uint32_t line, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(file, "\n", -1);

	ck_assert_uint_lt(line, g_strv_length(lines));
	g_free(lines[line - 1]);
	lines[line - 1] = g_strdup(text);
	return g_strjoinv("\n", lines);
}

static struct ela_config *load(const char *text, GPtrArray *errors)
{
	return ela_config_parse(FILE_NAME, text, strlen(text), loader, ELA_CONFIG_NO_KEY, errors);
}

static struct ela_config *load_good(const char *text)
{
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	struct ela_config *config = load(text, errors);

	if (config == NULL)
		ck_abort_msg("refused: %s", (const char *)g_ptr_array_index(errors, 0));
	ck_assert_uint_eq(errors->len, 0);
	return config;
}

/*
 * Exactly one error for each line of pattern; together they match it: the first is at line, "*" is anything, and what
 * follows the pattern's end is free.
 */
static void expect_error(const char *text, uint32_t line, const char *pattern, const char *name)
{
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *whole = g_strdup_printf(FILE_NAME ":%u: %s*", line, pattern);
	g_autofree char *all = NULL;
	guint wanted = 1, found;

	ck_assert_msg(load(text, errors) == NULL, "%s: accepted", name);
	found = errors->len;
	for (const char *p = pattern; *p != '\0'; p++)
		wanted += *p == '\n';
	g_ptr_array_add(errors, NULL);
	all = g_strjoinv("\n", (char **)errors->pdata);
	ck_assert_msg(found == wanted, "%s: %u errors, wanted %u (%s):\n%s", name, found, wanted, whole, all);
	ck_assert_msg(g_pattern_match_simple(whole, all), "%s: found\n%s\nwanted\n%s", name, all, whole);
}

static const struct {
	const char *file;     /* one of the two above */
	uint32_t line;        /* of it that is replaced */
	const char *text;     /* by this */
	uint32_t error_line;  /* 0 = the same */
	const char *expected; /* pattern after "FILE:LINE: " */
} broken[] = {
	/* [network] id */
	{ring, 2, "", 1, "[network] id: key is missing; expected the network's id, 64 hex digits"},
	{ring, 2, "id =", 0, "[network] id: value is empty"},
	{ring, 2, "id = lab", 0, "[network] id: bad value \"lab\"; expected the network's id, 64 hex digits"},
	{ring, 2, "id = " ID "0", 0, "[network] id: bad value"},
	{ring, 2, "id = g6fa880ee40adfbf73933224a00880b14171e5d208be4b481c6f173e04a073a6", 0, "[network] id: bad value"},
	{ring, 2, "id = " ID "\nid = " ID, 3, "[network] id: key given twice, first in line 2; expected once"},
	{ring, 2, "ids = " ID, 1,
		"[network] id: key is missing*\n*:2: [network] ids: unknown key; expected id, name, prefix, bootstrap*; did "
		"you "
		"mean \"id\"?"},
	{ring, 2, "id = " ID " # mine", 0, "[network] id: bad value*; comments stand on lines of their own"},
	/* name */
	{ring, 3, "name = a b", 0, "[network] name: bad value \"a b\"; expected 1..63 of"},
	{ring, 3, "name = .a", 0, "[network] name: bad value"},
	{ring, 3, "name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0,
		"[network] name: bad value"},
	{ring, 3, "nam = lab", 0, "[network] nam: unknown key;*did you mean \"name\"?"},
	/* prefix */
	{ring, 4, "", 1, "[network] prefix: key is missing; expected an IPv4 prefix"},
	{ring, 4, "prefix = lab", 0, "[network] prefix: bad value \"lab\"; expected an IPv4 prefix with its length 8..28"},
	{ring, 4, "prefix = 10.77.0.0", 0, "[network] prefix: bad value"},
	{ring, 4, "prefix = 10.77.0.0/29", 0, "[network] prefix: bad value"},
	{ring, 4, "prefix = 0.0.0.0/7", 0, "[network] prefix: bad value"},
	{ring, 4, "prefix = fd00::/24", 0, "[network] prefix: bad value"},
	{ring, 4, "prefix = 10.77.0.1/24", 0,
		"[network] prefix: \"10.77.0.1/24\" has bits set behind its length; expected 10.77.0.0/24"},
	{ring, 4, "prefix = 127.0.0.0/8", 0, "[network] prefix: \"127.0.0.0/8\" is a loopback, link-local, multicast or"},
	{ring, 4, "prefix = 169.254.0.0/16", 0, "[network] prefix: \"169.254.0.0/16\" is a loopback, link-local,"},
	{ring, 4, "prefix = 224.0.0.0/8", 0, "[network] prefix: \"224.0.0.0/8\" is a loopback, link-local,"},
	{ring, 4, "prefix = 0.0.0.0/8", 0, "[network] prefix: \"0.0.0.0/8\" is a loopback, link-local, multicast or res"},
	{ring, 4, "prefixes = 10.77.0.0/24", 1,
		"[network] prefix: key is missing*\n*:4: [network] prefixes: unknown key;*did you mean \"prefix\"?"},
	/* bootstrap */
	{ring, 5, "bootstrap =", 0, "[network] bootstrap: value is empty"},
	{ring, 5, "bootstrap = b:", 0, "[network] bootstrap: bad value \"b:\"; expected host:port such as"},
	{ring, 5, "bootstrap = b:0", 0, "[network] bootstrap: bad value"},
	{ring, 5, "bootstrap = b:65536", 0, "[network] bootstrap: bad value"},
	{ring, 5, "bootstrap = 2001:db8::1", 0, "[network] bootstrap: bad value"},
	{ring, 5, "bootstrap = b, c, b", 0, "[network] bootstrap: \"b\" is given twice"},
	{ring, 5, "bootstrap = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", 0,
		"[network] bootstrap: \"q\" is one too many; expected at most 16 elements"},
	{ring, 5, "bootstrap = 127.0.0.1:7450", 0, "[network] bootstrap: \"127.0.0.1:7450\" is a loopback address"},
	{ring, 5, "bootstrap = 0.0.0.0", 0, "[network] bootstrap: \"0.0.0.0\" is the unspecified address"},
	{ring, 5, "bootstrap = [ff02::1]:1", 0, "[network] bootstrap: \"[ff02::1]:1\" is a multicast or reserved"},
	{ring, 5, "bootstrap = [fe80::1]", 0, "[network] bootstrap: \"[fe80::1]\" is a link-local address"},
	{ring, 5, "bootstrap = 10.77.0.1", 0, "[network] bootstrap: \"10.77.0.1\" is inside the virtual network itself"},
	{ring, 5, "bootstrap = [fd00:1122:3344::1]", 0,
		"[network] bootstrap: \"[fd00:1122:3344::1]\" is inside the virtual network itself"},
	{ring, 5, "bootstrp = b", 0, "[network] bootstrp: unknown key;*did you mean \"bootstrap\"?"},
	/* [node] */
	{ring, 7, "", 6, "[node] name: key is missing"},
	{ring, 8, "address = 10.77.0.5/24", 0,
		"[node] address: bad value \"10.77.0.5/24\"; expected one IPv4 address of the network, without a length"},
	{ring, 8, "address = here", 0, "[node] address: bad value"},
	{ring, 8, "address = fd00::5", 0, "[node] address: bad value"},
	{ring, 8, "address = 10.77.0.5, 10.77.0.6", 0, "[node] address: bad value"},
	{ring, 8, "address = 10.77.1.5", 0, "[node] address: \"10.77.1.5\" is outside the network's prefix; expected"},
	{ring, 8, "address = 10.77.0.0", 0, "[node] address: \"10.77.0.0\" is the network itself; expected"},
	{ring, 8, "address = 10.77.0.255", 0, "[node] address: \"10.77.0.255\" is the broadcast address of the network"},
	{ring, 9, "role = cores", 0,
		"[node] role: bad value \"cores\"; expected auto, core or edge; did you mean \"core\"?"},
	{ring, 9, "role = Edge", 0, "[node] role: bad value"},
	{ring, 9, "role = core\nrole = core", 10, "[node] role: key given twice, first in line 9"},
	{ring, 9, "rol = core", 0, "[node] rol: unknown key; expected name,*, role; did you mean \"role\"?"},
	{ring, 10, "private-key-file =", 0, "[node] private-key-file: value is empty"},
	/* sections */
	{ring, 15, "routing = chord\n[peer b]\npublic-key = x", 16,
		"[peer b]: route-chord finds its peers itself; expected this section removed, or routing = static"},
	{ring, 1, "[network]\n[network]", 2, "[network]: section given twice, first in line 1"},
	{ring, 15, "routing = chord\n[Network]", 16, "[Network]: unknown section;*; did you mean \"network\"?"},
	/* who knows what a routing that is not there would take: its own error alone */
	{ring, 15, "routing = chrod", 0, "[components] routing: plugin \"chrod\" is not installed"},
	{ring, 15, "", 11, "[components] routing: key is missing"},
	{fixed, 11, "routing = statik", 0, "[components] routing: plugin \"statik\" is not installed"},
	{fixed, 11, "routing = statik\n[peer b]", 0,
		"[components] routing: plugin*\n*:12: [peer b] public-key: key is missing*\n*:12: [peer b] address: key is"},
	/* without a ring */
	{fixed, 2, "id = 7", 0, "[network] id: bad value \"7\"; expected the network's id, 64 hex digits"},
	{fixed, 2, "idd = " ID, 0, "[network] idd: unknown key; expected id; did you mean \"id\"?"},
	{fixed, 2, "id = " ID "\nname = lab", 3,
		"[network] name: is for a routing with a ring, and route-static has none; expected this key removed, or a "
		"routing such as chord"},
	{fixed, 2, "id = " ID "\nprefix = x", 3,
		"[network] prefix: is for a routing with a ring, and route-static has none"},
	{fixed, 2, "id = " ID "\nbootstrap = b", 3, "[network] bootstrap: is for a routing with a ring, and route-static"},
	{fixed, 4, "name = a\nrole = core", 5, "[node] role: is for a routing with a ring, and route-static has none"},
	{fixed, 4, "name = a\nrol = core", 5, "[node] rol: unknown key; expected name,*, log-level"},
	{fixed, 5, "address = 10.88.0.1", 0, "[node] address: bad value \"10.88.0.1\"; expected an IPv4 address with its"},
	{fixed, 6, "", 3, "[node] private-key-file: key is missing"},
};

START_TEST(each_broken)
{
	g_autofree char *text = edited(broken[_i].file, broken[_i].line, broken[_i].text);

	expect_error(text, broken[_i].error_line != 0 ? broken[_i].error_line : broken[_i].line, broken[_i].expected,
		broken[_i].text);
}
END_TEST

/* All errors at once, by line, whichever section is read first. */
START_TEST(many_at_once)
{
	static const char text[] = "[node]\n"                /* 1: name is missing */
							   "address = 10.77.0.5\n"   /* fits no prefix, but none is known: no error of its own */
							   "role = boss\n"           /* 3 */
							   "[network]\n"             /* 4: id is missing */
							   "prefix = 10.77.0.0/33\n" /* 5 */
							   "[components]\n"          /* 6: npd is missing */
							   "cipher = aead\ntransport = udp\nrouting = chord\n"
							   "[peer b]\n"; /* 10 */

	expect_error(text, 1,
		"[node] name: *\n*:3: [node] role: *\n*:4: [network] id: *\n*:5: [network] prefix: *\n*:6: [components] npd: "
		"*\n*:10: [peer b]: ",
		"many");
	expect_error("[node]\nname = a\n[components]\nnpd = tun\ncipher = aead\ntransport = udp\nrouting = chord\n", 7,
		"[network]: section is missing; expected it with id and prefix", "no [network]");
}
END_TEST

START_TEST(ring_file)
{
	struct ela_config *config = load_good(ring);

	ck_assert(config->has_ring);
	ck_assert_mem_eq(config->network_id, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
	ck_assert_mem_eq(config->network_id + 16, config->network_id, 16);
	ck_assert_str_eq(config->network_name, "lab");
	ck_assert_uint_eq(config->network_prefix.bits, 24);
	ck_assert_mem_eq(config->network_prefix.addr.ip, "\x0a\x4d\x00\x00", 4);
	ck_assert_uint_eq(config->n_bootstraps, 2);
	ck_assert_str_eq(config->bootstraps[0].host, "192.0.2.1");
	ck_assert_uint_eq(config->bootstraps[0].addr.family, ELA_ADDR_IP4);
	ck_assert_str_eq(config->bootstraps[1].host, "b.example");
	ck_assert_uint_eq(config->bootstraps[1].port, ELA_DEFAULT_PORT);
	ck_assert_uint_eq(config->bootstraps[1].addr.family, ELA_ADDR_NONE);
	ck_assert_str_eq(config->name, "a");
	ck_assert_uint_eq(config->wish4.family, ELA_ADDR_IP4);
	ck_assert_mem_eq(config->wish4.ip, "\x0a\x4d\x00\x05", 4);
	ck_assert_int_eq(config->role, ELA_CONFIG_EDGE);
	ck_assert_str_eq(config->private_key_file, "/x/own.key");
	ck_assert_ptr_eq(config->routing->descriptor, &fake_route_chord);
	/* what only a node with configured peers says */
	ck_assert_ptr_null(config->addresses[0]);
	ck_assert_uint_eq(config->address4.addr.family, ELA_ADDR_NONE);
	ck_assert_uint_eq(config->address6.addr.family, ELA_ADDR_NONE);
	ck_assert_uint_eq(config->n_peers, 0);
	ela_config_free(config);
}
END_TEST

/* What may be left out, and the other spellings. */
START_TEST(smallest_ring_file)
{
	static const char text[] = "[components]\nnpd = tun\ncipher = aead\ntransport = udp\nrouting = chord\n"
							   "[node]\nname = a\n[network]\nid = " ID "\nprefix = 10.0.0.0/8\n";
	static const char *const roles[] = {"auto", "core", "edge"};
	struct ela_config *config = load_good(text);
	uint8_t id[ELA_NETWORK_ID_LEN];

	ck_assert_ptr_null(config->network_name);
	ck_assert_uint_eq(config->network_prefix.bits, 8);
	ck_assert_uint_eq(config->n_bootstraps, 0);
	ck_assert_uint_eq(config->wish4.family, ELA_ADDR_NONE);
	ck_assert_int_eq(config->role, ELA_CONFIG_AUTO);
	ck_assert_str_eq(config->private_key_file, "/x/node.key");
	memcpy(id, config->network_id, sizeof id);
	ela_config_free(config);
	for (int i = 0; i < 3; i++) {
		g_autofree char *line = g_strdup_printf("role = %s", roles[i]);
		g_autofree char *other = edited(ring, 9, line);

		config = load_good(other);
		ck_assert_int_eq(config->role, (enum ela_config_role)i);
		ela_config_free(config);
	}
	config = load_good(fixed); /* the same id: the one that networks of configured peers have anyway */
	ck_assert_mem_eq(config->network_id, id, sizeof id);
	ela_config_free(config);
}
END_TEST

/* Without a ring an id may be given; without one all such networks have the same. */
START_TEST(id_of_configured_peers)
{
	g_autofree char *empty = edited(fixed, 2, "");
	g_autofree char *without = edited(empty, 1, "");
	g_autofree char *with = edited(fixed, 2, "id = " OTHER_ID);
	struct ela_config *by_default = load_good(without), *same = load_good(fixed), *other = load_good(with);
	struct ela_config *section_alone = load_good(empty);

	ck_assert_mem_eq(section_alone->network_id, same->network_id, ELA_NETWORK_ID_LEN);
	ela_config_free(section_alone);
	ck_assert(!by_default->has_ring && !same->has_ring && !other->has_ring);
	ck_assert_mem_eq(by_default->network_id, same->network_id, ELA_NETWORK_ID_LEN);
	ck_assert_mem_eq(other->network_id, "\x00\x11\x22\x33", 4);
	ck_assert_uint_eq(other->network_prefix.addr.family, ELA_ADDR_NONE);
	ck_assert_str_eq(other->addresses[0], "10.88.0.1/24");
	ela_config_free(by_default);
	ela_config_free(same);
	ela_config_free(other);
}
END_TEST

/* An edit and what of it needs a restart; "" = nothing. */
static const struct {
	const char *file;
	uint32_t line;
	const char *text, *needs;
} diffs[] = {
	{ring, 2, "id = " ID, "network.id"},
	{ring, 2, "id = 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", ""},
	{ring, 3, "name = lab2", "network.name"},
	{ring, 3, "", "network.name"},
	{ring, 4, "prefix = 10.77.0.0/25", "network.prefix"},
	{ring, 4, "prefix = 10.77.0.0/16", "network.prefix"},
	{ring, 5, "bootstrap = 192.0.2.1:7450", "network.bootstrap"},
	{ring, 5, "bootstrap = 192.0.2.1:7450, c.example", "network.bootstrap"},
	{ring, 5, "bootstrap = 192.0.2.1:7451, b.example", "network.bootstrap"},
	{ring, 5, "bootstrap = 192.0.2.1, b.example:7450", ""},
	{ring, 5, "", "network.bootstrap"},
	{ring, 8, "address = 10.77.0.6", "node.address"},
	{ring, 8, "", "node.address"},
	{ring, 9, "role = auto", "node.role"},
	{ring, 9, "", "node.role"},
	{ring, 10, "", "node.private-key-file"},
	{fixed, 2, "id = " OTHER_ID, "network.id"},
	{fixed, 2, "id = " ID "\n", ""},
};

START_TEST(each_diff)
{
	g_autofree char *text = edited(diffs[_i].file, diffs[_i].line, diffs[_i].text);
	struct ela_config *old = load_good(diffs[_i].file), *fresh = load_good(text);
	g_autoptr(GPtrArray) needs = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *all = NULL;

	ela_config_diff(old, fresh, needs);
	g_ptr_array_add(needs, NULL);
	all = g_strjoinv(" ", (char **)needs->pdata);
	ck_assert_msg(strcmp(all, diffs[_i].needs) == 0, "%s: found \"%s\"", diffs[_i].text, all);
	ela_config_free(old);
	ela_config_free(fresh);
}
END_TEST

START_TEST(overlay6)
{
	struct ela_config *config = load_good(ring);
	struct ela_addr addr;
	char text[ELA_INET_TEXT];

	ela_inet_overlay6(config->network_id, &config->wish4, &addr);
	ela_inet_addr_text(&addr, text);
	ck_assert_str_eq(text, "fd00:1122:3344::a4d:5");
	ck_assert_uint_eq(addr.port, 0);
	ela_config_free(config);
}
END_TEST

static Suite *network_suite(void)
{
	Suite *suite = suite_create("config-network");
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_broken, 0, (int)G_N_ELEMENTS(broken));
	tcase_add_test(tcase, many_at_once);
	tcase_add_test(tcase, ring_file);
	tcase_add_test(tcase, smallest_ring_file);
	tcase_add_test(tcase, id_of_configured_peers);
	tcase_add_loop_test(tcase, each_diff, 0, (int)G_N_ELEMENTS(diffs));
	tcase_add_test(tcase, overlay6);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(network_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
