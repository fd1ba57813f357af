/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun: what its files share. An instance is one TUN or TAP interface with one queue a lane. Control owns
 * everything; a lane owns its queue. What both touch is atomic: the capabilities, which only lose bits while the device
 * is open, what can change on the interface from outside (its Ethernet address and MTU), and its broadcast addresses.
 */
#ifndef ELA_NPD_TUN_H
#define ELA_NPD_TUN_H

#include "netlink.h"
#include "vnet.h"

#include <ela/ela.h>
#include <stdatomic.h>

#define TUN_MAX_QUEUES ELA_MAX_LANES
#define TUN_MAX_IOV 1024u   /* UIO_MAXIOV: what writev() takes */
#define TUN_REFUSALS_MAX 3u /* superpackets of a kind refused one after the other: the kernel means it */
#define TUN_ETHER_MAX_MTU (65535u - ELA_ETHER_LEN)
#define TUN_MAX_ADDRESSES 16u

/* Order of the counters; names in npd-tun.c. */
enum tun_counter {
	TUN_READS,
	TUN_RX_PACKETS,
	TUN_RX_BYTES,
	TUN_RX_SUPERPACKETS,
	TUN_RX_NOT_IP,
	TUN_RX_BAD_VNET,
	TUN_RX_TRUNCATED,
	TUN_WRITES,
	TUN_TX_PACKETS,
	TUN_TX_BYTES,
	TUN_TX_SUPERPACKETS,
	TUN_TX_BAD_PACKET,
	TUN_TX_FULL,
	TUN_TX_DOWN,
	TUN_TX_ERROR,
	TUN_TX_GSO_REFUSED,
	TUN_TX_OFFLOAD_LOST,
	TUN_N_COUNTERS,
};

/* The options of ela.ini, read once at create. */
struct tun_options {
	char interface[IFNAMSIZ]; /* a name, or a pattern with one %d */
	bool lan;
	bool csum, tso, uso; /* auto, not off */
	uint32_t queues;     /* 0 = as many as asked for */
	uint32_t txqueuelen;
};

/* A queue. Its lane's alone once open() has returned; aligned so that two lanes never write one cache line. */
struct tun_queue {
	int fd;                              /* -1 = closed */
	uint32_t refusals[ELA_GSO_UDP6 + 1]; /* in a row, by ELA_GSO_* */
	uint64_t *counters;
	struct ela_ether ether;
	uint8_t front[ELA_VNET_FRONT_MAX];
	struct iovec iov[TUN_MAX_IOV];
} __attribute__((aligned(128)));

struct tun {
	const struct ela_host *host;
	struct tun_options options;
	uint32_t link_len; /* 0, or ELA_ETHER_LEN in mode lan */
	uint32_t n_queues; /* 0 = not open */
	uint32_t index;    /* of the interface */
	bool ip6;          /* it has an IPv6 address */
	char name[IFNAMSIZ];
	struct tun_queue *queues; /* TUN_MAX_QUEUES */

	_Atomic uint32_t caps;       /* ELA_NPD_* */
	_Atomic uint32_t rx_largest; /* bytes of the largest IP packet the device can hand over */
	_Atomic uint64_t mac;        /* the first 6 bytes in memory order */
	/* Broadcast addresses of its IPv4 prefixes, network order, 0 = none: a lane may see a mix of old and new ones. */
	_Atomic uint32_t broadcasts[ELA_VNET_MAX_BROADCASTS];
	bool superpackets; /* the device was told to hand them over: rx_largest is 65,535 whatever the MTU */

	struct ela_prefix addresses[TUN_MAX_ADDRESSES]; /* what the interface has of us */
	uint32_t n_addresses;

	struct ela_nl *nl;
	struct ela_nl *monitor;
	struct ela_watch *watch;
};

/* device.c [control]: the interface's descriptors and offloads. Errors are logged there. */
int tun_device_open(struct tun *tun, uint32_t n_queues, uint32_t mtu);
void tun_device_close(struct tun *tun); /* may be called twice */

/* setup.c [control]: what the interface is told by netlink. Errors are logged there. */
int tun_setup_check(struct tun *tun, const struct ela_npd_config *config); /* before the interface exists */
int tun_setup(struct tun *tun, const struct ela_npd_config *config);
int tun_setup_mtu(struct tun *tun, uint32_t mtu);
/* A setting of the kernel: a file whose first character is 1. */
bool tun_is_on(const char *setting);
int tun_setup_check_mtu(const struct tun *tun, uint32_t mtu, bool ip6);
void tun_setup_stop(struct tun *tun); /* ends watching the interface; may be called twice */

/* addresses.c [control]: the interface's addresses. Errors are logged there. */
int tun_addresses_parse(const struct tun *tun, const char *text, struct ela_prefix *ret);
int tun_addresses_overlap(struct tun *tun, const struct ela_prefix *prefix);
int tun_addresses_set(struct tun *tun, const char *const *addresses, uint32_t n); /* all or, on failure, none of it */
int tun_log_failed(const struct tun *tun, const char *what, const char *value, int err);

/* burst.c [lane] */
int tun_read_burst(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err);
int tun_write_burst(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err);

#endif
