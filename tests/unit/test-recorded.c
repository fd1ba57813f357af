/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-recorded: objects that vectors/make-objects.py made from the description alone are read, and their bodies made
 * again to the byte; docs/protocol.md has the same record, types and limits. One thread.
 */
#include "frame.h"
#include "hex.h"
#include "world.h"

#include <stdlib.h>

static struct world *w;

static void setup(void)
{
	w = world_new();
}

static void teardown(void)
{
	world_free(w);
}

static size_t recorded(const char *name, uint8_t *out, size_t room)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	ck_assert(g_file_get_contents(VECTORS "/objects.txt", &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) parts = g_strsplit(*line, " = ", 2);

		if (parts[0] && parts[1] && strcmp(parts[0], name) == 0)
			return hex(parts[1], out, room);
	}
	ck_abort_msg("no vector %s", name);
	return 0;
}

/* The body that core makes of what it read is the recorded one. */
static void same_body(const char *name, const uint8_t *wanted, GBytes *made)
{
	const uint8_t *got = g_bytes_get_data(made, NULL);
	uint32_t len = ela_get32(wanted + 33);

	ck_assert_msg(ela_get32(got + 33) == len && memcmp(got + 37, wanted + 37, len) == 0, "another body: %s", name);
	g_bytes_unref(made);
}

static void recorded_list(const struct ela_genesis *genesis)
{
	uint8_t bytes[4096];
	size_t len = recorded("list", bytes, sizeof bytes);
	struct ela_userlist *list = NULL;
	GBytes *made = NULL;

	ck_assert_int_eq(ela_userlist_parse(genesis, bytes, len, &list, NULL), 0);
	ck_assert(list->epoch == 0 && list->version == 2 && list->issued_s == 1200 && list->valid_until_s == 2000 &&
			  list->mtu == 1400 && list->n_suites == 2 && list->n_users == 2 && list->revoked.n == 2);
	ck_assert_str_eq(list->users[1].name, "aki");
	ck_assert(list->users[0].rights.may_invite && !list->users[1].rights.may_invite &&
			  list->users[1].rights.max_nodes == 2 && list->users[1].reserved.addresses[0] == WORLD_ADDRESS &&
			  list->users[1].n_tokens == 1);
	ck_assert_mem_eq(list->users[1].tokens[0].holder, ela_rsa_public(w->aki)->hash, ELA_HASH_LEN);
	ck_assert_int_eq(ela_userlist_sign(list, genesis, w->owner, &made, NULL), 0);
	same_body("list", bytes, made);
	ela_userlist_free(list);
}

static void recorded_record(const struct ela_genesis *genesis, const struct ela_credential *credential)
{
	uint8_t bytes[1024], private_key[32];
	size_t len = recorded("record", bytes, sizeof bytes);
	struct ela_lease_bytes parts;
	struct ela_lease lease;
	struct ela_mark mark;
	GBytes *made = NULL;

	world_private(1, private_key);
	ck_assert_int_eq(ela_lease_split(bytes, len, &parts, NULL), 0);
	ck_assert_int_eq(ela_lease_parse(genesis->network_id, credential->ed25519, &parts, &lease, NULL), 0);
	ck_assert_int_eq(ela_mark_parse(genesis->network_id, credential->ed25519, &parts.mark, &lease, &mark, NULL), 0);
	ck_assert(lease.address == WORLD_ADDRESS && lease.role == ELA_LEASE_EDGE && lease.parent == 0x11223344 &&
			  lease.incarnation == 7 && lease.sequence == 12 && !lease.is_leave && lease.n_places == 2 &&
			  lease.places[1].tcp_port == 10000 && lease.places[1].udp_port == 20000 && mark.time_s == 1300);
	ck_assert_mem_eq(lease.credential, credential->hash, ELA_HASH_LEN);
	ck_assert_int_eq(ela_lease_sign(&lease, genesis->network_id, private_key, &made, NULL), 0);
	/* Ed25519 has no salt: all of it is the same */
	ck_assert_mem_eq(g_bytes_get_data(made, NULL), bytes, g_bytes_get_size(made));
	g_bytes_unref(made);
	ck_assert_int_eq(ela_mark_sign(&mark, genesis->network_id, private_key, &made, NULL), 0);
	ck_assert_uint_eq(g_bytes_get_size(made), len - (size_t)(parts.record.signature + 64 - bytes));
	ck_assert_mem_eq(g_bytes_get_data(made, NULL), parts.record.signature + 64, g_bytes_get_size(made));
	g_bytes_unref(made);
}

START_TEST(test_recorded)
{
	const struct ela_verifier sada = {.rsa = ela_rsa_public(w->sada)};
	const struct ela_signer by_key = {.rsa = w->sada};
	uint8_t bytes[4096], network[ELA_NETWORK_LEN];
	struct ela_genesis genesis, copy;
	struct ela_credential credential;
	GBytes *made = NULL;
	size_t len;

	ck_assert_uint_eq(recorded("network-id", network, sizeof network), sizeof network);
	len = recorded("genesis", bytes, sizeof bytes);
	ck_assert_int_eq(ela_genesis_parse(network, bytes, len, &genesis, NULL), 0);
	ck_assert_mem_eq(genesis.recovery_hash, ela_rsa_public(w->recovery)->hash, ELA_HASH_LEN);
	copy = genesis;
	ck_assert_int_eq(ela_genesis_sign(&copy, w->owner, &made, NULL), 0);
	same_body("genesis", bytes, made);
	recorded_list(&genesis);
	len = recorded("credential", bytes, sizeof bytes);
	ck_assert_int_eq(ela_credential_parse(network, &sada, bytes, len, &credential, NULL), 0);
	ck_assert_str_eq(credential.name, "node-1");
	ck_assert_int_eq(ela_credential_sign(&credential, network, &by_key, &made, NULL), 0);
	same_body("credential", bytes, made);
	recorded_record(&genesis, &credential);
}
END_TEST

/* The record of the document is the recorded one, and so are its type strings and limits. */
START_TEST(test_document)
{
	static const char fence[] = "```hex object=record\n";
	g_autofree char *text = NULL;
	uint8_t wanted[1024], got[1024];
	size_t wanted_len = recorded("record", wanted, sizeof wanted), len = 0;
	char *at;

	ck_assert(g_file_get_contents(DOCUMENT, &text, NULL, NULL));
	for (uint32_t kind = 1; kind <= ELA_OBJECT_KINDS; kind++) {
		g_autofree char *row = g_strdup_printf("`ELA-%s-v1`", ela_object_label((enum ela_object_kind)kind));
		g_autofree char *type = g_strdup_printf(
			"`%s` | %u |", ela_object_type((enum ela_object_kind)kind), ela_object_max((enum ela_object_kind)kind));

		ck_assert_msg(strstr(text, row) && strstr(text, type), "the document has no %s or no %s", row, type);
	}
	at = strstr(text, fence);
	ck_assert_ptr_nonnull(at);
	for (at += strlen(fence); strncmp(at, "```", 3) != 0; at = strchr(at, '\n') + 1) {
		g_autofree char *line = g_strndup(at, strcspn(at, "#\n"));

		len += hex(g_strstrip(line), got + len, sizeof got - len);
	}
	ck_assert_uint_eq(len, wanted_len);
	ck_assert_mem_eq(got, wanted, len);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recorded");
	TCase *tc = tcase_create("recorded");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_recorded);
	tcase_add_test(tc, test_document);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
