/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-object: each kind of signed object is made, read back, and refused when it is cut, longer, changed in any bit,
 * of another kind, network or signer, or when its body says what it may not. Recorded ones: vectors/objects.txt. One
 * thread.
 */
#include "frame.h"
#include "naive.h"
#include "world.h"
#include <check.h>

#include <errno.h>
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

/* ---- one of each kind ---- */

static uint8_t node_key[32];
static struct ela_verifier by_sada;

static GBytes *make_genesis(void)
{
	return g_bytes_ref(w->genesis_bytes);
}

static int read_genesis(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_genesis genesis;

	return ela_genesis_parse(network, bytes, len, &genesis, error);
}

static struct ela_handover handover_of(struct ela_rsa *next)
{
	struct ela_handover handover = {.epoch = 1, .issued_s = 1200, .owner = *ela_rsa_public(next)};

	memcpy(handover.next_recovery_hash, ela_rsa_public(next)->hash, ELA_HASH_LEN);
	return handover;
}

static GBytes *make_handover(void)
{
	struct ela_handover handover = handover_of(w->next);
	GBytes *bytes;

	ck_assert_int_eq(ela_handover_sign(&handover, w->genesis.network_id, w->recovery, &bytes, NULL), 0);
	return bytes;
}

static int read_handover(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_handover handover;

	return ela_handover_parse(network, w->genesis.recovery_hash, bytes, len, &handover, error);
}

static GBytes *make_list(void)
{
	return world_sign(w, w->list, w->owner);
}

static int read_list(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_genesis genesis = w->genesis;
	struct ela_userlist *list = NULL;
	int err;

	memcpy(genesis.network_id, network, ELA_NETWORK_LEN);
	err = ela_userlist_parse(&genesis, bytes, len, &list, error);
	ck_assert((err == 0) == (list != NULL));
	ela_userlist_free(list);
	return err;
}

static GBytes *make_grant(void)
{
	struct ela_grant grant = world_grant(9);

	return world_grant_sign(w, &grant, w->sada);
}

static int read_grant(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_grant grant;

	return ela_grant_parse(network, by_sada.rsa, bytes, len, &grant, error);
}

static GBytes *make_claim(void)
{
	g_autoptr(GBytes) grant = make_grant();

	return world_claim(w, 9, grant, w->aki, 0);
}

static int read_claim(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_claim claim = {0};
	int err = ela_claim_parse(network, bytes, len, &claim, error);

	ela_claim_clear(&claim);
	return err;
}

static GBytes *make_credential(void)
{
	return world_credential(w, w->sada, 1, 0, 1);
}

static int read_credential(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_credential credential;

	return ela_credential_parse(network, &by_sada, bytes, len, &credential, error);
}

static GBytes *make_enrolment(void)
{
	g_autoptr(GBytes) claim = make_claim(), credential = make_credential();

	return world_enrol(w, claim, 1, credential, 1100);
}

static int read_enrolment(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_enrolment enrolment = {0};
	int err = ela_enrolment_parse(network, bytes, len, &enrolment, error);

	ela_enrolment_clear(&enrolment);
	return err;
}

static GBytes *make_record(void)
{
	g_autoptr(GBytes) credential = make_credential();
	struct ela_lease lease = world_lease(w, credential, WORLD_ADDRESS);

	return world_record(w, &lease, 1);
}

static GBytes *make_marked(void)
{
	g_autoptr(GBytes) credential = make_credential(), record = make_record();
	struct ela_lease lease = world_lease(w, credential, WORLD_ADDRESS);

	return world_mark(w, record, &lease, 1, 1, 1100);
}

static int read_record(const uint8_t *network, const void *bytes, size_t len, GError **error)
{
	struct ela_lease_bytes parts;
	struct ela_lease lease;
	struct ela_mark mark;
	int err = ela_lease_split(bytes, len, &parts, error);

	if (err == 0)
		err = ela_lease_parse(network, node_key, &parts, &lease, error);
	if (err == 0 && parts.mark.kind != 0)
		err = ela_mark_parse(network, node_key, &parts.mark, &lease, &mark, error);
	return err;
}

