/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: ties together what a node of a ring knows and does (see network.h): what the directory says becomes peers,
 * countersignatures and contacts; what the node is becomes its own record. What must not happen in the middle of a call
 * is a chore of the loop's next turn. Control thread.
 */
#include "classification.h"
#include "network-priv.h"

#include "dials.h"
#include "folders.h"
#include "handshake.h"
#include "inet.h"
#include "keys.h"
#include "own.h"

#include <errno.h>
#include <string.h>

#define FETCHING_MAX 6u       /* credentials at a time; others may pull, too */
#define KEPT_MAX 64u          /* records and credentials that wait for something */
#define LOST_NS (3 * ELA_SEC) /* a parent may be about to be found */
#define FLUSH_NS (60 * ELA_SEC)
#define UNCOUNTED_NS (30 * ELA_SEC) /* after a start the home may only not be known yet */
#define DISK_NS (5 * ELA_SEC)       /* what could not be written is tried again after that */

static uint64_t now_ns(const struct ela_network *network)
{
	return ela_loop_now(network->node->loop);
}

void ela_network_chore(struct ela_network *network)
{
	network->node->loop->ops->timer_set(network->chores, now_ns(network));
}
/* ---- the own record ---- */

/* Is the home that countersigned it one that this node trusts? Its word counts until it is revoked. */
static bool mark_counts(const struct ela_network *network)
{
	const struct ela_known *own = ela_network_own_record(network);
	struct ela_lease_bytes parts;
	struct ela_standing standing;

	if (!own || ela_lease_split(own->bytes, own->len, &parts, NULL) != 0 || parts.mark.kind == 0)
		return true;
	return ela_membership_check_record(network->membership, own->bytes, own->len, NULL, &standing, NULL) == 0 &&
		   standing.since_s != 0;
}

/* Who has a word that counts for nothing is as good as without one, and would never be given another. */
static void check_mark(struct ela_network *network)
{
	uint64_t at_ns = now_ns(network);

	if (mark_counts(network)) {
		network->uncounted_ns = 0;
		return;
	}
	if (network->uncounted_ns == 0)
		network->uncounted_ns = at_ns;
	else if (at_ns - network->uncounted_ns >= UNCOUNTED_NS)
		ela_own_record_uncountersigned(network->record);
}

