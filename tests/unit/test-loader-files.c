/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-loader-files: plugins as files, broken one property at a time: content (tests/plugins/broken, whose folder is
 * the environment variable ELA_BROKEN_PLUGINS), names, modes, owners, links, and a file that is exchanged all the time.
 */
#include "fake-plugins.h"
#include "loader.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXCHANGES 150
#define LONG33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char *dir; /* fresh, 0700, under the sticky folder for temporary files */

static void setup(void)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-loader-XXXXXX", NULL);

	dir = g_strdup(mkdtemp(template));
	ck_assert_ptr_nonnull(dir);
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	ck_assert_int_eq(system(command), 0);
	g_free(dir);
}

/* Copies plugin from of tests/plugins/broken to folder/to (a new inode), mode 0644; its path. g_free. */
static char *install(const char *from, const char *folder, const char *to)
{
	g_autofree char *source = g_strdup_printf("%s/%s.so", g_getenv("ELA_BROKEN_PLUGINS"), from);
	char *target = g_build_filename(folder, to, NULL);
	g_autofree char *content = NULL;
	g_autoptr(GError) error = NULL;
	gsize len;

	ck_assert_msg(g_file_get_contents(source, &content, &len, &error), "%s", error ? error->message : "");
	ck_assert(g_file_set_contents(target, content, (gssize)len, NULL));
	ck_assert_int_eq(chmod(target, 0644), 0);
	return target;
}

static struct ela_loader *loader_new(const char *dir1, const char *dir2)
{
	const char *dirs[] = {dir1, dir2, NULL};

	return ela_loader_new(dirs);
}

static void expect_error(const GError *error, int code, const char *pattern)
{
	g_autofree char *free_ends = g_strdup_printf("*%s*", pattern);

	ck_assert_ptr_nonnull(error);
	ck_assert(error->domain == ELA_LOADER_ERROR);
	ck_assert_msg(error->code == code && g_pattern_match_simple(free_ends, error->message), "found %d %s\nwanted %d %s",
		error->code, error->message, code, free_ends);
}

/* dir/npd-NAME.so by its name: refused so. */
static void expect_load(const char *name, int code, const char *pattern)
{
	struct ela_loader *loader = loader_new(dir, NULL);
	g_autoptr(GError) error = NULL;

	ck_assert_msg(ela_loader_load(loader, ELA_KIND_NPD, name, &error) == NULL, "%s: accepted", name);
	expect_error(error, code, pattern);
	ela_loader_free(loader);
}

START_TEST(loads_a_file)
{
	g_autofree char *path = install("npd-good", dir, "npd-good.so");
	struct ela_loader *loader = loader_new(dir, NULL);
	g_autoptr(GError) error = NULL;
	const struct ela_loaded *loaded = ela_loader_load(loader, ELA_KIND_NPD, "good", &error);

	ck_assert_msg(loaded != NULL, "%s", error != NULL ? error->message : "");
	ck_assert_str_eq(loaded->file, path);
	ck_assert_str_eq(loaded->section, "npd-good");
	ck_assert_str_eq(loaded->descriptor->name, "good");
	ck_assert_int_eq(loaded->npd.queue_fd(NULL, 0), -1);
	/* once: the same again, by name and by file, and by name when the file is gone */
	ck_assert_ptr_eq(ela_loader_load(loader, ELA_KIND_NPD, "good", NULL), loaded);
	ck_assert_ptr_eq(ela_loader_load_file(loader, path, NULL), loaded);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_eq(ela_loader_load(loader, ELA_KIND_NPD, "good", NULL), loaded);
	ela_loader_free(loader);
}
END_TEST

