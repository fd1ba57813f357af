/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-neighbours: an edge's parent and spare beside a naive ring, and how one gives way to the other (ring-bench.h).
 * Node 1 is the edge, the others are cores unless a test says otherwise.
 */
#include "crypto.h"
#include "naive.h"
#include "own.h"
#include "ring-bench.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define SETTLED_NS (10 * ELA_SEC) /* what is reachable at the first call is found by then */

static struct ring_bench *b;

/* In any order on the ring. */
static void begin(uint32_t n, struct naive_rng *rng)
{
	static const uint32_t usual[] = {3, 1, 5, 2, 7, 4, 6};
	uint32_t order[RING_NODES] = {0}, n_usual = 0;

	for (uint32_t i = 0; !rng && i < G_N_ELEMENTS(usual); i++)
		if (usual[i] <= n)
			order[n_usual++] = usual[i];
	for (uint32_t i = 0; rng && i < n; i++) {
		uint32_t k = naive_below(rng, i + 1);

		order[i] = order[k];
		order[k] = i + 1;
	}
	b = ring_new(n, order);
}

/* Everybody but node 1 is a core, node 1 an edge. */
static void begin_cores(void)
{
	for (uint32_t k = 2; k <= b->n; k++)
		ring_role(b, k, ELA_LEASE_CORE, 0);
	ring_role(b, 1, ELA_LEASE_EDGE, ring_id(b, 2));
}

static void begin_edge(uint32_t n, struct naive_rng *rng)
{
	begin(n, rng);
	begin_cores();
}

static void end(void)
{
	ring_free(b);
	b = NULL;
}

/* The core with the smallest way from node 1's ID, clockwise, but for those that are taken or cannot be reached. */
static uint32_t naive_core(uint32_t but)
{
	uint32_t best = 0;

	for (uint32_t k = 2; k <= b->n; k++)
		if (k != but && b->nodes[k].is_published && b->nodes[k].lease.role == ELA_LEASE_CORE && !b->cut[1][k] &&
			(!best || ring_id(b, k) - ring_id(b, 1) < ring_id(b, best) - ring_id(b, 1)))
			best = k;
	return best;
}

static void check_naive(void)
{
	uint32_t parent = naive_core(0), spare = parent ? naive_core(parent) : 0;

	if (ring_parent(b, 1) != parent || ring_spare(b, 1) != spare)
		naive_fail(
			"found parent %u and spare %u, wanted %u and %u", ring_parent(b, 1), ring_spare(b, 1), parent, spare);
	ck_assert_uint_eq(b->nodes[1].parent_now, parent);
}

static uint64_t handshakes(uint32_t k)
{
	return lone_counter(b->nodes[k].lone, "handshakes-started") + lone_counter(b->nodes[k].lone, "handshakes-done");
}

/* Through whom node 1 reaches node k now; 0 = directly, or not at all. */
static uint32_t through(uint32_t k)
{
	const struct ela_peer *peer = ring_peer(b, 1, k);

	return peer->tx_shadow ? ring_number(b, peer->tx_shadow->via) : ring_number(b, peer->via);
}

static bool is_linked_to(uint32_t k)
{
	const struct ela_peer *peer = ring_peer(b, 1, k);

	return peer->tx_shadow && !peer->tx_shadow->via && peer->silent_ns == 0;
}

/* ---- edge ---- */

START_TEST(nearest)
{
	begin_edge(6, NULL);
	ck_assert_ptr_null(ela_neighbours_parent(b->nodes[1].neighbours));
	ring_pass(b, SETTLED_NS);
	check_naive();
	ck_assert_uint_ne(ring_parent(b, 1), 0);
	for (uint32_t k = 2; k <= 6; k++) {
		bool is_near = k == ring_parent(b, 1) || k == ring_spare(b, 1);

		ck_assert_uint_eq(through(k), is_near ? 0 : ring_parent(b, 1));
		ck_assert(!is_near || ring_peer(b, 1, k)->up);
	}
	end();
}
END_TEST

START_TEST(oracle)
{
	struct naive_rng rng = naive_seed("neighbours-oracle");

	for (uint64_t round = naive_scaled(30); round > 0; round--) {
		begin_edge(2 + naive_below(&rng, 9), &rng);
		if (round % 2)
			ring_third(b, 1); /* which has no part in who is parent and spare */
		for (uint32_t change = 0; change < 4; change++) {
			for (uint32_t k = 2; k <= b->n; k++)
				ring_cut(b, 1, k, naive_one_in(&rng, 2));
			ring_pass(b, ELA_REST_MOST_NS + 30 * ELA_SEC);
			check_naive();
		}
		end();
	}
}
END_TEST

