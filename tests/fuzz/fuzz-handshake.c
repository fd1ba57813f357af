/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-handshake: core/handshake.c, core/responder.c, and what the initiator does with what they take. Input: mode
 * (1): 0 the rest is a message: shape, MACs, cookies; one built around it is taken again 1 the rest is a payload: what
 * is taken, put and taken again is the same else messages for the node: fix (1), milliseconds before (1), length (2),
 * bytes fix: bit 0 the sender's static key is peer 2's, 1 peer 3's; 2 it answers what was sent to peer 2; 3 the
 * sender's ID is peer 2's; 4 a handshake with peer 2 starts first; 5 control has much to do; 6 from another port; 7 the
 * payload is a good one.
 */
#include "handshake.h"
#include "near.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[32] = {2}, salt[16] = {3}, cookie[16] = {4};

/* A copy of just its size. */
static uint8_t *exact_copy(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		input_fail("out of memory");
	memcpy(exact, data, size);
	return exact;
}

/* ---- one message ---- */

static void check_parsed(const struct ela_handshake *hs, const uint8_t *data, uint32_t len)
{
	uint8_t out[ELA_HANDSHAKE_COOKIE_LEN], opened[16];
	struct ela_handshake again;

	if (hs->noise < data || hs->noise_len > len || hs->noise + hs->noise_len > data + len)
		input_fail("the message ends before its parts do");
	if (hs->kind == ELA_HANDSHAKE_COOKIE) {
		(void)ela_cookie_open(hs, key, salt, opened); /* forged or not */
		return;
	}
	if (hs->mac1 + ELA_HANDSHAKE_MACS != data + len || hs->mac2 + ELA_MAC_LEN != data + len)
		input_fail("the MACs are not at the end");
	(void)ela_handshake_mac1_ok(data, len, key);
	(void)ela_handshake_mac2_ok(data, len, cookie);
	if (ela_cookie_seal(out, hs, 5, key, salt, cookie) != 0 || ela_handshake_parse(out, sizeof out, &again) != 0 ||
		again.receiver_index != hs->sender_index ||
		(ela_cookie_open(&again, key, hs->mac1, opened) != 0 && out[sizeof out - 1] != NEAR_FORGED))
		input_fail("a cookie of ours is none");
}

static void one_message(const uint8_t *bytes, uint32_t len)
{
	uint8_t built[ELA_HANDSHAKE_MAX + 100], *exact = exact_copy(bytes, len);
	struct ela_handshake hs;
	uint32_t n = len < 1000 ? len : 1000;

	if (ela_handshake_parse(exact, len, &hs) == 0)
		check_parsed(&hs, exact, len);
	free(exact);
	ela_handshake_head(built, ELA_HANDSHAKE_INIT, 1, 2, 3, 0);
	memcpy(built + ELA_HANDSHAKE_HEAD, bytes, n);
	n = ela_handshake_mac(built, ELA_HANDSHAKE_HEAD + n, key, len & 1 ? cookie : NULL);
	if (n < ELA_HANDSHAKE_HEAD + 48 + ELA_HANDSHAKE_MACS)
		return;
	if (ela_handshake_parse(built, n, &hs) != 0 || ((len & 1) && !ela_handshake_mac2_ok(built, n, cookie)))
		input_fail("a message of ours is none");
	check_parsed(&hs, built, n);
}

/* ---- one payload ---- */

static void one_payload(const uint8_t *bytes, uint32_t len)
{
	uint8_t *exact = exact_copy(bytes, len), out[ELA_HANDSHAKE_MAX_PAYLOAD];
	struct ela_hello hello, again;

	if (ela_hello_parse(exact, len, &hello) == 0) {
		if (hello.lanes < 1 || hello.lanes > ELA_MAX_LANES || !memchr(hello.suites, '\0', sizeof hello.suites))
			input_fail("what no node can be was taken");
		if (ela_hello_parse(out, ela_hello_put(&hello, out), &again) != 0 || again.lanes != hello.lanes ||
			again.features != hello.features || strcmp(again.suites, hello.suites) != 0)
			input_fail("a payload of ours is none");
	}
	free(exact);
}

/* ---- messages for a node ---- */

static uint32_t put_payload(uint8_t *out)
{
	const struct ela_hello hello = {.lanes = 2, .suites = "none,other"};
	uint32_t len = ela_hello_put(&hello, out);

	memset(out + len, 0, ELA_TAG_LEN);
	return len + ELA_TAG_LEN;
}

/* Makes of len bytes what the fuzzer would find once in a lifetime; its length. message has room for more. */
static uint32_t repair(struct lone *l, uint8_t fix, uint8_t *message, uint32_t len)
{
	struct ela_peer *two = lone_peer(l, 2), *from = fix & 2 ? lone_peer(l, 3) : two;
	uint8_t kind = len > 8 ? message[8] : 0;
	uint32_t payload_at = ELA_HANDSHAKE_HEAD + (kind == ELA_HANDSHAKE_INIT ? 80 : 32);

	if (len < ELA_HANDSHAKE_HEAD)
		return len;
	if ((fix & 0x80) && len >= payload_at) {
		len = payload_at + put_payload(message + payload_at);
		memset(message + len, 0, ELA_HANDSHAKE_MACS);
		len += ELA_HANDSHAKE_MACS;
	}
	if ((fix & 3) && kind == ELA_HANDSHAKE_INIT && len >= payload_at) {
		memcpy(message + ELA_HANDSHAKE_HEAD + 32, from->key, 32);
		memset(message + ELA_HANDSHAKE_HEAD + 64, 0, 16);
	}
	if (fix & 4)
		ela_put32(message + 20, two->attempts[0].index);
	if (fix & 8)
		ela_put32(message + 16, from->id);
	return len;
}

/* So many waiting datagrams that cookies are asked for. */
static void load(struct ela_node *node, bool on)
{
	for (uint32_t i = 0; i < 40; i++) {
		struct ela_ring_slot *slot = on ? ela_ring_claim(node->lanes[1]->up) : NULL;

		if (slot) {
			memset(slot, 0, offsetof(struct ela_ring_slot, data) + 64);
			slot->len = 1;
			ela_ring_push(node->lanes[1]->up);
		}
	}
	while (!on && ela_ring_peek(node->lanes[1]->up))
		ela_ring_pop(node->lanes[1]->up);
}

static void for_a_node(struct input *in)
{
	struct near n;

	near_start(&n);
	while (in->left) {
		uint8_t fix = input_u8(in), ms = input_u8(in), message[ELA_HANDSHAKE_MAX + 1200] = {0}, *exact;
		uint32_t len;
		const uint8_t *bytes = input_bytes(in, input_u16(in) % (ELA_HANDSHAKE_MAX + 10), &len);
		struct ela_path path = lone_path(2);

		memcpy(message, bytes, len);
		lone_pass(n.loop, ms * 4 * ELA_MSEC);
		if (fix & 0x10)
			ela_initiate(lone_peer(n.l, 2));
		if (fix & 0x20)
			load(n.l->node, true);
		if (fix & 0x40)
			path.remote.port = 999;
		len = repair(n.l, fix, message, len);
		exact = exact_copy(message, len);
		(void)ela_handshake_input(n.l->node, &path, exact, len); /* there is no stream to close */
		free(exact);
		load(n.l->node, false);
		lone_look(n.l);
	}
	near_end(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t mode = input_u8(&in);

	if (mode == 0)
		one_message(in.at, (uint32_t)in.left);
	else if (mode == 1)
		one_payload(in.at, (uint32_t)in.left);
	else
		for_a_node(&in);
	return 0;
}
