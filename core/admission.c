/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission: who asks this node to be let in: NodeAuthentication and NodeJoin (thesis 4.2.1, table 5.1) as the core
 * answers them. Every answer is a decision of core/membership.h, core/address.h and the routing plugin. Kept here is
 * only who is of a user that is not known yet: his request waits for the news of other cores. Control thread.
 */
#include "inet.h"
#include "network-priv.h"
#include "own.h"

#include <errno.h>
#include <string.h>

#define HOLD_NS (2 * ELA_SEC)
#define LOOK_NS (100 * ELA_MSEC)
#define HELD_MAX 16u

/* A NodeAuthentication that waits. */
struct held {
	uint64_t ticket, until_ns;
	uint32_t peer;   /* its number: it may be gone */
	GBytes *request; /* as it was encoded */
};

struct ela_admission {
	struct ela_network *network;
	struct ela_timer *timer;
	GPtrArray *held; /* struct held, owned */
};

/* A request on its way to its answer. */
struct asked {
	struct ela_network *network;
	struct ela_peer *peer;
	const struct ela_message *request;
	uint64_t ticket;
};

static void answer(const struct asked *asked, struct ela_message *reply)
{
	ela_dialogue_answer(asked->network->node, asked->ticket, reply);
}

static void refuse(const struct asked *asked, enum ela_status status, const char *reason)
{
	struct ela_node *node = asked->network->node;

	ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_INFO, "admission",
		"refused peer=%s purpose=%s reason=\"%s\"", asked->peer->name,
		ela_purpose_name(ela_message_head(asked->request)->purpose), reason);
	answer(asked, ela_message_reply(ela_message_head(asked->request), status, reason));
}

static enum ela_status status_of(int err)
{
	switch (err) {
	case -EKEYEXPIRED:
		return ELA_STATUS_EXPIRED;
	case -EACCES:
	case -EAGAIN: /* of a user whom neither the list nor an enrolment names */
		return ELA_STATUS_REFUSED;
	case -EEXIST:
	case -ENOTUNIQ:
		return ELA_STATUS_CONFLICT;
	case -EBADMSG:
	case -ESTALE:
		return ELA_STATUS_REFUSED;
	default:
		return ELA_STATUS_FAILED;
	}
}

/* ---- NodeAuthentication ---- */

/* What the newcomer shows for his user: a claim, which this node witnesses, or an enrolment that somebody did. */
static int take_enrolment(const struct asked *asked, GError **error)
{
	struct ela_network *network = asked->network;
	uint32_t len = 0;
	const uint8_t *bytes = ela_message_bytes(asked->request, ELA_FIELD_ENROLMENT, 0, &len);
	g_autoptr(GBytes) enrolment = NULL;
	int err;

	if (!bytes)
		return 0;
	if (len && bytes[0] == ELA_OBJECT_ENROLMENT)
		err = ela_membership_offer_enrolment(network->membership, bytes, len, error);
	else
		err = ela_membership_admit(network->membership, bytes, len, network->credential, network->sign_private,
			ela_network_wall_s(network), &enrolment, error);
	if (err == -EALREADY)
		g_clear_error(error);
	return err == -EALREADY ? 0 : err;
}

static int take_credential(const struct asked *asked, const struct ela_credential **ret, GError **error)
{
	uint32_t len;
	const uint8_t *bytes = ela_message_bytes(asked->request, ELA_FIELD_CREDENTIAL, 0, &len);
	int err = ela_network_take_credential(asked->network, bytes, len, ret, error);

	if (err != 0)
		return err;
	if (memcmp((*ret)->x25519, asked->peer->key, ELA_KEY_LEN) != 0)
		return ela_object_refuse(error, EBADMSG, "its credential is of another key than its session");
	return 0;
}

static uint32_t wish_of(const struct ela_message *request)
{
	struct ela_addr addr;

	return ela_message_addr(request, ELA_FIELD_WISHED, &addr) && addr.family == ELA_ADDR_IP4 ? ela_get32(addr.ip) : 0;
}

