/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: a ring of one word more than the window (RFC 6479), so that sliding clears whole words and the window is
 * exact: its 8,192 numbers touch at most 129 words. Run by whoever holds the window's lock.
 */
#include "replay.h"
#include <string.h>

void ela_replay_reset(struct ela_replay *window)
{
	memset(window, 0, sizeof(*window));
}

bool ela_replay_check(const struct ela_replay *window, uint64_t seq)
{
	if (seq > ELA_SEQUENCE_MAX || seq + ELA_REPLAY_WINDOW < window->head)
		return false;
	if (seq >= window->head)
		return true;
	return !(window->bits[(seq >> 6) % ELA_REPLAY_WORDS] >> (seq & 63) & 1);
}

/* Clears the words that the head enters on its way to seq; the one it stands in has no bits above the head. */
static void slide(struct ela_replay *window, uint64_t seq)
{
	uint64_t word = (window->head + 63) >> 6; /* the first never entered */
	uint64_t end = (seq >> 6) + 1;
	if (end - word > ELA_REPLAY_WORDS)
		word = end - ELA_REPLAY_WORDS;
	for (; word < end; word++)
		window->bits[word % ELA_REPLAY_WORDS] = 0;
	window->head = seq + 1;
}

bool ela_replay_commit(struct ela_replay *window, uint64_t seq)
{
	if (!ela_replay_check(window, seq))
		return false;
	if (seq >= window->head)
		slide(window, seq);
	window->bits[(seq >> 6) % ELA_REPLAY_WORDS] |= UINT64_C(1) << (seq & 63);
	return true;
}
