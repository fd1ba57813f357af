/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ela-plugin-check FILE.so [--time] [--set KEY=VALUE]...: runs the suite of the plugin's kind. One line a test on
 * stdout: "ok NAME", "FAIL NAME: found X, wanted Y", or "skip NAME: why" for what a plugin of this shape does not have.
 * Exit 0 all ok, 1 some failed, 2 no plugin or usage. Each test is a child process, so that a crash is a line as well.
 */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_SKIP 77

/* How a child ended. */
struct outcome {
	int status; /* of waitpid() */
	bool timed_out;
	char text[2048];
};

/* Reads the child's report until it ends or its time is up, then ends it. */
static void watch_child(pid_t child, int fd, struct outcome *ret)
{
	uint64_t start = (uint64_t)time(NULL);
	size_t len = 0;

	*ret = (struct outcome){0};
	for (;;) {
		uint64_t spent = (uint64_t)time(NULL) - start;
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t n = 0;

		if (spent >= CHECK_LIMIT_S) {
			ret->timed_out = true;
			(void)kill(child, SIGKILL); /* our own child, not waited for yet */
			break;
		}
		if (poll(&poll_fd, 1, (int)(CHECK_LIMIT_S - spent) * 1000) <= 0)
			continue;
		n = read(fd, ret->text + len, sizeof ret->text - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	while (waitpid(child, &ret->status, 0) < 0 && errno == EINTR)
		continue;
}

/* Shows what a failed test wrote: a sanitizer's report, usually. */
static void show_output(int fd)
{
	char buf[4096];
	ssize_t n;

	for (off_t at = 0; (n = pread(fd, buf, sizeof buf, at)) > 0; at += n)
		(void)!write(STDERR_FILENO, buf, (size_t)n); /* for people only */
}

/* There in a build with AddressSanitizer or LeakSanitizer; its report goes to stderr. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* The child's part: never returns. */
static _Noreturn void run_child(struct check_run *run, void (*fn)(struct check_run *run))
{
	off_t written;

	(void)signal(SIGPIPE, SIG_IGN); /* as elad does; cannot fail for SIGPIPE */
	if (run->output_fd >= 0 && (dup2(run->output_fd, STDOUT_FILENO) < 0 || dup2(run->output_fd, STDERR_FILENO) < 0))
		check_fail(run, "descriptors", "none");
	fn(run);
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		check_fail(run, "none", "memory that nobody holds any more");
	(void)fflush(stdout); /* into the memory file */
	written = run->output_fd >= 0 ? lseek(run->output_fd, 0, SEEK_END) : 0;
	if (written > 0)
		check_fail(run, "none: host->log() is for that", "%lld bytes written to stdout or stderr", (long long)written);
	_exit(0);
}

/* Forks and runs fn. With keep_output the child's stdout and stderr stay what they are. */
static void run_forked(struct check_run *run, void (*fn)(struct check_run *run), bool keep_output, struct outcome *ret)
{
	int fds[2];
	pid_t child;

	if (pipe(fds) < 0) {
		perror("ela-plugin-check: pipe");
		exit(1);
	}
	run->output_fd = keep_output ? -1 : memfd_create("output", MFD_CLOEXEC);
	run->report_fd = fds[1];
	(void)fflush(stdout); /* or the child would write it again */
	child = fork();
	if (child < 0) {
		perror("ela-plugin-check: fork");
		exit(1);
	}
	if (child == 0) {
		(void)close(fds[0]); /* the parent's end */
		run_child(run, fn);
	}
	(void)close(fds[1]); /* the child's end */
	watch_child(child, fds[0], ret);
	(void)close(fds[0]); /* read to its end */
	if (run->output_fd >= 0) {
		if (ret->status != 0)
			show_output(run->output_fd);
		(void)close(run->output_fd); /* memory only */
	}
}

/* Prints the line; true unless it is a FAIL. */
static bool report(const char *name, const struct outcome *outcome)
{
	int status = outcome->status;

	if (outcome->timed_out)
		printf("FAIL %s: found no end after %u s, wanted one\n", name, CHECK_LIMIT_S);
	else if (WIFSIGNALED(status))
		printf("FAIL %s: found a crash by SIG%s, wanted none\n", name, sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == EXIT_SKIP)
		printf("skip %s: %s\n", name, outcome->text);
	else if (status == 0)
		printf("ok %s\n", name);
	else if (*outcome->text)
		printf("FAIL %s: %s\n", name, outcome->text);
	else
		printf("FAIL %s: found exit() with %d, wanted none\n", name, WEXITSTATUS(status));
	return status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP);
}

/* What the loader says of a file; the child's text is the message, its exit code what kind of refusal. */
struct loading {
	struct check_run run; /* first: the child function gets its address */
	struct ela_loader *loader;
	const char *file;
};

static void try_load(struct check_run *run)
{
	struct loading *loading = (struct loading *)run;
	g_autoptr(GError) error = NULL;

	if (ela_loader_load_file(loading->loader, loading->file, &error))
		return;
	(void)!write(run->report_fd, error->message, strlen(error->message)); /* the exit code says enough without */
	_exit(g_error_matches(error, ELA_LOADER_ERROR, ELA_LOADER_REFUSED) ? 1 : EXIT_USAGE);
}

/* Loads the file, in a child first: a constructor may crash. NULL: *ret_code is the exit code, all is said. */
static const struct ela_loaded *load(struct ela_loader *loader, const char *file, int *ret_code)
{
	struct loading loading = {.loader = loader, .file = file};
	struct outcome outcome;

	run_forked(&loading.run, try_load, false, &outcome);
	if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == EXIT_USAGE && *outcome.text) {
		fprintf(stderr, "ela-plugin-check: %s\n", outcome.text);
		*ret_code = EXIT_USAGE;
		return NULL;
	}
	*ret_code = 1;
	if (!report("descriptor", &outcome))
		return NULL;
	return ela_loader_load_file(loader, file, NULL);
}

