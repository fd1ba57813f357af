/* SPDX-License-Identifier: Apache-2.0 */
/* config-node: the section [node]: who this node is. With a ring it asks for what without one it says. Control thread.
 */
#include "config-priv.h"
#include "crypto.h"
#include "inet.h"
#include "keys.h"
#include "log.h"
#include "value.h"
#include <string.h>

#define SECTION "node"
#define USER_NAME_MAX 32u

static const char *const keys[] = {"name", "address", "private-key-file", "lanes", "user", "log-level", NULL};
static const char *const ring_keys[] = {"role", NULL};

static const char name_expected[] = "1..63 of A-Z a-z 0-9 - _ . and no dot in front";
static const char address_expected[] = "an IPv4 address with its prefix length 8..30 such as 10.88.0.1/24";
static const char address6_expected[] = "one IPv6 address with its prefix length 8..126 such as fd00:88::1/64 after it";
static const char wish_expected[] = "one IPv4 address of the network, without a length, such as 10.77.0.5";
static const char role_expected[] = "auto, core or edge";
static const char key_file_expected[] = "a file made by \"elad keygen\"";
static const char lanes_expected[] = "a whole number 1..16 or auto";
static const char user_expected[] = "the name of a user, 1..32 of A-Z a-z 0-9 - _ . and no - or . in front";
static const char log_level_expected[] = "error, warn, info, debug or trace";

static void read_name(struct config_load *load)
{
	g_autofree char *name = ela_config_value(load, SECTION, "name", true, name_expected);

	if (name == NULL)
		return;
	if (!ela_key_is_name(name)) {
		ela_config_bad_value(load, SECTION, "name", name, name_expected);
		return;
	}
	load->config->name = g_steal_pointer(&name);
}

/* What makes a good address and length unfit for a node; NULL when nothing does. */
static const char *address_fault(const struct ela_prefix *prefix)
{
	struct ela_prefix network = *prefix, broadcast = *prefix;
	const struct ela_addr *addr = &prefix->addr;

	if (ela_inet_is_loopback(addr))
		return "is a loopback address; expected one of the virtual network";
	if (ela_inet_is_multicast(addr))
		return "is a multicast or reserved address; expected one of the virtual network";
	if (ela_inet_is_unspecified(addr))
		return "is the unspecified address; expected one of the virtual network";
	if (addr->family == ELA_ADDR_IP6 && ela_inet_is_link_local(addr))
		return "is a link-local address; expected one of the virtual network";
	ela_inet_prefix_mask(&network);
	if (ela_inet_prefix_equal(&network, prefix))
		return "is the network itself; expected a host's address in it";
	ela_inet_prefix_fill(&broadcast);
	if (addr->family == ELA_ADDR_IP4 && ela_inet_prefix_equal(&broadcast, prefix))
		return "is the broadcast address of its network; expected a host's address in it";
	return NULL;
}

static bool read_one_address(struct config_load *load, const char *text, uint16_t family, struct ela_prefix *ret)
{
	const char *expected = family == ELA_ADDR_IP4 ? address_expected : address6_expected;
	uint32_t max_bits = family == ELA_ADDR_IP4 ? 30 : 126;
	struct ela_prefix prefix;
	const char *fault;

	if (ela_inet_prefix(text, &prefix) != 0 || strchr(text, '/') == NULL || prefix.addr.family != family ||
		prefix.bits < 8 || prefix.bits > max_bits) {
		ela_config_bad_value(load, SECTION, "address", text, expected);
		return false;
	}
	fault = address_fault(&prefix);
	if (fault != NULL) {
		ela_config_bad_sense(load, SECTION, "address", text, fault);
		return false;
	}
	*ret = prefix;
	return true;
}

static void read_address(struct config_load *load)
{
	g_auto(GStrv) list = ela_config_list(load, SECTION, "address", true, address_expected);
	struct ela_config *config = load->config;
	char text4[ELA_INET_TEXT], text6[ELA_INET_TEXT];
	const char *texts[3] = {text4, NULL, NULL};

	if (list == NULL)
		return;
	if (g_strv_length(list) > 2) {
		ela_config_bad_sense(load, SECTION, "address", list[2],
			"is one too many; expected an IPv4 address and at most one IPv6 address");
		return;
	}
	if (!read_one_address(load, list[0], ELA_ADDR_IP4, &config->address4))
		return;
	ela_inet_prefix_text(&config->address4, text4);
	if (list[1] != NULL) {
		if (!read_one_address(load, list[1], ELA_ADDR_IP6, &config->address6))
			return;
		ela_inet_prefix_text(&config->address6, text6);
		texts[1] = text6;
	}
	config->addresses = g_strdupv((char **)(uintptr_t)texts);
}

/* Why nobody in the network can have it; NULL when somebody can. */
static const char *wish_fault(const struct ela_prefix *network, const struct ela_addr *addr)
{
	struct ela_prefix last = *network;

	ela_inet_prefix_fill(&last);
	if (!ela_inet_prefix_contains(network, addr))
		return "is outside the network's prefix; expected an address inside it";
	if (memcmp(addr, &network->addr, sizeof *addr) == 0)
		return "is the network itself; expected a host's address in it";
	if (memcmp(addr, &last.addr, sizeof *addr) == 0)
		return "is the broadcast address of the network; expected a host's address in it";
	return NULL;
}

