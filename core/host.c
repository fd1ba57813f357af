/* SPDX-License-Identifier: Apache-2.0 */
/* host: implementation of struct ela_host on the node's loop, log, config and peers. Control thread unless [any]. */
#include "host.h"

#include "link.h"
#include "own.h"
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

static struct ela_instance *instance_of(const struct ela_host *host)
{
	return host->priv;
}

static struct ela_loop *loop_of(const struct ela_host *host)
{
	return instance_of(host)->node->loop;
}

static void host_log(const struct ela_host *host, uint32_t level, const char *text)
{
	const struct ela_instance *instance = instance_of(host);

	ela_logf(instance->node->log, level, instance->loaded->section, "%s", text);
}

static int host_option(const struct ela_host *host, const char *key, uint32_t index, struct ela_value *ret)
{
	const struct ela_instance *instance = instance_of(host);

	return ela_config_option(instance->node->config, instance->loaded, key, index, ret);
}

static uint64_t host_now_ns(const struct ela_host *host)
{
	return ela_loop_now(loop_of(host));
}

static void host_random(const struct ela_host *host, void *buf, uint32_t len)
{
	loop_of(host)->ops->random(loop_of(host), buf, len);
}

static struct ela_timer *host_timer_new(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	return loop_of(host)->ops->timer_new(loop_of(host), fn, data);
}

static struct ela_watch *host_watch_new(
	const struct ela_host *host, int fd, uint32_t events, void (*fn)(void *data, uint32_t events), void *data)
{
	return loop_of(host)->ops->watch_new(loop_of(host), fd, events, fn, data);
}

static uint64_t *host_counters(const struct ela_host *host, uint32_t lane)
{
	struct ela_instance *instance = instance_of(host);

	return instance->counters[lane < ELA_MAX_LANES ? lane : ELA_MAX_LANES];
}

static int host_post(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	return loop_of(host)->ops->post(loop_of(host), fn, data);
}

static void host_conn_event(const struct ela_host *host, uint32_t event, void *conn, const struct ela_addr *remote,
	const struct ela_addr *local, int err)
{
	struct ela_instance *instance = instance_of(host);
	struct ela_node *node = instance->node;

	if (instance->loaded->descriptor->kind == ELA_KIND_TRANSPORT)
		ela_link_event(node, &node->transports[instance->number], event, conn, remote, local, err);
}

/* ---- routing ---- */

/* "10.88.0.2/32" -> entry and its canonical text. */
static bool parse_prefix(const char *text, struct ela_fib_entry *ret)
{
	g_auto(GStrv) parts = g_strsplit(text, "/", 2);
	struct ela_fib_entry e = {0};
	guint64 bits;

	if (!parts[0] || !parts[1])
		return false;
	if (inet_pton(AF_INET, parts[0], e.ip) == 1)
		e.family = ELA_ADDR_IP4;
	else if (inet_pton(AF_INET6, parts[0], e.ip) == 1)
		e.family = ELA_ADDR_IP6;
	else
		return false;
	if (!g_ascii_string_to_unsigned(parts[1], 10, 0, e.family == ELA_ADDR_IP4 ? 32 : 128, &bits, NULL))
		return false;
	e.bits = (uint8_t)bits;
	ela_ip_mask(e.ip, e.family == ELA_ADDR_IP4 ? 4 : 16, e.bits);
	*ret = e;
	return true;
}

