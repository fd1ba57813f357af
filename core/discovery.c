/* SPDX-License-Identifier: Apache-2.0 */
/* discovery: see discovery.h. Control thread. */
#include "discovery.h"

#include "crypto.h"
#include "inet.h"
#include "peer.h"

#include <errno.h>
#include <string.h>

#define ANSWERED_MAX 64u

struct answered {
	struct ela_addr at; /* without its port */
	uint64_t when_ns;   /* 0: nobody yet */
};

struct ela_discovery {
	struct ela_node *node;
	const struct ela_discovery_ops *ops;
	uint8_t key[ELA_PROBE_KEY_LEN];

	/* Who looks. */
	struct ela_timer *timer;
	bool is_looking;
	uint32_t id; /* what the hellos say: 0 while it looks */
	uint16_t tcp, udp;
	uint64_t gap_ns; /* to the next hello */
	struct {
		uint8_t nonce[ELA_PROBE_NONCE_LEN];
		uint32_t n_found; /* answers to it, from 0 */
		bool is_said;
	} hellos[2]; /* the last one, and the one before: an answer may be late */

	/* Who is there. */
	struct answered answered[ANSWERED_MAX];
	uint64_t bucket_ns; /* as many answers as fit between then and now */
};

static uint64_t now_ns(const struct ela_discovery *d)
{
	return ela_loop_now(d->node->loop);
}

/* ---- who looks ---- */

static void say_on(struct ela_discovery *d, const struct ela_lan *lan, const uint8_t *frame)
{
	struct ela_addr own = lan->own;
	char text[64];
	int err;

	own.port = d->udp;
	if (!ela_addr_allowed(d->node, &own))
		return; /* the overlay is none of them */
	err = d->ops->say(d->ops->data, lan, d->udp, frame, ELA_GREETING_LEN);
	if (err == 0)
		ELA_COUNT(d->node, HELLOS_OUT, 1);
	else
		ela_logf_limited(d->node->log, now_ns(d), ELA_LOG_DEBUG, "discovery", "unsaid address=%s reason=\"%s\"",
			ela_addr_text(&own, text), g_strerror(-err));
}

static void say_hello(struct ela_discovery *d)
{
	struct ela_loop *loop = d->node->loop;
	struct ela_greeting hello = {.kind = ELA_PROBE_HELLO, .id = d->id, .tcp_port = d->tcp};
	const struct ela_lan *lans;
	uint32_t n = d->ops->list(d->ops->data, &lans);
	uint8_t frame[ELA_GREETING_LEN];

	loop->ops->random(loop, hello.nonce, sizeof hello.nonce);
	d->hellos[1] = d->hellos[0];
	memcpy(d->hellos[0].nonce, hello.nonce, sizeof hello.nonce);
	d->hellos[0].n_found = 0;
	d->hellos[0].is_said = true;
	if (ela_greeting_make(d->key, &hello, frame) == 0)
		for (uint32_t i = 0; i < n; i++)
			say_on(d, &lans[i], frame);
}

static void turn(void *data)
{
	struct ela_discovery *d = data;
	struct ela_loop *loop = d->node->loop;
	uint64_t random;

	if (!d->is_looking) {
		ela_discovery_stop(d);
		return;
	}
	say_hello(d);
	loop->ops->random(loop, &random, sizeof random);
	d->gap_ns = MIN(2 * d->gap_ns, ELA_DISCOVERY_MOST_NS);
	loop->ops->timer_set(d->timer, now_ns(d) + d->gap_ns - random % (d->gap_ns / 4)); /* not all at the same time */
}

void ela_discovery_start(struct ela_discovery *d, uint16_t tcp, uint16_t udp)
{
	if (tcp == 0 || udp == 0)
		return;
	d->id = 0;
	d->tcp = tcp;
	d->udp = udp;
	d->gap_ns = ELA_DISCOVERY_FIRST_NS / 2; /* which is doubled */
	d->node->loop->ops->timer_set(d->timer, now_ns(d) + (d->is_looking ? 0 : ELA_DISCOVERY_FIRST_NS));
	d->is_looking = true;
}

void ela_discovery_stop(struct ela_discovery *d)
{
	d->is_looking = false;
	memset(d->hellos, 0, sizeof d->hellos);
	d->node->loop->ops->timer_set(d->timer, 0);
	d->ops->quiet(d->ops->data);
}

void ela_discovery_once(struct ela_discovery *d, uint32_t id, uint16_t tcp, uint16_t udp)
{
	if (d->is_looking || tcp == 0 || udp == 0)
		return;
	d->id = id;
	d->tcp = tcp;
	d->udp = udp;
	say_hello(d);
	d->node->loop->ops->timer_set(d->timer, now_ns(d) + ELA_DISCOVERY_WAIT_NS);
}

static bool is_near(const struct ela_discovery *d, const struct ela_addr *addr)
{
	const struct ela_lan *lans;
	uint32_t n = d->ops->list(d->ops->data, &lans);

	return ela_addr_allowed(d->node, addr) && ela_lans_has(lans, n, addr);
}

