/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd: the tests of devices. A device is where the node's own packets come from: whoever is behind it has the device's
 * address and answers an echo request to it. That is how packets get into it here: the kernel behind a TUN device
 * answers, and so does a device that is a small host of its own.
 */
#include "npd.h"
#include "packets.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void test_open_close(struct check_run *run)
{
	static const char *const addresses[] = {"10.88.0.1/24"};
	const struct ela_npd_config config = {.addresses = addresses, .n_addresses = 1, .n_queues = 1, .mtu = CHECK_MTU};
	struct check_device device = check_open(run, 1);
	uint32_t fds = check_count_fds();

	check_ping(run, &device, 1, 1);
	for (uint32_t i = 0; i < 2; i++) {
		run->plugin->npd.close(device.instance.self);
		check_true(run, check_count_fds() <= fds, "more descriptors after close() than before", "fewer");
		check_err(run, "open() after close()", run->plugin->npd.open(device.instance.self, &config, &device.info), 0);
		check_equal(run, "descriptors after open() again", check_count_fds(), fds);
	}
	check_ping(run, &device, 1, 1);
	check_close(run, &device);
}

static void test_never_opened(struct check_run *run)
{
	struct check_instance instance = check_make(run, 1);

	run->plugin->npd.close(instance.self);
	check_end(run, &instance);
}

static void test_dry_and_zero(struct check_run *run)
{
	struct check_device device = check_open(run, 1);
	struct ela_packet pkts[CHECK_BURST];
	uint32_t tries = 0;

	/* A kernel says a few things of its own accord; then it is dry, which check_read() looks at closely. */
	while (check_read(run, &device, 0, pkts, CHECK_BURST))
		if (++tries > 1000)
			check_fail(run, "-EAGAIN", "packets without end from a device that nobody uses");
	check_equal(run, "read_burst() of 0", check_read(run, &device, 0, pkts, 0), 0);
	check_write(run, &device, 0, pkts, 0);
	check_ping(run, &device, 2, 1);
	check_close(run, &device);
}

static void test_round_trip(struct check_run *run)
{
	struct check_device device = check_open(run, 1);

	check_ping(run, &device, 16, 1);
	check_ping(run, &device, 200, 8);
	check_close(run, &device);
}

static void test_max_burst(struct check_run *run)
{
	struct check_device device = check_open(run, 1);

	check_ping(run, &device, 256, CHECK_BURST);
	check_close(run, &device);
}

/* Arenas from "one largest packet fits" up, odd sizes and headrooms. */
static void test_arena(struct check_run *run)
{
	static const uint32_t headrooms[] = {0, 16, 64, 100, 128, 256};
	struct check_device device = check_open(run, 1);

	for (uint32_t i = 0; i < sizeof headrooms / sizeof *headrooms; i++) {
		device.headroom = headrooms[i];
		device.arena_len = CHECK_ARENA;
		check_ping(run, &device, 32, 32);
		device.arena_len = 65535 + 64 + 16 + headrooms[i] + 256 + i * 7; /* a superpacket, and a little */
		check_ping(run, &device, 32, 32);
	}
	/* More than fits, and ends that walk over every place in a packet: it has to stop in time. */
	device.headroom = 1024;
	for (uint32_t i = 0; i < 60; i++) {
		device.arena_len = 65535 + 64 + 16 + 1024 + 256 + i * 44;
		check_ping(run, &device, CHECK_BURST, CHECK_BURST);
	}
	check_close(run, &device);
}

/* Far more than a device can hold, and nobody reads: what it took comes whole and once, or not at all. */
static void test_flood(struct check_run *run)
{
	struct check_device device = check_open(run, 1);
	struct ela_packet pkts[CHECK_BURST];
	static bool seen[8192];
	uint8_t bytes[100];
	uint32_t got = 0, tries = 0;

	for (uint32_t i = 0; i < 8192; i++) {
		struct ela_packet p = {.data = bytes, .len = sizeof bytes, .len_total = sizeof bytes};
		int err = 1, done;

		packet_echo(bytes, sizeof bytes, 0x6100, (uint16_t)i);
		done = run->plugin->npd.write_burst(device.instance.self, 0, &p, 1, &err);
		if (done != 1)
			check_err(run, "*ret_err of write_burst() to a full device", err, -EAGAIN);
	}
	while (tries < 20) {
		uint32_t n = check_read(run, &device, 0, pkts, CHECK_BURST);

		for (uint32_t i = 0; i < n; i++) {
			uint16_t ident, seq;

			if (!packet_is_reply(pkts[i].data, pkts[i].len, &ident, &seq) || ident != 0x6100 || seq >= 8192)
				continue;
			check_true(run, !seen[seq], "an answer twice", "it once");
			seen[seq] = true;
			got++;
		}
		tries = n ? 0 : tries + 1;
		if (!n)
			check_wait(-1, 1);
	}
	check_true(run, got > 0, "no answer after a flood", "some");
	check_ping(run, &device, 16, 8);
	check_close(run, &device);
}

