/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-uplink: what the kernel tells of this machine's addresses and routes, in a network namespace: news are told, but
 * not of elad's own device, and not all the time. One thread.
 */
#include "test-netns.h"
#include "uplink.h"

#include <check.h>
#include <glib.h>
#include <stdlib.h>
#include <unistd.h>

static struct ela_loop *loop;
static struct ela_uplink *uplink;
static int own, other; /* devices */
static uint32_t told;

static void on_changed(void *data)
{
	*(uint32_t *)data += 1;
}

/* Addresses that a device gets by itself would come at any moment. */
static void no_ipv6(void)
{
	ck_assert_int_eq(system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"), 0);
}

static void setup(void)
{
	no_ipv6();
	own = test_netns_tap("own0", "10.77.0.1", "255.255.255.0");
	other = test_netns_tap("other0", "10.99.0.1", "255.255.255.0");
	loop = ela_loop_glib_new();
	told = 0;
	ck_assert_int_eq(ela_uplink_new(loop, "own0", on_changed, &told, &uplink), 0);
}

static void teardown(void)
{
	ela_uplink_free(uplink);
	ela_loop_free(loop);
	(void)close(own);
	(void)close(other);
}

/* Until it was told so often, or for so long. */
static void run(uint32_t until, uint64_t ns)
{
	uint64_t end_ns = ela_loop_now(loop) + ns;

	while (told < until && ela_loop_now(loop) < end_ns) {
		(void)g_main_context_iteration(NULL, FALSE);
		(void)g_usleep(1000);
	}
}

START_TEST(addresses)
{
	run(1, 200 * ELA_MSEC);
	ck_assert_uint_eq(told, 0); /* what was before is no news */
	test_netns_add4("own0", "10.77.0.2", "255.255.255.0");
	run(1, 200 * ELA_MSEC);
	ck_assert_uint_eq(told, 0);
	test_netns_add4("other0", "10.99.0.2", "255.255.255.0");
	run(1, 5 * ELA_SEC);
	ck_assert_uint_eq(told, 1);
	run(2, 200 * ELA_MSEC);
	ck_assert_uint_eq(told, 1); /* routes and all: one word */
}
END_TEST

/* However much happens it is told once in a while; after its end nothing is. */
START_TEST(often)
{
	uint64_t first_ns;

	test_netns_add4("other0", "10.99.0.2", "255.255.255.0");
	run(1, 5 * ELA_SEC);
	first_ns = ela_loop_now(loop);
	for (uint32_t i = 0; i < 4; i++) {
		test_netns_add4("other0", i % 2 ? "10.99.0.3" : "10.98.0.3", "255.255.255.0");
		run(2, 100 * ELA_MSEC);
	}
	ck_assert_uint_eq(told, 1);
	run(2, 20 * ELA_SEC);
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_ge(ela_loop_now(loop) - first_ns, ELA_UPLINK_REST_NS - 100 * ELA_MSEC);
	test_netns_add4("other0", "10.99.0.4", "255.255.255.0");
	g_clear_pointer(&uplink, ela_uplink_free);
	run(3, 200 * ELA_MSEC);
	ck_assert_uint_eq(told, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uplink");
	TCase *tc = tcase_create("news");
	SRunner *runner = srunner_create(suite);
	int failed;

	test_netns_enter();
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, addresses);
	tcase_add_test(tc, often);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
