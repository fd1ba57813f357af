/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coalesce: joins opened packets of one flow into superpackets. Lane thread; one object a lane.
 *
 * At most eight chains are open at a time. A packet that cannot be appended to the chain of its flow closes it, so that
 * nothing of a flow passes another packet of it; a packet whose flow cannot be told closes all. A chain's superpacket
 * stands where its first packet stood. Headers are patched when a chain closes, once, in the bytes of its first packet.
 */
#include "coalesce.h"
#include "checksum.h"
#include "segment.h"
#include <ela/npd.h>
#include <stdlib.h>

#define OPEN_MAX 8u
#define SEGMENTS_MAX 64u
#define TOTAL_MAX 65535u

/* What may be joined towards the device, as bits of co->kinds and view.kind. */
#define KIND_TCP4 1u
#define KIND_TCP6 2u
#define KIND_UDP 4u

/* A packet with its flow told. */
struct view {
	uint64_t key; /* version, protocol and ports; 0 = not TCP or UDP with whole headers */
	uint8_t *ip;
	uint8_t *l4;
	uint32_t len;
	uint32_t hdr_len;
	uint32_t payload;
	uint32_t kind; /* KIND_* when nothing in the headers forbids joining, else 0 */
	bool is_ip6;
	bool is_udp;
	bool partial;
};

struct chain {
	struct view head;
	uint32_t pkt;   /* index of its superpacket */
	uint32_t count; /* segments, the head included */
	uint32_t total; /* bytes */
	uint32_t next_seq;
	uint32_t first, last; /* of its entries in co->tails, when count > 1 */
	uint8_t psh;
	bool verified; /* the head's checksums are good, as far as it has any */
};

struct ela_coalesce {
	uint64_t keys[OPEN_MAX]; /* of open chains, 0 = free slot */
	uint32_t latest;         /* slot used last */
	uint32_t victim;         /* slot to close when all are taken */
	uint32_t kinds;          /* KIND_* that the device takes joined */
	bool device_csum;
	uint32_t max;
	uint32_t n_added;
	uint32_t n_pkts;
	uint32_t n_tails;
	uint32_t n_gathered;
	struct chain chains[OPEN_MAX];
	struct ela_packet *pkts; /* max */
	struct iovec *tails;     /* max: appended payloads in order of arrival */
	uint32_t *next;          /* max: the same chain's next entry of tails */
	struct iovec *gathered;  /* max: lists of chains whose tails are not neighbours */
};

struct ela_coalesce *ela_coalesce_new(uint32_t max_packets)
{
	struct ela_coalesce *co = calloc(1, sizeof(*co));
	if (!co)
		return NULL;
	co->max = max_packets;
	co->pkts = calloc(max_packets, sizeof(*co->pkts));
	co->tails = calloc(max_packets, sizeof(*co->tails));
	co->next = calloc(max_packets, sizeof(*co->next));
	co->gathered = calloc(max_packets, sizeof(*co->gathered));
	if (co->pkts && co->tails && co->next && co->gathered)
		return co;
	ela_coalesce_free(co);
	return NULL;
}

void ela_coalesce_free(struct ela_coalesce *co)
{
	if (!co)
		return;
	free(co->gathered);
	free(co->next);
	free(co->tails);
	free(co->pkts);
	free(co);
}

void ela_coalesce_caps(struct ela_coalesce *co, uint32_t npd_caps)
{
	co->device_csum = npd_caps & ELA_NPD_CSUM;
	co->kinds = 0;
	/* A superpacket's checksum is always partial: without CSUM there is none. */
	if (!co->device_csum)
		return;
	co->kinds |= npd_caps & ELA_NPD_TSO4 ? KIND_TCP4 : 0;
	co->kinds |= npd_caps & ELA_NPD_TSO6 ? KIND_TCP6 : 0;
	co->kinds |= npd_caps & ELA_NPD_USO ? KIND_UDP : 0;
}

/* Tunnels in UDP: kernels before 6.8.5 lose their packets when these are joined. */
static bool is_tunnel_port(uint16_t port)
{
	return port == 4789 || port == 8472 || port == 6081;
}

