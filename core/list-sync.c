/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list-sync: list and enrolments, which all members hold alike. Whoever has something new says so to his neighbours by
 * ListHead, and they fetch it from him; a head that was not answered is said again. Control thread.
 */
#include "network-priv.h"
#include "pull.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TURN_NS ELA_SEC /* how often neighbours are looked at that have not heard the news */
#define JOBS_MAX 16u    /* fetches under way or waiting */
#define HEADS_MAX 5u
#define HEAD_NS (3 * ELA_SEC) /* a ListHead may take that long */
/*
 * Heads are compared that often even when nothing is new, with whom a session is kept: a session that is merely there
 * has compared them when it began. One request tells both sides: of two that keep it, the one with the greater ID is
 * the later one to ask.
 */
#define REMIND_NS (60 * ELA_SEC)
#define LATER_NS (3 * ELA_SEC)

/* What is fetched from one peer. */
struct job {
	struct ela_list_sync *sync;
	uint32_t peer;
	struct ela_list_head head;
	uint64_t ticket;     /* of the pull under way; 0 = none */
	GByteArray *missing; /* hashes of enrolments that are still to be fetched */
	bool asked_enrolments;
	bool has_no_head; /* it is asked for first */
	uint32_t heads;   /* asked for: what a head named may be replaced before it is fetched */
	uint64_t asking;  /* ticket of a ListHead under way; 0 = none */
	int err;
	ela_synced_fn fn;
	void *data;
};

/* What a neighbour was told. */
struct told {
	uint64_t generation;
	uint64_t at_ns;             /* when heads were compared last, whoever asked */
	uint64_t ticket;            /* of the ListHead under way; 0 = none */
	uint64_t turn;              /* the last one in which it was a direct neighbour */
	uint8_t list[ELA_HASH_LEN]; /* the newest that it said to have */
	struct ela_list_sync *sync;
	uint32_t peer;
};

struct ela_list_sync {
	struct ela_network *network;
	struct ela_timer *timer;
	GPtrArray *jobs;   /* struct job, owned */
	GHashTable *tolds; /* peer number -> struct told, owned */
	uint64_t news;     /* counts what is worth telling */
	uint64_t generation;
	uint64_t turns;
	GByteArray *enrolled; /* hashes of all enrolments, rising; made anew when something changed */
};

static void go_on(struct job *job);

/* ---- heads ---- */

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, ELA_HASH_LEN);
}

static GByteArray *hash_enrolments(const struct ela_membership *m)
{
	GByteArray *all = g_byte_array_new();
	uint8_t hash[ELA_HASH_LEN];
	GBytes *bytes;

	for (uint32_t i = 0; (bytes = ela_membership_enrolment(m, i)) != NULL; i++)
		if (ela_object_hash(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), hash) == 0)
			g_byte_array_append(all, hash, sizeof hash);
	if (all->len)
		qsort(all->data, all->len / ELA_HASH_LEN, ELA_HASH_LEN, compare_hashes);
	return all;
}

static void own_head(const struct ela_network *network, struct ela_list_head *ret)
{
	const struct ela_userlist *list = ela_membership_newest(network->membership);
	g_autoptr(GByteArray) all = hash_enrolments(network->membership);

	*ret = (struct ela_list_head){.has_list = list != NULL, .has_enrolments = all->len > 0};
	if (list) {
		ret->epoch = list->epoch;
		ret->version = list->version;
		memcpy(ret->list, list->hash, ELA_HASH_LEN);
	}
	if (all->len > 0 && ela_object_hash(all->data, all->len, ret->enrolments) != 0)
		ret->has_enrolments = false;
}

static void put_head(struct ela_message *m, const struct ela_list_head *head)
{
	if (head->has_list) {
		ela_message_put_number(m, ELA_FIELD_EPOCH, (int64_t)head->epoch);
		ela_message_put_number(m, ELA_FIELD_VERSION, (int64_t)head->version);
		ela_message_put_bytes(m, ELA_FIELD_LIST, head->list, ELA_HASH_LEN);
	}
	if (head->has_enrolments)
		ela_message_put_bytes(m, ELA_FIELD_ENROLMENTS, head->enrolments, ELA_HASH_LEN);
}

