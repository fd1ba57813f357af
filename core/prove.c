/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prove: tries, after the privilege drop, what must not work any more, and what must where there is a state folder, and
 * reads back what the kernel says about every thread. Control thread, once. Each attempt is harmless if it is not
 * refused: it then fails for another reason (an address that is not there, an empty name) or does nothing that matters
 * to a process about to end.
 */
#include "file.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Straight to the kernel: the C library would ask other threads to join in setuid(), or take another call. */
static long try_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

static long try_setns(void)
{
	return syscall(SYS_setns, -1, 0);
}

static long try_unshare(void)
{
	return syscall(SYS_unshare, 0);
}

static long try_execve(void)
{
	return syscall(SYS_execve, "", NULL, NULL);
}

/* CLONE_SIGHAND without CLONE_VM: the kernel itself answers EINVAL. */
static long try_fork(void)
{
	return syscall(SYS_clone, CLONE_SIGHAND, NULL, NULL, NULL, NULL);
}

static long try_kill(void)
{
	return syscall(SYS_kill, getpid(), 0);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_ATTACH, 0, NULL, NULL);
}

static long try_process_vm(void)
{
	return syscall(SYS_process_vm_readv, getpid(), NULL, 0UL, NULL, 0UL, 0UL);
}

static long try_mount(void)
{
	return syscall(SYS_mount, "", "", "", 0UL, NULL);
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0UL);
}

/* Asks for the number of the thread's keyring without making one. */
static long try_keyctl(void)
{
	return syscall(SYS_keyctl, 0, -1, 0, 0, 0);
}

static long try_personality(void)
{
	return syscall(SYS_personality, 0xffffffffUL);
}

static long try_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 0, NULL);
}

static long try_unlink(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "", 0);
}

static long try_rename(void)
{
	return syscall(SYS_renameat, AT_FDCWD, "", AT_FDCWD, "");
}

static long close_if_open(int fd)
{
	int err = errno;

	if (fd >= 0)
		(void)close(fd); /* it should not be there at all */
	errno = err;
	return fd;
}

