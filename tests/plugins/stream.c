/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: connections between endpoints of a fabric. Each half holds the bytes that came for it in a ring: some may be
 * read, the rest is still under way. A loss delays, a cut line stalls, a full ring makes the other side's writes
 * partial. connect and events run on control, read and write on whoever owns the half; all behind the fabric's lock.
 */
#include "fabric.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESEND_NS (200 * MEM_MSEC) /* how long a lost chunk or a stalled line takes to try again */
#define CONNECT_RETRY_NS MEM_SEC
#define CONNECT_TRIES 5u

/* Bytes under way: they become readable in order, so an early chunk waits for those before it. len 0 is the end. */
struct chunk {
	uint64_t due_ns;
	uint32_t len;
};

/*
 * A descriptor that polls readable and writable as told, each by itself: one end of a socket pair. Readable: the shadow
 * end has sent a byte; not writable: this end's send buffer is full of bytes that nobody means to read.
 */
struct gate {
	int fd, shadow; /* -1 in virtual time */
	bool readable, writable;
};

struct mem_half {
	struct mem_stream *stream;
	struct mem_endpoint *endpoint; /* whose; NULL before accept */
	struct ela_addr local, remote;
	uint8_t *ring;
	uint32_t size, head, ready, stored; /* ready bytes may be read; stored = ready + under way */
	GArray *chunks;
	struct gate gate;
	uint32_t lane;
	int err;         /* result of connecting */
	bool held;       /* core has the pointer and has not closed it */
	bool fin;        /* the other side's close has arrived */
	bool is_waiting; /* an event is set to try a stalled line again */
};

struct mem_stream {
	struct ela_mem_fabric *fabric;
	struct mem_stream *next;
	struct mem_half side[2];       /* who connected, who accepted */
	struct mem_endpoint *listener; /* between connect and accept: where the accept event is */
	uint32_t tries;
	bool is_open;  /* the initiator was told */
	bool is_dead;  /* reset: both read -EPIPE */
	bool is_stuck; /* one side moved away: nothing passes any more */
};

static struct mem_half *other(struct mem_half *half)
{
	return &half->stream->side[half == &half->stream->side[0]];
}

static int gate_open(struct gate *gate, const struct ela_mem_fabric *fabric)
{
	int fds[2], small = 1; /* the kernel raises it to its least */

	*gate = (struct gate){.fd = -1, .shadow = -1, .writable = true};
	if (fabric->flags & ELA_MEM_VIRTUAL)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small); /* without it filling takes longer */
	gate->fd = fds[0];
	gate->shadow = fds[1];
	return 0;
}

static void gate_close(struct gate *gate)
{
	if (gate->fd < 0)
		return;
	(void)close(gate->fd); /* nothing in it is worth an error */
	(void)close(gate->shadow);
	gate->fd = gate->shadow = -1;
}

static void drain(int fd)
{
	uint8_t bytes[4096];

	while (recv(fd, bytes, sizeof bytes, 0) > 0)
		continue;
}

static void gate_set(struct gate *gate, bool readable, bool writable)
{
	static const uint8_t filler[1024];

	if (gate->fd >= 0 && readable != gate->readable) {
		if (readable)
			(void)send(gate->shadow, filler, 1, MSG_NOSIGNAL); /* its buffer is empty */
		else
			drain(gate->fd);
	}
	if (gate->fd >= 0 && writable != gate->writable) {
		if (writable)
			drain(gate->shadow);
		while (!writable && send(gate->fd, filler, sizeof filler, MSG_NOSIGNAL) > 0)
			continue;
	}
	gate->readable = readable;
	gate->writable = writable;
}

/* Tells the half's owner what it can do now. */
static void refresh(struct mem_half *half)
{
	const struct mem_stream *stream = half->stream;
	struct mem_half *far = other(half);
	bool was_readable = half->gate.readable, was_writable = half->gate.writable;

	if (!half->held)
		return;
	gate_set(&half->gate, half->ready > 0 || half->fin || stream->is_dead,
		stream->is_dead || (stream->is_open && far->stored < far->size));
	if (half->endpoint && ((!was_readable && half->gate.readable) || (!was_writable && half->gate.writable)))
		mem_wake(stream->fabric, half->endpoint->host, half->lane);
}

