/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader-file: who could have put a plugin's bytes there? Only root and the user that runs may own or be able to change
 * the file, its folder and every folder above. Control thread.
 */
#include "loader-priv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool owner_is_trusted(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool check_owner(const char *path, const struct stat *st, GError **error)
{
	g_autofree char *wanted = NULL;

	if (owner_is_trusted(st))
		return true;
	wanted = g_strdup_printf("root%s: chown root %s", geteuid() == 0 ? "" : " or the user that runs elad", path);
	return ela_loader_refuse(error, path, "owner", wanted, "uid %u", (unsigned)st->st_uid);
}

/* Always false. allowed: what else is fine, behind a comma, or "". */
static bool refuse_mode(const char *path, const char *what, const struct stat *st, const char *allowed, GError **error)
{
	g_autofree char *wanted = g_strdup_printf("not writable by group or others%s: chmod go-w %s", allowed, path);

	return ela_loader_refuse(error, path, what, wanted, "%04o", (unsigned)(st->st_mode & 07777));
}

/* A sticky folder lets nobody rename or remove what is another's, so what is inside is judged by its own owner. */
static bool check_folder(const char *path, GError **error)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return ela_loader_refuse(error, path, "folder", "one that can be examined", "%s", g_strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return ela_loader_refuse(error, path, "folder", "a folder", "something else (exchanged?)");
	if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)
		return refuse_mode(path, "folder's mode", &st, ", or sticky", error);
	return check_owner(path, &st, error);
}

/* folder is a real path: no component is a symbolic link. */
static bool check_folders(const char *folder, GError **error)
{
	g_autofree char *path = g_strdup(folder);

	for (;;) {
		char *slash = strrchr(path, '/');

		if (!check_folder(path, error))
			return false;
		if (slash == NULL || strcmp(path, "/") == 0)
			return true;
		slash[slash == path ? 1 : 0] = '\0';
	}
}

static bool check_open_file(const char *path, int fd, GError **error)
{
	char magic[4] = "";
	struct stat st;

	if (fstat(fd, &st) != 0)
		return ela_loader_refuse(error, path, "file", "one that can be examined", "%s", g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ela_loader_refuse(
			error, path, "file", "a regular file", "%s", S_ISDIR(st.st_mode) ? "a folder" : "a special file");
	if ((st.st_mode & 022) != 0)
		return refuse_mode(path, "file's mode", &st, "", error);
	if (!check_owner(path, &st, error))
		return false;
	if (pread(fd, magic, sizeof magic, 0) != (ssize_t)sizeof magic || memcmp(magic, "\177ELF", sizeof magic) != 0) {
		g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_PLUGIN,
			"%s: content: found something else, wanted a shared object (ELF)", path);
		return false;
	}
	return true;
}

int ela_loader_open_file(const char *path, char **ret_real_path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *base = g_path_get_basename(path);
	char *real_folder = realpath(folder, NULL); /* libc's, not GLib's memory */
	g_autofree char *real = NULL;
	struct stat st;
	int fd;

	if (real_folder == NULL) {
		g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_FOUND, "%s: %s", folder, g_strerror(errno));
		return -1;
	}
	real = g_build_filename(real_folder, base, NULL);
	/* a folder matters only once something would be taken from it */
	if (lstat(real, &st) != 0 && errno == ENOENT) {
		g_set_error(error, ELA_LOADER_ERROR, ELA_LOADER_NOT_FOUND, "%s: no such file", real);
		free(real_folder);
		return -1;
	}
	if (!check_folders(real_folder, error)) {
		free(real_folder);
		return -1;
	}
	free(real_folder);
	/* not blocking: it may be a FIFO until it is checked */
	fd = open(real, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ELOOP) {
		(void)ela_loader_refuse(error, real, "file", "a regular file", "a symbolic link"); /* always false */
		return -1;
	}
	if (fd < 0) {
		g_set_error(error, ELA_LOADER_ERROR, errno == ENOENT ? ELA_LOADER_NOT_FOUND : ELA_LOADER_REFUSED,
			"%s: cannot be opened: found \"%s\", wanted a readable file", real, g_strerror(errno));
		return -1;
	}
	if (!check_open_file(real, fd, error)) {
		(void)close(fd); /* read only */
		return -1;
	}
	*ret_real_path = g_steal_pointer(&real);
	return fd;
}
