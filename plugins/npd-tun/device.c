/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device: opens the queues of the TUN or TAP interface and finds out which offloads the kernel does. Control thread.
 * The only ioctls of the plugin are here; they are how such an interface is made, everything else is asked by netlink.
 */
#include "npd-tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TUN_FILE "/dev/net/tun"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define TUN_F_USO (TUN_F_USO4 | TUN_F_USO6) /* the kernel takes both or none */
#define TUN_F_TSO (TUN_F_TSO4 | TUN_F_TSO6)

static void log_access(const struct ela_host *host)
{
	struct stat st;

	if (stat(TUN_FILE, &st) == 0)
		ela_log(host, ELA_LOG_ERROR,
			"%s: not permitted: uid %u cannot open it, it is of uid %u, gid %u, mode %04o; run as root, or: chmod 0666 "
			"%s",
			TUN_FILE, (unsigned int)geteuid(), (unsigned int)st.st_uid, (unsigned int)st.st_gid,
			(unsigned int)st.st_mode & 07777, TUN_FILE);
	else
		ela_log(host, ELA_LOG_ERROR, "%s: not permitted, its folder neither; run as root", TUN_FILE);
}

static int log_open_error(const struct ela_host *host, int err)
{
	switch (err) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		ela_log(host, ELA_LOG_ERROR,
			"%s: not there; run \"modprobe tun\", or give the container the device "
			"(docker: --device " TUN_FILE ", lxc: lxc.mount.entry)",
			TUN_FILE);
		return -ENODEV;
	case -EACCES:
		log_access(host);
		return err;
	case -EPERM: /* the file would let us: a device cgroup does not */
		ela_log(host, ELA_LOG_ERROR,
			"%s: forbidden by the container or the service; allow it the device (docker: --device " TUN_FILE
			", systemd: DeviceAllow=" TUN_FILE " rw)",
			TUN_FILE);
		return err;
	default:
		ela_log(host, ELA_LOG_ERROR, "%s: cannot be opened: %s", TUN_FILE, strerror(-err));
		return err;
	}
}

static int log_create_error(const struct tun *tun, int err)
{
	const char *name = tun->options.interface;

	switch (err) {
	case -EBUSY:
		ela_log(tun->host, ELA_LOG_ERROR,
			"interface %s: the name is in use, by another elad perhaps; stop that, or set interface = another name or "
			"a "
			"pattern such as ela%%d in [npd-tun]",
			name);
		return err;
	case -EPERM:
	case -EACCES:
		ela_log(tun->host, ELA_LOG_ERROR, "interface %s: not permitted; run as root, or give CAP_NET_ADMIN", name);
		return err;
	default:
		ela_log(tun->host, ELA_LOG_ERROR, "interface %s: cannot be made by %s: %s", name, TUN_FILE, strerror(-err));
		return err;
	}
}

/* Attaches one queue; queue 0 makes the interface and resolves a pattern to the name. Logs only what makes open() fail.
 */
static int queue_open(struct tun *tun, uint32_t queue, bool several, int *ret_fd)
{
	struct ifreq ifr = {0};
	int vnet_len = ELA_VNET_LEN, fd, err;

	fd = open(TUN_FILE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err = -errno;
		return queue ? err : log_open_error(tun->host, err);
	}
	ifr.ifr_flags = (short)((tun->options.lan ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR);
	if (several)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (!queue)
		ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_TUN_EXCL); /* never share an interface with somebody else */
	memcpy(ifr.ifr_name, queue ? tun->name : tun->options.interface, IFNAMSIZ); /* both end within their 16 bytes */
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &vnet_len) < 0) {
		err = -errno;
		(void)close(fd); /* nothing was written */
		return queue ? err : log_create_error(tun, err);
	}
	memcpy(tun->name, ifr.ifr_name, IFNAMSIZ);
	*ret_fd = fd;
	return 0;
}

