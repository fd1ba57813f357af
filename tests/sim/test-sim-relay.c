/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-sim-relay: edges that reach each other through cores. One thread.
 *
 *   edge 0 --- core 1 --- core 2 --- edge 3        links are datagrams, streams, or both in turn
 *        \--- core 4 ---/                          core 4: the other parent of edge 0
 *
 * Who is whose child is said by the test; the edges have no other way to each other unless a test gives them one.
 */
#include "own.h"
#include "sim.h"

#include "forward.h"
#include "peer.h"
#include "via.h"

#define EDGE 0u
#define OTHER 3u
#define BIT(k) (UINT64_C(1) << (k))

static const char *const suites[][2] = {{NULL, NULL}, {"aead", "chacha20-poly1305"}, {"blowfish", NULL}};

enum medium { DATAGRAMS, STREAMS, MIXED };

static uint32_t id_of(struct sim *s, uint32_t i)
{
	return ela_own_id(s->nodes[i].node);
}

/* Frames at core `at` for node `to` go to its neighbour `next`. */
static void forward(struct sim *s, uint32_t at, uint32_t to, uint32_t next)
{
	enum ela_forward_kind kind = next == EDGE || next == OTHER ? ELA_FORWARD_CHILD : ELA_FORWARD_CORE;

	sim_equal(s, (uint64_t)-ela_forward_set(s->nodes[at].node, id_of(s, to), sim_peer(s, at, next), kind), 0);
}

/* What the core knows, when all is up. */
static void tell(struct sim *s, uint32_t core)
{
	static const uint8_t table[][3] = {{1, EDGE, EDGE}, {1, OTHER, 2}, {1, 2, 2}, {4, EDGE, EDGE}, {4, OTHER, 2},
		{4, 2, 2}, {2, OTHER, OTHER}, {2, EDGE, 1}, {2, 1, 1}, {2, 4, 4}};

	for (uint32_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (table[i][0] == core)
			forward(s, core, table[i][1], table[i][2]);
}

static void via(struct sim *s, uint32_t at, uint32_t to, uint32_t neighbour)
{
	sim_equal(s,
		(uint64_t)-ela_peer_via(sim_peer(s, at, to), neighbour == SIM_MAX_NODES ? NULL : sim_peer(s, at, neighbour)),
		0);
}

/* A datagram between the edges themselves. */
static bool no_short_cut(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	bool from_edge = seen->from.ip[3] == EDGE + 1 || seen->from.ip[3] == OTHER + 1;
	bool to_edge = seen->to.ip[3] == EDGE + 1 || seen->to.ip[3] == OTHER + 1;

	(void)frame, (void)len;
	sim_check(s, !from_edge || !to_edge, "a frame went past the cores");
	return true;
}

static struct sim *world(uint64_t seed, enum medium medium, uint32_t lanes)
{
	const struct sim_spec spec = {.cipher = suites[seed % 3][0],
		.suite = suites[seed % 3][1],
		.caps = seed % 2 ? "all" : "none",
		.mode = medium == STREAMS ? "stream" : "datagram",
		.lanes = lanes,
		.knows = SIM_ALL};
	struct sim *s = sim_new(seed, 5, &spec);

	s->nodes[EDGE].spec.dials = BIT(1) | BIT(4);
	s->nodes[2].spec.dials = BIT(1) | BIT(4);
	s->nodes[OTHER].spec.dials = BIT(2);
	if (medium == MIXED) { /* core 2 and edge 3 speak streams, the others datagrams where both can */
		s->nodes[1].spec.mode = s->nodes[4].spec.mode = "both";
		s->nodes[2].spec.mode = s->nodes[OTHER].spec.mode = "stream";
	}
	return s;
}

/* All is up and talked to its neighbours; the edges go through 1 and 2. */
static struct sim *start(uint64_t seed, enum medium medium, uint32_t lanes)
{
	struct sim *s = world(seed, medium, lanes);

	sim_up_all(s);
	for (uint32_t core = 1; core < 5; core++)
		if (core != OTHER)
			tell(s, core);
	via(s, EDGE, OTHER, 1);
	via(s, OTHER, EDGE, 2);
	s->on_frame = no_short_cut;
	return s;
}

static bool both_up(struct sim *s)
{
	struct ela_peer *a = sim_peer(s, EDGE, OTHER), *b = sim_peer(s, OTHER, EDGE);

	return a->current && b->current && a->tx_shadow && b->tx_shadow;
}

static void both_ways(struct sim *s, uint64_t interval_ns, uint64_t for_ns)
{
	sim_flow(s, EDGE, OTHER, interval_ns, for_ns);
	sim_flow(s, OTHER, EDGE, interval_ns, for_ns);
}

/* Nobody dropped anything for one of these. */
static void zero(struct sim *s, const char *const *names)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (const char *const *name = names; s->nodes[i].node && *name; name++)
			sim_zero(s, i, *name);
}

