/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: connections of the control socket: one request a line in, one reply a line out. Control thread. It knows
 * nothing of what is asked: verbs.h does.
 *
 * Limits: 8 connections, 4 KiB a request (704 KiB of who may change something), 10 s for a request to come, for its
 * reply to be found and for the reply to be read. One request at a time; the next is read when the reply is out.
 */
#ifndef ELA_CORE_CONSOLE_H
#define ELA_CORE_CONSOLE_H

#include "listener.h"
#include "loop.h"

#define ELA_CONSOLE_MAX 8u
#define ELA_REQUEST_MAX 4096u                 /* bytes, the end of line included */
#define ELA_REQUEST_MAX_CHANGE (704u * 1024u) /* of who may change something: the largest signed object in base64 */

struct ela_console;

/* A request that waits for its reply. */
struct ela_call {
	bool may_change; /* who asks: see struct ela_access */
	/* Set by who answers later: called when there is nobody to answer any more. NULL = nothing to do. */
	void (*cancel)(void *data);
	void *cancel_data;
	/* Takes the reply, one JSON value without its end of line; afterwards the call is gone. TAKES text. */
	void (*reply)(struct ela_call *call, GString *text);
};

/* Called with each line, without its end; the call is to be answered, at once or later. line[len] is 0. */
typedef void (*ela_console_fn)(void *data, struct ela_call *call, const char *line, size_t len);

/* busy: the reply for those who come while all connections are taken; long_line: for a line that is too long. */
struct ela_console *ela_console_new(struct ela_loop *loop, const struct ela_listener *listener, ela_console_fn fn,
	void *data, const char *busy, const char *long_line);
/*
 * Nobody new comes in (the listener may go), and replies that are ready are written as far as they go at once.
 * Connections stay open until ela_console_free(): who asked elad to leave sees by that when it has.
 */
void ela_console_stop(struct ela_console *console);
/* Closes all connections; what waits is cancelled. Takes NULL. */
void ela_console_free(struct ela_console *console);

#endif
