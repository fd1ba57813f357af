/* SPDX-License-Identifier: Apache-2.0 */
/* copies: broadcast and multicast packets, and those that wait for sessions (see copies.h). Lane thread. */
#include "copies.h"

#include "lane.h"
#include "own.h"

#include <stdlib.h>

#define LATE 16u                 /* packets that wait at once */
#define LATE_PEERS 256u          /* for so many peers each */
#define LOOK_NS (50u * ELA_MSEC) /* without news of ways, for those that may be called now */

/* A packet that some peers still lack. */
struct late {
	uint64_t since_ns;
	struct ela_packet pkt; /* data points into bytes */
	struct ela_packet_class cls;
	uint32_t n;
	uint32_t peers[LATE_PEERS]; /* their numbers, rising: a peer itself may be gone */
	uint8_t bytes[ELA_WAITER_LEN];
};

struct ela_copies {
	struct ela_bucket sent, calls;
	uint32_t first; /* whose turn it is to be served first: none is the last each time where the rate ends */
	uint32_t ways;  /* node->ways when all that wait were looked at */
	uint64_t looked_ns;
	uint32_t n_late;
	struct late *late[LATE]; /* n_late of them wait, the oldest first; the others are free */
	struct late pool[LATE];
};

struct ela_copies *ela_copies_new(void)
{
	struct ela_copies *c = calloc(1, sizeof *c);

	for (uint32_t i = 0; c && i < LATE; i++)
		c->late[i] = &c->pool[i];
	return c;
}

void ela_copies_free(struct ela_copies *copies)
{
	free(copies);
}

/* ---- what kind of packet ---- */

bool ela_copies_is_for_all(const struct ela_own *own, const uint8_t *ip)
{
	if (ip[0] >> 4 == 6)
		return ip[24] == 0xff;
	return (ip[16] & 0xf0) == 0xe0 || memcmp(ip + 16, "\xff\xff\xff\xff", 4) == 0 ||
		   memcmp(ip + 16, own->broadcast4, 4) == 0;
}

/*
 * What kernels say to the switches and routers of a LAN by themselves: IGMP (RFC 3376), MLD (RFC 3810) and neighbour
 * discovery (RFC 4861). Each device says some when it comes up, and no node waits for it: it starts no sessions, or all
 * nodes would have one with all others.
 */
static bool is_housekeeping(const struct ela_packet *pkt)
{
	const uint8_t *ip = pkt->data;
	uint32_t at = 40, next = ip[6];

	if (ip[0] >> 4 == 4)
		return ip[9] == 2;
	if (next == 0 && pkt->len >= 48) { /* MLD stands behind hop-by-hop options */
		next = ip[40];
		at += 8u * (ip[41] + 1u);
	}
	return next == 58 && at < pkt->len && ((ip[at] >= 130 && ip[at] <= 137) || ip[at] == 143);
}

/* ---- copies ---- */

static void copy_to(
	struct ela_lane *lane, struct ela_tx *tx, const struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	struct ela_packet copy = *pkt;

	if (lane->blocked_ns) { /* the socket filled up within these copies */
		ELA_COUNT(lane, DROP_BUSY, 1);
		return;
	}
	if (!ela_bucket_take(&lane->copies->sent, lane->now_ns, ELA_COPIES_RATE / lane->node->n_lanes, ELA_COPIES_BURST)) {
		ELA_COUNT(lane, DROP_COPIES, 1);
		return;
	}
	/* Each copy's checksum may be finished or its queue may mark it: give each its own bytes. */
	copy.data = lane->scratch + 4096 + ELA_ROOM_FRONT;
	memcpy(copy.data, pkt->data, pkt->len);
	ela_capsulate_to(lane, tx, &copy, cls); /* which is done with these bytes then */
	ELA_COUNT(lane, COPIES, 1);
}

/* Has control start a session, if the rate allows. Who was called just now costs nothing again. */
static void call(struct ela_lane *lane, struct ela_peer *peer)
{
	uint64_t called_ns = atomic_load_explicit(&peer->want_ns, memory_order_relaxed);
	uint32_t n = lane->node->n_lanes;

	if ((called_ns == 0 || lane->now_ns >= called_ns + ELA_WAIT_NS) &&
		!ela_bucket_take(&lane->copies->calls, lane->now_ns, ELA_CALLS_RATE / n, ELA_CALLS_BURST / n))
		return;
	ela_lane_want(lane, peer);
}