static char *prefix_key(const struct ela_fib_entry *e)
{
	char ip[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(e->family == ELA_ADDR_IP4 ? AF_INET : AF_INET6, e->ip, ip, sizeof ip); /* the buffer fits both */
	return g_strdup_printf("%s/%u", ip, e->bits);
}

static void publish_soon(struct ela_node *node)
{
	node->routes_dirty = true;
	node->loop->ops->timer_set(node->soon, ela_loop_now(node->loop));
}

static int host_route_set(const struct ela_host *host, const char *prefix, uint32_t number)
{
	struct ela_node *node = instance_of(host)->node;
	struct ela_peer *peer = ela_peer_by_number(node, number);
	struct ela_fib_entry e;

	if (!parse_prefix(prefix, &e))
		return -EINVAL;
	if (!peer)
		return -ENOENT;
	(void)g_hash_table_replace(node->routes_by_prefix, prefix_key(&e), peer); /* whether it was new does not matter */
	publish_soon(node);
	return 0;
}

static int host_route_del(const struct ela_host *host, const char *prefix)
{
	struct ela_node *node = instance_of(host)->node;
	struct ela_fib_entry e;
	g_autofree char *key = NULL;

	if (!parse_prefix(prefix, &e))
		return -EINVAL;
	key = prefix_key(&e);
	if (!g_hash_table_remove(node->routes_by_prefix, key))
		return -ENOENT;
	publish_soon(node);
	return 0;
}

void ela_node_publish_routes(struct ela_node *node)
{
	GArray *entries = g_array_new(FALSE, TRUE, sizeof(struct ela_fib_entry));
	struct ela_fib *old = atomic_load(&node->routes);
	GHashTableIter iter;
	gpointer key, value;

	g_hash_table_iter_init(&iter, node->routes_by_prefix);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		struct ela_fib_entry e;

		if (parse_prefix(key, &e)) {
			e.peer = value;
			g_array_append_val(entries, e);
		}
	}
	atomic_store(&node->routes, ela_fib_new((const struct ela_fib_entry *)(void *)entries->data, entries->len));
	if (old)
		ela_qsbr_retire(&node->qsbr, free, old);
	(void)g_array_free(entries, TRUE);
	node->routes_dirty = false;
}

static gboolean leads_to(gpointer key, gpointer value, gpointer peer)
{
	(void)key;
	return value == peer;
}

void ela_node_replace_routes(struct ela_node *node, struct ela_peer *peer, char *const *prefixes)
{
	(void)g_hash_table_foreach_remove(node->routes_by_prefix, leads_to, peer); /* there may be none */
	for (; *prefixes; prefixes++)
		(void)g_hash_table_replace(node->routes_by_prefix, g_strdup(*prefixes), peer); /* or another's */
	ela_node_publish_routes(node);
}

void ela_node_forget_routes(struct ela_node *node, const struct ela_peer *peer)
{
	if (g_hash_table_foreach_remove(node->routes_by_prefix, leads_to, (gpointer)(uintptr_t)peer))
		ela_node_publish_routes(node); /* at once: the peer is about to be freed */
}

/* What a neighbour relays is neither direct nor known to be of datagrams. */
static uint32_t peer_flags(const struct ela_peer *peer)
{
	const struct ela_tx *tx = peer->tx_shadow;

	if (!tx || tx->via)
		return 0;
	return tx->link ? ELA_PEER_DIRECT : ELA_PEER_DIRECT | ELA_PEER_DATAGRAM;
}

static int host_peer_next(const struct ela_host *host, uint32_t cursor, struct ela_peer_info *ret)
{
	struct ela_peers *peers = ela_peers_list(instance_of(host)->node);
	const struct ela_peer *best = NULL;

	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i]->number > cursor && (!best || peers->v[i]->number < best->number))
			best = peers->v[i];
	if (!best)
		return -ENOENT;
	*ret = (struct ela_peer_info){
		.peer = best->number,
		.id = best->id,
		.name = best->name,
		.prefixes = (const char *const *)best->config->prefix_texts,
		.n_prefixes = best->config->n_prefixes,
		.flags = peer_flags(best),
	};
	return 0;
}

static int host_message_send(const struct ela_host *host, uint32_t number, const void *bytes, uint32_t len)
{
	struct ela_peer *peer = ela_peer_by_number(instance_of(host)->node, number);

	return peer ? ela_control_routing(peer, bytes, len) : -ENOENT;
}

/* ---- routing with a ring ---- */

static uint32_t host_own_id(const struct ela_host *host)
{
	return ela_own_id(instance_of(host)->node);
}

static bool is_id(uint32_t id)
{
	return id != 0 && id != UINT32_MAX;
}

static int host_record_check(const struct ela_host *host, const void *record, uint32_t len, struct ela_record_info *ret)
{
	struct ela_node *node = instance_of(host)->node;

	if (!node->ring)
		return -EOPNOTSUPP;
	return len > ELA_RECORD_MAX ? -EBADMSG : node->ring->record_check(node, record, len, ret);
}

static int host_record_compare(
	const struct ela_host *host, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	struct ela_node *node = instance_of(host)->node;

	return node->ring ? node->ring->record_compare(node, a, a_len, b, b_len) : -EOPNOTSUPP;
}

