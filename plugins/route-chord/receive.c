/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive: what peers say. They are members, not friends: a record is believed as far as core checks it, a copy of one
 * that is held costs no check, each peer's records and questions are limited, and nothing grows but up to a bound.
 * Control thread.
 */
#include "chord.h"

#include <errno.h>
#include <string.h>

void chord_arrived(struct chord *c, const struct chord_arrival *arrival)
{
	for (uint32_t i = 0; i < 2; i++)
		if (arrival->ids[i])
			chord_tell(c, arrival->ids[i], true);
	if (arrival->touches_core)
		chord_tell_ring(c);
	for (uint32_t i = 0; i < 2 && arrival->is_news; i++)
		if (arrival->ids[i])
			chord_reconsider(c, arrival->ids[i]);
}

/*
 * The parent of a leaf spreads its record as the leaf itself would; who else it tells, as anybody who hears news,
 * unless its parent is none of our links: nobody else may know.
 */
static void pass_on(struct chord *c, const struct chord_link *link, const struct chord_arrival *arrival)
{
	const struct ela_record_info *info = &arrival->entry->info;
	bool is_its_own = info->id == link->id && link->linked && chord_is_edge(c, link->id);
	uint32_t own_id = c->host->own_id(c->host);

	if (is_its_own && (info->parent == own_id || !g_hash_table_contains(c->linked, GUINT_TO_POINTER(info->parent))))
		chord_spread(c, arrival);
	else if (arrival->is_news)
		chord_forward(c, link, arrival->entry);
	chord_serve(c, link, arrival);
}

static void forget(struct chord *c, struct chord_entry *entry)
{
	uint32_t id = entry->info.id;

	chord_table_drop(c, entry);
	chord_tell(c, id, true);
}

/* The first word about a record says its age. Later only its own node may say that it is younger. */
static void hear_again(struct chord *c, const struct chord_link *link, struct chord_entry *entry, uint32_t age_ms)
{
	int64_t born_ns = (int64_t)chord_now(c) - (int64_t)age_ms * (int64_t)CHORD_MSEC;

	chord_count(c, CHORD_DROP_KNOWN);
	if (link->id != entry->info.id || born_ns <= entry->born_ns)
		return;
	entry->born_ns = born_ns;
	chord_tell(c, entry->info.id, false);
}

static void keep_aside(struct chord *c, uint32_t peer, const struct chord_message *message)
{
	struct chord_aside *aside;
	uint32_t of_peer = 0;

	for (guint i = 0; i < c->asides->len; i++) {
		aside = g_ptr_array_index(c->asides, i);
		of_peer += aside->peer == peer;
		if (aside->len == message->record_len && memcmp(aside->bytes, message->record, aside->len) == 0) {
			chord_count(c, CHORD_DROP_KNOWN);
			return;
		}
	}
	if (c->asides->len >= CHORD_MAX_ASIDE || of_peer >= CHORD_MAX_ASIDE_OF_PEER) {
		chord_count(c, CHORD_DROP_ASIDE);
		return;
	}
	chord_count(c, CHORD_ASIDE);
	aside = g_malloc(sizeof *aside + message->record_len);
	*aside = (struct chord_aside){
		.peer = peer, .age_ms = message->age_ms, .len = message->record_len, .since_ns = chord_now(c)};
	memcpy(aside->bytes, message->record, message->record_len);
	g_ptr_array_add(c->asides, aside);
}

static void say_full(struct chord *c)
{
	if (c->warned_ns && chord_now(c) - c->warned_ns < CHORD_SEC)
		return;
	c->warned_ns = chord_now(c);
	ela_log(c->host, ELA_LOG_WARN, "ring-full records=%u", c->table.all->len);
}

