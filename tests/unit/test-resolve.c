/* SPDX-License-Identifier: Apache-2.0 */
/* Name lookups that need no network: literals, /etc/hosts, a name that cannot exist, and answers that must not come. */
#include "loop.h"
#include "resolve.h"

#include <check.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PORT 7450u

static struct ela_loop *loop;

static void setup(void)
{
	loop = ela_loop_glib_new();
}

static void teardown(void)
{
	ela_loop_free(loop);
}

struct answer {
	struct ela_addr addrs[ELA_RESOLVE_MAX];
	uint32_t n;
	char *reason;
	uint32_t times;
	struct ela_resolver *free_this; /* from inside the answer */
};

static void on_answer(void *data, const struct ela_addr *addrs, uint32_t n, const char *reason)
{
	struct answer *answer = data;

	ck_assert_uint_le(n, ELA_RESOLVE_MAX);
	ck_assert_int_eq(n == 0, reason != NULL);
	memcpy(answer->addrs, addrs, n * sizeof *addrs);
	answer->n = n;
	answer->reason = g_strdup(reason);
	answer->times++;
	ela_resolver_free(answer->free_this);
}

static gboolean on_timeout(void *data)
{
	*(bool *)data = true;
	return G_SOURCE_REMOVE;
}

/* Turns the loop until the answer came, or for wait_ms. */
static void turn(const struct answer *answer, uint32_t wait_ms)
{
	bool late = false;
	guint timeout = g_timeout_add(wait_ms, on_timeout, &late);

	while (!late && !answer->times)
		(void)g_main_context_iteration(NULL, TRUE);
	if (!late)
		(void)g_source_remove(timeout);
}

static struct answer ask(const char *host)
{
	struct ela_resolver *resolver = ela_resolver_new(loop);
	struct answer answer = {0};

	(void)ela_resolver_start(resolver, host, PORT, on_answer, &answer);
	ck_assert_uint_eq(answer.times, 0); /* never from inside the call */
	turn(&answer, 60000);
	ck_assert_uint_eq(answer.times, 1);
	ela_resolver_free(resolver);
	return answer;
}

START_TEST(knows_literals)
{
	static const struct {
		const char *host;
		struct ela_addr addr;
	} rows[] = {
		{"192.0.2.7", {.ip = {192, 0, 2, 7}, .port = PORT, .family = ELA_ADDR_IP4}},
		{"2001:db8::7", {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}, .port = PORT, .family = ELA_ADDR_IP6}},
		{"::ffff:192.0.2.7", {.ip = {192, 0, 2, 7}, .port = PORT, .family = ELA_ADDR_IP4}},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct answer answer = ask(rows[i].host);

		ck_assert_uint_eq(answer.n, 1);
		ck_assert_msg(memcmp(&answer.addrs[0], &rows[i].addr, sizeof rows[i].addr) == 0, "%s", rows[i].host);
	}
}
END_TEST

START_TEST(knows_localhost)
{
	static const uint8_t ip4[16] = {127, 0, 0, 1}, ip6[16] = {[15] = 1};
	struct answer answer = ask("localhost");

	ck_assert_uint_ge(answer.n, 1);
	for (uint32_t i = 0; i < answer.n; i++) {
		bool is_ip4 = answer.addrs[i].family == ELA_ADDR_IP4;

		ck_assert(is_ip4 || answer.addrs[i].family == ELA_ADDR_IP6);
		ck_assert_int_eq(memcmp(answer.addrs[i].ip, is_ip4 ? ip4 : ip6, 16), 0);
		ck_assert_uint_eq(answer.addrs[i].port, PORT);
		for (uint32_t k = 0; k < i; k++)
			ck_assert_int_ne(memcmp(&answer.addrs[i], &answer.addrs[k], sizeof answer.addrs[i]), 0);
	}
}
END_TEST

START_TEST(says_why_not)
{
	static const char *const hosts[] = {"not a host name", "[192.0.2.7]", "192.0.2.7.8"};

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		struct answer answer = ask(hosts[i]);

		ck_assert_uint_eq(answer.n, 0);
		ck_assert_msg(answer.reason && answer.reason[0], "%s", hosts[i]);
		g_free(answer.reason);
	}
}
END_TEST

START_TEST(is_quiet_once_cancelled)
{
	struct ela_resolver *resolver = ela_resolver_new(loop);
	struct answer cancelled = {0}, kept = {0};
	struct ela_lookup *lookup = ela_resolver_start(resolver, "localhost", PORT, on_answer, &cancelled);

	(void)ela_resolver_start(resolver, "localhost", PORT, on_answer, &kept);
	ela_lookup_cancel(lookup);
	ela_lookup_cancel(NULL);
	turn(&kept, 60000);
	turn(&cancelled, 100);
	ck_assert_uint_eq(kept.times, 1);
	ck_assert_uint_eq(cancelled.times, 0);
	ela_resolver_free(resolver);
}
END_TEST

START_TEST(is_quiet_once_freed)
{
	struct ela_resolver *resolver = ela_resolver_new(loop);
	struct answer answers[4] = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
		(void)ela_resolver_start(resolver, i % 2 ? "localhost" : "192.0.2.7", PORT, on_answer, &answers[i]);
	ela_resolver_free(resolver);
	ela_resolver_free(NULL);
	turn(&answers[0], 100);
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
		ck_assert_uint_eq(answers[i].times, 0);
}
END_TEST

/* More than there are threads, so that some wait for one. */
START_TEST(answers_each_of_many)
{
	struct ela_resolver *resolver = ela_resolver_new(loop);
	struct answer answers[64] = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
		(void)ela_resolver_start(resolver, i % 2 ? "localhost" : "192.0.2.7", PORT, on_answer, &answers[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
		turn(&answers[i], 60000);
	turn(&(struct answer){0}, 100); /* none comes twice */
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		ck_assert_uint_eq(answers[i].times, 1);
		ck_assert_uint_ge(answers[i].n, 1);
	}
	ela_resolver_free(resolver);
}
END_TEST

START_TEST(says_that_no_thread_starts)
{
	struct ela_resolver *resolver = ela_resolver_new(loop);
	struct answer answer = {0};
	struct rlimit before, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 0), 0); /* the limit is not for root */
	(void)ela_resolver_start(resolver, "192.0.2.7", PORT, on_answer, &answer);
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* the leak checker looks at this process at its end */
	ck_assert_uint_eq(answer.times, 0);
	turn(&answer, 60000);
	ck_assert_uint_eq(answer.times, 1);
	ck_assert_uint_eq(answer.n, 0);
	ck_assert_str_eq(answer.reason, "cannot start a thread: Resource temporarily unavailable");
	g_free(answer.reason);
	ela_resolver_free(resolver);
}
END_TEST

START_TEST(may_be_freed_by_an_answer)
{
	struct ela_resolver *resolver = ela_resolver_new(loop);
	struct answer first = {.free_this = resolver};

	(void)ela_resolver_start(resolver, "192.0.2.7", PORT, on_answer, &first);
	turn(&first, 60000);
	ck_assert_uint_eq(first.times, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tcase = tcase_create("resolve");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, knows_literals);
	tcase_add_test(tcase, knows_localhost);
	tcase_add_test(tcase, says_why_not);
	tcase_add_test(tcase, is_quiet_once_cancelled);
	tcase_add_test(tcase, is_quiet_once_freed);
	tcase_add_test(tcase, answers_each_of_many);
	if (geteuid() == 0)
		tcase_add_test(tcase, says_that_no_thread_starts);
	tcase_add_test(tcase, may_be_freed_by_an_answer);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
