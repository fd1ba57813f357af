/* SPDX-License-Identifier: Apache-2.0 */
/* ip: addresses and listening options of the IP transports; see ip.h. Control thread, but for the conversions. */
#include "ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

bool ela_ip_is_any(const struct ela_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->ip, zero, sizeof zero) == 0;
}

socklen_t ela_ip_to_sockaddr(const struct ela_addr *addr, union ela_ip_sockaddr *ret)
{
	if (addr->family == ELA_ADDR_IP4) {
		ret->in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(addr->port)};
		memcpy(&ret->in4.sin_addr, addr->ip, 4);
		return sizeof ret->in4;
	}
	if (addr->family == ELA_ADDR_IP6) {
		ret->in6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(addr->port), .sin6_scope_id = addr->scope};
		memcpy(&ret->in6.sin6_addr, addr->ip, 16);
		return sizeof ret->in6;
	}
	return 0;
}

bool ela_ip_from_sockaddr(const union ela_ip_sockaddr *sockaddr, struct ela_addr *ret)
{
	if (sockaddr->any.sa_family == AF_INET) {
		*ret = (struct ela_addr){.family = ELA_ADDR_IP4, .port = ntohs(sockaddr->in4.sin_port)};
		memcpy(ret->ip, &sockaddr->in4.sin_addr, 4);
		return true;
	}
	if (sockaddr->any.sa_family == AF_INET6) {
		*ret = (struct ela_addr){.family = ELA_ADDR_IP6, .port = ntohs(sockaddr->in6.sin6_port)};
		memcpy(ret->ip, &sockaddr->in6.sin6_addr, 16);
		if (ela_ip6_is_link_local(ret->ip))
			ret->scope = sockaddr->in6.sin6_scope_id;
		return true;
	}
	return false;
}

const char *ela_ip_text(const struct ela_addr *addr, char ret[ELA_IP_TEXT])
{
	char ip[INET6_ADDRSTRLEN];

	if (addr->family == ELA_ADDR_IP4 && inet_ntop(AF_INET, addr->ip, ip, sizeof ip))
		(void)snprintf(ret, ELA_IP_TEXT, "%s:%u", ip, addr->port); /* fits */
	else if (addr->family == ELA_ADDR_IP6 && inet_ntop(AF_INET6, addr->ip, ip, sizeof ip))
		(void)snprintf(ret, ELA_IP_TEXT, "[%s]:%u", ip, addr->port); /* fits */
	else
		(void)snprintf(ret, ELA_IP_TEXT, "unknown"); /* fits */
	return ret;
}

static int parse(const char *text, uint16_t port, struct ela_addr *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct ela_addr addr = {.port = port};

	if (inet_pton(AF_INET, text, addr.ip) == 1) {
		addr.family = ELA_ADDR_IP4;
	} else if (inet_pton(AF_INET6, text, addr.ip) == 1) {
		/* An IPv4-mapped one would make an IPv6 socket speak IPv4, and struct ela_addr knows no such address. */
		if (memcmp(addr.ip, mapped, sizeof mapped) == 0)
			return -EINVAL;
		addr.family = ELA_ADDR_IP6;
	} else {
		return -EINVAL;
	}
	*ret = addr;
	return 0;
}

static bool covers(const struct ela_addr *a, const struct ela_addr *b)
{
	return a->family == b->family && (ela_ip_is_any(a) || memcmp(a->ip, b->ip, sizeof a->ip) == 0);
}

/* Takes out what another entry covers: binding both would fail as "already in use", by ourselves. */
static void remove_covered(const struct ela_host *host, const char *section, struct ela_ip_listen *listen)
{
	char text[2][ELA_IP_TEXT];

	for (uint32_t i = 0; i < listen->n; i++)
		for (uint32_t k = 0; k < listen->n;) {
			if (i == k || !covers(&listen->addrs[i], &listen->addrs[k])) {
				k++;
				continue;
			}
			ela_log(host, ELA_LOG_WARN, "[%s] listen: %s is covered by %s and left out", section,
				ela_ip_text(&listen->addrs[k], text[0]), ela_ip_text(&listen->addrs[i], text[1]));
			memmove(&listen->addrs[k], &listen->addrs[k + 1], (--listen->n - k) * sizeof *listen->addrs);
			i -= k < i;
		}
}

static void read_default(struct ela_ip_listen *listen)
{
	listen->is_default = true;
	listen->n = 2;
	listen->addrs[0] = (struct ela_addr){.family = ELA_ADDR_IP4, .port = listen->port};
	listen->addrs[1] = (struct ela_addr){.family = ELA_ADDR_IP6, .port = listen->port};
}

int ela_ip_listen_read(const struct ela_host *host, const char *section, struct ela_ip_listen *ret)
{
	struct ela_ip_listen listen = {0};
	struct ela_value value;
	int err;

	err = host->option(host, "port", 0, &value);
	if (err)
		return err;
	listen.port = (uint16_t)value.num;
	while (host->option(host, "listen", listen.n, &value) == 0) {
		if (listen.n == ELA_IP_MAX_LISTEN) {
			ela_log(host, ELA_LOG_ERROR, "[%s] listen: more than %u addresses; use 0.0.0.0 or ::", section,
				ELA_IP_MAX_LISTEN);
			return -EINVAL;
		}
		if (parse(value.str, listen.port, &listen.addrs[listen.n]) < 0) {
			ela_log(host, ELA_LOG_ERROR,
				"[%s] listen: \"%s\" is no address; expected IPv4 as 192.0.2.1 or IPv6 as 2001:db8::1", section,
				value.str);
			return -EINVAL;
		}
		listen.n++;
	}
	if (listen.n == 0)
		read_default(&listen);
	remove_covered(host, section, &listen);
	*ret = listen;
	return 0;
}

bool ela_ip_listen_optional(const struct ela_ip_listen *listen, const struct ela_addr *addr, int err)
{
	return listen->is_default && addr->family == ELA_ADDR_IP6 && (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL);
}

void ela_ip_listen_explain(
	const struct ela_host *host, const char *section, char ss_flag, const struct ela_addr *addr, int err)
{
	char text[ELA_IP_TEXT];

	(void)ela_ip_text(addr, text); /* returns text */
	switch (-err) {
	case EADDRINUSE:
		ela_log(host, ELA_LOG_ERROR,
			"cannot listen on %s: already in use, perhaps by another elad; stop it (ss -ln%cp names it) or set another "
			"port in [%s]",
			text, ss_flag, section);
		break;
	case EACCES:
	case EPERM:
		ela_log(host, ELA_LOG_ERROR,
			"cannot listen on %s: not permitted; set a port above 1023 in [%s] or give elad CAP_NET_BIND_SERVICE", text,
			section);
		break;
	case EADDRNOTAVAIL:
		ela_log(host, ELA_LOG_ERROR, "cannot listen on %s: this machine has no such address; correct listen in [%s]",
			text, section);
		break;
	case EAFNOSUPPORT:
		ela_log(host, ELA_LOG_ERROR,
			"cannot listen on %s: this machine's kernel has no IPv%u; take the address out of listen in [%s]", text,
			addr->family, section);
		break;
	default:
		ela_log(
			host, ELA_LOG_ERROR, "cannot listen on %s: %s; see listen and port in [%s]", text, strerror(-err), section);
	}
}
