/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts: messages cut into the plaintexts of MESSAGE frames and put together again: message id (4) | part (1) | parts
 * (1) | data. One struct for what comes from one peer, of bounded size whatever it sends. Control thread; pure but for
 * memory.
 */
#ifndef ELA_CORE_PARTS_H
#define ELA_CORE_PARTS_H

#include "message.h"

#define ELA_PART_HEAD 6u
#define ELA_PART_DATA 1200u /* bytes of a message in each part but the last */
#define ELA_PARTS 14u       /* of a message at most */
#define ELA_PARTS_HALF 4u   /* messages of a peer that are not whole */

/* A message that is not whole. */
struct ela_half {
	uint8_t *bytes; /* NULL: none */
	uint64_t born_ns;
	uint32_t session, id, len;
	uint16_t have; /* bits */
	uint8_t parts;
};

struct ela_parts {
	struct ela_half half[ELA_PARTS_HALF];
	uint8_t *whole;  /* what ela_parts_take() gave last */
	uint64_t n_lost; /* parts that were kept in vain */
};

/* How many parts len bytes make, 1 to ELA_PARTS; len is 1 to ELA_MESSAGE_MAX. */
uint32_t ela_parts_count(uint32_t len);
/* Part number part of a message as a plaintext; its length. */
uint32_t ela_parts_write(
	const uint8_t *message, uint32_t len, uint32_t id, uint32_t part, uint8_t out[ELA_PART_HEAD + ELA_PART_DATA]);

/*
 * A plaintext of at least ELA_PART_HEAD bytes with parts >= 1 came in the session of that index. 1: *ret_bytes are a
 * message, whole, until the next call; 0: more parts are to come, or this one was there; -EINVAL: it cannot be.
 */
int ela_parts_take(struct ela_parts *p, uint32_t session, uint64_t now_ns, const uint8_t *plain, uint32_t len,
	const uint8_t **ret_bytes, uint32_t *ret_len);
/* Gives up what is too old; when that is due again, 0 = nothing waits. */
uint64_t ela_parts_expire(struct ela_parts *p, uint64_t now_ns);
void ela_parts_clear(struct ela_parts *p);

#endif