static const struct sort {
	const char *name;
	enum ela_object_kind kind;
	GBytes *(*make)(void);
	int (*read)(const uint8_t *network, const void *bytes, size_t len, GError **error);
} sorts[] = {
	{"genesis", ELA_OBJECT_GENESIS, make_genesis, read_genesis},
	{"handover", ELA_OBJECT_HANDOVER, make_handover, read_handover},
	{"user list", ELA_OBJECT_LIST, make_list, read_list},
	{"grant", ELA_OBJECT_GRANT, make_grant, read_grant},
	{"claim", ELA_OBJECT_CLAIM, make_claim, read_claim},
	{"credential", ELA_OBJECT_CREDENTIAL, make_credential, read_credential},
	{"enrolment", ELA_OBJECT_ENROLMENT, make_enrolment, read_enrolment},
	{"record", ELA_OBJECT_RECORD, make_record, read_record},
	{"record", ELA_OBJECT_RECORD, make_marked, read_record},
};
#define SORTS ((int)G_N_ELEMENTS(sorts))

static GBytes *make(int i)
{
	by_sada.rsa = ela_rsa_public(w->sada);
	world_public(1, node_key);
	return sorts[i].make();
}

static void refused(int i, const uint8_t *network, const void *bytes, size_t len, const char *words)
{
	g_autoptr(GError) error = NULL;
	int err = sorts[i].read(network, bytes, len, &error);

	ck_assert_msg(err == -EBADMSG && error && error->domain == ELA_OBJECT_ERROR && error->code == EBADMSG,
		"%s: found %d (%s)", sorts[i].name, err, error ? error->message : "no reason");
	ck_assert_msg(!words || strstr(error->message, words), "%s: found %s", sorts[i].name, error->message);
}

START_TEST(test_round)
{
	g_autoptr(GBytes) bytes = make(_i);
	g_autoptr(GError) error = NULL;
	int err = sorts[_i].read(w->genesis.network_id, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &error);

	ck_assert_msg(err == 0, "%s: %s", sorts[_i].name, error ? error->message : "");
	ck_assert_str_eq(sorts[_i].name, ela_object_name(sorts[_i].kind));
	ck_assert_uint_le(g_bytes_get_size(bytes), ela_object_max(sorts[_i].kind));
}
END_TEST

/* Each length in a buffer of exactly that size, for the sanitizer. */
START_TEST(test_cut)
{
	g_autoptr(GBytes) bytes = make(_i);
	size_t len = g_bytes_get_size(bytes), alone = _i == SORTS - 1 ? g_bytes_get_size(bytes) : 0;

	if (alone) {
		g_autoptr(GBytes) record = make(_i - 1);

		alone = g_bytes_get_size(record); /* without its countersignature it is whole */
	}
	for (size_t n = 0; n < len; n++) {
		g_autofree uint8_t *cut = g_memdup2(g_bytes_get_data(bytes, NULL), n);

		if (n != alone || !alone)
			refused(_i, w->genesis.network_id, cut, n, NULL);
	}
	for (size_t n = 1; n < 80; n++) {
		g_autofree uint8_t *more = g_malloc0(len + n);

		memcpy(more, g_bytes_get_data(bytes, NULL), len);
		refused(_i, w->genesis.network_id, more, len + n, NULL);
	}
}
END_TEST

