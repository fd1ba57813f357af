/* SPDX-License-Identifier: Apache-2.0 */
/* tell: status and peers. Control thread. What a static network has not (role, user, list) is null. */
#include "tell.h"

#include "inet.h"
#include "json.h"
#include "network.h"
#include "own.h"

#define MISSES 3u       /* control.c: silent */
#define LOSS_FRAMES 16u /* fewer say nothing of loss */

const char *ela_tell_state(const struct ela_peer *peer)
{
	if (peer->tx_shadow)
		return peer->misses >= MISSES ? "silent" : "up";
	return peer->config->n_endpoints ? "calling" : "waiting";
}

static void put_id(GString *text, const char *key, uint32_t id)
{
	char hex[9];

	(void)g_snprintf(hex, sizeof hex, "%08x", id); /* 8 digits fit */
	ela_json_put(text, key, hex);
}

static void put_addr(GString *text, const char *key, const struct ela_addr *addr)
{
	char out[ELA_INET_TEXT];

	if (addr->family == ELA_ADDR_NONE) {
		ela_json_put_null(text, key);
		return;
	}
	ela_inet_addr_text(addr, out);
	ela_json_put(text, key, out);
}

static void put_nulls(GString *text, const char *const *keys)
{
	for (; *keys; keys++)
		ela_json_put_null(text, *keys);
}

/* ---- the node ---- */

static void tell_list(const struct ela_network_view *view, GString *text)
{
	if (view->version == 0) {
		ela_json_put_null(text, "list");
		return;
	}
	ela_json_open(text, "list", '{');
	ela_json_put_count(text, "epoch", view->epoch);
	ela_json_put_count(text, "version", view->version);
	ela_json_put_count(text, "valid_until", view->valid_until_s);
	ela_json_put_count(text, "neighbours", view->n_neighbours);
	ela_json_put_count(text, "held_by", view->n_holders);
	ela_json_close(text, '}');
}

static void tell_network(struct ela_node *node, const struct ela_network_view *view, GString *text)
{
	struct ela_prefix prefix = node->config->has_ring ? node->config->network_prefix : ela_own(node)->ip4;
	bool is_known = prefix.addr.family != ELA_ADDR_NONE;
	char out[ELA_INET_TEXT] = "";

	if (is_known) {
		ela_inet_prefix_mask(&prefix);
		ela_inet_prefix_text(&prefix, out);
	}
	ela_json_open(text, "network", '{');
	ela_json_put(text, "name", node->config->network_name);
	put_id(text, "id", ela_get32(node->network_id));
	ela_json_put(text, "prefix", is_known ? out : NULL);
	tell_list(view, text);
	ela_json_close(text, '}');
}

static void tell_ports(struct ela_node *node, GString *text)
{
	ela_json_open(text, "ports", '{');
	for (uint32_t i = 0; i < node->n_transports; i++)
		ela_json_put_int(text, node->transports[i].instance->loaded->descriptor->name, node->transports[i].info.port);
	ela_json_close(text, '}');
}

static void put_peer_id(GString *text, const char *key, const struct ela_peer *peer)
{
	if (peer && peer->id != 0)
		put_id(text, key, peer->id);
	else
		ela_json_put_null(text, key);
}

static void tell_endpoints(const struct ela_network_view *view, GString *text)
{
	ela_json_open(text, "endpoints", '[');
	for (uint32_t i = 0; i < view->n_places; i++) {
		char out[ELA_INET_TEXT];

		ela_inet_addr_text(&view->places[i].addr, out);
		ela_json_put(text, NULL, out);
	}
	ela_json_close(text, ']');
}

static void tell_ring(const struct ela_network_view *view, GString *text)
{
	ela_json_open(text, "ring", '{');
	if (view->place != 0)
		ela_json_put_int(text, "place", view->place);
	else
		ela_json_put_null(text, "place");
	ela_json_put_int(text, "cores", view->n_cores);
	ela_json_put_int(text, "nodes", view->n_nodes);
	ela_json_put_bool(text, "alone", view->is_alone);
	ela_json_close(text, '}');
}

static void tell_role(const struct ela_node *node, const struct ela_network_view *view, GString *text)
{
	static const char *const unknown[] = {"role", "reason", "parent", "spare", "endpoints", "ring", NULL};

	if (!node->network) {
		put_nulls(text, unknown);
		return;
	}
	ela_json_put(text, "role", !view->is_in ? NULL : view->role == ELA_LEASE_CORE ? "core" : "edge");
	ela_json_put(text, "reason", *view->reason ? view->reason : NULL);
	put_peer_id(text, "parent", view->parent);
	put_peer_id(text, "spare", view->spare);
	tell_endpoints(view, text);
	tell_ring(view, text);
}

