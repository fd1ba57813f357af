/* SPDX-License-Identifier: Apache-2.0 */
/* dials: see dials.h. Control thread. */
#include "dials.h"

#include "bootstraps.h"
#include "folders.h"
#include "inet.h"
#include "network-priv.h"

#include <errno.h>
#include <string.h>

#define FILE_MAX 16384u
#define DIAL_NS (5 * ELA_SEC)
#define SOON_NS (600 * ELA_SEC) /* somebody sits at the other end as a rule; after that it is called less often */
#define DIAL_LATER_NS (30 * ELA_SEC)
#define LOOK_NS (500 * ELA_MSEC) /* whether who answered is in by now */

struct dial {
	struct ela_dials *dials;
	struct ela_endpoint endpoint;
	uint64_t until_s, since_ns, next_ns;
	struct ela_bootstraps_ops ops;
	struct ela_bootstraps *calls; /* that one place */
	uint32_t peer;                /* number of who answered last; 0: nobody */
};

struct ela_dials {
	struct ela_network *network;
	GPtrArray *all; /* struct dial, owned */
	struct ela_timer *timer;
	bool is_started;
};

static struct ela_loop *loop_of(const struct ela_dials *dials)
{
	return dials->network->node->loop;
}

/* ---- one ---- */

static void on_reached(void *data, struct ela_peer *peer)
{
	struct dial *dial = data;
	struct ela_dials *dials = dial->dials;

	dial->peer = peer->number;
	ela_members_host(dials->network->members, peer);
	loop_of(dials)->ops->timer_set(dials->timer, ela_loop_now(loop_of(dials)));
}

static bool is_inside(void *data, const struct ela_addr *addr)
{
	(void)data, (void)addr;
	return false; /* it may be another one there; if not, the call ends with it */
}

static void free_dial(void *data)
{
	struct dial *dial = data;

	ela_bootstraps_free(dial->calls);
	g_free(dial->endpoint.host);
	g_free(dial);
}

/* TAKES endpoint's host. */
static struct dial *new_dial(struct ela_dials *dials, const struct ela_endpoint *endpoint, uint64_t until_s)
{
	struct dial *dial = g_new0(struct dial, 1);

	dial->dials = dials;
	dial->endpoint = *endpoint;
	dial->until_s = until_s;
	dial->since_ns = ela_loop_now(loop_of(dials));
	dial->ops = (struct ela_bootstraps_ops){on_reached, is_inside, ELA_LOG_INFO, dial};
	dial->calls = ela_bootstraps_new(dials->network->node, &dial->endpoint, 1, &dial->ops);
	return dial;
}

static struct dial *find(const struct ela_dials *dials, const struct ela_endpoint *endpoint)
{
	for (guint i = 0; i < dials->all->len; i++) {
		struct dial *dial = dials->all->pdata[i];

		if (strcmp(dial->endpoint.host, endpoint->host) == 0 && dial->endpoint.port == endpoint->port)
			return dial;
	}
	return NULL;
}

/* ---- the file ---- */

static int parse_line(struct ela_dials *dials, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 2);
	struct ela_endpoint endpoint = {0};
	guint64 until_s;

	if (!words[0] || !words[1] || !g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXINT64, &until_s, NULL) ||
		dials->all->len >= ELA_DIALS_MAX || ela_inet_endpoint(words[0], 0, &endpoint) != 0)
		return -EBADMSG;
	if (endpoint.port == 0) { /* it names none */
		g_free(endpoint.host);
		return -EBADMSG;
	}
	g_ptr_array_add(dials->all, new_dial(dials, &endpoint, until_s));
	return 0;
}

static int parse(struct ela_dials *dials, GBytes *bytes)
{
	gsize len;
	const char *data = g_bytes_get_data(bytes, &len);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (len == 0)
		return 0;
	if (data[len - 1] != '\n' || memchr(data, 0, len))
		return -EBADMSG;
	text = g_strndup(data, len);
	lines = g_strsplit(text, "\n", -1); /* and what is behind the last end of line: nothing */
	for (char **line = lines; line[1]; line++)
		if (parse_line(dials, *line) != 0)
			return -EBADMSG;
	return 0;
}

static int put(const struct ela_dials *dials)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < dials->all->len; i++) {
		const struct dial *dial = dials->all->pdata[i];
		bool is_ip6 = strchr(dial->endpoint.host, ':') != NULL;

		g_string_append_printf(text, "%s%s%s:%u %" G_GUINT64_FORMAT "\n", is_ip6 ? "[" : "", dial->endpoint.host,
			is_ip6 ? "]" : "", dial->endpoint.port, dial->until_s);
	}
	return dials->network->dirfd < 0 ? 0
									 : ela_file_put(dials->network->files, dials->network->dirfd, ELA_DIALS_FILE,
										   ELA_FILE_REPLACE, text->str, text->len);
}

/* ---- as time passes ---- */

/* NULL: it goes on; else why not. */
static const char *is_over(const struct dial *dial)
{
	const struct ela_network *network = dial->dials->network;
	const struct ela_peer *peer = dial->peer ? ela_peer_by_number(network->node, dial->peer) : NULL;

	if (peer && !peer->guest && ela_members_credential(network->members, peer))
		return "it is in";
	return dial->until_s <= ela_network_wall_s(network) ? "its token is over" : NULL;
}

