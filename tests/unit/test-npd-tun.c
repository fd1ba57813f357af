/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun against the kernel: what the interface looks like once opened, and every refusal with its line. Each test
 * runs in a network namespace of its own and looks by other ways than the plugin's: SIOCGIF* and /proc/net.
 */
#include "test-netns.h"
#include "tun-node.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const both_addresses[] = {"10.88.0.1/24", "fd00:88::1/64", NULL};

static void setup(void)
{
	test_netns_enter();
}

static int ask(const char *name, unsigned long request, struct ifreq *ret)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	memset(ret, 0, sizeof *ret);
	strcpy(ret->ifr_name, name); /* tests give short ones */
	ck_assert_int_ge(fd, 0);
	if (ioctl(fd, request, ret) < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

static void check_in4(const char *name, unsigned long request, const char *wanted)
{
	struct ifreq ifr;
	struct sockaddr_in in4;
	char text[INET_ADDRSTRLEN];

	ck_assert_int_eq(ask(name, request, &ifr), 0);
	memcpy(&in4, &ifr.ifr_addr, sizeof in4);
	ck_assert_str_eq(inet_ntop(AF_INET, &in4.sin_addr, text, sizeof text), wanted);
}

static uint32_t flags_of(const char *name)
{
	struct ifreq ifr;

	ck_assert_int_eq(ask(name, SIOCGIFFLAGS, &ifr), 0);
	return (uint16_t)ifr.ifr_flags;
}

/* True when a line of the file has all the words, in their order. */
static bool file_has(const char *file, const char *const *words)
{
	FILE *f = fopen(file, "re");
	char line[512];
	bool found = false;

	ck_assert_ptr_nonnull(f);
	while (!found && fgets(line, sizeof line, f)) {
		const char *at = line;

		for (const char *const *w = words; at && *w; w++) {
			at = strstr(at, *w);
			at = at ? at + strlen(*w) : NULL;
		}
		found = at != NULL;
	}
	(void)fclose(f); /* only read */
	return found;
}

#define FILE_HAS(file, ...) file_has(file, (const char *const[]){__VA_ARGS__, NULL})

struct u32_wanted {
	uint16_t attribute;
	bool found;
	uint32_t value;
};

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	struct u32_wanted *w = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) != w->attribute)
			continue;
		w->found = true;
		w->value = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

static uint32_t link_u32(const char *name, uint16_t attribute)
{
	static char buf[32768] __attribute__((aligned(8)));
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
	struct u32_wanted w = {.attribute = attribute};
	ssize_t n;

	ck_assert(sock && mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) == 0);
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ifi->ifi_index = (int)if_nametoindex(name);
	ck_assert_int_gt(mnl_socket_sendto(sock, nlh, nlh->nlmsg_len), 0);
	n = mnl_socket_recvfrom(sock, buf, sizeof buf);
	ck_assert_int_gt(n, 0);
	ck_assert_int_ge(mnl_cb_run(buf, (size_t)n, 0, 0, on_link, &w), 0);
	(void)mnl_socket_close(sock);
	ck_assert(w.found);
	return w.value;
}

/* One line of level error says both. */
static void check_log(struct tun_node *node, const char *what, const char *remedy)
{
	const char *log = test_host_log(node->th);

	for (const char *line = log; *line; line = strchrnul(line, '\n') + 1) {
		const char *end = strchrnul(line, '\n'), *found = strstr(line, what);

		if (line[0] == 'E' && found && found < end && strstr(found, remedy) && strstr(found, remedy) < end)
			return;
	}
	ck_abort_msg("wanted \"%s\" and \"%s\" in: %s", what, remedy, log);
}

