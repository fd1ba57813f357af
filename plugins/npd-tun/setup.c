/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup: gives the interface its flags, MTU and routes, and watches it for changes that somebody else makes (addresses:
 * addresses.c). Control thread. Errors are logged here, with the remedy.
 */
#include "npd-tun.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define IP6_MIN_MTU 1280u

/*
 * The limited broadcast and the IPv4 groups go to the overlay: discovery is what mode lan is for. A longest prefix wins
 * over the default route whatever its metric, so programs that name neither interface nor source address do send theirs
 * here; the metric, far above anything that daemons or people use, yields to every other route to the very same two
 * prefixes. IPv6 needs nothing: the kernel gives each interface its ff00::/8.
 */
#define GROUP_METRIC 1000000u
static const char *const group_prefixes[] = {"255.255.255.255/32", "224.0.0.0/4"};

/* Bounds that the kernel would answer with a bare "invalid argument". */
int tun_setup_check_mtu(const struct tun *tun, uint32_t mtu, bool ip6)
{
	if (ip6 && mtu < IP6_MIN_MTU) {
		ela_log(tun->host, ELA_LOG_ERROR, "mtu %u is too small for the IPv6 address; set it to at least %u", mtu,
			IP6_MIN_MTU);
		return -EINVAL;
	}
	if (mtu > UINT16_MAX) {
		ela_log(tun->host, ELA_LOG_ERROR, "mtu %u is too large; set it to at most %u", mtu, UINT16_MAX);
		return -EINVAL;
	}
	if (tun->options.lan && mtu > TUN_ETHER_MAX_MTU) {
		ela_log(tun->host, ELA_LOG_ERROR, "mtu %u is too large for mode = lan; set it to at most %u, or mode = ptp",
			mtu, TUN_ETHER_MAX_MTU);
		return -EINVAL;
	}
	return 0;
}

int tun_setup_check(struct tun *tun, const struct ela_npd_config *config)
{
	struct ela_prefix prefix;
	bool ip6 = false;
	int err;

	for (uint32_t i = 0; i < config->n_addresses + config->n_routes; i++) {
		bool is_address = i < config->n_addresses;

		err = tun_addresses_parse(
			tun, is_address ? config->addresses[i] : config->routes[i - config->n_addresses], &prefix);
		if (!err && is_address)
			err = tun_addresses_overlap(tun, &prefix);
		if (err < 0)
			return err;
		ip6 |= is_address && prefix.family == AF_INET6;
	}
	return tun_setup_check_mtu(tun, config->mtu, ip6);
}

/* The kernel has made a route for each address's own network. */
static bool is_own_network(const struct ela_npd_config *config, const struct ela_prefix *route)
{
	struct ela_prefix prefix;

	for (uint32_t i = 0; i < config->n_addresses; i++)
		if (!ela_prefix_parse(config->addresses[i], &prefix) && ela_prefix_equal_network(&prefix, route))
			return true;
	return false;
}

static int log_route_taken(const struct tun *tun, const char *route, uint32_t len)
{
	if (len == 0)
		ela_log(tun->host, ELA_LOG_ERROR,
			"interface %s: the machine has a default route already, which elad does not replace: its own frames need "
			"it; "
			"name the networks behind the peer in ela.ini instead of %s",
			tun->name, route);
	else
		ela_log(tun->host, ELA_LOG_ERROR,
			"interface %s: there is a route to %s already; remove it (\"ip route\" shows it), or take the prefix out "
			"of "
			"ela.ini",
			tun->name, route);
	return -EEXIST;
}

static int add_routes(struct tun *tun, const struct ela_npd_config *config)
{
	struct ela_prefix prefix;
	int err;

	for (uint32_t i = 0; i < config->n_routes; i++) {
		err = tun_addresses_parse(tun, config->routes[i], &prefix);
		if (!err && is_own_network(config, &prefix))
			continue;
		if (!err)
			err = ela_nl_route_add(tun->nl, tun->index, &prefix, 0);
		if (err == -EEXIST)
			return log_route_taken(tun, config->routes[i], prefix.len);
		if (err < 0)
			return tun_log_failed(tun, "cannot add the route", config->routes[i], err);
	}
	for (size_t i = 0; i < sizeof group_prefixes / sizeof *group_prefixes; i++) {
		err = tun_addresses_parse(tun, group_prefixes[i], &prefix);
		if (!err)
			err = ela_nl_route_add(tun->nl, tun->index, &prefix, GROUP_METRIC);
		if (err <
			0) /* a second device of this host has them already, or a host without multicast: unicast still works */
			ela_log(tun->host, ELA_LOG_INFO, "interface %s: no route to %s: %s", tun->name, group_prefixes[i],
				strerror(-err));
	}
	return 0;
}

static void take_link(struct tun *tun, const struct ela_nl_link *link)
{
	uint64_t mac = 0;

	memcpy(&mac, link->mac, sizeof link->mac);
	atomic_store_explicit(&tun->mac, mac, memory_order_relaxed);
	if (!tun->superpackets)
		atomic_store_explicit(&tun->rx_largest, link->mtu, memory_order_relaxed);
}

/*
 * Somebody changed the interface. udev sets an Ethernet address of its own just after an interface appears; frames to
 * the old one would be dropped as another host's.
 */