/* A core that is neither parent nor spare of node 1, with a session through the parent. */
static uint32_t far_core(void)
{
	for (uint32_t k = 2; k <= b->n; k++)
		if (k != ring_parent(b, 1) && k != ring_spare(b, 1)) {
			ela_initiate(ring_peer(b, 1, k));
			ring_pass(b, ELA_SEC);
			ck_assert(ring_peer(b, 1, k)->up);
			ck_assert_uint_eq(through(k), ring_parent(b, 1));
			return k;
		}
	ck_abort_msg("there is none");
}

/* The spare is the parent before anybody has its turn, and all that went through the old one goes through the new. */
START_TEST(failover)
{
	uint32_t parent, spare, far, before;
	const struct ela_session *s, *to_far;

	begin_edge(7, NULL);
	ring_pass(b, SETTLED_NS);
	far = far_core();
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	s = ring_peer(b, 1, spare)->current;
	to_far = ring_peer(b, 1, far)->current;
	before = (uint32_t)handshakes(1);
	ring_cut(b, 1, parent, true);
	ela_peer_reset(ring_peer(b, 1, parent));
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	ck_assert_uint_eq(ring_spare(b, 1), 0);
	ck_assert_uint_eq(b->nodes[1].parent_now, spare);
	ck_assert_uint_eq(through(far), spare);
	ck_assert_uint_eq(through(spare), 0);
	ck_assert_ptr_eq(ring_peer(b, 1, spare)->current, s);
	ck_assert_ptr_eq(ring_peer(b, 1, far)->current, to_far);
	ck_assert_uint_eq(handshakes(1), before);
	ring_pass(b, SETTLED_NS);
	check_naive();
	ck_assert_uint_ne(ring_spare(b, 1), 0);
	end();
}
END_TEST

