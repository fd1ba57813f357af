/* SPDX-License-Identifier: Apache-2.0 */
/* message-priv: what the files of message share: the table of purposes and fields, the store, one value as text. */
#ifndef ELA_CORE_MESSAGE_PRIV_H
#define ELA_CORE_MESSAGE_PRIV_H

#include "message.h"

/* How a value is written. Each has exactly one spelling, so that what was parsed encodes to the same bytes. */
enum ela_field_kind {
	ELA_KIND_TEXT,     /* 1..max bytes of UTF-8 without control characters */
	ELA_KIND_NUMBER,   /* min..max, decimal */
	ELA_KIND_CHOICE,   /* one of choices, its place is the number */
	ELA_KIND_ID,       /* 8 hex digits, lower case */
	ELA_KIND_BYTES,    /* exactly max bytes, hex, lower case: hashes, nonces */
	ELA_KIND_BLOB,     /* 1..max bytes, base64; min..max where min is set */
	ELA_KIND_ADDRESS,  /* an IPv4 or IPv6 address */
	ELA_KIND_ENDPOINT, /* "192.0.2.7 10000 20000": address, TCP port, UDP port */
};

struct ela_field_spec {
	const char *name;
	enum ela_field_kind kind;
	int64_t min, max;
	const char *const *choices; /* NULL at the end */
	bool lenient;               /* a choice that is not known is the second one */
};

/* One line of a purpose's option. */
struct ela_option_field {
	enum ela_field field;
	uint32_t max;  /* times; 0 = the end of the list */
	bool required; /* of a reply: when its status is ok */
};

extern const struct ela_field_spec ela_field_specs[ELA_N_FIELDS];
extern const char *const ela_type_names[ELA_N_MESSAGE_TYPES];

/* The option of a purpose and type, NULL when there is no such message. In the order of encoding. */
const struct ela_option_field *ela_purpose_option(enum ela_purpose purpose, enum ela_message_type type);
/* The line of a field in it; NULL. */
const struct ela_option_field *ela_option_find(const struct ela_option_field *option, enum ela_field field);

/* One value as it is kept: numbers in number, all other kinds as bytes. */
struct ela_field_value {
	enum ela_field field;
	uint32_t len;
	int64_t number;
	uint8_t *bytes; /* a NUL stands behind them; g_free */
};

struct ela_message {
	struct ela_message_head head;
	GArray *values; /* struct ela_field_value, in the order they were put */
	bool wrong;     /* something was put that the table does not allow */
};

/* Adds a value of text as it stands on the wire. 0, -EINVAL (form, range), -ENOENT (no such field), -E2BIG (too many).
 */
int ela_message_add_text(struct ela_message *m, const char *name, const char *text);
/* What the required fields lack: the first one's name; NULL when all are there. */
const char *ela_message_lacks(const struct ela_message *m);

/* message-value.c: 0 and *ret (bytes are g_malloc'ed), -EINVAL. */
int ela_field_decode(const struct ela_field_spec *spec, const char *text, struct ela_field_value *ret);
/* May the value be said at all? */
bool ela_field_allowed(const struct ela_field_spec *spec, const struct ela_field_value *value);
/* Appends an allowed value's text, escaped. */
void ela_field_encode(const struct ela_field_spec *spec, const struct ela_field_value *value, GString *out);

#endif
