/* SPDX-License-Identifier: Apache-2.0 */
/* Reload: peers come, go and change while others talk; what needs a restart is refused whole. */
#include "sim.h"

#include "peer.h"

#define BIT(k) (UINT64_C(1) << (k))
#define FOR_EVER (10000 * ELA_SEC)

/* Node 0 is reloaded; node 1 talks with it all the time and never notices. */
static struct sim *start(uint64_t seed, const char *mode)
{
	const struct sim_spec spec = {.mode = mode};
	struct sim *s = sim_new(seed, 4, &spec);

	for (uint32_t i = 0; i < s->n; i++)
		s->nodes[i].spec.dials = i ? BIT(0) : 0;
	s->nodes[0].spec.knows = BIT(1) | BIT(2);
	sim_link(s, &(struct ela_mem_link){.delay_ns = sim_random(s, 30) * ELA_MSEC});
	sim_up_all(s);
	sim_run(s, 2 * ELA_SEC);
	for (uint32_t i = 1; i < s->n; i++) {
		sim_flow(s, i, 0, 10 * ELA_MSEC, FOR_EVER);
		sim_flow(s, 0, i, 10 * ELA_MSEC, FOR_EVER);
	}
	sim_run(s, ELA_SEC);
	return s;
}

static void reload(struct sim *s)
{
	g_autofree char *why = sim_reload(s, 0);

	sim_check(s, !why, "%s", why);
}

/* Both ways between node 0 and another, all that was sent after from_ns and has had the time to come. */
static void flows(struct sim *s, uint32_t i, uint64_t from_ns)
{
	uint64_t to_ns = sim_now(s) - 200 * ELA_MSEC;

	sim_equal(s, sim_lost(s, i, 0, from_ns, to_ns), 0);
	sim_equal(s, sim_lost(s, 0, i, from_ns, to_ns), 0);
	sim_check(s, s->pairs[i][0].last_ns + 500 * ELA_MSEC > sim_now(s), "nothing comes from %u", i);
	sim_check(s, s->pairs[0][i].last_ns + 500 * ELA_MSEC > sim_now(s), "nothing comes to %u", i);
}

/* Nothing between them since from_ns. */
static void silent(struct sim *s, uint32_t i, uint64_t from_ns)
{
	sim_check(s, s->pairs[i][0].last_ns < from_ns && s->pairs[0][i].last_ns < from_ns, "%u still gets through", i);
}

static void undisturbed(struct sim *s, const struct ela_session *session)
{
	flows(s, 1, 0);
	sim_check(s, sim_peer(s, 0, 1)->current == session, "its session ended");
	sim_equal(s, sim_counter(s, 1, "handshakes-done"), 1);
	sim_zero(s, 1, "links-lost");
}

START_TEST(come_and_go)
{
	struct sim *s = start(sim_seed(_i), SIM_KIND(3) == 2 ? "stream" : NULL);
	const struct ela_session *session = sim_peer(s, 0, 1)->current;
	uint64_t at_ns;

	silent(s, 3, ELA_SEC);
	sim_check(s, SIM_KIND(3) == 2 || sim_counter(s, 0, "drop-unknown-key") >= 1, "who let it in?");
	s->nodes[0].spec.knows |= BIT(3);
	reload(s);
	at_ns = sim_now(s);
	sim_run(s, 8 * ELA_SEC);
	flows(s, 3, at_ns + 3 * ELA_SEC);
	flows(s, 2, 0);
	undisturbed(s, session);

	s->nodes[0].spec.knows &= ~BIT(2);
	reload(s);
	at_ns = sim_now(s);
	sim_run(s, 5 * ELA_SEC);
	silent(s, 2, at_ns + 100 * ELA_MSEC);
	sim_check(s, sim_counter(s, 0, "drop-noroute") > 100 && s->nodes[0].unreachable > 0, "there is a route yet");
	flows(s, 3, at_ns - ELA_SEC);
	undisturbed(s, session);

	s->nodes[0].spec.knows |= BIT(2);
	reload(s);
	at_ns = sim_now(s);
	sim_run(s, 8 * ELA_SEC);
	flows(s, 2, at_ns + 3 * ELA_SEC);
	flows(s, 3, at_ns - ELA_SEC);
	undisturbed(s, session);
	sim_free(s);
}
END_TEST