/* A parent that says nothing any more, while nobody has anything to say to it but keepalives. */
START_TEST(silent)
{
	uint64_t before, since_ns;
	uint32_t parent, spare, changes;

	begin_edge(5, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	changes = b->nodes[1].n_changed;
	before = handshakes(1);
	ring_cut(b, 1, parent, true);
	since_ns = ela_loop_now(b->loop);
	while (ring_peer(b, 1, parent)->misses < 2 && ela_loop_now(b->loop) - since_ns < 7 * ELA_SEC)
		ring_pass(b, ELA_MSEC);
	ck_assert_uint_eq(b->nodes[1].n_changed, changes);
	(void)ela_control_tick(ring_peer(b, 1, parent), ela_loop_now(b->loop) + 200 * ELA_MSEC); /* the third miss */
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	ck_assert_uint_eq(handshakes(1), before);
	ck_assert(ring_peer(b, 1, parent)->current && ring_peer(b, 1, parent)->silent_ns); /* it may only be slow */
	ring_pass(b, SETTLED_NS);
	check_naive();
	ck_assert_uint_eq(through(parent), spare);
	end();
}
END_TEST

/* The nearer core answers again: it is the parent, and the one in between goes on as the spare. */
START_TEST(nearer)
{
	uint32_t parent, spare, third;
	const struct ela_session *s;

	begin_edge(6, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	ring_cut(b, 1, parent, true);
	ring_pass(b, 20 * ELA_SEC);
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	third = ring_spare(b, 1);
	ck_assert_uint_ne(third, 0);
	s = ring_peer(b, 1, spare)->current;
	ring_cut(b, 1, parent, false);
	ring_pass(b, 25 * ELA_SEC);
	ck_assert_uint_eq(ring_parent(b, 1), parent);
	ck_assert_uint_eq(ring_spare(b, 1), spare);
	ck_assert_ptr_eq(ring_peer(b, 1, spare)->current, s);
	/* the third has nothing to do any more, but its session works */
	ck_assert(ring_peer(b, 1, third)->up);
	ck_assert_uint_eq(ring_peer(b, 1, third)->config->keepalive_ns, 0);
	ck_assert_uint_eq(ring_peer(b, 1, spare)->config->keepalive_ns, ELA_LINK_ALIVE_NS);
	ck_assert_uint_eq(through(third), 0);
	ring_pass(b, 200 * ELA_SEC);
	ck_assert_uint_eq(through(third), parent); /* it ended for want of packets */
	check_naive();
	end();
}
END_TEST

/* Nobody is called all the time: those that do not answer rest longer and longer. */
START_TEST(rest)
{
	uint64_t before;

	begin_edge(5, NULL);
	for (uint32_t k = 2; k <= 5; k++)
		ring_cut(b, 1, k, true);
	ring_pass(b, 300 * ELA_SEC);
	check_naive();
	before = handshakes(1);
	ring_pass(b, 240 * ELA_SEC);
	/* four cores, each for 3 s in 63 s: first at once, then 0.5 s, 1 s and 2 s later */
	ck_assert_uint_le(handshakes(1) - before, 4 * 4 * 5);
	ck_assert_uint_ge(handshakes(1) - before, 4 * 3);
	end();
}
END_TEST

/* The core beyond parent and spare that node 1 keeps in touch with, directly; 0: none. */
static uint32_t third(void)
{
	uint32_t found = 0;

	for (uint32_t k = 2; k <= b->n; k++) {
		const struct ela_peer *peer = ring_peer(b, 1, k);

		if (k == ring_parent(b, 1) || k == ring_spare(b, 1) || peer->config->keepalive_ns == 0 || through(k) != 0 ||
			!peer->up)
			continue; /* the last two: it is called right now */
		ck_assert_msg(found == 0, "node 1 keeps %u and %u", found, k);
		found = k;
	}
	return found;
}

/* Another one each minute, and each at some time. */
START_TEST(third_core)
{
	uint32_t seen = 0, changes = 0, last = 0;

	begin_edge(6, NULL);
	ring_third(b, 1);
	ring_pass(b, ELA_THIRD_NS + SETTLED_NS);
	check_naive();
	for (uint32_t minute = 0; minute < 30; minute++) {
		uint32_t now = third();

		ck_assert_uint_ne(now, 0);
		ck_assert_uint_ne(now, last);
		seen |= 1u << now;
		last = now;
		changes++;
		ring_pass(b, ELA_THIRD_NS);
	}
	ck_assert_uint_eq(changes, 30);
	ck_assert_int_eq(__builtin_popcount(seen), 3); /* of five cores */
	check_naive();
	end();
}
END_TEST

/* It is k within a while: others, whose sessions were there before, turn out to be silent one after the other. */
static void third_becomes(uint32_t k)
{
	for (uint32_t s = 0; s < 30 && third() != k; s++)
		ring_pass(b, ELA_SEC);
	ck_assert_uint_eq(third(), k);
}

/* One that does not answer is followed by another at once; the only one is called again. */
START_TEST(third_core_silent)
{
	uint32_t k;

	begin_edge(6, NULL);
	ring_third(b, 1);
	ring_pass(b, ELA_THIRD_NS + SETTLED_NS);
	for (uint32_t i = 2; i <= 6; i++)
		if (i != ring_parent(b, 1) && i != ring_spare(b, 1) && i != third())
			ring_cut(b, 1, i, true);
	k = third();
	ring_pass(b, ELA_THIRD_NS);
	for (uint32_t minute = 0; minute < 10; minute++) {
		third_becomes(k);
		ring_pass(b, ELA_THIRD_NS);
	}
	ring_cut(b, 1, k, true);
	ring_pass(b, 3 * ELA_THIRD_NS);
	ck_assert_uint_eq(third(), 0);
	ring_cut(b, 1, k, false);
	ring_pass(b, 2 * ELA_THIRD_NS);
	third_becomes(k);
	check_naive();
	end();
}
END_TEST

/* Who leaves is nobody's third, though it is the only one that is left. */
START_TEST(third_core_leaves)
{
	uint32_t parent;
	uint64_t before;

	begin_edge(4, NULL);
	ring_third(b, 1);
	ring_pass(b, ELA_THIRD_NS + SETTLED_NS);
	parent = ring_parent(b, 1);
	ck_assert_int_eq(ela_neighbours_leaves(b->nodes[1].neighbours, ring_peer(b, 1, parent)), 0);
	ring_pass(b, ELA_SEC);
	ring_cut(b, 1, parent, true); /* it is gone */
	before = handshakes(1);
	ring_pass(b, ELA_LEAVES_NS - 5 * ELA_SEC);
	ck_assert_uint_eq(handshakes(1), before);
	end();
}
END_TEST

/* A session that goes directly, with whomever, is left as it is; when it ends, the parent is the way. */
START_TEST(direct)
{
	uint32_t k = 0;
	struct ela_peer *peer;

	begin_edge(6, NULL);
	ring_pass(b, SETTLED_NS);
	for (uint32_t i = 2; i <= 6; i++)
		if (i != ring_parent(b, 1) && i != ring_spare(b, 1))
			k = i;
	peer = ring_peer(b, 1, k);
	ck_assert_uint_eq(through(k), ring_parent(b, 1));
	/* it calls from where it is */
	ela_neighbours_set_role(b->nodes[k].neighbours, ELA_LEASE_JOINING);
	ring_pass(b, ELA_SEC);
	ring_peer(b, k, 1)->endpoint = 0;
	(void)ela_peer_via(ring_peer(b, k, 1), NULL);
	ela_initiate(ring_peer(b, k, 1));
	ring_pass(b, 2 * ELA_SEC);
	ck_assert(peer->up);
	ck_assert_uint_eq(through(k), 0);
	ela_neighbours_changed(b->nodes[1].neighbours, ring_id(b, k));
	ring_pass(b, 10 * ELA_SEC);
	ck_assert(peer->up);
	ck_assert_uint_eq(through(k), 0);
	ela_peer_reset(peer);
	ring_pass(b, ELA_MSEC);
	ck_assert_uint_eq(through(k), ring_parent(b, 1));
	end();
}
END_TEST

/* A parent whose record goes relays on for a while if there is nobody else, and no longer. */
START_TEST(grace)
{
	uint32_t parent, spare;

	begin_edge(3, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	ring_withdraw(b, spare);
	ring_pass(b, ELA_GRACE_NS - ELA_MSEC);
	ck_assert_uint_eq(ring_spare(b, 1), spare);
	ck_assert(ring_peer(b, 1, spare)->up);
	ring_pass(b, 2 * ELA_MSEC);
	ck_assert_uint_eq(ring_spare(b, 1), 0);
	ck_assert_ptr_null(ring_peer(b, 1, spare));
	ring_publish(b, spare, ELA_LEASE_CORE, 0);
	ring_pass(b, SETTLED_NS);
	ck_assert_uint_eq(ring_spare(b, 1), spare);
	/* where there is another, it is taken at once */
	ring_withdraw(b, parent);
	ring_pass(b, ELA_MSEC);
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	ck_assert_uint_eq(ring_spare(b, 1), parent);
	ring_pass(b, ELA_GRACE_NS);
	ck_assert_ptr_null(ring_peer(b, 1, parent));
	end();
}
END_TEST

/* A parent that says it leaves is replaced at once, without a handshake, and not called until it is here again. */
START_TEST(leaves)
{
	uint32_t parent, spare, third;
	uint64_t before;

	begin_edge(6, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	before = handshakes(1);
	ck_assert_int_eq(ela_neighbours_leaves(b->nodes[1].neighbours, ring_peer(b, 1, parent)), 0);
	ck_assert_uint_eq(handshakes(1), before);
	ring_pass(b, ELA_SEC);
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	third = ring_spare(b, 1);
	ck_assert_uint_ne(third, 0);
	ck_assert_uint_ne(third, parent);
	ck_assert(is_linked_to(parent)); /* what comes through it still comes */
	ck_assert_int_eq(ela_neighbours_leaves(b->nodes[1].neighbours, ring_peer(b, 1, parent)), -EPERM);
	/* it renews its record meanwhile */
	ring_publish(b, parent, ELA_LEASE_CORE, 0);
	ring_pass(b, 20 * ELA_SEC);
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	b->nodes[parent].lease.incarnation++;
	ring_publish(b, parent, ELA_LEASE_CORE, 0);
	ring_pass(b, SETTLED_NS);
	check_naive();
	ck_assert_uint_eq(ring_parent(b, 1), parent);
	end();
}
END_TEST

/* It said so, and stays: it is believed for a while. Where nobody else answers it goes on meanwhile. */
START_TEST(leaves_not)
{
	uint32_t parent, spare;

	begin_edge(4, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	for (uint32_t k = 2; k <= 4; k++)
		if (k != parent)
			ring_cut(b, 1, k, true);
	ring_pass(b, SETTLED_NS);
	ck_assert_uint_eq(ring_parent(b, 1), parent);
	ck_assert_int_eq(ela_neighbours_leaves(b->nodes[1].neighbours, ring_peer(b, 1, parent)), 0);
	ring_pass(b, SETTLED_NS);
	ck_assert_uint_eq(ring_parent(b, 1), parent);
	for (uint32_t k = 2; k <= 4; k++)
		ring_cut(b, 1, k, false);
	ring_pass(b, ELA_LEAVES_NS - 2 * SETTLED_NS);
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	ck_assert_uint_ne(ring_spare(b, 1), parent);
	ring_pass(b, 3 * SETTLED_NS);
	check_naive();
	end();
}
END_TEST

/* Its record says that it started anew. */
static void start_anew(uint32_t k)
{
	b->nodes[k].lease.incarnation++;
	ring_publish(b, k, ELA_LEASE_CORE, 0);
	ring_pass(b, ELA_MSEC);
}

/* Sessions that a node had before it started anew are over for the other end with the record that shows it. */
START_TEST(former)
{
	const struct ela_session *old;
	uint32_t parent;

	begin_edge(5, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	old = ring_peer(b, 1, parent)->current;
	ring_pass(b, 60 * ELA_SEC); /* its record was renewed since the session began */
	ck_assert_ptr_eq(ring_peer(b, 1, parent)->current, old);
	ela_peer_reset(ring_peer(b, parent, 1)); /* what its end leaves of it */
	start_anew(parent);
	ck_assert_ptr_ne(ring_peer(b, 1, parent)->current, old);
	ck_assert_ptr_ne(ring_peer(b, 1, parent)->previous, old);
	ring_pass(b, ELA_SEC);
	ck_assert(is_linked_to(parent));
	check_naive();
	end();
}
END_TEST

/* It may have made this one in its new life: it is used until there is another. */
START_TEST(former_or_not)
{
	const struct ela_session *old;
	uint32_t parent;
	uint32_t changes;

	begin_edge(5, NULL);
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	ela_peer_reset(ring_peer(b, 1, parent));
	ela_peer_reset(ring_peer(b, parent, 1));
	ring_pass(b, SETTLED_NS);
	old = ring_peer(b, 1, parent)->current;
	ck_assert_uint_eq(ring_parent(b, 1), parent);
	changes = b->nodes[1].n_changed;
	start_anew(parent);
	ck_assert(ring_peer(b, 1, parent)->current && is_linked_to(parent));
	ring_pass(b, ELA_SEC);
	ck_assert_ptr_ne(ring_peer(b, 1, parent)->current, old);
	ck_assert_uint_eq(b->nodes[1].n_changed, changes);
	check_naive();
	end();
}
END_TEST

/* Records go while their nodes are being called, one of them in the middle of the news. */
START_TEST(gone_while_called)
{
	begin_edge(6, NULL);
	for (uint32_t k = 2; k <= 6; k++)
		ring_cut(b, 1, k, true);
	ring_pass(b, ELA_SEC);
	for (uint32_t k = 2; k <= 6; k++)
		ring_withdraw(b, k);
	ring_pass(b, ELA_MSEC);
	ck_assert_uint_eq(ela_peers_list(b->nodes[1].lone->node)->n, 0);
	ring_pass(b, 20 * ELA_SEC);
	for (uint32_t k = 2; k <= 6; k++) {
		ring_cut(b, 1, k, false);
		ring_publish(b, k, ELA_LEASE_CORE, 0);
	}
	ring_pass(b, SETTLED_NS);
	check_naive();
	/* a list without their user: members puts them out, the records are still there */
	ela_members_drop(b->nodes[1].members, ring_peer(b, 1, ring_parent(b, 1)));
	ck_assert_uint_ne(b->nodes[1].parent_now, 0);
	ring_pass(b, SETTLED_NS);
	check_naive();
	end();
}
END_TEST

/* An address whose ID stands before node k's, and behind all other cores'; 0: none of those there are. */
static uint8_t address_before(uint32_t k)
{
	for (uint8_t last = 20; last < 250; last++) {
		bool is_next = true;

		for (uint32_t other = 2; other <= b->n; other++)
			is_next &= ring_id(b, other) - ring_id_of(b, last) >= ring_id(b, k) - ring_id_of(b, last);
		if (is_next)
			return last;
	}
	return 0;
}

/* Another address, another place on the ring. */
START_TEST(moved)
{
	struct ring_node *edge;
	struct ela_prefix ip4;
	uint32_t n = 0;

	begin_edge(7, NULL);
	edge = &b->nodes[1];
	ring_pass(b, SETTLED_NS);
	check_naive();
	for (uint32_t k = 2; k <= 7; k++) {
		uint8_t last = address_before(k);

		if (last == 0)
			continue; /* two cores stand close together */
		n++;
		ring_withdraw(b, 1);
		ip4 = ela_own(edge->lone->node)->ip4;
		ip4.addr.ip[3] = last;
		ck_assert_int_eq(ela_own_take(edge->lone->node, &ip4, NULL), 0);
		ela_neighbours_own_changed(edge->neighbours);
		edge->lease.address = 0x0a4d0000u + last;
		edge->lease.id = ela_own_id(edge->lone->node);
		ring_publish(b, 1, ELA_LEASE_EDGE, ring_id(b, 2));
		ring_pass(b, 30 * ELA_SEC);
		check_naive();
		ck_assert_uint_eq(ring_parent(b, 1), k);
		ck_assert_uint_eq(ring_peer(b, k, 1)->id, edge->lease.id);
	}
	ck_assert_uint_gt(n, 0);
	end();
}
END_TEST

/* ---- over connections ---- */

/* The connection to the parent ends: the spare is the parent in that turn. */
START_TEST(closed)
{
	uint32_t parent, spare, far;
	const struct ela_session *s;
	uint64_t done;

	begin(6, NULL);
	b->streams[1] = true;
	begin_cores();
	ring_pass(b, SETTLED_NS);
	check_naive();
	far = far_core();
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	ck_assert_ptr_nonnull(ring_peer(b, 1, parent)->tx_shadow->link);
	ck_assert_ptr_nonnull(ring_peer(b, 1, spare)->tx_shadow->link);
	s = ring_peer(b, 1, spare)->current;
	done = lone_counter(b->nodes[1].lone, "handshakes-done");
	ring_cut(b, 1, parent, true);
	ring_spoil(b, 1, parent, false);
	while (ring_peer(b, 1, parent)->link) { /* until a lane has read its end, and control hears of it: no step more */
		(void)ela_node_turn(b->nodes[1].lone->node);
		(void)ela_loop_virtual_step(b->loop); /* what it did shows in the condition */
	}
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	ck_assert_uint_eq(through(far), spare);
	ck_assert_ptr_eq(ring_peer(b, 1, spare)->current, s);
	ck_assert_uint_eq(lone_counter(b->nodes[1].lone, "handshakes-done"), done);
	ring_pass(b, SETTLED_NS);
	check_naive();
	end();
}
END_TEST

/*
 * The connection to the parent is dead, though nobody closed it, and its session is used through the spare meanwhile:
 * what comes that way does not make the connection good. A new one does.
 */
START_TEST(stuck)
{
	uint32_t parent, spare, changes;

	begin(6, NULL);
	b->streams[1] = true;
	begin_cores();
	ring_pass(b, SETTLED_NS);
	parent = ring_parent(b, 1);
	spare = ring_spare(b, 1);
	ring_cut(b, 1, parent, true);
	ring_spoil(b, 1, parent, true);
	ring_pass(b, 12 * ELA_SEC);
	ck_assert_uint_eq(ring_parent(b, 1), spare);
	ela_initiate(ring_peer(b, 1, parent));
	ring_pass(b, ELA_SEC);
	ck_assert_uint_eq(through(parent), spare);
	ck_assert_uint_eq(ring_peer(b, 1, parent)->silent_ns, 0);
	changes = b->nodes[1].n_changed;
	ring_pass(b, 60 * ELA_SEC);
	ck_assert_uint_eq(b->nodes[1].n_changed, changes);
	ring_cut(b, 1, parent, false);
	ring_pass(b, ELA_REST_MOST_NS + SETTLED_NS);
	ck_assert_uint_eq(b->nodes[1].n_changed, changes + 1);
	ck_assert_uint_eq(ring_parent(b, 1), parent);
	ck_assert_ptr_nonnull(ring_peer(b, 1, parent)->tx_shadow->link);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neighbours");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 120);
	tcase_add_test(all, nearest);
	tcase_add_test(all, oracle);
	tcase_add_test(all, failover);
	tcase_add_test(all, silent);
	tcase_add_test(all, nearer);
	tcase_add_test(all, rest);
	tcase_add_test(all, third_core);
	tcase_add_test(all, third_core_silent);
	tcase_add_test(all, third_core_leaves);
	tcase_add_test(all, direct);
	tcase_add_test(all, grace);
	tcase_add_test(all, leaves);
	tcase_add_test(all, leaves_not);
	tcase_add_test(all, former);
	tcase_add_test(all, former_or_not);
	tcase_add_test(all, gone_while_called);
	tcase_add_test(all, moved);
	tcase_add_test(all, closed);
	tcase_add_test(all, stuck);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