static void half_free(struct mem_half *half)
{
	gate_close(&half->gate);
	free(half->ring);
	half->ring = NULL;
	if (half->chunks)
		(void)g_array_free(half->chunks, TRUE); /* returns NULL then */
	half->chunks = NULL;
}

static void stream_free(struct mem_stream *stream)
{
	struct mem_stream **link = &stream->fabric->streams;

	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	half_free(&stream->side[0]);
	half_free(&stream->side[1]);
	free(stream);
}

static int half_init(struct mem_half *half, struct mem_stream *stream, uint32_t size)
{
	half->stream = stream;
	half->size = size;
	half->lane = ELA_LANE_CONTROL;
	half->gate = (struct gate){.fd = -1, .shadow = -1};
	half->ring = malloc(size);
	half->chunks = g_array_new(FALSE, FALSE, sizeof(struct chunk));
	return half->ring ? gate_open(&half->gate, stream->fabric) : -ENOMEM;
}

/* Sets an event; without memory for it the stream is reset, as a machine out of memory would. */
static void set_event(struct mem_endpoint *endpoint, uint64_t due_ns, enum mem_event_type type, struct mem_half *half)
{
	if (mem_event_add(endpoint, due_ns, type, half) == 0)
		return;
	half->stream->is_dead = true;
	refresh(half);
	refresh(other(half));
}

/* Sends the call to where it goes: an accept event there, or a refusal or another try here. */
static void knock(struct mem_half *half, uint64_t now_ns)
{
	struct mem_stream *stream = half->stream;
	struct ela_mem_fabric *fabric = stream->fabric;
	struct mem_endpoint *listener = g_hash_table_lookup(fabric->endpoints, &half->remote);
	const struct ela_mem_link *link;
	uint64_t *free_ns;
	bool passes = mem_link_find(fabric, &half->local, &half->remote, &link, &free_ns);

	if (!passes || mem_chance(fabric, link->loss_ppm)) {
		half->err = -ETIMEDOUT;
		set_event(
			half->endpoint, now_ns + CONNECT_RETRY_NS, ++stream->tries < CONNECT_TRIES ? MEM_RETRY : MEM_RESULT, half);
	} else if (!listener || !(listener->caps & ELA_TRANSPORT_STREAM)) {
		half->err = -ECONNREFUSED;
		set_event(half->endpoint, now_ns + 2 * link->delay_ns, MEM_RESULT, half);
	} else {
		half->err = 0;
		stream->listener = listener;
		set_event(listener, mem_link_arrival(fabric, link, free_ns, now_ns, 40, false), MEM_ACCEPT, other(half));
	}
}

int mem_stream_connect(void *self, const struct ela_addr *remote, void **ret_conn)
{
	struct mem_endpoint *endpoint = self;
	struct ela_mem_fabric *fabric = endpoint->fabric;
	struct mem_stream *stream;
	struct mem_half *half;
	int err;

	if (!(endpoint->caps & ELA_TRANSPORT_STREAM) || !endpoint->is_up)
		return -EOPNOTSUPP;
	if (remote->family != endpoint->addr.family || !remote->port)
		return remote->port ? -ENETUNREACH : -EINVAL;
	stream = calloc(1, sizeof *stream);
	if (!stream)
		return -ENOMEM;
	mem_lock(fabric);
	stream->fabric = fabric;
	stream->next = fabric->streams;
	fabric->streams = stream;
	half = &stream->side[0];
	err = half_init(&stream->side[1], stream, endpoint->stream_buffer);
	err = half_init(half, stream, endpoint->stream_buffer) ? -ENOMEM : err;
	if (err) {
		stream_free(stream);
	} else {
		half->endpoint = endpoint;
		half->local = endpoint->addr;
		half->local.port = mem_port_new(fabric);
		half->remote = *remote;
		half->remote.scope = 0;
		half->held = true;
		refresh(half); /* not writable before it is open */
		knock(half, endpoint->host->now_ns(endpoint->host));
		*ret_conn = half;
	}
	mem_unlock(fabric);
	return err;
}