static void check_addresses_and_routes(const char *name)
{
	struct ifreq ifr;

	check_in4(name, SIOCGIFADDR, "10.88.0.1");
	check_in4(name, SIOCGIFNETMASK, "255.255.255.0");
	ck_assert_int_eq(ask(name, SIOCGIFMTU, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_mtu, 1400);
	ck_assert_int_eq(ask(name, SIOCGIFTXQLEN, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_qlen, 256);
	ck_assert_uint_eq(link_u32(name, IFLA_GSO_MAX_SEGS), 44);
	/* Iface Destination ... Metric Mask, little-endian hexadecimal. */
	ck_assert(FILE_HAS("/proc/net/route", name, "0000580A", "\t0\t00FFFFFF"));
	ck_assert(FILE_HAS("/proc/net/route", name, "00005A0A", "\t0\t0000FFFF"));
	ck_assert(FILE_HAS("/proc/net/route", name, "FFFFFFFF", "\t1000000\tFFFFFFFF"));
	ck_assert(FILE_HAS("/proc/net/route", name, "000000E0", "\t1000000\t000000F0"));
	ck_assert(FILE_HAS("/proc/net/if_inet6", "fd000088000000000000000000000001", " 40 ", name));
	ck_assert_msg(!FILE_HAS("/proc/net/if_inet6", "fe80", name), "a link-local address means solicitations");
	ck_assert(FILE_HAS("/proc/net/ipv6_route", "fd000088000000000000000000000000 40", name));
	ck_assert(FILE_HAS("/proc/net/ipv6_route", "fd000099000000000000000000000000 30", name));
}

static const char *const extra_routes[] = {"10.90.0.0/16", "fd00:99::/48", "10.88.0.0/24", NULL};

/* Half a second in which a usual interface would solicit and report: nothing may come. */
static void check_silent(struct tun_node *node)
{
	(void)usleep(500000);
	ck_assert_uint_eq(tun_node_read(node, 0), 0);
	ck_assert_uint_eq(test_host_counter(node->th, "rx-packets"), 0);
	ck_assert_uint_eq(test_host_counter(node->th, "rx-not-ip"), 0);
	ck_assert_uint_eq(test_host_counter(node->th, "rx-bad-vnet"), 0);
}

START_TEST(lan_interface)
{
	struct tun_wish wish = {.addresses = both_addresses, .routes = extra_routes, .mtu = 1400, .gso_max_segs = 44};
	const uint32_t set = IFF_UP | IFF_NOARP | IFF_BROADCAST | IFF_MULTICAST;
	struct tun_node node;
	struct ifreq ifr;

	ck_assert_msg(tun_node_open(&node, &wish) == 0, "%s", test_host_log(node.th));
	ck_assert_str_eq(node.info.name, "ela0");
	ck_assert_uint_eq(node.info.n_queues, 1);
	ck_assert_uint_eq(node.info.mtu, 1400);
	ck_assert_uint_eq(flags_of("ela0") & (set | IFF_POINTOPOINT), set);
	ck_assert_int_eq(ask("ela0", SIOCGIFHWADDR, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_hwaddr.sa_family, 1); /* ARPHRD_ETHER */
	check_in4("ela0", SIOCGIFBRDADDR, "10.88.0.255");
	check_addresses_and_routes("ela0");
	check_silent(&node);
	tun_node_free(&node);
	ck_assert_uint_eq(if_nametoindex("ela0"), 0);
}
END_TEST

START_TEST(ptp_interface)
{
	static const char *const options[] = {"mode=ptp", "interface=p2p", NULL};
	struct tun_wish wish = {
		.options = options, .addresses = both_addresses, .routes = extra_routes, .mtu = 1400, .gso_max_segs = 44};
	const uint32_t set = IFF_UP | IFF_NOARP | IFF_POINTOPOINT | IFF_MULTICAST;
	struct tun_node node;

	ck_assert_msg(tun_node_open(&node, &wish) == 0, "%s", test_host_log(node.th));
	ck_assert_str_eq(node.info.name, "p2p");
	ck_assert_uint_eq(flags_of("p2p") & (set | IFF_BROADCAST), set);
	check_addresses_and_routes("p2p");
	check_silent(&node);
	tun_node_free(&node);
	ck_assert_uint_eq(if_nametoindex("p2p"), 0);
}
END_TEST

START_TEST(name_in_use)
{
	static const char *const lo[] = {"interface=lo", NULL};
	static const char *const elsewhere[] = {"10.99.0.1/24", NULL};
	struct tun_wish wish = {0}, second = {.addresses = elsewhere}, foreign = {.options = lo, .addresses = elsewhere};
	struct tun_node node, other;

	for (wish.n_queues = 1; wish.n_queues <= 2; wish.n_queues++) {
		second.n_queues = wish.n_queues;
		ck_assert_int_eq(tun_node_open(&node, &wish), 0);
		ck_assert_int_eq(tun_node_open(&other, &second), -EBUSY);
		check_log(&other, "ela0", "interface = another name or a pattern such as ela%d");
		tun_node_free(&other);
		check_in4("ela0", SIOCGIFADDR, "10.88.0.1");
		tun_node_free(&node);
	}
	ck_assert_int_eq(tun_node_open(&other, &foreign), -EBUSY);
	check_log(&other, "lo", "in use");
	tun_node_free(&other);
}
END_TEST

START_TEST(name_pattern)
{
	static const char *const options[] = {"interface=vpn%dx", NULL};
	static const char *const elsewhere[] = {"10.99.0.1/24", NULL};
	struct tun_wish wish = {.options = options, .n_queues = 2}, second = {.options = options, .addresses = elsewhere};
	struct tun_node node, other;

	ck_assert_int_eq(tun_node_open(&node, &wish), 0);
	ck_assert_str_eq(node.info.name, "vpn0x");
	ck_assert_int_eq(tun_node_open(&other, &second), 0);
	ck_assert_str_eq(other.info.name, "vpn1x");
	check_in4("vpn1x", SIOCGIFADDR, "10.99.0.1");
	tun_node_free(&other);
	tun_node_free(&node);
}
END_TEST

START_TEST(name_invalid)
{
	static const char *const names[] = {"interface=a/b", "interface=a b", "interface=%s", "interface=a%d%d",
		"interface=100%", "interface=..", "interface=a:b", "interface=%"};
	struct tun_node node;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *const options[] = {names[i], NULL};
		struct tun_wish wish = {.options = options};

		ck_assert_msg(tun_node_open(&node, &wish) == -EINVAL, "taken: %s", names[i]);
		ck_assert_ptr_null(node.self);
		check_log(&node, strchr(names[i], '=') + 1, "expected at most 15");
		tun_node_free(&node);
	}
}
END_TEST

START_TEST(prefix_overlap)
{
	static const struct {
		const char *const addresses[2];
		int ret;
	} cases[] = {
		{{"10.50.1.1/24"}, -EADDRINUSE},
		{{"10.50.0.1/16"}, -EADDRINUSE},
		{{"10.50.1.7/32"}, -EADDRINUSE},
		{{"fd50::1/64"}, -EADDRINUSE},
		{{"fd50::/16"}, -EADDRINUSE},
		{{"10.50.2.1/24"}, 0},
		{{"fd50:0:0:1::1/64"}, 0},
	};
	struct tun_node node;
	int tap = test_netns_tap("under0", "10.50.1.9", "255.255.255.0");
	struct ifreq ifr;

	test_netns_add6("under0", "fd50::9", 64);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tun_wish wish = {.addresses = cases[i].addresses};

		ck_assert_msg(
			tun_node_open(&node, &wish) == cases[i].ret, "%s: %s", cases[i].addresses[0], test_host_log(node.th));
		if (cases[i].ret) {
			check_log(&node, "under0", "take under0 down");
			ck_assert_uint_eq(if_nametoindex("ela0"), 0);
		}
		tun_node_free(&node);
	}
	/* What is down is in nobody's way. */
	ck_assert_int_eq(ask("under0", SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags = (short)(ifr.ifr_flags & ~IFF_UP);
	ck_assert_int_eq(ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &ifr), 0);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.addresses = cases[0].addresses}), 0);
	tun_node_free(&node);
	(void)close(tap);
}
END_TEST

