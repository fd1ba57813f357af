/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-message: core/message*.c. Every message with random values against a naive writer with a table of its own; every
 * limit at, below and above it; bytes of hostile members; the examples of docs/protocol.md, parsed and written again.
 * ELA_TEST_SEED repeats a run. One thread.
 */
#include "message-model.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 200u

static void setup(void)
{
	const char *seed = g_getenv("ELA_TEST_SEED");
	uint32_t n = seed ? (uint32_t)strtoul(seed, NULL, 0) : g_random_int();

	printf("ELA_TEST_SEED=%u\n", n);
	model_rng = g_rand_new_with_seed(n);
	ela_message_setup();
}

static void teardown(void)
{
	g_rand_free(model_rng);
}

static struct ela_message *parse(const char *text, gssize len)
{
	g_autoptr(GError) error = NULL;
	struct ela_message *m = ela_message_parse(text, (uint32_t)(len < 0 ? (gssize)strlen(text) : len), NULL, &error);

	ck_assert_msg(m, "refused, %s: %s", error ? error->message : "", text);
	return m;
}

/* Encodes to just that. */
static void is_written(const struct ela_message *m, const char *wanted)
{
	g_autoptr(GError) error = NULL;
	GBytes *bytes = ela_message_encode(m, &error);

	ck_assert_msg(bytes, "%s: %s", error ? error->message : "", wanted);
	ck_assert_msg(
		g_bytes_get_size(bytes) == strlen(wanted) && memcmp(g_bytes_get_data(bytes, NULL), wanted, strlen(wanted)) == 0,
		"found\n%.*s, wanted\n%s", (int)g_bytes_get_size(bytes), (const char *)g_bytes_get_data(bytes, NULL), wanted);
	g_bytes_unref(bytes);
}

START_TEST(every_message_as_the_model_writes_it)
{
	const struct form *form = &model_forms[_i];
	uint32_t fitted = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		g_autoptr(GString) wanted = g_string_new(NULL);
		struct ela_message *m = model_random(form, wanted), *again;

		if (wanted->len <= ELA_MESSAGE_MAX) {
			fitted++;
			is_written(m, wanted->str);
			again = parse(wanted->str, -1);
			ck_assert_int_eq(ela_message_head(again)->purpose, form->purpose);
			ck_assert_int_eq(ela_message_head(again)->type, form->type);
			ck_assert_uint_eq(ela_message_head(again)->sequence, ela_message_head(m)->sequence);
			is_written(again, wanted->str);
			ela_message_free(again);
		} else {
			ck_assert_ptr_null(ela_message_encode(m, NULL));
		}
		ela_message_free(m);
	}
	ck_assert_uint_gt(fitted, ROUNDS / 4);
}
END_TEST

START_TEST(the_model_has_them_all)
{
	for (enum ela_purpose p = 0; p < ELA_N_PURPOSES; p++)
		for (enum ela_message_type t = 0; t < ELA_N_MESSAGE_TYPES; t++) {
			bool found = p == ELA_PURPOSE_ERROR && t == ELA_MESSAGE_REQUEST;

			for (size_t i = 0; i < MODEL_FORMS; i++)
				found |= model_forms[i].purpose == p && model_forms[i].type == t;
			ck_assert_msg(found, "no form of %s", ela_purpose_name(p));
		}
}
END_TEST

START_TEST(what_is_required_is_missed)
{
	const struct form *form = &model_forms[_i];
	uint32_t required = model_required(form);

	for (uint32_t i = 0; i < G_N_ELEMENTS(form->lines) && form->lines[i].name; i++) {
		struct ela_message *m = ela_message_new(form->purpose, form->type);
		g_autoptr(GString) wanted = g_string_new(NULL);
		g_autofree char *lacks = g_strdup_printf("lacks %s", form->lines[i].name);
		g_autoptr(GError) error = NULL;

		for (uint32_t k = 0; k < G_N_ELEMENTS(form->lines) && form->lines[k].name; k++)
			if (k != i && required & 1u << k)
				model_put(m, &form->lines[k], 0, wanted);
		if (required & 1u << i) {
			ck_assert_ptr_null(ela_message_encode(m, &error));
			ck_assert_str_eq(error->message, lacks);
		}
		ela_message_free(m);
	}
}
END_TEST

/* ---- getters ---- */

