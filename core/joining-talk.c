/* SPDX-License-Identifier: Apache-2.0 */
/*
 * joining-talk: one conversation with a core that lets this node in (wire.md, "Joining"; thesis 4.2.1): it shows who it
 * is, learns list and enrolments, has itself classified, and enters the ring; or, as a core among others, meets another
 * ring. Control thread.
 */
#include "classification.h"
#include "joining-priv.h"
#include "own.h"

#include <errno.h>
#include <string.h>

#define ROLE_NS (700 * ELA_MSEC)
#define KEEPALIVE_NS (25 * ELA_SEC)

/* ---- NodeJoin ---- */

static void take_records(struct ela_joining *joining, const struct ela_message *reply)
{
	static const enum ela_field fields[] = {ELA_FIELD_RECORD, ELA_FIELD_PARENT, ELA_FIELD_SPARE, ELA_FIELD_CORE};
	const struct ela_peer *peer = ela_joining_core(joining);

	for (size_t f = 0; peer && f < G_N_ELEMENTS(fields); f++)
		for (uint32_t k = 0; k < ela_message_count(reply, fields[f]); k++) {
			uint32_t len;
			const uint8_t *bytes = ela_message_bytes(reply, fields[f], k, &len);

			ela_network_take_record(joining->network, peer, bytes, len);
		}
}

static void on_joined(void *data, int err, const struct ela_message *reply)
{
	struct ela_joining *joining = data;
	struct ela_network *network = joining->network;
	const char *reason;

	joining->ticket = 0;
	if (err != 0) {
		ela_joining_fail(joining, "the core did not answer NodeJoin: %s", g_strerror(-err));
		return;
	}
	reason = ela_message_text(reply, ELA_FIELD_REASON, 0);
	if (ela_message_status(reply) != ELA_STATUS_OK) {
		ela_joining_fail(
			joining, "the core refused NodeJoin: %s", reason ? reason : ela_status_name(ela_message_status(reply)));
		return;
	}
	take_records(joining, reply);
	if (joining->is_meeting) {
		ela_logf(network->node->log, ELA_LOG_INFO, "joining", "met peer=%s", ela_joining_core(joining)->name);
		ela_joining_end(joining);
		ela_joining_done(joining);
		ela_network_chore(network);
		return;
	}
	network->is_alone = network->is_unconfirmed = false;
	network->missing[0] = '\0';
	joining->rest_ns = 0;
	ela_logf(network->node->log, ELA_LOG_INFO, "joining", "in peer=%s role=%s seconds=%.2f",
		ela_joining_core(joining)->name, network->lease.role == ELA_LEASE_CORE ? "core" : "edge",
		(double)(ela_loop_now(ela_joining_loop(joining)) - joining->since_ns) / 1e9);
	joining->greeted = joining->core;
	ela_joining_end(joining);
	ela_joining_done(joining);
}

void ela_joining_known(struct ela_joining *joining)
{
	struct ela_peer *peer = joining->greeted ? ela_peer_by_number(joining->network->node, joining->greeted) : NULL;

	if (peer && peer->id == 0)
		return; /* not yet */
	joining->greeted = 0;
	if (peer && peer->current)
		ela_peer_event(peer, ELA_PEER_REKEY);
}

/* NodeJoin, with the own record. */
static void show_record(struct ela_joining *joining, struct ela_peer *peer)
{
	const struct ela_known *own = ela_network_own_record(joining->network);
	struct ela_message *request;

	if (!own) {
		ela_joining_fail(joining, "the routing plugin does not take the own record");
		return;
	}
	request = ela_message_new(ELA_PURPOSE_NODE_JOIN, ELA_MESSAGE_REQUEST);
	ela_message_put_bytes(request, ELA_FIELD_RECORD, own->bytes, own->len);
	ela_joining_step(joining, STEP_ENTERING, 2 * ASK_NS);
	joining->ticket = ela_dialogue_ask(peer, request, ASK_NS, on_joined, joining);
	if (!joining->ticket)
		ela_joining_fail(joining, "the request could not be sent");
}

