/* SPDX-License-Identifier: Apache-2.0 */
/*
 * initiator: our own handshakes: which path to try next, message 1, its answer, cookies, retries. Control thread.
 *
 * Every message 1 is fresh (a repeated one would be refused as a replay); the last four stay answerable, so a round
 * trip longer than the retry interval still completes.
 */
#include "gate.h"
#include "own.h"
#include "peer.h"
#include "via.h"

#include <errno.h>

#define SPACING_NS (250 * ELA_MSEC) /* between endpoints (details: endpoints) */
#define BACKOFF_MIN_NS (500 * ELA_MSEC)
#define BACKOFF_WANTED_NS (2 * ELA_SEC) /* while packets want to go there */
#define BACKOFF_IDLE_NS (30 * ELA_SEC)
#define WANTED_NS (15 * ELA_SEC)
#define ANSWER_NS (10 * ELA_SEC) /* a message 1 stays answerable */
#define LINK_NS (5 * ELA_SEC)    /* before another message 1 goes over the same connection */
#define COOKIE_NS (120 * ELA_SEC)
/* Answers a second that cost two Diffie-Hellmans each: who hears our message 1 can forge what looks like one. */
#define ANSWERS 500.0
#define ANSWERS_ELSEWHERE 50.0 /* from another place than message 1 went to */
#define COOKIES 2u             /* of each message 1 */
#define SAY_NS (5 * ELA_SEC)
#define BETTER_NS (500 * ELA_MSEC) /* head start of a better way over the connection in use */

static void end_attempt(struct ela_node *node, struct ela_attempt *a, bool keep_index)
{
	if (!a->used)
		return;
	if (!keep_index)
		ela_index_release(node, a->index);
	ela_noise_wipe(&a->noise);
	a->used = false;
}

void ela_initiator_cancel(struct ela_peer *peer)
{
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		end_attempt(peer->node, &peer->attempts[i], false);
	peer->retry_ns = 0;
	peer->backoff_ns = 0;
}

bool ela_initiator_busy(const struct ela_peer *peer)
{
	return peer->retry_ns != 0;
}

/* ---- message 1 ---- */

static uint32_t write_init(struct ela_peer *peer, struct ela_attempt *a, uint8_t *out)
{
	struct ela_node *node = peer->node;
	uint8_t payload[ELA_HANDSHAKE_MAX_PAYLOAD], prologue[48], ephemeral[32];
	uint64_t now = ela_loop_now(node->loop);
	bool has_cookie = peer->cookie_ns && now - peer->cookie_ns < COOKIE_NS;
	struct ela_hello hello = {.lanes = node->n_lanes, .features = ELA_FEATURE_CSUM, .has_cookie = has_cookie};
	size_t noise_len, credential_len = 0;
	uint32_t len;

	(void)g_strlcpy(hello.suites, node->suite_names, sizeof hello.suites); /* of the same size */
	if (node->gate)
		hello.credential = g_bytes_get_data(node->gate->credential, &credential_len);
	hello.credential_len = (uint32_t)credential_len;
	memcpy(hello.cookie, peer->cookie, sizeof hello.cookie);
	node->loop->ops->random(node->loop, ephemeral, sizeof ephemeral);
	(void)ela_noise_init(&a->noise, ELA_NOISE_IK, true, prologue, /* after a failure nothing can be written */
		ela_prologue(node->network_id, ELA_NOISE_IK, prologue), node->private_key, peer->key, ephemeral);
	ela_wipe(ephemeral, sizeof ephemeral);
	ela_handshake_head(out, ELA_HANDSHAKE_INIT, peer->id, a->index, ela_own_id(node), 0);
	if (ela_noise_write(&a->noise, payload, ela_hello_put(&hello, payload), out + ELA_HANDSHAKE_HEAD,
			ELA_HANDSHAKE_MAX - ELA_HANDSHAKE_HEAD - ELA_HANDSHAKE_MACS, &noise_len) != 0)
		return 0;
	len = ela_handshake_mac(
		out, ELA_HANDSHAKE_HEAD + (uint32_t)noise_len, peer->mac1_key, has_cookie ? peer->cookie : NULL);
	if (len == 0)
		return 0;
	memcpy(a->mac1, out + len - ELA_HANDSHAKE_MACS, ELA_MAC_LEN);
	return len;
}

/*
 * A connection loses nothing, it may only be slow: one message 1 at a time. With several, the responder keeps the
 * session of the last and we that of the first answer. False while one is young.
 */
