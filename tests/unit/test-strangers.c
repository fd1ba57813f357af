/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-strangers: what one who has no key may make a node do, and what one may who has (lone.h): control never works
 * for one connection alone, nobody is answered more than he sent, nothing that was said before is believed again.
 */
#include "lane.h"
#include "link.h"
#include "lone.h"
#include "own.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 1000u /* records that control may take from a stranger at the very most */

struct bench {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	/* a stream that never ends: this record, again and again */
	uint8_t record[ELA_RECORD_HEAD + ELA_STREAM_MAX_STRANGER];
	uint32_t record_len, at;
	uint64_t n_records, n_written;
};

static struct bench *bench;

static void setup(void)
{
	struct lone_spec spec = {.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 0}};

	bench = calloc(1, sizeof *bench);
	ck_assert_ptr_nonnull(bench);
	bench->world = lone_world_new(&spec, 1);
	bench->loop = ela_loop_virtual_new(1);
	bench->l = lone_new(bench->world, 0, bench->loop);
	bench->l->data = bench;
	lone_look(bench->l);
}

static void teardown(void)
{
	lone_free(bench->l);
	ela_loop_free(bench->loop);
	lone_world_free(bench->world);
	free(bench);
}

/* ---- streams ---- */

static int endless(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err)
{
	struct bench *b = conn->l->data;

	if (b->n_records >= ENOUGH) { /* else the test would not end */
		*ret_err = -EPIPE;
		return 0;
	}
	len = MIN(len, b->record_len - b->at);
	memcpy(buf, b->record + b->at, len);
	b->at += len;
	if (b->at == b->record_len) {
		b->at = 0;
		b->n_records++;
	}
	return (int)len;
}

static int count_written(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	struct bench *b = conn->l->data;

	(void)buf, (void)ret_err;
	b->n_written += len;
	return (int)len;
}

/* A handshake message of len bytes in all, its mac1 good. */
static void fill_record(uint8_t kind, uint32_t len, uint32_t index)
{
	uint8_t *message = bench->record + ELA_RECORD_HEAD;

	memset(bench->record, 0, sizeof bench->record);
	ela_record_put(bench->record, ELA_RECORD_FRAME, len);
	ela_handshake_head(message, (enum ela_handshake_kind)kind, ela_own_id(bench->l->node), 1, 2, index);
	if (kind != ELA_HANDSHAKE_COOKIE)
		ck_assert_uint_eq(ela_handshake_mac(message, len - ELA_HANDSHAKE_MACS, bench->l->node->mac1_key, NULL), len);
	bench->record_len = ELA_RECORD_HEAD + len;
}

static uint64_t stream_counter(const char *name)
{
	return lone_counter(bench->l, name);
}

/* A stranger's connection that never runs dry: it is closed after a few records, in silence. */
static void pour(uint8_t kind, uint32_t len)
{
	struct ela_node *node = bench->l->node;

	fill_record(kind, len, 77);
	bench->n_records = bench->at = 0;
	bench->l->on_conn_read = endless;
	bench->l->on_conn_write = count_written;
	ck_assert_ptr_nonnull(lone_accept(bench->l, 66, NULL));
	ck_assert_uint_eq(node->links->len, 1);
	(void)ela_link_poll_greeting(g_ptr_array_index(node->links, 0)); /* what the descriptor's readiness starts */
	ck_assert_msg(
		bench->n_records <= 16, "kind %u: control took %u records in one go", kind, (unsigned)bench->n_records);
	for (int i = 0; i < 100 && node->links->len; i++)
		(void)ela_node_turn(node);
	ck_assert_msg(node->links->len == 0, "kind %u: still connected", kind);
	ck_assert_msg(bench->n_records <= 16, "kind %u: control took %u records", kind, (unsigned)bench->n_records);
	lone_pass(bench->loop, ELA_SEC);
	ck_assert_uint_eq(bench->n_written, 0);
}

START_TEST(endless_stream)
{
	pour(ELA_HANDSHAKE_COOKIE, ELA_HANDSHAKE_COOKIE_LEN);
	pour(ELA_HANDSHAKE_ANSWER, 160);
	pour(ELA_HANDSHAKE_INIT, 160);
	ck_assert_uint_eq(stream_counter("drop-stream"), 3);
	ck_assert_uint_eq(stream_counter("streams-closed"), 3);
}
END_TEST

/* ---- datagrams ---- */

/* Rubbish that looks like handshakes fills the way to control: what peers say still gets through. */
START_TEST(rubbish_in_front)
{
	enum { SIZE = 128, COUNT = 400 };
	static uint8_t train[SIZE * COUNT + 64];
	const struct ela_path path = lone_path(66), home = lone_path(2);
	struct ela_session *far_end;
	uint32_t len;

	(void)lone_session(bench->l, 2, 0x01020304, 0x05060708, 1, 50);
	far_end = lone_far_end(bench->l, 2, 0x01020304, 0x05060708, 1, 50);
	lone_look(bench->l);
	for (uint32_t i = 0; i < COUNT; i++)
		ela_handshake_head(train + i * SIZE, ELA_HANDSHAKE_INIT, ela_own_id(bench->l->node), i + 1, 2, 0);
	len = ela_session_seal_control(far_end, NULL, 0, train + SIZE * COUNT);
	ck_assert_uint_eq(len, ELA_FRAME_MIN);
	lone_receive(bench->l, &path, train, SIZE * COUNT + len, SIZE * COUNT + len, SIZE, 0);
	ck_assert_uint_eq(lone_counter(bench->l, "frames-in"), 1);
	ck_assert_uint_eq(lone_counter(bench->l, "drop-mac1") + lone_counter(bench->l, "drop-control-full"), COUNT);
	ck_assert_uint_ge(lone_counter(bench->l, "drop-mac1"), 128); /* handshakes have most of it all the same */
	len = ela_session_seal_control(far_end, NULL, 0, train);
	lone_receive(bench->l, &home, train, len, len, len, 0);
	ck_assert_uint_eq(lone_counter(bench->l, "frames-in"), 2);
	ela_session_free(far_end);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("strangers");
	TCase *streams = tcase_create("streams"), *datagrams = tcase_create("datagrams");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(streams, setup, teardown);
	suite_add_tcase(suite, streams);
	tcase_add_test(streams, endless_stream);
	tcase_add_checked_fixture(datagrams, setup, teardown);
	suite_add_tcase(suite, datagrams);
	tcase_add_test(datagrams, rubbish_in_front);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
