/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is in, in whole rings under virtual time: the owner's next list reaches everybody and takes effect, also on full
 * disks; a new owner by the recovery key; what status, leases and why say of a ring.
 *
 *   n0 core, the founder sada's     n1 core, sada's     n2 core, u2's     n3, n4 edges, sada's and u4's
 */
#include "json.h"
#include "network-priv.h"
#include "owner.h"
#include "sim-ring.h"
#include "tell.h"
#include "verbs.h"

#include <errno.h>

#define NODES 5u
#define EDGES 0x18u
#define GUESTS 0x14u

static struct sim *form(int i)
{
	return sim_ring_formed(sim_seed(i), NODES, EDGES, GUESTS);
}

static struct ela_membership *members_of(struct sim *s, uint32_t i)
{
	return s->nodes[i].network->membership;
}

static uint64_t wall_s(struct sim *s)
{
	return s->loop->ops->wall_ns(s->loop) / ELA_SEC;
}

/* ---- lists ---- */

/* The list without u2, made where node i is. */
static GBytes *without_u2(struct sim *s, uint32_t i)
{
	struct ela_rsa *key = sim_ring_rsa(s, "user.pem");
	struct ela_owner *owner = NULL;
	GBytes *bytes = NULL;
	GError *error = NULL;

	sim_equal(s, (uint64_t)-ela_owner_new(members_of(s, i), key, wall_s(s), &owner, &error), 0);
	sim_equal(s, (uint64_t)-ela_owner_revoke(owner, "u2", &error), 0);
	sim_equal(s, (uint64_t)-ela_owner_sign(owner, &bytes, &error), 0);
	ela_owner_free(owner);
	ela_rsa_free(key);
	return bytes;
}

static int offer(struct sim *s, uint32_t i, GBytes *list, GError **error)
{
	return ela_network_offer_list(s->nodes[i].network, g_bytes_get_data(list, NULL), g_bytes_get_size(list), error);
}

/* Nobody has it as a peer, but as a guest who asks why. */
static bool n2_is_out(struct sim *s)
{
	for (uint32_t i = 0; i < NODES; i++)
		if (i != 2 && sim_peer(s, i, 2) && !sim_peer(s, i, 2)->guest)
			return false;
	return true;
}

/* A packet each way, and none arrives. */
static void talk_in_vain(struct sim *s)
{
	uint64_t from_ns = sim_now(s);

	for (uint32_t i = 0; i < NODES; i++)
		if (i != 2) {
			sim_send(s, i, 2, 200);
			sim_send(s, 2, i, 200);
		}
	sim_run(s, 5 * ELA_SEC);
	for (uint32_t i = 0; i < NODES; i++)
		if (i != 2) {
			sim_equal(s, sim_lost(s, i, 2, from_ns, sim_now(s)), 1);
			sim_equal(s, sim_lost(s, 2, i, from_ns, sim_now(s)), 1);
		}
}

static bool have_version_2(struct sim *s)
{
	for (uint32_t i = 0; i < NODES; i++)
		if (i != 2 && (!ela_membership_list(members_of(s, i)) || ela_membership_list(members_of(s, i))->version != 2))
			return false;
	return true;
}

START_TEST(revoked)
{
	struct sim *s = form(_i);
	uint32_t from = (uint32_t)(sim_seed(_i) % 2); /* a core that is the owner's, or not the founder */
	g_autoptr(GBytes) list = without_u2(s, from);
	g_autoptr(GError) error = NULL;

	sim_equal(s, (uint64_t)-offer(s, from, list, &error), 0);
	sim_run(s, ELA_SEC);
	sim_check(s, sim_peer(s, from, 2) == NULL, "the node that got the list keeps the one that is out");
	sim_check(s, sim_run_until(s, n2_is_out, 9 * ELA_SEC), "10 s later it is still in");
	sim_check(s, have_version_2(s), "not everybody has the list");
	talk_in_vain(s);
	sim_run(s, 60 * ELA_SEC);
	sim_check(s, n2_is_out(s), "it came back");
	sim_free(s);
}
END_TEST

/* Nobody can write: he is out all the same. There is room again: the list is kept. */
START_TEST(revoked_on_full_disks)
{
	struct sim *s = form(_i);
	g_autoptr(GBytes) list = without_u2(s, 0);
	g_autoptr(GError) error = NULL;

	sim_ring_disk_full(true);
	sim_equal(s, (uint64_t)-offer(s, 0, list, &error), ENOSPC);
	sim_run(s, ELA_SEC);
	sim_check(s, sim_peer(s, 0, 2) == NULL, "the node that got the list keeps the one that is out");
	sim_check(s, sim_run_until(s, n2_is_out, 9 * ELA_SEC), "10 s later it is still in");
	sim_check(s, !have_version_2(s), "a list that is on no disk counts");
	sim_ring_disk_full(false);
	sim_check(s, sim_run_until(s, have_version_2, 65 * ELA_SEC), "the list was not written");
	sim_free(s);
}
END_TEST

