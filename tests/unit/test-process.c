/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The privilege drop, each time in a child with a network name space of its own: what is refused, what still works,
 * what the kernel says in /proc/self/status, and that the proof speaks up when a step had no effect. Needs root.
 */
#include "loop.h"
#include "name-server.h"
#include "process.h"
#include "resolve.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_USER "nobody"

/* What a child works with; made before its drop, as elad does. */
struct child {
	FILE *out; /* complaints, a line each */
	const char *user;
	int tun;
	int state_fd; /* -1: a node of static peers */
	struct ela_log *log;
};

#define COMPLAIN(child, ...)                                                                                           \
	do {                                                                                                               \
		(void)fprintf((child)->out, __VA_ARGS__);                                                                      \
		(void)fputc('\n', (child)->out);                                                                               \
	} while (0)

/* Runs fn in a child and returns what it complained of; the child must end with status 0. g_free. */
static char *in_child(void (*fn)(struct child *child), const char *user)
{
	int pipe_fds[2], status;
	GString *text = g_string_new(NULL);
	char buf[512];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct child child = {.out = fdopen(pipe_fds[1], "w"), .user = user, .tun = -1, .state_fd = -1};

		(void)close(pipe_fds[0]);
		if (!child.out || unshare(CLONE_NEWNET) < 0)
			_exit(3);
		child.log = ela_log_new(ELA_LOG_ERROR, NULL, NULL);
		fn(&child);
		_exit(fclose(child.out) == 0 ? 0 : 4);
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

/* ---- forbidden, by the C library's own functions ---- */

static int forbid_setuid(void)
{
	return setuid(0);
}

static int forbid_setgroups(void)
{
	return (int)syscall(SYS_setgroups, 0, NULL);
}

static int forbid_capset(void)
{
	return (int)syscall(SYS_capset, NULL, NULL);
}

static int forbid_exec(void)
{
	char name[] = "true";
	char *const args[] = {name, NULL};

	return execve("/bin/true", args, args + 1);
}

static int forbid_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int forbid_ptrace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int forbid_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int forbid_chroot(void)
{
	return chroot("/");
}

static int forbid_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static int forbid_bpf(void)
{
	char attr[128] = {0};

	return (int)syscall(SYS_bpf, 0, attr, sizeof attr);
}

static int forbid_keyctl(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 1);
}

static int forbid_kill(void)
{
	return kill(getppid(), 0);
}

static int forbid_packet(void)
{
	return socket(AF_PACKET, SOCK_DGRAM, 0);
}

static int forbid_raw_other(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static int forbid_create(void)
{
	return open("/tmp/ela-test-process", O_RDWR | O_CREAT | O_EXCL, 0600);
}

static int forbid_tmpfile(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR, 0600);
}

static int forbid_tun(void)
{
	return open("/dev/net/tun", O_RDWR);
}

static int forbid_chmod(void)
{
	return chmod("/tmp", 01777);
}

static int forbid_limits(void)
{
	const struct rlimit same = {RLIM_INFINITY, RLIM_INFINITY};

	return setrlimit(RLIMIT_CPU, &same);
}

