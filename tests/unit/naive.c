/* SPDX-License-Identifier: Apache-2.0 */
/* naive: packets from scratch, for the data path's tests. One thread. */
#include "naive.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *seed_name = "no seed";
static uint64_t seed_value;

struct naive_rng naive_seed(const char *name)
{
	const char *given = getenv("ELA_TEST_SEED");
	struct timespec now;
	if (given) {
		seed_value = strtoull(given, NULL, 0);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now); /* any seed is a good one */
		seed_value = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	}
	seed_name = name;
	return (struct naive_rng){.state = seed_value};
}

/* splitmix64 */
uint64_t naive_next(struct naive_rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t naive_below(struct naive_rng *rng, uint32_t n)
{
	return (uint32_t)(((naive_next(rng) >> 32) * n) >> 32);
}

bool naive_one_in(struct naive_rng *rng, uint32_t n)
{
	return naive_below(rng, n) == 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

uint64_t naive_scaled(uint64_t n)
{
	const char *scale = getenv("ELA_TEST_SCALE");
	uint64_t divisor = SANITIZED ? 20 : 1;
	if (scale && strtoull(scale, NULL, 0) > 0)
		divisor = strtoull(scale, NULL, 0);
	return n / divisor;
}

void naive_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "FAILED: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n%s: ELA_TEST_SEED=%llu\n", seed_name, (unsigned long long)seed_value);
	va_end(args);
	fflush(NULL);
	abort();
}

uint32_t naive_get16(const uint8_t *at)
{
	return at[0] * 256u + at[1];
}

uint32_t naive_get32(const uint8_t *at)
{
	return naive_get16(at) * 65536u + naive_get16(at + 2);
}

void naive_put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v / 256u);
	at[1] = (uint8_t)(v % 256u);
}

void naive_put32(uint8_t *at, uint32_t v)
{
	naive_put16(at, v / 65536u);
	naive_put16(at + 2, v % 65536u);
}

uint32_t naive_sum(const uint8_t *bytes, uint32_t len, uint32_t start)
{
	uint64_t sum = start;
	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += naive_get16(bytes + i);
	if (len % 2)
		sum += bytes[len - 1] * 256u;
	while (sum > 65535)
		sum = sum / 65536 + sum % 65536;
	return (uint32_t)sum;
}

uint32_t naive_pseudo(const uint8_t *ip, uint8_t proto, uint32_t l4_len)
{
	uint8_t header[40];
	if (ip[0] / 16 == 4) {
		memcpy(header, ip + 12, 8);
		header[8] = 0;
		header[9] = proto;
		naive_put16(header + 10, l4_len);
		return naive_sum(header, 12, 0);
	}
	memcpy(header, ip + 8, 32);
	naive_put32(header + 32, l4_len);
	naive_put32(header + 36, proto);
	return naive_sum(header, 40, 0);
}

uint32_t naive_l4(const uint8_t *ip)
{
	return ip[0] / 16 == 4 ? (ip[0] % 16) * 4u : 40u;
}

static uint8_t proto_of(const uint8_t *ip)
{
	return ip[0] / 16 == 4 ? ip[9] : ip[6];
}

bool naive_ip_sum_good(const uint8_t *ip)
{
	return ip[0] / 16 != 4 || naive_sum(ip, naive_l4(ip), 0) == 0xffff;
}

bool naive_l4_sum_good(const uint8_t *ip, uint32_t len)
{
	uint32_t l4 = naive_l4(ip);
	return naive_sum(ip + l4, len - l4, naive_pseudo(ip, proto_of(ip), len - l4)) == 0xffff;
}

void naive_fix_l4(uint8_t *ip, uint32_t len)
{
	uint32_t l4 = naive_l4(ip);
	uint8_t proto = proto_of(ip), *field = ip + l4 + (proto == 6 ? 16 : 6);
	naive_put16(field, 0);
	uint32_t csum = 0xffff - naive_sum(ip + l4, len - l4, naive_pseudo(ip, proto, len - l4));
	naive_put16(field, csum == 0 && proto == 17 ? 0xffff : csum);
}

