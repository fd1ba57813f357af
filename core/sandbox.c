/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: the allow-list. Control thread. What is not here fails with EPERM (so that a library that merely tries
 * something goes on); calls that the C library probes for and replaces by an older one fail with ENOSYS.
 *
 * The list was made from what the parts of elad do after the drop, not from a trace: GLib's main loop and threads,
 * lanes (epoll, bursts on sockets and TUN queues), rtnetlink, TCP, getaddrinfo(), reading files again on reload,
 * replacing files of the state folder where there is one, leaving.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A call that is allowed whatever its arguments are. */
static const int plain_calls[] = {
	/* files: reading only, see openat below and add_state() */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	SCMP_SYS(fadvise64),
	SCMP_SYS(dup),
	/* waiting */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	/* sockets that are there, or that socket below allows */
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	/* memory; mmap and mprotect below */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* threads */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getattr),
	SCMP_SYS(sched_setattr),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(getcpu),
	SCMP_SYS(membarrier),
	SCMP_SYS(exit),
	/* signals of our own */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	/* clocks and small facts */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getresuid),
	SCMP_SYS(getresgid),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(exit_group),
#if ELA_SANITIZED
	SCMP_SYS(clone),
	SCMP_SYS(openat),
	SCMP_SYS(prctl),
	SCMP_SYS(ptrace),
	SCMP_SYS(wait4),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tkill),
	SCMP_SYS(tgkill),
	SCMP_SYS(pipe),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(open),
	SCMP_SYS(mkdir),
	SCMP_SYS(getdents),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(ftruncate),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(prlimit64),
#endif
};

/* Calls that are to look absent: clone3 hides its flags in memory, where a filter cannot look. */
static const int absent_calls[] = {SCMP_SYS(clone3), SCMP_SYS(openat2)};

/* A call that is allowed when every condition on its arguments holds. Several rules of one call are alternatives. */
struct rule {
	int call;
	uint32_t n;
	struct scmp_arg_cmp cmp[3];
};

#define ARG_IS(arg, value)                                                                                             \
	{                                                                                                                  \
		(arg), SCMP_CMP_EQ, (value), 0                                                                                 \
	}
#define ARG_MASKED(arg, mask, value)                                                                                   \
	{                                                                                                                  \
		(arg), SCMP_CMP_MASKED_EQ, (mask), (value)                                                                     \
	}
/* ioctl's request is an int to the kernel: whatever stands in the upper half of the register does not count. */
#define IOCTL(request)                                                                                                 \
	{                                                                                                                  \
		SCMP_SYS(ioctl), 1,                                                                                            \
		{                                                                                                              \
			ARG_MASKED(1, UINT32_MAX, (uint32_t)(request))                                                             \
		}                                                                                                              \
	}
#define FCNTL(command)                                                                                                 \
	{                                                                                                                  \
		SCMP_SYS(fcntl), 1,                                                                                            \
		{                                                                                                              \
			ARG_IS(1, (command))                                                                                       \
		}                                                                                                              \
	}
#define PRCTL(option)                                                                                                  \
	{                                                                                                                  \
		SCMP_SYS(prctl), 1,                                                                                            \
		{                                                                                                              \
			ARG_IS(0, (option))                                                                                        \
		}                                                                                                              \
	}

/* What a thread is made of, and what makes a process or a name space instead. */
#define THREAD_FLAGS (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define NOT_THREAD_FLAGS                                                                                               \
	((uint32_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |           \
				CLONE_NEWNET | CLONE_VFORK | CLONE_PTRACE))
/* O_TMPFILE is two bits, one of them O_DIRECTORY's, which is harmless: the other one tells. */
#define OPEN_FLAGS (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
/* A file that is new, and no link to another. */
#define NEW_FLAGS (OPEN_FLAGS | O_EXCL | O_NOFOLLOW)

