/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network-tell: what a node's own people ask of its network, and the user list that its owner hands in, over the
 * control socket. Control thread.
 */
#include "dials.h"
#include "directory.h"
#include "handshake.h"
#include "inet.h"
#include "json.h"
#include "network-priv.h"

#include <errno.h>
#include <string.h>

/* ---- a list ---- */

/* The same number as the one held, and another list: the network would take it for a fork, so it does not hear of it.
 */
static int check_number(const struct ela_network *network, const void *bytes, size_t len, GError **error)
{
	const struct ela_genesis *genesis = ela_membership_genesis(network->membership);
	const struct ela_userlist *held = ela_membership_newest(network->membership);
	struct ela_userlist *list = NULL;
	int err;

	if (!genesis || !held)
		return 0;
	err = ela_userlist_parse(genesis, bytes, len, &list, error);
	if (err == 0 && ela_userlist_compare(list, held) == 0 && memcmp(list->hash, held->hash, ELA_HASH_LEN) != 0)
		err = ela_object_refuse(error, ENOTUNIQ,
			"another user list of version %u.%u came first; make yours again, on top of it", (unsigned)held->epoch,
			(unsigned)held->version);
	ela_userlist_free(list);
	return err;
}

int ela_network_offer_list(struct ela_network *network, const void *bytes, size_t len, GError **error)
{
	int err = check_number(network, bytes, len, error);

	if (err != 0)
		return err;
	err = ela_membership_offer_list(network->membership, bytes, len, error);
	ela_network_recheck(network); /* also when the disk is full: it takes away */
	return err;
}

int ela_network_dial(struct ela_network *network, const char *endpoint, uint64_t until_s, GError **error)
{
	return ela_dials_add(network->dials, endpoint, until_s, error);
}

/* ---- objects ---- */

static void put_object(GString *text, const char *key, GBytes *bytes)
{
	g_autofree char *base64 = NULL;

	if (bytes)
		base64 = g_base64_encode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	ela_json_put(text, key, base64);
}

void ela_network_tell_objects(const struct ela_network *network, GString *text)
{
	const struct ela_membership *m = network->membership;
	GBytes *bytes;

	ela_json_open(text, "objects", '{');
	put_object(text, "genesis", ela_membership_genesis_bytes(m));
	put_object(text, "list", ela_membership_newest_bytes(m));
	ela_json_open(text, "forks", '[');
	for (uint32_t i = 0; (bytes = ela_membership_fork(m, i)) != NULL; i++)
		put_object(text, NULL, bytes);
	ela_json_close(text, ']');
	ela_json_open(text, "enrolments", '[');
	for (uint32_t i = 0; (bytes = ela_membership_enrolment(m, i)) != NULL; i++)
		put_object(text, NULL, bytes);
	ela_json_close(text, ']');
	ela_json_open(text, "credentials", '[');
	for (uint32_t i = 0; ela_membership_held(m, i, &bytes) != NULL; i++)
		put_object(text, NULL, bytes);
	ela_json_close(text, ']');
	ela_json_close(text, '}');
}

/* ---- leases ---- */

static bool is_online(const struct ela_network *network, const struct ela_held_lease *lease)
{
	const struct ela_known *known;
	uint8_t ip4[4];
	uint32_t id = 0;

	ela_put32(ip4, lease->address);
	if (ela_node_id(network->node->network_id, ip4, &id) != 0)
		return false;
	known = ela_directory_find(network->directory, id);
	return known && !known->lease.is_leave && memcmp(known->lease.node_hash, lease->node_hash, ELA_HASH_LEN) == 0;
}

static void tell_lease(const struct ela_network *network, const struct ela_held_lease *lease, GString *text)
{
	const struct ela_credential *node = ela_membership_node(network->membership, lease->node_hash);
	int64_t silent_ns = (int64_t)ela_loop_now(network->node->loop) - lease->heard_ns;
	struct ela_addr ip4, ip6;
	char address[ELA_INET_TEXT], user[ELA_NAME_ROOM] = "";

	ela_network_addresses(network, lease->address, &ip4, &ip6);
	ela_inet_addr_text(&ip4, address);
	if (node)
		(void)ela_membership_user_name(network->membership, node->user, user); /* else "" */
	ela_json_open(text, NULL, '{');
	ela_json_put(text, "address", address);
	ela_json_put(text, "name", node ? node->name : NULL);
	ela_json_put(text, "user", *user != '\0' ? user : NULL);
	if (lease->since_s != 0)
		ela_json_put_count(text, "since_s", lease->since_s);
	else
		ela_json_put_null(text, "since_s");
	ela_json_put_count(text, "age_s", silent_ns > 0 ? (uint64_t)silent_ns / ELA_SEC : 0);
	ela_json_put_bool(text, "online", is_online(network, lease));
	ela_json_close(text, '}');
}

void ela_network_tell_leases(const struct ela_network *network, GString *text)
{
	g_autoptr(GPtrArray) all = ela_lease_table_all(network->leases);

	ela_json_open(text, "leases", '[');
	for (guint i = 0; i < all->len; i++)
		tell_lease(network, g_ptr_array_index(all, i), text);
	ela_json_close(text, ']');
}

/* ---- peers ---- */

void ela_network_peer(const struct ela_network *network, const struct ela_peer *peer, struct ela_network_peer *ret)
{
	const struct ela_credential *credential = ela_members_credential(network->members, peer);
	const struct ela_known *known = peer->id != 0 ? ela_directory_find(network->directory, peer->id) : NULL;

	*ret = (struct ela_network_peer){0};
	if (credential)
		(void)ela_membership_user_name(network->membership, credential->user, ret->user); /* else "" */
	if (!known || !credential || memcmp(known->lease.node_hash, credential->node_hash, ELA_HASH_LEN) != 0)
		return;
	ret->has_record = true;
	ret->role = known->lease.role;
	ret->parent = known->lease.parent;
}