/* Endpoints and keepalives change: sessions go on. */
START_TEST(changes)
{
	struct sim *s = start(sim_seed(_i), SIM_KIND(3) == 2 ? "stream" : NULL);
	const struct ela_session *session = sim_peer(s, 0, 1)->current;

	s->nodes[0].spec.dials = BIT(1);
	s->nodes[0].spec.keepalive_s = 7;
	reload(s);
	sim_run(s, 3 * ELA_SEC);
	undisturbed(s, session);
	s->nodes[0].spec.dials = 0;
	reload(s);
	reload(s); /* nothing changed */
	sim_run(s, 3 * ELA_SEC);
	undisturbed(s, session);
	flows(s, 2, 0);
	sim_free(s);
}
END_TEST

/* The other one has a new key: the old one is nobody from now on. */
START_TEST(new_key)
{
	struct sim *s = start(sim_seed(_i), NULL);
	const struct ela_session *session = sim_peer(s, 0, 1)->current;
	uint64_t at_ns;

	sim_new_key(s, 2);
	reload(s);
	at_ns = sim_now(s);
	sim_run(s, 3 * ELA_SEC);
	silent(s, 2, at_ns + 100 * ELA_MSEC);
	sim_check(s, sim_counter(s, 0, "drop-unknown-key") >= 1, "the old key is still known");
	undisturbed(s, session);
	sim_down(s, 2);
	sim_up(s, 2);
	at_ns = sim_now(s);
	sim_run(s, 6 * ELA_SEC);
	flows(s, 2, at_ns + 3 * ELA_SEC);
	undisturbed(s, session);
	sim_free(s);
}
END_TEST

START_TEST(refused_whole)
{
	static const char *const names[] = {"node.lanes", "npd-mem.caps", "transport-mem.buffer", "components.cipher"};
	struct sim *s = start(sim_seed(_i), NULL);
	const struct ela_session *session = sim_peer(s, 0, 1)->current;
	const struct sim_spec good = s->nodes[0].spec;

	for (uint32_t k = 0; k < G_N_ELEMENTS(names); k++) {
		struct sim_spec *spec = &s->nodes[0].spec;
		g_autofree char *why = NULL;

		*spec = good;
		spec->knows = BIT(3); /* would take away 1 and 2 and let 3 in */
		if (k == 0)
			spec->lanes = 2;
		else if (k == 1)
			spec->caps = "csum";
		else if (k == 2)
			spec->buffer = 4096;
		else
			spec->cipher = "blowfish";
		why = sim_reload(s, 0);
		*spec = good;
		sim_check(s, why && strstr(why, names[k]) && strstr(why, "restart"), "%s: %s", names[k], why ? why : "taken");
		sim_run(s, ELA_SEC);
		undisturbed(s, session);
		flows(s, 2, 0);
		silent(s, 3, ELA_SEC);
	}
	sim_free(s);
}
END_TEST

/* Again and again, any change, at any moment: sessions under way, packets that wait, connections that open. */
START_TEST(storm)
{
	struct sim *s = start(sim_seed(_i), SIM_KIND(2) ? "stream" : NULL);
	const struct ela_session *session = sim_peer(s, 0, 1)->current;
	uint64_t at_ns;

	for (uint32_t k = 0; k < 100; k++) {
		s->nodes[0].spec.knows = BIT(1) | (sim_random(s, 16) & (BIT(2) | BIT(3)));
		s->nodes[0].spec.dials = sim_random(s, 16);
		s->nodes[0].spec.keepalive_s = (uint32_t)sim_random(s, 3);
		reload(s);
		sim_run(s, sim_random(s, 2) ? sim_random(s, 100 * ELA_MSEC) : 0);
		if (sim_random(s, 20) == 0)
			sim_run(s, 2 * ELA_SEC);
	}
	undisturbed(s, session);
	s->nodes[0].spec.knows = BIT(1) | BIT(2) | BIT(3);
	reload(s);
	at_ns = sim_now(s);
	sim_run(s, 15 * ELA_SEC);
	flows(s, 2, at_ns + 8 * ELA_SEC); /* an answer that led nowhere may stand in the way for 5 s */
	flows(s, 3, at_ns + 8 * ELA_SEC);
	undisturbed(s, session);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, come_and_go, 12);
	sim_add(suite, changes, 9);
	sim_add(suite, new_key, 5);
	sim_add(suite, refused_whole, 5);
	sim_add(suite, storm, 10);
}

int main(void)
{
	return sim_main("sim-reload", fill);
}