static void on_link_news(void *data, uint32_t events)
{
	struct tun *tun = data;
	struct ela_nl_link link;
	int ret = ela_nl_monitor_read(tun->monitor, tun->index, &link);

	(void)events;
	if (ret < 0)
		ret = ela_nl_link_get(tun->nl, tun->index, NULL, &link) == 0;
	if (ret <= 0)
		return;
	if (link.gone) {
		ela_log(tun->host, ELA_LOG_ERROR, "interface %s was removed by somebody else; restart elad to have it back",
			tun->name);
		return;
	}
	take_link(tun, &link);
}

static int watch(struct tun *tun)
{
	struct ela_nl_link link;
	int err = ela_nl_monitor_new(&tun->monitor);

	if (err < 0)
		return tun_log_failed(tun, "cannot watch", "the interface", err);
	tun->watch = tun->host->watch_new(tun->host, ela_nl_monitor_fd(tun->monitor), ELA_EVENT_READ, on_link_news, tun);
	if (!tun->watch)
		return tun_log_failed(tun, "cannot watch", "the interface", -ENOMEM);
	err = ela_nl_link_get(tun->nl, tun->index, NULL, &link);
	if (err < 0)
		return tun_log_failed(tun, "cannot read", "its Ethernet address", err);
	take_link(tun, &link);
	return 0;
}

bool tun_is_on(const char *setting)
{
	FILE *file = fopen(setting, "re");
	bool on = file && fgetc(file) == '1';

	if (file)
		(void)fclose(file); /* read only */
	return on;
}

/*
 * The wish bounds what this host's own TCP makes. A superpacket that arrived over another interface and is forwarded
 * here may have more segments, and the kernel would cut it in software, all of it: then longer ones are better.
 */
static bool is_router(void)
{
	return tun_is_on("/proc/sys/net/ipv4/ip_forward") || tun_is_on("/proc/sys/net/ipv6/conf/all/forwarding");
}

static int set_up(struct tun *tun, const struct ela_npd_config *config)
{
	uint32_t flags = IFF_MULTICAST | (tun->options.lan ? IFF_NOARP : 0);
	int err;

	err = ela_nl_link_flags(tun->nl, tun->index, flags, flags);
	if (err < 0)
		return tun_log_failed(tun, "cannot set", "its flags", err);
	err = tun_setup_mtu(tun, config->mtu);
	if (err < 0)
		return err;
	err = ela_nl_link_u32(tun->nl, tun->index, IFLA_TXQLEN, tun->options.txqueuelen);
	if (err < 0)
		return tun_log_failed(tun, "cannot set", "txqueuelen", err);
	if (config->gso_max_segs && !is_router()) {
		err = ela_nl_link_u32(tun->nl, tun->index, IFLA_GSO_MAX_SEGS, config->gso_max_segs);
		if (err < 0) /* a wish: then core cuts what is too long into two sends */
			ela_log(tun->host, ELA_LOG_DEBUG, "interface %s: gso_max_segs: %s", tun->name, strerror(-err));
	}
	err = ela_nl_link_quiet6(tun->nl, tun->index);
	if (err < 0) /* no IPv6 here; an IPv6 address would fail below */
		ela_log(tun->host, ELA_LOG_DEBUG, "interface %s: addr_gen_mode none: %s", tun->name, strerror(-err));
	err = ela_nl_link_promote4(tun->nl, tun->index);
	if (err < 0) /* matters only when one of two addresses of a prefix goes */
		ela_log(tun->host, ELA_LOG_DEBUG, "interface %s: promote_secondaries: %s", tun->name, strerror(-err));
	err = ela_nl_link_flags(tun->nl, tun->index, IFF_UP, IFF_UP);
	return err < 0 ? tun_log_failed(tun, "cannot be set", "up", err) : 0;
}

int tun_setup(struct tun *tun, const struct ela_npd_config *config)
{
	struct ela_nl_link link;
	int err = ela_nl_link_get(tun->nl, 0, tun->name, &link);

	if (err < 0)
		return tun_log_failed(tun, "cannot be", "found", err);
	tun->index = link.index;
	err = set_up(tun, config);
	if (!err)
		err = tun_addresses_set(tun, config->addresses, config->n_addresses);
	if (!err)
		err = add_routes(tun, config);
	if (!err)
		err = watch(tun);
	return err;
}

int tun_setup_mtu(struct tun *tun, uint32_t mtu)
{
	uint32_t before = atomic_load_explicit(&tun->rx_largest, memory_order_relaxed);
	int err = tun_setup_check_mtu(tun, mtu, tun->ip6);

	if (err < 0)
		return err;
	/* Before the kernel may hand over longer packets; the monitor lowers it when they can come no more. */
	if (mtu > before)
		atomic_store_explicit(&tun->rx_largest, mtu, memory_order_relaxed);
	err = ela_nl_link_u32(tun->nl, tun->index, IFLA_MTU, mtu);
	if (err == 0)
		return 0;
	atomic_store_explicit(&tun->rx_largest, before, memory_order_relaxed); /* longer ones cannot come */
	return tun_log_failed(tun, "cannot set", "its MTU", err);
}

void tun_setup_stop(struct tun *tun)
{
	if (tun->watch)
		tun->host->watch_free(tun->watch);
	tun->watch = NULL;
	ela_nl_free(tun->monitor);
	tun->monitor = NULL;
}
