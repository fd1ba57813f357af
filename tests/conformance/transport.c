/* SPDX-License-Identifier: Apache-2.0 */
/* transport: the tests of datagrams, between instances on 127.0.0.1. Streams are in stream.c. */
#include "transport.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 65536u
#define MAX_BURST 64u
#define WAIT_NS (3 * CHECK_SEC)

struct ela_addr check_loopback(uint16_t port)
{
	return (struct ela_addr){.ip = {127, 0, 0, 1}, .port = port, .family = ELA_ADDR_IP4};
}

struct check_host *check_listener(struct check_run *run, uint32_t n_lanes, uint16_t port)
{
	struct check_host *h = check_host_for(run, n_lanes);
	char text[16];

	(void)snprintf(text, sizeof text, "%u", port); /* fits */
	if (check_host_set(h, "listen", "127.0.0.1") || check_host_set(h, "port", text))
		check_skip(run, "the plugin has no options listen and port to have two instances on one machine");
	return h;
}

struct check_end_point check_start(struct check_run *run, uint32_t n_lanes, uint32_t caps)
{
	struct check_end_point end = {.n_lanes = n_lanes};
	uint16_t port = check_free_port(run);

	end.instance = check_create(run, check_listener(run, n_lanes, port));
	check_err(run, "start()", run->plugin->transport.start(end.instance.self, n_lanes), 0);
	run->plugin->transport.info(end.instance.self, &end.info);
	if (!(end.info.caps & ELA_TRANSPORT_IP))
		check_skip(run, "its addresses are not the Internet's");
	if ((end.info.caps & caps) != caps)
		check_skip(run, caps & ELA_TRANSPORT_DATAGRAM ? "no datagrams" : "no streams");
	check_equal(run, "info().port", end.info.port, port);
	end.addr = check_loopback(port);
	return end;
}

void check_stop(struct check_run *run, struct check_end_point *end)
{
	run->plugin->transport.stop(end->instance.self);
	run->plugin->transport.stop(end->instance.self); /* may be called twice */
	check_end(run, &end->instance);
}

static void test_start_stop(struct check_run *run)
{
	struct check_end_point end = check_start(run, 2, 0);
	uint32_t fds = check_count_fds();

	for (uint32_t i = 0; i < 3; i++) {
		run->plugin->transport.stop(end.instance.self);
		run->plugin->transport.stop(end.instance.self);
		check_true(run, check_count_fds() <= fds, "more descriptors after stop() than before", "fewer");
		check_err(run, "start() after stop()", run->plugin->transport.start(end.instance.self, 2), 0);
		check_equal(run, "descriptors after start() again", check_count_fds(), fds);
	}
	check_stop(run, &end);
}

static void test_never_started(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);

	run->plugin->transport.stop(instance.self);
	check_end(run, &instance);
}

static void test_info(struct check_run *run)
{
	struct check_end_point end = check_start(run, 1, 0);
	const struct ela_transport_info *info = &end.info;

	check_true(
		run, info->caps & (ELA_TRANSPORT_DATAGRAM | ELA_TRANSPORT_STREAM), "neither datagrams nor streams", "one");
	if (info->caps & ELA_TRANSPORT_DATAGRAM) {
		check_true(
			run, info->max_datagram >= 512 && info->max_datagram <= 65535, "max_datagram of no use", "512..65535");
		check_true(run, info->max_segments >= 1, "max_segments 0", "1 = no trains");
		check_true(run, info->max_segments == 1 || info->max_train >= info->max_datagram / 2,
			"trains, but max_train too small", "room for some datagrams");
		check_true(run, info->burst >= 1 && info->burst <= 64, "burst out of range", "1..64");
		check_true(run, info->overhead4 >= 20 && info->overhead4 <= 200, "overhead4 out of range", "20..200 bytes");
	}
	check_stop(run, &end);
}

/* A port has one owner; who comes second is told what to do, and leaves nothing open. */
static void test_port_in_use(struct check_run *run)
{
	struct check_end_point end = check_start(run, 1, 0);
	struct check_instance second = check_create(run, check_listener(run, 1, end.info.port));
	uint32_t fds = check_count_fds();

	check_err(run, "start() at a port in use", run->plugin->transport.start(second.self, 1), -EADDRINUSE);
	check_true(run, *second.h->last_error != 0, "-EADDRINUSE without a line in the log", "one with the remedy");
	check_equal(run, "descriptors after start() failed", check_count_fds(), fds);
	check_end(run, &second);
	check_stop(run, &end);
}

