/* SPDX-License-Identifier: Apache-2.0 */
/* netlink: interfaces, addresses and routes by rtnetlink (see netlink.h). Control thread. */
#include "netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUF_LEN 32768u /* the kernel fills dumps up to that in one message */
#define MAX_FOUND 32u

struct ela_nl {
	struct mnl_socket *sock;
	uint32_t seq;
	char buf[BUF_LEN] __attribute__((aligned(8)));
};

static int socket_new(int type, uint32_t groups, struct ela_nl **ret)
{
	struct ela_nl *nl = calloc(1, sizeof *nl);
	int err;

	if (!nl)
		return -ENOMEM;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | type);
	if (!nl->sock || mnl_socket_bind(nl->sock, groups, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		ela_nl_free(nl);
		return err;
	}
	*ret = nl;
	return 0;
}

int ela_nl_new(struct ela_nl **ret)
{
	return socket_new(0, 0, ret);
}

void ela_nl_free(struct ela_nl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		(void)mnl_socket_close(nl->sock); /* frees it whatever close() says */
	free(nl);
}

static struct nlmsghdr *request(struct ela_nl *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	return nlh;
}

/* Sends the request and reads answers until its acknowledgement or the dump's end; cb (or NULL) sees each message. */
static int talk(struct ela_nl *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	uint32_t portid = mnl_socket_get_portid(nl->sock), seq = nl->seq;
	int ret = MNL_CB_OK;

	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (ret > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, nl->buf, sizeof nl->buf);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		ret = mnl_cb_run(nl->buf, (size_t)n, seq, portid, cb, data);
	}
	return ret < 0 ? -errno : 0;
}

static void link_from(const struct nlmsghdr *nlh, struct ela_nl_link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct nlattr *attr;

	*ret = (struct ela_nl_link){.index = (uint32_t)ifi->ifi_index, .flags = ifi->ifi_flags};
	ret->gone = nlh->nlmsg_type == RTM_DELLINK;
	mnl_attr_for_each(attr, nlh, sizeof *ifi)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IFLA_MTU && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			ret->mtu = mnl_attr_get_u32(attr);
		else if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == sizeof ret->mac)
			memcpy(ret->mac, mnl_attr_get_payload(attr), sizeof ret->mac);
		else if (type == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
				 mnl_attr_get_payload_len(attr) <= sizeof ret->name)
			memcpy(ret->name, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	if (nlh->nlmsg_type == RTM_NEWLINK && mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifinfomsg))
		link_from(nlh, data);
	return MNL_CB_OK;
}

/* A message about the interface; NLM_F_ACK is what ends talk(). */
static struct nlmsghdr *link_request(struct ela_nl *nl, uint16_t type, uint32_t index, struct ifinfomsg **ret_ifi)
{
	struct nlmsghdr *nlh = request(nl, type, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	*ret_ifi = ifi;
	return nlh;
}

int ela_nl_link_get(struct ela_nl *nl, uint32_t index, const char *name, struct ela_nl_link *ret)
{
	struct ela_nl_link link = {0};
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_request(nl, RTM_GETLINK, index, &ifi);
	int err;

	if (!index)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	err = talk(nl, nlh, on_link, &link);
	if (err < 0)
		return err;
	if (!link.index)
		return -ENODEV;
	*ret = link;
	return 0;
}

int ela_nl_link_flags(struct ela_nl *nl, uint32_t index, uint32_t bits, uint32_t mask)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_request(nl, RTM_NEWLINK, index, &ifi);

	ifi->ifi_flags = bits;
	ifi->ifi_change = mask;
	return talk(nl, nlh, NULL, NULL);
}

int ela_nl_link_u32(struct ela_nl *nl, uint32_t index, uint16_t attribute, uint32_t value)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_request(nl, RTM_NEWLINK, index, &ifi);

	mnl_attr_put_u32(nlh, attribute, value);
	return talk(nl, nlh, NULL, NULL);
}

int ela_nl_link_quiet6(struct ela_nl *nl, uint32_t index)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_request(nl, RTM_NEWLINK, index, &ifi);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	return talk(nl, nlh, NULL, NULL);
}

int ela_nl_link_promote4(struct ela_nl *nl, uint32_t index)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_request(nl, RTM_NEWLINK, index, &ifi);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(nlh, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);

	mnl_attr_put_u32(nlh, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
	mnl_attr_nest_end(nlh, conf);
	mnl_attr_nest_end(nlh, inet);
	mnl_attr_nest_end(nlh, spec);
	return talk(nl, nlh, NULL, NULL);
}

static int addr_talk(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = request(nl, type, NLM_F_ACK | flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof *ifa);
	uint32_t ip_bytes = ela_prefix_ip_bytes(prefix);
	uint8_t broadcast[4];

	ifa->ifa_family = prefix->family;
	ifa->ifa_prefixlen = prefix->len;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = index;
	ifa->ifa_flags = IFA_F_PERMANENT;
	if (prefix->family == AF_INET6)
		ifa->ifa_flags |= IFA_F_NODAD; /* the address is the overlay's to give; a probe would only delay its use */
	mnl_attr_put(nlh, IFA_LOCAL, ip_bytes, prefix->ip);
	mnl_attr_put(nlh, IFA_ADDRESS, ip_bytes, prefix->ip);
	if (ela_prefix_broadcast(prefix, broadcast))
		mnl_attr_put(nlh, IFA_BROADCAST, sizeof broadcast, broadcast);
	return talk(nl, nlh, NULL, NULL);
}

