/* SPDX-License-Identifier: Apache-2.0 */
/* value: parses and describes typed values by tables of units. Pure functions; any thread. */
#include "value.h"
#include "inet.h"
#include <errno.h>
#include <glib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Rising factors; the last entry has no name. */
static const struct unit duration_units[] = {
	{"ms", ELA_NS_PER_MS},
	{"s", ELA_NS_PER_S},
	{"m", 60 * ELA_NS_PER_S},
	{"h", 3600 * ELA_NS_PER_S},
	{"d", 86400 * ELA_NS_PER_S},
	{NULL, 0},
};
static const struct unit rate_units[] = {{"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1}, {"k", 1024}, {"M", 1048576}, {NULL, 0}};

/* Decimal digits without leading zeros; *end is behind them. */
static int parse_digits(const char *text, const char **end, int64_t *ret)
{
	const char *p = text;
	int64_t n = 0;

	if (!g_ascii_isdigit(*p) || (p[0] == '0' && g_ascii_isdigit(p[1])))
		return -EINVAL;
	for (; g_ascii_isdigit(*p); p++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
			return -ERANGE;
	}
	*end = p;
	*ret = n;
	return 0;
}

int ela_value_int(const char *text, int64_t *ret)
{
	bool negative = text[0] == '-';
	const char *end;
	int64_t n;
	int err = parse_digits(text + negative, &end, &n);

	if (err != 0)
		return err;
	if (*end != '\0')
		return -EINVAL;
	*ret = negative ? -n : n;
	return 0;
}

static int parse_scaled(const char *text, const struct unit *units, int64_t *ret)
{
	const char *end;
	int64_t n;
	int err = parse_digits(text, &end, &n);

	if (err != 0)
		return err;
	if (n == 0 && *end == '\0') { /* nothing is nothing in any unit */
		*ret = 0;
		return 0;
	}
	for (; units->name != NULL; units++) {
		if (strcmp(end, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(n, units->factor, &n))
			return -ERANGE;
		*ret = n;
		return 0;
	}
	return -EINVAL;
}

int ela_value_duration(const char *text, int64_t *ret)
{
	return parse_scaled(text, duration_units, ret);
}

int ela_value_rate(const char *text, int64_t *ret)
{
	return parse_scaled(text, rate_units, ret);
}

int ela_value_size(const char *text, int64_t *ret)
{
	return parse_scaled(text, size_units, ret);
}

int ela_value_hex(const char *text, uint8_t *out, size_t len)
{
	if (strlen(text) != 2 * len || strspn(text, "0123456789abcdefABCDEF") != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 | g_ascii_xdigit_value(text[2 * i + 1]));
	return 0;
}

static int parse_choice(const char *choices, const char *text, int64_t *ret)
{
	g_auto(GStrv) names = g_strsplit(choices, "|", -1);

	for (int64_t i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The number that min..max bound; 0 for types without one. */
static int parse_number(const struct ela_option *option, const char *text, int64_t *ret)
{
	switch (option->type) {
	case ELA_OPTION_INT:
		return ela_value_int(text, ret);
	case ELA_OPTION_DURATION:
		return ela_value_duration(text, ret);
	case ELA_OPTION_RATE:
		return ela_value_rate(text, ret);
	case ELA_OPTION_SIZE:
		return ela_value_size(text, ret);
	case ELA_OPTION_STRING:
		*ret = (int64_t)strlen(text);
		return 0;
	default:
		return -EINVAL;
	}
}

int ela_value_parse(const struct ela_option *option, const char *text, struct ela_value *ret)
{
	struct ela_addr addr;
	int64_t n = 0;
	int err;

	if (option->type == ELA_OPTION_CHOICE) {
		err = parse_choice(option->choices, text, &n);
	} else if (option->type == ELA_OPTION_IP) {
		err = ela_inet_addr(text, &addr);
	} else {
		err = parse_number(option, text, &n);
		if (err == 0 && (n < option->min || n > option->max))
			err = -ERANGE;
	}
	if (err != 0)
		return err;
	*ret = (struct ela_value){.num = option->type == ELA_OPTION_STRING ? 0 : n, .str = text};
	return 0;
}

/* The shortest exact way to write n: the largest unit that divides it. */
static char *scaled_text(const struct unit *units, int64_t n)
{
	const struct unit *best = NULL;

	for (; units->name != NULL; units++) {
		if (n != 0 && n % units->factor == 0)
			best = units;
	}
	if (best == NULL)
		return g_strdup_printf("%" G_GINT64_FORMAT, n);
	return g_strdup_printf("%" G_GINT64_FORMAT "%s", n / best->factor, best->name);
}

char *ela_value_text(const struct ela_option *option, int64_t n)
{
	static const struct unit none[] = {{NULL, 0}};

	switch (option->type) {
	case ELA_OPTION_DURATION:
		return scaled_text(duration_units, n);
	case ELA_OPTION_RATE:
		return scaled_text(rate_units, n);
	case ELA_OPTION_SIZE:
		return scaled_text(size_units, n);
	default:
		return scaled_text(none, n);
	}
}

static char *scaled_expected(const char *what, const struct ela_option *option)
{
	g_autofree char *min = ela_value_text(option, option->min);
	g_autofree char *max = ela_value_text(option, option->max);

	return g_strdup_printf("%s, %s..%s", what, min, max);
}

static char *choice_expected(const char *choices)
{
	g_auto(GStrv) names = g_strsplit(choices, "|", -1);
	guint n = g_strv_length(names);
	GString *text = g_string_new(names[0]);

	for (guint i = 1; i < n; i++)
		g_string_append_printf(text, "%s%s", i + 1 < n ? ", " : " or ", names[i]);
	return g_string_free(text, FALSE);
}

char *ela_value_expected(const struct ela_option *option)
{
	switch (option->type) {
	case ELA_OPTION_INT:
		return g_strdup_printf("a whole number %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT, option->min, option->max);
	case ELA_OPTION_STRING:
		return g_strdup_printf("text of %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " bytes", option->min, option->max);
	case ELA_OPTION_CHOICE:
		return choice_expected(option->choices);
	case ELA_OPTION_DURATION:
		return scaled_expected("a duration such as 250ms, 25s, 3m, 2h or 7d", option);
	case ELA_OPTION_RATE:
		return scaled_expected("a rate such as 500kbit, 10mbit or 1gbit", option);
	case ELA_OPTION_SIZE:
		return scaled_expected("a size such as 1500, 64k or 8M", option);
	default:
		return g_strdup("an IPv4 or IPv6 address");
	}
}
