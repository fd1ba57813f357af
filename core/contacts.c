/* SPDX-License-Identifier: Apache-2.0 */
/* contacts: see contacts.h. Control thread. */
#include "contacts.h"

#include "folders.h"

#include <errno.h>
#include <string.h>

#define FILE_MAX 65536u

int ela_contacts_read(struct ela_contacts *contacts, int dirfd, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	int err = dirfd >= 0 ? ela_file_get(dirfd, ELA_CORES_FILE, FILE_MAX, &bytes) : -ENOENT;

	*contacts = (struct ela_contacts){.is_written = true};
	if (err == -ENOENT)
		return 0;
	if (err != 0)
		return ela_object_refuse(
			error, -err, "%s in the state folder cannot be read: %s", ELA_CORES_FILE, g_strerror(-err));
	if (ela_token_parse_cores(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), contacts->v, ELA_CONTACTS_MAX,
			&contacts->n, NULL) != 0)
		return ela_object_refuse(error, EBADMSG,
			"%s in the state folder is cut; remove it, and the node calls what ela.ini has as bootstrap",
			ELA_CORES_FILE);
	return 0;
}

int ela_contacts_write(struct ela_contacts *contacts, const struct ela_file_ops *ops, int dirfd)
{
	g_autoptr(GBytes) bytes = NULL;
	int err = 0;

	if (contacts->is_written)
		return 0;
	bytes = ela_token_pack_cores(contacts->v, contacts->n);
	if (dirfd >= 0)
		err = ela_file_put(
			ops, dirfd, ELA_CORES_FILE, ELA_FILE_REPLACE, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	contacts->is_written = err == 0;
	return err;
}

static bool is_at(const struct ela_token_core *core, const uint8_t key[32], const struct ela_place *place)
{
	return memcmp(core->x25519, key, 32) == 0 && core->place.addr.family == place->addr.family &&
		   memcmp(core->place.addr.ip, place->addr.ip, sizeof place->addr.ip) == 0;
}

bool ela_contacts_note(struct ela_contacts *contacts, const uint8_t key[32], const struct ela_place *place)
{
	uint32_t at = 0;
	struct ela_token_core first = {.place = *place};
	bool is_new;

	memcpy(first.x25519, key, sizeof first.x25519);
	if (contacts->n > 0 && memcmp(&contacts->v[0], &first, sizeof first) == 0)
		return false;
	while (at < contacts->n && !is_at(&contacts->v[at], key, place))
		at++;
	is_new = at == contacts->n;
	if (is_new && contacts->n < ELA_CONTACTS_MAX)
		contacts->n++;
	at = MIN(at, ELA_CONTACTS_MAX - 1);
	memmove(&contacts->v[1], &contacts->v[0], at * sizeof first);
	contacts->v[0] = first;
	contacts->is_written = false;
	return is_new;
}

bool ela_contacts_forget(struct ela_contacts *contacts, const uint8_t key[32])
{
	uint32_t left = 0;
	bool had_any;

	for (uint32_t i = 0; i < contacts->n; i++)
		if (memcmp(contacts->v[i].x25519, key, 32) != 0)
			contacts->v[left++] = contacts->v[i];
	had_any = left != contacts->n;
	contacts->n = left;
	contacts->is_written = contacts->is_written && !had_any;
	return had_any;
}
