/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-lease-table: who has which address for how long, over restarts and with a full disk; and which address a
 * newcomer gets. One thread.
 */
#include "address.h"
#include "frame.h"
#include "handshake.h"
#include "naive.h"
#include "world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_NS (24 * 3600 * ELA_SEC)

static struct world *w;
static struct ela_membership *m;
static struct ela_loop *loop;
static struct ela_lease_table *t;
static struct ela_directory *d;
static char *dir;
static int state_fd = -1;
static uint32_t base, hosts; /* of the network's prefix */

/* ---- a disk that counts, and that may be full ---- */

static bool is_full;
static uint32_t n_writes;

static ssize_t disk_write(int fd, const void *bytes, size_t len)
{
	n_writes++;
	if (!is_full)
		return write(fd, bytes, len);
	errno = ENOSPC;
	return -1;
}

/* Nothing crashes here but by intention, and the naive table's test writes thousands of times. */
static int disk_fsync(int fd)
{
	(void)fd;
	return 0;
}

static const struct ela_file_ops disk = {disk_write, disk_fsync, renameat};

static int open_again(GError **error)
{
	ela_lease_table_free(t);
	t = NULL;
	return ela_lease_table_new(loop, m, &disk, state_fd, &t, error);
}

static void nothing(void *data, uint32_t id)
{
	(void)data, (void)id;
}

static void no_ring(void *data)
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

static const struct ela_directory_listener listener = {nothing, nothing, no_ring, no_credential, no_record, NULL};

/* Membership, table and directory of w->genesis as it is now. */
static void begin(void)
{
	m = world_member(w);
	base = ela_get32(w->genesis.prefix.addr.ip);
	hosts = UINT32_MAX >> w->genesis.prefix.bits;
	ck_assert_int_eq(open_again(NULL), 0);
	d = ela_directory_new(loop, m, t, &listener);
}

static void end(void)
{
	ela_directory_free(d);
	ela_lease_table_free(t);
	ela_membership_free(m);
	t = NULL;
}

static void sign_genesis(uint32_t bits)
{
	g_bytes_unref(w->genesis_bytes);
	w->genesis.prefix.bits = bits;
	memset(w->genesis.prefix.addr.ip + bits / 8, 0, 4 - bits / 8);
	ck_assert_int_eq(ela_genesis_sign(&w->genesis, w->owner, &w->genesis_bytes, NULL), 0);
}

static void setup(void)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-leases-XXXXXX", NULL);

	w = world_new();
	loop = ela_loop_virtual_new(3);
	dir = g_strdup(mkdtemp(template));
	state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(state_fd, 0);
	is_full = false;
	n_writes = 0;
	sign_genesis(16);
	begin();
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	end();
	ela_loop_free(loop);
	world_free(w);
	ck_assert_int_eq(close(state_fd), 0);
	ck_assert_int_eq(system(command), 0);
	g_free(dir);
}

static void pass(uint64_t ns)
{
	ela_loop_virtual_run(loop, ela_loop_now(loop) + ns);
}

/* ---- leases ---- */

/* Node number k of nobody in particular; sada's if she has one. */
static struct ela_credential node_of(uint32_t k)
{
	struct ela_credential node = {.slot = k};

	memset(node.ed25519, 0x5a, sizeof node.ed25519);
	ela_put32(node.ed25519, k);
	ck_assert_int_eq(ela_object_key_hash(node.ed25519, node.node_hash), 0);
	memcpy(node.user, ela_rsa_public(w->sada)->hash, ELA_HASH_LEN);
	return node;
}

static bool note(const struct ela_credential *node, uint32_t address, uint64_t since_s)
{
	struct ela_standing standing = {.lease = {.address = address}, .credential = node, .since_s = since_s};

	memcpy(standing.lease.node_hash, node->node_hash, ELA_HASH_LEN);
	return ela_lease_table_note(t, &standing);
}

static bool has(const struct ela_credential *node, uint32_t address)
{
	const struct ela_held_lease *at = ela_lease_table_at(t, address), *of = ela_lease_table_of(t, node->node_hash);

	ck_assert_int_eq(at && memcmp(at->node_hash, node->node_hash, ELA_HASH_LEN) == 0, of && of->address == address);
	return of && of->address == address;
}