static void take_record(struct chord *c, struct chord_link *link, const struct chord_message *message)
{
	struct ela_record_info info;
	struct chord_arrival arrival;
	int err = c->host->record_check(c->host, message->record, message->record_len, &info);

	if (err == -EAGAIN) {
		keep_aside(c, link->peer, message);
		return;
	}
	if (err) {
		chord_count(c, err == -EACCES ? CHORD_DROP_DENIED : CHORD_DROP_FORGED);
		return;
	}
	if (!chord_is_id(info.id)) {
		chord_count(c, CHORD_DROP_FORGED);
		return;
	}
	if (!chord_may_bring(c, link, info.id)) {
		chord_count(c, CHORD_DROP_OTHER);
		return;
	}
	switch (chord_table_put(c, &info, message->record, message->record_len, message->age_ms, &arrival)) {
	case CHORD_PUT_NEW:
		chord_count(c, CHORD_RECORDS_NEW);
		chord_arrived(c, &arrival);
		pass_on(c, link, &arrival);
		break;
	case CHORD_PUT_FULL:
		chord_count(c, CHORD_DROP_FULL);
		say_full(c);
		break;
	default:
		chord_count(c, CHORD_DROP_KNOWN);
		break;
	}
}

static void on_record(struct chord *c, struct chord_link *link, const struct chord_message *message)
{
	struct chord_entry *copy = chord_table_copy(&c->table, message->record, message->record_len);

	if (message->age_ms > CHORD_LEASE_MS)
		chord_count(c, CHORD_DROP_MALFORMED);
	else if (copy && !chord_may_bring(c, link, copy->info.id))
		chord_count(c, CHORD_DROP_OTHER);
	else if (copy)
		hear_again(c, link, copy, message->age_ms);
	else
		take_record(c, link, message);
}

/* Somebody else was quicker: the node itself, as a rule, that we are linked with as well. */
static bool is_done_already(const struct chord *c, const struct chord_renewal *renewal)
{
	const struct chord_entry *after = chord_table_after(&c->table, renewal->base);
	uint8_t record[ELA_RECORD_MAX];

	if (!after)
		return false;
	memcpy(record, after->bytes, after->len);
	return chord_pieces_apply(renewal->pieces, renewal->pieces_len, record, after->len) == 0 &&
		   memcmp(record, after->bytes, after->len) == 0;
}

/* Made of one that we have, it is a record like any other: what says that its node lives is that it signed it. */
static void on_renewal(struct chord *c, struct chord_link *link, const struct chord_renewal *renewal)
{
	const struct chord_entry *base = chord_table_base(&c->table, renewal->base);
	struct chord_message whole = {.kind = CHORD_RECORD, .age_ms = renewal->age_ms};
	uint8_t record[ELA_RECORD_MAX];

	if (!base && is_done_already(c, renewal)) {
		chord_count(c, CHORD_DROP_KNOWN);
		return;
	}
	if (!base) {
		chord_count(c, CHORD_DROP_BASE);
		link->again = !chord_is_edge(c, link->id); /* of two cores, the one that lacks something compares */
		chord_leaf_lacks(c, link);
		return;
	}
	memcpy(record, base->bytes, base->len);
	if (chord_pieces_apply(renewal->pieces, renewal->pieces_len, record, base->len) < 0) {
		chord_count(c, CHORD_DROP_MALFORMED);
		return;
	}
	whole.record = record;
	whole.record_len = base->len;
	on_record(c, link, &whole);
}

/* One more record, whole or renewed. */
static bool may_bring_more(struct chord *c, struct chord_link *link)
{
	bool is_edge = chord_is_edge(c, link->id);

	if (!chord_take(&link->in, chord_now(c), is_edge ? CHORD_LEAF_IN_RATE : CHORD_IN_RATE,
			is_edge ? CHORD_LEAF_IN_BURST : CHORD_IN_BURST)) {
		chord_count(c, CHORD_DROP_RATE);
		return false;
	}
	chord_count(c, CHORD_RECORDS_IN);
	return true;
}

static void on_renewals(struct chord *c, struct chord_link *link, const struct chord_message *message)
{
	const uint8_t *at = message->renewals;
	uint32_t len = message->renewals_len;
	struct chord_renewal renewal;

	while (chord_renewal_next(&at, &len, &renewal) && may_bring_more(c, link))
		on_renewal(c, link, &renewal);
}

static void on_digest(struct chord *c, struct chord_link *link, const struct chord_message *message)
{
	struct chord_message want = {.kind = CHORD_WANT};
	uint64_t own[CHORD_BUCKETS];

	chord_count(c, CHORD_DIGESTS_IN);
	chord_table_digest(c, message->salt, false, own);
	for (uint32_t i = 0; i < CHORD_BUCKETS; i++)
		if (own[i] != message->hashes[i])
			want.buckets |= UINT64_C(1) << i;
	if (want.buckets && chord_is_edge(c, link->id))
		want.buckets = chord_leaf_lacks_in(c, message, want.buckets);
	if (!want.buckets) {
		if (chord_is_edge(c, link->id) && chord_speaks(c))
			(void)chord_send(c, link, &want); /* a leaf waits for that */
		return;
	}
	chord_count(c, CHORD_DIGESTS_DIFFER);
	link->again = !chord_is_edge(c, link->id); /* a leaf asks again itself */
	(void)chord_send(c, link, &want);
	chord_owe(c, link, want.buckets);
}

