/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-selftest: a cipher on core's own ChaCha20-Poly1305 with one flaw at a time: the self-test passes the sound one
 * and names what is wrong with each other. One thread.
 */
#include "crypto.h"
#include "fake-plugins.h"
#include "selftest.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAG_LEN 16u
#define PLAIN_LEN 40u

enum flaw {
	SOUND,
	SOUND_RANDOM, /* seals differently each time and says so */
	UNSAID_RANDOM,
	SEAL_KEYSTREAM,
	SEAL_FAILS,
	SEAL_LENGTH,
	SEAL_NO_TAG,
	SEAL_OVERRUN,
	SEAL_IN_PLACE,
	SEAL_BURST,
	OPEN_ACCEPTS,
	OPEN_NONCE,
	OPEN_SHORT,
	OPEN_NOTHING,
	OPEN_VERDICT,
	OPEN_COUNT,
	OPEN_KEEPS,
	OPEN_GARBLES,
	OPEN_LENGTH,
	OPEN_OVERRUN,
	OPEN_STOPS,
	OPEN_KEEPS_IN_PLACE,
	KEY_SEAL,
	KEY_OPEN,
	KNOWN_PLAIN,
};

/* The instance and its keys. Random suites carry 12 bytes in front that are mixed into the nonce. */
struct toy {
	enum flaw flaw;
	uint32_t n_keys;
	uint8_t counter;
};

struct toy_key {
	struct toy *toy;
	uint8_t key[32];
};

static int toy_create(const struct ela_host *host, void **ret_self)
{
	(void)host;
	(void)ret_self;
	return -ENOSYS; /* the tests make their own */
}

static void toy_destroy(void *self)
{
	(void)self;
}

static int toy_key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	struct toy *toy = self;
	struct toy_key *k;

	(void)suite;
	if (toy->flaw == (direction == ELA_CIPHER_SEAL ? KEY_SEAL : KEY_OPEN))
		return -ENOMEM;
	k = g_new0(struct toy_key, 1);
	k->toy = toy;
	memcpy(k->key, key, sizeof k->key);
	toy->n_keys++;
	*ret_key = k;
	return 0;
}

static void toy_key_free(void *key)
{
	struct toy_key *k = key;

	if (k == NULL)
		return;
	k->toy->n_keys--;
	g_free(k);
}

static bool is_random(const struct toy *toy)
{
	return toy->flaw == SOUND_RANDOM || toy->flaw == UNSAID_RANDOM;
}

static void mix(const struct toy *toy, const uint8_t *nonce, uint8_t extra, uint8_t out[12])
{
	memcpy(out, nonce, 12);
	if (is_random(toy))
		out[0] ^= extra;
	if (toy->flaw == SEAL_KEYSTREAM)
		out[1] ^= 0x55; /* both directions agree: only the recorded answer can tell */
	if (toy->flaw == OPEN_NONCE)
		memset(out, 0, 12);
}

static void toy_seal_one(struct toy *toy, const struct toy_key *k, struct ela_cipher_op *op)
{
	uint8_t nonce[12], extra = ++toy->counter;
	int err;

	mix(toy, op->nonce, extra, nonce);
	err = ela_chachapoly_seal(k->key, nonce, NULL, 0, op->src, op->len, op->dst);
	ck_assert_int_eq(err, 0);
	op->ret_len = op->len + TAG_LEN;
	if (is_random(toy))
		op->dst[op->ret_len++] = extra;
	if (toy->flaw == SEAL_LENGTH)
		op->ret_len = op->len + 2 * TAG_LEN;
	if (toy->flaw == SEAL_NO_TAG)
		op->ret_len = op->len;
	if (toy->flaw == SEAL_OVERRUN)
		op->dst[op->len + TAG_LEN + 1] ^= 1;
	if (toy->flaw == SEAL_IN_PLACE && op->src == op->dst)
		op->dst[0] ^= 1;
	op->verdict = toy->flaw == SEAL_FAILS ? -EIO : 0;
}

static uint32_t toy_seal(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	struct toy_key *k = key;
	uint32_t done = 0;

	if (k->toy->flaw == SEAL_BURST && n > 1)
		n = 1;
	for (uint32_t i = 0; i < n; i++) {
		toy_seal_one(k->toy, k, &ops[i]);
		done += ops[i].verdict == 0;
	}
	return done;
}

static int toy_open_checked(
	const struct toy *toy, const struct toy_key *k, const struct ela_cipher_op *op, uint32_t *ret_len)
{
	uint8_t nonce[12], extra = 0;
	uint32_t len = op->len;

	if (is_random(toy) && len > 0)
		extra = op->src[--len];
	if (len < TAG_LEN)
		return -EBADMSG;
	mix(toy, op->nonce, extra, nonce);
	*ret_len = len - TAG_LEN;
	return ela_chachapoly_open(k->key, nonce, NULL, 0, op->src, len, op->dst);
}