/* Any bit, in kind, signer, lengths, body, signature. Sanitizers look at some of them. */
START_TEST(test_flip)
{
	g_autoptr(GBytes) bytes = make(_i);
	size_t len = g_bytes_get_size(bytes), step = naive_scaled(8) < 8 ? 13 : 1;
	g_autofree uint8_t *flipped = g_memdup2(g_bytes_get_data(bytes, NULL), len);

	for (size_t bit = 0; bit < 8 * len; bit += step) {
		flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refused(_i, w->genesis.network_id, flipped, len, NULL);
		flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(test_oversized)
{
	uint32_t len = ela_object_max(sorts[_i].kind) + 1;
	g_autofree uint8_t *zeros = g_malloc0(len);

	ck_assert_uint_eq(len, sorts[_i].kind == ELA_OBJECT_LIST     ? 512 * 1024 + 1
						   : sorts[_i].kind == ELA_OBJECT_RECORD ? ELA_RECORD_MAX + 1
																 : 4097);
	(void)make(_i);
	zeros[0] = (uint8_t)sorts[_i].kind;
	refused(_i, w->genesis.network_id, zeros, len, sorts[_i].kind == ELA_OBJECT_RECORD ? "at most 1024" : "at most");
	ela_put32(zeros + 33, UINT32_MAX);
	refused(_i, w->genesis.network_id, zeros, 900, "cut or too long");
}
END_TEST

START_TEST(test_other_network)
{
	g_autoptr(GBytes) bytes = make(_i);
	uint8_t network[ELA_NETWORK_LEN];

	memcpy(network, w->genesis.network_id, sizeof network);
	network[31] ^= 1;
	refused(_i, network, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "another network");
}
END_TEST

START_TEST(test_other_kind)
{
	g_autoptr(GBytes) bytes = make(_i);

	for (int i = 0; i < SORTS; i++)
		if (sorts[i].kind != sorts[_i].kind)
			refused(i, w->genesis.network_id, g_bytes_get_data(bytes, NULL), MIN(1000, g_bytes_get_size(bytes)),
				"its kind is");
}
END_TEST

/* A body of ours under another kind's label: the same bytes signed, but not for this. */
START_TEST(test_label)
{
	g_autoptr(GBytes) grant = make(3);
	g_autofree uint8_t *copy = g_memdup2(g_bytes_get_data(grant, NULL), g_bytes_get_size(grant));

	copy[0] = ELA_OBJECT_CREDENTIAL;
	refused(5, w->genesis.network_id, copy, g_bytes_get_size(grant), "signature is wrong");
}
END_TEST

/* ---- what bodies may not say ---- */

/* A body by the kind's signer, whatever it says. */
static void refused_body(int i, const struct ela_signer *by, GVariant *body, const char *words)
{
	GBytes *bytes = NULL;

	(void)make(i);
	ck_assert_int_eq(ela_object_sign(sorts[i].kind, w->genesis.network_id, by, body, &bytes, NULL), 0);
	refused(i, w->genesis.network_id, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), words);
	g_bytes_unref(bytes);
}

START_TEST(test_list_says)
{
	static const struct {
		const char *what, *words;
	} cases[] = {
		{"version", "has version 0"},
		{"until", "ends before it was issued"},
		{"mtu", "an MTU"},
		{"suites", "allows no cipher suite"},
		{"suite", "name of a cipher suite"},
		{"name", "malformed entry"},
		{"nodes", "no node or more than 1024"},
		{"many", "no node or more than 1024"},
		{"reserved", "outside of the network"},
		{"twice", "for two users"},
		{"names", "two users of one name"},
		{"keys", "one key twice"},
		{"order", "malformed entry"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ela_userlist *list = world_version(w, 2);
		const char *what = cases[i].what;
		struct ela_user *user = world_user(list, "aki", w->aki);
		g_autoptr(GError) error = NULL;
		GBytes *bytes = NULL;

		list->version = strcmp(what, "version") == 0 ? 0 : 2;
		list->valid_until_s = strcmp(what, "until") == 0 ? list->issued_s : 9000;
		list->mtu = strcmp(what, "mtu") == 0 ? 500 : 0;
		list->n_suites = strcmp(what, "suites") == 0 ? 0 : 1;
		if (strcmp(what, "suite") == 0)
			list->suites[0][0] = 'A';
		if (strcmp(what, "name") == 0)
			user->name[0] = '.';
		if (strcmp(what, "nodes") == 0 || strcmp(what, "many") == 0)
			user->rights.max_nodes = what[0] == 'n' ? 0 : 1025;
		if (strcmp(what, "reserved") == 0 || strcmp(what, "twice") == 0)
			user->reserved = (struct ela_reserved){1, {what[0] == 'r' ? 0x0a4d0000 : WORLD_ADDRESS}};
		if (strcmp(what, "twice") == 0)
			list->users[0].reserved = user->reserved;
		if (strcmp(what, "names") == 0)
			(void)g_strlcpy(user->name, "sada", sizeof user->name);
		if (strcmp(what, "keys") == 0)
			user->key = *ela_rsa_public(w->sada);
		if (strcmp(what, "order") == 0)
			user->reserved = (struct ela_reserved){2, {WORLD_ADDRESS, WORLD_ADDRESS}};
		/* the owner's own tool says so */
		ck_assert_msg(ela_userlist_sign(list, &w->genesis, w->owner, &bytes, &error) == -EINVAL, "%s is signed", what);
		ck_assert_ptr_null(bytes);
		ck_assert_msg(strstr(error->message, cases[i].words) || strstr(cases[i].words, "malformed entry"), "%s: %s",
			what, error->message);
		ela_userlist_free(list);
	}
}
END_TEST

/* The head of a list, users and revoked keys as given. */
static GVariant *list_body(const char *suite, guint64 epoch, guint64 version, const char *users, const char *revoked)
{
	g_autofree char *text =
		g_strdup_printf("(%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT ", 1000, 2000, ['%s'], 0, %s, %s, [])", epoch,
			version, suite, users, revoked);
	GError *error = NULL;
	GVariant *body = g_variant_parse(G_VARIANT_TYPE("(ttttasqa(saybbuaua(ayay))a(ayt)aay)"), text, NULL, NULL, &error);

	ck_assert_msg(body != NULL, "%s: %s", text, error ? error->message : "");
	return body;
}

START_TEST(test_list_body)
{
	const struct ela_signer owner = {.rsa = w->owner}, sada = {.rsa = w->sada};
	static const char hash_a[] = "b'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", hash_b[] = "b'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'";
	g_autofree char *falling = g_strdup_printf("[(%s, 1), (%s, 2)]", hash_b, hash_a);
	g_autofree char *twice = g_strdup_printf("[(%s, 1), (%s, 2)]", hash_a, hash_a);

	refused_body(2, &owner, list_body("aes-256-gcm", 0, 0, "[]", "[]"), "has version 0");
	refused_body(2, &owner, list_body("aes_256", 0, 1, "[]", "[]"), "name of a cipher suite");
	refused_body(2, &owner, list_body("", 0, 1, "[]", "[]"), "name of a cipher suite");
	refused_body(2, &owner, list_body("a-name-of-thirty-two-characters-", 0, 1, "[]", "[]"), "malformed entry");
	refused_body(2, &owner, list_body("aes-256-gcm", 0, 1, "[('x', b'', true, true, 1, [], [])]", "[]"), "malformed");
	refused_body(2, &owner, list_body("aes-256-gcm", 0, 1, "[]", "[(b'short', 1)]"), "malformed entry");
	refused_body(2, &owner, list_body("aes-256-gcm", 0, 1, "[]", falling), "out of order");
	refused_body(2, &owner, list_body("aes-256-gcm", 0, 1, "[]", twice), "out of order");
	refused_body(2, &owner, list_body("aes-256-gcm", 1, 1, "[]", "[]"), "without the handovers");
	refused_body(2, &owner, list_body("aes-256-gcm", 17, 1, "[]", "[]"), "without the handovers");
	refused_body(2, &sada, list_body("aes-256-gcm", 0, 1, "[]", "[]"), "signed by another key");
}
END_TEST

START_TEST(test_grant_says)
{
	static const struct {
		struct ela_grant grant;
		const char *words;
	} cases[] = {
		{{.user = ".", .rights = {.max_nodes = 1}, .expires_s = 1}, "malformed name"},
		{{.user = "a", .rights = {.max_nodes = 1}, .issued_s = 5, .expires_s = 5}, "ends before"},
		{{.user = "a", .rights = {.max_nodes = 0}, .expires_s = 1}, "no node"},
		{{.user = "a", .rights = {.max_nodes = 1025}, .expires_s = 1}, "more than 1024"},
		{{.user = "a", .is_machine = true, .rights = {.max_nodes = 1}, .expires_s = 1}, "rights of its own"},
		{{.user = "a", .is_machine = true, .rights = {.may_core = true}, .expires_s = 1}, "rights of its own"},
		{{.user = "a", .is_machine = true, .reserved = {1, {7}}, .expires_s = 1}, "rights of its own"},
	};
	const struct ela_signer sada = {.rsa = w->sada};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ela_grant grant = cases[i].grant;
		g_autoptr(GError) error = NULL;
		GBytes *bytes = NULL;
		GVariant *body = g_variant_new("(@aysbbbu@autt)", ela_body_put(grant.token_key, 32), grant.user,
			grant.is_machine, grant.rights.may_core, grant.rights.may_invite, grant.rights.max_nodes,
			ela_body_put_reserved(&grant.reserved), (guint64)grant.issued_s, (guint64)grant.expires_s);

		ck_assert_int_eq(ela_grant_sign(&grant, w->genesis.network_id, w->sada, &bytes, &error), -EINVAL);
		refused_body(3, &sada, body, i == 0 ? "malformed field" : cases[i].words);
	}
	refused_body(3, &sada,
		g_variant_new("(@aysbbbu@autt)", ela_body_put("short", 5), "aki", FALSE, FALSE, FALSE, 1,
			g_variant_new_array(G_VARIANT_TYPE_UINT32, NULL, 0), (guint64)1, (guint64)2),
		"malformed field");
}
END_TEST

