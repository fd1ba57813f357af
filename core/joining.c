/* SPDX-License-Identifier: Apache-2.0 */
/*
 * joining: this node looks for others (wire.md, "Joining"; thesis 4.2.1): it calls the cores that it knows, and asks
 * the first that answers to let it in (joining-talk.c). What fails is tried with the next core, or later; who is in
 * looks for other rings now and then. Control thread.
 */
#include "joining-priv.h"

#include <string.h>

#define LOOK_NS (50 * ELA_MSEC) /* how often it is looked whether a core has answered */
#define CALL_NS (5 * ELA_SEC)   /* a round of calling; then others are called */
#define REST_MOST_NS (30 * ELA_SEC)
#define OUT_NS (600 * ELA_SEC) /* who was revoked calls that often: a new owner, or a new list, may let him in */
#define SEEK_NS (60 * ELA_SEC)
#define LISTEN_NS (500 * ELA_MSEC) /* whether a core has called this node, which rests... */
#define CALLED_NS ELA_SEC          /* ... so long ago */

static void turn(void *data);

/* When it is looked again; 0: not by itself. */
static uint64_t next_look(const struct ela_joining *joining, uint64_t now_ns)
{
	if (joining->step == STEP_IDLE)
		return 0;
	if (joining->step == STEP_CALLING)
		return now_ns + LOOK_NS;
	/* A node in no ring may be called by a core meanwhile (dials.h). */
	if (joining->step == STEP_RESTING && joining->network->lease.id == 0 && !joining->network->is_out)
		return MIN(joining->at_ns, now_ns + LISTEN_NS);
	return joining->at_ns;
}

void ela_joining_step(struct ela_joining *joining, enum step step, uint64_t for_ns)
{
	struct ela_loop *loop = ela_joining_loop(joining);
	uint64_t now_ns = ela_loop_now(loop);

	joining->step = step;
	joining->at_ns = now_ns + for_ns;
	loop->ops->timer_set(joining->timer, next_look(joining, now_ns));
}

bool ela_joining_talks(const struct ela_joining *joining)
{
	return joining->core != 0;
}

struct ela_peer *ela_joining_core(const struct ela_joining *joining)
{
	return joining->core ? ela_peer_by_number(joining->network->node, joining->core) : NULL;
}

/* ---- ends ---- */

bool ela_joining_is_member(const struct ela_joining *joining, const struct ela_peer *peer)
{
	return ela_members_credential(joining->network->members, peer) != NULL;
}

/* Those who were called and did not become members are forgotten. */
static void hang_up(struct ela_joining *joining)
{
	for (uint32_t i = 0; i < joining->n_calls; i++) {
		struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer && peer->made && !ela_joining_is_member(joining, peer))
			ela_members_drop(joining->network->members, peer);
	}
	joining->n_calls = 0;
}

void ela_joining_end(struct ela_joining *joining)
{
	ela_dialogue_cancel(joining->network->node, joining->ticket);
	ela_list_sync_forget(joining->network->sync, joining);
	joining->ticket = 0;
	joining->core = 0;
	g_clear_pointer(&joining->credential, g_bytes_unref);
	g_clear_pointer(&joining->record, g_bytes_unref);
}

void ela_joining_done(struct ela_joining *joining)
{
	uint64_t random;

	ela_joining_loop(joining)->ops->random(ela_joining_loop(joining), &random, sizeof random);
	ela_joining_loop(joining)->ops->timer_set(
		joining->seek, ela_loop_now(ela_joining_loop(joining)) + SEEK_NS * 3 / 4 + random % (SEEK_NS / 2));
	ela_bootstraps_stop(joining->bootstraps);
	ela_network_lan_rest(joining->lan);
	joining->is_meeting = false;
	hang_up(joining);
	ela_joining_step(joining, STEP_IDLE, 0);
}

void ela_joining_fail(struct ela_joining *joining, const char *format, ...)
{
	struct ela_network *network = joining->network;
	const struct ela_peer *peer = ela_joining_core(joining);
	char reason[sizeof network->missing];
	va_list args;
	uint64_t random;

	va_start(args, format);
	(void)g_vsnprintf(reason, sizeof reason, format, args); /* cut: it is for people */
	va_end(args);
	ela_logf_limited(network->node->log, ela_loop_now(ela_joining_loop(joining)), ELA_LOG_WARN, "joining",
		"failed peer=%s reason=\"%s\"", peer ? peer->name : "none", reason);
	ela_network_check_oneself(network);
	ela_joining_end(joining);
	if (joining->is_meeting) { /* nothing that this node needs */
		ela_joining_done(joining);
		ela_network_chore(network);
		return;
	}
	if (!network->is_out) /* which says more than that nobody lets it in */
		memcpy(network->missing, reason, sizeof reason);
	ela_roles_cancel(network->roles);
	hang_up(joining);
	ela_joining_loop(joining)->ops->random(ela_joining_loop(joining), &random, sizeof random);
	joining->rest_ns = network->is_out ? OUT_NS : CLAMP(2 * joining->rest_ns, ELA_SEC, REST_MOST_NS);
	ela_joining_step(joining, STEP_RESTING, joining->rest_ns / 2 + random % joining->rest_ns);
}