void chord_on_message(struct chord *c, uint32_t peer, const void *bytes, uint32_t len)
{
	struct chord_link *link = g_hash_table_lookup(c->links, GUINT_TO_POINTER(peer));
	struct chord_message message;

	if (!c->started || !link) {
		chord_count(c, CHORD_DROP_STRANGER);
		return;
	}
	if (chord_wire_read(bytes, len, &message) < 0) {
		chord_count(c, CHORD_DROP_MALFORMED);
		return;
	}
	if (message.kind == CHORD_RENEWAL) {
		on_renewals(c, link, &message);
		return;
	}
	if (message.kind == CHORD_RECORD) {
		if (may_bring_more(c, link))
			on_record(c, link, &message);
		return;
	}
	if (!chord_take(&link->asks, chord_now(c), CHORD_ASKS_RATE, CHORD_ASKS_BURST)) {
		chord_count(c, CHORD_DROP_RATE);
		return;
	}
	if (chord_is_leaf(c) && !link->linked) { /* leaves serve nobody */
		chord_count(c, CHORD_DROP_IDLE);
		return;
	}
	if (message.kind == CHORD_DIGEST) {
		on_digest(c, link, &message);
		return;
	}
	chord_count(c, chord_speaks(c) ? CHORD_WANTS_IN : CHORD_DROP_IDLE);
	if (chord_is_leaf(c))
		chord_leaf_answered(c, link, message.buckets);
	chord_owe(c, link, message.buckets);
}

/* ---- as time passes ---- */

void chord_offer_asides(struct chord *c)
{
	GPtrArray *asides = c->asides;

	if (!asides->len)
		return;
	c->asides = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < asides->len; i++) {
		const struct chord_aside *aside = g_ptr_array_index(asides, i);
		struct chord_link *link = g_hash_table_lookup(c->links, GUINT_TO_POINTER(aside->peer));
		uint64_t waited_ns = chord_now(c) - aside->since_ns;
		struct chord_message message = {.kind = CHORD_RECORD, .record = aside->bytes, .record_len = aside->len};
		guint before = c->asides->len;

		message.age_ms = aside->age_ms + (uint32_t)(waited_ns / CHORD_MSEC);
		if (!link || waited_ns >= CHORD_ASIDE_NS) {
			chord_count(c, CHORD_DROP_ASIDE);
			continue;
		}
		take_record(c, link, &message);
		if (c->asides->len > before) { /* not yet: its wait goes on, it does not begin again */
			struct chord_aside *again = g_ptr_array_index(c->asides, before);

			again->since_ns = aside->since_ns;
			again->age_ms = aside->age_ms;
		}
	}
	g_ptr_array_unref(asides);
}

/* Ages, and a part of the records again: what was good may have been revoked. */
void chord_look_at_records(struct chord *c)
{
	guint n = c->table.all->len, recheck = (n + CHORD_RECHECK_TICKS - 1) / CHORD_RECHECK_TICKS;

	for (guint i = n; i-- > 0;) { /* from behind: the last one takes the place of one that goes */
		struct chord_entry *entry = g_ptr_array_index(c->table.all, i);

		if (chord_age_ms(c, entry) > CHORD_LEASE_MS)
			forget(c, entry);
		else
			chord_tell(c, entry->info.id, false);
	}
	for (; recheck && c->table.all->len; recheck--) {
		struct chord_entry *entry;
		struct ela_record_info info;
		int err;

		c->recheck = c->recheck < c->table.all->len ? c->recheck : 0;
		entry = g_ptr_array_index(c->table.all, c->recheck++);
		err = c->host->record_check(c->host, entry->bytes, entry->len, &info);
		if (err == 0 || err == -EAGAIN)
			continue;
		chord_count(c, CHORD_REVOKED);
		forget(c, entry);
	}
}
