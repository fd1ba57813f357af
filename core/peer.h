/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: the other nodes: their sessions' life (install, promote, retire), what is published to
 * lanes, and what each peer needs done when (ticks, events). Control thread.
 */
#ifndef ELA_CORE_PEER_H
#define ELA_CORE_PEER_H

#include "link.h"
#include "state.h"

/* ---- peers.c ---- */

/*
 * Brings node's peers in line with the [peer] sections of config: new ones made, gone ones retired, changed ones
 * updated; peers that no configuration names stay. False: nothing was changed.
 */
bool ela_peers_apply(struct ela_node *node, const struct ela_config *config, GError **error);
/* Ends all sessions and forgets all peers; lanes have stopped. */
void ela_peers_free(struct ela_node *node);
struct ela_peer *ela_peer_by_key(struct ela_node *node, const uint8_t key[ELA_KEY_LEN]);
struct ela_peer *ela_peer_by_number(struct ela_node *node, uint32_t number);
/* The current list; never NULL. */
struct ela_peers *ela_peers_list(struct ela_node *node);

/* A guest no longer: routing hears of its session. */
void ela_peer_accepted(struct ela_peer *peer);

/* Asks again for the addresses of endpoints that are names. */
void ela_peer_resolve(struct ela_peer *peer);

/* What is known of a node that no configuration names: in a network with a ring, all of them. Borrowed for the call. */
struct ela_peer_spec {
	const char *name; /* for people */
	struct ela_addr ip4,
		ip6; /* in the overlay; family NONE = none yet: no packet is from it or for it. No IPv6 alone */
	const struct ela_addr *endpoints; /* n_endpoints, with ports: where to call it; none: it calls */
	uint32_t n_endpoints;
	uint64_t keepalive_ns; /* 0 = none */
};

/*
 * Makes a peer; nobody is called yet (ela_initiate()). 0; -EINVAL our own key, or addresses that no node has; -EEXIST
 * another peer has the key or the address, or it is ours; -ENOSPC there are ELA_MAX_PEERS.
 */
int ela_peer_add(
	struct ela_node *node, const uint8_t key[ELA_KEY_LEN], const struct ela_peer_spec *spec, struct ela_peer **ret);
/*
 * Something is new of a peer that was made so: 0 or as above, then nothing has changed. Its sessions go on, but for one
 * that was agreed under another address.
 */
int ela_peer_change(struct ela_peer *peer, const struct ela_peer_spec *spec);
/* Its session is wanted all the time, with a keepalive so often; 0: only as long as packets want it. */
void ela_peer_keep(struct ela_peer *peer, uint64_t keepalive_ns);
/* Ends its sessions and forgets it. peer is not to be used any more. */
void ela_peer_drop(struct ela_peer *peer);

/* ---- peer.c ---- */

/* A fresh receiver index, reserved until ela_index_release(). */
uint32_t ela_index_reserve(struct ela_node *node);
void ela_index_release(struct ela_node *node, uint32_t index);

/* The initiator's end of a handshake: the session is used at once. TAKES s. */
void ela_peer_install(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path);
/*
 * The responder's: received from now on, used for sending when a frame opened. As many as the initiator may wait for:
 * where a round trip is longer than its retries, the first answer opens a session that is not the last. TAKES s.
 */
void ela_peer_offer(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path, bool is_fresh);
/* One more offer may be made to whoever; the last place is for a message 1 that was said just now (is_fresh). */
bool ela_peer_has_room(const struct ela_peer *peer);
/* When the newest offer that still waits was made; 0 = there is none. */
uint64_t ela_peer_offered_ns(const struct ela_peer *peer);
/*
 * A frame of s came over path and opened: if s is an offered one it becomes current. Both NULL: of one of them, on a
 * lane.
 */
