/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: the structs that hang off struct ela_node and who may touch them. Included by the files of core that run a
 * node; nothing else sees it.
 *
 *   [control] fields belong to the control thread, [lane] fields to one lane; what lanes read of control's is atomic or
 *   immutable, published by a pointer and retired through node->qsbr.
 */
#ifndef ELA_CORE_STATE_H
#define ELA_CORE_STATE_H

#include "coalesce.h"
#include "fib.h"
#include "forward.h"
#include "handshake.h"
#include "node.h"
#include "qsbr.h"
#include "ring.h"
#include "segment.h"
#include "session.h"
#include "stats.h"
#include "via.h"

#define ELA_BURST 64u                    /* packets or frames handled at once */
#define ELA_ARENA_LEN (2u * 68u * 1024u) /* a turn takes at most 128 KiB from the device */
#define ELA_ROOM_FRONT 32u               /* in front of each packet: the head of a super record */
/* Sealed frames of one burst, even of tiny segments; only what is used is touched. */
#define ELA_OUT_LEN (512u * 1024u)
#define ELA_MAX_SENDS 160u
#define ELA_TRAINS 32u
#define ELA_TRAIN_ROOM (65536u + 192u) /* not a power of two: buffers must not share cache sets */
#define ELA_INDEX_SLOTS 16384u
/* Receiver indices of a peer: what it may wait to be answered, what it answered, the current session and the last. */
#define ELA_INDICES_PER_PEER (2u * ELA_ATTEMPTS + 2u)
#define ELA_WAITERS 256u /* packets that wait for sessions, per lane */
#define ELA_WAITERS_OF_PEER 64u
#define ELA_WAITER_LEN 2048u
#define ELA_BLOCKED_NS (5u * ELA_MSEC) /* a full socket may hold a burst this long */
#define ELA_WAIT_NS ELA_SEC

/* Instance of a plugin and the host it sees. */
struct ela_instance {
	struct ela_host host;
	struct ela_node *node;
	const struct ela_loaded *loaded;
	void *self;
	uint32_t number;                       /* of its kind */
	uint64_t *counters[ELA_MAX_LANES + 1]; /* per lane, last one control's */
};

struct ela_transport {
	struct ela_instance *instance;
	const struct ela_transport_ops *ops;
	void *self;
	uint32_t number;
	struct ela_transport_info info; /* [control] */
	uint32_t burst;                 /* of info, fixed once started: lanes read it */
	pthread_mutex_t send_lock;      /* sends on lane 0's socket: lane 0 and control */
};

/* How to send to a peer now. Immutable; published in peer->tx. */
struct ela_tx {
	struct ela_session *session;
	struct ela_path path;
	struct ela_transport *transport;
	struct ela_link *link; /* stream connection, NULL for datagrams */
	struct ela_peer *via;  /* the neighbour that relays; its own tx then says transport and path */
	uint32_t room;         /* hop fields in front of each frame: ELA_HOP_LEN through a neighbour, else 0 */
	uint32_t overhead;     /* room and the session's */
	bool pinned;           /* control chose the neighbour: frames from elsewhere move nothing */
	uint32_t max_frame;    /* bytes of the largest datagram of this path */
	uint32_t max_packet;   /* bytes of the largest packet that fits into one */
	uint32_t max_segments, max_train;
	bool elide;
};

/* Sticky bits of struct ela_peer.events, set by lanes, taken by control. */
#define ELA_PEER_WANT 0x1u        /* packets wait for a session */
#define ELA_PEER_REKEY 0x2u       /* a lane's key nears its limit */
#define ELA_PEER_OPENED 0x4u      /* the first frame of a session opened */
#define ELA_PEER_CANDIDATE 0x8u   /* frames come from another address */
#define ELA_PEER_LOCAL_GONE 0x10u /* the path's local address is no longer ours */
#define ELA_PEER_TOO_BIG 0x20u    /* the path carries less than we thought */
#define ELA_PEER_LINK_DOWN 0x40u  /* its stream connection ended */

#define ELA_ATTEMPTS 4u
#define ELA_WAYS 16u /* remembered of a peer */
_Static_assert(ELA_INDEX_SLOTS / ELA_INDICES_PER_PEER > ELA_MAX_PEERS, "there would be no free receiver index");