void ela_list_sync_put_head(const struct ela_network *network, struct ela_message *m)
{
	struct ela_list_head head;

	own_head(network, &head);
	put_head(m, &head);
}

bool ela_list_sync_read_head(const struct ela_message *m, struct ela_list_head *ret)
{
	uint32_t len; /* of a hash: the table sees to it */
	const uint8_t *list = ela_message_bytes(m, ELA_FIELD_LIST, 0, &len);
	const uint8_t *enrolments = ela_message_bytes(m, ELA_FIELD_ENROLMENTS, 0, &len);
	int64_t epoch = 0, version = 0;

	*ret = (struct ela_list_head){.has_list = list != NULL, .has_enrolments = enrolments != NULL};
	if (!list || !ela_message_number(m, ELA_FIELD_EPOCH, &epoch) || !ela_message_number(m, ELA_FIELD_VERSION, &version))
		return false;
	ret->epoch = (uint64_t)epoch;
	ret->version = (uint64_t)version;
	memcpy(ret->list, list, ELA_HASH_LEN);
	if (enrolments)
		memcpy(ret->enrolments, enrolments, ELA_HASH_LEN);
	return true;
}

/* The same place in the order with other bytes is a fork: it is wanted, to be shown. */
static bool is_wanted_list(const struct ela_list_head *head, const struct ela_list_head *own)
{
	if (!own->has_list)
		return true;
	if (memcmp(head->list, own->list, ELA_HASH_LEN) == 0)
		return false;
	return head->epoch > own->epoch || (head->epoch == own->epoch && head->version >= own->version);
}

static bool is_wanted_enrolments(const struct ela_list_head *head, const struct ela_list_head *own)
{
	return head->has_enrolments &&
		   (!own->has_enrolments || memcmp(head->enrolments, own->enrolments, ELA_HASH_LEN) != 0);
}

/* ---- fetching ---- */

static void end(struct job *job)
{
	struct ela_list_sync *sync = job->sync;
	uint32_t peer = job->peer;
	ela_synced_fn fn = job->fn;
	void *data = job->data;
	int err = job->err;

	(void)g_ptr_array_remove(sync->jobs, job); /* which frees it */
	if (fn)
		fn(data, err);
	else if (err != 0)
		ela_list_sync_ask(sync, peer); /* with the next turn */
}

static void free_job(void *data)
{
	struct job *job = data;

	if (job->ticket)
		ela_pull_cancel(job->sync->network->node, job->ticket);
	ela_dialogue_cancel(job->sync->network->node, job->asking);
	g_byte_array_unref(job->missing);
	g_free(job);
}

static void say_refused(const struct job *job, const char *what, const GError *error)
{
	struct ela_node *node = job->sync->network->node;
	const struct ela_peer *peer = ela_peer_by_number(node, job->peer);

	ela_logf_limited(node->log, ela_loop_now(node->loop), ELA_LOG_WARN, "list", "refused %s peer=%s reason=\"%s\"",
		what, peer ? peer->name : "?", error ? error->message : "it cannot be read");
}

static void on_new_head(void *data, int err, const struct ela_message *reply)
{
	struct job *job = data;

	job->asking = 0;
	if (err == 0 && ela_message_status(reply) == ELA_STATUS_OK && ela_list_sync_read_head(reply, &job->head))
		job->asked_enrolments = false;
	else
		job->err = err != 0 ? err : -ENOENT;
	go_on(job);
}

/* What the head named is there no more: something newer came. False: it is no use to ask again. */
static bool ask_again(struct job *job, int err)
{
	struct ela_peer *peer = ela_peer_by_number(job->sync->network->node, job->peer);
	struct ela_list_head own;
	struct ela_message *request;

	if (err != -ENOENT || !peer || job->heads++ == HEADS_MAX)
		return false;
	request = ela_message_new(ELA_PURPOSE_LIST_HEAD, ELA_MESSAGE_REQUEST);
	own_head(job->sync->network, &own);
	put_head(request, own.has_list ? &own : &job->head); /* who has no list yet has to name one */
	job->asking = ela_dialogue_ask(peer, request, HEAD_NS, on_new_head, job);
	return job->asking != 0;
}

