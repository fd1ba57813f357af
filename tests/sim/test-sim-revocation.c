/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users who are revoked and do not go, in whole rings under virtual time. Some of their nodes are deaf: the first user
 * list that they have is their last, as in tests/lab/deaf.c (the linker puts offer_list() here in place of core's own).
 *
 *   n0 core, the founder sada's     n1 .. n4 cores, each of a user u1 .. u4     n5 .. n8 edges, sada's
 */
#include "network-priv.h"
#include "owner.h"
#include "sim-ring.h"

#include <errno.h>

#define NODES 9u
#define CORES 5u
#define EDGES 0x1e0u
#define GUESTS 0x1eu

/* The names that the linker gives them. */
int __real_ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error);
int __wrap_ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error);

static const struct ela_membership *deaf[NODES];

int __wrap_ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	for (uint32_t i = 0; i < NODES; i++)
		if (deaf[i] == m)
			return ela_object_refuse(error, ESTALE, "this node does not hear of new lists");
	return __real_ela_membership_offer_list(m, bytes, len, error);
}

static struct sim *form(int i)
{
	memset(deaf, 0, sizeof deaf);
	return sim_ring_formed(sim_seed(i), NODES, EDGES, GUESTS);
}

static struct ela_membership *members_of(struct sim *s, uint32_t i)
{
	return s->nodes[i].network->membership;
}

/* The founder's next list, without two users (the second may be NULL). */
static void publish_without(struct sim *s, const char *first, const char *second)
{
	struct ela_rsa *key = sim_ring_rsa(s, "user.pem");
	uint64_t wall_s = s->loop->ops->wall_ns(s->loop) / ELA_SEC;
	struct ela_owner *owner = NULL;
	g_autoptr(GBytes) bytes = NULL;

	sim_equal(s, (uint64_t)-ela_owner_new(members_of(s, 0), key, wall_s, &owner, NULL), 0);
	sim_equal(s, (uint64_t)-ela_owner_revoke(owner, first, NULL), 0);
	if (second)
		sim_equal(s, (uint64_t)-ela_owner_revoke(owner, second, NULL), 0);
	sim_equal(s, (uint64_t)-ela_owner_sign(owner, &bytes, NULL), 0);
	sim_equal(s,
		(uint64_t)-ela_network_offer_list(
			s->nodes[0].network, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL),
		0);
	ela_owner_free(owner);
	ela_rsa_free(key);
}

static char *user_of(uint32_t i)
{
	return g_strdup_printf("u%u", i);
}

/* ---- a list that is held back ---- */

static uint32_t number_of(struct sim *s, const struct ela_peer *peer)
{
	for (uint32_t i = 0; peer && i < NODES; i++)
		if (sim_ring_id(s, i) == peer->id)
			return i;
	return NODES;
}

/* Who looks for the network later would call him, and each token names him. */
static bool is_contact(struct sim *s, uint32_t at, uint32_t of)
{
	const struct ela_network *network = s->nodes[at].network;

	for (uint32_t i = 0; i < network->contacts.n; i++)
		if (memcmp(network->contacts.v[i].x25519, s->nodes[of].node->public_key, ELA_KEY_LEN) == 0)
			return true;
	return false;
}

/* An edge whose parent, and spare, are guests. */
static uint32_t find_edge(struct sim *s, uint32_t *ret_parent, uint32_t *ret_spare)
{
	for (uint32_t i = CORES; i < NODES; i++) {
		struct ela_network_view view;

		ela_network_view(s->nodes[i].network, &view);
		*ret_parent = number_of(s, view.parent);
		*ret_spare = number_of(s, view.spare);
		if (*ret_parent != 0 && *ret_spare != 0 && *ret_parent < CORES && *ret_spare < CORES)
			return i;
	}
	sim_fail(s, __FILE__, __LINE__, "each edge has the founder as parent or spare");
}

/* What the test waits for; the world has no room for it. */
static uint32_t wanted_at, wanted_out;

static bool is_out(struct sim *s)
{
	return sim_peer(s, wanted_at, wanted_out) == NULL;
}

static void held_back(struct sim *s, bool by_both, uint64_t most_ns)
{
	uint32_t parent, spare, edge = find_edge(s, &parent, &spare);
	g_autofree char *first = user_of(parent), *second = user_of(spare);

	if (by_both)
		sim_run(s, 600 * ELA_SEC); /* sessions with other cores, from when the ring came up, end */
	deaf[parent] = members_of(s, parent);
	if (by_both)
		deaf[spare] = members_of(s, spare);
	sim_send(s, parent, edge, 200);
	sim_run(s, ELA_SEC);
	sim_all_there(s, parent, edge);
	sim_check(s, is_contact(s, 0, parent), "who will go was never a contact");
	publish_without(s, first, by_both ? second : NULL);
	wanted_at = edge;
	wanted_out = parent;
	sim_check(s, sim_run_until(s, is_out, most_ns), "the edge keeps its parent");
	wanted_out = spare;
	sim_check(s, is_out(s) == by_both, "its spare is in, but should not be, or the other way round");
	sim_run(s, 15 * ELA_SEC);
	sim_send(s, edge, 0, 200);
	sim_send(s, 0, edge, 200);
	sim_run(s, 2 * ELA_SEC);
	sim_all_there(s, edge, 0);
	sim_all_there(s, 0, edge);
	sim_check(s, !is_contact(s, 0, parent), "who is out is still a contact of the founder");
	sim_check(s, !is_contact(s, edge, parent), "who is out is still a contact of its child");
	sim_free(s);
}

