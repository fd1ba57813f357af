/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-udp: opens one socket with all its options and probes what the kernel offers. Control thread, at start.
 *
 * Addresses, ECN bits, offloads and buffers are comforts: without one the transport works on. Only the socket itself,
 * IPV6_V6ONLY (else IPv4-mapped addresses would appear), DF (else path MTU discovery would lie) and bind() must
 * succeed.
 */
#include "udp.h"

#include <errno.h>
#include <linux/udp.h>
#include <unistd.h>

static uint32_t get_size(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 || value < 0)
		return 0;
	return (uint32_t)value;
}

/* Beyond net.core.[rw]mem_max where we have CAP_NET_ADMIN, else up to it. Returns what came of it. */
static uint32_t set_buffer(int fd, int force, int name, uint32_t bytes)
{
	if (ela_ip_setsockopt(fd, SOL_SOCKET, force, (int)bytes) != 0)
		(void)ela_ip_setsockopt(fd, SOL_SOCKET, name, (int)bytes); /* what came of it is read back */
	return get_size(fd, name);
}

static bool has_gso(int fd)
{
	int value;
	socklen_t len = sizeof value;

	return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &value, &len) == 0; /* asking changes nothing on the socket */
}

static int configure4(int fd)
{
	(void)ela_ip_setsockopt(fd, IPPROTO_IP, IP_PKTINFO, 1); /* comforts */
	(void)ela_ip_setsockopt(fd, IPPROTO_IP, IP_RECVTOS, 1);
	return ela_ip_setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

static int configure6(int fd)
{
	int err = ela_ip_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);

	if (err)
		return err;
	(void)ela_ip_setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1); /* comforts */
	(void)ela_ip_setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	return ela_ip_setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

static int bind_to(int fd, const struct ela_addr *addr)
{
	union ela_ip_sockaddr sockaddr;
	socklen_t len = ela_ip_to_sockaddr(addr, &sockaddr);

	return bind(fd, &sockaddr.any, len) < 0 ? -errno : 0;
}

int udp_socket_open(const struct udp *udp, const struct ela_addr *addr, bool grouped, struct udp_socket *ret)
{
	bool v6 = addr->family == ELA_ADDR_IP6;
	int fd, err;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	err = v6 ? configure6(fd) : configure4(fd);
	if (!err && grouped)
		err = ela_ip_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = bind_to(fd, addr);
	if (err) {
		(void)close(fd); /* the first error counts */
		return err;
	}
	(void)ela_ip_setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, 1); /* a comfort */
	if (udp->use_gro)
		(void)ela_ip_setsockopt(fd, IPPROTO_UDP, UDP_GRO, 1); /* without it datagrams come singly */
	*ret = (struct udp_socket){
		.fd = fd,
		.gso = udp->use_gso && has_gso(fd),
		.any = ela_ip_is_any(addr),
		.sndbuf = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, udp->sndbuf),
		.rcvbuf = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, udp->rcvbuf),
		.addr = *addr,
	};
	return 0;
}

int udp_socket_share(const struct udp_socket *sock)
{
	return ela_ip_setsockopt(sock->fd, SOL_SOCKET, SO_REUSEPORT, 1);
}
