/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dials: newcomers whom this node calls, for they cannot call anybody who lets them in (ux.md, `ela invite --dial`): by
 * XX over a stream, again and again, until somebody there is in, or the token is over. Whoever answers is a guest, as
 * if he had called. Only while this node is a core: others let nobody in. On disk: the text file "dials" of the state
 * folder, a line "HOST:PORT UNTIL" each, UNTIL in seconds since 1970. Control thread.
 */
#ifndef ELA_CORE_DIALS_H
#define ELA_CORE_DIALS_H

#include <glib.h>
#include <stdint.h>

#define ELA_DIALS_MAX 16u

struct ela_dials;
struct ela_network;

/* What the file has is called from ela_dials_start() on. NULL: it does not check, and error names it. */
struct ela_dials *ela_dials_new(struct ela_network *network, GError **error);
void ela_dials_start(struct ela_dials *dials);
void ela_dials_free(struct ela_dials *dials); /* takes NULL; calls end */

/*
 * Calls HOST[:PORT] from now on; one that is called already is called until then. 0; -EINVAL no endpoint; -EPERM this
 * node is an edge; -ENOSPC ELA_DIALS_MAX are called; -errno of the disk. Errors change nothing; error is for people.
 */
int ela_dials_add(struct ela_dials *dials, const char *endpoint, uint64_t until_s, GError **error);

#endif
