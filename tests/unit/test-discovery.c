/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-discovery: core/discovery.c at one node (lone.h) whose LANs are this file, the greetings of core/probe.c, and
 * core/lans.c as far as it needs no interfaces. What is said and when, who is answered, who is heard, what is dropped.
 */
#include "discovery.h"
#include "lans.h"
#include "lone.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX 64u
#define TCP 7451u
#define UDP 7450u

struct bench {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	struct ela_discovery_ops ops;
	struct ela_discovery *d;
	uint8_t key[ELA_PROBE_KEY_LEN];
	struct ela_lan lans[3];
	uint32_t n_lans;
	uint16_t answers_at; /* 0: it does not */
	uint32_t known;      /* an ID of this node's ring */
	/* what it says */
	uint32_t n_said, n_quiet;
	struct ela_greeting said[SAID_MAX];
	uint64_t said_ns[SAID_MAX];
	struct ela_addr said_to[SAID_MAX];
	/* what it answers */
	uint32_t n_answers;
	struct ela_greeting answer;
	struct ela_path answer_path;
	uint32_t answer_len;
	/* whom it finds */
	uint32_t n_found;
	struct ela_addr found;
};

static struct bench *b;

static uint16_t answers(void *data, uint32_t *ret_id)
{
	ck_assert_ptr_eq(data, b);
	*ret_id = 0x01020304;
	return b->answers_at;
}

static bool knows(void *data, uint32_t id)
{
	ck_assert_ptr_eq(data, b);
	return id == b->known;
}

static void found(void *data, const struct ela_addr *addr)
{
	ck_assert_ptr_eq(data, b);
	b->n_found++;
	b->found = *addr;
}

static uint32_t list(void *data, const struct ela_lan **ret)
{
	ck_assert_ptr_eq(data, b);
	*ret = b->lans;
	return b->n_lans;
}

static int say(void *data, const struct ela_lan *lan, uint16_t port, const uint8_t *frame, uint32_t len)
{
	ck_assert_ptr_eq(data, b);
	ck_assert_uint_lt(b->n_said, SAID_MAX);
	ck_assert_uint_eq(port, UDP);
	ck_assert_int_eq(ela_greeting_parse(b->key, frame, len, &b->said[b->n_said]), 0);
	b->said_to[b->n_said] = lan->all;
	b->said_ns[b->n_said++] = ela_loop_now(b->loop);
	return 0;
}

static void quiet(void *data)
{
	ck_assert_ptr_eq(data, b);
	b->n_quiet++;
}

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	(void)l;
	if (!ela_greeting_is(bytes, len))
		return;
	ck_assert_int_eq(ela_greeting_parse(b->key, bytes, len, &b->answer), 0);
	b->answer_path = *path;
	b->answer_len = len;
	b->n_answers++;
}

static struct ela_addr ip4(uint8_t c, uint8_t d, uint16_t port)
{
	return (struct ela_addr){.ip = {192, 0, c, d}, .port = port, .family = ELA_ADDR_IP4};
}

static struct ela_addr ip6(uint8_t last, uint16_t port)
{
	return (struct ela_addr){.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = last}, .port = port, .family = ELA_ADDR_IP6};
}

static void setup(void)
{
	struct lone_spec spec = {.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 0}};

	b = calloc(1, sizeof *b);
	ck_assert_ptr_nonnull(b);
	b->world = lone_world_new(&spec, 1);
	b->loop = ela_loop_virtual_new(1);
	b->l = lone_new(b->world, 0, b->loop);
	b->l->on_send = on_send;
	b->ops = (struct ela_discovery_ops){answers, knows, found, list, say, quiet, b};
	b->d = ela_discovery_new(b->l->node, &b->ops);
	b->answers_at = TCP;
	ck_assert_int_eq(ela_probe_key(b->l->node->network_id, b->key), 0);
	b->lans[0] = (struct ela_lan){ip4(2, 1, 0), 24, 2, ip4(2, 255, 0)};
	b->lans[1] = (struct ela_lan){ip6(1, 0), 64, 2, {.ip = {0xff, 2, [15] = 1}, .scope = 2, .family = ELA_ADDR_IP6}};
	b->n_lans = 2;
	lone_look(b->l);
}