/* The call has come: the listener's half is made, and the answer is on its way back. False = the call died meanwhile.
 */
static bool accept_call(struct mem_endpoint *endpoint, struct mem_half *half, uint64_t now_ns)
{
	struct mem_stream *stream = half->stream;
	struct mem_half *caller = other(half);
	const struct ela_mem_link *link;
	uint64_t *free_ns;

	stream->listener = NULL;
	if (stream->is_dead) {
		caller->err = -ECONNRESET;
		if (caller->endpoint->is_up)
			set_event(caller->endpoint, now_ns, MEM_RESULT, caller);
		return false;
	}
	half->endpoint = endpoint;
	half->local = caller->remote;
	half->remote = caller->local;
	half->held = true;
	(void)mem_link_find(stream->fabric, &half->local, &half->remote, &link, &free_ns); /* a cut shows by later stalls */
	set_event(caller->endpoint, mem_link_arrival(stream->fabric, link, free_ns, now_ns, 40, false), MEM_RESULT, caller);
	refresh(half);
	return true;
}

/* Makes readable what has arrived; what is due on a line that is cut is tried again later. */
static void advance(struct mem_half *half, uint64_t now_ns)
{
	struct mem_stream *stream = half->stream;
	const struct ela_mem_link *link;
	uint64_t *free_ns;

	if (!half->held || stream->is_stuck || stream->is_dead)
		return;
	if (!mem_link_find(stream->fabric, &half->remote, &half->local, &link, &free_ns)) {
		if (!half->is_waiting && half->chunks->len) {
			half->is_waiting = true;
			set_event(half->endpoint, now_ns + RESEND_NS, MEM_BYTES, half);
		}
		return;
	}
	while (half->chunks->len) {
		struct chunk chunk = g_array_index(half->chunks, struct chunk, 0);

		if (chunk.due_ns > now_ns)
			break;
		half->ready += chunk.len;
		half->fin = half->fin || chunk.len == 0;
		(void)g_array_remove_index(half->chunks, 0); /* returns the array */
	}
	refresh(half);
}

bool mem_stream_event(struct mem_endpoint *endpoint, const struct mem_event *event, uint32_t *ret_event,
	struct ela_addr *ret_remote, struct ela_addr *ret_local, int *ret_err)
{
	struct mem_half *half = event->what;
	struct mem_stream *stream = half->stream;
	uint64_t now_ns = endpoint->host->now_ns(endpoint->host);

	if (event->type == MEM_BYTES) {
		half->is_waiting = false;
		advance(half, now_ns);
		return false;
	}
	if (event->type == MEM_RETRY) {
		knock(half, now_ns);
		return false;
	}
	if (event->type == MEM_ACCEPT) {
		if (!accept_call(endpoint, half, now_ns))
			return false;
		*ret_event = ELA_CONN_ACCEPTED;
	} else {
		if (half->err == 0 && stream->is_dead)
			half->err = -ECONNRESET;
		stream->is_open = half->err == 0;
		*ret_event = half->err ? ELA_CONN_CLOSED : ELA_CONN_OPEN;
		refresh(half);
		refresh(other(half));
	}
	*ret_remote = half->remote;
	*ret_local = half->local;
	*ret_err = half->err;
	return true;
}

int mem_stream_fd(void *self, void *conn)
{
	const struct mem_half *half = conn;

	(void)self;
	return half->gate.fd; /* set before core had the pointer */
}

int mem_stream_attach(void *self, void *conn, uint32_t lane)
{
	struct mem_endpoint *endpoint = self;
	struct mem_half *half = conn;

	if (lane >= endpoint->n_lanes)
		return -EINVAL;
	mem_lock(endpoint->fabric);
	half->lane = lane;
	if (half->gate.readable)
		mem_wake(endpoint->fabric, endpoint->host, lane); /* what came before is the lane's to read */
	mem_unlock(endpoint->fabric);
	return 0;
}

