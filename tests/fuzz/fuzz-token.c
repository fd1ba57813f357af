/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-token: core/token.c. Input: how (1), then text as somebody pasted it, or, when bit 0 of how is set, what stands
 * behind the base64 and in front of the check, which is made right here. What is taken is printed and taken again.
 */
#include "input.h"
#include "token.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_text(const char *text)
{
	struct ela_token token = {0}, second = {0};
	g_autofree char *printed = NULL;
	GError *error = NULL;
	int err = ela_token_parse(text, 1000, &token, &error);

	if ((err == 0) != (error == NULL))
		input_fail("a refusal without its reason");
	g_clear_error(&error);
	if (err != 0)
		return;
	if (token.n_cores > ELA_TOKEN_CORES || ela_token_format(&token, &printed, NULL) != 0 || !strstr(text, printed) ||
		ela_token_parse(printed, 1000, &second, NULL) != 0)
		input_fail("a token that is not the same again");
	ela_token_clear(&second);
	ela_token_clear(&token);
}

/* URL-safe base64 by GLib's, which has the other alphabet. */
static char *encode(const uint8_t *bytes, size_t len)
{
	g_autofree char *text = g_base64_encode(bytes, len);

	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	text[strcspn(text, "=")] = '\0';
	return g_strconcat("ela1_", text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree uint8_t *payload = g_malloc(size + ELA_HASH_LEN);
	g_autofree char *text = NULL;

	if (size < 1)
		return -1;
	if ((data[0] & 1) == 0) {
		text = g_strndup((const char *)data + 1, size - 1);
	} else {
		memcpy(payload, data + 1, size - 1);
		if (ela_object_hash(payload, size - 1, payload + size - 1) != 0)
			input_fail("no hash");
		text = encode(payload, size - 1 + 4);
	}
	try_text(text);
	return 0;
}
