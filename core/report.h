/* SPDX-License-Identifier: Apache-2.0 */
/* report: collects the errors of one file and hands them out sorted by line. Control thread. */
#ifndef ELA_CORE_REPORT_H
#define ELA_CORE_REPORT_H

#include <glib.h>
#include <stdint.h>

struct ela_report;

struct ela_report *ela_report_new(const char *file);
/* Appends "FILE:LINE: [section] key: text" for each error to errors (char *, g_free) by rising line, and frees it. */
void ela_report_finish(struct ela_report *report, GPtrArray *errors);
uint32_t ela_report_count(const struct ela_report *report);

/* One error; section and key may be NULL. Errors of a line keep the order in which they were added. */
void ela_report_add(struct ela_report *report, uint32_t line, const char *section, const char *key, const char *format,
	...) G_GNUC_PRINTF(5, 6);

/* The house form of one error. g_free. */
char *ela_report_format(const char *file, uint32_t line, const char *section, const char *key, const char *text);

/* Text of a stranger's file, in quotes, short enough for a message and without control bytes. g_free. */
char *ela_report_quote(const char *text);
/* "; did you mean \"x\"?" for the name of names nearest to wrong, else "". g_free. */
char *ela_report_suggest(const char *wrong, const char *const *names);

#endif