START_TEST(test_thirty_days)
{
	struct ela_credential a = node_of(1), b = node_of(2);

	ck_assert(note(&a, base + 5, 0) && note(&b, base + 6, 0));
	pass(20 * DAY_NS);
	ck_assert(note(&a, base + 5, 0));
	pass(10 * DAY_NS - 1);
	ck_assert(has(&a, base + 5) && has(&b, base + 6));
	pass(1);
	ck_assert(has(&a, base + 5) && !has(&b, base + 6));
	ck_assert_ptr_null(ela_lease_table_at(t, base + 6));
	ck_assert(note(&b, base + 6, 0)); /* takes up his own again */
	pass(20 * DAY_NS);
	ck_assert(!has(&a, base + 5) && note(&b, base + 5, 0)); /* what is over is anybody's */
	ck_assert(has(&b, base + 5) && !has(&b, base + 6));
	ck_assert_uint_eq(ela_lease_table_count(t), 1);
}
END_TEST

START_TEST(test_one_lease_a_key)
{
	struct ela_credential a = node_of(1);

	for (uint32_t i = 1; i < 100; i++)
		ck_assert(note(&a, base + i, 0));
	ck_assert_uint_eq(ela_lease_table_count(t), 1);
	ck_assert(has(&a, base + 99));
}
END_TEST

/* Two of sada's nodes that membership knows, by rising key hash. */
static void known_nodes(struct ela_credential ret[2])
{
	uint8_t numbers[2] = {1, 2};

	for (uint8_t i = 0; i < 2; i++) {
		g_autoptr(GBytes) bytes = world_credential(w, w->sada, numbers[i], i, 1);
		uint8_t hash[ELA_HASH_LEN];

		world_offered(m, world_offer_credential, bytes, 0, NULL);
		world_node_hash(numbers[i], hash);
		ret[i] = *ela_membership_node(m, hash);
	}
	if (memcmp(ret[0].node_hash, ret[1].node_hash, ELA_HASH_LEN) > 0) {
		struct ela_credential swap = ret[0];

		ret[0] = ret[1];
		ret[1] = swap;
	}
}

static void revoke_node(const struct ela_credential *node, uint64_t version)
{
	struct ela_userlist *list = world_version(w, version);
	g_autoptr(GBytes) bytes = NULL;

	(void)ela_revoked_add(&list->revoked, node->node_hash, 1200);
	bytes = world_sign(w, list, w->owner);
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	ela_userlist_free(list);
}

/* The lease is whose the ring's rule says, also when the node that has it is away. */
START_TEST(test_conflict)
{
	static const struct {
		uint64_t first_s, second_s;
		bool yields; /* from the smaller hash to the greater */
	} cases[] = {
		{0, 0, false}, {1000, 0, false}, {0, 1000, true}, {1000, 1060, false}, {1060, 1000, false}, {1061, 1000, true}};
	struct ela_credential nodes[2], stranger = node_of(9);

	known_nodes(nodes);
	ck_assert(note(&nodes[0], base + 7, cases[_i].first_s));
	ck_assert_int_eq(note(&nodes[1], base + 7, cases[_i].second_s), cases[_i].yields);
	ck_assert(has(&nodes[cases[_i].yields ? 1 : 0], base + 7));
	ck_assert_uint_eq(ela_lease_table_count(t), 1);
	ck_assert(note(&nodes[0], base + 7, 500)); /* the oldest of all, and the smaller hash */
	ck_assert(has(&nodes[0], base + 7));
	revoke_node(&nodes[0], 2);
	ck_assert(note(&nodes[1], base + 7, 0)); /* nothing is kept for who is out */
	ck_assert(note(&stranger, base + 8, 0) && note(&nodes[1], base + 8, 0));
}
END_TEST

/* That a home is not known now does not make the lease younger. */
START_TEST(test_since_stays)
{
	struct ela_credential a = node_of(1);

	ck_assert(note(&a, base + 7, 1000) && note(&a, base + 7, 0));
	ck_assert_uint_eq(ela_lease_table_at(t, base + 7)->since_s, 1000);
	ck_assert(note(&a, base + 7, 900));
	ck_assert_uint_eq(ela_lease_table_at(t, base + 7)->since_s, 900);
}
END_TEST