static void enter(struct ela_joining *joining, const struct ela_found_role *found)
{
	struct ela_network *network = joining->network;
	struct ela_peer *peer = ela_joining_core(joining);
	struct ela_lease lease = {.address = joining->address, .role = found->role};
	g_autoptr(GError) error = NULL;

	if (!peer) {
		ela_joining_fail(joining, "the core went away");
		return;
	}
	if (found->role == ELA_LEASE_EDGE)
		lease.parent = joining->core_id;
	if (found->role == ELA_LEASE_CORE) {
		lease.n_places = found->n_places;
		memcpy(lease.places, found->places, sizeof lease.places);
		if (lease.n_places == 0) /* asked through a relay, nobody saw where it is */
			lease.n_places = ela_network_places(network, lease.places);
	}
	(void)g_strlcpy(network->reason, found->reason, sizeof network->reason); /* of the same size */
	if (ela_network_enter(network, &lease, &error) != 0) {
		ela_joining_fail(joining, "%s", error->message);
		return;
	}
	show_record(joining, peer);
}

/* ---- classification ---- */

/* Those that were called and are members by now, the one that answers first. */
static uint32_t list_cores(const struct ela_joining *joining, struct ela_peer *ret[ELA_CLASSIFY_CORES])
{
	uint32_t n = 0;

	ret[n++] = ela_joining_core(joining);
	for (uint32_t i = 0; i < joining->n_calls && n < ELA_CLASSIFY_CORES; i++) {
		struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer && peer != ret[0] && peer->up && ela_joining_is_member(joining, peer))
			ret[n++] = peer;
	}
	return n;
}

static void enter_as(struct ela_joining *joining, enum ela_lease_role role, const char *reason)
{
	struct ela_found_role found = {.role = role};

	(void)g_strlcpy(found.reason, reason, sizeof found.reason); /* it fits */
	found.n_places = ela_network_seen_places(joining->network, &joining->observed.addr, 1, found.places);
	enter(joining, &found);
}

bool ela_joining_role(struct ela_joining *joining, const struct ela_found_role *found)
{
	if (joining->step != STEP_ROLE)
		return false;
	enter(joining, found);
	return true;
}

/* It is not known yet. Whoever is a core by necessity stays one until then. */
void ela_joining_enter(struct ela_joining *joining)
{
	bool is_core = joining->network->lease.id != 0 && joining->network->lease.role == ELA_LEASE_CORE;

	enter_as(joining, is_core ? ELA_LEASE_CORE : ELA_LEASE_EDGE, "it is being found out whether others can call it");
}

static void choose_role(struct ela_joining *joining)
{
	struct ela_network *network = joining->network;
	enum ela_config_role wanted = network->node->config->role;
	struct ela_peer *cores[ELA_CLASSIFY_CORES];
	int err;

	if (wanted == ELA_CONFIG_EDGE || !ela_roles_may_be_core(network)) {
		enter_as(joining, ELA_LEASE_EDGE,
			wanted == ELA_CONFIG_EDGE ? "ela.ini says so" : "its user's nodes may not be cores");
		return;
	}
	if (wanted == ELA_CONFIG_CORE) {
		enter_as(joining, ELA_LEASE_CORE, "ela.ini says so");
		return;
	}
	ela_joining_step(joining, STEP_ROLE, ROLE_NS);
	err = ela_roles_first(network->roles, cores, list_cores(joining, cores));
	if (err != 0)
		enter_as(joining, ELA_LEASE_EDGE,
			err == -ENOTSUP ? "it does not listen by TCP and UDP"
							: "it could not be found out whether it can be reached");
}

/* ---- NodeAuthentication ---- */

/* All places of one core are endpoints of one peer; each transport's port is tried where it is. */
uint32_t ela_joining_endpoints(
	const struct ela_contacts *contacts, const uint8_t key[32], struct ela_addr ret[ENDPOINTS_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < contacts->n && n < ENDPOINTS_MAX; i++) {
		const struct ela_place *place = &contacts->v[i].place;

		if (memcmp(contacts->v[i].x25519, key, 32) != 0)
			continue;
		ret[n] = place->addr; /* TCP's first: who has no address yet comes by it */
		ret[n++].port = place->tcp_port ? place->tcp_port : place->udp_port;
		if (n < ENDPOINTS_MAX && place->udp_port && place->tcp_port && place->udp_port != place->tcp_port) {
			ret[n] = place->addr;
			ret[n++].port = place->udp_port;
		}
	}
	return n;
}

