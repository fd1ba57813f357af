/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: the service manager's datagrams. Control thread. The socket is opened and connected once, before privileges
 * are dropped; a datagram that cannot be sent is lost on purpose (docs/adr/0010-notify-without-libsystemd.md).
 */
#include "notify.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct ela_notify {
	int fd;
	uint32_t watchdog_ms;
};

/* A path, or with '@' in front a name of the abstract name space (unix(7)). -1 when it is neither. */
static int open_socket(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	int fd;

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof addr.sun_path)
		return -1;
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		(void)close(fd); /* nothing was written to it */
		return -1;
	}
	return fd;
}

/* WATCHDOG_PID unset means that the interval is meant for whoever reads it. */
static uint32_t watchdog_interval_ms(void)
{
	const char *usec = g_getenv("WATCHDOG_USEC"), *pid = g_getenv("WATCHDOG_PID");
	uint64_t value;

	if (!usec || !g_ascii_string_to_unsigned(usec, 10, 1, UINT64_MAX, &value, NULL))
		return 0;
	if (pid && g_ascii_strtoull(pid, NULL, 10) != (uint64_t)getpid())
		return 0;
	return (uint32_t)CLAMP(value / 2000, 1, UINT32_MAX);
}

struct ela_notify *ela_notify_new(void)
{
	const char *name = g_getenv("NOTIFY_SOCKET");
	struct ela_notify *notify = NULL;
	int fd = name ? open_socket(name) : -1;

	if (fd >= 0) {
		notify = g_new0(struct ela_notify, 1);
		notify->fd = fd;
		notify->watchdog_ms = watchdog_interval_ms();
	}
	g_unsetenv("NOTIFY_SOCKET");
	g_unsetenv("WATCHDOG_USEC");
	g_unsetenv("WATCHDOG_PID");
	return notify;
}

void ela_notify_free(struct ela_notify *notify)
{
	if (!notify)
		return;
	(void)close(notify->fd); /* datagrams: nothing is pending */
	g_free(notify);
}

static void tell(struct ela_notify *notify, const char *text)
{
	if (notify)
		(void)send(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT); /* the manager's absence is not ours */
}

void ela_notify_ready(struct ela_notify *notify, const char *status)
{
	g_autofree char *text = g_strdup_printf("READY=1\nSTATUS=%s", status);

	tell(notify, text);
}

/* Type=notify-reload wants to know when the reload began, by CLOCK_MONOTONIC. */
void ela_notify_reloading(struct ela_notify *notify)
{
	struct timespec now = {0};
	g_autofree char *text = NULL;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists and the pointer is good */
	text = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GUINT64_FORMAT,
		(uint64_t)now.tv_sec * G_USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000);
	tell(notify, text);
}

void ela_notify_stopping(struct ela_notify *notify)
{
	tell(notify, "STOPPING=1");
}

void ela_notify_watchdog(struct ela_notify *notify)
{
	tell(notify, "WATCHDOG=1");
}

uint32_t ela_notify_watchdog_ms(const struct ela_notify *notify)
{
	return notify ? notify->watchdog_ms : 0;
}