static const char *const never[] = {"drop-header", "drop-type", "drop-ttl", "drop-short", "drop-hop-tag", "drop-tag",
	"drop-source", "drop-inner", "drop-destination", "drop-forward-rule", "drop-forward-sender", "drop-forward-rate",
	"drop-send", "drop-exhausted", NULL};

/* ---- nothing goes wrong ---- */

START_TEST(perfect)
{
	enum medium medium = (enum medium)SIM_KIND(3);
	struct sim *s = start(sim_seed(_i), medium, 1 + (uint32_t)(sim_seed(_i) / 3 % 2));

	sim_link(s, &(struct ela_mem_link){.delay_ns = sim_random(s, 30) * ELA_MSEC});
	both_ways(s, 2 * ELA_MSEC, 5 * ELA_SEC);
	sim_check(s, sim_run_until(s, both_up, 3 * ELA_SEC), "no session");
	sim_run(s, 7 * ELA_SEC);
	sim_equal(s, sim_lost(s, EDGE, OTHER, 3 * ELA_SEC, SIM_ALL) + sim_lost(s, OTHER, EDGE, 3 * ELA_SEC, SIM_ALL), 0);
	zero(s, never);
	sim_between(s, 1, "relayed", 2000, UINT64_MAX);
	sim_between(s, 2, "relayed", 2000, UINT64_MAX);
	sim_zero(s, 4, "relayed");
	sim_zero(s, EDGE, "relayed");
	sim_zero(s, 1, "drop-hop-replay");
	sim_equal(s, sim_peer(s, EDGE, OTHER)->tx_shadow->overhead, sim_peer(s, EDGE, OTHER)->current->overhead + 28);
	sim_free(s);
}
END_TEST

static bool got_all(struct sim *s)
{
	struct sim_pair *there = &s->pairs[EDGE][OTHER], *back = &s->pairs[OTHER][EDGE];

	return there->stream_got == there->bytes->len && back->stream_got == back->bytes->len && there->got == there->sent;
}

/* Superpackets are cut by their sender into frames that fit every hop, and come out whole or in pieces, unaltered. */
START_TEST(superpackets)
{
	enum medium medium = (enum medium)SIM_KIND(3);
	struct sim *s = start(1 + 2 * sim_seed(_i), medium, 1);
	uint64_t sends;

	sim_run(s, ELA_SEC);
	sim_send(s, EDGE, OTHER, SIM_MIN);
	sim_check(s, sim_run_until(s, both_up, 3 * ELA_SEC), "no session");
	sim_run(s, ELA_SEC);
	sends = sim_counter(s, 1, "sends");
	for (uint32_t n = 0; n < 50; n++) {
		sim_send_tcp(s, EDGE, OTHER, 1 + (uint32_t)sim_random(s, 60000), 1200);
		sim_send_tcp(s, OTHER, EDGE, 1 + (uint32_t)sim_random(s, 60000), 1200);
		sim_send_udp(s, EDGE, OTHER, 2 + (uint32_t)sim_random(s, 30), 1000);
		sim_run(s, 20 * ELA_MSEC);
	}
	sim_check(s, sim_run_until(s, got_all, 5 * ELA_SEC), "something is missing");
	zero(s, never);
	sim_between(s, EDGE, "superpackets-cut", 60, 200);
	sim_between(s, OTHER, "superpackets-joined", 20, UINT64_MAX);
	if (medium == DATAGRAMS) /* trains went on as trains */
		sim_check(s, sim_counter(s, 1, "sends") - sends < sim_counter(s, 1, "relayed") / 4, "frames went singly");
	sim_free(s);
}
END_TEST