static void on_list(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	struct job *job = data;
	struct ela_network *network = job->sync->network;
	g_autoptr(GError) error = NULL;

	job->ticket = 0;
	if (ask_again(job, err))
		return;
	if (err == 0)
		err = ela_membership_offer_list(network->membership, bytes, len, &error);
	if (err != 0 && err != -EALREADY && err != -ESTALE) {
		if (error)
			say_refused(job, "list", error);
		job->err = err;
	}
	job->head.has_list = false;
	ela_network_recheck(network); /* a fork or a full disk takes rights away, too */
	go_on(job);
}

static bool is_known(const GByteArray *all, const uint8_t *hash)
{
	return all->len != 0 && bsearch(hash, all->data, all->len / ELA_HASH_LEN, ELA_HASH_LEN, compare_hashes) != NULL;
}

static void on_enrolments(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	struct job *job = data;
	g_autoptr(GByteArray) own = hash_enrolments(job->sync->network->membership);

	job->ticket = 0;
	if (ask_again(job, err))
		return;
	if (err == 0 && len % ELA_HASH_LEN != 0)
		err = -EBADMSG;
	for (uint32_t at = 0; err == 0 && at < len; at += ELA_HASH_LEN)
		if (!is_known(own, bytes + at))
			g_byte_array_append(job->missing, bytes + at, ELA_HASH_LEN);
	if (err != 0)
		job->err = err;
	go_on(job);
}

static void on_enrolment(void *data, int err, const uint8_t *bytes, uint32_t len)
{
	struct job *job = data;
	struct ela_network *network = job->sync->network;
	g_autoptr(GError) error = NULL;

	job->ticket = 0;
	if (err == 0)
		err = ela_membership_offer_enrolment(network->membership, bytes, len, &error);
	if (err != 0 && error && err != -EALREADY && err != -ESTALE)
		say_refused(job, "enrolment", error);
	else if (err != 0 && !error)
		job->err = err;
	ela_network_recheck(network);
	go_on(job);
}

static bool pull(struct job *job, enum ela_pull_kind kind, const uint8_t *hash, ela_pull_fn fn)
{
	job->ticket = ela_pull(job->sync->network->node, kind, hash, &job->peer, 1, fn, job);
	return job->ticket != 0;
}

static bool pull_missing(struct job *job)
{
	uint8_t hash[ELA_HASH_LEN];

	memcpy(hash, job->missing->data + job->missing->len - ELA_HASH_LEN, ELA_HASH_LEN);
	g_byte_array_set_size(job->missing, job->missing->len - ELA_HASH_LEN);
	return pull(job, ELA_PULL_ENROLMENT, hash, on_enrolment);
}

/* The list first: an enrolment is judged by it. */
static void go_on(struct job *job)
{
	struct ela_list_head own;
	bool is_under_way;

	own_head(job->sync->network, &own);
	if (job->has_no_head) {
		job->has_no_head = false;
		is_under_way = ask_again(job, -ENOENT);
	} else if (job->head.has_list && is_wanted_list(&job->head, &own)) {
		is_under_way = pull(job, ELA_PULL_LIST, job->head.list, on_list);
	} else if (!job->asked_enrolments && is_wanted_enrolments(&job->head, &own)) {
		job->asked_enrolments = true;
		is_under_way = pull(job, ELA_PULL_ENROLMENTS, job->head.enrolments, on_enrolments);
	} else if (job->missing->len) {
		is_under_way = pull_missing(job);
	} else {
		end(job);
		return;
	}
	if (!is_under_way) {
		job->err = -EBUSY;
		end(job);
	}
}

