/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-config: ela.ini, core/ini.c, core/config-check.c, core/config-components.c, core/config-network.c,
 * core/config-node.c, core/config-options.c, core/config-peer.c, core/inet.c, core/value.c, core/suggest.c. Input: a
 * file's content. Nothing is read from the disk: the plugins are linked in and the private key is left alone. Either
 * there are errors, one a line and by rising line, or a config whose every part is what later code relies on.
 */
#include "config.h"
#include "fake-plugins.h"
#include "inet.h"
#include "keys.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "f.ini"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_errors(const GPtrArray *errors)
{
	unsigned line, last = 1;

	must(errors->len > 0 && errors->len <= 1001);
	for (guint i = 0; i < errors->len; i++) {
		const char *text = errors->pdata[i];

		must(sscanf(text, FILE_NAME ":%u: ", &line) == 1 && line >= last);
		last = line;
		must(g_utf8_validate(text, -1, NULL));
		for (const char *p = text; *p != '\0'; p++)
			must(!g_ascii_iscntrl(*p));
	}
}

static void check_endpoint(const struct ela_config *config, const struct ela_endpoint *endpoint)
{
	must(endpoint->port != 0 && *endpoint->host != '\0' && strlen(endpoint->host) <= 254);
	if (endpoint->addr.family == ELA_ADDR_NONE)
		return;
	must(endpoint->addr.port == endpoint->port);
	must(!ela_inet_prefix_contains(&config->address4, &endpoint->addr));
	must(!ela_inet_prefix_contains(&config->network_prefix, &endpoint->addr));
}

static void check_network(const struct ela_config *config)
{
	const struct ela_prefix *prefix = &config->network_prefix;
	struct ela_prefix first = *prefix, last = *prefix, wish = {.addr = config->wish4, .bits = prefix->bits};

	must(prefix->addr.family == ELA_ADDR_IP4 && prefix->bits >= ELA_NETWORK_MIN_BITS &&
		 prefix->bits <= ELA_NETWORK_MAX_BITS);
	ela_inet_prefix_mask(&first);
	must(ela_inet_prefix_equal(&first, prefix));
	ela_inet_prefix_fill(&last);
	must(config->wish4.family == ELA_ADDR_NONE ||
		 (ela_inet_prefix_contains(prefix, &config->wish4) && !ela_inet_prefix_equal(&wish, &first) &&
			 !ela_inet_prefix_equal(&wish, &last)));
	must(config->network_name == NULL || ela_key_is_name(config->network_name));
	must(config->n_bootstraps <= ELA_MAX_BOOTSTRAPS && config->role <= ELA_CONFIG_EDGE);
	for (uint32_t i = 0; i < config->n_bootstraps; i++)
		check_endpoint(config, &config->bootstraps[i]);
	must(config->addresses[0] == NULL && config->address4.addr.family == ELA_ADDR_NONE && config->n_peers == 0);
}

static void check_node(const struct ela_config *config)
{
	struct ela_prefix masked = config->address4;

	must(ela_key_is_name(config->name) && config->lanes <= ELA_MAX_LANES && config->log_level <= ELA_LOG_TRACE);
	must(config->private_key_file != NULL);
	must(config->npd != NULL && config->routing != NULL && config->ciphers[0] != NULL && config->transports[0] != NULL);
	must(config->has_ring == config->routing->has_ring);
	if (config->has_ring) {
		check_network(config);
		return;
	}
	must(config->addresses[0] != NULL && config->n_bootstraps == 0 && config->network_name == NULL);
	must(config->network_prefix.addr.family == ELA_ADDR_NONE && config->wish4.family == ELA_ADDR_NONE);
	must(config->address4.addr.family == ELA_ADDR_IP4 && config->address4.bits >= 8 && config->address4.bits <= 30);
	ela_inet_prefix_mask(&masked);
	must(!ela_inet_prefix_equal(&masked, &config->address4));
	must((config->address6.addr.family == ELA_ADDR_IP6) == (config->addresses[1] != NULL));
}

static void check_peer(const struct ela_config *config, const struct ela_config_peer *peer)
{
	must(ela_key_is_name(peer->name) && peer->n_prefixes > 0 && peer->transports[0] != NULL && peer->line > 0);
	must(peer->keepalive_ns == 0 || (peer->keepalive_ns >= 1000000000u && peer->keepalive_ns <= 3600000000000u));
	for (uint32_t i = 0; i < peer->n_prefixes; i++) {
		struct ela_prefix again;

		must(ela_inet_prefix(peer->prefix_texts[i], &again) == 0 && ela_inet_prefix_equal(&again, &peer->prefixes[i]));
		ela_inet_prefix_mask(&again);
		must(ela_inet_prefix_equal(&again, &peer->prefixes[i]));
	}
	for (uint32_t i = 0; i < peer->n_endpoints; i++)
		check_endpoint(config, &peer->endpoints[i]);
}

/* Every value of every option keeps its bounds. */
static void check_options(const struct ela_config *config, const struct ela_loaded *loaded)
{
	const struct ela_option *option;

	for (uint32_t i = 0; (option = ela_loaded_option(loaded, i)) != NULL; i++) {
		struct ela_value value;
		uint32_t n = 0;

		for (; ela_config_option(config, loaded, option->key, n, &value) == 0; n++) {
			must(value.str != NULL);
			if (option->type == ELA_OPTION_STRING)
				value.num = (int64_t)strlen(value.str);
			if (option->type != ELA_OPTION_CHOICE && option->type != ELA_OPTION_IP)
				must(value.num >= option->min && value.num <= option->max);
		}
		must(n <= 1 || (option->flags & ELA_OPTION_LIST) != 0);
		must(n > 0 || !ela_config_is_set(config, loaded->section, option->key));
	}
}

static void check_config(const struct ela_config *config)
{
	g_autoptr(GPtrArray) needs = g_ptr_array_new_with_free_func(g_free);

	check_node(config);
	check_options(config, config->npd);
	for (uint32_t i = 0; config->transports[i] != NULL; i++)
		check_options(config, config->transports[i]);
	must(config->n_peers <= ELA_MAX_PEERS);
	for (uint32_t i = 0; i < config->n_peers; i++)
		check_peer(config, &config->peers[i]);
	ela_config_diff(config, config, needs);
	must(needs->len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const no_dirs[] = {NULL};
	static struct ela_loader *loader; /* made once: it does not change after */
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	struct ela_config *config;

	if (loader == NULL)
		loader = fake_loader_new(no_dirs);
	config = ela_config_parse(FILE_NAME, (const char *)data, size, loader, ELA_CONFIG_NO_KEY, errors);
	if (config == NULL) {
		check_errors(errors);
	} else {
		must(errors->len == 0);
		check_config(config);
	}
	ela_config_free(config);
	return 0;
}
