/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net-folders: a network founded on the disk before the tests begin, for tests of what is made from its folders. What a
 * test changes it changes in a copy. One thread; a failure of this itself ends the process.
 */
#ifndef ELA_TEST_NET_FOLDERS_H
#define ELA_TEST_NET_FOLDERS_H

#include "found.h"

#define NET_NOW 1000000u /* when it was founded */

struct net_folders {
	char *dir;            /* of everything */
	char *config, *state; /* dir/etc/lab, dir/var/lab */
};

/* "lab", 10.77.0.0/24, its user "sada" and node "a". Removed by net_folders_remove(). */
struct net_folders *net_folders_new(void);
void net_folders_remove(struct net_folders *net);
/* A copy with folders of its own inside net->dir, removed with it. */
struct net_folders *net_folders_copy(const struct net_folders *net);
void net_folders_clear(struct net_folders *copy);

/* What would found net again in these folders. */
struct ela_found net_found(const struct ela_folders *folders);
/* FOLDER/NAME, g_free; the names in a folder, sorted, blanks between, g_free. */
char *net_path(const char *folder, const char *name);
char *net_names(const char *folder);
/* All of a file. */
GBytes *net_read(const char *folder, const char *name);
void net_write(const char *folder, const char *name, const char *text);
struct ela_rsa *net_rsa(const char *folder, const char *name);

#endif