/* The number of those that have not ended. What cannot be written now is called once more after a restart. */
static guint end_some(struct ela_dials *dials)
{
	guint before = dials->all->len;

	for (guint i = before; i-- > 0;) {
		const struct dial *dial = dials->all->pdata[i];
		const char *reason = is_over(dial);

		if (!reason)
			continue;
		ela_logf(dials->network->node->log, ELA_LOG_INFO, "dial", "ends endpoint=%s port=%u reason=\"%s\"",
			dial->endpoint.host, dial->endpoint.port, reason);
		(void)g_ptr_array_remove_index(dials->all, i); /* which frees it */
	}
	if (dials->all->len != before)
		(void)put(dials);
	return dials->all->len;
}

static void call(struct dial *dial, uint64_t now_ns)
{
	const struct ela_network *network = dial->dials->network;
	const struct ela_peer *peer = dial->peer ? ela_peer_by_number(network->node, dial->peer) : NULL;

	if (now_ns < dial->next_ns || (peer && peer->up) || network->lease.id == 0 || network->lease.role != ELA_LEASE_CORE)
		return;
	dial->next_ns = now_ns + (now_ns - dial->since_ns < SOON_NS ? DIAL_NS : DIAL_LATER_NS);
	(void)ela_bootstraps_call(dial->calls); /* it is one: whether it is under way does not matter */
}

static void turn(void *data)
{
	struct ela_dials *dials = data;
	uint64_t now_ns = ela_loop_now(loop_of(dials));
	bool has_guest = false;

	if (!dials->is_started || end_some(dials) == 0)
		return;
	for (guint i = 0; i < dials->all->len; i++) {
		struct dial *dial = dials->all->pdata[i];

		call(dial, now_ns);
		has_guest = has_guest || (dial->peer && ela_peer_by_number(dials->network->node, dial->peer));
	}
	loop_of(dials)->ops->timer_set(dials->timer, now_ns + (has_guest ? LOOK_NS : DIAL_NS));
}

/* ---- for its owner ---- */

int ela_dials_add(struct ela_dials *dials, const char *text, uint64_t until_s, GError **error)
{
	const struct ela_network *network = dials->network;
	struct ela_endpoint endpoint = {0};
	struct dial *dial;
	uint64_t before_s = 0;
	bool is_new;
	int err;

	if (ela_inet_endpoint(text, ELA_DEFAULT_PORT, &endpoint) != 0)
		return ela_object_refuse(error, EINVAL, "it is no HOST:PORT such as 192.0.2.1:7450 or [2001:db8::2]:7450");
	dial = find(dials, &endpoint);
	is_new = dial == NULL;
	err = network->lease.id != 0 && network->lease.role != ELA_LEASE_CORE ? -EPERM
		  : is_new && dials->all->len >= ELA_DIALS_MAX                    ? -ENOSPC
																		  : 0;
	if (err != 0 || !is_new)
		g_free(endpoint.host);
	if (err != 0)
		return ela_object_refuse(error, -err,
			err == -EPERM ? "this node is an edge, which lets nobody in" : "%u others are called already",
			ELA_DIALS_MAX);
	if (is_new)
		g_ptr_array_add(dials->all, dial = new_dial(dials, &endpoint, until_s));
	before_s = dial->until_s;
	dial->until_s = until_s;
	err = put(dials);
	if (err == 0) {
		dial->since_ns = ela_loop_now(loop_of(dials));
		dial->next_ns = 0;
		loop_of(dials)->ops->timer_set(dials->timer, dial->since_ns);
		return 0;
	}
	dial->until_s = before_s;
	if (is_new)
		(void)g_ptr_array_remove(dials->all, dial); /* which frees it */
	return ela_object_refuse(
		error, -err, "%s in the state folder cannot be written: %s", ELA_DIALS_FILE, g_strerror(-err));
}

void ela_dials_start(struct ela_dials *dials)
{
	dials->is_started = true;
	loop_of(dials)->ops->timer_set(dials->timer, ela_loop_now(loop_of(dials)));
}

struct ela_dials *ela_dials_new(struct ela_network *network, GError **error)
{
	struct ela_dials *dials = g_new0(struct ela_dials, 1);
	g_autoptr(GBytes) bytes = NULL;
	int err = network->dirfd >= 0 ? ela_file_get(network->dirfd, ELA_DIALS_FILE, FILE_MAX, &bytes) : -ENOENT;

	dials->network = network;
	dials->all = g_ptr_array_new_with_free_func(free_dial);
	dials->timer = loop_of(dials)->ops->timer_new(loop_of(dials), turn, dials);
	if (err == 0)
		err = parse(dials, bytes);
	if (err == 0 || err == -ENOENT)
		return dials;
	(void)ela_object_refuse(error, -err, "%s in the state folder %s", ELA_DIALS_FILE,
		err == -EBADMSG ? "is cut; remove it: whom it named is not called any more" : g_strerror(-err));
	ela_dials_free(dials);
	return NULL;
}

void ela_dials_free(struct ela_dials *dials)
{
	if (!dials)
		return;
	g_ptr_array_unref(dials->all);
	loop_of(dials)->ops->timer_free(dials->timer);
	g_free(dials);
}
