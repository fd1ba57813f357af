/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: small files that must be on the disk whole or not at all: private keys and the state folder. The calls that can
 * fail for want of room stand in a table, so that a test makes them fail. Control thread.
 */
#ifndef ELA_CORE_FILE_H
#define ELA_CORE_FILE_H

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

struct ela_file_ops {
	ssize_t (*write)(int fd, const void *bytes, size_t len);
	int (*fsync)(int fd);
	int (*rename)(int from_dir, const char *from, int to_dir, const char *to);
};

extern const struct ela_file_ops ela_file_system; /* the system's own calls */

enum ela_file_how {
	ELA_FILE_NEW,     /* -EEXIST when there is one; it is never touched */
	ELA_FILE_REPLACE, /* the old content or the new one, whatever happens; also -errno when the folder cannot be synced
					   */
};

/* Writes dirfd/name, mode 0600 whatever the umask: temporary file, fsync, link or rename, fsync of the folder. 0,
 * -errno. */
int ela_file_put(
	const struct ela_file_ops *ops, int dirfd, const char *name, enum ela_file_how how, const void *bytes, size_t len);

/* All of dirfd/name. 0; -ENOENT; -EFBIG above max_bytes; -errno. *ret: g_bytes_unref. */
int ela_file_get(int dirfd, const char *name, size_t max_bytes, GBytes **ret);

/*
 * Up to room bytes of a file that holds a secret: a regular file of root or of the user running, without mode bits for
 * group and others. The caller wipes buf, also after a failure. 0, or a negative errno with error (G_FILE_ERROR; the
 * message does not name the file).
 */
int ela_file_get_secret(const char *file, char *buf, size_t room, size_t *ret_len, GError **error);

/* Sets error (G_FILE_ERROR) and returns -err. */
int ela_file_fail(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);

#endif
