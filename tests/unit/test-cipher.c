/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-cipher: every suite of the cipher plugins as they are loaded: known and recorded answers, bursts, in place and
 * out of place, forgeries, wrong keys, several threads, agreement of two providers, and blowfish's own rules. The
 * threads that it makes work on keys of their own.
 */
#include "cipher-fixture.h"
#include "hex.h"

#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LEN 65535u

/* All pairs of plugin and suite; ANSWERS and the file names come from meson.build. */
static const struct {
	const char *file, *suite;
} cases[] = {
	{CIPHER_AEAD, "aes-256-gcm"},
	{CIPHER_AEAD, "chacha20-poly1305"},
	{CIPHER_BLOWFISH, "blowfish-cbc"},
#ifdef CIPHER_IPSECMB
	{CIPHER_IPSECMB, "aes-256-gcm"},
#endif
};
#define N_CASES ((int)(sizeof cases / sizeof cases[0]))

START_TEST(descriptor)
{
	const struct ela_suite *s;
	struct cipher f;
	bool empty = false, weak = !strcmp(cases[_i].suite, "blowfish-cbc");

	cipher_open(&f, cases[_i].file, cases[_i].suite);
	s = f.suite;
	ck_assert_uint_eq(f.plugin->magic, ELA_PLUGIN_MAGIC);
	ck_assert_uint_eq(f.plugin->ops_size, sizeof(struct ela_cipher_ops));
	ck_assert_uint_eq(f.ops->suite_size, sizeof(struct ela_suite));
	ck_assert_uint_eq(s->key_len, weak ? 48 : 32);
	ck_assert_uint_eq(s->overhead, weak ? 32 : 16);
	ck_assert_uint_eq(s->flags, weak ? ELA_SUITE_WEAK : 0);
	ck_assert_uint_eq(s->is_random, weak);
	ck_assert_uint_eq(s->rekey_bytes, weak ? 32u << 20 : 0);
	ck_assert_uint_eq(s->max_bytes, weak ? 64u << 20 : 0);
	ck_assert_uint_ge(s->n_known, 2);
	for (uint32_t i = 0; i < s->n_known; i++)
		empty = empty || s->known[i].plain_len == 0;
	ck_assert(empty);
	cipher_close(&f);
	f.ops->destroy(NULL);
	f.ops->key_free(NULL);
}
END_TEST

/* seal gives the answer (unless random), open gives the text back; each out of place and in place. */
static void check_answer(const struct cipher *f, const struct ela_known_answer *a)
{
	void *seal = cipher_key(f, ELA_CIPHER_SEAL, a->key), *open = cipher_key(f, ELA_CIPHER_OPEN, a->key);
	uint8_t *sealed = malloc(a->plain_len + f->suite->overhead), *text = malloc(a->sealed_len);
	uint32_t len;

	ck_assert(sealed && text);
	for (int in_place = 0; in_place < 2; in_place++) {
		memcpy(sealed, a->plain, a->plain_len);
		ck_assert_int_eq(
			cipher_run(f->ops->seal, seal, a->nonce, in_place ? sealed : a->plain, sealed, a->plain_len, &len), 0);
		ck_assert_uint_eq(len, a->sealed_len);
		if (!f->suite->is_random)
			ck_assert_mem_eq(sealed, a->sealed, len);
		memcpy(text, a->sealed, a->sealed_len);
		ck_assert_int_eq(
			cipher_run(f->ops->open, open, a->nonce, in_place ? text : a->sealed, text, a->sealed_len, &len), 0);
		ck_assert_uint_eq(len, a->plain_len);
		ck_assert_mem_eq(text, a->plain, len);
	}
	free(text);
	free(sealed);
	f->ops->key_free(seal);
	f->ops->key_free(open);
}

START_TEST(known_answers)
{
	struct cipher f;

	cipher_open(&f, cases[_i].file, cases[_i].suite);
	for (uint32_t i = 0; i < f.suite->n_known; i++)
		check_answer(&f, &f.suite->known[i]);
	cipher_close(&f);
}
END_TEST

