/* SPDX-License-Identifier: Apache-2.0 */
/* log: one event a line on stderr, with journald priorities when stderr is the journal. Any thread but lanes. */
#ifndef ELA_CORE_LOG_H
#define ELA_CORE_LOG_H

#include <ela/host.h>
#include <glib.h>

struct ela_log;

/* "error", "warn", "info", "debug", "trace" -> ELA_LOG_*; -EINVAL. */
int ela_log_level_parse(const char *text, uint32_t *ret_level);

/*
 * A log that writes lines of level and below through write(data, line) or, with write NULL, to stderr. Owned by the
 * caller. now_ns is the clock of the rate limit (the node's loop clock).
 */
struct ela_log *ela_log_new(uint32_t level, void (*write)(void *data, const char *line), void *data);
void ela_log_free(struct ela_log *log);
void ela_log_set_level(struct ela_log *log, uint32_t level);
uint32_t ela_log_level(const struct ela_log *log);
/* How many lines of level error were written: whether somebody has said already what went wrong. */
uint64_t ela_log_errors(const struct ela_log *log);

/* One line: "LEVEL SUBSYSTEM: text". text is "event key=value ..." by habit; control bytes in it are replaced by '?'.
 */
void ela_logf(struct ela_log *log, uint32_t level, const char *subsystem, const char *format, ...) G_GNUC_PRINTF(4, 5);

/*
 * For what a remote can trigger: at most one line a second for each format string (its address is the kind); the next
 * line that passes says how many were left out. now_ns is monotonic.
 */
void ela_logf_limited(struct ela_log *log, uint64_t now_ns, uint32_t level, const char *subsystem, const char *format,
	...) G_GNUC_PRINTF(5, 6);

#endif
