/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: tells the service manager how elad is (sd_notify(3)'s protocol: one datagram of VARIABLE=VALUE lines to the
 * AF_UNIX socket that NOTIFY_SOCKET names). Control thread. Without NOTIFY_SOCKET everything here does nothing.
 */
#ifndef ELA_CORE_NOTIFY_H
#define ELA_CORE_NOTIFY_H

#include <stdint.h>

struct ela_notify;

/* Reads and unsets NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. NULL when nobody wants to be told. */
struct ela_notify *ela_notify_new(void);
void ela_notify_free(struct ela_notify *notify); /* takes NULL, as all do */

void ela_notify_ready(struct ela_notify *notify, const char *status); /* status: one line for people */
void ela_notify_reloading(struct ela_notify *notify);                 /* ela_notify_ready() must follow */
void ela_notify_stopping(struct ela_notify *notify);
void ela_notify_watchdog(struct ela_notify *notify);

/* How often ela_notify_watchdog() is due, milliseconds: half of what the manager allows; 0 = no watchdog. */
uint32_t ela_notify_watchdog_ms(const struct ela_notify *notify);

#endif
