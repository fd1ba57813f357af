/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responder: other nodes' handshakes. The ladder of security.md: shape, mac1, cookie under load, token bucket per
 * address, replayed ephemeral, two DH, who it is; each step cheaper than the next, silence at every failure. Control
 * thread.
 */
#include "gate.h"
#include "handshake-xx.h"
#include "keys.h"
#include "own.h"
#include "peer.h"
#include "via.h"

#include <errno.h>

#define SECRET_NS (120 * ELA_SEC)    /* a cookie secret is current so long, and good twice as long */
#define EPHEMERALS 1024u             /* of all: a repetition costs no Diffie-Hellman */
#define EPHEMERALS_OF_PEER 128u      /* of each: a repetition is not answered */
#define EPHEMERAL_NS (240 * ELA_SEC) /* as long as a cookie inside a message 1 may be good */
#define HALF_OPEN_MAX 30u
#define LOAD_NS (10 * ELA_SEC)
#define BUCKETS 8192u /* addresses remembered, in sets of four */
#define WAYS 4u
#define RATE 20.0
#define RELAYED_RATE 5.0 /* of a sender's node ID */
#define BURST 5.0
#define RACE_NS (500 * ELA_MSEC)

struct address_bucket {
	uint64_t prefix; /* IPv4 address, or the first 64 bits of an IPv6 one */
	bool shown;      /* of inits with a good mac2, or over a connection */
	struct ela_bucket bucket;
};

struct ephemeral {
	uint8_t key[ELA_NOISE_KEY];
	uint64_t at_ns; /* 0 = free */
};

/* What one peer's messages 1 were made with: nobody else's can push them out. */
struct ela_ephemerals {
	struct ephemeral v[EPHEMERALS_OF_PEER];
	uint32_t next;
};

struct ela_responder {
	struct ela_node *node;
	uint8_t secrets[2][32]; /* current, previous */
	uint64_t rotated_ns, load_until_ns;
	uint64_t salt; /* makes set numbers unpredictable */
	struct ephemeral ephemerals[EPHEMERALS];
	uint32_t next_ephemeral;
	struct address_bucket buckets[BUCKETS];
};

struct ela_responder *ela_responder_new(struct ela_node *node)
{
	struct ela_responder *r = g_new0(struct ela_responder, 1);

	r->node = node;
	node->loop->ops->random(node->loop, r->secrets, sizeof r->secrets);
	node->loop->ops->random(node->loop, &r->salt, sizeof r->salt);
	r->rotated_ns = ela_loop_now(node->loop);
	return r;
}

void ela_responder_free(struct ela_responder *r)
{
	if (r)
		ela_wipe(r, sizeof *r);
	g_free(r);
}

/* ---- cookies ---- */

static void rotate(struct ela_responder *r, uint64_t now)
{
	uint64_t periods = (now - r->rotated_ns) / SECRET_NS;
	struct ela_loop *loop = r->node->loop;

	if (periods == 0)
		return;
	memcpy(r->secrets[1], r->secrets[0], 32);
	if (periods > 1) /* nobody came for long: the last one is too old as well */
		loop->ops->random(loop, r->secrets[1], 32);
	loop->ops->random(loop, r->secrets[0], 32);
	r->rotated_ns += periods * SECRET_NS;
}

static bool mac2_ok(struct ela_responder *r, const struct ela_addr *from, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t cookie[16];

		if (ela_cookie_make(r->secrets[i], from, cookie) == 0 && ela_handshake_mac2_ok(data, len, cookie))
			return true;
	}
	return false;
}

/* Does the sender hear us where he says he is? */
static bool is_shown(struct ela_responder *r, const struct ela_path *path, const uint8_t *data, uint32_t len)
{
	static const uint8_t none[ELA_MAC_LEN];

	return path->link ||
		   (memcmp(data + len - ELA_MAC_LEN, none, ELA_MAC_LEN) != 0 && mac2_ok(r, &path->remote, data, len));
}

/*
 * Was this message 1 said just now? Our cookie is inside what only its sender can have sealed. mac2 cannot tell: for
 * what he heard long ago, anybody makes it who knows our public key.
 */
