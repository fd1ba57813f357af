/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: the life of a peer's sessions and what is published to lanes. Control thread.
 *
 * Order for anything a lane can reach: unpublish, grace period (qsbr), free.
 */
#include "peer.h"

#include "dialogue.h"
#include "host.h"
#include "inet.h"
#include "lane.h"
#include "resolve.h"
#include "via.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define MAX_TRAIN 65400u
#define PREVIOUS_NS (20 * ELA_SEC) /* frames under the old keys may still be on their way */
#define OFFER_NS (5 * ELA_SEC)     /* an offered session waits so long for its first frame */
#define RTT_MAX_NS (4 * ELA_SEC)
#define JITTER_NS (20 * ELA_SEC) /* rekey at 120 s +-10 s */

struct ela_peers *ela_peers_list(struct ela_node *node)
{
	return atomic_load_explicit(&node->peers, memory_order_relaxed);
}

struct ela_peer *ela_peer_by_key(struct ela_node *node, const uint8_t key[ELA_KEY_LEN])
{
	struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; i < peers->n; i++)
		if (memcmp(peers->v[i]->key, key, ELA_KEY_LEN) == 0)
			return peers->v[i];
	return NULL;
}

struct ela_peer *ela_peer_by_number(struct ela_node *node, uint32_t number)
{
	struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i]->number == number)
			return peers->v[i];
	return NULL;
}

/* ---- addresses ---- */

const char *ela_addr_text(const struct ela_addr *a, char buf[64])
{
	char ip[INET6_ADDRSTRLEN];

	if (a->family == ELA_ADDR_NONE)
		(void)g_strlcpy(buf, "-", 64);
	else if (!inet_ntop(a->family == ELA_ADDR_IP4 ? AF_INET : AF_INET6, a->ip, ip, sizeof ip))
		(void)g_strlcpy(buf, "?", 64);
	else
		(void)g_snprintf(buf, 64, a->family == ELA_ADDR_IP4 ? "%s:%u" : "[%s]:%u", ip, a->port);
	return buf;
}

bool ela_prefix_is_beyond(const struct ela_config *config, const struct ela_prefix *prefix)
{
	return !ela_inet_prefix_contains(&config->address4, &prefix->addr) &&
		   !ela_inet_prefix_contains(&config->address6, &prefix->addr);
}

bool ela_addr_allowed(const struct ela_node *node, const struct ela_addr *addr)
{
	if (addr->port == 0)
		return false;
	if (addr->family != ELA_ADDR_IP4 && addr->family != ELA_ADDR_IP6)
		return addr->family == ELA_ADDR_OTHER;
	if (ela_inet_is_unspecified(addr) || ela_inet_is_loopback(addr) || ela_inet_is_link_local(addr) ||
		ela_inet_is_multicast(addr))
		return false;
	return !ela_inet_prefix_contains(&node->config->address4, addr) &&
		   !ela_inet_prefix_contains(&node->config->address6, addr);
}

/* ---- receiver indices ---- */

uint32_t ela_index_reserve(struct ela_node *node)
{
	for (;;) {
		uint32_t index;

		/* There are fewer in use than slots: this ends soon. */
		node->loop->ops->random(node->loop, &index, sizeof index);
		if (index != 0 && !node->index_used[index % ELA_INDEX_SLOTS]) {
			node->index_used[index % ELA_INDEX_SLOTS] = 1;
			return index;
		}
	}
}

void ela_index_release(struct ela_node *node, uint32_t index)
{
	node->index_used[index % ELA_INDEX_SLOTS] = 0;
}

static void publish_index(struct ela_node *node, struct ela_session *s)
{
	atomic_store_explicit(&node->index[s->with.local_index % ELA_INDEX_SLOTS], s, memory_order_release);
}

