/* SPDX-License-Identifier: Apache-2.0 */
/* tun-packet: see tun-packet.h. The thread of the test. */
#include "tun-packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

socklen_t tun_address(const char *ip, uint16_t port, union tun_address *ret)
{
	memset(ret, 0, sizeof *ret);
	if (strchr(ip, ':')) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons(port);
		ck_assert_int_eq(inet_pton(AF_INET6, ip, &ret->in6.sin6_addr), 1);
		return sizeof ret->in6;
	}
	ret->in4.sin_family = AF_INET;
	ret->in4.sin_port = htons(port);
	ck_assert_int_eq(inet_pton(AF_INET, ip, &ret->in4.sin_addr), 1);
	return sizeof ret->in4;
}

int tun_socket(const char *ip, int type)
{
	union tun_address address;
	socklen_t len = tun_address(ip, TUN_PORT, &address);
	int one = 1, fd = socket(address.sa.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one), 0);
	ck_assert_msg(bind(fd, &address.sa, len) == 0, "bind %s: %s", ip, strerror(errno));
	return fd;
}

void tun_send(int fd, const char *ip, const void *bytes, size_t n)
{
	union tun_address address;
	socklen_t len = tun_address(ip, TUN_PORT, &address);

	ck_assert_msg(sendto(fd, bytes, n, 0, &address.sa, len) == (ssize_t)n, "to %s: %s", ip, strerror(errno));
}

/* Ones' complement sum, big endian words: the test's own, plain and slow. */
uint32_t tun_sum16(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void tun_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

uint32_t tun_pseudo_sum(const uint8_t *ip, uint8_t proto, uint32_t l4_len)
{
	bool ip4 = ip[0] >> 4 == 4;
	uint32_t sum = tun_sum16(ip + (ip4 ? 12 : 8), ip4 ? 8 : 32, 0) + proto + l4_len;

	return (sum & 0xffff) + (sum >> 16);
}

uint32_t tun_ip_len(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? 20 : 40;
}

/*
 * An IP and UDP packet from src to dst, port 5000 both, with payload bytes 'x'; the UDP checksum holds the
 * pseudo-header sum only. Returns its length.
 */
uint32_t tun_make_udp(uint8_t *buf, const char *src, const char *dst, uint32_t payload)
{
	union tun_address from, to;
	bool ip4 = tun_address(src, TUN_PORT, &from) == sizeof from.in4;
	uint32_t l4_len = 8 + payload, head = ip4 ? 20 : 40;

	(void)tun_address(dst, TUN_PORT, &to); /* of the same family */
	memset(buf, 0, head + 8);
	if (ip4) {
		buf[0] = 0x45;
		tun_put16(buf + 2, head + l4_len);
		buf[8] = 64;
		buf[9] = IPPROTO_UDP;
		memcpy(buf + 12, &from.in4.sin_addr, 4);
		memcpy(buf + 16, &to.in4.sin_addr, 4);
		tun_put16(buf + 10, ~tun_sum16(buf, 20, 0));
	} else {
		buf[0] = 0x60;
		tun_put16(buf + 4, l4_len);
		buf[6] = IPPROTO_UDP;
		buf[7] = 64;
		memcpy(buf + 8, &from.in6.sin6_addr, 16);
		memcpy(buf + 24, &to.in6.sin6_addr, 16);
	}
	tun_put16(buf + head, TUN_PORT);
	tun_put16(buf + head + 2, TUN_PORT);
	tun_put16(buf + head + 4, l4_len);
	tun_put16(buf + head + 6, tun_pseudo_sum(buf, IPPROTO_UDP, l4_len));
	memset(buf + head + 8, 'x', payload);
	return head + l4_len;
}

/* The packet's transport checksum is right, or the partial one a right beginning. */
void tun_check_csum(const struct ela_packet *pkt, uint8_t proto)
{
	uint32_t l4 = tun_ip_len(pkt->data), l4_len = pkt->len - l4, pseudo = tun_pseudo_sum(pkt->data, proto, l4_len);

	if (pkt->flags & ELA_PACKET_NEEDS_CSUM) {
		ck_assert_uint_eq(pkt->csum_start, l4);
		ck_assert_uint_eq(pkt->csum_offset, proto == IPPROTO_UDP ? 6 : 16);
		ck_assert_uint_eq(get16(pkt->data + l4 + pkt->csum_offset), pseudo);
	} else {
		ck_assert_uint_eq(tun_sum16(pkt->data + l4, l4_len, pseudo), 0xffff);
	}
}

void tun_expect(int fd, size_t len, const char *what)
{
	char buf[2048];
	ssize_t n = recv(fd, buf, sizeof buf, 0); /* a write runs the receiving stack: no wait */

	ck_assert_msg(n == (ssize_t)len, "%s: %zd bytes, %s", what, n, n < 0 ? strerror(errno) : "");
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(buf[i], 'x');
}
