/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake-xx: both ends of Noise XX over a connection of its own (see handshake-xx.h). The responder keeps what it
 * needs for message 3 at the connection, so what strangers can make it keep is bounded as their connections are.
 * Control thread.
 */
#include "handshake-xx.h"

#include "gate.h"
#include "link.h"
#include "own.h"
#include "peer.h"

#include <errno.h>

const char ela_xx_self[] = "it is this node itself";

struct ela_xx {
	struct ela_noise noise;
	struct ela_agreement with; /* local_index is reserved while it is not 0; the rest comes message by message */

	/* Who called. */
	ela_xx_fn fn;
	void *data;
	char reason[128]; /* "": none yet */
};

void ela_xx_say(struct ela_link *link, const char *reason)
{
	if (link->xx && link->xx->reason[0] == '\0')
		(void)g_strlcpy(link->xx->reason, reason, sizeof link->xx->reason); /* cut: it is for people */
}

static void free_xx(struct ela_node *node, struct ela_xx *xx)
{
	if (xx->with.local_index)
		ela_index_release(node, xx->with.local_index);
	ela_wipe(xx, sizeof *xx);
	g_free(xx);
}

/* The call is over; link and xx may be gone when this returns. */
static void tell(uint64_t call, struct ela_xx *xx, struct ela_peer *peer)
{
	if (xx->fn)
		xx->fn(xx->data, call, peer, peer ? NULL : xx->reason);
}

void ela_xx_end(struct ela_link *link)
{
	struct ela_xx *xx;

	ela_xx_say(link, "what is there is no node of this network");
	xx = g_steal_pointer(&link->xx);
	if (!xx)
		return;
	tell(link->id, xx, NULL);
	free_xx(link->node, xx);
}

/* ---- both ends ---- */

static int begin_noise(struct ela_node *node, struct ela_xx *xx, bool initiator)
{
	uint8_t prologue[48], ephemeral[32];
	uint32_t len = ela_prologue(node->network_id, ELA_NOISE_XX, prologue);
	int err;

	node->loop->ops->random(node->loop, ephemeral, sizeof ephemeral);
	err = ela_noise_init(&xx->noise, ELA_NOISE_XX, initiator, prologue, len, node->private_key, NULL, ephemeral);
	ela_wipe(ephemeral, sizeof ephemeral);
	return err;
}

/* hello NULL: no payload. False: it could not be made, or the connection does not take it. */
static bool send_message(struct ela_link *link, enum ela_handshake_kind kind, const struct ela_hello *hello)
{
	struct ela_node *node = link->node;
	struct ela_xx *xx = link->xx;
	uint8_t out[ELA_HANDSHAKE_MAX], payload[ELA_HANDSHAKE_MAX_PAYLOAD];
	uint32_t payload_len = hello ? ela_hello_put(hello, payload) : 0, len;
	size_t noise_len;

	ela_handshake_head(out, kind, xx->with.remote_id, xx->with.local_index, ela_own_id(node), xx->with.remote_index);
	if (ela_noise_write(&xx->noise, payload, payload_len, out + ELA_HANDSHAKE_HEAD,
			ELA_HANDSHAKE_MAX - ELA_HANDSHAKE_HEAD - ELA_HANDSHAKE_MACS, &noise_len) != 0)
		return false;
	len = ela_handshake_mac(out, ELA_HANDSHAKE_HEAD + (uint32_t)noise_len, node->xx_key, NULL);
	return len != 0 && ela_link_post(link, out, len) == 0; /* which closes the connection when it fails */
}

static bool read_hello(struct ela_xx *xx, const struct ela_handshake *hs, struct ela_hello *ret)
{
	uint8_t payload[ELA_HANDSHAKE_MAX];
	size_t len;

	return ela_noise_read(&xx->noise, hs->noise, hs->noise_len, payload, sizeof payload, &len) == 0 &&
		   ela_hello_parse(payload, (uint32_t)len, ret) == 0;
}

/* The last message is there: the session, which has xx's index from now on. */
static struct ela_session *make_session(struct ela_peer *peer, struct ela_xx *xx)
{
	struct ela_noise_keys keys;
	struct ela_session *s = NULL;

