/* SPDX-License-Identifier: Apache-2.0 */
/* A name server for a test's own network namespace, where this machine's /etc/resolv.conf expects one. */
#ifndef ELA_TESTS_NAME_SERVER_H
#define ELA_TESTS_NAME_SERVER_H

#define NAME_SERVER_IP4 "\xc0\x00\x02\x4d" /* 192.0.2.77, what every name stands for */

/*
 * Sets the loopback device up, gives it the address of the first name server, and answers there from a process of its
 * own that ends with the caller. NULL, or what failed.
 */
const char *name_server_start(void);

#endif
