/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tell-why: the path to a peer with its reasons, or what was tried in vain: from what the node remembers, never from
 * guesses. Control thread. "reasons" are sentences for people; everything else is for programs.
 */
#include "tell.h"

#include "json.h"

static double seconds_since(const struct ela_node *node, uint64_t then_ns)
{
	return (double)(ela_loop_now(node->loop) - then_ns) / 1e9;
}

/* ---- ways ---- */

static bool in_use(const struct ela_peer *peer, const struct ela_way *way)
{
	const struct ela_tx *tx = peer->tx_shadow;

	return tx && tx->path.transport == way->transport && memcmp(&tx->path.remote, &way->addr, sizeof way->addr) == 0;
}

static const char *result(const struct ela_peer *peer, const struct ela_way *way)
{
	if (in_use(peer, way))
		return "in use";
	if (way->err)
		return "failed";
	return way->answered_ns >= way->tried_ns ? "answered" : "no answer";
}

static void tell_way(const struct ela_peer *peer, const struct ela_way *way, GString *text)
{
	char remote[64];

	ela_json_open(text, NULL, '{');
	ela_json_put(text, "transport", ela_transport_name(peer->node, way->transport));
	ela_json_put(text, "remote", ela_addr_text(&way->addr, remote));
	ela_json_put(text, "result", result(peer, way));
	ela_json_put(text, "error", way->err ? g_strerror(-way->err) : NULL);
	ela_json_put_int(text, "tries", way->tries);
	ela_json_put_number(text, "tried_s", seconds_since(peer->node, way->tried_ns), 1);
	if (way->answered_ns)
		ela_json_put_number(text, "answered_s", seconds_since(peer->node, way->answered_ns), 1);
	else
		ela_json_put_null(text, "answered_s");
	ela_json_close(text, '}');
}

static void tell_ways(const struct ela_peer *peer, GString *text)
{
	ela_json_open(text, "ways", '[');
	for (uint32_t i = 0; i < ELA_WAYS; i++)
		if (peer->ways[i].tries)
			tell_way(peer, &peer->ways[i], text);
	ela_json_close(text, ']');
}

/* ---- reasons ---- */

