/* SPDX-License-Identifier: Apache-2.0 */
/* show: replies, of elad or of ela itself, as people read them, on stdout. */
#ifndef ELA_CLI_SHOW_H
#define ELA_CLI_SHOW_H

#include "json.h"
#include <stdbool.h>

/* colour: for a terminal. */
void ela_show_status(const struct ela_json *status, bool colour);
void ela_show_peers(const struct ela_json *reply, bool colour);
void ela_show_leases(const struct ela_json *reply, bool colour);
void ela_show_users(const struct ela_json *reply, bool colour);
/* "2026-11-27", UTC; "-" for no number. g_free. */
char *ela_show_day(double unix_s);
void ela_show_why(const struct ela_json *reply);
/* A refusal, on stderr: "ela: TEXT; remedy: REMEDY", and further errors a line each. */
void ela_show_refusal(const struct ela_json *reply);

#endif
