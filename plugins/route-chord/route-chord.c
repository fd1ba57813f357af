/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route-chord: the ring of the thesis (4.2.2, 5.2.3) in its full-table form: every core holds the records of all nodes
 * and computes from them, by itself, who is reached how and which cores there are. This file owns the instance: its
 * life, the records that core puts in and asks for, the descriptor. Control thread.
 */
#include "chord.h"

#include <errno.h>
#include <string.h>

static void destroy(void *data)
{
	struct chord *c = data;

	if (!c)
		return;
	c->host->timer_free(c->farewell);
	c->host->timer_free(c->pace);
	c->host->timer_free(c->tick);
	chord_table_clear(&c->table);
	g_hash_table_destroy(c->told);
	g_array_unref(c->ring);
	g_hash_table_destroy(c->linked);
	g_hash_table_destroy(c->links);
	g_ptr_array_unref(c->asides);
	g_array_unref(c->held);
	g_free(c);
}

static int create(const struct ela_host *host, void **ret_self)
{
	struct chord *c = g_try_new0(struct chord, 1);
	struct ela_value value;

	if (!c)
		return -ENOMEM;
	c->host = host;
	c->counters = host->counters(host, ELA_LANE_CONTROL);
	c->full_table_max = host->option(host, "full-table-max", 0, &value) == 0 ? (uint32_t)value.num : 64;
	chord_table_init(&c->table);
	c->told = g_hash_table_new(g_direct_hash, g_direct_equal);
	c->ring = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	c->links = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	c->linked = g_hash_table_new(g_direct_hash, g_direct_equal);
	c->asides = g_ptr_array_new_with_free_func(g_free);
	c->held = g_array_new(FALSE, FALSE, sizeof(struct chord_held));
	c->tick = host->timer_new(host, chord_on_tick, c);
	c->pace = host->timer_new(host, chord_on_pace, c);
	c->farewell = host->timer_new(host, chord_on_farewell, c);
	if (!c->tick || !c->pace || !c->farewell) {
		destroy(c);
		return -ENOMEM;
	}
	*ret_self = c;
	return 0;
}

static int start(void *data)
{
	struct chord *c = data;
	int err = c->host->ring_set(c->host, NULL, 0);

	if (err) {
		ela_log(c->host, ELA_LOG_ERROR,
			"a network of static peers has no ring; set routing = static in [components]: %s", g_strerror(-err));
		return err;
	}
	c->started = true;
	chord_links_refresh(c);
	chord_tell_all(c);
	c->host->timer_set(c->tick, c->host->now_ns(c->host) + CHORD_TICK_NS);
	return 0;
}

static void stop(void *data)
{
	struct chord *c = data;

	if (!c->started)
		return;
	c->started = c->joined = false;
	c->host->timer_set(c->tick, 0);
	c->host->timer_set(c->pace, 0);
	c->host->timer_set(c->farewell, 0);
	g_hash_table_remove_all(c->linked);
	g_hash_table_remove_all(c->links);
	g_ptr_array_set_size(c->asides, 0);
	g_array_set_size(c->held, 0);
	chord_untell(c);
}

static void peers_changed(void *data)
{
	struct chord *c = data;

	if (c->started)
		chord_links_refresh(c);
}

static int join(void *data)
{
	struct chord *c = data;

	if (!c->started)
		return -EINVAL;
	c->joined = true;
	c->host->timer_set(c->farewell, 0);
	chord_reconsider(c, c->host->own_id(c->host));
	chord_greet_all(c);
	return 0;
}

static int leave(void *data)
{
	struct chord *c = data;

	if (!c->joined && !chord_is_leaf(c))
		return 0;
	c->joined = false;
	chord_reconsider(c, c->host->own_id(c->host)); /* it may be a leaf from now on */
	c->farewells = 0;
	chord_on_farewell(c);
	return 0;
}

/* What core brings is as good as what it checks; the record of another key is not pushed out by force. */
static int put(struct chord *c, uint32_t id, const void *bytes, uint32_t len, bool is_update)
{
	const struct chord_entry *holder = chord_table_find(&c->table, id);
	struct ela_record_info info;
	struct chord_arrival arrival;
	int err = c->host->record_check(c->host, bytes, len, &info);

	if (err)
		return err;
	if (info.id != id)
		return -EBADMSG;
	if (holder && memcmp(holder->info.key_hash, info.key_hash, sizeof info.key_hash) != 0 &&
		c->host->record_compare(c->host, holder->bytes, holder->len, bytes, len) < 0)
		return -EEXIST;
	switch (chord_table_put(c, &info, bytes, len, 0, &arrival)) {
	case CHORD_PUT_NEW:
		chord_arrived(c, &arrival);
		chord_spread(c, &arrival);
		chord_serve(c, NULL, &arrival);
		if (arrival.entry == chord_own(c))
			chord_leaf_said(c, arrival.is_news);
		return 0;
	case CHORD_PUT_SAME:
		return is_update ? 0 : -EEXIST;
	case CHORD_PUT_OLD:
		return -EEXIST;
	default:
		return -ENOMEM;
	}
}