/* The most that the kernel takes of what the options allow. */
static uint32_t offloads_negotiate(const struct tun *tun, int fd)
{
	static const uint32_t attempts[] = {
		TUN_F_CSUM | TUN_F_TSO | TUN_F_TSO_ECN | TUN_F_USO,
		TUN_F_CSUM | TUN_F_TSO | TUN_F_TSO_ECN,
		TUN_F_CSUM | TUN_F_TSO | TUN_F_USO,
		TUN_F_CSUM | TUN_F_TSO,
		TUN_F_CSUM,
		0,
	};
	uint32_t wish = 0;

	/* The kernel segments with partial checksums only: without csum there is neither tso nor uso. */
	if (tun->options.csum) {
		wish |= TUN_F_CSUM;
		wish |= tun->options.tso ? TUN_F_TSO | TUN_F_TSO_ECN : 0;
		wish |= tun->options.uso ? TUN_F_USO : 0;
	}
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)(wish & attempts[i])) == 0)
			return wish & attempts[i];
	return 0;
}

static uint32_t caps_of(uint32_t offloads)
{
	return (offloads & TUN_F_CSUM ? ELA_NPD_CSUM : 0) | (offloads & TUN_F_TSO4 ? ELA_NPD_TSO4 : 0) |
		   (offloads & TUN_F_TSO6 ? ELA_NPD_TSO6 : 0) | (offloads & TUN_F_USO4 ? ELA_NPD_USO : 0);
}

#define PROBE_GSO_SIZE 16u
#define PROBE_PAYLOAD 24u /* two segments, the last shorter: what one stable series refused (6.6.44 to 6.6.46) */

/* The headers of a two-segment superpacket with TTL 0 between documentation addresses. Returns the packet. */
static struct ela_packet probe_packet(uint8_t gso_type, uint8_t buf[128])
{
	bool ip4 = gso_type == ELA_GSO_TCP4 || gso_type == ELA_GSO_UDP4;
	bool tcp = gso_type == ELA_GSO_TCP4 || gso_type == ELA_GSO_TCP6;
	uint8_t ip_len = ip4 ? 20 : 40, l4_len = tcp ? 20 : 8, proto = tcp ? 6 : 17;
	uint8_t len = (uint8_t)(ip_len + l4_len + PROBE_PAYLOAD);
	static const uint8_t head4[] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2};

	memset(buf, 0, 128);
	if (ip4) {
		memcpy(buf, head4, sizeof head4);
		buf[3] = len;
		buf[9] = proto;
	} else {
		buf[0] = 0x60;
		buf[5] = (uint8_t)(len - ip_len);
		buf[6] = proto;
		buf[8] = buf[24] = 0x20; /* 2001:db8:: */
		buf[9] = buf[25] = 0x01;
		buf[10] = buf[26] = 0x0d;
		buf[11] = buf[27] = 0xb8;
	}
	if (tcp)
		buf[ip_len + 12] = 0x50;
	else
		buf[ip_len + 5] = (uint8_t)(len - ip_len);
	return (struct ela_packet){
		.data = buf,
		.len = len,
		.len_total = len,
		.gso_size = PROBE_GSO_SIZE,
		.gso_type = gso_type,
		.flags = ELA_PACKET_NEEDS_CSUM,
		.csum_start = ip_len,
		.csum_offset = tcp ? 16 : 6,
		.hdr_len = (uint16_t)(ip_len + l4_len),
	};
}

/*
 * Does the kernel take superpackets of this kind? The interface is still down, so that a good packet is answered with
 * EIO after its header was checked, and nothing of it reaches the stack. Kernels before 5.2 look at the interface first
 * and answer EIO to all: then write_burst finds out.
 */
