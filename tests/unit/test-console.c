/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: real sockets on a loop whose clock the test moves. What clients can do wrong, its limits, who may
 * change what (as root, by children with other identities), and the file's life beside other files and other elads.
 */
#include "console.h"

#include <check.h>
#include <ela/host.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP 4242u
#define STRANGER 12345u

/* ---- a loop: poll() and a clock that stands still until it is told ---- */

struct ela_timer {
	struct turner *owner;
	void (*fn)(void *data);
	void *data;
	uint64_t at_ns;
};

struct ela_watch {
	struct turner *owner;
	int fd;
	uint32_t events;
	void (*fn)(void *data, uint32_t events);
	void *data;
};

struct turner {
	struct ela_loop loop;
	uint64_t now_ns;
	GPtrArray *timers, *watches;
};

static uint64_t now_ns(struct ela_loop *loop)
{
	return ((struct turner *)loop)->now_ns;
}

static struct ela_timer *timer_new(struct ela_loop *loop, void (*fn)(void *data), void *data)
{
	struct ela_timer *timer = g_new0(struct ela_timer, 1);

	*timer = (struct ela_timer){(struct turner *)loop, fn, data, 0};
	g_ptr_array_add(timer->owner->timers, timer);
	return timer;
}

static void timer_set(struct ela_timer *timer, uint64_t at_ns)
{
	timer->at_ns = at_ns;
}

static void timer_free(struct ela_timer *timer)
{
	if (timer && g_ptr_array_remove(timer->owner->timers, timer))
		g_free(timer);
}

static struct ela_watch *watch_new(
	struct ela_loop *loop, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data)
{
	struct ela_watch *watch = g_new0(struct ela_watch, 1);

	*watch = (struct ela_watch){(struct turner *)loop, fd, events, fn, data};
	g_ptr_array_add(watch->owner->watches, watch);
	return watch;
}

static void watch_set(struct ela_watch *watch, uint32_t events)
{
	watch->events = events;
}

static void watch_free(struct ela_watch *watch)
{
	if (watch && g_ptr_array_remove(watch->owner->watches, watch))
		g_free(watch);
}

static const struct ela_loop_ops loop_ops = {.now_ns = now_ns,
	.timer_new = timer_new,
	.timer_set = timer_set,
	.timer_free = timer_free,
	.watch_new = watch_new,
	.watch_set = watch_set,
	.watch_free = watch_free};

/* One watch that is ready; false when none is. */
static bool turn_watch(struct turner *t)
{
	for (guint i = 0; i < t->watches->len; i++) {
		struct ela_watch *watch = g_ptr_array_index(t->watches, i);
		struct pollfd p = {.fd = watch->fd};
		uint32_t events;

		p.events = (short)(((watch->events & ELA_EVENT_READ) ? POLLIN : 0) |
						   ((watch->events & ELA_EVENT_WRITE) ? POLLOUT : 0));
		if (poll(&p, 1, 0) <= 0)
			continue;
		events = ((p.revents & POLLIN) ? ELA_EVENT_READ : 0) | ((p.revents & POLLOUT) ? ELA_EVENT_WRITE : 0) |
				 ((p.revents & (POLLERR | POLLHUP)) ? ELA_EVENT_ERROR : 0);
		g_ptr_array_remove_index(t->watches, i); /* the next one has its turn first: nobody starves */
		g_ptr_array_add(t->watches, watch);
		watch->fn(watch->data, events);
		return true;
	}
	return false;
}

static bool turn_timer(struct turner *t)
{
	for (guint i = 0; i < t->timers->len; i++) {
		struct ela_timer *timer = g_ptr_array_index(t->timers, i);

		if (!timer->at_ns || timer->at_ns > t->now_ns)
			continue;
		timer->at_ns = 0;
		timer->fn(timer->data);
		return true;
	}
	return false;
}

/* Until there is nothing to do; a bound, for a spin is a failure. */
static void turn(struct turner *t)
{
	for (uint32_t n = 0; turn_watch(t) || turn_timer(t); n++)
		ck_assert_uint_lt(n, 100000);
}

/* ---- a console on a socket in a folder of its own ---- */

static struct turner turner;
static struct ela_listener *listener;
static struct ela_console *console;
static char *dir;
static struct ela_call *waiting; /* of "wait" */
static uint32_t requests, cancels;

