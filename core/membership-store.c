/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership-store: the state folder. One file for each sort of thing, replaced as a whole: genesis and list are the
 * objects themselves; forks, enrolments and credentials are objects one after the other, each behind its length (4);
 * revoked is the epoch (8), then hash (32) and time (8) of each key. Control thread.
 */
#include "frame.h"
#include "membership-priv.h"

#include <errno.h>
#include <string.h>

#define FILE_MAX (16u << 20)
#define ENTRY_LEN (ELA_HASH_LEN + 8u)

static const char *const names[ELA_STATE_FILES] = {
	[ELA_STATE_GENESIS] = "genesis",
	[ELA_STATE_REVOKED] = "revoked",
	[ELA_STATE_LIST] = "list",
	[ELA_STATE_FORKS] = "forks",
	[ELA_STATE_ENROLMENTS] = "enrolments",
	[ELA_STATE_CREDENTIALS] = "credentials",
};

/* ---- writing ---- */

static void put_object(GByteArray *out, GBytes *bytes)
{
	uint8_t len[4];

	ela_put32(len, (uint32_t)g_bytes_get_size(bytes));
	g_byte_array_append(out, len, sizeof len);
	g_byte_array_append(out, ela_data(bytes), (guint)g_bytes_get_size(bytes));
}

static void put_revoked(GByteArray *out, const struct ela_membership *m)
{
	uint8_t number[8];

	ela_put64(number, m->revoked_epoch);
	g_byte_array_append(out, number, sizeof number);
	for (uint32_t i = 0; i < m->revoked.n; i++) {
		ela_put64(number, m->revoked.entries[i].since_s);
		g_byte_array_append(out, m->revoked.entries[i].hash, ELA_HASH_LEN);
		g_byte_array_append(out, number, sizeof number);
	}
}

static void put_file(GByteArray *out, const struct ela_membership *m, enum ela_membership_file file)
{
	GBytes *whole = file == ELA_STATE_GENESIS ? m->genesis_bytes : file == ELA_STATE_LIST ? m->list.bytes : NULL;

	if (whole)
		g_byte_array_append(out, ela_data(whole), (guint)g_bytes_get_size(whole));
	if (file == ELA_STATE_REVOKED)
		put_revoked(out, m);
	for (uint32_t i = 0; file == ELA_STATE_FORKS && i < m->n_forks; i++)
		put_object(out, m->forks[i].bytes);
	for (guint i = 0; file == ELA_STATE_ENROLMENTS && i < m->enrolments->len; i++)
		put_object(out, ((const struct ela_held_enrolment *)m->enrolments->pdata[i])->bytes);
	for (guint i = 0; file == ELA_STATE_CREDENTIALS && i < m->credentials->len; i++)
		put_object(out, ((const struct ela_held_credential *)m->credentials->pdata[i])->bytes);
}

/* Enrolments give from now on. */
static void mark_written(struct ela_membership *m)
{
	for (guint i = 0; i < m->enrolments->len; i++) {
		struct ela_held_enrolment *held = m->enrolments->pdata[i];

		m->generation += held->is_written ? 0 : 1;
		held->is_written = true;
	}
}

int ela_membership_write(struct ela_membership *m, enum ela_membership_file file)
{
	GByteArray *out;
	int err = 0;

	if (!m->is_loading && m->dirfd >= 0) {
		out = g_byte_array_new();
		put_file(out, m, file);
		err = ela_file_put(m->ops, m->dirfd, names[file], ELA_FILE_REPLACE, out->data, out->len);
		g_byte_array_unref(out);
	}
	if (err == 0)
		m->unwritten &= ~(1u << file);
	else
		m->unwritten |= 1u << file;
	if (err == 0 && file == ELA_STATE_ENROLMENTS)
		mark_written(m);
	return err;
}

int ela_membership_flush(struct ela_membership *m)
{
	int err = m->waiting.list ? ela_membership_promote(m) : 0;

	for (uint32_t file = 0; err == 0 && file < ELA_STATE_FILES; file++)
		if ((m->unwritten & 1u << file) != 0)
			err = ela_membership_write(m, (enum ela_membership_file)file);
	return err;
}

bool ela_membership_is_written(const struct ela_membership *m)
{
	return m->unwritten == 0 && !m->waiting.list;
}

/* ---- reading ---- */

static int load_revoked(struct ela_membership *m, const uint8_t *p, size_t len)
{
	if (len < 8 || (len - 8) % ENTRY_LEN != 0)
		return -EBADMSG;
	m->revoked_epoch = ela_get64(p);
	for (size_t at = 8; at < len; at += ENTRY_LEN)
		(void)ela_revoked_add(&m->revoked, p + at, ela_get64(p + at + ELA_HASH_LEN)); /* one given twice is no harm */
	return 0;
}

/* One object of a file of many. What is held already, or has lost meanwhile, is left out. */
static int load_one(
	struct ela_membership *m, enum ela_membership_file file, const uint8_t *p, size_t len, GError **error)
{
	int err;

	if (file == ELA_STATE_FORKS)
		err = ela_membership_offer_list(m, p, len, error);
	else if (file == ELA_STATE_ENROLMENTS)
		err = ela_membership_offer_enrolment(m, p, len, error);
	else
		err = ela_membership_offer_credential(m, p, len, 0, true, NULL, error);
	if (err == 0 || err == -EBADMSG || err == -EIO)
		return err;
	g_clear_error(error);
	return 0;
}

static int load_many(
	struct ela_membership *m, enum ela_membership_file file, const uint8_t *p, size_t len, GError **error)
{
	int err = 0;

	for (size_t at = 0, size; err == 0 && at < len; at += 4 + size) {
		size = len - at >= 4 ? ela_get32(p + at) : SIZE_MAX;
		if (size > len - at - MIN(4, len - at))
			return ela_object_refuse(error, EBADMSG, "is cut");
		err = load_one(m, file, p + at + 4, size, error);
	}
	return err;
}

static int load_file(
	struct ela_membership *m, enum ela_membership_file file, const uint8_t *p, size_t len, GError **error)
{
	switch (file) {
	case ELA_STATE_GENESIS:
		return ela_membership_offer_genesis(m, p, len, error);
	case ELA_STATE_REVOKED:
		return load_revoked(m, p, len) == 0 ? 0 : ela_object_refuse(error, EBADMSG, "is cut");
	case ELA_STATE_LIST:
		return ela_membership_offer_list(m, p, len, error);
	default:
		return load_many(m, file, p, len, error);
	}
}

static int load_named(struct ela_membership *m, enum ela_membership_file file, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	int err = ela_file_get(m->dirfd, names[file], FILE_MAX, &bytes);

	if (err == -ENOENT)
		return 0;
	if (err != 0)
		return ela_object_refuse(
			error, -err, "%s in the state folder cannot be read: %s", names[file], g_strerror(-err));
	err = load_file(m, file, ela_data(bytes), g_bytes_get_size(bytes), error);
	if (err != 0)
		g_prefix_error(error, "%s in the state folder: ", names[file]);
	return err;
}

void ela_membership_set_judged(struct ela_membership *m, bool is_judged)
{
	m->is_loading = is_judged;
}

int ela_membership_load(struct ela_membership *m, GError **error)
{
	int err = 0;

	m->is_loading = true;
	for (uint32_t file = 0; err == 0 && file < ELA_STATE_FILES; file++)
		err = load_named(m, (enum ela_membership_file)file, error);
	m->is_loading = false;
	return err;
}
