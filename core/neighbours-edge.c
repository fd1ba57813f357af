/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neighbours-edge: an edge's parent and spare, and whom it calls to get them. Control thread.
 *
 * Cores are taken clockwise from the own ID. Who is linked counts as it is; of those that are nearer than the second
 * linked one, two at a time are called, first those never tried, then those whose rest is over. So a nearer core is
 * found again while the present ones go on, and far ones are asked only when near ones do not answer. One core beyond
 * these is called as well, by chance.
 */
#include "log.h"
#include "neighbours-priv.h"
#include "own.h"

#define AT_ONCE 2u

/* ---- order ---- */

/* Where the first core at or after the own ID stands. */
static guint first_place(const struct ela_neighbours *n)
{
	guint i = 0;

	while (i < n->cores->len && ((struct neighbour *)n->cores->pdata[i])->id < n->own_id)
		i++;
	return i;
}

/* The k-th core clockwise from the own ID. */
static struct neighbour *core_at(const struct ela_neighbours *n, guint first, guint k)
{
	return n->cores->pdata[(first + k) % n->cores->len];
}

/* ---- parent and spare ---- */

static const char *name_of(const struct neighbour *nb)
{
	return nb ? nb->peer->name : "-";
}

static void take(struct ela_neighbours *n, struct neighbour *parent, struct neighbour *spare)
{
	if (parent == n->parent && spare == n->spare)
		return;
	n->parent = parent;
	n->spare = spare;
	ela_logf_limited(n->node->log, ela_loop_now(n->node->loop), ELA_LOG_INFO, "ring", "neighbours parent=%s spare=%s",
		name_of(parent), name_of(spare));
	n->ops.changed(n->ops.data);
}

/* Who was parent or spare when its record went, or it said that it leaves, still relays for a while. */
static bool has_grace(const struct ela_neighbours *n, const struct neighbour *nb)
{
	return (nb == n->parent || nb == n->spare) &&
		   (nb->gone_ns == 0 || ela_loop_now(n->node->loop) - nb->gone_ns < ELA_GRACE_NS);
}

void ela_neighbours_pick(struct ela_neighbours *n)
{
	struct neighbour *found[2] = {NULL, NULL};
	guint first = first_place(n), n_found = 0;

	if (n->role != ELA_LEASE_EDGE || n->own_id == 0 || n->cores->len == 0) {
		take(n, NULL, NULL);
		return;
	}
	/* Those that do not stay only where one is missing. */
	for (guint pass = 0; pass < 2; pass++)
		for (guint k = 0; k < n->cores->len && n_found < 2; k++) {
			struct neighbour *nb = core_at(n, first, k);

			if (is_linked(nb) && (stays(nb) ? pass == 0 : pass == 1 && has_grace(n, nb)))
				found[n_found++] = nb;
		}
	take(n, found[0], found[1]);
}

/* ---- calling ---- */

static void begin(struct neighbour *nb, uint64_t now_ns)
{
	nb->reach = REACH_TRYING;
	nb->reach_ns = now_ns;
}

/* A connection over which it is silent goes: what its session receives through others says nothing of that. */
static void give_up(struct neighbour *nb)
{
	ela_initiator_cancel(nb->peer);
	ela_peer_keep(nb->peer, 0);
	if (nb->peer->link)
		ela_link_close(nb->peer->link);
}

static void rest(struct neighbour *nb, uint64_t now_ns)
{
	give_up(nb);
	nb->rest_ns = CLAMP(2 * nb->rest_ns, ELA_REST_LEAST_NS, ELA_REST_MOST_NS);
	nb->reach = REACH_RESTING;
	nb->reach_ns = now_ns + nb->rest_ns;
}

/* What came of the calls until now; and a leave that did not come is not waited for any more. */
static void settle(struct neighbour *nb, uint64_t now_ns)
{
	if (nb->leaves_ns != 0 && now_ns - nb->leaves_ns >= ELA_LEAVES_NS)
		nb->leaves_ns = 0;
	if (is_linked(nb)) {
		nb->reach = REACH_IDLE;
		nb->rest_ns = 0;
	} else if (nb->reach == REACH_TRYING && now_ns - nb->reach_ns >= ELA_REACH_NS) {
		rest(nb, now_ns);
	}
}

/* ---- the third ---- */

static bool is_third(const struct ela_neighbours *n, const struct neighbour *nb)
{
	return nb->id == n->third_id && nb->peer && stays(nb);
}

static uint64_t random_of(const struct ela_neighbours *n)
{
	struct ela_loop *loop = n->node->loop;
	uint64_t random;

	loop->ops->random(loop, &random, sizeof random);
	return random;
}

/* Any core but parent, spare, a third that answers, and those that were called in vain lately; NULL: there is none. */
static struct neighbour *draw_third(const struct ela_neighbours *n, uint64_t now_ns)
{
	g_autoptr(GPtrArray) from = g_ptr_array_new();

