/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-protocol: docs/protocol.md against core. The document's blocks give keys and values, one frame of each type and
 * the numbers of the wire; each frame is made by core's functions from those values and read back, byte for byte. Fails
 * when either side changes. One thread.
 *
 *   ```hex values        name = hex, as many as there are
 *   ```hex frame=NAME    hex, blanks skipped, a comment after #
 *   ```numbers           a name, two or more blanks, the number
 */
#include "config.h"
#include "document.h"
#include "flowqueue.h"
#include "handshake.h"
#include "inet.h"
#include "loader.h"
#include "probe.h"
#include "ring.h"
#include <errno.h>
#include <glib.h>
#include <stdlib.h>

#define RECORDED 8u /* keys of a session with two lanes: data 2 + 1, hop 3 + 1 */
#define SEAL_KEY 0u
#define OPEN_KEY 2u
#define HOP_KEY 3u
#define HOP_CHECK_KEY 6u

/* ---- the handshake, from the document's keys ---- */

static void begin(struct ela_noise *n, bool initiator, const char *private_key, const char *ephemeral)
{
	uint8_t network[32], own[32], once[32], peer[32], prologue[48];
	uint32_t len = ela_prologue(key("network-id", network), ELA_NOISE_IK, prologue);

	ck_assert_int_eq(ela_noise_init(n, ELA_NOISE_IK, initiator, prologue, len, key(private_key, own),
						 initiator ? key("b-public", peer) : NULL, key(ephemeral, once)),
		0);
}

/* A HANDSHAKE message as core's initiator and responder put it together. */
static uint32_t build(
	uint8_t out[ROOM], struct ela_noise *n, const char *hello, const char *receiver_mac1_key, const uint8_t *cookie)
{
	uint8_t payload[ELA_HANDSHAKE_MAX_PAYLOAD], mac1_key[32];
	size_t len = value(hello, payload, sizeof payload), noise_len;

	ck_assert_int_eq(
		ela_noise_write(n, payload, len, out + ELA_HANDSHAKE_HEAD, ROOM - ELA_HANDSHAKE_HEAD, &noise_len), 0);
	return ela_handshake_mac(out, ELA_HANDSHAKE_HEAD + (uint32_t)noise_len, key(receiver_mac1_key, mac1_key), cookie);
}

static uint32_t build_init(
	uint8_t out[ROOM], struct ela_noise *n, const char *ephemeral, const char *index, const uint8_t *cookie)
{
	begin(n, true, "a-private", ephemeral);
	ela_handshake_head(out, ELA_HANDSHAKE_INIT, word("b-id"), word(index), word("a-id"), 0);
	return build(out, n, cookie ? "hello-init-cookie" : "hello-init", "b-mac1-key", cookie);
}

static uint32_t build_answer(uint8_t out[ROOM], struct ela_noise *n)
{
	uint8_t init[ROOM], payload[ROOM];
	size_t len = frame("init", init), payload_len;
	struct ela_handshake hs;

	begin(n, false, "b-private", "b-ephemeral");
	ck_assert_int_eq(ela_handshake_parse(init, (uint32_t)len, &hs), 0);
	ck_assert_int_eq(ela_noise_read(n, hs.noise, hs.noise_len, payload, sizeof payload, &payload_len), 0);
	ela_handshake_head(out, ELA_HANDSHAKE_ANSWER, hs.sender_id, word("b-index"), word("b-id"), hs.sender_index);
	return build(out, n, "hello-answer", "a-mac1-key", NULL);
}

/* ---- sessions over a cipher that remembers the keys it was given ---- */

struct recorder {
	const struct ela_cipher_ops *real;
	void *self;
	uint8_t keys[RECORDED][32]; /* as they were made */
	uint32_t n;
};

static int record_key(void *self, uint32_t suite, uint32_t direction, const uint8_t *bytes, void **ret_key)
{
	struct recorder *r = self;

	ck_assert_uint_lt(r->n, RECORDED);
	memcpy(r->keys[r->n++], bytes, 32);
	return r->real->key_new(r->self, suite, direction, bytes, ret_key);
}

struct pair {
	struct ela_loader *loader;
	struct recorder cipher[2]; /* A's, B's */
	struct ela_cipher_ops ops;
	struct ela_cipher ciphers[2];
	struct ela_node_suite suites[2];
	struct ela_session *a, *b;
};

static void say(const struct ela_host *host, uint32_t level, const char *text)
{
	(void)host;
	(void)level;
	ck_abort_msg("the cipher says: %s", text);
}

static void open_cipher(struct pair *p)
{
	static const char *const none[] = {NULL};
	static const struct ela_host host = {.size = sizeof host, .n_lanes = 1, .log = say};
	const struct ela_loaded *loaded;
	g_autoptr(GError) error = NULL;

	memset(p, 0, sizeof *p);
	p->loader = ela_loader_new(none);
	loaded = ela_loader_load_file(p->loader, CIPHER_AEAD, &error);
	ck_assert_msg(loaded != NULL, "%s", error ? error->message : "?");
	p->ops = loaded->cipher;
	p->ops.key_new = record_key;
	for (uint32_t i = 0; i < 2; i++) {
		p->cipher[i].real = &loaded->cipher;
		ck_assert_int_eq(loaded->cipher.create(&host, &p->cipher[i].self), 0);
		p->ciphers[i] = (struct ela_cipher){&p->ops, &p->cipher[i], "cipher-aead"};
		p->suites[i] = (struct ela_node_suite){ela_loaded_suite(loaded, 0), 0, &p->ciphers[i]};
	}
	ck_assert_str_eq(p->suites[0].suite->name, "aes-256-gcm");
}

/* Both ends of the session that the document's init and answer make. */
static void open_pair(struct pair *p, struct ela_noise_keys ret_keys[2])
{
	struct ela_agreement a = {.local_index = word("a-index"),
		.remote_index = word("b-index"),
		.remote_id = word("b-id"),
		.local_lanes = 2,
		.remote_lanes = 2,
		.initiator = true};
	struct ela_agreement b = {.local_index = a.remote_index,
		.remote_index = a.local_index,
		.remote_id = word("a-id"),
		.local_lanes = 2,
		.remote_lanes = 2};
	uint8_t message[ROOM], payload[ROOM];
	struct ela_noise na, nb;
	struct ela_handshake hs;
	size_t len;

	open_cipher(p);
	(void)build_init(message, &na, "a-ephemeral", "a-index", NULL); /* compared elsewhere */
	len = build_answer(message, &nb);
	ck_assert_int_eq(ela_handshake_parse(message, (uint32_t)len, &hs), 0);
	ck_assert_int_eq(ela_noise_read(&na, hs.noise, hs.noise_len, payload, sizeof payload, &len), 0);
	ck_assert_int_eq(ela_noise_split(&na, &ret_keys[0]), 0);
	ck_assert_int_eq(ela_noise_split(&nb, &ret_keys[1]), 0);
	a.suite = &p->suites[0];
	b.suite = &p->suites[1];
	p->a = ela_session_new(NULL, &a, &ret_keys[0], 1);
	p->b = ela_session_new(NULL, &b, &ret_keys[1], 1);
	ck_assert(p->a && p->b);
}

static void close_pair(struct pair *p)
{
	ela_session_free(p->a);
	ela_session_free(p->b);
	for (uint32_t i = 0; i < 2; i++)
		p->cipher[i].real->destroy(p->cipher[i].self);
	ela_loader_free(p->loader);
}

/* An EPACKET as core's lanes make it. sequence: what the lane's counter stands at. */
static uint32_t seal(struct ela_session *s, uint32_t lane, uint64_t sequence, uint8_t flags, const uint8_t *plain,
	uint32_t len, uint8_t out[ROOM])
{
	struct ela_cipher_op op = {.src = plain, .dst = out + ELA_FRAME_HEAD, .len = len};
	uint64_t counter;
	bool due = false;

	s->lanes[lane].sequence = sequence;
	ck_assert(ela_session_reserve(s, lane, len, &counter, &due));
	ela_header_put(out, ELA_TYPE_EPACKET, flags, s->with.remote_id);
	ela_frame_put(out, s->with.remote_index, counter);
	ela_frame_nonce(out, s->send_iv, op.nonce);
	ck_assert_uint_eq(s->cipher->seal(s->lanes[lane].seal_key, &op, 1), 1);
	return ELA_FRAME_HEAD + op.ret_len;
}

static void unseal(struct ela_session *s, uint8_t *bytes, uint32_t len, const char *plain)
{
	struct ela_cipher_op op = {
		.src = bytes + ELA_FRAME_HEAD, .dst = bytes + ELA_FRAME_HEAD, .len = len - ELA_FRAME_HEAD};

	ck_assert(ela_header_ok(bytes, len));
	ck_assert_uint_eq(ela_frame_index(bytes), s->with.local_index);
	ela_frame_nonce(bytes, s->recv_iv, op.nonce);
	ck_assert_uint_eq(s->cipher->open(s->open_key, &op, 1), 1);
	same_value(plain, op.dst, op.ret_len);
}

/* ---- tests ---- */

static void check_node(const char *prefix, const uint8_t ip[4])
{
	g_autofree char *private_key = g_strconcat(prefix, "-private", NULL),
					*public_key = g_strconcat(prefix, "-public", NULL);
	g_autofree char *id_name = g_strconcat(prefix, "-id", NULL), *mac1 = g_strconcat(prefix, "-mac1-key", NULL);
	g_autofree char *overlay6 = g_strconcat(prefix, "-overlay6", NULL);
	struct ela_addr ip4 = {.family = ELA_ADDR_IP4}, ip6;
	uint8_t network[32], own[32], public_bytes[32], out[32];
	uint32_t id;

	ck_assert_int_eq(ela_x25519_public(key(private_key, own), public_bytes), 0);
	same_value(public_key, public_bytes, 32);
	ck_assert_int_eq(ela_handshake_mac1_key(key("network-id", network), public_bytes, out), 0);
	same_value(mac1, out, 32);
	ck_assert_int_eq(ela_node_id(network, ip, &id), 0);
	ck_assert_uint_eq(id, word(id_name));
	memcpy(ip4.ip, ip, 4);
	ela_inet_overlay6(network, &ip4, &ip6);
	same_value(overlay6, ip6.ip, 16);
}

START_TEST(test_identity)
{
	const struct ela_bytes name = {"ela-static-v1", 13};
	uint8_t network[32], b[32], out[32];

	ck_assert_int_eq(ela_sha256(&name, 1, network), 0);
	same_value("network-id", network, 32);
	check_node("a", (const uint8_t[]){10, 88, 0, 1});
	check_node("b", (const uint8_t[]){10, 88, 0, 2});
	ck_assert_int_eq(ela_cookie_key(network, key("b-public", b), out), 0);
	same_value("b-cookie-key", out, 32);
}
END_TEST

START_TEST(test_hello)
{
	const struct ela_hello init = {2, ELA_FEATURE_CSUM, "aes-256-gcm,chacha20-poly1305"},
						   answer = {2, ELA_FEATURE_CSUM, "aes-256-gcm"};
	uint8_t out[ELA_HANDSHAKE_MAX_PAYLOAD];
	struct ela_hello parsed, again = init;
	uint32_t len = ela_hello_put(&init, out);

	same_value("hello-init", out, len);
	ck_assert_int_eq(ela_hello_parse(out, len, &parsed), 0);
	ck_assert_str_eq(parsed.suites, init.suites);
	ck_assert(parsed.lanes == 2 && parsed.features == ELA_FEATURE_CSUM);
	again.has_cookie = true;
	ck_assert_uint_eq(value("cookie", again.cookie, sizeof again.cookie), sizeof again.cookie);
	len = ela_hello_put(&again, out);
	same_value("hello-init-cookie", out, len);
	ck_assert_int_eq(ela_hello_parse(out, len, &parsed), 0);
	ck_assert(parsed.has_cookie && memcmp(parsed.cookie, again.cookie, sizeof again.cookie) == 0);
	len = ela_hello_put(&answer, out);
	same_value("hello-answer", out, len);
}
END_TEST

START_TEST(test_header)
{
	uint8_t out[ELA_HEADER_LEN];

	ela_header_put(out, ELA_TYPE_HANDSHAKE, 0, word("b-id"));
	same_frame("header", out, sizeof out);
	ck_assert(ela_header_ok(out, sizeof out));
	ck_assert_uint_eq(ela_header_destination(out), word("b-id"));
}
END_TEST

START_TEST(test_init)
{
	uint8_t out[ROOM], mac1_key[32], payload[ROOM], a[32];
	struct ela_noise n;
	struct ela_handshake hs;
	size_t len = build_init(out, &n, "a-ephemeral", "a-index", NULL), payload_len;

	same_frame("init", out, len);
	ck_assert_int_eq(ela_handshake_parse(out, (uint32_t)len, &hs), 0);
	ck_assert(hs.kind == ELA_HANDSHAKE_INIT && hs.receiver_index == 0);
	ck_assert_uint_eq(hs.sender_index, word("a-index"));
	ck_assert_uint_eq(hs.sender_id, word("a-id"));
	ck_assert(ela_handshake_mac1_ok(out, (uint32_t)len, key("b-mac1-key", mac1_key)));
	begin(&n, false, "b-private", "b-ephemeral");
	ck_assert_int_eq(ela_noise_read(&n, hs.noise, hs.noise_len, payload, sizeof payload, &payload_len), 0);
	same_value("hello-init", payload, payload_len);
	ck_assert_mem_eq(n.rs, key("a-public", a), 32);
}
END_TEST

START_TEST(test_answer)
{
	uint8_t out[ROOM];
	struct ela_noise n;
	struct ela_handshake hs;
	size_t len = build_answer(out, &n);

	same_frame("answer", out, len);
	ck_assert_int_eq(ela_handshake_parse(out, (uint32_t)len, &hs), 0);
	ck_assert(hs.kind == ELA_HANDSHAKE_ANSWER);
	ck_assert_uint_eq(hs.receiver_index, word("a-index"));
}
END_TEST

START_TEST(test_cookie)
{
	uint8_t init[ROOM], out[ROOM], cookie_key[32], cookie[16], salt[16], opened[16];
	struct ela_handshake hs, answer;
	struct ela_noise n;
	size_t len = frame("init", init);

	ck_assert_uint_eq(value("cookie", cookie, sizeof cookie), 16);
	ck_assert_uint_eq(value("cookie-salt", salt, sizeof salt), 16);
	ck_assert_int_eq(ela_handshake_parse(init, (uint32_t)len, &hs), 0);
	ck_assert_int_eq(ela_cookie_seal(out, &hs, word("b-id"), key("b-cookie-key", cookie_key), salt, cookie), 0);
	same_frame("cookie", out, ELA_HANDSHAKE_COOKIE_LEN);
	ck_assert_int_eq(ela_handshake_parse(out, ELA_HANDSHAKE_COOKIE_LEN, &answer), 0);
	ck_assert_uint_eq(answer.receiver_index, word("a-index"));
	ck_assert_int_eq(ela_cookie_open(&answer, cookie_key, hs.mac1, opened), 0);
	ck_assert_mem_eq(opened, cookie, 16);
	len = build_init(out, &n, "a-ephemeral-2", "a-index-2", cookie);
	same_frame("init-with-cookie", out, len);
	ck_assert(ela_handshake_mac2_ok(out, (uint32_t)len, cookie));
}
END_TEST

static void begin_xx(struct ela_noise *n, bool initiator, const char *private_key, const char *ephemeral)
{
	uint8_t network[32], own[32], once[32], prologue[48];
	uint32_t len = ela_prologue(key("network-id", network), ELA_NOISE_XX, prologue);

	ck_assert_int_eq(
		ela_noise_init(n, ELA_NOISE_XX, initiator, prologue, len, key(private_key, own), NULL, key(ephemeral, once)),
		0);
}

/* The other end takes it; its payload is that hello, or empty. */
static void take_xx(
	struct ela_noise *n, const uint8_t *message, uint32_t len, enum ela_handshake_kind kind, const char *hello)
{
	uint8_t payload[ROOM], mac1_key[32];
	struct ela_handshake hs;
	size_t payload_len;

	ck_assert_int_eq(ela_handshake_parse(message, len, &hs), 0);
	ck_assert_int_eq(hs.kind, kind);
	ck_assert(ela_handshake_mac1_ok(message, len, key("xx-mac1-key", mac1_key)));
	ck_assert_int_eq(ela_noise_read(n, hs.noise, hs.noise_len, payload, sizeof payload, &payload_len), 0);
	if (hello)
		same_value(hello, payload, payload_len);
	else
		ck_assert_uint_eq(payload_len, 0);
}

START_TEST(test_xx)
{
	struct ela_noise a, b;
	uint8_t out[ROOM], network[32], mac1_key[32], public_key[32];
	size_t noise_len;
	uint32_t len;

	ck_assert_int_eq(ela_handshake_network_key(key("network-id", network), mac1_key), 0);
	same_value("xx-mac1-key", mac1_key, sizeof mac1_key);
	begin_xx(&a, true, "a-private", "a-ephemeral");
	begin_xx(&b, false, "b-private", "b-ephemeral");
	ela_handshake_head(out, ELA_HANDSHAKE_XX_1, 0, word("a-index"), word("a-id"), 0);
	len = build(out, &a, "hello-init", "xx-mac1-key", NULL);
	same_frame("xx-1", out, len);
	take_xx(&b, out, len, ELA_HANDSHAKE_XX_1, "hello-init");
	ela_handshake_head(out, ELA_HANDSHAKE_XX_2, word("a-id"), word("b-index"), word("b-id"), word("a-index"));
	len = build(out, &b, "hello-answer", "xx-mac1-key", NULL);
	same_frame("xx-2", out, len);
	take_xx(&a, out, len, ELA_HANDSHAKE_XX_2, "hello-answer");
	ck_assert_mem_eq(a.rs, key("b-public", public_key), 32);
	ela_handshake_head(out, ELA_HANDSHAKE_XX_3, word("b-id"), word("a-index"), word("a-id"), word("b-index"));
	ck_assert_int_eq(ela_noise_write(&a, NULL, 0, out + ELA_HANDSHAKE_HEAD, ROOM - ELA_HANDSHAKE_HEAD, &noise_len), 0);
	len = ela_handshake_mac(out, ELA_HANDSHAKE_HEAD + (uint32_t)noise_len, mac1_key, NULL);
	same_frame("xx-3", out, len);
	take_xx(&b, out, len, ELA_HANDSHAKE_XX_3, NULL);
	ck_assert_mem_eq(b.rs, key("a-public", public_key), 32);
	ck_assert(ela_noise_is_done(&a) && ela_noise_is_done(&b));
}
END_TEST

START_TEST(test_keys)
{
	struct ela_noise_keys keys[2];
	struct pair p;

	open_pair(&p, keys);
	same_value("ck", keys[0].ck, 32);
	same_value("handshake-hash", keys[0].hash, 32);
	same_value("message-key-1", keys[0].send, 32);
	same_value("message-key-2", keys[0].recv, 32);
	ck_assert_mem_eq(keys[0].send, keys[1].recv, 32);
	ck_assert_mem_eq(keys[0].recv, keys[1].send, 32);
	same_value("data-key-1", p.cipher[0].keys[SEAL_KEY], 32);
	same_value("data-key-2", p.cipher[0].keys[OPEN_KEY], 32);
	same_value("data-key-1", p.cipher[1].keys[OPEN_KEY], 32);
	same_value("data-key-2", p.cipher[1].keys[SEAL_KEY], 32);
	same_value("data-iv-1", p.a->send_iv, 12);
	same_value("data-iv-2", p.a->recv_iv, 12);
	same_value("hop-key-1", p.cipher[0].keys[HOP_KEY], 32);
	same_value("hop-key-2", p.cipher[0].keys[HOP_CHECK_KEY], 32);
	same_value("hop-key-1", p.cipher[1].keys[HOP_CHECK_KEY], 32);
	same_value("hop-key-2", p.cipher[1].keys[HOP_KEY], 32);
	same_value("hop-iv-1", p.a->hop->send_iv, 12);
	same_value("hop-iv-2", p.a->hop->recv_iv, 12);
	close_pair(&p);
}
END_TEST

static const struct {
	const char *name, *plain;
	uint32_t lane;
	uint64_t sequence;
	uint8_t flags;
} packets[] = {
	{"epacket", "packet", 0, 0, 0},
	{"epacket-csum", "packet-csum", 1, 5, ELA_FLAG_CSUM | 2u << ELA_FLAG_ECN_SHIFT},
};

START_TEST(test_epacket)
{
	uint8_t plain[ROOM], out[ROOM];
	struct ela_noise_keys keys[2];
	uint32_t len;
	struct pair p;

	open_pair(&p, keys);
	len = (uint32_t)value(packets[_i].plain, plain, sizeof plain);
	len = seal(p.a, packets[_i].lane, packets[_i].sequence, packets[_i].flags, plain, len, out);
	same_frame(packets[_i].name, out, len);
	unseal(p.b, out, len, packets[_i].plain);
	close_pair(&p);
}
END_TEST

/* The same session as the link to a relay: what it makes of the document's direct frames. */
static const struct {
	const char *name, *direct;
	uint32_t lane;
	uint64_t sequence;
	uint8_t ttl;
} relayed[] = {
	{"relayed-epacket", "epacket", 1, 9, 3},
	{"relayed-init", "init", ELA_LANE_CONTROL, 0, 2},
};

START_TEST(test_relayed)
{
	uint8_t out[ROOM], direct[ROOM], *frames[] = {out};
	uint32_t hop_lane = relayed[_i].lane == ELA_LANE_CONTROL ? 2 : relayed[_i].lane;
	struct ela_noise_keys keys[2];
	bool due = false;
	int verdict = 1;
	uint32_t len;
	struct pair p;

	open_pair(&p, keys);
	len = (uint32_t)frame(relayed[_i].direct, direct);
	ck_assert_uint_le(ELA_HOP_LEN + len, sizeof out);
	memcpy(out + ELA_HOP_LEN, direct, len);
	len += ELA_HOP_LEN;
	ela_hop_wrap(out);
	out[2] = relayed[_i].ttl;
	p.a->hop->lanes[hop_lane].sequence = relayed[_i].sequence;
	ck_assert(ela_hop_seal(p.a, relayed[_i].lane, frames, &len, 1, &due));
	same_frame(relayed[_i].name, out, len);
	ck_assert_uint_eq(ela_hop_index(out), p.b->with.local_index);
	ela_hop_check(p.b, frames, &len, 1, &verdict);
	ck_assert_int_eq(verdict, 0);
	out[2] = 3;
	ck_assert_mem_eq(ela_hop_strip(out), direct, len - ELA_HOP_LEN);
	close_pair(&p);
}
END_TEST

/* In the order in which they are sent: each takes the next sequence of its sender. */
static const struct {
	const char *name;
	bool by_a;
	uint32_t len;
	uint8_t plain[28];
} messages[] = {
	{"keepalive", true, 0, ""},
	{"ping", true, 6, {0, 0, 0, 1, 1}},
	{"pong", false, 6, {0, 0, 0, 1, 2}},
	{"challenge", false, 22,
		{0, 0, 0, 0, 3, 0, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee,
			0xef}},
	{"challenge-answer", true, 22,
		{0, 0, 0, 0, 4, 0, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee,
			0xef}},
	{"probe", true, 28, {0, 0, 0, 7, 5}},
	{"probe-ok", false, 6, {0, 0, 0, 7, 6}},
	{"routing", true, 11, {0, 0, 0, 0, 7, 0, 'h', 'e', 'l', 'l', 'o'}},
};

START_TEST(test_messages)
{
	struct ela_noise_keys keys[2];
	struct pair p;

	open_pair(&p, keys);
	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
		struct ela_session *from = messages[i].by_a ? p.a : p.b, *to = messages[i].by_a ? p.b : p.a;
		uint8_t out[ROOM], opened[ROOM];
		uint32_t len = ela_session_seal_control(from, messages[i].plain, messages[i].len, out), opened_len;

		same_frame(messages[i].name, out, len);
		ck_assert_int_eq(ela_session_open_control(to, out, len, opened, &opened_len), 0);
		ck_assert_uint_eq(opened_len, messages[i].len);
		ck_assert_mem_eq(opened, messages[i].plain, opened_len);
		ck_assert_int_eq(ela_session_open_control(to, out, len, opened, &opened_len), -EALREADY);
	}
	close_pair(&p);
}
END_TEST

START_TEST(test_probes)
{
	static const char *const names[] = {[ELA_PROBE_BY_TCP] = "probe-by-tcp", [ELA_PROBE_BY_UDP] = "probe-by-udp"};
	uint8_t network[32], mac_key[ELA_PROBE_KEY_LEN], out[ROOM], bytes[ROOM];

	ck_assert_int_eq(ela_probe_key(key("network-id", network), mac_key), 0);
	same_value("probe-key", mac_key, sizeof mac_key);
	for (int kind = ELA_PROBE_BY_TCP; kind <= ELA_PROBE_BY_UDP; kind++) {
		struct ela_probe probe = {.kind = (enum ela_probe_kind)kind}, parsed;

		for (uint32_t i = 0; i < ELA_PROBE_NONCE_LEN; i++)
			probe.nonce[i] = (uint8_t)(16 * (kind - 1) + (int)i);
		ck_assert_int_eq(ela_probe_make(mac_key, &probe, out), 0);
		same_frame(names[kind], out, ELA_PROBE_LEN);
		ck_assert_int_eq(ela_probe_parse(mac_key, bytes, (uint32_t)frame(names[kind], bytes), &parsed), 0);
		ck_assert(parsed.kind == probe.kind && memcmp(parsed.nonce, probe.nonce, sizeof probe.nonce) == 0);
	}
}
END_TEST

START_TEST(test_hellos)
{
	const struct ela_greeting greetings[] = {
		{.kind = ELA_PROBE_HELLO, .tcp_port = 7450}, {.kind = ELA_PROBE_HERE, .id = 0x0a0b0c0d, .tcp_port = 7451}};
	uint8_t network[32], mac_key[ELA_PROBE_KEY_LEN], out[ROOM];

	ck_assert_int_eq(ela_probe_key(key("network-id", network), mac_key), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(greetings); i++) {
		struct ela_greeting greeting = greetings[i];

		for (uint32_t k = 0; k < ELA_PROBE_NONCE_LEN; k++)
			greeting.nonce[k] = (uint8_t)(0x20 + k);
		ck_assert_int_eq(ela_greeting_make(mac_key, &greeting, out), 0);
		same_frame(i ? "here" : "hello", out, ELA_GREETING_LEN);
	}
}
END_TEST

/* Puts a record's head in front, compares it with the document and has core take it apart. */
static void check_record(const char *name, uint8_t kind, uint8_t *record, uint32_t len)
{
	struct ela_record parsed;
	uint32_t need;

	ela_record_put(record, kind, len);
	same_frame(name, record, ELA_RECORD_HEAD + len);
	ck_assert_int_eq(ela_record_next(record, ELA_RECORD_HEAD + len, ELA_STREAM_MAX, &parsed, &need), 1);
	ck_assert(parsed.kind == kind && parsed.len == len && parsed.data == record + ELA_RECORD_HEAD);
}

START_TEST(test_records)
{
	uint8_t out[2 * ROOM], plain[ROOM], *body = out + ELA_RECORD_HEAD;
	struct ela_noise_keys keys[2];
	uint32_t len, packet_len;
	struct pair p;

	open_pair(&p, keys);
	len = (uint32_t)frame("keepalive", body);
	check_record("record-frame", ELA_RECORD_FRAME, out, len);

	packet_len = (uint32_t)value("packet", plain, sizeof plain);
	len = seal(p.a, 0, 2, 0, plain, packet_len, body + ELA_TRAIN_HEAD);
	ela_put16(body, (uint16_t)len);
	ela_put16(body + 2, 0);
	len += seal(p.a, 0, 3, 0, plain, packet_len, body + ELA_TRAIN_HEAD + len);
	check_record("record-train", ELA_RECORD_TRAIN, out, ELA_TRAIN_HEAD + len);

	len = (uint32_t)value("superpacket", plain, sizeof plain);
	ck_assert(ela_get16(plain) == 4 && plain[2] == ELA_GSO_TCP4 && plain[3] == 0);
	len = seal(p.a, 0, 1, ELA_FLAG_CSUM, plain, len, body);
	check_record("record-super", ELA_RECORD_SUPER, out, len);
	unseal(p.b, body, len, "superpacket");
	close_pair(&p);
}
END_TEST

static const struct {
	const char *name;
	uint64_t number;
} numbers[] = {
	{"version", ELA_WIRE_VERSION},
	{"type EPACKET", ELA_TYPE_EPACKET},
	{"type MESSAGE", ELA_TYPE_MESSAGE},
	{"type HANDSHAKE", ELA_TYPE_HANDSHAKE},
	{"type PROBE", ELA_TYPE_PROBE},
	{"TTL", ELA_TTL},
	{"flag CSUM", ELA_FLAG_CSUM},
	{"flag HOP", ELA_FLAG_HOP},
	{"flags zero", ELA_FLAG_ZERO},
	{"flags authenticated", ELA_FLAG_AUTHENTIC},
	{"flags ECN shift", ELA_FLAG_ECN_SHIFT},
	{"header", ELA_HEADER_LEN},
	{"frame head", ELA_FRAME_HEAD},
	{"hop fields", ELA_HOP_LEN},
	{"smallest relayed", ELA_HOP_MIN},
	{"tag", ELA_TAG_LEN},
	{"smallest frame", ELA_FRAME_MIN},
	{"control datagram", ELA_DATAGRAM_MAX_CONTROL},
	{"probe", ELA_PROBE_LEN},
	{"probe nonce", ELA_PROBE_NONCE_LEN},
	{"probe by TCP", ELA_PROBE_BY_TCP},
	{"probe by UDP", ELA_PROBE_BY_UDP},
	{"hello", ELA_GREETING_LEN},
	{"hello kind", ELA_PROBE_HELLO},
	{"here kind", ELA_PROBE_HERE},
	{"handshake head", ELA_HANDSHAKE_HEAD},
	{"handshake init", ELA_HANDSHAKE_INIT},
	{"handshake answer", ELA_HANDSHAKE_ANSWER},
	{"handshake cookie", ELA_HANDSHAKE_COOKIE},
	{"handshake XX 1", ELA_HANDSHAKE_XX_1},
	{"handshake XX 2", ELA_HANDSHAKE_XX_2},
	{"handshake XX 3", ELA_HANDSHAKE_XX_3},
	{"handshake MAC", ELA_MAC_LEN},
	{"handshake message", ELA_HANDSHAKE_MAX},
	{"cookie message", ELA_HANDSHAKE_COOKIE_LEN},
	{"feature CSUM", ELA_FEATURE_CSUM},
	{"lane of control", ELA_LANE_CONTROL},
	{"lanes", ELA_MAX_LANES},
	{"replay window", ELA_REPLAY_WINDOW},
	{"sequence mask", ELA_SEQUENCE_MASK},
	{"record frame", ELA_RECORD_FRAME},
	{"record train", ELA_RECORD_TRAIN},
	{"record super", ELA_RECORD_SUPER},
	{"record head", ELA_RECORD_HEAD},
	{"record for strangers", ELA_STREAM_MAX_STRANGER},
	{"record", ELA_STREAM_MAX},
	{"train head", ELA_TRAIN_HEAD},
	{"super head", ELA_SUPER_HEAD},
	{"gso TCP over IPv4", ELA_GSO_TCP4},
	{"gso TCP over IPv6", ELA_GSO_TCP6},
	{"gso UDP over IPv4", ELA_GSO_UDP4},
	{"gso UDP over IPv6", ELA_GSO_UDP6},
	{"rekey ns", ELA_SESSION_REKEY_NS},
	{"refuse ns", ELA_SESSION_REFUSE_NS},
	{"rekey packets", ELA_SESSION_REKEY_PACKETS},
	{"refuse packets", ELA_SESSION_REFUSE_PACKETS},
	{"queue packets", ELA_FLOWQUEUE_PACKETS},
	{"queue bytes", ELA_FLOWQUEUE_BYTES},
	{"ring slots", ELA_RING_SLOTS},
	{"port", ELA_DEFAULT_PORT},
};

START_TEST(test_numbers)
{
	g_auto(GStrv) lines = document();
	char **line = block(lines, "numbers");
	size_t n = 0;

	for (; *line && strcmp(*line, "```") != 0; line++, n++) {
		const char *at = strstr(*line, "  ");
		g_autofree char *name = NULL;

		ck_assert_msg(at != NULL && n < G_N_ELEMENTS(numbers), "unexpected line: %s", *line);
		name = g_strndup(*line, (gsize)(at - *line));
		ck_assert_str_eq(name, numbers[n].name);
		ck_assert_msg(strtoull(at, NULL, 0) == numbers[n].number, "%s: the document has %s, core %llu", name, at,
			(unsigned long long)numbers[n].number);
	}
	ck_assert_uint_eq(n, G_N_ELEMENTS(numbers));
}
END_TEST

