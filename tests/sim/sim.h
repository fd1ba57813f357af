/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: a world of ELA nodes in one process under virtual time, seeded: real core, real ciphers and routing, devices and
 * underlay in memory. One thread.
 *
 * A world checks by itself, all the time: no (receiver index, counter) is sealed twice, no inner packet shows on the
 * underlay, what a device is given is what another node was sent, unaltered, at the right node, once.
 */
#ifndef ELA_TESTS_SIM_H
#define ELA_TESTS_SIM_H

#include "loop.h"
#include "node.h"
#include "object.h"
#include "state.h"

#include <check.h>
#include <glib.h>
#include <mem.h>
#include <stdlib.h>
#include <string.h>

#define SIM_MAX_NODES 48u
#define SIM_HEAD 28u  /* IPv4 and UDP header of the packets here */
#define SIM_MIN 60u   /* shortest packet here */
#define SIM_MTU 1420u /* of the devices: core's default */
#define SIM_ALL UINT64_MAX
#define SIM_STREAM_PORT 7451u /* of a node in a ring, beside its datagrams */

struct sim;

/* What a node is like; all zero is plain. Strings are borrowed. */
struct sim_spec {
	const char *cipher; /* NULL = aead */
	const char *suite;  /* of that plugin; NULL = its first */
	const char *caps;   /* the device's: none, csum, all; NULL = none */
	const char *mode;   /* the transport's: datagram, stream, both; NULL = datagram */
	const char *extra;  /* text in front of [components] (keys of [node]) */
	uint32_t buffer;    /* bytes a stream holds each way, 0 = 64 KiB */
	uint32_t lanes;     /* 0 = 1 */
	uint32_t keepalive_s;
	const char *role;      /* core or edge: a node of a network with a ring (sim-ring.h); NULL: of static peers */
	const char *bootstrap; /* of one in a ring: what ela.ini has; NULL: nothing */
	uint32_t wish;         /* last byte of the overlay address that it wishes there; 0 = its own number's */
	uint64_t knows;        /* bit k: has a [peer] section for node k */
	uint64_t dials;        /* bit k: with an endpoint */
};

struct sim_node {
	struct sim *sim;
	uint32_t number;
	struct sim_spec spec;
	char underlay[32]; /* where it listens; ela_mem_move() changes what is true, not this */
	uint32_t host;     /* last byte of its overlay address when it was down last; sim_host() */
	uint8_t key[ELA_KEY_LEN];
	char public_text[48];
	uint8_t node_hash[ELA_HASH_LEN]; /* of its signing key; of one in a ring, once it was started */
	struct ela_log *log;
	struct ela_config *config;
	struct ela_node *node;       /* NULL = down */
	struct ela_network *network; /* of one in a ring */
	int state_fd;                /* its state folder */
	bool held;                   /* it calls node 0 and does not ask to be let in: the test speaks for it */
	bool out;                    /* its user was revoked: nobody counts on it any more */
	uint32_t lives;              /* how often it was started */
	struct ela_mem_device *device;
	bool turn; /* it may have something to do */
	/* what its device was given that no node sent */
	uint32_t too_big, unreachable; /* ICMP */
	uint32_t icmp_mtu;             /* of the last too-big one */
	uint32_t written_super;        /* superpackets */
	uint32_t longest;              /* longest single packet */
};

/* One packet that went into a device. */
struct sim_packet {
	uint64_t sent_ns, got_ns; /* got_ns 0 = not yet */
	uint64_t got_by;          /* broadcasts: bit k = node k */
	uint32_t len;
};

/* All from one node to another. */
struct sim_pair {
	GArray *packets;   /* struct sim_packet */
	GByteArray *bytes; /* of the TCP flow: how often each came */
	uint64_t sent, got, stream_got;
	uint64_t late_ns;           /* longest way so far */
	uint64_t first_ns, last_ns; /* when the first and the last one came */
};

struct sim {
	uint64_t seed, random;
	uint64_t step_ns, n_steps; /* how many steps there were at that moment */
	uint32_t n;
	char *dir;
	struct ela_loader *loader;
	struct ela_loop *loop;
	struct ela_mem_fabric *fabric;
	struct ela_timer *poll; /* lanes that would sleep for a while only */
	struct sim_node nodes[SIM_MAX_NODES];
	struct sim_pair pairs[SIM_MAX_NODES][SIM_MAX_NODES + 1]; /* the last one: broadcasts */
	GPtrArray *flows;
	/* the underlay (tap.c) */
	GHashTable *frames;  /* every (destination, index, counter) so far */
	GHashTable *streams; /* what each direction of a connection has not completed */
	GPtrArray *captured; /* struct sim_frame, while capture */
	bool capture;
	uint64_t n_frames;
	/* Called for each whole frame; false = the datagram train it is in is lost. */
	bool (*on_frame)(struct sim *s, const struct ela_mem_seen *seen, const uint8_t *frame, uint32_t len);
	struct sim_watch *watch; /* sim-watch.h; NULL: nobody looks */
	void *data;              /* the test's */
	uint8_t buf[65536 + 256];
};

/* A frame that was seen on the underlay. */
struct sim_frame {
	struct ela_addr from, to;
	uint64_t at_ns;
	uint32_t len;
	bool stream;
	uint8_t bytes[];
};

/* ---- sim.c: the world ---- */

