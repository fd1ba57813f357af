/* SPDX-License-Identifier: Apache-2.0 */
/* contacts: the latest comes first, nobody stands twice, the file is what was noted, a broken one is told by its name.
 */
#include "contacts.h"
#include "folders.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *dir;
static int state_fd;

static void setup(void)
{
	dir = g_dir_make_tmp("ela-contacts-XXXXXX", NULL);
	ck_assert_ptr_nonnull(dir);
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(state_fd, 0);
}

static void teardown(void)
{
	(void)unlinkat(state_fd, ELA_CORES_FILE, 0); /* it may not be there */
	(void)close(state_fd);                       /* read only */
	ck_assert_int_eq(g_rmdir(dir), 0);
	g_free(dir);
}

static struct ela_place place(uint8_t last, uint16_t port)
{
	return (struct ela_place){
		.addr = {.ip = {192, 0, 2, last}, .family = ELA_ADDR_IP4}, .tcp_port = port, .udp_port = port};
}

static bool note(struct ela_contacts *contacts, uint8_t number, uint8_t last, uint16_t port)
{
	struct ela_place at = place(last, port);
	uint8_t private[32], key[32];

	world_private(number, private);
	ck_assert_int_eq(ela_x25519_public(private, key), 0);
	return ela_contacts_note(contacts, key, &at);
}

START_TEST(order)
{
	struct ela_contacts contacts, read;

	ck_assert_int_eq(ela_contacts_read(&contacts, state_fd, NULL), 0);
	ck_assert_uint_eq(contacts.n, 0);
	ck_assert(note(&contacts, 1, 1, 7450));
	ck_assert(note(&contacts, 2, 2, 7450));
	ck_assert(note(&contacts, 1, 3, 7450));  /* another place of the first */
	ck_assert(!note(&contacts, 1, 3, 7450)); /* nothing new */
	ck_assert(!note(&contacts, 2, 2, 7451)); /* the same place, by another port */
	ck_assert_uint_eq(contacts.n, 3);
	ck_assert_uint_eq(contacts.v[0].place.addr.ip[3], 2);
	ck_assert_uint_eq(contacts.v[0].place.tcp_port, 7451);
	ck_assert_uint_eq(contacts.v[1].place.addr.ip[3], 3);
	ck_assert_uint_eq(contacts.v[2].place.addr.ip[3], 1);
	ck_assert_int_eq(ela_contacts_write(&contacts, &ela_file_system, state_fd), 0);
	ck_assert_int_eq(ela_contacts_read(&read, state_fd, NULL), 0);
	ck_assert_uint_eq(read.n, contacts.n);
	ck_assert_mem_eq(read.v, contacts.v, contacts.n * sizeof contacts.v[0]);
}
END_TEST

START_TEST(full)
{
	struct ela_contacts contacts = {.is_written = true};

	for (uint32_t i = 0; i < ELA_CONTACTS_MAX + 3; i++)
		ck_assert(note(&contacts, (uint8_t)(1 + i), (uint8_t)(1 + i), 7450));
	ck_assert_uint_eq(contacts.n, ELA_CONTACTS_MAX);
	ck_assert_uint_eq(contacts.v[0].place.addr.ip[3], ELA_CONTACTS_MAX + 3);
	ck_assert_uint_eq(contacts.v[ELA_CONTACTS_MAX - 1].place.addr.ip[3], 4);
}
END_TEST

START_TEST(forgotten)
{
	struct ela_contacts contacts = {.is_written = true};
	uint8_t private[32], key[32];

	(void)note(&contacts, 1, 1, 7450);
	(void)note(&contacts, 2, 2, 7450);
	(void)note(&contacts, 1, 3, 7450);
	ck_assert_int_eq(ela_contacts_write(&contacts, &ela_file_system, state_fd), 0);
	world_private(1, private);
	ck_assert_int_eq(ela_x25519_public(private, key), 0);
	ck_assert(ela_contacts_forget(&contacts, key));
	ck_assert_uint_eq(contacts.n, 1);
	ck_assert_uint_eq(contacts.v[0].place.addr.ip[3], 2);
	ck_assert(!contacts.is_written);
	ck_assert_int_eq(ela_contacts_write(&contacts, &ela_file_system, state_fd), 0);
	ck_assert(!ela_contacts_forget(&contacts, key));
	ck_assert(contacts.is_written); /* nothing to write */
}
END_TEST

static ssize_t no_room(int fd, const void *bytes, size_t len)
{
	(void)fd;
	(void)bytes;
	(void)len;
	errno = ENOSPC;
	return -1;
}

/* What cannot be written is written the next time, and only then. */
START_TEST(disk)
{
	struct ela_file_ops full_disk = ela_file_system;
	struct ela_contacts contacts = {.is_written = true};

	full_disk.write = no_room;
	ck_assert_int_eq(ela_contacts_write(&contacts, &full_disk, state_fd), 0); /* there is nothing to write */
	(void)note(&contacts, 1, 1, 7450);
	ck_assert_int_eq(ela_contacts_write(&contacts, &full_disk, state_fd), -ENOSPC);
	ck_assert_int_eq(ela_contacts_write(&contacts, &ela_file_system, state_fd), 0);
	ck_assert_int_eq(ela_contacts_write(&contacts, &full_disk, state_fd), 0);
	(void)note(&contacts, 1, 1, 7450); /* no news */
	ck_assert_int_eq(ela_contacts_write(&contacts, &full_disk, state_fd), 0);
}
END_TEST

START_TEST(broken)
{
	g_autofree char *file = g_build_filename(dir, ELA_CORES_FILE, NULL);
	struct ela_contacts contacts;
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_set_contents(file, "\2no cores", -1, NULL));
	ck_assert_int_eq(ela_contacts_read(&contacts, state_fd, &error), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(error->message, ELA_CORES_FILE));
	ck_assert_ptr_nonnull(strstr(error->message, "remove it"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("contacts");
	TCase *tc = tcase_create("contacts");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, order);
	tcase_add_test(tc, full);
	tcase_add_test(tc, forgotten);
	tcase_add_test(tc, disk);
	tcase_add_test(tc, broken);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
