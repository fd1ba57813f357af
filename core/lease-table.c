/* SPDX-License-Identifier: Apache-2.0 */
/* lease-table: leases by address and by key, and their file (see lease-table.h). Control thread. */
#include "lease-table.h"
#include "bytes.h"

#include <errno.h>
#include <string.h>

#define FILE_NAME "leases"
#define ENTRY_LEN (4u + 8u + 8u + ELA_HASH_LEN)

struct ela_lease_table {
	struct ela_loop *loop;
	const struct ela_membership *m;
	const struct ela_file_ops *ops;
	int dirfd;
	GHashTable *by_address; /* struct ela_held_lease, owned */
	GHashTable *by_key;     /* the same, by node_hash */
	bool is_news;           /* the disk has something else */
	int err;                /* of the last write */
	uint64_t tried_ns;      /* when that was, 0: never */
	struct ela_timer *write;
};

/* ---- by address and key ---- */

/* The key is a SHA-256 of what a member chose: whoever makes many that meet here makes his own table slower. */
static guint hash_of(gconstpointer key)
{
	return ela_get32(key);
}

static gboolean same_key(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

static void insert(struct ela_lease_table *t, struct ela_held_lease *lease)
{
	(void)g_hash_table_insert(t->by_address, GUINT_TO_POINTER(lease->address), lease); /* neither was there */
	(void)g_hash_table_insert(t->by_key, lease->node_hash, lease);
}

static void end(struct ela_lease_table *t, struct ela_held_lease *lease)
{
	(void)g_hash_table_remove(t->by_key, lease->node_hash); /* it was there: each lease is in both */
	(void)g_hash_table_remove(t->by_address, GUINT_TO_POINTER(lease->address));
	t->is_news = true;
}

static bool is_over(const struct ela_lease_table *t, const struct ela_held_lease *lease)
{
	return (int64_t)ela_loop_now(t->loop) - lease->heard_ns >= (int64_t)(ELA_LEASE_S * ELA_SEC);
}

static struct ela_held_lease *if_on(const struct ela_lease_table *t, struct ela_held_lease *lease)
{
	return lease && !is_over(t, lease) ? lease : NULL;
}

const struct ela_held_lease *ela_lease_table_at(const struct ela_lease_table *t, uint32_t address)
{
	return if_on(t, g_hash_table_lookup(t->by_address, GUINT_TO_POINTER(address)));
}

const struct ela_held_lease *ela_lease_table_of(const struct ela_lease_table *t, const uint8_t node_hash[ELA_HASH_LEN])
{
	return if_on(t, g_hash_table_lookup(t->by_key, node_hash));
}

static gint by_rising_address(gconstpointer a, gconstpointer b)
{
	uint32_t left = (*(const struct ela_held_lease *const *)a)->address;
	uint32_t right = (*(const struct ela_held_lease *const *)b)->address;

	return left < right ? -1 : left > right;
}

GPtrArray *ela_lease_table_all(const struct ela_lease_table *t)
{
	GPtrArray *all = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, t->by_address);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (!is_over(t, value))
			g_ptr_array_add(all, value);
	g_ptr_array_sort(all, by_rising_address);
	return all;
}

uint32_t ela_lease_table_count(const struct ela_lease_table *t)
{
	return g_hash_table_size(t->by_address);
}

/* Ends all that are to end. */
static void sweep(
	struct ela_lease_table *t, bool (*is_to_end)(const struct ela_lease_table *t, const struct ela_held_lease *lease))
{
	g_autoptr(GList) all = g_hash_table_get_values(t->by_address);

	for (GList *i = all; i; i = i->next)
		if (is_to_end(t, i->data))
			end(t, i->data);
}

/* ---- the file ---- */

static uint64_t wall_s(const struct ela_lease_table *t)
{
	return ela_membership_now(t->m, t->loop->ops->wall_ns(t->loop) / ELA_SEC);
}

static GByteArray *put_all(struct ela_lease_table *t)
{
	uint64_t now_s = wall_s(t);
	int64_t now_ns = (int64_t)ela_loop_now(t->loop);
	GByteArray *out = g_byte_array_new();
	uint8_t entry[ENTRY_LEN];
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, t->by_address);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct ela_held_lease *lease = value;
		uint64_t age_s = (uint64_t)(now_ns - lease->heard_ns) / ELA_SEC;

		ela_put32(entry, lease->address);
		ela_put64(entry + 4, lease->since_s);
		ela_put64(entry + 12, now_s - MIN(now_s, age_s));
		memcpy(entry + 20, lease->node_hash, ELA_HASH_LEN);
		g_byte_array_append(out, entry, sizeof entry);
	}
	return out;
}

