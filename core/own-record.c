/* SPDX-License-Identifier: Apache-2.0 */
/* own-record: makes, renews and defends this node's own record (see own-record.h). Control thread. */
#include "own-record.h"
#include "bytes.h"

#include <errno.h>
#include <string.h>

#define FILE_NAME "record"
#define HEAD_LEN 12u

struct ela_own_record {
	uint8_t network_id[ELA_NETWORK_LEN];
	uint8_t node_private[32];
	uint8_t node_hash[ELA_HASH_LEN];
	const struct ela_file_ops *file_ops;
	int dirfd;
	const struct ela_own_record_ops *ops;

	struct ela_lease lease; /* as published last; ID 0: nothing to say */
	GBytes *record;         /* published last, without the countersignature; NULL: none */
	bool is_news;           /* what the next one says differs */
	bool has_left;
	uint64_t published_ns; /* 0: never */

	uint32_t mark_id; /* 0: none */
	GBytes *mark;
	bool is_written;

	uint64_t shown_ns[ELA_TWICE]; /* when others' records were shown, newest first; 0: not */
	uint64_t silent_ns;           /* nothing is published before */
};

/* ---- the file ---- */

static int write_file(struct ela_own_record *o)
{
	size_t mark_len = o->mark ? g_bytes_get_size(o->mark) : 0;
	uint8_t bytes[HEAD_LEN + ELA_RECORD_MAX];
	int err = 0;

	ela_put64(bytes, o->lease.incarnation);
	ela_put32(bytes + 8, o->mark_id);
	if (o->mark)
		memcpy(bytes + HEAD_LEN, g_bytes_get_data(o->mark, NULL), mark_len);
	if (o->dirfd >= 0)
		err = ela_file_put(o->file_ops, o->dirfd, FILE_NAME, ELA_FILE_REPLACE, bytes, HEAD_LEN + mark_len);
	o->is_written = err == 0;
	return err;
}

static int read_file(struct ela_own_record *o, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ela_object mark;
	const uint8_t *p;
	gsize len;
	int err = o->dirfd >= 0 ? ela_file_get(o->dirfd, FILE_NAME, HEAD_LEN + ELA_RECORD_MAX, &bytes) : -ENOENT;

	if (err == -ENOENT)
		return 0;
	if (err != 0)
		return ela_object_refuse(error, -err, "%s in the state folder cannot be read: %s", FILE_NAME, g_strerror(-err));
	p = g_bytes_get_data(bytes, &len);
	if (len < HEAD_LEN || (ela_get32(p + 8) == 0) != (len == HEAD_LEN) ||
		(len > HEAD_LEN && ela_object_split(ELA_OBJECT_LEASE, p + HEAD_LEN, len - HEAD_LEN, &mark, NULL) != 0))
		return ela_object_refuse(
			error, EBADMSG, "%s in the state folder is cut; remove it, and the node starts over", FILE_NAME);
	o->lease.incarnation = ela_get64(p);
	o->mark_id = ela_get32(p + 8);
	if (o->mark_id != 0)
		o->mark = g_bytes_new(p + HEAD_LEN, len - HEAD_LEN);
	return 0;
}

int ela_own_record_flush(struct ela_own_record *o)
{
	return o->is_written ? 0 : write_file(o);
}

/* ---- life ---- */

/* Whoever made the last possible incarnation can only be waited for. */
static void go_above(struct ela_own_record *o, uint64_t incarnation)
{
	o->lease.incarnation = incarnation == UINT64_MAX ? UINT64_MAX : incarnation + 1;
	o->lease.sequence = 0;
	o->is_written = false;
}

int ela_own_record_new(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t node_private[32],
	const struct ela_file_ops *file_ops, int dirfd, const struct ela_own_record_ops *ops, struct ela_own_record **ret,
	GError **error)
{
	struct ela_own_record *o = g_new0(struct ela_own_record, 1);
	uint8_t node_key[32];
	int err;

	memcpy(o->network_id, network_id, ELA_NETWORK_LEN);
	memcpy(o->node_private, node_private, sizeof o->node_private);
	o->file_ops = file_ops;
	o->dirfd = dirfd;
	o->ops = ops;
	err = read_file(o, error);
	if (err == 0 &&
		(ela_ed25519_public(node_private, node_key) != 0 || ela_object_key_hash(node_key, o->node_hash) != 0))
		err = ela_object_refuse(error, EIO, "libcrypto makes no key");
	if (err != 0) {
		ela_own_record_free(o);
		return err;
	}
	go_above(o, o->lease.incarnation); /* written with the first record: until then nobody has heard of it */
	*ret = o;
	return 0;
}

void ela_own_record_free(struct ela_own_record *o)
{
	if (!o)
		return;
	g_clear_pointer(&o->record, g_bytes_unref);
	g_clear_pointer(&o->mark, g_bytes_unref);
	ela_wipe(o->node_private, sizeof o->node_private);
	g_free(o);
}

uint64_t ela_own_record_incarnation(const struct ela_own_record *o)
{
	return o->lease.incarnation;
}

/* ---- publishing ---- */

static void drop_mark(struct ela_own_record *o)
{
	g_clear_pointer(&o->mark, g_bytes_unref);
	o->mark_id = 0;
	o->is_written = false;
}

int ela_own_record_say(struct ela_own_record *o, const struct ela_lease *lease, GError **error)
{
	struct ela_lease next = *lease;
	g_autoptr(GBytes) trial = NULL;
	int err;

	next.incarnation = o->lease.incarnation;
	next.sequence = o->lease.sequence;
	next.is_leave = false;
	memcpy(next.node_hash, o->node_hash, ELA_HASH_LEN);
	err = ela_lease_sign(&next, o->network_id, o->node_private, &trial, error);
	if (err != 0)
		return err;
	if (o->mark && o->mark_id != next.id)
		drop_mark(o);
	o->is_news = o->is_news || !ela_lease_same(&next, &o->lease);
	o->has_left = false;
	o->lease = next;
	return 0;
}

