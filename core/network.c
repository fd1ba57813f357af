/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: ties together what a node of a ring knows and does (see network.h): what the directory says becomes peers,
 * countersignatures and contacts; what the node is becomes its own record. What must not happen in the middle of a call
 * is a chore of the loop's next turn. Control thread.
 */
#include "classification.h"
#include "network-priv.h"

#include "folders.h"
#include "handshake.h"
#include "inet.h"
#include "keys.h"
#include "own.h"
#include "pull.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#define FETCHING_MAX 6u /* credentials at a time; others may pull, too */
#define KEPT_MAX 64u    /* records and credentials that wait for something */
#define FLUSH_NS (60 * ELA_SEC)

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

static void chore(struct ela_network *network)
{
	network->node->loop->ops->timer_set(network->chores, now_ns(network));
}

/* ---- addresses and ports ---- */

void ela_network_addresses(
	const struct ela_network *network, uint32_t address, struct ela_addr *ip4, struct ela_addr *ip6)
{
	*ip4 = (struct ela_addr){.family = ELA_ADDR_IP4};
	ela_put32(ip4->ip, address);
	ela_inet_overlay6(network->node->network_id, ip4, ip6);
}

void ela_network_ports(const struct ela_network *network, uint16_t *ret_tcp, uint16_t *ret_udp)
{
	*ret_tcp = *ret_udp = 0;
	for (uint32_t i = 0; i < network->node->n_transports; i++) {
		const struct ela_transport_info *info = &network->node->transports[i].info;
		uint16_t *ret = info->caps & ELA_TRANSPORT_STREAM ? ret_tcp : ret_udp;

		if (*ret == 0)
			*ret = info->port;
	}
}

static bool is_private(const struct ela_addr *addr)
{
	static const struct ela_prefix private[] = {
		{{.ip = {10}, .family = ELA_ADDR_IP4}, 8},
		{{.ip = {172, 16}, .family = ELA_ADDR_IP4}, 12},
		{{.ip = {192, 168}, .family = ELA_ADDR_IP4}, 16},
		{{.ip = {100, 64}, .family = ELA_ADDR_IP4}, 10},
		{{.ip = {0xfc}, .family = ELA_ADDR_IP6}, 7},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(private); i++)
		if (ela_inet_prefix_contains(&private[i], addr))
			return true;
	return false;
}

static bool read_interface(const struct ifaddrs *at, struct ela_addr *ret)
{
	*ret = (struct ela_addr){0};
	if (!at->ifa_addr || (at->ifa_flags & IFF_UP) == 0)
		return false;
	if (at->ifa_addr->sa_family == AF_INET) {
		ret->family = ELA_ADDR_IP4;
		memcpy(ret->ip, &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr, 4);
	} else if (at->ifa_addr->sa_family == AF_INET6) {
		ret->family = ELA_ADDR_IP6;
		memcpy(ret->ip, &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr, 16);
	}
	return ret->family != ELA_ADDR_NONE;
}

uint32_t ela_network_places(const struct ela_network *network, struct ela_place ret[ELA_LEASE_PLACES])
{
	struct ela_place place = {0};
	struct ifaddrs *all = NULL;
	uint32_t n = 0;

	memcpy(ret, network->places, sizeof network->places);
	if (network->n_places)
		return network->n_places;
	ela_network_ports(network, &place.tcp_port, &place.udp_port);
	(void)getifaddrs(&all); /* none are known then */
	for (int want_private = 0; want_private < 2; want_private++)
		for (const struct ifaddrs *at = all; at && n < ELA_LEASE_PLACES; at = at->ifa_next)
			if (read_interface(at, &place.addr) && is_private(&place.addr) == want_private && ela_place_ok(&place) &&
				ela_addr_allowed(network->node, &place.addr))
				ret[n++] = place;
	if (all)
		freeifaddrs(all);
	return n;
}

/* ---- the own record ---- */

static void renew(void *data)
{
	struct ela_network *network = data;
	uint64_t next_ns = ela_own_record_turn(network->record, now_ns(network));

	(void)ela_membership_flush(network->membership); /* what fails is tried again, and told by health */
	(void)ela_contacts_write(&network->contacts, network->files, network->dirfd); /* likewise */
	network->node->loop->ops->timer_set(network->renew, MIN(next_ns, now_ns(network) + FLUSH_NS));
}

