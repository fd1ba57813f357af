/* SPDX-License-Identifier: Apache-2.0 */
/* test-value: typed values, addresses, prefixes, endpoints, nearest names; tables, and seeded round trips. One thread.
 */
#include "inet.h"
#include "suggest.h"
#include "value.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*parse_fn)(const char *text, int64_t *ret);

static const struct {
	parse_fn parse;
	const char *text;
	int err;
	int64_t value;
} numbers[] = {
	{ela_value_int, "0", 0, 0},
	{ela_value_int, "-5", 0, -5},
	{ela_value_int, "9223372036854775807", 0, INT64_MAX},
	{ela_value_int, "-9223372036854775807", 0, -INT64_MAX},
	{ela_value_int, "9223372036854775808", -ERANGE, 0},
	{ela_value_int, "99999999999999999999", -ERANGE, 0},
	{ela_value_int, "", -EINVAL, 0},
	{ela_value_int, "-", -EINVAL, 0},
	{ela_value_int, "+1", -EINVAL, 0},
	{ela_value_int, "--1", -EINVAL, 0},
	{ela_value_int, "01", -EINVAL, 0},
	{ela_value_int, "1 ", -EINVAL, 0},
	{ela_value_int, " 1", -EINVAL, 0},
	{ela_value_int, "1k", -EINVAL, 0},
	{ela_value_int, "0x10", -EINVAL, 0},
	{ela_value_duration, "0", 0, 0},
	{ela_value_duration, "250ms", 0, 250000000},
	{ela_value_duration, "25s", 0, 25000000000},
	{ela_value_duration, "3m", 0, 180000000000},
	{ela_value_duration, "2h", 0, 7200000000000},
	{ela_value_duration, "7d", 0, 604800000000000},
	{ela_value_duration, "106751d", 0, 9223286400000000000},
	{ela_value_duration, "106752d", -ERANGE, 0},
	{ela_value_duration, "25", -EINVAL, 0},
	{ela_value_duration, "25 s", -EINVAL, 0},
	{ela_value_duration, "25S", -EINVAL, 0},
	{ela_value_duration, "1h30m", -EINVAL, 0},
	{ela_value_duration, "1.5s", -EINVAL, 0},
	{ela_value_duration, "-1s", -EINVAL, 0},
	{ela_value_duration, "s", -EINVAL, 0},
	{ela_value_duration, "25us", -EINVAL, 0},
	{ela_value_rate, "500kbit", 0, 500000},
	{ela_value_rate, "10mbit", 0, 10000000},
	{ela_value_rate, "1gbit", 0, 1000000000},
	{ela_value_rate, "0", 0, 0},
	{ela_value_rate, "10", -EINVAL, 0},
	{ela_value_rate, "10mbyte", -EINVAL, 0},
	{ela_value_rate, "10m", -EINVAL, 0},
	{ela_value_rate, "9223372037gbit", -ERANGE, 0},
	{ela_value_size, "1500", 0, 1500},
	{ela_value_size, "64k", 0, 65536},
	{ela_value_size, "8M", 0, 8388608},
	{ela_value_size, "64K", -EINVAL, 0},
	{ela_value_size, "8m", -EINVAL, 0},
	{ela_value_size, "8MB", -EINVAL, 0},
	{ela_value_size, "9007199254740992k", -ERANGE, 0},
};

START_TEST(each_number)
{
	int64_t value = 4711;
	int err = numbers[_i].parse(numbers[_i].text, &value);

	ck_assert_msg(err == numbers[_i].err, "\"%s\": found %d, wanted %d", numbers[_i].text, err, numbers[_i].err);
	ck_assert_msg(
		value == (err == 0 ? numbers[_i].value : 4711), "\"%s\": found %" G_GINT64_FORMAT, numbers[_i].text, value);
}
END_TEST

static const struct ela_option opt_int = {.key = "i", .type = ELA_OPTION_INT, .min = -2, .max = 9};
static const struct ela_option opt_string = {.key = "s", .type = ELA_OPTION_STRING, .min = 2, .max = 3};
static const struct ela_option opt_choice = {.key = "c", .type = ELA_OPTION_CHOICE, .choices = "auto|on|off"};
static const struct ela_option opt_one = {.key = "o", .type = ELA_OPTION_CHOICE, .choices = "only"};
static const struct ela_option opt_duration = {
	.key = "d", .type = ELA_OPTION_DURATION, .min = ELA_NS_PER_S, .max = 90 * ELA_NS_PER_S};
