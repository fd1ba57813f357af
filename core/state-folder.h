/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state-folder: the folder in which a node of a network with a ring keeps what it learns, and whose it is: elad writes
 * there after the drop, so it belongs to whoever elad is by then. Control thread, before the drop.
 */
#ifndef ELA_CORE_STATE_FOLDER_H
#define ELA_CORE_STATE_FOLDER_H

#include "process.h"

/*
 * Opens the folder for reading, and for core/file.h after the drop. A folder of root is given to the identity, and with
 * it the files that elad replaces: by name, regular, root's, with no other name anywhere; keys and ela.ini, which may
 * lie there too, are not. The descriptor, which is not closed before the process ends (the system call list names its
 * number), or a negative errno with error (ELA_PROCESS_ERROR): a symbolic link, a folder that others can write to, or
 * one that is neither root's nor the identity's.
 */
int ela_state_open(const char *dir, const struct ela_identity *identity, GError **error);

#endif