static void count_cancel(void *data)
{
	(void)data;
	cancels++;
	waiting = NULL;
}

/* "wait" waits, "long" gets 8 MiB, everything else is echoed with what the caller may. */
static void request(void *data, struct ela_call *call, const char *line, size_t len)
{
	GString *text;

	ck_assert_ptr_eq(data, &requests);
	ck_assert_uint_eq(line[len], 0);
	requests++;
	if (strcmp(line, "wait") == 0) {
		waiting = call;
		call->cancel = count_cancel;
		return;
	}
	text = g_string_new(NULL);
	if (strcmp(line, "long") == 0) {
		g_string_set_size(text, 8 << 20);
		memset(text->str, 'x', text->len);
	} else {
		g_string_append_printf(text, "%s %s", call->may_change ? "may" : "may not", line);
	}
	call->reply(call, text);
}

static void begin(void)
{
	g_autoptr(GError) error = NULL;

	dir = g_dir_make_tmp("ela-console-XXXXXX", NULL);
	ck_assert_int_eq(g_chmod(dir, 0755), 0);
	turner =
		(struct turner){.loop = {&loop_ops}, .now_ns = 1, .timers = g_ptr_array_new(), .watches = g_ptr_array_new()};
	listener = ela_listener_new(dir, &error);
	ck_assert_msg(listener != NULL, "%s", error ? error->message : "");
	console = ela_console_new(&turner.loop, listener, request, &requests, "busy", "long line");
}

static void end(void)
{
	ela_console_free(console);
	ela_listener_free(listener);
	ck_assert_uint_eq(turner.timers->len, 0);
	ck_assert_uint_eq(turner.watches->len, 0);
	g_ptr_array_unref(turner.timers);
	g_ptr_array_unref(turner.watches);
	ck_assert_int_eq(g_rmdir(dir), 0); /* empty: the socket has gone */
	g_free(dir);
}

static int client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)g_strlcpy(address.sun_path, listener->path, sizeof address.sun_path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
	turn(&turner);
}

static void hear(int fd, const char *wanted)
{
	char buf[ELA_REQUEST_MAX * 2];
	ssize_t n;

	turn(&turner);
	n = recv(fd, buf, sizeof buf - 1, 0);
	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
	ck_assert_str_eq(buf, wanted);
}

