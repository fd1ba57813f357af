/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken-routing: OVERWRITES has an insert() that replaces; STAYS leaves its routes at stop();
 * TWICE answers a lookup two times.
 */
#include "broken.h"

#include <errno.h>
#include <unistd.h>

static void break_ops(struct ela_routing_ops *ops);
BROKEN_PLUGIN(routing, NAME, break_ops);

#ifdef OVERWRITES
static int insert_broken(void *self, uint32_t id, const void *record, uint32_t len)
{
	int err = sound.insert(self, id, record, len);

	return err == -EEXIST ? sound.update(self, id, record, len) : err;
}
#endif

#ifdef STAYS
static void stop_broken(void *self)
{
	(void)self;
}
#endif

#ifdef TWICE
static void lookup_broken(void *self, uint32_t id, ela_lookup_done done, void *data)
{
	sound.lookup(self, id, done, data);
	sound.lookup(self, id, done, data);
}
#endif

static void break_ops(struct ela_routing_ops *broken)
{
#ifdef OVERWRITES
	broken->insert = insert_broken;
#elif defined(STAYS)
	broken->stop = stop_broken;
#else
	broken->lookup = lookup_broken;
#endif
}
