/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tun-node: npd-tun's real plugin on a small host, in the network namespace the process is in when it is opened, for
 * the tests that need the kernel's answer. A failure ends the test by Check. One thread.
 */
#ifndef ELA_TUN_NODE_H
#define ELA_TUN_NODE_H

#include "test-host.h"

#include <net/if.h>
#include <stdbool.h>

#define TUN_NODE_HEADROOM 128u
#define TUN_NODE_BURST 64u

struct tun_node {
	struct test_host *th;
	const struct ela_npd_ops *ops;
	void *self;
	struct ela_npd_info info;
	uint8_t *arena;
	uint32_t arena_len;
	struct ela_packet pkts[TUN_NODE_BURST];
};

/* What is to be opened; zeroes mean 10.88.0.1/24, one queue, MTU 1380. NULL-terminated lists. */
struct tun_wish {
	const char *const *options;
	const char *const *addresses;
	const char *const *routes;
	uint32_t n_queues, mtu, gso_max_segs;
};

/* create() and open(): what open() answered. On failure the node still has its host, for the log. */
int tun_node_open(struct tun_node *node, const struct tun_wish *wish);
void tun_node_free(struct tun_node *node); /* close and destroy */

/* read_burst with the arena's rules checked for each packet: the number read, 0 when dry. */
uint32_t tun_node_read(struct tun_node *node, uint32_t queue);
/* Waits up to a second for packets. */
uint32_t tun_node_wait(struct tun_node *node, uint32_t queue);
/* write_burst of one packet: 0 or the error. */
int tun_node_write(struct tun_node *node, uint32_t queue, const struct ela_packet *pkt);

/* Exits with 77 and a message unless namespaces and TUN devices can be made here. */
void tun_node_need_root(void);

#endif