static int forbid_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int forbid_code(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int forbid_sticky_ioctl(void)
{
	struct ifreq request = {.ifr_name = "ela-other"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? 0 : ioctl(fd, SIOCSIFNAME, &request);
}

static int forbid_shadow(void)
{
	return open("/etc/shadow", O_RDONLY);
}

struct forbidden {
	const char *name;
	int (*call)(void);
	bool only_other; /* root owns the file */
	bool not_sanitized;
};

static const struct forbidden forbidden[] = {
	{.name = "setuid", .call = forbid_setuid},
	{.name = "setgroups", .call = forbid_setgroups},
	{.name = "capset", .call = forbid_capset},
	{.name = "execve", .call = forbid_exec},
	{.name = "fork", .call = forbid_fork, .not_sanitized = true},
	{.name = "ptrace", .call = forbid_ptrace, .not_sanitized = true},
	{.name = "mount", .call = forbid_mount},
	{.name = "chroot", .call = forbid_chroot},
	{.name = "unshare", .call = forbid_unshare},
	{.name = "bpf", .call = forbid_bpf},
	{.name = "keyctl", .call = forbid_keyctl},
	{.name = "kill", .call = forbid_kill},
	{.name = "AF_PACKET", .call = forbid_packet},
	{.name = "AF_ALG", .call = forbid_raw_other},
	{.name = "create", .call = forbid_create, .not_sanitized = true},
	{.name = "O_TMPFILE", .call = forbid_tmpfile, .not_sanitized = true},
	{.name = "open tun", .call = forbid_tun, .not_sanitized = true},
	{.name = "chmod", .call = forbid_chmod},
	{.name = "setrlimit", .call = forbid_limits, .not_sanitized = true},
	{.name = "dumpable", .call = forbid_dumpable, .not_sanitized = true},
	{.name = "new code", .call = forbid_code},
	{.name = "rename device", .call = forbid_sticky_ioctl},
	{.name = "shadow", .call = forbid_shadow, .only_other = true},
};

static void try_forbidden(struct child *child)
{
	bool is_root = getuid() == 0;

	for (size_t i = 0; i < G_N_ELEMENTS(forbidden); i++) {
		int result;

		if ((forbidden[i].only_other && is_root) || (forbidden[i].not_sanitized && ELA_SANITIZED))
			continue;
		errno = 0;
		result = forbidden[i].call();
		if (result >= 0 || (errno != EPERM && errno != EACCES))
			COMPLAIN(child, "%s: %d, %s", forbidden[i].name, result, strerror(errno));
	}
}

/* ---- needed ---- */

static const char *need_memory(struct child *child)
{
	char *big = malloc(8 << 20);
	char *more = big ? realloc(big, 16 << 20) : NULL;

	(void)child;
	if (!more)
		return "malloc";
	memset(more, 1, 16 << 20);
	free(more);
	return NULL;
}

static const char *need_file(struct child *child)
{
	g_autofree char *text = NULL;
	struct stat st;

	(void)child;
	if (!g_file_get_contents("/etc/passwd", &text, NULL, NULL) || stat("/etc", &st) < 0 || access("/etc", R_OK) < 0)
		return "reading a file";
	return g_file_test("/etc/passwd", G_FILE_TEST_IS_REGULAR) ? NULL : "testing a file";
}

static const char *need_clock(struct child *child)
{
	struct timespec now, pause = {0, 1000};
	uint8_t bytes[32];

	(void)child;
	if (syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now) < 0 || syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) < 0)
		return "clock_gettime";
	if (nanosleep(&pause, NULL) < 0)
		return "nanosleep";
	return getrandom(bytes, sizeof bytes, 0) == sizeof bytes ? NULL : "getrandom";
}

static const char *need_events(struct child *child)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	struct epoll_event event = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC), timer = timerfd_create(CLOCK_BOOTTIME, 0);

	(void)child;
	if (ep < 0 || ev < 0 || timer < 0)
		return "epoll_create1, eventfd or timerfd_create";
	if (epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, timer, &event) < 0)
		return "epoll_ctl";
	if (timerfd_settime(timer, 0, &soon, NULL) < 0 || eventfd_write(ev, 1) < 0)
		return "timerfd_settime or eventfd";
	if (epoll_wait(ep, &event, 1, 2000) != 1 || close(ep) < 0 || close(ev) < 0 || close(timer) < 0)
		return "epoll_wait";
	return NULL;
}

static void *thread_body(void *data)
{
	*(bool *)data = prctl(PR_SET_NAME, "ela-lane", 0, 0, 0) == 0 && need_memory(NULL) == NULL;
	return NULL;
}

static const char *need_threads(struct child *child)
{
	bool is_good = false, is_good_glib = false;
	GThread *glib;
	pthread_t thread;

	(void)child;
	if (pthread_create(&thread, NULL, thread_body, &is_good) != 0 || pthread_join(thread, NULL) != 0 || !is_good)
		return "pthread_create";
	glib = g_thread_try_new("ela-glib", thread_body, &is_good_glib, NULL);
	if (!glib)
		return "g_thread_try_new";
	(void)g_thread_join(glib);
	return is_good_glib ? NULL : "a thread of GLib";
}

