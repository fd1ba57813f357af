/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: sealed messages between two control threads (MESSAGE frames, lane 255): keepalives, pings, path challenges,
 * path MTU probes, routing plugins' messages; and from them: which path is in use. Control thread. When they are due is
 * in control-tick.c.
 *
 * Plaintext: empty = keepalive, else message id (4) | part (1) | parts (1) | data. parts 0 = one of the short ones
 * below, part says which; else it is a part of an XML message (dialogue).
 */
#include "peer.h"
#include "ping.h"
#include "via.h"

#include "dialogue.h"
#include "directory.h"

#include <errno.h>

enum control_op {
	OP_PING = 1,
	OP_PONG = 2,
	OP_CHALLENGE = 3,
	OP_ANSWER = 4,
	OP_PROBE = 5,
	OP_PROBE_OK = 6,
	OP_ROUTING = 7
};

#define HEAD 6u
#define ROUTING_MAX 1200u
#define CHALLENGE_LEN 16u
#define CHALLENGE_NS (500 * ELA_MSEC)
#define WORDS_NS (5 * ELA_SEC)
#define CHALLENGES 4.0 /* a second, as many at once: a challenge is longer than the frame that asks for it */

static int send_on(
	struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, const void *message, uint32_t len)
{
	struct ela_node *node = peer->node;
	uint8_t frame[ELA_DATAGRAM_MAX_CONTROL];
	/* Nobody is made to talk to all the world by answering. */
	bool may = path->link || ela_addr_allowed(node, &path->remote);
	/* The question that a lane asks after a sleep: has the machine been set back, and these numbers used before? */
	uint32_t frame_len = !may || ela_node_clocks_jumped(node) ? 0 : ela_session_seal_control(s, message, len, frame);
	int err = frame_len ? ela_node_send(node, path, frame, frame_len) : -EIO;

	peer->control_tx_ns = ela_loop_now(node->loop);
	if (err == 0) {
		peer->control_bytes += frame_len;
		ELA_COUNT(node, FRAMES_OUT, 1);
		ELA_COUNT(node, BYTES_OUT, frame_len);
	}
	return err;
}

static int send_op(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, enum control_op op,
	uint32_t id, const void *data, uint32_t len)
{
	uint8_t message[ELA_CONTROL_MAX];

	ela_put32(message, id);
	message[4] = (uint8_t)op;
	message[5] = 0;
	if (len)
		memcpy(message + HEAD, data, len);
	return send_on(peer, s, path, message, HEAD + len);
}

void ela_control_keepalive(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path)
{
	ELA_COUNT(peer->node, KEEPALIVES_OUT, 1);
	(void)send_on(peer, s, path, NULL, 0); /* lost: traffic or the next one says the same */
}

bool ela_control_probe(struct ela_peer *peer, uint32_t frame_len, uint32_t token)
{
	static const uint8_t padding[ELA_DATAGRAM_MAX_CONTROL];
	struct ela_tx *tx = peer->tx_shadow;
	uint8_t message[ELA_DATAGRAM_MAX_CONTROL];
	uint32_t len;

	/* Larger frames than a control message: jumbo paths are trusted once 2 KiB pass (RFC 8899 allows any lower bound).
	 */
	frame_len = CLAMP(frame_len, ELA_FRAME_MIN + HEAD + tx->room, ELA_DATAGRAM_MAX_CONTROL);
	len = frame_len - ELA_FRAME_MIN - tx->room;
	ela_put32(message, token);
	message[4] = OP_PROBE;
	message[5] = 0;
	memcpy(message + HEAD, padding, len - HEAD);
	peer->asked_ns = ela_loop_now(peer->node->loop); /* a dead path must not look like a narrow one */
	return send_on(peer, tx->session, &tx->path, message, len) != -EMSGSIZE;
}

int ela_control_ping(struct ela_peer *peer, uint32_t id)
{
	if (!peer->tx_shadow)
		return -ENOTCONN;
	ELA_COUNT(peer->node, PINGS_OUT, 1);
	return send_op(peer, peer->tx_shadow->session, &peer->tx_shadow->path, OP_PING, id, NULL, 0);
}