static GVariant *credential_body(const char *name, const uint8_t *x25519, uint8_t roles)
{
	return g_variant_new("(@ayuts@ay@ayy)", ela_body_put(ela_rsa_public(w->sada)->hash, 32), 0, (guint64)1, name,
		ela_body_put(x25519, 32), ela_body_put(node_key, 32), roles);
}

START_TEST(test_credential_says)
{
	static const uint8_t zero[32], one[32] = {1}, nine[32] = {9};
	const struct ela_signer sada = {.rsa = w->sada};

	refused_body(5, &sada, credential_body("node", zero, 1), "low order");
	refused_body(5, &sada, credential_body("node", one, 1), "low order");
	refused_body(5, &sada, credential_body("", nine, 1), "malformed field");
	refused_body(5, &sada, credential_body("node", nine, 2), "roles");
}
END_TEST

START_TEST(test_claim_says)
{
	struct ela_grant grant = world_grant(9), machine = world_grant(9);
	g_autoptr(GBytes) grant_bytes = NULL, machine_bytes = NULL, bytes = NULL;
	uint8_t token[32], hash[32];
	const struct ela_signer by = {.ed25519 = token};

	(void)make(4);
	world_private(9, token);
	world_node_hash(1, hash);
	machine.is_machine = true;
	machine.rights = (struct ela_rights){0};
	grant_bytes = world_grant_sign(w, &grant, w->sada);
	machine_bytes = world_grant_sign(w, &machine, w->sada);
	bytes = world_claim(w, 9, machine_bytes, w->aki, 0);
	refused(4, w->genesis.network_id, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "does not mean");
	g_bytes_unref(bytes);
	bytes = world_claim(w, 9, grant_bytes, NULL, 1);
	refused(4, w->genesis.network_id, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "does not mean");
	g_bytes_unref(bytes);
	bytes = world_claim(w, 8, grant_bytes, w->aki, 0); /* another token's key */
	refused(4, w->genesis.network_id, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "signed by another key");
	refused_body(4, &by,
		g_variant_new("(@ay@ay@ay)", ela_body_put_blob(grant_bytes),
			ela_body_put(ela_rsa_public(w->aki)->der, ela_rsa_public(w->aki)->len), ela_body_put(hash, 32)),
		"does not mean");
}
END_TEST

