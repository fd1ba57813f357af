/* SPDX-License-Identifier: Apache-2.0 */
/* landlock: everything that changes a folder or a file is handled, so denied, but in one folder (see landlock.h). */
#include "landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the first version (Linux 5.13): a rename to another folder is denied by all versions. Nothing is ever truncated.
 */
#define ALL                                                                                                            \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                  \
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                     \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                  \
		LANDLOCK_ACCESS_FS_MAKE_SYM)
#define REPLACE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)

int ela_landlock_apply(int dirfd)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs = ALL};
	const struct landlock_path_beneath_attr beneath = {.allowed_access = REPLACE, .parent_fd = dirfd};
	/* the C library has no functions for these */
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0), err = 0;

	if (fd < 0) /* not built in: ENOSYS; switched off at boot: EOPNOTSUPP; a container's own list: EPERM */
		return errno == ENOSYS || errno == EPERM ? -EOPNOTSUPP : -errno;
	if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0 ||
		syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		err = -errno;
	(void)close(fd); /* what it said holds without it */
	return err;
}