static const struct ela_option opt_rate = {.key = "r", .type = ELA_OPTION_RATE, .min = 0, .max = 2000000};
static const struct ela_option opt_size = {.key = "z", .type = ELA_OPTION_SIZE, .min = 1024, .max = 1536};
static const struct ela_option opt_ip = {.key = "p", .type = ELA_OPTION_IP};
static const struct ela_option opt_unknown = {.key = "u", .type = 99, .max = 9};

static const struct {
	const struct ela_option *option;
	const char *text;
	int err;
	int64_t num;
} options[] = {
	{&opt_int, "-2", 0, -2},
	{&opt_int, "9", 0, 9},
	{&opt_int, "-3", -ERANGE, 0},
	{&opt_int, "10", -ERANGE, 0},
	{&opt_int, "x", -EINVAL, 0},
	{&opt_string, "ab", 0, 0},
	{&opt_string, "abc", 0, 0},
	{&opt_string, "a", -ERANGE, 0},
	{&opt_string, "abcd", -ERANGE, 0},
	{&opt_choice, "auto", 0, 0},
	{&opt_choice, "off", 0, 2},
	{&opt_choice, "of", -EINVAL, 0},
	{&opt_choice, "auto|on", -EINVAL, 0},
	{&opt_choice, "", -EINVAL, 0},
	{&opt_duration, "1s", 0, ELA_NS_PER_S},
	{&opt_duration, "999ms", -ERANGE, 0},
	{&opt_duration, "2m", -ERANGE, 0},
	{&opt_rate, "0", 0, 0},
	{&opt_rate, "2mbit", 0, 2000000},
	{&opt_rate, "2001kbit", -ERANGE, 0},
	{&opt_size, "1k", 0, 1024},
	{&opt_size, "1537", -ERANGE, 0},
	{&opt_ip, "::", 0, 0},
	{&opt_ip, "0.0.0.0", 0, 0},
	{&opt_ip, "host", -EINVAL, 0},
	{&opt_unknown, "1", -EINVAL, 0},
};

START_TEST(each_option)
{
	struct ela_value value = {.num = 4711};
	int err = ela_value_parse(options[_i].option, options[_i].text, &value);

	ck_assert_msg(err == options[_i].err, "\"%s\": found %d, wanted %d", options[_i].text, err, options[_i].err);
	ck_assert_int_eq(value.num, err == 0 ? options[_i].num : 4711);
	ck_assert_ptr_eq(value.str, err == 0 ? options[_i].text : NULL);
}
END_TEST

static const struct {
	const struct ela_option *option;
	const char *expected;
} expectations[] = {
	{&opt_int, "a whole number -2..9"},
	{&opt_string, "text of 2..3 bytes"},
	{&opt_choice, "auto, on or off"},
	{&opt_one, "only"},
	{&opt_duration, "a duration such as 250ms, 25s, 3m, 2h or 7d, 1s..90s"},
	{&opt_rate, "a rate such as 500kbit, 10mbit or 1gbit, 0..2mbit"},
	{&opt_size, "a size such as 1500, 64k or 8M, 1k..1536"},
	{&opt_ip, "an IPv4 or IPv6 address"},
};

START_TEST(each_expectation)
{
	g_autofree char *found = ela_value_expected(expectations[_i].option);

	ck_assert_str_eq(found, expectations[_i].expected);
}
END_TEST

