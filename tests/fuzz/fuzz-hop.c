/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-hop: core/hop.h, core/hop.c and core/relay.c: relayed frames from neighbours that lie. Peer 2 is a child, peer
 * 3 a core, and BEHIND an edge behind that core. A relayed frame that leaves is one that came, but for its hop fields,
 * TTL and ECN, and goes where the rules let it. Input: steps: code (1) and
 *   0 frame: how (1), type (1), TTL (1), flags (1), receiver index (1), length (2), bytes - joins the train under way
 *   1 raw:   length (2), bytes - joins it as they are
 *   2 send:  ECN and whence (1), segment (2, 0 = the first frame's length)
 *   3 time:  milliseconds (2)
 *   4 what the sockets say from now on (1): they send, -EAGAIN, -EMSGSIZE, -EIO
 *   5 frames (1) that the keys are good for: a new one is due after so many, none is sent after twice as many
 *   6 the cipher fails from now on: with peer 2, or 3 (1)
 *   7 there is no way to peer 2, or 3 (1), any more
 * how: bit 0 peer 3; 1-2 lane, 3 = control's; 3 the last number again; 4 a forged tag; 5-7 for whom: the node, peer 2,
 * peer 3, who is behind it, or what the bytes begin with. Receiver index: 0 the node's session with peer 2, 1 with
 * peer 3, else none.
 */
#include "near.h"
#include "own.h"

#include <errno.h>
#include <string.h>

#define TRAIN_MAX 60000u
#define TIME_MAX_MS 40000u /* of one input: more costs more than it finds */
#define BEHIND 0x5eed0001u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
	struct near near;
	uint64_t sequences[2][4], control_sequences[2];
	uint8_t train[TRAIN_MAX];
	uint32_t train_len, first_len;
	uint32_t passed_ms;
};

static struct state s;

/* ---- the judge ---- */

/* Did the train bring a frame for the same node with these bytes behind its hop fields, and not from peer number to? */
static bool came(const uint8_t *frame, uint32_t len, uint32_t to)
{
	for (const uint8_t *at = s.train; at + len <= s.train + s.train_len; at++)
		if (memcmp(at + ELA_HOP_HEAD, frame + ELA_HOP_HEAD, len - ELA_HOP_HEAD) == 0 && at[1] == frame[1] &&
			ela_header_destination(at) == ela_header_destination(frame) &&
			ela_hop_index(at) != (to == 2 ? NEAR_OWN : NEAR_OWN_3))
			return true;
	return false;
}

static void on_send(struct lone *l, const struct ela_path *path, const uint8_t *bytes, uint32_t len)
{
	uint32_t to = path->remote.ip[3], destination;

	if (!ela_frame_is_relayed(bytes, len))
		return; /* the node's own, directly */
	if (len < ELA_HOP_MIN || !ela_header_ok(bytes, len) || !ela_header_ttl_ok(bytes) || (to != 2 && to != 3) ||
		ela_hop_index(bytes) != (to == 2 ? s.near.two : s.near.three)->with.remote_index)
		input_fail("a relayed frame was sent that no one takes");
	if (bytes[2] == ELA_TTL)
		return; /* its own, through a neighbour */
	if (!came(bytes, len, to))
		input_fail("a relayed frame was sent that did not come, or back to its sender");
	destination = ela_header_destination(bytes);
	if (destination != lone_peer(l, to)->id && (to == 2 || destination != BEHIND))
		input_fail("a relayed frame went to another neighbour");
}

/* ---- steps ---- */

static uint32_t for_whom(uint8_t how, const uint8_t *bytes)
{
	switch (how >> 5) {
	case 0:
		return ela_own_id(s.near.l->node);
	case 1:
		return lone_peer(s.near.l, 2)->id;
	case 2:
		return lone_peer(s.near.l, 3)->id;
	case 3:
		return BEHIND;
	default:
		return ela_get32(bytes);
	}
}

static uint64_t next_number(uint64_t *sequences, uint64_t *control, uint8_t how)
{
	uint32_t lane = how >> 1 & 3;
	uint64_t *sequence = lane == 3 ? control : &sequences[lane];

	if (!(how & 8))
		++*sequence;
	return (uint64_t)(lane == 3 ? ELA_LANE_CONTROL : lane) << ELA_LANE_SHIFT | *sequence;
}

