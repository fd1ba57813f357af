/* SPDX-License-Identifier: Apache-2.0 */
/*
 * joining: this node asks to be let in (wire.md, "Joining"; thesis 4.2.1): it calls the cores that it knows, shows the
 * first that answers who it is, learns list and enrolments, has itself classified, and enters the ring. One
 * conversation at a time; what fails is tried with the next core, or later. Control thread.
 */
#include "bootstraps.h"
#include "classification.h"
#include "network-priv.h"
#include "own.h"

#include <errno.h>
#include <string.h>

#define LOOK_NS (50 * ELA_MSEC) /* how often it is looked whether a core has answered */
#define ASK_NS (5 * ELA_SEC)    /* a core that is there answers within that */
#define ROLE_NS (700 * ELA_MSEC)
#define CALL_NS (5 * ELA_SEC) /* a round of calling; then others are called */
#define REST_MOST_NS (30 * ELA_SEC)
#define OUT_NS (600 * ELA_SEC) /* who was revoked calls that often: a new owner, or a new list, may let him in */
#define KEEPALIVE_NS (25 * ELA_SEC)
#define ENDPOINTS_MAX 8u
#define CALLS_MAX 3u   /* cores that are called at once */
#define REACHED_MAX 4u /* beside them, by bootstraps */
#define SEEK_NS (60 * ELA_SEC)

enum step {
	STEP_IDLE,     /* it is in, and not alone */
	STEP_RESTING,  /* until at_ns */
	STEP_CALLING,  /* handshakes with up to CALLS_MAX cores */
	STEP_SHOWING,  /* NodeAuthentication */
	STEP_LEARNING, /* list and enrolments */
	STEP_HEARING,  /* the same, from who refused: maybe it says why */
	STEP_ROLE,     /* classification, for ROLE_NS: whoever is reached knows it by then, and others are edges */
	STEP_ENTERING, /* NodeJoin */
};

struct ela_joining {
	struct ela_network *network;
	struct ela_timer *timer;
	enum step step;
	uint64_t at_ns;                          /* end of this step */
	uint64_t since_ns;                       /* of looking */
	uint64_t rest_ns;                        /* the last pause */
	uint32_t next;                           /* contact that is called next */
	uint32_t calls[CALLS_MAX + REACHED_MAX]; /* numbers of peers */
	uint32_t n_calls;
	uint64_t ticket; /* of the request under way */
	struct ela_bootstraps_ops bootstraps_ops;
	struct ela_bootstraps *bootstraps; /* called when contacts do not answer, or there are none */
	struct ela_network_lan *lan;       /* likewise */
	struct ela_timer *seek;            /* who is in a ring looks whether there is another one */
	bool is_meeting;                   /* the conversation is with a core of that: this node stays what it is */

	uint32_t greeted; /* number of the core that let us in, while our session with it knows no IDs; 0 = none */

	/* The conversation. */
	uint32_t core; /* number of the peer that is asked; 0 = none */
	uint32_t address;
	struct ela_message_endpoint observed;
	GBytes *credential; /* the core's */
	GBytes *record;     /* likewise */
	uint32_t core_id;   /* its node ID; 0 = it did not say */
	char refusal[160];  /* what it said; cut: it is for people */
};

static void turn(void *data);

static struct ela_loop *loop_of(const struct ela_joining *joining)
{
	return joining->network->node->loop;
}

static void step_to(struct ela_joining *joining, enum step step, uint64_t for_ns)
{
	uint64_t now_ns = ela_loop_now(loop_of(joining));

	joining->step = step;
	joining->at_ns = now_ns + for_ns;
	loop_of(joining)->ops->timer_set(joining->timer, step == STEP_IDLE      ? 0
													 : step == STEP_CALLING ? now_ns + LOOK_NS
																			: joining->at_ns);
}

bool ela_joining_talks(const struct ela_joining *joining)
{
	return joining->core != 0;
}

static struct ela_peer *core_of(const struct ela_joining *joining)
{
	return joining->core ? ela_peer_by_number(joining->network->node, joining->core) : NULL;
}

/* ---- ends ---- */

static bool is_member(const struct ela_joining *joining, const struct ela_peer *peer)
{
	return ela_members_credential(joining->network->members, peer) != NULL;
}

