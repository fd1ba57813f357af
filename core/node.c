/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: puts the parts together and takes them apart; what control does when a lane calls for it, and when time passes.
 * Control thread.
 */
#include "node.h"

#include "classification.h"
#include "dialogue.h"
#include "discovery.h"
#include "host.h"
#include "inet.h"
#include "lane.h"
#include "link.h"
#include "own.h"
#include "peer.h"
#include "ping.h"
#include "pull.h"
#include "resolve.h"
#include "selftest.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GSO_MAX_SEGS 44u /* a superpacket at MTU 1420 then fits one 64 KiB send (design: data path, 4) */
#define DEFAULT_MTU4 1420u
#define DEFAULT_MTU6 1416u
#define UNDERLAY_MTU 1500u
#define LOOK_BUDGET 64u /* datagrams of one lane before timers and others have their turn */
#define TICK_FAST_NS (50 * ELA_MSEC)
#define TICK_ACTIVE_NS (250 * ELA_MSEC)
#define TICK_IDLE_NS ELA_SEC
#define ACTIVE_NS (5 * ELA_SEC)
#define CLOCK_JUMP_NS INT64_C(5000000000)

static void look(struct ela_node *node);

/* ---- attention ---- */

static void woken(void *node)
{
	look(node);
}

void ela_node_attention(struct ela_node *node)
{
	const uint64_t one = 1;

	if (atomic_exchange(&node->attention, 1))
		return;
	if (node->attention_fd >= 0)
		(void)!write(node->attention_fd, &one, sizeof one); /* full means it is awake */
	else
		node->loop->ops->timer_set(node->wake, ela_loop_now(node->loop)); /* virtual time: one thread */
}

void ela_peer_event(struct ela_peer *peer, uint32_t events)
{
	/* Most of the time the bit stands already: one relaxed load. */
	if ((atomic_load_explicit(&peer->events, memory_order_relaxed) & events) == events)
		return;
	(void)atomic_fetch_or(&peer->events, events);
	ela_node_attention(peer->node);
}

bool ela_node_clocks_jumped(struct ela_node *node)
{
	struct ela_loop *loop = node->loop;
	int64_t gap = (int64_t)(loop->ops->wall_ns(loop) - loop->ops->now_ns(loop));
	int64_t jump = gap - atomic_load_explicit(&node->clock_gap_ns, memory_order_relaxed);

	if (__builtin_expect(jump <= CLOCK_JUMP_NS && jump >= -CLOCK_JUMP_NS, 1))
		return false;
	atomic_store(&node->suspended, 1); /* until control has dropped all keys */
	ela_node_attention(node);
	return true;
}

/* True when more wait. */
static bool drain_lane(struct ela_lane *lane)
{
	struct ela_node *node = lane->node;

	for (uint32_t i = 0; i < LOOK_BUDGET; i++) {
		struct ela_ring_slot *slot = ela_ring_peek(lane->up);

		if (!slot)
			return false;
		node->stirred |= slot->data[1] != ELA_TYPE_MESSAGE;
		if (slot->data[1] == ELA_TYPE_MESSAGE)
			ela_control_input(node, &slot->path, slot->data, slot->len);
		else if (node->discovery && ela_greeting_is(slot->data, slot->len))
			ela_discovery_hello(node->discovery, &slot->path, slot->data, slot->len);
		else if (slot->data[1] == ELA_TYPE_PROBE)
			(void)ela_classify_probe(node, &slot->path, slot->data, slot->len); /* it is never answered */
		else
			(void)ela_handshake_input(node, &slot->path, slot->data, slot->len); /* an attached link stays */
		ela_ring_pop(lane->up);
	}
	return true;
}

