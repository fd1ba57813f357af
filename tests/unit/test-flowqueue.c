/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-flowqueue: core/flowqueue.c: who is served when, what the limits drop, what CoDel drops or marks as time passes,
 * and that no packet is lost without being counted. Packets carry their number behind the ports.
 */
#include "flowqueue.h"
#include "frame.h"
#include "naive.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define ROOM 32u

/* A UDP packet of a flow, numbered. ecn 0..3. version 4 or 6. */
static struct ela_flow_buf *packet(uint32_t flow, uint32_t number, uint32_t len, uint8_t version, uint8_t ecn)
{
	static uint8_t bytes[65536];
	struct ela_packet pkt = {.data = bytes, .len = len};
	uint32_t l4 = version == 4 ? 20 : 40;
	struct ela_flow_buf *buf;

	ck_assert_uint_ge(len, l4 + 12);
	memset(bytes, 0, len);
	if (version == 4) {
		memcpy(bytes, (uint8_t[20]){0x45, ecn, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 88, 0, 1, 10, 88, 0, 2}, 20);
		naive_put16(bytes + 2, len);
		naive_put16(bytes + 10, 0xffff - naive_sum(bytes, 20, 0));
	} else {
		bytes[0] = 0x60;
		bytes[1] = (uint8_t)(ecn << 4);
		naive_put16(bytes + 4, len - 40);
		bytes[6] = 17;
		bytes[8] = bytes[24] = 0xfd;
	}
	naive_put32(bytes + l4, flow);
	naive_put32(bytes + l4 + 8, number);
	buf = ela_flow_buf_new(&pkt, ROOM);
	ck_assert_ptr_nonnull(buf);
	ck_assert_ptr_eq(buf->pkt.data, buf->bytes + ROOM);
	ck_assert_mem_eq(buf->pkt.data, bytes, len);
	buf->frame_flags = 0;
	buf->ecn = ecn;
	return buf;
}

static uint32_t l4_of(const struct ela_flow_buf *buf)
{
	return buf->pkt.data[0] >> 4 == 4 ? 20 : 40;
}

static uint32_t flow_of(const struct ela_flow_buf *buf)
{
	return naive_get32(buf->pkt.data + l4_of(buf));
}

static uint32_t number_of(const struct ela_flow_buf *buf)
{
	return naive_get32(buf->pkt.data + l4_of(buf) + 8);
}

/* n flows that share no queue: their hashes differ modulo 32. */
static void distinct(uint32_t *flows, uint32_t n)
{
	uint32_t used = 0;

	for (uint32_t i = 0, flow = 1000; i < n; flow++) {
		struct ela_flow_buf *buf = packet(flow, 0, 60, 4, 0);
		uint32_t bit = 1u << buf->flow % 32;

		ela_flow_buf_free(buf);
		if (used & bit)
			continue;
		used |= bit;
		flows[i++] = flow;
	}
}

static struct ela_flowqueue *queue(void)
{
	struct ela_flowqueue *q = ela_flowqueue_new();

	ck_assert_ptr_nonnull(q);
	return q;
}

/* Pops one that CoDel must not touch. */
static struct ela_flow_buf *pop(struct ela_flowqueue *q, uint64_t now)
{
	uint32_t dropped = 99;
	struct ela_flow_buf *buf = ela_flowqueue_pop(q, now, &dropped);

	ck_assert_uint_eq(dropped, 0);
	return buf;
}

/* ---- order ---- */

START_TEST(in_order)
{
	struct ela_flowqueue *q = queue();

	ck_assert_ptr_null(pop(q, 0));
	for (uint32_t i = 0; i < 64; i++) {
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(7, i, 60 + i, 4, 0), 1), 0);
		ck_assert_uint_eq(ela_flowqueue_length(q), i + 1);
	}
	for (uint32_t i = 0; i < 64; i++) {
		struct ela_flow_buf *buf = pop(q, 2);

		ck_assert_ptr_nonnull(buf);
		ck_assert_uint_eq(number_of(buf), i);
		ck_assert_uint_eq(buf->pkt.len, 60 + i);
		ela_flow_buf_free(buf);
		ck_assert_uint_eq(ela_flowqueue_length(q), 63 - i);
	}
	ck_assert_ptr_null(pop(q, 3));
	ela_flowqueue_free(q);
	ela_flowqueue_free(NULL);
}
END_TEST

/* A train of n frames of one session, the last one shorter. */
static struct ela_flow_buf *train(uint32_t index, uint32_t n, uint8_t ecn)
{
	uint8_t frames[16 * 100] = {0};
	struct ela_flow_buf *buf;

