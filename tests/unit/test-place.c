/* SPDX-License-Identifier: Apache-2.0 */
/* Which network ela takes when it is told one, and when it is not. */
#include "place.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

static char *etc;

static void put_ini(const char *name)
{
	g_autofree char *dir = g_build_filename(etc, name, NULL), *ini = g_build_filename(dir, "ela.ini", NULL);

	(void)g_mkdir_with_parents(dir, 0755); /* it may be there */
	ck_assert(g_file_set_contents(ini, "", 0, NULL));
}

/* socket NULL: refused with that code. */
static void expect(const char *dir, const char *network, const char *socket, const char *code)
{
	struct ela_network_place place = {.ini = NULL};
	GString *refusal = NULL;
	bool found = ela_place_find(etc, dir, network, &place, &refusal);

	ck_assert_int_eq(found, socket != NULL);
	if (found) {
		ck_assert_str_eq(place.socket, socket);
		ck_assert(g_str_has_suffix(place.ini, "/ela.ini"));
		ela_place_clear(&place);
	} else {
		ck_assert_msg(strstr(refusal->str, code) != NULL, "found %s", refusal->str);
		(void)g_string_free(refusal, TRUE);
	}
}

START_TEST(places)
{
	g_autofree char *base = g_dir_make_tmp("ela-place-XXXXXX", NULL), *own = NULL;

	etc = g_build_filename(base, "etc", NULL);
	own = g_build_filename(etc, "control.sock", NULL);
	expect(NULL, NULL, NULL, "\"code\":5"); /* not even the folder */
	ck_assert_int_eq(g_mkdir(etc, 0755), 0);
	expect(NULL, NULL, NULL, "\"code\":5");
	put_ini(".");
	expect(NULL, NULL, own, NULL);
	put_ini("home");
	expect(NULL, NULL, NULL, "\"code\":2"); /* which? */
	expect(NULL, "home", "/run/ela/home.sock", NULL);
	expect(etc, NULL, own, NULL);
	expect(etc, "home", NULL, "\"code\":2");
	expect(NULL, "work", NULL, "\"code\":5");
	expect(NULL, "../etc/home", NULL, "\"code\":5");
	expect(NULL, "..", NULL, "\"code\":5");
	expect(NULL, "", NULL, "\"code\":5");
	expect("/no/such/folder", NULL, NULL, "\"code\":5");
	own[strlen(own) - strlen("control.sock")] = '\0';
	ck_assert_int_eq(g_chdir(own), 0);
	ck_assert_int_eq(g_unlink("ela.ini"), 0);
	expect(NULL, NULL, "/run/ela/home.sock", NULL);
	put_ini("work");
	expect(NULL, NULL, NULL, "home, work");
	g_free(etc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("place");
	TCase *tcase = tcase_create("place");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, places);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
