/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmtu: packetization-layer path MTU discovery (RFC 8899) of each datagram path. Control thread.
 *
 * A new path is trusted to carry the device MTU, and a sealed probe of that size says at once whether it does. After
 * three lost probes the size is searched between BASE and the lost one, if BASE passes: a path that carries nothing, in
 * this direction at least, says nothing about sizes. A confirmed size is tried again every two seconds of traffic
 * (paths shrink silently), and the full size every minute (paths grow back). A way through a neighbour is one path, hop
 * fields included, whatever its hops are: every frame is one that fits all of them.
 */
#include "peer.h"

#define BASE 1200u /* RFC 8899, BASE_PLPMTU for IPv6 and IPv4 */
#define STEP 8u    /* the search ends when the interval is this small */
#define PROBE_NS (300 * ELA_MSEC)
#define CHECK_NS (2 * ELA_SEC)
#define RAISE_NS (60 * ELA_SEC)
#define MISSES 3u
#define TOLD 100u /* as many misses as no loss makes */

/* Largest frame worth probing: what a full device packet becomes under this session. */
static uint32_t ceiling(const struct ela_peer *peer, const struct ela_tx *tx)
{
	return peer->node->mtu + tx->overhead;
}

/* What is known of the first hop: it carries no more of ours than of the neighbour's own. */
static uint32_t first_hop(const struct ela_peer *neighbour, uint32_t frame)
{
	const struct ela_tx *hop = neighbour->tx_shadow;

	return hop && !hop->link && hop->max_frame < ceiling(neighbour, hop) ? MIN(frame, hop->max_frame) : frame;
}

uint32_t ela_pmtu_frame(const struct ela_peer *peer, const struct ela_tx *tx)
{
	const struct ela_transport *t = tx->transport;
	uint32_t frame = ceiling(peer, tx);

	if (tx->path.link)
		return UINT16_MAX + tx->overhead; /* streams carry any packet */
	if (t->info.max_datagram && frame > t->info.max_datagram)
		frame = t->info.max_datagram;
	if (tx->via)
		frame = first_hop(tx->via, frame);
	if (peer->pmtu.confirmed && peer->pmtu.confirmed < frame)
		frame = peer->pmtu.confirmed;
	return frame;
}

void ela_pmtu_reset(struct ela_peer *peer)
{
	peer->pmtu = (struct ela_pmtu){.due_ns = ela_loop_now(peer->node->loop) + PROBE_NS};
}

/* The path carries frame bytes: lanes cut to that. */
static void settle(struct ela_peer *peer, uint32_t frame)
{
	bool changed = peer->pmtu.confirmed != frame && peer->tx_shadow && peer->tx_shadow->max_frame != frame;

	peer->pmtu.confirmed = frame;
	if (!changed)
		return;
	ela_logf_limited(peer->node->log, ela_loop_now(peer->node->loop), ELA_LOG_INFO, "path",
		"mtu peer=%s frame=%u packet=%u", peer->name, frame, frame - peer->tx_shadow->overhead);
	ela_peer_publish(peer, peer->tx_shadow->session, &peer->tx_shadow->path);
}

static void probe(struct ela_peer *peer, uint32_t frame, uint64_t now_ns)
{
	struct ela_pmtu *p = &peer->pmtu;

	if (p->misses == 0) /* an answer to any of the tries of one size will do: a round trip may be longer than a try */
		p->token++;
	p->probing = frame;
	p->due_ns = now_ns + MAX(PROBE_NS, peer->rtt_ns);
	if (!ela_control_probe(peer, frame, p->token))
		p->misses = TOLD; /* too big for our own interface: no need to ask again */
}