/* From now on it is a member with that address. */
static int accept(
	const struct asked *asked, const struct ela_credential *credential, uint32_t *ret_address, GError **error)
{
	struct ela_network *network = asked->network;
	const struct ela_addresses from = {network->node->loop, network->membership, network->directory, network->leases};
	struct ela_peer *peer;
	struct ela_peer_spec spec = {0};
	int err = ela_address_choose(&from, credential, wish_of(asked->request), ret_address);

	if (err != 0)
		return ela_object_refuse(error, -err, "there is no address left in the network");
	if (!ela_lease_table_promise(network->leases, credential->node_hash, *ret_address))
		return ela_object_refuse(error, ENOSPC, "its address was just given to another node");
	ela_network_addresses(network, *ret_address, &spec.ip4, &spec.ip6);
	return ela_members_know(network->members, credential, &spec, &peer, error); /* who came by XX shows it only now */
}

static void put_observed(const struct asked *asked, struct ela_message *reply)
{
	const struct ela_tx *tx = asked->peer->tx_shadow;
	struct ela_message_endpoint observed = {.addr.family = ELA_ADDR_IP4};

	if (tx && !tx->via && (tx->path.remote.family == ELA_ADDR_IP4 || tx->path.remote.family == ELA_ADDR_IP6)) {
		uint16_t port = tx->path.remote.port;

		observed.addr = tx->path.remote;
		observed.addr.port = 0;
		observed.addr.scope = 0;
		*(tx->link ? &observed.tcp_port : &observed.udp_port) = port;
	}
	ela_message_put_endpoint(reply, ELA_FIELD_OBSERVED, &observed);
}

static void put_record(struct ela_message *m, enum ela_field field, const struct ela_known *known)
{
	if (known)
		ela_message_put_bytes(m, field, known->bytes, known->len);
}

static void welcome(const struct asked *asked, uint32_t address)
{
	struct ela_network *network = asked->network;
	struct ela_message *reply = ela_message_reply(ela_message_head(asked->request), ELA_STATUS_OK, NULL);
	struct ela_addr ip4, ip6;

	ela_network_put_object(reply, ELA_FIELD_CREDENTIAL, network->credential);
	ela_network_put_object(reply, ELA_FIELD_GENESIS, ela_membership_genesis_bytes(network->membership));
	ela_list_sync_put_head(network, reply);
	put_observed(asked, reply);
	ela_network_addresses(network, address, &ip4, &ip6);
	ela_message_put_addr(reply, ELA_FIELD_ADDRESS, &ip4);
	put_record(reply, ELA_FIELD_CORE, ela_network_own_record(network));
	ela_message_put_number(reply, ELA_FIELD_TIME, (int64_t)MIN(ela_network_wall_s(network), UINT32_MAX));
	answer(asked, reply);
}

/* 0 with the address that it has from now on; -EAGAIN: by what is known here nobody can tell. */
static int judge(const struct asked *asked, uint32_t *ret_address, GError **error)
{
	const struct ela_credential *credential = NULL;
	int err = take_enrolment(asked, error);

	if (err == 0)
		err = take_credential(asked, &credential, error);
	return err == 0 ? accept(asked, credential, ret_address, error) : err;
}

static void conclude(const struct asked *asked, int err, uint32_t address, const GError *error)
{
	if (err != 0)
		refuse(asked, status_of(err), error ? error->message : g_strerror(-err));
	else
		welcome(asked, address);
}

/* ---- of a user who is not known here ----
 *
 * He was let in by another core a moment ago, as a rule, and the news of that is on its way.
 */

static void free_held(void *data)
{
	struct held *held = data;

	g_bytes_unref(held->request);
	g_free(held);
}

static struct ela_loop *loop_of(const struct ela_admission *admission)
{
	return admission->network->node->loop;
}

/* False: it cannot wait. */
static bool hold(struct ela_admission *admission, const struct asked *asked)
{
	uint64_t now_ns = ela_loop_now(loop_of(admission));
	GBytes *request = admission->held->len < HELD_MAX ? ela_message_encode(asked->request, NULL) : NULL;
	struct held *held;

	if (!request)
		return false;
	held = g_new(struct held, 1);
	*held = (struct held){asked->ticket, now_ns + HOLD_NS, asked->peer->number, request};
	g_ptr_array_add(admission->held, held);
	loop_of(admission)->ops->timer_set(admission->timer, now_ns + LOOK_NS);
	return true;
}

