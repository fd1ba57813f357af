/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles: core or edge (wire.md, "Joining"; thesis 4.2.1): found out when the node joins, and again as long as it is in:
 * at once when its own machine's addresses or routes change, and every 20 s, for what a router lets in nobody tells.
 *
 *   first    the cores that joining has called; joining waits for it a moment, and enters without it if need be
 *   scout    one core, in turn; if it says what the node is, that was all
 *   judges   up to three cores: an edge becomes core when all of them reach it, a core edge when most do not
 *
 * Control thread.
 */
#include "classification.h"
#include "inet.h"
#include "network-priv.h"

#include <errno.h>
#include <string.h>

#define CHECK_NS (20 * ELA_SEC)
#define SPREAD_NS (4 * ELA_SEC) /* nodes behind one router shall not ask all at once */
#define SETTLE_NS ELA_SEC       /* after a change: addresses come one by one, and sessions follow */
#define AGAIN_NS (3 * ELA_SEC)  /* when nobody answered, or a second look is wanted */
#define READY_NS (100 * ELA_MSEC)
#define TRIES 4u

enum phase { PHASE_NONE, PHASE_FIRST, PHASE_SCOUT, PHASE_JUDGES };

struct ela_roles {
	struct ela_network *network;
	struct ela_timer *timer;
	enum phase phase; /* of the classification under way */
	uint32_t turn;    /* whose turn it is to be asked */
	uint32_t tries;   /* judgements that are wanted without a scout; 0 = none */
	bool is_doubted;  /* a core that may be the last one was judged an edge once */
	bool is_found;    /* found waits for joining to end */
	bool is_parting;  /* found waits for the children to have gone */
	struct ela_found_role found;
	char names[120];       /* of those that were asked; cut: it is for people */
	char unreachable[160]; /* with role = core: what does not come through; "": nothing */
};

static struct ela_node *node_of(const struct ela_roles *roles)
{
	return roles->network->node;
}

static void wake(struct ela_roles *roles, uint64_t in_ns)
{
	struct ela_loop *loop = node_of(roles)->loop;

	loop->ops->timer_set(roles->timer, ela_loop_now(loop) + in_ns);
}

bool ela_roles_may_be_core(const struct ela_network *network)
{
	struct ela_rights rights;

	return (network->self.roles & ELA_CREDENTIAL_CORE) != 0 &&
		   ela_membership_authorised(network->membership, network->self.user, &rights) && rights.may_core;
}

/* ---- whom to ask ---- */

static bool is_core(const struct ela_network *network, const struct ela_peer *peer)
{
	const struct ela_known *known = peer->id != 0 ? ela_directory_find(network->directory, peer->id) : NULL;

	return known && known->lease.role == ELA_LEASE_CORE;
}

/* It answers, and sees where this node is: nobody relays between them. */
static bool is_judge(const struct ela_network *network, const struct ela_peer *peer)
{
	const struct ela_tx *tx = peer->tx_shadow;

	return peer->up && !peer->guest && tx && !tx->via && peer->silent_ns == 0 && is_core(network, peer);
}

static bool is_far(const struct ela_peer *peer)
{
	return !ela_inet_is_private(&peer->tx_shadow->path.remote);
}

/*
 * All that can judge. Where some of them are met on the Internet only those: who is on the same LAN reaches this node
 * where strangers do not.
 */
static GPtrArray *judges(const struct ela_roles *roles)
{
	const struct ela_peers *peers = ela_peers_list(node_of(roles));
	GPtrArray *all = g_ptr_array_new(), *far = g_ptr_array_new();

	for (uint32_t i = 0; i < peers->n; i++)
		if (is_judge(roles->network, peers->v[i])) {
			g_ptr_array_add(all, peers->v[i]);
			if (is_far(peers->v[i]))
				g_ptr_array_add(far, peers->v[i]);
		}
	g_ptr_array_unref(far->len ? all : far);
	return far->len ? far : all;
}

