/* SPDX-License-Identifier: Apache-2.0 */
/* transport-udp: receives bursts of trains. The lane's thread. */
#include "udp.h"

#include <errno.h>
#include <linux/udp.h>
#include <string.h>

/* How many full bursts in a row one socket may give before another one is asked. */
#define MAX_STREAK 8u

void udp_in_init(struct udp_in *in)
{
	for (uint32_t k = 0; k < UDP_BURST; k++)
		in->msgs[k].msg_hdr = (struct msghdr){
			.msg_name = &in->from[k], .msg_iov = &in->iov[k], .msg_iovlen = 1, .msg_control = in->control[k]};
}

static void prepare(struct udp_in *in, struct ela_train *trains, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		in->iov[k] = (struct iovec){.iov_base = trains[k].data, .iov_len = trains[k].room};
		/* The kernel writes both lengths at each receipt. */
		in->msgs[k].msg_hdr.msg_namelen = sizeof in->from[k];
		in->msgs[k].msg_hdr.msg_controllen = sizeof in->control[k];
	}
}

static void read_overflow(struct udp_lane *lane, struct udp_socket *sock, uint32_t total)
{
	ela_count(&lane->counters[UDP_RX_OVERFLOW], total - sock->overflow); /* wraps as the kernel's does */
	sock->overflow = total;
}

/* The address the datagram was sent to. A link-local one means something on its interface only. */
static void read_local6(const struct udp_socket *sock, const struct in6_pktinfo *info, struct ela_addr *ret)
{
	*ret = (struct ela_addr){.family = ELA_ADDR_IP6, .port = sock->addr.port};
	memcpy(ret->ip, &info->ipi6_addr, sizeof ret->ip);
	if (ela_ip6_is_link_local(ret->ip))
		ret->scope = info->ipi6_ifindex;
}

/* spec_dst is our own address even if the datagram was sent to a broadcast one. */
static void read_local4(const struct udp_socket *sock, const struct in_pktinfo *info, struct ela_addr *ret)
{
	*ret = (struct ela_addr){.family = ELA_ADDR_IP4, .port = sock->addr.port};
	memcpy(ret->ip, &info->ipi_spec_dst, 4);
}

static void read_control(
	struct udp_lane *lane, struct udp_socket *sock, const struct cmsghdr *cmsg, struct ela_train *train)
{
	const void *data = CMSG_DATA(cmsg);
	struct in6_pktinfo info6;
	struct in_pktinfo info4;
	uint32_t value;

	if (cmsg->cmsg_level == IPPROTO_UDP && cmsg->cmsg_type == UDP_GRO) {
		memcpy(&value, data, sizeof value); /* an int here, a u16 when sending */
		train->segment = value;
	} else if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
		memcpy(&info4, data, sizeof info4);
		read_local4(sock, &info4, &train->local);
	} else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, data, sizeof info6);
		read_local6(sock, &info6, &train->local);
	} else if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_TOS) {
		train->ecn = *(const uint8_t *)data & 3;
	} else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_TCLASS) {
		memcpy(&value, data, sizeof value);
		train->ecn = value & 3;
	} else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_RXQ_OVFL) {
		memcpy(&value, data, sizeof value);
		read_overflow(lane, sock, value);
	}
}

/* Makes a train of message k; len stays 0 for one to be ignored. */
static void read_message(struct udp_lane *lane, struct udp_socket *sock, uint32_t k, struct ela_train *train)
{
	struct msghdr *msg = &lane->in.msgs[k].msg_hdr;
	uint32_t len = lane->in.msgs[k].msg_len;

	train->len = 0;
	train->segment = 0;
	train->flags = 0;
	train->ecn = 0;
	train->local = (struct ela_addr){.family = ELA_ADDR_NONE};
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg))
		read_control(lane, sock, cmsg, train);
	if (msg->msg_flags & MSG_TRUNC)
		ela_count(&lane->counters[UDP_RX_OVERSIZE], 1);
	else if (msg->msg_flags & MSG_CTRUNC || !ela_ip_from_sockaddr(&lane->in.from[k], &train->remote))
		ela_count(&lane->counters[UDP_RX_MALFORMED], 1); /* its segment size may be missing */
	else if (len == 0)
		ela_count(&lane->counters[UDP_RX_EMPTY], 1);
	else
		train->len = len;
	if (train->segment == 0 || train->segment > train->len)
		train->segment = train->len;
}

static void count_trains(struct udp_lane *lane, const struct ela_train *trains, uint32_t n)
{
	uint64_t n_trains = 0, n_datagrams = 0, n_bytes = 0;

	for (uint32_t k = 0; k < n; k++) {
		if (trains[k].len == 0)
			continue;
		n_trains++;
		n_datagrams += trains[k].len == trains[k].segment ? 1 : (trains[k].len - 1) / trains[k].segment + 1;
		n_bytes += trains[k].len;
	}
	ela_count(&lane->counters[UDP_RX_TRAINS], n_trains);
	ela_count(&lane->counters[UDP_RX_DATAGRAMS], n_datagrams);
	ela_count(&lane->counters[UDP_RX_BYTES], n_bytes);
}

/* Returns how many, 0 when the socket is dry. */
static uint32_t read_socket(struct udp_lane *lane, struct udp_socket *sock, struct ela_train *trains, uint32_t n)
{
	int got = -1;

	prepare(&lane->in, trains, n);
	/*
	 * Twice: an error that is reported once and then gone, such as an ICMP message's, must not hide the datagrams
	 * behind it. Errors change neither the buffers nor the lengths.
	 */
	for (int i = 0; i < 2 && got < 0; i++) {
		got = recvmmsg(sock->fd, lane->in.msgs, n, MSG_DONTWAIT, NULL);
		ela_count(&lane->counters[UDP_RX_CALLS], 1);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (got < 0 && errno != EINTR)
			ela_count(&lane->counters[UDP_RX_ERRORS], 1);
	}
	if (got <= 0)
		return 0;
	for (uint32_t k = 0; k < (uint32_t)got; k++)
		read_message(lane, sock, k, &trains[k]);
	count_trains(lane, trains, (uint32_t)got);
	return (uint32_t)got;
}

int udp_read_burst(void *self, uint32_t lane_no, struct ela_train *trains, uint32_t n, int *ret_err)
{
	struct udp *udp = self;
	struct udp_lane *lane = &udp->lanes[lane_no];

	if (n > UDP_BURST)
		n = UDP_BURST;
	for (uint32_t tried = 0; tried < lane->n_sockets && n > 0; tried++) {
		uint32_t got = read_socket(lane, &lane->sockets[lane->reading], trains, n);

		/* A busy socket is asked again, but not for ever; one that gave less than was asked is probably dry. */
		if (got == n && ++lane->streak < MAX_STREAK)
			return (int)got;
		lane->streak = 0;
		lane->reading = lane->reading + 1 < lane->n_sockets ? lane->reading + 1 : 0;
		if (got > 0)
			return (int)got;
	}
	*ret_err = -EAGAIN;
	return 0;
}
