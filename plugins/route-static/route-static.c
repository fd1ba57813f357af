/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route-static: routing by configuration. Each [peer NAME] section's prefixes are routed to that peer, as long as the
 * plugin is started. Records are kept in a table of this process only: there is no ring to ask, so a lookup completes
 * at once. Everything runs on the control thread.
 */
#include <ela/ela.h>
#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* What insert() and update() keep. */
struct record {
	uint32_t len;
	uint8_t bytes[];
};

struct route_static {
	const struct ela_host *host;
	GHashTable *records; /* id -> struct record, owned */
	GHashTable *routes;  /* prefix, owned -> peer: what the host was told and has not been told to forget */
};

static int create(const struct ela_host *host, void **ret_self)
{
	struct route_static *self = g_try_new0(struct route_static, 1);

	if (!self)
		return -ENOMEM;
	self->host = host;
	self->records = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	self->routes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	*ret_self = self;
	return 0;
}

static void destroy(void *data)
{
	struct route_static *self = data;

	if (!self)
		return;
	g_hash_table_destroy(self->records);
	g_hash_table_destroy(self->routes);
	g_free(self);
}

/* prefix -> peer as the configuration has it now. Keys are copies: the host's strings last until a reload only. */
static GHashTable *wanted_routes(const struct route_static *self)
{
	GHashTable *wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct ela_peer_info info = {0};
	uint32_t cursor = 0;

	for (; self->host->peer_next(self->host, cursor, &info) == 0; cursor = info.peer) {
		for (uint32_t i = 0; i < info.n_prefixes; i++) {
			if (g_hash_table_contains(wanted, info.prefixes[i])) {
				ela_log(self->host, ELA_LOG_WARN, "prefix-twice prefix=%s peer=%s ignored=yes", info.prefixes[i],
					info.name);
				continue;
			}
			g_hash_table_insert(wanted, g_strdup(info.prefixes[i]), GUINT_TO_POINTER(info.peer));
		}
	}
	return wanted;
}

/* Takes away every route that wanted does not have; wanted NULL takes away all. */
static void drop_routes(struct route_static *self, GHashTable *wanted)
{
	GHashTableIter iter;
	gpointer prefix;

	g_hash_table_iter_init(&iter, self->routes);
	while (g_hash_table_iter_next(&iter, &prefix, NULL)) {
		if (wanted && g_hash_table_contains(wanted, prefix))
			continue;
		(void)self->host->route_del(self->host, prefix); /* -ENOENT: gone already, which is what is wanted */
		g_hash_table_iter_remove(&iter);
	}
}

/* Brings the host's routes in line with the configuration. The first error, but it goes on past it. */
static int sync_routes(struct route_static *self)
{
	GHashTable *wanted = wanted_routes(self);
	GHashTableIter iter;
	gpointer prefix, peer, old;
	int result = 0;

	drop_routes(self, wanted); /* first, so that a full table has room for the new ones */
	g_hash_table_iter_init(&iter, wanted);
	while (g_hash_table_iter_next(&iter, &prefix, &peer)) {
		int err;

		if (g_hash_table_lookup_extended(self->routes, prefix, NULL, &old) && old == peer)
			continue;
		err = self->host->route_set(self->host, prefix, GPOINTER_TO_UINT(peer));
		if (err) {
			ela_log(self->host, ELA_LOG_ERROR, "route-set prefix=%s peer=%u error=\"%s\"", (const char *)prefix,
				GPOINTER_TO_UINT(peer), g_strerror(-err));
			result = result ? result : err;
			continue;
		}
		g_hash_table_replace(self->routes, g_strdup(prefix), peer);
	}
	g_hash_table_destroy(wanted);
	return result;
}

static void stop(void *data)
{
	drop_routes(data, NULL);
}

static int start(void *data)
{
	struct route_static *self = data;
	int err = sync_routes(self);

	if (err)
		drop_routes(self, NULL); /* a start that failed leaves nothing behind */
	return err;
}

static void peers_changed(void *data)
{
	(void)sync_routes(data); /* each error was logged; the other peers keep their routes */
}

static bool is_id(uint32_t id)
{
	return id != 0 && id != UINT32_MAX;
}

static int put_record(struct route_static *self, uint32_t id, const void *bytes, uint32_t len)
{
	struct record *record = g_try_malloc(sizeof *record + len);

	if (!record)
		return -ENOMEM;
	record->len = len;
	if (len)
		memcpy(record->bytes, bytes, len);
	g_hash_table_replace(self->records, GUINT_TO_POINTER(id), record);
	return 0;
}

static int insert(void *data, uint32_t id, const void *bytes, uint32_t len)
{
	struct route_static *self = data;

	if (!is_id(id))
		return -EINVAL;
	if (len > ELA_RECORD_MAX)
		return -EMSGSIZE;
	if (g_hash_table_contains(self->records, GUINT_TO_POINTER(id)))
		return -EEXIST;
	return put_record(self, id, bytes, len);
}

static int update(void *data, uint32_t id, const void *bytes, uint32_t len)
{
	struct route_static *self = data;

	if (!g_hash_table_contains(self->records, GUINT_TO_POINTER(id)))
		return -ENOENT;
	if (len > ELA_RECORD_MAX)
		return -EMSGSIZE;
	return put_record(self, id, bytes, len);
}

static int remove_record(void *data, uint32_t id)
{
	struct route_static *self = data;

	return g_hash_table_remove(self->records, GUINT_TO_POINTER(id)) ? 0 : -ENOENT;
}

static void lookup(void *data, uint32_t id, ela_lookup_done done, void *done_data)
{
	struct route_static *self = data;
	const struct record *record = g_hash_table_lookup(self->records, GUINT_TO_POINTER(id));
	uint8_t copy[ELA_RECORD_MAX];
	uint32_t len;

	if (!record) {
		done(done_data, -ENOENT, NULL, 0);
		return;
	}
	len = record->len;
	memcpy(copy, record->bytes, len); /* done may update or remove the record while it still reads it */
	done(done_data, 0, copy, len);
}

static const struct ela_routing_ops ops = {
	.create = create,
	.destroy = destroy,
	.start = start,
	.stop = stop,
	.peers_changed = peers_changed,
	.insert = insert,
	.update = update,
	.remove = remove_record,
	.lookup = lookup,
};

ELA_PLUGIN(.kind = ELA_KIND_ROUTING, .name = "static", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "routes to the configured peers", .ops = &ops, .ops_size = sizeof ops);
