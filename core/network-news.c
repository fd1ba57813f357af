/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network-news: what others say: records and the credentials that they need, from the directory's listener and from
 * replies; and what follows of a record that counts: a countersignature, a contact, an address that is lost. Control
 * thread.
 */
#include "network-priv.h"

#include "pull.h"

#include <errno.h>
#include <string.h>

#define FETCHING_MAX 6u               /* credentials at a time; others may pull, too */
#define KEPT_MAX 64u                  /* records and credentials that wait for something */
#define ASK_GUEST_NS (900 * ELA_MSEC) /* it is asked again within a second */

/* A credential that a record lacks. */
struct wanted {
	struct ela_network *network;
	uint8_t hash[ELA_HASH_LEN];
	uint32_t peer;   /* who brought the record */
	uint64_t ticket; /* of the pull; 0 = it waits */
};

static uint64_t now_ns(const struct ela_network *network)
{
	return ela_loop_now(network->node->loop);
}

/* ---- credentials ---- */

/* How many of these wait is bounded: the oldest gives way. */
static void keep(GPtrArray *kept, const void *bytes, uint32_t len)
{
	if (kept->len >= KEPT_MAX)
		(void)g_ptr_array_remove_index(kept, 0); /* which frees it */
	g_ptr_array_add(kept, g_bytes_new(bytes, len));
}

int ela_network_take_credential(
	struct ela_network *network, const void *bytes, uint32_t len, const struct ela_credential **ret, GError **error)
{
	struct ela_object object;
	struct ela_credential said;
	const struct ela_credential *held = NULL;
	bool is_leased = ela_object_split(ELA_OBJECT_CREDENTIAL, bytes, len, &object, NULL) == 0 &&
					 ela_credential_parse(network->node->network_id, NULL, bytes, len, &said, NULL) == 0 &&
					 ela_lease_table_of(network->leases, said.node_hash) != NULL;
	g_autoptr(GError) why = NULL;
	int err = ela_membership_offer_credential(
		network->membership, bytes, len, ela_network_wall_s(network), is_leased, &held, &why);

	if (err == -EALREADY)
		err = 0;
	else if (err != 0)
		g_propagate_error(error, g_steal_pointer(&why));
	if (err == 0 && ret)
		*ret = held;
	if (err == 0) {
		ela_network_recheck(network);
		ela_network_chore(network); /* a home of records may be known now */
	}
	return err;
}

static void on_credential(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	struct wanted *wanted = data;
	struct ela_network *network = wanted->network;
	g_autoptr(GError) error = NULL;

	wanted->ticket = 0;
	if (err == 0)
		err = ela_network_take_credential(network, bytes, len, NULL, &error);
	if (err == -EAGAIN && error) { /* its user is news: list and enrolments first */
		keep(network->unjudged, bytes, len);
		ela_list_sync_ask(network->sync, wanted->peer);
		ela_list_sync_soon(network->sync);
	} else if (error) {
		ela_logf_limited(network->node->log, now_ns(network), ELA_LOG_WARN, "network",
			"credential-refused peer=%u reason=\"%s\"", wanted->peer, error->message);
	}
	(void)g_ptr_array_remove(network->fetching, wanted); /* which frees it */
	ela_network_chore(network);
}

static void fetch_credentials(struct ela_network *network)
{
	while (network->fetching->len < FETCHING_MAX && !g_queue_is_empty(&network->wanted)) {
		struct wanted *wanted = g_queue_pop_head(&network->wanted);

		if (ela_peer_by_number(network->node, wanted->peer))
			wanted->ticket =
				ela_pull(network->node, ELA_PULL_CREDENTIAL, wanted->hash, &wanted->peer, 1, on_credential, wanted);
		if (wanted->ticket)
			g_ptr_array_add(network->fetching, wanted);
		else
			g_free(wanted); /* it is asked for again, with another record */
	}
}

static void free_wanted(void *data)
{
	struct wanted *wanted = data;

	if (wanted->ticket)
		ela_pull_cancel(wanted->network->node, wanted->ticket);
	g_free(wanted);
}

static void want_credential(void *data, const uint8_t hash[ELA_HASH_LEN], uint32_t peer)
{
	struct ela_network *network = data;
	struct wanted *wanted;

	if (peer == 0 || g_queue_get_length(&network->wanted) >= KEPT_MAX)
		return;
	wanted = g_new0(struct wanted, 1);
	*wanted = (struct wanted){.network = network, .peer = peer};
	memcpy(wanted->hash, hash, ELA_HASH_LEN);
	g_queue_push_tail(&network->wanted, wanted);
	ela_network_chore(network);
}

