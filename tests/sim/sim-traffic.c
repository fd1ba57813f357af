/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim-traffic: makes the packets that go into devices and checks those that come out, byte by byte, against what was
 * sent: UDP packets with numbers, TCP flows whose every byte follows from its place. One thread.
 */
#include "sim-wire.h"

#include "checksum.h"
#include "headers.h"

#include <arpa/inet.h>
#include <stdio.h>

#define NUMBER_AT (SIM_HEAD + 16u)
#define TCP_HEAD 40u
#define TCP_MARK_EVERY 512u

struct flow {
	struct sim *s;
	uint32_t from, to;
	uint64_t interval_ns, until_ns;
	struct ela_timer *timer;
};

static void free_flow(void *data)
{
	struct flow *f = data;

	f->s->loop->ops->timer_free(f->timer);
	g_free(f);
}

void sim_traffic_init(struct sim *s)
{
	s->flows = g_ptr_array_new_with_free_func(free_flow);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k <= SIM_MAX_NODES; k++) {
			s->pairs[i][k].packets = g_array_new(FALSE, TRUE, sizeof(struct sim_packet));
			s->pairs[i][k].bytes = g_byte_array_new();
		}
}

void sim_traffic_free(struct sim *s)
{
	g_ptr_array_unref(s->flows);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k <= SIM_MAX_NODES; k++) {
			(void)g_array_free(s->pairs[i][k].packets, TRUE); /* returns NULL then */
			(void)g_byte_array_free(s->pairs[i][k].bytes, TRUE);
		}
}

/* ---- what packets look like ---- */

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Byte of the TCP flow between two nodes at a place. */
static uint8_t stream_byte(const struct sim *s, uint32_t from, uint32_t to, uint64_t at)
{
	if (at % TCP_MARK_EVERY < SIM_MARKER_LEN)
		return (uint8_t)SIM_MARKER[at % TCP_MARK_EVERY];
	return (uint8_t)(mix(s->seed + (uint64_t)from * 1000003u + to * 7919u + (at >> 3)) >> (at & 7) * 8);
}

static void put_ip(
	const struct sim *s, uint8_t *p, uint32_t from, uint32_t to, uint32_t len, uint8_t proto, uint16_t id)
{
	const uint8_t head[12] = {
		0x45, 0, (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)(id >> 8), (uint8_t)id, 0x40, 0, 64, proto};

	memcpy(p, head, sizeof head);
	memcpy(p + 12, (const uint8_t[]){10, 88, 0, (uint8_t)sim_host(s, from)}, 4);
	memcpy(p + 16, (const uint8_t[]){10, 88, 0, (uint8_t)(to == SIM_MAX_NODES ? 255 : sim_host(s, to))}, 4);
	ela_csum_ip4(p, 20);
}

/* The UDP checksum field holds the pseudo-header sum after this. */
static void put_partial(uint8_t *p, uint32_t len, uint8_t proto, uint32_t at)
{
	uint16_t pseudo = ela_csum_pseudo(p, proto, len - 20);

	memcpy(p + at, &pseudo, 2);
}

/* Packet number k from one node to another, len bytes; its checksum is partial. */
static void make_udp(const struct sim *s, uint8_t *p, uint32_t from, uint32_t to, uint32_t k, uint32_t len)
{
	const uint16_t head[3] = {
		htons((uint16_t)(4000 + from)), htons((uint16_t)(4100 + to)), htons((uint16_t)(len - 20))};
	uint64_t fill = mix(s->seed ^ (uint64_t)from << 48 ^ (uint64_t)to << 40 ^ k);

	put_ip(s, p, from, to, len, 17, (uint16_t)k);
	memcpy(p + 20, head, sizeof head);
	memcpy(p + SIM_HEAD, SIM_MARKER, SIM_MARKER_LEN);
	p[SIM_HEAD + 13] = (uint8_t)from;
	p[SIM_HEAD + 14] = (uint8_t)to;
	p[SIM_HEAD + 15] = 0;
	ela_put32(p + NUMBER_AT, k);
	for (uint32_t i = NUMBER_AT + 4; i < len; i++) {
		if ((i & 7) == 0)
			fill = mix(fill + 1);
		p[i] = (uint8_t)(fill >> (i & 7) * 8);
	}
	put_partial(p, len, 17, 26);
}

/* ---- into devices ---- */

