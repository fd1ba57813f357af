/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contacts: cores that this node may call when it is in no ring: those of its token at first, then those it met, the
 * latest first. On disk: the file "cores" of the state folder, as cores stand in a token. Control thread.
 */
#ifndef ELA_CORE_CONTACTS_H
#define ELA_CORE_CONTACTS_H

#include "file.h"
#include "token.h"

#define ELA_CONTACTS_MAX 64u

struct ela_contacts {
	uint32_t n;
	struct ela_token_core v[ELA_CONTACTS_MAX]; /* one core may have several places */
	bool is_written;
};

/* No file: none. 0; a file that does not check: -EBADMSG, -errno of the disk, with its name in error. */
int ela_contacts_read(struct ela_contacts *contacts, int dirfd, GError **error);
/* Writes what is not written; dirfd -1: nothing is kept. 0, -errno. */
int ela_contacts_write(struct ela_contacts *contacts, const struct ela_file_ops *ops, int dirfd);
/* It was met there: it comes first. What was not met longest gives way. True: it was not known before. */
bool ela_contacts_note(struct ela_contacts *contacts, const uint8_t key[32], const struct ela_place *place);
/* All its places go: who is out is not to be called, and no token names him. False: it had none. */
bool ela_contacts_forget(struct ela_contacts *contacts, const uint8_t key[32]);

#endif
