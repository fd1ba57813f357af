/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-crypto: core/crypto.c against the published vectors of FIPS 180-4, RFC 4231, RFC 5869, RFC 7748 and RFC 8439,
 * and what each function must refuse. One thread.
 */
#include "crypto.h"
#include "hex.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N(table) ((int)(sizeof table / sizeof table[0]))

static void fill(uint8_t *out, size_t n, unsigned first, unsigned step)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(first + step * i);
}

/* FIPS 180-4's examples, as NIST prints them. */
static const struct {
	const char *text, *digest;
} sha_cases[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(sha256)
{
	uint8_t want[ELA_HASH_LEN], got[ELA_HASH_LEN];
	size_t len = strlen(sha_cases[_i].text);

	ck_assert_uint_eq(hex(sha_cases[_i].digest, want, sizeof want), sizeof want);
	/* cut in two at every place: parts are concatenated */
	for (size_t cut = 0; cut <= len; cut++) {
		const struct ela_bytes parts[] = {{sha_cases[_i].text, cut}, {NULL, 0}, {sha_cases[_i].text + cut, len - cut}};

		memset(got, 0, sizeof got);
		ck_assert_int_eq(ela_sha256(parts, 3, got), 0);
		ck_assert_mem_eq(got, want, sizeof want);
	}
}
END_TEST

START_TEST(sha256_million)
{
	static char block[1000];
	static struct ela_bytes parts[1000];
	uint8_t want[ELA_HASH_LEN], got[ELA_HASH_LEN];

	memset(block, 'a', sizeof block);
	for (size_t i = 0; i < 1000; i++)
		parts[i] = (struct ela_bytes){block, sizeof block};
	(void)hex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", want, sizeof want);
	ck_assert_int_eq(ela_sha256(parts, 1000, got), 0);
	ck_assert_mem_eq(got, want, sizeof want);
}
END_TEST

/* RFC 4231, test cases 1 to 4, 6 and 7 (5 is cut to 128 bits); keys and data that repeat a byte are given as count. */
static const struct {
	const char *key;
	int key_repeat;
	const char *data; /* text, or hex of one byte when data_repeat */
	int data_repeat;
	const char *mac;
} hmac_cases[] = {
	{"0b", 20, "Hi There", 0, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"4a656665", 1, "what do ya want for nothing?", 0,
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"aa", 20, "dd", 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"0102030405060708090a0b0c0d0e0f10111213141516171819", 1, "cd", 50,
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{"aa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 0,
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"aa", 131,
		"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
		"hashed before being used by the HMAC algorithm.",
		0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

START_TEST(hmac)
{
	uint8_t key[131], data[256], want[ELA_HASH_LEN], got[ELA_HASH_LEN];
	size_t key_len, data_len;

	key_len = hex(hmac_cases[_i].key, key, sizeof key);
	if (hmac_cases[_i].key_repeat > 1) {
		key_len = (size_t)hmac_cases[_i].key_repeat;
		memset(key, key[0], key_len);
	}
	if (hmac_cases[_i].data_repeat) {
		ck_assert_uint_eq(hex(hmac_cases[_i].data, data, 1), 1);
		data_len = (size_t)hmac_cases[_i].data_repeat;
		memset(data, data[0], data_len);
	} else {
		data_len = strlen(hmac_cases[_i].data);
		memcpy(data, hmac_cases[_i].data, data_len);
	}
	(void)hex(hmac_cases[_i].mac, want, sizeof want);
	for (size_t cut = 0; cut <= data_len; cut++) {
		const struct ela_bytes parts[] = {{data, cut}, {data + cut, data_len - cut}};

		memset(got, 0, sizeof got);
		ck_assert_int_eq(ela_hmac_sha256(key, key_len, parts, 2, got), 0);
		ck_assert_mem_eq(got, want, sizeof want);
	}
}
END_TEST

/* RFC 5869, appendix A.1 to A.3: case, bytes counting up from ikm, salt, info. */
static const struct {
	unsigned ikm_first, ikm_step, ikm_len, salt_first, salt_len, info_first, info_len;
	const char *okm;
} hkdf_cases[] = {
	{0x0b, 0, 22, 0x00, 13, 0xf0, 10,
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
	{0x00, 1, 80, 0x60, 80, 0xb0, 80,
		"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
		"da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
	{0x0b, 0, 22, 0, 0, 0, 0, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

START_TEST(hkdf)
{
	uint8_t ikm[80], salt[80], info[80], want[82], got[82];
	size_t ikm_len = hkdf_cases[_i].ikm_len, info_len = hkdf_cases[_i].info_len;
	size_t len = hex(hkdf_cases[_i].okm, want, sizeof want);

	fill(ikm, ikm_len, hkdf_cases[_i].ikm_first, hkdf_cases[_i].ikm_step);
	fill(salt, hkdf_cases[_i].salt_len, hkdf_cases[_i].salt_first, 1);
	fill(info, info_len, hkdf_cases[_i].info_first, 1);
	for (size_t take = 0; take <= len; take++) {
		size_t cut = info_len ? take % info_len : 0;
		const struct ela_bytes parts[] = {{info, cut}, {info + cut, info_len - cut}};

		memset(got, 0x55, sizeof got);
		ck_assert_int_eq(ela_hkdf_sha256(salt, hkdf_cases[_i].salt_len, ikm, ikm_len, parts, 2, got, take), 0);
		ck_assert_mem_eq(got, want, take);
		ck_assert_msg(take == sizeof got || got[take] == 0x55, "wrote past %zu bytes", take);
	}
}
END_TEST

START_TEST(hkdf_bounds)
{
	static uint8_t out[255 * 32 + 1];

	ck_assert_int_eq(ela_hkdf_sha256(NULL, 0, "x", 1, NULL, 0, out, sizeof out), -EINVAL);
	ck_assert_int_eq(ela_hkdf_sha256(NULL, 0, "x", 1, NULL, 0, out, sizeof out - 1), 0);
	ck_assert_int_eq(out[sizeof out - 1], 0);
	ck_assert_mem_ne(out + 254 * 32, out, 32);
}
END_TEST

/* RFC 7748, section 5.2. */
static const struct {
	const char *scalar, *point, *out;
} x25519_cases[] = {
	{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		"e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		"c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		"e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		"95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
};

START_TEST(x25519)
{
	uint8_t scalar[32], point[32], want[32], got[32];

	(void)hex(x25519_cases[_i].scalar, scalar, 32);
	(void)hex(x25519_cases[_i].point, point, 32);
	(void)hex(x25519_cases[_i].out, want, 32);
	ck_assert(ela_x25519_point_ok(point));
	ck_assert_int_eq(ela_x25519(scalar, point, got), 0);
	ck_assert_mem_eq(got, want, 32);
}
END_TEST

/* RFC 7748, section 5.2: k, u = X25519(k, u), k; after one and after 1,000 rounds. */
START_TEST(x25519_iterated)
{
	uint8_t k[32] = {9}, u[32] = {9}, next[32], want[32];

	for (int i = 1; i <= 1000; i++) {
		ck_assert_int_eq(ela_x25519(k, u, next), 0);
		memcpy(u, k, 32);
		memcpy(k, next, 32);
		if (i == 1) {
			(void)hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", want, 32);
			ck_assert_mem_eq(k, want, 32);
		}
	}
	(void)hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", want, 32);
	ck_assert_mem_eq(k, want, 32);
}
END_TEST

/* RFC 7748, section 6.1. */
START_TEST(x25519_agreement)
{
	uint8_t a[32], b[32], a_public[32], b_public[32], want[32], got[32];

	(void)hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a, 32);
	(void)hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b, 32);
	ck_assert_int_eq(ela_x25519_public(a, a_public), 0);
	ck_assert_int_eq(ela_x25519_public(b, b_public), 0);
	(void)hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", want, 32);
	ck_assert_mem_eq(a_public, want, 32);
	(void)hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", want, 32);
	ck_assert_mem_eq(b_public, want, 32);
	(void)hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", want, 32);
	ck_assert_int_eq(ela_x25519(a, b_public, got), 0);
	ck_assert_mem_eq(got, want, 32);
	ck_assert_int_eq(ela_x25519(b, a_public, got), 0);
	ck_assert_mem_eq(got, want, 32);
}
END_TEST

/* The seven encodings below 2^255 whose multiples by eight are the neutral element; bit 255 makes no difference. */
static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

START_TEST(x25519_low_order)
{
	uint8_t point[32], scalar[32] = {0x48}, out[32];

	(void)hex(low_order[_i], point, 32);
	for (int high = 0; high < 2; high++) {
		point[31] ^= (uint8_t)(high << 7);
		ck_assert(!ela_x25519_point_ok(point));
		ck_assert_int_eq(ela_x25519(scalar, point, out), -EBADMSG);
		/* each neighbour is a point like any other */
		point[0] ^= 0x10;
		ck_assert(ela_x25519_point_ok(point));
		ck_assert_int_eq(ela_x25519(scalar, point, out), 0);
		point[0] ^= 0x10;
	}
}
END_TEST

/* RFC 8439, section 2.8.2 and appendix A.5. */
static const struct {
	const char *key, *nonce, *aad, *plain, *sealed;
} aead_cases[] = {
	{"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
		"50515253c0c1c2c3c4c5c6c7",
		"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
		"be it.",
		"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
		"1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
		"3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
	{"1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", "000000000102030405060708",
		"f33388860000000000004e91",
		"Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or "
		"obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material "
		"or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d",
		"64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0"
		"bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
		"9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9"
		"9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
		"0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130"
		"305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38"},
};

START_TEST(chachapoly)
{
	uint8_t key[32], nonce[12], aad[12], want[300], got[300];
	const char *plain = aead_cases[_i].plain;
	size_t len = strlen(plain);

	(void)hex(aead_cases[_i].key, key, sizeof key);
	(void)hex(aead_cases[_i].nonce, nonce, sizeof nonce);
	(void)hex(aead_cases[_i].aad, aad, sizeof aad);
	ck_assert_uint_eq(hex(aead_cases[_i].sealed, want, sizeof want), len + 16);
	ck_assert_int_eq(ela_chachapoly_seal(key, nonce, aad, sizeof aad, plain, len, got), 0);
	ck_assert_mem_eq(got, want, len + 16);
	ck_assert_int_eq(ela_chachapoly_open(key, nonce, aad, sizeof aad, want, len + 16, got), 0);
	ck_assert_mem_eq(got, plain, len);
	/* in place, both ways */
	memcpy(got, plain, len);
	ck_assert_int_eq(ela_chachapoly_seal(key, nonce, aad, sizeof aad, got, len, got), 0);
	ck_assert_mem_eq(got, want, len + 16);
	ck_assert_int_eq(ela_chachapoly_open(key, nonce, aad, sizeof aad, got, len + 16, got), 0);
	ck_assert_mem_eq(got, plain, len);
}
END_TEST

/* Opening is refused and nothing is delivered. */
static void refuse(const uint8_t *key, const uint8_t *nonce, const uint8_t *aad, const uint8_t *sealed, size_t len)
{
	static const uint8_t zero[300];
	uint8_t out[300];

	memset(out, 0x55, sizeof out);
	ck_assert_int_eq(ela_chachapoly_open(key, nonce, aad, 12, sealed, len, out), -EBADMSG);
	if (len >= 16)
		ck_assert_mem_eq(out, zero, len - 16);
}

START_TEST(chachapoly_forged)
{
	uint8_t key[32], nonce[12], aad[12], sealed[300];
	size_t len;

	(void)hex(aead_cases[_i].key, key, sizeof key);
	(void)hex(aead_cases[_i].nonce, nonce, sizeof nonce);
	(void)hex(aead_cases[_i].aad, aad, sizeof aad);
	len = hex(aead_cases[_i].sealed, sealed, sizeof sealed);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refuse(key, nonce, aad, sealed, len);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t i = 0; i < 3 * 12; i++) {
		uint8_t *where = i < 12 ? &nonce[i] : i < 24 ? &aad[i - 12] : &key[i - 24];

		*where ^= 0x80;
		refuse(key, nonce, aad, sealed, len);
		*where ^= 0x80;
	}
	for (size_t cut = 0; cut < len; cut++)
		refuse(key, nonce, aad, sealed, cut);
}
END_TEST

START_TEST(chachapoly_empty)
{
	const uint8_t key[32] = {1}, nonce[12] = {2};
	uint8_t tag[16];

	ck_assert_int_eq(ela_chachapoly_seal(key, nonce, NULL, 0, NULL, 0, tag), 0);
	ck_assert_int_eq(ela_chachapoly_open(key, nonce, NULL, 0, tag, sizeof tag, tag), 0);
	for (int bit = 0; bit < 128; bit++) {
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(ela_chachapoly_open(key, nonce, NULL, 0, tag, sizeof tag, tag), -EBADMSG);
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(ela_chachapoly_seal(key, nonce, NULL, 0, "", SIZE_MAX - 7, tag), -EMSGSIZE);
	ck_assert_int_eq(ela_chachapoly_open(key, nonce, NULL, 0, tag, SIZE_MAX - 7, tag), -EMSGSIZE);
}
END_TEST

START_TEST(equal_and_wipe)
{
	uint8_t a[64], b[64], zero[64] = {0};

	fill(a, sizeof a, 1, 1);
	memcpy(b, a, sizeof b);
	ck_assert(ela_equal(a, b, sizeof a));
	ck_assert(ela_equal(a, zero, 0));
	for (int bit = 0; bit < 8 * 64; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!ela_equal(a, b, sizeof a));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ela_wipe(b, sizeof b - 1);
	ck_assert_mem_eq(b, zero, sizeof b - 1);
	ck_assert_int_eq(b[63], 64);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto");
	TCase *tc = tcase_create("vectors");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, sha256, 0, N(sha_cases));
	tcase_add_test(tc, sha256_million);
	tcase_add_loop_test(tc, hmac, 0, N(hmac_cases));
	tcase_add_loop_test(tc, hkdf, 0, N(hkdf_cases));
	tcase_add_test(tc, hkdf_bounds);
	tcase_add_loop_test(tc, x25519, 0, N(x25519_cases));
	tcase_add_test(tc, x25519_iterated);
	tcase_add_test(tc, x25519_agreement);
	tcase_add_loop_test(tc, x25519_low_order, 0, N(low_order));
	tcase_add_loop_test(tc, chachapoly, 0, N(aead_cases));
	tcase_add_loop_test(tc, chachapoly_forged, 0, N(aead_cases));
	tcase_add_test(tc, chachapoly_empty);
	tcase_add_test(tc, equal_and_wipe);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