/* Splits a packet into a head and `parts` further pieces. */
static void split(
	struct ela_packet *pkt, uint8_t *bytes, uint32_t len, uint32_t head, struct iovec *more, uint32_t parts)
{
	uint32_t at = head;

	*pkt = (struct ela_packet){.data = bytes, .len = head, .len_total = len, .more = more, .n_more = parts};
	for (uint32_t i = 0; i < parts; i++) {
		uint32_t part = i + 1 == parts ? len - at : (len - head) / parts;

		more[i] = (struct iovec){bytes + at, part};
		at += part;
	}
}

static void test_gather(struct check_run *run)
{
	static const uint32_t heads[] = {28, 20, 33, 1000};
	struct check_device device = check_open(run, 1);
	uint8_t bytes[1400];

	for (uint32_t i = 0; i < 4; i++) {
		uint16_t ident = 0, seq = 0;
		struct ela_packet pkt, pkts[CHECK_BURST];
		struct iovec more[5];
		bool answered = false;

		packet_echo(bytes, sizeof bytes, 0x6000, (uint16_t)i);
		split(&pkt, bytes, sizeof bytes, heads[i], more, i + 2);
		check_write(run, &device, 0, &pkt, 1);
		for (uint32_t tries = 0; !answered; tries++) {
			uint32_t n = check_read(run, &device, 0, pkts, CHECK_BURST);

			for (uint32_t k = 0; k < n; k++)
				answered |= packet_is_reply(pkts[k].data, pkts[k].len, &ident, &seq) && ident == 0x6000 && seq == i;
			if (tries > 100)
				check_fail(run, "an answer", "none to a packet in %u pieces, the first of %u bytes", i + 3, heads[i]);
			if (!answered)
				check_wait(run->plugin->npd.queue_fd(device.instance.self, 0), 20);
		}
	}
	check_close(run, &device);
}

/* A UDP datagram with a partial checksum must arrive: an echo of it comes back, or word that the port is closed. */
static bool is_udp_answer(struct check_run *run, const struct ela_packet *p)
{
	uint32_t from = (uint32_t)p->data[20] << 8 | p->data[21], sum;

	if (p->len < 28 || p->data[0] != 0x45)
		return false;
	if (p->data[9] == 1)
		return p->data[20] == 3 && p->data[21] == 3 && p->len >= 56 && p->data[28 + 9] == 17;
	if (p->data[9] != 17 || from != 4001)
		return false;
	sum = packet_pseudo(p->data, p->len - 20);
	if (p->flags & ELA_PACKET_NEEDS_CSUM)
		check_equal(run, "partial checksum of the answer", (uint32_t)p->data[26] << 8 | p->data[27],
			(uint16_t)~packet_sum(p->data, 0, sum));
	else
		check_equal(run, "sum over the answer with its checksum", packet_sum(p->data + 20, p->len - 20, sum), 0);
	return true;
}

static void test_partial_checksum(struct check_run *run)
{
	struct check_device device = check_open(run, 1);
	uint32_t caps = device.info.caps;
	uint8_t bytes[601];
	struct iovec more[3];
	struct ela_packet pkt, pkts[CHECK_BURST];
	bool answered = false;

	packet_udp(bytes, sizeof bytes, 4001, caps & ELA_NPD_CSUM);
	split(&pkt, bytes, sizeof bytes, 41, more, 3);
	if (caps & ELA_NPD_CSUM) {
		pkt.flags = ELA_PACKET_NEEDS_CSUM;
		pkt.csum_start = 20;
		pkt.csum_offset = 6;
		pkt.hdr_len = 28;
	}
	check_write(run, &device, 0, &pkt, 1);
	for (uint32_t tries = 0; !answered; tries++) {
		uint32_t n = check_read(run, &device, 0, pkts, CHECK_BURST);

		for (uint32_t k = 0; k < n; k++)
			answered |= is_udp_answer(run, &pkts[k]);
		if (tries > 100)
			check_fail(run, "an answer (UDP echo or ICMP port unreachable)", "none to a UDP datagram");
		if (!answered)
			check_wait(run->plugin->npd.queue_fd(device.instance.self, 0), 20);
	}
	check_close(run, &device);
}

