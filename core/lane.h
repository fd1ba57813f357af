/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane: one worker with its device queue, sockets, links and counters. ela_lane_turn() is the whole lane; the thread is
 * a loop of turn and epoll_wait, the simulator calls turn itself.
 */
#ifndef ELA_CORE_LANE_H
#define ELA_CORE_LANE_H

#include "segment.h"
#include "state.h"

/* [control] A lane with its buffers; NULL when out of memory. */
struct ela_lane *ela_lane_new(struct ela_node *node, uint32_t number);
void ela_lane_free(struct ela_lane *lane); /* takes NULL; its thread has ended */
/* [control] Registers descriptors; 0 or -errno. Before the first turn. */
int ela_lane_prepare(struct ela_lane *lane);
/* [control] Starts and ends the thread. */
void ela_lane_start(struct ela_lane *lane);
void ela_lane_stop(struct ela_lane *lane);
/* [control] Runs fn(lane, data) on the lane soon; never lost. */
void ela_lane_command(struct ela_lane *lane, void (*fn)(void *lane, void *data), void *data);
/* [control] Moves commands that waited for room into the ring. */
void ela_lane_push_pending(struct ela_lane *lane);
/* [any] Ends the lane's sleep. */
void ela_lane_wake(struct ela_lane *lane);
/* [lane] What a turn begins with: its time, and what the node is during it. */
void ela_lane_begin(struct ela_lane *lane);
/* One turn; true when it did something. */
bool ela_lane_turn(struct ela_lane *lane);
/* [lane] Adds, changes or removes a source's descriptor (edge-triggered reading; writing while want_write). */
int ela_lane_watch(struct ela_lane *lane, struct ela_source *source, bool want_write);
void ela_lane_unwatch(struct ela_lane *lane, struct ela_source *source);
/* [lane] Copies a datagram or record up to control; counts when the ring is full. */
void ela_lane_to_control(struct ela_lane *lane, const struct ela_path *path, const uint8_t *data, uint32_t len);

/* [lane] Hands n trains to a datagram transport; how many went, *ret_err says why not the next. */
uint32_t ela_lane_send(
	struct ela_lane *lane, struct ela_transport *t, const struct ela_send *sends, uint32_t n, int *ret_err);
/* [lane] Something of that session was good: it lives, and its keys work. events: more of what control is to know. */
void ela_lane_heard(struct ela_lane *lane, struct ela_session *s, const struct ela_path *path, uint32_t events);

/* [lane] Something wants to go to that peer and cannot: control is to start a handshake. */
void ela_lane_want(struct ela_lane *lane, struct ela_peer *peer);

/* capsulate.c: device -> peers (thesis 5.2.2 capsulate). */
bool ela_capsulate_turn(struct ela_lane *lane);
/* Sends what a full socket held back; false while it still is full. */
bool ela_capsulate_resume(struct ela_lane *lane);
/* Packets that wait for a session: sends, or drops what waited too long. */
void ela_capsulate_waiters(struct ela_lane *lane);
/* How to send to the peer now; NULL when there is no session. */
struct ela_tx *ela_capsulate_tx(struct ela_lane *lane, struct ela_peer *peer);
/* Seals pkt and stages it: its bytes may be used again. While blocked_ns is 0. */
void ela_capsulate_to(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls);

/* decapsulate.c: peers -> device (thesis 5.2.2 decapsulate). */
bool ela_decapsulate_turn(struct ela_lane *lane, struct ela_source *source);
/* Frames back to back in one buffer, all of segment bytes but the last; path says where from. */
void ela_decapsulate_train(
	struct ela_lane *lane, uint8_t *data, uint32_t len, uint32_t segment, const struct ela_path *path, uint8_t ecn);
/* A super record: one sealed superpacket. */
void ela_decapsulate_super(struct ela_lane *lane, uint8_t *data, uint32_t len, const struct ela_path *path);
/* Writes what the coalescer holds to the device. */
void ela_decapsulate_flush(struct ela_lane *lane);

#endif
