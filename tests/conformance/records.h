/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records: a stand-in for signed records, for hosts that have no keys: what struct ela_record_info says, a checksum in
 * the place of a signature, and padding. Pure functions.
 */
#ifndef ELA_CHECK_RECORDS_H
#define ELA_CHECK_RECORDS_H

#include <ela/ela.h>

#define RECORD_MIN 72u /* bytes of one without padding */

/* Writes a record of len bytes, RECORD_MIN..ELA_RECORD_MAX. */
void record_make(const struct ela_record_info *info, uint32_t len, uint8_t *ret);
/* 0 or -EBADMSG, as host->record_check(). */
int record_read(const void *bytes, uint32_t len, struct ela_record_info *ret);
/* As host->record_compare(): the smaller key hash holds the ID. */
int record_order(const struct ela_record_info *a, const struct ela_record_info *b);

#endif