static void teardown(void)
{
	ela_discovery_free(b->d);
	ck_assert_ptr_null(b->l->node->discovery);
	lone_free(b->l);
	ela_loop_free(b->loop);
	lone_world_free(b->world);
	free(b);
}

static void make(enum ela_probe_kind kind, uint8_t nonce, uint32_t id, uint8_t ret[ELA_GREETING_LEN])
{
	struct ela_greeting greeting = {.kind = kind, .id = id, .tcp_port = 7000};

	memset(greeting.nonce, nonce, sizeof greeting.nonce);
	ck_assert_int_eq(ela_greeting_make(b->key, &greeting, ret), 0);
}

/* By the node's own socket, as it comes. */
static void hear(const struct ela_addr *from, const uint8_t *frame, uint32_t len)
{
	struct ela_path path = lone_path(2);

	path.remote = *from;
	path.local = from->family == ELA_ADDR_IP4 ? b->lans[0].own : b->lans[1].all;
	lone_receive(b->l, &path, frame, len, len, len, 0);
}

static void hello_from(const struct ela_addr *from, uint8_t nonce, uint32_t id)
{
	uint8_t frame[ELA_GREETING_LEN];

	make(ELA_PROBE_HELLO, nonce, id, frame);
	hear(from, frame, sizeof frame);
}

/* ---- the frame ---- */

