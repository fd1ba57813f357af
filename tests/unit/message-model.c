/* SPDX-License-Identifier: Apache-2.0 */
/* message-model: see message-model.h. One thread. */
#include "message-model.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

GRand *model_rng;

uint32_t model_below(uint32_t n)
{
	return (uint32_t)(((uint64_t)g_rand_int(model_rng) * n) >> 32);
}

#define INCARNATION                                                                                                    \
	{                                                                                                                  \
		ELA_FIELD_INCARNATION, "incarnation", 'n', 0, INT64_MAX, 1, NULL                                               \
	}
#define STATUS                                                                                                         \
	{ELA_FIELD_STATUS, "status", 'c', 0, 0, 1,                                                                         \
		"ok|failed|unknown-purpose|malformed|refused|busy|not-found|conflict|expired|revoked"},                        \
	{                                                                                                                  \
		ELA_FIELD_REASON, "reason", 't', 1, 256, 1, NULL                                                               \
	}
#define HEAD                                                                                                           \
	{ELA_FIELD_EPOCH, "epoch", 'n', 0, UINT32_MAX, 1, NULL},                                                           \
		{ELA_FIELD_VERSION, "version", 'n', 0, UINT32_MAX, 1, NULL}, {ELA_FIELD_LIST, "list", 'x', 32, 32, 1, NULL},   \
	{                                                                                                                  \
		ELA_FIELD_ENROLMENTS, "enrolments", 'x', 32, 32, 1, NULL                                                       \
	}
#define OBJECT(id, text, n)                                                                                            \
	{                                                                                                                  \
		ELA_FIELD_##id, text, 'b', 1, 4096, n, NULL                                                                    \
	}
#define OBSERVED                                                                                                       \
	{                                                                                                                  \
		ELA_FIELD_OBSERVED, "observed", 'e', 0, 0, 1, NULL                                                             \
	}
#define ADDRESS                                                                                                        \
	{                                                                                                                  \
		ELA_FIELD_ADDRESS, "address", 'a', 0, 0, 1, NULL                                                               \
	}
#define ID                                                                                                             \
	{                                                                                                                  \
		ELA_FIELD_ID, "id", 'i', 0, UINT32_MAX, 1, NULL                                                                \
	}