/* Its stream connection ended: no session ends by that, but there is no way to send. */
static void link_down(struct ela_peer *peer)
{
	struct ela_link *link = peer->link;

	if (!link || link->state != ELA_LINK_ATTACHED || !atomic_load(&link->failed))
		return;
	ela_link_close(link);
	ELA_COUNT(peer->node, LINKS_LOST, 1);
	ela_logf_limited(
		peer->node->log, ela_loop_now(peer->node->loop), ELA_LOG_INFO, "link", "closed peer=%s", peer->name);
	ela_initiator_cancel(peer);
	ela_initiate(peer);
	ela_peer_tell(peer, ELA_NEWS_LOST);
}

static void local_gone(struct ela_peer *peer)
{
	struct ela_tx *tx = peer->tx_shadow;
	struct ela_path path;

	if (!tx || tx->path.local.family == ELA_ADDR_NONE)
		return;
	path = tx->path;
	path.local = (struct ela_addr){0};
	ela_peer_publish(peer, tx->session, &path);
}

static void want(struct ela_peer *peer)
{
	uint64_t now = ela_loop_now(peer->node->loop);

	if (peer->tx_shadow && now < peer->tx_shadow->session->dead_ns)
		return;
	if (peer->retry_ns && now - peer->last_init_ns < ELA_SEC)
		return; /* under way */
	peer->backoff_ns = 0;
	ela_peer_resolve(peer);
	ela_initiate(peer);
}

static void take_events(struct ela_peer *peer)
{
	uint32_t events = atomic_exchange(&peer->events, 0);

	peer->node->stirred = true;
	if (events & ELA_PEER_OPENED)
		ela_peer_confirm(peer, NULL, NULL);
	if (events & ELA_PEER_LINK_DOWN)
		link_down(peer);
	if (events & ELA_PEER_LOCAL_GONE)
		local_gone(peer);
	if (events & ELA_PEER_CANDIDATE)
		ela_control_challenge(peer);
	if (events & ELA_PEER_TOO_BIG)
		ela_pmtu_too_big(peer);
	if ((events & ELA_PEER_REKEY) && peer->current && !peer->rekeying) {
		peer->rekeying = true;
		ela_initiator_cancel(peer);
		ela_initiate(peer);
	}
	if (events & ELA_PEER_WANT)
		want(peer);
}

/* The clocks jumped apart: a snapshot was restored, so every (key, counter) may have been used. */
static void drop_all_keys(struct ela_node *node)
{
	struct ela_peers *peers = ela_peers_list(node);
	struct ela_loop *loop = node->loop;

	node->jumped_ns = ela_loop_now(loop);
	node->jumps++;
	ela_logf(node->log, ELA_LOG_WARN, "session", "clocks-jumped action=\"all session keys dropped\"");
	for (uint32_t i = 0; i < peers->n; i++) {
		ela_peer_reset(peers->v[i]);
		ela_initiate(peers->v[i]);
	}
	atomic_store(&node->clock_gap_ns, (int64_t)(loop->ops->wall_ns(loop) - loop->ops->now_ns(loop)));
	atomic_store(&node->suspended, 0);
}

static void tick_at(struct ela_node *node, uint64_t at_ns)
{
	if (node->tick_at_ns && node->tick_at_ns <= at_ns)
		return;
	node->tick_at_ns = at_ns;
	node->loop->ops->timer_set(node->tick, at_ns);
}

void ela_node_tick_soon(struct ela_node *node)
{
	tick_at(node, ela_loop_now(node->loop) + TICK_FAST_NS);
}

static void say_device_error(struct ela_node *node)
{
	int err = atomic_exchange(&node->device_err, 0);

	if (err != 0)
		ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_ERROR, "node",
			"device-failed device=%s reason=\"%s\" remedy=\"restart elad\"", node->npd_info.name, g_strerror(-err));
}

