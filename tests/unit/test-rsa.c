/* SPDX-License-Identifier: Apache-2.0 */
/* test-rsa: keys that are taken and refused, key files, signatures; Ed25519 beside them. One thread. */
#include "file.h"
#include "hex.h"
#include "rsa.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static void setup(void)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-rsa-XXXXXX", NULL);

	dir = g_strdup(mkdtemp(template));
	ck_assert_ptr_nonnull(dir);
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	ck_assert_int_eq(system(command), 0);
	g_free(dir);
}

START_TEST(test_generate)
{
	static const uint32_t wrong[] = {0, 512, 1024, 2048, 3064, 3073, 4095, 4104, 8192, UINT32_MAX};
	struct ela_rsa *key = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		ck_assert_int_eq(ela_rsa_generate(wrong[i], &key), -EINVAL);
	ck_assert_ptr_null(key);
	ck_assert_int_eq(ela_rsa_generate(ELA_RSA_DEFAULT_BITS, &key), 0);
	ck_assert_uint_eq(ela_rsa_public(key)->len, 422);
	ck_assert_uint_eq(ela_rsa_signature_len(ela_rsa_public(key)), 384);
	ela_rsa_free(key);
}
END_TEST

/* Every changed bit outside of the modulus, every length: another form, so no key. */
START_TEST(test_public_form)
{
	struct ela_rsa *key = world_key("owner"), *long_key = world_key("next");
	struct ela_rsa_public public_key = *ela_rsa_public(key), ret = {.len = 7};
	uint8_t der[ELA_RSA_MAX_DER + 1] = {0};

	ck_assert_uint_eq(ela_rsa_public(long_key)->len, ELA_RSA_MAX_DER);
	ck_assert_int_eq(ela_rsa_public_parse(public_key.der, public_key.len, &ret), 0);
	ck_assert_mem_eq(ret.hash, public_key.hash, ELA_HASH_LEN);
	memcpy(der, public_key.der, public_key.len);
	for (uint32_t bit = 0; bit < 8 * public_key.len; bit++) {
		uint32_t byte = bit / 8;
		bool in_modulus = byte >= 33 && byte < 33 + 384;
		/* its top bit says how long it is; an even number is no modulus */
		bool matters = !in_modulus || (byte == 33 && bit % 8 == 7) || (byte == 33 + 383 && bit % 8 == 0);

		der[byte] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(ela_rsa_public_parse(der, public_key.len, &ret), matters ? -EBADMSG : 0);
		der[byte] ^= (uint8_t)(1u << bit % 8);
	}
	for (uint32_t len = 0; len < sizeof der; len++)
		ck_assert_int_eq(ela_rsa_public_parse(der, len, &ret), len == public_key.len ? 0 : -EBADMSG);
	ela_rsa_free(key);
	ela_rsa_free(long_key);
}
END_TEST