static void toy_open_flaws(enum flaw flaw, struct ela_cipher_op *op)
{
	if (op->verdict != 0) {
		if (flaw == OPEN_ACCEPTS || (flaw == OPEN_SHORT && op->len == PLAIN_LEN + TAG_LEN - 1) ||
			(flaw == OPEN_NOTHING && op->len == 0))
			op->verdict = 0;
		if (flaw == OPEN_VERDICT)
			op->verdict = -EIO;
		if (op->len > 0 && (flaw == OPEN_KEEPS || (flaw == OPEN_KEEPS_IN_PLACE && op->src == op->dst)))
			op->dst[op->len - 1] = 0x77;
		return;
	}
	if (flaw == OPEN_GARBLES && op->ret_len > 20)
		op->dst[20] ^= 1;
	if (flaw == OPEN_LENGTH)
		op->ret_len++;
	if (flaw == OPEN_OVERRUN)
		op->dst[op->len] ^= 1;
}

static uint32_t toy_open(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	struct toy_key *k = key;
	uint32_t done = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ela_cipher_op *op = &ops[i];
		uint32_t len = 0;

		op->verdict = toy_open_checked(k->toy, k, op, &len);
		if (op->verdict == 0)
			op->ret_len = len;
		else
			memset(op->dst, 0, op->len);
		toy_open_flaws(k->toy->flaw, op);
		done += op->verdict == 0;
		if (op->verdict != 0 && k->toy->flaw == OPEN_STOPS)
			break;
	}
	return k->toy->flaw == OPEN_COUNT ? n : done;
}

/* The recorded answer, made once by core's primitive, which has vectors of its own. */
static uint8_t known_key[32] = {1, 2, 3}, known_nonce[12] = {4, 5, 6}, known_plain[PLAIN_LEN] = {7, 8, 9};
static uint8_t known_sealed[PLAIN_LEN + TAG_LEN], random_sealed[PLAIN_LEN + TAG_LEN + 1];
static const struct ela_known_answer known = {
	.key = known_key,
	.nonce = known_nonce,
	.plain = known_plain,
	.sealed = known_sealed,
	.plain_len = PLAIN_LEN,
	.sealed_len = sizeof known_sealed,
};
static const struct ela_known_answer known_random = {
	.key = known_key,
	.nonce = known_nonce,
	.plain = known_plain,
	.sealed = random_sealed,
	.plain_len = PLAIN_LEN,
	.sealed_len = sizeof random_sealed,
};
static const struct ela_suite suites[] = {
	{.name = "toy", .key_len = 32, .overhead = TAG_LEN + 1, .known = &known, .n_known = 1},
	{.name = "toy-random",
		.key_len = 32,
		.overhead = TAG_LEN + 1,
		.known = &known_random,
		.n_known = 1,
		.is_random = 1},
};
static const struct ela_cipher_ops toy_ops = {
	.suites = suites,
	.n_suites = 2,
	.suite_size = sizeof(struct ela_suite),
	.create = toy_create,
	.destroy = toy_destroy,
	.key_new = toy_key_new,
	.key_free = toy_key_free,
	.seal = toy_seal,
	.open = toy_open,
};
static const struct ela_plugin toy_plugin = {
	.magic = ELA_PLUGIN_MAGIC,
	.abi_major = ELA_ABI_MAJOR,
	.abi_minor = ELA_ABI_MINOR,
	.kind = ELA_KIND_CIPHER,
	.ops_size = sizeof toy_ops,
	.name = "toy",
	.version = "1",
	.licence = "Apache-2.0",
	.summary = "a cipher with a flaw at choice",
	.ops = &toy_ops,
};

static void make_answers(void)
{
	uint8_t nonce[12];

	ck_assert_int_eq(ela_chachapoly_seal(known_key, known_nonce, NULL, 0, known_plain, PLAIN_LEN, known_sealed), 0);
	memcpy(nonce, known_nonce, sizeof nonce);
	nonce[0] ^= 0x99;
	ck_assert_int_eq(ela_chachapoly_seal(known_key, nonce, NULL, 0, known_plain, PLAIN_LEN, random_sealed), 0);
	random_sealed[PLAIN_LEN + TAG_LEN] = 0x99;
}

