/* SPDX-License-Identifier: Apache-2.0 */
/* selftest: known answers of a cipher's suite, run before core trusts an instance with a key. Control thread. */
#ifndef ELA_CORE_SELFTEST_H
#define ELA_CORE_SELFTEST_H

#include "loader.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * Runs the suite's known answers, round trips in and out of place, as single ops and as a burst, and forged tags,
 * nonces and lengths. 0; -EINVAL for no such suite; -EIO when key_new failed; -EBADMSG for a wrong answer. On failure
 * why says which, with found and wanted.
 */
int ela_cipher_selftest(const struct ela_loaded *plugin, void *instance, uint32_t suite, char *ret_why, size_t why_len);

#endif