static void note_names(struct ela_roles *roles, struct ela_peer *const *peers, uint32_t n)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (uint32_t i = 0; i < n; i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "", peers[i]->name);
	(void)g_strlcpy(roles->names, names->str, sizeof roles->names); /* cut: see there */
}

static void on_classified(void *data, const struct ela_classified *result);

static int ask(struct ela_roles *roles, enum phase phase, struct ela_peer *const *peers, uint32_t n)
{
	uint16_t tcp, udp;
	int err;

	ela_network_ports(roles->network, &tcp, &udp);
	if (!tcp || !udp)
		return -ENOTSUP;
	err = ela_classify(node_of(roles), peers, n, tcp, udp, on_classified, roles);
	if (err != 0)
		return err;
	roles->phase = phase;
	note_names(roles, peers, n);
	return 0;
}

/* Beginning with whose turn it is. */
static void ask_some(struct ela_roles *roles, enum phase phase, const GPtrArray *all, uint32_t n)
{
	struct ela_peer *chosen[ELA_CLASSIFY_CORES];

	n = MIN(n, all->len);
	for (uint32_t i = 0; i < n; i++)
		chosen[i] = all->pdata[(roles->turn + i) % all->len];
	roles->turn++;
	(void)ask(roles, phase, chosen, n); /* if it does not, the timer brings it again */
}

static void ask_judges(struct ela_roles *roles)
{
	g_autoptr(GPtrArray) all = judges(roles);

	if (all->len)
		ask_some(roles, PHASE_JUDGES, all, ELA_CLASSIFY_CORES);
}

/* ---- what it is from now on ---- */

/* The first core clockwise that it talks with directly; what follows is neighbours' business. */
static uint32_t first_parent(const struct ela_network *network)
{
	const struct ela_cores *cores = ela_directory_cores(network->directory);
	const struct ela_peers *peers = ela_peers_list(network->node);

	for (uint32_t k = 0; k < cores->n; k++) {
		uint32_t id = ela_cores_successor(cores, network->lease.id, k);

		for (uint32_t i = 0; i < peers->n; i++)
			if (peers->v[i]->id == id && is_judge(network, peers->v[i]))
				return id;
	}
	return 0;
}

static bool same_places(const struct ela_lease *lease, const struct ela_found_role *found)
{
	struct ela_lease other = *lease;

	other.n_places = found->n_places;
	memcpy(other.places, found->places, sizeof other.places);
	return ela_lease_same(lease, &other);
}

static void take(struct ela_roles *roles, const struct ela_found_role *found, uint32_t parent)
{
	struct ela_network *network = roles->network;
	struct ela_lease lease = network->lease;
	g_autoptr(GError) error = NULL;

	lease.role = found->role;
	lease.parent = parent;
	lease.n_places = 0;
	memset(lease.places, 0, sizeof lease.places);
	if (found->role == ELA_LEASE_CORE) {
		lease.n_places = found->n_places;
		memcpy(lease.places, found->places, sizeof lease.places);
	}
	(void)g_strlcpy(network->reason, found->reason, sizeof network->reason); /* of the same size */
	if (lease.role == network->lease.role && (lease.role == ELA_LEASE_EDGE || same_places(&network->lease, found)))
		ela_network_say_in(network);
	else if (ela_network_enter(network, &lease, &error) != 0)
		ela_logf_limited(network->node->log, ela_loop_now(network->node->loop), ELA_LOG_WARN, "network",
			"role-kept reason=\"%s\"", error->message);
}

/* Its children are with others now. The last core of its network stays what it is. */
static void step_down(void *data)
{
	struct ela_roles *roles = data;
	uint32_t parent = first_parent(roles->network);

	roles->is_parting = false;
	if (parent != 0)
		take(roles, &roles->found, parent);
}

static void become(struct ela_roles *roles)
{
	const struct ela_network *network = roles->network;

	if (roles->found.role != ELA_LEASE_EDGE || network->lease.role != ELA_LEASE_CORE) {
		take(roles, &roles->found, roles->found.role == ELA_LEASE_EDGE ? network->lease.parent : 0);
		return;
	}
	if (first_parent(network) == 0)
		return;
	roles->is_parting = ela_network_part(roles->network, step_down, roles);
	if (!roles->is_parting)
		step_down(roles);
}

