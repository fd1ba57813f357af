/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a core calls for `ela invite --dial`, and what its file "dials" keeps of that (core/dials.h). Node 0 founded the
 * network, 1 is an edge or not in yet; at the other addresses that are called is nobody.
 */
#include "dials.h"
#include "network-priv.h"
#include "peer.h"
#include "sim-ring.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct sim *begin(int i)
{
	return sim_ring_formed(sim_seed(i), 2, 2, 0);
}

static uint64_t wall_s(const struct sim *s)
{
	return s->loop->ops->wall_ns(s->loop) / ELA_SEC;
}

static char *file_of(const struct sim *s, uint32_t i)
{
	return g_strdup_printf("%s/n%u/dials", s->dir, i);
}

static void expect_file(struct sim *s, uint32_t i, const char *wanted)
{
	g_autofree char *file = file_of(s, i), *text = NULL;

	sim_check(s, g_file_get_contents(file, &text, NULL, NULL), "there is no %s", file);
	sim_check(s, strcmp(text, wanted) == 0, "found \"%s\", wanted \"%s\"", text, wanted);
}

static int dial(struct sim *s, uint32_t i, const char *endpoint, uint64_t until_s, const char *reason)
{
	g_autoptr(GError) error = NULL;
	int err = ela_network_dial(s->nodes[i].network, endpoint, until_s, &error);

	sim_check(s, (err != 0) == (error != NULL), "an error without words, or words without one");
	sim_check(s, !error || (reason && strstr(error->message, reason)), "\"%s\" does not say \"%s\"",
		error ? error->message : "", reason ? reason : "nothing");
	return err;
}

static void cut(struct sim *s, bool is_cut)
{
	sim_equal(s, (uint64_t)-ela_mem_partition(s->fabric, s->nodes[0].underlay, s->nodes[1].underlay, is_cut), 0);
}

static bool is_in(struct sim *s)
{
	return s->nodes[1].network->lease.id != 0;
}

/* Who has looked for long rests for long, but hears the core that calls. */
START_TEST(called)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 2, 0);
	uint64_t from_ns;

	sim_up(s, 0);
	sim_run(s, 15 * ELA_SEC);
	cut(s, true);
	sim_up(s, 1);
	sim_run(s, 200 * ELA_SEC + (uint64_t)_i * 7 * ELA_SEC);
	sim_check(s, !is_in(s), "it is in, though nobody can have let it in");
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.2:7451", wall_s(s) + 1000, NULL), 0);
	sim_run(s, 20 * ELA_SEC);
	cut(s, false);
	from_ns = ela_loop_now(s->loop);
	sim_check(s, sim_run_until(s, is_in, 12 * ELA_SEC), "it is not in");
	sim_check(s, ela_loop_now(s->loop) - from_ns < 9 * ELA_SEC, "it took longer than a round of calls");
	sim_run(s, 2 * ELA_SEC);
	expect_file(s, 0, "");
	sim_free(s);
}
END_TEST

/* Who answers and does not ask to be let in is a guest, gone after a while, and called again. */
START_TEST(silent)
{
	struct sim *s = sim_ring_new(sim_seed(_i), 2, 0);
	uint32_t number = 0, n = 0;

	s->nodes[1].held = true;
	sim_up(s, 0);
	sim_run(s, 15 * ELA_SEC);
	cut(s, true);
	sim_up(s, 1);
	sim_run(s, 5 * ELA_SEC);
	cut(s, false);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.2:7451", wall_s(s) + 1000, NULL), 0);
	for (uint32_t i = 0; i < 120; i++) {
		const struct ela_peer *peer;

		sim_run(s, 500 * ELA_MSEC);
		peer = sim_peer(s, 0, 1);
		sim_check(s, !peer || peer->guest, "it is no guest");
		n += peer && peer->number != number;
		number = peer ? peer->number : number;
	}
	sim_check(s, n > 3 && n < 20, "in a minute %u came", n);
	sim_free(s);
}
END_TEST

