/* SPDX-License-Identifier: Apache-2.0 */
/* verbs: they, done. Control thread. Each request gets exactly one reply, ping's when its pong came or is late. */
#include "verbs.h"

#include "inet.h"
#include "json.h"
#include "network.h"
#include "object.h"
#include "peer.h"
#include "ping.h"
#include "report.h"
#include "request.h"
#include "tell.h"

#include <errno.h>

#define PING_TIMEOUT_NS (2 * ELA_SEC)
#define BASE64_MAX (4u * ((ELA_OBJECT_LIST_MAX + 2u) / 3u))

G_STATIC_ASSERT(BASE64_MAX + 128u <= ELA_REQUEST_MAX_CHANGE); /* with what is around it in its request */

struct ela_verbs {
	struct ela_node *node;
	struct ela_log *log;
	struct ela_verbs_owner owner;
};

/* A ping whose answer somebody waits for. */
struct waiting {
	struct ela_call *call;
	struct ela_ping *ping;
	char *name;
};

struct ela_verbs *ela_verbs_new(struct ela_node *node, struct ela_log *log, const struct ela_verbs_owner *owner)
{
	struct ela_verbs *verbs = g_new0(struct ela_verbs, 1);

	verbs->node = node;
	verbs->log = log;
	verbs->owner = *owner;
	return verbs;
}

void ela_verbs_free(struct ela_verbs *verbs)
{
	g_free(verbs);
}

/* ---- which peer ---- */

static bool has_address(const struct ela_peer *peer, const struct ela_addr *addr)
{
	for (uint32_t i = 0; i < peer->config->n_prefixes; i++) {
		const struct ela_prefix *prefix = &peer->config->prefixes[i];

		if (prefix->bits == (prefix->addr.family == ELA_ADDR_IP4 ? 32 : 128) && ela_inet_prefix_contains(prefix, addr))
			return true;
	}
	return false;
}

/* By name, by one of its own overlay addresses, by node ID in 8 hex digits; NULL. */
static struct ela_peer *find_peer(struct ela_node *node, const char *text)
{
	struct ela_peers *peers = ela_peers_list(node);
	struct ela_addr addr;
	bool is_addr = ela_inet_addr(text, &addr) == 0;
	guint64 id;
	bool is_id = strlen(text) == 8 && g_ascii_string_to_unsigned(text, 16, 0, UINT32_MAX, &id, NULL);

	for (uint32_t i = 0; i < peers->n; i++)
		if (strcmp(peers->v[i]->name, text) == 0)
			return peers->v[i];
	for (uint32_t i = 0; i < peers->n; i++)
		if ((is_addr && has_address(peers->v[i], &addr)) || (is_id && peers->v[i]->id == id))
			return peers->v[i];
	return NULL;
}

static GString *refuse_node(struct ela_node *node, const char *text)
{
	struct ela_peers *peers = ela_peers_list(node);
	g_autofree const char **names = g_new0(const char *, peers->n + 1);
	g_autofree char *quoted = ela_report_quote(text), *nearest = NULL;

	if (strcmp(text, node->config->name) == 0)
		return ela_refusal(ELA_CODE_NOT_FOUND, "name one of its peers: ela peers", "%s is this node itself", quoted);
	for (uint32_t i = 0; i < peers->n; i++)
		names[i] = peers->v[i]->name;
	nearest = ela_report_suggest(text, names);
	return ela_refusal(ELA_CODE_NOT_FOUND, "ela peers shows all", "there is no node %s%s", quoted, nearest);
}

/* ---- ping ---- */

static void end_waiting(struct waiting *w)
{
	g_free(w->name);
	g_free(w);
}

static void cancelled(void *data)
{
	struct waiting *w = data;

	ela_ping_cancel(w->ping);
	end_waiting(w);
}

static void answered(void *data, int err, uint64_t rtt_ns)
{
	struct waiting *w = data;
	GString *reply;

	if (err) {
		reply = ela_refusal(err == -ETIMEDOUT ? ELA_CODE_TIMEOUT : ELA_CODE_FAILED, NULL, "%s: %s", w->name,
			err == -ETIMEDOUT ? "no answer within 2 s" : g_strerror(-err));
	} else {
		reply = ela_reply_begin();
		ela_json_open(reply, "ping", '{');
		ela_json_put(reply, "name", w->name);
		ela_json_put_number(reply, "rtt_ms", (double)rtt_ns / 1e6, 3);
		ela_json_close(reply, '}');
		ela_json_close(reply, '}');
	}
	w->call->reply(w->call, reply);
	end_waiting(w);
}