/* Takes a session away from the lanes and frees it when none holds it. */
static void retire_session(struct ela_node *node, struct ela_session *s)
{
	if (!s)
		return;
	atomic_store(&node->index[s->with.local_index % ELA_INDEX_SLOTS], NULL);
	ela_index_release(node, s->with.local_index);
	if (s->peer)
		ela_session_traffic(s, &s->peer->past); /* what lanes still do with it is lost to the sum: a burst at most */
	ela_qsbr_retire(&node->qsbr, ela_session_free, s);
}

/* ---- publishing ---- */

/* False: that way does not exist any more. */
static bool fill_tx(struct ela_peer *peer, struct ela_tx *tx)
{
	struct ela_session *s = tx->session;

	tx->overhead = s->overhead;
	tx->elide = (s->with.features & ELA_FEATURE_CSUM) != 0;
	tx->pinned = peer->via != NULL;
	if (ela_path_is_via(&tx->path))
		return ela_via_fill(peer, tx);
	peer->last_via = 0;
	tx->transport = &peer->node->transports[tx->path.transport];
	tx->link = tx->path.link ? ela_link_find(peer->node, tx->path.link) : NULL;
	if (tx->path.link && !tx->link)
		return false; /* the connection went away meanwhile */
	tx->transport->ops->info(tx->transport->self, &tx->transport->info);
	tx->max_segments = MAX(tx->transport->info.max_segments, 1);
	/* With its headers a train of 64 KiB or more would be cut in software by the kernel. */
	tx->max_train = CLAMP(tx->transport->info.max_train, 1, MAX_TRAIN);
	if (tx->link) { /* of relayed frames in one record: what a datagram hop behind it may send at once */
		tx->max_segments = ELA_BURST;
		tx->max_train = MAX_TRAIN;
	}
	tx->max_frame = ela_pmtu_frame(peer, tx);
	tx->max_packet = tx->max_frame > tx->overhead ? tx->max_frame - tx->overhead : 0;
	return true;
}

void ela_peer_publish(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path)
{
	struct ela_node *node = peer->node;
	struct ela_tx *old = peer->tx_shadow, *tx = NULL;

	if (s) {
		tx = g_new0(struct ela_tx, 1);
		tx->session = s;
		tx->path = *path;
		if (!fill_tx(peer, tx)) {
			g_free(tx);
			tx = NULL;
		}
	}
	peer->tx_shadow = tx;
	atomic_store(&peer->tx, tx);
	if (old)
		ela_qsbr_retire(&node->qsbr, g_free, old);
	if (tx) /* packets may wait for this */
		for (uint32_t i = 0; i < node->n_lanes; i++)
			ela_lane_wake(node->lanes[i]);
	if (tx || old)
		ela_via_follow(peer);
}

/* ---- life of sessions ---- */

const char *ela_transport_name(const struct ela_node *node, uint32_t number)
{
	return number < node->n_transports ? node->transports[number].instance->loaded->descriptor->name : "relay";
}

static void say_up(struct ela_peer *peer, const struct ela_session *s, const struct ela_path *path, bool worth_saying)
{
	struct ela_node *node = peer->node;
	const char *transport = ela_transport_name(node, path->transport);
	char remote[64];

	(void)ela_addr_text(&path->remote, remote); /* returns the buffer */
	if (peer->up) {
		ELA_COUNT(node, REKEYS, 1);
		ela_logf(node->log, worth_saying ? ELA_LOG_INFO : ELA_LOG_DEBUG, "session",
			"%s peer=%s transport=%s remote=%s suite=%s", worth_saying ? "again" : "rekeyed", peer->name, transport,
			remote, s->with.suite->suite->name);
		return;
	}
	peer->up = true;
	peer->changed_ns = ela_loop_now(node->loop);
	ela_logf(node->log, ELA_LOG_INFO, "session", "up peer=%s transport=%s remote=%s suite=%s by=%s", peer->name,
		transport, remote, s->with.suite->suite->name, s->with.suite->cipher->plugin);
	node->routing->loaded->routing.on_link(node->routing->self, peer->number, ELA_LINK_UP);
}

