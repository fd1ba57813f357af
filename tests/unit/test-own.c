/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-own: a node whose addresses change while it runs (lone.h): the device's, the ID that frames must name, what
 * lanes answer and copy as, what is said of it; and that a change the device refuses has not happened.
 */
#include "own.h"

#include "crypto.h"
#include "inet.h"
#include "lone.h"
#include "tell.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX 0x01020304u

static struct {
	struct lone_world *world;
	struct ela_loop *loop;
	struct lone *l;
	struct ela_session *far_end;
	uint64_t sequence;
	char *texts; /* what the device was given last */
	uint32_t n_given, n_written, n_sent;
	int refusal;
} bench;

static int on_addresses(struct lone *l, const char *const *texts, uint32_t n)
{
	(void)l;
	g_free(bench.texts);
	bench.texts = g_strjoinv(" ", (char **)(uintptr_t)texts);
	ck_assert_uint_eq(g_strv_length((char **)(uintptr_t)texts), n);
	bench.n_given++;
	return bench.refusal;
}

static int on_write(struct lone *l, const struct ela_packet *pkt)
{
	(void)l, (void)pkt;
	bench.n_written++;
	return 0;
}

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	(void)l, (void)path, (void)bytes, (void)len;
	bench.n_sent++;
}

static void setup(void)
{
	struct lone_spec spec = {.cipher = test_plugin_load(CIPHER_AEAD), .number = 1, .knows = (const uint8_t[]){2, 0}};

	memset(&bench, 0, sizeof bench);
	bench.world = lone_world_new(&spec, 1);
	bench.loop = ela_loop_virtual_new(1);
	bench.l = lone_new(bench.world, 0, bench.loop);
	bench.l->on_addresses = on_addresses;
	bench.l->on_write = on_write;
	bench.l->on_send = on_send;
	(void)lone_session(bench.l, 2, INDEX, 9, 1, 7);
	bench.far_end = lone_far_end(bench.l, 2, INDEX, 9, 1, 7);
}

static void teardown(void)
{
	ela_session_free(bench.far_end);
	lone_free(bench.l);
	ela_loop_free(bench.loop);
	lone_world_free(bench.world);
	g_free(bench.texts);
}

static struct ela_prefix prefix(const char *text)
{
	struct ela_prefix p;

	ck_assert_int_eq(ela_inet_prefix(text, &p), 0);
	return p;
}

static int take(const char *ip4, const char *ip6)
{
	struct ela_prefix p4 = {0}, p6 = {0};

	if (ip4)
		p4 = prefix(ip4);
	if (ip6)
		p6 = prefix(ip6);
	return ela_own_take(bench.l->node, ip4 ? &p4 : NULL, ip6 ? &p6 : NULL);
}

static uint32_t id_of(const char *ip4)
{
	struct ela_addr addr;
	uint32_t id;

	ck_assert_int_eq(ela_inet_addr(ip4, &addr), 0);
	ck_assert_int_eq(ela_node_id(bench.l->node->network_id, addr.ip, &id), 0);
	return id;
}

/* Does a frame of node 2 that names id arrive at the device? */
static bool arrives(uint32_t id)
{
	static const uint8_t packet[28] = {0x45, [3] = 28, [8] = 64, [9] = 17, [12] = 10, 88, 0, 2, 10, 88, 0, 9, [25] = 8};
	const struct ela_path path = lone_path(2);
	uint8_t plain[28], frame[128];
	uint32_t len, before = bench.n_written;

	memcpy(plain, packet, sizeof plain);
	ela_put16(plain + 10, (uint16_t)~0xa5b3);
	len = lone_seal(bench.far_end, 0, ++bench.sequence, 0, plain, sizeof plain, frame);
	ela_put32(frame + 4, id);
	lone_receive(bench.l, &path, frame, len, len, len, 0);
	return bench.n_written == before + 1;
}

START_TEST(as_configured)
{
	ck_assert_uint_eq(ela_own_id(bench.l->node), id_of("10.88.0.1"));
	ck_assert(arrives(id_of("10.88.0.1")));
	ck_assert(arrives(0));
	ck_assert(!arrives(id_of("10.88.0.7")));
	ck_assert_uint_eq(lone_counter(bench.l, "drop-destination"), 1);
	ck_assert_uint_eq(bench.n_given, 0); /* opened with them */
}
END_TEST

