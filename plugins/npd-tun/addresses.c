/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses: the interface's addresses, at its start and later: what is new is added before what is old goes, what both
 * have is not touched, and a step that fails is followed by those before it undone. The lanes' list of broadcast
 * addresses follows. Control thread. Errors are logged here, with the remedy.
 */
#include "npd-tun.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct list {
	struct ela_prefix v[TUN_MAX_ADDRESSES];
	uint32_t n;
};

int tun_log_failed(const struct tun *tun, const char *what, const char *value, int err)
{
	const char *remedy = "";

	if (err == -EPERM || err == -EACCES)
		remedy = "; run as root, or give CAP_NET_ADMIN";
	ela_log(tun->host, ELA_LOG_ERROR, "interface %s: %s %s: %s%s", tun->name, what, value, strerror(-err), remedy);
	return err;
}

int tun_addresses_parse(const struct tun *tun, const char *text, struct ela_prefix *ret)
{
	if (ela_prefix_parse(text, ret) == 0)
		return 0;
	ela_log(tun->host, ELA_LOG_ERROR, "\"%s\" is no address; expected like 10.88.0.1/24 or fd00::1/64", text);
	return -EINVAL;
}

int tun_addresses_overlap(struct tun *tun, const struct ela_prefix *prefix)
{
	char name[IFNAMSIZ], mine[ELA_PREFIX_TEXT], theirs[ELA_PREFIX_TEXT];
	struct ela_prefix other, net = ela_prefix_network(prefix);
	int found = ela_nl_overlap(tun->nl, prefix, tun->index, name, &other);

	if (found <= 0)
		return found;
	ela_prefix_text(&net, mine);
	ela_prefix_text(&other, theirs);
	ela_log(tun->host, ELA_LOG_ERROR,
		"the network %s overlaps %s of interface %s, which is up; choose another address in [node], or take %s down",
		mine, theirs, name, name);
	return -EADDRINUSE;
}

static bool is_same(const struct ela_prefix *a, const struct ela_prefix *b)
{
	return a->family == b->family && a->len == b->len && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static bool has(const struct ela_prefix *list, uint32_t n, const struct ela_prefix *prefix)
{
	for (uint32_t i = 0; i < n; i++)
		if (is_same(&list[i], prefix))
			return true;
	return false;
}

/* A machine without IPv6 is in the network by IPv4 alone. */
static bool lacks_ip6(struct tun *tun, const char *address, const struct ela_prefix *prefix)
{
	char file[64 + IFNAMSIZ];

	(void)snprintf(file, sizeof file, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", tun->name); /* it fits */
	if (prefix->family != AF_INET6 || !tun_is_on(file))
		return false;
	ela_log(tun->host, ELA_LOG_WARN,
		"interface %s: %s is left out: IPv6 is switched off on this machine; remedy: sysctl -w "
		"net.ipv6.conf.default.disable_ipv6=0, and restart elad",
		tun->name, address);
	return true;
}

/* The wish as prefixes, checked against the other interfaces where it is new. */
static int read_wish(struct tun *tun, const char *const *addresses, uint32_t n, struct list *ret)
{
	if (n > TUN_MAX_ADDRESSES) {
		ela_log(tun->host, ELA_LOG_ERROR, "%u addresses; an interface takes at most %u", n, TUN_MAX_ADDRESSES);
		return -EINVAL;
	}
	ret->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct ela_prefix *prefix = &ret->v[ret->n];
		int err = tun_addresses_parse(tun, addresses[i], prefix);

		if (!err && lacks_ip6(tun, addresses[i], prefix))
			continue;
		if (!err && has(ret->v, ret->n, prefix))
			err = tun_log_failed(tun, "cannot take the address twice:", addresses[i], -EINVAL);
		if (!err && !has(tun->addresses, tun->n_addresses, prefix))
			err = tun_addresses_overlap(tun, prefix);
		if (err < 0)
			return err;
		ret->n++;
	}
	return 0;
}

static bool has_ip6(const struct list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->v[i].family == AF_INET6)
			return true;
	return false;
}

static int step(struct tun *tun, const struct ela_prefix *prefix, bool adds)
{
	return adds ? ela_nl_addr_add(tun->nl, tun->index, prefix) : ela_nl_addr_del(tun->nl, tun->index, prefix);
}

/* Adds, or removes, the first n of a that b does not have. Undoes what it did when it fails. */
static int change(struct tun *tun, const struct list *a, const struct list *b, bool adds)
{
	char text[ELA_PREFIX_TEXT];
	int err = 0;

	for (uint32_t i = 0; i < a->n && !err; i++) {
		if (has(b->v, b->n, &a->v[i]))
			continue;
		err = step(tun, &a->v[i], adds);
		if (!adds && err == -EADDRNOTAVAIL)
			err = 0; /* somebody else was faster */
		if (!err)
			continue;
		ela_prefix_text(&a->v[i], text);
		(void)tun_log_failed(tun, adds ? "cannot take the address" : "cannot give up the address", text, err);
		while (i-- > 0)
			if (!has(b->v, b->n, &a->v[i]))
				(void)step(tun, &a->v[i], !adds); /* as it was, as far as the kernel lets us */
	}
	return err;
}

/* Lanes read these at each burst. */
static void tell_lanes(struct tun *tun)
{
	uint32_t broadcasts[ELA_VNET_MAX_BROADCASTS] = {0}, n = 0;
	uint8_t ip[4];

	for (uint32_t i = 0; i < tun->n_addresses && n < ELA_VNET_MAX_BROADCASTS; i++)
		if (ela_prefix_broadcast(&tun->addresses[i], ip))
			memcpy(&broadcasts[n++], ip, sizeof ip);
	for (uint32_t i = 0; i < ELA_VNET_MAX_BROADCASTS; i++)
		atomic_store_explicit(&tun->broadcasts[i], broadcasts[i], memory_order_relaxed);
}

int tun_addresses_set(struct tun *tun, const char *const *addresses, uint32_t n)
{
	struct list old = {.n = tun->n_addresses}, new;
	struct ela_nl_link link;
	int err = read_wish(tun, addresses, n, &new);

	memcpy(old.v, tun->addresses, sizeof old.v);
	if (!err && has_ip6(&new) && !has_ip6(&old)) {
		err = ela_nl_link_get(tun->nl, tun->index, NULL, &link);
		err = err < 0 ? tun_log_failed(tun, "cannot read", "its MTU", err) : tun_setup_check_mtu(tun, link.mtu, true);
	}
	if (!err)
		err = change(tun, &new, &old, true);
	if (err < 0)
		return err;
	err = change(tun, &old, &new, false);
	if (err < 0) {
		/* a failure here is said by the line above; the wish's own addresses go again */
		(void)change(tun, &new, &old, false);
		return err;
	}
	memcpy(tun->addresses, new.v, sizeof tun->addresses);
	tun->n_addresses = new.n;
	tun->ip6 = has_ip6(&new);
	tell_lanes(tun);
	return 0;
}
