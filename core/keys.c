/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: makes, writes and reads private keys. What was secret is wiped from every buffer before it goes out of scope.
 * Control thread.
 */
#include "keys.h"
#include "crypto.h"
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TEXT_LEN (ELA_KEY_TEXT - 1)
#define NAME_MAX_LEN 63u

bool ela_key_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN || name[0] == '.')
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (!g_ascii_isalnum(*p) && strchr("-_.", *p) == NULL)
			return false;
	}
	return true;
}

int ela_key_decode(const char *text, uint8_t ret[ELA_KEY_LEN])
{
	uint8_t bytes[ELA_KEY_LEN + 1]; /* 44 characters give 33 bytes, the last from the padding */
	int err = -EINVAL;

	if (strlen(text) != TEXT_LEN || text[TEXT_LEN - 1] != '=')
		return -EINVAL;
	for (size_t i = 0; i < TEXT_LEN - 1; i++) { /* EVP_DecodeBlock skips blanks */
		if (!g_ascii_isalnum(text[i]) && text[i] != '+' && text[i] != '/')
			return -EINVAL;
	}
	/* a last byte that is not 0 has stray bits in the last character: a second spelling of the same key */
	if (EVP_DecodeBlock(bytes, (const unsigned char *)text, TEXT_LEN) == (int)sizeof bytes && bytes[ELA_KEY_LEN] == 0) {
		memcpy(ret, bytes, ELA_KEY_LEN);
		err = 0;
	}
	ela_wipe(bytes, sizeof bytes);
	return err;
}

void ela_key_encode(const uint8_t key[ELA_KEY_LEN], char out[ELA_KEY_TEXT])
{
	(void)EVP_EncodeBlock((unsigned char *)out, key, ELA_KEY_LEN); /* always 44 */
}

int ela_key_read(const char *file, uint8_t ret[ELA_KEY_LEN], GError **error)
{
	char text[TEXT_LEN + 2 + 1]; /* the line's end, one byte that must not be there */
	size_t n = 0;
	int err = ela_file_get_secret(file, text, sizeof text, &n, error);

	if (err == 0) {
		if (n == TEXT_LEN + 1 && text[TEXT_LEN] == '\n')
			n--;
		text[MIN(n, sizeof text - 1)] = '\0';
		if (n != TEXT_LEN || ela_key_decode(text, ret) != 0)
			err = ela_file_fail(error, EINVAL, "holds no key; expected one line of base64 made by \"elad keygen\"");
	}
	ela_wipe(text, sizeof text);
	return err;
}

int ela_key_write(const char *dir, const char *file, const void *text, size_t len, GError **error)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (dirfd < 0) {
		if (errno == ENOENT)
			return ela_file_fail(error, ENOENT, "%s: no such folder; make it first: mkdir -p %s", dir, dir);
		return ela_file_fail(error, errno, "%s: cannot be opened: %s", dir, g_strerror(errno));
	}
	err = ela_file_put(&ela_file_system, dirfd, file, ELA_FILE_NEW, text, len);
	(void)close(dirfd); /* read only */
	if (err == -EEXIST)
		return ela_file_fail(error, EEXIST,
			"%s/%s: exists already and is never overwritten; \"elad pubkey %s/%s\" prints its public key; choose "
			"another "
			"name or remove it",
			dir, file, dir, file);
	if (err == -EACCES || err == -EPERM || err == -EROFS)
		return ela_file_fail(error, -err, "%s: cannot create %s: %s; choose a folder that you may write to", dir, file,
			g_strerror(-err));
	if (err != 0)
		return ela_file_fail(error, -err, "%s/%s: cannot be written: %s", dir, file, g_strerror(-err));
	return 0;
}

int ela_key_random(uint8_t ret[ELA_KEY_LEN])
{
	uint8_t key[ELA_KEY_LEN];
	size_t done = 0;
	int err = 0;

	while (err == 0 && done < sizeof key) {
		ssize_t n = getrandom(key + done, sizeof key - done, 0);

		if (n < 0 && errno != EINTR)
			err = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (err == 0)
		memcpy(ret, key, sizeof key);
	ela_wipe(key, sizeof key);
	return err;
}

/* The public half of a private key of either kind. */
typedef int (*public_fn)(const uint8_t private_key[ELA_KEY_LEN], uint8_t out[ELA_KEY_LEN]);

static int make_key(
	const char *dir, const char *name, public_fn public_half, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	g_autofree char *file = g_strdup_printf("%s.key", name);
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	char text[ELA_KEY_TEXT + 1];
	int err = ela_key_random(private_key);

	if (err != 0)
		return ela_file_fail(error, -err, "no random bytes: %s", g_strerror(-err));
	if (public_half(private_key, public_key) != 0) {
		err = ela_file_fail(error, EIO, "libcrypto cannot make a key");
	} else {
		ela_key_encode(private_key, text);
		text[TEXT_LEN] = '\n';
		err = ela_key_write(dir, file, text, TEXT_LEN + 1, error);
		ela_wipe(text, sizeof text);
	}
	ela_wipe(private_key, sizeof private_key);
	if (err == 0)
		ela_key_encode(public_key, ret_public_b64);
	return err;
}

static int keygen(
	const char *dir, const char *name, public_fn public_half, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	if (!ela_key_is_name(name))
		return ela_file_fail(
			error, EINVAL, "bad name \"%s\"; expected 1..63 of A-Z a-z 0-9 - _ . and no dot in front", name);
	return make_key(dir, name, public_half, ret_public_b64, error);
}

int ela_keygen(const char *dir, const char *name, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	return keygen(dir, name, ela_x25519_public, ret_public_b64, error);
}

int ela_keygen_ed25519(const char *dir, const char *name, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	return keygen(dir, name, ela_ed25519_public, ret_public_b64, error);
}

int ela_key_public(const char *file, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	int err = ela_key_read(file, private_key, error);

	if (err != 0)
		return err;
	if (ela_x25519_public(private_key, public_key) != 0)
		err = ela_file_fail(error, EINVAL, "holds a key that libcrypto refuses; expected one made by \"elad keygen\"");
	else
		ela_key_encode(public_key, ret_public_b64);
	ela_wipe(private_key, sizeof private_key);
	return err;
}
