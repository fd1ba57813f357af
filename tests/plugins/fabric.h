/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fabric: what npd-mem.c, transport-mem.c and stream.c share inside. Everything here is guarded by the fabric's lock;
 * functions want it held unless they say otherwise.
 */
#ifndef ELA_TESTS_FABRIC_H
#define ELA_TESTS_FABRIC_H

#include "mem.h"
#include <glib.h>
#include <pthread.h>

#define MEM_MAX_PACKET 65535u
#define MEM_SEC UINT64_C(1000000000)
#define MEM_MSEC UINT64_C(1000000)
#define MEM_CLASSES 3u
#define MEM_NAME_MAX 32u

/* A packet of a device or a train of the underlay. Comes from the fabric's free lists, by size. */
struct mem_buf {
	struct mem_buf *next;
	uint32_t class;
	uint32_t len;
	uint32_t segment;         /* trains */
	struct ela_addr from, to; /* trains */
	uint8_t ecn;
	struct ela_packet meta; /* packets: gso and checksum fields; data, len and more are unset */
	uint8_t bytes[];
};

struct mem_queue {
	struct mem_buf *head, **end;
	uint32_t n;
	uint64_t bytes;
};

/* One direction between two hosts that differs from the default. */
struct mem_line {
	struct ela_addr key[2]; /* from, to; ports 0 */
	struct ela_mem_link link;
	bool own; /* link is set; else the default applies */
	bool cut;
	uint64_t free_ns; /* when a rated line has sent all it took */
};

struct ela_mem_fabric {
	pthread_mutex_t lock;
	struct ela_mem_fabric *next; /* of the registry */
	char name[MEM_NAME_MAX + 1];
	uint32_t flags;
	uint32_t users; /* instances of plugins */
	bool self_made; /* nobody's: goes with its last user */
	uint64_t random;
	uint64_t order;     /* of events due at the same time */
	uint32_t next_host; /* addresses and ports given to who has none */
	uint16_t next_port;
	struct mem_buf *spare[MEM_CLASSES];
	GHashTable *endpoints; /* address with port -> struct mem_endpoint that is started */
	GHashTable *lines;     /* key -> struct mem_line, owned */
	GHashTable *isolated;  /* set of addresses, owned */
	GHashTable *devices;   /* name -> struct ela_mem_device, owned */
	GSList *zombies;       /* destroyed endpoints that a posted call may still come back to */
	struct mem_stream *streams;
	struct ela_mem_link fallback;
	struct ela_mem_stats stats;
	void (*wake)(void *data, const struct ela_host *host, uint32_t lane);
	void *wake_data;
	bool (*tap)(void *data, const struct ela_mem_seen *seen);
	void *tap_data;
};

/* What waits for its time at an endpoint. */
enum mem_event_type {
	MEM_NOTHING,  /* taken back */
	MEM_DATAGRAM, /* what: struct mem_buf */
	MEM_ACCEPT,   /* what: the accepting struct mem_half */
	MEM_RESULT,   /* what: the connecting half; its err says how it went */
	MEM_RETRY,    /* what: the connecting half: try again */
	MEM_BYTES,    /* what: the half that they arrive at */
};

struct mem_event {
	uint64_t due_ns, order;
	enum mem_event_type type;
	void *what;
};

/* An instance of transport-mem. */
struct mem_endpoint {
	struct ela_mem_fabric *fabric;
	const struct ela_host *host;
	struct ela_addr addr; /* with port */
	bool is_up, posted;
	uint32_t caps, n_lanes, max_datagram, max_segments, stream_buffer;
	struct mem_queue lanes[ELA_MAX_LANES];
	int fds[ELA_MAX_LANES]; /* -1 = none */
	uint64_t *counters[ELA_MAX_LANES];
	struct mem_event *events; /* a binary heap */
	uint32_t n_events, room_events;
	struct ela_timer *timer;
	uint64_t armed_ns;
};

