/* SPDX-License-Identifier: Apache-2.0 */
/* file: writes and reads files that must never be half (see file.h). Keeps nothing between calls. Control thread. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const struct ela_file_ops ela_file_system = {.write = write, .fsync = fsync, .rename = renameat};

int ela_file_fail(GError **error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error != NULL)
		*error = g_error_new_valist(G_FILE_ERROR, (gint)g_file_error_from_errno(err), format, args);
	va_end(args);
	return -err;
}

static int write_all(const struct ela_file_ops *ops, int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = ops->write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The whole content on the disk under a name of its own. 0 or errno. */
static int put_temporary(const struct ela_file_ops *ops, int dirfd, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return errno;
	err = fchmod(fd, 0600) != 0 ? errno : write_all(ops, fd, bytes, len); /* whatever the umask */
	if (err == 0 && ops->fsync(fd) != 0)
		err = errno;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err != 0)
		(void)unlinkat(dirfd, name, 0); /* ours; if it stays it is 0600 and harmless */
	return err;
}

/* link(2) never replaces, so an existing file stays, and a crash leaves nothing half under the real name. 0 or errno.
 */
static int finish_new(int dirfd, const char *temporary, const char *name)
{
	int err = linkat(dirfd, temporary, dirfd, name, 0) != 0 ? errno : 0;

	(void)unlinkat(dirfd, temporary, 0); /* as above */
	if (err == 0)
		(void)fsync(dirfd); /* not every file system can; the file itself is synced */
	return err;
}

static int finish_replace(const struct ela_file_ops *ops, int dirfd, const char *temporary, const char *name)
{
	if (ops->rename(dirfd, temporary, dirfd, name) != 0) {
		int err = errno;

		(void)unlinkat(dirfd, temporary, 0); /* as above */
		return err;
	}
	return ops->fsync(dirfd) != 0 && errno != EINVAL ? errno : 0; /* EINVAL: this file system syncs no folders */
}

int ela_file_put(
	const struct ela_file_ops *ops, int dirfd, const char *name, enum ela_file_how how, const void *bytes, size_t len)
{
	g_autofree char *temporary = g_strdup_printf(".%s.%08x", name, g_random_int());
	int err = put_temporary(ops, dirfd, temporary, bytes, len);

	if (err == 0)
		err = how == ELA_FILE_NEW ? finish_new(dirfd, temporary, name) : finish_replace(ops, dirfd, temporary, name);
	return -err;
}

/* Reads up to room bytes; -errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t room)
{
	size_t done = 0;

	while (done < room) {
		ssize_t n = read(fd, buf + done, room - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int ela_file_get(int dirfd, const char *name, size_t max_bytes, GBytes **ret)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK); /* may be a FIFO */
	g_autofree uint8_t *buf = NULL;
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		n = -errno;
	else if (!S_ISREG(st.st_mode))
		n = -EINVAL;
	else if ((uint64_t)st.st_size > max_bytes)
		n = -EFBIG;
	else
		n = read_all(fd, buf = g_malloc((size_t)st.st_size + 1), (size_t)st.st_size + 1);
	(void)close(fd); /* read only: nothing can be lost */
	if (n < 0)
		return (int)n;
	if (n != st.st_size)
		return -EAGAIN; /* somebody writes it, who must not */
	*ret = g_bytes_new_take(g_steal_pointer(&buf), (size_t)n);
	return 0;
}

static int check_secret(const char *file, int fd, GError **error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return ela_file_fail(error, errno, "cannot be examined: %s", g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ela_file_fail(error, EINVAL, "not a regular file; expected a key file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return ela_file_fail(error, EPERM, "owned by uid %u; expected uid %u or root: chown %u %s", (unsigned)st.st_uid,
			(unsigned)geteuid(), (unsigned)geteuid(), file);
	if ((st.st_mode & 077) != 0)
		return ela_file_fail(error, EPERM, "mode is %04o, open to group or others; expected 0600: chmod 600 %s",
			(unsigned)(st.st_mode & 07777), file);
	return 0;
}

static int fail_to_open(const char *file, int err, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(file);
	g_autofree char *name = g_path_get_basename(file);

	if (err == ENOENT && g_str_has_suffix(name, ".key")) {
		name[strlen(name) - strlen(".key")] = '\0';
		return ela_file_fail(error, err, "is not there; make it: elad keygen %s %s", dir, name);
	}
	if (err == ENOENT)
		return ela_file_fail(error, err, "is not there; make one: elad keygen %s NAME makes %s/NAME.key", dir, dir);
	return ela_file_fail(error, err, "cannot be opened: %s%s", g_strerror(err), err == EACCES ? "; run as root" : "");
}

int ela_file_get_secret(const char *file, char *buf, size_t room, size_t *ret_len, GError **error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* not blocking: may be a FIFO */
	ssize_t n = 0;
	int err;

	if (fd < 0)
		return fail_to_open(file, errno, error);
	err = check_secret(file, fd, error);
	if (err == 0)
		n = read_all(fd, (uint8_t *)buf, room);
	(void)close(fd); /* read only: nothing can be lost */
	if (n < 0)
		err = ela_file_fail(error, (int)-n, "cannot be read: %s", g_strerror((int)-n));
	if (err == 0)
		*ret_len = (size_t)n;
	return err;
}
