/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-tun: the node's network pseudo device as a TAP interface without ARP (mode lan) or a TUN interface (mode ptp).
 * This file owns the instance: options, life cycle and the plugin's descriptor. Control thread but for caps().
 */
#include "npd-tun.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A name of at most 15 bytes as the kernel takes it, or one with a single %d in it. */
static bool interface_is_valid(const char *name)
{
	size_t len = strlen(name), patterns = 0;

	if (!len || len >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '%' && name[i + 1] == 'd') {
			patterns++;
			i++;
		} else if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i])) {
			return false;
		}
	}
	return patterns <= 1;
}

static bool option_is_auto(const struct ela_host *host, const char *key)
{
	struct ela_value value;

	return host->option(host, key, 0, &value) < 0 || strcmp(value.str, "off") != 0;
}

static uint32_t option_int(const struct ela_host *host, const char *key, uint32_t def)
{
	struct ela_value value;

	return host->option(host, key, 0, &value) < 0 ? def : (uint32_t)value.num;
}

static int read_options(const struct ela_host *host, struct tun_options *ret)
{
	struct ela_value value;

	const char *interface = host->option(host, "interface", 0, &value) < 0 ? "ela0" : value.str;

	if (!interface_is_valid(interface)) {
		ela_log(host, ELA_LOG_ERROR,
			"[npd-tun] interface: \"%s\" is no interface name; expected at most 15 of a-z A-Z 0-9 _ . -, with one %%d "
			"at most",
			interface);
		return -EINVAL;
	}
	memcpy(ret->interface, interface, strlen(interface) + 1);
	ret->lan = host->option(host, "mode", 0, &value) < 0 || strcmp(value.str, "ptp") != 0;
	ret->csum = option_is_auto(host, "csum");
	ret->tso = option_is_auto(host, "tso");
	ret->uso = option_is_auto(host, "uso");
	ret->queues = option_int(host, "queues", 0);
	ret->txqueuelen = option_int(host, "txqueuelen", 256);
	return 0;
}

static void destroy(void *self);

static int create(const struct ela_host *host, void **ret_self)
{
	struct tun *tun = calloc(1, sizeof *tun);
	int err;

	if (!tun)
		return -ENOMEM;
	tun->host = host;
	tun->queues = aligned_alloc(_Alignof(struct tun_queue), TUN_MAX_QUEUES * sizeof *tun->queues);
	if (!tun->queues) {
		err = -ENOMEM;
		goto fail;
	}
	memset(tun->queues, 0, TUN_MAX_QUEUES * sizeof *tun->queues);
	for (uint32_t i = 0; i < TUN_MAX_QUEUES; i++)
		tun->queues[i].fd = -1;
	err = read_options(host, &tun->options);
	if (err < 0)
		goto fail;
	tun->link_len = tun->options.lan ? ELA_ETHER_LEN : 0;
	*ret_self = tun;
	return 0;
fail:
	destroy(tun);
	return err;
}

/* The lanes have stopped. Order: nobody hears of the interface any more, then it goes. */
static void close_device(void *self)
{
	struct tun *tun = self;

	tun_setup_stop(tun);
	if (tun->queues)
		tun_device_close(tun);
	ela_nl_free(tun->nl);
	tun->nl = NULL;
	tun->index = 0;
	tun->n_addresses = 0;
	atomic_store_explicit(&tun->caps, 0, memory_order_relaxed);
}

static void destroy(void *self)
{
	struct tun *tun = self;

	if (!tun)
		return;
	close_device(tun);
	free(tun->queues);
	free(tun);
}

static uint32_t wanted_queues(const struct tun *tun, uint32_t asked)
{
	uint32_t most = tun->options.queues ? tun->options.queues : TUN_MAX_QUEUES;

	if (most > tun->host->n_lanes)
		most = tun->host->n_lanes;

	return asked < most ? asked : most;
}

static void reset_queues(struct tun *tun)
{
	for (uint32_t i = 0; i < tun->host->n_lanes && i < TUN_MAX_QUEUES; i++) {
		memset(tun->queues[i].refusals, 0, sizeof tun->queues[i].refusals);
		tun->queues[i].counters = tun->host->counters(tun->host, i);
	}
}

static int open_device(void *self, const struct ela_npd_config *config, struct ela_npd_info *ret_info)
{
	struct tun *tun = self;
	struct ela_npd_info info = {0};
	int err;

	if (tun->n_queues || !config->n_queues)
		return -EINVAL;
	err = ela_nl_new(&tun->nl);
	if (err < 0) {
		ela_log(tun->host, ELA_LOG_ERROR, "no rtnetlink socket: %s", strerror(-err));
		return err;
	}
	reset_queues(tun);
	err = tun_setup_check(tun, config);
	if (!err)
		err = tun_device_open(tun, wanted_queues(tun, config->n_queues), config->mtu);
	if (!err)
		err = tun_setup(tun, config);
	if (err < 0) {
		close_device(tun);
		return err;
	}
	memcpy(info.name, tun->name, IFNAMSIZ);
	info.n_queues = tun->n_queues;
	info.caps = atomic_load_explicit(&tun->caps, memory_order_relaxed);
	info.mtu = config->mtu;
	*ret_info = info;
	return 0;
}