/* A handshake message 1 of ours that may still be answered. [control] */
struct ela_attempt {
	bool used;
	uint8_t cookies; /* that came for it */
	uint32_t index;
	uint64_t sent_ns;
	struct ela_noise noise;
	uint8_t mac1[ELA_MAC_LEN];
	struct ela_path path;
};

/* A way to a peer that was tried: a configured endpoint by a transport. [control] */
struct ela_way {
	struct ela_addr addr;
	uint32_t transport;   /* its number */
	uint32_t tries;       /* 0 = free */
	uint64_t tried_ns;    /* the last time */
	uint64_t answered_ns; /* the last time, 0 = never */
	int err;              /* what the last try ended with at once, 0 = nothing */
};

/* Path MTU discovery of one path (RFC 8899). [control] */
struct ela_pmtu {
	uint32_t confirmed; /* largest frame that came through */
	uint32_t probing;   /* size of the probe under way, 0 = none */
	uint32_t low, high; /* search interval after a probe was lost */
	uint32_t misses;
	uint32_t token;
	uint64_t due_ns;
	uint64_t raise_ns; /* not before: try the full size again */
};

/* Token bucket. */
struct ela_bucket {
	uint64_t last_ns;
	double tokens;
};

/* A session that we answered with and that the other end has not used yet. [control] */
struct ela_offer {
	struct ela_session *session; /* NULL = free */
	uint64_t born_ns;
	struct ela_path path; /* where message 2 went */
	bool is_fresh;        /* message 1 held our newest cookie: it is no replay */
};

struct ela_ephemerals; /* responder.c's */

struct ela_peer {
	/* Immutable while published. */
	struct ela_node *node;
	uint32_t number; /* 1.. */
	uint8_t key[ELA_KEY_LEN];
	uint8_t mac1_key[32]; /* of messages to it */
	uint8_t cookie_key[32];

	/* Lanes. */
	_Atomic uint32_t id;         /* 0 = it has no address yet; else what it is as long as one session lives */
	_Atomic(struct ela_tx *) tx; /* NULL = no session */
	_Atomic uint32_t events;
	_Atomic uint64_t want_ns; /* last time a packet wanted a session */

	/* [control] */
	const struct ela_config_peer *config;
	char *name;
	bool guest;                   /* not accepted yet: it may ask and pull, nothing else (members.h) */
	struct ela_config_peer *made; /* config again where no ela.ini names the peer: owned */
	struct ela_session *current, *previous;
	uint64_t previous_dead_ns;
	struct ela_offer offers[ELA_ATTEMPTS]; /* as many as the other end may be waiting for */
	struct ela_tx *tx_shadow;              /* what is published */
	struct ela_attempt attempts[ELA_ATTEMPTS];
	uint32_t attempt;              /* next slot of the ring */
	uint64_t retry_ns, backoff_ns; /* next handshake message; 0 = none due */
	uint32_t endpoint;             /* next endpoint and transport to try */
	uint64_t trying_ns;            /* since when all tries are in vain, 0 = they are not; UINT64_MAX = it was said */
	uint64_t cookie_ns;            /* when the newest cookie came; 0 = none */
	uint8_t cookie[16];
	struct ela_ephemerals *ephemerals; /* of its messages 1 that were answered; NULL = none yet */
	uint64_t last_init_ns;
	struct ela_addr *addrs; /* of all endpoints, names resolved */
	uint32_t n_addrs;
	bool shown;                              /* where packets go, the node has answered: it is there */
	struct ela_peer *via;                    /* packets go through this neighbour; NULL = directly */
	uint32_t last_via;                       /* number of the one they went through last, 0 = directly */
	uint64_t seek_ns;                        /* when a direct way was looked for last */
	uint64_t better_ns, better_wait_ns;      /* when a better one than a connection is looked for next */
	GPtrArray *names;                        /* struct ela_peer_name: endpoints that are names */
	struct ela_link *link;                   /* stream connection in use */
	struct ela_link *dialling[ELA_ATTEMPTS]; /* those being made, perhaps because the one in use went silent */
	/* liveness */
	uint64_t answered_ns;   /* when all our packets had one, or nobody waited for one any more */
	uint64_t unanswered_ns; /* since when at the earliest our packets get no answer, 0 = they do */
	uint64_t ping_ns;       /* last ping sent, 0 = none outstanding */
	uint32_t ping;          /* its number */
	uint64_t pings_ns[4];   /* when it and those before were sent, by number % 4 */
	bool measure;           /* ask once, to know the round trip */
	bool rtt_guessed;       /* rtt_ns is no measurement */
	uint64_t measured_ns;
	uint64_t rtt_ns;      /* round trip, 0 = not known yet; rises at once and falls slowly */
	uint64_t rtt_last_ns; /* of the last question that was answered, for people */
	uint32_t misses;
	uint64_t silent_ns; /* since when nothing was heard of it at all, 0 = it answers */
	uint64_t control_rx_ns, control_tx_ns;
	uint64_t control_bytes; /* of its control frames, both ways */
	uint64_t asked_ns;      /* last keepalive or probe sent: they want an answer, as packets do */
	uint64_t rekey_jitter_ns;
	bool rekeying;
	bool up;                         /* said so in the log and to routing */
	uint64_t changed_ns;             /* when up last became what it is */
	uint64_t called_ns;              /* when a session of ours or theirs last came up, 0 = never */
	struct ela_session_traffic past; /* of sessions that are over */
	struct ela_way ways[ELA_WAYS];
	/* path validation */
	uint8_t challenge[16];
	struct ela_path challenged;
	uint64_t challenge_ns; /* when it was sent last, 0 = none outstanding */
	uint64_t challenge_born_ns;
	struct ela_bucket challenges;
	struct ela_pmtu pmtu;
	struct ela_talk *talk; /* dialogue's; NULL: no message yet */
};

