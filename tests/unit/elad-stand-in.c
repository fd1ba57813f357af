/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elad-stand-in: an elad for tests of what starts it. It takes elad's options, listens where elad does, and is what the
 * environment's STAND_IN says:
 *
 *   good     answers, and is in
 *   late     is in 1.2 s after it first answered
 *   lost     never is
 *   deaf     listens and never answers
 *   silent   does not even listen
 *   fails    complains and ends with 78
 *   dies     kills itself when it is asked
 *
 * seen.json in its state folder has how it was started. It ends with SIGTERM, when that file is gone, or after five
 * minutes. One thread; whatever fails ends it with 99.
 */
#include "json.h"
#include "listener.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LIFE_US (300 * G_USEC_PER_SEC)
#define LATE_US (1200 * 1000)
#define TURN_MS 100

static const char *kind; /* never NULL */
static char *seen_file;
static gint64 began_us, asked_us; /* asked_us 0: nobody has asked yet */

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	exit(99);
}

static const char *option(char **argv, const char *name)
{
	for (char **word = argv + 1; word[0] && word[1]; word++)
		if (strcmp(word[0], name) == 0)
			return word[1];
	must(false, name);
	return NULL;
}

static void put_descriptors(GString *text)
{
	ela_json_open(text, "fds", '[');
	for (int fd = 0; fd < 64; fd++) {
		g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd), *target = g_file_read_link(link, NULL);

		if (target)
			ela_json_put(text, NULL, target);
	}
	ela_json_close(text, ']');
}

static void note(char **argv)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *cwd = g_get_current_dir();

	ela_json_open(text, NULL, '{');
	put_descriptors(text);
	ela_json_open(text, "argv", '[');
	for (char **word = argv + 1; *word; word++)
		ela_json_put(text, NULL, *word);
	ela_json_close(text, ']');
	ela_json_put_int(text, "pid", getpid());
	ela_json_put_int(text, "sid", getsid(0));
	ela_json_put(text, "cwd", cwd);
	ela_json_put(text, "notify", getenv("NOTIFY_SOCKET"));
	ela_json_close(text, '}');
	must(g_file_set_contents(seen_file, text->str, (gssize)text->len, NULL), seen_file);
}

static bool is_over(void)
{
	return access(seen_file, F_OK) != 0 || g_get_monotonic_time() - began_us > LIFE_US;
}

static int listen_at(const char *state)
{
	g_autofree char *path = ela_listener_path(state), *dir = g_path_get_dirname(path);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(g_strlcpy(address.sun_path, path, sizeof address.sun_path) < sizeof address.sun_path, path);
	(void)g_mkdir_with_parents(dir, 0755); /* bind() says whether it is there */
	(void)unlink(path);                    /* of the one before */
	must(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0, path);
	return fd;
}

static void answer(int client)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char request[4096];
	bool is_in;

	if (recv(client, request, sizeof request, 0) <= 0)
		return; /* it has had enough */
	if (strcmp(kind, "dies") == 0) {
		(void)fputs("panic stand-in: dies\n", stderr); /* the log is read by the test */
		(void)raise(SIGKILL);                          /* does not return */
	}
	if (asked_us == 0)
		asked_us = g_get_monotonic_time();
	is_in = strcmp(kind, "good") == 0 || (strcmp(kind, "late") == 0 && g_get_monotonic_time() - asked_us >= LATE_US);
	ela_json_open(text, NULL, '{');
	ela_json_put_int(text, "schema", 1);
	ela_json_open(text, "self", '{');
	ela_json_put(text, "address", "10.77.0.9");
	ela_json_put(text, "role", is_in ? "core" : NULL);
	ela_json_put(text, "reason", is_in ? "confirmed" : "no core of the token answers");
	ela_json_close(text, '}');
	ela_json_close(text, '}');
	g_string_append_c(text, '\n');
	(void)send(client, text->str, text->len, MSG_NOSIGNAL); /* who does not wait is asked again */
}

static void serve(int fd)
{
	while (!is_over()) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int client;

		if (poll(&p, 1, TURN_MS) != 1)
			continue;
		client = accept(fd, NULL, NULL);
		must(client >= 0, "accept");
		if (strcmp(kind, "deaf") == 0)
			continue; /* it stays open */
		answer(client);
		(void)close(client); /* all was said */
	}
}

int main(int argc, char **argv)
{
	const char *config = option(argv, "--config"), *state = option(argv, "--state-dir");

	(void)argc;
	kind = getenv("STAND_IN") ? getenv("STAND_IN") : "good";
	began_us = g_get_monotonic_time();
	seen_file = g_build_filename(state, "seen.json", NULL);
	note(argv);
	(void)fputs("info stand-in: begins\n", stderr); /* the log is read by the test */
	if (strcmp(kind, "fails") == 0) {
		(void)fprintf(stderr, "elad: %s:3: [node] name: nothing is right\n", config); /* as above */
		return 78;
	}
	if (strcmp(kind, "silent") == 0)
		while (!is_over())
			g_usleep(TURN_MS * 1000);
	else
		serve(listen_at(state));
	g_free(seen_file);
	return 0;
}
