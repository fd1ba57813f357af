/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull: objects fetched from peers by their SHA-256, in pieces of 8 KiB over ObjectPull requests, and handed out the
 * same way. What arrives is what was asked for, or nothing. Control thread.
 */
#ifndef ELA_CORE_PULL_H
#define ELA_CORE_PULL_H

#include "crypto.h"
#include "dialogue.h"

#define ELA_PULLS 8u        /* at a time */
#define ELA_PULL_SOURCES 8u /* of each */

/* Hung off the node, behind its dialogue. */
struct ela_puller *ela_puller_new(struct ela_node *node);
void ela_puller_free(struct ela_puller *puller); /* takes NULL; nobody is told */

/* Largest object of a kind. */
uint32_t ela_pull_max(enum ela_pull_kind kind);

/*
 * The end of a pull: err 0 and the object (borrowed), whose hash is right; or what the last source that was asked came
 * to: -ENOENT (it has none), -EBADMSG (it sent another one, or no pieces of one), -EMSGSIZE (too large for its kind),
 * or an error of ela_reply_fn.
 */
typedef void (*ela_pull_fn)(void *data, int err, const uint8_t *bytes, uint32_t len);

/*
 * Asks the peers of these numbers, one after the other until one has it; those beyond ELA_PULL_SOURCES are left out. A
 * ticket for ela_pull_cancel(), or 0: there is none of these peers, or ELA_PULLS are under way; fn is not called then.
 */
uint64_t ela_pull(struct ela_node *node, enum ela_pull_kind kind, const uint8_t hash[ELA_HASH_LEN],
	const uint32_t *peers, uint32_t n_peers, ela_pull_fn fn, void *data);
void ela_pull_cancel(struct ela_node *node, uint64_t ticket);

/*
 * Where the objects are that peers may pull: true and the bytes, borrowed until it returns to the loop; false: there is
 * none, or the peer may not have it. NULL: nothing is handed out.
 */
typedef bool (*ela_serve_fn)(void *data, const struct ela_peer *peer, enum ela_pull_kind kind,
	const uint8_t hash[ELA_HASH_LEN], const uint8_t **ret_bytes, uint32_t *ret_len);
void ela_pull_serve(struct ela_node *node, ela_serve_fn fn, void *data);

#endif
