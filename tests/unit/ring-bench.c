/* SPDX-License-Identifier: Apache-2.0 */
/* ring-bench: see ring-bench.h. One thread. */
#include "ring-bench.h"

#include "crypto.h"
#include "handshake.h"
#include "neighbours-priv.h"
#include "own.h"
#include "test-host.h"

#include <check.h>
#include <errno.h>

#define NEVER_NS (365 * UINT64_C(86400) * ELA_SEC)

#define WALL_S 1500 /* within the lists of world.h */
#define RENEW_NS (30 * ELA_SEC)

static struct ring_bench *bench;

/* ---- the underlay ---- */

struct packet {
	uint32_t from, to, len;
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
};

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct packet *p = g_new0(struct packet, 1);

	ck_assert_uint_le(len, sizeof p->bytes);
	p->from = l->number;
	p->to = path->remote.ip[3];
	p->len = len;
	memcpy(p->bytes, bytes, len);
	g_queue_push_tail(bench->on_the_way, p);
}

/* A connection. End 0 called. */
struct pipe {
	struct lone_conn *ends[2]; /* NULL: it was closed */
	uint32_t nodes[2];
	GByteArray *to[2]; /* bytes that end has not read yet */
	bool is_new, is_stuck, is_over;
};

static uint32_t end_of(const struct pipe *pipe, const struct lone_conn *conn)
{
	return conn == pipe->ends[0] ? 0 : 1;
}

static void free_pipe(void *data)
{
	struct pipe *pipe = data;

	g_byte_array_unref(pipe->to[0]);
	g_byte_array_unref(pipe->to[1]);
	g_free(pipe);
}

static void on_connect(struct lone *l, struct lone_conn *conn, const struct ela_addr *remote)
{
	struct pipe *pipe = g_new0(struct pipe, 1);

	pipe->ends[0] = conn;
	pipe->nodes[0] = l->number;
	pipe->nodes[1] = remote->ip[3];
	pipe->to[0] = g_byte_array_new();
	pipe->to[1] = g_byte_array_new();
	pipe->is_new = true;
	conn->data = pipe;
	g_ptr_array_add(bench->pipes, pipe);
}

static bool is_still(const struct pipe *pipe)
{
	return pipe->is_stuck || bench->cut[pipe->nodes[0]][pipe->nodes[1]];
}

static int on_conn_read(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err)
{
	struct pipe *pipe = conn->data;
	GByteArray *in = pipe->to[end_of(pipe, conn)];

	if (in->len == 0 || is_still(pipe)) {
		*ret_err = pipe->is_over ? -EPIPE : -EAGAIN;
		return 0;
	}
	len = MIN(len, in->len);
	memcpy(buf, in->data, len);
	(void)g_byte_array_remove_range(in, 0, len);
	return (int)len;
}

static int on_conn_write(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	struct pipe *pipe = conn->data;

	if (pipe->is_over) {
		*ret_err = -EPIPE;
		return 0;
	}
	(void)g_byte_array_append(pipe->to[1 - end_of(pipe, conn)], buf, len);
	return (int)len;
}

static void on_conn_close(struct lone_conn *conn)
{
	struct pipe *pipe = conn->data;

	pipe->ends[end_of(pipe, conn)] = NULL;
	pipe->is_over = true;
}

/* Those that were called for: they are there, or come to nothing. */
static bool open_pipes(struct ring_bench *b)
{
	bool did = false;

	for (guint i = 0; i < b->pipes->len; i++) {
		struct pipe *pipe = b->pipes->pdata[i];

		if (!pipe->is_new || !pipe->ends[0])
			continue;
		if (pipe->nodes[1] > b->n || b->cut[pipe->nodes[0]][pipe->nodes[1]] || !b->streams[pipe->nodes[0]])
			continue; /* nobody answers; the caller loses patience */
		pipe->is_new = false;
		(void)lone_accept(b->nodes[pipe->nodes[1]].lone, pipe->nodes[0], pipe); /* it has no room: it closes the end */
		lone_opened(pipe->ends[0], 0);
		did = true;
	}
	return did;
}

