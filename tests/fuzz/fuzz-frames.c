/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-frames: core/decapsulate.c and core/control.c: what stands in frames whose tags are good, from a peer that lies.
 * The heads are made here. Input: the device's answers (8), then steps: kind (1) and
 *   0 frame: how (1), flags (1), length (2), bytes - joins the train under way
 *   1 send:  ECN and whence (1), segment (2, 0 = the first frame's length)
 *   2 super: flags (1), gso size (2), gso type (1), zero (1), how (1), length (2), bytes
 *   3 message to control: whence (1), length (2), bytes
 *   4 time:  milliseconds (2)
 * how: bit 0 peer 3; 1-2 lane; 3 the last number again; 4 a jump ahead; 5 forged; 6 the IP length made right; 7 the
 * source made the peer's. whence: bit 2 from peer 3's place; 3 from another port; of messages also 0 peer 3; 4 the last
 * number again; 5 another lane; 6 the words of the peer's challenge are put in, which only who got it can know.
 */
#include "near.h"
#include "own.h"

#include <string.h>

#define TRAIN_MAX 60000u
#define INNER_MAX 9000u
#define CHALLENGE_AT 6u    /* in a control message */
#define TIME_MAX_MS 40000u /* of one input: more costs more than it finds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
	struct near near;
	uint64_t sequences[2][4];
	uint64_t control_sequences[2];
	uint8_t train[TRAIN_MAX];
	uint32_t train_len, first_len;
	uint32_t passed_ms;
};

static void fit(uint8_t *ip, uint32_t len, uint8_t how)
{
	bool v4 = ip[0] >> 4 != 6;

	if (len < (v4 ? 20u : 40u))
		return;
	if (how & 0x40) {
		ip[0] = v4 ? (uint8_t)(ip[0] & 15 ? 0x40 | (ip[0] & 15) : 0x45) : ip[0];
		ela_put16(ip + (v4 ? 2 : 4), (uint16_t)(v4 ? len : len - 40));
	}
	if (how & 0x80) {
		memcpy(ip + (v4 ? 12 : 8), v4 ? "\x0a\x58\0" : "\xfd\x88\0\0\0\0\0\0\0\0\0\0\0\0\0", v4 ? 3 : 15);
		ip[v4 ? 15 : 23] = how & 1 ? 3 : 2;
	}
}

/* Head and tag around len bytes at plain; out has room for them. The frame's length. */
static uint32_t frame_put(struct state *s, uint8_t how, uint8_t flags, const uint8_t *plain, uint32_t len, uint8_t *out)
{
	uint32_t who = how & 1, lane = how >> 1 & 3;
	uint64_t *sequence = &s->sequences[who][lane];

	if (how & 0x10)
		*sequence += 9000;
	if (!(how & 8))
		++*sequence;
	ela_header_put(out, ELA_TYPE_EPACKET, flags, ela_own_id(s->near.l->node));
	ela_frame_put(out, who ? NEAR_OWN_3 : NEAR_OWN, (uint64_t)lane << ELA_LANE_SHIFT | *sequence);
	memcpy(out + ELA_FRAME_HEAD, plain, len);
	memset(out + ELA_FRAME_HEAD + len, how & 0x20 ? NEAR_FORGED : 0, ELA_TAG_LEN);
	return ELA_FRAME_HEAD + len + ELA_TAG_LEN;
}

static struct ela_path path_of(uint8_t whence)
{
	struct ela_path path = lone_path(whence & 4 ? 3 : 2);

	if (whence & 8)
		path.remote.port = 999;
	return path;
}

static void step_frame(struct state *s, struct input *in)
{
	uint8_t how = input_u8(in), flags = input_u8(in), plain[INNER_MAX];
	uint32_t len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % 1600, &len);

	if (s->train_len + len + ELA_FRAME_MIN > TRAIN_MAX)
		return;
	memcpy(plain, bytes, len);
	fit(plain, len, how);
	len = frame_put(s, how, flags, plain, len, s->train + s->train_len);
	if (s->train_len == 0)
		s->first_len = len;
	s->train_len += len;
}

static void step_send(struct state *s, struct input *in)
{
	uint8_t whence = input_u8(in);
	uint32_t segment = input_u16(in);
	struct ela_path path = path_of(whence);

	if (s->train_len)
		lone_receive(
			s->near.l, &path, s->train, s->train_len, s->train_len, segment ? segment : s->first_len, whence & 3);
	s->train_len = 0;
}

static void step_super(struct state *s, struct input *in)
{
	uint8_t flags = input_u8(in), plain[INNER_MAX], out[INNER_MAX + ELA_FRAME_MIN];
	uint16_t gso_size = input_u16(in);
	uint8_t gso_type = input_u8(in), zero = input_u8(in), how = input_u8(in);
	const struct ela_path path = lone_path(2);
	uint32_t len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % (INNER_MAX - ELA_SUPER_HEAD), &len);

	ela_put16(plain, gso_size);
	plain[2] = gso_type;
	plain[3] = zero;
	memcpy(plain + ELA_SUPER_HEAD, bytes, len);
	fit(plain + ELA_SUPER_HEAD, len, how);
	len = frame_put(s, how, flags, plain, zero == 0xff ? gso_size % 8 : len + ELA_SUPER_HEAD, out);
	lone_receive_super(s->near.l, &path, out, len);
}

static void step_message(struct state *s, struct input *in)
{
	uint8_t whence = input_u8(in), out[2048 + ELA_FRAME_MIN];
	uint32_t who = whence & 1, len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % 2020, &len);
	struct ela_path path = path_of(whence);
	const struct ela_peer *peer = lone_peer(s->near.l, who ? 3 : 2);

	ela_header_put(out, ELA_TYPE_MESSAGE, 0, ela_own_id(s->near.l->node));
	ela_frame_put(out, who ? NEAR_OWN_3 : NEAR_OWN,
		(uint64_t)(whence & 0x20 ? 1u : ELA_LANE_CONTROL) << ELA_LANE_SHIFT |
			(s->control_sequences[who] += !(whence & 0x10)));
	memcpy(out + ELA_FRAME_HEAD, bytes, len);
	if ((whence & 0x40) && len == CHALLENGE_AT + sizeof peer->challenge)
		memcpy(out + ELA_FRAME_HEAD + CHALLENGE_AT, peer->challenge, sizeof peer->challenge);
	memset(out + ELA_FRAME_HEAD + len, 0, ELA_TAG_LEN);
	len += ELA_FRAME_MIN;
	lone_receive(s->near.l, &path, out, len, len, len, 0);
}

static void pass(struct state *s, uint32_t ms)
{
	s->passed_ms += ms;
	if (s->passed_ms <= TIME_MAX_MS)
		lone_pass(s->near.loop, ms * ELA_MSEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state s;
	struct input in = {data, size};

	memset(&s, 0, sizeof s);
	near_start(&s.near);
	s.near.plan = (uint64_t)input_u32(&in) << 32;
	s.near.plan |= input_u32(&in);
	while (in.left) {
		switch (input_u8(&in)) {
		case 0:
			step_frame(&s, &in);
			break;
		case 1:
			step_send(&s, &in);
			break;
		case 2:
			step_super(&s, &in);
			break;
		case 3:
			step_message(&s, &in);
			break;
		case 4:
			pass(&s, input_u16(&in));
			break;
		default:
			break;
		}
	}
	near_end(&s.near);
	return 0;
}