static void view_tcp(struct view *v, uint32_t left)
{
	if (left < ELA_TCP_LEN)
		return;
	uint32_t l4_len = (v->l4[12] >> 4) * 4u;
	if (l4_len < ELA_TCP_LEN || l4_len > left)
		return;
	v->hdr_len = v->len - left + l4_len;
	v->payload = left - l4_len;
	v->key = (uint64_t)(v->is_ip6 ? 6 : 4) << 40 | (uint64_t)ELA_PROTO_TCP << 32 | ela_raw32(v->l4);
	/* Exactly ACK, with or without PSH and ECE: anything else means something at its own place in the stream. */
	if ((v->l4[13] & ~(ELA_TCP_PSH | ELA_TCP_ECE)) == ELA_TCP_ACK && v->payload > 0)
		v->kind = v->is_ip6 ? KIND_TCP6 : KIND_TCP4;
}

static void view_udp(struct view *v, uint32_t left)
{
	if (left < ELA_UDP_LEN)
		return;
	v->hdr_len = v->len - left + ELA_UDP_LEN;
	v->payload = left - ELA_UDP_LEN;
	v->is_udp = true;
	v->key = (uint64_t)(v->is_ip6 ? 6 : 4) << 40 | (uint64_t)ELA_PROTO_UDP << 32 | ela_raw32(v->l4);
	bool whole = ela_get16(v->l4 + 4) == left && v->payload > 0;
	bool summed = v->partial || ela_raw16(v->l4 + ELA_UDP_CSUM_OFFSET) != 0;
	if (whole && summed && !is_tunnel_port(ela_get16(v->l4)) && !is_tunnel_port(ela_get16(v->l4 + 2)))
		v->kind = KIND_UDP;
}

static void view_packet(struct view *v, uint8_t *data, uint32_t len, bool partial)
{
	*v = (struct view){.ip = data, .len = len, .partial = partial};
	uint32_t l4 = ELA_IP6_LEN;
	uint8_t proto;
	bool fixed;
	if (len >= ELA_IP4_LEN && data[0] >> 4 == 4) {
		l4 = (data[0] & 15u) * 4u;
		if (l4 < ELA_IP4_LEN || l4 > len || (ela_get16(data + 6) & ELA_IP4_FRAGMENT))
			return;
		proto = data[9];
		fixed = l4 == ELA_IP4_LEN && ela_get16(data + 2) == len;
	} else if (len >= ELA_IP6_LEN && data[0] >> 4 == 6) {
		proto = data[6];
		fixed = ela_get16(data + 4) == len - ELA_IP6_LEN;
		v->is_ip6 = true;
	} else {
		return;
	}
	v->l4 = data + l4;
	if (proto == ELA_PROTO_TCP)
		view_tcp(v, len - l4);
	else if (proto == ELA_PROTO_UDP)
		view_udp(v, len - l4);
	if (!fixed)
		v->kind = 0;
}

static struct ela_packet *emit(struct ela_coalesce *co, uint8_t *data, uint32_t len)
{
	struct ela_packet *pkt = &co->pkts[co->n_pkts++];
	*pkt = (struct ela_packet){.data = data, .len = len, .len_total = len};
	return pkt;
}

/* Writes the pseudo-header sum of total bytes and tells the device to finish it. */
static void mark_partial(const struct view *v, struct ela_packet *pkt, uint32_t total)
{
	uint32_t l4 = (uint32_t)(v->l4 - v->ip), offset = v->is_udp ? ELA_UDP_CSUM_OFFSET : ELA_TCP_CSUM_OFFSET;
	uint16_t pseudo = ela_csum_pseudo(v->ip, v->is_udp ? ELA_PROTO_UDP : ELA_PROTO_TCP, total - l4);
	memcpy(v->l4 + offset, &pseudo, sizeof(pseudo));
	pkt->flags = ELA_PACKET_NEEDS_CSUM;
	pkt->csum_start = (uint16_t)l4;
	pkt->csum_offset = (uint16_t)offset;
	pkt->hdr_len = (uint16_t)v->hdr_len;
}