	for (uint32_t i = 0; i < n; i++) {
		ela_header_put(frames + i * 100, ELA_TYPE_EPACKET, (uint8_t)(ELA_FLAG_HOP | ecn << ELA_FLAG_ECN_SHIFT), 9);
		ela_put32(frames + i * 100 + ELA_HOP_HEAD, index);
	}
	buf = ela_flow_buf_sealed(frames, n * 100 - 30, 100);
	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_eq(buf->frames, n);
	ck_assert_mem_eq(buf->pkt.data, frames, n * 100 - 30);
	return buf;
}

/* Sealed trains: every frame counts where they are dropped, by limit, by CoDel or with the queue. */
START_TEST(trains)
{
	struct ela_flowqueue *q = queue();
	uint32_t left = 0;

	for (uint32_t i = 0; i < 64; i++)
		ck_assert_uint_eq(ela_flowqueue_push(q, train(5, 1 + i % 16, 0), 1), 0);
	ck_assert_uint_eq(ela_flowqueue_length(q), 64);
	ck_assert_uint_eq(ela_flowqueue_frames(q), 4 * 136);
	for (uint32_t i = 0; i < 16; i++) /* the oldest goes each time */
		ck_assert_uint_eq(ela_flowqueue_push(q, train(5, 3, 0), 1), 1 + i);
	ck_assert_uint_eq(ela_flowqueue_frames(q), 3 * 136 + 16 * 3);
	for (struct ela_flow_buf *buf; (buf = pop(q, 2)) != NULL; ela_flow_buf_free(buf))
		left += buf->frames;
	ck_assert_uint_eq(left, 3 * 136 + 16 * 3);
	ck_assert_uint_eq(ela_flowqueue_frames(q), 0);
	ela_flowqueue_free(q);
}
END_TEST

/* Standing for long: whole trains are dropped, or marked in every header where those are ECN-capable. */
START_TEST(trains_congested)
{
	const uint64_t ms = 1000000;

	for (uint8_t ecn = 0; ecn < 3; ecn += 2) {
		struct ela_flowqueue *q = queue();
		uint32_t dropped = 0, marked = 0, out = 0;

		for (uint32_t i = 0; i < 64; i++)
			ck_assert_uint_eq(ela_flowqueue_push(q, train(5, 4, ecn), 0), 0);
		for (uint32_t i = 0; i < 60; i++) {
			uint32_t n;
			struct ela_flow_buf *buf = ela_flowqueue_pop(q, (10 + 20 * i) * ms, &n);

			dropped += n;
			if (!buf)
				break;
			out += buf->frames;
			for (uint32_t k = 0; k < buf->frames; k++)
				ck_assert_uint_eq(buf->pkt.data[k * 100 + 3], buf->pkt.data[3]);
			marked += buf->pkt.data[3] >> ELA_FLAG_ECN_SHIFT == 3;
			ela_flow_buf_free(buf);
		}
		ck_assert_uint_eq(dropped + out + ela_flowqueue_frames(q), 64 * 4);
		ck_assert(ecn ? dropped == 0 && marked > 3 : dropped > 12 && dropped % 4 == 0 && marked == 0);
		ela_flowqueue_free(q);
	}
}
END_TEST

START_TEST(unpop)
{
	struct ela_flowqueue *q = queue();
	struct ela_flow_buf *buf, *again;

	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(7, i, 100, 4, 0), 1), 0);
	buf = pop(q, 2);
	ela_flowqueue_unpop(q, buf);
	ck_assert_uint_eq(ela_flowqueue_length(q), 3);
	again = pop(q, 3);
	ck_assert_ptr_eq(again, buf);
	ela_flowqueue_unpop(q, again);
	ck_assert_uint_eq(ela_flowqueue_push(q, packet(7, 3, 100, 4, 0), 4), 0);
	for (uint32_t i = 0; i < 3; i++) {
		buf = pop(q, 4);
		ck_assert_uint_eq(number_of(buf), i);
		ela_flow_buf_free(buf);
	}
	buf = pop(q, 4);
	ela_flowqueue_unpop(q, buf); /* freed with the queue */
	ck_assert_uint_eq(ela_flowqueue_length(q), 1);
	ela_flowqueue_free(q);
}
END_TEST

