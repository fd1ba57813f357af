/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: the tests of routing plugins that keep a ring of records: what they tell core by record_set(), record_del() and
 * ring_set(). The others skip them. Peers are 0x0a580002 (linked by datagrams) and 0x0a580003 (over a stream); nobody
 * answers their messages.
 */
#include "check.h"
#include "records.h"

#include <errno.h>
#include <string.h>

#define LINKED 0x0a580002u
#define STREAMED 0x0a580003u
#define CHILD 0x0a580004u

static struct check_instance start(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);
	struct check_host *h = instance.h;

	h->is_virtual = true;
	h->peers[0] = (struct ela_peer_info){.peer = 4, .id = LINKED, .name = "b"};
	h->peers[0].flags = ELA_PEER_DATAGRAM | ELA_PEER_DIRECT;
	h->peers[1] = (struct ela_peer_info){.peer = 9, .id = STREAMED, .name = "c", .flags = ELA_PEER_DIRECT};
	h->n_peers = 2;
	check_err(run, "start()", run->plugin->routing.start(instance.self), 0);
	if (!h->n_ring_sets)
		check_skip(run, "no ring");
	run->plugin->routing.on_link(instance.self, 4, ELA_LINK_UP);
	run->plugin->routing.on_link(instance.self, 9, ELA_LINK_UP);
	return instance;
}

/* Puts a record there by insert() or update(). */
static int put(struct check_run *run, struct check_instance *instance, const struct ela_record_info *info, bool is_new)
{
	const struct ela_routing_ops *ops = &run->plugin->routing;
	uint8_t record[RECORD_MIN];

	record_make(info, sizeof record, record);
	return (is_new ? ops->insert : ops->update)(instance->self, info->id, record, sizeof record);
}

static struct ela_record_info info_of(uint32_t id, uint32_t role, uint32_t parent)
{
	struct ela_record_info info = {.id = id, .role = role, .parent = parent, .incarnation = 1, .sequence = 1};

	info.key_hash[0] = 7;
	memcpy(info.key_hash + 1, &id, sizeof id);
	return info;
}

static void check_via(struct check_run *run, struct check_instance *instance, uint32_t id, int64_t wanted)
{
	const struct check_record *record = check_host_record(instance->h, id);

	if (record ? record->via != wanted : wanted >= 0)
		check_fail(run, wanted < 0 ? "none" : "its core", "record_set() of %08x by %08x", id, record ? record->via : 0);
}

static void check_ring(struct check_run *run, struct check_instance *instance, const uint32_t *ids, uint32_t n)
{
	check_equal(run, "cores in ring_set()", instance->h->n_ring, n);
	for (uint32_t i = 0; i < n; i++)
		check_equal(run, "a core in ring_set()", instance->h->ring[i], ids[i]);
}

static void end(struct check_run *run, struct check_instance *instance)
{
	run->plugin->routing.stop(instance->self);
	check_equal(run, "records after stop()", instance->h->n_records, 0);
	check_equal(run, "cores in ring_set() after stop()", instance->h->n_ring, 0);
	check_end(run, instance);
}

/* Cores stand on it when they are linked by datagrams; we do between join() and leave(). */
static void test_ring_members(struct check_run *run)
{
	static const uint32_t both[] = {CHECK_OWN_ID, LINKED};
	struct check_instance instance = start(run);
	struct ela_record_info own = info_of(CHECK_OWN_ID, ELA_RECORD_ROLE_CORE, 0),
						   linked = info_of(LINKED, ELA_RECORD_ROLE_CORE, 0);
	struct ela_record_info streamed = info_of(STREAMED, ELA_RECORD_ROLE_CORE, 0);

	check_err(run, "insert() of the own record", put(run, &instance, &own, true), 0);
	check_ring(run, &instance, NULL, 0);
	check_err(run, "join()", run->plugin->routing.join(instance.self), 0);
	check_ring(run, &instance, both, 1);
	check_err(run, "insert() of a linked core", put(run, &instance, &linked, true), 0);
	check_err(run, "insert() of a core without datagrams", put(run, &instance, &streamed, true), 0);
	check_ring(run, &instance, both, 2);
	check_via(run, &instance, LINKED, LINKED);
	check_via(run, &instance, STREAMED, STREAMED);
	run->plugin->routing.on_link(instance.self, 4, ELA_LINK_DOWN);
	check_ring(run, &instance, both, 1);
	run->plugin->routing.on_link(instance.self, 4, ELA_LINK_UP);
	check_ring(run, &instance, both, 2);
	linked.flags = ELA_RECORD_LEAVE;
	linked.sequence++;
	check_err(run, "update() with a leave", put(run, &instance, &linked, false), 0);
	check_ring(run, &instance, both, 1);
	check_via(run, &instance, LINKED, -1);
	own.flags = ELA_RECORD_LEAVE;
	own.sequence++;
	check_err(run, "update() with the own leave", put(run, &instance, &own, false), 0);
	check_err(run, "leave()", run->plugin->routing.leave(instance.self), 0);
	check_ring(run, &instance, NULL, 0);
	end(run, &instance);
}