static void put(struct sim *s, uint32_t from, struct ela_packet *pkt, uint32_t l4_csum_offset)
{
	struct sim_node *n = &s->nodes[from];
	bool elide = n->spec.caps && strcmp(n->spec.caps, "none") != 0 && (pkt->gso_type || sim_random(s, 2));
	int err;

	if (elide) {
		pkt->flags = ELA_PACKET_NEEDS_CSUM;
		pkt->csum_start = 20;
		pkt->csum_offset = (uint16_t)l4_csum_offset;
	} else {
		ela_csum_finish(pkt->data, pkt->len, 20, l4_csum_offset, l4_csum_offset == 6);
	}
	err = ela_mem_device_put(n->device, (uint32_t)sim_random(s, MAX(n->spec.lanes, 1)), pkt);
	sim_check(s, err == 0, "device_put: %s", g_strerror(-err));
	n->turn = true;
}

static uint32_t new_packet(struct sim *s, uint32_t from, uint32_t to, uint32_t len)
{
	struct sim_pair *pair = &s->pairs[from][MIN(to, SIM_MAX_NODES)];
	const struct sim_packet p = {.sent_ns = sim_now(s), .len = len};

	sim_check(s, to <= SIM_MAX_NODES && pair->packets, "no such node");
	g_array_append_val(pair->packets, p);
	pair->sent++;
	return pair->packets->len - 1;
}

void sim_send(struct sim *s, uint32_t from, uint32_t to, uint32_t len)
{
	uint8_t bytes[65536];
	struct ela_packet pkt = {.data = bytes, .len = len};

	make_udp(s, bytes, from, to, new_packet(s, from, to, len), len);
	put(s, from, &pkt, 6);
}

void sim_send_as(struct sim *s, uint32_t from, uint32_t to, uint32_t as)
{
	uint8_t bytes[SIM_MIN];
	struct ela_packet pkt = {.data = bytes, .len = sizeof bytes};

	make_udp(s, bytes, as, to, UINT32_MAX, sizeof bytes); /* a number that was never sent */
	put(s, from, &pkt, 6);
}

void sim_send_tcp(struct sim *s, uint32_t from, uint32_t to, uint32_t len, uint32_t gso_size)
{
	GByteArray *all = s->pairs[from][to].bytes;
	uint8_t bytes[65536] = {0};
	uint32_t at = all->len;
	struct ela_packet pkt = {.data = bytes, .len = TCP_HEAD + len};
	const uint16_t ports[2] = {htons((uint16_t)(5000 + from)), htons((uint16_t)(5100 + to))};

	put_ip(s, bytes, from, to, TCP_HEAD + len, 6, (uint16_t)at);
	memcpy(bytes + 20, ports, sizeof ports);
	ela_put32(bytes + 24, at);
	ela_put32(bytes + 28, 1);
	bytes[32] = 5 << 4;
	bytes[33] = 0x10; /* ACK */
	ela_put16(bytes + 34, 65535);
	for (uint32_t i = 0; i < len; i++)
		bytes[TCP_HEAD + i] = stream_byte(s, from, to, (uint64_t)at + i);
	put_partial(bytes, TCP_HEAD + len, 6, 36);
	g_byte_array_set_size(all, at + len);
	memset(all->data + at, 0, len);
	if (len > gso_size) {
		pkt.gso_size = (uint16_t)gso_size;
		pkt.gso_type = ELA_GSO_TCP4;
	}
	put(s, from, &pkt, 16);
}

void sim_send_udp(struct sim *s, uint32_t from, uint32_t to, uint32_t n, uint32_t len)
{
	uint8_t bytes[65536], one[2048];
	uint32_t payload = len - SIM_HEAD, total = SIM_HEAD + n * payload;
	struct ela_packet pkt = {.data = bytes, .len = total, .gso_type = ELA_GSO_UDP4, .gso_size = (uint16_t)payload};

	for (uint32_t i = 0; i < n; i++) {
		make_udp(s, one, from, to, new_packet(s, from, to, len), len);
		memcpy(bytes + SIM_HEAD + i * payload, one + SIM_HEAD, payload);
		if (i == 0)
			memcpy(bytes, one, SIM_HEAD);
	}
	ela_put16(bytes + 2, (uint16_t)total);
	ela_csum_ip4(bytes, 20);
	ela_put16(bytes + 24, (uint16_t)(total - 20));
	put_partial(bytes, total, 17, 26);
	put(s, from, &pkt, 6);
}

/* ---- flows ---- */

static void arm(struct flow *f)
{
	uint64_t now = sim_now(f->s);
	uint64_t at = now + 1 + sim_random(f->s, 2 * f->interval_ns);

	f->s->loop->ops->timer_set(f->timer, at <= f->until_ns ? at : 0);
}