/* One hop in the middle is narrow: found out by the edge's own sealed probes, hop fields included. */
START_TEST(narrow_hop)
{
	struct sim *s = start(sim_seed(_i), DATAGRAMS, 1);
	const struct ela_mem_link narrow = {.black_hole = 1300};
	uint32_t max_frame;

	ck_assert_int_eq(ela_mem_link_set(s->fabric, s->nodes[1].underlay, s->nodes[2].underlay, &narrow), 0);
	both_ways(s, 5 * ELA_MSEC, 20 * ELA_SEC);
	sim_run(s, 10 * ELA_SEC);
	max_frame = sim_peer(s, EDGE, OTHER)->tx_shadow->max_frame;
	sim_check(s, max_frame > 1280 && max_frame <= 1300, "largest frame %u", max_frame);
	sim_equal(
		s, sim_peer(s, EDGE, OTHER)->tx_shadow->max_packet, max_frame - sim_peer(s, EDGE, OTHER)->tx_shadow->overhead);
	sim_check(s, s->nodes[EDGE].too_big > 0, "the host was not told");
	sim_run(s, 12 * ELA_SEC);
	zero(s, never);
	sim_free(s);
}
END_TEST

/* All keys expire in silence; the first packet behind two relays brings up every link that it needs. */
START_TEST(silence)
{
	struct sim *s = world(sim_seed(_i), (enum medium)SIM_KIND(2), 1);

	for (uint32_t i = 0; i < 5; i++)
		s->nodes[i].spec.dials = i == EDGE ? BIT(1)
								 : i == 1  ? BIT(EDGE) | BIT(2)
								 : i == 2  ? BIT(1) | BIT(OTHER)
										   : BIT(2);
	sim_up_all(s);
	tell(s, 1);
	tell(s, 2);
	via(s, EDGE, OTHER, 1);
	via(s, OTHER, EDGE, 2);
	for (uint32_t n = 0; n < 2; n++) {
		uint64_t began_ns = sim_now(s);

		both_ways(s, 20 * ELA_MSEC, 8 * ELA_SEC);
		sim_run(s, 10 * ELA_SEC);
		sim_equal(s,
			sim_lost(s, EDGE, OTHER, began_ns + 4 * ELA_SEC, SIM_ALL) +
				sim_lost(s, OTHER, EDGE, began_ns + 4 * ELA_SEC, SIM_ALL),
			0);
		sim_run(s, 400 * ELA_SEC);
		for (uint32_t i = 0; i < 4; i++) /* edge, core, core, edge: nothing is kept for nobody */
			sim_check(s, i == 3 || !sim_peer(s, i, i + 1)->tx_shadow, "still up");
	}
	sim_free(s);
}
END_TEST

/* ---- the network does what it may ---- */

START_TEST(bad_network)
{
	enum medium medium = (enum medium)SIM_KIND(3);
	struct sim *s = start(sim_seed(_i), medium, 1);
	const struct ela_mem_link link = {
		.delay_ns = sim_random(s, 30) * ELA_MSEC,
		.jitter_ns = sim_random(s, 30) * ELA_MSEC,
		.loss_ppm = (uint32_t)sim_random(s, 80000),
		.dup_ppm = (uint32_t)sim_random(s, 100000),
		.reorder_ppm = (uint32_t)sim_random(s, 200000),
		.reorder_ns = sim_random(s, 100) * ELA_MSEC,
		.split = sim_random(s, 2),
	};
	struct sim_pair *there = &s->pairs[EDGE][OTHER], *back = &s->pairs[OTHER][EDGE];

	sim_link(s, &link);
	both_ways(s, 5 * ELA_MSEC, 30 * ELA_SEC);
	sim_check(s, sim_run_until(s, both_up, 20 * ELA_SEC), "no session");
	sim_run(s, 40 * ELA_SEC);
	sim_check(s, there->got * 2 > there->sent && back->got * 2 > back->sent, "hardly anything came");
	zero(s, (const char *const[]){"drop-header", "drop-hop-tag", "drop-tag", "drop-source", "drop-forward-rule", NULL});
	sim_free(s);
}
END_TEST