/* A single packet: untouched unless its checksum is ours to make. */
static void finish_single(const struct ela_coalesce *co, const struct view *v, struct ela_packet *pkt)
{
	if (!v->partial || v->key == 0)
		return;
	mark_partial(v, pkt, v->len);
	if (co->device_csum)
		return;
	ela_csum_finish(v->ip, v->len, pkt->csum_start, pkt->csum_offset, v->is_udp);
	pkt->flags = 0;
	pkt->csum_start = pkt->csum_offset = pkt->hdr_len = 0;
}

/* The chain's list of payloads: as it stands when no other chain came between, else copied together. */
static const struct iovec *gather(struct ela_coalesce *co, const struct chain *chain)
{
	uint32_t n = chain->count - 1, at = chain->first;
	if (chain->last - at + 1 == n)
		return &co->tails[at];
	struct iovec *list = &co->gathered[co->n_gathered];
	co->n_gathered += n;
	for (uint32_t i = 0; i < n; i++, at = co->next[at])
		list[i] = co->tails[at];
	return list;
}

static void finish_joined(struct ela_coalesce *co, const struct chain *chain, struct ela_packet *pkt)
{
	const struct view *v = &chain->head;
	if (v->is_ip6) {
		ela_put16(v->ip + 4, chain->total - ELA_IP6_LEN);
	} else {
		ela_put16(v->ip + 2, chain->total);
		ela_csum_ip4(v->ip, ELA_IP4_LEN);
	}
	if (v->is_udp)
		ela_put16(v->l4 + 4, chain->total - (uint32_t)(v->l4 - v->ip));
	else
		v->l4[13] |= chain->psh;
	mark_partial(v, pkt, chain->total);
	pkt->gso_size = (uint16_t)v->payload;
	pkt->gso_type = v->is_udp ? (v->is_ip6 ? ELA_GSO_UDP6 : ELA_GSO_UDP4) : (v->is_ip6 ? ELA_GSO_TCP6 : ELA_GSO_TCP4);
	pkt->len_total = chain->total;
	pkt->n_more = chain->count - 1;
	pkt->more = gather(co, chain);
}

static void close_chain(struct ela_coalesce *co, uint32_t slot)
{
	const struct chain *chain = &co->chains[slot];
	co->keys[slot] = 0;
	if (chain->count > 1)
		finish_joined(co, chain, &co->pkts[chain->pkt]);
	else
		finish_single(co, &chain->head, &co->pkts[chain->pkt]);
}

static void close_all(struct ela_coalesce *co)
{
	for (uint32_t slot = 0; slot < OPEN_MAX; slot++)
		if (co->keys[slot])
			close_chain(co, slot);
}

static bool same_addresses(const uint8_t *a, const uint8_t *b, bool is_ip6)
{
	if (!is_ip6)
		return ela_raw64(a + 12) == ela_raw64(b + 12);
	return !((ela_raw64(a + 8) ^ ela_raw64(b + 8)) | (ela_raw64(a + 16) ^ ela_raw64(b + 16)) |
			 (ela_raw64(a + 24) ^ ela_raw64(b + 24)) | (ela_raw64(a + 32) ^ ela_raw64(b + 32)));
}

/* The open chain of v's flow, or OPEN_MAX. The one used last first: a train is mostly one flow. */
static uint32_t find(const struct ela_coalesce *co, const struct view *v)
{
	uint32_t slot = co->latest;
	for (uint32_t i = 0; i < OPEN_MAX; i++, slot = (slot - 1) % OPEN_MAX)
		if (co->keys[slot] == v->key && same_addresses(co->chains[slot].head.ip, v->ip, v->is_ip6))
			return slot;
	return OPEN_MAX;
}

static bool ip4_sum_good(const uint8_t *ip)
{
	uint64_t a = ela_raw64(ip), b = ela_raw64(ip + 8);
	return ela_csum_fold((a >> 32) + (uint32_t)a + (b >> 32) + (uint32_t)b + ela_raw32(ip + 16)) == UINT16_MAX;
}

/* Good checksums, in the IPv4 header and, unless it is partial, the transport's. */
static bool verify(const struct view *v)
{
	if (!v->is_ip6 && !ip4_sum_good(v->ip))
		return false;
	if (v->partial)
		return true;
	uint32_t l4_len = v->len - (uint32_t)(v->l4 - v->ip);
	uint16_t pseudo = ela_csum_pseudo(v->ip, v->is_udp ? ELA_PROTO_UDP : ELA_PROTO_TCP, l4_len);
	return ela_csum_fold(ela_csum_add(v->l4, l4_len, pseudo)) == UINT16_MAX;
}

