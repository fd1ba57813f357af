/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state folder: what is given to whom elad will be and what is not, and what a process can do to files there and
 * elsewhere after the drop, each time in a child. Needs root.
 */
#include "file.h"
#include "landlock.h"
#include "sandbox.h"
#include "state-folder.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER "nobody"
#define STRANGER 4242u

static char *top;   /* a folder of root's, all may enter */
static char *state; /* top/state */
static struct ela_identity other, root;
static FILE *out; /* of a child: complaints, a line each */

/* ---- files ---- */

static char *in_top(const char *name)
{
	return g_build_filename(top, name, NULL);
}

static void put(const char *name, const char *text)
{
	g_autofree char *file = g_build_filename(top, name, NULL);

	(void)unlink(file); /* a new one is root's */
	ck_assert(g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static uid_t owner(const char *name)
{
	g_autofree char *file = in_top(name);
	struct stat st;

	ck_assert_msg(lstat(file, &st) == 0, "%s is not there", file);
	return st.st_uid;
}

static void setup(void)
{
	ck_assert_int_eq(ela_process_identity(OTHER_USER, &other) | ela_process_identity("root", &root), 0);
	top = g_dir_make_tmp("ela-state-XXXXXX", NULL);
	ck_assert(top != NULL && chmod(top, 0755) == 0);
	state = in_top("state");
	ck_assert_int_eq(mkdir(state, 0750), 0);
	put("state/list", "old");
	put("outside", "mine");
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf %s", top);

	ck_assert_int_eq(system(command), 0);
	g_free(top);
	g_free(state);
}

static int open_state(const struct ela_identity *identity)
{
	g_autoptr(GError) error = NULL;
	int fd = ela_state_open(state, identity, &error);

	ck_assert_msg(fd >= 0, "%s", error ? error->message : "no reason");
	return fd;
}

static void expect_refusal(const char *dir, const struct ela_identity *identity, int code, const char *words)
{
	g_autoptr(GError) error = NULL;

	ck_assert_int_lt(ela_state_open(dir, identity, &error), 0);
	ck_assert(error != NULL && g_error_matches(error, ELA_PROCESS_ERROR, code));
	ck_assert_msg(strstr(error->message, words) != NULL, "found %s", error->message);
	ck_assert_msg(strstr(error->message, "; remedy: ") != NULL, "no remedy in %s", error->message);
}

/* ---- whose it is ---- */

START_TEST(gives_what_elad_replaces)
{
	static const char *const given[] = {"genesis", "revoked", "list", "forks", "enrolments", "credentials",
		"credential", "claim", "cores", "record", "leases"};
	static const char *const kept[] = {"state/node.key", "state/node-sign.key", "state/user.pem", "state/recovery.pem",
		"state/ela.ini", "state/slots", "state/other"};

	for (size_t i = 0; i < G_N_ELEMENTS(given); i++) {
		g_autofree char *name = g_strconcat("state/", given[i], NULL);

		put(name, "x");
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		put(kept[i], "x");
	ck_assert_int_eq(close(open_state(&other)), 0);
	ck_assert_uint_eq(owner("state"), other.uid);
	for (size_t i = 0; i < G_N_ELEMENTS(given); i++) {
		g_autofree char *name = g_strconcat("state/", given[i], NULL);

		ck_assert_msg(owner(name) == other.uid, "%s was not given", name);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		ck_assert_msg(owner(kept[i]) == 0, "%s was given away", kept[i]);
	/* what bears the right name later was put there by the new owner */
	put("state/list", "a key of root's under another name");
	ck_assert_int_eq(close(open_state(&other)), 0);
	ck_assert_uint_eq(owner("state/list"), 0);
}
END_TEST

START_TEST(gives_nothing_that_is_elsewhere)
{
	g_autofree char *outside = in_top("outside"), *symbolic = in_top("state/cores"), *hard = in_top("state/leases");
	g_autofree char *folder = in_top("state/claim"), *strange = in_top("state/forks");

	put("state/forks", "x");
	put("shared", "mine");
	ck_assert_int_eq(symlink(outside, symbolic), 0);
	ck_assert_int_eq(mkdir(folder, 0700) | chown(strange, STRANGER, STRANGER), 0);
	g_free(outside);
	outside = in_top("shared");
	ck_assert_int_eq(link(outside, hard), 0);
	ck_assert_int_eq(close(open_state(&other)), 0);
	ck_assert_uint_eq(owner("state/list"), other.uid);
	ck_assert_uint_eq(owner("outside"), 0);
	ck_assert_uint_eq(owner("state/cores"), 0);
	ck_assert_uint_eq(owner("shared"), 0);
	ck_assert_uint_eq(owner("state/claim"), 0);
	ck_assert_uint_eq(owner("state/forks"), STRANGER);
}
END_TEST

START_TEST(root_keeps_its_own)
{
	ck_assert_int_eq(close(open_state(&root)), 0);
	ck_assert(owner("state") == 0 && owner("state/list") == 0);
}
END_TEST

START_TEST(folders_that_are_refused)
{
	static const mode_t modes[] = {0770, 0757, 01777};
	const struct ela_identity plain = {.name = "alice", .uid = STRANGER, .gid = STRANGER};
	g_autofree char *link = in_top("link"), *slash = in_top("link/"), *none = in_top("none"), *file = in_top("outside");

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		ck_assert_int_eq(chmod(state, modes[i]), 0);
		expect_refusal(state, &other, ELA_PROCESS_PERMISSION, "could change who is a member; remedy: chmod go-w /");
	}
	ck_assert_int_eq(chmod(state, 0750), 0);
	ck_assert_int_eq(symlink(state, link), 0);
	expect_refusal(link, &other, ELA_PROCESS_FAILED, "is a symbolic link");
	expect_refusal(slash, &other, ELA_PROCESS_FAILED, "is a symbolic link");
	expect_refusal(none, &other, ELA_PROCESS_FAILED, "none: cannot be opened: No such file");
	expect_refusal(file, &other, ELA_PROCESS_FAILED, "outside: cannot be opened: Not a directory");
	expect_refusal(
		state, &plain, ELA_PROCESS_PERMISSION, "belongs to root, and elad runs as alice; remedy: chown alice /");
	ck_assert(owner("state") == 0 && owner("state/list") == 0);
	ck_assert_int_eq(chown(state, STRANGER, STRANGER), 0);
	expect_refusal(state, &other, ELA_PROCESS_PERMISSION,
		"belongs to uid 4242, and elad runs as nobody; remedy: chown -hR root: /");
	expect_refusal(state, &root, ELA_PROCESS_PERMISSION, "belongs to uid 4242, and elad runs as root");
	ck_assert(owner("state") == STRANGER && owner("state/list") == 0);
}
END_TEST

/* ---- after the drop ---- */

#define COMPLAIN(...)                                                                                                  \
	do {                                                                                                               \
		(void)fprintf(out, __VA_ARGS__);                                                                               \
		(void)fputc('\n', out);                                                                                        \
	} while (0)

/* Runs fn in a child and returns what it complained of; the child must end with status 0. g_free. */
static char *in_child(void (*fn)(const struct ela_identity *identity), const struct ela_identity *identity)
{
	GString *text = g_string_new(NULL);
	int pipe_fds[2], status;
	char buf[512];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)close(pipe_fds[0]);
		out = fdopen(pipe_fds[1], "w");
		if (!out)
			_exit(3);
		fn(identity);
		_exit(fclose(out) == 0 ? 0 : 4);
	}
	(void)close(pipe_fds[1]);
	while ((n = read(pipe_fds[0], buf, sizeof buf)) > 0)
		g_string_append_len(text, buf, n);
	(void)close(pipe_fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(
		WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status %#x after: %s", status, text->str);
	return g_string_free(text, FALSE);
}

static bool drop(const struct ela_identity *identity, int state_fd)
{
	g_autoptr(GError) error = NULL;
	struct ela_log *log = ela_log_new(ELA_LOG_ERROR, NULL, NULL);

	if (ela_process_drop(identity, state_fd, log, &error))
		return true;
	COMPLAIN("%s", error->message);
	return false;
}

/* What ela_file_put() asks for, and one thing otherwise. */
#define NEW (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

static void refused(const char *what, int result)
{
	if (result >= 0 || (errno != EPERM && errno != EACCES))
		COMPLAIN("%s: %d, %s", what, result, result < 0 ? strerror(errno) : "no error");
}

static void try_creating(int fd)
{
	g_autofree char *absolute = in_top("made"), *inside = in_top("state/made"), *existing = in_top("state/list");
	int other_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	refused("create behind the descriptor by an absolute path", openat(fd, absolute, NEW, 0600));
	refused("create behind the descriptor by ..", openat(fd, "../made", NEW, 0600));
	if (ELA_SANITIZED)
		return;
	refused("create by path", open(absolute, NEW, 0600));
	refused("create by path in the state folder", open(inside, NEW, 0600));
	refused("create in another folder", openat(other_fd, "made", NEW, 0600));
	refused("open for writing", openat(fd, "list", O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
	refused("open for writing by path", open(existing, O_WRONLY | O_CLOEXEC));
	refused("truncate", openat(fd, "list", O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC));
	refused("create or open", openat(fd, "made", NEW & ~O_EXCL, 0600));
	refused("create or follow", openat(fd, "made", NEW & ~O_NOFOLLOW, 0600));
	refused("create for all", openat(fd, "made", NEW, 0644));
	refused("create a set-user-id file", openat(fd, "made", NEW, 04600));
	refused("a file without a name", openat(fd, ".", O_TMPFILE | O_WRONLY, 0600));
}

static void try_changing(int fd)
{
	g_autofree char *outside = in_top("outside"), *inside = in_top("state/list"), *beside = in_top("state/made");

	refused("rename from a path", renameat(AT_FDCWD, inside, fd, "made"));
	refused("rename to a path", renameat(fd, "list", AT_FDCWD, beside));
	refused("rename out by ..", renameat(fd, "list", fd, "../made"));
	refused("rename out by a path", renameat(fd, "list", AT_FDCWD, outside));
	refused("rename in", renameat(fd, "../outside", fd, "made"));
	refused("rename in by a path", renameat(AT_FDCWD, outside, fd, "made"));
	refused("exchange", renameat2(fd, "list", fd, "list", RENAME_EXCHANGE));
	refused("remove outside", unlinkat(fd, "../outside", 0));
	refused("remove by path", unlink(inside));
	refused("remove a folder", unlinkat(fd, "folder", AT_REMOVEDIR));
	refused("link", linkat(fd, "list", fd, "made", 0));
	refused("symbolic link", symlinkat("list", fd, "made"));
	refused("folder", mkdirat(fd, "made", 0700));
	refused("node", mknodat(fd, "made", S_IFREG | 0600, 0));
	refused("open to all", fchmod(fd, 0755));
	refused("give away", fchown(fd, 0, 0));
	refused("truncate by path", truncate(inside, 0));
}

static void replace(int fd)
{
	g_autoptr(GBytes) bytes = NULL;
	int err = ela_file_get(fd, "list", 100, &bytes);

	if (err != 0 || g_bytes_get_size(bytes) != 3)
		COMPLAIN("reading what was there: %s", strerror(-err));
	err = ela_file_put(&ela_file_system, fd, "list", ELA_FILE_REPLACE, "fresh", 5);
	if (err != 0)
		COMPLAIN("replacing: %s", strerror(-err));
	(void)umask(0777);
	err = ela_file_put(&ela_file_system, fd, "record", ELA_FILE_REPLACE, "first", 5);
	if (err != 0)
		COMPLAIN("writing a new file: %s", strerror(-err));
}

static void dropped_child(const struct ela_identity *identity)
{
	int fd = ela_state_open(state, identity, NULL);

	if (fd < 0)
		COMPLAIN("the folder cannot be opened");
	else if (drop(identity, fd)) {
		try_creating(fd);
		try_changing(fd);
		replace(fd);
	}
}

static int no_rename(int from_dir, const char *from, int to_dir, const char *to)
{
	(void)from_dir, (void)from, (void)to_dir, (void)to;
	errno = EIO;
	return -1;
}

/* What was begun is removed again, also after the drop. */
static void failing_child(const struct ela_identity *identity)
{
	const struct ela_file_ops ops = {.write = write, .fsync = fsync, .rename = no_rename};
	int fd = ela_state_open(state, identity, NULL), err;

	if (fd < 0 || !drop(identity, fd))
		return;
	err = ela_file_put(&ops, fd, "list", ELA_FILE_REPLACE, "fresh", 5);
	if (err != -EIO)
		COMPLAIN("a failing rename: %s", strerror(-err));
}

static void expect_content(const char *name, const char *text)
{
	g_autofree char *file = in_top(name), *found = NULL;

	ck_assert_msg(g_file_get_contents(file, &found, NULL, NULL), "%s cannot be read", file);
	ck_assert_str_eq(found, text);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void expect_names(const char *folder, const char *wanted)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *found = NULL;
	const char *name;

	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(names, (void *)(uintptr_t)name);
	g_ptr_array_sort(names, by_name);
	g_ptr_array_add(names, NULL);
	found = g_strjoinv(" ", (char **)names->pdata);
	ck_assert_str_eq(found, wanted);
}

static void expect_replaced(const struct ela_identity *identity)
{
	g_autofree char *text = in_child(dropped_child, identity), *file = in_top("state/record");
	struct stat st;

	ck_assert_msg(text[0] == '\0', "as %s:\n%s", identity->name, text);
	expect_content("state/list", "fresh");
	expect_content("state/record", "first");
	expect_content("outside", "mine");
	ck_assert(owner("state/list") == identity->uid && owner("outside") == 0);
	ck_assert(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600);
}

START_TEST(another_user_replaces)
{
	expect_replaced(&other);
}
END_TEST

/* Root without its capabilities owns most folders of a machine: Landlock alone is in the way. */
START_TEST(root_replaces_there_only)
{
	expect_replaced(&root);
}
END_TEST

START_TEST(nothing_stays_behind)
{
	g_autofree char *text = in_child(failing_child, &other);

	ck_assert_str_eq(text, "");
	expect_content("state/list", "old");
	expect_names(state, "list");
	expect_names(top, "outside state");
}
END_TEST

static void static_child(const struct ela_identity *identity)
{
	int fd = ela_state_open(state, identity, NULL), file = openat(fd, "list", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || file < 0 || !drop(identity, -1))
		return;
	if (!ELA_SANITIZED)
		refused("create", openat(fd, "made", NEW, 0600));
	refused("fsync", fsync(fd));
	refused("fchmod", fchmod(file, 0600));
	refused("rename", renameat(fd, "list", fd, "made"));
	refused("unlink", unlinkat(fd, "list", 0));
}

START_TEST(static_nodes_write_nothing)
{
	g_autofree char *text = in_child(static_child, &other);

	ck_assert_str_eq(text, "");
	expect_names(state, "list");
}
END_TEST

/* ---- the proof ---- */

static void unwritable_child(const struct ela_identity *identity)
{
	(void)drop(identity, open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC)); /* complains itself */
}

/* As a kernel without Landlock would have it. */
static void unfenced_child(const struct ela_identity *identity)
{
	int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GError) error = NULL;

	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ela_sandbox_apply(fd) != 0)
		COMPLAIN("no list of calls");
	else if (ela_process_prove(identity, fd, &error))
		COMPLAIN("proved");
	else
		COMPLAIN("%s", error->message);
}

static void full_child(const struct ela_identity *identity)
{
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", state, "tmpfs", 0, "size=4k,nr_inodes=1,mode=0750") < 0)
		return; /* this machine does not let us; elsewhere it is tried */
	fd = ela_state_open(state, identity, NULL);
	if (fd < 0)
		COMPLAIN("the folder cannot be opened");
	else if (drop(identity, fd) && ela_file_put(&ela_file_system, fd, "list", ELA_FILE_REPLACE, "x", 1) != -ENOSPC)
		COMPLAIN("the disk is not full");
}

START_TEST(proof_of_the_state_folder)
{
	g_autofree char *unwritable = in_child(unwritable_child, &other), *unfenced = NULL, *full = NULL;

	ck_assert_msg(strstr(unwritable, "no file can be replaced in the state folder") != NULL &&
					  strstr(unwritable, "remedy: ") != NULL,
		"found %s", unwritable);
	unfenced = in_child(unfenced_child, &root);
	ck_assert_msg(strstr(unfenced, "create / (") != NULL && strstr(unfenced, "create ../ (") != NULL &&
					  strstr(unfenced, "useradd --system ela") != NULL,
		"found %s", unfenced);
	full = in_child(full_child, &other);
	ck_assert_str_eq(full, "");
	expect_names(top, "outside state"); /* whatever was proved, nothing stays */
	expect_names(state, "list");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state-folder");
	TCase *tcase = tcase_create("state-folder");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (geteuid() != 0) {
		(void)puts("needs root");
		return 77;
	}
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, gives_what_elad_replaces);
	tcase_add_test(tcase, gives_nothing_that_is_elsewhere);
	tcase_add_test(tcase, root_keeps_its_own);
	tcase_add_test(tcase, folders_that_are_refused);
	tcase_add_test(tcase, another_user_replaces);
	tcase_add_test(tcase, root_replaces_there_only);
	tcase_add_test(tcase, nothing_stays_behind);
	tcase_add_test(tcase, static_nodes_write_nothing);
	tcase_add_test(tcase, proof_of_the_state_folder);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
