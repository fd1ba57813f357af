/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: the reader. Pure functions; any thread. One pass over text of a stranger, never beyond its length, with a bound
 * on depth; memory is in proportion to the text.
 */
#include "json.h"

#include <math.h>
#include <string.h>

struct reader {
	const char *start, *at, *end;
	guint depth;
	GError **error;
};

static struct ela_json *read_value(struct reader *r);

/* Only the first complaint counts: it is where the text went wrong. */
static void complain(const struct reader *r, const char *what)
{
	if (r->error && !*r->error)
		g_set_error(r->error, ELA_JSON_ERROR, ELA_JSON_INVALID, "byte %zu: %s", (size_t)(r->at - r->start) + 1, what);
}

static void skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

/* Takes the byte if it is the next one. */
static bool take(struct reader *r, char byte)
{
	if (r->at == r->end || *r->at != byte)
		return false;
	r->at++;
	return true;
}

static bool take_digits(struct reader *r)
{
	const char *from = r->at;

	while (r->at < r->end && g_ascii_isdigit(*r->at))
		r->at++;
	return r->at > from;
}

static struct ela_json *new_value(enum ela_json_type type)
{
	struct ela_json *json = g_new0(struct ela_json, 1);

	json->type = type;
	return json;
}

/* ---- strings ---- */

