/* SPDX-License-Identifier: Apache-2.0 */
/* message: the store of a message's fields, and its encoding. Any thread, one at a time for each message. */
#include "inet.h"
#include "message-priv.h"

#include <errno.h>
#include <string.h>

static void clear_value(void *data)
{
	g_free(((struct ela_field_value *)data)->bytes);
}

struct ela_message *ela_message_new(enum ela_purpose purpose, enum ela_message_type type)
{
	struct ela_message *m = g_new0(struct ela_message, 1);

	m->head.purpose = purpose;
	m->head.type = type;
	m->values = g_array_new(FALSE, TRUE, sizeof(struct ela_field_value));
	g_array_set_clear_func(m->values, clear_value);
	m->wrong = !ela_purpose_option(purpose, type);
	return m;
}

/* The longest start of text that the field of a reason takes: others' words may be in it. */
static void put_reason(struct ela_message *m, const char *reason)
{
	g_autofree char *valid = g_utf8_make_valid(reason, -1);
	const int64_t max = ela_field_specs[ELA_FIELD_REASON].max;
	char *end = valid;

	for (; *end != '\0'; end = g_utf8_next_char(end)) {
		gunichar c = g_utf8_get_char(end);

		if (g_utf8_next_char(end) - valid > max)
			break;
		if (c < 0x20 || c == 0x7f)
			*end = '?';
	}
	*end = '\0';
	if (end != valid)
		ela_message_put_text(m, ELA_FIELD_REASON, valid);
}

struct ela_message *ela_message_reply(
	const struct ela_message_head *request, enum ela_status status, const char *reason)
{
	enum ela_purpose purpose =
		ela_purpose_option(request->purpose, ELA_MESSAGE_REPLY) ? request->purpose : ELA_PURPOSE_ERROR;
	struct ela_message *m = ela_message_new(purpose, ELA_MESSAGE_REPLY);

	m->head.sequence = request->sequence;
	ela_message_put_number(m, ELA_FIELD_STATUS, status);
	if (reason)
		put_reason(m, reason);
	return m;
}

void ela_message_free(struct ela_message *m)
{
	if (!m)
		return;
	(void)g_array_free(m->values, TRUE); /* its data are gone, NULL */
	g_free(m);
}

const struct ela_message_head *ela_message_head(const struct ela_message *m)
{
	return &m->head;
}

void ela_message_set_sequence(struct ela_message *m, uint32_t sequence)
{
	m->head.sequence = sequence;
}

/* ---- putting ---- */

/* TAKES value->bytes. 0, -ENOENT, -E2BIG. */
static int add(struct ela_message *m, const struct ela_field_value *value)
{
	const struct ela_option_field *option = ela_purpose_option(m->head.purpose, m->head.type);
	const struct ela_option_field *line = option ? ela_option_find(option, value->field) : NULL;

	if (!line || ela_message_count(m, value->field) >= line->max) {
		g_free(value->bytes);
		return line ? -E2BIG : -ENOENT;
	}
	g_array_append_vals(m->values, value, 1);
	return 0;
}

static bool is_number(enum ela_field_kind kind)
{
	return kind == ELA_KIND_NUMBER || kind == ELA_KIND_CHOICE || kind == ELA_KIND_ID;
}

/* kinds: what the caller's type can be. */
static void put(struct ela_message *m, const struct ela_field_value *value, bool kind_fits)
{
	if (!kind_fits || !ela_field_allowed(&ela_field_specs[value->field], value)) {
		g_free(value->bytes);
		m->wrong = true;
	} else if (add(m, value) != 0) {
		m->wrong = true;
	}
}

void ela_message_put_number(struct ela_message *m, enum ela_field field, int64_t n)
{
	const struct ela_field_value value = {.field = field, .number = n};

	put(m, &value, is_number(ela_field_specs[field].kind));
}

static void put_bytes(struct ela_message *m, enum ela_field field, const void *bytes, size_t len, bool kind_fits)
{
	struct ela_field_value value = {.field = field, .len = (uint32_t)len};

	if (len > ELA_MESSAGE_MAX) {
		m->wrong = true;
		return;
	}
	value.bytes = g_malloc0(len + 1);
	if (len)
		memcpy(value.bytes, bytes, len);
	put(m, &value, kind_fits);
}

void ela_message_put_text(struct ela_message *m, enum ela_field field, const char *text)
{
	put_bytes(m, field, text, strlen(text), ela_field_specs[field].kind == ELA_KIND_TEXT);
}

void ela_message_put_bytes(struct ela_message *m, enum ela_field field, const void *bytes, uint32_t len)
{
	enum ela_field_kind kind = ela_field_specs[field].kind;

	put_bytes(m, field, bytes, len, kind == ELA_KIND_BYTES || kind == ELA_KIND_BLOB);
}

void ela_message_put_addr(struct ela_message *m, enum ela_field field, const struct ela_addr *addr)
{
	put_bytes(m, field, addr, sizeof *addr, ela_field_specs[field].kind == ELA_KIND_ADDRESS);
}

void ela_message_put_endpoint(struct ela_message *m, enum ela_field field, const struct ela_message_endpoint *endpoint)
{
	put_bytes(m, field, endpoint, sizeof *endpoint, ela_field_specs[field].kind == ELA_KIND_ENDPOINT);
}

static enum ela_field field_by_name(const char *name)
{
	enum ela_field field = 0;

	while (field < ELA_N_FIELDS && strcmp(ela_field_specs[field].name, name) != 0)
		field++;
	return field;
}

