/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chord: what route-chord's files share. An instance holds the newest record of every key (table.c), tells core who is
 * reached how and which cores there are (routes.c), and keeps its table equal to those of the cores it is linked with
 * (spread.c). An edge is a leaf of the ring: it is served by the cores that it is linked with and serves nobody
 * (leaves.c). Everything runs on the control thread; nothing is shared between instances.
 */
#ifndef ELA_ROUTE_CHORD_H
#define ELA_ROUTE_CHORD_H

#include "wire.h"

#include <glib.h>
#include <stdbool.h>

#define CHORD_SEC UINT64_C(1000000000)
#define CHORD_MSEC UINT64_C(1000000)

#define CHORD_MAX_RECORDS 4096u
#define CHORD_FRESH_NS (120u * CHORD_SEC)          /* nothing is routed to who is silent that long */
#define CHORD_LEASE_MS (30u * 24u * 3600u * 1000u) /* nothing is known of who is silent that long */
#define CHORD_TICK_NS CHORD_SEC                    /* ages, records kept aside, flags of peers */
#define CHORD_DIGEST_NS (5u * CHORD_SEC)           /* a linked core is compared with, +-20 % */
#define CHORD_PACE_NS (50u * CHORD_MSEC)           /* a turn of sending what a peer lacks */
#define CHORD_RECHECK_TICKS 60u                    /* each record is checked again within so many */
/* What a peer may send a second, and at once: records, and digests and wants. An honest one sends fewer. */
#define CHORD_IN_RATE 400.0
#define CHORD_IN_BURST 1024.0
#define CHORD_ASKS_RATE 2.0
#define CHORD_ASKS_BURST 16.0
/* A leaf compares with one of its cores, +-20 %, every other time with its parent. What a parent withholds is then
 * missing for 60 s, and for one more turn what was younger than CHORD_RECENT_MS; renewals come each 40 s. */
#define CHORD_LEAF_DIGEST_NS (25u * CHORD_SEC)
/* Records that an edge may send: its own, which changes once a second at most. */
#define CHORD_LEAF_IN_RATE 2.0
#define CHORD_LEAF_IN_BURST 16.0
/* A core tells its children so late at most, and several at once, that others are still there (docs/adr/0034). */
#define CHORD_HOLD_NS (4u * CHORD_SEC)
#define CHORD_HELD_MAX 64u
/* Younger than that, a renewal may not have come to a leaf: it is held, or on its way. */
#define CHORD_RECENT_MS 6000u
#define CHORD_MAX_ASIDE 64u
#define CHORD_MAX_ASIDE_OF_PEER 16u
#define CHORD_ASIDE_NS (30u * CHORD_SEC)

/* Order of the counters; names in route-chord.c. */
enum chord_counter {
	CHORD_RECORDS_IN,
	CHORD_RECORDS_NEW,
	CHORD_DIGESTS_IN,
	CHORD_DIGESTS_DIFFER,
	CHORD_WANTS_IN,
	CHORD_MESSAGES_OUT,
	CHORD_SEND_FAILED,
	CHORD_CONFLICTS,
	CHORD_ASIDE,
	CHORD_REVOKED,
	CHORD_DROP_STRANGER,
	CHORD_DROP_RATE,
	CHORD_DROP_MALFORMED,
	CHORD_DROP_FORGED,
	CHORD_DROP_DENIED,
	CHORD_DROP_ASIDE,
	CHORD_DROP_KNOWN,
	CHORD_DROP_FULL,
	CHORD_DROP_IDLE,
	CHORD_DROP_OTHER,
	CHORD_DROP_BASE,
	CHORD_N_COUNTERS,
};

/* The newest record of a key. */
struct chord_entry {
	struct ela_record_info info;
	int64_t born_ns;  /* when its node published it, own clock; may lie before the clock's start */
	uint64_t content; /* hash of the bytes: a copy is recognised without checking a signature */
	uint64_t before;  /* that of the key's record until then; 0: there was none */
	uint64_t before_sequence;
	bool is_renewal; /* it was told as one: no countersignature came, for example */
	uint32_t at;     /* its place in all */
	uint32_t len;
	uint8_t bytes[];
};

struct chord_table {
	GPtrArray *all;     /* struct chord_entry, owned; in no order */
	GHashTable *by_key; /* key hash -> entry */
	GHashTable *by_id;  /* id -> the entry whose key holds it */
	GHashTable *by_content;
	GHashTable *by_before;
	uint32_t n_shadowed; /* entries whose id another key holds */
};