/* n nodes like spec (NULL: plain), all down; each knows and dials all others unless spec says otherwise. */
struct sim *sim_new(uint64_t seed, uint32_t n, const struct sim_spec *spec);
/* Ends it; also checks that everything was given back. */
void sim_free(struct sim *s);
void sim_up(struct sim *s, uint32_t i);
void sim_up_all(struct sim *s);
/* The node is gone without a word; its device and address stay free for the next sim_up(). */
void sim_down(struct sim *s, uint32_t i);
/* The same, but it says good-bye first. */
void sim_leave(struct sim *s, uint32_t i);
/* As elad ends: a core hands its children over before. How long that took. */
uint64_t sim_part(struct sim *s, uint32_t i);
/* The node gets another key: its next sim_up() and everybody's next load use it. */
void sim_new_key(struct sim *s, uint32_t i);
/* Loads the node's configuration anew as its spec says now and reloads; NULL, or why not (g_free). */
char *sim_reload(struct sim *s, uint32_t i);
/* Lets ns pass. */
void sim_run(struct sim *s, uint64_t ns);
/* Lets time pass until done() says so, at most ns. Whether it did. */
bool sim_run_until(struct sim *s, bool (*done)(struct sim *s), uint64_t ns);
uint64_t sim_now(struct sim *s);
uint64_t sim_random(struct sim *s, uint64_t below);
uint64_t sim_counter(struct sim *s, uint32_t i, const char *name);
/* The last byte of the node's overlay address: it is 10.88.0.that. Down, as it was. */
uint32_t sim_host(const struct sim *s, uint32_t i);
/* Sum of all drop-* counters. */
uint64_t sim_drops(struct sim *s, uint32_t i);
/* The peer k of node i in core; NULL when it has none. */
struct ela_peer *sim_peer(struct sim *s, uint32_t i, uint32_t k);
/* The same link for all. */
void sim_link(struct sim *s, const struct ela_mem_link *link);
/* Where node i is (or was at the start). */
struct ela_addr sim_addr(struct sim *s, uint32_t i);
/* Says seed, time and counters, and ends the test. */
void sim_fail(struct sim *s, const char *file, int line, const char *format, ...) G_GNUC_PRINTF(4, 5) G_GNUC_NORETURN;

#define sim_check(s, condition, ...)                                                                                   \
	do {                                                                                                               \
		if (!(condition))                                                                                              \
			sim_fail((s), __FILE__, __LINE__, #condition ": " __VA_ARGS__);                                            \
	} while (0)
#define sim_equal(s, a, b)                                                                                             \
	do {                                                                                                               \
		uint64_t sim_a = (a), sim_b = (b);                                                                             \
		if (sim_a != sim_b)                                                                                            \
			sim_fail(                                                                                                  \
				(s), __FILE__, __LINE__, #a " is %" G_GUINT64_FORMAT ", " #b " is %" G_GUINT64_FORMAT, sim_a, sim_b);  \
	} while (0)
#define sim_zero(s, i, name) sim_range((s), __FILE__, __LINE__, (i), (name), 0, 0)
#define sim_between(s, i, name, low, high) sim_range((s), __FILE__, __LINE__, (i), (name), (low), (high))
void sim_range(struct sim *s, const char *file, int line, uint32_t i, const char *name, uint64_t low, uint64_t high);

/* Runs the program's tests; fill adds them. Exit code. */
int sim_main(const char *name, void (*fill)(Suite *suite));
/* A test that runs for so many seeds, unless ELA_SIM_SEEDS or ELA_SIM_SEED says otherwise; CK_RUN_CASE names it. */
void sim_add(Suite *suite, const TTest *test, int seeds);
uint64_t sim_seed(int i);
/* In a test: one of n kinds, which follows from the seed alone. */
#define SIM_KIND(n) ((uint32_t)(sim_seed(_i) % (n)))

/* ---- sim-traffic.c: what devices send and get ---- */

void sim_traffic_init(struct sim *s);
void sim_traffic_free(struct sim *s);
/* Takes and checks everything that devices were given; whether there was something. */
bool sim_collect(struct sim *s);
/* One UDP packet of len bytes. to = SIM_MAX_NODES: to the broadcast address. */
void sim_send(struct sim *s, uint32_t from, uint32_t to, uint32_t len);
/* The same with another inner source: node as's. It must never arrive. */
void sim_send_as(struct sim *s, uint32_t from, uint32_t to, uint32_t as);
/* A TCP superpacket with the next len bytes of the flow, to be cut at gso_size. */
void sim_send_tcp(struct sim *s, uint32_t from, uint32_t to, uint32_t len, uint32_t gso_size);
/* A UDP superpacket of n datagrams of len bytes (whole packets) each. */
void sim_send_udp(struct sim *s, uint32_t from, uint32_t to, uint32_t n, uint32_t len);
/* Packets of SIM_MIN..SIM_MTU bytes from now on, one each interval on average, for ns; both ways = two of these. */
void sim_flow(struct sim *s, uint32_t from, uint32_t to, uint64_t interval_ns, uint64_t for_ns);
/* Packets that did not come, of those sent in [from_ns, to_ns). */
uint64_t sim_lost(struct sim *s, uint32_t from, uint32_t to, uint64_t from_ns, uint64_t to_ns);
/* All there, each once. */
void sim_all_there(struct sim *s, uint32_t from, uint32_t to);

/* ---- sim-tap.c: what the underlay shows ---- */

void sim_tap_init(struct sim *s);
void sim_tap_free(struct sim *s);
/* Captures from now on (forgetting what was). */
void sim_capture(struct sim *s, bool on);
struct sim_frame *sim_captured(struct sim *s, guint k);
/* The newest captured frame of a type to node `to`, NULL when there is none; kind: of a handshake, 0 = any. */
struct sim_frame *sim_find_frame(struct sim *s, uint32_t to, uint8_t type, uint8_t kind);
/* Puts bytes into node `to` as a datagram from an address. */
void sim_inject(struct sim *s, const struct ela_addr *from, uint32_t to, const void *bytes, uint32_t len);

#endif
