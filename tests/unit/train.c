/* SPDX-License-Identifier: Apache-2.0 */
/* train: the coalescer's judge. What it knows of TCP and UDP is naive.c's alone. One thread. */
#include "train.h"
#include "segment.h"
#include <ela/npd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Packets one behind the other, each behind its length. */
struct records {
	uint8_t *bytes;
	uint32_t size, room;
};

struct input {
	uint8_t *data; /* a block of its own, so that a sanitizer sees both ends */
	uint32_t len;
	bool keyed; /* belongs to a flow */
	bool super;
	bool partial;
	bool plain;     /* nothing but flags, checksums and chances can keep it from being joined */
	bool sums_good; /* as far as it has sums */
	struct naive_packet p;
	struct records want;
	uint32_t next; /* of the same flow */
};

struct flow {
	uint32_t first, last;
	uint32_t at;       /* input whose packets are awaited */
	uint32_t consumed; /* bytes of its records */
};

struct train {
	uint32_t n_inputs, n_flows;
	struct input inputs[TRAIN_MAX];
	struct flow flows[TRAIN_MAX];
};

struct train *train_new(void)
{
	struct train *train = calloc(1, sizeof(*train));
	if (!train)
		naive_fail("out of memory");
	return train;
}

static void clear(struct train *train)
{
	for (uint32_t i = 0; i < train->n_inputs; i++) {
		free(train->inputs[i].data);
		free(train->inputs[i].want.bytes);
	}
	train->n_inputs = train->n_flows = 0;
}

void train_free(struct train *train)
{
	clear(train);
	free(train);
}

static void record(void *user, const uint8_t *data, uint32_t len)
{
	struct records *r = user;
	if (r->size + 4 + len > r->room) {
		r->room = r->room ? 2 * (r->room + len) : len + 4;
		r->bytes = realloc(r->bytes, r->room);
		if (!r->bytes)
			naive_fail("out of memory");
	}
	memcpy(r->bytes + r->size, &len, 4);
	memcpy(r->bytes + r->size + 4, data, len);
	r->size += 4 + len;
}

static bool same_flow(const struct naive_packet *a, const struct naive_packet *b)
{
	return a->version == b->version && a->proto == b->proto && a->source_port == b->source_port &&
		   a->destination_port == b->destination_port && memcmp(a->source, b->source, 16) == 0 &&
		   memcmp(a->destination, b->destination, 16) == 0;
}

static void enter_flow(struct train *train, uint32_t index)
{
	struct input *in = &train->inputs[index];
	in->next = NONE;
	for (uint32_t i = 0; i < train->n_flows; i++) {
		struct flow *f = &train->flows[i];
		if (!same_flow(&train->inputs[f->first].p, &in->p))
			continue;
		train->inputs[f->last].next = index;
		f->last = index;
		return;
	}
	train->flows[train->n_flows++] = (struct flow){.first = index, .last = index, .at = index};
}

static struct input *take_in(struct train *train, const uint8_t *data, uint32_t len)
{
	if (train->n_inputs == TRAIN_MAX)
		naive_fail("train too long");
	struct input *in = &train->inputs[train->n_inputs++];
	*in = (struct input){.data = malloc(len), .len = len};
	if (!in->data)
		naive_fail("out of memory");
	memcpy(in->data, data, len);
	in->keyed = naive_parse(in->data, len, &in->p);
	if (in->keyed)
		enter_flow(train, train->n_inputs - 1);
	return in;
}

void train_add(struct train *train, struct ela_coalesce *co, const uint8_t *data, uint32_t len, bool partial)
{
	static uint8_t want[65536];
	struct input *in = take_in(train, data, len);
	memcpy(want, data, len);
	in->partial = partial && in->keyed;
	if (in->keyed) {
		uint32_t l4 = naive_l4(data);
		in->plain = in->p.ip_options_len == 0 && (in->p.proto == 6 || naive_get16(data + l4 + 4) == len - l4);
		in->sums_good = naive_ip_sum_good(data) && (in->partial || naive_l4_sum_good(data, len));
	}
	if (in->partial)
		naive_fix_l4(want, len);
	record(&in->want, want, len);
	if (!ela_coalesce_add(co, in->data, len, partial))
		naive_fail("packet %u refused", train->n_inputs);
}

void train_add_super(struct train *train, struct ela_coalesce *co, const struct ela_packet *super)
{
	struct input *in = take_in(train, super->data, super->len);
	in->super = true;
	if (!in->keyed)
		naive_fail("a superpacket that is no flow's");
	if (in->p.payload_len > super->gso_size) {
		naive_cut(super->data, super->len, super->gso_size, record, &in->want);
	} else {
		static uint8_t want[65536];
		memcpy(want, super->data, super->len);
		if (in->p.proto == 17)
			naive_put16(want + naive_l4(want) + 4, super->len - naive_l4(want));
		naive_fix_l4(want, super->len);
		record(&in->want, want, super->len);
	}
	struct ela_packet copy = *super;
	copy.data = in->data;
	if (!ela_coalesce_add_super(co, &copy))
		naive_fail("superpacket %u refused", train->n_inputs);
}