/* A ping behind a backlog of superpackets waits for one of them at most. */
START_TEST(ping_beside_a_bulk_flow)
{
	struct ela_flowqueue *q = queue();
	uint32_t flows[2], pings = 0;

	distinct(flows, 2);
	for (uint32_t i = 0; i < 15; i++)
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[0], i, 65000, 4, 0), 0), 0);
	for (uint32_t round = 0; round < 10; round++) {
		uint32_t waited = 0;

		ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[1], round, 84, 4, 0), 0), 0);
		for (bool got = false; !got; waited++) {
			struct ela_flow_buf *buf = pop(q, 0);

			ck_assert_ptr_nonnull(buf);
			got = flow_of(buf) == flows[1];
			ela_flow_buf_free(buf);
			if (!got)
				ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[0], 0, 65000, 4, 0), 0), 0);
		}
		ck_assert_msg(waited <= 2, "the ping of round %u left as packet %u", round, waited);
		pings++;
	}
	ck_assert_uint_eq(pings, 10);
	ela_flowqueue_free(q);
}
END_TEST

/* Three flows that always have packets get the same share of bytes, whatever their packets' sizes. */
START_TEST(fair_by_bytes)
{
	static const uint32_t sizes[] = {60000, 1420, 700};
	struct ela_flowqueue *q = queue();
	uint32_t flows[3];
	uint64_t bytes[3] = {0}, all = 0;

	distinct(flows, 3);
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < (i ? 24 : 10); k++)
			ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[i], k, sizes[i], 4, 0), 0), 0);
	while (all < 20000000) {
		struct ela_flow_buf *buf = pop(q, 0);
		uint32_t i = 0;

		while (flows[i] != flow_of(buf))
			i++;
		bytes[i] += buf->pkt.len;
		all += buf->pkt.len;
		ela_flow_buf_free(buf);
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[i], 0, sizes[i], 4, 0), 0), 0);
	}
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_msg(bytes[i] * 100 > all * 31 && bytes[i] * 100 < all * 36, "flow %u: %llu of %llu bytes", i,
			(unsigned long long)bytes[i], (unsigned long long)all);
	ela_flowqueue_free(q);
}
END_TEST

/* ---- limits ---- */

START_TEST(packet_limit)
{
	struct ela_flowqueue *q = queue();
	uint32_t flows[2];
	struct ela_flow_buf *buf;

	distinct(flows, 2);
	ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[1], 0, 84, 4, 0), 0), 0);
	for (uint32_t i = 0; i < 63; i++)
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[0], i, 1420, 4, 0), 0), 0);
	for (uint32_t i = 0; i < 100; i++) { /* the fat flow pays, at its head */
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[0], 63 + i, 1420, 4, 0), 0), 1);
		ck_assert_uint_eq(ela_flowqueue_length(q), 64);
	}
	ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[1], 1, 84, 4, 0), 0), 1);
	for (uint32_t i = 0, fat = 101, thin = 0; i < 64; i++) {
		buf = pop(q, 0);
		ck_assert_uint_eq(number_of(buf), flow_of(buf) == flows[0] ? fat++ : thin++);
		ela_flow_buf_free(buf);
		ck_assert(i < 63 || (fat == 163 && thin == 2));
	}
	ela_flowqueue_free(q);
}
END_TEST

START_TEST(byte_limit)
{
	struct ela_flowqueue *q = queue();
	uint32_t flows[2];

	distinct(flows, 2);
	for (uint32_t i = 0; i < 16; i++)
		ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[0], i, 65535, 4, 0), 0), 0);
	ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[1], 0, 32, 4, 0), 0), 1); /* 16 bytes were left */
	ck_assert_uint_eq(ela_flowqueue_length(q), 16);
	ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[1], 1, 60000, 4, 0), 0), 0);
	ck_assert_uint_eq(ela_flowqueue_push(q, packet(flows[1], 2, 60000, 4, 0), 0), 1);
	ela_flowqueue_free(q);
}
END_TEST

/* ---- CoDel ---- */

/*
 * A standing queue: a packet comes and one leaves each millisecond, so that each has waited for delay_ms. Returns when,
 * in ms, packets were dropped (or marked, with ecn); their number in *ret_n.
 */
struct standing {
	struct ela_flowqueue *q;
	uint64_t now_ms;
	uint32_t number, expected; /* next to push, next to pop */
	uint8_t version, ecn;
	uint64_t punished_ms[512];
	uint32_t n_punished, n_popped;
};

static void standing_push(struct standing *s)
{
	ck_assert_uint_eq(ela_flowqueue_push(s->q, packet(7, s->number++, 1000, s->version, s->ecn), s->now_ms * MS), 0);
}

static bool was_marked(const struct ela_flow_buf *buf)
{
	uint8_t tos = buf->pkt.data[0] >> 4 == 4 ? buf->pkt.data[1] : buf->pkt.data[1] >> 4;

	return (tos & 3) == 3;
}