static void reason(GString *text, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void reason(GString *text, const char *format, ...)
{
	g_autofree char *line = NULL;
	va_list args;

	va_start(args, format);
	line = g_strdup_vprintf(format, args);
	va_end(args);
	ela_json_put(text, NULL, line);
}

static const struct ela_way *way_in_use(const struct ela_peer *peer)
{
	for (uint32_t i = 0; i < ELA_WAYS; i++)
		if (peer->ways[i].tries && in_use(peer, &peer->ways[i]))
			return &peer->ways[i];
	return NULL;
}

/* Where it is, and how that came about. */
static void reason_place(const struct ela_peer *peer, GString *text)
{
	const struct ela_tx *tx = peer->tx_shadow;
	const struct ela_way *way = way_in_use(peer);
	const char *name = tx->transport->instance->loaded->descriptor->name;
	char remote[64];

	if (tx->via) {
		reason(text, "relayed by %s, which is reached by %s: there is no direct session with it that works",
			tx->via->name, name);
		return;
	}
	(void)ela_addr_text(&tx->path.remote, remote); /* remote itself */
	if (!tx->session->with.initiator)
		reason(text, "%s at %s: it called us there, or moved there and answered a challenge", name, remote);
	else if (way && way->answered_ns)
		reason(text, "%s at %s: %s, and the first that answered", name, remote,
			peer->made ? "a place that its record names" : "a configured way");
	else
		reason(text, "%s at %s: where it last proved to be", name, remote);
	for (uint32_t i = 0; !peer->made && peer->config->transports[i]; i++) {
		if (strcmp(peer->config->transports[i], name) == 0)
			break;
		reason(text, "%s comes before %s in its section, and is not in use: see the ways", peer->config->transports[i],
			name);
	}
}

static const char *mtu_how(const struct ela_peer *peer)
{
	const struct ela_tx *tx = peer->tx_shadow;

	if (tx->path.link)
		return "stream";
	if (!peer->pmtu.confirmed)
		return "assumed";
	return tx->max_packet < peer->node->mtu ? "searched" : "probed";
}

static void reason_mtu(const struct ela_peer *peer, GString *text)
{
	const struct ela_tx *tx = peer->tx_shadow;
	uint32_t mtu = MIN(tx->max_packet, peer->node->mtu);
	const char *how = mtu_how(peer);

	if (strcmp(how, "stream") == 0)
		reason(text, "mtu %u: a stream carries any packet, so it is the device's", mtu);
	else if (strcmp(how, "assumed") == 0)
		reason(text, "mtu %u: the device's; no probe of that size has come back yet", mtu);
	else if (strcmp(how, "probed") == 0)
		reason(text, "mtu %u: the device's; a sealed probe of %u bytes came back", mtu, peer->pmtu.confirmed);
	else
		reason(text, "mtu %u: the largest sealed probe that came back has %u bytes, larger ones were lost", mtu,
			peer->pmtu.confirmed);
}

static void reason_absence(const struct ela_peer *peer, GString *text)
{
	if (peer->made && peer->via)
		reason(text, "it should be reached through %s, and has not answered", peer->via->name);
	else if (peer->made && !peer->config->n_endpoints)
		reason(text, "its record names no place where this node may call it: it calls, or is reached through others");
	else if (!peer->config->n_endpoints)
		reason(text, "its section has no endpoint: it must call us%s", peer->called_ns ? "" : ", and never has");
	else if (!peer->n_addrs)
		reason(text, "its endpoint is a name that does not resolve");
	else
		reason(text, "no way to it has answered: see the ways");
	if (peer->retry_ns)
		reason(text, "the next try comes in %.1f s",
			MAX(0, ((double)peer->retry_ns - (double)ela_loop_now(peer->node->loop)) / 1e9));
}

/* ---- hops ---- */

static struct ela_peer *peer_of_id(struct ela_node *node, uint32_t id)
{
	const struct ela_peers *peers = ela_peers_list(node);

	for (uint32_t i = 0; id != 0 && i < peers->n; i++)
		if (peers->v[i]->id == id)
			return peers->v[i];
	return NULL;
}

void ela_tell_relays(const struct ela_peer *peer, const struct ela_network_peer *view,
	void (*fn)(void *data, const struct ela_peer *relay, const char *why), void *data)
{
	const struct ela_peer *first = peer->tx_shadow ? peer->tx_shadow->via : peer->via;
	const struct ela_peer *parent = view->role == ELA_LEASE_EDGE ? peer_of_id(peer->node, view->parent) : NULL;
	struct ela_network_view own = {0};

	if (!first)
		return;
	if (peer->node->network)
		ela_network_view(peer->node->network, &own);
	if (first == parent)
		fn(data, first, first == own.parent ? "the parent of both" : "its parent, as its record says");
	else
		fn(data, first,
			first == own.parent  ? "our parent: the first core clockwise from our ID that answers"
			: first == own.spare ? "our spare"
								 : "a core that was the way there before, and still answers");
	if (parent && parent != first)
		fn(data, parent, "its parent, as its record says");
}

static void put_hop(void *data, const struct ela_peer *hop, const char *why)
{
	ela_json_open(data, NULL, '{');
	ela_json_put(data, "name", hop->name);
	ela_json_put(data, "why", why);
	ela_json_close(data, '}');
}

/* All whom a packet passes, and the peer itself. */
static void tell_hops(const struct ela_peer *peer, GString *text)
{
	struct ela_network_peer view = {0};

	if (peer->node->network)
		ela_network_peer(peer->node->network, peer, &view);
	ela_json_open(text, "hops", '[');
	ela_tell_relays(peer, &view, put_hop, text);
	if (peer->tx_shadow)
		put_hop(
			text, peer, peer->tx_shadow->via ? "the node itself, by the relay before" : "the node itself, directly");
	ela_json_close(text, ']');
}

static void tell_reasons(const struct ela_peer *peer, GString *text)
{
	ela_json_open(text, "reasons", '[');
	if (!peer->tx_shadow) {
		reason_absence(peer, text);
	} else {
		reason_place(peer, text);
		reason_mtu(peer, text);
		reason(text, "%s by %s: the first suite of %s list that both have",
			peer->tx_shadow->session->with.suite->suite->name, peer->tx_shadow->session->with.suite->cipher->plugin,
			peer->tx_shadow->session->with.initiator ? "its" : "our");
		if (peer->misses)
			reason(text, "%u pings in a row were not answered", peer->misses);
	}
	ela_json_close(text, ']');
}

void ela_tell_why(const struct ela_peer *peer, GString *text)
{
	const struct ela_tx *tx = peer->tx_shadow;
	char remote[64];

	ela_json_open(text, "why", '{');
	ela_json_put(text, "name", peer->name);
	ela_json_put(text, "state", ela_tell_state(peer));
	ela_json_put(text, "transport", tx ? tx->transport->instance->loaded->descriptor->name : NULL);
	ela_json_put(text, "remote", tx && !tx->via ? ela_addr_text(&tx->path.remote, remote) : NULL);
	ela_json_put(text, "called_by", !tx ? NULL : tx->session->with.initiator ? "us" : "it");
	ela_json_put(text, "mtu_how", tx ? mtu_how(peer) : NULL);
	tell_hops(peer, text);
	tell_ways(peer, text);
	tell_reasons(peer, text);
	ela_json_close(text, '}');
}
