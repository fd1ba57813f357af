/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock: where elad may still make and replace files once it has dropped its privileges (landlock(7)). The list of
 * system calls sees a descriptor's number and no path; behind a descriptor "/etc/x" leads anywhere. Control thread.
 */
#ifndef ELA_CORE_LANDLOCK_H
#define ELA_CORE_LANDLOCK_H

/*
 * From now on this thread, and those that it starts, make, open for writing, rename and remove files in that folder
 * only. 0, a negative errno; -EOPNOTSUPP: the kernel cannot. The caller has set no_new_privs.
 */
int ela_landlock_apply(int dirfd);

#endif