static const struct {
	const char *text;
	int err;
	const char *normal; /* masked */
	const char *last;   /* filled */
} prefixes[] = {
	{"10.88.0.1/24", 0, "10.88.0.0/24", "10.88.0.255/24"},
	{"10.88.0.1", 0, "10.88.0.1/32", "10.88.0.1/32"},
	{"10.88.77.1/17", 0, "10.88.0.0/17", "10.88.127.255/17"},
	{"255.255.255.255/0", 0, "0.0.0.0/0", "255.255.255.255/0"},
	{"FD00:0:0:1::77/63", 0, "fd00::/63", "fd00::1:ffff:ffff:ffff:ffff/63"},
	{"::1", 0, "::1/128", "::1/128"},
	{"10.88.0.1/33", -EINVAL, NULL, NULL},
	{"::1/129", -EINVAL, NULL, NULL},
	{"10.88.0/24", -EINVAL, NULL, NULL},
	{"10.88.0.1/", -EINVAL, NULL, NULL},
	{"10.88.0.1/024", -EINVAL, NULL, NULL},
	{"10.88.0.1/ 24", -EINVAL, NULL, NULL},
	{"/24", -EINVAL, NULL, NULL},
	{"fe80::1%lo/64", -EINVAL, NULL, NULL},
	{"::ffff:10.0.0.1", -EINVAL, NULL, NULL},
	{"", -EINVAL, NULL, NULL},
};

START_TEST(each_prefix)
{
	struct ela_prefix prefix = {.bits = 4711}, last;
	char text[ELA_INET_TEXT];
	int err = ela_inet_prefix(prefixes[_i].text, &prefix);

	ck_assert_msg(err == prefixes[_i].err, "\"%s\": found %d", prefixes[_i].text, err);
	if (err != 0) {
		ck_assert_uint_eq(prefix.bits, 4711);
		return;
	}
	last = prefix;
	ela_inet_prefix_fill(&last);
	ck_assert(ela_inet_prefix_contains(&prefix, &last.addr));
	ela_inet_prefix_text(&last, text);
	ck_assert_str_eq(text, prefixes[_i].last);
	ela_inet_prefix_mask(&prefix);
	ela_inet_prefix_text(&prefix, text);
	ck_assert_str_eq(text, prefixes[_i].normal);
	ck_assert(ela_inet_prefix_contains(&prefix, &last.addr));
}
END_TEST

/* Does prefix contain addr? Bit by bit. */
static bool naive_contains(const struct ela_prefix *prefix, const struct ela_addr *addr)
{
	if (prefix->addr.family != addr->family)
		return false;
	for (uint32_t bit = 0; bit < prefix->bits; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if ((prefix->addr.ip[bit / 8] & mask) != (addr->ip[bit / 8] & mask))
			return false;
	}
	return true;
}

START_TEST(random_prefixes)
{
	const char *given = getenv("ELA_TEST_SEED");
	guint32 seed = given != NULL ? (guint32)strtoul(given, NULL, 0) : g_random_int();
	GRand *rand = g_rand_new_with_seed(seed);
	uint32_t inside = 0;

	for (int i = 0; i < 20000; i++) {
		bool is4 = g_rand_boolean(rand);
		struct ela_prefix prefix = {.addr.family = is4 ? ELA_ADDR_IP4 : ELA_ADDR_IP6}, again;
		struct ela_addr addr;
		char text[ELA_INET_TEXT];

		prefix.bits = (uint32_t)g_rand_int_range(rand, 0, is4 ? 33 : 129);
		for (int k = 0; k < (is4 ? 4 : 16); k++)
			prefix.addr.ip[k] = (uint8_t)g_rand_int(rand);
		addr = prefix.addr;
		addr.ip[g_rand_int_range(rand, 0, is4 ? 4 : 16)] ^= (uint8_t)(1 << g_rand_int_range(rand, 0, 8));
		ck_assert_msg(ela_inet_prefix_contains(&prefix, &addr) == naive_contains(&prefix, &addr), "seed %u", seed);
		inside += naive_contains(&prefix, &addr);
		ela_inet_prefix_text(&prefix, text);
		ck_assert_msg(
			ela_inet_prefix(text, &again) == 0 && ela_inet_prefix_equal(&prefix, &again), "seed %u: %s", seed, text);
	}
	ck_assert_msg(inside > 4000 && inside < 16000, "seed %u: %u inside", seed, inside);
	g_rand_free(rand);
}
END_TEST

