/* SPDX-License-Identifier: Apache-2.0 */
/* verbs: those of ela that are more than one question and its reply. Each returns an exit code. */
#ifndef ELA_CLI_VERBS_H
#define ELA_CLI_VERBS_H

#include "talk.h"

/* One ping a second; count 0 = until SIGINT. */
int ela_run_ping(const struct ela_network_place *place, const char *node, uint32_t count, bool json);
/* elad --check and elad --list-plugins on the network's ini; plugin_dirs as of elad, NULL-terminated. */
int ela_run_check(const struct ela_network_place *place, const char *elad, char **plugin_dirs, bool json);
int ela_run_plugins(const char *elad, char **plugin_dirs, bool json);

/* Says why not; its code. TAKES refusal. */
int ela_run_fail(GString *refusal, bool json);
/* Shows a refusal, as JSON on stdout or for people on stderr; its code. */
int ela_run_refuse(const struct ela_answer *answer, bool json);

#endif
