/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message-model: the naive model of messages: what docs/protocol.md says of each, written down again, and a writer of
 * random ones. For test-message.c. One thread.
 */
#ifndef ELA_TEST_MESSAGE_MODEL_H
#define ELA_TEST_MESSAGE_MODEL_H

#include "message.h"

struct line {
	enum ela_field field;
	const char *name;
	char kind; /* t text, n number, c choice, i id, x hex bytes, b blob, a address, e endpoint */
	int64_t min, max;
	uint32_t times;
	const char *choices;
};

struct form {
	enum ela_purpose purpose;
	enum ela_message_type type;
	const char *name;
	struct line lines[12];
};

#define MODEL_FORMS 29u

extern const struct form model_forms[MODEL_FORMS];
extern GRand *model_rng; /* the test's */

uint32_t model_below(uint32_t n);
/* A random message of that form, and what it must look like. */
struct ela_message *model_random(const struct form *form, GString *out);
/* Puts one random value of the line, and what it must look like. */
void model_put(struct ela_message *m, const struct line *line, int64_t status, GString *out);
/* Which lines a form cannot be without: bits. */
uint32_t model_required(const struct form *form);

#endif