/* Those who were called and did not become members are forgotten. */
static void hang_up(struct ela_joining *joining)
{
	for (uint32_t i = 0; i < joining->n_calls; i++) {
		struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer && peer->made && !is_member(joining, peer))
			ela_members_drop(joining->network->members, peer);
	}
	joining->n_calls = 0;
}

static void end_conversation(struct ela_joining *joining)
{
	ela_dialogue_cancel(joining->network->node, joining->ticket);
	ela_list_sync_forget(joining->network->sync, joining);
	joining->ticket = 0;
	joining->core = 0;
	g_clear_pointer(&joining->credential, g_bytes_unref);
	g_clear_pointer(&joining->record, g_bytes_unref);
}

/* Nobody is looked for any more, but other rings now and then. */
static void be_done(struct ela_joining *joining)
{
	uint64_t random;

	loop_of(joining)->ops->random(loop_of(joining), &random, sizeof random);
	loop_of(joining)->ops->timer_set(
		joining->seek, ela_loop_now(loop_of(joining)) + SEEK_NS * 3 / 4 + random % (SEEK_NS / 2));
	ela_bootstraps_stop(joining->bootstraps);
	ela_network_lan_rest(joining->lan);
	joining->is_meeting = false;
	hang_up(joining);
	step_to(joining, STEP_IDLE, 0);
}

/* It did not work with this core: why is for people, and another one is called after a pause. */
static void G_GNUC_PRINTF(2, 3) fail(struct ela_joining *joining, const char *format, ...)
{
	struct ela_network *network = joining->network;
	const struct ela_peer *peer = core_of(joining);
	char reason[sizeof network->missing];
	va_list args;
	uint64_t random;

	va_start(args, format);
	(void)g_vsnprintf(reason, sizeof reason, format, args); /* cut: it is for people */
	va_end(args);
	ela_logf_limited(network->node->log, ela_loop_now(loop_of(joining)), ELA_LOG_WARN, "joining",
		"failed peer=%s reason=\"%s\"", peer ? peer->name : "none", reason);
	ela_network_check_oneself(network);
	end_conversation(joining);
	if (joining->is_meeting) { /* nothing that this node needs */
		be_done(joining);
		ela_network_chore(network);
		return;
	}
	if (!network->is_out) /* which says more than that nobody lets it in */
		memcpy(network->missing, reason, sizeof reason);
	ela_roles_cancel(network->roles);
	hang_up(joining);
	loop_of(joining)->ops->random(loop_of(joining), &random, sizeof random);
	joining->rest_ns = network->is_out ? OUT_NS : CLAMP(2 * joining->rest_ns, ELA_SEC, REST_MOST_NS);
	step_to(joining, STEP_RESTING, joining->rest_ns / 2 + random % joining->rest_ns);
}

/* ---- NodeJoin ---- */

static void take_records(struct ela_joining *joining, const struct ela_message *reply)
{
	static const enum ela_field fields[] = {ELA_FIELD_RECORD, ELA_FIELD_PARENT, ELA_FIELD_SPARE, ELA_FIELD_CORE};
	const struct ela_peer *peer = core_of(joining);

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
		fail(joining, "the core did not answer NodeJoin: %s", g_strerror(-err));
		return;
	}
	reason = ela_message_text(reply, ELA_FIELD_REASON, 0);
	if (ela_message_status(reply) != ELA_STATUS_OK) {
		fail(joining, "the core refused NodeJoin: %s", reason ? reason : ela_status_name(ela_message_status(reply)));
		return;
	}
	take_records(joining, reply);
	if (joining->is_meeting) {
		ela_logf(network->node->log, ELA_LOG_INFO, "joining", "met peer=%s", core_of(joining)->name);
		end_conversation(joining);
		be_done(joining);
		ela_network_chore(network);
		return;
	}
	network->is_alone = network->is_unconfirmed = false;
	network->missing[0] = '\0';
	joining->rest_ns = 0;
	ela_logf(network->node->log, ELA_LOG_INFO, "joining", "in peer=%s role=%s seconds=%.2f", core_of(joining)->name,
		network->lease.role == ELA_LEASE_CORE ? "core" : "edge",
		(double)(ela_loop_now(loop_of(joining)) - joining->since_ns) / 1e9);
	joining->greeted = joining->core;
	end_conversation(joining);
	be_done(joining);
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
		fail(joining, "the routing plugin does not take the own record");
		return;
	}
	request = ela_message_new(ELA_PURPOSE_NODE_JOIN, ELA_MESSAGE_REQUEST);
	ela_message_put_bytes(request, ELA_FIELD_RECORD, own->bytes, own->len);
	step_to(joining, STEP_ENTERING, 2 * ASK_NS);
	joining->ticket = ela_dialogue_ask(peer, request, ASK_NS, on_joined, joining);
	if (!joining->ticket)
		fail(joining, "the request could not be sent");
}

