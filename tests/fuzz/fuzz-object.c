/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-object: core/object.c, core/body.c, core/genesis.c, core/grant.c, core/credential.c, core/lease.c. Input: kind
 * (1), bytes of an object. Signatures are not in the way: the check of them says yes at link time, so that bodies are
 * reached. What is read is what may be signed: it is made again, with keys of ours, and read back.
 */
#include "genesis.h"
#include "grant.h"
#include "input.h"
#include "lease.h"
#include "signing.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t network[ELA_NETWORK_LEN];
static const uint8_t node[32] = {
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* The error is there exactly when something was refused, and says why in words. */
static bool taken(int err, GError **error)
{
	if ((err == 0) != (*error == NULL) || (*error && (err != -(*error)->code || *(*error)->message == '\0')))
		input_fail("a refusal without its reason");
	g_clear_error(error);
	return err == 0;
}

static void again(int err, GBytes *bytes)
{
	if (err != 0)
		input_fail("what was read cannot be made");
	g_bytes_unref(bytes);
}

static void try_genesis(const uint8_t *data, size_t len)
{
	uint8_t id[ELA_NETWORK_LEN];
	struct ela_genesis genesis;
	GError *error = NULL;
	GBytes *bytes = NULL;

	if (ela_object_hash(data, len, id) != 0 || !taken(ela_genesis_parse(id, data, len, &genesis, &error), &error))
		return;
	if (ela_genesis_has_address(&genesis, 0) || genesis.prefix.bits > 30)
		input_fail("a genesis with a prefix that none has");
	again(ela_genesis_sign(&genesis, signing_key(), &bytes, NULL), bytes);
}

static void try_handover(const uint8_t *data, size_t len)
{
	struct ela_handover handover;
	GError *error = NULL;
	GBytes *bytes = NULL;

	if (len <= 33 || !taken(ela_handover_parse(network, data + 1, data, len, &handover, &error), &error))
		return;
	if (handover.epoch == 0)
		input_fail("a handover to nowhere");
	again(ela_handover_sign(&handover, network, signing_key(), &bytes, NULL), bytes);
}

static void try_grant(const uint8_t *data, size_t len)
{
	struct ela_grant grant;
	GError *error = NULL;
	GBytes *bytes = NULL;

	if (!taken(ela_grant_parse(network, NULL, data, len, &grant, &error), &error))
		return;
	if (grant.expires_s <= grant.issued_s || grant.rights.max_nodes > ELA_USER_NODES_MAX ||
		(grant.is_machine && grant.rights.max_nodes != 0))
		input_fail("an impossible grant");
	again(ela_grant_sign(&grant, network, signing_key(), &bytes, NULL), bytes);
}

static void try_claim(const uint8_t *data, size_t len)
{
	struct ela_claim claim;
	GError *error = NULL;
	GBytes *bytes = NULL;

	if (!taken(ela_claim_parse(network, data, len, &claim, &error), &error))
		return;
	if (claim.grant.is_machine != (claim.user.len == 0) || !ela_claim_holder(&claim))
		input_fail("a claim for nobody");
	again(ela_claim_sign(network, node, claim.grant_bytes, claim.grant.is_machine ? NULL : &claim.user,
			  claim.grant.is_machine ? node : NULL, &bytes, NULL),
		bytes);
	ela_claim_clear(&claim);
}

static void try_enrolment(const uint8_t *data, size_t len)
{
	struct ela_enrolment enrolment;
	GError *error = NULL;
	GBytes *bytes = NULL;

	if (!taken(ela_enrolment_parse(network, data, len, &enrolment, &error), &error))
		return;
	again(ela_enrolment_sign(
			  network, node, enrolment.claim.grant_bytes, enrolment.witness_bytes, enrolment.time_s, &bytes, NULL),
		bytes);
	ela_enrolment_clear(&enrolment);
}

static void try_credential(const uint8_t *data, size_t len)
{
	const struct ela_signer by = {.ed25519 = node};
	const struct ela_verifier other = {.rsa = ela_rsa_public(signing_key())};
	struct ela_credential credential;
	uint8_t signer[ELA_HASH_LEN];
	GError *error = NULL;
	GBytes *bytes = NULL;

	if (!taken(ela_credential_parse(network, NULL, data, len, &credential, &error), &error))
		return;
	if (ela_credential_signer(data, len, signer, NULL) != 0 || memcmp(signer, credential.signer, sizeof signer) != 0)
		input_fail("two signers");
	if (memcmp(signer, other.rsa->hash, sizeof signer) != 0 &&
		ela_credential_parse(network, &other, data, len, &credential, NULL) == 0)
		input_fail("a credential of anybody");
	if (len > ela_object_max(ELA_OBJECT_CREDENTIAL) || len < ELA_OBJECT_HEAD)
		input_fail("a credential beyond the bounds");
	again(ela_credential_sign(&credential, network, &by, &bytes, NULL), bytes);
}

static void try_record(const uint8_t *data, size_t len)
{
	struct ela_lease_bytes parts;
	struct ela_lease lease;
	struct ela_mark mark;
	GError *error = NULL;
	GBytes *bytes = NULL;
	uint8_t node_key[32], named[ELA_HASH_LEN];
	bool is_named;

	if (ela_ed25519_public(node, node_key) != 0 || !taken(ela_lease_split(data, len, &parts, &error), &error))
		return;
	is_named = taken(ela_lease_credential(&parts, named, &error), &error);
	if (!taken(ela_lease_parse(network, node_key, &parts, &lease, &error), &error))
		return;
	if (!is_named || memcmp(named, lease.credential, sizeof named) != 0)
		input_fail("a record names another credential before it is believed");
	again(ela_lease_sign(&lease, network, node, &bytes, NULL), bytes);
	if (parts.mark.kind != 0 && taken(ela_mark_parse(network, node_key, &parts.mark, &lease, &mark, &error), &error))
		again(ela_mark_sign(&mark, network, node, &bytes, NULL), bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const uint8_t *data, size_t len) = {
		try_genesis, try_handover, try_grant, try_claim, try_enrolment, try_credential, try_record};

	if (size < 1)
		return -1;
	tries[data[0] % G_N_ELEMENTS(tries)](data + 1, size - 1);
	return 0;
}
