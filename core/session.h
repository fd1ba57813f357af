/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: the keys that two nodes share after one handshake, what lanes seal and open frames with. Bound to keys,
 * never to a path. Made, published, retired and freed by the control thread; used by lanes between a qsbr point and the
 * next.
 *
 * Sending: each lane has a key object and a sequence of its own, no locks. Receiving: one lock, taken once per run.
 * Control frames (MESSAGE) have their own keys (Noise's Split), counters and window, all the control thread's.
 */
#ifndef ELA_CORE_SESSION_H
#define ELA_CORE_SESSION_H

#include "frame.h"
#include "hop.h"
#include "noise.h"
#include "replay.h"
#include <ela/cipher.h>
#include <ela/host.h>
#include <pthread.h>
#include <stdatomic.h>

struct ela_peer;

#define ELA_FEATURE_CSUM 0x1u /* takes frames with ELA_FLAG_CSUM */

#define ELA_SESSION_REKEY_NS (UINT64_C(120) * 1000000000u) /* +-10 s */
#define ELA_SESSION_REFUSE_NS (UINT64_C(180) * 1000000000u)
#define ELA_SESSION_REKEY_PACKETS (UINT64_C(1) << 30)
#define ELA_SESSION_REFUSE_PACKETS (UINT64_C(1) << 32)

/* A cipher instance of the node. */
struct ela_cipher {
	const struct ela_cipher_ops *ops;
	void *self;
	const char *plugin; /* section name, for people */
};

/* A suite this node can use, in order of preference. */
struct ela_node_suite {
	const struct ela_suite *suite;
	uint32_t number; /* within its plugin */
	const struct ela_cipher *cipher;
};

/* What a handshake agreed on. */
struct ela_agreement {
	const struct ela_node_suite *suite;
	uint32_t local_index, remote_index;
	uint32_t remote_id;
	uint32_t features;     /* both ends' */
	uint32_t local_lanes;  /* how many of ours send */
	uint32_t remote_lanes; /* how many of theirs: windows */
	bool initiator;
};

struct ela_session_lane {
	_Alignas(64) void *seal_key;
	uint64_t sequence;      /* next one; plain: only the lane touches it */
	uint64_t bytes;         /* sealed so far; relaxed stores, read by control */
	_Atomic uint64_t tx_ns; /* last frame sealed; read by control */
};

struct ela_session {
	/* Immutable once published. */
	struct ela_peer *peer;
	struct ela_agreement with;
	const struct ela_cipher_ops *cipher;
	uint32_t overhead;   /* of a direct frame: head and suite */
	struct ela_hop *hop; /* the other end as a neighbour: relayed frames to and from it */
	uint8_t send_iv[12], recv_iv[12];
	uint64_t born_ns, dead_ns;
	uint64_t soft_packets, hard_packets; /* of one lane */
	uint64_t soft_bytes, hard_bytes;     /* of one lane; UINT64_MAX = none */

	/* Receive side: lock protects the key object, the windows and the candidate. */
	_Alignas(64) pthread_mutex_t lock; /* not on the lines that sending lanes only read */
	void *open_key;
	struct ela_replay *windows;   /* with.remote_lanes of them */
	struct ela_path candidate;    /* newest frame's path when it was not the one in use; transport ~0 = none */
	uint64_t rx_frames, rx_bytes; /* opened, and what was in them */
	_Atomic uint64_t rx_ns;       /* last frame opened */
	struct ela_path first;        /* of the first one; written before opened is 1, never after */
	_Atomic uint32_t opened;      /* 1 after the first one */

	/* Control thread only. */
	uint8_t control_send[ELA_NOISE_KEY], control_recv[ELA_NOISE_KEY];
	uint64_t control_sequence;
	struct ela_replay control_window;

	uint32_t n_lanes;
	struct ela_session_lane lanes[];
};

/*
 * [control] Derives all keys. keys is wiped by the caller. NULL when a library failed; nothing is left behind then.
 */
struct ela_session *ela_session_new(
	struct ela_peer *peer, const struct ela_agreement *with, const struct ela_noise_keys *keys, uint64_t now_ns);
/* [control] Frees and wipes; after a grace period when it was published. Takes NULL. */
void ela_session_free(void *session);

/*
 * [lane] Reserves the next counter of the lane for a packet of len bytes: true and *ret_counter, or false when the key
 * is used up. *ret_due is set when a new key is due.
 */
static inline bool ela_session_reserve(
	struct ela_session *s, uint32_t lane, uint32_t len, uint64_t *ret_counter, bool *ret_due)
{
	struct ela_session_lane *l = &s->lanes[lane];

	if (__builtin_expect(l->sequence >= s->soft_packets || l->bytes + len > s->soft_bytes, 0)) {
		*ret_due = true;
		if (l->sequence >= s->hard_packets || l->bytes + len > s->hard_bytes)
			return false;
	}
	ela_count(&l->bytes, len);
	*ret_counter = (uint64_t)lane << ELA_LANE_SHIFT | l->sequence++;
	return true;
}

/*
 * [control] Seals a control message of len bytes into out (room len + ELA_FRAME_MIN); the frame's
 * length, or 0 when the counter is used up or the library failed.
 */
uint32_t ela_session_seal_control(struct ela_session *s, const void *message, uint32_t len, uint8_t *out);
/* [control] Opens a MESSAGE frame into out (room len); 0 and *ret_len, -EBADMSG (tag), -EALREADY (replay), -EINVAL. */
int ela_session_open_control(
	struct ela_session *s, const uint8_t *frame, uint32_t len, uint8_t *out, uint32_t *ret_len);

/* Time of the last frame sealed on any lane, 0 = none. */
uint64_t ela_session_last_tx(const struct ela_session *s);

/* What a session carried of packets. */
struct ela_session_traffic {
	uint64_t rx_bytes, tx_bytes;
	uint64_t rx_frames; /* opened */
	uint64_t rx_sent;   /* that the other end must have sealed to get as far: its highest numbers */
};

/* [control] Adds to *traffic. */
void ela_session_traffic(struct ela_session *s, struct ela_session_traffic *traffic);

#endif