void ela_peer_confirm(struct ela_peer *peer, const struct ela_session *s, const struct ela_path *path);
/* A question was answered after sample_ns: peer->rtt_ns follows. */
void ela_peer_round_trip(struct ela_peer *peer, uint64_t sample_ns);
/* Publishes how to send: session and path; either may be what it was. NULL session: nothing can be sent. */
void ela_peer_publish(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path);
/* Ends every session of the peer (clocks jumped, peer removed). */
void ela_peer_reset(struct ela_peer *peer);
/* Retires what is too old; called by the tick. */
void ela_peer_expire(struct ela_peer *peer, uint64_t now_ns);

/* Sends bytes over a path: a datagram on lane 0's socket, or a record to its link. 0 or -errno. */
int ela_node_send(struct ela_node *node, const struct ela_path *path, const uint8_t *frame, uint32_t len);
/* May this underlay address be dialled, accepted, roamed to? Not loopback, link-local, multicast, or in the overlay. */
bool ela_addr_allowed(const struct ela_node *node, const struct ela_addr *addr);
/* Does the prefix lie beyond the node's own networks? */
bool ela_prefix_is_beyond(const struct ela_config *config, const struct ela_prefix *prefix);
/* Of a path's transport, for people; "relay" for a way through a neighbour. */
const char *ela_transport_name(const struct ela_node *node, uint32_t number);
/* The one that ela.ini calls so; NULL: there is none. */
struct ela_transport *ela_transport_named(struct ela_node *node, const char *name);
/* "10.99.0.2:7450" into buf. */
const char *ela_addr_text(const struct ela_addr *addr, char buf[64]);

/* What all of the peer's sessions carried. */
void ela_peer_traffic(const struct ela_peer *peer, struct ela_session_traffic *ret);

/* ---- way.c ---- */

/* What came of trying to reach a peer there; the last two do nothing for a place that is no way. */
void ela_way_tried(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr);
void ela_way_answered(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr);
void ela_way_failed(struct ela_peer *peer, uint32_t transport, const struct ela_addr *addr, int err);
/* ---- peer-via.c ---- */

/*
 * Packets, control messages and handshakes of peer go through that neighbour from now on; NULL = directly. The session
 * goes on: it is bound to keys. While the neighbour has no session or no path of its own nothing can be sent. Directly
 * means as soon as a sealed challenge came back from one of the peer's endpoints, or a connection to one is there;
 * until then the old way is used. -EINVAL: a node is no neighbour for itself.
 */
int ela_peer_via(struct ela_peer *peer, struct ela_peer *neighbour);
/* Which way control wants: through the neighbour it chose, else as heard. */
struct ela_path ela_peer_wished(const struct ela_peer *peer, const struct ela_path *heard);
/* Fills in what a neighbour says. False: there is no way through it now. */
bool ela_via_fill(struct ela_peer *peer, struct ela_tx *tx);
/* What neighbour publishes has changed: those behind it follow. */
void ela_via_follow(struct ela_peer *neighbour);
/* The neighbour is about to be freed. */
void ela_via_forget(struct ela_node *node, const struct ela_peer *neighbour);
/* Looks for the direct way that was asked for, now and then. */
void ela_via_tick(struct ela_peer *peer, uint64_t now_ns);
/* Sends control's frame through path's neighbour. 0 or -errno. */
int ela_via_send(struct ela_node *node, const struct ela_path *path, const uint8_t *frame, uint32_t len);

/* ---- better.c ---- */

/* Challenges what the configuration likes better than the connection in use, now and then. */
void ela_better_tick(struct ela_peer *peer, uint64_t now_ns);

/* ---- initiator.c ---- */

/* Starts a handshake now: over the path in use while it works, else over the next configured endpoint. */
void ela_initiate(struct ela_peer *peer);
/* Starts one then, and not before for packets that wait: they wait for this one. The session in use stays until it is
 * done. */
