/* SPDX-License-Identifier: Apache-2.0 */
/* format: numbers and words as people read them. Pure functions; any thread. */
#ifndef ELA_CORE_FORMAT_H
#define ELA_CORE_FORMAT_H

#include <stddef.h>

#define ELA_FORMAT_LEN 32u /* holds each of these */

/* "0s", "59s", "2m5s", "2h3m", "3d4h": the two largest units; "-" for what is negative or no number. */
void ela_format_time(double seconds, char out[ELA_FORMAT_LEN]);
/* "0 B", "1023 B", "1.5 KiB", "3.0 TiB": powers of 1024; "-" likewise. */
void ela_format_bytes(double bytes, char out[ELA_FORMAT_LEN]);
/* "0.041 ms", "12.3 ms", "1.25 s"; "-" likewise. */
void ela_format_ms(double ms, char out[ELA_FORMAT_LEN]);
/* "0.0 %"; "-" likewise. */
void ela_format_part(double part, char out[ELA_FORMAT_LEN]);
/* Without bytes that steer a terminal: C0, DEL, the C1 codes of UTF-8. "-" for NULL. g_free. */
char *ela_format_text(const char *text);

#endif