struct ela_peers {
	uint32_t n;
	struct ela_peer *v[];
};

enum ela_source_kind { ELA_SOURCE_WAKE, ELA_SOURCE_DEVICE, ELA_SOURCE_DATAGRAM, ELA_SOURCE_LINK };

/* Something a lane reads from. [lane] */
struct ela_source {
	enum ela_source_kind kind;
	int fd; /* -1: no readiness, ask every turn */
	bool ready;
	struct ela_transport *transport;
	struct ela_link *link;
};

/* A packet that waits for its session. [lane] */
struct ela_waiter {
	uint64_t since_ns;
	const struct ela_peer *peer; /* compared, never followed: it may be gone */
	struct ela_packet pkt;       /* data points into the lane's waiter_bytes */
};

struct ela_lane {
	struct ela_node *node;
	uint32_t number;
	bool has_device; /* the device may have fewer queues than lanes */
	bool polls;      /* a source has no descriptor: it is asked every turn, and no sleep is long */
	GThread *thread;
	int epoll_fd, wake_fd;
	_Atomic bool stop;

	/* rings */
	struct ela_commands commands; /* from control */
	struct ela_ring *up;          /* to control */

	uint64_t now_ns; /* of this turn */
	const struct ela_own *own;
	struct ela_source wake, device, datagrams[32];
	uint32_t n_datagrams;
	GPtrArray *links; /* attached struct ela_link */

	/* device -> peers */
	uint8_t *arena, *out, *scratch;
	uint32_t out_len;
	struct ela_packet pkts[ELA_BURST];
	struct ela_cipher_op ops[ELA_BURST];
	uint32_t n_ops;
	struct ela_tx *ops_tx;
	uint8_t ops_ecn[ELA_BURST];
	struct ela_send sends[ELA_MAX_SENDS];
	struct ela_tx *sends_tx[ELA_MAX_SENDS];
	struct ela_tx *sends_hop[ELA_MAX_SENDS]; /* the neighbour's tx, or sends_tx again */
	bool sends_via;                          /* some still lack their hop fields */
	uint16_t sends_frames[ELA_MAX_SENDS];
	bool send_closed; /* the last one takes no further frame */
	uint32_t n_sends, sends_done, train_limit;
	struct ela_transport *sends_transport;
	uint64_t blocked_ns;         /* since when the socket takes nothing, 0 = it does */
	struct ela_path *held_paths; /* of blocked sends, which outlive their tx */
	struct ela_waiter waiters[ELA_WAITERS];
	uint8_t *waiter_bytes;
	uint32_t n_waiters;
	struct ela_bucket icmp;
	struct ela_copies *copies; /* broadcast and multicast (copies.h) */

