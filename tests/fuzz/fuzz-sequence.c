/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-sequence: core/initiator.c and its other end, with sessions and links behind them (fuzz-handshake is about what
 * the responder reads): two nodes that know each other, and a third that knows one of them and that nobody knows, with
 * real handshakes over datagrams and connections, whose fate the input is. Input: steps of two bytes, what and which:
 *
 *    0  the oldest message under way arrives        1  message number WHICH under way arrives
 *    2  it is lost                                  3  message number WHICH of the last 64 arrives again
 *    4  one under way arrives changed               5  time passes
 *    6  node WHICH starts (64: by its next way alone, 128: soon)
 *    7  node WHICH sends a packet                   8  its key nears its limit
 *    9  control has much to do (128) or little     10  it starts anew
 *   11  it has another port                        12  its wall clock jumps
 *   13  all that is under way arrives              14  a connection opens, or fails (128)
 *   15  one breaks
 *
 * Always: no (key, counter) twice, no key in two handshakes, no session in use whose other end never was, none with the
 * stranger, no packet twice or altered or elsewhere. At the end the underlay is good again: packets flow within 200 s.
 */
#include "input.h"
#include "lane.h"
#include "lone.h"
#include "toy.h"

#include <errno.h>
#include <string.h>

#define NODES 3u
#define UNDER_WAY 64u
#define MESSAGE_MAX 2100u
#define LEDGER 512u
#define SEALED 8192u
#define PACKETS 8192u /* more than are sent in one run */
#define PIPES 6u
#define PIPE_ROOM 16384u
#define STEPS_MAX 250u
#define TIME_MAX_MS 400000u /* of one input: more costs more than it finds */
#define SETTLE_NS (200 * ELA_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct message {
	uint32_t from, to; /* nodes, from 0 */
	uint16_t to_port;
	uint32_t len;
	uint8_t bytes[MESSAGE_MAX];
};

/* A session that somebody had. */
struct entry {
	uint32_t node, peer; /* numbers, from 1 */
	uint32_t local_index, remote_index;
	uint8_t send[ELA_NOISE_KEY], recv[ELA_NOISE_KEY];
	bool initiator;
};

/* A stream connection between two nodes; end 0 dialled. */
struct pipe {
	struct lone_conn *ends[2]; /* NULL = closed, or not yet there */
	uint32_t nodes[2];
	bool used, open;
	uint32_t at[2], len[2]; /* of what the end wrote */
	uint8_t bytes[2][PIPE_ROOM];
};

struct world {
	struct ela_loop *loop;
	struct lone *nodes[NODES];
	uint16_t ports[NODES];
	bool busy[NODES];
	uint32_t n_under_way, n_past;
	struct entry ledger[LEDGER];
	uint32_t n_ledger;
	struct {
		uint32_t index, from;
		uint64_t counter;
	} sealed[SEALED]; /* by hash */
	uint32_t n_sealed;
	uint32_t n_packets;         /* the number of the last one */
	uint8_t packet_to[PACKETS]; /* who is to get it, 0 = got it */
	uint32_t got[NODES];
	uint32_t passed_ms;
	/* Not cleared between inputs. */
	struct message under_way[UNDER_WAY], past[UNDER_WAY];
	struct pipe pipes[PIPES];
};

static struct world w;

/* ---- what is sent ---- */

static void note_sealed(uint32_t from, const uint8_t *frame)
{
	uint32_t index = ela_frame_index(frame);
	uint64_t counter = ela_frame_counter(frame), hash = (counter ^ index) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t at = (uint32_t)(hash >> 51) % SEALED;

	if (w.n_sealed == SEALED / 2)
		return; /* enough of one run */
	for (; w.sealed[at].index; at = (at + 1) % SEALED)
		if (w.sealed[at].index == index && w.sealed[at].counter == counter && w.sealed[at].from == from + 1)
			input_fail("a counter was used twice under one key");
	w.sealed[at].index = index;
	w.sealed[at].counter = counter;
	w.sealed[at].from = from + 1;
	w.n_sealed++;
}

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	uint32_t from = l->number - 1, to = path->remote.ip[3] - 1u;
	struct message *m;

	if (len > MESSAGE_MAX || len < ELA_HEADER_LEN)
		input_fail("a message of no length");
	if (bytes[1] != ELA_TYPE_HANDSHAKE)
		note_sealed(from, bytes);
	if (to >= NODES)
		return;
	if (w.n_under_way == UNDER_WAY)
		memmove(w.under_way, w.under_way + 1, --w.n_under_way * sizeof w.under_way[0]);
	m = &w.under_way[w.n_under_way++];
	m->from = from;
	m->to = to;
	m->to_port = path->remote.port;
	m->len = len;
	memcpy(m->bytes, bytes, len);
	w.past[w.n_past++ % UNDER_WAY] = *m;
}