static int insert(void *data, uint32_t id, const void *bytes, uint32_t len)
{
	if (!chord_is_id(id))
		return -EINVAL;
	return len > ELA_RECORD_MAX ? -EMSGSIZE : put(data, id, bytes, len, false);
}

static int update(void *data, uint32_t id, const void *bytes, uint32_t len)
{
	struct chord *c = data;

	if (!chord_table_find(&c->table, id))
		return -ENOENT;
	return len > ELA_RECORD_MAX ? -EMSGSIZE : put(c, id, bytes, len, true);
}

/* Here only: a record that is good comes back from the others. */
static int remove_record(void *data, uint32_t id)
{
	struct chord *c = data;
	struct chord_entry *entry = chord_table_find(&c->table, id);

	if (!entry)
		return -ENOENT;
	for (; entry; entry = chord_table_find(&c->table, id))
		chord_table_drop(c, entry);
	chord_tell(c, id, true);
	chord_tell_ring(c);
	return 0;
}

static void lookup(void *data, uint32_t id, ela_lookup_done done, void *done_data)
{
	const struct chord *c = data;
	const struct chord_entry *entry = chord_table_find(&c->table, id);
	uint8_t copy[ELA_RECORD_MAX];
	uint32_t len;

	if (!entry) {
		done(done_data, -ENOENT, NULL, 0);
		return;
	}
	len = entry->len;
	memcpy(copy, entry->bytes, len); /* done may update or remove the record while it still reads it */
	done(done_data, 0, copy, len);
}

static void on_message(void *data, uint32_t peer, const void *bytes, uint32_t len)
{
	chord_on_message(data, peer, bytes, len);
}

static void on_link(void *data, uint32_t peer, uint32_t event)
{
	struct chord *c = data;

	if (c->started)
		chord_link_event(c, peer, event);
}

static const struct ela_routing_ops ops = {
	.create = create,
	.destroy = destroy,
	.start = start,
	.stop = stop,
	.peers_changed = peers_changed,
	.join = join,
	.leave = leave,
	.insert = insert,
	.update = update,
	.remove = remove_record,
	.lookup = lookup,
	.on_message = on_message,
	.on_link = on_link,
};

static const struct ela_option options[] = {
	{.key = "full-table-max",
		.def = "64",
		.unit = "cores",
		.help = "cores on the ring up to which a full table is right; beyond, a warning",
		.min = 8,
		.max = 64,
		.type = ELA_OPTION_INT},
};

static const char *const counters[CHORD_N_COUNTERS] = {
	[CHORD_RECORDS_IN] = "records-in",
	[CHORD_RECORDS_NEW] = "records-new",
	[CHORD_DIGESTS_IN] = "digests-in",
	[CHORD_DIGESTS_DIFFER] = "digests-differ",
	[CHORD_WANTS_IN] = "wants-in",
	[CHORD_MESSAGES_OUT] = "messages-out",
	[CHORD_SEND_FAILED] = "send-failed",
	[CHORD_CONFLICTS] = "conflicts",
	[CHORD_ASIDE] = "aside",
	[CHORD_REVOKED] = "revoked",
	[CHORD_DROP_STRANGER] = "drop-stranger",
	[CHORD_DROP_RATE] = "drop-rate",
	[CHORD_DROP_MALFORMED] = "drop-malformed",
	[CHORD_DROP_FORGED] = "drop-forged",
	[CHORD_DROP_DENIED] = "drop-denied",
	[CHORD_DROP_ASIDE] = "drop-aside",
	[CHORD_DROP_KNOWN] = "drop-known",
	[CHORD_DROP_FULL] = "drop-full",
	[CHORD_DROP_IDLE] = "drop-idle",
	[CHORD_DROP_OTHER] = "drop-other",
	[CHORD_DROP_BASE] = "drop-base",
};

ELA_PLUGIN(.kind = ELA_KIND_ROUTING, .name = "chord", .version = "0.1", .licence = "Apache-2.0",
	.summary = "a ring of nodes that find each other", .ops = &ops, .ops_size = sizeof ops, .options = options,
	.n_options = sizeof options / sizeof *options, .counters = counters, .n_counters = CHORD_N_COUNTERS);