/* The address that a node gets comes with the records of the network: here it may say which it would like. */
static void read_wish(struct config_load *load)
{
	g_autofree char *text = ela_config_value(load, SECTION, "address", false, wish_expected);
	const struct ela_prefix *network = &load->config->network_prefix;
	const char *fault = NULL;
	struct ela_addr addr;

	if (text == NULL)
		return;
	if (ela_inet_addr(text, &addr) != 0 || addr.family != ELA_ADDR_IP4) {
		ela_config_bad_value(load, SECTION, "address", text, wish_expected);
		return;
	}
	if (network->addr.family != ELA_ADDR_NONE) /* else reported */
		fault = wish_fault(network, &addr);
	if (fault != NULL)
		ela_config_bad_sense(load, SECTION, "address", text, fault);
	else
		load->config->wish4 = addr;
}

static void read_role(struct config_load *load)
{
	static const char *const roles[] = {
		[ELA_CONFIG_AUTO] = "auto", [ELA_CONFIG_CORE] = "core", [ELA_CONFIG_EDGE] = "edge", NULL};
	g_autofree char *role = ela_config_value(load, SECTION, "role", false, role_expected);
	g_autofree char *suggestion = NULL;
	g_autofree char *expected = NULL;

	if (role == NULL)
		return;
	for (uint32_t i = 0; roles[i] != NULL; i++) {
		if (strcmp(role, roles[i]) == 0) {
			load->config->role = (enum ela_config_role)i;
			return;
		}
	}
	suggestion = ela_report_suggest(role, roles);
	expected = g_strconcat(role_expected, suggestion, NULL);
	ela_config_bad_value(load, SECTION, "role", role, expected);
}

static void read_private_key(struct config_load *load)
{
	bool has_ring = load->config->has_ring;
	g_autofree char *given = ela_config_value(load, SECTION, "private-key-file", !has_ring, key_file_expected);
	bool is_set = ela_ini_key(ela_ini_section(load->ini, SECTION), "private-key-file") != NULL;
	g_autofree char *name = given == NULL && has_ring && !is_set ? g_strdup("node.key") : g_steal_pointer(&given);
	g_autoptr(GError) error = NULL;
	struct ela_config *config = load->config;

	if (name == NULL)
		return;
	config->private_key_file =
		g_path_is_absolute(name) ? g_steal_pointer(&name) : g_build_filename(config->dir, name, NULL);
	if ((load->flags & ELA_CONFIG_NO_KEY) != 0)
		return;
	if (ela_key_read(config->private_key_file, config->private_key, &error) != 0) {
		ela_config_bad_sense(load, SECTION, "private-key-file", config->private_key_file, error->message);
		return;
	}
	load->has_public_key = ela_x25519_public(config->private_key, load->public_key) == 0;
	if (!load->has_public_key)
		ela_config_bad_sense(load, SECTION, "private-key-file", config->private_key_file,
			"holds a key that libcrypto refuses; expected one made by \"elad keygen\"");
}

static void read_lanes(struct config_load *load)
{
	g_autofree char *text = ela_config_value(load, SECTION, "lanes", false, lanes_expected);
	int64_t lanes;

	if (text == NULL || strcmp(text, "auto") == 0)
		return;
	if (ela_value_int(text, &lanes) != 0 || lanes < 1 || lanes > ELA_MAX_LANES) {
		ela_config_bad_value(load, SECTION, "lanes", text, lanes_expected);
		return;
	}
	load->config->lanes = (uint32_t)lanes;
}

/* Whether the user exists shows when elad becomes it: here the file is checked, maybe on another machine. */
static void read_user(struct config_load *load)
{
	g_autofree char *user = ela_config_value(load, SECTION, "user", false, user_expected);

	if (user == NULL)
		return;
	if (!ela_key_is_name(user) || *user == '-' || strlen(user) > USER_NAME_MAX) {
		ela_config_bad_value(load, SECTION, "user", user, user_expected);
		return;
	}
	load->config->user = g_steal_pointer(&user);
}

static void read_log_level(struct config_load *load)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", "trace", NULL};
	g_autofree char *level = ela_config_value(load, SECTION, "log-level", false, log_level_expected);

	if (level != NULL && ela_log_level_parse(level, &load->config->log_level) != 0) {
		g_autofree char *suggestion = ela_report_suggest(level, levels);
		g_autofree char *expected = g_strconcat(log_level_expected, suggestion, NULL);

		ela_config_bad_value(load, SECTION, "log-level", level, expected);
	}
}

void ela_config_read_node(struct config_load *load)
{
	load->config->log_level = ELA_LOG_INFO;
	if (!ela_config_need_section(load, SECTION, load->config->has_ring ? "name" : "name, address and private-key-file"))
		return;
	ela_config_check_keys(load, SECTION, keys, ring_keys);
	read_name(load);
	if (load->config->has_ring) {
		load->config->addresses = g_new0(char *, 1);
		read_wish(load);
		read_role(load);
	} else {
		read_address(load);
	}
	read_private_key(load);
	read_lanes(load);
	read_user(load);
	read_log_level(load);
}
