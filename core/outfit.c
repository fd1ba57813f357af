/* SPDX-License-Identifier: Apache-2.0 */
/* outfit: writes a node's files (see outfit.h). Control thread. */
#include "outfit.h"
#include "file.h"
#include "inet.h"
#include "keys.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void ela_outfit_name(const char *host, char ret[ELA_NAME_ROOM])
{
	size_t n = 0;

	for (; *host != '\0' && *host != '.' && n < ELA_NAME_ROOM - 1; host++)
		if (g_ascii_isalnum(*host) || *host == '-' || *host == '_')
			ret[n++] = *host;
	ret[n] = '\0';
	if (n == 0)
		(void)g_strlcpy(ret, "host", ELA_NAME_ROOM); /* it fits */
}

int ela_outfit_put(const char *dir, const char *file, GBytes *bytes, GError **error)
{
	return ela_key_write(dir, file, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
}

int ela_outfit_rsa(const char *dir, const char *file, struct ela_rsa **ret, GError **error)
{
	struct ela_rsa *key = NULL;
	int err = ela_rsa_generate(ELA_RSA_DEFAULT_BITS, &key);

	if (err != 0)
		return ela_file_fail(error, -err, "libcrypto cannot make an RSA key");
	err = ela_rsa_write(key, dir, file, error);
	if (err == 0)
		*ret = key;
	else
		ela_rsa_free(key);
	return err;
}

/* "node.key" is what ela_keygen() makes of "node". */
static int make_key(int (*keygen)(const char *, const char *, char *, GError **), const char *dir, const char *file,
	uint8_t ret[32], GError **error)
{
	g_autofree char *name = g_strndup(file, strlen(file) - strlen(".key"));
	char text[ELA_KEY_TEXT];
	int err = keygen(dir, name, text, error);

	if (err == 0 && ela_key_decode(text, ret) != 0)
		err = ela_file_fail(error, EIO, "%s/%s: libcrypto makes a key that is none", dir, file);
	return err;
}

int ela_outfit_keys(struct ela_outfit *outfit, GError **error)
{
	int err = make_key(ela_keygen, outfit->config_dir, ELA_NODE_KEY_FILE, outfit->node.x25519, error);

	if (err == 0)
		err = make_key(ela_keygen_ed25519, outfit->config_dir, ELA_SIGN_KEY_FILE, outfit->node.ed25519, error);
	return err;
}

int ela_outfit_credential(const struct ela_outfit *outfit, const struct ela_signer *by, GBytes **ret, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	int err = ela_credential_sign(&outfit->node, outfit->network_id, by, &bytes, error);

	if (err == 0)
		err = ela_outfit_put(outfit->state_dir, ELA_CREDENTIAL_FILE, bytes, error);
	if (err == 0)
		*ret = g_steal_pointer(&bytes);
	return err;
}

static GString *ini_text(const struct ela_outfit *outfit)
{
	GString *text = g_string_new("[network]\nid = ");
	char prefix[ELA_INET_TEXT], wish[ELA_INET_TEXT];

	for (size_t i = 0; i < ELA_NETWORK_LEN; i++)
		g_string_append_printf(text, "%02x", outfit->network_id[i]);
	g_string_append_c(text, '\n');
	if (*outfit->network_name != '\0')
		g_string_append_printf(text, "name = %s\n", outfit->network_name);
	ela_inet_prefix_text(&outfit->prefix, prefix);
	g_string_append_printf(text, "prefix = %s\n", prefix);
	if (outfit->bootstraps && *outfit->bootstraps) {
		g_autofree char *list = g_strjoinv(", ", (char **)(uintptr_t)outfit->bootstraps);

		g_string_append_printf(text, "bootstrap = %s\n", list);
	}
	g_string_append_printf(text, "\n[node]\nname = %s\n", outfit->node.name);
	if (outfit->wish.family != ELA_ADDR_NONE) {
		ela_inet_addr_text(&outfit->wish, wish);
		g_string_append_printf(text, "address = %s\n", wish);
	}
	g_string_append_printf(text,
		"private-key-file = " ELA_NODE_KEY_FILE
		"\n\n[components]\nnpd = tun\ncipher = %s\ntransport = udp, tcp\nrouting = chord\n",
		outfit->cipher);
	return text;
}

int ela_outfit_ini(const struct ela_outfit *outfit, GError **error)
{
	g_autoptr(GBytes) bytes = g_string_free_to_bytes(ini_text(outfit));
	g_autofree char *file = g_build_filename(outfit->config_dir, ELA_INI_FILE, NULL);
	int err = ela_outfit_put(outfit->config_dir, ELA_INI_FILE, bytes, error);

	if (err == 0 && chmod(file, 0644) != 0) /* no secret: a reload reads it as another user than the start */
		err = ela_file_fail(error, errno, "%s: %s", file, g_strerror(errno));
	return err;
}
