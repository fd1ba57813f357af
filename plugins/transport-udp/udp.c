/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-udp: descriptor, options, and the life of the sockets (see udp.h). Control thread, except info() and what
 * the burst files hold.
 */
#include "udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* UDP_MAX_SEGMENTS is 64 before Linux 6.9 and 128 since; one less leaves room for kernels that compare with >=. */
static uint32_t kernel_max_segments(void)
{
	struct utsname name;
	unsigned major, minor;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return 63;
	return major > 6 || (major == 6 && minor >= 9) ? 127 : 63;
}

static int read_options(struct udp *udp)
{
	struct {
		const char *key;
		struct ela_value value;
	} options[] = {{"gso", {0}}, {"gro", {0}}, {"sndbuf", {0}}, {"rcvbuf", {0}}};
	int err;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		err = udp->host->option(udp->host, options[i].key, 0, &options[i].value);
		if (err)
			return err;
	}
	udp->use_gso = options[0].value.num == 0; /* auto|off */
	udp->use_gro = options[1].value.num == 0;
	udp->sndbuf = (uint32_t)options[2].value.num;
	udp->rcvbuf = (uint32_t)options[3].value.num;
	return ela_ip_listen_read(udp->host, UDP_SECTION, &udp->listen);
}

static int udp_create(const struct ela_host *host, void **ret_self)
{
	struct udp *udp = calloc(1, sizeof *udp);
	int err;

	if (!udp)
		return -ENOMEM;
	udp->host = host;
	err = read_options(udp);
	if (err) {
		free(udp);
		return err;
	}
	udp->max_segments = kernel_max_segments();
	udp->gso_sockets = udp->use_gso; /* until start() knows */
	*ret_self = udp;
	return 0;
}

static void udp_stop(void *self)
{
	struct udp *udp = self;

	for (uint32_t i = 0; i < udp->n_lanes; i++)
		for (uint32_t k = 0; k < udp->lanes[i].n_sockets; k++)
			(void)close(udp->lanes[i].sockets[k].fd); /* nothing is left to be done about a failure */
	free(udp->lanes);
	udp->lanes = NULL;
	udp->n_lanes = 0;
}

static void udp_destroy(void *self)
{
	if (!self)
		return;
	udp_stop(self);
	free(self);
}

/*
 * Opens the sockets of one address, one for each lane. The first is bound without SO_REUSEPORT, so that a port in use
 * is an error even if its user has that option; only then does it let the others in. Nobody else gets between, as would
 * be possible if a trial socket were closed again before.
 */
static int open_address(struct udp *udp, const struct ela_addr *addr)
{
	for (uint32_t i = 0; i < udp->n_lanes; i++) {
		struct udp_lane *lane = &udp->lanes[i];
		struct udp_socket *sock = &lane->sockets[lane->n_sockets];
		int err;

		err = udp_socket_open(udp, addr, i > 0, sock);
		if (err)
			return err;
		lane->n_sockets++;
		if (i > 0 || udp->n_lanes == 1)
			continue;
		err = udp_socket_share(sock);
		if (err)
			return err;
	}
	return 0;
}

static int open_all(struct udp *udp)
{
	for (uint32_t i = 0; i < udp->listen.n; i++) {
		const struct ela_addr *addr = &udp->listen.addrs[i];
		int err = open_address(udp, addr);

		if (err && ela_ip_listen_optional(&udp->listen, addr, err)) {
			ela_log(udp->host, ELA_LOG_INFO, "udp: this machine has no IPv6, listening on IPv4 only");
			continue;
		}
		if (err) {
			ela_ip_listen_explain(udp->host, UDP_SECTION, 'u', addr, err);
			return err;
		}
	}
	return 0;
}

static void report(const struct udp *udp)
{
	for (uint32_t k = 0; k < udp->lanes[0].n_sockets; k++) {
		const struct udp_socket *sock = &udp->lanes[0].sockets[k];
		char text[ELA_IP_TEXT];

		ela_log(udp->host, ELA_LOG_INFO, "udp: listening on %s lanes=%u gso=%s sndbuf=%u rcvbuf=%u",
			ela_ip_text(&sock->addr, text), udp->n_lanes, sock->gso ? "on" : "off", sock->sndbuf / 2, sock->rcvbuf / 2);
		if (sock->sndbuf / 2 < udp->sndbuf || sock->rcvbuf / 2 < udp->rcvbuf)
			ela_log(udp->host, ELA_LOG_INFO,
				"udp: buffers are smaller than asked (sndbuf=%u rcvbuf=%u): needs CAP_NET_ADMIN or larger "
				"net.core.wmem_max and net.core.rmem_max",
				udp->sndbuf, udp->rcvbuf);
	}
}

