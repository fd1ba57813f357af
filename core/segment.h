/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment: cuts a superpacket into packets, in place, one segment at a time (TCP and UDP, IPv4 and IPv6). Lane thread.
 *
 * The header of segment k+1 is stamped over the tail of segment k, so k must have been sealed (out of place) before the
 * next call. Nothing is copied but headers. Checksums: with elide, the transport checksum of every segment stays
 * meaningless (partial) and the receiver makes it anew; without, each is finished here.
 */
#ifndef ELA_CORE_SEGMENT_H
#define ELA_CORE_SEGMENT_H

#include <ela/types.h>
#include <stdbool.h>

#define ELA_SEGMENT_MAX_HDR 128u /* IPv6 (40) + TCP (60), or IPv4 (60) + TCP (60) */
/*
 * More segments than this in one superpacket are refused: a real stack's are 32 bytes or more, and a peer's tiny
 * gso_size would otherwise make this host's kernel work a thousandfold.
 */
#define ELA_SEGMENT_MAX_COUNT 2048u
/* Datagrams in one UDP superpacket that every kernel with the offload takes (UDP_MAX_SEGMENTS before 6.9). */
#define ELA_SEGMENT_MAX_UDP 64u

struct ela_segment {
	uint8_t *payload; /* next segment's first payload byte */
	uint32_t left;    /* payload bytes not yet cut */
	uint32_t size;    /* payload bytes of each segment but the last */
	uint32_t hdr_len; /* IP + transport */
	uint32_t l4;      /* offset of the transport header */
	uint32_t index;   /* of the next segment */
	uint32_t count;   /* segments in all */
	uint32_t seq;     /* TCP: of the next segment, host order */
	uint16_t ip_id;   /* IPv4: of the next segment, host order */
	uint8_t gso_type;
	uint8_t flags_first, flags_last; /* TCP flags: CWR only on the first, FIN and PSH only on the last */
	bool elide;
	uint64_t ip_sum;                  /* IPv4: header without length, id and checksum */
	uint64_t l4_sum;                  /* pseudo-header without length */
	uint8_t hdr[ELA_SEGMENT_MAX_HDR]; /* what all segments share; the fields that differ are zero or stale */
};

/* What a packet is, found once by ela_packet_classify(). */
struct ela_packet_class {
	uint8_t version;  /* 4 or 6 */
	uint8_t proto;    /* transport protocol, 0 when a fragment or behind extension headers */
	uint8_t ecn;      /* 0..3 of TOS / traffic class */
	bool plain;       /* TCP or UDP, whole, right behind a fixed IP header: what a CSUM frame from a peer must be */
	bool elidable;    /* plain, NEEDS_CSUM, csum_start and csum_offset exactly there: may go as CSUM */
	uint16_t l4;      /* offset of the transport header, 0 when proto is 0 */
	uint16_t hdr_len; /* TCP and UDP: l4 + transport header, 0 when unknown or cut short */
};

/*
 * Checks a packet as the device or a peer gave it, all bytes at data (n_more 0): version, lengths (the IP length must
 * equal len), with NEEDS_CSUM csum_start and csum_offset within it and behind the IP header; in a superpacket also that
 * gso_type fits the headers, gso_size is not 0, the segments are not absurdly many, and csum_start and csum_offset, if
 * given, are those of the transport header. 0, or -EBADMSG: drop it.
 *
 * A peer's frame with the CSUM flag is given without NEEDS_CSUM (only this host's own headers say where the checksum
 * is) and dropped unless ret->plain.
 */
int ela_packet_classify(const struct ela_packet *pkt, struct ela_packet_class *ret);

/* A UDP superpacket of more datagrams than a receiving kernel must take. */
static inline bool ela_packet_is_long_udp(const struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	return (pkt->gso_type == ELA_GSO_UDP4 || pkt->gso_type == ELA_GSO_UDP6) &&
		   pkt->len - cls->hdr_len > pkt->gso_size * ELA_SEGMENT_MAX_UDP;
}

/*
 * Begins cutting pkt (gso_type != NONE, classified). max_packet is the largest packet the path carries: TCP segments
 * get smaller than gso_size if they must; UDP ones cannot (-EMSGSIZE). Also -EBADMSG. elide is ignored where the class
 * does not allow it: see seg->elide.
 */
int ela_segment_begin(struct ela_segment *seg, const struct ela_packet *pkt, const struct ela_packet_class *cls,
	uint32_t max_packet, bool elide);
/* The next packet: *ret_data and *ret_len; false when there is none. */
bool ela_segment_next(struct ela_segment *seg, uint8_t **ret_data, uint32_t *ret_len);

#endif