static void ping(struct ela_verbs *verbs, struct ela_call *call, const char *text)
{
	struct ela_peer *peer = find_peer(verbs->node, text);
	struct waiting *w;
	int err = 0;

	if (!peer) {
		call->reply(call, refuse_node(verbs->node, text));
		return;
	}
	w = g_new0(struct waiting, 1);
	w->call = call;
	w->name = g_strdup(peer->name);
	w->ping = ela_ping_start(peer, PING_TIMEOUT_NS, answered, w, &err);
	if (!w->ping) {
		end_waiting(w);
		call->reply(
			call, err == -ENOTCONN
					  ? ela_refusal(ELA_CODE_TIMEOUT, "ela why shows what was tried", "%s: no session", peer->name)
					  : ela_refusal(ELA_CODE_FAILED, NULL, "%s: %s", peer->name, g_strerror(-err)));
		return;
	}
	call->cancel = cancelled;
	call->cancel_data = w;
}

/* ---- what changes ---- */

static GString *done(const char *what)
{
	GString *reply = ela_reply_begin();

	ela_json_put(reply, "done", what);
	ela_json_close(reply, '}');
	return reply;
}

static GString *reload(struct ela_verbs *verbs)
{
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	int code = verbs->owner.reload(verbs->owner.data, errors);
	GString *reply;

	if (code == 0)
		return done("reloaded");
	reply = ela_refusal((enum ela_code)code, "nothing was changed; correct the file and reload, or restart elad", "%s",
		errors->len ? (const char *)errors->pdata[0] : "the file could not be taken");
	g_string_truncate(reply, reply->len - 1); /* open again */
	ela_json_open(reply, "errors", '[');
	for (guint i = 0; i < errors->len; i++)
		ela_json_put(reply, NULL, errors->pdata[i]);
	ela_json_close(reply, ']');
	ela_json_close(reply, '}');
	return reply;
}

static GString *set_level(struct ela_verbs *verbs, const char *text)
{
	static const char *const names[] = {"error", "warn", "info", "debug", "trace", NULL};
	g_autofree char *quoted = NULL, *nearest = NULL;
	uint32_t level;

	if (ela_log_level_parse(text, &level) != 0) {
		quoted = ela_report_quote(text);
		nearest = ela_report_suggest(text, names);
		return ela_refusal(
			ELA_CODE_USAGE, "error, warn, info, debug or trace", "there is no level %s%s", quoted, nearest);
	}
	ela_logf(verbs->log, ELA_LOG_INFO, "elad", "log-level level=%s", text);
	ela_log_set_level(verbs->log, level);
	return done(text);
}

static GString *refuse_static(void)
{
	return ela_refusal(ELA_CODE_FAILED, "ela init makes one that has users", "this is a network of static peers");
}

/* NULL unless it is base64 and nothing else. */
static GBytes *decode(const char *base64)
{
	gsize len;
	g_autofree guchar *bytes = g_base64_decode(base64, &len);
	g_autofree char *again = g_base64_encode(bytes, len);

	return strcmp(again, base64) == 0 ? g_bytes_new_take(g_steal_pointer(&bytes), len) : NULL;
}

static GString *offer(struct ela_verbs *verbs, const struct ela_request *request)
{
	g_autofree char *quoted = ela_report_quote(request->argument);
	g_autoptr(GBytes) bytes = decode(request->object);
	g_autoptr(GError) error = NULL;
	gsize len;
	const void *data;
	int err;

	if (strcmp(request->argument, "list") != 0)
		return ela_refusal(ELA_CODE_USAGE, NULL, "an object of kind %s is not taken; expected list", quoted);
	if (!bytes)
		return ela_refusal(ELA_CODE_USAGE, NULL, "\"object\" is not base64");
	data = g_bytes_get_data(bytes, &len);
	err = verbs->owner.offer_list(verbs->owner.data, data, len, &error);
	if (err == -ENOSYS)
		return refuse_static();
	if (err == 0) {
		ela_logf(verbs->log, ELA_LOG_INFO, "elad", "list-taken from=control-socket");
		return done("taken");
	}
	ela_logf(verbs->log, ELA_LOG_WARN, "elad", "list-refused from=control-socket reason=\"%s\"", error->message);
	return ela_refusal(ELA_CODE_FAILED, NULL, "%s", error->message);
}