struct naive_packet naive_random_packet(struct naive_rng *rng)
{
	struct naive_packet p = {
		.version = naive_one_in(rng, 2) ? 4 : 6,
		.proto = naive_one_in(rng, 3) ? 17 : 6,
		.tos = naive_one_in(rng, 3) ? (uint8_t)naive_next(rng) : 0,
		.ttl = (uint8_t)(1 + naive_below(rng, 255)),
		.flow = naive_below(rng, 1u << 20),
		.id = (uint16_t)naive_next(rng),
		.fragment = naive_one_in(rng, 3) ? 0 : 0x4000,
		.source_port = (uint16_t)naive_next(rng),
		.destination_port = (uint16_t)naive_next(rng),
		.seq = (uint32_t)naive_next(rng),
		.ack = (uint32_t)naive_next(rng),
		.reserved = naive_one_in(rng, 5) ? (uint8_t)naive_below(rng, 16) : 0,
		.flags = NAIVE_ACK,
		.window = (uint16_t)naive_next(rng),
		.urgent = naive_one_in(rng, 10) ? (uint16_t)naive_next(rng) : 0,
		.ip_options_len = 0,
		.tcp_options_len = (uint8_t)(naive_one_in(rng, 2) ? 12 : 4 * naive_below(rng, 11)),
	};
	for (uint32_t i = 0; i < 40; i++) {
		p.ip_options[i] = (uint8_t)naive_next(rng);
		p.tcp_options[i] = (uint8_t)naive_next(rng);
	}
	for (uint32_t i = 0; i < (p.version == 4 ? 4 : 16); i++) {
		p.source[i] = (uint8_t)naive_next(rng);
		p.destination[i] = (uint8_t)naive_next(rng);
	}
	return p;
}

static uint32_t build_ip(uint8_t *out, const struct naive_packet *p, uint32_t l4_len)
{
	if (p->version == 4) {
		uint32_t header = 20u + p->ip_options_len;
		memset(out, 0, header);
		out[0] = (uint8_t)(4 * 16 + header / 4);
		out[1] = p->tos;
		naive_put16(out + 2, header + l4_len);
		naive_put16(out + 4, p->id);
		naive_put16(out + 6, p->fragment);
		out[8] = p->ttl;
		out[9] = p->proto;
		memcpy(out + 12, p->source, 4);
		memcpy(out + 16, p->destination, 4);
		memcpy(out + 20, p->ip_options, p->ip_options_len);
		naive_put16(out + 10, 0xffff - naive_sum(out, header, 0));
		return header;
	}
	naive_put32(out, 6u << 28 | (uint32_t)p->tos << 20 | p->flow);
	naive_put16(out + 4, l4_len);
	out[6] = p->proto;
	out[7] = p->ttl;
	memcpy(out + 8, p->source, 16);
	memcpy(out + 24, p->destination, 16);
	return 40;
}

uint32_t naive_build(uint8_t *out, const struct naive_packet *p)
{
	uint32_t header = p->proto == 6 ? 20u + p->tcp_options_len : 8u;
	uint32_t at = build_ip(out, p, header + p->payload_len), len = at + header + p->payload_len;
	uint8_t *l4 = out + at;
	memset(l4, 0, header);
	naive_put16(l4, p->source_port);
	naive_put16(l4 + 2, p->destination_port);
	if (p->proto == 6) {
		naive_put32(l4 + 4, p->seq);
		naive_put32(l4 + 8, p->ack);
		l4[12] = (uint8_t)(header / 4 * 16 + p->reserved);
		l4[13] = p->flags;
		naive_put16(l4 + 14, p->window);
		naive_put16(l4 + 18, p->urgent);
		memcpy(l4 + 20, p->tcp_options, p->tcp_options_len);
	} else {
		naive_put16(l4 + 4, header + p->payload_len);
	}
	if (p->payload_len)
		memcpy(l4 + header, p->payload, p->payload_len);
	if (!p->no_csum || p->proto == 6)
		naive_fix_l4(out, len);
	return len;
}

