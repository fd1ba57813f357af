/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini: the lexical level of ela.ini. GKeyFile reads values but knows no lines and merges what is given twice; this
 * finds every line's section, key and fault first and hands GKeyFile only good, single keys. Control thread.
 */
#ifndef ELA_CORE_INI_H
#define ELA_CORE_INI_H

#include "report.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELA_INI_MAX_LINE 4096u
#define ELA_INI_MAX_FILE 1048576u

struct ela_ini_key {
	char *name;
	uint32_t line;
	bool is_broken; /* there, but its value cannot be read (reported already): neither missing nor usable */
};

struct ela_ini_section {
	char *name;
	uint32_t line;
	GPtrArray *keys; /* struct ela_ini_key *, in file order, each name once */
	GHashTable *by_name;
};

struct ela_ini {
	char *file;
	GPtrArray *sections; /* struct ela_ini_section *, in file order, each name once */
	GHashTable *by_name;
	GKeyFile *values;
	uint32_t last_line;     /* at least 1 */
	bool has_broken_header; /* a section may be there under a name that cannot be read */
	bool is_cut;            /* larger than ELA_INI_MAX_FILE: what is behind was not read */
};

/* Indexes text[0..len), which may hold anything. Never NULL; faults go to report. */
struct ela_ini *ela_ini_parse(const char *file, const char *text, size_t len, struct ela_report *report);
void ela_ini_free(struct ela_ini *ini);

/* NULL when absent. */
const struct ela_ini_section *ela_ini_section(const struct ela_ini *ini, const char *section);
const struct ela_ini_key *ela_ini_key(const struct ela_ini_section *section, const char *key);
/* The line to blame for a key: its own, else its section's, else the last. */
uint32_t ela_ini_line(const struct ela_ini *ini, const char *section, const char *key);

/* The value without surrounding blanks, escapes resolved; NULL when absent or unreadable (then reported). g_free. */
char *ela_ini_value(const struct ela_ini *ini, const char *section, const char *key, struct ela_report *report);
/*
 * The elements of a comma-separated value, without blanks around them; NULL like ela_ini_value() and when an element
 * is empty. g_strfreev.
 */
char **ela_ini_list(const struct ela_ini *ini, const char *section, const char *key, struct ela_report *report);

#endif
