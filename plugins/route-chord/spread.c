/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread: keeps the tables of linked cores equal. What changes here goes to all of them at once; what comes from one
 * and says more than "still there" goes on to a few others; and every five seconds one of them, by chance, is shown a
 * hash for each part of the ID space, so that what was lost is found. Who differs says which parts it wants and sends
 * its own.
 *
 * Peers are members, not friends: a record is believed as far as core checks it; each peer's records, digests and wants
 * are limited, what they make us send is paced, and nothing here grows but up to a bound. Control thread.
 */
#include "chord.h"

#include <errno.h>
#include <string.h>

/* Records a second of what a peer lacks, and at once: fewer than receive.c takes. */
#define OUT_RATE 200.0
#define OUT_BURST 128.0
#define FORWARD_TO 2u /* linked cores that news goes on to */
#define FAREWELLS 3u
#define FAREWELL_NS (200u * CHORD_MSEC)

/* ---- sending ---- */

bool chord_send(struct chord *c, const struct chord_link *link, const struct chord_message *message)
{
	uint8_t bytes[CHORD_MESSAGE_MAX];
	uint32_t len = chord_wire_write(message, bytes);

	if (c->host->message_send(c->host, link->peer, bytes, len) == 0) {
		chord_count(c, CHORD_MESSAGES_OUT);
		return true;
	}
	chord_count(c, CHORD_SEND_FAILED); /* digests repair what that loses */
	return false;
}

void chord_send_record(struct chord *c, const struct chord_link *link, const struct chord_entry *entry)
{
	struct chord_message message = {.kind = CHORD_RECORD, .record = entry->bytes, .record_len = entry->len};

	message.age_ms = chord_age_ms(c, entry);
	(void)chord_send(c, link, &message);
}

void chord_send_arrival(struct chord *c, const struct chord_link *link, const struct chord_arrival *arrival)
{
	uint8_t bytes[CHORD_RENEWAL_HEAD + CHORD_PIECES_MAX];
	struct chord_message message = {.kind = CHORD_RENEWAL, .renewals = bytes};
	struct chord_renewal renewal = {.base = arrival->base, .pieces = arrival->pieces};

	if (!arrival->pieces_len) {
		chord_send_record(c, link, arrival->entry);
		return;
	}
	renewal.pieces_len = arrival->pieces_len;
	renewal.age_ms = chord_age_ms(c, arrival->entry);
	message.renewals_len = chord_renewal_write(&renewal, bytes);
	(void)chord_send(c, link, &message);
}

void chord_send_digest(struct chord *c, const struct chord_link *link)
{
	struct chord_message message = {.kind = CHORD_DIGEST};
	uint8_t salt[CHORD_SALT_LEN];

	c->host->random(c->host, salt, sizeof salt);
	message.salt = salt;
	chord_table_digest(c, salt, false, message.hashes);
	(void)chord_send(c, link, &message);
}

static gint by_id(gconstpointer a, gconstpointer b)
{
	uint32_t x = (*(const struct chord_link *const *)a)->id, y = (*(const struct chord_link *const *)b)->id;

	return x < y ? -1 : x > y;
}

GPtrArray *chord_linked(struct chord *c, bool leaves)
{
	GPtrArray *found = g_ptr_array_new();
	GHashTableIter iter;
	gpointer link;

	g_hash_table_iter_init(&iter, c->linked);
	while (g_hash_table_iter_next(&iter, NULL, &link))
		if (chord_is_edge(c, ((struct chord_link *)link)->id) == leaves)
			g_ptr_array_add(found, link);
	g_ptr_array_sort(found, by_id);
	return found;
}

struct chord_link *chord_take_random(struct chord *c, GPtrArray *of)
{
	uint32_t random;

	if (!of->len)
		return NULL;
	c->host->random(c->host, &random, sizeof random);
	return g_ptr_array_remove_index_fast(of, random % of->len);
}

/* A leaf's own record is all that it spreads, its leave included. */
void chord_spread(struct chord *c, const struct chord_arrival *arrival)
{
	g_autoptr(GPtrArray) cores = NULL;

	if (!c->joined && !(chord_is_leaf(c) && arrival->entry == chord_own(c)))
		return;
	cores = chord_linked(c, false);
	for (guint i = 0; i < cores->len; i++) {
		const struct chord_link *link = g_ptr_array_index(cores, i);

		if (c->joined)
			chord_send_arrival(c, link, arrival);
		else /* an edge compares with nobody: who lacks what it said before would lack this as well */
			chord_send_record(c, link, arrival->entry);
	}
}