static void mark_written(struct ela_lease_table *t)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, t->by_address);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct ela_held_lease *lease = value;

		lease->written_ns = lease->heard_ns;
	}
	t->is_news = false;
}

int ela_lease_table_flush(struct ela_lease_table *t)
{
	GByteArray *out;

	sweep(t, is_over);
	out = put_all(t);
	t->err = t->dirfd < 0 ? 0 : ela_file_put(t->ops, t->dirfd, FILE_NAME, ELA_FILE_REPLACE, out->data, out->len);
	t->tried_ns = ela_loop_now(t->loop);
	g_byte_array_unref(out);
	if (t->err == 0)
		mark_written(t);
	return t->err;
}

/* Soon, but not sooner than 60 s after the last time, whether that went well or not. */
static void write_soon(struct ela_lease_table *t)
{
	if (t->is_news)
		t->loop->ops->timer_set(
			t->write, MAX(ela_loop_now(t->loop), t->tried_ns == 0 ? 0 : t->tried_ns + ELA_LEASE_WRITE_NS));
}

static void on_write(void *data)
{
	struct ela_lease_table *t = data;

	(void)ela_lease_table_flush(t); /* remembered for ela_lease_table_error() */
	write_soon(t);
}

static bool read_entry(struct ela_lease_table *t, const uint8_t *p)
{
	uint64_t now_s = wall_s(t), heard_s = ela_get64(p + 12);
	uint64_t age_s = MIN(now_s - MIN(now_s, heard_s), ELA_LEASE_S); /* 0 when the clock went back */
	struct ela_held_lease *lease;

	if (ela_get32(p) == 0 || g_hash_table_contains(t->by_address, GUINT_TO_POINTER(ela_get32(p))) ||
		g_hash_table_contains(t->by_key, p + 20))
		return false;
	lease = g_new0(struct ela_held_lease, 1);
	lease->address = ela_get32(p);
	lease->since_s = ela_get64(p + 4);
	lease->heard_ns = (int64_t)ela_loop_now(t->loop) - (int64_t)(age_s * ELA_SEC);
	lease->written_ns = lease->heard_ns;
	memcpy(lease->node_hash, p + 20, ELA_HASH_LEN);
	insert(t, lease);
	return true;
}

static int read_file(struct ela_lease_table *t, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	const uint8_t *p;
	gsize len;
	int err = t->dirfd < 0 ? -ENOENT : ela_file_get(t->dirfd, FILE_NAME, (size_t)ELA_LEASES_MAX * ENTRY_LEN, &bytes);

	if (err == -ENOENT)
		return 0;
	if (err != 0)
		return ela_object_refuse(error, -err, "%s in the state folder cannot be read: %s", FILE_NAME, g_strerror(-err));
	p = g_bytes_get_data(bytes, &len);
	for (gsize at = 0; at < len; at += ENTRY_LEN)
		if (len - at < ENTRY_LEN || !read_entry(t, p + at))
			return ela_object_refuse(error, EBADMSG,
				"%s in the state folder is no list of leases; remove it, and addresses are leased anew", FILE_NAME);
	sweep(t, is_over);
	return 0;
}

/* ---- life ---- */

int ela_lease_table_new(struct ela_loop *loop, const struct ela_membership *m, const struct ela_file_ops *ops,
	int dirfd, struct ela_lease_table **ret, GError **error)
{
	struct ela_lease_table *t = g_new0(struct ela_lease_table, 1);
	int err;

	t->loop = loop;
	t->m = m;
	t->ops = ops;
	t->dirfd = dirfd;
	t->by_address = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	t->by_key = g_hash_table_new(hash_of, same_key);
	t->write = loop->ops->timer_new(loop, on_write, t);
	err = read_file(t, error);
	if (err != 0)
		ela_lease_table_free(t);
	else
		*ret = t;
	return err;
}

void ela_lease_table_free(struct ela_lease_table *t)
{
	if (!t)
		return;
	t->loop->ops->timer_free(t->write);
	g_hash_table_destroy(t->by_key);
	g_hash_table_destroy(t->by_address);
	g_free(t);
}

