/* SPDX-License-Identifier: Apache-2.0 */
/*
 * via: a way through a neighbour as a struct ela_path, so that sessions, handshakes and control messages name it like
 * any other: the remote address is the far node's ID, the local one is the neighbour's number. No transport sees such a
 * path. Pure functions, any thread.
 */
#ifndef ELA_CORE_VIA_H
#define ELA_CORE_VIA_H

#include "frame.h"
#include <ela/types.h>

#define ELA_PATH_VIA (UINT32_MAX - 1u) /* path.transport; no transport has this number */

static inline struct ela_addr ela_via_addr(uint32_t word)
{
	struct ela_addr a = {.family = ELA_ADDR_OTHER, .port = 1}; /* any but 0: it is set */

	ela_put32(a.ip, word);
	return a;
}

static inline struct ela_path ela_via_path(uint32_t neighbour, uint32_t id)
{
	return (struct ela_path){.remote = ela_via_addr(id), .local = ela_via_addr(neighbour), .transport = ELA_PATH_VIA};
}

static inline bool ela_path_is_via(const struct ela_path *path)
{
	return path->transport == ELA_PATH_VIA;
}

static inline uint32_t ela_via_neighbour(const struct ela_path *path)
{
	return ela_get32(path->local.ip);
}

/* The path of what came relayed, once it is known from whom; any other stays as it is. */
static inline struct ela_path ela_via_from(const struct ela_path *path, uint32_t id)
{
	return ela_path_is_via(path) ? ela_via_path(ela_via_neighbour(path), id) : *path;
}

#endif
