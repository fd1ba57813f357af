/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory: the records that count and the ring (see directory.h). Records lie by rising ID, so that a walk over them
 * survives changes and is the same everywhere. Control thread.
 */
#include "directory.h"
#include "bytes.h"

#include <errno.h>
#include <string.h>

#define JUDGED_MAX ELA_DIRECTORY_MAX /* records whose signatures are not checked again */

/* A credential that was asked for. */
struct wanted {
	uint8_t hash[ELA_HASH_LEN];
	uint32_t peer;
	uint64_t since_ns;
};

/* The last record of a key that was judged good, countersignature and all. */
struct judged {
	uint64_t generation;          /* of membership then */
	struct ela_standing standing; /* without the credential; lease.node_hash is the key of the table */
	uint32_t len;
	uint8_t bytes[];
};

struct ela_directory {
	struct ela_loop *loop;
	const struct ela_membership *m;
	struct ela_lease_table *leases; /* NULL: nothing is noted */
	const struct ela_directory_listener *listener;
	GPtrArray *known; /* struct ela_known, owned, by rising ID */
	struct ela_cores cores;
	struct wanted wanted[ELA_WANTED_MAX];
	uint32_t n_wanted;
	uint32_t peer;                         /* that brought what the plugin reads now */
	const struct ela_routing_ops *routing; /* NULL: none */
	void *routing_self;
	uint64_t generation; /* of membership, when all was checked last */
	uint64_t nodes;      /* of membership, when homes were looked for last */
	GHashTable *judged;  /* node hash -> struct judged, owned; JUDGED_MAX at most */
	bool has_own;
	uint8_t own_hash[ELA_HASH_LEN];
	struct ela_timer *stale; /* when the first record may be too old; not armed while there is none */
};

/* ---- records by ID ---- */

static struct ela_known *at(const struct ela_directory *d, guint i)
{
	return d->known->pdata[i];
}