START_TEST(values_come_back)
{
	static const uint8_t object[] = {1, 2, 3}, nonce[16] = {9};
	struct ela_message_head head = {.purpose = ELA_PURPOSE_NODE_JOIN, .sequence = 7};
	struct ela_message *m = ela_message_reply(&head, ELA_STATUS_OK, NULL), *q;
	struct ela_message_endpoint e;
	struct ela_addr addr;
	uint32_t len;
	int64_t n;

	ck_assert_uint_eq(ela_message_head(m)->sequence, 7);
	ela_message_put_bytes(m, ELA_FIELD_CORE, object, 3);
	ela_message_put_bytes(m, ELA_FIELD_CORE, object, 2);
	ck_assert_uint_eq(ela_message_count(m, ELA_FIELD_CORE), 2);
	ck_assert_mem_eq(ela_message_bytes(m, ELA_FIELD_CORE, 1, &len), object, 2);
	ck_assert_uint_eq(len, 2);
	ck_assert_ptr_null(ela_message_bytes(m, ELA_FIELD_CORE, 2, &len));
	ck_assert_ptr_null(ela_message_bytes(m, ELA_FIELD_STATUS, 0, &len));
	ck_assert_ptr_null(ela_message_text(m, ELA_FIELD_CORE, 0));
	ck_assert(!ela_message_number(m, ELA_FIELD_CORE, &n));
	ck_assert(!ela_message_addr(m, ELA_FIELD_CORE, &addr));
	ck_assert(!ela_message_endpoint(m, ELA_FIELD_CORE, 0, &e));
	ck_assert_int_eq(ela_message_status(m), ELA_STATUS_OK);
	ela_message_free(m);

	q = ela_message_new(ELA_PURPOSE_NODE_CLASSIFICATION, ELA_MESSAGE_REQUEST);
	ck_assert_int_eq(ela_message_status(q), ELA_STATUS_FAILED);
	ela_message_put_number(q, ELA_FIELD_INCARNATION, 1);
	ela_message_put_bytes(q, ELA_FIELD_TCP_NONCE, nonce, sizeof nonce);
	ck_assert_mem_eq(ela_message_bytes(q, ELA_FIELD_TCP_NONCE, 0, &len), nonce, 16);
	ela_message_free(q);
}
END_TEST

START_TEST(a_reason_is_made_to_fit)
{
	const struct ela_message_head head = {.purpose = ELA_N_PURPOSES, .sequence = 1};
	g_autofree char *long_one = g_strnfill(1000, 'x');
	g_autofree char *wide = g_strconcat(long_one + 1000 - 255, "\303\251", NULL);
	const struct {
		const char *given, *wanted;
	} cases[] = {{"a\nb\x7f", "a?b?"}, {"\xff", "\xef\xbf\xbd"}, {long_one, long_one + 1000 - 256},
		{wide, long_one + 1000 - 255}, {"", NULL}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ela_message *m = ela_message_reply(&head, ELA_STATUS_FAILED, cases[i].given);
		GBytes *bytes = ela_message_encode(m, NULL);

		ck_assert_int_eq(ela_message_head(m)->purpose, ELA_PURPOSE_ERROR);
		ck_assert_msg(bytes != NULL, "case %zu", i);
		if (cases[i].wanted)
			ck_assert_str_eq(ela_message_text(m, ELA_FIELD_REASON, 0), cases[i].wanted);
		else
			ck_assert_ptr_null(ela_message_text(m, ELA_FIELD_REASON, 0));
		g_bytes_unref(bytes);
		ela_message_free(m);
	}
}
END_TEST