/* Searches on between low (carried) and high (lost). */
static void search(struct ela_peer *peer, uint64_t now_ns)
{
	struct ela_pmtu *p = &peer->pmtu;

	p->misses = 0;
	if (p->high - p->low <= STEP && p->high == ceiling(peer, peer->tx_shadow) && p->probing != p->high) {
		probe(peer, p->high, now_ns); /* all the others passed: it may have been lost as anything may */
		return;
	}
	if (p->high - p->low <= STEP) {
		p->probing = 0;
		p->due_ns = now_ns + CHECK_NS;
		p->raise_ns = now_ns + RAISE_NS;
		settle(peer, p->low);
		p->low = p->high = 0;
		return;
	}
	probe(peer, p->low + (p->high - p->low) / 2, now_ns);
}

static void give_up(struct ela_pmtu *p, uint64_t now_ns)
{
	p->probing = p->low = p->high = p->misses = 0;
	p->due_ns = now_ns + CHECK_NS;
}

/* The size under probe was lost for good. told: by our own interface, which knows. */
static void lost(struct ela_peer *peer, uint64_t now_ns, bool told)
{
	struct ela_pmtu *p = &peer->pmtu;

	if (p->probing <= BASE) { /* nothing passes: no news about sizes */
		give_up(p, now_ns);
		return;
	}
	p->high = p->probing;
	if (p->low == 0 && p->confirmed && p->confirmed < p->high)
		p->low = p->confirmed; /* a larger size was tried in vain: nothing shrank */
	if (p->low == 0 && !told) {
		p->misses = 0;
		probe(peer, BASE, now_ns); /* does it carry what is safe? Then that at once, and better */
		return;
	}
	if (p->low == 0) {
		p->low = BASE;
		settle(peer, BASE);
	}
	search(peer, now_ns);
}

bool ela_pmtu_confirmed(struct ela_peer *peer, uint32_t token)
{
	struct ela_pmtu *p = &peer->pmtu;
	uint64_t now = ela_loop_now(peer->node->loop);

	if (token != p->token || !peer->tx_shadow)
		return false;
	if (p->probing == 0)
		return true; /* one of several tries was answered before */
	if (p->high > p->probing) {
		p->low = p->probing;
		settle(peer, p->low);
		search(peer, now);
		return true;
	}
	if (p->probing > p->confirmed)
		settle(peer, p->probing);
	if (p->probing == ceiling(peer, peer->tx_shadow))
		p->raise_ns = now + RAISE_NS;
	p->probing = p->low = p->high = p->misses = 0;
	p->due_ns = now + CHECK_NS;
	return true;
}

void ela_pmtu_too_big(struct ela_peer *peer)
{
	struct ela_pmtu *p = &peer->pmtu;

	if (!peer->tx_shadow || peer->tx_shadow->path.link || p->high)
		return; /* a search is under way */
	p->probing = peer->tx_shadow->max_frame;
	lost(peer, ela_loop_now(peer->node->loop), true);
}

void ela_pmtu_tick(struct ela_peer *peer, uint64_t now_ns)
{
	struct ela_pmtu *p = &peer->pmtu;
	struct ela_tx *tx = peer->tx_shadow;
	uint64_t used_ns;
	uint32_t full;

	if (!tx || tx->path.link || now_ns < p->due_ns)
		return;
	if (peer->misses || peer->silent_ns) { /* a silent path says nothing about sizes, and did not for a while */
		p->misses = 0;
		return;
	}
	if (p->probing) {
		if (++p->misses >= MISSES)
			lost(peer, now_ns, p->misses > TOLD);
		else
			probe(peer, p->probing, now_ns);
		return;
	}
	/* Packets only: two ends that count each other's probes never come to rest. A lane may be ahead of now_ns. */
	used_ns = MAX(ela_session_last_tx(tx->session), atomic_load_explicit(&tx->session->rx_ns, memory_order_relaxed));
	if (p->confirmed && used_ns + CHECK_NS < now_ns) {
		p->due_ns = now_ns + CHECK_NS; /* idle: nothing to find out */
		return;
	}
	full = ceiling(peer, tx);
	probe(peer, p->confirmed && p->confirmed < full && now_ns < p->raise_ns ? p->confirmed : full, now_ns);
}