static bool parse_ip(const uint8_t *data, uint32_t len, struct naive_packet *p)
{
	if (len < 20)
		return false;
	p->version = data[0] / 16;
	if (p->version == 6 && len >= 40) {
		uint32_t word = naive_get32(data);
		p->tos = (uint8_t)(word >> 20);
		p->flow = word & 0xfffff;
		p->proto = data[6];
		p->ttl = data[7];
		memcpy(p->source, data + 8, 16);
		memcpy(p->destination, data + 24, 16);
		return true;
	}
	uint32_t header = (data[0] % 16) * 4u;
	if (p->version != 4 || header < 20 || header > len)
		return false;
	p->tos = data[1];
	p->id = (uint16_t)naive_get16(data + 4);
	p->fragment = (uint16_t)naive_get16(data + 6);
	p->ttl = data[8];
	p->proto = data[9];
	memcpy(p->source, data + 12, 4);
	memcpy(p->destination, data + 16, 4);
	p->ip_options_len = (uint8_t)(header - 20);
	memcpy(p->ip_options, data + 20, p->ip_options_len);
	return p->fragment % 0x4000 == 0;
}

bool naive_parse(const uint8_t *data, uint32_t len, struct naive_packet *ret)
{
	struct naive_packet p = {0};
	if (!parse_ip(data, len, &p) || (p.proto != 6 && p.proto != 17))
		return false;
	const uint8_t *l4 = data + naive_l4(data);
	uint32_t left = len - naive_l4(data), header = 8;
	if (left < (p.proto == 6 ? 20u : 8u))
		return false;
	p.source_port = (uint16_t)naive_get16(l4);
	p.destination_port = (uint16_t)naive_get16(l4 + 2);
	if (p.proto == 6) {
		header = l4[12] / 16 * 4u;
		if (header < 20 || header > left)
			return false;
		p.seq = naive_get32(l4 + 4);
		p.ack = naive_get32(l4 + 8);
		p.reserved = l4[12] % 16;
		p.flags = l4[13];
		p.window = (uint16_t)naive_get16(l4 + 14);
		p.urgent = (uint16_t)naive_get16(l4 + 18);
		p.tcp_options_len = (uint8_t)(header - 20);
		memcpy(p.tcp_options, l4 + 20, p.tcp_options_len);
	} else {
		p.no_csum = naive_get16(l4 + 6) == 0;
	}
	p.payload = l4 + header;
	p.payload_len = left - header;
	*ret = p;
	return true;
}

uint32_t naive_cut(const uint8_t *data, uint32_t len, uint32_t gso_size, naive_take *take, void *user)
{
	static uint8_t out[65536 + 128];
	struct naive_packet whole;
	if (gso_size == 0 || !naive_parse(data, len, &whole))
		naive_fail("cannot cut this: %u bytes, gso size %u", len, gso_size);
	uint32_t n = 0, at = 0;
	do {
		struct naive_packet p = whole;
		uint32_t left = whole.payload_len - at;
		bool last = left <= gso_size;
		p.payload = whole.payload + at;
		p.payload_len = last ? left : gso_size;
		p.seq = whole.seq + at;
		p.id = (uint16_t)(whole.id + n);
		p.no_csum = false;
		if (n > 0)
			p.flags &= (uint8_t)~NAIVE_CWR;
		if (!last)
			p.flags &= (uint8_t) ~(NAIVE_FIN | NAIVE_PSH);
		uint32_t size = naive_build(out, &p);
		if (take)
			take(user, out, size);
		at += p.payload_len;
		n++;
	} while (at < whole.payload_len);
	return n;
}
