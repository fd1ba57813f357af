/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport-mem: an underlay in memory, datagrams and streams (streams in stream.c), with the addresses of the
 * Internet, so that endpoints in ela.ini look as ever. Bursts run on lanes, the rest on control.
 */
#include "fabric.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DATAGRAM 65507u /* as UDP over IPv4 */
#define BURST 64u

enum { COUNTER_DROP_SIZE };

static uint32_t option_num(const struct ela_host *host, const char *key)
{
	struct ela_value value = {0};

	(void)host->option(host, key, 0, &value); /* all of these have a default */
	return (uint32_t)value.num;
}

static int read_options(struct mem_endpoint *self, const struct ela_host *host)
{
	static const uint32_t modes[] = {
		ELA_TRANSPORT_DATAGRAM | ELA_TRANSPORT_STREAM, ELA_TRANSPORT_DATAGRAM, ELA_TRANSPORT_STREAM};
	struct ela_value value = {0};

	self->max_datagram = option_num(host, "mtu");
	self->max_segments = option_num(host, "segments");
	self->stream_buffer = option_num(host, "buffer");
	self->caps = ELA_TRANSPORT_IP | modes[option_num(host, "mode") % 3];
	if (host->option(host, "listen", 0, &value) == 0 && ela_mem_addr(value.str, 0, &self->addr))
		return -EINVAL;
	self->addr.port = (uint16_t)option_num(host, "port");
	return 0;
}

static void stop(void *data);

static void destroy(void *data)
{
	struct mem_endpoint *self = data;
	struct ela_mem_fabric *fabric;

	if (!self)
		return;
	fabric = self->fabric;
	if (fabric) {
		stop(self);
		mem_lock(fabric);
		mem_stream_endpoint_goes(self);
		mem_endpoint_drop_events(self);
		if (self->posted)
			fabric->zombies = g_slist_prepend(fabric->zombies, self);
		free(self->events);
		self->events = NULL;
		self->room_events = 0;
		data = self->posted ? NULL : self;
		mem_unlock(fabric);
		mem_fabric_release(fabric);
	}
	free(data);
}

static int create(const struct ela_host *host, void **ret_self)
{
	struct mem_endpoint *self = calloc(1, sizeof *self);
	struct ela_value value = {0};
	int err;

	if (!self)
		return -ENOMEM;
	self->host = host;
	for (uint32_t lane = 0; lane < ELA_MAX_LANES; lane++) {
		mem_queue_init(&self->lanes[lane]);
		self->fds[lane] = -1;
	}
	err = read_options(self, host);
	if (!err && host->option(host, "fabric", 0, &value) == 0) {
		self->fabric = mem_fabric_use(value.str);
		err = self->fabric ? 0 : -ENOMEM;
	}
	if (err) {
		destroy(self);
		return err;
	}
	*ret_self = self;
	return 0;
}

/* "listen" unset, or 0.0.0.0 or ::, is the next free host 10.255.x.y. */
static void choose_host(struct mem_endpoint *self)
{
	static const uint8_t none[16];
	struct ela_mem_fabric *fabric = self->fabric;

	while (memcmp(self->addr.ip, none, sizeof none) == 0 || g_hash_table_contains(fabric->endpoints, &self->addr)) {
		uint32_t n = ++fabric->next_host;

		self->addr.family = ELA_ADDR_IP4;
		memcpy(self->addr.ip, (uint8_t[]){10, 255, (uint8_t)(n >> 8), (uint8_t)n}, 4);
	}
}

static bool is_unspecified(const struct ela_addr *addr)
{
	static const uint8_t none[16];

	return memcmp(addr->ip, none, sizeof none) == 0;
}

static void close_lanes(struct mem_endpoint *self)
{
	for (uint32_t lane = 0; lane < ELA_MAX_LANES; lane++) {
		if (self->fds[lane] >= 0)
			(void)close(self->fds[lane]); /* an eventfd has nothing to fail at */
		self->fds[lane] = -1;
		mem_queue_clear(self->fabric, &self->lanes[lane]);
	}
}

static int open_lanes(struct mem_endpoint *self, uint32_t n_lanes)
{
	for (uint32_t lane = 0; lane < n_lanes; lane++) {
		self->counters[lane] = self->host->counters(self->host, lane);
		self->fds[lane] = mem_signal_new(self->fabric);
		if (self->fds[lane] < 0 && !(self->fabric->flags & ELA_MEM_VIRTUAL))
			return -EMFILE;
	}
	self->n_lanes = n_lanes;
	return 0;
}

static void on_timer(void *data)
{
	mem_endpoint_run(data);
}

