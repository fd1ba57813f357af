/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: the newest record of every key. Which of two records of a key stays depends on these two alone, so tables that
 * were given the same records in any order are the same. Which key holds an ID follows from the table: it is never
 * stored, so it cannot differ either. Control thread.
 */
#include "chord.h"

#include <string.h>

static guint hash_key(gconstpointer key)
{
	guint hash;

	memcpy(&hash, key, sizeof hash); /* it is a hash already */
	return hash;
}

static gboolean equal_key(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, 32) == 0;
}

void chord_table_init(struct chord_table *table)
{
	table->all = g_ptr_array_new_with_free_func(g_free);
	table->by_key = g_hash_table_new(hash_key, equal_key);
	table->by_id = g_hash_table_new(g_direct_hash, g_direct_equal);
	table->by_content = g_hash_table_new(g_int64_hash, g_int64_equal);
	table->by_before = g_hash_table_new(g_int64_hash, g_int64_equal);
}

void chord_table_clear(struct chord_table *table)
{
	if (!table->all)
		return;
	g_hash_table_destroy(table->by_before);
	g_hash_table_destroy(table->by_content);
	g_hash_table_destroy(table->by_id);
	g_hash_table_destroy(table->by_key);
	g_ptr_array_unref(table->all);
}

struct chord_entry *chord_table_find(const struct chord_table *table, uint32_t id)
{
	return g_hash_table_lookup(table->by_id, GUINT_TO_POINTER(id));
}

struct chord_entry *chord_table_of_key(const struct chord_table *table, const uint8_t *key_hash)
{
	return g_hash_table_lookup(table->by_key, key_hash);
}

struct chord_entry *chord_table_copy(const struct chord_table *table, const void *bytes, uint32_t len)
{
	uint64_t content = chord_content(bytes, len);
	struct chord_entry *entry = g_hash_table_lookup(table->by_content, &content);

	return entry && entry->len == len && memcmp(entry->bytes, bytes, len) == 0 ? entry : NULL;
}

const struct chord_entry *chord_table_base(const struct chord_table *table, uint64_t content)
{
	return g_hash_table_lookup(table->by_content, &content);
}

const struct chord_entry *chord_table_after(const struct chord_table *table, uint64_t content)
{
	return content ? g_hash_table_lookup(table->by_before, &content) : NULL;
}

uint32_t chord_age_ms(const struct chord *c, const struct chord_entry *entry)
{
	int64_t age_ms = ((int64_t)c->host->now_ns(c->host) - entry->born_ns) / (int64_t)CHORD_MSEC;

	return (uint32_t)CLAMP(age_ms, 0, (int64_t)CHORD_LEASE_MS + 1);
}

bool chord_is_fresh(const struct chord *c, const struct chord_entry *entry)
{
	return chord_age_ms(c, entry) < CHORD_FRESH_NS / CHORD_MSEC;
}

/* Who of those with the id holds it: core decides between each two. */
static void settle(struct chord *c, uint32_t id)
{
	struct chord_table *table = &c->table;
	struct chord_entry *best = NULL;

	for (guint i = 0; i < table->all->len; i++) {
		struct chord_entry *entry = g_ptr_array_index(table->all, i);

		if (entry->info.id != id)
			continue;
		if (!best || c->host->record_compare(c->host, entry->bytes, entry->len, best->bytes, best->len) < 0)
			best = entry;
	}
	if (best)
		g_hash_table_replace(table->by_id, GUINT_TO_POINTER(id), best);
	else
		g_hash_table_remove(table->by_id, GUINT_TO_POINTER(id));
}

static void unlink_entry(struct chord *c, struct chord_entry *entry)
{
	struct chord_table *table = &c->table;
	uint32_t id = entry->info.id, at = entry->at;
	bool held = chord_table_find(table, id) == entry;

	g_hash_table_remove(table->by_key, entry->info.key_hash);
	if (g_hash_table_lookup(table->by_content, &entry->content) == entry)
		g_hash_table_remove(table->by_content, &entry->content);
	if (g_hash_table_lookup(table->by_before, &entry->before) == entry)
		g_hash_table_remove(table->by_before, &entry->before);
	if (held)
		g_hash_table_remove(table->by_id, GUINT_TO_POINTER(id));
	else
		table->n_shadowed--;
	(void)g_ptr_array_remove_index_fast(table->all, at); /* freed by it */
	if (at < table->all->len)
		((struct chord_entry *)g_ptr_array_index(table->all, at))->at = at;
	if (held && table->n_shadowed) {
		settle(c, id);
		table->n_shadowed -= chord_table_find(table, id) != NULL;
	}
}

void chord_table_drop(struct chord *c, struct chord_entry *entry)
{
	unlink_entry(c, entry);
}

static void link_entry(struct chord *c, struct chord_entry *entry)
{
	struct chord_table *table = &c->table;
	uint32_t id = entry->info.id;

	entry->at = table->all->len;
	g_ptr_array_add(table->all, entry);
	g_hash_table_insert(table->by_key, entry->info.key_hash, entry);
	g_hash_table_replace(table->by_content, &entry->content, entry);
	if (entry->before)
		g_hash_table_replace(table->by_before, &entry->before, entry);
	if (!chord_table_find(table, id)) {
		g_hash_table_insert(table->by_id, GUINT_TO_POINTER(id), entry);
		return;
	}
	chord_count(c, CHORD_CONFLICTS);
	table->n_shadowed++;
	settle(c, id);
}