static bool turn_lanes(struct ring_bench *b)
{
	bool did = false;

	for (uint32_t k = 1; k <= b->n; k++)
		did |= ela_node_turn(b->nodes[k].lone->node);
	lone_look(b->nodes[1].lone); /* all are on one loop */
	return did;
}

static void deliver_datagrams(struct ring_bench *b)
{
	struct packet *p;

	while ((p = g_queue_pop_head(b->on_the_way)) != NULL) {
		const struct ela_path path = lone_path(p->from);

		if (p->to >= 1 && p->to <= b->n && !b->cut[p->from][p->to] && !b->streams[p->from] && !b->streams[p->to])
			lone_receive(b->nodes[p->to].lone, &path, p->bytes, p->len, p->len, p->len, 0);
		b->n_packets++;
		g_free(p);
	}
}

/* Edges whose parent is another one now. One without a parent says nothing new. */
static void say_parents(struct ring_bench *b)
{
	for (uint32_t k = 1; k <= b->n; k++) {
		struct ring_node *node = &b->nodes[k];

		if (node->has_news && node->parent_now && node->is_published && node->lease.role == ELA_LEASE_EDGE)
			ring_publish(b, k, ELA_LEASE_EDGE, ring_id(b, node->parent_now));
		node->has_news = false;
	}
}

static void deliver(struct ring_bench *b)
{
	bool did;

	do {
		deliver_datagrams(b);
		did = b->pipes->len && open_pipes(b);
		did |= b->pipes->len && turn_lanes(b);
	} while (did);
}

void ring_spoil(struct ring_bench *b, uint32_t a, uint32_t other, bool stuck)
{
	for (guint i = 0; i < b->pipes->len; i++) {
		struct pipe *pipe = b->pipes->pdata[i];

		if ((pipe->nodes[0] == a && pipe->nodes[1] == other) || (pipe->nodes[0] == other && pipe->nodes[1] == a))
			*(stuck ? &pipe->is_stuck : &pipe->is_over) = true;
	}
}

static void renew(struct ring_bench *b)
{
	for (uint32_t k = 1; k <= b->n; k++)
		if (b->nodes[k].is_published)
			ring_publish(b, k, b->nodes[k].lease.role, b->nodes[k].lease.parent);
}

void ring_pass(struct ring_bench *b, uint64_t ns)
{
	uint64_t end_ns = ela_loop_now(b->loop) + ns, renew_ns = ela_loop_now(b->loop) + RENEW_NS;

	deliver(b);
	while (ela_loop_now(b->loop) < end_ns) {
		ela_loop_virtual_run(b->loop, MIN(end_ns, ela_loop_virtual_next(b->loop)));
		deliver(b);
		say_parents(b);
		if (ela_loop_now(b->loop) < renew_ns)
			continue;
		renew(b);
		renew_ns += RENEW_NS;
	}
}

void ring_cut(struct ring_bench *b, uint32_t a, uint32_t other, bool cut)
{
	b->cut[a][other] = b->cut[other][a] = cut;
}

/* ---- records ---- */

static void on_changed(void *data, uint32_t id)
{
	ela_neighbours_changed(((struct ring_node *)data)->neighbours, id);
}

static void on_gone(void *data, uint32_t id)
{
	ela_neighbours_gone(((struct ring_node *)data)->neighbours, id);
}

static void nothing(void *data)
{
	(void)data;
}

static void no_credential(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer)
{
	(void)data, (void)hash, (void)peer;
}

static void no_record(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	(void)data, (void)lease, (void)bytes, (void)len;
}

uint32_t ring_id(const struct ring_bench *b, uint32_t k)
{
	return b->nodes[k].lease.id;
}

