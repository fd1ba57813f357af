/* SPDX-License-Identifier: Apache-2.0 */
/* sim-ring: see sim-ring.h. One thread. */
#include "sim-ring.h"

#include "directory.h"
#include "folders.h"
#include "found.h"
#include "handshake.h"
#include "inet.h"
#include "invite.h"
#include "join.h"
#include "keys.h"
#include "network-priv.h"
#include "peer.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <unistd.h>

#define WALL_S UINT64_C(1767225600) /* where virtual time begins */
#define PREFIX "10.88.0.0/24"

/*
 * The network: the folder of node k is dir/nk, as a guest dir/gk. It lies in the tree as SIM_RING_TAR, for signatures
 * of RSA keys are never the same twice, and with them the network's id, all IDs and so the ring would differ from run
 * to run. With ELA_SIM_RING_MAKE=FILE in the environment it is made anew and written there.
 */
static struct {
	char *dir;
	uint8_t id[ELA_NETWORK_LEN];
	uint64_t guests;
	uint32_t ids[256]; /* of nodes, by the last byte of their addresses, as far as they were asked for */
} made;

static bool disk_is_full;

static void must(bool holds, const char *what, const GError *error)
{
	if (!holds)
		g_error("%s: %s", what, error ? error->message : "failed");
}

static char *made_folder(uint32_t k, bool is_guest)
{
	return g_strdup_printf("%s/%c%u", made.dir, is_guest ? 'g' : 'n', k);
}