static bool take_hex(struct reader *r, gunichar *ret)
{
	gunichar value = 0;

	if (r->end - r->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int digit = g_ascii_xdigit_value(r->at[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (gunichar)digit;
	}
	r->at += 4;
	*ret = value;
	return true;
}

/* What stands behind \u: a character, or the first half of one whose second follows. */
static bool take_unicode(struct reader *r, GString *text)
{
	gunichar high, low;

	if (!take_hex(r, &high) || high == 0 || (high >= 0xdc00 && high <= 0xdfff))
		return false;
	if (high >= 0xd800 && high <= 0xdbff) {
		if (!take(r, '\\') || !take(r, 'u') || !take_hex(r, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	g_string_append_unichar(text, high);
	return true;
}

static bool take_escape(struct reader *r, GString *text)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (take(r, 'u'))
		return take_unicode(r, text);
	name = r->at < r->end && *r->at ? strchr(names, *r->at) : NULL;
	if (!name)
		return false;
	r->at++;
	g_string_append_c(text, values[name - names]);
	return true;
}

/* One character of a string, or its escape. */
static bool take_character(struct reader *r, GString *text)
{
	if (take(r, '\\'))
		return take_escape(r, text);
	if ((unsigned char)*r->at < 0x20)
		return false;
	g_string_append_c(text, *r->at++);
	return true;
}

/* The text of a string whose opening quote has been taken; NULL. g_free. */
static char *read_text(struct reader *r)
{
	GString *text = g_string_new(NULL);
	bool good = true;

	while (good && r->at < r->end && *r->at != '"')
		good = take_character(r, text);
	if (good && take(r, '"') && g_utf8_validate_len(text->str, text->len, NULL))
		return g_string_free(text, FALSE);
	complain(r, "a string that does not end, an escape or a byte that JSON has not");
	(void)g_string_free(text, TRUE); /* which returns NULL */
	return NULL;
}

static struct ela_json *read_string(struct reader *r)
{
	char *text = read_text(r);
	struct ela_json *json = text ? new_value(ELA_JSON_STRING) : NULL;

	if (json)
		json->string = text;
	return json;
}

/* ---- numbers and words ---- */

static struct ela_json *read_number(struct reader *r)
{
	const char *from = r->at;
	g_autofree char *text = NULL;
	struct ela_json *json;
	bool is_integer = true, good;

	(void)take(r, '-'); /* there or not */
	good = take(r, '0') || take_digits(r);
	if (good && take(r, '.')) {
		is_integer = false;
		good = take_digits(r);
	}
	if (good && (take(r, 'e') || take(r, 'E'))) {
		is_integer = false;
		if (!take(r, '+'))
			(void)take(r, '-'); /* there or not */
		good = take_digits(r);
	}
	text = g_strndup(from, (gsize)(r->at - from));
	if (!good || !isfinite(g_ascii_strtod(text, NULL))) {
		complain(r, "no number of JSON, or too large");
		return NULL;
	}
	json = new_value(ELA_JSON_NUMBER);
	json->number = g_ascii_strtod(text, NULL);
	json->is_integer = is_integer && g_ascii_string_to_signed(text, 10, INT64_MIN, INT64_MAX, &json->integer, NULL);
	return json;
}

static struct ela_json *read_word(struct reader *r)
{
	static const struct {
		const char *word;
		enum ela_json_type type;
		bool boolean;
	} words[] = {{"null", ELA_JSON_NULL, false}, {"false", ELA_JSON_BOOL, false}, {"true", ELA_JSON_BOOL, true}};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		size_t len = strlen(words[i].word);
		struct ela_json *json;

		if ((size_t)(r->end - r->at) < len || memcmp(r->at, words[i].word, len) != 0)
			continue;
		r->at += len;
		json = new_value(words[i].type);
		json->boolean = words[i].boolean;
		return json;
	}
	complain(r, "found no value");
	return NULL;
}

/* ---- arrays and objects ---- */

static void free_item(void *json)
{
	ela_json_free(json);
}

/* One item, with its key when it belongs to an object. */
static bool read_item(struct reader *r, struct ela_json *into)
{
	struct ela_json *item;
	char *key = NULL;

	skip_space(r);
	if (into->type == ELA_JSON_OBJECT) {
		if (!take(r, '"')) {
			complain(r, "wanted a key in quotes");
			return false;
		}
		key = read_text(r);
		if (!key)
			return false;
		skip_space(r);
		if (ela_json_get(into, key) || !take(r, ':')) {
			complain(r, "a key that was there before, or without a colon");
			g_free(key);
			return false;
		}
	}
	item = read_value(r);
	if (!item) {
		g_free(key);
		return false;
	}
	item->key = key;
	g_ptr_array_add(into->items, item);
	return true;
}

/* The opening bracket has been taken. */
static struct ela_json *read_items(struct reader *r, enum ela_json_type type)
{
	char close = type == ELA_JSON_OBJECT ? '}' : ']';
	struct ela_json *json = new_value(type);
	bool more = true;

	json->items = g_ptr_array_new_with_free_func(free_item);
	skip_space(r);
	if (take(r, close))
		return json;
	while (more && read_item(r, json)) {
		skip_space(r);
		if (take(r, close))
			return json;
		more = take(r, ',');
	}
	complain(r, "wanted a comma or the closing bracket");
	ela_json_free(json);
	return NULL;
}

static struct ela_json *read_value(struct reader *r)
{
	struct ela_json *json = NULL;

	skip_space(r);
	if (r->depth == ELA_JSON_DEPTH) {
		complain(r, "too many levels");
		return NULL;
	}
	r->depth++;
	if (take(r, '{'))
		json = read_items(r, ELA_JSON_OBJECT);
	else if (take(r, '['))
		json = read_items(r, ELA_JSON_ARRAY);
	else if (take(r, '"'))
		json = read_string(r);
	else if (r->at < r->end && (*r->at == '-' || g_ascii_isdigit(*r->at)))
		json = read_number(r);
	else
		json = read_word(r);
	r->depth--;
	return json;
}

struct ela_json *ela_json_read(const char *text, size_t len, GError **error)
{
	GError *fault = NULL;
	struct reader r = {.start = text, .at = text, .end = len ? text + len : text, .error = &fault}; /* NULL has no + */
	struct ela_json *json = read_value(&r);

	skip_space(&r);
	if (json && r.at != r.end) {
		complain(&r, "something follows the value");
		ela_json_free(json);
		json = NULL;
	}
	if (fault)
		g_propagate_error(error, fault);
	return json;
}

void ela_json_free(struct ela_json *json)
{
	if (!json)
		return;
	if (json->items)
		g_ptr_array_unref(json->items);
	g_free(json->key);
	g_free(json->string);
	g_free(json);
}

/* ---- looking ---- */

const struct ela_json *ela_json_get(const struct ela_json *json, const char *key)
{
	for (guint i = 0; json && json->type == ELA_JSON_OBJECT && i < json->items->len; i++)
		if (strcmp(ela_json_item(json, i)->key, key) == 0)
			return ela_json_item(json, i);
	return NULL;
}

const char *ela_json_get_string(const struct ela_json *json, const char *key)
{
	const struct ela_json *member = ela_json_get(json, key);

	return member && member->type == ELA_JSON_STRING ? member->string : NULL;
}

double ela_json_get_number(const struct ela_json *json, const char *key, double instead)
{
	const struct ela_json *member = ela_json_get(json, key);

	return member && member->type == ELA_JSON_NUMBER ? member->number : instead;
}

guint ela_json_length(const struct ela_json *json)
{
	return json && json->items ? json->items->len : 0;
}

const struct ela_json *ela_json_item(const struct ela_json *json, guint i)
{
	return g_ptr_array_index(json->items, i);
}
