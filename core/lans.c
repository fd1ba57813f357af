/* SPDX-License-Identifier: Apache-2.0 */
/* lans: see lans.h. Control thread. */
#include "lans.h"

#include "bytes.h"
#include "inet.h"

#include <ela/host.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX 64u
#define READ_BUDGET 32u /* frames at a time: whoever floods has to wait as everybody */

struct one_family {
	struct ela_lans *lans;
	int fd; /* -1: not open */
	struct ela_watch *watch;
};

struct ela_lans {
	struct ela_loop *loop;
	ela_lans_fn fn;
	void *data;
	struct one_family ip4, ip6;
	uint64_t listed_ns; /* 0: never */
	uint32_t n;
	struct ela_lan v[ELA_LANS_MAX];
};

union any_sockaddr {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* ---- interfaces ---- */

static uint32_t count_bits(const uint8_t *mask, uint32_t len)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < len; i++)
		bits += (uint32_t)__builtin_popcount(mask[i]);
	return bits;
}

static bool read_ip4(const struct ifaddrs *at, struct ela_lan *ret)
{
	struct ela_prefix all = {.addr = {.family = ELA_ADDR_IP4}};

	if ((at->ifa_flags & IFF_BROADCAST) == 0)
		return false;
	memcpy(all.addr.ip, &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr, 4);
	all.bits = count_bits((const uint8_t *)&((const struct sockaddr_in *)(const void *)at->ifa_netmask)->sin_addr, 4);
	ret->own = all.addr;
	ret->bits = all.bits;
	ela_inet_prefix_fill(&all);
	ret->all = all.addr;
	return all.bits > 0 && all.bits <= 30;
}

static bool read_ip6(const struct ifaddrs *at, struct ela_lan *ret)
{
	ret->own = (struct ela_addr){.family = ELA_ADDR_IP6};
	memcpy(ret->own.ip, &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr, 16);
	ret->bits =
		count_bits((const uint8_t *)&((const struct sockaddr_in6 *)(const void *)at->ifa_netmask)->sin6_addr, 16);
	ret->all = (struct ela_addr){
		.family = ELA_ADDR_IP6, .ip = {0xff, 0x02, [15] = 1}, .scope = ret->interface}; /* RFC 4291, 2.7.1 */
	return (at->ifa_flags & IFF_MULTICAST) != 0 && ret->bits > 0 && ret->bits < 128;
}

static bool read_lan(const struct ifaddrs *at, struct ela_lan *ret)
{
	bool is_one = false;

	if (!at->ifa_addr || !at->ifa_netmask || (at->ifa_flags & IFF_UP) == 0 ||
		(at->ifa_flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) != 0)
		return false;
	ret->interface = if_nametoindex(at->ifa_name);
	if (at->ifa_addr->sa_family == AF_INET)
		is_one = read_ip4(at, ret);
	else if (at->ifa_addr->sa_family == AF_INET6)
		is_one = read_ip6(at, ret);
	return is_one && ret->interface != 0 && !ela_inet_is_link_local(&ret->own);
}

uint32_t ela_lans_list(struct ela_lans *lans, const struct ela_lan **ret)
{
	uint64_t now_ns = ela_loop_now(lans->loop);
	struct ifaddrs *all = NULL;

	*ret = lans->v;
	if (lans->listed_ns && now_ns - lans->listed_ns < ELA_LANS_KEPT_NS)
		return lans->n;
	lans->listed_ns = now_ns;
	lans->n = 0;
	(void)getifaddrs(&all); /* none are known then */
	for (const struct ifaddrs *at = all; at && lans->n < ELA_LANS_MAX; at = at->ifa_next)
		lans->n += read_lan(at, &lans->v[lans->n]);
	if (all)
		freeifaddrs(all);
	return lans->n;
}

bool ela_lans_has(const struct ela_lan *lans, uint32_t n, const struct ela_addr *addr)
{
	struct ela_addr bare = *addr;
	bool found = false;

	bare.port = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct ela_prefix prefix = {lans[i].own, lans[i].bits};

		if (memcmp(&bare, &lans[i].own, sizeof bare) == 0 || memcmp(&bare, &lans[i].all, sizeof bare) == 0)
			return false;
		found |= ela_inet_prefix_contains(&prefix, &bare);
	}
	return found;
}

/* ---- sockets ---- */

static void close_one(struct one_family *one)
{
	if (one->fd < 0)
		return;
	one->lans->loop->ops->watch_free(one->watch);
	(void)close(one->fd); /* nothing is left to be done about a failure */
	one->fd = -1;
}

