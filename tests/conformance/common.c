/* SPDX-License-Identifier: Apache-2.0 */
/* common: the tests that every kind of plugin has to pass: instances come and go, options, a host without resources. */
#include "check.h"

#include <string.h>

/* What an out-parameter holds before: it must hold it still after a failure. */
#define UNTOUCHED ((void *)0x5eed)

static void test_create_destroy(struct check_run *run)
{
	uint32_t fds;

	for (uint32_t i = 0; i < 3; i++) {
		struct check_instance instance;

		fds = check_count_fds();
		instance = check_make(run, 1);
		check_end(run, &instance);
		if (i > 0) /* the first may open a library's own */
			check_equal(run, "descriptors after destroy()", check_count_fds(), fds);
	}
}

static void test_destroy_null(struct check_run *run)
{
	check_destroy(run, NULL);
}

static void test_two_instances(struct check_run *run)
{
	struct check_instance a = check_make(run, 1), b = check_make(run, 2);

	check_true(run, a.self != b.self, "the same instance twice", "two");
	check_end(run, &a);
	check_end(run, &b);
}

/* Any result is right that leaves the out-parameter alone on failure and can be destroyed on success. */
static void try_setting(struct check_run *run, const char *key, const char *text)
{
	struct check_host *h = check_host_for(run, 1);
	struct check_instance instance = {.h = h, .self = UNTOUCHED};
	int err;

	if (check_host_set(h, key, text) == 0) {
		err = check_try_create(run, h, &instance.self);
		if (err > 0)
			check_fail(run, "0 or a negative errno", "create() = %d with %s = %s", err, key, text);
		if (err && instance.self != UNTOUCHED)
			check_fail(run, "it untouched", "*ret_self changed by a create() that failed, %s = %s", key, text);
	} else {
		instance.self = UNTOUCHED;
	}
	if (instance.self == UNTOUCHED)
		instance.self = NULL;
	check_end(run, &instance);
}

static void try_choices(struct check_run *run, const struct ela_option *option)
{
	for (const char *at = option->choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
		char choice[CHECK_TEXT_MAX];

		(void)snprintf(choice, sizeof choice, "%.*s", (int)strcspn(at, "|"), at); /* the loader bounds it */
		try_setting(run, option->key, choice);
	}
}

static void try_edges(struct check_run *run, const struct ela_option *option)
{
	int64_t edges[] = {option->min, option->max};
	char text[CHECK_TEXT_MAX];

	for (uint32_t i = 0; i < 2; i++) {
		const char *unit = "";
		int64_t num = edges[i];

		if (option->type == ELA_OPTION_STRING) {
			if (num >= (int64_t)sizeof text)
				continue;
			memset(text, 'x', (size_t)num);
			text[num] = '\0';
		} else {
			if (option->type == ELA_OPTION_DURATION) {
				num /= 1000000; /* rounds max down; a min that is no whole ms is refused and passed over */
				unit = num ? "ms" : "";
			} else if (option->type == ELA_OPTION_RATE) {
				num /= 1000;
				unit = num ? "kbit" : "";
			}
			(void)snprintf(text, sizeof text, "%lld%s", (long long)num, unit); /* fits */
		}
		try_setting(run, option->key, text);
	}
}

static void test_options(struct check_run *run)
{
	for (uint32_t i = 0; i < run->plugin->descriptor->n_options; i++) {
		const struct ela_option *option = ela_loaded_option(run->plugin, i);

		if (option->type == ELA_OPTION_CHOICE) {
			try_choices(run, option);
		} else if (option->type == ELA_OPTION_IP) {
			try_setting(run, option->key, "192.0.2.1");
			try_setting(run, option->key, "2001:db8::1");
		} else {
			try_edges(run, option);
		}
	}
}

/* Opens or starts the instance as its kind does; whether it works is the plugin's affair. */
static void try_begin(struct check_run *run, struct check_instance *instance)
{
	static const char *const addresses[] = {"10.88.0.1/24"};
	const struct ela_npd_config config = {.addresses = addresses, .n_addresses = 1, .n_queues = 1, .mtu = 1420};
	struct ela_npd_info info, before;
	int err = 0;

	memset(&before, 0x5e, sizeof before);
	info = before;
	if (run->plugin->descriptor->kind == ELA_KIND_NPD) {
		err = run->plugin->npd.open(instance->self, &config, &info);
		if (err)
			check_true(run, memcmp(&info, &before, sizeof info) == 0, "*ret_info changed by an open() that failed",
				"it untouched");
		else
			run->plugin->npd.close(instance->self);
	} else if (run->plugin->descriptor->kind == ELA_KIND_TRANSPORT) {
		err = run->plugin->transport.start(instance->self, 1);
		if (!err)
			run->plugin->transport.stop(instance->self);
	} else if (run->plugin->descriptor->kind == ELA_KIND_ROUTING) {
		err = run->plugin->routing.start(instance->self);
		if (!err)
			run->plugin->routing.stop(instance->self);
	}
	if (err > 0)
		check_fail(run, "0 or a negative errno", "open() or start() = %d", err);
}

/* No timer, no watch, no post: memory is out. */
static void test_poor_host(struct check_run *run)
{
	struct check_host *h = check_host_for(run, 1);
	struct check_instance instance = {.h = h, .self = UNTOUCHED};
	int err;

	check_enter_netns();
	h->is_poor = true;
	err = check_try_create(run, h, &instance.self);
	if (err) {
		check_true(run, err < 0, "create() > 0", "0 or a negative errno");
		check_true(run, instance.self == UNTOUCHED, "*ret_self changed by a create() that failed", "it untouched");
		instance.self = NULL;
	} else {
		try_begin(run, &instance);
	}
	check_end(run, &instance);
}

const struct check_test check_common_tests[] = {
	{"create-destroy", test_create_destroy},
	{"destroy-null", test_destroy_null},
	{"two-instances", test_two_instances},
	{"options", test_options},
	{"poor-host", test_poor_host},
	{NULL, NULL},
};
