/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-fixture: a cipher plugin opened for one suite, its keys, seeded random bytes and the checks that every suite
 * must pass. All fail the running Check test when something is wrong. The test's own thread; test_random and test_fill
 * any thread, with a state of its own.
 */
#ifndef ELA_TEST_CIPHER_FIXTURE_H
#define ELA_TEST_CIPHER_FIXTURE_H

#include "test-host.h"

#include <stdbool.h>
#include <stddef.h>

#define NONCE_LEN 12u

struct cipher {
	const struct ela_plugin *plugin;
	const struct ela_cipher_ops *ops;
	const struct ela_suite *suite;
	uint32_t number; /* of the suite */
	struct test_host *th;
	void *self;
};

/* Both directions of one random key. */
struct cipher_pair {
	uint8_t bytes[ELA_CIPHER_MAX_KEY];
	void *seal, *open;
};

typedef uint32_t (*cipher_work)(void *key, struct ela_cipher_op *ops, uint32_t n);

/* xorshift64*: test_seed takes ELA_TEST_SEED or the time, prints it to stderr and sets test_state. */
extern uint64_t test_state;
void test_seed(void);
uint64_t test_random(uint64_t *s);
void test_fill(uint64_t *s, void *out, size_t len);

void cipher_open(struct cipher *f, const char *file, const char *suite);
/* The plugin must have logged nothing. */
void cipher_close(struct cipher *f);
void *cipher_key(const struct cipher *f, uint32_t direction, const uint8_t *key);
void cipher_pair_new(const struct cipher *f, struct cipher_pair *pair);
void cipher_pair_free(const struct cipher *f, struct cipher_pair *pair);

/* One op; its verdict. The plugin's count must agree with it. */
int cipher_run(cipher_work work, void *key, const uint8_t *nonce, const uint8_t *src, uint8_t *dst, uint32_t len,
	uint32_t *ret_len);
void assert_all(const uint8_t *bytes, size_t len, uint8_t value, const char *what);
/* sealed is refused as forged, in place and out of place; dst is wiped over len bytes and untouched behind them. */
void cipher_refuse(const struct cipher *f, void *key, const uint8_t *nonce, const uint8_t *sealed, uint32_t len);
/* A random message sealed and opened again; nothing is written behind the room it has. */
void cipher_round_trip(const struct cipher *f, const struct cipher_pair *pair, uint32_t len, bool in_place);

#endif