/* Two lists of one version, made at the same time: the second is refused where it is offered, and is no fork. */
START_TEST(two_at_once)
{
	struct sim *s = form(_i);
	struct ela_rsa *key = sim_ring_rsa(s, "user.pem");
	struct ela_owner *owner = NULL;
	g_autoptr(GBytes) first = without_u2(s, 0), second = NULL;
	g_autoptr(GError) error = NULL;

	sim_equal(s, (uint64_t)-ela_owner_new(members_of(s, 0), key, wall_s(s), &owner, NULL), 0);
	sim_equal(s, (uint64_t)-ela_owner_sign(owner, &second, NULL), 0);
	sim_equal(s, (uint64_t)-offer(s, 0, first, NULL), 0);
	sim_equal(s, (uint64_t)-offer(s, 0, second, &error), ENOTUNIQ);
	sim_check(s, strstr(error->message, "version 0.2 came first") != NULL, "found %s", error->message);
	sim_check(s, !ela_membership_is_forked(members_of(s, 0)), "the network has a fork");
	g_clear_error(&error);
	sim_equal(s, (uint64_t)-offer(s, 0, first, &error), EALREADY);
	ela_owner_free(owner);
	ela_rsa_free(key);
	sim_free(s);
}
END_TEST

static bool have_epoch_1(struct sim *s)
{
	for (uint32_t i = 0; i < NODES; i++)
		if (ela_membership_list(members_of(s, i))->epoch != 1)
			return false;
	return true;
}

/* A new owner: everybody stays in, and hears of it. */
START_TEST(recovered)
{
	struct sim *s = form(_i);
	struct ela_rsa *recovery = sim_ring_rsa(s, "recovery.pem"), *next = NULL;
	struct ela_owner *owner = NULL;
	g_autoptr(GBytes) list = NULL;

	sim_equal(s, (uint64_t)-ela_rsa_generate(ELA_RSA_DEFAULT_BITS, &next), 0);
	sim_equal(s,
		(uint64_t)-ela_owner_recover(
			members_of(s, 3), recovery, next, ela_rsa_public(next)->hash, wall_s(s), &owner, NULL),
		0);
	sim_equal(s, (uint64_t)-ela_owner_sign(owner, &list, NULL), 0);
	sim_equal(s, (uint64_t)-offer(s, 3, list, NULL), 0);
	sim_check(s, sim_run_until(s, have_epoch_1, 10 * ELA_SEC), "not everybody has the list");
	sim_run(s, 60 * ELA_SEC);
	sim_check(s, sim_ring_settled(s), "somebody fell out");
	ela_owner_free(owner);
	ela_rsa_free(recovery);
	ela_rsa_free(next);
	sim_free(s);
}
END_TEST

/* ---- what it says ---- */

struct caller {
	struct ela_call call; /* first */
	GString *text;
};

static void take_reply(struct ela_call *call, GString *text)
{
	((struct caller *)call)->text = text;
}

/* One request at node i; ela_json_free(). */
static struct ela_json *ask(struct sim *s, uint32_t i, const char *line)
{
	static const struct ela_verbs_owner owner;
	struct ela_verbs *verbs = ela_verbs_new(s->nodes[i].node, s->nodes[i].log, &owner);
	struct caller caller = {.call = {.reply = take_reply}};
	struct ela_json *json;

	ela_verbs_run(verbs, &caller.call, line, strlen(line));
	json = ela_json_read(caller.text->str, caller.text->len, NULL);
	sim_check(s, json && !ela_json_get(json, "error"), "found %s", caller.text->str);
	(void)g_string_free(caller.text, TRUE);
	ela_verbs_free(verbs);
	return json;
}

static void expect_text(struct sim *s, const struct ela_json *json, const char *key, const char *wanted)
{
	const char *found = ela_json_get_string(json, key);

	sim_check(s, g_strcmp0(found, wanted) == 0, "%s: found %s, wanted %s", key, found, wanted);
}

static void expect_number(struct sim *s, const struct ela_json *json, const char *key, double wanted)
{
	double found = ela_json_get_number(json, key, -1);

	sim_check(s, found == wanted, "%s: found %f, wanted %f", key, found, wanted);
}

