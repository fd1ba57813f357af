/* SPDX-License-Identifier: Apache-2.0 */
/* forward: the table as control keeps it, and the open-addressing snapshot that lanes read. */
#include "forward.h"

#include "own.h"
#include "relay-limit.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX

static uint32_t hash(uint32_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

const struct ela_forward_entry *ela_forward_find(const struct ela_forward *f, uint32_t id)
{
	if (!f || id == 0) /* free slots have ID 0 */
		return NULL;
	for (uint32_t i = hash(id);; i++) {
		const struct ela_forward_entry *e = &f->slots[i & f->mask];

		if (e->id == id)
			return e;
		if (e->id == 0)
			return NULL; /* the table is never full */
	}
}

enum ela_forward_kind ela_forward_role(const struct ela_forward *f, const struct ela_peer *peer)
{
	const struct ela_forward_entry *e = ela_forward_find(f, peer->id);

	return e && e->peer == peer ? e->kind : ELA_FORWARD_NONE;
}

/* ---- control ---- */

static void put(struct ela_forward *f, const struct ela_forward_entry *entry)
{
	uint32_t i = hash(entry->id);

	while (f->slots[i & f->mask].id)
		i++;
	f->slots[i & f->mask] = *entry;
}

static struct ela_forward *snapshot(GHashTable *by_id)
{
	struct ela_forward *f;
	GHashTableIter iter;
	gpointer entry;
	uint32_t slots = 16;

	while (slots < g_hash_table_size(by_id) * 2 + 2)
		slots *= 2;
	f = calloc(1, sizeof *f + slots * sizeof f->slots[0]);
	if (!f)
		abort(); /* a few KiB on the control thread: nothing sensible is left to do */
	f->mask = slots - 1;
	g_hash_table_iter_init(&iter, by_id);
	while (g_hash_table_iter_next(&iter, NULL, &entry))
		put(f, entry);
	return f;
}

void ela_forward_publish(struct ela_node *node)
{
	struct ela_forward *old = atomic_load(&node->forward);

	if (!node->forward_dirty)
		return;
	node->forward_dirty = false;
	atomic_store(&node->forward, snapshot(node->forward_by_id));
	if (old)
		ela_qsbr_retire(&node->qsbr, free, old);
}

static void changed(struct ela_node *node)
{
	node->forward_dirty = true;
	node->loop->ops->timer_set(node->soon, ela_loop_now(node->loop)); /* many changes of one moment, one snapshot */
}

/* Before the first snapshot, so every lane that reads one finds the limits too. */
static void begin(struct ela_node *node)
{
	uint64_t salt;

	if (node->forward_by_id)
		return;
	node->loop->ops->random(node->loop, &salt, sizeof salt);
	node->forward_by_id = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	node->relay_limits = ela_relay_limits_new(salt);
}

int ela_forward_set(struct ela_node *node, uint32_t id, struct ela_peer *peer, enum ela_forward_kind kind)
{
	const struct ela_forward_entry entry = {id, kind, peer};
	bool named = kind == ELA_FORWARD_CORE || (kind == ELA_FORWARD_CHILD && peer->id == id);

	if (id == 0 || id == NOBODY || id == ela_own_id(node) || !named)
		return -EINVAL;
	begin(node);
	(void)g_hash_table_replace(node->forward_by_id, GUINT_TO_POINTER(id), g_memdup2(&entry, sizeof entry));
	changed(node);
	return 0;
}

int ela_forward_del(struct ela_node *node, uint32_t id)
{
	if (!node->forward_by_id || !g_hash_table_remove(node->forward_by_id, GUINT_TO_POINTER(id)))
		return -ENOENT;
	changed(node);
	return 0;
}

static gboolean leads_to(gpointer key, gpointer value, gpointer peer)
{
	(void)key;
	return ((const struct ela_forward_entry *)value)->peer == peer;
}

void ela_forward_forget(struct ela_node *node, struct ela_peer *peer)
{
	if (!node->forward_by_id || !g_hash_table_foreach_remove(node->forward_by_id, leads_to, peer))
		return;
	node->forward_dirty = true;
	ela_forward_publish(node);
}

void ela_forward_free(struct ela_node *node)
{
	if (node->forward_by_id)
		g_hash_table_unref(node->forward_by_id);
	free(atomic_load(&node->forward));
	ela_relay_limits_free(node->relay_limits);
}