static void look(struct ela_node *node)
{
	struct ela_peers *peers;
	bool more = false;

	atomic_store(&node->attention, 0); /* first: what comes later wakes again */
	if (!node->running)
		return;
	node->stirred = atomic_load(&node->suspended) != 0;
	for (uint32_t i = 0; i < node->n_lanes; i++)
		more |= drain_lane(node->lanes[i]);
	if (atomic_load(&node->suspended))
		drop_all_keys(node);
	say_device_error(node);
	peers = ela_peers_list(node);
	for (uint32_t i = 0; i < peers->n; i++)
		if (atomic_load_explicit(&peers->v[i]->events, memory_order_relaxed))
			take_events(peers->v[i]);
	ela_links_reap(node);
	if (more)
		ela_node_attention(node);
	if (node->stirred)
		ela_node_tick_soon(node);
}

static void attention_ready(void *data, uint32_t events)
{
	struct ela_node *node = data;
	uint64_t count;

	(void)events;
	(void)!read(node->attention_fd, &count, sizeof count); /* empty is as good */
	look(node);
}

/* ---- time ---- */

static void push_commands(struct ela_node *node)
{
	for (uint32_t i = 0; i < node->n_lanes; i++)
		if (!g_queue_is_empty(&node->pending_commands[i]))
			ela_lane_push_pending(node->lanes[i]);
}

static void tick(void *data)
{
	struct ela_node *node = data;
	struct ela_peers *peers = ela_peers_list(node);
	uint64_t now = ela_loop_now(node->loop), interval;
	bool busy = false;

	node->tick_at_ns = 0;
	for (uint32_t i = 0; i < peers->n; i++)
		busy |= ela_control_tick(peers->v[i], now);
	push_commands(node);
	ela_links_reap(node);
	busy |= ela_qsbr_poll(&node->qsbr);
	interval = busy ? TICK_FAST_NS : now - node->active_ns < ACTIVE_NS ? TICK_ACTIVE_NS : TICK_IDLE_NS;
	tick_at(node, now + interval);
}

static void soon(void *data)
{
	struct ela_node *node = data;

	if (node->routes_dirty)
		ela_node_publish_routes(node);
	ela_forward_publish(node);
	(void)ela_qsbr_poll(&node->qsbr); /* what still waits, the tick looks at */
}

/* ---- making ---- */

static bool make_identity(struct ela_node *node, GError **error)
{
	memcpy(node->network_id, node->config->network_id, sizeof node->network_id);
	memcpy(node->private_key, node->config->private_key, ELA_KEY_LEN);
	if (ela_x25519_public(node->private_key, node->public_key) != 0 ||
		ela_handshake_mac1_key(node->network_id, node->public_key, node->mac1_key) != 0 ||
		ela_cookie_key(node->network_id, node->public_key, node->cookie_key) != 0 ||
		ela_handshake_network_key(node->network_id, node->xx_key) != 0 ||
		ela_own_take(node, &node->config->address4, &node->config->address6) != 0) {
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "the cryptographic library failed");
		return false;
	}
	return true;
}

/* False when a handshake message could not hold one more. */
static bool name_suite(struct ela_node *node, const char *name)
{
	if (node->n_suites == G_N_ELEMENTS(node->suites))
		return false;
	if (node->n_suites)
		(void)g_strlcat(node->suite_names, ",", sizeof node->suite_names); /* the name behind it tells */
	return g_strlcat(node->suite_names, name, sizeof node->suite_names) < sizeof node->suite_names;
}

static bool add_suites(
	struct ela_node *node, struct ela_cipher *cipher, const struct ela_loaded *loaded, GError **error)
{
	for (uint32_t i = 0; i < cipher->ops->n_suites; i++) {
		const struct ela_suite *suite = (const struct ela_suite *)(const void *)((const char *)cipher->ops->suites +
																				 (size_t)i * cipher->ops->suite_size);
		bool known = false;
		char why[256];

		for (uint32_t k = 0; k < node->n_suites; k++)
			known |= strcmp(node->suites[k].suite->name, suite->name) == 0;
		if (known)
			continue; /* the plugin named first provides it */
		if (ela_cipher_selftest(loaded, cipher->self, i, why, sizeof why) != 0) {
			g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "%s: refused: %s", loaded->section, why);
			return false;
		}
		if (suite->flags & ELA_SUITE_WEAK)
			ela_logf(node->log, ELA_LOG_WARN, "session", "weak-suite suite=%s plugin=%s advice=\"use aes-256-gcm\"",
				suite->name, loaded->section);
		if (!name_suite(node, suite->name)) {
			g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED,
				"%s: one suite too many: %s does not fit into a handshake", loaded->section, suite->name);
			return false;
		}
		node->suites[node->n_suites++] = (struct ela_node_suite){suite, i, cipher};
	}
	return true;
}

