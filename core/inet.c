/* SPDX-License-Identifier: Apache-2.0 */
/* inet: IP addresses, prefixes and endpoints as text and back. Pure functions; any thread. */
#include "inet.h"
#include "value.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST_NAME_MAX_LEN 253u /* RFC 1035, 2.3.4 */
#define LABEL_MAX_LEN 63u

static uint32_t family_bits(const struct ela_addr *addr)
{
	return addr->family == ELA_ADDR_IP4 ? 32 : 128;
}

int ela_inet_addr(const char *text, struct ela_addr *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct ela_addr addr = {.family = ELA_ADDR_IP4};

	if (inet_pton(AF_INET, text, addr.ip) == 1) {
		*ret = addr;
		return 0;
	}
	addr.family = ELA_ADDR_IP6;
	if (inet_pton(AF_INET6, text, addr.ip) != 1 || memcmp(addr.ip, mapped, sizeof mapped) == 0)
		return -EINVAL;
	*ret = addr;
	return 0;
}

void ela_inet_addr_text(const struct ela_addr *addr, char out[ELA_INET_TEXT])
{
	if (inet_ntop(addr->family == ELA_ADDR_IP4 ? AF_INET : AF_INET6, addr->ip, out, ELA_INET_TEXT) == NULL)
		out[0] = '\0'; /* cannot be: both families are known and the room suffices */
}

int ela_inet_prefix(const char *text, struct ela_prefix *ret)
{
	const char *slash = strchr(text, '/');
	g_autofree char *host = slash != NULL ? g_strndup(text, (gsize)(slash - text)) : g_strdup(text);
	struct ela_prefix prefix = {0};
	int64_t bits;

	if (ela_inet_addr(host, &prefix.addr) != 0)
		return -EINVAL;
	bits = family_bits(&prefix.addr);
	if (slash != NULL && (ela_value_int(slash + 1, &bits) != 0 || bits < 0 || bits > family_bits(&prefix.addr)))
		return -EINVAL;
	prefix.bits = (uint32_t)bits;
	*ret = prefix;
	return 0;
}

void ela_inet_prefix_text(const struct ela_prefix *prefix, char out[ELA_INET_TEXT])
{
	size_t len;

	ela_inet_addr_text(&prefix->addr, out);
	len = strlen(out);
	(void)snprintf(out + len, ELA_INET_TEXT - len, "/%u", prefix->bits); /* at most 45 + 4 bytes */
}

/* The bits of byte i that belong to the host. */
static uint8_t host_mask(const struct ela_prefix *prefix, uint32_t i)
{
	if (prefix->bits >= 8 * (i + 1))
		return 0;
	return prefix->bits <= 8 * i ? 0xff : (uint8_t)(0xff >> (prefix->bits - 8 * i));
}

void ela_inet_prefix_mask(struct ela_prefix *prefix)
{
	for (uint32_t i = 0; i < family_bits(&prefix->addr) / 8; i++)
		prefix->addr.ip[i] &= (uint8_t)~host_mask(prefix, i);
}

void ela_inet_prefix_fill(struct ela_prefix *prefix)
{
	for (uint32_t i = 0; i < family_bits(&prefix->addr) / 8; i++)
		prefix->addr.ip[i] |= host_mask(prefix, i);
}

bool ela_inet_prefix_contains(const struct ela_prefix *prefix, const struct ela_addr *addr)
{
	if (prefix->addr.family != addr->family)
		return false;
	for (uint32_t i = 0; i < family_bits(addr) / 8; i++) {
		if (((prefix->addr.ip[i] ^ addr->ip[i]) & (uint8_t)~host_mask(prefix, i)) != 0)
			return false;
	}
	return true;
}

bool ela_inet_prefix_equal(const struct ela_prefix *a, const struct ela_prefix *b)
{
	return a->bits == b->bits && memcmp(&a->addr, &b->addr, sizeof a->addr) == 0;
}

bool ela_inet_is_unspecified(const struct ela_addr *addr)
{
	static const uint8_t zero[16];

	/* 0.0.0.0/8 is "this network" (RFC 791): never a destination */
	return addr->family == ELA_ADDR_IP4 ? addr->ip[0] == 0 : memcmp(addr->ip, zero, sizeof zero) == 0;
}

