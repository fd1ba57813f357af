/* SPDX-License-Identifier: Apache-2.0 */
/*
 * found: a new network: the owner's key, which is also the key of its first user, the recovery key, the genesis, the
 * first user list, and the outfit of the first node. Control thread.
 */
#ifndef ELA_CORE_FOUND_H
#define ELA_CORE_FOUND_H

#include "outfit.h"

#define ELA_FOUND_PREFIX "10.77.0.0/24" /* unless another is asked for */
#define ELA_FOUND_NODES 16u             /* nodes of the first user */
#define ELA_FOUND_VALID_S (365u * 86400u)

struct ela_found {
	const char *network, *user; /* names */
	struct ela_outfit outfit;   /* folders, cipher, prefix, and the node's name; the rest is filled in */
	uint64_t now_s;             /* since 1970 */
};

/* 0, or a negative errno with error; -EINVAL: a name or a prefix that no network may have. */
int ela_found(struct ela_found *found, GError **error);

#endif