static const struct ela_json *by_name(const struct ela_json *all, const char *name)
{
	for (guint i = 0; i < ela_json_length(all); i++)
		if (g_strcmp0(ela_json_get_string(ela_json_item(all, i), "name"), name) == 0)
			return ela_json_item(all, i);
	return NULL;
}

/* The k-th core clockwise from node i. */
static uint32_t core_after(struct sim *s, uint32_t i, uint32_t k)
{
	uint32_t from = sim_ring_id(s, i), best = 0;

	for (uint32_t round = 0; round <= k; round++) {
		best = 0;
		for (uint32_t c = 1; c < 3; c++)
			if (sim_ring_id(s, c) - from < sim_ring_id(s, best) - from)
				best = c;
		from = sim_ring_id(s, best) + 1;
	}
	return best;
}

static const char *name_of(uint32_t i)
{
	static const char *const names[NODES] = {"n0", "n1", "n2", "n3", "n4"};

	return names[i];
}

START_TEST(objects)
{
	struct sim *s = form(_i);
	struct ela_json *reply = ask(s, 1, "{\"verb\":\"objects\"}");
	const struct ela_json *all = ela_json_get(reply, "objects");
	GBytes *list = ela_membership_newest_bytes(members_of(s, 1));
	g_autofree char *base64 = g_base64_encode(g_bytes_get_data(list, NULL), g_bytes_get_size(list));

	expect_text(s, all, "list", base64);
	sim_check(s, ela_json_get_string(all, "genesis") != NULL, "no genesis");
	sim_equal(s, ela_json_length(ela_json_get(all, "forks")), 0);
	sim_equal(s, ela_json_length(ela_json_get(all, "enrolments")), 4); /* all but the founder */
	sim_equal(s, ela_json_length(ela_json_get(all, "credentials")), NODES);
	ela_json_free(reply);
	sim_free(s);
}
END_TEST

START_TEST(leases)
{
	struct sim *s = form(_i);
	struct ela_json *reply = ask(s, 1, "{\"verb\":\"leases\"}");
	const struct ela_json *all = ela_json_get(reply, "leases");

	sim_equal(s, ela_json_length(all), NODES);
	for (uint32_t i = 0; i < NODES; i++) {
		g_autofree char *address = g_strdup_printf("10.88.0.%u", i + 1);
		const struct ela_json *lease = ela_json_item(all, i);

		expect_text(s, lease, "address", address);
		expect_text(s, lease, "name", name_of(i));
		expect_text(s, lease, "user", i == 2 ? "u2" : i == 4 ? "u4" : "sada");
		sim_check(s, ela_json_get(lease, "online")->boolean, "%s is away", name_of(i));
	}
	ela_json_free(reply);
	sim_leave(s, 4);
	sim_leave(s, 2);
	sim_run(s, 30 * ELA_SEC);
	reply = ask(s, 1, "{\"verb\":\"leases\"}");
	all = ela_json_get(reply, "leases");
	for (uint32_t i = 0; i < NODES; i++) {
		const struct ela_json *lease = ela_json_item(all, i);
		bool has_left = i == 2 || i == 4;

		expect_text(s, lease, "name", name_of(i));
		sim_check(s, ela_json_get(lease, "online")->boolean != has_left, "%s: the wrong state", name_of(i));
		sim_check(
			s, (ela_json_get_number(lease, "age_s", 0) >= 30) == has_left || !has_left, "%s: heard of", name_of(i));
	}
	ela_json_free(reply);
	sim_free(s);
}
END_TEST