static void on_flow(void *data)
{
	struct flow *f = data;
	uint64_t span = SIM_MTU - SIM_MIN + 1;
	/* Half of them small, as in life. */
	uint32_t len = SIM_MIN + (uint32_t)sim_random(f->s, sim_random(f->s, 2) ? span : 64);

	if (f->s->nodes[f->from].node)
		sim_send(f->s, f->from, f->to, len);
	arm(f);
}

void sim_flow(struct sim *s, uint32_t from, uint32_t to, uint64_t interval_ns, uint64_t for_ns)
{
	struct flow *f = g_new0(struct flow, 1);

	f->s = s;
	f->from = from;
	f->to = to;
	f->interval_ns = interval_ns;
	f->until_ns = sim_now(s) + for_ns;
	f->timer = s->loop->ops->timer_new(s->loop, on_flow, f);
	g_ptr_array_add(s->flows, f);
	arm(f);
}

/* ---- out of devices ---- */

static void mark(struct sim *s, uint32_t at, uint32_t from, uint32_t to, uint32_t k)
{
	struct sim_pair *pair = &s->pairs[from][to];
	struct sim_packet *p = &g_array_index(pair->packets, struct sim_packet, k);
	uint64_t now = sim_now(s);

	sim_check(s, !(p->got_by >> at & 1), "packet %u from %u came twice", k, from);
	p->got_by |= UINT64_C(1) << at;
	p->got_ns = now;
	pair->got++;
	pair->late_ns = MAX(pair->late_ns, now - p->sent_ns);
	pair->last_ns = now;
	if (!pair->first_ns)
		pair->first_ns = now;
}

/* One datagram that came out of node at's device, with a whole checksum. */
static void take_udp(struct sim *s, uint32_t at, const uint8_t *p, uint32_t len, bool of_super)
{
	uint32_t from = p[SIM_HEAD + 13], to = p[SIM_HEAD + 14], k = ela_get32(p + NUMBER_AT);
	uint8_t want[65536];

	sim_check(s, from < s->n && (to == at || to == SIM_MAX_NODES), "a packet from %u to %u came to %u", from, to, at);
	sim_check(s, k < s->pairs[from][to].packets->len, "a packet that nobody sent came");
	sim_equal(s, len, g_array_index(s->pairs[from][to].packets, struct sim_packet, k).len);
	make_udp(s, want, from, to, k, len);
	ela_csum_finish(want, len, 20, 6, true);
	if (of_super) { /* the kernel numbers the pieces */
		memcpy(want + 4, p + 4, 2);
		ela_csum_ip4(want, 20);
	}
	sim_check(s, memcmp(want, p, len) == 0, "packet %u from %u was altered", k, from);
	s->nodes[at].longest = MAX(s->nodes[at].longest, len);
	mark(s, at, from, to, k);
}

/* Cuts what the device was given as one, the way a kernel does. */
static void take_udp_super(struct sim *s, uint32_t at, const struct ela_packet *pkt)
{
	uint8_t one[65536];

	for (uint32_t from = SIM_HEAD; from < pkt->len; from += pkt->gso_size) {
		uint32_t len = MIN(pkt->gso_size, pkt->len - from);

		memcpy(one, pkt->data, SIM_HEAD);
		memcpy(one + SIM_HEAD, pkt->data + from, len);
		ela_put16(one + 2, (uint16_t)(SIM_HEAD + len));
		ela_csum_ip4(one, 20);
		ela_put16(one + 24, (uint16_t)(8 + len));
		put_partial(one, SIM_HEAD + len, 17, 26);
		ela_csum_finish(one, SIM_HEAD + len, 20, 6, true);
		take_udp(s, at, one, SIM_HEAD + len, true);
	}
}

static void take_tcp(struct sim *s, uint32_t at, const struct ela_packet *pkt)
{
	const uint8_t *p = pkt->data;
	uint32_t from = ela_get16(p + 20) - 5000u, to = ela_get16(p + 22) - 5100u, seq = ela_get32(p + 24);
	uint32_t len = pkt->len - TCP_HEAD;
	struct sim_pair *pair;

	sim_check(s, from < s->n && to == at, "a segment from %u to %u came to %u", from, to, at);
	sim_equal(s, p[15], sim_host(s, from));
	pair = &s->pairs[from][to];
	sim_check(s, (uint64_t)seq + len <= pair->bytes->len, "a segment that nobody sent came");
	for (uint32_t i = 0; i < len; i++) {
		sim_check(
			s, p[TCP_HEAD + i] == stream_byte(s, from, to, (uint64_t)seq + i), "the flow was altered at %u", seq + i);
		sim_check(s, pair->bytes->data[seq + i]++ == 0, "byte %u of the flow came twice", seq + i);
	}
	pair->stream_got += len;
	if (pkt->gso_type == ELA_GSO_NONE)
		s->nodes[at].longest = MAX(s->nodes[at].longest, pkt->len);
}

