/* SPDX-License-Identifier: Apache-2.0 */
/* forge: nothing that seal() did not make may open, and what fails leaves no trace. And the timing of --time. */
#include "cipher.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* The frame with one bit flipped must not open. */
static void flip(
	struct check_run *run, struct cipher_pair *pair, struct cipher_buffer *b, uint32_t bit, const char *what)
{
	int verdict;

	b->sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	verdict = cipher_open(run, pair->open, b, 3, bit & 1);
	if (verdict != -EBADMSG)
		check_fail(run, "-EBADMSG", "verdict %s for %s with bit %u flipped (suite %s)", check_err_name(verdict), what,
			bit, pair->suite->name);
	b->sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void forged_tags(struct check_run *run, struct cipher_pair *pair)
{
	static const uint32_t lens[] = {0, 1, 64, 1400};

	for (uint32_t i = 0; i < 4; i++) {
		struct cipher_buffer b = cipher_buffer_new(run, lens[i], pair->suite->overhead, i);

		cipher_seal(run, pair->seal, pair->suite, &b, 3, false);
		for (uint32_t bit = (b.sealed_len - 16) * 8; bit < b.sealed_len * 8; bit++)
			flip(run, pair, &b, bit, "a tag");
		check_err(run, "verdict of open() after 128 forgeries", cipher_open(run, pair->open, &b, 3, false), 0);
		cipher_buffer_free(run, &b);
	}
}

void cipher_test_forged_tags(struct check_run *run)
{
	cipher_each(run, forged_tags);
}

static void forged_bits(struct check_run *run, struct cipher_pair *pair)
{
	struct cipher_buffer b = cipher_buffer_new(run, 84, pair->suite->overhead, 5);

	cipher_seal(run, pair->seal, pair->suite, &b, 3, false);
	for (uint32_t bit = 0; bit < b.sealed_len * 8; bit++)
		flip(run, pair, &b, bit, "a message");
	cipher_buffer_free(run, &b);
}

void cipher_test_forged_bits(struct check_run *run)
{
	cipher_each(run, forged_bits);
}

/* Every shorter length, down to nothing. */
static void cut(struct check_run *run, struct cipher_pair *pair)
{
	struct cipher_buffer b = cipher_buffer_new(run, 40, pair->suite->overhead, 5);
	uint32_t whole;

	cipher_seal(run, pair->seal, pair->suite, &b, 3, false);
	whole = b.sealed_len;
	for (uint32_t len = 0; len < whole; len++) {
		int verdict;

		b.sealed_len = len;
		verdict = cipher_open(run, pair->open, &b, 3, len & 1);
		if (verdict != -EBADMSG)
			check_fail(run, "-EBADMSG", "verdict %s for %u of %u bytes", check_err_name(verdict), len, whole);
	}
	b.sealed_len = whole;
	check_err(run, "verdict of open() after cut ones", cipher_open(run, pair->open, &b, 3, false), 0);
	cipher_check_opened(run, &b);
	cipher_buffer_free(run, &b);
}

void cipher_test_cut(struct check_run *run)
{
	cipher_each(run, cut);
}

/* A failed open() leaves no plaintext: its dst is wiped over len bytes, in place as well. */
static void wiped(struct check_run *run, struct cipher_pair *pair)
{
	for (uint32_t in_place = 0; in_place < 2; in_place++) {
		struct cipher_buffer b = cipher_buffer_new(run, 200, pair->suite->overhead, 5);

		cipher_seal(run, pair->seal, pair->suite, &b, 3, false);
		b.sealed[b.sealed_len - 1] ^= 1;
		check_err(run, "verdict of open()", cipher_open(run, pair->open, &b, 3, in_place), -EBADMSG);
		for (uint32_t i = 0; i < b.sealed_len; i++)
			if (b.opened[i] != 0)
				check_fail(run, "zeros: a failed op's dst is wiped over len bytes", "byte %u of %u is 0x%02x%s", i,
					b.sealed_len, b.opened[i], in_place ? ", in place" : "");
		cipher_buffer_free(run, &b);
	}
}

void cipher_test_wiped(struct check_run *run)
{
	cipher_each(run, wiped);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* Linux has this clock */
	return (uint64_t)now.tv_sec * CHECK_SEC + (uint64_t)now.tv_nsec;
}

/* Bursts of 44, as one superpacket: the best of 5 rounds. */
static double time_ops(struct check_run *run, struct cipher_pair *pair, uint32_t len, bool is_open)
{
	struct cipher_buffer b[44];
	struct ela_cipher_op ops[44];
	double best = 0;

	memset(ops, 0, sizeof ops);
	for (uint32_t i = 0; i < 44; i++) {
		b[i] = cipher_buffer_new(run, len, pair->suite->overhead, i);
		cipher_seal(run, pair->seal, pair->suite, &b[i], i, false);
		ops[i] = (struct ela_cipher_op){
			.src = is_open ? b[i].sealed : b[i].plain, .dst = b[i].opened, .len = is_open ? b[i].sealed_len : len};
		memcpy(ops[i].nonce, &i, sizeof i);
	}
	for (uint32_t round = 0; round < 5; round++) {
		uint64_t start_ns = cpu_ns(), spent_ns;
		uint32_t n = 0;

		do {
			n +=
				is_open ? run->plugin->cipher.open(pair->open, ops, 44) : run->plugin->cipher.seal(pair->seal, ops, 44);
			spent_ns = cpu_ns() - start_ns;
		} while (spent_ns < 50 * CHECK_MSEC);
		if (round == 0 || (double)spent_ns / n < best)
			best = (double)spent_ns / n;
	}
	for (uint32_t i = 0; i < 44; i++)
		cipher_buffer_free(run, &b[i]);
	return best;
}

static void time_suite(struct check_run *run, struct cipher_pair *pair)
{
	static const uint32_t lens[] = {64, 1400};

	for (uint32_t i = 0; i < 2; i++) {
		printf("time %s seal %u bytes: %.0f ns\n", pair->suite->name, lens[i], time_ops(run, pair, lens[i], false));
		printf("time %s open %u bytes: %.0f ns\n", pair->suite->name, lens[i], time_ops(run, pair, lens[i], true));
	}
}

void check_time_cipher(struct check_run *run)
{
	cipher_each(run, time_suite);
}
