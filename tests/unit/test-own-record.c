/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-own-record: when the own record is published, what it says, and what happens when another one with the same key
 * is shown; restarts and full disks. Time is a number here. One thread.
 */
#include "own-record.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START (1000 * ELA_SEC)

static struct world *w;
static struct ela_membership *m;
static struct ela_own_record *o;
static struct ela_lease said;
static GBytes *credential, *of_home; /* of nodes 1 and 2 */
static char *dir;
static int state_fd = -1;
static uint64_t now_ns, random_number;

/* What left. */
static struct {
	uint32_t n, n_twice;
	uint64_t until_ns;
	struct ela_lease lease;
	uint32_t len;
	uint8_t bytes[ELA_RECORD_MAX];
} out;

static void on_publish(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	(void)data;
	ck_assert_uint_le(len, ELA_RECORD_MAX);
	out.n++;
	out.lease = *lease;
	out.len = len;
	memcpy(out.bytes, bytes, len);
}

static void on_twice(void *data, uint64_t until_ns)
{
	(void)data;
	out.n_twice++;
	out.until_ns = until_ns;
}

static void on_random(void *data, void *buf, size_t len)
{
	(void)data;
	ck_assert_uint_eq(len, sizeof random_number);
	memcpy(buf, &random_number, len);
}

static const struct ela_own_record_ops ops = {.publish = on_publish, .runs_twice = on_twice, .random = on_random};

/* ---- a disk that may be full ---- */

static bool is_full;

static ssize_t full_write(int fd, const void *bytes, size_t len)
{
	if (!is_full)
		return write(fd, bytes, len);
	errno = ENOSPC;
	return -1;
}

static const struct ela_file_ops disk = {full_write, fsync, renameat};

static int open_again(int dirfd, GError **error)
{
	uint8_t private_key[32];

	ela_own_record_free(o);
	o = NULL;
	world_private(1, private_key);
	return ela_own_record_new(w->genesis.network_id, private_key, &disk, dirfd, &ops, &o, error);
}

static void setup(void)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-own-XXXXXX", NULL);

	w = world_new();
	m = world_member(w);
	credential = world_credential(w, w->sada, 1, 1, 1);
	of_home = world_credential(w, w->sada, 2, 2, 1);
	world_offered(m, world_offer_credential, credential, 0, NULL);
	world_offered(m, world_offer_credential, of_home, 0, NULL);
	said = world_lease(w, credential, WORLD_ADDRESS);
	dir = g_strdup(mkdtemp(template));
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(state_fd, 0);
	memset(&out, 0, sizeof out);
	is_full = false;
	random_number = 0;
	now_ns = START;
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	ela_own_record_free(o);
	ela_membership_free(m);
	g_bytes_unref(credential);
	g_bytes_unref(of_home);
	world_free(w);
	ck_assert_int_eq(close(state_fd), 0);
	ck_assert_int_eq(system(command), 0);
	g_free(dir);
	o = NULL;
}

static void say(void)
{
	ck_assert_int_eq(ela_own_record_say(o, &said, NULL), 0);
}

static uint64_t turn(void)
{
	return ela_own_record_turn(o, now_ns);
}

/* Publishes at once, in a second of its own. */
static void say_now(void)
{
	now_ns += ELA_SEC;
	say();
	(void)turn();
}

/* What is published checks, and says what it should. */
static void check_out(uint64_t incarnation, uint64_t sequence)
{
	struct ela_standing standing;
	g_autoptr(GError) error = NULL;

	ck_assert_msg(ela_membership_check_record(m, out.bytes, out.len, NULL, &standing, &error) == 0, "%s",
		error ? error->message : "");
	ck_assert(ela_lease_same(&standing.lease, &out.lease));
	ck_assert_uint_eq(standing.lease.incarnation, incarnation);
	ck_assert_uint_eq(standing.lease.sequence, sequence);
}

/* A record of our key that we did not make. */
static bool show(uint64_t incarnation, uint64_t sequence)
{
	struct ela_lease lease = said;
	g_autoptr(GBytes) record = NULL;

	lease.incarnation = incarnation;
	lease.sequence = sequence;
	lease.places[0].udp_port = 1;
	record = world_record(w, &lease, 1);
	return ela_own_record_shown(o, &lease, g_bytes_get_data(record, NULL), (uint32_t)g_bytes_get_size(record), now_ns);
}

/* ---- when and what ---- */