static uint32_t run_tests(struct check_run *run, const struct check_test *tests)
{
	uint32_t failed = 0;

	for (; tests->name; tests++) {
		struct outcome outcome;

		run_forked(run, tests->fn, false, &outcome);
		failed += !report(tests->name, &outcome);
	}
	return failed;
}

static uint32_t run_all(struct check_run *run, bool with_time)
{
	static const struct check_test *const suites[] = {
		[ELA_KIND_NPD] = check_npd_tests,
		[ELA_KIND_CIPHER] = check_cipher_tests,
		[ELA_KIND_TRANSPORT] = check_transport_tests,
		[ELA_KIND_ROUTING] = check_routing_tests,
	};
	uint32_t kind = run->plugin->descriptor->kind, failed = run_tests(run, check_common_tests);
	struct outcome outcome;

	failed += run_tests(run, suites[kind]);
	if (kind == ELA_KIND_TRANSPORT)
		failed += run_tests(run, check_stream_tests);
	if (kind == ELA_KIND_ROUTING)
		failed += run_tests(run, check_ring_tests);
	if (with_time && kind == ELA_KIND_CIPHER) {
		run_forked(run, check_time_cipher, true, &outcome);
		failed += !report("time", &outcome);
	}
	return failed;
}

/* KEY=VALUE into settings, in place. */
static bool add_setting(struct check_settings *settings, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text || settings->n == CHECK_MAX_SETTINGS / 2)
		return false;
	*equals = '\0';
	settings->key[settings->n] = text;
	settings->text[settings->n++] = equals + 1;
	return true;
}

static bool check_settings(const struct ela_plugin *plugin, const struct check_settings *settings)
{
	struct check_host *h = check_host_new(plugin, 1, NULL);
	bool is_good = h != NULL;

	for (uint32_t i = 0; h && i < settings->n; i++) {
		if (check_host_set(h, settings->key[i], settings->text[i]) == 0)
			continue;
		fprintf(stderr, "ela-plugin-check: --set %s=%s: the plugin's table has no such option or value\n",
			settings->key[i], settings->text[i]);
		is_good = false;
	}
	check_host_free(h);
	return is_good;
}

static int usage(void)
{
	fprintf(stderr, "usage: ela-plugin-check FILE.so [--time] [--set KEY=VALUE]...\n");
	return EXIT_USAGE;
}

/* Loads and runs: the exit code. */
static int check_file(
	struct ela_loader *loader, const char *file, const struct check_settings *settings, bool with_time)
{
	struct check_run run = {.settings = settings};
	int code;

	run.plugin = load(loader, file, &code);
	if (!run.plugin)
		return code;
	if (!check_settings(run.plugin->descriptor, settings))
		return EXIT_USAGE;
	return run_all(&run, with_time) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct check_settings settings = {0};
	struct ela_loader *loader;
	const char *file = NULL;
	bool with_time = false;
	int code;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--time") == 0)
			with_time = true;
		else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && add_setting(&settings, argv[i + 1]))
			i++;
		else if (*argv[i] != '-' && !file)
			file = argv[i];
		else
			return usage();
	}
	if (!file)
		return usage();
	loader = ela_loader_new((const char *const[]){NULL});
	code = check_file(loader, file, &settings, with_time);
	ela_loader_free(loader);
	return code;
}