/* ---- calling ---- */

static bool is_called(const struct ela_joining *joining, const struct ela_peer *peer)
{
	for (uint32_t i = 0; i < joining->n_calls; i++)
		if (joining->calls[i] == peer->number)
			return true;
	return false;
}

static void call(struct ela_joining *joining, const struct ela_token_core *contact)
{
	struct ela_node *node = joining->network->node;
	struct ela_peer *peer = ela_peer_by_key(node, contact->x25519);
	struct ela_addr endpoints[ENDPOINTS_MAX];
	char text[64];
	struct ela_peer_spec spec = {.endpoints = endpoints};

	spec.n_endpoints = ela_joining_endpoints(&joining->network->contacts, contact->x25519, endpoints);
	spec.name = ela_addr_text(&endpoints[0], text);
	if (peer && is_called(joining, peer))
		return;
	if (!peer && ela_peer_add(node, contact->x25519, &spec, &peer) != 0)
		return; /* it is this node itself, or there are too many */
	joining->calls[joining->n_calls++] = peer->number;
	if (!peer->up)
		ela_initiate(peer);
}

/* Whose key is known is called by it. Bootstraps come from the second round on: most of them are contacts, too. */
static void call_some(struct ela_joining *joining)
{
	const struct ela_contacts *contacts = &joining->network->contacts;
	bool is_calling = false;

	hang_up(joining);
	for (uint32_t i = 0; i < contacts->n && joining->n_calls < CALLS_MAX; i++)
		call(joining, &contacts->v[joining->next++ % contacts->n]);
	if (contacts->n == 0 || joining->rest_ns != 0)
		is_calling = ela_bootstraps_call(joining->bootstraps);
	if (joining->n_calls == 0 && !is_calling)
		ela_joining_step(joining, STEP_RESTING, CALL_NS); /* a contact may come by itself */
	else
		ela_joining_step(joining, STEP_CALLING, CALL_NS);
}

/* Is this node in a ring that others are in as well? */
static bool is_among_others(const struct ela_joining *joining)
{
	const struct ela_network *network = joining->network;

	return joining->step == STEP_IDLE && network->lease.id != 0 && network->lease.role == ELA_LEASE_CORE &&
		   !network->is_alone;
}

/* A bootstrap answered, at whatever time: who is not needed is forgotten. */
static void on_reached(void *data, struct ela_peer *peer)
{
	struct ela_joining *joining = data;
	bool is_wanted = joining->step != STEP_IDLE && joining->n_calls < G_N_ELEMENTS(joining->calls);

	if (is_called(joining, peer))
		return;
	if (is_among_others(joining) && !(peer->id != 0 && ela_directory_find(joining->network->directory, peer->id))) {
		joining->is_meeting = true;
		joining->calls[joining->n_calls++] = peer->number; /* there are none: nobody is called */
		ela_joining_show(joining, peer);
		return;
	}
	if (!is_wanted) {
		if (peer->made && !peer->guest && !ela_joining_is_member(joining, peer))
			ela_members_drop(joining->network->members, peer);
		return;
	}
	joining->calls[joining->n_calls++] = peer->number;
	if (joining->step == STEP_RESTING)
		ela_joining_step(joining, STEP_CALLING, CALL_NS);
}

static bool is_inside(void *data, const struct ela_addr *addr)
{
	return ela_network_is_inside(((struct ela_joining *)data)->network, addr);
}

static void on_found(void *data, const struct ela_addr *addr)
{
	struct ela_joining *joining = data;

	if (!joining->network->is_out) /* it asks when its time comes, not whenever somebody says a word */
		ela_bootstraps_found(joining->bootstraps, addr, "lan");
}

/* A ring that was cut in two has two that stand: somebody must look. */
static void seek(void *data)
{
	struct ela_joining *joining = data;
	struct ela_addr addr;

	if (is_among_others(joining)) {
		if (ela_network_outside(joining->network, &joining->next, &addr))
			ela_bootstraps_found(joining->bootstraps, &addr, "contact");
		(void)ela_bootstraps_call(joining->bootstraps); /* whoever is reached is met */
		ela_network_lan_once(joining->lan);
	}
	ela_joining_loop(joining)->ops->timer_set(joining->seek, ela_loop_now(ela_joining_loop(joining)) + SEEK_NS);
}

