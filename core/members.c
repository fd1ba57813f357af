/* SPDX-License-Identifier: Apache-2.0 */
/* members: see members.h. Control thread. */
#include "members.h"

#include "host.h"
#include "log.h"

#include <errno.h>

#define WATCH_NS ELA_SEC /* how often guests are looked at */

/* What is known of a peer beside what every peer has. */
struct member {
	struct ela_peer *peer;
	uint8_t credential[ELA_HASH_LEN]; /* of the object; of a guest whose user is unknown it is not held */
	uint64_t since_ns;                /* as a guest */
};

struct ela_members {
	struct ela_gate gate; /* first: the responder has only this */
	struct ela_node *node;
	struct ela_membership *membership;
	GHashTable *by_peer; /* struct ela_peer * -> struct member * */
	struct ela_timer *watch;
	uint32_t n_guests;
	uint64_t generation; /* of the membership, when all were looked at last */
};

static struct member *member_of(const struct ela_members *members, const struct ela_peer *peer)
{
	return g_hash_table_lookup(members->by_peer, peer);
}

static uint64_t wall_s(const struct ela_members *members)
{
	struct ela_loop *loop = members->node->loop;

	return loop->ops->wall_ns(loop) / ELA_SEC;
}

const struct ela_credential *ela_members_credential(const struct ela_members *members, const struct ela_peer *peer)
{
	const struct member *m = member_of(members, peer);

	return m ? ela_membership_credential(members->membership, m->credential) : NULL;
}

uint32_t ela_members_guests(const struct ela_members *members)
{
	return members->n_guests;
}

static void enter(struct ela_members *members, struct ela_peer *peer, const uint8_t hash[ELA_HASH_LEN], bool is_guest)
{
	struct member *m = g_new0(struct member, 1);

	m->peer = peer;
	memcpy(m->credential, hash, ELA_HASH_LEN);
	(void)g_hash_table_replace(members->by_peer, peer, m); /* it is new */
	if (!is_guest)
		return;
	peer->guest = true;
	m->since_ns = ela_loop_now(members->node->loop);
	if (members->n_guests++ == 0)
		members->node->loop->ops->timer_set(members->watch, m->since_ns + WATCH_NS);
}

void ela_members_drop(struct ela_members *members, struct ela_peer *peer)
{
	if (peer->guest)
		members->n_guests--;
	(void)g_hash_table_remove(members->by_peer, peer); /* one of ela.ini is not in it */
	ela_peer_drop(peer);
}

static void say_dropped(const struct ela_members *members, const struct ela_peer *peer, const char *reason)
{
	ela_logf_limited(members->node->log, ela_loop_now(members->node->loop), ELA_LOG_INFO, "member",
		"dropped peer=%s reason=\"%s\"", peer->name, reason);
}

/* ---- guests ---- */

static const char *guest_fault(const struct ela_members *members, const struct member *m)
{
	struct ela_session_traffic traffic;

	ela_peer_traffic(m->peer, &traffic);
	if (ela_loop_now(members->node->loop) - m->since_ns >= ELA_GUEST_NS)
		return "it did not join in time";
	if (m->peer->current && !m->peer->tx_shadow)
		return "it hung up";
	return m->peer->control_bytes + traffic.rx_bytes > ELA_GUEST_BYTES ? "too much before it joined" : NULL;
}

static void watch(void *data)
{
	struct ela_members *members = data;
	g_autoptr(GPtrArray) over = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, members->by_peer);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (((struct member *)value)->peer->guest && guest_fault(members, value))
			g_ptr_array_add(over, value);
	for (guint i = 0; i < over->len; i++) {
		struct member *m = g_ptr_array_index(over, i);

		say_dropped(members, m->peer, guest_fault(members, m));
		ela_members_drop(members, m->peer);
	}
	if (members->n_guests)
		members->node->loop->ops->timer_set(members->watch, ela_loop_now(members->node->loop) + WATCH_NS);
}

/*
 * What a caller's credential is worth: 0 his user is in; -EAGAIN he may be, when his enrolment came; -EACCES and
 * -ESTALE he is not any more, or may not be; else refused, with error. *ret: its content but for the last, also of one
 * whose signature nobody can check yet.
 */
static int judge(
	const struct ela_members *members, const struct ela_caller *caller, struct ela_credential *ret, GError **error)
{
	const struct ela_credential *held = NULL;
	g_autoptr(GError) why = NULL;
	int err = ela_membership_offer_credential(
		members->membership, caller->credential, caller->credential_len, wall_s(members), false, &held, &why);

	if (err == 0 || err == -EALREADY) {
		*ret = *held;
		return 0;
	}
	if (err == -EAGAIN || err == -EACCES || err == -ESTALE)
		err = ela_credential_parse(
				  members->node->network_id, NULL, caller->credential, caller->credential_len, ret, error) == 0
				  ? err
				  : -EBADMSG;
	else
		g_propagate_error(error, g_steal_pointer(&why));
	return err;
}

/* credential NULL: it is not known yet. */
static struct ela_peer *make_guest(struct ela_members *members, const struct ela_caller *caller,
	const struct ela_credential *credential, char **ret_reason)
{
	static const uint8_t none[ELA_HASH_LEN];
	char text[64];
	const struct ela_peer_spec spec = {
		.name = credential ? credential->name : ela_addr_text(&caller->path->remote, text)};
	struct ela_peer *peer = NULL;
	int err;

	if (members->n_guests >= ELA_GUESTS_MAX) {
		*ret_reason = g_strdup("too many are joining at once");
		return NULL;
	}
	err = ela_peer_add(members->node, caller->key, &spec, &peer);
	if (err != 0) {
		*ret_reason = g_strdup_printf("there is no room for it: %s", g_strerror(-err));
		return NULL;
	}
	enter(members, peer, credential ? credential->hash : none, true);
	return peer;
}