/* fabric.c */
struct ela_mem_fabric *mem_fabric_use(const char *name); /* takes the registry's lock; NULL when memory is out */
void mem_fabric_release(struct ela_mem_fabric *fabric);  /* likewise; not with the fabric's lock held */
void mem_lock(struct ela_mem_fabric *fabric);
void mem_unlock(struct ela_mem_fabric *fabric);
uint64_t mem_random(struct ela_mem_fabric *fabric, uint64_t below); /* 0..below-1 */
bool mem_chance(struct ela_mem_fabric *fabric, uint32_t ppm);
struct mem_buf *mem_buf_new(struct ela_mem_fabric *fabric, uint32_t room); /* NULL when memory is out */
void mem_buf_free(struct ela_mem_fabric *fabric, struct mem_buf *buf);
void mem_queue_init(struct mem_queue *queue);
void mem_queue_push(struct mem_queue *queue, struct mem_buf *buf);
struct mem_buf *mem_queue_pop(struct mem_queue *queue); /* NULL when empty */
void mem_queue_clear(struct ela_mem_fabric *fabric, struct mem_queue *queue);
void mem_wake(struct ela_mem_fabric *fabric, const struct ela_host *host, uint32_t lane);
/* eventfds that say "not empty": make (-1 in virtual time and when there are no more), raise, lower. */
int mem_signal_new(const struct ela_mem_fabric *fabric);
void mem_signal_raise(int fd);
void mem_signal_lower(int fd);

/* links.c */
/* The link from one to another, and where its rate's state is. False = nothing passes now. */
bool mem_link_find(struct ela_mem_fabric *fabric, const struct ela_addr *from, const struct ela_addr *to,
	const struct ela_mem_link **ret_link, uint64_t **ret_free_ns);
/* When len bytes sent now are there; 0 = the line's queue is full (may_lose) */
uint64_t mem_link_arrival(struct ela_mem_fabric *fabric, const struct ela_mem_link *link, uint64_t *free_ns,
	uint64_t now_ns, uint32_t len, bool may_lose);
guint mem_addr_hash(gconstpointer addr);
gboolean mem_addr_equal(gconstpointer a, gconstpointer b);
guint mem_line_hash(gconstpointer key); /* of struct mem_line.key */
gboolean mem_line_equal(gconstpointer a, gconstpointer b);
struct ela_addr mem_addr_host(const struct ela_addr *addr); /* without the port */

/* carry.c */
int mem_event_add(struct mem_endpoint *endpoint, uint64_t due_ns, enum mem_event_type type, void *what); /* -ENOMEM */
void mem_event_forget(struct mem_endpoint *endpoint, const void *what);
void mem_endpoint_run(struct mem_endpoint *endpoint); /* [control], without the lock: does what is due */
void mem_endpoint_drop_events(struct mem_endpoint *endpoint);
/* Carries a checked train; as: the sender that is seen, at an address of from's host. */
void mem_carry(struct mem_endpoint *from, const struct ela_addr *as, const struct ela_send *send);
uint16_t mem_port_new(struct ela_mem_fabric *fabric);           /* for who has none */
bool mem_deliver(struct mem_endpoint *to, struct mem_buf *buf); /* TAKES buf; false = no room */

/* stream.c */
struct mem_half;
int mem_stream_connect(void *self, const struct ela_addr *remote, void **ret_conn);
int mem_stream_fd(void *self, void *conn);
int mem_stream_attach(void *self, void *conn, uint32_t lane);
int mem_stream_read(void *self, void *conn, void *buf, uint32_t len, int *ret_err);
int mem_stream_write(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err);
void mem_stream_close(void *self, void *conn);
/* An event came due: [control], lock held; true = tell core by conn_event(*ret_event, half), lock let go. */
bool mem_stream_event(struct mem_endpoint *endpoint, const struct mem_event *event, uint32_t *ret_event,
	struct ela_addr *ret_remote, struct ela_addr *ret_local, int *ret_err);
void mem_stream_endpoint_stops(struct mem_endpoint *endpoint);
void mem_stream_endpoint_goes(struct mem_endpoint *endpoint);
void mem_stream_endpoint_moves(struct mem_endpoint *endpoint);
uint32_t mem_stream_kill(struct ela_mem_fabric *fabric, const struct ela_addr *a, const struct ela_addr *b);

/* npd-mem.c */
void mem_device_free(void *device);

#endif
