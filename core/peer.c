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
#include "own.h"
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
	const struct ela_own *own = ela_own(node);

	if (addr->port == 0)
		return false;
	if (addr->family != ELA_ADDR_IP4 && addr->family != ELA_ADDR_IP6)
		return addr->family == ELA_ADDR_OTHER;
	if (ela_inet_is_unspecified(addr) || ela_inet_is_loopback(addr) || ela_inet_is_link_local(addr) ||
		ela_inet_is_multicast(addr))
		return false;
	return !ela_inet_prefix_contains(&own->ip4, addr) && !ela_inet_prefix_contains(&own->ip6, addr);
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
	bool changed;

	if (s) {
		tx = g_new0(struct ela_tx, 1);
		tx->session = s;
		tx->path = *path;
		if (!fill_tx(peer, tx)) {
			g_free(tx);
			tx = NULL;
		}
	}
	changed = !old != !tx || (tx && (tx->via != old->via || tx->link != old->link));
	peer->tx_shadow = tx;
	atomic_store(&peer->tx, tx);
	(void)atomic_fetch_add(&node->ways, 1); /* behind it, for who sees this looks there */
	if (old)
		ela_qsbr_retire(&node->qsbr, g_free, old);
	if (tx) /* packets may wait for this */
		for (uint32_t i = 0; i < node->n_lanes; i++)
			ela_lane_wake(node->lanes[i]);
	if (tx || old)
		ela_via_follow(peer);
	if (changed)
		ela_peer_tell(peer, ELA_NEWS_WAY);
}

/* ---- life of sessions ---- */

const char *ela_transport_name(const struct ela_node *node, uint32_t number)
{
	return number < node->n_transports ? node->transports[number].instance->loaded->descriptor->name : "relay";
}

struct ela_transport *ela_transport_named(struct ela_node *node, const char *name)
{
	for (uint32_t i = 0; i < node->n_transports; i++)
		if (g_strcmp0(node->transports[i].instance->loaded->descriptor->name, name) == 0)
			return &node->transports[i];
	return NULL;
}

/* Routing hears of those alone that were accepted. */
static void tell_routing(struct ela_peer *peer, uint32_t event)
{
	struct ela_node *node = peer->node;

	if (!peer->guest && node->running) /* else the plugin was stopped before */
		node->routing->loaded->routing.on_link(node->routing->self, peer->number, event);
}

void ela_peer_accepted(struct ela_peer *peer)
{
	peer->guest = false;
	if (peer->up)
		tell_routing(peer, ELA_LINK_UP);
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
	tell_routing(peer, ELA_LINK_UP);
}

static void say_down(struct ela_peer *peer, const char *why)
{
	struct ela_node *node = peer->node;

	if (!peer->up)
		return;
	peer->up = false;
	peer->changed_ns = ela_loop_now(node->loop);
	ela_logf(node->log, ELA_LOG_INFO, "session", "down peer=%s reason=%s", peer->name, why);
	tell_routing(peer, ELA_LINK_DOWN);
	ela_peer_tell(peer, ELA_NEWS_LOST);
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
	struct ela_node *node = peer->node;
	uint64_t now = ela_loop_now(node->loop);
	bool moved, worth_saying, was_silent = peer->silent_ns != 0;
	struct ela_path path;
	uint64_t jitter;

	if (peer->via && !ela_path_is_via(heard))
		ela_peer_tell(peer, ELA_NEWS_CALLED);
	path = ela_peer_wished(peer, heard);
	moved = !peer->tx_shadow || !ela_path_same(&peer->tx_shadow->path, &path);
	worth_saying = moved || was_silent;
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
	if (was_silent)
		ela_peer_tell(peer, ELA_NEWS_WAY);
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

/* Those made until then. */
static void withdraw_offers(struct ela_peer *peer, uint64_t until_ns)
{
	for (uint32_t i = 0; i < ELA_ATTEMPTS; i++)
		if (peer->offers[i].born_ns <= until_ns)
			withdraw(peer, &peer->offers[i]);
}

void ela_peer_install(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path)
{
	/* Both called and both were answered: what the bytewise smaller key began stays, at both ends. */
	if (memcmp(peer->node->public_key, peer->key, ELA_KEY_LEN) < 0)
		withdraw_offers(peer, UINT64_MAX);
	publish_index(peer->node, s);
	/* Shows the responder that the keys work. First, and on a stream before a lane may write: it waits for this. */
	ela_control_keepalive(peer, s, path);
	if (lost_link(peer, s, path))
		return;
	settle_link(peer, path);
	peer->shown = true; /* it has what went there */
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
		/* The other end has ended what they answer, but what it began since: this frame may have been long under way.
		 */
		withdraw_offers(peer, offer.born_ns);
		ela_initiator_cancel(peer);
		if (lost_link(peer, offer.session, &way))
			return;
		settle_link(peer, &way);
		/* Where message 2 went it was read; any other address is only what a datagram says. */
		peer->shown = way.link || ela_path_same(&way, &offer.path);
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
	withdraw_offers(peer, UINT64_MAX);
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
