/* SPDX-License-Identifier: Apache-2.0 */
/* config-peer: the sections [peer NAME] of a network whose routing has no ring. Control thread. */
#include "config-priv.h"
#include "crypto.h"
#include "inet.h"
#include "keys.h"
#include "value.h"
#include <string.h>

#define MAX_PREFIXES 64u
#define MAX_ENDPOINTS 8u
#define MIN_KEEPALIVE_NS ELA_NS_PER_S
#define MAX_KEEPALIVE_NS (3600 * ELA_NS_PER_S)

/* What all peers of a file must not have in common; the values are the peers' names. */
struct seen {
	GHashTable *keys;     /* base64 */
	GHashTable *prefixes; /* normalised text */
};

static const char *const keys[] = {"public-key", "address", "endpoint", "transport", "keepalive", NULL};

static const char key_expected[] = "a public key in base64 (44 characters), printed by \"elad keygen\"";
static const char address_expected[] = "IP addresses or prefixes such as 10.88.0.2 or 10.88.2.0/24";
static const char endpoint_expected[] = "host:port such as 192.0.2.1:7450, [2001:db8::2]:7450 or b.example.org:7450";
static const char transport_expected[] = "names of the key transport of [components]";
static const char keepalive_expected[] = "a duration 1s..1h such as 25s, or off";

const char *ela_config_peer_name(const char *section)
{
	return g_str_has_prefix(section, "peer ") ? section + strlen("peer ") : NULL;
}

void ela_config_peer_clear(struct ela_config_peer *peer)
{
	for (uint32_t i = 0; i < peer->n_endpoints; i++)
		g_free(peer->endpoints[i].host);
	g_free(peer->endpoints);
	g_free(peer->prefixes);
	g_strfreev(peer->prefix_texts);
	g_strfreev(peer->transports);
	g_free(peer->name);
}

/* A point of low order makes every shared secret zero, whatever our key: RFC 7748, section 6.1. */
static bool is_low_order(const uint8_t public_key[ELA_KEY_LEN])
{
	static const uint8_t any[ELA_KEY_LEN] = {[0] = 8, [31] = 64};
	uint8_t shared[ELA_KEY_LEN];

	return ela_x25519(any, public_key, shared) != 0;
}

static void read_public_key(
	struct config_load *load, const char *section, struct ela_config_peer *peer, const struct seen *seen)
{
	g_autofree char *text = ela_config_value(load, section, "public-key", true, key_expected);
	const char *other;

	if (text == NULL)
		return;
	if (ela_key_decode(text, peer->public_key) != 0) {
		ela_config_bad_value(load, section, "public-key", text, key_expected);
		return;
	}
	other = g_hash_table_lookup(seen->keys, text);
	if (other != NULL) {
		g_autofree char *what =
			g_strdup_printf("is the public key of peer %s already; expected each peer's own", other);

		ela_config_bad_sense(load, section, "public-key", text, what);
	} else if (load->has_public_key && memcmp(peer->public_key, load->public_key, ELA_KEY_LEN) == 0) {
		ela_config_bad_sense(load, section, "public-key", text, "is this node's own public key; expected the peer's");
	} else if (is_low_order(peer->public_key)) {
		ela_config_bad_sense(
			load, section, "public-key", text, "is a weak point of the curve; expected a key made by \"elad keygen\"");
	} else {
		g_hash_table_insert(seen->keys, g_steal_pointer(&text), peer->name);
	}
}

static bool is_own_address(const struct ela_config *config, const struct ela_prefix *prefix)
{
	const struct ela_prefix *own = prefix->addr.family == ELA_ADDR_IP4 ? &config->address4 : &config->address6;
	uint32_t all_bits = prefix->addr.family == ELA_ADDR_IP4 ? 32 : 128;

	return prefix->bits == all_bits && memcmp(&own->addr, &prefix->addr, sizeof own->addr) == 0;
}

