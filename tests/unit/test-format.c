/* SPDX-License-Identifier: Apache-2.0 */
/* What people are shown: times, bytes, parts, text. */
#include "format.h"

#include <check.h>
#include <glib.h>
#include <math.h>
#include <stdlib.h>

static const struct {
	void (*format)(double value, char out[ELA_FORMAT_LEN]);
	double value;
	const char *wanted;
} numbers[] = {
	{ela_format_time, 0, "0s"},
	{ela_format_time, 59.9, "59s"},
	{ela_format_time, 60, "1m"},
	{ela_format_time, 125, "2m5s"},
	{ela_format_time, 3599, "59m59s"},
	{ela_format_time, 3600, "1h"},
	{ela_format_time, 7380, "2h3m"},
	{ela_format_time, 7385, "2h3m"},
	{ela_format_time, 86399, "23h59m"},
	{ela_format_time, 86400, "1d"},
	{ela_format_time, 86400 * 3 + 3600 * 4 + 59, "3d4h"},
	{ela_format_time, 86400 * 1000.0, "1000d"},
	{ela_format_time, -1, "-"},
	{ela_format_time, NAN, "-"},
	{ela_format_time, INFINITY, "-"},
	{ela_format_time, 1e300, "-"},
	{ela_format_bytes, 0, "0 B"},
	{ela_format_bytes, 1023, "1023 B"},
	{ela_format_bytes, 1024, "1.0 KiB"},
	{ela_format_bytes, 1536, "1.5 KiB"},
	{ela_format_bytes, 1024 * 1024 - 1, "1.0 MiB"},
	{ela_format_bytes, 1024 * 1024, "1.0 MiB"},
	{ela_format_bytes, 3.0 * (1ull << 40), "3.0 TiB"},
	{ela_format_bytes, 9.9e17, "879.3 PiB"},
	{ela_format_bytes, 1e19, "-"},
	{ela_format_bytes, NAN, "-"},
	{ela_format_ms, 0.0412, "0.041 ms"},
	{ela_format_ms, 1, "1.00 ms"},
	{ela_format_ms, 12.34, "12.3 ms"},
	{ela_format_ms, 1250, "1.25 s"},
	{ela_format_ms, NAN, "-"},
	{ela_format_part, 0, "0.0 %"},
	{ela_format_part, 0.123, "12.3 %"},
	{ela_format_part, 1, "100.0 %"},
	{ela_format_part, NAN, "-"},
};

START_TEST(each_number)
{
	char out[ELA_FORMAT_LEN];

	numbers[_i].format(numbers[_i].value, out);
	ck_assert_str_eq(out, numbers[_i].wanted);
}
END_TEST

START_TEST(text)
{
	g_autofree char *plain = ela_format_text("b \xc3\xa4"), *none = ela_format_text(NULL);
	g_autofree char *hostile = ela_format_text("a\033[2Jb\x7f\nc\xc2\x9b\x31");

	ck_assert_str_eq(plain, "b \xc3\xa4");
	ck_assert_str_eq(none, "-");
	ck_assert_str_eq(hostile, "a?[2Jb??c??1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("format");
	TCase *tcase = tcase_create("format");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, each_number, 0, (int)G_N_ELEMENTS(numbers));
	tcase_add_test(tcase, text);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
