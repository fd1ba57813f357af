/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers: the set of a node's peers: those that ela.ini names, and those that control made of what members said of
 * themselves; their endpoints, and whose address is whose. Control thread; lanes read lists that are never changed.
 */
#include "peer.h"

#include "crypto.h"
#include "dialogue.h"
#include "handshake.h"
#include "host.h"
#include "inet.h"
#include "own.h"
#include "resolve.h"

#include <errno.h>
#include <stdlib.h>

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

/* ---- endpoints ---- */

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

static void free_made(struct ela_config_peer *made)
{
	if (made)
		ela_config_peer_clear(made);
	g_free(made);
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
	free_made(peer->made);
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

/* What is known of the peer is new. */
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

static struct ela_peer *new_peer(struct ela_node *node, const char *name, const uint8_t key[ELA_KEY_LEN], uint32_t id)
{
	struct ela_peer *peer = g_new0(struct ela_peer, 1);

	peer->node = node;
	peer->number = ++node->next_peer_number;
	peer->changed_ns = ela_loop_now(node->loop);
	peer->name = g_strdup(name);
	peer->names = g_ptr_array_new_with_free_func(free_name);
	memcpy(peer->key, key, ELA_KEY_LEN);
	atomic_init(&peer->id, id);
	atomic_init(&peer->tx, NULL);
	if (ela_handshake_mac1_key(node->network_id, peer->key, peer->mac1_key) == 0 &&
		ela_cookie_key(node->network_id, peer->key, peer->cookie_key) == 0)
		return peer;
	free_peer(peer);
	return NULL;
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

/* ---- the list ---- */

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

/* Lanes read fresh from now on. TAKES it. */
static void publish(struct ela_node *node, struct ela_peers *fresh)
{
	struct ela_peers *old = ela_peers_list(node);

	atomic_store(&node->peers, fresh);
	publish_sources(node, fresh);
	ela_qsbr_retire(&node->qsbr, g_free, old);
}

static void remove_peer(struct ela_node *node, struct ela_peer *peer)
{
	g_ptr_array_set_size(peer->names, 0); /* cancels its look-ups */
	ela_peer_reset(peer);
	ela_dialogue_forget(peer);
	ela_node_forget_routes(node, peer);
	ela_forward_forget(node, peer);
	ela_via_forget(node, peer);
	ela_peer_tell(peer, ELA_NEWS_GONE);
	ela_qsbr_retire(&node->qsbr, free_peer, peer);
}

static bool has_peer(const struct ela_peers *peers, const struct ela_peer *peer)
{
	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i] == peer)
			return true;
	return false;
}

static struct ela_peer *of_section(
	struct ela_node *node, const struct ela_peers *old, const struct ela_config_peer *c, GError **error)
{
	struct ela_peer *peer = find_same(node, old, c);
	uint32_t id;

	if (!peer && ela_node_id(node->network_id, c->address4, &id) == 0)
		peer = new_peer(node, c->name, c->public_key, id);
	if (!peer)
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "peer %s: the cryptographic library failed", c->name);
	return peer;
}

/*
 * The peers of config: those of old that go on, the others new; and those that no configuration names. NULL: none was
 * made, and old is as it was.
 */
static struct ela_peers *match_peers(
	struct ela_node *node, const struct ela_peers *old, const struct ela_config *config, GError **error)
{
	struct ela_peers *fresh = g_malloc0(sizeof *fresh + (config->n_peers + old->n) * sizeof fresh->v[0]);

	while (fresh->n < config->n_peers) {
		struct ela_peer *peer = of_section(node, old, &config->peers[fresh->n], error);

		if (!peer)
			break;
		fresh->v[fresh->n++] = peer;
	}
	for (uint32_t i = 0; fresh->n >= config->n_peers && i < old->n; i++)
		if (old->v[i]->made)
			fresh->v[fresh->n++] = old->v[i];
	if (fresh->n >= config->n_peers)
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
	for (uint32_t i = 0; i < config->n_peers; i++)
		set_config(fresh->v[i], &config->peers[i]); /* from here on nothing can fail */
	publish(node, fresh);                           /* old stays until lanes and this function are done with it */
	for (uint32_t i = 0; i < old->n; i++)           /* all of them first: one may be the neighbour of another */
		if (!has_peer(fresh, old->v[i]))
			ela_peer_reset(old->v[i]);
	for (uint32_t i = 0; i < old->n; i++)
		if (!has_peer(fresh, old->v[i]))
			remove_peer(node, old->v[i]);
	return true;
}

/* ---- peers that no configuration names ---- */

static void add_prefix(struct ela_config_peer *made, GStrvBuilder *texts, const struct ela_addr *addr)
{
	struct ela_prefix *p = &made->prefixes[made->n_prefixes];
	char text[ELA_INET_TEXT];

	if (addr->family == ELA_ADDR_NONE)
		return;
	*p = (struct ela_prefix){.addr = *addr, .bits = addr->family == ELA_ADDR_IP4 ? 32 : 128};
	p->addr.port = 0;
	ela_inet_prefix_text(p, text);
	g_strv_builder_add(texts, text);
	made->n_prefixes++;
}