int ela_lease_table_error(const struct ela_lease_table *t)
{
	return t->err;
}

/* ---- leasing ---- */

/* To whom the ring's rule gives the address. A lease whose node is in no more holds nothing. */
static bool yields(
	const struct ela_lease_table *t, const struct ela_held_lease *holder, const struct ela_standing *standing)
{
	struct ela_standing held = {.credential = ela_membership_node(t->m, holder->node_hash), .since_s = holder->since_s};

	held.lease.address = holder->address;
	memcpy(held.lease.node_hash, holder->node_hash, ELA_HASH_LEN);
	return !held.credential || ela_membership_compare(t->m, &held, standing) > 0;
}

static bool make_room(struct ela_lease_table *t)
{
	struct ela_held_lease *oldest = NULL;
	GHashTableIter iter;
	gpointer value;

	if (ela_lease_table_count(t) < ELA_LEASES_MAX)
		return true;
	g_hash_table_iter_init(&iter, t->by_address);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct ela_held_lease *lease = value;

		if (!oldest || lease->heard_ns < oldest->heard_ns)
			oldest = lease;
	}
	if (!oldest || (int64_t)ela_loop_now(t->loop) - oldest->heard_ns < (int64_t)(ELA_LEASE_STALE_S * ELA_SEC))
		return false;
	end(t, oldest);
	return true;
}

/* Instead of the key's own one, and of another's that is over. NULL: there is no room. */
static struct ela_held_lease *begin(struct ela_lease_table *t, uint32_t address, const uint8_t *node_hash)
{
	struct ela_held_lease *holder = g_hash_table_lookup(t->by_address, GUINT_TO_POINTER(address)), *lease;

	if (holder)
		end(t, holder);
	lease = g_hash_table_lookup(t->by_key, node_hash);
	if (lease)
		end(t, lease);
	if (!make_room(t))
		return NULL;
	lease = g_new0(struct ela_held_lease, 1);
	lease->address = address;
	memcpy(lease->node_hash, node_hash, ELA_HASH_LEN);
	insert(t, lease);
	t->is_news = true;
	return lease;
}

static void renew(struct ela_lease_table *t, struct ela_held_lease *lease, uint64_t since_s)
{
	lease->heard_ns = (int64_t)ela_loop_now(t->loop);
	if (since_s != 0 && since_s != lease->since_s) { /* 0: its home may only be unknown here now */
		lease->since_s = since_s;
		t->is_news = true;
	}
	if (lease->heard_ns - lease->written_ns >= (int64_t)(ELA_LEASE_EXACT_S * ELA_SEC))
		t->is_news = true;
	write_soon(t);
}

bool ela_lease_table_note(struct ela_lease_table *t, const struct ela_standing *standing)
{
	const struct ela_lease *record = &standing->lease;
	struct ela_held_lease *holder = g_hash_table_lookup(t->by_address, GUINT_TO_POINTER(record->address));
	struct ela_held_lease *own = g_hash_table_lookup(t->by_key, record->node_hash);

	if (!holder || holder != own || is_over(t, own)) {
		if (holder && !is_over(t, holder) && !yields(t, holder, standing))
			return false;
		own = begin(t, record->address, record->node_hash);
	}
	if (!own)
		return false;
	renew(t, own, standing->since_s);
	return true;
}

/* As if its last record had come almost 30 days ago. */
bool ela_lease_table_promise(struct ela_lease_table *t, const uint8_t node_hash[ELA_HASH_LEN], uint32_t address)
{
	const struct ela_held_lease *holder = ela_lease_table_at(t, address);
	struct ela_held_lease *lease;

	if (holder)
		return same_key(holder->node_hash, node_hash);
	lease = begin(t, address, node_hash);
	if (lease)
		lease->heard_ns = (int64_t)ela_loop_now(t->loop) - (int64_t)((ELA_LEASE_S - ELA_LEASE_PROMISE_S) * ELA_SEC);
	return lease != NULL;
}

static bool is_out(const struct ela_lease_table *t, const struct ela_held_lease *lease)
{
	return !ela_membership_node(t->m, lease->node_hash);
}

void ela_lease_table_recheck(struct ela_lease_table *t)
{
	sweep(t, is_out);
	write_soon(t);
}