/* Datagrams that have come, one by one. */
struct bag {
	uint8_t *bytes[1024];
	uint32_t len[1024];
	struct ela_addr remote[1024];
	uint32_t n;
};

static void bag_clear(struct bag *bag)
{
	for (uint32_t i = 0; i < bag->n; i++)
		free(bag->bytes[i]);
	bag->n = 0;
}

static void unpack(struct check_run *run, struct bag *bag, const struct ela_train *train)
{
	if (!train->len)
		return;
	if (train->len > train->room || !train->segment || train->segment > train->len)
		check_fail(run, "segment 1..len, len <= room", "a train of %u bytes, segment %u", train->len, train->segment);
	check_equal(run, "family of the sender", train->remote.family, ELA_ADDR_IP4);
	check_true(run, train->ecn <= 3, "ECN bits above 3", "0..3");
	for (uint32_t at = 0; at < train->len; at += train->segment) {
		uint32_t len = train->len - at < train->segment ? train->len - at : train->segment;

		if (bag->n == 1024)
			check_fail(run, "those that were sent", "more than 1,024 datagrams");
		bag->bytes[bag->n] = malloc(len);
		if (!bag->bytes[bag->n])
			check_fail(run, "memory", "none");
		memcpy(bag->bytes[bag->n], train->data + at, len);
		bag->len[bag->n] = len;
		bag->remote[bag->n++] = train->remote;
	}
}

/* Reads one burst of a lane into the bag; false when it was dry. */
static bool read_lane(struct check_run *run, struct check_end_point *end, uint32_t lane, struct bag *bag)
{
	static uint8_t room[4][ROOM]; /* too large for a stack */
	struct ela_train trains[4];
	int err = 1, n;

	for (uint32_t i = 0; i < 4; i++) {
		memset(&trains[i], 0, sizeof trains[i]);
		trains[i].data = room[i];
		trains[i].room = ROOM;
	}
	n = run->plugin->transport.read_burst(end->instance.self, lane, trains, 4, &err);
	if (n < 0 || n > 4)
		check_fail(run, "0..n", "read_burst() = %d of 4", n);
	if (!n)
		check_err(run, "*ret_err of read_burst() = 0", err, -EAGAIN);
	for (int i = 0; i < n; i++)
		unpack(run, bag, &trains[i]);
	return n > 0;
}

/* Waits on the lane's descriptors: they have to say that something came. */
static void wait_lane(struct check_run *run, struct check_end_point *end, uint32_t lane, uint32_t ms)
{
	int fd = run->plugin->transport.lane_fd(end->instance.self, lane, 0);

	check_wait(fd < 0 ? -1 : fd, ms);
	(void)check_host_run(end->instance.h, 0, NULL, NULL); /* what the plugin does on control */
}

/* Reads every lane until the bag has n datagrams. */
static void receive(struct check_run *run, struct check_end_point *end, struct bag *bag, uint32_t n)
{
	uint64_t until_ns = end->instance.h->host.now_ns(&end->instance.h->host) + WAIT_NS;

	while (bag->n < n) {
		bool any = false;

		for (uint32_t lane = 0; lane < end->n_lanes; lane++)
			any |= read_lane(run, end, lane, bag);
		if (!any && end->instance.h->host.now_ns(&end->instance.h->host) > until_ns)
			check_fail(run, "all that were sent", "%u of %u datagrams after 3 s", bag->n, n);
		if (!any)
			wait_lane(run, end, 0, end->n_lanes > 1 ? 1 : 50);
	}
}

static void fill(uint8_t *bytes, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((seed * 131 + i) * 2654435761u >> 24);
}

/* One train; retried while there is no room. The error, or 0. */
static int send_one(struct check_run *run, struct check_end_point *end, const struct ela_addr *to, const uint8_t *bytes,
	uint32_t len, uint32_t segment)
{
	struct ela_path path = {.remote = *to};
	struct ela_send send = {.data = bytes, .len = len, .segment = segment, .path = &path};

	for (uint32_t tries = 0; tries < 1000; tries++) {
		int err = 1, n = run->plugin->transport.send_burst(end->instance.self, 0, &send, 1, &err);

		if (n < 0 || n > 1 || (n == 0 && err >= 0))
			check_fail(run, "1, or 0 with a negative errno", "send_burst() = %d, *ret_err %d", n, err);
		if (n == 1)
			return 0;
		if (err != -EAGAIN)
			return err;
		check_wait(-1, 1);
	}
	return -EAGAIN;
}