/* ---- records ---- */

static int insert(struct ela_network *network, const void *bytes, uint32_t len)
{
	const struct ela_routing_ops *routing = &network->node->routing->loaded->routing;
	struct ela_record_info info;
	int err = ela_directory_record_check(network->directory, bytes, len, &info);

	return err == 0 ? routing->insert(network->node->routing->self, info.id, bytes, len) : err;
}

void ela_network_take_record(struct ela_network *network, const struct ela_peer *from, const void *bytes, uint32_t len)
{
	ela_directory_brought_by(network->directory, from->number);
	if (insert(network, bytes, len) == -EAGAIN)
		keep(network->waiting, bytes, len);
	ela_directory_brought_by(network->directory, 0);
}

/* Of a guest; its number is in data, for it may be gone. */
struct guest {
	struct ela_network *network;
	uint32_t peer;
};

static void on_guest_record(void *data, int err, const struct ela_message *reply)
{
	struct guest *guest = data;
	const struct ela_peer *peer = NULL;
	const uint8_t *bytes = NULL;
	uint32_t len = 0;

	if (err == 0) { /* else the network may be gone, too */
		peer = ela_peer_by_number(guest->network->node, guest->peer);
		bytes = ela_message_bytes(reply, ELA_FIELD_RECORD, 0, &len);
	}
	if (peer && bytes)
		ela_network_take_record(guest->network, peer, bytes, len);
	g_free(guest);
}

/* A node with an address that calls us is a member, whose record has not come here: its ring and ours were apart. */
void ela_network_ask_guests(struct ela_network *network)
{
	const struct ela_peers *peers = ela_peers_list(network->node);

	for (uint32_t i = 0; network->lease.id != 0 && i < peers->n; i++) {
		struct ela_peer *peer = peers->v[i];
		uint32_t id = peer->guest && peer->current ? peer->current->with.remote_id : 0;
		const struct ela_credential *credential = id ? ela_members_credential(network->members, peer) : NULL;
		struct ela_message *request;
		struct guest *guest;

		if (!credential || ela_membership_check(network->membership, credential, NULL) != 0)
			continue;
		request = ela_message_new(ELA_PURPOSE_RECORD_GET, ELA_MESSAGE_REQUEST);
		ela_message_put_number(request, ELA_FIELD_ID, (int64_t)id);
		guest = g_new(struct guest, 1);
		*guest = (struct guest){network, peer->number};
		if (ela_dialogue_ask(peer, request, ASK_GUEST_NS, on_guest_record, guest) == 0)
			g_free(guest);
	}
}

static void try_again(struct ela_network *network)
{
	g_autoptr(GPtrArray) records = network->waiting, credentials = network->unjudged;

	network->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	network->unjudged = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	for (guint i = 0; i < credentials->len; i++) {
		gsize len;
		const void *bytes = g_bytes_get_data(g_ptr_array_index(credentials, i), &len);

		if (ela_membership_offer_credential(
				network->membership, bytes, len, ela_network_wall_s(network), false, NULL, NULL) == -EAGAIN)
			keep(network->unjudged, bytes, (uint32_t)len);
	}
	for (guint i = 0; i < records->len; i++) {
		gsize len;
		const void *bytes = g_bytes_get_data(g_ptr_array_index(records, i), &len);

		if (insert(network, bytes, (uint32_t)len) == -EAGAIN)
			keep(network->waiting, bytes, (uint32_t)len);
	}
}

/* The first core at or after the ID that is not the node itself: whoever leases an address does not vouch for it. */
static uint32_t home_of(const struct ela_network *network, uint32_t id)
{
	const struct ela_cores *cores = ela_directory_cores(network->directory);
	uint32_t home = ela_cores_successor(cores, id, 0);

	return home == id ? ela_cores_successor(cores, id, 1) : home;
}