static int start(void *data, uint32_t n_lanes)
{
	struct mem_endpoint *self = data;
	struct ela_timer *timer;
	int err;

	if (n_lanes == 0 || n_lanes > ELA_MAX_LANES)
		return -EINVAL;
	timer = self->host->timer_new(self->host, on_timer, self);
	if (!timer)
		return -ENOMEM;
	mem_lock(self->fabric);
	err = self->is_up ? -EALREADY : 0;
	if (!err && is_unspecified(&self->addr))
		choose_host(self);
	else if (!err && g_hash_table_contains(self->fabric->endpoints, &self->addr))
		err = -EADDRINUSE;
	if (!err && (err = open_lanes(self, n_lanes)))
		close_lanes(self);
	if (!err) {
		self->timer = timer;
		self->armed_ns = 0;
		self->is_up = true;
		(void)g_hash_table_insert(self->fabric->endpoints, &self->addr, self); /* true: it was not there, see above */
	}
	mem_unlock(self->fabric);
	if (err)
		self->host->timer_free(timer);
	if (err == -EADDRINUSE)
		ela_log(self->host, ELA_LOG_ERROR, "address-in-use port=%u; set another listen or port", self->addr.port);
	return err;
}

static void stop(void *data)
{
	struct mem_endpoint *self = data;
	struct ela_timer *timer;

	mem_lock(self->fabric);
	timer = self->timer;
	self->timer = NULL;
	if (self->is_up) {
		self->is_up = false;
		(void)g_hash_table_remove(self->fabric->endpoints, &self->addr); /* start() put it there */
		mem_stream_endpoint_stops(self);
		mem_endpoint_drop_events(self);
		close_lanes(self);
	}
	mem_unlock(self->fabric);
	self->host->timer_free(timer);
}

static void info(void *data, struct ela_transport_info *ret)
{
	const struct mem_endpoint *self = data;
	bool datagrams = self->caps & ELA_TRANSPORT_DATAGRAM;

	*ret = (struct ela_transport_info){
		.caps = self->caps,
		.overhead4 = 28,
		.overhead6 = 48,
		.max_datagram = datagrams ? self->max_datagram : 0,
		.max_segments = self->max_segments,
		.max_train = MAX_DATAGRAM,
		.burst = BURST,
		.port = self->addr.port,
	};
}

static int lane_fd(void *data, uint32_t lane, uint32_t k)
{
	const struct mem_endpoint *self = data;

	return k == 0 && lane < self->n_lanes ? self->fds[lane] : -ENOENT;
}

static int read_burst(void *data, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err)
{
	struct mem_endpoint *self = data;
	struct mem_queue *queue = &self->lanes[lane];
	struct mem_buf *buf;
	uint32_t done = 0;

	mem_lock(self->fabric);
	while (done < n && (buf = mem_queue_pop(queue))) {
		struct ela_train *train = &trains[done];

		if (buf->len <= train->room) {
			memcpy(train->data, buf->bytes, buf->len);
			train->len = buf->len;
			train->segment = buf->segment;
			train->flags = 0;
			train->remote = buf->from;
			train->local = buf->to;
			train->ecn = buf->ecn;
			done++;
		} else {
			ela_count(&self->counters[lane][COUNTER_DROP_SIZE], 1);
		}
		mem_buf_free(self->fabric, buf);
	}
	if (!queue->n)
		mem_signal_lower(self->fds[lane]);
	mem_unlock(self->fabric);
	if (!done)
		*ret_err = -EAGAIN;
	return (int)done;
}

/* Why this train cannot be sent, 0 when it can. */
static int check_send(struct mem_endpoint *self, const struct ela_send *send)
{
	const struct ela_addr *remote = &send->path->remote, *local = &send->path->local;
	uint32_t segment = send->segment ? send->segment : send->len;
	const struct ela_mem_link *link;
	uint64_t *free_ns;

	if (!(self->caps & ELA_TRANSPORT_DATAGRAM))
		return -EOPNOTSUPP;
	if (remote->family != self->addr.family)
		return -ENETUNREACH;
	if (!remote->port || !send->len)
		return -EINVAL;
	if (local->family != ELA_ADDR_NONE && memcmp(local->ip, self->addr.ip, sizeof local->ip) != 0)
		return -EADDRNOTAVAIL;
	(void)mem_link_find(self->fabric, &self->addr, remote, &link, &free_ns); /* a cut link loses: no error here */
	if (segment > self->max_datagram || (link->mtu && segment > link->mtu))
		return -EMSGSIZE;
	if (send->len > MAX_DATAGRAM || (send->len + segment - 1) / segment > self->max_segments)
		return -EINVAL;
	return 0;
}

