/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-netns: a network namespace of the test's own, so that ports, addresses and MTUs are nobody else's. Any thread,
 * before others are started.
 */
#ifndef ELA_TEST_NETNS_H
#define ELA_TEST_NETNS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Moves the process into a new namespace with lo up, 127.0.0.1 and ::1, that forwards nothing. Ends the program: with
 * 77 (skipped) and a message without the right to make one (root), with 99 and a message where the machine has no IPv6.
 */
void test_netns_enter(void);

/* These end the program with 99 and a message when they fail. */
void test_netns_mtu(const char *interface, int mtu);
void test_netns_add4(const char *interface, const char *ip, const char *netmask);
void test_netns_add6(const char *interface, const char *ip, uint32_t prefix_len);
void test_netns_up(const char *interface);
void test_netns_forward(bool on);
/* A TAP device that nobody reads, up, with an address; the device lives as long as the descriptor it returns. */
int test_netns_tap(const char *interface, const char *ip, const char *netmask);

/* From now on the kernel says of IPv6 sockets what one without IPv6 would. There is no way back. */
void test_netns_hide_ipv6(void);

#endif
