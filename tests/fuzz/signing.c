/* SPDX-License-Identifier: Apache-2.0 */
/* signing: every signature is right (see signing.h). Pure functions. */
#include "signing.h"
#include "input.h"

#include <errno.h>
#include <string.h>

int __wrap_ela_ed25519_verify(
	const uint8_t public_key[32], const void *data, size_t len, const uint8_t signature[ELA_ED25519_LEN])
{
	(void)public_key;
	(void)data;
	(void)len;
	(void)signature;
	return 0;
}

int __wrap_ela_rsa_verify(
	const struct ela_rsa_public *key, const void *data, size_t len, const uint8_t *signature, size_t signature_len)
{
	(void)data;
	(void)len;
	(void)signature;
	return signature_len == ela_rsa_signature_len(key) ? 0 : -EBADMSG;
}

int __wrap_ela_rsa_sign(const struct ela_rsa *key, const void *data, size_t len, uint8_t *out)
{
	(void)data;
	(void)len;
	memset(out, 0, ela_rsa_signature_len(ela_rsa_public(key)));
	return 0;
}

const struct ela_rsa *signing_key(void)
{
	static struct ela_rsa *key;

	if (!key && ela_rsa_generate(ELA_RSA_DEFAULT_BITS, &key) != 0)
		input_fail("no key");
	return key;
}
