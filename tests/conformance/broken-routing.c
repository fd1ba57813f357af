/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken-routing: OVERWRITES has an insert() that replaces; STAYS leaves its routes at stop(), LINGERS what it told of
 * a ring; TWICE answers a lookup two times; DEAF does not hear that a link went; PARENTLESS tells of edges as if
 * they were reached directly.
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

#if defined(STAYS) || defined(LINGERS)
static void stop_broken(void *self)
{
	(void)self;
}
#endif

#ifdef DEAF
static void on_link_broken(void *self, uint32_t peer, uint32_t event)
{
	if (event == ELA_LINK_UP)
		sound.on_link(self, peer, event);
}
#endif

#ifdef PARENTLESS
static struct ela_host false_host;
static int (*true_set)(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via);

static int record_set_broken(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	(void)via;
	return true_set(host, id, record, len, id);
}

static int create_broken(const struct ela_host *host, void **ret_self)
{
	false_host = *host;
	true_set = host->record_set;
	false_host.record_set = record_set_broken;
	return sound.create(&false_host, ret_self);
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
#elif defined(DEAF)
	broken->on_link = on_link_broken;
#elif defined(PARENTLESS)
	broken->create = create_broken;
#elif defined(STAYS) || defined(LINGERS)
	broken->stop = stop_broken;
#else
	broken->lookup = lookup_broken;
#endif
}
