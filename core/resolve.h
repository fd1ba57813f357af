/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: host names of endpoints -> addresses, asynchronously. Control thread; answers come from the control loop.
 * Works after the privilege drop.
 */
#ifndef ELA_CORE_RESOLVE_H
#define ELA_CORE_RESOLVE_H

#include <ela/types.h>

#define ELA_RESOLVE_MAX 8u /* addresses of one name that are handed on */

struct ela_loop;
struct ela_resolver;
struct ela_lookup; /* one question under way */

/*
 * The answer, once, never from inside ela_resolver_start(). addrs[0..n) in the order to be tried, with the port that
 * was asked for, none twice; n is 0 when the name has no usable address, and reason then says why. Both are borrowed.
 * The lookup is gone when this is called.
 */
typedef void (*ela_resolve_done)(void *data, const struct ela_addr *addrs, uint32_t n, const char *reason);

/* NULL with errno when there is no descriptor left. The loop is borrowed and outlives the resolver. */
struct ela_resolver *ela_resolver_new(struct ela_loop *loop);
/* Ends every lookup without an answer. Takes NULL. */
void ela_resolver_free(struct ela_resolver *resolver);

/* Asks for host, a name or an address literal. The resolver owns the lookup; it may be cancelled until it is done. */
struct ela_lookup *ela_resolver_start(
	struct ela_resolver *resolver, const char *host, uint16_t port, ela_resolve_done done, void *data);
/* No answer will come. Takes NULL. */
void ela_lookup_cancel(struct ela_lookup *lookup);

#endif
