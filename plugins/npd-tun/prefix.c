/* SPDX-License-Identifier: Apache-2.0 */
/* prefix: an address with its prefix length (see prefix.h). Pure functions, any thread. */
#include "prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

uint32_t ela_prefix_ip_bytes(const struct ela_prefix *prefix)
{
	return prefix->family == AF_INET ? 4 : 16;
}

static int parse_length(const char *text, uint32_t max, uint8_t *ret)
{
	unsigned long len;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	len = strtoul(text, &end, 10);
	if (*end || len > max)
		return -EINVAL;
	*ret = (uint8_t)len;
	return 0;
}

int ela_prefix_parse(const char *text, struct ela_prefix *ret)
{
	const char *slash = strchrnul(text, '/');
	struct ela_prefix prefix = {0};
	char ip[INET6_ADDRSTRLEN];

	if ((size_t)(slash - text) >= sizeof ip)
		return -EINVAL;
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	prefix.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(prefix.family, ip, prefix.ip) != 1)
		return -EINVAL;
	prefix.len = (uint8_t)(8 * ela_prefix_ip_bytes(&prefix));
	if (*slash && parse_length(slash + 1, prefix.len, &prefix.len) < 0)
		return -EINVAL;
	*ret = prefix;
	return 0;
}

void ela_prefix_text(const struct ela_prefix *prefix, char ret[ELA_PREFIX_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(prefix->family, prefix->ip, ip, sizeof ip); /* "?" for a family that is neither */
	(void)snprintf(ret, ELA_PREFIX_TEXT, "%s/%u", ip, prefix->len);
}

struct ela_prefix ela_prefix_network(const struct ela_prefix *prefix)
{
	struct ela_prefix net = *prefix;

	for (uint32_t bit = net.len; bit < 8 * ela_prefix_ip_bytes(&net); bit++)
		net.ip[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	return net;
}

bool ela_prefix_broadcast(const struct ela_prefix *prefix, uint8_t ret[4])
{
	uint8_t ip[4];

	if (prefix->family != AF_INET || prefix->len > 30)
		return false;
	memcpy(ip, prefix->ip, sizeof ip);
	for (uint32_t bit = prefix->len; bit < 32; bit++)
		ip[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	memcpy(ret, ip, sizeof ip);
	return true;
}

bool ela_prefix_overlaps(const struct ela_prefix *a, const struct ela_prefix *b)
{
	struct ela_prefix short_a = *a, short_b = *b;

	if (a->family != b->family)
		return false;
	short_a.len = short_b.len = a->len < b->len ? a->len : b->len;
	return ela_prefix_equal_network(&short_a, &short_b);
}

bool ela_prefix_equal_network(const struct ela_prefix *a, const struct ela_prefix *b)
{
	struct ela_prefix net_a = ela_prefix_network(a), net_b = ela_prefix_network(b);

	return net_a.family == net_b.family && net_a.len == net_b.len && !memcmp(net_a.ip, net_b.ip, sizeof net_a.ip);
}
