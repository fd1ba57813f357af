/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: clock, timers, descriptor watches and wake-ups of the control thread, behind one small table with two back
 * ends: GLib (loop-glib.c, real time) and virtual time (loop-virtual.c, for the simulator and tests). Nothing else in
 * core asks for the time, random bytes or a descriptor's readiness.
 */
#ifndef ELA_CORE_LOOP_H
#define ELA_CORE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ela_loop;
struct ela_timer; /* the same opaque types that plugins see */
struct ela_watch;

struct ela_loop_ops {
	/* [any] Monotonic, counts suspend; nanoseconds. */
	uint64_t (*now_ns)(struct ela_loop *loop);
	/* [any] Wall clock, nanoseconds since 1970. */
	uint64_t (*wall_ns)(struct ela_loop *loop);
	/* [any] Random bytes; never fails (aborts the process without a source). */
	void (*random)(struct ela_loop *loop, void *buf, size_t len);
	/* [control] */
	struct ela_timer *(*timer_new)(struct ela_loop *loop, void (*fn)(void *data), void *data);
	void (*timer_set)(struct ela_timer *timer, uint64_t at_ns); /* 0 disarms; in the past fires at the next turn */
	void (*timer_free)(struct ela_timer *timer);
	/* [control] events: ELA_EVENT_*; level-triggered. */
	struct ela_watch *(*watch_new)(
		struct ela_loop *loop, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data);
	void (*watch_set)(struct ela_watch *watch, uint32_t events);
	void (*watch_free)(struct ela_watch *watch);
	/* [any] Calls fn(data) on the control thread soon, in order. */
	int (*post)(struct ela_loop *loop, void (*fn)(void *data), void *data);
	void (*free)(struct ela_loop *loop);
};

struct ela_loop {
	const struct ela_loop_ops *ops;
};

/* GLib back end: runs on the default GMainContext of the thread that made it. */
struct ela_loop *ela_loop_glib_new(void);

/* Virtual time, seeded; see loop-virtual.c. The caller drives it with ela_loop_virtual_run(). */
struct ela_loop *ela_loop_virtual_new(uint64_t seed);
/* Runs posted calls and due timers up to until_ns, moving the clock from event to event, and stops with the clock
 * there. */
void ela_loop_virtual_run(struct ela_loop *loop, uint64_t until_ns);
/* Runs what is due now; false when nothing was. */
bool ela_loop_virtual_step(struct ela_loop *loop);
/* Time of the next event, UINT64_MAX when there is none. */
uint64_t ela_loop_virtual_next(const struct ela_loop *loop);
/* Jumps the wall clock (not the monotonic one): a snapshot restored, a clock set. */
void ela_loop_virtual_wall_jump(struct ela_loop *loop, int64_t by_ns);

static inline uint64_t ela_loop_now(struct ela_loop *loop)
{
	return loop->ops->now_ns(loop);
}

void ela_loop_free(struct ela_loop *loop); /* takes NULL */

#define ELA_MSEC UINT64_C(1000000)
#define ELA_SEC UINT64_C(1000000000)

#endif
