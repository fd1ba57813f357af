/* SPDX-License-Identifier: Apache-2.0 */
/* hop: keys, sealing and checking of hop fields. Lanes but for new and free; what they share is under the hop's lock.
 */
#include "hop.h"

#include "crypto.h"
#include "session.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>

#define MESSAGE_KEY_LEN 32u

/* Blocks are sealed in place: room for whatever a suite adds. */
struct blocks {
	struct ela_cipher_op ops[ELA_HOP_BURST];
	uint8_t bytes[ELA_HOP_BURST][ELA_HOP_BLOCK + ELA_CIPHER_MAX_OVERHEAD];
};

/* ---- the message AEAD in a cipher's clothes ---- */

static uint32_t seal_message_aead(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		ops[i].verdict = ela_chachapoly_next(key, ops[i].nonce, ops[i].src, ops[i].len, ops[i].dst);
		ops[i].ret_len = ops[i].len + ELA_TAG_LEN;
		good += ops[i].verdict == 0;
	}
	return good;
}

static void free_message_key(void *key)
{
	ela_chachapoly_free(key);
}

/* ---- keys ---- */

/* HKDF(ck, "ela-hop" | suite | direction) -> key | IV */
static int derive(const struct ela_noise_keys *keys, const char *suite, uint8_t direction, uint8_t *out, uint32_t len)
{
	const struct ela_bytes info[] = {{"ela-hop", 7}, {suite, strlen(suite)}, {&direction, 1}};

	return ela_hkdf_sha256(NULL, 0, keys->ck, sizeof keys->ck, info, G_N_ELEMENTS(info), out, len);
}

static int new_key(const struct ela_session *s, const uint8_t *bytes, void **ret_key)
{
	const struct ela_node_suite *use = s->with.suite;

	if (!use->suite->is_random)
		return s->cipher->key_new(use->cipher->self, use->number, ELA_CIPHER_SEAL, bytes, ret_key);
	*ret_key = ela_chachapoly_new(bytes);
	return *ret_key ? 0 : -EIO;
}

static int make_keys(struct ela_hop *hop, const struct ela_session *s, const struct ela_noise_keys *keys)
{
	const struct ela_suite *suite = s->with.suite->suite;
	uint32_t key_len = suite->is_random ? MESSAGE_KEY_LEN : suite->key_len;
	uint8_t to_them = s->with.initiator ? 1 : 2;
	uint8_t material[ELA_CIPHER_MAX_KEY + 12] = {0};
	int err = derive(keys, suite->name, to_them, material, key_len + 12);

	memcpy(hop->send_iv, material + key_len, 12);
	for (uint32_t i = 0; err == 0 && i < hop->n_lanes; i++)
		err = new_key(s, material, &hop->lanes[i].key);
	if (err == 0)
		err = derive(keys, suite->name, (uint8_t)(3 - to_them), material, key_len + 12);
	memcpy(hop->recv_iv, material + key_len, 12);
	if (err == 0)
		err = new_key(s, material, &hop->check_key);
	ela_wipe(material, sizeof material);
	return err;
}

struct ela_hop *ela_hop_new(const struct ela_session *s, const struct ela_noise_keys *keys)
{
	bool own = s->with.suite->suite->is_random;
	uint32_t n_lanes = s->n_lanes + 1;
	size_t size = sizeof(struct ela_hop) + n_lanes * sizeof(struct ela_hop_lane);
	struct ela_hop *hop = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (!hop)
		return NULL;
	memset(hop, 0, size);
	hop->seal = own ? seal_message_aead : s->cipher->seal;
	hop->key_free = own ? free_message_key : s->cipher->key_free;
	hop->soft_packets = ELA_SESSION_REKEY_PACKETS / n_lanes;
	hop->hard_packets = ELA_SESSION_REFUSE_PACKETS / n_lanes;
	hop->n_lanes = n_lanes;
	hop->n_windows = s->with.remote_lanes + 1;
	hop->windows = calloc(hop->n_windows, sizeof *hop->windows);
	(void)pthread_mutex_init(&hop->lock, NULL); /* cannot fail with default attributes on Linux */
	if (!hop->windows || make_keys(hop, s, keys) != 0) {
		ela_hop_free(hop);
		return NULL;
	}
	return hop;
}