/* What one core told goes on to a few: links may be cut so that not all reach all. */
void chord_forward(struct chord *c, const struct chord_link *from, const struct chord_entry *entry)
{
	g_autoptr(GPtrArray) cores = NULL;

	if (!c->joined)
		return;
	cores = chord_linked(c, false);
	(void)g_ptr_array_remove(cores, (gpointer)(uintptr_t)from); /* a leaf is not among them */
	for (uint32_t i = 0; i < FORWARD_TO; i++) {
		const struct chord_link *link = chord_take_random(c, cores);

		if (link)
			chord_send_record(c, link, entry);
	}
}

/* A leaf compares by itself. */
static void greet(struct chord *c, struct chord_link *link)
{
	const struct chord_entry *own = chord_own(c);

	if (!chord_speaks(c))
		return;
	if (own)
		chord_send_record(c, link, own);
	if (chord_is_edge(c, link->id))
		return;
	chord_send_digest(c, link);
	if (chord_is_leaf(c))
		chord_leaf_met(c, link);
}

void chord_greet_all(struct chord *c)
{
	for (int leaves = 0; leaves < 2; leaves++) {
		g_autoptr(GPtrArray) links = chord_linked(c, leaves);

		for (guint i = 0; i < links->len; i++)
			greet(c, g_ptr_array_index(links, i));
	}
}

/* ---- what a peer lacks, a little at a time ---- */

bool chord_may_send(struct chord *c, struct chord_link *link)
{
	return chord_take(&link->out, chord_now(c), OUT_RATE, OUT_BURST);
}

/* One turn. True while there is more. */
static bool pass(struct chord *c, struct chord_link *link)
{
	while (link->sending) {
		const struct chord_entry *entry;

		if (link->cursor >= c->table.all->len) {
			link->sending = link->next;
			link->next = 0;
			link->cursor = 0;
			continue;
		}
		entry = g_ptr_array_index(c->table.all, link->cursor);
		if (link->sending >> chord_bucket(entry->info.id) & 1) {
			if (!chord_take(&link->out, chord_now(c), OUT_RATE, OUT_BURST))
				return true;
			chord_send_record(c, link, entry);
		}
		link->cursor++;
	}
	return false;
}

void chord_on_pace(void *data)
{
	struct chord *c = data;
	bool is_more = false;

	for (int leaves = 0; leaves < 2; leaves++) {
		g_autoptr(GPtrArray) links = chord_linked(c, leaves);

		for (guint i = 0; i < links->len && c->joined; i++)
			is_more |= pass(c, g_ptr_array_index(links, i));
	}
	if (is_more)
		c->host->timer_set(c->pace, chord_now(c) + CHORD_PACE_NS);
}

/* A leaf has nothing to give but its own record. */
static void owe_own(struct chord *c, struct chord_link *link, uint64_t buckets)
{
	const struct chord_entry *own = chord_own(c);

	if (own && buckets >> chord_bucket(own->info.id) & 1 && chord_may_send(c, link))
		chord_send_record(c, link, own);
}

void chord_owe(struct chord *c, struct chord_link *link, uint64_t buckets)
{
	if (!chord_speaks(c) || !link->linked)
		return;
	if (chord_is_leaf(c)) {
		owe_own(c, link, buckets);
		return;
	}
	if (link->sending) {
		link->next |= buckets;
		return;
	}
	link->sending = buckets;
	link->cursor = 0;
	if (pass(c, link))
		c->host->timer_set(c->pace, chord_now(c) + CHORD_PACE_NS);
}

/* ---- links ---- */

/* A core is linked with cores by datagrams and with edges by whatever reaches them; an edge with cores so. */
static bool is_linked(const struct chord *c, const struct chord_link *link)
{
	if (!link->up || !(link->flags & ELA_PEER_DIRECT) || !chord_is_id(link->id))
		return false;
	if (chord_is_leaf(c))
		return !chord_is_edge(c, link->id);
	return link->flags & ELA_PEER_DATAGRAM || chord_is_edge(c, link->id);
}

static void set_linked(struct chord *c, struct chord_link *link, bool linked)
{
	if (linked == link->linked)
		return;
	link->linked = linked;
	link->sending = link->next = 0;
	link->again_at_ns = 0;
	if (linked) {
		g_hash_table_replace(c->linked, GUINT_TO_POINTER(link->id), link);
		greet(c, link);
	} else if (g_hash_table_lookup(c->linked, GUINT_TO_POINTER(link->id)) == link) {
		g_hash_table_remove(c->linked, GUINT_TO_POINTER(link->id));
	}
}

