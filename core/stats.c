/* SPDX-License-Identifier: Apache-2.0 */
/* stats: the names of core's counters. Constant data, any thread. */
#include "stats.h"

static const char *const names[ELA_N_STATS] = {
#define X(id, name) [ELA_STAT_##id] = name,
	ELA_STATS(X)
#undef X
};

const char *ela_stat_name(uint32_t stat)
{
	return stat < ELA_N_STATS ? names[stat] : NULL;
}