/* One packet that a peer may have made and core's own checks would have let through, or not. */
static void make_hostile(struct ela_packet *p, uint8_t *bytes, uint32_t i, struct iovec *more)
{
	static const uint32_t lens[] = {1, 2, 19, 20, 21, 27, 39, 40, 41, 60, 575, 1420};
	uint32_t len = lens[i % 12];

	for (uint32_t k = 0; k < len; k++)
		bytes[k] = (uint8_t)(i * 2654435761u >> (k % 24));
	bytes[0] = (uint8_t[]){0x45, 0x4f, 0x40, 0x60, 0x00, 0xf5, 0x46}[i / 12 % 7];
	*p = (struct ela_packet){.data = bytes, .len = len, .len_total = len};
	if (i % 5 == 1) {
		p->gso_type = (uint8_t)(i % 7); /* also unknown ones */
		p->gso_size = (uint16_t)(i % 3 ? i : 0);
		p->hdr_len = (uint16_t)(i * 37);
	}
	if (i % 5 == 2) {
		p->flags = ELA_PACKET_NEEDS_CSUM;
		p->csum_start = (uint16_t)(i * 911);
		p->csum_offset = (uint16_t)(i % 2 ? 6 : 65535);
	}
	if (i % 5 == 3 && len > 2) {
		more[0] = (struct iovec){bytes + 1, 0};
		more[1] = (struct iovec){bytes + 1, len - 1};
		p->len = 1;
		p->more = more;
		p->n_more = 2;
	}
}

static void test_hostile_packets(struct check_run *run)
{
	struct check_device device = check_open(run, 1);

	for (uint32_t i = 0; i < 2000; i++) {
		uint8_t *bytes = malloc(1420); /* its own block, so that an overread is seen */
		struct ela_packet p, pkts[CHECK_BURST];
		struct iovec more[2];
		int err = 0, done;

		if (!bytes)
			check_fail(run, "memory", "none");
		make_hostile(&p, bytes, i, more);
		done = run->plugin->npd.write_burst(device.instance.self, 0, &p, 1, &err);
		if (done < 0 || done > 1 || (done == 0 && err >= 0))
			check_fail(run, "1, or 0 with a negative errno", "write_burst() = %d, *ret_err %d", done, err);
		free(bytes);
		(void)check_read(run, &device, 0, pkts, CHECK_BURST); /* whatever it says is checked there */
	}
	check_ping(run, &device, 16, 8);
	check_close(run, &device);
}

static void test_set_mtu(struct check_run *run)
{
	struct check_device device = check_open(run, 1);
	int err = run->plugin->npd.set_mtu(device.instance.self, 1280);

	if (err && err != -EOPNOTSUPP)
		check_fail(run, "0 or -EOPNOTSUPP", "set_mtu(1280) = %s", check_err_name(err));
	if (!err) {
		check_err(run, "set_mtu(1420)", run->plugin->npd.set_mtu(device.instance.self, CHECK_MTU), 0);
		check_true(
			run, run->plugin->npd.set_mtu(device.instance.self, 1 << 20) < 0, "set_mtu(1048576) = 0", "an error");
	}
	check_ping(run, &device, 4, 1);
	check_close(run, &device);
}

/*
 * Addresses come, change and go while the device works; one that is refused leaves those that were there. What the
 * device answers to is seen by the echo to the address that stays throughout.
 */
static void test_set_addresses(struct check_run *run)
{
	static const char *const kept[] = {"10.88.0.1/24"}, *const more[] = {"10.88.0.1/24", "10.90.0.1/24"};
	static const char *const bad[] = {"10.91.0.1/24", "10.91.0/24"}, *const twice[] = {"10.91.0.1/24", "10.91.0.1/24"};
	const struct ela_npd_ops *ops = &run->plugin->npd;
	struct check_device device = check_open(run, 1);
	struct ela_npd_config none = {.n_queues = 1, .mtu = CHECK_MTU};
	void *self = device.instance.self;

	if (ops->set_addresses(self, more, 2) == -EOPNOTSUPP)
		check_skip(run, "no set_addresses()");
	check_ping(run, &device, 4, 1);
	check_err(run, "set_addresses() again", ops->set_addresses(self, more, 2), 0);
	check_err(run, "set_addresses() of no address", ops->set_addresses(self, bad, 2), -EINVAL);
	check_err(run, "set_addresses() of one twice", ops->set_addresses(self, twice, 2), -EINVAL);
	check_ping(run, &device, 4, 1);
	check_err(run, "set_addresses() of one", ops->set_addresses(self, kept, 1), 0);
	check_ping(run, &device, 4, 1);
	ops->close(self);
	check_err(run, "set_addresses() of a closed device", ops->set_addresses(self, kept, 1), -ENODEV);
	check_err(run, "open() without addresses", ops->open(self, &none, &device.info), 0);
	check_err(run, "set_addresses() of the first", ops->set_addresses(self, kept, 1), 0);
	check_ping(run, &device, 4, 1);
	check_err(run, "set_addresses() of none", ops->set_addresses(self, NULL, 0), 0);
	check_close(run, &device);
}

