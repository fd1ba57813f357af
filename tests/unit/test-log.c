/* SPDX-License-Identifier: Apache-2.0 */
/* test-log: levels, form, masking, the limit per kind, stderr with and without the journal. Threads only where named.
 */
#include "log.h"
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define S 1000000000ull
#define THREADS 4
#define LINES 500

static GPtrArray *lines;

static void keep(void *data, const char *line)
{
	ck_assert_ptr_eq(data, &lines);
	g_ptr_array_add(lines, g_strdup(line));
}

static struct ela_log *log_new(uint32_t level)
{
	lines = g_ptr_array_new_with_free_func(g_free);
	return ela_log_new(level, keep, &lines);
}

static void log_done(struct ela_log *log)
{
	ela_log_free(log);
	g_ptr_array_unref(lines);
}

START_TEST(level_names)
{
	static const char *const names[] = {"error", "warn", "info", "debug", "trace"};
	static const char *const wrong[] = {"", "Error", "warning", "inf", "info "};
	uint32_t level = 77;

	for (uint32_t i = 0; i < G_N_ELEMENTS(names); i++) {
		ck_assert_int_eq(ela_log_level_parse(names[i], &level), 0);
		ck_assert_uint_eq(level, i);
	}
	level = 77;
	for (uint32_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		ck_assert_int_eq(ela_log_level_parse(wrong[i], &level), -EINVAL);
	ck_assert_uint_eq(level, 77);
}
END_TEST

START_TEST(levels_filter)
{
	struct ela_log *log = log_new(ELA_LOG_WARN);

	for (uint32_t level = ELA_LOG_ERROR; level <= ELA_LOG_TRACE; level++)
		ela_logf(log, level, "test", "level=%u", level);
	ck_assert_uint_eq(lines->len, 2);
	ck_assert_str_eq(lines->pdata[0], "error test: level=0");
	ck_assert_str_eq(lines->pdata[1], "warn test: level=1");
	ela_log_set_level(log, ELA_LOG_TRACE);
	ck_assert_uint_eq(ela_log_level(log), ELA_LOG_TRACE);
	ela_logf(log, ELA_LOG_TRACE, "test", "x");
	ela_logf(log, 99, "test", "y");
	ck_assert_str_eq(lines->pdata[2], "trace test: x");
	ck_assert_str_eq(lines->pdata[3], "trace test: y");
	ela_log_set_level(log, 99);
	ck_assert_uint_eq(ela_log_level(log), ELA_LOG_TRACE);
	log_done(log);
}
END_TEST

START_TEST(masks_controls)
{
	struct ela_log *log = log_new(ELA_LOG_INFO);

	ela_logf(log, ELA_LOG_INFO, "t", "%s", "a\nb\x1b[31m\x7f\tc \xc3\xa4 \xc2\x9b e");
	ck_assert_uint_eq(lines->len, 1);
	ck_assert_str_eq(lines->pdata[0], "info t: a?b?[31m??c \xc3\xa4 ?? e");
	log_done(log);
}
END_TEST

START_TEST(cuts_long_lines)
{
	struct ela_log *log = log_new(ELA_LOG_INFO);
	g_autofree char *text = g_strnfill(5000, 'x');

	ela_logf(log, ELA_LOG_INFO, "t", "%s", text);
	ck_assert_uint_eq(strlen(lines->pdata[0]), 1023);
	log_done(log);
}
END_TEST

static void limited(struct ela_log *log, uint64_t now_ns, const char *text)
{
	ela_logf_limited(log, now_ns, ELA_LOG_INFO, "t", "one %s", text);
}

START_TEST(limits_each_kind)
{
	struct ela_log *log = log_new(ELA_LOG_INFO);

	limited(log, 0, "a");
	limited(log, 0, "b");
	limited(log, S - 1, "c");
	ela_logf_limited(log, 5, ELA_LOG_INFO, "t", "other kind");
	limited(log, S, "d");
	limited(log, S + 1, "e");
	limited(log, 2 * S, "f");
	limited(log, 3 * S, "g");
	ck_assert_uint_eq(lines->len, 5);
	ck_assert_str_eq(lines->pdata[0], "info t: one a");
	ck_assert_str_eq(lines->pdata[1], "info t: other kind");
	ck_assert_str_eq(lines->pdata[2], "info t: one d left-out=2");
	ck_assert_str_eq(lines->pdata[3], "info t: one f left-out=1");
	ck_assert_str_eq(lines->pdata[4], "info t: one g");
	log_done(log);
}
END_TEST

/* A line that the level hides is not counted and opens no second. */
START_TEST(limit_after_level)
{
	struct ela_log *log = log_new(ELA_LOG_WARN);

	limited(log, 0, "hidden");
	ela_log_set_level(log, ELA_LOG_INFO);
	limited(log, 1, "seen");
	ck_assert_uint_eq(lines->len, 1);
	ck_assert_str_eq(lines->pdata[0], "info t: one seen");
	log_done(log);
}
END_TEST

/* A cut line keeps its count. */
START_TEST(limit_and_cut)
{
	struct ela_log *log = log_new(ELA_LOG_INFO);
	g_autofree char *text = g_strnfill(5000, 'x');

	limited(log, 0, text);
	limited(log, 1, text);
	limited(log, S, text);
	ck_assert_uint_eq(strlen(lines->pdata[1]), 1023);
	ck_assert(g_str_has_suffix(lines->pdata[1], "x left-out=1"));
	log_done(log);
}
END_TEST

/* More kinds than slots: the oldest gives way, the newest stay limited. */
START_TEST(limit_many_kinds)
{
	struct ela_log *log = log_new(ELA_LOG_INFO);
	char formats[100][16];

	for (uint32_t i = 0; i < 100; i++) {
		(void)snprintf(formats[i], sizeof formats[i], "kind-%u", i);
/* the addresses are what is tested, so these formats cannot be literals */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		ela_logf_limited(log, i, ELA_LOG_INFO, "t", formats[i]);
	}
	ck_assert_uint_eq(lines->len, 100);
	ela_logf_limited(log, 200, ELA_LOG_INFO, "t", formats[99]);
	ck_assert_uint_eq(lines->len, 100);
	ela_logf_limited(log, 201, ELA_LOG_INFO, "t", formats[0]);
#pragma GCC diagnostic pop
	ck_assert_uint_eq(lines->len, 101);
	log_done(log);
}
END_TEST

/* stderr into a pipe or file while fn runs; what was written. g_free. */
static char *captured(bool is_journal, void (*fn)(struct ela_log *log))
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	g_autofree char *stream = NULL;
	struct ela_log *log;
	struct stat st;
	char *text;
	long len;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(saved, 0);
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	stream = g_strdup_printf("%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + (is_journal ? 0 : 1)); /* else: of a stderr that was redirected since */
	ck_assert(g_setenv("JOURNAL_STREAM", stream, TRUE));
	ck_assert_int_eq(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	log = ela_log_new(ELA_LOG_TRACE, NULL, NULL);
	fn(log);
	ela_log_free(log);
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(close(saved), 0);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	len = ftell(file);
	ck_assert_int_ge(len, 0);
	rewind(file);
	text = g_malloc0((gsize)len + 1);
	ck_assert_uint_eq(fread(text, 1, (size_t)len, file), (size_t)len);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static void one_of_each(struct ela_log *log)
{
	for (uint32_t level = ELA_LOG_ERROR; level <= ELA_LOG_TRACE; level++)
		ela_logf(log, level, "s", "x");
}

START_TEST(writes_stderr)
{
	g_autofree char *plain = captured(false, one_of_each);
	g_autofree char *journal = captured(true, one_of_each);

	ck_assert_str_eq(plain, "error s: x\nwarn s: x\ninfo s: x\ndebug s: x\ntrace s: x\n");
	ck_assert_str_eq(journal, "<3>error s: x\n<4>warn s: x\n<6>info s: x\n<7>debug s: x\n<7>trace s: x\n");
}
END_TEST

static gpointer write_lines(gpointer data)
{
	g_autofree char *text = g_strnfill(200, 'y');

	for (int i = 0; i < LINES; i++) {
		ela_logf(data, ELA_LOG_INFO, "t", "%s", text);
		ela_logf_limited(data, 1, ELA_LOG_INFO, "t", "limited");
	}
	return NULL;
}

static void many_threads(struct ela_log *log)
{
	GThread *threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("log", write_lines, log);
	for (int i = 0; i < THREADS; i++)
		(void)g_thread_join(threads[i]); /* NULL */
}

/* Lines of several threads never mix. */
START_TEST(threads)
{
	g_autofree char *text = captured(false, many_threads);
	g_auto(GStrv) all = g_strsplit(text, "\n", -1);
	uint32_t n = 0, n_limited = 0;

	for (; all[n] != NULL && *all[n] != '\0'; n++) {
		n_limited += strcmp(all[n], "info t: limited") == 0;
		ck_assert_msg(strlen(all[n]) == 208 || strcmp(all[n], "info t: limited") == 0, "%s", all[n]);
	}
	ck_assert_uint_eq(n_limited, 1);
	ck_assert_uint_eq(n, THREADS * LINES + 1);
}
END_TEST

static Suite *log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("lines");

	tcase_add_test(tcase, level_names);
	tcase_add_test(tcase, levels_filter);
	tcase_add_test(tcase, masks_controls);
	tcase_add_test(tcase, cuts_long_lines);
	tcase_add_test(tcase, limits_each_kind);
	tcase_add_test(tcase, limit_after_level);
	tcase_add_test(tcase, limit_and_cut);
	tcase_add_test(tcase, limit_many_kinds);
	tcase_add_test(tcase, writes_stderr);
	tcase_add_test(tcase, threads);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(log_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