/* ---- waiting ---- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void keep(struct ela_lane *lane, const struct ela_packet *pkt, const struct ela_packet_class *cls,
	const uint32_t *peers, uint32_t n)
{
	struct ela_copies *c = lane->copies;
	struct late *late;

	if (c->n_late == LATE || pkt->len > ELA_WAITER_LEN - ELA_ROOM_FRONT) {
		ELA_COUNT(lane, DROP_NOSESSION, n);
		return;
	}
	late = c->late[c->n_late++];
	late->since_ns = lane->now_ns;
	late->pkt = *pkt;
	late->cls = *cls;
	late->pkt.data = late->bytes + ELA_ROOM_FRONT;
	memcpy(late->pkt.data, pkt->data, pkt->len);
	late->n = n;
	memcpy(late->peers, peers, n * sizeof *peers);
	qsort(late->peers, n, sizeof *late->peers, by_number);
	ELA_COUNT(lane, WAITED, n);
}

void ela_copies_send(struct ela_lane *lane, struct ela_packet *pkt, const struct ela_packet_class *cls)
{
	struct ela_peers *peers = atomic_load_explicit(&lane->node->peers, memory_order_acquire);
	uint32_t first = lane->copies->first++, lacking[LATE_PEERS], n = 0;
	bool waits = !is_housekeeping(pkt);

	if (pkt->gso_type != ELA_GSO_NONE) {
		ELA_COUNT(lane, DROP_TOO_BIG, 1); /* cutting stamps over the bytes the next copy needs */
		return;
	}
	for (uint32_t i = 0; i < peers->n; i++) {
		struct ela_peer *peer = peers->v[(first + i) % peers->n];
		struct ela_tx *tx = ela_capsulate_tx(lane, peer);

		if (atomic_load_explicit(&peer->id, memory_order_relaxed) == 0)
			continue; /* it has no address, and may not be a member at all: nothing is for it */
		if (tx) {
			copy_to(lane, tx, pkt, cls);
		} else if (waits && n < LATE_PEERS) {
			call(lane, peer);
			lacking[n++] = peer->number;
		} else if (waits) {
			ELA_COUNT(lane, DROP_NOSESSION, 1);
		}
	}
	if (n)
		keep(lane, pkt, cls, lacking, n);
}

/* Sends it to whom there is a session now. */
static void serve(struct ela_lane *lane, struct late *late)
{
	struct ela_peers *peers = atomic_load_explicit(&lane->node->peers, memory_order_acquire);
	uint32_t left[LATE_PEERS], n_left = 0, served = 0;

	for (uint32_t i = 0; i < peers->n; i++) {
		struct ela_peer *peer = peers->v[i];
		struct ela_tx *tx;

		if (!bsearch(&peer->number, late->peers, late->n, sizeof *late->peers, by_number))
			continue;
		tx = lane->blocked_ns ? NULL : ela_capsulate_tx(lane, peer);
		if (tx) {
			copy_to(lane, tx, &late->pkt, &late->cls);
			served++;
			continue;
		}
		if (atomic_load_explicit(&peer->want_ns, memory_order_relaxed) < late->since_ns)
			call(lane, peer); /* there was no room for it in the rate */
		left[n_left++] = peer->number;
	}
	ELA_COUNT(lane, DROP_NOSESSION, late->n - served - n_left); /* peers that are gone */
	late->n = n_left;
	memcpy(late->peers, left, n_left * sizeof *left);
	qsort(late->peers, n_left, sizeof *late->peers, by_number);
}

bool ela_copies_wait(const struct ela_copies *copies)
{
	return copies->n_late != 0;
}

void ela_copies_turn(struct ela_lane *lane)
{
	struct ela_copies *c = lane->copies;
	uint32_t n = c->n_late, ways = atomic_load_explicit(&lane->node->ways, memory_order_acquire);

	if (lane->blocked_ns || (ways == c->ways && lane->now_ns - c->looked_ns < LOOK_NS))
		return; /* this is asked each turn */
	c->ways = ways;
	c->looked_ns = lane->now_ns;
	c->n_late = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct late *late = c->late[i];

		serve(lane, late);
		if (late->n != 0 && lane->now_ns - late->since_ns <= ELA_WAIT_NS) {
			c->late[i] = c->late[c->n_late]; /* it is done with, or this one */
			c->late[c->n_late++] = late;
		} else {
			ELA_COUNT(lane, DROP_NOSESSION, late->n);
		}
	}
}