START_TEST(bad_config)
{
	static const char *const nonsense[] = {"10.88.0.1/24", "10.88.0/24", NULL};
	static const char *const ptp[] = {"mode=ptp", NULL};
	static const char *const bad_route[] = {"10.1.0.0/33", NULL};
	static const char *const twice[] = {"10.88.0.1/24", "10.88.0.1/24", NULL};
	static const char *const defaults[] = {"0.0.0.0/0", "0.0.0.0/0", NULL};
	static const char *const same_route[] = {"10.90.0.0/16", "10.90.0.0/16", NULL};
	struct {
		struct tun_wish wish;
		int ret;
		const char *what, *remedy;
	} cases[] = {
		{{.addresses = nonsense}, -EINVAL, "\"10.88.0/24\"", "expected like 10.88.0.1/24"},
		{{.routes = bad_route}, -EINVAL, "\"10.1.0.0/33\"", "expected"},
		{{.addresses = both_addresses, .mtu = 1279}, -EINVAL, "mtu 1279", "at least 1280"},
		{{.mtu = 65522}, -EINVAL, "mtu 65522", "at most 65521"},
		{{.addresses = twice}, -EINVAL, "cannot take the address twice", "10.88.0.1/24"},
		{{.routes = same_route}, -EEXIST, "10.90.0.0/16", "take the prefix out of ela.ini"},
		{{.routes = defaults}, -EEXIST, "a default route already", "name the networks behind the peer"},
		{{.options = ptp, .mtu = 65535}, 0, NULL, NULL},
		{{.mtu = 65521}, 0, NULL, NULL},
		{{.mtu = 576}, 0, NULL, NULL},
	};
	struct tun_node node;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(tun_node_open(&node, &cases[i].wish) == cases[i].ret, "case %zu: %s", i, test_host_log(node.th));
		if (cases[i].ret)
			check_log(&node, cases[i].what, cases[i].remedy);
		tun_node_free(&node);
		ck_assert_uint_eq(if_nametoindex("ela0"), 0);
	}
}
END_TEST