/* ---- connections ---- */

/* conn->data says which end of which pipe: 1 + 2 * pipe + end; 0 = none was free. */
static struct pipe *pipe_of(const struct lone_conn *conn, uint32_t *ret_end)
{
	uintptr_t number = (uintptr_t)conn->data;

	if (number == 0)
		return NULL;
	*ret_end = (number - 1) % 2;
	return &w.pipes[(number - 1) / 2];
}

static void on_connect(struct lone *l, struct lone_conn *conn, const struct ela_addr *remote)
{
	for (uint32_t i = 0; i < PIPES; i++) {
		struct pipe *p = &w.pipes[i];

		if (p->used)
			continue;
		*p = (struct pipe){.used = true, .ends = {conn}, .nodes = {l->number - 1, remote->ip[3] - 1u}};
		conn->data = (void *)(uintptr_t)(1 + 2 * i);
		return;
	}
}

static void on_conn_close(struct lone_conn *conn)
{
	uint32_t end;
	struct pipe *p = pipe_of(conn, &end);

	if (!p)
		return;
	p->ends[end] = NULL;
	p->open = false;
	p->used = p->ends[1 - end] != NULL;
}

static int on_conn_read(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err)
{
	uint32_t end, from, n;
	struct pipe *p = pipe_of(conn, &end);

	if (!p) {
		*ret_err = -EAGAIN;
		return 0;
	}
	from = 1 - end;
	n = MIN(p->len[from] - p->at[from], len);
	if (n == 0) {
		*ret_err = p->open ? -EAGAIN : -EPIPE;
		return 0;
	}
	memcpy(buf, p->bytes[from] + p->at[from], n);
	p->at[from] += n;
	if (p->at[from] == p->len[from])
		p->at[from] = p->len[from] = 0;
	return (int)n;
}

/* All or nothing, so that each write is whole records. */
static int on_conn_write(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err)
{
	const uint8_t *bytes = buf;
	uint32_t end, need = 0;
	struct pipe *p = pipe_of(conn, &end);
	struct ela_record record;

	if (!p || !p->open || p->len[end] + len > PIPE_ROOM) {
		*ret_err = p && p->open ? -EAGAIN : -EPIPE;
		return 0;
	}
	memcpy(p->bytes[end] + p->len[end], bytes, len);
	p->len[end] += len;
	for (uint32_t at = 0; at < len; at += ELA_RECORD_HEAD + record.len) {
		if (ela_record_next(bytes + at, len - at, ELA_STREAM_MAX, &record, &need) != 1)
			input_fail("what was written is no record");
		if (record.data[1] != ELA_TYPE_HANDSHAKE)
			note_sealed(conn->l->number - 1, record.data);
	}
	return (int)len;
}

/* The dialled pipe opens, or fails. */
static void open_pipe(struct pipe *p, bool fail)
{
	struct ela_link *link =
		fail ? NULL : lone_accept(w.nodes[p->nodes[1]], p->nodes[0] + 1, (void *)(uintptr_t)(2 + 2 * (p - w.pipes)));

	if (!link) {
		lone_opened(p->ends[0], -ECONNREFUSED);
		return;
	}
	p->ends[1] = link->conn;
	p->open = true;
	lone_opened(p->ends[0], 0);
}

/* Every pipe that was dialled and not opened, or (open) the other way round; or just number which of them. */
static void step_pipe(bool open, bool all, uint8_t which)
{
	struct pipe *found[PIPES];
	uint32_t n = 0;

	for (uint32_t i = 0; i < PIPES; i++)
		if (w.pipes[i].used && w.pipes[i].open == open && (open || (w.pipes[i].ends[0] && !w.pipes[i].ends[1])))
			found[n++] = &w.pipes[i];
	for (uint32_t i = 0; i < n; i++) {
		if (!all && i != (which & 0x7fu) % n)
			continue;
		if (open)
			found[i]->open = false; /* both ends will read it */
		else if (found[i]->ends[0])
			open_pipe(found[i], which & 0x80);
	}
}

