/* SPDX-License-Identifier: Apache-2.0 */
/* near: the cipher that takes every tag, the seams, one node for a target, and the judge of what it writes. One thread.
 */
#include "near.h"

#include "crypto.h"
#include "handshake.h"
#include "segment.h"
#include "selftest.h"

#include <errno.h>

/* ---- a cipher without a secret ---- */

static int cipher_create(const struct ela_host *host, void **ret_self)
{
	(void)host, (void)ret_self;
	return 0;
}

static void cipher_destroy(void *self)
{
	(void)self;
}

static int key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	(void)self, (void)suite, (void)direction, (void)key;
	*ret_key = NULL;
	return 0;
}

static uint32_t seal(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	(void)key;
	for (uint32_t i = 0; i < n; i++) {
		memmove(ops[i].dst, ops[i].src, ops[i].len);
		memset(ops[i].dst + ops[i].len, 0, ELA_TAG_LEN);
		ops[i].ret_len = ops[i].len + ELA_TAG_LEN;
		ops[i].verdict = 0;
	}
	return n;
}

static bool taken(const uint8_t *sealed, size_t len)
{
	return len >= ELA_TAG_LEN && sealed[len - 1] != NEAR_FORGED;
}

static uint32_t open_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	uint32_t good = 0;

	(void)key;
	for (uint32_t i = 0; i < n; i++) {
		ops[i].verdict = taken(ops[i].src, ops[i].len) ? 0 : -EBADMSG;
		if (ops[i].verdict != 0) {
			memset(ops[i].dst, 0, ops[i].len);
			continue;
		}
		ops[i].ret_len = ops[i].len - ELA_TAG_LEN;
		memmove(ops[i].dst, ops[i].src, ops[i].ret_len);
		good++;
	}
	return good;
}

static const uint8_t zeros[32];
static const struct ela_known_answer known = {zeros, zeros, zeros, zeros, 0, ELA_TAG_LEN, {0, 0}};
static const struct ela_suite suite = {
	.name = "none", .key_len = 32, .overhead = ELA_TAG_LEN, .known = &known, .n_known = 1};
static const struct ela_cipher_ops cipher_ops = {.suites = &suite,
	.n_suites = 1,
	.suite_size = sizeof suite,
	.create = cipher_create,
	.destroy = cipher_destroy,
	.key_new = key_new,
	.key_free = cipher_destroy,
	.seal = seal,
	.open = open_burst};

const struct ela_plugin near_cipher = {.magic = ELA_PLUGIN_MAGIC,
	.abi_major = ELA_ABI_MAJOR,
	.abi_minor = ELA_ABI_MINOR,
	.kind = ELA_KIND_CIPHER,
	.ops_size = sizeof cipher_ops,
	.name = "near",
	.version = "1",
	.licence = "Apache-2.0",
	.summary = "takes every tag, for fuzzing",
	.ops = &cipher_ops,
	.option_size = sizeof(struct ela_option)};

/* ---- seams (-Wl,--wrap) ---- */

bool __real_ela_handshake_mac1_ok(const uint8_t *data, uint32_t len, const uint8_t mac1_key[32]);
bool __wrap_ela_handshake_mac1_ok(const uint8_t *data, uint32_t len, const uint8_t mac1_key[32]);
int __wrap_ela_chachapoly_open(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
	const uint8_t *sealed, size_t len, uint8_t *out);
int __wrap_ela_cipher_selftest(
	const struct ela_loaded *plugin, void *instance, uint32_t number, char *ret_why, size_t why_len);

bool __wrap_ela_handshake_mac1_ok(const uint8_t *data, uint32_t len, const uint8_t mac1_key[32])
{
	(void)__real_ela_handshake_mac1_ok(data, len, mac1_key); /* it reads what it would; its verdict is the seam */
	return data[len - ELA_MAC_LEN - 1] != NEAR_FORGED;
}

int __wrap_ela_chachapoly_open(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
	const uint8_t *sealed, size_t len, uint8_t *out)
{
	(void)key, (void)nonce, (void)aad, (void)aad_len;
	if (!taken(sealed, len))
		return -EBADMSG;
	memmove(out, sealed, len - ELA_TAG_LEN);
	return 0;
}

int __wrap_ela_cipher_selftest(
	const struct ela_loaded *plugin, void *instance, uint32_t number, char *ret_why, size_t why_len)
{
	(void)plugin, (void)instance, (void)number, (void)ret_why, (void)why_len;
	return 0;
}

/* ---- the judge ---- */

static void judge(struct lone *l, const struct ela_packet *pkt)
{
	static uint8_t bytes[65536];
	struct ela_packet whole = *pkt;
	struct ela_packet_class cls;
	const struct ela_fib *sources = atomic_load(&l->node->sources);
	const struct ela_peer *from;

	whole.data = bytes;
	whole.len = whole.len_total = lone_gather(pkt, bytes);
	whole.n_more = 0;
	whole.more = NULL;
	if (ela_packet_classify(&whole, &cls) != 0)
		input_fail("the device is given what is no packet");
	from = cls.version == 4 ? ela_fib_lookup4(sources, bytes + 12) : ela_fib_lookup6(sources, bytes + 8);
	if (!from)
		input_fail("the device is given a packet from an address of nobody");
}

static int on_write(struct lone *l, const struct ela_packet *pkt)
{
	static const int answers[] = {0, -EAGAIN, -EOPNOTSUPP, -EIO};
	struct near *n = l->data;
	int err = answers[n->plan & 3];

	n->plan >>= 2;
	judge(l, pkt);
	if (err == -EOPNOTSUPP && pkt->gso_type == ELA_GSO_NONE)
		err = 0; /* a device takes packets that need nothing */
	if (err == -EOPNOTSUPP)
		l->caps = 0;
	return err;
}

void near_start(struct near *n)
{
	static const uint8_t knows[] = {2, 3, 0};
	static const struct lone_spec spec = {
		.cipher = &near_cipher, .number = NEAR_SELF, .lanes = 2, .knows = knows, .dials = true};
	static struct lone *l; /* one for the process: a new one costs milliseconds */

	if (!l)
		l = lone_new(lone_world_new(&spec, 1), 0, ela_loop_virtual_new(1));
	*n = (struct near){.loop = l->loop, .l = l};
	l->data = n;
	l->on_write = on_write;
	n->two = lone_session(n->l, 2, NEAR_OWN, 0xa1a2a3a4, NEAR_LANES, 50);
	n->three = lone_session(n->l, 3, NEAR_OWN_3, 0xb1b2b3b4, 1, 60);
	lone_look(n->l);
}

void near_end(struct near *n)
{
	lone_renew(n->l);
}