static void check_datagram(struct check_run *run, const struct bag *bag, uint32_t i, const uint8_t *bytes, uint32_t len)
{
	check_equal(run, "length of a datagram", bag->len[i], len);
	check_true(run, memcmp(bag->bytes[i], bytes, len) == 0, "other bytes in a datagram", "those that were sent");
}

static void test_datagrams(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct bag bag = {.n = 0};
	uint8_t bytes[1400], wanted[1400];

	check_true(run, !read_lane(run, &b, 0, &bag), "datagrams that nobody sent", "none");
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t len = i % 2 ? 1400 - i : i + 1;

		fill(bytes, len, i);
		memcpy(wanted, bytes, len);
		check_err(run, "send_burst()", send_one(run, &a, &b.addr, bytes, len, 0), 0);
		memset(bytes, 0, sizeof bytes); /* it was borrowed */
		receive(run, &b, &bag, 1);
		check_datagram(run, &bag, 0, wanted, len);
		check_true(run, memcmp(&bag.remote[0], &a.addr, sizeof a.addr) == 0, "another sender", "the one that sent");
		bag_clear(&bag);
		/* and back, to the address that it came from */
		check_err(run, "send_burst() back", send_one(run, &b, &a.addr, wanted, len, len), 0);
		receive(run, &a, &bag, 1);
		check_datagram(run, &bag, 0, wanted, len);
		bag_clear(&bag);
	}
	check_stop(run, &a);
	check_stop(run, &b);
}

/* Bursts of 0, 1 and the most; each datagram once, in order. */
static void test_bursts(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	const uint32_t counts[] = {0, 1, a.info.burst};
	struct ela_path path = {.remote = b.addr};
	static uint8_t bytes[MAX_BURST][500];
	struct ela_send sends[MAX_BURST];

	memset(sends, 0, sizeof sends);
	for (uint32_t round = 0; round < 3; round++) {
		struct bag bag = {.n = 0};
		uint32_t n = counts[round], done = 0;

		for (uint32_t i = 0; i < n; i++) {
			fill(bytes[i], 100 + i * 5, i);
			sends[i] = (struct ela_send){.data = bytes[i], .len = 100 + i * 5, .path = &path};
		}
		do {
			int err = 1, sent = run->plugin->transport.send_burst(a.instance.self, 0, sends + done, n - done, &err);

			if (sent < 0 || (uint32_t)sent > n - done)
				check_fail(run, "0..n", "send_burst() = %d of %u", sent, n - done);
			done += (uint32_t)sent;
			if (done < n)
				check_err(run, "*ret_err of send_burst()", err, -EAGAIN);
		} while (done < n);
		receive(run, &b, &bag, n);
		check_wait(-1, 1);
		check_true(run, !read_lane(run, &b, 0, &bag), "more datagrams than were sent", "none");
		for (uint32_t i = 0; i < n; i++)
			check_datagram(run, &bag, i, bytes[i], 100 + i * 5);
		bag_clear(&bag);
	}
	check_stop(run, &a);
	check_stop(run, &b);
}

/* A train arrives as the datagrams that it stands for. */
static void test_trains(struct check_run *run)
{
	static const uint32_t sizes[] = {1200, 1, 1400, 64, 500};
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	uint32_t most = a.info.max_segments < MAX_BURST ? a.info.max_segments : MAX_BURST;
	static uint8_t bytes[ROOM];

	fill(bytes, sizeof bytes, 3);
	for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t n = most, segment = sizes[i], len, cut = segment > 1 ? segment / 3 : 0;
		struct bag bag = {.n = 0};

		while (n > 1 && n * segment > a.info.max_train)
			n--;
		len = n * segment - (n > 1 ? cut : 0); /* the last is shorter */
		check_err(run, "send_burst() of a train", send_one(run, &a, &b.addr, bytes, len, segment), 0);
		receive(run, &b, &bag, n);
		for (uint32_t k = 0; k < n; k++)
			check_datagram(run, &bag, k, bytes + k * segment, k + 1 == n ? len - k * segment : segment);
		bag_clear(&bag);
	}
	check_stop(run, &a);
	check_stop(run, &b);
}