void ela_initiate_later(struct ela_peer *peer, uint64_t after_ns);
/* Asks the next endpoint for a direct way: a challenge, or a connection. Packets go on as before. */
void ela_initiate_direct(struct ela_peer *peer);
/* The dialled connection is open. */
void ela_initiate_on_link(struct ela_peer *peer, struct ela_link *link);
/* HANDSHAKE messages of kind answer and cookie. False: it was not for us, or not good. */
bool ela_initiator_answer(struct ela_node *node, const struct ela_path *path, const struct ela_handshake *hs);
bool ela_initiator_cookie(struct ela_node *node, const struct ela_path *from, const struct ela_handshake *hs);
/* Of this node's suites the one with that name; NULL. */
const struct ela_node_suite *ela_suite_named(const struct ela_node *node, const char *name);
/* Forgets message 1s that wait for an answer. */
void ela_initiator_cancel(struct ela_peer *peer);
/* Due retries. */
void ela_initiator_tick(struct ela_peer *peer, uint64_t now_ns);
/* True while a handshake is wanted or under way. */
bool ela_initiator_busy(const struct ela_peer *peer);

/* ---- responder.c ---- */

struct ela_responder *ela_responder_new(struct ela_node *node);
void ela_responder_free(struct ela_responder *r);
/* Any HANDSHAKE datagram or record: checks mac1 and hands it on. False: a stream that sent it is to be closed. */
bool ela_handshake_input(struct ela_node *node, const struct ela_path *path, const uint8_t *data, uint32_t len);

/* ---- responder.c, for handshake-xx.c ---- */

struct ela_handshake;

/* The first of this node's suites that is among theirs; weak ones only when nothing else is common. NULL: none. */
const struct ela_node_suite *ela_suite_choose(const struct ela_node *node, const char *theirs);
/* Is this message 1 worth two Diffie-Hellmans? Its sender may get a cookie; counts what it refuses. */
bool ela_responder_may_try(struct ela_node *node, const struct ela_path *path, const uint8_t *data, uint32_t len,
	const struct ela_handshake *hs);
/* Who showed that the key is his by XX: a peer that was known, or a guest. NULL: he may not come in now; counted. */
struct ela_peer *ela_responder_meet(
	struct ela_node *node, const struct ela_path *path, const uint8_t key[ELA_KEY_LEN], const struct ela_handshake *hs);

/* ---- control.c ---- */

/* A MESSAGE frame. */
void ela_control_input(struct ela_node *node, const struct ela_path *path, const uint8_t *data, uint32_t len);
/* Sends an empty sealed frame. */
void ela_control_keepalive(struct ela_peer *peer, struct ela_session *s, const struct ela_path *path);
/* Challenges the session's candidate path. */
void ela_control_challenge(struct ela_peer *peer);
/* Makes path the candidate and challenges it. */
void ela_control_try(struct ela_peer *peer, const struct ela_path *path);
/* Sends one ping of that number over the session in use; -ENOTCONN without one. */
int ela_control_ping(struct ela_peer *peer, uint32_t id);
/* Sends a routing plugin's message. */
int ela_control_routing(struct ela_peer *peer, const void *bytes, uint32_t len);
/* Sends a part of a message: a plaintext of core/parts.h. */
int ela_control_part(struct ela_peer *peer, const uint8_t *plain, uint32_t len);
/* Largest control message. */
#define ELA_CONTROL_MAX 1300u

/* ---- control-tick.c ---- */

/* Liveness, keepalive, rekey, path MTU. Returns true while something needs a fast tick. */
bool ela_control_tick(struct ela_peer *peer, uint64_t now_ns);

/* ---- pmtu.c ---- */

/* Path MTU discovery starts anew: a new path. */
void ela_pmtu_reset(struct ela_peer *peer);
void ela_pmtu_tick(struct ela_peer *peer, uint64_t now_ns);
/* The transport said -EMSGSIZE. */
void ela_pmtu_too_big(struct ela_peer *peer);
/* A probe of that size came back. False: there was none. */
bool ela_pmtu_confirmed(struct ela_peer *peer, uint32_t token);
/* Largest frame to use now. */
uint32_t ela_pmtu_frame(const struct ela_peer *peer, const struct ela_tx *tx);
/* Sends a probe of frame_len bytes (control.c). False when it could not be sent at all. */
bool ela_control_probe(struct ela_peer *peer, uint32_t frame_len, uint32_t token);

#endif