START_TEST(test_recheck)
{
	struct ela_credential nodes[2], stranger = node_of(9);

	known_nodes(nodes);
	ck_assert(note(&nodes[0], base + 1, 0) && note(&nodes[1], base + 2, 0) && note(&stranger, base + 3, 0));
	revoke_node(&nodes[0], 2);
	ela_directory_recheck(d);
	ck_assert(!has(&nodes[0], base + 1) && has(&nodes[1], base + 2) && !has(&stranger, base + 3));
	pass(61 * ELA_SEC);
	ck_assert_int_eq(open_again(NULL), 0);
	ck_assert_uint_eq(ela_lease_table_count(t), 1);
}
END_TEST

START_TEST(test_full)
{
	struct ela_credential node;

	for (uint32_t i = 0; i < ELA_LEASES_MAX; i++) {
		node = node_of(i);
		ck_assert(note(&node, base + 1 + i, 0));
		if (i == 0)
			pass(ELA_SEC);
	}
	node = node_of(ELA_LEASES_MAX);
	ck_assert(!note(&node, base + 20000, 0));
	ck_assert_uint_eq(ela_lease_table_count(t), ELA_LEASES_MAX);
	pass(119 * ELA_SEC); /* now the first has been silent for 120 s, and all others not */
	ck_assert(note(&node, base + 20000, 0));
	node = node_of(0);
	ck_assert(!has(&node, base + 1));
	ck_assert(!note(&node, base + 1, 0));
	ck_assert_uint_eq(ela_lease_table_count(t), ELA_LEASES_MAX);
	ck_assert_int_eq(ela_lease_table_flush(t), 0);
	ck_assert_int_eq(open_again(NULL), 0); /* what is written can be read */
	ck_assert_uint_eq(ela_lease_table_count(t), ELA_LEASES_MAX);
}
END_TEST

START_TEST(test_promise)
{
	struct ela_credential a = node_of(1), b = node_of(2);

	ck_assert(ela_lease_table_promise(t, a.node_hash, base + 5) && has(&a, base + 5));
	ck_assert(!ela_lease_table_promise(t, b.node_hash, base + 5));
	pass(30 * ELA_SEC);
	ck_assert(ela_lease_table_promise(t, a.node_hash, base + 5)); /* who asks again waits no longer */
	pass(30 * ELA_SEC - 1);
	ck_assert(has(&a, base + 5));
	pass(1);
	ck_assert(!has(&a, base + 5));
	ck_assert(ela_lease_table_promise(t, b.node_hash, base + 5));
	pass(59 * ELA_SEC);
	ck_assert(note(&b, base + 5, 0)); /* it came */
	pass(DAY_NS);
	ck_assert(has(&b, base + 5));
	ck_assert(ela_lease_table_promise(t, b.node_hash, base + 5)); /* nothing gets shorter by it */
	pass(DAY_NS);
	ck_assert(has(&b, base + 5));
	ck_assert(ela_lease_table_promise(t, b.node_hash, base + 6));
	ck_assert(has(&b, base + 6) && !has(&b, base + 5));
	ck_assert_uint_eq(ela_lease_table_count(t), 1);
}
END_TEST

/* ---- beside a naive table ---- */

#define MODEL_NODES 8u
#define MODEL_ADDRESSES 10u

/* A row for each address that ever had a lease; nothing is ever cleared away. */
static struct {
	uint32_t node; /* 0: none */
	uint64_t since_s, heard_s;
} model[MODEL_ADDRESSES];
static struct ela_credential model_nodes[MODEL_NODES + 1];
static uint32_t model_known; /* nodes 1 to this are of the network */

static uint64_t model_now(void)
{
	return ela_loop_now(loop) / ELA_SEC;
}

static bool model_on(uint32_t i)
{
	return model[i].node != 0 && model_now() - model[i].heard_s < 30 * 86400;
}

static bool model_yields(uint32_t i, uint32_t node, uint64_t since_s)
{
	uint64_t a = model[i].since_s ? model[i].since_s : UINT64_MAX, b = since_s ? since_s : UINT64_MAX;

	if (!model_on(i) || model[i].node == node || model[i].node > model_known)
		return true;
	if ((a > b ? a - b : b - a) > 60)
		return b < a;
	return memcmp(model_nodes[node].node_hash, model_nodes[model[i].node].node_hash, ELA_HASH_LEN) < 0;
}

