/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst: reads and writes packets, one system call each with the headers of the device in a scratch of the queue and
 * the packet in core's memory. Lane threads; queue i is touched by lane i only.
 */
#include "npd-tun.h"

#include <errno.h>
#include <string.h>

#define ARENA_ALIGN 16u
#define ARENA_TAIL 64u     /* bytes that stay free behind the last packet */
#define DROPS_PER_READ 64u /* packets dropped in one call before core has its turn again */

struct tally {
	uint64_t calls, packets, bytes, superpackets;
};

static void count_one(struct tun_queue *q, enum tun_counter counter)
{
	ela_count(&q->counters[counter], 1);
}

/* One packet to data, of at most largest bytes, into *ret. 0 = dropped and counted, -EAGAIN = dry. */
static int read_one(struct tun_queue *q, uint32_t link_len, uint8_t *data, uint32_t largest, struct ela_packet *ret)
{
	const uint32_t front_len = ELA_VNET_LEN + link_len;
	/* A byte more than the largest, within the tail: the kernel does not say that it cut a packet. */
	struct iovec iov[2] = {{q->front, front_len}, {data, largest + 1}};
	ssize_t n;
	int err;

	do
		n = readv(q->fd, iov, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EBADFD ? -ENODEV : -errno; /* EBADFD: the interface was deleted */
	if ((size_t)n <= front_len) {
		count_one(q, TUN_RX_BAD_VNET);
		return 0;
	}
	if ((size_t)n - front_len > largest) {
		count_one(q, TUN_RX_TRUNCATED);
		return 0;
	}
	err = ela_vnet_decode(q->front, link_len, data, (uint32_t)((size_t)n - front_len), ret);
	if (err < 0)
		count_one(q, err == -EPROTONOSUPPORT ? TUN_RX_NOT_IP : TUN_RX_BAD_VNET);
	return err < 0 ? 0 : 1;
}

static uint8_t *align_up(uint8_t *p)
{
	return p + (-(uintptr_t)p & (ARENA_ALIGN - 1));
}

int tun_read_burst(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct tun *tun = self;
	struct tun_queue *q = &tun->queues[queue];
	const uint32_t largest = atomic_load_explicit(&tun->rx_largest, memory_order_relaxed);
	const uint64_t need = (uint64_t)headroom + largest + ARENA_TAIL + ARENA_ALIGN - 1;
	uint8_t *free_at = arena, *end = arena + arena_len;
	struct tally tally = {0};
	uint32_t got = 0, drops = 0;
	int ret = -EAGAIN;

	while (got < n && drops < DROPS_PER_READ) {
		if ((uint64_t)(end - free_at) < need) {
			ret = -ENOBUFS;
			break;
		}
		ret = read_one(q, tun->link_len, align_up(free_at + headroom), largest, &pkts[got]);
		tally.calls++;
		if (ret < 0)
			break;
		if (!ret) {
			drops++;
			ret = -EINTR; /* if nothing but drops came, core asks again: the rest makes no new event */
			continue;
		}
		tally.bytes += pkts[got].len;
		tally.superpackets += pkts[got].gso_type != ELA_GSO_NONE;
		free_at = pkts[got].data + pkts[got].len;
		got++;
	}
	ela_count(&q->counters[TUN_READS], tally.calls);
	ela_count(&q->counters[TUN_RX_PACKETS], got);
	ela_count(&q->counters[TUN_RX_BYTES], tally.bytes);
	ela_count(&q->counters[TUN_RX_SUPERPACKETS], tally.superpackets);
	if (!got)
		*ret_err = ret;
	return (int)got;
}

/* The capability a packet needs; 0 = none. */
static uint32_t cap_of(const struct ela_packet *pkt)
{
	static const uint32_t caps[] = {
		[ELA_GSO_NONE] = 0,
		[ELA_GSO_TCP4] = ELA_NPD_TSO4,
		[ELA_GSO_TCP6] = ELA_NPD_TSO6,
		[ELA_GSO_UDP4] = ELA_NPD_USO,
		[ELA_GSO_UDP6] = ELA_NPD_USO,
	};
	uint32_t gso = pkt->gso_type < sizeof caps / sizeof *caps ? caps[pkt->gso_type] : 0; /* encode refuses the rest */

	return gso | (pkt->flags & ELA_PACKET_NEEDS_CSUM ? ELA_NPD_CSUM : 0);
}

/*
 * The kernel answered EINVAL to a superpacket whose header was consistent. One may be the packet's own fault (some
 * paths look deeper than virtio asks); three in a row mean that the kernel does not do it.
 */
static int refused(struct tun *tun, struct tun_queue *q, const struct ela_packet *pkt)
{
	const uint32_t cap = cap_of(pkt) & ~ELA_NPD_CSUM;

	count_one(q, TUN_TX_GSO_REFUSED);
	if (++q->refusals[pkt->gso_type] >= TUN_REFUSALS_MAX &&
		atomic_fetch_and_explicit(&tun->caps, ~cap, memory_order_relaxed) & cap)
		count_one(q, TUN_TX_OFFLOAD_LOST);
	return -EOPNOTSUPP;
}

static int write_failed(struct tun *tun, struct tun_queue *q, const struct ela_packet *pkt, int err)
{
	switch (err) {
	case EAGAIN:
	case ENOBUFS:
		count_one(q, TUN_TX_FULL);
		return -EAGAIN;
	case EIO:
		count_one(q, TUN_TX_DOWN);
		return -EIO;
	case EBADFD:
		count_one(q, TUN_TX_DOWN);
		return -ENODEV;
	case EINVAL:
		if (pkt->gso_type != ELA_GSO_NONE)
			return refused(tun, q, pkt);
		break;
	default:
		break;
	}
	count_one(q, TUN_TX_ERROR);
	return -err;
}

/* Gathers pkt behind the front into q->iov. Bytes of the packet; 0 when it has too many pieces. */
static uint64_t gather(struct tun_queue *q, uint32_t front_len, const struct ela_packet *pkt)
{
	uint64_t total = pkt->len;

	if (pkt->n_more > TUN_MAX_IOV - 2)
		return 0;
	q->iov[0] = (struct iovec){q->front, front_len};
	q->iov[1] = (struct iovec){pkt->data, pkt->len};
	for (uint32_t i = 0; i < pkt->n_more; i++) {
		q->iov[2 + i] = pkt->more[i];
		total += pkt->more[i].iov_len;
	}
	return total;
}

/* Bytes of the packet, or what write_burst answers. */
static int write_one(struct tun *tun, struct tun_queue *q, uint32_t caps, const struct ela_packet *pkt)
{
	const uint32_t cap = cap_of(pkt), link_len = tun->link_len;
	uint64_t total;
	ssize_t n;

	if ((caps & cap) != cap)
		return -EOPNOTSUPP;
	total = gather(q, ELA_VNET_LEN + link_len, pkt);
	if (!total || total > UINT16_MAX || ela_vnet_encode(pkt, (uint32_t)total, link_len, q->front) < 0) {
		count_one(q, TUN_TX_BAD_PACKET);
		return -EINVAL;
	}
	if (link_len)
		ela_ether_encode(&q->ether, pkt->data, q->front + ELA_VNET_LEN);
	do
		n = writev(q->fd, q->iov, (int)(2 + pkt->n_more)); /* a device takes a packet whole */
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return write_failed(tun, q, pkt, errno);
	q->refusals[pkt->gso_type] = 0;
	return (int)total;
}

/* What control may have changed since the last burst. */
static void read_ether(struct tun *tun, struct ela_ether *ether)
{
	const uint64_t mac = atomic_load_explicit(&tun->mac, memory_order_relaxed);
	uint16_t n = 0;

	memcpy(ether->own, &mac, sizeof ether->own);
	for (uint32_t i = 0; i < ELA_VNET_MAX_BROADCASTS; i++) {
		const uint32_t ip = atomic_load_explicit(&tun->broadcasts[i], memory_order_relaxed);

		if (ip)
			memcpy(ether->broadcasts[n++], &ip, sizeof ip);
	}
	ether->n_broadcasts = n;
}

int tun_write_burst(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct tun *tun = self;
	struct tun_queue *q = &tun->queues[queue];
	const uint32_t caps = atomic_load_explicit(&tun->caps, memory_order_relaxed);
	struct tally tally = {0};
	uint32_t done;

	if (tun->link_len)
		read_ether(tun, &q->ether);
	for (done = 0; done < n; done++) {
		int ret = write_one(tun, q, caps, &pkts[done]);

		tally.calls += ret != -EOPNOTSUPP && ret != -EINVAL;
		if (ret < 0) {
			*ret_err = ret;
			break;
		}
		tally.bytes += (uint32_t)ret;
		tally.superpackets += pkts[done].gso_type != ELA_GSO_NONE;
	}
	ela_count(&q->counters[TUN_WRITES], tally.calls);
	ela_count(&q->counters[TUN_TX_PACKETS], done);
	ela_count(&q->counters[TUN_TX_BYTES], tally.bytes);
	ela_count(&q->counters[TUN_TX_SUPERPACKETS], tally.superpackets);
	return (int)done;
}
