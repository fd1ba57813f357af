/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind cipher: suites, the named AEADs that sessions seal their frames with (thesis 5.2.2 Capsulation).
 *
 * A suite is a name on the wire; several plugins may provide the same one (aead and ipsecmb both give aes-256-gcm) and
 * must then be byte-compatible. Every suite authenticates nonce and ciphertext; there is no associated data. When a
 * cipher registers, core runs each suite's known answers, forged-tag and round-trip tests; a failure refuses the
 * plugin.
 */
#ifndef ELA_CIPHER_H
#define ELA_CIPHER_H

#include <ela/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELA_CIPHER_MAX_KEY 64u
#define ELA_CIPHER_MAX_OVERHEAD 64u

/* struct ela_suite.flags */
#define ELA_SUITE_WEAK 0x1u /* kept for history; warned of at start and used only where both ends name it */

/* One known answer: seal(key, nonce, plain) == sealed, unless the suite is random (then only open() is checked). 56
 * bytes. */
struct ela_known_answer {
	const uint8_t *key;   /* key_len bytes */
	const uint8_t *nonce; /* 12 bytes */
	const uint8_t *plain;
	const uint8_t *sealed;
	uint32_t plain_len;
	uint32_t sealed_len;
	uint64_t reserved[2];
};

/* A suite. 80 bytes. */
struct ela_suite {
	const char *name;     /* on the wire: [a-z0-9-], 1..32 bytes */
	uint32_t key_len;     /* bytes, 16..ELA_CIPHER_MAX_KEY */
	uint32_t overhead;    /* the most that sealing adds (tag, IV, padding), 16..ELA_CIPHER_MAX_OVERHEAD */
	uint32_t flags;       /* ELA_SUITE_* */
	uint32_t is_random;   /* 1 when seal() adds randomness of its own, so that sealing twice differs */
	uint64_t rekey_bytes; /* a new key is due after so many plaintext bytes of one key, 0 = by packets and time only */
	uint64_t max_bytes;   /* sealing stops after so many, 0 = none */
	const struct ela_known_answer *known; /* n_known entries, at least one */
	uint32_t n_known;
	uint32_t reserved32;
	uint64_t reserved[3];
};

/* Direction of a key. */
#define ELA_CIPHER_SEAL 0u
#define ELA_CIPHER_OPEN 1u

/*
 * One piece of work. 64 bytes. dst equals src, or the two do not overlap; the ops of one call never overlap each other.
 * Sealing: len plaintext bytes at src; dst has room for len + overhead; the plugin sets ret_len.
 * Opening: len sealed bytes at src (ciphertext and tag as seal made them); dst has room for len; the plugin sets
 * ret_len.
 */
struct ela_cipher_op {
	const uint8_t *src;
	uint8_t *dst;
	uint32_t len;
	uint32_t ret_len;
	int32_t verdict;   /* set by the plugin: 0, -EBADMSG (forged or cut), -EINVAL, -EIO (the library failed) */
	uint8_t nonce[12]; /* unique for the key; with a random suite it is authenticated all the same */
	uint64_t reserved[3];
};

struct ela_cipher_ops {
	/* since 0.1 */

	/* Data: the suites this plugin can provide. */
	const struct ela_suite *suites;
	uint32_t n_suites;
	uint32_t suite_size; /* sizeof(struct ela_suite) of the plugin's headers */

	/*
	 * [control] Makes an instance. Required. -ENOTSUP when the machine or a library lacks what all its suites need; the
	 * plugin logs the remedy (which package). *ret_self untouched on failure.
	 */
	int (*create)(const struct ela_host *host, void **ret_self);
	/* [control] Frees it; takes NULL. All its keys were freed before. Required. */
	void (*destroy)(void *self);
	/*
	 * [control] A key for one direction and one user at a time: core makes one per session, direction and lane.
	 * Required. key: suites[suite].key_len bytes, borrowed. *ret_key untouched on failure.
	 */
	int (*key_new)(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key);
	/* [control] Wipes and frees it; takes NULL. Required. */
	void (*key_free)(void *key);
	/*
	 * [any, one thread at a time per key] Seals ops[0..n). Returns how many have verdict 0. Required.
	 * A failed op has no output: its dst is wiped.
	 */
	uint32_t (*seal)(void *key, struct ela_cipher_op *ops, uint32_t n);
	/* The same for opening. The tag is compared in constant time; a failed op's dst is wiped over len bytes. Required.
	 */
	uint32_t (*open)(void *key, struct ela_cipher_op *ops, uint32_t n);
};

#ifdef __cplusplus
}
#endif
#endif