static bool is_fresh(struct ela_responder *r, const struct ela_addr *from, const struct ela_hello *hello)
{
	for (uint32_t i = 0; i < 2 && hello->has_cookie; i++) {
		uint8_t cookie[16];

		if (ela_cookie_make(r->secrets[i], from, cookie) == 0 && ela_equal(cookie, hello->cookie, sizeof cookie))
			return true;
	}
	return false;
}

static void send_cookie(struct ela_responder *r, const struct ela_path *path, const struct ela_handshake *hs)
{
	struct ela_node *node = r->node;
	uint8_t out[ELA_HANDSHAKE_COOKIE_LEN], cookie[16], salt[16];

	node->loop->ops->random(node->loop, salt, sizeof salt);
	if (ela_cookie_make(r->secrets[0], &path->remote, cookie) != 0 ||
		ela_cookie_seal(out, hs, ela_own_id(node), node->cookie_key, salt, cookie) != 0)
		return;
	if (ela_node_send(node, path, out, sizeof out) == 0) {
		ELA_COUNT(node, COOKIES_OUT, 1);
		ELA_COUNT(node, STRANGER_BYTES_OUT, sizeof out);
	} else {
		ELA_COUNT(node, DROP_SEND, 1); /* no init goes without a count */
	}
}

static uint32_t half_open(struct ela_node *node)
{
	struct ela_peers *peers = ela_peers_list(node);
	uint32_t n = 0;

	for (uint32_t i = 0; i < peers->n; i++)
		n += ela_peer_offered_ns(peers->v[i]) != 0;
	return n;
}

static bool under_load(struct ela_responder *r, uint64_t now)
{
	bool loaded = half_open(r->node) >= HALF_OPEN_MAX;

	for (uint32_t i = 0; i < r->node->n_lanes && !loaded; i++)
		loaded = ela_ring_fill(r->node->lanes[i]->up) > ELA_RING_SLOTS / 8;
	if (loaded)
		r->load_until_ns = now + LOAD_NS;
	return now < r->load_until_ns;
}

/* ---- limits ---- */

/*
 * Token bucket of the sender's address, not of its port, or of its node ID when it was relayed. Who has shown that he
 * is there has one of his own: whoever else writes his address uses up the other.
 */
static bool within_rate(struct ela_responder *r, const struct ela_addr *from, bool shown, uint64_t now)
{
	uint64_t prefix = ela_get64(from->ip) ^ from->family;
	uint64_t set = ((prefix ^ r->salt) * UINT64_C(0x9e3779b97f4a7c15)) >> 53; /* 2048 sets */
	struct address_bucket *ways = &r->buckets[set * WAYS], *use = ways;
	double rate = from->family == ELA_ADDR_OTHER ? RELAYED_RATE : RATE;

	for (uint32_t i = 0; i < WAYS; i++) {
		if (ways[i].prefix == prefix && ways[i].shown == shown && ways[i].bucket.last_ns)
			return ela_bucket_take(&ways[i].bucket, now, rate, BURST);
		if (ways[i].bucket.last_ns < use->bucket.last_ns)
			use = &ways[i];
	}
	*use = (struct address_bucket){.prefix = prefix, .shown = shown, .bucket = {.last_ns = now, .tokens = BURST}};
	return ela_bucket_take(&use->bucket, now, rate, BURST);
}

static bool has_ephemeral(const struct ephemeral *all, uint32_t n, const uint8_t *ephemeral, uint64_t now)
{
	for (uint32_t i = 0; i < n; i++)
		if (all[i].at_ns && now - all[i].at_ns < EPHEMERAL_NS && memcmp(all[i].key, ephemeral, ELA_NOISE_KEY) == 0)
			return true;
	return false;
}

static bool seen_before(const struct ela_responder *r, const uint8_t *ephemeral, uint64_t now)
{
	return has_ephemeral(r->ephemerals, EPHEMERALS, ephemeral, now);
}

static bool seen_of(const struct ela_peer *peer, const uint8_t *ephemeral, uint64_t now)
{
	return peer->ephemerals && has_ephemeral(peer->ephemerals->v, EPHEMERALS_OF_PEER, ephemeral, now);
}