int mem_stream_read(void *self, void *conn, void *buf, uint32_t len, int *ret_err)
{
	struct mem_endpoint *endpoint = self;
	struct mem_half *half = conn;
	uint32_t n, first;

	mem_lock(endpoint->fabric);
	n = half->stream->is_dead ? 0 : MIN(len, half->ready);
	first = MIN(n, half->size - half->head);
	memcpy(buf, half->ring + half->head, first);
	memcpy((uint8_t *)buf + first, half->ring, n - first);
	half->head = (half->head + n) % half->size;
	half->ready -= n;
	half->stored -= n;
	if (n) {
		refresh(half);
		refresh(other(half)); /* there is room again */
	} else if (len) {
		*ret_err = half->stream->is_dead || half->fin ? -EPIPE : -EAGAIN;
	}
	mem_unlock(endpoint->fabric);
	return (int)n;
}

/* Copies up to the room that is left; how many bytes. */
static uint32_t store(struct mem_half *to, const struct iovec *iov, uint32_t n)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *from = iov[i].iov_base;
		uint32_t len = (uint32_t)MIN(iov[i].iov_len, (size_t)(to->size - to->stored)), at, first;

		if (!len)
			continue;
		at = (uint32_t)(((uint64_t)to->head + to->stored) % to->size);
		first = MIN(len, to->size - at);
		memcpy(to->ring + at, from, first);
		memcpy(to->ring, from + first, len - first);
		to->stored += len;
		taken += len;
	}
	return taken;
}

/* Sends a chunk that is stored already (or, with len 0, the end) on its way. */
static void depart(struct mem_half *from, struct mem_half *to, uint64_t now_ns, uint32_t len)
{
	struct ela_mem_fabric *fabric = from->stream->fabric;
	struct chunk chunk = {.len = len, .due_ns = now_ns};
	const struct ela_mem_link *link;
	uint64_t *free_ns;
	bool passes = mem_link_find(fabric, &from->local, &from->remote, &link, &free_ns);

	chunk.due_ns = mem_link_arrival(fabric, link, free_ns, now_ns, len + 40, false);
	if (mem_chance(fabric, link->loss_ppm))
		chunk.due_ns += RESEND_NS;
	(void)g_array_append_val(to->chunks, chunk); /* returns the array */
	if (passes && chunk.due_ns <= now_ns)
		advance(to, now_ns);
	else
		set_event(to->endpoint, chunk.due_ns, MEM_BYTES, to);
}

static void show(struct mem_endpoint *endpoint, const struct mem_half *half, const struct iovec *iov, uint32_t taken)
{
	struct ela_mem_fabric *fabric = endpoint->fabric;
	struct ela_mem_seen seen = {.from = half->local, .to = half->remote, .stream = true};

	seen.now_ns = endpoint->host->now_ns(endpoint->host);
	for (uint32_t i = 0; fabric->tap && taken; i++) {
		seen.bytes = iov[i].iov_base;
		seen.len = seen.segment = (uint32_t)MIN(iov[i].iov_len, (size_t)taken);
		taken -= seen.len;
		if (seen.len)
			(void)fabric->tap(fabric->tap_data, &seen); /* a stream loses nothing */
	}
}

int mem_stream_write(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err)
{
	struct mem_endpoint *endpoint = self;
	struct mem_half *half = conn, *to = other(half);
	struct mem_stream *stream = half->stream;
	uint32_t taken = 0, wanted = 0;

	for (uint32_t i = 0; i < n; i++)
		wanted += (uint32_t)iov[i].iov_len;
	mem_lock(endpoint->fabric);
	if (stream->is_dead || half->fin || (stream->is_open && !to->held)) {
		*ret_err = -EPIPE;
	} else {
		taken = stream->is_open ? store(to, iov, n) : 0;
		stream->fabric->stats.stream_bytes += taken;
		show(endpoint, half, iov, taken);
		if (taken)
			depart(half, to, endpoint->host->now_ns(endpoint->host), taken);
		if (taken < wanted)
			*ret_err = -EAGAIN;
		refresh(half);
	}
	mem_unlock(endpoint->fabric);
	return (int)taken;
}

