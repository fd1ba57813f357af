/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: what RFC 8259 allows and what it does not, in a table; random values written here and read there; random and
 * damaged text, of which what is taken must say the same when it is written and read again.
 */
#include "json.h"
#include "naive.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tree as text, by this module's own writer. */
static void write_value(GString *text, const struct ela_json *json)
{
	char bracket = json->type == ELA_JSON_OBJECT ? '{' : '[';

	switch (json->type) {
	case ELA_JSON_NULL:
		ela_json_put_null(text, json->key);
		break;
	case ELA_JSON_BOOL:
		ela_json_put_bool(text, json->key, json->boolean);
		break;
	case ELA_JSON_NUMBER:
		if (json->is_integer)
			ela_json_put_int(text, json->key, json->integer);
		else
			ela_json_put_number(text, json->key, json->number, 6);
		break;
	case ELA_JSON_STRING:
		ela_json_put(text, json->key, json->string);
		break;
	default:
		ela_json_open(text, json->key, bracket);
		for (guint i = 0; i < ela_json_length(json); i++)
			write_value(text, ela_json_item(json, i));
		ela_json_close(text, bracket == '{' ? '}' : ']');
		break;
	}
}

/* What is understood of a text, NULL when it is refused. g_free. */
static char *understood(const char *text, size_t len)
{
	g_autoptr(GError) error = NULL;
	struct ela_json *json = ela_json_read(text, len, &error);
	GString *out;

	ck_assert_int_eq(json == NULL, error != NULL);
	if (!json)
		return NULL;
	out = g_string_new(NULL);
	write_value(out, json);
	ela_json_free(json);
	return g_string_free(out, FALSE);
}

/* found NULL: refused. */
static const struct {
	const char *text, *wanted;
} texts[] = {
	{"{\"verb\":\"status\"}", "{\"verb\":\"status\"}"},
	{" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n", "{\"a\":[1,2],\"b\":{}}"},
	{"null", "null"},
	{"true", "true"},
	{"false", "false"},
	{"\"\"", "\"\""},
	{"[]", "[]"},
	{"0", "0"},
	{"-0", "0"},
	{"-9223372036854775808", "-9223372036854775808"},
	{"9223372036854775807", "9223372036854775807"},
	{"9223372036854775808", "9223372036854775808.000000"},
	{"1.5", "1.500000"},
	{"-1.5e2", "-150.000000"},
	{"1E+2", "100.000000"},
	{"1e-2", "0.010000"},
	{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\""},
	{"\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"", "\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
	{"\"\x7f\"", "\"\\u007f\""},
	/* refused: not JSON, or more than it is good for */
	{"", NULL},
	{"  ", NULL},
	{"{\"a\":1}{\"b\":2}", NULL},
	{"{\"a\":1}x", NULL},
	{"var x = {\"a\":1}", NULL},
	{"{'a':1}", NULL},
	{"{a:1}", NULL},
	{"{\"a\":1,\"a\":2}", NULL},
	{"{\"a\":1,}", NULL},
	{"{\"a\"}", NULL},
	{"{\"a\" 1}", NULL},
	{"{,}", NULL},
	{"{1:2}", NULL},
	{"{\"a\":}", NULL},
	{"{\"a\":1 \"b\":2}", NULL},
	{"[1,]", NULL},
	{"[,1]", NULL},
	{"[1 2]", NULL},
	{"[1", NULL},
	{"{\"a\":1", NULL},
	{"]", NULL},
	{"// c\n1", NULL},
	{"/* c */ 1", NULL},
	{"01", NULL},
	{"+1", NULL},
	{"-", NULL},
	{".5", NULL},
	{"1.", NULL},
	{"1e", NULL},
	{"1e+", NULL},
	{"0x10", NULL},
	{"1e999", NULL},
	{"NaN", NULL},
	{"Infinity", NULL},
	{"tru", NULL},
	{"True", NULL},
	{"nul", NULL},
	{"\"", NULL},
	{"\"a", NULL},
	{"\"\\\"", NULL},
	{"\"\\q\"", NULL},
	{"\"\\", NULL},
	{"\"\\u\"", NULL},
	{"\"\\u12\"", NULL},
	{"\"\\u12g4\"", NULL},
	{"\"\\u0000\"", NULL},
	{"\"\\ud800\"", NULL},
	{"\"\\ud800\\u0041\"", NULL},
	{"\"\\udc00\"", NULL},
	{"\"\t\"", NULL},
	{"\"\n\"", NULL},
	{"\"\xff\"", NULL},
	{"\"\xc3\"", NULL},
	{"\"\xc0\x80\"", NULL},
	{"\"\xed\xa0\x80\"", NULL},
	{"\xef\xbb\xbf{}", NULL},
};

START_TEST(each_text)
{
	const char *text = texts[_i].text;
	/* A copy of just its length: what looks beyond is seen by a sanitizer. */
	g_autofree char *exact = g_memdup2(text, strlen(text)), *found = understood(exact, strlen(text));

	if (texts[_i].wanted)
		ck_assert_msg(
			g_strcmp0(found, texts[_i].wanted) == 0, "%s: found %s, wanted %s", text, found, texts[_i].wanted);
	else
		ck_assert_msg(!found, "%s: found %s, wanted a refusal", text, found);
}
END_TEST

START_TEST(zero_byte)
{
	static const char text[] = "{\"a\":1}\0{";
	static const char in_string[] = "\"a\0b\"";

	ck_assert_ptr_null(understood(text, sizeof text - 1));
	ck_assert_ptr_null(understood(in_string, sizeof in_string - 1));
}
END_TEST

/* One level more than there may be. */
START_TEST(depth)
{
	for (guint n = ELA_JSON_DEPTH - 1; n <= ELA_JSON_DEPTH + 1; n++) {
		g_autofree char *open = g_strnfill(n, '['), *close = g_strnfill(n, ']');
		g_autofree char *text = g_strconcat(open, close, NULL), *found = understood(text, strlen(text));

		ck_assert_int_eq(found != NULL, n <= ELA_JSON_DEPTH);
	}
}
END_TEST

START_TEST(says_where)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(ela_json_read("{\"a\":x}", 7, &error));
	ck_assert_str_eq(error->message, "byte 6: found no value");
}
END_TEST