START_TEST(test_renewal)
{
	ck_assert_uint_eq(turn(), UINT64_MAX); /* there is nothing to say yet */
	say();
	ck_assert_uint_eq(out.n, 0);
	ck_assert_uint_eq(turn(), START + ELA_RENEW_NS);
	ck_assert_uint_eq(out.n, 1);
	check_out(1, 1);
	ck_assert(out.lease.id == said.id && out.lease.address == WORLD_ADDRESS && out.lease.role == ELA_LEASE_CORE &&
			  out.lease.n_places == 1 && !out.lease.is_leave);
	now_ns += ELA_RENEW_NS - 1;
	ck_assert_uint_eq(turn(), now_ns + 1);
	ck_assert_uint_eq(out.n, 1);
	now_ns++;
	ck_assert_uint_eq(turn(), now_ns + ELA_RENEW_NS);
	ck_assert_uint_eq(out.n, 2);
	check_out(1, 2);
}
END_TEST

/* News goes at once, but not more often than once a second. */
START_TEST(test_news)
{
	struct ela_lease bad = said;
	g_autoptr(GError) error = NULL;

	say();
	(void)turn();
	say();
	ck_assert_uint_eq(turn(), START + ELA_RENEW_NS); /* that was none */
	for (uint16_t i = 0; i < 5; i++) {
		said.places[0].udp_port++;
		say();
		ck_assert_uint_eq(turn(), START + ELA_SEC);
	}
	ck_assert_uint_eq(out.n, 1);
	now_ns += ELA_SEC;
	ck_assert_uint_eq(turn(), now_ns + ELA_RENEW_NS);
	ck_assert_uint_eq(out.n, 2);
	check_out(1, 2);
	ck_assert_uint_eq(out.lease.places[0].udp_port, 7455);
	said.role = ELA_LEASE_EDGE;
	said.parent = 5;
	now_ns += 10 * ELA_SEC;
	say();
	(void)turn();
	ck_assert(out.n == 3 && out.lease.role == ELA_LEASE_EDGE && out.lease.parent == 5);
	bad.parent = 5; /* of a core */
	ck_assert_int_eq(ela_own_record_say(o, &bad, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error->message, "parent"));
	now_ns += ELA_RENEW_NS;
	(void)turn();
	ck_assert(out.n == 4 && out.lease.role == ELA_LEASE_EDGE);
	check_out(1, 4);
}
END_TEST

START_TEST(test_leave)
{
	ela_own_record_leave(o, now_ns);
	ck_assert_uint_eq(out.n, 0); /* nobody knows of us */
	say();
	ela_own_record_leave(o, now_ns);
	ck_assert_uint_eq(out.n, 0);
	(void)turn();
	ela_own_record_leave(o, now_ns);
	ck_assert(out.n == 2 && out.lease.is_leave);
	check_out(1, 2);
	ela_own_record_leave(o, now_ns);
	now_ns += 1000 * ELA_SEC;
	ck_assert_uint_eq(turn(), UINT64_MAX);
	ck_assert_uint_eq(out.n, 2);
	say(); /* and comes back */
	(void)turn();
	ck_assert(out.n == 3 && !out.lease.is_leave);
	check_out(1, 3);
}
END_TEST

/* ---- another one with our key ---- */

START_TEST(test_own_copies)
{
	g_autofree uint8_t *old = NULL;
	struct ela_lease old_lease;
	g_autoptr(GBytes) record = NULL, marked = NULL;
	uint32_t old_len;

	say();
	(void)turn();
	old = g_memdup2(out.bytes, out.len);
	old_len = out.len;
	old_lease = out.lease;
	ck_assert(!ela_own_record_shown(o, &out.lease, out.bytes, out.len, now_ns));
	record = g_bytes_new(out.bytes, out.len);
	marked = world_mark(w, record, &said, 1, 2, 1000); /* by its home: the same record all the same */
	ck_assert(!ela_own_record_shown(
		o, &out.lease, g_bytes_get_data(marked, NULL), (uint32_t)g_bytes_get_size(marked), now_ns));
	now_ns += ELA_RENEW_NS;
	(void)turn();
	ck_assert(!ela_own_record_shown(o, &old_lease, old, old_len, now_ns));
	ck_assert(!show(0, 77));
	ck_assert_uint_eq(ela_own_record_incarnation(o), 1);
	ck_assert_uint_eq(turn(), now_ns + ELA_RENEW_NS);
}
END_TEST