static int host_record_set(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	struct ela_node *node = instance_of(host)->node;

	if (!node->ring)
		return -EOPNOTSUPP;
	if (!is_id(id) || !is_id(via))
		return -EINVAL;
	return len > ELA_RECORD_MAX ? -EMSGSIZE : node->ring->record_set(node, id, record, len, via);
}

static int host_record_del(const struct ela_host *host, uint32_t id)
{
	struct ela_node *node = instance_of(host)->node;

	return node->ring ? node->ring->record_del(node, id) : -EOPNOTSUPP;
}

static int host_ring_set(const struct ela_host *host, const uint32_t *ids, uint32_t n)
{
	struct ela_node *node = instance_of(host)->node;

	if (!node->ring)
		return -EOPNOTSUPP;
	for (uint32_t i = 0; i < n; i++)
		if (!is_id(ids[i]) || (i && ids[i] <= ids[i - 1]))
			return -EINVAL;
	return node->ring->ring_set(node, ids, n);
}

/* ---- instances ---- */

static void fill_host(struct ela_instance *instance)
{
	struct ela_loop *loop = instance->node->loop;

	instance->host = (struct ela_host){
		.size = sizeof(struct ela_host),
		.n_lanes = instance->node->n_lanes,
		.log = host_log,
		.option = host_option,
		.now_ns = host_now_ns,
		.random = host_random,
		.timer_new = host_timer_new,
		.timer_set = loop->ops->timer_set,
		.timer_free = loop->ops->timer_free,
		.watch_new = host_watch_new,
		.watch_set = loop->ops->watch_set,
		.watch_free = loop->ops->watch_free,
		.counters = host_counters,
		.post = host_post,
		.conn_event = host_conn_event,
		.route_set = host_route_set,
		.route_del = host_route_del,
		.peer_next = host_peer_next,
		.message_send = host_message_send,
		.own_id = host_own_id,
		.record_check = host_record_check,
		.record_compare = host_record_compare,
		.record_set = host_record_set,
		.record_del = host_record_del,
		.ring_set = host_ring_set,
		.priv = instance,
	};
}

static int create(struct ela_instance *instance)
{
	const struct ela_loaded *loaded = instance->loaded;

	switch (loaded->descriptor->kind) {
	case ELA_KIND_NPD:
		return loaded->npd.create(&instance->host, &instance->self);
	case ELA_KIND_CIPHER:
		return loaded->cipher.create(&instance->host, &instance->self);
	case ELA_KIND_TRANSPORT:
		return loaded->transport.create(&instance->host, &instance->self);
	default:
		return loaded->routing.create(&instance->host, &instance->self);
	}
}

struct ela_instance *ela_instance_new(
	struct ela_node *node, const struct ela_loaded *loaded, uint32_t number, GError **error)
{
	struct ela_instance *instance = g_new0(struct ela_instance, 1);
	/* A cache line each: lanes count side by side. */
	size_t block = (MAX(loaded->descriptor->n_counters, 1) * sizeof(uint64_t) + 63) & ~(size_t)63;
	int err;

	instance->node = node;
	instance->loaded = loaded;
	instance->number = number;
	for (uint32_t i = 0; i <= ELA_MAX_LANES; i++) {
		instance->counters[i] = aligned_alloc(64, block);
		if (!instance->counters[i])
			abort(); /* a few KiB at start */
		memset(instance->counters[i], 0, block);
	}
	fill_host(instance);
	err = create(instance);
	if (err != 0) {
		g_set_error(
			error, ELA_NODE_ERROR, ELA_NODE_FAILED, "%s: cannot be used: %s", loaded->section, g_strerror(-err));
		instance->self = NULL;
		ela_instance_free(instance);
		return NULL;
	}
	return instance;
}

void ela_instance_free(struct ela_instance *instance)
{
	const struct ela_loaded *loaded;

	if (!instance)
		return;
	loaded = instance->loaded;
	switch (loaded->descriptor->kind) {
	case ELA_KIND_NPD:
		loaded->npd.destroy(instance->self);
		break;
	case ELA_KIND_CIPHER:
		loaded->cipher.destroy(instance->self);
		break;
	case ELA_KIND_TRANSPORT:
		loaded->transport.destroy(instance->self);
		break;
	default:
		loaded->routing.destroy(instance->self);
		break;
	}
	for (uint32_t i = 0; i <= ELA_MAX_LANES; i++)
		free(instance->counters[i]);
	g_free(instance);
}