static GString *dial(struct ela_verbs *verbs, const struct ela_request *request)
{
	g_autofree char *quoted = ela_report_quote(request->argument);
	g_autoptr(GError) error = NULL;
	guint64 until_s;
	int err;

	if (!g_ascii_string_to_unsigned(request->object, 10, 1, G_MAXINT64, &until_s, NULL))
		return ela_refusal(ELA_CODE_USAGE, NULL, "\"until\" is no time in seconds since 1970");
	err = verbs->owner.dial(verbs->owner.data, request->argument, until_s, &error);
	if (err == -ENOSYS)
		return refuse_static();
	if (err == 0) {
		ela_logf(verbs->log, ELA_LOG_INFO, "dial", "begins endpoint=%s from=control-socket", quoted);
		return done("called");
	}
	return ela_refusal(err == -EINVAL ? ELA_CODE_USAGE : ELA_CODE_FAILED,
		err == -EPERM ? "do it at a core: ela peers names them" : NULL, "%s cannot be called: %s", quoted,
		error->message);
}

static void change(struct ela_verbs *verbs, struct ela_call *call, const struct ela_request *request)
{
	if (!call->may_change) {
		call->reply(call, ela_refusal(ELA_CODE_PERMISSION, "as root, or as a member of the group " ELA_LISTENER_GROUP,
							  "this changes what elad does, and you may not"));
	} else if (request->verb == ELA_VERB_RELOAD) {
		call->reply(call, reload(verbs));
	} else if (request->verb == ELA_VERB_LOG) {
		call->reply(call, set_level(verbs, request->argument));
	} else if (request->verb == ELA_VERB_OFFER) {
		call->reply(call, offer(verbs, request));
	} else if (request->verb == ELA_VERB_DIAL) {
		call->reply(call, dial(verbs, request));
	} else {
		call->reply(call, done("leaving"));
		verbs->owner.leave(verbs->owner.data);
	}
}

/* ---- all ---- */

static GString *tell_status(struct ela_verbs *verbs)
{
	GString *reply = ela_reply_begin();

	ela_tell_node(verbs->node, reply);
	ela_tell_peers(verbs->node, reply);
	ela_tell_counters(verbs->node, reply);
	ela_json_open(reply, "health", '[');
	verbs->owner.health(verbs->owner.data, ela_tell_health, reply);
	ela_node_health(verbs->node, ela_tell_health, reply);
	ela_json_close(reply, ']');
	ela_json_close(reply, '}');
	return reply;
}

static GString *tell_peers(struct ela_verbs *verbs)
{
	GString *reply = ela_reply_begin();

	ela_tell_peers(verbs->node, reply);
	ela_json_close(reply, '}');
	return reply;
}

static GString *tell_network(struct ela_verbs *verbs, void (*tell)(const struct ela_network *network, GString *text))
{
	GString *reply;

	if (!verbs->node->network)
		return refuse_static();
	reply = ela_reply_begin();
	tell(verbs->node->network, reply);
	ela_json_close(reply, '}');
	return reply;
}

static GString *why(struct ela_verbs *verbs, const char *text)
{
	struct ela_peer *peer = find_peer(verbs->node, text);
	GString *reply;

	if (!peer)
		return refuse_node(verbs->node, text);
	reply = ela_reply_begin();
	ela_tell_why(peer, reply);
	ela_json_close(reply, '}');
	return reply;
}

static GString *tell(struct ela_verbs *verbs, const struct ela_request *request)
{
	switch (request->verb) {
	case ELA_VERB_WHY:
		return why(verbs, request->argument);
	case ELA_VERB_PEERS:
		return tell_peers(verbs);
	case ELA_VERB_LEASES:
		return tell_network(verbs, ela_network_tell_leases);
	case ELA_VERB_OBJECTS:
		return tell_network(verbs, ela_network_tell_objects);
	default:
		return tell_status(verbs);
	}
}

void ela_verbs_run(void *data, struct ela_call *call, const char *line, size_t len)
{
	struct ela_verbs *verbs = data;
	struct ela_request request = {0};
	GString *refusal;

	if (!ela_request_parse(line, len, &request, &refusal)) {
		call->reply(call, refusal);
		return;
	}
	if (request.changes)
		change(verbs, call, &request);
	else if (request.verb == ELA_VERB_PING)
		ping(verbs, call, request.argument);
	else
		call->reply(call, tell(verbs, &request));
	ela_request_clear(&request);
}
