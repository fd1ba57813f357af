/* SPDX-License-Identifier: Apache-2.0 */
/* lone: the plugins that a lone node runs on, and its life. One thread. */
#include "lone.h"

#include "copies.h"
#include "crypto.h"
#include "host.h"
#include "keys.h"
#include "lane.h"
#include "own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_CAPS (ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6 | ELA_NPD_USO)

struct lone_world {
	struct ela_loader *loader;
	uint32_t n;
	struct lone_spec *specs;
	struct ela_config **configs;
	struct ela_config **without_peers;
};

/* Who is being made: create() is told nothing but its host. */
static struct lone *being_made;

_Noreturn static void die(const char *what)
{
	(void)fprintf(stderr, "lone: %s\n", what); /* best effort before the end */
	abort();
}

static int create(const struct ela_host *host, void **ret_self)
{
	(void)host;
	*ret_self = being_made;
	return 0;
}

static void nothing(void *self)
{
	(void)self;
}

static int zero(void *self)
{
	(void)self;
	return 0;
}

/* ---- device ---- */

static int device_open(void *self, const struct ela_npd_config *config, struct ela_npd_info *ret_info)
{
	struct lone *l = self;

	*ret_info =
		(struct ela_npd_info){.name = "lone0", .n_queues = config->n_queues, .caps = l->caps, .mtu = config->mtu};
	return 0;
}

static int queue_fd(void *self, uint32_t queue)
{
	(void)self, (void)queue;
	return -1;
}

static int device_read(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	(void)self, (void)queue, (void)arena, (void)arena_len, (void)headroom, (void)pkts, (void)n;
	*ret_err = -EAGAIN;
	return 0;
}

static int device_write(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct lone *l = self;

	(void)queue;
	for (uint32_t i = 0; i < n; i++) {
		int err = l->on_write ? l->on_write(l, &pkts[i]) : 0;

		if (err) {
			*ret_err = err;
			return (int)i;
		}
	}
	return (int)n;
}

static uint32_t device_caps(void *self)
{
	return ((struct lone *)self)->caps;
}

static int device_addresses(void *self, const char *const *texts, uint32_t n)
{
	struct lone *l = self;

	return l->on_addresses ? l->on_addresses(l, texts, n) : 0;
}

static const struct ela_npd_ops npd_ops = {.create = create,
	.destroy = nothing,
	.open = device_open,
	.close = nothing,
	.queue_fd = queue_fd,
	.read_burst = device_read,
	.write_burst = device_write,
	.caps = device_caps,
	.set_addresses = device_addresses};

/* ---- transports ---- */

static int transport_start(void *self, uint32_t n_lanes)
{
	(void)self, (void)n_lanes;
	return 0;
}

static void datagram_info(void *self, struct ela_transport_info *ret)
{
	*ret = (struct ela_transport_info){.caps = ELA_TRANSPORT_DATAGRAM | ELA_TRANSPORT_IP,
		.overhead4 = 28,
		.overhead6 = 48,
		.max_datagram = 65507,
		.max_segments = ((struct lone *)self)->max_segments,
		.max_train = 65507,
		.burst = 32,
		.port = 7450};
}

static void stream_info(void *self, struct ela_transport_info *ret)
{
	(void)self;
	*ret = (struct ela_transport_info){
		.caps = ELA_TRANSPORT_STREAM | ELA_TRANSPORT_IP, .max_segments = 1, .burst = 1, .port = 7450};
}

static int lane_fd(void *self, uint32_t lane, uint32_t k)
{
	(void)self, (void)lane;
	return k ? -ENOENT : -1;
}

static int read_burst(void *self, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err)
{
	struct lone *l = self;

	if (lane || n == 0 || !l->incoming) {
		*ret_err = -EAGAIN;
		return 0;
	}
	trains[0] = *l->incoming;
	l->incoming = NULL;
	return 1;
}

static int send_burst(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err)
{
	struct lone *l = self;

	(void)lane;
	if (l->send_err) {
		*ret_err = l->send_err;
		return 0;
	}
	for (uint32_t i = 0; i < n && l->on_send; i++)
		for (uint32_t at = 0; at < sends[i].len; at += sends[i].segment)
			l->on_send(l, sends[i].path, sends[i].data + at, MIN(sends[i].segment, sends[i].len - at));
	return (int)n;
}

static int probe(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	struct lone *l = self;

	return l->on_probe ? l->on_probe(l, remote, bytes, len) : -EOPNOTSUPP;
}

static struct lone_conn *conn_new(struct lone *l, void *data)
{
	struct lone_conn *conn = g_new0(struct lone_conn, 1);

