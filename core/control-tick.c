/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control, what is due: a peer's tick: who is alive, keepalives, when to rekey, and the ticks of what hangs on it.
 * Control thread.
 */
#include "peer.h"

#define PING_NS (200 * ELA_MSEC) /* four of them and the ticks between are less than a second */
#define MISSES 3u
#define MEASURE_NS (2 * ELA_SEC)
#define OPEN_NS (25 * ELA_SEC) /* NATs keep the way of a datagram for 30 s and more (RFC 4787 wants 120) */
#define ASK_NS (15 * ELA_SEC)  /* so long after the last packet nobody waits for an answer any more */

/* Three misses: look for it everywhere. Its session stays, it may only be slow. */
static void say_silent(struct ela_peer *peer, uint64_t now)
{
	peer->silent_ns = now;
	ELA_COUNT(peer->node, LINKS_LOST, 1);
	ela_logf_limited(peer->node->log, now, ELA_LOG_INFO, "session", "silent peer=%s", peer->name);
	ela_initiator_cancel(peer);
	peer->retry_ns = now;
}

static void ping(struct ela_peer *peer, uint64_t now)
{
	peer->pings_ns[++peer->ping % G_N_ELEMENTS(peer->pings_ns)] = now;
	(void)ela_control_ping(peer, peer->ping); /* the next one comes */
}

/*
 * How long to wait for an answer. Through a neighbour twice as long: when that one is lost, it shall be replaced before
 * everybody behind it is looked for.
 */
static uint64_t patience_ns(const struct ela_peer *peer)
{
	return MAX(PING_NS, peer->rtt_ns / 2) << (peer->tx_shadow->via != NULL);
}

/*
 * We sent and nothing came back for 200 ms: ask; three times in vain: it is gone (thesis 4.2.3, n misses). Slower where
 * the round trip is longer than twice that. What is not answered was sent after the tick that last found all answered,
 * and after what came last: ticks that are far apart do not make it slower. True while an answer is awaited.
 */
static bool check_alive(struct ela_peer *peer, uint64_t now, uint64_t tx, uint64_t rx)
{
	if (tx <= rx || now - tx > ASK_NS) {
		peer->answered_ns = now;
		peer->misses = 0;
		peer->ping_ns = peer->unanswered_ns = 0;
		return false;
	}
	if (peer->ping_ns && rx >= peer->ping_ns) { /* traffic goes one way only, but the question was answered */
		peer->misses = 0;
		peer->ping_ns = peer->unanswered_ns = 0;
	}
	if (peer->unanswered_ns == 0)
		peer->unanswered_ns = MAX(MAX(peer->answered_ns, peer->current->born_ns), rx);
	if (now - MAX(peer->unanswered_ns, peer->ping_ns) < patience_ns(peer))
		return true;
	if (peer->ping_ns && ++peer->misses == MISSES)
		say_silent(peer, now);
	peer->ping_ns = now;
	ping(peer, now);
	return true;
}

/*
 * How far away it is decides how long to wait for it. The initiator has measured the handshake, the responder nothing
 * yet; and what was far once may be near again, which traffic that is answered does not show.
 */
static void measure(struct ela_peer *peer, uint64_t now, uint64_t data_tx)
{
	bool is_long = peer->rtt_ns > 2 * PING_NS && now - data_tx < ASK_NS && now - peer->measured_ns > MEASURE_NS;

	if (peer->ping_ns == 0 && (peer->measure || is_long)) {
		peer->measure = false;
		peer->measured_ns = now;
		ping(peer, now);
	}
}

/*
 * Nothing was heard for so long, or nothing sent for so long that what stands between may forget the way: a ping, whose
 * answer mends both. Who is silent is asked as if nothing else had been, or the questions would never end.
 */
static bool keep_alive(struct ela_peer *peer, uint64_t now, uint64_t tx, uint64_t rx)
{
	uint64_t interval = peer->config->keepalive_ns, sent = MAX(interval, OPEN_NS);

	if (interval == 0)
		return false;
	if (peer->silent_ns ? now - tx < interval : now - MAX(rx, peer->asked_ns) < interval && now - tx < sent)
		return false;
	peer->asked_ns = now;
	ELA_COUNT(peer->node, KEEPALIVES_OUT, 1);
	ping(peer, now);
	return true;
}

/* A session without traffic is not renewed, unless a keepalive says that it is wanted all the time. */
static void check_rekey(struct ela_peer *peer, uint64_t now, uint64_t data_tx)
{
	const struct ela_session *s = peer->current;
	/* The initiator asks first; the other end only if that did not happen. */
	uint64_t due = s->with.initiator ? ELA_SESSION_REKEY_NS - 10 * ELA_SEC + peer->rekey_jitter_ns
									 : ELA_SESSION_REKEY_NS + 30 * ELA_SEC;

	if (peer->rekeying || now - s->born_ns < due || (!peer->config->keepalive_ns && now - data_tx > 30 * ELA_SEC))
		return;
	peer->rekeying = true;
	ela_initiator_cancel(peer);
	peer->retry_ns = now;
}

bool ela_control_tick(struct ela_peer *peer, uint64_t now_ns)
{
	uint64_t data_tx, data_rx, tx, rx;
	bool busy = false, was_silent = peer->silent_ns != 0;

	ela_peer_expire(peer, now_ns);
	ela_initiator_tick(peer, now_ns);
	if (peer->current && peer->tx_shadow) {
		/* Lanes go on while this looks: what they did since now_ns was read counts as done now, not as long ago. */
		data_tx = MIN(ela_session_last_tx(peer->current), now_ns);
		tx = MIN(MAX(data_tx, peer->control_tx_ns), now_ns);
		data_rx = MIN(atomic_load_explicit(&peer->current->rx_ns, memory_order_relaxed), now_ns);
		rx = MAX(data_rx, MIN(peer->control_rx_ns, now_ns));
		if (now_ns - MAX(data_tx, data_rx) < 5 * ELA_SEC)
			peer->node->active_ns = now_ns;
		if (rx >= peer->silent_ns)
			peer->silent_ns = 0;
		busy = check_alive(peer, now_ns, MAX(data_tx, peer->asked_ns), rx);
		measure(peer, now_ns, data_tx);
		busy |= keep_alive(peer, now_ns, tx, rx);
		check_rekey(peer, now_ns, data_tx);
		ela_pmtu_tick(peer, now_ns);
		ela_via_tick(peer, now_ns);
		busy |= peer->pmtu.probing != 0;
	} else if (peer->config->keepalive_ns && peer->n_addrs && !ela_initiator_busy(peer)) {
		ela_initiate(peer); /* wanted all the time, and nothing else asks for it */
	}
	busy |= ela_initiator_busy(peer) || ela_peer_offered_ns(peer);
	if (was_silent != (peer->silent_ns != 0)) /* at the end: who hears it may give the peer another way */
		ela_peer_tell(peer, was_silent ? ELA_NEWS_WAY : ELA_NEWS_LOST);
	return busy;
}
