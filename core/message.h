/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: the XML messages of the thesis (5.1.2), as a store of typed fields that is built and asked, and as bytes.
 * One table (message-table.c) says what the option of each purpose and type holds; one encoder and one parser read it.
 * The bytes come from other nodes: whatever they are, parsing ends with a message that the table allows, or with an
 * error. Pure functions over their arguments; any thread, after ela_message_setup().
 */
#ifndef ELA_CORE_MESSAGE_H
#define ELA_CORE_MESSAGE_H

#include <ela/types.h>
#include <glib.h>
#include <stdbool.h>

#define ELA_MESSAGE_MAX 16384u /* bytes of a message */
#define ELA_MESSAGE_DEPTH 8u   /* of elements; message is 1 */
#define ELA_MESSAGE_ATTRIBUTES 16u
#define ELA_MESSAGE_ELEMENTS 512u
#define ELA_MESSAGE_OBJECT_MAX 4096u /* of a signed object inside a message */
#define ELA_MESSAGE_PIECE_MAX 8192u  /* of a piece of a larger one */
#define ELA_MESSAGE_NONCE_LEN 16u
#define ELA_MESSAGE_NONCES 8u /* of each kind in a NodeClassification */

enum ela_purpose {
	ELA_PURPOSE_NODE_AUTHENTICATION, /* thesis, table 5.1: these six */
	ELA_PURPOSE_NODE_USING_PORT,
	ELA_PURPOSE_NODE_CLASSIFICATION,
	ELA_PURPOSE_NODE_JOIN,
	ELA_PURPOSE_NODE_LEAVE,
	ELA_PURPOSE_CHANGE_PARENT,
	ELA_PURPOSE_LIST_HEAD,
	ELA_PURPOSE_OBJECT_PULL,
	ELA_PURPOSE_RECORD_GET,
	ELA_PURPOSE_RECORD_PUT,
	ELA_PURPOSE_RECORD_SYNC,
	ELA_PURPOSE_RESOLVE,
	ELA_PURPOSE_PING,
	ELA_PURPOSE_WHY,
	ELA_PURPOSE_ERROR, /* replies only: to a request that could not be read */
	ELA_N_PURPOSES
};

enum ela_message_type { ELA_MESSAGE_REQUEST, ELA_MESSAGE_REPLY, ELA_N_MESSAGE_TYPES };

/* How a reply says how it went. The names on the wire: message-table.c. */
enum ela_status {
	ELA_STATUS_OK,
	ELA_STATUS_FAILED, /* for another reason, or a status that this version does not know */
	ELA_STATUS_UNKNOWN_PURPOSE,
	ELA_STATUS_MALFORMED,
	ELA_STATUS_REFUSED,
	ELA_STATUS_BUSY,
	ELA_STATUS_NOT_FOUND,
	ELA_STATUS_CONFLICT,
	ELA_STATUS_EXPIRED,
	ELA_STATUS_REVOKED,
};

enum ela_role { ELA_ROLE_EDGE, ELA_ROLE_CORE };

/* Which of the two probes of a classification did not come back. */
enum ela_probe_failed { ELA_PROBE_NONE, ELA_PROBE_TCP, ELA_PROBE_UDP, ELA_PROBE_BOTH };

/* What can be pulled by its SHA-256; ENROLMENTS is the hashes of all enrolments, rising, one behind the other. */
enum ela_pull_kind {
	ELA_PULL_GENESIS,
	ELA_PULL_LIST,
	ELA_PULL_ENROLMENTS,
	ELA_PULL_ENROLMENT,
	ELA_PULL_CREDENTIAL,
	ELA_PULL_GRANT,
	ELA_PULL_RECORD,
	ELA_N_PULL_KINDS
};

enum ela_field {
	ELA_FIELD_INCARNATION, /* of every request: which life of its sender counts its sequence */
	ELA_FIELD_STATUS,      /* of every reply */
	ELA_FIELD_REASON,      /* for a person */
	ELA_FIELD_USER,
	ELA_FIELD_NODE,
	ELA_FIELD_CREDENTIAL,
	ELA_FIELD_ENROLMENT,
	ELA_FIELD_GENESIS,
	ELA_FIELD_EPOCH,
	ELA_FIELD_VERSION,
	ELA_FIELD_LIST,
	ELA_FIELD_ENROLMENTS,
	ELA_FIELD_WISHED,
	ELA_FIELD_OBSERVED,
	ELA_FIELD_TCP_PORT,
	ELA_FIELD_UDP_PORT,
	ELA_FIELD_TCP_NONCE,
	ELA_FIELD_UDP_NONCE,
	ELA_FIELD_ROLE,
	ELA_FIELD_FAILED,
	ELA_FIELD_ADDRESS,
	ELA_FIELD_RECORD,
	ELA_FIELD_PARENT,
	ELA_FIELD_SPARE,
	ELA_FIELD_CORE,
	ELA_FIELD_ID,
	ELA_FIELD_KEY,
	ELA_FIELD_DIGEST,
	ELA_FIELD_SINCE,
	ELA_FIELD_UPTO,
	ELA_FIELD_MORE,
	ELA_FIELD_KIND,
	ELA_FIELD_HASH,
	ELA_FIELD_OFFSET,
	ELA_FIELD_TOTAL,
	ELA_FIELD_PIECE,
	ELA_FIELD_TOKEN,
	ELA_FIELD_NEXT,
	ELA_FIELD_STEP,
	ELA_FIELD_TIME, /* seconds since 1970, as the sender's clock has it */
	ELA_N_FIELDS
};

