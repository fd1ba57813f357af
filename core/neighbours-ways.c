/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbours-ways: through whom each peer is reached, whose session is kept, and, on a core, what is relayed to whom.
 * It follows from role, parent, records and sessions as they are now, and is said again as a whole. Control thread.
 */
#include "neighbours-priv.h"

void ela_neighbours_call(struct neighbour *nb)
{
	struct ela_peer *peer = nb->peer;

	ela_peer_keep(peer, ELA_LINK_ALIVE_NS);
	(void)ela_peer_via(peer, NULL); /* NULL is no node for itself */
	/* With a session through somebody else the direct way is looked for by challenges, and needs no handshake. */
	if (!is_linked(nb) && !ela_initiator_busy(peer) && !(peer->tx_shadow && peer->tx_shadow->via))
		ela_initiate(peer);
}

/* ---- what is relayed ---- */

static void relay(struct ela_neighbours *n, struct neighbour *nb, struct ela_peer *hop, enum ela_forward_kind kind)
{
	if (nb->kind == kind && nb->hop == hop)
		return;
	nb->kind = kind;
	nb->hop = hop;
	if (kind == ELA_FORWARD_NONE)
		(void)ela_forward_del(n->node, nb->id); /* it may have gone with its peer */
	else
		(void)ela_forward_set(n->node, nb->id, hop, kind); /* its ID is a node's, and not ours */
}

/* ---- core ---- */

/* The other core that is the way to it. */
static struct ela_peer *core_before(const struct ela_neighbours *n, const struct neighbour *nb)
{
	const struct neighbour *core =
		nb->via_id == nb->id ? NULL : g_hash_table_lookup(n->by_id, GUINT_TO_POINTER(nb->via_id));

	return core && is_core(core) ? core->peer : NULL;
}

/*
 * Through a core, but free to come here: an edge that makes this node its spare has a session already, and moves it
 * here by its own challenge. Pinned, ours would never follow.
 */
static void lead_through(struct ela_peer *peer, struct ela_peer *core)
{
	if (peer->current && peer->tx_shadow && peer->tx_shadow->via == core && !peer->via)
		return;
	(void)ela_peer_via(peer, core); /* another node than itself */
	if (peer->tx_shadow && peer->tx_shadow->via == core)
		(void)ela_peer_via(peer, NULL); /* what is published stays until there is a direct way */
}

static void lead_edge_of_ring(struct ela_neighbours *n, struct neighbour *nb)
{
	struct ela_peer *core = core_before(n, nb);

	if (is_direct(nb) && (is_linked(nb) || !core)) {
		relay(n, nb, nb->peer, ELA_FORWARD_CHILD);
	} else if (core) {
		if (nb->peer->link) /* it is silent, and has another parent: if it is still there, it comes again */
			ela_link_close(nb->peer->link);
		lead_through(nb->peer, core);
		relay(n, nb, core, ELA_FORWARD_CORE);
	} else {
		(void)ela_peer_via(nb->peer, NULL);
		relay(n, nb, NULL, ELA_FORWARD_NONE);
	}
}

static void lead_as_core(struct ela_neighbours *n, struct neighbour *nb)
{
	if (!is_core(nb)) {
		ela_peer_keep(nb->peer, 0); /* a child keeps its session itself */
		lead_edge_of_ring(n, nb);
		return;
	}
	ela_neighbours_call(nb);
	relay(n, nb, nb->peer, ELA_FORWARD_CORE);
}

/* ---- edge ---- */

static void lead_as_edge(struct ela_neighbours *n, struct neighbour *nb)
{
	bool is_near = nb == n->parent || nb == n->spare || nb->reach == REACH_TRYING;

	relay(n, nb, NULL, ELA_FORWARD_NONE);
	ela_peer_keep(nb->peer, nb == n->parent                    ? ELA_PARENT_ALIVE_NS
							: is_near || nb->id == n->third_id ? ELA_LINK_ALIVE_NS
															   : 0);
	if (!is_near && !is_linked(nb))
		(void)ela_peer_via(nb->peer, n->parent ? n->parent->peer : NULL);
	else if (nb->reach == REACH_TRYING && n->parent && nb != n->parent && nb->peer->tx_shadow &&
			 nb->peer->tx_shadow->via)
		lead_through(nb->peer, n->parent->peer); /* while it is called: the parent before may relay no more */
}

static void lead_nowhere(struct ela_neighbours *n, struct neighbour *nb)
{
	relay(n, nb, NULL, ELA_FORWARD_NONE);
	ela_peer_keep(nb->peer, 0);
}

void ela_neighbours_lead(struct ela_neighbours *n)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, n->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct neighbour *nb = value;

		if (!nb->peer)
			relay(n, nb, NULL, ELA_FORWARD_NONE);
		else if (n->role == ELA_LEASE_CORE)
			lead_as_core(n, nb);
		else if (n->role == ELA_LEASE_EDGE)
			lead_as_edge(n, nb);
		else
			lead_nowhere(n, nb);
	}
}