START_TEST(test_goes_above)
{
	static const struct {
		uint64_t incarnation, sequence, wanted;
	} cases[] = {{9, 1, 10}, {1, 2, 2}, {1, 1, 2}}; /* the last: as ours, but saying something else */

	say();
	(void)turn();
	now_ns += 2 * ELA_SEC;
	ck_assert(show(cases[_i].incarnation, cases[_i].sequence));
	ck_assert_uint_eq(ela_own_record_incarnation(o), cases[_i].wanted);
	ck_assert_uint_eq(turn(), now_ns + ELA_RENEW_NS);
	ck_assert_uint_eq(out.n, 2);
	check_out(cases[_i].wanted, 1);
	ck_assert(!show(cases[_i].incarnation, cases[_i].sequence)); /* which is older now */
	ck_assert_uint_eq(out.n_twice, 0);
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	ck_assert_uint_eq(ela_own_record_incarnation(o), cases[_i].wanted + 1);
}
END_TEST

/* Three times within 60 s and no slower: silence, and then it goes on above. */
START_TEST(test_runs_twice)
{
	static const uint64_t randoms[] = {0, UINT64_MAX, 1, 540 * ELA_SEC, 539999999999, 77777777777777};
	uint64_t silent_ns, incarnation = 5;

	random_number = randoms[_i];
	say();
	(void)turn();
	ck_assert(show(incarnation++, 1));
	now_ns += 31 * ELA_SEC;
	ck_assert(show(++incarnation, 1));
	now_ns += 30 * ELA_SEC; /* the first is 61 s ago */
	ck_assert(show(incarnation += 2, 1));
	ck_assert_uint_eq(out.n_twice, 0);
	now_ns += 30 * ELA_SEC;
	ck_assert(show(incarnation += 2, 1));
	ck_assert_uint_eq(out.n_twice, 1);
	silent_ns = out.until_ns - now_ns;
	ck_assert_uint_ge(silent_ns, 60 * ELA_SEC);
	ck_assert_uint_le(silent_ns, 600 * ELA_SEC);
	ck_assert_uint_eq(ela_own_record_silent_until(o, now_ns), out.until_ns);

	out.n = 0;
	now_ns += ELA_RENEW_NS;
	said.places[0].tcp_port++;
	say();
	ck_assert_uint_eq(turn(), out.until_ns);
	ck_assert(show(100, 1)); /* the other one goes on; that is no new case */
	ck_assert(show(110, 1));
	ck_assert(show(120, 1));
	ela_own_record_leave(o, now_ns);
	ck_assert(out.n == 0 && out.n_twice == 1);
	now_ns = out.until_ns;
	ck_assert_uint_eq(ela_own_record_silent_until(o, now_ns), 0);
	ck_assert_uint_eq(turn(), now_ns + ELA_RENEW_NS);
	ck_assert_uint_eq(out.n, 1);
	check_out(121, 1);
	ck_assert(show(130, 1) && show(140, 1)); /* it begins to count anew */
	ck_assert_uint_eq(out.n_twice, 1);
	ck_assert(show(150, 1));
	ck_assert_uint_eq(out.n_twice, 2);
}
END_TEST

/* Nobody can go above the last one. */
START_TEST(test_last_incarnation)
{
	say();
	(void)turn();
	ck_assert(show(UINT64_MAX, 3));
	ck_assert_uint_eq(out.n_twice, 1);
	ck_assert_uint_eq(ela_own_record_incarnation(o), UINT64_MAX);
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	ck_assert_uint_eq(ela_own_record_incarnation(o), UINT64_MAX);
}
END_TEST

/* ---- the home's countersignature ---- */

static GBytes *marked_by(uint8_t home, const struct ela_lease *lease)
{
	g_autoptr(GBytes) record = world_record(w, lease, 1);

	return world_mark(w, record, lease, 1, home, 1000);
}

static int countersigned(GBytes *bytes, uint8_t home)
{
	uint8_t key[32];

	world_public(home, key);
	return ela_own_record_countersigned(o, key, g_bytes_get_data(bytes, NULL), (uint32_t)g_bytes_get_size(bytes), NULL);
}

static uint64_t since(void)
{
	struct ela_standing standing;

	ck_assert_int_eq(ela_membership_check_record(m, out.bytes, out.len, NULL, &standing, NULL), 0);
	return standing.since_s;
}