static int send_burst(void *data, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err)
{
	struct mem_endpoint *self = data;
	uint32_t done = 0;
	int err = 0;

	(void)lane; /* every lane sends from the same address */
	mem_lock(self->fabric);
	for (; done < n; done++) {
		err = check_send(self, &sends[done]);
		if (err)
			break;
		mem_carry(self, &self->addr, &sends[done]);
	}
	mem_unlock(self->fabric);
	if (err)
		*ret_err = err;
	return (int)done;
}

static int probe(void *data, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	struct mem_endpoint *self = data;
	const struct ela_path path = {.remote = *remote};
	const struct ela_send send = {.data = bytes, .len = len, .path = &path};
	struct ela_addr as = self->addr;
	int err;

	mem_lock(self->fabric);
	err = self->is_up ? check_send(self, &send) : -ENETUNREACH;
	as.port = mem_port_new(self->fabric);
	if (!err)
		mem_carry(self, &as, &send);
	mem_unlock(self->fabric);
	return err;
}

int ela_mem_move(struct ela_mem_fabric *fabric, const char *from, const char *to, uint16_t port)
{
	struct ela_addr old, fresh;
	struct mem_endpoint *endpoint;
	int err = 0;

	if (ela_mem_addr(from, port, &old) || ela_mem_addr(to, port, &fresh))
		return -EINVAL;
	mem_lock(fabric);
	endpoint = g_hash_table_lookup(fabric->endpoints, &old);
	if (!endpoint) {
		err = -ENOENT;
	} else if (g_hash_table_contains(fabric->endpoints, &fresh)) {
		err = -EADDRINUSE;
	} else {
		(void)g_hash_table_remove(fabric->endpoints, &old); /* found above */
		mem_stream_endpoint_moves(endpoint);
		endpoint->addr = fresh;
		(void)g_hash_table_insert(fabric->endpoints, &endpoint->addr, endpoint); /* free, see above */
	}
	mem_unlock(fabric);
	return err;
}

static const struct ela_option options[] = {
	{.key = "fabric",
		.def = "default",
		.type = ELA_OPTION_STRING,
		.min = 1,
		.max = MEM_NAME_MAX,
		.help = "which fabric"},
	{.key = "listen", .type = ELA_OPTION_IP, .help = "own address; unset = the fabric's next free one"},
	{.key = "port", .def = "7450", .type = ELA_OPTION_INT, .min = 1, .max = 65535, .help = "own port"},
	{.key = "mode",
		.def = "both",
		.choices = "both|datagram|stream",
		.type = ELA_OPTION_CHOICE,
		.help = "what it offers"},
	{.key = "mtu",
		.def = "65507",
		.unit = "bytes",
		.type = ELA_OPTION_INT,
		.min = 64,
		.max = MAX_DATAGRAM,
		.help = "largest datagram"},
	{.key = "segments",
		.def = "64",
		.unit = "datagrams",
		.type = ELA_OPTION_INT,
		.min = 1,
		.max = 128,
		.help = "most datagrams of a train"},
	{.key = "buffer",
		.def = "64k",
		.unit = "bytes",
		.type = ELA_OPTION_SIZE,
		.min = 256,
		.max = 16 << 20,
		.help = "what a stream holds each way"},
};

static const char *const counters[] = {[COUNTER_DROP_SIZE] = "drop-size"};

static const struct ela_transport_ops ops = {
	.create = create,
	.destroy = destroy,
	.start = start,
	.stop = stop,
	.info = info,
	.lane_fd = lane_fd,
	.read_burst = read_burst,
	.send_burst = send_burst,
	.connect = mem_stream_connect,
	.conn_fd = mem_stream_fd,
	.conn_attach = mem_stream_attach,
	.conn_read = mem_stream_read,
	.conn_write = mem_stream_write,
	.conn_close = mem_stream_close,
	.probe = probe,
};

#define DESCRIPTOR                                                                                                     \
	.kind = ELA_KIND_TRANSPORT, .name = "mem", .version = "0.1", .licence = "Apache-2.0",                              \
	.summary = "an underlay in memory, for tests", .ops = &ops, .ops_size = sizeof ops, .options = options,            \
	.n_options = sizeof options / sizeof *options, .counters = counters,                                               \
	.n_counters = sizeof counters / sizeof *counters

#ifdef ELA_MEM_MODULE
ELA_PLUGIN(DESCRIPTOR);
#else
const struct ela_plugin ela_transport_mem = {.magic = ELA_PLUGIN_MAGIC,
	.abi_major = ELA_ABI_MAJOR,
	.abi_minor = ELA_ABI_MINOR,
	.option_size = sizeof(struct ela_option),
	DESCRIPTOR};
#endif
