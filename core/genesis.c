/* SPDX-License-Identifier: Apache-2.0 */
/* genesis: makes and reads the genesis of a network and the handovers of its ownership. Pure functions. Control thread.
 */
#include "genesis.h"
#include "frame.h"
#include "inet.h"

#include <errno.h>
#include <string.h>

#define MIN_BITS 8u
#define MAX_BITS 30u

static const uint8_t no_network[ELA_NETWORK_LEN];

static struct ela_prefix prefix_of(uint32_t address, uint32_t bits)
{
	struct ela_prefix prefix = {.addr = {.family = ELA_ADDR_IP4}, .bits = bits};

	ela_put32(prefix.addr.ip, address);
	return prefix;
}

bool ela_genesis_prefix_ok(const struct ela_prefix *prefix)
{
	struct ela_prefix masked = *prefix;

	if (prefix->addr.family != ELA_ADDR_IP4 || prefix->bits < MIN_BITS || prefix->bits > MAX_BITS)
		return false;
	ela_inet_prefix_mask(&masked);
	return ela_inet_prefix_equal(prefix, &masked) && !ela_inet_is_unspecified(&prefix->addr) &&
		   !ela_inet_is_loopback(&prefix->addr) && !ela_inet_is_link_local(&prefix->addr) &&
		   !ela_inet_is_multicast(&prefix->addr);
}

int ela_genesis_sign(struct ela_genesis *genesis, const struct ela_rsa *owner, GBytes **ret, GError **error)
{
	const struct ela_rsa_public *key = ela_rsa_public(owner);
	const struct ela_signer signer = {.rsa = owner};
	GBytes *bytes;
	GVariant *body;
	int err;

	if (!ela_genesis_prefix_ok(&genesis->prefix))
		return ela_object_refuse(error, EINVAL,
			"not a prefix for a network; expected an IPv4 unicast one of %u to %u bits, host bits zero", MIN_BITS,
			MAX_BITS);
	body = g_variant_new("(@ay@ayuy)", ela_body_put(key->der, key->len),
		ela_body_put(genesis->recovery_hash, ELA_HASH_LEN), ela_get32(genesis->prefix.addr.ip),
		(guchar)genesis->prefix.bits);
	err = ela_object_sign(ELA_OBJECT_GENESIS, no_network, &signer, body, &bytes, error);
	if (err != 0)
		return err;
	if (ela_object_hash(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), genesis->network_id) != 0) {
		g_bytes_unref(bytes);
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	}
	genesis->owner = *key;
	*ret = bytes;
	return 0;
}

static int read_genesis(const struct ela_object *object, struct ela_genesis *ret, GError **error)
{
	g_autoptr(GVariant) body = NULL;
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	ret->prefix = prefix_of((uint32_t)ela_body_number(body, 2), (uint32_t)ela_body_number(body, 3));
	if (!ela_body_rsa(body, 0, &ret->owner))
		return ela_object_refuse(error, EBADMSG, "genesis with a key that is none of ours");
	if (!ela_body_bytes(body, 1, ret->recovery_hash, ELA_HASH_LEN))
		return ela_object_refuse(error, EBADMSG, "genesis without the hash of a recovery key");
	if (!ela_genesis_prefix_ok(&ret->prefix))
		return ela_object_refuse(error, EBADMSG, "genesis with a prefix that no network may have");
	return 0;
}

int ela_genesis_parse(
	const uint8_t network_id[ELA_NETWORK_LEN], const void *bytes, size_t len, struct ela_genesis *ret, GError **error)
{
	struct ela_genesis genesis;
	struct ela_object object;
	struct ela_verifier owner = {.rsa = &genesis.owner};
	int err = ela_object_split(ELA_OBJECT_GENESIS, bytes, len, &object, error);

	if (err != 0)
		return err;
	if (ela_object_hash(bytes, len, genesis.network_id) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	if (memcmp(genesis.network_id, network_id, ELA_NETWORK_LEN) != 0)
		return ela_object_refuse(error, EBADMSG, "genesis of another network");
	err = read_genesis(&object, &genesis, error);
	if (err == 0)
		err = ela_object_verify(&object, no_network, &owner, error);
	if (err == 0)
		*ret = genesis;
	return err;
}

bool ela_genesis_has_address(const struct ela_genesis *genesis, uint32_t address)
{
	uint32_t base = ela_get32(genesis->prefix.addr.ip), hosts = UINT32_MAX >> genesis->prefix.bits;

	return (address & ~hosts) == base && address != base && address != (base | hosts);
}

int ela_handover_sign(struct ela_handover *handover, const uint8_t network_id[ELA_NETWORK_LEN],
	const struct ela_rsa *recovery, GBytes **ret, GError **error)
{
	const struct ela_signer signer = {.rsa = recovery};
	GVariant *body;

	handover->recovery = *ela_rsa_public(recovery);
	body = g_variant_new("(t@ay@ay@ayt)", (guint64)handover->epoch,
		ela_body_put(handover->recovery.der, handover->recovery.len),
		ela_body_put(handover->owner.der, handover->owner.len),
		ela_body_put(handover->next_recovery_hash, ELA_HASH_LEN), (guint64)handover->issued_s);
	return ela_object_sign(ELA_OBJECT_HANDOVER, network_id, &signer, body, ret, error);
}

static int read_handover(const struct ela_object *object, struct ela_handover *ret, GError **error)
{
	g_autoptr(GVariant) body = NULL;
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	ret->epoch = ela_body_number(body, 0);
	ret->issued_s = ela_body_number(body, 4);
	if (!ela_body_rsa(body, 1, &ret->recovery) || !ela_body_rsa(body, 2, &ret->owner))
		return ela_object_refuse(error, EBADMSG, "handover with a key that is none of ours");
	if (!ela_body_bytes(body, 3, ret->next_recovery_hash, ELA_HASH_LEN))
		return ela_object_refuse(error, EBADMSG, "handover without the hash of the next recovery key");
	if (ret->epoch == 0)
		return ela_object_refuse(error, EBADMSG, "handover to epoch 0, which is the genesis's");
	return 0;
}

int ela_handover_parse(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t recovery_hash[ELA_HASH_LEN],
	const void *bytes, size_t len, struct ela_handover *ret, GError **error)
{
	struct ela_handover handover;
	struct ela_object object;
	struct ela_verifier recovery = {.rsa = &handover.recovery};
	int err = ela_object_split(ELA_OBJECT_HANDOVER, bytes, len, &object, error);

	if (err != 0)
		return err;
	if (memcmp(object.signer, recovery_hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EBADMSG, "handover is not signed by the recovery key");
	err = read_handover(&object, &handover, error);
	if (err == 0)
		err = ela_object_verify(&object, network_id, &recovery, error);
	if (err == 0)
		*ret = handover;
	return err;
}
