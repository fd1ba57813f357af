/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader-check: every field of a plugin's descriptor, so that nothing later has to doubt one. Checks read magic and
 * version first and nothing else before these are known to fit. Control thread.
 */
#include "loader-priv.h"
#include "value.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PLUGIN_NAME_MAX 32u
#define COUNTER_NAME_MAX 48u
#define VERSION_MAX 32u
#define TEXT_MAX 256u
#define STRING_OPTION_MAX 1024
#define MAX_OPTIONS 64u

bool ela_loader_is_name(const char *name, size_t max_len)
{
	size_t len = name != NULL ? strnlen(name, max_len + 1) : 0;

	if (len == 0 || len > max_len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_islower(name[i]) && !g_ascii_isdigit(name[i]) && name[i] != '-')
			return false;
	}
	return true;
}

bool ela_loader_refuse(
	GError **error, const char *file, const char *what, const char *wanted, const char *found_format, ...)
{
	g_autofree char *found = NULL;
	va_list args;

	va_start(args, found_format);
	found = g_strdup_vprintf(found_format, args);
	va_end(args);
	g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_REFUSED, "%s: %s: found %s, wanted %s", file, what, found, wanted);
	return false;
}

/* A text field: there, not empty, bounded, printable. */
static bool check_text(const char *file, const char *what, const char *text, size_t max_len, GError **error)
{
	g_autofree char *wanted = g_strdup_printf("1..%zu bytes of text", max_len);
	size_t len;

	if (text == NULL)
		return ela_loader_refuse(error, file, what, wanted, "NULL");
	len = strnlen(text, max_len + 1);
	if (len == 0 || len > max_len)
		return ela_loader_refuse(error, file, what, wanted, "%s", len == 0 ? "an empty text" : "a longer one");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return ela_loader_refuse(error, file, what, wanted, "a control character");
	}
	if (!g_utf8_validate(text, -1, NULL))
		return ela_loader_refuse(error, file, what, wanted, "no UTF-8");
	return true;
}

static bool check_name(const char *file, const char *what, const char *name, size_t max_len, GError **error)
{
	g_autofree char *wanted = g_strdup_printf("1..%zu of a-z 0-9 -", max_len);

	if (!check_text(file, what, name, max_len, error))
		return false;
	if (!ela_loader_is_name(name, max_len))
		return ela_loader_refuse(error, file, what, wanted, "\"%s\"", name);
	return true;
}

static bool check_choices(const char *file, const char *what, const struct ela_option *option, GError **error)
{
	g_auto(GStrv) names = NULL;

	if (option->type != ELA_OPTION_CHOICE) {
		if (option->choices != NULL)
			return ela_loader_refuse(error, file, what, "choices only with type choice", "choices");
		return true;
	}
	if (!check_text(file, what, option->choices, TEXT_MAX, error))
		return false;
	names = g_strsplit(option->choices, "|", -1);
	for (guint i = 0; names[i] != NULL; i++) {
		if (*names[i] == '\0' || strpbrk(names[i], ", \t") != NULL)
			return ela_loader_refuse(error, file, what, "choices such as \"auto|off\"", "\"%s\"", option->choices);
	}
	return true;
}