/* Each of tests/plugins/broken. */
static const struct {
	const char *name;
	int code;
	const char *pattern;
} broken[] = {
	{"magic", ELA_LOADER_REFUSED, "/npd-magic.so: magic: found 0x12345678, wanted 0x70414c45"},
	{"major", ELA_LOADER_REFUSED, "/npd-major.so: ABI major: found 7, wanted 0"},
	{"minor", ELA_LOADER_REFUSED, "/npd-minor.so: ABI version: found 0.99, wanted at most 0.3"},
	{"kind", ELA_LOADER_REFUSED, "/npd-kind.so: kind: found 99, wanted 1..4"},
	{"otherkind", ELA_LOADER_REFUSED,
		"/npd-otherkind.so: file's name: found npd-otherkind.so, wanted route-otherkind.so"},
	{"alias", ELA_LOADER_REFUSED, "/npd-alias.so: file's name: found npd-alias.so, wanted npd-somebody.so"},
	{"nullop", ELA_LOADER_REFUSED, "/npd-nullop.so: write_burst: found NULL, wanted a function"},
	{"small", ELA_LOADER_REFUSED, "/npd-small.so: size of the operations: found 16 bytes, wanted at least 72"},
	{"default", ELA_LOADER_REFUSED,
		"/npd-default.so: option mtu: found default \"99\", wanted a whole number 576..65535"},
	{"nosymbol", ELA_LOADER_NOT_PLUGIN, "/npd-nosymbol.so: symbols: found no ela_plugin, wanted one"},
	{"unresolved", ELA_LOADER_NOT_PLUGIN,
		"/npd-unresolved.so: shared object: found undefined symbol: broken_nobody_defines_this*, wanted one that"},
};

START_TEST(each_broken)
{
	g_autofree char *from = g_strdup_printf("npd-%s", broken[_i].name);
	g_autofree char *to = g_strdup_printf("npd-%s.so", broken[_i].name);

	g_free(install(from, dir, to));
	expect_load(broken[_i].name, broken[_i].code, broken[_i].pattern);
	/* and again: what was refused stays refused though it is in the process now */
	expect_load(broken[_i].name, broken[_i].code, broken[_i].pattern);
}
END_TEST

START_TEST(not_shared_objects)
{
	g_autofree char *path = g_build_filename(dir, "npd-x.so", NULL);

	ck_assert(g_file_set_contents(path, "", 0, NULL));
	ck_assert_int_eq(chmod(path, 0644), 0);
	expect_load("x", ELA_LOADER_NOT_PLUGIN, "/npd-x.so: content: found something else, wanted a shared object");
	ck_assert(g_file_set_contents(path, "#!/bin/sh\n", -1, NULL));
	ck_assert_int_eq(chmod(path, 0644), 0);
	expect_load("x", ELA_LOADER_NOT_PLUGIN, "/npd-x.so: content: found something else, wanted a shared object");
	ck_assert(g_file_set_contents(path, "\177ELF", -1, NULL));
	ck_assert_int_eq(chmod(path, 0644), 0);
	expect_load("x", ELA_LOADER_NOT_PLUGIN, "/npd-x.so: shared object: found file too short, wanted");
}
END_TEST

START_TEST(names_of_files)
{
	static const char *const wrong[] = {
		"", "../npd-good", "a/b", "/etc/passwd", "Good", "good.so", "g_ood", "g ood", LONG33, "\xc3\xa4"};
	struct ela_loader *loader = loader_new(dir, NULL);

	g_free(install("npd-good", dir, "npd-good.so"));
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(ela_loader_load(loader, ELA_KIND_NPD, wrong[i], &error));
		expect_error(error, ELA_LOADER_REFUSED, "name: found *, wanted 1..32 of a-z 0-9 -");
	}
	ck_assert_ptr_null(ela_loader_load(loader, 7, "good", NULL));
	ela_loader_free(loader);
}
END_TEST

START_TEST(not_found)
{
	g_autofree char *other = g_build_filename(dir, "none", NULL);
	struct ela_loader *loader = loader_new(dir, other);
	g_autofree char *pattern = g_strdup_printf("npd-good.so is not in %s, %s", dir, other);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(ela_loader_load(loader, ELA_KIND_NPD, "good", &error));
	expect_error(error, ELA_LOADER_NOT_FOUND, pattern);
	ela_loader_free(loader);
}
END_TEST

START_TEST(symbolic_links)
{
	g_autofree char *link = g_build_filename(dir, "npd-good.so", NULL);
	g_autofree char *folder = g_build_filename(dir, "folder", NULL);
	g_autofree char *moved = NULL;
	struct ela_loader *loader = loader_new(folder, NULL);

	g_free(install("npd-good", dir, "npd-real.so"));
	ck_assert_int_eq(symlink("npd-real.so", link), 0);
	expect_load("good", ELA_LOADER_REFUSED, "/npd-good.so: file: found a symbolic link, wanted a regular file");
	/* a folder may be one: its real path is what is checked and opened */
	ck_assert_int_eq(unlink(link), 0);
	moved = install("npd-good", dir, "npd-good.so");
	ck_assert_int_eq(symlink(dir, folder), 0);
	ck_assert_ptr_nonnull(ela_loader_load(loader, ELA_KIND_NPD, "good", NULL));
	ck_assert_str_eq(ela_loader_load(loader, ELA_KIND_NPD, "good", NULL)->file, moved);
	ela_loader_free(loader);
}
END_TEST