int ela_control_routing(struct ela_peer *peer, const void *bytes, uint32_t len)
{
	if (len > ROUTING_MAX)
		return -EMSGSIZE;
	if (!peer->tx_shadow)
		return -ENOTCONN;
	return send_op(peer, peer->tx_shadow->session, &peer->tx_shadow->path, OP_ROUTING, 0, bytes, len);
}

int ela_control_part(struct ela_peer *peer, const uint8_t *plain, uint32_t len)
{
	if (!peer->tx_shadow)
		return -ENOTCONN;
	return send_on(peer, peer->tx_shadow->session, &peer->tx_shadow->path, plain, len);
}

/* ---- paths ---- */

static bool same_remote(const struct ela_path *a, const struct ela_path *b)
{
	return a->transport == b->transport && memcmp(&a->remote, &b->remote, sizeof a->remote) == 0;
}

void ela_control_challenge(struct ela_peer *peer)
{
	struct ela_node *node = peer->node;
	struct ela_session *s = peer->current;
	uint64_t now = ela_loop_now(node->loop);
	struct ela_path path;

	if (!s || !peer->tx_shadow)
		return;
	(void)pthread_mutex_lock(&s->lock); /* a default mutex cannot fail */
	path = s->candidate;
	s->candidate.transport = UINT32_MAX;
	(void)pthread_mutex_unlock(&s->lock);
	if (path.transport == UINT32_MAX || peer->via || same_remote(&path, &peer->tx_shadow->path) ||
		!ela_addr_allowed(node, &path.remote))
		return;
	/* One at a time, unless the newest place is another one: the node has moved on. */
	if (peer->challenge_ns && now - peer->challenge_ns < CHALLENGE_NS && same_remote(&path, &peer->challenged))
		return;
	if (!ela_bucket_take(&peer->challenges, now, CHALLENGES, CHALLENGES))
		return; /* a member that is everywhere at once makes us talk to all the world */
	/* The same words to the same place, for a while: a round trip may be longer than the time between them. */
	if (!peer->challenge_ns || now - peer->challenge_born_ns > WORDS_NS || !same_remote(&path, &peer->challenged)) {
		node->loop->ops->random(node->loop, peer->challenge, CHALLENGE_LEN);
		peer->challenge_born_ns = now;
	}
	peer->challenged = path;
	peer->challenge_ns = now;
	ELA_COUNT(node, PATH_CHALLENGES, 1);
	(void)send_op(peer, s, &path, OP_CHALLENGE, 0, peer->challenge, CHALLENGE_LEN); /* its next frame asks again */
}

void ela_control_try(struct ela_peer *peer, const struct ela_path *path)
{
	struct ela_session *s = peer->current;

	if (!s)
		return;
	(void)pthread_mutex_lock(&s->lock); /* a default mutex cannot fail */
	s->candidate = *path;
	(void)pthread_mutex_unlock(&s->lock);
	ela_control_challenge(peer);
}

static bool take_answer(
	struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, const uint8_t *data, uint32_t len)
{
	struct ela_node *node = peer->node;
	char remote[64];

	if (!peer->challenge_ns || len != CHALLENGE_LEN || s != peer->current || !same_remote(path, &peer->challenged) ||
		!ela_equal(data, peer->challenge, CHALLENGE_LEN))
		return false;
	peer->challenge_ns = 0;
	peer->shown = true;
	ela_pmtu_reset(peer);
	ela_peer_publish(peer, s, path);
	ELA_COUNT(node, PATH_CHANGES, 1);
	ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_INFO, "path", "moved peer=%s remote=%s", peer->name,
		ela_addr_text(&path->remote, remote));
	return true;
}

/* ---- receiving ---- */

/* False: it answers no question of ours. */
static bool take_pong(struct ela_peer *peer, uint32_t id)
{
	uint64_t *sent_ns = &peer->pings_ns[id % G_N_ELEMENTS(peer->pings_ns)];

	if (peer->ping - id >= G_N_ELEMENTS(peer->pings_ns) || *sent_ns == 0)
		return false;
	ela_peer_round_trip(peer, ela_loop_now(peer->node->loop) - *sent_ns);
	*sent_ns = 0;
	return true;
}