/* Fields of one line of the answers' file. */
static bool parse_answer(char *line, const char *suite, const struct ela_suite *s, struct ela_known_answer *ret)
{
	static uint8_t key[ELA_CIPHER_MAX_KEY], nonce[NONCE_LEN], plain[2048], sealed[2048];
	char *save = NULL, *name = strtok_r(line, " \n", &save), *field[4];

	if (!name || *name == '#' || strcmp(name, suite))
		return false;
	for (int i = 0; i < 4; i++) {
		field[i] = strtok_r(NULL, " \n", &save);
		ck_assert_ptr_nonnull(field[i]);
	}
	ck_assert_uint_eq(hex(field[0], key, sizeof key), s->key_len);
	ck_assert_uint_eq(hex(field[1], nonce, sizeof nonce), NONCE_LEN);
	*ret = (struct ela_known_answer){.key = key, .nonce = nonce, .plain = plain, .sealed = sealed};
	ret->plain_len = strcmp(field[2], "-") ? (uint32_t)hex(field[2], plain, sizeof plain) : 0;
	ret->sealed_len = (uint32_t)hex(field[3], sealed, sizeof sealed);
	return true;
}

START_TEST(recorded_answers)
{
	FILE *file = fopen(ANSWERS, "re");
	struct ela_known_answer answer;
	static char line[8192];
	struct cipher f;
	int n = 0;

	ck_assert_msg(file != NULL, "%s: %s", ANSWERS, strerror(errno));
	cipher_open(&f, cases[_i].file, cases[_i].suite);
	while (fgets(line, sizeof line, file))
		if (parse_answer(line, cases[_i].suite, f.suite, &answer)) {
			check_answer(&f, &answer);
			n++;
		}
	ck_assert_int_eq(n, 12);
	cipher_close(&f);
	(void)fclose(file);
}
END_TEST

START_TEST(lengths)
{
	static const uint32_t large[] = {1380, 1420, 4095, 4096, 16384, 65519, 65534, MAX_LEN};
	struct cipher f;
	struct cipher_pair pair;

	test_seed();
	cipher_open(&f, cases[_i].file, cases[_i].suite);
	cipher_pair_new(&f, &pair);
	for (int in_place = 0; in_place < 2; in_place++) {
		for (uint32_t len = 0; len <= 600; len++)
			cipher_round_trip(&f, &pair, len, in_place);
		for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
			cipher_round_trip(&f, &pair, large[i], in_place);
	}
	cipher_pair_free(&f, &pair);
	cipher_close(&f);
}
END_TEST

#define MAX_BURST 128
#define SLOT 2048

/* n messages sealed in one call and opened in another; those of "bad" are spoilt in between, and only they fail. */
static void burst(const struct cipher *f, const struct cipher_pair *pair, uint32_t n, bool in_place)
{
	static uint8_t plain[MAX_BURST][SLOT], sealed[MAX_BURST][SLOT], text[MAX_BURST][SLOT];
	struct ela_cipher_op ops[MAX_BURST] = {0};
	uint32_t len[MAX_BURST], n_bad = 0;
	bool bad[MAX_BURST];

	for (uint32_t i = 0; i < n; i++) {
		len[i] = (uint32_t)(test_random(&test_state) % 1500);
		bad[i] = n > 1 && test_random(&test_state) % 4 == 0;
		n_bad += bad[i];
		test_fill(&test_state, plain[i], len[i]);
		memcpy(sealed[i], plain[i], len[i]);
		ops[i] = (struct ela_cipher_op){
			.src = in_place ? sealed[i] : plain[i], .dst = sealed[i], .len = len[i], .verdict = 99};
		test_fill(&test_state, ops[i].nonce, NONCE_LEN);
	}
	ck_assert_uint_eq(f->ops->seal(pair->seal, ops, n), n);
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(ops[i].verdict, 0);
		sealed[i][test_random(&test_state) % ops[i].ret_len] ^= (uint8_t)(bad[i] ? 0x10 : 0);
		memcpy(text[i], sealed[i], ops[i].ret_len);
		ops[i].src = in_place ? text[i] : sealed[i];
		ops[i].dst = text[i];
		ops[i].len = ops[i].ret_len;
	}
	ck_assert_uint_eq(f->ops->open(pair->open, ops, n), n - n_bad);
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(ops[i].verdict, bad[i] ? -EBADMSG : 0);
		ck_assert_uint_eq(ops[i].ret_len, bad[i] ? 0 : len[i]);
		if (bad[i])
			assert_all(text[i], ops[i].len, 0, "not wiped");
		else
			ck_assert_mem_eq(text[i], plain[i], len[i]);
	}
}

