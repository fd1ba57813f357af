/* SPDX-License-Identifier: Apache-2.0 */
/* transport-tcp: descriptor, options, start and stop (see tcp.h). Control thread, except info(). */
#include "tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/*
 * Core's sessions have keepalives of their own only where the user asks for them, so a peer that vanished while nothing
 * was sent is found by TCP: first question after this long, then each interval, until user-timeout.
 */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10

static int read_options(struct tcp *tcp)
{
	struct ela_value value;
	int err;

	err = tcp->host->option(tcp->host, "user-timeout", 0, &value);
	if (err)
		return err;
	tcp->user_timeout_ms = (uint32_t)(value.num / 1000000);
	err = tcp->host->option(tcp->host, "notsent-lowat", 0, &value);
	if (err)
		return err;
	tcp->notsent_lowat = (uint32_t)value.num;
	err = tcp->host->option(tcp->host, "congestion", 0, &value);
	if (err && err != -ENOENT)
		return err;
	if (!err) {
		tcp->congestion = strdup(value.str);
		if (!tcp->congestion)
			return -ENOMEM;
	}
	return ela_ip_listen_read(tcp->host, TCP_SECTION, &tcp->listen);
}

static void tcp_stop(void *self)
{
	struct tcp *tcp = self;

	tcp_listen_stop(tcp);
	tcp_conn_stop_all(tcp);
}

static void tcp_destroy(void *self)
{
	struct tcp *tcp = self;

	if (!tcp)
		return;
	tcp_stop(tcp);
	tcp_conn_free_all(tcp);
	free(tcp->congestion);
	free(tcp);
}

static int tcp_create(const struct ela_host *host, void **ret_self)
{
	struct tcp *tcp = calloc(1, sizeof *tcp);
	int err;

	if (!tcp)
		return -ENOMEM;
	tcp->host = host;
	tcp->counters = host->counters(host, ELA_LANE_CONTROL);
	err = read_options(tcp);
	if (err) {
		tcp_destroy(tcp);
		return err;
	}
	*ret_self = tcp;
	return 0;
}

static int tcp_start(void *self, uint32_t n_lanes)
{
	struct tcp *tcp = self;

	if (n_lanes == 0 || n_lanes > ELA_MAX_LANES)
		return -EINVAL;
	tcp_stop(tcp);
	tcp->n_lanes = n_lanes;
	return tcp_listen_all(tcp);
}

static void tcp_info(void *self, struct ela_transport_info *ret)
{
	const struct tcp *tcp = self;

	/* Per segment; how many frames share one is up to the kernel. */
	*ret = (struct ela_transport_info){
		.caps = ELA_TRANSPORT_STREAM | ELA_TRANSPORT_IP,
		.overhead4 = 20 + 20,
		.overhead6 = 40 + 20,
		.max_segments = 1,
		.burst = 1,
		.port = tcp->listen.port,
	};
}

static int set_congestion(const struct tcp *tcp, int fd)
{
	int err;

	if (!tcp->congestion ||
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, tcp->congestion, (socklen_t)strlen(tcp->congestion)) == 0)
		return 0;
	err = -errno;
	ela_log(tcp->host, ELA_LOG_ERROR,
		"[" TCP_SECTION "] congestion: \"%s\" is %s; net.ipv4.tcp_available_congestion_control lists what there is",
		tcp->congestion, err == -EPERM ? "not allowed without CAP_NET_ADMIN" : "not in this kernel");
	return err;
}

int tcp_configure(const struct tcp *tcp, int fd)
{
	static const struct {
		int level, name, value;
	} fixed[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1}, /* core decides what goes together */
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed && !err; i++)
		err = ela_ip_setsockopt(fd, fixed[i].level, fixed[i].name, fixed[i].value);
	/* Little unsent data in the kernel: the queue is core's, where it can be managed. */
	if (!err)
		err = ela_ip_setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)tcp->notsent_lowat);
	if (!err)
		err = ela_ip_setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)tcp->user_timeout_ms);
	if (err) {
		ela_log(tcp->host, ELA_LOG_ERROR, "tcp: socket options: %s", strerror(-err));
		return err;
	}
	return set_congestion(tcp, fd);
}

static const struct ela_transport_ops tcp_ops = {
	.create = tcp_create,
	.destroy = tcp_destroy,
	.start = tcp_start,
	.stop = tcp_stop,
	.info = tcp_info,
	.connect = tcp_connect,
	.conn_fd = tcp_conn_fd,
	.conn_attach = tcp_conn_attach,
	.conn_read = tcp_conn_read,
	.conn_write = tcp_conn_write,
	.conn_close = tcp_conn_close,
};

static const struct ela_option tcp_options[] = {
	ELA_IP_OPTION_LISTEN,
	ELA_IP_OPTION_PORT,
	{.key = "congestion",
		.help = "congestion control of the connections, such as cubic or bbr; unset: the system's",
		.type = ELA_OPTION_STRING,
		.min = 1,
		.max = 15},
	{.key = "user-timeout",
		.def = "30s",
		.help = "a connection whose data is not acknowledged for so long is dead",
		.type = ELA_OPTION_DURATION,
		.min = INT64_C(1000000000),
		.max = INT64_C(3600000000000)},
	{.key = "notsent-lowat",
		.def = "128k",
		.unit = "bytes",
		.help = "most unsent data that the kernel holds for a connection",
		.type = ELA_OPTION_SIZE,
		.min = 4 * 1024,
		.max = 16 * 1024 * 1024},
};

static const char *const tcp_counters[TCP_N_COUNTERS] = {
	[TCP_CONNECTS] = "connects",
	[TCP_CONNECT_FAILED] = "connect-failed",
	[TCP_ACCEPTS] = "accepts",
	[TCP_ACCEPT_ERRORS] = "accept-errors",
	[TCP_ACCEPT_PAUSES] = "accept-pauses",
	[TCP_RX_CALLS] = "rx-calls",
	[TCP_RX_BYTES] = "rx-bytes",
	[TCP_TX_CALLS] = "tx-calls",
	[TCP_TX_BYTES] = "tx-bytes",
	[TCP_TX_PARTIAL] = "tx-partial",
	[TCP_BROKEN] = "broken",
};

ELA_PLUGIN(.kind = ELA_KIND_TRANSPORT, .name = "tcp", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "TCP over IPv4 and IPv6", .ops = &tcp_ops, .ops_size = sizeof tcp_ops, .options = tcp_options,
	.n_options = sizeof tcp_options / sizeof *tcp_options, .counters = tcp_counters, .n_counters = TCP_N_COUNTERS);