void ela_discovery_answer(void *data, const struct ela_addr *from, const uint8_t *frame, uint32_t len)
{
	struct ela_discovery *d = data;
	struct ela_greeting here;
	struct ela_addr addr = *from;

	ELA_COUNT(d->node, STRANGER_BYTES_IN, len);
	if (!is_near(d, from) || ela_greeting_parse(d->key, frame, len, &here) != 0 || here.kind != ELA_PROBE_HERE) {
		ELA_COUNT(d->node, DROP_HELLO, 1);
		return;
	}
	if (here.id != 0 && d->ops->knows(d->ops->data, here.id))
		return;
	addr.port = here.tcp_port;
	for (size_t i = 0; i < G_N_ELEMENTS(d->hellos); i++)
		if (d->hellos[i].is_said && d->hellos[i].n_found < ELA_DISCOVERY_FOUND &&
			memcmp(d->hellos[i].nonce, here.nonce, sizeof here.nonce) == 0) {
			d->hellos[i].n_found++;
			d->ops->found(d->ops->data, &addr);
			return;
		}
	ELA_COUNT(d->node, DROP_HELLO, 1);
}

/* ---- who is there ---- */

/* A second holds ELA_DISCOVERY_ANSWERS; what was not used within the last one is lost. */
static bool take_token(struct ela_discovery *d)
{
	uint64_t now = now_ns(d);

	d->bucket_ns = MAX(d->bucket_ns, now > ELA_SEC ? now - ELA_SEC : 0);
	if (d->bucket_ns + ELA_SEC / ELA_DISCOVERY_ANSWERS > now)
		return false;
	d->bucket_ns += ELA_SEC / ELA_DISCOVERY_ANSWERS;
	return true;
}

/* Where an answer to addr is noted; NULL: it had one just now. The table holds more than can be answered in that time.
 */
static struct answered *place_for(struct ela_discovery *d, const struct ela_addr *addr)
{
	struct answered *oldest = &d->answered[0];

	for (uint32_t i = 0; i < ANSWERED_MAX; i++) {
		struct answered *a = &d->answered[i];

		if (a->when_ns && ela_inet_same_network(&a->at, addr))
			return now_ns(d) - a->when_ns < ELA_DISCOVERY_AGAIN_NS ? NULL : a;
		if (a->when_ns < oldest->when_ns)
			oldest = a;
	}
	return oldest;
}

/* From the socket that a hello comes to: the sender's is no transport's, and nothing else hears it. */
static void send_answer(struct ela_discovery *d, const struct ela_path *to, const struct ela_greeting *here)
{
	struct ela_path path = *to;
	uint8_t frame[ELA_GREETING_LEN];

	if (ela_inet_is_multicast(&path.local))
		path.local = (struct ela_addr){0}; /* that is where the hello went */
	if (ela_greeting_make(d->key, here, frame) != 0 || ela_node_send(d->node, &path, frame, sizeof frame) != 0)
		return;
	ELA_COUNT(d->node, STRANGER_BYTES_OUT, sizeof frame);
	ELA_COUNT(d->node, HELLOS_ANSWERED, 1);
}

static bool is_own(const struct ela_discovery *d, const uint8_t *frame, uint32_t len)
{
	const uint8_t *nonce = frame + ELA_HEADER_LEN + 1;

	return len == ELA_GREETING_LEN && d->hellos[0].is_said &&
		   memcmp(d->hellos[0].nonce, nonce, ELA_PROBE_NONCE_LEN) == 0;
}

void ela_discovery_hello(struct ela_discovery *d, const struct ela_path *path, const uint8_t *frame, uint32_t len)
{
	struct ela_greeting hello, here = {.kind = ELA_PROBE_HERE};
	struct answered *place;

	if (is_own(d, frame, len))
		return; /* a broadcast comes back to who says it */
	ELA_COUNT(d->node, STRANGER_BYTES_IN, len);
	if (path->link || !is_near(d, &path->remote)) {
		ELA_COUNT(d->node, DROP_HELLO, 1);
		return;
	}
	here.tcp_port = d->ops->answers(d->ops->data, &here.id);
	if (here.tcp_port == 0)
		return; /* there is nothing that it could say */
	place = place_for(d, &path->remote);
	if (!place) { /* before anything is computed */
		ELA_COUNT(d->node, DROP_HELLO_RATE, 1);
		return;
	}
	if (ela_greeting_parse(d->key, frame, len, &hello) != 0 || hello.kind != ELA_PROBE_HELLO) {
		ELA_COUNT(d->node, DROP_HELLO, 1);
		return;
	}
	if (hello.id != 0 && d->ops->knows(d->ops->data, hello.id))
		return;
	if (!take_token(d)) {
		ELA_COUNT(d->node, DROP_HELLO_RATE, 1);
		return;
	}
	*place = (struct answered){.at = path->remote, .when_ns = now_ns(d)};
	memcpy(here.nonce, hello.nonce, sizeof here.nonce);
	send_answer(d, path, &here);
}

/* ---- life ---- */

struct ela_discovery *ela_discovery_new(struct ela_node *node, const struct ela_discovery_ops *ops)
{
	struct ela_discovery *d = g_new0(struct ela_discovery, 1);

	d->node = node;
	d->ops = ops;
	d->timer = node->loop->ops->timer_new(node->loop, turn, d);
	if (ela_probe_key(node->network_id, d->key) != 0)
		g_error("libcrypto makes no key of the network");
	node->discovery = d;
	return d;
}

void ela_discovery_free(struct ela_discovery *d)
{
	if (!d)
		return;
	ela_discovery_stop(d);
	d->node->discovery = NULL;
	d->node->loop->ops->timer_free(d->timer);
	g_free(d);
}
