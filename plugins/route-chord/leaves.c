/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaves: edges on the ring of cores. An edge is a leaf of the cores that it has direct sessions with, its parent and
 * its spare: it gives them its own record, takes theirs of all nodes, asks for what it lacks and passes on nothing. A
 * core tells its leaves at once what changes; that a node is still there, which is most of it, an edge hears from its
 * parent alone, as what is new in the node's record: its signature is, and cannot be made up (docs/adr/0025). Control
 * thread.
 */
#include "chord.h"

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

void chord_serve(struct chord *c, const struct chord_link *from, const struct chord_arrival *arrival)
{
	const struct chord_entry *entry = arrival->entry;
	g_autoptr(GPtrArray) leaves = NULL;

	if (!c->joined)
		return;
	leaves = chord_linked(c, true);
	for (guint i = 0; i < leaves->len; i++) {
		struct chord_link *link = g_ptr_array_index(leaves, i);

		if (link == from || link->id == entry->info.id || !(arrival->is_news || is_child(c, link)))
			continue;
		if (chord_may_send(c, link))
			chord_send_arrival(c, link, arrival);
		else /* two rings met: with what else is in its bucket, as fast as a peer gets anything */
			chord_owe(c, link, UINT64_C(1) << chord_bucket(entry->info.id));
	}
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
