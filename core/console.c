/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: the connections. Control thread. Everything is non-blocking; a reader that is slow has its reply kept for it
 * (there is one at most) and is closed when its time is over.
 */
#include "console.h"

#include <ela/host.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALL_NS (10 * ELA_SEC)
#define READ_MAX 65536u
#define PAUSE_NS ELA_SEC /* without descriptors the listener stays ready: looking again at once would be a spin */

/* What a connection does. */
enum phase { READING, WAITING, WRITING };

struct conn {
	struct ela_call call; /* first: a call is its connection */
	struct ela_console *console;
	int fd;
	struct ela_watch *watch;
	struct ela_timer *timer;
	enum phase phase;
	bool last;      /* closes when the reply is out */
	GByteArray *in; /* what was received and not taken */
	guint searched; /* so much of it has no end of line */
	GString *out;   /* of WRITING; [written, len) is left */
	size_t written;
};

struct ela_console {
	struct ela_loop *loop;
	const struct ela_listener *listener;
	ela_console_fn fn;
	void *data;
	const char *busy, *long_line;
	struct ela_watch *watch; /* of the listener; NULL once stopped */
	struct ela_timer *pause; /* until it is watched again */
	GPtrArray *conns;
};

static void close_conn(struct conn *conn)
{
	struct ela_console *console = conn->console;

	if (conn->phase == WAITING && conn->call.cancel)
		conn->call.cancel(conn->call.cancel_data);
	(void)g_ptr_array_remove_fast(console->conns, conn); /* it is there */
	console->loop->ops->watch_free(conn->watch);
	console->loop->ops->timer_free(conn->timer);
	(void)close(conn->fd); /* nothing to lose */
	if (conn->out)
		(void)g_string_free(conn->out, TRUE); /* which returns NULL */
	g_byte_array_unref(conn->in);
	g_free(conn);
}

static void late(void *data)
{
	close_conn(data);
}

static void enter(struct conn *conn, enum phase phase)
{
	static const uint32_t events[] = {[READING] = ELA_EVENT_READ, [WAITING] = 0, [WRITING] = ELA_EVENT_WRITE};
	struct ela_loop *loop = conn->console->loop;

	conn->phase = phase;
	loop->ops->watch_set(conn->watch, events[phase]);
	loop->ops->timer_set(conn->timer, ela_loop_now(loop) + CALL_NS);
}

/* ---- replies ---- */