START_TEST(changes)
{
	g_autofree char *described = NULL;

	ck_assert_int_eq(take("10.88.0.7/24", "fd88::7/64"), 0);
	ck_assert_str_eq(bench.texts, "10.88.0.7/24 fd88::7/64");
	ck_assert(arrives(id_of("10.88.0.7")));
	ck_assert(arrives(0));
	ck_assert(!arrives(id_of("10.88.0.1")));
	ck_assert_mem_eq(ela_own(bench.l->node)->broadcast4, ((const uint8_t[]){10, 88, 0, 255}), 4);
	described = ela_node_describe(bench.l->node);
	ck_assert_ptr_nonnull(strstr(described, " address=10.88.0.7/24 "));
	/* another prefix length alone: the same ID, another broadcast address */
	ck_assert_int_eq(take("10.88.0.7/25", NULL), 0);
	ck_assert_str_eq(bench.texts, "10.88.0.7/25");
	ck_assert_mem_eq(ela_own(bench.l->node)->broadcast4, ((const uint8_t[]){10, 88, 0, 127}), 4);
	ck_assert(arrives(id_of("10.88.0.7")));
}
END_TEST

START_TEST(none)
{
	g_autofree char *described = NULL;
	GString *text;

	ck_assert_int_eq(take(NULL, NULL), 0);
	ck_assert_str_eq(bench.texts, "");
	ck_assert_uint_eq(ela_own_id(bench.l->node), 0);
	ck_assert(arrives(0)); /* the neighbour that admits it says "you" */
	ck_assert(!arrives(id_of("10.88.0.1")));
	ck_assert(!arrives(0xffffffff));
	described = ela_node_describe(bench.l->node);
	ck_assert_ptr_nonnull(strstr(described, " address=none "));
	text = g_string_new(NULL);
	ela_tell_node(bench.l->node, text);
	ck_assert_ptr_nonnull(strstr(text->str, "\"address\":null,\"address6\":null,\"id\":null"));
	ck_assert_ptr_nonnull(strstr(text->str, "\"prefix\":null"));
	(void)g_string_free(text, TRUE);
	ck_assert_int_eq(take("10.88.0.9/24", NULL), 0);
	ck_assert(arrives(id_of("10.88.0.9")));
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *ip4, *ip6;
	} bad[] = {{"10.88.0.0/24", NULL}, {"10.88.0.255/24", NULL}, {"10.88.0.127/25", NULL}, {NULL, "fd88::1/64"},
		{"fd88::1/64", NULL}, {"10.88.0.7/24", "10.88.0.8/24"}};
	const struct ela_own *before = ela_own(bench.l->node);

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		ck_assert_msg(take(bad[i].ip4, bad[i].ip6) == -EINVAL, "row %zu", i);
		ck_assert_uint_eq(bench.n_given, 0);
		ck_assert_ptr_eq(ela_own(bench.l->node), before);
	}
	bench.refusal = -EADDRINUSE;
	ck_assert_int_eq(take("10.88.0.7/24", NULL), -EADDRINUSE);
	ck_assert_ptr_eq(ela_own(bench.l->node), before);
	ck_assert(arrives(id_of("10.88.0.1")));
	ck_assert(!arrives(id_of("10.88.0.7")));
}
END_TEST

/* What a lane still reads is not freed under it: the old one waits for the lane's next turn. */
START_TEST(retired)
{
	const struct ela_own *old = ela_own(bench.l->node);

	bench.l->node->lanes[0]->own = old;
	ela_qsbr_online(&bench.l->node->qsbr, 0);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(take(i % 2 ? "10.88.0.7/24" : "10.88.0.8/24", NULL), 0);
	(void)ela_qsbr_poll(&bench.l->node->qsbr);
	ck_assert_uint_eq(old->id, id_of("10.88.0.1"));
	ela_qsbr_offline(&bench.l->node->qsbr, 0);
	ck_assert(!ela_qsbr_poll(&bench.l->node->qsbr));
}
END_TEST

static bool may_lead_to(const char *text)
{
	struct ela_addr addr;

	ck_assert_int_eq(ela_inet_addr(text, &addr), 0);
	addr.port = 7450;
	return ela_addr_allowed(bench.l->node, &addr);
}

/* No path leads through the overlay itself: where that is follows from the node's own addresses, not from ela.ini. */
START_TEST(not_through_itself)
{
	ck_assert(!may_lead_to("10.88.0.9") && !may_lead_to("fd88::9"));
	ck_assert(may_lead_to("10.99.0.9") && may_lead_to("fd99::9"));
	ck_assert_int_eq(take("10.99.0.1/24", "fd99::1/64"), 0);
	ck_assert(!may_lead_to("10.99.0.9") && !may_lead_to("fd99::9"));
	ck_assert(may_lead_to("10.88.0.9") && may_lead_to("fd88::9"));
	ck_assert_int_eq(take(NULL, NULL), 0);
	ck_assert(may_lead_to("10.99.0.9") && may_lead_to("fd99::9"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("own");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, as_configured);
	tcase_add_test(all, changes);
	tcase_add_test(all, none);
	tcase_add_test(all, refused);
	tcase_add_test(all, retired);
	tcase_add_test(all, not_through_itself);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