static bool model_note(uint32_t i, uint32_t node, uint64_t since_s)
{
	bool is_new = !model_on(i) || model[i].node != node;

	if (!model_yields(i, node, since_s))
		return false;
	for (uint32_t k = 0; k < MODEL_ADDRESSES; k++)
		if (k != i && model[k].node == node)
			model[k].node = 0;
	if (since_s || is_new)
		model[i].since_s = since_s;
	model[i].node = node;
	model[i].heard_s = model_now();
	return true;
}

static void model_compare(void)
{
	for (uint32_t i = 0; i < MODEL_ADDRESSES; i++) {
		const struct ela_held_lease *lease = ela_lease_table_at(t, base + 1 + i);

		ck_assert_int_eq(lease != NULL, model_on(i));
		if (!lease)
			continue;
		ck_assert_mem_eq(lease->node_hash, model_nodes[model[i].node].node_hash, ELA_HASH_LEN);
		ck_assert_ptr_eq(ela_lease_table_of(t, lease->node_hash), lease);
		ck_assert_uint_eq(lease->since_s, model[i].since_s);
	}
}

START_TEST(test_naive)
{
	struct naive_rng rng = naive_seed("lease-table");

	memset(model, 0, sizeof model);
	model_known = 4;
	for (uint32_t k = 1; k <= MODEL_NODES; k++) {
		model_nodes[k] = node_of(k);
		if (k <= model_known) {
			g_autoptr(GBytes) bytes = world_credential(w, w->sada, (uint8_t)k, k - 1, 1);
			uint8_t hash[ELA_HASH_LEN];

			world_offered(m, world_offer_credential, bytes, 0, NULL);
			world_node_hash((uint8_t)k, hash);
			model_nodes[k] = *ela_membership_node(m, hash);
		}
	}
	for (uint64_t step = naive_scaled(6000); step > 0; step--) {
		uint32_t i = naive_below(&rng, MODEL_ADDRESSES), node = 1 + naive_below(&rng, MODEL_NODES);
		uint64_t since_s = naive_one_in(&rng, 3) ? 0 : 1000 + naive_below(&rng, 200);

		ck_assert_int_eq(note(&model_nodes[node], base + 1 + i, since_s), model_note(i, node, since_s));
		model_compare();
		if (naive_one_in(&rng, 3))
			pass(naive_below(&rng, 1 + naive_below(&rng, 20 * 86400)) * ELA_SEC);
		if (naive_one_in(&rng, 50)) {
			ck_assert_int_eq(ela_lease_table_flush(t), 0);
			pass(naive_below(&rng, 5 * 86400) * ELA_SEC);
			ck_assert_int_eq(open_again(NULL), 0);
		}
		model_compare();
	}
}
END_TEST

/* ---- the disk ---- */

START_TEST(test_restart)
{
	struct ela_credential a = node_of(1), b = node_of(2);

	ck_assert(note(&a, base + 5, 1234));
	pass(10 * DAY_NS);
	ck_assert(note(&b, base + 6, 0));
	ck_assert_int_eq(ela_lease_table_flush(t), 0);
	pass(15 * DAY_NS); /* between two starts nobody counts but the wall clock */
	ck_assert_int_eq(open_again(NULL), 0);
	ck_assert(has(&a, base + 5) && has(&b, base + 6));
	ck_assert_uint_eq(ela_lease_table_at(t, base + 5)->since_s, 1234);
	pass(5 * DAY_NS - ELA_SEC);
	ck_assert(has(&a, base + 5));
	pass(2 * ELA_SEC);
	ck_assert(!has(&a, base + 5) && has(&b, base + 6));
	ck_assert_int_eq(open_again(NULL), 0);
	ck_assert_uint_eq(ela_lease_table_count(t), 1);
	ela_loop_virtual_wall_jump(loop, -(int64_t)(400 * DAY_NS)); /* a clock that was set back ends no lease */
	ck_assert_int_eq(open_again(NULL), 0);
	ck_assert(has(&b, base + 6));
	ela_loop_virtual_wall_jump(loop, (int64_t)(500 * DAY_NS)); /* nor does it while the node runs */
	ck_assert(has(&b, base + 6));
	ck_assert_int_eq(open_again(NULL), 0);
	ck_assert_uint_eq(ela_lease_table_count(t), 0);
}
END_TEST

