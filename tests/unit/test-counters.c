/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-counters: the names in docs/counters.md against core's table and the descriptors of the built plugins, in the
 * order in which elad prints them. usage: test-counters DOCUMENT PLUGIN.so... One thread.
 */
#include "loader.h"
#include "stats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first column of every table row that is a name in backticks. */
static char **documented(const char *file)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(file, &text, NULL, NULL)) {
		fprintf(stderr, "cannot read %s\n", file);
		exit(2);
	}
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_autofree char *name = NULL;

		if (!g_str_has_prefix(*line, "| `"))
			continue;
		name = g_strndup(*line + 3, strcspn(*line + 3, "`"));
		g_strv_builder_add(names, name);
	}
	return g_strv_builder_end(names);
}

/* What elad prints with these plugins; the loader checks their descriptors. */
static char **printed(struct ela_loader *loader, char **plugins)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();

	for (uint32_t i = 0; i < ELA_N_STATS; i++)
		g_strv_builder_add(names, ela_stat_name(i));
	for (; *plugins; plugins++) {
		g_autoptr(GError) error = NULL;
		const struct ela_loaded *loaded = ela_loader_load_file(loader, *plugins, &error);

		if (!loaded) {
			fprintf(stderr, "%s\n", error->message);
			exit(2);
		}
		for (uint32_t i = 0; i < loaded->descriptor->n_counters; i++) {
			g_autofree char *name = g_strdup_printf("%s.%s", loaded->section, loaded->descriptor->counters[i]);

			g_strv_builder_add(names, name);
		}
	}
	return g_strv_builder_end(names);
}

static uint32_t report_absent(char **names, char **in, const char *what)
{
	uint32_t n = 0;

	for (; *names; names++)
		if (!g_strv_contains((const char *const *)in, *names)) {
			printf("FAIL %s: %s\n", *names, what);
			n++;
		}
	return n;
}

int main(int argc, char **argv)
{
	static const char *const no_folders[] = {NULL};
	struct ela_loader *loader = ela_loader_new(no_folders);
	uint32_t bad;

	if (argc < 3)
		return 2;
	g_auto(GStrv) document = documented(argv[1]);
	g_auto(GStrv) code = printed(loader, argv + 2);

	bad = report_absent(code, document, "found no row in the document, wanted one");
	bad += report_absent(document, code, "found in the document, wanted only what elad has");
	for (uint32_t i = 0; bad == 0 && (code[i] || document[i]); i++)
		if (g_strcmp0(code[i], document[i]) != 0) {
			printf("FAIL order: found %s, wanted %s\n", document[i] ? document[i] : "the end",
				code[i] ? code[i] : "the end");
			bad++;
		}
	printf("%u counters, %u bad\n", g_strv_length(code), bad);
	ela_loader_free(loader);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
