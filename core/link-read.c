/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link, what arrives on a lane: records are parsed where they were received; only the start of one that is incomplete
 * is kept, in a buffer of its own. Lane thread of the link.
 */
#include "lane.h"
#include "link.h"

#include <errno.h>
#include <stdlib.h>

#define READ_LEN (256u * 1024u) /* as long as the buffer of a lane */

/* One whole record. */
static void take_record(struct ela_lane *lane, const struct ela_path *path, uint8_t *data, uint32_t len, uint8_t kind)
{
	switch (kind) {
	case ELA_RECORD_FRAME:
		ela_decapsulate_train(lane, data, len, len, path, 0);
		break;
	case ELA_RECORD_TRAIN: {
		uint32_t segment = ela_get16(data);

		if (segment < ELA_FRAME_MIN || ela_get16(data + 2) != 0)
			ELA_COUNT(lane, DROP_HEADER, 1);
		else
			ela_decapsulate_train(lane, data + ELA_TRAIN_HEAD, len - ELA_TRAIN_HEAD, segment, path, 0);
		break;
	}
	default:
		ela_decapsulate_super(lane, data, len, path);
		break;
	}
}

/* Takes whole records from bytes; returns how many bytes were used, or -1 to close. *ret_need: of the incomplete one.
 */
static int64_t take_records(
	struct ela_lane *lane, struct ela_link *link, uint8_t *bytes, uint32_t len, uint32_t *ret_need)
{
	const struct ela_path path = {
		.remote = link->remote, .local = link->local, .transport = link->transport->number, .link = link->id};
	uint32_t at = 0;

	for (;;) {
		struct ela_record record;
		int got = ela_record_next(bytes + at, len - at, ELA_STREAM_MAX, &record, ret_need);

		if (got < 0)
			return -1;
		if (got == 0)
			return at;
		take_record(lane, &path, bytes + at + ELA_RECORD_HEAD, record.len, record.kind);
		at += ELA_RECORD_HEAD + record.len;
	}
}

/* Keeps the start of an incomplete record. */
static bool keep_partial(struct ela_link *link, const uint8_t *bytes, uint32_t len, uint32_t need)
{
	if (!link->partial)
		link->partial = malloc(ELA_RECORD_HEAD + ELA_STREAM_MAX);
	if (!link->partial)
		return false;
	memcpy(link->partial, bytes, len);
	link->partial_len = len;
	link->partial_need = need;
	return true;
}

/* Where the next bytes go: behind an incomplete record, never past its end, else into the lane's buffer. */
static int read_some(struct ela_lane *lane, struct ela_link *link, int *ret_err)
{
	const struct ela_transport_ops *ops = link->transport->ops;

	if (link->partial_len == 0)
		return ops->conn_read(link->transport->self, link->conn, lane->stream_in, READ_LEN, ret_err);
	return ops->conn_read(link->transport->self, link->conn, link->partial + link->partial_len,
		link->partial_need - link->partial_len, ret_err);
}

/* n new bytes are there. False to close. */
static bool take_bytes(struct ela_lane *lane, struct ela_link *link, uint32_t n)
{
	bool had_partial = link->partial_len != 0;
	uint8_t *bytes = had_partial ? link->partial : lane->stream_in;
	uint32_t len = had_partial ? link->partial_len + n : n;
	uint32_t need = 0;
	int64_t used;

	if (had_partial && len < link->partial_need) {
		link->partial_len = len;
		return true;
	}
	link->partial_len = 0;
	used = take_records(lane, link, bytes, len, &need);
	ela_decapsulate_flush(lane); /* before the buffer is used again */
	if (used < 0)
		return false;
	if (used == len)
		return true;
	if (!had_partial)
		return keep_partial(link, bytes + used, len - (uint32_t)used, need);
	/* Only its length was known so far: the record itself follows behind the same bytes. */
	link->partial_len = len;
	link->partial_need = need;
	return true;
}

bool ela_link_read(struct ela_lane *lane, struct ela_link *link)
{
	int err = 0;
	int n = read_some(lane, link, &err);

	if (n > 0) {
		if (!take_bytes(lane, link, (uint32_t)n)) {
			ELA_COUNT(lane, DROP_STREAM, 1);
			ela_link_fail(lane, link);
		}
		return true;
	}
	link->source.ready = false;
	if (err != -EAGAIN)
		ela_link_fail(lane, link);
	return false;
}