const struct form model_forms[MODEL_FORMS] = {
	{ELA_PURPOSE_NODE_AUTHENTICATION, ELA_MESSAGE_REQUEST, "NodeAuthentication",
		{INCARNATION, {ELA_FIELD_USER, "user", 't', 1, 63, 1, NULL}, {ELA_FIELD_NODE, "node", 't', 1, 63, 1, NULL},
			OBJECT(CREDENTIAL, "credential", 1), OBJECT(ENROLMENT, "enrolment", 1), HEAD,
			{ELA_FIELD_WISHED, "wished", 'a', 0, 0, 1, NULL}}},
	{ELA_PURPOSE_NODE_AUTHENTICATION, ELA_MESSAGE_REPLY, "NodeAuthentication",
		{STATUS, OBJECT(CREDENTIAL, "credential", 1), OBJECT(GENESIS, "genesis", 1), HEAD, OBSERVED, ADDRESS,
			OBJECT(CORE, "core", 8), {ELA_FIELD_TIME, "time", 'n', 0, UINT32_MAX, 1, NULL}}},
	{ELA_PURPOSE_NODE_USING_PORT, ELA_MESSAGE_REQUEST, "NodeUsingPort",
		{INCARNATION, {ELA_FIELD_TCP_PORT, "tcp-port", 'n', 1024, 65535, 1, NULL},
			{ELA_FIELD_UDP_PORT, "udp-port", 'n', 1024, 65535, 1, NULL}}},
	{ELA_PURPOSE_NODE_USING_PORT, ELA_MESSAGE_REPLY, "NodeUsingPort", {STATUS, OBSERVED}},
	{ELA_PURPOSE_NODE_CLASSIFICATION, ELA_MESSAGE_REQUEST, "NodeClassification",
		{INCARNATION, {ELA_FIELD_TCP_NONCE, "tcp-nonce", 'x', 16, 16, 8, NULL},
			{ELA_FIELD_UDP_NONCE, "udp-nonce", 'x', 16, 16, 8, NULL}}},
	{ELA_PURPOSE_NODE_CLASSIFICATION, ELA_MESSAGE_REPLY, "NodeClassification",
		{STATUS, {ELA_FIELD_ROLE, "role", 'c', 0, 0, 1, "edge|core"},
			{ELA_FIELD_FAILED, "failed", 'c', 0, 0, 1, "none|tcp|udp|both"}, OBSERVED}},
	{ELA_PURPOSE_NODE_JOIN, ELA_MESSAGE_REQUEST, "NodeJoin", {INCARNATION, OBJECT(RECORD, "record", 1)}},
	{ELA_PURPOSE_NODE_JOIN, ELA_MESSAGE_REPLY, "NodeJoin",
		{STATUS, OBJECT(RECORD, "record", 1), OBJECT(PARENT, "parent", 1), OBJECT(SPARE, "spare", 1),
			OBJECT(CORE, "core", 16)}},
	{ELA_PURPOSE_NODE_LEAVE, ELA_MESSAGE_REQUEST, "NodeLeave", {INCARNATION, ADDRESS, OBJECT(RECORD, "record", 1)}},
	{ELA_PURPOSE_NODE_LEAVE, ELA_MESSAGE_REPLY, "NodeLeave", {STATUS}},
	{ELA_PURPOSE_CHANGE_PARENT, ELA_MESSAGE_REQUEST, "ChangeParent",
		{INCARNATION, ADDRESS, OBJECT(RECORD, "record", 1)}},
	{ELA_PURPOSE_CHANGE_PARENT, ELA_MESSAGE_REPLY, "ChangeParent", {STATUS}},
	{ELA_PURPOSE_LIST_HEAD, ELA_MESSAGE_REQUEST, "ListHead", {INCARNATION, HEAD}},
	{ELA_PURPOSE_LIST_HEAD, ELA_MESSAGE_REPLY, "ListHead", {STATUS, HEAD}},
	{ELA_PURPOSE_OBJECT_PULL, ELA_MESSAGE_REQUEST, "ObjectPull",
		{INCARNATION,
			{ELA_FIELD_KIND, "kind", 'c', 0, 0, 1, "genesis|list|enrolments|enrolment|credential|grant|record"},
			{ELA_FIELD_HASH, "hash", 'x', 32, 32, 1, NULL}, {ELA_FIELD_OFFSET, "offset", 'n', 0, 524287, 1, NULL}}},
	{ELA_PURPOSE_OBJECT_PULL, ELA_MESSAGE_REPLY, "ObjectPull",
		{STATUS, {ELA_FIELD_TOTAL, "total", 'n', 1, 524288, 1, NULL},
			{ELA_FIELD_OFFSET, "offset", 'n', 0, 524287, 1, NULL}, {ELA_FIELD_PIECE, "piece", 'b', 1, 8192, 1, NULL}}},
	{ELA_PURPOSE_RECORD_GET, ELA_MESSAGE_REQUEST, "RecordGet", {INCARNATION, ID}},
	{ELA_PURPOSE_RECORD_GET, ELA_MESSAGE_REPLY, "RecordGet", {STATUS, OBJECT(RECORD, "record", 1)}},
	{ELA_PURPOSE_RECORD_PUT, ELA_MESSAGE_REQUEST, "RecordPut", {INCARNATION, OBJECT(RECORD, "record", 16)}},
	{ELA_PURPOSE_RECORD_PUT, ELA_MESSAGE_REPLY, "RecordPut", {STATUS, OBJECT(RECORD, "record", 16)}},
	{ELA_PURPOSE_RECORD_SYNC, ELA_MESSAGE_REQUEST, "RecordSync",
		{INCARNATION, {ELA_FIELD_DIGEST, "digest", 'x', 32, 32, 1, NULL},
			{ELA_FIELD_SINCE, "since", 'n', 0, INT64_MAX, 1, NULL}}},
	{ELA_PURPOSE_RECORD_SYNC, ELA_MESSAGE_REPLY, "RecordSync",
		{STATUS, {ELA_FIELD_DIGEST, "digest", 'x', 32, 32, 1, NULL},
			{ELA_FIELD_UPTO, "upto", 'n', 0, INT64_MAX, 1, NULL}, {ELA_FIELD_MORE, "more", 'c', 0, 0, 1, "no|yes"},
			OBJECT(RECORD, "record", 16)}},
	{ELA_PURPOSE_RESOLVE, ELA_MESSAGE_REQUEST, "Resolve", {INCARNATION, ID}},
	{ELA_PURPOSE_RESOLVE, ELA_MESSAGE_REPLY, "Resolve",
		{STATUS, {ELA_FIELD_KEY, "key", 'b', 32, 32, 1, NULL}, OBJECT(RECORD, "record", 1),
			OBJECT(PARENT, "parent", 1)}},
	{ELA_PURPOSE_PING, ELA_MESSAGE_REQUEST, "Ping",
		{INCARNATION, {ELA_FIELD_TOKEN, "token", 'n', 0, INT64_MAX, 1, NULL}}},
	{ELA_PURPOSE_PING, ELA_MESSAGE_REPLY, "Ping", {STATUS, {ELA_FIELD_TOKEN, "token", 'n', 0, INT64_MAX, 1, NULL}}},
	{ELA_PURPOSE_WHY, ELA_MESSAGE_REQUEST, "Why", {INCARNATION, ID}},
	{ELA_PURPOSE_WHY, ELA_MESSAGE_REPLY, "Why",
		{STATUS, {ELA_FIELD_NEXT, "next", 'i', 0, UINT32_MAX, 1, NULL},
			{ELA_FIELD_STEP, "step", 't', 1, 256, 16, NULL}}},
	{ELA_PURPOSE_ERROR, ELA_MESSAGE_REPLY, "Error", {STATUS}},
};