static uint64_t due_ns(const struct ela_own_record *o)
{
	uint64_t after_ns = o->is_news ? ELA_RENEW_LEAST_NS : ELA_RENEW_NS;

	if (o->lease.id == 0 || o->has_left)
		return UINT64_MAX;
	return MAX(o->silent_ns, o->published_ns == 0 ? 0 : o->published_ns + after_ns);
}

static void publish(struct ela_own_record *o, uint64_t now_ns)
{
	g_autoptr(GByteArray) both = g_byte_array_new();
	GBytes *record = NULL;

	o->published_ns = now_ns;
	o->lease.sequence++;
	if (ela_lease_sign(&o->lease, o->network_id, o->node_private, &record, NULL) != 0)
		return; /* say() has signed the like, so it is libcrypto that failed; the next turn may be luckier */
	(void)ela_own_record_flush(o); /* tried again with the next */
	o->is_news = false;
	g_clear_pointer(&o->record, g_bytes_unref);
	o->record = record;
	g_byte_array_append(both, g_bytes_get_data(record, NULL), (guint)g_bytes_get_size(record));
	if (o->mark && both->len + g_bytes_get_size(o->mark) <= ELA_RECORD_MAX)
		g_byte_array_append(both, g_bytes_get_data(o->mark, NULL), (guint)g_bytes_get_size(o->mark));
	o->ops->publish(o->ops->data, &o->lease, both->data, both->len);
}

uint64_t ela_own_record_turn(struct ela_own_record *o, uint64_t now_ns)
{
	if (due_ns(o) <= now_ns)
		publish(o, now_ns);
	return due_ns(o);
}

void ela_own_record_leave(struct ela_own_record *o, uint64_t now_ns)
{
	if (!o->record || o->has_left || ela_own_record_silent_until(o, now_ns) != 0)
		return;
	o->lease.is_leave = true;
	o->has_left = true;
	publish(o, now_ns);
}

/* ---- what comes back ---- */

static uint32_t record_len(const struct ela_lease_bytes *parts, const void *bytes)
{
	return (uint32_t)(parts->record.signature + parts->record.signature_len - (const uint8_t *)bytes);
}

int ela_own_record_countersigned(
	struct ela_own_record *o, const uint8_t home_key[32], const void *bytes, uint32_t len, GError **error)
{
	struct ela_lease_bytes parts;
	struct ela_mark mark;
	uint32_t at;
	int err = ela_lease_split(bytes, len, &parts, error);

	if (err == 0 && parts.mark.kind == 0)
		return ela_object_refuse(error, EBADMSG, "record that is not countersigned");
	if (err == 0)
		err = ela_mark_parse(o->network_id, home_key, &parts.mark, &o->lease, &mark, error);
	if (err != 0)
		return err;
	at = record_len(&parts, bytes);
	g_clear_pointer(&o->mark, g_bytes_unref);
	o->mark = g_bytes_new((const uint8_t *)bytes + at, len - at);
	o->mark_id = o->lease.id;
	o->is_news = true;
	(void)write_file(o); /* tried again with the next record */
	return 0;
}

void ela_own_record_uncountersigned(struct ela_own_record *o)
{
	if (!o->mark)
		return;
	drop_mark(o);
	o->is_news = true;
}

/* Ours, or older: copies that are under way. What comes back may have the home's countersignature behind it. */
static bool is_known(const struct ela_own_record *o, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	struct ela_lease_bytes parts;

	if (lease->incarnation != o->lease.incarnation)
		return lease->incarnation < o->lease.incarnation;
	if (lease->sequence != o->lease.sequence)
		return lease->sequence < o->lease.sequence;
	return o->record && ela_lease_split(bytes, len, &parts, NULL) == 0 &&
		   record_len(&parts, bytes) == g_bytes_get_size(o->record) &&
		   memcmp(bytes, g_bytes_get_data(o->record, NULL), g_bytes_get_size(o->record)) == 0;
}

static void fall_silent(struct ela_own_record *o, uint64_t now_ns)
{
	uint64_t random;

	o->ops->random(o->ops->data, &random, sizeof random);
	o->silent_ns = now_ns + ELA_SILENT_LEAST_NS + random % (ELA_SILENT_MOST_NS - ELA_SILENT_LEAST_NS + 1);
	memset(o->shown_ns, 0, sizeof o->shown_ns);
	o->ops->runs_twice(o->ops->data, o->silent_ns);
}

bool ela_own_record_shown(
	struct ela_own_record *o, const struct ela_lease *lease, const void *bytes, uint32_t len, uint64_t now_ns)
{
	uint64_t first_ns;

	if (is_known(o, lease, bytes, len))
		return false;
	go_above(o, lease->incarnation);
	(void)write_file(o); /* tried again with the next record; without it, others' records show the way */
	o->is_news = true;
	if (ela_own_record_silent_until(o, now_ns) != 0)
		return true;
	memmove(o->shown_ns + 1, o->shown_ns, sizeof o->shown_ns - sizeof *o->shown_ns);
	o->shown_ns[0] = now_ns;
	first_ns = o->shown_ns[ELA_TWICE - 1];
	if ((first_ns != 0 && now_ns - first_ns <= ELA_TWICE_NS) || lease->incarnation == UINT64_MAX)
		fall_silent(o, now_ns);
	return true;
}

uint64_t ela_own_record_silent_until(const struct ela_own_record *o, uint64_t now_ns)
{
	return o->silent_ns > now_ns ? o->silent_ns : 0;
}
