/* SPDX-License-Identifier: Apache-2.0 */
/* place: which network is meant, and where its files and its control socket are. */
#ifndef ELA_CLI_PLACE_H
#define ELA_CLI_PLACE_H

#include "request.h"
#include <stdbool.h>

#define ELA_PLACE_ETC "/etc/ela"
#define ELA_PLACE_STATE "/var/lib/ela"

struct ela_network_place {
	char *config_dir, *state_dir; /* the same with --dir */
	char *ini;
	char *socket;
	char *start; /* the command that starts its elad, for people */
};

/*
 * By --dir, by --network, or without both the only network under etc: etc itself if it has an ela.ini, and each folder
 * in it that has one. False: *ret_refusal says why.
 */
bool ela_place_find(
	const char *etc, const char *dir, const char *network, struct ela_network_place *ret, GString **ret_refusal);
void ela_place_clear(struct ela_network_place *place);

#endif