static void say_down(struct ela_peer *peer, const char *why)
{
	struct ela_node *node = peer->node;

	if (!peer->up)
		return;
	peer->up = false;
	peer->changed_ns = ela_loop_now(node->loop);
	ela_logf(node->log, ELA_LOG_INFO, "session", "down peer=%s reason=%s", peer->name, why);
	if (node->running) /* else the plugin was stopped before */
		node->routing->loaded->routing.on_link(node->routing->self, peer->number, ELA_LINK_DOWN);
}

/* The connection that carried the handshake ended before it was done: nothing was won. */
static bool lost_link(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path)
{
	if (!path->link || ela_link_claim(peer->node, path->link, peer))
		return false;
	retire_session(peer->node, s);
	peer->rekeying = false;
	if (!ela_initiator_busy(peer))
		peer->retry_ns = ela_loop_now(peer->node->loop);
	return true;
}

/* s is what we send with from now on. */
static void make_current(struct ela_peer *peer, struct ela_session *s, const struct ela_path *heard)
{
	const struct ela_path path = ela_peer_wished(peer, heard);
	struct ela_node *node = peer->node;
	uint64_t now = ela_loop_now(node->loop);
	bool moved = !peer->tx_shadow || !ela_path_same(&peer->tx_shadow->path, &path);
	bool worth_saying = moved || peer->silent_ns != 0;
	uint64_t jitter;

	if (moved)
		ela_pmtu_reset(peer);
	retire_session(node, peer->previous);
	peer->previous = peer->current;
	peer->previous_dead_ns = now + PREVIOUS_NS;
	peer->current = s;
	peer->misses = 0;
	peer->silent_ns = peer->trying_ns = 0;
	peer->ping_ns = 0;
	peer->challenge_ns = 0;
	peer->rekeying = false;
	peer->control_rx_ns = peer->called_ns = now;
	node->loop->ops->random(node->loop, &jitter, sizeof jitter);
	peer->rekey_jitter_ns = jitter % JITTER_NS;
	ela_peer_publish(peer, s, &path);
	ELA_COUNT(node, HANDSHAKES_DONE, 1);
	say_up(peer, s, &path, worth_saying);
}

static void close_dialled(struct ela_peer *peer)
{
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		if (peer->dialling[i])
			ela_link_close(peer->dialling[i]); /* which takes it off */
}

/* A stream connection that just carried a handshake now carries the session; another one of this peer has ended. */
static void settle_link(struct ela_peer *peer, const struct ela_path *path)
{
	struct ela_link *link = path->link ? ela_link_find(peer->node, path->link) : NULL;
	struct ela_link *old = peer->link;

	peer->link = link;
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		if (peer->dialling[i] == link)
			peer->dialling[i] = NULL;
	close_dialled(peer);
	if (old && old != link) {
		if (peer->tx_shadow && peer->tx_shadow->link == old)
			ela_peer_publish(peer, NULL, NULL);
		ela_link_close(old);
	}
	if (link && link->state != ELA_LINK_ATTACHED)
		ela_link_attach(link);
}

static void withdraw(struct ela_peer *peer, struct ela_offer *offer)
{
	retire_session(peer->node, offer->session);
	*offer = (struct ela_offer){0};
}

static void withdraw_offers(struct ela_peer *peer)
{
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		withdraw(peer, &peer->offers[i]);
}

void ela_peer_install(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path)
{
	/* Both called and both were answered: what the bytewise smaller key began stays, at both ends. */
	if (memcmp(peer->node->public_key, peer->key, ELA_KEY_LEN) < 0)
		withdraw_offers(peer);
	publish_index(peer->node, s);
	/* Shows the responder that the keys work. First, and on a stream before a lane may write: it waits for this. */
	ela_control_keepalive(peer, s, path);
	if (lost_link(peer, s, path))
		return;
	settle_link(peer, path);
	make_current(peer, s, path);
}

