/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini: walks the lines of ela.ini once, finds every lexical fault with its line, and keeps an index of sections and
 * keys. Values are kept and unescaped by GKeyFile. Control thread.
 */
#include "ini.h"
#include <string.h>

#define NAME_MAX_LEN 128u

/* State of the walk. */
struct walk {
	struct ela_ini *ini;
	struct ela_report *report;
	struct ela_ini_section *section; /* NULL: none yet, or its header is broken */
	bool has_header;                 /* a header was seen, good or not */
	bool is_repeat;                  /* the section was given before: its repeated keys are not news */
	uint32_t line;
};

static void key_free(gpointer data)
{
	struct ela_ini_key *key = data;

	g_free(key->name);
	g_free(key);
}

static void section_free(gpointer data)
{
	struct ela_ini_section *section = data;

	g_hash_table_destroy(section->by_name);
	g_ptr_array_unref(section->keys);
	g_free(section->name);
	g_free(section);
}

static struct ela_ini_section *section_add(struct ela_ini *ini, const char *name, uint32_t line)
{
	struct ela_ini_section *section = g_new0(struct ela_ini_section, 1);

	section->name = g_strdup(name);
	section->line = line;
	section->keys = g_ptr_array_new_with_free_func(key_free);
	section->by_name = g_hash_table_new(g_str_hash, g_str_equal); /* borrows the names */
	g_ptr_array_add(ini->sections, section);
	g_hash_table_insert(ini->by_name, section->name, section);
	return section;
}

/* Cuts the blanks at both ends of p[0..*len). */
static const char *trim(const char *p, size_t *len)
{
	while (*len > 0 && (p[*len - 1] == ' ' || p[*len - 1] == '\t'))
		(*len)--;
	while (*len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		(*len)--;
	}
	return p;
}

/* Section names are shown to people: printable ASCII without brackets, so that nothing looks like what it is not. */
static bool is_section_name(const char *p, size_t len)
{
	if (len == 0 || len > NAME_MAX_LEN || *p == ' ' || p[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '[' || p[i] == ']')
			return false;
	}
	return true;
}

static bool is_key_name(const char *p, size_t len)
{
	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isalnum(p[i]) && strchr("-_.", p[i]) == NULL)
			return false;
	}
	return true;
}

static void walk_header(struct walk *w, const char *p, size_t len)
{
	g_autofree char *name = NULL;
	const char *end = memchr(p, ']', len);

	w->has_header = true;
	w->section = NULL;
	w->is_repeat = false;
	if (end == NULL || end != p + len - 1 || !is_section_name(p + 1, len - 2)) {
		w->ini->has_broken_header = true;
		g_autofree char *text = g_strndup(p, len);
		g_autofree char *quoted = ela_report_quote(text);

		ela_report_add(w->report, w->line, NULL, NULL,
			"bad section header %s; expected a name in brackets such as [node], alone on its line", quoted);
		return;
	}
	name = g_strndup(p + 1, len - 2);
	w->section = g_hash_table_lookup(w->ini->by_name, name);
	if (w->section == NULL) {
		w->section = section_add(w->ini, name, w->line);
		return;
	}
	w->is_repeat = true;
	ela_report_add(
		w->report, w->line, name, NULL, "section given twice, first in line %u; expected once", w->section->line);
}

/* Enters the key unless it is there. */
static void walk_key(struct walk *w, const char *name, const char *value)
{
	struct ela_ini_key *key = g_hash_table_lookup(w->section->by_name, name);

	if (key != NULL) {
		if (!w->is_repeat)
			ela_report_add(w->report, w->line, w->section->name, name,
				"key given twice, first in line %u; expected once", key->line);
		return;
	}
	key = g_new0(struct ela_ini_key, 1);
	key->name = g_strdup(name);
	key->line = w->line;
	key->is_broken = value == NULL;
	g_ptr_array_add(w->section->keys, key);
	g_hash_table_insert(w->section->by_name, key->name, key);
	if (value != NULL)
		g_key_file_set_value(w->ini->values, w->section->name, name, value);
}

/* is_broken: the line's bytes are no good (reported); its key, where one can be made out, is not missing then. */
static void walk_pair(struct walk *w, const char *p, size_t len, bool is_broken)
{
	const char *equals = memchr(p, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - p) : len, value_len;
	const char *name_start = trim(p, &name_len), *value_start;
	g_autofree char *name = g_strndup(name_start, MIN(name_len, NAME_MAX_LEN + 1u));
	g_autofree char *value = NULL;

	if (equals == NULL || !is_key_name(name_start, name_len)) {
		g_autofree char *quoted = ela_report_quote(name);

		if (!is_broken)
			ela_report_add(w->report, w->line, w->section != NULL ? w->section->name : NULL, NULL,
				"%s is no \"key = value\"; expected that, a [section] or a # comment", quoted);
		return;
	}
	if (w->section == NULL) {
		if (!w->has_header && !is_broken)
			ela_report_add(w->report, w->line, NULL, NULL,
				"key %s stands before the first section; expected a [section] above it", name);
		return;
	}
	if (!is_broken) {
		value_len = len - (size_t)(equals + 1 - p);
		value_start = trim(equals + 1, &value_len);
		value = g_strndup(value_start, value_len);
	}
	walk_key(w, name, value);
}

