/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken-transport: KEEPS takes a write's bytes later, when they are someone else's; COUNTS says that it sent what it
 * did not; CUTS loses the last datagram of a train; FAMILIAR probes from the port that it listens on. OLD has no
 * mistake: it is as the headers of ABI 0.2 would have made it.
 */
#include "broken.h"

#include <stddef.h>
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

#ifdef FAMILIAR
static int probe_broken(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	struct ela_path path = {.remote = *remote};
	struct ela_send send = {.data = bytes, .len = len, .path = &path};
	int err = 0;

	return sound.send_burst(self, 0, &send, 1, &err) == 1 ? 0 : err;
}
#endif

#ifdef OLD
/* After copy_and_break(): constructors of one file run in its order. */
static __attribute__((constructor)) void grow_old(void)
{
	ela_plugin.abi_minor = 2;
	ela_plugin.ops_size = 112; /* where the table ended in 0.2 */
	_Static_assert(offsetof(struct ela_transport_ops, probe) == 112, "0.3 begins behind what 0.2 had");
}
#endif

static void break_ops(struct ela_transport_ops *broken)
{
#ifdef KEEPS
	broken->conn_write = write_broken;
#elif defined(FAMILIAR)
	broken->probe = probe_broken;
#elif defined(OLD)
	broken->probe = NULL;
#else
	broken->send_burst = send_broken;
#endif
}