/* What a section of ela.ini would say of it. Transports: all, in the node's order. */
static struct ela_config_peer *make_config(
	const struct ela_node *node, const struct ela_peer_spec *spec, const uint8_t key[ELA_KEY_LEN])
{
	struct ela_config_peer *made = g_new0(struct ela_config_peer, 1);
	g_autoptr(GStrvBuilder) texts = g_strv_builder_new(), transports = g_strv_builder_new();

	made->name = g_strdup(spec->name);
	memcpy(made->public_key, key, ELA_KEY_LEN);
	memcpy(made->address4, spec->ip4.ip, sizeof made->address4);
	made->prefixes = g_new0(struct ela_prefix, 2);
	add_prefix(made, texts, &spec->ip4);
	add_prefix(made, texts, &spec->ip6);
	made->prefix_texts = g_strv_builder_end(texts);
	made->endpoints = g_new0(struct ela_endpoint, spec->n_endpoints);
	made->n_endpoints = spec->n_endpoints;
	for (uint32_t i = 0; i < spec->n_endpoints; i++)
		made->endpoints[i] = (struct ela_endpoint){.addr = spec->endpoints[i], .port = spec->endpoints[i].port};
	for (uint32_t i = 0; i < node->n_transports; i++)
		g_strv_builder_add(transports, node->transports[i].instance->loaded->descriptor->name);
	made->transports = g_strv_builder_end(transports);
	made->keepalive_ns = spec->keepalive_ns;
	return made;
}

/* 0 with the ID that goes with its address, 0 without one; -EINVAL, -EEXIST: it is ours, or another peer's. */
static int check_spec(
	struct ela_node *node, const struct ela_peer_spec *spec, const struct ela_peer *self, uint32_t *ret_id)
{
	const struct ela_peers *peers = ela_peers_list(node);
	uint32_t id = 0;

	if (spec->ip4.family == ELA_ADDR_NONE ? spec->ip6.family != ELA_ADDR_NONE
										  : spec->ip4.family != ELA_ADDR_IP4 ||
												(spec->ip6.family != ELA_ADDR_NONE && spec->ip6.family != ELA_ADDR_IP6))
		return -EINVAL;
	if (spec->ip4.family != ELA_ADDR_NONE && ela_node_id(node->network_id, spec->ip4.ip, &id) != 0)
		return -EINVAL;
	for (uint32_t i = 0; id != 0 && i < peers->n; i++)
		if (peers->v[i] != self && peers->v[i]->id == id)
			return -EEXIST;
	if (id != 0 && id == ela_own_id(node))
		return -EEXIST;
	*ret_id = id;
	return 0;
}

/* Takes made in place of what was known. */
static void become(struct ela_peer *peer, struct ela_config_peer *made, uint32_t id)
{
	struct ela_config_peer *old = peer->made;

	g_free(peer->name);
	peer->name = g_strdup(made->name);
	atomic_store(&peer->id, id);
	peer->made = made;
	set_config(peer, made);
	free_made(old);
}

int ela_peer_add(
	struct ela_node *node, const uint8_t key[ELA_KEY_LEN], const struct ela_peer_spec *spec, struct ela_peer **ret)
{
	const struct ela_peers *old = ela_peers_list(node);
	struct ela_peers *fresh;
	struct ela_peer *peer;
	uint32_t id;
	int err;

	if (memcmp(key, node->public_key, ELA_KEY_LEN) == 0)
		return -EINVAL;
	if (ela_peer_by_key(node, key))
		return -EEXIST;
	if (old->n >= ELA_MAX_PEERS)
		return -ENOSPC;
	err = check_spec(node, spec, NULL, &id);
	if (err != 0)
		return err;
	peer = new_peer(node, spec->name, key, id);
	if (!peer)
		return -EIO;
	become(peer, make_config(node, spec, key), id);
	fresh = g_malloc0(sizeof *fresh + (old->n + 1) * sizeof fresh->v[0]);
	memcpy(fresh->v, old->v, old->n * sizeof old->v[0]);
	fresh->n = old->n + 1;
	fresh->v[old->n] = peer;
	publish(node, fresh);
	ela_node_replace_routes(node, peer, peer->made->prefix_texts); /* core's: nobody else knows its address */
	*ret = peer;
	return 0;
}

int ela_peer_change(struct ela_peer *peer, const struct ela_peer_spec *spec)
{
	struct ela_node *node = peer->node;
	uint32_t id;
	int err;

	if (!peer->made)
		return -EINVAL;
	err = check_spec(node, spec, peer, &id);
	if (err != 0)
		return err;
	if (peer->id != id && peer->id != 0)
		ela_peer_reset(peer); /* what was agreed names the old ID; a new handshake is a round trip */
	become(peer, make_config(node, spec, peer->key), id);
	publish_sources(node, ela_peers_list(node));
	ela_node_replace_routes(node, peer, peer->made->prefix_texts); /* core's: nobody else knows its address */
	return 0;
}

void ela_peer_keep(struct ela_peer *peer, uint64_t keepalive_ns)
{
	if (peer->made)
		peer->made->keepalive_ns = keepalive_ns;
}

void ela_peer_drop(struct ela_peer *peer)
{
	struct ela_node *node = peer->node;
	const struct ela_peers *old = ela_peers_list(node);
	struct ela_peers *fresh = g_malloc0(sizeof *fresh + old->n * sizeof fresh->v[0]);

	for (uint32_t i = 0; i < old->n; i++)
		if (old->v[i] != peer)
			fresh->v[fresh->n++] = old->v[i];
	publish(node, fresh);
	remove_peer(node, peer);
}

void ela_peers_free(struct ela_node *node)
{
	struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; i < peers->n; i++)
		remove_peer(node, peers->v[i]);
	atomic_store(&node->peers, NULL);
	g_free(peers);
}