static void note(struct ephemeral *e, const uint8_t *ephemeral, uint64_t now)
{
	memcpy(e->key, ephemeral, ELA_NOISE_KEY);
	e->at_ns = now;
}

/* It is answered now, or lost to ours, and never answered again. */
static void remember(struct ela_responder *r, struct ela_peer *peer, const uint8_t *ephemeral, uint64_t now)
{
	if (!peer->ephemerals)
		peer->ephemerals = g_new0(struct ela_ephemerals, 1);
	note(&r->ephemerals[r->next_ephemeral++ % EPHEMERALS], ephemeral, now);
	note(&peer->ephemerals->v[peer->ephemerals->next++ % EPHEMERALS_OF_PEER], ephemeral, now);
}

/* ---- message 1 ---- */

/* The first of our suites that the other one has too; weak ones only when nothing else is common. */
const struct ela_node_suite *ela_suite_choose(const struct ela_node *node, const char *theirs)
{
	g_auto(GStrv) names = g_strsplit(theirs, ",", -1);

	for (uint32_t weak = 0; weak < 2; weak++)
		for (uint32_t i = 0; i < node->n_suites; i++) {
			const struct ela_suite *suite = node->suites[i].suite;

			if (((suite->flags & ELA_SUITE_WEAK) != 0) == (weak != 0) &&
				g_strv_contains((const gchar *const *)names, suite->name))
				return &node->suites[i];
		}
	return NULL;
}

/* Both started: the bytewise smaller key stays initiator for 500 ms after its send. */
static bool loses_race(const struct ela_peer *peer, uint64_t now)
{
	bool outstanding = false;

	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		outstanding |= peer->attempts[i].used;
	return outstanding && now - peer->last_init_ns < RACE_NS &&
		   memcmp(peer->node->public_key, peer->key, ELA_KEY_LEN) < 0;
}

/* Builds message 2 and the session. NULL: nothing was sent. */
static struct ela_session *make_answer(struct ela_peer *peer, struct ela_noise *noise, const struct ela_hello *theirs,
	const struct ela_node_suite *suite, const struct ela_handshake *hs, uint8_t *out, uint32_t *ret_len)
{
	struct ela_node *node = peer->node;
	struct ela_agreement with = {
		.suite = suite,
		.local_index = ela_index_reserve(node),
		.remote_index = hs->sender_index,
		.remote_id = hs->sender_id, /* what it answers to now: a member that starts anew has no address yet */
		.features = theirs->features & ELA_FEATURE_CSUM,
		.local_lanes = node->n_lanes,
		.remote_lanes = theirs->lanes,
	};
	struct ela_hello ours = {.lanes = node->n_lanes, .features = ELA_FEATURE_CSUM};
	uint8_t payload[ELA_HANDSHAKE_MAX_PAYLOAD];
	struct ela_noise_keys keys;
	struct ela_session *s = NULL;
	size_t len;

	(void)g_strlcpy(ours.suites, suite->suite->name, sizeof ours.suites); /* a name has at most 32 bytes */
	ela_handshake_head(out, ELA_HANDSHAKE_ANSWER, hs->sender_id, with.local_index, ela_own_id(node), hs->sender_index);
	if (ela_noise_write(noise, payload, ela_hello_put(&ours, payload), out + ELA_HANDSHAKE_HEAD,
			ELA_HANDSHAKE_MAX - ELA_HANDSHAKE_HEAD - ELA_HANDSHAKE_MACS, &len) == 0 &&
		ela_noise_split(noise, &keys) == 0) {
		*ret_len = ela_handshake_mac(out, ELA_HANDSHAKE_HEAD + (uint32_t)len, peer->mac1_key, NULL);
		if (*ret_len)
			s = ela_session_new(peer, &with, &keys, ela_loop_now(node->loop));
		ela_wipe(&keys, sizeof keys);
	}
	if (!s)
		ela_index_release(node, with.local_index);
	return s;
}