START_TEST(special_files)
{
	g_autofree char *path = g_build_filename(dir, "npd-good.so", NULL);

	ck_assert_int_eq(mkdir(path, 0755), 0);
	expect_load("good", ELA_LOADER_REFUSED, "/npd-good.so: file: found a folder, wanted a regular file");
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect_load("good", ELA_LOADER_REFUSED, "/npd-good.so: file: found a special file, wanted a regular file");
}
END_TEST

START_TEST(modes_of_files)
{
	static const mode_t bad[] = {0664, 0646, 0620, 0602, 0777};
	g_autofree char *path = install("npd-good", dir, "npd-good.so");

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *pattern = g_strdup_printf(
			"/npd-good.so: file's mode: found %04o, wanted not writable by group or others: chmod go-w %s",
			(unsigned)bad[i], path);

		ck_assert_int_eq(chmod(path, bad[i]), 0);
		expect_load("good", ELA_LOADER_REFUSED, pattern);
	}
}
END_TEST

/* Loads dir/sub/npd-good.so. */
static void expect_sub(const char *sub, const char *pattern)
{
	struct ela_loader *loader = loader_new(sub, NULL);
	g_autoptr(GError) error = NULL;
	const struct ela_loaded *loaded = ela_loader_load(loader, ELA_KIND_NPD, "good", &error);

	if (pattern == NULL) {
		ck_assert_msg(loaded != NULL, "%s", error != NULL ? error->message : "");
	} else {
		ck_assert_ptr_null(loaded);
		expect_error(error, ELA_LOADER_REFUSED, pattern);
	}
	ela_loader_free(loader);
}

START_TEST(modes_of_folders)
{
	g_autofree char *middle = g_build_filename(dir, "middle", NULL);
	g_autofree char *sub = g_build_filename(middle, "sub", NULL);
	g_autofree char *path = NULL;

	ck_assert_int_eq(mkdir(middle, 0755) | mkdir(sub, 0755), 0);
	path = install("npd-good", sub, "npd-good.so");
	ck_assert_int_eq(chmod(sub, 0775), 0);
	expect_sub(sub, "/middle/sub: folder's mode: found 0775, wanted not writable by group or others, or sticky: "
					"chmod go-w /*/middle/sub");
	ck_assert_int_eq(chmod(sub, 0757), 0);
	expect_sub(sub, "/middle/sub: folder's mode: found 0757, wanted");
	ck_assert_int_eq(chmod(sub, 0755) | chmod(middle, 0777), 0);
	expect_sub(sub, "/middle: folder's mode: found 0777, wanted");
	ck_assert_int_eq(chmod(middle, 01777) | chmod(sub, 01777), 0);
	expect_sub(sub, NULL);
}
END_TEST