START_TEST(test_signatures)
{
	struct ela_rsa *key = world_key("owner"), *other = world_key("sada");
	const struct ela_rsa_public *public_key = ela_rsa_public(key);
	uint8_t signature[ELA_RSA_MAX_SIGNATURE], again[ELA_RSA_MAX_SIGNATURE];

	ck_assert_int_eq(ela_rsa_sign(key, "ela", 3, signature), 0);
	ck_assert_int_eq(ela_rsa_sign(key, "ela", 3, again), 0);
	ck_assert_mem_ne(signature, again, 384); /* the salt */
	ck_assert_int_eq(ela_rsa_verify(public_key, "ela", 3, signature, 384), 0);
	ck_assert_int_eq(ela_rsa_verify(public_key, "ela", 3, again, 384), 0);
	ck_assert_int_eq(ela_rsa_verify(public_key, "elb", 3, signature, 384), -EBADMSG);
	ck_assert_int_eq(ela_rsa_verify(public_key, "ela", 2, signature, 384), -EBADMSG);
	ck_assert_int_eq(ela_rsa_verify(public_key, "ela", 3, signature, 383), -EBADMSG);
	ck_assert_int_eq(ela_rsa_verify(public_key, "ela", 3, signature, 0), -EBADMSG);
	ck_assert_int_eq(ela_rsa_verify(ela_rsa_public(other), "ela", 3, signature, 384), -EBADMSG);
	for (uint32_t bit = 0; bit < 8 * 384; bit++) {
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(ela_rsa_verify(public_key, "ela", 3, signature, 384), -EBADMSG);
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ela_rsa_free(key);
	ela_rsa_free(other);
}
END_TEST

/* Made by "openssl dgst -sha256 -sigopt rsa_padding_mode:..." over "ela". Only the first is ours. */
START_TEST(test_other_paddings)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {{"pss-32", 0}, {"pss-20", -EBADMSG}, {"pss-mgf1-sha1", -EBADMSG}, {"pkcs1", -EBADMSG}};
	g_autofree char *path = g_strdup_printf("%s/%s.sig", KEYS, cases[_i].name), *signature = NULL;
	struct ela_rsa *key = world_key("owner");
	gsize len;

	ck_assert(g_file_get_contents(path, &signature, &len, NULL));
	ck_assert_int_eq(ela_rsa_verify(ela_rsa_public(key), "ela", 3, (const uint8_t *)signature, len), cases[_i].err);
	ela_rsa_free(key);
}
END_TEST

START_TEST(test_files)
{
	struct ela_rsa *key = world_key("owner"), *again = NULL;
	g_autofree char *file = g_build_filename(dir, "owner.key", NULL);
	g_autoptr(GError) error = NULL;
	struct stat st;

	ck_assert_int_eq(ela_rsa_write(key, dir, "owner.key", NULL), 0);
	ck_assert_int_eq(lstat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(ela_rsa_read(file, &again, NULL), 0);
	ck_assert_mem_eq(ela_rsa_public(again)->hash, ela_rsa_public(key)->hash, ELA_HASH_LEN);
	ela_rsa_free(again);
	ck_assert_int_eq(ela_rsa_write(key, dir, "owner.key", &error), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error->message, "never overwritten"));
	ck_assert_int_eq(chmod(file, 0640), 0);
	ck_assert_int_eq(ela_rsa_read(file, &again, NULL), -EPERM);
	ela_rsa_free(key);
}
END_TEST

static void put(const char *text, gssize len)
{
	g_autofree char *file = g_build_filename(dir, "x.pem", NULL);

	ck_assert(g_file_set_contents(file, text, len, NULL));
	ck_assert_int_eq(chmod(file, 0600), 0);
}

static void expect_refusal(const char *words)
{
	g_autofree char *file = g_build_filename(dir, "x.pem", NULL);
	g_autoptr(GError) error = NULL;
	struct ela_rsa *key = NULL;

	ck_assert_int_eq(ela_rsa_read(file, &key, &error), -EINVAL);
	ck_assert_ptr_null(key);
	ck_assert_msg(strstr(error->message, words) != NULL, "found %s", error->message);
}

START_TEST(test_file_refusals)
{
	static const char *const names[] = {"short.pem", "three.pem", "ec.pem", "encrypted.pem"};
	g_autofree char *good_path = g_build_filename(KEYS, "owner.pem", NULL), *good = NULL;
	gsize len;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(KEYS, names[i], NULL), *text = NULL;

		ck_assert(g_file_get_contents(path, &text, NULL, NULL));
		put(text, -1);
		expect_refusal(i == 3 ? "expected not encrypted PEM" : "expected PEM of an RSA key of 3072 to 4096 bits");
	}
	ck_assert(g_file_get_contents(good_path, &good, &len, NULL));
	for (gsize cut = 0; cut + 30 < len; cut += 7) {
		put(good, (gssize)cut);
		expect_refusal("holds no key");
	}
}
END_TEST