static long try_packet_socket(void)
{
	return close_if_open(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

/* CAP_NET_ADMIN is still there: it must not reach the packet filter. */
static long try_netfilter_socket(void)
{
	return close_if_open(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
}

static long try_open_write(void)
{
	return close_if_open(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* By the flags that are allowed in the state folder; an empty name names nothing. */
static long try_create(void)
{
	return close_if_open(openat(AT_FDCWD, "", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
}

static long try_open_shadow(void)
{
	return close_if_open(open("/etc/shadow", O_RDONLY | O_CLOEXEC));
}

static long try_writable_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -1;
	(void)munmap(page, 4096); /* it should not be there at all */
	return 0;
}

struct attempt {
	const char *name;
	long (*try)(void);
	bool only_changed;   /* root may still do it */
	bool not_sanitized;  /* a sanitizer's run-time library needs it */
	bool absent_is_fine; /* nothing to protect when the file is not there */
};

static const struct attempt attempts[] = {
	{.name = "setuid(0)", .try = try_setuid},
	{.name = "setns", .try = try_setns},
	{.name = "unshare", .try = try_unshare},
	{.name = "execve", .try = try_execve},
	{.name = "fork", .try = try_fork, .not_sanitized = true},
	{.name = "kill", .try = try_kill},
	{.name = "ptrace", .try = try_ptrace, .not_sanitized = true},
	{.name = "process_vm_readv", .try = try_process_vm},
	{.name = "mount", .try = try_mount},
	{.name = "bpf", .try = try_bpf},
	{.name = "perf_event_open", .try = try_perf},
	{.name = "keyctl", .try = try_keyctl},
	{.name = "personality", .try = try_personality},
	{.name = "io_uring_setup", .try = try_io_uring},
	{.name = "unlink", .try = try_unlink},
	{.name = "rename", .try = try_rename},
	{.name = "socket(AF_PACKET)", .try = try_packet_socket},
	{.name = "socket(NETLINK_NETFILTER)", .try = try_netfilter_socket},
	{.name = "open for writing", .try = try_open_write, .not_sanitized = true},
	{.name = "create", .try = try_create, .not_sanitized = true},
	{.name = "open /etc/shadow", .try = try_open_shadow, .only_changed = true, .absent_is_fine = true},
	{.name = "writable code", .try = try_writable_code},
};

static bool is_refused(const struct attempt *attempt)
{
	if (attempt->try() >= 0)
		return false;
	return errno == EPERM || errno == EACCES || errno == ENOSYS || (attempt->absent_is_fine && errno == ENOENT);
}

static void try_all(const struct ela_identity *identity, GString *found)
{
	for (size_t i = 0; i < G_N_ELEMENTS(attempts); i++) {
		const struct attempt *attempt = &attempts[i];

		if ((attempt->only_changed && identity->uid == 0) || (attempt->not_sanitized && ELA_SANITIZED))
			continue;
		if (!is_refused(attempt))
			g_string_append_printf(found, "%s%s", found->len ? ", " : "", attempt->name);
	}
}

/* ---- the state folder ---- */

/* Nothing stays, whatever the answer. */
static bool can_create(int state_fd, const char *path)
{
	int fd = openat(state_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno != EACCES && errno != EPERM && errno != EROFS;
	(void)close(fd);                   /* nothing was written */
	(void)unlinkat(state_fd, path, 0); /* as far as that is allowed: elad ends now */
	return true;
}

/* A path that leads out of the folder is nothing that a list of system calls could see. */
static void try_outside(int state_fd, GString *found)
{
	static const char *const ways[] = {"/", "../"};

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		g_autofree char *path = g_strdup_printf("%s.ela-proof.%08x", ways[i], g_random_int());

		if (can_create(state_fd, path))
			g_string_append_printf(found,
				"%screate %s (without Landlock in the kernel elad needs a user who may not: "
				"useradd --system " ELA_PROCESS_USER ")",
				found->len ? ", " : "", ways[i]);
	}
}

/* What elad will do there; a disk that is full today is no matter of rights. */
static bool prove_state(int state_fd, GError **error)
{
	static const char name[] = ".proof";
	int err = ela_file_put(&ela_file_system, state_fd, name, ELA_FILE_REPLACE, "", 0);

	if (err == 0 && unlinkat(state_fd, name, 0) != 0)
		err = -errno;
	if (err == 0 || err == -ENOSPC || err == -EDQUOT)
		return true;
	g_set_error(error, ELA_PROCESS_ERROR, ELA_PROCESS_FAILED,
		"no file can be replaced in the state folder after the privilege drop: %s; remedy: a folder of its own that is "
		"writable, with --state-dir",
		g_strerror(-err));
	return false;
}

/* ---- what the kernel says ---- */

/* The rest of the line "NAME:\t..." of a status file, NULL when it has none; g_free. */
static char *status_field(const char *status, const char *name)
{
	g_autofree char *start = g_strdup_printf("\n%s:\t", name);
	const char *at = strstr(status, start);

	if (!at)
		return NULL;
	at += strlen(start);
	return g_strndup(at, strcspn(at, "\n"));
}

static void expect_field(const char *status, const char *task, const char *name, const char *wanted, GString *found)
{
	g_autofree char *value = status_field(status, name);

	if (g_strcmp0(value, wanted) != 0)
		g_string_append_printf(found, "%sthread %s has %s %s (wanted %s)", found->len ? ", " : "", task, name,
			value ? value : "unknown", wanted);
}

/* CAP_NET_ADMIN or nothing at all. */
static void expect_capabilities(const char *status, const char *task, const char *name, GString *found)
{
	g_autofree char *value = status_field(status, name);
	uint64_t bits;

	if (!value || !g_ascii_string_to_unsigned(value, 16, 0, UINT64_MAX, &bits, NULL) ||
		(bits & ~(UINT64_C(1) << CAP_NET_ADMIN)) != 0)
		g_string_append_printf(found, "%sthread %s has %s %s (wanted CAP_NET_ADMIN alone)", found->len ? ", " : "",
			task, name, value ? value : "unknown");
}

/* Real, effective, saved and file system identity. */
static char *four_times(unsigned int id)
{
	return g_strdup_printf("%u\t%u\t%u\t%u", id, id, id, id);
}

static void read_back(const struct ela_identity *identity, const char *task, GString *found)
{
	g_autofree char *file = g_build_filename("/proc/self/task", task, "status", NULL);
	g_autofree char *uids = four_times((unsigned int)identity->uid);
	g_autofree char *gids = four_times((unsigned int)identity->gid);
	g_autofree char *status = NULL;

	if (!g_file_get_contents(file, &status, NULL, NULL)) {
		g_string_append_printf(found, "%scannot read %s", found->len ? ", " : "", file);
		return;
	}
	expect_field(status, task, "Uid", uids, found);
	expect_field(status, task, "Gid", gids, found);
	expect_field(status, task, "NoNewPrivs", "1", found);
	expect_field(status, task, "Seccomp", "2", found);
	expect_field(status, task, "CapInh", "0000000000000000", found);
	expect_field(status, task, "CapAmb", "0000000000000000", found);
	expect_capabilities(status, task, "CapPrm", found);
	expect_capabilities(status, task, "CapEff", found);
}

/* A sanitizer's own thread was started before main() and is not known to the C library: it keeps what it had. */
static void read_back_all(const struct ela_identity *identity, GString *found)
{
	g_autofree char *self = g_strdup_printf("%d", (int)gettid());
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	const char *task;

	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		g_string_append_printf(found, "%sdumps and tracing", found->len ? ", " : "");
	if (!tasks) {
		g_string_append_printf(found, "%scannot read /proc/self/task", found->len ? ", " : "");
		return;
	}
	while ((task = g_dir_read_name(tasks)))
		if (!ELA_SANITIZED || strcmp(task, self) == 0)
			read_back(identity, task, found);
}

bool ela_process_prove(const struct ela_identity *identity, int state_fd, GError **error)
{
	g_autoptr(GString) allowed = g_string_new(NULL);
	g_autoptr(GString) left = g_string_new(NULL);

	try_all(identity, allowed);
	if (state_fd >= 0)
		try_outside(state_fd, allowed);
	read_back_all(identity, left);
	if (!allowed->len && !left->len)
		return state_fd < 0 || prove_state(state_fd, error);
	g_set_error(error, ELA_PROCESS_ERROR, ELA_PROCESS_FAILED,
		"the privilege drop is not complete: still allowed: %s; still there: %s",
		allowed->len ? allowed->str : "nothing", left->len ? left->str : "nothing");
	return false;
}