/* ---- packets ---- */

static int on_write(struct lone *l, const struct ela_packet *pkt)
{
	static uint8_t bytes[65536];
	uint32_t len = lone_gather(pkt, bytes), number;

	if (len != 32 || bytes[9] != 253)
		input_fail("a packet nobody sent");
	number = ela_get32(bytes + 20);
	if (number == 0 || number > w.n_packets || w.packet_to[number % PACKETS] != l->number)
		input_fail("a packet came twice, or to another node");
	for (uint32_t i = 24; i < 32; i++)
		if (bytes[i] != (uint8_t)(number * i))
			input_fail("a packet was altered");
	w.packet_to[number % PACKETS] = 0;
	w.got[l->number - 1]++;
	return 0;
}

static void want(struct ela_peer *peer)
{
	atomic_store(&peer->want_ns, ela_loop_now(w.loop));
	ela_peer_event(peer, ELA_PEER_WANT);
}

static void send_over_link(struct lone *l, struct ela_tx *tx, const uint8_t *packet, uint32_t len)
{
	struct ela_lane *lane = l->node->lanes[0];
	struct ela_packet pkt = {.data = lane->arena + 64, .len = len};
	struct ela_packet_class cls;

	memcpy(pkt.data, packet, len);
	if (ela_packet_classify(&pkt, &cls) != 0)
		input_fail("a packet of ours is none");
	ela_lane_begin(lane);
	ela_link_send(lane, tx, &pkt, &cls);
	ela_link_flush_all(lane);
}

/* Node i sends a numbered packet to its peer, as a lane does. */
static void send_packet(uint32_t i)
{
	struct lone *l = w.nodes[i];
	uint32_t k = i == 0 ? 2 : i == 1 ? 1 : 2, number;
	struct ela_peer *peer = lone_peer(l, k);
	struct ela_tx *tx = atomic_load(&peer->tx);
	uint8_t packet[32] = {
		0x45, 0, 0, 32, 0, 0, 0, 0, 64, 253, 0, 0, 10, 88, 0, (uint8_t)l->number, 10, 88, 0, (uint8_t)k};
	uint8_t frame[128];
	uint64_t counter;
	bool due = false;
	struct ela_cipher_op op = {.src = packet, .dst = frame + ELA_FRAME_HEAD, .len = sizeof packet};

	if (w.n_packets + 1 == PACKETS)
		return;
	if (!tx || ela_loop_now(w.loop) >= tx->session->dead_ns || atomic_load(&l->node->suspended)) {
		want(peer);
		lone_look(l);
		return;
	}
	number = ++w.n_packets;
	w.packet_to[number % PACKETS] = (uint8_t)k;
	ela_put32(packet + 20, number);
	for (uint32_t at = 24; at < 32; at++)
		packet[at] = (uint8_t)(number * at);
	if (tx->link) {
		send_over_link(l, tx, packet, sizeof packet);
		return;
	}
	if (!ela_session_reserve(tx->session, 0, sizeof packet, &counter, &due))
		return;
	ela_header_put(frame, ELA_TYPE_EPACKET, 0, tx->session->with.remote_id);
	ela_frame_put(frame, tx->session->with.remote_index, counter);
	ela_frame_nonce(frame, tx->session->send_iv, op.nonce);
	if (tx->session->cipher->seal(tx->session->lanes[0].seal_key, &op, 1) != 1)
		input_fail("no sealing");
	atomic_store(&tx->session->lanes[0].tx_ns, ela_loop_now(w.loop));
	on_send(l, &tx->path, frame, ELA_FRAME_HEAD + op.ret_len);
}

/* ---- what must hold ---- */

static const struct entry *mirror(const struct entry *e)
{
	for (uint32_t i = 0; i < w.n_ledger; i++) {
		const struct entry *o = &w.ledger[i];

		if (o->node == e->peer && o->peer == e->node && o->local_index == e->remote_index &&
			o->remote_index == e->local_index && o->initiator != e->initiator &&
			memcmp(o->send, e->recv, sizeof e->recv) == 0 && memcmp(o->recv, e->send, sizeof e->send) == 0)
			return o;
	}
	return NULL;
}