static void renew(void *data)
{
	struct ela_network *network = data;
	uint64_t next_ns;

	check_mark(network);
	next_ns = ela_own_record_turn(network->record, now_ns(network));
	(void)ela_own_record_flush(network->record);
	(void)ela_membership_flush(network->membership); /* what fails is tried again, and told by health */
	if (network->generation != ela_membership_generation(network->membership))
		ela_network_chore(network); /* what was written by that gives rights */
	(void)ela_contacts_write(&network->contacts, network->files, network->dirfd); /* likewise */
	network->node->loop->ops->timer_set(network->renew,
		MIN(next_ns, now_ns(network) + (ela_membership_is_written(network->membership) ? FLUSH_NS : DISK_NS)));
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

void ela_network_put_object(struct ela_message *m, enum ela_field field, GBytes *bytes)
{
	gsize len;
	const void *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;

	if (data)
		ela_message_put_bytes(m, field, data, (uint32_t)len);
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

void ela_network_say_in(const struct ela_network *network)
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
	ela_network_say_in(network);
	return 0;
}

/* Another key holds our ID, by the rule that all follow: this node takes another address. */
void ela_network_lose_address(struct ela_network *network)
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
	ela_network_chore(data);
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

/* ---- rights ---- */

void ela_network_check_oneself(struct ela_network *network)
{
	g_autoptr(GError) error = NULL;

	if (ela_membership_check(network->membership, &network->self, &error) != -EACCES) {
		network->is_out = false;
		return;
	}
	(void)g_strlcpy(network->missing, error->message, sizeof network->missing); /* cut: it is for people */
	if (network->is_out)
		return;
	network->is_out = true;
	ela_logf(network->node->log, ELA_LOG_ERROR, "network", "out reason=\"%s\" remedy=\"" ELA_NETWORK_OUT_REMEDY "\"",
		error->message);
	ela_network_leave(network);
	ela_neighbours_set_role(network->neighbours, ELA_LEASE_JOINING);
	ela_members_hang_up(network->members);
	ela_joining_start(network->joining); /* unless it asks already */
}

/* A token that is made from now on does not send a newcomer to somebody who is out, who would tell him an older list.
 */
static void forget_contacts(struct ela_network *network)
{
	const struct ela_credential *held;
	bool is_news = false;

	for (uint32_t i = 0; (held = ela_membership_held(network->membership, i, NULL)) != NULL; i++)
		if (ela_membership_check(network->membership, held, NULL) == -EACCES)
			is_news |= ela_contacts_forget(&network->contacts, held->x25519);
	if (is_news && network->is_started)
		network->node->loop->ops->timer_set(network->renew, now_ns(network));
}

void ela_network_recheck(struct ela_network *network)
{
	if (network->generation == ela_membership_generation(network->membership))
		return;
	network->generation = ela_membership_generation(network->membership);
	if (!ela_membership_is_written(network->membership) && network->is_started)
		network->node->loop->ops->timer_set(network->renew, now_ns(network)); /* again, and until there is room */
	ela_members_recheck(network->members);
	ela_directory_recheck(network->directory);
	ela_lease_table_recheck(network->leases);
	forget_contacts(network);
	ela_list_sync_soon(network->sync);
	ela_network_chore(network);
}

/* Nobody is left to carry anything: of a core no other core, of an edge no parent. */
static bool is_lost(const struct ela_network *network)
{
	const struct ela_known *known;

	if (network->lease.role == ELA_LEASE_EDGE)
		return ela_neighbours_parent(network->neighbours) == NULL;
	for (uint32_t id = 0; (known = ela_directory_next(network->directory, id)) != NULL; id = known->id)
		if (known->id != network->lease.id && known->lease.role == ELA_LEASE_CORE)
			return false;
	return true;
}

/* Who is lost for a while looks for the others again; what it is, it stays meanwhile. */
static void check_lost(struct ela_network *network)
{
	if (network->lease.id == 0 || !is_lost(network)) {
		if (network->is_alone && network->is_unconfirmed)
			(void)g_strlcpy(network->reason, "it was the first", sizeof network->reason); /* it fits */
		network->lost_ns = 0;
		network->is_alone = false;
		return;
	}
	if (network->lost_ns == 0)
		network->lost_ns = now_ns(network);
	if (!network->is_alone && now_ns(network) - network->lost_ns < LOST_NS) {
		network->node->loop->ops->timer_set(network->chores, network->lost_ns + LOST_NS);
		return;
	}
	network->is_alone = true;
	ela_joining_start(network->joining);
}

static void do_chores(void *data)
{
	struct ela_network *network = data;

	ela_network_recheck(network);
	ela_network_check_oneself(network);
	ela_network_news_turn(network);
	follow_parent(network);
	ela_joining_known(network->joining);
	check_lost(network);
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

	if (!g_file_test(file, G_FILE_TEST_EXISTS))
		return refuse_file(error, "%s: is not there; remedy: ela init or ela join make it", file);
	if (ela_key_read(file, network->sign_private, &why) != 0)
		return refuse_file(error, "%s: %s", file, why->message);
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
	network->admission = ela_admission_new(network);
	network->joining = ela_joining_new(network);
	network->parting = ela_parting_new(network);
	network->roles = ela_roles_new(network);
	ela_dialogue_set_incarnation(node, (int64_t)(ela_own_record_incarnation(network->record) & INT64_MAX));
}

struct ela_network *ela_network_new(struct ela_node *node, const struct ela_file_ops *files, int dirfd, GError **error)
{
	struct ela_network *network = g_new0(struct ela_network, 1);
	struct ela_loop *loop = node->loop;
	g_autoptr(GError) why = NULL;

	network->node = node;
	network->files = files;
	network->dirfd = dirfd;
	ela_network_news_begin(network);
	network->renew = loop->ops->timer_new(loop, renew, network);
	network->chores = loop->ops->timer_new(loop, do_chores, network);
	if (read_sign_key(network, error) && read_credential(network, error) && read_state(network, error)) {
		tie(network);
		network->dials = ela_dials_new(network, &why);
		if (network->dials)
			return network;
		(void)refuse_file(error, "%s", why->message); /* false */
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
	ela_parting_serve(network->parting);
	ela_list_sync_serve(network->sync);
	ela_classify_serve(network->node, true);
	renew(network);
	ela_joining_start(network->joining);
	ela_roles_start(network->roles);
	ela_dials_start(network->dials);
}

void ela_network_changed(struct ela_network *network)
{
	ela_roles_changed(network->roles);
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
	ela_dials_free(network->dials);
	ela_parting_free(network->parting);
	ela_roles_free(network->roles);
	ela_joining_free(network->joining);
	ela_admission_free(network->admission);
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
	ela_network_news_end(network);
	g_clear_pointer(&network->credential, g_bytes_unref);
	g_clear_pointer(&network->claim, g_bytes_unref);
	ela_wipe(network->sign_private, sizeof network->sign_private);
	g_free(network);
}

/* ---- for people ---- */

void ela_network_view(const struct ela_network *network, struct ela_network_view *ret)
{
	const struct ela_userlist *list = ela_membership_newest(network->membership);
	const struct ela_cores *cores = ela_directory_cores(network->directory);

	*ret = (struct ela_network_view){
		.is_in = network->lease.id != 0,
		.is_alone = network->is_alone,
		.role = network->lease.role,
		.reason = network->lease.id != 0 ? network->reason : network->missing,
		.parent = ela_neighbours_parent(network->neighbours),
		.spare = ela_neighbours_spare(network->neighbours),
		.n_cores = cores->n,
		.n_nodes = ela_directory_count(network->directory),
	};
	(void)ela_membership_user_name(network->membership, network->self.user, ret->user); /* else "" */
	if (ela_cores_has(cores, network->lease.id))
		ret->place = ela_cores_position(cores, network->lease.id) + 1;
	ret->n_places = network->lease.n_places;
	memcpy(ret->places, network->lease.places, sizeof ret->places);
	ret->n_holders = ela_list_sync_holders(network->sync, &ret->n_neighbours);
	if (list) {
		ret->epoch = list->epoch;
		ret->version = list->version;
		ret->valid_until_s = list->valid_until_s;
	}
}

int64_t ela_network_clock_ahead_s(const struct ela_network *network)
{
	int64_t theirs_s = network->clock_s + (int64_t)(now_ns(network) / ELA_SEC);
	int64_t ahead_s = (int64_t)ela_network_wall_s(network) - theirs_s;

	return network->has_clock && ABS(ahead_s) >= ELA_CLOCKS_APART_S ? ahead_s : 0;
}

/* The owner's signatures are never of later than now. */
static void tell_clock(const struct ela_network *network, uint64_t wall_s,
	void (*fn)(void *data, const char *text, const char *remedy), void *data)
{
	uint64_t behind_s = ela_membership_now(network->membership, wall_s) - wall_s;
	int64_t ahead_s = ela_network_clock_ahead_s(network);
	g_autofree char *text = NULL;

	if (behind_s >= ELA_CLOCKS_APART_S)
		text = g_strdup_printf("this machine's clock is at least %" G_GUINT64_FORMAT
							   " minutes behind: the owner's list is of later",
			behind_s / 60);
	else if (ahead_s != 0)
		text =
			g_strdup_printf("this machine's clock is %" G_GINT64_FORMAT " minutes %s that of the core that let it in",
				ABS(ahead_s) / 60, ahead_s > 0 ? "ahead of" : "behind");
	if (text)
		fn(data, text, "set the clock: timedatectl set-ntp true");
}

void ela_network_health(
	const struct ela_network *network, void (*fn)(void *data, const char *text, const char *remedy), void *data)
{
	uint64_t wall_s = ela_network_wall_s(network);
	const struct ela_userlist *list = ela_membership_newest(network->membership);

	if (network->missing[0] != '\0')
		fn(data, network->missing, network->is_out ? ELA_NETWORK_OUT_REMEDY : "it goes on trying; see the log");
	if (*ela_roles_unreachable(network->roles) != '\0')
		fn(data, ela_roles_unreachable(network->roles),
			"open its port, or forward it to this node, for TCP and UDP; or role = auto in ela.ini");
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
	if (!ela_membership_is_written(network->membership))
		fn(data,
			"users and nodes cannot be written to the state folder: what a new list takes away applies, what it "
			"gives waits",
			"make room on its disk");
	tell_clock(network, wall_s, fn, data);
}
