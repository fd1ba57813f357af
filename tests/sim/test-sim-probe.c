/* SPDX-License-Identifier: Apache-2.0 */
/* Classification between whole nodes: fresh sockets and connections of a real transport, delays, what does not arrive.
 */
#include "sim.h"

#include "classification.h"
#include "link.h"
#include "peer.h"

#define PORT 7450u /* where all listen, by datagrams and connections */

static struct {
	uint32_t n;
	uint64_t at_ns;
	struct ela_classified result;
} done;

static void on_done(void *data, const struct ela_classified *result)
{
	done.n++;
	done.at_ns = sim_now(data);
	done.result = *result;
}

static bool up(struct sim *s)
{
	return sim_peer(s, 0, 1)->tx_shadow && sim_peer(s, 0, 2)->tx_shadow;
}

/* Node 0 has sessions with 1 and 2, which serve; no request is so long under way that it is repeated. */
static struct sim *start(uint64_t seed)
{
	const struct sim_spec spec = {.mode = "both", .lanes = 1 + (uint32_t)(seed % 2)};
	struct sim *s = sim_new(seed, 3, &spec);

	memset(&done, 0, sizeof done);
	s->nodes[1].spec.dials = s->nodes[2].spec.dials = 0;
	sim_link(s, &(struct ela_mem_link){.delay_ns = sim_random(s, 100) * ELA_MSEC});
	sim_up_all(s);
	sim_check(s, sim_run_until(s, up, 5 * ELA_SEC), "no session");
	sim_run(s, ELA_SEC);
	for (uint32_t i = 1; i < 3; i++)
		ela_classify_serve(s->nodes[i].node, true);
	return s;
}

/* Node 0 asks both for its ports, and 3 s later it knows. */
static void classify(struct sim *s, uint16_t tcp_port, uint16_t udp_port)
{
	struct ela_peer *cores[] = {sim_peer(s, 0, 1), sim_peer(s, 0, 2)};
	uint64_t links[3], handshakes[3], start_ns = sim_now(s);

	for (uint32_t i = 0; i < 3; i++) {
		links[i] = s->nodes[i].node->links->len;
		handshakes[i] = sim_counter(s, i, "handshakes-done");
	}
	sim_equal(s, ela_classify(s->nodes[0].node, cores, 2, tcp_port, udp_port, on_done, s), 0);
	sim_equal(s, done.n, 0);
	sim_run(s, 4 * ELA_SEC);
	sim_equal(s, done.n, 1);
	sim_check(s, done.at_ns - start_ns <= 3 * ELA_SEC, "it took too long");
	sim_equal(s, done.result.n_answered, 2);
	for (uint32_t i = 0; i < 3; i++) { /* nothing is left, and the sessions were not touched */
		sim_equal(s, s->nodes[i].node->links->len, links[i]);
		sim_equal(s, sim_counter(s, i, "handshakes-done"), handshakes[i]);
		sim_zero(s, i, "links-lost");
	}
}

START_TEST(reached)
{
	struct sim *s = start(sim_seed(_i));
	struct ela_addr self = sim_addr(s, 0);

	classify(s, PORT, PORT);
	sim_equal(s, done.result.role, ELA_ROLE_CORE);
	sim_equal(s, done.result.failed, ELA_PROBE_NONE);
	ck_assert_mem_eq(done.result.observed.addr.ip, self.ip, sizeof self.ip);
	sim_equal(s, sim_counter(s, 0, "probes-in"), 4);
	for (uint32_t i = 0; i < 3; i++) {
		sim_equal(s, sim_counter(s, i, "probes-out"), i ? 2 : 0);
		sim_equal(s, sim_drops(s, i), 0);
	}
	sim_free(s);
}
END_TEST

/* Nobody listens at those ports: refused connections, datagrams to nowhere. */
START_TEST(other_ports)
{
	struct sim *s = start(sim_seed(_i));
	uint32_t kind = SIM_KIND(3);
	enum ela_probe_failed failed = kind == 0 ? ELA_PROBE_TCP : kind == 1 ? ELA_PROBE_UDP : ELA_PROBE_BOTH;

	classify(s, failed & ELA_PROBE_TCP ? PORT + 1 : PORT, failed & ELA_PROBE_UDP ? PORT + 1 : PORT);
	sim_equal(s, done.result.role, ELA_ROLE_EDGE);
	sim_equal(s, done.result.failed, failed);
	sim_equal(s, sim_counter(s, 0, "probes-in"), failed == ELA_PROBE_BOTH ? 0 : 2);
	sim_free(s);
}
END_TEST

static bool no_probe_of_1(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len)
{
	struct ela_addr of = sim_addr(s, 1);

	(void)len;
	return frame[1] != ELA_TYPE_PROBE || memcmp(seen->from.ip, of.ip, sizeof of.ip) != 0;
}

/* The way from one of them loses it: one core that did not get through is enough. */
START_TEST(lost)
{
	struct sim *s = start(sim_seed(_i));

	s->on_frame = no_probe_of_1;
	classify(s, PORT, PORT);
	sim_equal(s, done.result.role, ELA_ROLE_EDGE);
	sim_equal(s, done.result.failed, ELA_PROBE_UDP);
	sim_equal(s, sim_counter(s, 0, "probes-in"), 3);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, reached, 12);
	sim_add(suite, other_ports, 12);
	sim_add(suite, lost, 6);
}

int main(void)
{
	return sim_main("sim-probe", fill);
}
