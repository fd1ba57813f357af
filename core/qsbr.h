/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qsbr: when may control free what a lane could still be reading? Quiescent-state-based reclamation, one writer.
 *
 * A lane is online while it runs a turn and says at the start of each that it holds nothing from the last; it is
 * offline while it sleeps. Control unpublishes, retires, and polls: a retired object is freed when every lane has been
 * quiescent or offline since. docs/adr/0003 says why this is ours.
 */
#ifndef ELA_CORE_QSBR_H
#define ELA_CORE_QSBR_H

#include <ela/host.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ela_qsbr_lane {
	_Alignas(64) _Atomic uint64_t seen; /* epoch at the last quiescent point; UINT64_MAX = offline */
};

struct ela_retired;

struct ela_qsbr {
	struct ela_qsbr_lane lanes[ELA_MAX_LANES];
	_Atomic uint64_t epoch;
	uint32_t n_lanes;
	struct ela_retired *head, *tail; /* oldest first; control's */
};

void ela_qsbr_init(struct ela_qsbr *q, uint32_t n_lanes);

/* [lane] Start of a turn: nothing from before is held; what is read from now on is protected. */
static inline void ela_qsbr_online(struct ela_qsbr *q, uint32_t lane)
{
	/* Sequentially consistent: the store must be seen before any pointer is read. */
	(void)atomic_exchange(&q->lanes[lane].seen, atomic_load(&q->epoch));
}

/* [lane] Before sleeping, and for a lane that does not run: nothing is held. */
static inline void ela_qsbr_offline(struct ela_qsbr *q, uint32_t lane)
{
	atomic_store(&q->lanes[lane].seen, UINT64_MAX);
}

/* [control] fn(data) once no lane can hold what was unpublished before this call. */
void ela_qsbr_retire(struct ela_qsbr *q, void (*fn)(void *data), void *data);
/* [control] Frees what may be freed; true while something still waits. */
bool ela_qsbr_poll(struct ela_qsbr *q);
/* [control] Frees everything; all lanes have ended. */
void ela_qsbr_drain(struct ela_qsbr *q);

#endif
