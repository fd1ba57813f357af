/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-message: core/message-parse.c, core/message-value.c, core/message.c. Input: the bytes of a
 * message. What is taken is written, read and written again to the same bytes, and so is a second message that is built
 * of what the first one says when it is asked.
 */
#include "input.h"
#include "message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_bytes(const struct ela_message *from, struct ela_message *to, enum ela_field field, uint32_t k)
{
	uint32_t len;
	const uint8_t *bytes = ela_message_bytes(from, field, k, &len);

	if (bytes)
		ela_message_put_bytes(to, field, bytes, len);
}

static void copy_field(const struct ela_message *from, struct ela_message *to, enum ela_field field, uint32_t k)
{
	struct ela_message_endpoint endpoint;
	struct ela_addr addr;
	int64_t n;

	if (ela_message_number(from, field, &n))
		ela_message_put_number(to, field, n);
	else if (ela_message_text(from, field, k))
		ela_message_put_text(to, field, ela_message_text(from, field, k));
	else if (ela_message_addr(from, field, &addr))
		ela_message_put_addr(to, field, &addr);
	else if (ela_message_endpoint(from, field, k, &endpoint))
		ela_message_put_endpoint(to, field, &endpoint);
	else
		copy_bytes(from, to, field, k);
}

static struct ela_message *copy(const struct ela_message *m)
{
	struct ela_message *to = ela_message_new(ela_message_head(m)->purpose, ela_message_head(m)->type);

	ela_message_set_sequence(to, ela_message_head(m)->sequence);
	for (enum ela_field field = ELA_N_FIELDS; field-- > 0;)
		for (uint32_t k = 0; k < ela_message_count(m, field); k++)
			copy_field(m, to, field, k);
	return to;
}

static void must_be_written(const struct ela_message *m, GBytes *wanted)
{
	GBytes *found = ela_message_encode(m, NULL);

	if (!found || !g_bytes_equal(found, wanted))
		input_fail("a message is written in two ways");
	g_bytes_unref(found);
}

static void go_round(const struct ela_message *m)
{
	GBytes *bytes = ela_message_encode(m, NULL);
	struct ela_message *again;

	if (!bytes)
		return; /* taken with less than 16 KiB, and our own line ends make it more */
	again = ela_message_parse(g_bytes_get_data(bytes, NULL), (uint32_t)g_bytes_get_size(bytes), NULL, NULL);
	if (!again)
		input_fail("what was written is refused");
	must_be_written(again, bytes);
	ela_message_free(again);
	again = copy(m);
	must_be_written(again, bytes);
	ela_message_free(again);
	g_bytes_unref(bytes);
}

/* What a node would say to it. */
static void answer(const struct ela_message_head *head, const GError *error)
{
	struct ela_message *reply = ela_message_reply(
		head, error->code == ELA_MESSAGE_PURPOSE ? ELA_STATUS_UNKNOWN_PURPOSE : ELA_STATUS_MALFORMED, error->message);
	GBytes *bytes = ela_message_encode(reply, NULL);

	if (!bytes)
		input_fail("a refusal cannot be written");
	g_bytes_unref(bytes);
	ela_message_free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ela_message_head head;
	GError *error = NULL;
	struct ela_message *m;

	ela_message_setup();
	m = ela_message_parse(data, (uint32_t)size, &head, &error);
	if ((m == NULL) != (error != NULL))
		input_fail("neither a message nor an error");
	if (m)
		go_round(m);
	else if (error->code != ELA_MESSAGE_BROKEN)
		answer(&head, error);
	ela_message_free(m);
	g_clear_error(&error);
	return 0;
}