/* An address with the two ports that a node listens on there, 0 = none. */
struct ela_message_endpoint {
	struct ela_addr addr; /* IPv4 or IPv6, port 0 */
	uint16_t tcp_port, udp_port;
};

struct ela_message;

#define ELA_MESSAGE_ERROR (g_quark_from_static_string("ela-message"))
enum ela_message_error {
	ELA_MESSAGE_BROKEN,  /* no message at all, or beyond a limit: there is nothing to answer */
	ELA_MESSAGE_PURPOSE, /* a purpose that this version does not know; the head was read */
	ELA_MESSAGE_OPTION,  /* the option is not what the purpose's is; the head was read */
	ELA_MESSAGE_LOCAL,   /* built wrongly: encoding refuses it */
};

struct ela_message_head {
	enum ela_purpose purpose; /* ELA_N_PURPOSES: not known */
	enum ela_message_type type;
	uint32_t sequence;
};

/* [control] Once a process, before the first message: libxml2 may never open a file or a connection. Harmless again. */
void ela_message_setup(void);

struct ela_message *ela_message_new(enum ela_purpose purpose, enum ela_message_type type);
/* The reply to a request: its purpose and sequence, with this status. reason may be NULL; it is made to fit. */
struct ela_message *ela_message_reply(
	const struct ela_message_head *request, enum ela_status status, const char *reason);
void ela_message_free(struct ela_message *m); /* takes NULL */

const struct ela_message_head *ela_message_head(const struct ela_message *m);
void ela_message_set_sequence(struct ela_message *m, uint32_t sequence);
const char *ela_purpose_name(enum ela_purpose purpose);
/* Requests of the purpose change nothing: they may be carried out twice. */
bool ela_purpose_is_pure(enum ela_purpose purpose);

/*
 * Puts one value; a field that may be repeated takes them one by one, in order. What the table does not allow (another
 * kind, out of range, too many) is remembered, and ela_message_encode() refuses the message.
 */
void ela_message_put_number(struct ela_message *m, enum ela_field field, int64_t n); /* flags, choices and IDs too */
void ela_message_put_text(struct ela_message *m, enum ela_field field, const char *text);
/* Hashes, keys, nonces and blobs. */
void ela_message_put_bytes(struct ela_message *m, enum ela_field field, const void *bytes, uint32_t len);
void ela_message_put_addr(struct ela_message *m, enum ela_field field, const struct ela_addr *addr);
void ela_message_put_endpoint(struct ela_message *m, enum ela_field field, const struct ela_message_endpoint *endpoint);

/* How often the field is there. */
uint32_t ela_message_count(const struct ela_message *m, enum ela_field field);
/* The k-th of them, borrowed: false or NULL where there is none; *ret untouched then. */
bool ela_message_number(const struct ela_message *m, enum ela_field field, int64_t *ret);
const char *ela_message_text(const struct ela_message *m, enum ela_field field, uint32_t k);
const uint8_t *ela_message_bytes(const struct ela_message *m, enum ela_field field, uint32_t k, uint32_t *ret_len);
bool ela_message_addr(const struct ela_message *m, enum ela_field field, struct ela_addr *ret);
bool ela_message_endpoint(
	const struct ela_message *m, enum ela_field field, uint32_t k, struct ela_message_endpoint *ret);
/* The status of a reply; FAILED for a request. */
enum ela_status ela_message_status(const struct ela_message *m);
const char *ela_status_name(enum ela_status status);

/* The one way to write a message, at most ELA_MESSAGE_MAX bytes; NULL and *error. g_bytes_unref. */
GBytes *ela_message_encode(const struct ela_message *m, GError **error);
/*
 * The message of bytes; NULL and *error, and then *ret_head (may be NULL) unless the error is ELA_MESSAGE_BROKEN.
 * Fields of the option that the table does not have are skipped: a later version may have them.
 */
struct ela_message *ela_message_parse(
	const void *bytes, uint32_t len, struct ela_message_head *ret_head, GError **error);

#endif