/* False: it has to wait on. */
static bool try_held(struct ela_admission *admission, const struct held *held)
{
	struct ela_network *network = admission->network;
	gsize len;
	const void *bytes = g_bytes_get_data(held->request, &len);
	struct ela_message *request = ela_message_parse(bytes, (uint32_t)len, NULL, NULL);
	const struct asked asked = {network, ela_peer_by_number(network->node, held->peer), request, held->ticket};
	bool is_over = ela_loop_now(network->node->loop) >= held->until_ns;
	g_autoptr(GError) error = NULL;
	uint32_t address = 0;
	int err = asked.peer && request ? judge(&asked, &address, &error) : 0;

	if (asked.peer && request && (err != -EAGAIN || is_over)) {
		conclude(&asked, err, address, error);
		is_over = true;
	}
	ela_message_free(request);
	return is_over || !asked.peer;
}

static void look(void *data)
{
	struct ela_admission *admission = data;

	for (guint i = 0; i < admission->held->len;)
		if (try_held(admission, g_ptr_array_index(admission->held, i)))
			(void)g_ptr_array_remove_index(admission->held, i); /* which frees it */
		else
			i++;
	ela_network_recheck(admission->network);
	if (admission->held->len)
		loop_of(admission)->ops->timer_set(admission->timer, ela_loop_now(loop_of(admission)) + LOOK_NS);
}

static void on_authentication(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	const struct asked asked = {data, peer, request, ticket};
	struct ela_network *network = data;
	g_autoptr(GError) error = NULL;
	uint32_t address = 0;
	int err;

	if (network->lease.id == 0 || network->lease.role != ELA_LEASE_CORE) {
		refuse(&asked, ELA_STATUS_BUSY,
			network->lease.id == 0 ? "this node is not in itself yet" : "this node is an edge");
		return;
	}
	err = judge(&asked, &address, &error);
	if (err != -EAGAIN || !hold(network->admission, &asked))
		conclude(&asked, err, address, error);
	ela_network_recheck(network); /* an enrolment that won takes the other one's rights away */
}

/* ---- NodeJoin ---- */

/* The cores next to the newcomer, its parent and spare among them: with these it finds all others. */
static void put_cores(const struct asked *asked, struct ela_message *reply, uint32_t id)
{
	const struct ela_directory *directory = asked->network->directory;
	const struct ela_cores *cores = ela_directory_cores(directory);
	uint32_t parent, spare;

	ela_cores_parents(cores, id, &parent, &spare);
	put_record(reply, ELA_FIELD_PARENT, ela_directory_find(directory, parent));
	put_record(reply, ELA_FIELD_SPARE, ela_directory_find(directory, spare));
	for (uint32_t k = 0, n = 0; n < 8 && k < cores->n; k++) {
		uint32_t core = ela_cores_successor(cores, id, k);

		if (core == id || core == parent || core == spare)
			continue;
		put_record(reply, ELA_FIELD_CORE, ela_directory_find(directory, core));
		n++;
	}
}