/* Every frame of the document is one that a test above compares. */
START_TEST(test_nothing_unchecked)
{
	static const char *const checked[] = {"header", "init", "answer", "cookie", "init-with-cookie", "xx-1", "xx-2",
		"xx-3", "epacket", "epacket-csum", "relayed-epacket", "relayed-init", "keepalive", "ping", "pong", "challenge",
		"challenge-answer", "probe", "probe-ok", "probe-by-tcp", "probe-by-udp", "hello", "here", "routing",
		"record-frame", "record-train", "record-super", NULL};
	g_auto(GStrv) lines = document();
	uint32_t n = 0;

	for (char **line = lines; *line; line++) {
		if (!g_str_has_prefix(*line, "```hex frame="))
			continue;
		ck_assert_msg(g_strv_contains(checked, *line + strlen("```hex frame=")), "nothing checks %s", *line);
		n++;
	}
	ck_assert_uint_eq(n, G_N_ELEMENTS(checked) - 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_identity, test_hello, test_header, test_init, test_answer, test_cookie, test_xx,
		test_keys, test_messages, test_probes, test_hellos, test_records, test_numbers, test_nothing_unchecked};
	Suite *suite = suite_create("protocol");
	TCase *tc = tcase_create("protocol");
	SRunner *runner = srunner_create(suite);
	int failed;

	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, test_epacket, 0, (int)G_N_ELEMENTS(packets));
	tcase_add_loop_test(tc, test_relayed, 0, (int)G_N_ELEMENTS(relayed));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
