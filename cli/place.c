/* SPDX-License-Identifier: Apache-2.0 */
/* place: looks at folders only; whether an elad runs there shows when it is asked. */
#include "place.h"

#include "listener.h"

#include <string.h>

static void use_dir(const char *dir, struct ela_network_place *ret)
{
	ret->config_dir = g_strdup(dir);
	ret->state_dir = g_strdup(dir);
	ret->ini = g_build_filename(dir, "ela.ini", NULL);
	ret->socket = ela_listener_path(dir);
	ret->start = g_strdup_printf("elad --config %s", ret->ini);
}

static void use_network(const char *etc, const char *name, struct ela_network_place *ret)
{
	ret->config_dir = g_build_filename(etc, name, NULL);
	ret->state_dir = g_build_filename(ELA_PLACE_STATE, name, NULL);
	ret->ini = g_build_filename(ret->config_dir, "ela.ini", NULL);
	ret->socket = ela_listener_path(ret->state_dir);
	ret->start = g_strdup_printf("systemctl start elad@%s", name);
}

static bool has_ini(const char *dir)
{
	g_autofree char *ini = g_build_filename(dir, "ela.ini", NULL);

	return g_file_test(ini, G_FILE_TEST_EXISTS);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The folders under etc that have an ela.ini, sorted; NULL and *ret_refusal when etc cannot be read. */
static GPtrArray *list_networks(const char *etc, GString **ret_refusal)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(etc, 0, &error);
	const char *name;

	if (!dir && !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		bool may = !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES);

		*ret_refusal = ela_refusal(
			may ? ELA_CODE_FAILED : ELA_CODE_PERMISSION, "as root, or with --dir DIR", "%s", error->message);
		g_ptr_array_unref(names);
		return NULL;
	}
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(etc, name, NULL);

		if (has_ini(sub))
			g_ptr_array_add(names, g_strdup(name));
	}
	g_ptr_array_sort(names, by_name);
	return names;
}

static bool find_only(const char *etc, struct ela_network_place *ret, GString **ret_refusal)
{
	g_autoptr(GPtrArray) names = list_networks(etc, ret_refusal);
	bool itself = has_ini(etc);
	g_autofree char *list = NULL;

	if (!names)
		return false;
	if (itself && names->len == 0) {
		use_dir(etc, ret);
		return true;
	}
	if (!itself && names->len == 1) {
		use_network(etc, g_ptr_array_index(names, 0), ret);
		return true;
	}
	if (names->len == 0) {
		*ret_refusal =
			ela_refusal(ELA_CODE_NOT_FOUND, "--dir DIR where its ela.ini is", "no network is configured in %s", etc);
		return false;
	}
	g_ptr_array_add(names, NULL);
	list = g_strjoinv(", ", (char **)names->pdata);
	*ret_refusal = ela_refusal(ELA_CODE_USAGE, itself ? "--network NAME, or --dir " ELA_PLACE_ETC : "--network NAME",
		"several networks are configured in %s: %s%s", etc, itself ? "its own ela.ini, " : "", list);
	return false;
}

bool ela_place_find(
	const char *etc, const char *dir, const char *network, struct ela_network_place *ret, GString **ret_refusal)
{
	g_autofree char *sub = NULL;

	if (!dir && !network)
		return find_only(etc, ret, ret_refusal);
	if (dir && network) {
		*ret_refusal = ela_refusal(ELA_CODE_USAGE, NULL, "--dir and --network: one of them");
		return false;
	}
	if (dir) {
		if (!g_file_test(dir, G_FILE_TEST_IS_DIR)) {
			*ret_refusal = ela_refusal(ELA_CODE_NOT_FOUND, NULL, "--dir %s: there is no such folder", dir);
			return false;
		}
		use_dir(dir, ret);
		return true;
	}
	sub = g_build_filename(etc, network, NULL);
	if (!*network || *network == '.' || strchr(network, '/') || !has_ini(sub)) {
		*ret_refusal = ela_refusal(
			ELA_CODE_NOT_FOUND, "ls " ELA_PLACE_ETC, "--network %s: there is no %s/%s/ela.ini", network, etc, network);
		return false;
	}
	use_network(etc, network, ret);
	return true;
}

void ela_place_clear(struct ela_network_place *place)
{
	g_free(place->config_dir);
	g_free(place->state_dir);
	g_free(place->ini);
	g_free(place->socket);
	g_free(place->start);
	*place = (struct ela_network_place){0};
}