/* What the table does not allow is never sent. */
START_TEST(wrong_puts_are_refused)
{
	static const uint8_t bytes[ELA_MESSAGE_PIECE_MAX + 1];
	const struct ela_addr other = {.family = ELA_ADDR_OTHER},
						  mapped = {.family = ELA_ADDR_IP6, .ip = {[10] = 255, 255, 1, 2, 3, 4}};

	for (uint32_t i = 0; i < 12; i++) {
		struct ela_message *m = ela_message_new(i == 11  ? ELA_PURPOSE_ERROR
												: i >= 9 ? ELA_PURPOSE_CHANGE_PARENT
														 : ELA_PURPOSE_OBJECT_PULL,
			i == 11 || i >= 9 ? ELA_MESSAGE_REQUEST : ELA_MESSAGE_REPLY);

		if (i < 9) {
			ela_message_put_number(m, ELA_FIELD_STATUS, 0);
			ela_message_put_number(m, ELA_FIELD_TOTAL, i == 1 ? 0 : i == 2 ? 524289 : 524288);
			ela_message_put_number(m, ELA_FIELD_OFFSET, i == 3 ? -1 : 0);
			ela_message_put_bytes(m, ELA_FIELD_PIECE, bytes, i == 4 ? 0 : i == 5 ? sizeof bytes : sizeof bytes - 1);
		} else if (i < 11) {
			ela_message_put_number(m, ELA_FIELD_INCARNATION, 0);
			ela_message_put_bytes(m, ELA_FIELD_RECORD, bytes, 1);
			ela_message_put_addr(m, ELA_FIELD_ADDRESS, i == 9 ? &other : &mapped);
		}
		if (i == 6)
			ela_message_put_number(m, ELA_FIELD_OFFSET, 0); /* twice */
		if (i == 7)
			ela_message_put_text(m, ELA_FIELD_OFFSET, "0"); /* another kind */
		if (i == 8)
			ela_message_put_number(m, ELA_FIELD_TOKEN, 0); /* of another purpose */
		GBytes *out = ela_message_encode(m, NULL);
		ck_assert_msg((out != NULL) == (i == 0), "case %u", i);
		g_bytes_unref(out);
		ela_message_free(m);
	}
}
END_TEST

/* ---- the parser's limits and enemies ---- */

#define START "<?xml version=\"1.0\"?><message>"
#define PING_HEAD START "<purpose>Ping</purpose><type>Request</type><sequence>1</sequence>"
#define PING PING_HEAD "<option><incarnation>5</incarnation><token>6</token>"
#define ENDS "</option></message>"

static int code_of(const void *bytes, size_t len)
{
	g_autoptr(GError) error = NULL;
	struct ela_message_head head = {.purpose = ELA_PURPOSE_WHY, .type = ELA_MESSAGE_REPLY, .sequence = 77};
	/* In a buffer of just its size: a read behind it is seen. */
	g_autofree uint8_t *exact = g_memdup2(len ? bytes : "", len ? len : 1);
	struct ela_message *m = ela_message_parse(exact, (uint32_t)len, &head, &error);

	ck_assert((m == NULL) == (error != NULL));
	if (error && error->code == ELA_MESSAGE_BROKEN) {
		ck_assert_int_eq(head.purpose, ELA_PURPOSE_WHY); /* untouched */
		ck_assert_uint_eq(head.sequence, 77);
	} else {
		ck_assert_uint_ne(head.sequence, 77);
	}
	ela_message_free(m);
	return error ? error->code : -1;
}

#define FINE (-1)