static int queue_fd(void *self, uint32_t queue)
{
	const struct tun *tun = self;

	return queue < tun->n_queues ? tun->queues[queue].fd : -1;
}

static int set_mtu(void *self, uint32_t mtu)
{
	struct tun *tun = self;

	return tun->n_queues ? tun_setup_mtu(tun, mtu) : -ENODEV;
}

static int set_addresses(void *self, const char *const *addresses, uint32_t n)
{
	struct tun *tun = self;

	return tun->n_queues ? tun_addresses_set(tun, addresses, n) : -ENODEV;
}

static uint32_t caps(void *self)
{
	struct tun *tun = self;

	return atomic_load_explicit(&tun->caps, memory_order_relaxed);
}

static const struct ela_npd_ops ops = {
	.create = create,
	.destroy = destroy,
	.open = open_device,
	.close = close_device,
	.queue_fd = queue_fd,
	.read_burst = tun_read_burst,
	.write_burst = tun_write_burst,
	.set_mtu = set_mtu,
	.caps = caps,
	.set_addresses = set_addresses,
};

static const struct ela_option options[] = {
	{.key = "interface",
		.def = "ela0",
		.help = "name of the interface, or a pattern such as ela%d",
		.min = 1,
		.max = IFNAMSIZ - 1,
		.type = ELA_OPTION_STRING},
	{.key = "mode",
		.def = "lan",
		.choices = "lan|ptp",
		.help = "lan: broadcast interface without ARP; ptp: point-to-point interface",
		.type = ELA_OPTION_CHOICE},
	{.key = "mtu",
		.unit = "bytes",
		.help = "largest IP packet; unset: what the paths carry",
		.min = 576,
		.max = 65535,
		.type = ELA_OPTION_INT},
	{.key = "queues",
		.unit = "queues",
		.help = "most queues to open; unset: one per lane",
		.min = 1,
		.max = TUN_MAX_QUEUES,
		.type = ELA_OPTION_INT},
	{.key = "tso",
		.def = "auto",
		.choices = "auto|off",
		.help = "TCP superpackets to and from the kernel",
		.type = ELA_OPTION_CHOICE},
	{.key = "uso",
		.def = "auto",
		.choices = "auto|off",
		.help = "UDP superpackets to and from the kernel",
		.type = ELA_OPTION_CHOICE},
	{.key = "csum",
		.def = "auto",
		.choices = "auto|off",
		.help = "leave checksums to the receiving kernel; off switches tso and uso off too",
		.type = ELA_OPTION_CHOICE},
	{.key = "txqueuelen",
		.def = "256",
		.unit = "packets",
		.help = "packets or superpackets that wait in the kernel for a lane",
		.min = 2,
		.max = 65536,
		.type = ELA_OPTION_INT},
};

static const char *const counters[TUN_N_COUNTERS] = {
	[TUN_READS] = "reads",
	[TUN_RX_PACKETS] = "rx-packets",
	[TUN_RX_BYTES] = "rx-bytes",
	[TUN_RX_SUPERPACKETS] = "rx-superpackets",
	[TUN_RX_NOT_IP] = "rx-not-ip",
	[TUN_RX_BAD_VNET] = "rx-bad-vnet",
	[TUN_RX_TRUNCATED] = "rx-truncated",
	[TUN_WRITES] = "writes",
	[TUN_TX_PACKETS] = "tx-packets",
	[TUN_TX_BYTES] = "tx-bytes",
	[TUN_TX_SUPERPACKETS] = "tx-superpackets",
	[TUN_TX_BAD_PACKET] = "tx-bad-packet",
	[TUN_TX_FULL] = "tx-full",
	[TUN_TX_DOWN] = "tx-down",
	[TUN_TX_ERROR] = "tx-error",
	[TUN_TX_GSO_REFUSED] = "tx-gso-refused",
	[TUN_TX_OFFLOAD_LOST] = "tx-offload-lost",
};

ELA_PLUGIN(.kind = ELA_KIND_NPD, .ops_size = sizeof ops, .name = "tun", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "network interface of the kernel: TAP without ARP, or TUN", .ops = &ops, .options = options,
	.n_options = sizeof options / sizeof *options, .counters = counters, .n_counters = TUN_N_COUNTERS);