/* Unless the node is talking about joining: then a moment later. */
static void settle(struct ela_roles *roles)
{
	if (ela_joining_talks(roles->network->joining)) {
		wake(roles, READY_NS);
		return;
	}
	roles->is_found = false;
	if (roles->network->lease.id != 0)
		become(roles);
}

static void find(struct ela_roles *roles, enum ela_lease_role role, const struct ela_classified *result)
{
	static const char *const failed[] = {[ELA_PROBE_NONE] = "TCP and UDP",
		[ELA_PROBE_TCP] = "TCP",
		[ELA_PROBE_UDP] = "UDP",
		[ELA_PROBE_BOTH] = "TCP and UDP"};
	struct ela_found_role *found = &roles->found;

	*found = (struct ela_found_role){.role = role};
	found->n_places = ela_network_seen_places(roles->network, result->seen, result->n_seen, found->places);
	if (role == ELA_LEASE_CORE)
		(void)g_snprintf(found->reason, sizeof found->reason, "TCP and UDP confirmed by %s", roles->names); /* cut */
	else
		(void)g_snprintf(
			found->reason, sizeof found->reason, "cannot be reached by %s from outside", failed[result->failed]);
}

/* ---- verdicts ---- */

static bool is_wanted_core(const struct ela_roles *roles)
{
	return node_of(roles)->config->role == ELA_CONFIG_CORE;
}

/* With role = core: it stays one, and says what is wrong. */
static void note_unreachable(struct ela_roles *roles, const struct ela_classified *result)
{
	find(roles, ELA_LEASE_EDGE, result);
	(void)g_snprintf(roles->unreachable, sizeof roles->unreachable,
		"this node is a core by ela.ini, and %s (asked: %s)", roles->found.reason,
		roles->names); /* cut: it is for people */
}

/* Whoever has the smallest ID looks twice, so that two cores do not both go because each cannot reach the other. */
static bool is_first(const struct ela_network *network)
{
	const struct ela_cores *cores = ela_directory_cores(network->directory);

	return ela_cores_position(cores, network->lease.id) == 0;
}

static void judge_core(struct ela_roles *roles, const struct ela_classified *result)
{
	if (2 * result->n_core >= result->n_answered) {
		roles->is_doubted = false;
		roles->unreachable[0] = '\0';
	} else if (is_wanted_core(roles)) {
		note_unreachable(roles, result);
	} else if (is_first(roles->network) && !roles->is_doubted) {
		roles->is_doubted = true;
		roles->tries = 1;
		wake(roles, AGAIN_NS);
	} else {
		roles->is_doubted = false;
		find(roles, ELA_LEASE_EDGE, result);
		settle(roles);
	}
}

/* Where it is seen may be news: of an address that is in its record already nothing is said. */
static void follow_place(struct ela_roles *roles, const struct ela_classified *result)
{
	const struct ela_lease *lease = &roles->network->lease;
	struct ela_place seen[ELA_LEASE_PLACES];
	uint32_t n = ela_network_seen_places(roles->network, result->seen, result->n_seen, seen);

	for (uint32_t i = 0; i < lease->n_places; i++)
		for (uint32_t k = 0; k < n; k++)
			if (memcmp(&lease->places[i], &seen[k], sizeof *seen) == 0)
				return;
	if (n == 0)
		return;
	find(roles, ELA_LEASE_CORE, result);
	settle(roles);
}

static void on_judged(struct ela_roles *roles, const struct ela_classified *result)
{
	if (result->n_answered == 0) {
		if (roles->tries != 0 && --roles->tries != 0)
			wake(roles, AGAIN_NS);
		return;
	}
	roles->tries = 0;
	if (roles->network->lease.role == ELA_LEASE_CORE) {
		judge_core(roles, result);
		if (roles->network->lease.role == ELA_LEASE_CORE && result->n_core == result->n_asked)
			follow_place(roles, result);
	} else if (result->n_core == result->n_asked) {
		find(roles, ELA_LEASE_CORE, result);
		settle(roles);
	}
}