	/* peers -> device */
	struct ela_train trains[ELA_TRAINS];
	uint8_t *train_bytes;
	uint32_t want_trains;
	struct ela_coalesce *coalesce;
	uint8_t *stream_in; /* received stream bytes of the connection being read */

	struct ela_stats stats;
};

/*
 * What stands behind the host services for a routing plugin with a ring (include/ela/host.h, since 0.2): each as the
 * service of that name. [control]
 */
struct ela_ring_services {
	int (*record_check)(struct ela_node *node, const void *record, uint32_t len, struct ela_record_info *ret);
	int (*record_compare)(struct ela_node *node, const void *a, uint32_t a_len, const void *b, uint32_t b_len);
	int (*record_set)(struct ela_node *node, uint32_t id, const void *record, uint32_t len, uint32_t via);
	int (*record_del)(struct ela_node *node, uint32_t id);
	int (*ring_set)(struct ela_node *node, const uint32_t *ids, uint32_t n);
};

/* What happens to the ways and sessions of a peer. */
enum ela_peer_news {
	ELA_NEWS_CALLED, /* a handshake came directly, while control has chosen a neighbour; its session is used next */
	ELA_NEWS_WAY,    /* there may be a way now, or another one, or it answers again */
	ELA_NEWS_LOST,   /* it went silent, its connection closed, or its session ended */
	ELA_NEWS_GONE,   /* it is forgotten, and not to be used any more */
};

/*
 * Who chooses ways by that (neighbours.h). Called in the middle of things: fn may look, and say ela_peer_via(); it
 * makes and drops no peers. [control]
 */
struct ela_peer_listener {
	void (*fn)(void *data, struct ela_peer *peer, enum ela_peer_news news);
	void *data;
};

struct ela_node {
	const struct ela_config *config;
	struct ela_loop *loop;
	struct ela_log *log;
	uint32_t flags;

	/* Identity. [control] */
	uint8_t network_id[32];
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	uint8_t mac1_key[32], cookie_key[32]; /* of messages to us */
	uint8_t xx_key[32];                   /* mac1 key of XX's messages, both ways */

	/* Plugins. */
	struct ela_instance *npd, *routing;
	struct ela_npd_info npd_info;
	struct ela_instance **cipher_instances, **transport_instances; /* NULL-terminated like config's */
	struct ela_cipher *ciphers;
	struct ela_node_suite suites[32];
	uint32_t n_suites;
	char suite_names[256]; /* the same, comma-separated: what a handshake says (struct ela_hello) */
	struct ela_transport *transports;
	uint32_t n_transports;
	uint32_t mtu;
	char **device_routes; /* beyond our own network, as the device was opened with; NULL before */

	/* Published to lanes. */
	_Atomic(struct ela_own *) own; /* own.h; lanes never read config, which a reload frees */
	_Atomic(struct ela_fib *) routes;
	_Atomic(struct ela_fib *) sources;
	_Atomic(struct ela_forward *) forward; /* NULL until something is set: this node does not relay */
	struct ela_relay_limits *relay_limits; /* there before the first forward */
	_Atomic(struct ela_peers *) peers;
	_Atomic uint32_t ways; /* how often a peer's tx was published: lanes see that something is new */
	_Atomic(struct ela_session *) index[ELA_INDEX_SLOTS];
	struct ela_qsbr qsbr;

	/* Lanes. */
	struct ela_lane *lanes[ELA_MAX_LANES];
	uint32_t n_lanes;
	bool running, devices_open;
	_Atomic uint32_t attention; /* 1 = control has been woken and has not looked yet */
	int attention_fd;
	struct ela_watch *attention_watch;
	_Atomic uint32_t suspended;   /* the clocks jumped: nothing may be sealed until control dropped all keys */
	_Atomic int device_err;       /* a lane's read failed for good: 0, then a negative errno until control said so */
	_Atomic int64_t clock_gap_ns; /* CLOCK_REALTIME - CLOCK_BOOTTIME when last looked */

