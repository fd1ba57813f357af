/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes: what core is told. A record is told while its key holds the ID, it is not older than two minutes, it is no
 * leave and it says how its node is reached: a core directly, an edge through the parent it names. On the ring stand
 * the cores among these that are linked with us by datagrams, and we between join and leave; to a leaf, which is linked
 * with two of them, all. Control thread.
 */
#include "chord.h"

#include <errno.h>
#include <string.h>

/* Where frames for it go, 0 = nowhere. */
static uint32_t via_of(const struct chord *c, const struct chord_entry *entry)
{
	const struct ela_record_info *info = &entry->info;

	if (info->flags & ELA_RECORD_LEAVE || !chord_is_fresh(c, entry))
		return 0;
	if (info->role == ELA_RECORD_ROLE_CORE)
		return info->id;
	if (info->role == ELA_RECORD_ROLE_EDGE && chord_is_id(info->parent) && info->parent != info->id)
		return info->parent;
	return 0;
}

void chord_tell(struct chord *c, uint32_t id, bool changed)
{
	const struct chord_entry *entry = chord_table_find(&c->table, id);
	uint32_t via = entry ? via_of(c, entry) : 0;
	uint32_t told = GPOINTER_TO_UINT(g_hash_table_lookup(c->told, GUINT_TO_POINTER(id)));
	int err;

	if (!c->started || (via == told && !(via && changed)))
		return;
	if (via) {
		err = c->host->record_set(c->host, id, entry->bytes, entry->len, via);
		if (!err) {
			g_hash_table_replace(c->told, GUINT_TO_POINTER(id), GUINT_TO_POINTER(via));
			return;
		}
		ela_log(c->host, ELA_LOG_DEBUG, "record-set id=%08x error=\"%s\"", id, g_strerror(-err));
	}
	if (told) {
		(void)c->host->record_del(c->host, id); /* -ENOENT: core was faster */
		g_hash_table_remove(c->told, GUINT_TO_POINTER(id));
	}
}

void chord_tell_all(struct chord *c)
{
	for (guint i = 0; i < c->table.all->len; i++)
		chord_tell(c, ((struct chord_entry *)g_ptr_array_index(c->table.all, i))->info.id, false);
}

static bool is_on_ring(const struct chord *c, const struct chord_entry *entry, uint32_t own_id, bool is_leaf)
{
	const struct ela_record_info *info = &entry->info;

	if (info->role != ELA_RECORD_ROLE_CORE || !via_of(c, entry) || chord_table_find(&c->table, info->id) != entry)
		return false;
	if (info->id == own_id)
		return c->joined;
	return is_leaf || g_hash_table_contains(c->linked, GUINT_TO_POINTER(info->id));
}

static gint by_value(gconstpointer a, gconstpointer b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The full table is made for so many; more work, and cost more than they should. */
static void say_large(struct chord *c, uint32_t n)
{
	if (n > c->full_table_max && !c->said_large)
		ela_log(c->host, ELA_LOG_WARN, "ring-large cores=%u full-table-max=%u", n, c->full_table_max);
	c->said_large = n > c->full_table_max;
}

void chord_tell_ring(struct chord *c)
{
	GArray *ring;
	uint32_t own_id;
	bool is_leaf;

	if (!c->started)
		return;
	is_leaf = chord_is_leaf(c);
	ring = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	own_id = c->host->own_id(c->host);
	for (guint i = 0; i < c->table.all->len; i++) {
		const struct chord_entry *entry = g_ptr_array_index(c->table.all, i);

		if (is_on_ring(c, entry, own_id, is_leaf))
			g_array_append_val(ring, entry->info.id);
	}
	g_array_sort(ring, by_value);
	if (ring->len != c->ring->len ||
		(ring->len && memcmp(ring->data, c->ring->data, ring->len * sizeof(uint32_t)) != 0)) {
		say_large(c, ring->len);
		(void)c->host->ring_set(c->host, (const uint32_t *)(const void *)ring->data, ring->len); /* it is in order */
	}
	g_array_unref(c->ring);
	c->ring = ring;
}

void chord_untell(struct chord *c)
{
	GHashTableIter iter;
	gpointer id;

	g_hash_table_iter_init(&iter, c->told);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		(void)c->host->record_del(c->host, GPOINTER_TO_UINT(id)); /* -ENOENT: gone already */
		g_hash_table_iter_remove(&iter);
	}
	g_array_set_size(c->ring, 0);
	(void)c->host->ring_set(c->host, NULL, 0); /* an empty list is in order */
}
