/* SPDX-License-Identifier: Apache-2.0 */
/* input: takes a fuzz target's input apart. Pure functions. */
#ifndef ELA_FUZZ_INPUT_H
#define ELA_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
	const uint8_t *at;
	size_t left;
};

/* What a target's own checks find. */
_Noreturn static inline void input_fail(const char *what)
{
	(void)fprintf(stderr, "FAILED: %s\n", what); /* best effort before the end */
	abort();
}

/* Numbers in network order, zero behind the end. */
static inline uint8_t input_u8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t input_u16(struct input *in)
{
	uint16_t high = input_u8(in);

	return (uint16_t)(high << 8 | input_u8(in));
}

static inline uint32_t input_u32(struct input *in)
{
	uint32_t high = input_u16(in);

	return high << 16 | input_u16(in);
}

/* At most n bytes; their number in *ret_len. */
static inline const uint8_t *input_bytes(struct input *in, uint32_t n, uint32_t *ret_len)
{
	const uint8_t *at = in->at;

	*ret_len = n < in->left ? n : (uint32_t)in->left;
	in->at += *ret_len;
	in->left -= *ret_len;
	return at;
}

#endif