static bool end_attempts_on(struct ela_peer *peer, uint64_t link)
{
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++) {
		struct ela_attempt *a = &peer->attempts[i];

		if (!a->used || a->path.link != link)
			continue;
		if (ela_loop_now(peer->node->loop) - a->sent_ns < LINK_NS)
			return false;
		end_attempt(peer->node, a, false);
	}
	return true;
}

static void send_init(struct ela_peer *peer, const struct ela_path *path)
{
	struct ela_node *node = peer->node;
	struct ela_attempt *a = &peer->attempts[peer->attempt++ % ELA_ATTEMPTS];
	uint8_t message[ELA_HANDSHAKE_MAX];
	uint32_t len;
	int err = -EIO;

	if (path->link && !end_attempts_on(peer, path->link))
		return;
	end_attempt(node, a, false);
	a->index = ela_index_reserve(node);
	a->used = true;
	a->cookies = 0;
	a->path = *path;
	a->sent_ns = peer->last_init_ns = ela_loop_now(node->loop);
	len = write_init(peer, a, message);
	if (len)
		err = ela_node_send(node, path, message, len);
	if (err) {
		ela_way_failed(peer, path->transport, &path->remote, err);
		end_attempt(node, a, false);
		return;
	}
	ELA_COUNT(node, HANDSHAKES_STARTED, 1);
}

/* ---- which way ---- */

static uint32_t n_ways(const struct ela_peer *peer)
{
	return peer->config ? g_strv_length(peer->config->transports) * peer->n_addrs : 0;
}

/* One connection at a time to each address: one that does not answer holds nobody up. */
static void dial(struct ela_peer *peer, struct ela_transport *t, const struct ela_addr *addr)
{
	struct ela_link **slot = NULL;

	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++) {
		if (!peer->dialling[i])
			slot = &peer->dialling[i];
		else if (memcmp(&peer->dialling[i]->remote, addr, sizeof *addr) == 0)
			return;
	}
	if (!slot)
		return;
	ela_way_tried(peer, t->number, addr);
	*slot = ela_link_dial(peer->node, peer, t, addr);
}

/* Tries way number k: transport k / addresses, address k % addresses. */
static void try_way(struct ela_peer *peer, uint32_t k)
{
	struct ela_node *node = peer->node;
	struct ela_transport *t = ela_transport_named(node, peer->config->transports[k / peer->n_addrs]);
	const struct ela_addr *addr = &peer->addrs[k % peer->n_addrs];

	if (!t || !ela_addr_allowed(node, addr))
		return;
	if ((t->info.caps & ELA_TRANSPORT_DATAGRAM) && ela_own_id(node) == 0 && node->gate)
		return; /* who has no address yet is heard over a connection alone */
	if (t->info.caps & ELA_TRANSPORT_DATAGRAM) {
		const struct ela_path path = {.remote = *addr, .transport = t->number};

		ela_way_tried(peer, t->number, addr);
		send_init(peer, &path);
	} else {
		dial(peer, t, addr);
	}
}

/* The path in use still answers: a rekey goes there. */
static bool current_works(const struct ela_peer *peer)
{
	return peer->tx_shadow && peer->misses < 3 && (!peer->tx_shadow->link || !peer->tx_shadow->link->failed);
}

/* When a packet last wanted to go there: waiting for a session, or into one that may be dead. */
static uint64_t wanted_ns(const struct ela_peer *peer)
{
	uint64_t sent_ns = peer->current ? ela_session_last_tx(peer->current) : 0;

	return MAX(sent_ns, atomic_load(&peer->want_ns));
}

/* Once for each time that nobody is reached: what a person can do about it. */
static void say_no_answer(struct ela_peer *peer, uint32_t ways, uint64_t now)
{
	if (peer->trying_ns == 0)
		peer->trying_ns = now;
	if (peer->trying_ns == UINT64_MAX || now - peer->trying_ns < SAY_NS || ways == 0)
		return;
	peer->trying_ns = UINT64_MAX;
	ela_logf(peer->node->log, ELA_LOG_INFO, "session",
		"no-answer peer=%s tried=%u remedy=\"is elad running there, is this its endpoint and its public-key, does a "
		"firewall let its port in, and does its log name our key?\"",
		peer->name, ways);
}