static bool check_range(const char *file, const char *what, const struct ela_option *option, GError **error)
{
	bool is_signed = option->type == ELA_OPTION_INT;

	if (option->type == ELA_OPTION_CHOICE || option->type == ELA_OPTION_IP)
		return true;
	if (option->min > option->max || (!is_signed && option->min < 0))
		return ela_loader_refuse(error, file, what, "min <= max, not negative where it is no whole number",
			"range %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT, option->min, option->max);
	if (option->type == ELA_OPTION_STRING && (option->max < 1 || option->max > STRING_OPTION_MAX))
		return ela_loader_refuse(
			error, file, what, "a text's length of 1..1024 bytes", "max %" G_GINT64_FORMAT, option->max);
	return true;
}

static bool check_default(const char *file, const char *what, const struct ela_option *option, GError **error)
{
	g_auto(GStrv) elements = NULL;
	g_autofree char *expected = NULL;
	struct ela_value value;

	if (option->def == NULL)
		return true;
	if (!check_text(file, what, option->def, STRING_OPTION_MAX, error))
		return false;
	elements = g_strsplit(option->def, (option->flags & ELA_OPTION_LIST) != 0 ? "," : "\n", -1);
	expected = ela_value_expected(option);
	for (guint i = 0; elements[i] != NULL; i++) {
		if (ela_value_parse(option, g_strstrip(elements[i]), &value) != 0)
			return ela_loader_refuse(error, file, what, expected, "default \"%s\"", option->def);
	}
	return true;
}

static bool check_option(const char *file, const struct ela_option *option, uint32_t number, GError **error)
{
	g_autofree char *nth = g_strdup_printf("key of option %u", number);
	g_autofree char *what = NULL;

	if (!check_name(file, nth, option->key, PLUGIN_NAME_MAX, error))
		return false;
	what = g_strdup_printf("option %s", option->key);
	if (option->type < ELA_OPTION_INT || option->type > ELA_OPTION_IP)
		return ela_loader_refuse(error, file, what, "a type 1..7", "type %u", option->type);
	if ((option->flags & ~(ELA_OPTION_LIST | ELA_OPTION_RELOAD)) != 0)
		return ela_loader_refuse(error, file, what, "flags LIST and RELOAD only", "flags 0x%x", option->flags);
	if (option->reserved != 0)
		return ela_loader_refuse(error, file, what, "reserved fields 0", "another value");
	if (option->unit != NULL && !check_text(file, what, option->unit, PLUGIN_NAME_MAX, error))
		return false;
	return check_text(file, what, option->help, TEXT_MAX, error) && check_choices(file, what, option, error) &&
		   check_range(file, what, option, error) && check_default(file, what, option, error);
}

bool ela_loader_check_options(const char *file, const struct ela_plugin *descriptor, GError **error)
{
	const uint8_t *table = (const uint8_t *)descriptor->options;

	if (descriptor->n_options == 0)
		return true;
	if (descriptor->n_options > MAX_OPTIONS)
		return ela_loader_refuse(error, file, "options", "at most 64", "%u", descriptor->n_options);
	if (table == NULL)
		return ela_loader_refuse(error, file, "options", "a table", "NULL with n_options %u", descriptor->n_options);
	if (descriptor->option_size < sizeof(struct ela_option) || descriptor->option_size % 8 != 0)
		return ela_loader_refuse(
			error, file, "option size", "at least 72, a multiple of 8", "%u bytes", descriptor->option_size);
	for (uint32_t i = 0; i < descriptor->n_options; i++) {
		const struct ela_option *option = (const void *)(table + (size_t)i * descriptor->option_size);

		if (!check_option(file, option, i, error))
			return false;
		for (uint32_t k = 0; k < i; k++) {
			const struct ela_option *other = (const void *)(table + (size_t)k * descriptor->option_size);

			if (strcmp(other->key, option->key) == 0)
				return ela_loader_refuse(error, file, "options", "each key once", "%s twice", option->key);
		}
	}
	return true;
}

static bool check_counters(const char *file, const struct ela_plugin *d, GError **error)
{
	if (d->n_counters > ELA_PLUGIN_MAX_COUNTERS)
		return ela_loader_refuse(error, file, "counters", "at most 64", "%u", d->n_counters);
	if (d->n_counters > 0 && d->counters == NULL)
		return ela_loader_refuse(error, file, "counters", "a table", "NULL with n_counters %u", d->n_counters);
	for (uint32_t i = 0; i < d->n_counters; i++) {
		g_autofree char *what = g_strdup_printf("counter %u", i);

		if (!check_name(file, what, d->counters[i], COUNTER_NAME_MAX, error))
			return false;
		for (uint32_t k = 0; k < i; k++) {
			if (strcmp(d->counters[k], d->counters[i]) == 0)
				return ela_loader_refuse(error, file, "counters", "each name once", "%s twice", d->counters[i]);
		}
	}
	return true;
}

/* Nothing behind these fields means anything before they fit. */
static bool check_version(const char *file, const struct ela_plugin *d, GError **error)
{
	g_autofree char *major = g_strdup_printf("%u", ELA_ABI_MAJOR);
	g_autofree char *minor = g_strdup_printf("at most %u.%u", ELA_ABI_MAJOR, ELA_ABI_MINOR);

	if (d->magic != ELA_PLUGIN_MAGIC)
		return ela_loader_refuse(error, file, "magic", "0x70414c45", "0x%08x", d->magic);
	if (d->abi_major != ELA_ABI_MAJOR)
		return ela_loader_refuse(error, file, "ABI major", major, "%u", d->abi_major);
	if (d->abi_minor > ELA_ABI_MINOR)
		return ela_loader_refuse(error, file, "ABI version", minor, "%u.%u", d->abi_major, d->abi_minor);
	if (ela_loader_prefix(d->kind) == NULL)
		return ela_loader_refuse(error, file, "kind", "1..4 (npd, cipher, transport, routing)", "%u", d->kind);
	return true;
}

bool ela_loader_check(const char *file, const char *base, const struct ela_plugin *d, GError **error)
{
	g_autofree char *own_base = NULL;

	if (!check_version(file, d, error) || !check_name(file, "name", d->name, PLUGIN_NAME_MAX, error) ||
		!check_text(file, "version", d->version, VERSION_MAX, error) ||
		!check_text(file, "licence", d->licence, TEXT_MAX, error) ||
		!check_text(file, "summary", d->summary, TEXT_MAX, error))
		return false;
	own_base = g_strdup_printf("%s-%s.so", ela_loader_prefix(d->kind), d->name);
	if (base != NULL && strcmp(base, own_base) != 0)
		return ela_loader_refuse(error, file, "file's name", own_base, "%s", base);
	if (d->ops == NULL)
		return ela_loader_refuse(error, file, "operations", "a table", "NULL");
	if (d->reserved32 != 0 || d->reserved != 0)
		return ela_loader_refuse(error, file, "reserved fields", "0", "another value");
	return ela_loader_check_options(file, d, error) && check_counters(file, d, error);
}