static int64_t random_number(const struct line *line)
{
	uint64_t span = (uint64_t)(line->max - line->min) + 1,
			 n = (uint64_t)g_rand_int(model_rng) << 32 | g_rand_int(model_rng);

	if (model_below(8) == 0)
		return model_below(2) ? line->min : line->max;
	return line->min + (int64_t)(span ? n % span : n);
}

/* Pieces of one to four bytes, some of which XML writes otherwise. */
static void random_text(const struct line *line, GString *plain, GString *escaped)
{
	static const char *const pieces[][2] = {{"a", "a"}, {"Z", "Z"}, {" ", " "}, {"&", "&amp;"}, {"<", "&lt;"},
		{">", "&gt;"}, {"\"", "\""}, {"'", "'"}, {"]]>", "]]&gt;"}, {"\303\251", "\303\251"},
		{"\346\227\245", "\346\227\245"}, {"\360\237\220\230", "\360\237\220\230"}};
	uint32_t wanted = model_below(4) == 0 ? (uint32_t)line->max : 1 + model_below(40);

	while (plain->len < wanted) {
		uint32_t k = model_below(G_N_ELEMENTS(pieces));

		if (plain->len + strlen(pieces[k][0]) > (size_t)line->max)
			k = 0;
		g_string_append(plain, pieces[k][0]);
		g_string_append(escaped, pieces[k][1]);
	}
}

static void random_addr(struct ela_addr *addr, char *text, size_t room)
{
	*addr = (struct ela_addr){.family = model_below(2) ? ELA_ADDR_IP4 : ELA_ADDR_IP6};
	if (addr->family == ELA_ADDR_IP4) {
		for (uint32_t i = 0; i < 4; i++)
			addr->ip[i] = (uint8_t)model_below(256);
		(void)snprintf(text, room, "%u.%u.%u.%u", addr->ip[0], addr->ip[1], addr->ip[2], addr->ip[3]);
		return;
	}
	for (uint32_t i = 0; i < 16; i++)
		addr->ip[i] = (uint8_t)(1 + model_below(255)); /* no zeros: nothing to be shortened */
	(void)snprintf(text, room, "%x:%x:%x:%x:%x:%x:%x:%x", addr->ip[0] << 8 | addr->ip[1],
		addr->ip[2] << 8 | addr->ip[3], addr->ip[4] << 8 | addr->ip[5], addr->ip[6] << 8 | addr->ip[7],
		addr->ip[8] << 8 | addr->ip[9], addr->ip[10] << 8 | addr->ip[11], addr->ip[12] << 8 | addr->ip[13],
		addr->ip[14] << 8 | addr->ip[15]);
}

static void put_bytes(struct ela_message *m, const struct line *line, GString *out)
{
	uint32_t len = line->min == line->max ? (uint32_t)line->max : 1 + model_below(model_below(6) ? 300 : 1500);
	g_autofree uint8_t *bytes = g_malloc(len);
	g_autofree char *base64 = NULL;

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)model_below(256);
	ela_message_put_bytes(m, line->field, bytes, len);
	base64 = g_base64_encode(bytes, len);
	if (line->kind == 'b')
		g_string_append(out, base64);
	for (uint32_t i = 0; i < len && line->kind == 'x'; i++)
		g_string_append_printf(out, "%02x", bytes[i]);
}

static void put_endpoint(struct ela_message *m, const struct line *line, GString *out)
{
	struct ela_message_endpoint e = {
		.tcp_port = (uint16_t)model_below(65536), .udp_port = (uint16_t)model_below(65536)};
	char text[64];

	random_addr(&e.addr, text, sizeof text);
	g_string_append_printf(out, "%s %u %u", text, e.tcp_port, e.udp_port);
	ela_message_put_endpoint(m, line->field, &e);
}