/* The connection in use is not what the configuration likes best: do the better ways pass again? */
static bool try_better_ways(struct ela_peer *peer)
{
	const char *used = peer->tx_shadow->transport->instance->loaded->descriptor->name;
	uint32_t tried = 0;

	for (uint32_t k = 0; k < n_ways(peer) && tried < ELA_ATTEMPTS; k++) {
		if (strcmp(peer->config->transports[k / peer->n_addrs], used) == 0)
			break; /* in order of preference */
		try_way(peer, k);
		tried++;
	}
	return tried != 0;
}

void ela_initiate(struct ela_peer *peer)
{
	struct ela_node *node = peer->node;
	uint64_t now = ela_loop_now(node->loop);
	uint32_t ways = n_ways(peer), turn = peer->endpoint++;
	bool wanted = now < wanted_ns(peer) + WANTED_NS; /* a lane may be ahead of now */
	bool first = peer->backoff_ns == 0;

	if (first)
		peer->backoff_ns = BACKOFF_MIN_NS;
	if (!current_works(peer)) {
		say_no_answer(peer, ways, now);
	} else if (first && !peer->via && peer->tx_shadow->link && try_better_ways(peer)) {
		peer->retry_ns = now + BETTER_NS;
		return;
	}
	if (turn % MAX(ways, 1) == 0)
		ela_peer_resolve(peer); /* once a round: a name may have moved, or be known only now */
	if (peer->via) {
		const struct ela_path path = ela_via_path(peer->via->number, peer->id);

		send_init(peer, &path);
		ways = 0; /* control knows better */
	} else if (current_works(peer)) {
		send_init(peer, &peer->tx_shadow->path);
	} else if (peer->tx_shadow && turn % (ways + 1) == ways) {
		send_init(peer, &peer->tx_shadow->path); /* where it was last heard from is one more way */
	} else if (ways) {
		try_way(peer, turn % ways);
	} else if (!peer->tx_shadow && peer->names->len == 0) {
		peer->retry_ns = 0; /* it waits to be called */
		return;
	}
	if (ways > 1 && turn % ways != ways - 1) {
		peer->retry_ns = now + SPACING_NS;
		return;
	}
	peer->retry_ns = now + peer->backoff_ns;
	peer->backoff_ns = MIN(peer->backoff_ns * 2, wanted ? BACKOFF_WANTED_NS : BACKOFF_IDLE_NS);
}

void ela_initiate_later(struct ela_peer *peer, uint64_t after_ns)
{
	uint64_t now = ela_loop_now(peer->node->loop);

	ela_initiator_cancel(peer);
	peer->rekeying = peer->current != NULL;
	peer->last_init_ns = now; /* as if it were under way */
	peer->retry_ns = now + after_ns;
	ela_node_tick_soon(peer->node);
}

void ela_initiate_direct(struct ela_peer *peer)
{
	struct ela_node *node = peer->node;
	uint32_t ways = n_ways(peer), k = ways ? peer->endpoint++ % ways : 0;
	struct ela_transport *t = ways ? ela_transport_named(node, peer->config->transports[k / peer->n_addrs]) : NULL;
	struct ela_path path;

	if (!t || !ela_addr_allowed(node, &peer->addrs[k % peer->n_addrs]))
		return;
	path = (struct ela_path){.remote = peer->addrs[k % peer->n_addrs], .transport = t->number};
	if (t->info.caps & ELA_TRANSPORT_DATAGRAM)
		ela_control_try(peer, &path);
	else
		dial(peer, t, &path.remote);
}

void ela_initiate_on_link(struct ela_peer *peer, struct ela_link *link)
{
	const struct ela_path path = {
		.remote = link->remote, .local = link->local, .transport = link->transport->number, .link = link->id};

	send_init(peer, &path);
}

void ela_initiator_tick(struct ela_peer *peer, uint64_t now_ns)
{
	ela_better_tick(peer, now_ns);
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		if (peer->attempts[i].used && now_ns - peer->attempts[i].sent_ns > ANSWER_NS)
			end_attempt(peer->node, &peer->attempts[i], false);
	if (peer->retry_ns && now_ns >= peer->retry_ns)
		ela_initiate(peer);
}

/* ---- answers ---- */

static struct ela_attempt *find_attempt(struct ela_node *node, uint32_t index, struct ela_peer **ret_peer)
{
	struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; i < peers->n; i++)
		for (uint32_t k = 0; k < ELA_ATTEMPTS; k++)
			if (peers->v[i]->attempts[k].used && peers->v[i]->attempts[k].index == index) {
				*ret_peer = peers->v[i];
				return &peers->v[i]->attempts[k];
			}
	return NULL;
}