static const struct {
	enum flaw flaw;
	uint32_t suite;
	int err;
	const char *why; /* pattern; "" = passes */
} cases[] = {
	{SOUND, 0, 0, ""},
	{SOUND_RANDOM, 1, 0, ""},
	{UNSAID_RANDOM, 0, -EBADMSG,
		"suite toy: known answer of 40 bytes: found another sealed text, wanted the recorded one"},
	{SEAL_KEYSTREAM, 0, -EBADMSG, "suite toy: known answer of 40 bytes: found another sealed text*"},
	{SEAL_FAILS, 0, -EBADMSG, "suite toy: seal of 40 bytes: found verdict -5 and 0 done, wanted 0 and 1"},
	{SEAL_LENGTH, 0, -EBADMSG, "suite toy: seal of 40 bytes: found 72 sealed bytes, wanted 41..57"},
	{SEAL_NO_TAG, 0, -EBADMSG, "suite toy: seal of 40 bytes: found 40 sealed bytes, wanted 41..57"},
	{SEAL_OVERRUN, 0, -EBADMSG, "suite toy: seal of 40 bytes: found bytes written behind the buffer, wanted none"},
	{SEAL_IN_PLACE, 0, -EBADMSG, "suite toy: known answer of 40 bytes: found another sealed text*"},
	{SEAL_IN_PLACE, 1, -EBADMSG, "suite toy-random: open of 56 bytes: found verdict -74*"},
	{SEAL_BURST, 0, -EBADMSG, "suite toy: burst: found 1 of 3 sealed, wanted all"},
	{OPEN_ACCEPTS, 0, -EBADMSG, "suite toy: a flipped bit: found verdict 0 and 1 opened, wanted -74 and 0"},
	{OPEN_NONCE, 1, -EBADMSG, "suite toy-random: another nonce: found verdict 0 and 1 opened, wanted -74 and 0"},
	{OPEN_SHORT, 0, -EBADMSG, "suite toy: a cut end: found verdict 0 and 1 opened, wanted -74 and 0"},
	{OPEN_NOTHING, 0, -EBADMSG, "suite toy: nothing: found verdict 0 and 1 opened, wanted -74 and 0"},
	{OPEN_VERDICT, 0, -EBADMSG, "suite toy: a flipped bit: found verdict -5 and 0 opened, wanted -74 and 0"},
	{OPEN_COUNT, 0, -EBADMSG, "suite toy: a flipped bit: found verdict -74 and 1 opened, wanted -74 and 0"},
	{OPEN_KEEPS, 0, -EBADMSG, "suite toy: a flipped bit: found output bytes, wanted them wiped"},
	{OPEN_GARBLES, 0, -EBADMSG, "suite toy: open of 56 bytes: found other plaintext than was sealed, wanted the same"},
	{OPEN_LENGTH, 0, -EBADMSG, "suite toy: open of 56 bytes: found verdict 0 and length 41, wanted 0 and 40"},
	{OPEN_OVERRUN, 0, -EBADMSG, "suite toy: open of 56 bytes: found bytes written behind the buffer, wanted none"},
	{OPEN_STOPS, 0, -EBADMSG,
		"suite toy: burst with its second forged: found 1 opened and verdicts 0 -74 -2147483648*"},
	{OPEN_KEEPS_IN_PLACE, 0, -EBADMSG, "suite toy: burst: found output bytes of the forged one, wanted them wiped"},
	{KEY_SEAL, 0, -EIO, "suite toy: key_new: found error -12, wanted a key"},
	{KEY_OPEN, 0, -EIO, "suite toy: key_new: found error -12, wanted a key"},
	{KNOWN_PLAIN, 0, -EBADMSG, "suite toy: known answer of 40 bytes: found another sealed text*"},
	{SOUND, 2, -EINVAL, ""},
};

START_TEST(each_flaw)
{
	struct toy toy = {.flaw = cases[_i].flaw};
	static const char *const no_dirs[] = {NULL};
	struct ela_loader *loader = ela_loader_new(no_dirs);
	const struct ela_loaded *loaded;
	char why[200] = "";
	int err;

	make_answers();
	if (toy.flaw == KNOWN_PLAIN)
		known_sealed[3] ^= 1; /* the cipher is sound, its record is not */
	loaded = ela_loader_add(loader, &toy_plugin, NULL);
	ck_assert_ptr_nonnull(loaded);
	err = ela_cipher_selftest(loaded, &toy, cases[_i].suite, why, sizeof why);
	ck_assert_msg(err == cases[_i].err, "flaw %d: found %d (%s), wanted %d", (int)toy.flaw, err, why, cases[_i].err);
	ck_assert_msg(g_pattern_match_simple(cases[_i].why, why), "flaw %d: found %s", (int)toy.flaw, why);
	ck_assert_uint_eq(toy.n_keys, 0); /* all freed, on every way out */
	ela_loader_free(loader);
}
END_TEST

/* The reason fits where it is put. */
START_TEST(short_reason)
{
	struct toy toy = {.flaw = OPEN_ACCEPTS};
	static const char *const no_dirs[] = {NULL};
	struct ela_loader *loader = ela_loader_new(no_dirs);
	char why[12] = "12345678901";

	make_answers();
	ck_assert_int_eq(ela_cipher_selftest(ela_loader_add(loader, &toy_plugin, NULL), &toy, 0, why, 8), -EBADMSG);
	ck_assert_str_eq(why, "suite t");
	ck_assert_str_eq(why + 8, "901");
	ela_loader_free(loader);
}
END_TEST

static Suite *selftest_suite(void)
{
	Suite *suite = suite_create("selftest");
	TCase *tcase = tcase_create("flaws");

	tcase_add_loop_test(tcase, each_flaw, 0, (int)G_N_ELEMENTS(cases));
	tcase_add_test(tcase, short_reason);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(selftest_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
