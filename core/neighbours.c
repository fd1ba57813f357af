/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbours: peers of records, and when what is done (see neighbours.h). Whoever brings news only leaves a note; the
 * turn that follows looks at records and sessions as they are then, so the order of news does not matter. Control
 * thread.
 */
#include "neighbours.h"

#include "frame.h"
#include "inet.h"
#include "log.h"
#include "neighbours-priv.h"
#include "own.h"

#include <errno.h>
#include <string.h>

void ela_neighbours_at(struct ela_neighbours *n, uint64_t at_ns)
{
	if (n->due_ns && n->due_ns <= at_ns)
		return;
	n->due_ns = at_ns;
	n->node->loop->ops->timer_set(n->timer, at_ns);
}

static void soon(struct ela_neighbours *n)
{
	ela_neighbours_at(n, ela_loop_now(n->node->loop));
}

static struct neighbour *find(const struct ela_neighbours *n, uint32_t id)
{
	return g_hash_table_lookup(n->by_id, GUINT_TO_POINTER(id));
}

static struct neighbour *of_peer(const struct ela_neighbours *n, const struct ela_peer *peer)
{
	return g_hash_table_lookup(n->by_peer, peer);
}

static void note(struct ela_neighbours *n, uint32_t id)
{
	(void)g_hash_table_add(n->dirty, GUINT_TO_POINTER(id)); /* noted already is as good */
	soon(n);
}

static void note_all(struct ela_neighbours *n)
{
	const struct ela_known *known;
	GHashTableIter iter;
	gpointer id;

	for (uint32_t i = 0; (known = ela_directory_next(n->directory, i)) != NULL; i = known->id)
		note(n, known->id);
	g_hash_table_iter_init(&iter, n->by_id);
	while (g_hash_table_iter_next(&iter, &id, NULL))
		note(n, GPOINTER_TO_UINT(id));
}

/* ---- what a record says of a peer ---- */

static void add_endpoint(struct ela_addr *endpoints, uint32_t *n, const struct ela_addr *addr, uint16_t port)
{
	endpoints[*n] = *addr;
	endpoints[(*n)++].port = port;
}

/*
 * Where it can be called. A core does not call edges: those who are children come by themselves, and others would be
 * called in vain all the time.
 */
static uint32_t endpoints_of(
	const struct ela_neighbours *n, const struct neighbour *nb, struct ela_addr ret[2 * ELA_LEASE_PLACES])
{
	uint32_t found = 0;

	if (n->role == ELA_LEASE_CORE && !is_core(nb))
		return 0;
	for (uint32_t i = 0; i < nb->lease.n_places; i++) {
		const struct ela_place *place = &nb->lease.places[i];

		if (place->udp_port)
			add_endpoint(ret, &found, &place->addr, place->udp_port);
		if (place->tcp_port && place->tcp_port != place->udp_port)
			add_endpoint(ret, &found, &place->addr, place->tcp_port);
	}
	return found;
}

static int make_peer(struct ela_neighbours *n, struct neighbour *nb, const struct ela_credential *credential,
	struct ela_peer **ret, GError **error)
{
	struct ela_addr endpoints[2 * ELA_LEASE_PLACES];
	struct ela_peer_spec spec = {.name = credential->name,
		.endpoints = endpoints,
		.n_endpoints = endpoints_of(n, nb, endpoints),
		.keepalive_ns = nb->peer ? nb->peer->config->keepalive_ns : 0};

	spec.ip4.family = ELA_ADDR_IP4;
	ela_put32(spec.ip4.ip, nb->lease.address);
	ela_inet_overlay6(n->node->network_id, &spec.ip4, &spec.ip6);
	return ela_members_know(n->members, credential, &spec, ret, error);
}

static bool is_earlier(const struct ela_lease *a, const struct ela_lease *b)
{
	return a->incarnation != b->incarnation ? a->incarnation < b->incarnation : a->sequence < b->sequence;
}

/* Of two records of one key, the one that it said later; one of both in any case. */
static bool is_newer(const struct neighbour *a, const struct neighbour *b)
{
	if (is_earlier(&b->lease, &a->lease) || is_earlier(&a->lease, &b->lease))
		return is_earlier(&b->lease, &a->lease);
	return a->id > b->id;
}