/* Enters a session; in_use: it sends, or its end proved to hold the keys. */
static void look_at(const struct lone *l, uint32_t k, const struct ela_session *s, bool in_use)
{
	struct entry e = {.node = l->number, .peer = k};
	uint32_t i = 0;

	if (!s)
		return;
	e.local_index = s->with.local_index;
	e.remote_index = s->with.remote_index;
	e.initiator = s->with.initiator;
	memcpy(e.send, s->control_send, sizeof e.send);
	memcpy(e.recv, s->control_recv, sizeof e.recv);
	for (; i < w.n_ledger; i++) {
		if (w.ledger[i].node != e.node || memcmp(w.ledger[i].send, e.send, sizeof e.send) != 0)
			continue;
		if (w.ledger[i].local_index != e.local_index || w.ledger[i].remote_index != e.remote_index)
			input_fail("two sessions of one key");
		break;
	}
	if (i == w.n_ledger && w.n_ledger < LEDGER)
		w.ledger[w.n_ledger++] = e;
	if (in_use && w.n_ledger < LEDGER && !mirror(&e))
		input_fail("a session whose other end never was");
}

static void check(void)
{
	for (uint32_t i = 0; i < NODES; i++) {
		(void)ela_node_turn(w.nodes[i]->node); /* whether there was something to do */
		lone_look(w.nodes[i]);
	}
	/* First whoever may only have answered, then those whose other end must be known by then. */
	for (uint32_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < 2; i++) {
			struct ela_peer *peer = lone_peer(w.nodes[i], 2 - i);

			for (uint32_t k = 0; k < ELA_ATTEMPTS; k++)
				look_at(w.nodes[i], 2 - i, peer->offers[k].session, false);
			look_at(w.nodes[i], 2 - i, peer->current, pass == 1);
			look_at(w.nodes[i], 2 - i, peer->previous, pass == 1);
		}
	if (lone_peer(w.nodes[2], 2)->current || lone_peer(w.nodes[2], 2)->offers[0].session || lone_peer(w.nodes[1], 3))
		input_fail("a session with a stranger");
}

/* ---- steps ---- */

/* So many datagrams wait on lane 1 that lane 0's handshakes are asked for cookies. */
static void make_busy(uint32_t i)
{
	struct ela_ring *ring = w.nodes[i]->node->lanes[1]->up;

	atomic_store(&ring->head, atomic_load(&ring->tail));
	for (uint32_t n = 0; w.busy[i] && n < 40; n++) {
		struct ela_ring_slot *slot = ela_ring_claim(ring);

		slot->path = lone_path(9);
		slot->len = ELA_HEADER_LEN;
		memset(slot->data, 0, ELA_HEADER_LEN);
		ela_ring_push(ring);
	}
}

static void arrive(const struct message *m)
{
	struct ela_path path = lone_path(m->from + 1);

	if (m->to_port != w.ports[m->to])
		return;
	path.remote.port = w.ports[m->from];
	make_busy(m->to);
	lone_receive(w.nodes[m->to], &path, m->bytes, m->len, m->len, m->len, 0);
	check();
}

static struct message take(uint32_t i)
{
	struct message m = w.under_way[i];

	memmove(w.under_way + i, w.under_way + i + 1, (--w.n_under_way - i) * sizeof m);
	return m;
}

static void arrive_all(void)
{
	for (uint32_t i = 0; i < 2 * UNDER_WAY && w.n_under_way; i++) {
		struct message m = take(0);

		arrive(&m);
	}
	for (uint32_t i = 0; i < 4; i++) /* what answers what over connections */
		check();
}

static void arrive_changed(uint32_t which)
{
	struct message m = take(which % w.n_under_way);
	uint32_t bit = which * 2654435761u % (8 * m.len);

	m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	arrive(&m);
}

static void start_anew(uint32_t i)
{
	struct lone *l = w.nodes[i];

	lone_renew(l);
	w.busy[i] = false;
	ela_initiate(lone_peer(l, i == 1 ? 1 : 2));
	ela_node_attention(l->node); /* its clock runs again */
	lone_look(l);
}

static void pass_time(uint8_t which)
{
	static const uint32_t times_ms[16] = {
		0, 1, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 30000, 60000, 119000, 130000, 181000};

	w.passed_ms += times_ms[which % 16];
	if (w.passed_ms <= TIME_MAX_MS)
		lone_pass(w.loop, times_ms[which % 16] * ELA_MSEC);
	check();
}

