/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-ipsecmb: the suite aes-256-gcm by intel-ipsec-mb's direct GCM calls. Instances and keys are made on the
 * control thread; a key is used by one thread at a time, different keys by several threads at once.
 *
 * No manager is kept. The direct calls do not take one: a manager only chooses the implementation for this CPU, and its
 * address is all they need from it (IMB_AES256_GCM_ENC expands to mgr->gcm256_enc(key, context, ...)). So create()
 * makes one, copies three function addresses and frees it, and nothing that lanes share is ever written by ELA. What a
 * call writes is its output, the caller's context (one per key here) and the library's own imb_errno, a process-wide
 * int that it sets to 0 at each entry; it is no verdict for any one thread and nobody reads it. The library reports bad
 * arguments nowhere else, hence the checks before each call.
 */
#include "../common/aes-256-gcm.h"
#include "../common/cipher-burst.h"

#include <ela/cipher.h>
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TAG_LEN AES_256_GCM_TAG_LEN
/* SP 800-38D allows 2^36 - 32 bytes; with a tag behind it a length must still fit an op's 32 bits. */
#define MAX_LEN (UINT32_MAX - TAG_LEN)

static const struct ela_suite suites[] = {AES_256_GCM_SUITE};

struct instance {
	aes_gcm_pre_t expand;
	aes_gcm_enc_dec_t enc, dec;
};

/* The vector code loads round keys and hash keys 64 bytes at a time; the header aligns their struct only under -DLINUX.
 */
struct key {
	alignas(64) struct gcm_key_data expanded;
	alignas(64) struct gcm_context_data context; /* scratch of one call */
	aes_gcm_enc_dec_t run;
	uint32_t direction;
};

static int create(const struct ela_host *host, void **ret_self)
{
	const uint64_t wanted = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
	struct instance *mb = calloc(1, sizeof *mb);
	IMB_MGR *mgr = alloc_mb_mgr(0);
	int err = -ENOMEM;

	if (!mb || !mgr)
		goto out;
	err = -ENOTSUP;
	/* Without AES-NI the library would emulate it with tables: slow, and not in constant time. */
	if ((mgr->features & wanted) != wanted) {
		ela_log(host, ELA_LOG_ERROR,
			"this CPU lacks AES-NI or PCLMULQDQ, which intel-ipsec-mb needs: write cipher = aead instead of ipsecmb");
		goto out;
	}
	init_mb_mgr_auto(mgr, NULL);
	if (imb_get_errno(mgr) != 0 || !mgr->gcm256_pre || !mgr->gcm256_enc || !mgr->gcm256_dec) {
		ela_log(host, ELA_LOG_ERROR, "intel-ipsec-mb does not start (%s): write cipher = aead instead of ipsecmb",
			imb_get_strerror(imb_get_errno(mgr)));
		goto out;
	}
	*mb = (struct instance){.expand = mgr->gcm256_pre, .enc = mgr->gcm256_enc, .dec = mgr->gcm256_dec};
	*ret_self = mb;
	mb = NULL;
	err = 0;
out:
	if (mgr)
		free_mb_mgr(mgr);
	free(mb);
	return err;
}

static void destroy(void *self)
{
	free(self);
}

static void key_free(void *key)
{
	if (!key)
		return;
	explicit_bzero(key, sizeof(struct key));
	free(key);
}

static int key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	const struct instance *mb = self;
	struct key *k;

	if (suite != 0 || direction > ELA_CIPHER_OPEN)
		return -EINVAL;
	k = aligned_alloc(alignof(struct key), sizeof *k);
	if (!k)
		return -ENOMEM;
	memset(k, 0, sizeof *k);
	mb->expand(key, &k->expanded);
	k->run = direction == ELA_CIPHER_SEAL ? mb->enc : mb->dec;
	k->direction = direction;
	*ret_key = k;
	return 0;
}

/* Equal or not, in a time that depends on neither. */
static bool tags_equal(const uint8_t a[TAG_LEN], const uint8_t b[TAG_LEN])
{
	uint64_t x[2], y[2], diff;

	memcpy(x, a, sizeof x);
	memcpy(y, b, sizeof y);
	diff = (x[0] ^ y[0]) | (x[1] ^ y[1]);
	__asm__("" : "+r"(diff)); /* the compiler shall not turn this into two comparisons with an early end */
	return diff == 0;
}

static int seal_one(void *key, struct ela_cipher_op *op)
{
	struct key *k = key;

	if (k->direction != ELA_CIPHER_SEAL || op->len > MAX_LEN)
		return -EINVAL;
	k->run(&k->expanded, &k->context, op->dst, op->src, op->len, op->nonce, NULL, 0, op->dst + op->len, TAG_LEN);
	op->ret_len = op->len + TAG_LEN;
	return 0;
}

/* Deciphers first: the burst wipes what a forged one left. */
static int open_one(void *key, struct ela_cipher_op *op)
{
	struct key *k = key;
	uint32_t text_len = op->len - TAG_LEN;
	uint8_t tag[TAG_LEN];

	if (k->direction != ELA_CIPHER_OPEN)
		return -EINVAL;
	if (op->len < TAG_LEN)
		return -EBADMSG;
	/* the opposite of what was sent, so that a call that writes no tag is not taken for a match */
	for (uint32_t i = 0; i < TAG_LEN; i++)
		tag[i] = (uint8_t)~op->src[text_len + i];
	k->run(&k->expanded, &k->context, op->dst, op->src, text_len, op->nonce, NULL, 0, tag, TAG_LEN);
	if (!tags_equal(tag, op->src + text_len))
		return -EBADMSG;
	op->ret_len = text_len;
	return 0;
}

static uint32_t seal_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	return cipher_burst(key, ops, n, TAG_LEN, seal_one);
}

static uint32_t open_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	return cipher_burst(key, ops, n, 0, open_one);
}

static const struct ela_cipher_ops ops = {
	.suites = suites,
	.n_suites = sizeof suites / sizeof suites[0],
	.suite_size = sizeof(struct ela_suite),
	.create = create,
	.destroy = destroy,
	.key_new = key_new,
	.key_free = key_free,
	.seal = seal_burst,
	.open = open_burst,
};

ELA_PLUGIN(.kind = ELA_KIND_CIPHER, .name = "ipsecmb", .version = "0.1.0", .licence = "Apache-2.0",
	.summary = "aes-256-gcm by intel-ipsec-mb", .ops = &ops, .ops_size = sizeof ops);