START_TEST(test_record_says)
{
	static const struct {
		struct ela_lease lease;
		const char *words;
	} cases[] = {
		{{.id = 0}, "ID that no node has"},
		{{.id = UINT32_MAX}, "ID that no node has"},
		{{.id = 1, .role = (enum ela_lease_role)3}, "role that this version"},
		{{.id = 1, .role = ELA_LEASE_CORE, .parent = 5}, "parent that it cannot have"},
		{{.id = 1, .role = ELA_LEASE_EDGE, .parent = UINT32_MAX}, "parent that it cannot have"},
		{{.id = 1, .n_places = 5}, "too many endpoints"},
		{{.id = 1, .n_places = 1}, "endpoint that nobody may call"},
	};
	static const struct ela_place places[] = {
		{{.family = ELA_ADDR_IP4, .ip = {127, 0, 0, 1}}, 1, 1},
		{{.family = ELA_ADDR_IP4, .ip = {0, 0, 0, 0}}, 1, 1},
		{{.family = ELA_ADDR_IP4, .ip = {169, 254, 0, 1}}, 1, 1},
		{{.family = ELA_ADDR_IP4, .ip = {224, 0, 0, 1}}, 1, 1},
		{{.family = ELA_ADDR_IP4, .ip = {255, 255, 255, 255}}, 1, 1},
		{{.family = ELA_ADDR_IP4, .ip = {192, 0, 2, 1}}, 0, 0},
		{{.family = ELA_ADDR_IP6, .ip = {[15] = 1}}, 1, 1},
		{{.family = ELA_ADDR_IP6, .ip = {0xfe, 0x80, [15] = 1}}, 1, 1},
		{{.family = ELA_ADDR_IP6, .ip = {0xff, 2}}, 1, 1},
		{{.family = ELA_ADDR_IP6, .ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 1}}, 1, 1},
	};
	uint8_t private_key[32];
	GBytes *bytes = NULL;

	world_private(1, private_key);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_int_eq(ela_lease_sign(&cases[i].lease, w->genesis.network_id, private_key, &bytes, &error), -EINVAL);
		ck_assert_msg(strstr(error->message, cases[i].words) != NULL, "found %s", error->message);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		const struct ela_signer by = {.ed25519 = private_key};
		uint8_t len = places[i].addr.family == ELA_ADDR_IP4 ? 4 : 16;
		GVariantBuilder list;

		ck_assert_msg(!ela_place_ok(&places[i]), "place %zu", i);
		g_variant_builder_init(&list, G_VARIANT_TYPE("a(ayqq)"));
		g_variant_builder_add(
			&list, "(@ayqq)", ela_body_put(places[i].addr.ip, len), places[i].tcp_port, places[i].udp_port);
		refused_body(7, &by,
			g_variant_new("(uu@ayyuttb@a(ayqq))", 1, 1, ela_body_put(private_key, 32), 1, 0, (guint64)1, (guint64)1,
				FALSE, g_variant_builder_end(&list)),
			"endpoint that nobody may call");
	}
}
END_TEST