static void standing_pop(struct standing *s)
{
	uint32_t dropped;
	struct ela_flow_buf *buf = ela_flowqueue_pop(s->q, s->now_ms * MS, &dropped);

	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_le(dropped, 1);
	s->expected += dropped; /* the older one was it */
	ck_assert_uint_eq(number_of(buf), s->expected++);
	if (was_marked(buf)) {
		ck_assert_uint_eq(buf->ecn, 3);
		ck_assert(buf->pkt.data[0] >> 4 == 6 || naive_ip_sum_good(buf->pkt.data));
	}
	if (dropped || was_marked(buf))
		s->punished_ms[s->n_punished++] = s->now_ms;
	if (dropped) /* what left the queue comes again: the delay stays */
		standing_push(s);
	s->n_popped++;
	ela_flow_buf_free(buf);
}

static void standing_fill(struct standing *s, uint64_t delay_ms)
{
	for (uint64_t i = 0; i < delay_ms; i++) {
		s->now_ms++;
		standing_push(s);
	}
}

static void standing_run(struct standing *s, uint64_t ms)
{
	for (uint64_t end = s->now_ms + ms; s->now_ms < end;) {
		s->now_ms++;
		standing_push(s);
		standing_pop(s);
	}
}

static struct standing standing(uint64_t delay_ms, uint8_t version, uint8_t ecn)
{
	struct standing s = {.q = queue(), .now_ms = 1000, .version = version, .ecn = ecn};

	standing_fill(&s, delay_ms);
	return s;
}

START_TEST(short_waits_are_let_be)
{
	struct standing s = standing(4, 4, 0);

	standing_run(&s, 5000);
	ck_assert_uint_eq(s.n_punished, 0);
	ck_assert_uint_eq(s.n_popped, 5000);
	ela_flowqueue_free(s.q);
}
END_TEST

START_TEST(a_burst_is_let_be)
{
	struct standing s = standing(40, 4, 0);

	for (uint32_t burst = 0; burst < 20; burst++) { /* 90 ms too slow, then empty */
		standing_run(&s, 90);
		while (ela_flowqueue_length(s.q))
			standing_pop(&s);
		standing_fill(&s, 40);
	}
	ck_assert_uint_eq(s.n_punished, 0);
	ela_flowqueue_free(s.q);
}
END_TEST

static double root(double x)
{
	double r = x;

	for (uint32_t i = 0; i < 60; i++)
		r = (r + x / r) / 2;
	return r;
}

/* After an interval above the target: the first one, then each 100 ms / sqrt(how many so far) (RFC 8289, 4.3). */
static void check_law(const struct standing *s, uint64_t since_ms)
{
	double next_ms = (double)since_ms + 100;

	ck_assert_uint_ge(s->n_punished, 40);
	for (uint32_t i = 0; i < s->n_punished; i++) {
		double at = (double)s->punished_ms[i];

		ck_assert_msg(at >= next_ms && at < next_ms + 1.01, "number %u at %.0f ms, due at %.2f", i + 1, at, next_ms);
		next_ms = (i == 0 ? at : next_ms) + 100 / root(i + 1);
	}
}

START_TEST(drops_by_the_law)
{
	struct standing s = standing(20, _i ? 6 : 4, 0);
	uint64_t start = s.now_ms + 1;

	standing_run(&s, 1500);
	check_law(&s, start);
	ck_assert_uint_eq(s.expected - s.n_popped, s.n_punished); /* dropped, not marked */
	ela_flowqueue_free(s.q);
}
END_TEST

START_TEST(marks_by_the_law)
{
	struct standing s = standing(20, _i / 2 ? 6 : 4, (uint8_t)(1 + _i % 2));
	uint64_t start = s.now_ms + 1;

	standing_run(&s, 1500);
	check_law(&s, start);
	ck_assert_uint_eq(s.expected, s.n_popped); /* all of them came */
	ela_flowqueue_free(s.q);
}
END_TEST

/* Marking or dropping ends when the wait falls below the target, and starts near the old rate when it soon rises again.
 */
START_TEST(ends_and_resumes)
{
	struct standing s = standing(20, 4, 2);
	uint32_t first, second;
	uint64_t again;

	standing_run(&s, 1500);
	first = s.n_punished;
	while (ela_flowqueue_length(s.q) > 1)
		standing_pop(&s);
	standing_run(&s, 300);
	ck_assert_uint_le(s.n_punished, first + 1); /* one may have been due while it emptied */
	first = s.n_punished;
	standing_fill(&s, 20);
	again = s.now_ms + 1;
	standing_run(&s, 300);
	second = s.n_punished - first;
	ck_assert_uint_ge(s.punished_ms[first], again + 100);
	ck_assert_uint_ge(second, 10); /* from scratch there would be three in 200 ms */
	ela_flowqueue_free(s.q);
}
END_TEST

