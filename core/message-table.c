/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message-table: which messages there are: the fields with their kinds and bounds, and the option of each purpose and
 * type. A new message is rows here and a section in docs/protocol.md. Constant data; any thread.
 */
#include "crypto.h"
#include "message-priv.h"

#define NUMBER_MAX INT64_MAX
#define NAME_MAX_BYTES 63
#define LIST_MAX_BYTES 524288
#define RECORDS 16u

static const char *const status_names[] = {[ELA_STATUS_OK] = "ok",
	[ELA_STATUS_FAILED] = "failed",
	[ELA_STATUS_UNKNOWN_PURPOSE] = "unknown-purpose",
	[ELA_STATUS_MALFORMED] = "malformed",
	[ELA_STATUS_REFUSED] = "refused",
	[ELA_STATUS_BUSY] = "busy",
	[ELA_STATUS_NOT_FOUND] = "not-found",
	[ELA_STATUS_CONFLICT] = "conflict",
	[ELA_STATUS_EXPIRED] = "expired",
	[ELA_STATUS_REVOKED] = "revoked",
	NULL};
static const char *const role_names[] = {[ELA_ROLE_EDGE] = "edge", [ELA_ROLE_CORE] = "core", NULL};
static const char *const failed_names[] = {
	[ELA_PROBE_NONE] = "none", [ELA_PROBE_TCP] = "tcp", [ELA_PROBE_UDP] = "udp", [ELA_PROBE_BOTH] = "both", NULL};
static const char *const flag_names[] = {"no", "yes", NULL};
static const char *const object_names[] = {[ELA_PULL_GENESIS] = "genesis",
	[ELA_PULL_LIST] = "list",
	[ELA_PULL_ENROLMENTS] = "enrolments",
	[ELA_PULL_ENROLMENT] = "enrolment",
	[ELA_PULL_CREDENTIAL] = "credential",
	[ELA_PULL_GRANT] = "grant",
	[ELA_PULL_RECORD] = "record",
	NULL};

const char *const ela_type_names[ELA_N_MESSAGE_TYPES] = {
	[ELA_MESSAGE_REQUEST] = "Request", [ELA_MESSAGE_REPLY] = "Reply"};

#define TEXT(text, most)                                                                                               \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_TEXT, .min = 1, .max = (most)                                                 \
	}
#define NUMBER(text, least, most)                                                                                      \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_NUMBER, .min = (least), .max = (most)                                         \
	}
#define CHOICE(text, names)                                                                                            \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_CHOICE, .choices = (names)                                                    \
	}
#define ID(text)                                                                                                       \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_ID, .max = UINT32_MAX                                                         \
	}
#define BYTES(text, exactly)                                                                                           \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_BYTES, .min = (exactly), .max = (exactly)                                     \
	}
#define BLOB(text, most)                                                                                               \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_BLOB, .min = 1, .max = (most)                                                 \
	}
#define ADDRESS(text)                                                                                                  \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_ADDRESS                                                                       \
	}
#define ENDPOINT(text)                                                                                                 \
	{                                                                                                                  \
		.name = (text), .kind = ELA_KIND_ENDPOINT                                                                      \
	}

