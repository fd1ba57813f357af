/* SPDX-License-Identifier: Apache-2.0 */
/* talk: one question to an elad over its control socket, and its reply. */
#ifndef ELA_CLI_TALK_H
#define ELA_CLI_TALK_H

#include "json.h"
#include "place.h"

/* What elad, or talk itself, says: text is JSON, json the same as a tree. */
struct ela_answer {
	GString *text;
	struct ela_json *json;
	int code; /* ELA_CODE_OK, or that of the refusal */
};

/*
 * Asks elad there: {"verb":VERB} or {"verb":VERB,KEY:ARGUMENT}. Always gives an answer: a refusal when elad is not
 * there, does not let us in or is silent for 12 s. until_end: waits, after a good reply, until elad has gone.
 */
void ela_talk(const struct ela_network_place *place, const char *verb, const char *key, const char *argument,
	bool until_end, struct ela_answer *ret);
/* The same, but it waits that long at most. */
void ela_talk_within(gint64 patience_us, const struct ela_network_place *place, const char *verb, const char *key,
	const char *argument, bool until_end, struct ela_answer *ret);
/* The same with a request that is made already. TAKES request, without its end of line. */
void ela_talk_request(const struct ela_network_place *place, GString *request, bool until_end, struct ela_answer *ret);
/* An answer of our own. TAKES refusal. */
void ela_answer_refuse(GString *refusal, struct ela_answer *ret);
void ela_answer_clear(struct ela_answer *answer);

#endif
