/* SPDX-License-Identifier: Apache-2.0 */
/* bootstraps: see bootstraps.h. Control thread. */
#include "bootstraps.h"

#include "handshake-xx.h"
#include "peer.h"
#include "resolve.h"

#include <string.h>

#define AT_ONCE 2u
#define FOUND_MAX 8u /* called at a time, beside the endpoints */

static const char remedy[] =
	"is elad running there, as a node of this network, is this its TCP port, does a firewall let "
	"it in, and what does its log say?";

/* A place that is called; all its addresses, one after the other. */
struct target {
	struct ela_bootstraps *bootstraps;
	char *host;        /* NULL: it was found */
	const char *where; /* found: where from, for people */
	uint16_t port;
	struct ela_addr literal;   /* family NONE: host is a name */
	struct ela_lookup *lookup; /* the name is being asked for */
	struct ela_addr addrs[ELA_RESOLVE_MAX];
	uint32_t n, at; /* addrs[at] is called while call is not 0 */
	uint64_t call;  /* ela_xx_call() */
};

struct ela_bootstraps {
	struct ela_node *node;
	const struct ela_bootstraps_ops *ops;
	struct ela_timer *timer; /* addresses to go on with: never from inside a call's end */
	uint32_t n, next;
	struct target *v; /* n, and FOUND_MAX behind them */
};

static uint64_t now_ns(const struct ela_bootstraps *b)
{
	return ela_loop_now(b->node->loop);
}

static bool is_busy(const struct target *t)
{
	return t->lookup || t->call || t->at < t->n;
}

static void say_failed(const struct target *t, const char *reason)
{
	struct ela_bootstraps *b = t->bootstraps;
	char text[64] = "";

	if (t->at < t->n)
		(void)ela_addr_text(&t->addrs[t->at], text); /* returns the buffer */
	ela_logf_limited(b->node->log, now_ns(b), t->host ? b->ops->level : ELA_LOG_INFO, "bootstrap",
		"failed endpoint=%s address=%s reason=\"%s\" remedy=\"%s\"", t->host ? t->host : t->where, text, reason,
		remedy);
}

/* ---- calling ---- */

static struct ela_transport *stream_of(const struct ela_node *node)
{
	for (uint32_t i = 0; i < node->n_transports; i++)
		if (node->transports[i].info.caps & ELA_TRANSPORT_STREAM)
			return &node->transports[i];
	return NULL;
}

static void on_called(void *data, uint64_t call, struct ela_peer *peer, const char *reason)
{
	struct target *t = data;
	struct ela_bootstraps *b = t->bootstraps;

	if (call != t->call)
		return;
	t->call = 0;
	if (!peer) {
		if (strcmp(reason, ela_xx_self) != 0) /* its own name stands in ela.ini, as in everybody's */
			say_failed(t, reason);
		t->at++;
		b->node->loop->ops->timer_set(b->timer, now_ns(b));
		return;
	}
	t->at = t->n;
	b->ops->reached(b->ops->data, peer);
}

/* Its next address that may be called, if it has one. */
static void call_next(struct target *t)
{
	struct ela_bootstraps *b = t->bootstraps;
	struct ela_transport *stream = stream_of(b->node);

	for (; !t->call && t->at < t->n; t->at += t->call == 0) {
		if (!stream)
			say_failed(t, "no transport of [components] transport has connections");
		else if (!ela_addr_allowed(b->node, &t->addrs[t->at]))
			say_failed(t, "no node can be there");
		else if (!b->ops->is_inside(b->ops->data, &t->addrs[t->at]))
			t->call = ela_xx_call(b->node, stream, &t->addrs[t->at], on_called, t);
	}
}

static void go_on(void *data)
{
	struct ela_bootstraps *b = data;

	for (uint32_t i = 0; i < b->n + FOUND_MAX; i++)
		call_next(&b->v[i]);
}

static void on_resolved(void *data, const struct ela_addr *addrs, uint32_t n, const char *reason)
{
	struct target *t = data;

	t->lookup = NULL;
	t->n = t->at = 0;
	if (n == 0) {
		say_failed(t, reason);
		return;
	}
	memcpy(t->addrs, addrs, n * sizeof *addrs);
	t->n = n;
	call_next(t);
}

/* An address needs no name server, nor virtual time one. */
static void start(struct target *t)
{
	struct ela_bootstraps *b = t->bootstraps;

	if (t->literal.family != ELA_ADDR_NONE)
		on_resolved(t, &t->literal, 1, NULL);
	else if (b->node->resolver)
		t->lookup = ela_resolver_start(b->node->resolver, t->host, t->port, on_resolved, t);
}

bool ela_bootstraps_call(struct ela_bootstraps *b)
{
	uint32_t n_busy = 0;

	for (uint32_t i = 0; i < b->n; i++)
		n_busy += is_busy(&b->v[i]);
	for (uint32_t i = 0; i < b->n && n_busy < AT_ONCE; i++) {
		struct target *t = &b->v[b->next++ % b->n];

		if (is_busy(t))
			continue;
		start(t);
		n_busy += is_busy(t);
	}
	return n_busy != 0;
}

void ela_bootstraps_found(struct ela_bootstraps *b, const struct ela_addr *addr, const char *where)
{
	struct target *room = NULL;

	for (uint32_t i = 0; i < b->n + FOUND_MAX; i++) {
		struct target *t = &b->v[i];

		if (!is_busy(t))
			room = t->host ? room : t;
		else if (memcmp(&t->literal, addr, sizeof *addr) == 0)
			return;
	}
	if (!room)
		return; /* the next hello, or the contact's turn, brings it again */
	room->literal = *addr;
	room->where = where;
	start(room);
}

/* ---- life ---- */

bool ela_bootstraps_any(const struct ela_bootstraps *b)
{
	return b->n != 0;
}

void ela_bootstraps_stop(struct ela_bootstraps *b)
{
	for (uint32_t i = 0; i < b->n + FOUND_MAX; i++) {
		struct target *t = &b->v[i];
		uint64_t call = t->call;

		ela_lookup_cancel(t->lookup);
		t->lookup = NULL;
		t->n = t->at = 0;
		t->call = 0;
		ela_xx_cancel(b->node, call);
	}
}

struct ela_bootstraps *ela_bootstraps_new(
	struct ela_node *node, const struct ela_endpoint *endpoints, uint32_t n, const struct ela_bootstraps_ops *ops)
{
	struct ela_bootstraps *b = g_new0(struct ela_bootstraps, 1);

	b->node = node;
	b->ops = ops;
	b->n = n;
	b->timer = node->loop->ops->timer_new(node->loop, go_on, b);
	b->v = g_new0(struct target, b->n + FOUND_MAX);
	for (uint32_t i = 0; i < b->n + FOUND_MAX; i++)
		b->v[i].bootstraps = b;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct ela_endpoint *endpoint = &endpoints[i];

		b->v[i].host = g_strdup(endpoint->host);
		b->v[i].port = endpoint->port;
		b->v[i].literal = endpoint->addr;
		b->v[i].literal.port = endpoint->port;
	}
	return b;
}

void ela_bootstraps_free(struct ela_bootstraps *b)
{
	if (!b)
		return;
	ela_bootstraps_stop(b);
	b->node->loop->ops->timer_free(b->timer);
	for (uint32_t i = 0; i < b->n; i++)
		g_free(b->v[i].host);
	g_free(b->v);
	g_free(b);
}