START_TEST(owners)
{
	g_autofree char *sub = g_build_filename(dir, "sub", NULL);
	g_autofree char *path = NULL;

	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_int_eq(mkdir(sub, 0755) | chmod(dir, 0755), 0);
	path = install("npd-good", sub, "npd-good.so");
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	expect_sub(sub, "/npd-good.so: owner: found uid 65534, wanted root: chown root /*/sub/npd-good.so");
	ck_assert_int_eq(chown(path, 0, 0) | chown(sub, 65534, 65534), 0);
	expect_sub(sub, "/sub: owner: found uid 65534, wanted root");
	ck_assert_int_eq(chown(sub, 0, 0) | chown(dir, 65534, 65534), 0);
	expect_sub(sub, ": owner: found uid 65534, wanted root");
	/* for that user it is his own tree; for a third one it is a stranger's */
	ck_assert_int_eq(chown(sub, 65534, 65534) | chown(path, 65534, 65534), 0);
	ck_assert_int_eq(seteuid(65533), 0);
	expect_sub(sub, "/sub: owner: found uid 65534, wanted root or the user that runs elad: chown root /");
	ck_assert_int_eq(seteuid(0) | seteuid(65534), 0);
	expect_sub(sub, NULL);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* Writes good and bad bytes in turn under one name. */
struct exchange {
	char *good, *bad, *target;
	gint stop;
	gint turns; /* that it was put both ways */
};

static bool put(const struct exchange *x, const char *file)
{
	g_autofree char *next = g_strconcat(x->target, ".next", NULL);

	(void)unlink(next); /* absent the first time */
	return link(file, next) == 0 && rename(next, x->target) == 0;
}

static gpointer exchange_run(gpointer data)
{
	struct exchange *x = data;
	bool good = true;

	while (good && !g_atomic_int_get(&x->stop)) {
		good = put(x, x->bad) && put(x, x->good);
		g_atomic_int_inc(&x->turns);
	}
	return GINT_TO_POINTER(good ? 0 : 1);
}

/*
 * While the loader works, the file is exchanged all the time for one that anybody may write to. What is loaded is what
 * was checked: the good one or nothing, never the other's bytes.
 */
START_TEST(exchanged)
{
	uint32_t n_good = 0, n_refused = 0;

	/* more of them where the threads take turns that are too long */
	for (int i = 0; i < EXCHANGES || (i < 20 * EXCHANGES && (n_good == 0 || n_refused == 0)); i++) {
		g_autofree char *sub = g_strdup_printf("%s/%d", dir, i);
		g_autofree char *good = NULL, *bad = NULL;
		g_autofree char *target = g_build_filename(sub, "npd-good.so", NULL);
		struct ela_loader *loader = loader_new(sub, NULL);
		g_autoptr(GError) error = NULL;
		const struct ela_loaded *loaded;
		struct exchange x = {.target = target};
		GThread *thread;

		ck_assert_int_eq(mkdir(sub, 0755), 0);
		good = x.good = install("npd-good", sub, "good");
		bad = x.bad = install("npd-exchanged", sub, "bad");
		ck_assert_int_eq(chmod(bad, 0666) | link(good, target), 0);
		thread = g_thread_new("exchange", exchange_run, &x);
		while (g_atomic_int_get(&x.turns) == 0) /* else the file is loaded before anything happens */
			g_usleep(10);
		g_usleep((gulong)(i % 7) * 20);
		loaded = ela_loader_load(loader, ELA_KIND_NPD, "good", &error);
		g_atomic_int_set(&x.stop, 1);
		ck_assert_ptr_null(g_thread_join(thread));
		if (loaded != NULL) {
			ck_assert_str_ne(loaded->descriptor->summary, "exchanged");
			n_good++;
		} else {
			expect_error(error, ELA_LOADER_REFUSED, "/npd-good.so: file's mode: found 0666, wanted");
			n_refused++;
		}
		ela_loader_free(loader);
	}
	ck_assert_msg(n_good > 0 && n_refused > 0, "%u loaded, %u refused: the race was not tried", n_good, n_refused);
}
END_TEST

/* What the dynamic linker opened stays open, so that no second library is taken for the first. */
START_TEST(many_files)
{
	const struct ela_plugin *seen[20];

	for (uint32_t i = 0; i < G_N_ELEMENTS(seen); i++) {
		g_autofree char *sub = g_strdup_printf("%s/%u", dir, i);
		struct ela_loader *loader = loader_new(sub, NULL);
		g_autofree char *path = NULL;

		ck_assert_int_eq(mkdir(sub, 0755), 0);
		path = install("npd-good", sub, "npd-good.so");
		seen[i] = ela_loader_load(loader, ELA_KIND_NPD, "good", NULL)->descriptor;
		for (uint32_t k = 0; k < i; k++)
			ck_assert_ptr_ne(seen[i], seen[k]);
		ela_loader_free(loader);
	}
}
END_TEST

START_TEST(folders_in_order)
{
	g_autofree char *one = g_build_filename(dir, "one", NULL);
	g_autofree char *two = g_build_filename(dir, "two", NULL);
	g_autofree char *path1 = NULL, *path2 = NULL, *link = g_build_filename(one, "npd-good.so", NULL);
	struct ela_loader *loader = loader_new(one, two);
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(mkdir(one, 0755) | mkdir(two, 0755), 0);
	path2 = install("npd-good", two, "npd-good.so");
	/* a refused one in the first folder is not passed over */
	ck_assert_int_eq(symlink(path2, link), 0);
	ck_assert_ptr_null(ela_loader_load(loader, ELA_KIND_NPD, "good", &error));
	expect_error(error, ELA_LOADER_REFUSED, "/one/npd-good.so: file: found a symbolic link");
	ck_assert_int_eq(unlink(link), 0);
	/* a folder without it does not matter, whatever its mode */
	ck_assert_int_eq(chmod(one, 0777), 0);
	ck_assert_str_eq(ela_loader_load(loader, ELA_KIND_NPD, "good", NULL)->file, path2);
	ela_loader_free(loader);
	ck_assert_int_eq(chmod(one, 0755), 0);
	path1 = install("npd-good", one, "npd-good.so");
	loader = loader_new(one, two);
	/* another folder's of the same name, by file, is not what the name means */
	ck_assert_str_eq(ela_loader_load_file(loader, path2, NULL)->file, path2);
	ck_assert_str_eq(ela_loader_load(loader, ELA_KIND_NPD, "good", NULL)->file, path1);
	ela_loader_free(loader);
}
END_TEST

static void touch(const char *folder, const char *base)
{
	g_autofree char *path = g_build_filename(folder, base, NULL);

	ck_assert(g_file_set_contents(path, "", 0, NULL));
}

START_TEST(lists)
{
	g_autofree char *one = g_build_filename(dir, "one", NULL);
	g_autofree char *two = g_build_filename(dir, "two", NULL);
	const char *dirs[] = {one, two, "/none", NULL};
	struct ela_loader *loader;
	g_auto(GStrv) files = NULL;
	g_auto(GStrv) npds = NULL;
	g_auto(GStrv) routes = NULL;
	g_autofree char *all = NULL;
	g_autofree char *expected = NULL;
	g_autofree char *all_npds = NULL;

	ck_assert_int_eq(mkdir(one, 0755) | mkdir(two, 0755), 0);
	touch(one, "route-b.so");
	touch(one, "npd-z.so");
	touch(one, "cipher-a.so");
	touch(one, "npd-.so");
	touch(one, "npd-A.so");
	touch(one, "npd-a.so.1");
	touch(one, "libnpd-a.so");
	touch(one, "other-a.so");
	touch(two, "npd-z.so");
	touch(two, "npd-y.so");
	touch(two, "transport-t.so");
	loader = fake_loader_new(dirs);
	files = ela_loader_list(loader);
	all = g_strjoinv(" ", files);
	expected = g_strdup_printf(
		"%s/npd-y.so %s/npd-z.so %s/cipher-a.so %s/transport-t.so %s/route-b.so", two, one, one, two, one);
	ck_assert_str_eq(all, expected);
	npds = ela_loader_names(loader, ELA_KIND_NPD);
	all_npds = g_strjoinv(" ", npds);
	ck_assert_str_eq(all_npds, "tun mem y z");
	routes = ela_loader_names(loader, ELA_KIND_ROUTING);
	ck_assert_uint_eq(g_strv_length(routes), 4);
	ela_loader_free(loader);
}
END_TEST

static Suite *loader_suite(void)
{
	Suite *suite = suite_create("loader-files");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(files, setup, teardown);
	tcase_set_timeout(files, 60);
	tcase_add_test(files, loads_a_file);
	tcase_add_loop_test(files, each_broken, 0, (int)G_N_ELEMENTS(broken));
	tcase_add_test(files, not_shared_objects);
	tcase_add_test(files, names_of_files);
	tcase_add_test(files, not_found);
	tcase_add_test(files, symbolic_links);
	tcase_add_test(files, special_files);
	tcase_add_test(files, modes_of_files);
	tcase_add_test(files, modes_of_folders);
	tcase_add_test(files, owners);
	tcase_add_test(files, exchanged);
	tcase_add_test(files, many_files);
	tcase_add_test(files, folders_in_order);
	tcase_add_test(files, lists);
	suite_add_tcase(suite, files);
	return suite;
}

int main(void)
{
	SRunner *runner;
	int failed;

	if (g_getenv("ELA_BROKEN_PLUGINS") == NULL) {
		(void)fprintf(stderr, "ELA_BROKEN_PLUGINS is not set: run this by meson test\n");
		return EXIT_FAILURE;
	}
	runner = srunner_create(loader_suite());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