	conn->l = l;
	conn->data = data;
	l->n_conns++;
	return conn;
}

static int stream_connect(void *self, const struct ela_addr *remote, void **ret_conn)
{
	struct lone *l = self;
	struct lone_conn *conn = conn_new(l, NULL);

	*ret_conn = conn;
	if (l->on_connect)
		l->on_connect(l, conn, remote);
	return 0;
}

static int conn_fd(void *self, void *conn)
{
	(void)self, (void)conn;
	return -1;
}

static int conn_attach(void *self, void *conn, uint32_t lane)
{
	(void)self, (void)conn, (void)lane;
	return 0;
}

static int conn_read(void *self, void *conn, void *buf, uint32_t len, int *ret_err)
{
	struct lone *l = self;

	if (l->on_conn_read)
		return l->on_conn_read(conn, buf, len, ret_err);
	*ret_err = -EAGAIN;
	return 0;
}

static int conn_write(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err)
{
	struct lone *l = self;
	int done = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = (uint32_t)iov[i].iov_len;
		int k = l->on_conn_write ? l->on_conn_write(conn, iov[i].iov_base, len, ret_err) : (int)len;

		done += k;
		if ((uint32_t)k < len)
			break;
	}
	return done;
}

static void conn_close(void *self, void *conn)
{
	struct lone *l = self;

	if (l->on_conn_close)
		l->on_conn_close(conn);
	l->n_conns--;
	g_free(conn);
}

static const struct ela_transport_ops datagram_ops = {.create = create,
	.destroy = nothing,
	.start = transport_start,
	.stop = nothing,
	.info = datagram_info,
	.lane_fd = lane_fd,
	.read_burst = read_burst,
	.send_burst = send_burst,
	.probe = probe};

static const struct ela_transport_ops stream_ops = {.create = create,
	.destroy = nothing,
	.start = transport_start,
	.stop = nothing,
	.info = stream_info,
	.connect = stream_connect,
	.conn_fd = conn_fd,
	.conn_attach = conn_attach,
	.conn_read = conn_read,
	.conn_write = conn_write,
	.conn_close = conn_close};

/* ---- routing: none but [peer] address, set by lone_new() ---- */

static int no_record(void *self, uint32_t id, const void *record, uint32_t len)
{
	(void)self, (void)id, (void)record, (void)len;
	return -ENOENT;
}

static int remove_record(void *self, uint32_t id)
{
	(void)self, (void)id;
	return -ENOENT;
}

static void lookup(void *self, uint32_t id, ela_lookup_done done, void *data)
{
	(void)self, (void)id;
	done(data, -ENOENT, NULL, 0);
}

static void message(void *self, uint32_t peer, const void *bytes, uint32_t len)
{
	struct lone *l = self;

	(void)peer;
	if (l->on_message)
		l->on_message(l, bytes, len);
}

static void link_event(void *self, uint32_t peer, uint32_t event)
{
	struct lone *l = self;

	if (l->on_link)
		l->on_link(l, peer, event);
}

static const struct ela_routing_ops routing_ops = {.create = create,
	.destroy = nothing,
	.start = zero,
	.stop = nothing,
	.peers_changed = nothing,
	.insert = no_record,
	.update = no_record,
	.remove = remove_record,
	.lookup = lookup,
	.on_message = message,
	.on_link = link_event};

#define LINKED_IN(name_text, kind_value, table)                                                                        \
	{                                                                                                                  \
		.magic = ELA_PLUGIN_MAGIC, .abi_major = ELA_ABI_MAJOR, .abi_minor = ELA_ABI_MINOR, .kind = (kind_value),       \
		.ops_size = sizeof(table), .name = (name_text), .version = "1", .licence = "Apache-2.0",                       \
		.summary = "linked in for tests", .ops = &(table), .option_size = sizeof(struct ela_option)                    \
	}

static const struct ela_plugin plugins[] = {LINKED_IN("lone", ELA_KIND_NPD, npd_ops),
	LINKED_IN("datagram", ELA_KIND_TRANSPORT, datagram_ops), LINKED_IN("stream", ELA_KIND_TRANSPORT, stream_ops),
	LINKED_IN("static", ELA_KIND_ROUTING, routing_ops)};

/* ---- configurations ---- */

void lone_key(uint32_t number, uint8_t ret_private[ELA_KEY_LEN], uint8_t ret_public[ELA_KEY_LEN])
{
	const struct ela_bytes part = {&number, sizeof number};

	if (ela_sha256(&part, 1, ret_private) != 0 || ela_x25519_public(ret_private, ret_public) != 0)
		die("no key");
}

