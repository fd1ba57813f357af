/* SPDX-License-Identifier: Apache-2.0 */
/* keys: X25519 and Ed25519 keys as files and base64 text. Control thread. */
#ifndef ELA_CORE_KEYS_H
#define ELA_CORE_KEYS_H

#include "config.h"
#include <stdint.h>

#define ELA_KEY_TEXT 45u /* base64 of a key with its NUL */

/* Canonical base64 of 32 bytes, nothing around it. 0, -EINVAL. */
int ela_key_decode(const char *text, uint8_t ret[ELA_KEY_LEN]);
void ela_key_encode(const uint8_t key[ELA_KEY_LEN], char out[ELA_KEY_TEXT]);

/*
 * Reads a private key: a regular file of root or of the user running, of no mode bits for group and others, holding one
 * line of base64. 0, or a negative errno with error (G_FILE_ERROR; the message does not name the file).
 */
int ela_key_read(const char *file, uint8_t ret[ELA_KEY_LEN], GError **error);

/*
 * Makes a key pair: writes the private key to DIR/NAME.key (0600, never over an existing file, never half) and returns
 * the public key's base64. Prints nothing. 0, or a negative errno (-EEXIST, -ENOENT, -EACCES, -EINVAL) with error.
 */
int ela_keygen(const char *dir, const char *name, char ret_public_b64[ELA_KEY_TEXT], GError **error);

/* The same with an Ed25519 pair. */
int ela_keygen_ed25519(const char *dir, const char *name, char ret_public_b64[ELA_KEY_TEXT], GError **error);

/* Writes a secret to DIR/FILE: 0600, never over an existing file, never half. 0, or a negative errno with error. */
int ela_key_write(const char *dir, const char *file, const void *text, size_t len, GError **error);

/* Random bytes for a private key. 0, -errno. */
int ela_key_random(uint8_t ret[ELA_KEY_LEN]);

/* The public key's base64 of a private key's file; as ela_key_read(). */
int ela_key_public(const char *file, char ret_public_b64[ELA_KEY_TEXT], GError **error);

/* Names of nodes, users, peers and key files: 1..63 of A-Z a-z 0-9 - _ . and no dot in front. */
bool ela_key_is_name(const char *name);

#endif
