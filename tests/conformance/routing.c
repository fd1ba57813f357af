/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routing: the tests of routing plugins: routes follow the configured peers, records are kept under IDs, messages from
 * peers are hostile. Everything on the control thread.
 */
#include "check.h"
#include "records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING 1000u
#define LOOKUP_NS (20 * CHECK_SEC)

static const char *const prefixes_b[] = {"10.88.0.2/32", "192.168.7.0/24"};
static const char *const prefixes_c[] = {"10.88.0.3/32", "fd00::3/128"};
static const char *const prefixes_c_moved[] = {"10.88.0.3/32", "192.168.7.0/24"};

static void set_peers(struct check_host *h, bool after_reload)
{
	h->peers[0] =
		(struct ela_peer_info){.peer = 4, .id = 0x0a580002, .name = "b", .prefixes = prefixes_b, .n_prefixes = 2};
	h->peers[1] =
		(struct ela_peer_info){.peer = 9, .id = 0x0a580003, .name = "c", .prefixes = prefixes_c, .n_prefixes = 2};
	h->n_peers = 2;
	if (after_reload) { /* b lost its network to c, c lost fd00::3 */
		h->peers[0].n_prefixes = 1;
		h->peers[1].prefixes = prefixes_c_moved;
	}
}

static struct check_instance start(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);

	set_peers(instance.h, false);
	check_err(run, "start()", run->plugin->routing.start(instance.self), 0);
	return instance;
}

/* The same for a plugin whose routes are the configured peers'; one with a ring has its tests in ring.c. */
static struct check_instance start_static(struct check_run *run)
{
	struct check_instance instance = start(run);

	if (instance.h->n_ring_sets)
		check_skip(run, "a ring: routes come of records");
	return instance;
}

static void check_route(struct check_run *run, struct check_host *h, const char *prefix, int64_t wanted)
{
	uint32_t found = check_host_route(h, prefix);

	if (found == UINT32_MAX ? wanted >= 0 : (int64_t)found != wanted)
		check_fail(run, wanted < 0 ? "none" : "the configured peer", "route of %s by peer %d", prefix, (int)found);
}

static void test_routes(struct check_run *run)
{
	struct check_instance instance = start_static(run);

	for (uint32_t round = 0; round < 2; round++) {
		check_route(run, instance.h, "10.88.0.2/32", 4);
		check_route(run, instance.h, "192.168.7.0/24", 4);
		check_route(run, instance.h, "10.88.0.3/32", 9);
		check_route(run, instance.h, "fd00::3/128", 9);
		check_equal(run, "routes", instance.h->n_routes, 4);
		run->plugin->routing.stop(instance.self);
		check_equal(run, "routes after stop()", instance.h->n_routes, 0);
		check_err(run, "start() after stop()", run->plugin->routing.start(instance.self), 0);
	}
	run->plugin->routing.stop(instance.self);
	check_end(run, &instance);
}

static void test_peers_changed(struct check_run *run)
{
	struct check_instance instance = start_static(run);

	set_peers(instance.h, true);
	run->plugin->routing.peers_changed(instance.self);
	check_route(run, instance.h, "10.88.0.2/32", 4);
	check_route(run, instance.h, "192.168.7.0/24", 9);
	check_route(run, instance.h, "fd00::3/128", -1);
	check_equal(run, "routes after peers_changed()", instance.h->n_routes, 3);
	instance.h->n_peers = 1; /* c is gone; what led to it as well */
	run->plugin->routing.peers_changed(instance.self);
	check_route(run, instance.h, "10.88.0.2/32", 4);
	check_equal(run, "routes after a peer went", instance.h->n_routes, 1);
	instance.h->n_peers = 0;
	run->plugin->routing.peers_changed(instance.self);
	check_equal(run, "routes without peers", instance.h->n_routes, 0);
	run->plugin->routing.stop(instance.self);
	check_end(run, &instance);
}

/* The answer to a lookup. */
struct answer {
	uint32_t calls;
	int err;
	uint32_t len;
	uint8_t bytes[ELA_RECORD_MAX];
};

static void on_answer(void *data, int err, const void *record, uint32_t len)
{
	struct answer *answer = data;

	answer->calls++;
	answer->err = err;
	answer->len = err ? 0 : len;
	if (!err && len <= sizeof answer->bytes)
		memcpy(answer->bytes, record, len);
}

static bool has_answer(void *data)
{
	const struct answer *answer = data;

	return answer->calls > 0;
}

static void find(struct check_run *run, struct check_instance *instance, uint32_t id, struct answer *ret)
{
	*ret = (struct answer){0};
	run->plugin->routing.lookup(instance->self, id, on_answer, ret);
	(void)check_host_run(instance->h, LOOKUP_NS, has_answer, ret); /* the count says */
	check_equal(run, "calls of a lookup's done()", ret->calls, 1);
}

/* The record of an id in its nth version: its length and bytes depend on both. Each id has a key of its own. */
static uint32_t make_record(uint32_t id, uint32_t version, uint8_t *ret)
{
	uint32_t len = (id * 31 + version * 17) % (ELA_RECORD_MAX - RECORD_MIN + 1) + RECORD_MIN;
	struct ela_record_info info = {.id = id, .role = ELA_RECORD_ROLE_CORE, .incarnation = 1, .sequence = version + 1};

	memcpy(info.key_hash, &id, sizeof id);
	record_make(&info, len, ret);
	return len;
}

static void check_found(struct check_run *run, struct check_instance *instance, uint32_t id, uint32_t version)
{
	static struct answer answer;
	uint8_t wanted[ELA_RECORD_MAX];
	uint32_t len = make_record(id, version, wanted);

	find(run, instance, id, &answer);
	check_err(run, "lookup()", answer.err, 0);
	check_equal(run, "length of the record found", answer.len, len);
	if (memcmp(answer.bytes, wanted, len) != 0)
		check_fail(run, "the one that was put there last", "another record under id %08x", id);
}

