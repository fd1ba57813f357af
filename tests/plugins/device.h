/* SPDX-License-Identifier: Apache-2.0 */
/* device: a device in memory, between the test (device.c) and the plugin (npd-mem.c). Behind the fabric's lock. */
#ifndef ELA_TESTS_DEVICE_H
#define ELA_TESTS_DEVICE_H

#include "fabric.h"

/* A packet that is read many times. */
struct mem_replay {
	struct mem_buf *packet;
	uint64_t left;
};

struct ela_mem_device {
	struct ela_mem_fabric *fabric;
	char name[MEM_NAME_MAX + 1];
	const struct ela_host *host;        /* of who opened it, NULL while closed */
	struct mem_queue in[ELA_MAX_LANES]; /* what the node will read */
	struct mem_replay replays[ELA_MAX_LANES];
	int fds[ELA_MAX_LANES];
	struct mem_queue out; /* what the node wrote */
	uint32_t caps;
	bool caps_set, echo, echo_set, no_collect;
	uint64_t fail_after; /* counts down while fail_err is set */
	int fail_err;
	struct ela_mem_device_stats stats;
};

/* What is left of core's arena. */
struct mem_arena {
	uint8_t *at, *end;
	uint32_t headroom;
};

/* Finds or makes the device of that name. */
struct ela_mem_device *mem_device_get(struct ela_mem_fabric *fabric, const char *name);
/* Moves the next packet into the arena. False: none (and the descriptor says so), or *ret_full: no room for it. */
bool mem_device_next(
	struct ela_mem_device *device, uint32_t queue, struct mem_arena *arena, struct ela_packet *ret, bool *ret_full);
/* Drops the next packet. */
void mem_device_skip(struct ela_mem_device *device, uint32_t queue);
/* The node writes a packet: 0, -EOPNOTSUPP, or what a test asked for. */
int mem_device_write(struct ela_mem_device *device, uint32_t queue, const struct ela_packet *packet);

/* echo.c */
/* Turns a packet into its answer, in place: true for an ICMP or ICMPv6 echo request and for UDP. */
bool mem_echo(uint8_t *packet, uint32_t len);

#endif
