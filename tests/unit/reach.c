/* SPDX-License-Identifier: Apache-2.0 */
/* reach: see reach.h. One thread. */
#include "reach.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define STEP_NS ELA_MSEC
#define FOREIGN 100u /* added to the last byte of a host's address: its other one */

static struct reach *one; /* lone's own data is the wire's */

static struct reach_call *new_call(uint32_t by, const struct ela_addr *remote)
{
	struct reach_call *call = g_new0(struct reach_call, 1);

	call->by = by;
	call->remote = *remote;
	g_ptr_array_add(one->calls, call);
	return call;
}

/* ---- what nodes do ---- */

static int on_probe(struct lone *l, const struct ela_addr *remote, const uint8_t *bytes, uint32_t len)
{
	struct reach_call *call;

	if (one->cannot[l->number])
		return -EOPNOTSUPP;
	call = new_call(l->number, remote);
	ck_assert_uint_le(len, sizeof call->bytes);
	memcpy(call->bytes, bytes, len);
	call->len = len;
	return 0;
}

static void on_connect(struct lone *l, struct lone_conn *conn, const struct ela_addr *remote)
{
	struct reach_call *call = new_call(l->number, remote);

	call->is_tcp = true;
	call->from = conn;
	conn->data = call;
}

static int on_conn_write(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	struct reach_call *call = conn->data;

	(void)ret_err;
	if (conn == call->to) { /* the one who was called says something */
		call->answered = true;
		return (int)len;
	}
	ck_assert_uint_le(call->len + len, sizeof call->bytes);
	memcpy(call->bytes + call->len, buf, len);
	call->len += len;
	return (int)len;
}

static int on_conn_read(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err)
{
	struct reach_call *call = conn->data;
	uint32_t n = conn == call->to ? MIN(len, call->len - call->at) : 0;

	memcpy(buf, call->bytes + call->at, n);
	call->at += n;
	*ret_err = call->from ? -EAGAIN : -EPIPE;
	return (int)n;
}

static void on_conn_close(struct lone_conn *conn)
{
	struct reach_call *call = conn->data;

	if (call->from == conn)
		call->from = NULL;
	else
		call->to = NULL;
}

/* ---- the network ---- */

static void land_datagram(struct reach_call *call)
{
	struct ela_path path = lone_path(call->by);
	struct lone *l = one->wire->nodes[call->remote.ip[3]];

	path.remote.port = 40000;
	path.remote.ip[3] = (uint8_t)(path.remote.ip[3] + (one->other_address ? FOREIGN : 0));
	lone_receive(l, &path, call->bytes, call->len, call->len, call->len, 0);
}

static void land_connection(struct reach_call *call)
{
	struct lone *l = one->wire->nodes[call->remote.ip[3]];
	struct ela_link *link;
	uint64_t id;

	if (call->from) {
		lone_opened(call->from, 0);
		lone_look(one->wire->nodes[call->by]);
	}
	link = lone_accept(l, call->by + (one->other_address ? FOREIGN : 0), call);
	ck_assert_ptr_nonnull(link);
	call->to = link->conn;
	id = link->id;
	(void)ela_link_poll_greeting(link); /* what it said is there */
	lone_look(l);
	link = ela_link_find(l->node, id);
	if (link)
		(void)ela_link_poll_greeting(link);
}

static bool arrives(const struct reach_call *call)
{
	uint16_t port = call->is_tcp ? REACH_TCP : REACH_UDP;
	uint32_t way = call->is_tcp ? ELA_PROBE_TCP : ELA_PROBE_UDP, k = call->remote.ip[3];
	struct ela_addr host = lone_addr(k);

	return memcmp(call->remote.ip, host.ip, sizeof host.ip) == 0 && k <= WIRE_NODES && one->wire->nodes[k] &&
		   call->remote.port == port && !(one->blocks[call->by] & way) && !(call->is_tcp && one->never_opens);
}

void reach_run(struct reach *r, uint64_t ns)
{
	for (uint64_t i = 0; i < ns / STEP_NS; i++) {
		wire_run(r->wire, STEP_NS);
		for (guint n = r->calls->len; r->n_landed < n; r->n_landed++) {
			struct reach_call *call = g_ptr_array_index(r->calls, r->n_landed);

			if (arrives(call) && call->is_tcp)
				land_connection(call);
			else if (arrives(call))
				land_datagram(call);
		}
	}
}

