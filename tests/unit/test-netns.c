/* SPDX-License-Identifier: Apache-2.0 */
/* test-netns: see test-netns.h. The thread that calls. */
#include "test-netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define die(code, ...)                                                                                                 \
	do {                                                                                                               \
		fprintf(stderr, "test-netns: " __VA_ARGS__);                                                                   \
		fprintf(stderr, "\n");                                                                                         \
		exit(code);                                                                                                    \
	} while (0)

static void request(int family, unsigned long number, void *arg, const char *what)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, number, arg) < 0)
		die(99, "%s: %s", what, strerror(errno));
	(void)close(fd); /* nothing was written */
}

static struct ifreq ifreq_of(const char *interface)
{
	struct ifreq ifr = {0};

	(void)snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", interface); /* names in tests are short */
	return ifr;
}

void test_netns_up(const char *interface)
{
	struct ifreq ifr = ifreq_of(interface);

	request(AF_INET, SIOCGIFFLAGS, &ifr, "reading flags");
	ifr.ifr_flags |= IFF_UP;
	request(AF_INET, SIOCSIFFLAGS, &ifr, "setting up");
}

void test_netns_mtu(const char *interface, int mtu)
{
	struct ifreq ifr = ifreq_of(interface);

	ifr.ifr_mtu = mtu;
	request(AF_INET, SIOCSIFMTU, &ifr, "setting the MTU");
}

static void set_in4(const char *interface, const char *ip, unsigned long number)
{
	struct ifreq ifr = ifreq_of(interface);
	struct sockaddr_in in4 = {.sin_family = AF_INET};

	if (inet_pton(AF_INET, ip, &in4.sin_addr) != 1)
		die(99, "%s is no IPv4 address", ip);
	memcpy(&ifr.ifr_addr, &in4, sizeof in4);
	request(AF_INET, number, &ifr, ip);
}

void test_netns_add4(const char *interface, const char *ip, const char *netmask)
{
	set_in4(interface, ip, SIOCSIFADDR);
	set_in4(interface, netmask, SIOCSIFNETMASK);
}

/* A new address is tentative until the kernel's worker has had its turn, even where nothing is to be detected. */
static void wait_usable6(const struct in6_addr *ip, uint32_t ifindex)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = *ip, .sin6_scope_id = ifindex};
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < 5000; i++) {
		int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		int bound = bind(fd, (struct sockaddr *)&in6, sizeof in6);

		(void)close(fd); /* nothing was written */
		if (bound == 0)
			return;
		(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
	}
	die(99, "a new IPv6 address does not become usable");
}

void test_netns_add6(const char *interface, const char *ip, uint32_t prefix_len)
{
	struct in6_ifreq ifr = {.ifr6_prefixlen = prefix_len, .ifr6_ifindex = (int)if_nametoindex(interface)};

	if (inet_pton(AF_INET6, ip, &ifr.ifr6_addr) != 1)
		die(99, "%s is no IPv6 address", ip);
	request(AF_INET6, SIOCSIFADDR, &ifr, ip);
	wait_usable6(&ifr.ifr6_addr, (uint32_t)ifr.ifr6_ifindex);
}

int test_netns_tap(const char *interface, const char *ip, const char *netmask)
{
	struct ifreq ifr = ifreq_of(interface);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
		die(99, "TAP device: %s", strerror(errno));
	test_netns_add4(interface, ip, netmask);
	test_netns_up(interface);
	return fd;
}

void test_netns_forward(bool on)
{
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, on ? "1" : "0", 1) != 1 || close(fd) < 0)
		die(99, "ip_forward: %s", strerror(errno));
}

void test_netns_enter(void)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd;

	/* A user namespace would do for some tests only: no TAP device, no buffers beyond the system's limit. */
	if (unshare(CLONE_NEWNET) < 0)
		die(77, "skipped: a network namespace needs root: %s", strerror(errno));
	test_netns_up("lo");
	test_netns_forward(false); /* a new namespace inherits the host's */
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in6, sizeof in6) < 0)
		die(99, "this machine has no IPv6, which these tests are about: %s", strerror(errno));
	(void)close(fd); /* nothing was written */
}

void test_netns_hide_ipv6(void)
{
	const struct scmp_arg_cmp is_ipv6 = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_INET6};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (!ctx || seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &is_ipv6) != 0 ||
		seccomp_load(ctx) != 0)
		die(99, "no seccomp filter");
	seccomp_release(ctx);
}