/* Newer by its own numbers; a key that signed two records with the same ones is judged by their bytes, everywhere
 * alike. */
static int order(const struct ela_record_info *a, const void *a_bytes, uint32_t a_len, const struct chord_entry *b)
{
	int by_bytes;

	if (a->incarnation != b->info.incarnation)
		return a->incarnation < b->info.incarnation ? -1 : 1;
	if (a->sequence != b->info.sequence)
		return a->sequence < b->info.sequence ? -1 : 1;
	by_bytes = memcmp(a_bytes, b->bytes, MIN(a_len, b->len));
	return by_bytes ? by_bytes : (int)a_len - (int)b->len;
}

/* The longest silent one of those that nothing is routed to. */
static bool make_room(struct chord *c, uint32_t age_ms, uint32_t *ret_id)
{
	struct chord_entry *oldest = NULL;

	if (c->table.all->len < CHORD_MAX_RECORDS)
		return true;
	if (age_ms >= CHORD_FRESH_NS / CHORD_MSEC)
		return false; /* or two full tables would exchange their oldest for ever */
	for (guint i = 0; i < c->table.all->len; i++) {
		struct chord_entry *entry = g_ptr_array_index(c->table.all, i);

		if (!oldest || entry->born_ns < oldest->born_ns)
			oldest = entry;
	}
	if (!oldest || chord_is_fresh(c, oldest))
		return false;
	*ret_id = oldest->info.id;
	unlink_entry(c, oldest);
	return true;
}

static struct chord_entry *entry_new(
	struct chord *c, const struct ela_record_info *info, const void *bytes, uint32_t len, uint32_t age_ms)
{
	struct chord_entry *entry = g_malloc(sizeof *entry + len);

	entry->info = *info;
	entry->born_ns = (int64_t)c->host->now_ns(c->host) - (int64_t)age_ms * (int64_t)CHORD_MSEC;
	entry->content = chord_content(bytes, len);
	entry->before = entry->before_sequence = 0;
	entry->is_renewal = false;
	entry->len = len;
	memcpy(entry->bytes, bytes, len);
	return entry;
}

enum chord_put chord_table_put(struct chord *c, const struct ela_record_info *info, const void *bytes, uint32_t len,
	uint32_t age_ms, struct chord_arrival *ret)
{
	struct chord_entry *old = chord_table_of_key(&c->table, info->key_hash);
	uint64_t before_sequence = old ? old->info.sequence : 0;
	int newer = old ? order(info, bytes, len, old) : 1;

	*ret = (struct chord_arrival){.entry = old};
	if (newer <= 0)
		return newer < 0 ? CHORD_PUT_OLD : CHORD_PUT_SAME;
	ret->is_news = true;
	ret->touches_core = info->role == ELA_RECORD_ROLE_CORE;
	if (old) {
		ret->touches_core |= old->info.role == ELA_RECORD_ROLE_CORE;
		ret->is_news = old->info.id != info->id || old->info.role != info->role || old->info.parent != info->parent ||
					   old->info.flags != info->flags || old->info.incarnation != info->incarnation;
		ret->ids[1] = old->info.id != info->id ? old->info.id : 0;
		ret->base = old->content;
		if (!ret->is_news && len == old->len)
			ret->pieces_len = chord_pieces_make(old->bytes, bytes, len, ret->pieces);
		unlink_entry(c, old);
	} else if (!make_room(c, age_ms, &ret->ids[1])) {
		return CHORD_PUT_FULL;
	}
	ret->entry = entry_new(c, info, bytes, len, age_ms);
	ret->entry->before = ret->base;
	ret->entry->before_sequence = before_sequence;
	ret->entry->is_renewal = ret->pieces_len != 0;
	ret->ids[0] = info->id;
	link_entry(c, ret->entry);
	return CHORD_PUT_NEW;
}

void chord_table_digest(const struct chord *c, const uint8_t *salt, bool before_recent, uint64_t ret[CHORD_BUCKETS])
{
	const struct chord_table *table = &c->table;
	struct {
		uint8_t key_hash[32];
		uint64_t id, incarnation, sequence, content;
	} of;

	memset(ret, 0, CHORD_BUCKETS * sizeof *ret);
	for (guint i = 0; i < table->all->len; i++) {
		const struct chord_entry *entry = g_ptr_array_index(table->all, i);
		bool is_before;

		memcpy(of.key_hash, entry->info.key_hash, sizeof of.key_hash);
		of.id = GUINT64_TO_BE((uint64_t)entry->info.id);
		of.incarnation = GUINT64_TO_BE(entry->info.incarnation);
		is_before = before_recent && entry->is_renewal && chord_age_ms(c, entry) < CHORD_RECENT_MS;
		of.sequence = GUINT64_TO_BE(is_before ? entry->before_sequence : entry->info.sequence);
		of.content = GUINT64_TO_BE(is_before ? entry->before : entry->content);
		ret[chord_bucket(entry->info.id)] += chord_hash(salt, &of, sizeof of);
	}
}
