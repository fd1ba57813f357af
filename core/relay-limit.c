/* SPDX-License-Identifier: Apache-2.0 */
/* relay-limit: token buckets by sender in sets of four; the one that was idle longest makes room. Any lane. */
#include "relay-limit.h"

#include "state.h"

#define SETS 256u
#define WAYS 4u

static const struct {
	double rate, burst;
} rules[] = {[ELA_FORWARD_CHILD] = {20, 64}, [ELA_FORWARD_CORE] = {5, 16}};

struct place {
	uint32_t sender;
	enum ela_forward_kind from;
	struct ela_bucket bucket; /* last_ns 0 = free */
};

struct ela_relay_limits {
	pthread_mutex_t lock; /* of all places */
	uint64_t salt;
	struct place places[SETS][WAYS];
};

struct ela_relay_limits *ela_relay_limits_new(uint64_t salt)
{
	struct ela_relay_limits *l = g_new0(struct ela_relay_limits, 1);

	(void)pthread_mutex_init(&l->lock, NULL); /* cannot fail with default attributes on Linux */
	l->salt = salt;
	return l;
}

void ela_relay_limits_free(struct ela_relay_limits *limits)
{
	if (!limits)
		return;
	(void)pthread_mutex_destroy(&limits->lock); /* nobody holds it */
	g_free(limits);
}

static struct ela_bucket *bucket_of(
	struct ela_relay_limits *l, enum ela_forward_kind from, uint32_t sender, uint64_t now_ns)
{
	uint64_t key = (uint64_t)from << 32 | sender;
	struct place *ways = l->places[((key ^ l->salt) * UINT64_C(0x9e3779b97f4a7c15)) >> 56], *use = ways;

	for (uint32_t i = 0; i < WAYS; i++) {
		if (ways[i].sender == sender && ways[i].from == from && ways[i].bucket.last_ns)
			return &ways[i].bucket;
		if (ways[i].bucket.last_ns < use->bucket.last_ns)
			use = &ways[i];
	}
	*use = (struct place){sender, from, {.last_ns = now_ns, .tokens = rules[from].burst}};
	return &use->bucket;
}

bool ela_relay_limits_take(
	struct ela_relay_limits *limits, enum ela_forward_kind from, uint32_t sender, uint64_t now_ns)
{
	struct ela_bucket *b;
	bool ok;

	(void)pthread_mutex_lock(&limits->lock); /* a default mutex cannot fail */
	b = bucket_of(limits, from, sender, now_ns);
	now_ns = MAX(now_ns, b->last_ns); /* another lane's turn may have begun later */
	ok = ela_bucket_take(b, now_ns, rules[from].rate, rules[from].burst);
	(void)pthread_mutex_unlock(&limits->lock);
	return ok;
}
