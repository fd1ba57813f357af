/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classification-answer: the side that probes. It sends what somebody asked for, so it sends it to the one who asked
 * and to no other: where it goes is what a session has shown, only the ports are what the peer says. Control thread.
 */
#include "classification-priv.h"

#include "crypto.h"
#include "dialogue.h"
#include "inet.h"
#include "peer.h"

#include <errno.h>

#define KEPT_NS (60 * ELA_SEC)
#define NONCES_NS (5 * ELA_SEC)
#define CONNECT_NS (2 * ELA_SEC)
#define OF_MEMBER 6u /* it looks again and again whether its role is right */
#define GUESTS_OF_NETWORK 4u
#define MEMBERS_OF_NETWORK 24u
#define OF_GUESTS (ELA_CLASSIFY_KEPT / 2) /* anybody may be one, with as many keys as he likes */

/* ---- where to ---- */

/* NULL and where the peer is, or why nobody is probed there. */
static const char *why_not(const struct ela_peer *peer, struct ela_addr *ret)
{
	const struct ela_tx *tx = peer->tx_shadow;
	const struct ela_addr *remote, *local;

	if (!tx || tx->via || ela_path_is_via(&tx->path))
		return "it is not seen from here: another node relays for it";
	if (!tx->link && !peer->shown)
		return "nothing was answered from its address yet";
	remote = tx->link ? &tx->link->remote : &tx->path.remote;
	local = tx->link ? &tx->link->local : &tx->path.local;
	if (remote->family == ELA_ADDR_OTHER || !ela_addr_allowed(peer->node, remote))
		return "addresses of its kind are not probed";
	if (local->family == remote->family && memcmp(local->ip, remote->ip, sizeof local->ip) == 0)
		return "it is on the same machine";
	*ret = *remote;
	ret->port = 0;
	return NULL;
}

/* ---- limits ---- */

static bool is_of(const struct ela_tested *t, const struct ela_peer *peer)
{
	return t->born_ns != 0 && memcmp(t->key, peer->key, ELA_KEY_LEN) == 0;
}

/* Its last question, if that waits for the nonces. */
static struct ela_tested *find_waiting(struct ela_classification *c, const struct ela_peer *peer)
{
	for (uint32_t i = 0; i < ELA_CLASSIFY_KEPT; i++)
		if (c->tested[i].waits && is_of(&c->tested[i], peer))
			return &c->tested[i];
	return NULL;
}

static void forget_old(struct ela_classification *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < ELA_CLASSIFY_KEPT; i++)
		if (c->tested[i].born_ns && now_ns - c->tested[i].born_ns >= KEPT_NS)
			c->tested[i] = (struct ela_tested){0};
}

/* NULL: the peer, its network or all together have asked too often. Guests and members are counted apart. */
static struct ela_tested *place_for(
	struct ela_classification *c, const struct ela_peer *peer, const struct ela_addr *at, uint64_t now_ns)
{
	struct ela_tested *free_one = NULL;
	uint32_t n_own = 0, n_near = 0, n_guests = 0;

	forget_old(c, now_ns);
	for (uint32_t i = 0; i < ELA_CLASSIFY_KEPT; i++) {
		struct ela_tested *t = &c->tested[i];

		if (t->born_ns == 0) {
			free_one = t;
			continue;
		}
		n_own += is_of(t, peer);
		n_near += t->guest == peer->guest && ela_inet_same_network(&t->at.addr, at);
		n_guests += t->guest;
	}
	if (n_own >= (peer->guest ? 1u : OF_MEMBER) || n_near >= (peer->guest ? GUESTS_OF_NETWORK : MEMBERS_OF_NETWORK) ||
		(peer->guest && n_guests >= OF_GUESTS))
		return NULL;
	return free_one;
}

/* ---- probing ---- */

static struct ela_transport *find_transport(const struct ela_node *node, uint32_t caps)
{
	for (uint32_t i = 0; i < node->n_transports; i++)
		if ((node->transports[i].info.caps & caps) == caps)
			return &node->transports[i];
	return NULL;
}

static int make_frame(
	const struct ela_node *node, const struct ela_tested *t, enum ela_probe_kind kind, uint8_t ret_frame[ELA_PROBE_LEN])
{
	struct ela_probe probe = {.kind = kind};
	uint8_t key[ELA_PROBE_KEY_LEN];

	memcpy(probe.nonce, t->nonces[kind - 1], sizeof probe.nonce);
	return ela_probe_key(node->network_id, key) == 0 ? ela_probe_make(key, &probe, ret_frame) : -EIO;
}

/* One datagram, whatever becomes of it. -EOPNOTSUPP: the transport cannot, and has not. */
static int probe_udp(struct ela_node *node, struct ela_transport *transport, const struct ela_tested *t)
{
	struct ela_addr to = t->at.addr;
	uint8_t frame[ELA_PROBE_LEN];
	int err = make_frame(node, t, ELA_PROBE_BY_UDP, frame);

	to.port = t->at.udp_port;
	if (err == 0)
		err = transport->ops->probe(transport->self, &to, frame, sizeof frame);
	if (err == 0)
		ELA_COUNT(node, PROBES_OUT, 1);
	return err;
}

