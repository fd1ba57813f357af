/* SPDX-License-Identifier: Apache-2.0 */
/* test-keys: base64, key files that are read or refused, keygen that never overwrites. One thread. */
#include "crypto.h"
#include "keys.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

static char *dir;

static void setup(void)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-keys-XXXXXX", NULL);

	dir = g_strdup(mkdtemp(template));
	ck_assert_ptr_nonnull(dir);
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	ck_assert_int_eq(system(command), 0);
	g_free(dir);
}

static char *in_dir(const char *name)
{
	return g_build_filename(dir, name, NULL);
}

static uint32_t count_files(void)
{
	DIR *open_dir = opendir(dir);
	uint32_t n = 0;

	ck_assert_ptr_nonnull(open_dir);
	for (const struct dirent *e; (e = readdir(open_dir)) != NULL;)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	ck_assert_int_eq(closedir(open_dir), 0);
	return n;
}

START_TEST(base64)
{
	static const char *const wrong[] = {
		"",
		"abc",
		KEY "=",
		" " KEY,
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=", /* stray bits */
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==", /* 31 bytes */
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmoo", /* 33 bytes */
		"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=", /* the URL alphabet */
		"hSDwCYkwp1R0i33c D73Wg2/Og0mOBr066SpjqqbTmo=",
		"=SDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
		"\xc3\xa4"
		"DwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
	};
	uint8_t key[ELA_KEY_LEN], untouched[ELA_KEY_LEN];
	char text[ELA_KEY_TEXT];

	ck_assert_int_eq(ela_key_decode(KEY, key), 0);
	ck_assert_uint_eq(key[0], 0x85);
	ck_assert_uint_eq(key[31], 0x6a);
	ela_key_encode(key, text);
	ck_assert_str_eq(text, KEY);
	memcpy(untouched, key, sizeof key);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		ck_assert_msg(ela_key_decode(wrong[i], key) == -EINVAL, "accepted %s", wrong[i]);
	ck_assert_mem_eq(key, untouched, sizeof key);
}
END_TEST

START_TEST(names)
{
	g_autofree char *longest = g_strnfill(63, 'a');
	g_autofree char *longer = g_strnfill(64, 'a');

	ck_assert(ela_key_is_name("a"));
	ck_assert(ela_key_is_name("A-z_0.9"));
	ck_assert(ela_key_is_name(longest));
	ck_assert(!ela_key_is_name(longer));
	ck_assert(!ela_key_is_name(""));
	ck_assert(!ela_key_is_name(".a"));
	ck_assert(!ela_key_is_name("a/b"));
	ck_assert(!ela_key_is_name("a b"));
	ck_assert(!ela_key_is_name("\xc3\xa4"));
}
END_TEST