/* Place of the first with an ID of at least id. */
static guint place_of(const struct ela_directory *d, uint32_t id)
{
	guint low = 0, high = d->known->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;

		if (at(d, middle)->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct ela_known *find(const struct ela_directory *d, uint32_t id)
{
	guint i = place_of(d, id);

	return i < d->known->len && at(d, i)->id == id ? at(d, i) : NULL;
}

const struct ela_known *ela_directory_find(const struct ela_directory *d, uint32_t id)
{
	return find(d, id);
}

const struct ela_known *ela_directory_next(const struct ela_directory *d, uint32_t id)
{
	guint i = id == UINT32_MAX ? d->known->len : place_of(d, id + 1);

	return i < d->known->len ? at(d, i) : NULL;
}

uint32_t ela_directory_count(const struct ela_directory *d)
{
	return d->known->len;
}

static void drop(struct ela_directory *d, uint32_t id)
{
	(void)g_ptr_array_remove_index(d->known, place_of(d, id)); /* which frees it */
	d->listener->gone(d->listener->data, id);
}

/* ---- age ---- */

static void arm(struct ela_directory *d)
{
	uint64_t first_ns = UINT64_MAX;

	for (guint i = 0; i < d->known->len; i++)
		first_ns = MIN(first_ns, at(d, i)->heard_ns);
	d->loop->ops->timer_set(d->stale, first_ns == UINT64_MAX ? 0 : first_ns + ELA_FRESH_NS);
}

static void on_stale(void *data)
{
	struct ela_directory *d = data;
	uint64_t now_ns = ela_loop_now(d->loop);
	const struct ela_known *known;

	for (uint32_t id = 0; (known = ela_directory_next(d, id)) != NULL;) {
		id = known->id;
		if (now_ns - known->heard_ns >= ELA_FRESH_NS)
			drop(d, id);
	}
	arm(d);
}

/* ---- life ---- */

static guint hash_of_node(gconstpointer node_hash)
{
	return ela_get32(node_hash);
}

static gboolean is_same_node(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, ELA_HASH_LEN) == 0;
}

struct ela_directory *ela_directory_new(struct ela_loop *loop, const struct ela_membership *m,
	struct ela_lease_table *leases, const struct ela_directory_listener *listener)
{
	struct ela_directory *d = g_new0(struct ela_directory, 1);

	d->loop = loop;
	d->m = m;
	d->leases = leases;
	d->generation = ela_membership_generation(m);
	d->listener = listener;
	d->known = g_ptr_array_new_with_free_func(g_free);
	d->judged = g_hash_table_new_full(hash_of_node, is_same_node, NULL, g_free);
	d->stale = loop->ops->timer_new(loop, on_stale, d);
	return d;
}

void ela_directory_free(struct ela_directory *d)
{
	if (!d)
		return;
	d->loop->ops->timer_free(d->stale);
	ela_cores_clear(&d->cores);
	g_ptr_array_unref(d->known);
	g_hash_table_unref(d->judged);
	g_free(d);
}

void ela_directory_set_own(struct ela_directory *d, const uint8_t node_hash[ELA_HASH_LEN])
{
	memcpy(d->own_hash, node_hash, ELA_HASH_LEN);
	d->has_own = true;
}

void ela_directory_brought_by(struct ela_directory *d, uint32_t peer)
{
	d->peer = peer;
}

/* ---- judging ---- */

/* Those that came, and those that nobody has sent for long. */
static void forget_wanted(struct ela_directory *d)
{
	uint64_t now_ns = ela_loop_now(d->loop);

	for (uint32_t i = d->n_wanted; i-- > 0;)
		if (now_ns - d->wanted[i].since_ns >= ELA_WANTED_NS || ela_membership_credential(d->m, d->wanted[i].hash))
			d->wanted[i] = d->wanted[--d->n_wanted];
}

/*
 * The hash is as good as who brought it: nothing of the record is proved yet. So what one peer can have asked for is
 * bounded.
 */
static void want(struct ela_directory *d, const void *bytes, uint32_t len)
{
	struct ela_lease_bytes parts;
	struct wanted wanted = {.peer = d->peer, .since_ns = ela_loop_now(d->loop)};
	uint32_t of_peer = 0;

	if (ela_lease_split(bytes, len, &parts, NULL) != 0 || ela_lease_credential(&parts, wanted.hash, NULL) != 0 ||
		ela_membership_credential(d->m, wanted.hash))
		return;
	forget_wanted(d);
	for (uint32_t i = 0; i < d->n_wanted; i++) {
		if (memcmp(d->wanted[i].hash, wanted.hash, ELA_HASH_LEN) == 0)
			return;
		of_peer += d->wanted[i].peer == wanted.peer ? 1 : 0;
	}
	if (d->n_wanted == ELA_WANTED_MAX || of_peer == ELA_WANTED_OF_PEER)
		return; /* the plugin offers the record again, and there may be room then */
	d->wanted[d->n_wanted++] = wanted;
	d->listener->want_credential(d->listener->data, wanted.hash, wanted.peer);
}

/*
 * The plugin asks about a record when it comes, compares it with another, sets it, and asks again now and then: two
 * signatures each time, most of what a quiet node computes. They stay good; what the network stands behind may change,
 * so that is looked at. A record that is renewed brings the countersignature that it had.
 */
static const struct judged *last_judged(const struct ela_directory *d, const struct ela_object *record)
{
	const struct judged *j = g_hash_table_lookup(d->judged, record->signer);

	return j && j->generation == ela_membership_generation(d->m) ? j : NULL;
}

static bool was_judged(
	const struct ela_directory *d, const struct judged *j, const void *bytes, uint32_t len, struct ela_standing *ret)
{
	if (j->len != len || memcmp(j->bytes, bytes, len) != 0 ||
		ela_membership_check_lease(d->m, &j->standing.lease, NULL) != 0)
		return false;
	*ret = j->standing;
	ret->credential = ela_membership_credential(d->m, ret->lease.credential);
	return true;
}

static bool has_mark(const struct judged *j, const struct ela_object *mark)
{
	struct ela_lease_bytes parts;
	const struct ela_object *own = &parts.mark;

	return mark->kind != 0 && ela_lease_split(j->bytes, j->len, &parts, NULL) == 0 && own->kind == mark->kind &&
		   memcmp(own->signer, mark->signer, ELA_HASH_LEN) == 0 && own->body_len == mark->body_len &&
		   memcmp(own->body, mark->body, mark->body_len) == 0 && own->signature_len == mark->signature_len &&
		   memcmp(own->signature, mark->signature, mark->signature_len) == 0;
}

/* Without a time its home may be unknown, and become known without a new generation. */
static void note_judged(struct ela_directory *d, const void *bytes, uint32_t len, const struct ela_standing *standing)
{
	struct judged *j;

	if (standing->since_s == 0)
		return;
	if (g_hash_table_size(d->judged) >= JUDGED_MAX)
		g_hash_table_remove_all(d->judged);
	j = g_malloc(sizeof *j + len);
	*j = (struct judged){.generation = ela_membership_generation(d->m), .standing = *standing, .len = len};
	j->standing.credential = NULL;
	memcpy(j->bytes, bytes, len);
	(void)g_hash_table_replace(d->judged, j->standing.lease.node_hash, j); /* frees the one before */
}

/* As struct ela_host has it: a library that fails tells nothing of the record. */
static int judge(struct ela_directory *d, const void *bytes, uint32_t len, struct ela_standing *ret)
{
	struct ela_lease_bytes parts;
	const struct judged *last;
	int err;

	if (len == 0 || ela_lease_split(bytes, len, &parts, NULL) != 0)
		return -EBADMSG;
	last = last_judged(d, &parts.record);
	if (last && was_judged(d, last, bytes, len, ret))
		return 0;
	err = ela_membership_check_record(
		d->m, bytes, len, last && has_mark(last, &parts.mark) ? &last->standing : NULL, ret, NULL);
	if (err == 0)
		note_judged(d, bytes, len, ret);
	return err == 0 || err == -EBADMSG || err == -EACCES ? err : -EAGAIN;
}

_Static_assert(ELA_LEASE_JOINING == ELA_RECORD_ROLE_JOINING && ELA_LEASE_CORE == ELA_RECORD_ROLE_CORE &&
				   ELA_LEASE_EDGE == ELA_RECORD_ROLE_EDGE,
	"roles have the same numbers on the wire and in the ABI");

static bool is_own(const struct ela_directory *d, const struct ela_lease *lease)
{
	return d->has_own && memcmp(lease->node_hash, d->own_hash, ELA_HASH_LEN) == 0;
}

int ela_directory_record_check(struct ela_directory *d, const void *bytes, uint32_t len, struct ela_record_info *ret)
{
	struct ela_standing standing;
	const struct ela_lease *lease = &standing.lease;
	int err = judge(d, bytes, len, &standing);

	if (err == -EAGAIN)
		want(d, bytes, len);
	if (err != 0)
		return err;
	*ret = (struct ela_record_info){
		.id = lease->id,
		.role = (uint32_t)lease->role,
		.parent = lease->parent,
		.flags = lease->is_leave ? ELA_RECORD_LEAVE : 0,
		.incarnation = lease->incarnation,
		.sequence = lease->sequence,
	};
	memcpy(ret->key_hash, lease->node_hash, ELA_HASH_LEN);
	if (is_own(d, lease))
		d->listener->own_record(d->listener->data, lease, bytes, len);
	return 0;
}

int ela_directory_record_compare(struct ela_directory *d, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	struct ela_standing of_a, of_b;
	bool good_a = judge(d, a, a_len, &of_a) == 0, good_b = judge(d, b, b_len, &of_b) == 0;
	int order;

	if (good_a && good_b)
		return ela_membership_compare(d->m, &of_a, &of_b);
	if (good_a != good_b)
		return good_a ? -1 : 1;
	order = memcmp(a, b, MIN(a_len, b_len));
	return order != 0 ? order : a_len < b_len ? -1 : 1;
}

/* ---- what counts ---- */

/*
 * But for the sequence. A new incarnation is news: its node has lost all sessions. So is a countersignature that is
 * gone, which the length tells: the home may give another.
 */
static bool same_news(const struct ela_known *a, const struct ela_known *b)
{
	return a->via == b->via && a->since_s == b->since_s && a->len == b->len &&
		   a->lease.incarnation == b->lease.incarnation && ela_lease_same(&a->lease, &b->lease);
}

/* struct ela_known.before_ns */
static uint64_t before_ns(const struct ela_known *known, const struct ela_known *news)
{
	if (!known || memcmp(known->lease.node_hash, news->lease.node_hash, ELA_HASH_LEN) != 0)
		return 0;
	return known->lease.incarnation == news->lease.incarnation ? known->before_ns : known->heard_ns;
}

static void keep(struct ela_directory *d, const struct ela_known *news)
{
	struct ela_known *known = find(d, news->id);
	bool is_news = !known || !same_news(known, news);

	if (known)
		*known = *news;
	else
		g_ptr_array_insert(d->known, (gint)place_of(d, news->id), g_memdup2(news, sizeof *news));
	if (d->known->len == 1)
		arm(d);
	if (is_news)
		d->listener->changed(d->listener->data, news->id);
}

static void note(struct ela_directory *d, const struct ela_standing *standing)
{
	if (d->leases)
		(void)ela_lease_table_note(d->leases, standing); /* false: the ring may route to whom we hold no lease for */
}

int ela_directory_record_set(struct ela_directory *d, uint32_t id, const void *bytes, uint32_t len, uint32_t via)
{
	struct ela_known news = {.id = id, .via = via, .peer = d->peer, .heard_ns = ela_loop_now(d->loop), .len = len};
	struct ela_standing standing;

	if (id == 0 || id == UINT32_MAX || via == 0 || via == UINT32_MAX)
		return -EINVAL;
	if (len > ELA_RECORD_MAX)
		return -EMSGSIZE;
	if (judge(d, bytes, len, &standing) != 0 || standing.lease.id != id || standing.lease.is_leave)
		return -EBADMSG;
	if (d->known->len >= ELA_DIRECTORY_MAX && !find(d, id))
		return -ENOSPC;
	news.since_s = standing.since_s;
	news.lease = standing.lease;
	news.before_ns = before_ns(find(d, id), &news);
	memcpy(news.bytes, bytes, len);
	note(d, &standing);
	keep(d, &news);
	return 0;
}

int ela_directory_record_del(struct ela_directory *d, uint32_t id)
{
	if (!find(d, id))
		return -ENOENT;
	drop(d, id);
	return 0;
}

/* ---- checking again ---- */

void ela_directory_attach(struct ela_directory *d, const struct ela_routing_ops *routing, void *self)
{
	d->routing = routing;
	d->routing_self = self;
}

/* A library that fails ends nothing; the plugin asks again within a minute. */
static bool stands(const struct ela_directory *d, const struct ela_known *known)
{
	int err = ela_membership_check_lease(d->m, &known->lease, NULL);

	return err == 0 || err == -EIO;
}

void ela_directory_recheck(struct ela_directory *d)
{
	const struct ela_known *known;

	if (d->generation == ela_membership_generation(d->m))
		return;
	d->generation = ela_membership_generation(d->m);
	for (uint32_t id = 0; (known = ela_directory_next(d, id)) != NULL;) {
		id = known->id;
		if (stands(d, known))
			continue;
		drop(d, id); /* first: the plugin will ask to have it removed */
		if (d->routing)
			(void)d->routing->remove(d->routing_self, id); /* -ENOENT: it has forgotten it already */
	}
	if (d->leases)
		ela_lease_table_recheck(d->leases);
}

static bool lacks_home(const struct ela_known *known)
{
	struct ela_lease_bytes parts;

	return known->since_s == 0 && ela_lease_split(known->bytes, known->len, &parts, NULL) == 0 && parts.mark.kind != 0;
}

void ela_directory_recheck_homes(struct ela_directory *d)
{
	const struct ela_known *known;

	if (d->nodes == ela_membership_nodes(d->m))
		return;
	d->nodes = ela_membership_nodes(d->m);
	for (uint32_t id = 0; (known = ela_directory_next(d, id)) != NULL;) {
		struct ela_known news = *known;
		struct ela_standing standing;

		id = known->id;
		if (!lacks_home(known) || judge(d, known->bytes, known->len, &standing) != 0 || standing.since_s == 0)
			continue;
		if (is_own(d, &standing.lease))
			d->listener->own_record(d->listener->data, &standing.lease, news.bytes, news.len);
		news.since_s = standing.since_s;
		note(d, &standing);
		keep(d, &news);
	}
}

/* ---- the ring ---- */

int ela_directory_ring_set(struct ela_directory *d, const uint32_t *ids, uint32_t n)
{
	int err = n > ELA_DIRECTORY_MAX ? -ENOSPC : ela_cores_set(&d->cores, ids, n);

	if (err == 0)
		d->listener->ring_changed(d->listener->data);
	return err == -EALREADY ? 0 : err;
}

const struct ela_cores *ela_directory_cores(const struct ela_directory *d)
{
	return &d->cores;
}