struct chord_bucket_of_tokens {
	uint64_t last_ns;
	double tokens;
};

/* A renewal that the children were not told yet. */
struct chord_held {
	uint32_t id;
	int64_t born_ns; /* as of an entry */
	uint64_t base;
	uint32_t pieces_len;
	uint8_t pieces[CHORD_PIECES_MAX];
};

/* A peer that core has. */
struct chord_link {
	uint32_t peer, id, flags;
	bool up, seen;
	bool linked;                            /* what comes and goes here: is_linked() in spread.c */
	bool again;                             /* it differed: compare soon again, for the repair may be lost too */
	uint32_t n_wanted;                      /* a leaf's: buckets of the last WANT */
	uint32_t tries;                         /* a leaf's: WANTs in a row that ask for no less */
	uint64_t again_at_ns;                   /* a leaf's: when it compares out of turn, 0 = not */
	uint64_t sending, next;                 /* buckets that it lacks: of this pass over all, and of the one after */
	uint32_t cursor;                        /* of the pass */
	struct chord_bucket_of_tokens in, asks; /* records, and digests and wants, that it may send */
	struct chord_bucket_of_tokens out;      /* records of passes */
};

/* A record whose credential core does not have yet. */
struct chord_aside {
	uint32_t peer, age_ms, len;
	uint64_t since_ns;
	uint8_t bytes[];
};

struct chord {
	const struct ela_host *host;
	uint64_t *counters;
	uint32_t full_table_max;
	bool started, joined;
	bool said_large;
	struct chord_table table;

	/* routes.c */
	GHashTable *told; /* id -> via: what core was told by record_set() */
	GArray *ring;     /* uint32_t: what it was told by ring_set() */

	/* spread.c */
	GHashTable *links;  /* peer -> struct chord_link, owned */
	GHashTable *linked; /* id -> link, of those that are linked: of a core, cores and its leaves; of a leaf, cores */
	GPtrArray *asides;  /* struct chord_aside, owned */
	GArray *held;       /* struct chord_held, CHORD_HELD_MAX at most */
	uint64_t held_ns;   /* since when there is the first one */
	struct ela_timer *tick, *pace, *farewell;
	uint64_t digest_at_ns;
	uint32_t compares;  /* a leaf's, in turn */
	uint32_t farewells; /* times that the own leave is still to be said */
	uint32_t recheck;   /* place in all where checking again goes on */
	uint64_t warned_ns;
};

static inline void chord_count(struct chord *c, enum chord_counter counter)
{
	ela_count(&c->counters[counter], 1);
}

static inline uint64_t chord_now(const struct chord *c)
{
	return c->host->now_ns(c->host);
}

