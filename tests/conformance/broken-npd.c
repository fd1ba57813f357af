/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken-npd: UNALIGNED puts packets where they may not begin; OVERRUN writes behind its arena; FIELDS sets a field
 * that is not its own; CRASHES on a short packet; LEAKS a descriptor; TALKS on stdout; TIMER leaves a timer behind;
 * SWALLOWS every list of addresses. OLD has no mistake: it is as the headers of ABI 0.1 would have made it.
 */
#include "broken.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void break_ops(struct ela_npd_ops *ops);
BROKEN_PLUGIN(npd, NAME, break_ops);

#if defined(UNALIGNED) || defined(OVERRUN) || defined(FIELDS)
static int read_broken(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	int got = sound.read_burst(self, queue, arena, arena_len, headroom, pkts, n, ret_err);

	for (int i = 0; i < got; i++) {
#ifdef UNALIGNED
		memmove(pkts[i].data + 4, pkts[i].data, pkts[i].len);
		pkts[i].data += 4;
#elif defined(OVERRUN)
		arena[arena_len + 10] = 0;
#else
		pkts[i].hdr_len = 28;
#endif
	}
	return got;
}
#endif

#ifdef CRASHES
static int write_broken(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	for (uint32_t i = 0; i < n; i++)
		if (pkts[i].len < 20)
			__builtin_trap();
	return sound.write_burst(self, queue, pkts, n, ret_err);
}
#endif

#ifdef LEAKS
static void destroy_broken(void *self)
{
	sound.destroy(self);
	(void)!dup(STDIN_FILENO);
}
#endif

#ifdef SWALLOWS
static int set_addresses_broken(void *self, const char *const *addresses, uint32_t n)
{
	(void)self;
	(void)addresses;
	(void)n;
	return 0;
}
#endif

#ifdef OLD
/* After copy_and_break(): constructors of one file run in its order. */
static __attribute__((constructor)) void grow_old(void)
{
	ela_plugin.abi_minor = 1;
	ela_plugin.ops_size = 72; /* where the table ended in 0.1 */
	_Static_assert(offsetof(struct ela_npd_ops, set_addresses) == 72, "0.2 begins behind what 0.1 had");
}
#endif

#if defined(TALKS) || defined(TIMER)
static void ignore(void *data)
{
	(void)data;
}

static int create_broken(const struct ela_host *host, void **ret_self)
{
#ifdef TALKS
	printf("here I am\n");
	(void)ignore;
#else
	(void)host->timer_new(host, ignore, NULL);
#endif
	return sound.create(host, ret_self);
}
#endif

static void break_ops(struct ela_npd_ops *broken)
{
#if defined(UNALIGNED) || defined(OVERRUN) || defined(FIELDS)
	broken->read_burst = read_broken;
#elif defined(CRASHES)
	broken->write_burst = write_broken;
#elif defined(SWALLOWS)
	broken->set_addresses = set_addresses_broken;
#elif defined(OLD)
	broken->set_addresses = NULL;
#elif defined(LEAKS)
	broken->destroy = destroy_broken;
#else
	broken->create = create_broken;
#endif
}