/* After a long calm it starts from scratch. */
START_TEST(forgets)
{
	struct standing s = standing(20, 4, 2);
	uint32_t first;

	standing_run(&s, 1500);
	while (ela_flowqueue_length(s.q) > 1)
		standing_pop(&s);
	standing_run(&s, 3000);
	first = s.n_punished;
	standing_fill(&s, 20);
	standing_run(&s, 300);
	ck_assert_uint_le(s.n_punished - first, 4);
	ela_flowqueue_free(s.q);
}
END_TEST

/* The only packet of a flow is never dropped, however old. */
START_TEST(last_one_stays)
{
	struct ela_flowqueue *q = queue();

	for (uint32_t i = 0; i < 1000; i++) {
		struct ela_flow_buf *buf;

		ck_assert_uint_eq(ela_flowqueue_push(q, packet(7, i, 100, 4, 0), i * 200 * MS), 0);
		buf = pop(q, (i * 200 + 199) * MS);
		ck_assert_uint_eq(number_of(buf), i);
		ela_flow_buf_free(buf);
	}
	ela_flowqueue_free(q);
}
END_TEST

/* ---- anything ---- */

/* Random work: within a flow nothing passes anything, and what went in came out, was counted as dropped, or is in
 * there. */
START_TEST(conservation)
{
	struct naive_rng rng = naive_seed("flowqueue");
	struct ela_flowqueue *q = queue();
	uint32_t last[64] = {0}, pushed = 0, popped = 0, lost = 0;
	uint64_t now = 1;

	for (uint64_t i = 0, n = naive_scaled(400000); i < n; i++) {
		uint32_t dropped;
		struct ela_flow_buf *buf;

		now += naive_one_in(&rng, 50) ? 30 * MS : naive_below(&rng, 200000);
		if (naive_below(&rng, 100) < 52) {
			uint32_t len = naive_one_in(&rng, 10) ? 65535 : 60 + naive_below(&rng, 1400);

			uint32_t flow = naive_below(&rng, 64);

			buf = packet(flow, ++pushed, len, flow % 2 ? 4 : 6, (uint8_t)naive_below(&rng, 4));
			lost += ela_flowqueue_push(q, buf, now);
			continue;
		}
		buf = ela_flowqueue_pop(q, now, &dropped);
		lost += dropped;
		if (buf && naive_one_in(&rng, 4)) {
			ela_flowqueue_unpop(q, buf);
			continue;
		}
		if (buf) {
			if (number_of(buf) <= last[flow_of(buf)])
				naive_fail("packet %u after %u of flow %u", number_of(buf), last[flow_of(buf)], flow_of(buf));
			last[flow_of(buf)] = number_of(buf);
			ela_flow_buf_free(buf);
			popped++;
		}
		if (ela_flowqueue_length(q) + popped + lost != pushed)
			naive_fail("%u pushed, %u popped, %u lost, %u inside", pushed, popped, lost, ela_flowqueue_length(q));
		if (ela_flowqueue_length(q) > ELA_FLOWQUEUE_PACKETS + 1)
			naive_fail("%u packets inside", ela_flowqueue_length(q));
	}
	ck_assert_uint_gt(popped, pushed / 4);
	ck_assert_uint_gt(lost, 0);
	ela_flowqueue_free(q);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flowqueue");
	TCase *order = tcase_create("order"), *limits = tcase_create("limits"), *codel = tcase_create("codel");
	SRunner *runner;
	int failed;

	tcase_set_timeout(order, 120);
	tcase_add_test(order, in_order);
	tcase_add_test(order, unpop);
	tcase_add_test(order, trains);
	tcase_add_test(order, trains_congested);
	tcase_add_test(order, ping_beside_a_bulk_flow);
	tcase_add_test(order, fair_by_bytes);
	tcase_add_test(order, conservation);
	suite_add_tcase(suite, order);
	tcase_set_timeout(limits, 120);
	tcase_add_test(limits, packet_limit);
	tcase_add_test(limits, byte_limit);
	suite_add_tcase(suite, limits);
	tcase_set_timeout(codel, 120);
	tcase_add_test(codel, short_waits_are_let_be);
	tcase_add_test(codel, a_burst_is_let_be);
	tcase_add_loop_test(codel, drops_by_the_law, 0, 2);
	tcase_add_loop_test(codel, marks_by_the_law, 0, 4);
	tcase_add_test(codel, ends_and_resumes);
	tcase_add_test(codel, forgets);
	tcase_add_test(codel, last_one_stays);
	suite_add_tcase(suite, codel);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
