/* SPDX-License-Identifier: Apache-2.0 */
/* request: the verbs of the control socket and what each takes. Pure functions; any thread. */
#include "request.h"

#include "json.h"
#include "report.h"

#include <string.h>

static const struct {
	const char *name;
	const char *argument, *object; /* the members that it takes, NULL = none */
	bool changes;
} verbs[] = {
	[ELA_VERB_STATUS] = {"status", NULL, NULL, false},
	[ELA_VERB_PEERS] = {"peers", NULL, NULL, false},
	[ELA_VERB_PING] = {"ping", "node", NULL, false},
	[ELA_VERB_WHY] = {"why", "node", NULL, false},
	[ELA_VERB_LEASES] = {"leases", NULL, NULL, false},
	[ELA_VERB_OBJECTS] = {"objects", NULL, NULL, false},
	[ELA_VERB_RELOAD] = {"reload", NULL, NULL, true},
	[ELA_VERB_LOG] = {"log", "level", NULL, true},
	[ELA_VERB_LEAVE] = {"leave", NULL, NULL, true},
	[ELA_VERB_OFFER] = {"offer", "kind", "object", true},
	[ELA_VERB_DIAL] = {"dial", "endpoint", "until", true},
};

GString *ela_reply_begin(void)
{
	GString *text = g_string_new(NULL);

	ela_json_open(text, NULL, '{');
	ela_json_put_int(text, "schema", ELA_JSON_SCHEMA);
	return text;
}

GString *ela_refusal(enum ela_code code, const char *remedy, const char *format, ...)
{
	GString *reply = ela_reply_begin();
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	ela_json_open(reply, "error", '{');
	ela_json_put_int(reply, "code", code);
	ela_json_put(reply, "text", text);
	ela_json_put(reply, "remedy", remedy);
	ela_json_close(reply, '}');
	ela_json_close(reply, '}');
	return reply;
}

/* The verb's number; the number of verbs when there is none of that name. */
static size_t find_verb(const char *name)
{
	size_t i = 0;

	while (i < G_N_ELEMENTS(verbs) && strcmp(verbs[i].name, name) != 0)
		i++;
	return i;
}

static GString *refuse_verb(const char *name)
{
	const char *names[G_N_ELEMENTS(verbs) + 1] = {0};
	g_autofree char *quoted = ela_report_quote(name), *nearest = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
		names[i] = verbs[i].name;
	nearest = ela_report_suggest(name, names);
	return ela_refusal(ELA_CODE_USAGE, NULL, "there is no verb %s%s", quoted, nearest);
}

/* Looks for what must not be there; NULL when all members belong to the verb. */
static GString *refuse_members(const struct ela_json *json, size_t verb)
{
	for (guint i = 0; i < ela_json_length(json); i++) {
		const char *key = ela_json_item(json, i)->key;
		g_autofree char *quoted = NULL;

		if (strcmp(key, "verb") == 0 || g_strcmp0(key, verbs[verb].argument) == 0 ||
			g_strcmp0(key, verbs[verb].object) == 0)
			continue;
		quoted = ela_report_quote(key);
		return ela_refusal(ELA_CODE_USAGE, NULL, "%s takes no %s", verbs[verb].name, quoted);
	}
	return NULL;
}

/* A member that the verb needs, or key NULL. False: it is not there, or empty. */
static bool take(const struct ela_json *json, const char *key, const char **ret)
{
	if (key)
		*ret = ela_json_get_string(json, key);
	return !key || (*ret && **ret);
}

static GString *refuse(const struct ela_json *json, struct ela_request *ret)
{
	const char *name = ela_json_get_string(json, "verb"), *argument = NULL, *object = NULL;
	size_t verb;
	GString *refusal;

	if (!name)
		return ela_refusal(ELA_CODE_USAGE, NULL, "a request is an object with the member \"verb\", a string");
	verb = find_verb(name);
	if (verb == G_N_ELEMENTS(verbs))
		return refuse_verb(name);
	refusal = refuse_members(json, verb);
	if (refusal)
		return refusal;
	if (!take(json, verbs[verb].argument, &argument))
		return ela_refusal(ELA_CODE_USAGE, NULL, "%s needs \"%s\", a string", name, verbs[verb].argument);
	if (!take(json, verbs[verb].object, &object))
		return ela_refusal(ELA_CODE_USAGE, NULL, "%s needs \"%s\", a string", name, verbs[verb].object);
	*ret = (struct ela_request){.verb = (enum ela_verb)verb,
		.changes = verbs[verb].changes,
		.argument = g_strdup(argument),
		.object = g_strdup(object)};
	return NULL;
}

bool ela_request_parse(const char *line, size_t len, struct ela_request *ret, GString **ret_refusal)
{
	g_autoptr(GError) error = NULL;
	struct ela_json *json = ela_json_read(line, len, &error);
	GString *refusal = json ? refuse(json, ret) : ela_refusal(ELA_CODE_USAGE, NULL, "no JSON: %s", error->message);

	ela_json_free(json);
	if (refusal)
		*ret_refusal = refusal;
	return refusal == NULL;
}

void ela_request_clear(struct ela_request *request)
{
	g_free(request->argument);
	g_free(request->object);
	request->argument = request->object = NULL;
}
