/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message-parse: bytes of another node to a message, on libxml2's SAX interface: no tree is built, and the first thing
 * that is too much ends the parsing. Any thread.
 *
 * Before libxml2 sees a byte: length, UTF-8 without NUL, the one XML declaration, and no further "<!" or "<?" anywhere.
 * In well-formed XML a "<" begins a tag or one of those, so this refuses DOCTYPE, ENTITY, CDATA, comments and
 * processing instructions whole: no entity but the five of XML itself, no file and no address can be named.
 *
 * The shape is fixed: message > purpose, type, sequence, option in this order, and in option the fields in any order.
 * Elements beside these are skipped with all they hold: in option silently, elsewhere they are an error.
 */
#include "message-priv.h"
#include "value.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#define PURPOSE_MAX 32u
#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char declaration[] = "<?xml version=\"1.0\"?>";

enum place { PLACE_PURPOSE, PLACE_TYPE, PLACE_SEQUENCE, PLACE_OPTION, PLACE_END };

static const char *const place_names[] = {
	[PLACE_PURPOSE] = "purpose", [PLACE_TYPE] = "type", [PLACE_SEQUENCE] = "sequence", [PLACE_OPTION] = "option"};

struct reader {
	xmlParserCtxtPtr ctxt;
	enum place next; /* of the head's elements; in option, PLACE_OPTION */
	struct ela_message_head head;
	struct ela_message *m; /* from option on; NULL: there is no such message, and its option is skipped */
	uint32_t depth, elements;
	uint32_t value_depth; /* of the element whose text counts, 0 = none */
	bool nested;          /* it holds elements */
	bool stopped;
	char name[64];
	GString *text;
	GError *error;
};

/* ---- setting up ---- */

static xmlParserInputPtr load_nothing(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
	(void)url, (void)id, (void)ctxt;
	return NULL;
}

void ela_message_setup(void)
{
	xmlInitParser();
	xmlSetExternalEntityLoader(load_nothing);
}

/* ---- what libxml2 tells ---- */

/* It is no message: whatever was wrong with a field before does not matter. */
static void G_GNUC_PRINTF(2, 3) stop(struct reader *r, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_clear_error(&r->error);
	g_set_error_literal(&r->error, ELA_MESSAGE_ERROR, ELA_MESSAGE_BROKEN, text);
	r->stopped = true;
	xmlStopParser(r->ctxt);
}

static void begin_value(struct reader *r)
{
	r->value_depth = r->depth;
	r->nested = false;
	g_string_truncate(r->text, 0);
}

static void begin_head(struct reader *r, const char *name)
{
	if (r->next == PLACE_END || strcmp(name, place_names[r->next]) != 0) {
		stop(r, "found element %.32s, wanted %s", name, r->next == PLACE_END ? "the end" : place_names[r->next]);
		return;
	}
	if (r->next != PLACE_OPTION) {
		begin_value(r);
		return;
	}
	if (!ela_purpose_option(r->head.purpose, r->head.type)) {
		r->head.purpose = ELA_N_PURPOSES;
		return;
	}
	r->m = ela_message_new(r->head.purpose, r->head.type);
	r->m->head = r->head;
}

static void begin_field(struct reader *r, const char *name)
{
	if (r->next != PLACE_OPTION) {
		stop(r, "found element %.32s in %s", name, place_names[r->next]);
		return;
	}
	(void)g_strlcpy(r->name, name, sizeof r->name); /* a longer one is no field's */
	begin_value(r);
}

static void begin_element(void *data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int n_namespaces,
	const xmlChar **namespaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
	struct reader *r = data;
	/* Ours have no namespace: an element that has one is another one, whatever its name. */
	const char *name = uri || prefix ? "" : (const char *)local;

	(void)namespaces, (void)n_defaulted, (void)attributes;
	if (r->stopped)
		return;
	r->depth++;
	if (r->depth > ELA_MESSAGE_DEPTH)
		stop(r, "elements in elements deeper than %u", ELA_MESSAGE_DEPTH);
	else if (++r->elements > ELA_MESSAGE_ELEMENTS)
		stop(r, "more than %u elements", ELA_MESSAGE_ELEMENTS);
	else if (n_attributes + n_namespaces > (int)ELA_MESSAGE_ATTRIBUTES)
		stop(r, "more than %u attributes", ELA_MESSAGE_ATTRIBUTES);
	else if (r->depth == 1 && strcmp(name, "message") != 0)
		stop(r, "found element %.32s, wanted message", name);
	else if (r->depth == 2)
		begin_head(r, name);
	else if (r->depth == 3)
		begin_field(r, name);
	else if (r->depth > 3)
		r->nested = true; /* an unknown field may hold what it likes */
}

static void take_text(void *data, const xmlChar *bytes, int len)
{
	struct reader *r = data;

	if (r->stopped || r->depth > 3)
		return;
	if (r->depth == r->value_depth) {
		g_string_append_len(r->text, (const char *)bytes, len);
		return;
	}
	for (int i = 0; i < len; i++)
		if (!g_ascii_isspace(bytes[i])) {
			stop(r, "text between elements");
			return;
		}
}

/* ---- what the elements hold ---- */