static void on_scouted(struct ela_roles *roles, const struct ela_classified *result)
{
	bool is_core_now = roles->network->lease.role == ELA_LEASE_CORE;

	if (result->n_answered == 0)
		return;
	if ((result->n_core != 0) != is_core_now) {
		ask_judges(roles);
	} else if (is_core_now) {
		roles->unreachable[0] = '\0';
		follow_place(roles, result);
	}
}

static void on_classified(void *data, const struct ela_classified *result)
{
	struct ela_roles *roles = data;
	enum phase phase = roles->phase;

	roles->phase = PHASE_NONE;
	if (phase == PHASE_SCOUT) {
		on_scouted(roles, result);
	} else if (phase == PHASE_JUDGES) {
		on_judged(roles, result);
	} else {
		find(roles, result->role == ELA_ROLE_CORE ? ELA_LEASE_CORE : ELA_LEASE_EDGE, result);
		roles->is_found = !ela_joining_role(roles->network->joining, &roles->found);
		if (roles->is_found)
			settle(roles);
	}
}

/* ---- when ---- */

/* It is in, with others, and its role is not what ela.ini says alone. */
static bool is_asking(const struct ela_roles *roles)
{
	const struct ela_network *network = roles->network;

	return network->lease.id != 0 && !network->is_alone && !network->is_unconfirmed &&
		   node_of(roles)->config->role != ELA_CONFIG_EDGE && roles->phase == PHASE_NONE && !roles->is_parting &&
		   !ela_joining_talks(network->joining);
}

/* Its user's rights ended while it was one. */
static void resign(struct ela_roles *roles)
{
	if (roles->network->lease.role != ELA_LEASE_CORE)
		return;
	roles->found = (struct ela_found_role){.role = ELA_LEASE_EDGE, .reason = "its user's nodes may not be cores"};
	become(roles);
}

static void check(void *data)
{
	struct ela_roles *roles = data;
	struct ela_loop *loop = node_of(roles)->loop;
	g_autoptr(GPtrArray) all = judges(roles);
	uint64_t random;

	loop->ops->random(loop, &random, sizeof random);
	wake(roles, CHECK_NS + random % SPREAD_NS);
	if (roles->is_found)
		settle(roles);
	else if (!is_asking(roles))
		return;
	else if (!ela_roles_may_be_core(roles->network))
		resign(roles);
	else if (all->len)
		ask_some(roles, roles->tries ? PHASE_JUDGES : PHASE_SCOUT, all, roles->tries ? ELA_CLASSIFY_CORES : 1);
}

int ela_roles_first(struct ela_roles *roles, struct ela_peer *const *cores, uint32_t n)
{
	ela_roles_cancel(roles);
	return ask(roles, PHASE_FIRST, cores, n);
}

void ela_roles_cancel(struct ela_roles *roles)
{
	ela_classify_cancel(node_of(roles));
	roles->phase = PHASE_NONE;
	roles->is_found = false;
}

void ela_roles_changed(struct ela_roles *roles)
{
	roles->tries = TRIES;
	wake(roles, SETTLE_NS);
}

void ela_roles_start(struct ela_roles *roles)
{
	wake(roles, CHECK_NS);
}

const char *ela_roles_unreachable(const struct ela_roles *roles)
{
	return roles->unreachable;
}

struct ela_roles *ela_roles_new(struct ela_network *network)
{
	struct ela_roles *roles = g_new0(struct ela_roles, 1);

	roles->network = network;
	roles->timer = network->node->loop->ops->timer_new(network->node->loop, check, roles);
	return roles;
}

void ela_roles_free(struct ela_roles *roles)
{
	if (!roles)
		return;
	ela_roles_cancel(roles);
	node_of(roles)->loop->ops->timer_free(roles->timer);
	g_free(roles);
}
