/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken-transport: KEEPS takes a write's bytes later, when they are someone else's; COUNTS says that it sent what it
 * did not; CUTS loses the last datagram of a train.
 */
#include "broken.h"

#include <string.h>

static void break_ops(struct ela_transport_ops *ops);
BROKEN_PLUGIN(transport, NAME, break_ops);

#ifdef KEEPS
static struct iovec kept; /* one connection is enough to break */

static int write_broken(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err)
{
	struct iovec last = iov[n - 1];
	int taken = 0;

	if (kept.iov_len)
		(void)sound.conn_write(self, conn, &kept, 1, ret_err);
	kept.iov_len = 0;
	taken = sound.conn_write(self, conn, iov, n - 1, ret_err);
	kept = last;
	return taken + (int)last.iov_len;
}
#endif

#if defined(COUNTS) || defined(CUTS)
static int send_broken(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err)
{
#ifdef COUNTS
	int sent = sound.send_burst(self, lane, sends, n > 1 ? n - 1 : n, ret_err);

	return n > 1 && sent == (int)n - 1 ? (int)n : sent;
#else
	int sent = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ela_send send = sends[i];

		if (send.segment && send.segment < send.len)
			send.len = (send.len - 1) / send.segment * send.segment;
		if (sound.send_burst(self, lane, &send, 1, ret_err) != 1)
			break;
		sent++;
	}
	return sent;
#endif
}
#endif

static void break_ops(struct ela_transport_ops *broken)
{
#ifdef KEEPS
	broken->conn_write = write_broken;
#else
	broken->send_burst = send_broken;
#endif
}