struct ela_addr lone_addr(uint32_t number)
{
	return (struct ela_addr){.ip = {192, 0, 2, (uint8_t)number}, .port = 7450, .family = ELA_ADDR_IP4};
}

struct ela_path lone_path(uint32_t number)
{
	return (struct ela_path){.remote = lone_addr(number), .transport = LONE_DATAGRAM};
}

static struct ela_config *configure(struct ela_loader *loader, const struct lone_spec *spec, const uint8_t *knows)
{
	g_autoptr(GString) ini = g_string_new(NULL);
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	struct ela_config *config;
	char text[ELA_KEY_TEXT];

	if (spec->network)
		g_string_append_printf(ini, "[network]\nid = %s\n", spec->network);
	g_string_append_printf(ini,
		"[node]\nname = n%u\naddress = 10.88.0.%u/24, fd88::%x/64\nprivate-key-file = none\nlanes = %u\nlog-level = "
		"error\n"
		"[components]\nnpd = lone\ncipher = %s\ntransport = datagram, stream\nrouting = static\n",
		spec->number, spec->number, spec->number, spec->lanes ? spec->lanes : 1, spec->cipher->name);
	for (const uint8_t *k = knows; *k; k++) {
		lone_key(*k, private_key, public_key);
		ela_key_encode(public_key, text);
		g_string_append_printf(ini,
			"[peer n%u]\npublic-key = %s\naddress = 10.88.0.%u, fd88::%x, 10.99.%u.0/24\ntransport = %s\n", *k, text,
			*k, *k, *k, spec->stream ? "datagram, stream" : "datagram");
		if (spec->dials && spec->host)
			g_string_append_printf(ini, "endpoint = %s:7450\n", spec->host);
		else if (spec->dials)
			g_string_append_printf(ini, "endpoint = 192.0.2.%u:7450\n", *k);
	}
	config = ela_config_parse("lone.ini", ini->str, ini->len, loader, ELA_CONFIG_NO_KEY, errors);
	if (!config)
		die(errors->len ? g_ptr_array_index(errors, 0) : "no configuration");
	lone_key(spec->number, config->private_key, public_key);
	return config;
}

static void add(struct ela_loader *loader, const struct ela_plugin *plugin)
{
	g_autoptr(GError) error = NULL;

	if (!ela_loader_add(loader, plugin, &error))
		die(error->message);
}

struct lone_world *lone_world_new(const struct lone_spec *specs, uint32_t n)
{
	static const char *const dirs[] = {NULL};
	struct lone_world *world = g_new0(struct lone_world, 1);

	world->loader = ela_loader_new(dirs);
	for (size_t i = 0; i < G_N_ELEMENTS(plugins); i++)
		add(world->loader, &plugins[i]);
	add(world->loader, specs[0].cipher);
	world->n = n;
	world->specs = g_memdup2(specs, n * sizeof *specs);
	world->configs = g_new0(struct ela_config *, n);
	world->without_peers = g_new0(struct ela_config *, n);
	for (uint32_t i = 0; i < n; i++) {
		world->configs[i] = configure(world->loader, &specs[i], specs[i].knows);
		world->without_peers[i] = configure(world->loader, &specs[i], (const uint8_t[]){0});
	}
	return world;
}

void lone_world_free(struct lone_world *world)
{
	for (uint32_t i = 0; i < world->n; i++) {
		ela_config_free(world->configs[i]);
		ela_config_free(world->without_peers[i]);
	}
	ela_loader_free(world->loader);
	g_free(world->configs);
	g_free(world->without_peers);
	g_free(world->specs);
	g_free(world);
}

/* ---- life ---- */

static void on_log(void *data, const char *line)
{
	struct lone *l = data;

	if (l->on_log)
		l->on_log(l, line);
}

struct lone *lone_new(const struct lone_world *world, uint32_t i, struct ela_loop *loop)
{
	g_autoptr(GError) error = NULL;
	struct lone *l = g_new0(struct lone, 1);
	struct ela_log *log = ela_log_new(ELA_LOG_ERROR, on_log, l);

	l->loop = loop;
	l->number = world->specs[i].number;
	l->world = world;
	l->caps = ALL_CAPS;
	l->max_segments = 64;
	being_made = l;
	l->node = ela_node_new(world->configs[i], loop, log, 0, &error);
	being_made = NULL;
	if (!l->node || !ela_node_start_devices(l->node, &error) || !ela_node_start(l->node, &error))
		die(error->message);
	return l;
}