/* An edge is reached through the parent that its newest record names; an old leave ends nothing. */
static void test_ring_edges(struct check_run *run)
{
	struct check_instance instance = start(run);
	struct ela_record_info edge = info_of(CHILD, ELA_RECORD_ROLE_EDGE, LINKED), old = edge;

	check_err(run, "insert() of an edge", put(run, &instance, &edge, true), 0);
	check_via(run, &instance, CHILD, LINKED);
	edge.sequence = 3;
	edge.parent = STREAMED;
	check_err(run, "update() with another parent", put(run, &instance, &edge, false), 0);
	check_via(run, &instance, CHILD, STREAMED);
	old.sequence = 2;
	old.flags = ELA_RECORD_LEAVE;
	check_err(run, "update() with an older leave", put(run, &instance, &old, false), -EEXIST);
	check_via(run, &instance, CHILD, STREAMED);
	edge.incarnation = 2;
	edge.sequence = 1;
	check_err(run, "update() after a restart", put(run, &instance, &edge, false), 0);
	check_via(run, &instance, CHILD, STREAMED);
	edge.key_hash[0] = 8;
	check_err(run, "insert() by a key that does not hold the id", put(run, &instance, &edge, true), -EEXIST);
	edge.key_hash[0] = 6;
	edge.parent = LINKED;
	check_err(run, "insert() by a key that does", put(run, &instance, &edge, true), 0);
	check_via(run, &instance, CHILD, LINKED);
	check_err(run, "remove()", run->plugin->routing.remove(instance.self, CHILD), 0);
	end(run, &instance);
}

/* Who is not heard of for two minutes is not routed to, and has its record still. */
static void test_ring_expiry(struct check_run *run)
{
	struct check_instance instance = start(run);
	struct ela_record_info edge = info_of(CHILD, ELA_RECORD_ROLE_EDGE, LINKED);

	check_err(run, "insert() of an edge", put(run, &instance, &edge, true), 0);
	(void)check_host_run(instance.h, 115 * CHECK_SEC, NULL, NULL); /* nothing to wait for */
	check_via(run, &instance, CHILD, LINKED);
	(void)check_host_run(instance.h, 10 * CHECK_SEC, NULL, NULL);
	check_via(run, &instance, CHILD, -1);
	edge.sequence++;
	check_err(run, "update()", put(run, &instance, &edge, false), 0);
	check_via(run, &instance, CHILD, LINKED);
	end(run, &instance);
}

static void test_ring_bad_records(struct check_run *run)
{
	struct check_instance instance = start(run);
	struct ela_record_info info = info_of(CHILD, ELA_RECORD_ROLE_CORE, 0);
	uint8_t record[RECORD_MIN];

	record_make(&info, sizeof record, record);
	check_err(run, "insert() under another id",
		run->plugin->routing.insert(instance.self, LINKED, record, sizeof record), -EBADMSG);
	record[40] ^= 1;
	check_err(run, "insert() of a forged record",
		run->plugin->routing.insert(instance.self, CHILD, record, sizeof record), -EBADMSG);
	check_equal(run, "records", instance.h->n_records, 0);
	end(run, &instance);
}

/* Static peers: the services answer -EOPNOTSUPP. A plugin may refuse to start there, with a line. */
static void test_ring_static(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);
	int err;

	instance.h->has_no_ring = true;
	err = run->plugin->routing.start(instance.self);
	if (instance.h->n_ring_sets)
		check_true(run, err == -EOPNOTSUPP && *instance.h->last_error, "start() without a line or another answer",
			"-EOPNOTSUPP and a line of level error");
	else
		check_err(run, "start()", err, 0);
	if (!err)
		run->plugin->routing.stop(instance.self);
	check_end(run, &instance);
}

const struct check_test check_ring_tests[] = {
	{"ring-members", test_ring_members},
	{"ring-edges", test_ring_edges},
	{"ring-expiry", test_ring_expiry},
	{"ring-bad-records", test_ring_bad_records},
	{"ring-static-network", test_ring_static},
	{NULL, NULL},
};