/* IDs all over the ring, the same each time. */
static uint32_t ring_id(uint32_t i)
{
	return i * 4294967u + 1;
}

static void test_ring(struct check_run *run)
{
	struct check_instance instance = start(run);
	struct answer answer;
	uint8_t record[ELA_RECORD_MAX];

	check_err(run, "join()", run->plugin->routing.join(instance.self), 0);
	for (uint32_t i = 0; i < RING; i++) {
		uint32_t len = make_record(ring_id(i), 0, record);

		check_err(run, "insert()", run->plugin->routing.insert(instance.self, ring_id(i), record, len), 0);
		memset(record, 0, sizeof record); /* it was borrowed */
	}
	for (uint32_t i = 0; i < RING; i++)
		check_found(run, &instance, ring_id(i), 0);
	for (uint32_t i = 0; i < RING; i += 2) {
		uint32_t len = make_record(ring_id(i), 1, record);

		check_err(run, "update()", run->plugin->routing.update(instance.self, ring_id(i), record, len), 0);
	}
	for (uint32_t i = 0; i < RING; i += 3)
		check_err(run, "remove()", run->plugin->routing.remove(instance.self, ring_id(i)), 0);
	for (uint32_t i = 0; i < RING; i++) {
		if (i % 3) {
			check_found(run, &instance, ring_id(i), i % 2 == 0);
			continue;
		}
		find(run, &instance, ring_id(i), &answer);
		if (answer.err != -ENOENT && answer.err != -ETIMEDOUT)
			check_fail(run, "-ENOENT or -ETIMEDOUT", "lookup() of a removed id = %s", check_err_name(answer.err));
		check_err(run, "remove() again", run->plugin->routing.remove(instance.self, ring_id(i)), -ENOENT);
	}
	check_err(run, "leave()", run->plugin->routing.leave(instance.self), 0);
	run->plugin->routing.stop(instance.self);
	check_end(run, &instance);
}

static void test_errors(struct check_run *run)
{
	const struct ela_routing_ops *ops = &run->plugin->routing;
	struct check_instance instance = start(run);
	uint8_t record[ELA_RECORD_MAX + 1] = {0}, other[RECORD_MIN];
	struct ela_record_info info = {.id = 5, .role = ELA_RECORD_ROLE_CORE, .incarnation = 1, .sequence = 1};
	struct answer answer;

	record_make(&info, ELA_RECORD_MAX, record);
	info.key_hash[0] = 1; /* another key: the one that is there keeps the id */
	record_make(&info, RECORD_MIN, other);

	check_err(run, "insert() of id 0", ops->insert(instance.self, 0, record, 10), -EINVAL);
	check_err(run, "insert() of id ffffffff", ops->insert(instance.self, UINT32_MAX, record, 10), -EINVAL);
	check_err(run, "insert() of 1,025 bytes", ops->insert(instance.self, 5, record, sizeof record), -EMSGSIZE);
	check_err(run, "update() of an absent id", ops->update(instance.self, 5, record, 10), -ENOENT);
	check_err(run, "insert() of 1,024 bytes", ops->insert(instance.self, 5, record, ELA_RECORD_MAX), 0);
	check_err(run, "insert() of a taken id", ops->insert(instance.self, 5, other, sizeof other), -EEXIST);
	find(run, &instance, 5, &answer);
	check_equal(run, "length after an insert() of a taken id", answer.len, ELA_RECORD_MAX);
	check_err(run, "update() of 1,025 bytes", ops->update(instance.self, 5, record, sizeof record), -EMSGSIZE);
	find(run, &instance, 5, &answer);
	check_equal(run, "length after an update() that failed", answer.len, ELA_RECORD_MAX);
	check_err(run, "remove() of an absent id", ops->remove(instance.self, 6), -ENOENT);
	find(run, &instance, 0, &answer);
	check_true(run, answer.err < 0, "lookup() of id 0 = 0", "an error");
	ops->stop(instance.self);
	check_end(run, &instance);
}

/* What a peer that means ill may send; also before start and after stop. */
static void test_hostile_messages(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);
	uint32_t x = 1;

	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t len = i < 1300 ? i % 1201 : (x >> 8) % 1201;
		uint8_t *bytes = malloc(len + 1);

		if (!bytes)
			check_fail(run, "memory", "none");
		if (i == 10) {
			set_peers(instance.h, false);
			check_err(run, "start()", run->plugin->routing.start(instance.self), 0);
		}
		for (uint32_t k = 0; k < len; k++) {
			x = x * 1664525u + 1013904223u;
			bytes[k] = (uint8_t)(i % 3 ? x >> 24 : i);
		}
		bytes = realloc(bytes, len ? len : 1); /* ends where the message does */
		run->plugin->routing.on_message(instance.self, i % 11, bytes, len);
		run->plugin->routing.on_link(instance.self, i % 11, i % 2 ? ELA_LINK_UP : ELA_LINK_DOWN);
		free(bytes);
	}
	check_equal(run, "routes after hostile messages", instance.h->n_routes, instance.h->n_ring_sets ? 0 : 4);
	check_equal(run, "records after hostile messages", instance.h->n_records, 0);
	run->plugin->routing.stop(instance.self);
	run->plugin->routing.on_message(instance.self, 4, "", 0);
	check_end(run, &instance);
}

const struct check_test check_routing_tests[] = {
	{"routes", test_routes},
	{"peers-changed", test_peers_changed},
	{"ring", test_ring},
	{"errors", test_errors},
	{"hostile-messages", test_hostile_messages},
	{NULL, NULL},
};