static void enter(struct ela_joining *joining, const struct ela_found_role *found)
{
	struct ela_network *network = joining->network;
	struct ela_peer *peer = core_of(joining);
	struct ela_lease lease = {.address = joining->address, .role = found->role};
	g_autoptr(GError) error = NULL;

	if (!peer) {
		fail(joining, "the core went away");
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
		fail(joining, "%s", error->message);
		return;
	}
	show_record(joining, peer);
}

/* ---- classification ---- */

/* Those that were called and are members by now, the one that answers first. */
static uint32_t list_cores(const struct ela_joining *joining, struct ela_peer *ret[ELA_CLASSIFY_CORES])
{
	uint32_t n = 0;

	ret[n++] = core_of(joining);
	for (uint32_t i = 0; i < joining->n_calls && n < ELA_CLASSIFY_CORES; i++) {
		struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer && peer != ret[0] && peer->up && is_member(joining, peer))
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
static void enter_unclassified(struct ela_joining *joining)
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
	step_to(joining, STEP_ROLE, ROLE_NS);
	err = ela_roles_first(network->roles, cores, list_cores(joining, cores));
	if (err != 0)
		enter_as(joining, ELA_LEASE_EDGE,
			err == -ENOTSUP ? "it does not listen by TCP and UDP"
							: "it could not be found out whether it can be reached");
}

/* ---- NodeAuthentication ---- */

/* All places of one core are endpoints of one peer; each transport's port is tried where it is. */
static uint32_t list_endpoints(
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
	int err = ela_membership_check_record(joining->network->membership, bytes, len, &standing, error);

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
	spec.n_endpoints = list_endpoints(&network->contacts, peer->key, endpoints);
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
	struct ela_peer *peer = core_of(joining);
	g_autoptr(GError) error = NULL;

	if (!peer || err != 0) {
		fail(joining, "list and enrolments could not be fetched: %s", peer ? g_strerror(-err) : "the core went away");
		return;
	}
	if (trust(joining, peer, &error) != 0)
		fail(joining, "%s", error->message);
	else if (joining->is_meeting)
		show_record(joining, peer);
	else
		choose_role(joining);
}

/* Who is wrong cannot be known; a person can. */
static void compare_clocks(const struct ela_joining *joining, const struct ela_message *reply)
{
	struct ela_network *network = joining->network;
	uint64_t now_ns = ela_loop_now(loop_of(joining));
	int64_t time_s, ahead_s;

	network->has_clock = ela_message_number(reply, ELA_FIELD_TIME, &time_s);
	if (!network->has_clock)
		return;
	network->clock_s = time_s - (int64_t)(now_ns / ELA_SEC);
	ahead_s = ela_network_clock_ahead_s(network);
	if (ahead_s != 0)
		ela_logf_limited(network->node->log, now_ns, ELA_LOG_WARN, "joining",
			"clocks-differ peer=%s ahead_s=%" G_GINT64_FORMAT " remedy=\"set this machine's clock, or the core's\"",
			core_of(joining)->name, ahead_s);
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
	fail(joining, "%s", joining->refusal);
}

static void on_refused(struct ela_joining *joining, const struct ela_peer *peer, const char *reason)
{
	(void)g_snprintf(joining->refusal, sizeof joining->refusal, "the core refused: %s", reason); /* cut: for people */
	if (ela_list_sync_catch_up(joining->network->sync, peer, on_heard, joining))
		step_to(joining, STEP_HEARING, ASK_NS);
	else
		fail(joining, "%s", joining->refusal);
}