/* Which of two gives way: one that may be a replay, then the older; a free one is older than all. */
static bool gives_way(const struct ela_offer *a, const struct ela_offer *b)
{
	return a->is_fresh != b->is_fresh ? b->is_fresh : a->born_ns < b->born_ns;
}

bool ela_peer_has_room(const struct ela_peer *peer)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		n += peer->offers[i].session != NULL;
	return n + 1 < ELA_ATTEMPTS;
}

void ela_peer_offer(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, bool is_fresh)
{
	struct ela_offer *worst = &peer->offers[0];

	for (uint32_t i = 1; i < ELA_ATTEMPTS; i++)
		if (gives_way(&peer->offers[i], worst))
			worst = &peer->offers[i];
	withdraw(peer, worst);
	*worst = (struct ela_offer){
		.session = s, .born_ns = ela_loop_now(peer->node->loop), .path = *path, .is_fresh = is_fresh};
	publish_index(peer->node, s);
}

uint64_t ela_peer_offered_ns(const struct ela_peer *peer)
{
	uint64_t newest_ns = 0;

	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		newest_ns = MAX(newest_ns, peer->offers[i].born_ns);
	return newest_ns;
}

/*
 * Where the first sealed frame of an offered session came from: message 1 may have been brought by somebody else, over
 * a connection of his own.
 */
static struct ela_path confirmed_path(const struct ela_offer *offer, const struct ela_path *path)
{
	struct ela_peer *peer = offer->session->peer;
	const struct ela_path heard = ela_via_from(path ? path : &offer->session->first, peer->id);

	if (ela_path_same(&heard, &offer->path) || (heard.link && !ela_link_claim(peer->node, heard.link, peer)) ||
		(!heard.link && !ela_addr_allowed(peer->node, &heard.remote)))
		return offer->path;
	return heard;
}

/*
 * What came back was the first sealed frame, which may have been lost and be the next packet much later: good enough
 * until a ping has measured.
 */
static void guess_round_trip(struct ela_peer *peer, uint64_t sample_ns)
{
	peer->measure = true;
	if (peer->rtt_ns && !peer->rtt_guessed)
		return;
	peer->rtt_guessed = true;
	peer->rtt_ns = MIN(sample_ns, RTT_MAX_NS);
}

void ela_peer_confirm(struct ela_peer *peer, const struct ela_session *s, const struct ela_path *path)
{
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++) {
		struct ela_offer offer = peer->offers[i];
		struct ela_path way;

		if (!offer.session || (s ? offer.session != s : !atomic_load(&offer.session->opened)))
			continue;
		way = confirmed_path(&offer, path);
		peer->offers[i] = (struct ela_offer){0};
		withdraw_offers(peer); /* the other end has ended what they answer */
		ela_initiator_cancel(peer);
		if (lost_link(peer, offer.session, &way))
			return;
		settle_link(peer, &way);
		make_current(peer, offer.session, &way);
		guess_round_trip(peer, ela_loop_now(peer->node->loop) - offer.born_ns);
		return;
	}
}

void ela_peer_traffic(const struct ela_peer *peer, struct ela_session_traffic *ret)
{
	*ret = peer->past;
	if (peer->current)
		ela_session_traffic(peer->current, ret);
	if (peer->previous)
		ela_session_traffic(peer->previous, ret);
}

void ela_peer_round_trip(struct ela_peer *peer, uint64_t sample_ns)
{
	peer->rtt_last_ns = sample_ns;
	sample_ns = MIN(sample_ns, RTT_MAX_NS);
	if (peer->rtt_guessed)
		peer->rtt_ns = 0;
	peer->rtt_guessed = false;
	peer->rtt_ns = sample_ns > peer->rtt_ns ? sample_ns : (3 * peer->rtt_ns + sample_ns) / 4;
}

