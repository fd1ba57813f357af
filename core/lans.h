/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lans: the networks that this machine is directly on, and a frame to all who are there. The sockets are not those of a
 * transport: those never send to everybody, whatever an address in a record says. Control thread.
 */
#ifndef ELA_CORE_LANS_H
#define ELA_CORE_LANS_H

#include "loop.h"

#include <ela/types.h>
#include <stdbool.h>

#define ELA_LANS_MAX 16u
#define ELA_LANS_KEPT_NS (5 * ELA_SEC) /* so long interfaces are not looked at again, whoever asks */

struct ela_lan {
	struct ela_addr own; /* this machine's address there, port 0; never a link-local one */
	uint32_t bits;       /* of the prefix that it is in */
	uint32_t interface;
	struct ela_addr all; /* everybody there: IPv4's broadcast address, ff02::1 with its scope; port 0 */
};

/* A frame came as an answer to what was said. Both are borrowed. */
typedef void (*ela_lans_fn)(void *data, const struct ela_addr *from, const uint8_t *frame, uint32_t len);

struct ela_lans;

struct ela_lans *ela_lans_new(struct ela_loop *loop, ela_lans_fn fn, void *data);
void ela_lans_free(struct ela_lans *lans); /* takes NULL */
/* As they are now, or were within ELA_LANS_KEPT_NS; how many. *ret is borrowed until the next call. */
uint32_t ela_lans_list(struct ela_lans *lans, const struct ela_lan **ret);
/* To everybody on lan, at that UDP port; it leaves no router. Answers come until ela_lans_quiet(). 0, -errno. */
int ela_lans_say(struct ela_lans *lans, const struct ela_lan *lan, uint16_t port, const uint8_t *frame, uint32_t len);
void ela_lans_quiet(struct ela_lans *lans);

/* Is it another machine's address on one of them? */
bool ela_lans_has(const struct ela_lan *lans, uint32_t n, const struct ela_addr *addr);

#endif