START_TEST(looking)
{
	static const char text[] = "{\"s\":\"x\",\"n\":1.5,\"z\":null,\"a\":[1,2]}";
	struct ela_json *json = ela_json_read(text, strlen(text), NULL);

	ck_assert_str_eq(ela_json_get_string(json, "s"), "x");
	ck_assert_ptr_null(ela_json_get_string(json, "n"));
	ck_assert_ptr_null(ela_json_get_string(json, "none"));
	ck_assert_double_eq(ela_json_get_number(json, "n", 7), 1.5);
	ck_assert_double_eq(ela_json_get_number(json, "z", 7), 7);
	ck_assert_double_eq(ela_json_get_number(NULL, "z", 7), 7);
	ck_assert_uint_eq(ela_json_length(ela_json_get(json, "a")), 2);
	ck_assert_uint_eq(ela_json_length(ela_json_get(json, "s")), 0);
	ck_assert_ptr_null(ela_json_get(ela_json_get(json, "a"), "s"));
	ela_json_free(json);
}
END_TEST

START_TEST(writing)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct ela_json *json;

	ela_json_open(text, NULL, '{');
	ela_json_put(text, "bad", "a\xff\x01\"");
	ela_json_put(text, "none", NULL);
	ela_json_put_count(text, "count", UINT64_MAX);
	ela_json_put_number(text, "nan", NAN, 2);
	ela_json_put_number(text, "huge", -1.7976931348623157e308, 0);
	ela_json_close(text, '}');
	ck_assert(g_str_has_prefix(text->str, "{\"bad\":\"a\xef\xbf\xbd\\u0001\\\"\",\"none\":null,\"count\":"
										  "18446744073709551615,\"nan\":null,\"huge\":-17976"));
	json = ela_json_read(text->str, text->len, NULL);
	ck_assert_ptr_nonnull(json);
	ela_json_free(json);
}
END_TEST

/* ---- random ---- */