/*
 * Bits that differ where a chain's IP headers must not; with DF clear ids must run on, as they will when the
 * superpacket is cut again (with DF set they mean nothing: RFC 6864).
 */
static uint64_t differ_ip(const struct chain *chain, const struct view *v)
{
	static const uint8_t fixed[8] = {0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff}; /* version, IHL, TOS; fragment flags */
	const uint8_t *a = chain->head.ip, *b = v->ip;
	if (v->is_ip6) /* version, traffic class, flow label; next header, hop limit */
		return (ela_raw32(a) ^ ela_raw32(b)) | (ela_raw16(a + 6) ^ ela_raw16(b + 6));
	uint64_t diff = (ela_raw64(a) ^ ela_raw64(b)) & ela_raw64(fixed);
	diff |= ela_raw16(a + 8) ^ ela_raw16(b + 8); /* TTL, protocol */
	if (!(ela_get16(b + 6) & ELA_IP4_DF))
		diff |= ela_get16(b + 4) ^ (uint16_t)(ela_get16(a + 4) + chain->count);
	return diff;
}

static uint64_t differ_tcp(const struct chain *chain, const struct view *v)
{
	static const uint8_t fixed[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff & ~ELA_TCP_PSH, 0xff, 0xff};
	const uint8_t *a = chain->head.l4, *b = v->l4;
	uint64_t diff = (ela_raw64(a + 8) ^ ela_raw64(b + 8)) & ela_raw64(fixed); /* ack, length, flags, window */
	diff |= ela_get32(b + 4) ^ chain->next_seq;
	diff |= ela_raw16(a + 18) ^ ela_raw16(b + 18); /* urgent pointer */
	/* The lengths are equal, or diff is set already: the shorter bounds the walk. */
	uint32_t len = (uint32_t)((a[12] < b[12] ? a[12] : b[12]) >> 4) * 4u;
	for (uint32_t i = ELA_TCP_LEN; i < len; i += 4)
		diff |= ela_raw32(a + i) ^ ela_raw32(b + i);
	return diff;
}

static bool may_join(struct chain *chain, const struct view *v)
{
	const struct view *head = &chain->head;
	if (v->kind == 0 || v->payload > head->payload || chain->total + v->payload > TOTAL_MAX)
		return false;
	uint64_t diff = differ_ip(chain, v);
	if (!v->is_udp)
		diff |= differ_tcp(chain, v);
	if (diff || !verify(v))
		return false;
	/* A head that stays alone is never summed: it goes as it came. */
	if (!chain->verified)
		chain->verified = verify(head);
	return chain->verified;
}

static void join(struct ela_coalesce *co, uint32_t slot, const struct view *v)
{
	struct chain *chain = &co->chains[slot];
	uint32_t at = co->n_tails++;
	co->tails[at] = (struct iovec){.iov_base = v->ip + v->hdr_len, .iov_len = v->payload};
	if (chain->count == 1)
		chain->first = at;
	else
		co->next[chain->last] = at;
	chain->last = at;
	chain->count++;
	chain->total += v->payload;
	chain->next_seq += v->payload;
	chain->psh = v->is_udp ? 0 : v->l4[13] & ELA_TCP_PSH;
	co->latest = slot;
	if (chain->psh || v->payload < chain->head.payload || chain->count == SEGMENTS_MAX)
		close_chain(co, slot);
}

static void open_chain(struct ela_coalesce *co, const struct view *v)
{
	uint32_t slot = 0;
	while (slot < OPEN_MAX && co->keys[slot])
		slot++;
	if (slot == OPEN_MAX) {
		slot = co->victim;
		co->victim = (co->victim + 1) % OPEN_MAX;
		close_chain(co, slot);
	}
	struct chain *chain = &co->chains[slot];
	*chain = (struct chain){.head = *v, .pkt = co->n_pkts - 1, .count = 1, .total = v->len};
	if (!v->is_udp)
		chain->next_seq = ela_get32(v->l4 + 4) + v->payload;
	co->keys[slot] = v->key;
	co->latest = slot;
}