	/* [control] */
	struct ela_gate *gate;                /* NULL: only [peer] sections count */
	const struct ela_ring_services *ring; /* NULL in a network of static peers: there are no records */
	struct ela_directory *directory;      /* what is behind it, the owner's; NULL as well */
	const struct ela_network *network;    /* that owner (network.h); NULL as well */
	const struct ela_peer_listener *news; /* NULL: nobody listens; its owner's */
	uint32_t next_peer_number;
	GHashTable *routes_by_prefix; /* char * -> struct ela_peer *: what routing set */
	bool routes_dirty;
	GHashTable *forward_by_id; /* node ID -> struct ela_forward_entry *, NULL until something is set */
	bool forward_dirty;
	struct ela_timer *wake, *tick, *soon; /* wake: of attention without threads */
	uint64_t tick_at_ns, active_ns;       /* traffic was last seen */
	bool stirred;                         /* by what is being looked at: peers may have something to do now */
	GPtrArray *links;                     /* all stream connections */
	uint64_t next_link;
	GPtrArray *pings;   /* struct ela_ping: those that wait for an answer */
	uint32_t next_ping; /* without its top bit */
	uint64_t jumped_ns; /* when the clocks last jumped, 0 = never */
	uint32_t jumps;
	uint64_t started_ns;
	struct ela_responder *responder;
	struct ela_bucket answers[2]; /* to our messages 1: from elsewhere, from where they went to */
	struct ela_dialogue *dialogue;
	struct ela_puller *puller;
	struct ela_classification *classification;
	struct ela_discovery *discovery;     /* the network's (network-lan.c); NULL: hellos are not heard */
	struct ela_resolver *resolver;       /* NULL in virtual time */
	uint8_t index_used[ELA_INDEX_SLOTS]; /* sessions and message 1s that wait for an answer */
	struct ela_stats stats;
	GQueue pending_commands[ELA_MAX_LANES]; /* commands that found the ring full */
};

/* stats of the thread that runs: lanes their own, control the node's. */
#define ELA_COUNT(where, stat, n) ela_stat_add(&(where)->stats, ELA_STAT_##stat, (n))

static inline struct ela_session *ela_index_find(struct ela_node *node, uint32_t index)
{
	struct ela_session *s = atomic_load_explicit(&node->index[index % ELA_INDEX_SLOTS], memory_order_acquire);

	return s && s->with.local_index == index ? s : NULL;
}

/* [control] */
static inline void ela_peer_tell(struct ela_peer *peer, enum ela_peer_news news)
{
	const struct ela_peer_listener *to = peer->node->news;

	if (to)
		to->fn(to->data, peer, news);
}

/* [lane] Sets sticky bits of a peer and wakes control once. */
void ela_peer_event(struct ela_peer *peer, uint32_t events);
/* [any] Wakes control. */
void ela_node_attention(struct ela_node *node);
/* [control] Something happened: soon there may be answers to wait for. */
void ela_node_tick_soon(struct ela_node *node);
/*
 * [any] True when the distance of the two clocks jumped: a machine restored from a snapshot would repeat (key, counter)
 * pairs. Lanes and control ask before they seal anything after a sleep; control has been woken to drop all keys.
 */
bool ela_node_clocks_jumped(struct ela_node *node);

/* The same transport, place and connection, whatever our own address; or the same node through the same neighbour. */
static inline bool ela_path_same(const struct ela_path *a, const struct ela_path *b)
{
	return a->transport == b->transport && a->link == b->link &&
		   memcmp(&a->remote, &b->remote, sizeof a->remote) == 0 &&
		   (!ela_path_is_via(a) || ela_via_neighbour(a) == ela_via_neighbour(b));
}

/* Takes n tokens; rate a second, at most burst. */
static inline bool ela_bucket_take(struct ela_bucket *b, uint64_t now_ns, double rate, double burst)
{
	b->tokens += (double)(now_ns - b->last_ns) * rate / 1e9;
	b->last_ns = now_ns;
	if (b->tokens > burst)
		b->tokens = burst;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

#endif
