/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-udp: one datagram from a fresh socket, as whoever has never heard of the receiver would send it. Control
 * thread.
 */
#include "udp.h"

#include <errno.h>
#include <unistd.h>

/*
 * Where the fresh socket is bound: the one address of the family that this node listens on, at a port that the kernel
 * chooses; with several the routing table knows better. -ENETUNREACH: it listens on none of the family.
 */
static int choose_local(const struct udp *udp, const struct ela_addr *remote, struct ela_addr *ret)
{
	uint32_t n = 0;

	*ret = (struct ela_addr){.family = remote->family};
	for (uint32_t k = 0; udp->n_lanes && k < udp->lanes[0].n_sockets; k++) {
		const struct ela_addr *addr = &udp->lanes[0].sockets[k].addr;

		if (addr->family != remote->family)
			continue;
		*ret = n++ == 0 ? *addr : (struct ela_addr){.family = remote->family};
		ret->port = 0;
	}
	return n ? 0 : -ENETUNREACH;
}

static int send_from(
	int fd, const struct ela_addr *local, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	union ela_ip_sockaddr from, to;
	socklen_t from_len = ela_ip_to_sockaddr(local, &from), to_len = ela_ip_to_sockaddr(remote, &to);

	if (remote->family == ELA_ADDR_IP6) {
		int err = ela_ip_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);

		if (err)
			return err;
	}
	if (bind(fd, &from.any, from_len) < 0)
		return -errno;
	if (sendto(fd, bytes, len, MSG_DONTWAIT, &to.any, to_len) < 0)
		return errno == ENOBUFS ? -EAGAIN : -errno;
	return 0;
}

int udp_probe(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	struct udp *udp = self;
	uint64_t *counters = udp->host->counters(udp->host, ELA_LANE_CONTROL);
	struct ela_addr local;
	int err, fd;

	if (remote->family != ELA_ADDR_IP4 && remote->family != ELA_ADDR_IP6)
		return -ENETUNREACH;
	err = choose_local(udp, remote, &local);
	if (err)
		return err;
	fd = socket(remote->family == ELA_ADDR_IP6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	err = send_from(fd, &local, remote, bytes, len);
	(void)close(fd); /* the datagram has left, or the first error counts */
	if (err)
		return err;
	ela_count(&counters[UDP_TX_CALLS], 1);
	ela_count(&counters[UDP_TX_MESSAGES], 1);
	ela_count(&counters[UDP_TX_DATAGRAMS], 1);
	ela_count(&counters[UDP_TX_BYTES], len);
	return 0;
}