/* The node's own answers to its host. */
static void take_icmp(struct sim *s, uint32_t at, const struct ela_packet *pkt)
{
	struct sim_node *n = &s->nodes[at];
	const uint8_t *p = pkt->data;

	sim_check(s, pkt->len >= 56 && p[20] == 3, "an ICMP message that nobody asked for");
	sim_equal(s, p[19], sim_host(s, at));
	sim_check(s, p[28] == 0x45 && p[28 + 15] == sim_host(s, at), "it quotes what this node did not send");
	if (p[21] == 4) {
		n->too_big++;
		n->icmp_mtu = ela_get16(p + 26);
	} else {
		sim_equal(s, p[21], 1);
		n->unreachable++;
	}
}

static void finish_checksum(struct sim *s, struct ela_packet *pkt)
{
	uint32_t offset = pkt->data[9] == 6 ? 16 : 6;
	uint16_t pseudo = ela_csum_pseudo(pkt->data, pkt->data[9], pkt->len - 20);

	if (pkt->flags & ELA_PACKET_NEEDS_CSUM) {
		sim_equal(s, pkt->csum_start, 20);
		sim_equal(s, pkt->csum_offset, offset);
		sim_check(s, memcmp(pkt->data + 20 + offset, &pseudo, 2) == 0, "not the pseudo-header's sum");
		if (pkt->gso_type == ELA_GSO_NONE)
			ela_csum_finish(pkt->data, pkt->len, 20, offset, offset == 6);
	}
	if (pkt->gso_type == ELA_GSO_NONE && pkt->data[9] != 1)
		sim_check(s, ela_csum_fold(ela_csum_add(pkt->data + 20, pkt->len - 20, pseudo)) == 0xffff, "wrong checksum");
}

static void take_packet(struct sim *s, uint32_t at, struct ela_packet *pkt)
{
	sim_check(s, pkt->len > 20 && pkt->data[0] == 0x45 && ela_get16(pkt->data + 2) == pkt->len, "a broken packet came");
	sim_check(s, ela_csum_fold(ela_csum_add(pkt->data, 20, 0)) == 0xffff, "wrong IP checksum");
	finish_checksum(s, pkt);
	if (pkt->gso_type != ELA_GSO_NONE)
		s->nodes[at].written_super++;
	if (pkt->data[9] == 1)
		take_icmp(s, at, pkt);
	else if (pkt->data[9] == 6)
		take_tcp(s, at, pkt);
	else if (pkt->gso_type != ELA_GSO_NONE)
		take_udp_super(s, at, pkt);
	else
		take_udp(s, at, pkt->data, pkt->len, false);
}

bool sim_collect(struct sim *s)
{
	bool did = false;

	for (uint32_t i = 0; i < s->n; i++) {
		struct ela_packet pkt;

		while (ela_mem_device_take(s->nodes[i].device, s->buf, sizeof s->buf, &pkt) > 0) {
			take_packet(s, i, &pkt);
			did = true;
		}
	}
	return did;
}

/* ---- looking ---- */

uint64_t sim_lost(struct sim *s, uint32_t from, uint32_t to, uint64_t from_ns, uint64_t to_ns)
{
	const GArray *packets = s->pairs[from][to].packets;
	uint64_t lost = 0;

	for (guint k = 0; k < packets->len; k++) {
		const struct sim_packet *p = &g_array_index(packets, struct sim_packet, k);

		lost += p->sent_ns >= from_ns && p->sent_ns < to_ns && !p->got_by;
	}
	return lost;
}

void sim_all_there(struct sim *s, uint32_t from, uint32_t to)
{
	const GArray *packets = s->pairs[from][to].packets;

	for (guint k = 0; k < packets->len; k++) {
		const struct sim_packet *p = &g_array_index(packets, struct sim_packet, k);

		sim_check(s, p->got_by, "packet %u of %u from %u to %u, sent at %.6f s, did not come", k, packets->len, from,
			to, (double)p->sent_ns / 1e9);
	}
}
