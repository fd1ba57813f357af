/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rsa: RSA keys and RSA-PSS on OpenSSL 3 (see rsa.h). A public key is its DER bytes, checked against the one form that
 * we make; OpenSSL sees only keys that passed. Failures leave OpenSSL's error queue empty. Control thread.
 */
#include "rsa.h"
#include "file.h"
#include "keys.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define SALT_LEN 32
#define PEM_MAX 4096u /* a key of 4096 bits has 3,272 */
#define HEAD_LEN 33u  /* all in front of the modulus */
#define TAIL_LEN 5u   /* the exponent */

struct ela_rsa {
	EVP_PKEY *pkey;
	struct ela_rsa_public public_key;
};

static int result(bool ok, int error)
{
	if (ok)
		return 0;
	ERR_clear_error();
	return error;
}

/* ---- the form of a public key ---- */

/*
 * SubjectPublicKeyInfo (RFC 5280 4.1.2.7, RFC 8017 A.1.1) of a key with a modulus of n bytes whose top bit is set: all
 * lengths follow from n and take two bytes, so one spelling exists.
 */
static void make_head(size_t n, uint8_t head[HEAD_LEN])
{
	static const uint8_t algorithm[] = {
		0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
	const struct {
		uint8_t tag;
		size_t len;
	} nests[] = {{0x30, n + 34}, {0x03, n + 15}, {0x30, n + 10}, {0x02, n + 1}};
	uint8_t *p = head;

	for (size_t i = 0; i < G_N_ELEMENTS(nests); i++) {
		*p++ = nests[i].tag;
		*p++ = 0x82; /* two bytes of length follow */
		*p++ = (uint8_t)(nests[i].len >> 8);
		*p++ = (uint8_t)nests[i].len;
		if (i == 0) {
			memcpy(p, algorithm, sizeof algorithm);
			p += sizeof algorithm;
		}
		if (i == 1 || i == 3)
			*p++ = 0; /* no unused bits; a positive number */
	}
}

static bool has_form(const uint8_t *der, size_t len)
{
	static const uint8_t exponent[TAIL_LEN] = {0x02, 0x03, 0x01, 0x00, 0x01};
	uint8_t head[HEAD_LEN];
	size_t n;

	if (len < HEAD_LEN + ELA_RSA_MIN_SIGNATURE + TAIL_LEN || len > ELA_RSA_MAX_DER)
		return false;
	n = len - HEAD_LEN - TAIL_LEN;
	make_head(n, head);
	return memcmp(der, head, HEAD_LEN) == 0 && (der[HEAD_LEN] & 0x80) != 0 && (der[HEAD_LEN + n - 1] & 1) != 0 &&
		   memcmp(der + HEAD_LEN + n, exponent, TAIL_LEN) == 0;
}

int ela_rsa_public_parse(const void *der, size_t len, struct ela_rsa_public *ret)
{
	const struct ela_bytes all = {der, len};
	struct ela_rsa_public key = {.len = (uint32_t)len};

	if (!has_form(der, len) || ela_sha256(&all, 1, key.hash) != 0)
		return -EBADMSG;
	memcpy(key.der, der, len);
	*ret = key;
	return 0;
}

size_t ela_rsa_signature_len(const struct ela_rsa_public *key)
{
	return key->len - HEAD_LEN - TAIL_LEN;
}

/* ---- keys with their private part ---- */

/* Takes pkey over. NULL: not a key of ours. */
static struct ela_rsa *adopt(EVP_PKEY *pkey)
{
	struct ela_rsa *key = g_new0(struct ela_rsa, 1);
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);

	key->pkey = pkey;
	if (len <= 0 || !EVP_PKEY_is_a(pkey, "RSA") || ela_rsa_public_parse(der, (size_t)len, &key->public_key) != 0) {
		ela_rsa_free(key);
		key = NULL;
	}
	OPENSSL_free(der);
	return key;
}