/* The peer is not this one's any more. It goes on, but is no neighbour until somebody takes it. */
static void let_go(struct ela_neighbours *n, struct neighbour *nb)
{
	(void)g_hash_table_remove(n->by_peer, nb->peer); /* it is there */
	nb->peer = NULL;
	nb->is_told = false;
	nb->reach = REACH_IDLE;
}

/* What is told of it already; role and parent are core's matter. */
static bool is_told(const struct neighbour *nb)
{
	struct ela_lease told = nb->told;

	told.role = nb->lease.role;
	told.parent = nb->lease.parent;
	return nb->peer && nb->is_told && (nb->told.role == ELA_LEASE_CORE) == is_core(nb) &&
		   ela_lease_same(&told, &nb->lease);
}

/* Its peer, made, changed or taken over from an older record of the same key. */
static void meet(struct ela_neighbours *n, struct neighbour *nb)
{
	const struct ela_credential *credential = ela_membership_credential(n->membership, nb->lease.credential);
	struct ela_peer *peer = credential ? ela_peer_by_key(n->node, credential->x25519) : NULL;
	struct neighbour *other = peer ? of_peer(n, peer) : NULL;
	g_autoptr(GError) error = NULL;

	if (!credential || is_told(nb) || memcmp(credential->x25519, n->node->public_key, ELA_KEY_LEN) == 0)
		return;                         /* ours: a record of before we had another address */
	if (nb->peer && nb->peer != peer) { /* the ID has gone to another key */
		struct ela_peer *old = nb->peer;

		let_go(n, nb);
		ela_members_drop(n->members, old);
	}
	if (other && other != nb) {
		if (!is_newer(nb, other))
			return;
		let_go(n, other);
	}
	if (make_peer(n, nb, credential, &peer, &error) != 0) {
		/* A guest may have its address, and take another one without a word to us. */
		if (n->lacks_ns == 0)
			n->lacks_ns = ela_loop_now(n->node->loop) + ELA_LACKING_NS;
		ela_logf_limited(n->node->log, ela_loop_now(n->node->loop), ELA_LOG_INFO, "ring",
			"no-peer name=%s reason=\"%s\"", credential->name, error->message);
		return;
	}
	nb->peer = peer;
	nb->told = nb->lease;
	nb->is_told = true;
	(void)g_hash_table_replace(n->by_peer, peer, nb); /* whether it was there does not matter */
}

/* ---- records ---- */

static void set_core(struct ela_neighbours *n, struct neighbour *nb, bool core)
{
	guint i = 0;

	(void)g_ptr_array_remove(n->cores, nb); /* it need not be there */
	while (i < n->cores->len && ((struct neighbour *)n->cores->pdata[i])->id < nb->id)
		i++;
	if (core)
		g_ptr_array_insert(n->cores, (gint)i, nb);
}

/*
 * It has started anew, and knows no session of before. Those that were there when it last spoke in its former life are
 * over: packets wait for the next one. Of a younger one nobody knows which life it is of: another is made beside it.
 */
static void end_former(const struct neighbour *nb, uint64_t before_ns, uint64_t now_ns)
{
	struct ela_peer *peer = nb->peer;
	bool is_used;

	if (!peer || !peer->current || ela_peer_offered_ns(peer) != 0 || ela_initiator_busy(peer))
		return; /* it or we called just now */
	is_used = peer->config->keepalive_ns != 0 || now_ns - ela_session_last_tx(peer->current) < ELA_FORMER_USED_NS;
	if (peer->current->born_ns <= before_ns)
		ela_peer_reset(peer);
	if (is_used)
		ela_initiate_later(peer, ELA_FORMER_NS);
}

