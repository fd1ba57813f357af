/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener: the control socket's file. Control thread, while it is the only one: umask and effective group change for
 * the moment of bind(), so that the file never has other rights than its last ones and no path is followed twice.
 */
#include "listener.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STATE_PARENT "/var/lib/ela/"
#define RUN_DIR "/run/ela"
#define BACKLOG 16
#define GROUPS_MAX 65536u /* NGROUPS_MAX of Linux */

static bool fail(GError **error, int err, const char *path, const char *what, const char *remedy)
{
	g_set_error(error, ELA_LISTENER_ERROR,
		err == EACCES || err == EPERM ? ELA_LISTENER_PERMISSION : ELA_LISTENER_FAILED, "%s: %s; remedy: %s", path, what,
		remedy);
	return false;
}

char *ela_listener_path(const char *state_dir)
{
	g_autofree char *dir = g_canonicalize_filename(state_dir, NULL);
	const char *name = g_str_has_prefix(dir, STATE_PARENT) ? dir + strlen(STATE_PARENT) : NULL;

	if (name && *name && !strchr(name, '/'))
		return g_strdup_printf(RUN_DIR "/%s.sock", name);
	return g_build_filename(dir, "control.sock", NULL);
}

static bool fill_address(const char *path, struct sockaddr_un *ret, GError **error)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof ret->sun_path)
		return fail(error, ENAMETOOLONG, path, "is too long for a socket's path, which has 107 bytes at most",
			"--state-dir with a shorter one");
	(void)g_strlcpy(ret->sun_path, path, sizeof ret->sun_path); /* it fits */
	return true;
}

/* ---- making ---- */

/* Does somebody listen there? 0, -ENOENT, -ECONNREFUSED: nobody; -EADDRINUSE: yes; other: cannot tell. */
static int ask(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
		err = -errno;
	(void)close(fd); /* it was only to ask */
	return err == 0 || err == -EAGAIN ? -EADDRINUSE : err;
}

/* Makes room: nothing is there, or a socket without anybody behind it. */
static bool make_room(const struct sockaddr_un *address, GError **error)
{
	const char *path = address->sun_path;
	struct stat st;
	int err;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ||
			   fail(error, errno, path, g_strerror(errno), "--state-dir with a folder that is there");
	if (!S_ISSOCK(st.st_mode))
		return fail(error, EEXIST, path, "is there and is no socket", "move it away");
	err = ask(address);
	if (err == -EADDRINUSE)
		return fail(error, -err, path, "another elad answers there",
			"end it (ela leave), or give this one a --state-dir of its own");
	if (err != -ECONNREFUSED)
		return err == -ENOENT || fail(error, -err, path, g_strerror(-err), "remove it if no elad runs there");
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(error, errno, path, g_strerror(errno), "remove it: no elad runs there");
	return true;
}

/* The file is born with its rights: 0660, and the group if we may give it. */
static int bind_with_rights(int fd, const struct sockaddr_un *address, const struct ela_access *access)
{
	mode_t mask = umask(0117);
	gid_t own = getegid();
	bool changed = access->has_group && setegid(access->group) == 0; /* else only root and the owner come in */
	int err = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;

	if (changed && setegid(own) < 0 && !err)
		err = -errno;
	(void)umask(mask); /* cannot fail */
	return err;
}

static bool open_socket(struct ela_listener *listener, GError **error)
{
	struct sockaddr_un address;
	int err;

	if (!fill_address(listener->path, &address, error) || !make_room(&address, error))
		return false;
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return fail(error, errno, listener->path, g_strerror(errno), "the kernel must have unix sockets");
	err = bind_with_rights(listener->fd, &address, &listener->access);
	if (err)
		return fail(error, -err, listener->path, g_strerror(-err), "--state-dir with a folder that elad may write to");
	listener->bound = true;
	if (listen(listener->fd, BACKLOG) < 0)
		return fail(error, errno, listener->path, g_strerror(errno), "--state-dir on another file system");
	return true;
}

struct ela_listener *ela_listener_new(const char *state_dir, GError **error)
{
	struct ela_listener *listener = g_new0(struct ela_listener, 1);
	const struct group *group = getgrnam(ELA_LISTENER_GROUP);

	listener->fd = -1;
	listener->path = ela_listener_path(state_dir);
	listener->access.owner = geteuid();
	listener->access.has_group = group != NULL;
	if (group)
		listener->access.group = group->gr_gid;
	if (g_str_has_prefix(listener->path, RUN_DIR "/"))
		(void)mkdir(RUN_DIR, 0755); /* there already, or bind() says why not */
	if (open_socket(listener, error))
		return listener;
	ela_listener_free(listener);
	return NULL;
}

/* After the drop the kernel refuses unlink(), as it should: the next elad finds nobody behind the file. */
void ela_listener_free(struct ela_listener *listener)
{
	struct sockaddr_un address;

	if (!listener)
		return;
	if (listener->fd >= 0)
		(void)close(listener->fd); /* nothing to lose */
	if (listener->bound && fill_address(listener->path, &address, NULL) && ask(&address) == -ECONNREFUSED)
		(void)unlink(listener->path); /* see above */
	g_free(listener->path);
	g_free(listener);
}

/* ---- who is there ---- */

static bool in_groups(int fd, gid_t wanted)
{
	socklen_t len = 64 * sizeof(gid_t);
	g_autofree gid_t *groups = g_malloc(len);
	bool found = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0) {
		if (errno != ERANGE || len > GROUPS_MAX * sizeof(gid_t))
			return false;
		groups = g_realloc(groups, len); /* the kernel has said how much it is; it does not grow */
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
			return false;
	}
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		found |= groups[i] == wanted;
	return found;
}

bool ela_access_may_change(const struct ela_access *access, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof peer)
		return false;
	if (peer.uid == 0 || peer.uid == access->owner)
		return true;
	return access->has_group && (peer.gid == access->group || in_groups(fd, access->group));
}
