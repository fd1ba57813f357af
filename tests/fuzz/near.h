/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near: what the targets around one node share: a node (tests/unit/lone.h) whose cipher takes every tag, so that the
 * fuzzer starts behind the check that a stranger cannot pass, and the judge of what reaches the device.
 *
 * The seams are at link time (meson.build, near_wraps): mac1 is always right, the handshake's and the control thread's
 * AEAD only copies, and the cipher's self-test is not asked. Of all three, only a tag that ends in NEAR_FORGED is
 * refused.
 */
#ifndef ELA_FUZZ_NEAR_H
#define ELA_FUZZ_NEAR_H

#include "input.h"
#include "lone.h"

#define NEAR_FORGED 0xbdu
#define NEAR_OWN 0x01020304u /* receiver indices: the node's session with peer 2, and with peer 3 */
#define NEAR_OWN_3 0x01020305u
#define NEAR_LANES 3u /* that peer 2 sends from; peer 3 has one */
#define NEAR_SELF 1u  /* 10.88.0.1: node ID d305da42 */

/*
 * A node with sessions to peers 2 and 3, an endpoint for each on the datagram transport, and a device. What it writes
 * is judged: a whole packet from an address of a peer. *plan is the device's answers, two bits each from the lowest:
 * taken, -EAGAIN, -EOPNOTSUPP, -EIO.
 */
struct near {
	struct ela_loop *loop;
	struct lone *l;
	uint64_t plan;
	struct ela_session *two, *three;
};
void near_start(struct near *n);
void near_end(struct near *n);

/* Takes every tag but NEAR_FORGED. */
extern const struct ela_plugin near_cipher;

#endif