int ela_message_add_text(struct ela_message *m, const char *name, const char *text)
{
	const struct ela_option_field *option = ela_purpose_option(m->head.purpose, m->head.type);
	enum ela_field field = field_by_name(name);
	struct ela_field_value value;
	int err;

	if (field == ELA_N_FIELDS || !option || !ela_option_find(option, field))
		return -ENOENT;
	err = ela_field_decode(&ela_field_specs[field], text, &value);
	if (err != 0)
		return err;
	value.field = field;
	return add(m, &value);
}

/* ---- asking ---- */

static const struct ela_field_value *find(const struct ela_message *m, enum ela_field field, uint32_t k)
{
	for (guint i = 0; i < m->values->len; i++) {
		const struct ela_field_value *value = &g_array_index(m->values, struct ela_field_value, i);

		if (value->field == field && k-- == 0)
			return value;
	}
	return NULL;
}

uint32_t ela_message_count(const struct ela_message *m, enum ela_field field)
{
	uint32_t n = 0;

	for (guint i = 0; i < m->values->len; i++)
		n += g_array_index(m->values, struct ela_field_value, i).field == field;
	return n;
}

bool ela_message_number(const struct ela_message *m, enum ela_field field, int64_t *ret)
{
	const struct ela_field_value *value = find(m, field, 0);

	if (!value || !is_number(ela_field_specs[field].kind))
		return false;
	*ret = value->number;
	return true;
}

const char *ela_message_text(const struct ela_message *m, enum ela_field field, uint32_t k)
{
	const struct ela_field_value *value = find(m, field, k);

	return value && ela_field_specs[field].kind == ELA_KIND_TEXT ? (const char *)value->bytes : NULL;
}

const uint8_t *ela_message_bytes(const struct ela_message *m, enum ela_field field, uint32_t k, uint32_t *ret_len)
{
	const struct ela_field_value *value = find(m, field, k);

	if (!value || (ela_field_specs[field].kind != ELA_KIND_BYTES && ela_field_specs[field].kind != ELA_KIND_BLOB))
		return NULL;
	*ret_len = value->len;
	return value->bytes;
}

bool ela_message_addr(const struct ela_message *m, enum ela_field field, struct ela_addr *ret)
{
	const struct ela_field_value *value = find(m, field, 0);

	if (!value || ela_field_specs[field].kind != ELA_KIND_ADDRESS)
		return false;
	memcpy(ret, value->bytes, sizeof *ret);
	return true;
}

bool ela_message_endpoint(
	const struct ela_message *m, enum ela_field field, uint32_t k, struct ela_message_endpoint *ret)
{
	const struct ela_field_value *value = find(m, field, k);

	if (!value || ela_field_specs[field].kind != ELA_KIND_ENDPOINT)
		return false;
	memcpy(ret, value->bytes, sizeof *ret);
	return true;
}

enum ela_status ela_message_status(const struct ela_message *m)
{
	int64_t status;

	return ela_message_number(m, ELA_FIELD_STATUS, &status) ? (enum ela_status)status : ELA_STATUS_FAILED;
}

const char *ela_message_lacks(const struct ela_message *m)
{
	const struct ela_option_field *line = ela_purpose_option(m->head.purpose, m->head.type);
	/* Who refuses need not say what he would have said. */
	bool all = m->head.type == ELA_MESSAGE_REQUEST || ela_message_status(m) == ELA_STATUS_OK;

	for (; line->max; line++)
		if (line->required && (all || line->field == ELA_FIELD_STATUS) && !find(m, line->field, 0))
			return ela_field_specs[line->field].name;
	return NULL;
}

/* ---- encoding ---- */

/* In the table's order, whatever the order they were put in; those of one field keep theirs. */
static void encode_option(const struct ela_message *m, GString *out)
{
	for (const struct ela_option_field *line = ela_purpose_option(m->head.purpose, m->head.type); line->max; line++) {
		const struct ela_field_spec *spec = &ela_field_specs[line->field];
		const struct ela_field_value *value;

		for (uint32_t k = 0; (value = find(m, line->field, k)) != NULL; k++) {
			g_string_append_printf(out, "<%s>", spec->name);
			ela_field_encode(spec, value, out);
			g_string_append_printf(out, "</%s>\n", spec->name);
		}
	}
}

GBytes *ela_message_encode(const struct ela_message *m, GError **error)
{
	const char *lacks = m->wrong ? NULL : ela_message_lacks(m);
	g_autoptr(GString) out = NULL;

	if (m->wrong || lacks) {
		g_set_error(error, ELA_MESSAGE_ERROR, ELA_MESSAGE_LOCAL,
			lacks ? "lacks %s" : "holds a value that it must not%s", lacks ? lacks : "");
		return NULL;
	}
	out = g_string_new(NULL);
	g_string_append_printf(out,
		"<?xml "
		"version=\"1.0\"?>\n<message>\n<purpose>%s</purpose>\n<type>%s</type>\n<sequence>%u</sequence>\n<option>\n",
		ela_purpose_name(m->head.purpose), ela_type_names[m->head.type], m->head.sequence);
	encode_option(m, out);
	g_string_append(out, "</option>\n</message>\n");
	if (out->len > ELA_MESSAGE_MAX) {
		g_set_error(
			error, ELA_MESSAGE_ERROR, ELA_MESSAGE_LOCAL, "is %zu bytes long, more than %u", out->len, ELA_MESSAGE_MAX);
		return NULL;
	}
	return g_string_free_to_bytes(g_steal_pointer(&out));
}
