/* SPDX-License-Identifier: Apache-2.0 */
/* check: what the tests of every kind use: verdicts, instances, descriptors, namespaces. In the test's own process. */
#include "check.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_SKIP 77

/* Adds what the plugins last complained about: it usually says what to do. */
static size_t add_complaints(struct check_run *run, char *text, size_t at, size_t room)
{
	for (uint32_t i = 0; i < CHECK_MAX_INSTANCES; i++) {
		struct check_host *h = run->hosts[i];
		char line[CHECK_TEXT_MAX] = "";

		if (!h)
			continue;
		(void)pthread_mutex_lock(&h->lock); /* held for moments only */
		(void)snprintf(line, sizeof line, "%s", h->last_error);
		(void)pthread_mutex_unlock(&h->lock);
		if (*line && at < room)
			at += (size_t)snprintf(text + at, room - at, " (the plugin says: %s)", line);
	}
	return at < room ? at : room - 1;
}

static _Noreturn void finish(struct check_run *run, const char *text, size_t len, int code)
{
	(void)!write(run->report_fd, text, len); /* a pipe with room for it; the exit code says enough without */
	_exit(code);
}

void check_fail(struct check_run *run, const char *wanted, const char *found_format, ...)
{
	char found[512], text[1536];
	va_list args;
	size_t len;

	va_start(args, found_format);
	(void)vsnprintf(found, sizeof found, found_format, args); /* may be cut */
	va_end(args);
	len = (size_t)snprintf(text, sizeof text, "found %s, wanted %s", found, wanted);
	len = add_complaints(run, text, len < sizeof text ? len : sizeof text - 1, sizeof text);
	finish(run, text, len, 1);
}

void check_skip(struct check_run *run, const char *reason)
{
	finish(run, reason, strlen(reason), EXIT_SKIP);
}

void check_true(struct check_run *run, bool is_so, const char *found, const char *wanted)
{
	if (!is_so)
		check_fail(run, wanted, "%s", found);
}

void check_equal(struct check_run *run, const char *what, int64_t found, int64_t wanted)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%lld", (long long)wanted); /* fits any */
	if (found != wanted)
		check_fail(run, text, "%s %lld", what, (long long)found);
}

const char *check_err_name(int err)
{
	static _Thread_local char texts[4][40];
	static _Thread_local uint32_t next;
	char *text = texts[next++ % 4];
	const char *name = err < 0 ? strerrorname_np(-err) : NULL;

	if (name)
		(void)snprintf(text, sizeof texts[0], "-%s", name); /* names are short */
	else
		(void)snprintf(text, sizeof texts[0], "%d", err);
	return text;
}

void check_err(struct check_run *run, const char *what, int found, int wanted)
{
	const char *remedy = "";

	if (found == wanted)
		return;
	if ((found == -EPERM || found == -EACCES) && geteuid() != 0)
		remedy = "; run as root";
	check_fail(run, check_err_name(wanted), "%s = %s%s", what, check_err_name(found), remedy);
}

struct check_host *check_host_for(struct check_run *run, uint32_t n_lanes)
{
	struct check_host *h = check_host_new(run->plugin->descriptor, n_lanes, run->settings);

	if (!h)
		check_fail(run, "memory", "none");
	for (uint32_t i = 0; i < CHECK_MAX_INSTANCES; i++) {
		if (!run->hosts[i]) {
			run->hosts[i] = h;
			break;
		}
	}
	return h;
}

int check_try_create(struct check_run *run, struct check_host *h, void **ret_self)
{
	switch (run->plugin->descriptor->kind) {
	case ELA_KIND_NPD:
		return run->plugin->npd.create(&h->host, ret_self);
	case ELA_KIND_CIPHER:
		return run->plugin->cipher.create(&h->host, ret_self);
	case ELA_KIND_TRANSPORT:
		return run->plugin->transport.create(&h->host, ret_self);
	default:
		return run->plugin->routing.create(&h->host, ret_self);
	}
}

struct check_instance check_create(struct check_run *run, struct check_host *h)
{
	struct check_instance instance = {.h = h};

	check_err(run, "create()", check_try_create(run, h, &instance.self), 0);
	check_true(run, instance.self != NULL, "create() = 0 without an instance", "one");
	return instance;
}

struct check_instance check_make(struct check_run *run, uint32_t n_lanes)
{
	return check_create(run, check_host_for(run, n_lanes));
}

void check_destroy(struct check_run *run, void *self)
{
	switch (run->plugin->descriptor->kind) {
	case ELA_KIND_NPD:
		run->plugin->npd.destroy(self);
		break;
	case ELA_KIND_CIPHER:
		run->plugin->cipher.destroy(self);
		break;
	case ELA_KIND_TRANSPORT:
		run->plugin->transport.destroy(self);
		break;
	default:
		run->plugin->routing.destroy(self);
		break;
	}
}

void check_end(struct check_run *run, struct check_instance *instance)
{
	struct check_host *h = instance->h;

	check_destroy(run, instance->self);
	check_equal(run, "timers after destroy()", check_host_count_timers(h), 0);
	check_equal(run, "watches after destroy()", check_host_count_watches(h), 0);
	if (*h->misuse)
		check_fail(run, "use of the host as host.h says", "%s", h->misuse);
	for (uint32_t i = 0; i < CHECK_MAX_INSTANCES; i++)
		if (run->hosts[i] == h)
			run->hosts[i] = NULL;
	check_host_free(h);
	*instance = (struct check_instance){0};
}

uint32_t check_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint32_t n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	(void)closedir(dir); /* read only */
	return n;
}

void check_enter_netns(void)
{
	/* Without the right to, the plugin's own failure says what it needs. */
	if (unshare(CLONE_NEWNET) < 0)
		(void)unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static int bind_to(int type, uint16_t *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&addr, len) < 0 || getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
		(void)close(fd); /* never used */
		return -1;
	}
	*port = ntohs(addr.sin_port);
	return fd;
}

uint16_t check_free_port(struct check_run *run)
{
	for (uint32_t i = 0; i < 100; i++) {
		uint16_t port = 0;
		int udp = bind_to(SOCK_DGRAM, &port);
		int tcp = udp >= 0 ? bind_to(SOCK_STREAM, &port) : -1;

		if (udp >= 0)
			(void)close(udp); /* nothing was sent */
		if (tcp >= 0) {
			(void)close(tcp);
			return port;
		}
	}
	check_fail(run, "a free port on 127.0.0.1", "none");
}

void check_wait(int fd, uint32_t ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		(void)usleep(1000); /* an early end only means another look */
	else
		(void)poll(&poll_fd, 1, (int)ms); /* likewise */
}