/* The network's own first and last address: nobody's. */
static bool is_network_end(const struct ela_config *config, const struct ela_prefix *prefix)
{
	struct ela_prefix first = config->address4, last = config->address4;

	if (config->address4.addr.family == ELA_ADDR_NONE || prefix->bits != 32 || prefix->addr.family != ELA_ADDR_IP4)
		return false;
	ela_inet_prefix_mask(&first);
	ela_inet_prefix_fill(&last);
	return memcmp(&first.addr, &prefix->addr, sizeof first.addr) == 0 ||
		   memcmp(&last.addr, &prefix->addr, sizeof last.addr) == 0;
}

/* What makes a well-formed prefix unfit for a peer; g_free, NULL when nothing does. */
static char *prefix_fault(struct config_load *load, const struct ela_prefix *prefix, const struct seen *seen)
{
	struct ela_prefix masked = *prefix, host = *prefix;
	char network[ELA_INET_TEXT], single[ELA_INET_TEXT];
	const char *other;

	ela_inet_prefix_mask(&masked);
	ela_inet_prefix_text(&masked, network);
	if (!ela_inet_prefix_equal(&masked, prefix)) {
		ela_inet_addr_text(&host.addr, single);
		return g_strdup_printf(
			"has bits set behind its length; expected %s (the peer alone) or %s (a network behind it)", single,
			network);
	}
	if (prefix->bits >= 8 && (ela_inet_is_loopback(&prefix->addr) || ela_inet_is_multicast(&prefix->addr) ||
								 ela_inet_is_unspecified(&prefix->addr)))
		return g_strdup("is a loopback, multicast or reserved address; expected one that can be a peer's");
	if (is_own_address(load->config, prefix))
		return g_strdup("is this node's own address; expected the peer's");
	if (is_network_end(load->config, prefix))
		return g_strdup("is the first or last address of this node's network; expected a host's");
	other = g_hash_table_lookup(seen->prefixes, network);
	return other != NULL ? g_strdup_printf("is peer %s's already; expected each address at one peer, once", other)
						 : NULL;
}

static bool read_prefix(struct config_load *load, const char *section, const char *text, struct ela_config_peer *peer,
	const struct seen *seen)
{
	struct ela_prefix *prefix = &peer->prefixes[peer->n_prefixes];
	g_autofree char *fault = NULL;
	char normal[ELA_INET_TEXT];

	if (ela_inet_prefix(text, prefix) != 0) {
		ela_config_bad_value(load, section, "address", text, address_expected);
		return false;
	}
	fault = prefix_fault(load, prefix, seen);
	if (fault != NULL) {
		ela_config_bad_sense(load, section, "address", text, fault);
		return false;
	}
	ela_inet_prefix_text(prefix, normal);
	peer->prefix_texts[peer->n_prefixes++] = g_strdup(normal);
	g_hash_table_insert(seen->prefixes, g_strdup(normal), peer->name);
	return true;
}

/* The first single IPv4 address is the one in the peer's own [node] section. NULL when there is none. */
static const struct ela_addr *find_own_address(const struct ela_config_peer *peer)
{
	for (uint32_t i = 0; i < peer->n_prefixes; i++)
		if (peer->prefixes[i].addr.family == ELA_ADDR_IP4 && peer->prefixes[i].bits == 32)
			return &peer->prefixes[i].addr;
	return NULL;
}

/* A slip more often than not; but networks may be joined in odd ways. */
static void warn_of_outsider(
	struct config_load *load, const struct ela_config_peer *peer, const char *section, const struct ela_addr *own)
{
	struct ela_prefix network = load->config->address4;
	char address[ELA_INET_TEXT], text[ELA_INET_TEXT];

	if (network.addr.family == ELA_ADDR_NONE || ela_inet_prefix_contains(&network, own))
		return;
	ela_inet_prefix_mask(&network);
	ela_inet_prefix_text(&network, text);
	ela_inet_addr_text(own, address);
	ela_report_add(load->warnings, ela_ini_line(load->ini, section, "address"), section, "address",
		"warning: \"%s\" is outside this node's network %s; expected the address of the [node] section of %s first",
		address, text, peer->name);
}

static void read_prefixes(
	struct config_load *load, const char *section, struct ela_config_peer *peer, const struct seen *seen)
{
	g_auto(GStrv) list = ela_config_list(load, section, "address", true, address_expected);
	guint n = list != NULL ? g_strv_length(list) : 0;
	const struct ela_addr *own;

