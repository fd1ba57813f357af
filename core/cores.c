/* SPDX-License-Identifier: Apache-2.0 */
/* cores: a ring by the order of its IDs (see cores.h). Control thread. */
#include "cores.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static bool in_order(const uint32_t *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ids[i] == 0 || ids[i] == UINT32_MAX || (i > 0 && ids[i] <= ids[i - 1]))
			return false;
	return true;
}

int ela_cores_set(struct ela_cores *cores, const uint32_t *ids, uint32_t n)
{
	if (!in_order(ids, n))
		return -EINVAL;
	if (n == cores->n && (n == 0 || memcmp(ids, cores->ids, n * sizeof *ids) == 0))
		return -EALREADY;
	ela_cores_clear(cores);
	cores->ids = g_memdup2(ids, n * sizeof *ids);
	cores->n = n;
	return 0;
}

void ela_cores_clear(struct ela_cores *cores)
{
	g_clear_pointer(&cores->ids, g_free);
	cores->n = 0;
}

uint32_t ela_cores_position(const struct ela_cores *cores, uint32_t id)
{
	uint32_t low = 0, high = cores->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (cores->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < cores->n ? low : 0; /* after the last comes the first */
}

bool ela_cores_has(const struct ela_cores *cores, uint32_t id)
{
	return cores->n > 0 && cores->ids[ela_cores_position(cores, id)] == id;
}

uint32_t ela_cores_successor(const struct ela_cores *cores, uint32_t id, uint32_t k)
{
	return k < cores->n ? cores->ids[(ela_cores_position(cores, id) + k) % cores->n] : 0;
}

void ela_cores_parents(const struct ela_cores *cores, uint32_t id, uint32_t *ret_parent, uint32_t *ret_spare)
{
	uint32_t own = ela_cores_has(cores, id) ? 1 : 0;

	*ret_parent = ela_cores_successor(cores, id, own);
	*ret_spare = ela_cores_successor(cores, id, own + 1);
}