/* Puts one random value and appends what the naive writer makes of it. */
void model_put(struct ela_message *m, const struct line *line, int64_t status, GString *out)
{
	g_autoptr(GString) plain = g_string_new(NULL);
	g_auto(GStrv) choices = line->choices ? g_strsplit(line->choices, "|", -1) : NULL;
	struct ela_addr addr;
	char text[64];
	int64_t n = line->kind == 'c' ? model_below(g_strv_length(choices)) : 0;

	g_string_append_printf(out, "<%s>", line->name);
	if (line->field == ELA_FIELD_STATUS)
		n = status;
	if (line->kind == 'n' || line->kind == 'i')
		n = random_number(line);
	if (strchr("nic", line->kind))
		ela_message_put_number(m, line->field, n);
	if (line->kind == 'n') {
		g_string_append_printf(out, "%" G_GINT64_FORMAT, n);
	} else if (line->kind == 'i') {
		g_string_append_printf(out, "%08x", (unsigned)n);
	} else if (line->kind == 'c') {
		g_string_append(out, choices[n]);
	} else if (line->kind == 't') {
		random_text(line, plain, out);
		ela_message_put_text(m, line->field, plain->str);
	} else if (line->kind == 'a') {
		random_addr(&addr, text, sizeof text);
		ela_message_put_addr(m, line->field, &addr);
		g_string_append(out, text);
	} else if (line->kind == 'e') {
		put_endpoint(m, line, out);
	} else {
		put_bytes(m, line, out);
	}
	g_string_append_printf(out, "</%s>\n", line->name);
}

struct ela_message *model_random(const struct form *form, GString *out)
{
	struct ela_message *m = ela_message_new(form->purpose, form->type);
	uint32_t sequence = g_rand_int(model_rng), required = model_required(form);
	int64_t status = model_below(3) ? 0 : model_below(10);

	ela_message_set_sequence(m, sequence);
	g_string_printf(out,
		"<?xml "
		"version=\"1.0\"?>\n<message>\n<purpose>%s</purpose>\n<type>%s</type>\n<sequence>%u</sequence>\n<option>\n",
		form->name, form->type == ELA_MESSAGE_REQUEST ? "Request" : "Reply", sequence);
	for (uint32_t i = 0; i < G_N_ELEMENTS(form->lines) && form->lines[i].name; i++) {
		const struct line *line = &form->lines[i];
		uint32_t times = model_below(3) ? 1 : 0;

		if (line->times > 1)
			times = model_below(4) ? model_below(4) : line->times;
		if (required & 1u << i && (i == 0 || form->type == ELA_MESSAGE_REQUEST || status == 0))
			times = MAX(times, 1);
		for (uint32_t k = 0; k < times; k++)
			model_put(m, line, status, out);
	}
	g_string_append(out, "</option>\n</message>\n");
	return m;
}

uint32_t model_required(const struct form *form)
{
	static const struct {
		enum ela_purpose purpose;
		const char *request, *reply;
	} required[] = {
		{ELA_PURPOSE_NODE_AUTHENTICATION, "incarnation user node credential",
			"status credential genesis epoch version list observed"},
		{ELA_PURPOSE_NODE_USING_PORT, "incarnation tcp-port udp-port", "status observed"},
		{ELA_PURPOSE_NODE_CLASSIFICATION, "incarnation", "status role failed observed"},
		{ELA_PURPOSE_NODE_JOIN, "incarnation record", "status"},
		{ELA_PURPOSE_NODE_LEAVE, "incarnation address record", "status"},
		{ELA_PURPOSE_CHANGE_PARENT, "incarnation address record", "status"},
		{ELA_PURPOSE_LIST_HEAD, "incarnation epoch version list", "status epoch version list"},
		{ELA_PURPOSE_OBJECT_PULL, "incarnation kind hash offset", "status total offset piece"},
		{ELA_PURPOSE_RECORD_GET, "incarnation id", "status record"},
		{ELA_PURPOSE_RECORD_PUT, "incarnation record", "status"},
		{ELA_PURPOSE_RECORD_SYNC, "incarnation digest since", "status digest upto more"},
		{ELA_PURPOSE_RESOLVE, "incarnation id", "status key"},
		{ELA_PURPOSE_PING, "incarnation token", "status token"},
		{ELA_PURPOSE_WHY, "incarnation id", "status"},
		{ELA_PURPOSE_ERROR, NULL, "status"},
	};
	const char *names =
		form->type == ELA_MESSAGE_REQUEST ? required[form->purpose].request : required[form->purpose].reply;
	g_auto(GStrv) words = g_strsplit(names, " ", -1);
	uint32_t bits = 0;

	ck_assert_int_eq(required[form->purpose].purpose, form->purpose);
	for (uint32_t i = 0; i < G_N_ELEMENTS(form->lines) && form->lines[i].name; i++)
		if (g_strv_contains((const char *const *)words, form->lines[i].name))
			bits |= 1u << i;
	return bits;
}