/* Its own record, of the address that it was given. */
static int take_record(const struct asked *asked, uint32_t *ret_id, GError **error)
{
	struct ela_network *network = asked->network;
	const struct ela_credential *credential = ela_members_credential(network->members, asked->peer);
	const struct ela_held_lease *held;
	struct ela_standing standing;
	uint32_t len = 0;
	const uint8_t *bytes = ela_message_bytes(asked->request, ELA_FIELD_RECORD, 0, &len);
	int err = ela_membership_check_record(network->membership, bytes, len, NULL, &standing, error);

	if (err != 0)
		return err;
	if (!credential || memcmp(standing.lease.node_hash, credential->node_hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EACCES, "the record is another node's");
	held = ela_lease_table_at(network->leases, standing.lease.address);
	if (held && memcmp(held->node_hash, credential->node_hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EEXIST, "its address is another node's");
	*ret_id = standing.lease.id;
	err = network->node->routing->loaded->routing.insert(network->node->routing->self, standing.lease.id, bytes, len);
	if (err == -EEXIST) { /* this one was there, or a newer one; or somebody else's */
		const struct ela_known *known = ela_directory_find(network->directory, standing.lease.id);

		err = known && memcmp(known->lease.node_hash, credential->node_hash, ELA_HASH_LEN) == 0 ? 0 : err;
	}
	return err == 0 ? 0 : ela_object_refuse(error, -err, "the ring does not take the record: %s", g_strerror(-err));
}

static void on_join(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	const struct asked asked = {data, peer, request, ticket};
	struct ela_network *network = data;
	struct ela_message *reply;
	g_autoptr(GError) error = NULL;
	uint32_t id = 0;
	int err;

	if (peer->guest || network->lease.role != ELA_LEASE_CORE) {
		refuse(&asked, ELA_STATUS_REFUSED, peer->guest ? "NodeAuthentication comes first" : "this node is an edge");
		return;
	}
	err = take_record(&asked, &id, &error);
	if (err != 0) {
		refuse(&asked, status_of(err), error ? error->message : g_strerror(-err));
		return;
	}
	reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);
	put_record(reply, ELA_FIELD_RECORD, ela_directory_find(network->directory, id));
	put_cores(&asked, reply, id);
	answer(&asked, reply);
}

/* ---- NodeLeave ---- */

static void on_leave(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	const struct asked asked = {data, peer, request, ticket};
	g_autoptr(GError) error = NULL;
	uint32_t id;
	int err = peer->guest ? -EACCES : take_record(&asked, &id, &error);

	if (err != 0)
		refuse(&asked, status_of(err), error ? error->message : "it is not in");
	else
		answer(&asked, ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL));
}

/* ---- Resolve and RecordGet ---- */

static void on_resolve(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	const struct asked asked = {data, peer, request, ticket};
	const struct ela_network *network = data;
	bool is_get = ela_message_head(request)->purpose == ELA_PURPOSE_RECORD_GET;
	const struct ela_known *known = NULL;
	const struct ela_credential *credential;
	struct ela_message *reply;
	int64_t id = 0;

	if (peer->guest) {
		refuse(&asked, ELA_STATUS_REFUSED, "NodeAuthentication comes first");
		return;
	}
	if (ela_message_number(request, ELA_FIELD_ID, &id))
		known = ela_directory_find(network->directory, (uint32_t)id);
	credential = known ? ela_membership_credential(network->membership, known->lease.credential) : NULL;
	if (!credential) {
		answer(&asked, ela_message_reply(ela_message_head(request), ELA_STATUS_NOT_FOUND, NULL));
		return;
	}
	reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);
	if (!is_get)
		ela_message_put_bytes(reply, ELA_FIELD_KEY, credential->x25519, sizeof credential->x25519);
	put_record(reply, ELA_FIELD_RECORD, known);
	if (!is_get && known->lease.parent != 0)
		put_record(reply, ELA_FIELD_PARENT, ela_directory_find(network->directory, known->lease.parent));
	answer(&asked, reply);
}

void ela_admission_serve(struct ela_network *network)
{
	struct ela_node *node = network->node;

	ela_dialogue_handle(node, ELA_PURPOSE_NODE_AUTHENTICATION, on_authentication, network);
	ela_dialogue_handle(node, ELA_PURPOSE_NODE_JOIN, on_join, network);
	ela_dialogue_handle(node, ELA_PURPOSE_NODE_LEAVE, on_leave, network);
	ela_dialogue_handle(node, ELA_PURPOSE_RESOLVE, on_resolve, network);
	ela_dialogue_handle(node, ELA_PURPOSE_RECORD_GET, on_resolve, network);
}

/* ---- life ---- */

struct ela_admission *ela_admission_new(struct ela_network *network)
{
	struct ela_admission *admission = g_new0(struct ela_admission, 1);

	admission->network = network;
	admission->timer = network->node->loop->ops->timer_new(network->node->loop, look, admission);
	admission->held = g_ptr_array_new_with_free_func(free_held);
	return admission;
}

void ela_admission_free(struct ela_admission *admission)
{
	if (!admission)
		return;
	loop_of(admission)->ops->timer_free(admission->timer);
	g_ptr_array_unref(admission->held);
	g_free(admission);
}