/* Closes what must not be passed by v, which joins nothing. */
static void close_for(struct ela_coalesce *co, const struct view *v, uint32_t slot)
{
	if (v->key == 0)
		close_all(co);
	else if (slot < OPEN_MAX)
		close_chain(co, slot);
}

bool ela_coalesce_add(struct ela_coalesce *co, uint8_t *data, uint32_t len, bool partial)
{
	if (co->n_added == co->max)
		return false;
	co->n_added++;
	struct view v;
	view_packet(&v, data, len, partial);
	uint32_t slot = v.key ? find(co, &v) : OPEN_MAX;
	if (slot < OPEN_MAX && may_join(&co->chains[slot], &v)) {
		join(co, slot, &v);
		return true;
	}
	close_for(co, &v, slot);
	struct ela_packet *pkt = emit(co, data, len);
	bool psh = !v.is_udp && v.key && (v.l4[13] & ELA_TCP_PSH);
	if ((v.kind & co->kinds) && !psh)
		open_chain(co, &v);
	else
		finish_single(co, &v, pkt);
	return true;
}

bool ela_coalesce_add_super(struct ela_coalesce *co, const struct ela_packet *super)
{
	if (co->n_added == co->max)
		return false;
	co->n_added++;
	struct view v;
	view_packet(&v, super->data, super->len, true);
	close_for(co, &v, v.key ? find(co, &v) : OPEN_MAX);
	struct ela_packet *pkt = emit(co, super->data, super->len);
	if (v.key == 0)
		return true;
	if (v.is_udp)
		ela_put16(v.l4 + 4, v.len - (uint32_t)(v.l4 - v.ip));
	/* One segment's worth is one packet: kernels take a superpacket for what is larger only. */
	if (v.payload <= super->gso_size) {
		finish_single(co, &v, pkt);
		return true;
	}
	mark_partial(&v, pkt, v.len);
	pkt->gso_size = super->gso_size;
	pkt->gso_type = super->gso_type;
	return true;
}

uint32_t ela_coalesce_flush(struct ela_coalesce *co, const struct ela_packet **ret_pkts)
{
	close_all(co);
	*ret_pkts = co->pkts;
	return co->n_pkts;
}

void ela_coalesce_reset(struct ela_coalesce *co)
{
	close_all(co);
	co->n_added = co->n_pkts = co->n_tails = co->n_gathered = 0;
}

/* The packet in one piece, at scratch; false when it does not fit. */
static bool flatten(const struct ela_packet *pkt, uint8_t *scratch, uint32_t scratch_len, struct ela_packet *ret)
{
	if (pkt->len_total > scratch_len || pkt->len > pkt->len_total)
		return false;
	uint32_t len = pkt->len;
	memcpy(scratch, pkt->data, len);
	for (uint32_t i = 0; i < pkt->n_more; i++) {
		memcpy(scratch + len, pkt->more[i].iov_base, pkt->more[i].iov_len);
		len += (uint32_t)pkt->more[i].iov_len;
	}
	*ret = *pkt;
	ret->data = scratch;
	ret->len = len;
	ret->n_more = 0;
	ret->more = NULL;
	return true;
}

void ela_coalesce_singly(const struct ela_packet *pkt, uint8_t *scratch, uint32_t scratch_len,
	void (*emit_single)(void *data, const struct ela_packet *single), void *data)
{
	struct ela_packet flat;
	struct ela_packet_class cls;
	if (!flatten(pkt, scratch, scratch_len, &flat) || ela_packet_classify(&flat, &cls) < 0)
		return;
	struct ela_packet single = {.data = flat.data, .len = flat.len, .len_total = flat.len};
	if (flat.gso_type == ELA_GSO_NONE) {
		if (flat.flags & ELA_PACKET_NEEDS_CSUM)
			ela_csum_finish(flat.data, flat.len, flat.csum_start, flat.csum_offset, cls.proto == ELA_PROTO_UDP);
		emit_single(data, &single);
		return;
	}
	struct ela_segment seg;
	if (ela_segment_begin(&seg, &flat, &cls, UINT16_MAX, false) < 0)
		return;
	while (ela_segment_next(&seg, &single.data, &single.len)) {
		single.len_total = single.len;
		emit_single(data, &single);
	}
}