void chord_reconsider(struct chord *c, uint32_t id)
{
	bool all = id == c->host->own_id(c->host);
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, c->links);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct chord_link *link = value;

		if (all || link->id == id)
			set_linked(c, link, is_linked(c, link));
	}
	if (all)
		chord_tell_ring(c);
}

static void take_info(struct chord *c, const struct ela_peer_info *info)
{
	struct chord_link *link = g_hash_table_lookup(c->links, GUINT_TO_POINTER(info->peer));

	if (!link) {
		link = g_new0(struct chord_link, 1);
		*link = (struct chord_link){
			.peer = info->peer, .in = {chord_now(c), CHORD_IN_BURST}, .asks = {chord_now(c), CHORD_ASKS_BURST}};
		link->out = (struct chord_bucket_of_tokens){chord_now(c), OUT_BURST};
		link->up = (info->flags & ELA_PEER_DIRECT) != 0; /* its session is older than we are */
		g_hash_table_insert(c->links, GUINT_TO_POINTER(info->peer), link);
	}
	if (link->id != info->id)
		set_linked(c, link, false);
	link->seen = true;
	link->id = info->id;
	link->flags = info->flags;
	set_linked(c, link, is_linked(c, link));
}

static gboolean is_gone(gpointer peer, gpointer value, gpointer data)
{
	struct chord_link *link = value;
	bool seen = link->seen;

	(void)peer;
	link->seen = false;
	if (!seen)
		set_linked(data, link, false);
	return !seen;
}

void chord_links_refresh(struct chord *c)
{
	struct ela_peer_info info = {0};
	uint32_t cursor = 0;

	for (; c->host->peer_next(c->host, cursor, &info) == 0; cursor = info.peer)
		take_info(c, &info);
	(void)g_hash_table_foreach_remove(c->links, is_gone, c); /* how many went does not matter */
	chord_tell_ring(c);
}

void chord_link_event(struct chord *c, uint32_t peer, uint32_t event)
{
	struct chord_link *link;

	chord_links_refresh(c); /* it may be a new one */
	link = g_hash_table_lookup(c->links, GUINT_TO_POINTER(peer));
	if (!link)
		return;
	link->up = event == ELA_LINK_UP;
	set_linked(c, link, is_linked(c, link));
	chord_tell_ring(c);
}

/* ---- as time passes ---- */

static void compare_again(struct chord *c)
{
	g_autoptr(GPtrArray) cores = chord_linked(c, false);

	for (guint i = 0; i < cores->len; i++) {
		struct chord_link *link = g_ptr_array_index(cores, i);

		if (link->again && c->joined)
			chord_send_digest(c, link);
		link->again = false;
	}
}

static void compare_with_one(struct chord *c)
{
	g_autoptr(GPtrArray) cores = NULL;
	const struct chord_link *link;
	uint32_t random;

	if (!c->joined || chord_now(c) < c->digest_at_ns)
		return;
	c->host->random(c->host, &random, sizeof random);
	c->digest_at_ns = chord_now(c) + CHORD_DIGEST_NS * 4 / 5 + random % (CHORD_DIGEST_NS * 2 / 5);
	cores = chord_linked(c, false);
	link = chord_take_random(c, cores);
	if (link)
		chord_send_digest(c, link);
}

void chord_on_tick(void *data)
{
	struct chord *c = data;

	chord_links_refresh(c);
	chord_offer_asides(c);
	chord_look_at_records(c);
	chord_tell_ring(c);
	compare_again(c);
	compare_with_one(c);
	chord_serve_tick(c);
	chord_leaf_tick(c);
	c->host->timer_set(c->tick, chord_now(c) + CHORD_TICK_NS);
}

/* The own leave, again: who missed it would route to us for two minutes. */
void chord_on_farewell(void *data)
{
	struct chord *c = data;
	const struct chord_entry *own = chord_own(c);

	for (int leaves = 0; own && leaves < 2; leaves++) {
		g_autoptr(GPtrArray) links = chord_linked(c, leaves);

		for (guint i = 0; i < links->len; i++)
			chord_send_record(c, g_ptr_array_index(links, i), own);
	}
	if (own && c->farewells++ < FAREWELLS)
		c->host->timer_set(c->farewell, chord_now(c) + FAREWELL_NS);
}