void ela_hop_free(struct ela_hop *hop)
{
	if (!hop)
		return;
	for (uint32_t i = 0; i < hop->n_lanes; i++)
		hop->key_free(hop->lanes[i].key);
	hop->key_free(hop->check_key);
	(void)pthread_mutex_destroy(&hop->lock); /* nobody holds it after the grace period */
	free(hop->windows);
	ela_wipe(hop, sizeof *hop);
	free(hop);
}

/* ---- tags ---- */

static void prepare(struct blocks *b, uint32_t k, const uint8_t *frame, uint32_t len, const uint8_t iv[12])
{
	struct ela_cipher_op *op = &b->ops[k];

	ela_hop_block(frame, len, b->bytes[k]);
	op->src = op->dst = b->bytes[k];
	op->len = ELA_HOP_BLOCK;
	ela_hop_nonce(iv, ela_hop_counter(frame), op->nonce);
}

static const uint8_t *made_tag(const struct ela_cipher_op *op)
{
	return op->dst + op->ret_len - ELA_TAG_LEN;
}

bool ela_hop_seal(
	struct ela_session *s, uint32_t lane, uint8_t *const frames[], const uint32_t lens[], uint32_t n, bool *ret_due)
{
	struct ela_hop *hop = s->hop;
	struct ela_hop_lane *l = &hop->lanes[lane == ELA_LANE_CONTROL ? hop->n_lanes - 1 : lane];
	struct blocks b;

	if (l->sequence + n > hop->soft_packets) {
		*ret_due = true;
		if (l->sequence + n > hop->hard_packets)
			return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		ela_hop_put(frames[i], s->with.remote_index, (uint64_t)lane << ELA_LANE_SHIFT | l->sequence++);
		prepare(&b, i, frames[i], lens[i], hop->send_iv);
	}
	if (hop->seal(l->key, b.ops, n) != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		memcpy(ela_hop_tag(frames[i]), made_tag(&b.ops[i]), ELA_TAG_LEN);
	return true;
}

/* NULL: a lane that the neighbour did not announce. */
static struct ela_replay *window_of(struct ela_hop *hop, const uint8_t *frame)
{
	uint64_t lane = ela_hop_counter(frame) >> ELA_LANE_SHIFT;

	if (lane == ELA_LANE_CONTROL)
		return &hop->windows[hop->n_windows - 1];
	return lane < hop->n_windows - 1 ? &hop->windows[lane] : NULL;
}

static int verdict(struct ela_hop *hop, uint8_t *frame, const struct ela_cipher_op *op)
{
	if (op->verdict != 0)
		return -EIO;
	if (!ela_equal(made_tag(op), ela_hop_tag(frame), ELA_TAG_LEN))
		return -EBADMSG;
	/* Of two with one number in this burst the second fails here. */
	return ela_replay_commit(window_of(hop, frame), ela_hop_counter(frame) & ELA_SEQUENCE_MASK) ? 0 : -EALREADY;
}

void ela_hop_check(struct ela_session *s, uint8_t *const frames[], const uint32_t lens[], uint32_t n, int verdicts[])
{
	struct ela_hop *hop = s->hop;
	uint32_t kept = 0, at[ELA_HOP_BURST];
	struct blocks b;

	(void)pthread_mutex_lock(&hop->lock); /* a default mutex cannot fail */
	for (uint32_t i = 0; i < n; i++) {
		const struct ela_replay *w = window_of(hop, frames[i]);

		verdicts[i] = !w ? -EBADMSG : -EALREADY;
		if (!w || !ela_replay_check(w, ela_hop_counter(frames[i]) & ELA_SEQUENCE_MASK))
			continue;
		prepare(&b, kept, frames[i], lens[i], hop->recv_iv);
		at[kept++] = i;
	}
	if (kept)
		(void)hop->seal(hop->check_key, b.ops, kept); /* each op's verdict is looked at */
	for (uint32_t k = 0; k < kept; k++)
		verdicts[at[k]] = verdict(hop, frames[at[k]], &b.ops[k]);
	(void)pthread_mutex_unlock(&hop->lock);
}
