/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-console: core/json.c, core/request.c, core/verbs.c: what comes over the control socket, handed to a node that
 * has a session with one peer, is calling another and waits for the third. Input: a byte whose lowest bit says whether
 * the caller may change anything, then lines. Each line gets one reply of one line, at once or, a ping's, within two
 * seconds; each reply is JSON that says the same when it is written and read again; only who may is obeyed.
 */
#include "input.h"
#include "json.h"
#include "lone.h"
#include "object.h"
#include "request.h"
#include "toy.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>

#define LINES_MAX 64u /* of one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct ela_loop *loop;
	struct lone *l;
	struct ela_verbs *verbs;
	bool may, changed;
} w;

struct caller {
	struct ela_call call; /* first */
	GString *reply;
};

static int reload(void *data, GPtrArray *errors)
{
	(void)data;
	w.changed = true;
	g_ptr_array_add(errors, g_strdup("f.ini:1: \"\xff\n"));
	return ELA_CODE_CONFIG;
}

static void leave(void *data)
{
	(void)data;
	w.changed = true;
}

static int offer_list(void *data, const void *bytes, size_t len, GError **error)
{
	(void)data, (void)bytes;
	w.changed = true;
	return ela_object_refuse(error, EBADMSG, "%u bytes \"\n", (unsigned)len);
}

static int dial(void *data, const char *endpoint, uint64_t until_s, GError **error)
{
	(void)data, (void)until_s;
	w.changed = true;
	return ela_object_refuse(error, ENOSPC, "%s \"\n", endpoint);
}

static void tell_health(void *data, ela_health_fn fn, void *fn_data)
{
	(void)data;
	fn(fn_data, "text \xff", "remedy \"\n");
}

static void set_up(void)
{
	static const uint8_t knows[] = {2, 3, 0};
	static const struct ela_verbs_owner owner = {reload, leave, offer_list, dial, tell_health, NULL};
	const struct lone_spec spec = {.cipher = &toy_cipher, .number = 1, .knows = knows, .dials = true};

	w.loop = ela_loop_virtual_new(1);
	w.l = lone_new(lone_world_new(&spec, 1), 0, w.loop);
	w.verbs = ela_verbs_new(w.l->node, w.l->node->log, &owner);
	(void)lone_session(w.l, 2, 7, 9, 1, 1);
}

static void take_reply(struct ela_call *call, GString *text)
{
	struct caller *caller = (struct caller *)call;

	if (caller->reply)
		input_fail("two replies to one request");
	caller->reply = text;
	call->cancel = NULL;
}

static void check_reply(const GString *reply)
{
	struct ela_json *json = ela_json_read(reply->str, reply->len, NULL);
	const struct ela_json *error = ela_json_get(json, "error");

	if (!json || ela_json_get_number(json, "schema", 0) != ELA_JSON_SCHEMA)
		input_fail("a reply that is no JSON of this schema");
	if (memchr(reply->str, '\n', reply->len))
		input_fail("a reply of more than one line");
	if (error && (!ela_json_get_string(error, "text") || ela_json_get_number(error, "code", 0) < 1))
		input_fail("a refusal without a reason");
	ela_json_free(json);
}

/* In a buffer of just its size and the zero byte behind it. */
static void run_line(const uint8_t *bytes, size_t len)
{
	struct caller caller = {.call = {.may_change = w.may, .reply = take_reply}};
	char *exact = g_malloc(len + 1);

	memcpy(exact, bytes, len);
	exact[len] = '\0';
	w.changed = false;
	ela_verbs_run(w.verbs, &caller.call, exact, len);
	g_free(exact);
	if (!caller.reply)
		lone_pass(w.loop, 3 * ELA_SEC);
	if (!caller.reply)
		input_fail("no reply");
	if (w.changed && !w.may)
		input_fail("one who may not was obeyed");
	check_reply(caller.reply);
	(void)g_string_free(caller.reply, TRUE); /* which returns NULL */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (!w.l)
		set_up();
	w.may = (input_u8(&in) & 1) != 0;
	for (uint32_t n = 0; in.left && n < LINES_MAX; n++) {
		const uint8_t *end = memchr(in.at, '\n', in.left);
		uint32_t len = (uint32_t)(end ? (size_t)(end - in.at) : in.left), got;
		const uint8_t *line = input_bytes(&in, len, &got);

		run_line(line, MIN(got, (w.may ? ELA_REQUEST_MAX_CHANGE : ELA_REQUEST_MAX) - 1));
		if (in.left)
			(void)input_u8(&in); /* the line's end */
	}
	return 0;
}