const struct ela_field_spec ela_field_specs[ELA_N_FIELDS] = {
	[ELA_FIELD_INCARNATION] = NUMBER("incarnation", 0, NUMBER_MAX),
	[ELA_FIELD_STATUS] = {.name = "status", .kind = ELA_KIND_CHOICE, .choices = status_names, .lenient = true},
	[ELA_FIELD_REASON] = TEXT("reason", 256),
	[ELA_FIELD_USER] = TEXT("user", NAME_MAX_BYTES),
	[ELA_FIELD_NODE] = TEXT("node", NAME_MAX_BYTES),
	[ELA_FIELD_CREDENTIAL] = BLOB("credential", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_ENROLMENT] = BLOB("enrolment", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_GENESIS] = BLOB("genesis", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_EPOCH] = NUMBER("epoch", 0, UINT32_MAX),
	[ELA_FIELD_VERSION] = NUMBER("version", 0, UINT32_MAX),
	[ELA_FIELD_LIST] = BYTES("list", ELA_HASH_LEN),
	[ELA_FIELD_ENROLMENTS] = BYTES("enrolments", ELA_HASH_LEN),
	[ELA_FIELD_WISHED] = ADDRESS("wished"),
	[ELA_FIELD_OBSERVED] = ENDPOINT("observed"),
	[ELA_FIELD_TCP_PORT] = NUMBER("tcp-port", 1024, UINT16_MAX), /* a reflector must not reach services */
	[ELA_FIELD_UDP_PORT] = NUMBER("udp-port", 1024, UINT16_MAX),
	[ELA_FIELD_TCP_NONCE] = BYTES("tcp-nonce", ELA_MESSAGE_NONCE_LEN),
	[ELA_FIELD_UDP_NONCE] = BYTES("udp-nonce", ELA_MESSAGE_NONCE_LEN),
	[ELA_FIELD_ROLE] = CHOICE("role", role_names),
	[ELA_FIELD_FAILED] = CHOICE("failed", failed_names),
	[ELA_FIELD_ADDRESS] = ADDRESS("address"),
	[ELA_FIELD_RECORD] = BLOB("record", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_PARENT] = BLOB("parent", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_SPARE] = BLOB("spare", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_CORE] = BLOB("core", ELA_MESSAGE_OBJECT_MAX),
	[ELA_FIELD_ID] = ID("id"),
	[ELA_FIELD_KEY] = {.name = "key", .kind = ELA_KIND_BLOB, .min = 32, .max = 32}, /* base64, as in ela.ini */
	[ELA_FIELD_DIGEST] = BYTES("digest", ELA_HASH_LEN),
	[ELA_FIELD_SINCE] = NUMBER("since", 0, NUMBER_MAX),
	[ELA_FIELD_UPTO] = NUMBER("upto", 0, NUMBER_MAX),
	[ELA_FIELD_MORE] = CHOICE("more", flag_names),
	[ELA_FIELD_KIND] = CHOICE("kind", object_names),
	[ELA_FIELD_HASH] = BYTES("hash", ELA_HASH_LEN),
	[ELA_FIELD_OFFSET] = NUMBER("offset", 0, LIST_MAX_BYTES - 1),
	[ELA_FIELD_TOTAL] = NUMBER("total", 1, LIST_MAX_BYTES),
	[ELA_FIELD_PIECE] = BLOB("piece", ELA_MESSAGE_PIECE_MAX),
	[ELA_FIELD_TOKEN] = NUMBER("token", 0, NUMBER_MAX),
	[ELA_FIELD_NEXT] = ID("next"),
	[ELA_FIELD_STEP] = TEXT("step", 256),
	[ELA_FIELD_TIME] = NUMBER("time", 0, UINT32_MAX),
};

#define NEEDS(name)                                                                                                    \
	{                                                                                                                  \
		ELA_FIELD_##name, 1, true                                                                                      \
	}
#define MAY(name)                                                                                                      \
	{                                                                                                                  \
		ELA_FIELD_##name, 1, false                                                                                     \
	}
#define SOME(name, most)                                                                                               \
	{                                                                                                                  \
		ELA_FIELD_##name, (most), false                                                                                \
	}
#define END                                                                                                            \
	{                                                                                                                  \
		ELA_N_FIELDS, 0, false                                                                                         \
	}
#define REQUEST(...)                                                                                                   \
	[ELA_MESSAGE_REQUEST] = (const struct ela_option_field[])                                                          \
	{                                                                                                                  \
		NEEDS(INCARNATION), __VA_ARGS__, END                                                                           \
	}
#define REPLY(...)                                                                                                     \
	[ELA_MESSAGE_REPLY] = (const struct ela_option_field[])                                                            \
	{                                                                                                                  \
		NEEDS(STATUS), MAY(REASON), __VA_ARGS__, END                                                                   \
	}
#define REPLY_ALONE                                                                                                    \
	[ELA_MESSAGE_REPLY] = (const struct ela_option_field[])                                                            \
	{                                                                                                                  \
		NEEDS(STATUS), MAY(REASON), END                                                                                \
	}
#define HEAD(X) X(EPOCH), X(VERSION), X(LIST), MAY(ENROLMENTS)