static void look_at(struct ela_neighbours *n, uint32_t id)
{
	const struct ela_known *known = ela_directory_find(n->directory, id);
	struct neighbour *nb = find(n, id);
	uint64_t former_ns = 0; /* when it last spoke in its former life; 0: it goes on */

	if (!known || id == n->own_id) {
		if (nb && nb->gone_ns == 0)
			nb->gone_ns = ela_loop_now(n->node->loop);
		return;
	}
	if (!nb) {
		nb = g_new0(struct neighbour, 1);
		nb->id = id;
		(void)g_hash_table_insert(n->by_id, GUINT_TO_POINTER(id), nb); /* it is new */
	}
	if (nb->lease.incarnation != known->lease.incarnation || nb->lease.role != known->lease.role)
		nb->leaves_ns = 0; /* it left, or was an edge for a while, and is here again */
	if (nb->lease.incarnation != known->lease.incarnation &&
		memcmp(nb->lease.node_hash, known->lease.node_hash, ELA_HASH_LEN) == 0)
		former_ns = MAX(nb->gone_ns, known->before_ns);
	if (nb->peer && is_earlier(&known->lease, &nb->lease))
		n->has_room = true; /* of the same key, another record may be the newest now */
	nb->gone_ns = 0;
	nb->via_id = known->via;
	nb->lease = known->lease;
	set_core(n, nb, is_core(nb));
	if (!is_core(nb))
		nb->reach = REACH_IDLE;
	meet(n, nb);
	if (former_ns != 0)
		end_former(nb, former_ns, ela_loop_now(n->node->loop));
}

static void look_at_noted(struct ela_neighbours *n)
{
	g_autoptr(GHashTable) noted = g_steal_pointer(&n->dirty);
	GHashTableIter iter;
	gpointer id;

	n->dirty = g_hash_table_new(g_direct_hash, g_direct_equal);
	g_hash_table_iter_init(&iter, noted);
	while (g_hash_table_iter_next(&iter, &id, NULL))
		look_at(n, GPOINTER_TO_UINT(id));
}

static void forget(struct ela_neighbours *n, struct neighbour *nb)
{
	struct ela_peer *peer = nb->peer;

	if (peer)
		let_go(n, nb);
	(void)g_ptr_array_remove(n->cores, nb); /* it need not be there */
	if (nb->kind != ELA_FORWARD_NONE)
		(void)ela_forward_del(n->node, nb->id);                    /* it may have gone with its peer */
	(void)g_hash_table_remove(n->by_id, GUINT_TO_POINTER(nb->id)); /* which frees it */
	if (peer)
		ela_members_drop(n->members, peer);
}

/* Those whose records went, unless they still serve for a while. */
static void forget_gone(struct ela_neighbours *n)
{
	g_autoptr(GPtrArray) gone = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, n->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct neighbour *nb = value;

		if (nb->gone_ns && nb != n->parent && nb != n->spare)
			g_ptr_array_add(gone, value);
		else if (nb->gone_ns)
			ela_neighbours_at(n, nb->gone_ns + ELA_GRACE_NS);
	}
	for (guint i = 0; i < gone->len; i++)
		forget(n, gone->pdata[i]);
}