START_TEST(no_permission)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];
	struct tun_node node;

	ck_assert_int_eq((int)syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1u << CAP_NET_ADMIN);
	caps[0].permitted &= ~(1u << CAP_NET_ADMIN);
	ck_assert_int_eq((int)syscall(SYS_capset, &header, caps), 0);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), -EPERM);
	check_log(&node, "ela0", "CAP_NET_ADMIN");
	tun_node_free(&node);
}
END_TEST

/* CAP_NET_ADMIN is there, the file's mode says no: the line names the file and what to do, and no capability. */
static void check_no_access(uid_t uid)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];
	struct tun_node node;

	ck_assert_int_eq((int)syscall(SYS_capget, &header, caps), 0);
	ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) | setresuid(uid, uid, uid), 0);
	caps[0].effective = caps[0].permitted = 1u << CAP_NET_ADMIN;
	caps[1].effective = caps[1].permitted = 0;
	ck_assert_int_eq((int)syscall(SYS_capset, &header, caps), 0);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), -EACCES);
	check_log(&node, "/dev/net/tun: not permitted: uid 65534 cannot open it, it is of uid 0, gid 0, mode 0600",
		"run as root, or: chmod 0666 /dev/net/tun");
	ck_assert_ptr_null(strstr(test_host_log(node.th), "CAP_NET_ADMIN"));
	tun_node_free(&node);
}

/* A root without devices, in a process of its own. No mount namespace: / need not be a mount point of its own. */
static void enter_empty_root(char *dir)
{
	(void)test_plugin_load(NPD_TUN_SO); /* by this name it stays found */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chroot(dir) | chdir("/") | mkdir("/dev", 0755) | mkdir("/dev/net", 0755), 0);
}

static void leave_empty_root(const char *dir, int outside)
{
	ck_assert_int_eq(unlink("/dev/net/tun") | rmdir("/dev/net") | rmdir("/dev"), 0);
	ck_assert_int_eq(fchdir(outside) | chroot(".") | rmdir(dir), 0);
	(void)close(outside); /* read by nobody */
}

START_TEST(no_access)
{
	char dir[] = "/tmp/ela-no-tun-XXXXXX";
	int outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), status = -1;
	pid_t child;

	ck_assert_int_ge(outside, 0);
	enter_empty_root(dir);
	ck_assert_int_eq(chmod("/", 0755) | mknod("/dev/net/tun", S_IFCHR | 0600, (dev_t)10 << 8 | 200), 0);
	child = fork();
	if (child == 0) {
		check_no_access(65534);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	leave_empty_root(dir, outside);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(no_tun_file)
{
	char dir[] = "/tmp/ela-no-tun-XXXXXX";
	int outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct tun_node node;

	ck_assert_int_ge(outside, 0);
	enter_empty_root(dir);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), -ENODEV);
	check_log(&node, "/dev/net/tun", "modprobe tun");
	tun_node_free(&node);
	/* There, but the driver is not: a node without a device behind it. */
	ck_assert_int_eq(mknod("/dev/net/tun", S_IFCHR | 0600, (dev_t)250 << 8 | 250), 0);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), -ENODEV);
	check_log(&node, "/dev/net/tun", "modprobe tun");
	tun_node_free(&node);
	leave_empty_root(dir, outside);
}
END_TEST