static void publish(void *data, const struct ela_lease *lease, const void *bytes, uint32_t len)
{
	struct ela_network *network = data;
	const struct ela_routing_ops *routing = &network->node->routing->loaded->routing;
	int err = routing->insert(network->node->routing->self, lease->id, bytes, len);

	if (err != 0)
		ela_logf_limited(network->node->log, now_ns(network), ELA_LOG_WARN, "network",
			"own-record-refused id=%08x reason=\"%s\"", lease->id, g_strerror(-err));
}

static void runs_twice(void *data, uint64_t until_ns)
{
	struct ela_network *network = data;

	ela_logf(network->node->log, ELA_LOG_ERROR, "network",
		"key-runs-twice silent_s=%u remedy=\"this node's key is used by another machine: give each a token of its "
		"own\"",
		(uint32_t)((until_ns - now_ns(network)) / ELA_SEC));
}

static void record_random(void *data, void *buf, size_t len)
{
	struct ela_loop *loop = ((struct ela_network *)data)->node->loop;

	loop->ops->random(loop, buf, len);
}

const struct ela_known *ela_network_own_record(const struct ela_network *network)
{
	return network->lease.id ? ela_directory_find(network->directory, network->lease.id) : NULL;
}

/* The own record says what lease says from the next moment on. */
static int say(struct ela_network *network, const struct ela_lease *lease, GError **error)
{
	int err = ela_own_record_say(network->record, lease, error);

	if (err != 0)
		return err;
	network->lease = *lease;
	renew(network);
	return 0;
}

static int take_address(struct ela_network *network, uint32_t address, GError **error)
{
	struct ela_prefix ip4 = {.bits = ela_membership_genesis(network->membership)->prefix.bits};
	struct ela_prefix ip6 = {.bits = ELA_OVERLAY6_BITS};
	int err;

	if (network->lease.address == address)
		return 0;
	ela_network_addresses(network, address, &ip4.addr, &ip6.addr);
	err = ela_own_take(network->node, &ip4, &ip6);
	if (err != 0)
		return ela_object_refuse(error, -err, "the device does not take the address: %s", g_strerror(-err));
	ela_neighbours_own_changed(network->neighbours);
	return 0;
}

static void say_in(const struct ela_network *network)
{
	char text[ELA_INET_TEXT];
	struct ela_addr ip4, ip6;

	ela_network_addresses(network, network->lease.address, &ip4, &ip6);
	ela_inet_addr_text(&ip4, text);
	ela_logf(network->node->log, ELA_LOG_INFO, "network", "role=%s address=%s id=%08x reason=\"%s\"",
		network->lease.role == ELA_LEASE_CORE ? "core" : "edge", text, network->lease.id, network->reason);
}

int ela_network_enter(struct ela_network *network, const struct ela_lease *lease, GError **error)
{
	const struct ela_routing_ops *routing = &network->node->routing->loaded->routing;
	struct ela_lease next = *lease;
	uint8_t ip4[4];
	int err;

	ela_put32(ip4, lease->address);
	if (ela_node_id(network->node->network_id, ip4, &next.id) != 0 || next.id == 0 || next.id == UINT32_MAX)
		return ela_object_refuse(error, EINVAL, "the address is one that no node can have");
	memcpy(next.credential, network->self.hash, ELA_HASH_LEN);
	err = take_address(network, next.address, error);
	if (err == 0)
		err = say(network, &next, error);
	if (err != 0)
		return err;
	ela_neighbours_set_role(network->neighbours, next.role);
	if (next.role == ELA_LEASE_CORE)
		err = routing->join(network->node->routing->self);
	else
		err = routing->leave ? routing->leave(network->node->routing->self) : 0;
	if (err != 0)
		return ela_object_refuse(error, -err, "the routing plugin does not %s: %s",
			next.role == ELA_LEASE_CORE ? "join" : "leave", g_strerror(-err));
	say_in(network);
	return 0;
}

/* Another key holds our ID, by the rule that all follow: this node takes another address. */
static void lose_address(struct ela_network *network)
{
	const struct ela_addresses from = {network->node->loop, network->membership, network->directory, network->leases};
	struct ela_lease lease = network->lease;
	g_autoptr(GError) error = NULL;

	if (ela_address_choose(&from, &network->self, 0, &lease.address) != 0 || lease.address == network->lease.address ||
		ela_network_enter(network, &lease, &error) != 0)
		ela_logf_limited(network->node->log, now_ns(network), ELA_LOG_ERROR, "network", "address-lost remedy=\"%s\"",
			error ? error->message : "there is no other address in the network");
	else
		ela_logf(network->node->log, ELA_LOG_WARN, "network", "address-changed reason=\"another node had it first\"");
}