/* RFC 8032, 7.1: TEST 2. */
START_TEST(test_ed25519)
{
	uint8_t secret[32], key[32], out[64], wanted[64], wanted_key[32];

	(void)hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", secret, 32);
	(void)hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", wanted_key, 32);
	(void)hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
			  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		wanted, 64);
	ck_assert_int_eq(ela_ed25519_public(secret, key), 0);
	ck_assert_mem_eq(key, wanted_key, 32);
	ck_assert_int_eq(ela_ed25519_sign(secret, "\x72", 1, out), 0);
	ck_assert_mem_eq(out, wanted, 64);
	ck_assert_int_eq(ela_ed25519_verify(key, "\x72", 1, out), 0);
	ck_assert_int_eq(ela_ed25519_verify(key, "\x73", 1, out), -EBADMSG);
	ck_assert_int_eq(ela_ed25519_verify(key, "\x72", 0, out), -EBADMSG);
	for (uint32_t bit = 0; bit < 8 * 64; bit++) {
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(ela_ed25519_verify(key, "\x72", 1, out), -EBADMSG);
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

/* ---- files that are replaced ---- */

static int fail_at; /* the call that fails: 1 write, 2 fsync of the file, 3 rename, 4 fsync of the folder */
static int calls_of_fsync;

static ssize_t failing_write(int fd, const void *bytes, size_t len)
{
	if (fail_at == 1 && len < 3) { /* some of it arrives first */
		errno = ENOSPC;
		return -1;
	}
	return write(fd, bytes, fail_at == 1 ? len - 2 : len);
}

static int failing_fsync(int fd)
{
	calls_of_fsync++;
	if (fail_at == (calls_of_fsync == 1 ? 2 : 4)) {
		errno = EIO;
		return -1;
	}
	return fsync(fd);
}

static int failing_rename(int from_dir, const char *from, int to_dir, const char *to)
{
	if (fail_at == 3) {
		errno = EIO;
		return -1;
	}
	return renameat(from_dir, from, to_dir, to);
}

static const struct ela_file_ops failing = {failing_write, failing_fsync, failing_rename};

START_TEST(test_replace)
{
	static const int errors[] = {0, -ENOSPC, -EIO, -EIO, -EIO};
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	g_autoptr(GBytes) bytes = NULL, small = NULL;
	GDir *listing;
	int n = 0;

	ck_assert_int_eq(ela_file_get(dirfd, "f", 100, &bytes), -ENOENT);
	ck_assert_int_eq(ela_file_put(&ela_file_system, dirfd, "f", ELA_FILE_REPLACE, "older", 5), 0);
	fail_at = _i;
	calls_of_fsync = 0;
	ck_assert_int_eq(ela_file_put(&failing, dirfd, "f", ELA_FILE_REPLACE, "newer", 5), errors[_i]);
	ck_assert_int_eq(ela_file_get(dirfd, "f", 5, &bytes), 0);
	ck_assert_mem_eq(g_bytes_get_data(bytes, NULL), _i == 0 || _i == 4 ? "newer" : "older", 5);
	ck_assert_int_eq(ela_file_get(dirfd, "f", 4, &small), -EFBIG);
	ck_assert_int_eq(close(dirfd), 0);
	listing = g_dir_open(dir, 0, NULL);
	while (g_dir_read_name(listing))
		n++;
	g_dir_close(listing);
	ck_assert_int_eq(n, 1); /* nothing temporary stays */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rsa");
	TCase *tc = tcase_create("rsa");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_generate);
	tcase_add_test(tc, test_public_form);
	tcase_add_test(tc, test_signatures);
	tcase_add_loop_test(tc, test_other_paddings, 0, 4);
	tcase_add_test(tc, test_files);
	tcase_add_test(tc, test_file_refusals);
	tcase_add_test(tc, test_ed25519);
	tcase_add_loop_test(tc, test_replace, 0, 5);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
