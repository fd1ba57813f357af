/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: makes worlds of nodes, lets their time pass, tells what went wrong (sim.h). One thread.
 *
 * Time goes from event to event of the one virtual loop; after each, the lanes that may have something to do are turned
 * until all is quiet. Lanes that would sleep with a time limit are asked again by a timer.
 */
#include "sim.h"
#include "sim-ring.h"
#include "sim-watch.h"

#include "copies.h"
#include "crypto.h"
#include "keys.h"
#include "network.h"
#include "peer.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- randomness: the test's own, apart from the loop's and the fabric's ---- */

uint64_t sim_random(struct sim *s, uint64_t below)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return below ? z % below : 0;
}

/* ---- failing ---- */

struct dump {
	GString *text;
};

static void dump_counter(void *data, const char *name, uint64_t value)
{
	struct dump *d = data;

	if (value)
		g_string_append_printf(d->text, " %s=%" G_GUINT64_FORMAT, name, value);
}

static void dump_node(struct sim *s, uint32_t i)
{
	struct dump d = {g_string_new(NULL)};

	if (s->nodes[i].node)
		ela_node_counters(s->nodes[i].node, dump_counter, &d);
	(void)fprintf(stderr, "# node %u:%s\n", i, s->nodes[i].node ? d.text->str : " down");
	for (uint32_t k = 0; k <= SIM_MAX_NODES; k++)
		if (s->pairs[i][k].sent)
			(void)fprintf(stderr, "#   to %u: sent %" G_GUINT64_FORMAT ", came %" G_GUINT64_FORMAT "\n", k,
				s->pairs[i][k].sent, s->pairs[i][k].got);
	(void)g_string_free(d.text, TRUE);
}

void sim_fail(struct sim *s, const char *file, int line, const char *format, ...)
{
	double at_s = (double)sim_now(s) / 1e9;
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	(void)fprintf(
		stderr, "# ELA_SIM_SEED=%" G_GUINT64_FORMAT ": %s:%d at %.6f s: %s\n", s->seed, file, line, at_s, text);
	for (uint32_t i = 0; i < s->n; i++)
		dump_node(s, i);
	ck_abort_msg("ELA_SIM_SEED=%" G_GUINT64_FORMAT " at %.6f s: %s", s->seed, at_s, text);
	abort(); /* ck_abort_msg does not return; the compiler cannot know */
}

void sim_range(struct sim *s, const char *file, int line, uint32_t i, const char *name, uint64_t low, uint64_t high)
{
	uint64_t value = sim_counter(s, i, name);

	if (value < low || value > high)
		sim_fail(s, file, line,
			"node %u: %s is %" G_GUINT64_FORMAT ", wanted %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT, i, name, value,
			low, high);
}

/* ---- configuration ---- */

