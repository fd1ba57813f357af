/* SPDX-License-Identifier: Apache-2.0 */
/* session: key derivation and life, and the control thread's own frames. Control thread. */
#include "session.h"

#include "crypto.h"
#include <errno.h>
#include <glib.h>
#include <stdlib.h>

/* HKDF(ck, "ela-data" | suite | direction) -> key | IV. direction: 1 = initiator to responder, 2 = back. */
static int derive(const struct ela_noise_keys *keys, const struct ela_suite *suite, uint8_t direction, uint8_t *out)
{
	const struct ela_bytes info[] = {{"ela-data", 8}, {suite->name, strlen(suite->name)}, {&direction, 1}};

	return ela_hkdf_sha256(NULL, 0, keys->ck, sizeof keys->ck, info, G_N_ELEMENTS(info), out, suite->key_len + 12u);
}

static uint64_t share(uint64_t limit, uint32_t lanes)
{
	return limit ? limit / lanes : UINT64_MAX;
}

static void set_limits(struct ela_session *s, const struct ela_suite *suite)
{
	s->soft_packets = share(ELA_SESSION_REKEY_PACKETS, s->n_lanes);
	s->hard_packets = share(ELA_SESSION_REFUSE_PACKETS, s->n_lanes);
	s->soft_bytes = share(suite->rekey_bytes, s->n_lanes);
	s->hard_bytes = share(suite->max_bytes, s->n_lanes);
}

/* One seal key for each of our lanes, one key to open with. */
static int make_keys(struct ela_session *s, const struct ela_noise_keys *keys)
{
	const struct ela_node_suite *use = s->with.suite;
	const struct ela_suite *suite = use->suite;
	uint8_t to_them = s->with.initiator ? 1 : 2;
	uint8_t material[ELA_CIPHER_MAX_KEY + 12] = {0};
	int err = derive(keys, suite, to_them, material);

	memcpy(s->send_iv, material + suite->key_len, 12);
	for (uint32_t i = 0; err == 0 && i < s->n_lanes; i++)
		err = s->cipher->key_new(use->cipher->self, use->number, ELA_CIPHER_SEAL, material, &s->lanes[i].seal_key);
	if (err == 0)
		err = derive(keys, suite, (uint8_t)(3 - to_them), material);
	memcpy(s->recv_iv, material + suite->key_len, 12);
	if (err == 0)
		err = s->cipher->key_new(use->cipher->self, use->number, ELA_CIPHER_OPEN, material, &s->open_key);
	ela_wipe(material, sizeof material);
	return err;
}

struct ela_session *ela_session_new(
	struct ela_peer *peer, const struct ela_agreement *with, const struct ela_noise_keys *keys, uint64_t now_ns)
{
	size_t size = sizeof(struct ela_session) + with->local_lanes * sizeof(struct ela_session_lane);
	struct ela_session *s = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (!s)
		return NULL;
	memset(s, 0, size);
	s->peer = peer;
	s->with = *with;
	s->cipher = with->suite->cipher->ops;
	s->overhead = ELA_FRAME_HEAD + with->suite->suite->overhead;
	s->n_lanes = with->local_lanes;
	s->born_ns = now_ns;
	s->dead_ns = now_ns + ELA_SESSION_REFUSE_NS;
	s->candidate.transport = UINT32_MAX;
	set_limits(s, with->suite->suite);
	memcpy(s->control_send, keys->send, sizeof s->control_send);
	memcpy(s->control_recv, keys->recv, sizeof s->control_recv);
	s->windows = calloc(with->remote_lanes, sizeof *s->windows);
	(void)pthread_mutex_init(&s->lock, NULL); /* cannot fail with default attributes on Linux */
	if (!s->windows || make_keys(s, keys) != 0 || (s->hop = ela_hop_new(s, keys)) == NULL) {
		ela_session_free(s);
		return NULL;
	}
	return s;
}

void ela_session_free(void *session)
{
	struct ela_session *s = session;

	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_lanes; i++)
		s->cipher->key_free(s->lanes[i].seal_key);
	s->cipher->key_free(s->open_key);
	ela_hop_free(s->hop);
	(void)pthread_mutex_destroy(&s->lock); /* nobody holds it after the grace period */
	free(s->windows);
	ela_wipe(s, sizeof *s);
	free(s);
}

/* Split keys with the frame's counter as nonce: lane 255 and the sequence, so no nonce is used twice. */
static void control_nonce(const uint8_t *frame, uint8_t nonce[12])
{
	static const uint8_t zero_iv[12];

	ela_frame_nonce(frame, zero_iv, nonce);
}

uint32_t ela_session_seal_control(struct ela_session *s, const void *message, uint32_t len, uint8_t *out)
{
	uint8_t nonce[12];

	if (s->control_sequence >= ELA_SESSION_REFUSE_PACKETS)
		return 0;
	ela_header_put(out, ELA_TYPE_MESSAGE, 0, s->with.remote_id);
	ela_frame_put(out, s->with.remote_index, (uint64_t)ELA_LANE_CONTROL << ELA_LANE_SHIFT | s->control_sequence);
	control_nonce(out, nonce);
	s->control_sequence++;
	if (ela_chachapoly_seal(s->control_send, nonce, NULL, 0, message, len, out + ELA_FRAME_HEAD) != 0)
		return 0;
	return ELA_FRAME_HEAD + len + ELA_TAG_LEN;
}

int ela_session_open_control(struct ela_session *s, const uint8_t *frame, uint32_t len, uint8_t *out, uint32_t *ret_len)
{
	uint64_t counter;
	uint8_t nonce[12];

	if (len < ELA_FRAME_MIN)
		return -EINVAL;
	counter = ela_frame_counter(frame);
	if (counter >> ELA_LANE_SHIFT != ELA_LANE_CONTROL)
		return -EINVAL;
	if (!ela_replay_check(&s->control_window, counter & ELA_SEQUENCE_MASK))
		return -EALREADY;
	control_nonce(frame, nonce);
	if (ela_chachapoly_open(s->control_recv, nonce, NULL, 0, frame + ELA_FRAME_HEAD, len - ELA_FRAME_HEAD, out) != 0)
		return -EBADMSG;
	(void)ela_replay_commit(&s->control_window, counter & ELA_SEQUENCE_MASK); /* checked above, nobody else commits */
	*ret_len = len - ELA_FRAME_MIN;
	return 0;
}

uint64_t ela_session_last_tx(const struct ela_session *s)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < s->n_lanes; i++) {
		uint64_t at = atomic_load_explicit(&s->lanes[i].tx_ns, memory_order_relaxed);

		if (at > last)
			last = at;
	}
	return last;
}

void ela_session_traffic(struct ela_session *s, struct ela_session_traffic *traffic)
{
	(void)pthread_mutex_lock(&s->lock); /* a default mutex cannot fail */
	traffic->rx_bytes += s->rx_bytes;
	traffic->rx_frames += s->rx_frames;
	for (uint32_t i = 0; i < s->with.remote_lanes; i++)
		traffic->rx_sent += s->windows[i].head;
	(void)pthread_mutex_unlock(&s->lock);
	for (uint32_t i = 0; i < s->n_lanes; i++)
		traffic->tx_bytes += __atomic_load_n(&s->lanes[i].bytes, __ATOMIC_RELAXED);
}