/* A core restarts: its links come back, and with them what went through it, under the same end-to-end session. */
START_TEST(relay_restarts)
{
	enum medium medium = (enum medium)SIM_KIND(3);
	struct sim *s = start(sim_seed(_i), medium, 1);
	const struct ela_session *before;
	uint64_t at_ns;

	both_ways(s, 5 * ELA_MSEC, 40 * ELA_SEC);
	sim_check(s, sim_run_until(s, both_up, 3 * ELA_SEC), "no session");
	sim_run(s, 3 * ELA_SEC);
	before = sim_peer(s, EDGE, OTHER)->current;
	sim_down(s, 1);
	sim_run(s, sim_random(s, 1000) * ELA_MSEC);
	sim_up(s, 1);
	tell(s, 1);
	at_ns = sim_now(s);
	sim_run(s, 15 * ELA_SEC);
	sim_equal(s,
		sim_lost(s, EDGE, OTHER, at_ns + 5 * ELA_SEC, sim_now(s) - ELA_SEC) +
			sim_lost(s, OTHER, EDGE, at_ns + 5 * ELA_SEC, sim_now(s) - ELA_SEC),
		0);
	sim_check(s, before->with.local_index != 0 && both_up(s), "down");
	sim_run(s, 25 * ELA_SEC);
	zero(s, (const char *const[]){"drop-tag", "drop-hop-tag", "drop-forward-rule", "drop-source", NULL});
	sim_free(s);
}
END_TEST

/* ---- switching ---- */

/*
 * Through 1, through 4, directly, and back, under traffic: nothing is lost, for nothing that was under way is stopped.
 * The session stays.
 */
START_TEST(switching)
{
	enum medium medium = (enum medium)SIM_KIND(2);
	struct sim *s = world(sim_seed(_i), medium, 1 + (uint32_t)(sim_seed(_i) / 2 % 2));
	struct ela_peer *there, *back;
	const struct ela_session *session;

	s->nodes[EDGE].spec.dials |= BIT(OTHER);
	s->nodes[OTHER].spec.dials |= BIT(EDGE);
	sim_link(s, &(struct ela_mem_link){.delay_ns = 1 + sim_random(s, 20) * ELA_MSEC});
	sim_up_all(s);
	for (uint32_t core = 1; core < 5; core++)
		if (core != OTHER)
			tell(s, core);
	via(s, EDGE, OTHER, 1);
	via(s, OTHER, EDGE, 2);
	sim_run(s, ELA_SEC);
	sim_send(s, EDGE, OTHER, SIM_MIN);
	sim_check(s, sim_run_until(s, both_up, 3 * ELA_SEC), "no session");
	sim_run(s, ELA_SEC);
	there = sim_peer(s, EDGE, OTHER);
	back = sim_peer(s, OTHER, EDGE);
	session = there->current;
	both_ways(s, 2 * ELA_MSEC, 20 * ELA_SEC);
	for (uint32_t n = 0; n < 6; n++) {
		const struct ela_peer *parent = sim_peer(s, EDGE, n % 3 == 0 ? 4 : 1);

		sim_run(s, ELA_SEC + sim_random(s, 500) * ELA_MSEC);
		via(s, EDGE, OTHER, n % 3 == 0 ? 4 : n % 3 == 1 ? SIM_MAX_NODES : 1);
		if (n % 3 != 0)
			via(s, OTHER, EDGE, n % 3 == 1 ? SIM_MAX_NODES : 2);
		sim_run(s, ELA_SEC);
		if (n % 3 == 1)
			sim_check(s, !there->tx_shadow->via && !back->tx_shadow->via, "no direct way was found");
		else
			sim_check(s, there->tx_shadow->via == parent, "not through that one");
		if (medium == DATAGRAMS) /* a new connection begins with a handshake */
			sim_check(s, there->current == session, "another session");
	}
	sim_run(s, 12 * ELA_SEC);
	sim_all_there(s, EDGE, OTHER);
	sim_all_there(s, OTHER, EDGE);
	zero(s, never);
	sim_between(s, 4, "relayed", 500, UINT64_MAX);
	sim_free(s);
}
END_TEST