static void answer(struct ela_responder *r, const struct ela_path *path, const struct ela_handshake *hs,
	struct ela_peer *peer, struct ela_noise *noise, const struct ela_hello *hello, bool is_fresh)
{
	struct ela_node *node = r->node;
	uint8_t out[ELA_HANDSHAKE_MAX];
	const struct ela_node_suite *suite = ela_suite_choose(node, hello->suites);
	struct ela_session *s;
	uint32_t len = 0;

	if (!suite) {
		ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_WARN, "session",
			"no-common-suite peer=%s theirs=%s remedy=\"name a common one in [components] cipher on both\"", peer->name,
			hello->suites);
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
		return;
	}
	s = make_answer(peer, noise, hello, suite, hs, out, &len);
	if (!s) {
		ELA_COUNT(node, DROP_HANDSHAKE, 1); /* the library failed */
		return;
	}
	remember(r, peer, hs->noise, ela_loop_now(node->loop));
	ela_peer_offer(peer, s, path, is_fresh);   /* our own tries go on: this may be one of its messages of long ago */
	(void)ela_node_send(node, path, out, len); /* lost or refused: the other side asks again */
}

static void say_unknown(struct ela_node *node, const struct ela_path *path, const uint8_t *key)
{
	char text[ELA_KEY_TEXT], remote[64];

	ela_key_encode(key, text);
	ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_WARN, "session",
		"unknown-key key=%s remote=%s remedy=\"a [peer] section with this public-key, if it is one of yours\"", text,
		ela_addr_text(&path->remote, remote));
}

static void say_other_id(const struct ela_peer *peer, const struct ela_path *path)
{
	char remote[64];

	ela_logf_limited(peer->node->log, ela_loop_now(peer->node->loop), ELA_LOG_WARN, "session",
		"other-address peer=%s remote=%s remedy=\"the first address of its [peer] section here must be the address of "
		"its [node] section there\"",
		peer->name, ela_addr_text(&path->remote, remote));
}

/* Whose key it is: a peer of ela.ini, or one that the gate lets in. hello NULL: he came by XX. */
static struct ela_peer *find_peer(struct ela_node *node, const struct ela_path *path, const uint8_t *key,
	const struct ela_handshake *hs, const struct ela_hello *hello)
{
	struct ela_caller caller = {.key = key, .id = hs->sender_id, .is_xx = !hello, .path = path};
	struct ela_peer *peer = NULL;
	g_autofree char *reason = NULL;
	char remote[64];

	if (!node->gate)
		return ela_peer_by_key(node, key);
	if (hello) {
		caller.credential = hello->credential;
		caller.credential_len = hello->credential_len;
	}
	if (hs->sender_id == 0 && !path->link)
		reason = g_strdup("it has no address yet, and came by a datagram");
	else
		peer = node->gate->admit(node->gate, &caller, &reason);
	if (!peer && reason)
		ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_WARN, "session",
			"refused remote=%s reason=\"%s\"", ela_addr_text(&path->remote, remote), reason);
	return peer;
}

/* Message 1 opened, so its sender holds the key it names: is it one of ours, and may it start now, from there? */
static bool admit(struct ela_responder *r, struct ela_peer *peer, const struct ela_path *path, const uint8_t *key,
	const struct ela_handshake *hs, uint64_t now)
{
	struct ela_node *node = r->node;

	if (!peer || (peer->id != 0 && peer->id != hs->sender_id && (hs->sender_id != 0 || !node->gate))) {
		if (peer)
			say_other_id(peer, path);
		else if (!node->gate) /* it said why */
			say_unknown(node, path, key);
		ELA_COUNT(node, DROP_UNKNOWN_KEY, 1);
		return false;
	}
	if (seen_of(peer, hs->noise, now)) {
		ELA_COUNT(node, DROP_REPEATED, 1);
		return false;
	}
	if (loses_race(peer, now)) {
		remember(r, peer, hs->noise, now); /* its sender hears of ours: who says it again is not its sender */
		ELA_COUNT(node, DROP_RACE, 1);
		return false;
	}
	if (path->link && !ela_link_claim(node, path->link, peer)) { /* another one's handshake, relayed over its own */
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
		return false;
	}
	return true;
}

struct ela_peer *ela_responder_meet(
	struct ela_node *node, const struct ela_path *path, const uint8_t key[ELA_KEY_LEN], const struct ela_handshake *hs)
{
	struct ela_peer *peer = find_peer(node, path, key, hs, NULL);

