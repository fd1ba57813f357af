/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a core answers who asks to be let in, and who is in: requests that honest nodes never send. Node 0 founded the
 * network, 1 and 2 are members, 3 has a token and is nobody yet. Whatever it is asked, node 0 is what it was before.
 */
#include "sim-ring.h"

#include "dialogue.h"
#include "directory.h"
#include "folders.h"
#include "keys.h"
#include "members.h"
#include "own.h"
#include "peer.h"

#define FORM_NS (60 * ELA_SEC)

static struct sim *world;
static int reply_err;
static enum ela_status reply_status;
static char *reply_reason;
static uint32_t reply_address;

static bool answered(struct sim *s)
{
	(void)s;
	return reply_err != INT_MAX;
}

static void on_reply(void *data, int err, const struct ela_message *reply)
{
	struct ela_addr addr;

	(void)data;
	reply_err = err;
	if (err != 0)
		return;
	reply_status = ela_message_status(reply);
	g_free(reply_reason);
	reply_reason = g_strdup(ela_message_text(reply, ELA_FIELD_REASON, 0));
	reply_address = ela_message_addr(reply, ELA_FIELD_ADDRESS, &addr) ? ela_get32(addr.ip) : 0;
}

/* Node `from` asks node 0; TAKES request. */
static void send(uint32_t from, struct ela_message *request)
{
	struct ela_peer *peer = sim_peer(world, from, 0);

	ck_assert_ptr_nonnull(peer);
	reply_err = INT_MAX;
	ck_assert_uint_ne(ela_dialogue_ask(peer, request, 0, on_reply, NULL), 0);
}

static enum ela_status ask(uint32_t from, struct ela_message *request)
{
	send(from, request);
	sim_check(world, sim_run_until(world, answered, 15 * ELA_SEC), "no answer");
	ck_assert_int_eq(reply_err, 0);
	return reply_status;
}

static void refused(uint32_t from, struct ela_message *request, enum ela_status status, const char *words)
{
	ck_assert_int_eq(ask(from, request), status);
	ck_assert_msg(reply_reason && strstr(reply_reason, words), "\"%s\" does not say \"%s\"", reply_reason, words);
}

static struct ela_message *join_with(const void *bytes, gsize len)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_JOIN, ELA_MESSAGE_REQUEST);

	ela_message_put_bytes(m, ELA_FIELD_RECORD, bytes, (uint32_t)len);
	return m;
}

static GBytes *file_of(uint32_t i, const char *name)
{
	g_autofree char *file = g_strdup_printf("%s/n%u/%s", world->dir, i, name);
	char *text;
	gsize len;

	ck_assert(g_file_get_contents(file, &text, &len, NULL));
	return g_bytes_new_take(text, len);
}

static GBytes *credential_of(uint32_t i)
{
	return file_of(i, ELA_CREDENTIAL_FILE);
}

static void put_claim(struct ela_message *m, uint32_t i)
{
	g_autoptr(GBytes) claim = file_of(i, ELA_CLAIM_FILE);

	ela_message_put_bytes(m, ELA_FIELD_ENROLMENT, g_bytes_get_data(claim, NULL), (uint32_t)g_bytes_get_size(claim));
}

static void cut(uint32_t a, uint32_t b, bool is_cut)
{
	ck_assert_int_eq(ela_mem_partition(world->fabric, world->nodes[a].underlay, world->nodes[b].underlay, is_cut), 0);
}

static bool is_in_4(struct sim *s)
{
	return s->nodes[4].node && ela_own_id(s->nodes[4].node) != 0;
}