static void begin(void *data)
{
	struct ela_list_sync *sync = data;

	for (guint i = 0; i < sync->jobs->len;) {
		struct job *job = g_ptr_array_index(sync->jobs, i);
		guint before = sync->jobs->len;

		if (job->ticket == 0 && job->asking == 0)
			go_on(job); /* which may end it */
		i += sync->jobs->len == before ? 1 : 0;
	}
}

static struct job *job_of(const struct ela_list_sync *sync, uint32_t peer, const void *data)
{
	for (guint i = 0; i < sync->jobs->len; i++) {
		struct job *job = g_ptr_array_index(sync->jobs, i);

		if (job->peer == peer && job->data == data)
			return job;
	}
	return NULL;
}

static struct job *add_job(struct ela_list_sync *sync, const struct ela_peer *peer, ela_synced_fn fn, void *data)
{
	struct ela_loop *loop = sync->network->node->loop;
	struct job *job = g_new0(struct job, 1);

	*job = (struct job){.sync = sync, .peer = peer->number, .fn = fn, .data = data};
	job->missing = g_byte_array_new();
	g_ptr_array_add(sync->jobs, job);
	loop->ops->timer_set(sync->timer, ela_loop_now(loop));
	return job;
}

void ela_list_sync_fetch(struct ela_list_sync *sync, const struct ela_peer *peer, const struct ela_list_head *head,
	ela_synced_fn fn, void *data)
{
	if (!fn && (job_of(sync, peer->number, NULL) || sync->jobs->len >= JOBS_MAX))
		return; /* heads are compared again */
	add_job(sync, peer, fn, data)->head = *head;
}

bool ela_list_sync_catch_up(struct ela_list_sync *sync, const struct ela_peer *peer, ela_synced_fn fn, void *data)
{
	if (!ela_membership_newest(sync->network->membership))
		return false;
	add_job(sync, peer, fn, data)->has_no_head = true;
	return true;
}

void ela_list_sync_forget(struct ela_list_sync *sync, const void *data)
{
	for (guint i = sync->jobs->len; i-- > 0;)
		if (((struct job *)g_ptr_array_index(sync->jobs, i))->data == data)
			(void)g_ptr_array_remove_index(sync->jobs, i); /* which frees it */
}

/* ---- telling neighbours ---- */

static void say_again(struct told *told)
{
	told->generation = 0; /* with the next turn */
}

static void on_head(void *data, int err, const struct ela_message *reply)
{
	struct told *told = data;
	struct ela_list_sync *sync = told->sync;
	const struct ela_peer *peer = ela_peer_by_number(sync->network->node, told->peer);
	struct ela_list_head head;

	told->ticket = 0;
	if (err != 0 || ela_message_status(reply) != ELA_STATUS_OK) {
		say_again(told);
		return;
	}
	if (!peer || !ela_list_sync_read_head(reply, &head))
		return;
	memcpy(told->list, head.list, ELA_HASH_LEN);
	ela_list_sync_fetch(sync, peer, &head, NULL, NULL);
}

static bool is_due(const struct ela_list_sync *sync, const struct ela_peer *peer, const struct told *told)
{
	uint64_t age_ns = ela_loop_now(sync->network->node->loop) - told->at_ns;
	uint64_t later_ns = sync->network->lease.id > peer->id ? LATER_NS : 0;

	return told->generation != sync->news || (peer->config->keepalive_ns != 0 && age_ns >= REMIND_NS + later_ns);
}

static void tell(struct ela_list_sync *sync, struct ela_peer *peer)
{
	struct told *told = g_hash_table_lookup(sync->tolds, GUINT_TO_POINTER(peer->number));
	struct ela_message *request;
	bool is_new; /* somebody may have held back from us what it knows, or from it what we know */

	if (!told) {
		told = g_new0(struct told, 1);
		*told = (struct told){.sync = sync, .peer = peer->number};
		g_hash_table_insert(sync->tolds, GUINT_TO_POINTER(peer->number), told);
	}
	is_new = told->turn + 1 != sync->turns;
	told->turn = sync->turns;
	if (told->ticket || !(is_new || is_due(sync, peer, told)))
		return;
	told->generation = sync->news;
	told->at_ns = ela_loop_now(sync->network->node->loop);
	request = ela_message_new(ELA_PURPOSE_LIST_HEAD, ELA_MESSAGE_REQUEST);
	ela_list_sync_put_head(sync->network, request);
	told->ticket = ela_dialogue_ask(peer, request, HEAD_NS, on_head, told);
}

