/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener: the control socket in the file system: where it is, how it comes and goes, who may do what over it. Control
 * thread; made before the privilege drop (docs/adr/0018-control-socket.md).
 */
#ifndef ELA_CORE_LISTENER_H
#define ELA_CORE_LISTENER_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define ELA_LISTENER_GROUP "ela" /* owns the socket where it exists */

#define ELA_LISTENER_ERROR (g_quark_from_static_string("ela-listener"))
enum ela_listener_error {
	ELA_LISTENER_FAILED,     /* exit 1 */
	ELA_LISTENER_PERMISSION, /* exit 4 */
};

/* Who may change what elad does; everybody who can connect may ask. */
struct ela_access {
	uid_t owner; /* who started elad, beside root */
	gid_t group;
	bool has_group;
};

struct ela_listener {
	int fd;
	char *path;
	struct ela_access access;
	bool bound; /* the file at path was made by this one */
};

/* DIR/control.sock; /run/ela/NAME.sock for /var/lib/ela/NAME. g_free. */
char *ela_listener_path(const char *state_dir);

/*
 * Makes the socket, 0660 and of the group where it exists. One that nobody listens at is replaced; one where somebody
 * does is an error. NULL and *error.
 */
struct ela_listener *ela_listener_new(const char *state_dir, GError **error);
/* Closes it, and removes its file if nobody else listens there by now and that is still allowed. Takes NULL. */
void ela_listener_free(struct ela_listener *listener);

/* May who is at the other end of that connection change anything? As the kernel says, at the time of its connect(). */
bool ela_access_may_change(const struct ela_access *access, int fd);

#endif