static void run(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void run(const char *format, ...)
{
	g_autofree char *command = NULL;
	va_list args;

	va_start(args, format);
	command = g_strdup_vprintf(format, args);
	va_end(args);
	must(system(command) == 0, command, NULL);
}

static void remove_made(void)
{
	run("rm -rf '%s'", made.dir);
}

/* ---- the disk ---- */

static ssize_t write_if_room(int fd, const void *bytes, size_t len)
{
	if (disk_is_full) {
		errno = ENOSPC;
		return -1;
	}
	return ela_file_system.write(fd, bytes, len);
}

static int sync_file(int fd)
{
	return ela_file_system.fsync(fd);
}

static int rename_file(int from_dir, const char *from, int to_dir, const char *to)
{
	return ela_file_system.rename(from_dir, from, to_dir, to);
}

static const struct ela_file_ops disk = {write_if_room, sync_file, rename_file};

void sim_ring_disk_full(bool is_full)
{
	disk_is_full = is_full;
}

/* ---- the network ---- */

/* `ela init` */
static void make_founder(void)
{
	struct ela_found found = {.network = "sim", .user = "sada", .now_s = WALL_S - 60};
	g_autofree char *folder = NULL;
	g_autoptr(GError) error = NULL;

	folder = made_folder(0, false);
	must(g_mkdir(folder, 0700) == 0, folder, NULL);
	found.outfit.config_dir = found.outfit.state_dir = folder;
	found.outfit.cipher = "aead";
	must(ela_inet_prefix(PREFIX, &found.outfit.prefix) == 0, "prefix", NULL);
	(void)g_strlcpy(found.outfit.node.name, "n0", ELA_NAME_ROOM); /* it fits */
	must(ela_found(&found, &error) == 0, "found", error);
}

/* `ela add-node`, or `ela invite` of a user, where the inviter's folder is, and `ela join` in the other one */
static void make_machine(const char *from, const char *folder, const char *name, const char *user)
{
	struct ela_inviter *inviter = NULL;
	struct ela_place place = {.tcp_port = SIM_STREAM_PORT, .udp_port = 7450};
	struct ela_outfit outfit = {.cipher = "aead"};
	const struct ela_rights rights = {.may_core = true, .max_nodes = 4};
	struct ela_token token = {0};
	uint64_t expires_s = WALL_S + 7 * 86400;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	must(ela_inviter_new(from, from, WALL_S, &inviter, &error) == 0, "inviter", error);
	must(ela_mem_addr("10.0.0.1", 0, &place.addr) == 0, "place", NULL);
	must(ela_inviter_add_place(inviter, &place, &error) == 0, "place", error);
	if (user)
		must(ela_invite_user(inviter, user, &rights, expires_s, &text, &error) == 0, "invite", error);
	else
		must(ela_invite_machine(inviter, name, expires_s, &text, &error) == 0, "invite", error);
	ela_inviter_free(inviter);
	must(ela_token_parse(text, WALL_S, &token, &error) == 0, "token", error);
	must(g_mkdir(folder, 0700) == 0, folder, NULL);
	outfit.config_dir = outfit.state_dir = folder;
	(void)g_strlcpy(outfit.node.name, name, ELA_NAME_ROOM); /* it fits */
	must(ela_join(&outfit, &token, &error) == 0, "join", error);
	ela_token_clear(&token);
}

static void make_joiner(uint32_t k, bool is_guest)
{
	g_autofree char *founder = made_folder(0, false), *folder = made_folder(k, is_guest), *name = NULL, *user = NULL;

	name = g_strdup_printf("n%u", k);
	user = g_strdup_printf("u%u", k);
	make_machine(founder, folder, name, is_guest ? user : NULL);
}

static void read_id(void)
{
	g_autofree char *file = g_strdup_printf("%s/n0/ela.ini", made.dir), *text = NULL;
	g_autoptr(GKeyFile) ini = g_key_file_new();

	must(g_key_file_load_from_file(ini, file, G_KEY_FILE_NONE, NULL), file, NULL);
	text = g_key_file_get_string(ini, "network", "id", NULL);
	must(text && ela_value_hex(text, made.id, sizeof made.id) == 0, file, NULL);
}

static void make(void)
{
	const char *fresh = g_getenv("ELA_SIM_RING_MAKE");
	g_autoptr(GError) error = NULL;

	made.dir = g_dir_make_tmp("ela-ring-XXXXXX", &error);
	must(made.dir != NULL, "folder", error);
	(void)atexit(remove_made); /* else it stays for whoever cleans /tmp */
	if (!fresh) {
		run("tar -xf '%s' -C '%s'", SIM_RING_TAR, made.dir);
	} else {
		make_founder();
		for (uint32_t k = 1; k < SIM_RING_MAX; k++)
			make_joiner(k, false);
		for (uint32_t k = 1; k < SIM_RING_MAX; k++)
			if (SIM_RING_GUESTS >> k & 1)
				make_joiner(k, true);
		run("tar --owner=0 --group=0 --sort=name -cf '%s' -C '%s' .", fresh, made.dir);
	}
	read_id();
}

/* ---- for sim.c ---- */

static void read_key(struct sim_node *n)
{
	g_autofree char *key = g_strdup_printf("%s/n%u/" ELA_NODE_KEY_FILE, n->sim->dir, n->number);
	uint8_t public_key[ELA_KEY_LEN];

	must(ela_key_read(key, n->key, NULL) == 0 && ela_x25519_public(n->key, public_key) == 0, key, NULL);
	ela_key_encode(public_key, n->public_text);
}

void sim_ring_folder(struct sim_node *n)
{
	g_autofree char *from = NULL;

	if (!made.dir)
		make();
	from = made_folder(n->number, made.guests >> n->number & 1);
	run("cp -a '%s' '%s/n%u'", from, n->sim->dir, n->number);
	read_key(n);
	n->state_fd = -1;
}

void sim_ring_remove(struct sim_node *n)
{
	run("rm -rf '%s/n%u'", n->sim->dir, n->number);
}

uint32_t sim_ring_host(const struct sim_node *n)
{
	uint32_t address = n->network->lease.address;

	return address ? address & 0xff : n->host;
}

void sim_ring_ini(const struct sim_node *n, GString *ini)
{
	g_string_append(ini, "[network]\nid = ");
	for (size_t i = 0; i < ELA_NETWORK_LEN; i++)
		g_string_append_printf(ini, "%02x", made.id[i]);
	if (n->spec.bootstrap)
		g_string_append_printf(ini, "\nbootstrap = %s", n->spec.bootstrap);
	g_string_append_printf(ini,
		"\nprefix = " PREFIX "\n[node]\nname = n%u\naddress = 10.88.0.%u\nprivate-key-file = node.key\nrole = %s\n",
		n->number, n->spec.wish ? n->spec.wish : n->number + 1, n->spec.role);
}

void sim_ring_open(struct sim_node *n)
{
	g_autofree char *folder = g_strdup_printf("%s/n%u", n->sim->dir, n->number);
	struct ela_place place = {.tcp_port = SIM_STREAM_PORT, .udp_port = 7450};
	GError *error = NULL;

	n->state_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(n->state_fd >= 0, folder, NULL);
	n->network = ela_network_new(n->node, &disk, n->state_fd, &error);
	if (!n->network)
		sim_fail(n->sim, __FILE__, __LINE__, "node %u: %s", n->number, error->message);
	memcpy(n->node_hash, n->network->self.node_hash, ELA_HASH_LEN);
	must(ela_mem_addr(n->underlay, 0, &place.addr) == 0, "place", NULL);
	ela_network_set_places(n->network, &place, 1);
}

/* Of node 0 it knows the key and where it is. */
void sim_ring_call(struct sim_node *n)
{
	struct ela_addr addr;
	const struct ela_peer_spec spec = {.name = "n0", .endpoints = &addr, .n_endpoints = 1};
	struct ela_peer *peer;
	uint8_t key[ELA_KEY_LEN];

	must(ela_mem_addr(n->sim->nodes[0].underlay, SIM_STREAM_PORT, &addr) == 0, "address", NULL);
	must(ela_key_decode(n->sim->nodes[0].public_text, key) == 0, "key", NULL);
	must(ela_peer_add(n->node, key, &spec, &peer) == 0, "peer", NULL);
	ela_initiate(peer);
}

void sim_ring_close(struct sim_node *n)
{
	ela_node_stop(n->node);
	ela_network_free(n->network);
	(void)close(n->state_fd); /* all is written */
	n->network = NULL;
	n->state_fd = -1;
}

/* ---- for tests ---- */

void sim_ring_machine_of(struct sim *s, uint32_t from, uint32_t i)
{
	g_autofree char *inviter = g_strdup_printf("%s/n%u", s->dir, from), *folder = NULL, *name = NULL;

	folder = g_strdup_printf("%s/n%u", s->dir, i);
	name = g_strdup_printf("n%u", i);
	sim_ring_remove(&s->nodes[i]);
	make_machine(inviter, folder, name, NULL);
	read_key(&s->nodes[i]);
}

void sim_ring_knows(struct sim *s, uint32_t i, uint32_t core)
{
	g_autofree char *file = g_strdup_printf("%s/n%u/" ELA_CORES_FILE, s->dir, i);
	struct ela_token_core contact = {.place = {.tcp_port = SIM_STREAM_PORT, .udp_port = 7450}};
	g_autoptr(GBytes) bytes = NULL;

	must(ela_mem_addr(s->nodes[core].underlay, 0, &contact.place.addr) == 0, "address", NULL);
	must(ela_key_decode(s->nodes[core].public_text, contact.x25519) == 0, "key", NULL);
	bytes = ela_token_pack_cores(&contact, 1);
	must(g_file_set_contents(file, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), NULL), file, NULL);
}