static void on_welcome(void *data, int err, const struct ela_message *reply)
{
	struct ela_joining *joining = data;
	struct ela_peer *peer = core_of(joining);
	struct ela_list_head head;
	g_autoptr(GError) error = NULL;
	const char *reason;

	joining->ticket = 0;
	if (err != 0 || !peer) {
		fail(joining, "the core did not answer: %s", g_strerror(err != 0 ? -err : ENOTCONN));
		return;
	}
	reason = ela_message_text(reply, ELA_FIELD_REASON, 0);
	if (ela_message_status(reply) != ELA_STATUS_OK) {
		on_refused(joining, peer, reason ? reason : ela_status_name(ela_message_status(reply)));
		return;
	}
	if (take_welcome(joining, reply, &head, &error) != 0) {
		fail(joining, "%s", error->message);
		return;
	}
	compare_clocks(joining, reply);
	step_to(joining, STEP_LEARNING, 2 * ASK_NS);
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

static void show_oneself(struct ela_joining *joining, struct ela_peer *peer)
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
	step_to(joining, STEP_SHOWING, 2 * ASK_NS);
	joining->ticket = ela_dialogue_ask(peer, request, ASK_NS, on_welcome, joining);
	if (!joining->ticket)
		fail(joining, "the request could not be sent");
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

	spec.n_endpoints = list_endpoints(&joining->network->contacts, contact->x25519, endpoints);
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
		step_to(joining, STEP_RESTING, CALL_NS); /* a contact may come by itself */
	else
		step_to(joining, STEP_CALLING, CALL_NS);
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
		show_oneself(joining, peer);
		return;
	}
	if (!is_wanted) {
		if (peer->made && !peer->guest && !is_member(joining, peer))
			ela_members_drop(joining->network->members, peer);
		return;
	}
	joining->calls[joining->n_calls++] = peer->number;
	if (joining->step == STEP_RESTING)
		step_to(joining, STEP_CALLING, CALL_NS);
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
	loop_of(joining)->ops->timer_set(joining->seek, ela_loop_now(loop_of(joining)) + SEEK_NS);
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
	const char *names[CALLS_MAX + 1] = {NULL};
	g_autofree char *all = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < joining->n_calls; i++) {
		const struct ela_peer *peer = ela_peer_by_number(joining->network->node, joining->calls[i]);

		if (peer)
			names[n++] = peer->name;
	}
	all = g_strjoinv(", ", (char **)(uintptr_t)names);
	fail(joining, "no core of this network answers at %s", all);
}

static void look(struct ela_joining *joining, uint64_t now_ns)
{
	struct ela_peer *peer = find_answered(joining);

	if (peer)
		show_oneself(joining, peer);
	else if (now_ns >= joining->at_ns)
		fail_unanswered(joining);
	else
		step_to(joining, STEP_CALLING, joining->at_ns - now_ns);
}

static void turn(void *data)
{
	struct ela_joining *joining = data;
	struct ela_network *network = joining->network;
	uint64_t now_ns = ela_loop_now(loop_of(joining));

	maybe_alone(joining, now_ns);
	if (network->lease.id != 0 && !network->is_alone && !network->is_unconfirmed && joining->core == 0) {
		be_done(joining);
		return;
	}
	switch (joining->step) {
	case STEP_IDLE:
	case STEP_RESTING:
		call_some(joining);
		break;
	case STEP_CALLING:
		look(joining, now_ns);
		break;
	case STEP_HEARING:
		fail(joining, "%s", joining->refusal);
		break;
	case STEP_ROLE:
		enter_unclassified(joining);
		break;
	default:
		fail(joining, "the core did not answer in time");
		break;
	}
}

void ela_joining_start(struct ela_joining *joining)
{
	if (joining->step != STEP_IDLE)
		return;
	joining->since_ns = ela_loop_now(loop_of(joining));
	if (joining->network->is_out) {
		step_to(joining, STEP_RESTING, OUT_NS);
		return;
	}
	ela_network_lan_look(joining->lan);
	turn(joining);
}

struct ela_joining *ela_joining_new(struct ela_network *network)
{
	struct ela_joining *joining = g_new0(struct ela_joining, 1);

	joining->network = network;
	joining->bootstraps_ops = (struct ela_bootstraps_ops){on_reached, is_inside, joining};
	joining->bootstraps = ela_bootstraps_new(network->node, &joining->bootstraps_ops);
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
	loop_of(joining)->ops->timer_free(joining->seek);
	end_conversation(joining);
	loop_of(joining)->ops->timer_free(joining->timer);
	g_free(joining);
}
