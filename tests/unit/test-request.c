/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control socket: what each verb takes, and what is refused with which words. */
#include "json.h"
#include "request.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *line;
	int verb; /* -1 = refused */
	bool changes;
	const char *argument; /* or what the refusal says */
} lines[] = {
	{"{\"verb\":\"status\"}", ELA_VERB_STATUS, false, NULL},
	{"{\"verb\":\"peers\"}", ELA_VERB_PEERS, false, NULL},
	{"{\"verb\":\"ping\",\"node\":\"b\"}", ELA_VERB_PING, false, "b"},
	{"{\"node\":\"b\",\"verb\":\"why\"}", ELA_VERB_WHY, false, "b"},
	{"{\"verb\":\"reload\"}", ELA_VERB_RELOAD, true, NULL},
	{"{\"verb\":\"log\",\"level\":\"debug\"}", ELA_VERB_LOG, true, "debug"},
	{"{\"verb\":\"leave\"}", ELA_VERB_LEAVE, true, NULL},
	{"{\"verb\":\"leases\"}", ELA_VERB_LEASES, false, NULL},
	{"{\"verb\":\"objects\"}", ELA_VERB_OBJECTS, false, NULL},
	{"{\"verb\":\"offer\",\"object\":\"AA==\",\"kind\":\"list\"}", ELA_VERB_OFFER, true, "list"},
	{"{\"verb\":\"offer\",\"kind\":\"list\"}", -1, false, "offer needs \"object\""},
	{"{\"verb\":\"offer\",\"kind\":\"list\",\"object\":\"\"}", -1, false, "offer needs \"object\""},
	{"{\"verb\":\"offer\",\"object\":\"AA==\"}", -1, false, "offer needs \"kind\""},
	{"{\"verb\":\"offer\",\"kind\":\"list\",\"object\":1}", -1, false, "offer needs \"object\""},
	{"{\"verb\":\"log\",\"level\":\"debug\",\"object\":\"AA==\"}", -1, false, "log takes no \"object\""},
	{"", -1, false, "no JSON: byte 1"},
	{"x", -1, false, "no JSON: byte 1"},
	{"{\"verb\":\"leave\"} x", -1, false, "no JSON: byte 18"},
	{"{\"verb\":\"status\",\"verb\":\"leave\"}", -1, false, "no JSON"},
	{"null", -1, false, "member \"verb\""},
	{"[\"leave\"]", -1, false, "member \"verb\""},
	{"{}", -1, false, "member \"verb\""},
	{"{\"verb\":null}", -1, false, "member \"verb\""},
	{"{\"verb\":6}", -1, false, "member \"verb\""},
	{"{\"verb\":\"\"}", -1, false, "there is no verb \"\""},
	{"{\"verb\":\"LEAVE\"}", -1, false, "did you mean \"leave\""},
	{"{\"verb\":\"reloda\"}", -1, false, "did you mean \"reload\""},
	{"{\"verb\":\"init\"}", -1, false, "there is no verb \"init\""},
	{"{\"verb\":\"leave\",\"node\":\"b\"}", -1, false, "leave takes no \"node\""},
	{"{\"verb\":\"ping\",\"node\":\"b\",\"count\":2}", -1, false, "ping takes no \"count\""},
	{"{\"verb\":\"ping\"}", -1, false, "ping needs \"node\""},
	{"{\"verb\":\"ping\",\"node\":\"\"}", -1, false, "ping needs \"node\""},
	{"{\"verb\":\"ping\",\"node\":1}", -1, false, "ping needs \"node\""},
	{"{\"verb\":\"log\",\"level\":[\"debug\"]}", -1, false, "log needs \"level\""},
};

START_TEST(each_line)
{
	const char *line = lines[_i].line;
	struct ela_request request = {.argument = NULL};
	GString *refusal = NULL;
	bool good = ela_request_parse(line, strlen(line), &request, &refusal);

	ck_assert_int_eq(good, lines[_i].verb >= 0);
	if (good) {
		ck_assert_int_eq((int)request.verb, lines[_i].verb);
		ck_assert_int_eq(request.changes, lines[_i].changes);
		ck_assert_pstr_eq(request.argument, lines[_i].argument);
		ck_assert_pstr_eq(request.object, request.verb == ELA_VERB_OFFER ? "AA==" : NULL);
		ck_assert_ptr_null(refusal);
	} else {
		struct ela_json *reply = ela_json_read(refusal->str, refusal->len, NULL);
		const struct ela_json *error = ela_json_get(reply, "error");

		ck_assert_double_eq(ela_json_get_number(reply, "schema", 0), 1);
		ck_assert_double_eq(ela_json_get_number(error, "code", 0), ELA_CODE_USAGE);
		ck_assert_msg(
			strstr(ela_json_get_string(error, "text"), lines[_i].argument) != NULL, "%s: found %s", line, refusal->str);
		ela_json_free(reply);
		(void)g_string_free(refusal, TRUE);
	}
	ela_request_clear(&request);
}
END_TEST

START_TEST(refusal_is_json)
{
	g_autoptr(GString) reply = ela_refusal(ELA_CODE_NOT_FOUND, "a \"remedy\"", "%s", "line\nof \xff text");
	struct ela_json *json = ela_json_read(reply->str, reply->len, NULL);

	ck_assert_str_eq(ela_json_get_string(ela_json_get(json, "error"), "text"), "line\nof \xef\xbf\xbd text");
	ck_assert_str_eq(ela_json_get_string(ela_json_get(json, "error"), "remedy"), "a \"remedy\"");
	ck_assert_double_eq(ela_json_get_number(ela_json_get(json, "error"), "code", 0), 5);
	ela_json_free(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("request");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, each_line, 0, (int)G_N_ELEMENTS(lines));
	tcase_add_test(tcase, refusal_is_json);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
