/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: the sliding window of one sender lane (after RFC 6479): which counters of the last 8,192 were seen. The owner
 * locks. Order of use: check, open, commit; a counter is committed only after its tag was good.
 */
#ifndef ELA_CORE_REPLAY_H
#define ELA_CORE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define ELA_REPLAY_WINDOW 8192u
#define ELA_REPLAY_WORDS                                                                                               \
	(ELA_REPLAY_WINDOW / 64u + 1u) /* one word more than the window, so that sliding clears whole words */
#define ELA_SEQUENCE_MAX ((UINT64_C(1) << 56) - 1u) /* sequence numbers are 56 bits */

struct ela_replay {
	uint64_t head; /* highest committed sequence + 1; 0 = none yet */
	uint64_t bits[ELA_REPLAY_WORDS];
};

void ela_replay_reset(struct ela_replay *window);
/* True when seq may be new: not above ELA_SEQUENCE_MAX, not older than the window, not committed. */
bool ela_replay_check(const struct ela_replay *window, uint64_t seq);
/* Commits seq; false when it was not acceptable (two of one run may carry the same number). */
bool ela_replay_commit(struct ela_replay *window, uint64_t seq);

#endif
