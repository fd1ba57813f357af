/* SPDX-License-Identifier: Apache-2.0 */
/* value: text of ela.ini -> typed values: numbers, durations, rates, sizes, choices, addresses. Pure functions; any
 * thread. */
#ifndef ELA_CORE_VALUE_H
#define ELA_CORE_VALUE_H

#include <ela/plugin.h>
#include <stddef.h>

#define ELA_NS_PER_MS 1000000ll
#define ELA_NS_PER_S 1000000000ll

/* Each: 0; -EINVAL (not of that form); -ERANGE (does not fit 64 bits). *ret untouched on failure. */
int ela_value_int(const char *text, int64_t *ret);      /* -5, 0, 1420; no sign +, no leading zeros */
int ela_value_duration(const char *text, int64_t *ret); /* ns: 250ms 25s 3m 2h 7d, 0 */
int ela_value_rate(const char *text, int64_t *ret);     /* bit/s: 500kbit 10mbit 1gbit, powers of 1000, 0 */
int ela_value_size(const char *text, int64_t *ret);     /* bytes: 1500 64k 8M, powers of 1024 */

/* Exactly len bytes as hex digits of either case. 0, -EINVAL; out is untouched on failure. */
int ela_value_hex(const char *text, uint8_t *out, size_t len);

/*
 * One value of an option by its table entry, list elements one by one. 0, -EINVAL (form, or none of the choices),
 * -ERANGE (outside min..max). ret->str points to text, ret->num is set as plugin.h says.
 */
int ela_value_parse(const struct ela_option *option, const char *text, struct ela_value *ret);

/* n as ela.ini takes it for this entry: in the largest unit that leaves no rest. g_free. */
char *ela_value_text(const struct ela_option *option, int64_t n);

/* What the entry accepts, for "expected ...": "a whole number 1..65535", "auto or off". g_free. */
char *ela_value_expected(const struct ela_option *option);

#endif