static void end_purpose(struct reader *r)
{
	const char *text = r->text->str;

	if (r->text->len < 1 || r->text->len > PURPOSE_MAX || strspn(text, LETTERS_AND_DIGITS) != r->text->len) {
		stop(r, "the purpose is no name");
		return;
	}
	for (r->head.purpose = 0; r->head.purpose < ELA_N_PURPOSES; r->head.purpose++)
		if (strcmp(text, ela_purpose_name(r->head.purpose)) == 0)
			break;
}

static void end_type(struct reader *r)
{
	for (enum ela_message_type type = 0; type < ELA_N_MESSAGE_TYPES; type++)
		if (strcmp(r->text->str, ela_type_names[type]) == 0) {
			r->head.type = type;
			return;
		}
	stop(r, "the type is neither Request nor Reply");
}

static void end_sequence(struct reader *r)
{
	int64_t n;

	if (ela_value_int(r->text->str, &n) != 0 || r->text->str[0] == '-' || n > UINT32_MAX)
		stop(r, "the sequence is no number 0..%u", UINT32_MAX);
	else
		r->head.sequence = (uint32_t)n;
}

static void end_head(struct reader *r)
{
	if (r->next == PLACE_PURPOSE)
		end_purpose(r);
	else if (r->next == PLACE_TYPE)
		end_type(r);
	else if (r->next == PLACE_SEQUENCE)
		end_sequence(r);
	r->next++;
}

/* The first wrong field is remembered and the rest read on: only a whole message is worth an answer. */
static void end_field(struct reader *r)
{
	int err;

	if (!r->m || r->error)
		return;
	err = ela_message_add_text(r->m, r->name, r->text->str);
	if (err != -ENOENT && r->nested)
		err = -EINVAL;
	if (err != 0 && err != -ENOENT)
		g_set_error(&r->error, ELA_MESSAGE_ERROR, ELA_MESSAGE_OPTION,
			err == -E2BIG ? "%s is there too often" : "%s has no value that it may have", r->name);
}

static void end_element(void *data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
	struct reader *r = data;

	(void)local, (void)prefix, (void)uri;
	if (r->stopped)
		return;
	if (r->depth == 3)
		end_field(r);
	else if (r->depth == 2)
		end_head(r);
	if (r->depth <= 3)
		r->value_depth = 0;
	r->depth--;
}

/* ---- the whole ---- */

/* What must not even reach the parser. NULL: it may. */
static const char *refuse(const char *bytes, uint32_t len)
{
	const size_t head = sizeof declaration - 1;

	if (len > ELA_MESSAGE_MAX)
		return "too long";
	if (!g_utf8_validate_len(bytes, len, NULL)) /* a NUL is not valid here */
		return "not UTF-8, or a NUL in it";
	if (len < head || memcmp(bytes, declaration, head) != 0)
		return "not XML 1.0";
	for (size_t i = head; i + 1 < len; i++)
		if (bytes[i] == '<' && (bytes[i + 1] == '!' || bytes[i + 1] == '?'))
			return "a declaration, comment or instruction in it";
	return NULL;
}

/* Runs libxml2 over bytes that refuse() let pass. */
static void read_xml(struct reader *r, const char *bytes, uint32_t len)
{
	const xmlSAXHandler handler = {.initialized = XML_SAX2_MAGIC,
		.startElementNs = begin_element,
		.endElementNs = end_element,
		.characters = take_text,
		.ignorableWhitespace = take_text};

	r->ctxt = xmlCreateMemoryParserCtxt(bytes, (int)len);
	if (!r->ctxt) {
		g_set_error_literal(&r->error, ELA_MESSAGE_ERROR, ELA_MESSAGE_BROKEN, "no memory for it");
		return;
	}
	*r->ctxt->sax = handler;
	r->ctxt->userData = r;
	(void)xmlCtxtUseOptions(r->ctxt, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING); /* it knows these */
	if ((xmlParseDocument(r->ctxt) != 0 || !r->ctxt->wellFormed) && !r->stopped)
		stop(r, "not well-formed XML");
	if (!r->stopped && r->next != PLACE_END)
		stop(r, "no %s", place_names[r->next]);
	xmlFreeParserCtxt(r->ctxt);
}

static void check_option(struct reader *r)
{
	const char *lacks = r->m ? ela_message_lacks(r->m) : NULL;

	if (!r->m)
		g_set_error_literal(&r->error, ELA_MESSAGE_ERROR, ELA_MESSAGE_PURPOSE, "its purpose is not known here");
	else if (lacks)
		g_set_error(&r->error, ELA_MESSAGE_ERROR, ELA_MESSAGE_OPTION, "lacks %s", lacks);
}

struct ela_message *ela_message_parse(
	const void *bytes, uint32_t len, struct ela_message_head *ret_head, GError **error)
{
	struct reader r = {.text = g_string_new(NULL)};
	const char *refused = refuse(bytes, len);

	if (refused)
		g_set_error_literal(&r.error, ELA_MESSAGE_ERROR, ELA_MESSAGE_BROKEN, refused);
	else
		read_xml(&r, bytes, len);
	if (!r.error)
		check_option(&r);
	(void)g_string_free(r.text, TRUE); /* its text is gone, NULL */
	if (ret_head && (!r.error || r.error->code != ELA_MESSAGE_BROKEN))
		*ret_head = r.head;
	if (!r.error)
		return r.m;
	ela_message_free(r.m);
	g_propagate_error(error, r.error);
	return NULL;
}