static void append(const uint8_t *bytes, uint32_t len)
{
	if (s.train_len + len > TRAIN_MAX)
		return;
	memcpy(s.train + s.train_len, bytes, len);
	if (s.train_len == 0)
		s.first_len = len;
	s.train_len += len;
}

/* The bytes stand behind the hop fields and the index; the first are the counter, the last the tag of the session. */
static void step_frame(struct input *in)
{
	uint8_t how = input_u8(in), type = input_u8(in), ttl = input_u8(in), flags = input_u8(in), index = input_u8(in);
	uint8_t frame[ELA_HOP_HEAD + 4 + 1600] = {0}, *tag = ela_hop_tag(frame);
	uint32_t who = how & 1, len;
	const uint8_t *bytes = input_bytes(in, input_u16(in) % 1600, &len);

	memcpy(frame + ELA_HOP_HEAD + 4, bytes, len);
	ela_header_put(frame, type, flags | ELA_FLAG_HOP, for_whom(how, frame + ELA_HOP_HEAD + 4));
	frame[2] = ttl;
	ela_hop_put(frame, who ? NEAR_OWN_3 : NEAR_OWN, next_number(s.sequences[who], &s.control_sequences[who], how));
	memset(tag, how & 0x10 ? NEAR_FORGED : 0, ELA_TAG_LEN);
	ela_put32(frame + ELA_HOP_HEAD, index == 0 ? NEAR_OWN : index == 1 ? NEAR_OWN_3 : index);
	append(frame, ELA_HOP_HEAD + 4 + len);
}

static void step_send(struct input *in)
{
	uint8_t whence = input_u8(in);
	uint32_t segment = input_u16(in);
	struct ela_path path = lone_path(whence & 4 ? 3 : 2);

	if (s.train_len == 0)
		return;
	lone_receive(s.near.l, &path, s.train, s.train_len, s.train_len, segment ? segment : s.first_len, whence & 3);
	s.train_len = 0;
}

static void pass(uint32_t ms)
{
	s.passed_ms += ms;
	if (s.passed_ms <= TIME_MAX_MS)
		lone_pass(s.near.loop, ms * ELA_MSEC);
}

static void wear_out(uint32_t frames)
{
	struct ela_hop *hops[] = {s.near.two->hop, s.near.three->hop};

	for (uint32_t i = 0; i < 2; i++) {
		hops[i]->soft_packets = frames;
		hops[i]->hard_packets = 2u * frames;
	}
}

static uint32_t seal_nothing(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	(void)key;
	for (uint32_t i = 0; i < n; i++)
		ops[i].verdict = -EIO;
	return 0;
}

static void step(struct input *in)
{
	static const int answers[] = {0, -EAGAIN, -EMSGSIZE, -EIO};
	const uint8_t *bytes;
	uint32_t len;

	switch (input_u8(in)) {
	case 0:
		step_frame(in);
		break;
	case 1:
		bytes = input_bytes(in, input_u16(in), &len);
		append(bytes, len);
		break;
	case 2:
		step_send(in);
		break;
	case 3:
		pass(input_u16(in));
		break;
	case 4:
		s.near.l->send_err = answers[input_u8(in) & 3];
		break;
	case 5:
		wear_out(input_u8(in));
		break;
	case 6:
		(input_u8(in) & 1 ? s.near.three : s.near.two)->hop->seal = seal_nothing;
		break;
	case 7:
		ela_peer_publish(lone_peer(s.near.l, input_u8(in) & 1 ? 3 : 2), NULL, NULL);
		break;
	default:
		break;
	}
}

static void forward(uint32_t id, uint32_t k, enum ela_forward_kind kind)
{
	if (ela_forward_set(s.near.l->node, id, lone_peer(s.near.l, k), kind) != 0)
		input_fail("a neighbour cannot be one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct lone *l;

	memset(&s, 0, sizeof s);
	near_start(&s.near);
	l = s.near.l;
	forward(lone_peer(l, 2)->id, 2, ELA_FORWARD_CHILD);
	forward(lone_peer(l, 3)->id, 3, ELA_FORWARD_CORE);
	forward(BEHIND, 3, ELA_FORWARD_CORE);
	lone_look(l);
	l->on_send = on_send;
	while (in.left)
		step(&in);
	l->on_send = NULL;
	l->send_err = 0;
	near_end(&s.near);
	return 0;
}
