/* SPDX-License-Identifier: Apache-2.0 */
/* npd-read: an open device under check, and bursts in and out of it under every rule of npd.h. Control, or a lane. */
#include "npd.h"
#include "packets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTE 0x5e
#define WAIT_NS (3 * CHECK_SEC)

uint8_t *check_arena_new(struct check_run *run)
{
	uint8_t *memory = NULL;

	if (posix_memalign((void **)&memory, 64, CHECK_ARENA + 2 * CHECK_GUARD) != 0)
		check_fail(run, "memory", "none");
	memset(memory, GUARD_BYTE, CHECK_ARENA + 2 * CHECK_GUARD);
	return memory + CHECK_GUARD;
}

static void check_fds(struct check_run *run, const struct check_device *device)
{
	for (uint32_t i = 0; i < device->info.n_queues; i++) {
		int fd = run->plugin->npd.queue_fd(device->instance.self, i), flags = fd < 0 ? FD_CLOEXEC : fcntl(fd, F_GETFD);

		if (fd < -1 || flags < 0)
			check_fail(run, "an open descriptor or -1", "queue_fd(%u) = %d", i, fd);
		check_true(run, flags & FD_CLOEXEC, "a descriptor without FD_CLOEXEC", "one with it");
	}
}

struct check_device check_open(struct check_run *run, uint32_t n_queues)
{
	static const char *const addresses[] = {"10.88.0.1/24"};
	const struct ela_npd_config config = {
		.addresses = addresses, .n_addresses = 1, .n_queues = n_queues, .mtu = CHECK_MTU, .gso_max_segs = 44};
	const uint32_t known = ELA_NPD_CSUM | ELA_NPD_TSO4 | ELA_NPD_TSO6 | ELA_NPD_USO;
	struct check_device device = {.arena_len = CHECK_ARENA, .headroom = CHECK_HEADROOM};

	check_enter_netns();
	device.instance = check_make(run, n_queues);
	check_err(run, "open()", run->plugin->npd.open(device.instance.self, &config, &device.info), 0);
	check_true(run, device.info.name[0] != 0, "an empty name", "the device's");
	check_true(run, memchr(device.info.name, 0, sizeof device.info.name) != NULL, "a name without end", "one with it");
	if (device.info.n_queues < 1 || device.info.n_queues > n_queues)
		check_fail(run, "1..what was asked for", "n_queues %u", device.info.n_queues);
	check_equal(run, "unknown capabilities", device.info.caps & ~known, 0);
	check_equal(run, "caps()", run->plugin->npd.caps(device.instance.self), device.info.caps);
	check_equal(run, "mtu", device.info.mtu, CHECK_MTU);
	check_fds(run, &device);
	device.arena = check_arena_new(run);
	return device;
}

void check_close(struct check_run *run, struct check_device *device)
{
	run->plugin->npd.close(device->instance.self);
	run->plugin->npd.close(device->instance.self); /* may be called twice */
	check_end(run, &device->instance);
	free(device->arena - CHECK_GUARD);
	device->arena = NULL;
}

static void check_guards(struct check_run *run, const struct check_device *device)
{
	const uint8_t *end = device->arena + device->arena_len;

	for (uint32_t i = 1; i <= CHECK_GUARD; i++)
		if (device->arena[-(int64_t)i] != GUARD_BYTE)
			check_fail(run, "the arena alone used", "byte %u before the arena overwritten", i);
	for (uint32_t i = 0; i < CHECK_GUARD; i++)
		if (end[i] != GUARD_BYTE)
			check_fail(run, "the arena alone used", "byte %u behind the arena overwritten", i);
}

/* Lengths, flags and superpacket fields of one packet that was read. */
static void check_fields(struct check_run *run, const struct check_device *device, const struct ela_packet *p)
{
	static const uint8_t zero[sizeof p->reserved];
	uint8_t version = p->data[0] >> 4;
	uint32_t ip_len =
		version == 4 ? (uint32_t)p->data[2] << 8 | p->data[3] : ((uint32_t)p->data[4] << 8 | p->data[5]) + 40;

	if (p->len < (version == 4 ? 20 : 40) || (version != 4 && version != 6))
		check_fail(run, "an IPv4 or IPv6 packet", "version %u, %u bytes", version, p->len);
	if (ip_len != p->len && p->gso_type == ELA_GSO_NONE)
		check_fail(run, "the length in its IP header", "len %u with %u there", p->len, ip_len);
	if (p->gso_type == ELA_GSO_NONE && p->len > device->info.mtu)
		check_fail(run, "at most the MTU without gso_type", "a packet of %u bytes", p->len);
	if (p->gso_type > ELA_GSO_UDP6 || (p->gso_type != ELA_GSO_NONE) != (p->gso_size != 0))
		check_fail(run, "both or neither", "gso_type %u with gso_size %u", p->gso_type, p->gso_size);
	check_equal(run, "unknown flags", p->flags & ~ELA_PACKET_NEEDS_CSUM, 0);
	if (p->flags & ELA_PACKET_NEEDS_CSUM && (uint32_t)p->csum_start + p->csum_offset + 2 > p->len)
		check_fail(
			run, "a checksum within the packet", "csum_start %u + %u of %u", p->csum_start, p->csum_offset, p->len);
	if (p->hdr_len || p->reserved16 || p->len_total || p->n_more || p->more ||
		memcmp(p->reserved, zero, sizeof zero) != 0)
		check_fail(run, "all but data, len, gso and csum fields 0", "another field set");
}