static void random_text(struct naive_rng *rng, GString *text)
{
	static const char *const characters[] = {"a", "\xc3\xa4", "\xf0\x9f\x98\x80", "\\", "\"", "\x1f", " ", "/"};
	GString *string = g_string_new(NULL);

	for (uint32_t n = naive_below(rng, 6); n; n--)
		g_string_append(string, characters[naive_below(rng, G_N_ELEMENTS(characters))]);
	ela_json_put(text, NULL, string->str);
	(void)g_string_free(string, TRUE);
}

static void random_space(struct naive_rng *rng, GString *text)
{
	while (naive_one_in(rng, 4))
		g_string_append_c(text, " \t\n\r"[naive_below(rng, 4)]);
}

/* A value as text with white space here and there, and without any in plain: the same bytes otherwise. */
static void random_value(struct naive_rng *rng, GString *text, GString *plain, uint32_t levels)
{
	g_autoptr(GString) one = g_string_new(NULL);
	uint32_t kind = naive_below(rng, levels ? 6 : 4);
	bool object = kind == 5;

	random_space(rng, text);
	if (kind < 4) {
		if (kind == 0)
			ela_json_put_int(one, NULL, (int64_t)naive_next(rng));
		else if (kind == 1)
			random_text(rng, one);
		else
			g_string_append(one, kind == 2 ? "null" : "true");
		g_string_append(text, one->str);
		g_string_append(plain, one->str);
	} else {
		g_string_append_c(text, object ? '{' : '[');
		g_string_append_c(plain, object ? '{' : '[');
		for (uint32_t i = 0, n = naive_below(rng, 4); i < n; i++) {
			if (i) {
				g_string_append_c(text, ',');
				g_string_append_c(plain, ',');
			}
			random_space(rng, text);
			if (object) {
				g_string_append_printf(text, "\"k%u\" :", i);
				g_string_append_printf(plain, "\"k%u\":", i);
			}
			random_value(rng, text, plain, levels - 1);
		}
		random_space(rng, text);
		g_string_append_c(text, object ? '}' : ']');
		g_string_append_c(plain, object ? '}' : ']');
	}
	random_space(rng, text);
}

START_TEST(random_values)
{
	struct naive_rng rng = naive_seed("json");

	for (uint64_t n = naive_scaled(20000); n; n--) {
		g_autoptr(GString) text = g_string_new(NULL), plain = g_string_new(NULL);
		g_autofree char *found = NULL;

		random_value(&rng, text, plain, 5);
		found = understood(text->str, text->len);
		if (g_strcmp0(found, plain->str) != 0)
			naive_fail("found %s, wanted %s, of %s", found, plain->str, text->str);
	}
}
END_TEST

/* Damaged: refused, or it says something that stays the same. */
START_TEST(damaged_values)
{
	struct naive_rng rng = naive_seed("json-damaged");

	for (uint64_t n = naive_scaled(50000); n; n--) {
		g_autoptr(GString) text = g_string_new(NULL), plain = g_string_new(NULL);
		g_autofree char *exact = NULL, *once = NULL, *twice = NULL;
		size_t len;

		random_value(&rng, text, plain, 4);
		for (uint32_t k = naive_below(&rng, 3); k && text->len; k--)
			text->str[naive_below(&rng, (uint32_t)text->len)] = (char)naive_next(&rng);
		len = naive_one_in(&rng, 3) ? naive_below(&rng, (uint32_t)text->len + 1) : text->len;
		exact = g_memdup2(text->str, len);
		once = understood(exact, len);
		if (!once)
			continue;
		twice = understood(once, strlen(once));
		if (g_strcmp0(once, twice) != 0)
			naive_fail("found %s, then %s", once, twice);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tcase = tcase_create("json");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, each_text, 0, (int)G_N_ELEMENTS(texts));
	tcase_add_test(tcase, zero_byte);
	tcase_add_test(tcase, depth);
	tcase_add_test(tcase, says_where);
	tcase_add_test(tcase, looking);
	tcase_add_test(tcase, writing);
	tcase_add_test(tcase, random_values);
	tcase_add_test(tcase, damaged_values);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
