/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: how the tests of the conformance suite are written. Each runs in a process of its own, forked for it: the
 * first thing found wrong ends it, with its line, so nothing is cleaned up after a failure. The thread that runs the
 * test is the control thread of every host it makes.
 */
#ifndef ELA_CHECK_CHECK_H
#define ELA_CHECK_CHECK_H

#include "host.h"
#include "loader.h"

#define CHECK_LIMIT_S 30u
#define CHECK_MAX_INSTANCES 4u

struct check_run {
	const struct ela_loaded *plugin;
	const struct check_settings *settings;
	int report_fd;                                 /* a failure's or skip's text goes there */
	int output_fd;                                 /* what was written to stdout and stderr */
	struct check_host *hosts[CHECK_MAX_INSTANCES]; /* whose last error is shown with a failure */
};

struct check_test {
	const char *name;
	void (*fn)(struct check_run *run);
};

/* A made instance and its host. */
struct check_instance {
	struct check_host *h;
	void *self;
};

/* The suites, NULL-terminated. */
extern const struct check_test check_common_tests[], check_npd_tests[], check_cipher_tests[], check_transport_tests[],
	check_stream_tests[], check_routing_tests[], check_ring_tests[];

/* Ends the test: "found FOUND, wanted WANTED". */
_Noreturn void check_fail(struct check_run *run, const char *wanted, const char *found_format, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends it as one that does not apply to this plugin. */
_Noreturn void check_skip(struct check_run *run, const char *reason);

/* Fails with found unless is_so. */
void check_true(struct check_run *run, bool is_so, const char *found, const char *wanted);
/* Fails unless found == wanted; what names the value. */
void check_equal(struct check_run *run, const char *what, int64_t found, int64_t wanted);
/* The same for results and errors, shown by name. */
void check_err(struct check_run *run, const char *what, int found, int wanted);
/* "-EPERM" or a number; a static buffer for each of a few calls. */
const char *check_err_name(int err);

/* A host with the command line's settings. n_lanes 1..ELA_MAX_LANES. */
struct check_host *check_host_for(struct check_run *run, uint32_t n_lanes);
/* create() by the plugin's kind: its result. */
int check_try_create(struct check_run *run, struct check_host *h, void **ret_self);
/* create() must succeed. */
struct check_instance check_create(struct check_run *run, struct check_host *h);
/* Both with nothing set. */
struct check_instance check_make(struct check_run *run, uint32_t n_lanes);
/* destroy(); fails on what the instance left behind or did wrong; frees the host. */
void check_end(struct check_run *run, struct check_instance *instance);
void check_destroy(struct check_run *run, void *self); /* destroy() alone */

/* Descriptors open in this process. */
uint32_t check_count_fds(void);
/* A fresh network namespace for this process, where that is possible. */
void check_enter_netns(void);
/* A port that is free on 127.0.0.1 for UDP and TCP now. */
uint16_t check_free_port(struct check_run *run);
/* Sleeps until fd is readable, at most so long; fd -1: sleeps 1 ms. */
void check_wait(int fd, uint32_t ms);

/* ns per operation lines of a cipher. */
void check_time_cipher(struct check_run *run);

#endif