/* The largest record with its countersignature has room to spare. */
START_TEST(test_record_size)
{
	g_autoptr(GBytes) credential = make(5), record = NULL, both = NULL;
	struct ela_lease lease = world_lease(w, credential, WORLD_ADDRESS);

	lease.n_places = ELA_LEASE_PLACES;
	for (uint32_t i = 0; i < ELA_LEASE_PLACES; i++)
		lease.places[i] = (struct ela_place){{.family = ELA_ADDR_IP6, .ip = {0x20, 1, [15] = 1}}, 1, 1};
	record = world_record(w, &lease, 1);
	both = world_mark(w, record, &lease, 1, 1, 5);
	ck_assert_uint_le(g_bytes_get_size(both), ELA_RECORD_MAX / 2 + 16);
	ck_assert_int_eq(read_record(w->genesis.network_id, g_bytes_get_data(both, NULL), g_bytes_get_size(both), NULL), 0);
}
END_TEST

START_TEST(test_prefixes)
{
	static const struct {
		uint8_t ip[4];
		uint32_t bits;
	} wrong[] = {{{10, 77, 0, 1}, 24}, {{10}, 7}, {{10}, 31}, {{10}, 32}, {{127}, 8}, {{0}, 8}, {{224}, 8},
		{{169, 254}, 16}, {{240}, 8}};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct ela_genesis genesis = {.prefix = {.addr = {.family = ELA_ADDR_IP4}, .bits = wrong[i].bits}};
		GBytes *bytes = NULL;

		memcpy(genesis.prefix.addr.ip, wrong[i].ip, 4);
		ck_assert_msg(ela_genesis_sign(&genesis, w->owner, &bytes, NULL) == -EINVAL, "prefix %zu is taken", i);
	}
	ck_assert(ela_genesis_has_address(&w->genesis, 0x0a4d0001));
	ck_assert(ela_genesis_has_address(&w->genesis, 0x0a4d00fe));
	ck_assert(!ela_genesis_has_address(&w->genesis, 0x0a4d0000));
	ck_assert(!ela_genesis_has_address(&w->genesis, 0x0a4d00ff));
	ck_assert(!ela_genesis_has_address(&w->genesis, 0x0a4d0101));
	ck_assert(!ela_genesis_has_address(&w->genesis, 0x0b4d0001));
}
END_TEST

