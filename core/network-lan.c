/* SPDX-License-Identifier: Apache-2.0 */
/* network-lan: a network's part in discovery.h: which LANs there are, who answers, and who is known already. Control
 * thread. */
#include "network-priv.h"

#include "discovery.h"
#include "lans.h"

#include <string.h>

struct ela_network_lan {
	struct ela_network *network;
	struct ela_discovery_ops ops;
	struct ela_discovery *discovery;
	struct ela_lans *lans;
	void (*found)(void *data, const struct ela_addr *addr);
	void *data;
};

/* Cores alone let somebody in. */
static uint16_t answers(void *data, uint32_t *ret_id)
{
	const struct ela_network *network = ((struct ela_network_lan *)data)->network;
	uint16_t tcp, udp;

	if (network->lease.id == 0 || network->lease.role != ELA_LEASE_CORE)
		return 0;
	*ret_id = network->lease.id;
	ela_network_ports(network, &tcp, &udp);
	return tcp;
}

/* Of a ring of one nobody else is a part, whatever is remembered. */
static bool knows(void *data, uint32_t id)
{
	const struct ela_network *network = ((struct ela_network_lan *)data)->network;

	return !network->is_alone && network->lease.id != 0 && ela_directory_find(network->directory, id) != NULL;
}

static void on_found(void *data, const struct ela_addr *addr)
{
	struct ela_network_lan *lan = data;

	lan->found(lan->data, addr);
}

/* Whose places were told, as in virtual time, is not where this machine is. */
static uint32_t list(void *data, const struct ela_lan **ret)
{
	struct ela_network_lan *lan = data;

	*ret = NULL;
	return lan->network->n_places ? 0 : ela_lans_list(lan->lans, ret);
}

static int say(void *data, const struct ela_lan *to, uint16_t port, const uint8_t *frame, uint32_t len)
{
	return ela_lans_say(((struct ela_network_lan *)data)->lans, to, port, frame, len);
}

static void quiet(void *data)
{
	ela_lans_quiet(((struct ela_network_lan *)data)->lans);
}

void ela_network_lan_look(struct ela_network_lan *lan)
{
	uint16_t tcp, udp;

	ela_network_ports(lan->network, &tcp, &udp);
	ela_discovery_start(lan->discovery, tcp, udp);
}

void ela_network_lan_rest(struct ela_network_lan *lan)
{
	ela_discovery_stop(lan->discovery);
}

void ela_network_lan_once(struct ela_network_lan *lan)
{
	uint16_t tcp, udp;

	ela_network_ports(lan->network, &tcp, &udp);
	ela_discovery_once(lan->discovery, lan->network->lease.id, tcp, udp);
}

struct ela_network_lan *ela_network_lan_new(
	struct ela_network *network, void (*found)(void *data, const struct ela_addr *addr), void *data)
{
	struct ela_network_lan *lan = g_new0(struct ela_network_lan, 1);

	lan->network = network;
	lan->found = found;
	lan->data = data;
	lan->ops = (struct ela_discovery_ops){answers, knows, on_found, list, say, quiet, lan};
	lan->discovery = ela_discovery_new(network->node, &lan->ops);
	lan->lans = ela_lans_new(network->node->loop, ela_discovery_answer, lan->discovery);
	return lan;
}

void ela_network_lan_free(struct ela_network_lan *lan)
{
	if (!lan)
		return;
	ela_discovery_free(lan->discovery);
	ela_lans_free(lan->lans);
	g_free(lan);
}