static gboolean is_gone(gpointer number, gpointer value, gpointer data)
{
	struct ela_list_sync *sync = data;
	const struct ela_peer *peer = ela_peer_by_number(sync->network->node, GPOINTER_TO_UINT(number));
	const struct told *told = value;

	if (peer && peer->up)
		return FALSE;
	ela_dialogue_cancel(sync->network->node, told->ticket);
	return TRUE;
}

static void turn(void *data)
{
	struct ela_list_sync *sync = data;
	struct ela_node *node = sync->network->node;
	const struct ela_peers *peers = ela_peers_list(node);
	uint64_t generation = ela_membership_generation(sync->network->membership);

	if (sync->generation != generation) {
		sync->generation = generation;
		sync->news++;
	}
	sync->turns++;
	(void)g_hash_table_foreach_remove(sync->tolds, is_gone, sync); /* how many does not matter */
	for (uint32_t i = 0; i < peers->n; i++)
		if (peers->v[i]->up && !peers->v[i]->guest && !peers->v[i]->via &&
			ela_members_credential(sync->network->members, peers->v[i]))
			tell(sync, peers->v[i]);
	begin(sync);
	ela_network_ask_guests(sync->network);
	node->loop->ops->timer_set(sync->timer, ela_loop_now(node->loop) + TURN_NS);
}

void ela_list_sync_soon(struct ela_list_sync *sync)
{
	struct ela_loop *loop = sync->network->node->loop;

	loop->ops->timer_set(sync->timer, ela_loop_now(loop));
}

void ela_list_sync_ask(struct ela_list_sync *sync, uint32_t peer)
{
	struct told *told = g_hash_table_lookup(sync->tolds, GUINT_TO_POINTER(peer));

	if (told)
		say_again(told);
}

uint32_t ela_list_sync_holders(const struct ela_list_sync *sync, uint32_t *ret_neighbours)
{
	const struct ela_userlist *list = ela_membership_newest(sync->network->membership);
	uint32_t n = 0;
	GHashTableIter iter;
	gpointer value;

	*ret_neighbours = 0;
	g_hash_table_iter_init(&iter, sync->tolds);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct told *told = value;

		*ret_neighbours += told->turn == sync->turns;
		n += list && told->turn == sync->turns && memcmp(told->list, list->hash, ELA_HASH_LEN) == 0;
	}
	return n;
}

/* ---- being asked ---- */

static void on_asked_head(void *data, struct ela_peer *peer, const struct ela_message *request, uint64_t ticket)
{
	struct ela_list_sync *sync = data;
	struct ela_message *reply = ela_message_reply(ela_message_head(request), ELA_STATUS_OK, NULL);
	struct told *told = g_hash_table_lookup(sync->tolds, GUINT_TO_POINTER(peer->number));
	struct ela_list_head head;

	if (!ela_membership_newest(sync->network->membership)) {
		ela_message_free(reply);
		reply = ela_message_reply(ela_message_head(request), ELA_STATUS_NOT_FOUND, "no list is here yet");
	} else {
		ela_list_sync_put_head(sync->network, reply);
	}
	ela_dialogue_answer(sync->network->node, ticket, reply);
	if (peer->guest || !ela_list_sync_read_head(request, &head))
		return;
	if (told) {
		memcpy(told->list, head.list, ELA_HASH_LEN);
		told->at_ns = ela_loop_now(sync->network->node->loop);
	}
	ela_list_sync_fetch(sync, peer, &head, NULL, NULL);
}