/* Places of the tests' own have nobody. */
static bool is_there(struct wire *wire, uint32_t from, uint32_t to, uint32_t len)
{
	(void)wire, (void)from, (void)len;
	return to <= WIRE_NODES;
}

struct reach *reach_new(const struct ela_plugin *cipher, uint32_t seed)
{
	struct reach *r = g_new0(struct reach, 1);

	one = r;
	r->calls = g_ptr_array_new_with_free_func(g_free);
	r->wire = wire_new(cipher, seed);
	r->wire->passes = is_there;
	for (uint32_t k = 1; k <= WIRE_NODES; k++) {
		struct lone *l = r->wire->nodes[k];

		l->on_probe = on_probe;
		l->on_connect = on_connect;
		l->on_conn_read = on_conn_read;
		l->on_conn_write = on_conn_write;
		l->on_conn_close = on_conn_close;
		if (k != REACH_NEWCOMER)
			ela_classify_serve(l->node, true);
	}
	return r;
}

void reach_free(struct reach *r)
{
	for (guint i = 0; i < r->calls->len; i++)
		ck_assert_msg(!((struct reach_call *)g_ptr_array_index(r->calls, i))->answered, "a stranger was answered");
	wire_free(r->wire); /* closes what is open */
	g_ptr_array_unref(r->calls);
	g_free(r);
}

/* ---- the newcomer ---- */

static void done(void *data, const struct ela_classified *result)
{
	struct reach *r = data;

	r->n_done++;
	r->done_ns = ela_loop_now(r->wire->loop);
	r->result = *result;
}

int reach_classify(struct reach *r, uint32_t last)
{
	struct ela_peer *cores[WIRE_NODES];
	uint32_t n = 0;

	for (uint32_t k = 2; k <= last; k++)
		cores[n++] = wire_peer(r->wire, REACH_NEWCOMER, k);
	return ela_classify(r->wire->nodes[REACH_NEWCOMER]->node, cores, n, REACH_TCP, REACH_UDP, done, r);
}

uint32_t reach_calls(const struct reach *r, uint32_t k, uint32_t ways)
{
	uint32_t n = 0;

	for (guint i = 0; i < r->calls->len; i++) {
		const struct reach_call *call = g_ptr_array_index(r->calls, i);

		n += call->by == k && ((call->is_tcp ? ELA_PROBE_TCP : ELA_PROBE_UDP) & ways) != 0;
	}
	return n;
}

void reach_datagram(struct reach *r, uint32_t k, const uint8_t *frame, uint32_t len)
{
	struct ela_path path = lone_path(k);

	path.remote.port = 40001;
	lone_receive(r->wire->nodes[REACH_NEWCOMER], &path, frame, len, len, len, 0);
}

void reach_stream(struct reach *r, uint32_t k, const uint8_t *frame, uint32_t len)
{
	struct ela_addr to = lone_addr(REACH_NEWCOMER);
	struct reach_call *call;

	(void)r;
	to.port = 1; /* nobody else is to carry it */
	call = new_call(k, &to);
	call->is_tcp = true;
	ela_record_put(call->bytes, ELA_RECORD_FRAME, len);
	memcpy(call->bytes + ELA_RECORD_HEAD, frame, len);
	call->len = ELA_RECORD_HEAD + len;
	land_connection(call);
}

void reach_forge(const struct reach *r, enum ela_probe_kind kind, uint32_t number, uint8_t ret_frame[ELA_PROBE_LEN])
{
	struct ela_probe probe = {.kind = kind};
	uint8_t key[ELA_PROBE_KEY_LEN];

	ela_put32(probe.nonce, number);
	ck_assert_int_eq(ela_probe_key(r->wire->nodes[REACH_NEWCOMER]->node->network_id, key), 0);
	ck_assert_int_eq(ela_probe_make(key, &probe, ret_frame), 0);
}

uint64_t reach_count(struct reach *r, uint32_t k, const char *name)
{
	return lone_counter(r->wire->nodes[k], name);
}
