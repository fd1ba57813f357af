/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-header: core/frame.h and core/decapsulate.c: datagrams and trains as they come from the socket, raw. Input: the
 * device's answers (8), then trains: length (2), segment (2), how (1: bits 0-1 ECN, 2 from peer 3's address, 3 from a
 * strange port, 4-6 milliseconds that pass before, 7 a super record), bytes. What control gets of them is worked
 * through as well. The same bytes are also looked at as the records of a stream.
 */
#include "near.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records never lie outside of what there is, and what is missing is said. */
static void records(const uint8_t *bytes, uint32_t len, uint32_t max)
{
	uint8_t *exact = malloc(len), head[ELA_RECORD_HEAD];
	uint32_t at = 0, need = 0;
	struct ela_record record;
	int got;

	if (!exact)
		input_fail("out of memory");
	memcpy(exact, bytes, len);
	while ((got = ela_record_next(exact + at, len - at, max, &record, &need)) > 0) {
		if (record.data != exact + at + ELA_RECORD_HEAD || record.len > len - at - ELA_RECORD_HEAD || record.len > max)
			input_fail("a record of more than there is");
		ela_record_put(head, record.kind, record.len);
		if (memcmp(head, exact + at, sizeof head) != 0)
			input_fail("a record's head is another one");
		at += ELA_RECORD_HEAD + record.len;
	}
	if (got == 0 && (need <= len - at || need > ELA_RECORD_HEAD + max))
		input_fail("what is there is missing");
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct near n;

	near_start(&n);
	n.plan = (uint64_t)input_u32(&in) << 32;
	n.plan |= input_u32(&in);
	while (in.left >= 5) {
		uint32_t want = input_u16(&in), len;
		uint16_t segment = input_u16(&in);
		uint8_t how = input_u8(&in);
		struct ela_path path = lone_path(how & 4 ? 3 : 2);
		const uint8_t *bytes = input_bytes(&in, want, &len);

		if (how & 8)
			path.remote.port = 999;
		if (how >> 4 & 7)
			lone_pass(n.loop, (how >> 4 & 7) * ELA_MSEC);
		if (len)
			records(bytes, len, how & 8 ? ELA_STREAM_MAX_STRANGER : ELA_STREAM_MAX);
		if (how & 0x80)
			lone_receive_super(n.l, &path, bytes, len);
		else if (len)
			lone_receive(n.l, &path, bytes, len, len, segment ? segment : len, how & 3);
	}
	near_end(&n);
	return 0;
}