bool ela_inet_is_private(const struct ela_addr *addr)
{
	static const struct ela_prefix private[] = {
		{{.ip = {10}, .family = ELA_ADDR_IP4}, 8},
		{{.ip = {172, 16}, .family = ELA_ADDR_IP4}, 12},
		{{.ip = {192, 168}, .family = ELA_ADDR_IP4}, 16},
		{{.ip = {100, 64}, .family = ELA_ADDR_IP4}, 10},
		{{.ip = {0xfc}, .family = ELA_ADDR_IP6}, 7},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(private); i++)
		if (ela_inet_prefix_contains(&private[i], addr))
			return true;
	return false;
}

bool ela_inet_is_loopback(const struct ela_addr *addr)
{
	static const uint8_t one[16] = {[15] = 1};

	return addr->family == ELA_ADDR_IP4 ? addr->ip[0] == 127 : memcmp(addr->ip, one, sizeof one) == 0;
}

bool ela_inet_is_link_local(const struct ela_addr *addr)
{
	if (addr->family == ELA_ADDR_IP4)
		return addr->ip[0] == 169 && addr->ip[1] == 254;
	return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

bool ela_inet_is_multicast(const struct ela_addr *addr)
{
	return addr->family == ELA_ADDR_IP4 ? addr->ip[0] >= 224 : addr->ip[0] == 0xff;
}

void ela_inet_overlay6(const uint8_t network_id[32], const struct ela_addr *ip4, struct ela_addr *ret)
{
	struct ela_addr addr = {.family = ELA_ADDR_IP6};

	addr.ip[0] = 0xfd; /* RFC 4193: locally assigned, 40 bits that no other network is likely to have, a subnet */
	memcpy(addr.ip + 1, network_id, 5);
	memcpy(addr.ip + 12, ip4->ip, 4);
	*ret = addr;
}

bool ela_inet_same_network(const struct ela_addr *a, const struct ela_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, a->family == ELA_ADDR_IP4 ? 4 : 8) == 0;
}

/* RFC 1123, 2.1. A last label of digits only is a mistyped IPv4 address, never a name. */
static bool is_host_name(const char *name)
{
	size_t label = 0, digits = 0;

	if (*name == '\0' || strlen(name) > HOST_NAME_MAX_LEN)
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0 || p[-1] == '-')
				return false;
			if (p[1] == '\0')
				break; /* the root's dot */
			label = digits = 0;
			continue;
		}
		if (!g_ascii_isalnum(*p) && (*p != '-' || label == 0))
			return false;
		digits += g_ascii_isdigit(*p) ? 1 : 0;
		if (++label > LABEL_MAX_LEN)
			return false;
		if (p[1] == '\0' && *p == '-')
			return false;
	}
	return label > digits;
}

/* Splits off what stands behind the host: *ret_port is the text behind the colon, NULL when there is none. */
static char *split_endpoint(const char *text, bool *ret_bracket, const char **ret_port)
{
	const char *end;

	*ret_bracket = text[0] == '[';
	*ret_port = NULL;
	if (*ret_bracket) {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return NULL;
		if (end[1] == ':')
			*ret_port = end + 2;
		return g_strndup(text + 1, (gsize)(end - text - 1));
	}
	end = strchr(text, ':');
	if (end == NULL)
		return g_strdup(text);
	*ret_port = end + 1;
	return g_strndup(text, (gsize)(end - text));
}

int ela_inet_endpoint(const char *text, uint16_t default_port, struct ela_endpoint *ret)
{
	bool bracket;
	const char *port_text;
	g_autofree char *host = split_endpoint(text, &bracket, &port_text);
	struct ela_addr addr = {0};
	int64_t port = default_port;

	if (host == NULL)
		return -EINVAL;
	if (port_text != NULL && (ela_value_int(port_text, &port) != 0 || port < 1 || port > 65535))
		return -EINVAL;
	if (ela_inet_addr(host, &addr) != 0) {
		if (bracket || !is_host_name(host))
			return -EINVAL;
	} else {
		if (bracket != (addr.family == ELA_ADDR_IP6))
			return -EINVAL;
		addr.port = (uint16_t)port;
	}
	*ret = (struct ela_endpoint){.host = g_steal_pointer(&host), .port = (uint16_t)port, .addr = addr};
	return 0;
}
