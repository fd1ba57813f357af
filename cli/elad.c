/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elad: the verbs that are elad's own options: check and plugins. For people elad takes this process's place; for
 * programs its lines are read and written as JSON.
 */
#include "json.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static GPtrArray *command(const char *elad, char **plugin_dirs)
{
	GPtrArray *words = g_ptr_array_new();

	g_ptr_array_add(words, (void *)(uintptr_t)elad); /* execv() and g_spawn_sync() change no word */
	for (; *plugin_dirs; plugin_dirs++) {
		g_ptr_array_add(words, (void *)(uintptr_t) "--plugin-dir");
		g_ptr_array_add(words, *plugin_dirs);
	}
	return words;
}

static void add(GPtrArray *words, const char *word)
{
	g_ptr_array_add(words, (void *)(uintptr_t)word);
}

/* Returns only when there is no elad. TAKES words. */
static int become(GPtrArray *words)
{
	const char *elad = g_ptr_array_index(words, 0);

	add(words, NULL);
	(void)execv(elad, (char **)words->pdata); /* when it returns it has failed */
	(void)fprintf(stderr, "ela: %s: %s; remedy: --elad FILE\n", elad, g_strerror(errno)); /* nowhere else to say it */
	g_ptr_array_unref(words);
	return ELA_CODE_FAILED;
}

/* Its exit code, with what it wrote; g_free. TAKES words. */
static int capture(GPtrArray *words, char **ret_out, char **ret_err)
{
	g_autoptr(GError) error = NULL;
	int status = 0;
	bool ran;

	add(words, NULL);
	ran =
		g_spawn_sync(NULL, (char **)words->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, ret_out, ret_err, &status, &error);
	g_ptr_array_unref(words);
	if (!ran) {
		*ret_out = g_strdup("");
		*ret_err = g_strdup(error->message);
		return ELA_CODE_FAILED;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : ELA_CODE_FAILED;
}

/* Each line of elad's stderr without the name in front. */
static void put_errors(GString *reply, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	ela_json_open(reply, "errors", '[');
	for (char **line = lines; *line; line++)
		if (**line)
			ela_json_put(reply, NULL, g_str_has_prefix(*line, "elad: ") ? *line + 6 : *line);
	ela_json_close(reply, ']');
}

int ela_run_check(const struct ela_network_place *place, const char *elad, char **plugin_dirs, bool json)
{
	GPtrArray *words = command(elad, plugin_dirs);
	g_autoptr(GString) reply = NULL;
	g_autofree char *out = NULL, *err = NULL;
	int code;

	add(words, "--check");
	add(words, "--config");
	add(words, place->ini);
	if (!json)
		return become(words);
	code = capture(words, &out, &err);
	reply = ela_reply_begin();
	ela_json_open(reply, "check", '{');
	ela_json_put(reply, "file", place->ini);
	ela_json_put_bool(reply, "good", code == 0);
	put_errors(reply, err);
	ela_json_close(reply, '}');
	ela_json_close(reply, '}');
	(void)puts(reply->str); /* stdout is checked at the end */
	return code;
}

/* ---- plugins: a line each, options indented by a tab ---- */

static void put_fields(GString *reply, const char *line, const char *const *names)
{
	g_auto(GStrv) fields = g_strsplit(line, "\t", -1);

	for (guint i = 0; names[i] && fields[i]; i++)
		ela_json_put(reply, names[i], strcmp(fields[i], "-") == 0 ? NULL : fields[i]);
}

static void end_plugin(GString *reply)
{
	ela_json_close(reply, ']');
	ela_json_close(reply, '}');
}

static void put_plugins(GString *reply, const char *text)
{
	static const char *const of_plugin[] = {"kind", "name", "version", "abi", "suites", "file", NULL};
	static const char *const of_option[] = {"key", "type", "default", "range", "unit", "help", NULL};
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	bool open = false;

	for (char **line = lines; *line; line++) {
		if (**line == '\t' && open) {
			ela_json_open(reply, NULL, '{');
			put_fields(reply, *line + 1, of_option);
			ela_json_close(reply, '}');
		} else if (**line) {
			if (open)
				end_plugin(reply);
			ela_json_open(reply, NULL, '{');
			put_fields(reply, *line, of_plugin);
			ela_json_open(reply, "options", '[');
			open = true;
		}
	}
	if (open)
		end_plugin(reply);
}

int ela_run_plugins(const char *elad, char **plugin_dirs, bool json)
{
	GPtrArray *words = command(elad, plugin_dirs);
	g_autoptr(GString) reply = NULL;
	g_autofree char *out = NULL, *err = NULL;
	int code;

	add(words, "--list-plugins");
	if (!json)
		return become(words);
	code = capture(words, &out, &err);
	reply = ela_reply_begin();
	ela_json_open(reply, "plugins", '[');
	put_plugins(reply, out);
	ela_json_close(reply, ']');
	put_errors(reply, err);
	ela_json_close(reply, '}');
	(void)puts(reply->str); /* stdout is checked at the end */
	return code;
}