/* Returns false when the connection is gone. */
static bool write_out(struct conn *conn)
{
	while (conn->written < conn->out->len) {
		ssize_t n = send(conn->fd, conn->out->str + conn->written, conn->out->len - conn->written, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true; /* the watch says when to go on */
		if (n <= 0) {
			close_conn(conn);
			return false;
		}
		conn->written += (size_t)n;
	}
	(void)g_string_free(conn->out, TRUE); /* which returns NULL */
	conn->out = NULL;
	if (conn->last) {
		close_conn(conn);
		return false;
	}
	enter(conn, READING);
	return true;
}

static void reply(struct ela_call *call, GString *text)
{
	struct conn *conn = (struct conn *)call;

	conn->call.cancel = NULL;
	g_string_append_c(text, '\n');
	conn->out = text;
	conn->written = 0;
	enter(conn, WRITING); /* the loop goes on from there: who replies at once is still in next_request() */
}

static void reply_and_close(struct conn *conn, const char *text)
{
	conn->last = true;
	reply(&conn->call, g_string_new(text));
}

/* ---- requests ---- */

static guint request_max(const struct conn *conn)
{
	return conn->call.may_change ? ELA_REQUEST_MAX_CHANGE : ELA_REQUEST_MAX;
}

/* Takes a whole line out of what was received, if there is one. */
static void next_request(struct conn *conn)
{
	const uint8_t *end = memchr(conn->in->data + conn->searched, '\n', conn->in->len - conn->searched);
	guint len = end ? (guint)(end - conn->in->data) : 0;
	g_autofree char *line = NULL;

	if (!end) {
		conn->searched = conn->in->len;
		if (conn->in->len == request_max(conn))
			reply_and_close(conn, conn->console->long_line);
		return;
	}
	line = g_malloc(len + 1);
	memcpy(line, conn->in->data, len);
	line[len] = '\0';
	(void)g_byte_array_remove_range(conn->in, 0, len + 1); /* the array itself */
	conn->searched = 0;
	enter(conn, WAITING);
	conn->console->fn(conn->console->data, &conn->call, line, len);
}

static void read_in(struct conn *conn)
{
	uint8_t buf[READ_MAX];
	ssize_t n = recv(conn->fd, buf, MIN(sizeof buf, request_max(conn) - conn->in->len), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_conn(conn);
		return;
	}
	g_byte_array_append(conn->in, buf, (guint)n);
	next_request(conn);
}

static void conn_ready(void *data, uint32_t events)
{
	struct conn *conn = data;

	if (conn->phase == WRITING && (events & ELA_EVENT_WRITE)) {
		if (write_out(conn) && conn->phase == READING)
			next_request(conn); /* what came together with the one before */
	} else if (conn->phase == READING && (events & ELA_EVENT_READ)) {
		read_in(conn);
	} else if (events & ELA_EVENT_ERROR) {
		close_conn(conn); /* nobody is there any more */
	}
}

/* ---- coming and going ---- */

static void add_conn(struct ela_console *console, int fd)
{
	struct ela_loop *loop = console->loop;
	bool full = console->conns->len >= ELA_CONSOLE_MAX;
	struct conn *conn = g_new0(struct conn, 1);

	conn->console = console;
	conn->fd = fd;
	conn->in = g_byte_array_new();
	conn->call.reply = reply;
	conn->call.may_change = ela_access_may_change(&console->listener->access, fd);
	conn->watch = loop->ops->watch_new(loop, fd, ELA_EVENT_READ, conn_ready, conn);
	conn->timer = loop->ops->timer_new(loop, late, conn);
	g_ptr_array_add(console->conns, conn);
	enter(conn, READING);
	if (full)
		reply_and_close(conn, console->busy);
}

static void accept_ready(void *data, uint32_t events)
{
	struct ela_console *console = data;
	int fd = accept4(console->listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		console->loop->ops->watch_set(console->watch, 0);
		console->loop->ops->timer_set(console->pause, ela_loop_now(console->loop) + PAUSE_NS);
	}
	if (fd < 0)
		return; /* else it is gone again */
	/* One that is told "busy" is still a connection, until it has read that: no more than as many again. */
	if (console->conns->len >= 2 * ELA_CONSOLE_MAX)
		(void)close(fd); /* nothing was said */
	else
		add_conn(console, fd);
}

static void resume(void *data)
{
	struct ela_console *console = data;

	if (console->watch)
		console->loop->ops->watch_set(console->watch, ELA_EVENT_READ);
}

struct ela_console *ela_console_new(struct ela_loop *loop, const struct ela_listener *listener, ela_console_fn fn,
	void *data, const char *busy, const char *long_line)
{
	struct ela_console *console = g_new0(struct ela_console, 1);

	console->loop = loop;
	console->listener = listener;
	console->fn = fn;
	console->data = data;
	console->busy = busy;
	console->long_line = long_line;
	console->conns = g_ptr_array_new();
	console->watch = loop->ops->watch_new(loop, listener->fd, ELA_EVENT_READ, accept_ready, console);
	console->pause = loop->ops->timer_new(loop, resume, console);
	return console;
}

void ela_console_stop(struct ela_console *console)
{
	console->loop->ops->watch_free(console->watch);
	console->watch = NULL;
	for (guint i = 0; i < console->conns->len; i++) {
		const struct conn *conn = g_ptr_array_index(console->conns, i);

		if (conn->phase == WRITING && conn->written < conn->out->len) /* what does not fit has no time left */
			(void)!send(conn->fd, conn->out->str + conn->written, conn->out->len - conn->written, MSG_NOSIGNAL);
	}
}

void ela_console_free(struct ela_console *console)
{
	if (!console)
		return;
	console->loop->ops->watch_free(console->watch);
	console->loop->ops->timer_free(console->pause);
	while (console->conns->len)
		close_conn(g_ptr_array_index(console->conns, 0));
	g_ptr_array_unref(console->conns);
	g_free(console);
}