/* Closed; with what the client sent still unread, the kernel calls it a reset. */
static bool is_closed(int fd)
{
	char byte;
	ssize_t n;

	turn(&turner);
	n = recv(fd, &byte, 1, 0);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void pass(uint64_t s)
{
	turner.now_ns += s * ELA_SEC;
	turn(&turner);
}

/* ---- lines ---- */

START_TEST(lines)
{
	int fd;

	begin();
	fd = client();
	say(fd, "status\n");
	hear(fd, "may status\n");
	say(fd, "one\ntwo\n\nthr");
	hear(fd, "may one\nmay two\nmay \n");
	say(fd, "ee\n");
	hear(fd, "may three\n");
	for (const char *p = "slowly\n"; *p; p++)
		say(fd, (char[]){*p, '\0'});
	hear(fd, "may slowly\n");
	say(fd, "without an end");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(requests, 6);
	(void)close(fd);
	end();
}
END_TEST

/* In pieces, each taken before the next comes. */
static void say_long(int fd, const char *text)
{
	for (size_t at = 0, len = strlen(text), n; at < len; at += n) {
		n = MIN(len - at, 60000);
		ck_assert_int_eq(send(fd, text + at, n, MSG_NOSIGNAL), (int)n);
		turn(&turner);
	}
}

/* Of who may change something; the socket's own buffers are smaller. */
START_TEST(longest_line)
{
	g_autofree char *fits = g_strnfill(ELA_REQUEST_MAX_CHANGE - 1, 'a');
	g_autofree char *wanted = g_strconcat("may ", fits, "\n", NULL);
	g_autoptr(GString) found = g_string_new(NULL);
	char buf[65536];
	ssize_t n;
	int fd;

	begin();
	fd = client();
	say_long(fd, fits);
	say(fd, "\n");
	while ((n = recv(fd, buf, sizeof buf, 0)) > 0) {
		g_string_append_len(found, buf, n);
		turn(&turner);
	}
	ck_assert_str_eq(found->str, wanted);
	say_long(fd, fits);
	say(fd, "a");
	hear(fd, "long line\n");
	ck_assert(is_closed(fd));
	(void)close(fd);
	end();
}
END_TEST

/* Thousands of requests in one go: one after the other, none lost, no deep stack. */
START_TEST(many_lines)
{
	g_autoptr(GString) text = g_string_new(NULL);
	size_t got = 0;
	char buf[65536];
	ssize_t n;
	int fd;

	begin();
	fd = client();
	for (uint32_t i = 0; i < 20000; i++)
		g_string_append_c(text, '\n');
	ck_assert_int_eq(send(fd, text->str, text->len, MSG_NOSIGNAL), (int)text->len);
	do {
		turn(&turner);
		n = recv(fd, buf, sizeof buf, 0);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	ck_assert_uint_eq(got, 20000 * strlen("may \n"));
	(void)close(fd);
	end();
}
END_TEST

/* ---- limits ---- */

START_TEST(connections)
{
	int fds[2 * ELA_CONSOLE_MAX + 1];

	begin();
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = client();
		if (i < ELA_CONSOLE_MAX)
			turn(&turner);
	}
	for (size_t i = 0; i < ELA_CONSOLE_MAX; i++) {
		say(fds[i], "x\n");
		hear(fds[i], "may x\n");
	}
	for (size_t i = ELA_CONSOLE_MAX; i < 2 * ELA_CONSOLE_MAX; i++) {
		hear(fds[i], "busy\n");
		ck_assert(is_closed(fds[i]));
	}
	(void)close(fds[0]); /* one goes, one may come */
	turn(&turner);
	(void)close(fds[ELA_CONSOLE_MAX]);
	fds[0] = client();
	say(fds[0], "x\n");
	hear(fds[0], "may x\n");
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		if (i != ELA_CONSOLE_MAX)
			(void)close(fds[i]);
	turn(&turner);
	end();
}
END_TEST

START_TEST(times)
{
	int silent, half, asks;

	begin();
	silent = client();
	half = client();
	asks = client();
	say(half, "x");
	turn(&turner);
	pass(9);
	say(half, "x"); /* a byte is no request */
	say(asks, "x\n");
	hear(asks, "may x\n");
	pass(1);
	ck_assert(is_closed(silent));
	ck_assert(is_closed(half));
	pass(8);
	say(asks, "x\n");
	hear(asks, "may x\n");
	pass(10);
	ck_assert(is_closed(asks));
	(void)close(silent);
	(void)close(half);
	(void)close(asks);
	end();
}
END_TEST

/* An answer that does not come is not waited for forever, and who asked is told nothing wrong. */
START_TEST(waits)
{
	int fd;

	begin();
	fd = client();
	say(fd, "wait\nnext\n");
	ck_assert_ptr_nonnull(waiting);
	ck_assert_uint_eq(requests, 1);
	waiting->reply(waiting, g_string_new("later"));
	hear(fd, "later\nmay next\n");
	ck_assert_uint_eq(cancels, 0);
	say(fd, "wait\n");
	pass(10);
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(cancels, 1);
	(void)close(fd);
	fd = client();
	say(fd, "wait\n");
	(void)close(fd);
	turn(&turner);
	ck_assert_uint_eq(cancels, 2); /* who goes is not waited for */
	fd = client();
	say(fd, "wait\n");
	end();
	ck_assert_uint_eq(cancels, 3);
	(void)close(fd);
}
END_TEST

START_TEST(slow_reader)
{
	char buf[65536];
	size_t got = 0;
	ssize_t n;
	int slow, other;

	begin();
	slow = client();
	say(slow, "long\n");
	other = client();
	say(other, "x\n");
	hear(other, "may x\n");
	pass(9);
	do {
		turn(&turner);
		n = recv(slow, buf, sizeof buf, 0);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	ck_assert_uint_eq(got, (8u << 20) + 1);
	say(slow, "long\n");
	pass(10);
	while ((n = recv(slow, buf, sizeof buf, 0)) > 0)
		turn(&turner);
	ck_assert_int_eq(n, 0); /* closed in the middle */
	(void)close(slow);
	(void)close(other);
	end();
}
END_TEST

/* The last reply still goes out, and the connection ends when the console does. */
START_TEST(stop)
{
	struct ela_call *call;
	int fd;
	char buf[64];

	begin();
	fd = client();
	say(fd, "wait\n");
	call = waiting;
	call->reply(call, g_string_new("leaving"));
	ela_console_stop(console);
	ck_assert_int_eq(recv(fd, buf, sizeof buf, 0), 8);
	ck_assert_int_eq(recv(fd, buf, sizeof buf, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	end();
	ck_assert_int_eq(recv(fd, buf, sizeof buf, 0), 0);
	(void)close(fd);
}
END_TEST

/* ---- who may ---- */

struct person {
	uid_t uid;
	gid_t gid;
	guint n_groups; /* further ones, from 5000; the last one is GROUP if member */
	bool member, may;
};

static const struct person people[] = {
	{0, 0, 0, false, true}, {0, STRANGER, 0, false, true}, {STRANGER, STRANGER, 0, false, false},
	{STRANGER, 0, 0, false, false}, /* root's group is not root */
	{STRANGER, GROUP, 0, false, true}, {STRANGER, STRANGER, 1, true, true},
	{STRANGER, STRANGER, 300, true, true},                               /* more than one look takes */
	{STRANGER, STRANGER, 300, false, false}, {777, 777, 0, false, true}, /* who started elad */
};

/* Says text, writes the reply to result. */
static void as_person(const struct person *p, const char *text, int result)
{
	g_autofree gid_t *groups = g_new0(gid_t, p->n_groups + 1);
	char buf[ELA_REQUEST_MAX * 2] = "";
	int fd;

	for (guint i = 0; i < p->n_groups; i++)
		groups[i] = 5000 + i;
	if (p->member)
		groups[p->n_groups - 1] = GROUP;
	if (setgroups(p->n_groups, groups) < 0 || setresgid(p->gid, p->gid, p->gid) < 0 ||
		setresuid(p->uid, p->uid, p->uid) < 0)
		_exit(3);
	fd = client();
	if (fd < 0 || fcntl(fd, F_SETFL, 0) < 0 || send(fd, text, strlen(text), 0) < 0 ||
		recv(fd, buf, sizeof buf - 1, 0) <= 0)
		_exit(4);
	_exit(write(result, buf, strlen(buf)) > 0 ? 0 : 5);
}

static void expect_reply(const struct person *p, const char *text, const char *wanted)
{
	int result[2], status;
	char buf[ELA_REQUEST_MAX * 2] = "";
	pid_t pid;

	begin();
	ck_assert_int_eq(g_chmod(listener->path, 0666), 0);
	listener->access = (struct ela_access){.owner = 777, .group = GROUP, .has_group = true};
	ck_assert_int_eq(pipe(result), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		as_person(p, text, result[1]);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		turn(&turner);
		g_usleep(1000);
	}
	ck_assert_int_eq(status, 0);
	ck_assert_int_gt(read(result[0], buf, sizeof buf - 1), 0);
	ck_assert_str_eq(buf, wanted);
	(void)close(result[0]);
	(void)close(result[1]);
	turn(&turner);
	end();
}

START_TEST(credentials)
{
	const struct person *p = &people[_i];

	if (geteuid() == 0)
		expect_reply(p, "x\n", p->may ? "may x\n" : "may not x\n");
}
END_TEST

/* Who may change nothing has nothing long to say. */
START_TEST(longest_line_of_others)
{
	static const struct person other = {.uid = STRANGER, .gid = STRANGER};
	g_autofree char *fits = g_strnfill(ELA_REQUEST_MAX - 1, 'a'), *line = g_strconcat(fits, "\n", NULL);
	g_autofree char *wanted = g_strconcat("may not ", line, NULL), *too_long = g_strconcat(fits, "a\n", NULL);

	if (geteuid() != 0)
		return;
	expect_reply(&other, line, wanted);
	expect_reply(&other, too_long, "long line\n");
}
END_TEST

/* Without the group nobody is in it, whatever number stands there. */
START_TEST(no_group)
{
	int fds[2];
	struct ela_access access = {.owner = 777, .group = getegid(), .has_group = false};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(ela_access_may_change(&access, fds[0]), geteuid() == 0);
	access.has_group = true;
	ck_assert(ela_access_may_change(&access, fds[0]));
	(void)close(fds[0]);
	(void)close(fds[1]);
	ck_assert(!ela_access_may_change(&access, fds[0])); /* no socket at all */
}
END_TEST

/* ---- the file ---- */

static void refused(const char *state_dir, const char *words)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(ela_listener_new(state_dir, &error));
	ck_assert_msg(strstr(error->message, words) != NULL, "found: %s", error->message);
	ck_assert_ptr_nonnull(strstr(error->message, "; remedy: "));
}

START_TEST(file)
{
	struct ela_listener *first;
	g_autofree char *path = NULL;
	struct stat st;

	begin();
	path = g_strdup(listener->path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_uint_eq(umask(022), umask(022)); /* as it was */
	refused(dir, "another elad answers there");
	ck_assert_int_ge(client(), 0); /* and it still does */
	turn(&turner);
	/* killed: the file stays, nobody listens */
	first = listener;
	ela_console_free(console);
	(void)close(first->fd);
	first->fd = -1;
	listener = ela_listener_new(dir, NULL);
	ck_assert_ptr_nonnull(listener);
	ela_listener_free(first); /* which leaves the other one's alone */
	ck_assert_int_eq(stat(path, &st), 0);
	console = ela_console_new(&turner.loop, listener, request, &requests, "busy", "long line");
	end();
}
END_TEST

START_TEST(other_files)
{
	g_autofree char *base = g_dir_make_tmp("ela-file-XXXXXX", NULL),
					*path = g_build_filename(base, "control.sock", NULL);
	g_autofree char *target = g_build_filename(base, "target", NULL), *deep = g_strnfill(100, 'd'), *text = NULL;
	g_autofree char *long_dir = g_build_filename(base, deep, NULL);

	ck_assert(g_file_set_contents(path, "precious", -1, NULL));
	refused(base, "is no socket");
	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	ck_assert_str_eq(text, "precious");
	ck_assert_int_eq(g_unlink(path), 0);
	ck_assert_int_eq(symlink(target, path), 0);
	refused(base, "is no socket"); /* not what it points to */
	ck_assert_int_eq(g_unlink(path), 0);
	refused(target, "No such file");
	ck_assert_int_eq(g_mkdir(long_dir, 0700), 0);
	refused(long_dir, "107 bytes");
	ck_assert_int_eq(g_rmdir(long_dir), 0);
	ck_assert_int_eq(g_rmdir(base), 0);
}
END_TEST

static const struct {
	const char *state_dir, *path;
} paths[] = {
	{"/etc/ela", "/etc/ela/control.sock"},
	{"/etc/ela/", "/etc/ela/control.sock"},
	{"/var/lib/ela/home", "/run/ela/home.sock"},
	{"/var/lib/ela/home/", "/run/ela/home.sock"},
	{"/var/lib/ela", "/var/lib/ela/control.sock"},
	{"/var/lib/ela/", "/var/lib/ela/control.sock"},
	{"/var/lib/ela/home/deeper", "/var/lib/ela/home/deeper/control.sock"},
	{"/var/lib/ela/../ela/home", "/run/ela/home.sock"},
	{"/var/lib/elan", "/var/lib/elan/control.sock"},
};

START_TEST(each_path)
{
	g_autofree char *path = ela_listener_path(paths[_i].state_dir);

	ck_assert_str_eq(path, paths[_i].path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("console");
	TCase *tcase = tcase_create("console");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, lines);
	tcase_add_test(tcase, longest_line);
	tcase_add_test(tcase, longest_line_of_others);
	tcase_add_test(tcase, many_lines);
	tcase_add_test(tcase, connections);
	tcase_add_test(tcase, times);
	tcase_add_test(tcase, waits);
	tcase_add_test(tcase, slow_reader);
	tcase_add_test(tcase, stop);
	tcase_add_loop_test(tcase, credentials, 0, (int)G_N_ELEMENTS(people));
	tcase_add_test(tcase, no_group);
	tcase_add_test(tcase, file);
	tcase_add_test(tcase, other_files);
	tcase_add_loop_test(tcase, each_path, 0, (int)G_N_ELEMENTS(paths));
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
