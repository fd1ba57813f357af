/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folders: where a network that is founded or joined will have its files: a folder of configuration and keys, and the
 * state folder, or one for both. They are filled under other names beside, and are there all at once or not at all.
 * Control thread.
 */
#ifndef ELA_CORE_FOLDERS_H
#define ELA_CORE_FOLDERS_H

#include <glib.h>

/* Files of the first folder. Secrets are 0600, ela.ini is 0644. */
#define ELA_INI_FILE "ela.ini"
#define ELA_NODE_KEY_FILE "node.key"      /* X25519: sessions */
#define ELA_SIGN_KEY_FILE "node-sign.key" /* Ed25519: records */
#define ELA_USER_KEY_FILE "user.pem"      /* RSA: the user's, for the founder also the owner's; elad never reads it */
#define ELA_RECOVERY_KEY_FILE "recovery.pem"
/* Files of the state folder, beside those of core/membership-store.c */
#define ELA_CREDENTIAL_FILE "credential" /* of this node; the object */
#define ELA_CLAIM_FILE "claim"           /* by which it asks to be let in; the object */
#define ELA_CORES_FILE "cores"           /* that it may ask, with their keys; token.h */
#define ELA_DIALS_FILE "dials"           /* whom elad calls, for `ela invite --dial`; dials.h */
#define ELA_SLOTS_FILE "slots"           /* given to further machines by tokens that are out; invite.c */

struct ela_folders;

/*
 * Makes the folders under their other names. state NULL, or the same as config: one folder. What is above them is made
 * too. 0, or a negative errno with error (G_FILE_ERROR); -EEXIST: one of the two is there and not empty.
 */
int ela_folders_begin(const char *config, const char *state, struct ela_folders **ret, GError **error);
/* Where to write until the end. */
const char *ela_folders_config(const struct ela_folders *folders);
const char *ela_folders_state(const struct ela_folders *folders);
/* Gives them their names: the state first, for ela.ini is what makes a network. As begin. */
int ela_folders_finish(struct ela_folders *folders, GError **error);
/* Removes what was not finished. Takes NULL. */
void ela_folders_free(struct ela_folders *folders);

#endif
