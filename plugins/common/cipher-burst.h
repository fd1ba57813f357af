/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-burst: a burst of ops as ciphers that know one op at a time run it. Inline, so that one() is no indirect call;
 * the thread that uses the key.
 */
#ifndef ELA_PLUGINS_CIPHER_BURST_H
#define ELA_PLUGINS_CIPHER_BURST_H

#include <ela/cipher.h>
#include <string.h>

/* more: what an op may write beyond len. A failed op has no output: all that it may have written is wiped. */
static inline __attribute__((always_inline)) uint32_t cipher_burst(
	void *key, struct ela_cipher_op *ops, uint32_t n, uint32_t more, int (*one)(void *key, struct ela_cipher_op *op))
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		ops[i].verdict = one(key, &ops[i]);
		if (ops[i].verdict == 0) {
			good++;
			continue;
		}
		ops[i].ret_len = 0;
		explicit_bzero(ops[i].dst, (size_t)ops[i].len + more);
	}
	return good;
}

#endif
