/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole lives of networks of 3 to 12 nodes, by seeds: nodes of random roles join when they like, some with the wish for
 * another's address, some of users of their own; links lose, double and delay; nodes crash, leave, come back; users are
 * revoked. What must hold always is watched (sim-watch.h); when all is quiet, the network is whole again, everybody has
 * the address that he had, all pairs talk, and who is out talks with nobody.
 */
#include "network-priv.h"
#include "owner.h"
#include "sim-ring.h"
#include "sim-watch.h"

#define FORM_NS (90 * ELA_SEC)
#define SETTLE_NS (200 * ELA_SEC) /* who crashed is known for two minutes */
#define OUT_NS (70 * ELA_SEC)     /* longest time until a list has come round, after links lost messages */
#define EVENTS 12u

struct life {
	struct sim *s;
	uint64_t guests;
	uint64_t version; /* of the newest list */
};

static void settle(struct sim *s, uint64_t ns)
{
	if (sim_run_until(s, sim_ring_settled, ns))
		return;
	sim_ring_explain(s);
	sim_fail(s, __FILE__, __LINE__, "it does not settle");
}

static bool is_up(const struct sim *s, uint32_t i)
{
	return s->nodes[i].node && !s->nodes[i].out;
}

static uint64_t version_at(struct sim *s, uint32_t i)
{
	const struct ela_userlist *list = ela_membership_list(s->nodes[i].network->membership);

	return list ? list->version : 0;
}

/* ---- links ---- */

static void bad_links(struct sim *s)
{
	const struct ela_mem_link link = {.delay_ns = sim_random(s, 40 * ELA_MSEC),
		.jitter_ns = sim_random(s, 20 * ELA_MSEC),
		.reorder_ns = 30 * ELA_MSEC,
		.loss_ppm = 30000 * (uint32_t)sim_random(s, 4),
		.dup_ppm = 50000 * (uint32_t)sim_random(s, 3),
		.reorder_ppm = 50000 * (uint32_t)sim_random(s, 3)};

	sim_link(s, &link);
}

/* ---- talking ---- */

/* Who is out may think of an address that somebody else has by now. */
static bool has_namesake(const struct sim *s, uint32_t i)
{
	for (uint32_t k = 0; k < s->n; k++)
		if (k != i && sim_host(s, k) == sim_host(s, i))
			return true;
	return false;
}

static void send_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++)
			if (i != k && (is_up(s, i) || !has_namesake(s, i)) && (is_up(s, k) || !has_namesake(s, k)))
				sim_send(s, i, k, 200);
}

/*
 * Each pair, both ways: all there, and nothing of who is out. The first packets may find sessions with nodes that
 * crashed since, and show that they are over.
 */
static void talk_all(struct sim *s)
{
	uint64_t from_ns;

	send_all(s);
	sim_run(s, 5 * ELA_SEC);
	from_ns = sim_now(s);
	send_all(s);
	sim_run(s, 5 * ELA_SEC);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->n; k++) {
			uint64_t sent = 0, lost = sim_lost(s, i, k, from_ns, sim_now(s));
			bool in = is_up(s, i) && is_up(s, k);

			if (!is_up(s, i) && !is_up(s, k))
				continue; /* two who are out may have each other */

			for (guint p = 0; p < s->pairs[i][k].packets->len; p++)
				sent += g_array_index(s->pairs[i][k].packets, struct sim_packet, p).sent_ns >= from_ns;
			sim_check(s, lost == (in ? 0 : sent), "%u packets from %u to %u were lost of %u", (unsigned)lost, i, k,
				(unsigned)sent);
		}
}

/* ---- revocation ---- */

/* Whose own list is the newest: there the owner makes the next one. */
static uint32_t find_newest(const struct life *life)
{
	for (uint32_t i = 0; i < life->s->n; i++)
		if (is_up(life->s, i) && !(life->guests >> i & 1) && version_at(life->s, i) == life->version)
			return i;
	return SIM_MAX_NODES;
}

