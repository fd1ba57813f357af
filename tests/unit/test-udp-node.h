/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-udp-node: an instance of transport-udp with its host, for the tests of that plugin, which run on the loopback
 * device of a namespace of their own. One thread. Tests that run for both families have _i = 0 for IPv4, 1 for IPv6.
 */
#ifndef ELA_TEST_UDP_NODE_H
#define ELA_TEST_UDP_NODE_H

#include "test-host.h"
#include "test-netns.h"

#include <check.h>

#define BURST 64
#define ROOM 65536
#define PORT 7450

/* An instance of the plugin with its host. */
struct node {
	struct test_host *th;
	void *self;
	struct ela_train trains[BURST];
	uint8_t *room;
};

/* The plugin under test, loaded once by main(). */
void udp_load(const char *file);
const struct ela_plugin *udp_plugin(void);
const struct ela_transport_ops *udp_ops(void);

/* Options of the two ends of most tests: node a on port 7451, b on PORT, on the loopback address of a family. */
extern const char *const options_a[2][3];
extern const char *const options_b[2][3];

/* create() without start(), both, and their end. A failure of theirs is the test's. */
void node_open(struct node *node, uint32_t n_lanes, const char *const *options);
void node_start(struct node *node, uint32_t n_lanes, const char *const *options);
void node_close(struct node *node);
uint64_t counter(const struct node *node, const char *name);
uint32_t max_segments(const struct node *node);
struct ela_addr addr_of(const char *ip, uint16_t port);
struct ela_path path_to(const char *ip, uint16_t port);
struct ela_path path_b(int i);
void assert_addr_eq(const struct ela_addr *found, const char *ip, uint16_t port);
/* Until lane 0 has something, or the time is over. */
void wait_readable(const struct node *node, int timeout_ms);
/* Reads lane 0 until n_bytes have come; trains are laid one behind the other in node->trains. Returns how many. */
uint32_t read_bytes(struct node *node, uint64_t n_bytes);
/* Nothing is there to be read; everything is sent. */
void assert_dry(struct node *node);
void send_all(struct node *node, const struct ela_send *sends, uint32_t n);
void fill_random(uint8_t *buf, size_t len, unsigned seed);

/* One suite a file. */
Suite *suite_trains(void);
Suite *suite_errors(void);
Suite *suite_start(void);
/* A suite of tests that run for both families, and of tests that run once. */
Suite *suite_of(const char *name, const TTest *const *both, size_t n_both, const TTest *const *once, size_t n_once);

#endif