/* Until its time is over, which may be set anew, and beyond a restart. */
START_TEST(until)
{
	struct sim *s = begin(_i);
	uint64_t first_s = wall_s(s) + 100, later_s = first_s + 100;
	g_autofree char *both = g_strdup_printf(
		"10.0.0.77:7450 %" G_GUINT64_FORMAT "\n[fd00::77]:7451 %" G_GUINT64_FORMAT "\n", later_s, first_s);
	g_autofree char *one = g_strdup_printf("10.0.0.77:7450 %" G_GUINT64_FORMAT "\n", later_s);

	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.77", first_s, NULL), 0);
	sim_equal(s, (uint64_t)-dial(s, 0, "[fd00::77]:7451", first_s, NULL), 0);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.77:7450", later_s, NULL), 0);
	expect_file(s, 0, both);
	sim_run(s, 50 * ELA_SEC);
	sim_leave(s, 0);
	sim_run(s, ELA_SEC);
	sim_up(s, 0);
	sim_run(s, 10 * ELA_SEC);
	expect_file(s, 0, both);
	sim_run(s, 50 * ELA_SEC);
	expect_file(s, 0, one);
	sim_run(s, 100 * ELA_SEC);
	expect_file(s, 0, "");
	sim_free(s);
}
END_TEST

/* What is refused changes nothing. */
START_TEST(refused)
{
	struct sim *s = begin(_i);
	uint64_t until_s = wall_s(s) + 1000;
	g_autofree char *file = file_of(s, 1), *before = NULL, *zero = file_of(s, 0);

	sim_equal(s, (uint64_t)-dial(s, 1, "10.0.0.77", until_s, "is an edge"), EPERM);
	sim_check(s, !g_file_test(file, G_FILE_TEST_EXISTS), "an edge has written %s", file);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.77:", until_s, "is no HOST:PORT"), EINVAL);
	sim_equal(s, (uint64_t)-dial(s, 0, "two words", until_s, "is no HOST:PORT"), EINVAL);
	sim_equal(s, (uint64_t)-dial(s, 0, "", until_s, "is no HOST:PORT"), EINVAL);
	for (uint32_t i = 0; i < ELA_DIALS_MAX - 1; i++) {
		g_autofree char *endpoint = g_strdup_printf("10.0.0.77:%u", 8000 + i);

		sim_equal(s, (uint64_t)-dial(s, 0, endpoint, until_s, NULL), 0);
	}
	sim_check(s, g_file_get_contents(zero, &before, NULL, NULL), "there is no %s", zero);
	sim_ring_disk_full(true);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.78:8000", until_s, "cannot be written"), ENOSPC);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.77:8000", until_s + 1, "cannot be written"), ENOSPC);
	sim_ring_disk_full(false);
	expect_file(s, 0, before);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.77:8000", until_s, NULL), 0);
	expect_file(s, 0, before);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.78:8000", until_s, NULL), 0);
	sim_equal(s, (uint64_t)-dial(s, 0, "10.0.0.79:8000", until_s, "16 others"), ENOSPC);
	sim_free(s);
}
END_TEST

/* A file that does not check is not taken for an empty one. */
START_TEST(file)
{
	static const char *const bad[] = {"10.0.0.77:7450 1", "10.0.0.77:7450\n", "10.0.0.77:7450 x\n", "10.0.0.77 1\n",
		"10.0.0.77:7450 -1\n", "10.0.0.77:7450 1 2\n", "\n", "a:1 1\n\nb:1 1\n"};
	struct sim *s = begin(_i);
	struct ela_network there = {.node = s->nodes[1].node};
	g_autofree char *name = file_of(s, 0), *folder = g_path_get_dirname(name);
	g_autoptr(GString) many = g_string_new(NULL);

	sim_leave(s, 0);
	sim_run(s, ELA_SEC);
	there.dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sim_check(s, there.dirfd >= 0, "no folder %s", folder);
	for (uint32_t i = 0; i <= ELA_DIALS_MAX; i++)
		g_string_append_printf(many, "10.0.0.77:%u 1\n", 8000 + i);
	for (guint i = 0; i <= G_N_ELEMENTS(bad); i++) {
		const char *text = i < G_N_ELEMENTS(bad) ? bad[i] : many->str;
		g_autoptr(GError) error = NULL;

		sim_check(s, g_file_set_contents(name, text, -1, NULL), "%s cannot be written", name);
		sim_check(s, ela_dials_new(&there, &error) == NULL, "\"%s\" is taken", text);
		sim_check(
			s, strstr(error->message, "dials in the state folder is cut; remove it") != NULL, "%s", error->message);
	}
	(void)close(there.dirfd); /* nothing was written */
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, called, 6);
	sim_add(suite, silent, 1);
	sim_add(suite, until, 1);
	sim_add(suite, refused, 1);
	sim_add(suite, file, 1);
}

int main(void)
{
	return sim_main("sim-dials", fill);
}
