/* SPDX-License-Identifier: Apache-2.0 */
/* start: runs elad and waits for its node (see start.h). */
#include "start.h"
#include "file.h"
#include "format.h"
#include "process.h"
#include "talk.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ANSWERS_US (10 * G_USEC_PER_SEC) /* until its control socket answers */
#define IN_S 30                          /* until its node is in, without --timeout */
#define IN_MAX_S 86400
#define ENDS_US (2 * G_USEC_PER_SEC) /* for an elad that is told to end */
#define TURN_US 50000
#define LOG_MAX 4096 /* bytes of the log's end that are read, and how many lines of them are shown */
#define LOG_LINES 10u
#define UNIT "elad@"
#define PID_FILE "elad.pid"
#define SYSTEMD "/run/systemd/system" /* there while systemd is what runs this machine: sd_booted(3) */

/* One elad on its way. */
struct run {
	const struct ela_enter *enter;
	struct ela_network_place place;
	GPtrArray *words; /* char *, the command that starts it, NULL at the end */
	char *unit;       /* systemd runs it; NULL: it is a child of ours */
	pid_t pid;        /* 0: none */
	char *log;        /* the file; NULL with a unit */
	off_t log_from;   /* what is behind is this one's */
	gint64 began_us, timeout_us;
};

/* ---- what can be said before ---- */

static bool read_timeout(const struct ela_enter *enter, gint64 *ret_us)
{
	int64_t ns = IN_S * INT64_C(1000000000);

	if (enter->timeout && (ela_value_duration(enter->timeout, &ns) != 0 || ns < INT64_C(1000000000) ||
							  ns > IN_MAX_S * INT64_C(1000000000)))
		return false;
	*ret_us = ns / 1000;
	return true;
}