/* A record that node i signs, at the address of node k. */
static GBytes *record(uint32_t i, uint32_t k)
{
	const struct ela_known *own =
		ela_directory_find(world->nodes[0].node->directory, sim_ring_id(world, i == 3 ? 1 : i));
	struct ela_lease lease = own->lease;
	g_autofree char *file = g_strdup_printf("%s/n%u/" ELA_SIGN_KEY_FILE, world->dir, i);
	g_autoptr(GBytes) credential = credential_of(i);
	uint8_t key[32];
	GBytes *bytes;

	ck_assert_int_eq(ela_key_read(file, key, NULL), 0);
	lease.id = sim_ring_id(world, k);
	lease.address = 0x0a580001u + k;
	lease.sequence += 1000;
	ck_assert_int_eq(
		ela_object_hash(g_bytes_get_data(credential, NULL), g_bytes_get_size(credential), lease.credential), 0);
	ck_assert_int_eq(ela_lease_sign(&lease, world->nodes[0].node->network_id, key, &bytes, NULL), 0);
	return bytes;
}

static struct ela_message *authentication(uint32_t i, uint32_t wish)
{
	struct ela_message *m = ela_message_new(ELA_PURPOSE_NODE_AUTHENTICATION, ELA_MESSAGE_REQUEST);
	g_autoptr(GBytes) credential = credential_of(i);
	struct ela_addr wished = {.ip = {10, 88, 0, (uint8_t)wish}, .family = ELA_ADDR_IP4};

	ela_message_put_text(m, ELA_FIELD_USER, "sada");
	ela_message_put_text(m, ELA_FIELD_NODE, "n");
	ela_message_put_bytes(
		m, ELA_FIELD_CREDENTIAL, g_bytes_get_data(credential, NULL), (uint32_t)g_bytes_get_size(credential));
	ela_message_put_addr(m, ELA_FIELD_WISHED, &wished);
	return m;
}

static void begin(void)
{
	world = sim_ring_new(1, 4, 0);
	for (uint32_t i = 0; i < 3; i++)
		sim_up(world, i);
	sim_check(world, sim_run_until(world, sim_ring_settled, FORM_NS), "it does not settle");
}

static void end(void)
{
	sim_check(world, sim_run_until(world, sim_ring_settled, FORM_NS), "it is not what it was");
	sim_free(world);
	g_clear_pointer(&reply_reason, g_free);
}

/* A member shows somebody else's credential. */
START_TEST(others_credential)
{
	begin();
	refused(1, authentication(2, 2), ELA_STATUS_REFUSED, "another key");
	end();
}
END_TEST

/* The address of another node is nobody's to have; the own one is kept by who asks again. */
START_TEST(wishes)
{
	begin();
	ck_assert_int_eq(ask(1, authentication(1, 3)), ELA_STATUS_OK);
	ck_assert_uint_eq(reply_address, 0x0a580002u);
	ck_assert_int_eq(ask(1, authentication(1, 2)), ELA_STATUS_OK);
	ck_assert_uint_eq(reply_address, 0x0a580002u);
	end();
}
END_TEST

/* A record is taken from its own node, at its own address. */
START_TEST(others_record)
{
	const struct ela_known *known;
	g_autoptr(GBytes) stolen = NULL, bent = NULL;

	begin();
	known = ela_directory_find(world->nodes[0].node->directory, sim_ring_id(world, 2));
	refused(1, join_with(known->bytes, known->len), ELA_STATUS_REFUSED, "another node's");
	stolen = record(1, 2);
	refused(1, join_with(g_bytes_get_data(stolen, NULL), g_bytes_get_size(stolen)), ELA_STATUS_CONFLICT, "address");
	refused(1, join_with("nothing", 7), ELA_STATUS_REFUSED, "");
	bent = record(1, 1);
	((uint8_t *)(uintptr_t)g_bytes_get_data(bent, NULL))[60] ^= 1;
	refused(1, join_with(g_bytes_get_data(bent, NULL), g_bytes_get_size(bent)), ELA_STATUS_REFUSED, "");
	end();
}
END_TEST

