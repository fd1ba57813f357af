/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: a line of the control socket -> what is asked, and the reply to what cannot be. Pure functions; any thread.
 * docs/json.md has the form of both.
 */
#ifndef ELA_CORE_REQUEST_H
#define ELA_CORE_REQUEST_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define ELA_JSON_SCHEMA 1 /* only ever extended under one number */

/* Codes of refusals: the exit codes of "ela". */
enum ela_code {
	ELA_CODE_OK = 0,
	ELA_CODE_FAILED = 1,
	ELA_CODE_USAGE = 2,
	ELA_CODE_NOT_RUNNING = 3,
	ELA_CODE_PERMISSION = 4,
	ELA_CODE_NOT_FOUND = 5,
	ELA_CODE_TIMEOUT = 6,
	ELA_CODE_CONFIG = 78,
};

enum ela_verb {
	ELA_VERB_STATUS,
	ELA_VERB_PEERS,
	ELA_VERB_PING,
	ELA_VERB_WHY,
	ELA_VERB_LEASES,
	ELA_VERB_OBJECTS,
	ELA_VERB_RELOAD,
	ELA_VERB_LOG,
	ELA_VERB_LEAVE,
	ELA_VERB_OFFER,
	ELA_VERB_DIAL,
};

struct ela_request {
	enum ela_verb verb;
	bool changes;   /* the verb changes what elad does: not for everybody */
	char *argument; /* of ping and why: the node; of log: the level; of offer: the kind; of dial: where; else NULL */
	char *object;   /* of offer: base64; of dial: until when; else NULL */
};

/*
 * One line without its end. False: *ret_refusal is the reply, and *ret is untouched. Everything else is good: the verb
 * is known, its argument is there and not empty, and nothing else is.
 */
bool ela_request_parse(const char *line, size_t len, struct ela_request *ret, GString **ret_refusal);
void ela_request_clear(struct ela_request *request);

/* {"schema":1,"error":{"code":CODE,"text":TEXT,"remedy":REMEDY}}; remedy may be NULL. */
GString *ela_refusal(enum ela_code code, const char *remedy, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* A reply that is begun: {"schema":1 */
GString *ela_reply_begin(void);

#endif