int ela_nl_addr_add(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix)
{
	return addr_talk(nl, index, prefix, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
}

int ela_nl_addr_del(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix)
{
	return addr_talk(nl, index, prefix, RTM_DELADDR, 0);
}

int ela_nl_route_add(struct ela_nl *nl, uint32_t index, const struct ela_prefix *prefix, uint32_t metric)
{
	struct ela_prefix net = ela_prefix_network(prefix);
	struct nlmsghdr *nlh = request(nl, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof *rtm);

	rtm->rtm_family = net.family;
	rtm->rtm_dst_len = net.len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = net.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put(nlh, RTA_DST, ela_prefix_ip_bytes(&net), net.ip);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	if (metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, metric);
	return talk(nl, nlh, NULL, NULL);
}

struct found {
	const struct ela_prefix *wanted;
	uint32_t but; /* number of an interface whose own addresses do not count, 0 = none */
	uint32_t n;
	struct {
		uint32_t index;
		struct ela_prefix prefix;
	} list[MAX_FOUND];
};

static void found_add(struct found *found, const struct ifaddrmsg *ifa, const struct nlattr *attr, uint8_t len)
{
	struct ela_prefix prefix = {.family = ifa->ifa_family, .len = len};

	if (mnl_attr_get_payload_len(attr) != ela_prefix_ip_bytes(&prefix) || found->n == MAX_FOUND)
		return;
	memcpy(prefix.ip, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (ifa->ifa_index == found->but || !ela_prefix_overlaps(found->wanted, &prefix))
		return;
	found->list[found->n].index = ifa->ifa_index;
	found->list[found->n++].prefix = prefix;
}

/* IFA_ADDRESS has the prefix, of the far end on a point-to-point interface; then IFA_LOCAL is one address more. */
static int on_addr(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof *ifa)
		return MNL_CB_OK;
	if ((ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6) || ifa->ifa_scope == RT_SCOPE_LINK)
		return MNL_CB_OK; /* every interface has its own fe80::/64 */
	mnl_attr_for_each(attr, nlh, sizeof *ifa)
	{
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			found_add(data, ifa, attr, ifa->ifa_prefixlen);
		else if (mnl_attr_get_type(attr) == IFA_LOCAL)
			found_add(data, ifa, attr, ifa->ifa_family == AF_INET ? 32 : 128);
	}
	return MNL_CB_OK;
}

int ela_nl_overlap(struct ela_nl *nl, const struct ela_prefix *prefix, uint32_t but, char ret_name[IFNAMSIZ],
	struct ela_prefix *ret_prefix)
{
	struct nlmsghdr *nlh = request(nl, RTM_GETADDR, NLM_F_DUMP);
	struct found found = {.wanted = prefix, .but = but};
	struct ela_nl_link link;
	int err;

	((struct ifaddrmsg *)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg)))->ifa_family = prefix->family;
	err = talk(nl, nlh, on_addr, &found);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < found.n; i++) {
		/* An interface that vanished meanwhile overlaps nothing. */
		if (ela_nl_link_get(nl, found.list[i].index, NULL, &link) < 0 || !(link.flags & IFF_UP))
			continue;
		memcpy(ret_name, link.name, IFNAMSIZ);
		*ret_prefix = found.list[i].prefix;
		return 1;
	}
	return 0;
}

int ela_nl_monitor_new(struct ela_nl **ret)
{
	return socket_new(SOCK_NONBLOCK, RTMGRP_LINK, ret);
}

int ela_nl_monitor_fd(const struct ela_nl *nl)
{
	return mnl_socket_get_fd(nl->sock);
}

struct news {
	uint32_t index;
	bool any;
	struct ela_nl_link link;
};

static int on_news(const struct nlmsghdr *nlh, void *data)
{
	struct news *news = data;
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
		mnl_nlmsg_get_payload_len(nlh) < sizeof *ifi || (uint32_t)ifi->ifi_index != news->index ||
		ifi->ifi_family != AF_UNSPEC) /* bridges and IPv6 tell of parts of an interface in the same messages */
		return MNL_CB_OK;
	link_from(nlh, &news->link);
	news->any = true;
	return MNL_CB_OK;
}

int ela_nl_monitor_read(struct ela_nl *nl, uint32_t index, struct ela_nl_link *ret)
{
	struct news news = {.index = index};

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, nl->buf, sizeof nl->buf);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		if (mnl_cb_run(nl->buf, (size_t)n, 0, 0, on_news, &news) < 0)
			return -errno;
	}
	if (!news.any)
		return 0;
	*ret = news.link;
	return 1;
}