static bool from_sockaddr(const union any_sockaddr *from, struct ela_addr *ret)
{
	*ret = (struct ela_addr){0};
	if (from->any.sa_family == AF_INET) {
		ret->family = ELA_ADDR_IP4;
		ret->port = ntohs(from->in4.sin_port);
		memcpy(ret->ip, &from->in4.sin_addr, 4);
	} else if (from->any.sa_family == AF_INET6) {
		ret->family = ELA_ADDR_IP6;
		ret->port = ntohs(from->in6.sin6_port);
		memcpy(ret->ip, &from->in6.sin6_addr, 16);
	}
	return ret->family != ELA_ADDR_NONE;
}

static void readable(void *data, uint32_t events)
{
	struct one_family *one = data;
	struct ela_lans *lans = one->lans;

	(void)events;
	for (uint32_t i = 0; i < READ_BUDGET && one->fd >= 0; i++) {
		union any_sockaddr from = {0};
		socklen_t from_len = sizeof from;
		struct ela_addr addr;
		uint8_t frame[FRAME_MAX + 1]; /* one that is longer is seen to be */
		ssize_t len = recvfrom(one->fd, frame, sizeof frame, MSG_DONTWAIT, &from.any, &from_len);

		if (len < 0)
			return; /* -EAGAIN; or an error that the next turn tells again, or not */
		if (from_sockaddr(&from, &addr))
			lans->fn(lans->data, &addr, frame, (uint32_t)len); /* which may end this */
	}
}

/* Any port; a multicast or broadcast that it sends is for those on the wire. */
static int open_one(struct one_family *one, int family)
{
	static const int on = 1;
	union any_sockaddr any = {0};
	socklen_t len = family == AF_INET ? sizeof any.in4 : sizeof any.in6;
	int fd, err;

	if (one->fd >= 0)
		return 0;
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	any.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		err = setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) |
			  setsockopt(fd, IPPROTO_IP, IP_TTL, &on, sizeof on);
	else
		err = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (err != 0 || bind(fd, &any.any, len) != 0) {
		err = -errno;
		(void)close(fd); /* the first error counts */
		return err;
	}
	one->watch = one->lans->loop->ops->watch_new(one->lans->loop, fd, ELA_EVENT_READ, readable, one);
	if (!one->watch) {
		(void)close(fd); /* as above */
		return -EOPNOTSUPP;
	}
	one->fd = fd;
	return 0;
}

/* From its own address there, out of that interface: what the routing table would choose is another question. */
static void put_from(struct msghdr *msg, const struct ela_lan *lan)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (lan->own.family == ELA_ADDR_IP4) {
		struct in_pktinfo info = {.ipi_ifindex = (int)lan->interface};

		memcpy(&info.ipi_spec_dst, lan->own.ip, 4);
		*cmsg = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
		memcpy(CMSG_DATA(cmsg), &info, sizeof info);
		msg->msg_controllen = CMSG_SPACE(sizeof info);
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = lan->interface};

		memcpy(&info.ipi6_addr, lan->own.ip, 16);
		*cmsg =
			(struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
		memcpy(CMSG_DATA(cmsg), &info, sizeof info);
		msg->msg_controllen = CMSG_SPACE(sizeof info);
	}
}

int ela_lans_say(struct ela_lans *lans, const struct ela_lan *lan, uint16_t port, const uint8_t *frame, uint32_t len)
{
	bool is_ip4 = lan->own.family == ELA_ADDR_IP4;
	struct one_family *one = is_ip4 ? &lans->ip4 : &lans->ip6;
	int err = open_one(one, is_ip4 ? AF_INET : AF_INET6);
	union any_sockaddr to = {0};
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)frame, .iov_len = len}; /* sendmsg() only reads it */
	struct msghdr msg = {.msg_name = &to,
		.msg_namelen = is_ip4 ? sizeof to.in4 : sizeof to.in6,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};

	if (err != 0)
		return err;
	if (is_ip4) {
		to.in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&to.in4.sin_addr, lan->all.ip, 4);
	} else {
		to.in6 =
			(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = lan->interface};
		memcpy(&to.in6.sin6_addr, lan->all.ip, 16);
	}
	put_from(&msg, lan);
	return sendmsg(one->fd, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

void ela_lans_quiet(struct ela_lans *lans)
{
	close_one(&lans->ip4);
	close_one(&lans->ip6);
}

/* ---- life ---- */

struct ela_lans *ela_lans_new(struct ela_loop *loop, ela_lans_fn fn, void *data)
{
	struct ela_lans *lans = g_new0(struct ela_lans, 1);

	lans->loop = loop;
	lans->fn = fn;
	lans->data = data;
	lans->ip4 = (struct one_family){.lans = lans, .fd = -1};
	lans->ip6 = (struct one_family){.lans = lans, .fd = -1};
	return lans;
}

void ela_lans_free(struct ela_lans *lans)
{
	if (!lans)
		return;
	ela_lans_quiet(lans);
	g_free(lans);
}