START_TEST(test_when_written)
{
	struct ela_credential a = node_of(1), b;

	ck_assert(note(&a, base + 1, 0));
	ck_assert_uint_eq(n_writes, 0); /* never within a turn of somebody else */
	pass(1);
	ck_assert_uint_eq(n_writes, 1);
	for (uint32_t i = 2; i < 52; i++) {
		b = node_of(i);
		ck_assert(note(&b, base + i, 0));
		pass(ELA_SEC);
	}
	ck_assert_uint_eq(n_writes, 1);
	pass(11 * ELA_SEC);
	ck_assert_uint_eq(n_writes, 2);
	for (uint32_t i = 0; i < 3600 / 40 - 3; i++) { /* renewals are not worth a write */
		ck_assert(note(&a, base + 1, 0));
		pass(40 * ELA_SEC);
	}
	ck_assert_uint_eq(n_writes, 2);
	for (uint32_t i = 0; i < 5; i++) {
		ck_assert(note(&a, base + 1, 0));
		pass(40 * ELA_SEC);
	}
	ck_assert_uint_eq(n_writes, 3); /* but for once an hour */
	ck_assert(note(&a, base + 1, 77));
	pass(60 * ELA_SEC);
	ck_assert_uint_eq(n_writes, 4);
	pass(DAY_NS);
	ck_assert_uint_eq(n_writes, 4);
}
END_TEST

/* A crash loses at most what came within 60 s. */
START_TEST(test_crash)
{
	struct ela_credential a = node_of(1), b = node_of(2);

	ck_assert(note(&a, base + 1, 0));
	pass(ELA_SEC);
	ck_assert(note(&b, base + 2, 0));
	pass(60 * ELA_SEC);
	ck_assert_int_eq(open_again(NULL), 0);
	ck_assert(has(&a, base + 1) && has(&b, base + 2));
}
END_TEST

START_TEST(test_full_disk)
{
	struct ela_credential a = node_of(1), b = node_of(2);

	ck_assert(note(&a, base + 1, 0));
	pass(ELA_SEC);
	is_full = true;
	ck_assert(note(&b, base + 2, 0) && has(&b, base + 2));
	ck_assert_int_eq(ela_lease_table_error(t), 0);
	pass(60 * ELA_SEC);
	ck_assert_int_eq(ela_lease_table_error(t), -ENOSPC);
	ck_assert_int_eq(ela_lease_table_flush(t), -ENOSPC);
	n_writes = 0;
	pass(600 * ELA_SEC);
	ck_assert_uint_ge(n_writes, 9); /* it goes on trying, without haste */
	ck_assert_uint_le(n_writes, 11);
	ck_assert(has(&a, base + 1) && has(&b, base + 2));
	is_full = false;
	pass(60 * ELA_SEC);
	ck_assert_int_eq(ela_lease_table_error(t), 0);
	n_writes = 0;
	pass(DAY_NS);
	ck_assert_uint_eq(n_writes, 0);
	is_full = true;
	ck_assert(note(&b, base + 3, 0));
	pass(120 * ELA_SEC);
	is_full = false;
	ck_assert_int_eq(open_again(NULL), 0); /* the old file is whole */
	ck_assert(has(&a, base + 1) && has(&b, base + 2));
}
END_TEST

START_TEST(test_broken_file)
{
	g_autofree char *path = g_build_filename(dir, "leases", NULL), *text = NULL;
	struct ela_credential a = node_of(1), b = node_of(2);
	g_autoptr(GError) error = NULL;
	gsize len;

	ck_assert(note(&a, base + 1, 0) && note(&b, base + 2, 0));
	ck_assert_int_eq(ela_lease_table_flush(t), 0);
	ck_assert(g_file_get_contents(path, &text, &len, NULL));
	ck_assert_uint_eq(len, 104);
	if (_i == 0)
		len--;
	else if (_i == 1)
		memcpy(text + 52, text, 4); /* the address of the other */
	else if (_i == 2)
		memcpy(text + 52 + 20, text + 20, 32); /* the key */
	else
		memset(text, 0, 4);
	ck_assert(g_file_set_contents(path, text, (gssize)len, NULL));
	ck_assert_int_eq(open_again(&error), -EBADMSG);
	ck_assert_ptr_null(t);
	ck_assert_msg(strstr(error->message, "leases in the state folder") && strstr(error->message, "remove it"),
		"found %s", error->message);
}
END_TEST

/* ---- which address ---- */

static struct ela_addresses from(void)
{
	return (struct ela_addresses){.loop = loop, .m = m, .directory = d, .leases = t};
}