/* The owner after the owner; nobody else's list, nobody else's handover. */
START_TEST(test_handovers)
{
	struct ela_userlist *list = world_version(w, 5), *ret = NULL;
	struct ela_handover handover = handover_of(w->next), other = handover_of(w->next);
	g_autoptr(GBytes) handed = make_handover(), forged = NULL, bytes = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(ela_handover_sign(&handover, w->genesis.network_id, w->recovery, &bytes, NULL), 0);
	g_clear_pointer(&bytes, g_bytes_unref);
	ck_assert_int_eq(ela_userlist_hand_over(list, &handover, handed), 0);
	ck_assert(list->epoch == 1 && list->version == 0);
	ck_assert_int_eq(ela_userlist_hand_over(list, &handover, handed), -EINVAL); /* epoch 2 is next */
	list->version = 1;
	ck_assert_int_eq(ela_userlist_sign(list, &w->genesis, w->owner, &bytes, NULL), -EINVAL);
	bytes = world_sign(w, list, w->next);
	ck_assert_int_eq(
		ela_userlist_parse(&w->genesis, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &ret, NULL), 0);
	ck_assert(ret->epoch == 1 && ret->version == 1 && ela_userlist_compare(ret, w->list) > 0);
	ck_assert_mem_eq(ela_userlist_owner(ret, &w->genesis, 1)->hash, ela_rsa_public(w->next)->hash, ELA_HASH_LEN);
	ela_userlist_free(ret);
	ela_userlist_free(list);
	/* aki makes himself the owner */
	list = world_version(w, 5);
	other.owner = *ela_rsa_public(w->aki);
	ck_assert_int_eq(ela_handover_sign(&other, w->genesis.network_id, w->aki, &forged, NULL), 0);
	ck_assert_int_eq(ela_userlist_hand_over(list, &other, forged), 0);
	list->version = 1;
	g_bytes_unref(bytes);
	bytes = world_sign(w, list, w->aki);
	ck_assert_int_eq(
		ela_userlist_parse(&w->genesis, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &ret, &error),
		-EBADMSG);
	ck_assert_ptr_nonnull(strstr(error->message, "not signed by the recovery key"));
	ela_userlist_free(list);
}
END_TEST

/* ---- a large list ---- */