/* What is wrong with the bytes of a line; NULL when nothing is. */
static const char *line_fault(const char *p, size_t len)
{
	if (len > ELA_INI_MAX_LINE)
		return "line is longer than 4096 bytes; expected a shorter one";
	if (memchr(p, '\0', len) != NULL)
		return "line holds a NUL byte; expected UTF-8 text";
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		return "line begins with a byte order mark; expected UTF-8 text without one";
	if (!g_utf8_validate_len(p, len, NULL))
		return "line is not valid UTF-8; expected UTF-8 text";
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
			return "line holds a control character; expected UTF-8 text";
	}
	return NULL;
}

static void walk_line(struct walk *w, const char *p, size_t len)
{
	const char *fault;

	if (len > 0 && p[len - 1] == '\r')
		len--; /* an editor's CR LF */
	fault = line_fault(p, len);
	if (fault != NULL)
		ela_report_add(w->report, w->line, w->section != NULL ? w->section->name : NULL, NULL, "%s", fault);
	p = trim(p, &len);
	if (len == 0 || *p == '#')
		return;
	if (*p != '[') {
		walk_pair(w, p, len, fault != NULL);
	} else if (fault == NULL) {
		walk_header(w, p, len);
	} else {
		w->has_header = true; /* what follows belongs to nobody knows what */
		w->section = NULL;
		w->ini->has_broken_header = true;
	}
}

struct ela_ini *ela_ini_parse(const char *file, const char *text, size_t len, struct ela_report *report)
{
	struct ela_ini *ini = g_new0(struct ela_ini, 1);
	struct walk w = {.ini = ini, .report = report};
	const char *p = text, *end = text + MIN(len, ELA_INI_MAX_FILE);

	ini->file = g_strdup(file);
	ini->sections = g_ptr_array_new_with_free_func(section_free);
	ini->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	ini->values = g_key_file_new();
	ini->is_cut = len > ELA_INI_MAX_FILE;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline != NULL ? newline : end;

		w.line++;
		if (newline == NULL && ini->is_cut && (size_t)(stop - p) <= ELA_INI_MAX_LINE)
			break; /* the cut goes through this line */
		walk_line(&w, p, (size_t)(stop - p));
		p = stop + (newline != NULL ? 1 : 0);
	}
	ini->last_line = MAX(w.line, 1u);
	if (len == 0)
		ela_report_add(report, 1, NULL, NULL, "file is empty; expected [node] and [components] at least");
	if (ini->is_cut)
		ela_report_add(report, ini->last_line, NULL, NULL, "file is larger than 1 MiB; expected a smaller one");
	return ini;
}

void ela_ini_free(struct ela_ini *ini)
{
	if (ini == NULL)
		return;
	g_hash_table_destroy(ini->by_name);
	g_ptr_array_unref(ini->sections);
	g_key_file_free(ini->values);
	g_free(ini->file);
	g_free(ini);
}

const struct ela_ini_section *ela_ini_section(const struct ela_ini *ini, const char *section)
{
	return g_hash_table_lookup(ini->by_name, section);
}

const struct ela_ini_key *ela_ini_key(const struct ela_ini_section *section, const char *key)
{
	return section == NULL ? NULL : g_hash_table_lookup(section->by_name, key);
}

uint32_t ela_ini_line(const struct ela_ini *ini, const char *section, const char *key)
{
	const struct ela_ini_section *s = ela_ini_section(ini, section);
	const struct ela_ini_key *k = key != NULL ? ela_ini_key(s, key) : NULL;

	if (k != NULL)
		return k->line;
	return s != NULL ? s->line : ini->last_line;
}

char *ela_ini_value(const struct ela_ini *ini, const char *section, const char *key, struct ela_report *report)
{
	const struct ela_ini_key *k = ela_ini_key(ela_ini_section(ini, section), key);
	g_autoptr(GError) error = NULL;
	g_autofree char *value = NULL;

	if (k == NULL || k->is_broken)
		return NULL;
	value = g_key_file_get_string(ini->values, section, key, &error); /* a bad escape gives both value and error */
	if (error != NULL) {
		ela_report_add(
			report, k->line, section, key, "bad escape; expected \\s, \\n, \\t, \\r or \\\\ after a backslash");
		return NULL;
	}
	if (*value == '\0') {
		ela_report_add(report, k->line, section, key, "value is empty; expected one, or the line removed");
		return NULL;
	}
	return g_steal_pointer(&value);
}

char **ela_ini_list(const struct ela_ini *ini, const char *section, const char *key, struct ela_report *report)
{
	g_autofree char *value = ela_ini_value(ini, section, key, report);
	g_auto(GStrv) elements = NULL;

	if (value == NULL)
		return NULL;
	elements = g_strsplit(value, ",", -1);
	for (guint i = 0; elements[i] != NULL; i++) {
		if (*g_strstrip(elements[i]) == '\0') {
			ela_report_add(report, ela_ini_line(ini, section, key), section, key,
				"list has an empty element; expected values between its commas");
			return NULL;
		}
	}
	return g_steal_pointer(&elements);
}
