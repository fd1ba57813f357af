/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: JSON as RFC 8259 has it and nothing else, to a tree and from values: what the control socket speaks. Pure
 * functions; any thread. Why not a library: docs/adr/0019-own-json.md.
 */
#ifndef ELA_CORE_JSON_H
#define ELA_CORE_JSON_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define ELA_JSON_DEPTH 16u /* arrays and objects within each other */

#define ELA_JSON_ERROR (g_quark_from_static_string("ela-json"))
enum ela_json_error { ELA_JSON_INVALID };

enum ela_json_type {
	ELA_JSON_NULL,
	ELA_JSON_BOOL,
	ELA_JSON_NUMBER,
	ELA_JSON_STRING,
	ELA_JSON_ARRAY,
	ELA_JSON_OBJECT,
};

struct ela_json {
	enum ela_json_type type;
	char *key; /* of a member of an object; NULL elsewhere */
	bool boolean;
	double number;
	bool is_integer; /* written without fraction and exponent, and within 64 bits: integer is exact */
	int64_t integer;
	char *string;     /* valid UTF-8 */
	GPtrArray *items; /* struct ela_json *, of arrays and objects */
};

/*
 * Reads one value with white space around it. Refused: anything behind it, a key twice in one object, \u0000, lone
 * surrogates, bytes that are no UTF-8, numbers beyond a double, more than ELA_JSON_DEPTH levels. NULL and *error, which
 * says at which byte.
 */
struct ela_json *ela_json_read(const char *text, size_t len, GError **error);
void ela_json_free(struct ela_json *json); /* takes NULL */

/* The member of an object; NULL when json is NULL or no object, or has no such member. */
const struct ela_json *ela_json_get(const struct ela_json *json, const char *key);
/* A member that is a string; NULL for everything else. */
const char *ela_json_get_string(const struct ela_json *json, const char *key);
/* A member that is a number; otherwise, absent and null included, instead. */
double ela_json_get_number(const struct ela_json *json, const char *key, double instead);
/* How many items an array or object has; 0 for everything else. */
guint ela_json_length(const struct ela_json *json);
/* Item i of those. */
const struct ela_json *ela_json_item(const struct ela_json *json, guint i);

/*
 * Writing, value after value onto the end of text; commas come by themselves. key NULL: an item of an array, or the
 * outermost value. What is no UTF-8 in a string is replaced.
 */
void ela_json_open(GString *text, const char *key, char bracket);      /* '{' or '[' */
void ela_json_close(GString *text, char bracket);                      /* '}' or ']' */
void ela_json_put(GString *text, const char *key, const char *string); /* NULL = null */
void ela_json_put_int(GString *text, const char *key, int64_t number);
void ela_json_put_count(GString *text, const char *key, uint64_t number);
/* With that many digits behind the point; null when it is no finite number. */
void ela_json_put_number(GString *text, const char *key, double number, int digits);
void ela_json_put_bool(GString *text, const char *key, bool value);
void ela_json_put_null(GString *text, const char *key);

#endif