START_TEST(test_many_users)
{
	struct ela_userlist *list = world_version(w, 2), *ret = NULL;
	struct naive_rng rng = naive_seed("object");
	g_autoptr(GBytes) bytes = NULL;

	for (uint32_t i = 0; i < 900; i++) {
		struct ela_user *user = world_user(list, "x", w->aki);

		(void)g_snprintf(user->name, sizeof user->name, "user-%u", i);
		for (uint32_t k = 0; k < 8; k++) /* no key at all, but of the form of one */
			user->key.der[40 + k] = (uint8_t)naive_next(&rng);
		ck_assert_int_eq(ela_rsa_public_parse(user->key.der, user->key.len, &user->key), 0);
	}
	bytes = world_sign(w, list, w->owner);
	ck_assert_int_eq(
		ela_userlist_parse(&w->genesis, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &ret, NULL), 0);
	ck_assert_uint_eq(ret->n_users, 901);
	for (uint32_t i = 0; i < ret->n_users; i++)
		ck_assert_ptr_eq(ela_userlist_user(ret, list->users[i].key.hash), &ret->users[i]);
	ela_userlist_free(ret);
	for (uint32_t i = 0; i < 400; i++) { /* more than half a MiB */
		struct ela_user *user = world_user(list, "x", w->aki);

		(void)g_snprintf(user->name, sizeof user->name, "more-%u", i);
		for (uint32_t k = 0; k < 8; k++)
			user->key.der[40 + k] = (uint8_t)naive_next(&rng);
		ck_assert_int_eq(ela_rsa_public_parse(user->key.der, user->key.len, &user->key), 0);
	}
	g_clear_pointer(&bytes, g_bytes_unref);
	ck_assert_int_eq(ela_userlist_sign(list, &w->genesis, w->owner, &bytes, NULL), -EMSGSIZE);
	ela_userlist_free(list);
}
END_TEST

/* A boolean of 2 is read as true by those who do not look: signed well, and no normal form. */
START_TEST(test_normal_form)
{
	g_autoptr(GBytes) credential = make(5), stays = NULL, leaves = NULL;
	struct ela_lease lease = world_lease(w, credential, WORLD_ADDRESS);
	g_autofree uint8_t *bytes = NULL;
	uint8_t message[1024] = "ELA-RECORD-v1", private_key[32];
	uint32_t len, at = 37;

	stays = world_record(w, &lease, 1);
	lease.is_leave = true;
	leaves = world_record(w, &lease, 1);
	bytes = g_memdup2(g_bytes_get_data(leaves, NULL), g_bytes_get_size(leaves));
	while (bytes[at] == ((const uint8_t *)g_bytes_get_data(stays, NULL))[at])
		at++;
	ck_assert_uint_eq(bytes[at], 1);
	bytes[at] = 2;
	len = ela_get32(bytes + 33);
	memcpy(message + 14, w->genesis.network_id, 32);
	memcpy(message + 46, bytes + 37, len);
	world_private(1, private_key);
	ck_assert_int_eq(ela_ed25519_sign(private_key, message, 46 + len, bytes + 37 + len), 0);
	refused(7, w->genesis.network_id, bytes, g_bytes_get_size(leaves), "malformed body");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *tc = tcase_create("object");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_round, 0, SORTS);
	tcase_add_loop_test(tc, test_cut, 0, SORTS);
	tcase_add_loop_test(tc, test_flip, 0, SORTS);
	tcase_add_loop_test(tc, test_oversized, 0, SORTS);
	tcase_add_loop_test(tc, test_other_network, 0, SORTS);
	tcase_add_loop_test(tc, test_other_kind, 0, SORTS);
	tcase_add_test(tc, test_label);
	tcase_add_test(tc, test_list_says);
	tcase_add_test(tc, test_list_body);
	tcase_add_test(tc, test_grant_says);
	tcase_add_test(tc, test_credential_says);
	tcase_add_test(tc, test_claim_says);
	tcase_add_test(tc, test_record_says);
	tcase_add_test(tc, test_record_size);
	tcase_add_test(tc, test_prefixes);
	tcase_add_test(tc, test_handovers);
	tcase_add_test(tc, test_many_users);
	tcase_add_test(tc, test_normal_form);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