	if (!peer) {
		ELA_COUNT(node, DROP_UNKNOWN_KEY, 1);
		return NULL;
	}
	if (loses_race(peer, ela_loop_now(node->loop))) {
		ELA_COUNT(node, DROP_RACE, 1);
		return NULL;
	}
	return peer;
}

bool ela_responder_may_try(struct ela_node *node, const struct ela_path *path, const uint8_t *data, uint32_t len,
	const struct ela_handshake *hs)
{
	struct ela_responder *r = node->responder;
	uint64_t now = ela_loop_now(node->loop);
	bool shown;

	rotate(r, now);
	shown = is_shown(r, path, data, len);
	if (!shown && under_load(r, now)) {
		send_cookie(r, path, hs);
		return false;
	}
	if (seen_before(r, hs->noise, now)) {
		ELA_COUNT(r->node, DROP_REPEATED, 1);
		return false;
	}
	if (within_rate(r, &path->remote, shown, now))
		return true;
	if (shown)
		ELA_COUNT(r->node, DROP_RATE, 1);
	else
		send_cookie(r, path, hs);
	return false;
}

static bool take_init(struct ela_responder *r, const struct ela_path *path, const uint8_t *data, uint32_t len,
	const struct ela_handshake *hs)
{
	struct ela_node *node = r->node;
	uint64_t now = ela_loop_now(node->loop);
	uint8_t payload[ELA_HANDSHAKE_MAX], prologue[48], ephemeral[32];
	struct ela_noise noise;
	struct ela_hello hello;
	struct ela_peer *peer;
	size_t payload_len;
	bool ok, fresh;

	if (!ela_responder_may_try(node, path, data, len, hs))
		return false;
	node->loop->ops->random(node->loop, ephemeral, sizeof ephemeral);
	(void)ela_noise_init(&noise, ELA_NOISE_IK, false, prologue, /* after a failure nothing can be read */
		ela_prologue(node->network_id, ELA_NOISE_IK, prologue), node->private_key, NULL, ephemeral);
	ela_wipe(ephemeral, sizeof ephemeral);
	ok = ela_noise_read(&noise, hs->noise, hs->noise_len, payload, sizeof payload, &payload_len) == 0 &&
		 ela_hello_parse(payload, (uint32_t)payload_len, &hello) == 0;
	if (!ok) {
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
	} else {
		peer = find_peer(node, path, noise.rs, hs, &hello);
		fresh = is_fresh(r, &path->remote, &hello);
		ok = admit(r, peer, path, noise.rs, hs, now);
		if (ok && !fresh && !ela_peer_has_room(peer))
			send_cookie(r, path, hs);
		else if (ok)
			answer(r, path, hs, peer, &noise, &hello, fresh);
	}
	ela_noise_wipe(&noise);
	return ok;
}

bool ela_handshake_input(struct ela_node *node, const struct ela_path *from, const uint8_t *data, uint32_t len)
{
	struct ela_handshake hs;
	struct ela_path path;
	bool is_xx;

	ELA_COUNT(node, STRANGER_BYTES_IN, len);
	if (!ela_addr_allowed(node, &from->remote) || ela_handshake_parse(data, len, &hs) != 0) {
		ELA_COUNT(node, DROP_HANDSHAKE, 1);
		return false;
	}
	path = ela_via_from(from, hs.sender_id);
	if (hs.kind == ELA_HANDSHAKE_COOKIE)
		return ela_initiator_cookie(node, &path, &hs);
	is_xx = hs.kind >= ELA_HANDSHAKE_XX_1;
	if (!ela_handshake_mac1_ok(data, len, is_xx ? node->xx_key : node->mac1_key)) {
		ELA_COUNT(node, DROP_MAC1, 1);
		return false;
	}
	if (is_xx)
		return ela_xx_input(node, &path, data, len, &hs);
	if (hs.kind == ELA_HANDSHAKE_INIT)
		return take_init(node->responder, &path, data, len, &hs);
	return ela_initiator_answer(node, &path, &hs);
}
