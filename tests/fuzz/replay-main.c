/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay-main: runs a fuzz target over every file of the folders it is given, each in a buffer of exactly its size so
 * that a sanitizer or the allocator sees a read behind its end. Stands in for libFuzzer's main; main thread.
 *
 *   replay-NAME FOLDER...    exit 0, or 1 when a folder has no file; the target itself aborts on what it finds
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input that runs, for the one who reads the log of an abort. */
static void announce(const char *path)
{
	(void)fprintf(stderr, "%s\n", path); /* best effort */
}

static int replay_file(const char *path)
{
	struct stat st;
	FILE *file = fopen(path, "rbe");
	uint8_t *data = NULL;
	int ret = -1;

	if (!file || fstat(fileno(file), &st) != 0)
		goto out;
	data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	if (!data || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		goto out;
	announce(path);
	(void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size); /* 0, or -1 for "not worth keeping" */
	ret = 0;
out:
	if (ret)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno)); /* best effort */
	free(data);
	if (file)
		(void)fclose(file); /* was only read */
	return ret;
}

/* Number of files run, -1 when one could not be read. */
static int replay_folder(const char *folder)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, alphasort), count = 0;

	for (int i = 0; i < n; i++) {
		char path[4096];
		int len = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);

		if (entries[i]->d_name[0] == '.' || count < 0)
			continue;
		if (len < 0 || (size_t)len >= sizeof path || replay_file(path) != 0)
			count = -1;
		else
			count++;
	}
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return count;
}

int main(int argc, char **argv)
{
	int bad = argc < 2;

	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i]);

		if (n <= 0)
			bad = 1;
		(void)printf("%s %s: %d inputs\n", n > 0 ? "ok" : "FAIL", argv[i], n); /* best effort; the exit code tells */
	}
	return bad;
}