void sim_ring_guests(uint64_t nodes)
{
	must((nodes & ~(uint64_t)SIM_RING_GUESTS) == 0, "guests", NULL);
	made.guests = nodes;
}

struct ela_rsa *sim_ring_rsa(struct sim *s, const char *file)
{
	g_autofree char *path = g_strdup_printf("%s/n0/%s", s->dir, file);
	g_autoptr(GError) error = NULL;
	struct ela_rsa *key = NULL;

	must(ela_rsa_read(path, &key, &error) == 0, path, error);
	return key;
}

struct sim *sim_ring_new(uint64_t seed, uint32_t n, uint64_t edges)
{
	const struct sim_spec spec = {.role = "core", .mode = "datagram"};
	struct sim *s = sim_new(seed, n, &spec);

	ck_assert_uint_le(n, SIM_RING_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (edges >> i & 1)
			s->nodes[i].spec.role = "edge";
	return s;
}

void sim_ring_forget_cores(struct sim *s, uint32_t i)
{
	run("rm -f '%s/n%u/" ELA_CORES_FILE "'", s->dir, i);
}

uint32_t sim_ring_id(const struct sim *s, uint32_t i)
{
	const uint8_t ip4[4] = {10, 88, 0, (uint8_t)sim_host(s, i)};
	uint32_t id = made.ids[ip4[3]];

	if (id != 0)
		return id;
	must(ela_node_id(made.id, ip4, &id) == 0, "id", NULL);
	made.ids[ip4[3]] = id;
	return id;
}

static bool is_up(const struct sim *s, uint32_t i)
{
	return s->nodes[i].node && !s->nodes[i].out;
}

static bool is_core(const struct sim *s, uint32_t i)
{
	return is_up(s, i) && strcmp(s->nodes[i].spec.role, "core") == 0;
}

/* The k-th core clockwise at or after the ID, by nothing but the list of nodes. */
static uint32_t naive_core(const struct sim *s, uint32_t id, uint32_t k)
{
	uint32_t best = 0, from = id;

	for (uint32_t round = 0; round <= k; round++) {
		uint32_t distance = UINT32_MAX;

		best = 0;
		for (uint32_t i = 0; i < s->n; i++) {
			uint32_t core = sim_ring_id(s, i), d = core - from;

			if (is_core(s, i) && (best == 0 || d < distance)) {
				best = core;
				distance = d;
			}
		}
		from = best + 1;
	}
	return best;
}

static uint32_t count_cores(const struct sim *s)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < s->n; k++)
		n += is_core(s, k);
	return n;
}