START_TEST(bursts)
{
	struct cipher f;
	struct cipher_pair pair;

	test_seed();
	cipher_open(&f, cases[_i].file, cases[_i].suite);
	cipher_pair_new(&f, &pair);
	for (int round = 0; round < 8; round++) {
		burst(&f, &pair, 1, round % 2);
		burst(&f, &pair, 64, round % 2);
		burst(&f, &pair, 128, round % 2);
	}
	ck_assert_uint_eq(f.ops->seal(pair.seal, NULL, 0), 0);
	ck_assert_uint_eq(f.ops->open(pair.open, NULL, 0), 0);
	cipher_pair_free(&f, &pair);
	cipher_close(&f);
}
END_TEST

/* Each bit of sealed message, nonce; each cut, a byte more; another key. Then the good message is still accepted. */
static void forge(const struct cipher *f, const struct cipher_pair *pair, uint32_t len)
{
	uint8_t plain[128], sealed[256] = {0}, text[256], nonce[NONCE_LEN];
	struct cipher_pair other;
	uint32_t sealed_len, text_len;

	test_fill(&test_state, plain, len);
	test_fill(&test_state, nonce, sizeof nonce);
	ck_assert_int_eq(cipher_run(f->ops->seal, pair->seal, nonce, plain, sealed, len, &sealed_len), 0);
	for (uint32_t bit = 0; bit < 8 * sealed_len; bit++) { /* the last 128 are the tag's */
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cipher_refuse(f, pair->open, nonce, sealed, sealed_len);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (uint32_t bit = 0; bit < 8 * NONCE_LEN; bit++) {
		nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cipher_refuse(f, pair->open, nonce, sealed, sealed_len);
		nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (uint32_t cut = 0; cut <= sealed_len + 9; cut++)
		if (cut != sealed_len)
			cipher_refuse(f, pair->open, nonce, sealed, cut);
	cipher_pair_new(f, &other);
	cipher_refuse(f, other.open, nonce, sealed, sealed_len);
	cipher_pair_free(f, &other);
	ck_assert_int_eq(cipher_run(f->ops->open, pair->open, nonce, sealed, text, sealed_len, &text_len), 0);
	ck_assert_uint_eq(text_len, len);
	ck_assert_mem_eq(text, plain, len);
}

START_TEST(forgeries)
{
	static const uint32_t lens[] = {0, 1, 8, 16, 33, 100};
	struct cipher f;
	struct cipher_pair pair;

	test_seed();
	cipher_open(&f, cases[_i].file, cases[_i].suite);
	cipher_pair_new(&f, &pair);
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
		forge(&f, &pair, lens[i]);
	cipher_pair_free(&f, &pair);
	cipher_close(&f);
}
END_TEST

START_TEST(misuse)
{
	uint8_t nonce[NONCE_LEN] = {0}, plain[64] = {1}, out[128];
	struct cipher f, second;
	void *key = &f;
	struct cipher_pair pair;
	uint32_t len;

	test_seed();
	cipher_open(&f, cases[_i].file, cases[_i].suite);
	cipher_pair_new(&f, &pair);
	ck_assert_int_eq(f.ops->key_new(f.self, f.ops->n_suites, ELA_CIPHER_SEAL, pair.bytes, &key), -EINVAL);
	ck_assert_int_eq(f.ops->key_new(f.self, f.number, 2, pair.bytes, &key), -EINVAL);
	ck_assert_ptr_eq(key, &f);
	/* a key of the other direction */
	memset(out, 0x55, sizeof out);
	ck_assert_int_eq(cipher_run(f.ops->seal, pair.open, nonce, plain, out, sizeof plain, &len), -EINVAL);
	assert_all(out, sizeof plain + f.suite->overhead, 0, "not wiped");
	ck_assert_int_eq(cipher_run(f.ops->open, pair.seal, nonce, plain, out, sizeof plain, &len), -EINVAL);
	/* instances do not touch each other */
	cipher_open(&second, cases[_i].file, cases[_i].suite);
	cipher_close(&second);
	cipher_round_trip(&f, &pair, 100, false);
	cipher_pair_free(&f, &pair);
	cipher_close(&f);
}
END_TEST

/* What one thread does with keys of its own; n_bad counts what went wrong, as Check's assertions are not for threads.
 */
struct lane {
	const struct cipher *f;
	struct cipher_pair pair;
	uint64_t state;
	uint32_t n_bad;
};

static void *lane_main(void *data)
{
	struct lane *lane = data;
	const struct ela_cipher_ops *ops = lane->f->ops;
	uint8_t plain[1400], sealed[1500];

	for (int i = 0; i < 4000; i++) {
		struct ela_cipher_op op = {.src = plain, .dst = sealed, .len = (uint32_t)i % sizeof plain};

		test_fill(&lane->state, plain, op.len);
		test_fill(&lane->state, op.nonce, NONCE_LEN);
		lane->n_bad += ops->seal(lane->pair.seal, &op, 1) != 1;
		op.src = sealed;
		op.len = op.ret_len;
		lane->n_bad += ops->open(lane->pair.open, &op, 1) != 1;
		lane->n_bad += op.ret_len != (uint32_t)i % sizeof plain || memcmp(sealed, plain, op.ret_len) != 0;
	}
	return NULL;
}

START_TEST(threads)
{
	struct lane lanes[4] = {0};
	pthread_t ids[4];
	struct cipher f;

	test_seed();
	cipher_open(&f, cases[_i].file, cases[_i].suite);
	for (int i = 0; i < 4; i++) {
		lanes[i].f = &f;
		lanes[i].state = test_random(&test_state) | 1;
		cipher_pair_new(&f, &lanes[i].pair);
		ck_assert_int_eq(pthread_create(&ids[i], NULL, lane_main, &lanes[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
		ck_assert_uint_eq(lanes[i].n_bad, 0);
		cipher_pair_free(&f, &lanes[i].pair);
	}
	cipher_close(&f);
}
END_TEST

#ifdef CIPHER_IPSECMB
/* What one provider seals the other opens, and both make the same bytes. */
START_TEST(interoperability)
{
	static uint8_t plain[MAX_LEN + 64], sealed[2][MAX_LEN + 64], text[MAX_LEN + 64];
	struct cipher f[2];
	struct cipher_pair pair[2];
	uint32_t sealed_len[2], text_len;

	test_seed();
	cipher_open(&f[0], CIPHER_AEAD, "aes-256-gcm");
	cipher_open(&f[1], CIPHER_IPSECMB, "aes-256-gcm");
	test_fill(&test_state, plain, sizeof plain);
	for (int i = 0; i < 10000; i++) {
		uint32_t len = (uint32_t)(test_random(&test_state) % (MAX_LEN + 1)),
				 from = (uint32_t)(test_random(&test_state) % 64);
		uint8_t nonce[NONCE_LEN];

		if (i % 100 == 0) {
			cipher_pair_new(&f[0], &pair[0]);
			pair[1].seal = cipher_key(&f[1], ELA_CIPHER_SEAL, pair[0].bytes);
			pair[1].open = cipher_key(&f[1], ELA_CIPHER_OPEN, pair[0].bytes);
		}
		test_fill(&test_state, nonce, sizeof nonce);
		for (int p = 0; p < 2; p++)
			ck_assert_int_eq(
				cipher_run(f[p].ops->seal, pair[p].seal, nonce, plain + from, sealed[p], len, &sealed_len[p]), 0);
		ck_assert_uint_eq(sealed_len[0], sealed_len[1]);
		ck_assert(memcmp(sealed[0], sealed[1], sealed_len[0]) == 0);
		for (int p = 0; p < 2; p++) {
			ck_assert_int_eq(
				cipher_run(f[p].ops->open, pair[p].open, nonce, sealed[!p], text, sealed_len[!p], &text_len), 0);
			ck_assert_uint_eq(text_len, len);
			ck_assert(memcmp(text, plain + from, len) == 0);
		}
		if (i % 100 == 99) {
			cipher_pair_free(&f[0], &pair[0]);
			cipher_pair_free(&f[1], &pair[1]);
		}
	}
	cipher_close(&f[1]);
	cipher_close(&f[0]);
}
END_TEST
#endif

/* No IV comes twice, whether a burst or single calls take them, and the text never shows. */
START_TEST(blowfish_random)
{
	static uint8_t sealed[600][48];
	const uint8_t plain[8] = "blowfish", nonce[NONCE_LEN] = {0};
	struct cipher f;
	struct cipher_pair pair;
	uint32_t len;

	test_seed();
	cipher_open(&f, CIPHER_BLOWFISH, "blowfish-cbc");
	cipher_pair_new(&f, &pair);
	for (int i = 0; i < 600; i++) {
		ck_assert_int_eq(cipher_run(f.ops->seal, pair.seal, nonce, plain, sealed[i], sizeof plain, &len), 0);
		ck_assert_uint_eq(len, 8 + 16 + 16);
		for (int j = 0; j < i; j++)
			for (int at = 0; at < 40; at += 8) /* IV, both blocks, both halves of the MAC */
				if (memcmp(sealed[i] + at, sealed[j] + at, 8) == 0)
					ck_abort_msg("messages %d and %d are alike at %d", j, i, at);
	}
	cipher_pair_free(&f, &pair);
	cipher_close(&f);
}
END_TEST

/* The legacy provider stays the plugin's own. */
START_TEST(blowfish_private_provider)
{
	struct cipher f;

	cipher_open(&f, CIPHER_BLOWFISH, "blowfish-cbc");
	ck_assert_ptr_null(EVP_CIPHER_fetch(NULL, "BF-CBC", NULL));
	cipher_close(&f);
}
END_TEST

START_TEST(blowfish_without_legacy)
{
	const struct ela_plugin *plugin = test_plugin_load(CIPHER_BLOWFISH);
	const struct ela_cipher_ops *ops = plugin->ops;
	struct test_host *th = test_host_new(plugin, 1, NULL);
	char folder[] = "/tmp/ela-test-cipher-XXXXXX";
	void *self = &th;
	int err;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(setenv("OPENSSL_MODULES", folder, 1), 0);
	err = ops->create(&th->host, &self);
	ck_assert_int_eq(unsetenv("OPENSSL_MODULES"), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(err, -ENOTSUP);
	ck_assert_ptr_eq(self, &th);
	ck_assert_ptr_nonnull(strstr(test_host_log(th), "libssl3"));
	ck_assert_ptr_nonnull(strstr(test_host_log(th), "legacy.so"));
	ck_assert_ptr_nonnull(strstr(test_host_log(th), folder));
	ck_assert_int_eq(test_host_log(th)[0], 'E');
	ck_assert_ptr_eq(strchr(test_host_log(th), '\n'), strrchr(test_host_log(th), '\n'));
	test_host_free(th);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cipher");
	TCase *all = tcase_create("each suite"), *blowfish = tcase_create("blowfish"), *both = tcase_create("both");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(all, descriptor, 0, N_CASES);
	tcase_add_loop_test(all, known_answers, 0, N_CASES);
	tcase_add_loop_test(all, recorded_answers, 0, N_CASES);
	tcase_add_loop_test(all, lengths, 0, N_CASES);
	tcase_add_loop_test(all, bursts, 0, N_CASES);
	tcase_add_loop_test(all, forgeries, 0, N_CASES);
	tcase_add_loop_test(all, misuse, 0, N_CASES);
	tcase_add_loop_test(all, threads, 0, N_CASES);
	tcase_set_timeout(all, 120);
	suite_add_tcase(suite, all);
	tcase_add_test(blowfish, blowfish_random);
	tcase_add_test(blowfish, blowfish_private_provider);
	tcase_add_test(blowfish, blowfish_without_legacy);
	tcase_set_timeout(blowfish, 60);
	suite_add_tcase(suite, blowfish);
#ifdef CIPHER_IPSECMB
	tcase_add_test(both, interoperability);
#endif
	tcase_set_timeout(both, 300);
	suite_add_tcase(suite, both);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