static int probe_tcp(struct ela_node *node, struct ela_transport *transport, const struct ela_tested *t)
{
	struct ela_addr to = t->at.addr;
	uint8_t frame[ELA_PROBE_LEN];
	int err = make_frame(node, t, ELA_PROBE_BY_TCP, frame);

	to.port = t->at.tcp_port;
	if (err == 0)
		err = ela_link_probe(node, transport, &to, frame, sizeof frame, CONNECT_NS);
	return err;
}

/*
 * False: this node has not got what it takes, and nothing was sent: half of it would not count as asked, and could be
 * asked for again at once.
 */
static bool send_probes(struct ela_node *node, const struct ela_tested *t)
{
	struct ela_transport *udp = find_transport(node, ELA_TRANSPORT_DATAGRAM | ELA_TRANSPORT_IP);
	struct ela_transport *tcp = find_transport(node, ELA_TRANSPORT_STREAM | ELA_TRANSPORT_IP);

	if (!udp || !tcp || probe_udp(node, udp, t) == -EOPNOTSUPP)
		return false;
	(void)probe_tcp(node, tcp, t); /* not reaching the peer is what its verdict will be */
	return true;
}

/* ---- NodeUsingPort ---- */

/* Who asks anew has no use for the nonces before. */
static void forget_question(struct ela_classification *c, const struct ela_peer *peer)
{
	struct ela_tested *t = find_waiting(c, peer);

	if (t)
		t->waits = false;
}

static void refuse(
	struct ela_node *node, uint64_t ticket, const struct ela_message *request, enum ela_status status, const char *why)
{
	ela_dialogue_answer(node, ticket, ela_message_reply(ela_message_head(request), status, why));
}

static uint16_t port_of(const struct ela_message *request, enum ela_field field)
{
	int64_t port = 0;

	(void)ela_message_number(request, field, &port); /* required, 1024 to 65535 */
	return (uint16_t)port;
}

static void take_ports(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	struct ela_classification *c = data;
	struct ela_node *node = c->node;
	uint64_t now_ns = ela_loop_now(node->loop);
	struct ela_message *reply;
	struct ela_addr at = {0};
	const char *why = why_not(peer, &at);
	struct ela_tested *t;

	if (why) {
		refuse(node, ticket, request, ELA_STATUS_REFUSED, why);
		return;
	}
	t = place_for(c, peer, &at, now_ns);
	if (!t) {
		refuse(node, ticket, request, ELA_STATUS_BUSY, "too often: wait a minute");
		return;
	}
	forget_question(c, peer);
	*t = (struct ela_tested){.born_ns = now_ns,
		.at = {at, port_of(request, ELA_FIELD_TCP_PORT), port_of(request, ELA_FIELD_UDP_PORT)},
		.guest = peer->guest,
		.waits = true};
	memcpy(t->key, peer->key, sizeof t->key);
	node->loop->ops->random(node->loop, t->nonces, sizeof t->nonces);
	if (!send_probes(node, t)) {
		*t = (struct ela_tested){0};
		refuse(node, ticket, request, ELA_STATUS_FAILED, "this node has no transport that probes");
		return;
	}
	reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);
	ela_message_put_endpoint(reply, ELA_FIELD_OBSERVED, &t->at);
	ela_dialogue_answer(node, ticket, reply);
}

/* ---- NodeClassification ---- */

/* Does it know what was sent that way? The time does not depend on which byte is wrong. */
static bool knows(const struct ela_tested *t, const struct ela_message *request, uint32_t way, enum ela_field field)
{
	bool found = false;

	for (uint32_t k = 0; k < ela_message_count(request, field); k++) {
		uint32_t len = 0;
		const uint8_t *nonce = ela_message_bytes(request, field, k, &len);

		found |= len == ELA_PROBE_NONCE_LEN && ela_equal(nonce, t->nonces[way], ELA_PROBE_NONCE_LEN);
	}
	return found;
}

static void take_nonces(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	struct ela_classification *c = data;
	struct ela_tested *t = find_waiting(c, peer);
	enum ela_probe_failed failed = ELA_PROBE_NONE;
	struct ela_message *reply;

	if (!t || ela_loop_now(c->node->loop) - t->born_ns >= NONCES_NS) {
		refuse(c->node, ticket, request, ELA_STATUS_NOT_FOUND, "no probe of this node waits for an answer");
		return;
	}
	if (!knows(t, request, ELA_PROBE_BY_TCP - 1, ELA_FIELD_TCP_NONCE))
		failed |= ELA_PROBE_TCP;
	if (!knows(t, request, ELA_PROBE_BY_UDP - 1, ELA_FIELD_UDP_NONCE))
		failed |= ELA_PROBE_UDP;
	t->waits = false; /* nobody guesses twice */
	reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);
	ela_message_put_number(reply, ELA_FIELD_ROLE, failed == ELA_PROBE_NONE ? ELA_ROLE_CORE : ELA_ROLE_EDGE);
	ela_message_put_number(reply, ELA_FIELD_FAILED, failed);
	ela_message_put_endpoint(reply, ELA_FIELD_OBSERVED, &t->at);
	ela_dialogue_answer(c->node, ticket, reply);
}

void ela_classify_serve(struct ela_node *node, bool serve)
{
	ela_dialogue_handle(node, ELA_PURPOSE_NODE_USING_PORT, serve ? take_ports : NULL, node->classification);
	ela_dialogue_handle(node, ELA_PURPOSE_NODE_CLASSIFICATION, serve ? take_nonces : NULL, node->classification);
}