static int udp_start(void *self, uint32_t n_lanes)
{
	struct udp *udp = self;
	uint32_t gso_sockets = 0;
	int err;

	if (n_lanes == 0 || n_lanes > ELA_MAX_LANES)
		return -EINVAL;
	udp_stop(udp);
	udp->lanes = aligned_alloc(_Alignof(struct udp_lane), n_lanes * sizeof *udp->lanes);
	if (!udp->lanes)
		return -ENOMEM;
	memset(udp->lanes, 0, n_lanes * sizeof *udp->lanes);
	udp->n_lanes = n_lanes;
	for (uint32_t i = 0; i < n_lanes; i++) {
		udp->lanes[i].counters = udp->host->counters(udp->host, i);
		udp_in_init(&udp->lanes[i].in);
		udp_out_init(&udp->lanes[i].out);
	}
	err = open_all(udp);
	if (err) {
		udp_stop(udp);
		return err;
	}
	for (uint32_t i = 0; i < n_lanes; i++)
		for (uint32_t k = 0; k < udp->lanes[i].n_sockets; k++)
			gso_sockets += udp->lanes[i].sockets[k].gso;
	__atomic_store_n(&udp->gso_sockets, gso_sockets, __ATOMIC_RELAXED);
	report(udp);
	return 0;
}

static void udp_info(void *self, struct ela_transport_info *ret)
{
	const struct udp *udp = self;

	*ret = (struct ela_transport_info){
		.caps = ELA_TRANSPORT_DATAGRAM | ELA_TRANSPORT_IP,
		.overhead4 = 20 + 8,
		.overhead6 = 40 + 8,
		.max_datagram = UDP_MAX_TRAIN,
		.max_segments = __atomic_load_n(&udp->gso_sockets, __ATOMIC_RELAXED) > 0 ? udp->max_segments : 1,
		.max_train = UDP_MAX_TRAIN,
		.burst = UDP_BURST,
		.port = udp->listen.port,
	};
}

static int udp_lane_fd(void *self, uint32_t lane, uint32_t k)
{
	const struct udp *udp = self;

	if (lane >= udp->n_lanes || k >= udp->lanes[lane].n_sockets)
		return -ENOENT;
	return udp->lanes[lane].sockets[k].fd;
}

static const struct ela_transport_ops udp_ops = {
	.create = udp_create,
	.destroy = udp_destroy,
	.start = udp_start,
	.stop = udp_stop,
	.info = udp_info,
	.lane_fd = udp_lane_fd,
	.read_burst = udp_read_burst,
	.send_burst = udp_send_burst,
	.probe = udp_probe,
};

static const struct ela_option udp_options[] = {
	ELA_IP_OPTION_LISTEN,
	ELA_IP_OPTION_PORT,
	{.key = "gso",
		.def = "auto",
		.choices = "auto|off",
		.help = "let the kernel cut trains into datagrams (UDP_SEGMENT)",
		.type = ELA_OPTION_CHOICE},
	{.key = "gro",
		.def = "auto",
		.choices = "auto|off",
		.help = "let the kernel join received datagrams to trains (UDP_GRO)",
		.type = ELA_OPTION_CHOICE},
	{.key = "sndbuf",
		.def = "1M",
		.unit = "bytes",
		.help = "send buffer of each socket",
		.type = ELA_OPTION_SIZE,
		.min = 64 * 1024,
		.max = 256 * 1024 * 1024},
	{.key = "rcvbuf",
		.def = "8M",
		.unit = "bytes",
		.help = "receive buffer of each socket",
		.type = ELA_OPTION_SIZE,
		.min = 64 * 1024,
		.max = 256 * 1024 * 1024},
};

static const char *const udp_counters[UDP_N_COUNTERS] = {
	[UDP_RX_CALLS] = "rx-calls",
	[UDP_RX_TRAINS] = "rx-trains",
	[UDP_RX_DATAGRAMS] = "rx-datagrams",
	[UDP_RX_BYTES] = "rx-bytes",
	[UDP_RX_OVERSIZE] = "rx-oversize",
	[UDP_RX_MALFORMED] = "rx-malformed",
	[UDP_RX_EMPTY] = "rx-empty",
	[UDP_RX_OVERFLOW] = "rx-overflow",
	[UDP_RX_ERRORS] = "rx-errors",
	[UDP_TX_CALLS] = "tx-calls",
	[UDP_TX_MESSAGES] = "tx-messages",
	[UDP_TX_DATAGRAMS] = "tx-datagrams",
	[UDP_TX_BYTES] = "tx-bytes",
	[UDP_TX_AGAIN] = "tx-again",
	[UDP_TX_CUT] = "tx-cut",
	[UDP_TX_TOO_BIG] = "tx-too-big",
	[UDP_TX_UNREACHABLE] = "tx-unreachable",
	[UDP_TX_LOCAL_GONE] = "tx-local-gone",
	[UDP_TX_ERRORS] = "tx-errors",
	[UDP_GSO_LOST] = "gso-lost",
};

ELA_PLUGIN(.kind = ELA_KIND_TRANSPORT, .name = "udp", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "UDP over IPv4 and IPv6 with segmentation and receive offload", .ops = &udp_ops,
	.ops_size = sizeof udp_ops, .options = udp_options, .n_options = sizeof udp_options / sizeof *udp_options,
	.counters = udp_counters, .n_counters = UDP_N_COUNTERS);
