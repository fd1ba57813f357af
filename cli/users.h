/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users: the verbs for who is in the network. Those that change something need its owner's key, which lies beside
 * ela.ini: user.pem of whoever founded it, owner-EPOCH.pem after a recovery. Each returns an exit code.
 */
#ifndef ELA_CLI_USERS_H
#define ELA_CLI_USERS_H

#include "place.h"

/* words: what follows "users", NULL-terminated: nothing or list; revoke NAME; reserve NAME NODE IP; set NAME KEY VALUE;
 * renew. */
int ela_run_users(const struct ela_network_place *place, char **words, bool json, bool colour);
/* file: of the recovery key. */
int ela_run_recover(const struct ela_network_place *place, const char *file, bool json);

#endif