/* The core's own record is the first of those that it sent. */
static int learn_id(struct ela_joining *joining, const struct ela_credential *core, GError **error)
{
	struct ela_standing standing;
	gsize len;
	const void *bytes = g_bytes_get_data(joining->record, &len);
	int err = ela_membership_check_record(joining->network->membership, bytes, len, NULL, &standing, error);

	if (err != 0)
		return err;
	if (memcmp(standing.lease.node_hash, core->node_hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EBADMSG, "the core's record is another node's");
	joining->core_id = standing.lease.id;
	return 0;
}

/* In this order: list and enrolments are here, so the core's credential can be judged, and then our own. */
static int trust(struct ela_joining *joining, struct ela_peer *peer, GError **error)
{
	struct ela_network *network = joining->network;
	const struct ela_credential *credential = NULL;
	struct ela_addr endpoints[ENDPOINTS_MAX];
	struct ela_peer_spec spec = {.endpoints = endpoints, .keepalive_ns = KEEPALIVE_NS};
	gsize len;
	const void *bytes = g_bytes_get_data(joining->credential, &len);
	int err = ela_network_take_credential(network, bytes, (uint32_t)len, &credential, error);

	if (err == 0 && memcmp(credential->x25519, peer->key, ELA_KEY_LEN) != 0)
		err = ela_object_refuse(error, EBADMSG, "the core's credential is of another key than its session");
	spec.n_endpoints = ela_joining_endpoints(&network->contacts, peer->key, endpoints);
	if (err == 0 && !ela_members_credential(network->members, peer))
		err = ela_members_know(network->members, credential, &spec, &peer, error);
	if (err != 0)
		return err;
	err = learn_id(joining, credential, error);
	if (err != 0)
		return err;
	bytes = g_bytes_get_data(network->credential, &len);
	return ela_network_take_credential(network, bytes, (uint32_t)len, &credential, error);
}

static void on_learnt(void *data, int err)
{
	struct ela_joining *joining = data;
	struct ela_peer *peer = ela_joining_core(joining);
	g_autoptr(GError) error = NULL;

	if (!peer || err != 0) {
		ela_joining_fail(
			joining, "list and enrolments could not be fetched: %s", peer ? g_strerror(-err) : "the core went away");
		return;
	}
	if (trust(joining, peer, &error) != 0)
		ela_joining_fail(joining, "%s", error->message);
	else if (joining->is_meeting)
		show_record(joining, peer);
	else
		choose_role(joining);
}

/* Who is wrong cannot be known; a person can. */
static void compare_clocks(const struct ela_joining *joining, const struct ela_message *reply)
{
	struct ela_network *network = joining->network;
	uint64_t now_ns = ela_loop_now(ela_joining_loop(joining));
	int64_t time_s, ahead_s;

	network->has_clock = ela_message_number(reply, ELA_FIELD_TIME, &time_s);
	if (!network->has_clock)
		return;
	network->clock_s = time_s - (int64_t)(now_ns / ELA_SEC);
	ahead_s = ela_network_clock_ahead_s(network);
	if (ahead_s != 0)
		ela_logf_limited(network->node->log, now_ns, ELA_LOG_WARN, "joining",
			"clocks-differ peer=%s ahead_s=%" G_GINT64_FORMAT " remedy=\"set this machine's clock, or the core's\"",
			ela_joining_core(joining)->name, ahead_s);
}

static int take_welcome(
	struct ela_joining *joining, const struct ela_message *reply, struct ela_list_head *ret_head, GError **error)
{
	struct ela_network *network = joining->network;
	uint32_t len = 0;
	const uint8_t *bytes = ela_message_bytes(reply, ELA_FIELD_GENESIS, 0, &len);
	struct ela_addr address;
	int err = ela_membership_offer_genesis(network->membership, bytes, len, error);

	if (err == -EALREADY)
		g_clear_error(error);
	else if (err != 0)
		return err;
	if (!ela_message_addr(reply, ELA_FIELD_ADDRESS, &address) || address.family != ELA_ADDR_IP4 ||
		!ela_genesis_has_address(ela_membership_genesis(network->membership), ela_get32(address.ip)))
		return ela_object_refuse(error, EBADMSG, "the core gave no address of the network");
	joining->address = ela_get32(address.ip);
	(void)ela_message_endpoint(reply, ELA_FIELD_OBSERVED, 0, &joining->observed); /* required: it is there */
	bytes = ela_message_bytes(reply, ELA_FIELD_CREDENTIAL, 0, &len);
	g_clear_pointer(&joining->credential, g_bytes_unref);
	joining->credential = g_bytes_new(bytes, len);
	bytes = ela_message_bytes(reply, ELA_FIELD_CORE, 0, &len);
	if (!bytes)
		return ela_object_refuse(error, EBADMSG, "the core did not send its record");
	g_clear_pointer(&joining->record, g_bytes_unref);
	joining->record = g_bytes_new(bytes, len);
	(void)ela_list_sync_read_head(reply, ret_head); /* required: it is there */
	return 0;
}

/* Who refused may have a list that this node has not: then it knows why, and need not call on. */
static void on_heard(void *data, int err)
{
	struct ela_joining *joining = data;

	(void)err; /* what failed leaves the reason that was given */
	ela_joining_fail(joining, "%s", joining->refusal);
}

static void on_refused(struct ela_joining *joining, const struct ela_peer *peer, const char *reason)
{
	(void)g_snprintf(joining->refusal, sizeof joining->refusal, "the core refused: %s", reason); /* cut: for people */
	if (ela_list_sync_catch_up(joining->network->sync, peer, on_heard, joining))
		ela_joining_step(joining, STEP_HEARING, ASK_NS);
	else
		ela_joining_fail(joining, "%s", joining->refusal);
}

static void on_welcome(void *data, int err, const struct ela_message *reply)
{
	struct ela_joining *joining = data;
	struct ela_peer *peer = ela_joining_core(joining);
	struct ela_list_head head;
	g_autoptr(GError) error = NULL;
	const char *reason;

	joining->ticket = 0;
	if (err != 0 || !peer) {
		ela_joining_fail(joining, "the core did not answer: %s", g_strerror(err != 0 ? -err : ENOTCONN));
		return;
	}
	reason = ela_message_text(reply, ELA_FIELD_REASON, 0);
	if (ela_message_status(reply) != ELA_STATUS_OK) {
		on_refused(joining, peer, reason ? reason : ela_status_name(ela_message_status(reply)));
		return;
	}
	if (take_welcome(joining, reply, &head, &error) != 0) {
		ela_joining_fail(joining, "%s", error->message);
		return;
	}
	compare_clocks(joining, reply);
	ela_joining_step(joining, STEP_LEARNING, 2 * ASK_NS);
	ela_list_sync_fetch(joining->network->sync, peer, &head, on_learnt, joining);
}

/* What it has, else what it wishes. */
static void put_wish(const struct ela_network *network, struct ela_message *m)
{
	const struct ela_addr *wish = &network->node->config->wish4;
	struct ela_addr own = {.family = ELA_ADDR_IP4};

	ela_put32(own.ip, network->lease.address);
	if (network->lease.address != 0)
		ela_message_put_addr(m, ELA_FIELD_WISHED, &own);
	else if (wish->family != ELA_ADDR_NONE)
		ela_message_put_addr(m, ELA_FIELD_WISHED, wish);
}

void ela_joining_show(struct ela_joining *joining, struct ela_peer *peer)
{
	struct ela_network *network = joining->network;
	struct ela_message *request = ela_message_new(ELA_PURPOSE_NODE_AUTHENTICATION, ELA_MESSAGE_REQUEST);
	char user[ELA_NAME_ROOM] = "unknown"; /* until the list says it; the credential is what counts */

	(void)ela_membership_user_name(network->membership, network->self.user, user);
	ela_message_put_text(request, ELA_FIELD_USER, user);
	ela_message_put_text(request, ELA_FIELD_NODE, network->self.name);
	ela_network_put_object(request, ELA_FIELD_CREDENTIAL, network->credential);
	ela_network_put_object(request, ELA_FIELD_ENROLMENT, network->claim);
	ela_list_sync_put_head(network, request);
	put_wish(network, request);
	joining->core = peer->number;
	ela_joining_step(joining, STEP_SHOWING, 2 * ASK_NS);
	joining->ticket = ela_dialogue_ask(peer, request, ASK_NS, on_welcome, joining);
	if (!joining->ticket)
		ela_joining_fail(joining, "the request could not be sent");
}
