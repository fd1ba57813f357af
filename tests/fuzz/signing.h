/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing: behind it every signature of the right length is right, and made without arithmetic (linked with --wrap). A
 * fuzzer has no private keys; what stands behind a signature must be sound all the same, for a member's key may be
 * stolen.
 */
#ifndef ELA_FUZZ_SIGNING_H
#define ELA_FUZZ_SIGNING_H

#include "crypto.h"
#include "rsa.h"

int __wrap_ela_ed25519_verify(
	const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[ELA_ED25519_LEN]);
int __wrap_ela_rsa_verify(
	const struct ela_rsa_public *key, const void *data, size_t len, const uint8_t *signature, size_t signature_len);
int __wrap_ela_rsa_sign(const struct ela_rsa *key, const void *data, size_t len, uint8_t *out);

/* A key that any owner or user may have: made once, as it takes a second. */
const struct ela_rsa *signing_key(void);

#endif
