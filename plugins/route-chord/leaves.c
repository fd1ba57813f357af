/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaves: edges on the ring of cores. An edge is a leaf of the cores that it has direct sessions with, its parent and
 * its spare: it gives them its own record, takes theirs of all nodes, asks for what it lacks and passes on nothing. A
 * core tells its leaves at once what changes; that a node is still there, which is most of it, an edge hears from its
 * parent alone, as what is new in the node's record: its signature is, and cannot be made up (docs/adr/0025). Control
 * thread.
 */
#include "chord.h"

#include <string.h>

const struct chord_entry *chord_own(const struct chord *c)
{
	return chord_table_find(&c->table, c->host->own_id(c->host));
}

bool chord_is_edge(const struct chord *c, uint32_t id)
{
	const struct chord_entry *entry = chord_table_find(&c->table, id);

	return entry && entry->info.role == ELA_RECORD_ROLE_EDGE;
}

bool chord_is_leaf(const struct chord *c)
{
	return !c->joined && chord_is_edge(c, c->host->own_id(c->host));
}

bool chord_speaks(const struct chord *c)
{
	return c->joined || (chord_is_leaf(c) && !(chord_own(c)->info.flags & ELA_RECORD_LEAVE));
}

/* Who is linked by datagrams and has no record yet may be a core whose own is still on its way. */
bool chord_may_bring(const struct chord *c, const struct chord_link *link, uint32_t id)
{
	const struct chord_entry *entry = chord_table_find(&c->table, link->id);

	if (id == link->id)
		return true;
	return entry ? entry->info.role == ELA_RECORD_ROLE_CORE : (link->flags & ELA_PEER_DATAGRAM) != 0;
}

/* ---- a core's side ---- */

static bool is_child(const struct chord *c, const struct chord_link *link)
{
	return chord_table_find(&c->table, link->id)->info.parent == c->host->own_id(c->host);
}

/* What is held to one child, its own excepted. */
static void tell_held(struct chord *c, struct chord_link *link)
{
	uint8_t bytes[CHORD_MESSAGE_MAX - CHORD_HEADER_LEN];
	struct chord_message message = {.kind = CHORD_RENEWAL, .renewals = bytes};

	for (guint i = 0; i < c->held->len; i++) {
		const struct chord_held *held = &g_array_index(c->held, struct chord_held, i);
		int64_t age_ns = (int64_t)chord_now(c) - held->born_ns;
		struct chord_renewal renewal = {.base = held->base, .pieces = held->pieces, .pieces_len = held->pieces_len};

		if (link->id == held->id)
			continue;
		if (!chord_may_send(
				c, link)) { /* two rings met: with what else is in its bucket, as fast as a peer gets anything */
			chord_owe(c, link, UINT64_C(1) << chord_bucket(held->id));
			continue;
		}
		if (message.renewals_len + CHORD_RENEWAL_HEAD + held->pieces_len > sizeof bytes) {
			(void)chord_send(c, link, &message);
			message.renewals_len = 0;
		}
		renewal.age_ms = (uint32_t)(age_ns / (int64_t)CHORD_MSEC);
		message.renewals_len += chord_renewal_write(&renewal, bytes + message.renewals_len);
	}
	if (message.renewals_len)
		(void)chord_send(c, link, &message);
}

static void tell_all_held(struct chord *c)
{
	g_autoptr(GPtrArray) leaves = NULL;

	if (!c->held->len)
		return;
	leaves = chord_linked(c, true);
	for (guint i = 0; i < leaves->len && c->joined; i++)
		if (is_child(c, g_ptr_array_index(leaves, i)))
			tell_held(c, g_ptr_array_index(leaves, i));
	g_array_set_size(c->held, 0);
}

static void hold(struct chord *c, const struct chord_arrival *arrival)
{
	struct chord_held held = {.id = arrival->entry->info.id, .born_ns = arrival->entry->born_ns, .base = arrival->base};

	held.pieces_len = arrival->pieces_len;
	memcpy(held.pieces, arrival->pieces, held.pieces_len);
	if (!c->held->len)
		c->held_ns = chord_now(c);
	g_array_append_val(c->held, held);
	if (c->held->len >= CHORD_HELD_MAX)
		tell_all_held(c);
}

void chord_serve_tick(struct chord *c)
{
	if (c->held->len && chord_now(c) - c->held_ns >= CHORD_HOLD_NS)
		tell_all_held(c);
}