static bool make_ciphers(struct ela_node *node, GError **error)
{
	uint32_t n = 0;

	while (node->config->ciphers[n])
		n++;
	node->cipher_instances = g_new0(struct ela_instance *, n + 1);
	node->ciphers = g_new0(struct ela_cipher, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct ela_loaded *loaded = node->config->ciphers[i];

		node->cipher_instances[i] = ela_instance_new(node, loaded, i, error);
		if (!node->cipher_instances[i])
			return false;
		node->ciphers[i] = (struct ela_cipher){&loaded->cipher, node->cipher_instances[i]->self, loaded->section};
		if (!add_suites(node, &node->ciphers[i], loaded, error))
			return false;
	}
	return true;
}

static bool make_transports(struct ela_node *node, GError **error)
{
	uint32_t n = 0;

	while (node->config->transports[n])
		n++;
	node->transport_instances = g_new0(struct ela_instance *, n + 1);
	node->transports = g_new0(struct ela_transport, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct ela_loaded *loaded = node->config->transports[i];
		struct ela_transport *t = &node->transports[i];

		(void)pthread_mutex_init(&t->send_lock, NULL); /* cannot fail with default attributes on Linux */
		node->n_transports++;
		t->number = i;
		t->ops = &loaded->transport;
		t->instance = node->transport_instances[i] = ela_instance_new(node, loaded, i, error);
		if (!t->instance)
			return false;
		t->self = t->instance->self;
		t->ops->info(t->self, &t->info);
	}
	return true;
}

/* The most that a session adds to a packet, over all suites in use. */
static uint32_t largest_overhead(const struct ela_node *node)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < node->n_suites; i++)
		most = MAX(most, node->suites[i].suite->overhead);
	return most + ELA_FRAME_HEAD;
}

static bool any_endpoint6(const struct ela_config *config)
{
	for (uint32_t i = 0; i < config->n_peers; i++)
		for (uint32_t k = 0; k < config->peers[i].n_endpoints; k++)
			if (config->peers[i].endpoints[k].addr.family == ELA_ADDR_IP6)
				return true;
	return false;
}

/* The device MTU: as set, if every configured path kind can carry it on an Ethernet underlay, else the default. */
static bool choose_mtu(struct ela_node *node, GError **error)
{
	const struct ela_config *config = node->config;
	bool v6 = any_endpoint6(config);
	struct ela_value value;
	uint32_t largest = UINT16_MAX;
	g_autofree char *text = NULL;

	for (uint32_t i = 0; i < node->n_transports; i++) {
		const struct ela_transport_info *info = &node->transports[i].info;

		if ((info->caps & ELA_TRANSPORT_DATAGRAM) && (info->caps & ELA_TRANSPORT_IP))
			largest = MIN(largest, UNDERLAY_MTU - (v6 ? info->overhead6 : info->overhead4) - largest_overhead(node));
	}
	if (ela_config_option(config, config->npd, "mtu", 0, &value) != 0) {
		node->mtu = MIN(v6 ? DEFAULT_MTU6 : DEFAULT_MTU4, largest);
		return true;
	}
	node->mtu = (uint32_t)value.num;
	if (node->mtu <= largest)
		return true;
	text = ela_config_error(config, config->npd->section, "mtu",
		"%u does not fit into %u-byte underlay packets with this cipher and transport; expected at most %u", node->mtu,
		UNDERLAY_MTU, largest);
	g_set_error(error, ELA_NODE_ERROR, ELA_NODE_CONFIG, "%s", text);
	return false;
}

