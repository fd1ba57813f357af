/* SPDX-License-Identifier: Apache-2.0 */
/* records: see records.h. Layout, network order: "ELAr" | id | role | parent | flags | 0 (4) | incarnation | sequence |
 * key hash (32) | checksum (4) over all the rest | padding, whose first 64 bytes change with the sequence as a
 * signature would. */
#include "records.h"

#include <errno.h>
#include <string.h>

#define AT_ID 4u
#define AT_ROLE 8u
#define AT_PARENT 9u
#define AT_FLAGS 13u
#define AT_INCARNATION 18u
#define AT_SEQUENCE 26u
#define AT_KEY 34u
#define AT_SUM 66u

static void put(uint8_t *at, uint64_t value, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		at[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

static uint64_t get(const uint8_t *at, uint32_t n)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < n; i++)
		value = value << 8 | at[i];
	return value;
}

/* FNV-1a over all but the sum itself. */
static uint32_t checksum(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 2166136261u;

	for (uint32_t i = 0; i < len; i++)
		if (i < AT_SUM || i >= AT_SUM + 4)
			sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}

void record_make(const struct ela_record_info *info, uint32_t len, uint8_t *ret)
{
	memset(ret, 0, RECORD_MIN);
	memcpy(ret, "ELAr", 4);
	put(ret + AT_ID, info->id, 4);
	ret[AT_ROLE] = (uint8_t)info->role;
	put(ret + AT_PARENT, info->parent, 4);
	ret[AT_FLAGS] = (uint8_t)info->flags;
	put(ret + AT_INCARNATION, info->incarnation, 8);
	put(ret + AT_SEQUENCE, info->sequence, 8);
	memcpy(ret + AT_KEY, info->key_hash, 32);
	for (uint32_t i = RECORD_MIN; i < len; i++)
		ret[i] = (uint8_t)(info->id * 7 + i + (i < RECORD_MIN + 64 ? info->sequence * 3 : 0));
	put(ret + AT_SUM, checksum(ret, len), 4);
}

int record_read(const void *bytes, uint32_t len, struct ela_record_info *ret)
{
	const uint8_t *at = bytes;

	if (len < RECORD_MIN || len > ELA_RECORD_MAX || memcmp(at, "ELAr", 4) != 0 ||
		get(at + AT_SUM, 4) != checksum(at, len))
		return -EBADMSG;
	*ret = (struct ela_record_info){.id = (uint32_t)get(at + AT_ID, 4),
		.role = at[AT_ROLE],
		.parent = (uint32_t)get(at + AT_PARENT, 4),
		.flags = at[AT_FLAGS],
		.incarnation = get(at + AT_INCARNATION, 8),
		.sequence = get(at + AT_SEQUENCE, 8)};
	memcpy(ret->key_hash, at + AT_KEY, 32);
	return 0;
}

int record_order(const struct ela_record_info *a, const struct ela_record_info *b)
{
	return memcmp(a->key_hash, b->key_hash, 32) < 0 ? -1 : 1;
}
