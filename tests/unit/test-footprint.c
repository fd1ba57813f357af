/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given back: pages of files go, what was relocated stays, and all works on. */
#include "footprint.h"
#include "sandbox.h"

#include <check.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Resident pages: 1 = all, 2 = of files. */
static long resident(int column)
{
	long v[3];
	FILE *file = fopen("/proc/self/statm", "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld %ld %ld", &v[0], &v[1], &v[2]), 3);
	ck_assert_int_eq(fclose(file), 0);
	return v[column];
}

static int one(void)
{
	return 1;
}

static int two(void)
{
	return 2;
}

/* Pointers that the loader wrote into memory that is read-only since. */
static int (*const relocated[])(void) = {one, two};

enum { TABLE_PAGES = 256, PAGE = 4096 };
/* A part of the file that is only read. */
static const char table[TABLE_PAGES * PAGE] = {1};

static int read_table(void)
{
	int sum = 0;

	for (int i = 0; i < TABLE_PAGES; i++)
		sum += ((const volatile char *)table)[i * PAGE];
	return sum;
}

START_TEST(files)
{
	long before, after;

	ck_assert_int_eq(read_table(), 1);
	before = resident(2);
	ela_footprint_trim();
	after = resident(2);
	ck_assert_msg(after <= before - TABLE_PAGES * 3 / 4, "%ld pages of %ld left", after, before);
	ck_assert_int_eq(read_table(), 1);
	ck_assert_int_eq(relocated[0]() + relocated[1](), 3);
}
END_TEST

#if !ELA_SANITIZED /* theirs is another heap */
START_TEST(heap)
{
	enum { N = 4096, LEN = 4096 };
	char *v[N];
	long full, after;

	for (int i = 0; i < N; i++) {
		v[i] = malloc(LEN);
		ck_assert_ptr_nonnull(v[i]);
		memset(v[i], 1, LEN);
	}
	full = resident(1);
	for (int i = 0; i < N - 1; i++) /* the last one keeps the heap's end where it is */
		free(v[i]);
	ela_footprint_trim();
	after = resident(1);
	free(v[N - 1]);
	ck_assert_msg(after < full - N / 2, "%ld pages of %ld left", after, full);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("footprint");
	TCase *tc = tcase_create("trim");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, files);
#if !ELA_SANITIZED
	tcase_add_test(tc, heap);
#endif
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