START_TEST(tables_of_good_and_bad)
{
	static const struct {
		int code;
		const char *text;
	} cases[] = {
		{FINE, PING ENDS},
		{FINE, "<?xml version=\"1.0\"?>\r\n \t"
			   "<message>\n <purpose>Ping</purpose>\n<type>Request</type> <sequence>1</sequence>"
			   "<option>\n<token>6</token>\n\n<incarnation>5</incarnation></option>\n</message>\n\n"},
		{FINE, PING "<later/><later>x</later><later><a><b><c>text</c></b></a></later>" ENDS}, /* a newer version */
		{FINE, PING "<n:token xmlns:n=\"urn:x\">z</n:token><token xmlns=\"urn:x\">z</token>" ENDS},
		{FINE, PING_HEAD "<option a=\"1\"><incarnation b='2'>&#53;</incarnation><token>&#x36;</token>" ENDS},
		{FINE, START "<purpose>Ping</purpose><type>Reply</type><sequence>4294967295</sequence><option>"
					 "<status>something-of-2040</status>" ENDS},
		/* no message */
		{ELA_MESSAGE_BROKEN, ""},
		{ELA_MESSAGE_BROKEN, "<"},
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.0\"?>"},
		{ELA_MESSAGE_BROKEN, "<message/>"},
		{ELA_MESSAGE_BROKEN, " " PING ENDS},
		{ELA_MESSAGE_BROKEN, "\357\273\277" PING ENDS},
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.1\"?><message/>"},
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.0\" encoding=\"UTF-16\"?><message/>"},
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.0\"?><messages></messages>"},
		{ELA_MESSAGE_BROKEN, START "</message>"},
		{ELA_MESSAGE_BROKEN, PING_HEAD "</message>"},
		{ELA_MESSAGE_BROKEN, PING ENDS "x"},
		{ELA_MESSAGE_BROKEN, PING ENDS "<message/>"},
		{ELA_MESSAGE_BROKEN, PING "</option><option></option></message>"},
		{ELA_MESSAGE_BROKEN, PING "</option><later/></message>"},
		{ELA_MESSAGE_BROKEN, PING "x" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a></b>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a b='1' b='2'/>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "&nbsp;" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a>&nbsp;</a>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a>&#0;</a>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a>\001</a>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a>\377</a>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a>\300\257</a>" ENDS},     /* an overlong slash */
		{ELA_MESSAGE_BROKEN, PING "<a>\355\240\200</a>" ENDS}, /* half a surrogate pair */
		/* wrong order, twice, nothing, odd values in the head */
		{ELA_MESSAGE_BROKEN, START "<type>Request</type><purpose>Ping</purpose><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose>Ping</purpose><purpose>Ping</purpose>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose></purpose><type>Request</type><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose>No-Name</purpose><type>Request</type><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN,
			START "<purpose>Ping<a/></purpose><type>Request</type><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose>A23456789012345678901234567890123</purpose><type>Request</"
								   "type><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose>Ping</purpose><type>request</type><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose>Ping</purpose><type>Request</type><sequence>-1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN,
			START "<purpose>Ping</purpose><type>Request</type><sequence>4294967296</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN, START "<purpose>Ping</purpose><type>Request</type><sequence>01</sequence><option>" ENDS},
		/* entities and everything that could name one */
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.0\"?><!DOCTYPE message><message></message>"},
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.0\"?><!DOCTYPE m [<!ENTITY a \"b\">]>"
							 "<message></message>"},
		{ELA_MESSAGE_BROKEN, "<?xml version=\"1.0\"?><!DOCTYPE m SYSTEM \"file:///etc/passwd\"><message></message>"},
		{ELA_MESSAGE_BROKEN, PING "<!-- a comment -->" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<a><![CDATA[x]]></a>" ENDS},
		{ELA_MESSAGE_BROKEN, PING "<?php ?>" ENDS},
		{ELA_MESSAGE_BROKEN, PING ENDS "<!-- behind -->"},
		/* purposes of a later version */
		{ELA_MESSAGE_PURPOSE,
			START "<purpose>Later</purpose><type>Request</type><sequence>1</sequence><option><a>1</a>" ENDS},
		{ELA_MESSAGE_PURPOSE,
			START "<purpose>A2345678901234567890123456789012</purpose><type>Reply</type><sequence>1</sequence>"
				  "<option>" ENDS},
		{ELA_MESSAGE_PURPOSE, START "<purpose>Error</purpose><type>Request</type><sequence>1</sequence><option>" ENDS},
		{ELA_MESSAGE_BROKEN,
			START "<purpose>Later</purpose><type>Request</type><sequence>1</sequence><option><a>1</b>" ENDS},
		/* the option */
		{ELA_MESSAGE_OPTION, PING_HEAD "<option>" ENDS},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option/></message>"},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option><incarnation>5</incarnation>" ENDS},
		{ELA_MESSAGE_OPTION, PING "<token>6</token>" ENDS},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option><incarnation>5</incarnation><token></token>" ENDS},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option><incarnation>5</incarnation><token> 6</token>" ENDS},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option><incarnation>5</incarnation><token>6<a/></token>" ENDS},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option><incarnation>5</incarnation><token>-0</token>" ENDS},
		{ELA_MESSAGE_OPTION, PING_HEAD "<option><incarnation>5</incarnation><token>9223372036854775808</token>" ENDS},
		{ELA_MESSAGE_BROKEN,
			PING_HEAD "<option><incarnation>x</incarnation><token>6</token>" ENDS "x"}, /* wins over the field */
		{ELA_MESSAGE_OPTION, START "<purpose>Ping</purpose><type>Reply</type><sequence>2</sequence><option>"
								   "<status>ok</status>" ENDS},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int code = code_of(cases[i].text, strlen(cases[i].text));

		ck_assert_msg(code == cases[i].code, "found %d, wanted %d: %s", code, cases[i].code, cases[i].text);
	}
	ck_assert_int_eq(code_of(PING ENDS, sizeof(PING ENDS)), ELA_MESSAGE_BROKEN); /* with its NUL */
	ck_assert_int_eq(code_of("<?xml version=\"1.0\"?><message>\0</message>", 40), ELA_MESSAGE_BROKEN);
}
END_TEST

