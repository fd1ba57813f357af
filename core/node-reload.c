/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node-reload: a fresh ela.ini for a running node, applied whole or not at all (docs/adr/0008-reload-after-drop.md).
 * Control thread.
 */
#include "host.h"
#include "inet.h"
#include "peer.h"

/* Why a prefix of the peer cannot apply now. g_free. */
static char *route_reason(const struct ela_config *fresh, const struct ela_config_peer *peer, uint32_t k)
{
	bool is_ip4 = peer->prefixes[k].addr.family == ELA_ADDR_IP4;
	struct ela_prefix own = is_ip4 ? fresh->address4 : fresh->address6;
	char network[ELA_INET_TEXT];

	if (own.addr.family == ELA_ADDR_NONE) {
		(void)g_strlcpy(network, "the node's network", sizeof network); /* it fits */
	} else {
		ela_inet_prefix_mask(&own);
		ela_inet_prefix_text(&own, network);
	}
	return g_strdup_printf("peer %s.address (%s is outside %s and needs a route of the device)", peer->name,
		peer->prefix_texts[k], network);
}

/* Routes of the device are made when it is opened. */
static void note_new_routes(struct ela_node *node, const struct ela_config *fresh, GPtrArray *needs_restart)
{
	for (uint32_t i = 0; node->device_routes && i < fresh->n_peers; i++) {
		const struct ela_config_peer *peer = &fresh->peers[i];

		for (uint32_t k = 0; k < peer->n_prefixes; k++)
			if (ela_prefix_is_beyond(fresh, &peer->prefixes[k]) &&
				!g_strv_contains((const char *const *)node->device_routes, peer->prefix_texts[k])) {
				g_ptr_array_add(needs_restart, route_reason(fresh, peer, k));
				break;
			}
	}
}

/* The file was read without the private key, so only here it shows that a peer's key is our own. */
static bool check_own_key(const struct ela_node *node, const struct ela_config *fresh, GError **error)
{
	for (uint32_t i = 0; i < fresh->n_peers; i++) {
		g_autofree char *section = g_strdup_printf("peer %s", fresh->peers[i].name);
		g_autofree char *text = NULL;

		if (memcmp(fresh->peers[i].public_key, node->public_key, ELA_KEY_LEN) != 0)
			continue;
		text = ela_config_error(fresh, section, "public-key", "is this node's own public key; expected the peer's");
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_CONFIG, "%s", text);
		return false;
	}
	return true;
}

bool ela_node_reload(struct ela_node *node, const struct ela_config *fresh, GError **error)
{
	g_autoptr(GPtrArray) differ = g_ptr_array_new_with_free_func(g_free);

	ela_config_diff(node->config, fresh, differ);
	note_new_routes(node, fresh, differ);
	if (differ->len) {
		g_autofree char *list = NULL;

		g_ptr_array_add(differ, NULL);
		list = g_strjoinv(", ", (char **)differ->pdata);
		g_set_error(error, ELA_NODE_ERROR, ELA_NODE_CONFIG, "needs a restart: %s", list);
		return false;
	}
	if (!check_own_key(node, fresh, error) || !ela_peers_apply(node, fresh, error))
		return false;
	node->config = fresh;
	ela_log_set_level(node->log, fresh->log_level);
	node->routing->loaded->routing.peers_changed(node->routing->self);
	ela_node_publish_routes(node);
	for (uint32_t i = 0; i < ela_peers_list(node)->n; i++) {
		struct ela_peer *peer = ela_peers_list(node)->v[i];

		if (!peer->current && !ela_initiator_busy(peer))
			ela_initiate(peer);
	}
	ela_node_tick_soon(node);
	return true;
}