/* A kind that the device takes joined. */
static bool takes(uint32_t caps, const struct naive_packet *p)
{
	uint32_t kind = p->proto == 17 ? ELA_NPD_USO : p->version == 4 ? ELA_NPD_TSO4 : ELA_NPD_TSO6;
	return (caps & ELA_NPD_CSUM) && (caps & kind);
}

static bool is_tunnel(const struct naive_packet *p)
{
	static const uint16_t ports[] = {4789, 8472, 6081};
	for (uint32_t i = 0; i < 3; i++)
		if (p->source_port == ports[i] || p->destination_port == ports[i])
			return true;
	return false;
}

/* May be part of a joined superpacket at all. */
static bool joinable(const struct input *in, uint32_t caps)
{
	const struct naive_packet *p = &in->p;
	if (!in->keyed || in->super || !in->plain || !in->sums_good || p->payload_len == 0 || !takes(caps, p))
		return false;
	if (p->proto == 6)
		return p->flags == NAIVE_ACK || p->flags == (NAIVE_ACK | NAIVE_PSH) || p->flags == (NAIVE_ACK | NAIVE_ECE) ||
			   p->flags == (NAIVE_ACK | NAIVE_ECE | NAIVE_PSH);
	return !is_tunnel(p) && (in->partial || !p->no_csum);
}

static bool ends_chain(const struct input *in, const struct input *head)
{
	return (in->p.proto == 6 && (in->p.flags & NAIVE_PSH)) || in->p.payload_len < head->p.payload_len;
}

/* Whether b may stand right behind n packets that begin with a and have `bytes` of payload. */
static bool follows(const struct naive_packet *a, const struct naive_packet *b, uint32_t n, uint32_t bytes)
{
	if (a->tos != b->tos || a->ttl != b->ttl || a->flow != b->flow || a->fragment != b->fragment)
		return false;
	if (a->version == 4 && !(a->fragment & 0x4000) && b->id != (uint16_t)(a->id + n))
		return false;
	if (b->payload_len > a->payload_len || n == 64)
		return false;
	uint32_t header = a->proto == 6 ? 20u + a->tcp_options_len : 8;
	if ((a->version == 4 ? 20 : 40) + header + bytes + b->payload_len > 65535)
		return false;
	if (a->proto == 17)
		return true;
	return b->seq == a->seq + bytes && a->ack == b->ack && a->window == b->window && a->urgent == b->urgent &&
		   a->reserved == b->reserved && (a->flags | NAIVE_PSH) == (b->flags | NAIVE_PSH) &&
		   a->tcp_options_len == b->tcp_options_len && memcmp(a->tcp_options, b->tcp_options, a->tcp_options_len) == 0;
}

/* The packets that one flow must come out as, when nothing else closes its chains. */
static uint32_t fewest(const struct train *train, const struct flow *flow, uint32_t caps)
{
	const struct input *head = NULL;
	uint32_t emitted = 0, n = 0, bytes = 0;
	for (uint32_t i = flow->first; i != NONE; i = train->inputs[i].next) {
		const struct input *in = &train->inputs[i];
		if (head && joinable(in, caps) && follows(&head->p, &in->p, n, bytes)) {
			n++;
			bytes += in->p.payload_len;
			if (ends_chain(in, head))
				head = NULL;
			continue;
		}
		emitted++;
		head = joinable(in, caps) && !ends_chain(in, in) ? in : NULL;
		n = 1;
		bytes = in->p.payload_len;
	}
	return emitted;
}

/* Exact when no chain is ever closed for another flow's sake: at most 8 flows, and all packets of flows. */
static bool foretell(const struct train *train, uint32_t caps, uint32_t *ret_emitted)
{
	uint32_t emitted = 0;
	for (uint32_t i = 0; i < train->n_inputs; i++)
		if (!train->inputs[i].keyed)
			return false;
	if (train->n_flows > 8)
		return false;
	for (uint32_t i = 0; i < train->n_flows; i++)
		emitted += fewest(train, &train->flows[i], caps);
	*ret_emitted = emitted;
	return true;
}

#define CHECK(condition, ...) ((condition) ? (void)0 : naive_fail("coalesce: " #condition " is false: " __VA_ARGS__))