void lone_free(struct lone *l)
{
	struct ela_log *log;

	if (!l)
		return;
	log = l->node->log;
	ela_node_free(l->node);
	if (l->n_conns)
		die("a connection was never closed");
	ela_log_free(log);
	g_free(l);
}

/* Everything that lanes and control still have to do for what is over. */
static void settle(struct lone *l)
{
	struct ela_node *node = l->node;

	do {
		lone_look(l);
		ela_links_reap(node);
		ela_qsbr_drain(&node->qsbr); /* the caller is the lanes: nobody holds anything */
	} while (ela_node_turn(node) || node->links->len);
}

void lone_renew(struct lone *l)
{
	struct ela_node *node = l->node;
	uint32_t i = 0;

	while (l->world->specs[i].number != l->number)
		i++;
	if (!ela_peers_apply(node, l->world->without_peers[i], NULL))
		die("peers do not go");
	while (node->links->len) {
		struct ela_link *link = g_ptr_array_index(node->links, 0);

		if (link->state == ELA_LINK_DEAD)
			break; /* on its way */
		ela_link_close(link);
	}
	settle(l);
	if (node->forward_by_id) {
		ela_forward_free(node);
		node->forward_by_id = NULL;
		atomic_store(&node->forward, NULL);
	}
	if (node->stats.v[ELA_STAT_STRANGER_BYTES_IN]) {
		ela_responder_free(node->responder);
		node->responder = ela_responder_new(node);
	}
	if (!ela_peers_apply(node, l->world->configs[i], NULL))
		die("peers do not come");
	ela_qsbr_drain(&node->qsbr);
	node->loop->ops->timer_set(node->tick, 0);
	node->tick_at_ns = node->active_ns = 0;
	node->next_peer_number = 0;
	memset(&node->stats, 0, sizeof node->stats);
	for (uint32_t k = 0; k < node->n_lanes; k++) {
		memset(&node->lanes[k]->stats, 0, sizeof node->lanes[k]->stats);
		memset(&node->lanes[k]->icmp, 0, sizeof node->lanes[k]->icmp);
		ela_copies_free(node->lanes[k]->copies);
		node->lanes[k]->copies = ela_copies_new();
		if (!node->lanes[k]->copies)
			die("out of memory");
		node->lanes[k]->n_waiters = 0;
	}
	l->caps = ALL_CAPS;
	for (uint32_t k = 0; k < node->n_lanes; k++)
		ela_coalesce_caps(node->lanes[k]->coalesce, l->caps);
}

struct ela_peer *lone_peer(struct lone *l, uint32_t k)
{
	struct ela_peers *peers = ela_peers_list(l->node);
	char name[16];

	(void)g_snprintf(name, sizeof name, "n%u", k);
	for (uint32_t i = 0; i < peers->n; i++)
		if (strcmp(peers->v[i]->name, name) == 0)
			return peers->v[i];
	return NULL;
}

uint64_t lone_counter(struct lone *l, const char *name)
{
	uint64_t value = ela_node_counter(l->node, name);

	if (value == UINT64_MAX)
		die(name);
	return value;
}

static struct ela_session *end_of_session(
	struct lone *l, const struct ela_agreement *with, struct ela_peer *peer, uint8_t seed)
{
	struct ela_noise_keys keys;
	struct ela_session *s;

	memset(keys.ck, seed, sizeof keys.ck);
	memset(keys.send, with->initiator ? seed : seed + 1, sizeof keys.send);
	memset(keys.recv, with->initiator ? seed + 1 : seed, sizeof keys.recv);
	s = ela_session_new(peer, with, &keys, ela_loop_now(l->loop));
	if (!s)
		die("no session");
	return s;
}

struct ela_session *lone_session(
	struct lone *l, uint32_t k, uint32_t local_index, uint32_t remote_index, uint32_t remote_lanes, uint8_t seed)
{
	struct ela_peer *peer = lone_peer(l, k);
	const struct ela_path path = lone_path(k);
	const struct ela_agreement with = {.suite = &l->node->suites[0],
		.local_index = local_index,
		.remote_index = remote_index,
		.remote_id = peer->id,
		.features = ELA_FEATURE_CSUM,
		.local_lanes = l->node->n_lanes,
		.remote_lanes = remote_lanes,
		.initiator = l->number < k};
	struct ela_session *s = end_of_session(l, &with, peer, seed);

	l->node->index_used[local_index % ELA_INDEX_SLOTS] = 1;
	ela_initiator_cancel(peer);
	ela_peer_install(peer, s, &path);
	return s;
}

