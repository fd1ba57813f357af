/* SPDX-License-Identifier: Apache-2.0 */
/* cipher: what the tests of ciphers share: one message with its sealed and opened form, keys from a seed. */
#ifndef ELA_CHECK_CIPHER_H
#define ELA_CHECK_CIPHER_H

#include "check.h"

struct cipher_buffer {
	uint8_t *plain, *sealed, *opened; /* len, room and room bytes; guards behind the last two */
	uint32_t len, room, sealed_len, opened_len;
};

/* A suite with a key for each direction. */
struct cipher_pair {
	void *self, *seal, *open;
	uint32_t number;
	const struct ela_suite *suite;
};

void cipher_fill(uint8_t *bytes, uint32_t len, uint32_t seed);
void *cipher_key(struct check_run *run, void *self, uint32_t suite, uint32_t direction, uint32_t seed);
struct cipher_buffer cipher_buffer_new(struct check_run *run, uint32_t len, uint32_t overhead, uint32_t seed);
void cipher_buffer_free(struct check_run *run, struct cipher_buffer *buffer); /* looks at the guards */
void cipher_seal(struct check_run *run, void *key, const struct ela_suite *suite, struct cipher_buffer *b,
	uint32_t nonce, bool in_place);
int cipher_open(
	struct check_run *run, void *key, struct cipher_buffer *b, uint32_t nonce, bool in_place); /* the verdict */
void cipher_check_opened(struct check_run *run, const struct cipher_buffer *b);
/* fn for each suite of an instance. */
void cipher_each(struct check_run *run, void (*fn)(struct check_run *run, struct cipher_pair *pair));

/* forge.c */
void cipher_test_forged_tags(struct check_run *run);
void cipher_test_forged_bits(struct check_run *run);
void cipher_test_cut(struct check_run *run);
void cipher_test_wiped(struct check_run *run);

#endif