static void test_max_datagram(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	uint8_t *bytes = malloc(a.info.max_datagram + 1);
	struct bag bag = {.n = 0};

	if (!bytes)
		check_fail(run, "memory", "none");
	fill(bytes, a.info.max_datagram + 1, 1);
	check_err(run, "send_burst() of max_datagram bytes", send_one(run, &a, &b.addr, bytes, a.info.max_datagram, 0), 0);
	receive(run, &b, &bag, 1);
	check_datagram(run, &bag, 0, bytes, a.info.max_datagram);
	bag_clear(&bag);
	check_err(
		run, "send_burst() of one byte more", send_one(run, &a, &b.addr, bytes, a.info.max_datagram + 1, 0), -EMSGSIZE);
	check_err(run, "send_burst() after it", send_one(run, &a, &b.addr, bytes, 100, 0), 0);
	receive(run, &b, &bag, 1);
	bag_clear(&bag);
	free(bytes);
	check_stop(run, &a);
	check_stop(run, &b);
}

/* Nobody there, an address of no family, one that is not ours: errors or silence, and the next datagram arrives. */
static void test_bad_destinations(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct ela_addr nobody = check_loopback(check_free_port(run)), none = {0},
					other = {.ip = {1}, .family = ELA_ADDR_OTHER};
	struct bag bag = {.n = 0};
	uint8_t bytes[100] = {7};

	for (uint32_t i = 0; i < 10; i++) {
		(void)send_one(run, &a, &nobody, bytes, sizeof bytes, 0); /* sent, or refused: both are right */
		check_true(
			run, send_one(run, &a, &none, bytes, sizeof bytes, 0) < 0, "sent to an address without family", "an error");
		check_true(run, send_one(run, &a, &other, bytes, sizeof bytes, 0) < 0,
			"sent to an address of another transport", "an error");
		(void)read_lane(run, &a, 0, &bag); /* an ICMP error may be waiting there: it must not stick */
	}
	/* One refusal may be reported late, to the first datagram after; not to a second. */
	if (send_one(run, &a, &b.addr, bytes, sizeof bytes, 0))
		check_err(run, "send_burst() after bad ones", send_one(run, &a, &b.addr, bytes, sizeof bytes, 0), 0);
	receive(run, &b, &bag, 1);
	check_datagram(run, &bag, 0, bytes, sizeof bytes);
	bag_clear(&bag);
	check_stop(run, &a);
	check_stop(run, &b);
}

/* One datagram from a place that the receiver has not heard of, which leaves nothing behind. */
static void test_probe(struct check_run *run)
{
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	const struct ela_transport_ops *ops = &run->plugin->transport;
	struct ela_addr none = {0}, other = {.ip = {1}, .family = ELA_ADDR_OTHER};
	uint32_t fds = check_count_fds();
	uint16_t ports[2] = {0};
	struct bag bag = {.n = 0};
	uint8_t bytes[41], wanted[41];

	fill(wanted, sizeof wanted, 9);
	memcpy(bytes, wanted, sizeof bytes);
	if (ops->probe(a.instance.self, &b.addr, bytes, sizeof bytes) == -EOPNOTSUPP)
		check_skip(run, "no probe()");
	memset(bytes, 0, sizeof bytes); /* it was borrowed */
	for (uint32_t i = 0; i < 2; i++) {
		receive(run, &b, &bag, 1);
		check_datagram(run, &bag, 0, wanted, sizeof wanted);
		check_true(run, memcmp(bag.remote[0].ip, a.addr.ip, sizeof a.addr.ip) == 0, "a probe from another address",
			"the sender's");
		check_true(run, bag.remote[0].port != a.info.port, "a probe from the port that it listens on", "another");
		ports[i] = bag.remote[0].port;
		bag_clear(&bag);
		if (i == 0)
			check_err(run, "probe() again", ops->probe(a.instance.self, &b.addr, wanted, sizeof wanted), 0);
	}
	check_true(run, ports[0] != ports[1], "two probes from one port", "a fresh socket for each");
	check_true(run, !read_lane(run, &b, 0, &bag), "more datagrams than probes", "one each");
	check_true(run, ops->probe(a.instance.self, &none, wanted, sizeof wanted) < 0,
		"a probe to an address without family", "an error");
	check_true(run, ops->probe(a.instance.self, &other, wanted, sizeof wanted) < 0,
		"a probe to an address of another transport", "an error");
	check_equal(run, "descriptors after probe()", check_count_fds(), fds);
	check_stop(run, &a);
	check_stop(run, &b);
}

