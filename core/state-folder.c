/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state-folder: makes the state folder elad's own (see state-folder.h). Control thread.
 *
 * Giving files away as root is done once: while the folder is still root's, nobody else can have put anything into it.
 * Later whoever it was given to could have moved root's keys, where they lie in the same folder, to the name of a file
 * that is given. So the folder itself is given last, and one that was given is only looked at.
 */
#include "state-folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

/* What elad replaces. A file that is not named here stays root's: elad can replace it, but not read it, after the drop.
 */
static const char *const names[] = {"genesis", "revoked", "list", "forks", "enrolments", "credentials", "credential",
	"claim", "cores", "record", "leases", "dials"};

static int fail(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);

static int fail(GError **error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error)
		*error = g_error_new_valist(ELA_PROCESS_ERROR,
			err == EACCES || err == EPERM ? ELA_PROCESS_PERMISSION : ELA_PROCESS_FAILED, format, args);
	va_end(args);
	return -err;
}

/* Opened first and judged by what was opened: a name can lead elsewhere the next time. 0, -errno. */
static int give_file(int dirfd, const char *name, const struct ela_identity *identity)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) != 0)
		err = -errno;
	else if (S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 &&
			 fchownat(fd, "", identity->uid, identity->gid, AT_EMPTY_PATH) != 0)
		err = -errno;
	(void)close(fd); /* a path, not a file */
	return err;
}

static int give(int fd, const char *dir, const struct ela_identity *identity, GError **error)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < G_N_ELEMENTS(names); i++) {
		err = give_file(fd, names[i], identity);
		if (err != 0)
			return fail(error, -err, "%s/%s: cannot be given to %s: %s; remedy: chown %s it and its folder", dir,
				names[i], identity->name, g_strerror(-err), identity->name);
	}
	if (fchown(fd, identity->uid, identity->gid) != 0)
		return fail(error, errno, "%s: cannot be given to %s: %s; remedy: chown %s %s", dir, identity->name,
			g_strerror(errno), identity->name, dir);
	return 0;
}

static int check(int fd, const char *dir, const struct ela_identity *identity, GError **error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(error, errno, "%s: cannot be examined: %s", dir, g_strerror(errno));
	if ((st.st_mode & 022) != 0)
		return fail(error, EPERM,
			"%s: mode is %04o, so group or others could change who is a member; remedy: chmod go-w %s", dir,
			(unsigned)(st.st_mode & 07777), dir);
	if (st.st_uid == identity->uid)
		return 0;
	if (st.st_uid != 0)
		return fail(error, EPERM, "%s: belongs to uid %u, and elad runs as %s; remedy: chown -hR root: %s", dir,
			(unsigned)st.st_uid, identity->name, dir);
	if (!identity->changes)
		return fail(error, EPERM,
			"%s: belongs to root, and elad runs as %s; remedy: chown %s %s, or start elad as root", dir, identity->name,
			identity->name, dir);
	return give(fd, dir, identity, error);
}

int ela_state_open(const char *dir, const struct ela_identity *identity, GError **error)
{
	g_autofree char *path = g_canonicalize_filename(dir, NULL); /* behind a slash at its end a link would be followed */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0) {
		err = errno;
		if (g_file_test(path, G_FILE_TEST_IS_SYMLINK))
			return fail(error, ELOOP, "%s: is a symbolic link; remedy: --state-dir with the folder it leads to", path);
		return fail(error, err, "%s: cannot be opened: %s; remedy: %s", path, g_strerror(err),
			err == EACCES ? "start elad as root" : "--state-dir with a folder that is there");
	}
	err = check(fd, path, identity, error);
	if (err == 0)
		return fd;
	(void)close(fd); /* read only */
	return err;
}
