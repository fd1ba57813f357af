/* SPDX-License-Identifier: Apache-2.0 */
/* sim-watch: see sim-watch.h. What holds for good is looked at every 50 ms of the simulation. One thread. */
#include "sim-watch.h"
#include "sim-ring.h"

#include "directory.h"
#include "network-priv.h"
#include "peer.h"

#define EVERY_NS (50 * ELA_MSEC)
#define OUT_NS ELA_SEC           /* so long may a node act on a list that it got */
#define QUIET_NS (110 * ELA_SEC) /* a record may be dropped for its node's silence after 120 s */

/* What a node knew of another one's present life. */
struct seen {
	bool is_there;
	uint32_t id;
	uint64_t incarnation, heard_ns;
};

struct watched {
	uint32_t lives; /* of which all else but the list is */
	uint64_t epoch, version;
	uint32_t host;                      /* of the address that nobody else may have; 0: not yet */
	uint64_t revoked_ns[SIM_MAX_NODES]; /* since when each is out there; 0: it is in */
	struct seen seen[SIM_MAX_NODES];
};

struct sim_watch {
	uint64_t looked_ns;
	struct watched nodes[SIM_MAX_NODES];
};

static uint64_t incarnation_of(const struct sim *s, uint32_t k)
{
	const struct ela_network *network = s->nodes[k].network;

	return network ? ela_own_record_incarnation(network->record) : 0;
}

static void look_at_list(struct sim *s, uint32_t i)
{
	struct watched *w = &s->watch->nodes[i];
	const struct ela_userlist *list = ela_membership_list(s->nodes[i].network->membership);
	uint64_t epoch = list ? list->epoch : 0, version = list ? list->version : 0;

	sim_check(s, epoch > w->epoch || (epoch == w->epoch && version >= w->version),
		"node %u went back from list %u.%u to %u.%u", i, (unsigned)w->epoch, (unsigned)w->version, (unsigned)epoch,
		(unsigned)version);
	w->epoch = epoch;
	w->version = version;
}

static void look_at_revoked(struct sim *s, uint32_t i, uint32_t k, const struct ela_known *known)
{
	struct watched *w = &s->watch->nodes[i];
	const struct sim_node *n = &s->nodes[k];
	const struct ela_peer *peer;

	if (!n->network)
		return; /* who it is, its files say */
	if (!ela_membership_is_revoked(s->nodes[i].network->membership, n->network->self.user)) {
		sim_check(s, w->revoked_ns[k] == 0, "node %u took node %u in again", i, k);
		return;
	}
	if (w->revoked_ns[k] == 0)
		w->revoked_ns[k] = sim_now(s);
	if (sim_now(s) - w->revoked_ns[k] < OUT_NS)
		return;
	sim_check(s, !known, "node %u has a record of node %u, which is out", i, k);
	peer = sim_peer(s, i, k); /* as a contact of old it may be called, to no end; as a guest it is told why */
	sim_check(s, !peer || peer->guest || !ela_members_credential(s->nodes[i].network->members, peer),
		"node %u has node %u as a member, which is out", i, k);
}

/* Its life goes on under the same address, and what was known of it is not old enough to be dropped. */
static bool must_be_there(struct sim *s, uint32_t i, uint32_t k)
{
	const struct seen *seen = &s->watch->nodes[i].seen[k];
	const struct ela_network *network = s->nodes[k].network;

	return seen->is_there && network && !s->nodes[k].out && network->lease.id == seen->id &&
		   incarnation_of(s, k) == seen->incarnation && sim_now(s) - seen->heard_ns < QUIET_NS &&
		   !ela_directory_find(s->nodes[i].node->directory, seen->id);
}

static void look_at_record(struct sim *s, uint32_t i, uint32_t k, const struct ela_known *known)
{
	struct seen *seen = &s->watch->nodes[i].seen[k];

	if (!known) {
		sim_check(s, !must_be_there(s, i, k), "node %u lost the record of node %u, which lives", i, k);
		seen->is_there = false;
		return;
	}
	sim_check(
		s, known->lease.incarnation >= seen->incarnation, "node %u took a record of an earlier life of node %u", i, k);
	*seen = (struct seen){true, known->id, known->lease.incarnation, known->heard_ns};
}

/* The record that counts at node i for the key of node k; of two, while an address changes, the newer one. */
static const struct ela_known *find_record(struct sim *s, uint32_t i, uint32_t k)
{
	const struct ela_directory *directory = s->nodes[i].node->directory;
	const struct ela_known *known, *found = NULL;

	for (uint32_t id = 0; (known = ela_directory_next(directory, id)) != NULL; id = known->id)
		if (memcmp(known->lease.node_hash, s->nodes[k].node_hash, ELA_HASH_LEN) == 0 &&
			(!found || known->lease.incarnation > found->lease.incarnation ||
				(known->lease.incarnation == found->lease.incarnation &&
					known->lease.sequence > found->lease.sequence)))
			found = known;
	return found;
}

/* It has the one that it had, or the one that it wishes, and nobody else's. */
static void look_at_address(struct sim *s, uint32_t i)
{
	const struct sim_node *n = &s->nodes[i];
	uint32_t host = sim_host(s, i), had = s->watch->nodes[i].host;

	if (n->out || n->network->lease.id == 0 || n->network->missing[0] || ela_joining_talks(n->network->joining))
		return; /* it only asks for it, or nobody lets it in with it */
	sim_check(s, had == 0 || host == had || host == (n->spec.wish ? n->spec.wish : i + 1),
		"node %u has the address .%u, and had .%u", i, host, had);
	if (had != 0)
		s->watch->nodes[i].host = host;
	for (uint32_t k = 0; k < s->n; k++)
		sim_check(s, k == i || s->nodes[k].out || s->watch->nodes[k].host != host,
			"node %u has the address .%u, which is node %u's", i, host, k);
}

static void look_at(struct sim *s, uint32_t i)
{
	const struct sim_node *n = &s->nodes[i];
	struct watched *w = &s->watch->nodes[i];

	if (w->lives != n->lives) {
		memset(w->seen, 0, sizeof w->seen);
		w->lives = n->lives;
	}
	look_at_list(s, i);
	look_at_address(s, i);
	for (uint32_t k = 0; k < s->n; k++) {
		const struct ela_known *known = k == i ? NULL : find_record(s, i, k);

		if (k == i || n->out)
			continue;
		look_at_revoked(s, i, k, known);
		look_at_record(s, i, k, known);
	}
}

void sim_watch_look(struct sim *s)
{
	if (!s->watch || sim_now(s) - s->watch->looked_ns < EVERY_NS)
		return;
	s->watch->looked_ns = sim_now(s);
	for (uint32_t i = 0; i < s->n; i++)
		if (s->nodes[i].network)
			look_at(s, i);
}

void sim_watch_begin(struct sim *s)
{
	s->watch = g_new0(struct sim_watch, 1);
}

void sim_watch_addresses(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->nodes[i].network && s->nodes[i].network->lease.id != 0)
			s->watch->nodes[i].host = sim_host(s, i);
}

void sim_watch_free(struct sim *s)
{
	g_free(s->watch);
	s->watch = NULL;
}
