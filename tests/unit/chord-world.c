/* SPDX-License-Identifier: Apache-2.0 */
/* chord-world: see chord-world.h. One thread. */
#include "chord-world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message under way. */
struct letter {
	struct chord_world *world;
	struct ela_timer *timer;
	uint32_t from, to, generation, len;
	uint8_t bytes[];
};

_Noreturn static void __attribute__((format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("chord-world: ", stderr); /* best effort before the end */
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	abort();
}

static struct chord_node *of(const struct ela_host *host)
{
	return host->priv;
}

uint64_t chord_world_random(struct chord_world *world)
{
	uint64_t z = (world->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool chance(struct chord_world *world, double of_one)
{
	return (double)(chord_world_random(world) >> 11) / (double)(UINT64_C(1) << 53) < of_one;
}

/* ---- host ---- */

static void host_log(const struct ela_host *host, uint32_t level, const char *text)
{
	if (g_getenv("ELA_SIM_LOG"))
		(void)fprintf(stderr, "%u %u %s\n", of(host)->number, level, text); /* for people */
}

static int host_option(const struct ela_host *host, const char *key, uint32_t index, struct ela_value *ret)
{
	(void)host;
	if (strcmp(key, "full-table-max") != 0 || index)
		die("option %s", key);
	ret->num = 64;
	return 0;
}

static uint64_t host_now(const struct ela_host *host)
{
	return ela_loop_now(of(host)->world->loop);
}

static void host_random(const struct ela_host *host, void *buf, uint32_t len)
{
	uint8_t *at = buf;

	while (len--)
		*at++ = (uint8_t)chord_world_random(of(host)->world);
}

static struct ela_timer *host_timer_new(const struct ela_host *host, void (*fn)(void *data), void *data)
{
	struct ela_loop *loop = of(host)->world->loop;

	return loop->ops->timer_new(loop, fn, data);
}

static uint64_t *host_counters(const struct ela_host *host, uint32_t lane)
{
	if (lane != ELA_LANE_CONTROL)
		die("counters of lane %u", lane);
	return of(host)->counters;
}

/* Node j is peer j + 1 of every other. */
static int host_peer_next(const struct ela_host *host, uint32_t cursor, struct ela_peer_info *ret)
{
	const struct chord_node *node = of(host);

	for (uint32_t j = cursor; j < node->world->n; j++) {
		if (j == node->number)
			continue;
		*ret = (struct ela_peer_info){.peer = j + 1, .id = node->world->nodes[j].id, .name = "peer"};
		ret->flags = node->world->linked[node->number][j] ? node->world->flags[node->number][j] : 0;
		return 0;
	}
	return -ENOENT;
}

static void deliver(void *data)
{
	struct letter *letter = data;
	struct chord_world *world = letter->world;
	struct chord_node *to = &world->nodes[letter->to];

	if (to->self && to->generation == letter->generation && world->linked[letter->from][letter->to] && !world->deaf)
		world->ops->on_message(to->self, letter->from + 1, letter->bytes, letter->len);
	world->loop->ops->timer_free(letter->timer);
	free(letter);
}

static void post_letter(struct chord_world *world, uint32_t from, uint32_t to, const void *bytes, uint32_t len)
{
	bool is_stream = !(world->flags[from][to] & ELA_PEER_DATAGRAM);
	struct letter *letter = malloc(sizeof *letter + len);

	if (!letter)
		die("no memory");
	*letter =
		(struct letter){.world = world, .from = from, .to = to, .generation = world->nodes[to].generation, .len = len};
	memcpy(letter->bytes, bytes, len);
	letter->timer = world->loop->ops->timer_new(world->loop, deliver, letter);
	world->loop->ops->timer_set(
		letter->timer, ela_loop_now(world->loop) + 1 +
						   (is_stream ? world->delay_ns / 2 : chord_world_random(world) % (world->delay_ns + 1)));
}

static int host_message_send(const struct ela_host *host, uint32_t peer, const void *bytes, uint32_t len)
{
	struct chord_node *node = of(host);
	struct chord_world *world = node->world;

	if (!peer || peer > world->n || peer - 1 == node->number)
		return -ENOENT;
	if (!len || len > 1200)
		die("a message of %u bytes", len);
	if (!world->linked[node->number][peer - 1])
		return -ENOTCONN;
	node->sent++;
	if (world->on_send)
		world->on_send(world, node->number, peer - 1, bytes, len);
	if (!(world->flags[node->number][peer - 1] & ELA_PEER_DATAGRAM)) {
		post_letter(world, node->number, peer - 1, bytes, len);
		return 0;
	}
	for (uint32_t copies = chance(world, world->dup) ? 2 : 1; copies; copies--)
		if (!chance(world, world->loss))
			post_letter(world, node->number, peer - 1, bytes, len);
	return 0;
}

static uint32_t host_own_id(const struct ela_host *host)
{
	return of(host)->id;
}

static int host_record_check(const struct ela_host *host, const void *record, uint32_t len, struct ela_record_info *ret)
{
	struct chord_node *node = of(host);
	struct ela_record_info info;
	int err = record_read(record, len, &info);

	if (!err && node->world->verdict)
		err = node->world->verdict(node->world, node, &info);
	if (!err)
		*ret = info;
	return err;
}

static int host_record_compare(
	const struct ela_host *host, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	struct ela_record_info of_a, of_b;

	(void)host;
	if (record_read(a, a_len, &of_a) || record_read(b, b_len, &of_b) || of_a.id != of_b.id ||
		memcmp(of_a.key_hash, of_b.key_hash, 32) == 0)
		die("record_compare of what are no two good records of different keys under one id");
	return record_order(&of_a, &of_b);
}

static int host_record_set(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	struct chord_node *node = of(host);
	struct chord_told told = {.via = via};

	if (record_read(record, len, &told.info) || told.info.id != id || told.info.flags & ELA_RECORD_LEAVE || !via ||
		via == UINT32_MAX)
		die("record_set %08x via %08x", id, via);
	node->n_sets++;
	g_hash_table_replace(node->told, GUINT_TO_POINTER(id), g_memdup2(&told, sizeof told));
	return 0;
}

static int host_record_del(const struct ela_host *host, uint32_t id)
{
	of(host)->n_sets++;
	if (!g_hash_table_remove(of(host)->told, GUINT_TO_POINTER(id)))
		die("record_del %08x, which was not set", id);
	return 0;
}

static int host_ring_set(const struct ela_host *host, const uint32_t *ids, uint32_t n)
{
	struct chord_node *node = of(host);

	if (node->has_no_ring)
		return -EOPNOTSUPP;
	if (n > G_N_ELEMENTS(node->ring))
		die("a ring of %u cores", n);
	for (uint32_t i = 0; i < n; i++)
		if (!ids[i] || ids[i] == UINT32_MAX || (i && ids[i] <= ids[i - 1]))
			die("ring_set out of order");
	if (n)
		memcpy(node->ring, ids, n * sizeof *ids);
	node->n_sets++;
	node->n_ring = n;
	return 0;
}

/* ---- nodes ---- */

void chord_key(uint32_t k, uint8_t ret[32])
{
	memset(ret, 0, 32);
	for (uint32_t i = 0; i < 4; i++)
		ret[i] = (uint8_t)(k >> 8 * (3 - i));
}

uint64_t chord_node_counter(const struct chord_node *node, const char *name)
{
	for (uint32_t i = 0; i < ela_plugin.n_counters; i++)
		if (strcmp(ela_plugin.counters[i], name) == 0)
			return node->counters[i];
	die("no counter %s", name);
}

struct found {
	uint8_t *bytes;
	uint32_t len, calls;
};

static void on_found(void *data, int err, const void *record, uint32_t len)
{
	struct found *found = data;

	found->calls++;
	if (!err)
		memcpy(found->bytes, record, found->len = len);
}

uint32_t chord_node_find(struct chord_node *node, uint32_t id, uint8_t *ret)
{
	struct found found = {.bytes = ret};

	node->world->ops->lookup(node->self, id, on_found, &found);
	if (found.calls != 1)
		die("lookup() answered %u times", found.calls);
	return found.len;
}

int chord_node_put(struct chord_node *node, const struct ela_record_info *info)
{
	uint8_t record[ELA_RECORD_MAX];
	uint32_t len = RECORD_MIN + (uint32_t)(info->id + info->sequence / 4) % 300; /* mostly as long as before */
	int err;

	record_make(info, len, record);
	err = node->world->ops->update(node->self, info->id, record, len);
	return err == -ENOENT ? node->world->ops->insert(node->self, info->id, record, len) : err;
}

void chord_world_start(struct chord_world *world, uint32_t i)
{
	struct chord_node *node = &world->nodes[i];

	node->generation++;
	node->n_ring = 0;
	node->told = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	if (world->ops->create(&node->host, &node->self) != 0 || world->ops->start(node->self) != 0)
		die("node %u does not start", i);
}

void chord_world_crash(struct chord_world *world, uint32_t i)
{
	struct chord_node *node = &world->nodes[i];

	for (uint32_t j = 0; j < world->n; j++)
		if (world->linked[i][j]) {
			world->linked[i][j] = world->linked[j][i] = false;
			world->ops->on_link(world->nodes[j].self, i + 1, ELA_LINK_DOWN);
		}
	world->ops->stop(node->self);
	if (g_hash_table_size(node->told) || node->n_ring)
		die("stop() left what start() set");
	world->ops->destroy(node->self);
	node->self = NULL;
	g_hash_table_destroy(node->told);
	node->told = NULL;
}

static void set_link(struct chord_world *world, uint32_t a, uint32_t b, bool linked, uint32_t flags)
{
	if (a == b || world->linked[a][b] == linked || !world->nodes[a].self || !world->nodes[b].self)
		return;
	world->linked[a][b] = world->linked[b][a] = linked;
	world->flags[a][b] = world->flags[b][a] = (uint8_t)flags;
	world->ops->on_link(world->nodes[a].self, b + 1, linked ? ELA_LINK_UP : ELA_LINK_DOWN);
	world->ops->on_link(world->nodes[b].self, a + 1, linked ? ELA_LINK_UP : ELA_LINK_DOWN);
}

void chord_world_link(struct chord_world *world, uint32_t a, uint32_t b, bool linked)
{
	set_link(world, a, b, linked, ELA_PEER_DATAGRAM | ELA_PEER_DIRECT);
}

void chord_world_link_by(struct chord_world *world, uint32_t a, uint32_t b, uint32_t flags)
{
	set_link(world, a, b, true, flags);
}

void chord_world_inject(struct chord_world *world, uint32_t from, uint32_t to, const void *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1); /* exactly as long, so that a byte too far is seen */

	if (!copy)
		die("no memory");
	if (len)
		memcpy(copy, bytes, len);
	world->ops->on_message(world->nodes[to].self, from + 1, copy, len);
	free(copy);
}

void chord_world_run(struct chord_world *world, uint64_t for_ns)
{
	ela_loop_virtual_run(world->loop, ela_loop_now(world->loop) + for_ns);
}

static void fill_host(struct chord_world *world, struct chord_node *node)
{
	node->host = (struct ela_host){
		.size = sizeof node->host,
		.n_lanes = 1,
		.log = host_log,
		.option = host_option,
		.now_ns = host_now,
		.random = host_random,
		.timer_new = host_timer_new,
		.timer_set = world->loop->ops->timer_set,
		.timer_free = world->loop->ops->timer_free,
		.counters = host_counters,
		.peer_next = host_peer_next,
		.message_send = host_message_send,
		.own_id = host_own_id,
		.record_check = host_record_check,
		.record_compare = host_record_compare,
		.record_set = host_record_set,
		.record_del = host_record_del,
		.ring_set = host_ring_set,
		.priv = node,
	};
}

struct chord_world *chord_world_new(uint64_t seed, uint32_t n)
{
	struct chord_world *world = g_new0(struct chord_world, 1);

	world->loop = ela_loop_virtual_new(seed);
	world->ops = ela_plugin.ops;
	world->random = seed;
	world->n = n;
	world->delay_ns = 50 * ELA_MSEC;
	chord_world_run(world, 1000 * ELA_SEC);
	for (uint32_t i = 0; i < n; i++) {
		struct chord_node *node = &world->nodes[i];

		node->world = world;
		node->number = i;
		node->id = (uint32_t)(chord_world_random(world) | 1) & 0x7fffffffu;
		fill_host(world, node);
		chord_world_start(world, i);
	}
	return world;
}

void chord_world_free(struct chord_world *world)
{
	for (uint32_t i = 0; i < world->n; i++)
		if (world->nodes[i].self)
			chord_world_crash(world, i);
	world->deaf = true;
	chord_world_run(world, 3600 * ELA_SEC); /* letters under way free themselves */
	ela_loop_free(world->loop);
	g_free(world);
}
