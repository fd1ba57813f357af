/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-names: endpoints that are names, asked again each round of tries, and what the log says to a person of peers
 * that are not reached, not known, known otherwise, or reached again (lone.h). The resolver is the test's: these
 * functions stand in for core/resolve.c. Node 1 calls node 2 by name; node 3 calls node 2, which does not know it.
 */
#include "keys.h"
#include "lone.h"
#include "resolve.h"
#include "test-host.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N 3u

static struct {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *nodes[N + 1];
	struct ela_path to[N + 1]; /* of what was said last */
	uint8_t said[N + 1][ELA_DATAGRAM_MAX_CONTROL];
	uint32_t said_len[N + 1], n_said[N + 1];
	char last[N + 1][512]; /* line of the log */
	uint32_t n_logged[N + 1];

	ela_resolve_done done; /* the one lookup under way, or NULL */
	void *done_data;
	uint32_t n_lookups;
} bench;

/* ---- the resolver ---- */

struct ela_resolver *ela_resolver_new(struct ela_loop *loop)
{
	return (struct ela_resolver *)(void *)loop;
}

void ela_resolver_free(struct ela_resolver *resolver)
{
	(void)resolver;
}

struct ela_lookup *ela_resolver_start(
	struct ela_resolver *resolver, const char *host, uint16_t port, ela_resolve_done done, void *data)
{
	(void)resolver;
	ck_assert_str_eq(host, "two.example");
	ck_assert_uint_eq(port, 7450);
	ck_assert_msg(!bench.done, "asked while the answer was still due");
	bench.done = done;
	bench.done_data = data;
	bench.n_lookups++;
	return (struct ela_lookup *)(void *)&bench.done;
}

void ela_lookup_cancel(struct ela_lookup *lookup)
{
	if (lookup)
		bench.done = NULL;
}

/* The name is node k's now; 0: it has no address. */
static void answer(uint32_t k)
{
	ela_resolve_done done = bench.done;
	struct ela_addr addr = lone_addr(k);

	ck_assert(done);
	bench.done = NULL;
	done(bench.done_data, &addr, k != 0, k ? NULL : "no such host");
}

/* ---- nodes ---- */

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	ck_assert_uint_le(len, ELA_DATAGRAM_MAX_CONTROL);
	bench.to[l->number] = *path;
	bench.said_len[l->number] = len;
	memcpy(bench.said[l->number], bytes, len);
	bench.n_said[l->number]++;
}

static void on_log(struct lone *l, const char *line)
{
	(void)g_strlcpy(bench.last[l->number], line, sizeof bench.last[0]);
	bench.n_logged[l->number]++;
}

static void setup(void)
{
	const struct ela_plugin *cipher = test_plugin_load(CIPHER_AEAD);
	const struct lone_spec specs[N] = {
		{.cipher = cipher, .number = 1, .knows = (const uint8_t[]){2, 0}, .dials = true, .host = "two.example"},
		{.cipher = cipher, .number = 2, .knows = (const uint8_t[]){1, 0}},
		{.cipher = cipher, .number = 3, .knows = (const uint8_t[]){2, 0}, .dials = true},
	};

	memset(&bench, 0, sizeof bench);
	bench.world = lone_world_new(specs, N);
	bench.loop = ela_loop_virtual_new(5);
	for (uint32_t i = 0; i < N; i++) {
		struct lone *l = bench.nodes[i + 1] = lone_new(bench.world, i, bench.loop);

		l->on_send = on_send;
		l->on_log = on_log;
		ela_log_set_level(l->node->log, ELA_LOG_INFO);
	}
	ela_initiator_cancel(lone_peer(bench.nodes[3], 2));
	bench.nodes[1]->node->resolver = ela_resolver_new(bench.loop);
}

static void teardown(void)
{
	for (uint32_t i = 1; i <= N; i++)
		lone_free(bench.nodes[i]);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
}

/* Brings what node from said last to node to, from node as's address. */
static void bring(uint32_t from, uint32_t to, uint32_t as)
{
	const struct ela_path path = lone_path(as);

	lone_receive(
		bench.nodes[to], &path, bench.said[from], bench.said_len[from], bench.said_len[from], bench.said_len[from], 0);
}

static void assert_said_to(uint32_t k)
{
	struct ela_addr want = lone_addr(k);

	ck_assert_mem_eq(&bench.to[1].remote, &want, sizeof want);
}

/* Node 1 asks for the name within the seconds. */
static void wait_for_lookup(uint32_t seconds)
{
	uint32_t before = bench.n_lookups;

	for (uint32_t i = 0; i < 10 * seconds && bench.n_lookups == before; i++)
		lone_pass(bench.loop, 100 * ELA_MSEC);
	ck_assert_uint_eq(bench.n_lookups, before + 1);
}

