/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parting: a core that leaves hands its children over (wire.md, "Ring"; thesis 4.2.4, figure 4.4): each edge that has
 * it as parent or spare is told so by ChangeParent, and it relays on until no record names it as parent any more. And
 * an edge that is told. Control thread.
 */
#include "network-priv.h"

#include <errno.h>

#define LOOK_NS (20 * ELA_MSEC)
/* From the last child's record on: for other cores to have it, too, and for what is under way through here. */
#define DRAIN_NS (250 * ELA_MSEC)

struct ela_parting {
	struct ela_network *network;
	struct ela_timer *timer;
	uint64_t since_ns; /* 0: it is not under way */
	uint64_t drain_ns; /* since when nobody needs this node; 0: somebody does */
	void (*done)(void *data);
	void *data;
};

static struct ela_node *node_of(const struct ela_parting *parting)
{
	return parting->network->node;
}

static uint64_t now_ns(const struct ela_parting *parting)
{
	return ela_loop_now(node_of(parting)->loop);
}

/* ---- the core ---- */

/* Its record if it is an edge that comes here directly, and answers: a child, or somebody whose spare this node is. */
static const struct ela_known *as_edge(const struct ela_parting *parting, const struct ela_peer *peer)
{
	const struct ela_known *known = NULL;

	if (!peer->guest && peer->tx_shadow && !peer->tx_shadow->via && peer->silent_ns == 0 && peer->id != 0)
		known = ela_directory_find(parting->network->directory, peer->id);
	return known && known->lease.role == ELA_LEASE_EDGE ? known : NULL;
}

/* Some edge is reached through here by what its record says. */
static bool is_needed(const struct ela_parting *parting)
{
	const struct ela_peers *peers = ela_peers_list(node_of(parting));

	for (uint32_t i = 0; i < peers->n; i++) {
		const struct ela_known *known = as_edge(parting, peers->v[i]);

		if (known && known->lease.parent == parting->network->lease.id)
			return true;
	}
	return false;
}

/* The first core at or after the ID that stays; NULL: there is none. */
static const struct ela_known *next_parent(const struct ela_network *network, uint32_t id)
{
	const struct ela_cores *cores = ela_directory_cores(network->directory);
	uint32_t parent = ela_cores_successor(cores, id, 0);

	if (parent == network->lease.id)
		parent = ela_cores_successor(cores, id, 1);
	return parent ? ela_directory_find(network->directory, parent) : NULL;
}

/* Whatever it answers: its next record shows what it did. */
static void on_told(void *data, int err, const struct ela_message *reply)
{
	(void)data;
	(void)err;
	(void)reply;
}

/* False: there is nobody who could be its parent. */
static bool tell(const struct ela_parting *parting, struct ela_peer *peer)
{
	const struct ela_known *parent = next_parent(parting->network, peer->id);
	struct ela_message *request;
	struct ela_addr address, address6;

	if (!parent)
		return false;
	ela_network_addresses(parting->network, parent->lease.address, &address, &address6);
	request = ela_message_new(ELA_PURPOSE_CHANGE_PARENT, ELA_MESSAGE_REQUEST);
	ela_message_put_addr(request, ELA_FIELD_ADDRESS, &address);
	ela_message_put_bytes(request, ELA_FIELD_RECORD, parent->bytes, parent->len);
	(void)ela_dialogue_ask(peer, request, ELA_PARTING_NS, on_told, NULL); /* who cannot be told sees it end */
	return true;
}

static void look(void *data)
{
	struct ela_parting *parting = data;
	uint64_t now = now_ns(parting);

	if (is_needed(parting))
		parting->drain_ns = 0;
	else if (parting->drain_ns == 0)
		parting->drain_ns = now;
	if (now - parting->since_ns >= ELA_PARTING_NS || (parting->drain_ns != 0 && now - parting->drain_ns >= DRAIN_NS)) {
		parting->since_ns = 0;
		parting->done(parting->data);
		return;
	}
	node_of(parting)->loop->ops->timer_set(parting->timer, now + LOOK_NS);
}

bool ela_network_part(struct ela_network *network, void (*done)(void *data), void *data)
{
	struct ela_parting *parting = network->parting;
	const struct ela_peers *peers = ela_peers_list(network->node);
	uint32_t told = 0;

	if (parting->since_ns != 0 || network->lease.role != ELA_LEASE_CORE)
		return false;
	for (uint32_t i = 0; i < peers->n; i++)
		told += as_edge(parting, peers->v[i]) && tell(parting, peers->v[i]);
	if (told == 0)
		return false;
	ela_logf(network->node->log, ELA_LOG_INFO, "network", "parting edges=%u", told);
	parting->since_ns = now_ns(parting);
	parting->drain_ns = 0;
	parting->done = done;
	parting->data = data;
	look(parting);
	return true;
}

/* ---- the edge ---- */

static void on_change_parent(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	struct ela_network *network = data;
	uint32_t len = 0;
	const uint8_t *record = ela_message_bytes(request, ELA_FIELD_RECORD, 0, &len);
	enum ela_status status = ELA_STATUS_OK;

	if (ela_neighbours_leaves(network->neighbours, peer) != 0)
		status = ELA_STATUS_REFUSED;
	else if (record)
		ela_network_take_record(network, peer, record, len); /* the ring may not have brought it yet */
	ela_dialogue_answer(network->node, ticket,
		ela_message_reply(ela_message_head(request), status, status == ELA_STATUS_OK ? NULL : "not my parent"));
}

/* ---- for network.c ---- */

void ela_parting_serve(struct ela_parting *parting)
{
	ela_dialogue_handle(node_of(parting), ELA_PURPOSE_CHANGE_PARENT, on_change_parent, parting->network);
}

struct ela_parting *ela_parting_new(struct ela_network *network)
{
	struct ela_parting *parting = g_new0(struct ela_parting, 1);

	parting->network = network;
	parting->timer = network->node->loop->ops->timer_new(network->node->loop, look, parting);
	return parting;
}

void ela_parting_free(struct ela_parting *parting)
{
	if (!parting)
		return;
	node_of(parting)->loop->ops->timer_free(parting->timer);
	g_free(parting);
}