START_TEST(test_frame)
{
	struct ela_greeting greeting = {.kind = ELA_PROBE_HERE, .nonce = {1, 2, 3}, .id = 0xa1b2c3d4, .tcp_port = 7450};
	struct ela_greeting back;
	struct ela_probe probe;
	uint8_t frame[ELA_GREETING_LEN + 1] = {0}, other[ELA_PROBE_KEY_LEN] = {1};

	ck_assert_int_eq(ela_greeting_make(b->key, &greeting, frame), 0);
	ck_assert(ela_greeting_is(frame, ELA_GREETING_LEN) && !ela_greeting_is(frame, ELA_HEADER_LEN));
	ck_assert_int_eq(ela_greeting_parse(b->key, frame, ELA_GREETING_LEN, &back), 0);
	ck_assert(back.kind == greeting.kind && back.id == greeting.id && back.tcp_port == greeting.tcp_port);
	ck_assert_mem_eq(back.nonce, greeting.nonce, sizeof back.nonce);
	ck_assert_int_eq(ela_greeting_parse(other, frame, ELA_GREETING_LEN, &back), -EBADMSG);
	ck_assert_int_eq(ela_greeting_parse(b->key, frame, ELA_GREETING_LEN + 1, &back), -EBADMSG);
	ck_assert_int_eq(ela_greeting_parse(b->key, frame, ELA_GREETING_LEN - 1, &back), -EBADMSG);
	ck_assert_int_eq(ela_probe_parse(b->key, frame, ELA_GREETING_LEN, &probe), -EBADMSG);
	for (uint32_t bit = 0; bit < 8 * ELA_GREETING_LEN; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(ela_greeting_parse(b->key, frame, ELA_GREETING_LEN, &back), -EBADMSG);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	greeting.tcp_port = 0;
	ck_assert_int_eq(ela_greeting_make(b->key, &greeting, frame), 0);
	ck_assert_int_eq(ela_greeting_parse(b->key, frame, ELA_GREETING_LEN, &back), -EBADMSG);
}
END_TEST

/* ---- who looks ---- */

START_TEST(test_says)
{
	ela_discovery_start(b->d, TCP, UDP);
	lone_pass(b->loop, ELA_DISCOVERY_FIRST_NS - 1);
	ck_assert_uint_eq(b->n_said, 0); /* those whom it knows answer first */
	lone_pass(b->loop, 1);
	ck_assert_uint_eq(b->n_said, 2); /* one on each LAN, the same */
	ck_assert(b->said[0].kind == ELA_PROBE_HELLO && b->said[0].id == 0 && b->said[0].tcp_port == TCP);
	ck_assert_mem_eq(&b->said[0], &b->said[1], sizeof b->said[0]);
	ck_assert_mem_eq(&b->said_to[0], &b->lans[0].all, sizeof b->said_to[0]);
	ck_assert_mem_eq(&b->said_to[1], &b->lans[1].all, sizeof b->said_to[1]);
	lone_pass(b->loop, 600 * ELA_SEC);
	ck_assert_uint_ge(b->n_said, 20);
	ck_assert_uint_le(b->n_said, 48);
	for (uint32_t i = 2; i < b->n_said; i += 2) {
		uint64_t gap = b->said_ns[i] - b->said_ns[i - 2];

		ck_assert_mem_ne(b->said[i].nonce, b->said[i - 2].nonce, ELA_PROBE_NONCE_LEN);
		ck_assert(gap >= ELA_DISCOVERY_FIRST_NS * 3 / 4 && gap <= ELA_DISCOVERY_MOST_NS);
	}
	ck_assert_uint_eq(lone_counter(b->l, "hellos-out"), b->n_said);
}
END_TEST

START_TEST(test_stops)
{
	ela_discovery_start(b->d, 0, UDP); /* nobody could call it */
	ela_discovery_start(b->d, TCP, 0);
	lone_pass(b->loop, 10 * ELA_SEC);
	ck_assert_uint_eq(b->n_said, 0);
	ela_discovery_start(b->d, TCP, UDP);
	lone_pass(b->loop, 30 * ELA_SEC);
	b->n_said = 0;
	ela_discovery_start(b->d, TCP, UDP); /* things have changed: at once, and often again */
	lone_pass(b->loop, 2 * ELA_SEC);
	ck_assert_uint_ge(b->n_said, 4);
	ela_discovery_stop(b->d);
	b->n_said = 0;
	lone_pass(b->loop, 600 * ELA_SEC);
	ck_assert_uint_eq(b->n_said, 0);
	ck_assert_uint_ge(b->n_quiet, 1);
}
END_TEST

/* The overlay is no LAN, nor is what no endpoint may be. */
START_TEST(test_not_there)
{
	b->lans[0] = (struct ela_lan){
		{.ip = {10, 88, 0, 1}, .family = ELA_ADDR_IP4}, 24, 3, {.ip = {10, 88, 0, 255}, .family = ELA_ADDR_IP4}};
	ela_discovery_start(b->d, TCP, UDP);
	lone_pass(b->loop, 2 * ELA_SEC);
	ck_assert_uint_eq(b->n_said, 1);
	ck_assert_uint_eq(b->said_to[0].family, ELA_ADDR_IP6);
}
END_TEST

START_TEST(test_finds)
{
	const struct ela_addr from = ip4(2, 7, 7450), far = ip4(3, 7, 7450), own = ip4(2, 1, 7450);
	struct ela_addr to = ip4(2, 7, 7000);
	uint8_t frame[ELA_GREETING_LEN];
	struct ela_greeting here = {.kind = ELA_PROBE_HERE, .id = 5, .tcp_port = 7000};

	ela_discovery_start(b->d, TCP, UDP);
	lone_pass(b->loop, ELA_DISCOVERY_FIRST_NS);
	memcpy(here.nonce, b->said[0].nonce, sizeof here.nonce);
	ck_assert_int_eq(ela_greeting_make(b->key, &here, frame), 0);
	ela_discovery_answer(b->d, &far, frame, sizeof frame); /* who is on no LAN cannot have heard it */
	ela_discovery_answer(b->d, &own, frame, sizeof frame);
	ck_assert_uint_eq(b->n_found, 0);
	ela_discovery_answer(b->d, &from, frame, sizeof frame);
	ck_assert_uint_eq(b->n_found, 1);
	ck_assert_mem_eq(&b->found, &to, sizeof to); /* by TCP, where it says */
	b->known = 5;
	ela_discovery_answer(b->d, &from, frame, sizeof frame); /* of this node's own ring */
	ck_assert_uint_eq(b->n_found, 1);
	b->known = 0;
	make(ELA_PROBE_HERE, 9, 5, frame); /* to a hello that it never said */
	ela_discovery_answer(b->d, &from, frame, sizeof frame);
	make(ELA_PROBE_HELLO, 9, 5, frame); /* and what is none */
	ela_discovery_answer(b->d, &from, frame, sizeof frame);
	ck_assert_uint_eq(b->n_found, 1);
	ck_assert_int_eq(ela_greeting_make(b->key, &here, frame), 0);
	for (uint32_t i = 0; i < 10; i++)
		ela_discovery_answer(b->d, &from, frame, sizeof frame);
	ck_assert_uint_eq(b->n_found, ELA_DISCOVERY_FOUND);
	ck_assert_uint_eq(b->n_found, ELA_DISCOVERY_FOUND);
	ck_assert_uint_eq(lone_counter(b->l, "drop-hello"), 2 + 10 + 1 - ELA_DISCOVERY_FOUND + 2);
	ela_discovery_stop(b->d);
	ck_assert_int_eq(ela_greeting_make(b->key, &here, frame), 0);
	ela_discovery_answer(b->d, &from, frame, sizeof frame); /* it looks no more */
	ck_assert_uint_eq(b->n_found, ELA_DISCOVERY_FOUND);
}
END_TEST

/* A node in a ring asks once, under its ID, and stops listening. */
START_TEST(test_once)
{
	uint32_t n_quiet = b->n_quiet;

	ela_discovery_once(b->d, 77, TCP, UDP);
	ck_assert_uint_eq(b->n_said, 2);
	ck_assert_uint_eq(b->said[0].id, 77);
	lone_pass(b->loop, ELA_DISCOVERY_WAIT_NS - 1);
	ck_assert_uint_eq(b->n_quiet, n_quiet);
	lone_pass(b->loop, 600 * ELA_SEC);
	ck_assert_uint_eq(b->n_said, 2);
	ck_assert_uint_eq(b->n_quiet, n_quiet + 1);
	ela_discovery_start(b->d, TCP, UDP);
	lone_pass(b->loop, 2 * ELA_SEC);
	ck_assert_uint_eq(b->said[2].id, 0);
	b->n_said = 0;
	ela_discovery_once(b->d, 77, TCP, UDP); /* it says hellos anyway */
	ck_assert_uint_eq(b->n_said, 0);
}
END_TEST

/* ---- who is there ---- */

START_TEST(test_answers)
{
	const struct ela_addr from = ip4(2, 9, 45000), from6 = ip6(9, 45000);

	hello_from(&from, 3, 0);
	ck_assert_uint_eq(b->n_answers, 1);
	ck_assert(b->answer.kind == ELA_PROBE_HERE && b->answer.tcp_port == TCP && b->answer.id == 0x01020304);
	ck_assert_uint_eq(b->answer.nonce[15], 3);
	ck_assert_uint_eq(b->answer_len, ELA_GREETING_LEN); /* as many bytes as came */
	ck_assert_mem_eq(&b->answer_path.remote, &from, sizeof from);
	hello_from(&from6, 4, 0);
	ck_assert_uint_eq(b->n_answers, 2);
	ck_assert_mem_eq(&b->answer_path.remote, &from6, sizeof from6);
	ck_assert_uint_eq(b->answer_path.local.family, ELA_ADDR_NONE); /* ff02::1 is nobody's source */
	ck_assert_uint_eq(lone_counter(b->l, "hellos-answered"), 2);
	ck_assert_uint_eq(lone_counter(b->l, "stranger-bytes-out"), lone_counter(b->l, "stranger-bytes-in"));
}
END_TEST

START_TEST(test_silent)
{
	const struct ela_addr from = ip4(2, 9, 45000), far = ip4(3, 9, 45000), own = ip4(2, 1, 45000),
						  broadcast = ip4(2, 255, 45000);
	uint8_t frame[ELA_GREETING_LEN];

	hello_from(&far, 3, 0); /* from another network: somebody forged a source, or a router lets it through */
	hello_from(&own, 3, 0);
	hello_from(&broadcast, 3, 0);
	make(ELA_PROBE_HELLO, 3, 0, frame);
	frame[ELA_GREETING_LEN - 1] ^= 1;
	hear(&from, frame, sizeof frame);
	make(ELA_PROBE_HERE, 3, 0, frame);
	hear(&from, frame, sizeof frame);
	ck_assert_uint_eq(b->n_answers, 0);
	ck_assert_uint_eq(lone_counter(b->l, "drop-hello"), 5);
	b->known = 42;
	hello_from(&from, 3, 42); /* it is in this ring */
	b->answers_at = 0;
	hello_from(&from, 4, 0); /* nothing could be said */
	ck_assert_uint_eq(b->n_answers, 0);
	b->answers_at = TCP;
	hello_from(&from, 5, 41);
	ck_assert_uint_eq(b->n_answers, 1);
	ck_assert_uint_eq(lone_counter(b->l, "drop-hello"), 5);
}
END_TEST

/* What was said comes back to who said it. */
START_TEST(test_own_hello)
{
	const struct ela_addr from = ip4(2, 9, 45000);
	uint8_t frame[ELA_GREETING_LEN];

	ela_discovery_start(b->d, TCP, UDP);
	lone_pass(b->loop, ELA_DISCOVERY_FIRST_NS);
	ck_assert_int_eq(ela_greeting_make(b->key, &b->said[0], frame), 0);
	hear(&from, frame, sizeof frame);
	ck_assert_uint_eq(b->n_answers, 0);
	ck_assert_uint_eq(lone_counter(b->l, "stranger-bytes-in"), 0);
}
END_TEST

START_TEST(test_limits)
{
	const struct ela_addr from = ip4(2, 9, 45000), again = ip4(2, 9, 45001);
	struct ela_addr other;

	hello_from(&from, 3, 0);
	hello_from(&from, 4, 0);
	hello_from(&again, 5, 0); /* another port is nobody else */
	ck_assert_uint_eq(b->n_answers, 1);
	ck_assert_uint_eq(lone_counter(b->l, "drop-hello-rate"), 2);
	lone_pass(b->loop, ELA_DISCOVERY_AGAIN_NS);
	hello_from(&from, 4, 0);
	ck_assert_uint_eq(b->n_answers, 2);
	lone_pass(b->loop, 2 * ELA_SEC);
	b->n_answers = 0;
	for (uint8_t k = 20; k < 220; k++) {
		other = ip4(2, k, 45000);
		hello_from(&other, k, 0);
	}
	ck_assert_uint_eq(b->n_answers, ELA_DISCOVERY_ANSWERS);
	lone_pass(b->loop, ELA_SEC / 2);
	for (uint8_t k = 20; k < 220; k++) {
		other = ip4(2, k, 45000);
		hello_from(&other, k, 0);
	}
	ck_assert_uint_eq(b->n_answers, ELA_DISCOVERY_ANSWERS + ELA_DISCOVERY_ANSWERS / 2);
}
END_TEST

/* ---- LANs ---- */

START_TEST(test_lans)
{
	const struct {
		struct ela_addr addr;
		bool has;
	} rows[] = {
		{ip4(2, 7, 1), true},
		{ip4(2, 1, 1), false},   /* this machine */
		{ip4(2, 255, 1), false}, /* everybody */
		{ip4(3, 7, 1), false},
		{ip6(7, 1), true},
		{ip6(1, 1), false},
		{{.ip = {0x20, 0x01, 0x0d, 0xb8, [7] = 1, [15] = 7}, .port = 1, .family = ELA_ADDR_IP6}, false},
		{{.family = ELA_ADDR_NONE}, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_msg(ela_lans_has(b->lans, 2, &rows[i].addr) == rows[i].has, "row %zu", i);
	ck_assert(!ela_lans_has(b->lans, 0, &rows[0].addr));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("discovery");
	TCase *tc = tcase_create("discovery");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_frame);
	tcase_add_test(tc, test_says);
	tcase_add_test(tc, test_stops);
	tcase_add_test(tc, test_not_there);
	tcase_add_test(tc, test_finds);
	tcase_add_test(tc, test_once);
	tcase_add_test(tc, test_answers);
	tcase_add_test(tc, test_silent);
	tcase_add_test(tc, test_own_hello);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_lans);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
