/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-network: the section [network]: which network this node is in. Whole only with a routing that has a ring;
 * peers that are configured need none of it but may keep apart by an id. Control thread.
 */
#include "config-priv.h"
#include "crypto.h"
#include "inet.h"
#include "keys.h"
#include "value.h"
#include <string.h>

#define SECTION "network"

static const char *const keys[] = {"id", NULL};
static const char *const ring_keys[] = {"name", "prefix", "bootstrap", NULL};

static const char id_expected[] = "the network's id, 64 hex digits";
static const char name_expected[] = "1..63 of A-Z a-z 0-9 - _ . and no dot in front";
static const char prefix_expected[] = "an IPv4 prefix with its length 8..28 such as 10.77.0.0/24";
static const char bootstrap_expected[] =
	"host:port such as 192.0.2.1:7450, [2001:db8::2]:7450 or b.example.org:7450, at most 16 of them";

/* Whether a section [peer] or [network] is right depends on the routing; if that cannot be told, a file with a prefix
 * is one of a joined network. */
static bool wants_ring(const struct config_load *load)
{
	if (load->config->routing != NULL)
		return load->config->routing->has_ring;
	return ela_ini_key(ela_ini_section(load->ini, SECTION), "prefix") != NULL;
}

/* All networks of configured peers that give none have this one. */
static bool default_id(struct ela_config *config)
{
	static const char name[] = "ela-static-v1";
	const struct ela_bytes part = {name, sizeof name - 1};

	return ela_sha256(&part, 1, config->network_id) == 0;
}

static void read_id(struct config_load *load)
{
	g_autofree char *text = ela_config_value(load, SECTION, "id", load->config->has_ring, id_expected);

	if (text != NULL && ela_value_hex(text, load->config->network_id, ELA_NETWORK_ID_LEN) != 0)
		ela_config_bad_value(load, SECTION, "id", text, id_expected);
}

static void read_name(struct config_load *load)
{
	g_autofree char *name = ela_config_value(load, SECTION, "name", false, name_expected);

	if (name == NULL)
		return;
	if (!ela_key_is_name(name)) {
		ela_config_bad_value(load, SECTION, "name", name, name_expected);
		return;
	}
	load->config->network_name = g_steal_pointer(&name);
}

/* What makes a good address and length unfit for a network; g_free, NULL when nothing does. */
static char *prefix_fault(const struct ela_prefix *prefix)
{
	struct ela_prefix masked = *prefix;
	char text[ELA_INET_TEXT];

	ela_inet_prefix_mask(&masked);
	if (!ela_inet_prefix_equal(&masked, prefix)) {
		ela_inet_prefix_text(&masked, text);
		return g_strdup_printf("has bits set behind its length; expected %s", text);
	}
	if (ela_inet_is_loopback(&prefix->addr) || ela_inet_is_multicast(&prefix->addr) ||
		ela_inet_is_unspecified(&prefix->addr) || ela_inet_is_link_local(&prefix->addr))
		return g_strdup("is a loopback, link-local, multicast or reserved prefix; expected one such as 10.77.0.0/24");
	return NULL;
}

static void read_prefix(struct config_load *load)
{
	g_autofree char *text = ela_config_value(load, SECTION, "prefix", true, prefix_expected);
	g_autofree char *fault = NULL;
	struct ela_prefix prefix;

	if (text == NULL)
		return;
	if (ela_inet_prefix(text, &prefix) != 0 || prefix.addr.family != ELA_ADDR_IP4 ||
		prefix.bits < ELA_NETWORK_MIN_BITS || prefix.bits > ELA_NETWORK_MAX_BITS) {
		ela_config_bad_value(load, SECTION, "prefix", text, prefix_expected);
		return;
	}
	fault = prefix_fault(&prefix);
	if (fault != NULL)
		ela_config_bad_sense(load, SECTION, "prefix", text, fault);
	else
		load->config->network_prefix = prefix;
}

static bool is_overlay6(const struct ela_config *config, const struct ela_addr *addr)
{
	const struct ela_addr none = {.family = ELA_ADDR_IP4};
	struct ela_prefix overlay = {.bits = ELA_OVERLAY6_BITS};

	ela_inet_overlay6(config->network_id, &none, &overlay.addr);
	return ela_inet_prefix_contains(&overlay, addr);
}

static bool read_bootstrap(struct config_load *load, const char *text)
{
	struct ela_config *config = load->config;
	struct ela_endpoint *endpoint = &config->bootstraps[config->n_bootstraps];
	const char *fault;

	if (ela_inet_endpoint(text, ELA_DEFAULT_PORT, endpoint) != 0) {
		ela_config_bad_value(load, SECTION, "bootstrap", text, bootstrap_expected);
		return false;
	}
	config->n_bootstraps++;
	fault = ela_config_endpoint_fault(config, &endpoint->addr);
	if (fault == NULL && is_overlay6(config, &endpoint->addr))
		fault = ela_config_endpoint_inside;
	if (fault != NULL)
		ela_config_bad_sense(load, SECTION, "bootstrap", text, fault);
	return fault == NULL;
}

static void read_bootstraps(struct config_load *load)
{
	g_auto(GStrv) list = ela_config_list(load, SECTION, "bootstrap", false, bootstrap_expected);
	guint n = list != NULL ? g_strv_length(list) : 0;

	if (n > ELA_MAX_BOOTSTRAPS) {
		ela_config_bad_sense(
			load, SECTION, "bootstrap", list[ELA_MAX_BOOTSTRAPS], "is one too many; expected at most 16 elements");
		return;
	}
	if (n == 0 || !ela_config_check_once(load, SECTION, "bootstrap", list))
		return;
	load->config->bootstraps = g_new0(struct ela_endpoint, n);
	for (guint i = 0; i < n; i++) {
		if (!read_bootstrap(load, list[i]))
			return;
	}
}

void ela_config_read_network(struct config_load *load)
{
	struct ela_config *config = load->config;

	config->has_ring = wants_ring(load);
	if (config->has_ring) {
		if (!ela_config_need_section(load, SECTION, "id and prefix"))
			return;
	} else if (!default_id(config)) {
		ela_report_add(load->report, load->ini->last_line, NULL, NULL, "libcrypto makes no SHA-256");
	}
	if (ela_ini_section(load->ini, SECTION) == NULL)
		return;
	ela_config_check_keys(load, SECTION, keys, ring_keys);
	read_id(load);
	if (!config->has_ring)
		return;
	read_name(load);
	read_prefix(load);
	read_bootstraps(load);
}
