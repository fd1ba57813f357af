/* SPDX-License-Identifier: Apache-2.0 */
/* daemon: elad's life from a checked command line to its exit code. Control thread, which is the main thread. */
#ifndef ELA_CORE_DAEMON_H
#define ELA_CORE_DAEMON_H

#include "loader.h"

/* Exit codes of elad. */
#define ELA_EXIT_OK 0
#define ELA_EXIT_FAILED 1
#define ELA_EXIT_USAGE 2
#define ELA_EXIT_PERMISSION 4
#define ELA_EXIT_CONFIG 78

#define ELA_LEVEL_BY_CONFIG UINT32_MAX

struct ela_daemon_options {
	const char *config_file;
	const char *state_dir; /* NULL = the folder of config_file */
	uint32_t log_level;    /* ELA_LOG_*, or ELA_LEVEL_BY_CONFIG */
};

/* Runs in the foreground until SIGTERM or SIGINT. Returns an exit code; what went wrong is on stderr. */
int ela_daemon_run(const struct ela_daemon_options *options, struct ela_loader *loader);

/* elad --check: silent when the file is good. Returns ELA_EXIT_OK or ELA_EXIT_CONFIG, ELA_EXIT_FAILED. */
int ela_daemon_check(const struct ela_daemon_options *options, struct ela_loader *loader);

#endif