int ela_rsa_generate(uint32_t bits, struct ela_rsa **ret)
{
	EVP_PKEY *pkey;
	struct ela_rsa *key;

	if (bits < ELA_RSA_MIN_BITS || bits > ELA_RSA_MAX_BITS || bits % 8 != 0)
		return -EINVAL;
	pkey = EVP_RSA_gen(bits); /* e is 65537 */
	key = pkey ? adopt(pkey) : NULL;
	if (key)
		*ret = key;
	return result(key != NULL, -EIO);
}

void ela_rsa_free(struct ela_rsa *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey); /* clears its numbers */
	g_free(key);
}

const struct ela_rsa_public *ela_rsa_public(const struct ela_rsa *key)
{
	return &key->public_key;
}

/* An encrypted file is refused; without this OpenSSL would ask the terminal. */
static int no_password(char *buf, int size, int writing, void *data)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)data = true;
	return -1;
}

static struct ela_rsa *parse_pem(const char *text, size_t len, bool *ret_encrypted)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, ret_encrypted) : NULL;

	BIO_free(bio);
	return pkey ? adopt(pkey) : NULL;
}

int ela_rsa_read(const char *file, struct ela_rsa **ret, GError **error)
{
	char text[PEM_MAX + 1]; /* one more shows that the file is longer */
	struct ela_rsa *key = NULL;
	bool encrypted = false;
	size_t len = 0;
	int err = ela_file_get_secret(file, text, sizeof text, &len, error);

	if (err == 0 && len <= PEM_MAX)
		key = parse_pem(text, len, &encrypted);
	ela_wipe(text, sizeof text);
	if (err != 0)
		return err;
	if (!key) {
		ERR_clear_error();
		return ela_file_fail(error, EINVAL,
			"holds no key; expected %sPEM of an RSA key of %u to %u bits, exponent 65537",
			encrypted ? "not encrypted " : "", ELA_RSA_MIN_BITS, ELA_RSA_MAX_BITS);
	}
	*ret = key;
	return 0;
}

int ela_rsa_write(const struct ela_rsa *key, const char *dir, const char *file, GError **error)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
	char *text = NULL;
	long len = 0;
	int err;

	if (bio && PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1)
		len = BIO_get_mem_data(bio, &text);
	if (len > 0)
		err = ela_key_write(dir, file, text, (size_t)len, error);
	else
		err = ela_file_fail(error, EIO, "libcrypto cannot write the key");
	BIO_free(bio);
	return result(err == 0, err);
}

/* ---- signatures ---- */

static bool use_pss(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		   EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, SALT_LEN) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

int ela_rsa_sign(const struct ela_rsa *key, const void *data, size_t len, uint8_t *out)
{
	const size_t wanted = ela_rsa_signature_len(&key->public_key);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx; /* belongs to md */
	size_t got = wanted;
	bool ok = md && EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key->pkey) == 1 && use_pss(ctx) &&
			  EVP_DigestSign(md, out, &got, data, len) == 1 && got == wanted;

	EVP_MD_CTX_free(md);
	return result(ok, -EIO);
}

int ela_rsa_verify(
	const struct ela_rsa_public *key, const void *data, size_t len, const uint8_t *signature, size_t signature_len)
{
	const uint8_t *der = key->der;
	EVP_PKEY_CTX *ctx; /* belongs to md */
	EVP_PKEY *pkey;
	EVP_MD_CTX *md;
	bool ready, ok;

	if (signature_len != ela_rsa_signature_len(key))
		return -EBADMSG;
	pkey = d2i_PUBKEY(NULL, &der, (long)key->len);
	md = EVP_MD_CTX_new();
	ready = pkey && md && EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, pkey) == 1 && use_pss(ctx);
	ok = ready && EVP_DigestVerify(md, signature, signature_len, data, len) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(pkey);
	return result(ok, ready ? -EBADMSG : -EIO);
}