void ela_peer_reset(struct ela_peer *peer)
{
	ela_initiator_cancel(peer);
	ela_peer_publish(peer, NULL, NULL);
	retire_session(peer->node, peer->current);
	retire_session(peer->node, peer->previous);
	peer->current = peer->previous = NULL;
	withdraw_offers(peer);
	ela_links_close_of(peer);
	say_down(peer, "reset");
}

void ela_peer_expire(struct ela_peer *peer, uint64_t now_ns)
{
	bool had_offer = ela_peer_offered_ns(peer) != 0;

	if (peer->previous && now_ns >= peer->previous_dead_ns) {
		retire_session(peer->node, peer->previous);
		peer->previous = NULL;
	}
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		if (peer->offers[i].session && now_ns - peer->offers[i].born_ns > OFFER_NS)
			withdraw(peer, &peer->offers[i]);
	if (had_offer && !ela_peer_offered_ns(peer) && !ela_initiator_busy(peer)) {
		peer->rekeying = false; /* its handshake ended ours, and came to nothing */
		peer->retry_ns = peer->current && !peer->misses ? 0 : now_ns;
	}
	if (peer->current && now_ns >= peer->current->dead_ns) {
		ela_peer_publish(peer, NULL, NULL);
		retire_session(peer->node, peer->current);
		peer->current = NULL;
		say_down(peer, "expired");
	}
}

/* ---- sending what control makes ---- */

int ela_node_send(struct ela_node *node, const struct ela_path *path, const uint8_t *frame, uint32_t len)
{
	const struct ela_send send = {.data = frame, .len = len, .segment = len, .path = path};
	struct ela_transport *t;
	struct ela_link *link;
	int err = -EIO, n;

	if (ela_path_is_via(path))
		return ela_via_send(node, path, frame, len);
	if (path->link) {
		link = ela_link_find(node, path->link);
		return link ? ela_link_post(link, frame, len) : -EPIPE;
	}
	t = &node->transports[path->transport];
	(void)pthread_mutex_lock(&t->send_lock); /* a default mutex cannot fail */
	n = t->ops->send_burst(t->self, 0, &send, 1, &err);
	(void)pthread_mutex_unlock(&t->send_lock);
	if (n != 1 && err == -EADDRNOTAVAIL && path->local.family != ELA_ADDR_NONE) {
		struct ela_path any = *path;

		any.local = (struct ela_addr){0};
		return ela_node_send(node, &any, frame, len);
	}
	return n == 1 ? 0 : err;
}

/* ---- configuration ---- */

/* An endpoint that is a name, and what it resolved to. */
struct ela_peer_name {
	struct ela_peer *peer;
	const struct ela_endpoint *endpoint;
	struct ela_lookup *lookup; /* NULL when none is under way */
	uint64_t answered_ns;      /* 0 = never */
	struct ela_addr addrs[ELA_RESOLVE_MAX];
	uint32_t n;
};

static void free_name(void *data)
{
	struct ela_peer_name *name = data;

	ela_lookup_cancel(name->lookup);
	g_free(name);
}

static void free_peer(void *data)
{
	struct ela_peer *peer = data;

	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		ela_noise_wipe(&peer->attempts[i].noise);
	g_ptr_array_free(peer->names, TRUE);
	g_free(peer->ephemerals);
	g_free(peer->addrs);
	g_free(peer->name);
	g_free(peer);
}

/* All addresses to try, in the order of the endpoints. */
static void collect_addrs(struct ela_peer *peer)
{
	const struct ela_config_peer *c = peer->config;
	GArray *addrs = g_array_new(FALSE, TRUE, sizeof(struct ela_addr));
	guint next_name = 0;

	for (uint32_t i = 0; i < c->n_endpoints; i++) {
		struct ela_addr a = c->endpoints[i].addr;

		if (a.family == ELA_ADDR_NONE) {
			const struct ela_peer_name *name = g_ptr_array_index(peer->names, next_name++);

			g_array_append_vals(addrs, name->addrs, name->n);
		} else {
			a.port = c->endpoints[i].port;
			g_array_append_val(addrs, a);
		}
	}
	g_free(peer->addrs);
	peer->n_addrs = addrs->len;
	peer->addrs = (struct ela_addr *)(void *)g_array_free(addrs, FALSE);
}

