/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery: how nodes of one network find each other on a LAN, when nothing else leads them (wire.md, "Alone"): who
 * looks says a hello to all that are there, a core of a ring answers, and is called without its key, as a bootstrap is.
 * A hello proves nothing but that its sender knows the network: it is answered with as many bytes, to an address on a
 * LAN of this machine, a few times a second at most. Control thread.
 */
#ifndef ELA_CORE_DISCOVERY_H
#define ELA_CORE_DISCOVERY_H

#include "lans.h"
#include "probe.h"

#define ELA_DISCOVERY_FIRST_NS (1500 * ELA_MSEC) /* whose contacts answer has found them by then */
#define ELA_DISCOVERY_MOST_NS (60 * ELA_SEC)     /* between two hellos, which are first 1.5 s apart */
#define ELA_DISCOVERY_WAIT_NS (2 * ELA_SEC)      /* for answers to a single one */
#define ELA_DISCOVERY_AGAIN_NS ELA_SEC           /* between answers to one address */
#define ELA_DISCOVERY_ANSWERS 20u                /* a second, and as many at once */
#define ELA_DISCOVERY_FOUND 4u                   /* of the answers to a hello so many are heard */

struct ela_discovery;
struct ela_node;

struct ela_discovery_ops {
	/* Does this node answer? Its TCP port, and its node ID in *ret_id; 0: it does not. */
	uint16_t (*answers)(void *data, uint32_t *ret_id);
	/* Is that node in this node's ring already? Then neither asks the other. */
	bool (*knows)(void *data, uint32_t id);
	/* A node that can be called there, by TCP. */
	void (*found)(void *data, const struct ela_addr *addr);
	/* As ela_lans_list(), ela_lans_say() and ela_lans_quiet(). */
	uint32_t (*list)(void *data, const struct ela_lan **ret);
	int (*say)(void *data, const struct ela_lan *lan, uint16_t port, const uint8_t *frame, uint32_t len);
	void (*quiet)(void *data);
	void *data;
};

/* ops is borrowed. */
struct ela_discovery *ela_discovery_new(struct ela_node *node, const struct ela_discovery_ops *ops);
void ela_discovery_free(struct ela_discovery *d); /* takes NULL */

/*
 * Says hellos from now on, at the UDP port udp and to be called at tcp; soon again if it does so already: things have
 * changed. Either port 0: nothing happens, for nobody could answer or be called.
 */
void ela_discovery_start(struct ela_discovery *d, uint16_t tcp, uint16_t udp);
void ela_discovery_stop(struct ela_discovery *d);
/* One hello, of who is in a ring under that ID: others may be in another one. Not while it says hellos anyway. */
void ela_discovery_once(struct ela_discovery *d, uint32_t id, uint16_t tcp, uint16_t udp);

/* A hello that came to the node's UDP port. */
void ela_discovery_hello(struct ela_discovery *d, const struct ela_path *path, const uint8_t *frame, uint32_t len);
/* What came as an answer: an ela_lans_fn. */
void ela_discovery_answer(void *data, const struct ela_addr *from, const uint8_t *frame, uint32_t len);

#endif