static bool probe_gso(const struct tun *tun, int fd, uint8_t gso_type)
{
	uint8_t buf[128], front[ELA_VNET_FRONT_MAX] = {0};
	struct ela_packet pkt = probe_packet(gso_type, buf);
	struct ela_ether ether = {0};
	struct iovec iov[2] = {{front, ELA_VNET_LEN + tun->link_len}, {pkt.data, pkt.len}};

	if (ela_vnet_encode(&pkt, pkt.len, tun->link_len, front) < 0)
		return false;
	if (tun->link_len)
		ela_ether_encode(&ether, pkt.data, front + ELA_VNET_LEN);
	return writev(fd, iov, 2) >= 0 || errno != EINVAL;
}

static uint32_t probe_offloads(const struct tun *tun, int fd, uint32_t offloads)
{
	uint32_t good = offloads;

	if (offloads & TUN_F_TSO4 && !probe_gso(tun, fd, ELA_GSO_TCP4))
		good &= ~(uint32_t)(TUN_F_TSO | TUN_F_TSO_ECN);
	if (offloads & TUN_F_TSO6 && !probe_gso(tun, fd, ELA_GSO_TCP6))
		good &= ~(uint32_t)(TUN_F_TSO | TUN_F_TSO_ECN);
	if (offloads & TUN_F_USO4 && (!probe_gso(tun, fd, ELA_GSO_UDP4) || !probe_gso(tun, fd, ELA_GSO_UDP6)))
		good &= ~(uint32_t)TUN_F_USO;
	return good;
}

/* Offloads belong to the interface, not to a queue: done once, before the other queues and before it is up. */
static void offloads_setup(struct tun *tun, int fd)
{
	uint32_t offloads = offloads_negotiate(tun, fd), good = probe_offloads(tun, fd, offloads);

	/* What cannot be written is not read either: core sees one set of capabilities. */
	if (good != offloads && ioctl(fd, TUNSETOFFLOAD, (unsigned long)good) < 0)
		good = offloads; /* then write_burst refuses, packet by packet, what the kernel does not take */
	tun->superpackets = good & (TUN_F_TSO | TUN_F_USO);
	atomic_store_explicit(&tun->caps, caps_of(good), memory_order_relaxed);
	ela_log(tun->host, ELA_LOG_DEBUG, "interface %s: offloads csum=%s tso=%s uso=%s", tun->name,
		good & TUN_F_CSUM ? "on" : "off", good & TUN_F_TSO ? "on" : "off", good & TUN_F_USO ? "on" : "off");
	if (tun->options.csum && !(good & TUN_F_CSUM))
		ela_log(tun->host, ELA_LOG_WARN, "interface %s: this kernel does no checksum offload; expect less speed",
			tun->name);
	else if (tun->options.csum && tun->options.tso && !(good & TUN_F_TSO))
		ela_log(tun->host, ELA_LOG_WARN, "interface %s: this kernel refuses TCP superpackets; expect less speed",
			tun->name);
}

int tun_device_open(struct tun *tun, uint32_t n_queues, uint32_t mtu)
{
	int fd = -1, err = queue_open(tun, 0, n_queues > 1, &fd);

	if (err < 0)
		return err;
	tun->queues[0].fd = fd;
	tun->n_queues = 1;
	offloads_setup(tun, fd);
	atomic_store_explicit(&tun->rx_largest, tun->superpackets ? UINT16_MAX : mtu, memory_order_relaxed);
	while (tun->n_queues < n_queues) {
		err = queue_open(tun, tun->n_queues, true, &fd);
		if (err < 0) {
			/* Fewer queues are a slower device, not a broken one. */
			ela_log(tun->host, ELA_LOG_WARN, "interface %s: %u of %u queues: %s", tun->name, tun->n_queues, n_queues,
				strerror(-err));
			break;
		}
		tun->queues[tun->n_queues++].fd = fd;
	}
	return 0;
}

void tun_device_close(struct tun *tun)
{
	for (uint32_t i = 0; i < TUN_MAX_QUEUES; i++) {
		if (tun->queues[i].fd >= 0)
			(void)close(tun->queues[i].fd); /* with the last one the kernel removes the interface */
		tun->queues[i].fd = -1;
	}
	tun->n_queues = 0;
	tun->index = 0;
}
