/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-mem: the plugin side of a device in memory (the test's side is device.c). Bursts run on lanes, the rest on
 * control.
 */
#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNTER_ECHOED, COUNTER_DROP_ROOM };

struct npd_mem {
	const struct ela_host *host;
	struct ela_mem_fabric *fabric;
	struct ela_mem_device *device; /* NULL until open */
	char name[MEM_NAME_MAX + 1];
	uint32_t caps;
	uint32_t n_queues;
	bool echo;
	uint64_t *counters[ELA_MAX_LANES];
};

static void close_device(void *data);

static void destroy(void *data)
{
	struct npd_mem *self = data;

	if (!self)
		return;
	close_device(self);
	if (self->fabric)
		mem_fabric_release(self->fabric);
	free(self);
}

static int create(const struct ela_host *host, void **ret_self)
{
	static const uint32_t caps[] = {0, ELA_NPD_CSUM, ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6 | ELA_NPD_USO};
	struct npd_mem *self = calloc(1, sizeof *self);
	struct ela_value value = {0};
	int err;

	if (!self)
		return -ENOMEM;
	self->host = host;
	err = host->option(host, "caps", 0, &value);
	self->caps = caps[value.num % 3];
	if (host->option(host, "device", 0, &value) == 0)
		memcpy(self->name, value.str, strlen(value.str)); /* the table bounds its length */
	if (!err)
		err = host->option(host, "fabric", 0, &value);
	if (!err)
		err = (self->fabric = mem_fabric_use(value.str)) ? 0 : -ENOMEM;
	if (!err)
		err = host->option(host, "echo", 0, &value);
	if (err) {
		destroy(self);
		return err;
	}
	self->echo = value.num == 0 ? self->fabric->self_made : value.num == 1;
	*ret_self = self;
	return 0;
}

/* Without the option `device`: the first name that is not in use. */
static struct ela_mem_device *find_device(struct npd_mem *self)
{
	struct ela_mem_device *device = *self->name ? mem_device_get(self->fabric, self->name) : NULL;
	char name[MEM_NAME_MAX + 1];

	for (unsigned int i = 0; !device; i++) {
		(void)g_snprintf(name, sizeof name, "mem%u", i); /* fits: ten digits at most */
		device = mem_device_get(self->fabric, name);
		if (device->stats.open)
			device = NULL;
	}
	return device;
}

static int open_queues(struct npd_mem *self, struct ela_mem_device *device)
{
	for (uint32_t i = 0; i < self->n_queues; i++) {
		self->counters[i] = self->host->counters(self->host, i);
		device->fds[i] = mem_signal_new(self->fabric);
		if (device->fds[i] < 0 && !(self->fabric->flags & ELA_MEM_VIRTUAL))
			return -EMFILE;
		if (device->in[i].n || device->replays[i].left)
			mem_signal_raise(device->fds[i]); /* a test may fill it before */
	}
	return 0;
}

static void close_queues(struct ela_mem_device *device)
{
	for (uint32_t i = 0; i < ELA_MAX_LANES; i++) {
		if (device->fds[i] >= 0)
			(void)close(device->fds[i]); /* an eventfd has nothing to fail at */
		device->fds[i] = -1;
	}
	device->stats.open = false;
	device->host = NULL;
}

static int open_device(void *data, const struct ela_npd_config *config, struct ela_npd_info *ret_info)
{
	struct npd_mem *self = data;
	struct ela_mem_device *device;
	int err = 0;

	if (!config->n_queues || config->mtu < 576 || config->mtu > MEM_MAX_PACKET)
		return -EINVAL;
	mem_lock(self->fabric);
	self->n_queues = MIN(config->n_queues, ELA_MAX_LANES);
	device = self->device ? self->device : find_device(self);
	if (device->stats.open) {
		err = -EBUSY;
	} else if ((err = open_queues(self, device))) {
		close_queues(device);
	} else {
		self->device = device;
		device->host = self->host;
		device->caps = device->caps_set ? device->caps : self->caps;
		device->echo = device->echo_set ? device->echo : self->echo;
		device->no_collect = device->no_collect || self->fabric->self_made; /* nobody would take it */
		device->stats.mtu = config->mtu;
		device->stats.open = true;
		*ret_info = (struct ela_npd_info){.n_queues = self->n_queues, .caps = device->caps, .mtu = config->mtu};
		(void)g_strlcpy(ret_info->name, device->name, sizeof ret_info->name); /* for people: may be cut */
	}
	mem_unlock(self->fabric);
	if (err == -EBUSY)
		ela_log(self->host, ELA_LOG_ERROR, "device-in-use device=%s; set another device", self->name);
	return err;
}

static void close_device(void *data)
{
	struct npd_mem *self = data;

	if (!self->device)
		return;
	mem_lock(self->fabric);
	close_queues(self->device);
	self->device = NULL;
	mem_unlock(self->fabric);
}

static int queue_fd(void *data, uint32_t queue)
{
	const struct npd_mem *self = data;

	return self->device && queue < self->n_queues ? self->device->fds[queue] : -1;
}

static int read_burst(void *data, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct npd_mem *self = data;
	struct mem_arena room = {.at = arena, .end = arena + arena_len, .headroom = headroom};
	uint32_t done = 0;
	bool is_full = false;

	mem_lock(self->fabric);
	while (done < n && !is_full && mem_device_next(self->device, queue, &room, &pkts[done], &is_full))
		done++;
	if (is_full && !done) { /* core's arena cannot hold it, now or ever */
		mem_device_skip(self->device, queue);
		ela_count(&self->counters[queue][COUNTER_DROP_ROOM], 1);
	}
	mem_unlock(self->fabric);
	if (!done)
		*ret_err = -EAGAIN;
	return (int)done;
}

static int write_burst(void *data, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct npd_mem *self = data;
	uint64_t echoed;
	uint32_t done = 0;
	int err = 0;

	mem_lock(self->fabric);
	echoed = self->device->stats.echoed;
	while (done < n && !(err = mem_device_write(self->device, queue, &pkts[done])))
		done++;
	echoed = self->device->stats.echoed - echoed;
	mem_unlock(self->fabric);
	if (echoed)
		ela_count(&self->counters[queue][COUNTER_ECHOED], echoed);
	if (err)
		*ret_err = err;
	return (int)done;
}

static int set_mtu(void *data, uint32_t mtu)
{
	struct npd_mem *self = data;

	if (!self->device)
		return -ENODEV;
	if (mtu < 576 || mtu > MEM_MAX_PACKET)
		return -EINVAL;
	mem_lock(self->fabric);
	self->device->stats.mtu = mtu;
	mem_unlock(self->fabric);
	return 0;
}

/* The device has no use for them, but for the rules of npd.h. */
static int set_addresses(void *data, const char *const *addresses, uint32_t n)
{
	const struct npd_mem *self = data;

	if (!self->device)
		return -ENODEV;
	for (uint32_t i = 0; i < n; i++) {
		g_auto(GStrv) parts = g_strsplit(addresses[i], "/", 2);

		if (!parts[0] || !parts[1] || !g_hostname_is_ip_address(parts[0]))
			return -EINVAL;
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(addresses[k], addresses[i]) == 0)
				return -EINVAL;
	}
	return 0;
}