/* Takes the half out of use; the stream goes with its second half. */
static void close_half(struct mem_half *half)
{
	struct mem_stream *stream = half->stream;
	struct mem_half *far = other(half);

	if (half->endpoint)
		mem_event_forget(half->endpoint, half);
	if (stream->listener)
		mem_event_forget(stream->listener, far);
	half->held = false;
	if (!far->held) {
		stream_free(stream);
		return;
	}
	if (!stream->is_open)
		stream->is_dead = true; /* it hung up before it was told */
	if (stream->is_dead)
		refresh(far);
	else
		depart(half, far, half->endpoint->host->now_ns(half->endpoint->host), 0);
	gate_close(&half->gate);
}

void mem_stream_close(void *self, void *conn)
{
	struct mem_endpoint *endpoint = self;

	mem_lock(endpoint->fabric);
	close_half(conn);
	mem_unlock(endpoint->fabric);
}

static void reset(struct mem_stream *stream)
{
	stream->is_dead = true;
	refresh(&stream->side[0]);
	refresh(&stream->side[1]);
}

void mem_stream_endpoint_stops(struct mem_endpoint *endpoint)
{
	uint64_t now_ns = endpoint->host->now_ns(endpoint->host);

	for (struct mem_stream *stream = endpoint->fabric->streams; stream; stream = stream->next) {
		if (stream->side[0].endpoint == endpoint || stream->side[1].endpoint == endpoint) {
			reset(stream);
		} else if (stream->listener == endpoint) {
			stream->listener = NULL; /* its accept event goes with the endpoint's others */
			stream->side[0].err = -ECONNREFUSED;
			set_event(stream->side[0].endpoint, now_ns, MEM_RESULT, &stream->side[0]);
		}
	}
}

void mem_stream_endpoint_goes(struct mem_endpoint *endpoint)
{
	struct mem_stream *stream = endpoint->fabric->streams, *next;

	for (; stream; stream = next) {
		next = stream->next;
		for (uint32_t i = 0; i < 2; i++) {
			bool is_last = !stream->side[!i].held;

			if (stream->side[i].endpoint != endpoint)
				continue;
			stream->is_dead = true;
			if (stream->side[i].held) {
				close_half(&stream->side[i]);
				if (is_last)
					break; /* it is gone */
			}
			stream->side[i].endpoint = NULL;
		}
	}
}

void mem_stream_endpoint_moves(struct mem_endpoint *endpoint)
{
	for (struct mem_stream *stream = endpoint->fabric->streams; stream; stream = stream->next)
		if (stream->side[0].endpoint == endpoint || stream->side[1].endpoint == endpoint)
			stream->is_stuck = true;
}

uint32_t mem_stream_kill(struct ela_mem_fabric *fabric, const struct ela_addr *a, const struct ela_addr *b)
{
	uint32_t n = 0;

	for (struct mem_stream *stream = fabric->streams; stream; stream = stream->next) {
		struct ela_addr from = mem_addr_host(&stream->side[0].local), to = mem_addr_host(&stream->side[0].remote);

		if (stream->is_dead || !((mem_addr_equal(&from, a) && mem_addr_equal(&to, b)) ||
								   (mem_addr_equal(&from, b) && mem_addr_equal(&to, a))))
			continue;
		reset(stream);
		n++;
	}
	return n;
}

uint32_t ela_mem_kill_streams(struct ela_mem_fabric *fabric, const char *a, const char *b)
{
	struct ela_addr ends[2];
	uint32_t n;

	if (ela_mem_addr(a, 0, &ends[0]) || ela_mem_addr(b, 0, &ends[1]))
		return 0;
	mem_lock(fabric);
	n = mem_stream_kill(fabric, &ends[0], &ends[1]);
	mem_unlock(fabric);
	return n;
}