static struct ela_peer *admit(struct ela_gate *gate, const struct ela_caller *caller, char **ret_reason)
{
	struct ela_members *members = (struct ela_members *)(void *)gate;
	struct ela_peer *peer = ela_peer_by_key(members->node, caller->key);
	struct ela_credential credential;
	struct member *m = peer ? member_of(members, peer) : NULL;
	g_autoptr(GError) error = NULL;
	int err;

	if (caller->is_xx)
		return peer ? peer : make_guest(members, caller, NULL, ret_reason);
	if (!caller->credential) {
		*ret_reason = g_strdup("its handshake has no credential of this network");
		return NULL;
	}
	err = judge(members, caller, &credential, &error);
	if (error) {
		*ret_reason = g_strdup(error->message);
		return NULL;
	}
	/* Who is out is heard as any stranger is: how else would he learn of it? A member does not speak for him. */
	if ((err == -EACCES || err == -ESTALE) && peer && !peer->guest) {
		*ret_reason = g_strdup("its credential is of a node that may not be in this network");
		return NULL;
	}
	if (!ela_equal(credential.x25519, caller->key, ELA_KEY_LEN)) {
		*ret_reason = g_strdup("its credential is of another key");
		return NULL;
	}
	if (m) /* a newer one in its slot */
		memcpy(m->credential, credential.hash, ELA_HASH_LEN);
	return peer ? peer : make_guest(members, caller, &credential, ret_reason);
}

void ela_members_host(struct ela_members *members, struct ela_peer *peer)
{
	static const uint8_t unknown[ELA_HASH_LEN];

	if (peer->made && !member_of(members, peer))
		enter(members, peer, unknown, true);
}

/* ---- members ---- */

int ela_members_accept(
	struct ela_members *members, struct ela_peer *peer, const struct ela_peer_spec *spec, GError **error)
{
	const struct ela_credential *credential = ela_members_credential(members, peer);
	struct ela_peer_spec named = *spec;
	int err;

	if (!credential)
		return ela_object_refuse(error, EAGAIN, "the user of %s is not known here", peer->name);
	err = ela_membership_check(members->membership, credential, error);
	if (err != 0)
		return err;
	named.name = credential->name;
	err = ela_peer_change(peer, &named);
	if (err != 0)
		return ela_object_refuse(error, -err, "%s cannot have that address: %s", peer->name, g_strerror(-err));
	if (peer->guest) {
		members->n_guests--;
		ela_peer_accepted(peer);
	}
	return 0;
}

int ela_members_add(struct ela_members *members, const struct ela_credential *credential,
	const struct ela_peer_spec *spec, struct ela_peer **ret, GError **error)
{
	struct ela_peer_spec named = *spec;
	int err = ela_membership_check(members->membership, credential, error);

	if (err != 0)
		return err;
	named.name = credential->name;
	err = ela_peer_add(members->node, credential->x25519, &named, ret);
	if (err != 0)
		return ela_object_refuse(error, -err, "%s cannot be a peer: %s", credential->name, g_strerror(-err));
	enter(members, *ret, credential->hash, false);
	return 0;
}

int ela_members_know(struct ela_members *members, const struct ela_credential *credential,
	const struct ela_peer_spec *spec, struct ela_peer **ret, GError **error)
{
	struct ela_peer *peer = ela_peer_by_key(members->node, credential->x25519);
	struct member *m = peer ? member_of(members, peer) : NULL;
	int err;

	if (!peer)
		return ela_members_add(members, credential, spec, ret, error);
	if (!peer->made)
		return ela_object_refuse(error, EINVAL, "%s is a peer of ela.ini", peer->name);
	if (!m)
		enter(members, peer, credential->hash, false);
	else
		memcpy(m->credential, credential->hash, ELA_HASH_LEN);
	err = ela_members_accept(members, peer, spec, error);
	if (err == 0)
		*ret = peer;
	return err;
}

void ela_members_recheck(struct ela_members *members)
{
	uint64_t generation = ela_membership_generation(members->membership);
	g_autoptr(GPtrArray) out = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	if (members->generation == generation)
		return;
	members->generation = generation;
	g_hash_table_iter_init(&iter, members->by_peer);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct member *m = value;
		const struct ela_credential *credential = ela_members_credential(members, m->peer);

		/* a guest whose user is not known yet goes when its time is over */
		if (credential ? ela_membership_check(members->membership, credential, NULL) != 0 : !m->peer->guest)
			g_ptr_array_add(out, m->peer);
	}
	for (guint i = 0; i < out->len; i++) {
		say_dropped(members, g_ptr_array_index(out, i), "its user may not be in this network any more");
		ela_members_drop(members, g_ptr_array_index(out, i));
	}
}

void ela_members_hang_up(struct ela_members *members)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, members->by_peer);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (!((struct member *)value)->peer->guest)
			ela_peer_reset(((struct member *)value)->peer);
}

struct ela_members *ela_members_new(struct ela_node *node, struct ela_membership *membership, GBytes *credential)
{
	struct ela_members *members = g_new0(struct ela_members, 1);

	members->gate = (struct ela_gate){admit, g_bytes_ref(credential)};
	members->node = node;
	members->membership = membership;
	members->generation = ela_membership_generation(membership);
	members->by_peer = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	members->watch = node->loop->ops->timer_new(node->loop, watch, members);
	node->gate = &members->gate;
	return members;
}

void ela_members_free(struct ela_members *members)
{
	if (!members)
		return;
	members->node->gate = NULL;
	members->node->loop->ops->timer_free(members->watch);
	g_hash_table_unref(members->by_peer);
	g_bytes_unref(members->gate.credential);
	g_free(members);
}