/* A second device beside the first: it works as well, or is refused as in use. */
static void test_two_open(struct check_run *run)
{
	static const char *const addresses[] = {"10.89.0.1/24"};
	const struct ela_npd_config config = {.addresses = addresses, .n_addresses = 1, .n_queues = 1, .mtu = CHECK_MTU};
	struct check_device device = check_open(run, 1);
	struct check_host *h = check_host_for(run, 1);
	struct check_instance second;
	struct ela_npd_info info;
	int err;

	(void)check_host_set(h, "interface", "chk1"); /* -ENOENT: it has no such option */
	(void)check_host_set(h, "device", "chk1");
	second = check_create(run, h);
	err = run->plugin->npd.open(second.self, &config, &info);
	if (err && err != -EBUSY)
		check_fail(run, "0 or -EBUSY", "open() of a second one = %s", check_err_name(err));
	if (err)
		check_true(run, *h->last_error != 0, "-EBUSY without a line in the log", "one with the remedy");
	check_ping(run, &device, 4, 2);
	run->plugin->npd.close(second.self);
	check_end(run, &second);
	check_ping(run, &device, 4, 2);
	check_close(run, &device);
}

/* What a lane does in the next test. */
struct lane {
	struct check_run *run;
	struct check_device device; /* with an arena of the lane's own */
	uint32_t queue, *total;     /* answers of all lanes */
	uint32_t wanted;
};

static void count_replies(struct lane *lane)
{
	struct ela_packet pkts[CHECK_BURST];
	uint32_t n = check_read(lane->run, &lane->device, lane->queue, pkts, CHECK_BURST), good = 0;
	uint16_t ident, seq;

	for (uint32_t i = 0; i < n; i++)
		good += packet_is_reply(pkts[i].data, pkts[i].len, &ident, &seq) && ident >> 8 == 0x70;
	(void)__atomic_add_fetch(lane->total, good, __ATOMIC_RELAXED);
	if (!n)
		check_wait(lane->run->plugin->npd.queue_fd(lane->device.instance.self, lane->queue), 5);
}

static void *run_lane(void *data)
{
	struct lane *lane = data;
	uint8_t bytes[8][200];
	uint32_t idle = 0;

	for (uint32_t i = 0; i < 100; i += 4) {
		struct ela_packet pkts[4];

		memset(pkts, 0, sizeof pkts);
		for (uint32_t k = 0; k < 4; k++) {
			packet_echo(bytes[k], sizeof bytes[k], (uint16_t)(0x7000 | lane->queue), (uint16_t)(i + k));
			pkts[k].data = bytes[k];
			pkts[k].len = pkts[k].len_total = sizeof bytes[k];
		}
		check_write(lane->run, &lane->device, lane->queue, pkts, 4);
		count_replies(lane);
	}
	/* Which queue an answer comes by is the device's choice: all lanes read until all have come. */
	while (__atomic_load_n(lane->total, __ATOMIC_RELAXED) < lane->wanted && idle++ < 1000)
		count_replies(lane);
	return NULL;
}

static void test_queues(struct check_run *run)
{
	struct check_device device = check_open(run, 4);
	uint32_t n = device.info.n_queues, total = 0;
	pthread_t threads[4];
	struct lane lanes[4];

	for (uint32_t i = 0; i < n; i++) {
		lanes[i] = (struct lane){.run = run, .device = device, .queue = i, .total = &total, .wanted = 100 * n};
		lanes[i].device.arena = check_arena_new(run);
		if (pthread_create(&threads[i], NULL, run_lane, &lanes[i]) != 0)
			check_fail(run, "threads", "none");
	}
	for (uint32_t i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL); /* made above */
	check_equal(run, "answers over all queues", total, 100 * n);
	for (uint32_t i = 0; i < n; i++)
		free(lanes[i].device.arena - CHECK_GUARD);
	check_close(run, &device);
}

const struct check_test check_npd_tests[] = {
	{"open-close", test_open_close},
	{"never-opened", test_never_opened},
	{"dry-and-zero", test_dry_and_zero},
	{"round-trip", test_round_trip},
	{"max-burst", test_max_burst},
	{"arena", test_arena},
	{"flood", test_flood},
	{"gather", test_gather},
	{"partial-checksum", test_partial_checksum},
	{"hostile-packets", test_hostile_packets},
	{"set-mtu", test_set_mtu},
	{"set-addresses", test_set_addresses},
	{"two-open", test_two_open},
	{"queues", test_queues},
	{NULL, NULL},
};