/* Credentials that its records lack are asked of who sent them. */
static void give_routing(const struct ela_peer *peer, const uint8_t *data, uint32_t len)
{
	struct ela_node *node = peer->node;

	if (node->directory)
		ela_directory_brought_by(node->directory, peer->number);
	node->routing->loaded->routing.on_message(node->routing->self, peer->number, data, len);
	if (node->directory)
		ela_directory_brought_by(node->directory, 0);
}

/* False: it is none of the messages that there are, or not now. */
static bool take_op(
	struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, const uint8_t *message, uint32_t len)
{
	uint32_t id = ela_get32(message);
	const uint8_t *data = message + HEAD;

	len -= HEAD;
	switch (message[4]) {
	case OP_PING:
		if (len == 0)
			(void)send_op(peer, s, path, OP_PONG, id, NULL, 0); /* lost: it asks again */
		return len == 0;
	case OP_PONG:
		if (id & ELA_PING_ASKED)
			return len == 0 && ela_ping_answered(peer, id);
		return len == 0 && take_pong(peer, id);
	case OP_CHALLENGE:
		if (len == CHALLENGE_LEN)
			(void)send_op(peer, s, path, OP_ANSWER, id, data, len); /* lost: it asks again */
		return len == CHALLENGE_LEN;
	case OP_ANSWER:
		return take_answer(peer, s, path, data, len);
	case OP_PROBE:
		(void)send_op(peer, s, path, OP_PROBE_OK, id, NULL, 0); /* lost: it asks again */
		return true;
	case OP_PROBE_OK:
		return len == 0 && ela_pmtu_confirmed(peer, id);
	case OP_ROUTING:
		if (len > ROUTING_MAX || peer->guest)
			return false;
		give_routing(peer, data, len);
		return true;
	default:
		return false;
	}
}

/* A control frame from another place than we send to: the same rule as for packets. */
static void note_candidate(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, bool newest)
{
	if (!newest || s != peer->current || !peer->tx_shadow || path->link || same_remote(path, &peer->tx_shadow->path))
		return;
	if (ela_path_is_via(path) && peer->misses == 0)
		return; /* a relayed one moves nothing as long as the way in use answers */
	ela_control_try(peer, path);
}

/* Answered at once, or another's matter: no peer has anything to do for it that its next tick would not see. */
static bool is_quiet(const uint8_t *message, uint32_t len)
{
	if (len < HEAD)
		return len == 0;
	return message[5] == 0 && (message[4] == OP_PING || message[4] == OP_PONG || message[4] == OP_ROUTING);
}

void ela_control_input(struct ela_node *node, const struct ela_path *from, const uint8_t *data, uint32_t len)
{
	struct ela_session *s = len >= ELA_FRAME_MIN ? ela_index_find(node, ela_frame_index(data)) : NULL;
	uint8_t message[ELA_DATAGRAM_MAX_CONTROL];
	struct ela_path path;
	uint32_t message_len;
	uint64_t head;
	int err;

	if (!s || ela_loop_now(node->loop) >= s->dead_ns) {
		ela_stat_add(&node->stats, len < ELA_FRAME_MIN ? ELA_STAT_DROP_SHORT : ELA_STAT_DROP_INDEX, 1);
		return;
	}
	path = ela_via_from(from, s->peer->id);
	head = s->control_window.head;
	err = ela_session_open_control(s, data, len, message, &message_len);
	if (err != 0) {
		ela_stat_add(&node->stats,
			err == -EALREADY  ? ELA_STAT_DROP_REPLAY
			: err == -EBADMSG ? ELA_STAT_DROP_TAG
							  : ELA_STAT_DROP_INDEX,
			1);
		return;
	}
	ELA_COUNT(node, FRAMES_IN, 1);
	ELA_COUNT(node, BYTES_IN, len);
	s->peer->control_bytes += len;
	node->stirred |= s != s->peer->current || !is_quiet(message, message_len);
	ela_peer_confirm(s->peer, s, &path);
	if (s == s->peer->current)
		s->peer->control_rx_ns = ela_loop_now(node->loop);
	note_candidate(s->peer, s, &path, s->control_window.head > head);
	if (message_len == 0)
		return;
	if (message_len >= HEAD && message[5] != 0)
		ela_dialogue_input(s->peer, s->with.local_index, message, message_len);
	else if (message_len < HEAD || !take_op(s->peer, s, &path, message, message_len))
		ELA_COUNT(node, DROP_MESSAGE, 1);
}
