/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-udp: sends bursts of trains. The lane's thread; on lane 0 control too, under core's lock.
 *
 * A train is one message that the kernel cuts (UDP_SEGMENT). Without that offload, and for a train beyond its limits,
 * it is several messages; such a train goes into a sendmmsg() call of its own and starts only if the socket has room
 * for all of it, so that it is not cut short half-way.
 *
 * What an error means. EIO and EINVAL of a train: the path may not take UDP_SEGMENT, so its first datagram is sent
 * singly; if that passes the socket has lost the offload (counted), if it fails too the offload was not the reason and
 * stays. EINVAL, ENODEV and ENETUNREACH of a single datagram with a source address: what kernels say, one this, one
 * that, of an address that is not ours (any more), so -EADDRNOTAVAIL. Some say ENETUNREACH of a missing route just the
 * same; core then tries without the address and hears -ENETUNREACH itself. That costs one call and never a wrong
 * conclusion.
 */
#include "udp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/ioctl.h>

/* What the kernel adds to a datagram's bytes when it counts the send buffer's use, generously. */
#define DATAGRAM_COST 1024u

/* How far a burst has got. */
struct cursor {
	uint32_t train;
	uint32_t offset; /* within the train; not 0 only for one that goes in several messages */
};

void udp_out_init(struct udp_out *out)
{
	for (uint32_t k = 0; k < UDP_BURST; k++)
		out->msgs[k].msg_hdr = (struct msghdr){
			.msg_name = &out->to[k], .msg_iov = &out->iov[k], .msg_iovlen = 1, .msg_control = out->control[k]};
}

/* The socket for a path: the one of its local address, else the one of all addresses; any if the path does not care. */
static struct udp_socket *pick(struct udp_lane *lane, const struct ela_path *path, int *ret_err)
{
	struct udp_socket *best = NULL;
	bool family = false;

	for (uint32_t k = 0; k < lane->n_sockets; k++) {
		struct udp_socket *sock = &lane->sockets[k];

		if (sock->addr.family != path->remote.family)
			continue;
		family = true;
		if (path->local.family == sock->addr.family &&
			memcmp(path->local.ip, sock->addr.ip, sizeof path->local.ip) == 0)
			return sock;
		if (!best && (sock->any || path->local.family != sock->addr.family))
			best = sock;
	}
	if (!best)
		*ret_err = family ? -EADDRNOTAVAIL : -ENETUNREACH;
	return best;
}

static uint32_t segment_of(const struct ela_send *send)
{
	return send->segment > 0 && send->segment < send->len ? send->segment : send->len;
}

/* How many bytes of the train the next message takes. */
static uint32_t chunk_of(
	const struct udp *udp, const struct udp_socket *sock, const struct ela_send *send, uint32_t offset)
{
	uint32_t segment = segment_of(send), left = send->len - offset, most;

	if (left <= segment)
		return left;
	if (!sock->gso || segment > UDP_MAX_TRAIN)
		return segment;
	if (left <= UDP_MAX_TRAIN && left <= segment * udp->max_segments)
		return left;
	most = UDP_MAX_TRAIN / segment;
	return segment * (most < udp->max_segments ? most : udp->max_segments);
}

/* Appends a control message and moves *end behind it. */
static void put_control(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)((uint8_t *)msg->msg_control + msg->msg_controllen);

	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
	msg->msg_controllen += CMSG_SPACE(len);
}

