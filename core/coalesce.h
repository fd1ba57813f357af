/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coalesce: joins the opened packets of one train into superpackets for the device (design: data path, "Coalescing").
 * Lane thread; one object a lane, no allocation after ela_coalesce_new(). Packets stay where they are: a superpacket is
 * the first packet's headers and a gather list of payloads. Headers are patched at flush.
 */
#ifndef ELA_CORE_COALESCE_H
#define ELA_CORE_COALESCE_H

#include <ela/types.h>
#include <stdbool.h>

struct ela_coalesce;

/* Room for max_packets added packets between flushes. NULL when out of memory. */
struct ela_coalesce *ela_coalesce_new(uint32_t max_packets);
void ela_coalesce_free(struct ela_coalesce *co);

/* What the device takes now: ELA_NPD_*. Without CSUM, partial checksums are finished; without TSO no merging. */
void ela_coalesce_caps(struct ela_coalesce *co, uint32_t npd_caps);

/*
 * Adds a checked single IP packet of len bytes (ela_packet_classify passed; its bytes stay valid and writable until
 * after the device write). partial: it came with the CSUM flag, its transport checksum means nothing (the caller has
 * dropped it unless it is plain). False when full.
 */
bool ela_coalesce_add(struct ela_coalesce *co, uint8_t *data, uint32_t len, bool partial);

/*
 * Adds a superpacket as it is, all bytes at data, checked by ela_packet_classify (stream transports carry them whole).
 * It never merges. Its transport checksum is taken for partial, whatever stands there; csum_start and the like are made
 * anew. A kind that the device does not take is emitted all the same: the device refuses it, and ela_coalesce_singly()
 * cuts it. False when full.
 */
bool ela_coalesce_add_super(struct ela_coalesce *co, const struct ela_packet *pkt);

/*
 * Closes everything and returns the packets to write, in the order of their first segments; valid until
 * ela_coalesce_reset(), which must follow.
 */
uint32_t ela_coalesce_flush(struct ela_coalesce *co, const struct ela_packet **ret_pkts);
void ela_coalesce_reset(struct ela_coalesce *co);

/*
 * The device refused a superpacket (-EOPNOTSUPP): emits the returned packet as single packets, checksums
 * finished; used rarely, so it copies through scratch (65,536 bytes; with less than the packet
 * needs nothing is emitted).
 */
void ela_coalesce_singly(const struct ela_packet *pkt, uint8_t *scratch, uint32_t scratch_len,
	void (*emit)(void *data, const struct ela_packet *single), void *data);

#endif
