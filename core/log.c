/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: formats one event a line, filters by level, limits what a remote can trigger, and writes the line with one
 * write(2) so that lines of several threads never mix. Any thread but lanes.
 */
#include "log.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024u
#define LIMIT_SLOTS 64u
#define LIMIT_INTERVAL_NS 1000000000ull

/* One kind of remotely triggered line. */
struct limit {
	const char *format; /* its address is the kind; NULL = free */
	uint64_t last_ns;   /* when a line of the kind passed last */
	uint64_t left_out;  /* how many have not passed since */
};

struct ela_log {
	uint32_t level; /* atomic: changed at run time by control, read by any thread */
	bool is_journal;
	void (*write)(void *data, const char *line);
	void *data;
	uint64_t errors;      /* atomic: lines of level error */
	pthread_mutex_t lock; /* guards limits; not a GMutex, whose futex ThreadSanitizer does not see */
	struct limit limits[LIMIT_SLOTS];
};

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};
/* sd-daemon(3): <3> error, <4> warning, <6> info, <7> debug. */
static const char journal_priorities[] = {'3', '4', '6', '7', '7'};

int ela_log_level_parse(const char *text, uint32_t *ret_level)
{
	for (uint32_t i = 0; i < G_N_ELEMENTS(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* systemd sets JOURNAL_STREAM to "device:inode" of the stream it gave; a redirected stderr no longer matches. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) != 0)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

struct ela_log *ela_log_new(uint32_t level, void (*write)(void *data, const char *line), void *data)
{
	struct ela_log *log = g_new0(struct ela_log, 1);

	(void)pthread_mutex_init(&log->lock, NULL); /* cannot fail with default attributes on Linux */
	log->write = write;
	log->data = data;
	log->is_journal = write == NULL && stderr_is_journal();
	ela_log_set_level(log, level);
	return log;
}

void ela_log_free(struct ela_log *log)
{
	if (log == NULL)
		return;
	(void)pthread_mutex_destroy(&log->lock); /* nobody holds it */
	g_free(log);
}

void ela_log_set_level(struct ela_log *log, uint32_t level)
{
	__atomic_store_n(&log->level, MIN(level, ELA_LOG_TRACE), __ATOMIC_RELAXED);
}

uint32_t ela_log_level(const struct ela_log *log)
{
	return __atomic_load_n(&log->level, __ATOMIC_RELAXED);
}

uint64_t ela_log_errors(const struct ela_log *log)
{
	return __atomic_load_n(&log->errors, __ATOMIC_RELAXED);
}

/* What a remote or a plugin put into the text must not steer a terminal: C0, DEL and the C1 codes of UTF-8. */
static void mask_controls(char *line)
{
	for (unsigned char *p = (unsigned char *)line; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			*p = '?';
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			p[0] = '?';
			p[1] = '?';
		}
	}
}

static void write_stderr(const struct ela_log *log, uint32_t level, const char *line)
{
	char buf[LINE_MAX_LEN + 8];
	const char *p = buf;
	int len;

	if (log->is_journal)
		len = snprintf(buf, sizeof buf, "<%c>%s\n", journal_priorities[level], line);
	else
		len = snprintf(buf, sizeof buf, "%s\n", line);
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, p, (size_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* stderr is gone or full: there is nowhere left to say so */
		p += n;
		len -= (int)n;
	}
}

static void emit(struct ela_log *log, uint32_t level, const char *subsystem, uint64_t left_out, const char *format,
	va_list args) G_GNUC_PRINTF(5, 0);

static void emit(
	struct ela_log *log, uint32_t level, const char *subsystem, uint64_t left_out, const char *format, va_list args)
{
	char line[LINE_MAX_LEN];
	char tail[40] = "";
	size_t room = sizeof line;
	int head;

	if (left_out > 0) {
		(void)snprintf(tail, sizeof tail, " left-out=%" G_GUINT64_FORMAT, left_out); /* 40 bytes hold any count */
		room -= strlen(tail);
	}
	head = snprintf(line, room, "%s %s: ", level_names[level], subsystem);
	if (head > 0 && (size_t)head < room)
		(void)vsnprintf(line + head, room - (size_t)head, format, args); /* a cut line is still a line */
	g_strlcat(line, tail, sizeof line);
	mask_controls(line);
	if (level == ELA_LOG_ERROR)
		(void)__atomic_fetch_add(&log->errors, 1, __ATOMIC_RELAXED);
	if (log->write != NULL)
		log->write(log->data, line);
	else
		write_stderr(log, level, line);
}

void ela_logf(struct ela_log *log, uint32_t level, const char *subsystem, const char *format, ...)
{
	va_list args;

	level = MIN(level, ELA_LOG_TRACE);
	if (level > ela_log_level(log))
		return;
	va_start(args, format);
	emit(log, level, subsystem, 0, format, args);
	va_end(args);
}

/* The slot of format; a full table gives up the kind that has been quiet for the longest. */
static struct limit *limit_slot(struct ela_log *log, const char *format)
{
	struct limit *victim = &log->limits[0];

	for (uint32_t i = 0; i < LIMIT_SLOTS; i++) {
		struct limit *limit = &log->limits[i];

		if (limit->format == format)
			return limit;
		if (limit->format == NULL) {
			limit->format = format;
			return limit;
		}
		if (limit->last_ns < victim->last_ns)
			victim = limit;
	}
	*victim = (struct limit){.format = format};
	return victim;
}

static bool limit_passes(struct ela_log *log, const char *format, uint64_t now_ns, uint64_t *ret_left_out)
{
	struct limit *limit;
	bool passes;

	(void)pthread_mutex_lock(&log->lock); /* a default mutex cannot fail */
	limit = limit_slot(log, format);
	/* last_ns 0 = never passed; a virtual clock starts at 0 too, hence the + 1 */
	passes = limit->last_ns == 0 || now_ns + 1 >= limit->last_ns + LIMIT_INTERVAL_NS;
	if (passes) {
		*ret_left_out = limit->left_out;
		limit->left_out = 0;
		limit->last_ns = now_ns + 1;
	} else {
		limit->left_out++;
	}
	(void)pthread_mutex_unlock(&log->lock);
	return passes;
}

void ela_logf_limited(
	struct ela_log *log, uint64_t now_ns, uint32_t level, const char *subsystem, const char *format, ...)
{
	uint64_t left_out = 0;
	va_list args;

	level = MIN(level, ELA_LOG_TRACE);
	if (level > ela_log_level(log) || !limit_passes(log, format, now_ns, &left_out))
		return;
	va_start(args, format);
	emit(log, level, subsystem, left_out, format, args);
	va_end(args);
}