	if (ela_noise_split(&xx->noise, &keys) == 0) {
		s = ela_session_new(peer, &xx->with, &keys, ela_loop_now(peer->node->loop));
		ela_wipe(&keys, sizeof keys);
	}
	if (s)
		xx->with.local_index = 0;
	return s;
}

/* An ID that the other end may have, beside its key. */
static bool id_fits(const struct ela_peer *peer, const struct ela_xx *xx)
{
	return peer->id == 0 || xx->with.remote_id == 0 || peer->id == xx->with.remote_id;
}

/* ---- who calls ---- */

uint64_t ela_xx_call(
	struct ela_node *node, struct ela_transport *transport, const struct ela_addr *addr, ela_xx_fn fn, void *data)
{
	struct ela_xx *xx = g_new0(struct ela_xx, 1);
	uint64_t call = 0;

	xx->fn = fn;
	xx->data = data;
	xx->with = (struct ela_agreement){.local_lanes = node->n_lanes, .initiator = true};
	if (begin_noise(node, xx, true) != 0 || ela_link_call(node, transport, addr, xx, &call) != 0) {
		free_xx(node, xx);
		return 0;
	}
	return call;
}

void ela_xx_cancel(struct ela_node *node, uint64_t call)
{
	struct ela_link *link = call ? ela_link_find(node, call) : NULL;

	if (!link || !link->xx)
		return;
	link->xx->fn = NULL;
	ela_link_close(link);
}

void ela_xx_open(struct ela_link *link)
{
	struct ela_node *node = link->node;
	struct ela_hello hello = {.lanes = node->n_lanes, .features = ELA_FEATURE_CSUM};
	uint64_t id = link->id;

	(void)g_strlcpy(hello.suites, node->suite_names, sizeof hello.suites); /* of the same size */
	link->xx->with.local_index = ela_index_reserve(node);
	ELA_COUNT(node, HANDSHAKES_STARTED, 1);
	if (send_message(link, ELA_HANDSHAKE_XX_1, &hello))
		return;
	link = ela_link_find(node, id);
	if (link)
		ela_link_close(link);
}

/* Whose key it is, made a peer if nobody knew it. NULL: none of ours, and the call's reason says why. */
static struct ela_peer *peer_of(struct ela_link *link, bool *ret_made)
{
	struct ela_node *node = link->node;
	const uint8_t *key = link->xx->noise.rs;
	struct ela_peer *peer = ela_peer_by_key(node, key);
	char name[64];
	const struct ela_peer_spec spec = {
		.name = ela_addr_text(&link->remote, name), .endpoints = &link->remote, .n_endpoints = 1};
	int err;

	*ret_made = false;
	if (peer && (!peer->made || !id_fits(peer, link->xx))) {
		ela_xx_say(link, peer->made ? "it has another address than it is known by" : "it is a peer of ela.ini");
		return NULL;
	}
	if (peer)
		return peer;
	err = ela_peer_add(node, key, &spec, &peer);
	*ret_made = err == 0;
	if (err == -EINVAL)
		ela_xx_say(link, ela_xx_self);
	else if (err != 0)
		ela_xx_say(link, "there are too many peers");
	return err == 0 ? peer : NULL;
}

/* Message 3, and the session. */
static struct ela_session *finish(struct ela_link *link, struct ela_peer *peer)
{
	uint64_t id = link->id;

	if (!ela_link_claim(link->node, id, peer) || !send_message(link, ELA_HANDSHAKE_XX_3, NULL))
		return NULL;
	return make_session(peer, link->xx);
}