static bool give(GBytes *bytes, const uint8_t hash[ELA_HASH_LEN], const uint8_t **ret_bytes, uint32_t *ret_len)
{
	uint8_t own[ELA_HASH_LEN];
	gsize len;
	const uint8_t *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;

	if (!data || ela_object_hash(data, len, own) != 0 || memcmp(own, hash, ELA_HASH_LEN) != 0)
		return false;
	*ret_bytes = data;
	*ret_len = (uint32_t)len;
	return true;
}

static bool give_enrolments(
	struct ela_list_sync *sync, const uint8_t hash[ELA_HASH_LEN], const uint8_t **ret_bytes, uint32_t *ret_len)
{
	uint8_t own[ELA_HASH_LEN];

	g_byte_array_unref(sync->enrolled);
	sync->enrolled = hash_enrolments(sync->network->membership);
	if (ela_object_hash(sync->enrolled->data, sync->enrolled->len, own) != 0 || memcmp(own, hash, ELA_HASH_LEN) != 0)
		return false;
	*ret_bytes = sync->enrolled->data;
	*ret_len = sync->enrolled->len;
	return true;
}

static bool serve(void *data, const struct ela_peer *peer, enum ela_pull_kind kind, const uint8_t hash[ELA_HASH_LEN],
	const uint8_t **ret_bytes, uint32_t *ret_len)
{
	struct ela_list_sync *sync = data;
	const struct ela_membership *m = sync->network->membership;

	(void)peer; /* guests too: they need all of it to know whom they join */
	switch (kind) {
	case ELA_PULL_GENESIS:
		return give(ela_membership_genesis_bytes(m), hash, ret_bytes, ret_len);
	case ELA_PULL_LIST:
		return give(ela_membership_newest_bytes(m), hash, ret_bytes, ret_len);
	case ELA_PULL_ENROLMENTS:
		return give_enrolments(sync, hash, ret_bytes, ret_len);
	case ELA_PULL_ENROLMENT:
		for (uint32_t i = 0; ela_membership_enrolment(m, i) != NULL; i++)
			if (give(ela_membership_enrolment(m, i), hash, ret_bytes, ret_len))
				return true;
		return false;
	case ELA_PULL_CREDENTIAL:
		return give(ela_membership_credential_bytes(m, hash), hash, ret_bytes, ret_len);
	default:
		return false; /* grants are inside of enrolments, records are the routing plugin's */
	}
}

/* ---- life ---- */

void ela_list_sync_serve(struct ela_list_sync *sync)
{
	struct ela_node *node = sync->network->node;

	ela_pull_serve(node, serve, sync);
	ela_dialogue_handle(node, ELA_PURPOSE_LIST_HEAD, on_asked_head, sync);
	ela_list_sync_soon(sync);
}

struct ela_list_sync *ela_list_sync_new(struct ela_network *network)
{
	struct ela_list_sync *sync = g_new0(struct ela_list_sync, 1);

	sync->network = network;
	sync->news = 1;
	sync->generation = ela_membership_generation(network->membership);
	sync->timer = network->node->loop->ops->timer_new(network->node->loop, turn, sync);
	sync->jobs = g_ptr_array_new_with_free_func(free_job);
	sync->tolds = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	sync->enrolled = g_byte_array_new();
	return sync;
}

void ela_list_sync_free(struct ela_list_sync *sync)
{
	GHashTableIter iter;
	gpointer told;

	if (!sync)
		return;
	ela_pull_serve(sync->network->node, NULL, NULL);
	ela_dialogue_handle(sync->network->node, ELA_PURPOSE_LIST_HEAD, NULL, NULL);
	g_hash_table_iter_init(&iter, sync->tolds);
	while (g_hash_table_iter_next(&iter, NULL, &told))
		ela_dialogue_cancel(sync->network->node, ((struct told *)told)->ticket);
	g_ptr_array_unref(sync->jobs);
	g_hash_table_unref(sync->tolds);
	g_byte_array_unref(sync->enrolled);
	sync->network->node->loop->ops->timer_free(sync->timer);
	g_free(sync);
}