static uint32_t choose(const struct ela_credential *node, uint32_t wish)
{
	struct ela_addresses all = from();
	uint32_t address = 0;
	int err = ela_address_choose(&all, node, wish, &address);

	ck_assert(err == 0 || (err == -ENOSPC && address == 0));
	return address;
}

/* H(network id | key | i), by another library. */
static uint32_t naive_address(const struct ela_credential *node, uint32_t i)
{
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint8_t number[4] = {0, 0, 0, (uint8_t)i}, hash[32];
	gsize len = sizeof hash;

	g_checksum_update(sum, w->genesis.network_id, 32);
	g_checksum_update(sum, node->ed25519, 32);
	g_checksum_update(sum, number, 4);
	g_checksum_get_digest(sum, hash, &len);
	g_checksum_free(sum);
	return base | (((uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3]) & hosts);
}

START_TEST(test_wishes)
{
	struct ela_userlist *list = world_version(w, 2);
	struct ela_credential a = node_of(1), b = node_of(2), guest = node_of(3);
	g_autoptr(GBytes) bytes = NULL;
	uint32_t by_hash = naive_address(&a, 0);

	world_user(list, "aki", w->aki);
	list->users[0].reserved = (struct ela_reserved){1, {base + 10}};
	list->users[1].reserved = (struct ela_reserved){1, {base + 11}};
	bytes = world_sign(w, list, w->owner);
	ela_userlist_free(list);
	world_offered(m, ela_membership_offer_list, bytes, 0, NULL);
	memcpy(guest.user, ela_rsa_public(w->aki)->hash, ELA_HASH_LEN);

	ck_assert_uint_eq(choose(&a, base + 9), base + 9);
	ck_assert_uint_eq(choose(&a, base + 10), base + 10); /* kept for her user */
	ck_assert_uint_eq(choose(&guest, base + 11), base + 11);
	ck_assert_uint_eq(choose(&guest, base + 10), naive_address(&guest, 0));
	ck_assert_uint_eq(choose(&a, base + 11), by_hash);
	ck_assert_uint_eq(choose(&a, 0), by_hash);
	ck_assert_uint_eq(choose(&a, base), by_hash);
	ck_assert_uint_eq(choose(&a, base | hosts), by_hash);
	ck_assert_uint_eq(choose(&a, base + hosts + 2), by_hash); /* another network's */
	ck_assert(note(&b, base + 9, 0));
	ck_assert_uint_eq(choose(&a, base + 9), by_hash);
	ck_assert_uint_eq(choose(&b, base + 9), base + 9);
	ck_assert_uint_eq(choose(&b, 0), base + 9); /* what he has leased */
	ck_assert_uint_eq(choose(&b, base + 12), base + 12);
	ck_assert(note(&b, by_hash, 0));
	ck_assert_uint_eq(choose(&a, 0), naive_address(&a, 1));
	pass(30 * DAY_NS);
	ck_assert_uint_eq(choose(&a, base + 9), base + 9);
	ck_assert_uint_eq(choose(&a, 0), by_hash);
}
END_TEST

/* What the ring says counts is leased; and who has an address by the ring has it, though the table was full. */
START_TEST(test_of_record)
{
	g_autoptr(GBytes) credential = world_credential(w, w->sada, 1, 0, 1), record = NULL;
	struct ela_lease lease = world_lease(w, credential, base + 40);
	struct ela_credential a = node_of(1);
	const struct ela_credential *node;
	uint8_t hash[ELA_HASH_LEN];

	world_offered(m, world_offer_credential, credential, 0, NULL);
	world_node_hash(1, hash);
	node = ela_membership_node(m, hash);
	record = world_record(w, &lease, 1);
	if (_i == 1) {
		ela_directory_free(d);
		d = ela_directory_new(loop, m, NULL, &listener);
	}
	ck_assert_int_eq(ela_directory_record_set(
						 d, lease.id, g_bytes_get_data(record, NULL), (uint32_t)g_bytes_get_size(record), lease.id),
		0);
	ck_assert_int_eq(has(node, base + 40), _i == 0);
	ck_assert_uint_eq(choose(&a, base + 40), naive_address(&a, 0));
	ck_assert_uint_eq(choose(node, base + 40), base + 40);
	pass(121 * ELA_SEC); /* the record goes, the lease stays */
	ck_assert_ptr_null(ela_directory_find(d, lease.id));
	ck_assert_uint_eq(choose(&a, base + 40), _i == 0 ? naive_address(&a, 0) : base + 40);
}
END_TEST