/* Letters of what an address is: u unspecified, l loopback, k link-local, m multicast or reserved. */
static const struct {
	const char *text, *is;
} classes[] = {
	{"0.0.0.0", "u"},
	{"0.1.2.3", "u"},
	{"127.0.0.1", "l"},
	{"127.255.255.254", "l"},
	{"169.254.7.7", "k"},
	{"169.253.7.7", ""},
	{"223.255.255.255", ""},
	{"224.0.0.1", "m"},
	{"255.255.255.255", "m"},
	{"10.0.0.1", ""},
	{"::", "u"},
	{"::1", "l"},
	{"::2", ""},
	{"fe80::1", "k"},
	{"febf::1", "k"},
	{"fec0::1", ""},
	{"ff02::1", "m"},
	{"fd00::1", ""},
};

START_TEST(each_class)
{
	struct ela_addr addr;
	char found[5] = "";

	ck_assert_int_eq(ela_inet_addr(classes[_i].text, &addr), 0);
	if (ela_inet_is_unspecified(&addr))
		strcat(found, "u");
	if (ela_inet_is_loopback(&addr))
		strcat(found, "l");
	if (ela_inet_is_link_local(&addr))
		strcat(found, "k");
	if (ela_inet_is_multicast(&addr))
		strcat(found, "m");
	ck_assert_msg(strcmp(found, classes[_i].is) == 0, "%s: found %s", classes[_i].text, found);
}
END_TEST

START_TEST(hex_digits)
{
	static const char *const bad[] = {
		"", "0", "00ff", "00ff0", "00ff00f", "00ff00ff", "00fg00", "0x0000", "00ff0 ", " 00ff0"};
	uint8_t out[4] = {7, 7, 7, 7};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
		ck_assert_msg(ela_value_hex(bad[i], out, 3) == -EINVAL, "\"%s\"", bad[i]);
	ck_assert_mem_eq(out, "\7\7\7\7", 4);
	ck_assert_int_eq(ela_value_hex("0aFf19", out, 3), 0);
	ck_assert_mem_eq(out, "\x0a\xff\x19\7", 4);
}
END_TEST

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	int err;
	const char *host;
	uint16_t port, family;
} endpoints[] = {
	{"10.99.0.2:7451", 0, "10.99.0.2", 7451, ELA_ADDR_IP4},
	{"10.99.0.2", 0, "10.99.0.2", 1, ELA_ADDR_IP4},
	{"[2001:db8::2]:65535", 0, "2001:db8::2", 65535, ELA_ADDR_IP6},
	{"[2001:db8::2]", 0, "2001:db8::2", 1, ELA_ADDR_IP6},
	{"b.example.org:7450", 0, "b.example.org", 7450, ELA_ADDR_NONE},
	{"B-2", 0, "B-2", 1, ELA_ADDR_NONE},
	{"3com.example.", 0, "3com.example.", 1, ELA_ADDR_NONE},
	{LABEL63 ".de", 0, LABEL63 ".de", 1, ELA_ADDR_NONE},
	{LABEL63 "a.de", -EINVAL, NULL, 0, 0},
	{LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, -EINVAL, NULL, 0, 0},
	{"10.99.0", -EINVAL, NULL, 0, 0},
	{"10.99.0.256", -EINVAL, NULL, 0, 0},
	{"7", -EINVAL, NULL, 0, 0},
	{"", -EINVAL, NULL, 0, 0},
	{".", -EINVAL, NULL, 0, 0},
	{"a..b", -EINVAL, NULL, 0, 0},
	{".a", -EINVAL, NULL, 0, 0},
	{"-a", -EINVAL, NULL, 0, 0},
	{"a-", -EINVAL, NULL, 0, 0},
	{"a-.b", -EINVAL, NULL, 0, 0},
	{"a.-b", -EINVAL, NULL, 0, 0},
	{"a b", -EINVAL, NULL, 0, 0},
	{"a_b", -EINVAL, NULL, 0, 0},
	{"a:", -EINVAL, NULL, 0, 0},
	{"a:0", -EINVAL, NULL, 0, 0},
	{"a:65536", -EINVAL, NULL, 0, 0},
	{"a:-1", -EINVAL, NULL, 0, 0},
	{"a:b", -EINVAL, NULL, 0, 0},
	{":1", -EINVAL, NULL, 0, 0},
	{"2001:db8::2", -EINVAL, NULL, 0, 0},
	{"[2001:db8::2", -EINVAL, NULL, 0, 0},
	{"[2001:db8::2]7450", -EINVAL, NULL, 0, 0},
	{"[2001:db8::2]:", -EINVAL, NULL, 0, 0},
	{"[a]:1", -EINVAL, NULL, 0, 0},
	{"[10.0.0.1]:1", -EINVAL, NULL, 0, 0},
	{"[]:1", -EINVAL, NULL, 0, 0},
};