static inline bool chord_take(struct chord_bucket_of_tokens *b, uint64_t now_ns, double rate, double burst)
{
	b->tokens = MIN(burst, b->tokens + (double)(now_ns - b->last_ns) * rate / 1e9);
	b->last_ns = now_ns;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

static inline bool chord_is_id(uint32_t id)
{
	return id != 0 && id != UINT32_MAX;
}

/* ---- table.c ---- */
void chord_table_init(struct chord_table *table);
void chord_table_clear(struct chord_table *table); /* takes one that is all zero */
/* What came of a record that was good. */
enum chord_put {
	CHORD_PUT_NEW,  /* it is the newest of its key now */
	CHORD_PUT_SAME, /* it was already */
	CHORD_PUT_OLD,
	CHORD_PUT_FULL,
};
/*
 * Takes a copy of the record. The IDs whose holder it may have changed are in ret_ids[0..1], 0 = none. ret_entry: the
 * entry of its key, whatever came of it but FULL. ret_is_news: more than the sequence differs from what was there.
 */
struct chord_arrival {
	uint32_t ids[2];
	struct chord_entry *entry;
	bool is_news, touches_core;
	/* What makes it of the one that was there, whose content is base; pieces_len 0: not told so. */
	uint64_t base;
	uint32_t pieces_len;
	uint8_t pieces[CHORD_PIECES_MAX];
};
enum chord_put chord_table_put(struct chord *c, const struct ela_record_info *info, const void *bytes, uint32_t len,
	uint32_t age_ms, struct chord_arrival *ret);
void chord_table_drop(struct chord *c, struct chord_entry *entry);
struct chord_entry *chord_table_find(const struct chord_table *table, uint32_t id);
struct chord_entry *chord_table_of_key(const struct chord_table *table, const uint8_t *key_hash);
/* The entry with these very bytes, NULL when there is none. */
struct chord_entry *chord_table_copy(const struct chord_table *table, const void *bytes, uint32_t len);
/* The entry of this content, chord_content(). */
const struct chord_entry *chord_table_base(const struct chord_table *table, uint64_t content);
/* The entry that came in place of one of this content. */
const struct chord_entry *chord_table_after(const struct chord_table *table, uint64_t content);
uint32_t chord_age_ms(const struct chord *c, const struct chord_entry *entry); /* at most CHORD_LEASE_MS + 1 */
bool chord_is_fresh(const struct chord *c, const struct chord_entry *entry);
/* A hash for each bucket of what is held there; or of what was there before the latest renewals. */
void chord_table_digest(const struct chord *c, const uint8_t *salt, bool before_recent, uint64_t ret[CHORD_BUCKETS]);

/* ---- routes.c ---- */
/* Tells core what is true of an id now. changed: its record is another one than core was told. */
void chord_tell(struct chord *c, uint32_t id, bool changed);
void chord_tell_all(struct chord *c);
void chord_tell_ring(struct chord *c);
void chord_untell(struct chord *c); /* takes all back */

/* ---- spread.c ---- */
void chord_links_refresh(struct chord *c); /* core's peers and their flags */
void chord_link_event(struct chord *c, uint32_t peer, uint32_t event);
void chord_reconsider(struct chord *c, uint32_t id); /* another record counts for it: what are we linked with? */
void chord_spread(struct chord *c, const struct chord_arrival *arrival); /* to all linked cores */
void chord_greet_all(struct chord *c);
bool chord_send(struct chord *c, const struct chord_link *link, const struct chord_message *message);
void chord_send_record(struct chord *c, const struct chord_link *link, const struct chord_entry *entry);
/* As what it changes of the record before, where that is told. */
void chord_send_arrival(struct chord *c, const struct chord_link *link, const struct chord_arrival *arrival);
void chord_send_digest(struct chord *c, const struct chord_link *link);
/* Linked cores, or the leaves linked with us, in the order of their IDs: a hash table's order is nobody's promise. */
GPtrArray *chord_linked(struct chord *c, bool leaves);
struct chord_link *chord_take_random(struct chord *c, GPtrArray *of); /* out of it; NULL when it is empty */
void chord_forward(struct chord *c, const struct chord_link *from, const struct chord_entry *entry); /* to a few */
void chord_owe(struct chord *c, struct chord_link *link, uint64_t buckets); /* sends it those, a little at a time */
bool chord_may_send(struct chord *c, struct chord_link *link);              /* one more record of those, at once */
void chord_on_tick(void *data);
void chord_on_pace(void *data);
void chord_on_farewell(void *data);

/* ---- leaves.c ---- */
const struct chord_entry *chord_own(const struct chord *c); /* NULL while there is none */
bool chord_is_edge(const struct chord *c, uint32_t id);     /* says its record */
bool chord_is_leaf(const struct chord *c);                  /* are we one? */
bool chord_speaks(const struct chord *c);                   /* on the ring, or as a leaf that did not take leave */
/* A core's word about anybody counts, and everybody's about itself. */
bool chord_may_bring(const struct chord *c, const struct chord_link *link, uint32_t id);
/* To our leaves what came from `from`, NULL = from here: news to all, renewals to those whose parent we are, later. */
void chord_serve(struct chord *c, const struct chord_link *from, const struct chord_arrival *arrival);
void chord_serve_tick(struct chord *c);
/* Those of the buckets that differ in which a leaf, by its DIGEST, lacks more than it may. */
uint64_t chord_leaf_lacks_in(const struct chord *c, const struct chord_message *digest, uint64_t differ);
/* The other side's: */
void chord_leaf_met(struct chord *c, struct chord_link *link);                       /* newly linked with a core */
void chord_leaf_answered(struct chord *c, struct chord_link *link, uint64_t wanted); /* by a core, with WANT */
void chord_leaf_lacks(struct chord *c, struct chord_link *link); /* a core renewed what we do not have */
void chord_leaf_said(struct chord *c, bool is_news);             /* the own record is a new one */
void chord_leaf_tick(struct chord *c);

/* ---- receive.c ---- */
void chord_on_message(struct chord *c, uint32_t peer, const void *bytes, uint32_t len);
/* Tells core everything that changed with a put. */
void chord_arrived(struct chord *c, const struct chord_arrival *arrival);
/* Each second: records that were not to be checked yet; ages, and a part of the records checked again. */
void chord_offer_asides(struct chord *c);
void chord_look_at_records(struct chord *c);

#endif
