/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: makes, writes and reads private keys. What was secret is wiped from every buffer before it goes out of scope.
 * Control thread.
 */
#include "keys.h"
#include "crypto.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
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

G_GNUC_PRINTF(3, 4) static int fail(GError **error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error != NULL)
		*error = g_error_new_valist(G_FILE_ERROR, (gint)g_file_error_from_errno(err), format, args);
	va_end(args);
	return -err;
}

static int check_key_file(const char *file, int fd, GError **error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(error, errno, "cannot be examined: %s", g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(error, EINVAL, "not a regular file; expected a file made by \"elad keygen\"");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fail(error, EPERM, "owned by uid %u; expected uid %u or root: chown %u %s", (unsigned)st.st_uid,
			(unsigned)geteuid(), (unsigned)geteuid(), file);
	if ((st.st_mode & 077) != 0)
		return fail(error, EPERM, "mode is %04o, open to group or others; expected 0600: chmod 600 %s",
			(unsigned)(st.st_mode & 07777), file);
	return 0;
}

/* Reads up to len bytes; -errno. */
static ssize_t read_all(int fd, char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_key_text(int fd, uint8_t ret[ELA_KEY_LEN], GError **error)
{
	char text[TEXT_LEN + 2 + 1]; /* the line's end, one byte that must not be there */
	ssize_t n = read_all(fd, text, sizeof text);
	int err = 0;

	if (n < 0) {
		err = fail(error, (int)-n, "cannot be read: %s", g_strerror((int)-n));
	} else {
		if (n == TEXT_LEN + 1 && text[TEXT_LEN] == '\n')
			n--;
		text[MIN((size_t)n, sizeof text - 1)] = '\0';
		if (n != TEXT_LEN || ela_key_decode(text, ret) != 0)
			err = fail(error, EINVAL, "holds no key; expected one line of base64 made by \"elad keygen\"");
	}
	ela_wipe(text, sizeof text);
	return err;
}

static int fail_to_open(const char *file, int err, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(file);
	g_autofree char *name = g_path_get_basename(file);

	if (err == ENOENT && g_str_has_suffix(name, ".key")) {
		name[strlen(name) - strlen(".key")] = '\0';
		return fail(error, err, "is not there; make it: elad keygen %s %s", dir, name);
	}
	if (err == ENOENT)
		return fail(error, err, "is not there; make one: elad keygen %s NAME makes %s/NAME.key", dir, dir);
	return fail(error, err, "cannot be opened: %s%s", g_strerror(err), err == EACCES ? "; run as root" : "");
}

int ela_key_read(const char *file, uint8_t ret[ELA_KEY_LEN], GError **error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* not blocking: may be a FIFO */
	int err;

	if (fd < 0)
		return fail_to_open(file, errno, error);
	err = check_key_file(file, fd, error);
	if (err == 0)
		err = read_key_text(fd, ret, error);
	(void)close(fd); /* read only: nothing can be lost */
	return err;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * The whole text on the disk under a name of its own, then linked: link(2) never replaces, so an existing key stays and
 * a crash leaves no half key under the real name.
 */
static int write_key_file(int dirfd, const char *dir, const char *name, const char *text, GError **error)
{
	g_autofree char *final = g_strdup_printf("%s.key", name);
	g_autofree char *temporary = g_strdup_printf(".%s.key.%08x", name, g_random_int());
	int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return fail(error, errno, "%s: cannot create %s: %s; choose a folder that you may write to", dir, final,
			g_strerror(errno));
	err = fchmod(fd, 0600) != 0 ? errno : write_all(fd, text, strlen(text)); /* whatever the umask */
	if (err == 0 && fsync(fd) != 0)
		err = errno;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0 && linkat(dirfd, temporary, dirfd, final, 0) != 0)
		err = errno;
	(void)unlinkat(dirfd, temporary, 0); /* ours; if it stays it is 0600 and harmless */
	if (err == EEXIST)
		return fail(error, EEXIST,
			"%s/%s: exists already and is never overwritten; \"elad pubkey %s/%s\" prints its public key; choose "
			"another name or remove it",
			dir, final, dir, final);
	if (err != 0)
		return fail(error, err, "%s/%s: cannot be written: %s", dir, final, g_strerror(err));
	(void)fsync(dirfd); /* not every file system can; the file itself is synced */
	return 0;
}

static int random_key(uint8_t key[ELA_KEY_LEN])
{
	size_t done = 0;

	while (done < ELA_KEY_LEN) {
		ssize_t n = getrandom(key + done, ELA_KEY_LEN - done, 0);

		if (n < 0 && errno != EINTR)
			return errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int make_key(int dirfd, const char *dir, const char *name, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	char text[ELA_KEY_TEXT + 1];
	int err = random_key(private_key);

	if (err != 0)
		return fail(error, err, "no random bytes: %s", g_strerror(err));
	if (ela_x25519_public(private_key, public_key) != 0) {
		err = fail(error, EIO, "libcrypto cannot make an X25519 key");
	} else {
		ela_key_encode(private_key, text);
		text[TEXT_LEN] = '\n';
		text[TEXT_LEN + 1] = '\0';
		err = write_key_file(dirfd, dir, name, text, error);
		ela_wipe(text, sizeof text);
	}
	ela_wipe(private_key, sizeof private_key);
	if (err == 0)
		ela_key_encode(public_key, ret_public_b64);
	return err;
}

int ela_keygen(const char *dir, const char *name, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	int dirfd, err;

	if (!ela_key_is_name(name))
		return fail(error, EINVAL, "bad name \"%s\"; expected 1..63 of A-Z a-z 0-9 - _ . and no dot in front", name);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0) {
		if (errno == ENOENT)
			return fail(error, ENOENT, "%s: no such folder; make it first: mkdir -p %s", dir, dir);
		return fail(error, errno, "%s: cannot be opened: %s", dir, g_strerror(errno));
	}
	err = make_key(dirfd, dir, name, ret_public_b64, error);
	(void)close(dirfd); /* read only */
	return err;
}

int ela_key_public(const char *file, char ret_public_b64[ELA_KEY_TEXT], GError **error)
{
	uint8_t private_key[ELA_KEY_LEN], public_key[ELA_KEY_LEN];
	int err = ela_key_read(file, private_key, error);

	if (err != 0)
		return err;
	if (ela_x25519_public(private_key, public_key) != 0)
		err = fail(error, EINVAL, "holds a key that libcrypto refuses; expected one made by \"elad keygen\"");
	else
		ela_key_encode(public_key, ret_public_b64);
	ela_wipe(private_key, sizeof private_key);
	return err;
}
