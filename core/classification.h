/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classification: core or edge? Up to three cores look whether strangers can reach this node (wire.md, "Joining";
 * thesis 4.2.1 and table 5.1, NodeUsingPort and NodeClassification), and this node looks for others. Nothing in it is
 * believed of anybody but over his session. Control thread.
 *
 *   newcomer   NodeUsingPort: my ports            -> core     the address that the core sees is the one that counts
 *   core       PROBE by UDP, PROBE by TCP         -> newcomer from sockets that never talked to it, a nonce in each
 *   newcomer   NodeClassification: nonces that came -> core   over the session that asked
 *   core       the role, and what did not come    -> newcomer
 */
#ifndef ELA_CORE_CLASSIFICATION_H
#define ELA_CORE_CLASSIFICATION_H

#include "message.h"
#include "state.h"

#define ELA_CLASSIFY_CORES 3u

/* Hung off the node, behind its dialogue. */
struct ela_classification *ela_classification_new(struct ela_node *node);
void ela_classification_free(struct ela_classification *classification); /* takes NULL; nobody is told */

/* ---- asking ---- */

struct ela_classified {
	enum ela_role role;                       /* core: every core that was asked got both probes back, and said so */
	enum ela_probe_failed failed;             /* what did not come, of any of them; both of one that said nothing */
	uint32_t n_asked, n_answered;             /* cores; those that said a role */
	uint32_t n_core;                          /* those that said core */
	struct ela_message_endpoint observed;     /* as the first of those saw this node; family NONE: there was none */
	struct ela_addr seen[ELA_CLASSIFY_CORES]; /* where all of them saw it, each address once; port 0 */
	uint32_t n_seen;
};

/* The end; result is borrowed. Another classification may be started from it. */
typedef void (*ela_classified_fn)(void *data, const struct ela_classified *result);

/*
 * Asks cores, peers with a session each, at least one, to probe this node's ports. It ends within 3 s, after this call
 * has returned, whatever becomes of the cores. 0; -EINVAL none or too many cores, one twice, ports below 1024; -EBUSY
 * one is under way; -EIO.
 */
int ela_classify(struct ela_node *node, struct ela_peer *const *cores, uint32_t n_cores, uint16_t tcp_port,
	uint16_t udp_port, ela_classified_fn fn, void *data);
/* fn is not called any more; nothing under way is fine. */
void ela_classify_cancel(struct ela_node *node);

/*
 * For link.c and node.c: a PROBE frame came as a datagram, or as the first record of a stream (path->link). True: it
 * was waited for. Counts it; nothing is ever answered.
 */
bool ela_classify_probe(struct ela_node *node, const struct ela_path *path, const uint8_t *frame, uint32_t len);

/* ---- answering ---- */

/*
 * Whether this node probes peers that ask for it, guests and members alike; not at first. Limits a minute: once a
 * guest, 6 times a member; 4 times the guests of an IPv4 address or IPv6 /64, 24 times its members; 64 times in all, 32
 * of them guests; to where the asker has shown to be, never to this node itself nor where ela_addr_allowed() says no;
 * 41 bytes and a connection, less than the request had. A nonce is good for one answer within 5 s.
 */
void ela_classify_serve(struct ela_node *node, bool serve);

#endif
