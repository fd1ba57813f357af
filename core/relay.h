/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: relayed frames on a lane: those that come, for this node or for others, and the last step of those that go.
 * Lane thread.
 */
#ifndef ELA_CORE_RELAY_H
#define ELA_CORE_RELAY_H

#include "lane.h"

/* Frames for this node that one neighbour relayed, hop fields taken out: direct frames now. */
struct ela_relay_run {
	struct ela_path path; /* through that neighbour */
	uint32_t n;
	uint8_t *frames[ELA_BURST];
	uint32_t lens[ELA_BURST];
};

/*
 * The relayed frames of one neighbour at the start of a train, at most a burst: checked, passed on to others, or left
 * in *ret. Returns how many bytes of the train that was, at least one frame. The first one is relayed.
 */
uint32_t ela_relay_take(struct ela_lane *lane, uint8_t *data, uint32_t len, uint32_t segment,
	const struct ela_path *path, uint8_t ecn, struct ela_relay_run *ret);
/*
 * Writes the hop fields of frames back to back, all of segment bytes but the last, for the neighbour's session s.
 * False: the key is used up or the cipher failed; counted, and nothing may be sent.
 */
bool ela_relay_seal(struct ela_lane *lane, struct ela_session *s, uint8_t *data, uint32_t len, uint32_t segment);
/* n frames of len bytes went to a neighbour. own: sealed by this node, not passed on for another. */
void ela_relay_count(struct ela_lane *lane, uint32_t n, uint32_t len, bool own);

#endif