/* Who has a session and no more may say who he is, and nothing else. */
START_TEST(guests)
{
	struct sim_node *n;
	struct ela_message *m;
	g_autoptr(GBytes) early = NULL;
	uint64_t copies;

	begin();
	early = record(3, 3);
	n = &world->nodes[3];
	n->held = true;
	sim_up(world, 3);
	sim_run(world, ELA_SEC);
	ck_assert_uint_eq(ela_own_id(n->node), 0);
	/* What the LAN says to all is for members. */
	ck_assert(sim_peer(world, 0, 3)->guest && sim_peer(world, 0, 3)->tx_shadow);
	copies = sim_counter(world, 0, "copies");
	sim_send(world, 0, SIM_MAX_NODES, 200);
	sim_run(world, ELA_SEC);
	sim_equal(world, sim_counter(world, 0, "copies"), copies + 2);
	sim_zero(world, 0, "drop-nosession");
	refused(3, join_with(g_bytes_get_data(early, NULL), g_bytes_get_size(early)), ELA_STATUS_REFUSED, "comes first");
	m = ela_message_new(ELA_PURPOSE_RESOLVE, ELA_MESSAGE_REQUEST);
	ela_message_put_number(m, ELA_FIELD_ID, (int64_t)sim_ring_id(world, 1));
	refused(3, m, ELA_STATUS_REFUSED, "comes first");
	m = ela_message_new(ELA_PURPOSE_RECORD_GET, ELA_MESSAGE_REQUEST);
	ela_message_put_number(m, ELA_FIELD_ID, (int64_t)sim_ring_id(world, 1));
	refused(3, m, ELA_STATUS_REFUSED, "comes first");
	sim_down(world, 3); /* it hangs up, and is no guest any more */
	sim_run(world, 2 * ELA_SEC);
	ck_assert_ptr_null(sim_peer(world, 0, 3));
	end();
}
END_TEST

/*
 * A further machine of a user whose own enrolment has not come here yet: node 4 of a user of its own is in at node 1,
 * and node 5 is a machine of that user; node 0 is cut off from both when it is asked, and waits for the news.
 */
static void begin_apart(void)
{
	world = sim_ring_new(1, 6, 0);
	sim_up(world, 0);
	sim_up(world, 1);
	sim_check(world, sim_run_until(world, sim_ring_settled, FORM_NS), "it does not settle");
	sim_run(world, ELA_SEC);
	cut(0, 1, true);
	cut(0, 4, true);
	sim_ring_knows(world, 4, 1);
	sim_up(world, 4);
	sim_check(world, sim_run_until(world, is_in_4, 3 * ELA_SEC), "it does not get in");
	sim_ring_machine_of(world, 4, 5);
	world->nodes[5].held = true;
	sim_up(world, 5);
	sim_run(world, 200 * ELA_MSEC);
}

START_TEST(unknown_user)
{
	struct ela_message *m;

	begin_apart();
	m = authentication(5, 6);
	put_claim(m, 5);
	send(5, m);
	sim_run(world, 500 * ELA_MSEC);
	ck_assert_int_eq(reply_err, INT_MAX); /* it waits */
	if (SIM_KIND(2) == 0) {
		cut(0, 1, false);
		cut(0, 4, false);
		sim_check(world, sim_run_until(world, answered, 1400 * ELA_MSEC), "no answer");
		ck_assert_msg(reply_status == ELA_STATUS_OK, "%s", reply_reason);
		ck_assert_uint_eq(reply_address, 0x0a580006u);
	} else {
		sim_check(world, sim_run_until(world, answered, 2 * ELA_SEC), "no answer");
		ck_assert_int_eq(reply_status, ELA_STATUS_REFUSED);
		ck_assert_msg(strstr(reply_reason, "not known here") != NULL, "%s", reply_reason);
		sim_run(world, 3 * ELA_SEC); /* and nothing is left of it */
	}
	sim_free(world);
	g_clear_pointer(&reply_reason, g_free);
}
END_TEST

static void fill(Suite *suite)
{
	sim_add(suite, others_credential, 1);
	sim_add(suite, wishes, 1);
	sim_add(suite, others_record, 1);
	sim_add(suite, guests, 1);
	sim_add(suite, unknown_user, 2);
}

int main(void)
{
	sim_ring_guests(1u << 4);
	return sim_main("sim-admission", fill);
}