const struct ela_node_suite *ela_suite_named(const struct ela_node *node, const char *name)
{
	for (uint32_t i = 0; i < node->n_suites; i++)
		if (strcmp(node->suites[i].suite->name, name) == 0)
			return &node->suites[i];
	return NULL;
}

/* Message 2 opened: the session. NULL when what it says cannot be. */
static struct ela_session *make_session(struct ela_peer *peer, const struct ela_attempt *a,
	const struct ela_noise *noise, const struct ela_hello *hello, const struct ela_handshake *hs)
{
	struct ela_agreement with = {
		.suite = ela_suite_named(peer->node, hello->suites),
		.local_index = a->index,
		.remote_index = hs->sender_index,
		.remote_id = peer->id != 0 ? peer->id : hs->sender_id,
		.features = hello->features & ELA_FEATURE_CSUM,
		.local_lanes = peer->node->n_lanes,
		.remote_lanes = hello->lanes,
		.initiator = true,
	};
	struct ela_noise_keys keys;
	struct ela_session *s = NULL;

	if (with.suite && ela_noise_split(noise, &keys) == 0) {
		s = ela_session_new(peer, &with, &keys, ela_loop_now(peer->node->loop));
		ela_wipe(&keys, sizeof keys);
	}
	return s;
}

bool ela_initiator_answer(struct ela_node *node, const struct ela_path *path, const struct ela_handshake *hs)
{
	struct ela_peer *peer = NULL;
	struct ela_attempt *a = find_attempt(node, hs->receiver_index, &peer);
	uint8_t payload[ELA_HANDSHAKE_MAX];
	struct ela_noise noise;
	struct ela_hello hello;
	struct ela_session *s;
	struct ela_path way;
	bool expected;
	size_t len;

	if (!a || (peer->id != 0 && hs->sender_id != peer->id)) {
		ELA_COUNT(node, DROP_ANSWER, 1);
		return false;
	}
	expected = ela_path_same(path, &a->path);
	if (!ela_bucket_take(&node->answers[expected], ela_loop_now(node->loop), expected ? ANSWERS : ANSWERS_ELSEWHERE,
			expected ? ANSWERS : ANSWERS_ELSEWHERE)) {
		ELA_COUNT(node, DROP_RATE, 1);
		return false;
	}
	noise = a->noise; /* a bad message changes no state */
	if (ela_noise_read(&noise, hs->noise, hs->noise_len, payload, sizeof payload, &len) != 0 ||
		ela_hello_parse(payload, (uint32_t)len, &hello) != 0 ||
		(s = make_session(peer, a, &noise, &hello, hs)) == NULL) {
		ela_noise_wipe(&noise);
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
		return false;
	}
	ela_noise_wipe(&noise);
	/* The answer may come from anywhere, for who heard it can send it too: packets go where message 1 went. */
	way = expected ? *path : a->path;
	ela_peer_round_trip(peer, ela_loop_now(node->loop) - a->sent_ns);
	ela_way_answered(peer, a->path.transport, &a->path.remote);
	end_attempt(node, a, true); /* the session has the index now */
	ela_initiator_cancel(peer);
	ela_peer_install(peer, s, &way);
	return true;
}

bool ela_initiator_cookie(struct ela_node *node, const struct ela_path *from, const struct ela_handshake *hs)
{
	struct ela_peer *peer = NULL;
	struct ela_attempt *a = find_attempt(node, hs->receiver_index, &peer);
	uint64_t now = ela_loop_now(node->loop);
	struct ela_path path;
	bool soon;

	if (!a) {
		ELA_COUNT(node, DROP_ANSWER, 1);
		return false;
	}
	/* Who hears message 1 can forge one: those from elsewhere are not it, and no more than a few are looked at. */
	if (a->cookies == COOKIES || !ela_path_same(from, &a->path) ||
		ela_cookie_open(hs, peer->cookie_key, a->mac1, peer->cookie) != 0) {
		ELA_COUNT(node, DROP_COOKIE, 1);
		return false;
	}
	a->cookies++;
	ELA_COUNT(node, COOKIES_IN, 1);
	soon = peer->cookie_ns && now - peer->cookie_ns < SPACING_NS;
	peer->cookie_ns = now;
	if (soon) /* with the next try: nobody makes us send by sending */
		return true;
	path = a->path;
	if (path.link) /* it was the answer, and only one goes over a connection at a time */
		end_attempt(node, a, false);
	send_init(peer, &path); /* at once, with mac2 this time */
	return true;
}