static uint32_t choose_lanes(const struct ela_config *config)
{
	uint32_t cpus = g_get_num_processors();

	if (config->lanes)
		return config->lanes;
	return cpus <= 2 ? 1 : MIN(cpus - 1, 8);
}

static struct ela_node *alloc_node(
	const struct ela_config *config, struct ela_loop *loop, struct ela_log *log, uint32_t flags)
{
	struct ela_node *node = aligned_alloc(64, (sizeof *node + 63) & ~(size_t)63);

	if (!node)
		return NULL;
	memset(node, 0, sizeof *node);
	node->config = config;
	node->loop = loop;
	node->log = log;
	node->flags = flags;
	node->attention_fd = -1;
	node->n_lanes = choose_lanes(config);
	ela_qsbr_init(&node->qsbr, node->n_lanes);
	node->links = g_ptr_array_new();
	node->pings = g_ptr_array_new();
	node->started_ns = ela_loop_now(loop);
	node->routes_by_prefix = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	node->wake = loop->ops->timer_new(loop, woken, node);
	node->tick = loop->ops->timer_new(loop, tick, node);
	node->soon = loop->ops->timer_new(loop, soon, node);
	node->dialogue = ela_dialogue_new(node);
	node->puller = ela_puller_new(node);
	node->classification = ela_classification_new(node);
	atomic_store(&node->peers, g_new0(struct ela_peers, 1));
	atomic_store(&node->clock_gap_ns, (int64_t)(loop->ops->wall_ns(loop) - loop->ops->now_ns(loop)));
	for (uint32_t i = 0; i < ELA_MAX_LANES; i++)
		g_queue_init(&node->pending_commands[i]);
	ela_node_publish_routes(node);
	return node;
}

struct ela_node *ela_node_new(
	const struct ela_config *config, struct ela_loop *loop, struct ela_log *log, uint32_t flags, GError **error)
{
	struct ela_node *node = alloc_node(config, loop, log, flags);

	if (!node) {
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "out of memory");
		return NULL;
	}
	if (make_identity(node, error) && make_ciphers(node, error) && make_transports(node, error) &&
		choose_mtu(node, error) && (node->npd = ela_instance_new(node, config->npd, 0, error)) != NULL &&
		(node->routing = ela_instance_new(node, config->routing, 0, error)) != NULL)
		return node;
	ela_node_free(node);
	return NULL;
}

/* ---- starting ---- */

/* What a peer is given beyond our own networks is reached through the device by a route of its own. */
static bool open_device(struct ela_node *node, GError **error)
{
	const struct ela_config *config = node->config;
	g_auto(GStrv) addresses = ela_own_texts(ela_own(node));
	struct ela_npd_config npd = {
		.addresses = (const char *const *)addresses,
		.n_addresses = g_strv_length(addresses),
		.n_queues = node->n_lanes,
		.mtu = node->mtu,
		.gso_max_segs = GSO_MAX_SEGS,
	};
	g_autoptr(GStrvBuilder) routes = g_strv_builder_new();
	int err;

	for (uint32_t i = 0; i < config->n_peers; i++)
		for (uint32_t k = 0; k < config->peers[i].n_prefixes; k++)
			if (ela_prefix_is_beyond(config, &config->peers[i].prefixes[k]))
				g_strv_builder_add(routes, config->peers[i].prefix_texts[k]);
	node->device_routes = g_strv_builder_end(routes);
	npd.routes = (const char *const *)node->device_routes;
	npd.n_routes = g_strv_length(node->device_routes);
	err = node->npd->loaded->npd.open(node->npd->self, &npd, &node->npd_info);
	if (err == 0)
		return true;
	g_set_error(error, ELA_NODE_ERROR, err == -EPERM || err == -EACCES ? ELA_NODE_PERMISSION : ELA_NODE_FAILED,
		"%s: cannot open the device: %s", node->npd->loaded->section, g_strerror(-err));
	return false;
}