static void resolved(void *data, const struct ela_addr *addrs, uint32_t n, const char *reason)
{
	struct ela_peer_name *name = data;
	struct ela_peer *peer = name->peer;

	name->lookup = NULL;
	name->answered_ns = ela_loop_now(peer->node->loop);
	if (n == 0) {
		ela_logf_limited(peer->node->log, ela_loop_now(peer->node->loop), ELA_LOG_WARN, "peer",
			"unresolved peer=%s endpoint=%s reason=\"%s\"", peer->name, name->endpoint->host, reason);
		return; /* what it resolved to before stays; the next round of tries asks again */
	}
	if (n == name->n && memcmp(name->addrs, addrs, n * sizeof *addrs) == 0)
		return; /* the tries that asked go on */
	memcpy(name->addrs, addrs, n * sizeof *addrs);
	name->n = n;
	collect_addrs(peer);
	if (!peer->current && peer->node->running)
		ela_initiate(peer);
}

void ela_peer_resolve(struct ela_peer *peer)
{
	struct ela_node *node = peer->node;
	uint64_t now = ela_loop_now(node->loop);

	for (guint i = 0; node->resolver && i < peer->names->len; i++) {
		struct ela_peer_name *name = g_ptr_array_index(peer->names, i);

		/* not what was answered just now: an answer starts a round of tries itself */
		if (!name->lookup && (!name->answered_ns || now - name->answered_ns >= ELA_SEC))
			name->lookup =
				ela_resolver_start(node->resolver, name->endpoint->host, name->endpoint->port, resolved, name);
	}
}

/* The peer's section is new or was reloaded. */
static void set_config(struct ela_peer *peer, const struct ela_config_peer *config)
{
	peer->config = config;
	g_ptr_array_set_size(peer->names, 0);
	for (uint32_t i = 0; i < config->n_endpoints; i++)
		if (config->endpoints[i].addr.family == ELA_ADDR_NONE) {
			struct ela_peer_name *name = g_new0(struct ela_peer_name, 1);

			name->peer = peer;
			name->endpoint = &config->endpoints[i];
			g_ptr_array_add(peer->names, name);
		}
	collect_addrs(peer);
	ela_peer_resolve(peer);
}

static struct ela_peer *new_peer(struct ela_node *node, const struct ela_config_peer *c, GError **error)
{
	struct ela_peer *peer = g_new0(struct ela_peer, 1);

	peer->node = node;
	peer->number = ++node->next_peer_number;
	peer->changed_ns = ela_loop_now(node->loop);
	peer->name = g_strdup(c->name);
	peer->names = g_ptr_array_new_with_free_func(free_name);
	memcpy(peer->key, c->public_key, ELA_KEY_LEN);
	atomic_init(&peer->tx, NULL);
	if (ela_node_id(node->network_id, c->address4, &peer->id) != 0 ||
		ela_handshake_mac1_key(node->network_id, peer->key, peer->mac1_key) != 0 ||
		ela_cookie_key(node->network_id, peer->key, peer->cookie_key) != 0) {
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "peer %s: the cryptographic library failed", c->name);
		free_peer(peer);
		return NULL;
	}
	return peer;
}

/* The same node under the same ID: its sessions go on. */
static struct ela_peer *find_same(struct ela_node *node, const struct ela_peers *old, const struct ela_config_peer *c)
{
	uint32_t id;

