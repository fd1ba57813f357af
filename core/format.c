/* SPDX-License-Identifier: Apache-2.0 */
/* format: see format.h. Pure functions; any thread. */
#include "format.h"

#include <glib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define LARGEST 1e18 /* beyond it nothing here is a number that anybody means */

/* What is no number, or below zero: "-". */
static bool is_unknown(double value, char out[ELA_FORMAT_LEN])
{
	if (isfinite(value) && value >= 0 && value < LARGEST)
		return false;
	(void)g_strlcpy(out, "-", ELA_FORMAT_LEN); /* it fits */
	return true;
}

void ela_format_time(double seconds, char out[ELA_FORMAT_LEN])
{
	static const struct {
		uint64_t seconds;
		char name;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;
	uint64_t left;

	if (is_unknown(seconds, out))
		return;
	left = (uint64_t)seconds;
	while (i < 3 && left < units[i].seconds)
		i++;
	if (i == 3 || (left % units[i].seconds) / units[i + 1].seconds == 0)
		(void)g_snprintf(out, ELA_FORMAT_LEN, "%" G_GUINT64_FORMAT "%c", left / units[i].seconds, units[i].name);
	else
		(void)g_snprintf(out, ELA_FORMAT_LEN, "%" G_GUINT64_FORMAT "%c%" G_GUINT64_FORMAT "%c", left / units[i].seconds,
			units[i].name, (left % units[i].seconds) / units[i + 1].seconds, units[i + 1].name);
}

void ela_format_bytes(double bytes, char out[ELA_FORMAT_LEN])
{
	static const char units[] = "KMGTPE";
	size_t unit = 0;

	if (is_unknown(bytes, out))
		return;
	if (bytes < 1024) {
		(void)g_snprintf(out, ELA_FORMAT_LEN, "%.0f B", floor(bytes));
		return;
	}
	bytes /= 1024;
	while (bytes >= 1023.95) { /* which would be rounded up to 1024.0 */
		bytes /= 1024;
		unit++;
	}
	(void)g_snprintf(out, ELA_FORMAT_LEN, "%.1f %ciB", bytes, units[unit]);
}

void ela_format_ms(double ms, char out[ELA_FORMAT_LEN])
{
	if (is_unknown(ms, out))
		return;
	if (ms >= 999.5)
		(void)g_snprintf(out, ELA_FORMAT_LEN, "%.2f s", ms / 1000);
	else
		(void)g_snprintf(out, ELA_FORMAT_LEN, "%.*f ms", ms < 1 ? 3 : ms < 10 ? 2 : 1, ms);
}

void ela_format_part(double part, char out[ELA_FORMAT_LEN])
{
	if (!is_unknown(part, out))
		(void)g_snprintf(out, ELA_FORMAT_LEN, "%.1f %%", part * 100);
}

char *ela_format_text(const char *text)
{
	char *out = g_strdup(text ? text : "-");

	for (unsigned char *p = (unsigned char *)out; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			p[0] = p[1] = '?';
	}
	return out;
}
