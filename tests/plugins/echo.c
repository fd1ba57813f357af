/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo: the answer to an echo request, and a UDP datagram sent back. Pure functions. Addresses and ports change places,
 * which leaves every checksum as it was, partial ones too; the changed ICMP type is worked into its checksum.
 */
#include "device.h"

#include <netinet/in.h>
#include <string.h>

static void swap_bytes(uint8_t *a, uint8_t *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint8_t c = a[i];

		a[i] = b[i];
		b[i] = c;
	}
}

/* RFC 1624 for a change of the type byte alone: HC' = ~(~HC + ~m + m'). */
static void retype(uint8_t *icmp, uint8_t type)
{
	uint32_t sum = (uint16_t) ~(icmp[2] << 8 | icmp[3]);

	sum += (uint16_t) ~(icmp[0] << 8);
	sum += (uint32_t)type << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	icmp[0] = type;
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
}

static bool answer(uint8_t *l4, uint32_t len, uint8_t proto)
{
	if (proto == IPPROTO_UDP && len >= 8) {
		swap_bytes(l4, l4 + 2, 2);
		return true;
	}
	if ((proto == IPPROTO_ICMP && len >= 8 && l4[0] == 8) || (proto == IPPROTO_ICMPV6 && len >= 8 && l4[0] == 128)) {
		retype(l4, proto == IPPROTO_ICMP ? 0 : 129);
		return true;
	}
	return false;
}

bool mem_echo(uint8_t *packet, uint32_t len)
{
	if (len >= 20 && packet[0] >> 4 == 4) {
		uint32_t ihl = (packet[0] & 15u) * 4;
		bool is_fragment = ((packet[6] & 0x3f) | packet[7]) != 0;

		if (ihl < 20 || ihl > len || is_fragment || ((uint32_t)packet[2] << 8 | packet[3]) != len ||
			!answer(packet + ihl, len - ihl, packet[9]))
			return false;
		swap_bytes(packet + 12, packet + 16, 4);
		return true;
	}
	if (len >= 40 && packet[0] >> 4 == 6) {
		if (((uint32_t)packet[4] << 8 | packet[5]) != len - 40 || !answer(packet + 40, len - 40, packet[6]))
			return false;
		swap_bytes(packet + 8, packet + 24, 16);
		return true;
	}
	return false;
}