static void on_neighbours(void *data)
{
	chore(data);
}

/* An edge's record names whom it is reached by. */
static void follow_parent(struct ela_network *network)
{
	const struct ela_peer *parent = ela_neighbours_parent(network->neighbours);
	struct ela_lease lease = network->lease;

	if (lease.id == 0 || lease.role != ELA_LEASE_EDGE || !parent || parent->id == 0 || parent->id == lease.parent)
		return;
	lease.parent = parent->id;
	(void)say(network, &lease, NULL); /* only the parent differs from one that was taken */
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
	if (err == 0)
		ela_network_recheck(network);
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
	} else if (error) {
		ela_logf_limited(network->node->log, now_ns(network), ELA_LOG_WARN, "network",
			"credential-refused peer=%u reason=\"%s\"", wanted->peer, error->message);
	}
	(void)g_ptr_array_remove(network->fetching, wanted); /* which frees it */
	chore(network);
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
	chore(network);
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

	if (!credential || known->lease.role != ELA_LEASE_CORE || known->id == network->lease.id)
		return;
	for (uint32_t i = known->lease.n_places; i-- > 0;)
		ela_contacts_note(&network->contacts, credential->x25519, &known->lease.places[i]);
}

static void look_at(struct ela_network *network, uint32_t id)
{
	const struct ela_known *known = ela_directory_find(network->directory, id);

	if (!known)
		return;
	if (id == network->lease.id && memcmp(known->lease.node_hash, network->self.node_hash, ELA_HASH_LEN) != 0) {
		lose_address(network);
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
	chore(network);
}

static void on_gone(void *data, uint32_t id)
{
	struct ela_network *network = data;

	ela_neighbours_gone(network->neighbours, id);
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
	chore(network);
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

/* ---- rights ---- */

static void check_oneself(struct ela_network *network)
{
	g_autoptr(GError) error = NULL;

	if (network->lease.id == 0 || ela_membership_check(network->membership, &network->self, &error) != -EACCES)
		return;
	ela_logf(network->node->log, ELA_LOG_ERROR, "network", "out reason=\"%s\"", error->message);
	(void)g_strlcpy(network->missing, error->message, sizeof network->missing); /* cut: it is for people */
	ela_network_leave(network);
}

void ela_network_recheck(struct ela_network *network)
{
	if (network->generation == ela_membership_generation(network->membership))
		return;
	network->generation = ela_membership_generation(network->membership);
	ela_members_recheck(network->members);
	ela_directory_recheck(network->directory);
	ela_lease_table_recheck(network->leases);
	ela_list_sync_soon(network->sync);
	chore(network);
}

static void do_chores(void *data)
{
	struct ela_network *network = data;
	g_autoptr(GArray) changed = network->changed;

	network->changed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	ela_network_recheck(network);
	check_oneself(network);
	try_again(network);
	fetch_credentials(network);
	for (guint i = 0; i < changed->len; i++)
		look_at(network, g_array_index(changed, uint32_t, i));
	follow_parent(network);
	ela_joining_known(network->joining);
}

/* ---- life ---- */

static bool G_GNUC_PRINTF(2, 3) refuse_file(GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, ELA_NODE_ERROR, ELA_NODE_FAILED, "%s", text);
	return false;
}

static bool read_sign_key(struct ela_network *network, GError **error)
{
	g_autofree char *file = g_build_filename(network->node->config->dir, ELA_SIGN_KEY_FILE, NULL);
	g_autoptr(GError) why = NULL;

	if (ela_key_read(file, network->sign_private, &why) != 0)
		return refuse_file(error, "%s: %s; remedy: ela init or ela join make it", file, why->message);
	return true;
}

static bool read_credential(struct ela_network *network, GError **error)
{
	uint8_t public[32];
	g_autoptr(GError) why = NULL;
	int err = network->dirfd >= 0
				  ? ela_file_get(network->dirfd, ELA_CREDENTIAL_FILE, ELA_OBJECT_MAX, &network->credential)
				  : -ENOENT;
	gsize len;
	const void *bytes;

	if (err != 0)
		return refuse_file(error, "%s in the state folder: %s; remedy: ela init or ela join make it",
			ELA_CREDENTIAL_FILE, g_strerror(-err));
	bytes = g_bytes_get_data(network->credential, &len);
	if (ela_credential_parse(network->node->network_id, NULL, bytes, len, &network->self, &why) != 0)
		return refuse_file(error, "%s in the state folder: %s", ELA_CREDENTIAL_FILE, why->message);
	if (ela_ed25519_public(network->sign_private, public) != 0 || memcmp(public, network->self.ed25519, 32) != 0 ||
		memcmp(network->node->public_key, network->self.x25519, ELA_KEY_LEN) != 0)
		return refuse_file(
			error, "%s in the state folder is of other keys than those beside ela.ini", ELA_CREDENTIAL_FILE);
	err = ela_file_get(network->dirfd, ELA_CLAIM_FILE, ELA_OBJECT_MAX, &network->claim);
	if (err != 0 && err != -ENOENT)
		return refuse_file(error, "%s in the state folder cannot be read: %s", ELA_CLAIM_FILE, g_strerror(-err));
	return true;
}

/* What the state folder has; the own credential is judged if the list is there. */
static bool read_state(struct ela_network *network, GError **error)
{
	struct ela_node *node = network->node;
	const struct ela_own_record_ops record_ops = {publish, runs_twice, record_random, network};
	g_autoptr(GError) why = NULL;
	gsize len;
	const void *bytes = g_bytes_get_data(network->credential, &len);

	network->record_ops = record_ops;
	if (ela_membership_new(node->network_id, network->files, network->dirfd, &network->membership, &why) != 0 ||
		ela_lease_table_new(node->loop, network->membership, network->files, network->dirfd, &network->leases, &why) !=
			0 ||
		ela_own_record_new(node->network_id, network->sign_private, network->files, network->dirfd,
			&network->record_ops, &network->record, &why) != 0 ||
		ela_contacts_read(&network->contacts, network->dirfd, &why) != 0)
		return refuse_file(error, "%s", why->message);
	(void)ela_membership_offer_credential(network->membership, bytes, len, ela_network_wall_s(network), true, NULL,
		NULL); /* else a core's list says who we are */
	network->generation = ela_membership_generation(network->membership);
	return true;
}

static void tie(struct ela_network *network)
{
	struct ela_node *node = network->node;
	struct ela_loop *loop = node->loop;

	network->listener =
		(struct ela_directory_listener){on_changed, on_gone, on_ring_changed, want_credential, on_own_record, network};
	network->directory = ela_directory_new(loop, network->membership, network->leases, &network->listener);
	ela_directory_set_own(network->directory, network->self.node_hash);
	ela_directory_attach(network->directory, &node->routing->loaded->routing, node->routing->self);
	node->directory = network->directory;
	node->ring = &ela_directory_services;
	node->network = network;
	network->members = ela_members_new(node, network->membership, network->credential);
	network->neighbours_ops = (struct ela_neighbours_ops){on_neighbours, network};
	network->neighbours =
		ela_neighbours_new(node, network->membership, network->directory, network->members, &network->neighbours_ops);
	network->sync = ela_list_sync_new(network);
	network->joining = ela_joining_new(network);
	ela_dialogue_set_incarnation(node, (int64_t)(ela_own_record_incarnation(network->record) & INT64_MAX));
}

struct ela_network *ela_network_new(struct ela_node *node, const struct ela_file_ops *files, int dirfd, GError **error)
{
	struct ela_network *network = g_new0(struct ela_network, 1);
	struct ela_loop *loop = node->loop;

	network->node = node;
	network->files = files;
	network->dirfd = dirfd;
	network->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	network->unjudged = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	network->changed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	network->fetching = g_ptr_array_new_with_free_func(free_wanted);
	g_queue_init(&network->wanted);
	network->renew = loop->ops->timer_new(loop, renew, network);
	network->chores = loop->ops->timer_new(loop, do_chores, network);
	if (read_sign_key(network, error) && read_credential(network, error) && read_state(network, error)) {
		tie(network);
		return network;
	}
	ela_network_free(network);
	return NULL;
}

void ela_network_set_places(struct ela_network *network, const struct ela_place *places, uint32_t n)
{
	network->n_places = MIN(n, ELA_LEASE_PLACES);
	memcpy(network->places, places, network->n_places * sizeof *places);
}

void ela_network_start(struct ela_network *network)
{
	network->is_started = true;
	ela_admission_serve(network);
	ela_list_sync_serve(network->sync);
	ela_classify_serve(network->node, true);
	renew(network);
	ela_joining_start(network->joining);
}

void ela_network_leave(struct ela_network *network)
{
	const struct ela_routing_ops *routing = &network->node->routing->loaded->routing;

	if (network->lease.id == 0)
		return;
	ela_own_record_leave(network->record, now_ns(network));
	if (routing->leave)
		(void)routing->leave(network->node->routing->self); /* it says good-bye as well as it can */
	network->lease = (struct ela_lease){0};
}

void ela_network_free(struct ela_network *network)
{
	struct ela_node *node;

	if (!network)
		return;
	node = network->node;
	ela_joining_free(network->joining);
	ela_list_sync_free(network->sync);
	ela_neighbours_free(network->neighbours);
	ela_members_free(network->members);
	if (network->leases)
		(void)ela_lease_table_flush(network->leases); /* a lease of the last minute comes again */
	if (network->membership)
		(void)ela_membership_flush(network->membership);                          /* so does a list */
	(void)ela_contacts_write(&network->contacts, network->files, network->dirfd); /* and a contact */
	node->ring = NULL;
	node->network = NULL;
	node->directory = NULL;
	ela_directory_free(network->directory);
	ela_own_record_free(network->record);
	ela_lease_table_free(network->leases);
	ela_membership_free(network->membership);
	node->loop->ops->timer_free(network->renew);
	node->loop->ops->timer_free(network->chores);
	g_queue_clear_full(&network->wanted, g_free);
	g_ptr_array_unref(network->fetching);
	g_ptr_array_unref(network->waiting);
	g_ptr_array_unref(network->unjudged);
	g_array_unref(network->changed);
	g_clear_pointer(&network->credential, g_bytes_unref);
	g_clear_pointer(&network->claim, g_bytes_unref);
	ela_wipe(network->sign_private, sizeof network->sign_private);
	g_free(network);
}

/* ---- for people ---- */

void ela_network_view(const struct ela_network *network, struct ela_network_view *ret)
{
	const struct ela_userlist *list = ela_membership_newest(network->membership);
	const struct ela_user *user = list ? ela_userlist_user(list, network->self.user) : NULL;

	*ret = (struct ela_network_view){
		.is_in = network->lease.id != 0,
		.is_alone = network->is_alone,
		.role = network->lease.role,
		.reason = network->lease.id != 0 ? network->reason : network->missing,
		.user = user ? user->name : NULL,
		.parent = ela_neighbours_parent(network->neighbours),
		.spare = ela_neighbours_spare(network->neighbours),
		.n_cores = ela_directory_cores(network->directory)->n,
		.n_nodes = ela_directory_count(network->directory),
	};
	ret->n_places = network->lease.n_places;
	memcpy(ret->places, network->lease.places, sizeof ret->places);
	if (list) {
		ret->epoch = list->epoch;
		ret->version = list->version;
		ret->valid_until_s = list->valid_until_s;
	}
}

void ela_network_health(
	const struct ela_network *network, void (*fn)(void *data, const char *text, const char *remedy), void *data)
{
	uint64_t wall_s = ela_network_wall_s(network);
	const struct ela_userlist *list = ela_membership_newest(network->membership);

	if (network->missing[0] != '\0')
		fn(data, network->missing, "it goes on trying; see the log");
	if (ela_own_record_silent_until(network->record, now_ns(network)) != 0)
		fn(data, "this node's key is used by another machine",
			"give each machine a token of its own: ela add-node NAME");
	if (ela_membership_is_forked(network->membership))
		fn(data, "the owner's lists contradict each other", "the owner signs a newer list: ela users renew");
	if (ela_membership_is_expired(network->membership, wall_s))
		fn(data, "the user list is over: nobody new is let in", "the owner signs a newer list: ela users renew");
	else if (list && list->valid_until_s < wall_s + 30u * 86400u)
		fn(data, "the user list is over in less than 30 days", "the owner signs a newer list: ela users renew");
	if (ela_lease_table_error(network->leases) != 0)
		fn(data, "leases cannot be written to the state folder", "make room on its disk");
}