START_TEST(status)
{
	struct sim *s = form(_i);
	struct ela_json *reply;
	const struct ela_json *self, *peer;
	char id[9];

	reply = ask(s, 0, "{\"verb\":\"peers\"}");
	sim_equal(s, ela_json_length(ela_json_get(reply, "peers")), NODES - 1);
	peer = by_name(ela_json_get(reply, "peers"), "n2");
	expect_text(s, peer, "user", "u2");
	expect_text(s, peer, "role", "core");
	expect_text(s, peer, "transport", "mem");
	sim_equal(s, ela_json_length(ela_json_get(peer, "via")), 0);
	peer = by_name(ela_json_get(reply, "peers"), "n3");
	expect_text(s, peer, "user", "sada");
	expect_text(s, peer, "role", "edge");
	ela_json_free(reply);
	for (uint32_t i = 0; i < NODES; i += 3) { /* a core and an edge */
		GString *text = g_string_new("{");

		ela_tell_node(s->nodes[i].node, text);
		g_string_append_c(text, '}');
		reply = ela_json_read(text->str, text->len, NULL);
		(void)g_string_free(text, TRUE);
		self = ela_json_get(reply, "self");
		expect_text(s, self, "user", "sada");
		expect_text(s, self, "role", i == 0 ? "core" : "edge");
		expect_text(s, self, "reason", "ela.ini says so"); /* also of the founder, which others have confirmed by now */
		expect_number(s, ela_json_get(self, "ring"), "cores", 3);
		expect_number(s, ela_json_get(self, "ring"), "nodes", NODES);
		expect_number(s, ela_json_get(ela_json_get(reply, "network"), "list"), "version", 1);
		if (i == 0) {
			uint32_t before = (sim_ring_id(s, 1) < sim_ring_id(s, 0)) + (sim_ring_id(s, 2) < sim_ring_id(s, 0));

			expect_number(s, ela_json_get(self, "ring"), "place", before + 1);
			expect_text(s, self, "parent", NULL);
		} else {
			(void)g_snprintf(id, sizeof id, "%08x", sim_ring_id(s, core_after(s, i, 0)));
			expect_text(s, self, "parent", id);
			expect_number(s, ela_json_get(self, "ring"), "place", -1);
		}
		ela_json_free(reply);
	}
	sim_free(s);
}
END_TEST

/* From one edge to the other: its own parent, the other's if that is another one, the other. */
START_TEST(why)
{
	struct sim *s = form(_i);
	uint32_t own = core_after(s, 3, 0), others = core_after(s, 4, 0);
	struct ela_json *reply, *peers;
	const struct ela_json *hops, *via;

	sim_send(s, 3, 4, 200);
	sim_run(s, 3 * ELA_SEC);
	sim_equal(s, sim_lost(s, 3, 4, 0, sim_now(s)), 0);
	reply = ask(s, 3, "{\"verb\":\"why\",\"node\":\"n4\"}");
	peers = ask(s, 3, "{\"verb\":\"peers\"}");
	hops = ela_json_get(ela_json_get(reply, "why"), "hops");
	via = ela_json_get(by_name(ela_json_get(peers, "peers"), "n4"), "via");
	sim_equal(s, ela_json_length(hops), own == others ? 2 : 3);
	sim_equal(s, ela_json_length(via), own == others ? 1 : 2);
	expect_text(s, ela_json_item(hops, 0), "name", name_of(own));
	expect_text(s, ela_json_item(hops, 0), "why",
		own == others ? "the parent of both" : "our parent: the first core clockwise from our ID that answers");
	sim_check(s, strcmp(ela_json_item(via, 0)->string, name_of(own)) == 0, "via %s", ela_json_item(via, 0)->string);
	if (own != others) {
		expect_text(s, ela_json_item(hops, 1), "name", name_of(others));
		expect_text(s, ela_json_item(hops, 1), "why", "its parent, as its record says");
		sim_check(
			s, strcmp(ela_json_item(via, 1)->string, name_of(others)) == 0, "via %s", ela_json_item(via, 1)->string);
	}
	expect_text(s, ela_json_item(hops, ela_json_length(hops) - 1), "name", "n4");
	expect_text(s, ela_json_get(reply, "why"), "remote", NULL);
	expect_text(s, by_name(ela_json_get(peers, "peers"), "n4"), "remote", NULL);
	ela_json_free(reply);
	ela_json_free(peers);
	/* directly, to the parent */
	reply = ask(s, 3,
		own == 0   ? "{\"verb\":\"why\",\"node\":\"n0\"}"
		: own == 1 ? "{\"verb\":\"why\",\"node\":\"n1\"}"
				   : "{\"verb\":\"why\",\"node\":\"n2\"}");
	hops = ela_json_get(ela_json_get(reply, "why"), "hops");
	sim_equal(s, ela_json_length(hops), 1);
	expect_text(s, ela_json_item(hops, 0), "name", name_of(own));
	expect_text(s, ela_json_item(hops, 0), "why", "the node itself, directly");
	ela_json_free(reply);
	sim_free(s);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, revoked, 2);
	sim_add(suite, revoked_on_full_disks, 1);
	sim_add(suite, two_at_once, 1);
	sim_add(suite, recovered, 1);
	sim_add(suite, objects, 1);
	sim_add(suite, leases, 1);
	sim_add(suite, status, 1);
	sim_add(suite, why, 1);
}

int main(void)
{
	return sim_main("sim-users", fill);
}
