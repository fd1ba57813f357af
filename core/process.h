/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: what elad may still do once device and sockets are open: user, capabilities, limits, system calls, and the
 * proof that the rest is refused. Control thread, at start, before any other thread exists (capabilities are a
 * thread's).
 */
#ifndef ELA_CORE_PROCESS_H
#define ELA_CORE_PROCESS_H

#include "log.h"
#include "sandbox.h"
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define ELA_PROCESS_USER "ela" /* used without [node] user, where it exists */

#define ELA_PROCESS_ERROR (g_quark_from_static_string("ela-process"))
enum ela_process_error {
	ELA_PROCESS_FAILED,     /* exit 1: the kernel refused, or the proof failed */
	ELA_PROCESS_PERMISSION, /* exit 4 */
};

/* Who elad runs as after the drop. */
struct ela_identity {
	char name[64];  /* user name, or the number of one without a name */
	char group[64]; /* likewise */
	uid_t uid;
	gid_t gid;
	bool changes; /* from root to somebody else; false = the identity of now stays */
	bool missing; /* no user was asked for and there is no ELA_PROCESS_USER: root stays root */
};

/*
 * Looks the user up; user NULL = ELA_PROCESS_USER where it exists. Who is not root cannot change and stays who he is.
 * -ENOENT: there is no such user.
 */
int ela_process_identity(const char *user, struct ela_identity *ret);

/* True when the calling thread has CAP_NET_ADMIN in effect. */
bool ela_process_has_net_admin(void);

/*
 * Drops everything else for good, in this order: no new privileges, no core dumps, bounding and ambient set, groups,
 * user, all capabilities but CAP_NET_ADMIN (and that too if it was not there), where files may be changed, system
 * calls. Then proves it. state_fd: what ela_state_open() gave; -1: no file is ever written. On false the process is in
 * a state between: end it.
 */
bool ela_process_drop(const struct ela_identity *identity, int state_fd, struct ela_log *log, GError **error);

/*
 * The last step of the drop: tries what must be refused and, with a state folder, what must not; reads back what the
 * kernel says about every thread.
 */
bool ela_process_prove(const struct ela_identity *identity, int state_fd, GError **error);

#endif