/* Its exit code, or -1; what it wrote to both of its outputs in *ret, g_free. */
static int ask_program(const char *const *words, char **ret)
{
	g_autofree char *out = NULL, *err = NULL;
	int status = 0;

	*ret = NULL;
	if (!g_spawn_sync(
			NULL, (char **)(uintptr_t)words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, NULL))
		return -1; /* not installed */
	*ret = g_strconcat(out, err, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The unit knows the folders of networks without --dir, and the elad that was installed with it. */
static bool has_unit(const struct ela_enter *enter)
{
	static const char *const words[] = {"systemctl", "cat", UNIT ".service", NULL};
	g_autofree char *said = NULL;

	return !enter->dir && !enter->elad && !*enter->plugin_dirs && g_file_test(SYSTEMD, G_FILE_TEST_IS_DIR) &&
		   ask_program(words, &said) == 0;
}

static const char *elad_file(const struct ela_enter *enter)
{
	return enter->elad ? enter->elad : ELA_ELAD_FILE;
}

GString *ela_start_check(const struct ela_enter *enter)
{
	const char *elad = elad_file(enter);
	gint64 timeout_us;

	if (!read_timeout(enter, &timeout_us))
		return ela_refusal(
			ELA_CODE_USAGE, NULL, "--timeout %s: expected a duration 1s..1d such as 30s", enter->timeout);
	if (enter->no_start || has_unit(enter))
		return NULL;
	if (access(elad, X_OK) != 0)
		return ela_refusal(errno == ENOENT ? ELA_CODE_NOT_FOUND : ELA_CODE_FAILED,
			"--elad FILE, or --no-start, which only makes the files", "%s: %s", elad, g_strerror(errno));
	if (!ela_process_has_net_admin() && getxattr(elad, "security.capability", NULL, 0) < 0)
		return ela_refusal(ELA_CODE_PERMISSION, "as root, or --no-start, which only makes the files",
			"you may not start elad: it needs CAP_NET_ADMIN");
	return NULL;
}

/* ---- why it did not come up ---- */

/* The last lines that this elad wrote; g_free. */
static char *read_log(const struct run *run)
{
	int fd = open(run->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = MAX(run->log_from, size - LOG_MAX);
	char text[LOG_MAX + 1];
	ssize_t n = fd >= 0 ? pread(fd, text, LOG_MAX, from) : 0;

	if (fd >= 0)
		(void)close(fd); /* read only */
	text[MAX(n, 0)] = '\0';
	return g_strdup(text);
}

static char *read_journal(const struct run *run)
{
	const char *const words[] = {"journalctl", "--no-pager", "-o", "cat", "-n", "10", "-u", run->unit, NULL};
	char *said;

	(void)ask_program(words, &said); /* what it says is all there is, also when it fails */
	return said ? said : g_strdup("");
}

static char *log_place(const struct run *run)
{
	return run->log ? g_strdup(run->log) : g_strdup_printf("journalctl -u %s", run->unit);
}

/* For people on stderr; *ret_last, g_free: its last line, "" when there is none. */
static void show_log(const struct run *run, char **ret_last)
{
	g_autofree char *text = run->log ? read_log(run) : read_journal(run), *place = log_place(run);
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
	guint n = g_strv_length(lines);

	*ret_last = g_strdup(n ? lines[n - 1] : "");
	if (n == 0 || run->enter->json)
		return;
	(void)fprintf(stderr, "ela: what elad said (%s):\n", place); /* there is nowhere else to say it */
	for (guint i = n > LOG_LINES ? n - LOG_LINES : 0; i < n; i++) {
		g_autofree char *line = ela_format_text(lines[i]);

		(void)fprintf(stderr, "  %s\n", line); /* as above */
	}
}

/* What was made stays: it is whole, and the next start may be the good one. */
static GString *refuse(const struct run *run, enum ela_code code, const char *what)
{
	g_autofree char *command = g_strjoinv(" ", (char **)run->words->pdata), *last = NULL, *said = NULL;
	g_autofree char *remedy = g_strdup_printf("see to that, then: %s", command);

	show_log(run, &last);
	said = run->enter->json && *last ? g_strdup_printf(", and said: %s", last) : g_strdup("");
	return ela_refusal(code, remedy, "%s is there, but %s%s", run->place.config_dir, what, said);
}

/* A code that elad and ela have in common says the same to who called ela. */
static GString *refuse_end(const struct run *run, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	g_autofree char *what = WIFEXITED(status) ? g_strdup_printf("elad has ended with exit code %d", code)
											  : g_strdup_printf("elad was ended by signal %d", WTERMSIG(status));

	return refuse(
		run, code == ELA_CODE_PERMISSION || code == ELA_CODE_CONFIG ? (enum ela_code)code : ELA_CODE_FAILED, what);
}

/* It has had its time: it does not stay half started. */
static void end(struct run *run)
{
	gint64 deadline_us = g_get_monotonic_time() + ENDS_US;
	pid_t pid = run->pid;
	int status;

	run->pid = 0;
	if (pid == 0 || kill(pid, SIGTERM) < 0)
		return;
	while (g_get_monotonic_time() < deadline_us) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return;
		g_usleep(TURN_US);
	}
	(void)kill(pid, SIGKILL); /* it is still ours: it was not waited for */
}

/* ---- running it ---- */

static int open_log(struct run *run, GError **error)
{
	int fd = open(run->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);
	struct stat st;

	if (fd < 0)
		return ela_file_fail(error, errno, "%s: cannot be written: %s", run->log, g_strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1) {
		run->log_from = st.st_size;
		return fd;
	}
	(void)close(fd); /* nothing was written */
	return ela_file_fail(error, EINVAL, "%s: is no plain file", run->log);
}

/* The child: a session of its own, nothing of the caller's open, no folder kept busy. */
static void become(char **words, int log_fd) G_GNUC_NORETURN;

static void become(char **words, int log_fd)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)setsid();                  /* a new child leads no group: cannot fail */
	(void)unsetenv("NOTIFY_SOCKET"); /* whoever waits there waits for ela */
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
		dup2(log_fd, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) < 0 || chdir("/") < 0)
		_exit(ELA_CODE_FAILED);
	(void)execv(words[0], words);                                          /* when it returns it has failed */
	(void)dprintf(STDERR_FILENO, "%s: %s\n", words[0], g_strerror(errno)); /* as far as that is possible */
	_exit(ELA_CODE_FAILED);
}