/* One value of each kind that has another spelling, or is none. */
START_TEST(values_have_one_spelling)
{
	static const struct {
		const char *purpose, *field, *good;
		const char *bad[12];
	} cases[] = {
		{"NodeLeave", "address", "10.0.0.100",
			{"10.0.0.0100", "10.0.0", "10.0.0.100/32", "10.0.0.100:1", "host", "::ffff:10.0.0.100", "2001:DB8::1",
				"2001:db8:0::1", "fe80::1%lo", "", " 10.0.0.100", NULL}},
		{"NodeLeave", "record", "AAEC", {"AAE", "AAEC=", "AAEC\n", "AA EC", "AAF=", "####", "", "AAEC!", NULL}},
		{"Resolve", "id", "0a0b0c0d", {"0A0B0C0D", "a0b0c0d", "0a0b0c0d0", "0x0b0c0d", "", NULL}},
		{"NodeClassification", "tcp-nonce", "000102030405060708090a0b0c0d0e0f",
			{"000102030405060708090a0b0c0d0e", "000102030405060708090A0B0C0D0E0F", "000102030405060708090a0b0c0d0e0f00",
				"0001020304050607 8090a0b0c0d0e0f", "", NULL}},
		{"NodeUsingPort", "tcp-port", "10000", {"1023", "65536", "+10000", "010000", "1e4", "", NULL}},
		{"ObjectPull", "kind", "list", {"List", "lists", "", NULL}},
		{"NodeAuthentication", "user", "sada", {"", "a\tb", "a\nb", "a\302\205", "a\177", NULL}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t k = 0; k == 0 || cases[i].bad[k - 1]; k++) {
			const char *value = k == 0 ? cases[i].good : cases[i].bad[k - 1];
			g_autoptr(GString) text = g_string_new(START);
			g_autoptr(GError) error = NULL;
			struct ela_message *m;

			g_string_append_printf(text,
				"<purpose>%s</purpose><type>Request</type><sequence>1</sequence><option><%s>%s</%s>" ENDS,
				cases[i].purpose, cases[i].field, value, cases[i].field);
			m = ela_message_parse(text->str, (uint32_t)text->len, NULL, &error);
			if (m) /* the classification needs neither nonce; nothing else can be whole */
				ck_assert_str_eq("", cases[i].purpose);
			else
				ck_assert_msg(g_str_has_prefix(error->message, k == 0 ? "lacks " : cases[i].field), "%s: %s", value,
					error->message);
		}
}
END_TEST

static GString *ping(void)
{
	return g_string_new(PING);
}

static int code_of_ping(GString *text)
{
	int code;

	g_string_append(text, ENDS);
	code = code_of(text->str, text->len);
	(void)g_string_free(text, TRUE); /* its text is gone, NULL */
	return code;
}

START_TEST(limits_at_and_above)
{
	for (uint32_t over = 0; over < 2; over++) {
		int wanted = over ? ELA_MESSAGE_BROKEN : FINE;
		GString *text = ping();

		/* message, option, and a field in them */
		for (uint32_t i = 0; i < ELA_MESSAGE_DEPTH - 2 + over; i++)
			g_string_append(text, "<a>");
		for (uint32_t i = 0; i < ELA_MESSAGE_DEPTH - 2 + over; i++)
			g_string_append(text, "</a>");
		ck_assert_int_eq(code_of_ping(text), wanted);

		text = ping(); /* 7 elements so far */
		for (uint32_t i = 0; i < ELA_MESSAGE_ELEMENTS - 7 + over; i++)
			g_string_append(text, "<a/>");
		ck_assert_int_eq(code_of_ping(text), wanted);

		text = ping();
		g_string_append(text, "<a");
		for (uint32_t i = 0; i < ELA_MESSAGE_ATTRIBUTES + over; i++)
			g_string_append_printf(text, i % 2 ? " a%u='1'" : " xmlns:a%u='u'", i);
		g_string_append(text, "/>");
		ck_assert_int_eq(code_of_ping(text), wanted);

		text = ping();
		while (text->len < ELA_MESSAGE_MAX + over - strlen(ENDS))
			g_string_append_c(text, ' ');
		ck_assert_int_eq(code_of_ping(text), wanted);

		text = ping();
		g_string_append(text, "<a>");
		while (text->len < ELA_MESSAGE_MAX + over - strlen("</a>" ENDS))
			g_string_append_c(text, 'x');
		g_string_append(text, "</a>");
		ck_assert_int_eq(code_of_ping(text), wanted);
	}
}
END_TEST

/* All the bytes there are, of what libxml2 minds most. */
START_TEST(deep_and_wide)
{
	static const char *const units[] = {"<a>", "<a ", "<a a='", "&", "&#", "&a;", "<", "</", "</a>", "]]>", "<a:", "<?",
		"<!", "<![CDATA[", "<!--", "<!DOCTYPE a [", "<!ENTITY a 'b'>", "\303\251", "&lt;", "'", "\""};

	for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
		GString *text = ping();

		while (text->len + strlen(units[i]) <= ELA_MESSAGE_MAX)
			g_string_append(text, units[i]);
		ck_assert_int_eq(code_of(text->str, text->len), ELA_MESSAGE_BROKEN);
		(void)g_string_free(text, TRUE); /* its text is gone, NULL */
	}
}
END_TEST

