/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body: fields of the bodies of signed objects, out of and into GVariants. A body has its kind's type already, so only
 * lengths and values can be wrong. Each taker returns false for those and leaves ret alone. Control thread.
 */
#ifndef ELA_CORE_BODY_H
#define ELA_CORE_BODY_H

#include "object.h"

#define ELA_NAME_ROOM 64u /* a name with its NUL */
#define ELA_RESERVED_MAX 16u

/* Overlay addresses that are kept for a user; host byte order, rising. */
struct ela_reserved {
	uint32_t n;
	uint32_t addresses[ELA_RESERVED_MAX];
};

/* Field i: exactly len bytes. */
bool ela_body_bytes(GVariant *tuple, size_t i, void *ret, size_t len);
/* Field i: a name as ela_key_is_name() has it. */
bool ela_body_name(GVariant *tuple, size_t i, char ret[ELA_NAME_ROOM]);
bool ela_body_rsa(GVariant *tuple, size_t i, struct ela_rsa_public *ret);
/* Field i: at most ELA_RESERVED_MAX addresses, strictly rising. */
bool ela_body_reserved(GVariant *tuple, size_t i, struct ela_reserved *ret);
/* Field i of type y, q, u, t or b as a number. */
uint64_t ela_body_number(GVariant *tuple, size_t i);
/* Field i of type ay as bytes of any length. g_bytes_unref. */
GBytes *ela_body_blob(GVariant *tuple, size_t i);

GVariant *ela_body_put(const void *bytes, size_t len); /* ay */
GVariant *ela_body_put_blob(GBytes *bytes);            /* ay; NULL: empty */
GVariant *ela_body_put_reserved(const struct ela_reserved *reserved);

#endif