static void stop_transports(struct ela_node *node, uint32_t n)
{
	while (n-- > 0)
		node->transports[n].ops->stop(node->transports[n].self);
}

static bool start_transports(struct ela_node *node, GError **error)
{
	for (uint32_t i = 0; i < node->n_transports; i++) {
		struct ela_transport *t = &node->transports[i];
		int err = t->ops->start(t->self, node->n_lanes);

		if (err != 0) {
			g_set_error(error, ELA_NODE_ERROR, err == -EPERM || err == -EACCES ? ELA_NODE_PERMISSION : ELA_NODE_FAILED,
				"%s: cannot listen: %s", t->instance->loaded->section, g_strerror(-err));
			stop_transports(node, i);
			return false;
		}
		t->ops->info(t->self, &t->info);
		t->burst = CLAMP(t->info.burst, 1, ELA_BURST);
	}
	return true;
}

/* A lane needs a device queue of its own: with fewer queues there are fewer lanes. */
static bool match_lanes(struct ela_node *node, GError **error)
{
	if (node->npd_info.n_queues >= node->n_lanes)
		return true;
	ela_logf(
		node->log, ELA_LOG_INFO, "node", "fewer-queues lanes=%u queues=%u", node->n_lanes, node->npd_info.n_queues);
	node->n_lanes = MAX(node->npd_info.n_queues, 1);
	node->qsbr.n_lanes = node->n_lanes;
	stop_transports(node, node->n_transports);
	return start_transports(node, error);
}

bool ela_node_start_devices(struct ela_node *node, GError **error)
{
	/* Sockets first: a second elad on the same ports fails before it touches a device. */
	if (!start_transports(node, error))
		return false;
	node->devices_open = true;
	if (open_device(node, error) && match_lanes(node, error))
		return true;
	ela_node_stop(node);
	return false;
}

static bool make_lanes(struct ela_node *node, GError **error)
{
	for (uint32_t i = 0; i < node->n_lanes; i++) {
		int err;

		node->lanes[i] = ela_lane_new(node, i);
		err = node->lanes[i] ? ela_lane_prepare(node->lanes[i]) : -ENOMEM;
		if (err != 0) {
			g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "cannot make lane %u: %s", i, g_strerror(-err));
			return false;
		}
	}
	return true;
}

static bool watch_attention(struct ela_node *node, GError **error)
{
	if (!(node->flags & ELA_NODE_THREADS))
		return true;
	node->attention_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (node->attention_fd < 0) {
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "cannot make an eventfd: %s", g_strerror(errno));
		return false;
	}
	node->attention_watch =
		node->loop->ops->watch_new(node->loop, node->attention_fd, ELA_EVENT_READ, attention_ready, node);
	return true;
}

/* Virtual time has no threads to ask on. */
static bool make_resolver(struct ela_node *node, GError **error)
{
	if (!(node->flags & ELA_NODE_THREADS))
		return true;
	node->resolver = ela_resolver_new(node->loop);
	if (!node->resolver)
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "cannot make an eventfd: %s", g_strerror(errno));
	return node->resolver != NULL;
}

bool ela_node_start(struct ela_node *node, GError **error)
{
	struct ela_peers *peers;

	if (!make_lanes(node, error) || !watch_attention(node, error))
		return false;
	node->responder = ela_responder_new(node);
	if (!make_resolver(node, error))
		return false;
	if (!ela_peers_apply(node, node->config, error))
		return false;
	node->running = true;
	if (node->routing->loaded->routing.start(node->routing->self) != 0) {
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "%s: cannot start", node->routing->loaded->section);
		return false;
	}
	ela_node_publish_routes(node);
	for (uint32_t i = 0; i < node->n_lanes && (node->flags & ELA_NODE_THREADS); i++)
		ela_lane_start(node->lanes[i]);
	peers = ela_peers_list(node);
	for (uint32_t i = 0; i < peers->n; i++)
		ela_initiate(peers->v[i]);
	ela_node_tick_soon(node);
	return true;
}