START_TEST(each_endpoint)
{
	struct ela_endpoint endpoint = {0};
	int err = ela_inet_endpoint(endpoints[_i].text, 1, &endpoint);

	ck_assert_msg(err == endpoints[_i].err, "\"%s\": found %d", endpoints[_i].text, err);
	ck_assert_uint_eq(endpoint.port, endpoints[_i].port);
	ck_assert_uint_eq(endpoint.addr.family, endpoints[_i].family);
	if (err == 0)
		ck_assert_str_eq(endpoint.host, endpoints[_i].host);
	else
		ck_assert_ptr_null(endpoint.host);
	ck_assert_uint_eq(endpoint.addr.port, endpoint.addr.family != ELA_ADDR_NONE ? endpoint.port : 0);
	g_free(endpoint.host);
}
END_TEST

static const struct {
	const char *a, *b;
	guint edits;
} distances[] = {
	{"", "", 0},
	{"", "abc", 3},
	{"abc", "", 3},
	{"port", "port", 0},
	{"port", "prot", 1},
	{"port", "pot", 1},
	{"port", "ports", 1},
	{"port", "part", 1},
	{"address", "adress", 1},
	{"kitten", "sitting", 3},
	{"ca", "abc", 3}, /* no part is edited twice */
	{"ab", "ba", 1},
	{"abcd", "badc", 2},
};

START_TEST(each_distance)
{
	ck_assert_uint_eq(ela_suggest_distance(distances[_i].a, distances[_i].b), distances[_i].edits);
	ck_assert_uint_eq(ela_suggest_distance(distances[_i].b, distances[_i].a), distances[_i].edits);
}
END_TEST

START_TEST(suggestions)
{
	static const char *const names[] = {"name", "address", "lanes", "x", NULL};
	static const char *const none[] = {NULL};
	char longer[66];

	ck_assert_str_eq(ela_suggest("adress", names), "address");
	ck_assert_str_eq(ela_suggest("NAME", names), "name");
	ck_assert_str_eq(ela_suggest("lane", names), "lanes");
	ck_assert_str_eq(ela_suggest("nmae", names), "name");
	ck_assert_ptr_null(ela_suggest("y", names));
	ck_assert_ptr_null(ela_suggest("role", names));
	ck_assert_ptr_null(ela_suggest("", names));
	ck_assert_ptr_null(ela_suggest("name", none));
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	ck_assert_ptr_null(ela_suggest(longer, names));
	ck_assert_uint_eq(ela_suggest_distance(longer, "a"), G_MAXUINT);
	longer[64] = '\0';
	ck_assert_uint_eq(ela_suggest_distance(longer, "a"), 63);
}
END_TEST

static Suite *value_suite(void)
{
	Suite *suite = suite_create("value");
	TCase *tcase = tcase_create("tables");

	tcase_add_loop_test(tcase, each_number, 0, (int)G_N_ELEMENTS(numbers));
	tcase_add_loop_test(tcase, each_option, 0, (int)G_N_ELEMENTS(options));
	tcase_add_loop_test(tcase, each_expectation, 0, (int)G_N_ELEMENTS(expectations));
	tcase_add_loop_test(tcase, each_prefix, 0, (int)G_N_ELEMENTS(prefixes));
	tcase_add_test(tcase, random_prefixes);
	tcase_add_loop_test(tcase, each_class, 0, (int)G_N_ELEMENTS(classes));
	tcase_add_test(tcase, hex_digits);
	tcase_add_loop_test(tcase, each_endpoint, 0, (int)G_N_ELEMENTS(endpoints));
	tcase_add_loop_test(tcase, each_distance, 0, (int)G_N_ELEMENTS(distances));
	tcase_add_test(tcase, suggestions);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(value_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