void ela_tell_node(struct ela_node *node, GString *text)
{
	struct ela_network_view view = {0};

	if (node->network)
		ela_network_view(node->network, &view);
	tell_network(node, &view, text);
	ela_json_open(text, "self", '{');
	ela_json_put(text, "name", node->config->name);
	ela_json_put(text, "user", *view.user != '\0' ? view.user : NULL);
	put_addr(text, "address", &ela_own(node)->ip4.addr);
	put_addr(text, "address6", &ela_own(node)->ip6.addr);
	if (ela_own_id(node) != 0)
		put_id(text, "id", ela_own_id(node));
	else
		ela_json_put_null(text, "id");
	tell_role(node, &view, text);
	ela_json_put_count(text, "uptime_s", (ela_loop_now(node->loop) - node->started_ns) / ELA_SEC);
	ela_json_put(text, "device", node->npd_info.name);
	ela_json_put_int(text, "mtu", node->mtu);
	ela_json_put_int(text, "lanes", node->n_lanes);
	tell_ports(node, text);
	ela_json_close(text, '}');
}

static void put_counter(void *data, const char *name, uint64_t value)
{
	ela_json_put_count(data, name, value);
}

void ela_tell_counters(struct ela_node *node, GString *text)
{
	ela_json_open(text, "counters", '{');
	ela_node_counters(node, put_counter, text);
	ela_json_close(text, '}');
}

void ela_tell_health(void *data, const char *text, const char *remedy)
{
	ela_json_open(data, NULL, '{');
	ela_json_put(data, "text", text);
	ela_json_put(data, "remedy", remedy);
	ela_json_close(data, '}');
}

/* ---- peers ---- */

/* The first single address of that family. */
static struct ela_addr own_address(const struct ela_config_peer *config, uint8_t family)
{
	for (uint32_t i = 0; i < config->n_prefixes; i++)
		if (config->prefixes[i].addr.family == family &&
			config->prefixes[i].bits == (family == ELA_ADDR_IP4 ? 32 : 128))
			return config->prefixes[i].addr;
	return (struct ela_addr){0};
}

/* Of the session's frames that were on their way here, the part that did not arrive. */
static void put_loss(GString *text, struct ela_session *s)
{
	struct ela_session_traffic traffic = {0};

	if (s)
		ela_session_traffic(s, &traffic);
	if (traffic.rx_sent < LOSS_FRAMES)
		ela_json_put_null(text, "loss");
	else
		ela_json_put_number(text, "loss", MAX(0, 1 - (double)traffic.rx_frames / (double)traffic.rx_sent), 4);
}

static void put_via(void *data, const struct ela_peer *relay, const char *why)
{
	(void)why;
	ela_json_put(data, NULL, relay->name);
}

static void tell_path(const struct ela_peer *peer, const struct ela_network_peer *view, GString *text)
{
	static const char *const unknown[] = {"transport", "remote", "rtt_ms", "loss", "mtu", "suite", NULL};
	const struct ela_tx *tx = peer->tx_shadow;
	char remote[64];

	ela_json_open(text, "via", '[');
	ela_tell_relays(peer, view, put_via, text);
	ela_json_close(text, ']');
	if (!tx) {
		put_nulls(text, unknown);
		return;
	}
	ela_json_put(text, "transport", tx->transport->instance->loaded->descriptor->name);
	ela_json_put(text, "remote", tx->via ? NULL : ela_addr_text(&tx->path.remote, remote));
	if (peer->rtt_last_ns)
		ela_json_put_number(text, "rtt_ms", (double)peer->rtt_last_ns / 1e6, 3);
	else
		ela_json_put_null(text, "rtt_ms");
	put_loss(text, peer->current);
	ela_json_put_int(text, "mtu", MIN(tx->max_packet, peer->node->mtu));
	ela_json_put(text, "suite", tx->session->with.suite->suite->name);
}

static const char *role_of(const struct ela_network_peer *view)
{
	static const char *const names[] = {
		[ELA_LEASE_JOINING] = "joining", [ELA_LEASE_CORE] = "core", [ELA_LEASE_EDGE] = "edge"};

	return view->has_record ? names[view->role] : NULL;
}

static void tell_peer(const struct ela_peer *peer, GString *text)
{
	const struct ela_addr address4 = own_address(peer->config, ELA_ADDR_IP4);
	const struct ela_addr address6 = own_address(peer->config, ELA_ADDR_IP6);
	struct ela_network_peer view = {0};
	struct ela_session_traffic traffic;

	if (peer->node->network)
		ela_network_peer(peer->node->network, peer, &view);
	ela_peer_traffic(peer, &traffic);
	ela_json_open(text, NULL, '{');
	ela_json_put(text, "name", peer->name);
	ela_json_put(text, "user", *view.user != '\0' ? view.user : NULL);
	put_addr(text, "address", &address4);
	put_addr(text, "address6", &address6);
	put_id(text, "id", peer->id);
	ela_json_put(text, "role", role_of(&view));
	ela_json_put(text, "state", ela_tell_state(peer));
	tell_path(peer, &view, text);
	ela_json_put_count(text, "rx_bytes", traffic.rx_bytes);
	ela_json_put_count(text, "tx_bytes", traffic.tx_bytes);
	ela_json_put_count(text, "age_s", (ela_loop_now(peer->node->loop) - peer->changed_ns) / ELA_SEC);
	ela_json_close(text, '}');
}

void ela_tell_peers(struct ela_node *node, GString *text)
{
	const struct ela_peers *peers = ela_peers_list(node);

	ela_json_open(text, "peers", '[');
	for (uint32_t i = 0; i < peers->n; i++)
		tell_peer(peers->v[i], text);
	ela_json_close(text, ']');
}