/* This node is the home of a new record: it says since when. */
static void countersign(struct ela_network *network, const struct ela_known *known)
{
	struct ela_mark mark = {.id = known->id, .time_s = ela_network_wall_s(network)};
	struct ela_lease_bytes parts;
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GByteArray) both = g_byte_array_new();

	if (known->since_s != 0 || known->lease.is_leave || known->id == network->lease.id ||
		network->lease.role != ELA_LEASE_CORE || home_of(network, known->id) != network->lease.id ||
		ela_lease_split(known->bytes, known->len, &parts, NULL) != 0 || parts.mark.kind != 0)
		return;
	memcpy(mark.node_hash, known->lease.node_hash, ELA_HASH_LEN);
	if (ela_mark_sign(&mark, network->node->network_id, network->sign_private, &bytes, NULL) != 0)
		return; /* the next record is another chance */
	g_byte_array_append(both, known->bytes, known->len);
	g_byte_array_append(both, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
	if (both->len <= ELA_RECORD_MAX)
		(void)insert(network, both->data, both->len); /* likewise */
}

/* It may be called when this node is in no ring. */
static void note_contact(struct ela_network *network, const struct ela_known *known)
{
	const struct ela_credential *credential = ela_membership_credential(network->membership, known->lease.credential);
	bool is_news = false;

	if (!credential || known->lease.role != ELA_LEASE_CORE || known->id == network->lease.id)
		return;
	for (uint32_t i = known->lease.n_places; i-- > 0;)
		is_news |= ela_contacts_note(&network->contacts, credential->x25519, &known->lease.places[i]);
	if (is_news && network->is_started) /* a token that is made now names it */
		network->node->loop->ops->timer_set(network->renew, now_ns(network));
}

static void look_at(struct ela_network *network, uint32_t id)
{
	const struct ela_known *known = ela_directory_find(network->directory, id);

	if (!known)
		return;
	if (id == network->lease.id && memcmp(known->lease.node_hash, network->self.node_hash, ELA_HASH_LEN) != 0) {
		ela_network_lose_address(network);
		return;
	}
	note_contact(network, known);
	countersign(network, known);
}

static void on_changed(void *data, uint32_t id)
{
	struct ela_network *network = data;

	ela_neighbours_changed(network->neighbours, id);
	if (network->changed->len < ELA_DIRECTORY_MAX)
		g_array_append_val(network->changed, id);
	ela_network_chore(network);
}

static void on_gone(void *data, uint32_t id)
{
	struct ela_network *network = data;

	ela_neighbours_gone(network->neighbours, id);
	ela_network_chore(network);
}

/* A home of a record may be another one now; and a core that is alone may not be. */
static void on_ring_changed(void *data)
{
	struct ela_network *network = data;

	for (uint32_t id = 0; network->changed->len < ELA_DIRECTORY_MAX;) {
		const struct ela_known *known = ela_directory_next(network->directory, id);

		if (!known)
			break;
		id = known->id;
		if (known->since_s == 0)
			g_array_append_val(network->changed, id);
	}
	ela_network_chore(network);
}

static void on_own_record(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	struct ela_network *network = data;
	const struct ela_credential *home;
	struct ela_lease_bytes parts;
	bool is_news = ela_own_record_shown(network->record, lease, bytes, len, now_ns(network));

	if (ela_lease_split(bytes, len, &parts, NULL) == 0 && parts.mark.kind != 0 && lease->id == network->lease.id) {
		const struct ela_known *own = ela_network_own_record(network);

		home = ela_membership_node(network->membership, parts.mark.signer);
		if (home && own && own->since_s == 0)
			is_news |= ela_own_record_countersigned(network->record, home->ed25519, bytes, len, NULL) == 0;
	}
	if (is_news && network->is_started)
		network->node->loop->ops->timer_set(network->renew, now_ns(network));
}

/* ---- for network.c ---- */

void ela_network_news_begin(struct ela_network *network)
{
	network->listener =
		(struct ela_directory_listener){on_changed, on_gone, on_ring_changed, want_credential, on_own_record, network};
	network->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	network->unjudged = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	network->changed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	network->fetching = g_ptr_array_new_with_free_func(free_wanted);
	g_queue_init(&network->wanted);
}

void ela_network_news_turn(struct ela_network *network)
{
	g_autoptr(GArray) changed = network->changed;

	network->changed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	try_again(network);
	ela_directory_recheck_homes(network->directory);
	fetch_credentials(network);
	for (guint i = 0; i < changed->len; i++)
		look_at(network, g_array_index(changed, uint32_t, i));
}

void ela_network_news_end(struct ela_network *network)
{
	g_queue_clear_full(&network->wanted, g_free);
	g_ptr_array_unref(network->fetching);
	g_ptr_array_unref(network->waiting);
	g_ptr_array_unref(network->unjudged);
	g_array_unref(network->changed);
}
