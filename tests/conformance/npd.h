/* SPDX-License-Identifier: Apache-2.0 */
/* npd: what the tests of devices share: an open device, its arena between guards, and reading under npd.h's rules. */
#ifndef ELA_CHECK_NPD_H
#define ELA_CHECK_NPD_H

#include "check.h"

#define CHECK_MTU 1420u
#define CHECK_BURST 64u
#define CHECK_ARENA (512u << 10)
#define CHECK_GUARD 4096u
#define CHECK_HEADROOM 128u

struct check_device {
	struct check_instance instance;
	struct ela_npd_info info;
	uint8_t *arena;     /* CHECK_ARENA bytes between two guards */
	uint32_t arena_len; /* of it, what read_burst is told */
	uint32_t headroom;
};

/* An opened device in a namespace of its own. */
struct check_device check_open(struct check_run *run, uint32_t n_queues);
void check_close(struct check_run *run, struct check_device *device);
/* A guarded arena, for a thread of its own. */
uint8_t *check_arena_new(struct check_run *run);

/*
 * One read_burst of at most n: every rule of npd.h about the arena and the packets is checked. May be called on a
 * lane's thread with an arena of its own.
 */
uint32_t check_read(
	struct check_run *run, const struct check_device *device, uint32_t queue, struct ela_packet *pkts, uint32_t n);
/* Writes them all, again while the device is full. */
void check_write(
	struct check_run *run, const struct check_device *device, uint32_t queue, struct ela_packet *pkts, uint32_t n);
/* Sends n echo requests of sizes up to the MTU in bursts of `burst`, or of what the device holds; all answers come
 * whole. */
void check_ping(struct check_run *run, const struct check_device *device, uint32_t n, uint32_t burst);

#endif