/* A place among the peers, a key or an address is free, or may be. */
static void note_lacking(struct ela_neighbours *n)
{
	GHashTableIter iter;
	gpointer value;

	n->has_room = false;
	n->lacks_ns = 0;
	g_hash_table_iter_init(&iter, n->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (!((const struct neighbour *)value)->peer)
			note(n, ((const struct neighbour *)value)->id);
}

static void turn(void *data)
{
	struct ela_neighbours *n = data;

	n->due_ns = 0;
	if (!n->node->running)
		return;
	look_at_noted(n);
	ela_neighbours_seek(n);
	ela_neighbours_pick(n);
	ela_neighbours_lead(n);
	forget_gone(n); /* last: what was led through them has another way now */
	if (n->has_room || (n->lacks_ns && n->lacks_ns <= ela_loop_now(n->node->loop)))
		note_lacking(n);
	else if (n->lacks_ns)
		ela_neighbours_at(n, n->lacks_ns);
}

/* ---- sessions ---- */

static void peer_gone(struct ela_neighbours *n, struct ela_peer *peer, struct neighbour *nb)
{
	GHashTableIter iter;
	gpointer value;

	if (nb)
		let_go(n, nb);
	n->has_room = true;
	soon(n);
	g_hash_table_iter_init(&iter, n->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct neighbour *behind = value;

		if (behind->hop != peer)
			continue;
		behind->hop = NULL; /* ela_forward_forget() was there before */
		behind->kind = ELA_FORWARD_NONE;
	}
}

/* What the edge lost is replaced before the next packet wants to go there. Whom to call instead, the turn decides. */
static void replace(struct ela_neighbours *n, struct neighbour *nb)
{
	if (is_linked(nb))
		return;
	if (nb->peer) {
		nb->reach = REACH_TRYING; /* it is called already, or by the turn */
		nb->reach_ns = ela_loop_now(n->node->loop);
	}
	ela_neighbours_pick(n);
	ela_neighbours_lead(n);
}

static void on_news(void *data, struct ela_peer *peer, enum ela_peer_news news)
{
	struct ela_neighbours *n = data;
	struct neighbour *nb = of_peer(n, peer);

	if (news == ELA_NEWS_GONE)
		peer_gone(n, peer, nb);
	if (!nb || !n->node->running)
		return;
	if (news == ELA_NEWS_CALLED)
		(void)ela_peer_via(peer, NULL); /* NULL is no node for itself */
	else if (news != ELA_NEWS_WAY && (nb == n->parent || nb == n->spare))
		replace(n, nb);
	soon(n);
}

/* ---- for its owner ---- */

void ela_neighbours_changed(struct ela_neighbours *n, uint32_t id)
{
	note(n, id);
}

void ela_neighbours_gone(struct ela_neighbours *n, uint32_t id)
{
	note(n, id);
}

void ela_neighbours_set_role(struct ela_neighbours *n, enum ela_lease_role role)
{
	GHashTableIter iter;
	gpointer value;

	if (n->role == role)
		return;
	n->role = role;
	g_hash_table_iter_init(&iter, n->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct neighbour *nb = value;

		nb->is_told = false; /* where it can be called depends on what we are */
		nb->reach = REACH_IDLE;
		nb->rest_ns = 0;
	}
	note_all(n);
}

void ela_neighbours_own_changed(struct ela_neighbours *n)
{
	uint32_t old_id = n->own_id;
	GHashTableIter iter;
	gpointer peer;

	n->own_id = ela_own_id(n->node);
	if (n->own_id == old_id)
		return;
	note_all(n);
	g_hash_table_iter_init(&iter, n->by_peer);
	while (old_id && g_hash_table_iter_next(&iter, &peer, NULL))
		ela_peer_reset(peer); /* what was agreed names the old ID */
}

int ela_neighbours_leaves(struct ela_neighbours *n, const struct ela_peer *peer)
{
	struct neighbour *nb = of_peer(n, peer);

	if (!nb || (nb != n->parent && nb != n->spare))
		return -EPERM;
	nb->leaves_ns = ela_loop_now(n->node->loop);
	nb->reach = REACH_IDLE;
	soon(n);
	return 0;
}

struct ela_peer *ela_neighbours_parent(const struct ela_neighbours *n)
{
	return n->parent ? n->parent->peer : NULL;
}

struct ela_peer *ela_neighbours_spare(const struct ela_neighbours *n)
{
	return n->spare ? n->spare->peer : NULL;
}

struct ela_neighbours *ela_neighbours_new(struct ela_node *node, const struct ela_membership *membership,
	const struct ela_directory *directory, struct ela_members *members, const struct ela_neighbours_ops *ops)
{
	struct ela_neighbours *n = g_new0(struct ela_neighbours, 1);

	n->node = node;
	n->membership = membership;
	n->directory = directory;
	n->members = members;
	n->ops = *ops;
	n->news = (struct ela_peer_listener){on_news, n};
	n->role = ELA_LEASE_JOINING;
	n->own_id = ela_own_id(node);
	n->by_id = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	n->by_peer = g_hash_table_new(g_direct_hash, g_direct_equal);
	n->cores = g_ptr_array_new();
	n->dirty = g_hash_table_new(g_direct_hash, g_direct_equal);
	n->timer = node->loop->ops->timer_new(node->loop, turn, n);
	node->news = &n->news;
	note_all(n);
	return n;
}

void ela_neighbours_free(struct ela_neighbours *n)
{
	if (!n)
		return;
	n->node->news = NULL;
	n->node->loop->ops->timer_free(n->timer);
	g_hash_table_unref(n->dirty);
	g_ptr_array_unref(n->cores);
	g_hash_table_unref(n->by_peer);
	g_hash_table_unref(n->by_id);
	g_free(n);
}
