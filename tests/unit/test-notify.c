/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's datagrams, read from a socket of our own: by path and by abstract name, watchdog, and none. */
#include "notify.h"

#include <check.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* name as in NOTIFY_SOCKET. */
static int listen_on(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(addr.sun_path, name, strlen(name));
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&addr, len), 0);
	return fd;
}

static void expect(int fd, const char *wanted)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof buf - 1, 0);

	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
	ck_assert_str_eq(buf, wanted);
}

static void expect_reloading(int fd)
{
	unsigned long long before_us = (unsigned long long)g_get_monotonic_time(), at_us;
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof buf - 1, 0);

	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
	ck_assert_int_eq(sscanf(buf, "RELOADING=1\nMONOTONIC_USEC=%llu", &at_us), 1);
	ck_assert(at_us <= before_us && before_us - at_us < 5 * G_USEC_PER_SEC);
}

static void talk(const char *name)
{
	int fd = listen_on(name);
	struct ela_notify *notify;

	(void)g_setenv("NOTIFY_SOCKET", name, TRUE);
	notify = ela_notify_new();
	ck_assert_ptr_nonnull(notify);
	ck_assert_ptr_null(g_getenv("NOTIFY_SOCKET"));
	ela_notify_ready(notify, "device=ela0");
	expect(fd, "READY=1\nSTATUS=device=ela0");
	ela_notify_reloading(notify);
	expect_reloading(fd);
	ela_notify_watchdog(notify);
	expect(fd, "WATCHDOG=1");
	ela_notify_stopping(notify);
	expect(fd, "STOPPING=1");
	ck_assert_int_eq(recv(fd, &(char){0}, 1, 0), -1);
	ck_assert_int_eq(close(fd), 0);
	ela_notify_ready(notify, "nobody listens"); /* neither a signal nor a wait */
	ela_notify_free(notify);
}

START_TEST(talks_to_a_path)
{
	g_autofree char *dir = g_dir_make_tmp("ela-notify-XXXXXX", NULL);
	g_autofree char *name = g_build_filename(dir, "socket", NULL);

	talk(name);
	ck_assert_int_eq(g_unlink(name), 0);
	ck_assert_int_eq(g_rmdir(dir), 0);
}
END_TEST

START_TEST(talks_to_an_abstract_name)
{
	g_autofree char *name = g_strdup_printf("@ela-notify-%d", (int)getpid());

	talk(name);
}
END_TEST

START_TEST(is_silent_without_a_manager)
{
	static const char *const names[] = {NULL, "", "/", "relative", "/no/such/socket", "vsock:2:1"};
	g_autofree char *too_long = g_strnfill(200, '/');

	for (size_t i = 0; i <= G_N_ELEMENTS(names); i++) {
		const char *name = i < G_N_ELEMENTS(names) ? names[i] : too_long;

		if (name)
			(void)g_setenv("NOTIFY_SOCKET", name, TRUE);
		ck_assert_ptr_null(ela_notify_new());
	}
	ela_notify_ready(NULL, "status");
	ela_notify_reloading(NULL);
	ela_notify_stopping(NULL);
	ela_notify_watchdog(NULL);
	ck_assert_uint_eq(ela_notify_watchdog_ms(NULL), 0);
	ela_notify_free(NULL);
}
END_TEST

static uint32_t watchdog(const char *usec, const char *pid)
{
	g_autofree char *name = g_strdup_printf("@ela-watchdog-%d", (int)getpid());
	int fd = listen_on(name);
	struct ela_notify *notify;
	uint32_t interval_ms;

	(void)g_setenv("NOTIFY_SOCKET", name, TRUE);
	if (usec)
		(void)g_setenv("WATCHDOG_USEC", usec, TRUE);
	if (pid)
		(void)g_setenv("WATCHDOG_PID", pid, TRUE);
	notify = ela_notify_new();
	interval_ms = ela_notify_watchdog_ms(notify);
	ck_assert(!g_getenv("WATCHDOG_USEC") && !g_getenv("WATCHDOG_PID"));
	ela_notify_free(notify);
	ck_assert_int_eq(close(fd), 0);
	return interval_ms;
}

START_TEST(knows_its_watchdog)
{
	g_autofree char *self = g_strdup_printf("%d", (int)getpid());

	ck_assert_uint_eq(watchdog(NULL, NULL), 0);
	ck_assert_uint_eq(watchdog("30000000", NULL), 15000);
	ck_assert_uint_eq(watchdog("30000000", self), 15000);
	ck_assert_uint_eq(watchdog("30000000", "1"), 0);
	ck_assert_uint_eq(watchdog("soon", self), 0);
	ck_assert_uint_eq(watchdog("0", self), 0);
	ck_assert_uint_eq(watchdog("1", self), 1);
	ck_assert_uint_eq(watchdog("18446744073709551615", self), UINT32_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify");
	TCase *tcase = tcase_create("notify");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, talks_to_a_path);
	tcase_add_test(tcase, talks_to_an_abstract_name);
	tcase_add_test(tcase, is_silent_without_a_manager);
	tcase_add_test(tcase, knows_its_watchdog);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