	for (guint i = 0; i < n->cores->len; i++) {
		struct neighbour *nb = n->cores->pdata[i];

		if (nb->peer && stays(nb) && nb != n->parent && nb != n->spare && !(nb->id == n->third_id && is_linked(nb)) &&
			!(nb->reach == REACH_RESTING && nb->reach_ns > now_ns))
			g_ptr_array_add(from, nb);
	}
	return from->len ? from->pdata[random_of(n) % from->len] : NULL;
}

/* The one until now is reached as all others are again; a connection with it ends, or both ends would keep to it. */
static void leave_third(struct ela_neighbours *n, guint near)
{
	guint first = first_place(n);

	for (guint k = near; k < n->cores->len; k++)
		if (is_third(n, core_at(n, first, k))) {
			core_at(n, first, k)->reach = REACH_IDLE;
			give_up(core_at(n, first, k));
		}
}

/*
 * Another third core when its time has come, at once when the one that was called did not answer. A session from before
 * that turns out to be dead is made anew.
 */
static void choose_third(struct ela_neighbours *n, guint near, uint64_t now_ns)
{
	struct neighbour *third = g_hash_table_lookup(n->by_id, GUINT_TO_POINTER(n->third_id)), *next;

	if (n->third_ns == 0)
		n->third_ns = now_ns + random_of(n) % ELA_THIRD_NS;
	if (now_ns >= n->third_ns || (third && third->reach == REACH_RESTING)) {
		next = draw_third(n, now_ns);
		n->third_ns = now_ns + ELA_THIRD_NS;
		if (next) {
			leave_third(n, near);
			n->third_id = next->id;
			next->reach = next->reach == REACH_RESTING ? REACH_IDLE : next->reach;
			third = next;
		}
	}
	if (third && is_third(n, third) && !is_linked(third) && third->reach == REACH_IDLE)
		begin(third, now_ns);
	ela_neighbours_at(n, n->third_ns);
}

/* ---- whom to call ---- */

/* How many cores, clockwise, might become parent or spare: up to the second that is linked. */
static guint near_cores(const struct ela_neighbours *n, guint first)
{
	guint linked = 0, k = 0;

	while (k < n->cores->len && linked < 2) {
		const struct neighbour *nb = core_at(n, first, k++);

		linked += is_linked(nb) && stays(nb);
	}
	return k;
}

static bool may_begin(const struct neighbour *nb, enum reach reach, uint64_t now_ns)
{
	return nb->peer && stays(nb) && !is_linked(nb) && nb->reach == reach &&
		   (reach == REACH_IDLE || now_ns >= nb->reach_ns);
}

static void begin_some(struct ela_neighbours *n, guint first, guint near, enum reach reach, uint32_t *at_once)
{
	uint64_t now_ns = ela_loop_now(n->node->loop);

	for (guint k = 0; k < near && *at_once < AT_ONCE; k++)
		if (may_begin(core_at(n, first, k), reach, now_ns)) {
			begin(core_at(n, first, k), now_ns);
			++*at_once;
		}
}

/* Goes on with one call, or says when to look at this core again. */
static void go_on(struct ela_neighbours *n, struct neighbour *nb, uint64_t now_ns)
{
	if (nb->reach == REACH_TRYING) {
		ela_neighbours_call(nb);
		ela_neighbours_at(n, nb->reach_ns + ELA_REACH_NS);
	} else if (nb->reach == REACH_RESTING && nb->reach_ns > now_ns) {
		ela_neighbours_at(n, nb->reach_ns);
	}
	if (nb->leaves_ns != 0)
		ela_neighbours_at(n, nb->leaves_ns + ELA_LEAVES_NS);
}

void ela_neighbours_seek(struct ela_neighbours *n)
{
	uint64_t now_ns = ela_loop_now(n->node->loop);
	guint first = first_place(n), near;
	uint32_t at_once = 0;

	if (n->role != ELA_LEASE_EDGE || n->own_id == 0 || n->cores->len == 0)
		return;
	for (guint k = 0; k < n->cores->len; k++)
		if (((struct neighbour *)n->cores->pdata[k])->peer)
			settle(n->cores->pdata[k], now_ns);
	near = near_cores(n, first);
	choose_third(n, near, now_ns);
	for (guint k = 0; k < n->cores->len; k++) {
		struct neighbour *nb = core_at(n, first, k);

		if (nb->reach != REACH_TRYING || (k >= near && is_third(n, nb)))
			continue;
		if (k < near && nb->peer && stays(nb)) {
			at_once++;
			continue;
		}
		nb->reach = REACH_IDLE;
		if (nb->peer)
			give_up(nb);
	}
	begin_some(n, first, near, REACH_IDLE, &at_once);
	begin_some(n, first, near, REACH_RESTING, &at_once);
	for (guint k = 0; k < n->cores->len; k++)
		if (k < near || is_third(n, core_at(n, first, k)))
			go_on(n, core_at(n, first, k), now_ns);
}
