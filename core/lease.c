/* SPDX-License-Identifier: Apache-2.0 */
/* lease: makes and reads records and their countersignatures (see lease.h). Pure functions. Control thread. */
#include "lease.h"
#include "frame.h"
#include "inet.h"

#include <errno.h>
#include <string.h>

#define FAMILY_LEN(addr) ((addr)->family == ELA_ADDR_IP4 ? 4u : 16u)
#define SIGNED_LEN (ELA_OBJECT_HEAD + ELA_ED25519_LEN) /* of an Ed25519 object, without its body */

enum { ID, ADDRESS, CREDENTIAL, ROLE, PARENT, INCARNATION, SEQUENCE, LEAVE, PLACES };

bool ela_place_ok(const struct ela_place *place)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct ela_addr *addr = &place->addr;

	if (addr->family != ELA_ADDR_IP4 && (addr->family != ELA_ADDR_IP6 || memcmp(addr->ip, mapped, sizeof mapped) == 0))
		return false;
	return (place->tcp_port != 0 || place->udp_port != 0) && !ela_inet_is_unspecified(addr) &&
		   !ela_inet_is_loopback(addr) && !ela_inet_is_link_local(addr) && !ela_inet_is_multicast(addr);
}

static bool same_place(const struct ela_place *a, const struct ela_place *b)
{
	return memcmp(&a->addr, &b->addr, sizeof a->addr) == 0 && a->tcp_port == b->tcp_port && a->udp_port == b->udp_port;
}

bool ela_lease_same(const struct ela_lease *a, const struct ela_lease *b)
{
	if (a->id != b->id || a->address != b->address || a->role != b->role || a->parent != b->parent ||
		a->is_leave != b->is_leave || a->n_places != b->n_places ||
		memcmp(a->credential, b->credential, ELA_HASH_LEN) != 0 ||
		memcmp(a->node_hash, b->node_hash, ELA_HASH_LEN) != 0)
		return false;
	for (uint32_t i = 0; i < a->n_places; i++)
		if (!same_place(&a->places[i], &b->places[i]))
			return false;
	return true;
}

static bool id_ok(uint32_t id)
{
	return id != 0 && id != UINT32_MAX;
}

static const char *fault_of(const struct ela_lease *lease)
{
	if (!id_ok(lease->id))
		return "for an ID that no node has";
	if (lease->role >= ELA_LEASE_ROLES)
		return "with a role that this version does not know";
	if (lease->role == ELA_LEASE_EDGE ? lease->parent == UINT32_MAX : lease->parent != 0)
		return "with a parent that it cannot have";
	for (uint32_t i = 0; i < lease->n_places; i++)
		if (!ela_place_ok(&lease->places[i]))
			return "with an endpoint that nobody may call";
	return NULL;
}

int ela_lease_sign(const struct ela_lease *lease, const uint8_t network_id[ELA_NETWORK_LEN],
	const uint8_t node_private[32], GBytes **ret, GError **error)
{
	const struct ela_signer node = {.ed25519 = node_private};
	const char *fault = lease->n_places > ELA_LEASE_PLACES ? "with too many endpoints" : fault_of(lease);
	GVariantBuilder places;

	if (fault)
		return ela_object_refuse(error, EINVAL, "record %s", fault);
	g_variant_builder_init(&places, G_VARIANT_TYPE("a(ayqq)"));
	for (uint32_t i = 0; i < lease->n_places; i++) {
		const struct ela_place *place = &lease->places[i];

		g_variant_builder_add(&places, "(@ayqq)", ela_body_put(place->addr.ip, FAMILY_LEN(&place->addr)),
			place->tcp_port, place->udp_port);
	}
	return ela_object_sign(ELA_OBJECT_RECORD, network_id, &node,
		g_variant_new("(uu@ayyuttb@a(ayqq))", lease->id, lease->address, ela_body_put(lease->credential, ELA_HASH_LEN),
			(guchar)lease->role, lease->parent, (guint64)lease->incarnation, (guint64)lease->sequence, lease->is_leave,
			g_variant_builder_end(&places)),
		ret, error);
}

int ela_lease_split(const void *bytes, size_t len, struct ela_lease_bytes *ret, GError **error)
{
	const uint8_t *p = bytes;
	struct ela_lease_bytes parts = {0};
	size_t record_len = len;
	int err;

	if (len > ELA_RECORD_MAX)
		return ela_object_refuse(error, EBADMSG, "record of %zu bytes; at most %u are taken", len, ELA_RECORD_MAX);
	/* an Ed25519 object tells its own length; what follows is the countersignature */
	if (len >= ELA_OBJECT_HEAD && ela_get32(p + ELA_OBJECT_HEAD - 4) < len)
		record_len = MIN(len, SIGNED_LEN + ela_get32(p + ELA_OBJECT_HEAD - 4));
	err = ela_object_split(ELA_OBJECT_RECORD, p, record_len, &parts.record, error);
	if (err == 0 && record_len < len)
		err = ela_object_split(ELA_OBJECT_LEASE, p + record_len, len - record_len, &parts.mark, error);
	if (err == 0)
		*ret = parts;
	return err;
}