START_TEST(truncated_at_every_length)
{
	g_autoptr(GString) whole = g_string_new(NULL);
	struct ela_message *m = model_random(&model_forms[0], whole);

	for (size_t len = 0; len < whole->len - 1; len++) /* the last byte is a line's end */
		ck_assert_int_eq(code_of(whole->str, len), ELA_MESSAGE_BROKEN);
	ck_assert_int_eq(code_of(whole->str, whole->len - 1), FINE);
	ela_message_free(m);
}
END_TEST

/* What passes is written again and read again to the same; the rest is refused. */
START_TEST(any_byte_changed)
{
	for (uint32_t round = 0; round < 3000; round++) {
		g_autoptr(GString) text = g_string_new(NULL);
		struct ela_message *m = model_random(&model_forms[model_below(MODEL_FORMS)], text), *again;
		GBytes *bytes, *twice;

		ela_message_free(m);
		for (uint32_t i = 0; i < 1 + model_below(3); i++)
			text->str[model_below((uint32_t)text->len)] = (char)model_below(256);
		m = ela_message_parse(text->str, (uint32_t)text->len, NULL, NULL);
		if (!m)
			continue;
		bytes = ela_message_encode(m, NULL);
		if (bytes) {
			again = parse(g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes));
			twice = ela_message_encode(again, NULL);
			ck_assert(twice && g_bytes_equal(bytes, twice));
			g_bytes_unref(twice);
			ela_message_free(again);
		}
		g_bytes_unref(bytes);
		ela_message_free(m);
	}
}
END_TEST

/* ---- the document ---- */

START_TEST(examples_of_the_document)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) blocks = NULL;
	bool seen[ELA_N_PURPOSES][ELA_N_MESSAGE_TYPES] = {0};

	ck_assert(g_file_get_contents(DOCUMENT, &text, NULL, NULL));
	blocks = g_strsplit(text, "```xml\n", -1);
	for (char **block = blocks + 1; *block; block++) {
		g_autofree char *example = g_strndup(*block, (gsize)(strstr(*block, "```") - *block));
		struct ela_message *m = parse(example, -1);

		is_written(m, example);
		seen[ela_message_head(m)->purpose][ela_message_head(m)->type] = true;
		ela_message_free(m);
	}
	for (size_t i = 0; i < MODEL_FORMS; i++)
		ck_assert_msg(seen[model_forms[i].purpose][model_forms[i].type], "the document has no example of %s, type %d",
			model_forms[i].name, model_forms[i].type);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tcase = tcase_create("message");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, every_message_as_the_model_writes_it, 0, (int)MODEL_FORMS);
	tcase_add_test(tcase, the_model_has_them_all);
	tcase_add_loop_test(tcase, what_is_required_is_missed, 0, (int)MODEL_FORMS);
	tcase_add_test(tcase, values_come_back);
	tcase_add_test(tcase, a_reason_is_made_to_fit);
	tcase_add_test(tcase, wrong_puts_are_refused);
	tcase_add_test(tcase, tables_of_good_and_bad);
	tcase_add_test(tcase, values_have_one_spelling);
	tcase_add_test(tcase, limits_at_and_above);
	tcase_add_test(tcase, deep_and_wide);
	tcase_add_test(tcase, truncated_at_every_length);
	tcase_add_test(tcase, any_byte_changed);
	tcase_add_test(tcase, examples_of_the_document);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
