/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-host: struct ela_host for tests of single plugins, over plain C and poll(). What host.h marks [control] runs on
 * the thread that calls test_host_run(); log, post, now_ns and random may be called from any.
 *
 * A failure of the test host itself (no memory, an option that does not parse) ends the test program with a message.
 */
#ifndef ELA_TEST_HOST_H
#define ELA_TEST_HOST_H

#include <ela/ela.h>

struct test_host_priv;

struct test_host {
	struct ela_host host; /* hand &th->host to create() */
	struct test_host_priv *priv;

	/* What conn_event() calls; NULL = events are only counted in n_conn_events. */
	void (*on_conn)(struct test_host *th, uint32_t event, void *conn, const struct ela_addr *remote,
		const struct ela_addr *local, int err);
	uint32_t n_conn_events;
	void *data; /* the test's own */
};

/*
 * options: "key=value" strings, NULL-terminated, or NULL. Values are checked against the plugin's option table as elad
 * would; a key that is not there gets the table's default.
 */
struct test_host *test_host_new(const struct ela_plugin *plugin, uint32_t n_lanes, const char *const *options);
void test_host_free(struct test_host *th); /* after the plugin's destroy() */

/* All lines logged so far, "LEVEL text\n" each with LEVEL one of E W I D T; valid until the next log or clear. */
const char *test_host_log(struct test_host *th);
void test_host_log_clear(struct test_host *th);

/* Sum of the named counter over all lanes and control. Ends the program if the plugin has no such counter. */
uint64_t test_host_counter(struct test_host *th, const char *name);

/*
 * One turn of the control thread: waits at most timeout_ms for a watch, a timer or a post and calls what is due. True
 * if anything was called.
 */
int test_host_run(struct test_host *th, int timeout_ms);

/* dlopen()s the file and returns its descriptor; ends the program when it cannot. Stays loaded. */
const struct ela_plugin *test_plugin_load(const char *file);

#endif