static struct ela_peer *find_answered(const struct ela_joining *joining)
{
	for (uint32_t i = 0; i < joining->n_calls; i++) {
		struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer && peer->up)
			return peer;
	}
	return NULL;
}

/*
 * A core of the contacts has called, and stays on the line: one that is not in itself asks, hears that this node is not
 * in either, and hangs up.
 */
static bool is_called_by_core(const struct ela_joining *joining, uint64_t now_ns)
{
	const struct ela_contacts *contacts = &joining->network->contacts;

	for (uint32_t i = 0; i < contacts->n; i++) {
		const struct ela_peer *peer = ela_peer_by_key(joining->network->node, contacts->v[i].x25519);

		if (peer && peer->up && peer->tx_shadow && now_ns - peer->current->born_ns >= CALLED_NS)
			return true;
	}
	return false;
}

/* ---- alone ---- */

static void maybe_alone(struct ela_joining *joining, uint64_t now_ns)
{
	const struct ela_network *network = joining->network;
	bool has_others = network->contacts.n != 0 || ela_bootstraps_any(joining->bootstraps);

	if ((!has_others || now_ns - joining->since_ns >= ELA_NETWORK_ALONE_NS) && ela_network_be_alone(joining->network))
		ela_network_lan_look(joining->lan); /* others may have waited for that */
}

/* ---- as time passes ---- */

/* What runs at these places may be no ELA node, or one of another network: neither says a word to strangers. */
static void fail_unanswered(struct ela_joining *joining)
{
	const char *names[G_N_ELEMENTS(joining->calls) + 1] = {NULL};
	g_autofree char *all = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < joining->n_calls; i++) {
		const struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer)
			names[n++] = peer->name;
	}
	all = g_strjoinv(", ", (char **)(uintptr_t)names);
	ela_joining_fail(joining, "no core of this network answers at %s", all);
}

static void look(struct ela_joining *joining, uint64_t now_ns)
{
	struct ela_peer *peer = find_answered(joining);

	if (peer)
		ela_joining_show(joining, peer);
	else if (now_ns >= joining->at_ns)
		fail_unanswered(joining);
	else
		ela_joining_step(joining, STEP_CALLING, joining->at_ns - now_ns);
}

static void turn(void *data)
{
	struct ela_joining *joining = data;
	struct ela_network *network = joining->network;
	uint64_t now_ns = ela_loop_now(ela_joining_loop(joining));

	maybe_alone(joining, now_ns);
	if (network->lease.id != 0 && !network->is_alone && !network->is_unconfirmed && joining->core == 0) {
		ela_joining_done(joining);
		return;
	}
	switch (joining->step) {
	case STEP_RESTING:
		if (now_ns < joining->at_ns && !is_called_by_core(joining, now_ns))
			ela_joining_step(joining, STEP_RESTING, joining->at_ns - now_ns);
		else
			call_some(joining);
		break;
	case STEP_IDLE:
		call_some(joining);
		break;
	case STEP_CALLING:
		look(joining, now_ns);
		break;
	case STEP_HEARING:
		ela_joining_fail(joining, "%s", joining->refusal);
		break;
	case STEP_ROLE:
		ela_joining_enter(joining);
		break;
	default:
		ela_joining_fail(joining, "the core did not answer in time");
		break;
	}
}

void ela_joining_start(struct ela_joining *joining)
{
	if (joining->step != STEP_IDLE)
		return;
	joining->since_ns = ela_loop_now(ela_joining_loop(joining));
	if (joining->network->is_out) {
		ela_joining_step(joining, STEP_RESTING, OUT_NS);
		return;
	}
	ela_network_lan_look(joining->lan);
	turn(joining);
}

struct ela_joining *ela_joining_new(struct ela_network *network)
{
	struct ela_joining *joining = g_new0(struct ela_joining, 1);

	joining->network = network;
	joining->bootstraps_ops = (struct ela_bootstraps_ops){on_reached, is_inside, ELA_LOG_WARN, joining};
	joining->bootstraps = ela_bootstraps_new(network->node, network->node->config->bootstraps,
		network->node->config->n_bootstraps, &joining->bootstraps_ops);
	joining->lan = ela_network_lan_new(network, on_found, joining);
	joining->seek = network->node->loop->ops->timer_new(network->node->loop, seek, joining);
	joining->timer = network->node->loop->ops->timer_new(network->node->loop, turn, joining);
	return joining;
}

void ela_joining_free(struct ela_joining *joining)
{
	if (!joining)
		return;
	ela_bootstraps_free(joining->bootstraps);
	ela_network_lan_free(joining->lan);
	ela_joining_loop(joining)->ops->timer_free(joining->seek);
	ela_joining_end(joining);
	ela_joining_loop(joining)->ops->timer_free(joining->timer);
	g_free(joining);
}
