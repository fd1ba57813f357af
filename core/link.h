/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: a stream connection to a neighbour: framing, its queue, and how it passes between control (handshake) and a
 * lane (traffic). The bytes themselves are the transport's.
 *
 * Life: made by control (dialled or accepted) -> handshake on control -> attached to one lane -> dead (the lane lets go
 * and tells control) -> unpublished, grace period, closed and freed by control.
 */
#ifndef ELA_CORE_LINK_H
#define ELA_CORE_LINK_H

#include "flowqueue.h"
#include "state.h"

#define ELA_LINK_OUT (160u * 1024u) /* sealed records not yet taken by the connection */

enum ela_link_state { ELA_LINK_DIALLING, ELA_LINK_GREETING, ELA_LINK_ATTACHED, ELA_LINK_DEAD };

struct ela_link {
	struct ela_node *node;
	struct ela_transport *transport;
	void *conn;
	uint64_t id; /* path.link */
	struct ela_addr remote, local;

	/* [control] */
	enum ela_link_state state;
	struct ela_peer *peer; /* whose it is, for good; NULL until the first handshake says who called */
	struct ela_xx *xx;     /* handshake-xx.h; owned; NULL: none is under way over it */
	struct ela_watch *watch;
	struct ela_timer *timer;
	uint64_t since_ns;
	bool dialled; /* by us */
	bool probes;  /* dialled to say one record, which greeting holds, and nothing else */
	uint8_t greeting[ELA_RECORD_HEAD + ELA_STREAM_MAX_STRANGER];
	uint32_t greeting_len, greetings; /* of the record being read; records so far */

	_Atomic bool detached; /* the lane has let go of a dead one */

	/* Any thread, under inbox_lock: what others want sent. */
	pthread_mutex_t inbox_lock;
	uint8_t *inbox; /* whole records, from control */
	uint32_t inbox_len, inbox_room;
	struct ela_flow_buf *inbox_packets; /* from other lanes, newest first */
	uint32_t inbox_n;
	_Atomic bool inbox_waits; /* there is something; read by the lane without the lock */

	/* [lane] */
	struct ela_lane *lane;
	struct ela_source source;
	struct ela_flowqueue *queue;
	uint8_t *out; /* records being written: [out_at, out_len) */
	uint32_t out_at, out_len;
	bool blocked, dirty;
	uint8_t *partial; /* an incomplete record, allocated when there is one */
	uint32_t partial_len, partial_need;
	_Atomic bool failed; /* set by the lane that finds it dead, and by control that closes it */
};

/* [lane] Sends a packet or superpacket over tx->link, which may belong to another lane. pkt has ELA_ROOM_FRONT in
 * front. */
void ela_link_send(
	struct ela_lane *lane, struct ela_tx *tx, struct ela_packet *pkt, const struct ela_packet_class *cls);
/*
 * [lane] Sends relayed frames, back to back and of segment bytes but for the last, as one train record. They wait as
 * they are, sealed end to end; hop fields are written when they leave. own: sealed by this node. Copies; counts.
 */
void ela_link_relay(
	struct ela_lane *lane, struct ela_link *link, const uint8_t *frames, uint32_t len, uint32_t segment, bool own);
/* [lane] Hands what this burst made to the connections. */
void ela_link_flush_all(struct ela_lane *lane);
/* [lane] Reads and writes one connection; true when it did something. */
bool ela_link_turn(struct ela_lane *lane, struct ela_link *link);
/* [lane] Reads once and takes the records that are whole; true when bytes came. A stream that is none fails. */
bool ela_link_read(struct ela_lane *lane, struct ela_link *link);
/* [lane] The connection is dead: its lane lets go; control hears of it. */
void ela_link_fail(struct ela_lane *lane, struct ela_link *link);
/* [lane] Commands from control: data is the link. */
void ela_link_attach_on_lane(void *lane, void *link);
void ela_link_detach_on_lane(void *lane, void *link);
/* [lane] Frees what the lane kept of it. Also by control once the lane let go. */
void ela_link_drop_lane_state(struct ela_link *link);

/* [control] Dials addr for a peer; NULL when the transport refused. */
struct ela_link *ela_link_dial(
	struct ela_node *node, struct ela_peer *peer, struct ela_transport *t, const struct ela_addr *addr);
/* [control] Dials addr for whoever is there: xx. 0 and *ret_id, then TAKES xx; -errno of connect(). */
int ela_link_call(
	struct ela_node *node, struct ela_transport *t, const struct ela_addr *addr, struct ela_xx *xx, uint64_t *ret_id);
/*
 * [control] Dials addr, says one frame and closes; all within timeout_ns. Whether it could is seen by nobody but the
 * receiver. 0, or -errno of connect().
 */
int ela_link_probe(struct ela_node *node, struct ela_transport *t, const struct ela_addr *addr, const uint8_t *frame,
	uint32_t len, uint64_t timeout_ns);
/* [control] host->conn_event of transports. */
void ela_link_event(struct ela_node *node, struct ela_transport *t, uint32_t event, void *conn,
	const struct ela_addr *remote, const struct ela_addr *local, int err);
/* [control] The link with that id; NULL. */
struct ela_link *ela_link_find(struct ela_node *node, uint64_t id);
/* [control] Sends one frame as a record: at once while greeting, through the lane's inbox when attached. 0 or -errno.
 */
int ela_link_post(struct ela_link *link, const uint8_t *frame, uint32_t len);
/*
 * [control] May the connection carry a session with the peer? It is the peer's from the first question on: whoever
 * sends another one's handshake over it is not heard. False also when it has gone.
 */
bool ela_link_claim(struct ela_node *node, uint64_t id, struct ela_peer *peer);
/* [control] The handshake is done: a lane takes over. */
void ela_link_attach(struct ela_link *link);
/* [control] Ends it: nothing is sent over it any more, it is closed after a grace period. */
void ela_link_close(struct ela_link *link);
/* [control] Ends all that are the peer's. */
void ela_links_close_of(struct ela_peer *peer);
/* [control] Goes on with dead links that their lanes have let go of. */
void ela_links_reap(struct ela_node *node);
/* [control] Ends all; lanes have stopped. */
void ela_links_free(struct ela_node *node);
/* [control] A link whose descriptor says nothing (simulator): look for bytes. True when there were some. */
bool ela_link_poll_greeting(struct ela_link *link);

#endif
