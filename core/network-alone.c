/* SPDX-License-Identifier: Apache-2.0 */
/* network-alone: a node that nobody answers is a ring of its own (wire.md, "Joining"). Control thread. */
#include "address.h"
#include "bytes.h"
#include "network-priv.h"

bool ela_network_be_alone(struct ela_network *network)
{
	const struct ela_addresses from = {network->node->loop, network->membership, network->directory, network->leases};
	const struct ela_addr *wish4 = &network->node->config->wish4;
	uint32_t wish = wish4->family == ELA_ADDR_IP4 ? ela_get32(wish4->ip) : 0;
	struct ela_lease lease = {.role = ELA_LEASE_CORE};
	g_autoptr(GError) error = NULL;

	if (network->lease.id != 0 || !ela_membership_genesis(network->membership) ||
		ela_membership_check(network->membership, &network->self, NULL) != 0)
		return false;
	if (!ela_roles_may_be_core(network)) {
		(void)g_snprintf(
			network->missing, sizeof network->missing, "no core answers, and its user's nodes may not be one");
		return false;
	}
	if (ela_address_choose(&from, &network->self, wish, &lease.address) != 0)
		return false;
	lease.n_places = ela_network_places(network, lease.places);
	(void)g_snprintf(network->reason, sizeof network->reason, "by necessity: no other core answers");
	if (ela_network_enter(network, &lease, &error) != 0) {
		ela_logf(network->node->log, ELA_LOG_WARN, "joining", "alone-failed reason=\"%s\"", error->message);
		return false;
	}
	network->is_alone = network->is_unconfirmed = true;
	ela_logf(network->node->log, ELA_LOG_INFO, "joining", "alone reason=\"%s\"",
		network->contacts.n ? "no core answers" : "it knows no other core");
	return true;
}
