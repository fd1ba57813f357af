/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noise: handshake state of the Noise protocol framework, revision 34 (see noise.h). Names follow the specification's
 * section 5: mix_key, mix_hash, encrypt_and_hash, split. Any thread, one at a time per object; allocates only inside
 * OpenSSL. Messages are worked out on a copy of the state, which replaces it when all went well.
 */
#include "noise.h"

#include "crypto.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

enum token { END, E, S, EE, ES, SE, SS };

#define MAX_TOKENS 5
#define MAX_MESSAGES 3

/* Section 7.5. Messages of even number are the initiator's. */
struct pattern {
	char name[ELA_NOISE_HASH + 1]; /* of hash length, so that h starts as the name itself (section 5.2) */
	bool responder_known;          /* pre-message "<- s" */
	uint8_t n_messages;
	enum token tokens[MAX_MESSAGES][MAX_TOKENS];
};

static const struct pattern patterns[] = {
	[ELA_NOISE_IK] =
		{
			.name = "Noise_IK_25519_ChaChaPoly_SHA256",
			.responder_known = true,
			.n_messages = 2,
			.tokens = {{E, ES, S, SS, END}, {E, EE, SE, END}},
		},
	[ELA_NOISE_XX] =
		{
			.name = "Noise_XX_25519_ChaChaPoly_SHA256",
			.n_messages = 3,
			.tokens = {{E, END}, {E, EE, S, ES, END}, {S, SE, END}},
		},
};

static int mix_hash(struct ela_noise *n, const void *data, size_t len)
{
	const struct ela_bytes parts[] = {{n->h, sizeof n->h}, {data, len}};

	return ela_sha256(parts, 2, n->h);
}

/* Noise's HKDF with two outputs is RFC 5869's with the chaining key as salt and no info. */
static int mix_key(struct ela_noise *n, const uint8_t secret[ELA_NOISE_KEY])
{
	uint8_t out[ELA_NOISE_HASH + ELA_NOISE_KEY];
	int err = ela_hkdf_sha256(n->ck, sizeof n->ck, secret, ELA_NOISE_KEY, NULL, 0, out, sizeof out);

	if (err == 0) {
		memcpy(n->ck, out, sizeof n->ck);
		memcpy(n->k, out + sizeof n->ck, sizeof n->k);
		n->has_key = true;
		n->nonce = 0;
	}
	ela_wipe(out, sizeof out);
	return err;
}

