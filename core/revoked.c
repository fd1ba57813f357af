/* SPDX-License-Identifier: Apache-2.0 */
/* revoked: a sorted array of hashes (see revoked.h): looked up at each admission, changed by a new list. Control
 * thread. */
#include "revoked.h"

#include <glib.h>
#include <string.h>

/* The first entry not below hash. */
static uint32_t place_of(const struct ela_revoked_set *set, const uint8_t *hash)
{
	uint32_t low = 0, high = set->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (memcmp(set->entries[middle].hash, hash, ELA_HASH_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct ela_revoked *ela_revoked_find(const struct ela_revoked_set *set, const uint8_t hash[ELA_HASH_LEN])
{
	uint32_t at = place_of(set, hash);

	return at < set->n && memcmp(set->entries[at].hash, hash, ELA_HASH_LEN) == 0 ? &set->entries[at] : NULL;
}

bool ela_revoked_add(struct ela_revoked_set *set, const uint8_t hash[ELA_HASH_LEN], uint64_t since_s)
{
	uint32_t at = place_of(set, hash);

	if (at < set->n && memcmp(set->entries[at].hash, hash, ELA_HASH_LEN) == 0) {
		if (set->entries[at].since_s <= since_s)
			return false;
		set->entries[at].since_s = since_s;
		return true;
	}
	set->entries = g_renew(struct ela_revoked, set->entries, set->n + 1);
	memmove(&set->entries[at + 1], &set->entries[at], (set->n - at) * sizeof *set->entries);
	memcpy(set->entries[at].hash, hash, ELA_HASH_LEN);
	set->entries[at].since_s = since_s;
	set->n++;
	return true;
}

bool ela_revoked_merge(struct ela_revoked_set *set, const struct ela_revoked_set *from)
{
	bool changed = false;

	for (uint32_t i = 0; i < from->n; i++)
		changed |= ela_revoked_add(set, from->entries[i].hash, from->entries[i].since_s);
	return changed;
}

bool ela_revoked_is_sorted(const struct ela_revoked_set *set)
{
	for (uint32_t i = 1; i < set->n; i++)
		if (memcmp(set->entries[i - 1].hash, set->entries[i].hash, ELA_HASH_LEN) >= 0)
			return false;
	return true;
}

void ela_revoked_clear(struct ela_revoked_set *set)
{
	g_free(set->entries);
	*set = (struct ela_revoked_set){0};
}
