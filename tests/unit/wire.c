/* SPDX-License-Identifier: Apache-2.0 */
/* wire: the network between lone nodes. One thread. */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define LATENCY_NS (5 * ELA_MSEC)
#define LATE_NS (60 * ELA_MSEC)

struct wire_frame {
	uint64_t due_ns;
	uint32_t from, to, len;
	uint8_t bytes[ELA_DATAGRAM_MAX_CONTROL];
};

uint32_t wire_below(struct wire *w, uint32_t n)
{
	return (uint32_t)(((uint64_t)g_rand_int(w->rng) * n) >> 32);
}

static void fly(struct wire *w, uint32_t from, uint32_t to, const uint8_t *bytes, uint32_t len)
{
	struct wire_frame *f = g_new0(struct wire_frame, 1);

	if (len > sizeof f->bytes)
		abort();
	f->due_ns = ela_loop_now(w->loop) + LATENCY_NS + (wire_below(w, 100) < w->late ? wire_below(w, LATE_NS) : 0);
	f->from = from;
	f->to = to;
	f->len = len;
	memcpy(f->bytes, bytes, len);
	g_ptr_array_add(w->flying, f);
}

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	struct wire *w = l->data;
	uint32_t to = path->remote.ip[3];

	w->n_sent++;
	if ((w->passes && !w->passes(w, l->number, to, len)) || wire_below(w, 100) < w->loss)
		return;
	fly(w, l->number, to, bytes, len);
	if (wire_below(w, 100) < w->twice)
		fly(w, l->number, to, bytes, len);
}

/* Both ends of a session between every two. */
static void connect_all(struct wire *w)
{
	for (uint32_t a = 1; a <= WIRE_NODES; a++)
		for (uint32_t b = 1; b <= WIRE_NODES; b++)
			if (a != b)
				(void)lone_session(
					w->nodes[a], b, 100 * a + b, 100 * b + a, 1, (uint8_t)(16 * (MIN(a, b) + MAX(a, b) * 3)));
}

struct wire *wire_new(const struct ela_plugin *cipher, uint32_t seed)
{
	struct wire *w = g_new0(struct wire, 1);
	static const uint8_t others[WIRE_NODES][WIRE_NODES] = {{2, 3, 0}, {1, 3, 0}, {1, 2, 0}};
	struct lone_spec specs[WIRE_NODES];

	for (uint32_t i = 0; i < WIRE_NODES; i++)
		specs[i] = (struct lone_spec){.cipher = cipher, .number = i + 1, .knows = others[i]};
	w->rng = g_rand_new_with_seed(seed);
	w->flying = g_ptr_array_new_with_free_func(g_free);
	w->world = lone_world_new(specs, WIRE_NODES);
	w->loop = ela_loop_virtual_new(seed);
	for (uint32_t i = 0; i < WIRE_NODES; i++) {
		w->nodes[i + 1] = lone_new(w->world, i, w->loop);
		w->nodes[i + 1]->data = w;
		w->nodes[i + 1]->on_send = on_send;
	}
	connect_all(w);
	wire_run(w, ELA_SEC);
	return w;
}

void wire_free(struct wire *w)
{
	for (uint32_t i = 1; i <= WIRE_NODES; i++)
		if (w->nodes[i])
			lone_free(w->nodes[i]);
	ela_loop_free(w->loop);
	lone_world_free(w->world);
	g_ptr_array_unref(w->flying);
	g_rand_free(w->rng);
	g_free(w);
}

static struct wire_frame *first(const struct wire *w)
{
	struct wire_frame *found = NULL;

	for (guint i = 0; i < w->flying->len; i++) {
		struct wire_frame *f = g_ptr_array_index(w->flying, i);

		if (!found || f->due_ns < found->due_ns)
			found = f;
	}
	return found;
}

static void take_off(struct wire *w, struct wire_frame *f)
{
	guint at = 0;

	(void)g_ptr_array_find(w->flying, f, &at); /* it is there */
	(void)g_ptr_array_steal_index(w->flying, at);
}

void wire_run(struct wire *w, uint64_t ns)
{
	uint64_t end_ns = ela_loop_now(w->loop) + ns;

	for (;;) {
		struct wire_frame *f = first(w);
		uint64_t due_ns = MIN(f ? f->due_ns : UINT64_MAX, ela_loop_virtual_next(w->loop));

		if (due_ns > end_ns)
			break;
		ela_loop_virtual_run(w->loop, MAX(due_ns, ela_loop_now(w->loop)));
		f = first(w);
		if (!f || f->due_ns > ela_loop_now(w->loop))
			continue;
		take_off(w, f);
		if (w->nodes[f->to]) {
			const struct ela_path path = lone_path(f->from);

			lone_receive(w->nodes[f->to], &path, f->bytes, f->len, f->len, f->len, 0);
		}
		g_free(f);
	}
	ela_loop_virtual_run(w->loop, end_ns);
}

struct ela_peer *wire_peer(struct wire *w, uint32_t of, uint32_t k)
{
	return lone_peer(w->nodes[of], k);
}