	for (uint32_t i = 0; i < old->n; i++)
		if (memcmp(old->v[i]->key, c->public_key, ELA_KEY_LEN) == 0 && strcmp(old->v[i]->name, c->name) == 0 &&
			ela_node_id(node->network_id, c->address4, &id) == 0 && id == old->v[i]->id)
			return old->v[i];
	return NULL;
}

static void publish_sources(struct ela_node *node, const struct ela_peers *peers)
{
	GArray *entries = g_array_new(FALSE, TRUE, sizeof(struct ela_fib_entry));
	struct ela_fib *old = atomic_load(&node->sources);

	for (uint32_t i = 0; i < peers->n; i++)
		for (uint32_t k = 0; k < peers->v[i]->config->n_prefixes; k++) {
			const struct ela_prefix *p = &peers->v[i]->config->prefixes[k];
			struct ela_fib_entry e = {.bits = (uint8_t)p->bits, .family = (uint8_t)p->addr.family, .peer = peers->v[i]};

			memcpy(e.ip, p->addr.ip, 16);
			g_array_append_val(entries, e);
		}
	atomic_store(&node->sources, ela_fib_new((const struct ela_fib_entry *)(void *)entries->data, entries->len));
	if (old)
		ela_qsbr_retire(&node->qsbr, free, old);
	(void)g_array_free(entries, TRUE);
}

static void remove_peer(struct ela_node *node, struct ela_peer *peer)
{
	g_ptr_array_set_size(peer->names, 0); /* cancels its look-ups */
	ela_peer_reset(peer);
	ela_dialogue_forget(peer);
	ela_node_forget_routes(node, peer);
	ela_forward_forget(node, peer);
	ela_via_forget(node, peer);
	ela_qsbr_retire(&node->qsbr, free_peer, peer);
}

static bool has_peer(const struct ela_peers *peers, const struct ela_peer *peer)
{
	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i] == peer)
			return true;
	return false;
}

/* The peers of config: those of old that go on, the others new. NULL: none was made, and old is as it was. */
static struct ela_peers *match_peers(
	struct ela_node *node, const struct ela_peers *old, const struct ela_config *config, GError **error)
{
	struct ela_peers *fresh = g_malloc0(sizeof *fresh + config->n_peers * sizeof fresh->v[0]);

	while (fresh->n < config->n_peers) {
		const struct ela_config_peer *c = &config->peers[fresh->n];
		struct ela_peer *peer = find_same(node, old, c);

		if (!peer)
			peer = new_peer(node, c, error);
		if (!peer)
			break;
		fresh->v[fresh->n++] = peer;
	}
	if (fresh->n == config->n_peers)
		return fresh;
	while (fresh->n-- > 0)
		if (!has_peer(old, fresh->v[fresh->n]))
			free_peer(fresh->v[fresh->n]);
	g_free(fresh);
	return NULL;
}

bool ela_peers_apply(struct ela_node *node, const struct ela_config *config, GError **error)
{
	struct ela_peers *old = ela_peers_list(node), *fresh = match_peers(node, old, config, error);

	if (!fresh)
		return false;
	for (uint32_t i = 0; i < fresh->n; i++)
		set_config(fresh->v[i], &config->peers[i]); /* from here on nothing can fail */
	atomic_store(&node->peers, fresh);
	publish_sources(node, fresh);
	for (uint32_t i = 0; i < old->n; i++) /* all of them first: one may be the neighbour of another */
		if (!has_peer(fresh, old->v[i]))
			ela_peer_reset(old->v[i]);
	for (uint32_t i = 0; i < old->n; i++)
		if (!has_peer(fresh, old->v[i]))
			remove_peer(node, old->v[i]);
	ela_qsbr_retire(&node->qsbr, g_free, old);
	return true;
}

void ela_peers_free(struct ela_node *node)
{
	struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; i < peers->n; i++)
		remove_peer(node, peers->v[i]);
	atomic_store(&node->peers, NULL);
	g_free(peers);
}