/* Each record, with its key and role, and countersigned unless its node is the only core. */
static bool knows_all(const struct sim *s, uint32_t i)
{
	uint32_t up = 0;

	for (uint32_t k = 0; k < s->n; k++) {
		const struct ela_known *known;

		if (!is_up(s, k))
			continue;
		up++;
		known = ela_directory_find(s->nodes[i].node->directory, sim_ring_id(s, k));
		if (!known || memcmp(known->lease.node_hash, s->nodes[k].node_hash, ELA_HASH_LEN) != 0 ||
			known->lease.role != (is_core(s, k) ? ELA_LEASE_CORE : ELA_LEASE_EDGE) ||
			(known->since_s == 0 && (!is_core(s, k) || count_cores(s) > 1)))
			return false;
	}
	return ela_directory_count(s->nodes[i].node->directory) == up;
}

static bool has_parents(struct sim *s, uint32_t i)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[i].network, &view);
	if (!view.parent || view.parent->id != naive_core(s, sim_ring_id(s, i), 0) || !view.parent->tx_shadow)
		return false;
	if (count_cores(s) < 2)
		return view.spare == NULL;
	return view.spare && view.spare->id == naive_core(s, sim_ring_id(s, i), 1) && view.spare->tx_shadow;
}

/* The ring as the node has it is that of all cores: rising IDs, each once. */
static bool knows_ring(const struct sim *s, uint32_t i)
{
	const struct ela_cores *cores = ela_directory_cores(s->nodes[i].node->directory);
	uint32_t id = 0;

	if (cores->n != count_cores(s))
		return false;
	for (uint32_t k = 0; k < cores->n; k++) {
		id = naive_core(s, k ? id + 1 : 0, 0);
		if (cores->ids[k] != id)
			return false;
	}
	return true;
}

/* What one node lacks; NULL: nothing. */
static const char *lacks(struct sim *s, uint32_t i)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[i].network, &view);
	if (!view.is_in)
		return "it is not in";
	if (!knows_all(s, i))
		return "it does not know all, or what is no more";
	if (!knows_ring(s, i))
		return "its ring is another one";
	return is_core(s, i) || has_parents(s, i) ? NULL : "its parent or spare is not the ring's";
}

static void explain_parents(struct sim *s, uint32_t i)
{
	struct ela_network_view view;

	ela_network_view(s->nodes[i].network, &view);
	(void)fprintf(stderr, "#   parent %s, of the ring %08x; spare %s, %08x\n", view.parent ? view.parent->name : "-",
		naive_core(s, sim_ring_id(s, i), 0), view.spare ? view.spare->name : "-", naive_core(s, sim_ring_id(s, i), 1));
}

void sim_ring_explain(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const char *text = is_up(s, i) ? lacks(s, i) : NULL;

		if (!text)
			continue;
		(void)fprintf(
			stderr, "# node %u: %s (%u records)\n", i, text, ela_directory_count(s->nodes[i].node->directory));
		explain_parents(s, i);
		for (uint32_t k = 0; k < s->n; k++) {
			const struct ela_known *known = ela_directory_find(s->nodes[i].node->directory, sim_ring_id(s, k));

			(void)fprintf(stderr, "#   of %u, %08x, a%s: %s\n", k, sim_ring_id(s, k),
				is_core(s, k) ? " core"
				: is_up(s, k) ? "n edge"
							  : " dead node",
				!known                                ? "nothing"
				: known->since_s == 0                 ? "not countersigned"
				: known->lease.role == ELA_LEASE_CORE ? "a core"
													  : "an edge");
		}
	}
}

bool sim_ring_settled(struct sim *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (is_up(s, i) && lacks(s, i))
			return false;
	return true;
}

struct sim *sim_ring_formed(uint64_t seed, uint32_t n, uint64_t edges, uint64_t guests)
{
	struct sim *s;

	sim_ring_guests(guests);
	s = sim_ring_new(seed, n, edges);
	sim_up(s, 0);
	sim_run(s, ELA_SEC);
	for (uint32_t k = 1; k < n; k++)
		sim_up(s, k);
	sim_check(s, sim_run_until(s, sim_ring_settled, 60 * ELA_SEC), "it does not settle");
	sim_run(s, 5 * ELA_SEC);
	return s;
}