/* The neighbour's link goes: nothing can be sent until another way is set, then it goes on with the same session. */
START_TEST(link_gone)
{
	struct sim *s = start(sim_seed(_i), STREAMS, 1);
	struct ela_peer *there;
	const struct ela_session *session;

	both_ways(s, 5 * ELA_MSEC, 10 * ELA_SEC);
	sim_check(s, sim_run_until(s, both_up, 3 * ELA_SEC), "no session");
	sim_run(s, 2 * ELA_SEC);
	there = sim_peer(s, EDGE, OTHER);
	session = there->current;
	ck_assert_int_eq(ela_mem_partition(s->fabric, s->nodes[EDGE].underlay, s->nodes[1].underlay, true), 0);
	ck_assert_uint_ge(ela_mem_kill_streams(s->fabric, s->nodes[EDGE].underlay, s->nodes[1].underlay), 1);
	sim_run(s, 100 * ELA_MSEC);
	sim_check(s, !there->tx_shadow && there->current == session, "still published");
	via(s, EDGE, OTHER, 4);
	sim_check(s, there->tx_shadow && there->current == session, "not published");
	sim_check(s, ela_peer_via(there, there) == -EINVAL, "its own neighbour");
	sim_run(s, 12 * ELA_SEC);
	sim_equal(s, sim_lost(s, EDGE, OTHER, 3 * ELA_SEC, SIM_ALL), 0); /* they waited meanwhile */
	sim_free(s);
}
END_TEST

/* ---- relays and children that lie ---- */

/* A frame as core 1 sends it to core 2, whatever is inside. */
static void send_hop(struct sim *s, uint32_t from, uint32_t to, uint8_t *frame, uint32_t len)
{
	const struct ela_peer *peer = sim_peer(s, from, to);
	struct ela_addr addr = sim_addr(s, from);
	uint8_t *frames[] = {frame};
	bool due = false;

	sim_check(s, ela_hop_seal(peer->current, ELA_LANE_CONTROL, frames, &len, 1, &due), "no hop tag");
	sim_inject(s, &addr, to, frame, len);
}

/* A frame from edge 0 that was seen between the cores. */
static const struct sim_frame *between_cores(struct sim *s)
{
	for (guint k = s->captured->len; k-- > 0;) {
		const struct sim_frame *f = sim_captured(s, k);

		if (f->from.ip[3] == 2 && f->to.ip[3] == 3 && f->bytes[1] == ELA_TYPE_EPACKET && (f->bytes[3] & ELA_FLAG_HOP) &&
			f->len > 200)
			return f;
	}
	sim_check(s, false, "nothing was captured");
	return NULL;
}

/* Bytes change on the way between the cores: core 2 stops it. Core 1 changes them itself: edge 3 does. */
START_TEST(flipped)
{
	struct sim *s = start(sim_seed(_i), DATAGRAMS, 1);
	struct ela_addr addr;
	uint64_t n = 0, drops, got;
	uint8_t bytes[2048];
	const struct sim_frame *f;

	sim_flow(s, EDGE, OTHER, 5 * ELA_MSEC, 3 * ELA_SEC);
	sim_run(s, 2 * ELA_SEC);
	sim_capture(s, true);
	s->on_frame = NULL;
	sim_run(s, 200 * ELA_MSEC);
	f = between_cores(s);
	sim_capture(s, false);
	sim_run(s, 3 * ELA_SEC);
	addr = sim_addr(s, 1);
	drops = sim_drops(s, 2);
	got = sim_counter(s, 2, "relayed");
	for (uint32_t byte = 0; byte < f->len; byte += byte < 64 || byte + 20 > f->len ? 1 : 17) {
		if (byte >= ELA_HOP_HEAD + 12 && byte + 16 < f->len)
			continue;
		memcpy(bytes, f->bytes, f->len);
		bytes[byte] ^= (uint8_t)(1u << sim_random(s, 8));
		sim_inject(s, &addr, 2, bytes, f->len);
		n++;
	}
	sim_run(s, ELA_MSEC);
	sim_equal(s, sim_drops(s, 2), drops + n);
	sim_equal(s, sim_counter(s, 2, "relayed"), got);
	drops =
		sim_counter(s, OTHER, "drop-tag") + sim_counter(s, OTHER, "drop-replay") + sim_counter(s, OTHER, "drop-index");
	for (n = 0; n < 200; n++) {
		memcpy(bytes, f->bytes, f->len);
		ela_put64(bytes + ELA_HOP_HEAD + 4, ela_get64(bytes + ELA_HOP_HEAD + 4) + 5000); /* one that is still to come */
		bytes[ELA_HOP_HEAD + 12 + sim_random(s, f->len - ELA_HOP_HEAD - 12)] ^= (uint8_t)(1u << sim_random(s, 8));
		send_hop(s, 1, 2, bytes, f->len);
		sim_run(s, ELA_MSEC);
	}
	sim_run(s, 10 * ELA_MSEC);
	sim_equal(s, sim_counter(s, 2, "relayed"), got + n);
	sim_equal(s,
		sim_counter(s, OTHER, "drop-tag") + sim_counter(s, OTHER, "drop-replay") + sim_counter(s, OTHER, "drop-index"),
		drops + n);
	sim_run(s, 100 * ELA_MSEC);
	sim_equal(s, sim_lost(s, EDGE, OTHER, 2 * ELA_SEC, SIM_ALL), 0);
	sim_free(s);
}
END_TEST