void ring_publish(struct ring_bench *b, uint32_t k, enum ela_lease_role role, uint32_t parent)
{
	struct ela_lease *lease = &b->nodes[k].lease;
	g_autoptr(GBytes) record = NULL;
	uint32_t via = role == ELA_LEASE_EDGE ? parent : lease->id;

	lease->role = role;
	lease->parent = role == ELA_LEASE_EDGE ? parent : 0;
	lease->sequence++;
	record = world_record(b->world, lease, (uint8_t)k);
	for (uint32_t of = 1; of <= b->n; of++)
		ck_assert_int_eq(ela_directory_record_set(b->nodes[of].directory, lease->id, g_bytes_get_data(record, NULL),
							 (uint32_t)g_bytes_get_size(record), via ? via : lease->id),
			0);
	b->nodes[k].is_published = true;
}

void ring_withdraw(struct ring_bench *b, uint32_t k)
{
	for (uint32_t of = 1; of <= b->n; of++)
		(void)ela_directory_record_del(b->nodes[of].directory, b->nodes[k].lease.id); /* or it was gone before */
	b->nodes[k].is_published = false;
}

void ring_role(struct ring_bench *b, uint32_t k, enum ela_lease_role role, uint32_t parent)
{
	ela_neighbours_set_role(b->nodes[k].neighbours, role);
	ring_publish(b, k, role, parent);
}

/* ---- who is who ---- */

struct ela_peer *ring_peer(struct ring_bench *b, uint32_t of, uint32_t k)
{
	return ela_peer_by_key(b->nodes[of].lone->node, b->nodes[k].lone->node->public_key);
}

uint32_t ring_number(struct ring_bench *b, const struct ela_peer *peer)
{
	for (uint32_t k = 1; peer && k <= b->n; k++)
		if (memcmp(b->nodes[k].lone->node->public_key, peer->key, ELA_KEY_LEN) == 0)
			return k;
	return 0;
}

uint32_t ring_parent(struct ring_bench *b, uint32_t k)
{
	return ring_number(b, ela_neighbours_parent(b->nodes[k].neighbours));
}

uint32_t ring_spare(struct ring_bench *b, uint32_t k)
{
	return ring_number(b, ela_neighbours_spare(b->nodes[k].neighbours));
}

/* ---- life ---- */

static void on_neighbours(void *data)
{
	struct ring_node *node = data;

	node->n_changed++;
	node->has_news = true;
	node->parent_now = ring_number(bench, ela_neighbours_parent(node->neighbours));
}

/* The node with that key and address in the network of world.h. */
static void give_identity(struct ring_bench *b, uint32_t k, uint8_t address)
{
	struct ela_node *node = b->nodes[k].lone->node;
	const struct ela_prefix ip4 = {.addr = {.family = ELA_ADDR_IP4, .ip = {10, 77, 0, address}}, .bits = 24};

	memcpy(node->network_id, b->world->genesis.network_id, sizeof node->network_id);
	world_private((uint8_t)k, node->private_key);
	ck_assert_int_eq(ela_x25519_public(node->private_key, node->public_key), 0);
	ck_assert_int_eq(ela_handshake_mac1_key(node->network_id, node->public_key, node->mac1_key), 0);
	ck_assert_int_eq(ela_cookie_key(node->network_id, node->public_key, node->cookie_key), 0);
	ck_assert_int_eq(ela_own_take(node, &ip4, NULL), 0);
}