/* Who steers it by hand finds it; ela itself asks the control socket. */
static int put_pid(const struct run *run)
{
	g_autofree char *text = g_strdup_printf("%d\n", (int)run->pid);
	int dirfd = open(run->place.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (dirfd < 0)
		return -errno;
	err = ela_file_put(&ela_file_system, dirfd, PID_FILE, ELA_FILE_REPLACE, text, strlen(text));
	(void)close(dirfd); /* read only */
	return err;
}

/* Of an elad that is not there any more. */
static void remove_pid(const struct run *run)
{
	g_autofree char *file = g_build_filename(run->place.state_dir, PID_FILE, NULL);

	(void)unlink(file); /* an old number does no harm */
}

static GString *run_child(struct run *run)
{
	GError *error = NULL;
	int fd, err;

	run->log = g_build_filename(run->place.state_dir, "elad.log", NULL);
	fd = open_log(run, &error);
	if (fd < 0)
		return ela_enter_refusal(fd, error, ELA_CODE_FAILED);
	run->pid = fork();
	if (run->pid == 0)
		become((char **)run->words->pdata, fd);
	err = run->pid < 0 ? -errno : put_pid(run);
	(void)close(fd); /* the child has its own */
	if (err == 0)
		return NULL;
	run->pid = MAX(run->pid, 0);
	end(run);
	return refuse(run, ELA_CODE_FAILED, g_strerror(-err));
}

/* systemctl waits until it is ready, or has failed. What failed is not started with the machine either. */
static GString *run_unit(const struct run *run)
{
	const char *const start[] = {"systemctl", "start", run->unit, NULL};
	const char *const enable[] = {"systemctl", "enable", run->unit, NULL};
	g_autofree char *started = NULL, *enabled = NULL;

	if (ask_program(start, &started) != 0)
		return refuse(run, ELA_CODE_FAILED, "systemd could not start elad");
	if (ask_program(enable, &enabled) != 0)
		(void)fprintf(stderr, "ela: warning: it will not start with this machine: systemctl enable %s: %s\n", run->unit,
			enabled ? g_strchomp(enabled) : "cannot be run"); /* nowhere else to say it */
	return NULL;
}

static void add(GPtrArray *words, const char *word)
{
	g_ptr_array_add(words, g_strdup(word));
}

/* All names absolute: elad runs in another folder. */
static void choose_words(struct run *run)
{
	const struct ela_network_place *place = &run->place;
	const char *name = strrchr(place->config_dir, '/') + 1; /* it is absolute */

	run->words = g_ptr_array_new_with_free_func(g_free);
	if (has_unit(run->enter)) {
		run->unit = g_strdup_printf(UNIT "%s", name);
		add(run->words, "systemctl");
		add(run->words, "start");
		add(run->words, run->unit);
	} else {
		g_ptr_array_add(run->words, g_canonicalize_filename(elad_file(run->enter), NULL));
		for (char **dir = run->enter->plugin_dirs; *dir; dir++) {
			add(run->words, "--plugin-dir");
			g_ptr_array_add(run->words, g_canonicalize_filename(*dir, NULL));
		}
		add(run->words, "--config");
		add(run->words, place->ini);
		add(run->words, "--state-dir");
		add(run->words, place->state_dir);
	}
	g_ptr_array_add(run->words, NULL);
}

/* ---- waiting for it ---- */

/* Is the node in? *ret_missing, g_free: what it says is missing. */
static bool read_status(const struct ela_json *reply, struct ela_started *ret, char **ret_missing)
{
	const struct ela_json *self = ela_json_get(reply, "self");
	const char *address = ela_json_get_string(self, "address"), *role = ela_json_get_string(self, "role");
	const char *reason = ela_json_get_string(self, "reason");

	g_free(*ret_missing);
	*ret_missing = g_strdup(reason ? reason : "it has no address yet");
	if (!address || !*address || !role)
		return false;
	ret->address = g_strdup(address);
	ret->role = g_strdup(role);
	return true;
}

static GString *refuse_missing(const struct run *run, const char *missing)
{
	g_autofree char *remedy = NULL, *text = ela_format_text(missing), *place = log_place(run);

	remedy = g_strdup_printf("it goes on trying: ela status%s%s; its log: %s", run->enter->dir ? " --dir " : "",
		run->enter->dir ? run->enter->dir : "", place);
	return ela_refusal(ELA_CODE_TIMEOUT, remedy, "elad runs, but this node is not in after %d s: %s",
		(int)(run->timeout_us / G_USEC_PER_SEC), text);
}

static GString *wait_for_it(struct run *run, struct ela_started *ret)
{
	g_autofree char *missing = NULL;
	int status;

	for (;;) {
		struct ela_answer answer = {0};
		gint64 waited_us = g_get_monotonic_time() - run->began_us;
		bool is_in;

		if (run->pid > 0 && waitpid(run->pid, &status, WNOHANG) == run->pid) {
			run->pid = 0;
			return refuse_end(run, status);
		}
		if (missing && waited_us > run->timeout_us)
			return refuse_missing(run, missing);
		if (!missing && waited_us > ANSWERS_US) {
			end(run);
			return refuse(run, ELA_CODE_FAILED, "elad does not answer after 10 s");
		}
		ela_talk_within(G_USEC_PER_SEC, &run->place, "status", NULL, NULL, false, &answer);
		is_in = answer.code == ELA_CODE_OK && read_status(answer.json, ret, &missing);
		ela_answer_clear(&answer);
		if (is_in)
			return NULL;
		g_usleep(TURN_US);
	}
}

GString *ela_start(const struct ela_enter *enter, const struct ela_site *site, struct ela_started *ret)
{
	struct run run = {.enter = enter, .began_us = g_get_monotonic_time()};
	GString *refusal = NULL;

	if (enter->no_start)
		return NULL;
	(void)read_timeout(enter, &run.timeout_us); /* ela_start_check() */
	if (!ela_place_find(ELA_PLACE_ETC, enter->dir ? site->config : NULL,
			enter->dir ? NULL : strrchr(site->config, '/') + 1, &run.place, &refusal))
		return refusal;
	choose_words(&run);
	refusal = run.unit ? run_unit(&run) : run_child(&run);
	if (!refusal)
		refusal = wait_for_it(&run, ret);
	if (run.log && run.pid == 0)
		remove_pid(&run);
	if (!refusal) {
		ret->seconds = (double)(g_get_monotonic_time() - run.began_us) / G_USEC_PER_SEC;
		ret->log = log_place(&run);
	}
	g_ptr_array_unref(run.words);
	g_free(run.unit);
	g_free(run.log);
	ela_place_clear(&run.place);
	return refusal;
}

/* ---- telling ---- */

void ela_started_clear(struct ela_started *started)
{
	g_free(started->address);
	g_free(started->role);
	g_free(started->log);
	*started = (struct ela_started){0};
}

void ela_started_tell(const struct ela_started *started)
{
	if (started->address)
		(void)fprintf(stderr, "ela: elad runs, and this node is in: %s, %s, after %.1f s; its log: %s\n",
			started->address, started->role, started->seconds, started->log); /* nowhere else to say it */
}

void ela_started_put(GString *reply, const struct ela_started *started)
{
	if (!started->address) {
		ela_json_put_null(reply, "started");
		return;
	}
	ela_json_open(reply, "started", '{');
	ela_json_put(reply, "address", started->address);
	ela_json_put(reply, "role", started->role);
	ela_json_put_number(reply, "seconds", started->seconds, 1);
	ela_json_put(reply, "log", started->log);
	ela_json_close(reply, '}');
}
