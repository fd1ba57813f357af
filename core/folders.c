/* SPDX-License-Identifier: Apache-2.0 */
/* folders: makes folders that are never half (see folders.h). Control thread. */
#include "folders.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	char *path;    /* in the end */
	char *working; /* until then; NULL: not made, or finished */
};

struct ela_folders {
	struct folder config, state; /* state.path NULL: it is config */
};

/* ---- one folder ---- */

/* rename(2) replaces an empty folder; this tells before anything is made that it will not replace one that is not. */
static int check_free(const char *path, GError **error)
{
	g_autofree char *ini = g_build_filename(path, ELA_INI_FILE, NULL);
	g_autoptr(GDir) dir = NULL;

	if (g_file_test(ini, G_FILE_TEST_EXISTS))
		return ela_file_fail(error, EEXIST,
			"%s has a network already, which is never overwritten; choose another folder, or remove that one", path);
	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return 0;
	dir = g_dir_open(path, 0, NULL);
	if (dir && !g_dir_read_name(dir))
		return 0;
	return ela_file_fail(
		error, EEXIST, "%s is there already and is no empty folder; choose another, or remove it", path);
}

static int make(struct folder *folder, const char *given, GError **error)
{
	g_autofree char *path = g_canonicalize_filename(given, NULL); /* without a slash at its end */
	g_autofree char *parent = g_path_get_dirname(path);
	g_autofree char *working = g_strdup_printf("%s.new-XXXXXX", path);
	int err = check_free(path, error);

	if (err != 0)
		return err;
	if (g_mkdir_with_parents(parent, 0755) != 0 || !g_mkdtemp(working))
		return ela_file_fail(error, errno, "%s cannot be made: %s%s", path, g_strerror(errno),
			errno == EACCES || errno == EROFS ? "; run as root, or choose a folder with --dir" : "");
	folder->path = g_steal_pointer(&path);
	folder->working = g_steal_pointer(&working);
	return 0;
}

static void sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd); /* not every file system can; the files are synced */
	(void)close(fd); /* read only */
}

static int finish(struct folder *folder, mode_t mode, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(folder->path);

	if (chmod(folder->working, mode) != 0 || rename(folder->working, folder->path) != 0)
		return ela_file_fail(error, errno, "%s cannot be made: %s", folder->path, g_strerror(errno));
	g_clear_pointer(&folder->working, g_free);
	sync_folder(parent);
	return 0;
}

/* Our own folder of plain files. */
static void remove_all(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		(void)unlink(file); /* what stays is told by rmdir(), to nobody: nothing more can be done */
	}
	(void)rmdir(path); /* as above */
}

/* ---- both ---- */

int ela_folders_begin(const char *config, const char *state, struct ela_folders **ret, GError **error)
{
	struct ela_folders *folders = g_new0(struct ela_folders, 1);
	int err = make(&folders->config, config, error);

	if (err == 0 && state && strcmp(state, config) != 0)
		err = make(&folders->state, state, error);
	if (err == 0)
		*ret = folders;
	else
		ela_folders_free(folders);
	return err;
}

const char *ela_folders_config(const struct ela_folders *folders)
{
	return folders->config.working;
}

const char *ela_folders_state(const struct ela_folders *folders)
{
	return folders->state.path ? folders->state.working : folders->config.working;
}

int ela_folders_finish(struct ela_folders *folders, GError **error)
{
	int err = folders->state.path ? finish(&folders->state, 0750, error) : 0;

	if (err == 0)
		err = finish(&folders->config, 0755, error);
	if (err != 0 && folders->state.path && !folders->state.working)
		remove_all(folders->state.path); /* a state without its network would be in the way of the next try */
	return err;
}

static void clear(struct folder *folder)
{
	if (folder->working)
		remove_all(folder->working);
	g_free(folder->working);
	g_free(folder->path);
}

void ela_folders_free(struct ela_folders *folders)
{
	if (!folders)
		return;
	clear(&folders->config);
	clear(&folders->state);
	g_free(folders);
}