/* Everything that went between the cores once comes again: nothing of it passes. */
START_TEST(repeated)
{
	struct sim *s = start(sim_seed(_i), DATAGRAMS, 1);
	struct ela_addr addr;
	uint64_t relayed, n = 0;

	both_ways(s, 5 * ELA_MSEC, 3 * ELA_SEC);
	sim_capture(s, true);
	sim_run(s, 4 * ELA_SEC);
	sim_capture(s, false);
	addr = sim_addr(s, 1);
	relayed = sim_counter(s, 2, "relayed");
	for (guint k = 0; k < s->captured->len; k++) {
		const struct sim_frame *f = sim_captured(s, k);

		if (f->from.ip[3] != 2 || f->to.ip[3] != 3 || !(f->bytes[3] & ELA_FLAG_HOP))
			continue;
		sim_inject(s, &addr, 2, f->bytes, f->len);
		if (++n % 16 == 0)
			sim_run(s, ELA_MSEC);
	}
	sim_run(s, 10 * ELA_MSEC);
	sim_check(s, n > 200, "hardly anything was captured");
	sim_equal(s, sim_counter(s, 2, "drop-hop-replay"), n);
	sim_equal(s, sim_counter(s, 2, "relayed"), relayed);
	sim_free(s);
}
END_TEST

/* An edge floods another with handshakes, under its own ID and under others': little passes, traffic does not mind. */
START_TEST(handshake_flood)
{
	struct sim *s = start(sim_seed(_i), DATAGRAMS, 1);
	uint8_t frame[300];
	uint64_t sent = 0, others = 0, began_ns;

	both_ways(s, 5 * ELA_MSEC, 12 * ELA_SEC);
	sim_check(s, sim_run_until(s, both_up, 3 * ELA_SEC), "no session");
	sim_run(s, ELA_SEC);
	began_ns = sim_now(s);
	while (sim_now(s) < began_ns + 5 * ELA_SEC) {
		bool own = sim_random(s, 2);

		for (uint32_t i = 0; i < sizeof frame; i++)
			frame[i] = (uint8_t)sim_random(s, 256);
		ela_header_put(frame, ELA_TYPE_HANDSHAKE, ELA_FLAG_HOP, id_of(s, OTHER));
		memset(frame + ELA_HOP_HEAD, 0, 4);
		frame[ELA_HOP_HEAD] = 1;
		ela_put32(frame + ELA_HOP_HEAD + 8, own ? id_of(s, EDGE) : id_of(s, 4));
		ela_put32(frame + ELA_HOP_HEAD + 12, 0);
		send_hop(s, EDGE, 1, frame, sizeof frame);
		sent++;
		others += !own;
		sim_run(s, 2 * ELA_MSEC);
	}
	sim_equal(s, sim_counter(s, 1, "drop-forward-sender"), others);
	sim_between(s, 1, "drop-forward-rate", sent - others - 64 - 110, sent - others - 64 - 80);
	sim_between(s, OTHER, "drop-mac1", 16, 16 + 30); /* the next core has a limit of its own */
	sim_run(s, 8 * ELA_SEC);
	sim_equal(s, sim_lost(s, EDGE, OTHER, began_ns, SIM_ALL) + sim_lost(s, OTHER, EDGE, began_ns, SIM_ALL), 0);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, perfect, 12);
	sim_add(suite, superpackets, 9);
	sim_add(suite, narrow_hop, 4);
	sim_add(suite, silence, 4);
	sim_add(suite, bad_network, 12);
	sim_add(suite, relay_restarts, 9);
	sim_add(suite, switching, 12);
	sim_add(suite, link_gone, 3);
	sim_add(suite, flipped, 4);
	sim_add(suite, repeated, 3);
	sim_add(suite, handshake_flood, 3);
}

int main(void)
{
	return sim_main("sim-relay", fill);
}
