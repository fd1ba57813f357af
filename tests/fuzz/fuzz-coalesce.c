/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-coalesce: core/classify.c, core/segment.c and core/coalesce.c, as a hostile peer or kernel may feed them. Input:
 * one byte of device capabilities, then packets: kind (bits below), gso size (2), csum_start, csum_offset, length (2),
 * bytes. What classify takes is cut, joined and cut again; the judge is tests/unit/train.c, which knows packets from
 * naive.c alone.
 */
#include "segment.h"
#include "train.h"
#include <ela/npd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_LEN 7u
#define ROOM 128u

#define KIND_PARTIAL 0x01u    /* came with CSUM; a superpacket is cut with elision */
#define KIND_GSO_TYPE 0x0eu   /* shifted by one: 0..7 */
#define KIND_NEEDS_CSUM 0x10u /* by the device, csum_start and csum_offset of the record */
#define KIND_FIT 0x20u        /* write the IP length, so that more gets past it */
#define KIND_NEXT 0x40u       /* the packet before again, as its flow's next one */
#define KIND_SUMS 0x80u       /* write right checksums */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cut {
	uint8_t *bytes;
	uint32_t len, room;
};

static void append(void *user, const uint8_t *data, uint32_t len)
{
	struct cut *cut = user;
	if (cut->len + len > cut->room) {
		cut->room = 2 * (cut->room + len);
		cut->bytes = realloc(cut->bytes, cut->room);
		if (!cut->bytes)
			naive_fail("out of memory");
	}
	memcpy(cut->bytes + cut->len, data, len);
	cut->len += len;
}

/* A checksum left out is zero; made again, the packet must be as built from scratch. */
static void take_segment(struct cut *got, const struct ela_segment *seg, uint8_t *data, uint32_t len)
{
	static uint8_t packet[65536];
	memcpy(packet, data, len);
	if (seg->elide) {
		uint32_t field = naive_l4(data) + (seg->gso_type <= ELA_GSO_TCP6 ? 16 : 6);
		if (naive_get16(packet + field) != 0)
			naive_fail("an elided checksum is not zero");
		naive_fix_l4(packet, len);
	}
	append(got, packet, len);
}

static void cut_both_ways(const struct ela_packet *given, const struct ela_packet_class *cls, bool elide)
{
	struct ela_packet pkt = *given;
	struct ela_segment seg;
	struct cut want = {0}, got = {0};
	uint8_t *data;
	uint32_t len, n = naive_cut(pkt.data, pkt.len, pkt.gso_size, append, &want);
	pkt.data = malloc(pkt.len);
	if (!pkt.data)
		naive_fail("out of memory");
	memcpy(pkt.data, given->data, pkt.len);
	if (ela_segment_begin(&seg, &pkt, cls, UINT16_MAX, elide) != 0 || seg.count != n)
		naive_fail("not cut into %u", n);
	while (ela_segment_next(&seg, &data, &len)) {
		if (data < pkt.data || data + len > pkt.data + pkt.len)
			naive_fail("a segment leaves its packet");
		take_segment(&got, &seg, data, len);
	}
	if (got.len != want.len || memcmp(got.bytes, want.bytes, got.len) != 0)
		naive_fail("cut otherwise than naively");
	free(pkt.data);
	free(got.bytes);
	free(want.bytes);
}

static bool takes_super(uint32_t caps, uint8_t gso_type)
{
	static const uint32_t needed[] = {[ELA_GSO_TCP4] = ELA_NPD_TSO4,
		[ELA_GSO_TCP6] = ELA_NPD_TSO6,
		[ELA_GSO_UDP4] = ELA_NPD_USO,
		[ELA_GSO_UDP6] = ELA_NPD_USO};
	return (caps & ELA_NPD_CSUM) && (caps & needed[gso_type]);
}

static void feed(
	struct train *train, struct ela_coalesce *co, uint32_t caps, const struct ela_packet *pkt, uint8_t kind)
{
	struct ela_packet_class cls;
	if (ela_packet_classify(pkt, &cls) < 0)
		return;
	if (pkt->gso_type == ELA_GSO_NONE) {
		train_add(train, co, pkt->data, pkt->len, (kind & KIND_PARTIAL) && cls.plain);
		return;
	}
	cut_both_ways(pkt, &cls, kind & KIND_PARTIAL);
	if (takes_super(caps, pkt->gso_type))
		train_add_super(train, co, pkt);
}

/* Makes the packet its flow's next: sequence number and id move on. */
static void advance(uint8_t *data, uint32_t len)
{
	struct naive_packet p;
	if (!naive_parse(data, len, &p))
		return;
	if (p.version == 4)
		naive_put16(data + 4, p.id + 1u);
	if (p.proto == 6)
		naive_put32(data + naive_l4(data) + 4, p.seq + p.payload_len);
}

static void repair(uint8_t *data, uint32_t len, uint8_t kind)
{
	struct naive_packet p;
	if (len >= 20 && (kind & KIND_FIT))
		naive_put16(data + (data[0] / 16 == 4 ? 2 : 4), data[0] / 16 == 4 ? len : len - 40);
	if (!(kind & KIND_SUMS) || !naive_parse(data, len, &p))
		return;
	if (p.version == 4) {
		naive_put16(data + 10, 0);
		naive_put16(data + 10, 0xffff - naive_sum(data, naive_l4(data), 0));
	}
	naive_fix_l4(data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t last[4096];
	uint32_t last_len = 0, n = 0;
	if (size == 0)
		return 0;
	uint32_t caps = data[0] & 15;
	struct train_counts counts = {0};
	struct train *train = train_new();
	struct ela_coalesce *co = ela_coalesce_new(ROOM);
	if (!co)
		naive_fail("out of memory");
	ela_coalesce_caps(co, caps);
	for (size_t at = 1; at + RECORD_LEN <= size && n < ROOM; n++) {
		const uint8_t *record = data + at;
		uint32_t len = naive_get16(record + 5);
		at += RECORD_LEN;
		if (record[0] & KIND_NEXT) {
			advance(last, last_len);
		} else {
			len = len > sizeof(last) ? sizeof(last) : len;
			last_len = len > size - at ? (uint32_t)(size - at) : len;
			memcpy(last, data + at, last_len);
			at += last_len;
		}
		repair(last, last_len, record[0]);
		struct ela_packet pkt = {.data = malloc(last_len + 1u), /* ends with the packet, at an odd place */
			.len = last_len,
			.gso_size = (uint16_t)naive_get16(record + 1),
			.gso_type = (record[0] & KIND_GSO_TYPE) >> 1,
			.flags = record[0] & KIND_NEEDS_CSUM ? ELA_PACKET_NEEDS_CSUM : 0,
			.csum_start = record[3],
			.csum_offset = record[4]};
		uint8_t *block = pkt.data;
		if (!block)
			naive_fail("out of memory");
		pkt.data = block + 1;
		memcpy(pkt.data, last, last_len);
		feed(train, co, caps, &pkt, record[0]);
		free(block);
	}
	train_check(train, co, caps, &counts);
	ela_coalesce_free(co);
	train_free(train);
	return 0;
}
