/* SPDX-License-Identifier: Apache-2.0 */
/* packets: see packets.h. */
#include "packets.h"

#include <string.h>

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

uint16_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t start)
{
	uint64_t sum = start;

	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += get16(bytes + i);
	if (len % 2)
		sum += (uint32_t)bytes[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t packet_pseudo(const uint8_t *ip, uint32_t l4_len)
{
	uint32_t sum = ip[9] + l4_len;

	for (uint32_t i = 12; i < 20; i += 2)
		sum += get16(ip + i);
	return sum;
}

static void put_ip(uint8_t *packet, uint32_t total, uint8_t proto)
{
	memset(packet, 0, 20);
	packet[0] = 0x45;
	put16(packet + 2, total);
	packet[6] = 0x40; /* DF */
	packet[8] = 64;
	packet[9] = proto;
	put16(packet + 12, PACKET_PEER >> 16);
	put16(packet + 14, PACKET_PEER & 0xffff);
	put16(packet + 16, PACKET_DEVICE >> 16);
	put16(packet + 18, PACKET_DEVICE & 0xffff);
	put16(packet + 10, packet_sum(packet, 20, 0));
}

static uint8_t pattern(uint16_t ident, uint16_t seq, uint32_t i)
{
	return (uint8_t)(ident * 31u + seq * 7u + i);
}

void packet_echo(uint8_t *packet, uint32_t total, uint16_t ident, uint16_t seq)
{
	put_ip(packet, total, 1);
	memset(packet + 20, 0, 8);
	packet[20] = 8;
	put16(packet + 24, ident);
	put16(packet + 26, seq);
	for (uint32_t i = 28; i < total; i++)
		packet[i] = pattern(ident, seq, i);
	put16(packet + 22, packet_sum(packet + 20, total - 20, 0));
}

void packet_udp(uint8_t *packet, uint32_t total, uint16_t to_port, bool partial)
{
	uint32_t sum;

	put_ip(packet, total, 17);
	put16(packet + 20, 4000);
	put16(packet + 22, to_port);
	put16(packet + 24, total - 20);
	put16(packet + 26, 0);
	for (uint32_t i = 28; i < total; i++)
		packet[i] = pattern(0, to_port, i);
	sum = packet_pseudo(packet, total - 20);
	if (partial)
		put16(packet + 26, (uint16_t)~packet_sum(packet, 0, sum));
	else
		put16(packet + 26, packet_sum(packet + 20, total - 20, sum));
}

bool packet_is_reply(const uint8_t *packet, uint32_t len, uint16_t *ret_ident, uint16_t *ret_seq)
{
	uint32_t peer = get16(packet + 16) << 16 | get16(packet + 18),
			 device = get16(packet + 12) << 16 | get16(packet + 14);

	if (len < 28 || packet[0] != 0x45 || packet[9] != 1 || packet[20] != 0 || get16(packet + 2) != len)
		return false;
	if (device != PACKET_DEVICE || peer != PACKET_PEER || packet_sum(packet, 20, 0) ||
		packet_sum(packet + 20, len - 20, 0))
		return false;
	*ret_ident = (uint16_t)get16(packet + 24);
	*ret_seq = (uint16_t)get16(packet + 26);
	for (uint32_t i = 28; i < len; i++)
		if (packet[i] != pattern(*ret_ident, *ret_seq, i))
			return false;
	return true;
}
