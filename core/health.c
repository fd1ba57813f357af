/* SPDX-License-Identifier: Apache-2.0 */
/* health: looks at a node's peers, sessions and counters and says what is wrong. Control thread; changes nothing. */
#include "health.h"

#include "format.h"
#include "peer.h"

#define PATIENCE_NS (30 * ELA_SEC)
#define JUMP_NS (3600 * ELA_SEC) /* so long a jump of the clocks is news */
#define MISSES 3u                /* control.c: silent */
#define DROPS_PER_MILLE 1u       /* of all frames: fewer are what queues are for */

struct health {
	struct ela_node *node;
	ela_health_fn fn;
	void *data;
};

static void say(const struct health *h, const char *remedy, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void say(const struct health *h, const char *remedy, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	h->fn(h->data, text, remedy);
}

static void look_at_session(const struct health *h, const struct ela_peer *peer)
{
	const struct ela_suite *suite = peer->tx_shadow->session->with.suite->suite;

	if (peer->misses >= MISSES)
		say(h, "it may be gone, or the way to it: ela why shows what is tried", "%s does not answer", peer->name);
	if (suite->flags & ELA_SUITE_WEAK)
		say(h, "cipher = aead in both files, then restart both", "%s: the session uses %s, which is weak", peer->name,
			suite->name);
}

static void look_at_absence(const struct health *h, const struct ela_peer *peer)
{
	uint64_t absent_ns = ela_loop_now(h->node->loop) - peer->changed_ns;
	g_autofree char *remedy = NULL;
	char absent[ELA_FORMAT_LEN];

	if (absent_ns < PATIENCE_NS)
		return;
	ela_format_time((double)absent_ns / 1e9, absent);
	remedy = g_strdup_printf(
		"see what was tried: ela why %s; does elad run there, has each the other's public key?", peer->name);
	if (peer->config->n_endpoints)
		say(h, remedy, "%s: no session for %s", peer->name, absent);
	else if (!peer->called_ns)
		say(h, "name an endpoint in its section, here or there", "%s has no endpoint here and has never called",
			peer->name);
}

static void look_at_peers(const struct health *h)
{
	const struct ela_peers *peers = ela_peers_list(h->node);

	for (uint32_t i = 0; i < peers->n; i++) {
		if (peers->v[i]->tx_shadow)
			look_at_session(h, peers->v[i]);
		else
			look_at_absence(h, peers->v[i]);
	}
}

static void look_at_clocks(const struct health *h)
{
	uint64_t ago_ns = ela_loop_now(h->node->loop) - h->node->jumped_ns;
	char ago[ELA_FORMAT_LEN];

	if (!h->node->jumped_ns || ago_ns >= JUMP_NS)
		return;
	ela_format_time((double)ago_ns / 1e9, ago);
	say(h, "if no snapshot was restored: let the time service step the clock at boot and slew it later",
		"the clocks jumped apart %s ago (%u times in all): all session keys were dropped", ago, h->node->jumps);
}

/* More than a small part of what was sent. */
static void look_at_drops(const struct health *h)
{
	static const struct {
		const char *counter, *remedy;
	} drops[] = {
		{"drop-queue", "the stream connection is slower than what is sent into it: use udp, or send less"},
		{"drop-busy", "the socket takes no more: raise net.core.wmem_max, or send less"},
		{"drop-device", "the programs of this machine read too slowly, or the device has too few queues"},
		{"drop-copies", "programs broadcast more than 200 copies a second carry: let them say less"},
		{"drop-control-full", "somebody floods the port with handshakes"},
	};
	uint64_t frames = ela_node_counter(h->node, "frames-out") + ela_node_counter(h->node, "frames-in");

	for (size_t i = 0; i < G_N_ELEMENTS(drops); i++) {
		uint64_t n = ela_node_counter(h->node, drops[i].counter);

		if (n * 1000 > frames * DROPS_PER_MILLE)
			say(h, drops[i].remedy,
				"%s: %" G_GUINT64_FORMAT " packets since the start, of %" G_GUINT64_FORMAT " frames", drops[i].counter,
				n, frames);
	}
}

void ela_node_health(struct ela_node *node, ela_health_fn fn, void *data)
{
	const struct health h = {node, fn, data};

	look_at_peers(&h);
	look_at_clocks(&h);
	look_at_drops(&h);
}