static void step_node(uint8_t what, uint8_t which)
{
	uint32_t i = which % NODES;
	struct lone *l = w.nodes[i];
	struct ela_peer *peer = lone_peer(l, i == 1 ? 1 : 2);

	switch (what) {
	case 6:
		if (which & 0x80)
			ela_initiate_later(peer, 200 * ELA_MSEC);
		else if (which & 0x40)
			ela_initiate_direct(peer);
		else
			ela_initiate(peer);
		break;
	case 7:
		send_packet(i);
		break;
	case 8:
		ela_peer_event(peer, ELA_PEER_REKEY);
		lone_look(l);
		break;
	case 9:
		w.busy[i] = which & 0x80;
		break;
	case 10:
		start_anew(i);
		break;
	case 11:
		w.ports[i] = (uint16_t)(7450 + (which >> 4));
		break;
	default:
		ela_loop_virtual_wall_jump(w.loop, 10 * (int64_t)ELA_SEC);
		lone_pass(w.loop, 1100 * ELA_MSEC);
		break;
	}
	check();
}

static void step(uint8_t what, uint8_t which)
{
	struct message m;

	what %= 16;
	if (what <= 4 && what != 3 && w.n_under_way == 0)
		return;
	switch (what) {
	case 0:
		m = take(0);
		arrive(&m);
		break;
	case 1:
		m = take(which % w.n_under_way);
		arrive(&m);
		break;
	case 2:
		(void)take(which % w.n_under_way);
		break;
	case 3:
		if (w.n_past)
			arrive(&w.past[which % (w.n_past < UNDER_WAY ? w.n_past : UNDER_WAY)]);
		break;
	case 4:
		arrive_changed(which);
		break;
	case 5:
		pass_time(which);
		break;
	case 13:
		arrive_all();
		break;
	case 14:
	case 15:
		step_pipe(what == 15, false, which);
		check();
		break;
	default:
		step_node(what, which);
		break;
	}
}

/* ---- the whole ---- */

static void begin(void)
{
	static const uint8_t one[] = {1, 0}, two[] = {2, 0};
	static const struct lone_spec specs[NODES] = {
		{.cipher = &toy_cipher, .number = 1, .lanes = 2, .knows = two, .dials = true, .stream = true},
		{.cipher = &toy_cipher, .number = 2, .lanes = 2, .knows = one, .dials = true, .stream = true},
		{.cipher = &toy_cipher, .number = 3, .lanes = 2, .knows = two, .dials = true, .stream = true}};
	static struct lone *nodes[NODES];
	static struct ela_loop *loop;

	memset(&w, 0, offsetof(struct world, under_way));
	if (!loop) {
		struct lone_world *world = lone_world_new(specs, NODES);

		loop = ela_loop_virtual_new(1);
		for (uint32_t i = 0; i < NODES; i++)
			nodes[i] = lone_new(world, i, loop);
	}
	w.loop = loop;
	for (uint32_t i = 0; i < NODES; i++) {
		w.nodes[i] = nodes[i];
		w.ports[i] = 7450;
		nodes[i]->on_send = on_send;
		nodes[i]->on_connect = on_connect;
		nodes[i]->on_conn_read = on_conn_read;
		nodes[i]->on_conn_write = on_conn_write;
		nodes[i]->on_conn_close = on_conn_close;
		nodes[i]->on_write = on_write;
	}
}

/* Everything arrives from now on: packets flow again both ways, within the time that keys and limits allow. */
static void end(void)
{
	uint32_t got0 = w.got[0], got1 = w.got[1];
	uint64_t limit = ela_loop_now(w.loop) + SETTLE_NS;

	w.n_under_way = 0;
	for (uint32_t i = 0; i < NODES; i++) {
		w.ports[i] = 7450;
		w.busy[i] = false;
	}
	while (w.got[0] == got0 || w.got[1] == got1) {
		if (ela_loop_now(w.loop) > limit)
			input_fail("nothing flows any more");
		send_packet(0);
		send_packet(1);
		step_pipe(false, true, 0);
		arrive_all();
		lone_pass(w.loop, 100 * ELA_MSEC);
		arrive_all();
	}
	for (uint32_t i = 0; i < NODES; i++) {
		w.nodes[i]->on_send = NULL;
		lone_renew(w.nodes[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	begin();
	for (uint32_t i = 0; i < STEPS_MAX && in.left; i++) {
		uint8_t what = input_u8(&in);

		step(what, input_u8(&in));
	}
	end();
	return 0;
}
