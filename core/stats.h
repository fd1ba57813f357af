/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: core's counters. One block for each lane and one for the control thread: single writer, relaxed stores, summed
 * by control. Every packet or frame that is not passed on has exactly one drop-* counter. docs/counters.md explains
 * each.
 */
#ifndef ELA_CORE_STATS_H
#define ELA_CORE_STATS_H

#include <ela/host.h>

#define ELA_STATS(X)                                                                                                   \
	X(DEVICE_PACKETS_IN, "device-packets-in") /* packets read from the device; a superpacket is one */                 \
	X(DEVICE_BYTES_IN, "device-bytes-in")                                                                              \
	X(DEVICE_PACKETS_OUT, "device-packets-out")                                                                        \
	X(DEVICE_BYTES_OUT, "device-bytes-out")                                                                            \
	X(FRAMES_OUT, "frames-out") /* sealed and handed to a transport */                                                 \
	X(FRAMES_IN, "frames-in")   /* opened */                                                                           \
	X(BYTES_OUT, "bytes-out")   /* of those frames */                                                                  \
	X(BYTES_IN, "bytes-in")                                                                                            \
	X(SENDS, "sends")         /* trains handed to datagram transports */                                               \
	X(TRAINS_IN, "trains-in") /* trains received */                                                                    \
	X(SUPERPACKETS_CUT, "superpackets-cut")                                                                            \
	X(SUPERPACKETS_JOINED, "superpackets-joined")                                                                      \
	X(COPIES, "copies")   /* of broadcast and multicast packets */                                                     \
	X(RELAYED, "relayed") /* frames passed on for others */                                                            \
	X(RELAYED_BYTES, "relayed-bytes")                                                                                  \
	X(HANDSHAKES_STARTED, "handshakes-started")                                                                        \
	X(HANDSHAKES_DONE, "handshakes-done")                                                                              \
	X(REKEYS, "rekeys")                                                                                                \
	X(COOKIES_OUT, "cookies-out")                                                                                      \
	X(COOKIES_IN, "cookies-in")                                                                                        \
	X(PATH_CHALLENGES, "path-challenges")                                                                              \
	X(PATH_CHANGES, "path-changes")                                                                                    \
	X(KEEPALIVES_OUT, "keepalives-out")                                                                                \
	X(PINGS_OUT, "pings-out")                                                                                          \
	X(LINKS_LOST, "links-lost") /* peers found silent, or whose connection closed */                                   \
	X(PROBES_OUT, "probes-out") /* so that others learn whether strangers reach them */                                \
	X(PROBES_IN, "probes-in")   /* of those that this node asked for */                                                \
	X(HELLOS_OUT, "hellos-out") /* one for each LAN */                                                                 \
	X(HELLOS_ANSWERED, "hellos-answered")                                                                              \
	X(STREAMS_OPENED, "streams-opened")                                                                                \
	X(STREAMS_CLOSED, "streams-closed")                                                                                \
	X(MESSAGES_OUT, "messages-out") /* XML messages, however many parts */                                             \
	X(MESSAGES_IN, "messages-in")                                                                                      \
	X(REQUESTS_REPEATED, "requests-repeated")                                                                          \
	X(REQUESTS_LOST, "requests-lost")           /* no answer in time */                                                \
	X(WAITED, "waited")                         /* packets held while a session started */                             \
	X(STRANGER_BYTES_IN, "stranger-bytes-in")   /* received without a session */                                       \
	X(STRANGER_BYTES_OUT, "stranger-bytes-out") /* answered to those */                                                \
	X(ICMP_TOO_BIG, "icmp-too-big")             /* answers made */                                                     \
	X(ICMP_UNREACHABLE, "icmp-unreachable")                                                                            \
	X(DROP_HEADER, "drop-header") /* not a header, wrong version, reserved bits */                                     \
	X(DROP_TTL, "drop-ttl")                                                                                            \
	X(DROP_TYPE, "drop-type")                                                                                          \
	X(DROP_SHORT, "drop-short") /* truncated */                                                                        \
	X(DROP_OVERSIZE, "drop-oversize")                                                                                  \
	X(DROP_DESTINATION, "drop-destination") /* for another node; this node does not relay */                           \
	X(DROP_INDEX, "drop-index")             /* no such session */                                                      \
	X(DROP_REPLAY, "drop-replay")                                                                                      \
	X(DROP_TAG, "drop-tag")                                                                                            \
	X(DROP_INNER, "drop-inner")         /* what was inside is no packet */                                             \
	X(DROP_SOURCE, "drop-source")       /* inner source does not belong to the sender */                               \
	X(DROP_ECN, "drop-ecn")             /* congestion met a packet that cannot be marked (RFC 6040) */                 \
	X(DROP_HOP_INDEX, "drop-hop-index") /* relayed by nobody we have a session with */                                 \
	X(DROP_HOP_REPLAY, "drop-hop-replay")                                                                              \
	X(DROP_HOP_TAG, "drop-hop-tag")                                                                                    \
	X(DROP_FORWARD_UNKNOWN, "drop-forward-unknown") /* to be relayed, but not known where to */                        \
	X(DROP_FORWARD_RULE, "drop-forward-rule")       /* from somebody, or to somebody, for whom nothing is relayed */   \
	X(DROP_FORWARD_SENDER, "drop-forward-sender")   /* a child's handshake under another's node ID */                  \
	X(DROP_FORWARD_RATE, "drop-forward-rate")       /* more handshakes than are relayed */                             \
	X(DROP_FORWARD_DOWN, "drop-forward-down")       /* the next hop has no session */                                  \
	X(DROP_MAC1, "drop-mac1")                                                                                          \
	X(DROP_COOKIE, "drop-cookie")           /* a cookie that is not one for a message 1 of ours, or one too many */    \
	X(DROP_ANSWER, "drop-answer")           /* a message 2 or cookie whose message 1 is not waiting (any more) */      \
	X(DROP_RATE, "drop-rate")               /* handshakes beyond the limit of an address */                            \
	X(DROP_HANDSHAKE, "drop-handshake")     /* malformed or forged behind a good mac1 */                               \
	X(DROP_UNKNOWN_KEY, "drop-unknown-key") /* nobody in ela.ini */                                                    \
	X(DROP_REPEATED, "drop-repeated")       /* an ephemeral key seen before */                                         \
	X(DROP_RACE, "drop-race")               /* both started: the other one's goes on */                                \
	X(DROP_PROBE, "drop-probe")             /* none of this network, or not the way that it says */                    \
	X(DROP_PROBE_UNASKED, "drop-probe-unasked") /* nothing waits for it (any more) */                                  \
	X(DROP_HELLO, "drop-hello")                 /* none of this network, not from a LAN, not asked for */              \
	X(DROP_HELLO_RATE, "drop-hello-rate")       /* more than are answered */                                           \
	X(DROP_CONTROL_FULL, "drop-control-full")   /* ring to the control thread full */                                  \
	X(DROP_MESSAGE, "drop-message")             /* sealed, but not a message this node knows */                        \
	X(DROP_PARTS, "drop-parts")                 /* that cannot be, or whose message was given up */                    \
	X(DROP_XML, "drop-xml")                     /* whole, but not a message this node knows */                         \
	X(DROP_MESSAGE_RATE, "drop-message-rate")                                                                          \
	X(DROP_REQUEST, "drop-request") /* too old, or too many wait */                                                    \
	X(DROP_NOROUTE, "drop-noroute")                                                                                    \
	X(DROP_NOSESSION, "drop-nosession") /* no session came up in time */                                               \
	X(DROP_PACKET, "drop-packet")       /* the device handed over something that is no packet */                       \
	X(DROP_TOO_BIG, "drop-too-big")     /* larger than the path carries */                                             \
	X(DROP_COPIES, "drop-copies")       /* broadcast beyond the rate */                                                \
	X(DROP_QUEUE, "drop-queue")         /* link queue: full or CoDel */                                                \
	X(DROP_BUSY, "drop-busy")           /* the socket took nothing for too long */                                     \
	X(DROP_SEND, "drop-send")           /* the transport refused */                                                    \
	X(DROP_EXHAUSTED, "drop-exhausted") /* key limit reached before the next key was there */                          \
	X(DROP_DEVICE, "drop-device")       /* the device took no more */                                                  \
	X(DROP_STREAM, "drop-stream")       /* connection closed: framing, limits, time-outs */

enum ela_stat {
#define X(id, name) ELA_STAT_##id,
	ELA_STATS(X)
#undef X
		ELA_N_STATS
};

struct ela_stats {
	uint64_t v[ELA_N_STATS];
};

/* Name of a counter; NULL past the last. */
const char *ela_stat_name(uint32_t stat);

static inline void ela_stat_add(struct ela_stats *stats, enum ela_stat stat, uint64_t n)
{
	ela_count(&stats->v[stat], n);
}

#endif