static void delete_link(const char *name)
{
	static char buf[4096] __attribute__((aligned(8)));
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);

	ck_assert(sock && mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) == 0);
	nlh->nlmsg_type = RTM_DELLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi->ifi_index = (int)if_nametoindex(name);
	ck_assert_int_gt(mnl_socket_sendto(sock, nlh, nlh->nlmsg_len), 0);
	ck_assert_int_gt(mnl_socket_recvfrom(sock, buf, sizeof buf), 0);
	(void)mnl_socket_close(sock);
}

START_TEST(mtu_changes)
{
	struct tun_node node;
	struct ifreq ifr;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.addresses = both_addresses}), 0);
	ck_assert_int_eq(node.ops->set_mtu(node.self, 1300), 0);
	ck_assert_int_eq(ask("ela0", SIOCGIFMTU, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_mtu, 1300);
	ck_assert_int_eq(node.ops->set_mtu(node.self, 9000), 0);
	ck_assert_int_eq(ask("ela0", SIOCGIFMTU, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_mtu, 9000);
	ck_assert_int_eq(node.ops->set_mtu(node.self, 1000), -EINVAL); /* the kernel would take the IPv6 address away */
	check_log(&node, "mtu 1000", "at least 1280");
	ck_assert_int_eq(node.ops->set_mtu(node.self, 65536 + 1400), -EINVAL);
	check_log(&node, "mtu 66936", "at most 65535");
	ck_assert(FILE_HAS("/proc/net/if_inet6", "fd000088000000000000000000000001", "ela0"));
	tun_node_free(&node);
}
END_TEST

/* What the kernel did not take must not make reading ask for more room. */
START_TEST(mtu_refused)
{
	static const char *const options[] = {"tso=off", "uso=off", NULL};
	struct tun_node node;
	int err = 0;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.options = options}), 0);
	delete_link("ela0");
	ck_assert_int_lt(node.ops->set_mtu(node.self, 9000), 0);
	check_log(&node, "cannot set its MTU", "");
	ck_assert_int_eq(node.ops->read_burst(node.self, 0, node.arena, 2048, 0, node.pkts, 1, &err), 0);
	ck_assert_int_eq(err, -ENODEV); /* not -ENOBUFS */
	tun_node_free(&node);
}
END_TEST

/* On a router superpackets come from elsewhere too. */
START_TEST(gso_of_router)
{
	struct tun_node node;

	test_netns_forward(true);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.gso_max_segs = 44}), 0);
	ck_assert_uint_gt(link_u32("ela0", IFLA_GSO_MAX_SEGS), 44);
	tun_node_free(&node);
}
END_TEST

static uint32_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint32_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

START_TEST(life_cycle)
{
	static const char *const addresses[] = {"10.88.0.1/24"};
	struct ela_npd_config config = {.addresses = addresses, .n_addresses = 1, .n_queues = 2, .mtu = 1380};
	struct ela_npd_info info;
	struct tun_node node;
	uint32_t files;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.n_queues = 2}), 0); /* loads the library */
	node.ops->close(node.self);
	files = open_files();
	for (int round = 0; round < 10; round++) {
		ck_assert_int_eq(node.ops->open(node.self, &config, &info), 0);
		ck_assert_uint_eq(info.n_queues, 2);
		for (uint32_t q = 0; q < 2; q++) {
			int fd = node.ops->queue_fd(node.self, q);

			ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
		}
		ck_assert_int_eq(node.ops->queue_fd(node.self, 2), -1);
		ck_assert_int_eq(node.ops->open(node.self, &config, &info), -EINVAL); /* open already */
		node.ops->close(node.self);
		node.ops->close(node.self);
		ck_assert_uint_eq(if_nametoindex("ela0"), 0);
		ck_assert_int_eq(node.ops->set_mtu(node.self, 1300), -ENODEV);
	}
	ck_assert_uint_eq(open_files(), files);
	node.ops->destroy(NULL);
	tun_node_free(&node);
}
END_TEST