static uint32_t caps(void *data)
{
	struct npd_mem *self = data;
	uint32_t now = self->caps;

	mem_lock(self->fabric);
	if (self->device)
		now = self->device->caps;
	mem_unlock(self->fabric);
	return now;
}

static const struct ela_option options[] = {
	{.key = "fabric",
		.def = "default",
		.type = ELA_OPTION_STRING,
		.min = 1,
		.max = MEM_NAME_MAX,
		.help = "which fabric"},
	{.key = "device",
		.type = ELA_OPTION_STRING,
		.min = 1,
		.max = MEM_NAME_MAX,
		.help = "which of its devices; unset = a new one"},
	{.key = "caps", .def = "all", .choices = "none|csum|all", .type = ELA_OPTION_CHOICE, .help = "offloads"},
	{.key = "echo",
		.def = "auto",
		.choices = "auto|on|off",
		.type = ELA_OPTION_CHOICE,
		.help = "answers ICMP echo and UDP by itself; auto = without a test's fabric"},
};

static const char *const counters[] = {[COUNTER_ECHOED] = "echoed", [COUNTER_DROP_ROOM] = "drop-room"};

static const struct ela_npd_ops ops = {
	.create = create,
	.destroy = destroy,
	.open = open_device,
	.close = close_device,
	.queue_fd = queue_fd,
	.read_burst = read_burst,
	.write_burst = write_burst,
	.set_mtu = set_mtu,
	.caps = caps,
	.set_addresses = set_addresses,
};

#define DESCRIPTOR                                                                                                     \
	.kind = ELA_KIND_NPD, .name = "mem", .version = "0.1", .licence = "Apache-2.0",                                    \
	.summary = "a device in memory, for tests", .ops = &ops, .ops_size = sizeof ops, .options = options,               \
	.n_options = sizeof options / sizeof *options, .counters = counters,                                               \
	.n_counters = sizeof counters / sizeof *counters

#ifdef ELA_MEM_MODULE
ELA_PLUGIN(DESCRIPTOR);
#else
const struct ela_plugin ela_npd_mem = {.magic = ELA_PLUGIN_MAGIC,
	.abi_major = ELA_ABI_MAJOR,
	.abi_minor = ELA_ABI_MINOR,
	.option_size = sizeof(struct ela_option),
	DESCRIPTOR};
#endif