/* A small network to its last address, each chosen once. */
START_TEST(test_to_the_last)
{
	bool seen[16] = {false};

	end();
	sign_genesis(28);
	begin();
	for (uint32_t k = 1; k <= 14; k++) {
		struct ela_credential node = node_of(k);
		uint32_t address = choose(&node, 0);

		ck_assert(address > base && address < (base | hosts) && !seen[address - base]);
		seen[address - base] = true;
		ck_assert(note(&node, address, 0));
	}
	for (uint32_t k = 15; k < 20; k++) {
		struct ela_credential node = node_of(k);

		ck_assert_uint_eq(choose(&node, base + 3), 0);
	}
}
END_TEST

/* The Feistel network of the IDs, run backwards: the address that has this ID. */
static uint32_t address_of(uint32_t id)
{
	uint16_t left = (uint16_t)(id >> 16), right = (uint16_t)id;

	for (uint32_t round = 4; round-- > 0;) {
		GHmac *mac = g_hmac_new(G_CHECKSUM_SHA256, w->genesis.network_id, 32);
		uint8_t text[] = {'e', 'l', 'a', '-', 'i', 'd', (uint8_t)round, (uint8_t)(left >> 8), (uint8_t)left}, f[32];
		uint16_t before = left;
		gsize len = sizeof f;

		g_hmac_update(mac, text, sizeof text);
		g_hmac_get_digest(mac, f, &len);
		g_hmac_unref(mac);
		left = (uint16_t)(right ^ (f[0] << 8 | f[1]));
		right = before;
	}
	return (uint32_t)left << 16 | right;
}

/* IDs that no node has: of a network in whose prefix such an address lies, one in 256 of those with 8 bits. */
START_TEST(test_excluded_ids)
{
	uint32_t id = _i == 0 ? 0 : UINT32_MAX, address = 0, found;
	struct ela_credential node = node_of(1);
	struct ela_addresses all;
	uint8_t ip4[4];

	end();
	for (uint32_t i = 0; i < 10000 && !ela_genesis_has_address(&w->genesis, address); i++) {
		sign_genesis(8); /* another salt, another network id */
		address = address_of(id);
	}
	begin();
	ela_put32(ip4, address);
	ck_assert_int_eq(ela_node_id(w->genesis.network_id, ip4, &found), 0);
	ck_assert(found == id && ela_genesis_has_address(&w->genesis, address));
	all = from();
	ck_assert(!ela_address_is_free(&all, &node, address));
	ck_assert(ela_address_is_free(&all, &node, address ^ 1) || ela_address_is_free(&all, &node, address ^ 2));
	ck_assert_uint_ne(choose(&node, address), address);
}
END_TEST

START_TEST(test_no_genesis)
{
	struct ela_membership *empty = NULL;
	struct ela_credential node = node_of(1);
	struct ela_addresses all = from();
	uint32_t address = 3;

	ck_assert_int_eq(ela_membership_new(w->genesis.network_id, &ela_file_system, -1, &empty, NULL), 0);
	all.m = empty;
	ck_assert_int_eq(ela_address_choose(&all, &node, base + 3, &address), -EAGAIN);
	ck_assert_uint_eq(address, 3);
	ela_membership_free(empty);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lease-table");
	TCase *tc = tcase_create("lease-table");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_thirty_days);
	tcase_add_test(tc, test_one_lease_a_key);
	tcase_add_loop_test(tc, test_conflict, 0, 6);
	tcase_add_test(tc, test_since_stays);
	tcase_add_test(tc, test_recheck);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_promise);
	tcase_add_test(tc, test_naive);
	tcase_add_test(tc, test_restart);
	tcase_add_test(tc, test_when_written);
	tcase_add_test(tc, test_crash);
	tcase_add_test(tc, test_full_disk);
	tcase_add_loop_test(tc, test_broken_file, 0, 4);
	tcase_add_test(tc, test_wishes);
	tcase_add_loop_test(tc, test_of_record, 0, 2);
	tcase_add_test(tc, test_to_the_last);
	tcase_add_loop_test(tc, test_excluded_ids, 0, 2);
	tcase_add_test(tc, test_no_genesis);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