START_TEST(queues)
{
	static const char *const one[] = {"queues=1", NULL};
	struct tun_node node;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.n_queues = 4}), 0);
	ck_assert_uint_eq(node.info.n_queues, 4);
	tun_node_free(&node);
	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){.n_queues = 4, .options = one}), 0);
	ck_assert_uint_eq(node.info.n_queues, 1);
	tun_node_free(&node);
}
END_TEST

/* Kernels without an offload refuse TUNSETOFFLOAD with its bit; what is left must be taken, and the rest work. */
START_TEST(offloads_refused)
{
	static const struct {
		uint32_t bit, caps;
		const char *warning;
	} cases[] = {
		{TUN_F_TSO_ECN, ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6 | ELA_NPD_USO, NULL},
		{0x20, ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6, NULL}, /* TUN_F_USO4 */
		{TUN_F_TSO4, ELA_NPD_CSUM, "refuses TCP superpackets"},
		{TUN_F_CSUM, 0, "no checksum offload"},
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	struct tun_node node;
	uint32_t usual;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	usual = node.info.caps; /* USO came with Linux 6.2 */
	tun_node_free(&node);
	ck_assert_ptr_nonnull(filter);
	ck_assert_int_eq(
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(ioctl), 2, SCMP_A1(SCMP_CMP_EQ, TUNSETOFFLOAD),
			SCMP_A2(SCMP_CMP_MASKED_EQ, cases[_i].bit, cases[_i].bit)),
		0);
	ck_assert_int_eq(seccomp_load(filter), 0);
	seccomp_release(filter);
	ck_assert_msg(tun_node_open(&node, &(struct tun_wish){.n_queues = 2}) == 0, "%s", test_host_log(node.th));
	ck_assert_uint_eq(node.info.n_queues, 2);
	ck_assert_uint_eq(node.info.caps, cases[_i].caps & usual);
	if (cases[_i].warning)
		ck_assert_ptr_nonnull(strstr(test_host_log(node.th), cases[_i].warning));
	else
		ck_assert_ptr_null(strstr(test_host_log(node.th), "W "));
	tun_node_free(&node);
}
END_TEST

START_TEST(removed_by_others)
{
	struct tun_node node;
	uint8_t packet[60] = {0x45, 0, 0, 60};
	int err = 0;

	ck_assert_int_eq(tun_node_open(&node, &(struct tun_wish){0}), 0);
	delete_link("ela0");
	ck_assert_uint_eq(if_nametoindex("ela0"), 0);
	while (test_host_run(node.th, 100))
		;
	check_log(&node, "ela0 was removed", "restart elad");
	ck_assert_int_eq(node.ops->read_burst(node.self, 0, node.arena, node.arena_len, 0, node.pkts, 1, &err), 0);
	ck_assert_int_eq(err, -ENODEV);
	ck_assert_int_eq(tun_node_write(&node, 0, &(struct ela_packet){.data = packet, .len = 60}), -ENODEV);
	tun_node_free(&node);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("npd-tun");
	TCase *tc = tcase_create("kernel");
	SRunner *runner;
	int failed;

	tun_node_need_root();
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, lan_interface);
	tcase_add_test(tc, ptp_interface);
	tcase_add_test(tc, name_in_use);
	tcase_add_test(tc, name_pattern);
	tcase_add_test(tc, name_invalid);
	tcase_add_test(tc, prefix_overlap);
	tcase_add_test(tc, bad_config);
	tcase_add_test(tc, no_permission);
	tcase_add_test(tc, no_access);
	tcase_add_test(tc, no_tun_file);
	tcase_add_test(tc, mtu_changes);
	tcase_add_test(tc, mtu_refused);
	tcase_add_test(tc, gso_of_router);
	tcase_add_test(tc, life_cycle);
	tcase_add_test(tc, queues);
	tcase_add_loop_test(tc, offloads_refused, 0, 4);
	tcase_add_test(tc, removed_by_others);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* each test begins with a new process */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