	if (n > MAX_PREFIXES) {
		ela_config_bad_sense(
			load, section, "address", list[MAX_PREFIXES], "is one too many; expected at most 64 elements");
		return;
	}
	peer->prefixes = g_new0(struct ela_prefix, n);
	peer->prefix_texts = g_new0(char *, n + 1);
	for (guint i = 0; i < n; i++) {
		if (!read_prefix(load, section, list[i], peer, seen))
			return;
	}
	own = find_own_address(peer);
	if (own != NULL) {
		memcpy(peer->address4, own->ip, sizeof peer->address4);
		warn_of_outsider(load, peer, section, own);
	} else if (n != 0) {
		ela_config_bad_sense(load, section, "address", list[0],
			"is not the peer's own address, and none of the others is; expected its IPv4 address among them, such as "
			"10.88.0.2");
	}
}

static bool read_endpoint(struct config_load *load, const char *section, const char *text, struct ela_config_peer *peer)
{
	struct ela_endpoint *endpoint = &peer->endpoints[peer->n_endpoints];
	const char *fault;

	if (ela_inet_endpoint(text, ELA_DEFAULT_PORT, endpoint) != 0) {
		ela_config_bad_value(load, section, "endpoint", text, endpoint_expected);
		return false;
	}
	peer->n_endpoints++;
	fault = ela_config_endpoint_fault(load->config, &endpoint->addr);
	if (fault == NULL)
		return true;
	ela_config_bad_sense(load, section, "endpoint", text, fault);
	return false;
}

static void read_endpoints(struct config_load *load, const char *section, struct ela_config_peer *peer)
{
	g_auto(GStrv) list = ela_config_list(load, section, "endpoint", false, endpoint_expected);
	guint n = list != NULL ? g_strv_length(list) : 0;

	if (n > MAX_ENDPOINTS) {
		ela_config_bad_sense(
			load, section, "endpoint", list[MAX_ENDPOINTS], "is one too many; expected at most 8 elements");
		return;
	}
	if (n == 0 || !ela_config_check_once(load, section, "endpoint", list))
		return;
	peer->endpoints = g_new0(struct ela_endpoint, n);
	for (guint i = 0; i < n; i++) {
		if (!read_endpoint(load, section, list[i], peer))
			return;
	}
}

static char **loaded_transports(const struct ela_config *config)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (uint32_t i = 0; config->transports != NULL && config->transports[i] != NULL; i++)
		g_strv_builder_add(builder, config->transports[i]->descriptor->name);
	return g_strv_builder_end(builder);
}

static void read_transports(struct config_load *load, const char *section, struct ela_config_peer *peer)
{
	g_auto(GStrv) list = ela_config_list(load, section, "transport", false, transport_expected);
	g_auto(GStrv) loaded = loaded_transports(load->config);

	if (list == NULL) {
		peer->transports = g_steal_pointer(&loaded);
		return;
	}
	if (load->config->transports == NULL || !ela_config_check_once(load, section, "transport", list))
		return; /* the first: reported at [components] */
	for (guint i = 0; list[i] != NULL; i++) {
		if (!g_strv_contains((const char *const *)loaded, list[i])) {
			g_autofree char *all = g_strjoinv(", ", loaded);
			g_autofree char *suggestion = ela_report_suggest(list[i], (const char *const *)loaded);
			g_autofree char *expected = g_strdup_printf("%s (%s)%s", transport_expected, all, suggestion);

			ela_config_bad_value(load, section, "transport", list[i], expected);
			return;
		}
	}
	peer->transports = g_steal_pointer(&list);
}

static void read_keepalive(struct config_load *load, const char *section, struct ela_config_peer *peer)
{
	g_autofree char *text = ela_config_value(load, section, "keepalive", false, keepalive_expected);
	int64_t ns;

	if (text == NULL || strcmp(text, "off") == 0)
		return;
	if (ela_value_duration(text, &ns) != 0 || ns < MIN_KEEPALIVE_NS || ns > MAX_KEEPALIVE_NS) {
		ela_config_bad_value(load, section, "keepalive", text, keepalive_expected);
		return;
	}
	peer->keepalive_ns = (uint64_t)ns;
}