START_TEST(test_countersigned)
{
	struct ela_lease elsewhere = world_lease(w, credential, WORLD_ADDRESS + 1);
	g_autoptr(GBytes) good = marked_by(2, &said), other = marked_by(2, &elsewhere), bare = world_record(w, &said, 1);

	say_now();
	ck_assert_uint_eq(since(), 0);
	ck_assert_int_eq(countersigned(good, 3), -EBADMSG); /* not by that home */
	ck_assert_int_eq(countersigned(other, 2), -EBADMSG);
	ck_assert_int_eq(countersigned(bare, 2), -EBADMSG);
	now_ns += ELA_RENEW_NS;
	(void)turn();
	ck_assert_uint_eq(since(), 0);
	ck_assert_int_eq(countersigned(good, 2), 0);
	ck_assert_uint_eq(turn(), now_ns + ELA_SEC); /* others should know soon */
	now_ns += ELA_SEC;
	(void)turn();
	ck_assert_uint_eq(since(), 1000);
	now_ns += ELA_RENEW_NS;
	(void)turn();
	ck_assert_uint_eq(since(), 1000); /* it stays */

	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	say_now();
	ck_assert_uint_eq(since(), 1000);
	check_out(2, 1);
	ela_own_record_uncountersigned(o);
	ck_assert_uint_eq(turn(), now_ns + ELA_SEC);
	now_ns += ELA_SEC;
	(void)turn();
	ck_assert_uint_eq(since(), 0);
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	say_now();
	ck_assert_uint_eq(since(), 0); /* nor does the disk have it */
	ck_assert_int_eq(countersigned(good, 2), 0);
	say_now();
	said.id = elsewhere.id; /* it was about another ID */
	said.address = elsewhere.address;
	say_now();
	ck_assert_uint_eq(since(), 0);
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	said = world_lease(w, credential, WORLD_ADDRESS);
	say_now();
	ck_assert_uint_eq(since(), 0);
}
END_TEST

/* ---- the disk ---- */

START_TEST(test_restart)
{
	ck_assert_int_eq(ela_own_record_flush(o), 0);
	for (uint64_t i = 2; i < 6; i++) {
		ck_assert_int_eq(open_again(state_fd, NULL), 0);
		ck_assert_uint_eq(ela_own_record_incarnation(o), i); /* though nothing was published */
		ck_assert_int_eq(ela_own_record_flush(o), 0);
	}
	ck_assert_int_eq(open_again(-1, NULL), 0);
	ck_assert_uint_eq(ela_own_record_incarnation(o), 1);
	ck_assert_int_eq(ela_own_record_flush(o), 0); /* nothing is kept, by intention */
}
END_TEST

/* A full disk stops no node; it is written when there is room, at the latest with the next record. */
START_TEST(test_full_disk)
{
	ck_assert_int_eq(ela_own_record_flush(o), 0);
	is_full = true;
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	ck_assert_uint_eq(ela_own_record_incarnation(o), 2);
	ck_assert_int_eq(ela_own_record_flush(o), -ENOSPC);
	say_now();
	check_out(2, 1);
	ck_assert(show(6, 1));
	is_full = false;
	now_ns += ELA_SEC;
	(void)turn();
	check_out(7, 1);
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	ck_assert_uint_eq(ela_own_record_incarnation(o), 8);
	is_full = true;
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	is_full = false;
	ck_assert_int_eq(ela_own_record_flush(o), 0);
	ck_assert_int_eq(open_again(state_fd, NULL), 0);
	ck_assert_uint_eq(ela_own_record_incarnation(o), 9); /* of the life before that one nothing was said or written */
}
END_TEST

START_TEST(test_broken_file)
{
	static const struct {
		const char *bytes;
		gssize len;
	} cases[] = {{"", 0}, {"\0\0\0\0\0\0\0\1\0\0\0", 11}, {"\0\0\0\0\0\0\0\1\0\0\0\0m", 13},
		{"\0\0\0\0\0\0\0\1\0\0\0\1", 12}, {"\0\0\0\0\0\0\0\1\0\0\0\1mark", 16}};
	g_autofree char *path = g_build_filename(dir, "record", NULL);
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_set_contents(path, cases[_i].bytes, cases[_i].len, NULL));
	ck_assert_int_eq(open_again(state_fd, &error), -EBADMSG);
	ck_assert_ptr_null(o);
	ck_assert_msg(strstr(error->message, "record in the state folder") && strstr(error->message, "remove it"),
		"found %s", error->message);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("own-record");
	TCase *tc = tcase_create("own-record");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_renewal);
	tcase_add_test(tc, test_news);
	tcase_add_test(tc, test_leave);
	tcase_add_test(tc, test_own_copies);
	tcase_add_loop_test(tc, test_goes_above, 0, 3);
	tcase_add_loop_test(tc, test_runs_twice, 0, 6);
	tcase_add_test(tc, test_last_incarnation);
	tcase_add_test(tc, test_countersigned);
	tcase_add_test(tc, test_restart);
	tcase_add_test(tc, test_full_disk);
	tcase_add_loop_test(tc, test_broken_file, 0, 5);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
