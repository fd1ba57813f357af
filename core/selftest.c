/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest: a cipher plugin that seals wrongly would be noticed by nobody but an attacker, so each suite answers for
 * itself first. Control thread, once per instance and suite.
 */
#include "selftest.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NONCE_LEN 12u
#define ROUND_TRIP_LENS 6u
#define GUARD 0xa5 /* fills what must not be touched */
#define GUARD_LEN 16u

/* One suite under test. */
struct trial {
	const struct ela_cipher_ops *ops;
	const struct ela_suite *suite;
	void *seal_key, *open_key;
	char *why;
	size_t why_len;
};

G_GNUC_PRINTF(2, 3) static int wrong(struct trial *t, const char *format, ...)
{
	int head = snprintf(t->why, t->why_len, "suite %s: ", t->suite->name);
	va_list args;

	if (head >= 0 && (size_t)head < t->why_len) {
		va_start(args, format);
		(void)vsnprintf(t->why + head, t->why_len - (size_t)head, format, args); /* a cut reason is still one */
		va_end(args);
	}
	return -EBADMSG;
}

static int keys_new(struct trial *t, void *instance, uint32_t number, const uint8_t *key)
{
	int err = t->ops->key_new(instance, number, ELA_CIPHER_SEAL, key, &t->seal_key);

	if (err == 0) {
		err = t->ops->key_new(instance, number, ELA_CIPHER_OPEN, key, &t->open_key);
		if (err == 0)
			return 0;
		t->ops->key_free(t->seal_key);
		t->seal_key = NULL;
	}
	(void)wrong(t, "key_new: found error %d, wanted a key", err);
	return -EIO;
}

static void keys_free(struct trial *t)
{
	t->ops->key_free(t->seal_key);
	t->ops->key_free(t->open_key);
	t->seal_key = t->open_key = NULL;
}

/* Buffers are exactly as large as promised, guard bytes behind: a memory checker and the guard see one byte too many.
 */
static uint8_t *guarded_new(uint32_t room)
{
	uint8_t *buf = g_malloc0((gsize)room + GUARD_LEN);

	memset(buf + room, GUARD, GUARD_LEN);
	return buf;
}

static bool guard_holds(const uint8_t *buf, uint32_t room)
{
	for (uint32_t i = 0; i < GUARD_LEN; i++) {
		if (buf[room + i] != GUARD)
			return false;
	}
	return true;
}

static struct ela_cipher_op make_op(const uint8_t *src, uint8_t *dst, uint32_t len, const uint8_t nonce[NONCE_LEN])
{
	struct ela_cipher_op op = {.src = src, .dst = dst, .len = len, .verdict = INT32_MIN, .ret_len = UINT32_MAX};

	memcpy(op.nonce, nonce, NONCE_LEN);
	return op;
}

/* Seals plain into a buffer of len + overhead bytes; in place when in_place. *ret: g_free. */
static int seal(struct trial *t, const uint8_t *plain, uint32_t len, const uint8_t *nonce, bool in_place, uint8_t **ret,
	uint32_t *ret_len)
{
	uint32_t room = len + t->suite->overhead;
	g_autofree uint8_t *out = guarded_new(room);
	struct ela_cipher_op op = make_op(in_place ? out : plain, out, len, nonce);
	uint32_t n;

	if (in_place && len > 0)
		memcpy(out, plain, len);
	n = t->ops->seal(t->seal_key, &op, 1);
	if (n != 1 || op.verdict != 0)
		return wrong(t, "seal of %u bytes: found verdict %d and %u done, wanted 0 and 1", len, op.verdict, n);
	if (op.ret_len <= len || op.ret_len > room)
		return wrong(t, "seal of %u bytes: found %u sealed bytes, wanted %u..%u", len, op.ret_len, len + 1, room);
	if (!guard_holds(out, room))
		return wrong(t, "seal of %u bytes: found bytes written behind the buffer, wanted none", len);
	*ret = g_steal_pointer(&out);
	*ret_len = op.ret_len;
	return 0;
}