static void read_peer(struct config_load *load, const struct ela_ini_section *section, const struct seen *seen)
{
	struct ela_config *config = load->config;
	struct ela_config_peer *peer = &config->peers[config->n_peers++];
	const char *name = ela_config_peer_name(section->name);

	peer->name = g_strdup(name);
	peer->line = section->line;
	if (!ela_key_is_name(name))
		ela_report_add(load->report, section->line, section->name, NULL,
			"bad name of a peer; expected 1..63 of A-Z a-z 0-9 - _ . and no dot in front");
	ela_config_check_keys(load, section->name, keys, NULL);
	read_public_key(load, section->name, peer, seen);
	read_prefixes(load, section->name, peer, seen);
	read_endpoints(load, section->name, peer);
	read_transports(load, section->name, peer);
	read_keepalive(load, section->name, peer);
}

static void read_all(struct config_load *load, const struct seen *seen)
{
	const struct ela_loaded *routing = load->config->routing; /* NULL: reported */

	for (guint i = 0; i < load->ini->sections->len; i++) {
		const struct ela_ini_section *section = g_ptr_array_index(load->ini->sections, i);

		if (ela_config_peer_name(section->name) == NULL)
			continue;
		if (routing != NULL && routing->has_ring) {
			ela_report_add(load->report, section->line, section->name, NULL,
				"%s finds its peers itself; expected this section removed, or routing = static", routing->section);
		} else if (load->config->n_peers == ELA_MAX_PEERS) {
			ela_report_add(
				load->report, section->line, section->name, NULL, "one peer too many; expected at most 1024");
			return;
		} else {
			read_peer(load, section, seen);
		}
	}
}

/* The longest prefix of any peer that addr is inside; its peer's name, NULL for none. */
static const char *peer_around(const struct seen *seen, const struct ela_addr *addr, char ret_prefix[ELA_INET_TEXT])
{
	for (int bits = addr->family == ELA_ADDR_IP4 ? 32 : 128; bits >= 0; bits--) {
		struct ela_prefix prefix = {.addr = *addr, .bits = (uint32_t)bits};
		const char *name;

		ela_inet_prefix_mask(&prefix);
		ela_inet_prefix_text(&prefix, ret_prefix);
		name = g_hash_table_lookup(seen->prefixes, ret_prefix);
		if (name != NULL)
			return name;
	}
	return NULL;
}

/* Frames to an endpoint that is routed to a peer would be packets for that peer, in frames to the endpoint. */
static void check_loops(struct config_load *load, const struct ela_config_peer *peer, const struct seen *seen)
{
	g_autofree char *section = g_strdup_printf("peer %s", peer->name);

	for (uint32_t i = 0; i < peer->n_endpoints; i++) {
		const struct ela_endpoint *endpoint = &peer->endpoints[i];
		const char *name = NULL;
		char prefix[ELA_INET_TEXT];

		if (endpoint->addr.family != ELA_ADDR_NONE && ela_config_endpoint_fault(load->config, &endpoint->addr) == NULL)
			name = peer_around(seen, &endpoint->addr, prefix);
		if (name != NULL) {
			g_autofree char *what = g_strdup_printf("is inside %s of peer %s, so the way to the peer would lead "
													"through the peer; expected an address outside every peer's",
				prefix, name);

			ela_config_bad_sense(load, section, "endpoint", endpoint->host, what);
			return;
		}
	}
}

void ela_config_read_peers(struct config_load *load)
{
	const struct seen seen = {
		.keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.prefixes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	guint n = MIN(load->ini->sections->len, ELA_MAX_PEERS);

	load->config->peers = g_new0(struct ela_config_peer, n);
	read_all(load, &seen);
	for (uint32_t i = 0; i < load->config->n_peers; i++)
		check_loops(load, &load->config->peers[i], &seen);
	g_hash_table_destroy(seen.keys);
	g_hash_table_destroy(seen.prefixes);
}