/* Sets the loopback device up: rtnetlink, and CAP_NET_ADMIN in effect. */
static const char *need_rtnetlink(struct child *child)
{
	struct {
		struct nlmsghdr nh;
		struct ifinfomsg info;
	} request = {
		.nh = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.info = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
	struct {
		struct nlmsghdr nh;
		struct nlmsgerr err;
	} answer = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	(void)child;
	if (fd < 0 || send(fd, &request, sizeof request, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0 || close(fd) < 0)
		return "rtnetlink";
	return answer.nh.nlmsg_type == NLMSG_ERROR && answer.err.error == 0 ? NULL : "setting a link up";
}

static const char *need_datagrams(struct child *child)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof addr;
	char text[] = "datagram", buf[16];
	struct iovec out = {text, sizeof text}, in = {buf, sizeof buf};
	struct mmsghdr send = {
		.msg_hdr = {.msg_name = &addr, .msg_namelen = sizeof addr, .msg_iov = &out, .msg_iovlen = 1}};
	struct mmsghdr recv = {.msg_hdr = {.msg_iov = &in, .msg_iovlen = 1}};
	int one = 1, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)child;
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one) < 0)
		return "socket or setsockopt";
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return "bind or getsockname";
	if (sendmmsg(fd, &send, 1, 0) != 1 || recvmmsg(fd, &recv, 1, 0, NULL) != 1 || recv.msg_len != sizeof text)
		return "sendmmsg or recvmmsg";
	return close(fd) == 0 ? NULL : "close";
}

static const char *need_streams(struct child *child)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;
	char text[] = "stream", buf[16];
	struct iovec out = {text, sizeof text}, in = {buf, sizeof buf};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM, 0), server;

	(void)child;
	if (listener < 0 || client < 0 || fcntl(client, F_SETFD, FD_CLOEXEC) < 0)
		return "socket or fcntl";
	if (bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(listener, 4) < 0 ||
		getsockname(listener, (struct sockaddr *)&addr, &len) < 0 ||
		connect(client, (struct sockaddr *)&addr, sizeof addr) < 0)
		return "listen or connect";
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0 || writev(client, &out, 1) != sizeof text || readv(server, &in, 1) != sizeof text)
		return "accept4, writev or readv";
	return close(server) == 0 && close(client) == 0 && close(listener) == 0 ? NULL : "close";
}

/* The device's own router solicitations come first; anything that is read will do. */
static const char *need_tun(struct child *child)
{
	uint8_t packet[2048] = {0x45};
	struct iovec iov = {packet, 28};
	struct epoll_event event = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ioctl(child->tun, TUNSETOFFLOAD, 0UL) < 0)
		return "TUNSETOFFLOAD";
	errno = 0;
	if (writev(child->tun, &iov, 1) < 0 && errno != EIO && errno != EINVAL) /* the device is down: EIO */
		return "writing to the device";
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, child->tun, &event) < 0 || close(ep) < 0)
		return "waiting for the device";
	iov.iov_len = sizeof packet;
	return readv(child->tun, &iov, 1) < 0 && errno == EPERM ? "reading from the device" : NULL;
}

struct answer {
	GMainLoop *loop;
	uint32_t n;
	uint8_t ip[4];
};

static void on_answer(void *data, const struct ela_addr *addrs, uint32_t n, const char *reason)
{
	struct answer *answer = data;

	(void)reason;
	answer->n = n;
	memcpy(answer->ip, addrs[0].ip, sizeof answer->ip); /* what it is without an address does not matter */
	g_main_loop_quit(answer->loop);
}

static const char *need_resolver(struct child *child)
{
	struct answer answer = {.loop = g_main_loop_new(NULL, FALSE)};
	struct ela_loop *loop = ela_loop_glib_new();
	struct ela_resolver *resolver = ela_resolver_new(loop);

	(void)child;
	(void)ela_resolver_start(resolver, "gateway.ela.test.", 7450, on_answer, &answer);
	g_main_loop_run(answer.loop);
	ela_resolver_free(resolver);
	ela_loop_free(loop);
	g_main_loop_unref(answer.loop);
	return answer.n == 1 && memcmp(answer.ip, NAME_SERVER_IP4, sizeof answer.ip) == 0 ? NULL : "resolving a name";
}

/* What abort() does, with a signal that is blocked. */
static const char *need_own_signal(struct child *child)
{
	sigset_t set;

	(void)child;
	if (sigemptyset(&set) < 0 || sigaddset(&set, SIGUSR1) < 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return "pthread_sigmask";
	return raise(SIGUSR1) == 0 ? NULL : "raise";
}

static void try_needed(struct child *child)
{
	static const char *(*const needed[])(struct child *) = {need_memory, need_file, need_clock, need_events,
		need_threads, need_rtnetlink, need_datagrams, need_streams, need_tun, need_resolver, need_own_signal};

	for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
		const char *what = needed[i](child);

		if (what)
			COMPLAIN(child, "%s: %s", what, strerror(errno));
	}
}

/* ---- what the kernel says ---- */