/* Section 12.3: 32 zero bits, then the counter in little endian. */
static void make_nonce(uint64_t counter, uint8_t out[12])
{
	memset(out, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(counter >> (8 * i));
}

/* *pos moves past what was written. */
static int encrypt_and_hash(struct ela_noise *n, const void *plain, size_t len, uint8_t **pos)
{
	uint8_t nonce[12];
	int err = 0;

	if (n->has_key) {
		make_nonce(n->nonce++, nonce);
		err = ela_chachapoly_seal(n->k, nonce, n->h, sizeof n->h, plain, len, *pos);
		len += ELA_NOISE_TAG;
	} else if (len > 0) {
		memcpy(*pos, plain, len);
	}
	if (err == 0)
		err = mix_hash(n, *pos, len);
	*pos += len;
	return err;
}

/* len bytes of plaintext to out, from len or len + 16 bytes at *pos, which moves past them. */
static int decrypt_and_hash(struct ela_noise *n, const uint8_t **pos, size_t len, uint8_t *out)
{
	const uint8_t *sealed = *pos;
	size_t sealed_len = len + (n->has_key ? ELA_NOISE_TAG : 0);
	uint8_t nonce[12];
	int err = 0;

	if (n->has_key) {
		make_nonce(n->nonce++, nonce);
		err = ela_chachapoly_open(n->k, nonce, n->h, sizeof n->h, sealed, sealed_len, out);
	} else if (len > 0) {
		memcpy(out, sealed, len);
	}
	*pos += sealed_len;
	return err == 0 ? mix_hash(n, sealed, sealed_len) : err;
}

/* The Diffie-Hellman tokens: the first letter is the initiator's key, the second the responder's. */
static int mix_dh(struct ela_noise *n, enum token token)
{
	bool own_static = token == SS || token == (n->initiator ? SE : ES);
	bool remote_static = token == SS || token == (n->initiator ? ES : SE);
	uint8_t secret[ELA_NOISE_KEY];
	int err = ela_x25519(own_static ? n->s_private : n->e_private, remote_static ? n->rs : n->re, secret);

	if (err == 0)
		err = mix_key(n, secret);
	ela_wipe(secret, sizeof secret);
	return err;
}

static int write_token(struct ela_noise *n, enum token token, uint8_t **pos)
{
	switch (token) {
	case E:
		memcpy(*pos, n->e_public, ELA_NOISE_KEY);
		*pos += ELA_NOISE_KEY;
		return mix_hash(n, n->e_public, ELA_NOISE_KEY);
	case S:
		return encrypt_and_hash(n, n->s_public, ELA_NOISE_KEY, pos);
	default:
		return mix_dh(n, token);
	}
}

static int read_token(struct ela_noise *n, enum token token, const uint8_t **pos)
{
	switch (token) {
	case E:
		memcpy(n->re, *pos, ELA_NOISE_KEY);
		*pos += ELA_NOISE_KEY;
		/* A low-order point is refused here, because in XX message 1 no DH follows that would; after S one does. */
		return ela_x25519_point_ok(n->re) ? mix_hash(n, n->re, ELA_NOISE_KEY) : -EBADMSG;
	case S:
		return decrypt_and_hash(n, pos, ELA_NOISE_KEY, n->rs);
	default:
		return mix_dh(n, token);
	}
}

static const enum token *next_tokens(const struct ela_noise *n)
{
	return patterns[n->pattern].tokens[n->message];
}

/* What the next message adds to its payload: keys and tags. */
static size_t overhead(const struct ela_noise *n)
{
	bool has_key = n->has_key;
	size_t len = 0;

	for (const enum token *t = next_tokens(n); *t != END; t++) {
		if (*t == E)
			len += ELA_NOISE_KEY;
		else if (*t == S)
			len += ELA_NOISE_KEY + (has_key ? ELA_NOISE_TAG : 0);
		else
			has_key = true;
	}
	return len + (has_key ? ELA_NOISE_TAG : 0);
}

/* has_s is false for an object whose init failed. */
static bool is_turn(const struct ela_noise *n, bool writing)
{
	return n->has_s && !n->done && ((n->message % 2 == 0) == n->initiator) == writing;
}

/* Takes over the finished copy; split needs nothing but ck and h, so the private keys end with the last message. */
static void commit(struct ela_noise *n, struct ela_noise *work)
{
	work->message++;
	work->done = work->message == patterns[work->pattern].n_messages;
	if (work->done) {
		ela_wipe(work->e_private, sizeof work->e_private);
		ela_wipe(work->s_private, sizeof work->s_private);
		ela_wipe(work->k, sizeof work->k);
	}
	*n = *work;
}

/* MixHash of what both sides know beforehand: the prologue and, in IK, the responder's static key. */
static int mix_before(struct ela_noise *n, const void *prologue, size_t prologue_len)
{
	int err;

	memcpy(n->h, patterns[n->pattern].name, sizeof n->h);
	memcpy(n->ck, n->h, sizeof n->ck);
	err = mix_hash(n, prologue, prologue_len);
	if (err == 0 && patterns[n->pattern].responder_known)
		err = mix_hash(n, n->initiator ? n->rs : n->s_public, ELA_NOISE_KEY);
	return err;
}

static int make_keys(struct ela_noise *n, const uint8_t *static_private, const uint8_t *ephemeral_private)
{
	int err;

	memcpy(n->s_private, static_private, ELA_NOISE_KEY);
	if (ephemeral_private)
		memcpy(n->e_private, ephemeral_private, ELA_NOISE_KEY);
	else if (RAND_priv_bytes(n->e_private, ELA_NOISE_KEY) != 1)
		return -EIO;
	err = ela_x25519_public(n->s_private, n->s_public);
	if (err == 0)
		err = ela_x25519_public(n->e_private, n->e_public);
	n->has_s = err == 0;
	return err;
}

int ela_noise_init(struct ela_noise *n, enum ela_noise_pattern pattern, bool initiator, const void *prologue,
	size_t prologue_len, const uint8_t static_private[ELA_NOISE_KEY], const uint8_t *remote_static,
	const uint8_t *ephemeral_private)
{
	int err;

	*n = (struct ela_noise){.pattern = pattern, .initiator = initiator};
	if (initiator && patterns[pattern].responder_known) {
		if (!remote_static)
			return -EINVAL;
		if (!ela_x25519_point_ok(remote_static))
			return -EBADMSG;
		memcpy(n->rs, remote_static, ELA_NOISE_KEY);
	}
	err = make_keys(n, static_private, ephemeral_private);
	if (err == 0)
		err = mix_before(n, prologue, prologue_len);
	if (err < 0)
		ela_noise_wipe(n);
	return err;
}

int ela_noise_write(
	struct ela_noise *n, const void *payload, size_t payload_len, uint8_t *out, size_t out_room, size_t *ret_len)
{
	struct ela_noise work;
	uint8_t *pos = out;
	size_t len;
	int err = 0;

	if (!is_turn(n, true))
		return -EINVAL;
	len = payload_len + overhead(n);
	if (payload_len > ELA_NOISE_MAX_MESSAGE || len > ELA_NOISE_MAX_MESSAGE || len > out_room)
		return -EMSGSIZE;
	work = *n;
	for (const enum token *t = next_tokens(n); err == 0 && *t != END; t++)
		err = write_token(&work, *t, &pos);
	if (err == 0)
		err = encrypt_and_hash(&work, payload, payload_len, &pos);
	if (err == 0) {
		commit(n, &work);
		*ret_len = len;
	} else {
		ela_wipe(out, len);
	}
	ela_wipe(&work, sizeof work);
	return err;
}

int ela_noise_read(struct ela_noise *n, const uint8_t *msg, size_t len, uint8_t *out, size_t out_room, size_t *ret_len)
{
	struct ela_noise work;
	const uint8_t *pos = msg;
	size_t payload_len;
	int err = 0;

	if (!is_turn(n, false))
		return -EINVAL;
	if (len > ELA_NOISE_MAX_MESSAGE || len < overhead(n))
		return -EBADMSG;
	payload_len = len - overhead(n);
	if (payload_len > out_room)
		return -EMSGSIZE;
	work = *n;
	for (const enum token *t = next_tokens(n); err == 0 && *t != END; t++)
		err = read_token(&work, *t, &pos);
	if (err == 0)
		err = decrypt_and_hash(&work, &pos, payload_len, out);
	if (err == 0) {
		commit(n, &work);
		*ret_len = payload_len;
	} else {
		ela_wipe(out, payload_len);
	}
	ela_wipe(&work, sizeof work);
	return err;
}

bool ela_noise_is_done(const struct ela_noise *n)
{
	return n->done;
}

int ela_noise_split(const struct ela_noise *n, struct ela_noise_keys *ret)
{
	uint8_t out[2 * ELA_NOISE_KEY];
	int err;

	if (!n->done)
		return -EINVAL;
	err = ela_hkdf_sha256(n->ck, sizeof n->ck, NULL, 0, NULL, 0, out, sizeof out);
	if (err == 0) {
		memcpy(n->initiator ? ret->send : ret->recv, out, ELA_NOISE_KEY);
		memcpy(n->initiator ? ret->recv : ret->send, out + ELA_NOISE_KEY, ELA_NOISE_KEY);
		memcpy(ret->ck, n->ck, sizeof ret->ck);
		memcpy(ret->hash, n->h, sizeof ret->hash);
	}
	ela_wipe(out, sizeof out);
	return err;
}

void ela_noise_wipe(struct ela_noise *n)
{
	ela_wipe(n, sizeof *n);
}