static uint32_t flatten(const struct ela_packet *pkt, uint8_t *out)
{
	CHECK(pkt->len_total <= 65535, "%u bytes", pkt->len_total);
	CHECK(pkt->len <= pkt->len_total, "%u of %u", pkt->len, pkt->len_total);
	memcpy(out, pkt->data, pkt->len);
	uint32_t len = pkt->len;
	for (uint32_t i = 0; i < pkt->n_more; i++) {
		CHECK(len + pkt->more[i].iov_len <= pkt->len_total, "part %u", i);
		memcpy(out + len, pkt->more[i].iov_base, pkt->more[i].iov_len);
		len += (uint32_t)pkt->more[i].iov_len;
	}
	CHECK(len == pkt->len_total, "%u of %u", len, pkt->len_total);
	CHECK((pkt->more == NULL) == (pkt->n_more == 0), "%u more", pkt->n_more);
	return len;
}

/* What must hold of the fields of a packet with a partial checksum. */
static void check_partial(const struct ela_packet *pkt, const uint8_t *flat, uint32_t len, uint32_t caps)
{
	struct naive_packet p;
	CHECK(naive_parse(flat, len, &p), "partial, yet no flow's");
	CHECK(caps & ELA_NPD_CSUM, "the device cannot");
	uint32_t l4 = naive_l4(flat), offset = p.proto == 6 ? 16 : 6;
	CHECK(pkt->csum_start == l4 && pkt->csum_offset == offset, "%u, %u", pkt->csum_start, pkt->csum_offset);
	CHECK(pkt->hdr_len == len - p.payload_len, "hdr_len %u", pkt->hdr_len);
	CHECK(naive_get16(flat + l4 + offset) == naive_pseudo(flat, p.proto, len - l4), "pseudo-header sum");
}

static void check_super(const struct ela_packet *pkt, const uint8_t *flat, uint32_t len, const struct input *in)
{
	struct naive_packet p;
	CHECK(naive_parse(flat, len, &p), "a superpacket of nothing");
	CHECK(pkt->flags == ELA_PACKET_NEEDS_CSUM, "flags %u", pkt->flags);
	uint8_t type =
		p.proto == 6 ? (p.version == 4 ? ELA_GSO_TCP4 : ELA_GSO_TCP6) : (p.version == 4 ? ELA_GSO_UDP4 : ELA_GSO_UDP6);
	CHECK(pkt->gso_type == type, "type %u", pkt->gso_type);
	CHECK(pkt->gso_size > 0 && p.payload_len > pkt->gso_size, "%u in %u", pkt->gso_size, p.payload_len);
	CHECK(p.proto == 6 || naive_get16(flat + naive_l4(flat) + 4) == len - naive_l4(flat), "UDP length");
	CHECK((pkt->n_more > 0) != in->super, "joined, or given as it is");
	if (in->super)
		return;
	CHECK(pkt->n_more < 64, "%u more", pkt->n_more);
	CHECK(naive_ip_sum_good(flat), "IP checksum");
	CHECK(naive_get16(flat + (p.version == 4 ? 2 : 4)) == (p.version == 4 ? len : len - 40), "IP length");
	CHECK(pkt->gso_size == in->p.payload_len, "gso_size %u", pkt->gso_size);
}

/* The packets that an emitted one stands for. */
static void open_up(const struct ela_packet *pkt, const struct input *in, uint32_t caps, struct records *ret)
{
	static uint8_t flat[65536];
	uint32_t len = flatten(pkt, flat);
	CHECK((pkt->flags & ~ELA_PACKET_NEEDS_CSUM) == 0 && pkt->reserved16 == 0, "flags %u", pkt->flags);
	if (pkt->flags)
		check_partial(pkt, flat, len, caps);
	if (pkt->gso_type != ELA_GSO_NONE) {
		check_super(pkt, flat, len, in);
		naive_cut(flat, len, pkt->gso_size, record, ret);
		return;
	}
	CHECK(pkt->n_more == 0 && pkt->gso_size == 0, "single with %u more", pkt->n_more);
	if (pkt->flags)
		naive_fix_l4(flat, len);
	record(ret, flat, len);
}

static void record_single(void *user, const struct ela_packet *single)
{
	CHECK(single->flags == 0 && single->gso_type == 0 && single->n_more == 0, "not a single packet");
	CHECK(single->len == single->len_total, "%u of %u", single->len, single->len_total);
	record(user, single->data, single->len);
}

/* What a device that refuses the superpacket gets instead must be the very same packets. */
static void check_singly(const struct ela_packet *pkt, const struct records *opened)
{
	static uint8_t scratch[65536];
	struct records got = {0};
	ela_coalesce_singly(pkt, scratch, sizeof(scratch), record_single, &got);
	CHECK(got.size == opened->size && memcmp(got.bytes, opened->bytes, got.size) == 0, "singly");
	free(got.bytes);
}