static void expect_line(struct child *child, const char *status, const char *line)
{
	g_autofree char *whole = g_strdup_printf("\n%s\n", line);

	if (!strstr(status, whole)) {
		g_autofree char *name = g_strndup(line, strcspn(line, "\t"));
		const char *at = strstr(status, name);

		COMPLAIN(child, "%.*s (wanted %s)", at ? (int)strcspn(at, "\n") : 0, at ? at : "", line);
	}
}

static void check_status(struct child *child, uid_t uid, gid_t gid)
{
	g_autofree char *status = NULL;
	g_autofree char *uids = g_strdup_printf("Uid:\t%u\t%u\t%u\t%u", uid, uid, uid, uid);
	g_autofree char *gids = g_strdup_printf("Gid:\t%u\t%u\t%u\t%u", gid, gid, gid, gid);
	struct rlimit core;
	struct stat st;

	if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
		COMPLAIN(child, "cannot read /proc/self/status");
		return;
	}
	expect_line(child, status, uids);
	expect_line(child, status, gids);
	expect_line(child, status, "Groups:\t ");
	expect_line(child, status, "CapInh:\t0000000000000000");
	expect_line(child, status, "CapPrm:\t0000000000001000");
	expect_line(child, status, "CapEff:\t0000000000001000");
	expect_line(child, status, "CapBnd:\t0000000000000000");
	expect_line(child, status, "CapAmb:\t0000000000000000");
	expect_line(child, status, "NoNewPrivs:\t1");
	expect_line(child, status, "Seccomp:\t2");
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		COMPLAIN(child, "core dumps are possible");
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		COMPLAIN(child, "the process is dumpable");
	/* Who may be dumped owns his files in /proc. */
	if (stat("/proc/self/environ", &st) < 0 || st.st_uid != 0)
		COMPLAIN(child, "the process is dumpable to others of its user");
}

/* ---- children ---- */

static bool open_tun(struct child *child)
{
	struct ifreq request = {.ifr_name = "ela%d", .ifr_flags = IFF_TUN | IFF_NO_PI};

	child->tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (child->tun >= 0 && ioctl(child->tun, TUNSETIFF, &request) == 0)
		return true;
	COMPLAIN(child, "cannot make a TUN device: %s", strerror(errno));
	return false;
}

static bool start_name_server(struct child *child)
{
	const char *failed = name_server_start();

	if (failed)
		COMPLAIN(child, "%s: %s", failed, strerror(errno));
	return !failed;
}

static bool drop(struct child *child, struct ela_identity *identity)
{
	g_autoptr(GError) error = NULL;

	if (ela_process_identity(child->user, identity) != 0)
		COMPLAIN(child, "no user %s", child->user);
	else if (!ela_process_drop(identity, child->state_fd, child->log, &error))
		COMPLAIN(child, "%s", error->message);
	else
		return true;
	return false;
}

static void dropped_child(struct child *child)
{
	const gid_t groups[] = {1, 2};
	struct ela_identity identity;

	if (!start_name_server(child) || setgroups(G_N_ELEMENTS(groups), groups) < 0 || !open_tun(child) ||
		!drop(child, &identity))
		return;
	check_status(child, identity.uid, identity.gid);
	try_needed(child);
	try_forbidden(child);
}

/* As a unit with AmbientCapabilities=CAP_NET_ADMIN would start it. */
static void become_other(struct child *child, uint32_t capabilities)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = capabilities, .permitted = capabilities}};
	const struct passwd *other = getpwnam(OTHER_USER);

	if (!other || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		setresgid(other->pw_gid, other->pw_gid, other->pw_gid) < 0 ||
		setresuid(other->pw_uid, other->pw_uid, other->pw_uid) < 0 || syscall(SYS_capset, &header, data) < 0)
		COMPLAIN(child, "cannot become %s: %s", OTHER_USER, strerror(errno));
}

static void plain_user_child(struct child *child)
{
	struct ela_identity identity;

	if (!start_name_server(child) || !open_tun(child))
		return;
	become_other(child, 1u << CAP_NET_ADMIN);
	if (!ela_process_has_net_admin())
		COMPLAIN(child, "CAP_NET_ADMIN is not seen");
	if (!drop(child, &identity))
		return;
	if (identity.changes || identity.missing || strcmp(identity.name, OTHER_USER) != 0)
		COMPLAIN(child, "identity %s, changes %d, missing %d", identity.name, identity.changes, identity.missing);
	try_needed(child);
	try_forbidden(child);
}