static const struct rule rules[] = {
	/* the kernel's own sockets: routes and addresses only, not packet filters */
	{SCMP_SYS(socket), 1, {ARG_IS(0, AF_INET)}},
	{SCMP_SYS(socket), 1, {ARG_IS(0, AF_INET6)}},
	{SCMP_SYS(socket), 1, {ARG_IS(0, AF_UNIX)}},
	{SCMP_SYS(socket), 2, {ARG_IS(0, AF_NETLINK), ARG_IS(2, NETLINK_ROUTE)}},
	/* memory is writable or executable, never both; executable only as a file's map (a name service module) */
	{SCMP_SYS(mmap), 1, {ARG_MASKED(2, PROT_EXEC, 0)}},
	{SCMP_SYS(mmap), 2, {ARG_MASKED(2, PROT_WRITE | PROT_EXEC, PROT_EXEC), ARG_MASKED(3, MAP_ANONYMOUS, 0)}},
	{SCMP_SYS(mprotect), 1, {ARG_MASKED(2, PROT_EXEC, 0)}},
	/* asking for limits, not setting them */
	{SCMP_SYS(prlimit64), 2, {ARG_IS(0, 0), ARG_IS(2, 0)}},
#if !ELA_SANITIZED
	{SCMP_SYS(clone), 1, {ARG_MASKED(0, THREAD_FLAGS | NOT_THREAD_FLAGS, THREAD_FLAGS)}},
	{SCMP_SYS(openat), 1, {ARG_MASKED(2, OPEN_FLAGS, O_RDONLY)}},
	{SCMP_SYS(open), 1, {ARG_MASKED(1, OPEN_FLAGS, O_RDONLY)}},
	PRCTL(PR_SET_NAME),
	PRCTL(PR_GET_NAME),
	PRCTL(PR_GET_DUMPABLE), /* for the proof */
#endif
	FCNTL(F_GETFD),
	FCNTL(F_SETFD),
	FCNTL(F_GETFL),
	FCNTL(F_SETFL),
	FCNTL(F_DUPFD_CLOEXEC),
	IOCTL(TCGETS), /* isatty() */
	IOCTL(FIONREAD),
	IOCTL(FIONBIO),
	IOCTL(SIOCOUTQ),
	IOCTL(SIOCGIFINDEX),
	IOCTL(SIOCGIFNAME),
	IOCTL(TUNSETOFFLOAD), /* an offload that the device takes back */
	IOCTL(TUNSETQUEUE),
	IOCTL(TUNGETIFF),
};

static int add_plain(scmp_filter_ctx ctx)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof plain_calls / sizeof plain_calls[0]; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain_calls[i], 0);
	for (size_t i = 0; !err && i < sizeof absent_calls / sizeof absent_calls[0]; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), absent_calls[i], 0);
	return err;
}

static int add(scmp_filter_ctx ctx, const struct rule *all, size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, all[i].call, all[i].n, all[i].cmp);
	return err;
}

/*
 * A file is replaced by ela_file_put(): a new one beside, its mode, fsync, rename, fsync of the folder; the new one is
 * removed if that fails. Descriptors are ints to the kernel. Paths cannot be seen here: landlock.h.
 */
static int add_state(scmp_filter_ctx ctx, int state_fd)
{
	const scmp_datum_t fd = (uint32_t)state_fd;
	const struct rule state_rules[] = {
#if !ELA_SANITIZED
		{SCMP_SYS(openat), 3,
			{ARG_MASKED(0, UINT32_MAX, fd), ARG_MASKED(2, NEW_FLAGS, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW),
				ARG_MASKED(3, UINT32_MAX, 0600)}},
#endif
		{SCMP_SYS(fchmod), 1, {ARG_MASKED(1, UINT32_MAX, 0600)}},
		{SCMP_SYS(fsync), 0, {{0}}},
		{SCMP_SYS(renameat), 2, {ARG_MASKED(0, UINT32_MAX, fd), ARG_MASKED(2, UINT32_MAX, fd)}},
		{SCMP_SYS(renameat2), 3,
			{ARG_MASKED(0, UINT32_MAX, fd), ARG_MASKED(2, UINT32_MAX, fd), ARG_MASKED(4, UINT32_MAX, 0)}},
		{SCMP_SYS(unlinkat), 2, {ARG_MASKED(0, UINT32_MAX, fd), ARG_MASKED(2, UINT32_MAX, 0)}},
	};

	return state_fd < 0 ? 0 : add(ctx, state_rules, sizeof state_rules / sizeof state_rules[0]);
}

static int add_rules(scmp_filter_ctx ctx)
{
	int err = add(ctx, rules, sizeof rules / sizeof rules[0]);

#if !ELA_SANITIZED
	/* Threads of this process only: abort(), and waking a thread. */
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
#endif
	return err;
}

int ela_sandbox_apply(int state_fd)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!ctx)
		return -ENOMEM;
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/*
	 * Kernels before 5.16 slow down every load behind a store in a filtered process (SSBD) unless told not to. That is
	 * against foreign code run in the process; elad runs none, and its lanes would pay for it.
	 */
	if (!err && seccomp_api_get() >= 4)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	if (!err)
		err = add_plain(ctx);
	if (!err)
		err = add_rules(ctx);
	if (!err)
		err = add_state(ctx, state_fd);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}