static int open_good(struct trial *t, const uint8_t *sealed, uint32_t sealed_len, const uint8_t *nonce,
	const uint8_t *plain, uint32_t len, bool in_place)
{
	g_autofree uint8_t *out = guarded_new(sealed_len);
	struct ela_cipher_op op = make_op(in_place ? out : sealed, out, sealed_len, nonce);
	uint32_t n;

	if (in_place)
		memcpy(out, sealed, sealed_len);
	n = t->ops->open(t->open_key, &op, 1);
	if (n != 1 || op.verdict != 0 || op.ret_len != len)
		return wrong(t, "open of %u bytes: found verdict %d and length %u, wanted 0 and %u", sealed_len, op.verdict,
			op.ret_len, len);
	if (len > 0 && memcmp(out, plain, len) != 0)
		return wrong(t, "open of %u bytes: found other plaintext than was sealed, wanted the same", sealed_len);
	if (!guard_holds(out, sealed_len))
		return wrong(t, "open of %u bytes: found bytes written behind the buffer, wanted none", sealed_len);
	return 0;
}

static int open_forged(struct trial *t, const uint8_t *sealed, uint32_t len, const uint8_t *nonce, const char *what)
{
	g_autofree uint8_t *out = guarded_new(len);
	struct ela_cipher_op op = make_op(sealed, out, len, nonce);
	uint32_t n;

	memset(out, GUARD, len);
	n = t->ops->open(t->open_key, &op, 1);
	if (n != 0 || op.verdict != -EBADMSG)
		return wrong(t, "%s: found verdict %d and %u opened, wanted %d and 0", what, op.verdict, n, -EBADMSG);
	for (uint32_t i = 0; i < len; i++) {
		if (out[i] != 0)
			return wrong(t, "%s: found output bytes, wanted them wiped", what);
	}
	return 0;
}

/* A flipped bit in the last, middle and first byte, another nonce, a cut end, nothing at all. */
static int forge(struct trial *t, const uint8_t *sealed, uint32_t len, const uint8_t *nonce)
{
	const uint32_t places[] = {len - 1, len / 2, 0};
	g_autofree uint8_t *copy = g_malloc(len);
	uint8_t other[NONCE_LEN];
	int err = 0;

	memcpy(copy, sealed, len);
	for (uint32_t i = 0; i < G_N_ELEMENTS(places) && err == 0; i++) {
		copy[places[i]] ^= 1;
		err = open_forged(t, copy, len, nonce, "a flipped bit");
		copy[places[i]] ^= 1;
	}
	memcpy(other, nonce, NONCE_LEN);
	other[NONCE_LEN - 1] ^= 1;
	if (err == 0)
		err = open_forged(t, sealed, len, other, "another nonce");
	if (err == 0)
		err = open_forged(t, sealed, len - 1, nonce, "a cut end");
	if (err == 0)
		err = open_forged(t, sealed, 0, nonce, "nothing");
	return err;
}

static int seal_and_open(struct trial *t, const uint8_t *plain, uint32_t len, const uint8_t *nonce,
	const struct ela_known_answer *known, bool in_place)
{
	g_autofree uint8_t *sealed = NULL;
	uint32_t sealed_len = 0;
	int err = seal(t, plain, len, nonce, in_place, &sealed, &sealed_len);

	if (err != 0)
		return err;
	if (known != NULL && !t->suite->is_random &&
		(sealed_len != known->sealed_len || memcmp(sealed, known->sealed, sealed_len) != 0))
		return wrong(t, "known answer of %u bytes: found another sealed text, wanted the recorded one", len);
	err = open_good(t, sealed, sealed_len, nonce, plain, len, in_place);
	return err != 0 ? err : forge(t, sealed, sealed_len, nonce);
}

static int run_known(struct trial *t, const struct ela_known_answer *k)
{
	int err = seal_and_open(t, k->plain, k->plain_len, k->nonce, k, false);

	if (err == 0)
		err = seal_and_open(t, k->plain, k->plain_len, k->nonce, k, true);
	if (err == 0)
		err = open_good(t, k->sealed, k->sealed_len, k->nonce, k->plain, k->plain_len, false);
	if (err == 0)
		err = forge(t, k->sealed, k->sealed_len, k->nonce);
	return err;
}

/* Lengths round a block's, a packet's and a superpacket's ends. */
static const uint32_t round_trip_lens[ROUND_TRIP_LENS] = {0, 1, 15, 16, 1420, 65535};