static void powerless_child(struct child *child)
{
	become_other(child, 0);
	if (ela_process_has_net_admin())
		COMPLAIN(child, "CAP_NET_ADMIN is seen where it is not");
}

/* Nothing was dropped: the proof must name every call. */
static void undropped_child(struct child *child)
{
	const struct ela_identity identity = {.uid = 65534, .gid = 65534};
	g_autoptr(GError) error = NULL;

	if (ela_process_prove(&identity, -1, &error))
		COMPLAIN(child, "proved");
	else
		COMPLAIN(child, "%s", error->message);
}

static void *wait_forever(void *data)
{
	(void)data;
	for (;;)
		(void)pause();
	return NULL;
}

/* A change of user and the filter reach every thread; as root, capabilities, which are a thread's, would stay. */
static void early_thread_child(struct child *child)
{
	struct ela_identity identity;
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_forever, NULL) != 0)
		COMPLAIN(child, "pthread_create");
	else
		(void)drop(child, &identity); /* complains itself */
}

static void expect_quiet(void (*fn)(struct child *child), const char *user)
{
	g_autofree char *text = in_child(fn, user);

	ck_assert_msg(text[0] == '\0', "as %s:\n%s", user ? user : "default", text);
}

START_TEST(drops_to_another_user)
{
	expect_quiet(dropped_child, OTHER_USER);
}
END_TEST

START_TEST(drops_as_root)
{
	expect_quiet(dropped_child, "root");
}
END_TEST

START_TEST(runs_without_root)
{
	expect_quiet(plain_user_child, NULL);
	expect_quiet(powerless_child, NULL);
}
END_TEST

START_TEST(proof_names_every_call)
{
	static const char *const names[] = {"setuid(0)", "setns", "unshare", "execve", "kill", "process_vm_readv", "mount",
		"bpf", "perf_event_open", "keyctl", "personality", "io_uring_setup", "unlink", "rename", "socket(AF_PACKET)",
		"socket(NETLINK_NETFILTER)", "open /etc/shadow", "writable code", "CapPrm", "CapEff", "NoNewPrivs", "Seccomp",
		"Uid", "dumps and tracing"};
	static const char *const not_sanitized[] = {"fork", "ptrace", "open for writing", "create"};
	g_autofree char *text = in_child(undropped_child, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		ck_assert_msg(strstr(text, names[i]) != NULL, "%s is missing in: %s", names[i], text);
	for (size_t i = 0; i < G_N_ELEMENTS(not_sanitized) && !ELA_SANITIZED; i++)
		ck_assert_msg(strstr(text, not_sanitized[i]) != NULL, "%s is missing in: %s", not_sanitized[i], text);
}
END_TEST

START_TEST(proof_sees_other_threads)
{
	g_autofree char *text = NULL;

	if (ELA_SANITIZED) /* its own threads cannot be told from this one */
		return;
	text = in_child(early_thread_child, "root");
	expect_quiet(early_thread_child, OTHER_USER);
	ck_assert_msg(strstr(text, "has CapPrm") != NULL && strstr(text, "wanted CAP_NET_ADMIN alone") != NULL,
		"the thread was not seen: %s", text);
}
END_TEST

START_TEST(finds_users)
{
	struct ela_identity identity = {.uid = 77};
	const struct passwd *entry;

	ck_assert_int_eq(ela_process_identity("no-such-user-of-ela", &identity), -ENOENT);
	ck_assert_uint_eq(identity.uid, 77);
	ck_assert_int_eq(ela_process_identity(OTHER_USER, &identity), 0);
	ck_assert(identity.changes && !identity.missing && identity.uid != 0);
	ck_assert_str_eq(identity.name, OTHER_USER);
	ck_assert_int_eq(ela_process_identity("root", &identity), 0);
	ck_assert(!identity.changes && !identity.missing && identity.uid == 0);
	entry = getpwnam(ELA_PROCESS_USER);
	ck_assert_int_eq(ela_process_identity(NULL, &identity), 0);
	ck_assert(identity.missing == !entry && identity.changes == !!entry);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("drop");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (geteuid() != 0) {
		(void)puts("needs root");
		return 77;
	}
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, finds_users);
	tcase_add_test(tcase, drops_to_another_user);
	tcase_add_test(tcase, drops_as_root);
	tcase_add_test(tcase, runs_without_root);
	tcase_add_test(tcase, proof_names_every_call);
	tcase_add_test(tcase, proof_sees_other_threads);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
