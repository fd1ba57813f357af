/* SPDX-License-Identifier: Apache-2.0 */
/* better: looks for a better way than the connection in use. Control thread. */
#include "own.h"
#include "peer.h"

#include <string.h>

#define BETTER_LEAST_NS (250 * ELA_MSEC) /* between two challenges; then twice as long each time */
#define BETTER_MOST_NS (60 * ELA_SEC)

/*
 * A node of a ring is met over a connection first, as it has no address yet; from then on what the configuration likes
 * better is challenged, one place after the other. The session moves there when an answer came; until then it stays.
 */
void ela_better_tick(struct ela_peer *peer, uint64_t now_ns)
{
	const struct ela_tx *tx = peer->tx_shadow;
	struct ela_path path = {0};
	uint32_t better = 0;

	if (!peer->made || peer->via || !tx || !tx->link || !peer->n_addrs || ela_own_id(peer->node) == 0 ||
		peer->id == 0) {
		peer->better_wait_ns = 0;
		return;
	}
	while (peer->config->transports[better] &&
		   strcmp(peer->config->transports[better], tx->transport->instance->loaded->descriptor->name) != 0)
		better++;
	if (better == 0 || now_ns < peer->better_ns)
		return;
	peer->better_wait_ns = CLAMP(2 * peer->better_wait_ns, BETTER_LEAST_NS, BETTER_MOST_NS);
	peer->better_ns = now_ns + peer->better_wait_ns;
	for (uint32_t k = 0; k < better * peer->n_addrs; k++) {
		uint32_t way = peer->endpoint++ % (better * peer->n_addrs);
		const struct ela_transport *t = ela_transport_named(peer->node, peer->config->transports[way / peer->n_addrs]);

		if (!t || !(t->info.caps & ELA_TRANSPORT_DATAGRAM) ||
			!ela_addr_allowed(peer->node, &peer->addrs[way % peer->n_addrs]))
			continue;
		path.remote = peer->addrs[way % peer->n_addrs];
		path.transport = t->number;
		ela_control_try(peer, &path);
		return;
	}
}
