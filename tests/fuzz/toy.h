/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toy: a cipher that hides nothing but whose tag depends on key, nonce and bytes, so that a frame opens under its own
 * key only; fast and the same everywhere. For targets that look at who holds which key. Its self-test is not asked (a
 * seam at link time, see meson.build).
 */
#ifndef ELA_FUZZ_TOY_H
#define ELA_FUZZ_TOY_H

#include <ela/plugin.h>

extern const struct ela_plugin toy_cipher;

#endif