static void make_node(struct ring_bench *b, uint32_t k, uint8_t address)
{
	struct ring_node *node = &b->nodes[k];
	const struct ela_neighbours_ops ops = {on_neighbours, node};
	static struct ela_directory_listener listeners[RING_NODES + 1];

	node->lone = lone_new(b->specs, k - 1, b->loop);
	node->lone->on_send = on_send;
	node->lone->on_connect = on_connect;
	node->lone->on_conn_read = on_conn_read;
	node->lone->on_conn_write = on_conn_write;
	node->lone->on_conn_close = on_conn_close;
	give_identity(b, k, address);
	node->members = ela_members_new(node->lone->node, b->membership, node->credential);
	listeners[k] = (struct ela_directory_listener){on_changed, on_gone, nothing, no_credential, no_record, node};
	node->directory = ela_directory_new(b->loop, b->membership, NULL, &listeners[k]);
	node->neighbours = ela_neighbours_new(node->lone->node, b->membership, node->directory, node->members, &ops);
	node->neighbours->third_ns = NEVER_NS;
	node->lease = world_lease(b->world, node->credential, 0x0a4d0000u + address);
	node->lease.places[0] = (struct ela_place){.addr = lone_addr(k), .udp_port = 7450};
	node->lease.places[0].addr.port = 0;
}

void ring_third(struct ring_bench *b, uint32_t k)
{
	b->nodes[k].neighbours->third_ns = 0;
}

uint32_t ring_id_of(const struct ring_bench *b, uint8_t last)
{
	const uint8_t ip4[4] = {10, 77, 0, last};
	uint32_t id;

	ck_assert_int_eq(ela_node_id(b->world->genesis.network_id, ip4, &id), 0);
	return id;
}

/* Addresses 10.77.0.1 to n, the one with the smallest ID first. */
static void sort_addresses(const struct ring_bench *b, uint8_t ret[RING_NODES])
{
	for (uint8_t k = 0; k < b->n; k++) {
		uint8_t at = k;

		for (; at > 0 && ring_id_of(b, ret[at - 1]) > ring_id_of(b, (uint8_t)(k + 1)); at--)
			ret[at] = ret[at - 1];
		ret[at] = (uint8_t)(k + 1);
	}
}

struct ring_bench *ring_new(uint32_t n, const uint32_t *order)
{
	const struct ela_plugin *cipher = test_plugin_load(CIPHER_AEAD);
	struct ring_bench *b = bench = g_new0(struct ring_bench, 1);
	static const uint8_t nobody[] = {0};
	struct lone_spec specs[RING_NODES];
	uint8_t addresses[RING_NODES] = {0};

	b->n = n;
	b->on_the_way = g_queue_new();
	b->pipes = g_ptr_array_new_with_free_func(free_pipe);
	b->world = world_new();
	b->world->list->users[0].rights.max_nodes = 200;
	b->membership = world_member(b->world);
	for (uint32_t k = 1; k <= n; k++) {
		specs[k - 1] = (struct lone_spec){.cipher = cipher, .number = k, .knows = nobody};
		b->nodes[k].credential = world_credential(b->world, b->world->sada, (uint8_t)k, k, 1);
		world_offered(b->membership, world_offer_credential, b->nodes[k].credential, 0, NULL);
	}
	b->specs = lone_world_new(specs, n);
	b->loop = ela_loop_virtual_new(5);
	ela_loop_virtual_wall_jump(b->loop, (int64_t)(WALL_S * ELA_SEC) - (int64_t)b->loop->ops->wall_ns(b->loop));
	sort_addresses(b, addresses);
	for (uint32_t i = 0; i < n; i++)
		make_node(b, order[i], addresses[i]);
	return b;
}

void ring_free(struct ring_bench *b)
{
	for (uint32_t k = 1; k <= b->n; k++) {
		struct ring_node *node = &b->nodes[k];

		ela_neighbours_free(node->neighbours);
		ela_directory_free(node->directory);
		ela_members_free(node->members);
		lone_free(node->lone);
		g_bytes_unref(node->credential);
	}
	ela_loop_free(b->loop);
	ela_membership_free(b->membership);
	lone_world_free(b->specs);
	world_free(b->world);
	g_queue_free_full(b->on_the_way, g_free);
	g_ptr_array_unref(b->pipes);
	g_free(b);
}