static const struct {
	const char *name;
	bool pure; /* its requests change nothing */
	const struct ela_option_field *option[ELA_N_MESSAGE_TYPES];
} purposes[ELA_N_PURPOSES] = {
	[ELA_PURPOSE_NODE_AUTHENTICATION] = {"NodeAuthentication", false,
		{REQUEST(NEEDS(USER), NEEDS(NODE), NEEDS(CREDENTIAL), MAY(ENROLMENT), HEAD(MAY), MAY(WISHED)),
			REPLY(NEEDS(CREDENTIAL), NEEDS(GENESIS), HEAD(NEEDS), NEEDS(OBSERVED), MAY(ADDRESS), SOME(CORE, 8),
				MAY(TIME))}},
	[ELA_PURPOSE_NODE_USING_PORT] = {"NodeUsingPort", false,
		{REQUEST(NEEDS(TCP_PORT), NEEDS(UDP_PORT)), REPLY(NEEDS(OBSERVED))}},
	[ELA_PURPOSE_NODE_CLASSIFICATION] = {"NodeClassification", false,
		{REQUEST(SOME(TCP_NONCE, ELA_MESSAGE_NONCES), SOME(UDP_NONCE, ELA_MESSAGE_NONCES)),
			REPLY(NEEDS(ROLE), NEEDS(FAILED), NEEDS(OBSERVED))}},
	[ELA_PURPOSE_NODE_JOIN] = {"NodeJoin", false,
		{REQUEST(NEEDS(RECORD)), REPLY(MAY(RECORD), MAY(PARENT), MAY(SPARE), SOME(CORE, RECORDS))}},
	[ELA_PURPOSE_NODE_LEAVE] = {"NodeLeave", false, {REQUEST(NEEDS(ADDRESS), NEEDS(RECORD)), REPLY_ALONE}},
	[ELA_PURPOSE_CHANGE_PARENT] = {"ChangeParent", false, {REQUEST(NEEDS(ADDRESS), NEEDS(RECORD)), REPLY_ALONE}},
	[ELA_PURPOSE_LIST_HEAD] = {"ListHead", true, {REQUEST(HEAD(NEEDS)), REPLY(HEAD(NEEDS))}},
	[ELA_PURPOSE_OBJECT_PULL] = {"ObjectPull", true,
		{REQUEST(NEEDS(KIND), NEEDS(HASH), NEEDS(OFFSET)), REPLY(NEEDS(TOTAL), NEEDS(OFFSET), NEEDS(PIECE))}},
	[ELA_PURPOSE_RECORD_GET] = {"RecordGet", true, {REQUEST(NEEDS(ID)), REPLY(NEEDS(RECORD))}},
	[ELA_PURPOSE_RECORD_PUT] = {"RecordPut", false,
		{REQUEST({ELA_FIELD_RECORD, RECORDS, true}), REPLY(SOME(RECORD, RECORDS))}},
	[ELA_PURPOSE_RECORD_SYNC] = {"RecordSync", true,
		{REQUEST(NEEDS(DIGEST), NEEDS(SINCE)), REPLY(NEEDS(DIGEST), NEEDS(UPTO), NEEDS(MORE), SOME(RECORD, RECORDS))}},
	[ELA_PURPOSE_RESOLVE] = {"Resolve", true, {REQUEST(NEEDS(ID)), REPLY(NEEDS(KEY), MAY(RECORD), MAY(PARENT))}},
	[ELA_PURPOSE_PING] = {"Ping", true, {REQUEST(NEEDS(TOKEN)), REPLY(NEEDS(TOKEN))}},
	[ELA_PURPOSE_WHY] = {"Why", true, {REQUEST(NEEDS(ID)), REPLY(MAY(NEXT), SOME(STEP, RECORDS))}},
	[ELA_PURPOSE_ERROR] = {"Error", false, {REPLY_ALONE}},
};

const char *ela_purpose_name(enum ela_purpose purpose)
{
	return purpose < ELA_N_PURPOSES ? purposes[purpose].name : NULL;
}

bool ela_purpose_is_pure(enum ela_purpose purpose)
{
	return purposes[purpose].pure;
}

const char *ela_status_name(enum ela_status status)
{
	return status_names[status];
}

const struct ela_option_field *ela_purpose_option(enum ela_purpose purpose, enum ela_message_type type)
{
	return purpose < ELA_N_PURPOSES && type < ELA_N_MESSAGE_TYPES ? purposes[purpose].option[type] : NULL;
}

const struct ela_option_field *ela_option_find(const struct ela_option_field *option, enum ela_field field)
{
	for (; option->max; option++)
		if (option->field == field)
			return option;
	return NULL;
}