static void put_local(struct msghdr *msg, const struct ela_addr *local)
{
	if (local->family == ELA_ADDR_IP4) {
		struct in_pktinfo info = {0}; /* no interface: the routing table knows better after a change */

		memcpy(&info.ipi_spec_dst, local->ip, 4);
		put_control(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = ela_ip6_is_link_local(local->ip) ? local->scope : 0};

		memcpy(&info.ipi6_addr, local->ip, sizeof info.ipi6_addr);
		put_control(msg, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	}
}

static void put_message(struct udp_out *out, uint32_t k, const struct ela_send *send, uint32_t offset, uint32_t chunk)
{
	struct msghdr *msg = &out->msgs[k].msg_hdr;
	const struct ela_path *path = send->path;
	uint16_t segment = (uint16_t)segment_of(send);
	int ecn = send->ecn & 3;

	/* sendmmsg() only reads what iov_base points to. */
	out->iov[k] = (struct iovec){.iov_base = (uint8_t *)(uintptr_t)send->data + offset, .iov_len = chunk};
	msg->msg_namelen = ela_ip_to_sockaddr(&path->remote, &out->to[k]);
	msg->msg_control = out->control[k];
	msg->msg_controllen = 0;
	out->segment[k] = chunk > segment_of(send) ? segment : 0;
	if (out->segment[k])
		put_control(msg, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
	if (path->local.family == path->remote.family)
		put_local(msg, &path->local);
	if (ecn && path->remote.family == ELA_ADDR_IP4)
		put_control(msg, IPPROTO_IP, IP_TOS, &ecn, sizeof ecn);
	else if (ecn)
		put_control(msg, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof ecn);
	if (msg->msg_controllen == 0)
		msg->msg_control = NULL;
}

/* Fills messages from the cursor on, for this socket only; a train in several messages is alone. Returns how many. */
static uint32_t fill(const struct udp *udp, struct udp_lane *lane, const struct udp_socket *sock,
	const struct ela_send *sends, uint32_t n, struct cursor at)
{
	uint32_t k = 0;

	while (at.train < n && k < UDP_BURST && sends[at.train].len > 0) {
		const struct ela_send *send = &sends[at.train];
		uint32_t chunk = chunk_of(udp, sock, send, at.offset);
		bool whole = chunk == send->len;
		int err;

		if (k > 0 && at.offset == 0 &&
			(!whole || (send->path != send[-1].path && pick(lane, send->path, &err) != sock)))
			break;
		put_message(&lane->out, k++, send, at.offset, chunk);
		at.offset += chunk;
		if (at.offset < send->len)
			continue;
		at = (struct cursor){.train = at.train + 1};
		if (!whole)
			break;
	}
	return k;
}

/*
 * Whether the train, which goes in several messages, fits into the send buffer. Below half of the buffer the kernel
 * calls the socket writable, so "no" there would make core turn round and round; then the answer is yes, come what may.
 */
static bool has_room(const struct udp *udp, const struct udp_socket *sock, const struct ela_send *send)
{
	uint32_t chunk = chunk_of(udp, sock, send, 0);
	uint64_t need = send->len + (uint64_t)(send->len / chunk + 1) * DATAGRAM_COST;
	int used;

	if (ioctl(sock->fd, SIOCOUTQ, &used) < 0 || (uint32_t)used <= sock->sndbuf / 2)
		return true;
	return (uint32_t)used + need <= sock->sndbuf;
}

/* The trial was no success: the offload comes back. */
static void end_trial(struct udp_socket *sock)
{
	if (sock->gso_trial)
		sock->gso = true;
	sock->gso_trial = false;
}

/* Moves the cursor behind the messages that were sent. */
static void sent(struct udp *udp, struct udp_lane *lane, struct udp_socket *sock, const struct ela_send *sends,
	uint32_t first, uint32_t n, struct cursor *at)
{
	uint64_t n_datagrams = 0, n_bytes = 0;

	if (sock->gso_trial) {
		sock->gso_trial = false;
		(void)__atomic_fetch_sub(&udp->gso_sockets, 1, __ATOMIC_RELAXED); /* info() reads it */
		ela_count(&lane->counters[UDP_GSO_LOST], 1);
	}
	for (uint32_t k = first; k < first + n; k++) {
		uint32_t chunk = (uint32_t)lane->out.iov[k].iov_len;

		n_datagrams += lane->out.segment[k] ? (chunk - 1) / lane->out.segment[k] + 1 : 1;
		n_bytes += chunk;
		at->offset += chunk;
		if (at->offset == sends[at->train].len)
			*at = (struct cursor){.train = at->train + 1};
	}
	ela_count(&lane->counters[UDP_TX_MESSAGES], n);
	ela_count(&lane->counters[UDP_TX_DATAGRAMS], n_datagrams);
	ela_count(&lane->counters[UDP_TX_BYTES], n_bytes);
}

/* What to tell core about message k. 0: nothing, go on from the cursor, the offload is on trial. */
static int failed(struct udp_lane *lane, struct udp_socket *sock, const struct ela_path *path, uint32_t k, int err)
{
	if ((err == EIO || err == EINVAL) && lane->out.segment[k]) {
		sock->gso = false;
		sock->gso_trial = true;
		return 0;
	}
	end_trial(sock);
	switch (err) {
	case EAGAIN:
	case ENOBUFS: /* the kernel is short of memory or the queue below is full: no room as well */
		return -EAGAIN;
	case EINVAL:
	case ENODEV:
	case ENETUNREACH:
		return path->local.family == path->remote.family ? -EADDRNOTAVAIL : -err;
	default:
		return -err;
	}
}

/* Sends from the cursor on as much as one call takes. 0 or -errno of the train that the cursor is at. */
static int send_some(struct udp *udp, struct udp_lane *lane, struct udp_socket *sock, const struct ela_send *sends,
	uint32_t n, struct cursor *at)
{
	uint32_t n_msgs, done = 0, retries = 0;

	if (at->offset == 0 && chunk_of(udp, sock, &sends[at->train], 0) < sends[at->train].len &&
		!has_room(udp, sock, &sends[at->train])) {
		end_trial(sock);
		return -EAGAIN;
	}
	n_msgs = fill(udp, lane, sock, sends, n, *at);
	while (done < n_msgs) {
		int got = sendmmsg(sock->fd, lane->out.msgs + done, n_msgs - done, MSG_DONTWAIT);
		int err = errno;

		ela_count(&lane->counters[UDP_TX_CALLS], 1);
		if (got > 0) {
			sent(udp, lane, sock, sends, done, (uint32_t)got, at);
			done += (uint32_t)got;
			continue;
		}
		/* An error belongs to the first message; ECONNREFUSED is an ICMP answer to an earlier one, reported once. */
		if ((err == EINTR || err == ECONNREFUSED) && ++retries < 4)
			continue;
		return failed(lane, sock, sends[at->train].path, done, err);
	}
	return 0;
}

static void count_error(struct udp_lane *lane, int err)
{
	uint32_t counter;

	switch (-err) {
	case EAGAIN:
		counter = UDP_TX_AGAIN;
		break;
	case EMSGSIZE:
		counter = UDP_TX_TOO_BIG;
		break;
	case EADDRNOTAVAIL:
		counter = UDP_TX_LOCAL_GONE;
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EPERM:
		counter = UDP_TX_UNREACHABLE;
		break;
	default:
		counter = UDP_TX_ERRORS;
	}
	ela_count(&lane->counters[counter], 1);
}

/* The rest of a train whose first datagrams are out: sending those again would be worse than losing these. */
static void drop_rest(struct udp_lane *lane, const struct ela_send *send, struct cursor *at)
{
	uint32_t segment = segment_of(send);

	ela_count(&lane->counters[UDP_TX_CUT], (send->len - at->offset - 1) / segment + 1);
	*at = (struct cursor){.train = at->train + 1};
}

int udp_send_burst(void *self, uint32_t lane_no, const struct ela_send *sends, uint32_t n, int *ret_err)
{
	struct udp *udp = self;
	struct udp_lane *lane = &udp->lanes[lane_no];
	struct cursor at = {0};

	while (at.train < n) {
		struct udp_socket *sock;
		int err = 0;

		if (sends[at.train].len == 0) {
			at.train++;
			continue;
		}
		sock = pick(lane, sends[at.train].path, &err);
		if (sock)
			err = send_some(udp, lane, sock, sends, n, &at);
		if (!err)
			continue;
		count_error(lane, err);
		if (at.offset > 0) {
			drop_rest(lane, &sends[at.train], &at);
			if (err != -EAGAIN)
				continue;
		}
		*ret_err = err;
		break;
	}
	return (int)at.train;
}