static void check_places(struct check_run *run, const struct check_device *device, const struct ela_packet *pkts, int n)
{
	const uint8_t *free_from = device->arena, *end = device->arena + device->arena_len;

	for (int i = 0; i < n; i++) {
		const uint8_t *data = pkts[i].data;

		if (data < free_from || (size_t)(data - free_from) < device->headroom)
			check_fail(run, "its headroom behind the packet before it", "packet %d at byte %lld with %u of headroom", i,
				(long long)(data - device->arena), device->headroom);
		if ((uintptr_t)data % 16)
			check_fail(run, "a multiple of 16", "packet %d at an address ending in 0x%x", i,
				(unsigned int)((uintptr_t)data % 16));
		if (data > end || (size_t)(end - data) < pkts[i].len)
			check_fail(run, "it in the arena", "packet %d past the arena's end", i);
		check_fields(run, device, &pkts[i]);
		free_from = data + pkts[i].len;
	}
	if (n && (size_t)(end - free_from) < 64)
		check_fail(run, "64", "%lld bytes free behind the last packet", (long long)(end - free_from));
}

uint32_t check_read(
	struct check_run *run, const struct check_device *device, uint32_t queue, struct ela_packet *pkts, uint32_t n)
{
	int err = 1, got;

	memset(pkts, 0, n * sizeof *pkts);
	/* what is behind arena_len is guard, even within the memory */
	memset(device->arena, 0xa5, device->arena_len);
	memset(device->arena + device->arena_len, GUARD_BYTE, CHECK_ARENA - device->arena_len);
	got = run->plugin->npd.read_burst(
		device->instance.self, queue, device->arena, device->arena_len, device->headroom, pkts, n, &err);
	if (got < 0 || (uint32_t)got > n)
		check_fail(run, "0..n", "read_burst() = %d of %u", got, n);
	if (!got && n && err != -EINTR)
		check_err(run, "*ret_err of read_burst() = 0", err, -EAGAIN);
	check_guards(run, device);
	check_places(run, device, pkts, got);
	return (uint32_t)got;
}

/* Writes until the device is full, at least one: how many. */
static uint32_t write_some(
	struct check_run *run, const struct check_device *device, uint32_t queue, struct ela_packet *pkts, uint32_t n)
{
	uint32_t done = 0;

	for (uint32_t tries = 0; !done; tries++) {
		int err = 1, wrote = run->plugin->npd.write_burst(device->instance.self, queue, pkts + done, n - done, &err);

		if (wrote < 0 || (uint32_t)wrote > n - done)
			check_fail(run, "0..n", "write_burst() = %d of %u", wrote, n - done);
		done += (uint32_t)wrote;
		if (done < n)
			check_err(run, "*ret_err of write_burst()", err, -EAGAIN);
		if (tries > 3000)
			check_fail(run, "room in the end", "a device full for 3 s");
		if (!done)
			check_wait(-1, 1);
	}
	return done;
}

void check_write(
	struct check_run *run, const struct check_device *device, uint32_t queue, struct ela_packet *pkts, uint32_t n)
{
	for (uint32_t done = 0; done < n;)
		done += write_some(run, device, queue, pkts + done, n - done);
}

/* Sizes that differ: the smallest, the MTU, odd ones. */
static uint32_t ping_size(uint32_t i)
{
	static const uint32_t sizes[] = {28, CHECK_MTU, 29, 84, 1399, 576, 31, CHECK_MTU - 1};

	return sizes[i % (sizeof sizes / sizeof *sizes)];
}

/* Reads answers until `wanted` more have come; each must come once. */
static void collect_replies(
	struct check_run *run, const struct check_device *device, uint16_t ident, bool *seen, uint32_t n, uint32_t wanted)
{
	struct ela_packet pkts[CHECK_BURST];
	uint64_t until_ns = device->instance.h->host.now_ns(&device->instance.h->host) + WAIT_NS;
	uint32_t got = 0;

	while (got < wanted) {
		uint32_t count = check_read(run, device, 0, pkts, CHECK_BURST);

		for (uint32_t i = 0; i < count; i++) {
			uint16_t from, seq;

			if (!packet_is_reply(pkts[i].data, pkts[i].len, &from, &seq) || from != ident || seq >= n)
				continue; /* a kernel says other things too */
			check_true(run, !seen[seq], "an answer twice", "it once");
			check_equal(run, "length of the answer", pkts[i].len, ping_size(seq));
			seen[seq] = true;
			got++;
		}
		if (device->instance.h->host.now_ns(&device->instance.h->host) > until_ns)
			check_fail(
				run, "an answer to each echo request to the device's own address", "%u of %u after 3 s", got, wanted);
		if (!count) {
			check_wait(run->plugin->npd.queue_fd(device->instance.self, 0), 50);
			(void)check_host_run(device->instance.h, 0, NULL, NULL); /* what the plugin does on control */
		}
	}
}

void check_ping(struct check_run *run, const struct check_device *device, uint32_t n, uint32_t burst)
{
	static uint8_t bytes[CHECK_BURST][CHECK_MTU + 4]; /* too large for a stack */
	static uint16_t ident = 0x4500;
	bool *seen = calloc(n, sizeof *seen);

	if (!seen)
		check_fail(run, "memory", "none");
	ident++;
	for (uint32_t at = 0; at < n; at += burst) {
		uint32_t count = n - at < burst ? n - at : burst;
		struct ela_packet pkts[CHECK_BURST];

		memset(pkts, 0, sizeof pkts);
		for (uint32_t i = 0; i < count; i++) {
			packet_echo(bytes[i], ping_size(at + i), ident, (uint16_t)(at + i));
			pkts[i].data = bytes[i];
			pkts[i].len = pkts[i].len_total = ping_size(at + i);
		}
		/* A device may hold less than a burst: then it is read before the rest is written. */
		for (uint32_t done = 0, some; done < count; done += some) {
			some = write_some(run, device, 0, pkts + done, count - done);
			collect_replies(run, device, ident, seen, n, some);
		}
	}
	free(seen);
}
