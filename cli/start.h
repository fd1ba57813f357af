/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start: the end of init and join: elad is started in the network whose files were just made, by its systemd unit or in
 * the background, and watched until its node is in.
 */
#ifndef ELA_CLI_START_H
#define ELA_CLI_START_H

#include "enter.h"

/* What has come of it. */
struct ela_started {
	char *address, *role; /* as its status has them; NULL: nothing was started */
	char *log;            /* the file, or how to read the journal */
	double seconds;
};

/* Before anything is made. NULL: elad can be started, or is not to be; else why not. */
GString *ela_start_check(const struct ela_enter *enter);
/* NULL: the node is in, or nothing was to be started. Else why not; what is to be read of the log is on stderr. */
GString *ela_start(const struct ela_enter *enter, const struct ela_site *site, struct ela_started *ret);
void ela_started_clear(struct ela_started *started);

/* For people, on stderr. Nothing when nothing was started. */
void ela_started_tell(const struct ela_started *started);
/* "started":{"address","role","seconds","log"}, or null */
void ela_started_put(GString *reply, const struct ela_started *started);

#endif