START_TEST(held_back_by_parent)
{
	held_back(form(_i), false, 10 * ELA_SEC);
}
END_TEST

START_TEST(held_back_by_parent_and_spare)
{
	held_back(form(_i), true, 70 * ELA_SEC);
}
END_TEST

/* ---- who is out learns of it ---- */

static bool knows_that_it_is_out(struct sim *s)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[wanted_out].network, &view);
	return !view.is_in && strstr(view.reason, "revoked") != NULL;
}

/* It says so, and calls others now and then only. */
START_TEST(told)
{
	struct sim *s = form(_i);
	uint64_t frames;

	wanted_out = 2;
	publish_without(s, "u2", NULL);
	sim_check(s, sim_run_until(s, knows_that_it_is_out, 60 * ELA_SEC), "after a minute it does not know");
	sim_down(s, 0);
	sim_down(s, 1);
	for (uint32_t i = 3; i < NODES; i++)
		sim_down(s, i);
	sim_run(s, 600 * ELA_SEC); /* what it had with others ends, and what it knows of them */
	frames = s->n_frames;
	sim_run(s, 3600 * ELA_SEC);
	sim_check(s, s->n_frames - frames < 400, "it sent %" G_GUINT64_FORMAT " frames in an hour", s->n_frames - frames);
	sim_check(s, knows_that_it_is_out(s), "it forgot that it is out");
	sim_free(s);
}
END_TEST

/* It comes again, and is told at once: what it has on its disk may be old. */
START_TEST(told_after_restart)
{
	struct sim *s = form(_i);

	wanted_out = 2;
	sim_leave(s, 2);
	sim_run(s, ELA_SEC);
	publish_without(s, "u2", NULL);
	sim_run(s, 2 * ELA_SEC);
	sim_up(s, 2);
	sim_check(s, sim_run_until(s, knows_that_it_is_out, 20 * ELA_SEC), "after 20 s it does not know");
	for (uint32_t i = 0; i < NODES; i++)
		if (i != 2 && sim_peer(s, i, 2))
			sim_check(s, sim_peer(s, i, 2)->guest, "node %u let it in", i);
	sim_run(s, 30 * ELA_SEC);
	for (uint32_t i = 0; i < NODES; i++)
		sim_check(s, i == 2 || !sim_peer(s, i, 2), "node %u keeps it", i);
	sim_free(s);
}
END_TEST

/* How many neighbours have the founder's list: all four cores, and edges whose parent or spare he is, or none. */
static uint32_t holders(struct sim *s, uint32_t *ret_neighbours)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[0].network, &view);
	*ret_neighbours = view.n_neighbours;
	return view.n_holders;
}

START_TEST(counted)
{
	struct sim *s = form(_i);
	uint32_t before, after, n = holders(s, &before);

	sim_check(s, before >= 4 && n == before, "%u of %u neighbours have the first list", n, before);
	deaf[1] = members_of(s, 1);
	publish_without(s, "u2", NULL);
	sim_equal(s, holders(s, &after), 0);
	sim_run(s, 2 * ELA_SEC);
	n = holders(s, &after);
	sim_check(s, after >= 3 && n == after - 1, "%u of %u neighbours have it, and one is deaf", n, after);
	sim_free(s);
}
END_TEST

static uint64_t messages(struct sim *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < NODES; i++)
		sum += sim_counter(s, i, "messages-out");
	return sum;
}

/*
 * A quiet ring: each pair that keeps a session compares heads once a minute, and one request tells both. Those are ten
 * pairs of cores, and four edges with parent, spare and a third core: 440 messages. As many are about roles, and some
 * go with sessions that begin.
 */
START_TEST(quiet)
{
	struct sim *s = form(_i);
	uint64_t before;

	sim_run(s, 300 * ELA_SEC);
	before = messages(s);
	sim_run(s, 600 * ELA_SEC);
	before = messages(s) - before;
	sim_check(s, before <= 1100, "%" G_GUINT64_FORMAT " messages", before);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, held_back_by_parent, 2);
	sim_add(suite, held_back_by_parent_and_spare, 4);
	sim_add(suite, counted, 1);
	sim_add(suite, quiet, 2);
	sim_add(suite, told, 1);
	sim_add(suite, told_after_restart, 2);
}

int main(void)
{
	return sim_main("sim-revocation", fill);
}