static void write_key(struct sim *s, struct sim_node *n)
{
	g_autofree char *name = g_strdup_printf("%s/n%u.key", s->dir, n->number);
	char text[ELA_KEY_TEXT + 1];
	uint8_t public_key[ELA_KEY_LEN];

	for (uint32_t i = 0; i < ELA_KEY_LEN; i++)
		n->key[i] = (uint8_t)sim_random(s, 256);
	ck_assert_int_eq(ela_x25519_public(n->key, public_key), 0);
	ela_key_encode(public_key, n->public_text);
	ela_key_encode(n->key, text);
	(void)g_strlcat(text, "\n", sizeof text); /* one byte was left for it */
	(void)g_unlink(name);                     /* mostly there is none yet */
	ck_assert(g_file_set_contents_full(name, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

void sim_new_key(struct sim *s, uint32_t i)
{
	write_key(s, &s->nodes[i]);
}

static void write_peers(struct sim *s, const struct sim_node *n, GString *ini)
{
	for (uint32_t k = 0; k < s->n; k++) {
		const struct sim_node *peer = &s->nodes[k];

		if (k == n->number || !(n->spec.knows >> k & 1))
			continue;
		g_string_append_printf(ini, "[peer n%u]\npublic-key = %s\naddress = 10.88.0.%u\n", k, peer->public_text, k + 1);
		if (n->spec.dials >> k & 1)
			g_string_append_printf(ini, "endpoint = %s:7450\n", peer->underlay);
		if (n->spec.keepalive_s)
			g_string_append_printf(ini, "keepalive = %us\n", n->spec.keepalive_s);
	}
}

static GString *write_ini(struct sim *s, const struct sim_node *n)
{
	const struct sim_spec *spec = &n->spec;
	GString *ini = g_string_new(NULL);

	if (spec->role)
		sim_ring_ini(n, ini);
	else
		g_string_append_printf(ini, "[node]\nname = n%u\naddress = 10.88.0.%u/24\nprivate-key-file = n%u.key\n",
			n->number, n->number + 1, n->number);
	g_string_append_printf(ini, "lanes = %u\n%s", MAX(spec->lanes, 1), spec->extra ? spec->extra : "");
	g_string_append_printf(ini, "[components]\nnpd = mem\ncipher = %s\n%s", spec->cipher ? spec->cipher : "aead",
		spec->role ? "transport = mem, stream\nrouting = chord\n" : "transport = mem\nrouting = static\n");
	g_string_append_printf(
		ini, "[npd-mem]\nfabric = sim\ndevice = n%u\ncaps = %s\n", n->number, spec->caps ? spec->caps : "none");
	g_string_append_printf(ini, "[transport-mem]\nfabric = sim\nlisten = %s\nmode = %s\nbuffer = %u\n", n->underlay,
		spec->mode ? spec->mode : "datagram", spec->buffer ? spec->buffer : 65536);
	if (spec->role)
		g_string_append_printf(ini, "[transport-stream]\nfabric = sim\nlisten = %s\nport = %u\nmode = stream\n",
			n->underlay, SIM_STREAM_PORT);
	else
		write_peers(s, n, ini);
	return ini;
}

static struct ela_config *load(struct sim *s, const struct sim_node *n, uint32_t flags)
{
	g_autofree char *file = g_strdup_printf(n->spec.role ? "%s/n%u/ela.ini" : "%s/n%u.ini", s->dir, n->number);
	GString *ini = write_ini(s, n);
	GPtrArray *errors = g_ptr_array_new_with_free_func(g_free);
	struct ela_config *config;

	config = ela_config_parse(file, ini->str, ini->len, s->loader, flags, errors);
	if (errors->len)
		sim_fail(s, __FILE__, __LINE__, "%s", (const char *)g_ptr_array_index(errors, 0));
	g_ptr_array_unref(errors);
	(void)g_string_free(ini, TRUE);
	return config;
}

/* ---- nodes ---- */

/* ELA_SIM_LOG=debug shows what the nodes say, with the time of the simulation. */
static void write_log(void *data, const char *line)
{
	const struct sim_node *n = data;

	if (getenv("ELA_SIM_LOG"))
		(void)fprintf(stderr, "%12.6f n%u %s\n", (double)ela_loop_now(n->sim->loop) / 1e9, n->number, line);
}

static uint32_t log_level(void)
{
	uint32_t level = ELA_LOG_ERROR;

	if (getenv("ELA_SIM_LOG"))
		(void)ela_log_level_parse(getenv("ELA_SIM_LOG"), &level); /* a wrong word shows errors only */
	return level;
}

/* As if the other suites were not installed. */
static void keep_suite(struct sim *s, struct ela_node *node, const char *name)
{
	for (uint32_t i = 0; i < node->n_suites; i++)
		if (strcmp(node->suites[i].suite->name, name) == 0) {
			node->suites[0] = node->suites[i];
			node->n_suites = 1;
			return;
		}
	sim_fail(s, __FILE__, __LINE__, "no suite %s", name);
}

void sim_up(struct sim *s, uint32_t i)
{
	struct sim_node *n = &s->nodes[i];
	GError *error = NULL;

	n->lives++;
	n->log = ela_log_new(log_level(), write_log, n);
	n->config = load(s, n, 0);
	n->node = ela_node_new(n->config, s->loop, n->log, 0, &error);
	if (!n->node)
		sim_fail(s, __FILE__, __LINE__, "%s", error->message);
	if (n->spec.suite)
		keep_suite(s, n->node, n->spec.suite);
	if (n->spec.role)
		sim_ring_open(n);
	if (!ela_node_start_devices(n->node, &error) || !ela_node_start(n->node, &error))
		sim_fail(s, __FILE__, __LINE__, "%s", error->message);
	if (n->network && n->held)
		sim_ring_call(n);
	else if (n->network)
		ela_network_start(n->network);
	n->turn = true;
}

void sim_up_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		sim_up(s, i);
}

void sim_down(struct sim *s, uint32_t i)
{
	struct sim_node *n = &s->nodes[i];

	n->host = sim_host(s, i);
	if (n->network)
		sim_ring_close(n);
	ela_node_free(n->node);
	ela_config_free(n->config);
	ela_log_free(n->log);
	n->node = NULL;
	n->config = NULL;
	n->log = NULL;
}

void sim_leave(struct sim *s, uint32_t i)
{
	ela_network_leave(s->nodes[i].network);
	sim_down(s, i);
}

static void on_parted(void *data)
{
	*(bool *)data = true;
}

uint64_t sim_part(struct sim *s, uint32_t i)
{
	uint64_t from_ns = sim_now(s);
	bool parted = false;

	if (ela_network_part(s->nodes[i].network, on_parted, &parted))
		while (!parted && sim_now(s) - from_ns < 2 * ELA_PARTING_NS)
			sim_run(s, ELA_MSEC);
	sim_leave(s, i);
	return sim_now(s) - from_ns;
}

char *sim_reload(struct sim *s, uint32_t i)
{
	struct sim_node *n = &s->nodes[i];
	struct ela_config *fresh = load(s, n, ELA_CONFIG_NO_KEY);
	GError *error = NULL;
	char *why;

	if (ela_node_reload(n->node, fresh, &error)) {
		ela_config_free(n->config);
		n->config = fresh;
		n->turn = true;
		return NULL;
	}
	why = g_strdup(error->message);
	g_error_free(error);
	ela_config_free(fresh);
	return why;
}

/* ---- the world ---- */

static void on_wake(void *data, const struct ela_host *host, uint32_t lane)
{
	const struct ela_instance *instance = host->priv;
	struct sim *s = data;

	(void)lane; /* a turn of the node is one of all its lanes */
	for (uint32_t i = 0; i < s->n; i++)
		s->nodes[i].turn |= s->nodes[i].node == instance->node;
}

static void turn_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->nodes[i].turn = true;
}

static void on_poll(void *data)
{
	turn_all(data);
}

static struct ela_loader *new_loader(void)
{
	static const char *const dirs[] = {SIM_PLUGIN_DIRS, NULL};
	static struct ela_plugin stream; /* the same plugin again: a node of a ring has two transports */
	struct ela_loader *loader = ela_loader_new(dirs);

	stream = ela_transport_mem;
	stream.name = "stream";
	ck_assert_ptr_nonnull(ela_loader_add(loader, &stream, NULL));

	ck_assert_ptr_nonnull(ela_loader_add(loader, &ela_npd_mem, NULL));
	ck_assert_ptr_nonnull(ela_loader_add(loader, &ela_transport_mem, NULL));
	return loader;
}

struct sim *sim_new(uint64_t seed, uint32_t n, const struct sim_spec *spec)
{
	struct sim *s = g_new0(struct sim, 1);

	ck_assert_uint_le(n, SIM_MAX_NODES);
	s->seed = s->random = seed;
	(void)sim_random(s, 0); /* near seeds part here */
	s->n = n;
	s->dir = g_dir_make_tmp("ela-sim-XXXXXX", NULL);
	ck_assert_ptr_nonnull(s->dir);
	s->loader = new_loader();
	s->loop = ela_loop_virtual_new(seed ^ UINT64_C(0x6c6f6f70));
	s->fabric = ela_mem_fabric_new("sim", seed ^ UINT64_C(0x66616272), ELA_MEM_VIRTUAL);
	ck_assert_ptr_nonnull(s->fabric);
	s->poll = s->loop->ops->timer_new(s->loop, on_poll, s);
	ela_mem_on_wake(s->fabric, on_wake, s);
	sim_tap_init(s);
	for (uint32_t i = 0; i < n; i++) {
		struct sim_node *node = &s->nodes[i];
		char name[16];

		node->sim = s;
		node->number = i;
		node->host = i + 1;
		if (spec)
			node->spec = *spec;
		if (!spec || !spec->knows)
			node->spec.knows = node->spec.dials = SIM_ALL;
		(void)g_snprintf(name, sizeof name, "n%u", i);
		(void)g_snprintf(node->underlay, sizeof node->underlay, "10.0.0.%u", i + 1);
		node->device = ela_mem_device(s->fabric, name);
		if (node->spec.role)
			sim_ring_folder(node);
		else
			write_key(s, node);
	}
	sim_traffic_init(s);
	return s;
}

static void remove_dir(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		g_autofree char *name = g_strdup_printf("%s/n%u.key", s->dir, i);

		if (s->nodes[i].spec.role)
			sim_ring_remove(&s->nodes[i]);
		else
			ck_assert_int_eq(g_unlink(name), 0);
	}
	ck_assert_int_eq(g_rmdir(s->dir), 0);
	g_free(s->dir);
}

