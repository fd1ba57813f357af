/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lone: one real node under virtual time whose device and underlay are functions of the test: what it sends and writes
 * is handed over at once, what it is to receive is given frame by frame. For tests and fuzz targets that look at one
 * node from very near; whole worlds are tests/sim. One thread; a failure of lone itself ends the process.
 *
 * Node number k is 10.88.0.k and fd88::k in the overlay, 192.0.2.k:7450 on the underlay, and its key follows from k.
 */
#ifndef ELA_TESTS_LONE_H
#define ELA_TESTS_LONE_H

#include "link.h"
#include "peer.h"
#include "state.h"

#define LONE_DATAGRAM 0u /* numbers of the transports */
#define LONE_STREAM 1u

struct lone_spec {
	const struct ela_plugin *cipher;
	uint32_t number;      /* 1..250 */
	uint32_t lanes;       /* 0 = 1 */
	const uint8_t *knows; /* numbers of the peers, 0 at the end; each also may send from 10.99.k.0/24 */
	bool dials;           /* the peers have endpoints: handshakes start by themselves */
	const char *host;     /* those are this name, with port 7450; NULL: addresses */
	bool stream;          /* at those, over the stream transport */
	const char *network;  /* id of the network in hex; NULL: none */
};

/* A stream connection's end; freed when core closes it. */
struct lone_conn {
	struct lone *l;
	void *data; /* the test's */
};

struct lone {
	struct ela_node *node;
	struct ela_loop *loop; /* the caller's */
	uint32_t number;
	void *data; /* the test's */

	/* The test's; NULL = swallowed. bytes are borrowed. */
	void (*on_send)(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len);
	int (*on_addresses)(
		struct lone *l, const char *const *texts, uint32_t n);     /* the device's; 0, or what it is to say */
	int (*on_write)(struct lone *l, const struct ela_packet *pkt); /* 0, or what write_burst is to say */
	/* The datagram transport's; NULL: -EOPNOTSUPP. */
	int (*on_probe)(struct lone *l, const struct ela_addr *remote, const uint8_t *bytes, uint32_t len);
	void (*on_connect)(struct lone *l, struct lone_conn *conn, const struct ela_addr *remote); /* then lone_opened() */
	int (*on_conn_read)(struct lone_conn *conn, void *buf, uint32_t len, int *ret_err);        /* NULL: -EAGAIN */
	int (*on_conn_write)(struct lone_conn *conn, const void *buf, uint32_t len, int *ret_err);
	void (*on_conn_close)(struct lone_conn *conn);
	void (*on_message)(struct lone *l, const void *bytes, uint32_t len); /* for the routing plugin */
	void (*on_link)(struct lone *l, uint32_t peer, uint32_t event);      /* as routing hears it */
	void (*on_log)(struct lone *l, const char *line);                    /* errors, or what ela_log_set_level() says */
	uint32_t caps;                                                       /* of the device, now */
	uint32_t max_segments;                                               /* of the datagram transport */
	uint32_t n_conns;                                                    /* stream connections that are open */
	int send_err; /* what send_burst says from now on, 0 = it sends */

	struct ela_train *incoming;
	const struct lone_world *world;
};

/* Everything that lives as long as the process: loader and configurations. Freed by lone_world_free(). */
struct lone_world;
struct lone_world *lone_world_new(const struct lone_spec *specs, uint32_t n);
void lone_world_free(struct lone_world *world);

/* Starts node i of the world's specs under loop. */
struct lone *lone_new(const struct lone_world *world, uint32_t i, struct ela_loop *loop);
void lone_free(struct lone *l);
/*
 * As if it were new, but for the clock, which goes on: peers, sessions, handshakes, counters. Far cheaper than a new
 * one, for those who need thousands a second.
 */
void lone_renew(struct lone *l);

void lone_key(uint32_t number, uint8_t ret_private[ELA_KEY_LEN], uint8_t ret_public[ELA_KEY_LEN]);
struct ela_addr lone_addr(uint32_t number);
struct ela_path lone_path(uint32_t number);
/* What l knows of node k; NULL when it is a stranger. */
struct ela_peer *lone_peer(struct lone *l, uint32_t k);
uint64_t lone_counter(struct lone *l, const char *name);

/* A session with node k that needed no handshake, used for sending and receiving: keys are derived from seed. */
struct ela_session *lone_session(
	struct lone *l, uint32_t k, uint32_t local_index, uint32_t remote_index, uint32_t remote_lanes, uint8_t seed);
/* The other end of that session, for sealing what l opens and back; ela_session_free(). It has remote_lanes lanes. */
struct ela_session *lone_far_end(
	struct lone *l, uint32_t k, uint32_t local_index, uint32_t remote_index, uint32_t remote_lanes, uint8_t seed);
/* A frame of a far end's lane, number sequence; its length. out has room for len + ELA_CIPHER_MAX_OVERHEAD + 20. */
uint32_t lone_seal(const struct ela_session *far_end, uint32_t lane, uint64_t sequence, uint8_t flags,
	const uint8_t *plain, uint32_t len, uint8_t *out);
/*
 * The datagram socket received a train from path: in a buffer of just its size (a copy; what is opened is opened in the
 * copy). Lane 0 takes it, then control has its turn. claimed is the length the socket reports, at least len.
 */
void lone_receive(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len, uint32_t claimed,
	uint32_t segment, uint8_t ecn);
/* A stream brought one super record: the same way. */
void lone_receive_super(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len);
/* Control's turn: posts and timers that are due. */
void lone_look(struct lone *l);
/* Time passes for everyone on the loop. */
void lone_pass(struct ela_loop *loop, uint64_t ns);
/* Somebody at node k's address connects; control greets it. data is the test's, of the new end. */
struct ela_link *lone_accept(struct lone *l, uint32_t k, void *data);
/* The connection that on_connect() asked for is there, or failed with err. */
void lone_opened(struct lone_conn *conn, int err);
/* The packet in one piece; its length. buf has room for 65,536 bytes. */
uint32_t lone_gather(const struct ela_packet *pkt, uint8_t *buf);

#endif
