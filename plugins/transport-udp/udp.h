/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-udp: frames as UDP datagrams over IPv4 and IPv6, in trains by UDP_SEGMENT and UDP_GRO.
 *
 * A lane has one socket for each address that is listened on; with several lanes the sockets of one address are a
 * SO_REUSEPORT group, in which the kernel keeps every sender on one socket. A lane's sockets and all its scratch memory
 * belong to that lane's thread; lane 0's are used by control too, under core's lock. gso_sockets is the one thing that
 * several threads write.
 */
#ifndef ELA_UDP_H
#define ELA_UDP_H

#include "../common/ip.h"

#define UDP_SECTION "transport-udp"
#define UDP_BURST 64u
/* 65,535 less the headers of IPv4 and UDP: the largest datagram, and the largest train of UDP_SEGMENT as well. */
#define UDP_MAX_TRAIN 65507u
#define UDP_CONTROL_IN 128u /* pktinfo, traffic class, segment size, overflow: 112 bytes at most */
#define UDP_CONTROL_OUT 96u /* pktinfo, traffic class, segment size: 88 bytes at most */

/* The counters, in the order of the descriptor's names. */
enum {
	UDP_RX_CALLS,
	UDP_RX_TRAINS,
	UDP_RX_DATAGRAMS,
	UDP_RX_BYTES,
	UDP_RX_OVERSIZE,
	UDP_RX_MALFORMED,
	UDP_RX_EMPTY,
	UDP_RX_OVERFLOW,
	UDP_RX_ERRORS,
	UDP_TX_CALLS,
	UDP_TX_MESSAGES,
	UDP_TX_DATAGRAMS,
	UDP_TX_BYTES,
	UDP_TX_AGAIN,
	UDP_TX_CUT,
	UDP_TX_TOO_BIG,
	UDP_TX_UNREACHABLE,
	UDP_TX_LOCAL_GONE,
	UDP_TX_ERRORS,
	UDP_GSO_LOST,
	UDP_N_COUNTERS
};

/* What recvmmsg() fills. msgs[k] points to iov[k], from[k] and control[k] for good. */
struct udp_in {
	struct mmsghdr msgs[UDP_BURST];
	struct iovec iov[UDP_BURST];
	union ela_ip_sockaddr from[UDP_BURST];
	_Alignas(struct cmsghdr) uint8_t control[UDP_BURST][UDP_CONTROL_IN];
};

/* What sendmmsg() is given, likewise. */
struct udp_out {
	struct mmsghdr msgs[UDP_BURST];
	struct iovec iov[UDP_BURST];
	union ela_ip_sockaddr to[UDP_BURST];
	_Alignas(struct cmsghdr) uint8_t control[UDP_BURST][UDP_CONTROL_OUT];
	uint32_t segment[UDP_BURST]; /* size of the message's datagrams when the kernel cuts it, 0 = it is one datagram */
};

struct udp_socket {
	int fd;
	bool gso;          /* trains leave as one message */
	bool gso_trial;    /* gso was just taken away; the next send shows whether that was the reason of the failure */
	bool any;          /* listens on every address of its family */
	uint32_t sndbuf;   /* SO_SNDBUF as the kernel counts it: twice what was set */
	uint32_t rcvbuf;   /* SO_RCVBUF likewise */
	uint32_t overflow; /* what SO_RXQ_OVFL said last */
	struct ela_addr addr;
};

struct udp_lane {
	_Alignas(128) struct udp_socket sockets[ELA_IP_MAX_LISTEN]; /* lanes share no cache lines */
	uint32_t n_sockets;
	uint32_t reading; /* the socket that read_burst asks first */
	uint32_t streak;  /* how many full bursts in a row it gave */
	uint64_t *counters;
	struct udp_in in;
	struct udp_out out;
};

struct udp {
	const struct ela_host *host;
	struct ela_ip_listen listen;
	bool use_gso, use_gro;
	uint32_t sndbuf, rcvbuf;
	uint32_t max_segments; /* most datagrams in one UDP_SEGMENT message on this kernel */
	uint32_t gso_sockets;  /* how many sockets still have it; atomic */
	struct udp_lane *lanes;
	uint32_t n_lanes;
};

/*
 * [control] Opens and binds a socket for addr. grouped: it joins the SO_REUSEPORT group of those bound before it.
 * 0 or -errno; *ret untouched on failure.
 */
int udp_socket_open(const struct udp *udp, const struct ela_addr *addr, bool grouped, struct udp_socket *ret);
/* [control] Lets others join the socket's address, after it was bound without them. */
int udp_socket_share(const struct udp_socket *sock);

/* [control] Points the scratch messages at their parts. */
void udp_in_init(struct udp_in *in);
void udp_out_init(struct udp_out *out);

int udp_read_burst(void *self, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err);
int udp_send_burst(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err);
int udp_probe(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len);

#endif