void sim_free(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		sim_down(s, i);
	sim_watch_free(s);
	sim_traffic_free(s);
	s->loop->ops->timer_free(s->poll);
	while (ela_loop_virtual_step(s->loop)) /* posts of nodes that are gone */
		continue;
	/* Whoever armed a timer has freed it. */
	sim_check(s, ela_loop_virtual_next(s->loop) == UINT64_MAX, "a timer outlives its node");
	sim_tap_free(s);
	ela_mem_fabric_free(s->fabric);
	ela_loop_free(s->loop);
	ela_loader_free(s->loader);
	remove_dir(s);
	g_free(s);
}

uint64_t sim_now(struct sim *s)
{
	return ela_loop_now(s->loop);
}

/* ---- time ---- */

static bool turn_nodes(struct sim *s)
{
	bool did = false;

	for (uint32_t i = 0; i < s->n; i++) {
		struct sim_node *n = &s->nodes[i];

		if (!n->turn)
			continue;
		n->turn = false;
		if (n->node && ela_node_turn(n->node))
			n->turn = true;
		did = true;
	}
	return did;
}

/* Lanes that hold packets look again without being woken, as the sleep of a lane's thread does. */
static void arm_poll(struct sim *s)
{
	uint64_t wait_ns = UINT64_MAX;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct ela_node *node = s->nodes[i].node;

		for (uint32_t k = 0; node && k < node->n_lanes; k++) {
			if (node->lanes[k]->blocked_ns)
				wait_ns = ELA_MSEC;
			else if (node->lanes[k]->n_waiters || ela_copies_wait(node->lanes[k]->copies))
				wait_ns = MIN(wait_ns, 50 * ELA_MSEC);
		}
	}
	s->loop->ops->timer_set(s->poll, wait_ns == UINT64_MAX ? 0 : sim_now(s) + wait_ns);
}