void chord_serve(struct chord *c, const struct chord_link *from, const struct chord_arrival *arrival)
{
	const struct chord_entry *entry = arrival->entry;
	g_autoptr(GPtrArray) leaves = NULL;

	if (!c->joined)
		return;
	if (!arrival->is_news && arrival->pieces_len) {
		hold(c, arrival);
		return;
	}
	tell_all_held(c); /* what is told now may be made of that */
	leaves = chord_linked(c, true);
	for (guint i = 0; i < leaves->len; i++) {
		struct chord_link *link = g_ptr_array_index(leaves, i);

		if (link == from || link->id == entry->info.id || !(arrival->is_news || is_child(c, link)))
			continue;
		if (chord_may_send(c, link))
			chord_send_arrival(c, link, arrival);
		else
			chord_owe(c, link, UINT64_C(1) << chord_bucket(entry->info.id));
	}
}

uint64_t chord_leaf_lacks_in(const struct chord *c, const struct chord_message *digest, uint64_t differ)
{
	uint64_t before[CHORD_BUCKETS];

	chord_table_digest(c, digest->salt, true, before);
	for (uint32_t i = 0; i < CHORD_BUCKETS; i++)
		if (before[i] == digest->hashes[i])
			differ &= ~(UINT64_C(1) << i);
	return differ;
}

/* ---- a leaf's side ---- */

#define ANSWER_NS (3u * CHORD_SEC)
#define TRIES 4u

/* Until an answer comes. */
static void compare(struct chord *c, struct chord_link *link)
{
	link->again_at_ns = chord_now(c) + ANSWER_NS;
	chord_send_digest(c, link);
}

/* What was said at once may not have been understood: the core did not know yet who we are. */
void chord_leaf_met(struct chord *c, struct chord_link *link)
{
	link->tries = link->n_wanted = 0;
	link->again_at_ns = chord_now(c) + CHORD_SEC;
}

/* What differs for long - a list that one of the two does not have yet - is asked about less and less often; what gets
 * less is being repaired. */
void chord_leaf_answered(struct chord *c, struct chord_link *link, uint64_t wanted)
{
	uint32_t n = (uint32_t)__builtin_popcountll(wanted);

	if (n < link->n_wanted)
		link->tries = 0;
	link->n_wanted = n;
	link->again_at_ns = n ? chord_now(c) + (CHORD_SEC << link->tries) : 0;
	link->tries = n ? MIN(link->tries + 1, TRIES) : 0;
}

void chord_leaf_lacks(struct chord *c, struct chord_link *link)
{
	if (chord_is_leaf(c) && link->linked && !link->again_at_ns)
		link->again_at_ns = chord_now(c) + CHORD_SEC;
}

static struct chord_link *parent_of(const struct chord *c)
{
	return g_hash_table_lookup(c->linked, GUINT_TO_POINTER(chord_own(c)->info.parent));
}

/*
 * The one that is our parent now may have been our spare, which does not tell who is still there. And what is merely
 * newer may be lost as well.
 */
void chord_leaf_said(struct chord *c, bool is_news)
{
	struct chord_link *link;

	if (!chord_is_leaf(c) || !chord_speaks(c))
		return;
	link = parent_of(c);
	if (link && is_news)
		compare(c, link);
	else if (link && link->flags & ELA_PEER_DATAGRAM && !link->again_at_ns)
		link->again_at_ns = chord_now(c) + 2 * CHORD_SEC;
}

static struct chord_link *whose_turn(struct chord *c)
{
	struct chord_link *parent = parent_of(c), *other;
	g_autoptr(GPtrArray) others = NULL;

	if (parent && ++c->compares % 2 != 0)
		return parent;
	others = chord_linked(c, false);
	(void)g_ptr_array_remove(others, parent); /* it may be none of them */
	other = chord_take_random(c, others);
	return other ? other : parent;
}

void chord_leaf_tick(struct chord *c)
{
	g_autoptr(GPtrArray) cores = NULL;
	struct chord_link *link;
	uint32_t random;

	if (!chord_is_leaf(c) || !chord_speaks(c))
		return;
	cores = chord_linked(c, false);
	for (guint i = 0; i < cores->len; i++) {
		link = g_ptr_array_index(cores, i);
		if (link->again_at_ns && chord_now(c) >= link->again_at_ns)
			compare(c, link);
	}
	if (chord_now(c) < c->digest_at_ns)
		return;
	c->host->random(c->host, &random, sizeof random);
	c->digest_at_ns =
		chord_now(c) + CHORD_LEAF_DIGEST_NS * 4 / 5 + ((uint64_t)random << 8) % (CHORD_LEAF_DIGEST_NS * 2 / 5);
	link = whose_turn(c);
	if (link)
		compare(c, link);
}