static bool read_place(GVariant *tuple, struct ela_place *ret)
{
	struct ela_place place = {
		.tcp_port = (uint16_t)ela_body_number(tuple, 1), .udp_port = (uint16_t)ela_body_number(tuple, 2)};

	if (ela_body_bytes(tuple, 0, place.addr.ip, 4))
		place.addr.family = ELA_ADDR_IP4;
	else if (ela_body_bytes(tuple, 0, place.addr.ip, 16))
		place.addr.family = ELA_ADDR_IP6;
	else
		return false;
	*ret = place;
	return true;
}

static bool read_places(GVariant *body, struct ela_lease *ret)
{
	g_autoptr(GVariant) places = g_variant_get_child_value(body, PLACES);
	gsize n = g_variant_n_children(places);

	if (n > ELA_LEASE_PLACES)
		return false;
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) place = g_variant_get_child_value(places, i);

		if (!read_place(place, &ret->places[i]))
			return false;
	}
	ret->n_places = (uint32_t)n;
	return true;
}

static int read_lease(const struct ela_object *object, struct ela_lease *ret, GError **error)
{
	g_autoptr(GVariant) body = NULL;
	const char *fault = "with a malformed field";
	int err = ela_object_read(object, &body, error);

	if (err != 0)
		return err;
	ret->id = (uint32_t)ela_body_number(body, ID);
	ret->address = (uint32_t)ela_body_number(body, ADDRESS);
	ret->role = (enum ela_lease_role)ela_body_number(body, ROLE);
	ret->parent = (uint32_t)ela_body_number(body, PARENT);
	ret->incarnation = ela_body_number(body, INCARNATION);
	ret->sequence = ela_body_number(body, SEQUENCE);
	ret->is_leave = ela_body_number(body, LEAVE) != 0;
	memcpy(ret->node_hash, object->signer, ELA_HASH_LEN);
	if (ela_body_bytes(body, CREDENTIAL, ret->credential, ELA_HASH_LEN) && read_places(body, ret))
		fault = fault_of(ret);
	return fault ? ela_object_refuse(error, EBADMSG, "record %s", fault) : 0;
}

int ela_lease_credential(const struct ela_lease_bytes *bytes, uint8_t ret[ELA_HASH_LEN], GError **error)
{
	g_autoptr(GVariant) body = NULL;
	int err = ela_object_read(&bytes->record, &body, error);

	if (err == 0 && !ela_body_bytes(body, CREDENTIAL, ret, ELA_HASH_LEN))
		err = ela_object_refuse(error, EBADMSG, "record with a malformed field");
	return err;
}

int ela_lease_parse(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t node_key[32],
	const struct ela_lease_bytes *bytes, struct ela_lease *ret, GError **error)
{
	const struct ela_verifier node = {.ed25519 = node_key};
	struct ela_lease lease = {0};
	int err = ela_object_verify(&bytes->record, network_id, &node, error);

	if (err == 0)
		err = read_lease(&bytes->record, &lease, error);
	if (err == 0)
		*ret = lease;
	return err;
}

int ela_mark_sign(const struct ela_mark *mark, const uint8_t network_id[ELA_NETWORK_LEN],
	const uint8_t home_private[32], GBytes **ret, GError **error)
{
	const struct ela_signer home = {.ed25519 = home_private};

	if (!id_ok(mark->id) || mark->time_s == 0)
		return ela_object_refuse(error, EINVAL, "not a lease to countersign");
	return ela_object_sign(ELA_OBJECT_LEASE, network_id, &home,
		g_variant_new("(u@ayt)", mark->id, ela_body_put(mark->node_hash, ELA_HASH_LEN), (guint64)mark->time_s), ret,
		error);
}

int ela_mark_parse(const uint8_t network_id[ELA_NETWORK_LEN], const uint8_t home_key[32],
	const struct ela_object *object, const struct ela_lease *lease, struct ela_mark *ret, GError **error)
{
	const struct ela_verifier home = {.ed25519 = home_key};
	g_autoptr(GVariant) body = NULL;
	struct ela_mark mark;
	int err = ela_object_verify(object, network_id, &home, error);

	if (err == 0)
		err = ela_object_read(object, &body, error);
	if (err != 0)
		return err;
	mark.id = (uint32_t)ela_body_number(body, 0);
	mark.time_s = ela_body_number(body, 2);
	if (!ela_body_bytes(body, 1, mark.node_hash, ELA_HASH_LEN) || mark.time_s == 0)
		return ela_object_refuse(error, EBADMSG, "countersignature with a malformed field");
	if (mark.id != lease->id || memcmp(mark.node_hash, lease->node_hash, ELA_HASH_LEN) != 0)
		return ela_object_refuse(error, EBADMSG, "countersignature of another lease");
	*ret = mark;
	return 0;
}
