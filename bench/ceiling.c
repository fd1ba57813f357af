/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceiling: a bare TUN <-> UDP forwarder with today's offloads (vnet header and TSO on the device, UDP GSO and GRO), one
 * thread per direction, optional AES-256-GCM per datagram (intel-ipsec-mb, or OpenSSL EVP with -DEVP). No sessions, no
 * routing, no replay window: a yardstick for a tunnel on this machine, not a model of style.
 *
 *   ceiling IFNAME LOCAL REMOTE PORT [aead]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#ifdef EVP
#include <openssl/evp.h>
#else
#include <intel-ipsec-mb.h>
static IMB_MGR *mm;
static struct gcm_key_data kd;
typedef struct gcm_context_data EVP_CIPHER_CTX;
#endif
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
enum { HDR = 16, TAG = 16, MAXB = 65536 + 4096 };
static int tun, sock, aead;
static unsigned char key[32] = {1};
static struct sockaddr_in peer;
static void die(const char *s)
{
	perror(s);
	exit(1);
}
static uint32_t sum(const void *p, size_t n, uint32_t s)
{
	const uint8_t *b = p;
	uint64_t a = s;
	while (n >= 4) {
		uint32_t v;
		memcpy(&v, b, 4);
		a += v;
		b += 4;
		n -= 4;
	}
	while (n >= 2) {
		uint16_t v;
		memcpy(&v, b, 2);
		a += v;
		b += 2;
		n -= 2;
	}
	if (n)
		a += *b;
	a = (a & 0xffffffff) + (a >> 32);
	a = (a & 0xffffffff) + (a >> 32);
	a = (a & 0xffff) + (a >> 16);
	a = (a & 0xffff) + (a >> 16);
	return a;
}
static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}
static void tcp_csum(uint8_t *ip, size_t n, size_t ihl)
{
	uint8_t *t = ip + ihl;
	size_t l = n - ihl;
	t[16] = t[17] = 0;
	uint32_t s = sum(ip + 12, 8, 0) + htons(6) + htons(l);
	uint16_t c = fold(sum(t, l, s));
	memcpy(t + 16, &c, 2);
}
static void send_gso(uint8_t *b, size_t n, size_t seg)
{
	struct iovec v = {b, n};
	char c[CMSG_SPACE(2)] = {0};
	struct msghdr m = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &v, .msg_iovlen = 1};
	if (n > seg) {
		m.msg_control = c;
		m.msg_controllen = sizeof c;
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_UDP;
		h->cmsg_type = UDP_SEGMENT;
		h->cmsg_len = CMSG_LEN(2);
		uint16_t s = seg;
		memcpy(CMSG_DATA(h), &s, 2);
	}
	while (sendmsg(sock, &m, 0) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == ENOBUFS || errno == EAGAIN)
			break;
		die("sendmsg");
	}
}
#ifdef EVP
static EVP_CIPHER_CTX *mk(int enc)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	EVP_CipherInit_ex(x, EVP_aes_256_gcm(), 0, key, 0, enc);
	return x;
}
static void seal(EVP_CIPHER_CTX *x, uint8_t *d, uint8_t *p, size_t plen)
{
	uint8_t iv[12] = {0};
	memcpy(iv, d, 8);
	int l;
	EVP_EncryptInit_ex(x, 0, 0, 0, iv);
	EVP_EncryptUpdate(x, 0, &l, d, HDR);
	EVP_EncryptUpdate(x, p, &l, p, plen);
	EVP_EncryptFinal_ex(x, p + plen, &l);
	EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TAG, p + plen);
}
static int unseal(EVP_CIPHER_CTX *x, uint8_t *d, uint8_t *p, size_t pl)
{
	uint8_t iv[12] = {0};
	memcpy(iv, d, 8);
	int l;
	EVP_DecryptInit_ex(x, 0, 0, 0, iv);
	EVP_DecryptUpdate(x, 0, &l, d, HDR);
	EVP_DecryptUpdate(x, p, &l, p, pl);
	EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, TAG, p + pl);
	return EVP_DecryptFinal_ex(x, p + pl, &l) > 0;
}
#else
static EVP_CIPHER_CTX *mk(int enc)
{
	(void)enc;
	return aligned_alloc(64, 4096);
}
static void seal(EVP_CIPHER_CTX *x, uint8_t *d, uint8_t *p, size_t plen)
{
	uint8_t iv[12] = {0};
	memcpy(iv, d, 8);
	IMB_AES256_GCM_ENC(mm, &kd, x, p, p, plen, iv, d, HDR, p + plen, TAG);
}
static int unseal(EVP_CIPHER_CTX *x, uint8_t *d, uint8_t *p, size_t pl)
{
	uint8_t iv[12] = {0}, tg[16];
	memcpy(iv, d, 8);
	IMB_AES256_GCM_DEC(mm, &kd, x, p, p, pl, iv, d, HDR, tg, TAG);
	return !memcmp(tg, p + pl, 16);
}
#endif
static void *out(void *a)
{
	(void)a;
	uint8_t *in = aligned_alloc(64, MAXB), *o = aligned_alloc(64, 2 * MAXB);
	uint64_t ctr = 0;
	EVP_CIPHER_CTX *x = mk(1);
	for (;;) {
		ssize_t n = read(tun, in, MAXB);
		if (n <= (ssize_t)sizeof(struct virtio_net_hdr))
			continue;
		struct virtio_net_hdr *vh = (void *)in;
		uint8_t *ip = in + sizeof *vh;
		n -= sizeof *vh;
		if (ip[0] >> 4 != 4)
			continue;
		size_t ihl = (ip[0] & 15) * 4, h = ihl, gs = 0;
		int tso = vh->gso_type == VIRTIO_NET_HDR_GSO_TCPV4;
		if (tso) {
			h = ihl + (ip[ihl + 12] >> 4) * 4;
			gs = vh->gso_size;
		} else if (vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
			uint16_t st = vh->csum_start, of = vh->csum_offset;
			uint16_t c = fold(sum(ip + st, n - st, 0));
			if (!c)
				c = 0xffff;
			memcpy(ip + st + of, &c, 2);
		}
		size_t off = h, w = 0, first = 0, cnt = 0;
		uint32_t seq = 0;
		uint16_t id = 0;
		if (tso) {
			memcpy(&seq, ip + ihl + 4, 4);
			seq = ntohl(seq);
			memcpy(&id, ip + 4, 2);
			id = ntohs(id);
		}
		do {
			size_t pl = tso ? ((size_t)n - off < gs ? n - off : gs) : n - off;
			size_t plen = h + pl;
			uint8_t *d = o + w, *p = d + HDR;
			memset(d, 0, HDR);
			memcpy(d, &(uint64_t){++ctr}, 8);
			memcpy(p, ip, h);
			memcpy(p + h, ip + off, pl);
			if (tso) {
				uint16_t t = htons(plen);
				memcpy(p + 2, &t, 2);
				t = htons(id++);
				memcpy(p + 4, &t, 2);
				p[10] = p[11] = 0;
				t = fold(sum(p, ihl, 0));
				memcpy(p + 10, &t, 2);
				uint32_t q = htonl(seq);
				memcpy(p + ihl + 4, &q, 4);
				seq += pl;
				if (off + pl < (size_t)n)
					p[ihl + 13] &= ~0x09;
				tcp_csum(p, plen, ihl);
			}
			size_t dl = HDR + plen;
			if (aead) {
				seal(x, d, p, plen);
				dl += TAG;
			}
			if (!first)
				first = dl;
			w += dl;
			off += pl;
			cnt++;
			if (cnt == 60 || w + first > 65000 || dl < first) {
				send_gso(o, w, first);
				w = 0;
				cnt = 0;
				first = 0;
			}
		} while (off < (size_t)n);
		if (w)
			send_gso(o, w, first);
	}
}
static void *inn(void *a)
{
	(void)a;
	uint8_t *b = aligned_alloc(64, MAXB), *o = aligned_alloc(64, MAXB);
	EVP_CIPHER_CTX *x = mk(0);
	for (;;) {
		struct iovec v = {b, MAXB};
		char c[CMSG_SPACE(sizeof(int))];
		struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
		ssize_t n = recvmsg(sock, &m, 0);
		if (n <= HDR)
			continue;
		size_t seg = n;
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
			if (h->cmsg_level == SOL_UDP && h->cmsg_type == UDP_GRO) {
				int s;
				memcpy(&s, CMSG_DATA(h), 4);
				seg = s;
			}
		struct virtio_net_hdr *vh = (void *)o;
		uint8_t *sp = o + sizeof *vh;
		size_t have = 0, gs = 0, hl = 0, ihl = 20;
		uint32_t next = 0;
		int cnt = 0, closed = 0;
#define FLUSH()                                                                                                        \
	do {                                                                                                               \
		if (have) {                                                                                                    \
			memset(vh, 0, sizeof *vh);                                                                                 \
			if (cnt > 1) {                                                                                             \
				vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;                                                               \
				vh->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;                                                               \
				vh->gso_size = gs;                                                                                     \
				vh->hdr_len = hl;                                                                                      \
				vh->csum_start = ihl;                                                                                  \
				vh->csum_offset = 16;                                                                                  \
				uint16_t t = htons(have);                                                                              \
				memcpy(sp + 2, &t, 2);                                                                                 \
				sp[10] = sp[11] = 0;                                                                                   \
				t = fold(sum(sp, ihl, 0));                                                                             \
				memcpy(sp + 10, &t, 2);                                                                                \
				t = ~fold(sum(sp + 12, 8, 0) + htons(6) + htons(have - ihl));                                          \
				memcpy(sp + ihl + 16, &t, 2);                                                                          \
			}                                                                                                          \
			if (write(tun, o, sizeof *vh + have) < 0 && errno != EIO && errno != EINVAL)                               \
				perror("tun write");                                                                                   \
			have = 0;                                                                                                  \
			cnt = 0;                                                                                                   \
			closed = 0;                                                                                                \
		}                                                                                                              \
	} while (0)
		for (size_t off = 0; off < (size_t)n; off += seg) {
			size_t dl = (size_t)n - off < seg ? n - off : seg;
			uint8_t *d = b + off, *p = d + HDR;
			size_t pl = dl - HDR;
			if (aead) {
				pl -= TAG;
				if (!unseal(x, d, p, pl))
					continue;
			}
			if (p[9] == 6) {
				size_t h = 20 + (p[32] >> 4) * 4, body = pl - h;
				uint32_t q;
				memcpy(&q, p + 24, 4);
				q = ntohl(q);
				int fl = p[33];
				if (have && !closed && cnt && q == next && h == hl && body && body <= gs && have + body < 65000 &&
					!memcmp(sp + 12, p + 12, 12) && (fl & ~8) == 0x10 && !memcmp(sp + 28, p + 28, 4) &&
					!memcmp(sp + 40, p + 40, h - 40)) {
					memcpy(sp + have, p + h, body);
					have += body;
					next += body;
					cnt++;
					if (fl & 8)
						sp[33] |= 8;
					if (body < gs || (fl & 8))
						closed = 1;
					continue;
				}
				FLUSH();
				memcpy(sp, p, pl);
				have = pl;
				hl = h;
				gs = body;
				next = q + body;
				cnt = 1;
				closed = (fl & ~0x10) || !body;
			} else {
				FLUSH();
				memcpy(sp, p, pl);
				have = pl;
				cnt = 1;
				closed = 1;
				hl = 0;
				FLUSH();
			}
		}
		FLUSH();
	}
}
int main(int c, char **v)
{
	if (c < 5)
		return 2;
#ifndef EVP
	mm = alloc_mb_mgr(0);
	init_mb_mgr_auto(mm, NULL);
	IMB_AES256_GCM_PRE(mm, key, &kd);
#endif
	aead = c > 5;
	tun = open("/dev/net/tun", O_RDWR);
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	strcpy(r.ifr_name, v[1]);
	if (ioctl(tun, TUNSETIFF, &r))
		die("TUNSETIFF");
	if (ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
		die("offload");
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in l = {.sin_family = AF_INET, .sin_port = htons(atoi(v[4]))};
	inet_pton(AF_INET, v[2], &l.sin_addr);
	if (bind(sock, (void *)&l, sizeof l))
		die("bind");
	peer = l;
	inet_pton(AF_INET, v[3], &peer.sin_addr);
	int one = 1, big = 8 << 20;
	setsockopt(sock, SOL_UDP, UDP_GRO, &one, sizeof one);
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
	pthread_t t;
	pthread_create(&t, 0, inn, 0);
	out(0);
}