static int run_round_trips(struct trial *t)
{
	uint8_t nonce[NONCE_LEN] = {0};
	g_autofree uint8_t *plain = g_malloc(65535);
	int err = 0;

	for (uint32_t i = 0; i < 65535; i++)
		plain[i] = (uint8_t)(i * 7 + (i >> 8));
	for (uint32_t i = 0; i < ROUND_TRIP_LENS && err == 0; i++) {
		nonce[NONCE_LEN - 1] = (uint8_t)(2 * i);
		err = seal_and_open(t, plain, round_trip_lens[i], nonce, NULL, false);
		nonce[NONCE_LEN - 1]++;
		if (err == 0)
			err = seal_and_open(t, plain, round_trip_lens[i], nonce, NULL, true);
	}
	return err;
}

/* Opens a burst in which the middle one is forged: exactly that one fails. */
static int open_burst(
	struct trial *t, uint8_t *bufs[3], const uint32_t *lens, uint8_t nonces[3][NONCE_LEN], uint8_t fill)
{
	struct ela_cipher_op ops[3];
	uint32_t n;

	bufs[1][lens[1] - 1] ^= 0x80;
	for (uint32_t i = 0; i < 3; i++)
		ops[i] = make_op(bufs[i], bufs[i], lens[i], nonces[i]);
	n = t->ops->open(t->open_key, ops, 3);
	if (n != 2 || ops[0].verdict != 0 || ops[1].verdict != -EBADMSG || ops[2].verdict != 0)
		return wrong(t, "burst with its second forged: found %u opened and verdicts %d %d %d, wanted 2 and 0 %d 0", n,
			ops[0].verdict, ops[1].verdict, ops[2].verdict, -EBADMSG);
	for (uint32_t i = 0; i < lens[1]; i++) {
		if (bufs[1][i] != 0)
			return wrong(t, "burst: found output bytes of the forged one, wanted them wiped");
	}
	if (bufs[0][0] != fill || bufs[2][0] != fill + 2)
		return wrong(t, "burst: found other plaintext than was sealed, wanted the same");
	return 0;
}

static int run_burst(struct trial *t)
{
	const uint32_t len = 100, room = len + t->suite->overhead;
	const uint8_t fill = 0x40;
	uint8_t nonces[3][NONCE_LEN] = {{1}, {2}, {3}};
	uint8_t *bufs[3];
	uint32_t lens[3], n;
	struct ela_cipher_op ops[3];
	int err;

	for (uint32_t i = 0; i < 3; i++) {
		bufs[i] = guarded_new(room);
		memset(bufs[i], (int)(fill + i), len);
		ops[i] = make_op(bufs[i], bufs[i], len, nonces[i]);
	}
	n = t->ops->seal(t->seal_key, ops, 3);
	for (uint32_t i = 0; i < 3; i++)
		lens[i] = ops[i].ret_len;
	if (n != 3 || lens[0] - 1 >= room || lens[1] - 1 >= room || lens[2] - 1 >= room)
		err = wrong(t, "burst: found %u of 3 sealed, wanted all", n);
	else
		err = open_burst(t, bufs, lens, nonces, fill);
	for (uint32_t i = 0; i < 3; i++)
		g_free(bufs[i]);
	return err;
}

int ela_cipher_selftest(const struct ela_loaded *plugin, void *instance, uint32_t suite, char *ret_why, size_t why_len)
{
	struct trial t = {
		.ops = &plugin->cipher, .suite = ela_loaded_suite(plugin, suite), .why = ret_why, .why_len = why_len};
	uint8_t key[ELA_CIPHER_MAX_KEY];
	int err = 0;

	if (t.suite == NULL)
		return -EINVAL;
	for (uint32_t i = 0; i < t.suite->n_known && err == 0; i++) {
		err = keys_new(&t, instance, suite, t.suite->known[i].key);
		if (err == 0) {
			err = run_known(&t, &t.suite->known[i]);
			keys_free(&t);
		}
	}
	if (err != 0)
		return err;
	for (uint32_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(0x11 * i + 3);
	err = keys_new(&t, instance, suite, key);
	if (err != 0)
		return err;
	err = run_round_trips(&t);
	if (err == 0)
		err = run_burst(&t);
	keys_free(&t);
	return err;
}
