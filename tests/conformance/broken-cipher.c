/* SPDX-License-Identifier: Apache-2.0 */
/* broken-cipher: ACCEPTS takes a tag whose very last bit is wrong; LEAVES leaves plaintext of what it refused. */
#include "broken.h"

#include <errno.h>
#include <string.h>

static void break_ops(struct ela_cipher_ops *ops);
BROKEN_PLUGIN(cipher, NAME, break_ops);

#ifdef ACCEPTS
static uint32_t open_broken(void *key, struct ela_cipher_op *ops_done, uint32_t n)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ela_cipher_op *op = &ops_done[i], again = *op;
		uint8_t copy[70000];

		memcpy(copy, op->src, op->len);
		good += sound.open(key, op, 1);
		if (op->verdict != -EBADMSG || !op->len)
			continue;
		copy[op->len - 1] ^= 1;
		again.src = copy;
		good += sound.open(key, &again, 1);
		op->verdict = again.verdict;
		op->ret_len = again.ret_len;
	}
	return good;
}
#endif

#ifdef LEAVES
static uint32_t open_broken(void *key, struct ela_cipher_op *ops_done, uint32_t n)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		good += sound.open(key, &ops_done[i], 1);
		if (ops_done[i].verdict && ops_done[i].len > 20)
			ops_done[i].dst[20] = 'x';
	}
	return good;
}
#endif

static void break_ops(struct ela_cipher_ops *broken)
{
	broken->open = open_broken;
}