struct ela_session *lone_far_end(
	struct lone *l, uint32_t k, uint32_t local_index, uint32_t remote_index, uint32_t remote_lanes, uint8_t seed)
{
	const struct ela_agreement with = {.suite = &l->node->suites[0],
		.local_index = remote_index,
		.remote_index = local_index,
		.remote_id = ela_own_id(l->node),
		.features = ELA_FEATURE_CSUM,
		.local_lanes = remote_lanes,
		.remote_lanes = l->node->n_lanes,
		.initiator = k < l->number};

	return end_of_session(l, &with, NULL, seed);
}

uint32_t lone_seal(const struct ela_session *far_end, uint32_t lane, uint64_t sequence, uint8_t flags,
	const uint8_t *plain, uint32_t len, uint8_t *out)
{
	struct ela_cipher_op op = {.src = plain, .dst = out + ELA_FRAME_HEAD, .len = len};

	ela_header_put(out, ELA_TYPE_EPACKET, flags, far_end->with.remote_id);
	ela_frame_put(out, far_end->with.remote_index, (uint64_t)lane << ELA_LANE_SHIFT | sequence);
	ela_frame_nonce(out, far_end->send_iv, op.nonce);
	if (far_end->cipher->seal(far_end->lanes[0].seal_key, &op, 1) != 1) /* the lanes' keys are the same */
		die("no sealing");
	return ELA_FRAME_HEAD + op.ret_len;
}

/* ---- going on ---- */

void lone_look(struct lone *l)
{
	while (ela_loop_virtual_step(l->loop))
		;
}

void lone_receive(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len, uint32_t claimed,
	uint32_t segment, uint8_t ecn)
{
	struct ela_lane *lane = l->node->lanes[0];
	uint8_t *own = lane->trains[0].data, *exact = malloc(len ? len : 1);
	struct ela_train train = {.data = exact,
		.room = 65536,
		.len = claimed,
		.segment = segment,
		.remote = path->remote,
		.local = path->local,
		.ecn = ecn};

	if (!exact)
		die("out of memory");
	memcpy(exact, bytes, len);
	l->incoming = &train;
	ela_qsbr_online(&l->node->qsbr, 0);
	ela_lane_begin(lane);
	(void)ela_decapsulate_turn(lane, &lane->datagrams[0]); /* it did something */
	ela_qsbr_offline(&l->node->qsbr, 0);
	lane->trains[0].data = own;
	free(exact);
	lone_look(l);
}

void lone_receive_super(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct ela_lane *lane = l->node->lanes[0];
	uint8_t *exact = malloc(len ? len : 1);

	if (!exact)
		die("out of memory");
	memcpy(exact, bytes, len);
	ela_lane_begin(lane);
	ela_decapsulate_super(lane, exact, len, path);
	ela_decapsulate_flush(lane);
	free(exact);
	lone_look(l);
}

void lone_pass(struct ela_loop *loop, uint64_t ns)
{
	ela_loop_virtual_run(loop, ela_loop_now(loop) + ns);
}

struct ela_link *lone_accept(struct lone *l, uint32_t k, void *data)
{
	struct ela_node *node = l->node;
	const struct ela_addr remote = lone_addr(k);
	uint64_t before = node->next_link;

	ela_link_event(node, &node->transports[LONE_STREAM], ELA_CONN_ACCEPTED, conn_new(l, data), &remote, NULL, 0);
	return node->next_link == before ? NULL : ela_link_find(node, node->next_link);
}

void lone_opened(struct lone_conn *conn, int err)
{
	struct ela_node *node = conn->l->node;
	struct ela_addr remote = {0};

	ela_link_event(
		node, &node->transports[LONE_STREAM], err ? ELA_CONN_CLOSED : ELA_CONN_OPEN, conn, &remote, NULL, err);
}

uint32_t lone_gather(const struct ela_packet *pkt, uint8_t *buf)
{
	uint32_t at = pkt->len;

	if (pkt->len_total > 65536 || pkt->len > pkt->len_total)
		die("a packet of an odd length");
	memcpy(buf, pkt->data, pkt->len);
	for (uint32_t i = 0; i < pkt->n_more; i++) {
		if (at + pkt->more[i].iov_len > pkt->len_total)
			die("more than a packet says");
		memcpy(buf + at, pkt->more[i].iov_base, pkt->more[i].iov_len);
		at += (uint32_t)pkt->more[i].iov_len;
	}
	if (at != pkt->len_total)
		die("less than a packet says");
	return at;
}
