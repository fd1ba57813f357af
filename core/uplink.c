/* SPDX-License-Identifier: Apache-2.0 */
/* uplink: see uplink.h. Control thread. */
#include "uplink.h"

#include <ela/host.h>
#include <errno.h>
#include <glib.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ela_uplink {
	struct ela_loop *loop;
	void (*changed)(void *data);
	void *data;
	unsigned own_index;
	int fd;
	struct ela_watch *watch;
	struct ela_timer *timer; /* armed: something changed, and is told when it fires */
	bool is_due;
	uint64_t told_ns; /* 0 = never */
};

/* The device that a route leaves by; 0: none, or several. */
static unsigned device_of_route(struct nlmsghdr *header)
{
	struct rtmsg *route = NLMSG_DATA(header);
	int len = (int)RTM_PAYLOAD(header);

	for (struct rtattr *at = RTM_RTA(route); RTA_OK(at, len); at = RTA_NEXT(at, len)) {
		unsigned index;

		if (at->rta_type != RTA_OIF || RTA_PAYLOAD(at) != sizeof index)
			continue;
		memcpy(&index, RTA_DATA(at), sizeof index);
		return index;
	}
	return 0;
}

/* Addresses and routes of elad's own device are elad's doing; a cached route is no news. */
static bool is_news(const struct ela_uplink *uplink, struct nlmsghdr *header)
{
	const struct ifaddrmsg *address = NLMSG_DATA(header);
	const struct rtmsg *route = NLMSG_DATA(header);

	switch (header->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return header->nlmsg_len >= NLMSG_LENGTH(sizeof *address) && address->ifa_index != uplink->own_index;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return header->nlmsg_len >= NLMSG_LENGTH(sizeof *route) && (route->rtm_flags & RTM_F_CLONED) == 0 &&
			   device_of_route(header) != uplink->own_index;
	default:
		return false;
	}
}

/* Nothing is written to bytes: the macros of netlink take no constants. */
static bool has_news(const struct ela_uplink *uplink, void *bytes, ssize_t len)
{
	unsigned left = (unsigned)len;

	for (struct nlmsghdr *header = bytes; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
		if (is_news(uplink, header))
			return true;
	return false;
}

static void tell(void *data)
{
	struct ela_uplink *uplink = data;

	uplink->is_due = false;
	uplink->told_ns = ela_loop_now(uplink->loop);
	uplink->changed(uplink->data);
}

static void on_readable(void *data, uint32_t events)
{
	struct ela_uplink *uplink = data;
	uint32_t buffer[2048]; /* aligned for headers */
	bool news = false;
	ssize_t len;

	(void)events; /* there is one kind */
	while ((len = recv(uplink->fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0 || (len < 0 && errno == ENOBUFS))
		news |= len < 0 || has_news(uplink, buffer, len); /* so much happened that some of it is lost: news, too */
	if (!news || uplink->is_due)
		return;
	uplink->is_due = true;
	uplink->loop->ops->timer_set(
		uplink->timer, MAX(ela_loop_now(uplink->loop), uplink->told_ns ? uplink->told_ns + ELA_UPLINK_REST_NS : 0));
}

static int open_socket(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	err = -errno;
	(void)close(fd); /* nothing was read */
	return err;
}

int ela_uplink_new(
	struct ela_loop *loop, const char *own_device, void (*changed)(void *data), void *data, struct ela_uplink **ret)
{
	struct ela_uplink *uplink;
	int fd = open_socket();

	if (fd < 0)
		return fd;
	uplink = g_new0(struct ela_uplink, 1);
	uplink->loop = loop;
	uplink->changed = changed;
	uplink->data = data;
	uplink->own_index = if_nametoindex(own_device);
	uplink->fd = fd;
	uplink->timer = loop->ops->timer_new(loop, tell, uplink);
	uplink->watch = loop->ops->watch_new(loop, fd, ELA_EVENT_READ, on_readable, uplink);
	*ret = uplink;
	return 0;
}

void ela_uplink_free(struct ela_uplink *uplink)
{
	if (!uplink)
		return;
	uplink->loop->ops->watch_free(uplink->watch);
	uplink->loop->ops->timer_free(uplink->timer);
	(void)close(uplink->fd); /* read only */
	g_free(uplink);
}
