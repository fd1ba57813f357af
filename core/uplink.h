/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink: tells when the addresses or routes of this machine change, those of elad's own device aside (rtnetlink(7)):
 * what a node knew of its place in the Internet may be over. Control thread.
 */
#ifndef ELA_CORE_UPLINK_H
#define ELA_CORE_UPLINK_H

#include "loop.h"

#include <stdint.h>

#define ELA_UPLINK_REST_NS (5 * ELA_SEC) /* it tells no more often: routers may announce things all the time */

struct ela_uplink;

/* own_device: its name. changed is called from the loop. 0; -errno: the kernel gives no news, and *ret is untouched. */
int ela_uplink_new(
	struct ela_loop *loop, const char *own_device, void (*changed)(void *data), void *data, struct ela_uplink **ret);
void ela_uplink_free(struct ela_uplink *uplink); /* takes NULL */

#endif
