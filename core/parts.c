/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts: cuts messages and puts them together. Every part but the last has the same size, so a part's place follows
 * from its number and nothing can overlap. Control thread.
 */
#include "parts.h"

#include "frame.h"
#include "loop.h"

#include <errno.h>
#include <string.h>

#define KEEP_NS (5 * ELA_SEC) /* from the first part on */

uint32_t ela_parts_count(uint32_t len)
{
	return (len + ELA_PART_DATA - 1) / ELA_PART_DATA;
}

uint32_t ela_parts_write(
	const uint8_t *message, uint32_t len, uint32_t id, uint32_t part, uint8_t out[ELA_PART_HEAD + ELA_PART_DATA])
{
	uint32_t at = part * ELA_PART_DATA, n = MIN(len - at, ELA_PART_DATA);

	ela_put32(out, id);
	out[4] = (uint8_t)part;
	out[5] = (uint8_t)ela_parts_count(len);
	memcpy(out + ELA_PART_HEAD, message + at, n);
	return ELA_PART_HEAD + n;
}

static void forget(struct ela_half *half)
{
	g_free(half->bytes);
	*half = (struct ela_half){0};
}

static void give_up(struct ela_parts *p, struct ela_half *half)
{
	p->n_lost += (uint32_t)__builtin_popcount(half->have);
	forget(half);
}

static bool head_ok(uint32_t part, uint32_t parts, uint32_t data_len)
{
	if (parts == 0 || parts > ELA_PARTS || part >= parts)
		return false;
	if (part + 1 < parts)
		return data_len == ELA_PART_DATA;
	return data_len >= 1 && data_len <= ELA_PART_DATA && part * ELA_PART_DATA + data_len <= ELA_MESSAGE_MAX;
}

static struct ela_half *find(struct ela_parts *p, uint32_t session, uint32_t id)
{
	for (uint32_t i = 0; i < ELA_PARTS_HALF; i++)
		if (p->half[i].bytes && p->half[i].session == session && p->half[i].id == id)
			return &p->half[i];
	return NULL;
}

/* A free place, or that of the oldest: who fills them all with halves keeps himself from nothing new. */
static struct ela_half *make_room(struct ela_parts *p)
{
	struct ela_half *oldest = &p->half[0];

	for (uint32_t i = 0; i < ELA_PARTS_HALF; i++) {
		if (!p->half[i].bytes)
			return &p->half[i];
		if (p->half[i].born_ns < oldest->born_ns)
			oldest = &p->half[i];
	}
	give_up(p, oldest);
	return oldest;
}

static struct ela_half *begin(struct ela_parts *p, uint32_t session, uint32_t id, uint32_t parts, uint64_t now_ns)
{
	struct ela_half *half = make_room(p);

	half->bytes = g_malloc(parts * ELA_PART_DATA);
	half->session = session;
	half->id = id;
	half->parts = (uint8_t)parts;
	half->born_ns = now_ns;
	return half;
}

int ela_parts_take(struct ela_parts *p, uint32_t session, uint64_t now_ns, const uint8_t *plain, uint32_t len,
	const uint8_t **ret_bytes, uint32_t *ret_len)
{
	uint32_t id = ela_get32(plain), part = plain[4], parts = plain[5], data_len = len - ELA_PART_HEAD;
	struct ela_half *half;

	g_clear_pointer(&p->whole, g_free);
	(void)ela_parts_expire(p, now_ns); /* the caller asks again for the time */
	if (!head_ok(part, parts, data_len))
		return -EINVAL;
	if (parts == 1) {
		*ret_bytes = plain + ELA_PART_HEAD;
		*ret_len = data_len;
		return 1;
	}
	half = find(p, session, id);
	if (half && half->parts != parts)
		return -EINVAL;
	if (!half)
		half = begin(p, session, id, parts, now_ns);
	if (half->have & 1u << part)
		return 0;
	half->have |= (uint16_t)(1u << part);
	half->len += data_len;
	memcpy(half->bytes + part * ELA_PART_DATA, plain + ELA_PART_HEAD, data_len);
	if (half->have != (1u << parts) - 1)
		return 0;
	*ret_bytes = p->whole = g_steal_pointer(&half->bytes);
	*ret_len = half->len;
	forget(half);
	return 1;
}

uint64_t ela_parts_expire(struct ela_parts *p, uint64_t now_ns)
{
	uint64_t due_ns = 0;

	for (uint32_t i = 0; i < ELA_PARTS_HALF; i++) {
		struct ela_half *half = &p->half[i];

		if (!half->bytes)
			continue;
		if (now_ns - half->born_ns >= KEEP_NS)
			give_up(p, half);
		else if (due_ns == 0 || half->born_ns + KEEP_NS < due_ns)
			due_ns = half->born_ns + KEEP_NS;
	}
	return due_ns;
}

void ela_parts_clear(struct ela_parts *p)
{
	for (uint32_t i = 0; i < ELA_PARTS_HALF; i++)
		forget(&p->half[i]);
	g_clear_pointer(&p->whole, g_free);
}
