/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: the two C11 single-producer single-consumer rings between a lane and the control thread.
 *
 * Upwards (lane -> control): handshake and message datagrams, copied, 256 of at most 2 KiB; full = drop and count.
 * Downwards (control -> lane): commands, as pointers.
 */
#ifndef ELA_CORE_RING_H
#define ELA_CORE_RING_H

#include "frame.h"
#include <ela/types.h>
#include <stdatomic.h>

#define ELA_RING_SLOTS 256u
#define ELA_RING_KEPT 64u /* of them for MESSAGE frames */

/* A datagram for control. */
struct ela_ring_slot {
	struct ela_path path; /* where it came from; path.link says which stream connection */
	uint32_t len;
	uint8_t data[ELA_DATAGRAM_MAX_CONTROL];
};

struct ela_ring {
	_Alignas(64) _Atomic uint32_t head; /* producer's */
	_Alignas(64) _Atomic uint32_t tail; /* consumer's */
	_Alignas(64) struct ela_ring_slot slots[ELA_RING_SLOTS];
};

/* [producer] The slot to fill, NULL when full; then push. */
static inline struct ela_ring_slot *ela_ring_claim(struct ela_ring *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) == ELA_RING_SLOTS)
		return NULL;
	return &r->slots[head % ELA_RING_SLOTS];
}

static inline void ela_ring_push(struct ela_ring *r)
{
	atomic_store_explicit(&r->head, atomic_load_explicit(&r->head, memory_order_relaxed) + 1, memory_order_release);
}

/* [consumer] The oldest slot, NULL when empty; then pop. */
static inline struct ela_ring_slot *ela_ring_peek(struct ela_ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&r->head, memory_order_acquire))
		return NULL;
	return &r->slots[tail % ELA_RING_SLOTS];
}

static inline void ela_ring_pop(struct ela_ring *r)
{
	atomic_store_explicit(&r->tail, atomic_load_explicit(&r->tail, memory_order_relaxed) + 1, memory_order_release);
}

/* How many wait; exact only for the consumer. */
static inline uint32_t ela_ring_fill(struct ela_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire) - atomic_load_explicit(&r->tail, memory_order_acquire);
}

/* Commands downwards. */
struct ela_command {
	void (*run)(void *lane, void *data); /* on the lane's thread */
	void *data;
};

struct ela_commands {
	_Alignas(64) _Atomic uint32_t head;
	_Alignas(64) _Atomic uint32_t tail;
	struct ela_command slots[ELA_RING_SLOTS];
};

static inline bool ela_commands_push(struct ela_commands *c, struct ela_command command)
{
	uint32_t head = atomic_load_explicit(&c->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&c->tail, memory_order_acquire) == ELA_RING_SLOTS)
		return false;
	c->slots[head % ELA_RING_SLOTS] = command;
	atomic_store_explicit(&c->head, head + 1, memory_order_release);
	return true;
}

static inline bool ela_commands_pop(struct ela_commands *c, struct ela_command *ret)
{
	uint32_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&c->head, memory_order_acquire))
		return false;
	*ret = c->slots[tail % ELA_RING_SLOTS];
	atomic_store_explicit(&c->tail, tail + 1, memory_order_release);
	return true;
}

#endif