static void connect_1_and_2(uint32_t as)
{
	ela_initiate(lone_peer(bench.nodes[1], 2));
	if (bench.done)
		answer(2);
	bring(1, 2, as);
	bring(2, 1, 2);
	bring(1, 2, as);
	ck_assert_ptr_nonnull(lone_peer(bench.nodes[2], 1)->current);
}

/* ---- names ---- */

START_TEST(asked_again)
{
	wait_for_lookup(10);
	ck_assert_uint_eq(bench.n_said[1], 0);
	answer(2);
	ck_assert_uint_ge(bench.n_said[1], 1);
	assert_said_to(2);
	for (uint32_t i = 0; i < 3; i++) { /* nobody answers: each round of tries asks whether it moved */
		wait_for_lookup(300);
		answer(2);
		assert_said_to(2);
	}
	wait_for_lookup(300);
	answer(3);
	assert_said_to(3);
	wait_for_lookup(300);
	answer(0); /* what it was before stays */
	ck_assert_ptr_nonnull(strstr(bench.last[1], "unresolved peer=n2 endpoint=two.example reason=\"no such host\""));
	bench.n_said[1] = 0;
	wait_for_lookup(300);
	ck_assert_uint_ge(bench.n_said[1], 1);
	assert_said_to(3);
}
END_TEST

/* A name unknown at first is known later; one lookup at a time however slow the answer is. */
START_TEST(known_later)
{
	wait_for_lookup(10);
	lone_pass(bench.loop, 120 * ELA_SEC);
	ck_assert_uint_eq(bench.n_lookups, 1);
	answer(0);
	ck_assert_uint_eq(bench.n_said[1], 0);
	wait_for_lookup(300);
	answer(2);
	ck_assert_uint_eq(bench.n_said[1], 1);
	assert_said_to(2);
}
END_TEST

/* ---- the log ---- */

START_TEST(says_no_answer)
{
	wait_for_lookup(10);
	answer(2);
	bench.n_logged[1] = 0;
	lone_pass(bench.loop, 60 * ELA_SEC);
	ck_assert_uint_eq(bench.n_logged[1], 1);
	ck_assert_ptr_nonnull(strstr(bench.last[1], "info session: no-answer peer=n2 tried=1 remedy="));
	lone_pass(bench.loop, 600 * ELA_SEC);
	ck_assert_uint_eq(bench.n_logged[1], 1); /* once each time that nobody is reached */
}
END_TEST

START_TEST(says_unknown_key)
{
	uint8_t private_key[ELA_KEY_LEN], key[ELA_KEY_LEN];
	char text[ELA_KEY_TEXT];

	lone_key(3, private_key, key);
	ela_key_encode(key, text);
	ela_initiate(lone_peer(bench.nodes[3], 2));
	bring(3, 2, 3);
	ck_assert_ptr_nonnull(strstr(bench.last[2], "warn session: unknown-key key="));
	ck_assert_ptr_nonnull(strstr(bench.last[2], text));
	ck_assert_ptr_nonnull(
		strstr(bench.last[2], "remote=192.0.2.3:7450 remedy=\"a [peer] section with this public-key"));
}
END_TEST

START_TEST(says_other_address)
{
	lone_peer(bench.nodes[2], 1)->id ^= 1; /* its section here has another address than its [node] section there */
	wait_for_lookup(10);
	answer(2);
	bring(1, 2, 1);
	ck_assert_ptr_nonnull(strstr(bench.last[2], "warn session: other-address peer=n1 remote=192.0.2.1:7450 remedy="));
	ck_assert_uint_eq(bench.n_said[2], 0);
}
END_TEST

START_TEST(says_again)
{
	connect_1_and_2(1);
	ck_assert_ptr_nonnull(strstr(bench.last[2], "info session: up peer=n1 transport=datagram remote=192.0.2.1:7450"));
	bench.n_logged[2] = 0;
	lone_pass(bench.loop, 300 * ELA_MSEC); /* nobody is silent yet */
	connect_1_and_2(1);                    /* new keys on the same way: nobody wants to read that */
	ck_assert_uint_eq(bench.n_logged[2], 0);
	lone_pass(bench.loop, 300 * ELA_MSEC);
	connect_1_and_2(9);
	ck_assert_uint_eq(bench.n_logged[2], 1);
	ck_assert_ptr_nonnull(
		strstr(bench.last[2], "info session: again peer=n1 transport=datagram remote=192.0.2.9:7450"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, asked_again);
	tcase_add_test(all, known_later);
	tcase_add_test(all, says_no_answer);
	tcase_add_test(all, says_unknown_key);
	tcase_add_test(all, says_other_address);
	tcase_add_test(all, says_again);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
