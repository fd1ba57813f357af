/* SPDX-License-Identifier: Apache-2.0 */
/* ecn: explicit congestion notification in IP headers (RFC 3168, RFC 6040). Pure functions, any thread. */
#ifndef ELA_CORE_ECN_H
#define ELA_CORE_ECN_H

#include <stdbool.h>
#include <stdint.h>

#define ELA_ECN_CE 3u /* congestion experienced */

/*
 * Marks an IPv4 or IPv6 packet whose sender speaks ECN with CE; false, and untouched, when it does not: such a packet
 * is dropped instead. An IPv4 checksum is updated, not made anew, so a header that arrived broken stays broken.
 */
bool ela_ecn_mark(uint8_t *ip);

#endif