static void revoke_user(struct life *life, uint32_t k)
{
	struct sim *s = life->s;
	uint32_t at = find_newest(life);
	struct ela_membership *membership = at < s->n ? s->nodes[at].network->membership : NULL;
	struct ela_rsa *key;
	struct ela_owner *owner = NULL;
	g_autofree char *name = g_strdup_printf("u%u", k);
	g_autoptr(GBytes) list = NULL;
	g_autoptr(GError) error = NULL;
	int err;

	if (!membership)
		return;
	key = sim_ring_rsa(s, "user.pem");
	sim_equal(
		s, (uint64_t)-ela_owner_new(membership, key, ela_network_wall_s(s->nodes[at].network), &owner, &error), 0);
	err = ela_owner_revoke(owner, name, &error); /* -ENOENT: nobody there has heard of him yet */
	if (err == 0) {
		sim_equal(s, (uint64_t)-ela_owner_sign(owner, &list, &error), 0);
		sim_equal(s,
			(uint64_t)-ela_network_offer_list(
				s->nodes[at].network, g_bytes_get_data(list, NULL), g_bytes_get_size(list), &error),
			0);
		life->version++;
		s->nodes[k].out = true;
	}
	ela_owner_free(owner);
	ela_rsa_free(key);
}

/* One who was in, if there is one. */
static void revoke_some(struct life *life)
{
	struct sim *s = life->s;
	uint32_t first = (uint32_t)sim_random(s, s->n);

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t k = (first + i) % s->n;

		if (life->guests >> k & 1 && s->nodes[k].lives && !s->nodes[k].out) {
			revoke_user(life, k);
			return;
		}
	}
}

static bool all_have_list(struct sim *s)
{
	const struct life *life = s->data;

	for (uint32_t i = 0; i < s->n; i++)
		if (is_up(s, i) && version_at(s, i) != life->version)
			return false;
	return true;
}

/* ---- what happens ---- */

static void happen(struct life *life)
{
	struct sim *s = life->s;
	uint32_t i = (uint32_t)sim_random(s, s->n), what = (uint32_t)sim_random(s, 8);

	if (what == 0)
		bad_links(s);
	else if (what == 1)
		revoke_some(life);
	else if (!s->nodes[i].node)
		sim_up(s, i);
	else if (what % 2)
		sim_down(s, i);
	else
		sim_leave(s, i);
	sim_run(s, sim_random(s, 20 * ELA_SEC));
}

static struct life begin(int seed)
{
	struct life life = {.guests = 0};
	uint32_t n = 3 + (uint32_t)(sim_seed(seed) % 10);
	uint64_t bits;
	struct sim *s;

	/* of the seed, but before there is a world whose numbers could be asked */
	life.guests = (sim_seed(seed) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & SIM_RING_GUESTS & ((UINT64_C(1) << n) - 1);
	life.version = 1;
	sim_ring_guests(life.guests);
	s = life.s = sim_ring_new(sim_seed(seed), n, 0);
	bits = sim_random(s, UINT64_C(1) << n);
	for (uint32_t i = 1; i < n; i++) {
		s->nodes[i].spec.role = bits >> i & 1 ? "edge" : "core";
		if (sim_random(s, 4) == 0)
			s->nodes[i].spec.wish = 1 + (uint32_t)sim_random(s, n);
	}
	sim_watch_begin(s);
	return life;
}

/* Some come later; the others in any order, some at once. */
static void form(struct life *life)
{
	struct sim *s = life->s;
	uint64_t late = sim_random(s, UINT64_C(1) << s->n) & sim_random(s, UINT64_C(1) << s->n);

	if (sim_random(s, 2))
		bad_links(s);
	sim_up(s, 0);
	for (uint32_t i = 1; i < s->n; i++) {
		if (late >> i & 1)
			continue;
		if (sim_random(s, 2))
			sim_run(s, sim_random(s, 3 * ELA_SEC));
		sim_up(s, i);
	}
	settle(s, FORM_NS);
	sim_watch_addresses(s);
}

static void end(struct life *life)
{
	struct sim *s = life->s;

	sim_link(s, NULL);
	for (uint32_t i = 0; i < s->n; i++)
		if (!s->nodes[i].node)
			sim_up(s, i);
	settle(s, SETTLE_NS);
	sim_watch_addresses(s);
	s->data = life;
	sim_check(s, sim_run_until(s, all_have_list, OUT_NS), "somebody lacks the newest list");
	talk_all(s);
	sim_free(s);
}

START_TEST(lives)
{
	struct life life = begin(_i);

	form(&life);
	for (uint32_t e = 0; e < EVENTS; e++)
		happen(&life);
	end(&life);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, lives, 5);
}

int main(void)
{
	return sim_main("sim-churn", fill);
}