/* All datagrams of one sender reach one lane of the receiver. */
static void test_lanes(struct check_run *run)
{
	struct check_end_point b = check_start(run, 3, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point a = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point c = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	uint32_t seen[2] = {0}, total = 0;
	uint8_t bytes[100];

	for (uint32_t i = 0; i < 60; i++) {
		fill(bytes, sizeof bytes, i);
		check_err(run, "send_burst()", send_one(run, i % 2 ? &a : &c, &b.addr, bytes, sizeof bytes, 0), 0);
	}
	for (uint32_t tries = 0; total < 60; tries++) {
		for (uint32_t lane = 0; lane < 3; lane++) {
			struct bag bag = {.n = 0};

			while (read_lane(run, &b, lane, &bag))
				continue;
			for (uint32_t i = 0; i < bag.n; i++)
				seen[bag.remote[i].port == a.info.port] |= 1u << lane;
			total += bag.n;
			bag_clear(&bag);
		}
		if (tries > 3000)
			check_fail(run, "60", "%u datagrams over all lanes", total);
		(void)check_host_run(b.instance.h, 0, NULL, NULL);
		check_wait(-1, 1);
	}
	for (uint32_t i = 0; i < 2; i++)
		check_true(run, (seen[i] & (seen[i] - 1)) == 0, "datagrams of one sender on several lanes", "all on one");
	check_err(run, "lane_fd() past the last", run->plugin->transport.lane_fd(b.instance.self, 0, 1000), -ENOENT);
	check_stop(run, &a);
	check_stop(run, &b);
	check_stop(run, &c);
}

/* A lane that sends while others do. */
struct lane {
	struct check_run *run;
	struct check_end_point *from;
	struct ela_addr to;
	uint32_t number;
};

static void *send_lane(void *data)
{
	struct lane *lane = data;
	struct ela_path path = {.remote = lane->to};
	uint8_t bytes[64];
	struct ela_send send = {.data = bytes, .len = sizeof bytes, .path = &path};

	fill(bytes, sizeof bytes, lane->number);
	for (uint32_t i = 0; i < 100; i++) {
		int err = 1;

		while (lane->run->plugin->transport.send_burst(lane->from->instance.self, lane->number, &send, 1, &err) != 1)
			check_err(lane->run, "*ret_err of send_burst() on a lane", err, -EAGAIN);
		if (i % 10 == 9)
			check_wait(-1, 1); /* room at the receiver */
	}
	return NULL;
}

static void test_threads(struct check_run *run)
{
	struct check_end_point a = check_start(run, 4, ELA_TRANSPORT_DATAGRAM);
	struct check_end_point b = check_start(run, 1, ELA_TRANSPORT_DATAGRAM);
	struct bag bag = {.n = 0};
	struct lane lanes[4];
	pthread_t threads[4];

	for (uint32_t i = 0; i < 4; i++) {
		lanes[i] = (struct lane){.run = run, .from = &a, .to = b.addr, .number = i};
		if (pthread_create(&threads[i], NULL, send_lane, &lanes[i]) != 0)
			check_fail(run, "threads", "none");
	}
	receive(run, &b, &bag, 400);
	for (uint32_t i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL); /* made above */
	for (uint32_t i = 0; i < bag.n; i++)
		check_equal(run, "port of the sender, any lane", bag.remote[i].port, a.info.port);
	bag_clear(&bag);
	check_stop(run, &a);
	check_stop(run, &b);
}

const struct check_test check_transport_tests[] = {
	{"start-stop", test_start_stop},
	{"never-started", test_never_started},
	{"info", test_info},
	{"port-in-use", test_port_in_use},
	{"datagrams", test_datagrams},
	{"bursts", test_bursts},
	{"trains", test_trains},
	{"max-datagram", test_max_datagram},
	{"bad-destinations", test_bad_destinations},
	{"probe", test_probe},
	{"lanes", test_lanes},
	{"threads", test_threads},
	{NULL, NULL},
};
