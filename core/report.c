/* SPDX-License-Identifier: Apache-2.0 */
/* report: collects the errors of one file and hands them out sorted by line. Control thread. */
#include "report.h"
#include "suggest.h"
#include <stdarg.h>

/* A file of junk has an error on every line: nobody reads more than these. */
#define MAX_ERRORS 1000u
#define QUOTE_MAX_LEN 64

struct entry {
	uint32_t line;
	char *text;
};

struct ela_report {
	char *file;
	GArray *entries; /* struct entry */
	uint32_t count;  /* all, those left out included */
	uint32_t last_line;
};

struct ela_report *ela_report_new(const char *file)
{
	struct ela_report *report = g_new0(struct ela_report, 1);

	report->file = g_strdup(file);
	report->entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
	return report;
}

uint32_t ela_report_count(const struct ela_report *report)
{
	return report->count;
}

char *ela_report_format(const char *file, uint32_t line, const char *section, const char *key, const char *text)
{
	char *whole;

	if (section == NULL)
		whole = g_strdup_printf("%s:%u: %s", file, line, text);
	else if (key == NULL)
		whole = g_strdup_printf("%s:%u: [%s]: %s", file, line, section, text);
	else
		whole = g_strdup_printf("%s:%u: [%s] %s: %s", file, line, section, key, text);
	for (char *p = whole; *p != '\0'; p++) { /* one error is one line, whatever an escape in a value made */
		if (g_ascii_iscntrl(*p))
			*p = '?';
	}
	return whole;
}

void ela_report_add(
	struct ela_report *report, uint32_t line, const char *section, const char *key, const char *format, ...)
{
	struct entry entry = {.line = line};
	g_autofree char *text = NULL;
	va_list args;

	report->count++;
	report->last_line = MAX(report->last_line, line);
	if (report->entries->len >= MAX_ERRORS)
		return;
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	entry.text = ela_report_format(report->file, line, section, key, text);
	g_array_append_val(report->entries, entry);
}

static gint by_line(gconstpointer a, gconstpointer b)
{
	const struct entry *ea = a, *eb = b;

	return (ea->line > eb->line) - (ea->line < eb->line);
}

void ela_report_finish(struct ela_report *report, GPtrArray *errors)
{
	g_array_sort(report->entries, by_line); /* a merge sort: stable */
	for (guint i = 0; i < report->entries->len; i++)
		g_ptr_array_add(errors, g_array_index(report->entries, struct entry, i).text);
	if (report->count > report->entries->len)
		g_ptr_array_add(errors, g_strdup_printf("%s:%u: %u more errors", report->file, report->last_line,
									report->count - report->entries->len));
	g_array_free(report->entries, TRUE);
	g_free(report->file);
	g_free(report);
}

char *ela_report_quote(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *quoted = g_string_new("\"");
	glong n = 0;

	for (char *p = valid; *p != '\0' && n < QUOTE_MAX_LEN; p = g_utf8_next_char(p), n++) {
		gunichar c = g_utf8_get_char(p);

		g_string_append_unichar(quoted, g_unichar_isprint(c) ? c : '?');
	}
	g_string_append(quoted, g_utf8_strlen(valid, -1) > n ? "...\"" : "\"");
	return g_string_free(quoted, FALSE);
}

char *ela_report_suggest(const char *wrong, const char *const *names)
{
	const char *nearest = ela_suggest(wrong, names);

	return nearest == NULL ? g_strdup("") : g_strdup_printf("; did you mean \"%s\"?", nearest);
}