/* Message 2: the other end's key is known, and that it has the private one. */
static bool take_answer(struct ela_link *link, const struct ela_path *path, const struct ela_handshake *hs)
{
	struct ela_node *node = link->node;
	struct ela_xx *xx = link->xx;
	uint64_t call = link->id;
	struct ela_hello hello;
	struct ela_peer *peer;
	struct ela_session *s = NULL;
	bool made;

	if (hs->receiver_index != xx->with.local_index || !read_hello(xx, hs, &hello))
		return false;
	xx->with.suite = ela_suite_named(node, hello.suites);
	xx->with.remote_index = hs->sender_index;
	xx->with.remote_id = hs->sender_id;
	xx->with.features = hello.features & ELA_FEATURE_CSUM;
	xx->with.remote_lanes = hello.lanes;
	if (!xx->with.suite)
		return false;
	peer = peer_of(link, &made);
	if (!peer)
		return false;
	if (!peer->up) {
		s = finish(link, peer);
		link = ela_link_find(node, call); /* it ends when it does not take a message, and tells */
		if (!s && made)
			ela_peer_drop(peer); /* with the connection, if it is there */
		if (!s || !link)
			return false;
	}
	xx = g_steal_pointer(&link->xx);
	if (s) {
		ela_initiator_cancel(peer);
		ela_peer_install(peer, s, path);
	} else {
		ela_link_close(link); /* another one carries its session */
	}
	tell(call, xx, peer);
	free_xx(node, xx);
	return true;
}

/* ---- who is called ---- */

/* Message 1, from anybody who knows the network. */
static bool take_call(struct ela_link *link, const struct ela_handshake *hs)
{
	struct ela_node *node = link->node;
	struct ela_hello hello, ours = {.lanes = node->n_lanes, .features = ELA_FEATURE_CSUM};
	struct ela_xx *xx = link->xx = g_new0(struct ela_xx, 1);

	if (begin_noise(node, xx, false) != 0 || !read_hello(xx, hs, &hello))
		return false;
	xx->with = (struct ela_agreement){
		.suite = ela_suite_choose(node, hello.suites),
		.local_index = ela_index_reserve(node),
		.remote_index = hs->sender_index,
		.remote_id = hs->sender_id,
		.features = hello.features & ELA_FEATURE_CSUM,
		.local_lanes = node->n_lanes,
		.remote_lanes = hello.lanes,
	};
	if (!xx->with.suite)
		return false;
	(void)g_strlcpy(ours.suites, xx->with.suite->suite->name, sizeof ours.suites); /* a name has at most 32 bytes */
	return send_message(link, ELA_HANDSHAKE_XX_2, &ours);
}

/* Message 3: who called has shown his key, and that he heard message 2. */
static bool take_last(struct ela_link *link, const struct ela_path *path, const struct ela_handshake *hs)
{
	struct ela_node *node = link->node;
	struct ela_xx *xx = link->xx;
	uint8_t nothing[ELA_HANDSHAKE_MAX];
	struct ela_session *s;
	struct ela_peer *peer;
	size_t len;

	if (hs->receiver_index != xx->with.local_index || hs->sender_index != xx->with.remote_index ||
		hs->sender_id != xx->with.remote_id ||
		ela_noise_read(&xx->noise, hs->noise, hs->noise_len, nothing, sizeof nothing, &len) != 0)
		return false;
	peer = ela_responder_meet(node, path, xx->noise.rs, hs);
	if (!peer || !peer->made || !id_fits(peer, xx) || !ela_link_claim(node, link->id, peer))
		return false;
	s = make_session(peer, xx);
	if (!s)
		return false;
	ela_xx_end(link); /* the rest is the session's */
	ela_peer_offer(peer, s, path, true);
	return true;
}

bool ela_xx_input(struct ela_node *node, const struct ela_path *path, const uint8_t *data, uint32_t len,
	const struct ela_handshake *hs)
{
	struct ela_link *link = path->link && !ela_path_is_via(path) ? ela_link_find(node, path->link) : NULL;
	bool ok = false;

	if (!node->gate || !link || link->state != ELA_LINK_GREETING) {
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
		return false;
	}
	if (hs->kind == ELA_HANDSHAKE_XX_1 && !link->dialled && !link->xx && !link->peer) {
		if (!ela_responder_may_try(node, path, data, len, hs)) /* which counts */
			return false;
		ok = take_call(link, hs);
	} else if (hs->kind == ELA_HANDSHAKE_XX_2 && link->xx && link->xx->with.initiator) {
		ok = take_answer(link, path, hs);
	} else if (hs->kind == ELA_HANDSHAKE_XX_3 && link->xx && !link->xx->with.initiator) {
		ok = take_last(link, path, hs);
	}
	if (!ok)
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
	return ok;
}