/* Nothing takes so many steps at one moment, unless it goes round in circles. */
static void count_step(struct sim *s)
{
	uint64_t now_ns = sim_now(s);

	if (s->step_ns != now_ns)
		s->n_steps = 0;
	s->step_ns = now_ns;
	sim_check(s, ++s->n_steps < 1000000, "time stands still");
}

static void settle(struct sim *s)
{
	bool did;

	do {
		did = false;
		while (ela_loop_virtual_step(s->loop)) {
			turn_all(s); /* whatever control did may concern its lanes */
			count_step(s);
			did = true;
		}
		while (turn_nodes(s)) { /* lanes are quicker than control */
			count_step(s);
			did = true;
		}
		did |= sim_collect(s);
	} while (did);
	arm_poll(s);
}

/* To the next event, not past until_ns. False when until_ns is reached. */
static bool advance(struct sim *s, uint64_t until_ns)
{
	uint64_t next;

	settle(s);
	sim_watch_look(s);
	next = ela_loop_virtual_next(s->loop);
	if (next > until_ns)
		return false;
	ela_loop_virtual_run(s->loop, next);
	turn_all(s);
	return true;
}

void sim_run(struct sim *s, uint64_t ns)
{
	uint64_t until_ns = sim_now(s) + ns;

	while (advance(s, until_ns))
		continue;
	ela_loop_virtual_run(s->loop, until_ns);
	settle(s);
}

bool sim_run_until(struct sim *s, bool (*done)(struct sim *s), uint64_t ns)
{
	uint64_t until_ns = sim_now(s) + ns;

	for (;;) {
		settle(s);
		if (done(s))
			return true;
		if (!advance(s, until_ns))
			return false;
	}
}

/* ---- looking ---- */

uint32_t sim_host(const struct sim *s, uint32_t i)
{
	const struct sim_node *n = &s->nodes[i];

	return n->network ? sim_ring_host(n) : n->host;
}

uint64_t sim_counter(struct sim *s, uint32_t i, const char *name)
{
	uint64_t value = ela_node_counter(s->nodes[i].node, name);

	sim_check(s, value != UINT64_MAX, "no counter %s", name);
	return value;
}

static void add_drop(void *data, const char *name, uint64_t value)
{
	uint64_t *sum = data;

	if (g_str_has_prefix(name, "drop-"))
		*sum += value;
}

uint64_t sim_drops(struct sim *s, uint32_t i)
{
	uint64_t sum = 0;

	ela_node_counters(s->nodes[i].node, add_drop, &sum);
	return sum;
}

struct ela_peer *sim_peer(struct sim *s, uint32_t i, uint32_t k)
{
	uint8_t key[ELA_KEY_LEN];

	ck_assert_int_eq(ela_key_decode(s->nodes[k].public_text, key), 0);
	return ela_peer_by_key(s->nodes[i].node, key);
}

void sim_link(struct sim *s, const struct ela_mem_link *link)
{
	ela_mem_link_default(s->fabric, link);
}

struct ela_addr sim_addr(struct sim *s, uint32_t i)
{
	struct ela_addr addr;

	ck_assert_int_eq(ela_mem_addr(s->nodes[i].underlay, 7450, &addr), 0);
	return addr;
}

/* ---- running tests ---- */

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? g_ascii_strtoull(text, NULL, 0) : otherwise;
}

uint64_t sim_seed(int i)
{
	return env_number("ELA_SIM_SEED", 1) + (uint64_t)i;
}

void sim_add(Suite *suite, const TTest *test, int seeds)
{
	uint64_t n = env_number("ELA_SIM_SEEDS", getenv("ELA_SIM_SEED") ? 1 : (uint64_t)seeds);
	TCase *tc = tcase_create(test->name);

	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, test, 0, (int)MIN(n, 1000000));
	suite_add_tcase(suite, tc);
}

int sim_main(const char *name, void (*fill)(Suite *suite))
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	fill(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