START_TEST(makes_a_pair)
{
	char public_b64[ELA_KEY_TEXT], other_b64[ELA_KEY_TEXT], expected[ELA_KEY_TEXT];
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	g_autofree char *file = in_dir("a.key");
	g_autofree char *other = in_dir("b.key");
	struct stat st;
	mode_t old = umask(0);

	ck_assert_int_eq(ela_keygen(dir, "a", public_b64, NULL), 0);
	umask(0777);
	ck_assert_int_eq(ela_keygen(dir, "b", other_b64, NULL), 0);
	umask(old);
	ck_assert_str_ne(public_b64, other_b64);
	ck_assert_uint_eq(count_files(), 2); /* and no temporary one */
	ck_assert_int_eq(lstat(other, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(lstat(file, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(st.st_size, 45);
	ck_assert_int_eq(ela_key_read(file, private_key, NULL), 0);
	ck_assert_int_eq(ela_x25519_public(private_key, public_key), 0);
	ela_key_encode(public_key, expected);
	ck_assert_str_eq(public_b64, expected);
	ck_assert_int_eq(ela_key_public(file, public_b64, NULL), 0);
	ck_assert_str_eq(public_b64, expected);
	ck_assert_int_eq(ela_key_public(other, public_b64, NULL), 0);
	ck_assert_str_eq(public_b64, other_b64);
}
END_TEST

static void expect_refusal(const char *in, const char *name, int err, const char *what)
{
	char public_b64[ELA_KEY_TEXT] = "untouched";
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(ela_keygen(in, name, public_b64, &error), err);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error->message, what) != NULL, "found %s, wanted %s", error->message, what);
	ck_assert_str_eq(public_b64, "untouched");
}

START_TEST(never_overwrites)
{
	static const char precious[] = "precious";
	g_autofree char *file = in_dir("a.key");
	g_autofree char *link = in_dir("b.key");
	g_autofree char *target = in_dir("target");
	g_autofree char *content = NULL;
	struct stat st;

	ck_assert(g_file_set_contents(file, precious, -1, NULL));
	expect_refusal(dir, "a", -EEXIST, "exists already and is never overwritten; \"elad pubkey ");
	ck_assert(g_file_get_contents(file, &content, NULL, NULL));
	ck_assert_str_eq(content, precious);
	/* a link that points nowhere is not followed either */
	ck_assert_int_eq(symlink(target, link), 0);
	expect_refusal(dir, "b", -EEXIST, "exists already");
	ck_assert_int_eq(lstat(target, &st), -1);
	ck_assert_uint_eq(count_files(), 2);
}
END_TEST

START_TEST(refusals)
{
	g_autofree char *none = in_dir("none");
	g_autofree char *file = in_dir("file");

	expect_refusal(none, "a", -ENOENT, "no such folder; make it first: mkdir -p ");
	ck_assert(g_file_set_contents(file, "", 0, NULL));
	expect_refusal(file, "a", -ENOTDIR, "cannot be opened: Not a directory");
	expect_refusal(dir, "../a", -EINVAL, "bad name \"../a\"; expected 1..63 of");
	expect_refusal(dir, "", -EINVAL, "bad name");
	expect_refusal(dir, ".a", -EINVAL, "bad name");
	ck_assert_uint_eq(count_files(), 1);
	ck_assert_int_eq(chmod(dir, 0555), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0); /* root writes everywhere */
	expect_refusal(dir, "a", -EACCES, "choose a folder that you may write to");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

static const struct {
	const char *content;
	mode_t mode;
	int err;
	const char *what;
} files[] = {
	{KEY "\n", 0600, 0, NULL},
	{KEY, 0600, 0, NULL},
	{KEY "\n", 0400, 0, NULL},
	{KEY "\n", 0640, -EPERM, "mode is 0640, open to group or others; expected 0600"},
	{KEY "\n", 0620, -EPERM, "mode is 0620"},
	{KEY "\n", 0610, -EPERM, "mode is 0610"},
	{KEY "\n", 0604, -EPERM, "mode is 0604"},
	{"", 0600, -EINVAL, "holds no key; expected one line of base64"},
	{"\n", 0600, -EINVAL, "holds no key"},
	{KEY "\r\n", 0600, -EINVAL, "holds no key"},
	{KEY "\n\n", 0600, -EINVAL, "holds no key"},
	{KEY " \n", 0600, -EINVAL, "holds no key"},
	{KEY "\n" KEY "\n", 0600, -EINVAL, "holds no key"},
	{"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==\n", 0600, -EINVAL, "holds no key"},
};

START_TEST(each_file)
{
	g_autofree char *file = in_dir("x.key");
	g_autoptr(GError) error = NULL;
	char public_b64[ELA_KEY_TEXT] = "untouched";
	uint8_t key[ELA_KEY_LEN] = {0};
	int err;

	ck_assert(g_file_set_contents(file, files[_i].content, -1, NULL));
	ck_assert_int_eq(chmod(file, files[_i].mode), 0);
	err = ela_key_read(file, key, &error);
	ck_assert_int_eq(err, files[_i].err);
	ck_assert_int_eq(ela_key_public(file, public_b64, NULL), err);
	ck_assert_int_eq(strcmp(public_b64, "untouched") == 0, err != 0);
	ck_assert_uint_eq(key[0], err == 0 ? 0x85 : 0);
	if (err != 0)
		ck_assert_msg(strstr(error->message, files[_i].what) != NULL, "%s", error->message);
	else
		ck_assert_ptr_null(error);
}
END_TEST

START_TEST(odd_files)
{
	g_autofree char *fifo = in_dir("fifo");
	g_autofree char *none = in_dir("none");
	uint8_t key[ELA_KEY_LEN];

	ck_assert_int_eq(ela_key_read(none, key, NULL), -ENOENT);
	ck_assert_int_eq(ela_key_read(dir, key, NULL), -EINVAL);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(ela_key_read(fifo, key, NULL), -EINVAL); /* and does not wait for a writer */
}
END_TEST

START_TEST(key_of_another)
{
	g_autofree char *file = in_dir("a.key");
	char public_b64[ELA_KEY_TEXT];
	g_autoptr(GError) error = NULL;
	uint8_t key[ELA_KEY_LEN];

	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_int_eq(ela_keygen(dir, "a", public_b64, NULL), 0);
	ck_assert_int_eq(chown(file, 65534, 65534), 0);
	ck_assert_int_eq(ela_key_read(file, key, &error), -EPERM);
	ck_assert_ptr_nonnull(strstr(error->message, "owned by uid 65534; expected uid 0 or root"));
	/* its owner may */
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(ela_key_read(file, key, NULL), 0);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

static Suite *keys_suite(void)
{
	Suite *suite = suite_create("keys");
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, base64);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, makes_a_pair);
	tcase_add_test(tcase, never_overwrites);
	tcase_add_test(tcase, refusals);
	tcase_add_loop_test(tcase, each_file, 0, (int)G_N_ELEMENTS(files));
	tcase_add_test(tcase, odd_files);
	tcase_add_test(tcase, key_of_another);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(keys_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
