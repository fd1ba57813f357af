/* SPDX-License-Identifier: Apache-2.0 */
/* qsbr: control's side, the list of retired objects. Control thread. */
#include "qsbr.h"

#include <glib.h>

struct ela_retired {
	struct ela_retired *next;
	uint64_t epoch; /* free when every lane has seen this or is offline */
	void (*fn)(void *data);
	void *data;
};

void ela_qsbr_init(struct ela_qsbr *q, uint32_t n_lanes)
{
	atomic_init(&q->epoch, 1);
	q->n_lanes = n_lanes;
	q->head = q->tail = NULL;
	for (uint32_t i = 0; i < ELA_MAX_LANES; i++)
		atomic_init(&q->lanes[i].seen, UINT64_MAX);
}

void ela_qsbr_retire(struct ela_qsbr *q, void (*fn)(void *data), void *data)
{
	struct ela_retired *r = g_new(struct ela_retired, 1);

	/* The caller unpublished before; a lane that reads the new epoch can no longer find the object. */
	*r = (struct ela_retired){.epoch = atomic_fetch_add(&q->epoch, 1) + 1, .fn = fn, .data = data};
	if (q->tail)
		q->tail->next = r;
	else
		q->head = r;
	q->tail = r;
}

static uint64_t oldest_seen(struct ela_qsbr *q)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < q->n_lanes; i++) {
		uint64_t seen = atomic_load(&q->lanes[i].seen);

		if (seen < oldest)
			oldest = seen;
	}
	return oldest;
}

static void free_up_to(struct ela_qsbr *q, uint64_t epoch)
{
	while (q->head && q->head->epoch <= epoch) {
		struct ela_retired *r = q->head;

		q->head = r->next;
		if (!q->head)
			q->tail = NULL;
		r->fn(r->data);
		g_free(r);
	}
}

bool ela_qsbr_poll(struct ela_qsbr *q)
{
	if (q->head)
		free_up_to(q, oldest_seen(q));
	return q->head != NULL;
}

void ela_qsbr_drain(struct ela_qsbr *q)
{
	free_up_to(q, UINT64_MAX);
}