/* Joining renumbers ids where DF says they mean nothing, there alone; the header's checksum follows them. */
static bool same_packet(const uint8_t *got, const uint8_t *want, uint32_t len, bool joined)
{
	if (!joined || want[0] / 16 != 4 || !(want[6] & 0x40))
		return memcmp(got, want, len) == 0;
	return naive_ip_sum_good(want) && memcmp(got, want, 4) == 0 && memcmp(got + 6, want + 6, 4) == 0 &&
		   memcmp(got + 12, want + 12, len - 12) == 0;
}

/* Meets the opened packets with the flow's next ones; the index of the last packet met. */
static uint32_t meet(
	struct train *train, struct flow *flow, uint32_t index, const struct records *opened, bool joined, uint32_t caps)
{
	uint32_t last = index;
	CHECK(flow->at == index && flow->consumed == 0, "packet %u, the flow is at %u", index, flow->at);
	for (uint32_t at = 0; at < opened->size;) {
		uint32_t len, want_len;
		CHECK(flow->at != NONE, "a packet was invented");
		const struct input *in = &train->inputs[flow->at];
		last = flow->at;
		memcpy(&len, opened->bytes + at, 4);
		memcpy(&want_len, in->want.bytes + flow->consumed, 4);
		CHECK(len == want_len, "packet %u: %u bytes, wanted %u", flow->at, len, want_len);
		CHECK(same_packet(opened->bytes + at + 4, in->want.bytes + flow->consumed + 4, len, joined), "packet %u",
			flow->at);
		CHECK(!joined || joinable(in, caps), "packet %u was joined", flow->at);
		at += 4 + len;
		flow->consumed += 4 + len;
		if (flow->consumed == in->want.size) {
			flow->at = in->next;
			flow->consumed = 0;
		}
		CHECK(!joined || at == opened->size || in->p.proto == 17 || !(in->p.flags & NAIVE_PSH), "PSH in the middle");
	}
	CHECK(flow->consumed == 0, "a superpacket was cut short");
	return last;
}

static struct flow *flow_of(struct train *train, const struct input *in)
{
	for (uint32_t i = 0; i < train->n_flows; i++)
		if (same_flow(&train->inputs[train->flows[i].first].p, &in->p))
			return &train->flows[i];
	naive_fail("no flow");
}

static void count(struct train_counts *counts, const struct ela_packet *pkt)
{
	counts->emitted++;
	if (pkt->n_more == 0)
		return;
	counts->supers++;
	counts->joined += pkt->n_more + 1;
	if (pkt->n_more + 1 > counts->largest)
		counts->largest = pkt->n_more + 1;
}

static void check_one(struct train *train, const struct ela_packet *pkt, uint32_t index, uint32_t *seen, uint32_t *last,
	uint32_t caps, struct train_counts *counts)
{
	const struct input *in = &train->inputs[index];
	struct records opened = {0};
	open_up(pkt, in, caps, &opened);
	if (in->keyed) {
		uint32_t met = meet(train, flow_of(train, in), index, &opened, pkt->n_more > 0, caps);
		*last = met > *last ? met : *last;
		*seen += pkt->n_more + 1;
	} else {
		/* Its flow cannot be told: all before it are out, and nothing behind it is. */
		CHECK(*seen == index && (index == 0 || *last < index), "packet %u stands at %u", index, *seen);
		CHECK(
			opened.size == in->want.size && memcmp(opened.bytes, in->want.bytes, opened.size) == 0, "packet %u", index);
		*last = index > *last ? index : *last;
		*seen += 1;
	}
	if (pkt->gso_type != ELA_GSO_NONE && counts->emitted % 8 == 0) {
		check_singly(pkt, &opened);
		counts->singly++;
	}
	free(opened.bytes);
}

void train_check(struct train *train, struct ela_coalesce *co, uint32_t caps, struct train_counts *counts)
{
	const struct ela_packet *pkts;
	uint32_t exact, index = 0, seen = 0, last = 0;
	/* Superpackets are patched in the inputs' bytes: what was read of those is what was given. */
	bool foretold = foretell(train, caps, &exact);
	uint32_t n = ela_coalesce_flush(co, &pkts);
	for (uint32_t i = 0; i < n; i++, index++) {
		while (index < train->n_inputs && train->inputs[index].data != pkts[i].data)
			index++;
		CHECK(index < train->n_inputs, "packet %u out of order, or none of ours", i);
		check_one(train, &pkts[i], index, &seen, &last, caps, counts);
		count(counts, &pkts[i]);
	}
	CHECK(seen == train->n_inputs, "%u of %u came out", seen, train->n_inputs);
	for (uint32_t i = 0; i < train->n_flows; i++)
		CHECK(train->flows[i].at == NONE, "flow %u ends early", i);
	if (foretold) {
		CHECK(n == exact, "%u packets, %u are the fewest", n, exact);
		counts->exact++;
	}
	counts->packets += train->n_inputs;
	ela_coalesce_reset(co);
	clear(train);
}