/* ---- stopping ---- */

static void stop_running(struct ela_node *node)
{
	if (node->running)
		node->routing->loaded->routing.stop(node->routing->self);
	node->running = false;
	ela_pings_end(node);
	for (uint32_t i = 0; i < node->n_lanes; i++)
		if (node->lanes[i])
			ela_lane_stop(node->lanes[i]);
	if (node->responder) {
		struct ela_peers *peers = ela_peers_list(node);

		for (uint32_t i = 0; i < peers->n; i++)
			ela_peer_reset(peers->v[i]);
	}
	ela_links_free(node);
	ela_qsbr_drain(&node->qsbr);
}

void ela_node_stop(struct ela_node *node)
{
	stop_running(node);
	node->loop->ops->watch_free(node->attention_watch);
	node->attention_watch = NULL;
	if (node->attention_fd >= 0)
		(void)close(node->attention_fd);
	node->attention_fd = -1;
	node->loop->ops->timer_set(node->wake, 0);
	node->loop->ops->timer_set(node->tick, 0);
	node->loop->ops->timer_set(node->soon, 0);
	if (!node->devices_open)
		return;
	node->devices_open = false;
	stop_transports(node, node->n_transports);
	node->npd->loaded->npd.close(node->npd->self);
}

static void free_instances(struct ela_instance **instances)
{
	for (uint32_t i = 0; instances && instances[i]; i++)
		ela_instance_free(instances[i]);
	g_free(instances);
}

void ela_node_free(struct ela_node *node)
{
	if (!node)
		return;
	ela_node_stop(node);
	for (uint32_t i = 0; i < node->n_lanes; i++)
		ela_lane_free(node->lanes[i]);
	ela_classification_free(node->classification);
	ela_puller_free(node->puller);
	ela_dialogue_free(node->dialogue);
	ela_peers_free(node);
	ela_qsbr_drain(&node->qsbr);
	ela_resolver_free(node->resolver);
	ela_responder_free(node->responder);
	ela_instance_free(node->routing);
	ela_instance_free(node->npd);
	for (uint32_t i = 0; i < node->n_transports; i++)
		(void)pthread_mutex_destroy(&node->transports[i].send_lock); /* nobody holds it */
	free_instances(node->transport_instances);
	free_instances(node->cipher_instances);
	g_free(node->transports);
	g_free(node->ciphers);
	for (uint32_t i = 0; i < ELA_MAX_LANES; i++)
		g_queue_clear_full(&node->pending_commands[i], g_free);
	node->loop->ops->timer_free(node->wake);
	node->loop->ops->timer_free(node->tick);
	node->loop->ops->timer_free(node->soon);
	g_hash_table_unref(node->routes_by_prefix);
	g_ptr_array_unref(node->links);
	g_ptr_array_unref(node->pings);
	ela_own_free(node);
	free(atomic_load(&node->routes));
	free(atomic_load(&node->sources));
	ela_forward_free(node);
	g_strfreev(node->device_routes);
	ela_wipe(node, sizeof *node);
	free(node);
}

bool ela_node_turn(struct ela_node *node)
{
	bool did = false;

	if (!node->running)
		return false;
	for (guint i = 0; i < node->links->len; i++) {
		struct ela_link *link = g_ptr_array_index(node->links, i);

		if (link->state == ELA_LINK_GREETING && !link->watch)
			did |= ela_link_poll_greeting(link);
	}
	for (uint32_t i = 0; i < node->n_lanes; i++)
		did |= ela_lane_turn(node->lanes[i]);
	return did;
}
